"""ContrastiveAnomalyDetector: scikit-learn's checks, its definition, its limits, every encoder."""

import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from instances import blobs, detector_instances
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import skcontrast
from skcontrast import (
    ContrastiveAnomalyDetector,
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
)
from skcontrast.anomaly._virtual import permuted, stacked
from skcontrast.multiview import Blocks
from skcontrast.objectives import SupCon

X, _ = blobs()
NEW = blobs(n=20, seed=1)[0]
CHEAP = ContrastiveEncoder(3, max_iter=2)


def as_it_is(**params):
    """A detector whose space is the columns."""
    return ContrastiveAnomalyDetector(FunctionTransformer(), **params)


@parametrize_with_checks(detector_instances())
def test_scikit_learn(estimator, check):
    check(estimator)


UNLISTED = [
    "check_param_validation",
    "check_dataframe_column_names_consistency",
    "check_n_features_in_after_fitting",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_f_contiguous_array_estimator",
    "check_readonly_memmap_input",
]


@pytest.mark.parametrize("estimator", detector_instances(), ids=["none", "permuted"])
@pytest.mark.parametrize("name", UNLISTED)
def test_scikit_learn_unlisted(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


# ------------------------------------------------------------------ the definition


def loop(rows, known, k):
    """Minus the mean distance to the k nearest, a row itself left out."""
    scores = []
    for i, row in enumerate(rows):
        others = [j for j in range(len(known)) if known is not rows or j != i]
        scores.append(-np.sort([np.linalg.norm(row - known[j]) for j in others])[:k].mean())
    return np.array(scores)


@pytest.mark.parametrize("k", [1, 5, 59])
def test_scores_are_distances_to_neighbours(k):
    detector = ContrastiveAnomalyDetector(CHEAP, n_neighbors=k, random_state=0).fit(X)
    Z = detector.encoder_.transform(X)
    np.testing.assert_allclose(detector.training_scores_, loop(Z, Z, k), rtol=1e-9)
    np.testing.assert_allclose(detector.score_samples(X), detector.training_scores_, rtol=1e-5)
    new = detector.score_samples(NEW)
    np.testing.assert_allclose(new, loop(detector.encoder_.transform(NEW), Z, k), rtol=1e-9)


def test_an_encoder_that_passes_the_columns_gives_kneighbors():
    shifted = 1e6 + X  # distances are not lost in the size of the columns
    detector = as_it_is().fit(shifted)
    index = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(shifted)
    expected = -index.kneighbors(1e6 + NEW)[0].mean(axis=1)
    np.testing.assert_allclose(detector.score_samples(1e6 + NEW), expected, rtol=1e-9)
    np.testing.assert_allclose(
        detector.score_samples(shifted), -index.kneighbors()[0].mean(axis=1), rtol=1e-9
    )


def test_duplicates():
    twice = np.repeat(X, 2, axis=0)
    detector = as_it_is(n_neighbors=3, contamination=0.1).fit(twice)
    np.testing.assert_allclose(detector.training_scores_, loop(twice, twice, 3), atol=1e-7)
    np.testing.assert_allclose(detector.score_samples(twice), detector.training_scores_, atol=1e-7)
    constant = as_it_is().fit(np.ones((9, 2)))
    assert (constant.predict(np.ones((3, 2))) == 1).all()
    assert (constant.predict(np.zeros((3, 2))) == -1).all()
    many = ContrastiveAnomalyDetector(CHEAP, outliers="permuted", random_state=0)
    assert np.isfinite(many.fit(np.repeat(X[:3], 8, axis=0)).score_samples(NEW)).all()


def test_contamination_moves_the_offset_alone():
    few, more, fence = (
        ContrastiveAnomalyDetector(CHEAP, contamination=c, random_state=0).fit(X)
        for c in (0.05, 0.3, "auto")
    )
    for other in (more, fence):
        assert np.array_equal(few.score_samples(NEW), other.score_samples(NEW))
    assert (few.fit_predict(X) == -1).sum() == 3 and (more.predict(X) == -1).sum() == 18
    low, high = np.percentile(-fence.training_scores_, [25, 75])
    assert fence.offset_ == pytest.approx(-(high + 1.5 * (high - low)))
    decision = fence.decision_function(NEW)
    assert np.array_equal(decision, fence.score_samples(NEW) - fence.offset_)
    assert np.array_equal(fence.predict(NEW) == -1, decision < 0)


def test_virtual_outliers_add_a_cosine():
    detector = ContrastiveAnomalyDetector(CHEAP, outliers="permuted", random_state=0).fit(X)
    plain = ContrastiveAnomalyDetector(CHEAP, random_state=0).fit(X)
    unit = [detector.outlier_encoder_.transform(rows) for rows in (X, NEW)]
    known, new = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in unit)
    own = known @ known.T
    np.fill_diagonal(own, -1)
    first = -plain.training_scores_, 1 - own.max(axis=1)
    then = -plain.score_samples(NEW), 1 - (new @ known.T).max(axis=1)
    np.testing.assert_allclose(detector.units_, [np.median(d) for d in first], rtol=1e-6)
    expected = -sum(d / u for d, u in zip(then, detector.units_))
    np.testing.assert_allclose(detector.score_samples(NEW), expected, rtol=1e-6)


def test_rows_are_of_one_class_and_outliers_of_none():
    z = torch.nn.functional.normalize(torch.randn(2, 6, 4, dtype=torch.float64), dim=-1)
    target = torch.tensor([0, 0, 0, -1, -1, -1])
    loss = SupCon(0.5)(z, target=target)
    rows, expected = z.reshape(12, 4).numpy(), []
    for i in range(12):
        others = [j for j in range(12) if j != i]
        total = sum(np.exp(rows[i] @ rows[j] / 0.5) for j in others)
        inlier = i % 6 < 3
        positive = [j for j in others if j % 6 == i % 6 or (inlier and j % 6 < 3)]
        terms = [np.log(total) - rows[i] @ rows[j] / 0.5 for j in positive]
        expected.append(np.mean(terms))
    assert float(loss.mean()) == pytest.approx(np.mean(expected), rel=1e-9)
    detector = ContrastiveAnomalyDetector(CHEAP, outliers="permuted", random_state=0).fit(X)
    assert detector.outlier_encoder_.classes_.tolist() == [0.0]


def test_order_of_rows_and_seeds():
    detector = as_it_is(contamination=0.2).fit(X)
    order = np.random.default_rng(0).permutation(len(X))
    turned = as_it_is(contamination=0.2).fit(X[order])
    np.testing.assert_allclose(turned.score_samples(NEW), detector.score_samples(NEW), rtol=1e-9)
    for params in ({}, {"outliers": "permuted"}):
        made = [
            ContrastiveAnomalyDetector(CHEAP, random_state=seed, **params).fit(X)
            for seed in (0, 0, 1)
        ]
        first, second, other = (model.score_samples(NEW) for model in made)
        assert np.array_equal(first, second) and not np.array_equal(first, other)
    own = clone(CHEAP).set_params(random_state=3)
    kept = ContrastiveAnomalyDetector(own, random_state=0).fit(X)
    assert kept.encoder_.random_state == 3 and own.random_state == 3


# ------------------------------------------------------------------ virtual outliers

FRAME = {"a": np.arange(30.0), "b": np.arange(30.0) ** 2, "c": ["x", "y", "z"] * 10}
TABLES = {
    "array": np.arange(90.0).reshape(30, 3),
    "series": np.arange(180.0).reshape(30, 2, 3),
    "list": np.arange(90.0).reshape(30, 3).tolist(),
    "sparse": sp.random(30, 4, 0.4, format="csr", random_state=0),
    "pandas": pd.DataFrame(FRAME).astype({"c": "category"}),
    "polars": pl.DataFrame(FRAME),
}


@pytest.mark.parametrize("name", TABLES)
def test_permuted_columns_keep_their_values(name):
    table = TABLES[name]
    made = permuted(table, np.random.RandomState(0))
    both = stacked(table, made)

    def columns(t):
        t = t.toarray() if sp.issparse(t) else np.asarray(t)
        return [sorted(c) for c in t.reshape(len(t), -1).T.tolist()]

    assert columns(made) == columns(table)
    whole = [t.toarray() if sp.issparse(t) else np.asarray(t) for t in (table, made, both)]
    assert not np.array_equal(whole[0], whole[1])
    assert np.array_equal(np.concatenate(whole[:2]), whole[2])
    if hasattr(table, "columns"):
        assert list(both.columns) == list(table.columns)
    if name == "pandas":
        assert both.dtypes.equals(table.dtypes) and both.index.is_unique


@pytest.mark.parametrize("name", ["sparse", "pandas", "polars", "list"])
def test_permuted_tables_of_any_kind(name):
    detector = ContrastiveAnomalyDetector(CHEAP, outliers="permuted", random_state=0)
    assert (detector.fit(TABLES[name]).score_samples(TABLES[name]) <= 0).all()


def test_dependences_are_what_permuted_columns_break():
    rng = np.random.default_rng(0)

    def draw(n, linked):
        first = rng.normal(size=(n, 6))
        second = first if linked else rng.normal(size=(n, 6))
        return np.hstack([first, second]) + 0.5 * rng.normal(size=(n, 12))

    rows, new = draw(300, True), np.vstack([draw(150, True), draw(150, False)])
    normal = np.repeat([True, False], 150)
    plain, against = (
        ContrastiveAnomalyDetector(outliers=outliers, random_state=0).fit(rows).score_samples(new)
        for outliers in (None, "permuted")
    )
    assert roc_auc_score(normal, against) > roc_auc_score(normal, plain) + 0.01


# ------------------------------------------------------------------ cells


def recipe():
    """The function of the guide page that scores single cells."""
    page = Path(skcontrast.__file__).parents[1] / "docs" / "anomalies.md"
    code = re.search(r"^def cell_scores.*?(?=\n\n\n)", page.read_text("utf-8"), re.M | re.S)[0]
    names = {"np": np, "NearestNeighbors": NearestNeighbors, "StandardScaler": StandardScaler}
    exec(code, names)
    return names["cell_scores"]


def test_corrupt_cells_are_found_where_columns_depend_on_each_other():
    rng, score = np.random.default_rng(0), recipe()
    hidden, found = rng.normal(size=(500, 2)), {}
    linked = np.repeat(hidden, 4, axis=1) + 0.3 * rng.normal(size=(500, 8))
    for name, table in {"linked": linked, "free": rng.normal(size=(500, 8))}.items():
        wrong = rng.random(table.shape) < 0.05
        for column, cells in zip(table.T, wrong.T):
            column[cells] = rng.choice(column, cells.sum())
        found[name] = roc_auc_score(wrong.ravel(), score(table).ravel())
        found[name, "values"] = roc_auc_score(wrong.ravel(), np.abs(table).ravel())
    assert found["linked"] > found["linked", "values"] + 0.2
    assert abs(found["free"] - 0.5) < 0.1  # nothing finds them there
    Z = StandardScaler().fit_transform(linked)
    near = np.argsort(np.linalg.norm(Z[7] - Z, axis=1))[1:11]
    expected = abs(Z[7, 2] - np.median(Z[near, 2]))
    assert score(linked)[7, 2] == pytest.approx(expected, rel=1e-9)


# ------------------------------------------------------------------ any encoder

TEXTS = ["red green blue old", "old new house street", "town river car tree road"] * 8
SERIES = np.random.default_rng(0).normal(size=(24, 2, 24))
ENCODERS = {
    "texts": (ContrastiveTextEncoder(3, max_iter=2), TEXTS),
    "series": (SeriesContrastiveEncoder(max_iter=2), SERIES),
    "blocks": (MultiViewContrastiveEncoder(max_iter=2), Blocks(a=X[:, :3], b=X[:, 3:])),
    "frozen": (FrozenEstimator(clone(CHEAP).fit(X)), X),
    "pipeline": (make_pipeline(StandardScaler(), CHEAP), X),
    "sparse rows": (TfidfVectorizer(), TEXTS),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder(name):
    encoder, rows = ENCODERS[name]
    detector = ContrastiveAnomalyDetector(encoder, n_neighbors=2, random_state=0)
    labels = detector.fit_predict(rows)
    assert np.array_equal(labels, detector.predict(rows))
    np.testing.assert_allclose(
        detector.score_samples(rows), detector.training_scores_, rtol=1e-4, atol=1e-5
    )
    if name == "frozen":
        assert detector.encoder_.estimator is encoder.estimator
    copied = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(copied.score_samples(rows), detector.score_samples(rows))


def test_texts_from_a_generator_and_outliers_from_a_function():
    def mixed(texts, random_state):
        words = [word for text in texts for word in text.split()]
        return [" ".join(random_state.choice(words, 4)) for _ in texts]

    encoder = ContrastiveTextEncoder(3, max_iter=2)
    detector = ContrastiveAnomalyDetector(encoder, outliers=mixed, random_state=0)
    assert len(detector.fit_predict(iter(TEXTS))) == len(TEXTS)
    assert len(detector.score_samples(iter(TEXTS))) == len(TEXTS)
    frozen = FrozenEstimator(clone(CHEAP).fit(X))
    detector = ContrastiveAnomalyDetector(frozen, outliers="permuted", random_state=0).fit(X)
    assert detector.outlier_encoder_ is not frozen.estimator


def test_what_is_refused():
    permuted_texts = ContrastiveAnomalyDetector(
        ContrastiveTextEncoder(3, max_iter=1), outliers="permuted"
    )
    with pytest.raises(ValueError, match="outliers='permuted' needs rows with columns"):
        permuted_texts.fit(TEXTS)
    with pytest.raises(ValueError, match="outliers='permuted' needs rows with columns"):
        clone(permuted_texts).set_params(encoder=ENCODERS["blocks"][0]).fit(ENCODERS["blocks"][1])
    with pytest.raises(TypeError, match="trains an encoder of skcontrast, and encoder="):
        as_it_is(outliers="permuted").fit(X)
    for objective in ("supcon", "common_salient"):
        reads_more = ContrastiveEncoder(objective=objective)
        with pytest.raises(ValueError, match=r"alone: fit the encoder .* encoder=FrozenEstimator"):
            ContrastiveAnomalyDetector(reads_more).fit(X, np.arange(len(X)) % 2)
    own = ContrastiveAnomalyDetector(ContrastiveEncoder(4, max_iter=1), random_state=0)
    for made in (None, X[:, :2], X[0]):
        own.set_params(outliers=lambda X, rng, made=made: made)
        with pytest.raises(ValueError, match="outliers gave .*, and X is ndarray of shape"):
            own.fit(X)
    with pytest.raises(ValueError, match="outliers gave no rows"):
        own.set_params(outliers=lambda X, rng: X[:0]).fit(X)
    for make in (lambda X, rng: X[::-1], lambda X, rng: iter(X[::-1])):
        scores = own.set_params(outliers=make).fit(X).training_scores_
        assert np.isfinite(scores).all()
    with pytest.warns(UserWarning, match="n_neighbors=5, but a row has 3 others"):
        as_it_is().fit(X[:4])
    with pytest.raises(ValueError, match="at least 2 are needed"):
        as_it_is().fit(X[:1])


def test_digits_of_another_class_are_found():
    rows, y = load_digits(return_X_y=True)
    known, new = rows[y == 3][:90], np.vstack([rows[y == 3][90:], rows[y == 5][:90]])
    encoder = ContrastiveEncoder(max_iter=10)
    scores = ContrastiveAnomalyDetector(encoder, random_state=0).fit(known).score_samples(new)
    assert roc_auc_score(np.arange(len(new)) < len(new) - 90, scores) > 0.9


@pytest.mark.parametrize("name", ["texts", "frozen", "pipeline"])
def test_saved_and_loaded(name, tmp_path):
    encoder, rows = ENCODERS[name]
    detector = ContrastiveAnomalyDetector(encoder, n_neighbors=2, random_state=0).fit(rows)
    skcontrast.save(detector, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert np.array_equal(loaded.score_samples(rows), detector.score_samples(rows))
    assert loaded.offset_ == detector.offset_
