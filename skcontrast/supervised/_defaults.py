"""The head on an embedding: what is fitted by default, and what is accepted."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier, is_regressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    StackingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from skcontrast._component import Integral, Interval, InvalidParameterError
from skcontrast._inputs.columns import first_line
from skcontrast.adaptation import ProKeRClassifier, ProKeRRegressor

# The kernels of the default regressor are chosen on so many rows, and solved for exactly with
# up to so many, beyond that through so many landmarks; with fewer rows than the last there is
# but one kernel.
SELECTION_ROWS = 1000
EXACT_ROWS = 4000
LANDMARKS = 1000
LEAST_ROWS = 20


class FirstColumns(TransformerMixin, BaseEstimator):
    """The first ``n_columns`` columns, for members of the default head that read no embedding."""

    _parameter_constraints = {"n_columns": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_columns):
        self.n_columns = n_columns

    def fit(self, X, y=None):
        """Nothing is learned."""
        return self

    def transform(self, X):
        """The columns."""
        return np.ascontiguousarray(X[:, : self.n_columns])

    def __sklearn_is_fitted__(self):
        return True


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


def check_passthrough(estimator, kind, X, source):
    """Raise where no head could read columns, or the default one, for dense rows, sparse ones."""
    if estimator.passthrough is True and not source.parts:
        raise ValueError(
            f"passthrough=True hands the columns of X to the {kind}, and rows of {source.kind} "
            "have none: type passthrough='auto'."
        )
    if getattr(estimator, kind) is None and estimator.passthrough is True and sp.issparse(X):
        own = {"regressor": "Ridge()", "classifier": "LogisticRegression()"}[kind]
        raise ValueError(
            f"passthrough=True hands the sparse columns of X to the {kind}, and the default one "
            f"takes dense rows: type passthrough='auto', {kind}={own} or X.toarray()."
        )


def fitted_regressor(head, features, target):
    """Fit a copy of a regressor, or say that it takes one target where there are more."""
    try:
        return clone(head).fit(features, target)
    except ValueError as error:
        if target.ndim == 1 or get_tags(head).target_tags.multi_output:
            raise
        raise ValueError(
            f"y has {target.shape[1]} columns, and a {type(head).__name__} does not take it "
            f"({first_line(error)}): type regressor=MultiOutputRegressor({type(head).__name__}())."
        ) from error


def default_regressor(features, target, n_raw, seed):
    """The head of a regressor: kernels and trees, weighted by what each is worth.

    Kernel ridge regression is smooth, a forest and boosting cut at thresholds. The members
    are kernel ridge on columns and embedding and, where there are raw columns, on these
    alone, as the embedding of labelled rows knows their labels; forest and boosting read
    the columns. Non-negative least squares on predictions of folds says how much of each.

    Parameters
    ----------
    features : ndarray of shape (n_labelled, n_raw + n_components)

    target : ndarray of shape (n_labelled,) or (n_labelled, n_targets)

    n_raw : int
        How many columns come before the embedding.

    seed : int
    """
    kernel = _kernel_ridge(features, target, seed)
    if len(features) < LEAST_ROWS:
        return kernel
    members = [
        ("forest", ExtraTreesRegressor(random_state=seed)),
        ("boosting", HistGradientBoostingRegressor(random_state=seed)),
    ]
    if n_raw:
        members.append(("columns", _kernel_ridge(features[:, :n_raw], target, seed)))
        members = [(name, make_pipeline(FirstColumns(n_raw), m)) for name, m in members]
    weights = LinearRegression(positive=True, fit_intercept=False)
    # Shuffled: a table sorted by its target would have folds that extrapolate.
    n_folds = 5 if len(features) <= EXACT_ROWS else 3
    folds = KFold(n_folds, shuffle=True, random_state=seed)
    head = StackingRegressor([("embedding", kernel), *members], final_estimator=weights, cv=folds)
    return head if target.ndim == 1 else MultiOutputRegressor(head)


def _kernel_ridge(features, target, seed):
    """Kernel ridge regression whose kernel was chosen once, on some of the rows."""
    some = np.random.RandomState(seed).permutation(len(features))[:SELECTION_ROWS]
    chosen = ProKeRRegressor(random_state=seed).fit(features[some], target[some])
    solver = "cholesky" if len(features) <= EXACT_ROWS else "nystroem"
    return ProKeRRegressor(
        kernel=chosen.kernel_,
        alpha=chosen.alpha_,
        solver=solver,
        n_components=LANDMARKS,
        random_state=seed,
    )


def default_classifier(n_rows, seed):
    """The head of a classifier: a kernel and a discriminant."""
    solver = "auto" if n_rows <= EXACT_ROWS else "nystroem"
    return ProKeRClassifier(solver=solver, n_components=LANDMARKS, random_state=seed)


def row_weights(class_weight, labels, classes):
    """Weight of each labelled row by its class."""
    try:
        weight = np.asarray(compute_sample_weight(class_weight, labels), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"class_weight={class_weight!r} must hold a number for each class of y, which has "
            f"{classes.tolist()[:10]}, or be 'balanced': {first_line(error)}"
        ) from None
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError(
            f"class_weight={class_weight!r} must give finite weights that are not negative: type "
            "class_weight='balanced'."
        )
    return weight


def weighted_head(head, class_weight, weight):
    """The head and options of its ``fit`` that give the rows their weights."""
    if has_fit_parameter(head, "sample_weight"):
        return head, {"sample_weight": weight}
    if "class_weight" in head.get_params():
        return clone(head).set_params(class_weight=class_weight), {}
    raise ValueError(
        f"class_weight={class_weight!r} was given, but a {type(head).__name__} takes neither "
        "sample_weight nor class_weight: choose another classifier, or type class_weight=None."
    )
