r"""Directions in which one set of rows varies more than another: the algebra of contrastive PCA.

With the covariances :math:`C_F` and :math:`C_B` of a foreground and a background, each about its
own mean, directions are the leading eigenvectors of :math:`C_F - \alpha C_B`, or solve
:math:`C_F v = w C_B v`.
"""

import warnings
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, eigh, svd
from sklearn.cluster import SpectralClustering

# The published search: so many contrasts on a logarithmic scale, and 0, in so many groups.
CONTRASTS = np.concatenate([[0.0], np.logspace(-1, 3, 40)])
N_GROUPS = 4
# Tables with more columns are first brought to the space that their rows span.
MOST_COLUMNS = 1000


class Spread(NamedTuple):
    """Both covariances, in coordinates of some axes."""

    foreground: np.ndarray  # (r, r)
    background: np.ndarray  # (r, r)
    average: float  # variance of a column of the background, over all columns
    axes: np.ndarray | None  # (d, r), orthonormal; None are the columns themselves


def spread(F, B):
    """Covariances of the rows F (n, d) and B (m, d), which are centred here."""
    F, B = F - F.mean(axis=0), B - B.mean(axis=0)
    average, axes = float(B.var(axis=0, ddof=1).mean()), None
    if F.shape[1] > MOST_COLUMNS:
        _, sizes, right = svd(np.vstack([F, B]), full_matrices=False)
        axes = right[sizes > 1e-10 * sizes[0]].T
        F, B = F @ axes, B @ axes
    return Spread(F.T @ F / (len(F) - 1), B.T @ B / (len(B) - 1), average, axes)


def _leading(A, k, M=None):
    """The k largest eigenvalues, falling, and their eigenvectors as columns of length one."""
    values, vectors = eigh(A, M, subset_by_index=[len(A) - k, len(A) - 1])
    vectors = vectors[:, ::-1]
    return values[::-1], vectors / np.linalg.norm(vectors, axis=0)


def subtracted(both, contrast, k):
    """Leading eigenvectors of C_F - contrast C_B."""
    return _leading(both.foreground - contrast * both.background, k)


def divided(both, shrinkage, k):
    """Leading solutions of C_F v = w C v, C the background's covariance shrunk to its mean."""
    ridge = shrinkage * both.average * np.eye(len(both.background))
    C = (1 - shrinkage) * both.background + ridge
    # LAPACK notices only what is negative: below this share all that is left is rounding.
    least, largest = eigh(C, eigvals_only=True)[[0, -1]]
    if not least > 1e-12 * largest:
        raise LinAlgError("the background does not vary in some direction")
    return _leading(both.foreground, k, C)


def planes(both, contrasts=CONTRASTS):
    """The two leading directions under each contrast: a list of arrays (r, 2)."""
    k = min(2, len(both.foreground))
    return [subtracted(both, contrast, k)[1] for contrast in contrasts]


def affinities(bases):
    """Products of the cosines of the angles between subspaces of one dimension: (q, q).

    Each base is an array of orthonormal columns.
    """
    out = np.eye(len(bases))
    for i, first in enumerate(bases):
        for j in range(i):
            cosines = np.linalg.svd(first.T @ bases[j], compute_uv=False)
            out[i, j] = out[j, i] = cosines.prod()
    return out


def medoids(affinity, contrasts=CONTRASTS):
    """The contrasts that stand for the groups of alike ones, rising, without the group of 0."""
    groups = SpectralClustering(N_GROUPS, affinity="precomputed", random_state=0)
    with warnings.catch_warnings():
        # Contrasts that show something wholly different make a graph of several pieces.
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels = groups.fit(affinity).labels_
    found = []
    for label in np.unique(labels[labels != labels[0]]):  # the first is that of 0
        members = np.flatnonzero(labels == label)
        sums = affinity[np.ix_(members, members)].sum(axis=0)
        found.append(contrasts[members[sums.argmax()]])
    return np.sort(found)


def candidates(both):
    """Contrasts to look at, rising: of each way in which the leading directions may lie one."""
    if len(both.foreground) < 2:
        return np.array([1.0])  # there is one direction only
    found = medoids(affinities(planes(both)))
    return found if len(found) else np.array([1.0])
