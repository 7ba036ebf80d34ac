"""The momentum network: what it is after some steps, and where it goes along."""

import pickle

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from test_checkpoint import encoder

import skcontrast
from skcontrast import ContrastiveTextEncoder, MultiViewContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast.networks import MLP, DilatedConv, MixtureOfExperts
from skcontrast.objectives import (
    CrossViewDistribution,
    InfoNCE,
    InstanceDiscrimination,
    OnColumns,
    Pairwise,
    PredictionError,
    SelfDistillation,
)

X, Y = blobs()
QUEUE = InfoNCE(form="one_way", queue_size=24)


class Recorder(Callback):
    """Keeps the weights of encoder and projector at the start, and after each epoch."""

    def __init__(self):
        self.weights = []

    def on_train_begin(self, net, **kwargs):
        self._note(net)

    def on_epoch_end(self, net, **kwargs):
        self._note(net)

    def _note(self, net):
        state = net.module_.state_dict().items()
        mine = {k: t.numpy().copy() for k, t in state if not k.startswith("momentum.")}
        self.weights.append(mine)


def averaged(weights, m):
    """m^k theta_0 + (1 - m) sum_j m^(k - j) theta_j."""
    k = len(weights) - 1
    share = [m**k] + [(1 - m) * m ** (k - j) for j in range(1, k + 1)]
    return {name: sum(s * w[name] for s, w in zip(share, weights)) for name in weights[0]}


@pytest.mark.parametrize("m", [0.0, 0.3, 0.9])
def test_it_is_an_average_over_the_steps(m):
    recorder = Recorder()
    model = encoder(objective=QUEUE, momentum=m, projector="mlp", batch_size=60, max_iter=5)
    model.set_params(callbacks=[recorder], warm_start=True, precision="float64").fit(X)
    for name, expected in averaged(recorder.weights, m).items():
        np.testing.assert_allclose(model._momentum_state[name], expected, rtol=1e-12, atol=1e-14)
    # Another call goes on from there.
    earlier = model._momentum_state
    model.set_params(callbacks=None, max_iter=1).fit(X)
    for name, before in earlier.items():
        expected = m * before + (1 - m) * model.weights_[name]
        np.testing.assert_allclose(model._momentum_state[name], expected, rtol=1e-12, atol=1e-14)


def test_a_stream_goes_on_with_it():
    model = encoder(objective=QUEUE, momentum=0.8, batch_size=60, precision="float64")
    model.partial_fit(X)
    for _ in range(3):
        before = model._momentum_state
        model.partial_fit(X)
        for name, value in before.items():
            expected = 0.8 * value + 0.2 * model.weights_[name]
            np.testing.assert_allclose(
                model._momentum_state[name], expected, rtol=1e-12, atol=1e-14
            )
    # Rows of another number take another queue, which starts empty.
    assert np.isfinite(model.partial_fit(X[:50]).transform(X)).all()
    assert not any("queue" in name for name in model.objective_weights_)


def test_without_momentum_keys_are_the_views():
    objective = InfoNCE(form="two_way", queue_size=24)
    same = [encoder(objective=objective, momentum=m).fit(X).loss_curve_ for m in (None, 0.0)]
    np.testing.assert_allclose(*same, rtol=1e-6)
    assert not np.allclose(encoder(objective=objective, momentum=0.9).fit(X).loss_curve_, same[0])


@pytest.mark.parametrize(
    "objective",
    [
        QUEUE,
        InfoNCE(queue_size=24, keep_top=0.5),
        InfoNCE(temperature="learned", form="two_way", queue_size=24, exclude="groups"),
        CrossViewDistribution(queue_size=24),
        InfoNCE() + 0.5 * SelfDistillation(n_outputs=8),
        OnColumns(SelfDistillation(n_outputs=8), 0, 2) + OnColumns(QUEUE, 1),
        SelfDistillation(None, n_outputs=8),
    ],
    ids=str,
)
def test_objectives_of_keys_go_everywhere(objective, tmp_path):
    groups = {"groups": np.arange(60) // 4} if "groups" in objective.requires else {}
    model = encoder(objective=objective, momentum=0.9, max_iter=3, warm_start=True)
    model.fit(X, **groups)
    assert np.isfinite(model.loss_curve_).all()
    assert np.array_equal(clone(model).fit(X, **groups).transform(X), model.transform(X))
    skcontrast.save(model, tmp_path / "model")
    for other in (skcontrast.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.transform(X), model.transform(X))
        other.fit(X, **groups)
        again = clone(model).fit(X, **groups).fit(X, **groups)
        assert np.array_equal(other.transform(X), again.transform(X))
    half = clone(model).set_params(precision="bfloat16", early_stopping=True)
    assert np.isfinite(half.fit(X, **groups).transform(X)).all()
    # A fit that no other call goes on from keeps nothing of the momentum network.
    once = clone(model).set_params(warm_start=False).fit(X, **groups)
    assert not hasattr(once, "_momentum_state")
    assert not any("momentum" in name for name in once.weights_)


@pytest.mark.parametrize("network", [MLP((8,)), MLP((8,), dropout=0.3)])
def test_distillation_of_weight_zero_changes_nothing(network):
    plain = encoder(network=network, max_iter=4, projector="mlp")
    zero = clone(plain).set_params(objective=InfoNCE() + 0 * SelfDistillation(), momentum=0.9)
    some = clone(zero).set_params(objective__second__weight=0.5)
    weights = [model.fit(X).weights_ for model in (plain, zero, some)]
    for name, value in weights[0].items():
        assert np.array_equal(weights[1][name], value)
    assert any((weights[2][name] != value).any() for name, value in weights[0].items())
    search = {"momentum": [0.9, 0.99], "objective__second__weight": [0, 0.5]}
    scored = GridSearchCV(zero, search, scoring=lambda m, X, y=None: -m.loss_curve_[-1], cv=2)
    assert set(scored.fit(X).best_params_) == set(search)


def test_a_memory_holds_the_rows(monkeypatch):
    asked, found = [], InstanceDiscrimination.log_normalizer
    counted = lambda *given: asked.append(given) or found(*given)
    monkeypatch.setattr(InstanceDiscrimination, "log_normalizer", counted)
    objective = InstanceDiscrimination(16, momentum=0.0)
    model = encoder(objective=objective, n_views=1, max_iter=3, learning_rate=1e-12)
    model.set_params(views=None, early_stopping=True, validation_fraction=0.2).fit(X)
    memory = model.objective_weights_["memory"]
    Z = model.transform(X)
    Z = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    np.testing.assert_allclose(memory, Z, atol=1e-4)  # of rows held out too
    assert np.isfinite(model.objective_weights_["log_normalizer"]) and len(asked) == 1
    with pytest.raises(ValueError, match="keeps a state for each row"):
        model.partial_fit(X[:50])


def test_series_texts_and_blocks():
    series = np.random.default_rng(0).normal(size=(40, 2, 16))
    texts = [f"a{i % 7} b{i % 3} c{i % 5} d{i}" for i in range(40)]
    tables = [X[:, :3], X[:, 2:]]
    pairs = Pairwise(InfoNCE(form="two_way", queue_size=20))
    small = {"max_iter": 3, "random_state": 0, "batch_size": 10, "momentum": 0.9}
    both = QUEUE.set_params(queue_size=20) + SelfDistillation(n_outputs=8)
    of_series = SeriesContrastiveEncoder(network=DilatedConv(8, 2), objective=both, **small)
    of_blocks = MultiViewContrastiveEncoder(objective=pairs, **small)
    for model, rows in (
        (of_series, series),
        (ContrastiveTextEncoder(objective=both, **small), texts),
        (of_blocks, tables),
        (clone(of_blocks).set_params(objective=SelfDistillation(None)), tables),
    ):
        model.fit(rows)
        assert np.isfinite(model.loss_curve_).all()
        other = clone(model).set_params(momentum=0.1).fit(rows)
        assert other.loss_curve_ != model.loss_curve_
        model.partial_fit(rows)
    assert np.isfinite(of_blocks.transform(tables)).all()


def test_experts_and_frozen_parts():
    # The route is the last column, which a view may change: keys take that of the row.
    routed = np.c_[X, np.arange(60) % 2]
    experts = MixtureOfExperts(2, routing="given")
    keyed = InfoNCE(form="one_way", queue_size=24)
    model = encoder(network=experts, objective=keyed, max_iter=3, batch_size=60, views="mask")
    same = [clone(model).set_params(momentum=m).fit(routed).loss_curve_ for m in (None, 0.0)]
    np.testing.assert_allclose(*same, rtol=1e-6)
    frozen = encoder(network=MLP((8,), normalization="batch"), objective=keyed, momentum=0.9)
    frozen.set_params(warm_start=True).fit(X)
    before = frozen._momentum_state
    frozen.set_params(trainable="last").fit(X)
    moved = {k for k, v in frozen._momentum_state.items() if not np.array_equal(v, before[k])}
    student = frozen.weights_
    assert moved and not any("running" in name or "num_batches" in name for name in moved)
    assert any("running" in name for name in student)


def test_a_second_stage_makes_no_keys():
    model = encoder(objective=QUEUE, momentum=0.9, warm_start=True).fit(X)
    model.finetune(X, X[:, 0], objective=PredictionError(), n_iter=2)
    assert not hasattr(model, "_momentum_state")
    assert np.isfinite(model.fit(X).transform(X)).all()


@pytest.mark.parametrize(
    "params, message",
    [
        ({"objective": "self_distillation"}, "type momentum=0.99 in the estimator"),
        ({"objective": QUEUE, "momentum": 1.0}, "'momentum' parameter"),
    ],
)
def test_what_makes_no_sense_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        encoder(**params).fit(X)
    with pytest.raises(ValueError, match="no view of blocks that leaves a part"):
        blocks = MultiViewContrastiveEncoder(objective=SelfDistillation(), momentum=0.9)
        blocks.fit([X[:, :3], X[:, 3:]])


def test_what_is_not_read_is_said():
    with pytest.warns(UserWarning, match="makes keys, which objective=InfoNCE\\(\\) does not read"):
        idle = encoder(momentum=0.9).fit(X)
    assert np.array_equal(idle.transform(X), encoder().fit(X).transform(X))
    with pytest.warns(UserWarning, match="more than half of the 60 rows, so the queue holds 30"):
        encoder(objective=InfoNCE(queue_size=31), max_iter=1).fit(X)


@pytest.mark.gpu
def test_a_queue_on_a_gpu_goes_to_the_cpu():
    model = encoder(objective=QUEUE, momentum=0.9, device="cuda", warm_start=True).fit(X)
    on_cpu = encoder(objective=QUEUE, momentum=0.9, device="cpu").fit(X)
    np.testing.assert_allclose(model.loss_curve_, on_cpu.loss_curve_, rtol=1e-3)
    moved = pickle.loads(pickle.dumps(model)).set_params(device="cpu").fit(X)
    assert np.isfinite(moved.transform(X)).all()
    assert all(torch.as_tensor(v).isfinite().all() for v in moved._momentum_state.values())
