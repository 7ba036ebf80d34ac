"""Mean and scale of the columns of a table, whatever their magnitude."""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

from skcontrast._inputs.rows import CHUNK

# Below this variance, and above this magnitude, float64 holds too few digits of squares
# and of differences.
TINY = 1e-200
LARGEST = 1e307
SMALLEST = np.nextafter(0.0, 1.0)


def column_scales(X, standardize, precision="float32"):
    """Mean and scale of the columns (n_features,); for sparse X one scale and no centring.

    Both are None without ``standardize``; the values then have to fit in the ``precision``.
    """
    if not standardize:
        # The squares of the values, and sums of these, must stay finite.
        dtype = "float64" if precision == "float64" else "float32"
        most = 1e-4 * np.finfo(dtype).max ** 0.5
        _check_magnitude(X, most, f"precision={precision!r}", "type standardize=True, or ")
        return None, None
    if sp.issparse(X):
        return None, np.full(X.shape[1], row_length(X))
    scaler = scaler_of(X, 1.0)
    mean, scale = scaler.mean_, scaler.scale_
    binary, low, high = two_valued(X)
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
    scaler = scaler_of(X, unit)
    scale = np.where(low == high, 1.0, np.maximum(scaler.scale_ * unit, SMALLEST))
    return scaler.mean_ * unit, np.where(binary, high - low, scale)


def two_valued(X):
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


def scaler_of(X, unit):
    """StandardScaler of rows in units of ``unit``, block by block."""
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


def row_length(X):
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
