"""Sums over the keys of each class, dense or tiled, and the cross-entropy over classes.

Shapes: n anchors, m keys, C classes. The keys of a class are a mixture with a component at
each, so that the log mean below is the class's log likelihood at the anchor, up to a
constant.
"""

import math

import torch
from torch import Tensor

from skcontrast.functional._pairs import by_tiles
from skcontrast.functional._rows import BlockSize, Pairs, logsumexp


def _tile(a, b, tau, bins, kept, n_bins):
    """Log sums and counts of one tile: rows ``a``, columns ``b`` -> two (r, n_bins)."""
    x = (a / tau) @ b.T  # (r, c)
    bins = bins.expand(x.shape)
    counted = torch.ones_like(x) if kept is None else kept.to(x.dtype)
    if kept is not None:
        x = x.masked_fill(~kept, -math.inf)
    zeros = x.new_zeros(len(a), n_bins)
    with torch.no_grad():
        # The largest of each class, not of the row: with a small tau a far class would
        # vanish beside a near one.
        top = (zeros - math.inf).scatter_reduce(1, bins, x, "amax")
        shift = top.masked_fill(top.isneginf(), 0)
        count = zeros.scatter_add(1, bins, counted)
    total = zeros.scatter_add(1, bins, torch.exp(x - shift.gather(1, bins)))
    empty = count == 0
    log_sum = torch.where(empty, 1, total).log() + shift
    return log_sum.masked_fill(empty, -math.inf), count


def log_mean_by_class(
    anchors: Tensor,
    keys: Tensor,
    labels: Tensor,
    n_classes: int,
    temperature: float | Tensor = 1.0,
    *,
    keep: Pairs | None = None,
    block_size: BlockSize = "auto",
) -> Tensor:
    r"""Log of the mean exponentiated similarity of each anchor to the keys of each class.

    .. math:: \log S_c(i) = \log \sum_{m: y_m = c} e^{z_i \cdot k_m / \tau}
              - \log \#\{m: y_m = c\}

    over the keys m that ``keep`` leaves to anchor i.

    Parameters
    ----------
    anchors : tensor of shape (n, d)

    keys : tensor of shape (m, d)

    labels : int tensor of shape (m,)
        Class of each key, under ``n_classes``; keys with -1 take no part.

    n_classes : int

    temperature : float or tensor of shape () or (n,), default=1.0

    keep : callable, default=None
        ``keep(rows, columns)`` gives the bool tensor of pairs that count, for a slice of
        anchors and of keys; all pairs by default.

    block_size : int, "auto" or None, default="auto"
        Side of a tile, as in :func:`pair_sums`.

    Returns
    -------
    log_mean : tensor of shape (n, n_classes)
        -inf for a class without a key.
    """
    bins = torch.where(labels < 0, n_classes, labels)  # one bin more, for no class

    def tile(a, b, tau, rows, columns):
        kept = None if keep is None else keep(rows, columns)
        return _tile(a, b, tau, bins[columns], kept, n_classes + 1)

    blocks = []
    for tiles in by_tiles(tile, anchors, keys, temperature, block_size):
        log_sums, counts = (torch.stack(parts, -1) for parts in zip(*tiles))
        log_sum = logsumexp(log_sums, ~log_sums.isneginf())
        blocks.append((log_sum - counts.sum(-1).clamp_min(1).log())[:, :n_classes])
    return torch.cat(blocks)


def class_cross_entropy(
    scores: Tensor, labels: Tensor, log_prior: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    r"""Cross-entropy of class scores, where a class with the score -inf is left out.

    .. math:: l_i = -(s_{i,y_i} + b_{y_i}) + \log \sum_c e^{s_{ic} + b_c}

    Parameters
    ----------
    scores : tensor of shape (n, C)

    labels : int tensor of shape (n,)
        -1 for rows without a label.

    log_prior : tensor of shape (C,), default=None
        Added to the scores, b.

    Returns
    -------
    loss : tensor of shape (n,)
        0 for rows without a label, or whose own class is left out.

    valid : bool tensor of shape (n,)
        The other rows.
    """
    logits = scores if log_prior is None else scores + log_prior
    keep = ~scores.isneginf()
    own = labels.clamp_min(0)[:, None]
    valid = (labels >= 0) & keep.gather(1, own)[:, 0]
    loss = logsumexp(logits, keep) - logits.gather(1, own)[:, 0].masked_fill(~valid, 0)
    return torch.where(valid, loss, 0), valid
