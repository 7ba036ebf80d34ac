"""Objectives: what a representation is trained for."""

from skcontrast.objectives._base import Objective, Sum, Weighted
from skcontrast.objectives._cacr import CACR
from skcontrast.objectives._conditional import ConditionalInfoNCE
from skcontrast.objectives._decoupled import DecoupledContrastive
from skcontrast.objectives._energy import EnergyHinge
from skcontrast.objectives._hard_negative import DebiasedContrastive, HardNegative
from skcontrast.objectives._independence import KernelIndependence
from skcontrast.objectives._info_nce import InfoNCE
from skcontrast.objectives._kernel_info_nce import KernelInfoNCE
from skcontrast.objectives._poly_view import PolyView
from skcontrast.objectives._redundancy import BarlowTwins, VICReg
from skcontrast.objectives._spectral import SpectralContrastive
from skcontrast.objectives._supcon import SupCon
from skcontrast.objectives._uniformity import AlignmentUniformity, DecoupledUniformity

OBJECTIVES = {
    "alignment_uniformity": AlignmentUniformity,
    "barlow_twins": BarlowTwins,
    "cacr": CACR,
    "conditional": ConditionalInfoNCE,
    "debiased": DebiasedContrastive,
    "decoupled": DecoupledContrastive,
    "decoupled_uniformity": DecoupledUniformity,
    "energy_hinge": EnergyHinge,
    "hard_negative": HardNegative,
    "independence": KernelIndependence,
    "info_nce": InfoNCE,
    "kernel_info_nce": KernelInfoNCE,
    "poly_view": PolyView,
    "spectral": SpectralContrastive,
    "supcon": SupCon,
    "vicreg": VICReg,
}

__all__ = [
    "CACR",
    "OBJECTIVES",
    "AlignmentUniformity",
    "BarlowTwins",
    "ConditionalInfoNCE",
    "DebiasedContrastive",
    "DecoupledContrastive",
    "DecoupledUniformity",
    "EnergyHinge",
    "HardNegative",
    "InfoNCE",
    "KernelIndependence",
    "KernelInfoNCE",
    "Objective",
    "PolyView",
    "SpectralContrastive",
    "Sum",
    "SupCon",
    "VICReg",
    "Weighted",
]
