"""How far the label of each row is that of its neighbours."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    check_labels,
    check_option,
    check_positive,
    check_table,
    unit_rows,
)
from skcontrast.metrics._neighbors import nearest_shares


def label_credibility(
    z: ArrayLike,
    y: ArrayLike,
    *,
    n_neighbors: int = 20,
    temperature: float = 0.1,
    score: Literal["margin", "share"] = "margin",
) -> np.ndarray:
    r"""How far the nearest rows of each row agree with its label; lower is more doubtful.

    .. math::
        q_{ic} = \frac{\sum_{j \in \mathrm{kNN}(i)} w_{ij} 1[y_j = c]}
                      {\sum_{j \in \mathrm{kNN}(i)} w_{ij}}, \qquad
        w_{ij} = e^{\cos(z_i, z_j) / \tau}

    and then the share :math:`q_{i y_i}` of the row's own label, or its margin
    :math:`q_{i y_i} - \max_{c \ne y_i} q_{ic}` to the next one. A row is no neighbour of itself.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding, trained without these labels: one trained with them agrees with wrong ones too.

    y : array-like of shape (n_samples,)
        Labels, of any type, of which some may be wrong.

    n_neighbors : int, default=20
        Number k of nearest rows; all others, where there are fewer.

    temperature : float, default=0.1
        Temperature tau of the weights: above 1 all neighbours count about alike.

    score : {"margin", "share"}, default="margin"
        The margin finds labels that were taken for those of a near class better, and the share
        those that are wrong in any way.

    Returns
    -------
    credibility : ndarray of shape (n_samples,)
        Between 0 and 1 for shares, between -1 and 1 for margins; 1 where all neighbours agree. Rows
        that are equally near share the places that nearer ones leave, as in
        :func:`skcontrast.metrics.k_occurrence`.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, a row of zeros, or labels of another length.

    Notes
    -----
    Look at the lowest rows; do not relabel them unseen. A row that is right and rare has a low
    value as well.

    References
    ----------
    Shu, "Pre-trained language models as re-annotators", 2022: credibility by neighbours.

    Examples
    --------
    >>> from skcontrast.inspection import label_credibility
    >>> z = [[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0], [0.2, 1.0]]
    >>> label_credibility(z, ["a", "a", "b", "b", "b", "b"], n_neighbors=2).round(2)
    array([ 0.07, -0.  , -1.  ,  1.  ,  1.  ,  1.  ])
    """
    check_option(score, "score", ("margin", "share"))
    k, temperature = (
        check_count(n_neighbors, "n_neighbors"),
        check_positive(temperature, "temperature"),
    )
    u = unit_rows(check_table(z))
    classes, codes = check_labels(y, len(u), "y")
    shares = class_shares(u, codes, len(classes), min(k, len(u) - 1), temperature)
    rows = np.arange(len(u))
    own = shares[rows, codes]
    if score == "share":
        return np.clip(own, 0.0, 1.0)
    shares[rows, codes] = 0.0
    return np.clip(own - shares.max(axis=1), -1.0, 1.0)


def class_shares(rows, codes, n_classes, k, spread):
    """Shares of the classes among the k nearest of each row, itself left out: (n, n_classes).

    A neighbour at distance d weighs exp(-d^2 / (2 spread)), and rows that are equally near share
    the places that nearer ones leave; sparse ones are taken in their order.
    """
    if sp.issparse(rows):
        return class_shares_of(None, rows, codes, n_classes, k, spread)
    different, which, copies = np.unique(
        rows + 0.0, axis=0, return_inverse=True, return_counts=True
    )
    which = which.ravel()
    labels = sp.csr_array((np.ones(len(rows)), (which, codes)), (len(different), n_classes))
    shares, itself = np.zeros(labels.shape), np.zeros(len(different))
    for i, nearest, chance, distance in nearest_shares(different, copies, k):
        # The only copy of a row is no neighbour.
        chance[:, 0] *= copies[i] > 1
        weights = chance * _decayed(np.where(chance > 0, np.square(distance), np.inf), spread)
        ends = np.arange(len(i) + 1) * nearest.shape[1]
        weighed = sp.csr_array((weights.ravel(), nearest.ravel(), ends), (len(i), len(different)))
        shares[i], itself[i] = (weighed @ labels).toarray(), weights[:, 0]
    shares = shares[which]
    shares[np.arange(len(rows)), codes] -= itself[which]
    return shares / shares.sum(axis=1, keepdims=True)


def class_shares_of(new, rows, codes, n_classes, k, spread):
    """The same of new rows (m, n_classes), or where these are None of each row, without itself."""
    distance, nearest = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(new)
    weights = _decayed(np.square(distance), spread)
    shares = np.zeros((len(nearest), n_classes))
    np.add.at(shares, (np.arange(len(nearest))[:, None], codes[nearest]), weights)
    return shares / shares.sum(axis=1, keepdims=True)


def _decayed(squared, spread):
    """Weights of squared distances; the nearest has 1, so that none vanishes for all."""
    return np.exp((squared.min(axis=1, keepdims=True) - squared) / (2 * max(spread, 1e-300)))
