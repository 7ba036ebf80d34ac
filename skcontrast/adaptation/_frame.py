"""What the two adapters share: parameters, the ridge correction, further rows."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    Real,
    Shorthand,
    ShorthandMixin,
    StrOptions,
    check_parameters,
    take_rows,
)
from skcontrast._state import OwnState
from skcontrast.adaptation._base_scores import learns, scores_of
from skcontrast.adaptation._copies import SELECTION_ROWS, clumps
from skcontrast.adaptation._door import ReadsRows, check_groups, check_size, check_weight
from skcontrast.adaptation._ridge import (
    ALPHA_GRID,
    REGRESSION_ALPHA_GRID,
    left_out_residuals,
    solve_ridge,
)
from skcontrast.adaptation._selection import Rows, left_out_parts, near_unit, scale_alone, select
from skcontrast.adaptation._similarity import Similarity, candidates, gamma_of, with_linear_terms
from skcontrast.adaptation._solvers import (
    EXACT_PRODUCTS,
    EXACT_ROWS,
    Cholesky,
    ConjugateGradient,
    Eigen,
    Nystroem,
    check_memory,
)

# Rows that tell which kernel; the ridge, which depends on how many there are, takes all of a
# sample, and this should have so many rows of each class.
KERNEL_ROWS = 600
ROWS_OF_CLASS = 8
# Scores, rows times classes, of a sample of more rows than the kernel is told by.
SELECTION_SCORES = 1_000_000

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")


def grid(value, name, middle):
    """Numbers to choose from: a number, a grid, or ``middle`` in place of "auto"."""
    if isinstance(value, str):
        return middle
    values = [value] if isinstance(value, Real) else list(np.ravel(np.asarray(value)))
    numbers = [float(v) for v in values if not isinstance(v, (str, bool))]
    if not values or len(numbers) < len(values) or not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be a number or a grid of finite numbers, got {value!r}.")
    if min(numbers) < 0:
        raise ValueError(f"{name} must hold no negative number, got {min(numbers)}.")
    return numbers


class BaseProKeR(ShorthandMixin, OwnState, ReadsRows, BaseEstimator):
    """Parameters and the ridge correction of the two adapters."""

    _shorthand = {"kernel": "skcontrast.kernels:KERNELS"}

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "kernel": [Shorthand("skcontrast.kernels:KERNELS", "kernel")],
        "gamma": [_POSITIVE, StrOptions({"auto", "scale", "median"}), "array-like"],
        "alpha": [_NOT_NEGATIVE, StrOptions({"auto"}), "array-like"],
        "base_scale": [_NOT_NEGATIVE, StrOptions({"auto"}), "array-like"],
        "scaling": [StrOptions({"reference", "ridge"})],
        "fit_intercept": ["boolean", StrOptions({"auto"})],
        "solver": [StrOptions({"auto", "cholesky", "nystroem", "cg"})],
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "tol": [_POSITIVE],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    # ------------------------------------------------------- what is learned

    def _labelled(self, X, target, has_target, beside, reset):
        """The rows that have a target and a weight: for a base, as numbers, and what is beside.

        ``beside`` holds weights and groups. A group counts as one row of its mean weight.
        """
        raw, numbers = self._read_rows(X, reset)
        check_consistent_length(numbers, target)
        check_size(numbers, "X")
        weight, groups = (f(v, len(numbers)) for f, v in zip((check_weight, check_groups), beside))
        kept = has_target if weight is None else has_target & (weight > 0)
        if not kept.all():
            index = np.flatnonzero(kept)
            raw, numbers, target = take_rows(raw, index), numbers[kept], target[kept]
            weight = None if weight is None else weight[kept]
            groups = None if groups is None else groups[kept]
        if groups is not None and len(groups):
            _, place, size = np.unique(groups, return_inverse=True, return_counts=True)
            groups, weight = place, (1 if weight is None else weight) / size[place]
        return raw, numbers, target, weight, groups

    def _base_of(self, X):
        if self.estimator_ is None:
            return None
        return scores_of(self.estimator_, X, getattr(self, "classes_", None))

    def _residuals(self, rows):
        """What the base leaves to the correction."""
        return rows.Y if rows.base is None else rows.Y - self.base_scale_ * rows.base

    def _intercept_wanted(self, plain):
        return not plain if isinstance(self.fit_intercept, str) else bool(self.fit_intercept)

    def _select_ridge(self, rows, scales, *, fit_intercept, scaling):
        """Choose kernel, alpha and base scale on the rows, or on a part of them."""
        if scales is None and rows.base is not None and learns(self.estimator):
            scales = [scale_alone(rows)]
        chosen = rows.take(self._some_rows(len(rows.X)))
        few = self._most_rows() < ROWS_OF_CLASS * rows.Y.shape[1]
        if rows.codes is not None and few and len(chosen.X) < len(rows.X):
            chosen = self._some_classes(rows)
        kernels = candidates(self.kernel, self.gamma, chosen.X, chosen.weight)
        if rows.codes is None and self.estimator is None and self.kernel == "rbf":
            # Nothing else could say where the targets go on average.
            if isinstance(self.gamma, str) and self.gamma == "auto":
                kernels = with_linear_terms(kernels, chosen.X, chosen.weight)
        middle = ALPHA_GRID if rows.codes is not None else REGRESSION_ALPHA_GRID
        alphas = grid(self.alpha, "alpha", middle)
        if scaling == "reference" and min(alphas) == 0:
            raise ValueError(
                "alpha=0 with scaling='reference' multiplies the correction by zero: type "
                "scaling='ridge', or a positive alpha."
            )
        only = len(kernels) == len(alphas) == 1 and (rows.base is None or scales is not None)
        if only and (scales is None or len(scales) == 1):
            self.kernel_, self.alpha_ = kernels[0], alphas[0]
            self.base_scale_ = 1.0 if scales is None else scales[0]
        else:
            automatic = all(isinstance(v, str) and v == "auto" for v in (self.gamma, self.alpha))
            options = {"fit_intercept": fit_intercept, "scaling": scaling}
            options["prior"] = rows.codes is not None and automatic
            if len(kernels) > 1 and len(chosen.X) > KERNEL_ROWS:
                some = self._drawn(len(chosen.X), KERNEL_ROWS)
                kernels = [select(chosen.take(some), kernels, alphas, scales, **options)[0]]
            found = select(chosen, kernels, alphas, scales, **options)
            self.kernel_, self.alpha_, self.base_scale_ = found
        self.gamma_ = gamma_of(self.kernel_)
        self._hold = {"fit_intercept": bool(fit_intercept), "scaling": scaling}

    def _some_rows(self, n):
        """Rows that numbers are chosen on: all of them, or a sample of many."""
        most = self._most_rows()
        return slice(None) if n <= most else self._drawn(n, most)

    def _most_rows(self):
        return min(SELECTION_ROWS, max(KERNEL_ROWS, SELECTION_SCORES // self.n_targets_))

    def _drawn(self, n, size):
        return np.sort(check_random_state(self.random_state).permutation(n)[:size])

    def _some_classes(self, rows):
        """All rows of as many classes as make a sample: where a sample has few of each class,
        leaving one of them out would say little.
        """
        order = check_random_state(self.random_state).permutation(rows.Y.shape[1])
        size = np.bincount(rows.codes, minlength=len(order))[order]
        classes = np.sort(order[: max(2, (size.cumsum() <= self._most_rows()).sum())])
        part = rows.take(np.flatnonzero(np.isin(rows.codes, classes)))
        base = None if part.base is None else part.base[:, classes]
        codes = np.searchsorted(classes, part.codes)
        return replace(part, Y=part.Y[:, classes], base=base, codes=codes)

    def _solver_name(self, n, n_targets):
        if self.solver != "auto":
            return self.solver
        exact = n <= EXACT_ROWS and n**2 * n_targets <= EXACT_PRODUCTS
        return "cholesky" if exact else "nystroem"

    def _make_solver(self, rows):
        """The solver of these rows, with kernel and alpha as chosen."""
        name, n = self._solver_name(*rows.Y.shape), len(rows.X)
        similarity = Similarity(self.kernel_, rows.X)
        if name == "cholesky":
            check_memory(n, "cholesky")
            if n <= SELECTION_ROWS and self.alpha_ == 0:
                # Least squares: equal rows share what they are told.
                return Eigen(similarity.square(rows.X), rows.weight).at(0.0)
            return Cholesky(similarity.square(rows.X), rows.weight, self.alpha_)
        landmarks = self._landmarks(rows)
        if name == "nystroem":
            return Nystroem(similarity, rows.X, rows.weight, self.alpha_, landmarks)
        return ConjugateGradient(
            similarity, rows.X, rows.weight, self.alpha_, landmarks, self.tol, self.max_iter
        )

    def _landmarks(self, rows):
        """Rows that stand for all, and before them a mean of each class, if there are twice as
        many landmarks as classes: where classes are many it tells them better than a row.
        """
        (n, C), m = rows.Y.shape, self.n_components
        order = check_random_state(self.random_state).permutation(n)
        if rows.codes is None or n <= m or m < 2 * C:
            return rows.X[order[:m]]
        weight = np.bincount(rows.codes, rows.weight, C)
        share = coo_array((rows.weight / weight[rows.codes], (rows.codes, np.arange(n))), (C, n))
        means = (share @ rows.X)[weight > 0]
        return np.vstack([near_unit(means, rows.X), rows.X[order[: m - len(means)]]])

    def _solve_ridge(self, rows, solver, judged):
        """Set the coefficients; return left-out predictions of rows ``judged``, for "cg" None."""
        R, wants = self._residuals(rows), self._hold["fit_intercept"]
        by_landmarks = isinstance(solver, Nystroem)
        # Labels alone are mostly zeros.
        sparse = by_landmarks and rows.codes is not None and rows.base is None
        targets = csr_array(R) if sparse else R
        coefficients, intercept, dual, G = solve_ridge(solver, targets, wants, judged)
        factor = self.alpha_ if self._hold["scaling"] == "reference" else 1.0
        left_out = None
        if G is not None:
            left_out = factor * (R[judged] - left_out_residuals(dual, G))
            if rows.base is not None:
                left_out += self.base_scale_ * rows.base[judged]
        self.X_fit_ = solver.landmarks if by_landmarks else rows.X
        self.dual_coef_, self.intercept_ = factor * coefficients, factor * intercept
        self.n_iter_ = getattr(solver, "n_iter", 1)
        # What further rows are added to; landmarks stand for rows that are not kept.
        self._support = None if by_landmarks else vars(rows)
        self._factor = None
        return left_out

    def _fit_ridge(self, rows, known, held, scales, fit_intercept, scaling):
        """Fit the correction to the rows, with numbers that are chosen on ``known``.

        Gives left-out predictions of the latter, or of some of them, and which.
        """
        # A regressor has no temperature to fit to left-out predictions.
        judged = None
        if rows.codes is not None and known is rows:
            sampled = self._solver_name(*rows.Y.shape) == "nystroem"
            judged = self._some_rows(len(rows.X)) if sampled else slice(None)
        if held:
            left_out = self._extend_ridge(rows, held, judged)
        else:
            self._select_ridge(known, scales, fit_intercept=fit_intercept, scaling=scaling)
            left_out = self._solve_ridge(rows, self._make_solver(rows), judged)
        if rows.codes is None or left_out is not None:
            return judged, left_out
        return self._left_out_on_part(known)

    def _left_out_on_part(self, rows):
        """Left-out predictions of rows that are not those of the solver, or of a part of them."""
        index = self._some_rows(len(rows.X))
        part = rows.take(index)
        K = Similarity(self.kernel_, part.X).square(part.X)
        if self.alpha_ > 0:
            solver = Cholesky(K, part.weight, self.alpha_)
        else:
            solver = Eigen(K, part.weight).at(0.0)
        wants, scaling = self._hold["fit_intercept"], self._hold["scaling"]
        A, B = left_out_parts(solver, self.alpha_, part, wants, scaling)
        return index, A if B is None else A + self.base_scale_ * B

    # --------------------------------------------------------- further rows

    def _extend_ridge(self, rows, new, judged):
        """Add rows to the system; its triangular factor grows, nothing is solved anew."""
        old = self._old_rows()
        if self._solver_name(*rows.Y.shape) != "cholesky" or self.alpha_ == 0:
            return self._solve_ridge(rows, self._make_solver(rows), judged)
        check_memory(len(rows.X), "cholesky")
        similarity = Similarity(self.kernel_, old.X)
        if self._factor is None:
            solver = Cholesky(similarity.square(old.X), old.weight, self.alpha_)
            if new.codes is not None:
                solver.inverse_diagonal()
        else:
            solver = Cholesky.__new__(Cholesky)
            vars(solver).update(self._factor, weight=old.weight, alpha=self.alpha_)
        grown = solver.extend(similarity(old.X, new.X), similarity(new.X, new.X), new.weight)
        solver = solver if grown else self._make_solver(rows)
        out = self._solve_ridge(rows, solver, judged)
        if grown:
            names = ("factor", "jitter", "_diagonal")
            self._factor = {name: getattr(solver, name) for name in names}
        return out

    def _with_old_rows(self, new, near):
        """The rows of earlier calls and new ones, which may be copies of them."""
        rows = self._old_rows().joined(new)
        target = rows.Y if rows.codes is None else rows.codes
        rows.clumps = clumps(rows.X, target, rows.clumps, near)
        return rows

    def _old_rows(self):
        if self._support is None:
            raise ValueError(
                "solver='nystroem' keeps landmarks and not the rows, so that no rows can be "
                "added: type solver='cholesky' or 'cg', or fit on all rows."
            )
        return Rows(**self._support)

    # ----------------------------------------------------------- predictions

    def _ridge_scores(self, X, base):
        similarity = Similarity(self.kernel_, self.X_fit_)
        out = similarity.times(X, self.X_fit_, self.dual_coef_) + self.intercept_
        return out if base is None else out + self.base_scale_ * base

    def _query(self, X):
        """Rows as numbers (m, d), and what the base says of them."""
        check_is_fitted(self, "n_targets_")
        raw, numbers = self._read_rows(X, False)
        check_size(numbers, "X")
        return numbers, self._base_of(raw)

    def _start(self):
        check_parameters(self)
        for name in ("gamma", "alpha", "base_scale"):
            value = getattr(self, name)
            if not isinstance(value, str):
                numbers = grid(value, name, ())
                if name == "gamma" and min(numbers) == 0:
                    raise ValueError("gamma must be positive, got 0.")
