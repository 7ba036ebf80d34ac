"""What a target may be: classes, numbers or columns of labels, as arrays."""

import warnings

import numpy as np
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skcontrast._inputs.columns import category_codes, columns, first_line, holds_categories
from skcontrast._inputs.scales import LARGEST, column_scales

UNLABELLED = -1
# What a target may hold, as components state it in ``target_type``.
TARGET_TYPES = {
    "class": "classes",
    "real": "numbers",
    "labels": "columns of labels",
}


def target_type(*components):
    """Kind of target that components read, which must be one and the same."""
    readers = {
        getattr(c, "target_type", "class"): c
        for c in parts_of(components)
        if "target" in getattr(c, "requires", ())
    }
    if len(readers) > 1:
        said = [f"{c!r} needs a target of {TARGET_TYPES[kind]}" for kind, c in readers.items()]
        raise ValueError(f"{', and '.join(said)}: choose components that read the same target.")
    return next(iter(readers), "class")


def parts_of(components):
    """Components that read side information, those of a sum one by one."""
    for c in components:
        terms = getattr(c, "terms", ())
        yield from parts_of(terms) if terms else (c,)


def _check_one_type(y):
    """Raise where strings stand beside numbers: NumPy would make -1 the string "-1"."""
    objects = np.asarray(y, dtype=object)
    typed = not isinstance(y, (list, tuple)) and np.asarray(y).dtype != object
    if typed or objects.ndim != 1:
        return
    kinds = sorted({"str" if isinstance(label, str) else type(label).__name__ for label in objects})
    if "str" in kinds and len(kinds) > 1:
        raise ValueError(
            f"y mixes labels of the types {', '.join(kinds)}: type labels of one type; where "
            f"some rows have no label use integers, with {UNLABELLED} for these."
        )
    if "str" not in kinds and getattr(y, "dtype", None) == np.dtype(object):
        whole = len(kinds) == 1 and kinds[0].startswith(("bool", "int", "uint"))
        raise ValueError(
            f"Unknown label type: y is an array of objects of the type {', '.join(kinds)}: type "
            f"y.astype({kinds[0] if whole else 'str'!r})."
        )


def encode_classes(y, needed_by, earlier=None):
    """Turn labels into codes 0, 1, ...; -1 stays, as "unlabelled".

    ``earlier`` holds classes of an earlier fit, which count too.

    Returns
    -------
    codes : int64 ndarray of shape (n,)

    classes : ndarray
    """
    _check_one_type(y)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind == "f":  # first, as the next check casts NaN to int with a warning
        assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    labelled = np.ones(len(y), dtype=bool)
    if y.dtype.kind in "if":
        labelled = y != UNLABELLED
    classes, codes = np.unique(y[labelled], return_inverse=True)
    if len(classes) == 1 and labelled.all():
        raise ValueError(
            f"y has one class only ({classes.tolist()[0]!r}), and {needed_by} needs at least two; "
            f"rows without a label are marked {UNLABELLED}."
        )
    if earlier is not None:
        everything = np.union1d(earlier, classes)
        codes, classes = np.searchsorted(everything, classes)[codes], everything
    out = np.full(len(y), UNLABELLED, dtype=np.int64)
    out[labelled] = codes
    return out, classes


def check_numbers(y):
    """Check a real target: (n,) or (n, t) -> float64 (n, t), with NaN where unlabelled."""
    try:
        y = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name="y", ensure_all_finite="allow-nan"
        )
    except (TypeError, ValueError) as error:
        raise ValueError(
            "y must hold finite numbers, or NaN for rows without a label, of shape (n_samples,) "
            f"or (n_samples, n_targets): {first_line(error)}"
        ) from None
    y = y.reshape(len(y), -1)
    largest = np.nanmax(np.abs(y), initial=0)
    if largest > LARGEST:
        raise ValueError(
            f"y has entries as large as {largest:.3g}, and entries up to {LARGEST:.0e} are taken: "
            "divide y by a constant first."
        )
    if np.isnan(y).any(axis=1).all():
        raise ValueError("y has no labelled row: all its rows hold NaN. Give some a number.")
    return y


def encode_numbers(y, scales=None):
    """Standardise a real target; rows with a NaN are unlabelled, and all NaN after.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, t)

    scales : tuple of ndarray of shape (t,), default=None
        Mean and scale to take; those of the labelled rows by default.

    Returns
    -------
    numbers : float64 ndarray of shape (n, t)

    mean, scale : ndarray of shape (t,)
        The scale of a constant column is 1.
    """
    y = check_numbers(y)
    labelled = ~np.isnan(y).any(axis=1)
    if scales is None:
        scaler = column_scales(y[labelled], standardize=True)
        scales = tuple(np.asarray(part, dtype=np.float64) for part in scaler)
    mean, scale = scales
    if len(mean) != y.shape[1]:
        raise ValueError(f"y has {y.shape[1]} columns, but the earlier fit had {len(mean)}.")
    return np.where(labelled[:, None], (y - mean) / scale, np.nan), mean, scale


def encode_labels(y):
    """Turn columns of labels into codes (n, t): 0 and 1 where a row has a label or not,
    or the names of its groups from the widest to the narrowest; -1 means unlabelled.

    Parameters
    ----------
    y : array-like, DataFrame or sparse matrix of shape (n,) or (n, t)
        Whole numbers and booleans stay as they are, strings become codes 0, 1, ... of
        their column.

    Returns
    -------
    codes : int64 ndarray of shape (n, t)
    """
    try:
        if hasattr(y, "toarray"):
            y = y.toarray()
        found = columns(y)
        if not found or any(column.ndim != 1 for _, column in found):
            raise ValueError(f"Got the shape {np.shape(y)}.")
        return np.column_stack([_label_codes(column, name) for name, column in found])
    except (TypeError, ValueError) as error:
        raise ValueError(
            "y must hold columns of labels, of shape (n_samples, n_columns), each of whole "
            f"numbers ({UNLABELLED} where unlabelled), of booleans or of strings: "
            f"{first_line(error)}"
        ) from None


def _label_codes(column, name):
    """Codes of one column of labels: numbers mean what they say, so -1 and 0 stay."""
    if column.dtype.kind == "O" and all(isinstance(v, (bool, np.bool_)) for v in column):
        column = column.astype(bool)
    elif column.dtype.kind == "O" and not holds_categories(column):
        column = column.astype(np.float64)
    if column.dtype.kind == "c":
        raise ValueError(f"Column {name} has complex numbers.")
    if column.dtype.kind == "f" and not (np.abs(column) < 2**53).all():
        raise ValueError(f"Column {name} has NaN, infinity or numbers too large.")
    if column.dtype.kind in "biuf":
        codes = column.astype(np.int64)
        if (codes != column).any():
            raise ValueError(f"Column {name} has {column[codes != column][0]}.")
        return codes
    return category_codes(column, name)


def classes_of(y, owner):
    """Codes and classes of y for a classifier, which needs two classes.

    As :func:`encode_classes`, but -1 beside one other number is a class: y in {-1, 1} has
    two classes, and with one class and rows without a label nothing could be learned.
    """
    _check_one_type(y)
    y = column_or_1d(y, warn=True)
    if y.dtype.kind in "if":
        values = np.unique(y)
        if len(values) == 2 and values[0] == UNLABELLED and float(values[1]).is_integer():
            return np.where(y == UNLABELLED, 0, 1).astype(np.int64), values
    codes, classes = encode_classes(y, owner)
    if not len(classes):
        raise ValueError(
            f"y has no labelled row, and {owner} needs at least two classes: {UNLABELLED} marks "
            "rows without a label."
        )
    names = classes.tolist()
    if f"{UNLABELLED}" in names and not all(str(c).lstrip("-").isdigit() for c in names):
        warnings.warn(
            f"y has a class '{UNLABELLED}' that is a string: only the number {UNLABELLED} marks "
            "rows without a label, so use integers for all labels where it should.",
            UserWarning,
            stacklevel=3,
        )
    return codes, classes
