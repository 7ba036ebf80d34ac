"""A margin between the positive and the hardest negative."""

from typing import Any

import torch
from torch import Tensor

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, distinct, nearest, normalize
from skcontrast.objectives._base import Objective, PairObjective


class EnergyHinge(Objective):
    r"""Hinge between the positive and the hardest negative (PromCSE).

    With unit rows, anchors x of the first view, positives y of the second and hard
    negatives h of the last, and cosines that no temperature divides,

    .. math:: l_i = \max\Big(0, \; m + \max\big( \max_{j \ne i} x_i \cdot y_j, \;
                    \max_j x_i \cdot h_j \big) - x_i \cdot y_i \Big)

    It is added to the contrastive loss with hard negatives:
    ``InfoNCE(form="one_way", hard_negatives=True) + 10 * EnergyHinge()``.

    Parameters
    ----------
    margin : float, default=0.2
        Margin m that the positive should keep.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Jiang et al., "Improved universal sentence embeddings with prompt-based contrastive
    learning and energy-based learning", Findings of EMNLP 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import EnergyHinge
    >>> x = torch.eye(4)
    >>> EnergyHinge()(torch.stack([x, x, x.roll(1, 0)])).mean().round(decimals=4)
    tensor(0.2000)
    """

    min_views = 3
    hard_negatives = True

    _parameter_constraints = {
        "margin": [Interval(Real, 0, None, closed="left")],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }

    def __init__(self, margin: float = 0.2, block_size: BlockSize = "auto"):
        self.margin = margin
        self.block_size = block_size

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (n,)."""
        z = normalize(views)
        anchors, positives = z[0], z[1]
        candidates = torch.cat([positives, z[-1]])  # (2n, d)

        def keep(rows, columns):
            return distinct(rows, columns, z.device)

        # The gradient goes through the chosen pair only, so the search needs no graph.
        chosen = nearest(anchors, candidates, keep, block_size=self.block_size)
        hardest = (anchors * candidates[chosen]).sum(-1)
        positive = (anchors * positives).sum(-1)
        return torch.relu(self.margin + hardest - positive)
