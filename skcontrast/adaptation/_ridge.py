r"""The kernel-ridge correction, with exact leave-one-out for every alpha.

.. math:: f(x) = s f_0(x) + b + k(x, S) a, \qquad
          (K + \alpha W^{-1}) a + 1 b = Y - s f_0(S), \quad 1^\top a = 0

(without an intercept b = 0 and no constraint). With :math:`G` the matrix that maps the
right-hand side to a, the residual of a row that takes no part is :math:`a_i / G_{ii}`.
"""

import numpy as np
from scipy.sparse import hstack, issparse

from skcontrast.adaptation._solvers import EVERY

# Strength of the ridge; kernels with diagonal 1 and targets 0 and 1 set the scale.
ALPHA_GRID = (0.03, 0.1, 0.3, 1.0, 3.0)
# Targets can be known to many digits, labels cannot.
REGRESSION_ALPHA_GRID = (0.001, 0.01, *ALPHA_GRID, 10.0)


def solve_ridge(solver, R, fit_intercept, index=EVERY):
    """Solve for targets R (n, C), which may be sparse where the solver has landmarks.

    Returns
    -------
    coefficients : ndarray of shape (n_fitted, C)
        Of the rows, or of the landmarks that stand for them.

    intercept : ndarray of shape (C,)

    dual, G : ndarrays of shape (m, C) and (m,), or None
        At the rows ``index``, by default all: the dual coefficients, and the diagonal of the
        matrix that maps R to them, None where it is not to be had. Both are None without rows.
    """
    n, C = R.shape
    ones = np.ones((n, 1))
    both = R
    if fit_intercept:
        both = hstack([R, ones], format="csr") if issparse(R) else np.hstack([R, ones])
    found = solver.reduced(both)
    reduced, intercept = found[:, :C], np.zeros(C)
    dual = None if index is None else solver.rows_of(R, reduced, index)
    G = None if index is None else solver.inverse_diagonal(index)
    if fit_intercept:
        of_ones = found[:, C:]
        a = solver.rows_of(ones, of_ones)
        total = a.sum()
        if total > 0:  # else there is no room left for a constant
            intercept = (R.T @ a)[:, 0] / total
            reduced = reduced - of_ones * intercept
            dual = None if dual is None else dual - a[index] * intercept
            G = None if G is None else G - a[index, 0] ** 2 / total
    return solver.coefficients(reduced), intercept, dual, G


def left_out_residuals(dual, G):
    """Residual of each row when it takes no part in the fit, whatever its weight: a_i / G_ii."""
    # Left out, a row with G_ii = 0 is predicted by nothing that alpha=0 could resolve.
    return dual / np.where(G > 0, G, np.inf)[:, None]
