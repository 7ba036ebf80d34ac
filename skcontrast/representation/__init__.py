"""Estimators that learn a representation."""

from skcontrast.representation._encoder import ContrastiveEncoder
from skcontrast.representation._kernel_conditional import KernelConditionalContrastive

__all__ = ["ContrastiveEncoder", "KernelConditionalContrastive"]
