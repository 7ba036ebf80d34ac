"""Self-distillation: what one view finds alike, another view should find alike too."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, normalize, pair_loss, softmax_shares
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._queue import QUEUE_CONSTRAINTS, BuiltWithQueue


class CrossViewDistribution(PairObjective):
    r"""Match between two views the distribution of similarities to the rows of one of them.

    With unit rows z of V views, the same rows r without a gradient, and cosines s to the rows
    k of view v,

    .. math::

        T_{vik} = \mathrm{softmax}_k(s(r_{vi}, r_{vk}) / \tau_r), \qquad
        l_i = \frac{1}{V - 1} \sum_v \sum_{u \ne v} \mathrm{KL}\big( T_{vi} \;\|\;
              \mathrm{softmax}_k(s(z_{ui}, r_{vk}) / \tau) \big)

    A view is not only pulled to the other view of its row: it should lie to all rows as that
    one does.

    Parameters
    ----------
    temperature : float, str or component, default=0.05
        Temperature tau of the learning side: a positive number or "learned".

    reference_temperature : float, default=0.04
        Temperature of the targets, a little sharper.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    queue_size : int, default=None
        Earlier rows of each view that both sides are compared with too; at most half of all.

    See Also
    --------
    TeacherSimilarity : The similarities of another model's vectors as the target.

    Notes
    -----
    Where the estimator has ``momentum=``, the rows r are those of the momentum network. Called on
    tensors, ``keys`` (V, n, d) stand in for r, and ``queue`` (K, d), or (V, K, d) with one for each
    view, holds further rows that both sides are compared with, of which ``queue_index`` (K,) marks
    empty places by -1.

    References
    ----------
    Limkonchotiwat et al., "An efficient self-supervised cross-view training for sentence
    embedding", TACL 2023 (SCT).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CrossViewDistribution
    >>> views = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0)])
    >>> CrossViewDistribution(0.5, 0.5)(views).mean().round(decimals=4)
    tensor(2.4599)
    """

    requires = ("views", "keys")
    queued = slice(None)  # views whose keys the queue holds

    _module = BuiltWithQueue

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "reference_temperature": [Interval(Real, 0, None, closed="neither")],
        **QUEUE_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.05,
        reference_temperature: float = 0.04,
        block_size: BlockSize = "auto",
        queue_size: int | None = None,
    ):
        self.temperature = temperature
        self.reference_temperature = reference_temperature
        self.block_size = block_size
        self.queue_size = queue_size

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        keys: Tensor | None = None,
        queue: Tensor | None = None,
        queue_index: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each sample: views (V, n, d) -> (n,)."""
        z = normalize(views)
        r = normalize((views if keys is None else keys.to(z.dtype)).detach())
        keep = filled = None
        if queue is not None:
            queue = normalize(queue.detach().to(z.dtype)).expand(len(z), -1, -1)
        if queue is not None and queue_index is not None:
            filled = torch.cat([queue_index != -1, queue_index.new_ones(z.shape[1]) > 0])
            keep = lambda i, j: filled[j].expand(i.stop - i.start, -1)
        total = z.new_zeros(z.shape[1])
        tau = temperature(None, anchor_index(index, z[:1]))
        options = {"block_size": self.block_size}
        for v, rows in enumerate(r):
            candidates = rows if queue is None else torch.cat([queue[v], rows])
            sharp = self.reference_temperature
            shares = softmax_shares(rows, candidates, sharp, keep, **options)
            weights = lambda i, j, shares=shares: (shares(i, j), keep and keep(i, j))
            with torch.no_grad():
                entropy = pair_loss(rows, candidates, weights, sharp, **options)[0]
            for u, student in enumerate(z):
                if u != v:
                    total = total + pair_loss(student, candidates, weights, tau, **options)[0]
                    total = total - entropy
        return total / (len(z) - 1)
