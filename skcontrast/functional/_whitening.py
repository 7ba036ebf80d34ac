"""Rows whose columns are uncorrelated, with gradients through the map that makes them so."""

from typing import Literal

import torch
from torch import Tensor


class _InverseRoot(torch.autograd.Function):
    """C^(-1/2) of symmetric matrices (..., d, d).

    Its gradient is in closed form: that of an eigendecomposition is infinite where two
    eigenvalues are equal, as they are of columns that are white already.
    """

    @staticmethod
    def forward(ctx, C):
        values, vectors = torch.linalg.eigh(C)
        roots = values.sqrt()
        ctx.save_for_backward(roots, vectors)
        return vectors @ (vectors / roots.unsqueeze(-2)).mT

    @staticmethod
    def backward(ctx, grad):
        roots, vectors = ctx.saved_tensors
        a, b = roots.unsqueeze(-1), roots.unsqueeze(-2)
        turned = vectors.mT @ grad @ vectors
        slope = vectors @ (-turned / (a * b * (a + b))) @ vectors.mT
        return (slope + slope.mT) / 2


def whiten(
    x: Tensor,
    n_groups: int = 1,
    eps: float = 1e-3,
    method: Literal["zca", "cholesky"] = "zca",
    order: Tensor | None = None,
) -> Tensor:
    r"""Whiten rows by their own covariance, in groups of columns.

    With the mean :math:`\mu` and the covariance C, divided by n - 1, of the rows,

    .. math::
        \tilde C = (1 - \epsilon) C + \epsilon I, \qquad
        y = \tilde C^{-1/2} (x - \mu) \;\text{("zca")}, \qquad
        y = L^{-1} (x - \mu), \; L L^\top = \tilde C \;\text{("cholesky")}

    Parameters
    ----------
    x : tensor of shape (V, n, d)
        Rows of V tables, each of which is whitened by itself.

    n_groups : int, default=1
        Number of groups of columns, as equal in size as can be.

    eps : float, default=1e-3
        How much of the identity is mixed in, in [0, 1].

    method : {"zca", "cholesky"}, default="zca"
        "zca" stays as near to the rows as white ones can.

    order : int64 tensor of shape (V, d), default=None
        Columns of each table in the order of its groups. None keeps the order of ``x``.

    Returns
    -------
    white : tensor of shape (V, n, d)
    """
    x = x - x.mean(1, keepdim=True)
    columns = None if order is None else order[:, None].expand_as(x)
    x = x if columns is None else x.gather(2, columns)
    made = [_white(part, eps, method) for part in x.tensor_split(n_groups, -1)]
    white = torch.cat(made, -1)
    return white if columns is None else torch.empty_like(white).scatter(2, columns, white)


def _white(x, eps, method):
    """Centred rows (V, n, k), white."""
    C = (1 - eps) * (x.mT @ x) / (x.shape[1] - 1)
    C = C + eps * torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
    if method == "zca":
        return x @ _InverseRoot.apply(C)
    return torch.linalg.solve_triangular(torch.linalg.cholesky(C), x.mT, upper=False).mT
