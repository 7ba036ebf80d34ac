"""HybridRetriever: several ways to find documents, added up with weights that find most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import Integral, Interval, StrOptions, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike, Self
from skcontrast.metrics._ranking import grades_of
from skcontrast.retrieval._candidates import AmongCandidates
from skcontrast.retrieval._exact import best_columns, query_blocks
from skcontrast.retrieval._fusion import COMBINE, choose_weights, comparable, union, weighted
from skcontrast.retrieval._halves import halves
from skcontrast.retrieval._parts import Part, n_rows, rows_of, take


class HybridRetriever(OnSite, AmongCandidates, _BaseComposition, BaseEstimator):
    r"""Search documents in several ways at once, such as by words and by an embedding.

    Each retriever names its best candidates. Of all candidates of a query the scores
    :math:`s_r`, where more is better, of the retrievers r are combined with weights :math:`w_r`:

    ========= ==============================================================================
    "zscore"  :math:`\sum_r w_r (s_r - \overline{s_r}) / \mathrm{sd}(s_r)`, over the candidates
    "rrf"     :math:`\sum_r w_r / (60 + \mathrm{rank}_r)`, reciprocal rank fusion
    "sum"     :math:`\sum_r w_r s_r`
    "product" :math:`\prod_r \max(s_r, 0)^{w_r}`, 0 without a word in common where one is BM25
    ========= ==============================================================================

    Parameters
    ----------
    retrievers : list of (str, estimator)
        Names and retrievers, which are cloned and fitted on the documents: transformers, or
        Pipelines that end in one, whose vectors are compared by cosines
        (:class:`BM25Transformer` as it wants), or objects with ``score_matrix`` or ``kneighbors``
        such as :class:`LateInteraction` and :class:`EmbeddingIndex`. One in a
        ``sklearn.frozen.FrozenEstimator`` is not fitted again.

    combine : {"zscore", "rrf", "sum", "product"}, default="zscore"
        How scores become one.

    weights : "auto", array-like of shape (n_retrievers,) or None, default="auto"
        Weights from 0 on; a retriever of weight 0 is not asked. None gives all the same. "auto"
        begins with the retriever of the highest mean reciprocal rank, and mixes another in where
        this gains more than two standard errors: on the pairs given to ``fit``, else on halves of
        the documents, where the second half of a text looks for the first.

    n_candidates : int, default=100
        Number of candidates of each retriever.

    n_neighbors : int, default=10
        How many documents :meth:`kneighbors` finds.

    random_state : int, RandomState instance or None, default=None
        Seed of which documents are halved.

    Attributes
    ----------
    retrievers_ : list of (str, estimator)
        The fitted ones.

    weights_ : ndarray of shape (n_retrievers,)
        Their weights, which sum to one.

    chosen_on_ : {"pairs", "halves"} or None
        What "auto" chose weights on.

    mrr_ : dict of str to float
        There, the mean reciprocal rank of each retriever alone and, as "hybrid", of all;
        empty with given weights.

    n_documents_ : int
        Number of documents.

    See Also
    --------
    skcontrast.metrics.rank_metrics : Other measures of what was found.

    Notes
    -----
    Weights chosen on halves are right for questions that are like documents. Retrievers are fitted
    a second time for it, on the first halves of at most 5,000 documents. One in a FrozenEstimator
    is not: if it was trained on these documents it has seen both halves, and one that was trained
    on pairs has seen these. Give other pairs to ``fit`` where there are some.

    In a search over parameters, documents and queries are two parts of X. With y the number of the
    document that a query looks for::

        n = len(documents)
        split = [(np.arange(n), np.arange(n, n + len(queries)))]
        GridSearchCV(hybrid, {"combine": ["zscore", "rrf"]}, cv=split, refit=False).fit(
            documents + queries, [0] * n + relevant)

    References
    ----------
    Cormack, Clarke and Büttcher, "Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods", SIGIR 2009. Xu et al., "LaPraDoR: unsupervised pretrained dense retriever
    for zero-shot text retrieval", Findings of ACL 2022. Zhang et al., "Mr. TyDi: a multi-lingual
    benchmark for dense retrieval", MRL 2021.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skcontrast.retrieval import BM25Transformer, HybridRetriever
    >>> texts = ["a red car on the road", "two boats at sea", "cars and roads of the north"]
    >>> letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4))
    >>> words = make_pipeline(CountVectorizer(), BM25Transformer())
    >>> hybrid = HybridRetriever([("words", words), ("letters", letters)], weights=None)
    >>> distances, ids = hybrid.fit(texts).kneighbors(["northern road", "boat"], n_neighbors=1)
    >>> [texts[i] for i in ids[:, 0]]
    ['a red car on the road', 'two boats at sea']
    """

    _parameter_constraints = {
        "retrievers": [list, tuple],
        "combine": [StrOptions(set(COMBINE))],
        "weights": [StrOptions({"auto"}), "array-like", None],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        retrievers: Sequence[tuple[str, Estimator]],
        *,
        combine: Literal["zscore", "rrf", "sum", "product"] = "zscore",
        weights: Literal["auto"] | ArrayLike | None = "auto",
        n_candidates: int = 100,
        n_neighbors: int = 10,
        random_state: RandomState = None,
    ):
        self.retrievers = retrievers
        self.combine = combine
        self.weights = weights
        self.n_candidates = n_candidates
        self.n_neighbors = n_neighbors
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters of this estimator and, by the names of the list, of the retrievers.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of the retrievers are given too.

        Returns
        -------
        params : dict
        """
        return self._get_params("retrievers", deep=deep)

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters, those of a retriever as ``name__parameter``.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : object
        """
        self._set_params("retrievers", **params)
        return self

    def fit(
        self: Self,
        X: RowsLike,
        y: Any = None,
        *,
        queries: RowsLike | None = None,
        relevant: Any = None,
    ) -> Self:
        """Fit the retrievers on documents, and choose their weights.

        Parameters
        ----------
        X : list of str, or what the retrievers read
            Documents.

        y : None
            Ignored.

        queries : of the kind of X, default=None
            Queries whose relevant documents are known, to choose weights on.

        relevant : array-like of int, list of lists, or matrix, default=None
            For each of ``queries`` the number of its document in X, or a list of numbers, or
            grades as in :func:`skcontrast.metrics.rank_metrics`.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        names, given = self._named(), self._given_weights()
        if (queries is None) != (relevant is None):
            missing = "relevant" if relevant is None else "queries"
            raise ValueError(
                f"{missing} is not there: pass queries and, as relevant, the number of the "
                "document that each looks for."
            )
        documents = rows_of(X, "X")
        parts = [Part.of(r, f"retriever {name!r}").fit(documents) for name, r in self.retrievers]
        self.n_documents_ = parts[0].n_documents
        self.chosen_on_, self.weights_ = None, given
        self.mrr_: dict[str, float] = {}
        if given is None and len(parts) == 1:
            self.weights_ = np.ones(1)
        elif given is None:
            self._choose(names, parts, documents, queries, relevant)
        self._names, self._parts = names, parts
        return self

    @property
    def retrievers_(self) -> list[tuple[str, Any]]:
        """Names and fitted retrievers."""
        return [(name, part.retriever) for name, part in zip(self._names, self._parts)]

    def _named(self):
        pairs = [
            isinstance(r, tuple)
            and len(r) == 2
            and hasattr(r[1], "fit")
            and not isinstance(r[1], type)
            for r in self.retrievers
        ]
        if not pairs or not all(pairs):
            held = ", ".join(type(r).__name__ for r in self.retrievers)
            raise ValueError(
                f"retrievers=[{held}]: type a list of pairs of a name and an estimator, such as "
                "[('bm25', make_pipeline(CountVectorizer(), BM25Transformer()))]."
            )
        names = [name for name, _ in self.retrievers]
        self._validate_names(names)
        return names

    def _given_weights(self):
        n = len(self.retrievers)
        if self.weights is None:
            return np.full(n, 1 / n)
        if isinstance(self.weights, str):
            return None
        weights = np.asarray(self.weights)
        fine = weights.shape == (n,) and weights.dtype.kind in "fiu"
        fine = fine and np.isfinite(weights).all() and (weights >= 0).all()
        if not fine or weights.sum() == 0:
            raise ValueError(
                f"weights={self.weights!r} for {n} retrievers: type one number of at least 0 for "
                "each, of which one is above 0, or 'auto'."
            )
        return weights / weights.sum()

    def _choose(self, names, parts, documents, queries, relevant):
        if queries is None:
            self.chosen_on_ = "halves"
            random_state = check_random_state(self.random_state)
            queries, firsts, relevant = halves(documents, random_state)
            # Fitted anew: what has seen whole documents knows which halves belong together.
            parts = [Part.of(part.retriever, part.name).fit(firsts) for part in parts]
        else:
            self.chosen_on_, queries = "pairs", rows_of(queries, "queries")
        n = n_rows(queries)
        grades = grades_of(relevant, n, parts[0].n_documents)
        tables, here, found = [], [], []
        for part in query_blocks(n, parts[0].n_documents):
            ids, new, block = self._candidates(parts, take(queries, part))
            tables.append(block)
            here.append(new)
            found.append(grades[part].toarray()[np.arange(len(ids))[:, None], ids] > 0)
        here = np.concatenate(here)
        relevant = np.concatenate(found) & here
        self.weights_, mrr, alone = choose_weights(np.concatenate(tables, axis=1), here, relevant)
        self.mrr_ = {**dict(zip(names, alone)), "hybrid": mrr}

    def _candidates(self, parts, queries):
        """Numbers of candidates, where they stand anew, and a table of scores for each part."""
        k = min(self.n_candidates, parts[0].n_documents)
        scores = [part.scores(part.encode(queries), k) for part in parts]
        ids, here = union([best_columns(s, k)[1] for s in scores])
        scores = [np.take_along_axis(s, ids, axis=1).astype(np.float64) for s in scores]
        return ids, here, np.stack([comparable(s, here, self.combine, k) for s in scores])

    def kneighbors(
        self, X: RowsLike, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Find the documents of the highest combined score.

        Parameters
        ----------
        X : list of str, or what the retrievers read
            Queries.

        n_neighbors : int or None, default=None
            How many, at most as many as there are candidates; None is that of the constructor.

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
        k, _ = self._asked(n_neighbors)
        queries = rows_of(X, "X")
        used = self.weights_ > 0
        parts = [part for part, is_used in zip(self._parts, used) if is_used]
        distances, found = [], []
        for part in query_blocks(n_rows(queries), self.n_documents_):
            ids, here, tables = self._candidates(parts, take(queries, part))
            best, places = best_columns(weighted(tables, here, self.weights_[used]), k)
            distances.append(-np.exp(best) if self.combine == "product" else -best)
            found.append(np.take_along_axis(ids, places, axis=1))
        ids = np.concatenate(found)
        return (np.concatenate(distances), ids) if return_distance else ids
