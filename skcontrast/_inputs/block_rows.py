"""Rows of several blocks: batches of them, and the rows of a training."""

from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import scipy.sparse as sp
import torch

from skcontrast._inputs.rows import Rows, concatenate, to_device


class CheckedBlocks:
    """Blocks that an input has read, sliced by row.

    Parameters
    ----------
    blocks : dict of str to checked rows

    present : bool ndarray of shape (n_blocks, n) or None
        Which rows have which block; None where all have all.

    n_columns : int
        Columns of the table that they would make.
    """

    def __init__(self, blocks, present, n_columns):
        self.blocks, self.present, self.n_given = blocks, present, len(blocks)
        n = next(iter(blocks.values())).shape[0] if present is None else present.shape[1]
        self.shape = n, n_columns

    def __len__(self):
        return self.shape[0]

    @property
    def dtype(self):
        """float32 where all blocks are."""
        single = all(block.dtype == np.float32 for block in self.blocks.values())
        return np.dtype(np.float32 if single else np.float64)

    @property
    def is_sparse(self):
        """Whether a block is, so that all beside each other had better be."""
        return any(map(sp.issparse, self.blocks.values()))

    def __getitem__(self, part):
        """The rows of a slice or of an array of numbers."""
        present = None if self.present is None else self.present[:, part]
        blocks = {name: block[part] for name, block in self.blocks.items()}
        return CheckedBlocks(blocks, present, self.shape[1])


@dataclass(eq=False)
class BlockBatch:
    """One batch of each block, and which rows have it.

    ``batches`` maps names to batches of as many rows; ``present`` (V, n) bool is None where all
    rows have all blocks.
    """

    batches: dict
    present: torch.Tensor | None = None

    def __len__(self):
        return len(next(iter(self.batches.values())))

    @property
    def shape(self):
        """(n, V)."""
        return len(self), len(self.batches)

    @property
    def device(self):
        """Where the tensors are."""
        return next(iter(self.batches.values())).device

    @property
    def dtype(self):
        """Type of the values."""
        return next(iter(self.batches.values())).dtype

    def clone(self):
        """A batch whose blocks may be changed."""
        return replace(self, batches=dict(self.batches))

    def padded(self, missing):
        """The batch with ``missing`` rows more at its end."""
        grown = {name: _padded(batch, missing) for name, batch in self.batches.items()}
        present = self.present
        if present is not None:
            present = torch.cat([present, present[:, :1].expand(-1, missing)], dim=1)
        return BlockBatch(grown, present)

    def split(self, size):
        """Batches of ``size`` rows each, in order."""
        present = repeat(None) if self.present is None else self.present.split(size, dim=1)
        for there, *parts in zip(present, *(batch.split(size) for batch in self.batches.values())):
            yield BlockBatch(dict(zip(self.batches, parts)), there)

    @staticmethod
    def joined(batches):
        """Stack batches of the same blocks, row after row."""
        if len(batches) == 1:
            return batches[0]
        first = batches[0]
        stacked = {k: concatenate([b.batches[k] for b in batches]) for k in first.batches}
        present = first.present
        if present is not None:
            present = torch.cat([batch.present for batch in batches], dim=1)
        return BlockBatch(stacked, present)


def _padded(batch, missing):
    if torch.is_tensor(batch):
        return torch.cat([batch, batch[:1].expand(missing, -1)])
    return batch.padded(missing)


class BlockRows(Rows):
    """All training rows of several blocks.

    Parameters
    ----------
    X : CheckedBlocks

    source : BlocksInput

    side, dtype, device, train_index
        As of :class:`~skcontrast._inputs.rows.Rows`.

    Attributes
    ----------
    blocks : dict of str to Rows
        Those of each block; what is drawn from them are rows that have it.

    present : bool tensor of shape (V, n) or None
    """

    kind = "blocks"

    def __init__(self, X, source, side=None, dtype=torch.float32, device="cpu", train_index=None):
        train = np.arange(X.shape[0]) if train_index is None else np.asarray(train_index)
        self.blocks, self._X, self._source = {}, X, source
        self.n_given = len(X.blocks)
        options = {"dtype": dtype, "device": device}
        for v, (name, block) in enumerate(X.blocks.items()):
            own = train_index if X.present is None else train[X.present[v, train]]
            rows = source.inputs_[name].rows(block, None, train_index=own, **options)
            self.blocks[name] = rows
        super().__init__(X, side=side, train_index=train_index, **options)

    def _store(self, X):
        homes = {rows.index_device.type for rows in self.blocks.values()}
        on_device = homes == {self.device.type}
        self.index_device = self.device if on_device else torch.device("cpu")
        self.present = None if X.present is None else torch.as_tensor(X.present).to(self.device)

    @property
    def names(self):
        """Names of the blocks, in order."""
        return tuple(self.blocks)

    def take(self, index):
        """The rows ``index`` as a BlockBatch."""
        blocks = self.blocks.items()
        taken = {k: rows.take(to_device(index, rows.index_device)) for k, rows in blocks}
        present = None if self.present is None else self.present[:, to_device(index, self.device)]
        return BlockBatch(taken, present)

    def standardized(self, name, index):
        """Standardised rows ``index``, an int ndarray, of a block of numbers: ndarray or CSR."""
        return self._source.inputs_[name].standardized(self._X.blocks[name][index])

    def is_present(self, name, index):
        """Which of the rows ``index`` have a block: bool ndarray."""
        if self._X.present is None:
            return np.ones(len(index), dtype=bool)
        return self._X.present[self.names.index(name), index]
