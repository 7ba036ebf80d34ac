"""Whether two groups of rows lean to two poles differently."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from sklearn.utils import check_random_state

from skcontrast._typing import ArrayLike, RandomState
from skcontrast.metrics._checks import TIE, check_table, unit_rows

# Splits into two groups that are all taken; of more, as many are drawn.
MOST_SPLITS = 10_000


def association(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    p_value: bool = False,
    random_state: RandomState = 0,
) -> float | tuple[float, float]:
    r"""Effect size of the lean of two groups of rows to two poles (WEAT, SEAT).

    .. math::
        s(w) = \frac{1}{|A|} \sum_{i \in A} \cos(w, i) - \frac{1}{|B|} \sum_{i \in B} \cos(w, i),
        \qquad
        d = \frac{\mathrm{mean}_{w \in X} s(w) - \mathrm{mean}_{w \in Y} s(w)}
                 {\mathrm{std}_{w \in X \cup Y} s(w)}

    with the standard deviation of divisor n - 1. A positive effect is a lean of X to A and of Y to
    B: of two groups of names to words of career and family, or of the rows of two groups of people
    to those of two outcomes.

    Parameters
    ----------
    x, y : array-like of shape (n_x, n_components), (n_y, n_components)
        Embeddings of the two groups, of at least two rows in all that differ.

    a, b : array-like of shape (n_a, n_components), (n_b, n_components)
        Embeddings of the two poles.

    p_value : bool, default=False
        Whether to give the one-sided p-value too: the share of all splits of X and Y into groups of
        these sizes with a difference of means as large; of more than 10,000 splits as many are
        drawn, and the given one is counted with them.

    random_state : int, RandomState instance or None, default=0
        Seed of the drawn splits.

    Returns
    -------
    effect : float
        About 0 without an association; between -2 and 2 for groups of one size.

    p : float
        With ``p_value=True``.

    Raises
    ------
    ValueError
        For an empty group, tables of different width, NaN, a row of zeros, or rows of X and Y that
        all lean alike, as equal rows do.

    Notes
    -----
    It measures what the given rows show. A small effect does not show that an embedding has no
    such association, as other rows may.

    References
    ----------
    Caliskan, Bryson and Narayanan, "Semantics derived automatically from language corpora contain
    human-like biases", Science 356, 2017. May et al., "On measuring social biases in sentence
    encoders", NAACL 2019.

    Examples
    --------
    >>> from skcontrast.metrics import association
    >>> x, y = [[1.0, 0.1], [1.0, 0.3]], [[0.1, 1.0], [0.2, 1.0]]
    >>> effect, p = association(x, y, a=[[1.0, 0.0]], b=[[0.0, 1.0]], p_value=True)
    >>> round(effect, 2), round(p, 3)
    (1.72, 0.167)
    """
    tables = {name: check_table(z, name, 1) for name, z in (("x", x), ("y", y), ("a", a), ("b", b))}
    widths = [z.shape[1] for z in tables.values()]
    if len(set(widths)) > 1:
        raise ValueError(f"x, y, a and b have {widths} columns: pass outputs of one encoder.")
    x, y, a, b = (unit_rows(z, name) for name, z in tables.items())
    lean = np.concatenate([x, y]) @ (a.mean(axis=0) - b.mean(axis=0))
    if np.ptp(lean) <= TIE:
        raise ValueError("all rows of x and y lean alike: pass rows that differ.")
    n = len(x)
    difference = lean[:n].mean() - lean[n:].mean()
    effect = float(difference / lean.std(ddof=1))
    return (effect, _p_value(lean, n, random_state)) if p_value else effect


def _p_value(lean, n, random_state):
    """Share of splits whose first n rows lean at least as much."""
    # With the total given, the difference of means grows with the sum of the first group.
    least = lean[:n].sum() - TIE * len(lean)
    if comb(len(lean), n) <= MOST_SPLITS:
        splits = list(combinations(range(len(lean)), n))
        return float(np.mean(lean[np.array(splits)].sum(axis=1) >= least))
    rng = check_random_state(random_state)
    sums = np.array([rng.permutation(lean)[:n].sum() for _ in range(MOST_SPLITS)])
    return float((1 + np.sum(sums >= least)) / (1 + MOST_SPLITS))
