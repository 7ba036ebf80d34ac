"""What parts add to a value, alone and in pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.utils import check_random_state

from skcontrast._component import check_count
from skcontrast._typing import RandomState
from skcontrast.metrics._checks import check_numbers

# Players up to which every set of them is asked for.
MOST_PLAYERS = 12
BATCH = 4096


def banzhaf_interaction(
    value: Callable[[np.ndarray], np.ndarray],
    n_players: int,
    *,
    n_samples: int | None = None,
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Banzhaf value of each part, and Banzhaf interaction of each pair of parts.

    .. math::
        \phi_i = 2^{-(n-1)} \sum_{S \not\ni i} v(S \cup i) - v(S), \qquad
        I_{ij} = 2^{-(n-2)} \sum_{S \not\ni i, j}
            v(S \cup ij) - v(S \cup i) - v(S \cup j) + v(S)

    of a function v of sets of parts, such as the similarity of two rows when only some of their
    columns are as they are and the others are at the mean of the table. A positive interaction is
    of parts that are worth more together than each alone; parts whose values add up have none. With
    :math:`s_i = 1` for parts in a set and -1 for the others,
    :math:`\phi_i = 2 \, E[v s_i]` and :math:`I_{ij} = 4 \, E[v s_i s_j]` over all sets, so that
    each set is asked for once.

    Parameters
    ----------
    value : callable
        Takes sets as a boolean array (n_sets, n_players) and gives one number each.

    n_players : int
        Number n of parts, at least 2.

    n_samples : int, default=None
        Sets to draw, in pairs of a set and what is not in it. None takes all sets of up to 12
        parts, and draws 4096 of more.

    random_state : int, RandomState instance or None, default=None
        Seed of the draw.

    Returns
    -------
    values : ndarray of shape (n_players,)

    interactions : ndarray of shape (n_players, n_players)
        Symmetric, with zeros on the diagonal. Drawn ones are right in the mean.

    Raises
    ------
    ValueError
        For a function that does not give one finite number a set.

    References
    ----------
    Grabisch and Roubens, "An axiomatic approach to the concept of interaction among players in
    cooperative games", International Journal of Game Theory 28, 1999. Jin et al., "Video-text as
    game players: hierarchical Banzhaf interaction for cross-modal representation learning", CVPR
    2023.

    Examples
    --------
    >>> from skcontrast.inspection import banzhaf_interaction
    >>> def value(sets):  # part 2 is worth 1, parts 0 and 1 are worth 4 together
    ...     return 4.0 * (sets[:, 0] & sets[:, 1]) + sets[:, 2]
    >>> values, interactions = banzhaf_interaction(value, 3)
    >>> values
    array([2., 2., 1.])
    >>> interactions
    array([[0., 4., 0.],
           [4., 0., 0.],
           [0., 0., 0.]])
    """
    if not callable(value):
        raise TypeError(f"value={value!r}: pass a function of sets, (n_sets, n_players) of bool.")
    n = check_count(n_players, "n_players")
    if n < 2:
        raise ValueError(f"n_players={n_players!r}: an interaction is of two, type at least 2.")
    wanted = BATCH if n_samples is None else check_count(n_samples, "n_samples")
    if wanted >= 2**n or (n_samples is None and n <= MOST_PLAYERS):
        sets = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    else:
        half = check_random_state(random_state).rand(-(-wanted // 2), n) < 0.5
        sets = np.concatenate([half, ~half])
    # A constant has no share in the means over all sets, and is noise in those over some.
    ends = np.stack([np.zeros(n, dtype=bool), np.ones(n, dtype=bool)])
    v = _asked(value, sets) - _asked(value, ends).mean()
    signs = np.where(sets, 1.0, -1.0)
    interactions = 4 / len(sets) * (signs.T * v) @ signs
    np.fill_diagonal(interactions, 0.0)
    return 2 / len(sets) * v @ signs, interactions


def _asked(value, sets):
    """The function's numbers, (n_sets,), asked for in batches."""
    found = []
    for start in range(0, len(sets), BATCH):
        part = sets[start : start + BATCH]
        numbers = check_numbers(value(part), "what value gave")
        if numbers.shape != (len(part),) or not np.isfinite(numbers).all():
            raise ValueError(
                f"value gave an array of shape {numbers.shape} for {len(part)} sets: it must give "
                "one finite number a set."
            )
        found.append(numbers)
    return np.concatenate(found)
