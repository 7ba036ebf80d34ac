"""EmbeddingIndex: the nearest rows of an embedding, exact, by a graph, or by a few bytes a row."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._component import (
    Integral,
    Interval,
    StrOptions,
    check_count,
    check_parameters,
    warn,
)
from skcontrast._site import OnSite
from skcontrast._typing import MatrixLike, RandomState, Self
from skcontrast.retrieval._codes import ProductCodes, SignCodes
from skcontrast.retrieval._engines import NEEDS, Brute, Faiss, NNDescent, absent, installed
from skcontrast.retrieval._exact import refuse_texts

Algorithm = Literal["auto", "brute", "faiss", "pynndescent", "codes", "signs"]
# From this number of rows on, "auto" takes a graph.
MANY = 50_000
CODES = {"codes": ProductCodes, "signs": SignCodes}


class EmbeddingIndex(OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Find the rows nearest to others: an index of an embedding.

    In a Pipeline it stands where scikit-learn's ``KNeighborsTransformer`` does, and
    :meth:`kneighbors` is that of its neighbour estimators.

    Parameters
    ----------
    n_neighbors : int, default=10
        How many rows :meth:`kneighbors` finds, and the graph of :meth:`transform` less one.

    algorithm : {"auto", "brute", "faiss", "pynndescent", "codes", "signs"}, default="auto"
        "brute" compares all rows, and is exact. "faiss" (a graph, HNSW) and "pynndescent" miss
        some neighbours and need the package of their name: ``pip install "skcontrast[knn]"``.
        "codes" (product codes) and "signs" (of random directions) keep ``n_bytes`` of a row in
        place of its numbers, for :class:`TwoStageRetriever`: their distances are rough. "auto" is
        "brute" up to 50,000 rows and for sparse ones, beyond that "faiss" or "pynndescent" where
        one is installed, and else "brute" with a warning.

    metric : {"cosine", "euclidean"}, default="cosine"
        Distance: 1 less the cosine, which of a row of zeros is 0, or the Euclidean one. "codes"
        and "signs" read cosines alone.

    n_candidates : int or "auto", default="auto"
        How many rows "faiss" and "pynndescent" keep in view on their walk over the graph. More
        find more of the true neighbours, and are slower. "auto" is 128 up to 20,000 rows, and of n
        rows beyond that :math:`128 \sqrt{n / 20000}`, such as 404 of 200,000.

    n_bytes : int, default=48
        Bytes of a row with "codes", at most one a column, and with "signs".

    n_jobs : int or None, default=None
        Number of threads of "faiss", "pynndescent" and the Euclidean "brute". None is 1 unless
        joblib's context says otherwise, and -1 all processors.

    random_state : int, RandomState instance or None, default=None
        Seed of "pynndescent", "codes" and "signs".

    Attributes
    ----------
    algorithm_ : str
        The one that is used.

    n_samples_fit_ : int
        Number of rows in the index. Their numbers, which :meth:`kneighbors` gives, are their places
        in the order in which they came.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame with names.

    See Also
    --------
    TwoStageRetriever : A rough search, and an exact order of what it finds.
    skcontrast.metrics.rank_metrics : How good a search is.

    References
    ----------
    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
    hierarchical navigable small world graphs", IEEE TPAMI 42, 2020. Dong, Moses and Li, "Efficient
    k-nearest neighbor graph construction for generic similarity measures", WWW 2011. Jégou, Douze
    and Schmid, "Product quantization for nearest neighbor search", IEEE TPAMI 33, 2011.

    Examples
    --------
    >>> from skcontrast.retrieval import EmbeddingIndex
    >>> index = EmbeddingIndex(n_neighbors=2).fit([[1.0, 0.0], [0.0, 1.0], [3.0, 0.1]])
    >>> distances, ids = index.kneighbors([[1.0, 1.0]])
    >>> ids
    array([[2, 0]])
    >>> index.partial_fit([[2.0, 2.0]]).kneighbors([[1.0, 1.0]], 1)[1]
    array([[3]])
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "algorithm": [StrOptions({"auto", "brute", *NEEDS, *CODES})],
        "metric": [StrOptions({"cosine", "euclidean"})],
        "n_candidates": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "n_bytes": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors: int = 10,
        *,
        algorithm: Algorithm = "auto",
        metric: Literal["cosine", "euclidean"] = "cosine",
        n_candidates: int | Literal["auto"] = "auto",
        n_bytes: int = 48,
        n_jobs: int | None = None,
        random_state: RandomState = None,
    ):
        self.n_neighbors = n_neighbors
        self.algorithm = algorithm
        self.metric = metric
        self.n_candidates = n_candidates
        self.n_bytes = n_bytes
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self: Self, X: MatrixLike, y: Any = None) -> Self:
        """Index rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Embedding. Sparse rows stay sparse, and are searched by "brute" alone.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = self._read(X, reset=True)
        algorithm = self._resolved(X)
        engine = self._engine(algorithm)
        engine.add(X)
        self.algorithm_, self.engine_, self.n_samples_fit_ = algorithm, engine, engine.n_rows
        return self

    def partial_fit(self: Self, X: MatrixLike, y: Any = None) -> Self:
        """Add rows, whose numbers follow those of the rows before; the first call is ``fit``.

        "pynndescent" works them in by going over its whole graph: add many at once. "codes" and
        "signs" keep the code book of ``fit``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Further rows.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        if not hasattr(self, "engine_"):
            return self.fit(X)
        check_parameters(self)
        X = self._read(X)
        held = getattr(self.engine_, "X", None)
        if held is not None and sp.issparse(held) != sp.issparse(X):
            kind = "sparse" if sp.issparse(held) else "dense"
            raise ValueError(
                f"X is of another kind than the rows of fit, which are {kind}: pass {kind} rows."
            )
        self.engine_.add(X)
        self.n_samples_fit_ = self.engine_.n_rows
        if self.algorithm == "auto" and self.algorithm_ == "brute" and self.n_samples_fit_ > MANY:
            algorithm = self._resolved(self.engine_.X)
            if algorithm != "brute":
                rows, self.engine_ = self.engine_.X, self._engine(algorithm)
                self.engine_.add(rows)
                self.algorithm_ = algorithm
        return self

    def _read(self, X, reset=False):
        refuse_texts(X, "vectors: embed texts first, such as by ContrastiveTextEncoder")
        return validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=(np.float64, np.float32)
        )

    def _resolved(self, X):
        """The algorithm for rows, which has to be installed and to read their kind."""
        name = self.algorithm
        if name == "auto":
            if sp.issparse(X) or X.shape[0] <= MANY:
                return "brute"
            for name in NEEDS:
                if installed(name):
                    return name
            warn(
                f"{X.shape[0]} rows are compared one by one, as neither faiss nor pynndescent is "
                "installed: type pip install 'skcontrast[knn]', or algorithm='brute'."
            )
            return "brute"
        if not installed(name):
            raise ImportError(absent(name))
        if sp.issparse(X) and name != "brute":
            raise TypeError(
                f"algorithm={name!r} reads no sparse rows, and X is a sparse matrix: type "
                "algorithm='brute', or pass X.toarray()."
            )
        if name in CODES and self.metric != "cosine":
            raise ValueError(
                f"algorithm={name!r} keeps directions alone, and metric is {self.metric!r}: type "
                "metric='cosine'."
            )
        return name

    def _engine(self, algorithm):
        if algorithm == "brute":
            return Brute(self.metric, self.n_jobs)
        if algorithm == "faiss":
            return Faiss(self.metric, self.n_jobs, self.n_candidates)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        if algorithm == "pynndescent":
            return NNDescent(self.metric, self.n_jobs, self.n_candidates, seed)
        return CODES[algorithm](self.n_bytes, seed)

    def kneighbors(
        self,
        X: MatrixLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """Find the nearest rows of the index.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features) or None, default=None
            Queries. None stands for the rows of the index, none of which is its own neighbour;
            an equal one may be.

        n_neighbors : int or None, default=None
            How many, at most as many as the index has; None is that of the constructor.

        return_distance : bool, default=True
            Whether distances are given too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            In rising order; only with ``return_distance=True``.

        ids : int64 ndarray of shape (n_queries, n_neighbors)
            Row numbers; of rows equally far away, "brute" puts the first ones first.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else check_count(n_neighbors, "n_neighbors")
        most = self.n_samples_fit_ - (X is None)
        if k > most:
            held = "row" if self.n_samples_fit_ == 1 else "rows"
            alone = ", of which none is its own neighbour" if X is None else ""
            fewer = f"type n_neighbors={most} or less, or " if most else ""
            raise ValueError(
                f"n_neighbors={k}, but the index has n_samples={self.n_samples_fit_} {held}"
                f"{alone}: {fewer}add rows by partial_fit."
            )
        if X is None:
            distance, ids = self._among_themselves(k)
        else:
            X = self._read(X)
            distance, ids = self.engine_.search(X, k)
            distance = distance.astype(X.dtype, copy=False)
        return (distance, ids) if return_distance else ids

    def _among_themselves(self, k):
        """Neighbours of the rows of the index without themselves, which numbers tell."""
        distance, ids = self.engine_.search(self.engine_.rows(slice(0, self.n_samples_fit_)), k + 1)
        own = ids == np.arange(len(ids))[:, None]
        # Among many equal rows it may be missing: the last one gives way.
        own[~own.any(axis=1), -1] = True
        return distance[~own].reshape(-1, k), ids[~own].reshape(-1, k)

    def transform(self, X: MatrixLike) -> sp.csr_matrix:
        """Distances to the nearest rows as a sparse graph, as ``KNeighborsTransformer`` gives.

        What takes ``metric="precomputed"`` reads it, such as ``KNeighborsClassifier``, ``TSNE``
        or ``DBSCAN``. Each row has one neighbour more than ``n_neighbors``, as rows of ``fit`` find
        themselves.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)

        Returns
        -------
        graph : sparse matrix of shape (n_queries, n_samples_fit_)
            Of format CSR, with the distances as entries, in rising order.
        """
        check_is_fitted(self)
        distance, ids = self.kneighbors(X, self.n_neighbors + 1)
        start = np.arange(len(ids) + 1) * (self.n_neighbors + 1)
        shape = len(ids), self.n_samples_fit_
        return sp.csr_matrix((distance.ravel(), ids.ravel(), start), shape=shape)

    @property
    def _n_features_out(self):
        return self.n_samples_fit_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.algorithm in ("auto", "brute")
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
