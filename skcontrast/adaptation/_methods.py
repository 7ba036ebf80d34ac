"""The methods of the classifier: each sets what it learned and tells left-out scores.

``fit_*(model, rows, held)`` gives ``(known, scores, valid)``: rows, one in the place of copies,
their left-out scores, and which of them mean something. With ``held`` the numbers chosen before
stay as they are. ``scores_*(model, X, base)`` gives scores (m, C).
"""

import numpy as np

from skcontrast.adaptation._base_scores import inner
from skcontrast.adaptation._blend import fit_auto, scores_auto
from skcontrast.adaptation._cache import TIP_ALPHA, average
from skcontrast.adaptation._calibration import fit_temperature
from skcontrast.adaptation._discriminant import Discriminant
from skcontrast.adaptation._frame import grid
from skcontrast.adaptation._similarity import Similarity, candidates, gamma_of
from skcontrast.adaptation._solvers import machine_memory

# Published grid of the weight of the Gaussian discriminant.
GDA_GRID = tuple(10.0**k for k in range(-4, 3))
TIP_GRID = (0.3, TIP_ALPHA, 4.0)


def _scale_grid(model, published):
    """Base scales to choose from; None leaves the choice to the leave-one-out."""
    middle = None
    if published:  # for "proker" the raw cosines
        scale = getattr(inner(model.estimator), "logit_scale", 1.0)
        middle = [1.0 if model.method == "proker" else float(scale)]
    return grid(model.base_scale, "base_scale", middle)


def _with_base(model, scores, base):
    return scores if base is None else scores + model.base_scale_ * base


# ---------------------------------------------------------------- the ridge


def fit_ridge(model, rows, held):
    """ProKeR: the kernel-ridge correction alone."""
    known, published = rows.merged(), model.scaling == "reference"
    scales, wants = _scale_grid(model, published), model._intercept_wanted(published)
    index, left_out = model._fit_ridge(rows, known, held, scales, wants, model.scaling)
    known = known.take(index)
    return known, left_out, np.ones(len(left_out), dtype=bool)


def scores_ridge(model, X, base):
    """``s f_0(x) + b + k(x, S) a``."""
    return model._ridge_scores(X, base)


# ---------------------------------------------------------------- the cache


def fit_cache(model, rows, held):
    """Tip-Adapter, Nadaraya-Watson and the local linear regression."""
    known = rows.merged()
    if not held:
        best = None
        for kernel in candidates(model.kernel, model.gamma, known.X, known.weight):
            near = _left_out_cache(model, kernel, known)
            # Without a base, alpha is no more than a temperature.
            alphas = (1.0,) if known.base is None else TIP_GRID
            for alpha in grid(model.alpha, "alpha", alphas):
                for scale in _scale_grid(model, True):
                    scores = alpha * near + (0 if known.base is None else scale * known.base)
                    loss = fit_temperature(scores, known.codes, known.weight)[1]
                    if best is None or loss < best[0]:
                        best = loss, kernel, alpha, scale
        _, model.kernel_, model.alpha_, model.base_scale_ = best
        model.gamma_ = gamma_of(model.kernel_)
    model.X_fit_, model.dual_coef_ = rows.X, model.alpha_ * rows.weight[:, None] * rows.Y
    model._support, model._factor, model.n_iter_ = vars(rows), None, 1
    near = _left_out_cache(model, model.kernel_, known)
    return known, _with_base(model, model.alpha_ * near, known.base), np.ones(len(near), dtype=bool)


def _left_out_cache(model, kernel, rows):
    similarity = Similarity(kernel, rows.X)
    return average(model.method, similarity, rows.X, rows.X, rows.Y, rows.weight, itself=True)


def scores_cache(model, X, base):
    """``s f_0(x) + alpha`` times the average of the labels of near rows."""
    rows, similarity = model._support, Similarity(model.kernel_, model.X_fit_)
    near = average(model.method, similarity, X, model.X_fit_, rows["Y"], rows["weight"])
    return _with_base(model, model.alpha_ * near, base)


# --------------------------------------------------------- the discriminant


def fit_gda(model, rows, held):
    """The published Gaussian discriminant, added to the base with weight alpha."""
    model._support, rows = vars(rows), rows.merged()
    d, C = rows.X.shape[1], rows.Y.shape[1]
    if 8 * d**2 > 0.8 * machine_memory():
        raise MemoryError(
            f"method='gda' keeps a covariance of {d} x {d} numbers, {8 * d**2 / 2**30:.0f} GiB, "
            "more than this machine has: type method='auto'."
        )
    fitted = Discriminant(rows.X, rows.codes, rows.weight, C)
    # P = d (A'A + tr(A'A) / (n - 1) I)^-1, which is zero for one row a class: then the
    # metric is that of the classes' means.
    n = max(rows.weight.sum() - 1, 1.0)
    nu = fitted.ridge(fitted.n_features / n)
    left_out, valid = fitted.left_out_scores(nu)
    left_out = d * left_out - np.log(C)
    if not held:
        best = None
        alphas = (1.0,) if rows.base is None else GDA_GRID
        for alpha in grid(model.alpha, "alpha", alphas):
            for scale in _scale_grid(model, True):
                scores = alpha * left_out + (0 if rows.base is None else scale * rows.base)
                loss = _loss_of_valid(scores, rows, valid)
                if best is None or loss < best[0]:
                    best = loss, alpha, scale
        _, model.alpha_, model.base_scale_ = best
    W, b = fitted.coefficients(nu)
    means, scatter, basis = fitted.means, fitted.scatter, fitted.basis
    if basis is not None:
        means, scatter = means @ basis.T, basis @ scatter @ basis.T
    model.means_, model.covariance_ = means, scatter / n
    model.coef_, model.intercept_ = d * W, d * b - np.log(C)
    model.gamma_, model._factor, model.n_iter_ = None, None, 1
    return rows, _with_base(model, model.alpha_ * left_out, rows.base), valid


def _loss_of_valid(scores, rows, valid):
    if not valid.any():
        return 0.0
    return fit_temperature(scores[valid], rows.codes[valid], rows.weight[valid])[1]


def scores_gda(model, X, base):
    """``s f_0(x) + alpha (W x + b)``."""
    return _with_base(model, model.alpha_ * (X @ model.coef_.T + model.intercept_), base)


METHODS = {
    "auto": (fit_auto, scores_auto),
    "proker": (fit_ridge, scores_ridge),
    "tip": (fit_cache, scores_cache),
    "nadaraya_watson": (fit_cache, scores_cache),
    "local_linear": (fit_cache, scores_cache),
    "gda": (fit_gda, scores_gda),
}
