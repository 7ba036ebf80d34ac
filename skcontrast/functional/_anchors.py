"""Blocks of anchors, for losses that need all candidates of an anchor at once."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from skcontrast.functional._rows import BlockSize, slices

# Above this many pairs a dozen float32 matrices, indices and gradients among them, pass 256 MB.
LIMIT = 2**22


def over_anchors(
    block: Callable[[slice], tuple[Tensor, ...]], n: int, m: int, block_size: BlockSize = "auto"
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

    block_size : int, "auto" or None, default="auto"
        Anchors of a block. Blocks are recomputed in the backward pass, so memory is
        O(block_size m). "auto" takes as many as have up to ``LIMIT`` pairs, None all.

    Returns
    -------
    results : tuple of tensors
        Those of the blocks, joined.
    """
    if block_size == "auto":
        block_size = max(1, LIMIT // m)
    block_size = n if block_size is None else block_size
    if block_size >= n:
        return block(slice(0, n))
    if torch.is_grad_enabled():
        block = partial(checkpoint, block, use_reentrant=False, preserve_rng_state=False)
    return tuple(torch.cat(part) for part in zip(*map(block, slices(n, block_size))))
