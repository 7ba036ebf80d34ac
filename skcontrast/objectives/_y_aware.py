"""The y-aware loss, and what objectives for numbers share."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import OFF_DIAGONAL, BlockSize, distinct, mean_over, normalize, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample


def real_columns(target, z, owner):
    """Target (n, t) of the views z (V, n, d), in their precision or its own higher one."""
    n = z.shape[1]
    if target.ndim not in (1, 2) or len(target) != n:
        raise ValueError(
            f"{owner} needs one row of numbers for each of the {n} samples, got a target of "
            f"shape {tuple(target.shape)}: pass y of shape (n_samples,) or (n_samples, n_targets)."
        )
    dtype = torch.promote_types(target.dtype, z.dtype)
    return target.detach().reshape(n, -1).to(dtype)


def at_most_finite(number, dtype):
    """A number that stays finite in ``dtype``: infinity times zero would be NaN."""
    return min(float(number), torch.finfo(dtype).max)


def log_gaussian(gamma):
    """Return ``-gamma ||a_i - b_j||^2`` of (n, t) and (m, t), -inf where one holds a NaN."""

    def similarity(a, b):
        if a.shape[1] == 1:
            squared = (a - b.T).square()
        else:
            # By differences: |a|^2 + |b|^2 - 2ab loses the digits of targets far from zero.
            mode = "donot_use_mm_for_euclid_dist"
            squared = torch.cdist(a, b, compute_mode=mode).square()
        return torch.nan_to_num(-gamma * squared, nan=-math.inf, neginf=-math.inf)

    return similarity


class YAware(PairObjective):
    r"""InfoNCE whose positives are all rows, weighted by how near their targets are.

    With unit rows z of all views, cosines s and a Gaussian kernel of the targets y,

    .. math::

        l_i = -\sum_{j \ne i} \bar{w}_{ij} \Big( s_{ij}/\tau
              - \log \sum_{k \ne i} e^{s_{ik}/\tau} \Big),
        \qquad w_{ij} = e^{-\gamma \|y_i - y_j\|^2},
        \qquad \bar{w}_{ij} = \frac{w_{ij}}{\sum_{k \ne i} w_{ik}}

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    gamma : float, default=5.0
        Width of the kernel, as in scikit-learn; the paper's sigma is
        ``gamma = 1 / (2 sigma^2)``. An estimator standardises the target, and 5 is then a
        sigma of 0.32 standard deviations. In the limit of infinite gamma only rows of
        equal target are positives: SupCon, and InfoNCE where no two are equal.

    normalization : {"row", "column"}, default="row"
        Whether the weights of each anchor sum to one, as in the paper, or those of each
        candidate, as in the published code. In that form an anchor counts more where its
        near rows have few near rows themselves.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) or (n, t) holds numbers. Views of one sample have weight 1. A sample with
    a NaN is unlabelled: infinitely far from all others, so that its positives are its other
    views, as in InfoNCE. One view is enough with targets; an anchor all of whose weights
    vanish then does not count.

    The published code sums over the 2n anchors of two views and divides by n: its loss is
    twice the mean of ``normalization="column"``.

    References
    ----------
    Dufumier et al., "Contrastive learning with continuous proxy meta-data for 3D MRI
    classification", MICCAI 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import YAware
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0.0, 0.1, 2.0, torch.nan])
    >>> YAware(temperature=0.5)(views, target=target).mean().round(decimals=4)
    tensor(1.2499)
    """

    requires = ("views", "target")
    target_type = "real"
    min_views = 1

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "normalization": [StrOptions({"row", "column"})],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        gamma: float = 5.0,
        normalization: Literal["row", "column"] = "row",
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.gamma = gamma
        self.normalization = normalization
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
        z = normalize(views)
        n_views, n, width = z.shape
        y = real_columns(target, z, "YAware")  # (n, t)
        log_kernel = log_gaussian(at_most_finite(self.gamma, y.dtype))
        labels = y.repeat(n_views, 1)  # (V n, t)
        by_column = self.normalization == "column"
        if by_column:
            mass = self._kernel_mass(y, log_kernel, n_views).repeat(n_views)  # (V n,)

        def weights(rows, columns):
            kernel = log_kernel(labels[rows], labels[columns]).exp()
            kernel = torch.where(same_sample(rows, columns, n, z.device), 1, kernel)
            if by_column:
                kernel = kernel / mass[columns]
            others = distinct(rows, columns, z.device)
            return torch.where(others, kernel, 0), others

        flat = z.reshape(-1, width)  # (V n, d)
        tau = temperature(None, anchor_index(index, z))
        sums = pair_sums(flat, flat, weights, tau, block_size=self.block_size)
        valid = sums.mass > 0
        loss = sums.log_partition - sums.positive / torch.where(valid, sums.mass, 1) / tau
        loss = torch.where(valid, loss, 0)
        return mean_over(sums.mass * loss if by_column else loss, valid)

    def _kernel_mass(self, y, log_kernel, n_views):
        """Sum of a column of weights, over all rows of all views but itself: (n,)."""
        others = pair_sums(
            y, y, lambda *_: (None, OFF_DIAGONAL), similarity=log_kernel, block_size=self.block_size
        )
        mass = n_views * others.log_partition.exp() + (n_views - 1)
        # Of one view, the weights of a column may all vanish.
        return torch.where(mass > 0, mass, 1)
