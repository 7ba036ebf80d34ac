"""Estimators that learn a representation."""

from skcontrast.representation._convolutions import RandomConvolutions
from skcontrast.representation._encoder import ContrastiveEncoder
from skcontrast.representation._kernel_conditional import KernelConditionalContrastive
from skcontrast.representation._series import SeriesContrastiveEncoder
from skcontrast.representation._sparse_coder import SparseCoder

__all__ = [
    "ContrastiveEncoder",
    "KernelConditionalContrastive",
    "RandomConvolutions",
    "SeriesContrastiveEncoder",
    "SparseCoder",
]
