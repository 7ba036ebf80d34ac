"""Which rows are copies of each other: equal, nearly equal, or of one group that was given.

A copy says nothing new. Left out alone a row would be judged by its own copy, so that copies
leave together, and numbers are chosen on one row in their place.
"""

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform
from sklearn.metrics.pairwise import euclidean_distances

# Above this many rows only equal ones are found; it is also how many numbers are chosen on.
SELECTION_ROWS = 2000
# Copies are nearer to each other than this share of the distance to any other row. In few
# columns that happens by chance too: a share r has the chance r^d, kept below 2^-CHANCE.
NEAR, CHANCE = 0.5, 8


def clumps(X, target, groups=None, near=False):
    """Number of the clump of copies that each row is in: (n,), in the order of the first rows.

    Parameters
    ----------
    X : ndarray of shape (n, d)

    target : ndarray of shape (n,) or (n, t)
        Rows with different targets are no copies, however near.

    groups : int ndarray of shape (n,), default=None
        Rows of one number are copies.

    near : bool, default=False
        Whether rows that are nearly equal count as copies too.
    """
    together = _equal(np.column_stack([X, target]))
    if groups is not None:
        together = _joined(together, groups)
    first = np.unique(together, return_index=True)[1]
    if near and 2 < len(first) <= SELECTION_ROWS:
        together = _joined(together, _near(X[first], target[first])[together])
    return together


def _numbered(labels):
    """Labels as 0, 1, ... in the order in which they come first."""
    _, first, place = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[place]


def _equal(A):
    A = np.ascontiguousarray(A + 0.0)  # -0.0 has other bits than 0.0
    return _numbered(A.view(np.dtype((np.void, A.dtype.itemsize * A.shape[1])))[:, 0])


def _joined(one, other):
    """Rows that are together by one labelling or by the other, or by both in steps."""
    n, one, other = len(one), _numbered(one), _numbered(other)
    nodes = np.concatenate([n + one, n + one.max() + 1 + other])
    size = nodes.max() + 1
    edges = coo_array((np.ones(2 * n), (np.tile(np.arange(n), 2), nodes)), shape=(size, size))
    return _numbered(connected_components(edges, directed=False)[1][:n])


def _near(X, target):
    """The widest clumps of one target that are far from all other rows, for their width."""
    n, d = X.shape
    share = min(NEAR, 2 ** (-CHANCE / d))
    square = euclidean_distances(X)
    tree = linkage(squareform(square, checks=False), "single")
    # With single linkage a clump grows at the distance of the nearest row outside.
    gap = np.full(2 * n - 1, np.inf)
    for parts, height in zip(tree[:, :2].astype(int), tree[:, 2]):
        gap[parts] = height
    tight = np.flatnonzero(tree[:, 2] < share * gap[n:])
    together = np.arange(n)
    if not len(tight) or not np.isfinite(gap[n + tight]).any():
        return together
    members = [[i] for i in range(n)]
    for parts in tree[:, :2].astype(int):
        members.append(members[parts[0]] + members[parts[1]])
    for node in n + tight:  # from narrow to wide
        rows = members[node]
        one_target = (target[rows] == target[rows[0]]).all()
        if np.isfinite(gap[node]) and one_target:
            if square[np.ix_(rows, rows)].max() < share * gap[node]:
                together[rows] = min(rows)
    return together
