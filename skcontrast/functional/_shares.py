"""Pair weights that are shares of an anchor's row of similarities, made tile by tile."""

import math

import torch
from torch import Tensor

from skcontrast.functional._pairs import by_tiles, pair_sums
from skcontrast.functional._rows import BlockSize, Pairs, Similarity, distinct, dot


def softmax_shares(
    anchors: Tensor,
    candidates: Tensor,
    temperature: float,
    keep: Pairs | None = None,
    *,
    similarity: Similarity = dot,
    block_size: BlockSize = "auto",
) -> Pairs:
    """Make pair weights of a softmax over the candidates that are kept, for each anchor.

    Parameters
    ----------
    anchors, candidates : tensors of shape (n, d) and (m, d)

    temperature : float

    keep : callable, default=None
        ``keep(rows, columns)`` gives the bool tensor of pairs that have a weight. None keeps all.

    similarity, block_size
        As in :func:`pair_sums`.

    Returns
    -------
    shares : callable
        ``shares(rows, columns)`` for a slice of anchors and of candidates, without a gradient.
        The whole row of an anchor sums to 1, or to 0 where it keeps no candidate.
    """
    anchors, candidates = anchors.detach(), candidates.detach()
    # One pass over the tiles for the sums of the rows: no weight overflows.
    with torch.no_grad():
        log_mass = pair_sums(
            anchors,
            candidates,
            None if keep is None else lambda rows, columns: (None, keep(rows, columns)),
            temperature,
            similarity=similarity,
            block_size=block_size,
        ).log_partition

    def shares(rows, columns):
        logits = similarity(anchors[rows], candidates[columns]) / temperature
        logits = logits - log_mass[rows, None]
        if keep is not None:
            logits = logits.masked_fill(~keep(rows, columns), -math.inf)
        return logits.exp()

    return shares


def linear_shares(
    anchors: Tensor,
    candidates: Tensor,
    keep: Pairs,
    *,
    similarity: Similarity = dot,
    block_size: BlockSize = "auto",
) -> Pairs:
    """Make pair weights that grow with the similarity, from 0 for an anchor's least similar one.

    Parameters
    ----------
    anchors, candidates : tensors of shape (n, d) and (n, d)
        The candidate of the same index is the anchor's own.

    keep : callable
        ``keep(rows, columns)`` gives the bool tensor of pairs that may have a weight.

    similarity, block_size
        As in :func:`pair_sums`.

    Returns
    -------
    shares : callable
        ``shares(rows, columns)`` for a slice of anchors and of candidates, without a gradient.
        The whole row of an anchor sums to 1; where all candidates are alike, its own has it all.
    """
    anchors, candidates = anchors.detach(), candidates.detach()

    def least(a, b, tau, rows, columns):
        return similarity(a, b).masked_fill(~keep(rows, columns), math.inf).amin(1)

    with torch.no_grad():
        tiles = by_tiles(least, anchors, candidates, 1.0, block_size)
        lowest = torch.cat([torch.stack(parts).amin(0) for parts in tiles])
        sums = pair_sums(
            anchors,
            candidates,
            lambda rows, columns: (keep(rows, columns), None),
            similarity=similarity,
            bias=lambda rows, columns: -lowest[rows, None],
            block_size=block_size,
        )
    # Equal similarities may differ by rounding, which is no difference.
    rounding = 16 * torch.finfo(lowest.dtype).eps * sums.mass * lowest.abs().clamp_min(1)
    flat = sums.positive <= rounding
    mass = torch.where(flat, 1, sums.positive)

    def shares(rows, columns):
        above = (similarity(anchors[rows], candidates[columns]) - lowest[rows, None]).clamp_min(0)
        above = torch.where(keep(rows, columns), above, 0) / mass[rows, None]
        own = ~distinct(rows, columns, anchors.device)
        return torch.where(flat[rows, None], own.to(above.dtype), above)

    return shares
