"""What a fitted model's answers come from, in terms of its training rows."""

from skcontrast.inspection._attribution import attribute
from skcontrast.inspection._surrogate import TangentSurrogate

__all__ = ["TangentSurrogate", "attribute"]
