"""Views: random changes of a row that keep what matters about it."""

from skcontrast.views._base import VIEW_CONSTRAINTS, Compose, View, build_views
from skcontrast.views._mixing import FeatureSwap, Mixup
from skcontrast.views._neighbors import Neighbors
from skcontrast.views._tabular import Corruption, Dropout, FeatureMask, GaussianNoise

VIEWS = {
    "corruption": Corruption,
    "dropout": Dropout,
    "mask": FeatureMask,
    "mixup": Mixup,
    "neighbors": Neighbors,
    "noise": GaussianNoise,
    "swap": FeatureSwap,
}

__all__ = [
    "VIEWS",
    "VIEW_CONSTRAINTS",
    "Compose",
    "Corruption",
    "Dropout",
    "FeatureMask",
    "FeatureSwap",
    "GaussianNoise",
    "Mixup",
    "Neighbors",
    "View",
    "build_views",
]
