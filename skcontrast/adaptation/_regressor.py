"""ProKeRRegressor: a few rows with a known target added to any regressor."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin

from skcontrast._component import StrOptions
from skcontrast._inputs.target import check_numbers
from skcontrast._typing import ArrayLike, Estimator, Grid, MatrixLike, RandomState, Self
from skcontrast.adaptation._base_scores import fit_base, left_out_scores
from skcontrast.adaptation._cache import average
from skcontrast.adaptation._copies import clumps
from skcontrast.adaptation._door import check_size, whole
from skcontrast.adaptation._frame import BaseProKeR, grid
from skcontrast.adaptation._selection import Rows
from skcontrast.adaptation._similarity import AVERAGE_GRID, Similarity, candidates, gamma_of
from skcontrast.kernels import Kernel


class ProKeRRegressor(MultiOutputMixin, RegressorMixin, BaseProKeR):
    r"""Adapt a regressor to a few rows with a known target, in closed form.

    With S the n rows, Y their targets, :math:`K = k(S, S)` and :math:`f_0` the base,

    .. math:: f(x) = s f_0(x) + b + k(x, S) (K + \alpha I)^{-1} (Y - s f_0(S) - b)

    the least-squares fit that strays least from the base in the norm of the kernel. The
    kernel's width, :math:`\alpha` and s are chosen by exact leave-one-out; one
    eigendecomposition serves all :math:`\alpha` and s.

    Parameters
    ----------
    estimator : regressor or None, default=None
        The base. A copy is fitted on the rows given to ``fit``, and its predictions of these
        are taken from five folds. Wrap a fitted one in
        :class:`sklearn.frozen.FrozenEstimator` to adapt it as it is. None: with the default
        kernel, a linear term in the kernel stands in for a base, as far as leave-one-out
        wants it.

    method : {"proker", "nadaraya_watson", "local_linear"}, default="proker"
        The formula above, or the residuals of the base averaged over near rows: weighted by
        the kernel, or by a locally weighted line.

    alpha : float, array-like or "auto", default="auto"
        Ridge; for "nadaraya_watson" and "local_linear" the weight of what is added, where
        "auto" is 1. A grid is chosen from by leave-one-out.

    base_scale : float, array-like or "auto", default="auto"
        Factor s of the base. "auto" is 1 but for "proker": the best by leave-one-out, or for a
        base that is fitted on these rows, the best of the base alone.

    scaling : {"reference", "ridge"}, default="ridge"
        "reference" multiplies the correction by alpha, as the published code does.

    fit_intercept : bool or "auto", default="auto"
        Whether there is a constant b, which is not shrunk; "auto" is yes.

    kernel, gamma, solver : default=as in ProKeRClassifier
        See :class:`ProKeRClassifier`.

    n_components, tol, max_iter, random_state : default=as in ProKeRClassifier
        See :class:`ProKeRClassifier`.

    Attributes
    ----------
    estimator_ : regressor or None
        The fitted base.

    dual_coef_ : ndarray of shape (n_rows, n_targets)
        Coefficients of the kernel with the rows ``X_fit_``.

    intercept_ : ndarray of shape (n_targets,)
        The constant b.

    X_fit_, kernel_, gamma_, alpha_, base_scale_, n_iter_, n_features_in_, feature_names_in_
        See :class:`ProKeRClassifier`.

    References
    ----------
    Bendou et al., "ProKeR: a kernel perspective on few-shot adaptation of large
    vision-language models", CVPR 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LinearRegression
    >>> from skcontrast import ProKeRRegressor
    >>> x = np.linspace(0, 3, 40)[:, None]
    >>> known = LinearRegression().fit(x, 2 * x[:, 0])
    >>> few = np.linspace(0, 3, 12)[:, None]
    >>> adapted = ProKeRRegressor(FrozenEstimator(known))
    >>> adapted = adapted.fit(few, 2 * few[:, 0] + np.sin(3 * few[:, 0]))
    >>> bool(adapted.score(x, 2 * x[:, 0] + np.sin(3 * x[:, 0])) > 0.99)
    True
    """

    _parameter_constraints = {
        **BaseProKeR._parameter_constraints,
        "method": [StrOptions({"proker", "nadaraya_watson", "local_linear"})],
    }

    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        method: Literal["proker", "nadaraya_watson", "local_linear"] = "proker",
        kernel: str | Kernel = "rbf",
        gamma: float | Grid | Literal["auto", "scale", "median"] = "auto",
        alpha: float | Grid | Literal["auto"] = "auto",
        base_scale: float | Grid | Literal["auto"] = "auto",
        scaling: Literal["reference", "ridge"] = "ridge",
        fit_intercept: bool | Literal["auto"] = "auto",
        solver: Literal["auto", "cholesky", "nystroem", "cg"] = "auto",
        n_components: int = 2000,
        tol: float = 1e-8,
        max_iter: int = 200,
        random_state: RandomState = None,
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

    @whole
    def fit(
        self: Self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the base where it is not frozen, and the correction.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, read as those of :class:`ContrastiveEncoder`. The base gets a DataFrame as it is.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; rows with a NaN are left out.

        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 is the same as a row twice.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are views of one row: they are left out together, and count as
            one row. Rows that are equal, with equal targets, are left out together in any case.

        Returns
        -------
        self : object
        """
        raw, X, Y, weight, groups = self._with_target(X, y, (sample_weight, groups), True)
        self._flat = np.asarray(y).ndim == 1
        target = Y[:, 0] if self._flat else Y
        together = clumps(X, Y, groups)
        self.estimator_, base = None, None
        if self.estimator is not None:
            self.estimator_ = fit_base(self.estimator, raw, target, weight)
            args = self.estimator, self.estimator_, raw, target, weight, None, together
            base = left_out_scores(*args)
            self._check_targets(base, Y)
        self.n_targets_ = Y.shape[1]
        rows = Rows(X, Y, base, weight, None, together)
        if self.method == "proker":
            scales, wants = grid(self.base_scale, "base_scale", None), self._intercept_wanted(False)
            self._fit_ridge(rows, rows.merged(), False, scales, wants, self.scaling)
        else:
            self._fit_average(rows, rows.merged())
        return self

    def _with_target(self, X, y, beside, reset):
        """The rows that have a target, with it as a matrix (n, t), and what is beside."""
        self._start()
        if y is None:
            raise ValueError(
                "ProKeRRegressor requires y to be passed, but the target y is None: type fit(X, y)."
            )
        Y = check_numbers(y)
        check_size(np.nan_to_num(Y), "y")
        return self._labelled(X, Y, ~np.isnan(Y).any(axis=1), beside, reset)

    def _check_targets(self, base, Y):
        if base.shape[1] != Y.shape[1]:
            raise ValueError(
                f"estimator predicts {base.shape[1]} targets, but y has {Y.shape[1]}: pass a base "
                "of the same targets."
            )

    def _fit_average(self, rows, known):
        """Average the residuals of the base over near rows."""
        best, X, weight = None, known.X, known.weight
        for kernel in candidates(self.kernel, self.gamma, X, weight, AVERAGE_GRID):
            for scale in grid(self.base_scale, "base_scale", [1.0]):
                R = known.Y if known.base is None else known.Y - scale * known.base
                near = average(self.method, Similarity(kernel, X), X, X, R, weight, itself=True)
                for alpha in grid(self.alpha, "alpha", [1.0]):
                    loss = float((weight[:, None] * (R - alpha * near) ** 2).sum())
                    if best is None or loss < best[0]:
                        best = loss, kernel, alpha, scale
        _, self.kernel_, self.alpha_, self.base_scale_ = best
        self.gamma_, self.n_iter_, self._factor = gamma_of(self.kernel_), 1, None
        self.X_fit_, self.dual_coef_, self._support = rows.X, self._residuals(rows), vars(rows)

    @whole
    def partial_fit(
        self: Self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Add rows; what was chosen in the first call stays as it is.

        The base is not fitted again; the triangular factor of the kernel matrix grows by
        the new rows. The result is that of a ``fit`` on all rows with the same kernel, alpha
        and base scale.

        Parameters
        ----------
        X, y, sample_weight, groups
            As in :meth:`fit`; groups are those of this call.

        Returns
        -------
        self : object
        """
        if not hasattr(self, "n_targets_"):
            return self.fit(X, y, sample_weight, groups=groups)
        raw, X, Y, weight, groups = self._with_target(X, y, (sample_weight, groups), False)
        if Y.shape[1] != self.n_targets_:
            raise ValueError(
                f"y has {Y.shape[1]} targets, but the first call had {self.n_targets_}: pass as "
                "many, or fit on all rows."
            )
        new = Rows(X, Y, self._base_of(raw), weight, None, clumps(X, Y, groups))
        rows = self._with_old_rows(new, False)
        if self.method == "proker":
            self._extend_ridge(rows, new, False)
            return self
        self.X_fit_, self.dual_coef_, self._support = rows.X, self._residuals(rows), vars(rows)
        return self

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Targets of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        X, base = self._query(X)
        if self.method == "proker":
            out = self._ridge_scores(X, base)
        else:
            similarity, weight = Similarity(self.kernel_, self.X_fit_), self._support["weight"]
            near = average(self.method, similarity, X, self.X_fit_, self.dual_coef_, weight)
            out = self.alpha_ * near + (0 if base is None else self.base_scale_ * base)
        return out[:, 0] if self._flat else out
