"""Prediction intervals: errors of rows that the prediction did not see, and where they lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import StrOptions, take_rows
from skcontrast._inputs.target import n_rows
from skcontrast._state import OwnState
from skcontrast._training.fitted import embed
from skcontrast._typing import RowsLike

NEIGHBORS = 30


class Intervals(BaseEstimator):
    r"""Half-widths of prediction intervals from the errors of known rows.

    "conformal" scales the errors by how much the targets of a row's neighbours vary, and
    takes one quantile of them: with :math:`s(x)` the spread of the targets of the nearest
    rows and n calibration rows, the interval is :math:`\hat y(x) \pm s(x) q`, where q is the
    :math:`\lceil (n + 1) c \rceil`-th smallest of :math:`|y_i - \hat y(x_i)| / s(x_i)`. It
    holds the target with probability c or more, for rows drawn like the calibration rows.
    "neighbors" takes the quantile of the errors of the nearest rows alone: local, but
    without a guarantee.

    Parameters
    ----------
    kind : {"conformal", "neighbors"}

    Attributes
    ----------
    rows_ : ndarray of shape (n_rows, d)
        Embedding of the rows among which neighbours are sought.

    targets_ : ndarray of shape (n_rows, n_targets)
        Their targets, or for "neighbors" their errors.

    floor_ : ndarray of shape (n_targets,)
        Least spread.

    scores_ : ndarray of shape (n, n_targets)
        Errors; for "conformal" over the spread, and sorted.
    """

    _parameter_constraints = {"kind": [StrOptions({"conformal", "neighbors"})]}

    def __init__(self, kind):
        self.kind = kind

    def fit(self, errors, embedding, reference):
        """Take the errors of known rows.

        Parameters
        ----------
        errors : ndarray of shape (n, n_targets)
            Absolute errors on rows that the prediction was not fitted on.

        embedding : ndarray of shape (n, d)
            Where these rows lie.

        reference : tuple of ndarray
            Embedding and targets of the rows that the spread is taken from, for "conformal".
        """
        conformal = self.kind == "conformal"
        self.rows_, self.targets_ = reference if conformal else (embedding, errors)
        # Where all neighbours agree, a tenth of the spread of all targets.
        spread = self.targets_.std(axis=0)
        self.floor_ = np.where(spread > 0, 0.1 * spread, 1.0)
        self.scores_ = np.sort(errors / self._spread(embedding), axis=0) if conformal else errors
        return self

    @property
    def _n_neighbors(self):
        return min(NEIGHBORS, len(self.rows_))

    def _nearest(self, embedding):
        # Built where it is used: what is kept are arrays, which are saved without code.
        near = NearestNeighbors(n_neighbors=self._n_neighbors).fit(self.rows_)
        return self.targets_[near.kneighbors(embedding, return_distance=False)]

    def _spread(self, embedding):
        return np.maximum(self._nearest(embedding).std(axis=1), self.floor_)

    def half_width(self, embedding, coverage):
        """Half-width (n, n_targets) of the intervals of rows that lie at ``embedding``."""
        n = len(self.scores_) if self.kind == "conformal" else self._n_neighbors
        rank = int(np.ceil((n + 1) * coverage - 1e-9))
        if rank > n:
            least = int(np.ceil(coverage / (1 - coverage) - 1e-9))
            known, way = f"there are {n}", "fit on more rows"
            if n < len(self.scores_):
                known, way = f"interval='neighbors' reads {n}", "fit with interval='conformal'"
            raise ValueError(
                f"coverage={coverage} needs the errors of at least {least} rows, and {known}: type "
                f"a coverage up to {np.floor(1000 * n / (n + 1)) / 1000}, or {way}."
            )
        if self.kind == "conformal":
            return self.scores_[rank - 1] * self._spread(embedding)
        return np.sort(self._nearest(embedding), axis=1)[:, rank - 1]


def _gives_intervals(estimator):
    if estimator.interval is None:
        raise AttributeError(
            "predict_interval needs interval='conformal' or 'neighbors': set it before fit."
        )
    return True


class IntervalMixin(OwnState):
    """``predict_interval``, and what ``fit`` keeps for it, for the regressor."""

    interval: str | None

    @available_if(_gives_intervals)
    def predict_interval(self, X: RowsLike, coverage: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Predict an interval that holds the target with a given probability.

        Available with ``interval="conformal"`` or ``interval="neighbors"``.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        coverage : float, default=0.9
            Share of the rows whose interval should hold their target.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        check_is_fitted(self, "regressor_")
        if not hasattr(self, "_intervals"):
            raise ValueError(f"The fit was with interval=None: fit with {self.interval!r}.")
        if not (isinstance(coverage, Real) and 0 < coverage < 1):
            raise ValueError(f"coverage must be a number between 0 and 1, got {coverage!r}.")
        X = self.encoder_.input_.read(X)
        Z = embed(self.encoder_, X)
        y = self._in_units(self._predict_columns(self._features(X, Z)))
        half = self._intervals.half_width(Z, coverage) * self.target_scale_
        half = half[:, 0] if self._one_column else half
        return y - half, y + half

    def _held_out(self, labelled, seed):
        """Labelled rows that are kept for calibration."""
        if self.interval == "neighbors" and len(labelled) < 2:
            raise ValueError(
                f"interval='neighbors' needs at least 2 labelled rows, and y has {len(labelled)}: "
                "type interval=None, or give more rows a label."
            )
        if self.interval != "conformal":
            return labelled[:0]
        n = max(1, round(self.calibration_fraction * len(labelled)))
        if len(labelled) - n < 2:
            raise ValueError(
                f"interval='conformal' keeps {n} of {len(labelled)} labelled rows out of the "
                "training and leaves fewer than 2: type interval='neighbors', or a smaller "
                f"calibration_fraction than {self.calibration_fraction}."
            )
        return np.sort(np.random.RandomState(seed).permutation(labelled)[:n])

    def _set_aside(self, X, y, params, held_out):
        """Rows to train on, and those of which nothing is learned, the scale of columns neither."""
        if not len(held_out):
            return X, y, params, None
        if not hasattr(X, "shape"):
            if not isinstance(X, Iterable) or isinstance(X, (str, bytes, Mapping, Set)):
                return X, y, params, None  # refused when it is read
            X = list(X)
        X = X.tocsr() if sp.issparse(X) else X
        given = {"y": y, **{name: value for name, value in params.items() if value is not None}}
        for name, value in given.items():
            if n_rows(value, 0) != n_rows(X, 0):
                raise ValueError(
                    f"{name} has {n_rows(value, 0)} rows, but X has {n_rows(X, 0)}: pass one entry "
                    f"of {name} for each row of X."
                )
        kept = np.setdiff1d(np.arange(len(y)), held_out)
        params = {name: take_rows(given[name], kept) for name in given if name != "y"}
        calibration = take_rows(X, held_out), y[held_out]
        return take_rows(X, kept), y[kept], params, calibration

    def _calibrate(self, X, target, X_held, y_held):
        """Errors of the rows that were held out, in standard deviations of the target."""
        held = (y_held - self.target_mean_) / self.target_scale_
        Z = embed(self.encoder_, X_held)
        errors = np.abs(self._predict_columns(self._features(X_held, Z)) - held)
        self._intervals = Intervals("conformal").fit(errors, Z, (embed(self.encoder_, X), target))

    def _cross_validate(self, head, X, target, seed):
        """Errors of the rows in folds that the head was not fitted on."""
        Z = embed(self.encoder_, X)
        shaped = target[:, 0] if target.shape[1] == 1 else target
        folds = KFold(min(5, len(target)), shuffle=True, random_state=seed)
        found = cross_val_predict(head, self._features(X, Z), shaped, cv=folds)
        errors = np.abs(found.reshape(target.shape) - target)
        self._intervals = Intervals("neighbors").fit(errors, Z, None)
