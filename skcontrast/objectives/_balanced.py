"""A sum of two objectives whose weights balance themselves."""

import torch
from torch import nn

from skcontrast.functional import min_norm_pair
from skcontrast.objectives._base import Sum, _BuiltSum

# Where gradients are compared: the first of these that both losses depend on.
AT = "steps", "embedding", "views"


class _BuiltBalanced(_BuiltSum):
    def __init__(self, terms):
        super().__init__(terms, (0.5, 0.5))
        self.register_buffer("share", torch.tensor(0.5))

    def forward(self, **named):
        losses = [term(**named).mean() for term in self.terms]
        share = 0.5  # of rows held out, so that two epochs can be compared
        if self.training and torch.is_grad_enabled():
            made = [named, *(named.get("own") or {}).values()]
            pairs = [pair for part in made for pair in _gradients(losses, part)]
            if pairs:
                first, second = (torch.cat(found) for found in zip(*pairs))
                share = min_norm_pair(first, second).to(self.share.dtype)
                self.share.copy_(share)
        return share * losses[0] + (1 - share) * losses[1]


def _gradients(losses, named):
    """Pairs of flat gradients of two losses, at what the network made of a batch."""
    tensors = [named[name] for name in AT if named.get(name) is not None]
    at = [x for x in tensors if x.requires_grad]
    if not at:
        return []
    options = {"retain_graph": True, "allow_unused": True}
    nothing = [None] * len(at)
    found = [torch.autograd.grad(x, at, **options) if x.requires_grad else nothing for x in losses]
    pairs = [(x, *pair) for x, *pair in zip(at, *found)]
    reached = [pair for pair in pairs if pair[1] is not None and pair[2] is not None][:1]
    return [
        [torch.zeros_like(x).flatten() if g is None else g.flatten() for g in pair]
        for x, *pair in reached or pairs
    ]


class Balanced(Sum):
    r"""Two objectives whose weights are set anew in each step, so that both losses fall (MGDA).

    With gradients :math:`g_1, g_2` of the two losses at the embedding of the batch,

    .. math:: L = \alpha L_1 + (1 - \alpha) L_2, \qquad
        \alpha = \operatorname*{argmin}_{0 \le \alpha \le 1} \| \alpha g_1 + (1 - \alpha) g_2 \|

    The step is a descent direction of both, or zero where none is. Of objectives with views of
    their own, which are other rows, the gradients are at right angles: the smaller one weighs
    more. Rows that are held out are given the mean of both losses.

    Parameters
    ----------
    first, second : Objective

    References
    ----------
    Désidéri, "Multiple-gradient descent algorithm (MGDA) for multiobjective optimization",
    Comptes Rendus Mathematique 2012. Sener and Koltun, "Multi-task learning as multi-objective
    optimization", NeurIPS 2018.

    Examples
    --------
    >>> from skcontrast.objectives import Balanced, InfoNCE, Reconstruction
    >>> Balanced(InfoNCE(), Reconstruction()).set_params(first__temperature=0.5)
    Balanced(first=InfoNCE(temperature=0.5), second=Reconstruction())
    """

    def build(self, n_samples: int) -> nn.Module:
        return _BuiltBalanced([term.build(n_samples) for term in self.terms])
