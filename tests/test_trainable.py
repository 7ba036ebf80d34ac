"""Parts that are trained: trainable=, LowRank; and what they cost: budget_curve."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from torch import nn

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, SeriesContrastiveEncoder
from skcontrast._budget import power_law
from skcontrast.model_selection import BudgetCurve, budget_curve
from skcontrast.networks import MLP, LowRank, MixtureOfExperts

X = np.random.default_rng(0).normal(size=(40, 5))
SMALL = {"max_iter": 2, "random_state": 0, "device": "cpu", "warm_start": True}


def changed(model, fit):
    """Names of the weights that another fit changes."""
    before = model.weights_
    fit()
    return {k for k, v in model.weights_.items() if not np.array_equal(v, before[k])}


@pytest.mark.parametrize(
    "trainable, names",
    [
        ("last", {"encoder.head.weight", "encoder.head.bias"}),
        (["encoder.shortcut.bias"], {"encoder.shortcut.bias"}),
        (("encoder.layers.0",), {"encoder.layers.0.0.weight", "encoder.layers.0.0.bias"}),
    ],
)
@pytest.mark.parametrize("projector", [None, "linear"])
def test_other_weights_stay_bit_by_bit(trainable, names, projector):
    model = ContrastiveEncoder(4, projector=projector, **SMALL).fit(X)
    beside = {"projector.weight", "projector.bias"} if projector else set()
    model.set_params(trainable=trainable)
    assert changed(model, lambda: model.fit(X)) == names | beside
    assert changed(model, lambda: model.partial_fit(X)) == names | beside
    y = np.arange(40) % 2
    assert (
        changed(model, lambda: model.finetune(X, y, objective="cross_entropy", n_iter=5)) == names
    )


def test_the_last_layer_of_other_networks():
    own = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    model = ContrastiveEncoder(network=own, passthrough=False, trainable="last", **SMALL).fit(X)
    state = {f"encoder.module.{k}": v.numpy() for k, v in own.state_dict().items()}
    kept = {k for k, v in model.weights_.items() if np.array_equal(v, state[k])}
    assert kept == {"encoder.module.0.weight", "encoder.module.0.bias"}
    model = ContrastiveEncoder(4, network=MixtureOfExperts(2), **SMALL).fit(X)
    model.set_params(trainable="last")
    heads = {f"encoder.experts.{e}.head.{k}" for e in (0, 1) for k in ("weight", "bias")}
    assert changed(model, lambda: model.fit(X)) == heads
    S = X.reshape(10, 1, 20)
    model = SeriesContrastiveEncoder(4, network="dilated", **SMALL).fit(S)
    model.set_params(trainable="last")
    assert changed(model, lambda: model.fit(S)) == {"encoder.last.weight", "encoder.last.bias"}
    texts = ["one two", "three four", "five six", "seven one"]
    model = ContrastiveTextEncoder(16, trainable="last", **SMALL).fit(texts)
    assert changed(model, lambda: model.fit(texts)) == {"encoder.table"}


def test_batch_statistics_of_other_layers_stay():
    network = MLP((8, 8), normalization="batch")
    model = ContrastiveEncoder(4, network=network, **SMALL).fit(X)
    model.set_params(trainable="last")
    assert changed(model, lambda: model.fit(X)) == {"encoder.head.weight", "encoder.head.bias"}
    model.set_params(trainable=["encoder.layers.1"])
    found = changed(model, lambda: model.fit(X))
    assert {name.rpartition(".")[0] for name in found} == {
        "encoder.layers.1.0",
        "encoder.layers.1.1",
    }


def test_moments_are_those_of_the_weights_that_are_trained():
    model = ContrastiveEncoder(4, **SMALL).fit(X)
    fresh = clone(model).fit(X)
    assert model._optimizer_state["name"] == "'adamw'"
    model.set_params(trainable="last").fit(X)
    assert len(model._optimizer_state["moments"]) == 2
    fresh.set_params(trainable="last")
    fresh._optimizer_state = {"name": "none", "moments": {}}
    assert all(np.array_equal(v, model.weights_[k]) for k, v in fresh.fit(X).weights_.items())


def test_names_of_no_weights_are_said():
    with pytest.raises(ValueError, match="'encoder.heads', which is no weight.*Did you mean"):
        ContrastiveEncoder(4, trainable=["encoder.heads"], **SMALL).fit(X)


# ---- LowRank -------------------------------------------------------------------------

GIVEN = nn.Sequential(nn.Linear(5, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 12))


def test_a_low_rank_update_leaves_the_module_as_it_is():
    before = {k: v.clone() for k, v in GIVEN.state_dict().items()}
    network = LowRank(GIVEN, rank=2)
    module, x = network.build(5, 12), torch.randn(7, 5)
    assert torch.equal(module(x), GIVEN(x))
    model = ContrastiveEncoder(network=network, passthrough=False, **SMALL).fit(X)
    assert model.n_components_ == 12
    for name, value in before.items():
        assert torch.equal(GIVEN.state_dict()[name], value)
        found = [v for k, v in model.weights_.items() if _plain(k) == name]
        assert len(found) == 1 and np.array_equal(found[0], value)
    for layer, width in ((0, 5), (3, 16)):
        prefix = f"encoder.module.{layer}.parametrizations.weight.0."
        update = model.weights_[f"{prefix}B"] @ model.weights_[f"{prefix}A"]
        assert update.shape[1] == width and 0 < np.linalg.matrix_rank(update) <= 2


def _plain(name):
    return name.removeprefix("encoder.module.").replace(
        "parametrizations.weight.original", "weight"
    )


def test_low_rank_is_a_component():
    model = ContrastiveEncoder(network=LowRank(GIVEN, 2), passthrough=False, **SMALL).fit(X)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.transform(X), model.transform(X))
    ranks = [clone(model).set_params(network__rank=r).fit(X).weights_ for r in (1, 3)]
    shapes = [w["encoder.module.0.parametrizations.weight.0.A"].shape for w in ranks]
    assert shapes == [(1, 5), (3, 5)]
    with pytest.raises(ValueError, match="has no linear layer"):
        LowRank(nn.Tanh()).build(5)
    with pytest.raises(ValueError, match="gives 12 columns, but n_components=4"):
        ContrastiveEncoder(4, network=LowRank(GIVEN), passthrough=False, **SMALL).fit(X)


# ---- budget_curve --------------------------------------------------------------------


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e4])
def test_a_power_law_is_found(unit):
    t = unit * np.array([1.0, 2.0, 5.0, 10.0, 50.0])
    c, a, b = power_law(t, 0.9 - 0.3 * (t / unit) ** -0.7)
    assert abs(c - 0.9) < 0.01 and abs(b - 0.7) < 0.02
    assert abs(a * unit**-b - 0.3) < 0.01
    falling = power_law(t, 0.5 + 0.1 * (t / unit) ** -0.5)
    assert falling[1] == 0 and abs(falling[0] - np.mean(0.5 + 0.1 * (t / unit) ** -0.5)) < 1e-9


SIZES: list = []


class _Timed(ClassifierMixin, BaseEstimator):
    def __init__(self, level=0.0):
        self.level = level

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        SIZES.append(len(X))
        return self

    def score(self, X, y):
        return self.level


def test_a_curve_of_candidates():
    budgets = [{"level": v} for v in (0.5, 0.8, 0.7)]
    y = np.arange(40) % 2
    curve = budget_curve(_Timed(), X, y, budgets, cv=2)
    assert curve.scores.tolist() == [0.5, 0.8, 0.7] and (curve.seconds > 0).all()
    assert curve.best(1e9) == {"level": 0.8}
    SIZES.clear()
    assert (
        budget_curve(_Timed(), X, y, [{}, {"n_samples": 7}, {}], cv=2).budgets[1]["n_samples"] == 7
    )
    assert SIZES == [20, 20, 7, 7, 20, 20]
    known = BudgetCurve(budgets, np.array([1.0, 4.0, 2.0]), curve.scores, 0.9, 0.4, 0.5)
    assert known.best(3) == {"level": 0.7} and known.best(1) == {"level": 0.5}
    np.testing.assert_allclose(known.predict([1, 4]), [0.5, 0.7])
    with pytest.raises(ValueError, match="the fastest took 1"):
        known.best(0.5)
    with pytest.raises(ValueError, match="holds 2 candidates"):
        budget_curve(_Timed(), X, y, budgets[:2])
