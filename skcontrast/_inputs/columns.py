"""Columns of numbers and of categories, as one array of numbers."""

from decimal import Decimal
from numbers import Real

import narwhals.stable.v2 as nw
import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_array

from skcontrast._arrays import refuse_masked
from skcontrast._inputs.frame import columns_of, floats, is_frame

# How NumPy begins to say that lists make no array.
RAGGED = "setting an array element with a sequence"


def one_line(value):
    """What is said of a value in a message: its repr, which scikit-learn breaks into lines."""
    return " ".join(repr(value).split())


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


def columns(value):
    """The columns of a table, array or list, as arrays (n,), with their names."""
    value = untorched(value)
    if is_frame(value, "condition"):
        return [(name, _values(column)) for name, column in columns_of(value)]
    if hasattr(value, "name") and hasattr(value, "to_numpy"):  # a column of one
        return [(str(value.name), _values(nw.from_native(value, series_only=True)))]
    array = np.asarray(value)
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray):
        array = np.asarray(value, dtype=object)  # numbers beside strings keep their type
    if array.ndim == 1:
        return [("0", array)]
    return [(str(j), column) for j, column in enumerate(array.T)]


def _values(column):
    """Values of a column of a frame, numbers of any type as floats."""
    return floats(column) if column.dtype.is_numeric() else np.asarray(column.to_native())


def untorched(X, name="X"):
    """A dense tensor as the array that it holds; anything else as it is."""
    if not torch.is_tensor(X):
        return X
    if X.layout is not torch.strided:
        raise ValueError(
            f"{name} is a torch tensor of layout {X.layout}: pass a scipy.sparse CSR matrix, or "
            f"{name}.to_dense()."
        )
    X = X.detach().cpu()
    return (X.float() if X.dtype == torch.bfloat16 else X).numpy()


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
    if sp.issparse(value):
        raise ValueError(f"{name} must be a dense array: pass {name}.toarray().")
    refuse_masked(value, name)
    try:
        n_axes = len(value.shape) if hasattr(value, "shape") else np.ndim(value)
        if n_axes not in (1, 2):
            raise ValueError(f"Got an array of {n_axes} dimensions.")
        found = columns(value)
        if not found:
            raise ValueError("Got no column.")
        for column_name, column in found:
            _check_no_dates(column, column_name)
        encoded = [
            category_codes(c, n) if holds_categories(c) else c.astype(np.float64) for n, c in found
        ]
        array = np.column_stack(encoded)
        with np.errstate(over="ignore", invalid="ignore"):
            return check_array(array, dtype=dtype, ensure_min_samples=0, input_name=name)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a dense array of finite numbers or categories, with one row for "
            f"each row of X, of shape (n_samples,) or (n_samples, q): {first_line(error)}"
        ) from None


def _check_no_dates(column, name):
    """Raise where a column holds dates, times or complex numbers: each would be a category."""
    held = column.dtype
    if held.kind == "O" and len(column) and hasattr(column[0], "__sub__"):
        held = kind_of(column[0])
        if isinstance(column[0], (Real, Decimal)) or held == "missing":
            return
    elif held.kind not in "mMc":
        return
    raise ValueError(
        f"Column {name} holds {held}: pass numbers made from it, such as seconds since the first."
    )


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
