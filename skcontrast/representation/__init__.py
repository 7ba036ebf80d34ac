"""Estimators that learn a representation."""

from skcontrast.representation._classifier import SupervisedContrastiveClassifier
from skcontrast.representation._encoder import ContrastiveEncoder
from skcontrast.representation._kernel_conditional import KernelConditionalContrastive
from skcontrast.representation._regressor import SupervisedContrastiveRegressor

__all__ = [
    "ContrastiveEncoder",
    "KernelConditionalContrastive",
    "SupervisedContrastiveClassifier",
    "SupervisedContrastiveRegressor",
]
