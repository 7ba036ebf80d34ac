"""Columns of the input and of a kernel beside the learned ones."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder
from skcontrast.representation import _passthrough


def rows(n=60, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.arange(1, d + 1) + 3.0


def small(**params):
    return ContrastiveEncoder(**{"max_iter": 2, "random_state": 0, "device": "cpu", **params})


def test_input_comes_first_and_has_most_of_the_variance():
    X = rows()
    model = small(network="linear").fit(X)
    Z = model.transform(X)
    np.testing.assert_allclose(Z[:, :7], StandardScaler().fit_transform(X), atol=1e-5)
    variance = [part.var(axis=0).sum() for part in np.split(Z, [7, 7 + 256], axis=1)]
    np.testing.assert_allclose(variance, [7.0, 0.3 * 7, 0.15 * 7], rtol=1e-4)
    assert Z.shape[1] == len(model.get_feature_names_out()) == 7 + 256 + 60


def test_learned_part_is_the_embedding_without_it():
    X = rows()
    alone = small(passthrough=False).fit(X)
    learned = alone.transform(X)
    assert learned.shape == (60, 256)
    Z = small().fit_transform(X)[:, 7 : 7 + 256]
    factor = Z.std() / (learned - learned.mean(axis=0)).std()
    np.testing.assert_allclose(Z, factor * (learned - learned.mean(axis=0)), atol=1e-4)


def test_kernel_part_has_the_inner_products_of_the_kernel(monkeypatch):
    X = rows()
    model = small().fit(X)
    C = StandardScaler().fit_transform(X)
    phi = model._kernel(C)
    expected = rbf_kernel(C, gamma=model.gamma_)
    # All rows are landmarks: the features are exact, but for a floor of the small eigenvalues.
    np.testing.assert_allclose(phi @ phi.T, expected, atol=1e-4)
    squared = ((C[:, None] - C) ** 2).sum(axis=2)[np.triu_indices(60, 1)]
    assert model.gamma_ == pytest.approx(1 / np.median(squared))


@pytest.mark.parametrize("sparse", [False, True])
def test_many_columns_become_their_leading_directions(monkeypatch, sparse):
    monkeypatch.setattr(_passthrough, "MOST_COLUMNS", 5)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 5)) @ rng.standard_normal((5, 20))
    model = small().fit(sp.csr_matrix(X) if sparse else X)
    kept = model.transform(sp.csr_matrix(X) if sparse else X)[:, :5]
    whole = X / model.scale_ if sparse else StandardScaler().fit_transform(X)
    # Five directions hold all of a matrix of rank five.
    np.testing.assert_allclose(kept @ kept.T, whole @ whole.T, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="features"):
        model.transform(X[:, :4])


@pytest.mark.parametrize(
    "params, width",
    [
        ({"n_components": 4}, 4),
        ({"n_components": 4, "passthrough": True}, 4 + 7 + 60),
        ({"passthrough": False}, 256),
        ({}, 256 + 7 + 60),
        ({"network": torch.nn.Linear(7, 5)}, 5),
    ],
)
def test_when_it_is_there(params, width):
    X = rows()
    model = small(**params).fit(X)
    assert model.transform(X).shape == (60, width)
    if "network" not in params:
        assert model.n_components_ == params.get("n_components", 256)


def test_further_training_keeps_the_columns_and_rescales_the_learned_ones():
    X = rows()
    model = small(warm_start=True).fit(X)
    before = model.transform(X)
    model.fit(X)
    after = model.transform(X)
    assert np.array_equal(before[:, :7], after[:, :7])
    assert np.array_equal(before[:, 7 + 256 :], after[:, 7 + 256 :])
    assert after[:, 7 : 7 + 256].var(axis=0).sum() == pytest.approx(2.1, rel=1e-4)
    model.set_params(passthrough=False).fit(X)
    assert model.transform(X).shape == (60, 256) and not hasattr(model, "gamma_")


def test_a_fit_that_fails_leaves_the_parts_of_the_earlier_one(monkeypatch):
    X = rows()
    model = small().fit(X)
    before = model.transform(X)
    monkeypatch.setattr(_passthrough, "nystroem", lambda C, rng: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(rows(40, 3))
    assert np.array_equal(model.transform(X), before)


@pytest.mark.parametrize("X", [np.ones((5, 3)), np.tile([[0.0, 1.0]], (4, 1)), rows(2, 1)])
def test_rows_that_are_all_the_same_or_few(X):
    Z = small().fit_transform(X)
    assert np.isfinite(Z).all() and len(Z) == len(X)


def test_float32_and_memory_maps_and_pickles(tmp_path):
    X = rows().astype(np.float32)
    path = tmp_path / "rows.dat"
    kept = np.memmap(path, np.float32, "w+", shape=X.shape)
    kept[:] = X
    model = small().fit(kept)
    Z = model.transform(kept)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, small().fit(X).transform(X), atol=1e-4)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))
