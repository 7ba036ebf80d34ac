"""Leading directions of rows: exact, and nested in their number."""

import numpy as np
from scipy.linalg import eigh

# So many eigenvectors are found at least, so that fewer directions are the first of more.
AT_LEAST = 256


def leading_directions(E, n_components):
    """Mean of rows, and the eigenvectors of their covariance with the largest eigenvalues.

    Parameters
    ----------
    E : float64 ndarray of shape (n, p)

    n_components : int

    Returns
    -------
    mean : ndarray of shape (p,)

    V : ndarray of shape (p, n_components)
        The largest entry of each column is positive; zeros where the rows span fewer
        directions.
    """
    mean = E.mean(axis=0)
    A = E - mean
    by_rows = len(A) < A.shape[1]
    product = A @ A.T if by_rows else A.T @ A
    n = len(product)
    first = max(0, n - max(AT_LEAST, n_components))
    values, vectors = eigh(product, subset_by_index=[first, n - 1])
    kept = np.flatnonzero(values > 1e-12 * max(values[-1], 0.0))[::-1][:n_components]
    V = np.zeros((A.shape[1], n_components))
    if by_rows:
        V[:, : len(kept)] = A.T @ (vectors[:, kept] / np.sqrt(values[kept]))
    else:
        V[:, : len(kept)] = vectors[:, kept]
    largest = V[np.abs(V).argmax(axis=0), np.arange(n_components)]
    return mean, V * np.where(largest < 0, -1.0, 1.0)


def projected(E, mean, V):
    """Coordinates (n, k) of rows (n, p) on directions (p, k) from their mean."""
    return E @ V - mean @ V
