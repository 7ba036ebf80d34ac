"""The equations, in pure torch: nothing here knows of estimators or components."""

from skcontrast.functional._equations import alignment, log_mean_gaussian, ridge_smoother
from skcontrast.functional._pairs import (
    DENSE_LIMIT,
    OFF_DIAGONAL,
    TILE,
    PairSums,
    mean_over,
    nearest,
    pair_loss,
    pair_sums,
)
from skcontrast.functional._rows import (
    distance_power,
    distinct,
    dot,
    logsumexp,
    normalize,
    power_distance,
    softplus,
    squared_distance,
)

__all__ = [
    "DENSE_LIMIT",
    "OFF_DIAGONAL",
    "PairSums",
    "TILE",
    "alignment",
    "distance_power",
    "distinct",
    "dot",
    "log_mean_gaussian",
    "logsumexp",
    "mean_over",
    "nearest",
    "normalize",
    "pair_loss",
    "pair_sums",
    "power_distance",
    "ridge_smoother",
    "softplus",
    "squared_distance",
]
