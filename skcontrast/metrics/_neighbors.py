"""Measures of nearest rows: hubs, and whether two embeddings agree on who is near."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.stats import skew
from sklearn.neighbors import NearestNeighbors

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    BLOCK,
    TIE,
    blocks,
    check_option,
    check_pair,
    check_table,
    unit_rows,
)

SCORES = "skewness", "robin_hood", "gini", "atkinson", "antihub", "hub"


def k_occurrence(
    z: ArrayLike, n_neighbors: int = 10, *, metric: Literal["euclidean", "cosine"] = "euclidean"
) -> np.ndarray:
    r"""How often each row is among the nearest rows of the others.

    .. math:: N_i = \#\{j \ne i : i \in \mathrm{kNN}(j)\}

    where a row is no neighbour of itself. Rows of large :math:`N_i` are hubs, those of 0
    antihubs. The mean is k. Rows that are equally far from j, as equal rows are, share the
    places that nearer ones leave: each counts by its chance of one when the order is drawn at
    random, so that the order of the rows does not matter.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_features)
        Embedding.

    n_neighbors : int, default=10
        Number k of nearest rows, below ``n_samples``.

    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance; "cosine" is the Euclidean one of unit rows.

    Returns
    -------
    occurrence : float64 ndarray of shape (n_samples,)
        Whole numbers where no two rows are equally far from a third.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, a number of neighbours that is out of range or, with
        "cosine", a row of zeros.

    References
    ----------
    Radovanović et al., "Hubs in space: popular nearest neighbors in high-dimensional data",
    JMLR 11 (2010).

    Examples
    --------
    >>> from skcontrast.metrics import k_occurrence
    >>> k_occurrence([[0.0], [1.0], [3.0], [-1.5]], n_neighbors=1)
    array([2., 2., 0., 0.])
    >>> k_occurrence([[0.0], [1.0], [1.0], [1.0]], n_neighbors=1)  # each 1 has the two others
    array([0.        , 1.33333333, 1.33333333, 1.33333333])
    """
    check_option(metric, "metric", ("euclidean", "cosine"))
    z = check_table(z)
    k = check_count(n_neighbors, "n_neighbors", len(z) - 1)
    if metric == "cosine":
        z = unit_rows(z)
    # Sorted, the rows are the same in whatever order they came, and so is all that follows;
    # -0.0 becomes 0.0.
    rows, which, copies = np.unique(z + 0.0, axis=0, return_inverse=True, return_counts=True)
    return _occurrence(rows, copies, k)[which.ravel()]


def _occurrence(rows, copies, k):
    """k-occurrence of one copy of each of different rows, (n_rows,)."""
    found = np.zeros(len(rows))
    for i, nearest, share, _ in nearest_shares(rows, copies, k):
        times = np.repeat(copies[i][:, None], nearest.shape[1], axis=1)
        times[:, 0] -= 1
        found += np.bincount(nearest.ravel(), (share * times).ravel(), len(rows))
    # What fractions add up to, without their rounding: hubs are told by a threshold.
    return np.round(found, 9)


def nearest_shares(rows, copies, k):
    """Neighbours of different rows, of which there are some copies each, part by part.

    Yields numbers of rows (m,), those of their nearest rows (m, size), each row itself in front
    for its other copies, the chance of a copy of each to be one of the k nearest, and distances.
    """
    # Squares of 1e200 overflow, and far from 0 differences are lost among rounding.
    power = np.frexp(np.abs(rows).max())[1]
    rows = np.ldexp(rows, -power)
    rounding = 1e-15 * np.linalg.norm(rows, axis=1)
    rows = rows - np.median(rows, axis=0)
    search = NearestNeighbors().fit(rows)
    todo, size = np.arange(len(rows)), k + 2
    while len(todo):
        size, later = min(size, len(rows)), []
        for part in blocks(len(todo), max(1, BLOCK**2 // size)):
            i = todo[part]
            distance, nearest = search.kneighbors(rows[i], size)
            # The row itself comes first, for its other copies.
            nearest, distance = _first(nearest, distance, i)
            number = copies[nearest]
            number[:, 0] -= 1
            share, done = _shares(distance, number, k, rounding[i])
            done |= size == len(rows)
            yield i[done], nearest[done], share[done], np.ldexp(distance[done], power)
            later.append(i[~done])
        todo, size = np.concatenate(later), 8 * size


def _first(nearest, distance, row):
    """Neighbours (n, size) and distances with each row itself in front, at distance 0."""
    here = nearest == row[:, None]
    # Among rows closer than floats can tell it may be missing: the last one gives way.
    here[~here.any(axis=1), -1] = True
    others = ~here
    shape = (len(row), nearest.shape[1] - 1)
    nearest = np.column_stack([row, nearest[others].reshape(shape)])
    return nearest, np.column_stack([np.zeros(len(row)), distance[others].reshape(shape)])


def _shares(distance, number, k, rounding):
    """Chance of each neighbour to be one of the k nearest, and whether all of these are there.

    Of sorted distances (n, size), ``number`` rows being at each; those that differ by rounding
    are equal.
    """
    last = (np.cumsum(number, axis=1) >= k).argmax(axis=1)[:, None]
    edge = np.take_along_axis(distance, last, axis=1)
    slack = TIE * edge + rounding[:, None]
    nearer, tied = distance < edge - slack, np.abs(distance - edge) <= slack
    places = k - (nearer * number).sum(axis=1)
    chance = places / (tied * number).sum(axis=1)
    return nearer + tied * chance[:, None], distance[:, -1] > (edge + slack)[:, 0]


def hubness(
    z: ArrayLike,
    n_neighbors: int = 10,
    *,
    score: Literal["skewness", "robin_hood", "gini", "atkinson", "antihub", "hub"] = "skewness",
    metric: Literal["euclidean", "cosine"] = "euclidean",
) -> float:
    r"""How unequally rows are neighbours of others; 0 is equal, higher is worse.

    With the k-occurrences :math:`N_i` of :func:`k_occurrence`, their mean k and standard
    deviation :math:`\sigma`, the scores are

    .. math::
        \text{skewness} = \frac{1}{n} \sum_i \frac{(N_i - k)^3}{\sigma^3}, \qquad
        \text{robin hood} = \frac{\sum_i |N_i - k|}{2 n k}, \qquad
        \text{gini} = \frac{\sum_{ij} |N_i - N_j|}{2 n^2 k}

    .. math::
        \text{atkinson} = 1 - \frac{(\frac{1}{n} \sum_i \sqrt{N_i})^2}{k}, \qquad
        \text{antihub} = \frac{\#\{i : N_i = 0\}}{n}, \qquad
        \text{hub} = \frac{\sum_{i : N_i \ge 2 k} N_i}{n k}

    Rows that are equally far from another one share its places, as in :func:`k_occurrence`.
    Robin hood is the share of all occurrences that would have to be moved to make them equal;
    antihub the share of rows that nobody finds, hub the share of occurrences that go to hubs.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_features)
        Embedding.

    n_neighbors : int, default=10
        Number k of nearest rows, below ``n_samples``.

    score : str, default="skewness"
        Which number is given: "skewness", "robin_hood", "gini", "atkinson", "antihub" or "hub".
        Skewness may be negative, the others lie between 0 and 1.

    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance; "cosine" is the Euclidean one of unit rows.

    Returns
    -------
    hubness : float

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, a number of neighbours that is out of range or, with
        "cosine", a row of zeros.

    References
    ----------
    Radovanović et al., "Hubs in space: popular nearest neighbors in high-dimensional data",
    JMLR 11 (2010). Feldbauer et al., "Fast approximate hubness reduction for large
    high-dimensional data", ICBK 2018.

    Examples
    --------
    >>> from skcontrast.metrics import hubness
    >>> star = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]
    >>> round(hubness(star, n_neighbors=1), 3)  # the centre is everybody's neighbour
    1.5
    >>> hubness(star, n_neighbors=1, score="hub")
    0.8
    """
    check_option(score, "score", SCORES)
    occurrence = k_occurrence(z, n_neighbors, metric=metric)
    n, k = len(occurrence), n_neighbors
    total = n * k
    if score == "skewness":
        return float(skew(occurrence)) if np.ptp(occurrence) else 0.0
    if score == "robin_hood":
        return float(np.abs(occurrence - k).sum() / (2 * total))
    if score == "gini":
        # Of sorted numbers, the sum of all absolute differences in n steps.
        weights = 2 * np.arange(1, n + 1) - n - 1
        return float(weights @ np.sort(occurrence) / (n * total))
    if score == "atkinson":
        return float(1 - np.sqrt(occurrence).mean() ** 2 / k)
    if score == "antihub":
        return float(np.mean(occurrence == 0))
    return float(occurrence[occurrence >= 2 * k].sum() / total)


def neighbor_overlap(
    z1: ArrayLike,
    z2: ArrayLike,
    k: int = 10,
    *,
    score: Literal["jaccard", "rank"] = "jaccard",
    block_size: int = BLOCK,
) -> float:
    r"""How far two embeddings agree on the k nearest rows of each row; higher is more alike.

    With the k rows :math:`A_i` and :math:`B_i` of the highest cosine to row i in the one and in
    the other embedding, at the places :math:`a_{ij}` and :math:`b_{ij}` from 1 on,

    .. math::
        \text{jaccard} = \frac{1}{n} \sum_i \frac{|A_i \cap B_i|}{|A_i \cup B_i|}, \qquad
        \text{rank} = \frac{1}{n} \sum_i \frac{1}{H_{m_i}} \sum_{j \in A_i \cap B_i}
            \frac{2}{(1 + |a_{ij} - b_{ij}|)(a_{ij} + b_{ij})}

    with :math:`m_i = |A_i \cap B_i|` and :math:`H_m = 1 + \frac12 + \ldots + \frac1m`; the
    second is 0 for a row without a common neighbour, and looks at places and not at how many
    neighbours are common. Unrelated embeddings have a jaccard score of about k / (2 n - k).

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Two embeddings of the same rows, which may differ in width.

    k : int, default=10
        Number of nearest rows, below ``n_samples``; a row is no neighbour of itself. With few the
        score is noisy: say k with every figure.

    score : {"jaccard", "rank"}, default="jaccard"
        Whether common neighbours are counted, or their places compared.

    block_size : int, default=1024
        Rows that are compared with all others at once.

    Returns
    -------
    overlap : float
        Between 0 and 1. Rows that are equally near are taken in the order of their numbers.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, NaN, tables of different length, or a k that is
        out of range.

    See Also
    --------
    rsa : Of all pairs of rows, near and far.
    cka : Of the similarities themselves.

    References
    ----------
    Caspari et al., "Beyond benchmarks: evaluating embedding model similarity for retrieval
    augmented generation systems", 2024.

    Examples
    --------
    >>> from skcontrast.metrics import neighbor_overlap
    >>> z = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]
    >>> neighbor_overlap(z, [[0.0, 2.0], [0.1, 2.0], [1.0, 0.0], [1.0, 0.1]], k=1)
    1.0
    >>> neighbor_overlap(z, [[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]], k=1)
    0.0
    """
    check_option(score, "score", ("jaccard", "rank"))
    size = check_count(block_size, "block_size")
    tables = check_pair(z1, z2, same_width=False)
    n = len(tables[0])
    k = check_count(k, "k", n - 1)
    units = [unit_rows(z, name) for z, name in zip(tables, ("z1", "z2"))]
    harmonic = np.concatenate([[1.0], np.cumsum(1 / np.arange(1.0, k + 1))])
    total = 0.0
    for rows in blocks(n, size):
        a, b = (_nearest_places(u, rows, k) for u in units)  # (rows, n), 0 is not near
        common = (a > 0) & (b > 0)
        m = common.sum(axis=1)
        if score == "jaccard":
            total += (m / (2 * k - m)).sum()
        else:
            a, b = a[common], b[common]
            total += (2 / ((1 + np.abs(a - b)) * (a + b)) / np.repeat(harmonic[m], m)).sum()
    return float(total / n)


def _nearest_places(u, rows, k):
    """Place from 1 on of the k nearest rows of a block of rows, 0 for the others: (rows, n)."""
    cosine = u[rows] @ u.T
    cosine[np.arange(len(cosine)), np.arange(rows.start, rows.stop)] = -np.inf
    # Cosines that are equal but for rounding are in the order of their rows.
    order = np.argsort(-cosine.round(-int(np.log10(TIE))), axis=1, kind="stable")[:, :k]
    places = np.zeros(cosine.shape)
    np.put_along_axis(places, order, np.arange(1.0, k + 1)[None], axis=1)
    return places
