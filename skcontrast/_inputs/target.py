"""What a target may be: classes, numbers or columns of labels, as arrays."""

from numbers import Real

import numpy as np
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skcontrast._arrays import refuse_masked
from skcontrast._component import warn
from skcontrast._inputs.columns import (
    as_array,
    category_codes,
    columns,
    first_line,
    holds_categories,
    kind_of,
    one_line,
)
from skcontrast._inputs.scales import LARGEST, column_scales

UNLABELLED = -1
# What a target may hold, as components state it in ``target_type``.
TARGET_TYPES = {
    "class": "classes",
    "real": "numbers",
    "labels": "columns of labels",
}


def target_type(*components):
    """Kind that components read y as it is as, which must be one and the same."""
    readers = {
        getattr(c, "target_type", "class"): c
        for c in parts_of(components)
        if "target" in getattr(c, "requires", ()) and getattr(c, "target", "y") == "y"
    }
    if len(readers) > 1:
        said = [
            f"{one_line(c)} needs a target of {TARGET_TYPES[kind]}" for kind, c in readers.items()
        ]
        raise ValueError(f"{', and '.join(said)}: choose components that read the same target.")
    return next(iter(readers), "class")


def parts_of(components):
    """Components that read side information, those of a sum one by one."""
    for c in components:
        terms = getattr(c, "terms", ())
        yield from parts_of(terms) if terms else (c,)


def n_rows(value, default):
    """Rows of what has rows; a sparse matrix has them, but no length.

    Of several targets it is those of the first.
    """
    if isinstance(value, dict):
        value = next(iter(value.values()), None)
    if hasattr(value, "shape"):
        return value.shape[0] if value.shape else default
    return len(value) if hasattr(value, "__len__") else default


def labelled(y):
    """Which rows have a label that is not missing, and these labels in one type; -1 is one.

    Returns
    -------
    there : bool ndarray of shape (n,)

    labels : ndarray of shape (n_labels,)
    """
    if isinstance(y, dict):
        names = ", ".join(map(repr, y))
        raise ValueError(
            f"One target is read, and y is a dict of {names or 'none'}: pass one, y[name]."
        )
    array = column_or_1d(y if hasattr(y, "toarray") else as_array(y, "y"), warn=True)
    there = np.ones(len(array), dtype=bool)
    if hasattr(y, "columns"):
        y = y[y.columns[0]]
    lacks = getattr(y, "isna", getattr(y, "is_null", None))
    if lacks is not None:  # of pandas, polars or Arrow: as arrays, integers would become floats
        there = ~np.asarray(lacks(), dtype=bool)
        array = np.asarray(y[there] if hasattr(y, "isna") else y.filter(there))
    elif isinstance(y, (list, tuple)):  # as one array, -1 beside strings would become "-1"
        array = np.asarray(y, dtype=object).ravel()
    if array.dtype.kind == "O":
        missing = np.array([kind_of(label) == "missing" for label in array], dtype=bool)
        labels = _of_one_type(array[~missing], isinstance(y, (list, tuple)))
    else:
        missing = array != array  # NaN and NaT
        labels = array[~missing]
    there[there] = ~missing
    return there, labels


def _of_one_type(labels, listed):
    """Objects as numbers, bools or the like; strings stay objects unless they were listed."""
    kinds = sorted({kind_of(label) for label in labels})
    if "str" in kinds:
        if len(kinds) > 1:
            raise ValueError(
                f"y mixes labels of the types {', '.join(kinds)}: type labels of one type, and "
                f"None for rows without a label ({UNLABELLED} beside numbers alone)."
            )
        return np.array(labels.tolist()) if listed else labels
    typed = np.array(labels.tolist())
    if typed.dtype.kind == "O" and kinds == ["int"]:
        raise ValueError("y holds integers beyond 64 bits: turn them into strings.")
    if typed.ndim > 1 or typed.dtype.kind == "O":
        raise ValueError(
            f"Unknown label type: y holds labels of the type {', '.join(kinds)}: turn them into "
            "numbers or strings."
        )
    return typed


def _refuse_dates(dtype):
    if dtype.kind in "mM":
        raise ValueError(f"y holds {dtype}: turn them into numbers or strings.")


def class_codes(y, minus_one=False):
    """Turn labels into codes 0, 1, ... of their classes.

    Parameters
    ----------
    y : array-like of shape (n,)
        A row has no label where it holds None, NaN, pandas.NA, a null, or the number -1.

    minus_one : bool or "pair", default=False
        Whether the number -1 is a class; "pair": where y holds it and just one other.

    Returns
    -------
    codes : int64 ndarray of shape (n,)
        -1 where a row has no label.

    classes : ndarray
        Sorted, as they are in y.
    """
    there, labels = labelled(y)
    _refuse_dates(labels.dtype)
    if labels.dtype.kind == "f":  # first, as the next check casts infinity to int with a warning
        assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    if minus_one == "pair":
        minus_one = len(np.unique(labels)) == 2
    if labels.dtype.kind in "if" and not minus_one:
        known = labels != UNLABELLED
        there[there], labels = known, labels[known]
    classes, of_labels = np.unique(labels, return_inverse=True)
    codes = np.full(len(there), UNLABELLED, dtype=np.int64)
    codes[there] = of_labels
    return codes, classes


def joined_classes(found, others, source):
    """Classes of y and those of ``source``, which must be strings, numbers or bools like these."""
    if not len(found) or not len(others):
        return others if len(others) else found
    if _sort_of(others) != _sort_of(found):
        raise ValueError(
            f"y holds labels such as {found.tolist()[0]!r}, and {source} such as "
            f"{others.tolist()[0]!r}: give both the same type."
        )
    return np.union1d(found, others)


def _sort_of(labels):
    kind = labels.dtype.kind
    return "string" if kind in "OUST" else "bool" if kind == "b" else "number"


def _type_of(value):
    kind = kind_of(value)
    if kind == "missing" or not isinstance(value, (Real, np.bool_)):
        return kind
    return "bool" if isinstance(value, (bool, np.bool_)) else "number"


def class_names(classes):
    """Names of classes, as ``classes=`` gives them: an array of one type without missing ones."""
    refuse_masked(classes, "classes")
    listed = isinstance(classes, (list, tuple))
    names = np.asarray(classes, dtype=object if listed else None)
    kinds = sorted({_type_of(name) for name in names.ravel()})
    if len(kinds) > 1 or not {*kinds} <= {"number", "str", "bool"}:
        raise ValueError(
            f"classes holds values of the types {', '.join(kinds)}: type names of one type, all "
            "numbers, all strings or all bools, and none that is missing."
        )
    if names.dtype.kind != "O" or kinds == ["str"] and not listed:
        typed = names
    else:
        typed = np.asarray(names.tolist())
    if kinds == ["number"] and (typed.dtype.kind == "O" or not np.isfinite(typed).all()):
        raise ValueError(
            "classes holds infinity, or integers beyond 64 bits: type smaller numbers or strings."
        )
    return typed


def no_label(owner):
    """What is raised where no row has a label."""
    return ValueError(
        f"y has no labelled row, and {owner} needs at least two classes: None, NaN or "
        f"{UNLABELLED} marks rows without a label."
    )


def _one_class(classes, owner):
    return ValueError(
        f"y has one class only ({classes.tolist()[0]!r}), and {owner} needs at least two; rows "
        f"without a label hold None, NaN or {UNLABELLED}."
    )


def encode_classes(y, needed_by, earlier=None):
    """Codes and classes of y for an encoder, which can do without labels.

    ``earlier`` holds classes of an earlier fit, which count too.
    """
    codes, classes = class_codes(y)
    if len(classes) == 1 and (codes >= 0).all():
        raise _one_class(classes, needed_by)
    if earlier is not None:
        everything = joined_classes(classes, earlier, "an earlier fit")
        place = np.searchsorted(everything, classes)
        codes, classes = np.append(place, UNLABELLED)[codes], everything
    return codes, classes


def check_numbers(y):
    """Check a real target: (n,) or (n, t) -> float64 (n, t), with NaN where unlabelled."""
    refuse_masked(y, "y")
    try:
        _refuse_dates(np.asarray(y).dtype)
        y = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name="y", ensure_all_finite="allow-nan"
        )
    except (OverflowError, TypeError, ValueError) as error:
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
    refuse_masked(y, "y")
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

    -1 beside one other number is a class: y in {-1, 1} has two classes, and with one class
    and rows without a label nothing could be learned.
    """
    codes, classes = class_codes(y, minus_one="pair")
    if not len(classes):
        raise no_label(owner)
    if len(classes) == 1:
        raise _one_class(classes, owner)
    names = classes.tolist()
    if f"{UNLABELLED}" in names and not all(str(c).lstrip("-").isdigit() for c in names):
        warn(
            f"y has a class '{UNLABELLED}' that is a string: only the number {UNLABELLED} and "
            "missing values mark rows without a label, so type None where it should.",
        )
    return codes, classes


def encode_target(value, needed_by, kind, scales, classes, dtype):
    """Tensor of a target of a kind, and what it was, by the names of fitted attributes."""
    if kind == "class":
        codes, classes = encode_classes(value, needed_by, classes)
        return codes, {"classes_": classes}
    if kind == "labels":
        return encode_labels(value), {}
    numbers, mean, scale = encode_numbers(value, scales)
    return numbers.astype(dtype), {"target_mean_": mean, "target_scale_": scale}
