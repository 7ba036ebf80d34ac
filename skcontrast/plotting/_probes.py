"""What probes read from an embedding, on rows that they were not trained on."""

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skcontrast.plotting._values import read_values

PROBES = "linear probe", "forest"
# Scorer, what it is called, and what it gives where nothing is told.
SCORES = {"class": ("roc_auc_ovr", "AUC", 0.5), "number": ("r2", "R²", 0.0)}


def read_condition(condition, n, kind, cv):
    """Kind of the condition and its values, which have to suit the number of folds."""
    kind, there, values = read_values(condition, "condition", n, kind)
    if not there.all():
        raise ValueError(f"condition has {(~there).sum()} missing entries: leave these rows out.")
    if isinstance(cv, (bool, np.bool_)) or not isinstance(cv, (int, np.integer)) or cv < 2:
        raise ValueError(f"cv={cv!r}: type a whole number of folds, at least 2.")
    if kind == "number":
        if n < 2 * cv:
            raise ValueError(f"cv={cv} needs at least {2 * cv} rows, and there are {n}.")
        return kind, values
    classes, values, counts = np.unique(values, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        only = classes.tolist()[0]
        raise ValueError(f"condition is {only!r} in every row: pass rows of two classes.")
    if counts.min() < cv:
        rare = classes.tolist()[counts.argmin()]
        raise ValueError(
            f"cv={cv} needs {cv} rows of each class of condition, and {rare!r} has {counts.min()}: "
            "type a smaller cv, or leave these rows out."
        )
    return kind, values


def probe_scores(z, values, kind, cv, random_state):
    """Scores of the probes, (n_probes, n_folds)."""
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    settings = {"min_samples_leaf": 2, "random_state": seed}
    if kind == "class":
        linear, folds = LogisticRegression(max_iter=1000), StratifiedKFold
        forest = ExtraTreesClassifier(**settings)
    else:
        linear, folds = RidgeCV(np.logspace(-2, 4, 13)), KFold
        forest = ExtraTreesRegressor(max_features=1 / 3, **settings)
    probes = make_pipeline(StandardScaler(), linear), forest
    splits = folds(cv, shuffle=True, random_state=seed)
    scoring = SCORES[kind][0]
    return [cross_val_score(p, z, values, scoring=scoring, cv=splits) for p in probes]
