"""Groups of near rows, by k-means."""

import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from threadpoolctl import threadpool_limits

# Above so many rows k-means goes through them in batches.
MINI_BATCH = 20_000


def find_centers(rows, n_clusters, seed, start=None):
    """Centres of clusters of rows.

    Parameters
    ----------
    rows : float64 {ndarray, CSR} of shape (n, d)
        In float64, the rounding of their sums does not show in who is nearest.

    n_clusters : int
        At most n are made.

    seed : int

    start : ndarray of shape (n_clusters, d), default=None
        Centres to go on from.

    Returns
    -------
    centers : float64 ndarray of shape (k, d)
        Distinct; fewer than asked for where rows are equal.
    """
    n_clusters = min(n_clusters, rows.shape[0])
    init = "k-means++" if start is None or len(start) != n_clusters else start
    kind = MiniBatchKMeans if rows.shape[0] > MINI_BATCH else KMeans
    # Three threads or more add their sums up in the order in which they end.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        # Fewer distinct rows than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = kind(n_clusters, init=init, n_init=1, max_iter=30, random_state=seed).fit(rows)
    return model.cluster_centers_[np.unique(model.labels_)]


def nearest_center(rows, centers):
    """Number of the centre nearest to each row: int64 (n,)."""
    return pairwise_distances_argmin(rows, centers).astype(np.int64)


def cluster_means(rows, labels):
    """Mean row of each cluster that has rows: (k, d), by rising label.

    Added up row by row, to the last bit the same with any number of threads.
    """
    _, labels = np.unique(labels, return_inverse=True)
    n = len(labels)
    members = sp.csr_matrix((np.ones(n), (labels, np.arange(n))))  # (k, n)
    return (members @ rows) / np.bincount(labels)[:, None]
