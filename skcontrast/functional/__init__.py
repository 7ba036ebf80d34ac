"""The equations, in pure torch: nothing here knows of estimators or components."""

from skcontrast.functional._anchors import over_anchors
from skcontrast.functional._blocks import multilinear_contrast, one_to_many, sigmoid_pairs
from skcontrast.functional._equations import (
    alignment,
    jensen_shannon,
    log_mean_gaussian,
    min_norm_pair,
    ridge_smoother,
)
from skcontrast.functional._geometry import (
    cone_violation,
    draw_directions,
    draws_contrast,
    exp_map,
    gaussian_parameters,
    lorentz_distance,
    lorentz_excess,
    negative_divergence,
    partner_excess,
)
from skcontrast.functional._mining import CEILINGS, mine_negatives, score_ceiling
from skcontrast.functional._mixtures import MIXTURE_WEIGHTS, Between, draw_between, mixed_contrast
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
from skcontrast.functional._parts import match_parts
from skcontrast.functional._rows import (
    BlockSize,
    distance_power,
    distinct,
    dot,
    logsumexp,
    normalize,
    power_distance,
    softplus,
    squared_distance,
)
from skcontrast.functional._segments import class_cross_entropy, log_mean_by_class
from skcontrast.functional._self import self_partition
from skcontrast.functional._series import (
    contrast_apart,
    contrast_within,
    future_contrast,
    neighbor_weights,
    positive_unlabelled,
)
from skcontrast.functional._shares import linear_shares, softmax_shares
from skcontrast.functional._transport import balanced_assignment, gaussian_distance
from skcontrast.functional._whitening import whiten

__all__ = [
    "Between",
    "BlockSize",
    "CEILINGS",
    "DENSE_LIMIT",
    "MIXTURE_WEIGHTS",
    "OFF_DIAGONAL",
    "PairSums",
    "TILE",
    "alignment",
    "balanced_assignment",
    "class_cross_entropy",
    "cone_violation",
    "contrast_apart",
    "contrast_within",
    "distance_power",
    "distinct",
    "dot",
    "draw_between",
    "draw_directions",
    "draws_contrast",
    "exp_map",
    "future_contrast",
    "gaussian_distance",
    "gaussian_parameters",
    "jensen_shannon",
    "linear_shares",
    "log_mean_by_class",
    "log_mean_gaussian",
    "logsumexp",
    "lorentz_distance",
    "lorentz_excess",
    "match_parts",
    "mean_over",
    "min_norm_pair",
    "mine_negatives",
    "mixed_contrast",
    "multilinear_contrast",
    "nearest",
    "negative_divergence",
    "neighbor_weights",
    "normalize",
    "one_to_many",
    "over_anchors",
    "pair_loss",
    "pair_sums",
    "partner_excess",
    "positive_unlabelled",
    "power_distance",
    "ridge_smoother",
    "score_ceiling",
    "self_partition",
    "sigmoid_pairs",
    "softmax_shares",
    "softplus",
    "squared_distance",
    "whiten",
]
