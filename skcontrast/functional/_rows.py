"""Equations over rows: norms, similarities, distances, and a safe log-sum-exp."""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# Of rows (n, d) and (m, d) -> (n, m), larger for nearer rows.
Similarity: TypeAlias = Callable[[Tensor, Tensor], Tensor]
# Of a slice of anchors and one of candidates: what holds for their pairs.
Pairs: TypeAlias = Callable[[slice, slice], Any]
# Side of a tile: "auto" chooses by the number of pairs, None takes them all at once.
BlockSize: TypeAlias = int | Literal["auto"] | None


def tensor_of(array: np.ndarray) -> Tensor:
    """A tensor of an array, in place where torch may write to it and reads it as it is."""
    dtype = array.dtype.newbyteorder("=")
    return torch.as_tensor(np.require(array, dtype, requirements=("C", "W")))


def slices(n: int, size: int) -> list[slice]:
    """Slices of ``size`` that cover n places."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def normalize(x: Tensor) -> Tensor:
    """Scale the rows (last axis) of ``x`` to unit length; a zero row stays zero.

    Rows shorter than 1e-12 are left as they are: dividing them by 1e-12 would give a
    zero row a gradient of 1e12.
    """
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > 1e-12, length, 1)


def softplus(x: Tensor) -> Tensor:
    """Log of 1 + exp(x), exact for large ``x`` too (torch's own becomes linear)."""
    return -F.logsigmoid(-x)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products, the cosine for unit rows: (n, d), (m, d) -> (n, m)."""
    return a @ b.T


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances, never negative: (n, d), (m, d) -> (n, m)."""
    aa = a.square().sum(-1, keepdim=True)  # (n, 1)
    bb = b.square().sum(-1)  # (m,)
    # In training (float32, or with a gradient) torch's product: on many processors its bits do not
    # depend on the number of threads.
    learns = a.dtype != torch.float64 or (a.requires_grad and torch.is_grad_enabled())
    if a is b and a.device.type == "cpu" and not learns:
        rows = a.detach().numpy()
        # NumPy knows that this product is symmetric, and computes half of it.
        product = torch.from_numpy(rows @ rows.T)
        return product.mul_(-2).add_(aa).add_(bb).clamp_min_(0)
    # One product with its sum, and one more sum in place: two passes fewer over (n, m).
    return torch.addmm(bb, a, b.T, alpha=-2).add_(aa).clamp_min(0)


def distance_power(squared: Tensor, gamma: float, eps: float = 1e-12) -> Tensor:
    """Return ``(squared + eps)^(gamma / 2)``: distances to the power ``gamma``.

    ``eps`` keeps the slope finite where two rows coincide and ``gamma < 2``; at
    ``gamma = 2`` no root is taken and it is not needed.
    """
    return squared if gamma == 2 else (squared + eps).pow(gamma / 2)


def power_distance(gamma: float) -> Similarity:
    """Return the similarity ``-||a_i - b_j||^gamma``, by :func:`distance_power`."""
    return lambda a, b: -distance_power(squared_distance(a, b), gamma)


def logsumexp(x: Tensor, keep: Tensor | None = None, dim: int = -1) -> Tensor:
    """Log of the sum of exponentials over the entries where ``keep`` is True.

    A row with nothing to keep gives -inf, with a zero gradient in place of NaN.
    """
    if keep is None:
        return x.logsumexp(dim)
    empty = ~keep.any(dim, keepdim=True)
    # Rows without an entry are left unmasked, so that autograd never meets inf - inf.
    out = x.masked_fill(~(keep | empty), -math.inf).logsumexp(dim)
    return out.masked_fill(empty.squeeze(dim), -math.inf)


def distinct(rows: slice, columns: slice, device: torch.device) -> Tensor:
    """Bool (rows, columns): True where row and column are different indices."""
    i = torch.arange(rows.start, rows.stop, device=device)
    j = torch.arange(columns.start, columns.stop, device=device)
    return i[:, None] != j
