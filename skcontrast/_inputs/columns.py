"""Columns of numbers and of categories, as one array of numbers."""

from decimal import Decimal
from numbers import Real

import numpy as np
from sklearn.utils import check_array

from skcontrast._inputs.frame import columns_of, is_frame

# How NumPy begins to say that lists make no array.
RAGGED = "setting an array element with a sequence"


def first_line(error):
    """First line of what an error says."""
    said = str(error).partition("\n")[0]
    return "Its rows are lists of different lengths." if said.startswith(RAGGED) else said


def as_array(value, name):
    """An array of what has rows of one length; ``name`` is that of the argument."""
    refuse_masked(value, name)
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(
            f"{name} has rows of different lengths: pass one entry for each row of X."
        ) from None


def refuse_masked(value, name):
    """Raise where a masked array hides entries, which no array that is made of it would hide."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{name} is a masked array that hides {np.ma.count_masked(value)} entries: type "
            f"{name}.filled(value), or leave these rows out."
        )


def columns(value):
    """The columns of a table, array or list, as arrays (n,), with their names."""
    if is_frame(value, "condition"):
        return [(name, np.asarray(column.to_native())) for name, column in columns_of(value)]
    if hasattr(value, "name") and hasattr(value, "to_numpy"):  # a column of one
        return [(str(value.name), np.asarray(value.to_numpy()))]
    array = np.asarray(value)
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray):
        array = np.asarray(value, dtype=object)  # numbers beside strings keep their type
    if array.ndim == 1:
        return [("0", array)]
    return [(str(j), column) for j, column in enumerate(array.T)]


def holds_categories(column):
    """Whether a column (n,) is one of strings, bools or other objects, not of numbers."""
    if column.dtype.kind != "O":
        return column.dtype.kind not in "iuf"
    return not all(isinstance(v, (Real, Decimal)) and not isinstance(v, bool) for v in column)


def categorical_columns(value):
    """Which columns of side information (n,) or (n, q) hold categories: bool ndarray (q,)."""
    return np.array([holds_categories(column) for _, column in columns(value)], dtype=bool)


def encode_columns(value, name, dtype):
    """Turn numbers and categories into numbers: (n,) or (n, q) -> (n, q).

    Numbers stay, and a category becomes a code 0, 1, ... of its column. ``name`` is that of
    the argument, for messages.
    """
    is_frame(value, name)  # no lazy one
    refuse_masked(value, name)
    try:
        if np.ndim(value) not in (1, 2):
            raise ValueError(f"Got an array of {np.ndim(value)} dimensions.")
        found = columns(value)
        if not found:
            raise ValueError("Got no column.")
        encoded = [
            category_codes(c, n) if holds_categories(c) else c.astype(np.float64) for n, c in found
        ]
        array = np.column_stack(encoded)
        with np.errstate(over="ignore", invalid="ignore"):
            return check_array(array, dtype=dtype, ensure_min_samples=0, input_name=name)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a dense array of finite numbers or categories, with one row for "
            f"each row of X, of shape (n_samples,) or (n_samples, q): {first_line(error)}"
        ) from None


def category_codes(column, name):
    """Codes of the values of a column, which must be of one type and all there."""
    kinds = sorted({kind_of(value) for value in column})
    if "missing" in kinds:
        raise ValueError(f"Column {name} has missing values: fill them, or leave the rows out.")
    if len(kinds) > 1:
        raise ValueError(f"Column {name} mixes the types {', '.join(kinds)}.")
    return np.unique(column, return_inverse=True)[1]


def kind_of(value):
    """Name of the type of a value; "missing" for None, NaN and the like."""
    if isinstance(value, str):
        return "str"
    name = type(value).__name__
    differs = not hasattr(value, "__len__") and name not in _MISSING and value != value
    return "missing" if differs or name in _MISSING else name


# None, and what pandas has in its place; these do not say whether they equal themselves.
_MISSING = ("NoneType", "NAType", "NaTType")
