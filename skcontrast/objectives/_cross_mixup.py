"""CrossMixup: a mixture of two rows finds the partners of both."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, normalize, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index


class CrossMixup(PairObjective):
    r"""Contrast of mixtures of two rows of one view with both their partners in another.

    With unit rows x, y of two views, a random permutation :math:`\pi` and shares
    :math:`\lambda_i \sim \mathrm{Beta}(\alpha, \alpha)`, 1 for rows that are not mixed,

    .. math::

        \tilde x_i = \lambda_i x_i + (1 - \lambda_i) x_{\pi(i)}, \qquad
        T_{ij} = \lambda_i [j = i] + (1 - \lambda_i) [j = \pi(i)], \qquad
        s_{ij} = s(\tilde x_i, y_j) / \tau

    .. math::

        l_i = -\tfrac12 \sum_j \big( T_{ij} \log \mathrm{softmax}_j(s_{ij})
              + T_{ji} \log \mathrm{softmax}_j(s_{ji}) \big)

    With more than two views it is the mean over those but the first.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    alpha : float, default=0.15
        Of the shares: near 0 one of the two rows has nearly all, 1 makes all shares as likely.

    rate : float, default=0.5
        Probability that a row is mixed. 0 is ``InfoNCE(form="two_way")``.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    See Also
    --------
    SoftTarget : With ``similarity="view"`` the second half of the training of M3CoL.
    skcontrast.views.Mixup : Mixes rows before the network, and leaves the partner as it is.

    Notes
    -----
    Rows of the first view are mixed; ``Pairwise(CrossMixup(), [("a", "b"), ("b", "a")])`` mixes
    those of either block. It is their embeddings that are mixed, so that a block may hold texts
    or be sparse; the published code mixes images as they are. In training, the authors turn to
    ``SoftTarget(0.125, 0.125, similarity="view")`` after a third of the epochs, as ``warm_start``
    does.

    Called on tensors, ``partner`` (n,) and ``share`` (n,) may be given: the permutation, and the
    shares.

    References
    ----------
    Kumar et al., "Harnessing shared relations via multimodal mixup contrastive learning for
    multimodal classification", 2024 (M3CoL).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CrossMixup
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> partner, share = torch.tensor([1, 2, 3, 0]), torch.full((4,), 0.5)
    >>> CrossMixup(0.5)(views, partner=partner, share=share).mean().round(decimals=4)
    tensor(0.9108)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "rate": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        alpha: float = 0.15,
        rate: float = 0.5,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.alpha = alpha
        self.rate = rate
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        partner: Tensor | None = None,
        share: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each row: views (V, n, d) -> (n,)."""
        z = normalize(views)
        x, n = z[0], z.shape[1]
        tau = temperature(None, anchor_index(index, z[:1]))
        if partner is None:
            partner = torch.randperm(n, device=z.device)
        if share is None:
            share = self._draw(x)
        mixed = normalize(share[:, None] * x + (1 - share)[:, None] * x[partner])
        losses = [self.contrast(mixed, y, partner, share, tau) for y in z[1:]]
        return torch.stack(losses).mean(0)

    def _draw(self, x):
        """How much of each row its mixture holds: (n,)."""
        # In float32, so that the draws of a seed are those of any precision.
        alpha = min(max(float(self.alpha), 1e-6), 1e6)
        alpha = torch.full((), alpha, device=x.device)
        share = torch.distributions.Beta(alpha, alpha, validate_args=False).sample((len(x),))
        mixed = torch.rand(len(x), device=x.device) < self.rate
        return torch.where(mixed, share, 1).to(x.dtype)

    def contrast(
        self, mixed: Tensor, y: Tensor, partner: Tensor, share: Tensor, tau: float | Tensor
    ) -> Tensor:
        """Loss of each row for unit mixtures and unit rows, both (n, d): (n,)."""
        place = torch.arange(len(y), device=y.device)

        def target(rows, columns):
            j, lam = place[columns], share[rows, None]
            return lam * (place[rows, None] == j) + (1 - lam) * (partner[rows, None] == j)

        total = y.new_zeros(len(y))
        for a, b, shares in (
            (mixed, y, target),
            (y, mixed, lambda rows, columns: target(columns, rows).T),
        ):
            weights = lambda rows, columns, shares=shares: (shares(rows, columns), None)
            sums = pair_sums(a, b, weights, tau, block_size=self.block_size)
            total = total + sums.mass * sums.log_partition - sums.positive / tau
        return total / 2
