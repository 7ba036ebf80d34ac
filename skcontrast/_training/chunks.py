"""Rows through a network some at a time, with the gradients of all at once."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from skcontrast._draws import replayed


def in_chunks(function, x, size, *beside, dim=0):
    """Evaluate ``function`` on ``size`` rows of the batch ``x`` at a time, and join the results.

    In the backward pass each chunk is computed again, with the random numbers it had, so that
    only one holds what its gradients need. Rows of a result, or of each of several, lie along
    ``dim``; ``beside`` are tensors with a row for each of the batch. None takes all rows at once.
    """
    if size is None or size >= len(x):
        return function(x, *beside)
    evaluate = function
    if torch.is_grad_enabled():
        # By it torch knows whose generator to set back: it looks into no batch of another kind.
        where = torch.empty(0, device=x.device)
        of_part = lambda _, *part: function(*part)
        evaluate = lambda *part: checkpoint(replayed(of_part), where, *part, use_reentrant=False)
    parts = zip(*(each.split(size) for each in (x, *beside)))
    found = [evaluate(*part) for part in parts]
    if torch.is_tensor(found[0]):
        return torch.cat(found, dim)
    return tuple(torch.cat(each, dim) for each in zip(*found))


def check_norms(why, instead, module):
    """Raise where rows of a batch would be seen by each other in their part of it alone."""
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    if norms:
        raise ValueError(
            f"{why}, and the network's {type(norms[0]).__name__} takes means over the whole batch: "
            f"type {instead}, or a network with LayerNorm in its place."
        )
