"""What the estimators with a head read, texts, frames and sparse rows, and fine-tuning alone."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from heads import ENCODERS, SMALL, TEXTS, X, assert_refused, case, half_labelled, on_heads
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skcontrast import ContrastiveEncoder

# ------------------------------------------------------------------------------ texts


class Corpus:
    """Texts that can be iterated over alone, and how often they were."""

    def __init__(self):
        self.reads = 0

    def __iter__(self):
        self.reads += 1
        return iter(TEXTS)


@pytest.mark.parametrize(
    ("head", "params"),
    [
        ("classifier", {}),
        ("classifier", {"finetune": True, "finetune_iter": 2}),
        ("regressor", {}),
        ("regressor", {"interval": "conformal"}),
    ],
    ids=str,
)
def test_texts_are_read_once(head, params):
    model, given = case(head, "texts", **params)
    y = model.fit(**given).predict(TEXTS)
    corpus = Corpus()
    assert np.array_equal(model.fit(corpus, given["y"]).predict(TEXTS), y) and corpus.reads == 1
    assert np.array_equal(model.predict(text for text in TEXTS), y)
    Z = model.fit_transform((text for text in TEXTS), given["y"])
    assert np.array_equal(Z, model.transform(TEXTS)) and np.array_equal(model.predict(TEXTS), y)
    assert_refused("X is one string", clone(model), X=TEXTS[0], y=given["y"])
    assert_refused("X is a set", clone(model), X=set(TEXTS), y=given["y"])
    assert_refused("y has 59 rows, but X has 60", clone(model), X=TEXTS, y=given["y"][1:])


@on_heads
def test_finetune_of_texts(head):
    model, given = case(head, "texts", encoder__learning_rate=0.05)
    given["y"] = half_labelled(given["y"])
    plain = clone(model).fit(**given)
    curve = model.set_params(finetune=True, finetune_iter=8).fit(**given).encoder_.finetune_curve_
    assert len(curve) == 8 and curve[-1] < 0.9 * curve[0]
    assert model.encoder_.loss_curve_ == plain.encoder_.loss_curve_
    assert not np.allclose(model.transform(TEXTS), plain.transform(TEXTS))


@pytest.mark.parametrize("interval", ["conformal", "neighbors"])
@pytest.mark.parametrize("name", ["texts", "frozen texts", "frozen table", "condition"])
def test_intervals(interval, name):
    model, given = case("regressor", name, interval=interval)
    lower, upper = model.fit(**given).predict_interval(given["X"], 0.8)
    if "texts" in name:
        assert np.array_equal(model.predict_interval(iter(TEXTS), 0.8), (lower, upper))
    assert np.mean((lower <= given["y"]) & (given["y"] <= upper)) > 0.7
    assert np.allclose((lower + upper) / 2, model.predict(given["X"]))


# ----------------------------------------------------------------------- kinds of rows


class Recorder(LogisticRegression):
    """Keeps what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = X
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("name", ["table", "frozen table"])
def test_sparse_columns_stay_sparse(name):
    model, given = case("classifier", name, classifier=Recorder(), passthrough=True)
    given["X"] = sp.csr_matrix(np.where(np.abs(X) > 1, X, 0))
    if name == "frozen table":
        model.encoder = FrozenEstimator(ContrastiveEncoder(**SMALL).fit(given["X"]))
    seen = model.fit(**given).classifier_.seen_
    assert sp.issparse(seen) and seen.shape[1] > 5 and (seen[:, :5] != 0).nnz == given["X"].nnz


@on_heads
def test_passthrough_of_texts(head):
    model, given = case(head, "texts", passthrough=True)
    assert_refused("rows of tokens have none: type passthrough='auto'", model, **given)
    model.set_params(encoder__backbone=lambda texts: [[len(t), t.count("a")] for t in texts])
    model.fit(**given)  # there are columns then
    assert getattr(model, f"{head}_").n_features_in_ == 2 + 16


@on_heads
@pytest.mark.parametrize("name", ["default", "table", "condition"])
def test_frames_with_categories(head, name):
    model, given = case(head, name, passthrough=True)
    color = pd.Categorical(np.array(["red", "blue", "green"])[np.arange(60) // 7 % 3])
    given["X"] = pd.DataFrame({"a": X[:, 0], "color": color, "b": X[:, 2]})
    model.fit(**given)
    assert model.feature_names_in_.tolist() == ["a", "color", "b"]
    assert getattr(model, f"{head}_").n_features_in_ == 2 + 3 + (256 if name == "table" else 16)
    assert model.encoder_.input_.expansion_.transform(given["X"]).shape == (60, 5)
    out = model.set_output(transform="pandas").transform(given["X"][5:8])
    assert out.index.tolist() == [5, 6, 7]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(given["X"].rename(columns={"a": "z"}))


# ------------------------------------------------------- fine-tuning without a head


@pytest.mark.parametrize("name", ["table", "condition", "texts"])
@pytest.mark.parametrize("objective", ["cross_entropy", "prediction_error"])
def test_finetune_of_an_encoder(name, objective):
    given = case("classifier", name)[1]
    data, y = given["X"], given.pop("y")
    encoder = clone(ENCODERS[name]).set_params(random_state=0)
    encoder.set_params(learning_rate=0.03 if name == "texts" else 0.003)
    with pytest.raises(NotFittedError):
        encoder.finetune(data, y, objective=objective)
    before = copy.deepcopy(encoder.fit(**given))
    assert encoder.finetune(data, y, objective=objective, n_iter=12) is encoder
    assert len(encoder.finetune_curve_) == 12
    assert encoder.finetune_curve_[-1] < 0.9 * encoder.finetune_curve_[0]
    for attribute in ("loss_curve_", "n_iter_", "objective_weights_", "n_components_"):
        assert getattr(encoder, attribute) == getattr(before, attribute)
    assert repr(encoder.objective_) == repr(before.objective_)
    Z = encoder.transform(data)
    assert Z.shape == (60, 16) and not np.allclose(Z, before.transform(data))
    assert np.array_equal(pickle.loads(pickle.dumps(encoder)).transform(data), Z)
    weighted = copy.deepcopy(before).finetune(
        data, y, objective=objective, n_iter=12, sample_weight=np.full(60, 1.0)
    )
    np.testing.assert_allclose(weighted.transform(data), Z, rtol=1e-4, atol=1e-5)
    assert not hasattr(encoder.fit(**given), "finetune_curve_")
