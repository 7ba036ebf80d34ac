"""Measures of nearest rows: hubs, and views that find each other."""

from __future__ import annotations

from itertools import product
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
    # Squares of 1e200 overflow, and far from 0 differences are lost among rounding.
    rows = np.ldexp(rows, -np.frexp(np.abs(rows).max())[1])
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
            times = np.repeat(copies[i][:, None], size, axis=1)
            times[:, 0] -= 1
            given = share * times
            found += np.bincount(nearest[done].ravel(), given[done].ravel(), len(rows))
            later.append(i[~done])
        todo, size = np.concatenate(later), 8 * size
    # What fractions add up to, without their rounding: hubs are told by a threshold.
    return np.round(found, 9)


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


def retrieval(z1: ArrayLike, z2: ArrayLike, *, k: int = 1, block_size: int = BLOCK) -> float:
    r"""Share of rows whose other view is among the k nearest; higher is better.

    .. math::
        \frac{1}{n} \sum_i P(r_i \le k), \qquad
        r_i = 1 + \#\{j \ne i : u_i \cdot v_j > u_i \cdot v_i\}

    with the unit rows u of ``z1``, which ask, and v of ``z2``, which are searched. Among equal
    cosines the order is taken at random, and P is the chance then: an encoder that gives the
    same to every row has k / n, what guessing has. More rows make it harder: compare over
    equally many.

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Embeddings of two views of the same rows.

    k : int, default=1
        How many nearest rows count, at most ``n_samples``.

    block_size : int, default=1024
        Rows of a tile of pairs. The memory is O(n d + block_size²).

    Returns
    -------
    share : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, NaN, tables of different shapes, or a k that
        is out of range.

    References
    ----------
    Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR
    2018: every row a class of its own.

    Examples
    --------
    >>> from skcontrast.metrics import retrieval
    >>> z = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    >>> retrieval(z, z)
    1.0
    >>> round(retrieval(z, [[0.0, 1.0], [1.0, 0.0], [-1.0, 0.1]]), 3)
    0.333
    """
    size = check_count(block_size, "block_size")
    z1, z2 = check_pair(z1, z2)
    k = check_count(k, "k", len(z1))
    nearer, equal = places(z1, z2, size)
    return found_within(nearer, equal, k)


def places(z1, z2, size=BLOCK):
    """How many rows of ``z2`` are nearer to each row of ``z1`` than its own, and as near."""
    u, v = unit_rows(z1, "z1"), unit_rows(z2, "z2")
    n = len(u)
    own = np.einsum("ij,ij->i", u, v)
    nearer, equal = np.zeros((2, n))
    for rows, columns in product(blocks(n, size), repeat=2):
        difference = u[rows] @ v[columns].T - own[rows, None]
        nearer[rows] += (difference > TIE).sum(axis=1)
        equal[rows] += (np.abs(difference) <= TIE).sum(axis=1)  # the row itself among them
    return nearer, equal


def found_within(nearer, equal, k):
    """Share of rows that are among the k nearest, of the numbers that ``places`` gives."""
    return float(np.clip((k - nearer) / equal, 0.0, 1.0).mean())
