"""TwoStageRetriever: a cheap search for candidates, and a better order of these."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    StrOptions,
    check_parameters,
)
from skcontrast._site import OnSite
from skcontrast._typing import Estimator, RowsLike, Self
from skcontrast.metrics._ranking import grades_of
from skcontrast.retrieval._candidates import AmongCandidates
from skcontrast.retrieval._exact import best_columns, query_blocks, unit
from skcontrast.retrieval._parts import Part, n_rows, rows_of, take


class TwoStageRetriever(OnSite, AmongCandidates, BaseEstimator):
    """Find candidates by a cheap search, and put them in order by a better one.

    The first stage may hold a few bytes a row, as ``EmbeddingIndex(algorithm="codes")`` does; the
    second looks at ``n_candidates`` rows a query, whatever their number in all.

    Parameters
    ----------
    first : estimator
        Finds candidates: an :class:`EmbeddingIndex`, a Pipeline that ends in one, a transformer
        whose vectors are compared by cosines, or a :class:`HybridRetriever`.

    rerank : "exact" or estimator, default="exact"
        What orders them. "exact" are the cosines of the rows that the index of the first stage
        reads; rows of a memory map stay on disk. A retriever, as ``first``, or a
        :class:`LateInteraction`, scores by itself. A classifier of pairs reads
        ``[q, d, abs(q - d), q * d]``, of the rows q and d, and the probability of class 1 is the
        score; ``fit`` trains it on given pairs, in a ``sklearn.frozen.FrozenEstimator`` it stays
        as it is.

    n_candidates : int, default=100
        Number of candidates.

    n_neighbors : int, default=10
        How many documents :meth:`kneighbors` finds.

    n_negatives : int, default=5
        Of a classifier: how many of the first candidates that are not relevant stand beside the
        relevant documents of each query in training.

    Attributes
    ----------
    first_, rerank_ : estimators
        The fitted stages; ``rerank_`` is "exact" where that was asked for.

    n_documents_ : int
        Number of documents.

    n_features_in_ : int
        Number of their columns, where they are a table.

    Notes
    -----
    The first stage is fitted on documents alone, so that its candidates for the queries of ``fit``
    are as good as for others, and a classifier learns from what it will see. This does not hold
    for an encoder that was trained on the same pairs: give ``fit`` others.

    References
    ----------
    Xiao et al., "Progressively optimized bi-granular document representation for scalable
    embedding based retrieval", WWW 2022. Jin et al., "MedCPT: contrastive pre-trained transformers
    with large-scale PubMed search logs for zero-shot biomedical information retrieval",
    Bioinformatics 39, 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.retrieval import EmbeddingIndex, TwoStageRetriever
    >>> Z = np.random.default_rng(0).normal(size=(500, 64))
    >>> small = EmbeddingIndex(algorithm="signs", n_bytes=8, random_state=0)
    >>> search = TwoStageRetriever(small, n_candidates=50).fit(Z)
    >>> search.kneighbors(Z[:3] + 0.1, n_neighbors=1)[1].ravel()
    array([0, 1, 2])
    """

    _parameter_constraints = {
        "first": [HasMethods(["fit"])],
        "rerank": [StrOptions({"exact"}), HasMethods(["fit"])],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        first: Estimator,
        rerank: Literal["exact"] | Estimator = "exact",
        *,
        n_candidates: int = 100,
        n_neighbors: int = 10,
        n_negatives: int = 5,
    ):
        self.first = first
        self.rerank = rerank
        self.n_candidates = n_candidates
        self.n_neighbors = n_neighbors
        self.n_negatives = n_negatives

    def fit(
        self: Self,
        X: RowsLike,
        y: Any = None,
        *,
        queries: RowsLike | None = None,
        relevant: Any = None,
    ) -> Self:
        """Fit both stages on documents, and a classifier of pairs on queries too.

        Parameters
        ----------
        X : array-like of shape (n_documents, n_features), or what ``first`` reads
            Documents.

        y : None
            Ignored.

        queries : of the kind of X, default=None
            Queries whose relevant documents are known, for a classifier.

        relevant : array-like of int, list of lists, or matrix, default=None
            For each of ``queries`` the number of its document in X, or a list of numbers, or
            grades as in :func:`skcontrast.metrics.rank_metrics`.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        documents = rows_of(X, "X")
        first = Part.of(self.first, "first").fit(documents)
        self._first, self.n_documents_ = first, first.n_documents
        self._rows = self._second = self._classifier = None
        if isinstance(self.rerank, str):
            self._rows = self._vectors(first, documents)
        elif is_classifier(self.rerank):
            self._classifier, self._rows = clone(self.rerank), self._vectors(first, documents)
            if not isinstance(self.rerank, FrozenEstimator):
                self._fit_classifier(queries, relevant)
            classes = self.rerank_.classes_.tolist()
            if 1 not in classes:
                raise ValueError(
                    f"rerank is a classifier of the classes {classes}, and the "
                    "probability of class 1 is the score: fit it on labels 1, of pairs that belong "
                    "together, and 0."
                )
        else:
            self._second = Part.of(self.rerank, "rerank").fit(documents)
        return self

    @property
    def first_(self) -> Any:
        """The fitted first stage."""
        return self._first.retriever

    @property
    def rerank_(self) -> Any:
        """The fitted second stage."""
        if self._second is not None:
            return self._second.retriever
        return "exact" if self._classifier is None else self._classifier

    @property
    def n_features_in_(self) -> int:
        """Number of columns of the documents, where the first stage counts them."""
        return self.first_.n_features_in_

    def _vectors(self, first, rows):
        """The rows that the index of the first stage reads."""
        Z = first.encode(rows)
        if sp.issparse(Z) or np.ndim(Z) != 2:
            raise TypeError(
                f"rerank={self.rerank!r} compares dense rows, and first gives a "
                f"{type(Z).__name__}: pass documents as an array, a first stage with an encoder "
                "before its index, or a retriever as rerank."
            )
        return Z if isinstance(Z, np.ndarray) else np.asarray(Z)

    def _fit_classifier(self, queries, relevant):
        if queries is None or relevant is None:
            raise ValueError(
                "rerank is a classifier, and there are no pairs to train it on: pass "
                "fit(X, queries=..., relevant=...), or a fitted one in a FrozenEstimator."
            )
        queries = rows_of(queries, "queries")
        n = n_rows(queries)
        grades = grades_of(relevant, n, self.n_documents_, "relevant")
        q = self._vectors(self._first, queries)
        found = self._first.best(
            self._first.encode(queries), min(self.n_candidates, self.n_documents_)
        )
        is_relevant = np.asarray(grades[np.arange(n)[:, None], found].toarray()) > 0
        place = np.cumsum(~is_relevant, axis=1)
        row, column = np.nonzero(~is_relevant & (place <= self.n_negatives))
        if not len(row):
            raise ValueError(
                f"all {found.shape[1]} candidates of all queries are relevant: type a higher "
                "n_candidates, so that there are pairs that do not belong together."
            )
        right, wrong = grades.nonzero(), (row, found[row, column])
        asked = np.concatenate([right[0], wrong[0]])
        given = np.concatenate([right[1], wrong[1]])
        label = np.repeat([1, 0], [len(right[0]), len(row)])
        self._classifier.fit(pair_features(q[asked], self._rows[given]), label)

    def _scores(self, queries, ids):
        """Scores of candidates, (n_queries, n_candidates)."""
        if self._second is not None:
            return self._second.at(self._second.encode(queries), ids)
        q = self._vectors(self._first, queries)
        if self._classifier is None:
            rows = unit(np.asarray(self._rows[ids.ravel()])).reshape(*ids.shape, -1)
            return np.einsum("qd,qcd->qc", unit(q), rows)
        pairs = pair_features(np.repeat(q, ids.shape[1], axis=0), self._rows[ids.ravel()])
        column = int(np.flatnonzero(self._classifier.classes_ == 1)[0])
        return self._classifier.predict_proba(pairs)[:, column].reshape(ids.shape)

    def kneighbors(
        self, X: RowsLike, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find candidates, and the best of these.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), or what ``first`` reads
            Queries.

        n_neighbors : int or None, default=None
            How many, at most as many as there are candidates; None is that of the constructor.

        return_distance : bool, default=True
            Whether distances are given too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            1 less the cosine with ``rerank="exact"``, and else the scores with the sign changed;
            they rise. Only with ``return_distance=True``.

        ids : int64 ndarray of shape (n_queries, n_neighbors)
            Numbers of documents, the best first.
        """
        check_is_fitted(self)
        k, n_candidates = self._asked(n_neighbors)
        queries = rows_of(X, "X")
        width = 1 if self._rows is None else self._rows.shape[1]
        scores, found = [], []
        for part in query_blocks(n_rows(queries), max(self.n_documents_, n_candidates * width)):
            block = take(queries, part)
            # In the order of their numbers, so that of equal scores the first come first.
            ids = np.sort(self._first.best(self._first.encode(block), n_candidates), axis=1)
            best, places = best_columns(self._scores(block, ids), k)
            scores.append(best)
            found.append(np.take_along_axis(ids, places, axis=1))
        ids, best = np.concatenate(found), np.concatenate(scores)
        if not return_distance:
            return ids
        return np.clip(1 - best, 0, 2) if self.rerank_ == "exact" else -best, ids


def pair_features(q, d):
    """What a classifier reads of pairs of rows: (n_pairs, 4 n_features)."""
    return np.concatenate([q, d, np.abs(q - d), q * d], axis=1)
