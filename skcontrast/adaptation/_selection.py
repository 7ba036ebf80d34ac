"""Kernel width, ridge and base scale of the correction, by exact leave-one-out.

One eigendecomposition a kernel serves every alpha, and every base scale: the left-out
prediction is linear in the labels and in the base's scores,

    L = A + s B,    A = Y - e(Y),    B = e(f_0),

with e the left-out residuals of the ridge system. (With ``scaling="reference"`` the
correction is multiplied by alpha: A and f_0 - B are.)
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array

from skcontrast.adaptation._calibration import WEAK, fit_temperature, fit_weights, spread
from skcontrast.adaptation._ridge import left_out_residuals, solve_ridge
from skcontrast.adaptation._similarity import Similarity, mean_squared_distance
from skcontrast.adaptation._solvers import Eigen
from skcontrast.adaptation._zero_shot import UNIT_TOLERANCE, unit_rows

# What is assumed of the ridge and of the width before any row is seen.
ALPHA_MIDDLE, STRENGTH = 0.3, 0.3


@dataclass
class Rows:
    """Rows of a fit: (n, d), targets (n, C), base scores (n, C) or None, weights (n,) or None.

    ``codes`` (n,) are those of the classes, and ``clumps`` (n,) say which rows are copies of
    each other; None: no row is.
    """

    X: np.ndarray
    Y: np.ndarray
    base: np.ndarray | None
    weight: np.ndarray | None
    codes: np.ndarray | None = None
    clumps: np.ndarray | None = None

    def __post_init__(self):
        self.weight = np.ones(len(self.X)) if self.weight is None else self.weight
        self.clumps = np.arange(len(self.X)) if self.clumps is None else self.clumps

    def take(self, index):
        """Some of the rows."""
        return Rows(*(None if part is None else part[index] for part in vars(self).values()))

    def joined(self, other, clumps=None):
        """These rows and further ones."""
        pairs = list(zip(vars(self).values(), vars(other).values()))[:-1]
        parts = (None if a is None else np.concatenate([a, b]) for a, b in pairs)
        both = np.concatenate([self.clumps, self.clumps.max() + 1 + other.clumps])
        return Rows(*parts, both if clumps is None else clumps)

    def merged(self):
        """One row in the place of copies, with their weights: itself where there are none."""
        _, first, place = np.unique(self.clumps, return_index=True, return_inverse=True)
        if len(first) == len(place):
            return self
        weight = np.bincount(place, self.weight)
        share = coo_array((self.weight / weight[place], (place, np.arange(len(place)))))
        X = near_unit(share @ self.X, self.X)
        base = None if self.base is None else share @ self.base
        codes = None if self.codes is None else self.codes[first]
        return Rows(X, share @ self.Y, base, weight, codes)


def near_unit(means, X):
    """Means of rows X, of unit length where these are."""
    unit = np.all(np.abs(np.linalg.norm(X, axis=1) - 1) < UNIT_TOLERANCE)
    return unit_rows(means) if unit else means


def left_out_parts(solver, alpha, rows, fit_intercept, scaling):
    """The matrices A and B of the left-out predictions ``A + s B``; B is None without a base."""
    C = rows.Y.shape[1]
    R = rows.Y if rows.base is None else np.hstack([rows.Y, rows.base])
    _, _, dual, G = solve_ridge(solver, R, fit_intercept)
    if G is None:
        return None, None
    e = left_out_residuals(dual, G)
    factor = alpha if scaling == "reference" else 1.0
    A = factor * (rows.Y - e[:, :C])
    B = None if rows.base is None else rows.base - factor * (rows.base - e[:, C:])
    return A, B


def scale_alone(rows):
    """Base scale at which the base alone, with a constant, is nearest to the targets.

    For a base that was fitted on folds of the same rows. What it says of a row's neighbours
    comes from the row's own target, so that leave-one-out would hold the base for useless.
    """
    share = rows.weight[:, None] / rows.weight.sum()
    Y, base = (M - (share * M).sum(axis=0) for M in (rows.Y, rows.base))
    if rows.codes is not None:  # what is added to all classes alike says nothing
        base = base - base.mean(axis=1, keepdims=True)
    size = float((share * base**2).sum())
    return max(float((share * base * Y).sum()) / size, 0.0) if size > 0 else 1.0


def _class_loss(A, B, rows, scales):
    """Log-loss of the left-out predictions at the best base scale and temperature."""
    if B is None:
        return fit_temperature(A, rows.codes, rows.weight)[1], 1.0
    if scales is not None:
        losses = [fit_temperature(A + s * B, rows.codes, rows.weight)[1] for s in scales]
        best = int(np.argmin(losses))
        return losses[best], scales[best]
    units = spread(A, rows.weight), spread(B, rows.weight)
    parts = [A / units[0], B / units[1]]
    (a, b), loss = fit_weights(parts, rows.codes, rows.weight, [1.0, 1.0], [WEAK, WEAK])
    # The correction is never left out: its own class always lacks one row in A, which can
    # make a negative weight look good.
    return loss, (b / units[1]) / (max(a, 1e-2) / units[0])


def _squared_loss(A, B, rows, scales):
    """Squared error of the left-out predictions at the best base scale."""
    w = rows.weight[:, None]
    if B is None:
        return float((w * (rows.Y - A) ** 2).sum()), 1.0
    if scales is None:
        size = float((w * B**2).sum())
        scales = [max(float((w * B * (rows.Y - A)).sum()) / size, 0.0) if size > 0 else 1.0]
    losses = [float((w * (rows.Y - A - s * B) ** 2).sum()) for s in scales]
    best = int(np.argmin(losses))
    return losses[best], scales[best]


def select(rows, kernels, alphas, scales, *, fit_intercept, scaling, prior):
    """Kernel, alpha and base scale with the lowest left-out loss; scales None: the best one.

    With ``prior`` widths and alphas off the middle have to be paid for; of use with so few
    rows that the left-out loss says little.
    """
    loss_of = _squared_loss if rows.codes is None else _class_loss
    middle = mean_squared_distance(rows.X, rows.weight)
    best = None
    for kernel in kernels:
        solver = Eigen(Similarity(kernel, rows.X).square(rows.X), rows.weight)
        width = getattr(kernel, "gamma", None)
        for alpha in alphas:
            parts = left_out_parts(solver.at(alpha), alpha, rows, fit_intercept, scaling)
            loss, scale = loss_of(*parts, rows, scales)
            if prior and alpha > 0:
                loss += STRENGTH * (np.log(alpha / ALPHA_MIDDLE) / np.log(3)) ** 2
                loss += STRENGTH * np.log2(width * middle) ** 2 if width else 0.0
            if best is None or loss < best[0]:
                best = loss, kernel, float(alpha), float(scale)
    return best[1:]
