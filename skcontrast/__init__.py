"""Contrastive and kernel representation learning as scikit-learn estimators."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from skcontrast._version import __version__

# name -> module. Loaded on first use (PEP 562), so that `import skcontrast` does not
# import torch.
_PUBLIC = {
    "AlignmentUniformityDisplay": "skcontrast.plotting",
    "Batches": "skcontrast._inputs.batches",
    "CanonicalCorrelation": "skcontrast.multiview",
    "ContrastiveAnomalyDetector": "skcontrast.anomaly",
    "ContrastiveEncoder": "skcontrast.representation",
    "ContrastivePCA": "skcontrast.contrast",
    "ContrastiveTextEncoder": "skcontrast.text",
    "CorrelationAlignment": "skcontrast.contrast",
    "EmbeddingMapDisplay": "skcontrast.plotting",
    "KernelConditionalContrastive": "skcontrast.representation",
    "KernelReplayClassifier": "skcontrast.adaptation",
    "LabelCredibility": "skcontrast.inspection",
    "LeakageDisplay": "skcontrast.plotting",
    "LossCurveDisplay": "skcontrast.plotting",
    "MultiViewContrastiveEncoder": "skcontrast.multiview",
    "NearestRowsDisplay": "skcontrast.plotting",
    "PhraseTransformer": "skcontrast.text",
    "ProKeRClassifier": "skcontrast.adaptation",
    "ProKeRRegressor": "skcontrast.adaptation",
    "RandomConvolutions": "skcontrast.representation",
    "RetrievalCurveDisplay": "skcontrast.plotting",
    "SemanticSignalSeparation": "skcontrast.topics",
    "Sent2VecVectorizer": "skcontrast.text",
    "SeriesContrastiveEncoder": "skcontrast.representation",
    "SimilarityHistogramDisplay": "skcontrast.plotting",
    "SparseCoder": "skcontrast.representation",
    "SpectrumDisplay": "skcontrast.plotting",
    "SupervisedContrastiveClassifier": "skcontrast.supervised",
    "SupervisedContrastiveRegressor": "skcontrast.supervised",
    "TopicDisplay": "skcontrast.plotting",
    "Word2VecVectorizer": "skcontrast.text",
    "ZeroShotClassifier": "skcontrast.adaptation",
    "load": "skcontrast.persistence",
    "save": "skcontrast.persistence",
}

__all__ = [
    "AlignmentUniformityDisplay",
    "Batches",
    "CanonicalCorrelation",
    "ContrastiveAnomalyDetector",
    "ContrastiveEncoder",
    "ContrastivePCA",
    "ContrastiveTextEncoder",
    "CorrelationAlignment",
    "EmbeddingMapDisplay",
    "KernelConditionalContrastive",
    "KernelReplayClassifier",
    "LabelCredibility",
    "LeakageDisplay",
    "LossCurveDisplay",
    "MultiViewContrastiveEncoder",
    "NearestRowsDisplay",
    "PhraseTransformer",
    "ProKeRClassifier",
    "ProKeRRegressor",
    "RandomConvolutions",
    "RetrievalCurveDisplay",
    "SemanticSignalSeparation",
    "Sent2VecVectorizer",
    "SeriesContrastiveEncoder",
    "SimilarityHistogramDisplay",
    "SparseCoder",
    "SpectrumDisplay",
    "SupervisedContrastiveClassifier",
    "SupervisedContrastiveRegressor",
    "TopicDisplay",
    "Word2VecVectorizer",
    "ZeroShotClassifier",
    "__version__",
    "load",
    "save",
]


if TYPE_CHECKING:  # what editors and type checkers read in place of _PUBLIC
    from skcontrast._inputs.batches import Batches
    from skcontrast.adaptation import (
        KernelReplayClassifier,
        ProKeRClassifier,
        ProKeRRegressor,
        ZeroShotClassifier,
    )
    from skcontrast.anomaly import ContrastiveAnomalyDetector
    from skcontrast.contrast import ContrastivePCA, CorrelationAlignment
    from skcontrast.inspection import LabelCredibility
    from skcontrast.multiview import CanonicalCorrelation, MultiViewContrastiveEncoder
    from skcontrast.persistence import load, save
    from skcontrast.plotting import (
        AlignmentUniformityDisplay,
        EmbeddingMapDisplay,
        LeakageDisplay,
        LossCurveDisplay,
        NearestRowsDisplay,
        RetrievalCurveDisplay,
        SimilarityHistogramDisplay,
        SpectrumDisplay,
        TopicDisplay,
    )
    from skcontrast.representation import (
        ContrastiveEncoder,
        KernelConditionalContrastive,
        RandomConvolutions,
        SeriesContrastiveEncoder,
        SparseCoder,
    )
    from skcontrast.supervised import (
        SupervisedContrastiveClassifier,
        SupervisedContrastiveRegressor,
    )
    from skcontrast.text import (
        ContrastiveTextEncoder,
        PhraseTransformer,
        Sent2VecVectorizer,
        Word2VecVectorizer,
    )
    from skcontrast.topics import SemanticSignalSeparation
else:  # a checker would take a module with __getattr__ to have any name

    def __getattr__(name):
        if name in _PUBLIC:
            return getattr(_import_module(_PUBLIC[name]), name)
        raise AttributeError(f"module 'skcontrast' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
