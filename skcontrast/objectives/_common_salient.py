"""CommonSalient: what two sets have in common apart from what only one of them has."""

from itertools import combinations
from typing import Any

import numpy as np
from torch import Tensor

from skcontrast._component import Integral, Interval, Real
from skcontrast.functional import alignment, log_mean_gaussian, normalize, squared_distance
from skcontrast.objectives._base import BuiltObjective, Objective


class _BuiltCommonSalient(BuiltObjective):
    def prepare(self, side, given, n_components=None):
        found = set(np.asarray(given["condition"]).ravel().tolist())
        if side["condition"].shape[1:] != (1,) or found != {0, 1}:
            raise ValueError(
                f"condition of {type(self.objective).__name__} says which rows are background, and "
                f"holds {_listed(found)}: pass True or False for each row, and rows of both kinds."
            )


class CommonSalient(Objective):
    r"""Columns for what all rows have in common, and others for what the background lacks.

    Of the columns of a row the last ``n_salient`` are its salient part s, and the others, at unit
    length, its common part c. ``condition`` is True for rows of the background, and s' is s, with
    the rows of the background at the origin. With views a and b,

    .. math::

        L &= A(c) + U(c) + w_s \left(A_F(s) + U(s')\right)
            + w_b \, \mathrm{mean}_{i \in B} \frac{\|s_i\|^2}{2 \tau}
            + w_j \, \mathrm{mean}_i \log \mathrm{mean}_j \, K(s'_i, s'_j) \, K(c_i, c_j) \\
        A(x) &= \mathrm{mean}_i \frac{\|x_i^a - x_i^b\|^2}{2 \tau}, \qquad
        U(x) = 2 \log \mathrm{mean}_{i < j} \, K(x_i, x_j), \qquad
        K(x, y) = e^{-\|x - y\|^2 / 2 \tau}

    :math:`A_F` of rows of the foreground, and all but A a mean over views. The third term holds
    the background at the origin of the salient part, and the fourth makes the two parts
    independent: what tells rows of the foreground apart, and no others, is in the salient columns,
    and not in the common ones.

    Parameters
    ----------
    n_salient : int, default=None
        Number of salient columns, the last ones. None is half of all.

    salient_weight : float, default=10.0
        Weight w_s of the terms of the salient columns.

    background_weight : float, default=10.0
        Weight w_b of what holds the background at the origin.

    independence_weight : float, default=10.0
        Weight w_j of the joint entropy.

    tau : float, default=0.5
        Width of the Gaussian kernel K, which is exp(-||x - y||^2) at 0.5.

    Notes
    -----
    ``fit(X, condition=mask)``, and then ``transform(X)[:, -n_salient:]`` are the salient columns.
    Batches need rows of both kinds: where one is rare, ``sampler="class_balanced"`` and
    ``fit(X, mask, condition=mask)``. With a projector these are columns of the projection, so leave
    it out. A weight decay pulls the salient columns, which are not of unit length, to the origin.

    References
    ----------
    Louiset et al., "Separating common from salient patterns with contrastive representation
    learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CommonSalient
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> background = torch.tensor([True, True, False, False])
    >>> CommonSalient(2)(views, condition=background).round(decimals=4)
    tensor(-28.7950)
    """

    requires = ("views", "condition")

    _module = _BuiltCommonSalient

    _parameter_constraints = {
        "n_salient": [Interval(Integral, 1, None, closed="left"), None],
        "salient_weight": [Interval(Real, 0, None, closed="left")],
        "background_weight": [Interval(Real, 0, None, closed="left")],
        "independence_weight": [Interval(Real, 0, None, closed="left")],
        "tau": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        n_salient: int | None = None,
        salient_weight: float = 10.0,
        background_weight: float = 10.0,
        independence_weight: float = 10.0,
        tau: float = 0.5,
    ):
        self.n_salient = n_salient
        self.salient_weight = salient_weight
        self.background_weight = background_weight
        self.independence_weight = independence_weight
        self.tau = tau

    def loss(self, views: Tensor, condition: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d), condition (n,) or (n, 1) -> ()."""
        width = views.shape[-1]
        n_salient = width // 2 if self.n_salient is None else self.n_salient
        if not 0 < n_salient < width:
            raise ValueError(
                f"n_salient={n_salient}, but there are {width} columns: leave one at least for "
                "what is common."
            )
        self.check_views(len(views))
        if len(condition) != views.shape[1]:
            raise ValueError(
                f"condition has {len(condition)} entries, but there are {views.shape[1]} rows: "
                "pass one for each row."
            )
        t = 1 / (2 * self.tau)
        background = condition.reshape(len(condition), -1)[:, 0] > 0.5  # (n,)
        c, s = normalize(views[..., :-n_salient]), views[..., -n_salient:]
        target = s.masked_fill(background[:, None], 0)
        common = self._aligned(c) + self._spread(c, t)
        # Rows of the background, which are equal, do not count: one of a kind may not be there.
        share = (~background).to(s.dtype).mean().clamp_min(1 / len(background))
        salient = self._aligned(target) / share + self._spread(target, t)
        squares = s.square().sum(-1)  # (V, n)
        there = background.sum().clamp_min(1)
        held = t * squares.masked_fill(~background, 0).sum(-1).mean() / there
        joint = sum(
            (-t * (squared_distance(x, x) + squared_distance(z, z))).logsumexp(1).mean()
            for x, z in zip(target, c)
        ) / len(c) - np.log(len(background))
        return (
            common
            + self.salient_weight * salient
            + self.background_weight * held
            + self.independence_weight * joint
        )

    def _aligned(self, x):
        pairs = [alignment(a, b).mean() for a, b in combinations(x, 2)]
        return sum(pairs) / len(pairs) / (2 * self.tau)

    def _spread(self, x, t):
        return 2 * sum(log_mean_gaussian(rows, t) for rows in x) / len(x)


def _listed(found):
    return ", ".join(sorted(map(repr, found))[:5]) + (", ..." if len(found) > 5 else "")
