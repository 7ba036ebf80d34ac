"""What the base says about rows: fitted or frozen, and out of sample where it was fitted."""

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from skcontrast._component import take_rows, warn
from skcontrast._inputs.columns import first_line
from skcontrast.adaptation._zero_shot import ZeroShotClassifier

N_FOLDS = 5


def inner(estimator):
    """The estimator, out of its ``FrozenEstimator``."""
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def learns(estimator):
    """Whether fitting on rows makes the base's scores of these rows too good."""
    if isinstance(estimator, ZeroShotClassifier):
        return estimator.class_embeddings is None
    return not isinstance(estimator, FrozenEstimator)


def has_embeddings(estimator):
    """Whether a base was given embeddings of the classes."""
    base = inner(estimator)
    return isinstance(base, ZeroShotClassifier) and base.class_embeddings is not None


def class_embeddings(estimator, classes):
    """Embeddings (C, d) of ``classes`` that a base was given, NaN where it has none, or None."""
    if not has_embeddings(estimator):
        return None
    base = inner(estimator)
    T = np.full((len(classes), base.class_embeddings_.shape[1]), np.nan)
    T[np.isin(classes, base.classes_)] = base.class_embeddings_
    return T


def fit_base(estimator, X, y, weight, classes=None):
    """Fit a copy of the base on the rows, or take a frozen one as it is.

    ``classes`` holds all labels that will ever come, which class embeddings may be those of.
    """
    if isinstance(estimator, FrozenEstimator):
        try:
            check_is_fitted(estimator.estimator)
        except NotFittedError:
            raise NotFittedError(
                f"FrozenEstimator holds a {type(estimator.estimator).__name__} that is not "
                "fitted: fit it first, or pass it without FrozenEstimator to have it fitted on "
                "these rows."
            ) from None
        return estimator
    if learns(estimator) and _is_fitted(estimator):
        warn(
            f"estimator is a fitted {type(estimator).__name__}, and a copy of it is fitted anew "
            "on these rows: type sklearn.frozen.FrozenEstimator(estimator) to keep it as it is.",
        )
    if isinstance(estimator, ZeroShotClassifier) and estimator.classes is not None:
        y = None  # which may hold further classes
    base = clone(estimator)
    if y is not None and classes is not None and has_embeddings(estimator):
        if len(np.unique(y)) < len(classes) == len(estimator.class_embeddings):
            base.set_params(classes=np.sort(classes))
            y = None
    return _fitted(base, X, y, weight)


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError):
        return False
    return True


def _fitted(estimator, X, y, weight):
    weighs = weight is not None and has_fit_parameter(estimator, "sample_weight")
    try:
        return estimator.fit(X, y, **({"sample_weight": weight} if weighs else {}))
    except ValueError as error:
        # Its own words may name nothing, as "Input contains NaN" of a data frame.
        name, said = type(estimator).__name__, first_line(error)
        raise ValueError(f"{name}, the base, cannot be fitted to these rows: {said}") from error


def scores_of(estimator, X, classes):
    """Scores (n, C) of a fitted base, one column a class (None: of a regressor, a target).

    Classifiers: ``decision_function`` where it gives one score a class, else
    ``predict_proba``, else one-hot predictions. Classes that the base does not know get
    the mean of a row's other scores: neither for nor against.
    """
    if classes is None:
        predicted = np.asarray(estimator.predict(X), dtype=np.float64)
        return _finite(predicted.reshape(X.shape[0], -1), estimator, "predictions")
    if is_regressor(estimator):
        raise ValueError(
            f"estimator={type(inner(estimator)).__name__} is a regressor: a classifier is needed "
            "here, or ProKeRRegressor."
        )
    known = np.asarray(estimator.classes_)
    return _aligned(_raw_scores(estimator, X, known), known, classes)


def _raw_scores(estimator, X, known):
    n, scores = X.shape[0], None
    if hasattr(estimator, "decision_function"):
        scores = np.asarray(estimator.decision_function(X), dtype=np.float64)
        if scores.ndim == 1 and len(known) == 2:
            scores = np.column_stack([-scores / 2, scores / 2])
    if (scores is None or scores.shape != (n, len(known))) and hasattr(estimator, "predict_proba"):
        scores = np.asarray(estimator.predict_proba(X), dtype=np.float64)
    if scores is None or scores.shape != (n, len(known)):
        scores = (np.asarray(estimator.predict(X))[:, None] == known).astype(np.float64)
    return _finite(scores, estimator, "scores")


def _finite(scores, estimator, name):
    if not np.isfinite(scores).all():
        raise ValueError(
            f"estimator={type(inner(estimator)).__name__} gives {name} that are NaN or infinite: "
            "pass a base that gives finite ones."
        )
    return scores


def _aligned(scores, known, classes):
    """Columns of ``scores`` in the order of ``classes``; others have the row's mean."""
    mean, place = scores.mean(axis=1), {label: i for i, label in enumerate(known.tolist())}
    columns = (place.get(label) for label in classes.tolist())
    return np.column_stack([mean if i is None else scores[:, i] for i in columns])


def left_out_scores(estimator, fitted, X, y, weight, classes, clumps):
    """Scores (n, C) of rows by a base that has seen neither them nor their copies.

    A base that was fitted on the rows themselves is fitted again on folds of them: its own
    scores leave no residual for the correction to learn from.
    """
    first, place = np.unique(clumps, return_index=True, return_inverse=True)[1:]
    if not learns(estimator) or len(first) < 3:
        return scores_of(fitted, X, classes)
    folds = min(N_FOLDS, len(first))
    smallest = 0 if classes is None else np.unique(y[first], return_counts=True)[1].min()
    if smallest >= 2:
        splitter = StratifiedKFold(min(folds, smallest))
    else:
        splitter = KFold(folds, shuffle=True, random_state=0)
    out = None
    for parts in splitter.split(first, y[first]):
        train, test = (np.flatnonzero(np.isin(place, part)) for part in parts)
        if classes is not None and len(np.unique(y[train])) < 2:
            return scores_of(fitted, X, classes)
        kept = None if weight is None else weight[train]
        part = _fitted(clone(estimator), take_rows(X, train), y[train], kept)
        scores = scores_of(part, take_rows(X, test), classes)
        if out is None:
            out = np.empty((len(y), scores.shape[1]))
        out[test] = scores
    return out
