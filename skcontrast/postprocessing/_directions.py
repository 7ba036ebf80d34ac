"""The directions in which rows vary."""

import numpy as np


def directions(X):
    """Variances of centred rows, falling, and their directions as columns.

    Directions have no sign of their own: the largest entry of each is made positive.
    """
    variances, V = np.linalg.eigh(X.T @ X / (len(X) - 1))
    variances, V = np.maximum(variances[::-1], 0), V[:, ::-1]
    largest = np.abs(V).argmax(axis=0)
    return variances, V * np.where(V[largest, np.arange(V.shape[1])] < 0, -1, 1)
