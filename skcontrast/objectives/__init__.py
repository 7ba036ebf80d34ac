"""Objectives: what a representation is trained for."""

from skcontrast.objectives._base import Objective, Sum, Weighted
from skcontrast.objectives._info_nce import InfoNCE

OBJECTIVES = {
    "info_nce": InfoNCE,
}

__all__ = ["OBJECTIVES", "InfoNCE", "Objective", "Sum", "Weighted"]
