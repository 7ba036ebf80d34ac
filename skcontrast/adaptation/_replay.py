"""KernelReplayClassifier: a stream of classes, each remembered as a mixture to draw rows from."""

from __future__ import annotations

import warnings
from typing import Literal
from zlib import crc32

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    Integral,
    Interval,
    ShorthandMixin,
    StrOptions,
    check_parameters,
)
from skcontrast._inputs.target import classes_of, joined_classes
from skcontrast._typing import ArrayLike, Grid, MatrixLike, RandomState, Self
from skcontrast.adaptation._classifier import ProKeRClassifier
from skcontrast.adaptation._door import ReadsRows, check_size, whole
from skcontrast.adaptation._zero_shot import ScoreMixin, further_codes
from skcontrast.kernels import Kernel

# Of the mean variance of the columns of a class: no component is narrower.
LEAST_VARIANCE = 1e-3


class KernelReplayClassifier(ShorthandMixin, ScoreMixin, ReadsRows, BaseEstimator):
    """Learn classes one after the other, without keeping rows.

    A generative-replay kernel classifier: each class is remembered as a mixture of Gaussians with
    diagonal covariances. After each call of :meth:`partial_fit` rows of all classes are drawn
    from their mixtures, and kernel ridge regression is solved on these in closed form. Where a
    class comes whole, in one call, nothing that comes later changes its mixture: the order of the
    classes does not matter, and none is forgotten.

    Parameters
    ----------
    generator : {"gmm"}, default="gmm"
        What remembers a class: a mixture of Gaussians.

    n_components : int, default=5
        Gaussians of a class; fewer where it has fewer different rows.

    kernel : str or Kernel, default="rbf"
        A name in :data:`skcontrast.kernels.KERNELS`, or an object from
        :mod:`skcontrast.kernels`.

    gamma : float, array-like, "auto", "scale" or "median", default="auto"
        Width of the kernel, as in :class:`ProKeRClassifier`; a grid, as that of "auto", is
        chosen from by leave-one-out on the drawn rows.

    alpha : float, array-like or "auto", default="auto"
        Ridge, as in :class:`ProKeRClassifier`.

    n_drawn : int, default=100
        Rows that are drawn of each class.

    random_state : int, RandomState instance or None, default=None
        Seed of the mixtures and of what is drawn from them.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels seen.

    n_seen_ : ndarray of shape (n_classes,)
        Rows of each class that came.

    mixture_weights_ : ndarray of shape (n_classes, n_components)
        Weights of the Gaussians, 0 of those that a class does without.

    mixture_means_, mixture_variances_ : ndarray of shape (n_classes, n_components, n_features)
        Means and variances of the Gaussians, 0 of those that a class does without.

    classifier_ : ProKeRClassifier or None
        Kernel ridge regression on the drawn rows; None while there is one class.

    n_features_in_ : int
        Number of columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X is a DataFrame with string names.

    See Also
    --------
    ProKeRClassifier : Keeps the rows themselves.

    Notes
    -----
    Rows of a class that is known already are joined by as many rows as it had, drawn from its
    mixture, which is then fitted anew: a class that comes in many small pieces is known less and
    less well. The published method generates images by a network and trains the features of the
    kernel by a contrastive loss; here the features are the columns, such as those of a fitted
    encoder. Columns should be on one scale.

    References
    ----------
    Derakhshani et al., "Kernel continual learning", ICML 2021, and "Generative kernel continual
    learning", 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import KernelReplayClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = KernelReplayClassifier(random_state=0)
    >>> for species in range(3):
    ...     model = model.partial_fit(X[y == species], y[y == species])
    >>> model.predict(X[[0, 50, 100]])
    array([0, 1, 2])
    """

    _shorthand = {"kernel": "skcontrast.kernels:KERNELS"}

    _parameter_constraints = {
        "generator": [StrOptions({"gmm"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        **{
            name: ProKeRClassifier._parameter_constraints[name]
            for name in ("kernel", "gamma", "alpha", "random_state")
        },
        "n_drawn": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        generator: Literal["gmm"] = "gmm",
        n_components: int = 5,
        kernel: str | Kernel = "rbf",
        *,
        gamma: float | Grid | Literal["auto", "scale", "median"] = "auto",
        alpha: float | Grid | Literal["auto"] = "auto",
        n_drawn: int = 100,
        random_state: RandomState = None,
    ):
        self.generator = generator
        self.n_components = n_components
        self.kernel = kernel
        self.gamma = gamma
        self.alpha = alpha
        self.n_drawn = n_drawn
        self.random_state = random_state

    @whole
    def fit(self: Self, X: MatrixLike, y: ArrayLike) -> Self:
        """Begin anew, with the mixtures of the classes of these rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, read as those of :class:`ContrastiveEncoder`; those without a label are left
            out.

        y : array-like of shape (n_samples,)
            Labels. None, NaN, pandas.NA or -1 marks rows without one; where y holds just -1
            and one other number, -1 is a class.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        return self._add(X, *classes_of(y, type(self).__name__), first=True)

    @whole
    def partial_fit(
        self: Self, X: MatrixLike, y: ArrayLike, classes: ArrayLike | None = None
    ) -> Self:
        """Add rows of classes, which need not have been known before.

        Parameters
        ----------
        X, y
            As in :meth:`fit`; one class alone will do.

        classes : array-like, default=None
            Labels that y may hold; others are then an error. They need not be named.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        codes, found = further_codes(y, classes, getattr(self, "classes_", None), self)
        return self._add(X, codes, found, first=not hasattr(self, "classes_"))

    def _add(self, X, codes, found, first):
        X = self._read_rows(X, first)[1]
        check_consistent_length(X, codes)
        check_size(X, "X")
        if first:
            self._seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            shape = 0, int(self.n_components), X.shape[1]
            self.classes_, self.n_seen_ = found[:0], np.zeros(0, dtype=np.int64)
            self.mixture_weights_ = np.zeros(shape[:2])
            self.mixture_means_, self.mixture_variances_ = np.zeros(shape), np.zeros(shape)
        self._make_room(joined_classes(found, self.classes_, "earlier calls"))
        for code, label in enumerate(found):
            self._remember(np.searchsorted(self.classes_, label), X[codes == code])
        self.classifier_ = self._classifier() if len(self.classes_) > 1 else None
        return self

    def _make_room(self, classes):
        place, n = np.searchsorted(classes, self.classes_), len(classes)
        for name in ("n_seen_", "mixture_weights_", "mixture_means_", "mixture_variances_"):
            old = getattr(self, name)
            new = np.zeros((n, *old.shape[1:]), dtype=old.dtype)
            new[place] = old
            setattr(self, name, new)
        self.classes_ = classes

    def _remember(self, code, X):
        """Fit the mixture of a class to its rows, and to drawn ones in place of those before."""
        n_new, n_most = len(X), self.mixture_weights_.shape[1]
        if self.n_seen_[code]:
            X = np.concatenate([X, self._drawn(code, self.n_seen_[code])])
        unit = max(np.abs(X).max(), 1e-100)  # squares of tiny or large values are lost
        k, X = min(n_most, len(np.unique(X, axis=0))), X / unit
        least = LEAST_VARIANCE * X.var(axis=0).mean() or 1e-12
        mixture = GaussianMixture(k, covariance_type="diag", reg_covar=least)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.set_params(random_state=self._seed).fit(X if len(X) > 1 else X.repeat(2, 0))
        self.mixture_weights_[code] = np.pad(mixture.weights_, (0, n_most - k))
        self.mixture_means_[code, :k] = mixture.means_ * unit
        self.mixture_variances_[code, :k] = mixture.covariances_ * unit**2
        self.n_seen_[code] += n_new

    def _drawn(self, code, n):
        """Rows (n, d) from the mixture of a class: the same ones, whatever classes there are."""
        label = repr(self.classes_[code : code + 1].tolist())
        random = np.random.default_rng([self._seed, crc32(label.encode())])
        weight = self.mixture_weights_[code]
        of = random.choice(len(weight), size=n, p=weight / weight.sum())
        noise = random.standard_normal((n, self.mixture_means_.shape[2]))
        return self.mixture_means_[code, of] + noise * np.sqrt(self.mixture_variances_[code, of])

    def _classifier(self):
        """Kernel ridge regression in closed form, on drawn rows of all classes."""
        X = np.concatenate([self._drawn(c, self.n_drawn) for c in range(len(self.classes_))])
        ridge = ProKeRClassifier(
            method="proker",
            kernel=self.kernel,
            gamma=self.gamma,
            alpha=self.alpha,
            scaling="ridge",
            random_state=self._seed,
        )
        return ridge.fit(X, np.arange(len(self.classes_)).repeat(self.n_drawn))

    def _scores(self, X):
        check_is_fitted(self, "n_seen_")
        X = self._read_rows(X, False)[1]
        return np.ones((len(X), 1)) if self.classifier_ is None else self.classifier_._scores(X)

    def _logits(self, X):
        scores = self._scores(X)
        return scores if self.classifier_ is None else scores / self.classifier_.temperature_
