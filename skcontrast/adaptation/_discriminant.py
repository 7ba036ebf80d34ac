r"""Linear Gaussian discriminants, with class embeddings as further rows.

Rows and, with weight k, one embedding a class are drawn around the mean of their class,
all with one covariance; the embeddings are shifted by what the two kinds of rows differ in
on average:

.. math:: x_i \sim N(\mu_{y_i}, \Sigma), \qquad t_c \sim N(\mu_c - m, \Sigma / k)

The means and m are least squares, :math:`\hat\Sigma` is the scatter A'A of the residuals plus
:math:`\nu I`, and the score of class c is :math:`x^\top P \mu_c - \mu_c^\top P \mu_c / 2` with
:math:`P = \hat\Sigma^{-1}`: classes count alike, however many rows they have. Leaving a row out
moves all means along its residual and takes a multiple of the residual's square from the
scatter, so that every left-out score is exact, at the price of the fit.
"""

import numpy as np
from scipy.linalg import eigh

# Weight of a class embedding, in rows, and ridge in units of the mean eigenvalue.
PRIOR_GRID = (0.25, 1.0, 4.0, 16.0)
SHRINKAGE_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
# What is assumed before any row is seen; the loss of a row is the unit of the strength.
PRIOR_MIDDLE, SHRINKAGE_MIDDLE = 4.0, 30.0


def penalty(prior_weight, shrinkage):
    """Negative log-prior of the two numbers: log-normal, in factors of 2 and of 3."""
    out = (np.log(shrinkage / SHRINKAGE_MIDDLE) / np.log(3)) ** 2
    if prior_weight:
        out += np.log2(prior_weight / PRIOR_MIDDLE) ** 2
    return float(out)


class Discriminant:
    """The discriminant of rows X (n, d), and of embeddings (C, d) with the weight k of each."""

    def __init__(self, X, codes, weight, n_classes, embeddings=None, prior_weight=0.0):
        self.weight, self.codes, self.n_features = weight, codes, X.shape[1]
        # Everything lies in the span of the rows: with fewer rows than columns, there.
        self.basis = None
        rows = X if embeddings is None else np.vstack([X, embeddings])
        if len(rows) < self.n_features:
            self.basis = np.linalg.qr(rows.T)[0]  # (d, r)
            X = X @ self.basis
            embeddings = None if embeddings is None else embeddings @ self.basis
        Y = np.zeros((len(X), n_classes))
        Y[np.arange(len(X)), codes] = 1
        self._fit_means(X, Y, embeddings if prior_weight > 0 else None, prior_weight)
        R = self.residuals
        scatter = (R * weight[:, None]).T @ R
        if self.prior_residuals is not None:
            scatter += prior_weight * self.prior_residuals.T @ self.prior_residuals
        self.X, self.scatter, self.total = X, scatter, float(np.trace(scatter))
        values, self.vectors = eigh(scatter)
        self.values = np.maximum(values, 0)

    def _fit_means(self, X, Y, T, k):
        """Least squares for the means and the shift."""
        counts = self.weight @ Y
        sums = (Y * self.weight[:, None]).T @ X
        C = Y.shape[1]
        self.prior_residuals = None
        if T is None:
            seen = counts > 0
            self.spread_out = np.diag(np.where(seen, 1 / np.where(seen, counts, 1), 0))
            self.means = self.spread_out @ sums
            # A class without a row sits in the middle of the others.
            self.means[~seen] = self.means[seen].mean(axis=0)
        else:
            M = np.zeros((C + 1, C + 1))
            M[np.arange(C), np.arange(C)] = counts + k
            M[:C, C] = M[C, :C] = -k
            M[C, C] = k * C
            inverse = np.linalg.inv(M)
            solution = inverse @ np.vstack([sums + k * T, -k * T.sum(axis=0)])
            self.means, shift = solution[:C], solution[C]
            self.prior_residuals = T - self.means + shift
            self.spread_out = inverse[:C, :C]
        self.residuals = X - self.means[self.codes]

    def ridge(self, shrinkage):
        """The number nu for a shrinkage in units of the mean eigenvalue."""
        spread = self.total
        if spread <= 1e-12 * np.square(self.means).sum():
            spread = float(np.square(self.means - self.means.mean(axis=0)).sum()) or 1.0
        return shrinkage * spread / self.n_features

    def coefficients(self, nu):
        """Coefficients (C, d) and intercepts (C,) of the scores."""
        along = self.means @ self.vectors
        W = (along / (self.values + nu)) @ self.vectors.T  # (C, r)
        intercept = -0.5 * (W * self.means).sum(axis=1)
        return (W if self.basis is None else W @ self.basis.T), intercept

    def left_out_scores(self, nu):
        """Scores (n, C) of each row when one unit of its weight is left out, and valid (n,).

        A row is not valid where its class has nothing else to have a mean of.
        """
        removed = np.minimum(self.weight, 1)
        p = 1 / (self.values + nu)
        R, X = self.residuals @ self.vectors, self.X @ self.vectors
        along = self.means @ self.vectors
        W = (p * along).T  # (r, C)
        leverage = removed * self.spread_out[self.codes, self.codes]
        valid = leverage < 1 - 1e-9
        # Scatter less c r r', means less g r.
        c = np.where(valid, removed / np.where(valid, 1 - leverage, 1), 0)
        g = c[:, None] * self.spread_out[self.codes]
        h = (R * p * R).sum(axis=1)
        room = 1 - c * h
        f = np.where(room > 1e-12, c / np.where(room > 1e-12, room, 1), 0)  # P + f P r r' P
        grown = 1 + f * h
        xr, rm = (X * p * R).sum(axis=1), R @ W
        quadratic = (along * W.T).sum(axis=1)
        scores = X @ W + (f * xr)[:, None] * rm - 0.5 * (quadratic + f[:, None] * rm**2)
        scores += g * ((rm - xr[:, None]) * grown[:, None] - 0.5 * g * (h * grown)[:, None])
        return scores, valid
