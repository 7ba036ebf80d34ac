"""What the estimators with a head share: an encoder and a head, learned from a target."""

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import Integral, Interval, StrOptions, resolve
from skcontrast._inputs.rows import standardized
from skcontrast._inputs.table import check_rows
from skcontrast._inputs.target import target_type
from skcontrast.base import BaseContrastive
from skcontrast.objectives import OBJECTIVES
from skcontrast.samplers import SAMPLERS


class BaseSupervised(BaseContrastive):
    """Encoder and head: the encoder by an objective that reads y, the head on its output."""

    _parameter_constraints = {
        **BaseContrastive._parameter_constraints,
        "passthrough": ["boolean", StrOptions({"auto"})],
        "finetune": ["boolean"],
        "finetune_iter": [Interval(Integral, 1, None, closed="left")],
    }

    # What a target of this estimator holds, and the values that a message names.
    _target_type = None
    _advice = {}

    def _fit_encoder(self, X, y, labelled, fresh, weight=None):
        """Train the encoder on all rows, and where asked, with a linear head on labelled ones."""
        self._check_reads("objective", resolve(self.objective, OBJECTIVES))
        self._check_reads("sampler", resolve(self.sampler, SAMPLERS))
        if self.finetune and len(labelled) < 2:
            raise ValueError(
                f"finetune=True needs at least 2 labelled rows, and y has {len(labelled)}: type "
                "finetune=False, or give more rows a label."
            )
        given = {"target": y, "weight": weight, "condition": None, "prior": None, "groups": None}
        self._run(X, given, fresh, self.max_iter)
        vars(self).pop("finetune_curve_", None)
        if not self.finetune:
            return
        learned = {name: vars(self)[name] for name in _OF_FIRST_STAGE if name in vars(self)}
        vars(self).pop("_optimizer_state", None)  # its moments are of another loss
        given = {**given, "target": _rows_of(y, labelled)}
        if weight is not None:
            given["weight"] = weight[labelled]
        self._run(X[labelled], given, False, self.finetune_iter, objective=self._head_objective())
        self.finetune_curve_ = self.loss_curve_
        if learned["objective_weights_"].keys() == self.objective_weights_.keys():
            learned["objective_weights_"] = self.objective_weights_  # one head, trained on
        vars(self).update(learned)

    def _check_reads(self, name, component):
        """Raise unless ``fit`` has what a component of the parameter ``name`` requires."""
        required, owner = getattr(component, "requires", ()), type(self).__name__
        said = f"{name}={getattr(self, name)!r}"
        for beside in ("condition", "prior", "groups"):
            if beside in required:
                raise ValueError(
                    f"{said} needs {beside!r}, which fit of a {owner} does not take: type "
                    f"{self._advice[name]}, or learn the representation with ContrastiveEncoder."
                )
        if "target" in required and target_type(component) != self._target_type:
            raise ValueError(
                f"{said} does not read the target of a {owner}: type {self._advice[name]}."
            )

    def _head_input(self, X):
        """Features of the labelled rows, which fix the scale of the embedding."""
        Z = self._embed(X)
        # New rows may be dense where these are sparse, or the other way round.
        self._sparse_columns = sp.issparse(X)
        self._n_raw = X.shape[1] if self._reads_columns(X) else 0
        # One scale for all columns: their distances and their relative sizes were learned.
        spread = float(np.sqrt(np.mean(np.var(Z, axis=0, dtype=np.float64))))
        self._embedding_scale = spread if spread > 0 else 1.0
        return self._features(X, Z)

    def _features(self, X, Z=None):
        """What the head reads: the embedding, with the raw columns before it where asked."""
        Z = self._embed(X) if Z is None else Z
        Z = np.asarray(Z, dtype=np.float64) / self._embedding_scale
        if not self._n_raw:
            return Z
        if self._sparse_columns:
            raw = sp.csr_matrix(X)
            raw = raw if self.scale_ is None else raw / self.scale_[0]
            return sp.hstack([raw, sp.csr_matrix(Z)]).tocsr()
        raw = standardized(X.toarray() if sp.issparse(X) else X, self.mean_, self.scale_)
        return np.hstack([raw, Z])

    def _reads_columns(self, X):
        """Whether the head reads the raw columns."""
        return not sp.issparse(X) if self.passthrough == "auto" else self.passthrough

    def _head_features(self, X, name):
        """Features of new rows, once the head ``name`` is there."""
        if hasattr(self, "weights_") and not hasattr(self, name):
            raise NotFittedError(
                f"{name} is fitted when the training has ended: before, as in a callback, "
                "there is no prediction, but transform."
            )
        check_is_fitted(self, name)
        return self._features(check_rows(self, X, reset=False))


_OF_FIRST_STAGE = (
    "loss_curve_",
    "validation_curve_",
    "n_iter_",
    "objective_",
    "objective_weights_",
    "_optimizer_state",
)


def _rows_of(y, labelled):
    return y.iloc[labelled] if hasattr(y, "iloc") else np.asarray(y)[labelled]
