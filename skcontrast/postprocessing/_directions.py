"""The directions in which rows vary."""

import numpy as np

from skcontrast._inputs.columns import refuse_huge


def centred(X):
    """Mean of rows and the rows less it, in float64; equal rows leave exactly 0."""
    refuse_huge(X)
    X = X.astype(np.float64)
    # The first row goes first: what equal rows leave is then not the rounding of a mean.
    mean = X[0] + (X - X[0]).mean(axis=0)
    return mean, X - mean


def directions(X):
    """Variances of centred rows, falling, and their directions as columns.

    Directions have no sign of their own: the largest entry of each is made positive.
    """
    variances, V = np.linalg.eigh(X.T @ X / (len(X) - 1))
    variances, V = np.maximum(variances[::-1], 0), V[:, ::-1]
    largest = np.abs(V).argmax(axis=0)
    return variances, V * np.where(V[largest, np.arange(V.shape[1])] < 0, -1, 1)
