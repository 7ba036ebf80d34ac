"""Views: random changes of a row that keep what matters about it."""

from skcontrast.views._adversarial import Adversarial
from skcontrast.views._bands import ChangedNegative, NeighborBands, build_negatives, makes_negatives
from skcontrast.views._base import (
    TEXT_VIEW_CONSTRAINTS,
    VIEW_CONSTRAINTS,
    Compose,
    View,
    Views,
    build_slots,
    build_views,
    members,
    reads_order,
)
from skcontrast.views._history import HistoricalMean
from skcontrast.views._mixing import FeatureSwap, Mixup
from skcontrast.views._neighbors import Neighbors
from skcontrast.views._order import TimeOffset
from skcontrast.views._partners import SameGroup, partners
from skcontrast.views._representative import RepresentativeWords
from skcontrast.views._selection import FeatureSelection
from skcontrast.views._series import (
    ChannelMask,
    Jitter,
    PointMask,
    Scaling,
    SegmentMask,
    SegmentSwap,
    SeriesView,
)
from skcontrast.views._series_time import Permutation, TimeCrop, Warp
from skcontrast.views._slots import EachView, Parts
from skcontrast.views._substitution import WordSubstitution
from skcontrast.views._tabular import Corruption, Dropout, FeatureMask, GaussianNoise
from skcontrast.views._text import Shuffle, SpanCrop, TextView, Typos, WordDeletion, WordRepetition

VIEWS = {
    "corruption": Corruption,
    "dropout": Dropout,
    "mask": FeatureMask,
    "mixup": Mixup,
    "neighbor_bands": NeighborBands,
    "neighbors": Neighbors,
    "noise": GaussianNoise,
    "parts": Parts,
    "same_group": SameGroup,
    "swap": FeatureSwap,
    "time_offset": TimeOffset,
}

# Of documents, rows of words.
TEXT_VIEWS = {
    "crop": SpanCrop,
    "parts": Parts,
    "repetition": WordRepetition,
    "representative": RepresentativeWords,
    "shuffle": Shuffle,
    "typos": Typos,
    "word_deletion": WordDeletion,
}
# Of series. The first one is what a message advises.
SERIES_VIEWS = {
    "crop": TimeCrop,
    "channel_mask": ChannelMask,
    "jitter": Jitter,
    "permutation": Permutation,
    "point_mask": PointMask,
    "scaling": Scaling,
    "segment_mask": SegmentMask,
    "segment_swap": SegmentSwap,
    "warp": Warp,
}
# By what a row is; a kind of row of one's own is added here.
VIEWS_OF = {"numbers": VIEWS, "tokens": TEXT_VIEWS, "series": SERIES_VIEWS}

__all__ = [
    "SERIES_VIEWS",
    "TEXT_VIEWS",
    "TEXT_VIEW_CONSTRAINTS",
    "VIEWS",
    "VIEWS_OF",
    "VIEW_CONSTRAINTS",
    "Adversarial",
    "ChangedNegative",
    "ChannelMask",
    "Compose",
    "Corruption",
    "Dropout",
    "EachView",
    "FeatureMask",
    "FeatureSelection",
    "FeatureSwap",
    "GaussianNoise",
    "HistoricalMean",
    "Jitter",
    "Mixup",
    "NeighborBands",
    "Neighbors",
    "Parts",
    "Permutation",
    "PointMask",
    "RepresentativeWords",
    "SameGroup",
    "Scaling",
    "SegmentMask",
    "SegmentSwap",
    "SeriesView",
    "Shuffle",
    "SpanCrop",
    "TextView",
    "TimeCrop",
    "TimeOffset",
    "Typos",
    "View",
    "Views",
    "Warp",
    "WordDeletion",
    "WordRepetition",
    "WordSubstitution",
    "build_negatives",
    "build_slots",
    "build_views",
    "makes_negatives",
    "members",
    "partners",
    "reads_order",
]
