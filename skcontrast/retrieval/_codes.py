"""Rows as a few bytes: product codes, and the signs of random directions."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans

from skcontrast.retrieval._engines import distances
from skcontrast.retrieval._exact import best_rows, unit

# Rows that the codes are learned from at most, and values of a byte.
N_LEARN, N_VALUES = 20_000, 256


class Codes(BaseEstimator):
    """An engine whose rows are bytes; a query stays as it is, and rows are decoded by the tile.

    A subclass learns from rows by ``_learn``, and maps rows to bytes and back by ``_encode`` and
    ``_decode``.
    """

    def __init__(self, n_bytes, seed):
        self.n_bytes, self.seed, self.codes = n_bytes, seed, None

    @property
    def n_rows(self):
        return 0 if self.codes is None else len(self.codes)

    def add(self, X):
        X = unit(X)
        if self.codes is None:
            rng = np.random.default_rng(self.seed)
            self._learn(X[np.sort(rng.permutation(len(X))[:N_LEARN])], rng)
            self.codes = self._encode(X)
        else:
            self.codes = np.concatenate([self.codes, self._encode(X)])

    def rows(self, part):
        return self._decode(self.codes[part])

    def search(self, Q, k):
        scores, ids = best_rows(unit(Q), self.rows, self.n_rows, k)
        return distances(scores), ids


def groups_of(n_columns, n_groups):
    """The columns of each group, as even as can be."""
    return np.array_split(np.arange(n_columns), n_groups)


class ProductCodes(Codes):
    """Groups of columns, each replaced by the nearest of 256 centres: a byte a group.

    The columns are turned at random first, so that all groups vary alike.
    """

    def _learn(self, X, rng):
        d = X.shape[1]
        self.turn = np.linalg.qr(rng.normal(size=(d, d)))[0].astype(X.dtype)
        X = X @ self.turn
        groups = groups_of(d, min(self.n_bytes, d))
        self.centres = [self._centres(X[:, columns], rng) for columns in groups]

    def _centres(self, X, rng):
        different = len(np.unique(X, axis=0))
        if different <= N_VALUES:
            return np.unique(X, axis=0)
        seed = int(rng.integers(2**31))
        means = KMeans(N_VALUES, init="random", n_init=1, max_iter=20, random_state=seed)
        return means.fit(X).cluster_centers_

    def _encode(self, X):
        X = X @ self.turn
        codes = np.empty((len(X), len(self.centres)), dtype=np.uint8)
        groups = groups_of(X.shape[1], len(self.centres))
        for column, (group, centres) in enumerate(zip(groups, self.centres)):
            # |x - c|^2 less |x|^2.
            gap = np.square(centres).sum(axis=1) - 2 * X[:, group] @ centres.T
            codes[:, column] = gap.argmin(axis=1)
        return codes

    def _decode(self, codes):
        parts = [centres[codes[:, i]] for i, centres in enumerate(self.centres)]
        return np.concatenate(parts, axis=1) @ self.turn.T


class SignCodes(Codes):
    """On which side of the mean a row lies along random directions: a bit a direction."""

    def _learn(self, X, rng):
        d, n_bits = X.shape[1], 8 * self.n_bytes
        blocks = [np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(-(-n_bits // d))]
        self.directions = np.concatenate(blocks, axis=1)[:, :n_bits].astype(X.dtype)
        self.mean = X.mean(axis=0)
        size = np.abs((X - self.mean) @ self.directions).mean(axis=0)
        # The mean size of what a sign stands for; directions that overlap share it.
        self.back = (size * self.directions / max(1, n_bits / d)).T

    def _encode(self, X):
        return np.packbits((X - self.mean) @ self.directions > 0, axis=1)

    def _decode(self, codes):
        signs = 2 * np.unpackbits(codes, axis=1).astype(self.back.dtype) - 1
        return self.mean + signs @ self.back
