"""Contrastive attraction and contrastive repulsion."""

import math
from itertools import combinations
from typing import Any, Literal

import torch
from torch import Tensor

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import BlockSize, distinct, normalize, pair_sums, power_distance
from skcontrast.objectives._base import Objective, PairObjective


class CACR(Objective):
    r"""Attract far positives more, repel near negatives more (CACR).

    With unit rows :math:`z_i^x` of sample i and view x, and the cost
    :math:`c(a, b) = \|a - b\|^2`,

    .. math::

        L^+ = \frac{\alpha}{Vn} \sum_{x,i} \sum_{y \ne x} \pi^+_{ixy} c(z_i^x, z_i^y),
        \qquad \pi^+_{ixy} = \mathrm{softmax}_y(t_+ c(z_i^x, z_i^y))

    .. math::

        L^- = -\frac{2}{V(V-1)} \sum_{x<y} \frac{\beta}{n} \sum_i \sum_{j \ne i}
              \pi^-_{ij} c(z_i^x, z_j^y),
        \qquad \pi^-_{ij} = \mathrm{softmax}_j(-t_- c(z_i^x, z_j^y))

    and the loss is :math:`L^+ + L^-`. With two views :math:`L^+` is the squared distance
    of the pairs; the method is meant for more. With ``cost="rbf"`` the repulsion of a pair
    of views is
    :math:`\beta \log \frac1n \sum_i \sum_{j \ne i} \pi^-_{ij} e^{-t c(z_i^x, z_j^y)}`.

    Parameters
    ----------
    t_pos : float, default=1.0
        How much the farthest positive is preferred.

    t_neg : float, default=2.0
        How much the nearest negative is preferred.

    alpha : float, default=1.0
        Weight of the attraction.

    beta : float, default=1.0
        Weight of the repulsion.

    cost : {"euclidean", "rbf"}, default="euclidean"
        What the repulsion averages.

    t : float, default=2.0
        Inverse width of the "rbf" cost.

    detach_weights : bool, default=False
        Whether the weights pi are held constant in the gradient.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the distance matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Zheng et al., "Contrastive attraction and contrastive repulsion for representation
    learning", TMLR 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CACR
    >>> views = torch.eye(4).expand(3, 4, 4)
    >>> CACR()(views).round(decimals=4)
    tensor(-2.)
    """

    _parameter_constraints = {
        "t_pos": [Interval(Real, 0, None, closed="left")],
        "t_neg": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, 0, None, closed="left")],
        "cost": [StrOptions({"euclidean", "rbf"})],
        "t": [Interval(Real, 0, None, closed="neither")],
        "detach_weights": ["boolean"],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }

    def __init__(
        self,
        t_pos: float = 1.0,
        t_neg: float = 2.0,
        alpha: float = 1.0,
        beta: float = 1.0,
        cost: Literal["euclidean", "rbf"] = "euclidean",
        t: float = 2.0,
        detach_weights: bool = False,
        block_size: BlockSize = "auto",
    ):
        self.t_pos = t_pos
        self.t_neg = t_neg
        self.alpha = alpha
        self.beta = beta
        self.cost = cost
        self.t = t
        self.detach_weights = detach_weights
        self.block_size = block_size

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d) -> ()."""
        z = normalize(views)
        repulsion = [self._repulsion(x, y) for x, y in combinations(z, 2)]
        return self.attraction(z) + self.beta * sum(repulsion) / len(repulsion)

    def attraction(self, z: Tensor) -> Tensor:
        """Attraction term of unit rows: (V, n, d) -> ()."""
        c = (z[:, None] - z[None]).square().sum(-1)  # (V, V, n)
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)[:, :, None]
        pi = (self.t_pos * c).masked_fill(own, -math.inf).softmax(1)
        if self.detach_weights:
            pi = pi.detach()
        return self.alpha * (pi * c).sum(1).mean()

    def _repulsion(self, x, y):
        """Repulsion of the rows of two views, before beta: (n, d), (n, d) -> ()."""
        if self.cost == "euclidean":
            return self._sums(x, y, self.t_neg, mean=True).mean.mean()
        sums = self._sums(x, y, self.t_neg + self.t, mean=self.detach_weights)
        value = sums.log_partition - self._sums(x, y, self.t_neg).log_partition  # (n,)
        if self.detach_weights:
            slope = self.t * sums.mean
            value = value.detach() + (slope - slope.detach())
        return value.logsumexp(0) - math.log(len(x))

    def _sums(self, x, y, t, mean=False):
        # The similarity is -c, and its softmax at temperature 1 / t_neg is pi^-.
        return pair_sums(
            x,
            y,
            lambda rows, columns: (None, distinct(rows, columns, x.device)),
            1 / t,
            similarity=power_distance(2),
            mean=mean,
            detach_mean=self.detach_weights,
            block_size=self.block_size,
        )
