"""Search: find the rows or documents that belong to a query."""

from skcontrast.retrieval._bm25 import BM25Transformer
from skcontrast.retrieval._index import EmbeddingIndex

__all__ = ["BM25Transformer", "EmbeddingIndex"]
