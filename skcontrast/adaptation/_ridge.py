r"""The kernel-ridge correction, with exact leave-one-out for every alpha.

.. math:: f(x) = s f_0(x) + b + k(x, S) a, \qquad
          (K + \alpha W^{-1}) a + 1 b = Y - s f_0(S), \quad 1^\top a = 0

(without an intercept b = 0 and no constraint). With :math:`G` the matrix that maps the
right-hand side to a, the residual of a row that takes no part is :math:`a_i / G_{ii}`.
"""

import numpy as np

from skcontrast.adaptation._solvers import EVERY

# Strength of the ridge; kernels with diagonal 1 and targets 0 and 1 set the scale.
ALPHA_GRID = (0.03, 0.1, 0.3, 1.0, 3.0)
# Targets can be known to many digits, labels cannot.
REGRESSION_ALPHA_GRID = (0.001, 0.01, *ALPHA_GRID, 10.0)


def with_intercept(solver, R, index=EVERY):
    """Dual coefficients (n, C), intercept (C,), and the diagonal of G at ``index`` or None."""
    both = solver.solve(np.column_stack([R, np.ones(len(R))]))
    dual, ones = both[:, :-1], both[:, -1]
    G, total = None if index is None else solver.inverse_diagonal(index), ones.sum()
    if total <= 0:  # no room left for a constant
        return dual, np.zeros(R.shape[1]), G
    intercept = dual.sum(axis=0) / total
    return (
        dual - ones[:, None] * intercept,
        intercept,
        None if G is None else G - ones[index] ** 2 / total,
    )


def solve_ridge(solver, R, fit_intercept, index=EVERY):
    """Like :func:`with_intercept`, with or without one, and without G where it has no use."""
    if fit_intercept:
        return with_intercept(solver, R, index)
    G = None if index is None else solver.inverse_diagonal(index)
    return solver.solve(R), np.zeros(R.shape[1]), G


def solve_landmarks(solver, R, fit_intercept, index):
    """The same for landmarks: coefficients, intercept, dual and G at the rows ``index``.

    R (n, C) may be sparse, as are labels without a base: of most rows only sums are asked.
    """
    reduced, intercept, at, G = solver.reduced(R), np.zeros(R.shape[1]), None, None
    if index is not None:
        at, G = solver.rows_of(R, reduced, index), solver.inverse_diagonal(index)
    if fit_intercept:
        ones = np.ones((R.shape[0], 1))
        of_ones = solver.reduced(ones)
        ones = solver.rows_of(ones, of_ones)
        total = ones.sum()
        if total > 0:
            intercept = (R.T @ ones)[:, 0] / total
            reduced -= of_ones * intercept
            if index is not None:
                at, G = at - ones[index] * intercept, G - ones[index, 0] ** 2 / total
    return solver.coefficients(reduced), intercept, at, G


def left_out_residuals(dual, G):
    """Residual of each row when it takes no part in the fit, whatever its weight: a_i / G_ii."""
    # Left out, a row with G_ii = 0 is predicted by nothing that alpha=0 could resolve.
    return dual / np.where(G > 0, G, np.inf)[:, None]
