"""Choosing rows that score high and are not alike."""

from __future__ import annotations

import numpy as np

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    check_numbers,
    check_positive,
    check_table,
    check_width,
    unit_rows,
)


def diverse_selection(
    scores: ArrayLike,
    z: ArrayLike,
    k: int,
    *,
    trade_off: float = 0.6,
    context: ArrayLike | None = None,
) -> np.ndarray:
    r"""Choose k rows one after the other, by score less likeness to what is chosen.

    .. math::
        \mathrm{argmax}_i \; (1 - \alpha) \, p_i - \alpha \max_{j \text{ chosen}} \cos(z_i, z_j)

    among the rows that are left. It is maximal marginal relevance with the score as relevance, and
    the rule of contrastive search.

    Parameters
    ----------
    scores : array-like of shape (n_samples,)
        Scores p; bring them to about the range of a cosine, as probabilities are.

    z : array-like of shape (n_samples, n_components)
        Embedding of the rows.

    k : int
        How many to choose, at most ``n_samples``.

    trade_off : float, default=0.6
        The weight alpha of likeness, between 0 and 1. 0 takes the k best scores; 1 reads them for
        the first row alone.

    context : array-like of shape (n_chosen, n_components), default=None
        Embedding of rows that are chosen already, such as those that have a label.

    Returns
    -------
    chosen : int ndarray of shape (k,)
        Row numbers, in the order of choice; among equals the first.

    Raises
    ------
    ValueError
        For scores of another length, NaN, a row of zeros, or a k or trade-off that is out of range.

    References
    ----------
    Su et al., "A contrastive framework for neural text generation", NeurIPS 2022. Carbonell and
    Goldstein, "The use of MMR, diversity-based reranking for reordering documents and producing
    summaries", SIGIR 1998.

    Examples
    --------
    >>> from skcontrast.metrics import diverse_selection
    >>> z = [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]
    >>> diverse_selection([0.9, 0.8, 0.5], z, k=2)
    array([0, 2])
    >>> diverse_selection([0.9, 0.8, 0.5], z, k=2, trade_off=0.0)
    array([0, 1])
    """
    u = unit_rows(check_table(z, n_least=1))
    scores = check_table(check_numbers(scores, "scores").reshape(-1, 1), "scores", 1)[:, 0]
    if len(scores) != len(u):
        raise ValueError(
            f"scores has {len(scores)} entries and z has {len(u)} rows: pass one score a row."
        )
    k = check_count(k, "k", len(u))
    if check_positive(trade_off, "trade_off", zero=True) > 1:
        raise ValueError(f"trade_off={trade_off!r}: type a number between 0 and 1.")
    likeness = None
    if context is not None:
        chosen = unit_rows(check_table(context, "context", 1), "context")
        check_width(chosen, u, ("context", "z"))
        likeness = (u @ chosen.T).max(axis=1)
    order: list[int] = []
    left = np.ones(len(u), dtype=bool)
    for _ in range(k):
        # Where none is chosen the best score comes first, whatever the trade-off.
        worth = scores if likeness is None else (1 - trade_off) * scores - trade_off * likeness
        best = int(np.where(left, worth, -np.inf).argmax())
        cosine = u @ u[best]
        likeness = cosine if likeness is None else np.maximum(likeness, cosine)
        order.append(best)
        left[best] = False
    return np.array(order)
