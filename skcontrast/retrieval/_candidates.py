"""What searches share that look at some candidates of all documents."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from skcontrast._component import check_count
from skcontrast._typing import RowsLike
from skcontrast.metrics import rank_metrics


class AmongCandidates:
    """Methods of a search with ``n_neighbors``, ``n_candidates`` and ``n_documents_``."""

    n_neighbors: int
    n_candidates: int
    n_documents_: int
    kneighbors: Any

    def _asked(self, n_neighbors):
        """How many documents to give, and among how many, or raise where that cannot be."""
        k = self.n_neighbors if n_neighbors is None else check_count(n_neighbors, "n_neighbors")
        most = min(self.n_candidates, self.n_documents_)
        if k > most:
            raise ValueError(
                f"n_neighbors={k}, with {self.n_documents_} documents and "
                f"n_candidates={self.n_candidates}: type n_neighbors={most} or less, or more "
                "candidates."
            )
        return k, most

    def score(self, X: RowsLike, y: Any) -> float:
        """Mean reciprocal rank of the first relevant document, 0 where no candidate is relevant.

        Parameters
        ----------
        X : rows or list of str, as ``kneighbors`` takes them
            Queries.

        y : array-like of int, list of lists, or matrix
            For each query the number of its document, a list of numbers, or grades, as in
            :func:`skcontrast.metrics.rank_metrics`.

        Returns
        -------
        mrr : float
        """
        check_is_fitted(self)
        k = min(self.n_candidates, self.n_documents_)
        ids = self.kneighbors(X, k, return_distance=False)
        return rank_metrics(ids, y, k, kind="ids")[f"mrr@{k}"]
