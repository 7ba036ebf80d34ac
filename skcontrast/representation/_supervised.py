"""What the estimators with a head share: an encoder and a head, learned from a target."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import Integral, Interval, StrOptions, resolve
from skcontrast._input import check_rows
from skcontrast._rows import BOUND
from skcontrast._target import target_type
from skcontrast.base import BaseContrastive
from skcontrast.objectives import OBJECTIVES


class BaseSupervised(BaseContrastive):
    """Encoder and head: the encoder by an objective that reads y, the head on its output."""

    _parameter_constraints = {
        **BaseContrastive._parameter_constraints,
        "passthrough": ["boolean", StrOptions({"auto"})],
        "finetune": ["boolean"],
        "finetune_iter": [Interval(Integral, 1, None, closed="left")],
    }

    # What a target of this estimator holds, and the objectives that a message names.
    _target_type = None
    _advice = None

    def _fit_encoder(self, X, y, labelled, fresh, weight=None):
        """Train the encoder on all rows, and where asked, with a linear head on labelled ones."""
        objective = resolve(self.objective, OBJECTIVES)
        if "target" in objective.requires and target_type(objective) != self._target_type:
            raise ValueError(
                f"objective={self.objective!r} does not read the target of a "
                f"{type(self).__name__}: type {self._advice}."
            )
        given = {"target": y, "weight": weight, "condition": None, "prior": None, "groups": None}
        self._run(X, given, fresh, self.max_iter)
        vars(self).pop("finetune_curve_", None)
        if not self.finetune:
            return
        learned = {name: getattr(self, name) for name in _OF_FIRST_STAGE}
        given = {**given, "target": _rows_of(y, labelled)}
        if weight is not None:
            given["weight"] = weight[labelled]
        self._run(X[labelled], given, False, self.finetune_iter, objective=self._head_objective())
        self.finetune_curve_ = self.loss_curve_
        vars(self).update(learned)

    def _head_input(self, X):
        """Features of the labelled rows, which fix the scale of the embedding."""
        Z = self._embed(X)
        # One scale for all columns: their distances and their relative sizes were learned.
        spread = float(np.sqrt(np.mean(np.var(Z, axis=0, dtype=np.float64))))
        self._embedding_scale = spread if spread > 0 else 1.0
        return self._features(X, Z)

    def _features(self, X, Z=None):
        """What the head reads: the embedding, with the raw columns before it where asked."""
        Z = self._embed(X) if Z is None else Z
        Z = np.asarray(Z, dtype=np.float64) / self._embedding_scale
        if not self._n_raw(X):
            return Z
        if sp.issparse(X):
            raw = X if self.scale_ is None else X / self.scale_[0]
            return sp.hstack([raw, sp.csr_matrix(Z)]).tocsr()
        raw = np.asarray(X, dtype=np.float64)
        if self.scale_ is not None:
            with np.errstate(over="ignore"):
                raw = np.clip((raw - self.mean_) / self.scale_, -BOUND, BOUND)
        return np.hstack([raw, Z])

    def _n_raw(self, X):
        """How many raw columns the head reads."""
        beside = not sp.issparse(X) if self.passthrough == "auto" else self.passthrough
        return X.shape[1] if beside else 0

    def _head_features(self, X, name):
        """Features of new rows, once the head ``name`` is there."""
        check_is_fitted(self, name)
        return self._features(check_rows(self, X, reset=False))


_OF_FIRST_STAGE = ("loss_curve_", "validation_curve_", "n_iter_", "objective_")


def _rows_of(y, labelled):
    return y.iloc[labelled] if hasattr(y, "iloc") else np.asarray(y)[labelled]


@contextmanager
def kept_on_error(estimator):
    """Put back every attribute when a fit fails: the earlier fit stays whole."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
