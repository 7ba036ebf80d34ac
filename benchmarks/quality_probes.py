"""Two probes on frozen features, logistic regression and nearest neighbours, for many label draws.

Both are tuned on the labelled rows alone, in the same way for every representation. All
draws of a set share one matrix of inner products, so a draw costs milliseconds.
"""

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.special import log_softmax

# Inverse strengths of the penalty, for rows whose mean squared norm is one.
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
# With one label a class there is nothing to tune on.
FIXED_STRENGTH = 10.0
NEIGHBORS = (1, 3, 5, 10, 20)
N_FOLDS = 3
# From so many labelled rows on, a quarter is held out instead of three folds.
MANY = 1200


def one_scale(train, test):
    """Rows with mean zero (sparse ones as they are) and a mean squared norm of one."""
    if not sp.issparse(train):
        mean = np.mean(train, axis=0, dtype=np.float64)
        train, test = train - mean, test - mean
    square = train.multiply(train).sum() if sp.issparse(train) else (train**2).sum()
    size = np.sqrt(square / train.shape[0]) or 1.0
    return train / size, test / size


class Features:
    """Features of the training and of the test rows on one scale, and their inner products.

    Dividing by one number makes the strength of a penalty mean the same for every width.
    Columns are not standardised: that would undo what a representation says about which
    of them matter (of PCA it makes noise as large as signal).

    Parameters
    ----------
    train, test : array or sparse matrix of shape (n, d)
    """

    def __init__(self, train, test):
        self.train, self.test = one_scale(train, test)
        if sp.issparse(self.train):
            self.train, self.test = self.train.tocsr(), self.test.tocsr()
        self.gram, self.cross = (product(a, self.train) for a in (self.train, self.test))
        norm = np.diag(self.gram)
        self.distance = norm[:, None] + norm - 2 * self.gram
        self.test_distance = norm - 2 * self.cross  # up to a constant of the test row

    def basis(self, rows):
        """Principal axes of labelled rows.

        Returns
        -------
        coordinates : array of shape (len(rows), r)
        spectrum : array of shape (r,), sums of their squares
        predict : function of weights (r, n_classes), the scores of the test rows
        """
        if self.train.shape[1] > len(rows):
            values, vectors = eigh(self.gram[np.ix_(rows, rows)])
            kept = values > 1e-8 * values[-1]
            values, vectors = values[kept], vectors[:, kept]
            root = np.sqrt(values)
            cross = self.cross[:, rows]
            return vectors * root, values, lambda W: cross @ (vectors / root @ W)
        chosen = self.train[rows]
        chosen = chosen.toarray() if sp.issparse(chosen) else chosen
        values, vectors = eigh(chosen.T @ chosen)
        kept = values > 1e-8 * values[-1]
        values, vectors = values[kept], vectors[:, kept]
        return chosen @ vectors, values, lambda W: self.test @ (vectors @ W)


def product(a, b):
    inner = a @ b.T
    return inner.toarray() if sp.issparse(inner) else inner


def fit_logistic(X, spectrum, Y, strength, start=None):
    r"""Weights and intercepts that minimise
    :math:`-\sum_{ik} Y_{ik} \log p_{ik} + \|W\|^2 / (2 \, strength)`.

    The curvature of the loss is at most ``spectrum / 2`` along principal axes, so that
    L-BFGS on weights scaled by its root needs few steps.

    Parameters
    ----------
    X : array of shape (n, r), coordinates on principal axes
    spectrum : array of shape (r,), sums of their squares, or more
    Y : array of shape (n, n_classes), one-hot
    """
    n, n_classes = Y.shape
    root = np.sqrt(spectrum / 2 + 1 / strength)[:, None]
    scaled, shift = X / root.T, np.sqrt(2 / n)
    penalty = 1 / (strength * root**2)

    def loss(v):
        V, c = v[:-n_classes].reshape(-1, n_classes), v[-n_classes:]
        scores = scaled @ V + shift * c
        scores -= scores.max(axis=1, keepdims=True)
        p = np.exp(scores)
        total = p.sum(axis=1, keepdims=True)
        residual = p / total - Y
        gradient = np.append((scaled.T @ residual + penalty * V).ravel(), shift * residual.sum(0))
        value = np.log(total).sum() - np.vdot(Y, scores) + np.vdot(penalty * V, V) / 2
        return value, gradient

    if start is None:
        first = np.zeros((len(root) + 1) * n_classes)
    else:
        first = np.append((start[0] * root).ravel(), start[1] / shift)
    options = {"maxiter": 100, "ftol": 1e-6, "gtol": 1e-4}
    v = minimize(loss, first, jac=True, method="L-BFGS-B", options=options).x
    return v[:-n_classes].reshape(-1, n_classes) / root, v[-n_classes:] * shift


def folds(y):
    """Number of the fold of each row: the rows of a class are dealt in turn."""
    position = np.empty(len(y), dtype=int)
    for code in np.unique(y):
        rows = np.flatnonzero(y == code)
        position[rows] = np.arange(len(rows))
    return position % N_FOLDS if len(y) < MANY else position % 4


def choose_strength(X, spectrum, Y, y):
    """The strength with the least log-loss of held-out labelled rows."""
    fold, total = folds(y), np.zeros(len(STRENGTHS))
    for out in range(N_FOLDS if len(y) < MANY else 1):
        kept, weights = fold != out, None
        for i, strength in enumerate(STRENGTHS):
            weights = fit_logistic(X[kept], spectrum, Y[kept], strength, weights)
            log_p = log_softmax(X[~kept] @ weights[0] + weights[1], axis=1)
            total[i] -= (Y[~kept] * log_p).sum()
    return STRENGTHS[total.argmin()]


def logistic(features, rows, y):
    """Classes of the test rows by logistic regression fitted on labelled rows."""
    X, spectrum, predict = features.basis(rows)
    Y = np.eye(y.max() + 1)[y[rows]]
    smallest = Y.sum(axis=0)[Y.any(axis=0)].min()
    strength = choose_strength(X, spectrum, Y, y[rows]) if smallest > 1 else FIXED_STRENGTH
    weights, intercept = fit_logistic(X, spectrum, Y, strength)
    return (predict(weights) + intercept).argmax(axis=1)


def votes(distance, Y, n_neighbors):
    """Class by majority of the nearest labelled rows, for each number of neighbours.

    Equal numbers of votes go to the class of the nearer rows.
    """
    most = max(n_neighbors)
    order = np.argpartition(distance, most - 1, axis=1)[:, :most]
    order = np.take_along_axis(order, np.take_along_axis(distance, order, 1).argsort(1), 1)
    weight = 1 - 1e-4 * np.arange(most)
    count = np.cumsum(Y[order] * weight[:, None], axis=1)
    return [count[:, k - 1].argmax(axis=1) for k in n_neighbors]


def knn(features, rows, y):
    """Classes of the test rows by nearest neighbours, k by leaving out one row at a time."""
    Y = np.eye(y.max() + 1)[y[rows]]
    best = 1
    if Y.sum(axis=0)[Y.any(axis=0)].min() > 1:
        grid = [k for k in NEIGHBORS if k < len(rows)]
        distance = features.distance[np.ix_(rows, rows)]
        np.fill_diagonal(distance, np.inf)
        hits = [np.mean(guess == y[rows]) for guess in votes(distance, Y, grid)]
        best = grid[int(np.argmax(hits))]
    return votes(features.test_distance[:, rows], Y, [best])[0]


PROBES = {"logistic": logistic, "knn": knn}
