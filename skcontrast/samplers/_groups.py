"""Batches for rows that belong together, and are views of each other."""

from collections.abc import Iterable

import torch
from torch import Tensor

from skcontrast._component import Interval, Real
from skcontrast._inputs.rows import Rows
from skcontrast.samplers._batches import BalancedBatches, Sampler, UniformBatches, split_batches


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


class WholeGroups(BalancedBatches):
    """Batches of whole groups, in random order, as many groups in each.

    A group is in one batch, such as the list that a query's items are. Batches have about
    ``batch_size`` rows, more where a single group has.

    Parameters
    ----------
    rows : Rows
        With the side information ``groups``.

    index : int tensor of shape (n,)
        The rows to put into batches.

    batch_size : int

    min_rows : int
    """

    def __init__(self, rows: Rows, index: Tensor, batch_size: int, min_rows: int):
        groups = rows.side["groups"].to(rows.index_device)[index]
        super().__init__(index, groups, batch_size, min_rows)
        # So many groups that the smallest ones have the fewest rows of a batch.
        least = -(-min_rows // int(self.counts.min()))
        most = max(1, len(self.counts) // least)
        self.n_batches = min(-(-len(index) // self.batch_size), most)
        self.on_host = self.counts.cpu()

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        # Drawn on the host, where sizes are read: asking the device for them would wait.
        groups = torch.randperm(len(self.on_host))
        parts = groups.tensor_split(self.n_batches)
        sizes = torch.stack([self.on_host[part].sum() for part in parts]).tolist()
        turn = groups.argsort().to(self.index.device, non_blocking=True)
        order = turn[self.codes].argsort(stable=True)
        yield from self.index[order].split(sizes)


class GroupMixture(Sampler):
    r"""Batches of rows of one group each, drawn by a power of the groups' sizes.

    .. math:: P(g) \propto n_g^{\alpha}

    With groups that are sources of data, negatives come from the anchor's own source, and
    small sources come up more often than their size would have it. An epoch has as many batches
    as with :class:`Uniform`; a group that comes up again goes on with its other rows, and starts
    over only when all of them were drawn.

    Needs ``groups``.

    Parameters
    ----------
    temperature : float, default=0.5
        The power alpha: 1 draws groups by their size, 0 all alike.

    Notes
    -----
    Where a group is smaller than a batch, the batch is the group. Groups with fewer rows than
    the objective needs in a batch are put together.

    References
    ----------
    Li et al., "Towards general text embeddings with multi-stage contrastive learning", 2023
    (GTE).

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> encoder = ContrastiveEncoder(sampler="group_mixture")
    >>> encoder.set_params(sampler__temperature=1.0).sampler
    GroupMixture(temperature=1.0)
    """

    requires = ("groups",)

    _parameter_constraints = {"temperature": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, temperature: float = 0.5):
        self.temperature = temperature

    def build(self, rows: Rows, batch_size: int, min_rows: int) -> Iterable[Tensor]:
        groups = rows.side["groups"].to(rows.index_device)[rows.train_index]
        index = rows.train_index
        return _MixtureBatches(index, groups, self.temperature, batch_size, min_rows)


class _MixtureBatches(UniformBatches):
    def __init__(self, index, groups, temperature, batch_size, min_rows):
        super().__init__(index, batch_size, min_rows)
        _, codes, counts = groups.unique(return_inverse=True, return_counts=True)
        small = counts[codes] < self.min_rows
        if small.any():
            # Put together; where even these are too few, with the largest group.
            common = counts.argmax() if small.sum() < self.min_rows else len(counts)
            codes = torch.where(small, common, codes)
        order = codes.argsort(stable=True)
        _, counts = codes[order].unique_consecutive(return_counts=True)
        self.members = order.split(counts.tolist())
        self.shares = counts.double() ** temperature

    def __iter__(self):
        drawn = torch.multinomial(self.shares, len(self), replacement=True).tolist()
        left = {}  # rows of a group that were not drawn yet, in random order
        for group in drawn:
            members = self.members[group]
            size = min(self.batch_size, len(members))
            if len(left.get(group, ())) < size:
                left[group] = members[torch.randperm(len(members), device=members.device)]
            batch, left[group] = left[group][:size], left[group][size:]
            yield self.index[batch]
