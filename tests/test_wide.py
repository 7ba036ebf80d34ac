"""Sparse rows of many columns: buckets that the first layers read, directions as sums of rows."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import to_batch
from skcontrast._output import parts
from skcontrast._output.parts import Columns
from skcontrast.networks import MLP, _layers
from skcontrast.networks._buckets import Buckets


def sparse_rows(n=40, n_columns=3000, seed=0):
    return sp.random_array(
        (n, n_columns), density=0.02, format="csr", rng=np.random.default_rng(seed)
    )


@pytest.fixture
def few(monkeypatch):
    """As if rows of more than 2,500 columns were wide."""
    monkeypatch.setattr(_layers, "MOST_COLUMNS", 2500)
    monkeypatch.setattr(_layers, "N_BUCKETS", 128)
    monkeypatch.setattr(parts, "WIDE", 2500)


def encoder(**params):
    return ContrastiveEncoder(**{"max_iter": 2, "random_state": 0, "device": "cpu", **params})


def batch(X):
    return to_batch(X, None, None, torch.float64, "cpu")


# ------------------------------------------------------------------ the module


@pytest.mark.parametrize("n_columns, n_buckets", [(3000, 128), (100, 99), (130, 128)])
def test_each_bucket_is_a_signed_sum_of_as_many_columns(n_columns, n_buckets):
    hashing = Buckets(n_columns, n_buckets).double()(torch.eye(n_columns, dtype=torch.float64))
    assert hashing.shape == (n_columns, n_buckets)
    assert (hashing.abs().sum(1) == 1).all(), "a column lies in one bucket"
    counts = hashing.abs().sum(0)
    assert counts.max() - counts.min() <= 1
    assert abs(float(hashing.sum())) < 4 * n_columns**0.5


def test_inner_products_stay():
    X = sparse_rows(60, 40_000)
    X = X / np.sqrt(X.multiply(X).sum(1))[:, None]
    U = Buckets(40_000, 16_384).double()(batch(X.tocsr())).to_dense().numpy()
    np.testing.assert_allclose(U @ U.T, (X @ X.T).toarray(), atol=0.05)


def test_sparse_and_dense_batches_give_the_same():
    X = sparse_rows()
    torch.manual_seed(0)
    module = MLP((16,), n_buckets=64).build(3000, 4).double()
    torch.testing.assert_close(module(batch(X)), module(batch(X.toarray())))


def test_it_is_the_network_of_the_hashed_matrix():
    X = sparse_rows()
    torch.manual_seed(0)
    module = MLP((16, 16), n_buckets=64).build(3000, 4).double()
    plain = MLP((16, 16), n_buckets=None).build(64, 4).double()
    plain.load_state_dict(module.state_dict())
    hashed = Buckets(3000, 64).double()(batch(X.toarray()))
    torch.testing.assert_close(module(batch(X)), plain(hashed))
    for ours, theirs in zip(module.hidden(batch(X)), plain.hidden(hashed), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_weights_of_buckets_start_as_small_as_those_of_columns():
    few, all_columns = (MLP((64,), n_buckets=n).build(3000, 4) for n in (64, None))
    for layers in ("layers.0.0.weight", "shortcut.weight"):
        ours, theirs = (module.state_dict()[layers].std() for module in (few, all_columns))
        torch.testing.assert_close(ours, theirs, rtol=0.15, atol=0)


@pytest.mark.parametrize("n_buckets", ["auto", None, 200])
def test_fewer_columns_than_buckets_are_read_as_they_are(n_buckets):
    assert MLP((8,), n_buckets=n_buckets).build(200, 4).layers[0][0].weight.shape == (200, 8)


# ---------------------------------------------------------------- the encoder


def test_narrow_sparse_and_wide_dense_rows_are_fitted_as_before(few):
    for X in (sparse_rows(n_columns=2400), sparse_rows(n_columns=2600).toarray()):
        ours = encoder(passthrough=False).fit(X)
        plain = encoder(passthrough=False, network=MLP(n_buckets=None)).fit(X)
        assert repr(ours.network_) == "MLP()"
        for name, weight in plain.weights_.items():
            np.testing.assert_array_equal(ours.weights_[name], weight)


def test_wide_sparse_rows_take_buckets(few):
    model = encoder(network=MLP((8,))).fit(sparse_rows())
    assert model.network_.n_buckets == 128
    assert model.network.n_buckets == "auto", "what a user typed stays"
    assert model.weights_["encoder.layers.0.0.weight"].shape == (128, 8)
    kept = encoder(network=MLP((8,), n_buckets=None)).fit(sparse_rows())
    assert kept.weights_["encoder.layers.0.0.weight"].shape == (3000, 8)


def test_200_000_columns_stay_small():
    X = sparse_rows(30, 200_000)
    model = encoder(max_iter=1).fit(X)
    assert sum(w.nbytes for w in model.weights_.values()) < 40e6
    Z = model.transform(X)
    assert np.isfinite(Z).all()
    assert len(pickle.dumps(model)) < 60e6
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).transform(X), Z)


def test_dense_rows_are_transformed_alike(few):
    X = sparse_rows()
    model = encoder().fit(X)
    np.testing.assert_allclose(model.transform(X.toarray()), model.transform(X), atol=2e-5)


def test_further_training_keeps_the_buckets(few):
    X, model = sparse_rows(), encoder(network=MLP((8,)), warm_start=True)
    first = clone(model).partial_fit(X).partial_fit(sparse_rows(30, seed=1))
    assert first.network_.n_buckets == 128 and len(first.loss_curve_) == 2
    before = model.fit(X).weights_["encoder.layers.0.0.weight"]
    after = model.fit(X).weights_["encoder.layers.0.0.weight"]
    assert before.shape == after.shape and not np.array_equal(before, after)


def test_saved_and_loaded(few, tmp_path):
    X, model = sparse_rows(), encoder(n_components=5)
    Z = model.fit(X).transform(X)
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.transform(X), Z)
    assert loaded.network_.n_buckets == 128


def test_searched():
    texts = ["a small cat", "a large dog", "cold tea", "hot coffee and tea"] * 8
    model = make_pipeline(TfidfVectorizer(), encoder(network=MLP((8,))), LogisticRegression())
    grid = {"contrastiveencoder__network__n_buckets": [4, None]}
    search = GridSearchCV(model, grid, cv=2).fit(texts, [0, 0, 1, 1] * 8)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("n_buckets", [0, 2.5, "all", True])
def test_bad_numbers_of_buckets(n_buckets):
    with pytest.raises(ValueError, match="n_buckets"):
        encoder(network=MLP(n_buckets=n_buckets)).fit(sparse_rows())


# -------------------------------------------------------------- the directions


def test_directions_as_sums_of_rows_give_the_same_coordinates(few, monkeypatch):
    X, more = sparse_rows(), sparse_rows(70, seed=1)
    sums = Columns().fit(X, np.random.default_rng(0))
    assert sums.components_.shape == (40, 40) and sums.rows_.shape == (3000, 40)
    monkeypatch.setattr(parts, "WIDE", 3000)
    plain = Columns().fit(X, np.random.default_rng(0))
    assert plain.components_.shape == (40, 3000) and plain.rows_ is None
    for rows in (X, more, more.toarray()):
        np.testing.assert_allclose(sums.transform(rows), plain.transform(rows), atol=1e-5)


def test_earlier_versions_kept_no_rows():
    X = sparse_rows()
    columns = Columns().fit(X, np.random.default_rng(0))
    C = columns.transform(X)
    del columns.rows_
    np.testing.assert_array_equal(columns.transform(X), C)
