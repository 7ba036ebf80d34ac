"""Equations over series: contrasts of steps and of windows, and weights of series nearby."""

from typing import Literal

import torch
from torch import Tensor

from skcontrast.functional._anchors import over_anchors
from skcontrast.functional._pairs import pair_sums
from skcontrast.functional._rows import (
    BlockSize,
    dot,
    logsumexp,
    normalize,
    softplus,
    squared_distance,
)


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


def future_contrast(
    future: Tensor,
    prediction: Tensor,
    future_seen: Tensor | None = None,
    predicts: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Find the prediction of each series' future among those of the whole batch.

    .. math::

        l_i = \frac1K \sum_{k=1}^K \Big( \log \sum_j e^{\langle f_{ki}, p_{kj} \rangle}
              - \langle f_{ki}, p_{ki} \rangle \Big)

    Parameters
    ----------
    future, prediction : tensors of shape (..., K, n, d)
        The step k ahead of series i as it is, and as it was predicted.

    future_seen : bool tensor of shape (..., K, n), default=None
        Futures that count; the mean is over these.

    predicts : bool tensor of shape (..., n), default=None
        Series that have a prediction, and are candidates.

    Returns
    -------
    loss : tensor of shape (..., n)
        A series without a future or a prediction has loss 0.

    valid : bool tensor of shape (..., n)
        Which series have both.
    """
    everyone = future.new_ones(future.shape[:-1], dtype=torch.bool)
    future_seen = everyone if future_seen is None else future_seen
    predicts = everyone[..., 0, :] if predicts is None else predicts
    counts = future_seen & predicts[..., None, :]
    logits = future @ prediction.mT  # (..., K, n, n)
    partition = logsumexp(logits, predicts[..., None, None, :])
    loss = torch.where(counts, partition, 0) - torch.where(counts, (future * prediction).sum(-1), 0)
    return loss.sum(-2) / counts.sum(-2).clamp_min(1), counts.any(-2)


def positive_unlabelled(near: Tensor, far: Tensor, share: float = 0.05) -> Tensor:
    r"""Loss of a scorer of pairs of windows, of which some far ones belong together too (TNC).

    .. math::

        l = \frac12 \big( \sigma(-a) + w \, \sigma(-b) + (1 - w) \, \sigma(b) \big), \qquad
        \sigma(x) = \log(1 + e^x)

    where a is the logit of a window and one near it in time, and b that of one far away,
    which the share w of them resembles all the same: w = 0 is the usual cross-entropy. For
    embeddings without a scorer :class:`~skcontrast.objectives.DebiasedContrastive` corrects the
    same, with ``tau_plus`` in the place of w.

    Parameters
    ----------
    near, far : tensors of shape (n,)
        Logits.

    share : float, default=0.05

    Returns
    -------
    loss : tensor of shape (n,)

    References
    ----------
    Tonekaboni et al., "Unsupervised representation learning for time series with temporal
    neighborhood coding", ICLR 2021.
    """
    return (softplus(-near) + share * softplus(-far) + (1 - share) * softplus(far)) / 2


def contrast_apart(
    anchors: Tensor,
    positives: Tensor,
    negatives: Tensor,
    temperature: float | Tensor = 1.0,
    similarity: Literal["cosine", "euclidean"] = "cosine",
    block_size: BlockSize = "auto",
) -> Tensor:
    r"""Contrast with negatives that were drawn apart from the positives (CEBRA's loss).

    .. math:: l_i = -s(a_i, p_i) / \tau + \log \sum_j e^{s(a_i, n_j) / \tau}

    The positive is no candidate. Where the negatives are the positives of the batch, it is
    ``InfoNCE(form="one_way")``.

    Parameters
    ----------
    anchors, positives : tensors of shape (n, d)

    negatives : tensor of shape (m, d)

    temperature : float or tensor of shape (), default=1.0

    similarity : {"cosine", "euclidean"}, default="cosine"
        The cosine, or minus the squared distance.

    block_size : int, "auto" or None, default="auto"
        As in :func:`pair_sums`.

    Returns
    -------
    loss : tensor of shape (n,)

    References
    ----------
    Schneider et al., "Learnable latent embeddings for joint behavioural and neural analysis",
    Nature 617, 2023.
    """
    if similarity == "cosine":
        anchors, positives, negatives = map(normalize, (anchors, positives, negatives))
        positive, compare = (anchors * positives).sum(-1), dot
    else:
        positive = -(anchors - positives).square().sum(-1)
        compare = lambda a, b: -squared_distance(a, b)
    options = {"similarity": compare, "block_size": block_size}
    return (
        pair_sums(anchors, negatives, None, temperature, **options).log_partition
        - positive / temperature
    )


def neighbor_weights(z: Tensor, temperature: float | Tensor = 0.2) -> Tensor:
    r"""Weights with which each row is rebuilt from all others (SimMTM).

    .. math:: w_{ij} = \frac{e^{\cos(z_i, z_j) / \tau}}{\sum_{k \ne i} e^{\cos(z_i, z_k) / \tau}},
        \qquad w_{ii} = 0

    With steps :math:`x` (n, T, d) of the same rows, ``torch.tensordot(w, x, 1)`` rebuilds the
    steps of each from those of its neighbours.

    Parameters
    ----------
    z : tensor of shape (n, d)
        At least two rows.

    temperature : float or tensor of shape (), default=0.2

    Returns
    -------
    weights : tensor of shape (n, n)
        Rows add up to 1.

    References
    ----------
    Dong et al., "SimMTM: a simple pre-training framework for masked time-series modeling",
    NeurIPS 2023.
    """
    z = normalize(z)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return (z @ z.T / temperature).masked_fill(own, -torch.inf).softmax(-1)
