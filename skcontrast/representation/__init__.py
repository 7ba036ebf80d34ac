"""Estimators that learn a representation."""

from skcontrast.representation._adjusted import WeightedProbabilities
from skcontrast.representation._classifier import SupervisedContrastiveClassifier
from skcontrast.representation._encoder import ContrastiveEncoder
from skcontrast.representation._kernel_conditional import KernelConditionalContrastive
from skcontrast.representation._parts import Columns, Kernel, Neighborhood, Ranks
from skcontrast.representation._patterns import Patterns
from skcontrast.representation._regressor import SupervisedContrastiveRegressor

# Of fitted estimators: what a saved folder may name has to be found here.
_SAVED = (Columns, Kernel, Neighborhood, Patterns, Ranks, WeightedProbabilities)

__all__ = [
    "ContrastiveEncoder",
    "KernelConditionalContrastive",
    "SupervisedContrastiveClassifier",
    "SupervisedContrastiveRegressor",
]
