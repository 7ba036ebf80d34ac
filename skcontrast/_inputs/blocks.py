"""Blocks: several descriptions of the same rows, and which columns of a table are which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcontrast._component import did_you_mean, take_rows
from skcontrast._inputs.columns import as_array, untorched
from skcontrast._inputs.frame import is_frame
from skcontrast._typing import ArrayLike

# What a message shows where nothing says which columns are which block.
FORMS = (
    "blocks={'a': slice(0, 5), 'b': slice(5, 9)} (or lists of names), blocks=[5, 4] for widths in "
    "order, or blocks='prefix' for a DataFrame with names such as 'a__x'"
)


class Blocks:
    """Several descriptions of the same rows, side by side: what no single table holds.

    Rows can be selected as those of an array, so that train_test_split, cross_val_score and
    GridSearchCV take it. It does not change, and copies nothing.

    Parameters
    ----------
    present : dict of str to array-like of bool (n_samples,), default=None
        For some blocks, which rows have them. A row of an array or a DataFrame whose values are
        all NaN, and a text that is None or NaN, is absent without being named here.

    **named : blocks by name
        Each is a 2-d array, a sparse matrix, a memory map, a DataFrame, or a list (Series,
        1-d array) of texts, with one entry for each row.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import Blocks
    >>> X = Blocks(size=np.ones((3, 2)), title=["a tree", "a house", "a car"])
    >>> X
    Blocks(3 rows: size, title)
    >>> X[[0, 2]]["title"]
    ['a tree', 'a car']
    """

    shape: tuple[int, int]
    _blocks: dict[str, Any]
    _masks: dict[str, np.ndarray]

    def __init__(self, /, *, present: dict[str, ArrayLike] | None = None, **named: Any):
        if not isinstance(present, dict | None):
            raise ValueError(
                f"present is a {type(present).__name__}: type present={{'a': mask}}, a bool for "
                "each row; no block can have this name."
            )
        blocks = {name: _block(value, name) for name, value in named.items()}
        if not blocks:
            raise ValueError("Blocks() holds nothing: type Blocks(a=A, b=B).")
        n = {name: _n_rows(block) for name, block in blocks.items()}
        first = next(iter(blocks))
        for name in blocks:
            if n[name] != n[first]:
                raise ValueError(
                    f"Block {name!r} has {n[name]} rows, and block {first!r} {n[first]}: pass one "
                    "entry of each block for each row, None or NaN where a row lacks it."
                )
        masks = {
            name: _mask(mask, name, blocks, n[first]) for name, mask in (present or {}).items()
        }
        vars(self).update(_blocks=blocks, _masks=masks, shape=(n[first], len(blocks)))

    def __setattr__(self, name, value):
        raise AttributeError("Blocks do not change: make new ones, Blocks(a=A, b=B).")

    def __len__(self):
        return self.shape[0]

    def __iter__(self) -> Iterator:
        raise TypeError("Blocks are selected by name, X['a'], or by rows, X[:5]: not in a loop.")

    def __repr__(self):
        return f"Blocks({len(self)} rows: {', '.join(self._blocks)})"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the blocks, in order."""
        return tuple(self._blocks)

    @property
    def present(self) -> dict[str, np.ndarray]:
        """Which rows have a block, for blocks of which it was said."""
        return dict(self._masks)

    def __getitem__(self, key: Any) -> Any:
        """A block by its name; the blocks of some rows by a slice, numbers or a mask."""
        if isinstance(key, str):
            check_name(key, self._blocks, "X")
            return self._blocks[key]
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:  # as scikit-learn asks
            key = key[0]
        if isinstance(key, tuple):
            raise IndexError("Blocks have rows and names: type X['a'] or X[rows].")
        rows = np.arange(len(self))[key]
        if rows.ndim == 0:
            rows = rows[None]
        taken = {name: _taken(block, key, rows) for name, block in self._blocks.items()}
        masks = {name: mask[rows] for name, mask in self._masks.items()}
        return Blocks(present=masks, **taken)


def _taken(block, key, rows):
    if isinstance(key, slice) and not isinstance(block, list):
        return block[key] if not is_frame(block) else take_rows(block, rows)
    return take_rows(block, rows)


def as_blocks(X):
    """Blocks of a dict, or of a list of tables, as they may be handed to ``fit`` directly."""
    if isinstance(X, dict) and not sp.issparse(X):
        strange = [name for name in X if not isinstance(name, str)]
        if strange:
            raise ValueError(f"X has the block {strange[0]!r}: type a str for the name of each.")
        return Blocks(**X)
    if isinstance(X, (list, tuple)) and len(X) and any(map(_is_table, (X[0], X[-1]))):
        return Blocks(**{f"block{v}": x for v, x in enumerate(X)})
    return X


def _is_table(value):
    """Whether an entry of a list is a block of its own, and no row of numbers."""
    if hasattr(value, "shape"):
        return len(value.shape) == 2
    return isinstance(value, (list, tuple)) and len(value) and isinstance(value[0], (list, tuple))


def _block(value, name):
    value = untorched(value, f"block {name!r}")
    if not is_frame(value) and not sp.issparse(value):
        value = _no_frame(value, name)
    if not isinstance(value, list) and not value.shape[1]:
        raise ValueError(f"Block {name!r} has no columns: leave it out.")
    return value.tocsr() if sp.issparse(value) else value


def _no_frame(value, name):
    other = (str, bytes, dict, set, Blocks)
    if isinstance(value, other) or not hasattr(value, "__len__"):
        kind = type(value).__name__
        raise ValueError(f"Block {name!r} is a {kind}: pass a 2-d table, or a list of texts.")
    if is_texts(value):
        return value if isinstance(value, list) else list(value)
    value = value if hasattr(value, "shape") else as_array(value, f"Block {name!r}")
    if value.ndim != 2:
        advice = "type np.reshape(x, (-1, 1)) for one column"
        advice = advice if value.ndim == 1 else "pass a 2-d table"
        raise ValueError(f"Block {name!r} has the shape {value.shape}: {advice}, or texts.")
    return value


def is_texts(value):
    """Whether a block is a list, Series or 1-d array of documents, of which some may be missing."""
    if np.ndim(value) != 1 if hasattr(value, "shape") else not isinstance(value, (list, tuple)):
        return False
    first = next((v for v in value if not is_missing(v)), None)
    if first is None:
        return len(value) > 0
    words = isinstance(first, (list, tuple)) and len(first) and isinstance(first[0], str)
    return isinstance(first, str) or bool(words)


def is_missing(value):
    """Whether an entry of a list of documents stands for none."""
    is_nan = isinstance(value, float) and value != value
    return value is None or is_nan or type(value).__name__ in ("NAType", "NaTType")


def _n_rows(block):
    return block.shape[0] if hasattr(block, "shape") else len(block)


def _mask(mask, name, blocks, n):
    check_name(name, blocks, "present")
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise ValueError(
            f"present[{name!r}] is an array of {mask.dtype} of shape {mask.shape}: pass a bool for "
            f"each of the {n} rows."
        )
    return mask


def check_name(name, names, where):
    """Raise where a block of this name is not there, with the nearest one that is."""
    if not isinstance(name, str) or name not in names:
        hint = did_you_mean(str(name), [str(n) for n in names])
        there = ", ".join(map(repr, names))
        raise ValueError(f"{where} names the block {name!r}, and there are {there}.{hint}")


def columns_of_blocks(blocks, X, names):
    """What each block takes of a table: int ndarray of its columns, or one int for texts.

    Parameters
    ----------
    blocks : dict, list, "prefix" or None
        The parameter of an estimator.

    X : 2-d table

    names : sequence of str or None
        Names of its columns.
    """
    n = X.shape[1]
    if blocks is None:
        raise ValueError(
            f"X is one table of n_features={n} columns, and blocks=None does not say which are "
            f"which: type {FORMS}, or pass Blocks(a=A, b=B)."
        )
    if isinstance(blocks, dict):
        found = {name: _selected(value, name, X, names) for name, value in blocks.items()}
    elif isinstance(blocks, str):
        found = _by_prefix(names, n)
    else:
        found = _by_width(blocks, n)
    if len(found) < 2:
        raise ValueError(
            f"blocks={blocks!r} makes {len(found)} block of the n_features={n} columns, and two or "
            "more are needed: add another, or use ContrastiveEncoder for a single table."
        )
    return found


def _by_prefix(names, n):
    if names is None:
        raise ValueError(
            f"blocks='prefix' reads names of columns, and X has none: pass a DataFrame, or type "
            f"{FORMS}."
        )
    found: dict = {}
    for j, name in enumerate(names):
        prefix, delimiter, _ = str(name).partition("__")
        if delimiter:
            found.setdefault(prefix, []).append(j)
    if not found:
        raise ValueError(
            f"blocks='prefix' takes what stands before '__' in names of columns, and X has none "
            f"with it, such as {names[0]!r}: type {FORMS}."
        )
    return {name: np.array(columns) for name, columns in found.items()}


def _by_width(blocks, n):
    widths = list(blocks)
    whole = all(isinstance(w, (int, np.integer)) and not isinstance(w, bool) for w in widths)
    if not whole or any(w < 1 and w != -1 for w in widths) or widths.count(-1) > 1:
        raise ValueError(
            f"blocks={blocks!r} must hold numbers of columns of at least 1, one of which may be -1 "
            f"for all others: type {FORMS}."
        )
    if -1 in widths:
        widths[widths.index(-1)] = n - sum(w for w in widths if w != -1)
    if sum(widths) != n or min(widths) < 1:
        raise ValueError(
            f"blocks={blocks!r} takes {sum(w for w in blocks if w != -1)} columns, and X has "
            f"n_features={n}: type widths whose sum that is, each at least 1."
        )
    ends = np.cumsum(widths)
    return {f"block{v}": np.arange(e - w, e) for v, (w, e) in enumerate(zip(widths, ends))}


def _selected(value, name, X, names):
    """Numbers of the columns that a value of the dict selects."""
    n = X.shape[1]
    if not isinstance(name, str):
        raise ValueError(f"blocks has the name {name!r}: type a str for each.")
    if callable(value):
        value = value(X)
    if isinstance(value, (str, int, np.integer)) and not isinstance(value, bool):
        return int(_number(value, name, n, names))
    if isinstance(value, slice):
        chosen = _sliced(value, name, n, names)
    elif np.ndim(value) != 1:
        raise ValueError(
            f"blocks[{name!r}]={value!r} selects no columns: type a list of names or numbers, a "
            "slice, a mask of all columns, or the name of one column of texts."
        )
    else:
        listed = np.asarray(value)
        if listed.dtype == bool:
            if listed.shape != (n,):
                raise ValueError(
                    f"blocks[{name!r}] is a mask of {listed.size} columns, and X has n_features="
                    f"{n}: pass a bool for each."
                )
            chosen = np.flatnonzero(listed)
        else:
            chosen = np.array([_number(v, name, n, names) for v in list(value)], dtype=np.int64)
    if not len(chosen):
        raise ValueError(
            f"blocks[{name!r}]={value!r} selects none of the n_features={n} columns of X."
        )
    return chosen


def _sliced(value, name, n, names):
    ends = [
        _number(e, name, n, names) if isinstance(e, str) else e for e in (value.start, value.stop)
    ]
    by_name = isinstance(value.stop, str)  # names are taken with their end, as pandas does
    try:
        return np.arange(n)[slice(ends[0], ends[1] + by_name if by_name else ends[1], value.step)]
    except TypeError:
        raise ValueError(
            f"blocks[{name!r}]={value!r}: type whole numbers, or names, as its ends."
        ) from None


def _number(column, name, n, names):
    if isinstance(column, str):
        if names is None:
            raise ValueError(
                f"blocks[{name!r}] names the column {column!r}, and X has no names of columns: "
                "pass a DataFrame, or type numbers."
            )
        places = [j for j, other in enumerate(names) if other == column]
        if not places:
            hint = did_you_mean(column, [str(other) for other in names])
            raise ValueError(f"blocks[{name!r}] names {column!r}, which is no column of X.{hint}")
        return places[0]
    whole = isinstance(column, (int, np.integer)) and not isinstance(column, bool)
    if not whole or not -n <= column < n:
        raise ValueError(
            f"blocks[{name!r}] selects the column {column!r}, and X has n_features={n}: type "
            "numbers from 0 on, names, a slice or a mask."
        )
    return column % n
