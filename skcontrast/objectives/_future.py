"""Prediction of what comes next in a series, from what was before (TS-TCC, CPC)."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, StrOptions
from skcontrast.functional import future_contrast, mean_over, normalize
from skcontrast.objectives._base import Objective
from skcontrast.objectives._prediction import BuiltPrediction
from skcontrast.objectives._steps import seen_steps


class _Ahead(nn.Module):
    """A linear map of the context for each number of steps ahead: (V, n, d) -> (V, K, n, d)."""

    def __init__(self, n_steps, width):
        super().__init__()
        # What is now is the first guess at what will be, and no draw is spent on it.
        self.weight = nn.Parameter(torch.eye(width).repeat(n_steps, 1, 1))  # (K, d, d)
        self.bias = nn.Parameter(torch.zeros(n_steps, width))

    def forward(self, context):
        return context[:, None] @ self.weight.mT + self.bias[:, None]


class _BuiltFuturePrediction(BuiltPrediction):
    """The objective with its linear maps, which are as wide as the embedding."""

    def prepare(self, side, given, n_components=None):
        self.head = _Ahead(self.objective.n_steps, n_components)


class FuturePrediction(Objective):
    r"""Find the future of a series in one view by what was before in another (TS-TCC).

    With unit embeddings :math:`z_{it}` of the steps of series i in one view, a context
    :math:`c_i` of its steps up to time t in another, and linear maps :math:`W_k, b_k` that
    are trained along,

    .. math::

        l_i = \frac1K \sum_{k=1}^K \Big(
              \log \sum_j e^{\langle z_{i,t+k}, W_k c_j + b_k \rangle}
              - \langle z_{i,t+k}, W_k c_i + b_k \rangle \Big)

    Every series in every view is an anchor: its future is sought among the predictions from
    the contexts of the next view, of the first one in the last; with one view from its own
    (CPC). In each batch t is at one random share of all series.

    Added to a contrast of whole series it makes their steps predictable: ``InfoNCE() +
    FuturePrediction()``. The published sum is ``0.7 * InfoNCE(0.2) + 2 *
    FuturePrediction()``.

    Parameters
    ----------
    n_steps : int, default=6
        Number K of steps ahead, fewer where a series ends. The authors took 6 to 50, the more
        the longer the series.

    context : {"mean", "last"}, default="mean"
        The context: the mean of the unit embeddings up to t, or the last of them.

    Notes
    -----
    ``steps`` (V, n, T, d) come from a network of series; ``step_mask`` (V, n, T) says which of
    them a view has seen. The authors' context is a transformer over the steps. ``times`` (n,)
    may give t.

    The maps start at the identity. After a fit they are in the estimator's
    ``objective_weights_`` as ``head.weight`` (K, d, d) and ``head.bias`` (K, d). Called on
    tensors there are none: the context is the prediction.

    References
    ----------
    Eldele et al., "Time-series representation learning via temporal and contextual
    contrasting", IJCAI 2021. van den Oord et al., "Representation learning with contrastive
    predictive coding", 2018.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import FuturePrediction
    >>> steps = torch.eye(2).reshape(1, 2, 1, 2).expand(2, 2, 3, 2)  # two series that stand still
    >>> FuturePrediction(n_steps=2)(steps.amax(2), steps=steps).mean().round(decimals=4)
    tensor(0.3133)
    """

    requires = ("views", "steps")
    min_views = 1

    _module = _BuiltFuturePrediction

    _parameter_constraints = {
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "context": [StrOptions({"mean", "last"})],
    }

    def __init__(self, n_steps: int = 6, context: Literal["mean", "last"] = "mean"):
        self.n_steps = n_steps
        self.context = context

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        step_mask: Tensor | None = None,
        head: nn.Module | None = None,
        times: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: steps (V, n, T, d), step_mask (V, n, T) -> (V n,)."""
        z = normalize(steps)
        n_views, n, length, d = z.shape
        seen = seen_steps(self, steps, step_mask, least=2)
        if times is None:
            times = self._cut(seen.any(0))
        context, known = self._context(z, seen, times)
        ahead = times[:, None] + torch.arange(1, self.n_steps + 1, device=z.device)  # (n, K)
        where = ahead.clamp_max(length - 1).expand(n_views, n, -1)
        future = z.gather(2, where[..., None].expand(-1, -1, -1, d)).transpose(1, 2)
        there = (seen.gather(2, where) & (ahead < length)).transpose(1, 2)  # (V, K, n)
        context, known = context.roll(-1, 0), known.roll(-1, 0)
        if head is None:
            prediction = context[:, None].expand(-1, self.n_steps, -1, -1)
        else:
            prediction = head(context)
        loss, valid = future_contrast(future, prediction, there, known)
        return mean_over(loss.flatten(), valid.flatten())

    def _cut(self, seen):
        """The step t of each series (n,), at one share of those that leave K steps to predict."""
        length = seen.shape[1]
        step = torch.arange(length, device=seen.device)
        first = torch.where(seen, step, length).amin(1).clamp_max(length - 1)
        n_choices = (torch.where(seen, step, 0).amax(1) - first + 1 - self.n_steps).clamp_min(1)
        return first + (torch.rand((), device=seen.device) * n_choices).long()

    def _context(self, z, seen, times):
        """Context of each series (V, n, d) at the times (n,), and whether there is one (V, n)."""
        step = torch.arange(z.shape[2], device=z.device)
        before = seen & (step <= times[:, None])  # (V, n, T)
        if self.context == "last":
            last = torch.where(before, step, -1).amax(2, keepdim=True)
            before = before & (step == last)
        share = before.to(z.dtype) / before.sum(2, keepdim=True).clamp_min(1)
        return (share[:, :, None] @ z).squeeze(2), before.any(2)
