"""Pictures of an embedding and of its training: displays in the manner of scikit-learn."""

from skcontrast.plotting._alignment_uniformity import AlignmentUniformityDisplay
from skcontrast.plotting._embedding_map import EmbeddingMapDisplay
from skcontrast.plotting._leakage import LeakageDisplay
from skcontrast.plotting._loss_curve import LossCurveDisplay
from skcontrast.plotting._nearest_rows import NearestRowsDisplay
from skcontrast.plotting._retrieval_curve import RetrievalCurveDisplay
from skcontrast.plotting._similarity import SimilarityHistogramDisplay
from skcontrast.plotting._spectrum import SpectrumDisplay
from skcontrast.plotting._topics import TopicDisplay

__all__ = [
    "AlignmentUniformityDisplay",
    "EmbeddingMapDisplay",
    "LeakageDisplay",
    "LossCurveDisplay",
    "NearestRowsDisplay",
    "RetrievalCurveDisplay",
    "SimilarityHistogramDisplay",
    "SpectrumDisplay",
    "TopicDisplay",
]
