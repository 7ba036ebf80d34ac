"""Adaptive-margin contrast for regression (AdaCon)."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import BlockSize, distinct, mean_over, normalize, pair_loss
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample
from skcontrast.objectives._y_aware import at_most_finite, real_columns

# A margin that spans all cosines: more would not order the rows any further.
WIDEST = 2


class _BuiltAdaptiveMargin(BuiltObjective):
    """The objective on the places of the targets among those of the training rows.

    The places are a step function of the target: ``edges`` are the largest targets of the
    bins but the last, and ``places`` the steps.
    """

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.register_buffer("edges", None)
        self.register_buffer("places", None)

    def prepare(self, side, given, n_components=None):
        y = one_column(side["target"]).cpu()
        edges, places = mid_ranks(y[~y.isnan()], self.objective.n_bins)
        # Other rows have other values: what is kept for a later call must be of one size.
        keep = self.objective.n_bins is not None
        self.register_buffer("edges", edges, persistent=keep)
        self.register_buffer("places", places.to(edges.dtype), persistent=keep)

    def forward(self, views, target, **named):
        if self.edges is not None:
            y = one_column(target).to(self.edges.dtype).contiguous()
            place = self.places[torch.searchsorted(self.edges, y)]
            target = torch.where(y.isnan(), y, place)
        return super().forward(views, target=target, **named)


class AdaptiveMargin(PairObjective):
    r"""SupCon with a margin on the negatives that grows with the distance of their targets.

    With unit rows z of all views, a place t of each row on the scale of the target, P(i) the
    other rows in the same place as anchor i, and a margin m,

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( s_{ip}
              - \log \sum_{k \ne i} e^{s_{ik}} \Big), \qquad
        s_{ij} = (z_i \cdot z_j + m_{ij}) / \tau, \qquad
        m_{ij} = \min(m\, |t_i - t_j|, 2)

    so that a negative counts as nearer than it is, the more the farther its target is.
    Trained through an estimator, the rows are put into bins, and t in [0, 1] is the share of
    training rows below the middle of a row's bin. Called on tensors, t is the target as it
    is.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". The published code multiplies by a
        scale of 150, which is tau = 1 / 150. A rule that follows the positive pairs of two
        views is not defined here.

    margin : float, default=2.0
        Margin m at a distance of 1 in t, for an estimator that of the lowest and the highest
        row. With 0 this is SupCon.

    n_bins : int, default=20
        Bins of equally many training rows; rows of equal target share a bin. None makes a
        bin of each value. Without effect on tensors.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) or (n, 1) holds numbers. A sample with NaN is unlabelled: its only
    positives are its other views, and it has no margin to any row. Anchors without a
    positive do not count. One view is enough with targets.

    References
    ----------
    Dai et al., "Adaptive contrast for image regression in computer-aided disease
    assessment", IEEE Transactions on Medical Imaging, 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import AdaptiveMargin
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0.0, 0.0, 1.0, torch.nan])
    >>> AdaptiveMargin(temperature=0.5)(views, target=target).mean().round(decimals=4)
    tensor(3.0686)
    """

    requires = ("views", "target")
    target_type = "real"
    min_views = 1

    _module = _BuiltAdaptiveMargin

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "margin": [Interval(Real, 0, None, closed="left")],
        "n_bins": [Interval(Integral, 2, None, closed="left"), None],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        margin: float = 2.0,
        n_bins: int | None = 20,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.margin = margin
        self.n_bins = n_bins
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
        """Loss of each anchor: views (V, n, d), target (n,) or (n, 1) -> (V n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        t = one_column(real_columns(target, z, "AdaptiveMargin")).repeat(n_views)  # (V n,)
        margin = at_most_finite(self.margin, t.dtype)

        def margins(rows, columns):
            apart = (t[rows, None] - t[columns]).abs()
            # A distance to NaN is none.
            return torch.nan_to_num(margin * apart).clamp_max(WIDEST).to(z.dtype)

        def weights(rows, columns):
            others = distinct(rows, columns, z.device)
            same = t[rows, None] == t[columns]  # never for NaN
            return (same | same_sample(rows, columns, n, z.device)) & others, others

        flat = z.reshape(-1, width)  # (V n, d)
        loss, valid = pair_loss(
            flat,
            flat,
            weights,
            temperature(None, anchor_index(index, z)),
            bias=margins if margin else None,
            block_size=self.block_size,
        )
        return mean_over(loss, valid)


def mid_ranks(y, n_bins=None):
    """Places of numbers y (n,) among all: edges (B - 1,) between bins, and their places (B,).

    The bin of y is the first whose edge is not below y, and its place the share of the numbers
    in lower bins and half of those in the bin itself. Of B bins some may be empty; without
    ``n_bins`` each value has its own.
    """
    values, counts = y.unique(return_counts=True)
    member = torch.arange(len(values))
    if n_bins is None:
        n_bins = len(values)
    else:
        member = (_middles(counts) * n_bins).long().clamp_max(n_bins - 1)
    sizes = torch.zeros(n_bins, dtype=counts.dtype).index_add_(0, member, counts)
    tops = values.new_full((n_bins,), -math.inf).scatter_reduce_(0, member, values, "amax")
    # An empty bin ends where the one before does, so that no number falls into it.
    return tops.cummax(0).values[:-1].contiguous(), _middles(sizes)


def _middles(counts):
    """Share of the rows below the middle of each bin: (B,) -> (B,)."""
    return (counts.cumsum(0) - counts / 2).double() / counts.sum()


def one_column(target):
    """A target of one column as a vector (n,)."""
    if target.ndim == 2 and target.shape[1] != 1:
        raise ValueError(
            f"AdaptiveMargin puts the rows in the order of one target, got {target.shape[1]} "
            "columns: pass one column of y, or type objective='y_aware'."
        )
    return target.reshape(len(target))
