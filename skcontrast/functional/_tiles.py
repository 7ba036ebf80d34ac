"""Sums over pairs tile by tile: forward and backward hold one tile at a time."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from skcontrast.functional._rows import slices


def tiled(tile, merge, sums, anchors, candidates, tau, side, detach_mean):
    """Merged sums of all tiles, whose gradients are made tile by tile too.

    Autograd by itself would keep a list of what each tile needs, and pad what it finds for some
    rows to the length of all; memory given back in such pieces is not used again.

    Parameters
    ----------
    tile : callable
        ``tile(a, b, tau, rows, columns)`` gives the sums of a tile.

    merge : callable
        ``merge(tiles)`` joins those of one block of rows.

    sums : type
        What both give: PairSums.

    anchors, candidates : tensors of shape (n, d) and (m, d)

    tau : float or tensor of shape () or (n,)

    side : int

    detach_mean : bool

    Returns
    -------
    sums : PairSums, or None where ``tile`` itself has gradients, of which nothing is known here
    """
    first = slice(0, 1)
    with torch.enable_grad():
        constant = anchors[:1].detach(), candidates[:1].detach(), of_anchors(_fixed(tau), first)
        if any(x is not None and x.requires_grad for x in tile(*constant, first, first)):
            return None
    options = tile, merge, sums, side, detach_mean
    return sums(*_Tiled.apply(options, anchors, candidates, tau))


def _fixed(tau):
    return tau.detach() if torch.is_tensor(tau) else tau


def of_anchors(tau, rows):
    """The temperature of some anchors, as a tile reads it."""
    return tau[rows, None] if torch.is_tensor(tau) and tau.ndim else tau


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, options: tuple, a: Tensor, b: Tensor, tau: Any) -> tuple:
        """Sum up the tiles of each block of rows."""
        tile, merge, sums, side, _ = options
        blocks = []
        for i in slices(len(a), side):
            tiles = [tile(a[i], b[j], of_anchors(tau, i), i, j) for j in slices(len(b), side)]
            blocks.append(merge(tiles))
        found = [None if f[0] is None else torch.cat(f) for f in zip(*blocks)]
        ctx.options, ctx.is_one, ctx.tau = options, a is b, None if torch.is_tensor(tau) else tau
        ctx.save_for_backward(a, b, tau if torch.is_tensor(tau) else None, *found)
        ctx.set_materialize_grads(False)
        if found[3] is not None:
            ctx.mark_non_differentiable(found[3])  # the mass, which no similarity changes
        return tuple(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple:
        """Make each tile once more, and add what it finds to the gradients of its rows."""
        a, b, tau, *found = ctx.saved_tensors
        tile, _, sums, side, detach_mean = ctx.options
        a_learns, b_learns, tau_learns = ctx.needs_input_grad[1:]
        to_a = torch.zeros_like(a) if a_learns else None
        to_b = to_a if ctx.is_one else torch.zeros_like(b) if b_learns else None
        to_tau = torch.zeros_like(tau) if tau_learns else None
        tau, pieces = ctx.tau if tau is None else tau, slices(len(b), side)
        for i in slices(len(a), side):
            whole, slopes = (
                sums(*(x if x is None else x[i] for x in f)) for f in (found, gradients)
            )
            for j in pieces:
                leaves = [a[i].detach(), b[j].detach(), _fixed(of_anchors(tau, i))]
                wanted = [x for x, to in zip(leaves, (to_a, to_b, to_tau)) if to is not None]
                with torch.enable_grad():
                    for x in wanted:
                        x.requires_grad_()
                    total = _weighed(tile(*leaves, i, j), whole, slopes, detach_mean)
                made = iter(torch.autograd.grad(total, wanted, allow_unused=True))
                for to, rows in ((to_a, i), (to_b, j)):
                    if to is not None and (g := next(made)) is not None:
                        to[rows] += g
                if to_tau is not None and (g := next(made)) is not None:
                    place = to_tau[i] if to_tau.ndim else to_tau
                    place += g.reshape(place.shape)
        return None, to_a, None if ctx.is_one else to_b, to_tau


def _weighed(part, whole, slopes, detach_mean):
    """A number whose gradient is what a tile adds to that of the merged sums."""
    total = 0
    if slopes.log_partition is not None or slopes.mean is not None:
        share = _share(part.log_partition, whole.log_partition)
        slope = 0 if slopes.log_partition is None else slopes.log_partition * share
        if slopes.mean is not None:
            total = total + (slopes.mean * share * part.mean).sum()
            if not detach_mean:
                slope = slope + slopes.mean * share * (part.mean - whole.mean).detach()
        total = total + (slope * _finite(part.log_partition)).sum()
    if slopes.log_positive is not None:
        share = _share(part.log_positive, whole.log_positive)
        total = total + (slopes.log_positive * share * _finite(part.log_positive)).sum()
    if slopes.positive is not None:
        total = total + (slopes.positive * part.positive).sum()
    return total


def _finite(logs):
    return torch.where(logs.isneginf(), 0, logs)


def _share(part, whole):
    """The share of a tile in the sum of an anchor, of their logarithms."""
    return torch.where(part.isneginf(), -math.inf, part - _finite(whole)).detach().exp()
