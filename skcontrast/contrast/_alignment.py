"""CorrelationAlignment: domains brought to one mean and one covariance."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skcontrast._arrays import row_labels
from skcontrast._canonical import products_by_row
from skcontrast._component import Integral, Interval, Real, check_parameters, warn
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.table import TableInput
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, RowsLike, Self
from skcontrast.contrast._tables import numbers


class CorrelationAlignment(
    ColumnsOfInput, OneToOneFeatureMixin, OnSite, TransformerMixin, BaseEstimator
):
    r"""Bring the rows of several domains to one mean and one covariance: CORAL.

    A domain is a set of rows that were measured in another way than the rest, such as at another
    site or with another device. With the mean :math:`\mu_D` and covariance :math:`C_D` of a
    domain, and those of the target, which is all domains pooled or one of them,

    .. math:: x' = (x - \mu_D) (C_D + \epsilon I)^{-1/2} (C_T + \epsilon I)^{1/2} + \mu_T

    A classifier that was trained on the labelled rows of one domain then serves another one
    better, where the domains have alike shares of the classes.

    Parameters
    ----------
    regularization : float, default=1.0
        The share :math:`\epsilon`, in units of the mean variance of a column of the target. Large
        values bring means together and little else.

    target : int, str or None, default=None
        The domain that the others are brought to. None is all of them: the mean of all rows, and
        the mean of the covariances by the number of rows.

    Attributes
    ----------
    domains_ : ndarray of shape (n_domains,)
        The domains of the fit.

    means_ : ndarray of shape (n_domains, n_features_in_)
        Their means.

    maps_ : ndarray of shape (n_domains, n_features_in_, n_features_in_)
        What a centred row of each is multiplied by.

    mean_ : ndarray of shape (n_features_in_,)
        Mean of the target.

    input_ : object
        What reads tables.

    n_features_in_ : int
        Number of columns of X.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, when all are strings.

    See Also
    --------
    skcontrast.objectives.CrossEntropy : With ``information``, learns from a domain without labels.

    Notes
    -----
    In a pipeline request the domains twice: ``CorrelationAlignment().set_fit_request(domains=True)
    .set_transform_request(domains=True)``. Standardise columns of unequal units before.

    References
    ----------
    Sun, Feng and Saenko, "Return of frustratingly easy domain adaptation", AAAI 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import CorrelationAlignment
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(["a", "b"], 100)
    >>> X = rng.normal(size=(200, 3)) + 5 * (site == "b")[:, None]
    >>> X = CorrelationAlignment().fit_transform(X, domains=site)
    >>> np.abs(X[:100].mean(axis=0) - X[100:].mean(axis=0)).max().round(3)
    np.float64(0.0)
    """

    _parameter_constraints = {
        "regularization": [Interval(Real, 0, None, closed="left")],
        "target": [str, Integral, None],
    }

    def __init__(self, *, regularization: float = 1.0, target: int | str | None = None):
        self.regularization = regularization
        self.target = target

    def fit(
        self: Self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        domains: ArrayLike | None = None,
    ) -> Self:
        """Learn the mean and covariance of each domain.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)

        y : None
            Ignored, as in scikit-learn's transformers.

        domains : array-like of shape (n_samples,), default=None
            Domain of each row, a number or string. None warns: all rows are of one domain, and
            stay as they are.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        source = TableInput(type(self).__name__)
        X = numbers(source.fit_columns, X, source).astype(np.float64)
        if domains is None:
            warn(
                "No domains were given, so that rows stay as they are: type fit(X, domains=...) "
                "and, inside a Pipeline or a search, request them with "
                "set_fit_request(domains=True) and set_transform_request(domains=True)."
            )
        names, codes = np.unique(_checked(domains, len(X)), return_inverse=True)
        counts = np.bincount(codes)
        if counts.min() < 2:
            raise ValueError(
                f"Domain {names[counts.argmin()].item()!r} has one row, of which there is no "
                "covariance: leave it out, or put it to another domain."
            )
        parts = [X[codes == k] for k in range(len(names))]
        means = np.array([part.mean(axis=0) for part in parts])
        covariances = np.array(
            [np.cov(part, rowvar=False).reshape(2 * X.shape[1:]) for part in parts]
        )
        mean, covariance = X.mean(axis=0), np.average(covariances, axis=0, weights=counts)
        if self.target is not None:
            found = np.flatnonzero(names == self.target)
            if not len(found):
                there = "there are none" if domains is None else f"they are {_listed(names)}"
                raise ValueError(
                    f"target={self.target!r} is not one of the domains: {there}. Type one of "
                    "fit(X, domains=...) or target=None."
                )
            mean, covariance = means[found[0]], covariances[found[0]]
        ridge = self.regularization * np.trace(covariance) / len(mean)
        colour = _power(covariance, ridge, 0.5)
        self.maps_ = np.array([_power(C, ridge, -0.5) @ colour for C in covariances])
        self.input_, self.domains_, self.means_, self.mean_ = source, names, means, mean
        return self

    def transform(self, X: RowsLike, *, domains: ArrayLike | None = None) -> np.ndarray:
        """Bring rows to the mean and covariance of the target.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)

        domains : array-like of shape (n_samples,), default=None
            Domain of each row, one of ``domains_``. None where the fit had none.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            float32 for float32 rows, else float64.
        """
        check_is_fitted(self, "maps_")
        X = numbers(self.input_.read, X, self.input_)
        if domains is None and not self._is_alone():
            raise ValueError(
                f"{type(self).__name__} was fitted on the domains {_listed(self.domains_)}: pass "
                "transform(X, domains=...) and, inside a Pipeline, request it with "
                "set_transform_request(domains=True)."
            )
        domains, out = _checked(domains, len(X)), np.empty(X.shape)
        unknown = np.setdiff1d(domains, self.domains_)
        if len(unknown):
            of_fit = "which had none" if self._is_alone() else _listed(self.domains_)
            raise ValueError(
                f"Domains {_listed(unknown)} are none of the fit, {of_fit}: fit on rows of them "
                "too, which need no labels."
            )
        for name, mean, turned in zip(self.domains_, self.means_, self.maps_):
            mine = domains == name
            out[mine] = products_by_row(X[mine] - mean, turned) + self.mean_
        return out.astype(X.dtype, copy=False)

    def _is_alone(self):
        return len(self.domains_) == 1 and self.domains_[0] == _ALONE

    def fit_transform(
        self, X: RowsLike, y: ArrayLike | None = None, *, domains: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, and bring the same rows to the target.

        Parameters
        ----------
        X : {array-like, DataFrame} of shape (n_samples, n_features)

        y : None
            Ignored.

        domains : array-like of shape (n_samples,), default=None
            Domain of each row.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
        """
        return self.fit(X, y, domains=domains).transform(X, domains=domains)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


# The domain of rows that were given none.
_ALONE = ""


def _checked(domains, n):
    """Domains of rows as an array (n,) of numbers, dates or strings."""
    return np.full(n, _ALONE) if domains is None else row_labels(domains, "domains", n)


def _power(C, ridge, power):
    """(C + ridge I) to a power; directions without variance are left out of an inverse."""
    values, vectors = eigh(C)
    values = np.maximum(values, 0) + ridge
    least = 1e-12 * max(values[-1], np.finfo(float).tiny)
    return (vectors * np.where(values > least, np.maximum(values, least) ** power, 0)) @ vectors.T


def _listed(names):
    return ", ".join(map(repr, names[:5].tolist())) + (", ..." if len(names) > 5 else "")
