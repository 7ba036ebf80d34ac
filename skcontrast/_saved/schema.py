"""What a fitted object may hold: the kind, shape and range of each attribute, against the others.

A line of :data:`~skcontrast._saved.tables.TABLES` is ``name  kind  sizes  range``. A letter among
the sizes stands for one number in all lines of a class; ``*`` is any size, ``...`` any further
ones. ``?`` before the name says that the attribute may be missing, ``none`` before the kind that
it may be None. Attributes without a line are kept as they are: nothing reads them.
"""

import numbers
import re

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skcontrast._component import check_parameters
from skcontrast._saved.heads import params_of
from skcontrast._saved.relations import RELATIONS
from skcontrast._saved.step_tables import lines
from skcontrast._saved.tables import TABLES

# Arrays by the kinds of their types; words and labels may be None or numbers, as objects.
_ARRAYS = {"float": "f", "int": "iu", "real": "fiu", "bool": "b", "words": "OU", "label": "biufOU"}
_ARRAYS["cell"] = "biufOU"  # of a table: NaN is a value


# Parameters that are collections of words, whatever else their constraints let through.
_OF_WORDS = ("connector_words", "stop_words", "vocabulary")


def check_object(made):
    """Refuse an estimator or component whose parameters or attributes do not belong together."""
    params = params_of(made)
    for name in _OF_WORDS:
        words = params.get(name)
        if isinstance(words, (list, tuple, set, frozenset, dict)):
            if not all(isinstance(word, str) for word in words):
                raise ValueError(
                    f"{name} of a {type(made).__name__} holds something else than words"
                )
    if hasattr(made, "_parameter_constraints") and type(made).__module__.startswith("skcontrast."):
        check_parameters(made, deep=False)  # what it holds was checked before
    name = next((cls.__name__ for cls in type(made).__mro__ if cls.__name__ in TABLES), None)
    own = {line[0] for line in lines(TABLES.get(name, ""))}
    fitted = {k: v for k, v in vars(made).items() if k in own and k not in params}
    if name is None or not fitted:
        return
    check_table(TABLES[name], fitted, type(made).__name__)
    if name in RELATIONS:
        try:
            RELATIONS[name](made)
        except (AttributeError, KeyError) as error:
            raise ValueError(f"a {type(made).__name__} lacks {error}") from None


def check_table(table, fitted, owner):
    """Check attributes against the lines of a table; gives the sizes that letters stand for."""
    sizes: dict[str, int] = {}
    for name, may_lack, spec in lines(table):
        if name not in fitted:
            if may_lack:
                continue
            raise ValueError(f"a {owner} lacks {name}")
        why = _wrong(fitted[name], list(spec), sizes)
        if why:
            raise ValueError(f"{name} of a {owner} {why}")
    return sizes


def _wrong(value, spec, sizes):
    """Say what is wrong with a value, or None."""
    if spec[0] == "none":
        if value is None:
            return None
        spec = spec[1:]
    kind, *rest = spec
    if kind == "table":  # of floats, dense or sparse
        if sp.issparse(value):
            why = filter(None, (_agrees(*pair, sizes) for pair in zip(value.shape, rest)))
            return next(why, None) or _wrong_array(value.data, "float", ["*"], sizes)
        kind = "float"
    if kind in _ARRAYS and rest:
        return _wrong_array(value, kind, rest, sizes)
    if kind[0].isupper():
        names = {cls.__name__ for cls in type(value).__mro__}
        return None if names & set(kind.split("/")) else f"is no {kind.replace('/', ' or ')}"
    if not _IS[kind](value):
        return f"is no {_NAMES.get(kind, kind)}"
    if rest and kind == "whole" and rest[0].isalpha():
        return _agrees(int(value), rest[0], sizes)
    if rest and kind == "index":
        return _agrees(len(value), rest[0], sizes)
    return _out_of_range(np.asarray(value), rest, sizes) if rest else None


def _wrong_array(value, kind, spec, sizes):
    if not isinstance(value, np.ndarray) or value.dtype.kind not in _ARRAYS[kind]:
        return f"is no array of type {kind}"
    ranges = [part for part in spec if part[0] in "<>" or part == "sorted"]
    shape = [part for part in spec if part not in ranges]
    more = shape[-1] == "..."
    shape = shape[:-1] if more else shape
    if value.ndim < len(shape) or value.ndim > len(shape) and not more:
        return f"has the shape {value.shape}"
    for size, part in zip(value.shape, shape):
        if why := _agrees(size, part, sizes):
            return why
    if value.dtype.kind == "f" and kind != "cell" and not np.isfinite(value).all():
        return "holds NaN or infinity"
    if kind == "words" and not all(v is None or isinstance(v, str) for v in value.flat):
        return "holds something else than words"
    return _out_of_range(value, ranges, sizes)


def _agrees(size, part, sizes):
    wanted = int(part) if part.isdigit() else size if part == "*" else sizes.setdefault(part, size)
    return None if size == wanted else f"has the size {size} where others have {wanted}"


def _out_of_range(value, ranges, sizes):
    for part in ranges:
        if part == "sorted":
            fits = (np.diff(value, axis=0) >= 0).all()
        else:
            sign, limit = re.match("([<>]=?)(.*)", part).groups()
            limit = sizes[limit] if limit.isalpha() else float(limit)
            compare = {">": np.greater, ">=": np.greater_equal, "<": np.less}[sign]
            fits = compare(value, limit).all()
            # Below a size: numbers of rows, of which none is negative.
            fits &= sign != "<" or (value >= 0).all()
        if not fits:
            return f"holds values that are not {part}"
    return None


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and abs(value) < np.inf


def _is_curve(value):
    return isinstance(value, list) and all(isinstance(v, numbers.Real) for v in value)


def _are_arrays(value):
    """Whether a dict, or dicts of dicts, hold arrays of finite numbers."""
    if isinstance(value, dict):
        return all(map(_are_arrays, value.values()))
    is_array = isinstance(value, np.ndarray) and value.dtype.kind in "biuf"
    return is_array and bool(np.isfinite(value).all())


def _is_scores(value):
    return isinstance(value, dict) and all(map(_is_number, value.values()))


_IS = {
    "whole": _is_whole,
    "number": _is_number,
    "bool": lambda value: isinstance(value, bool),
    "str": lambda value: isinstance(value, str),
    "curve": _is_curve,
    "dict": lambda value: isinstance(value, dict),
    "arrays": lambda value: isinstance(value, dict) and _are_arrays(value),
    "scores": _is_scores,
    # Words in the order of their rows: what is read by number and by place is the same.
    "index": lambda value: (
        isinstance(value, dict) and list(value.values()) == list(range(len(value)))
    ),
    "list": lambda value: isinstance(value, list),
    "tuple": lambda value: isinstance(value, tuple),
    # Of all rows, or of each column.
    "count": lambda value: _is_number(value) or isinstance(value, np.ndarray),
    "dtype": lambda value: isinstance(value, np.dtype),
    "estimator": lambda value: isinstance(value, BaseEstimator),
}
_NAMES = {
    "whole": "whole number",
    "number": "finite number",
    "curve": "list of numbers",
    "arrays": "dict of arrays of finite numbers",
    "scores": "dict of finite numbers",
    "index": "numbering 0, 1, ... of words in their order",
}
