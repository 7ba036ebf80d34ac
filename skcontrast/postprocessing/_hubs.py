"""HubnessReducedNeighbors: a graph of nearest rows in which no row is everybody's neighbour."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import euclidean_distances
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import refuse_huge
from skcontrast._component import Integral, Interval, StrOptions, check_count, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, Self
from skcontrast.postprocessing._reductions import REDUCTIONS, Moments, same_rows
from skcontrast.retrieval import EmbeddingIndex
from skcontrast.retrieval._exact import best_columns, query_blocks, unit

Method = Literal["mutual_proximity", "local_scaling", "nicdm", "csls", "dis_sim_local"]
# Up to this number of rows all are candidates.
FEW = 20_000


class HubnessReducedNeighbors(
    OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Nearest neighbours by distances that are corrected for hubs, as a sparse graph.

    In many dimensions a few rows, the hubs, are near to too many others, and some, the antihubs,
    are nobody's neighbour. Here the distance :math:`D_{ij}` is seen from what is around both
    rows: with the distance :math:`r` to the k-th nearest row of ``fit``, the mean :math:`m` and
    the standard deviation :math:`s` of the distances to the k nearest, their centre :math:`c`, and
    the upper tail :math:`S` of the normal distribution, it becomes

    ==================  ============================================================
    "mutual_proximity"  :math:`1 - S(\frac{D_{ij} - m_i}{s_i}) S(\frac{D_{ij} - m_j}{s_j})`
    "local_scaling"     :math:`1 - \exp(-D_{ij}^2 / (r_i r_j))`
    "nicdm"             :math:`D_{ij} / \sqrt{m_i m_j}`
    "csls"              :math:`2 D_{ij} - m_i - m_j`, plus a constant
    "dis_sim_local"     :math:`|x_i - x_j|^2 - |x_i - c_i|^2 - |x_j - c_j|^2`, plus a constant
    ==================  ============================================================

    The shape is that of scikit-learn's ``KNeighborsTransformer``: what takes
    ``metric="precomputed"`` reads the graph, such as ``KNeighborsClassifier``, ``DBSCAN``,
    ``TSNE`` or ``SpectralClustering``.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of nearest rows.

    method : str, default="mutual_proximity"
        The formula, one of those above. "dis_sim_local" may make new hubs of rows in dense places.

    k : int or "auto", default="auto"
        Number of nearest rows that are around a row, itself not among them. "auto" is all of them
        for "mutual_proximity", and 10 for the others. With 50, "mutual_proximity" corrects more.

    n_candidates : int or "auto", default="auto"
        Number of rows nearest by the plain distance among which those of ``n_neighbors`` are
        found. "auto" is all of up to 20,000 rows, and of more ten times ``n_neighbors``, at
        least 100.

    metric : {"cosine", "euclidean"}, default="cosine"
        The plain distance. "cosine" is the Euclidean one of rows of length 1, and for "csls" 1
        less the cosine.

    Attributes
    ----------
    X_fit_ : ndarray of shape (n_samples_fit_, n_features)
        Rows of ``fit``.

    surroundings_ : ndarray of shape (n_samples_fit_, 1 or 2)
        What is around each of them, by the method in the order above: m and s; r; m; m; the
        squared distance from c.

    k_ : int or None
        How many rows are around each; None stands for all.

    shift_ : float
        The constant that keeps "csls" and "dis_sim_local" at 0 or above, and 0 for the others.

    fitted_as_ : tuple of str
        Method and metric of ``fit``.

    n_samples_fit_ : int
        Number of rows of ``fit``.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    skcontrast.metrics.hubness : How many hubs an embedding has.
    skcontrast.retrieval.margin_scores : The same between two tables: half of "csls".
    skcontrast.retrieval.EmbeddingIndex : Nearest rows by the plain distance.

    Notes
    -----
    Neighbourhoods are those of the rows of ``fit``, so that each row gets the same neighbours
    whatever rows it comes with. A row that equals one of ``fit`` is taken for it.

    References
    ----------
    Schnitzer et al., "Local and global scaling reduce hubs in space", JMLR 13, 2012. Feldbauer and
    Flexer, "A comprehensive empirical comparison of hubness reduction in high-dimensional spaces",
    Knowledge and Information Systems 59, 2019. Lample et al., "Word translation without parallel
    data", ICLR 2018. Hara et al., "Flattening the density gradient for eliminating spatial
    centrality to reduce hubness", AAAI 2016. Nielsen and Hansen, "Hubness reduction improves
    sentence-BERT semantic spaces", NLDL 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.postprocessing import HubnessReducedNeighbors
    >>> from skcontrast.retrieval import EmbeddingIndex
    >>> Z = np.random.default_rng(0).normal(size=(300, 100))
    >>> metric = {"metric": "euclidean"}
    >>> for model in EmbeddingIndex(5, **metric), HubnessReducedNeighbors(5, k=50, **metric):
    ...     ids = model.fit(Z).kneighbors(return_distance=False)
    ...     print(np.bincount(ids.ravel()).max())  # how often the largest hub is a neighbour
    129
    14

    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> nearest = KNeighborsClassifier(metric="precomputed")
    >>> model = make_pipeline(HubnessReducedNeighbors(), nearest).fit(Z, Z[:, 0] > 0)
    """

    _parameter_constraints = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions(set(REDUCTIONS))],
        "k": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "metric": [StrOptions({"cosine", "euclidean"})],
    }

    def __init__(
        self,
        n_neighbors: int = 5,
        *,
        method: Method = "mutual_proximity",
        k: int | Literal["auto"] = "auto",
        n_candidates: int | Literal["auto"] = "auto",
        metric: Literal["cosine", "euclidean"] = "cosine",
    ):
        self.n_neighbors = n_neighbors
        self.method = method
        self.k = k
        self.n_candidates = n_candidates
        self.metric = metric

    def fit(self: Self, X: ArrayLike, y: Any = None) -> Self:
        """Keep rows, and measure what is around each of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        n = len(X)
        self._check_number(self.n_neighbors, "n_neighbors", n)
        k = self.k
        if k == "auto":
            k = None if self.method == "mutual_proximity" else min(10, n - 1)
        else:
            self._check_number(k, "k", n)
        self.X_fit_, self.n_samples_fit_, self.k_ = X, n, k
        self.fitted_as_ = self.method, self.metric
        rows = self._placed(X)
        own = np.arange(n)
        self.surroundings_ = self._around(rows, rows, own)
        self.shift_ = float(REDUCTIONS[self.method].shift(self.surroundings_))
        return self

    def _check_number(self, number, name, n):
        if n < 2:
            raise ValueError(f"fit got n_samples={n}, and at least 2 are needed: pass more rows.")
        if number > n - 1:
            raise ValueError(
                f"{name}={number}, but fit got n_samples={n}, of which none is its own neighbour: "
                f"type {name}={n - 1} or less, or pass more rows."
            )

    def _placed(self, X):
        """Rows in float64: of length 1, or moved so that the centre of those of fit is 0."""
        X = X.astype(np.float64)
        if self.metric == "cosine":
            return unit(X)
        refuse_huge(X)
        return X - self.X_fit_.mean(axis=0, dtype=float)

    def _in_units(self, D):
        """Distances of placed rows as the formula reads them."""
        if self.method == "dis_sim_local":
            return np.square(D)
        return np.square(D) / 2 if (self.method, self.metric) == ("csls", "cosine") else D

    def _distances(self, Q, rows):
        return self._in_units(euclidean_distances(Q, rows))

    def _around(self, Q, rows, own, known=None):
        """What is around queries, (n_queries, 1 or 2); of rows of fit it may be known."""
        out = np.empty((len(Q), REDUCTIONS[self.method].width))
        asked = own  # by fit, of its own rows
        if known is not None:
            out[own >= 0], asked = known[own[own >= 0]], np.flatnonzero(own < 0)
        if self.k_ is None:
            for part in query_blocks(len(asked), len(rows)):
                i = asked[part]
                out[i] = Moments.of_all(self._distances(Q[i], rows), own[i])
        elif len(asked):
            index = EmbeddingIndex(algorithm="brute", metric="euclidean").fit(rows)
            D, ids = index.kneighbors(None if known is None else Q[asked], self.k_)
            out[asked] = REDUCTIONS[self.method].of_nearest(self._in_units(D), Q[asked], rows, ids)
        return out

    def kneighbors(
        self,
        X: ArrayLike | None = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
    ) -> Any:
        """Find the rows of ``fit`` that are nearest by the corrected distances.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features) or None, default=None
            Queries. None stands for the rows of ``fit``, none of which is its own neighbour.

        n_neighbors : int or None, default=None
            How many; None is that of the constructor.

        return_distance : bool, default=True
            Whether distances are given too.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Corrected ones, in rising order; only with ``return_distance=True``.

        ids : int64 ndarray of shape (n_queries, n_neighbors)
            Row numbers.
        """
        check_is_fitted(self)
        if self.fitted_as_ != (self.method, self.metric):
            method, metric = self.fitted_as_
            raise ValueError(
                f"fit was with method={method!r} and metric={metric!r}, and now they are "
                f"{self.method!r} and {self.metric!r}: type fit(X) again."
            )
        n, alone = self.n_neighbors if n_neighbors is None else n_neighbors, X is None
        n = check_count(n, "n_neighbors", self.n_samples_fit_ - alone)
        if X is None:
            X, own = self.X_fit_, np.arange(self.n_samples_fit_)
        else:
            X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
            own = same_rows(X, self.X_fit_)
        Q, rows = self._placed(X), self._placed(self.X_fit_)
        around = self._around(Q, rows, own, self.surroundings_)
        found = [
            self._nearest(Q[part], rows, around[part], own[part], n, alone)
            for part in query_blocks(len(Q), len(rows))
        ]
        distance, ids = (np.concatenate(parts) for parts in zip(*found))
        distance = distance.astype(X.dtype, copy=False)
        return (distance, ids) if return_distance else ids

    def _nearest(self, Q, rows, around, own, n, alone):
        """Distances and numbers of the n nearest rows; a row of fit itself is first, or left out.

        The order is that of numbers that still differ where distances are all rounded to 1.
        """
        reduction = REDUCTIONS[self.method]
        D = self._distances(Q, rows)
        here = np.flatnonzero(own >= 0)
        D[here, own[here]] = np.inf if alone else -np.inf
        number = self.n_candidates
        if number == "auto":
            number = len(rows) if len(rows) <= FEW else max(10 * n, 100)
        columns = np.broadcast_to(np.arange(len(rows)), D.shape)
        if (number := max(number, n)) < len(rows):
            D, columns = best_columns(-D, number)
            D = -D
        itself = np.isinf(D)
        order = reduction.order(np.where(itself, 0, D), around, self.surroundings_[columns])
        order[itself] = D[itself]
        order, place = best_columns(-order, n)
        ids = np.take_along_axis(columns, place, axis=1)
        distance = np.maximum(reduction.distance(-order) + self.shift_, 0)
        return np.where(np.isneginf(-order), 0.0, distance), ids

    def transform(self, X: ArrayLike) -> sp.csr_matrix:
        """Corrected distances to the nearest rows of ``fit``, as a sparse graph.

        Each row has one neighbour more than ``n_neighbors``, as rows of ``fit`` find themselves,
        at 0.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Returns
        -------
        graph : sparse matrix of shape (n_queries, n_samples_fit_)
            Of format CSR, with the distances as entries, in rising order.
        """
        check_is_fitted(self)
        distance, ids = self.kneighbors(X, self.n_neighbors + 1)
        start = np.arange(len(ids) + 1) * ids.shape[1]
        shape = len(ids), self.n_samples_fit_
        return sp.csr_matrix((distance.ravel(), ids.ravel(), start), shape=shape)

    @property
    def _n_features_out(self):
        return self.n_samples_fit_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
