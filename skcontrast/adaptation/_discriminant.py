r"""Linear Gaussian discriminants, with class embeddings as further rows.

Rows and, with weight k, one embedding a class are drawn around the mean of their class,
all with one covariance; the embeddings are shifted by what the two kinds of rows differ in
on average (m, which a weak prior holds near zero where no class has both):

.. math:: x_i \sim N(\mu_{y_i}, \Sigma), \qquad t_c \sim N(\mu_c - m, \Sigma / k)

The means and m are least squares, :math:`\hat\Sigma` is the scatter A'A of the residuals plus
:math:`\nu I`, and the score of class c is :math:`x^\top P \mu_c - \mu_c^\top P \mu_c / 2` with
:math:`P = \hat\Sigma^{-1}`: classes count alike, however many rows they have. Leaving a row out
moves all means along its residual and takes a multiple of the residual's square from the
scatter, so that every left-out score is exact, at the price of the fit.

A mean that is known less well is longer by its error, and :math:`\mu_c^\top P \mu_c / 2` would
hold that against its class: one row beside the thirty of another class would never win. With
:math:`V_c` the variance of the mean in units of that of a row, and :math:`\tau` a row's squared
distance from its class in the metric P, :meth:`Discriminant.lift` gives :math:`\tau V_c / 2` back.
It is the same for all classes where all have as many rows.
"""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import coo_array

# Weight of a class embedding, in rows, and ridge in units of the mean eigenvalue.
PRIOR_GRID = (0.25, 1.0, 4.0, 16.0)
SHRINKAGE_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
# What is assumed before any row is seen; the loss of a row is the unit of the strength.
PRIOR_MIDDLE, SHRINKAGE_MIDDLE = 4.0, 30.0
# An embedding strays from its class as far as the mean of this many rows, whatever its weight.
NAME_ROWS = 1.5
# Weight of the prior that there is no shift, in rows.
NO_SHIFT = 0.05


def penalty(prior_weight, shrinkage):
    """Negative log-prior of the two numbers: log-normal, in factors of 2 and of 3."""
    out = (np.log(shrinkage / SHRINKAGE_MIDDLE) / np.log(3)) ** 2
    if prior_weight:
        out += np.log2(prior_weight / PRIOR_MIDDLE) ** 2
    return float(out)


class Discriminant:
    """The discriminant of rows X (n, d), and of embeddings (C, d) with the weight k of each.

    A class without an embedding has NaN in its place.
    """

    def __init__(self, X, codes, weight, n_classes, embeddings=None, prior_weight=0.0):
        self.weight, self.codes, self.n_features = weight, codes, X.shape[1]
        T, k = np.zeros((n_classes, X.shape[1])), np.zeros(n_classes)
        if embeddings is not None and prior_weight > 0:
            named = ~np.isnan(embeddings[:, 0])
            T[named], k[named] = embeddings[named], prior_weight
        # Everything lies in the span of the rows: with fewer rows than columns, there.
        self.basis = None
        rows = X if embeddings is None else np.vstack([X, T])
        if len(rows) < self.n_features:
            self.basis = np.linalg.qr(rows.T)[0]  # (d, r)
            X, T = X @ self.basis, T @ self.basis
        self._fit_means(X, T, k)
        R = self.residuals
        scatter = (R * weight[:, None]).T @ R
        scatter += (self.prior_residuals * k[:, None]).T @ self.prior_residuals
        scatter += NO_SHIFT * np.outer(self.shift, self.shift)
        self.X, self.scatter, self.total = X, scatter, float(np.trace(scatter))
        values, self.vectors = eigh(scatter)
        self.values = np.maximum(values, 0)

    def _fit_means(self, X, T, k):
        """Least squares for the means and the shift."""
        n, C = len(X), len(T)
        of_class = coo_array((self.weight, (self.codes, np.arange(n))), shape=(C, n))
        counts, sums = of_class.sum(axis=1), of_class @ X
        M = np.diag(np.append(counts + k, k.sum() + NO_SHIFT))
        M[:C, C] = M[C, :C] = -k
        known = np.flatnonzero(np.append(counts + k > 0, True))
        inverse = np.zeros_like(M)
        inverse[np.ix_(known, known)] = np.linalg.inv(M[np.ix_(known, known)])
        solution = inverse @ np.vstack([sums + k[:, None] * T, -k @ T])
        self.means, self.shift, self.spread_out = solution[:C], solution[C], inverse[:C, :C]
        # A class without a row and an embedding sits in the middle of the others.
        nowhere = counts + k == 0
        self.means[nowhere] = self.means[~nowhere].mean(axis=0)
        self.residuals = X - self.means[self.codes]
        self.prior_residuals = T - self.means + self.shift
        # Covariances of the means: from the rows, each a unit, and from the embeddings.
        squares = np.bincount(self.codes, np.square(self.weight), C)
        by_name = k * (self.spread_out - inverse[:C, C:])
        self.variance = (self.spread_out * squares) @ self.spread_out
        self.variance += by_name @ by_name.T / NAME_ROWS

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

    def lift(self, nu):
        """What the error of its mean has to be given back to each class: (C,)."""
        place = self.codes, self.codes
        leverage = self.weight * self.spread_out[place]
        valid = leverage < 1 - 1e-9
        if not valid.any():
            return np.zeros(len(self.means))
        R = self.residuals @ self.vectors
        h = (R / (self.values + nu) * R).sum(axis=1)[valid]
        away, weight = 1 - leverage[valid], self.weight[valid]
        room = np.maximum(1 - weight / away * h, 1e-12)
        # Squared distance of each row from its class, fitted without the row.
        squared = h / room / away**2
        left_out = self.variance[place] - (self.weight * self.spread_out[place]) ** 2
        expected = 1 + left_out[valid] / away**2
        share = weight / np.bincount(self.codes, self.weight)[self.codes[valid]]
        tau = (share * expected * squared).sum() / (share * expected**2).sum()
        return 0.5 * tau * self.variance.diagonal()

    def left_out_scores(self, nu, index=slice(None)):
        """Scores (m, C) of rows when each is left out, whatever its weight, and valid (m,).

        Of the rows ``index``, by default of all. A row is not valid where its class has nothing
        else to have a mean of.
        """
        p = 1 / (self.values + nu)
        R, X = self.residuals[index] @ self.vectors, self.X[index] @ self.vectors
        along = self.means @ self.vectors
        W = (p * along).T  # (r, C)
        codes, weight = self.codes[index], self.weight[index]
        leverage = weight * self.spread_out[codes, codes]
        valid = leverage < 1 - 1e-9
        # Scatter less c r r', means less g r.
        c = np.where(valid, weight / np.where(valid, 1 - leverage, 1), 0)
        g = c[:, None] * self.spread_out[codes]
        h = (R * p * R).sum(axis=1)
        room = 1 - c * h
        f = np.where(room > 1e-12, c / np.where(room > 1e-12, room, 1), 0)  # P + f P r r' P
        grown = 1 + f * h
        xr, rm = (X * p * R).sum(axis=1), R @ W
        quadratic = (along * W.T).sum(axis=1)
        scores = X @ W + (f * xr)[:, None] * rm - 0.5 * (quadratic + f[:, None] * rm**2)
        scores += g * ((rm - xr[:, None]) * grown[:, None] - 0.5 * g * (h * grown)[:, None])
        return scores, valid
