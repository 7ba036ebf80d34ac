"""Samplers: how the rows of an epoch are put into batches."""

import numpy as np
import torch

from skcontrast._component import Component


def split_batches(order, batch_size, min_rows):
    """Cut ``order`` into batches; a last batch under ``min_rows`` joins the one before."""
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) < min_rows:
        last = batches.pop()
        batches[-1] = torch.cat([batches[-1], last])
    return batches


def hold_out(n_samples, fraction, min_rows, seed):
    """Split row numbers into those to train on and those held out for early stopping.

    Returns
    -------
    train_index, held_out : ndarray of int
    """
    n_held_out = max(min_rows, int(np.ceil(fraction * n_samples)))
    if n_samples - n_held_out < min_rows:
        raise ValueError(
            f"early_stopping=True holds out {n_held_out} of n_samples={n_samples} rows and "
            f"leaves fewer than {min_rows} to train on: type early_stopping=False or a "
            f"smaller validation_fraction than {fraction}."
        )
    order = np.random.RandomState(seed).permutation(n_samples)
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def in_order(index, rows, batch_size, min_rows):
    """Batches of the rows ``index`` as they stand; None where there are none."""
    if index is None:
        return None
    index = torch.as_tensor(index, device=rows.index_device)
    return split_batches(index, batch_size, min_rows)


class Uniform(Component):
    """Every row once an epoch, in random order.

    The last batch may be smaller; when it is too small for the objective (one row has
    no negatives) it joins the batch before.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(sampler="uniform")
    """

    def build(self, rows, batch_size, min_rows):
        """Make an iterable: each pass is an epoch of index tensors.

        Parameters
        ----------
        rows : Rows

        batch_size : int

        min_rows : int
            Fewest rows of a batch.
        """
        return _UniformBatches(rows.train_index, batch_size, min_rows)


class _UniformBatches:
    def __init__(self, index, batch_size, min_rows):
        # A batch size under min_rows would give batches without a loss.
        self.index, self.min_rows = index, min_rows
        self.batch_size = max(batch_size, min_rows)

    def __len__(self):
        n, size = len(self.index), self.batch_size
        full, rest = divmod(n, size)
        return max(1, full + (rest >= self.min_rows or (rest > 0 and full == 0)))

    def __iter__(self):
        order = torch.randperm(len(self.index), device=self.index.device)
        yield from split_batches(self.index[order], self.batch_size, self.min_rows)


class ClassBalanced(Component):
    """Batches in which every class has the same number of rows.

    An epoch has as many batches as with :class:`Uniform`; rows of small classes come
    back more often. Rows without a label (-1) count as a class of their own.

    Needs ``y``.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(objective="supcon", sampler="class_balanced")
    """

    requires = ("target",)

    def build(self, rows, batch_size, min_rows):
        """Make an iterable: each pass is an epoch of index tensors.

        Parameters
        ----------
        rows : Rows
            With the side information ``target`` of shape (n,).

        batch_size : int

        min_rows : int
            Fewest rows of a batch.
        """
        target = rows.side["target"].to(rows.index_device)[rows.train_index]
        return _BalancedBatches(rows.train_index, target, batch_size, min_rows)


class _BalancedBatches(_UniformBatches):
    def __init__(self, index, target, batch_size, min_rows):
        super().__init__(index, batch_size, min_rows)
        _, self.codes, self.counts = target.unique(return_inverse=True, return_counts=True)
        self.starts = self.counts.cumsum(0) - self.counts

    def __iter__(self):
        n, n_classes = len(self.index), len(self.counts)
        shuffled = torch.randperm(n, device=self.index.device)
        by_class = shuffled[self.codes[shuffled].argsort(stable=True)]
        draw = torch.arange(n, device=self.index.device)
        label = draw % n_classes
        # A class starts over only when all its rows were drawn.
        turn = (draw // n_classes) % self.counts[label]
        order = by_class[self.starts[label] + turn]
        yield from split_batches(self.index[order], self.batch_size, self.min_rows)


SAMPLERS = {"class_balanced": ClassBalanced, "uniform": Uniform}
