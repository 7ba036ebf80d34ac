r"""One step of a block of words, without autograd: what is added to which rows.

Rows x of contexts, y of centres and z of negatives lie in one gathered matrix, as their
changes do. A step gives the *sum* of its pairs' gradients at the vectors it began with,
so a row with many pairs could be thrown far. With

.. math:: H_r = \sum_{\text{pairs } j \text{ of } r} w_j \, |v_j|^2

(v the vectors that r is compared with), a gradient step of length :math:`\eta` on row r
contracts while :math:`\eta H_r \sigma' < 2`, :math:`\sigma'` being the mean slope of the
logistic function at its pairs. Each row's rate is therefore :math:`\min(\eta, c / H_r)`: only
the most frequent words are slowed. The constant c was found by trial, since most pairs lie where
the slope is small: 5 or less slows words that were safe, and makes the vectors worse.
"""

import torch
from torch.nn import functional as F

from ._stream import overlap_add

# Largest product of rate and H.
CAP = 10.0


def windows_of(shape, rows):
    """Contexts of each window: overlapping views of the contexts of the block."""
    size = (shape.n_windows, shape.width + 2 * shape.reach, rows.shape[1])
    stride = rows.stride(0)
    return rows.as_strided(size, (shape.width * stride, stride, 1), rows.storage_offset())


def row_rates(work, index, curvature, cap, rate):
    """Rate of each row, (n, 1), where H is the sum over the places at which the row occurs.

    ``work`` (n_rows,) is zero, and zero again afterwards; ``curvature`` (n,) is H of each place.
    """
    work.index_add_(0, index, curvature)
    total = work.index_select(0, index)
    work.index_fill_(0, index, 0.0)
    return total.reciprocal_().mul_(cap).clamp_(max=rate)[:, None]


class SkipGramStep:
    r"""Skip-gram with negatives shared by the block.

    .. math:: -\sum_{(c, w)} \log \sigma(x_w \cdot y_c)
              + \frac{K}{N} \sum_n [n \neq c] \log \sigma(-x_w \cdot z_n)

    ``table`` (2 * n_words, n_components) holds the words as contexts, then as centres and
    negatives; ``share`` (n_noise,) the weights of the negatives, K / N; ``cap`` is the largest
    product of rate and curvature, None for no cap.
    """

    def __init__(self, table, shape, share, cap=CAP):
        self.table, self.shape, self.share, self.cap = table, shape, share, cap
        self.sizes = [shape.n_contexts, shape.n_centres, len(share)]
        self.curvature = table.new_zeros(len(table))
        # Rows of different parts are different: threads may change them at the same time.
        self.parts = [slice(shape.n_contexts), slice(shape.n_contexts, None)]

    def apply(self, changes, part):
        """Add the changes of all shares, one after the other, to the rows of one part."""
        for index, change in changes:
            self.table.index_add_(0, index[part], change[part])

    def __call__(self, group, i, rate, loss=None):
        """Compute step ``i`` of a group: which rows change, and what is added to them.

        Of the rows (n,) some occur several times; the changes are (n, n_components). The sum of the
        losses and the number of pairs are added to ``loss``, float64 (2,).
        """
        n_windows, width, _, _ = self.shape
        index, mask, weights = group.index[i], group.mask[i], group.weights[i]
        rows = self.table.index_select(0, index)
        x, y, z = rows.split(self.sizes)
        windows, centres = windows_of(self.shape, x), y.unflatten(0, (n_windows, width))
        attract = torch.bmm(centres, windows.transpose(1, 2))
        repel = torch.mm(x, z.T)
        if loss is not None:
            losses = mask * F.softplus(-attract)
            loss[0] += losses.sum(dtype=torch.float64)
            loss[0] -= (weights * F.softplus(repel)).sum(dtype=torch.float64)
            loss[1] += mask.sum(dtype=torch.float64)
        attract = torch.addcmul(mask, attract.sigmoid_(), mask, value=-1)
        repel.sigmoid_().mul_(weights)
        change = torch.empty_like(rows)
        dx, dy, dz = change.split(self.sizes)
        torch.mm(repel, z, out=dx)
        overlap_add(dx, torch.bmm(attract.transpose(1, 2), centres), width)
        torch.bmm(attract, windows, out=dy.unflatten(0, (n_windows, width)))
        torch.mm(repel.T, x, out=dz)
        return index, change.mul_(self.rates(rows, group, i, rate))

    def rates(self, rows, group, i, rate):
        """Learning rate of each row: slower where the row has too many pairs."""
        if self.cap is None:
            return rate
        mask, index = group.mask[i], group.index[i]
        squares = torch.linalg.vecdot(rows, rows)[:, None]
        xx, yy, zz = squares.split(self.sizes)
        pairs = group.pairs[i][:, None]
        curvature = torch.empty_like(squares)
        hx, hy, hz = curvature.split(self.sizes)
        torch.mul(pairs, torch.dot(self.share, zz[:, 0]), out=hx)
        centres = yy.unflatten(0, mask.shape[:2])
        overlap_add(hx, torch.bmm(mask.transpose(1, 2), centres), self.shape.width)
        torch.bmm(mask, windows_of(self.shape, xx), out=hy.unflatten(0, mask.shape[:2]))
        torch.mul(self.share[:, None], torch.mm(pairs.T, xx), out=hz)
        return row_rates(self.curvature, index, curvature[:, 0], self.cap, rate)
