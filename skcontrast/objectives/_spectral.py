"""The spectral contrastive loss."""

from typing import Any

import torch
from torch import Tensor

from skcontrast._component import Interval, Real
from skcontrast.functional import normalize
from skcontrast.objectives._base import Objective
from skcontrast.objectives._info_nce import positive_similarity


class SpectralContrastive(Objective):
    r"""Spectral contrastive loss: a low-rank factorisation of the graph of views.

    With unit rows z, cosines s, p(i) the other view of anchor i, and the mean over the
    rows k of the other samples,

    .. math:: l_i = -2 s_{i,p(i)} + w \, \mathrm{mean}_k \, s_{ik}^2

    With more than two views the first term is the mean over the other views. The sum of
    squares is a quadratic form in the (d, d) moment matrix of the rows, so no pair is
    ever formed and there are no tiles.

    Parameters
    ----------
    weight : float, default=1.0
        Weight w of the repulsion.

    include_positive : bool, default=False
        Whether the mean also runs over the other views of the anchor's own sample.

    References
    ----------
    HaoChen et al., "Provable guarantees for self-supervised deep learning with spectral
    contrastive loss", NeurIPS 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SpectralContrastive
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> SpectralContrastive()(views).mean().round(decimals=4)
    tensor(-2.)
    """

    _parameter_constraints = {
        "weight": [Interval(Real, 0, None, closed="left")],
        "include_positive": ["boolean"],
    }

    def __init__(self, weight: float = 1.0, include_positive: bool = False):
        self.weight = weight
        self.include_positive = include_positive

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        flat = z.reshape(-1, width)
        total = ((flat @ (flat.T @ flat)) * flat).sum(-1)  # sum of s^2 over all rows, (V n,)
        if self.include_positive:
            own, count = flat.square().sum(-1).square(), n_views * n - 1
        else:
            gram = torch.einsum("and,bnd->ban", z, z)  # (V, V, n)
            own, count = gram.square().sum(0).flatten(), n_views * (n - 1)
        return self.weight * (total - own) / count - 2 * positive_similarity(z)
