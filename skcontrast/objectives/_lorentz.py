"""Lorentz: rows in hyperbolic space."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import (
    BlockSize,
    cone_violation,
    exp_map,
    lorentz_distance,
    lorentz_excess,
    pair_sums,
    partner_excess,
)
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature


class _BuiltLorentz(BuiltObjective):
    """The objective with its scale and, where it is learned, its curvature."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.log_scale = nn.Parameter(torch.zeros(()))
        learned = objective.curvature == "learned"
        self.log_curvature = nn.Parameter(torch.zeros(())) if learned else None

    def forward(self, views, **named):
        curvature = self.objective.curvature
        if self.log_curvature is not None:
            x = self.log_curvature
            # Straight through: a clamp alone has no slope, and would never let go again.
            curvature = (x + (x.clamp(math.log(0.1), math.log(10)) - x).detach()).exp()
        return super().forward(views, curvature=curvature, scale=self.log_scale.exp(), **named)


class Lorentz(PairObjective):
    r"""Embed rows in hyperbolic space, general ones near its origin (MERU).

    The columns v of a row are a tangent at the origin of the hyperboloid of curvature -c, and are
    brought to it by

    .. math:: x = \frac{\sinh(\sqrt c \lVert w \rVert)}{\sqrt c \lVert w \rVert} w, \qquad
        w = \frac{a}{\sqrt d} v, \qquad x_t = \sqrt{1/c + \lVert x \rVert^2}

    Of two views of n rows, with the distance
    :math:`d(x, y) = \mathrm{arccosh}(c\, x_t y_t - c\, x \cdot y) / \sqrt c`,

    .. math:: l_i = \frac{d(x_i, y_i)}{\tau} + \frac12 \log \sum_j e^{-d(x_i, y_j) / \tau}
        + \frac12 \log \sum_j e^{-d(x_j, y_i) / \tau}
        + w \max\big(0,\; \mathrm{ext}(y_i, x_i) - \mathrm{aper}(y_i)\big)

    The last term asks that the first view x, the special one, lies in a cone that opens at the
    other one y, the general one. A view that hides features is the general one:
    ``ContrastiveEncoder(objective=Lorentz(), views="mask", clean_anchor=True)``.

    Parameters
    ----------
    curvature : "learned" or float, default="learned"
        The curvature c, learned from 1 on between 0.1 and 10, or a positive number.

    entailment : float, default=0.2
        Weight w of the last term.

    temperature : float, str or component, default="learned"
        Temperature tau: a positive number or "learned".

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the matrix of pairs; "auto" chooses by size, None takes all.

    See Also
    --------
    skcontrast.geometry.lorentz_distance : Distances of what ``transform`` gives.

    Notes
    -----
    It reads the embedding, without the projector. ``transform`` gives v; after a fit
    ``objective_weights_`` has ``log_scale``, the logarithm of a, and ``log_curvature``, of which
    ``np.exp(log_curvature).clip(0.1, 10)`` is the curvature. With more than two views the loss is
    the mean over the pairs of the first and another.

    References
    ----------
    Desai et al., "Hyperbolic image-text representations", ICML 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import Lorentz
    >>> views = 4 * torch.eye(4).expand(2, 4, 4)
    >>> Lorentz(curvature=1.0, entailment=0.0, temperature=0.5)(views).mean().detach().round(
    ...     decimals=4)
    tensor(0.0037)
    """

    requires = ("views", "embedding")

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "curvature": [Interval(Real, 0, None, closed="neither"), StrOptions({"learned"})],
        "entailment": [Interval(Real, 0, None, closed="left")],
    }
    _module = _BuiltLorentz

    def __init__(
        self,
        curvature: float | Literal["learned"] = "learned",
        entailment: float = 0.2,
        temperature: Temperature = "learned",
        block_size: BlockSize = "auto",
    ):
        self.curvature = curvature
        self.entailment = entailment
        self.temperature = temperature
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        curvature: float | Tensor,
        scale: Tensor,
        embedding: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each row: embedding (V, n, d) -> (n,)."""
        h = views if embedding is None else embedding
        special, *others = exp_map(h * (scale * h.shape[2] ** -0.5), curvature)

        def near(a: Tensor, b: Tensor) -> Tensor:
            return -lorentz_distance(lorentz_excess(a, b, curvature), curvature)

        each = []
        for general in others:
            own = partner_excess(special, general, curvature)
            positive = -lorentz_distance(own, curvature)
            tau = temperature(positive.detach(), None)
            logs = [
                pair_sums(*pair, None, tau, similarity=near, block_size=self.block_size)
                for pair in ((special, general), (general, special))
            ]
            contrast = sum(sums.log_partition for sums in logs) / 2 - positive / tau
            each.append(contrast + self.entailment * cone_violation(general, special, curvature))
        return torch.stack(each).mean(0)
