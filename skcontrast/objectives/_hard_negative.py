"""Negatives corrected for false ones, and weighted by how hard they are."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, normalize, pair_sums, softplus
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import other_samples, positive_similarity


def debias(log_total, log_same, log_floor, tau_plus):
    """Log of max((e^log_total - e^log_same) / (1 - tau_plus), e^log_floor): (n,).

    ``log_total`` (n,) is the log of the sum over the negatives, ``log_same`` (n,) that of the
    part of it that false negatives are expected to bring. Also gives a bool tensor (n,): where
    the floor holds, and there is no gradient.
    """
    gap = log_same - log_total
    positive = gap < 0
    # The logarithm is only evaluated where it is defined, for the sake of its gradient.
    gap = torch.where(positive, gap, -1)
    value = log_total + torch.log(-torch.expm1(gap)) - math.log1p(-tau_plus)
    clamped = ~positive | (value < log_floor)
    return torch.where(clamped, log_floor, value), clamped


class DebiasedContrastive(PairObjective):
    r"""InfoNCE with the negatives corrected for those of the anchor's own class.

    With unit rows z, cosines s, p(i) the other view of anchor i, and M the number of rows
    of other samples, which are the negatives,

    .. math::

        N_i = \max\Big( \frac{\sum_k e^{s_{ik}/\tau} - \tau^+ M e^{s_{i,p(i)}/\tau}}
                             {1 - \tau^+}, \; M e^{-1/\tau} \Big), \qquad
        l_i = -\log \frac{e^{s_{i,p(i)}/\tau}}{e^{s_{i,p(i)}/\tau} + N_i}

    With more than two views the similarity to the positive is the mean over the other
    views. An anchor at the floor has no gradient through its negatives, which is common
    at a small temperature.

    Parameters
    ----------
    temperature : float, str or component, default=0.5
        Temperature tau: a positive number or "learned".

    tau_plus : float, default=0.1
        Probability, in [0, 1), that a random sample is of the anchor's class, as 0.1 for
        ten balanced classes. 0 is :class:`InfoNCE`.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Chuang et al., "Debiased contrastive learning", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import DebiasedContrastive
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> DebiasedContrastive(tau_plus=0.05)(views).mean().round(decimals=4)
    tensor(0.4311)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "tau_plus": [Interval(Real, 0, 1, closed="left")],
    }
    positive_weight = 1.0

    def __init__(
        self, temperature: Temperature = 0.5, tau_plus: float = 0.1, block_size: BlockSize = "auto"
    ):
        self.temperature = temperature
        self.tau_plus = tau_plus
        self.block_size = block_size

    def loss(
        self, views: Tensor, temperature: nn.Module, index: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        positive = positive_similarity(z)  # (V n,)
        tau = temperature(positive.detach(), anchor_index(index, z))
        log_negatives, _ = self.log_negatives(z, positive, tau)
        gap = log_negatives - positive / tau
        if self.positive_weight == 1:
            return softplus(gap)
        log_weight = math.log(self.positive_weight) if self.positive_weight else -math.inf
        return torch.logaddexp(gap, torch.full_like(gap, log_weight))

    def log_negatives(
        self, z: Tensor, positive: Tensor, tau: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        """Log of N_i (V n,), and a bool tensor: where it is at its floor."""
        n_views, n, _ = z.shape
        count = n_views * (n - 1)  # M
        log_same = math.log(self.tau_plus * count) if self.tau_plus else -math.inf
        floor = math.log(count) - 1 / tau
        log_total = self._log_total(z, tau, count)
        return debias(log_total, positive / tau + log_same, floor, self.tau_plus)

    def _log_total(self, z, tau, count):
        """Log of the sum over the negatives, (V n,)."""
        return self._negative_sums(z, tau).log_partition

    def _negative_sums(self, z, tau, **options):
        flat, weights = z.flatten(0, 1), other_samples(z.shape[1], z.device)
        return pair_sums(flat, flat, weights, tau, block_size=self.block_size, **options)


class HardNegative(DebiasedContrastive):
    r"""Debiased InfoNCE in which negatives near the anchor weigh more.

    With the symbols of :class:`DebiasedContrastive`,

    .. math::

        R_i = \frac{\sum_k e^{\beta s_{ik}/\tau} e^{s_{ik}/\tau}}
                   {\frac1M \sum_k e^{\beta s_{ik}/\tau}}, \qquad
        N_i = \max\Big( \frac{R_i - \tau^+ M e^{s_{i,p(i)}/\tau}}{1 - \tau^+}, \;
                        M e^{-1/\tau} \Big)

    .. math:: l_i = -\log \frac{e^{s_{i,p(i)}/\tau}}{\alpha e^{s_{i,p(i)}/\tau} + N_i}

    Parameters
    ----------
    temperature : float, str or component, default=0.5
        Temperature tau: a positive number or "learned".

    tau_plus : float, default=0.1
        Probability, in [0, 1), that a random sample is of the anchor's class. With 0 no
        negative is taken to be false.

    beta : float, default=1.0
        How much hard negatives are preferred; 0 is :class:`DebiasedContrastive`.

    detach_weights : bool, default=False
        Whether the weights :math:`e^{\beta s_{ik}/\tau}` are held constant in the
        gradient; the authors' code does not.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    positive_weight : float, default=1.0
        Weight alpha of the positive in the denominator. With 0, and ``tau_plus=0, beta=0``,
        it is :class:`DecoupledContrastive`.

    References
    ----------
    Robinson et al., "Contrastive learning with hard negative samples", ICLR 2021. Radenovic
    et al., "Filtering, distillation, and hard negatives for vision-language pre-training",
    CVPR 2023: weights with ``tau_plus=0``, and the weight of the positive.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import HardNegative
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> HardNegative(tau_plus=0.05)(views).mean().round(decimals=4)
    tensor(0.4311)
    """

    _parameter_constraints = {
        **DebiasedContrastive._parameter_constraints,
        "beta": [Interval(Real, 0, None, closed="left")],
        "detach_weights": ["boolean"],
        "positive_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.5,
        tau_plus: float = 0.1,
        beta: float = 1.0,
        detach_weights: bool = False,
        block_size: BlockSize = "auto",
        positive_weight: float = 1.0,
    ):
        super().__init__(temperature, tau_plus, block_size)
        self.beta = beta
        self.detach_weights = detach_weights
        self.positive_weight = positive_weight

    def _log_total(self, z, tau, count):
        """Log of R, (V n,)."""
        if not self.beta:
            return super()._log_total(z, tau, count)
        sharp = tau / (1 + self.beta)
        sums = self._negative_sums(z, sharp, mean=self.detach_weights, detach_mean=True)
        weight = self._negative_sums(z, tau / self.beta).log_partition - math.log(count)
        value = sums.log_partition - weight
        if not self.detach_weights:
            return value
        # d log R at constant weights is the mean of ds / tau under softmax((1 + beta) s / tau).
        slope = sums.mean / tau
        return value.detach() + (slope - slope.detach())
