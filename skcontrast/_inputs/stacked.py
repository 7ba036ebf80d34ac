"""Rows of several blocks that one network reads: one after the other, as rows of one kind."""

import numpy as np

from skcontrast._inputs.blocks import is_texts


class Stacked:
    """Checked rows of ``n_given`` blocks, block after block.

    Parameters
    ----------
    rows : checked rows, n_given times n

    n_given : int
        Number of blocks.
    """

    def __init__(self, rows, n_given):
        self.rows, self.n_given = rows, n_given
        self.shape = len(rows) // n_given, rows.shape[1]

    def __len__(self):
        return self.shape[0]

    @property
    def dtype(self):
        """Type of the values."""
        return self.rows.dtype

    def training(self, make, side, train_index=None, **options):
        """Rows of a training: those of the first block are drawn, and the others read beside."""
        train_index = np.arange(len(self)) if train_index is None else train_index
        rows = make(self.rows, side, train_index=train_index, **options)
        rows.n_given, rows.stacked = self.n_given, True
        return rows


def stack_texts(X):
    """The texts of all blocks as one list, and the number of blocks."""
    for name in X.names:
        block = X[name]
        if not is_texts(block):
            raise ValueError(
                f"Block {name!r} holds no texts: pass lists of texts, or use "
                "MultiViewContrastiveEncoder for blocks of other kinds."
            )
        lacking = ~X.present.get(name, np.ones(len(X), dtype=bool))
        lacking |= np.array([not isinstance(text, str) for text in block], dtype=bool)
        if lacking.any():
            raise ValueError(
                f"Block {name!r} has no text in row {lacking.argmax()}, and {lacking.sum()} such "
                "rows in all: leave them out, or use MultiViewContrastiveEncoder(tied=True)."
            )
    if len(X) < 2:
        raise ValueError(f"X is {X!r}: pass at least 2 rows, as one has nothing to compare with.")
    if len(X.names) < 2:
        raise ValueError(f"X is {X!r}, with one block: pass its texts, X[{X.names[0]!r}].")
    return [text for name in X.names for text in X[name]], len(X.names)
