"""Batches for rows that belong together, and are views of each other."""

import torch

from skcontrast._inputs.rows import Rows
from skcontrast.samplers._batches import BalancedBatches, split_batches


class OnePerGroup(BalancedBatches):
    """Batches with at most one row of a group, as far as there are groups enough.

    Rows of one group are positives of each other, so they must not be negatives as well.
    Every row comes once an epoch: first one of each group, then a second one, and so on.

    Parameters
    ----------
    rows : Rows
        With the side information ``pairs``.

    batch_size : int

    min_rows : int
    """

    def __init__(self, rows: Rows, batch_size: int, min_rows: int):
        groups = rows.side["pairs"].to(rows.index_device)[rows.train_index]
        super().__init__(rows.train_index, groups, batch_size, min_rows)

    def __iter__(self):
        n = len(self.index)
        shuffled = torch.randperm(n, device=self.index.device)
        by_group = shuffled[self.codes[shuffled].argsort(stable=True)]
        turn = torch.arange(n, device=self.index.device) - self.starts[self.codes[by_group]]
        mixed = torch.randperm(n, device=self.index.device)
        order = by_group[mixed[turn[mixed].argsort(stable=True)]]
        yield from split_batches(self.index[order], self.batch_size, self.min_rows)
