"""What a stream that is saved may remember: rows as its input reads them, and what stood beside."""

import numpy as np
import scipy.sparse as sp

from skcontrast._saved.blocks import need as _need

BESIDE = {"target", "condition", "prior", "groups"}


def memory(kept, source):
    """Refuse kept rows that are not those of the input, or not as many as what is beside them."""
    n = _rows(kept["rows"], source)
    classes, n_seen = kept["classes"], kept["n_seen"]
    counted = n_seen.dtype.kind in "iu" and (n_seen >= 0).all() and classes.ndim == 1
    _need(counted and n_seen.shape == (len(classes) + 1,), "n_seen is not a number a class")
    beside = {k: v for k, v in kept.items() if k not in ("rows", "classes", "n_seen")}
    arrays = all(isinstance(v, np.ndarray) and len(v) == n for v in beside.values())
    _need(beside.keys() <= BESIDE and arrays, "memory_ holds more or less than rows")


def _rows(rows, source):
    """Number of the rows that were kept."""
    if source.kind == "tokens":
        words = isinstance(rows, list) and all(isinstance(text, list) for text in rows)
        _need(words and all(isinstance(w, str) for text in rows for w in text), "rows are no texts")
        return len(rows)
    if source.kind == "blocks":
        present, blocks = rows["present"], rows["blocks"]
        _need(list(blocks) == list(source.inputs_), "rows are of other blocks")
        n = {_rows(block, source.inputs_[name]) for name, block in blocks.items()}
        _need(present.dtype == bool and present.ndim == 2, "present is no mask")
        _need(n == {present.shape[1]} and len(present) == len(blocks), "a block has other rows")
        return present.shape[1]
    shape = source.shape_in_ if source.kind == "series" else (source.n_features,)
    fits = (sp.issparse(rows) or isinstance(rows, np.ndarray)) and rows.dtype.kind == "f"
    _need(fits and tuple(rows.shape[1:]) == tuple(shape), "rows are of another shape")
    return rows.shape[0]
