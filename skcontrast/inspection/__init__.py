"""What a fitted model's answers come from, and what lies between the points of an embedding."""

from skcontrast.inspection._attribution import attribute
from skcontrast.inspection._between import infer_between
from skcontrast.inspection._surrogate import TangentSurrogate

__all__ = ["TangentSurrogate", "attribute", "infer_between"]
