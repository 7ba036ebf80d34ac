r"""Canonical correlation of two and more blocks, in closed form.

With the centred block :math:`X_v` of the rows that have it, its covariance :math:`C_{vv}`,
:math:`R_v = (1 - r) C_{vv} + r \frac{\mathrm{tr} C_{vv}}{p_v} I`, and the whitened
:math:`T_{ab} = R_a^{-1/2} C_{ab} R_b^{-1/2}`, the directions are eigenvectors of

.. math:: T = \begin{pmatrix} I & T_{12} & \ldots \\ T_{21} & I & \\
    \vdots & & \ddots \end{pmatrix}, \qquad T w = \lambda w, \qquad \rho = \frac{\lambda - 1}{V - 1}

(MAXVAR; of two blocks :math:`\rho` are the singular values of :math:`T_{12}`). A block is first
brought to its leading principal axes, where :math:`R_v` is diagonal: each pair of blocks takes one
product, whatever r, and a covariance is of the rows that have both.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.linalg import LinAlgError, eigh
from sklearn.utils.extmath import randomized_svd

from skcontrast._ranks import mean_ranks, places

# Axes that are kept of a block; up to so many rows or columns these are found exactly.
MOST_AXES, EXACT = 300, 3000
# An axis with less of the largest variance is rounding.
LEAST_VARIANCE = 1e-10
GRID = (0.001, 0.01, 0.1, 0.3, 0.6)
FOLDS, MOST_ROWS = 5, 4000


class Axes(NamedTuple):
    """Principal axes of one block."""

    mean: np.ndarray  # (p,)
    axes: np.ndarray  # (p, q), orthonormal
    variances: np.ndarray  # (q,), falling
    average: float  # of the variances of all columns


class Maps(NamedTuple):
    """Affine maps of the blocks into the shared space: z = x @ weight + offset."""

    weights: list  # V arrays (p_v, k)
    offsets: list  # V arrays (k,)
    correlations: np.ndarray  # (k,), falling


def principal_axes(X, most=MOST_AXES):
    """Axes of the rows of X (n, p), dense or CSR; sparse rows are centred without being filled."""
    n, p = X.shape
    mean = np.asarray(X.mean(axis=0), dtype=np.float64).ravel()
    squares = X.multiply(X).sum(axis=0) if sp.issparse(X) else np.square(X, dtype=np.float64).sum(0)
    total = float(np.maximum(np.asarray(squares).ravel() / n - mean**2, 0.0).sum())
    if p <= min(n, EXACT):
        product = X.T @ X if sp.issparse(X) else X.T @ X.astype(np.float64)
        product = product.toarray() if sp.issparse(product) else product
        variances, axes = _leading(product / n - np.outer(mean, mean), most)
    elif n < p and n <= EXACT:
        product = X @ X.T
        product = (product.toarray() if sp.issparse(product) else product).astype(np.float64)
        product -= product.mean(axis=0)
        product -= product.mean(axis=1, keepdims=True)
        variances, left = _leading(product / n, most)
        axes = (X.T @ left - np.outer(mean, left.sum(axis=0))) / np.sqrt(n * variances)
    else:
        _, _, right = randomized_svd(X, min(most, min(n, p) - 1), random_state=0)
        inside = X @ right.T - mean @ right.T
        variances, turned = _leading(inside.T @ inside / n, most)
        axes = right.T @ turned
    return Axes(mean, axes, variances, total / p)


def _largest(A, k):
    """The k largest eigenvalues of a symmetric matrix, rising, and their eigenvectors."""
    try:
        return eigh(A, subset_by_index=[len(A) - k, len(A) - 1])
    except LinAlgError:  # of LAPACK's search for some of them, where many are as large
        values, vectors = eigh(A, driver="evd")
        return values[-k:], vectors[:, -k:]


def _leading(covariance, most):
    """Largest eigenvalues, falling, and their eigenvectors."""
    n = len(covariance)
    values, vectors = _largest(covariance, min(most, n))
    kept = np.flatnonzero(values > LEAST_VARIANCE * max(values[-1], 0.0))[::-1]
    if not len(kept) or values[-1] <= 0:
        return np.empty(0), np.empty((n, 0))
    return values[kept], vectors[:, kept]


class Products:
    """What canonical directions are found from, for any strength of regularisation.

    Parameters
    ----------
    blocks : list of arrays or CSR of shape (n, p_v)

    present : bool ndarray of shape (V, n) or None
        Which rows have which block.
    """

    def __init__(self, blocks, present=None):
        n = blocks[0].shape[0]
        present = np.ones((len(blocks), n), dtype=bool) if present is None else present
        self.axes = [principal_axes(X[there]) for X, there in zip(blocks, present)]
        places = [
            np.where(there[:, None], X @ a.axes - a.mean @ a.axes, 0.0)
            for X, there, a in zip(blocks, present, self.axes)
        ]
        self.crossed = {}
        for a, b in combinations(range(len(blocks)), 2):
            both = max(1, int((present[a] & present[b]).sum()))
            self.crossed[a, b] = places[a].T @ places[b] / both

    def maps(self, regularization, n_components=None, weighting=1.0):
        """Maps into the shared space, at most as wide as there are directions.

        Parameters
        ----------
        regularization : float
            The share r of the mean variance in each covariance.

        n_components : int, default=None
            None is as many as the second widest block has.

        weighting : float, default=1.0
            Power of the correlation that a direction is weighed by.
        """
        r, n_blocks = regularization, len(self.axes)
        white = [((1 - r) * a.variances + r * a.average) ** -0.5 for a in self.axes]
        ends = np.cumsum([0, *map(len, white)])
        shared = np.zeros((ends[-1], ends[-1]))
        for (a, b), product in self.crossed.items():
            part = white[a][:, None] * product * white[b]
            shared[ends[a] : ends[a + 1], ends[b] : ends[b + 1]] = part
            shared[ends[b] : ends[b + 1], ends[a] : ends[a + 1]] = part.T
        most = sorted(map(len, white))[-2]
        wanted = most if n_components is None else min(n_components, most)
        if not wanted:
            weights = [np.zeros((len(a.mean), 0)) for a in self.axes]
            return Maps(weights, [np.zeros(0)] * n_blocks, np.empty(0))
        values, vectors = _largest(shared, wanted)
        values, vectors = values[::-1] / (n_blocks - 1), vectors[:, ::-1]
        correlations = np.clip(values, 0.0, 1.0)
        scaled = vectors * np.sqrt(n_blocks) * correlations**weighting
        weights = [
            a.axes @ (w[:, None] * scaled[ends[v] : ends[v + 1]])
            for v, (a, w) in enumerate(zip(self.axes, white))
        ]
        # Signs by the columns: those of the axes are left to rounding.
        stacked = np.vstack(weights)
        largest = stacked[np.abs(stacked).argmax(axis=0), np.arange(wanted)]
        weights = [weight * np.where(largest < 0, -1.0, 1.0) for weight in weights]
        offsets = [-a.mean @ weight for a, weight in zip(self.axes, weights)]
        return Maps(weights, offsets, correlations)


def unit_rows(Z):
    """Rows of unit length; a row of zeros stays one."""
    length = np.linalg.norm(Z, axis=-1, keepdims=True)
    return Z / np.where(length > 1e-12, length, 1.0)


def products_by_row(S, weight):
    """Rows times directions, always so many at a time: a row's bits depend on no other."""
    size, n = 64, S.shape[0]
    if sp.issparse(S):
        return S @ weight
    out = np.empty((n, weight.shape[1]))
    for start in range(0, n, size):
        rows = np.minimum(np.arange(start, start + size), n - 1)
        out[start : start + size] = (S[rows] @ weight)[: n - start]
    return out


def reciprocal_ranks(query, candidates):
    """One over the rank of the own partner by the cosine, of unit rows (n, d): (n,).

    Among candidates as near as the partner, its rank is the mean of theirs.
    """
    return 1.0 / mean_ranks(*places(query, candidates, tie=1e-9))


def mean_reciprocal_rank(Z, present=None):
    """Mean of :func:`reciprocal_ranks` over rows and ordered pairs of blocks: Z (V, n, d)."""
    means = []
    for a, b in combinations(range(len(Z)), 2):
        both = slice(None) if present is None else present[a] & present[b]
        first, second = Z[a][both], Z[b][both]
        if len(first):
            ranks = reciprocal_ranks(first, second), reciprocal_ranks(second, first)
            means.append(np.mean(ranks))
    return float(np.mean(means)) if means else float("nan")


def best_regularization(blocks, present=None, n_components=None, weighting=1.0):
    """The strength of :data:`GRID` by which held-out partners are found best."""
    n = blocks[0].shape[0]
    order = np.random.default_rng(0).permutation(n)[:MOST_ROWS]
    n_folds, scores = min(FOLDS, len(order) // 2), np.zeros(len(GRID))
    if n_folds < 2:
        return 0.1
    for fold in range(n_folds):
        out = order[fold::n_folds]
        kept = np.setdiff1d(order, out)
        there = None if present is None else present[:, kept]
        if there is not None and there.sum(axis=1).min() < 2:
            continue
        products = Products([X[kept] for X in blocks], there)
        for i, r in enumerate(GRID):
            maps = products.maps(r, n_components, weighting)
            Z = [X[out] @ w + o for X, w, o in zip(blocks, maps.weights, maps.offsets)]
            score = mean_reciprocal_rank(
                unit_rows(np.array(Z)), None if present is None else present[:, out]
            )
            scores[i] += 0.0 if np.isnan(score) else score
    return GRID[int(scores.argmax())]
