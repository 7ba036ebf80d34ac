r"""Adapters without a system to solve: labels of near rows, averaged.

With :math:`k_i = k(q, s_i) w_i`, for the last two zero where it would be negative, and the rows'
one-hot labels (or residuals) :math:`y_i`:

- Tip-Adapter: :math:`\sum_i k_i y_i`;
- Nadaraya-Watson: :math:`\sum_i k_i y_i / \sum_i k_i`;
- local linear: the constant b of :math:`\min_{b, B} \sum_i k_i |y_i - b - B (s_i - q)|^2 +
  \rho |B|^2`, which does not lean towards the middle at the border of the data.
"""

import numpy as np
from torch import Tensor

TIP_ALPHA = 1.17
LOCAL_RIDGE = 0.1


def average(method, similarity, Q, S, Y, weight, itself=False, ridge=LOCAL_RIDGE):
    """Averages (m, C), at the rows Q (m, d), of the targets Y (n, C) of near rows S (n, d).

    With ``itself`` Q is S, and each row is left out of its own average. ``ridge`` is rho, of
    the slopes of "local_linear", in units of the mean squared distance.
    """
    out = np.empty((len(Q), Y.shape[1]))
    for part, K in similarity.blocks(Q, S):
        K = K * weight if method == "tip" else np.maximum(K, 0) * weight
        if itself:
            rows = np.arange(part.start, part.stop)
            K[rows - part.start, rows] = 0
        if method == "tip":
            out[part] = K @ Y
        else:
            out[part] = _normalised(method, K, Q[part], S, Y, weight, ridge)
    return out


def _normalised(method, K, Q, S, Y, weight, ridge):
    total = K.sum(axis=1, keepdims=True)
    tiny = total <= 1e-300
    # A row that is far from all others gets the mean of all, not 0 / 0.
    P = np.where(tiny, weight / weight.sum(), K / np.where(tiny, 1, total))
    out = P @ Y
    if method == "nadaraya_watson":
        return out
    n, d = S.shape
    step = max(1, 2**24 // max(n * d, min(n, d) ** 2))
    for start in range(0, len(Q), step):
        part = slice(start, start + step)
        out[part] += _slope_part(P[part], Q[part], S, Y, ridge)
    return out


def _slope_part(P, Q, S, Y, ridge):
    """B (q - mean): what the local slope adds to the local mean, for a block of queries."""
    means = P @ S  # (m, d)
    Z = np.sqrt(P)[:, :, None] * (S - means[:, None])  # (m, n, d)
    targets = np.sqrt(P)[:, :, None] * (Y - (P @ Y)[:, None])  # (m, n, C)
    rho = ridge * np.square(Z).sum(axis=(1, 2))
    rho = np.where(rho > 0, rho, 1)[:, None, None]
    lever = (Q - means)[:, :, None]  # (m, d, 1)
    if S.shape[1] <= S.shape[0]:
        inner = Z.transpose(0, 2, 1) @ Z + rho * np.eye(S.shape[1])
        v = Z @ np.linalg.solve(inner, lever)
    else:
        inner = Z @ Z.transpose(0, 2, 1) + rho * np.eye(S.shape[0])
        v = np.linalg.solve(inner, Z @ lever)
    return (v.transpose(0, 2, 1) @ targets)[:, 0]


def tip_adapter_loss(
    keys: Tensor,
    values: Tensor,
    queries: Tensor,
    base_logits: Tensor,
    target: Tensor,
    *,
    alpha: float = TIP_ALPHA,
    beta: float = 1.0,
) -> Tensor:
    r"""Cross-entropy of Tip-Adapter-F, where the keys are trained.

    .. math:: -\log \mathrm{softmax}(\text{base} + \alpha e^{-\beta (1 - q S^\top)} Y)_{y}

    Parameters
    ----------
    keys : tensor of shape (n, d)
        S, started at the unit rows of the support, and not scaled again.

    values : tensor of shape (n, C)
        One-hot labels Y of the support; not trained.

    queries : tensor of shape (m, d)
        Unit rows q.

    base_logits : tensor of shape (m, C)
        Scores of the base, such as 100 times the cosines with the class embeddings.

    target : tensor of shape (m,)
        Index of the class of each query.

    alpha : float, default=1.17
        Weight of the cache.

    beta : float, default=1.0
        Sharpness; ``gamma = beta / 2`` for unit rows.

    Returns
    -------
    loss : tensor of shape ()
        Mean over the queries.

    References
    ----------
    Zhang et al., "Tip-Adapter: training-free adaption of CLIP for few-shot
    classification", ECCV 2022.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.adaptation import tip_adapter_loss
    >>> eye = torch.eye(2)
    >>> tip_adapter_loss(eye, eye, eye, 0 * eye, torch.tensor([0, 1]), alpha=2.0).round(decimals=3)
    tensor(0.2490)
    """
    from torch.nn.functional import cross_entropy

    affinity = (-beta * (1 - queries @ keys.T)).exp()
    return cross_entropy(base_logits + alpha * affinity @ values, target)
