"""SparseCoder: an embedding as sparse codes, whose number of entries is chosen afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import refuse_huge
from skcontrast._component import Integral, Interval, Real, check_count, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, MatrixLike, RandomState, Self
from skcontrast.objectives import SparseReconstruction
from skcontrast.optimizers import AdamW
from skcontrast.representation._encoder import ContrastiveEncoder

# Rows whose columns are dense at a time.
BLOCK = 4096


class SparseCoder(OnSite, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn an embedding into sparse codes: a few entries of many columns, which keep neighbours.

    A linear layer makes more columns than there are, of which each row keeps the largest few. It
    is trained so that a linear map rebuilds the row from these, with
    :class:`skcontrast.objectives.SparseReconstruction`. Codes are compared by the cosine; sparse
    products make that fast.

    Parameters
    ----------
    n_components : int, default=None
        Number of columns. None is four times those of X.

    n_nonzero : int, default=32
        Entries of a code, at most: of the largest columns those that are positive. It may be set
        to a smaller number after the fit.

    contrast : float, default=0.1
        Weight of the contrast between the codes of two noised copies of a row.

    temperature : float, default=0.2
        Temperature of the contrast.

    dead_after : int, default=30
        Columns that no row has kept for more than so many batches are brought back.

    n_auxiliary : int, default=None
        How many of those a row is given. None is 512, or all.

    max_iter : int, default=50
        Number of epochs.

    batch_size : int, default=128
        Rows of a batch.

    learning_rate : float, default=1e-3
        Step size.

    device : str, default="auto"
        Where it is trained, as of :class:`ContrastiveEncoder`.

    random_state : int, RandomState instance or None, default=None
        Seed.

    Attributes
    ----------
    encoder_ : ContrastiveEncoder
        The layer, as it was trained.

    decoder_ : ndarray of shape (n_components, n_features)
        What each column stands for, in units of X.

    mean_ : ndarray of shape (n_features,)
        Mean of the rows of ``fit``.

    scale_ : float
        Their standard deviation, over all columns.

    offset_ : ndarray of shape (n_features,)
        What the decoder adds.

    n_iter_ : int
        Number of epochs run.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    skcontrast.postprocessing.BinaryCodes : Rows as bits, without a training.
    sklearn.decomposition.DictionaryLearning : Sparse codes by a search for each row.

    References
    ----------
    Wen et al., "Beyond Matryoshka: revisiting sparse coding for adaptive representation", ICML
    2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import SparseCoder
    >>> Z = np.random.default_rng(0).normal(size=(200, 16))
    >>> coder = SparseCoder(n_nonzero=4, max_iter=2, random_state=0).fit(Z)
    >>> codes = coder.transform(Z)
    >>> codes.shape, np.diff(codes.indptr).max()
    ((200, 64), np.int32(4))
    """

    _parameter_constraints = {
        **SparseReconstruction._parameter_constraints,
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 2, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        n_nonzero: int = 32,
        *,
        contrast: float = 0.1,
        temperature: float = 0.2,
        dead_after: int = 30,
        n_auxiliary: int | None = None,
        max_iter: int = 50,
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        device: str = "auto",
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.n_nonzero = n_nonzero
        self.contrast = contrast
        self.temperature = temperature
        self.dead_after = dead_after
        self.n_auxiliary = n_auxiliary
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    def fit(self: Self, X: ArrayLike, y: Any = None) -> Self:
        """Train the layer and its decoder.

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
        refuse_huge(X)
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        # One scale for all columns: lengths and cosines keep what they say.
        self.scale_ = float((X - self.mean_).std()) or 1.0
        names = "n_nonzero", "contrast", "temperature", "dead_after", "n_auxiliary"
        objective = SparseReconstruction(**{name: getattr(self, name) for name in names})
        self.encoder_ = ContrastiveEncoder(
            self.n_components or 4 * X.shape[1],
            objective=objective,
            network="linear",
            views="dropout" if self.contrast else None,
            n_views=2 if self.contrast else 1,
            passthrough=False,
            standardize=False,
            optimizer=AdamW(weight_decay=0.0),
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_iter=self.max_iter,
            device=self.device,
            random_state=self.random_state,
        ).fit(self._scaled(X))
        self.n_iter_ = self.encoder_.n_iter_
        decoder = self.encoder_.objective_weights_
        self.decoder_ = decoder["head.weight"].T.astype(np.float64) * self.scale_
        self.offset_ = decoder["head.bias"].astype(np.float64) * self.scale_ + self.mean_
        return self

    def _scaled(self, X):
        return (X - self.mean_) / self.scale_

    def transform(self, X: ArrayLike) -> sp.csr_matrix:
        """Give the codes of rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding.

        Returns
        -------
        codes : sparse matrix of shape (n_samples, n_components)
            Of format CSR, with at most ``n_nonzero`` entries a row.
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=(np.float64, np.float32))
        scaled = self._scaled(X)
        parts = [self._codes(scaled[i : i + BLOCK]) for i in range(0, len(X), BLOCK)]
        return sp.vstack(parts, format="csr").astype(X.dtype)

    def _codes(self, scaled):
        H = np.asarray(self.encoder_.transform(scaled))
        k = min(check_count(self.n_nonzero, "n_nonzero"), H.shape[1])
        columns = np.sort(np.argsort(-H, axis=1, kind="stable")[:, :k], axis=1)
        values = np.maximum(np.take_along_axis(H, columns, axis=1), 0)
        start = np.arange(len(H) + 1) * k
        codes = sp.csr_matrix((values.ravel(), columns.ravel(), start), shape=H.shape)
        codes.eliminate_zeros()
        return codes

    def inverse_transform(self, X: MatrixLike) -> np.ndarray:
        """Rebuild rows from their codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        X = check_array(X, accept_sparse="csr", dtype=(np.float64, np.float32), input_name="X")
        if X.shape[1] != len(self.decoder_):
            raise ValueError(
                f"X has {X.shape[1]} columns, and transform gives {len(self.decoder_)}: pass what "
                "it gave."
            )
        return np.asarray(X @ self.decoder_ + self.offset_).astype(X.dtype, copy=False)

    @property
    def _n_features_out(self):
        return len(self.decoder_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
