"""Objectives: what a representation is trained for."""

from skcontrast.objectives._adaptive_margin import AdaptiveMargin
from skcontrast.objectives._balanced import Balanced
from skcontrast.objectives._base import Objective, Sum, Weighted
from skcontrast.objectives._bridge import BrownianBridge
from skcontrast.objectives._cacr import CACR
from skcontrast.objectives._cluster_discrimination import ClusterDiscrimination
from skcontrast.objectives._cluster_ns import ClusterNS
from skcontrast.objectives._columns import Nested, OnColumns
from skcontrast.objectives._common_salient import CommonSalient
from skcontrast.objectives._conditional import ConditionalInfoNCE
from skcontrast.objectives._conr import ConR
from skcontrast.objectives._cross_entropy import CrossEntropy
from skcontrast.objectives._cross_mixup import CrossMixup
from skcontrast.objectives._cross_view import CrossViewDistribution
from skcontrast.objectives._dclr import DCLR
from skcontrast.objectives._decoupled import DecoupledContrastive
from skcontrast.objectives._distribution import DistributionContrast
from skcontrast.objectives._energy import EnergyHinge
from skcontrast.objectives._future import FuturePrediction
from skcontrast.objectives._gates import OnGates
from skcontrast.objectives._gaussian import GaussianNCE
from skcontrast.objectives._hard_negative import DebiasedContrastive, HardNegative
from skcontrast.objectives._hierarchical import HierarchicalContrast
from skcontrast.objectives._independence import KernelIndependence
from skcontrast.objectives._info_nce import InfoNCE
from skcontrast.objectives._instance import InstanceDiscrimination
from skcontrast.objectives._kernel_info_nce import KernelInfoNCE
from skcontrast.objectives._late_interaction import LateInteractionNCE
from skcontrast.objectives._lists import ListMLE, ListwiseWasserstein
from skcontrast.objectives._logit_adjusted import LogitAdjusted
from skcontrast.objectives._lorentz import Lorentz
from skcontrast.objectives._masked_features import MaskedFeatures
from skcontrast.objectives._mc_info_nce import MCInfoNCE
from skcontrast.objectives._mined import MinedNegatives
from skcontrast.objectives._multi_label import MultiLabelCrossEntropy
from skcontrast.objectives._one_to_k import OneToK
from skcontrast.objectives._pair_gated import PairGated
from skcontrast.objectives._pair_score import PairScore
from skcontrast.objectives._pairwise import Pairwise
from skcontrast.objectives._pairwise_ranking import PairwiseRanking
from skcontrast.objectives._patch_origin import PatchOrigin
from skcontrast.objectives._poly_view import PolyView
from skcontrast.objectives._positive_aware import PositiveAware
from skcontrast.objectives._prediction import PredictionError
from skcontrast.objectives._previous import PreviousFeatures
from skcontrast.objectives._propensity import PropensityNCE
from skcontrast.objectives._rank_n_contrast import RankNContrast
from skcontrast.objectives._rank_penalty import RankPenalty
from skcontrast.objectives._reconstruction import Reconstruction
from skcontrast.objectives._redundancy import BarlowTwins, VICReg
from skcontrast.objectives._replaced import ReplacedFeatures
from skcontrast.objectives._self_distillation import SelfDistillation
from skcontrast.objectives._sigmoid import SigmoidPairs
from skcontrast.objectives._soft_target import SoftTarget
from skcontrast.objectives._sparse import SparseReconstruction
from skcontrast.objectives._spectral import SpectralContrastive
from skcontrast.objectives._structure import StructureConsistency
from skcontrast.objectives._subclass_balanced import SubclassBalanced
from skcontrast.objectives._supcon import SupCon
from skcontrast.objectives._supremix import SupReMix
from skcontrast.objectives._swapped import SwappedPrototypes
from skcontrast.objectives._symile import Symile
from skcontrast.objectives._teacher import TeacherMatch, TeacherSimilarity
from skcontrast.objectives._uniformity import AlignmentUniformity, DecoupledUniformity
from skcontrast.objectives._whitened import Whitened
from skcontrast.objectives._y_aware import YAware

OBJECTIVES = {
    "adaptive_margin": AdaptiveMargin,
    "alignment_uniformity": AlignmentUniformity,
    "barlow_twins": BarlowTwins,
    "binary_cross_entropy": MultiLabelCrossEntropy,
    "brownian_bridge": BrownianBridge,
    "cacr": CACR,
    "cluster_discrimination": ClusterDiscrimination,
    "cluster_ns": ClusterNS,
    "common_salient": CommonSalient,
    "conditional": ConditionalInfoNCE,
    "conr": ConR,
    "cross_entropy": CrossEntropy,
    "cross_mixup": CrossMixup,
    "cross_view_distribution": CrossViewDistribution,
    "dclr": DCLR,
    "debiased": DebiasedContrastive,
    "decoupled": DecoupledContrastive,
    "decoupled_uniformity": DecoupledUniformity,
    "distribution": DistributionContrast,
    "energy_hinge": EnergyHinge,
    "future_prediction": FuturePrediction,
    "gaussian": GaussianNCE,
    "hard_negative": HardNegative,
    "hierarchical": HierarchicalContrast,
    "independence": KernelIndependence,
    "info_nce": InfoNCE,
    "instance_discrimination": InstanceDiscrimination,
    "kernel_info_nce": KernelInfoNCE,
    "late_interaction": LateInteractionNCE,
    "list_mle": ListMLE,
    "listwise_wasserstein": ListwiseWasserstein,
    "logit_adjusted": LogitAdjusted,
    "lorentz": Lorentz,
    "mc_info_nce": MCInfoNCE,
    "mined": MinedNegatives,
    "pair_gated": PairGated,
    "pair_score": PairScore,
    "one_to_k": OneToK,
    "pairwise": Pairwise,
    "pairwise_ranking": PairwiseRanking,
    "patch_origin": PatchOrigin,
    "poly_view": PolyView,
    "positive_aware": PositiveAware,
    "prediction_error": PredictionError,
    "previous_features": PreviousFeatures,
    "propensity": PropensityNCE,
    "rank_n_contrast": RankNContrast,
    "rank_penalty": RankPenalty,
    "reconstruction": Reconstruction,
    "replaced_features": ReplacedFeatures,
    "self_distillation": SelfDistillation,
    "sigmoid": SigmoidPairs,
    "soft_target": SoftTarget,
    "spectral": SpectralContrastive,
    "structure_consistency": StructureConsistency,
    "subclass_balanced": SubclassBalanced,
    "supcon": SupCon,
    "supremix": SupReMix,
    "swapped_prototypes": SwappedPrototypes,
    "teacher_match": TeacherMatch,
    "teacher_similarity": TeacherSimilarity,
    "symile": Symile,
    "vicreg": VICReg,
    "y_aware": YAware,
}

__all__ = [
    "CACR",
    "DCLR",
    "OBJECTIVES",
    "AdaptiveMargin",
    "AlignmentUniformity",
    "Balanced",
    "BarlowTwins",
    "BrownianBridge",
    "ClusterDiscrimination",
    "ClusterNS",
    "CommonSalient",
    "ConR",
    "ConditionalInfoNCE",
    "CrossEntropy",
    "CrossMixup",
    "CrossViewDistribution",
    "DebiasedContrastive",
    "DecoupledContrastive",
    "DecoupledUniformity",
    "DistributionContrast",
    "EnergyHinge",
    "FuturePrediction",
    "GaussianNCE",
    "HardNegative",
    "HierarchicalContrast",
    "InfoNCE",
    "InstanceDiscrimination",
    "KernelIndependence",
    "KernelInfoNCE",
    "LateInteractionNCE",
    "ListMLE",
    "ListwiseWasserstein",
    "LogitAdjusted",
    "Lorentz",
    "MCInfoNCE",
    "MaskedFeatures",
    "MinedNegatives",
    "MultiLabelCrossEntropy",
    "Nested",
    "Objective",
    "OnColumns",
    "OnGates",
    "OneToK",
    "PairGated",
    "PairScore",
    "Pairwise",
    "PairwiseRanking",
    "PatchOrigin",
    "PolyView",
    "PositiveAware",
    "PredictionError",
    "PreviousFeatures",
    "PropensityNCE",
    "RankNContrast",
    "RankPenalty",
    "Reconstruction",
    "ReplacedFeatures",
    "SelfDistillation",
    "SigmoidPairs",
    "SoftTarget",
    "SparseReconstruction",
    "SpectralContrastive",
    "StructureConsistency",
    "SubclassBalanced",
    "Sum",
    "SupCon",
    "SupReMix",
    "SwappedPrototypes",
    "Symile",
    "TeacherMatch",
    "TeacherSimilarity",
    "VICReg",
    "Weighted",
    "Whitened",
    "YAware",
]
