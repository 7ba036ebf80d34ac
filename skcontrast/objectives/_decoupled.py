"""Decoupled contrastive learning: the positive leaves the partition."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import BlockSize, normalize, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import other_samples, positive_similarity


class DecoupledContrastive(PairObjective):
    r"""InfoNCE without the positive in the partition (DCL), optionally weighted (DCLW).

    With unit rows z, cosines s and p(i) the other view of anchor i,

    .. math:: l_i = -w_i s_{i,p(i)}/\tau + \log \sum_{k \ne i, p(i)} e^{s_{ik}/\tau}

    where :math:`w_i = 1`, or with ``weighted=True``
    :math:`w_i = 2 - n \, \mathrm{softmax}_i(s_{i,p(i)}/\sigma)` over the n anchors of a
    view. A well aligned pair no longer damps its own gradient, which helps in small
    batches. The value has no lower bound. With more than two views the positive term is
    the mean over the other views, and no view of the anchor's own sample repels it.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number, "learned", or "model_aware" for the loss at
        the adapted temperature.

    form : {"symmetric", "one_way"}, default="symmetric"
        Whether the rows of every view are anchors or only those of the first view.

    weighted : bool, default=False
        Whether poorly aligned pairs attract more (DCLW). A weight is negative where one
        pair dominates the batch.

    sigma : float, default=0.5
        Temperature of the weights.

    detach_weights : bool, default=True
        Whether the weights are held constant in the gradient.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Yeh et al., "Decoupled contrastive learning", ECCV 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import DecoupledContrastive
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> DecoupledContrastive(temperature=0.5)(views).mean().round(decimals=4)
    tensor(-0.2082)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "form": [StrOptions({"symmetric", "one_way"})],
        "weighted": ["boolean"],
        "sigma": [Interval(Real, 0, None, closed="neither")],
        "detach_weights": ["boolean"],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        form: Literal["symmetric", "one_way"] = "symmetric",
        weighted: bool = False,
        sigma: float = 0.5,
        detach_weights: bool = True,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.form = form
        self.weighted = weighted
        self.sigma = sigma
        self.detach_weights = detach_weights
        self.block_size = block_size

    def _accepts(self, rule):
        return not rule.stateful

    def loss(
        self, views: Tensor, temperature: nn.Module, index: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        z = normalize(views)
        n, flat = z.shape[1], z.flatten(0, 1)
        positive = positive_similarity(z)  # (V n,)
        n_anchors = n if self.form == "one_way" else len(flat)
        anchors, positive = flat[:n_anchors], positive[:n_anchors]
        tau = temperature(positive.detach(), anchor_index(index, z)[:n_anchors])
        weights = other_samples(n, z.device)
        sums = pair_sums(anchors, flat, weights, tau, block_size=self.block_size)
        attraction = positive / tau
        if self.weighted:
            attraction = self._weights(positive.view(-1, n)) * attraction
        return sums.log_partition - attraction

    def _weights(self, positive):
        """Weight of each pair, of mean 1 in every view: (V, n) -> (V n,)."""
        if self.detach_weights:
            positive = positive.detach()
        share = torch.softmax(positive / self.sigma, -1)
        return (2 - positive.shape[1] * share).flatten()
