"""Symile: what several blocks have in common, by the product of all of them."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import StrOptions
from skcontrast.functional import multilinear_contrast, normalize
from skcontrast.objectives._base import BuiltObjective, Objective, Temperature
from skcontrast.objectives._one_to_k import check_plain
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS, Learned


class _BuiltSymile(BuiltObjective):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.absent = None

    def prepare(self, side, given, n_components=None):
        """Make a vector that stands for each block in rows that lack it."""
        present = getattr(given.get("rows"), "present", None)
        if present is not None:
            self.absent = nn.Parameter(torch.randn(len(present), given["width"]))

    def forward(self, views, present=None, **named):
        if present is not None and self.absent is not None:
            stand_in = self.absent.to(views.dtype)[:, None]
            views = torch.where(present[:, :, None], views, stand_in)
        return super().forward(views, **named)


class Symile(Objective):
    r"""The product of all blocks, which tells what no pair of them does.

    With unit rows, and each block a the anchor once,

    .. math:: x_{ij}^a = \frac{1}{\tau} \sum_d z_{id}^a \prod_{v \ne a} z_{\pi_v(j) d}^v, \qquad
        l_i^a = -x_{ii} + \log \sum_j e^{x_{ij}^a}, \qquad
        x_{ii} = \frac{1}{\tau} \sum_d \prod_v z_{id}^v

    with permutations :math:`\pi_v` drawn for each block. It learns interactions, such as that the
    third block is the exclusive or of two; where the blocks say the same, :class:`Pairwise` finds
    partners better. For a block that a row lacks a learned vector stands in.

    Parameters
    ----------
    negatives : {"permuted", "all"}, default="permuted"
        Whether an anchor is compared with n draws of rows of the other blocks, or with every
        combination of them: n to the power V - 1.

    temperature : float, str or component, default="auto"
        Temperature tau: a positive number, "learned" or a component. "auto" is learned, starts
        at 0.05 and may fall to 0.0001.

    References
    ----------
    Saporta et al., "Contrasting with Symile: simple model-agnostic representation learning for
    unlimited modalities", NeurIPS 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import Symile
    >>> views = torch.eye(4).expand(3, 4, 4)
    >>> Symile("all", temperature=0.5)(views).mean().round(decimals=4)
    tensor(1.1086)
    """

    accepts_missing = True
    # Blocks of a query are joined by their product too.
    multiplies = True
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}
    _parameter_constraints = {
        "negatives": [StrOptions({"permuted", "all"})],
        "temperature": [*TEMPERATURE_CONSTRAINTS, StrOptions({"auto"})],
    }
    _module = _BuiltSymile

    def __init__(
        self,
        negatives: Literal["permuted", "all"] = "permuted",
        temperature: Temperature | Literal["auto"] = "auto",
    ):
        self.negatives = negatives
        self.temperature = temperature

    def _settled(self, name: str, value: Any) -> Any:
        auto = name == "temperature" and isinstance(value, str) and value == "auto"
        # The product of V unit rows is small, so that the scale may pass 100.
        return Learned(init=0.05, minimum=1e-4) if auto else value

    def build(self, n_samples: int) -> nn.Module:
        built = super().build(n_samples)
        check_plain(self, built)
        return built

    def loss(
        self, views: Tensor, temperature: nn.Module, order: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each block as the anchor: views (V, n, d) -> (V n,).

        ``order`` (V, V - 1, n) are the permutations of the other blocks, drawn where None.
        """
        z = normalize(views)
        n_views, n, _ = z.shape
        tau = temperature((z[0] * z[1]).sum(-1).detach(), None)
        if self.negatives == "permuted" and order is None:
            draws = torch.rand(n_views, n_views - 1, n, device=z.device)
            order = draws.argsort(-1)
        return multilinear_contrast(z, 1 / tau, None if self.negatives == "all" else order)
