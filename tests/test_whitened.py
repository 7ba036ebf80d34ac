"""White views: the map and its gradient, what whitening does for an objective, and W-MSE."""

import numpy as np
import pytest
import torch

from skcontrast import ContrastiveEncoder
from skcontrast.functional import whiten
from skcontrast.objectives import (
    AlignmentUniformity,
    CrossEntropy,
    CrossViewDistribution,
    InfoNCE,
    LogitAdjusted,
    PolyView,
    Reconstruction,
    SupCon,
    Whitened,
)
from skcontrast.postprocessing import Whitening

METHODS = "zca", "cholesky"


def draw(n_views=2, n=12, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)
    return x @ torch.randn(d, d, generator=generator, dtype=torch.float64)


def covariance(x):
    x = x - x.mean(1, keepdim=True)
    return x.mT @ x / (x.shape[1] - 1)


@pytest.mark.parametrize("method", METHODS)
def test_columns_of_a_group_are_white(method):
    x = draw(3, 40, 7)
    white = whiten(x, 1, 0.0, method)
    torch.testing.assert_close(covariance(white), torch.eye(7).double().expand(3, 7, 7))
    order = torch.stack([torch.randperm(7) for _ in range(3)])
    white = whiten(x, 3, 0.0, method, order)
    for v in range(3):
        for group in order[v].tensor_split(3):
            found = covariance(white[v : v + 1][..., group])[0]
            torch.testing.assert_close(found, torch.eye(len(group)).double())
    assert covariance(white).abs().sub(torch.eye(7)).max() > 0.1  # across groups nothing is done


@pytest.mark.parametrize("method", METHODS)
def test_one_group_is_whitening_after_training(method):
    x = draw(1, 30, 4)
    expected = Whitening(method=method, shrinkage=0.0).fit_transform(x[0].numpy())
    np.testing.assert_allclose(whiten(x, 1, 0.0, method)[0], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
def test_gradient(method):
    for x in (draw(2, 6, 3), whiten(draw(1, 6, 3), 1, 0.0)):  # of equal eigenvalues too
        x = x.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda x: whiten(x, 1, 0.01, method), x)
    for awkward in (torch.ones(2, 4, 6), torch.zeros(2, 4, 6), 1e9 * draw(2, 4, 6).float()):
        x = awkward.clone().requires_grad_()
        white = whiten(x, 2, 1e-3, method)
        white.square().sum().backward()
        assert white.isfinite().all() and x.grad.isfinite().all()


def test_it_is_the_objective_of_white_views():
    x = draw()
    for objective, side in ((InfoNCE(), {}), (SupCon(), {"target": torch.arange(12) % 3})):
        value = Whitened(objective, n_groups=1)(x, **side).mean()
        torch.testing.assert_close(value, objective(whiten(x), **side).mean())
    torch.testing.assert_close(
        Whitened(Whitened(InfoNCE(), 1, eps=0.0), 1, eps=0.0)(x),
        Whitened(InfoNCE(), 1, eps=0.0)(x),
    )


def test_any_linear_map_of_the_rows_gives_the_same():
    x = draw()
    A = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    value = Whitened(InfoNCE(), 1, eps=0.0)
    # By ZCA a rotation remains, which cosines of two views do not share; by one map they do.
    both = torch.cat([x[0], x[1]])
    white = whiten(torch.stack([both, both @ A]), 1, 0.0)
    torch.testing.assert_close(white[0] @ white[0].T, white[1] @ white[1].T)
    torch.testing.assert_close(value(3 * x + 1), value(x))


def test_copies_are_further_views():
    x = draw(1)
    torch.manual_seed(0)
    value = Whitened(PolyView(), n_groups=2, n_copies=3)(x)
    torch.manual_seed(0)
    order = torch.rand(3, 5).argsort(1)
    torch.testing.assert_close(value, PolyView()(whiten(x.repeat(3, 1, 1), 2, 1e-3, "zca", order)))
    assert Whitened(InfoNCE(), n_copies=2).min_views == 1
    with pytest.raises(ValueError, match="needs at least 2 views"):
        ContrastiveEncoder(objective=Whitened(InfoNCE()), n_views=1).fit(np.eye(6))
    with pytest.raises(ValueError, match="makes 8 groups of 5 columns: type n_groups up to 5"):
        Whitened(InfoNCE())(x)


def test_keys_are_white_too_and_copies_have_embeddings_and_a_queue():
    x, keys, target = draw(), draw(seed=1), torch.arange(12) % 3
    found = Whitened(CrossViewDistribution(), n_groups=1)(x, keys=keys)
    torch.testing.assert_close(found, CrossViewDistribution()(whiten(x), keys=whiten(keys)))
    twice = Whitened(CrossEntropy(), n_groups=1, n_copies=2)(x, embedding=x, target=target)
    torch.testing.assert_close(twice, CrossEntropy()(x, target=target).repeat(2))
    rng = np.random.RandomState(0)
    for term, copies, momentum in (
        (InfoNCE(queue_size=16), 2, None),
        (InfoNCE(queue_size=16), 2, 0.9),
        (LogitAdjusted(target="groups"), 1, None),  # which reads all rows before it begins
    ):
        objective = Whitened(term, n_groups=1, n_copies=copies)
        settings = {"max_iter": 2, "batch_size": 16, "momentum": momentum, "random_state": 0}
        encoder = ContrastiveEncoder(8, objective=objective, **settings)
        groups = np.arange(60) % 3 if momentum is None and copies == 1 else None
        assert np.isfinite(encoder.fit(rng.randn(60, 4), groups=groups).loss_curve_).all()


def test_white_views_do_not_collapse():
    """Alignment alone draws all rows together; of white views it does not (W-MSE)."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4
    X = 3 * rng.normal(size=(4, 6))[y] + rng.normal(size=(200, 6))
    align = AlignmentUniformity(uniformity_weight=0)
    settings = {"max_iter": 30, "random_state": 0, "passthrough": False, "batch_size": 100}
    alike = []
    for objective in (align, Whitened(align, n_groups=1, method="cholesky")):
        Z = ContrastiveEncoder(4, objective=objective, **settings).fit_transform(X)
        U = Z / np.linalg.norm(Z, axis=1, keepdims=True)
        alike.append((U @ U.T).mean())
    assert alike[0] > 0.9 and alike[1] < 0.2


def test_sums_and_terms_with_views_of_their_own():
    X = np.random.RandomState(0).randn(60, 4)
    for objective in (
        InfoNCE() + 0.5 * Whitened(InfoNCE(), n_groups=2),
        Whitened(InfoNCE() + Reconstruction(), n_groups=2),
        Whitened(Reconstruction()),
    ):
        encoder = ContrastiveEncoder(8, objective=objective, max_iter=1, random_state=0)
        assert np.isfinite(encoder.fit(X).loss_curve_).all()
