"""GroupCentering: rows less the mean of their group."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import row_labels
from skcontrast._component import check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, Self


class GroupCentering(OnSite, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Take the difference of groups out of an embedding: all get the same mean.

    .. math:: y = x - \mu_{g(x)} + \mu

    with the mean :math:`\mu_g` of each group and :math:`\mu` of all rows, those of ``fit``.
    Groups are what should not matter: the language or the length of a text, the laboratory or
    the batch of a sample, the modality of a row in a joint space (the modality gap).

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of all rows of ``fit``.

    groups_ : ndarray of shape (n_groups,)
        The groups, sorted; without any, of shape (0,).

    group_means_ : ndarray of shape (n_groups, n_features)
        Mean of each.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    Whitening : Takes out what all rows have in common.

    Notes
    -----
    Rows of a group that ``fit`` has not seen stay as they are. Where groups differ in what you
    want to know, such as in their classes, that is taken out too.

    In a Pipeline the groups are passed on by metadata routing:
    ``GroupCentering().set_fit_request(groups=True).set_transform_request(groups=True)``.

    References
    ----------
    Wu et al., "Unsupervised context aware sentence representation pretraining for multi-lingual
    dense retrieval", IJCAI 2022. Liang et al., "Mind the gap: understanding the modality gap in
    multi-modal contrastive representation learning", NeurIPS 2022.

    Examples
    --------
    >>> from skcontrast.postprocessing import GroupCentering
    >>> Z, groups = [[1.0], [3.0], [11.0], [13.0]], ["en", "en", "de", "de"]
    >>> centering = GroupCentering().fit(Z, groups=groups)
    >>> centering.transform(Z, groups=groups).ravel()
    array([6., 8., 6., 8.])
    >>> centering.transform([[12.0]], groups=["fr"])
    array([[12.]])
    """

    _parameter_constraints: dict = {}

    def fit(self: Self, X: ArrayLike, y: Any = None, *, groups: ArrayLike | None = None) -> Self:
        """Learn the mean of each group.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        y : None
            Ignored.

        groups : array-like of shape (n_samples,) or None, default=None
            Numbers or strings. With None there is nothing to take out.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        X = X.astype(np.float64)
        self.mean_ = X.mean(axis=0)
        if groups is None:
            self.groups_, self.group_means_ = np.array([]), np.empty((0, X.shape[1]))
            return self
        groups = row_labels(groups, "groups", len(X))
        self.groups_, codes = np.unique(groups, return_inverse=True)
        sums = np.zeros((len(self.groups_), X.shape[1]))
        np.add.at(sums, codes, X)
        self.group_means_ = sums / np.bincount(codes)[:, None]
        return self

    def transform(self, X: ArrayLike, *, groups: ArrayLike | None = None) -> np.ndarray:
        """Move rows by what their group differs from all.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        groups : array-like of shape (n_samples,) or None, default=None
            As in :meth:`fit`; None only where that got none.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
            In float32 where X is and else in float64.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        if groups is None and not len(self.groups_):
            return X.copy()
        if groups is None:
            raise ValueError(
                "fit got groups, and transform needs those of its own rows: type "
                "transform(X, groups=...)."
            )
        groups = row_labels(groups, "groups", len(X))
        if len(self.groups_) and _is_text(groups) != _is_text(self.groups_):
            kind = "strings" if _is_text(self.groups_) else "numbers"
            raise ValueError(
                f"groups is an array of type {groups.dtype}, and the groups of fit were {kind}: "
                f"pass {kind} here too."
            )
        shift = np.vstack([self.mean_ - self.group_means_, np.zeros(X.shape[1])])
        place = {group: i for i, group in enumerate(self.groups_.tolist())}
        codes = [place.get(group, -1) for group in groups.tolist()]
        return (X + shift[codes]).astype(X.dtype, copy=False)

    def fit_transform(
        self, X: ArrayLike, y: Any = None, *, groups: ArrayLike | None = None
    ) -> np.ndarray:
        """Do both on the same rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        y : None
            Ignored.

        groups : array-like of shape (n_samples,) or None, default=None
            Numbers or strings.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features)
        """
        return self.fit(X, groups=groups).transform(X, groups=groups)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _is_text(groups):
    return groups.dtype.kind in "OU"
