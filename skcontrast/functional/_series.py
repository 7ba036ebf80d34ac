"""Equations over series: contrasts of steps, of windows, and weights of the series nearby."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from skcontrast.functional._anchors import over_anchors
from skcontrast.functional._pairs import pair_sums
from skcontrast.functional._rows import Similarity, dot, logsumexp, normalize


def contrast_within(
    z: Tensor, seen: Tensor | None = None, temperature: float | Tensor = 1.0
) -> Tensor:
    r"""NT-Xent within each of many sets, on rows as they are.

    In set b the anchors are its m items in each of V views, with the other views of an item
    as positives and all other rows of the set as candidates:

    .. math::

        l_{vbi} = -\frac{1}{V - 1} \sum_{u \ne v} \langle z_{vbi}, z_{ubi} \rangle / \tau
                  + \log \sum_{(u, j) \ne (v, i)} e^{\langle z_{vbi}, z_{ubj} \rangle / \tau}

    Parameters
    ----------
    z : tensor of shape (V, B, m, d)

    seen : bool tensor of shape (B, m), default=None
        Items that take part; the others have loss 0, and are no candidates.

    temperature : float or tensor of shape (), default=1.0

    Returns
    -------
    loss : tensor of shape (V, B, m)
        With two views 0 for an item that is alone in its set.
    """
    n_views, n_sets, m, _ = z.shape
    rows = z.transpose(0, 1).flatten(1, 2)  # (B, V m, d)
    if seen is None:
        seen = torch.ones(n_sets, m, dtype=torch.bool, device=z.device)
    seen = seen.repeat(1, n_views)  # (B, V m)
    others = ~torch.eye(n_views * m, dtype=torch.bool, device=z.device)

    def partition(sets):
        # Scaling (b, V m, d) rows is cheaper than dividing (b, V m, V m) products.
        logits = (rows[sets] / temperature) @ rows[sets].mT
        return (logsumexp(logits, others & seen[sets, None]),)

    (log_partition,) = over_anchors(partition, n_sets, (n_views * m) ** 2)
    # Anchors that were not seen may have no candidate, and -inf for a sum of none.
    log_partition = torch.where(seen, log_partition, 0).unflatten(1, (n_views, m))
    positive = (z * (z.sum(0, keepdim=True) - z)).sum(-1) / (n_views - 1) / temperature
    loss = log_partition.transpose(0, 1) - positive
    return torch.where(seen[:, :m], loss, 0)
