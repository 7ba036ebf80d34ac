"""Measures of unit rows: views that agree, rows that spread, classes that stay together."""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Literal

import numpy as np

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    BLOCK,
    blocks,
    check_labels,
    check_option,
    check_pair,
    check_positive,
    check_table,
    check_width,
    class_sums,
    unit_rows,
)


def alignment(z1: ArrayLike, z2: ArrayLike, alpha: float = 2) -> float:
    r"""Mean distance of the two views of a row, to a power; lower is better.

    .. math:: \frac{1}{n} \sum_i \lVert u_i - v_i \rVert^\alpha

    with the unit rows :math:`u_i = z^1_i / \lVert z^1_i \rVert`, and :math:`v_i` of
    :math:`z^2_i`. It is 0 where all views agree, as they also do where an encoder gives the
    same to every row: read it beside :func:`uniformity`.

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Embeddings of two views of the same rows.

    alpha : float, default=2
        Power of the distance, above 0.

    Returns
    -------
    alignment : float
        Between 0 and :math:`2^\alpha`.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, NaN, or tables of different shapes.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", ICML 2020.

    Examples
    --------
    >>> from skcontrast.metrics import alignment
    >>> alignment([[1.0, 0.0], [0.0, 3.0]], [[2.0, 0.0], [1.0, 0.0]])  # 0 and 90 degrees
    1.0
    """
    alpha = check_positive(alpha, "alpha")
    z1, z2 = check_pair(z1, z2)
    # Differences, not cosines: near 1 these have no digits left for small distances.
    squared = np.square(unit_rows(z1, "z1") - unit_rows(z2, "z2")).sum(axis=1)
    return float(np.mean(squared ** (alpha / 2)))


def uniformity(z: ArrayLike, t: float = 2, *, block_size: int = BLOCK) -> float:
    r"""Logarithm of the mean Gaussian similarity of two rows; lower is better.

    .. math:: \log \frac{2}{n (n - 1)} \sum_{i < j} \exp(-t \lVert u_i - u_j \rVert^2)

    with unit rows :math:`u_i`. It is 0 where all rows point in one direction, and lowest where
    they are spread evenly over the sphere.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding.

    t : float, default=2
        Width of the Gaussian: larger looks at nearer pairs.

    block_size : int, default=1024
        Rows of a tile of pairs. The memory is O(n d + block_size²).

    Returns
    -------
    uniformity : float
        Between -4 t and 0.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, or NaN.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", ICML 2020.

    Examples
    --------
    >>> from skcontrast.metrics import uniformity
    >>> round(uniformity([[1.0, 0.0], [-1.0, 0.0]]), 6)  # one pair, at the distance 2
    -8.0
    """
    t = check_positive(t, "t")
    size = check_count(block_size, "block_size")
    u = unit_rows(check_table(z))
    total = -np.inf
    for rows, columns in combinations_with_replacement(blocks(len(u), size), 2):
        similarity = u[rows] @ u[columns].T
        similarity -= 1
        similarity *= 2 * t
        same = columns == rows
        if same:  # which has each pair twice, and rows with themselves
            if len(similarity) < 2:
                continue
            np.fill_diagonal(similarity, -np.inf)
        # Between -4 t and 0: only of a large t might all exponentials be rounded to 0.
        top = similarity.max() if t > 100 else 0.0
        similarity -= top
        summed = np.exp(similarity, out=similarity).sum() / (1 + same)
        total = np.logaddexp(total, np.log(summed) + top)
    n = len(u)
    # The bounds of the formula, which rounding can cross.
    return float(np.clip(total - np.log(n * (n - 1) / 2), -4 * t, 0.0))


def tolerance(
    z: ArrayLike, labels: ArrayLike, *, pairs: Literal["same_class", "all"] = "same_class"
) -> float:
    r"""Mean cosine of rows of the same class; higher is more tolerant.

    With ``pairs="same_class"`` the mean goes over the pairs of different rows of one class,
    and with ``pairs="all"``, the form of the paper, over all ordered pairs of rows:

    .. math::
        \frac{\sum_{i < j} [y_i = y_j]\, u_i \cdot u_j}{\sum_{i < j} [y_i = y_j]}
        \qquad \text{and} \qquad
        \frac{1}{n^2} \sum_{i, j} [y_i = y_j]\, u_i \cdot u_j

    with unit rows :math:`u_i`. The second form counts each row with itself and falls with the
    number of classes: compare it between embeddings of the same rows only.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding.

    labels : array-like of shape (n_samples,)
        Class of each row. Every value is a class: leave out rows without a label.

    pairs : {"same_class", "all"}, default="same_class"
        Pairs that the mean goes over.

    Returns
    -------
    tolerance : float
        Between -1 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, NaN, labels of another length, or, with
        ``pairs="same_class"``, no two rows of one class.

    References
    ----------
    Wang and Liu, "Understanding the behaviour of contrastive loss", CVPR 2021.

    Examples
    --------
    >>> from skcontrast.metrics import tolerance
    >>> z = [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> tolerance(z, ["a", "a", "b", "b"])  # cosines 1 and -1
    0.0
    >>> tolerance(z, ["a", "a", "b", "b"], pairs="all")
    0.25
    """
    check_option(pairs, "pairs", ("same_class", "all"))
    u = unit_rows(check_table(z))
    codes = check_labels(labels, len(u))[1]
    counts, n = np.bincount(codes), len(u)
    # The cosines of a class add up to the squared length of its sum.
    total = np.square(class_sums(u, codes, len(counts))).sum()  # each row with itself among them
    if pairs == "all":
        return float(total / n**2)
    n_pairs = (counts * (counts - 1)).sum()
    if n_pairs == 0:
        raise ValueError(
            "no two rows have the same label: pass labels with at least two rows of a class, or "
            "pairs='all'."
        )
    return float((total - n) / n_pairs)


def cosine_gap(z1: ArrayLike, z2: ArrayLike) -> float:
    r"""How much nearer the other view of a row is than the view of another; higher is better.

    .. math::
        \frac{1}{n} \sum_i u_i \cdot v_i - \frac{1}{n (n - 1)} \sum_{i \ne j} u_i \cdot v_j

    with the unit rows u of the first and v of the second view: mean cosine of the positive
    pairs less that of the negative pairs. It is 0 where an encoder has collapsed.

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Embeddings of two views of the same rows.

    Returns
    -------
    gap : float
        Between -2 and 2.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, NaN, or tables of different shapes.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", ICML 2020, whose two properties it puts in one number.

    Examples
    --------
    >>> from skcontrast.metrics import cosine_gap
    >>> cosine_gap([[1.0, 0.0], [0.0, 3.0]], [[2.0, 0.0], [0.0, 1.0]])
    1.0
    >>> cosine_gap([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]])  # collapsed
    0.0
    """
    z1, z2 = check_pair(z1, z2)
    u, v = unit_rows(z1, "z1"), unit_rows(z2, "z2")
    n = len(u)
    positive = np.einsum("ij,ij->", u, v)
    # All pairs add up to the product of the sums.
    negative = u.sum(axis=0) @ v.sum(axis=0) - positive
    return float(positive / n - negative / (n * (n - 1)))


def modality_gap(z1: ArrayLike, z2: ArrayLike) -> float:
    r"""Distance of the mean unit rows of two sets, such as those of two modalities.

    .. math:: \left\lVert \frac{1}{n} \sum_i u_i - \frac{1}{m} \sum_j v_j \right\rVert

    It is 0 where both sets lie around one direction. A gap puts all rows of the other set farther
    than those of the own one, though partners may still be found among the other set alone; taking
    the mean of its set off each row closes it.

    Parameters
    ----------
    z1 : array-like of shape (n_samples, n_components)
        Embedding of the rows of one set.

    z2 : array-like of shape (m_samples, n_components)
        Embedding of those of the other, which need be no partners.

    Returns
    -------
    gap : float
        Between 0 and 2.

    Raises
    ------
    ValueError
        For no rows, a row of zeros, NaN, or tables of different width.

    References
    ----------
    Liang et al., "Mind the gap: understanding the modality gap in multi-modal contrastive
    representation learning", NeurIPS 2022.

    Examples
    --------
    >>> from skcontrast.metrics import modality_gap
    >>> modality_gap([[1.0, 0.0], [2.0, 0.0]], [[-1.0, 0.0]])
    2.0
    """
    z1, z2 = check_table(z1, "z1", 1), check_table(z2, "z2", 1)
    check_width(z1, z2, ("z1", "z2"))
    first, second = unit_rows(z1, "z1").mean(axis=0), unit_rows(z2, "z2").mean(axis=0)
    return float(np.linalg.norm(first - second))
