"""Samplers: how the rows of an epoch are put into batches."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from skcontrast._component import Component
from skcontrast._inputs.rows import Rows
from skcontrast._inputs.several import TARGET_CONSTRAINTS, target_key


def split_batches(order: Tensor, batch_size: int, min_rows: int) -> list[Tensor]:
    """Cut ``order`` into batches; a last batch under ``min_rows`` joins the one before."""
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) < min_rows:
        last = batches.pop()
        batches[-1] = torch.cat([batches[-1], last])
    return batches


def in_order(
    index: np.ndarray | Tensor | None, rows: Rows, batch_size: int, min_rows: int
) -> list[Tensor] | None:
    """Batches of the rows ``index`` as they stand; None where there are none."""
    if index is None:
        return None
    index = torch.as_tensor(index, device=rows.index_device)
    return split_batches(index, batch_size, min_rows)


class Sampler(Component):
    """Base of the samplers."""

    def build(self, rows: Rows, batch_size: int, min_rows: int) -> Iterable[Tensor]:
        """Make an iterable: each pass is an epoch of index tensors.

        Parameters
        ----------
        rows : Rows
            With the side information that the sampler requires.

        batch_size : int

        min_rows : int
            Fewest rows of a batch.
        """
        return super().build(rows, batch_size, min_rows)


class Uniform(Sampler):
    """Every row once an epoch, in random order.

    The last batch may be smaller; when it is too small for the objective (one row has
    no negatives) it joins the batch before.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(sampler="uniform")
    """

    def build(self, rows: Rows, batch_size: int, min_rows: int) -> Iterable[Tensor]:
        return UniformBatches(rows.train_index, batch_size, min_rows)


class UniformBatches:
    def __init__(self, index: Tensor, batch_size: int, min_rows: int):
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


class BalancedBatches(UniformBatches):
    """Batches with as many rows of each value of ``target`` (n,)."""

    def __init__(self, index: Tensor, target: Tensor, batch_size: int, min_rows: int):
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


class _SpreadBatches(UniformBatches):
    def __init__(self, index, target, batch_size, min_rows):
        super().__init__(index, batch_size, min_rows)
        n = len(index)
        rank, labelled = target_ranks(target.cpu().numpy().reshape(n, -1))
        self.rank = torch.as_tensor(rank, device=index.device)  # unlabelled rows come last
        self.n_unlabelled = int(n - labelled.sum())
        sizes = [len(b) for b in split_batches(torch.arange(n), self.batch_size, min_rows)]
        sizes = torch.tensor(sizes, device=index.device)
        self.ends = sizes.cumsum(0)
        self.batch = torch.arange(len(sizes), device=index.device)
        self.batch = self.batch.repeat_interleave(sizes, output_size=n)
        # Place of each entry of an epoch in its batch.
        self.place = torch.arange(n, device=index.device) - (self.ends - sizes)[self.batch]

    def __iter__(self):
        n, device = len(self.index), self.index.device
        # Rows by target, those of equal targets in random order.
        shuffled = torch.randperm(n, device=device)
        by_target = shuffled[self.rank[shuffled].argsort(stable=True)]
        # How many unlabelled rows the first 1, 2, ... batches have: the exact share of their
        # rows, rounded up or down with a random start.
        start = torch.randint(n, (1,), device=device)
        dealt = (self.ends * self.n_unlabelled + start) // n
        sizes, unlabelled = self.ends.diff(prepend=start * 0), dealt.diff(prepend=start * 0)
        n_labelled = (sizes - unlabelled)[self.batch]
        # A batch takes quantiles of the target, one at random from each of its strata:
        # batches of one size share their strata. The unlabelled rows come after all these.
        dtype = torch.float32 if device.type == "mps" else torch.float64
        draw = torch.rand(n, dtype=dtype, device=device)
        quantile = (self.place + draw) / n_labelled.clamp_min(1)
        entry = torch.where(self.place < n_labelled, quantile, 2 + draw).argsort()
        order = torch.empty_like(by_target)
        order[entry] = by_target
        yield from split_batches(self.index[order], self.batch_size, self.min_rows)


class _ByTarget(Sampler):
    requires = ("target",)
    _parameter_constraints = {"target": TARGET_CONSTRAINTS}
    _batches: Callable

    def __init__(self, target: str = "y"):
        self.target = target

    def build(self, rows: Rows, batch_size: int, min_rows: int) -> Iterable[Tensor]:
        target = rows.side[target_key(self)].to(rows.index_device)[rows.train_index]
        return self._batches(rows.train_index, target, batch_size, min_rows)


class ClassBalanced(_ByTarget):
    """Batches in which every class has the same number of rows.

    An epoch has as many batches as with :class:`Uniform`; rows of small classes come
    back more often. Rows without a label (-1) count as a class of their own.

    Needs ``y``.

    Parameters
    ----------
    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(objective="supcon", sampler="class_balanced")
    """

    target_type = "class"
    _batches = BalancedBatches


class TargetSpread(_ByTarget):
    """Batches whose real targets spread evenly over the range, every row once an epoch.

    The labelled rows are sorted by target and cut into strata of as many neighbours as
    there are batches; each batch takes one random row of each stratum. Rows without a
    label (NaN) are dealt out evenly at random. A target of several columns is sorted by
    the first principal component of its standardised columns.

    Needs ``y``.

    Parameters
    ----------
    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(objective="y_aware", sampler="target_spread")
    """

    target_type = "real"
    _batches = _SpreadBatches


def target_ranks(target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank rows by a real target; rows that hold a NaN share the last rank.

    Parameters
    ----------
    target : ndarray of shape (n, t)
        Several columns are standardised and brought to their first principal component.

    Returns
    -------
    rank : int64 ndarray of shape (n,)

    labelled : bool ndarray of shape (n,)
    """
    target = target.astype(np.float64)
    labelled = ~np.isnan(target).any(axis=1)
    rank = np.full(len(target), len(target), dtype=np.int64)
    if labelled.any():
        known = target[labelled]
        if known.shape[1] > 1:
            known = known - known.mean(axis=0)
            known /= np.where(np.ptp(known, axis=0) > 0, known.std(axis=0), 1)
            known = known @ np.linalg.eigh(known.T @ known)[1][:, -1:]
        rank[labelled] = np.unique(known[:, 0], return_inverse=True)[1]
    return rank, labelled
