"""BinaryCodes: rows as a few bits whose differences follow their distances."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import centred
from skcontrast._canonical import products_by_row
from skcontrast._component import Integral, Interval, StrOptions, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, RandomState, Self
from skcontrast.postprocessing._directions import directions

# Steps of the rotation, as in the paper, and rows that it is learned from at most.
N_STEPS, N_LEARN = 50, 20_000


class BinaryCodes(OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    r"""Turn rows into binary codes: near rows differ in few bits.

    Rows are centred, brought to the b directions of largest variance, W, and rotated by R; a bit
    says on which side of 0 they are then,

    .. math:: B = [(X - \mu) W R > 0]

    The rotation spreads the variance over all bits. "itq" starts at a random one and looks for
    the one with which the rows are nearest to corners of a cube: 50 times, B are the signs, and R
    the rotation that brings the rows nearest to them.

    Parameters
    ----------
    n_bits : int, default=64
        Length of the codes, at most the number of columns.

    rotation : {"itq", "random"} or None, default="itq"
        "random" takes any rotation, None none. Without one, codes become worse by more bits, as
        those of small variance count as much as the others.

    packed : bool, default=False
        Whether eight bits make a byte, as ``numpy.packbits`` gives them. Otherwise each is a
        column of 0 and 1.

    random_state : int, RandomState instance or None, default=None
        Seed of the rotation.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,)
        Mean of the rows of ``fit``.

    components_ : ndarray of shape (n_bits, n_features)
        Directions, rotated: the bits are the signs of their products with rows less the mean.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    skcontrast.retrieval.EmbeddingIndex : With ``algorithm="signs"`` or ``"codes"``, an index that
        holds a few bytes a row and compares them with whole queries.

    Notes
    -----
    Neighbours are found by ``NearestNeighbors(metric="hamming")``. How much of a search is lost
    by how many bits is in :doc:`/postprocessing_quality`.

    References
    ----------
    Gong and Lazebnik, "Iterative quantization: a Procrustean approach to learning binary codes",
    CVPR 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.postprocessing import BinaryCodes
    >>> Z = np.random.default_rng(0).normal(size=(100, 32))
    >>> codes = BinaryCodes(16, random_state=0).fit(Z)
    >>> codes.transform(Z[:1])
    array([[1, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1]], dtype=uint8)
    >>> near = Z[:1] + 0.1
    >>> (codes.transform(near) != codes.transform(Z[:1])).sum()
    np.int64(0)
    """

    _parameter_constraints = {
        "n_bits": [Interval(Integral, 1, None, closed="left")],
        "rotation": [StrOptions({"itq", "random"}), None],
        "packed": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_bits: int = 64,
        *,
        rotation: Literal["itq", "random"] | None = "itq",
        packed: bool = False,
        random_state: RandomState = None,
    ):
        self.n_bits = n_bits
        self.rotation = rotation
        self.packed = packed
        self.random_state = random_state

    def fit(self: Self, X: ArrayLike, y: Any = None) -> Self:
        """Learn the directions and their rotation.

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
        if self.n_bits > X.shape[1]:
            raise ValueError(
                f"n_bits={self.n_bits}, but there are n_features={X.shape[1]}: type n_bits="
                f"{X.shape[1]} or less."
            )
        mean, X = centred(X)
        W = directions(X)[1][:, : self.n_bits]
        rng = check_random_state(self.random_state)
        if self.rotation is not None:
            R = np.linalg.qr(rng.normal(size=(self.n_bits, self.n_bits)))[0]
            if self.rotation == "itq":
                V = X[np.sort(rng.permutation(len(X))[:N_LEARN])] @ W
                for _ in range(N_STEPS):
                    U, _, S = np.linalg.svd(V.T @ np.where(V @ R > 0, 1.0, -1.0))
                    R = U @ S
            W = W @ R
        self.mean_, self.components_ = mean, W.T
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Give the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        Returns
        -------
        codes : uint8 ndarray of shape (n_samples, n_bits)
            Of 0 and 1; with ``packed=True`` of shape (n_samples, ceil(n_bits / 8)).
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        bits = (products_by_row(X - self.mean_, self.components_.T) > 0).astype(np.uint8)
        return np.packbits(bits, axis=1) if self.packed else bits

    @property
    def _n_features_out(self):
        n_bits = len(self.components_)
        return -(-n_bits // 8) if self.packed else n_bits

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
