"""No training step waits for the device: counted on a CPU, where nothing else shows it."""

import numpy as np
import pytest
import scipy.sparse as sp
import series_cases
import torch
from instances import blobs
from sklearn.base import clone
from test_training import TRAINABLE, encoder
from waits import WAITING, waits_of_steps

from skcontrast import (
    ContrastiveTextEncoder,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
)
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import MLP, DilatedConv, LightConv
from skcontrast.objectives import OBJECTIVES, InfoNCE
from skcontrast.samplers import SAMPLERS
from skcontrast.temperatures import TEMPERATURES
from skcontrast.views import SERIES_VIEWS, TEXT_VIEWS, VIEWS

X, Y = blobs(n=96, n_features=6)
GROUPS = np.arange(len(X)) // 4
SIDE = {"condition": X[:, :1], "prior": X, "groups": GROUPS}


def check(model, *args, known=(), **side):
    """Fit with two and with six batches an epoch: what is read must not grow with them."""

    def fit(batch_size):
        clone(model).set_params(batch_size=batch_size, max_iter=1).fit(*args, **side)

    steps, epoch = waits_of_steps(fit, 48, 16)
    assert {place for place, _ in steps} == set(known), steps
    if not known:
        # The loss of an epoch is read at its end.
        assert epoch["_training.loop.run_single_epoch", "_local_scalar_dense"] == 1
        assert epoch.total() <= 4, epoch


def given_to(*parts):
    """Side information that these read."""
    needed = {name for part in parts for name in getattr(part, "requires", ())}
    return {name: value for name, value in SIDE.items() if name in needed}


@pytest.mark.parametrize("name", TRAINABLE)
def test_of_objectives(name):
    objective = OBJECTIVES[name]()
    side = given_to(objective)
    if name == "common_salient":
        side["condition"] = Y == 0
    target = np.eye(3, dtype=int)[Y] if objective.target_type == "labels" else Y
    momentum = 0.9 if "keys" in objective.requires else None
    model = encoder(objective=name, n_views=max(2, objective.min_views), momentum=momentum)
    if name == "previous_features":
        model.set_params(replay="reservoir")
    check(model, X, target, known=WAITING.get(name, ((), ()))[1], **side)


@pytest.mark.parametrize(
    "name",
    sorted(name for name, cls in OBJECTIVES.items() if "steps" in cls().requires),
)
def test_of_objectives_of_steps(name):
    series = series_cases.series(n=96)[0]
    check(series_cases.encoder(name), series)


@pytest.mark.parametrize("view", [*sorted(VIEWS), ("neighbors", "corruption"), torch.sin])
def test_of_views(view):
    check(encoder(views=view), X, **({"groups": GROUPS} if view == "same_group" else {}))


@pytest.mark.parametrize("view", sorted(SERIES_VIEWS))
def test_of_views_of_series(view):
    model = SeriesContrastiveEncoder(4, views=view, network=DilatedConv(8, 2), random_state=0)
    check(model, series_cases.series(n=96)[0])


@pytest.mark.parametrize("name", sorted(TEMPERATURES))
def test_of_temperatures(name):
    check(encoder(objective=InfoNCE(temperature=name)), X)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
def test_of_samplers(name):
    objective = "rank_n_contrast" if name == "target_spread" else "supcon"
    side = given_to(SAMPLERS[name]())
    check(encoder(sampler=name, objective=objective), X, Y, **side)


@pytest.mark.parametrize(
    "params",
    [
        {"objective": InfoNCE() + 0.5 * InfoNCE(form="two_way")},
        {"objective": InfoNCE(block_size=16)},
        {"objective": InfoNCE(queue_size=40), "momentum": 0.9},
        {"optimizer": "sgd", "optimizer__max_grad_norm": 1.0},
        {"optimizer__max_grad_norm": 1.0},
        {"precision": "bfloat16"},
        {"precision": "float64"},
        {"network": MLP((16,), dropout=0.1, normalization="batch"), "projector": "mlp"},
    ],
    ids=str,
)
def test_of_options(params):
    check(encoder().set_params(**params), X, Y)


# Where the entries of a row stand is read on the host, which has it; words are made distinct on a
# CPU alone.
HOST = {"_inputs.rows.ragged_entries"}
OF_WORDS = HOST | {"networks._hashed._distinct"}


def test_of_sparse_rows():
    check(encoder(), sp.csr_matrix(X.clip(0)), known=HOST)


@pytest.mark.parametrize("view", sorted(TEXT_VIEWS))
def test_of_views_of_texts(view):
    texts = [f"word{i % 7} and word{i % 5}, one word{i % 3} more" for i in range(96)]
    known = OF_WORDS | WAITING.get(view, ((), set()))[1]
    check(ContrastiveTextEncoder(4, views=view, random_state=0), texts, known=known)


def test_of_blocks():
    model = MultiViewContrastiveEncoder(3, random_state=0)
    check(model, [X[:, :3], X[:, 3:]])


@pytest.mark.parametrize("dynamic", [False, True])
def test_of_networks_of_series(dynamic):
    model = SeriesContrastiveEncoder(4, network=LightConv(8, 2, dynamic=dynamic), random_state=0)
    check(model, series_cases.series(n=96)[0])


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x * float(x.mean()),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x + len(x[:, 0].nonzero()),
        lambda x: x + len(x[x > 0]),
        lambda x: x + x.cpu(),
        lambda x: x + torch.tensor([1.0]),
    ],
)
def test_a_wait_is_found(wait):
    check(encoder(views=wait), X, known={"views._base.view"})


def test_rows_that_do_not_fit_are_copied_from_locked_memory_without_waiting(monkeypatch):
    copies = []

    def pinned(tensor):
        copies.append("pinned")
        return tensor

    def sent(tensor, device, non_blocking=False):
        copies.append((torch.device(device).type, non_blocking))
        return tensor

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    monkeypatch.setattr(torch.Tensor, "pin_memory", pinned)
    for given in (X, sp.csr_matrix(X)):
        with monkeypatch.context() as patch:
            if sp.issparse(given):
                patch.setattr(torch.Tensor, "to", lambda tensor, *args, **kwargs: tensor)
            rows = table_rows(given, device="cuda", dtype=torch.float64)
        assert rows.index_device.type == "cpu"
        with monkeypatch.context() as patch:
            patch.setattr(torch.Tensor, "to", sent)
            copies.clear()
            batch = rows.take(torch.arange(3))
        n_tensors = 2 if sp.issparse(given) else 1
        assert copies == ["pinned", ("cuda", True)] * n_tensors
        batch = batch.to_dense() if sp.issparse(given) else batch
        assert np.array_equal(batch, X[:3])
