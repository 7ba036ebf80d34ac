"""Two classes as positives, in columns that a gate chooses for them."""

from math import exp, log1p

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.base import clone

from skcontrast import ContrastiveEncoder
from skcontrast.functional import normalize
from skcontrast.objectives import PairGated

TARGET = [0, 1, 2, 2, 0, -1, 1]
OTHER = [1, 1, 0, 2, 0, 0, -1]


def numbers(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


GATE = torch.sigmoid(2 * numbers(7, 4, seed=5)).round(decimals=3).tolist()


def pair_gated(z, target, other, gate, tau):
    """Rows (V, n, d), classes, those drawn, and gates (n, d) -> one loss for each anchor."""
    rows = [(v, i) for v in range(len(z)) for i in range(len(target))]
    losses, count = np.zeros(len(rows)), 0
    for a, (v, i) in enumerate(rows):
        if -1 in (target[i], other[i]):
            continue

        gated = np.array(gate[i]) * z
        gated /= np.linalg.norm(gated, axis=-1, keepdims=True)
        s = gated @ gated[v, i] / tau
        negative = [b for b in rows if target[b[1]] not in (-1, target[i], other[i])]
        for b in rows:
            if target[b[1]] == other[i]:
                losses[a] += log1p(sum(exp(s[k] - s[b]) for k in negative))
                count += 1
    return losses * len(rows) / count


def side(**given):
    return {k: torch.as_tensor(v) for k, v in {"target": TARGET, "other": OTHER, **given}.items()}


@pytest.mark.parametrize("block_size", [None, 3])
@pytest.mark.parametrize("n_views", [1, 2])
def test_loss_is_its_loop(n_views, block_size):
    views, gate = numbers(n_views, 7, 4).requires_grad_(), torch.tensor(GATE, dtype=torch.float64)
    loss = PairGated(0.3, block_size=block_size)(views, **side(gate=gate))
    expected = pair_gated(views.detach().numpy(), TARGET, OTHER, GATE, 0.3)
    np.testing.assert_allclose(loss.detach(), expected, rtol=1e-10)
    objective = PairGated(0.3, block_size=block_size)
    both = views.detach().requires_grad_(), gate.requires_grad_()
    call = lambda views, gate: objective(views, **side(gate=gate))
    assert torch.autograd.gradcheck(call, both)


def test_an_open_gate_contrasts_two_classes_with_the_rest():
    views = numbers(1, 7, 4)
    loss = PairGated(0.3)(views, **side())
    torch.testing.assert_close(loss, PairGated(0.3)(views, **side(gate=torch.ones(7, 4) / 3)))
    # Each row with its own class alone, which has no other row: nothing but the rest to leave.
    target = torch.arange(7)
    loss = PairGated(0.3)(views, target=target, other=target)
    z = normalize(views[0])
    s = (z @ z.T - 1).div(0.3).fill_diagonal_(-torch.inf)
    torch.testing.assert_close(loss, s.exp().sum(1).log1p())


def test_without_a_row_of_neither_class_the_loss_is_zero():
    views = numbers(2, 6, 4).requires_grad_()
    target = torch.tensor([0, 1, 0, 1, -1, -1])
    loss = PairGated()(views, target=target, other=torch.tensor([1, 0, 1, 0, 1, 0]))
    assert not loss.any()
    loss.mean().backward()
    assert not views.grad.any()


def test_the_gate_finds_the_columns_that_two_classes_share():
    # Four classes of two attributes: of six columns two hold the first, two the second.
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    first, second = np.where(y < 2, 1, -1), np.where(y % 2, 1, -1)
    columns = [first, first, second, second, 0 * y, 0 * y]
    X = np.stack(columns, 1) + 0.3 * rng.normal(size=(200, 6))
    model = ContrastiveEncoder(
        6, objective=PairGated(0.3), network=torch.nn.Identity(), views=None, n_views=1,
        standardize=False, passthrough=False, max_iter=100, learning_rate=0.01, random_state=0,
    ).fit(X, y)  # fmt: skip
    w = {k.removeprefix("gate."): v for k, v in model.objective_weights_.items()}

    def gate(a, b):
        both = (w["classes.weight"][a] + w["classes.weight"][b]) / 2
        hidden = np.maximum(w["layers.0.weight"] @ both + w["layers.0.bias"], 0)
        return 1 / (1 + np.exp(-w["layers.2.weight"] @ hidden - w["layers.2.bias"]))

    for a, b, shared, differing in ((0, 1, [0, 1], [2, 3]), (0, 2, [2, 3], [0, 1])):
        assert gate(a, b)[shared].min() > 3 * gate(a, b)[differing].max()
    np.testing.assert_array_equal(gate(0, 3), gate(3, 0))


def test_training_goes_on_with_the_gate():
    X, y = blobs()
    settings = {"max_iter": 3, "random_state": 0, "passthrough": False, "projector": "mlp"}
    model = ContrastiveEncoder(4, objective="pair_gated", **settings).fit(X, y)
    assert np.isfinite(model.loss_curve_).all()
    again = clone(model).fit(X, y)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    model.set_params(warm_start=True, max_iter=1, learning_rate=1e-12).fit(X, y)
    for name, value in again.objective_weights_.items():
        np.testing.assert_allclose(model.objective_weights_[name], value, atol=1e-6)
