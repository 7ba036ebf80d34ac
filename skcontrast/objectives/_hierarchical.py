"""Contrast of series and of their steps, over ever longer steps (TS2Vec)."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast.functional import contrast_within, mean_over
from skcontrast.objectives._base import PairObjective, Temperature
from skcontrast.objectives._steps import seen_steps


class HierarchicalContrast(PairObjective):
    r"""Contrast of steps with those of other series and of other times, at several scales (TS2Vec).

    With the embeddings :math:`z_{it}` and :math:`z'_{it}` of step t of series i in two
    views, as they are and not of unit length,

    .. math::

        l_{it}^{inst} = -\langle z_{it}, z'_{it} \rangle / \tau + \log \Big(
            \sum_j e^{\langle z_{it}, z'_{jt} \rangle / \tau}
            + \sum_{j \ne i} e^{\langle z_{it}, z_{jt} \rangle / \tau} \Big), \qquad
        l_{it}^{temp} = -\langle z_{it}, z'_{it} \rangle / \tau + \log \Big(
            \sum_s e^{\langle z_{it}, z'_{is} \rangle / \tau}
            + \sum_{s \ne t} e^{\langle z_{it}, z_{is} \rangle / \tau} \Big)

    set a step apart from the same step of other series, and from the other steps of its
    own. The loss of a series is that of its steps, over D scales,

    .. math::

        l_i = \frac1D \sum_{k=0}^{D-1} \Big( \alpha \, \mathrm{mean}_t \, l_{it}^{inst}
              + (1 - \alpha) \, \mathrm{mean}_t \, l_{it}^{temp} \Big)

    From one scale to the next pairs of steps are pooled to their maximum, column by column,
    until one is left; a last step without a partner is dropped. Every series in every view is
    an anchor.

    Parameters
    ----------
    alpha : float, default=0.5
        Share of the contrast with other series, between 0 and 1.

    temporal_unit : int, default=0
        First scale at which steps are set apart from those of other times. Each scale
        compares all pairs of steps of a series: above some 500 of them, 1 or 2 saves
        most of the time.

    temperature : float or component, default=1.0
        Temperature tau: a positive number or "learned".

    Notes
    -----
    ``steps`` (V, n, T, d) come from a network of series. Steps count which all views have
    seen, as ``step_mask`` (V, n, T) says, at the same time in all of them: a view may cut
    series, but does not move or stretch them. Pairs of steps are pooled where one is seen.

    COMET adds the contrast of series of one subject to it: ``HierarchicalContrast() +
    0.25 * SupCon(target="groups")``, with the subjects as ``groups``.

    References
    ----------
    Yue et al., "TS2Vec: towards universal representation of time series", AAAI 2022. Wang
    et al., "Contrast everything: a hierarchical contrastive framework for medical
    time-series", NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import HierarchicalContrast
    >>> steps = torch.eye(4).reshape(1, 2, 2, 4).expand(2, 2, 2, 4)  # two series of two steps
    >>> HierarchicalContrast()(steps.amax(2), steps=steps).mean().round(decimals=4)
    tensor(0.3356)
    """

    requires = ("views", "steps")

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "temporal_unit": [Interval(Integral, 0, None, closed="left")],
        "temperature": PairObjective._parameter_constraints["temperature"],
    }

    def __init__(self, alpha: float = 0.5, temporal_unit: int = 0, temperature: Temperature = 1.0):
        self.alpha = alpha
        self.temporal_unit = temporal_unit
        self.temperature = temperature

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        temperature: nn.Module,
        step_mask: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: steps (V, n, T, d), step_mask (V, n, T) -> (V n,)."""
        tau = temperature(None, None)
        z, seen = steps, seen_steps(self, steps, step_mask).all(0)  # (V, n, T, d), (n, T)
        valid, total, n_scales = seen.any(1), 0, 0
        while True:
            total = total + self._at_a_scale(z, seen, tau, n_scales)
            n_scales += 1
            if z.shape[2] == 1:
                break
            z, seen = pooled(z, seen)
        return mean_over((total / n_scales).flatten(), valid.repeat(len(z)))

    def _at_a_scale(self, z, seen, tau, scale):
        """Loss of each series at a scale: (V, n)."""
        loss = z.new_zeros(z.shape[:3])
        if self.alpha > 0:
            across = contrast_within(z.transpose(1, 2), seen.T, tau)  # (V, T, n)
            loss = self.alpha * across.transpose(1, 2)
        if self.alpha < 1 and scale >= self.temporal_unit:
            loss = loss + (1 - self.alpha) * contrast_within(z, seen, tau)
        return loss.sum(2) / seen.sum(1).clamp_min(1)


def pooled(z, seen):
    """Maximum of each pair of steps that are seen, and whether one of them is."""
    half = z.shape[2] // 2
    pairs = seen[:, : 2 * half].unflatten(1, (half, 2))  # (n, T / 2, 2)
    z = z[:, :, : 2 * half].unflatten(2, (half, 2))
    z = z.masked_fill(~pairs[..., None], -torch.inf).amax(3)
    seen = pairs.any(2)
    return torch.where(seen[..., None], z, 0), seen
