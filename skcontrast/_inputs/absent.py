"""Blocks that rows lack: what their columns are is read off the blocks that are there."""

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import RidgeCV

from skcontrast._canonical import unit_rows


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
