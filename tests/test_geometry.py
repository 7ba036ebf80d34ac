"""Rows that are no points of a sphere: plain loops, limits, and draws of known moments."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import entropy, multivariate_normal, vonmises_fisher

from skcontrast import ContrastiveEncoder, geometry
from skcontrast.functional import (
    cone_violation,
    draw_directions,
    draws_contrast,
    negative_divergence,
)
from skcontrast.objectives import (
    GaussianNCE,
    InfoNCE,
    Lorentz,
    MCInfoNCE,
    PairwiseRanking,
    RankPenalty,
)

rng = np.random.default_rng(0)
N = 6


def views_of(d=4, n_views=2, n=N):
    return rng.normal(size=(n_views, n, d))


def value(objective, views, **side):
    return objective(torch.tensor(views), **side).detach().numpy()


# ---- loops ---------------------------------------------------------------------------


def divergence(q, p, least=1e-4):
    """KL of one normal row from another."""
    d, total = len(q) // 2, 0.0
    for a in range(d):
        v, w = (math.log1p(math.exp(row[d + a])) + least for row in (q, p))
        total += 0.5 * ((v + (q[a] - p[a]) ** 2) / w - 1 + math.log(w / v))
    return total


def gaussian_loop(views, tau):
    losses = []
    for i, q in enumerate(views[0]):
        each = []
        for others in views[1:]:
            s = [-divergence(q, p) / tau for p in others]
            each.append(logsumexp(s) - s[i])
        losses.append(np.mean(each))
    return losses


def lifted(v, c):
    w = v / len(v) ** 0.5
    length = c**0.5 * np.linalg.norm(w)
    x = np.sinh(length) / length * w
    return x, (1 / c + x @ x) ** 0.5


def lorentz_loop(views, c, weight, tau):
    """Of two views: the second is the general one."""
    points = [[lifted(v, c) for v in view] for view in views]
    distance = lambda a, b: np.arccosh(max(c * (a[1] * b[1] - a[0] @ b[0]), 1)) / c**0.5
    losses = []
    for i, (special, general) in enumerate(zip(*points)):
        there = [-distance(special, b) / tau for b in points[1]]
        back = [-distance(a, general) / tau for a in points[0]]
        contrast = (logsumexp(there) + logsumexp(back)) / 2 - there[i]
        length = np.linalg.norm(general[0])
        inner = c * (general[0] @ special[0] - general[1] * special[1])
        # With the guards of 1e-8 that are published.
        across = length * (inner**2 - 1) ** 0.5 + 1e-8
        angle = np.arccos((special[1] + inner * general[1]) / across)
        aperture = np.arcsin(min(0.2 / (c**0.5 * length + 1e-8), 1 - 1e-8))
        losses.append(contrast + weight * max(angle - aperture, 0))
    return losses


def ranking_loop(views, target, margin):
    rows = [(row[0], y) for view in views for row, y in zip(view, target)]
    losses = []
    for f, y in rows:
        below = [math.log1p(math.exp(margin - (f - g))) for g, other in rows if other < y]
        losses.append(np.mean(below) if below else 0.0)
    counts = [loss > 0 for loss in losses]
    # Anchors without a row below them do not count in the mean.
    return [loss * len(rows) / sum(counts) for loss in losses]


def rank_loop(views):
    ranks = []
    for view in views:
        sigma = np.sqrt(np.linalg.eigvalsh(view.T @ view))
        ranks.append(np.exp(entropy(sigma / sigma.sum())))
    return float(np.mean(ranks))


def test_objectives_are_their_loops():
    for n_views in (2, 3):
        views = views_of(4, n_views)
        np.testing.assert_allclose(value(GaussianNCE(0.7), views), gaussian_loop(views, 0.7))
    views = views_of(4)
    for c in (0.3, 2.0):
        expected = lorentz_loop(views, c, 0.5, 0.4)
        np.testing.assert_allclose(value(Lorentz(c, 0.5, 0.4), views), expected, rtol=1e-9)
    target = np.array([2.0, 1.0, 1.0, 0.0, 3.0, 0.5])
    for margin in (0.0, 0.7):
        found = value(PairwiseRanking(margin), views, target=torch.tensor(target)[:, None])
        np.testing.assert_allclose(found, ranking_loop(views, target, margin))
    views = views_of(4, 3, 9)
    np.testing.assert_allclose(value(RankPenalty(), views), rank_loop(views))


# ---- rank ----------------------------------------------------------------------------


def test_rank_penalty_is_the_measure():
    from skcontrast.metrics import effective_rank

    z = views_of(5, 1, 20)
    assert value(RankPenalty(), z) == pytest.approx(effective_rank(z[0]))
    assert value(RankPenalty(), np.ones((2, 5, 3))) == pytest.approx(1)
    assert value(RankPenalty(), np.eye(4)[None, :, :3]) == pytest.approx(3)


def test_its_weight_moves_the_rank():
    from sklearn.datasets import load_iris

    from skcontrast.metrics import effective_rank

    X, ranks = load_iris().data, []
    for weight in (0.3, 0.0, -0.3):
        encoder = ContrastiveEncoder(
            8,
            objective=InfoNCE() + weight * RankPenalty(),
            passthrough=False,
            views="noise",
            max_iter=30,
            random_state=0,
            device="cpu",
        )
        ranks.append(effective_rank(encoder.fit_transform(X)))
    assert ranks[0] < ranks[1] < ranks[2]


# ---- normal rows ---------------------------------------------------------------------


def test_divergence_is_an_inner_product():
    q, p = rng.normal(size=(2, N, 6))
    expected = np.array([[-divergence(a, b) for b in p] for a in q])
    product = geometry.gaussian_query(q) @ geometry.gaussian_document(p).T
    constant = product - expected
    np.testing.assert_allclose(constant, constant[:, :1] + np.zeros(N), atol=1e-12)
    rows = [np.hstack([z[:, :3], np.logaddexp(0, z[:, 3:]) + 1e-4]) for z in (q, p)]
    found = negative_divergence(*(torch.tensor(r) for r in rows))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    own = negative_divergence(*[torch.tensor(rows[0])] * 2).diagonal()
    np.testing.assert_allclose(own, 0, atol=1e-12)


def test_divergence_by_the_densities():
    q, p = np.array([0.3, -0.5, 0.2, 1.0]), np.array([-0.4, 0.1, 1.5, -0.3])
    parts = [(row[:2], np.diag(np.logaddexp(0, row[2:]) + 1e-4)) for row in (q, p)]
    draws = rng.multivariate_normal(*parts[0], size=200_000)
    gain = [multivariate_normal(*part).logpdf(draws) for part in parts]
    assert divergence(q, p) == pytest.approx(np.mean(gain[0] - gain[1]), rel=0.02)


def test_equal_variances_are_a_euclidean_contrast():
    views = views_of(6)
    views[..., 3:] = 0.7
    v = math.log1p(math.exp(0.7)) + 1e-4
    expected = []
    for i, q in enumerate(views[0]):
        s = [-((q[:3] - p[:3]) ** 2).sum() / (2 * v) for p in views[1]]
        expected.append(logsumexp(s) - s[i])
    np.testing.assert_allclose(value(GaussianNCE(), views), expected)


def test_uncertainty_orders_rows_by_their_variances():
    z = rng.normal(size=(N, 6))
    expected = np.log(np.logaddexp(0, z[:, 3:]) + 1e-4).mean(axis=1)
    np.testing.assert_allclose(geometry.gaussian_uncertainty(z), expected)


# ---- directions ----------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 3, 10, 32])
@pytest.mark.parametrize("kappa", [0.05, 1.0, 20.0, 500.0])
def test_draws_have_the_moments_of_the_distribution(d, kappa):
    torch.manual_seed(0)
    mu = torch.nn.functional.normalize(torch.ones(1, d, dtype=torch.float64))
    z = draw_directions(mu, torch.tensor([kappa], dtype=torch.float64), 40_000)[:, 0]
    torch.testing.assert_close(z.norm(dim=1), torch.ones(len(z), dtype=torch.float64))
    cosine = (z @ mu[0]).numpy()
    reference = vonmises_fisher(mu[0].numpy(), kappa, seed=0).rvs(40_000) @ mu[0].numpy()
    expected = geometry.mean_cosine([kappa], d)[0]
    assert cosine.mean() == pytest.approx(expected, abs=5 * cosine.std() / 200 + 1e-7)
    assert cosine.std() == pytest.approx(reference.std(), rel=0.05)
    # What stands across the direction goes nowhere in the mean.
    assert (z.mean(0) - expected * mu[0]).norm() < 5 * d**0.5 / 200


def test_mean_cosine_at_both_ends():
    assert geometry.mean_cosine([0.0, 1e8], 5).round(6).tolist() == [0, 1]
    np.testing.assert_allclose(geometry.mean_cosine([2.0], 3), 1 / np.tanh(2) - 1 / 2)


@pytest.mark.parametrize("d", [1, 2, 3, 64, 768, 3000])
def test_mean_cosine_of_few_and_many_dimensions(d):
    kappa = np.array([1e-3, 0.5, 16.0, 9.9 * d, 10.1 * d, 1e4, 0.9e6 * d, 1.1e6 * d, 1e300])
    found, wider = (geometry.mean_cosine(kappa, n) for n in (d, d + 2))
    # I_{v-1} - I_{v+1} = 2 v / kappa I_v
    np.testing.assert_allclose(found, 1 / (d / kappa + wider), rtol=1e-11)
    assert found[0] == pytest.approx(1e-3 / d)
    assert geometry.mean_cosine(np.inf, d) == 1


def test_points_far_out_are_no_nan():
    way = np.array([[0.6, -0.8]])
    np.testing.assert_allclose(geometry.exp_map(5e200 * way), 2.0**15 * way)
    np.testing.assert_allclose(geometry.log_map(5e200 * way), np.arcsinh(5e200) * way)


def test_contrast_of_draws():
    positive, negative = rng.normal(size=(2, 5, N))
    chance = np.exp(positive) / (np.exp(positive) + np.exp(negative))
    found = draws_contrast(torch.tensor(positive), torch.tensor(negative))
    np.testing.assert_allclose(found, -np.log(chance.mean(0)))
    one = draws_contrast(torch.tensor(positive[:1]), torch.tensor(negative[:1]))
    many = draws_contrast(torch.tensor(positive[[0] * 7]), torch.tensor(negative[[0] * 7]))
    torch.testing.assert_close(one, many)


def test_sure_directions_are_info_nce_with_the_mean_of_negatives():
    views = views_of(4)
    sure = np.concatenate([views, np.full((2, N, 1), 40.0)], axis=2)
    found = value(MCInfoNCE(n_draws=4, concentration=3.0), sure)
    u = views / np.linalg.norm(views, axis=-1, keepdims=True)
    expected = []
    for a, b in ((u[0], u[1]), (u[1], u[0])):
        for i in range(N):
            negative = [np.exp(3 * a[i] @ b[j]) for j in range(N) if j != i]
            positive = np.exp(3 * a[i] @ b[i])
            expected.append(-np.log(positive / (positive + np.mean(negative))))
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_a_row_alone_has_no_negatives():
    assert value(MCInfoNCE(), views_of(4, n=1)) == pytest.approx([0, 0])


def test_gradient_of_the_concentration():
    # A wrong partner: being less sure must lower the loss.
    views = np.eye(3)[[[0, 1, 2], [1, 2, 0]]]
    z = torch.tensor(np.concatenate([views, np.zeros((2, 3, 1))], axis=2)).requires_grad_()
    torch.manual_seed(0)
    MCInfoNCE(n_draws=500)(z).mean().backward()
    assert (z.grad[..., -1] > 0).all()


# ---- hyperbolic rows -----------------------------------------------------------------


def test_hyperbolic_distance_by_the_definition():
    v, w = rng.normal(size=(N, 3)), rng.normal(size=(4, 3))
    for c in (0.5, 3.0):
        x, y = geometry.exp_map(v, c), geometry.exp_map(w, c)
        times = [(1 / c + (p**2).sum(1)) ** 0.5 for p in (x, y)]
        expected = np.arccosh(c * (np.outer(*times) - x @ y.T)) / c**0.5
        np.testing.assert_allclose(geometry.lorentz_distance(v, w, c), expected)
        np.testing.assert_allclose(geometry.log_map(x, c), v, rtol=1e-12)
        # From the origin it is the length of the tangent.
        length = geometry.lorentz_distance(np.zeros((1, 3)), v, c)[0]
        np.testing.assert_allclose(length, np.linalg.norm(v, axis=1))


def test_hyperbolic_distance_near_and_flat():
    v = rng.normal(size=(N, 3))
    flat = np.linalg.norm(v[:, None] - v, axis=2)
    np.testing.assert_allclose(geometry.lorentz_distance(v, v, 1e-10), flat, atol=1e-7)
    assert np.diag(geometry.lorentz_distance(v, v)).max() == 0
    moved = v + 1e-9 * np.eye(3)[0]
    assert geometry.lorentz_distance(0 * v[:1], 0 * v[:1] + [1e-9, 0, 0])[0, 0] == (
        pytest.approx(1e-9)
    )
    assert (np.diag(geometry.lorentz_distance(v, moved)) > 5e-10).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_partners_at_one_place_have_a_small_gradient(dtype):
    z = torch.tensor(views_of(3, 1), dtype=dtype).expand(2, -1, -1).clone().requires_grad_()
    Lorentz()(z).mean().backward()
    assert z.grad.abs().max() < 5  # the cone of a row has no slope at the row itself


def test_cones_near_their_rows_in_single_precision():
    general = torch.tensor(rng.normal(size=(N, 3)))
    special = general * (1 + 3e-3 * torch.tensor(rng.normal(size=(N, 3))))
    exact = cone_violation(general, special, 0.5)
    found = cone_violation(general.float(), special.float(), 0.5)
    np.testing.assert_allclose(found, exact, atol=2e-3)
    assert exact.max() > 0.1


def test_curvature_and_scale_are_learned():
    X = rng.normal(size=(60, 5))
    encoder = ContrastiveEncoder(
        4,
        objective=Lorentz(),
        views="mask",
        clean_anchor=True,
        passthrough=False,
        max_iter=5,
        random_state=0,
    )
    weights = encoder.fit(X).objective_weights_
    assert weights["log_curvature"] != 0 and weights["log_scale"] != 0
    tangent = encoder.transform(X) * np.exp(weights["log_scale"]) / 2
    distance = geometry.lorentz_distance(tangent, tangent, float(np.exp(weights["log_curvature"])))
    assert np.isfinite(distance).all()
    assert (
        "log_curvature" not in encoder.set_params(objective=Lorentz(0.5)).fit(X).objective_weights_
    )


# ---- order ---------------------------------------------------------------------------


def test_two_rows_are_bradley_and_terry():
    z = torch.tensor([[[1.3], [0.4]]])
    loss = PairwiseRanking()(z, target=torch.tensor([[1.0], [0.0]])).mean()
    assert loss.item() == pytest.approx(math.log1p(math.exp(-0.9)))


def test_only_the_order_of_the_target_counts():
    views = views_of(3)
    target = torch.tensor(rng.permutation(N).astype(float))[:, None]
    found = value(PairwiseRanking(), views, target=target)
    for other in (target**3 + 5, target.exp()):
        np.testing.assert_allclose(value(PairwiseRanking(), views, target=other), found)
    np.testing.assert_allclose(value(PairwiseRanking(), views + 7, target=target), found)
    target[2] = torch.nan
    without = np.delete(views, 2, axis=1)
    rest = torch.tensor(np.delete(target.numpy(), 2, axis=0))
    assert value(PairwiseRanking(), views, target=target).mean() == pytest.approx(
        value(PairwiseRanking(), without, target=rest).mean()
    )


def test_a_head_learns_the_order():
    from scipy.stats import spearmanr

    X = rng.normal(size=(200, 6))
    y = np.exp(2 * X[:, 0] + X[:, 1])
    encoder = ContrastiveEncoder(
        16,
        objective=PairwiseRanking(),
        passthrough=False,
        views="noise",
        max_iter=30,
        random_state=0,
        device="cpu",
    ).fit(X, y)
    score = encoder.transform(X) @ encoder.objective_weights_["head.weight"][0]
    assert spearmanr(score, y).statistic > 0.9


# ---- what is refused -----------------------------------------------------------------


def test_too_few_columns():
    with pytest.raises(ValueError, match="two columns for each of its dimensions"):
        value(GaussianNCE(), views_of(1))
    with pytest.raises(ValueError, match="MCInfoNCE: 2 columns are too few"):
        value(MCInfoNCE(), views_of(2))
    with pytest.raises(ValueError, match="z has 1 column"):
        geometry.gaussian_query([[1.0]])
    with pytest.raises(ValueError, match="v1 has 2 columns and v2 has 3"):
        geometry.lorentz_distance(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(ValueError, match="numbers of at least 0"):
        geometry.mean_cosine([-1.0], 3)
    with pytest.raises(ValueError, match="n_dimensions=2.5: type a whole number"):
        geometry.mean_cosine([1.0], 2.5)
    with pytest.raises(ValueError, match="whose square is infinite"):
        geometry.gaussian_document([[1e200, 1.0]])
    with pytest.raises(ValueError, match="curvature=0"):
        geometry.exp_map([[1.0]], 0)
