"""Measures of rows in order: where a sequence changes, and whether two are alike."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.stats import spearmanr

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import TIE, check_pair, check_table, unit_rows


def similarity_profile(z: ArrayLike) -> np.ndarray:
    r"""Cosine of each row with the next one.

    .. math:: u_t \cdot u_{t+1}, \qquad t = 1, \ldots, n - 1

    with unit rows :math:`u_t`. Low values are changes from one row to the next; where rows are
    noisy, :func:`boundary_scores` compares means of several.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding of rows in order.

    Returns
    -------
    profile : ndarray of shape (n_samples - 1,)
        Between -1 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, or NaN.

    Examples
    --------
    >>> from skcontrast.metrics import similarity_profile
    >>> similarity_profile([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    array([1., 0.])
    """
    u = unit_rows(check_table(z))
    return np.clip((u[:-1] * u[1:]).sum(axis=1), -1.0, 1.0)


def boundary_scores(z: ArrayLike, width: int = 5) -> np.ndarray:
    r"""How much a sequence of rows changes at each of them.

    .. math:: 1 - \cos(b_t, a_t), \qquad
        b_t = \sum_{s=t-w}^{t-1} z_s, \qquad a_t = \sum_{s=t}^{t+w-1} z_s

    compares the mean of w rows before row t with that of w rows from it on, fewer at the
    ends of the sequence. A peak is the first row of a new segment.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding of rows in order.

    width : int, default=5
        Number of rows w on either side. More of them are surer, and see short segments less.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Between 0 and 2, and 0 at the first row, which nothing is before. Rows that add up to
        zero have no direction, and the score there is 1.

    Raises
    ------
    ValueError
        For fewer than two rows, or NaN.

    References
    ----------
    Hearst, "TextTiling: segmenting text into multi-paragraph subtopic passages",
    Computational Linguistics 23, 1997.

    Examples
    --------
    >>> from skcontrast.metrics import boundary_scores
    >>> boundary_scores([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], width=2).round(4)
    array([0.    , 0.2929, 1.    , 0.2929])
    """
    width = check_count(width, "width")
    z = check_table(z)
    width = min(width, len(z))
    z = z / (np.abs(z).max() or 1.0)  # sums of 1e308 would be infinite
    padded = np.pad(z, ((width, width), (0, 0)))
    sums = sliding_window_view(padded, width, axis=0).sum(axis=-1)  # (n + width + 1, d)
    before, after = sums[: len(z)], sums[width : width + len(z)]
    # Of unit rows by their distance: equal ones give 0 whatever the rounding.
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (before, after)]
    units = [
        rows / np.where(length > 0, length, 1) for rows, length in zip((before, after), lengths)
    ]
    scores = np.square(units[0] - units[1]).sum(axis=1) / 2
    nowhere = np.minimum(*lengths)[:, 0] <= TIE
    scores = np.where(nowhere, 1.0, scores)
    scores[0] = 0.0
    return scores


def rsa(z1: ArrayLike, z2: ArrayLike) -> float:
    r"""Representational similarity: whether two embeddings order the pairs of rows alike.

    Spearman's rank correlation of the cosines :math:`u_i \cdot u_j`, i < j, in the one and in
    the other embedding. It depends on no scale, and on no monotone change of the
    similarities. See :func:`cka` for a measure of the similarities themselves.

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Two embeddings of the same rows, which may differ in width.

    Returns
    -------
    correlation : float
        Between -1 and 1. Memory and time grow with the square of ``n_samples``.

    Raises
    ------
    ValueError
        For fewer than three rows, a row of zeros, NaN, or cosines that are all equal.

    References
    ----------
    Kriegeskorte, Mur and Bandettini, "Representational similarity analysis: connecting the
    branches of systems neuroscience", Frontiers in Systems Neuroscience 2, 2008.

    Examples
    --------
    >>> from skcontrast.metrics import rsa
    >>> z = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]]
    >>> round(rsa(z, z), 6)
    1.0
    >>> round(rsa(z, [[0.0, 1.0], [1.0, 0.0], [-1.0, 1.0], [1.0, 1.0]]), 6)
    -0.9
    """
    cosines = []
    for name, z in zip(("z1", "z2"), check_pair(z1, z2, n_least=3, same_width=False)):
        u = unit_rows(z, name)
        # Cosines that are equal but for rounding share a rank.
        cosine = (u @ u.T)[np.triu_indices(len(u), 1)].round(-int(np.log10(TIE)))
        if (cosine == cosine[0]).all():
            raise ValueError(
                f"all pairs of rows of {name} have one cosine, and so no order: pass rows that "
                "differ more."
            )
        cosines.append(cosine)
    return float(spearmanr(*cosines).statistic)
