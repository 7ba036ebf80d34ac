"""Whitening: columns of an embedding without correlation, wholly or in part."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import centred
from skcontrast._component import Integral, Interval, Real, StrOptions, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, RandomState, Self
from skcontrast.postprocessing._directions import directions
from skcontrast.retrieval._exact import unit


class Whitening(OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Take the correlations out of an embedding, and the differences of variance, by a linear map.

    With the mean :math:`\mu` and the covariance :math:`C = V \mathrm{diag}(\lambda) V^\top` of
    the rows of ``fit``, the variances shrunk by s,
    :math:`\tilde\lambda = (1 - s) \lambda + s \bar\lambda`, and p the ``power``,

    .. math::
        \text{"zca"} \quad y = V \mathrm{diag}(\tilde\lambda^{-p/2}) V^\top (x - \mu), \qquad
        \text{"pca"} \quad y = \mathrm{diag}(\tilde\lambda^{-p/2}) V^\top (x - \mu)

    .. math::
        \text{"cholesky"} \quad y = L^{-1} (x - \mu), \qquad
        L L^\top = V \mathrm{diag}(\tilde\lambda^p) V^\top

    Parameters
    ----------
    n_components : int or None, default=None
        Number of directions that are kept, those of largest variance; None keeps all. They are
        the columns of "pca". The others have as many columns as the input all the same.

    method : {"zca", "pca", "cholesky"}, default="zca"
        "zca" stays as near to the input as white columns can. "pca" turns it to the directions
        of largest variance; "cholesky" makes each column of itself and of those before it. All
        three give the same distances.

    power : float, default=1.0
        1 makes all variances equal, 0 keeps them: "zca" then centres alone, and "pca" centres and
        turns. In between, the variances come nearer to each other.

    shrinkage : float or "auto", default="auto"
        How far variances are moved to their mean first, from 0 to 1. "auto" is the estimate of
        Ledoit and Wolf, of each group.

    n_groups : int, default=1
        Number of groups of columns, drawn at random; each is whitened by itself. One whitens all
        columns together. Several go without ``n_components`` and ``remove``.

    remove : int, default=0
        Number of directions of largest variance that are taken out first.

    normalize : bool, default=False
        Whether rows are brought to length 1 at the end. A row at the mean stays 0.

    random_state : int, RandomState instance or None, default=None
        Which columns are a group.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of the rows of ``fit``.

    components_ : ndarray of shape (n_components_, n_features)
        The map: the rows less the mean are multiplied by its transpose.

    n_components_ : int
        Number of columns of :meth:`transform`.

    eigenvalues_ : ndarray of shape (n_features,)
        Variances along the directions before shrinkage, falling within each group.

    shrinkage_ : ndarray of shape (n_groups,)
        The shrinkage of each group.

    permutation_ : ndarray of shape (n_features,)
        Columns in the order of the groups.

    n_dropped_ : int
        Number of directions that are lost, be it by ``n_components``, by ``remove`` or because
        the rows of ``fit`` do not vary along them.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    sklearn.decomposition.PCA : With ``whiten=True``, "pca" at power 1 without shrinkage.
    GroupCentering : Takes out the means of groups.

    Notes
    -----
    ``Whitening(power=0, remove=3)`` is known as all-but-the-top, and
    ``Whitening(256, method="pca", shrinkage=0, normalize=True)`` as BERT-whitening.

    Whitening spreads an embedding evenly, and usually makes its nearest neighbours worse; a
    power near 0 is the careful end. See :doc:`/postprocessing`.

    References
    ----------
    Kessy, Lewin and Strimmer, "Optimal whitening and decorrelation", The American Statistician
    72, 2018. Su et al., "Whitening sentence representations for better semantics and faster
    retrieval", 2021. Zhuo et al., "WhitenedCSE: whitening-based contrastive learning of sentence
    embeddings", ACL 2023. Ermolov et al., "Whitening for self-supervised representation
    learning", ICML 2021. Mu and Viswanath, "All-but-the-top: simple and effective postprocessing
    for word representations", ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.postprocessing import Whitening
    >>> rng = np.random.default_rng(0)
    >>> Z = rng.normal(size=(100, 3)) @ rng.normal(size=(3, 3))
    >>> np.cov(Whitening(shrinkage=0.0).fit_transform(Z).T).round(6) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions({"zca", "pca", "cholesky"})],
        "power": [Interval(Real, 0, 1, closed="both")],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"})],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "remove": [Interval(Integral, 0, None, closed="left")],
        "normalize": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        method: Literal["zca", "pca", "cholesky"] = "zca",
        power: float = 1.0,
        shrinkage: float | Literal["auto"] = "auto",
        n_groups: int = 1,
        remove: int = 0,
        normalize: bool = False,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.method = method
        self.power = power
        self.shrinkage = shrinkage
        self.n_groups = n_groups
        self.remove = remove
        self.normalize = normalize
        self.random_state = random_state

    def fit(self: Self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the mean and the map.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), ensure_min_samples=2)
        d = X.shape[1]
        self._check_options(d)
        mean, X = centred(X)
        order = np.arange(d)
        if self.n_groups > 1:
            order = check_random_state(self.random_state).permutation(d)
        groups = np.array_split(order, self.n_groups)
        found = [self._map(X[:, columns]) for columns in groups]
        maps, variances, shrinkages, n_kept = zip(*found)
        components = np.zeros((sum(map(len, maps)), d))
        start = 0
        for columns, weights in zip(groups, maps):
            own = np.arange(start, start + len(weights)) if self.method == "pca" else columns
            components[np.ix_(own, columns)] = weights
            start += len(weights)
        self.mean_, self.components_, self.permutation_ = mean, components, order
        self.eigenvalues_, self.shrinkage_ = np.concatenate(variances), np.array(shrinkages)
        self.n_components_, self.n_dropped_ = len(components), d - sum(n_kept)
        return self

    def _check_options(self, d):
        if self.n_groups > d:
            raise ValueError(
                f"n_groups={self.n_groups}, but there are n_features={d}: type n_groups={d} or "
                "less."
            )
        if self.remove >= d:
            raise ValueError(f"remove={self.remove} leaves nothing of n_features={d}: type less.")
        if self.n_groups > 1 and (self.remove or self.n_components is not None):
            raise ValueError(
                f"remove and n_components are of one group, and n_groups={self.n_groups}: type "
                "remove=0 and n_components=None, or n_groups=1."
            )
        if self.n_components is not None and self.n_components > d - self.remove:
            raise ValueError(
                f"n_components={self.n_components}, but there are n_features={d}"
                f"{f' less remove={self.remove}' if self.remove else ''}: type n_components="
                f"{d - self.remove} or less."
            )

    def _map(self, X):
        """The map of centred columns, their variances, the shrinkage, directions that are kept."""
        variances, V = directions(X)
        left = variances[self.remove :]
        s = self.shrinkage
        if s == "auto":
            rest = X @ V[:, self.remove :]
            s = ledoit_wolf_shrinkage(rest, assume_centered=True) if left.any() else 0.0
        shrunk = np.concatenate([variances[: self.remove], (1 - s) * left + s * left.mean()])
        # Directions without variance are lost, but where variances are kept as they are.
        kept = shrunk > len(variances) * np.finfo(float).eps * variances[0]
        kept |= self.power == 0
        scaled = np.where(kept, shrunk, 1) ** self.power
        kept[: self.remove] = False
        if self.n_components is not None:
            kept[self.remove + self.n_components :] = False
        if self.method == "pca":
            n = self.n_components or len(left)
            weights = (V * kept / np.sqrt(scaled)).T[self.remove :][:n]
        elif self.method == "zca":
            weights = (V * kept / np.sqrt(scaled)) @ V.T
        else:
            L = np.linalg.cholesky((V * scaled) @ V.T)
            weights = solve_triangular(L, (V * kept) @ V.T, lower=True)
        return weights, variances, float(s), int(kept.sum())

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Whiten rows, by what was learned from those of ``fit``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components_)
            In float32 where X is and else in float64.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        Z = (X.astype(np.float64) - self.mean_) @ self.components_.T
        return (unit(Z) if self.normalize else Z).astype(X.dtype, copy=False)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:
        """Go back to the space of the input.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components_)
            As :meth:`transform` gives them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)

        Raises
        ------
        ValueError
            Where directions were dropped, or with ``normalize=True`` the lengths of rows.
        """
        check_is_fitted(self)
        if self.normalize or self.n_dropped_:
            lost = "lengths of rows" if self.normalize else f"{self.n_dropped_} direction(s)"
            raise ValueError(
                f"there is no way back, as {lost} were dropped: fit without normalize, remove and "
                "n_components, and with a shrinkage above 0."
            )
        X = check_array(X, dtype=(np.float64, np.float32), input_name="X")
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {X.shape[1]} columns, and transform gives {self.n_components_}: pass what "
                "it gave."
            )
        original = np.linalg.solve(self.components_, X.astype(np.float64).T).T + self.mean_
        return original.astype(X.dtype, copy=False)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns: with "zca" those of the input, else the class and a number.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns of X; with "zca" they have to be those of ``fit``.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self)
        kind = OneToOneFeatureMixin if self.method == "zca" else ClassNamePrefixFeaturesOutMixin
        return kind.get_feature_names_out(self, input_features)

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
