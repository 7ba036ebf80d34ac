"""Series: collections of them, of several channels and of unequal length, as batches of steps."""

import warnings

import numpy as np
import scipy.sparse as sp
import torch

from skcontrast._arrays import refuse_masked
from skcontrast._component import StrOptions, warn
from skcontrast._inputs.base import Input
from skcontrast._inputs.columns import untorched
from skcontrast._inputs.frame import category_names, check_names, is_frame
from skcontrast._inputs.rows import BOUND, Rows
from skcontrast.functional._rows import tensor_of

# What scikit-learn is to check of series.
NUMBERS = {"dtype": (np.float64, np.float32), "ensure_all_finite": "allow-nan"}
# A deviation below is one of a channel that is constant.
LEAST_DEVIATION = 1e-8


class SeriesBatch:
    """Series of one batch.

    ``values`` (n, n_channels, length) are zero where nothing was seen, and ``mask``
    (n, 1, length) is 1 at steps of which some channel was seen, else 0.
    """

    def __init__(self, values, mask):
        self.values, self.mask = values, mask

    def __len__(self):
        return len(self.values)

    @property
    def shape(self):
        """(n, n_channels, length)."""
        return self.values.shape

    @property
    def device(self):
        """Where the tensors are."""
        return self.values.device

    @property
    def dtype(self):
        """Type of the values."""
        return self.values.dtype

    def lengths(self):
        """Steps up to the last one seen: (n,)."""
        step = torch.arange(1, self.shape[2] + 1, device=self.device)
        return (step * (self.mask[:, 0] > 0)).amax(dim=1)

    def with_values(self, values):
        """The batch with other values of the same steps."""
        return SeriesBatch(values, self.mask)

    def clone(self):
        """A copy that may be written into."""
        return SeriesBatch(self.values.clone(), self.mask.clone())

    def to(self, device):
        """The batch on ``device``."""
        moved = (t.to(device, non_blocking=True) for t in (self.values, self.mask))
        return SeriesBatch(*moved)

    def padded(self, missing):
        """The batch with its first series ``missing`` times more at its end."""
        index = torch.arange(len(self) + missing, device=self.device)
        return self.take(torch.where(index < len(self), index, 0))

    def take(self, index):
        """The series ``index`` (m,) of the batch."""
        return SeriesBatch(self.values[index], self.mask[index])

    def split(self, size):
        """Batches of ``size`` series each, in order."""
        return map(SeriesBatch, self.values.split(size), self.mask.split(size))

    @staticmethod
    def joined(batches):
        """Stack batches of series of one length, row after row."""
        return SeriesBatch(
            torch.cat([batch.values for batch in batches]),
            torch.cat([batch.mask for batch in batches]),
        )


class SeriesRows(Rows):
    """All series of a training, on the device."""

    kind = "series"

    def _store(self, X):
        self._batch = SeriesBatch(*(tensor_of(a).to(self.dtype).to(self.device) for a in X.parts))
        self.index_device = self.device

    def take(self, index):
        """The series ``index`` as a SeriesBatch."""
        return self._batch.take(index)


class Masked:
    """Standardised series as two arrays: values without NaN, and where something was seen."""

    def __init__(self, X):
        seen = ~np.isnan(X)
        self.parts = np.where(seen, X, 0), seen.any(axis=1, keepdims=True)
        self.shape = X.shape


class SeriesInput(Input):
    """Collections of series, with masks for steps that are missing or behind the end of one.

    What :meth:`fit` and :meth:`read` give is a float array (n, n_channels, length) with NaN
    where nothing was seen.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    standardize : bool or "series", default=True
        Whether each channel is centred and scaled over all series and steps, or each series by
        itself.

    Attributes
    ----------
    shape_in_ : tuple (n_channels, length)

    mean_, scale_ : ndarray of shape (n_channels,) or None

    is_aligned_ : bool
        Whether all series are as long as one another.
    """

    kind = "series"
    choices = {"network": "dilated", "views": "crop", "clean_anchor": False, "width": 256}
    _parameter_constraints = {"owner": [str], "standardize": ["boolean", StrOptions({"series"})]}

    def __init__(self, owner="estimator", standardize=True):
        self.owner = owner
        self.standardize = standardize

    @property
    def n_features(self):
        """Number of channels, which networks are built for."""
        return self.shape_in_[0]

    def fit(self, X, n_least=2):
        """Check the series of a fit, and learn the scale of their channels."""
        X = at_hand(X)
        self._flat = np.ndim(X) == 2 if not is_ragged(X) else False
        X = self._checked(X, True, n_least)
        self.shape_in_ = X.shape[1:]
        self.is_aligned_ = not np.isnan(X[:, :, -1]).all(axis=1).any()
        self._learn_scale(X)
        return X

    def _learn_scale(self, X):
        self.mean_ = self.scale_ = None
        if self.standardize is True:
            self.mean_, self.scale_ = _moments(X, (0, 2))

    def read(self, X, n_least=1):
        """Check other series against those of the fit; shorter ones are padded to their length."""
        X = at_hand(X)
        n_channels, length = self.shape_in_
        if not is_ragged(X) and np.ndim(X) == 2 and not self._flat:
            if n_channels > 1:
                raise ValueError(
                    f"X has the shape {np.shape(X)}, but fit read series of {n_channels} channels: "
                    f"pass an array of shape (n_series, {n_channels}, length)."
                )
            X = np.asarray(X)[:, None]
        X = self._checked(X, False, n_least)
        missing = length - X.shape[2]
        if missing > 0:
            X = np.pad(X, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
        return X

    def standardized(self, X):
        """Checked series on the scale on which a network reads them, NaN where nothing was."""
        X = X.astype(np.float64)
        if self.standardize == "series":
            mean, scale = _moments(X, 2)
            X = (X - mean[:, :, None]) / scale[:, :, None]
        elif self.scale_ is not None:
            with np.errstate(over="ignore"):
                X = (X - self.mean_[:, None]) / self.scale_[:, None]
        else:
            return X
        return np.clip(X, -BOUND, BOUND)

    def convolvable(self, X):
        """Standardised series without NaN (n, n_channels, length), and where one was seen."""
        S = self.standardized(X)
        return interpolated(S).astype(np.float32), ~np.isnan(S).all(axis=1)

    def rows(self, X, side=None, **options):
        """Rows of a training."""
        return SeriesRows(Masked(self.standardized(X)), side=side, **options)

    def batch(self, X, dtype, device):
        """One batch of checked series, as the encoder reads it."""
        parts = Masked(self.standardized(X)).parts
        return SeriesBatch(*(tensor_of(a).to(dtype).to(device, non_blocking=True) for a in parts))

    def _checked(self, X, reset, n_least):
        """Series as a float array (n, n_channels, length)."""
        refuse_masked(X, "X")
        _refuse_levels(X)
        if is_ragged(X):
            X = padded_series(X)
        options = {"reset": reset, "ensure_min_samples": n_least, **NUMBERS}
        if np.ndim(X) != 3:
            X = self._validated(X, **options)[:, None]
        elif not reset and self._flat:
            if np.shape(X)[1] != 1:
                raise ValueError(
                    f"X has {np.shape(X)[1]} channels, but fit read series of one: pass an array "
                    "of shape (n_series, length) or (n_series, 1, length)."
                )
            X = np.asarray(X, dtype=np.result_type(np.asarray(X).dtype, np.float32))
        else:
            X = self._validated(X, allow_nd=True, **options)
        return self._told(X, reset, n_least)

    def _told(self, X, reset, n_least):
        """Say what looks like an accident, and refuse what holds nothing."""
        n, n_channels, length = X.shape
        if n_channels < 1 or length < 1:
            raise ValueError(
                f"X has the shape {X.shape}, without a step: pass series of one channel and one "
                "step at least."
            )
        if n < n_least:
            raise ValueError(
                f"Found array with {n} sample(s) (shape={X.shape}) while a minimum of {n_least} is "
                f"required by {self.owner}."
            )
        refuse_infinity(X)
        empty = np.flatnonzero(np.isnan(X).all(axis=(1, 2)))
        if len(empty):
            raise ValueError(
                f"X holds series without a value, the first in row {empty[0]}: leave them out."
            )
        if reset and length < n_channels:
            warn(
                f"X has the shape {X.shape}, which is {n_channels} channels of {length} steps: if "
                f"it is {length} channels of {n_channels} steps, pass X.transpose(0, 2, 1)."
            )
        return X


def padded_series(X):
    """Series of unequal length, each (n_channels, length) or (length,), as one padded array.

    Parameters
    ----------
    X : sequence of arrays

    Returns
    -------
    X : ndarray of shape (n, n_channels, longest)
        NaN behind the end of each.
    """
    series = [np.atleast_2d(np.asarray(untorched(x))) for x in X]
    for i, x in enumerate(series):
        if x.ndim != 2 or x.dtype.kind not in "fiub" or x.shape[0] != series[0].shape[0]:
            raise ValueError(
                f"X is a list of series, and series {i} is an array of {x.dtype} of shape "
                f"{x.shape}, where the first has {series[0].shape[0]} channels: pass numbers of "
                "shape (n_channels, length) each."
            )
    dtype = np.result_type(*(x.dtype for x in series), np.float32)
    shape = len(series), series[0].shape[0], max(x.shape[1] for x in series)
    out = np.full(shape, np.nan, dtype=dtype)
    for row, x in zip(out, series):
        row[:, : x.shape[1]] = x
    return out


def interpolated(X):
    """Series without NaN: missing values lie on a line between seen ones, and 0 behind the end."""
    missing = np.isnan(X)
    X = np.where(missing, 0, X)
    step = np.arange(X.shape[2])
    for i, c in np.argwhere(missing.any(axis=2)):
        seen = np.flatnonzero(~missing[i, c])
        if len(seen) and seen[-1] + 1 > len(seen):
            X[i, c, : seen[-1]] = np.interp(step[: seen[-1]], seen, X[i, c, seen])
    return X


def _moments(X, axis):
    """Mean and deviation of values that are there; 0 and 1 where none is, or they are constant."""
    X = X.astype(np.float64)
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of channels without a value
        size = np.nanmax(np.abs(X), axis=axis, keepdims=True)
        size = np.where(size > 0, size, 1.0)  # squares of 1e200 leave float64
        mean = np.nanmean(X / size, axis=axis, keepdims=True)
        scale = np.nanstd(X / size, axis=axis, keepdims=True)
    constant = ~(scale > LEAST_DEVIATION * np.maximum(np.abs(mean), LEAST_DEVIATION))
    scale = np.where(constant, 1.0, scale * size)
    return tuple(np.squeeze(a, axis) for a in (np.nan_to_num(mean * size), scale))


def at_hand(X):
    """X off the device, and as an array where it only says that it can be one."""
    X = untorched(X)
    if sp.issparse(X):
        raise TypeError("Sparse data was passed for X, but series are dense: pass X.toarray().")
    if is_frame(X):
        check_names(X)
        names = category_names(X)
        if names:
            raise ValueError(
                f"X is a {type(X).__name__} of series whose columns are steps, and column "
                f"{names[0]!r} holds no numbers: leave it out."
            )
    return np.asarray(X) if hasattr(X, "__array__") and not hasattr(X, "shape") else X


def refuse_infinity(X):
    """Say so where values are infinite, which NaN may be."""
    if np.isinf(X).any():
        raise ValueError("Input X contains infinity: NaN says that a value is missing.")


def is_ragged(X):
    """Whether X is a sequence of arrays of several shapes, or of channels each."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and np.ndim(X[0]) > 0
    if not isinstance(X, (list, tuple)) or not len(X):
        return False
    shapes = {getattr(x, "shape", None) or np.shape(x) if _is_numeric(x) else () for x in X}
    return len(shapes) > 1 and () not in shapes or any(len(shape) == 2 for shape in shapes)


def _is_numeric(x):
    return hasattr(x, "shape") or isinstance(x, (list, tuple))


def _refuse_levels(X):
    """Say how to pass a frame with one row for each series and step."""
    if getattr(getattr(X, "index", None), "nlevels", 1) > 1:
        raise ValueError(
            "X is a DataFrame whose index has several levels, a row for each series and step: "
            "pass [x.to_numpy().T for _, x in X.groupby(level=0, sort=False)]."
        )
