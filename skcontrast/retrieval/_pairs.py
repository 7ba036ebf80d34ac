"""Pairs of rows of two tables: scores by margin, the pairs that belong together, hard negatives."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import TIE, check_option, check_positive, check_table, unit_rows
from skcontrast.metrics._ranking import grades_of
from skcontrast.retrieval._exact import best_rows

Margin = Literal["absolute", "distance", "ratio"]
MARGINS = "absolute", "distance", "ratio"
MODES = "max", "intersect", "forward", "backward"
RULES = "relative", "absolute", "fixed"


def _unit_pair(X, Y, names=("X", "Y")):
    """Unit rows of two tables of one width."""
    U, V = (unit_rows(check_table(Z, name, 1), name) for Z, name in zip((X, Y), names))
    if U.shape[1] != V.shape[1]:
        raise ValueError(
            f"{names[0]} has {U.shape[1]} columns and {names[1]} has {V.shape[1]}: pass two "
            "tables of one space."
        )
    return U, V


def _nearest(U, V, k):
    """The k rows of V nearest to each of U, their cosines, and the mean of these."""
    scores, ids = best_rows(U, lambda part: V[part], len(V), k)
    return scores, ids, scores.mean(axis=1)


def _margin(cosine, around, margin):
    """Scores of pairs, of their cosines and the mean cosine around both rows."""
    if margin == "absolute":
        return cosine
    if margin == "distance":
        return cosine - around
    if (around <= 0).any():
        raise ValueError(
            "margin='ratio' divides by the mean cosine of nearest rows, which is not above 0 for "
            "some: type margin='distance'."
        )
    return cosine / around


def _check_k(k, n_x, n_y):
    return check_count(k, "k", min(n_x, n_y))


def margin_scores(X: ArrayLike, Y: ArrayLike, k: int = 4, margin: Margin = "ratio") -> np.ndarray:
    r"""Score pairs of rows of two tables by how much nearer they are than what is around them.

    With cosines :math:`c_{ij}` and the mean :math:`b_{ij} = (\overline{c_{i \cdot}} +
    \overline{c_{\cdot j}}) / 2` of those of the k nearest rows of i in Y and of j in X,

    .. math:: c_{ij} \;\text{("absolute")}, \qquad c_{ij} - b_{ij} \;\text{("distance")}, \qquad
        c_{ij} / b_{ij} \;\text{("ratio")}

    A row that is near to everything, a hub, scores less. The "distance" is half of what is called
    CSLS.

    Parameters
    ----------
    X : array-like of shape (n_x, n_features)
        Rows of one kind, such as sentences of a language.

    Y : array-like of shape (n_y, n_features)
        Rows of another one, in the same space.

    k : int, default=4
        Number of nearest rows, at most that of the smaller table.

    margin : {"absolute", "distance", "ratio"}, default="ratio"
        Of the cosine and its surroundings.

    Returns
    -------
    scores : ndarray of shape (n_x, n_y)
        Higher is better.

    Raises
    ------
    ValueError
        For NaN, rows of zeros, tables of different width, k out of range, or, with "ratio", rows
        whose nearest ones have no positive mean cosine.

    References
    ----------
    Artetxe and Schwenk, "Margin-based parallel corpus mining with multilingual sentence
    embeddings", ACL 2019.

    Examples
    --------
    >>> from skcontrast.retrieval import margin_scores
    >>> X = [[1.0, 0.1], [1.0, 0.8]]
    >>> margin_scores(X, [[1.0, 0.2], [0.9, 0.9]], k=2, margin="distance").round(3)
    array([[ 0.082, -0.11 ],
           [-0.053,  0.081]])
    """
    check_option(margin, "margin", MARGINS)
    U, V = _unit_pair(X, Y)
    k = _check_k(k, len(U), len(V))
    of_x, of_y = _nearest(U, V, k)[2], _nearest(V, U, k)[2]
    return _margin(U @ V.T, (of_x[:, None] + of_y) / 2, margin)


def mine_pairs(
    X: ArrayLike,
    Y: ArrayLike,
    k: int = 4,
    margin: Margin = "ratio",
    *,
    mode: Literal["max", "intersect", "forward", "backward"] = "max",
    threshold: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Find which rows of two tables belong together, such as translations.

    Among the k nearest rows of each, the one of the highest :func:`margin_scores` is taken.

    Parameters
    ----------
    X : array-like of shape (n_x, n_features)
        Rows of one kind.

    Y : array-like of shape (n_y, n_features)
        Rows of another one, in the same space.

    k : int, default=4
        Number of nearest rows, at most that of the smaller table.

    margin : {"absolute", "distance", "ratio"}, default="ratio"
        The score, as in :func:`margin_scores`.

    mode : {"max", "intersect", "forward", "backward"}, default="max"
        "forward" takes the best row of Y for each of X, "backward" the other way. "intersect" keeps
        the pairs that both give. "max" goes through those of both from the highest score down,
        and takes each row once.

    threshold : float or None, default=None
        Pairs whose score is not above it are left out. None keeps all.

    Returns
    -------
    pairs : int64 ndarray of shape (n_pairs, 2)
        Row numbers in X and in Y; with "max" the highest score comes first.

    scores : ndarray of shape (n_pairs,)

    Raises
    ------
    ValueError
        As in :func:`margin_scores`.

    References
    ----------
    Artetxe and Schwenk, "Margin-based parallel corpus mining with multilingual sentence
    embeddings", ACL 2019.

    Examples
    --------
    >>> from skcontrast.retrieval import mine_pairs
    >>> pairs, scores = mine_pairs([[1.0, 0.1], [0.1, 1.0]], [[0.0, 1.0], [1.0, 0.0]], k=2)
    >>> pairs.tolist()
    [[0, 1], [1, 0]]
    """
    check_option(margin, "margin", MARGINS)
    check_option(mode, "mode", MODES)
    real = isinstance(threshold, (int, float, np.number)) and not np.isnan(threshold)
    if threshold is not None and not real:
        raise ValueError(f"threshold={threshold!r}: type a number, or None to keep all pairs.")
    U, V = _unit_pair(X, Y)
    k = _check_k(k, len(U), len(V))
    cosine, ids, of_x = _nearest(U, V, k)
    back_cosine, back_ids, of_y = _nearest(V, U, k)
    ahead = _margin(cosine, (of_x[:, None] + of_y[ids]) / 2, margin)
    behind = _margin(back_cosine, (of_y[:, None] + of_x[back_ids]) / 2, margin)
    best, back = _best(ids, ahead), _best(back_ids, behind)
    forward = np.column_stack([np.arange(len(U)), best]), ahead.max(axis=1)
    backward = np.column_stack([back, np.arange(len(V))]), behind.max(axis=1)
    if mode == "max":
        pairs, scores = _each_once(forward, backward)
    else:
        pairs, scores = backward if mode == "backward" else forward
        if mode == "intersect":
            both = back[best] == np.arange(len(U))
            pairs, scores = pairs[both], scores[both]
    kept = np.full(len(scores), True) if threshold is None else scores > threshold
    return pairs[kept], scores[kept]


def _best(ids, scores):
    return np.take_along_axis(ids, scores.argmax(axis=1)[:, None], axis=1)[:, 0]


def _each_once(forward, backward):
    """Pairs from the highest score down whose rows are both still free."""
    pairs = np.concatenate([forward[0], backward[0]])
    scores = np.concatenate([forward[1], backward[1]])
    free = [np.full(len(table[0]), True) for table in (forward, backward)]
    kept = []
    for row in np.argsort(-scores, kind="stable"):
        i, j = pairs[row]
        if free[0][i] and free[1][j]:
            free[0][i] = free[1][j] = False
            kept.append(row)
    return pairs[kept], scores[kept]


def hard_negatives(
    Q: ArrayLike,
    D: ArrayLike,
    positives: Any,
    n_negatives: int,
    *,
    margin: float = 0.05,
    rule: Literal["relative", "absolute", "fixed"] = "relative",
    skip: int = 0,
) -> np.ndarray:
    r"""Find the nearest documents of each query that are not too near to be wrong.

    A document that is nearer to a query than the ceiling is likely relevant, though nobody said
    so. With p the lowest cosine of the positives and m the margin, the ceiling is

    .. math:: p - m |p| \;\text{("relative")}, \qquad p - m \;\text{("absolute")}, \qquad
        1 - m \;\text{("fixed")}

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Queries.

    D : array-like of shape (n_documents, n_features)
        Documents, in the same space.

    positives : array-like of int of shape (n_queries,), list of lists, or matrix
        For each query the number of its document, a list of numbers, or a matrix of shape
        (n_queries, n_documents) that is not 0 where one is positive. They are never chosen.

    n_negatives : int
        How many for each query.

    margin : float, default=0.05
        Of the ceiling.

    rule : {"relative", "absolute", "fixed"}, default="relative"
        How the ceiling follows from the margin.

    skip : int, default=0
        How many of the nearest under the ceiling are left out.

    Returns
    -------
    ids : int64 ndarray of shape (n_queries, n_negatives)
        Numbers of documents by falling cosine; -1 where none is left.

    Raises
    ------
    ValueError
        For NaN, rows of zeros, tables of different width, or a query without a positive.

    See Also
    --------
    skcontrast.functional.mine_negatives : The same in torch.

    References
    ----------
    Moreira et al., "NV-Retriever: improving text embedding models with effective hard-negative
    mining", 2024.

    Examples
    --------
    >>> from skcontrast.retrieval import hard_negatives
    >>> D = [[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [0.0, 1.0]]
    >>> hard_negatives([[1.0, 0.0]], D, positives=[0], n_negatives=3)
    array([[ 2,  3, -1]])
    """
    check_option(rule, "rule", RULES)
    n, margin = check_count(n_negatives, "n_negatives"), check_positive(margin, "margin", zero=True)
    if isinstance(skip, bool) or not isinstance(skip, (int, np.integer)) or skip < 0:
        raise ValueError(f"skip={skip!r}: type a whole number of at least 0.")
    U, V = _unit_pair(Q, D, ("Q", "D"))
    grades = grades_of(positives, len(U), len(V), "positives")
    query, document = grades.nonzero()
    lowest = np.full(len(U), np.inf)
    np.minimum.at(lowest, query, np.einsum("ij,ij->i", U[query], V[document]))
    ceiling = {
        "relative": lowest - margin * np.abs(lowest),
        "absolute": lowest - margin,
        "fixed": np.full(len(U), 1 - margin),
    }[rule]

    def mask(S, queries, tile):
        S[S > ceiling[queries, None] + TIE] = -np.inf
        S[grades[queries, tile].nonzero()] = -np.inf

    ids = best_rows(U, lambda part: V[part], len(V), n + skip, mask)[1][:, skip:]
    return np.pad(ids, ((0, 0), (0, n - ids.shape[1])), constant_values=-1)
