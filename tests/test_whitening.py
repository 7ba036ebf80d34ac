"""Whitening and GroupCentering: the formulas by loops, and their laws."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.spatial.distance import mahalanobis, pdist
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

import skcontrast
from skcontrast.postprocessing import GroupCentering, Whitening

rng = np.random.default_rng(0)
X = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6)
METHODS = "zca", "pca", "cholesky"


@pytest.mark.parametrize("power", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("method", METHODS)
def test_naive_loops(method, power):
    mean = sum(X) / 80
    C = sum(np.outer(x - mean, x - mean) for x in X) / 79
    C = 0.8 * C + 0.2 * np.trace(C) / 6 * np.eye(6)
    values, V = np.linalg.eigh(C)
    order = np.argsort(-values)
    values, V = values[order], V[:, order]
    expected = np.zeros((80, 6))
    for i, x in enumerate(X):
        for value, v in zip(values, V.T):
            if method == "zca":
                expected[i] += (x - mean) @ v * value ** (-power / 2) * v
        if method == "cholesky":
            L = np.linalg.cholesky((V * values**power) @ V.T)
            for j in range(6):  # forward substitution
                expected[i, j] = (x[j] - mean[j] - L[j, :j] @ expected[i, :j]) / L[j, j]
        if method == "pca":
            for j, v in enumerate(V.T):
                sign = np.sign(v[np.abs(v).argmax()])
                expected[i, j] = sign * (x - mean) @ v * values[j] ** (-power / 2)
    model = Whitening(method=method, power=power, shrinkage=0.2)
    np.testing.assert_allclose(model.fit_transform(X), expected, atol=1e-9)
    np.testing.assert_allclose(model.inverse_transform(expected), X, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_white_columns(method):
    model = Whitening(method=method, shrinkage=0.0)
    Z = model.fit_transform(X)
    np.testing.assert_allclose(np.cov(Z.T), np.eye(6), atol=1e-10)
    inverse = np.linalg.inv(np.cov(X.T))
    expected = [mahalanobis(X[0], x, inverse) for x in X[1:]]
    np.testing.assert_allclose(np.linalg.norm(Z[0] - Z[1:], axis=1), expected)
    # White rows stay as they are.
    again = Whitening(shrinkage=0.0).fit_transform(Z)
    np.testing.assert_allclose(again, Z, atol=1e-10)
    # Any invertible map before it turns the rows, and no more.
    moved = X @ rng.normal(size=(6, 6)) + 5
    other = Whitening(method=method, shrinkage=0.0).fit_transform(moved)
    np.testing.assert_allclose(pdist(other), pdist(Z), atol=1e-9)


def test_groups_are_white_by_themselves():
    model = Whitening(shrinkage=0.0, n_groups=3, random_state=1).fit(X)
    assert sorted(model.permutation_) == list(range(6)) and model.shrinkage_.shape == (3,)
    C = np.cov(model.transform(X).T)
    same = np.zeros((6, 6), dtype=bool)
    for columns in model.permutation_.reshape(3, 2):
        same[np.ix_(columns, columns)] = True
        alone = Whitening(shrinkage=0.0).fit_transform(X[:, columns])
        np.testing.assert_allclose(model.transform(X)[:, columns], alone, atol=1e-10)
    np.testing.assert_allclose(C[same], np.eye(6)[same], atol=1e-10)
    assert np.abs(C[~same]).max() > 0.05
    other = Whitening(shrinkage=0.0, n_groups=3, random_state=2).fit(X)
    assert not np.array_equal(other.permutation_, model.permutation_)
    # In a group of one column all three are scaling.
    single = [
        Whitening(method=m, shrinkage=0.0, n_groups=6, random_state=0).fit(X) for m in METHODS
    ]
    scaled = (X - X.mean(axis=0)) / X.std(axis=0, ddof=1)
    for model in (single[0], single[2]):
        np.testing.assert_allclose(model.transform(X), scaled, atol=1e-10)
    order = single[1].permutation_
    np.testing.assert_allclose(single[1].transform(X), scaled[:, order], atol=1e-10)


def test_it_is_what_scikit_learn_has():
    Z = Whitening(3, method="pca", shrinkage=0.0).fit_transform(X)
    expected = PCA(3, whiten=True).fit_transform(X)
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(Whitening(power=0).fit_transform(X), X - X.mean(axis=0), atol=1e-10)
    model = Whitening().fit(X)
    assert model.shrinkage_ == pytest.approx([ledoit_wolf(X)[1]])
    np.testing.assert_allclose(model.eigenvalues_, PCA().fit(X).explained_variance_)


def test_leading_directions_are_removed():
    model = Whitening(power=0, remove=2).fit(X)
    pca = PCA(2).fit(X)
    expected = X - pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-10)
    assert model.n_dropped_ == 2
    few = [Whitening(2, method=m, remove=1, shrinkage=0.0).fit_transform(X) for m in METHODS]
    np.testing.assert_allclose(pdist(few[0]), pdist(few[1]), atol=1e-9)
    np.testing.assert_allclose(pdist(few[2]), pdist(few[1]), atol=1e-9)
    Z = few[1]
    later = PCA(3, whiten=True).fit_transform(X)[:, 1:]
    np.testing.assert_allclose(np.abs(Z), np.abs(later), atol=1e-9)


def test_a_constant_offset_changes_nothing():
    model = Whitening().fit(X)
    moved = Whitening().fit(X + 7.5)
    np.testing.assert_allclose(moved.transform(X + 7.5), model.transform(X), atol=1e-9)


def test_directions_without_variance():
    flat = np.hstack([X[:, :3], np.full((80, 2), 0.1)])
    model = Whitening(shrinkage=0.0).fit(flat)
    assert model.n_dropped_ == 2 and not model.transform(flat)[:, 3:].any()
    np.testing.assert_allclose(np.cov(model.transform(flat)[:, :3].T), np.eye(3), atol=1e-10)
    with pytest.raises(ValueError, match=r"2 direction\(s\) were dropped: fit without"):
        model.inverse_transform(flat)
    other = Whitening(method="cholesky", shrinkage=0.0).fit_transform(flat)
    np.testing.assert_allclose(pdist(other), pdist(model.transform(flat)), atol=1e-9)
    wide = Whitening().fit(X[:4])  # fewer rows than columns
    assert wide.n_dropped_ == 0
    np.testing.assert_allclose(wide.inverse_transform(wide.transform(X)), X, atol=1e-8)
    assert not Whitening().fit_transform(np.ones((5, 3))).any()
    np.testing.assert_allclose(Whitening(power=0).fit(flat).n_dropped_, 0)


def test_unit_rows():
    model = Whitening(normalize=True).fit(X)
    Z = Whitening().fit_transform(X)
    np.testing.assert_allclose(model.transform(X), normalize(Z))
    assert not model.transform(model.mean_[None]).any()
    with pytest.raises(ValueError, match="no way back, as lengths of rows were dropped"):
        model.inverse_transform(Z)


@pytest.mark.parametrize(
    "message, params",
    [
        ("n_groups=7, but there are n_features=6: type n_groups=6", {"n_groups": 7}),
        (
            "n_components=6, but there are n_features=6 less remove=1: type n_components=5",
            {"n_components": 6, "method": "pca", "remove": 1},
        ),
        ("of one group, and n_groups=2: type remove=0", {"remove": 1, "n_groups": 2}),
        ("of one group, and n_groups=2: type remove=0", {"n_components": 1, "n_groups": 2}),
        ("remove=6 leaves nothing of n_features=6", {"remove": 6}),
    ],
)
def test_what_does_not_go_together(message, params):
    with pytest.raises(ValueError, match=message):
        Whitening(**params).fit(X)


def test_squares_that_overflow_are_refused():
    with pytest.raises(ValueError, match="squares are beyond float64: divide X by such a number"):
        Whitening().fit(X * 1e200)


def test_columns_keep_their_names():
    frame = [f"f{i}" for i in range(6)]
    assert Whitening().fit(X).get_feature_names_out(frame).tolist() == frame
    names = Whitening(2, method="pca").fit(X).get_feature_names_out()
    assert names.tolist() == ["whitening0", "whitening1"]
    with pytest.raises(ValueError, match="X has 3 columns, and transform gives 6"):
        Whitening().fit(X).inverse_transform(X[:, :3])


def test_groups_get_one_mean(tmp_path):
    groups = np.array(["a", "b", "c", "d"])[np.arange(80) % 4]
    model = GroupCentering().fit(X, groups=groups)
    Z = model.transform(X, groups=groups)
    for group in "abcd":
        np.testing.assert_allclose(Z[groups == group].mean(axis=0), X.mean(axis=0))
        mine = X[groups == group]
        np.testing.assert_allclose(Z[groups == group], mine - mine.mean(0) + X.mean(0))
    assert np.array_equal(GroupCentering().fit_transform(X, groups=groups), Z)
    # Each row by itself, and another group not at all.
    np.testing.assert_array_equal(model.transform(X[5:6], groups=groups[5:6]), Z[5:6])
    assert np.array_equal(model.transform(X, groups=["other"] * 80), X)
    numbers = np.arange(80) % 4 + 10
    assert np.array_equal(GroupCentering().fit_transform(X, groups=numbers), Z)
    skcontrast.save(model, tmp_path)
    assert np.array_equal(skcontrast.load(tmp_path).transform(X, groups=groups), Z)


def test_groups_are_those_of_the_rows():
    model = GroupCentering().fit(X, groups=np.arange(80) % 2)
    for message, groups in (
        (r"fit got groups, and transform needs those .* type transform\(X, groups=", None),
        (r"shape \(2,\), but X has 80 rows: pass one number for each row", [0, 1]),
        ("none of them missing", [np.nan] * 80),
        ("none of them missing", [None, *["a"] * 79]),
        ("none of them missing", pd.Series([None, *["a"] * 79], dtype="string")),
        ("none of them missing", np.array([1, "a"] * 40, dtype=object)),
        ("groups is a masked array that hides 40", np.ma.masked_equal(np.arange(80) % 2, 0)),
        ("groups of fit were numbers: pass numbers", ["0", "1"] * 40),
    ):
        with pytest.raises(ValueError, match=message):
            model.transform(X, groups=groups)
    with pytest.raises(ValueError, match="groups of fit were strings: pass strings"):
        GroupCentering().fit(X, groups=["a", "b"] * 40).transform(X, groups=[0, 1] * 40)
    days = np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]")[np.arange(80) % 2]
    expected = model.transform(X, groups=np.arange(80) % 2)
    assert np.array_equal(GroupCentering().fit_transform(X, groups=days), expected)


def test_groups_go_through_a_pipeline():
    groups, y = np.arange(80) % 2, X[:, 0] > X[:, 0].mean()
    with sklearn.config_context(enable_metadata_routing=True):
        centering = GroupCentering().set_fit_request(groups=True)
        centering.set_transform_request(groups=True)
        pipeline = make_pipeline(centering, LogisticRegression()).fit(X, y, groups=groups)
        predicted = pipeline.predict(X, groups=groups)
    Z = GroupCentering().fit_transform(X, groups=groups)
    assert np.array_equal(predicted, LogisticRegression().fit(Z, y).predict(Z))


def test_closed_forms_need_no_torch():
    code = "import sys, skcontrast.postprocessing, skcontrast.topics; print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
