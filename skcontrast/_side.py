"""What comes beside X: checked once, one entry a row, in the form an objective reads."""

import warnings

import numpy as np
from sklearn.utils import assert_all_finite, check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from skcontrast._columns import encode_columns

UNLABELLED = -1


def needs(*components):
    """Names of the tensors that components require, and for each the last that does."""
    pairs = [(name, type(c).__name__) for c in components for name in getattr(c, "requires", ())]
    return dict(pairs)


def check_side(requires, given, n_samples, *, dtype=np.float32):
    """Compare what is needed with what was given, and bring it into shape.

    Parameters
    ----------
    requires : dict of str to str
        For each name out of "target", "condition", "prior" and "groups" who needs it, for
        messages; "views", "embedding" and "index" are made during training and skipped.

    given : dict of str to array-like or None
        The arguments of ``fit`` by name.

    n_samples : int

    dtype : dtype, default=float32
        Type of real-valued side information.

    Returns
    -------
    side : dict of str to ndarray
        target (n,) int64 codes, -1 for unlabelled rows; condition (n, q), categories as
        codes; prior (n, q); groups (n,) int64 codes.

    classes : ndarray or None
        The classes that the codes of ``target`` stand for.
    """
    side, classes = {}, None
    for name, needed_by in requires.items():
        if name in ("views", "embedding", "index"):
            continue
        value = given.get(name)
        if value is None:
            raise ValueError(_missing(name, needed_by))
        if name == "target":
            side[name], classes = encode_classes(value, needed_by)
        elif name == "condition":
            side[name] = encode_columns(value, name, dtype)
        elif name == "groups":
            side[name] = _group_codes(value)
        else:
            side[name] = _numbers(value, name, dtype)
        if len(side[name]) != n_samples:
            argument = "y" if name == "target" else name
            raise ValueError(
                f"{argument} has {len(side[name])} rows, but X has {n_samples}: "
                f"pass one entry of {argument} for each row of X."
            )
    for name, value in given.items():
        if name == "target" and hasattr(value, "__len__") and len(value) != n_samples:
            raise ValueError(
                f"y has {len(value)} rows, but X has {n_samples}: pass one entry of y for each "
                "row of X, or none."
            )
        if value is not None and name != "target" and name not in requires:
            warnings.warn(
                f"{name}= was given, but {' and '.join(dict.fromkeys(requires.values()))} does "
                f"not use it: leave it out, or choose an objective that requires {name!r}.",
                UserWarning,
                stacklevel=4,
            )
    return side, classes


def _missing(name, needed_by):
    if name == "target":
        return (
            f"{needed_by} requires y to be passed, but the target y is None: type fit(X, y), "
            f"with {UNLABELLED} for rows without a label."
        )
    return (
        f"{needed_by} needs {name!r}: pass fit(X, {name}=...) and, inside a Pipeline or a "
        f"search, request it with set_fit_request({name}=True)."
    )


def _group_codes(groups):
    """Turn groups of any one type into int64 codes 0, 1, ..."""
    try:
        groups = np.asarray(groups)
        if groups.ndim != 1:
            raise ValueError(f"Got an array of shape {groups.shape}.")
        assert_all_finite(groups)
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "groups must hold one number or string for each row of X, of shape (n_samples,), "
            f"without missing values: {_first_line(error)}"
        ) from None


def _numbers(value, name, dtype):
    """Turn real-valued side information into an array (n_samples, q)."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            array = check_array(value, ensure_2d=False, dtype=dtype, input_name=name)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a dense array of finite numbers with one row for each row of X, "
            f"of shape (n_samples,) or (n_samples, q): {_first_line(error)}"
        ) from None
    return array.reshape(len(array), -1)


def _first_line(error):
    return str(error).partition("\n")[0]


def _check_one_type(y):
    """Raise where strings stand beside numbers: NumPy would make -1 the string "-1"."""
    untyped = isinstance(y, (list, tuple)) or getattr(y, "dtype", None) == np.dtype(object)
    if not untyped or np.ndim(np.asarray(y, dtype=object)) != 1:
        return
    kinds = sorted({"str" if isinstance(label, str) else type(label).__name__ for label in y})
    if "str" in kinds and len(kinds) > 1:
        raise ValueError(
            f"y mixes labels of the types {', '.join(kinds)}: type labels of one type; where "
            f"some rows have no label use integers, with {UNLABELLED} for these."
        )


def encode_classes(y, needed_by):
    """Turn labels into codes 0, 1, ...; -1 stays, as "unlabelled".

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
    out = np.full(len(y), UNLABELLED, dtype=np.int64)
    out[labelled] = codes
    return out, classes
