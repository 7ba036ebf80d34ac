"""Blocks of anchors, for losses that need all candidates of an anchor at once."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Above this many pairs a dozen float32 matrices, indices and gradients among them, pass 256 MB.
LIMIT = 2**22


def over_anchors(
    block: Callable[[slice], tuple[Tensor, ...]], n: int, m: int, block_size: int | None = None
) -> tuple[Tensor, ...]:
    """Evaluate a function of anchors and all their candidates, on some anchors at a time.

    Sorting an anchor's candidates, or drawing among them, cannot be done tile by tile, so
    that the blocks here are (block_size, m).

    Parameters
    ----------
    block : callable
        ``block(rows)`` for a slice of the anchors gives a tuple of tensors, each with one
        entry for each of these anchors. It is called again in the backward pass, and must
        draw no random numbers.

    n, m : int
        Number of anchors, and of candidates of each.

    block_size : int, default=None
        Anchors of a block. Blocks are recomputed in the backward pass, so memory is
        O(block_size m). None takes as many as have up to ``LIMIT`` pairs.

    Returns
    -------
    results : tuple of tensors
        Those of the blocks, joined.
    """
    if block_size is None:
        block_size = max(1, LIMIT // m)
    if block_size >= n:
        return block(slice(0, n))
    parts = []
    for i in range(0, n, block_size):
        rows = slice(i, min(i + block_size, n))
        if torch.is_grad_enabled():
            parts.append(checkpoint(block, rows, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(block(rows))
    return tuple(torch.cat(part) for part in zip(*parts))
