r"""The ridge system :math:`(K + \alpha W^{-1}) a = r`, solved in four ways.

Each solver has ``reduced(R)``, of which ``coefficients(reduced)`` and the solution at some rows,
``rows_of(R, reduced, index)``, are made, and ``inverse_diagonal(index)``, which is None where the
diagonal of the inverse is not to be had. K is the kernel matrix, W the diagonal of the row weights.
"""

import os

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, cholesky, eigh, solve_triangular
from scipy.linalg.lapack import dpotrf, dtrtri
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from skcontrast._component import warn

EVERY = slice(None)

# Relative to the largest eigenvalue: what float64 cannot tell from zero.
EPS = 1e-13
# Rows, and n^2 C products of a solve for C targets, that are no trouble.
EXACT_ROWS, EXACT_PRODUCTS = 20_000, 1e11
# Above, the diagonal of the inverse takes longer than the factor itself.
DIAGONAL_ROWS = 8000


def machine_memory():
    """Bytes of memory, or infinity where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")


def check_memory(n_rows, solver):
    """Raise where an (n, n) matrix cannot be held, with the setting that avoids it."""
    needed = 8 * n_rows**2
    if needed > 0.8 * machine_memory():
        raise MemoryError(
            f"solver={solver!r} holds a kernel matrix of {n_rows} x {n_rows} numbers, "
            f"{needed / 2**30:.0f} GiB, more than this machine has: type solver='nystroem'."
        )


class _OfRows:
    """A solver whose solution has an entry for each row: all is read off it."""

    def reduced(self, R):
        """The solution, (n, C)."""
        return self.solve(R)

    def rows_of(self, R, reduced, index=EVERY):
        """The solution at the rows ``index``, (m, C)."""
        return reduced[index]

    def coefficients(self, reduced):
        """Coefficients of the rows."""
        return reduced


class Eigen(_OfRows):
    """One eigendecomposition of K (n, n), for any number of alphas."""

    def __init__(self, K, weight):
        self.root = np.sqrt(weight)
        K = self.root[:, None] * K * self.root
        self.values, self.vectors = eigh(K, overwrite_a=True, driver="evd")
        self.alpha, self._last = 0.0, (None, None)

    def at(self, alpha):
        """Set alpha; a kernel that is singular or indefinite gives the pseudo-inverse."""
        shifted = self.values + alpha
        kept = shifted > EPS * max(self.values[-1], alpha, 1e-300)
        self.inverse = np.where(kept, 1 / np.where(kept, shifted, 1), 0)
        self.alpha = alpha
        return self

    def solve(self, R):
        """(n, C) -> (n, C)."""
        if self._last[0] is None or not np.array_equal(self._last[0], R):
            self._last = R, self.vectors.T @ (self.root[:, None] * R)
        inner = self._last[1]  # the same for every alpha
        return self.root[:, None] * (self.vectors @ (self.inverse[:, None] * inner))

    def inverse_diagonal(self, index=EVERY):
        """(m,), of the rows ``index``."""
        return self.root[index] ** 2 * (np.square(self.vectors[index]) @ self.inverse)


class Cholesky(_OfRows):
    """A triangular factor, which further rows can be added to; K (n, n) is overwritten."""

    def __init__(self, K, weight, alpha):
        n = len(K)
        diagonal = K.diagonal() + alpha / weight
        level = EPS * max(diagonal.max(), 1e-300)
        self.jitter, self.weight, self.alpha = 0.0, weight, alpha
        self._diagonal = None
        # Equal rows at alpha=0, or rounding, leave no positive pivot: a little more is
        # added to the diagonal until there is one.
        for _ in range(12):
            K[np.diag_indices(n)] = diagonal + self.jitter
            # In place: LAPACK sees K transposed, and writes one triangle of it.
            factor, info = dpotrf(K.T, lower=1, clean=0, overwrite_a=1)
            if info == 0 and np.square(factor.diagonal()).min() > level:
                for i in range(n):
                    factor[:i, i] = 0
                self.factor = factor
                return
            for i in range(n):
                K[i, i + 1 :] = K[i + 1 :, i]
            # Less would be lost among the rounding errors of the other eigenvalues.
            self.jitter = max(1e-10 * diagonal.sum(), 10 * self.jitter)
        raise ValueError(
            "the kernel matrix is far from positive semi-definite: type a larger alpha, or "
            "another kernel, such as 'rbf'."
        )

    def solve(self, R):
        """(n, C) -> (n, C)."""
        return cho_solve((self.factor, True), R, check_finite=False)

    def inverse_diagonal(self, index=EVERY):
        """(m,), or None for many rows; after the first call ``extend`` keeps it up to date."""
        if self._diagonal is None and len(self.factor) <= DIAGONAL_ROWS:
            # The transposed factor is in the order that LAPACK reads: nothing is copied twice.
            inverse, info = dtrtri(self.factor.T, lower=0)
            self._diagonal = np.einsum("ij,ij->i", inverse, inverse)
        return None if self._diagonal is None else self._diagonal[index]

    def extend(self, K_cross, K_new, weight):
        """Add m rows: K_cross (n, m), K_new (m, m); n^2 m operations, not (n + m)^3."""
        n, m = K_cross.shape
        old_diagonal = self._diagonal
        B = solve_triangular(self.factor, K_cross, lower=True, check_finite=False)  # (n, m)
        corner = K_new - B.T @ B
        corner[np.diag_indices(m)] -= K_new.diagonal()
        corner[np.diag_indices(m)] += K_new.diagonal() + self.alpha / weight + self.jitter
        try:
            small = cholesky(corner, lower=True)
            if np.square(small.diagonal()).min() <= EPS * max(self.factor.diagonal().max() ** 2, 1):
                raise LinAlgError
        except LinAlgError:
            return False  # singular: the caller starts over, with jitter
        factor = np.zeros((n + m, n + m))
        factor[:n, :n], factor[n:, :n], factor[n:, n:] = self.factor, B.T, small
        self.factor, self.weight = factor, np.concatenate([self.weight, weight])
        if old_diagonal is not None:
            back = solve_triangular(factor[:n, :n], B, lower=True, trans="T")  # L^-T B
            row = solve_triangular(small, back.T, lower=True)
            corner = solve_triangular(small, np.eye(m), lower=True)
            self._diagonal = np.concatenate(
                [old_diagonal + np.square(row).sum(axis=0), np.square(corner).sum(axis=0)]
            )
        return True


def _features(K):
    """Maps with the kernel K (m, m) of landmarks: rows of a kernel (b, m) to features (b, r) whose
    products are the kernel's projection on the landmarks, and weights (r, C) of these to (m, C).
    """
    try:
        L = cholesky(K, lower=True)
    except LinAlgError:
        L = np.zeros((1, 1))
    if np.square(L.diagonal()).min() > 1e-10 * K.diagonal().max():
        forth = lambda rows: solve_triangular(L, rows.T, lower=True, check_finite=False).T  # noqa: E731
        return forth, lambda c: solve_triangular(L, c, lower=True, trans="T")
    values, vectors = eigh(K)
    # Directions that float64 cannot resolve are left out.
    kept = values > 1e-12 * max(values[-1], 1e-300)
    basis = vectors[:, kept] / np.sqrt(values[kept])  # (m, r)
    return (lambda rows: rows @ basis), (lambda c: basis @ c)


class Nystroem:
    """The kernel seen through landmarks (m, d), as some of the rows: memory O(n m)."""

    def __init__(self, similarity, X, weight, alpha, landmarks):
        m = len(landmarks)
        check_memory(int(np.sqrt(len(X) * m)), "nystroem")
        self.landmarks = landmarks
        features, self._back = _features(similarity.square(self.landmarks))
        root, inner = np.sqrt(weight)[:, None], 0.0
        self.Phi = None
        for part, K in similarity.blocks(X, self.landmarks):
            block = features(K)
            self.Phi = np.empty((len(X), block.shape[1])) if self.Phi is None else self.Phi
            self.Phi[part] = block
            block *= root[part]
            inner = inner + block.T @ block  # half the products, as numpy sees a square
        self.alpha = max(alpha, 1e-11 * max(np.trace(inner), 1e-300))
        self.weight = weight
        inner[np.diag_indices(len(inner))] += self.alpha
        self.inner = cho_factor(inner, lower=True, overwrite_a=True)

    def solve(self, R):
        """(n, C) -> (n, C)."""
        return self.rows_of(R, self.reduced(R))

    def reduced(self, R):
        """The solution in the place of the landmarks, (r, C), for R (n, C) that may be sparse.

        By Woodbury's identity it is what the coefficients of all rows come down to, without them.
        """
        weight = self.weight[:, None]
        weighted = R.multiply(weight).tocsr() if issparse(R) else weight * R
        return cho_solve(self.inner, (weighted.T @ self.Phi).T)

    def rows_of(self, R, reduced, index=EVERY):
        """The solution at the rows ``index``, (m, C)."""
        R = R[index].toarray() if issparse(R) else R[index]
        return self.weight[index][:, None] * (R - self.Phi[index] @ reduced) / self.alpha

    def inverse_diagonal(self, index=EVERY):
        """(m,), of the rows ``index``."""
        Phi, weight = self.Phi[index], self.weight[index]
        half = np.empty(len(Phi))
        for start in range(0, len(half), 10_000):
            part = slice(start, start + 10_000)
            L = solve_triangular(self.inner[0], Phi[part].T, lower=True)
            half[part] = np.square(L).sum(axis=0)
        return weight * (1 - weight * half) / self.alpha

    def coefficients(self, reduced):
        """Coefficients of the landmarks."""
        return self._back(reduced)


class ConjugateGradient(_OfRows):
    """The whole system by iterations, kernel rows made anew in each: memory O(n m).

    The landmarks (m, d) are those of the preconditioner; ``tol`` is the residual to stop at,
    relative to the right-hand side.
    """

    def __init__(self, similarity, X, weight, alpha, landmarks, tol, max_iter):
        self.near = Nystroem(similarity, X, weight, alpha, landmarks)
        self.similarity, self.X, self.weight = similarity, X, weight
        self.alpha, self.tol, self.max_iter = self.near.alpha, tol, max_iter
        self.K = similarity.square(X) if len(X) <= 5000 else None

    def _apply(self, V):
        KV = self.K @ V if self.K is not None else self.similarity.times(self.X, self.X, V)
        return KV + self.alpha / self.weight[:, None] * V

    def solve(self, R):
        """(n, C) -> (n, C); all columns at once, each with its own step lengths."""
        V = self.near.solve(R)
        residual = R - self._apply(V)
        size = np.maximum(np.linalg.norm(R, axis=0), 1e-300)
        Z = self.near.solve(residual)
        direction, slope = Z, (residual * Z).sum(axis=0)
        self.n_iter = 0
        for _ in range(self.max_iter):
            self.n_iter += 1
            if np.all(np.linalg.norm(residual, axis=0) <= self.tol * size):
                return V
            image = self._apply(direction)
            curvature = (direction * image).sum(axis=0)
            step = np.where(curvature > 0, slope / np.where(curvature > 0, curvature, 1), 0)
            V = V + step * direction
            residual = residual - step * image
            Z = self.near.solve(residual)
            new = (residual * Z).sum(axis=0)
            direction = Z + np.where(slope > 0, new / np.where(slope > 0, slope, 1), 0) * direction
            slope = new
        worst = float((np.linalg.norm(residual, axis=0) / size).max())
        if worst > self.tol:
            warn(
                f"solver='cg' stopped after max_iter={self.max_iter} iterations at a residual of "
                f"{worst:.1e}, above tol={self.tol:.1e}: type a larger n_components, alpha or "
                "max_iter.",
                ConvergenceWarning,
            )
        return V

    def inverse_diagonal(self, index=EVERY):
        """None: it would take n solves."""
