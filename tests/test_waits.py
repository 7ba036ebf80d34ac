"""No training step waits for the device: counted on a CPU, where nothing else shows it."""

import numpy as np
import pytest
import scipy.sparse as sp
import series_cases
import torch
from instances import blobs
from sklearn.base import clone
from test_training import TRAINABLE, encoder
from waits import waits_of_steps

from skcontrast import ContrastiveTextEncoder, SeriesContrastiveEncoder
from skcontrast.networks import MLP, DilatedConv, LightConv
from skcontrast.objectives import OBJECTIVES, InfoNCE
from skcontrast.samplers import SAMPLERS
from skcontrast.temperatures import TEMPERATURES
from skcontrast.views import SERIES_VIEWS, TEXT_VIEWS, VIEWS

X, Y = blobs(n=96, n_features=6)
GROUPS = np.arange(len(X)) // 4
SIDE = {"condition": X[:, :1], "prior": X, "groups": GROUPS}

# What waits in every step, and why it has to.
WAITING = {
    "conditional": "reads whether the kernel of a batch was positive definite",
    "listwise_wasserstein": "counts lists, and decomposes a matrix",
    "rank_penalty": "decomposes the matrix of a batch, which reads whether it could",
}
PLACES = {
    "conditional": {"functional._equations._ridge_solve"},
    "listwise_wasserstein": {
        "functional._transport.gaussian_distance",
        "objectives._lists._lists",
        "objectives._lists.loss",
    },
    "rank_penalty": {"objectives._rank_penalty.loss"},
}


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
    needed = {name for part in parts for name in part.requires}
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
    check(model, X, target, known=PLACES.get(name, ()), **side)


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
        {"objective": InfoNCE(queue_size=64), "momentum": 0.9},
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
