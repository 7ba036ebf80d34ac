"""Labels that may be wrong: confident learning, and the estimator that rates and softens them."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from instances import blobs
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    cross_val_predict,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    LabelCredibility,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
)
from skcontrast.inspection import confident_joint, label_issues, label_quality
from skcontrast.multiview import Blocks

rng = np.random.default_rng(0)


def noisy(n=300, n_classes=4, rate=0.2, seed=0):
    """Probabilities of a fair classifier, true classes and given labels."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, n_classes, n)
    logits = 2 * np.eye(n_classes)[true] + rng.normal(size=(n, n_classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    given = np.where(rng.random(n) < rate, rng.integers(0, n_classes, n), true)
    return p, true, given


# ---- confident learning --------------------------------------------------------------

SCORES = "self_confidence", "normalized_margin", "weighted_entropy"
RULES = "noise_rate", "class", "confident"


def test_sure_and_right_probabilities_have_no_issue():
    y = rng.integers(0, 3, 50)
    p = np.eye(3)[y]
    assert np.array_equal(confident_joint(p, y), np.diag(np.bincount(y)))
    assert not any(label_issues(p, y, rule=rule).any() for rule in RULES)
    for score in SCORES:
        np.testing.assert_allclose(label_quality(p, y, score=score), 1)


def test_order_of_classes_and_rows_does_not_matter():
    p, _, y = noisy()
    turn, order = np.array([2, 0, 3, 1]), rng.permutation(len(y))
    back = np.argsort(turn)
    for calibrate in (False, True):
        joint = confident_joint(p, y, calibrate=calibrate)
        moved = confident_joint(p[:, turn], back[y], calibrate=calibrate)
        assert np.array_equal(moved, joint[np.ix_(turn, turn)])
        assert np.array_equal(confident_joint(p[order], y[order], calibrate=calibrate), joint)
    for rule in RULES:
        issues = label_issues(p, y, rule=rule)
        assert np.array_equal(label_issues(p[:, turn], back[y], rule=rule), issues)
        assert np.array_equal(label_issues(p[order], y[order], rule=rule), issues[order])
    for score in SCORES:
        for adjust in (False, True):
            quality = label_quality(p, y, score=score, adjust=adjust)
            again = label_quality(p[:, turn], back[y], score=score, adjust=adjust)
            np.testing.assert_allclose(again, quality, rtol=1e-12)


def test_confident_joint_is_its_definition():
    p, _, y = noisy(60, 3)
    thresholds = [np.mean([p[i, c] for i in range(60) if y[i] == c]) for c in range(3)]
    joint = np.zeros((3, 3), dtype=int)
    for i in range(60):
        reached = [c for c in range(3) if p[i, c] >= thresholds[c]]
        if reached:
            joint[y[i], max(reached, key=lambda c: p[i, c])] += 1
    assert joint.diagonal().all()
    assert np.array_equal(confident_joint(p, y, calibrate=False), joint)
    calibrated = confident_joint(p, y)
    assert np.array_equal(calibrated.sum(axis=1), np.bincount(y))
    exact = joint / joint.sum(axis=1, keepdims=True) * np.bincount(y)[:, None]
    assert (np.abs(calibrated - exact) < 1).all()


def test_halves_are_rounded_to_even_numbers_before_what_is_missing_is_shared_out():
    # Of eight rows of class 0, 4 and 2 are counted: of all eight they stand for 5.33 and 2.67.
    # Of six rows of class 1, 1 and 3 are: for 1.5 and 4.5. Class 2 has no row.
    p = np.full((14, 3), 0.3)
    p[[0, 1, 2, 3, 8]] = 0.9, 0, 0
    p[[4, 5, 9, 10, 11]] = 0, 0.9, 0
    y, classes = np.repeat([0, 1], [8, 6]), range(3)
    counted = confident_joint(p, y, classes=classes, calibrate=False)
    assert counted.tolist() == [[4, 2, 0], [1, 3, 0], [0, 0, 1]]
    joint = confident_joint(p, y, classes=classes)
    assert joint.tolist() == [[5, 3, 0], [2, 4, 0], [0, 0, 0]]


def test_a_label_as_probable_as_another_class_is_no_issue():
    p = np.array([[0.5, 0.5], [0.9, 0.1], [0.5 - 1e-7, 0.5 + 1e-7], [0.4, 0.6], [0.1, 0.9]])
    for y in ([0, 0, 0, 1, 1], [1, 0, 1, 1, 1]):
        assert not any(label_issues(p, y, rule=rule).any() for rule in RULES)


def test_of_several_reached_classes_the_most_probable_counts():
    """The last row reaches the thresholds 0.3 and 0.28 of classes 1 and 2, not the 0.9 of 0."""
    p = np.array([[0.9, 0.1, 0.0], [0.3, 0.3, 0.4], [0.5, 0.22, 0.28], [0.4, 0.32, 0.28]])
    joint = confident_joint(p, [0, 1, 2, 2], calibrate=False)
    assert joint.tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_a_threshold_counts_as_reached_within_its_tolerance():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.6, 0.4], [0.6 - 1e-7, 0.4 + 1e-7], [0.2, 0.8], [0.2, 0.8]])
    assert confident_joint(p, y, calibrate=False).tolist() == [[2, 0], [0, 2]]
    p[1] = 0.59, 0.41
    assert confident_joint(p, y, calibrate=False).tolist() == [[1, 0], [0, 2]]


def test_wrong_labels_are_issues():
    p, true, y = noisy(1000, rate=0.3)
    for rule in RULES:
        issues = label_issues(p, y, rule=rule)
        assert (true != y)[issues].mean() > 0.6
        assert issues[true != y].mean() > 0.6
    names = np.array(["owl", "fox", "bee", "cat"])
    named = label_issues(p, names[y], classes=names)
    assert np.array_equal(named, label_issues(p, y))


def test_a_class_without_rows_is_nobodys_probable_one():
    p, _, y = noisy()
    kept = y != 3
    assert np.array_equal(confident_joint(p[kept], y[kept], classes=range(4))[3], [0, 0, 0, 0])
    quality = label_quality(p[kept], y[kept], classes=range(4), adjust=True)
    assert np.isfinite(quality).all()


def test_what_confident_learning_refuses():
    p, _, y = noisy()
    cases = {
        "2.* columns for 4 classes": lambda: confident_joint(p[:, :2], y),
        "y holds 3, which is not in classes": lambda: label_issues(p, y, classes=[0, 1, 2, 7]),
        "probabilities hold -": lambda: label_quality(p - 0.5, y),
        "score='gap'": lambda: label_quality(p, y, score="gap"),
        "rule='gap'": lambda: label_issues(p, y, rule="gap"),
        "y has 299 entries": lambda: confident_joint(p, y[1:]),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message):
            call()


# ---- the estimator -------------------------------------------------------------------

X, Y = blobs(90)
CHEAP = ContrastiveEncoder(3, max_iter=2, random_state=0)


def as_it_is(**params):
    """An estimator whose space is the columns."""
    return LabelCredibility(FunctionTransformer(), random_state=0, **params)


def test_neighbours_are_the_definition():
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    distance = np.linalg.norm(U[:, None] - U, axis=2)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :7]
    s = np.median([distance[i, near[i, -1]] for i in range(90)])
    expected = []
    for i in range(90):
        w = {j: np.exp(-(distance[i, j] ** 2) / (2 * s**2)) for j in near[i]}
        shares = [sum(v for j, v in w.items() if Y[j] == c) / sum(w.values()) for c in range(3)]
        expected.append(shares)
    model = as_it_is(method="neighbors", n_neighbors=7).fit(X, Y)
    assert_allclose(model.probabilities_, expected, atol=1e-12)
    assert_allclose(model.training_scores_, np.array(expected)[np.arange(90), Y], atol=1e-12)
    assert_allclose(as_it_is(n_neighbors=500, method="neighbors").fit(X, Y).spread_, 4, rtol=0.5)


def test_confident_is_what_classifiers_of_other_folds_say_and_both_the_mean():
    folds = KFold(3, shuffle=True, random_state=1)
    model = as_it_is(method="confident", classifier=GaussianNB(), cv=folds).fit(X, Y)
    p = cross_val_predict(GaussianNB(), X, Y, cv=folds, method="predict_proba")
    assert_allclose(model.probabilities_, p)
    new = blobs(20, seed=1)[0]
    assert_allclose(model.transform(new), GaussianNB().fit(X, Y).predict_proba(new))
    fits = [as_it_is(method=m).fit(X, Y) for m in ("neighbors", "confident", "both")]
    first, second, both = (fit.probabilities_ for fit in fits)
    assert_allclose(both, (first + second) / 2)
    first, second, both = (fit.transform(new) for fit in fits)
    assert_allclose(both, (first + second) / 2)


@pytest.mark.parametrize("method", ["both", "neighbors", "confident"])
def test_softened_labels_and_suggestions(method):
    given, rows = np.where(np.arange(90) % 9, Y, (Y + 1) % 3), np.hstack([X, 4 * np.eye(3)[Y]])
    names = np.array(["owl", "fox", "bee"])[given]
    model = as_it_is(method=method, softness=0.3)
    soft = model.fit_transform(rows, names)
    codes = np.searchsorted(model.classes_, names)
    assert_allclose(soft, 0.7 * np.eye(3)[codes] + 0.3 * model.probabilities_)
    assert_allclose(soft.sum(axis=1), 1)
    assert_allclose(model.transform(rows), soft)
    assert_allclose(model.transform(rows, names), soft)
    assert model.get_feature_names_out().tolist() == ["label_bee", "label_fox", "label_owl"]
    right = np.array(["owl", "fox", "bee"])[Y]
    assert (model.suggest_labels(rows) == right).mean() > 0.9
    assert_allclose(model.score_samples(rows), model.training_scores_)
    assert model.score(rows, right) > model.score(rows, names) + 0.05
    assert roc_auc_score(given != Y, -model.training_scores_) > 0.95


def test_rows_without_a_label_are_not_scored_and_have_no_say():
    missing = np.arange(90) % 4 == 0
    for none in (None, np.nan, -1, pd.NA):
        y = pd.Series([none if m else int(c) for m, c in zip(missing, Y)], dtype=object)
        model = as_it_is().fit(X, y)
        assert np.array_equal(np.isnan(model.training_scores_), missing)
        assert np.array_equal(np.isnan(model.score_samples(X, y)), missing)
        alone = as_it_is().fit(X[~missing], Y[~missing])
        assert_allclose(model.training_scores_[~missing], alone.training_scores_, rtol=1e-6)
        assert_allclose(model.transform(X)[missing], alone.transform(X[missing]), rtol=1e-6)
        assert (model.suggest_labels(X)[missing] == Y[missing]).mean() > 0.8
    model = as_it_is().fit(X, 2 * (Y > 0) - 1)  # here -1 is a class
    assert np.isfinite(model.training_scores_).all() and model.classes_.tolist() == [-1, 1]
    assert np.isfinite(model.score_samples(X, 2 * (Y > 0) - 1)).all()
    model = as_it_is().fit(X, Y)
    found = model.score_samples(X[:3], [7, -1, Y[2]])
    assert found[0] == 0 and np.isnan(found[1]) and found[2] == model.training_scores_[2]


def test_an_encoder_without_labels_reads_none_and_one_with_labels_only_those_of_other_folds():
    seen = []

    class Spy(FunctionTransformer):
        def fit(self, X, y=None):
            seen.append(y)
            return super().fit(X)

    LabelCredibility(Spy(), method="neighbors").fit(X, Y)
    assert seen == [None]
    noise, labels = np.random.default_rng(0).normal(size=(60, 40)), np.arange(60) % 2
    memory = LinearDiscriminantAnalysis()
    Z = memory.fit(noise, labels).transform(noise)
    leaked = as_it_is().fit(Z, labels).training_scores_.mean()
    honest = LabelCredibility(memory, random_state=0).fit(noise, labels)
    assert leaked > 0.8 and honest.training_scores_.mean() < 0.65
    assert_allclose(honest.score_samples(noise, labels), honest.training_scores_)
    supervised = LabelCredibility(clone(CHEAP).set_params(objective="supcon"), cv=2).fit(X, Y)
    assert supervised.encoder_.classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("cv", [ShuffleSplit(2), RepeatedKFold(n_splits=3, n_repeats=2)])
def test_folds_that_do_not_test_each_label_once_are_refused(cv):
    with pytest.raises(ValueError, match="does not test each label once: type a number"):
        as_it_is(cv=cv).fit(X, Y)


def test_copies_of_a_row_with_different_labels():
    rows, y = np.vstack([X, X[:1]]), np.append(Y, (Y[0] + 1) % 3)
    model = as_it_is().fit(rows, y)
    found = model.score_samples(rows[[0, 90]], y[[0, 90]])
    assert_allclose(found, model.training_scores_[[0, 90]])
    assert found[0] > found[1]
    constant = as_it_is().fit(np.ones((9, 2)), np.arange(9) % 3)
    assert np.isfinite(constant.training_scores_).all()


TEXTS = ["red green blue old", "old new house street", "town river car tree road"] * 10
SERIES = np.random.default_rng(0).normal(size=(30, 2, 24))
ENCODERS = {
    "texts": (ContrastiveTextEncoder(3, max_iter=2), TEXTS),
    "series": (SeriesContrastiveEncoder(max_iter=2), SERIES),
    "blocks": (MultiViewContrastiveEncoder(max_iter=2), Blocks(a=X[:30, :3], b=X[:30, 3:])),
    "dict of blocks": (MultiViewContrastiveEncoder(max_iter=2), {"a": X[:30, :3], "b": X[:30, 3:]}),
    "frozen": (FrozenEstimator(clone(CHEAP).fit(X)), X[:30]),
    "pipeline": (make_pipeline(StandardScaler(), CHEAP), X[:30]),
    "sparse output": (TfidfVectorizer(), TEXTS),
    "sparse rows": (CHEAP, sp.csc_matrix(X[:30])),
    "frame": (CHEAP, pd.DataFrame(X[:30], columns=list("abcde"))),
    "classes": (clone(CHEAP).set_params(objective="supcon"), X[:30]),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder(name):
    encoder, rows = ENCODERS[name]
    y = np.arange(30) % 3
    model = LabelCredibility(encoder, n_neighbors=4, cv=2, random_state=0).fit(rows, y)
    assert_allclose(model.score_samples(rows), model.training_scores_, rtol=1e-4, atol=1e-6)
    assert model.transform(rows).shape == (30, 3)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.score_samples(rows, y), model.score_samples(rows, y))
    again = clone(model).fit(rows, y)
    assert np.array_equal(again.training_scores_, model.training_scores_)


@pytest.mark.parametrize("name", ["texts", "frozen", "classes", "sparse output"])
@pytest.mark.parametrize("method", ["neighbors", "confident"])
def test_saved_and_loaded(name, method, tmp_path):
    encoder, rows = ENCODERS[name]
    y = np.array(["a", "b", None], dtype=object)[np.arange(30) % 3]
    model = LabelCredibility(encoder, method=method, cv=2, random_state=0).fit(rows, y)
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert np.array_equal(loaded.score_samples(rows), model.score_samples(rows), equal_nan=True)
    assert np.array_equal(loaded.transform(rows), model.transform(rows))


def test_in_a_search_and_a_pipeline():
    grid = {"n_neighbors": [1, 9], "estimator__learning_rate": [1e-3, 3e-3]}
    search = GridSearchCV(LabelCredibility(CHEAP, cv=2, random_state=0), grid, cv=2).fit(X, Y)
    assert search.best_score_ > 0.8
    pipeline = make_pipeline(StandardScaler(), as_it_is()).fit(X, Y)
    assert np.array_equal(pipeline.score_samples(X), pipeline[-1].training_scores_)
    soft = as_it_is().set_output(transform="pandas").fit_transform(pd.DataFrame(X), Y)
    assert list(soft.columns) == ["label_0", "label_1", "label_2"]


def test_small_classes_and_what_is_refused():
    rare = np.where(np.arange(90) == 5, 9, Y)
    model = as_it_is().fit(X, rare)
    assert model.training_scores_[5] == 0  # no other row has its label
    with pytest.raises(ValueError, match="a class for each labelled row"):
        as_it_is().fit(X, np.arange(90))
    with pytest.raises(ValueError, match="y has one class only"):
        as_it_is().fit(X, np.zeros(90))
    with pytest.raises(ValueError, match="y has 89 rows, but X has 90"):
        as_it_is().fit(X, Y[1:])
    with pytest.raises(ValueError, match="requires y"):
        as_it_is().fit(X, None)
    with pytest.raises(ValueError, match="The 'method' parameter .* must be"):
        as_it_is(method="confidence").fit(X, Y)


def test_both_finds_what_a_classifier_on_its_own_rows_does_not():
    rows, true = blobs(240, seed=3)
    y = np.where(np.arange(240) % 5, true, (true + 1) % 3)
    wide = np.hstack([rows, np.random.default_rng(0).normal(size=(240, 150))])
    model = LogisticRegression(C=100, max_iter=2000).fit(wide, y)
    seen = model.predict_proba(wide)[np.arange(240), y]
    found = as_it_is().fit(wide, y).training_scores_
    assert roc_auc_score(y != true, -found) > roc_auc_score(y != true, -seen) + 0.05
