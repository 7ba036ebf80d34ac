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
    """A linear map of the context, and of actions, for each number of steps ahead.

    The context is (V, n, d), actions are (K, n, a), and predictions (V, K, n, d).
    """

    def __init__(self, n_steps, width, n_actions=0):
        super().__init__()
        # What is now is the first guess at what will be, and no draw is spent on it.
        first = torch.eye(width, width + n_actions)
        self.weight = nn.Parameter(first.repeat(n_steps, 1, 1))  # (K, d, d + a)
        self.bias = nn.Parameter(torch.zeros(n_steps, width))

    def forward(self, context, actions=None):
        context = context[:, None]
        if actions is not None:
            parts = context, actions[None]
            context = torch.cat([p.expand(len(context), len(actions), -1, -1) for p in parts], -1)
        return context @ self.weight.mT + self.bias[:, None]


class _BuiltFuturePrediction(BuiltPrediction):
    """The objective with its linear maps, which are as wide as the embedding."""

    def prepare(self, side, given, n_components=None):
        n_steps, acts = self.objective.n_steps, self.objective.condition_by_step
        self.head = _Ahead(
            n_steps, n_components, n_steps * side["condition"].shape[1] if acts else 0
        )


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

    context : {"mean", "last", "condition"}, default="mean"
        The context: the mean of the unit embeddings up to t, or the last of them. "condition" is
        the one at t, and what is done at t and after it, :math:`[z_t, a_t, \ldots, a_{t+k-1}]`
        (TACO): ``fit(X, condition=actions)``.

    Notes
    -----
    ``steps`` (V, n, T, d) come from a network of series; ``step_mask`` (V, n, T) says which of
    them a view has seen. The authors' context is a transformer over the steps. ``times`` (n,)
    may give t.

    Actions are an array (n_series, n_actions, length), or a list of arrays (n_actions, length),
    with numbers for each step of X that lead to the next one. Series are episodes: a recording is
    cut into such first. What is found is then what actions change, whereas without them it is what
    goes on by itself. A network must not see the steps ahead, as
    ``LightConv(kernel_size=1)``, which reads each by itself, nor views move them: ``views=None,
    n_views=1``.

    The maps start at the identity, and at zero for actions. After a fit they are in the estimator's
    ``objective_weights_`` as ``head.weight`` (K, d, d), with actions (K, d, d + K a), and
    ``head.bias`` (K, d). Called on tensors there are none: what was embedded is the prediction.

    References
    ----------
    Eldele et al., "Time-series representation learning via temporal and contextual
    contrasting", IJCAI 2021. van den Oord et al., "Representation learning with contrastive
    predictive coding", 2018. Zheng et al., "TACO: temporal latent action-driven contrastive loss
    for visual reinforcement learning", NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import FuturePrediction
    >>> steps = torch.eye(2).reshape(1, 2, 1, 2).expand(2, 2, 3, 2)  # two series that stand still
    >>> FuturePrediction(n_steps=2)(steps.amax(2), steps=steps).mean().round(decimals=4)
    tensor(0.3133)
    """

    min_views = 1

    _module = _BuiltFuturePrediction

    _parameter_constraints = {
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "context": [StrOptions({"mean", "last", "condition"})],
    }

    def __init__(self, n_steps: int = 6, context: Literal["mean", "last", "condition"] = "mean"):
        self.n_steps = n_steps
        self.context = context

    @property
    def condition_by_step(self) -> bool:
        """Whether the condition has numbers for each step of a series."""
        return self.context == "condition"

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the steps, and actions where these are part of the context."""
        return ("views", "steps", *(["condition"] if self.condition_by_step else []))

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        step_mask: Tensor | None = None,
        head: nn.Module | None = None,
        times: Tensor | None = None,
        condition: Tensor | None = None,
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
        elif self.condition_by_step:
            actions, acted = self._actions(condition, ahead - 1, length)
            prediction, there = head(context, actions.to(z.dtype)), there & acted
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
        if self.condition_by_step:
            before = before & (step == times[:, None])
        elif self.context == "last":
            last = torch.where(before, step, -1).amax(2, keepdim=True)
            before = before & (step == last)
        share = before.to(z.dtype) / before.sum(2, keepdim=True).clamp_min(1)
        return (share[:, :, None] @ z).squeeze(2), before.any(2)

    def _actions(self, condition, when, length):
        """Actions (K, n, K a) that lead to each step ahead, and where all are known (K, n).

        ``condition`` is (n, a, T), NaN where no action is known, and ``when`` (n, K).
        """
        if condition.shape[2] != length:
            raise ValueError(
                f"condition holds actions of {condition.shape[2]} steps, but series have {length}: "
                "pass an array of shape (n_series, n_actions, length), a number for each step of X."
            )
        index = when.clamp_max(length - 1)[:, None].expand(-1, condition.shape[1], -1)
        taken = condition.gather(2, index).mT  # (n, K, a)
        unknown = taken.isnan().any(2).cumsum(1) > 0
        # Of actions up to the step: those after it would tell what comes next.
        up_to = taken.new_ones(2 * when.shape[1:]).tril()  # (K, K)
        actions = taken.nan_to_num() * up_to[:, None, :, None]  # (K, n, K, a)
        return actions.flatten(2), ~unknown.T
