"""The methods of the classifier: each sets what it learned and tells left-out scores.

``fit_*(model, rows, held)`` gives ``(index, scores, valid)``: left-out scores of the rows
``index`` (None: of all), and which of them mean something. With ``held`` the numbers chosen
before stay as they are. ``scores_*(model, X, base)`` gives scores (m, C).
"""

import numpy as np

from skcontrast.adaptation._base_scores import class_embeddings, inner
from skcontrast.adaptation._cache import TIP_ALPHA, average
from skcontrast.adaptation._calibration import fit_temperature, fit_weights, spread
from skcontrast.adaptation._discriminant import (
    PRIOR_GRID,
    SHRINKAGE_GRID,
    SHRINKAGE_MIDDLE,
    Discriminant,
    penalty,
)
from skcontrast.adaptation._frame import grid
from skcontrast.adaptation._similarity import Similarity, candidates, gamma_of

# Published grid of the weight of the Gaussian discriminant.
GDA_GRID = tuple(10.0**k for k in range(-4, 3))
TIP_GRID = (0.3, TIP_ALPHA, 4.0)
# Prior of the blend, weights of the ridge and of the discriminant, and its strength: a unit of
# weight costs half of it, in nats. Embeddings of the classes make the discriminant the
# better start; another base is heard in the ridge alone.
BLENDS = {
    "embeddings": ((0.0, 1.0), 60.0),
    "base": ((1.0, 0.0), 20.0),
    "nothing": ((0.5, 0.5), 20.0),
}
# Columns from which on an eigendecomposition for each prior weight takes too long.
WIDE = 1500


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
    published = model.scaling == "reference"
    return _fit_ridge(model, rows, held, _scale_grid(model, published), published, model.scaling)


def _fit_ridge(model, rows, held, scales, plain, scaling):
    if held:
        left_out = model._extend_ridge(held)
    else:
        wants = model._intercept_wanted(plain)
        model._select_ridge(rows, scales, fit_intercept=wants, scaling=scaling)
        left_out = model._fit_ridge(rows)
    index = None
    if left_out is None:
        index, left_out = model._left_out_on_part(rows)
    return index, left_out, np.ones(len(left_out), dtype=bool)


def scores_ridge(model, X, base):
    """``s f_0(x) + b + k(x, S) a``."""
    return model._ridge_scores(X, base)


# ---------------------------------------------------------------- the cache


def fit_cache(model, rows, held):
    """Tip-Adapter, Nadaraya-Watson and the local linear regression."""
    if not held:
        best = None
        for kernel in candidates(model.kernel, model.gamma, rows.X, rows.weight):
            near = _left_out_cache(model, kernel, rows)
            # Without a base, alpha is no more than a temperature.
            alphas = (1.0,) if rows.base is None else TIP_GRID
            for alpha in grid(model.alpha, "alpha", alphas):
                for scale in _scale_grid(model, True):
                    scores = alpha * near + (0 if rows.base is None else scale * rows.base)
                    loss = fit_temperature(scores, rows.codes, rows.weight)[1]
                    if best is None or loss < best[0]:
                        best = loss, kernel, alpha, scale
        _, model.kernel_, model.alpha_, model.base_scale_ = best
        model.gamma_ = gamma_of(model.kernel_)
    model.X_fit_, model.dual_coef_ = rows.X, model.alpha_ * rows.weight[:, None] * rows.Y
    model._support, model._factor, model.n_iter_ = vars(rows), None, 1
    near = _left_out_cache(model, model.kernel_, rows)
    return None, _with_base(model, model.alpha_ * near, rows.base), np.ones(len(near), dtype=bool)


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
    d, C = rows.X.shape[1], rows.Y.shape[1]
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
    model.gamma_, model._support, model._factor, model.n_iter_ = None, vars(rows), None, 1
    return None, _with_base(model, model.alpha_ * left_out, rows.base), valid


def _loss_of_valid(scores, rows, valid):
    if not valid.any():
        return 0.0
    return fit_temperature(scores[valid], rows.codes[valid], rows.weight[valid])[1]


def scores_gda(model, X, base):
    """``s f_0(x) + alpha (W x + b)``."""
    return _with_base(model, model.alpha_ * (X @ model.coef_.T + model.intercept_), base)


# ---------------------------------------------------------------- the blend


def _discriminants(model, rows, held):
    """Discriminants to choose from: prior weight, shrinkage, and the fit itself."""
    T = class_embeddings(model.estimator_, model.classes_)
    prior, shrinkage = (0.0,) if T is None else PRIOR_GRID, SHRINKAGE_GRID
    if T is not None and min(rows.X.shape) > WIDE:
        prior = (1.0,)
    if held:
        prior, shrinkage = (model.prior_weight_,), (model.shrinkage_,)
    for k in prior:
        fitted = Discriminant(rows.X, rows.codes, rows.weight, rows.Y.shape[1], T, k)
        for ratio in shrinkage:
            yield k, ratio, fitted


def _fit_discriminant(model, rows, held):
    best = None
    for k, ratio, fitted in _discriminants(model, rows, held):
        nu = fitted.ridge(ratio)
        scores, valid = fitted.left_out_scores(nu)
        loss, scale = penalty(k, ratio), 1.0
        if valid.any():
            scale, fit = fit_temperature(scores[valid], rows.codes[valid], rows.weight[valid])
            loss += fit
        elif ratio != SHRINKAGE_MIDDLE:
            continue
        if best is None or loss < best[0]:
            best = loss, k, ratio, fitted, scores, valid, scale
    _, model.prior_weight_, model.shrinkage_, fitted, scores, valid, scale = best
    W, b = fitted.coefficients(fitted.ridge(model.shrinkage_))
    if not held:
        model._discriminant_scale = scale if valid.any() else _unit(W, b, rows)
    scale = model._discriminant_scale
    model.coef_, model.discriminant_intercept_ = scale * W, scale * b
    return scale * scores, valid


def _unit(W, b, rows):
    """Scale for scores that nothing is known of: a spread of one on the rows."""
    scores = rows.X @ W.T + b
    return 1 / (np.std(scores - scores.mean(axis=1, keepdims=True)) or 1.0)


def fit_auto(model, rows, held):
    """The discriminant, and the ridge correction as far as it helps."""
    scores, valid = _fit_discriminant(model, rows, held)
    index, ridge, _ = _fit_ridge(model, rows, held, _scale_grid(model, False), False, "ridge")
    if index is not None:
        scores, valid = scores[index], valid[index]
        rows = rows.take(index)
    if not held:
        known_by = "nothing" if rows.base is None else "base"
        start, strength = BLENDS["embeddings" if model.prior_weight_ > 0 else known_by]
        unit, blend = 1.0, np.asarray(start)
        if valid.any():
            known = rows.codes[valid], rows.weight[valid]
            # As loud as the discriminant: a temperature of a few left-out rows is a guess.
            unit = spread(scores[valid], known[1]) / spread(ridge[valid], known[1])
            parts = [unit * ridge[valid], scores[valid]]
            blend, _ = fit_weights(parts, *known, start, (strength, strength))
        model.blend_weights_ = np.array([unit * blend[0], blend[1]])
    a, b = model.blend_weights_
    return index, a * ridge + b * scores, valid


def scores_auto(model, X, base):
    """Weighted sum of the scores of the two."""
    a, b = model.blend_weights_
    out = b * (X @ model.coef_.T + model.discriminant_intercept_)
    return out + a * model._ridge_scores(X, base) if a > 0 else out


METHODS = {
    "auto": (fit_auto, scores_auto),
    "proker": (fit_ridge, scores_ridge),
    "tip": (fit_cache, scores_cache),
    "nadaraya_watson": (fit_cache, scores_cache),
    "local_linear": (fit_cache, scores_cache),
    "gda": (fit_gda, scores_gda),
}
