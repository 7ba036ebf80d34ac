"""Transport between two sets of rows: its plan in equal shares, its cost between Gaussians."""

import torch
from torch import Tensor


@torch.no_grad()
def balanced_assignment(scores: Tensor, epsilon: float = 0.05, n_iterations: int = 3) -> Tensor:
    r"""Assign rows to columns in equal shares, by Sinkhorn's iterations.

    Of all plans q whose rows sum to 1 and whose columns sum to n/m, the one that maximises

    .. math:: \sum_{ik} q_{ik} s_{ik} + \epsilon H(q)

    is approached: the columns of exp(s/epsilon) are brought to equal sums, then the rows, and
    so on.

    Parameters
    ----------
    scores : tensor of shape (n, m)

    epsilon : float, default=0.05
        The smaller, the nearer a row comes to having one column alone.

    n_iterations : int, default=3

    Returns
    -------
    shares : tensor of shape (n, m)
        Without a gradient. Rows sum to 1, columns to n/m in the limit.

    References
    ----------
    Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", NeurIPS 2013.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.functional import balanced_assignment
    >>> scores = torch.tensor([[1.0, 0.0], [0.9, 0.0], [0.1, 0.0], [0.0, 0.0]])
    >>> balanced_assignment(scores, n_iterations=300).round(decimals=2)
    tensor([[1., 0.],
            [1., 0.],
            [0., 1.],
            [0., 1.]])
    """
    logs = scores / epsilon
    for _ in range(n_iterations):
        logs = logs - logs.logsumexp(0, keepdim=True)
        logs = logs - logs.logsumexp(1, keepdim=True)
    return logs.exp()


def gaussian_distance(a: Tensor, b: Tensor) -> Tensor:
    r"""Squared 2-Wasserstein distance of two Gaussians, each fitted to rows: (m, d), (m, d) -> ().

    With means mu and covariances C, whose divisor is m - 1,

    .. math:: \|\mu_a - \mu_b\|^2 + \mathrm{tr} \big( C_a + C_b - 2 (C_a C_b)^{1/2} \big)

    The covariances may be singular, as those of shares are.

    Parameters
    ----------
    a, b : tensor of shape (m, d)
        Of one row the covariance is 0.

    References
    ----------
    Olkin and Pukelsheim, "The distance between two random vectors with given dispersion
    matrices", Linear Algebra and its Applications 1982.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.functional import gaussian_distance
    >>> rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 1.0]])
    >>> gaussian_distance(rows, rows + 3)
    tensor(18.)
    """
    root = max(len(a) - 1, 1) ** 0.5
    means = a.mean(0), b.mean(0)
    a, b = ((x - mean) / root for x, mean in zip((a, b), means))
    # tr (C_a C_b)^(1/2) is the sum of the singular values of a b^T. Its gradient is that at
    # constant singular vectors, and so has no divisor that could be 0.
    with torch.no_grad():
        (of_a, small_a), (of_b, small_b) = torch.linalg.qr(a), torch.linalg.qr(b)
        u, values, vh = torch.linalg.svd(small_a @ small_b.T)
        kept = values > len(values) * torch.finfo(values.dtype).eps * values[0]
        u, v = of_a @ u * kept, of_b @ vh.T
    cross = ((u.T @ a) * (v.T @ b)).sum()
    spread = a.square().sum() + b.square().sum()
    return (means[0] - means[1]).square().sum() + spread - 2 * cross
