"""The head on an embedding: what is fitted by default, and what is accepted."""

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import has_fit_parameter

from skcontrast._component import InvalidParameterError
from skcontrast.adaptation import ProKeRRegressor

# The kernel of the default regressor is chosen on so many rows, and solved for exactly with
# up to so many; with fewer than the last it is all there is.
SELECTION_ROWS = 1000
EXACT_ROWS = 4000
LEAST_ROWS = 20

_KINDS = {"regressor": is_regressor, "classifier": is_classifier}


def check_head(head, kind, owner):
    """Raise unless ``head`` is None or an estimator of a kind.

    Parameters
    ----------
    head : object

    kind : {"regressor", "classifier"}
        The parameter, and what it has to hold.

    owner : estimator
        For the message.
    """
    if head is None:
        return
    fits = not isinstance(head, type) and hasattr(head, "fit") and hasattr(head, "predict")
    if not fits or not _KINDS[kind](head):
        hint = f" Did you mean {head.__name__}()?" if isinstance(head, type) else ""
        raise InvalidParameterError(
            f"The {kind!r} parameter of {type(owner).__name__} must be a {kind} of scikit-learn's "
            f"kind, with fit and predict, or None. Got {head!r} instead.{hint}"
        )


def default_regressor(features, target, n_raw, seed):
    """The head of a regressor: a kernel and two kinds of trees, weighted by their worth.

    Kernel ridge regression on columns and embedding is smooth, a forest and boosting on the
    columns cut at thresholds; non-negative least squares on five-fold predictions says how
    much of each. The kernel is chosen once, on up to 1,000 rows.

    Parameters
    ----------
    features : ndarray of shape (n_labelled, n_raw + n_components)

    target : ndarray of shape (n_labelled,) or (n_labelled, n_targets)

    n_raw : int
        How many columns come before the embedding; the trees read these, if any.

    seed : int
    """
    some = np.random.RandomState(seed).permutation(len(features))[:SELECTION_ROWS]
    chosen = ProKeRRegressor(random_state=seed).fit(features[some], target[some])
    solver = "cholesky" if len(features) <= EXACT_ROWS else "nystroem"
    kernel = ProKeRRegressor(
        kernel=chosen.kernel_, alpha=chosen.alpha_, solver=solver, random_state=seed
    )
    trees = [
        ("forest", ExtraTreesRegressor(random_state=seed)),
        ("boosting", HistGradientBoostingRegressor(random_state=seed)),
    ]
    if n_raw:
        trees = [(name, make_pipeline(_columns(n_raw), tree)) for name, tree in trees]
    if len(features) < LEAST_ROWS:
        return kernel
    weights = LinearRegression(positive=True, fit_intercept=False)
    head = StackingRegressor([("kernel", kernel), *trees], final_estimator=weights)
    return head if target.ndim == 1 else MultiOutputRegressor(head)


def _columns(n):
    return ColumnTransformer([("raw", "passthrough", slice(n))])


def default_classifier(seed):
    """The head of a classifier: logistic regression on columns and embedding."""
    return LogisticRegression(max_iter=1000, random_state=seed)


def weighted_head(head, class_weight, weight):
    """The head and options of its ``fit`` that give the rows their weights."""
    if has_fit_parameter(head, "sample_weight"):
        return head, {"sample_weight": weight}
    if "class_weight" in head.get_params():
        return clone(head).set_params(class_weight=class_weight), {}
    raise ValueError(
        f"class_weight={class_weight!r} was given, but classifier={head!r} takes neither "
        "sample_weight nor class_weight: choose another classifier, or type class_weight=None."
    )
