"""ContrastiveAnomalyDetector: how far a row is from its neighbours in the space of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.extmath import row_norms
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    Function,
    HasMethods,
    Integral,
    Interval,
    Real,
    StrOptions,
    check_parameters,
    warn,
)
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._state import OwnState
from skcontrast._typing import Estimator, RandomState, RowsLike, Self
from skcontrast.anomaly._virtual import permuted, stacked
from skcontrast.base import BaseContrastive
from skcontrast.representation import ContrastiveEncoder

# Two rows that are nearer than this share of their length are one row: encoders compute in
# float32, and round a row in another way beside other rows.
SAME = 1e-6


class ContrastiveAnomalyDetector(ColumnsOfInput, OwnState, OutlierMixin, BaseEstimator):
    r"""Find anomalies: rows that are far from their nearest neighbours in an encoder's space.

    With the encoder f and the rows :math:`x_1, \ldots, x_n` of the fit, the score of a row is

    .. math:: s(x) = -\frac{1}{k} \sum_{i \in N_k(x)} \lVert f(x) - f(x_i) \rVert,

    where :math:`N_k(x)` are the k nearest of them. A row that was itself in the fit is scored
    without itself. It serves outlier detection, where some rows of the fit are anomalies, and
    novelty detection, where none is.

    With virtual outliers v, a second encoder g learns that the rows of the fit are alike, and
    unlike v, and the score becomes

    .. math:: s(x) = -\frac{d(x)}{\mathrm{median}_i \, d(x_i)}
        - \frac{c(x)}{\mathrm{median}_i \, c(x_i)}, \qquad
        c(x) = 1 - \max_i \cos(g(x), g(x_i)),

    with d the mean distance above, and the medians of rows scored without themselves.

    Parameters
    ----------
    encoder : estimator with ``fit`` and ``transform``, default=None
        Makes the space: any encoder of this package, so that rows may be texts, series or blocks,
        or another transformer. None is :class:`skcontrast.ContrastiveEncoder` with its defaults,
        and ``FrozenEstimator(fitted)`` one that is not trained again.

    n_neighbors : int, default=5
        Number k of neighbours.

    outliers : {"permuted"}, callable or None, default=None
        Virtual outliers. "permuted" puts each column in an order of its own, which breaks the
        dependences between them: better where these are what anomalies break, and worse where
        anomalies have unusual values. A function gets ``X`` and a ``RandomState`` and gives
        rows of the same kind. The encoder has to be one of this package.

    contamination : "auto" or float, default="auto"
        Share of the rows of the fit that are anomalies, in (0, 0.5]. "auto" takes those
        beyond the upper fence of a box plot: with a distance above the third quartile by more
        than 1.5 times the distance between the quartiles. It moves ``offset_`` alone.

    random_state : int, RandomState instance or None, default=None
        Seed of the encoder, where it has none of its own, and of virtual outliers.

    Attributes
    ----------
    encoder_ : estimator
        The fitted encoder.

    outlier_encoder_ : estimator or None
        The encoder that was trained with virtual outliers.

    offset_ : float
        Rows with a score below it are anomalies.

    training_scores_ : ndarray of shape (n_samples,)
        Score of each row of the fit, without itself.

    rows_ : {ndarray, sparse matrix} of shape (n_samples, n_columns)
        The rows of the fit in the space of the encoder, less ``center_``.

    center_ : ndarray of shape (n_columns,)
        Mean of these rows; zeros where the encoder gives sparse ones.

    outlier_rows_ : ndarray of shape (n_samples, n_components) or None
        The rows of the fit in the space of ``outlier_encoder_``, of unit length.

    units_ : tuple of float
        What distances, and with virtual outliers 1 less the cosines, are divided by.

    n_features_in_ : int
        Number of columns of X, where rows have columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, when all are strings.

    See Also
    --------
    sklearn.neighbors.LocalOutlierFactor : Distances relative to those of the neighbours.
    sklearn.ensemble.IsolationForest : Rows that few cuts isolate.

    References
    ----------
    Wang et al., "Unilaterally aggregated contrastive learning with hierarchical augmentation for
    anomaly detection", ICCV 2023. Ramaswamy, Rastogi and Shim, "Efficient algorithms for mining
    outliers from large data sets", SIGMOD 2000.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.metrics import roc_auc_score
    >>> from skcontrast import ContrastiveAnomalyDetector, ContrastiveEncoder
    >>> X, y = load_digits(return_X_y=True)
    >>> encoder = ContrastiveEncoder(max_iter=5)
    >>> detector = ContrastiveAnomalyDetector(encoder, random_state=0).fit(X[y == 3][:100])
    >>> new = X[(y == 3) | (y == 5)][120:]
    >>> detector.predict(new).shape
    (245,)
    >>> bool(roc_auc_score(y[(y == 3) | (y == 5)][120:] == 3, detector.score_samples(new)) > 0.9)
    True
    """

    _parameter_constraints = {
        "encoder": [HasMethods(["fit", "transform"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "outliers": [StrOptions({"permuted"}), Function(), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    }

    _input_name = "encoder_"

    def __init__(
        self,
        encoder: Estimator | None = None,
        *,
        n_neighbors: int = 5,
        outliers: Literal["permuted"] | Callable | None = None,
        contamination: Literal["auto"] | float = "auto",
        random_state: RandomState = None,
    ):
        self.encoder = encoder
        self.n_neighbors = n_neighbors
        self.outliers = outliers
        self.contamination = contamination
        self.random_state = random_state

    def fit(self: Self, X: RowsLike, y: Any = None) -> Self:
        """Train the encoder, and keep the rows in its space.

        Parameters
        ----------
        X : rows, of n_samples
            What the encoder reads.

        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        X = list(X) if isinstance(X, Iterator) else X
        rng = check_random_state(self.random_state)
        encoder = self._fitted_alone(seeded(clone(self._settled()), rng), X)
        against = self._trained_against_outliers(X, rng)
        self.encoder_, self.outlier_encoder_ = encoder, against
        self.outlier_rows_ = None
        rows = self._embedded(encoder, X)
        self.center_ = np.zeros(rows.shape[1])
        if not sp.issparse(rows):
            self.center_ = rows.mean(axis=0)
            rows = rows - self.center_
        self.rows_, n = rows, rows.shape[0]
        self._k = min(self.n_neighbors, n - 1)
        if self._k < 1:
            raise ValueError(f"X has n_samples={n}, and at least 2 are needed: pass more rows.")
        if self._k < self.n_neighbors:
            warn(f"n_neighbors={self.n_neighbors}, but a row has {n - 1} others: all are taken.")
        if against is not None:
            self.outlier_rows_ = normalize(self._embedded(against, X))
        parts = self._parts(rows, self.outlier_rows_, np.ones(n, dtype=bool))
        self.units_ = (1.0,) if against is None else tuple(_unit(part) for part in parts)
        scores = self._scores(parts)
        self.training_scores_, self.offset_ = scores, self._offset(scores)
        return self

    @staticmethod
    def _fitted_alone(encoder, X):
        try:
            return encoder.fit(X, None)
        except ValueError as error:
            said = str(error)
            if "type fit(X, " not in said and "pass fit(X, " not in said:
                raise
            raise ValueError(
                f"{said.partition(':')[0]}, and a detector reads X alone: fit the encoder before, "
                "and pass encoder=FrozenEstimator(encoder)."
            ) from None

    def _settled(self):
        return ContrastiveEncoder() if self.encoder is None else self.encoder

    def _trained_against_outliers(self, X, rng):
        """The encoder to which the rows are one class, and each virtual outlier a row of none."""
        if self.outliers is None:
            return None
        model = self._settled()
        model = model.estimator if isinstance(model, FrozenEstimator) else model
        if not isinstance(model, BaseContrastive):
            raise TypeError(
                f"outliers={self.outliers!r} trains an encoder of skcontrast, and encoder="
                f"{model!r} is none: type outliers=None, or encoder=None."
            )
        model = clone(model)
        alone = {"passthrough": False} if hasattr(model, "passthrough") else {}
        seeded(model.set_params(objective="supcon", **alone), rng)
        make = permuted if isinstance(self.outliers, str) else self.outliers
        virtual = make(X, rng)
        virtual = list(virtual) if isinstance(virtual, Iterator) else virtual
        both = stacked(X, virtual)
        n_more, n_all = (r.shape[0] if hasattr(r, "shape") else len(r) for r in (virtual, both))
        if not n_more:
            raise ValueError("outliers gave no rows: its function has to give one at least.")
        return model.fit(both, np.where(np.arange(n_all) < n_all - n_more, 0.0, np.nan))

    def _embedded(self, encoder, X):
        return check_array(encoder.transform(X), accept_sparse="csr", dtype=np.float64)

    def _parts(self, rows, unit, seen=None):
        """Mean distance to the nearest rows, and 1 less the largest cosine."""
        found = _nearest(self.rows_, rows, self._k + 1)
        if seen is None:
            seen = found[:, 0] <= SAME * row_norms(rows)
        parts = [np.where(seen, found[:, 1:].mean(axis=1), found[:, :-1].mean(axis=1))]
        if unit is not None:
            found = _nearest(self.outlier_rows_, unit, 2)
            parts.append(np.where(seen, found[:, 1], found[:, 0]) ** 2 / 2)
        return parts

    def _scores(self, parts):
        return -sum(part / size for part, size in zip(parts, self.units_))

    def _offset(self, scores):
        if not isinstance(self.contamination, str):
            return float(np.percentile(scores, 100.0 * self.contamination))
        low, high = np.percentile(scores, [25, 75])
        return float(low - 1.5 * (high - low))

    def score_samples(self, X: RowsLike) -> np.ndarray:
        """Score rows: the larger, the more normal.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Not above 0. Of a row of the fit, the score without itself.
        """
        check_is_fitted(self, "offset_")
        X = list(X) if isinstance(X, Iterator) else X
        rows = self._embedded(self.encoder_, X)
        rows = rows if sp.issparse(rows) else rows - self.center_
        unit = None
        if self.outlier_encoder_ is not None:
            unit = normalize(self._embedded(self.outlier_encoder_, X))
        return self._scores(self._parts(rows, unit))

    def decision_function(self, X: RowsLike) -> np.ndarray:
        """Score rows relative to ``offset_``: anomalies are below 0.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: RowsLike) -> np.ndarray:
        """Tell anomalies from normal rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        y : ndarray of int of shape (n_samples,)
            -1 for anomalies, 1 for normal rows.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def fit_predict(self, X: RowsLike, y: Any = None) -> np.ndarray:
        """Fit, and tell the anomalies among the same rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`; a generator is read once.

        y : None
            Ignored.

        Returns
        -------
        y : ndarray of int of shape (n_samples,)
            -1 for anomalies, 1 for normal rows.
        """
        return np.where(self.fit(X).training_scores_ < self.offset_, -1, 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._settled()).input_tags
        tags.non_deterministic = False
        return tags


def _nearest(known, rows, k):
    """Distances to the k nearest known rows, rising."""
    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(known).kneighbors(rows)[0]


def _unit(values):
    """The median, or where most are 0 the mean, to divide by."""
    return float(np.median(values)) or float(np.mean(values)) or 1.0


def seeded(estimator, rng):
    """Give an estimator a seed, and those that it holds, where they have none of their own."""
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    names = [k for k in params if k.rpartition("__")[2] == "random_state" and params[k] is None]
    draws = {name: rng.randint(np.iinfo(np.int32).max) for name in sorted(names)}
    frozen = isinstance(estimator, FrozenEstimator)
    return estimator if frozen else estimator.set_params(**draws)
