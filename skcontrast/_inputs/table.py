"""What a user hands over as X, checked once and in the form that the data path reads."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, validate_data

from skcontrast._inputs.frame import FrameColumns, category_names, is_plain, library_of
from skcontrast._inputs.one_hot import one_hot_groups
from skcontrast._inputs.rows import CHUNK

# Below this variance, and above this magnitude, float64 holds too few digits of squares
# and of differences.
TINY = 1e-200
LARGEST = 1e307
SMALLEST = np.nextafter(0.0, 1.0)
_FLOATS = (np.float64, np.float32)
# What is learned of the columns of X.
_OF_COLUMNS = ("expansion_", "_column_features")


def check_rows(estimator, X, *, reset, n_least=1):
    """Check X and return it as a float array, a CSR matrix or the memory map it was.

    Parameters
    ----------
    estimator : estimator
        Its ``n_features_in_`` is set or compared, and with it what a data frame needs to
        become a matrix (``expansion_``) and which columns are one feature.

    X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

    reset : bool
        True in a first ``fit``, False where the columns have to be those of the fit.

    n_least : int, default=1
        Fewest rows; a row alone has nothing to be contrasted with.

    Returns
    -------
    X : ndarray, np.memmap or CSR of shape (n_samples, n_columns)
    """
    if torch.is_tensor(X):
        if X.layout is not torch.strided:
            raise ValueError(
                f"X is a torch tensor of layout {X.layout}: pass a scipy.sparse CSR matrix, or "
                "X.to_dense()."
            )
        X = X.detach().cpu()
        X = (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if reset:
        for name in _OF_COLUMNS:
            vars(estimator).pop(name, None)
    if library_of(X) is not None:
        return _check_frame(estimator, X, reset, n_least)
    expansion = getattr(estimator, "expansion_", None)
    if expansion is not None and not expansion.is_plain:
        return _check_beside_frame(estimator, X, expansion, n_least)
    X = _check_numbers(estimator, X, reset, n_least)
    if reset and not sp.issparse(X):
        estimator._column_features = one_hot_groups(X, CHUNK)
    return X


def n_columns(estimator):
    """Width of the matrix that :func:`check_rows` gives for a fitted estimator."""
    expansion = getattr(estimator, "expansion_", None)
    return estimator.n_features_in_ if expansion is None else expansion.n_columns


def _check_numbers(estimator, X, reset, n_least):
    """Check what has to hold numbers, all of them there."""
    if isinstance(X, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub":
        return _check_memmap(estimator, X, reset, n_least)
    try:
        return validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype=_FLOATS,
            reset=reset,
            ensure_min_samples=n_least,
        )
    except OverflowError:
        raise ValueError(
            "X holds an integer beyond the range of float64: divide it first, or pass it as a "
            "string of a DataFrame."
        ) from None
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(
            f"X holds strings ({error}): pass a pandas or polars DataFrame, whose columns of "
            "strings are read as categories."
        ) from None


def _check_frame(estimator, X, reset, n_least):
    """Check a data frame; what needs it becomes numbers by ``expansion_``."""
    expansion = getattr(estimator, "expansion_", None)
    if not reset and expansion is None:  # fitted on an array
        validate_data(estimator, X, reset=False, skip_check_array=True)
        names = category_names(X)
        if names:
            raise ValueError(
                f"X has columns of categories ({_listed(names)}), but fit read an array of "
                "numbers: pass the same numbers, or fit on a DataFrame."
            )
        return _check_numbers(estimator, X, reset, n_least)
    if (reset or expansion.is_plain) and is_plain(X):
        X = _check_numbers(estimator, X, reset, n_least)
        if reset and not sp.issparse(X):
            estimator.expansion_ = FrameColumns().fit_numbers(X)
            estimator._column_features = estimator.expansion_.features
        return X
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if len(X) < n_least:
        raise ValueError(
            f"Found array with {len(X)} sample(s) (shape={X.shape}) while a minimum of {n_least} "
            f"is required by {type(estimator).__name__}."
        )
    if reset:
        estimator.expansion_ = FrameColumns().fit(X)
        estimator._column_features = estimator.expansion_.features
    return estimator.expansion_.transform(X)


def _check_beside_frame(estimator, X, expansion, n_least):
    """Check what is no frame, after a fit on one with categories or missing values."""
    shape = getattr(X, "shape", ())
    if not sp.issparse(X) and shape[1:] == (expansion.n_columns,) != (estimator.n_features_in_,):
        # The matrix that a frame became, as callbacks hand it on.
        return check_array(X, dtype=_FLOATS, ensure_min_samples=n_least, estimator=estimator)
    if expansion.is_category.any():
        names = getattr(estimator, "feature_names_in_", np.arange(estimator.n_features_in_))
        raise ValueError(
            f"X is a {type(X).__name__}, but fit read a DataFrame with categories "
            f"({_listed(names[expansion.is_category])}): pass a DataFrame with the same columns."
        )
    X = _check_numbers(estimator, X, False, n_least)
    return expansion.transform_numbers(X.toarray() if sp.issparse(X) else np.asarray(X))


def _listed(names):
    """The first names, for a message."""
    more = ", ..." if len(names) > 5 else ""
    return ", ".join(repr(str(name)) for name in names[:5]) + more


@contextmanager
def columns_kept_on_error(estimator):
    """Put back what :func:`check_rows` wrote when a fit fails: the earlier fit stays whole."""
    names = ("n_features_in_", "feature_names_in_", *_OF_COLUMNS)
    before = {name: vars(estimator)[name] for name in names if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in names:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise


def _check_memmap(estimator, X, reset, n_least):
    """Check in blocks: ``validate_data`` copies the whole map to change its type."""
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    if len(X) < n_least or X.shape[1] < 1:
        raise ValueError(
            f"Found array with shape={X.shape}, while {n_least} sample(s) and 1 feature are "
            "required."
        )
    for start in range(0, len(X), CHUNK):
        if not np.isfinite(X[start : start + CHUNK]).all():
            raise ValueError(f"Input X contains NaN or infinity, in a row from {start} on.")
    return X


def fit_scales(estimator, X, fresh):
    """Mean and scale for a fit: new ones, or those of the fit to go on from."""
    if fresh:
        return column_scales(X, estimator.standardize, estimator.precision)
    if sp.issparse(X) and estimator.mean_ is not None:
        raise ValueError(
            "X is sparse, but the estimator was fitted on dense rows: pass X.toarray(), or fit "
            "with warm_start=False."
        )
    return estimator.mean_, estimator.scale_


def column_scales(X, standardize, precision="float32"):
    """Mean and scale of the columns; for sparse X one scale and no centring.

    Parameters
    ----------
    X : ndarray, np.memmap or CSR of shape (n_samples, n_features)

    standardize : bool
        False gives (None, None).

    precision : {"float32", "bfloat16", "float64"}, default="float32"
        What the values have to fit in when they are not standardised.

    Returns
    -------
    mean : ndarray of shape (n_features,) or None

    scale : ndarray of shape (n_features,) or None
    """
    if not standardize:
        # The squares of the values, and sums of these, must stay finite.
        dtype = "float64" if precision == "float64" else "float32"
        most = 1e-4 * np.finfo(dtype).max ** 0.5
        _check_magnitude(X, most, f"precision={precision!r}", "type standardize=True, or ")
        return None, None
    if sp.issparse(X):
        return None, np.full(X.shape[1], _row_length(X))
    scaler = _scaler(X, 1.0)
    mean, scale = scaler.mean_, scaler.scale_
    binary, low, high = _two_valued(X)
    # Dividing by the range, not by the deviation, keeps rare categories from outweighing all.
    with np.errstate(over="ignore"):
        scale = np.where(binary, high - low, scale)
    # A variance that overflowed has the scale 1, as that of a constant column.
    finite = np.isfinite(mean) & np.isfinite(scale) & np.isfinite(scaler.var_)
    extreme = ~finite | (scaler.var_ < TINY)
    if not extreme.any():
        return mean, scale
    # The squares leave the range of float64, or a column is constant: in other units.
    _check_magnitude(X, LARGEST, "standardize=True")
    low, high = _extent(X)
    unit = np.maximum(np.abs(low), np.abs(high))
    unit[~extreme | (unit == 0)] = 1.0
    scaler = _scaler(X, unit)
    scale = np.where(low == high, 1.0, np.maximum(scaler.scale_ * unit, SMALLEST))
    return scaler.mean_ * unit, np.where(binary, high - low, scale)


def _two_valued(X):
    """Which columns hold exactly two values, and these, the lower and the higher."""
    blocks = _blocks(X)
    first = next(blocks)
    low, high = first.min(axis=0), first.max(axis=0)
    ends = ((first == low) | (first == high)).all(axis=0)
    for block in blocks:
        if not ends.any():
            break
        # What was an end of the rows before has to be one still.
        before = np.vstack([low, high])
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
        for values in (before, block):
            ends &= ((values == low) | (values == high)).all(axis=0)
    return ends & (low < high), low, high


def _blocks(X):
    for start in range(0, X.shape[0], CHUNK):
        yield np.asarray(X[start : start + CHUNK], dtype=np.float64)


def _scaler(X, unit):
    scaler = StandardScaler()
    with np.errstate(over="ignore", invalid="ignore"):
        for block in _blocks(X):
            scaler.partial_fit(block / unit)
    return scaler


def _extent(X):
    """Lowest and highest value of each column."""
    extents = [(block.min(axis=0), block.max(axis=0)) for block in _blocks(X)]
    low, high = zip(*extents)
    return np.min(low, axis=0), np.max(high, axis=0)


def _row_length(X):
    """Root mean square length of the rows of a CSR matrix, 1 when all are empty."""
    values = X.data.astype(np.float64)
    peak = np.abs(values).max(initial=0)
    if peak == 0:
        return 1.0
    # Squares of the values themselves overflow above 1e154.
    length = np.sqrt(np.square(values / peak).sum() / X.shape[0])
    return float(np.clip(length * peak, SMALLEST, np.finfo(np.float64).max))


def _check_magnitude(X, most, setting, advice=""):
    if sp.issparse(X):
        peak = np.abs(X.data).max(initial=0)
    else:
        peak = max(np.abs(extent).max() for extent in _extent(X))
    if peak > most:
        raise ValueError(
            f"X has entries as large as {peak:.3g}, and {setting} takes entries up to {most:.2g}: "
            f"{advice}divide X by a constant first."
        )
