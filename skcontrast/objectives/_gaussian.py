"""GaussianNCE: rows as normal distributions."""

from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, gaussian_parameters, negative_divergence, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature


class GaussianNCE(PairObjective):
    r"""Embed each row as a normal distribution, and find its partner by their divergence.

    The columns of a row are a mean :math:`\mu` and, after them, as many numbers a of its variance
    :math:`v = \log(1 + e^a) + v_0`. Of the first view q, which asks, and another one p,

    .. math::

        l_i = -\frac{s_{ii}}{\tau} + \log \sum_j e^{s_{ij} / \tau}, \qquad
        s_{ij} = -\tfrac12 \sum_d \Big[ \frac{v_q + (\mu_q - \mu_p)^2}{v_p} - 1
            + \log \frac{v_p}{v_q} \Big]

    the negative Kullback-Leibler divergence of q from p: a row that is unsure may be wide. With
    more than two views it is the mean over the others.

    Parameters
    ----------
    temperature : float, str or component, default=1.0
        Temperature tau: a positive number or "learned". Means have no unit length, so that it
        changes their scale and no more.

    min_variance : float, default=1e-4
        Least variance v_0 of a column.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the matrix of pairs; "auto" chooses by size, None takes all.

    See Also
    --------
    skcontrast.geometry.gaussian_query : What makes the divergence an inner product, for a search.

    Notes
    -----
    It reads the embedding, without the projector: ``ContrastiveEncoder(2 * d,
    objective=GaussianNCE(), passthrough=False)`` gives d means and d numbers of variances. Of an
    odd number of columns the last one is not read.

    References
    ----------
    Zamani and Bendersky, "Multivariate representation learning for information retrieval", SIGIR
    2023, who learn it from another model's scores.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import GaussianNCE
    >>> GaussianNCE()(torch.eye(4).expand(2, 4, 4)).mean().round(decimals=4)
    tensor(0.9093)
    """

    requires = ("views", "embedding")

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "min_variance": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        temperature: Temperature = 1.0,
        min_variance: float = 1e-4,
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.min_variance = min_variance
        self.block_size = block_size

    def loss(
        self, views: Tensor, temperature: nn.Module, embedding: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each row of the first view: embedding (V, n, 2 d) -> (n,)."""
        h = views if embedding is None else embedding
        rows = torch.cat(gaussian_parameters(h, self.min_variance), -1)
        each = []
        for q, p in product(rows[:1], rows[1:]):
            positive = _own(q, p)
            tau = temperature(positive.detach(), None)
            sums = pair_sums(
                q, p, None, tau, similarity=negative_divergence, block_size=self.block_size
            )
            each.append(sums.log_partition - positive / tau)
        return torch.stack(each).mean(0)


def _own(q, p):
    """Similarity of each row and its partner, (n,)."""
    (mean_q, q_var), (mean_p, p_var) = q.chunk(2, -1), p.chunk(2, -1)
    apart = (q_var + (mean_q - mean_p).square()) / p_var
    return -0.5 * (apart - 1 + p_var.log() - q_var.log()).sum(-1)
