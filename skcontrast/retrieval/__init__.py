"""Search: find the rows or documents that belong to a query."""

from skcontrast.retrieval._bm25 import BM25Transformer

__all__ = ["BM25Transformer"]
