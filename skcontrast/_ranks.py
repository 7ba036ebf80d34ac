"""How many candidates are nearer to a query than its partner, and as near."""

import numpy as np
from scipy.spatial.distance import cdist


def places(queries, candidates, partner=None, *, euclidean=False, tie=1e-12, size=1024):
    """Candidates nearer than each query's partner, and as near, which it is itself: (n,), (n,).

    The partner of query i is candidate ``partner[i]``, by default i. Nearer is a greater inner
    product, or a smaller distance; where two differ by ``tie`` or less, they are equal.
    """
    own = candidates[: len(queries)] if partner is None else candidates[partner]
    if euclidean:
        own = -np.linalg.norm(queries - own, axis=1)
    else:
        own = np.einsum("ij,ij->i", queries, own)
    nearer, equal = np.zeros((2, len(queries)))
    for first in range(0, len(queries), size):
        rows = slice(first, first + size)
        for start in range(0, len(candidates), size):
            tile = candidates[start : start + size]
            found = -cdist(queries[rows], tile) if euclidean else queries[rows] @ tile.T
            found -= own[rows, None]
            nearer[rows] += (found > tie).sum(axis=1)
            equal[rows] += (np.abs(found) <= tie).sum(axis=1)
    return nearer, equal


def mean_ranks(nearer, equal):
    """Rank from 1 on of what ``places`` counted; equal candidates share the mean of theirs."""
    return nearer + (equal + 1) / 2
