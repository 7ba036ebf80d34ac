"""The pair engine: what a row of similarities is summed up to, dense or tiled.

Shapes: n anchors, m candidates, d width. A similarity ``s_ij`` is larger for nearer
rows, ``tau`` is a temperature, and ``P`` and ``W`` are pair weights:

.. math::

    l_i = -\\sum_j P_{ij} (s_{ij}/\\tau_i - \\log \\sum_k W_{ik} e^{s_{ik}/\\tau_i})
          / \\sum_j P_{ij}            \\qquad \\text{("outside")}

    l_i = -\\log \\frac{\\sum_j P_{ij} e^{s_{ij}/\\tau_i}}
                      {\\sum_k W_{ik} e^{s_{ik}/\\tau_i}}   \\qquad \\text{("inside")}

``P`` says who attracts whom, ``W`` who repels and how much. Nothing else builds an
(n, m) matrix, so every pair objective runs dense or tiled.
"""

import math
from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from skcontrast.functional._rows import (
    BlockSize,
    Pairs,
    Similarity,
    distinct,
    dot,
    logsumexp,
    slices,
)
from skcontrast.functional._tiles import of_anchors, tiled

# Above this many pairs a dense float32 matrix and its gradient pass 256 MB, and "auto" takes
# tiles.
DENSE_LIMIT = 2**25
# Stands for a W that is one but zero where row and column are the same index.
OFF_DIAGONAL = object()
# Not of the memory that is free, which would change the last bits from one run to the next: small
# tiles stay in a processor's cache, large ones keep an accelerator busy.
TILE, DEVICE_TILE = 512, 2048


class PairSums(NamedTuple):
    """What a row of the similarity matrix is summed up to; each field is (n,) or None."""

    log_partition: torch.Tensor  # log sum_k W_ik exp(s_ik / tau_i)
    mean: torch.Tensor | None = None  # sum_k softmax_ik s_ik
    positive: torch.Tensor | None = None  # sum_j P_ij s_ij, not divided by tau
    mass: torch.Tensor | None = None  # sum_j P_ij
    log_positive: torch.Tensor | None = None  # log sum_j P_ij exp(s_ij / tau_i)


def _log_weighted(x, weight):
    """Add log(weight) to the logits: returns (logits, keep)."""
    if weight is None or weight.dtype == torch.bool:
        return x, weight
    keep = weight > 0
    return x + torch.where(keep, weight, 1).log(), keep


def _off_diagonal_partition(a, b, tau, similarity, offset):
    """Log partition over a tile without its diagonal: the fast path of InfoNCE."""
    # Scaling (r, d) rows is cheaper than dividing (r, c) similarities.
    x = (a / tau) @ b.T if similarity is dot else similarity(a, b) / tau
    # In place and unseen by autograd: the softmax of -inf is zero, and so its gradient.
    with torch.no_grad():
        x.diagonal(offset).fill_(-math.inf)
    return x.logsumexp(-1)


def _tile_sums(a, b, tau, P, W, similarity, mean, detach_mean, rows, columns):
    """Sums over one tile of rows ``a`` and columns ``b``."""
    if W is OFF_DIAGONAL:
        if P is None and not mean and len(b) > 1:
            offset = rows.start - columns.start
            return PairSums(_off_diagonal_partition(a, b, tau, similarity, offset))
        W = distinct(rows, columns, a.device)
    s = similarity(a, b)  # (r, c)
    x = s / tau
    logits, keep = _log_weighted(x, W)
    log_partition = logsumexp(logits, keep)
    expected = positive = mass = log_positive = None
    if mean:
        # Masked before the exponential: an overflow there would give a NaN gradient.
        kept = logits if keep is None else logits.masked_fill(~keep, -math.inf)
        share = torch.exp(kept - log_partition.masked_fill(log_partition.isneginf(), 0)[:, None])
        expected = ((share.detach() if detach_mean else share) * s).sum(-1)
    if P is not None:
        weight = P.to(s.dtype)
        positive, mass = (weight * s).sum(-1), weight.sum(-1)
        log_positive = logsumexp(*_log_weighted(x, P))
    return PairSums(log_partition, expected, positive, mass, log_positive)


def _merge(tiles, detach_mean):
    """Join the sums of the tiles of one block of rows."""
    first = tiles[0]
    if len(tiles) == 1:
        return first

    def joined_log(name):
        parts = torch.stack([getattr(tile, name) for tile in tiles], -1)  # (r, tiles)
        return logsumexp(parts, ~parts.isneginf()), parts

    log_partition, parts = joined_log("log_partition")
    expected = positive = mass = log_positive = None
    if first.mean is not None:
        safe = log_partition.masked_fill(log_partition.isneginf(), 0)
        share = torch.exp(parts - safe[:, None]).masked_fill(parts.isneginf(), 0)
        if detach_mean:
            share = share.detach()
        expected = (share * torch.stack([tile.mean for tile in tiles], -1)).sum(-1)
    if first.positive is not None:
        positive = sum(tile.positive for tile in tiles)
        mass = sum(tile.mass for tile in tiles)
        log_positive, _ = joined_log("log_positive")
    return PairSums(log_partition, expected, positive, mass, log_positive)


def tile_side(a: Tensor, b: Tensor, block_size: BlockSize) -> int:
    """Side of a tile: what was asked for, or one dense tile where "auto" finds it small enough."""
    n, m = a.shape[0], b.shape[0]
    if block_size != "auto" and block_size is not None:
        return block_size
    if block_size is None or n * m <= DENSE_LIMIT:
        return max(n, m)
    return TILE if a.device.type == "cpu" else DEVICE_TILE


def by_tiles(tile, anchors, candidates, temperature, block_size):
    """Results of ``tile(a, b, tau, rows, columns)``: for each block of anchors a list of them.

    Where there is more than one tile, they are computed again in the backward pass.
    """
    n, m = anchors.shape[0], candidates.shape[0]
    block_size = tile_side(anchors, candidates, block_size)
    if torch.is_grad_enabled() and block_size < max(n, m):
        tile = partial(checkpoint, tile, use_reentrant=False, preserve_rng_state=False)
    # Split: the gradient of a slice would be padded to all rows.
    columns = list(zip(candidates.split(block_size), slices(m, block_size)))
    for a, i in zip(anchors.split(block_size), slices(n, block_size)):
        tau = of_anchors(temperature, i)
        yield [tile(a, b, tau, i, j) for b, j in columns]


def pair_sums(
    anchors: Tensor,
    candidates: Tensor,
    weights: Pairs | None = None,
    temperature: float | Tensor = 1.0,
    *,
    similarity: Similarity = dot,
    bias: Pairs | None = None,
    mean: bool = False,
    detach_mean: bool = False,
    block_size: BlockSize = "auto",
) -> PairSums:
    """Sum up each anchor's row of the similarity matrix, densely or tile by tile.

    Parameters
    ----------
    anchors : tensor of shape (n, d)

    candidates : tensor of shape (m, d)

    weights : callable, default=None
        ``weights(rows, columns) -> (P, W)`` for a slice of anchors and of candidates.
        Each is None (for W: all ones; for P: not wanted), a bool tensor of pairs that
        count, or a tensor of non-negative weights, of shape (rows, columns). W may be
        ``OFF_DIAGONAL``: every pair but a row with itself.

    temperature : float or tensor of shape () or (n,), default=1.0

    similarity : callable, default=dot
        ``similarity(a, b) -> s`` of shape (rows, columns).

    bias : callable, default=None
        ``bias(rows, columns)`` for a slice of anchors and of candidates is added to their
        similarities, as a margin is. A weight exp(bias / tau) in W would overflow.

    mean : bool, default=False
        Whether to give the mean similarity under the softmax as well.

    detach_mean : bool, default=False
        Whether the softmax weights of that mean are held constant.

    block_size : int, "auto" or None, default="auto"
        Side of a tile. Tiles are recomputed in the backward pass, so memory is
        O(n d + block_size^2). "auto" uses one dense tile up to ``DENSE_LIMIT`` pairs, None always.

    Returns
    -------
    sums : PairSums
        Each field of shape (n,). A sum over no pair is -inf in a log field.
    """

    def tile(a, b, tau, rows, columns):
        P, W = (None, None) if weights is None else weights(rows, columns)
        compare = similarity
        if bias is not None:
            compare = lambda a, b: similarity(a, b) + bias(rows, columns)
        return _tile_sums(a, b, tau, P, W, compare, mean, detach_mean, rows, columns)

    merge = partial(_merge, detach_mean=detach_mean)
    side = tile_side(anchors, candidates, block_size)
    inputs = anchors, candidates, temperature, side
    if side < max(len(anchors), len(candidates)) and torch.is_grad_enabled():
        sums = tiled(tile, merge, PairSums, *inputs, detach_mean)
        if sums is not None:
            return sums
    blocks = [merge(tiles) for tiles in by_tiles(tile, *inputs)]
    if len(blocks) == 1:
        return blocks[0]
    return PairSums(*(None if f[0] is None else torch.cat(f) for f in zip(*blocks)))


def pair_loss(
    anchors: Tensor,
    candidates: Tensor,
    weights: Pairs,
    temperature: float | Tensor,
    *,
    form: Literal["outside", "inside"] = "outside",
    similarity: Similarity = dot,
    bias: Pairs | None = None,
    block_size: BlockSize = "auto",
) -> tuple[Tensor, Tensor]:
    """Loss of each anchor from pair weights: the engine behind most objectives.

    Parameters
    ----------
    form : {"outside", "inside"}, default="outside"
        Whether the mean over positives is taken outside or inside the logarithm.
        "inside" is never larger when P holds zeros and ones.

    anchors, candidates, weights, temperature, similarity, bias, block_size
        As in :func:`pair_sums`, weights and temperature without a default.

    Returns
    -------
    loss : tensor of shape (n,)
        An anchor without positives has loss 0.

    valid : bool tensor of shape (n,)
        Which anchors have a positive.
    """
    options = {"similarity": similarity, "bias": bias, "block_size": block_size}
    sums = pair_sums(anchors, candidates, weights, temperature, **options)
    valid = sums.mass > 0
    mass = torch.where(valid, sums.mass, 1)
    if form == "inside":
        attraction = torch.where(valid, sums.log_positive, 0) - mass.log()
    else:
        attraction = sums.positive / mass / temperature
    partition = torch.where(valid, sums.log_partition, 0)
    return torch.where(valid, partition - attraction, 0), valid


@torch.no_grad()
def nearest(
    anchors: Tensor,
    candidates: Tensor,
    keep: Pairs,
    *,
    similarity: Similarity = dot,
    block_size: BlockSize = "auto",
) -> Tensor:
    """Find the most similar candidate of each anchor, densely or tile by tile.

    Parameters
    ----------
    anchors, candidates : tensors of shape (n, d) and (m, d)

    keep : callable
        ``keep(rows, columns)`` gives the bool tensor of pairs that may be chosen.

    similarity, block_size
        As in :func:`pair_sums`.

    Returns
    -------
    index : int tensor of shape (n,)
        Without a gradient; 0 where no candidate may be chosen.
    """
    n, m = anchors.shape[0], candidates.shape[0]
    block_size = tile_side(anchors, candidates, block_size)
    blocks = []
    for rows in slices(n, block_size):
        best = anchors.new_full((rows.stop - rows.start,), -math.inf)
        index = torch.zeros_like(best, dtype=torch.long)
        for columns in slices(m, block_size):
            s = similarity(anchors[rows], candidates[columns])
            value, where = s.masked_fill(~keep(rows, columns), -math.inf).max(-1)
            index = torch.where(value > best, where + columns.start, index)
            best = torch.maximum(best, value)
        blocks.append(index)
    return torch.cat(blocks)


def mean_over(loss: Tensor, valid: Tensor) -> Tensor:
    """Scale ``loss`` so that its plain mean is the mean over the ``valid`` anchors.

    Selecting rows by a mask would make the shape depend on the data, which costs a
    device synchronisation in every step.
    """
    share = valid.to(loss.dtype).mean().clamp_min(1 / len(loss))
    return torch.where(valid, loss, 0) / share
