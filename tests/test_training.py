"""How a training runs: curves, early stopping, going on, schedules, failures."""

import math
import pickle

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from skcontrast import ContrastiveEncoder
from skcontrast._draws import draws_state, set_draws_state
from skcontrast._training.fitted import ENCODERS
from skcontrast.networks import MLP
from skcontrast.objectives import OBJECTIVES, AlignmentUniformity, InfoNCE, SupCon
from skcontrast.optimizers import SGD, AdamW
from skcontrast.temperatures import TEMPERATURES

X, Y = blobs()


def encoder(**params):
    """A small encoder whose views need no neighbour graph."""
    defaults = {
        "max_iter": 3,
        "n_components": 3,
        "passthrough": False,
        "random_state": 0,
        "views": "corruption",
    }
    small = {"network": MLP(hidden_layer_sizes=(16,))}
    return ContrastiveEncoder(**{**defaults, **small, **params})


# Without those whose last view holds hard negatives, which no estimator makes, and those that read
# the steps of series, or counts.
TRAINABLE = sorted(
    name
    for name, cls in OBJECTIVES.items()
    if not cls().hard_negatives and "steps" not in cls().requires and name != "distribution"
)


class Recorder(Callback):
    """Keeps the net and what it looked like in each step."""

    def on_train_begin(self, net, **kwargs):
        self.net, self.rates, self.norms, self.sizes, self.first = net, [], [], [], None
        self.start = {k: v.clone() for k, v in net.module_.state_dict().items()}

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])
            self.sizes.append(len(batch["index"]))

    def on_grad_computed(self, net, named_parameters=None, **kwargs):
        self.norms.append(math.sqrt(sum(float(p.grad.square().sum()) for _, p in named_parameters)))


def embedding(model, rows=X):
    return model.transform(rows)


# ---------------------------------------------------------------- the curves


def test_the_loss_falls():
    model = encoder(max_iter=40, batch_size=20, learning_rate=0.01).fit(X)
    assert len(model.loss_curve_) == model.n_iter_ == 40
    assert np.mean(model.loss_curve_[-5:]) < 0.85 * np.mean(model.loss_curve_[:5])
    assert model.validation_curve_ is None


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows():
    class Losses(Callback):
        total = rows = 0

        def on_batch_end(self, net, batch=None, training=None, loss=None, **kwargs):
            self.total += float(loss) * len(batch["index"])
            self.rows += len(batch["index"])

    seen = Losses()
    model = encoder(max_iter=1, batch_size=25, callbacks=[seen]).fit(X)  # 25, 25 and 10 rows
    assert seen.rows == 60
    assert model.loss_curve_[0] == pytest.approx(seen.total / 60, rel=1e-6)


# ------------------------------------------------------------ early stopping


def test_early_stopping_restores_the_best_weights():
    seen = Recorder()
    model = encoder(
        max_iter=60, early_stopping=True, validation_fraction=0.3, n_iter_no_change=4, tol=0.0,
        learning_rate=1.0, callbacks=[seen],
    ).fit(X)  # fmt: skip
    curve = model.validation_curve_
    assert len(curve) == len(model.loss_curve_) == model.n_iter_ < 60
    assert int(np.argmin(curve)) == model.n_iter_ - 1 - 4
    net = seen.net
    net.run_single_epoch(net.validation_batches, False, "again", net.validation_step)
    assert net.history[-1]["again_loss"] == min(curve)
    kept = {k: v.numpy() for k, v in net.module_.state_dict().items()}
    assert all(np.array_equal(kept[k], v) for k, v in model.weights_.items())


def test_early_stopping_holds_out_other_rows():
    seen = Recorder()
    encoder(early_stopping=True, validation_fraction=0.25, callbacks=[seen]).fit(X)
    held_out = torch.cat(list(seen.net.validation_batches)).tolist()
    trained = seen.net.rows.train_index.tolist()
    assert len(held_out) == 15
    assert sorted(held_out + trained) == list(range(60))


def test_validation_sees_the_same_views_in_every_epoch():
    views = {"training": [], "validation": []}

    class Views(Callback):
        def on_batch_begin(self, net, batch=None, training=None, **kwargs):
            kept = draws_state()
            view = net.module_.views[1](batch["x"], batch["index"])
            set_draws_state(kept)
            views["training" if training else "validation"].append(view)

    encoder(early_stopping=True, validation_fraction=0.5, callbacks=[Views()]).fit(X)
    first, *others = views["validation"]
    assert len(others) == 2 and all(torch.equal(first, other) for other in others)
    assert not torch.equal(views["training"][0], views["training"][1])


def test_validation_leaves_the_training_draws_alone():
    # Early stopping with patience beyond the end must only cost the held out rows.
    class Draws(Callback):
        def __init__(self):
            self.states = []

        def on_epoch_begin(self, net, **kwargs):
            self.states.append(draws_state())

    seen = [Draws(), Draws()]
    for fraction, record in zip((0.2, 0.2), seen):
        encoder(early_stopping=True, validation_fraction=fraction, callbacks=[record]).fit(X)
    assert all(torch.equal(a, b) for a, b in zip(seen[0].states, seen[1].states))
    assert not torch.equal(seen[0].states[0], seen[0].states[1])


# ------------------------------------------------------------- the optimizer


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_rate_follows_the_schedule(schedule):
    seen = Recorder()
    optimizer = SGD(schedule=schedule, warmup=0.25)
    encoder(
        max_iter=4, batch_size=20, learning_rate=0.1, optimizer=optimizer, callbacks=[seen]
    ).fit(X)
    warm = [1 / 3, 2 / 3, 1.0]
    rest = np.ones(9) if schedule == "constant" else 0.5 * (1 + np.cos(np.pi * np.arange(9) / 9))
    assert seen.rates == pytest.approx(0.1 * np.r_[warm, rest])


def test_weights_decay_and_biases_do_not():
    seen = Recorder()
    objective = InfoNCE(temperature="learned")
    encoder(optimizer=AdamW(weight_decay=0.5), objective=objective, callbacks=[seen]).fit(X)
    for group in seen.net.optimizer_.param_groups:
        assert all((p.ndim > 1) == (group["weight_decay"] == 0.5) for p in group["params"])
    shapes = [p.shape for g in seen.net.optimizer_.param_groups for p in g["params"]]
    assert torch.Size([]) in shapes  # the temperature is trained, too


def test_gradients_are_clipped():
    start, steps = {}, {}
    for limit in (None, 1e-3):
        seen = Recorder()
        optimizer = SGD(momentum=0.0, weight_decay=0.0, max_grad_norm=limit, schedule="constant")
        model = encoder(max_iter=1, optimizer=optimizer, learning_rate=1.0, callbacks=[seen])
        model.fit(X)
        start = seen.start
        moved = [model.weights_[k] - v.numpy() for k, v in start.items()]
        steps[limit] = math.sqrt(sum(float((m**2).sum()) for m in moved))
        assert seen.norms[0] > 0.01
    assert steps[None] == pytest.approx(seen.norms[0], rel=1e-4)
    assert steps[1e-3] == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("n", "batch_size", "sizes"),
    [(13, 4, [4, 4, 5]), (14, 4, [4, 4, 4, 2]), (10, 1000, [10]), (2, 2, [2]), (3, 2, [3])],
)
def test_no_batch_has_one_row(n, batch_size, sizes):
    seen = Recorder()
    model = encoder(max_iter=1, batch_size=batch_size, callbacks=[seen]).fit(X[:n])
    assert seen.sizes == sizes
    assert seen.net.n_steps == len(sizes)
    assert np.isfinite(embedding(model)).all()


# --------------------------------------------------- objectives, end to end


@pytest.mark.parametrize("name", TRAINABLE)
@pytest.mark.parametrize("n_views", [2, 3])
def test_every_objective_trains(name, n_views):
    objective = OBJECTIVES[name]()
    side = {"condition": X[:, :1], "prior": X, "groups": Y}
    given = {k: v for k, v in side.items() if k in objective.requires}
    if name == "common_salient":
        given["condition"] = Y > 0
    n_views = max(n_views, objective.min_views)
    momentum = 0.9 if "keys" in objective.requires else None
    params = {"n_views": n_views, "momentum": momentum, "max_iter": 2, "batch_size": 20}
    params["replay"] = "reservoir" if name == "previous_features" else None
    model = encoder(objective=name, **params)
    y = np.eye(3, dtype=int)[Y] if objective.target_type == "labels" else Y
    model.fit(X, y, **given)
    assert np.isfinite(model.loss_curve_).all()
    assert embedding(model).shape == (60, 3)
    assert np.array_equal(embedding(clone(model).fit(X, y, **given)), embedding(model))


@pytest.mark.parametrize("name", sorted(TEMPERATURES))
def test_every_temperature_rule_trains(name):
    model = encoder(objective=InfoNCE(temperature=name), batch_size=20).fit(X)
    assert np.isfinite(model.loss_curve_).all()
    if name == "individual":
        tau = model.objective_weights_["temperature.tau"]
        assert tau.shape == (60,) and len(np.unique(tau)) > 1


def test_individual_temperatures_go_on_with_the_same_rows_only():
    model = encoder(objective=InfoNCE(temperature="individual"), warm_start=True).fit(X).fit(X)
    with pytest.raises(ValueError, match="keeps a state for each row, class or column of y"):
        model.fit(X[:50])


def test_sums_of_objectives_train():
    total = InfoNCE() + 0.5 * AlignmentUniformity() + 0.1 * SupCon(temperature="learned")
    model = encoder(objective=total).fit(X, Y)
    assert np.isfinite(model.loss_curve_).all()
    assert any("log_tau" in name for name in model.objective_weights_)
    changed = clone(model).set_params(objective__second__objective__temperature=0.5)
    assert not np.array_equal(embedding(changed.fit(X, Y)), embedding(model))


# ------------------------------------------------------------------ no views


class Noisy(nn.Module):
    """Random in training, though no layer says so."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 3)

    def forward(self, x):
        return self.linear(nn.functional.dropout(x, 0.5, self.training))


class Still(nn.Module):
    """The same in every pass, with batch statistics that move."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Dropout(0.0))

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("views", [None, (), []])
@pytest.mark.parametrize("network", ["mlp", "linear", Still()])
def test_equal_views_are_refused(views, network):
    with pytest.raises(ValueError, match="views of a row equal: type views=.*, or a network w"):
        encoder(views=views, network=network).fit(X)


def test_equal_views_are_refused_with_the_way_out_of_supervised_objectives():
    with pytest.raises(ValueError, match=r"dropout=0.1 or n_views=1\.$"):
        encoder(views=None, objective="supcon").fit(X, Y)
    encoder(views=None, objective="supcon", n_views=1).fit(X, Y)


@pytest.mark.parametrize(
    "params",
    [
        {"network": MLP(dropout=1e-6)},
        {"network": Noisy()},
        {"projector": MLP(hidden_layer_sizes=(8,), dropout=0.1)},
    ],
)
def test_dropout_is_a_view(params):
    model = encoder(views=None, **params).fit(X)
    assert np.array_equal(embedding(model), embedding(model))


# ------------------------------------------------------------------ failures


def state_of(model):
    return pickle.dumps(sorted((k, v) for k, v in vars(model).items() if k.endswith("_")))


def test_a_loss_that_is_not_finite_leaves_the_earlier_fit():
    model = encoder(max_iter=5, optimizer="sgd").fit(X)
    before, expected = state_of(model), embedding(model)
    model.set_params(learning_rate=1e38)
    sentence = r"The loss is (nan|inf) after epoch \d+: type a smaller learning_rate"
    with pytest.raises(FloatingPointError, match=sentence):
        model.fit(np.c_[X, X])  # twice the columns
    assert state_of(model) == before
    assert np.array_equal(embedding(model), expected)


def test_a_validation_loss_that_is_not_finite_is_an_error():
    def explode(x):
        return x * (np.nan if len(x) == 6 else 1.0)  # the six rows held out

    with pytest.raises(FloatingPointError, match="The loss is nan after epoch 1"):
        encoder(early_stopping=True, views=explode, batch_size=27).fit(X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_ctrl_c_is_passed_on_and_leaves_the_earlier_fit(method):
    class Interrupted(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    model = encoder().fit(X)
    before = state_of(model)
    generator = torch.get_rng_state()
    model.set_params(callbacks=[Interrupted()])
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(X)
    assert state_of(model) == before
    assert torch.equal(torch.get_rng_state(), generator)
    with pytest.raises(KeyboardInterrupt):
        clone(model).fit(X)


def test_running_out_of_device_memory_says_what_to_type(monkeypatch):
    def full(x):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(MemoryError, match="batch_size=60: type batch_size=30 or device='cpu'"):
        encoder(views=full).fit(X)


def test_transform_takes_smaller_batches_when_memory_is_short(monkeypatch):
    model = encoder().fit(X)
    expected = embedding(model)
    module = ENCODERS[model][1]
    forward, limit = type(module).forward, 20

    def short(self, x):
        if len(x) > limit:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(self, x)

    monkeypatch.setattr(type(module), "forward", short)
    assert np.array_equal(embedding(model), expected)
    limit = 0
    with pytest.raises(MemoryError, match="no memory left .*: type device='cpu'"):
        embedding(model)
