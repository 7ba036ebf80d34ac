r"""The default method: a discriminant and the ridge correction, blended with the base.

A class that the shots do not show is known by the base alone, and by its embedding. Scores that
were fitted to rows of the other classes would always be above its own, so that what the shots say
decides among the classes shown, and whether it is one of these is left to

.. math:: h = (1 - \omega) \, \text{base} + \omega \, \text{discriminant}, \qquad
          \omega = (S - 1) / (S - 1 + 3)

with S the number of classes shown: the best class shown has the largest h of those, the others lie
below it by what the shots say, and a class not shown has its own h. With one class shown the base
decides alone, as it does for good where it has no embeddings.
"""

from dataclasses import replace

import numpy as np

from skcontrast.adaptation._base_scores import class_embeddings, learns
from skcontrast.adaptation._calibration import fit_temperature, fit_weights, spread
from skcontrast.adaptation._discriminant import (
    PRIOR_GRID,
    SHRINKAGE_GRID,
    SHRINKAGE_MIDDLE,
    Discriminant,
    penalty,
)
from skcontrast.adaptation._frame import grid

# Prior of the blend, weights of the ridge and of the discriminant, and its strength: a unit of
# weight costs half of it, in nats. Embeddings of the classes make the discriminant the
# better start. Another base that learns from these rows is heard in the ridge alone; one that is
# kept stands beside both as a third part, and is the start.
BLENDS = {
    "embeddings": ((0.0, 1.0), (60.0, 60.0)),
    "kept": ((0.0, 0.0, 1.0), (5.0, 5.0, 1.0)),
    "learns": ((1.0, 0.0), (20.0, 20.0)),
    "nothing": ((0.5, 0.5), (20.0, 20.0)),
}
# Columns from which on an eigendecomposition for each prior weight takes too long.
WIDE = 1500
# Least inverse temperature of the base, in units of its inverse spread.
LEAST_SCALE = 0.05
# Classes shown, beyond the first, that count as much as the base where others are not shown.
TRUST = 3.0


def _balanced(rows):
    """Weights that make classes count alike, and together as many rows as they are worth."""
    total = np.bincount(rows.codes, rows.weight)
    shown = total[total > 0]
    return rows.weight / total[rows.codes] * len(shown) / (1 / shown).sum()


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


def _fit_discriminant(model, rows, weight, held, keeps):
    """Set the discriminant; gives ``left_out(index) -> scores (m, C), valid (m,)``."""
    best, some = None, model._some_rows(len(rows.X))
    codes, weight = rows.codes[some], weight[some]
    for k, ratio, fitted in _discriminants(model, rows, held):
        scores, valid = fitted.left_out_scores(fitted.ridge(ratio), some)
        loss, scale = penalty(k, ratio), 1.0
        if valid.any():
            scale, fit = fit_temperature(scores[valid], codes[valid], weight[valid])
            loss += fit
        elif ratio != SHRINKAGE_MIDDLE:
            continue
        if best is None or loss < best[0]:
            best = loss, k, ratio, fitted, valid.any(), scale
    _, model.prior_weight_, model.shrinkage_, fitted, known, scale = best
    nu = fitted.ridge(model.shrinkage_)
    W, b = fitted.coefficients(nu)
    lift = fitted.lift(nu) if keeps else 0.0
    b = b + lift
    if not held:
        model._discriminant_scale = scale if known else _unit(W, b, rows)
    scale = model._discriminant_scale
    model.coef_, model.discriminant_intercept_ = scale * W, scale * b

    def left_out(index):
        scores, valid = fitted.left_out_scores(nu, index)
        return scale * (scores + lift), valid

    return left_out


def _keeps(model):
    """Whether the base knows more than the rows of this fit."""
    return model.estimator_ is not None and not learns(model.estimator)


def _unit(W, b, rows):
    """Scale for scores that nothing is known of: a spread of one on the rows."""
    scores = rows.X @ W.T + b
    return 1 / (np.std(scores - scores.mean(axis=1, keepdims=True)) or 1.0)


def fit_auto(model, rows, held):
    """The discriminant and the ridge correction, as far as they help."""
    # A folder of an earlier version holds no part of a base that is kept.
    old = held and getattr(model, "_base_part", None) is None
    known, keeps = rows.merged(), _keeps(model) and not old
    weight = _balanced(known) if keeps else known.weight
    left_out = _fit_discriminant(model, known, weight, held, keeps)
    scales, wants = grid(model.base_scale, "base_scale", None), model._intercept_wanted(False)
    index, ridge = model._fit_ridge(rows, known, held, scales, wants, "ridge")
    scores, valid = left_out(index)
    known, weight = known.take(index), weight[index]
    if keeps and model.prior_weight_ == 0:
        # A class without another row is left without a mean: neither for nor against it.
        own, alone = (np.arange(len(valid)), known.codes), np.flatnonzero(~valid)
        others = (scores.sum(axis=1) - scores[own]) / (scores.shape[1] - 1)
        scores[alone, known.codes[alone]] = others[alone]
        valid = np.ones_like(valid)
    if not held:
        _choose_blend(model, replace(known, weight=weight), scores, valid, ridge, keeps)
    a, b = model.blend_weights_
    out = a * ridge + b * scores
    if not keeps:
        return known, out, valid
    shown = np.unique(known.codes)
    there = np.isin(np.arange(out.shape[1]), shown)
    model._base_part = {**model._base_part, "shown": there}
    out = (out + model._base_part["weight"] * known.base)[:, shown]
    return replace(known, codes=np.searchsorted(shown, known.codes)), out, valid


def _choose_blend(model, rows, scores, valid, ridge, keeps):
    """Set the weights of the parts, and how loud the base is for itself."""
    rows, scores, ridge = rows.take(valid), scores[valid], ridge[valid]
    parts, loud, known_by = [ridge, scores], scores, "nothing" if rows.base is None else "learns"
    if keeps:
        unit = spread(rows.base, rows.weight)
        (scale,), _ = fit_weights([rows.base / unit], rows.codes, rows.weight, [1.0], [1.0])
        unit, known_by = max(scale, LEAST_SCALE) / unit, "embeddings"
        if model.prior_weight_ == 0:
            loud, known_by = unit * rows.base, "kept"
            parts = [*parts, loud]
    weights, strengths = BLENDS[known_by]
    if valid.any():
        # All as loud as the start: a temperature of a few left-out rows is a guess.
        units = [spread(loud, rows.weight) / spread(part, rows.weight) for part in parts]
        parts = [factor * part for factor, part in zip(units, parts)]
        weights, _ = fit_weights(parts, rows.codes, rows.weight, weights, strengths)
        weights = weights * units
    model.blend_weights_ = np.array(weights[:2])
    beside = float(weights[2] * unit) if known_by == "kept" else 0.0
    model._base_part = {"weight": beside, "unit": float(unit)} if keeps else None


def scores_auto(model, X, base):
    """Weighted sum of the scores, and what is known of classes without a row beside it."""
    a, b = model.blend_weights_
    discriminant = X @ model.coef_.T + model.discriminant_intercept_
    out = b * discriminant
    if a > 0:
        out += a * model._ridge_scores(X, base)
    part = getattr(model, "_base_part", None)  # not in folders of earlier versions
    if part is None:
        return out
    out += part["weight"] * base
    shown = part["shown"]
    if shown.all():
        return out
    S = shown.sum() - 1
    omega = S / (S + TRUST) if model.prior_weight_ > 0 else 0.0
    h = (1 - omega) * model.temperature_ * part["unit"] * base + omega * b * discriminant
    out[:, shown] += (h[:, shown].max(axis=1) - out[:, shown].max(axis=1))[:, None]
    out[:, ~shown] = h[:, ~shown]
    return out
