"""Series as paths between their ends: Brownian bridges (Time Control)."""

import math
from typing import Any, Literal

import torch
from torch import Tensor

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import logsumexp, mean_over, squared_distance
from skcontrast.objectives._base import Objective
from skcontrast.objectives._steps import seen_steps


class BrownianBridge(Objective):
    r"""Contrast of a step with where it should be between two others (Time Control).

    Of each series three steps are drawn, at times :math:`t_0 < t < t_1`, with embeddings
    :math:`z_0, z, z_1` as they are. On a Brownian bridge between the two ends the third is
    normal:

    .. math::

        a = \frac{t - t_0}{t_1 - t_0}, \qquad
        v = \frac{(t - t_0)(t_1 - t)}{t_1 - t_0}, \qquad
        s(z_0, z, z_1) = -\frac{\lVert (1 - a) z_0 + a z_1 - z \rVert^2}{2 v}

    and the middle, the end or both ends of series i are to be found among those of all,

    .. math::

        l_i = -s_{ii} + \log \sum_j e^{s_{ij}}, \qquad
        s_{ij} = s(z_{0i}, z_j, z_{1i}), \quad
        s(z_{0j}, z_j, z_{1i}) \quad \text{or} \quad s(z_{0j}, z_i, z_{1j})

    Every series in every view is an anchor, and its candidates are of the same view.

    Parameters
    ----------
    contrast : {"middle", "end", "ends"}, default="middle"
        What is sought: "middle" the step between two ends, as the paper has it; "end" the
        path, at its own times, that leads to an end; "ends" the pair of ends, at times of
        their own, of a step: those on both sides of it in time. The last two are of the
        published code.

    pin : float, default=0.0
        Weight of the mean of :math:`z_{0k}^2` over the columns where :math:`z_0` is the first
        step seen, and of :math:`(|z_{1k}| - 1)^2` where :math:`z_1` is the last.

    eps : float, default=0.0
        Added to :math:`t_1 - t_0` in both fractions, to 2 v and to the sum of exponentials, as
        in the published code, where it is 1e-6. Above 0 it bounds the loss of a series that is
        far from all paths.

    Notes
    -----
    ``steps`` (V, n, T, d) come from a network of series; ``step_mask`` (V, n, T) says which of
    them a view has seen. The three steps are drawn evenly from those; ``times`` (3, n) may give
    them. Series of fewer do not count.

    References
    ----------
    Wang et al., "Language modeling via stochastic processes", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import BrownianBridge
    >>> steps = torch.tensor([[[[0.0], [1.0], [2.0]], [[4.0], [3.0], [2.0]]]])  # straight lines
    >>> BrownianBridge()(steps.amax(2), steps=steps).mean().round(decimals=4)
    tensor(0.0181)
    """

    requires = ("views", "steps")
    min_views = 1

    _parameter_constraints = {
        "contrast": [StrOptions({"middle", "end", "ends"})],
        "pin": [Interval(Real, 0, None, closed="left")],
        "eps": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        contrast: Literal["middle", "end", "ends"] = "middle",
        pin: float = 0.0,
        eps: float = 0.0,
    ):
        self.contrast = contrast
        self.pin = pin
        self.eps = eps

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        step_mask: Tensor | None = None,
        times: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: steps (V, n, T, d), step_mask (V, n, T) -> (V n,)."""
        seen = seen_steps(self, steps, step_mask, least=3)
        times = _three_of(seen) if times is None else times.T.expand(len(steps), -1, -1)
        where = times[..., None].expand(-1, -1, -1, steps.shape[3])
        drawn = steps.gather(2, where).unbind(2)  # three of (V, n, d)
        valid = seen.gather(2, times).all(2)
        parts = zip(zip(*drawn), times.to(steps.dtype).mT, valid)
        loss = mean_over(torch.cat([self._of_a_view(*part) for part in parts]), valid.flatten())
        if self.pin:
            loss = loss + self.pin * self._pinned(drawn, times, seen, valid)
        return loss

    def _of_a_view(self, z, times, valid):
        """Loss of each series: z three of (n, d), times (3, n), valid (n,) -> (n,)."""
        logits, keep = self._logits(*z, *times)
        keep = keep & valid[:, None] & valid
        partition = logsumexp(logits, keep)
        if self.eps:
            partition = partition.logaddexp(torch.full_like(partition, math.log(self.eps)))
        return torch.where(valid, partition, 0) - torch.where(valid, logits.diagonal(), 0)

    def _logits(self, z0, z, z1, t0, t, t1):
        """Scores s_ij (n, n), and which pairs have one."""
        if self.contrast == "middle":  # times are those of i, else of j
            t0, t, t1 = t0[:, None], t[:, None], t1[:, None]
        elif self.contrast == "ends":
            t = t[:, None]
        span = t1 - t0 + self.eps
        a, v = (t - t0) / span, (t - t0) * (t1 - t) / span
        keep = v > 0
        a, scale = torch.where(keep, a, 0.5), torch.where(keep, 2 * v + self.eps, 1)
        if self.contrast == "middle":
            squared = squared_distance(z0.lerp(z1, a), z)
        elif self.contrast == "end":
            share = a[:, None]
            straight = (z - (1 - share) * z0) / share  # where a straight path comes to
            squared = squared_distance(z1, straight) * a.square()
        else:
            way = z1 - z0
            along = (z0 * way).sum(1) - z @ way.T  # of the way from z to z0: (n, n), as is a
            squared = squared_distance(z, z0) + 2 * a * along + a.square() * way.square().sum(1)
            squared = squared.clamp_min(0)
        return -squared / scale, keep

    def _pinned(self, drawn, times, seen, valid):
        """How far ends of series are from where ends are to lie: (V n,)."""
        step = torch.arange(seen.shape[2], device=seen.device)
        first = valid & ~(seen & (step < times[..., :1])).any(2)  # (V, n)
        last = valid & ~(seen & (step > times[..., 2:])).any(2)
        start = drawn[0].square().mean(2)
        end = (drawn[2].abs() - 1).square().mean(2)
        pairs = (start, first), (end, last)
        return sum(mean_over(gap.flatten(), there.flatten()) for gap, there in pairs)


def _three_of(seen):
    """Times of three different steps out of those seen, drawn evenly, in order: (V, n, 3)."""
    score = torch.rand(seen.shape, device=seen.device).masked_fill(~seen, -1)
    return score.topk(3, dim=2).indices.sort(2).values
