"""RankPenalty: how many directions a batch uses."""

from typing import Any

import torch
from torch import Tensor

from skcontrast.objectives._base import Objective


class RankPenalty(Objective):
    r"""Effective rank of the embedding of a batch, to be added to another objective.

    .. math:: L = \exp\Big( -\sum_k p_k \log p_k \Big), \qquad
        p_k = \frac{\sigma_k}{\sum_l \sigma_l}

    with the singular values :math:`\sigma_k` of the rows of a view as they are; the mean over the
    views. It is between 1 and the smaller of the numbers of rows and columns. A positive weight
    lowers the rank, a negative one raises it: ``InfoNCE() + 0.01 * RankPenalty()``. Alone it makes
    all rows one.

    See Also
    --------
    skcontrast.metrics.effective_rank : The same of an embedding.

    References
    ----------
    Jung et al., "Unveiling key aspects of fine-tuning in sentence embeddings: a representation rank
    analysis", 2024, which finds that a regulariser of the rank steadies training; the form is that
    of Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import RankPenalty
    >>> RankPenalty()(torch.eye(4)[None]).round(decimals=4)
    tensor(4.)
    """

    requires = ("views", "embedding")
    min_views = 1

    _parameter_constraints: dict = {}

    def loss(self, views: Tensor, embedding: Tensor | None = None, **named: Any) -> Tensor:
        """Loss of the batch: embedding (V, n, h) -> ()."""
        h = views if embedding is None else embedding
        sigma = torch.linalg.svdvals(h)  # (V, k)
        # Below rounding a share is 0, whose logarithm has no slope.
        largest = sigma.amax(-1, keepdim=True)
        used = sigma > torch.finfo(h.dtype).eps * max(h.shape[1:]) * largest
        p = torch.where(used, sigma, 0)
        p = p / p.sum(-1, keepdim=True).clamp_min(torch.finfo(h.dtype).tiny)
        return (-p * torch.where(used, p, 1).log()).sum(-1).exp().mean()
