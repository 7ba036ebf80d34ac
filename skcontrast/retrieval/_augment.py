"""RetrievalAugmenter: rows beside what their nearest rows of a memory hold."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    Real,
    StrOptions,
    check_parameters,
)
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, Estimator, Self
from skcontrast.retrieval._index import EmbeddingIndex


class RetrievalAugmenter(OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Put beside each row what its nearest rows of the training set hold.

    .. math:: \Big[\, x, \; \sum_{j \in \mathrm{kNN}(x)} a_j v_j \Big], \qquad a_j = 1 / k
        \;\text{("mean")} \quad\text{or}\quad a_j \propto e^{-D(x, x_j) / \tau}
        \;\text{("attention")}

    with the distance D of the index. The values :math:`v_j` are the training rows themselves, or
    those of another block that only training rows have, such as texts beside images.

    Parameters
    ----------
    index : estimator or None, default=None
        What finds neighbours: an object with ``fit`` and ``kneighbors``, which is cloned. None is
        ``EmbeddingIndex()``, with cosines.

    n_neighbors : int, default=10
        Number k of neighbours.

    fusion : {"mean", "attention"}, default="mean"
        How their values become one row.

    temperature : float, default=0.1
        The :math:`\tau` of "attention".

    Attributes
    ----------
    index_ : estimator
        The fitted index.

    memory_values_ : ndarray of shape (n_samples, n_values)
        What is read of the neighbours.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame with names.

    Notes
    -----
    ``fit_transform`` leaves each row out of its own neighbours, which ``fit(X).transform(X)`` does
    not: a model behind it would otherwise learn from what new rows do not have. In a Pipeline
    this goes by itself.

    References
    ----------
    Iscen et al., "Retrieval-enhanced contrastive vision-text models", ICLR 2024.

    Examples
    --------
    >>> from skcontrast.retrieval import RetrievalAugmenter
    >>> X, values = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], [[10.0], [20.0], [90.0]]
    >>> augment = RetrievalAugmenter(n_neighbors=2).fit(X, memory_values=values)
    >>> augment.transform([[1.0, 0.05]])
    array([[ 1.  ,  0.05, 15.  ]])
    """

    _parameter_constraints = {
        "index": [HasMethods(["fit", "kneighbors"]), None],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "fusion": [StrOptions({"mean", "attention"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        index: Estimator | None = None,
        *,
        n_neighbors: int = 10,
        fusion: Literal["mean", "attention"] = "mean",
        temperature: float = 0.1,
    ):
        self.index = index
        self.n_neighbors = n_neighbors
        self.fusion = fusion
        self.temperature = temperature

    def fit(
        self: Self, X: ArrayLike, y: Any = None, memory_values: ArrayLike | None = None
    ) -> Self:
        """Index the rows, and keep what is read of them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        memory_values : array-like of shape (n_samples, n_values), default=None
            What each row holds for others; None is X.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32))
        values = X
        if memory_values is not None:
            values = check_array(
                memory_values, dtype=(np.float64, np.float32), input_name="memory_values"
            )
            if len(values) != len(X):
                raise ValueError(
                    f"memory_values has {len(values)} rows and X has {len(X)}: pass one row for "
                    "each, in the same order."
                )
        index = EmbeddingIndex() if self.index is None else clone(self.index)
        self.index_, self.memory_values_ = index.fit(X), values
        return self

    def fit_transform(
        self, X: ArrayLike, y: Any = None, memory_values: ArrayLike | None = None
    ) -> np.ndarray:
        """Fit, and augment the same rows, none of which is its own neighbour.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : None
            Ignored.

        memory_values : array-like of shape (n_samples, n_values), default=None
            What each row holds for others; None is X.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features + n_values)
        """
        self.fit(X, y, memory_values)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        return self._beside(X, self.index_.kneighbors(None, self.n_neighbors))

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Rows beside the values of their nearest training rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_features + n_values)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        return self._beside(X, self.index_.kneighbors(X, self.n_neighbors))

    def _beside(self, X, neighbors):
        distance, ids = neighbors
        if self.fusion == "mean":
            weights = np.full(distance.shape, 1 / self.n_neighbors)
        else:
            weights = np.exp((distance.min(axis=1, keepdims=True) - distance) / self.temperature)
            weights /= weights.sum(axis=1, keepdims=True)
        fused = np.einsum("nk,nkv->nv", weights, self.memory_values_[ids])
        return np.concatenate([X, fused.astype(X.dtype)], axis=1)

    @property
    def _n_features_out(self):
        return self.n_features_in_ + self.memory_values_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
