"""Samplers: how the rows of an epoch are put into batches."""

from skcontrast.samplers._batches import (
    ClassBalanced,
    TargetSpread,
    Uniform,
    in_order,
    split_batches,
    target_ranks,
)
from skcontrast.samplers._clustered import Clustered
from skcontrast.samplers._groups import GroupMixture, OnePerGroup, WholeGroups

SAMPLERS = {
    "class_balanced": ClassBalanced,
    "clustered": Clustered,
    "group_mixture": GroupMixture,
    "target_spread": TargetSpread,
    "uniform": Uniform,
}

__all__ = [
    "SAMPLERS",
    "ClassBalanced",
    "Clustered",
    "GroupMixture",
    "OnePerGroup",
    "TargetSpread",
    "Uniform",
    "WholeGroups",
    "in_order",
    "split_batches",
    "target_ranks",
]
