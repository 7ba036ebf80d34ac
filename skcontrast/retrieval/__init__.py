"""Search: find the rows or documents that belong to a query."""

from skcontrast.retrieval._augment import RetrievalAugmenter
from skcontrast.retrieval._bm25 import BM25Transformer
from skcontrast.retrieval._codes import ProductCodes as ProductCodes
from skcontrast.retrieval._codes import SignCodes as SignCodes
from skcontrast.retrieval._engines import Brute as Brute
from skcontrast.retrieval._engines import Faiss as Faiss
from skcontrast.retrieval._engines import NNDescent as NNDescent
from skcontrast.retrieval._hybrid import HybridRetriever
from skcontrast.retrieval._index import EmbeddingIndex
from skcontrast.retrieval._late import LateInteraction, difference_scores
from skcontrast.retrieval._pairs import hard_negatives, margin_scores, mine_pairs
from skcontrast.retrieval._parts import Part as Part
from skcontrast.retrieval._sets import rank_by_sets
from skcontrast.retrieval._two_stage import TwoStageRetriever

# Saved folders name engines and parts by this module too; users need none of them.
__all__ = [
    "BM25Transformer",
    "EmbeddingIndex",
    "HybridRetriever",
    "LateInteraction",
    "RetrievalAugmenter",
    "TwoStageRetriever",
    "difference_scores",
    "hard_negatives",
    "margin_scores",
    "mine_pairs",
    "rank_by_sets",
]
