"""Rank-N-Contrast: a naive double loop, its laws, and what it does in an estimator."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes

from skcontrast import ContrastiveEncoder
from skcontrast.functional import over_anchors
from skcontrast.objectives import RankNContrast

NAN = math.nan
TARGETS = {
    "distinct": [0.3, -1.2, 2.0, 0.9, 4.1],
    "ties": [0.0, 1.0, 1.0, 2.0, 1.0],
    "equal": [1.0, 1.0, 1.0, 1.0, 1.0],
    "two columns": [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [2.0, 2.0], [-1.0, 0.5]],
    "unlabelled": [0.0, NAN, 1.0, NAN, 2.0],
    "one column of two missing": [[0.0, 1.0], [NAN, 1.0], [2.0, NAN], [2.0, 2.0], [0.0, 0.5]],
    "all unlabelled": [NAN] * 5,
    "one labelled": [NAN, NAN, 3.0, NAN, NAN],
}


def draw(n=5, d=3, n_views=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def naive(views, target, tau):
    """The formula, pair by pair: loss of each anchor, None where none is defined."""
    f = views.reshape(-1, views.shape[-1]).numpy()
    n = views.shape[1]
    y = np.asarray(target, dtype=float).reshape(n, -1)

    def apart(i, j):
        if i % n == j % n:
            return 0.0
        gap = np.abs(y[i % n] - y[j % n]).sum()
        return math.inf if np.isnan(gap) else gap

    losses = []
    for i in range(len(f)):
        terms = []
        for j in range(len(f)):
            if j == i or apart(i, j) == math.inf:
                continue
            total = 0
            for k in range(len(f)):
                if k != i and apart(i, k) >= apart(i, j):
                    total += math.exp(-np.linalg.norm(f[i] - f[k]) / tau)
            terms.append(np.linalg.norm(f[i] - f[j]) / tau + math.log(total))
        losses.append(np.mean(terms) if terms else None)
    return losses


def evaluate(objective, views, target):
    views = views.clone().requires_grad_()
    loss = objective(views, target=target)
    loss.mean().backward()
    return loss.detach(), views.grad


@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_is_the_formula(name, n_views):
    views = draw(n_views=n_views)
    target = torch.tensor(TARGETS[name], dtype=torch.float64)
    expected = naive(views, TARGETS[name], 0.7)
    count = max(1, sum(loss is not None for loss in expected))
    expected = [0 if loss is None else loss * len(expected) / count for loss in expected]
    for block_size in (None, 1, 3):
        loss, grad = evaluate(RankNContrast(0.7, block_size), views, target)
        np.testing.assert_allclose(loss, expected, rtol=1e-11, atol=1e-12)
        assert grad.isfinite().all()


@pytest.mark.parametrize("name", TARGETS)
def test_blocks_change_nothing(name):
    views, target = draw(n_views=3), torch.tensor(TARGETS[name], dtype=torch.float64)
    loss, grad = evaluate(RankNContrast(), views, target)
    for block_size in (1, 4, 7, 100):
        other, other_grad = evaluate(RankNContrast(block_size=block_size), views, target)
        torch.testing.assert_close(other, loss, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(other_grad, grad, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", TARGETS)
def test_gradient(name):
    target = torch.tensor(TARGETS[name][:4], dtype=torch.float64)
    for objective in (RankNContrast(), RankNContrast(block_size=3)):
        for n_views in (1, 2):
            views = draw(n=4, n_views=n_views).requires_grad_()
            assert torch.autograd.gradcheck(lambda x, o=objective: o(x, target=target), views)


def test_two_distinct_targets():
    # Pairs of one target come first and compete with all rows, as in SupCon of distances;
    # pairs of different targets compete among themselves: a plain softmax of these.
    views = draw(n=6)
    target = torch.tensor([0.0, 0.0, 0.0, 5.0, 5.0, 5.0], dtype=torch.float64)
    f = views.reshape(-1, 3)
    y = target.repeat(2)
    off = ~torch.eye(12, dtype=torch.bool)
    x = (-torch.cdist(f, f) / 2).masked_fill(~off, -math.inf)
    same = (y[:, None] == y) & off
    other = y[:, None] != y
    near = (x.logsumexp(1, keepdim=True) - x)[same].view(12, 5).sum(1)
    far = (x.masked_fill(~other, -math.inf).logsumexp(1, keepdim=True) - x)[other]
    expected = (near + far.view(12, 6).sum(1)) / 11
    torch.testing.assert_close(RankNContrast()(views, target=target), expected)
    # The value of the second target does not matter, only the order.
    torch.testing.assert_close(RankNContrast()(views, target=target * 1e6), expected)


def test_only_the_order_of_the_distances_counts():
    views, target = draw(n=5), torch.tensor([0.0, 1.0, 2.5, 6.0, 14.0])
    expected = RankNContrast()(views, target=target)
    for moved in (3 * target + 7, -target, 1e-20 * target, 1e20 * target):
        torch.testing.assert_close(RankNContrast()(views, target=moved), expected)


def test_unlabelled_samples_find_their_own_view():
    views = draw(n=4)
    target = torch.full((4, 1), NAN)
    f = views.reshape(-1, 3)
    x = (-torch.cdist(f, f) / 2).fill_diagonal_(-math.inf)
    twin = torch.arange(8).roll(4)
    expected = torch.nn.functional.cross_entropy(x, twin, reduction="none")
    torch.testing.assert_close(RankNContrast()(views, target=target), expected)
    # Without another view they have none.
    loss, grad = evaluate(RankNContrast(), views[:1], target)
    assert not loss.any() and not grad.any()


def test_moving_the_rows_changes_nothing():
    views, target = draw(n=5).float(), torch.arange(5.0)
    loss, grad = evaluate(RankNContrast(), views, target)
    far, far_grad = evaluate(RankNContrast(), views + 1000, target)
    torch.testing.assert_close(far, loss, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(far_grad, grad, rtol=1e-2, atol=1e-3)
    # The loss and its gradient depend on f / tau only.
    other, other_grad = evaluate(RankNContrast(temperature=6.0), 3 * views, target)
    torch.testing.assert_close(other, loss)
    torch.testing.assert_close(3 * other_grad, grad)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rows_that_coincide_have_no_gradient_between_them(dtype):
    # All rows lie on one of two places: only the line between these has a gradient.
    where = torch.tensor([[1.0, 2.0, -0.3], [0.5, -1.0, 7.0]], dtype=dtype)
    views = where[[0, 1, 0, 1, 1]].expand(2, 5, 3)
    loss, grad = evaluate(RankNContrast(), views, torch.arange(5.0))
    assert loss.isfinite().all()
    line = (where[0] - where[1]) / (where[0] - where[1]).norm()
    along = (grad @ line)[..., None] * line
    torch.testing.assert_close(grad, along, rtol=1e-4, atol=1e-6)
    _, grad = evaluate(RankNContrast(), where[:1].expand(2, 5, 3), torch.arange(5.0))
    assert not grad.any()


@pytest.mark.parametrize("scale", [1e-18, 1e-6, 1e6, 1e15])
@pytest.mark.parametrize("temperature", [1e-3, 2.0, 1e3])
def test_float32_at_the_extremes(scale, temperature):
    views = (draw() * scale).float()
    for target in TARGETS.values():
        objective = RankNContrast(temperature)
        loss, grad = evaluate(objective, views, torch.tensor(target))
        assert loss.isfinite().all() and grad.isfinite().all()
        # Where the scale leaves room for it, the value is right.
        if scale / temperature < 1e4 and scale > 1e-18:
            exact = evaluate(objective, views.double(), torch.tensor(target).double())[0]
            torch.testing.assert_close(loss.double(), exact, rtol=1e-4, atol=1e-4)


def test_equal_distances_of_a_rounded_target_are_ties():
    # Ages 20, 23 and 26, standardised in float32: both outer ones are equally far from 23.
    views, age = draw(n=60, n_views=1), torch.arange(60.0, dtype=torch.float64) * 3 + 20
    target = (age - age.mean()) / age.std()
    gaps = target.float()[1:] - target.float()[:-1]
    assert gaps.unique().numel() > 1
    expected = RankNContrast()(views, target=age)
    torch.testing.assert_close(RankNContrast()(views, target=target.float()), expected)


def test_the_target_has_one_row_of_numbers_for_each_sample():
    with pytest.raises(ValueError, match="RankNContrast needs one row of numbers for each of"):
        RankNContrast()(draw(), target=torch.zeros(4))


def test_blocks_of_anchors():
    x = torch.arange(5.0, requires_grad=True)
    calls = []

    def block(rows):
        calls.append(rows)
        return x[rows] ** 2, x[rows] > 1

    value, large = over_anchors(block, 5, 5, block_size=2)
    assert calls == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert large.tolist() == [False, False, True, True, True]
    value.sum().backward()
    assert len(calls) == 6  # each again, in the backward pass
    torch.testing.assert_close(x.grad, 2 * x.detach())


# ------------------------------------------------------------------ in an estimator


def encoder(**settings):
    settings = {"max_iter": 3, "batch_size": 32, "random_state": 0} | settings
    return ContrastiveEncoder(objective="rank_n_contrast", **settings)


def test_the_default_network_learns():
    X, y = load_diabetes(return_X_y=True)
    fitted = ContrastiveEncoder(objective="rank_n_contrast", max_iter=20, random_state=0).fit(X, y)
    losses = fitted.loss_curve_
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_unit_of_the_target_does_not_matter(scale):
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:64], y[:64]
    expected = encoder().fit(X, y).transform(X)
    found = encoder().fit(X, scale * y).transform(X)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_some_rows_without_a_target_and_several_targets():
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:64], np.column_stack([y[:64], -y[:64]])
    y[::3, 1] = np.nan
    assert np.isfinite(encoder().fit(X, y).transform(X)).all()
