"""A queue of keys: rows of earlier batches as further candidates."""

import torch
from torch import nn

from skcontrast._component import Integral, Interval, warn
from skcontrast.functional import logsumexp, normalize, over_anchors, pair_sums
from skcontrast.objectives._base import BuiltObjective, anchor_index

QUEUE_CONSTRAINTS = {
    "queue_size": [Interval(Integral, 0, None, closed="left"), None],
}


class KeyQueue(nn.Module):
    """Keys (V, K, d) of the last K rows, each with its number and its group; -1 is an empty place.

    The first that came in is the first to go.
    """

    passing = True  # the rows of another call have other numbers

    def __init__(self, size, n_views, width):
        super().__init__()
        self.register_buffer("keys", torch.zeros(n_views, size, width))
        self.register_buffer("index", torch.full((size,), -1))
        self.register_buffer("groups", torch.full((size,), -1))
        self.register_buffer("pointer", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys, index, groups=None):
        """Write the keys (V, n, d) of a batch over the oldest ones."""
        size = len(self.index)
        n = min(len(index), size)
        place = (self.pointer + torch.arange(n, device=index.device)) % size
        # New tensors, as the backward pass of this batch still reads the old ones.
        self.keys = self.keys.index_copy(1, place, keys[:, -n:].to(self.keys.dtype))
        self.index = self.index.index_copy(0, place, index[-n:])
        if groups is not None:
            self.groups = self.groups.index_copy(0, place, groups[-n:])
        self.pointer = (self.pointer + n) % size


class BuiltWithQueue(BuiltObjective):
    """An objective that compares rows with the keys of earlier batches too."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.queue = None

    def prepare(self, side, given, n_components=None):
        size = self.objective.queue_size
        if not size:
            return
        n_rows = len(given["rows"].train_index)
        most = n_rows // 2
        if size > most:
            warn(
                f"queue_size={size} is more than half of the {n_rows} rows, so the queue holds "
                f"{most}: type queue_size={most} or less.",
            )
        n_views = len(range(given["n_slots"])[self.objective.queued])
        self.queue = KeyQueue(min(size, most), n_views, given["width"])

    def forward(self, views, keys=None, index=None, groups=None, pairs=None, **named):
        keys, queue = views.detach() if keys is None else keys, self.queue
        if queue is not None:
            # Rows that are views of each other are one and the same to a queue.
            index = index if pairs is None else pairs
            held = {"queue": queue.keys, "queue_index": queue.index, "queue_groups": queue.groups}
            named = {**held, **named}
        named |= {"keys": keys, "index": index, "groups": groups}
        loss = super().forward(views, **named)
        if queue is not None and self.training:
            queue.push(normalize(keys[self.objective.queued]), index, groups)
        return loss


class Held:
    """Keys of earlier batches, as the anchors of a batch meet them.

    A key counts where its place is filled, it is another row's, and its group is not excluded.
    """

    def __init__(self, objective, z, index, groups, queue, numbers, queue_groups):
        self.objective, self.groups, self.queue_groups = objective, groups, queue_groups
        self.index = self.queue = self.numbers = None
        if queue is not None:
            self.index = anchor_index(index, z[:1])
            queue = normalize(queue.detach().to(z.dtype))
            self.queue = queue if queue.ndim == 3 else queue[None]  # (V, K, d)
            unknown = self.index.new_full((self.queue.shape[1],), -2)
            self.numbers = unknown if numbers is None else numbers

    def joined(self, log_partition, z, tau):
        """Add the keys of all views to the partition (V n,) of the anchors z (V, n, d)."""
        if self.queue is None:
            return log_partition
        more = self._partition(z.flatten(0, 1), self.queue.flatten(0, 1), tau)
        return torch.logaddexp(log_partition, more)

    def partition(self, anchors, view, tau):
        """Log of the sum over the keys of a view, (n,); those of the only one."""
        return self._partition(anchors, self.queue[min(view, len(self.queue) - 1)], tau)

    def _partition(self, anchors, queue, tau):
        n, size = len(self.index), len(self.numbers)
        numbers, index = self.numbers.repeat(len(queue) // size), self.index
        index = index.repeat(len(anchors) // n)
        same = None
        if self.groups is not None:
            groups = self.groups.repeat(len(anchors) // n)
            of_queue = self.queue_groups.repeat(len(queue) // size)
            same = lambda rows, columns: groups[rows, None] == of_queue[columns]

        def keep(rows, columns):
            number = numbers[columns]
            counts = (number != -1) & (number != index[rows, None])
            if same is None:
                return counts
            return counts & (same(rows, columns) == (self.objective.exclude != "groups"))

        shares = self.objective.keep_top, self.objective.drop_top
        return queue_partition(anchors, queue, keep, tau, *shares, self.objective.block_size)


def queue_partition(anchors, queue, keep, tau, keep_top=1.0, drop_top=0.0, block_size=None):
    """Log of the sum of exp(s / tau) over the keys that count: (m, d), (K, d) -> (m,).

    Of those that ``keep(rows, columns)`` leaves to an anchor only the share ``keep_top`` of the
    most alike counts, without the share ``drop_top`` of the very nearest.
    """
    if keep_top == 1 and not drop_top:
        weights = lambda rows, columns: (None, keep(rows, columns))
        return pair_sums(anchors, queue, weights, tau, block_size=block_size).log_partition
    every = slice(0, len(queue))

    def block(rows):
        here = keep(rows, every)
        x = (anchors[rows] @ queue.T / tau).masked_fill(~here, -torch.inf)
        count = here.sum(1, keepdim=True)
        # Both shares are rounded up; the small number is for products such as 0.1 * 30.
        first, last = ((share * count - 1e-2).ceil() for share in (drop_top, keep_top))
        rank = torch.arange(len(queue), device=x.device)
        counts = (rank >= first) & (rank < last)
        return (logsumexp(x.sort(1, descending=True).values, counts),)

    return over_anchors(block, len(anchors), len(queue), block_size)[0]
