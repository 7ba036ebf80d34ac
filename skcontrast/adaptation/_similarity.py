"""Kernels at work on NumPy rows: chosen, with their numbers filled in, and in blocks."""

import numpy as np
import torch
from sklearn.base import clone

from skcontrast._component import Real, resolve
from skcontrast.functional._rows import tensor_of
from skcontrast.kernels import Linear

# Numbers in one block of a kernel matrix: 64 MiB of float64.
BLOCK = 2**23
# Widths tried, in units of the inverse mean squared distance between rows.
GAMMA_GRID = (0.5, 1.0, 2.0)
# Strengths of a linear term, in these units too.
LINEAR_GRID = (3.0, 30.0)
# An average has no ridge to be smoothed by; its width is all there is.
AVERAGE_GRID = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def mean_squared_distance(X, weight):
    """Mean over pairs of rows with their weights: twice the total variance."""
    share = weight / weight.sum()
    centred = X - share @ X
    spread = 2 * float(share @ np.square(centred).sum(axis=1))
    return spread if spread > 0 and np.isfinite(spread) else 1.0


def candidates(kernel, gamma, X, weight, factors=GAMMA_GRID):
    """Kernels to choose from: components with numbers in place of "scale" and the like.

    ``gamma="auto"`` is the grid ``factors`` in units of the inverse mean squared distance for
    ``kernel="rbf"``, and what the kernel itself says for others.
    """
    # As with scikit-learn's sample weights, a row of weight 2 is two rows.
    if isinstance(gamma, str) and gamma == "auto":
        values = [None]
        if isinstance(kernel, str) and kernel == "rbf":
            values = [factor / mean_squared_distance(X, weight) for factor in factors]
    else:
        values = [gamma] if isinstance(gamma, (str, Real)) else list(gamma)
    found = []
    for value in values:
        chosen = resolve(kernel, "skcontrast.kernels:KERNELS")
        if value is not None:
            if "gamma" not in chosen.get_params():
                raise ValueError(
                    f"gamma={value!r} was given, but {type(chosen).__name__} has no gamma: type "
                    "gamma='auto', or another kernel."
                )
            chosen.set_params(gamma=value if isinstance(value, str) else float(value))
        found.append(with_numbers(chosen, X))
    return found


def with_numbers(kernel, X):
    """Copy of a kernel whose data-driven widths are the numbers they have on X."""
    kernel = clone(kernel)
    for path, value in kernel.get_params().items():
        owner, _, name = path.rpartition("__")
        if name == "gamma" and isinstance(value, str):
            part = kernel.get_params()[owner] if owner else kernel
            kernel.set_params(**{path: float(part.build(X).gamma)})
    return kernel


def with_linear_terms(kernels, X, weight):
    """The kernels, and each with a linear kernel added, in two strengths."""
    unit = mean_squared_distance(X, weight)
    return kernels + [k + (c / unit) * Linear() for c in LINEAR_GRID for k in kernels]


def gamma_of(kernel):
    """The width of a kernel, or of the first of a sum; None where there is none."""
    return getattr(getattr(kernel, "first", kernel), "gamma", None)


class Similarity:
    """A kernel built on rows (n, d), as a function of float64 arrays."""

    def __init__(self, kernel, rows):
        self._kernel, self._k = kernel, kernel.build(rows)

    def __call__(self, A, B):
        """Kernel matrix (n, m) of A (n, d) and B (m, d)."""
        with torch.no_grad():
            a = tensor_of(A)
            K = self._k(a, a if B is A else tensor_of(B)).numpy()
        if not np.isfinite(K).all():
            raise ValueError(
                f"kernel={self._kernel!r} gives NaN or infinite values for these rows of X: divide "
                "X by a constant first, or choose another kernel."
            )
        return K

    def blocks(self, A, B):
        """Slices of A, and the rows of the kernel matrix for each."""
        step = max(1, BLOCK // max(len(B), 1))
        for start in range(0, len(A), step):
            part = slice(start, min(start + step, len(A)))
            yield part, self(A[part], B)

    def times(self, A, B, V):
        """Product of the kernel matrix of A and B with V (m, C), never whole."""
        out = np.empty((len(A), V.shape[1]))
        for part, K in self.blocks(A, B):
            out[part] = K @ V
        return out

    def square(self, A):
        """Kernel matrix (n, n) of A with itself, filled block by block."""
        if len(A) ** 2 <= BLOCK:
            return self(A, A)
        K = np.empty((len(A), len(A)))
        for part, rows in self.blocks(A, A):
            K[part] = rows
        return K
