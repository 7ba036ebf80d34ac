"""Objectives whose target is numbers: YAware and AdaptiveMargin."""

from math import exp, isnan, log

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skcontrast import ContrastiveEncoder
from skcontrast.functional import OFF_DIAGONAL, distinct, normalize, pair_loss, pair_sums
from skcontrast.objectives import AdaptiveMargin, InfoNCE, SupCon, YAware
from skcontrast.objectives._adaptive_margin import mid_ranks

NAN = float("nan")
TARGET = [[0.3], [-1.2], [0.3], [NAN], [0.5]]
WIDE = [[0.3, 1.0], [-1.2, 0.4], [0.3, 0.9], [0.1, NAN], [0.5, -0.2]]
ALL = [YAware(0.3), YAware(0.3, normalization="column"), AdaptiveMargin(0.3)]

every = pytest.mark.parametrize("objective", ALL, ids=repr)


def draw(n_views=2, n=5, d=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64).to(dtype)


def numbers(rows):
    return torch.tensor(rows, dtype=torch.float64)


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def evaluate(objective, views, target):
    """Loss, and the gradient of its mean."""
    views = views.detach().clone().requires_grad_()
    loss = objective(views, target=target)
    loss.mean().backward()
    return loss.detach(), views.grad


# ------------------------------------------------------------------ plain loops


def anchors_of(z):
    return [(v, i) for v in range(len(z)) for i in range(len(z[0]))]


def mean_of_counted(losses):
    """Losses of the anchors, whose plain mean is that over those which are not None."""
    count = sum(loss is not None for loss in losses)
    return [0 if loss is None else loss * len(losses) / count for loss in losses]


def gaussian(y, i, j, gamma):
    if i == j:
        return 1
    if any(isnan(value) for value in y[i] + y[j]):
        return 0
    return exp(-gamma * sum((a - b) ** 2 for a, b in zip(y[i], y[j])))


def y_aware(z, y, tau, gamma, by_column):
    losses = []
    for a in anchors_of(z):
        others = [b for b in anchors_of(z) if b != a]
        weights = [gaussian(y, a[1], b[1], gamma) for b in others]
        if by_column:
            for k, b in enumerate(others):
                column = [gaussian(y, c[1], b[1], gamma) for c in anchors_of(z) if c != b]
                weights[k] = weights[k] / sum(column) if weights[k] else 0
        elif sum(weights):
            weights = [w / sum(weights) for w in weights]
        if not sum(weights):
            losses.append(None)
            continue
        total = sum(exp(z[a] @ z[b] / tau) for b in others)
        losses.append(-sum(w * (z[a] @ z[b] / tau - log(total)) for w, b in zip(weights, others)))
    return mean_of_counted(losses)


def adaptive_margin(z, y, tau, margin):
    losses = []
    for a in anchors_of(z):
        others = [b for b in anchors_of(z) if b != a]
        logits, positives = [], []
        for b in others:
            t, u = y[a[1]][0], y[b[1]][0]
            m = 0 if isnan(t) or isnan(u) else min(margin * abs(t - u), 2)
            logits.append((z[a] @ z[b] + m) / tau)
            positives.append(a[1] == b[1] or t == u)
        if not any(positives):
            losses.append(None)
            continue
        total = sum(exp(x) for x in logits)
        losses.append(-np.mean([x - log(total) for x, p in zip(logits, positives) if p]))
    return mean_of_counted(losses)


@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("block_size", [None, 2])
@pytest.mark.parametrize("rows", [TARGET, WIDE], ids=["one column", "two columns"])
@pytest.mark.parametrize("normalization", ["row", "column"])
def test_naive_loop_of_y_aware(n_views, block_size, rows, normalization):
    views = draw(n_views)
    objective = YAware(0.3, 0.7, normalization, block_size)
    expected = y_aware(normalize(views).numpy(), rows, 0.3, 0.7, normalization == "column")
    np.testing.assert_allclose(objective(views, target=numbers(rows)), expected, rtol=1e-10)


@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("block_size", [None, 2])
@pytest.mark.parametrize("margin", [0.5, 2.0])  # with 2, the largest is clipped
def test_naive_loop_of_adaptive_margin(n_views, block_size, margin):
    views = draw(n_views)
    objective = AdaptiveMargin(0.3, margin, block_size=block_size)
    expected = adaptive_margin(normalize(views).numpy(), TARGET, 0.3, margin)
    np.testing.assert_allclose(objective(views, target=numbers(TARGET)), expected, rtol=1e-10)


@pytest.mark.parametrize("form", ["outside", "inside"])
@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("block_size", [None, 2, 3])
def test_bias_is_added_to_the_similarities(form, diagonal, block_size):
    a, b = normalize(draw(2))
    B = draw(1, 5, 5, seed=1)[0].requires_grad_()
    P = torch.rand(5, 5, dtype=torch.float64)

    def weights(rows, columns):
        others = OFF_DIAGONAL if diagonal else distinct(rows, columns, a.device)
        return (None if diagonal else P[rows, columns]), others

    def bias(rows, columns):
        return B[rows, columns]

    s = (a @ b.T + B) / 0.3
    expected = s.masked_fill(torch.eye(5, dtype=bool), -torch.inf).logsumexp(1)
    if diagonal:
        value = pair_sums(a, b, weights, 0.3, bias=bias, block_size=block_size).log_partition
    else:
        value, _ = pair_loss(a, b, weights, 0.3, form=form, bias=bias, block_size=block_size)
        share = P / P.sum(1, keepdim=True)
        positive = (share * s).sum(1) if form == "outside" else (share.log() + s).logsumexp(1)
        expected = expected - positive
    same(value, expected)
    (slope,) = torch.autograd.grad(value.sum(), B)
    same(slope, torch.autograd.grad(expected.sum(), B)[0])


# ------------------------------------------------------------------ laws


@pytest.mark.parametrize("n_views", [2, 3])
def test_y_aware_of_an_infinitely_narrow_kernel(n_views):
    views = draw(n_views)
    apart = torch.arange(5.0)[:, None]
    for gamma in (1e3, 1e300, np.inf):
        for normalization in ("row", "column"):
            objective = YAware(0.3, gamma, normalization)
            same(objective(views, target=apart), InfoNCE(0.3)(views))
    labels = torch.tensor([0, 0, 1, 1, 1])
    supcon = SupCon(0.3)(views, target=labels)
    for gamma in (1e3, 1e300, np.inf):
        same(YAware(0.3, gamma)(views, target=labels[:, None].double()), supcon)
        # Equal rows of weights have equal sums: both forms agree.
        column = YAware(0.3, gamma, "column")
        same(column(views, target=labels[:, None].double()), supcon)


def test_y_aware_of_an_infinitely_wide_kernel_has_all_rows_as_positives():
    views = draw(2)
    target = torch.arange(5.0)[:, None]
    supcon = SupCon(0.3)(views, target=torch.zeros(5, dtype=torch.long))
    for normalization in ("row", "column"):
        same(YAware(0.3, 1e-300, normalization)(views, target=target), supcon)


def test_adaptive_margin_without_a_margin_is_supcon():
    for views in (draw(1), draw(2), draw(3)):
        labels = torch.tensor([0, 0, 1, -1, 1])
        target = torch.where(labels < 0, NAN, labels.double())[:, None]
        same(
            AdaptiveMargin(0.3, margin=0.0)(views, target=target),
            SupCon(0.3)(views, target=labels),
        )


@every
def test_unlabelled_rows(objective):
    views = draw(2)
    nothing = torch.full((5, 1), NAN, dtype=torch.float64)
    same(objective(views, target=nothing), InfoNCE(0.3)(views))
    one_label = nothing.clone()
    one_label[2] = 1.5
    same(objective(views, target=one_label), InfoNCE(0.3)(views))
    # An unlabelled row is that of InfoNCE beside labelled ones too.
    loss = objective(views, target=numbers(TARGET))
    same(loss[[3, 8]], InfoNCE(0.3)(views)[[3, 8]])
    loss, grad = evaluate(objective, draw(1), nothing)
    assert not loss.any() and not grad.any()


@every
def test_a_vector_is_a_column(objective):
    target = numbers(TARGET)
    same(objective(draw(), target=target[:, 0]), objective(draw(), target=target))
    integers = torch.tensor([0, 1, 1, 3, 2])
    same(objective(draw(), target=integers), objective(draw(), target=integers.double()))


@every
def test_wider_margins_and_kernels_change_the_loss(objective):
    target = numbers(TARGET)
    name = "gamma" if isinstance(objective, YAware) else "margin"
    other = clone(objective).set_params(**{name: 0.1})
    assert not torch.allclose(objective(draw(), target=target), other(draw(), target=target))


# ------------------------------------------------------------------ numbers that go far


@every
@pytest.mark.parametrize("temperature", [0.1, 1 / 150])
def test_float32_extremes(objective, temperature):
    objective = clone(objective).set_params(temperature=temperature)
    targets = {
        "far": [[-3e38], [3e38], [0.0], [NAN], [1.0]],
        "close": [[1e-38], [2e-38], [0.0], [NAN], [1e-45]],
        "offset": [[2000.0], [2000.5], [2001.0], [NAN], [2000.0]],
        "equal": [[7.0]] * 5,
    }
    for n_views in (1, 2):
        views = draw(n_views, dtype=torch.float32)
        for what, rows in targets.items():
            for named in (
                {"gamma": 1e300, "margin": 1e300},
                {"gamma": 1e-300, "margin": 1e-300},
                {},
            ):
                known = {k: v for k, v in named.items() if k in objective.get_params()}
                chosen = clone(objective).set_params(**known)
                loss, grad = evaluate(chosen, views, torch.tensor(rows))
                assert loss.isfinite().all() and grad.isfinite().all(), (what, known)
    # Opposite rows at the widest margin: logits of 450 in float32.
    flat = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]).expand(2, 2, 2)
    target = torch.tensor([[0.0], [1.0]])
    single, grad = evaluate(objective, flat, target)
    double, _ = evaluate(objective, flat.double(), target.double())
    torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)
    assert grad.isfinite().all()


@every
def test_an_offset_of_the_target_changes_nothing(objective):
    views = draw(dtype=torch.float32)
    target = torch.tensor([[0.0], [0.25], [0.25], [NAN], [1.0]])
    near, far = (objective(views, target=target + shift) for shift in (0, 2**16))
    torch.testing.assert_close(near, far, rtol=0, atol=0)
    if isinstance(objective, YAware):
        wide = target.repeat(1, 30)  # cdist would use a product here
        near, far = (objective(views, target=wide + shift) for shift in (0, 2**16))
        torch.testing.assert_close(near, far)


@every
def test_gradient(objective):
    target = numbers([[0.1], [0.1], [NAN], [0.7]])
    for n_views in (1, 2):
        views = draw(n_views, n=4, d=3).requires_grad_()
        assert torch.autograd.gradcheck(lambda x: objective(x, target=target), views)


# ------------------------------------------------------------------ places of the target


def test_places_are_mid_ranks():
    edges, places = mid_ranks(numbers([3, 1, 1, 7]))
    assert edges.tolist() == [1, 3]
    assert places.tolist() == [0.25, 0.625, 0.875]


@pytest.mark.parametrize("n_bins", [2, 5, 50])
def test_places_of_bins(n_bins):
    rng = np.random.default_rng(0)
    y = np.where(rng.random(200) < 0.4, 0.0, rng.standard_normal(200)).round(1)
    edges, places = mid_ranks(torch.tensor(y), n_bins)
    assert edges.shape == (n_bins - 1,) and places.shape == (n_bins,)
    t = places[torch.searchsorted(edges, torch.tensor(y))].numpy()
    for value in np.unique(t):
        # A bin is a range of values, and its place the share of rows below its middle.
        inside = t == value
        np.testing.assert_allclose(value, np.mean(t < value) + inside.mean() / 2)
        assert inside[(y >= y[inside].min()) & (y <= y[inside].max())].all()
    middle = [np.mean(y < v) + np.mean(y == v) / 2 for v in y]
    expected = np.minimum(np.floor(np.array(middle) * n_bins), n_bins - 1)
    np.testing.assert_array_equal(t[:, None] == t, expected[:, None] == expected)


def test_rows_of_training_are_placed_by_rank():
    y = torch.tensor([[10.0], [NAN], [-5.0], [10.0], [1e30]])
    built = AdaptiveMargin(0.3, n_bins=None).build(5)
    built.prepare({"target": y}, {"target": y})
    placed = numbers([[0.5], [NAN], [0.125], [0.5], [0.875]])
    views = draw()
    same(built.double()(views, target=y), AdaptiveMargin(0.3)(views, target=placed))
    # Rows it did not see go to the next bin, or the last.
    unseen = torch.tensor([[-9.0], [0.0], [11.0], [torch.inf], [NAN]])
    placed = numbers([[0.125], [0.5], [0.875], [0.875], [NAN]])
    same(built(views, target=unseen), AdaptiveMargin(0.3)(views, target=placed))


def test_any_increasing_map_of_the_target_trains_alike():
    generator = torch.Generator().manual_seed(1)
    y = torch.randn(60, 1, generator=generator)
    losses = []
    for target in (y, y.exp(), 1e6 * y - 3):
        built = AdaptiveMargin().build(60)
        built.prepare({"target": target}, {"target": target})
        losses.append(built(draw(n=60, dtype=torch.float32), target=target))
    torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=0)
    torch.testing.assert_close(losses[2], losses[0], rtol=0, atol=0)


# ------------------------------------------------------------------ bad input


def test_a_target_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="YAware needs one row of numbers for each of the 5"):
        YAware()(draw(), target=torch.zeros(4))
    with pytest.raises(ValueError, match=r"AdaptiveMargin needs one row .* shape \(5, 1, 1\)"):
        AdaptiveMargin()(draw(), target=torch.zeros(5, 1, 1))
    with pytest.raises(ValueError, match="got 2 columns: pass one column of y, or type"):
        AdaptiveMargin()(draw(), target=numbers(WIDE))
    for cls in (YAware, AdaptiveMargin):
        with pytest.raises(ValueError, match=f"not defined for {cls.__name__}"):
            cls("individual").build(5)


# ------------------------------------------------------------------ estimators

SMALL = {"max_iter": 2, "n_components": 3, "random_state": 0, "batch_size": 16}


def table(n=40, scale=1.0, shift=0.0):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 5))
    return X, scale * (X[:, 0] + 0.1 * rng.standard_normal(n)) + shift


@pytest.mark.parametrize("name", ["y_aware", "adaptive_margin"])
def test_an_estimator_trains_on_numbers(name):
    X, y = table(scale=1e12, shift=1e13)
    y[::4] = NAN
    encoder = ContrastiveEncoder(objective=name, **SMALL).fit(X, y)
    assert np.isfinite(encoder.transform(X)).all()
    assert np.isfinite(encoder.loss_curve_).all()
    # The unit of the target does not matter.
    again = ContrastiveEncoder(objective=name, **SMALL).fit(X, 2**-30 * y)
    np.testing.assert_allclose(again.transform(X), encoder.transform(X), rtol=1e-4, atol=1e-5)
    other = ContrastiveEncoder(objective="info_nce", **SMALL).fit(X)
    assert not np.allclose(other.transform(X), encoder.transform(X))


@pytest.mark.parametrize("n_bins", [20, None])
def test_later_calls_with_other_rows(n_bins):
    X, y = table()
    encoder = ContrastiveEncoder(objective=AdaptiveMargin(n_bins=n_bins), **SMALL)
    encoder.partial_fit(X[:20], y[:20]).partial_fit(X[20:35], y[20:35].round())
    assert np.isfinite(encoder.transform(X)).all()
    encoder.set_params(warm_start=True, early_stopping=True).fit(X, y)
    assert np.isfinite(encoder.transform(X)).all()


def test_estimators_and_columns():
    X, y = table()
    Y = np.column_stack([y, -(y**2)])
    encoder = ContrastiveEncoder(objective="y_aware", **SMALL).fit(X, Y)
    assert np.isfinite(encoder.transform(X)).all()
    with pytest.raises(ValueError, match="got 2 columns: pass one column of y"):
        ContrastiveEncoder(objective="adaptive_margin", **SMALL).fit(X, Y)
    one_view = ContrastiveEncoder(objective="y_aware", n_views=1, **SMALL).fit(X, y)
    assert np.isfinite(one_view.transform(X)).all()
    both = YAware() + 0.5 * AdaptiveMargin()
    assert np.isfinite(ContrastiveEncoder(objective=both, **SMALL).fit(X, y).loss_curve_).all()
