"""Redundancy reduction: decorrelate the columns instead of separating the rows."""

from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from skcontrast._component import Interval, Real
from skcontrast.objectives._base import Objective


class BarlowTwins(Objective):
    r"""Make the cross-correlation of two views the identity matrix.

    With the columns of each view standardised over the batch (biased variance plus
    ``eps``) and C the (d, d) mean of their products,

    .. math:: C = \frac1n \hat z_0^T \hat z_1, \qquad
              L = \sum_a (C_{aa} - 1)^2 + w \sum_{a \ne b} C_{ab}^2

    With more than two views it is the mean over the pairs of views. Rows are not scaled
    to unit length.

    Parameters
    ----------
    weight : float, default=0.005
        Weight w of the redundancy term.

    eps : float, default=1e-5
        Added to the variance of a column.

    References
    ----------
    Zbontar et al., "Barlow twins: self-supervised learning via redundancy reduction",
    ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import BarlowTwins
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> BarlowTwins()(views).round(decimals=4)
    tensor(0.0067)
    """

    _parameter_constraints = {
        "weight": [Interval(Real, 0, None, closed="left")],
        "eps": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, weight: float = 0.005, eps: float = 1e-5):
        self.weight = weight
        self.eps = eps

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d) -> ()."""
        centred = views - views.mean(1, keepdim=True)
        z = centred / (centred.square().mean(1, keepdim=True) + self.eps).sqrt()
        losses = [self._redundancy(x, y) for x, y in combinations(z, 2)]
        return sum(losses) / len(losses)

    def _redundancy(self, x, y):
        C = x.T @ y / len(x)  # (d, d)
        off = C - torch.diag(C.diagonal())
        return (C.diagonal() - 1).square().sum() + self.weight * off.square().sum()


class VICReg(Objective):
    r"""Variance, invariance and covariance regularisation.

    With two views z of shape (n, d) and their unbiased covariances Cov(z),

    .. math::

        L = \lambda \frac{1}{nd} \|z_0 - z_1\|^2 + \mu \frac{v(z_0) + v(z_1)}{2}
            + \nu \, (c(z_0) + c(z_1))

    .. math::

        v(z) = \frac1d \sum_a \max\Big(0, 1 - \sqrt{\mathrm{Cov}(z)_{aa} + \epsilon}\Big),
        \qquad c(z) = \frac1d \sum_{a \ne b} \mathrm{Cov}(z)_{ab}^2

    With more than two views it is the mean over the pairs of views. Rows are not scaled
    to unit length.

    Parameters
    ----------
    invariance : float, default=25.0
        Weight lambda of the distance between views.

    variance : float, default=25.0
        Weight mu of the variance term.

    covariance : float, default=1.0
        Weight nu of the covariance term.

    eps : float, default=1e-4
        Added to the variance under the root.

    References
    ----------
    Bardes et al., "VICReg: variance-invariance-covariance regularization for
    self-supervised learning", ICLR 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import VICReg
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> VICReg()(views).round(decimals=4)
    tensor(12.5392)
    """

    _parameter_constraints = {
        "invariance": [Interval(Real, 0, None, closed="left")],
        "variance": [Interval(Real, 0, None, closed="left")],
        "covariance": [Interval(Real, 0, None, closed="left")],
        "eps": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        eps: float = 1e-4,
    ):
        self.invariance = invariance
        self.variance = variance
        self.covariance = covariance
        self.eps = eps

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d) -> ()."""
        n, width = views.shape[1:]
        distances = [(x - y).square().mean() for x, y in combinations(views, 2)]
        centred = views - views.mean(1, keepdim=True)
        cov = centred.mT @ centred / (n - 1)  # (V, d, d)
        variances = cov.diagonal(dim1=1, dim2=2)  # (V, d)
        spread = torch.relu(1 - (variances + self.eps).sqrt()).mean()
        off = cov - torch.diag_embed(variances)
        # A view is in every pair with one weight, so the sum of two is twice the mean.
        correlated = 2 * off.square().sum((1, 2)).mean() / width
        return (
            self.invariance * sum(distances) / len(distances)
            + self.variance * spread
            + self.covariance * correlated
        )
