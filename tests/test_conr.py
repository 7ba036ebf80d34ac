"""ConR: the formula as loops, its masks and its two forms, and a training."""

from functools import partial
from math import exp, log

import numpy as np
import pytest
import torch

from skcontrast import ContrastiveEncoder
from skcontrast.networks import MLP
from skcontrast.objectives import ConR, PredictionError, SpectralContrastive
from skcontrast.temperatures import Learned

NAN = float("nan")
TARGET = torch.tensor([0.0, 0.1, NAN, 0.9, 1.0, 1.1, 2.5]).double()[:, None]
PREDICTION = torch.tensor([0.9, 0.2, 1.0, 1.0, 0.1, 3.4, 0.8]).double()[:, None]
WINDOW, PUSH, TAU = 0.3, 0.5, 0.4
SETTINGS = {"temperature": TAU, "window": WINDOW, "push": PUSH}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def same(first, second):
    second = torch.as_tensor(second, dtype=torch.float64)
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-13)


def mean_of(losses):
    """Losses scaled so that their mean is that of those that count; None does not."""
    count = max(1, sum(loss is not None for loss in losses))
    return [0.0 if loss is None else loss * len(losses) / count for loss in losses]


def conr_by_loops(views, target, prediction, form="corrected", weight=None):
    """The term l of every row of every view."""
    z = (views / views.norm(dim=-1, keepdim=True)).flatten(0, 1).numpy()
    y = target.repeat(len(views), 1).tolist()
    p = prediction.expand(len(views), *prediction.shape[-2:]).flatten(0, 1).tolist()
    rows = [i for i in range(len(z)) if not any(np.isnan(y[i]))]

    def far(a, b):
        return max(abs(u - v) for u, v in zip(a, b))

    losses = []
    for i in range(len(z)):
        others = [j for j in rows if j != i and i in rows]
        positives = [j for j in others if far(y[i], y[j]) <= WINDOW]
        negatives = [j for j in others if j not in positives and far(p[i], p[j]) <= WINDOW]
        if not positives:
            losses.append(None)
            continue
        if not negatives:
            losses.append(0.0)
            continue
        total = sum(exp(z[i] @ z[k] / TAU) for k in positives)
        if form == "reference":
            total += len(rows) - len(positives)
        for k in negatives:
            push = exp(PUSH * far(y[i], y[k])) * (1 if weight is None else weight[i])
            total += push * exp(z[i] @ z[k] / TAU)
        losses.append(-np.mean([z[i] @ z[j] / TAU - log(total) for j in positives]))
    return losses


@pytest.mark.parametrize("form", ["corrected", "reference"])
@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("block_size", [None, 3])
def test_conr_is_its_formula(form, n_views, block_size):
    objective = ConR(**SETTINGS, weight=1.5, form=form, block_size=block_size)
    views = draw(n_views, 7, 4)
    for target, prediction in (
        (TARGET, PREDICTION),
        (torch.cat([TARGET, TARGET / 2], 1), torch.cat([PREDICTION, PREDICTION.flip(0) / 9], 1)),
        (TARGET, draw(n_views, 7, 1, seed=1) / 2),
    ):
        losses = mean_of(conr_by_loops(views, target, prediction, form))
        assert any(loss > 0 for loss in losses)
        given = objective(views, target=target, prediction=prediction)
        same(given, [1.5 * loss for loss in losses])


def test_every_kind_of_row_is_in_the_example():
    losses = conr_by_loops(draw(1, 7, 4), TARGET, PREDICTION)
    assert losses[2] is None  # unlabelled
    assert losses[6] is None  # alone in its window
    assert losses[5] == 0  # with a positive, and nothing it is confused with
    assert sum(loss is not None and loss > 0 for loss in losses) == 4


def test_weights_of_the_rows_scale_their_negatives():
    weight = torch.arange(1, 8).double() / 4
    z = torch.nn.functional.normalize(draw(7, 4), dim=-1)
    labelled = ~TARGET.isnan()[:, 0]
    objective = ConR(**SETTINGS)
    loss, valid = objective.contrast(z, TARGET.nan_to_num(), PREDICTION, TAU, labelled, weight)
    expected = conr_by_loops(z[None], TARGET, PREDICTION, weight=weight.tolist())
    assert valid.tolist() == [x is not None for x in expected]
    same(loss, [x or 0.0 for x in expected])
    everyone, _ = objective.contrast(z, PREDICTION, PREDICTION, TAU)
    assert not everyone.any()  # no row is confused with another


@pytest.mark.parametrize("error", ["absolute", "squared"])
def test_the_head_is_trained_by_its_error_alone(error):
    objective, h, z = ConR(**SETTINGS, error=error), draw(2, 7, 3), draw(2, 7, 4, seed=1)
    built = objective.build(7)
    built.prepare({"target": TARGET}, {}, 3)
    built = built.double()
    torch.nn.init.constant_(built.head.weight, 0.3)
    h.requires_grad_()
    p = built.head(h)
    loss = built(views=z, embedding=h, target=TARGET)
    error = PredictionError(error)(z, target=TARGET, prediction=p)
    contrast = objective(z, target=TARGET, prediction=p)
    assert contrast.any()
    same(loss, error + contrast)
    (slope,) = torch.autograd.grad(loss.mean(), h)
    (expected,) = torch.autograd.grad(error.mean(), h)
    same(slope, expected)


def test_length_and_rotation_do_not_matter():
    views, objective = draw(2, 7, 4), ConR(**SETTINGS)
    named = {"target": TARGET, "prediction": PREDICTION}
    rotation = torch.linalg.qr(draw(4, 4, seed=2)).Q
    loss = objective(views, **named)
    same(objective(views * torch.arange(1, 8)[:, None], **named), loss)
    same(objective(views @ rotation, **named), loss)


@pytest.mark.parametrize("form", ["corrected", "reference"])
@pytest.mark.parametrize("temperature", [0.01, 0.07, 10.0])
def test_finite_whatever_the_target(form, temperature):
    objective = ConR(temperature, form=form)
    for target in (
        torch.full((7, 1), NAN),
        torch.zeros(7, 1),
        torch.arange(7.0)[:, None],  # no positive
        1e6 * torch.tensor([0, 0, 1, 1, 2, 2, 3])[:, None],  # far beyond exp's range
    ):
        for prediction in (0 * PREDICTION, 1e30 * PREDICTION):
            views = draw(1, 7, 4).float().requires_grad_()
            loss = objective(views, target=target, prediction=prediction)
            loss.mean().backward()
            assert loss.isfinite().all() and views.grad.isfinite().all()


def test_gradient_is_that_of_the_value():
    views = draw(2, 7, 3).requires_grad_()
    for objective in (ConR(**SETTINGS), ConR(**SETTINGS, form="reference")):
        evaluate = partial(objective, target=TARGET, prediction=PREDICTION)
        assert torch.autograd.gradcheck(evaluate, views)


def test_a_rule_of_positive_pairs_is_refused():
    with pytest.raises(ValueError, match="not defined for ConR: use a positive number"):
        ConR("model_aware").build(7)


# ------------------------------------------------------------------ training


def waves(n=240, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    return X, 20 + 5 * np.sin(2 * X[:, 0]) + 5 * X[:, 1]


def encoder(objective, **params):
    defaults = {"views": None, "n_views": 1, "n_components": 8, "random_state": 0}
    defaults |= {"network": MLP(hidden_layer_sizes=(64,)), "batch_size": 64, "max_iter": 3}
    return ContrastiveEncoder(**{**defaults, "objective": objective, **params})


def test_conr_learns_to_predict():
    X, y = waves()
    held = y.copy()
    held[::6] = NAN
    model = encoder(ConR(), max_iter=80, learning_rate=0.01).fit(X, held)
    weights = model.objective_weights_
    p = model.transform(X) @ weights["head.weight"].T + weights["head.bias"]
    p = model.target_mean_ + model.target_scale_ * p
    labelled = ~np.isnan(held)
    assert 1 - np.mean((p[:, 0] - y)[labelled] ** 2) / y.var() > 0.9
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


def test_sums_and_a_warm_start_go_on_with_the_head():
    X, y = waves()
    total = SpectralContrastive() + 0.1 * ConR(temperature=Learned(init=0.2))
    settings = {"views": "corruption", "n_views": 2, "warm_start": True}
    model = encoder(total, **settings).fit(X, y)
    before = {name: value.copy() for name, value in model.objective_weights_.items()}
    assert {name.rpartition("terms.0.")[2] for name in before} == {
        "temperature.log_tau",
        "head.weight",
        "head.bias",
    }
    model.set_params(learning_rate=1e-12, max_iter=1).fit(X, y)
    for name, value in model.objective_weights_.items():
        np.testing.assert_allclose(value, before[name], atol=1e-6)
