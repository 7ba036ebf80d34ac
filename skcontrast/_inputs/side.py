"""What comes beside X: checked once, one entry a row, in the form an objective reads."""

from numbers import Number

import numpy as np
import scipy.sparse as sp
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.multiclass import type_of_target

from skcontrast._arrays import refuse_masked
from skcontrast._component import warn
from skcontrast._inputs.columns import as_array, category_codes, encode_columns, first_line
from skcontrast._inputs.series import is_ragged, padded_series
from skcontrast._inputs.several import as_they_are, check_one, needs, read_targets, readers_of
from skcontrast._inputs.target import (
    UNLABELLED,
    encode_classes,
    encode_target,
    labelled,
    n_rows,
    parts_of,
    target_type,
)

# Targets of several columns that are labels, as scikit-learn names them.
_LABEL_COLUMNS = ("multilabel-indicator", "multiclass-multioutput")
# What a training makes for each batch: no side information.
MADE = ("views", "embedding", "steps", "gates", "rows", "index", "present", "step", "keys")
# Fitted attributes that say what a target was.
LEARNED_OF_Y = ("classes_", "target_mean_", "target_scale_", "targets_")


def read_side(objective, others, given, n_samples, before=None, ordered=False):
    """Read what stands beside X, one entry for each row, as the training needs it.

    Parameters
    ----------
    objective : component

    others : list of component
        The sampler and the views. The ``requires`` of all say what is needed.

    given : dict of str to array-like or None
        The arguments of ``fit`` by name, and ``weight``.

    n_samples : int

    before : estimator, default=None
        One whose earlier target goes on, with its classes or its scale.

    ordered : bool, default=False
        Whether rows are read in time order: groups are then sessions.

    Returns
    -------
    side : dict of str to ndarray
        As :func:`check_side` gives it, with a tensor for each target that is read by name or
        from beside X; ``sessions`` (n,) int64 codes, where rows are ordered;
        else ``pairs`` (n,), codes of the groups whose rows are views of each other, where no
        component requires groups; ``weight`` (n,) float32.

    learned : dict of str to ndarray
        What the target was; ``targets_`` says it of each that is read by name or from beside X.

    given : dict
        What was read, under the names of what it serves as.
    """
    components, given = [*others, objective], dict(given)
    requires, named = needs(*components), readers_of(components)
    requires |= _welcome(objective, given, requires)
    weight, groups = given.pop("weight", None), given.get("groups")
    earlier = {} if before is None else vars(before)
    if given.get("target") is not None:
        check_one(given["target"], components)
    scales = earlier.get("target_mean_"), earlier.get("target_scale_")
    if groups is not None and "groups" not in requires:
        given["groups"] = None
    if given.get("condition") is None and _target_serves(objective):
        if given.get("target") is None:
            raise ValueError(
                f"{requires['condition']} in mode='weak' requires y to be passed, but the target y "
                "is None: type fit(X, y) or fit(X, condition=...)."
            )
        given["condition"] = _as_condition(given["target"])
    if "target" not in requires and not _target_serves(objective):
        _warn_second_rows(given.get("target"), type(objective).__name__)
    by_step = any(getattr(c, "condition_by_step", False) for c in parts_of([objective]))
    if by_step and ordered:
        raise ValueError(
            f"{requires['condition']} reads actions of each step of a series, and rows of a "
            "recording are steps: cut it into episodes, (n_episodes, n_channels, length)."
        )
    side, learned = check_side(
        requires,
        given,
        n_samples,
        by_step=by_step,
        kind=target_type(*components),
        scales=None if scales[0] is None else scales,
        classes=earlier.get("classes_"),
        only=[n for c in parts_of(components) for n in as_they_are(c)],
    )
    if named:
        further, learned["targets_"] = read_targets(
            named, given, n_samples, earlier.get("targets_")
        )
        side |= further
    if ordered or (groups is not None and given["groups"] is None):
        one = np.zeros(n_samples, dtype=np.int64) if groups is None else groups
        codes = check_side({"groups": "fit"}, {"groups": one}, n_samples)[0]["groups"]
        side["sessions" if ordered else "pairs"] = in_one_piece(codes) if ordered else codes
    if weight is not None:
        side["weight"] = np.asarray(weight, dtype=np.float32)
    return side, learned, given


def _welcome(objective, given, requires):
    """What an objective reads where it is given, and for whom: labels of two classes or more."""
    names = [type(c).__name__ for c in parts_of([objective]) if getattr(c, "welcomes_classes", 0)]
    y = given.get("target")
    if not names or y is None or "target" in requires or as_array(y, "y").ndim != 1:
        return {}
    labels = labelled(y)[1]
    kinds = ("binary", "multiclass") if len(np.unique(labels)) > 1 else ()
    return {"target": names[0]} if type_of_target(labels) in kinds else {}


def _warn_second_rows(y, objective):
    """Say so where y, which no component reads, is a second table or holds texts.

    Labels stay without a word, as a Pipeline hands y to every step.
    """
    if y is None or sp.issparse(y):
        return
    values = as_array(y, "y")
    what = advice = None
    if values.ndim == 2 and values.shape[1] > 1 and type_of_target(values) not in _LABEL_COLUMNS:
        what = f"a table of {values.shape[1]} columns"
        advice = (
            "For two tables of the same rows type skcontrast.multiview.MultiViewContrastiveEncoder("
            f"blocks=[-1, {values.shape[1]}]).fit(np.hstack([X, y])); for several targets "
            "objective='y_aware'"
        )
    elif values.ndim == 1 and values.dtype.kind in "OU":
        words = [len(str(value).split()) for value in values[:1000]]
        if np.median(words) > 3 and len(set(map(str, values))) > len(values) / 2:
            what = "a list of texts"
            advice = (
                "Pass pairs of texts as one list X, with groups=[0, 0, 1, 1, ...]: the texts of a "
                "group are views of each other"
            )
    if what:
        warn(
            f"y is {what}, which {objective} does not read: it learns from X alone. {advice}.",
        )


def weights_of_rows(weight, name="sample_weight"):
    """Weights as an array of finite numbers, of one dimension or more."""
    refuse_masked(weight, name)
    if isinstance(weight, (Number, str)) or getattr(weight, "shape", None) == ():
        raise ValueError(
            f"{name} is {weight!r}, one value: pass a list or array with one weight for "
            "each row of X."
        )
    try:
        return check_array(weight, ensure_2d=False, dtype=np.float64, input_name=name)
    except (OverflowError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold one finite number for each row of X: {first_line(error)}"
        ) from None


def check_weight(weight, y, name="sample_weight", of="y"):
    """Weights of rows as an array (n,), one finite number of at least 0 for each entry of y."""
    if weight is None:
        return None
    weight = weights_of_rows(weight, name)
    if weight.shape != (n_rows(y, 0),) or (weight < 0).any() or not weight.any():
        raise ValueError(
            f"{name} has the shape {weight.shape}, and {of} {n_rows(y, 0)} rows: pass one "
            "weight for each row, none below 0 and some above."
        )
    return weight


def _target_serves(objective):
    return any(getattr(c, "takes_target_as_condition", False) for c in parts_of([objective]))


def _as_condition(y):
    """Labels as categories, each row without a label as one of its own; numbers as they are."""
    if as_array(y, "y").shape[1:] not in ((), (1,)):
        return y
    labels = labelled(y)[1]
    kinds = ("binary", "multiclass")
    if as_array(labels, "y").dtype.kind == "f" or type_of_target(labels) not in kinds:
        return y
    codes, _ = encode_classes(y, "mode='weak'")
    own = -1 - np.arange(len(codes))
    return np.where(codes < 0, own, codes).astype(str).astype(object)


def check_side(
    requires,
    given,
    n_samples,
    *,
    by_step=False,
    kind="class",
    scales=None,
    classes=None,
    dtype=np.float32,
    only=None,
):
    """Compare what is needed with what was given, and bring it into shape.

    Parameters
    ----------
    requires : dict of str to str
        For each name out of "target", "condition", "prior" and "groups" who needs it, for
        messages; what is made during training ("views", "steps", ...) is skipped.

    given : dict of str to array-like or None
        The arguments of ``fit`` by name.

    n_samples : int

    by_step : bool, default=False
        Whether ``condition`` holds numbers for each step of the rows, which are series.

    kind : {"class", "real", "labels"}, default="class"
        What ``target`` holds; see :func:`skcontrast._inputs.target.target_type`.

    scales : tuple of ndarray, default=None
        Mean and scale of the columns of a real target from an earlier fit; computed from
        the target where None.

    classes : ndarray, default=None
        Classes of an earlier fit, which a target of classes is counted in too.

    dtype : dtype, default=float32
        Type of real-valued side information.

    only : collection of str, default=None
        Which of the names are read as they are; all by default. Of the others it is checked that
        they were given.

    Returns
    -------
    side : dict of str to ndarray
        target: (n,) int64 codes, -1 for unlabelled rows, for classes; (n, t) standardised
        numbers, NaN for unlabelled rows, for numbers; (n, t) int64 codes for columns of
        labels. condition (n, q), categories as codes, or (n, q, length) of steps; prior
        (n, q); groups (n,) int64 codes.

    learned : dict of str to ndarray
        What the target was: ``classes_`` that the codes stand for, or ``target_mean_`` and
        ``target_scale_``.
    """
    side, learned = {}, {}
    for name, needed_by in requires.items():
        if name in MADE:
            continue
        value = given.get(name)
        if value is None:
            raise ValueError(_missing(name, needed_by))
        if only is not None and name not in only:
            continue
        if name == "target":
            side[name], learned = encode_target(value, needed_by, kind, scales, classes, dtype)
        elif name == "condition":
            read = _of_steps if by_step else encode_columns
            side[name] = read(value, name, dtype)
        elif name == "groups":
            side[name] = group_codes(value)
        else:
            side[name] = _numbers(value, name, dtype)
        if len(side[name]) != n_samples:
            argument = "y" if name == "target" else name
            raise ValueError(
                f"{argument} has {len(side[name])} rows, but X has {n_samples}: "
                f"pass one entry of {argument} for each row of X."
            )
    for name, value in given.items():
        if name == "target" and n_rows(value, n_samples) != n_samples:
            raise ValueError(
                f"y has {n_rows(value, n_samples)} rows, but X has {n_samples}: pass one entry "
                "of y for each row of X, or none."
            )
        if value is not None and name != "target" and name not in requires:
            warn(
                f"{name}= was given, but {' and '.join(dict.fromkeys(requires.values()))} does "
                f"not use it: leave it out, or choose an objective that requires {name!r}.",
            )
    return side, learned


def check_one_each(y, n_samples, needed_by):
    """Raise unless the target is there and has an entry for each row."""
    if y is None:
        raise ValueError(_missing("target", needed_by))
    if n_rows(y, n_samples) != n_samples:
        raise ValueError(
            f"y has {n_rows(y, n_samples)} rows, but X has {n_samples}: pass one entry of y for "
            "each row of X."
        )


def _missing(name, needed_by):
    if name == "target":
        return (
            f"{needed_by} requires y to be passed, but the target y is None: type fit(X, y), "
            f"with {UNLABELLED} (numbers: NaN) for rows without a label."
        )
    return (
        f"{needed_by} needs {name!r}: pass fit(X, {name}=...) and, inside a Pipeline or a "
        f"search, request it with set_fit_request({name}=True)."
    )


def group_codes(groups):
    """Turn groups of any one type into int64 codes 0, 1, ..."""
    refuse_masked(groups, "groups")
    try:
        groups = np.asarray(groups)
        if groups.ndim != 1:
            raise ValueError(f"Got an array of shape {groups.shape}.")
        assert_all_finite(groups)
        if groups.dtype.kind == "O":
            return category_codes(groups, "of groups").astype(np.int64)
        return np.unique(groups, return_inverse=True)[1].astype(np.int64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "groups must hold one number or string for each row of X, of shape (n_samples,), "
            f"without missing values: {first_line(error)}"
        ) from None


def in_one_piece(codes):
    """Codes (n,) of sessions, each of which has to be one stretch of rows."""
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    back = np.setdiff1d(np.arange(len(starts)), np.unique(codes[starts], return_index=True)[1])
    if len(back):
        row = starts[back[0]]
        before = np.flatnonzero(codes[:row] == codes[row])[-1]
        raise ValueError(
            f"groups come back: row {row} is of the group of row {before}, with another group "
            "between them, but rows are read in time order within each group. Sort the rows by "
            "group and time, or give each visit a number: "
            "groups=np.cumsum(np.r_[0, groups[1:] != groups[:-1]])."
        )
    return codes


def _numbers(value, name, dtype):
    """Turn real-valued side information into an array (n_samples, q)."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            array = check_array(value, ensure_2d=False, dtype=dtype, input_name=name)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a dense array of finite numbers with one row for each row of X, "
            f"of shape (n_samples,) or (n_samples, q): {first_line(error)}"
        ) from None
    return array.reshape(len(array), -1)


def _of_steps(value, name, dtype):
    """Numbers of each step of series as an array (n_series, q, length), NaN where unknown."""
    try:
        value = padded_series(value) if is_ragged(value) else value
        options = {"ensure_2d": False, "allow_nd": True, "ensure_all_finite": "allow-nan"}
        array = check_array(value, dtype=dtype, input_name=name, **options)
        if array.ndim not in (2, 3):
            raise ValueError(f"Got an array of {array.ndim} dimensions.")
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must hold numbers for each step of each series, of shape (n_series, length) "
            f"or (n_series, n_numbers, length): {first_line(error)}"
        ) from None
    return array[:, None] if array.ndim == 2 else array
