"""Measures of pairs that belong together: whether each row finds its partner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from skcontrast._component import check_count
from skcontrast._ranks import mean_ranks, places
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    BLOCK,
    TIE,
    check_numbers,
    check_option,
    check_pair,
    check_table,
    check_width,
    unit_rows,
)


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
    nearer, equal = counts(z1, z2, size=size)
    return found_within(nearer, equal, k)


def partner_ranks(
    z_query: ArrayLike,
    z_gallery: ArrayLike,
    partner: ArrayLike | None = None,
    *,
    metric: Literal["cosine", "dot", "euclidean"] = "cosine",
    block_size: int = BLOCK,
) -> np.ndarray:
    r"""Rank of the true partner of each query among all rows of a gallery; lower is better.

    .. math::
        r_i = 1 + \#\{j : s_{ij} > s_{i p(i)}\} + \tfrac12 \#\{j \ne p(i) : s_{ij} = s_{i p(i)}\}

    with the partner p(i) of query i, and ties at the mean of their ranks, so that an encoder that
    gives the same to every row has the mean rank of guessing. ``(1 / ranks).mean()`` is the mean
    reciprocal rank, ``(ranks <= k).mean()`` the share found among k. Rows of no query make the
    gallery harder: many of them tell embeddings apart.

    Parameters
    ----------
    z_query : array-like of shape (n_queries, n_components)
        Embedding of the rows that ask.

    z_gallery : array-like of shape (n_gallery, n_components)
        Embedding of the rows that are searched. A query that is in it itself is counted like any
        other row: take it out, or count from 2.

    partner : array-like of int of shape (n_queries,), default=None
        Row number in the gallery of the partner of each query; None is the same number.

    metric : {"cosine", "dot", "euclidean"}, default="cosine"
        What near means.

    block_size : int, default=1024
        Rows of a tile of pairs. The memory is O(n d + block_size²).

    Returns
    -------
    ranks : float64 ndarray of shape (n_queries,)

    Raises
    ------
    ValueError
        For no rows, NaN, tables of different width, partners that are not in the gallery or, with
        "cosine", a row of zeros.

    See Also
    --------
    retrieval : The share of rows that find their partner, of two views.
    rank_metrics : Measures of a search with several relevant documents.

    References
    ----------
    Wang, Kuo and Li, "Just rank: rethinking evaluation with word and sentence similarities", ACL
    2022.

    Examples
    --------
    >>> from skcontrast.metrics import partner_ranks
    >>> gallery = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]]
    >>> partner_ranks([[1.0, 0.1], [0.0, 2.0]], gallery, partner=[2, 1])
    array([2., 1.])
    """
    check_option(metric, "metric", ("cosine", "dot", "euclidean"))
    size = check_count(block_size, "block_size")
    query, gallery = check_table(z_query, "z_query", 1), check_table(z_gallery, "z_gallery", 1)
    names = "z_query", "z_gallery"
    check_width(query, gallery, names)
    partner = _partners(partner, len(query), len(gallery))
    nearer, equal = counts(query, gallery, partner, metric, size, names)
    return mean_ranks(nearer, equal)


def _partners(partner, n_queries, n_gallery):
    """Checked row numbers in the gallery, one for each query."""
    if partner is None:
        if n_queries > n_gallery:
            raise ValueError(
                f"z_query has {n_queries} rows and z_gallery {n_gallery}: pass partner, a row "
                "number of the gallery for each query."
            )
        return np.arange(n_queries)
    numbers = np.asarray(partner)
    if numbers.shape != (n_queries,) or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"partner is of type {numbers.dtype} and shape {numbers.shape}: pass {n_queries} row "
            "numbers of the gallery."
        )
    outside = numbers[(numbers < 0) | (numbers >= n_gallery)]
    if len(outside):
        raise ValueError(
            f"partner names row {outside[0]} of a gallery of {n_gallery}: type numbers from 0 to "
            f"{n_gallery - 1}."
        )
    return numbers


def counts(z1, z2, partner=None, metric="cosine", size=BLOCK, names=("z1", "z2")):
    """Rows of ``z2`` nearer to each row of ``z1`` than its partner, and as near."""
    if metric == "cosine":
        z1, z2 = (unit_rows(z, name) for z, name in zip((z1, z2), names))
    else:
        # In the units of the table, in which equal is meant: squares of 1e200 overflow.
        scale = [np.abs(z).max() or 1.0 for z in (z1, z2)]
        if metric == "euclidean":
            scale = [max(scale)] * 2
        z1, z2 = z1 / scale[0], z2 / scale[1]
    return places(z1, z2, partner, euclidean=metric == "euclidean", tie=TIE, size=size)


def found_within(nearer, equal, k):
    """Share of rows that are among the k nearest, of the numbers that ``counts`` gives."""
    return float(np.clip((k - nearer) / equal, 0.0, 1.0).mean())


def perturbation_sensitivity(
    score: Literal["cosine"] | Callable[[Any, Any], ArrayLike],
    partner: Any,
    original: Any,
    changed: Any,
) -> float:
    r"""Share of rows that fit their partner better than their changed copy does; higher is better.

    .. math::
        \frac{1}{n} \sum_i \Big( 1[s(p_i, x_i) > s(p_i, x'_i)]
            + \tfrac12\, 1[s(p_i, x_i) = s(p_i, x'_i)] \Big)

    with a score s of partner :math:`p_i` and row :math:`x_i`, and a copy :math:`x'_i` whose
    meaning has been changed, such as its words shuffled or two of its columns exchanged. It is
    exactly 1/2 for an encoder that is blind to the change.

    Parameters
    ----------
    score : "cosine" or callable
        Higher is a better fit. A function ``score(partner, rows)`` gives one number for each row.

    partner, original, changed : array-like of shape (n_samples, n_components), or any rows
        What belongs to each row, the rows, and their changed copies; what the function reads, or
        embeddings with "cosine".

    Returns
    -------
    share : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For scores that are not one finite number a row and, with "cosine", for tables of different
        shapes, NaN, or a row of zeros.

    References
    ----------
    Yuksekgonul et al., "When and why vision-language models behave like bags-of-words, and what to
    do about it?", ICLR 2023.

    Examples
    --------
    >>> from skcontrast.metrics import perturbation_sensitivity
    >>> partner, z = [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.2], [0.2, 1.0]]
    >>> perturbation_sensitivity("cosine", partner, z, [[0.5, 0.5], [0.2, 1.0]])
    0.75
    """
    if not callable(score):
        check_option(score, "score", ("cosine",))
    before = _fit(score, partner, original, "original")
    after = _fit(score, partner, changed, "changed")
    if before.shape != after.shape:
        raise ValueError(
            f"score gave {len(before)} numbers for the rows and {len(after)} for their changed "
            "copies: pass as many copies as rows."
        )
    # Cosines are equal up to rounding, scores of a function where they are.
    tie = 0.0 if callable(score) else TIE
    gain = before - after
    return float(np.mean((gain > tie) + 0.5 * (np.abs(gain) <= tie)))


def _fit(score, partner, rows, name):
    if not callable(score):
        z1, z2 = check_pair(partner, rows, ("partner", name), n_least=1)
        return np.einsum("ij,ij->i", unit_rows(z1, "partner"), unit_rows(z2, name))
    found = check_numbers(score(partner, rows), "what score gave")
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError(
            f"score gave an array of shape {found.shape}: it must give one finite number a row."
        )
    return found
