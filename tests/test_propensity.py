"""PropensityNCE: the formula as loops, its limits, and what it does with a superficial column."""

from math import exp, log

import numpy as np
import pytest
import torch

from skcontrast import ContrastiveEncoder
from skcontrast.kernels import RBF
from skcontrast.objectives import InfoNCE, PropensityNCE

rng = np.random.default_rng(0)
CONDITION, GUIDE = rng.normal(size=(6, 2)), rng.normal(size=(6, 3))


def naive(z, condition, guide, gamma, tau, heat):
    """Loss of each anchor of unit rows z (V, n, d)."""
    g = guide / np.linalg.norm(guide, axis=1, keepdims=True)
    rows = [(v, i) for v in range(len(z)) for i in range(len(z[0]))]
    losses = []
    for a in rows:
        others = [b for b in rows if b[1] != a[1]]
        own = [b for b in rows if b[1] == a[1] and b != a]
        odds = {}
        for b in others:
            looks = exp(-gamma * np.sum((condition[a[1]] - condition[b[1]]) ** 2))
            odds[b] = exp((looks - g[a[1]] @ g[b[1]]) / heat)
        mean = np.mean(list(odds.values()))
        total = sum(min(8, max(1 / 8, odds[b] / mean)) * exp(z[a] @ z[b] / tau) for b in others)
        total += sum(exp(z[a] @ z[b] / tau) for b in own)
        losses.append(log(total) - np.mean([z[a] @ z[b] for b in own]) / tau)
    return losses


def draw(n_views=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_views, 6, 4, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("block_size", [None, 1, 4])
def test_is_the_loop(n_views, block_size):
    views, condition, guide = draw(n_views), torch.tensor(CONDITION), torch.tensor(GUIDE)
    z = views / views.norm(dim=-1, keepdim=True)
    for heat in (0.05, 0.5):
        settings = {"kernel": RBF(gamma=0.3), "weight_temperature": heat, "block_size": block_size}
        objective = PropensityNCE(0.3, guide="prior", **settings)
        value = objective(views, condition=condition, prior=guide)
        expected = naive(z.numpy(), CONDITION, GUIDE, 0.3, 0.3, heat)
        np.testing.assert_allclose(value, expected, rtol=1e-11)
        # The projections of one view as their own guide.
        if n_views == 2:
            same = views[:1].expand(2, -1, -1)
            own = PropensityNCE(0.3, **settings)(same, condition=condition)
            expected = naive(
                z[:1].expand(2, -1, -1).numpy(), CONDITION, z[0].numpy(), 0.3, 0.3, heat
            )
            np.testing.assert_allclose(own, expected, rtol=1e-11)


def test_equal_looks_and_much_heat_are_info_nce():
    views, condition = draw(), torch.tensor(CONDITION)
    hot = PropensityNCE(0.3, weight_temperature=1e6)(views, condition=condition)
    torch.testing.assert_close(hot, InfoNCE(0.3)(views), rtol=1e-5, atol=1e-5)
    equal = PropensityNCE(0.3, kernel=RBF(gamma=1.0), guide="prior")
    one = torch.ones(6, 2, dtype=torch.float64)
    torch.testing.assert_close(equal(views, condition=one, prior=one), InfoNCE(0.3)(views))


def test_rows_of_equal_looks_weigh_more():
    views = torch.eye(6, dtype=torch.float64).expand(2, 6, 6).clone().requires_grad_()
    condition = torch.tensor([0.0, 0.0, 3.0, 3.0, 6.0, 6.0], dtype=torch.float64)[:, None]
    PropensityNCE(0.5, kernel=RBF(gamma=1.0))(views, condition=condition)[0].backward()
    push = views.grad[0, 0]
    assert push[1] > 2 * push[2] > 0


def test_less_of_the_superficial_is_learned():
    """A column that rows are alike in weighs less in the cosines of the embedding."""
    rng = np.random.default_rng(0)
    length = rng.normal(size=300)
    X = np.c_[rng.normal(size=(300, 4)), np.repeat(length[:, None], 3, axis=1)]
    X[:, 4:] += 0.3 * rng.normal(size=(300, 3))
    settings = {"max_iter": 15, "passthrough": False, "random_state": 0}
    shares = []
    for objective in (InfoNCE(), PropensityNCE(weight_temperature=0.2)):
        condition = None if isinstance(objective, InfoNCE) else length
        encoder = ContrastiveEncoder(8, objective=objective, **settings)
        Z = encoder.fit(X, condition=condition).transform(X)
        Z /= np.linalg.norm(Z, axis=1, keepdims=True)
        pairs = np.triu_indices(300, 1)
        near = np.exp(-((length[:, None] - length) ** 2))
        shares.append(np.corrcoef((Z @ Z.T)[pairs], near[pairs])[0, 1])
    assert shares[1] < 0.8 * shares[0]


def test_what_it_needs():
    X = np.random.RandomState(0).randn(40, 3)
    with pytest.raises(ValueError, match="condition"):
        ContrastiveEncoder(objective="propensity").fit(X)
    kinds = np.array(["a", "b"])[np.arange(40) % 2]
    encoder = ContrastiveEncoder(objective="propensity", max_iter=1, random_state=0)
    assert np.isfinite(encoder.fit(X, condition=kinds).loss_curve_).all()
