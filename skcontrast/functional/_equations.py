"""Equations that are no sums over pairs, or combine such sums."""

import math
from typing import Literal

import torch
from torch import Tensor

from skcontrast.functional._pairs import OFF_DIAGONAL, pair_sums
from skcontrast.functional._rows import BlockSize, power_distance


def alignment(x: Tensor, y: Tensor, alpha: float = 2.0) -> Tensor:
    """Distance to the power ``alpha`` of each positive pair: (n, d), (n, d) -> (n,)."""
    squared = (x - y).square().sum(-1)
    if alpha == 2:
        return squared
    # The slope of the root is infinite at zero.
    return squared.clamp_min(1e-12).pow(alpha / 2)


def log_mean_gaussian(x: Tensor, t: float = 2.0, block_size: BlockSize = "auto") -> Tensor:
    """``log mean_{i<j} exp(-t ||x_i - x_j||^2)``, the uniformity of ``x`` (n, d) -> ()."""
    n, options = len(x), {"similarity": power_distance(2), "block_size": block_size}
    sums = pair_sums(x, x, lambda rows, columns: (None, OFF_DIAGONAL), 1 / t, **options)
    return sums.log_partition.logsumexp(0) - math.log(n * (n - 1))


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    r"""Jensen-Shannon divergence in nats between rows that sum to one.

    .. math:: \mathrm{JS}(p, q) = H\big(\tfrac{p + q}{2}\big) - \tfrac12 H(p) - \tfrac12 H(q)

    Parameters
    ----------
    p, q : tensors of shape (n, d) and (m, d)

    Returns
    -------
    divergence : tensor of shape (n, m)
        Between 0 and log 2.
    """
    entropy = lambda x: -(x * x.clamp_min(torch.finfo(x.dtype).tiny).log()).sum(-1)
    mean = (p[:, None] + q) / 2  # (n, m, d)
    return entropy(mean) - (entropy(p)[:, None] + entropy(q)) / 2


def min_norm_pair(first: Tensor, second: Tensor) -> Tensor:
    r"""Share of the first of two gradients in the shortest vector between them: (..., d) -> (...).

    .. math:: \alpha = \min \Big( 1, \max \Big( 0,
        \frac{(g_2 - g_1) \cdot g_2}{\|g_1 - g_2\|^2} \Big) \Big)

    A step against :math:`\alpha g_1 + (1 - \alpha) g_2` lowers both losses, or is zero. Of equal
    gradients the share is a half.

    References
    ----------
    Sener and Koltun, "Multi-task learning as multi-objective optimization", NeurIPS 2018.
    """
    gap = second - first
    length = gap.square().sum(-1)
    share = (gap * second).sum(-1) / torch.where(length > 0, length, 1)
    return torch.where(length > 0, share.clamp(0, 1), 0.5)


def ridge_smoother(
    K: Tensor,
    regularization: float,
    *,
    unit_diagonal: bool = False,
    zero_diagonal: bool = False,
    clip: float | None = None,
    indefinite: Literal["raise", "solve"] = "raise",
) -> Tensor:
    """Return ``(K + regularization I)^{-1} K`` of shape (n, n).

    Solved by Cholesky in float64 and cast back: with a wide kernel the condition
    number is n / regularization and float32 loses four digits.

    Parameters
    ----------
    K : tensor of shape (n, n)
        Symmetric positive semi-definite kernel matrix. To keep the gradient out of the
        result, detach it.

    regularization : float
        Positive.

    unit_diagonal : bool, default=False
        Whether to set the diagonal of K to one first. K may then be indefinite, unless
        its diagonal was one already.

    zero_diagonal : bool, default=False
        Whether to set the diagonal of the result to zero.

    clip : float, default=None
        Entries below it become zero.

    indefinite : {"raise", "solve"}, default="raise"
        What to do where ``K + regularization I`` is not positive definite: raise, or
        solve by LU decomposition, which raises only when it is singular.

    Returns
    -------
    A : tensor of shape (n, n), of K's dtype
    """
    # MPS has no float64.
    K64 = K.cpu().double() if K.device.type == "mps" else K.double()
    eye = torch.eye(len(K), dtype=K64.dtype, device=K64.device)
    if unit_diagonal:
        K64 = torch.where(eye > 0, 1, K64)
    A = _ridge_solve(K64, regularization, eye, indefinite)
    if zero_diagonal:
        A = torch.where(eye > 0, 0, A)
    if clip is not None:
        A = torch.where(A < clip, 0, A)
    return A.to(K)


def _ridge_solve(K, regularization, eye, indefinite):
    factor, info = torch.linalg.cholesky_ex(K + regularization * eye)
    if not info:
        return torch.cholesky_solve(K, factor)
    if indefinite == "solve":
        A, info = torch.linalg.solve_ex(K + regularization * eye, K)
        if not info and A.isfinite().all():
            return A
    if not K.isfinite().all():
        raise ValueError(
            "The kernel matrix holds NaN or infinity: scale the rows that it is made of, or "
            "type a kernel that is bounded, such as 'rbf'."
        )
    lowest = torch.linalg.eigvalsh(K.detach())[0].item()
    least = max(-lowest, regularization)
    raise ValueError(
        f"The kernel matrix has the eigenvalue {lowest:.3g}, and regularization="
        f"{regularization:g} does not make it positive definite: type a larger regularization "
        f"than {least:.2g}, or a positive semi-definite kernel such as 'rbf'."
    )
