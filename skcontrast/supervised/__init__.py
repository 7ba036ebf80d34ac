"""Estimators that predict: a head on any encoder."""

from skcontrast.supervised._adjusted import WeightedProbabilities
from skcontrast.supervised._classifier import SupervisedContrastiveClassifier
from skcontrast.supervised._defaults import FirstColumns
from skcontrast.supervised._intervals import Intervals
from skcontrast.supervised._regressor import SupervisedContrastiveRegressor

# Of fitted estimators: what a saved folder may name has to be found here.
_SAVED = (FirstColumns, Intervals, WeightedProbabilities)

__all__ = ["SupervisedContrastiveClassifier", "SupervisedContrastiveRegressor"]
