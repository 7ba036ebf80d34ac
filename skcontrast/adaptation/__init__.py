"""Adapting a classifier or regressor to a few labelled rows, in closed form."""

from skcontrast.adaptation._cache import tip_adapter_loss
from skcontrast.adaptation._classifier import ProKeRClassifier
from skcontrast.adaptation._regressor import ProKeRRegressor
from skcontrast.adaptation._replay import KernelReplayClassifier
from skcontrast.adaptation._transport import transported_prototypes
from skcontrast.adaptation._zero_shot import ZeroShotClassifier

__all__ = [
    "KernelReplayClassifier",
    "ProKeRClassifier",
    "ProKeRRegressor",
    "ZeroShotClassifier",
    "tip_adapter_loss",
    "transported_prototypes",
]
