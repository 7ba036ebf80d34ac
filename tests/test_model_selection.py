"""The splitter and the scorers of half-labelled data, alone and in scikit-learn's searches."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, get_scorer, mean_absolute_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skcontrast import (
    ContrastiveEncoder,
    ProKeRClassifier,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
)
from skcontrast.model_selection import LabelledKFold, make_labelled_scorer

RNG = np.random.default_rng(0)
CODES = np.arange(40) % 3
X = 1.5 * RNG.standard_normal((3, 4))[CODES] + RNG.standard_normal((40, 4))
HAS = RNG.uniform(size=40) < 0.6
NAMES = np.array(["fox", "ham", "spam"])[CODES]
REAL = X @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.standard_normal(40)
GROUPS = np.arange(40) // 4
CHEAP = {"n_components": 3, "max_iter": 1, "random_state": 0, "device": "cpu"}

CLASSES = {
    "-1": np.where(HAS, CODES, -1),
    "NaN": np.where(HAS, CODES, np.nan),
    "list of strings and None": [v if has else None for v, has in zip(NAMES, HAS)],
    "objects": np.where(HAS, CODES, np.array([None])),
    "series": pd.Series(NAMES, index=np.arange(40)[::-1]).where(HAS),
    "Int64": pd.Series(CODES, dtype="Int64").where(HAS),
    "category": pd.Series(NAMES, dtype="category").where(HAS),
    "polars": pl.Series([v if has else None for v, has in zip(NAMES.tolist(), HAS)]),
    "bools": [bool(v) if has else None for v, has in zip(CODES, HAS)],
}
NUMBERS = {
    "NaN": np.where(HAS, REAL, np.nan),
    "list and None": [v if has else None for v, has in zip(REAL, HAS)],
    "Float64": pd.Series(REAL, dtype="Float64").where(HAS),
    "polars": pl.Series([v if has else None for v, has in zip(REAL.tolist(), HAS)]),
    "two columns": np.c_[np.where(HAS, REAL, np.nan), REAL],
}


def same_folds(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for (a, b), (c, d) in zip(found, expected):
        assert np.array_equal(a, c) and np.array_equal(b, d)


# ------------------------------------------------------------------------------ the splitter


@pytest.mark.parametrize("shuffle", [{}, {"shuffle": True, "random_state": 3}], ids=str)
def test_with_a_label_in_every_row_the_folds_are_scikit_learns(shuffle):
    ours = LabelledKFold(3, **shuffle)
    for y in (CODES, NAMES, CODES.astype(float), np.where(CODES > 0, 1, -1)):
        same_folds(ours.split(X, y), StratifiedKFold(3, **shuffle).split(X, y))
        same_folds(ours.split(X, y, GROUPS), StratifiedGroupKFold(3, **shuffle).split(X, y, GROUPS))
    same_folds(ours.split(X, REAL), KFold(3, **shuffle).split(X))
    same_folds(ours.split(X, np.c_[CODES, CODES]), KFold(3, **shuffle).split(X))
    same_folds(ours.split(X, REAL, GROUPS), GroupKFold(3, **shuffle).split(X, REAL, GROUPS))


@pytest.mark.parametrize("shuffle", [{}, {"shuffle": True, "random_state": 0}], ids=str)
@pytest.mark.parametrize("kind", CLASSES)
def test_folds_of_classes(kind, shuffle):
    splitter, tests = LabelledKFold(3, **shuffle), []
    labels = NAMES if kind != "bools" else CODES > 0
    for train, test in splitter.split(X, CLASSES[kind]):
        assert HAS[test].all()
        assert np.array_equal(train, np.setdiff1d(np.arange(40), test))
        for label in np.unique(labels):  # each fold has its share of each class
            assert abs(np.sum(labels[test] == label) - np.sum(labels[HAS] == label) / 3) < 1
        tests.append(test)
    assert np.array_equal(np.sort(np.concatenate(tests)), np.flatnonzero(HAS))
    assert splitter.get_n_splits(X, CLASSES[kind]) == 3


@pytest.mark.parametrize("kind", NUMBERS)
def test_folds_of_numbers(kind):
    rows = np.flatnonzero(HAS)
    expected = [rows[test] for _, test in KFold(4).split(rows)]
    found = list(LabelledKFold(4).split(X, NUMBERS[kind]))
    assert len(found) == 4
    for (train, test), wanted in zip(found, expected):
        assert np.array_equal(test, wanted)
        assert np.array_equal(train, np.setdiff1d(np.arange(40), test))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("numbers", [False, True])
def test_groups_stay_whole(seed, numbers):
    rng = np.random.default_rng(seed)
    n = rng.integers(30, 80)
    groups = rng.integers(10, size=n)
    has = rng.uniform(size=n) < 0.7
    y = np.where(has, rng.standard_normal(n) if numbers else rng.integers(2, size=n), np.nan)
    tests = []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")
        folds = list(LabelledKFold(3).split(np.zeros((n, 1)), y, [f"g{g}" for g in groups]))
    for train, test in folds:
        assert has[test].all() and len(test)
        left_out = np.isin(groups, groups[test])
        assert np.array_equal(train, np.flatnonzero(~left_out))
        assert np.array_equal(test, np.flatnonzero(left_out & has))
        tests.append(test)
    assert np.array_equal(np.sort(np.concatenate(tests)), np.flatnonzero(has))


@pytest.mark.parametrize(
    "rows",
    [pd.DataFrame(X), pl.DataFrame(X), sp.csr_matrix(X), [str(row) for row in X], X.tolist()],
    ids=["pandas", "polars", "sparse", "texts", "lists"],
)
def test_kinds_of_rows(rows):
    expected = LabelledKFold().split(X, CLASSES["-1"])
    same_folds(LabelledKFold().split(rows, CLASSES["-1"]), expected)


def test_whole_numbers_that_are_a_quantity():
    degrees = np.where(HAS, CODES - 1.0, np.nan)  # -1 is a number here
    as_classes = np.concatenate([test for _, test in LabelledKFold(3).split(X, degrees)])
    assert set(degrees[as_classes]) == {0, 1}
    folds = LabelledKFold(3, target="numbers").split(X, degrees)
    assert set(degrees[np.concatenate([test for _, test in folds])]) == {-1, 0, 1}
    counts = np.where(HAS, RNG.permutation(40) + 5.0, np.nan)  # hardly any of them twice
    rows = np.flatnonzero(HAS)
    expected = [rows[test] for _, test in KFold(3).split(rows)]
    for y in (counts, pd.Series(counts).astype("Int64")):
        for (_, test), wanted in zip(LabelledKFold(3).split(X, y), expected):
            assert np.array_equal(test, wanted)
    for y in (np.where(HAS, counts, -1), np.where(HAS, CODES - 3, -1)):
        with pytest.raises(ValueError, match="y holds -1 among whole numbers that may be a quan"):
            next(LabelledKFold(3).split(X, y))
        next(LabelledKFold(3, target="numbers").split(X, y))
    next(LabelledKFold(3, target="classes").split(X, np.where(HAS, CODES - 4, -1)))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        next(LabelledKFold(3, target="classes").split(X, NUMBERS["NaN"]))


@pytest.mark.parametrize(
    ("params", "y", "match"),
    [
        ({}, None, r"LabelledKFold splits the rows that have a label: type split\(X, y\)"),
        ({}, [None] * 40, "y has 0 labelled rows, and n_splits=5 needs as many"),
        ({}, [1.0, 2, 3] + [np.nan] * 37, "y has 3 labelled rows, and n_splits=5"),
        ({}, [1, "a"] * 20, "y mixes labels"),
        ({}, [0.5, np.inf] * 20, "y contains infinity"),
        ({}, CODES[:7], "inconsistent numbers of samples"),
        ({"n_splits": 1}, CODES, "'n_splits' parameter"),
        ({"target": "class"}, CODES, "'target' parameter"),
        ({"random_state": 0}, CODES, "random_state has no effect since shuffle is False"),
    ],
)
def test_bad_splits(params, y, match):
    with pytest.raises(ValueError, match=match):
        list(LabelledKFold(**params).split(X, y))


def test_the_splitter_is_printed_and_cloned():
    splitter = LabelledKFold(3, shuffle=True, random_state=1)
    assert repr(splitter) == "LabelledKFold(n_splits=3, random_state=1, shuffle=True)"
    same_folds(clone(splitter).split(X, CODES), splitter.split(X, CODES))


# ------------------------------------------------------------------------------- the scorers


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro", "neg_log_loss", None, "callable"])
@pytest.mark.parametrize("kind", CLASSES)
def test_scores_of_classes(kind, scoring):
    model = ProKeRClassifier().fit(X[:20], CLASSES[kind][:20])
    labels = {"f": CODES, "i": CODES, "b": CODES > 0}.get(model.classes_.dtype.kind, NAMES)
    if scoring == "callable":
        scoring = _error
    found = make_labelled_scorer(scoring)(model, X, CLASSES[kind])
    plain = get_scorer(scoring) if scoring else type(model).score
    assert found == pytest.approx(plain(model, X[HAS], labels[HAS]))
    assert found != plain(model, X, labels)


def _error(estimator, X, y):
    return -np.mean(estimator.predict(X) != y)


@pytest.mark.parametrize("scoring", ["neg_mean_absolute_error", "r2", None])
@pytest.mark.parametrize("kind", NUMBERS)
def test_scores_of_numbers(kind, scoring):
    Y = np.c_[REAL, REAL] if kind == "two columns" else REAL
    model = Ridge().fit(X[:20], Y[:20])
    found = make_labelled_scorer(scoring)(model, X, NUMBERS[kind])
    plain = get_scorer(scoring) if scoring else Ridge.score
    assert found == plain(model, X[HAS], Y[HAS]) != plain(model, X, Y)


def test_what_minus_one_is_for_a_score():
    # For a regressor a number, for a classifier what it was in the fit, whatever the fold holds.
    whole = np.array([-1.0, 1, 2, 0])
    model = Ridge().fit(X[:4], whole)
    assert make_labelled_scorer("r2")(model, X[:4], whole) == model.score(X[:4], whole)
    three = ProKeRClassifier().fit(X, CODES)
    fold = np.where(HAS, 1, -1)
    assert make_labelled_scorer()(three, X, fold) == three.score(X[HAS], fold[HAS])
    two = ProKeRClassifier().fit(X, np.where(CODES > 0, 1, -1))
    assert make_labelled_scorer()(two, X, fold) == two.score(X, fold)
    # scikit-learn's classifiers take -1 for a class: a score still leaves these rows out.
    theirs = LogisticRegression().fit(X, CLASSES["-1"])
    assert -1 in theirs.classes_
    assert make_labelled_scorer()(theirs, X, CLASSES["-1"]) == theirs.score(X[HAS], CODES[HAS])


@pytest.mark.parametrize(
    "rows",
    [pd.DataFrame(X), pl.DataFrame(X), sp.csr_matrix(X), X.tolist()],
    ids=["pandas", "polars", "sparse", "lists"],
)
def test_rows_of_a_score(rows):
    model = LogisticRegression().fit(rows, NAMES)
    found = make_labelled_scorer("accuracy")(model, rows, CLASSES["polars"])
    expected = LogisticRegression().fit(X, NAMES).score(X[HAS], NAMES[HAS])
    assert found == expected


def test_parameters_of_a_score():
    model = ProKeRClassifier().fit(X, CODES)
    weight = RNG.uniform(size=40)
    expected = accuracy_score(CODES[HAS], model.predict(X[HAS]), sample_weight=weight[HAS])
    for given in (weight, weight.tolist(), pd.Series(weight)):
        for scoring in ("accuracy", None):
            score = make_labelled_scorer(scoring)(model, X, CLASSES["-1"], sample_weight=given)
            assert score == pytest.approx(expected)
    model, folds = ProKeRClassifier().fit(X[:20], CLASSES["-1"][:20]), [np.split(np.arange(40), 2)]
    rows = np.flatnonzero(HAS[20:]) + 20
    expected = model.score(X[rows], CODES[rows], weight[rows])
    assert expected != model.score(X[rows], CODES[rows])
    with config_context(enable_metadata_routing=True):
        given = {"cv": folds, "params": {"sample_weight": weight}}
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        model = ProKeRClassifier().set_fit_request(sample_weight=False)
        found = cross_val_score(
            model, X, CLASSES["-1"], scoring=make_labelled_scorer(scorer), **given
        )
        assert found == pytest.approx([expected])
        # Before scikit-learn 1.7 it is the router that refuses what nothing asks for.
        with pytest.raises((UnsetMetadataPassedError, TypeError), match="sample_weight"):
            plain = make_labelled_scorer("accuracy")
            cross_val_score(model, X, CLASSES["-1"], scoring=plain, **given)


def test_a_fold_without_a_label():
    model = ProKeRClassifier().fit(X, CODES)
    for y in ([None] * 5, np.full(5, -1), np.full(5, np.nan), pd.Series([pd.NA] * 5)):
        with pytest.raises(ValueError, match=r"none of the 5 rows .* type cv=LabelledKFold\(\)"):
            make_labelled_scorer("accuracy")(model, X[:5], y)
    with pytest.raises(ValueError, match="none of the 5 rows to score has a label"):
        make_labelled_scorer("r2")(Ridge().fit(X, REAL), X[:5], [None] * 5)
    y = np.where(np.arange(40) < 20, CODES, -1)
    with pytest.warns(UserWarning, match="none of the 20 rows to score has a label"):
        folds = [(np.arange(20), np.arange(20, 40)), (np.arange(10), np.arange(10, 20))]
        scores = cross_val_score(ProKeRClassifier(), X, y, scoring=make_labelled_scorer(), cv=folds)
    assert np.isnan(scores).tolist() == [True, False]


@pytest.mark.parametrize(
    ("scoring", "match"),
    [
        ("acuracy", "'acuracy' is not a valid scoring value"),
        (["accuracy", "f1"], r"for several scores, scoring=\{name: make_labelled_scorer\(name\)"),
        ({"a": "accuracy"}, "type a name, a scorer, a callable"),
        (f1_score, "looks like it is a metric function"),
        (3, "scoring=3: type a name"),
    ],
    ids=["name", "list", "dict", "metric", "number"],
)
def test_bad_scorings(scoring, match):
    with pytest.raises(ValueError, match=match):
        make_labelled_scorer(scoring)


def test_a_scorer_is_printed_and_pickled():
    scorer = make_labelled_scorer("accuracy")
    assert repr(scorer) == "make_labelled_scorer('accuracy')"
    assert repr(make_labelled_scorer()) == "make_labelled_scorer(None)"
    model = ProKeRClassifier().fit(X, CODES)
    assert pickle.loads(pickle.dumps(scorer))(model, X, CODES) == model.score(X, CODES)


# ------------------------------------------------------------------------------ in a search


def by_hand(estimator, rows, y, labels, cv):
    """Accuracy on the labelled rows of each fold, from folds that are cut with a loop."""
    scores = []
    for train, test in cv.split(rows, y):
        part = y.iloc[train] if hasattr(y, "iloc") else [y[int(i)] for i in train]
        model = clone(estimator).fit(rows[train], part)
        scores.append(np.mean(model.predict(rows[test]) == labels[test]))
    return scores


PIPELINES = {
    "classifier": SupervisedContrastiveClassifier(
        ContrastiveEncoder(objective="supcon", **CHEAP), random_state=0
    ),
    "pipeline": Pipeline(
        [("emb", ContrastiveEncoder(objective="supcon", **CHEAP)), ("clf", ProKeRClassifier())]
    ),
}
OF_SCIKIT_LEARN = {
    "self-training": SelfTrainingClassifier(LogisticRegression(), max_iter=0),
    "spreading": LabelSpreading(),
}


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("name", PIPELINES)
def test_a_search_scores_the_labelled_rows(name, kind):
    model, y, cv = PIPELINES[name], CLASSES[kind], LabelledKFold(2, shuffle=True, random_state=0)
    labels = CODES > 0 if kind == "bools" else CODES if kind in ("-1", "NaN", "Int64") else NAMES
    labels = CODES if kind == "objects" else labels
    parameter = "encoder__n_components" if name == "classifier" else "emb__n_components"
    grid, scorer = {parameter: [2, 3]}, make_labelled_scorer("accuracy")
    search = GridSearchCV(model, grid, scoring=scorer, cv=cv, error_score="raise").fit(X, y)
    for k, value in enumerate(grid[parameter]):
        expected = by_hand(clone(model).set_params(**{parameter: value}), X, y, labels, cv)
        found = [search.cv_results_[f"split{i}_test_score"][k] for i in range(2)]
        assert found == expected
    assert search.classes_.tolist() == np.unique(labels).tolist()


@pytest.mark.parametrize("name", OF_SCIKIT_LEARN)
def test_classifiers_of_scikit_learn_that_know_minus_one(name):
    encoder = ContrastiveEncoder(objective="supcon", **CHEAP)
    model = Pipeline([("emb", encoder), ("clf", OF_SCIKIT_LEARN[name])])
    cv = LabelledKFold(3)
    found = cross_val_score(
        model, X, CLASSES["-1"], scoring=make_labelled_scorer("accuracy"), cv=cv
    )
    assert found.tolist() == by_hand(model, X, CLASSES["-1"], CODES, cv)


def test_other_classifiers_of_scikit_learn_need_all_labels():
    encoder = ContrastiveEncoder(objective="supcon", **CHEAP)
    model = Pipeline([("emb", encoder), ("clf", LogisticRegression())])
    for kind in ("NaN", "list of strings and None"):
        with pytest.raises((ValueError, TypeError)):
            model.fit(X, CLASSES[kind])
    assert -1 in model.fit(X, CLASSES["-1"]).classes_  # as a class of its own


def test_a_search_with_a_regressor():
    encoder = ContrastiveEncoder(objective="y_aware", **CHEAP)
    model = SupervisedContrastiveRegressor(encoder, Ridge(), random_state=0)
    cv, y = LabelledKFold(2), NUMBERS["NaN"]
    scorer = make_labelled_scorer("neg_mean_absolute_error")
    found = cross_val_score(model, X, y, scoring=scorer, cv=cv)
    for score, (train, test) in zip(found, cv.split(X, y)):
        predicted = clone(model).fit(X[train], y[train]).predict(X[test])
        assert score == -mean_absolute_error(REAL[test], predicted)
    # A splitter that cuts all rows, too: its tests have rows without a label.
    found = cross_val_score(model, X, y, scoring=scorer, cv=KFold(2))
    predicted = clone(model).fit(X[:20], y[:20]).predict(X[20:])
    # The scorer leaves rows out before they are predicted, and products of fewer rows round
    # in their own way on some processors.
    expected = -mean_absolute_error(REAL[20:][HAS[20:]], predicted[HAS[20:]])
    assert found[1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("routing", [False, True])
def test_groups_of_a_search(routing):
    cv, y = LabelledKFold(3), CLASSES["-1"]
    names = {"accuracy": make_labelled_scorer("accuracy"), "f1": make_labelled_scorer("f1_macro")}
    with config_context(enable_metadata_routing=routing):
        model = ProKeRClassifier()
        if routing:  # the folds' groups are no copies for fit
            model.set_fit_request(groups=False)
        search = GridSearchCV(model, {"method": ["gda"]}, scoring=names, cv=cv, refit="f1")
        search.fit(X, y, groups=GROUPS)
    folds = list(cv.split(X, y, GROUPS))
    assert any(len(train) + len(test) < 40 for train, test in folds)
    for k, (train, test) in enumerate(folds):
        model = ProKeRClassifier(method="gda").fit(X[train], y[train])
        assert search.cv_results_[f"split{k}_test_accuracy"] == model.score(X[test], CODES[test])
