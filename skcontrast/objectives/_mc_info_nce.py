"""MCInfoNCE: rows as directions with a concentration."""

import math
from itertools import permutations
from typing import Any

import torch
from torch import Tensor

from skcontrast._component import Integral, Interval, Real
from skcontrast.functional import (
    OFF_DIAGONAL,
    BlockSize,
    draw_directions,
    draws_contrast,
    normalize,
    pair_sums,
)
from skcontrast.objectives._base import Objective, PairObjective

# Concentrations are kept between these.
LEAST, MOST = 1e-2, 1e4


class MCInfoNCE(Objective):
    r"""Embed each row as a von Mises-Fisher distribution, whose concentration says how sure it is.

    The columns of a row are a direction m and, last, the logarithm of a concentration
    :math:`\kappa`, kept between 0.01 and 10,000. Of S draws
    :math:`z \sim \mathrm{vMF}(m / \lVert m \rVert, \kappa)` of every row, an anchor i, its other
    view p(i) and the M other rows of that view,

    .. math:: l_i = -\log \frac1S \sum_s
        \frac{e^{k z_i^s \cdot z_{p(i)}^s}}
             {e^{k z_i^s \cdot z_{p(i)}^s} + \frac1M \sum_j e^{k z_i^s \cdot z_j^s}}

    Every row of every view is an anchor; with more than two views the loss is the mean over the
    others. A row that could be several things is served by draws that spread over them.

    Parameters
    ----------
    n_draws : int, default=16
        Number S of draws. Time and memory grow with it.

    concentration : float, default=20.0
        The factor k of the cosines, one over a temperature.

    start : float, default=16.0
        Concentration of a row whose last column is 0: :math:`\kappa = 16 e^a`. Wide distributions
        at the start teach little.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the matrix of pairs of a draw; "auto" chooses by size, None takes all.

    See Also
    --------
    skcontrast.geometry.mean_cosine : What a concentration means, in cosines.

    Notes
    -----
    The published trainings take 100,000 steps, first of the directions and then of the
    concentrations. After the few hundred of a default fit the concentration need not follow how
    unclear a row is: hold it against rows of known noise before it is used, and against the length
    of a row that :class:`InfoNCE` trains, which often follows it.

    It reads the embedding, without the projector: of ``z = encoder.transform(X)`` with
    ``passthrough=False`` the last column orders rows by how sure they are, and ``z[:, :-1]`` are
    their directions. Negatives are averaged, as published: with infinite concentrations it is
    InfoNCE at temperature 1 / k in which a negative counts 1 / M.

    References
    ----------
    Kirchhof et al., "Probabilistic contrastive learning recovers the correct aleatoric uncertainty
    of ambiguous inputs", ICML 2023. Wood, "Simulation of the von Mises Fisher distribution",
    Communications in Statistics 1994.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import MCInfoNCE
    >>> sure = torch.cat([torch.eye(3), torch.full((3, 1), 9.0)], dim=1)
    >>> loss = MCInfoNCE(concentration=5.0)(sure.expand(2, 3, 4)).mean()
    >>> bool(abs(loss - torch.tensor(-5.0).exp()) < 0.01)
    True
    """

    requires = ("views", "embedding")

    _parameter_constraints = {
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "concentration": [Interval(Real, 0, None, closed="neither")],
        "start": [Interval(Real, 0, None, closed="neither")],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }

    def __init__(
        self,
        n_draws: int = 16,
        concentration: float = 20.0,
        start: float = 16.0,
        block_size: BlockSize = "auto",
    ):
        self.n_draws = n_draws
        self.concentration = concentration
        self.start = start
        self.block_size = block_size

    def loss(self, views: Tensor, embedding: Tensor | None = None, **named: Any) -> Tensor:
        """Loss of each anchor: embedding (V, n, d + 1) -> (V n,)."""
        h = views if embedding is None else embedding
        if h.shape[2] < 3:
            raise ValueError(
                f"MCInfoNCE: {h.shape[2]} columns are too few for a direction and a concentration: "
                "type n_components=3 or more."
            )
        z = self._draws(h)  # (S, V, n, d)
        losses: list[list[Tensor]] = [[] for _ in h]
        for a, b in permutations(range(len(h)), 2):
            positive = self.concentration * (z[:, a] * z[:, b]).sum(-1)
            losses[a].append(draws_contrast(positive, self._others(z[:, a], z[:, b])))
        return torch.cat([torch.stack(of_view).mean(0) for of_view in losses])

    def _draws(self, h):
        direction = normalize(h[..., :-1]).flatten(0, 1)
        x = h[..., -1] + math.log(self.start)
        # Straight through: a clamp alone has no slope, and would never let go again.
        log_kappa = x + (x.clamp(math.log(LEAST), math.log(MOST)) - x).detach()
        z = draw_directions(direction, log_kappa.exp().flatten(), self.n_draws)
        return z.unflatten(1, h.shape[:2])

    def _others(self, anchors, candidates):
        """Logarithm of the mean exponential over the negatives of each draw, (S, n)."""
        weights = lambda rows, columns: (None, OFF_DIAGONAL)
        tau = 1 / self.concentration
        each = [
            pair_sums(a, b, weights, tau, block_size=self.block_size).log_partition
            for a, b in zip(anchors, candidates)
        ]
        return torch.stack(each) - math.log(max(1, anchors.shape[1] - 1))
