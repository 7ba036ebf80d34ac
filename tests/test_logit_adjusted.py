"""LogitAdjusted: the formula as loops, its limits, and a training on a long tail."""

from math import exp, log

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from skcontrast import ContrastiveEncoder, functional
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE, LogitAdjusted

TARGET = [0, 2, 0, -1, 2, 2, 5]


def draw(n_views=2, n=7, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def naive(views, target, tau, adjustment, prior, queued=None):
    """Loss of each anchor, as in the formula; ``prior`` maps classes to frequencies.

    ``queued`` holds rows as further keys, with their classes and numbers.
    """
    z = views.numpy() / np.linalg.norm(views.numpy(), axis=-1, keepdims=True)
    rows = [(v, i) for v in range(len(z)) for i in range(len(z[0]))]
    further = list(zip(*queued.values())) if queued else []
    losses = []
    for a in rows:
        logits = {}
        for c in prior:
            keys = [z[b] for b in rows if b != a and target[b[1]] == c]
            keys += [k / np.linalg.norm(k) for k, own, i in further if own == c and i != a[1]]
            if keys:
                score = log(sum(exp(z[a] @ k / tau) for k in keys)) - log(len(keys))
                logits[c] = score + adjustment * log(prior[c])
        y = target[a[1]]
        counts = y != -1 and y in logits
        losses.append(log(sum(map(exp, logits.values()))) - logits[y] if counts else None)
    n_counted = sum(loss is not None for loss in losses)
    return [0 if loss is None else loss * len(losses) / n_counted for loss in losses]


def frequencies(target):
    labelled = [y for y in target if y != -1]
    return {c: labelled.count(c) / len(labelled) for c in labelled}


@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("adjustment", [0.0, 0.5, 1.0, 2.0])
def test_naive_loop(n_views, adjustment):
    views = draw(n_views)
    expected = naive(views, TARGET, 0.3, adjustment, frequencies(TARGET))
    for block_size in (None, 1, 4):
        objective = LogitAdjusted(0.3, adjustment, block_size=block_size)
        value = objective(views, target=torch.tensor(TARGET))
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_a_prior_of_the_training_rows():
    target = [0, 1, 1, 3, 3, -1, 3]
    prior = {0: 0.1, 1: 0.2, 2: 0.4, 3: 0.3}  # no row of class 2 in the batch
    expected = naive(draw(), target, 0.3, 1.0, prior)
    given = torch.tensor(list(prior.values()), dtype=torch.float64)
    value = LogitAdjusted(0.3)(draw(), target=torch.tensor(target), class_prior=given)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    built = LogitAdjusted(0.3).build(7)
    rows = torch.tensor([0] + [1] * 2 + [2] * 4 + [3] * 3 + [-1] * 5)
    built.prepare({"target": rows}, {})
    torch.testing.assert_close(built.class_prior, given)
    assert not built.state_dict()
    value = built.double()(draw(), target=torch.tensor(target))
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_codes_of_the_classes_do_not_matter():
    target = torch.tensor(TARGET)
    other = torch.tensor([100, 3, 100, -1, 3, 3, 0])
    value = LogitAdjusted()(draw(), target=target)
    torch.testing.assert_close(LogitAdjusted()(draw(), target=other), value)


def test_balanced_classes_need_no_adjustment():
    target = torch.tensor([0, 0, 1, 1, 2, 2])
    views = draw(n=6)
    value = LogitAdjusted(adjustment=0)(views, target=target)
    torch.testing.assert_close(LogitAdjusted(adjustment=1)(views, target=target), value)


def test_two_classes_are_a_logistic_regression_on_the_scores():
    target = torch.tensor([0, 0, 0, 0, 1, 1, 1])
    z = functional.normalize(draw(1)[0])
    s = torch.exp(z @ z.T / 0.3).fill_diagonal_(0)
    own = (target[:, None] == target).double()
    own_mean = (s * own).sum(1) / (own.sum(1) - 1)
    other_mean = (s * (1 - own)).sum(1) / (1 - own).sum(1)
    share = torch.where(target == 0, 4 / 7, 3 / 7).double()
    odds = own_mean * share / (other_mean * (1 - share))
    value = LogitAdjusted(0.3)(z[None], target=target)
    torch.testing.assert_close(value, torch.log1p(1 / odds))


def test_every_row_a_class_is_info_nce_among_the_samples():
    # With equal views, the mean over a class's two keys is one candidate for each sample.
    same = draw()[:1].expand(2, 7, 4)
    value = LogitAdjusted(0.3, adjustment=0)(same, target=torch.arange(7))
    torch.testing.assert_close(value, InfoNCE(0.3, form="two_way")(same))


def test_a_larger_frequency_asks_for_less():
    target = torch.tensor([0, 0, 0, 0, 0, 1, 1])
    plain = LogitAdjusted(adjustment=0)(draw(), target=target).view(2, 7)
    value = LogitAdjusted(adjustment=1)(draw(), target=target).view(2, 7)
    assert (value[:, :5] < plain[:, :5]).all()
    assert (value[:, 5:] > plain[:, 5:]).all()


def test_unlabelled_rows_take_no_part():
    views = draw().requires_grad_()
    target = torch.tensor(TARGET)
    loss = LogitAdjusted()(views, target=target)
    (gradient,) = torch.autograd.grad(loss.mean(), views)
    assert not loss.view(2, 7)[:, 3].any() and not gradient[:, 3].any()
    kept = target != -1
    rest = LogitAdjusted()(views[:, kept], target=target[kept])
    torch.testing.assert_close(rest.mean(), loss.mean())


@pytest.mark.parametrize("target", [[-1] * 7, [-1] * 6 + [0], [0] * 7, list(range(7))])
@pytest.mark.parametrize("n_views", [1, 2])
def test_nothing_to_compare(target, n_views):
    views = draw(n_views).requires_grad_()
    loss = LogitAdjusted()(views, target=torch.tensor(target))
    (gradient,) = torch.autograd.grad(loss.mean(), views)
    assert loss.isfinite().all() and gradient.isfinite().all()
    if n_views == 1 or len(set(target)) < 7:
        assert not loss.any()


@pytest.mark.parametrize("tau", [0.002, 0.01, 100.0])
def test_far_classes_keep_their_digits_in_float32(tau):
    # exp(-2 / 0.002) is zero in float32 beside the nearest class.
    angle = torch.tensor([0.0, 0.1, 3.0, 3.1, 1.5, 1.6])
    views = torch.stack([angle.cos(), angle.sin()], 1)[None].clone().requires_grad_()
    target = torch.tensor([0, 0, 1, 1, 2, 2])
    scores = functional.log_mean_by_class(
        views[0], views[0], target, 3, tau, keep=lambda r, c: functional.distinct(r, c, "cpu")
    )
    double = functional.log_mean_by_class(
        *[views[0].double()] * 2, target, 3, tau,
        keep=lambda r, c: functional.distinct(r, c, "cpu"),
    )  # fmt: skip
    torch.testing.assert_close(scores.double(), double, rtol=1e-4, atol=1e-4)
    loss = LogitAdjusted(tau)(views, target=target)
    (gradient,) = torch.autograd.grad(loss.mean(), views)
    assert loss.isfinite().all() and gradient.isfinite().all()


def test_gradient_of_the_scores_of_each_class():
    x = draw(1)[0].requires_grad_()
    keys = draw(1, seed=1)[0].requires_grad_()
    tau = torch.linspace(0.2, 0.8, 7, dtype=torch.float64).requires_grad_()
    labels = torch.tensor([0, 2, 0, -1, 2, 2, 0])  # class 1 has no key

    def scores(x, keys, tau, block_size):
        out = functional.log_mean_by_class(x, keys, labels, 3, tau, block_size=block_size)
        assert out[:, 1].isneginf().all()
        return out[:, [0, 2]]

    for block_size in (None, 3):
        assert torch.autograd.gradcheck(scores, (x, keys, tau, block_size))


def test_learned_temperature():
    built = LogitAdjusted("learned").build(7).double()
    built(draw(), target=torch.tensor(TARGET)).mean().backward()
    assert built.temperature.log_tau.grad.abs() > 0


def test_bad_input():
    with pytest.raises(ValueError, match="one class label for each of the 7 samples"):
        LogitAdjusted()(draw(), target=torch.zeros(7, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="target holds classes up to 5: pass one frequency"):
        LogitAdjusted()(draw(), target=torch.tensor(TARGET), class_prior=torch.ones(3) / 3)


def test_training_on_a_long_tail():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [150, 30, 10])
    X = rng.standard_normal((190, 6)) + 2 * rng.standard_normal((3, 6))[y]
    y[::7] = -1
    model = ContrastiveEncoder(
        4,
        objective="logit_adjusted",
        network=MLP((16,)),
        views="corruption",
        max_iter=30,
        batch_size=64,
        learning_rate=1e-2,
        random_state=0,
    )
    first = model.fit(X, y)
    assert first.loss_curve_[-1] < 0.7 * first.loss_curve_[0]
    assert first.objective_weights_ == {}
    Z, kept = first.transform(X), y != -1
    assert LogisticRegression().fit(Z[kept], y[kept]).score(Z[kept], y[kept]) > 0.9
    assert np.array_equal(model.fit(X, y).transform(X), Z)
    model.set_params(warm_start=True, max_iter=2).fit(X[:100], y[:100])


def test_partial_fit_may_meet_other_classes():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 3
    model = ContrastiveEncoder(
        3, objective=LogitAdjusted("learned"), network="linear", views="noise", random_state=0
    )
    model.partial_fit(X[y < 2], y[y < 2]).partial_fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(model.loss_curve_).all()


def test_queues_hold_the_latest_rows_of_each_class():
    views = draw(1, n=9)
    target = torch.tensor([0, 1, 0, 0, -1, 0, 1, 2, 0])
    built = LogitAdjusted(0.3, queue_size=3).build(9).double()
    built.prepare({"target": torch.arange(4)}, {"width": 4})
    built.double()
    queues = {c: [] for c in range(4)}
    for batch in ([0, 1, 2], [3, 4, 5, 8], [6, 7], [0, 2, 3, 5, 8]):  # of sizes that do not divide
        named = {"target": target[batch], "index": torch.tensor(batch)}
        rows = views[:, batch].clone().requires_grad_()
        keys = [(i, c) for c, queue in queues.items() for i in queue]
        loss = built(rows, **named)
        loss.mean().backward()
        further = {
            "queue": [views[0, i].numpy() for i, _ in keys],
            "queue_target": [c for _, c in keys],
            "queue_index": [batch.index(i) if i in batch else -1 for i, _ in keys],
        }
        prior = dict.fromkeys(range(4), 0.25)
        expected = naive(rows.detach(), target[batch].tolist(), 0.3, 1.0, prior, further)
        np.testing.assert_allclose(loss.detach(), expected, rtol=1e-12)
        for i in batch:
            if target[i] >= 0:
                queues[int(target[i])] = [*queues[int(target[i])], i][-3:]
        held = [sorted(i for i in row if i >= 0) for row in built.queued.tolist()]
        assert held == [sorted(queue) for queue in queues.values()]
    built.eval()
    before = built.queued.clone()
    built(views[:, :3], target=target[:3], index=torch.arange(3))
    assert torch.equal(built.queued, before)


@pytest.mark.parametrize("queue_size", [0, 2])
def test_keys_that_another_term_reads_are_none_of_its_own(queue_size):
    objective = InfoNCE(queue_size=8) + LogitAdjusted(queue_size=queue_size)
    settings = {"momentum": 0.9, "max_iter": 1, "batch_size": 16, "random_state": 0}
    X, y = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 3
    encoder = ContrastiveEncoder(objective=objective, **settings).fit(X, y)
    assert np.isfinite(encoder.loss_curve_).all()


def test_a_class_that_the_batch_lacks_has_keys():
    built = LogitAdjusted(0.3, queue_size=2).build(8)
    built.prepare({"target": torch.tensor([0, 0, 1])}, {"width": 4})
    views = draw(n=4).float()
    first = built(views, target=torch.tensor([0, 0, 1, 0]), index=torch.arange(4))
    alone = built(views[:, :2], target=torch.tensor([0, 0]), index=torch.arange(4, 6))
    assert first.all() and alone.all()  # without the queue there is one class, and no loss
    none = LogitAdjusted(0.3)(views[:, :2], target=torch.tensor([0, 0]))
    np.testing.assert_allclose(none, 0, atol=1e-6)


def test_queues_go_on_where_a_training_does():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), np.r_[np.zeros(50, int), np.ones(10, int)]
    settings = {"objective": LogitAdjusted(queue_size=5), "batch_size": 16, "random_state": 0}
    encoder = ContrastiveEncoder(warm_start=True, max_iter=2, **settings).fit(X, y)
    state = encoder.objective_weights_
    assert state["queue"].shape == (2, 5, 256) and (state["queued"] >= 0).all()
    assert state["n_pushed"].tolist() == [2 * 50, 2 * 10]
    np.testing.assert_array_equal(y[state["queued"]], [[0] * 5, [1] * 5])
    again = encoder.fit(X, y).objective_weights_
    assert again["n_pushed"].tolist() == [4 * 50, 4 * 10]
