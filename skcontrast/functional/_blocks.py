"""Equations over embeddings of several blocks of the same rows."""

import torch
import torch.nn.functional as F
from torch import Tensor

from skcontrast.functional._anchors import over_anchors
from skcontrast.functional._rows import BlockSize, logsumexp


def sigmoid_pairs(
    a: Tensor, b: Tensor, scale: Tensor, bias: Tensor, gamma: float, block_size: BlockSize = "auto"
) -> Tensor:
    r"""Losses of telling pairs from others one by one: (n, d), (n, d) -> (n,).

    .. math:: l_i = -\sum_j (1 - p_{ij})^\gamma \log p_{ij}, \qquad
        p_{ij} = \sigma(y_{ij} (s \, a_i \cdot b_j + \beta)), \qquad y_{ij} = 2 [i = j] - 1

    Parameters
    ----------
    a, b : tensor of shape (n, d)
        Unit rows.

    scale, bias : tensor of shape ()
        The scale s and the bias beta.

    gamma : float
        At 0 all pairs weigh alike.

    block_size : int, "auto" or None, default="auto"
        Anchors at a time.
    """
    n = len(a)

    def block(rows):
        x = scale * (a[rows] @ b.T) + bias
        own = torch.arange(rows.start, rows.stop, device=a.device)
        other = own[:, None] != torch.arange(n, device=a.device)
        x = torch.where(other, -x, x)
        # Not the logarithm of a sigmoid, nor torch's softplus: both lose digits far from 0.
        log_p = F.logsigmoid(x)
        weight = torch.sigmoid(-x).pow(gamma) if gamma else 1.0
        return (-(weight * log_p).sum(-1),)

    return over_anchors(block, n, n, block_size)[0]


def one_to_many(
    a: Tensor,
    others: Tensor,
    tau: float | Tensor,
    there: Tensor | None = None,
    anchors: Tensor | None = None,
) -> Tensor:
    r"""Losses of one block against K others that compete: (n, d), (K, n, d) -> (n,).

    .. math:: l_i = -\frac{1}{2K} \sum_b \Big( \log \frac{e^{s_{ii}^b / \tau}}
        {\sum_{jc} e^{s_{ij}^c / \tau}} + \log \frac{e^{s_{ii}^b / \tau}}
        {\sum_j e^{s_{ji}^b / \tau}} \Big)

    with :math:`s_{ij}^b = a_i \cdot z_j^b`.

    Parameters
    ----------
    a : tensor of shape (n, d)

    others : tensor of shape (K, n, d)

    tau : float or tensor of shape ()

    there : bool tensor of shape (K, n), default=None
        Which of the others there are; absent ones are neither partners nor candidates.

    anchors : bool tensor of shape (n,), default=None
        Which of a there are; the loss of an absent one, or of one without partners, is 0.
    """
    n, k = len(a), len(others)
    there = torch.ones(k, n, dtype=torch.bool, device=a.device) if there is None else there
    anchors = torch.ones_like(there[0]) if anchors is None else anchors
    met = there & anchors
    count = there.sum(0).clamp_min(1)
    partner = (a * others).sum(-1) / tau  # (K, n)
    flat = others.flatten(0, 1)

    def forth(rows):
        return (logsumexp(a[rows] @ flat.T / tau, there.flatten()[None]),)

    shared = over_anchors(forth, n, k * n)[0]  # (n,)
    first = torch.where(met, shared - partner, 0).sum(0) / count

    def back(rows):
        return (logsumexp(flat[rows] @ a.T / tau, anchors[None]),)

    alone = over_anchors(back, k * n, n)[0].view(k, n)
    second = torch.where(met, alone - partner, 0).sum(0) / count
    return (first + second) / 2


def multilinear_contrast(z: Tensor, scale: Tensor, order: Tensor | None = None) -> Tensor:
    r"""Losses of the product of all blocks against that of others: (V, n, d) -> (V n,).

    Each block is the anchor once,

    .. math:: x_{ij}^a = s \sum_d z_{id}^a \prod_{v \ne a} z_{\pi_v(j) d}^v \; (j \ne i), \qquad
        x_{ii}^a = s \sum_d \prod_v z_{id}^v, \qquad l_i^a = -x_{ii}^a + \log \sum_j e^{x_{ij}^a}

    Parameters
    ----------
    z : tensor of shape (V, n, d)

    scale : tensor of shape ()

    order : int tensor of shape (V, V - 1, n), default=None
        For each anchor the permutations :math:`\pi_v` of the other blocks. None takes every
        combination of rows of the others in their place: n to the power V - 1.
    """
    n_views, n, _ = z.shape
    true = scale * z.prod(0).sum(-1)  # (n,)
    losses = []
    for a in range(n_views):
        others = [z[v] for v in range(n_views) if v != a]
        losses.append(_anchored(z[a], others, true, scale, None if order is None else order[a]))
    return torch.cat(losses)


def _anchored(anchor, others, true, scale, order):
    n = len(anchor)
    if order is None:
        joined = others[0]
        for z in others[1:]:
            joined = (joined[:, None] * z).flatten(0, 1)
        # The product of the own rows, in the place of the i-th of each.
        place = sum(n**k for k in range(len(others)))
        place = torch.arange(n, device=anchor.device) * place
    else:
        joined = torch.stack([z[pi] for z, pi in zip(others, order)]).prod(0)
        place = torch.arange(n, device=anchor.device)

    def block(rows):
        x = scale * (anchor[rows] @ joined.T)
        x = x.scatter(1, place[rows, None], true[rows, None])
        return (x.logsumexp(-1) - true[rows],)

    return over_anchors(block, n, len(joined))[0]
