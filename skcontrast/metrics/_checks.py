"""What the measures share: checked float64 tables, unit rows, blocks of row numbers."""

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import column_or_1d

# Rows of a tile where all pairs are compared: 8 MB a table of pairs in float64.
BLOCK = 1024
# Cosines of float64 unit rows that differ by less are equal but for rounding.
TIE = 1e-12


def check_table(z, name="z", n_least=2):
    """Return ``z`` as a finite float64 table of at least ``n_least`` rows."""
    try:
        z = check_array(z, dtype=np.float64, input_name=name, ensure_min_samples=0)
    except ValueError as error:
        reason = str(error).partition("\n")[0].rstrip(":.")
        if f"Input {name} " in reason:  # NaN or infinity
            raise
        raise ValueError(
            f"{name} is no table of numbers ({reason}): pass an array of shape (n_rows, n_columns)."
        ) from error
    if len(z) < n_least:
        raise ValueError(
            f"{name} has {len(z)} row(s), and at least {n_least} are needed: pass more rows."
        )
    return z


def check_numbers(values, name):
    """Return ``values`` as float64, of any shape."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} holds no numbers ({error}): an array of them is read.") from error


def check_pair(z1, z2, names=("z1", "z2"), n_least=2, same_width=True):
    """Return two tables whose rows belong together, in float64."""
    z1, z2 = (check_table(z, name, n_least) for z, name in zip((z1, z2), names))
    if len(z1) != len(z2):
        raise ValueError(
            f"{names[0]} has {len(z1)} rows and {names[1]} has {len(z2)}: pass the same rows in "
            "the same order in both."
        )
    if same_width:
        check_width(z1, z2, names)
    return z1, z2


def check_width(z1, z2, names):
    """Refuse two tables of different width."""
    if z1.shape[1] != z2.shape[1]:
        raise ValueError(
            f"{names[0]} has {z1.shape[1]} columns and {names[1]} has {z2.shape[1]}: pass tables "
            "of one width, such as two outputs of one encoder."
        )


def unit_rows(z, name="z"):
    """Rows divided by their length; a checked table in, another one out."""
    # Largest entries first: squares of 1e200 overflow, and those of 1e-200 vanish.
    largest = np.abs(z).max(axis=1, keepdims=True)
    zero = np.flatnonzero(largest[:, 0] == 0)
    if len(zero):
        raise ValueError(
            f"{len(zero)} row(s) of {name} are all zeros, row {zero[0]} the first, and have no "
            "direction: leave them out."
        )
    z = z / largest
    return z / np.linalg.norm(z, axis=1, keepdims=True)


def centred(z, name="z"):
    """Columns less their mean; rows that are all equal are refused."""
    # The first row goes first: what equal rows leave is then 0, and not the rounding of a mean.
    z = z - z[0]
    if not z.any():
        raise ValueError(f"all rows of {name} are equal: pass rows that differ.")
    return z - z.mean(axis=0)


def check_positive(value, name, zero=False):
    """Return a finite number above 0, or from 0 on."""
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, (bool, np.bool_))
    if not real or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        wanted = "of at least 0" if zero else "above 0"
        raise ValueError(f"{name}={value!r}: type a finite number {wanted}.")
    return float(value)


def check_column(labels, n, name, table):
    """Return ``labels`` as an array (n,)."""
    try:
        labels = column_or_1d(labels)
    except ValueError as error:
        given = f"{type(labels).__name__} of shape {np.shape(labels)}"
        raise ValueError(f"{name} is a {given}: pass {n} labels, one a row of {table}.") from error
    if len(labels) != n:
        raise ValueError(
            f"{name} has {len(labels)} entries and {table} has {n} rows: pass one label a row."
        )
    return labels


def check_labels(labels, n, name="labels", table="z"):
    """Return the classes, and the number of the class of each of n rows."""
    labels = check_column(labels, n, name, table)
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        raise ValueError(f"{name} holds NaN, which is no class: leave out rows without a label.")
    try:
        return np.unique(labels, return_inverse=True)
    except TypeError as error:
        kinds = " and ".join(sorted({type(label).__name__ for label in labels}))
        raise ValueError(
            f"{name} holds {kinds}, which have no common order: pass labels of one type, and leave "
            "out rows without one."
        ) from error


def codes_among(labels, classes):
    """Number of each label among the classes, -1 for one that is none of them."""
    place = {label: i for i, label in enumerate(classes.tolist())}
    return np.array([place.get(label, -1) for label in labels.tolist()], dtype=int)


def class_sums(z, codes, n_classes):
    """Sum of the rows of each class, (n_classes, d)."""
    sums = np.zeros((n_classes, z.shape[1]))
    np.add.at(sums, codes, z)
    return sums


def check_option(value, name, options):
    """Return one of the names in ``options``."""
    if not isinstance(value, str) or value not in options:
        accepted = " or ".join(repr(option) for option in options)
        raise ValueError(f"{name}={value!r}: type {accepted}.")
    return value


def blocks(n, size):
    """Slices of at most ``size`` row numbers that cover range(n)."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
