"""LateInteraction: documents as bags of vectors, whose best pairs are added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    Integral,
    Interval,
    Real,
    StrOptions,
    check_count,
    check_parameters,
)
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, Self
from skcontrast.retrieval._exact import TILE, best_columns, unit

POOLS = "maxsim", "mean_maxsim", "lse"


def read_parts(X, name, n_columns=None):
    """All parts as one float table, and how many each row has."""
    if isinstance(X, np.ndarray) and X.ndim == 3 and X.dtype.kind == "f":
        X = [rows[~np.isnan(rows).all(axis=1)] for rows in X]
    if isinstance(X, str) or not hasattr(X, "__len__"):
        raise TypeError(
            f"{name} is a {type(X).__name__}: pass a list of arrays of shape (n_parts, n_features)."
        )
    rows = [_part_rows(r, f"{name}[{i}]") for i, r in enumerate(X)]
    if not rows:
        raise ValueError(f"{name} is empty: pass a list of arrays of shape (n_parts, n_features).")
    for i, r in enumerate(rows):
        n_columns = r.shape[1] if n_columns is None else n_columns
        if r.shape[1] != n_columns:
            raise ValueError(
                f"{name}[{i}] has {r.shape[1]} columns, and {n_columns} are needed: pass parts of "
                "one width."
            )
    flat = np.concatenate(rows)
    flat = flat if flat.dtype == np.float32 else flat.astype(np.float64)
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} holds NaN or infinity within parts: pass finite numbers.")
    return flat, np.array([len(r) for r in rows])


def _part_rows(value, name):
    """The parts of one row as a numeric table."""
    try:
        rows = np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} has parts of different widths: pass a table of numbers."
        ) from None
    if rows.ndim != 2 or rows.dtype.kind not in "fiu":
        raise ValueError(
            f"{name} has the shape {rows.shape} and the type {rows.dtype}: pass a numeric array of "
            "shape (n_parts, n_features) for each, or one array of three dimensions with NaN "
            "behind the parts."
        )
    return rows


class LateInteraction(OnSite, BaseEstimator):
    r"""Search by bags of vectors, such as one a word, patch or segment: MaxSim (ColBERT).

    With unit parts :math:`q_i` of the query, of which there are m, and :math:`d_j` of a document,

    ============= =======================================================================
    "maxsim"      :math:`\sum_i \max_j q_i \cdot d_j`
    "mean_maxsim" the same divided by m, so that queries of any length compare
    "lse"         :math:`\frac{1}{\beta} \log \frac{1}{m n} \sum_{ij} e^{\beta\, q_i \cdot d_j}`
    ============= =======================================================================

    "lse" goes from the mean of all pairs, for small :math:`\beta`, to the best pair. The parts may
    be those of documents, passages or sentences: any bags compare.

    Parameters
    ----------
    pool : {"maxsim", "mean_maxsim", "lse"}, default="maxsim"
        How pairs of parts become a score.

    beta : float, default=10.0
        Of "lse".

    weights : {"equal", "length"}, default="equal"
        What the parts of a query count in "maxsim" and "mean_maxsim": all the same, or each by
        the length of its vector, for instance word vectors times their idf.

    n_neighbors : int, default=10
        How many documents :meth:`kneighbors` finds.

    Attributes
    ----------
    n_documents_ : int
        Number of documents.

    n_features_in_ : int
        Width of the parts.

    Notes
    -----
    A document without parts has with each part of a query the cosine -1, the lowest. A query
    without parts has the score 0 everywhere.

    References
    ----------
    Khattab and Zaharia, "ColBERT: efficient and effective passage search via contextualized late
    interaction over BERT", SIGIR 2020. Reddy et al., "AGRaME: any-granularity ranking with
    multi-vector embeddings", EMNLP 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.retrieval import LateInteraction
    >>> documents = [np.eye(3)[:2], np.eye(3)[1:], np.ones((1, 3))]
    >>> search = LateInteraction("mean_maxsim").fit(documents)
    >>> search.score_matrix([np.eye(3)[:2]]).round(3)
    array([[1.   , 0.5  , 0.577]])
    """

    _parameter_constraints = {
        "pool": [StrOptions(set(POOLS))],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "weights": [StrOptions({"equal", "length"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        pool: Literal["maxsim", "mean_maxsim", "lse"] = "maxsim",
        *,
        beta: float = 10.0,
        weights: Literal["equal", "length"] = "equal",
        n_neighbors: int = 10,
    ):
        self.pool = pool
        self.beta = beta
        self.weights = weights
        self.n_neighbors = n_neighbors

    def fit(self: Self, X: Sequence[ArrayLike] | np.ndarray, y: Any = None) -> Self:
        """Keep the parts of documents.

        Parameters
        ----------
        X : list of arrays of shape (n_parts, n_features), or array of three dimensions
            Parts of each document; in an array of shape (n_documents, n_parts, n_features), rows of
            NaN are no parts.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        flat, self._lengths = read_parts(X, "X")
        if not len(flat):
            raise ValueError("X holds no parts at all: pass documents that have some.")
        self._parts, self._start = unit(flat), np.concatenate([[0], np.cumsum(self._lengths)])
        self.n_features_in_, self.n_documents_ = flat.shape[1], len(self._lengths)
        return self

    def score_matrix(self, X: Sequence[ArrayLike] | np.ndarray) -> np.ndarray:
        """Score every document for each query.

        Parameters
        ----------
        X : list of arrays of shape (n_parts, n_features), or array of three dimensions
            Parts of each query, as in :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_documents)
            Higher is better. Memory beside it is that of a tile of parts.
        """
        check_is_fitted(self)
        Q, weights, lengths = self._queries(X)
        start = np.concatenate([[0], np.cumsum(lengths)])
        scores = np.zeros((len(lengths), self.n_documents_), dtype=np.result_type(Q, self._parts))
        longest = max(1, self._lengths.max(), lengths.max())
        size = max(1, int(np.sqrt(TILE)) // longest)
        for first in range(0, len(lengths), size):
            rows = slice(first, min(first + size, len(lengths)))
            parts = slice(start[rows.start], start[rows.stop])
            for left in range(0, self.n_documents_, size):
                columns = slice(left, min(left + size, self.n_documents_))
                documents = slice(self._start[columns.start], self._start[columns.stop])
                scores[rows, columns] = self._pooled(
                    Q[parts] @ self._parts[documents].T,
                    weights[parts],
                    lengths[rows],
                    self._lengths[columns],
                )
        return scores

    def score_candidates(self, X: Sequence[ArrayLike] | np.ndarray, ids: ArrayLike) -> np.ndarray:
        """Score some documents for each query, as a reranker does.

        Parameters
        ----------
        X : list of arrays of shape (n_parts, n_features), or array of three dimensions
            Parts of each query, as in :meth:`fit`.

        ids : array-like of int of shape (n_queries, n_candidates)
            Numbers of the documents.

        Returns
        -------
        scores : ndarray of shape (n_queries, n_candidates)
        """
        check_is_fitted(self)
        Q, weights, lengths = self._queries(X)
        ids = np.asarray(ids)
        start = np.concatenate([[0], np.cumsum(lengths)])
        scores = np.zeros(ids.shape, dtype=np.result_type(Q, self._parts))
        for row, numbers in enumerate(ids):
            parts = slice(start[row], start[row + 1])
            places = [np.arange(self._start[i], self._start[i + 1]) for i in numbers]
            G = Q[parts] @ self._parts[np.concatenate(places)].T
            one = lengths[row : row + 1]
            scores[row] = self._pooled(G, weights[parts], one, self._lengths[numbers])[0]
        return scores

    def _queries(self, X):
        """Unit parts of all queries, their weights, and how many parts each query has."""
        flat, lengths = read_parts(X, "X", self.n_features_in_)
        equal = self.weights == "equal"
        weights = np.ones(len(flat)) if equal else np.linalg.norm(flat, axis=1)
        return unit(flat), weights, lengths

    def _pooled(self, G, weights, rows, columns):
        """Scores (n_queries, n_documents) of cosines of parts, of which each has so many."""
        some, full = rows > 0, columns > 0
        row_start = np.concatenate([[0], np.cumsum(rows[some])[:-1]]).astype(int)
        column_start = np.concatenate([[0], np.cumsum(columns[full])[:-1]]).astype(int)
        out = np.zeros((len(rows), len(columns)), dtype=G.dtype)
        if not some.any():
            return out
        if self.pool == "lse":
            out[some] = -1
            if full.any():
                pairs = np.ix_(some, full)
                out[pairs] = self._log_mean(G, rows[some], columns[full], row_start, column_start)
            return out
        best = np.full((len(G), len(columns)), -1.0, dtype=G.dtype)
        if full.any():
            best[:, full] = np.maximum.reduceat(G, column_start, axis=1)
        out[some] = np.add.reduceat(best * weights[:, None].astype(G.dtype), row_start, axis=0)
        if self.pool == "mean_maxsim":
            total = np.add.reduceat(weights, row_start)
            out[some] /= np.where(total > 0, total, 1)[:, None]
        return out

    def _log_mean(self, G, rows, columns, row_start, column_start):
        """Log of the mean exponential over the pairs of parts, (n_queries, n_documents)."""
        best = np.maximum.reduceat(np.maximum.reduceat(G, column_start, axis=1), row_start, axis=0)
        # The greatest goes first, as exp of many times it may overflow or vanish.
        G = np.exp(self.beta * (G - np.repeat(np.repeat(best, rows, axis=0), columns, axis=1)))
        total = np.add.reduceat(np.add.reduceat(G, column_start, axis=1), row_start, axis=0)
        return best + np.log(total / rows[:, None] / columns) / self.beta

    def kneighbors(
        self,
        X: Sequence[ArrayLike] | np.ndarray,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """Find the documents of the highest score.

        Parameters
        ----------
        X : list of arrays of shape (n_parts, n_features), or array of three dimensions
            Parts of each query, as in :meth:`fit`.

        n_neighbors : int or None, default=None
            How many; None is that of the constructor.

        return_distance : bool, default=True
            Whether distances are given too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            The scores with the sign changed, so that they rise as distances do; only with
            ``return_distance=True``.

        ids : int64 ndarray of shape (n_queries, n_neighbors)
            Numbers of documents, the best first.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else check_count(n_neighbors, "n_neighbors")
        if k > self.n_documents_:
            raise ValueError(
                f"n_neighbors={k}, but there are {self.n_documents_} documents: type "
                f"n_neighbors={self.n_documents_} or less."
            )
        scores, ids = best_columns(self.score_matrix(X), k)
        return (-scores, ids) if return_distance else ids


def difference_scores(A: ArrayLike, B: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    r"""How much each part of one text, or series, is missing in the other.

    .. math:: 1 - \max_j \frac{a_i \cdot b_j}{|a_i| |b_j|}, \qquad
        1 - \max_i \frac{a_i \cdot b_j}{|a_i| |b_j|}

    Parameters
    ----------
    A, B : array-like of shape (n_parts, n_features)
        Vectors of the parts, such as of words.

    Returns
    -------
    of_A, of_B : ndarrays of shape (n_parts,)
        From 0, of a part that the other has too, to 2.

    Raises
    ------
    ValueError
        For NaN, tables without rows, or of different width.

    References
    ----------
    Vamvas and Sennrich, "Towards unsupervised recognition of token-level semantic differences in
    related documents", EMNLP 2023.

    Examples
    --------
    >>> from skcontrast.retrieval import difference_scores
    >>> difference_scores([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.0]])
    (array([0., 1.]), array([0.]))
    """
    for value, name in ((A, "A"), (B, "B")):
        if not np.size(value):
            raise ValueError(f"{name} has no parts: pass at least one row.")
        _part_rows(value, name)
    flat, lengths = read_parts([A, B], "[A, B]")
    flat = unit(flat)
    G = flat[: lengths[0]] @ flat[lengths[0] :].T
    return np.clip(1 - G.max(axis=1), 0, 2), np.clip(1 - G.max(axis=0), 0, 2)
