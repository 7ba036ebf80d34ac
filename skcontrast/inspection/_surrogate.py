"""A linear model on a kernel matrix, which stands in for a network."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcontrast._component import HasMethods, Integral, Interval, Real, check_parameters
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.target import classes_of
from skcontrast._typing import ArrayLike, Estimator, Self
from skcontrast.adaptation._door import ReadsRows, whole
from skcontrast.adaptation._zero_shot import ScoreMixin
from skcontrast.functional._rows import tensor_of
from skcontrast.kernels import Kernel, TangentKernel


def kernel_matrix(kernel, X, rows):
    """Kernel matrix (m, n) of X (m, d) with the rows (n, d) that the kernel is built on."""
    with torch.no_grad():
        return kernel.build(rows)(tensor_of(X), tensor_of(rows)).numpy()


class TangentSurrogate(ScoreMixin, ReadsRows, BaseEstimator):
    r"""Kernel model that stands in for a network, to attribute its answers to rows.

    The kernel matrix of the training rows :math:`x_1 \dots x_N` is read as N features, on which
    one logistic regression for each class is fitted to the labels,

    .. math::

        f_c(x) = \sum_{i=1}^{N} w_{ci} k(x, x_i) + b_c, \qquad
        \min_{w_c, b_c} \frac{1}{N} \sum_i \omega_{ci} \log(1 + e^{-y_{ci} f_c(x_i)})
        + \frac{\alpha}{2} \|w_c\|^2

    with :math:`y_{ci} = \pm 1` for the rows of class c and for others, and :math:`\omega_{ci}`
    the balanced weight of c for its rows and 1 for others. With two classes there is one
    regression, for the second, with the balanced weights of both.

    Parameters
    ----------
    model : fitted encoder, Pipeline, nn.Module or Kernel
        The network, as in :class:`skcontrast.kernels.TangentKernel`, whose cosine form is taken;
        or the kernel itself, of any kind.

    alpha : float, default=1e-4
        Strength of the l2 penalty; 1e-4 was used for small networks, 1e-2 for large ones.

    max_iter : int, default=1000
        Most iterations of each regression.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.

    dual_coef_ : ndarray of shape (n_samples, n_classes)
        Weights :math:`w_{ci}`. With two classes those of the first are the negative ones of the
        second.

    intercept_ : ndarray of shape (n_classes,)
        Constants :math:`b_c`.

    X_fit_ : ndarray of shape (n_samples, n_features)
        Training rows that have a label.

    kernel_ : Kernel
        The kernel, with a copy of the network.

    n_features_in_ : int
        Number of columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X is a DataFrame with string names.

    Notes
    -----
    It is a model of its own, fitted to labels and not to the network. Whether it stands for the
    network has to be measured: by the rank correlation of both models' probabilities of the
    correct class on new rows, and by the accuracy of both.

    References
    ----------
    Engel et al., "Faithful and efficient explanations for neural networks via neural tangent
    kernel surrogate models", ICLR 2024.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.inspection import TangentSurrogate
    >>> X, y = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(n_components=4, max_iter=3, random_state=0).fit(X)
    >>> surrogate = TangentSurrogate(encoder).fit(X, y)
    >>> bool(surrogate.score(X, y) > 0.9)
    True
    """

    _parameter_constraints = {
        # Whether it has a network is for the kernel to say; a module has no fit.
        "model": [HasMethods(["fit"]), HasMethods(["parameters"]), Kernel],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self, model: Estimator | nn.Module | Kernel, alpha: float = 1e-4, max_iter: int = 1000
    ):
        self.model = model
        self.alpha = alpha
        self.max_iter = max_iter

    @whole
    def fit(self: Self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the regressions.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows that the model was trained on.

        y : array-like of shape (n_samples,)
            Their labels; rows without one (None, NaN, pandas.NA or -1, unless y holds just -1
            and one other number) are left out.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        codes, classes = (None, ()) if y is None else classes_of(y, "TangentSurrogate")
        X = self._read_rows(X, reset=True)[1]
        check_one_each(codes, len(X), "TangentSurrogate")
        X, codes, self.classes_ = X[codes >= 0], codes[codes >= 0], classes
        n, C = len(X), len(classes)
        kernel = self.model if isinstance(self.model, Kernel) else TangentKernel(self.model)
        self.kernel_, self.X_fit_ = clone(kernel), X
        K = kernel_matrix(self.kernel_, X, X)
        balanced = n / (C * np.bincount(codes))
        self.dual_coef_, self.intercept_ = np.empty((n, C)), np.empty(C)
        for c in range(1 if C == 2 else 0, C):
            weight = np.where(codes == c, balanced[c], balanced[0] if C == 2 else 1.0)
            # scikit-learn multiplies the sum of the losses, not the penalty.
            linear = LogisticRegression(C=1 / (self.alpha * n), max_iter=self.max_iter)
            linear.fit(K, codes == c, sample_weight=weight)
            self.dual_coef_[:, c], self.intercept_[c] = linear.coef_[0], linear.intercept_[0]
        if C == 2:
            self.dual_coef_[:, 0], self.intercept_[0] = -self.dual_coef_[:, 1], -self.intercept_[1]
        return self

    def _scores(self, X):
        check_is_fitted(self, "dual_coef_")
        X = self._read_rows(X, reset=False)[1]
        K = kernel_matrix(self.kernel_, X, self.X_fit_)
        return K @ self.dual_coef_ + self.intercept_

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Log-odds of each class against the others.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,)
            With two classes the score of the second.
        """
        scores = self._scores(X)
        return scores[:, 1] if scores.shape[1] == 2 else scores

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Logistic function of the scores, scaled to the sum one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        # The largest of the odds, factored out: no row sums to zero.
        scores = self._scores(X)
        log_p = -np.logaddexp(0, -scores)
        P = np.exp(log_p - log_p.max(axis=1, keepdims=True))
        return P / P.sum(axis=1, keepdims=True)
