"""Equations that are no sums over pairs, or combine such sums."""

import math

import torch

from skcontrast.functional._pairs import OFF_DIAGONAL, pair_sums
from skcontrast.functional._rows import power_distance


def alignment(x, y, alpha=2.0):
    """Distance to the power ``alpha`` of each positive pair: (n, d), (n, d) -> (n,)."""
    squared = (x - y).square().sum(-1)
    if alpha == 2:
        return squared
    # The slope of the root is infinite at zero.
    return squared.clamp_min(1e-12).pow(alpha / 2)


def log_mean_gaussian(x, t=2.0, block_size=None):
    """``log mean_{i<j} exp(-t ||x_i - x_j||^2)``, the uniformity of ``x`` (n, d) -> ()."""
    n = len(x)
    sums = pair_sums(
        x,
        x,
        lambda rows, columns: (None, OFF_DIAGONAL),
        1 / t,
        similarity=power_distance(2),
        block_size=block_size,
    )
    return sums.log_partition.logsumexp(0) - math.log(n * (n - 1))


def ridge_smoother(K, regularization, *, zero_diagonal=False, clip=None):
    """Return ``(K + regularization I)^{-1} K`` of shape (n, n).

    Solved by Cholesky in float64 and cast back: with a wide kernel the condition
    number is n / regularization and float32 loses four digits.

    Parameters
    ----------
    K : tensor of shape (n, n)
        Symmetric positive semi-definite kernel matrix.

    regularization : float
        Positive.

    zero_diagonal : bool, default=False
        Whether to set the diagonal of the result to zero.

    clip : float, default=None
        Entries below it become zero.

    Returns
    -------
    A : tensor of shape (n, n), of K's dtype
    """
    K64 = K.double()
    eye = torch.eye(len(K), dtype=K64.dtype, device=K.device)
    A = torch.cholesky_solve(K64, torch.linalg.cholesky(K64 + regularization * eye))
    if zero_diagonal:
        A = A * (1 - eye)
    if clip is not None:
        A = torch.where(A < clip, 0, A)
    return A.to(K.dtype)
