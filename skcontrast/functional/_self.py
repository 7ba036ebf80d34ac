"""The partition of rows among themselves, which uses that their similarities are symmetric."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from skcontrast.functional._pairs import OFF_DIAGONAL, pair_sums, tile_side
from skcontrast.functional._rows import BlockSize, slices

# Logarithm of what a gradient may be.
HEADROOM = 14.0


def self_partition(
    z: Tensor, temperature: float | Tensor, block_size: BlockSize = "auto"
) -> Tensor:
    r"""Give the logarithm of a sum over all other rows, of unit rows.

    .. math:: l_i = \log \sum_{k \ne i} e^{z_i \cdot z_k / \tau}

    Similarities are symmetric, so that neither their logarithms nor a softmax are needed for the
    gradient: with :math:`K_{ik} = e^{(s_{ik} - 1)/\tau}` and :math:`w_i = g_i / \sum_k K_{ik}` it
    is :math:`(\mathrm{diag}(w) K z + K \mathrm{diag}(w) z) / \tau`. Tiles are those on one side
    of the diagonal; in the backward pass they are made again.

    Parameters
    ----------
    z : tensor of shape (n, d)
        Unit rows.

    temperature : float or tensor
        The general sums of :func:`pair_sums` are taken where it is a tensor, or so low that
        :math:`e^{-2/\tau}` would be rounded to zero.

    block_size : int, "auto" or None, default="auto"
        Side of a tile, as in :func:`pair_sums`.

    Returns
    -------
    log_partition : tensor of shape (n,)
    """
    # The gradient, which may be large, is divided by the sum.
    n, lowest = len(z), math.log(torch.finfo(z.dtype).tiny) + HEADROOM
    if n < 2 or torch.is_tensor(temperature) or -2 / temperature < lowest:
        return pair_sums(
            z, z, lambda rows, columns: (None, OFF_DIAGONAL), temperature, block_size=block_size
        ).log_partition
    side = min(tile_side(z, z, block_size), n)
    return _SelfPartition.apply(z, float(temperature), side)


class _SelfPartition(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, tau: float, side: int) -> Tensor:
        """Sum up the tiles."""
        ctx.tau, ctx.side = tau, side
        if side >= len(z):
            kernel = _kernel(z / tau, z, tau)
            kernel.fill_diagonal_(0)
            total = kernel.sum(1)
            ctx.save_for_backward(z, total, kernel)
        else:
            total = z.new_zeros(len(z))
            for i, j, kernel in _upper_tiles(z, tau, side):
                total[i] += kernel.sum(1)
                if i != j:
                    total[j] += kernel.sum(0)
            ctx.save_for_backward(z, total)
        return total.log() + 1 / tau

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Multiply the tiles by the rows, and by the weighed rows."""
        z, total, *kernel = ctx.saved_tensors
        weight = gradients[0] / total
        if kernel:
            weight = weight[:, None]
            plain, weighted = (kernel[0] @ torch.cat([z, weight * z], 1)).chunk(2, 1)
            return torch.addcmul(weighted, weight, plain) / ctx.tau, None, None
        found = torch.zeros_like(z)
        for i, j, tile in _upper_tiles(z, ctx.tau, ctx.side):
            # One product for both terms: half the work and the memory.
            tile *= weight[i, None] + weight[j]
            found[i].addmm_(tile, z[j])
            if i != j:
                found[j].addmm_(tile.T, z[i])
        return found.div_(ctx.tau), None, None


def _kernel(scaled, z, tau, out=None):
    """exp((s - 1) / tau) of rows that were divided by tau, and others."""
    return torch.mm(scaled, z.T, out=out).sub_(1 / tau).exp_()


def _upper_tiles(z, tau, side):
    """Slices of rows and of columns, and their tile, with zeros on the diagonal.

    The tiles share one buffer: memory that is asked for and given back tile by tile is left in
    pieces that nothing larger fits into.
    """
    scaled, n = z / tau, len(z)
    buffer = z.new_empty(side * side)
    parts = list(slices(n, side))
    for a, i in enumerate(parts):
        for j in parts[a:]:
            shape = i.stop - i.start, j.stop - j.start
            out = buffer[: shape[0] * shape[1]].view(shape)
            tile = _kernel(scaled[i], z[j], tau, out)
            if i == j:
                tile.fill_diagonal_(0)
            yield i, j, tile
