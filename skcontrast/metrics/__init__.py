"""What an embedding is like, in numbers: measures without labels, and scorers for a search."""

from skcontrast.metrics._association import association
from skcontrast.metrics._classes import class_spread, mean_classifier_accuracy
from skcontrast.metrics._kernel_alignment import cka, linear_cka
from skcontrast.metrics._neighbors import hubness, k_occurrence, neighbor_overlap
from skcontrast.metrics._order import boundary_scores, rsa, similarity_profile
from skcontrast.metrics._partners import partner_ranks, perturbation_sensitivity, retrieval
from skcontrast.metrics._ranking import rank_metrics
from skcontrast.metrics._runs import information_bits, linear_consistency
from skcontrast.metrics._scorers import (
    EmbeddingScorer,
    alignment_uniformity_scorer,
    effective_rank_scorer,
    get_scorer,
    get_scorer_names,
    resample_columns,
    view_retrieval_scorer,
)
from skcontrast.metrics._selection import diverse_selection
from skcontrast.metrics._spectrum import (
    column_spread,
    covariance_spectrum,
    effective_rank,
    isotropy,
)
from skcontrast.metrics._sphere import alignment, cosine_gap, modality_gap, tolerance, uniformity
from skcontrast.metrics._topics import topic_coherence, topic_diversity

__all__ = [
    "EmbeddingScorer",
    "alignment",
    "alignment_uniformity_scorer",
    "association",
    "boundary_scores",
    "cka",
    "class_spread",
    "column_spread",
    "cosine_gap",
    "covariance_spectrum",
    "diverse_selection",
    "effective_rank",
    "effective_rank_scorer",
    "get_scorer",
    "get_scorer_names",
    "hubness",
    "information_bits",
    "isotropy",
    "k_occurrence",
    "linear_cka",
    "linear_consistency",
    "mean_classifier_accuracy",
    "modality_gap",
    "neighbor_overlap",
    "partner_ranks",
    "perturbation_sensitivity",
    "rank_metrics",
    "resample_columns",
    "retrieval",
    "rsa",
    "similarity_profile",
    "tolerance",
    "topic_coherence",
    "topic_diversity",
    "uniformity",
    "view_retrieval_scorer",
]
