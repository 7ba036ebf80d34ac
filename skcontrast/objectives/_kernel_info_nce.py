"""InfoNCE with an exponential kernel of a power of the distance."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import (
    BlockSize,
    distance_power,
    distinct,
    normalize,
    pair_sums,
    power_distance,
)
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import positive_similarity


class KernelInfoNCE(PairObjective):
    r"""InfoNCE whose similarity is a kernel: Gaussian, Laplacian or in between.

    With unit rows z, p(i) the other view of anchor i, and the kernel
    :math:`k_\gamma(x, y) = \exp(-\|x - y\|^\gamma / \tau)`,

    .. math:: l_i^\gamma = -\log \frac{k_\gamma(z_i, z_{p(i)})}
                                      {\sum_{k \ne i} k_\gamma(z_i, z_k)}

    With more than two views the logarithm of the numerator is the mean over the other
    views. ``gamma=2`` is :class:`InfoNCE` at half the temperature.

    Parameters
    ----------
    temperature : float, str or component, default=0.5
        Temperature tau: a positive number or "learned".

    gamma : float, default=1.0
        Power of the distance, in (0, 2]: 2 is the Gaussian, 1 the Laplacian kernel. (It
        is an exponent, as in the paper, not scikit-learn's inverse width.)

    mixture : {"loss", "kernel", "concatenation"} or None, default=None
        How a Gaussian kernel is mixed in. "loss": :math:`w l_i^\gamma + (1-w) l_i^2`, as
        the authors' code does. "kernel": one loss with the kernel
        :math:`w k_\gamma + (1-w) k_2`. "concatenation": as "loss", but the first term
        sees the first half of the columns and the second term the second half; the full
        row is scaled to unit length.

    weight : float, default=0.5
        Weight w of the kernel with ``gamma``; not used without a mixture.

    eps : float, default=0.0
        The partition is held at least at ``eps`` and ``eps`` is added to it; the authors'
        code uses 1e-6.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Tan et al., "Contrastive learning is spectral clustering on similarity graph",
    ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE, KernelInfoNCE
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> KernelInfoNCE(temperature=1.0, gamma=2)(views).mean().round(decimals=4)
    tensor(0.5944)
    >>> InfoNCE(temperature=0.5)(views).mean().round(decimals=4)
    tensor(0.5944)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "gamma": [Interval(Real, 0, 2, closed="right")],
        "mixture": [StrOptions({"loss", "kernel", "concatenation"}), None],
        "weight": [Interval(Real, 0, 1, closed="both")],
        "eps": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.5,
        gamma: float = 1.0,
        mixture: Literal["loss", "kernel", "concatenation"] | None = None,
        weight: float = 0.5,
        eps: float = 0.0,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.gamma = gamma
        self.mixture = mixture
        self.weight = weight
        self.eps = eps
        self.block_size = block_size

    def loss(
        self, views: Tensor, temperature: nn.Module, index: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        tau = temperature(positive_similarity(z).detach(), anchor_index(index, z))
        if self.mixture is None:
            return self._contrast(*self._log_kernels(z, self.gamma, tau))
        left, right = self._halves(z) if self.mixture == "concatenation" else (z, z)
        first = self._log_kernels(left, self.gamma, tau)
        second = self._log_kernels(right, 2, tau)
        if self.mixture == "kernel":
            return self._contrast(*map(self._log_mix, first, second))
        w = self.weight
        return w * self._contrast(*first) + (1 - w) * self._contrast(*second)

    def _halves(self, z):
        half, odd = divmod(z.shape[-1], 2)
        if odd:
            raise ValueError(
                "KernelInfoNCE(mixture='concatenation') splits the columns in two halves, "
                f"got {z.shape[-1]} columns: use an even width."
            )
        return z[..., :half], z[..., half:]

    def _log_kernels(self, z, gamma, tau):
        """Log kernels of the positives (V - 1, V n) and of the partition (V n,)."""
        flat, similarity = z.flatten(0, 1), power_distance(gamma)
        weights = lambda r, c: (None, distinct(r, c, z.device))
        sums = pair_sums(
            flat, flat, weights, tau, similarity=similarity, block_size=self.block_size
        )
        squared = [(z - z.roll(v, 0)).square().sum(-1).flatten() for v in range(1, len(z))]
        return -distance_power(torch.stack(squared), gamma) / tau, sums.log_partition

    def _log_mix(self, x, y):
        """Log of w e^x + (1 - w) e^y."""
        w = self.weight
        if w in (0, 1):
            return x if w else y
        return torch.logaddexp(x + math.log(w), y + math.log1p(-w))

    def _contrast(self, positive, partition):
        if self.eps:
            floor = partition.new_full((), math.log(self.eps))
            partition = torch.logaddexp(torch.maximum(partition, floor), floor)
        return partition - positive.mean(0)
