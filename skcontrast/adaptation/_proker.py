"""ProKeRClassifier and ProKeRRegressor: a few labelled rows added to any base."""

import numpy as np
from sklearn.base import ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from skcontrast._component import StrOptions
from skcontrast.adaptation._base_scores import fit_base, left_out_scores
from skcontrast.adaptation._cache import average
from skcontrast.adaptation._calibration import fit_temperature
from skcontrast.adaptation._frame import BaseProKeR, grid
from skcontrast.adaptation._methods import METHODS
from skcontrast.adaptation._selection import Rows
from skcontrast.adaptation._similarity import AVERAGE_GRID, Similarity, candidates, gamma_of
from skcontrast.adaptation._zero_shot import softmax


class ProKeRClassifier(ClassifierMixin, BaseProKeR):
    r"""Adapt a classifier to a few labelled rows, in closed form.

    PLACEHOLDER
    """

    _parameter_constraints = {
        **BaseProKeR._parameter_constraints,
        "method": [StrOptions(set(METHODS))],
    }

    def __init__(
        self,
        estimator=None,
        *,
        method="auto",
        kernel="rbf",
        gamma="auto",
        alpha="auto",
        base_scale="auto",
        scaling="reference",
        fit_intercept="auto",
        solver="auto",
        n_components=2000,
        tol=1e-8,
        max_iter=200,
        random_state=None,
    ):
        self.estimator = estimator
        self.method = method
        self.kernel = kernel
        self.gamma = gamma
        self.alpha = alpha
        self.base_scale = base_scale
        self.scaling = scaling
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Fit the base where it is not frozen, and the correction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Labelled rows.

        y : array-like of shape (n_samples,)
            Labels.

        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        return self._fit(X, y, sample_weight, None)

    def _fit(self, X, y, sample_weight, classes):
        self._start()
        X, y, weight = self._checked(X, y, sample_weight, reset=True)
        check_classification_targets(y)
        self.estimator_ = None
        if self.estimator is not None:
            self.estimator_ = fit_base(self.estimator, X, y, weight)
        self.classes_ = self._known_classes(y, classes)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only ({self.classes_.tolist()[0]!r}), and ProKeRClassifier "
                "needs at least two: add rows of others, or a base that knows them."
            )
        base = None
        if self.estimator_ is not None:
            args = self.estimator, self.estimator_, X, y, weight, self.classes_
            base = left_out_scores(*args)
        rows = self._as_rows(X, y, base, weight)
        self.n_targets_ = len(self.classes_)
        return self._run(rows, False)

    def _known_classes(self, y, classes):
        """Labels of y, of the base, and of ``classes``."""
        found = np.unique(y)
        others = [] if classes is None else [np.asarray(classes)]
        others += [getattr(self.estimator_, "classes_", found)]
        for other in others:
            if (other.dtype.kind in "OUS") != (found.dtype.kind in "OUS"):
                raise ValueError(
                    f"y holds labels such as {found.tolist()[0]!r}, and the base or classes= "
                    f"such as {other.tolist()[0]!r}: give both the same type."
                )
            found = np.union1d(found, other)
        return found

    def _as_rows(self, X, y, base, weight):
        codes = np.searchsorted(self.classes_, y)
        weight = np.ones(len(X)) if weight is None else weight
        return Rows(X, np.eye(len(self.classes_))[codes], base, weight, codes)

    def _run(self, rows, held):
        """Fit the method, and the temperature to what it says of left-out rows."""
        index, scores, valid = METHODS[self.method][0](self, rows, held)
        known = rows if index is None else rows.take(index)
        self.temperature_ = 1.0
        if valid.any():
            scale, _ = fit_temperature(scores[valid], known.codes[valid], known.weight[valid])
            self.temperature_ = 1 / scale
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add labelled rows; what was chosen in the first call stays as it is.

        The base is not fitted again. With ``method="proker"`` the triangular factor of the
        kernel matrix grows by the new rows: n^2 m operations for m new rows beside n. The
        result is that of a ``fit`` on all rows with the same kernel, alpha and base scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Labelled rows.

        y : array-like of shape (n_samples,)
            Labels.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; read in the first call.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if not hasattr(self, "n_targets_"):
            return self._fit(X, y, sample_weight, classes)
        self._start()
        X, y, weight = self._checked(X, y, sample_weight, reset=False)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds {unknown[:5].tolist()}, which the first call did not: name all labels "
                "in its classes=, or fit on all rows."
            )
        new = self._as_rows(X, y, self._base_of(X), weight)
        rows = self._old_rows().joined(new)
        return self._run(rows, new)

    def _scores(self, X):
        X = self._query(X)
        return METHODS[self.method][1](self, X, self._base_of(X))

    def decision_function(self, X):
        """Scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,)
            With two classes the score of the second less that of the first.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """Class with the largest score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        scores = self._scores(X)
        if scores.shape[1] == 2:
            # As decision_function says it, ties included.
            return self.classes_[(scores[:, 1] - scores[:, 0] > 0).astype(int)]
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X):
        """Softmax of the scores over ``temperature_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        return softmax(self._scores(X) / self.temperature_)


class ProKeRRegressor(MultiOutputMixin, RegressorMixin, BaseProKeR):
    r"""Adapt a regressor to a few rows with a known target, in closed form.

    PLACEHOLDER
    """

    _parameter_constraints = {
        **BaseProKeR._parameter_constraints,
        "method": [StrOptions({"proker", "nadaraya_watson", "local_linear"})],
    }

    def __init__(
        self,
        estimator=None,
        *,
        method="proker",
        kernel="rbf",
        gamma="auto",
        alpha="auto",
        base_scale="auto",
        scaling="ridge",
        fit_intercept="auto",
        solver="auto",
        n_components=2000,
        tol=1e-8,
        max_iter=200,
        random_state=None,
    ):
        self.estimator = estimator
        self.method = method
        self.kernel = kernel
        self.gamma = gamma
        self.alpha = alpha
        self.base_scale = base_scale
        self.scaling = scaling
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Fit the base where it is not frozen, and the correction.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with a known target.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 counts as two rows.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._start()
        options = {"multi_output": True, "y_numeric": True}
        X, y, weight = self._checked(X, y, sample_weight, reset=True, **options)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        self.estimator_, base = None, None
        if self.estimator is not None:
            self.estimator_ = fit_base(self.estimator, X, y, weight)
            base = left_out_scores(self.estimator, self.estimator_, X, y, weight, None)
            self._check_targets(base, Y)
        self.n_targets_, self._flat = Y.shape[1], np.ndim(y) == 1
        rows = Rows(X, Y, base, np.ones(len(X)) if weight is None else weight)
        if self.method == "proker":
            scales = None
            if not isinstance(self.base_scale, str):
                scales = grid(self.base_scale, "base_scale", ())
            wants = self._intercept_wanted(False)
            self._select_ridge(rows, scales, fit_intercept=wants, scaling=self.scaling)
            self._fit_ridge(rows)
        else:
            self._fit_average(rows)
        return self

    def _check_targets(self, base, Y):
        if base.shape[1] != Y.shape[1]:
            raise ValueError(
                f"estimator predicts {base.shape[1]} targets, but y has {Y.shape[1]}: pass a base "
                "of the same targets."
            )

    def _fit_average(self, rows):
        """Average the residuals of the base over near rows."""
        best, w = None, rows.weight[:, None]
        for kernel in candidates(self.kernel, self.gamma, rows.X, rows.weight, AVERAGE_GRID):
            for scale in grid(self.base_scale, "base_scale", [1.0]):
                R = rows.Y if rows.base is None else rows.Y - scale * rows.base
                similarity = Similarity(kernel, rows.X)
                near = average(self.method, similarity, rows.X, rows.X, R, rows.weight, itself=True)
                for alpha in grid(self.alpha, "alpha", [1.0]):
                    loss = float((w * (R - alpha * near) ** 2).sum())
                    if best is None or loss < best[0]:
                        best = loss, kernel, alpha, scale, R
        _, self.kernel_, self.alpha_, self.base_scale_, self.dual_coef_ = best
        self.gamma_, self.X_fit_, self.n_iter_ = gamma_of(self.kernel_), rows.X, 1
        self._support, self._factor = vars(rows), None

    def partial_fit(self, X, y, sample_weight=None):
        """Add rows; what was chosen in the first call stays as it is.

        The base is not fitted again; the triangular factor of the kernel matrix grows by
        the new rows. The result is that of a ``fit`` on all rows with the same kernel, alpha
        and base scale.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with a known target.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        if not hasattr(self, "n_targets_"):
            return self.fit(X, y, sample_weight)
        self._start()
        options = {"multi_output": True, "y_numeric": True}
        X, y, weight = self._checked(X, y, sample_weight, reset=False, **options)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if Y.shape[1] != self.n_targets_:
            raise ValueError(f"y has {Y.shape[1]} targets, but the first call {self.n_targets_}.")
        new = Rows(X, Y, self._base_of(X), np.ones(len(X)) if weight is None else weight)
        if self.method == "proker":
            self._extend_ridge(new)
            return self
        rows = self._old_rows().joined(new)
        R = rows.Y if rows.base is None else rows.Y - self.base_scale_ * rows.base
        self.X_fit_, self.dual_coef_, self._support = rows.X, R, vars(rows)
        return self

    def predict(self, X):
        """Targets of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        X = self._query(X)
        base = self._base_of(X)
        if self.method == "proker":
            out = self._ridge_scores(X, base)
        else:
            similarity, weight = Similarity(self.kernel_, self.X_fit_), self._support["weight"]
            near = average(self.method, similarity, X, self.X_fit_, self.dual_coef_, weight)
            out = self.alpha_ * near + (0 if base is None else self.base_scale_ * base)
        return out[:, 0] if self._flat else out
