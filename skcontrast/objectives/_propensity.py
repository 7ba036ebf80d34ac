"""InfoNCE whose negatives are weighed by how likely they are to be taken by mere looks."""

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, distinct, normalize, pair_sums
from skcontrast.kernels import KERNEL_CONSTRAINTS, Kernel
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._guide import GUIDE_CONSTRAINTS, Guided, guide_rows
from skcontrast.objectives._info_nce import other_samples, positive_similarity, same_sample
from skcontrast.objectives._kernel import BuiltKernelObjective

# Weights stay between its inverse and it.
BOUND = 8.0


class PropensityNCE(Guided):
    r"""InfoNCE in which rows that are alike in looks alone are heavier negatives (DebCSE).

    With unit rows z of all views, cosines s, the other view p(i) of anchor i, the kernel k of
    what is superficial about rows, c, and cosines g of a guide that says what they mean,

    .. math::

        l_i = -\frac{s_{i,p(i)}}{\tau} + \log \sum_{k \ne i} w_{ik} e^{s_{ik}/\tau}, \qquad
        w_{ik} = \frac{e_{ik}}{\operatorname{mean}_{k'} e_{ik'}}, \quad
        e_{ik} = \exp \frac{k(c_i, c_k) - g_{ik}}{T}

    over the rows of other samples, and 1 for views of the anchor's own; weights are kept between
    1/8 and 8 and held constant. What separates such rows cannot be the superficial, so that less
    of it is learned: the length of a text, the device of a measurement.

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned".

    kernel : str or component, default="auto"
        Kernel of the condition, of :mod:`skcontrast.kernels`; "auto" is Gaussian for numbers and
        equality for categories.

    guide : {"projection", "prior"}, default="projection"
        Where the cosines g come from: the projections of the batch, or the features given to
        ``fit`` as ``prior``.

    weight_temperature : float, default=0.5
        Temperature T of the weights; large values make it :class:`InfoNCE`.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    See Also
    --------
    ConditionalInfoNCE : Negatives of one condition.

    Notes
    -----
    The paper draws pairs by inverse propensities, from two models of sentences; the weights here
    are those of this package.

    References
    ----------
    Miao et al., "DebCSE: rethinking unsupervised contrastive sentence embedding learning in the
    debiasing perspective", CIKM 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PropensityNCE
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> condition = torch.tensor([[0.0], [0.0], [1.0], [5.0]])
    >>> PropensityNCE(temperature=0.5)(views, condition=condition).mean().round(decimals=4)
    tensor(0.5944)
    """

    _module = BuiltKernelObjective
    side_name = "condition"

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "kernel": KERNEL_CONSTRAINTS,
        "guide": GUIDE_CONSTRAINTS,
        "weight_temperature": [Interval(Real, 0, None, closed="neither")],
    }
    _shorthand = {**PairObjective._shorthand, "kernel": "skcontrast.kernels:KERNELS"}

    def __init__(
        self,
        temperature: Temperature = 0.2,
        kernel: str | Kernel = "auto",
        guide: Literal["projection", "prior"] = "projection",
        weight_temperature: float = 0.5,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.kernel = kernel
        self.guide = guide
        self.weight_temperature = weight_temperature
        self.block_size = block_size

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: what is superficial, and what the guide needs."""
        return (*super().requires, "condition")

    def check_side(self, rows: Tensor) -> None:
        """Nothing is asked of the condition of all rows."""

    def advice(self, views: Tensor, **named: Any) -> tuple[str, ...]:
        """Nothing is said about a batch."""
        return ()

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        kernel: Callable,
        condition: Tensor,
        prior: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), condition (n, q) -> (V n,)."""
        z = normalize(views)
        n_views, n, _ = z.shape
        positive = positive_similarity(z)
        tau = temperature(positive.detach(), anchor_index(index, z))
        guides = guide_rows(z, self.guide, prior).flatten(0, 1)
        looks = condition.repeat(n_views, *[1] * (condition.ndim - 1))
        looks = looks[:, None] if looks.ndim == 1 else looks
        k = kernel(looks)

        def excess(rows, columns):
            """How much more alike two rows are in looks than in meaning, over T."""
            alike = k(looks[rows], looks[columns]).to(z.dtype)
            return ((alike - guides[rows] @ guides[columns].T) / self.weight_temperature).detach()

        with torch.no_grad():
            # Rows of no length: what is added up is the excess alone.
            nothing, others = z.new_zeros(len(looks), 1), other_samples(n, z.device)
            of_others = pair_sums(nothing, nothing, others, bias=excess, block_size=self.block_size)
            log_mean = of_others.log_partition - math.log(n_views * (n - 1))

        def weights(rows, columns):
            own = same_sample(rows, columns, n, z.device)
            log_weight = excess(rows, columns) - log_mean[rows, None]
            weight = log_weight.clamp(-math.log(BOUND), math.log(BOUND)).exp()
            return None, torch.where(own, 1, weight) * distinct(rows, columns, z.device)

        flat = z.flatten(0, 1)
        sums = pair_sums(flat, flat, weights, tau, block_size=self.block_size)
        return sums.log_partition - positive / tau
