"""scikit-learn's estimators that a saved model may hold: as head, as base, or as other steps.

Of each class what it has learned is kept as values and arrays, and set on a new object of it.
Trees are in :mod:`skcontrast._saved.trees`; what is nearest to new rows is fitted anew.
"""

from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator

from skcontrast._saved import trees
from skcontrast._saved.step_tables import PLACES, lines
from skcontrast._saved.tables import TABLES

MOST_JOBS = 1024
# More words or letters in an n-gram than anyone means.
MOST_IN_NGRAM = 100
_NAMES = ("feature_names_in_", "_sklearn_output_config")
# What a class learned where its table does not say it: arrays or numbers, or nothing else.
_ALSO = {
    name: ("intercept_", "n_iter_", "solver_", "alpha_", "C_", "t_")
    for name, place in PLACES.items()
    if place in ("linear_model", "svm")
}
# Functions that a parameter may name.
FUNCTIONS = ("chi2", "f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression")


def class_of(name):
    """The class of a name in a folder."""
    if name not in PLACES:
        raise ValueError(f"{name!r} is not an estimator of scikit-learn that is saved")
    return getattr(import_module(f"sklearn.{PLACES[name]}"), name)


def is_saved(value):
    """Whether a value is one of these estimators."""
    name = type(value).__name__
    if not type(value).__module__.startswith("sklearn.") or name not in PLACES:
        return False
    return type(value) is class_of(name)


def function_of(name):
    """The function that a folder names."""
    if name not in FUNCTIONS:
        raise ValueError(f"{name!r} is not a function that is saved")
    return getattr(import_module("sklearn.feature_selection"), name)


def is_function(value):
    """Whether a value is one of these functions."""
    name = getattr(value, "__name__", None)
    return name in FUNCTIONS and value is function_of(name)


def params_of(value):
    """Parameters of one of them; a splitter has no ``get_params``."""
    return value.get_params(deep=False) if hasattr(value, "get_params") else vars(value)


def _learned_names(name):
    table = (line[0] for line in lines(TABLES.get(name, "")))
    return (*table, *_ALSO.get(name, ()), *_NAMES)


def learned(model):
    """What an estimator has learned, as values and arrays."""
    name = type(model).__name__
    of, _ = _APART.get(name, (None, None))
    names = _learned_names(name) if of is None else _NAMES
    found = {key: vars(model)[key] for key in names if key in vars(model)}
    if isinstance(found.get("vocabulary_"), dict):
        found["vocabulary_"] = dict(sorted(found["vocabulary_"].items(), key=lambda item: item[1]))
    return found if of is None else {**of(model), **found}


def made(cls, params, fitted):
    """An estimator with these parameters and what :func:`learned` gave."""
    name = cls.__name__
    _check_params(name, params)
    model = cls(**params)
    if hasattr(model, "_parameter_constraints"):
        model._validate_params()
    if not fitted:
        return model
    _, make = _APART.get(name, (None, None))
    known = {key: fitted.pop(key) for key in _NAMES if key in fitted}
    if make is not None and fitted:
        make(model, **fitted)
    elif not fitted.keys() <= set(_learned_names(name)):
        other = min(fitted.keys() - set(_learned_names(name)))
        raise ValueError(f"{other!r} is not what a {name} learns")
    else:
        vars(model).update(fitted)
    config = known.get("_sklearn_output_config", {})
    if not isinstance(config, dict) or not set(config.values()) <= {"default", "pandas", "polars"}:
        raise ValueError(f"the output of a {name} is none that scikit-learn knows")
    vars(model).update(known)
    if name == "StackingRegressor":
        names = [key for key, member in model.estimators if not isinstance(member, str)]
        model.named_estimators_ = import_module("sklearn.utils").Bunch(
            **dict(zip(names, model.estimators_, strict=True))
        )
    return model


def _check_params(name, params):
    if params.get("memory") is not None:
        raise ValueError("a Pipeline has a memory, which reads pickles of a folder")
    n_jobs = params.get("n_jobs")
    if n_jobs is not None and not (isinstance(n_jobs, int) and abs(n_jobs) <= MOST_JOBS):
        raise ValueError(f"n_jobs={n_jobs!r} of a {name} is no number of threads")
    if params.get("input", "content") != "content":
        raise ValueError(f"a {name} has input={params['input']!r}, which reads files")
    if max(params.get("ngram_range", (1,))) > MOST_IN_NGRAM:
        raise ValueError(f"a {name} has an ngram_range above {MOST_IN_NGRAM}")
    steps = {"Pipeline": "steps", "FeatureUnion": "transformer_list"}.get(name, "transformers")
    steps = params.get(steps, [])
    for _, step, *_ in steps[:-1] if name == "Pipeline" else steps:
        if not transforms(step):
            raise ValueError(f"a {name} has a step that does not transform")


def transforms(step):
    """Whether a value can be a step before the last one."""
    return (
        step in (None, "passthrough", "drop")
        if not isinstance(step, BaseEstimator)
        else (hasattr(step, "transform"))
    )


def _of_neighbors(model):
    """The rows that they were fitted on: their tree is quickly built again."""
    if "_fit_X" not in vars(model):
        return {}
    y = model._y
    if hasattr(model, "classes_"):
        if model.outputs_2d_:
            raise TypeError(f"a {type(model).__name__} of several targets is not covered")
        y = model.classes_[y]
    return {"X": model._fit_X, "y": y}


def _made_neighbors(model, X, y):
    if not all(isinstance(rows, np.ndarray) for rows in (X, y)):
        raise ValueError(f"a {type(model).__name__} holds something else than rows")
    model.fit(X, y)


# Those whose state is not set as it was: what writes it, and what makes it anew.
_APART = {
    "ExtraTreesClassifier": (trees.of_forest, trees.made_forest),
    "ExtraTreesRegressor": (trees.of_forest, trees.made_forest),
    "HistGradientBoostingClassifier": (trees.of_boosting, trees.made_boosting),
    "HistGradientBoostingRegressor": (trees.of_boosting, trees.made_boosting),
    "KNeighborsClassifier": (_of_neighbors, _made_neighbors),
    "KNeighborsRegressor": (_of_neighbors, _made_neighbors),
    "RandomForestClassifier": (trees.of_forest, trees.made_forest),
    "RandomForestRegressor": (trees.of_forest, trees.made_forest),
}
