"""Distances corrected for hubs: what is around a row, and the formula that reads it.

A reduction has ``width`` numbers of what is around a row, which ``of_nearest`` takes from its
nearest rows. ``order`` gives numbers that rise with the corrected distance, ``distance`` turns
them into it, and ``shift`` is what keeps it at 0 or above.
"""

from typing import Any

import numpy as np
from scipy.special import log_ndtr

# Radii of 0, of rows that are equal to all around them.
TINY = np.finfo(float).tiny


class Moments:
    """Mutual proximity, with normal distributions of the distances."""

    width = 2

    @staticmethod
    def of_all(D, own):
        """Mean and deviation of distances (n_queries, n_rows), the row itself left out."""
        here = np.flatnonzero(own >= 0)
        number = D.shape[1] - (own >= 0)
        D[here, own[here]] = 0.0
        mean = D.sum(axis=1) / number
        D -= mean[:, None]
        D[here, own[here]] = 0.0
        return np.column_stack([mean, np.sqrt(np.square(D).sum(axis=1) / number)])

    @staticmethod
    def of_nearest(D, Q, rows, ids):
        return np.column_stack([D.mean(axis=1), D.std(axis=1)])

    @staticmethod
    def order(D, around, of_rows):
        tails = 0.0
        for side in (around[:, None], of_rows):
            mean, deviation = side[..., 0], side[..., 1]
            # Equal distances differ by rounding, which is no deviation.
            deviation = np.maximum(deviation, 1e-10 * mean + TINY)
            tails = tails - log_ndtr((mean - D) / deviation)
        # Logarithms tell far rows apart, whose distances are all 1 but for rounding.
        return tails

    @staticmethod
    def distance(order):
        return -np.expm1(-order)

    @staticmethod
    def shift(around):
        return 0.0


class Radius:
    """Local scaling."""

    width = 1

    @staticmethod
    def of_nearest(D, Q, rows, ids):
        return D[:, -1:]

    @staticmethod
    def order(D, around, of_rows):
        with np.errstate(over="ignore"):  # beside radii of 0
            order = np.square(D) / np.maximum(around * of_rows[..., 0], TINY)
        # A row itself is beyond all others, which are finite.
        return np.minimum(order, np.finfo(float).max)

    distance = Moments.distance
    shift = Moments.shift


class Mean:
    """NICDM: distances relative to the means around both rows."""

    width = 1

    @staticmethod
    def of_nearest(D, Q, rows, ids):
        return D.mean(axis=1, keepdims=True)

    @staticmethod
    def order(D, around, of_rows):
        return D / np.sqrt(np.maximum(around * of_rows[..., 0], TINY))

    @staticmethod
    def distance(order):
        return order

    shift = Moments.shift


class Margin(Mean):
    """CSLS: distances less the means around both rows; cosines give twice the margin."""

    @staticmethod
    def order(D, around, of_rows):
        return 2 * D - around - of_rows[..., 0]

    @staticmethod
    def shift(around):
        return 2 * around.max()


class Centre(Margin):
    """DisSimLocal: squared distances less those from the centres of what is around."""

    @staticmethod
    def of_nearest(D, Q, rows, ids):
        gaps = [np.square(q - rows[i].mean(axis=0)).sum() for q, i in zip(Q, ids)]
        return np.array(gaps)[:, None]

    @staticmethod
    def order(D, around, of_rows):
        return D - around - of_rows[..., 0]


REDUCTIONS: dict[str, Any] = {
    "mutual_proximity": Moments,
    "local_scaling": Radius,
    "nicdm": Mean,
    "csls": Margin,
    "dis_sim_local": Centre,
}


def same_rows(X, rows):
    """Number of the first of the rows that equals each of X, or -1."""
    # + 0.0: -0.0 is 0.0.
    place = {hash((row + 0.0).tobytes()): i for i, row in reversed(list(enumerate(rows)))}
    found = np.array([place.get(hash((x + 0.0).tobytes()), -1) for x in X.astype(rows.dtype)])
    return np.where((rows[found] == X).all(axis=1), found, -1)
