"""What the two adapters share: parameters, the ridge correction, further rows."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    Real,
    Shorthand,
    ShorthandMixin,
    StrOptions,
    check_parameters,
)
from skcontrast._state import OwnState
from skcontrast.adaptation._base_scores import learns, scores_of
from skcontrast.adaptation._ridge import (
    ALPHA_GRID,
    REGRESSION_ALPHA_GRID,
    left_out_residuals,
    solve_ridge,
)
from skcontrast.adaptation._selection import (
    SELECTION_ROWS,
    Rows,
    left_out_parts,
    scale_alone,
    select,
)
from skcontrast.adaptation._similarity import Similarity, candidates, gamma_of, with_linear_terms
from skcontrast.adaptation._solvers import (
    EXACT_ROWS,
    Cholesky,
    ConjugateGradient,
    Eigen,
    Nystroem,
    check_memory,
)

_POSITIVE = Interval(Real, 0, None, closed="neither")
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")


def check_weight(sample_weight, n_samples):
    """Weights (n,) of float64, or None."""
    if sample_weight is None:
        return None
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    weight = np.full(n_samples, float(weight)) if weight.ndim == 0 else weight
    if weight.shape != (n_samples,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n_samples,)}: pass one weight "
            "for each row of X."
        )
    if (weight < 0).any():
        raise ValueError("sample_weight must hold no negative number.")
    if not (weight > 0).any():
        raise ValueError("sample_weight holds zero weights only: at least one must be positive.")
    return weight


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


class BaseProKeR(ShorthandMixin, OwnState, BaseEstimator):
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

    def _checked(self, X, y, sample_weight, reset, **options):
        """X, y and weights, without the rows of weight zero."""
        options = {**options, "dtype": np.float64, "force_writeable": True}  # torch warns else
        X, y = validate_data(self, X, y, reset=reset, **options)
        weight = check_weight(sample_weight, len(X))
        if weight is not None and not (weight > 0).all():
            kept = weight > 0
            X, y, weight = X[kept], y[kept], weight[kept]
        return X, y, weight

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
        chosen = rows
        if len(rows.X) > SELECTION_ROWS:
            rng = check_random_state(self.random_state)
            chosen = rows.take(np.sort(rng.permutation(len(rows.X))[:SELECTION_ROWS]))
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
            found = select(chosen, kernels, alphas, scales, **options)
            self.kernel_, self.alpha_, self.base_scale_ = found
        self.gamma_ = gamma_of(self.kernel_)
        self._hold = {"fit_intercept": bool(fit_intercept), "scaling": scaling}

    def _solver_name(self, n):
        if self.solver != "auto":
            return self.solver
        return "cholesky" if n <= EXACT_ROWS else "nystroem"

    def _make_solver(self, rows):
        """The solver of these rows, with kernel and alpha as chosen."""
        name, n = self._solver_name(len(rows.X)), len(rows.X)
        similarity = Similarity(self.kernel_, rows.X)
        if name == "cholesky":
            check_memory(n, "cholesky")
            if n <= SELECTION_ROWS and self.alpha_ == 0:
                # Least squares: equal rows share what they are told.
                return Eigen(similarity.square(rows.X), rows.weight).at(0.0)
            return Cholesky(similarity.square(rows.X), rows.weight, self.alpha_)
        rng = check_random_state(self.random_state)
        landmarks = rng.permutation(n)[: min(n, self.n_components)]
        if name == "nystroem":
            return Nystroem(similarity, rows.X, rows.weight, self.alpha_, landmarks)
        return ConjugateGradient(
            similarity, rows.X, rows.weight, self.alpha_, landmarks, self.tol, self.max_iter
        )

    def _solve_ridge(self, rows, solver):
        """Set the coefficients; return left-out predictions, or None for ``solver='cg'``."""
        R = self._residuals(rows)
        # A regressor has no temperature to fit to left-out predictions.
        wants, judged = self._hold["fit_intercept"], rows.codes is not None
        dual, intercept, G = solve_ridge(solver, R, wants, judged)
        factor = self.alpha_ if self._hold["scaling"] == "reference" else 1.0
        left_out = None
        if G is not None:
            left_out = factor * (R - left_out_residuals(dual, G, solver.alpha, rows.weight))
            if rows.base is not None:
                left_out += self.base_scale_ * rows.base
        if isinstance(solver, Nystroem):
            self.X_fit_, dual = solver.landmarks, solver.coefficients(dual)
        else:
            self.X_fit_ = rows.X
        self.dual_coef_, self.intercept_ = factor * dual, factor * intercept
        self.n_iter_ = getattr(solver, "n_iter", 1)
        # What further rows are added to; landmarks stand for rows that are not kept.
        self._support = None if isinstance(solver, Nystroem) else vars(rows)
        self._factor = None
        return left_out

    def _fit_ridge(self, rows):
        return self._solve_ridge(rows, self._make_solver(rows))

    def _left_out_on_part(self, rows):
        """Left-out predictions on a part of the rows, where the solver gives none."""
        rng = check_random_state(self.random_state)
        index = np.sort(rng.permutation(len(rows.X))[:SELECTION_ROWS])
        part = rows.take(index)
        solver = Eigen(Similarity(self.kernel_, part.X).square(part.X), part.weight)
        wants, scaling = self._hold["fit_intercept"], self._hold["scaling"]
        A, B = left_out_parts(solver.at(self.alpha_), self.alpha_, part, wants, scaling)
        return index, A if B is None else A + self.base_scale_ * B

    # --------------------------------------------------------- further rows

    def _extend_ridge(self, new):
        """Add rows to the system; its triangular factor grows, nothing is solved anew."""
        old, rows = self._old_rows(), self._old_rows().joined(new)
        if self._solver_name(len(rows.X)) != "cholesky" or self.alpha_ == 0:
            return self._solve_ridge(rows, self._make_solver(rows))
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
        out = self._solve_ridge(rows, solver)
        if grown:
            names = ("factor", "jitter", "_diagonal")
            self._factor = {name: getattr(solver, name) for name in names}
        return out

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
        check_is_fitted(self, "n_targets_")
        return validate_data(self, X, dtype=np.float64, reset=False, force_writeable=True)

    def _start(self):
        check_parameters(self)
        for name in ("gamma", "alpha", "base_scale"):
            value = getattr(self, name)
            if not isinstance(value, str):
                numbers = grid(value, name, ())
                if name == "gamma" and min(numbers) == 0:
                    raise ValueError("gamma must be positive, got 0.")
