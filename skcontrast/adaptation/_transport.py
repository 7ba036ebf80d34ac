"""Prototypes of classes moved to a set of queries by optimal transport."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.distance import cdist

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.functional import balanced_assignment
from skcontrast.metrics._checks import check_table


def transported_prototypes(
    prototypes: ArrayLike, queries: ArrayLike, *, epsilon: float = 0.1, max_iter: int = 1000
) -> np.ndarray:
    r"""Move one row a class to the queries that fall to it, where each class gets as many.

    Of all plans P whose rows and columns have equal sums, the one that minimises

    .. math:: \sum_{cj} P_{cj} D_{cj} - \epsilon H(P), \qquad
        D_{cj} = \frac{\lVert t_c - q_j \rVert^2}{\max_{bi} \lVert t_b - q_i \rVert^2}

    is found by Sinkhorn's iterations, and the prototype :math:`t_c` becomes
    :math:`\sum_j P_{cj} q_j / \sum_j P_{cj}`. A few labelled rows from elsewhere then stand where
    the queries are.

    Parameters
    ----------
    prototypes : array-like of shape (n_classes, n_features)
        One row a class, such as ``class_embeddings_`` of a
        :class:`~skcontrast.ZeroShotClassifier`.

    queries : array-like of shape (n_queries, n_features)
        All rows that are to be classified, in the same space; unit rows where cosines count.

    epsilon : float, default=0.1
        The smaller, the fewer queries a prototype is made of; with large values all prototypes
        become the mean of the queries. Published values are 0.05 to 0.1.

    max_iter : int, default=1000
        Number of iterations.

    Returns
    -------
    moved : float64 ndarray of shape (n_classes, n_features)

    Raises
    ------
    ValueError
        For NaN, tables without rows, or of different width.

    Notes
    -----
    What a query is taken for depends on the other queries, so this is a function and not a method
    of a classifier: ``predict`` answers row by row. It takes classes to be equally frequent among
    the queries. Where they are not, prototypes move to queries of other classes: compare with the
    prototypes as they were.

    References
    ----------
    Poulakakis-Daktylidis and Jamali-Rad, "BECLR: batch enhanced contrastive few-shot learning",
    ICLR 2024.

    Examples
    --------
    >>> from skcontrast import ZeroShotClassifier
    >>> from skcontrast.adaptation import transported_prototypes
    >>> X, y = [[1.0, 0.0], [0.6, 0.8]], ["fox", "owl"]
    >>> queries = [[0.6, 0.8], [0.96, 0.28], [0.0, 1.0], [-0.6, 0.8]]
    >>> few = ZeroShotClassifier().fit(X, y)
    >>> few.predict(queries)
    array(['owl', 'fox', 'owl', 'owl'], dtype='<U3')
    >>> moved = transported_prototypes(few.class_embeddings_, queries)
    >>> ZeroShotClassifier(moved).fit(X, y).predict(queries)
    array(['fox', 'fox', 'owl', 'owl'], dtype='<U3')
    """
    T, Q = check_table(prototypes, "prototypes", 1), check_table(queries, "queries", 1)
    if T.shape[1] != Q.shape[1]:
        raise ValueError(
            f"prototypes has {T.shape[1]} columns and queries has {Q.shape[1]}: pass rows of one "
            "embedding."
        )
    if not epsilon > 0:
        raise ValueError(f"epsilon={epsilon!r}: type a number above 0, such as 0.1.")
    check_count(max_iter, "max_iter")
    cost = cdist(T, Q, "sqeuclidean")
    cost /= cost.max() or 1.0  # of rows that are all equal
    return balanced_assignment(torch.from_numpy(-cost), epsilon, max_iter).numpy() @ Q
