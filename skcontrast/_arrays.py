"""What is refused of arrays, and rows less their mean: NumPy alone."""

import numpy as np


def refuse_masked(value, name):
    """Raise where a masked array hides entries, which no array that is made of it would hide."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{name} is a masked array that hides {np.ma.count_masked(value)} entries: type "
            f"{name}.filled(value), or leave these rows out."
        )


def refuse_huge(X, name="X"):
    """Raise where squares of entries overflow, of which covariances and distances are sums."""
    largest = float(np.abs(X).max(initial=0))
    if largest > 1e150:
        raise ValueError(
            f"{name} holds numbers of up to {largest:.0e}, whose squares are beyond float64: "
            f"divide {name} by such a number first."
        )


def row_labels(value, name, n):
    """What each of n rows belongs to, as an array of numbers, dates or strings, none missing."""
    refuse_masked(value, name)
    try:
        array = np.asarray(value)
    except ValueError:  # of lists of different lengths
        array = np.array([None] * len(value))
    if array.dtype == object and {type(entry) for entry in array.flat} <= {str, np.str_}:
        array = array.astype(str)
    if array.shape != (n,) or array.dtype.kind not in "biufUM" or (array != array).any():
        raise ValueError(
            f"{name} is an array of type {array.dtype} and shape {array.shape}, but X has {n} "
            "rows: pass one number for each row, or one string, none of them missing."
        )
    return array


def centred(X):
    """Mean of rows and the rows less it, in float64; equal rows leave exactly 0."""
    refuse_huge(X)
    X = X.astype(np.float64)
    # The first row goes first: what equal rows leave is then not the rounding of a mean.
    mean = X[0] + (X - X[0]).mean(axis=0)
    return mean, X - mean
