"""rank_metrics: how good rankings of documents are, at several depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.stats import rankdata
from sklearn.utils import check_array

from skcontrast._component import check_count
from skcontrast._typing import MatrixLike
from skcontrast.metrics._checks import blocks, check_option

# Scores whose ranks are taken at once: 32 MB in float64.
TILE = 1 << 22


def rank_metrics(
    scores: MatrixLike,
    relevant: Any,
    k: int | Sequence[int] = (1, 10),
    *,
    kind: Literal["scores", "ids"] = "scores",
    gain: Literal["linear", "exponential"] = "linear",
) -> dict[str, float]:
    r"""How well rankings put relevant documents first: MRR, nDCG, MAP and others at depth k.

    With the ranks :math:`r_j` from 1 on of the R relevant documents of a query, their grades
    :math:`g_j > 0`, and sums and counts over those of :math:`r_j \le k`, the means over queries of

    =========== ===========================================================================
    "accuracy"  1 where there is one, else 0 (hits)
    "precision" :math:`\#\{r_j\} / k`
    "recall"    :math:`\#\{r_j\} / R`
    "mrr"       :math:`1 / \min_j r_j`, or 0
    "map"       :math:`\sum_j \#\{i : r_i \le r_j\} / r_j \; / \min(k, R)`
    "ndcg"      :math:`\sum_j G(g_j) / \log_2(1 + r_j)`, relative to that of the best ranking;
                :math:`G(g) = g`, or :math:`2^g - 1` with ``gain="exponential"``
    =========== ===========================================================================

    Documents of equal score have their mean rank, so that a ranking that tells nothing apart finds
    nothing early.

    Parameters
    ----------
    scores : {array-like, sparse matrix} of shape (n_queries, n_documents)
        Higher is better; what a sparse matrix lacks is 0. With ``kind="ids"``, document numbers
        by falling relevance, (n_queries, n_found), as ``kneighbors`` gives; -1 is none.

    relevant : array-like of int of shape (n_queries,), list of lists, or array or sparse matrix
        The number of the relevant document of each query; or a list with a list of numbers for
        each; or grades, an array or sparse matrix of shape (n_queries, n_documents) where 0 is not
        relevant and more is better.

    k : int or sequence of int, default=(1, 10)
        Depths.

    kind : {"scores", "ids"}, default="scores"
        What ``scores`` holds.

    gain : {"linear", "exponential"}, default="linear"
        What a grade is worth to nDCG.

    Returns
    -------
    values : dict of str to float
        By names such as "mrr@10"; between 0 and 1.

    Raises
    ------
    ValueError
        For NaN, no queries, a query without a relevant document, or document numbers that are out
        of range or named twice.

    See Also
    --------
    retrieval : Of rows that find their other view.

    References
    ----------
    Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, chapter 8.
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20, 2002.

    Examples
    --------
    >>> from skcontrast.metrics import rank_metrics
    >>> scores = [[0.9, 0.5, 0.1], [0.2, 0.8, 0.4]]
    >>> found = rank_metrics(scores, [[1], [1, 2]], k=2)
    >>> {name: round(value, 3) for name, value in found.items() if name in ("mrr@2", "recall@2")}
    {'recall@2': 1.0, 'mrr@2': 0.75}
    >>> rank_metrics([[0, 1], [1, 2]], [1, 1], k=1, kind="ids")["accuracy@1"]
    0.5
    """
    check_option(kind, "kind", ("scores", "ids"))
    check_option(gain, "gain", ("linear", "exponential"))
    depths = [check_count(depth, "k") for depth in ([k] if np.ndim(k) == 0 else k)]
    scores = _checked(scores, kind)
    grades = grades_of(relevant, scores.shape[0], scores.shape[1] if kind == "scores" else None)
    ranks = _ranks_by_score(scores, grades) if kind == "scores" else _ranks_of_ids(scores, grades)
    query = np.repeat(np.arange(grades.shape[0]), np.diff(grades.indptr))
    worth = grades.data if gain == "linear" else np.expm1(np.log(2) * grades.data)
    values: dict[str, dict[str, float]] = {
        name: {} for name in ("accuracy", "precision", "recall", "mrr", "map", "ndcg")
    }
    for depth in depths:
        for name, value in _at(depth, ranks, query, worth, grades).items():
            values[name][f"{name}@{depth}"] = float(value.mean())
    return {name: value for by_depth in values.values() for name, value in by_depth.items()}


def _checked(scores, kind):
    """A table with a row for each query; scores may be infinite."""
    name = "scores"
    if kind == "ids":
        ids = check_array(scores, dtype=None, input_name=name)
        if ids.dtype.kind not in "iu":
            raise ValueError(
                f"scores are of type {ids.dtype} with kind='ids': pass whole numbers of documents, "
                "or type kind='scores'."
            )
        ordered = np.sort(ids, axis=1)
        twice = ((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any(axis=1)
        if twice.any():
            row = np.flatnonzero(twice)[0]
            raise ValueError(
                f"row {row} of scores names a document twice with kind='ids': pass each once."
            )
        return ids
    scores = check_array(
        scores, accept_sparse="csr", dtype=np.float64, ensure_all_finite=False, input_name=name
    )
    if np.isnan(scores.data if sp.issparse(scores) else scores).any():
        raise ValueError("scores hold NaN: pass numbers, -inf for a document that was not found.")
    return scores


def grades_of(relevant, n_queries, n_documents=None, name="relevant"):
    """Grades above 0 as a CSR matrix (n_queries, n_documents), from any of the forms of them."""
    if sp.issparse(relevant) or (
        not isinstance(relevant, (list, tuple)) and np.ndim(relevant) == 2
    ):
        grades = check_array(relevant, accept_sparse="csr", dtype=np.float64, input_name=name)
        grades = sp.csr_matrix(grades, copy=True)
        if grades.data.size and grades.data.min() < 0:
            raise ValueError(
                f"{name} holds a grade below 0: type 0 where a document is not relevant."
            )
        grades.eliminate_zeros()
        shape = n_queries, grades.shape[1] if n_documents is None else n_documents
        if grades.shape != shape:
            raise ValueError(
                f"{name} has the shape {grades.shape}, and {shape} is needed: pass grades with a "
                "row for each query and a column for each document, or a list of numbers."
            )
    else:
        grades = _from_ids(relevant, n_queries, n_documents, name)
    grades.sort_indices()
    empty = np.flatnonzero(np.diff(grades.indptr) == 0)
    if len(empty):
        raise ValueError(
            f"{len(empty)} of the queries have no document in {name}, query {empty[0]} the first: "
            "leave them out."
        )
    return grades


def _from_ids(relevant, n_queries, n_documents, name):
    if isinstance(relevant, str) or not np.iterable(relevant):
        raise TypeError(
            f"{name} is {relevant!r}: pass the number of a document, or a list of numbers, for "
            "each query."
        )
    rows = [np.atleast_1d(list(r) if isinstance(r, (set, frozenset)) else r) for r in relevant]
    rows = [r if len(r) else r.astype(np.int64) for r in rows]
    if len(rows) != n_queries:
        raise ValueError(
            f"{name} has {len(rows)} entries for {n_queries} queries: pass one number of a "
            "document, or one list of them, for each query."
        )
    ids = np.concatenate(rows) if rows else np.zeros(0, dtype=int)
    if len(ids) and ids.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {ids.dtype} in place of whole numbers of documents.")
    most = np.inf if n_documents is None else n_documents
    outside = ids[(ids < 0) | (ids >= most)]
    if len(outside):
        raise ValueError(
            f"{name} names document {outside[0]}: type numbers from 0"
            + (" on." if n_documents is None else f" to {n_documents - 1}.")
        )
    for row, numbers in enumerate(rows):
        if len(np.unique(numbers)) < len(numbers):
            raise ValueError(
                f"{name} names a document twice for query {row}: pass each once, or grades as an "
                "array of shape (n_queries, n_documents)."
            )
    start = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    width = n_documents or int(ids.max(initial=-1)) + 1
    shape = n_queries, max(width, 1)
    return sp.csr_matrix((np.ones(len(ids)), ids.astype(np.int64), start), shape=shape)


def _ranks_by_score(scores, grades):
    """Mean rank of each relevant document, in the order of ``grades.data``."""
    ranks = []
    for part in blocks(scores.shape[0], max(1, TILE // scores.shape[1])):
        tile = scores[part].toarray() if sp.issparse(scores) else scores[part]
        found = grades[part].nonzero()
        ranks.append(rankdata(-tile, axis=1)[found])
    return np.concatenate(ranks)


def _ranks_of_ids(ids, grades):
    """Place of each relevant document in the list of its query, infinite where it is not."""
    width = max(grades.shape[1], int(ids.max()) + 1)
    places = np.broadcast_to(np.arange(1.0, ids.shape[1] + 1), ids.shape)
    here = ids >= 0
    row = np.broadcast_to(np.arange(len(ids))[:, None], ids.shape)
    found = sp.csr_matrix((places[here], (row[here], ids[here])), shape=(len(ids), width))
    query = np.repeat(np.arange(len(ids)), np.diff(grades.indptr))
    ranks = np.asarray(found[query, grades.indices]).ravel()
    return np.where(ranks > 0, ranks, np.inf)


def _at(k, ranks, query, worth, grades):
    """The measures of each query at one depth: name -> (n_queries,)."""
    n = grades.shape[0]
    seen = ranks <= k
    count = np.bincount(query, seen, n)
    total = np.diff(grades.indptr)
    best = np.full(n, np.inf)
    np.minimum.at(best, query, ranks)
    # By query and rank; how many relevant documents of the query are at most so deep.
    order = np.lexsort((ranks, query))
    start = np.repeat(grades.indptr[:-1], total)
    so_far = np.empty(len(ranks))
    so_far[order] = np.arange(1, len(ranks) + 1) - start
    so_far = _of_equal_ranks(so_far, ranks, query, order)
    precision = np.where(seen, so_far / ranks, 0)
    # The best ranking has the greatest grades first.
    ideal = np.arange(1, len(ranks) + 1) - start
    greatest = worth[np.lexsort((-worth, query))] * (ideal <= k) / np.log2(1 + ideal)
    gained = np.where(seen, worth / np.log2(1 + ranks), 0)
    return {
        "accuracy": (count > 0).astype(float),
        "precision": count / k,
        "recall": count / total,
        "mrr": np.where(best <= k, 1 / best, 0),
        "map": np.bincount(query, precision, n) / np.minimum(k, total),
        "ndcg": np.bincount(query, gained, n) / np.bincount(query, greatest, n),
    }


def _of_equal_ranks(so_far, ranks, query, order):
    """The count of the last of documents with one rank, for all of them."""
    r, q, c = ranks[order], query[order], so_far[order]
    new = np.concatenate([[True], (r[1:] != r[:-1]) | (q[1:] != q[:-1])])
    group = np.cumsum(new) - 1
    last = np.concatenate([np.flatnonzero(new)[1:], [len(r)]]) - 1
    out = np.empty(len(r))
    out[order] = c[last][group]
    return out
