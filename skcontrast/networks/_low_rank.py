"""LowRank: a small update beside the frozen weights of a module."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize

from skcontrast._component import Component, Integral, Interval
from skcontrast.networks._layers import InputLayer, build_network


class LowRank(Component):
    r"""A trained update of low rank beside the frozen weights of a torch module (LoRA).

    .. math:: W' = W + B A, \qquad B \in R^{m \times r}, \; A \in R^{r \times n}

    for the weight W of each linear layer of the module, which stays as it is, as all else in it
    does. B starts at zero: the network starts as the module.

    Parameters
    ----------
    module : torch.nn.Module
        Maps (n, n_features) to (n, n_columns). It is copied.

    rank : int, default=8
        The rank r.

    References
    ----------
    Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022. Ziarko et al.,
    "Repurposing language models into embedding models: finding the compute-optimal recipe",
    NeurIPS 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.networks import LowRank
    >>> trained = torch.nn.Linear(5, 8)
    >>> module, x = LowRank(trained, rank=2).build(5, 8), torch.ones(1, 5)
    >>> torch.equal(module(x), trained(x))
    True
    >>> sum(p.numel() for p in module.parameters() if p.requires_grad)  # 2 * (5 + 8)
    26
    """

    _parameter_constraints = {
        "module": [nn.Module],
        "rank": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, module: nn.Module, rank: int = 8):
        self.module = module
        self.rank = rank

    @property
    def reads(self) -> frozenset[str]:
        """What rows may be: those that the module reads."""
        return frozenset(getattr(self.module, "reads", {"numbers"}))

    def build(self, n_features_in: int, n_components: int | None = None) -> nn.Module:
        """Make the torch module (n, n_features_in) -> (n, n_components)."""
        return build_network(self, n_features_in, n_components)[0]

    def as_module(self) -> nn.Module:
        """Make the torch module, whose number of columns is that of the given one."""
        module = copy.deepcopy(self.module).requires_grad_(False)
        layers = [part for part in module.modules() if isinstance(part, (nn.Linear, InputLayer))]
        if not layers:
            raise ValueError(
                f"LowRank: the {type(module).__name__} has no linear layer to update: pass "
                "a module with some nn.Linear."
            )
        for layer in layers:
            update = _Update(layer.weight, self.rank)
            parametrize.register_parametrization(layer, "weight", update)
        return module


class _Update(nn.Module):
    def __init__(self, weight, rank):
        super().__init__()
        n_out, n_in = weight.shape
        options = {"dtype": weight.dtype, "device": weight.device}
        bound = (3 / n_in) ** 0.5
        self.A = nn.Parameter(torch.empty(rank, n_in, **options).uniform_(-bound, bound))
        self.B = nn.Parameter(torch.zeros(n_out, rank, **options))

    def forward(self, weight):
        return weight + self.B @ self.A
