"""InfoNCE by the best matches of parts: what a late interaction scores is trained."""

from itertools import permutations
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import BlockSize, match_parts, mean_over, normalize, over_anchors
from skcontrast.objectives._base import PairObjective, Temperature
from skcontrast.objectives._steps import seen_steps


class LateInteractionNCE(PairObjective):
    r"""Find the other view of a series among all, by the best matches of its steps (ColBERT).

    With the unit embeddings :math:`z_{it}` of the steps of view a of a series i,
    :math:`y_{ju}` of those of view b, and

    .. math::

        S_{ij} = \operatorname{mean}_t \max_u z_{it} \cdot y_{ju}
        \;\text{("mean_maxsim")}, \qquad
        S_{ij} = \frac1\beta \log \operatorname{mean}_{t, u} e^{\beta z_{it} \cdot y_{ju}}
        \;\text{("lse")}

    .. math:: l_i = -S_{ii}/\tau + \log \sum_j e^{S_{ij}/\tau}

    on average over the other views b. The order of the steps plays no part, so that a series is a
    bag of parts; steps that were not seen are none. It trains what
    :class:`skcontrast.retrieval.LateInteraction` searches with.

    Parameters
    ----------
    pool : {"mean_maxsim", "lse"}, default="mean_maxsim"
        How a score is made of the products of steps.

    beta : float, default=10.0
        Sharpness of "lse": large values count the best match alone.

    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    block_size : int, "auto" or None, default="auto"
        Anchors at a time; "auto" chooses by size, None takes all.

    References
    ----------
    Khattab and Zaharia, "ColBERT: efficient and effective passage search via contextualized late
    interaction over BERT", SIGIR 2020. Wang et al., "Using multiple instance learning to build
    multimodal representations", IPMI 2023, for "lse".

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import LateInteractionNCE
    >>> steps = torch.eye(4).reshape(2, 2, 4).expand(2, 2, 2, 4)
    >>> objective = LateInteractionNCE(temperature=0.5)
    >>> objective(steps.mean(2), steps=steps).mean().round(decimals=4)
    tensor(0.1269)
    """

    requires = ("views", "steps")

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "pool": [StrOptions({"mean_maxsim", "lse"})],
        "beta": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        pool: Literal["mean_maxsim", "lse"] = "mean_maxsim",
        beta: float = 10.0,
        temperature: Temperature = 0.1,
        block_size: BlockSize = "auto",
    ):
        self.pool = pool
        self.beta = beta
        self.temperature = temperature
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        temperature: nn.Module,
        step_mask: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: steps (V, n, T, d), step_mask (V, n, T) -> (V n,)."""
        seen = seen_steps(self, steps, step_mask)
        z, tau = normalize(steps), temperature(None, None)
        n_views = len(z)
        losses: list[Any] = [0] * n_views
        for a, b in permutations(range(n_views), 2):
            losses[a] = losses[a] + self._of_pair(z[a], z[b], seen[a], seen[b], tau)
        valid = seen.any(2).all(0).repeat(n_views)  # (V n,)
        loss = torch.cat(losses) / (n_views - 1)
        return mean_over(torch.where(valid, loss, 0), valid)

    def _of_pair(self, x, y, in_x, in_y, tau):
        """Loss of the series of a view against those of another: -> (n,)."""
        n, length, _ = x.shape

        def block(rows):
            scores = match_parts(x[rows], y, in_x[rows], in_y, self.pool, self.beta) / tau
            own = torch.arange(rows.start, rows.stop, device=x.device)
            return (torch.logsumexp(scores, 1) - scores.gather(1, own[:, None])[:, 0],)

        return over_anchors(block, n, n * length * length, self.block_size)[0]
