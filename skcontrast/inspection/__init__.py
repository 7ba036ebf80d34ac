"""What a fitted model's answers come from, and what lies between the points of an embedding."""

from skcontrast.inspection._attribution import attribute
from skcontrast.inspection._banzhaf import banzhaf_interaction
from skcontrast.inspection._between import infer_between
from skcontrast.inspection._changed import (
    contrast_probabilities,
    contrastive_input,
    dependence_weights,
)
from skcontrast.inspection._confident import confident_joint, label_issues, label_quality
from skcontrast.inspection._credibility import label_credibility
from skcontrast.inspection._labels import LabelCredibility
from skcontrast.inspection._surrogate import TangentSurrogate

__all__ = [
    "LabelCredibility",
    "TangentSurrogate",
    "attribute",
    "banzhaf_interaction",
    "confident_joint",
    "contrast_probabilities",
    "contrastive_input",
    "dependence_weights",
    "infer_between",
    "label_credibility",
    "label_issues",
    "label_quality",
]
