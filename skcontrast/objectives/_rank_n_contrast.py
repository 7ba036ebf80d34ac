"""Rank-N-Contrast: rows in the order of their target."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import BlockSize, distinct, mean_over, over_anchors, squared_distance
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample
from skcontrast.objectives._y_aware import real_columns


def ranked(logits, distance, slack=0):
    r"""Mean over positives of the loss of ranking them before all that are farther.

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{j \in P(i)} \Big( x_{ij}
              - \log \sum_{k: d_{ik} \ge d_{ij}} e^{x_{ik}} \Big),
        \qquad P(i) = \{j: d_{ij} < \infty\}

    The rows of ``distance`` (n, m) ascend; :math:`d_{ik}` is compared with :math:`d_{ij}` less
    the slack. Gives the loss (n,), 0 for an anchor without positives, and who has some (n,).
    """
    positive = ~distance.isposinf()
    # Entry j: the log-sum-exp over the entries from j on.
    partition = logits.flip(1).logcumsumexp(1).flip(1)
    # The sum of an entry begins where its block of equal distances does. To count how often
    # a place begins one, and not to pick the places, keeps the gradient free of sums whose
    # order differs from run to run on a GPU.
    start = torch.searchsorted(distance, distance - slack)
    begins = torch.zeros_like(logits).scatter_add_(1, start, positive.to(logits.dtype))
    total = (begins * partition).sum(1) - (positive * logits).sum(1)
    return total / positive.sum(1).clamp_min(1), positive.any(1)


class RankNContrast(PairObjective):
    r"""Rows ranked by the target: of all rows that are as far or farther, find this one.

    With rows f of all views as they are, their distances, and distances d of the targets y,

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{j \in P(i)} \Big( s_{ij}
              - \log \sum_{k \ne i,\; d_{ik} \ge d_{ij}} e^{s_{ik}} \Big),
        \qquad s_{ij} = -\|f_i - f_j\|_2 / \tau,
        \qquad d_{ij} = \|y_i - y_j\|_1

    where P(i) are all other rows with a label. The embedding comes to lie in the order of
    the target: where one row is nearer to i than another in y, it is so in f.

    Parameters
    ----------
    temperature : float, str or component, default=2.0
        Temperature tau: a positive number or "learned". Rows are not scaled to unit length,
        so it only sets the unit of f. A rule that follows the positive pairs of two views
        is not defined here.

    block_size : int, "auto" or None, default="auto"
        Anchors whose distances are sorted at a time; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) or (n, t) holds numbers. A sample with a NaN is unlabelled: infinitely far
    from all other samples, and at distance 0 of its own views. Pairs at infinite distance
    are no positives, but negatives of all nearer ones; so an unlabelled sample has a term
    like that of InfoNCE, and none with one view. Anchors without a positive do not count.

    Equal distances count as ties. An estimator standardises the target in float32, where
    they may differ in the last digits: within these, distances of a float32 target are equal.

    Time is O(n^2 log n) in the rows n of all views. Memory is O(n^2) up to a few thousand
    rows, then O(block_size n).

    References
    ----------
    Zha et al., "Rank-N-Contrast: learning continuous representations for regression",
    NeurIPS 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import RankNContrast
    >>> target = torch.tensor([0.0, 1.0, 2.0, 4.0])
    >>> ordered, mixed = target[None, :, None], target[None, [1, 3, 0, 2], None]
    >>> RankNContrast()(ordered, target=target).mean().round(decimals=4)
    tensor(0.4980)
    >>> RankNContrast()(mixed, target=target).mean().round(decimals=4)
    tensor(0.9364)
    """

    requires = ("views", "target")
    target_type = "real"
    min_views = 1

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 2.0,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) or (n, t) -> (V n,)."""
        n_views, n, width = views.shape
        y = real_columns(target, views, "RankNContrast").repeat(n_views, 1)  # (V n, t)
        unlabelled = y.isnan().any(1)
        y = y.masked_fill(unlabelled[:, None], 0)
        tau = temperature(None, anchor_index(index, views))
        slack = rounding(target, y)
        f = views.reshape(-1, width)
        # Distances do not change, and keep more digits where all rows lie far from zero.
        f = f - f.detach().mean(0)

        def block(rows):
            every = slice(0, len(f))
            apart = torch.cdist(y[rows], y, p=1)
            apart = apart.masked_fill(unlabelled[rows, None] | unlabelled, torch.inf)
            apart = apart.masked_fill(same_sample(rows, every, n, f.device), 0)
            # Each anchor itself comes first, and is left out.
            apart = apart.masked_fill(~distinct(rows, every, f.device), -1)
            apart, order = apart.sort(dim=1, stable=True)
            logits = -distances(f[rows], f) / tau
            return ranked(logits.gather(1, order[:, 1:]), apart[:, 1:].contiguous(), slack)

        return mean_over(*over_anchors(block, len(f), len(f), self.block_size))


def distances(a, b):
    """Euclidean distances, with gradient 0 where two rows coincide: (n, d), (m, d) -> (n, m)."""
    squared = squared_distance(a, b)
    # What is left of |a|^2 + |b|^2 - 2ab below this is rounding, whose root has a steep slope.
    noise = 4 * torch.finfo(a.dtype).eps
    with torch.no_grad():
        floor = noise * (a.square().sum(1, keepdim=True) + b.square().sum(1))
        apart = squared > floor
    return torch.where(apart, torch.where(apart, squared, 1).sqrt(), 0)


def rounding(target, y):
    """Difference up to which distances of a float32 target are equal; none for float64."""
    if target.dtype == torch.float64 or not target.is_floating_point():
        return 0
    return 4 * torch.finfo(target.dtype).eps * y.abs().sum(1).max()
