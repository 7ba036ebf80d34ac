"""Transport between two sets of rows: how the mass of one is spread evenly over the other."""

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
