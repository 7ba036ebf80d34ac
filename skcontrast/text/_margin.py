r"""The margin objective of a block of words: unit vectors, and one table for both roles.

.. math:: \sum_{(c, w)} \frac{K}{N} \sum_{n \neq c} \max(0, m - v_c \cdot v_w + v_c \cdot v_n)

Which terms are above zero depends on centre, context and negative at once; as a centre has few
contexts, these triples fill a small array.
"""

import torch

from ._steps import row_rates, windows_of
from ._stream import Group, Layout, overlap_add

# Largest product of rate and terms of a row, found by trial; its length is one again afterwards.
MARGIN_CAP = 4.0


class MarginLayout(Layout):
    """One table: contexts and negatives; the centres are among the contexts."""

    def group(self, contexts, centres, negatives, mask, same):
        """Weights are 0, or minus infinity where a negative is the centre itself."""
        weights = torch.zeros_like(same).masked_fill_(same.bool(), -torch.inf)
        index = torch.cat([contexts, negatives], 1)
        return Group(index, mask, mask.sum(-1).flatten(1), weights)


class MarginStep:
    """A step of the margin objective, on a table of unit rows (n_words, n_components).

    ``share`` (n_noise,) are the weights of the negatives, ``cap`` how far a row is moved at most;
    None for no cap.
    """

    def __init__(self, table, shape, share, margin, cap=MARGIN_CAP):
        self.table, self.shape, self.share = table, shape, share
        self.margin, self.cap = margin, cap
        self.weight = table.new_zeros(len(table))
        self.parts = [slice(None)]

    def apply(self, changes, part):
        """Add the changes of all shares, then bring the rows back to length one."""
        for index, change in changes:
            self.table.index_add_(0, index[part], change[part])
        for index, _ in changes:
            rows = torch.nn.functional.normalize(self.table.index_select(0, index[part]))
            self.table.index_copy_(0, index[part], rows)

    def __call__(self, group, i, rate, loss=None):
        """Compute step ``i`` of a group: which rows change, and what is added to them."""
        n_windows, width, reach, _ = self.shape
        index, mask = group.index[i], group.mask[i]
        rows = self.table.index_select(0, index)
        x, z = rows.split([self.shape.n_contexts, len(self.share)])
        y = x[reach : reach + self.shape.n_centres]
        windows, centres = windows_of(self.shape, x), y.unflatten(0, (n_windows, width))
        attract = torch.bmm(centres, windows.transpose(1, 2))
        repel = torch.addmm(group.weights[i], y, z.T)
        band = self.band(mask)
        # (n_windows, width, 2 * reach + 1, n_noise): small, as the reach is.
        excess = (repel + self.margin).unflatten(0, (n_windows, width))[:, :, None]
        excess = excess - self.band(attract)[..., None]
        if loss is not None:
            hinge = torch.matmul(excess.clamp(min=0), self.share)
            loss[0] += (band * hinge).sum(dtype=torch.float64)
            loss[1] += band.sum(dtype=torch.float64)
        above = torch.gt(excess, 0, out=excess)
        pull = torch.zeros_like(mask)
        self.band(pull).copy_(torch.matmul(above, self.share).mul_(band))
        push = torch.matmul(band[:, :, None], above).flatten(0, 2).mul_(-self.share)
        change = torch.zeros_like(rows)
        dx, dz = change.split([len(x), len(z)])
        dy = dx[reach : reach + len(y)]
        torch.mm(push.T, y, out=dz)
        overlap_add(dx, torch.bmm(pull.transpose(1, 2), centres), width)
        dy += torch.bmm(pull, windows).flatten(0, 1)
        dy.addmm_(push, z)
        # The length is fixed: only the part of a change across its row counts.
        change.addcmul_(rows, torch.linalg.vecdot(rows, change)[:, None], value=-1)
        return index, change.mul_(self.rates(index, pull, push, rate))

    def band(self, scores):
        """Entries of the centres' own contexts, (n_windows, width, 2 * reach + 1): a view."""
        n_windows, width, length = scores.shape
        size = (n_windows, width, 2 * self.shape.reach + 1)
        return scores.as_strided(size, (width * length, length + 1, 1), scores.storage_offset())

    def rates(self, index, pull, push, rate):
        """Learning rate of each row: slower where the row has too many terms."""
        if self.cap is None:
            return rate
        reach, n_contexts = self.shape.reach, self.shape.n_contexts
        weight = pull.new_zeros(len(index))
        weight[n_contexts:] = -push.sum(0)
        weight[reach : reach + len(push)] = pull.sum(2).flatten() - push.sum(1)
        overlap_add(weight[:n_contexts, None], pull.sum(1)[..., None], self.shape.width)
        return row_rates(self.weight, index, weight, self.cap, rate)
