"""Going on with a training: warm_start and partial_fit."""

import math
import pickle

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from test_training import Recorder, X, Y, embedding, encoder

from skcontrast._draws import draws_state
from skcontrast.objectives import InfoNCE
from skcontrast.optimizers import AdamW


def test_warm_start_goes_on_from_the_weights():
    seen = Recorder()
    model = encoder(warm_start=True, callbacks=[seen]).fit(X)
    before = model.weights_
    assert not all(np.array_equal(seen.start[k], v) for k, v in before.items())
    model.fit(X)
    assert all(np.array_equal(seen.start[k].numpy(), v) for k, v in before.items())
    assert model.n_iter_ == len(model.loss_curve_) == 3
    cold = model.set_params(warm_start=False).fit(X)
    assert np.array_equal(embedding(cold), embedding(encoder().fit(X)))


def test_warm_start_draws_other_views_and_keeps_the_same_rows_held_out():
    class States(Callback):
        def on_train_begin(self, net, **kwargs):
            self.state, self.held_out = draws_state(), net.validation_batches

    seen = States()
    model = encoder(warm_start=True, early_stopping=True, callbacks=[seen]).fit(X)
    first = seen.state, seen.held_out
    model.fit(X)
    assert not torch.equal(first[0], seen.state)
    assert all(torch.equal(a, b) for a, b in zip(first[1], seen.held_out))


def test_warm_start_keeps_the_moments_of_the_optimizer():
    class Moments(Callback):
        def on_train_begin(self, net, **kwargs):
            self.n_entries = len(net.optimizer_.state)

    seen = Moments()
    model = encoder(warm_start=True, callbacks=[seen]).fit(X)
    assert seen.n_entries == 0
    model.fit(X)
    assert seen.n_entries == len(model.weights_)
    model.set_params(optimizer=AdamW(weight_decay=0.1)).fit(X)
    assert seen.n_entries == 0  # another optimizer starts anew


def test_warm_start_with_another_objective():
    model = encoder(warm_start=True, objective=InfoNCE(temperature="learned")).fit(X)
    assert set(model.objective_weights_) == {"temperature.log_tau"}
    learned = model.objective_weights_["temperature.log_tau"]
    assert not np.isclose(learned, math.log(0.07))
    model.set_params(objective=InfoNCE(temperature=0.3)).fit(X)
    assert model.objective_weights_ == {}
    model.set_params(objective=InfoNCE(temperature="learned")).fit(X)
    assert np.isfinite(model.loss_curve_).all()


def test_partial_fit_first_initialises_and_then_goes_on():
    model = encoder().partial_fit(X)
    mean, first = model.input_.mean_, model.weights_
    curve = list(model.loss_curve_)
    model.partial_fit(2 * X)
    assert model.input_.mean_ is mean
    assert not np.array_equal(model.weights_["encoder.head.weight"], first["encoder.head.weight"])
    assert model.loss_curve_[:1] == curve
    assert model.n_iter_ == len(model.loss_curve_) == 2
    with pytest.raises(ValueError, match="X has 4 features, but .* is expecting 5 features"):
        model.partial_fit(X[:, :4])
    assert model.n_features_in_ == 5


def test_partial_fit_learns():
    model = encoder(learning_rate=1e-2)
    for _ in range(60):
        model.partial_fit(X)
    assert np.mean(model.loss_curve_[-10:]) < 0.85 * np.mean(model.loss_curve_[:10])


def test_partial_fit_does_not_repeat_its_draws():
    class States(Callback):
        def __init__(self):
            self.states = []

        def on_train_begin(self, net, **kwargs):
            self.states.append(tuple(draws_state().tolist()))

    seen = States()
    model = encoder(callbacks=[seen])
    for _ in range(3):
        model.partial_fit(X)
    assert len(set(seen.states)) == 3


def test_partial_fit_survives_pickling():
    straight = encoder(objective="supcon")
    for _ in range(3):
        straight.partial_fit(X, Y)
    pickled = encoder(objective="supcon")
    for _ in range(3):
        pickled = pickle.loads(pickle.dumps(pickled)).partial_fit(X, Y)
    assert np.array_equal(embedding(straight), embedding(pickled))
    assert straight.loss_curve_ == pickled.loss_curve_


def test_partial_fit_collects_the_classes():
    model = encoder(objective="supcon").partial_fit(X[Y < 2], Y[Y < 2])
    assert model.classes_.tolist() == [0, 1]
    model.partial_fit(X[Y > 0], Y[Y > 0])
    assert model.classes_.tolist() == [0, 1, 2]


def test_partial_fit_runs_at_the_full_rate_whatever_came_before():
    seen = Recorder()
    model = encoder(warm_start=True, max_iter=20, callbacks=[seen]).fit(X)
    assert seen.rates[-1] < 1e-4
    model.partial_fit(X)
    assert seen.rates == [1e-3]
    model.set_params(learning_rate=0.5).partial_fit(X)
    assert seen.rates == [0.5]


def test_moments_of_an_older_training_are_forgotten():
    model = encoder(warm_start=True).fit(X)
    model.set_params(warm_start=False).fit(X)
    fresh = encoder().fit(X)
    assert np.array_equal(embedding(model.partial_fit(X)), embedding(fresh.partial_fit(X)))
