"""rank_by_sets: rows by examples of what is wanted and what is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import check_table, unit_rows


def rank_by_sets(
    Z: ArrayLike, wanted: Sequence[ArrayLike], unwanted: Sequence[ArrayLike] = ()
) -> np.ndarray:
    r"""Score rows by their nearness to sets of examples, less that to others: A and B and not C.

    .. math:: \sum_A \frac{1}{|A|} \sum_{a \in A} \cos(z, a) -
        \sum_B \frac{1}{|B|} \sum_{b \in B} \cos(z, b)

    over the wanted sets A and the unwanted sets B. It helps to train the embedding with each set as
    a class first, by ``SupCon``.

    Parameters
    ----------
    Z : array-like of shape (n_samples, n_features)
        Embedding.

    wanted, unwanted : sequences of array-likes of shape (n_examples, n_features)
        The sets, each a table of examples in the same space; ``unwanted`` may be empty.

    Returns
    -------
    scores : ndarray of shape (n_samples,)
        Higher is better.

    Raises
    ------
    ValueError
        For no wanted set, NaN, rows of zeros, or tables of different width.

    References
    ----------
    Liu, "SetCSE: set operations using contrastive learning of sentence embeddings", ICLR 2024.

    Examples
    --------
    >>> from skcontrast.retrieval import rank_by_sets
    >>> Z = [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    >>> rank_by_sets(Z, wanted=[[[1.0, 0.1]]], unwanted=[[[0.0, 1.0], [0.1, 1.0]]]).round(2)
    array([ 0.95,  0.03, -0.9 ])
    """
    Z = unit_rows(check_table(Z, "Z", 1), "Z")
    scores = np.zeros(len(Z))
    for name, sets, sign in (("wanted", wanted, 1), ("unwanted", unwanted, -1)):
        if not hasattr(sets, "__len__") or any(np.ndim(members) < 2 for members in sets):
            raise ValueError(
                f"{name} is no list of sets: type {name}=[A], where A is a table of examples, "
                "with a row for each."
            )
        if sign == 1 and len(sets) == 0:
            raise ValueError("wanted is empty: pass at least one set, wanted=[A], a table.")
        for i, members in enumerate(sets):
            members = check_table(members, f"{name}[{i}]", 1)
            if members.shape[1] != Z.shape[1]:
                raise ValueError(
                    f"{name}[{i}] has {members.shape[1]} columns and Z has {Z.shape[1]}: pass "
                    "examples of the same embedding."
                )
            scores += sign * (Z @ unit_rows(members, f"{name}[{i}]").mean(axis=0))
    return scores
