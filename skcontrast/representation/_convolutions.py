"""RandomConvolutions: what random convolutions find in series, as columns."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import Integral, Interval, check_parameters
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.convolutions import Convolutions
from skcontrast._inputs.series import SeriesInput
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, RandomState, RowsLike, Self


class RandomConvolutions(
    ColumnsOfInput, ClassNamePrefixFeaturesOutMixin, OwnState, TransformerMixin, BaseEstimator
):
    r"""Describe series by how often random convolutions exceed a bias: MiniRocket's features.

    .. math:: r_{jf}(x) = \frac{1}{|f|} \sum_{t \in f}
        \Big[\, \Big(w_j * \sum_{c \in C_j} x_c\Big)_t > b_j \,\Big]

    The kernels :math:`w_j` are the 84 of nine taps with weights -1 and, in three places, 2, each at
    several dilations. :math:`C_j` are channels drawn at random, the biases :math:`b_j` quantiles
    of what a kernel gives for one series of ``fit``, and f is the whole series, or one of
    ``n_fields`` equal parts of it. Every other kernel also reads zeros before the series and
    behind it. Nothing is trained.

    Parameters
    ----------
    n_features : int, default=2016
        Number of biases, rounded down to a multiple of 84, and 84 at least. The paper takes 9996.

    n_fields : int, default=1
        Number of parts of a series that are described one by one; there are as many columns for
        each bias.

    standardize : bool or "series", default=True
        Whether each channel is centred and scaled over all series and steps, or each series by
        itself.

    random_state : int, RandomState instance or None, default=None
        Seed of the channels, and of the series that the biases are taken from.

    Attributes
    ----------
    input_ : object
        What reads series, with their number of channels and length, ``shape_in_``.

    convolutions_ : object
        With ``dilations_``, ``channels_`` and ``biases_``.

    See Also
    --------
    skcontrast.SeriesContrastiveEncoder : Learns from these features.

    Notes
    -----
    Series are given as in :class:`skcontrast.SeriesContrastiveEncoder`. A missing value within a
    series is read as lying on a line between its neighbours; steps behind the end of a series take
    no part.

    References
    ----------
    Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for
    time series classification", KDD 2021. Tan et al., "MultiRocket: multiple pooling operators
    and transformations for fast and effective time series classification", Data Mining and
    Knowledge Discovery 36 (2022).

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import RandomConvolutions
    >>> X = np.random.default_rng(0).normal(size=(20, 3, 50))
    >>> RandomConvolutions(336, random_state=0).fit_transform(X).shape
    (20, 336)
    """

    _parameter_constraints = {
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_fields": [Interval(Integral, 1, None, closed="left")],
        "standardize": SeriesInput._parameter_constraints["standardize"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_features: int = 2016,
        *,
        n_fields: int = 1,
        standardize: bool | Literal["series"] = True,
        random_state: RandomState = None,
    ):
        self.n_features = n_features
        self.n_fields = n_fields
        self.standardize = standardize
        self.random_state = random_state

    def fit(self: Self, X: RowsLike, y: ArrayLike | None = None) -> Self:
        """Draw convolutions, and biases from what they give for single series.

        Parameters
        ----------
        X : array-like of shape (n_series, n_channels, length) or (n_series, length), or list
            Series, NaN where nothing was seen; a list holds arrays of unequal length.

        y : None
            Ignored, as in scikit-learn's transformers.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        source = SeriesInput(type(self).__name__, self.standardize)
        values, seen = source.convolvable(source.fit(X, n_least=1))
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        convolutions = Convolutions(self.n_features, self.n_fields)
        convolutions.fit(values, seen, np.random.default_rng(seed))
        self.input_, self.convolutions_ = source, convolutions
        return self

    def transform(self, X: RowsLike) -> np.ndarray:
        """Shares of the steps of each series at which each convolution exceeds its bias.

        Parameters
        ----------
        X : array-like of shape (n_series, n_channels, length) or (n_series, length), or list
            As in :meth:`fit`; series may be longer or shorter.

        Returns
        -------
        X_new : ndarray of shape (n_series, n_columns)
            Between 0 and 1; float32 for float32 series, else float64.
        """
        check_is_fitted(self)
        X = self.input_.read(X)
        return self.convolutions_.transform(*self.input_.convolvable(X)).astype(X.dtype)

    @property
    def _n_features_out(self):
        return len(self.convolutions_.biases_) * self.convolutions_.n_fields

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
