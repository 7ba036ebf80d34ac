"""Blocks that rows lack: what their columns are is read off the blocks that are there."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import RidgeCV

from skcontrast._canonical import unit_rows
from skcontrast._component import take_rows
from skcontrast._inputs.blocks import is_missing
from skcontrast._inputs.frame import is_frame, missing_rows
from skcontrast._inputs.rows import CHUNK
from skcontrast._inputs.tokens import number_words


class AbsentBlocks:
    """Of an input of several blocks: the columns of one by the embedding of the others."""

    has_absent = True

    def fit_absent(self, X, learned):
        """Learn what the columns of a block are, by the embedding of a row's other blocks.

        Parameters
        ----------
        X : CheckedBlocks

        learned : ndarray of shape (n, n_blocks * d)
            Unit rows of the blocks side by side.

        Returns
        -------
        maps : dict of str to ndarray of shape (d + 1, n_columns), or None
            Ridge regression of each dense block of numbers, the last row its intercept.
        """
        S = self.standardized(X) if self.combine == "concat" else None
        if S is None or sp.issparse(S):
            return None
        present = _marks(X, len(self.inputs_))
        Z = learned.reshape(len(learned), len(self.inputs_), -1).transpose(1, 0, 2)
        Z, maps = Z * present[:, :, None], {}
        for v, name, columns in self._columns_of_blocks():
            rows = present[v] & (present.sum(axis=0) > 1)
            if rows.sum() > 2:
                others = unit_rows(Z.sum(axis=0)[rows] - Z[v, rows])
                ridge = RidgeCV(np.logspace(-3, 3, 13)).fit(others, S[rows, columns])
                coef = ridge.coef_.reshape(-1, others.shape[1]).T  # of one column too
                maps[name] = np.vstack([coef, np.atleast_1d(ridge.intercept_)])
        return maps

    def completed(self, S, X, learned, maps):
        """Standardised rows, where absent blocks are what the other blocks say."""
        if X.present is None or X.present.all():
            return S
        S = S.copy()
        # Of a block that is not there this is the mean of those that are.
        Z = learned.reshape(len(learned), len(self.inputs_), -1)
        for v, name, columns in self._columns_of_blocks():
            lacking = ~X.present[v, :, None]
            if name in maps and lacking.any():
                # Of all rows: the bits of a product depend on how many there are.
                said = Z[:, v] @ maps[name][:-1] + maps[name][-1]
                S[:, columns] = np.where(lacking, said, S[:, columns])
        return S

    def _columns_of_blocks(self):
        """Number and name of each block of numbers, and its columns among those of all."""
        start = 0
        for v, (name, kind, width) in enumerate(self.layout):
            if kind == "numbers":
                yield v, name, slice(start, start + width)
                start += width


def _marks(X, n_blocks):
    """Which rows have which block: bool (n_blocks, n)."""
    return np.ones((n_blocks, len(X)), dtype=bool) if X.present is None else X.present


def is_there(block):
    """Which rows of a block hold a value: bool ndarray (n,)."""
    if isinstance(block, list):
        return ~np.array([is_missing(text) for text in block], dtype=bool)
    if is_frame(block):
        return ~missing_rows(block)
    if block.dtype.kind == "O":  # NaN alone differs from itself
        return ~np.asarray(block != block, dtype=bool).all(axis=1)
    if sp.issparse(block) or block.dtype.kind != "f":
        return np.ones(block.shape[0], dtype=bool)
    parts = range(0, len(block), CHUNK)
    return np.concatenate([~np.isnan(block[i : i + CHUNK]).all(axis=1) for i in parts])


def some_rows(block, there):
    """The rows of a block that have it."""
    return block if there.all() else take_rows(block, np.flatnonzero(there))


def spread(rows, there, part):
    """Checked rows in their places among all, with a neutral row where there is none."""
    if there.all():
        return rows
    if part.kind == "tokens":
        rows = number_words([], part.word_counts_) if rows is None else rows
        return _spread_documents(rows, there)
    if sp.issparse(rows):
        lengths = np.zeros(len(there), dtype=np.int64)
        lengths[there] = np.diff(rows.indptr)
        indptr = np.append(0, np.cumsum(lengths))
        return sp.csr_matrix((rows.data, rows.indices, indptr), (len(there), rows.shape[1]))
    fill = 0.0 if part.mean_ is None else part.mean_
    out = np.empty((len(there), part.n_features), dtype=np.float32 if rows is None else rows.dtype)
    out[~there] = fill
    if rows is not None:
        out[there] = rows
    return out


def _spread_documents(rows, there):
    lengths = np.zeros(len(there), dtype=np.int64)
    lengths[there] = np.diff(rows.offsets)
    return replace(rows, offsets=np.append(0, np.cumsum(lengths)))


def masked(S, there):
    if sp.issparse(S):
        return sp.diags_array(there.astype(S.dtype)) @ S
    return np.where(there[:, None], S, 0.0)
