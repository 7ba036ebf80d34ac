"""SupReMix: a naive loop over rows and mixtures, its draws, laws, and an estimator."""

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes

from skcontrast import ContrastiveEncoder
from skcontrast._component import InvalidParameterError
from skcontrast.functional import Between, draw_between, mixed_contrast, normalize
from skcontrast.functional._mixtures import distinct_numbers
from skcontrast.objectives import SupCon, SupReMix

NAN = math.nan
TARGETS = {
    "distinct": [0.3, -1.2, 2.0, 0.9, 4.1],
    "ties": [0.0, 1.0, 1.0, 2.0, 1.0],
    "equal": [1.0, 1.0, 1.0, 1.0, 1.0],
    "unlabelled": [0.0, NAN, 1.0, NAN, 2.0],
    "all unlabelled": [NAN] * 5,
    "one labelled": [NAN, NAN, 3.0, NAN, NAN],
}
WEIGHTS = {"linear": lambda d: d + 1, "quadratic": lambda d: d**2 + 1, "none": lambda d: 1}


def draw(n=5, d=3, n_views=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def unit_rows(views):
    return normalize(views).reshape(-1, views.shape[-1])


def all_pairs(y, window):
    """Every (j, k) around each anchor."""
    below = [[j for j in range(len(y)) if y[i] - window < y[j] < y[i]] for i in range(len(y))]
    above = [[k for k in range(len(y)) if y[i] < y[k] < y[i] + window] for i in range(len(y))]
    return [[(j, k) for j in b for k in a] for b, a in zip(below, above)]


def as_between(pairs):
    """Lists of pairs as tensors, filled up with pairs that do not count."""
    m = max(1, max(map(len, pairs)))
    padded = torch.tensor([list(p) + [(0, 0)] * (m - len(p)) for p in pairs])
    keep = torch.tensor([[c < len(p) for c in range(m)] for p in pairs])
    return Between(padded[..., 0], padded[..., 1], keep)


def naive(z, y, sample, tau, share=None, pairs=None, weighting="linear"):
    """The formula, with every mixture formed: loss of each anchor, None where undefined."""
    z, weight = z.numpy(), WEIGHTS[weighting]
    losses = []
    for i in range(len(z)):
        positives, total = [], 0
        for q in range(len(z)):
            known = not np.isnan(y[i]) and not np.isnan(y[q])
            if q != i:
                distance = abs(y[i] - y[q]) if known else 0
                total += weight(distance) * math.exp(z[i] @ z[q] / tau)
                if sample[i] == sample[q] or (known and distance == 0):
                    positives.append(z[i] @ z[q] / tau)
            if share is not None and known and y[q] != y[i]:
                a = share[i, q].item()
                mixture, label = a * z[i] + (1 - a) * z[q], a * y[i] + (1 - a) * y[q]
                total += weight(abs(y[i] - label)) * math.exp(z[i] @ mixture / tau)
        for j, k in pairs[i] if pairs is not None else ():
            a = (y[k] - y[i]) / (y[k] - y[j])
            mixture = a * z[j] + (1 - a) * z[k]
            total += math.exp(z[i] @ mixture / tau)
            positives.append(z[i] @ mixture / tau)
        losses.append(np.mean([math.log(total) - p for p in positives]) if positives else None)
    return losses


@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize("name", TARGETS)
def test_is_the_formula(name, n_views, weighting):
    z = unit_rows(draw(n_views=n_views))
    y = TARGETS[name] * n_views
    target = torch.tensor(y, dtype=torch.float64)
    sample = torch.arange(5).repeat(n_views)
    share = torch.rand(len(z), len(z), dtype=torch.float64)
    pairs = all_pairs(y, 1.5)
    for mixtures in ((None, None), (share, None), (None, pairs), (share, pairs)):
        expected = naive(z, y, sample, 0.4, *mixtures, weighting)
        given = mixtures[0], None if mixtures[1] is None else as_between(pairs)
        for block_size in (None, 1, 3):
            leaf = z.clone().requires_grad_()
            loss, valid = mixed_contrast(leaf, target, sample, 0.4, *given, weighting, block_size)
            assert valid.tolist() == [e is not None for e in expected]
            values = [0 if e is None else e for e in expected]
            np.testing.assert_allclose(loss.detach(), values, rtol=1e-11)
            loss.sum().backward()
            assert leaf.grad.isfinite().all()


def test_gradient_goes_through_the_anchor_alone():
    # The same loss, with the mixtures formed and held constant.
    z = unit_rows(draw()).requires_grad_()
    y = torch.tensor(TARGETS["distinct"] * 2, dtype=torch.float64)
    share = torch.rand(10, 10, dtype=torch.float64)
    pairs = all_pairs(y.tolist(), 3.0)
    loss, _ = mixed_contrast(z, y, torch.arange(10) % 5, 0.3, share, as_between(pairs))
    loss.sum().backward()
    w, c, expected = z.detach().clone().requires_grad_(), z.detach(), 0
    for i in range(10):
        rows = [q for q in range(10) if q != i]
        others = [q for q in rows if y[q] != y[i]]
        negatives = [share[i, q] * c[i] + (1 - share[i, q]) * c[q] for q in others]
        shares = [((y[k] - y[i]) / (y[k] - y[j]), j, k) for j, k in pairs[i]]
        positives = [a * c[j] + (1 - a) * c[k] for a, j, k in shares]
        logits = torch.stack([w[i] @ w[q] for q in rows] + [w[i] @ p for p in positives])
        distance = [(y[i] - y[q]).abs() for q in rows] + [torch.tensor(0.0)] * len(positives)
        mixed = torch.stack([w[i] @ m for m in negatives])
        away = [(1 - share[i, q]) * (y[i] - y[q]).abs() for q in others]
        weight = torch.stack([*distance, *away]) + 1
        partition = (torch.cat([logits, mixed]) / 0.3 + weight.log()).logsumexp(0)
        wanted = [p for p, q in zip(logits, rows) if y[q] == y[i]] + list(logits[9:])
        expected = expected + (partition - torch.stack(wanted) / 0.3).mean()
    expected.backward()
    torch.testing.assert_close(loss.sum(), expected.detach(), rtol=1e-10, atol=0)
    torch.testing.assert_close(z.grad, w.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_without_mixtures_and_weights_it_is_supcon(n_views):
    views = draw(n=6, n_views=n_views)
    codes = torch.tensor([0, 1, 1, -1, 2, 0])
    target = torch.where(codes < 0, NAN, 1.7 * codes)[:, None]
    plain = SupReMix(0.3, n_mixtures=0, negatives=False, weighting="none")
    torch.testing.assert_close(plain(views, target=target), SupCon(0.3)(views, target=codes))
    # In bins too.
    binned = SupReMix(0.3, n_mixtures=0, negatives=False, weighting="none", bin_width=1.7)
    moved = target + torch.tensor([0.3, -0.4, 0.5, 0.0, 0.2, -0.6])[:, None]
    torch.testing.assert_close(binned(views, target=moved), SupCon(0.3)(views, target=codes))


def test_targets_far_away_weigh_as_their_distance():
    # One anchor with a twin, and one row far away: log(e^s + D e^r) - s.
    views = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    options = {"n_mixtures": 0, "negatives": False}
    for weighting, weight in (("linear", 1e6 + 1), ("quadratic", 1e12 + 1), ("none", 1)):
        objective = SupReMix(1.0, weighting=weighting, **options)
        target = torch.tensor([0.0, 1e6], dtype=torch.float64)
        expected = math.log(math.e + 2 * weight) - 1
        np.testing.assert_allclose(objective(views, target=target), expected)


def test_negatives_of_share_zero_count_twice_and_of_share_one_are_the_anchor():
    z = unit_rows(draw(n_views=1))
    y, sample = torch.arange(5.0).double(), torch.arange(5)
    # One pair around each but the ends, so that there is a loss.
    between = as_between([[], [(0, 2)], [(1, 3)], [(2, 4)], []])
    options = {"between": between, "weighting": "none"}
    zero, valid = mixed_contrast(z, y, sample, 1.0, share=torch.zeros(5, 5), **options)
    one, _ = mixed_contrast(z, y, sample, 1.0, share=torch.ones(5, 5), **options)
    assert valid.tolist() == [False, True, True, True, False]
    for i in (1, 2, 3):
        mixture = z[i] @ (z[i - 1] + z[i + 1]) / 2
        others = sum(math.exp(z[i] @ z[q]) for q in range(5) if q != i)
        expected = math.log(2 * others + math.exp(mixture)) - mixture
        np.testing.assert_allclose(zero[i], expected)
        expected = math.log(others + 4 * math.e + math.exp(mixture)) - mixture
        np.testing.assert_allclose(one[i], expected)


# ------------------------------------------------------------------ draws


@pytest.mark.parametrize("n_pairs", [1, 3, 16, 1000])
@pytest.mark.parametrize("name", TARGETS)
def test_drawn_pairs_lie_around_the_anchor(name, n_pairs):
    y = TARGETS[name] * 3
    pairs = all_pairs(y, 2.0)
    drawn = draw_between(torch.tensor(y), 2.0, n_pairs)
    assert {field.shape for field in drawn} == {(15, n_pairs)}
    for i, (j, k, keep) in enumerate(zip(*drawn)):
        found = [(a, b) for a, b, ok in zip(j.tolist(), k.tolist(), keep) if ok]
        assert len(set(found)) == len(found) == min(n_pairs, len(pairs[i]))
        assert set(found) <= set(pairs[i])


def test_every_pair_is_as_likely():
    torch.manual_seed(0)
    for total, m in ((5, 3), (7, 5), (17, 16), (40, 3)):
        number, keep = distinct_numbers(torch.full((20_000,), total), m)
        assert keep.all()
        assert (number.sort(1).values.diff(dim=1) > 0).all()
        share = number.flatten().bincount(minlength=total) / 20_000
        np.testing.assert_allclose(share, m / total, atol=0.02)


def test_negatives_are_drawn_from_the_beta_distribution():
    torch.manual_seed(0)
    for a, b in ((2.0, 8.0), (5.0, 5.0), (1e-9, 1e-9), (1e9, 1e9)):
        share = SupReMix(beta=(a, b))._shares(200, "cpu")
        assert share.isfinite().all()
        assert abs(share.mean() - a / (a + b)) < 0.02
        assert abs(share.var() - a * b / (a + b) ** 2 / (a + b + 1)) < 0.01


def test_the_same_seed_gives_the_same_loss():
    views, target = draw(n=8), torch.arange(8.0) / 8
    objective = SupReMix()

    def at(seed, **options):
        torch.manual_seed(seed)
        return objective.set_params(**options)(views, target=target)

    first = at(0)
    torch.testing.assert_close(at(0), first, rtol=0, atol=0)
    assert (at(1) != first).any()
    # Nor do draws depend on the blocks or the precision.
    torch.testing.assert_close(at(0, block_size=3), first)
    views = views.float()
    torch.testing.assert_close(at(0).double(), first, rtol=1e-5, atol=1e-5)


def test_order_of_the_rows_does_not_matter_where_all_pairs_are_taken():
    views, target = draw(n=8), torch.arange(8.0)
    order = torch.randperm(8)
    objective = SupReMix(negatives=False, n_mixtures=1000, window=3.5)
    loss = objective(views, target=target).view(2, 8)
    moved = objective(views[:, order], target=target[order]).view(2, 8)
    torch.testing.assert_close(moved, loss[:, order])


def test_draws_estimate_the_loss_of_all_pairs():
    z, y, sample = unit_rows(draw(n=30)), torch.arange(30.0).repeat(2), torch.arange(60) % 30
    options = {"share": None, "weighting": "none"}
    every = as_between(all_pairs(y.tolist(), 4.5))
    j, k, keep = every
    part = (y[k] - y[:, None]) / torch.where(keep, y[k] - y[j], 1)
    s = z @ z.T
    mean = torch.where(keep, part * s.gather(1, j) + (1 - part) * s.gather(1, k), 0).sum(1)
    mean = mean / keep.sum(1).clamp_min(1)
    torch.manual_seed(0)
    found = 0
    for _ in range(300):
        j, k, keep = draw_between(y, 4.5, 8)
        part = (y[k] - y[:, None]) / torch.where(keep, y[k] - y[j], 1)
        mixed = torch.where(keep, part * s.gather(1, j) + (1 - part) * s.gather(1, k), 0)
        found = found + mixed.sum(1) / keep.sum(1).clamp_min(1) / 300
    torch.testing.assert_close(found, mean, rtol=0, atol=0.03)
    assert mixed_contrast(z, y, sample, 0.3, between=every, **options)[1].all()


# ------------------------------------------------------------------ extremes, messages


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_float32_at_the_extremes(scale, weighting, temperature):
    objective = SupReMix(temperature, window=2 * scale, weighting=weighting)
    for target in TARGETS.values():
        for views in (draw(), torch.ones(2, 5, 3), draw(n_views=1), torch.zeros(2, 5, 3)):
            leaf = views.float().requires_grad_()
            loss = objective(leaf, target=torch.tensor(target) * scale)
            loss.mean().backward()
            assert loss.isfinite().all() and leaf.grad.isfinite().all()


def test_without_any_positive_the_loss_is_zero():
    for target in (torch.full((5,), NAN), torch.tensor([0.0, 1.0, 2.0, 3.0, NAN])):
        views = draw(n_views=1).requires_grad_()
        loss = SupReMix(window=1.0)(views, target=target)
        loss.mean().backward()
        assert not loss.any() and not views.grad.any()


def test_one_target_only():
    with pytest.raises(ValueError, match="got 2 columns: pass one column of y"):
        SupReMix()(draw(), target=torch.zeros(5, 2))
    with pytest.raises(ValueError, match="SupReMix needs one row of numbers for each"):
        SupReMix()(draw(), target=torch.zeros(4))


@pytest.mark.parametrize("beta", [(1.0,), (0, 2.0), (1.0, "a"), (1.0, 2.0, 3.0), (1.0, math.inf)])
def test_beta_has_two_positive_parameters(beta):
    with pytest.raises(ValueError, match="type beta=\\(2.0, 8.0\\)"):
        SupReMix(beta=beta).build(5)


# ------------------------------------------------------------------ in an estimator


def encoder(**options):
    objective = SupReMix(**options)
    return ContrastiveEncoder(objective=objective, max_iter=3, batch_size=32, random_state=0)


def test_the_name_is_known_and_parameters_are_searched():
    X, y = load_diabetes(return_X_y=True)
    named = ContrastiveEncoder(objective="supremix", max_iter=3, random_state=0)
    named.set_params(objective__bin_width=0.1, objective__n_mixtures=4)
    assert np.isfinite(named.fit(X, y).loss_curve_).all()
    with pytest.raises(InvalidParameterError, match="'window' parameter of SupReMix"):
        encoder(window=-1).fit(X, y)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_unit_of_the_target_does_not_matter(scale):
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:64], y[:64]
    expected = encoder().fit(X, y)
    found = encoder().fit(X, scale * y)
    np.testing.assert_allclose(found.transform(X), expected.transform(X), rtol=1e-2, atol=1e-3)
    # A fit can be repeated.
    np.testing.assert_array_equal(encoder().fit(X, y).transform(X), expected.transform(X))


def test_some_rows_without_a_target():
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:64], y[:64].copy()
    y[::3] = np.nan
    fitted = encoder().fit(X, y)
    assert np.isfinite(fitted.loss_curve_).all()
    assert np.isfinite(fitted.transform(X)).all()
