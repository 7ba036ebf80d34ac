"""What is special in one set of rows against another, and what sets have in common."""

from skcontrast.contrast._alignment import CorrelationAlignment
from skcontrast.contrast._pca import ContrastivePCA

__all__ = ["ContrastivePCA", "CorrelationAlignment"]
