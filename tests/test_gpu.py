"""What a GPU must not change, and what must not wait for it."""

import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import series_cases
import torch
from instances import blobs
from sklearn.base import clone
from skorch.callbacks import Callback
from test_training import TRAINABLE
from waits import WAITING

import skcontrast
from skcontrast import ContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP, DilatedConv, LightConv
from skcontrast.objectives import OBJECTIVES, InfoNCE
from skcontrast.temperatures import TEMPERATURES
from skcontrast.views import SERIES_VIEWS, VIEWS

pytestmark = pytest.mark.gpu

X, Y = blobs(n=80, n_features=6)


def shifted(x):
    """A view without randomness: the generators of two devices differ."""
    return x.roll(1, dims=1) * 0.9


def encoder(**params):
    defaults = {"n_components": 4, "random_state": 0, "batch_size": 40, "device": "cuda"}
    small = {"network": MLP(hidden_layer_sizes=(16,)), "views": "corruption", "max_iter": 3}
    return ContrastiveEncoder(**{**defaults, **small, **params})


def labels(objective):
    return np.eye(3, dtype=int)[Y] if objective.target_type == "labels" else Y


def given(objective):
    side = {"condition": X[:, :1], "prior": X, "groups": Y}
    return {name: value for name, value in side.items() if name in objective.requires}


# One batch an epoch, so that the order of the rows, which the device draws, only
# permutes the anchors: 20 epochs are 20 steps on the same rows.
TWENTY_STEPS = {"views": shifted, "batch_size": 80, "max_iter": 20}


# Draw numbers for a loss, which are others on another device.
DRAWS = {"cross_mixup", "instance_discrimination", "mc_info_nce", "pair_gated", "symile"}


@pytest.mark.parametrize("name", [name for name in TRAINABLE if name not in DRAWS])
def test_devices_agree(name):
    objective = OBJECTIVES[name]()
    if hasattr(objective, "view"):
        objective.view = shifted
    params = {**TWENTY_STEPS, "objective": objective, "n_views": max(2, objective.min_views)}
    params["momentum"] = 0.9 if "keys" in objective.requires else None
    on_gpu = encoder(**params).fit(X, labels(objective), **given(objective))
    on_cpu = encoder(**params, device="cpu").fit(X, labels(objective), **given(objective))
    np.testing.assert_allclose(on_gpu.loss_curve_, on_cpu.loss_curve_, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(on_gpu.transform(X), on_cpu.transform(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("temperature", sorted(TEMPERATURES))
def test_devices_agree_on_temperatures(temperature):
    models = [
        encoder(**TWENTY_STEPS, objective=InfoNCE(temperature=temperature), device=device)
        for device in ("cuda", "cpu")
    ]
    on_gpu, on_cpu = (model.fit(X) for model in models)
    np.testing.assert_allclose(on_gpu.loss_curve_, on_cpu.loss_curve_, rtol=1e-4, atol=1e-4)
    for key, value in on_cpu.objective_weights_.items():
        np.testing.assert_allclose(on_gpu.objective_weights_[key], value, rtol=1e-3, atol=1e-4)


class NoWaiting(Callback):
    """Makes whatever waits for the device an error, from the second epoch's first batch on.

    The first epoch may wait: libraries are loaded, functions checked once. Reading the
    loss at the end of an epoch waits, too, after the last batch.
    """

    def on_epoch_begin(self, net, **kwargs):
        self.n_epochs_ = getattr(self, "n_epochs_", 0) + 1
        self.n_batches_ = 0
        if self.n_epochs_ > 1:
            torch.cuda.set_sync_debug_mode("error")

    def on_batch_end(self, net, training=None, **kwargs):
        self.n_batches_ += 1
        if self.n_batches_ == len(net.train_batches):
            torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def waiting_is_an_error():
    yield NoWaiting()
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(reason=WAITING[name][0]))
        if name in WAITING
        else name
        for name in TRAINABLE
    ],
)
def test_no_objective_waits_for_the_device(name, waiting_is_an_error):
    objective = OBJECTIVES[name]()
    model = encoder(objective=name, n_views=max(2, objective.min_views))
    momentum = 0.9 if "keys" in objective.requires else None
    model.set_params(callbacks=[waiting_is_an_error], momentum=momentum)
    model.fit(X, labels(objective), **given(objective))
    assert waiting_is_an_error.n_epochs_ == 3


OF_STEPS = ["brownian_bridge", "future_prediction", "hierarchical", "late_interaction"]
OF_STEPS += ["patch_origin", "reconstruction", "replaced_features"]


@pytest.mark.parametrize("name", OF_STEPS)
def test_no_objective_of_steps_waits_for_the_device(name, waiting_is_an_error):
    settings = {"max_iter": 3, "batch_size": 15, "callbacks": [waiting_is_an_error]}
    model = series_cases.encoder(name, device="cuda", **settings).fit(series_cases.series()[0])
    assert waiting_is_an_error.n_epochs_ == 3 and np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize(
    "params",
    [
        {},
        *({"views": name, "network": DilatedConv(8, 2)} for name in sorted(SERIES_VIEWS)),
        {"network": LightConv(8, 2)},
        {"network": LightConv(8, 2, dynamic=True)},
    ],
    ids=str,
)
def test_no_series_wait_for_the_device(params, waiting_is_an_error):
    settings = {"max_iter": 3, "batch_size": 15, "random_state": 0, "device": "cuda"}
    model = SeriesContrastiveEncoder(4, callbacks=[waiting_is_an_error], **settings, **params)
    series = series_cases.series()[0]
    Z = model.fit(series).transform(series)
    assert waiting_is_an_error.n_epochs_ == 3 and np.isfinite(model.loss_curve_).all()
    alike = {"rtol": 1e-3, "atol": 1e-3}
    np.testing.assert_allclose(model.set_params(device="cpu").transform(series), Z, **alike)


@pytest.mark.parametrize("view", [*sorted(VIEWS), ("neighbors", "corruption"), shifted])
def test_no_view_waits_for_the_device(view, waiting_is_an_error):
    groups = {"groups": np.arange(len(X)) // 4} if view == "same_group" else {}
    encoder(views=view, callbacks=[waiting_is_an_error]).fit(X, **groups)


@pytest.mark.parametrize(
    "params",
    [
        *({"objective": InfoNCE(temperature=name)} for name in sorted(TEMPERATURES)),
        {"objective": InfoNCE() + 0.5 * InfoNCE(form="two_way")},
        {"objective": InfoNCE(block_size=16)},
        {"sampler": "class_balanced", "objective": "supcon"},
        {"optimizer": "sgd", "optimizer__max_grad_norm": 1.0},
        {"optimizer__max_grad_norm": 1.0},
        {"precision": "bfloat16"},
        {"precision": "float64"},
        {"network": MLP((16,), dropout=0.1, normalization="batch"), "projector": "mlp"},
    ],
    ids=lambda params: "-".join(f"{k}={v}" for k, v in params.items()),
)
def test_no_option_waits_for_the_device(params, waiting_is_an_error):
    model = clone(encoder()).set_params(**params)
    model.set_params(callbacks=[waiting_is_an_error]).fit(X, Y)


def test_same_seed_same_bits_on_the_gpu():
    first, second = encoder().fit(X), encoder().fit(X)
    np.testing.assert_allclose(first.loss_curve_, second.loss_curve_, rtol=1e-6)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_global_generators_stay_where_they_were(device):
    torch.cuda.init()
    states = torch.get_rng_state(), torch.cuda.get_rng_state_all()
    encoder(device=device, early_stopping=True).fit(X).transform(X)
    assert torch.equal(states[0], torch.get_rng_state())
    assert all(map(torch.equal, states[1], torch.cuda.get_rng_state_all()))


def test_rows_stay_on_the_device_when_they_fit(monkeypatch):
    rows = table_rows(X, {"target": Y}, X.mean(0), X.std(0), device="cuda")
    index = torch.arange(3, device="cuda")
    assert rows.index_device.type == "cuda"
    batch = rows.__getitems__(index)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    hosted = table_rows(X, {"target": Y}, X.mean(0), X.std(0), device="cuda")
    assert hosted.index_device.type == "cpu" and hosted._data.is_pinned()
    other = hosted.__getitems__(index.cpu())
    for key, value in batch.items():
        assert value.is_cuda and other[key].is_cuda
        torch.testing.assert_close(other[key], value)
    expected = encoder(views=shifted, batch_size=80, device="cpu").fit(X).loss_curve_
    model = encoder(views=shifted, batch_size=80).fit(X)  # still without memory
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-4)


def test_memory_maps_on_the_gpu(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    params = {"views": shifted, "batch_size": 80}
    model, other = encoder(**params).fit(mapped), encoder(**params).fit(X)
    np.testing.assert_allclose(model.transform(mapped), other.transform(X), rtol=1e-4, atol=1e-5)


def test_a_fit_on_the_gpu_moves_to_a_machine_without(tmp_path):
    model = encoder(warm_start=True, objective=InfoNCE(temperature="individual")).fit(X)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    skcontrast.save(model, tmp_path / "model")
    np.save(tmp_path / "expected.npy", model.transform(X))
    np.save(tmp_path / "rows.npy", X)
    code = """
        import pickle, numpy as np, torch, skcontrast
        assert not torch.cuda.is_available()
        X, expected = np.load("rows.npy"), np.load("expected.npy")
        for model in (pickle.load(open("model.pickle", "rb")), skcontrast.load("model")):
            np.testing.assert_allclose(model.transform(X), expected, rtol=1e-4, atol=1e-5)
            model.set_params(device="cpu").partial_fit(X)
    """
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)


def test_a_checkpoint_of_the_gpu_goes_on(tmp_path):
    class Killed(Exception):
        pass

    class Killer(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 4:
                raise Killed

    params = {"max_iter": 6, "early_stopping": True, "objective__temperature": "individual"}
    params["objective"] = "info_nce"
    unbroken = encoder().set_params(**params).fit(X)
    checkpoint = Checkpoint(tmp_path, every=1)
    model = encoder(checkpoint=checkpoint).set_params(**params)
    with pytest.raises(Killed):
        clone(model).set_params(callbacks=[Killer()]).fit(X)
    resumed = model.fit(X)
    np.testing.assert_allclose(resumed.loss_curve_, unbroken.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(resumed.transform(X), unbroken.transform(X), rtol=1e-4, atol=1e-5)


def test_out_of_memory_says_what_to_type():
    def huge(x):
        return torch.empty(2**46, device=x.device)

    with pytest.raises(MemoryError, match="batch_size=40: type batch_size=20 or device='cpu'"):
        encoder(views=huge).fit(X)
    assert encoder().fit(X).transform(X).shape == (80, 4)


def test_two_names_of_one_device():
    by_name = encoder(device="cuda", views=shifted, batch_size=80).fit(X).transform(X)
    by_index = encoder(device=torch.device("cuda:0"), views=shifted, batch_size=80).fit(X)
    np.testing.assert_allclose(by_index.transform(X), by_name, rtol=1e-5, atol=1e-6)
