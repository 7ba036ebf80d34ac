"""Momentum: a copy of modules whose weights are an average over the steps of a training."""

import copy

import torch
from torch import Tensor, nn


class Momentum(nn.Module):
    """Copies of modules that follow them, and learn nothing themselves.

    After k steps the weights of a copy are m^k times those at the start, and (1 - m) m^(k - j)
    times those of step j. Other state, such as the statistics of a batch normalisation, each
    copy keeps for itself.
    """

    # It is no part of a fitted encoder: see skcontrast._training.embed.lasting.
    passing = True

    def __init__(self, momentum: float, parts: dict[str, nn.Module]):
        super().__init__()
        self.momentum = momentum
        for name, part in parts.items():
            self.add_module(name, copy.deepcopy(part).requires_grad_(False))

    @torch.no_grad()
    def follow(self, parts: dict[str, nn.Module]) -> None:
        """Take one step towards the weights of the modules."""
        for name, part in parts.items():
            mine, theirs = (list(p.parameters()) for p in (self.get_submodule(name), part))
            if mine:
                torch._foreach_lerp_(mine, theirs, 1 - self.momentum)

    @torch.no_grad()
    def keys(self, x: Tensor, n_views: int, rows: Tensor) -> Tensor:
        """Projections of ``n_views`` views of a batch of rows, one below the other: (V, n, d).

        Of blocks, each is a view.
        """
        encoder = self.get_submodule("encoder")
        if hasattr(encoder, "slots"):
            h = encoder.slots(x)
        elif getattr(encoder, "given", False):  # the route of a row is that of each view
            routes = encoder.gates(rows).repeat(n_views, 1)
            h = encoder(x, routes).unflatten(0, (n_views, -1))
        else:
            h = encoder(x).unflatten(0, (n_views, -1))
        return self.get_submodule("projector")(h.flatten(0, 1)).unflatten(0, h.shape[:2])
