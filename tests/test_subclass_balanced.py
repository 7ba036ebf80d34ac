"""SubclassBalanced: the formula as loops, its limits, and how subclasses are made."""

from math import exp, log

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from test_checkpoint import Killed, Killer

from skcontrast import ContrastiveEncoder
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE, SubclassBalanced, SupCon
from skcontrast.objectives._subclasses import split_classes

TARGET = [0, 0, 0, 0, 1, -1, 1, -1]
SUBCLASS = [0, 0, 1, 0, 0, 7, 0, 7]  # numbered within each class
RELATIVE = [0.7, 1.4]


def draw(n_views=2, n=8, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def naive(views, form, tau, base, gamma, relative=(1, 1)):
    """Loss of each anchor, as in the formula."""
    z = views.numpy() / np.linalg.norm(views.numpy(), axis=-1, keepdims=True)
    rows = [(v, i) for v in range(len(z)) for i in range(len(z[0]))]

    def term(a, positives, candidates, tau):
        total = log(sum(exp(z[a] @ z[k] / tau) for k in candidates)) if candidates else 0
        return -np.mean([z[a] @ z[p] / tau - total for p in positives]) if positives else None

    terms = [], []
    for a in rows:
        others = [b for b in rows if b != a]
        twins = [b for b in others if b[1] == a[1]]
        label = TARGET[a[1]]
        same = [b for b in others if b in twins or TARGET[b[1]] == label != -1]
        part = [b for b in same if b in twins or SUBCLASS[b[1]] == SUBCLASS[a[1]]]
        terms[0].append(term(a, part, others, tau))
        if form == "rank":
            same = [b for b in same if b not in part] + twins
            others = [b for b in others if b not in part] + twins
        own = tau * relative[label] if form == "rank" and label != -1 else tau
        terms[1].append(term(a, same, others, own))
    out = np.zeros(len(rows))
    for weight, losses in zip((tau / (base or tau), gamma), terms):
        share = np.mean([loss is not None for loss in losses])
        out += [0 if loss is None else weight * loss / share for loss in losses]
    return out


@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("form", ["ccl", "rank"])
@pytest.mark.parametrize("base", [None, 0.07])
def test_naive_loop(n_views, form, base):
    views = draw(n_views)
    named = {"target": torch.tensor(TARGET), "subclass": torch.tensor(SUBCLASS)}
    if form == "rank":
        named["relative_temperature"] = torch.tensor(RELATIVE, dtype=torch.float64)
    expected = naive(views, form, 0.3, base, 0.4, RELATIVE)
    for block_size in (None, 1, 5):
        objective = SubclassBalanced(0.3, base, 0.4, form, block_size=block_size)
        np.testing.assert_allclose(objective(views, **named), expected, rtol=1e-12)


@pytest.mark.parametrize("n_views", [1, 2])
def test_classes_that_are_not_split_are_weighted_supcon(n_views):
    views, target = draw(n_views), torch.tensor(TARGET)
    reference = SupCon(0.3)(views, target=target)
    for subclass in (None, target, torch.zeros(8, dtype=torch.long)):
        value = SubclassBalanced(0.3, 0.1, 0.4, "ccl")(views, target=target, subclass=subclass)
        torch.testing.assert_close(value, (3 + 0.4) * reference)
    torch.testing.assert_close(SubclassBalanced(0.3, gamma=0)(views, target=target), reference)


def test_every_row_a_subclass():
    # The first term sees the views of a row only; the second, in both forms, the class.
    views, target = draw(), torch.tensor(TARGET)
    for form in ("ccl", "rank"):
        objective = SubclassBalanced(0.3, gamma=0.4, form=form)
        value = objective(views, target=target, subclass=torch.arange(8))
        expected = InfoNCE(0.3)(views) + 0.4 * SupCon(0.3)(views, target=target)
        torch.testing.assert_close(value, expected)


def test_rows_of_the_subclass_are_no_candidates_in_the_second_term():
    target = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
    subclass = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    named = {"target": target, "subclass": subclass}
    views = draw().requires_grad_()
    with_it, without = (SubclassBalanced(gamma=g)(views, **named)[0] for g in (1, 0))
    (gradient,) = torch.autograd.grad(with_it - without, views)
    size = gradient.abs().amax(dim=(0, 2))
    assert size[1] < 1e-15 < 1e-3 < min(size[i] for i in (0, 2, 3, 4, 7))


def test_unlabelled_rows_have_their_views_only():
    views = draw()
    value = SubclassBalanced(0.3)(views, target=torch.full((8,), -1))
    info = InfoNCE(0.3)(views)
    # The twin is all that is left of the second term's candidates beside the other rows.
    torch.testing.assert_close(value, info + 0.25 * info)
    one = SubclassBalanced()(views[:1], target=torch.full((8,), -1))
    assert not one.any()


@pytest.mark.parametrize("form", ["ccl", "rank"])
def test_float32_at_its_ends(form):
    views = draw().float()
    views[:, :4] = views[0, 0]
    named = {"target": torch.tensor(TARGET), "subclass": torch.tensor(SUBCLASS)}
    named["relative_temperature"] = torch.tensor([0.1, 3.0])
    for tau in (0.002, 0.01, 1e3):
        for scale in (1e-30, 1, 1e18):
            x = (views * scale).requires_grad_()
            loss = SubclassBalanced(tau, form=form)(x, **named)
            (gradient,) = torch.autograd.grad(loss.mean(), x)
            assert loss.isfinite().all() and gradient.isfinite().all()


def test_bad_input():
    with pytest.raises(ValueError, match="one target for each of the 8 samples"):
        SubclassBalanced()(draw(), target=torch.zeros(8, 2))
    with pytest.raises(ValueError, match="one subclass for each of the 8 samples"):
        SubclassBalanced()(draw(), target=torch.zeros(8), subclass=torch.zeros(3))


# -------------------------------------------------------------- how classes are split


def groups(sizes, spread=0.05, seed=0):
    """Unit rows around as many random directions as there are sizes."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(sizes), 5))
    rows = np.repeat(centres, sizes, 0) + spread * rng.standard_normal((sum(sizes), 5))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_large_class_is_split_into_its_groups():
    rows = groups([20, 20, 20, 20])
    group = np.repeat(range(4), 20)
    codes = np.where(group < 3, 0, 1)
    codes[:2] = -1
    subclass, relative = split_classes(rows, codes, 10, 0)
    assert (subclass[:2] == -1).all()
    # Two parts, 58 // 20, for the three groups of the head: none of these is torn.
    assert np.unique(subclass[2:]).tolist() == [0, 1, 2]
    for g in range(3):
        assert len(np.unique(subclass[2:][group[2:] == g])) == 1
    assert relative[1] == 1 and relative[0] != 1
    assert (split_classes(rows, codes, 10, 0)[0] == subclass).all()


@pytest.mark.parametrize(
    "counts, cluster_size, expected",
    [
        ([100, 35, 5], 10, [10, 3, 1]),
        ([100, 35, 20], 10, [5, 1, 1]),
        ([100, 35, 5], 1, [20, 7, 1]),
        ([7, 1, 1], 1, [7, 1, 1]),
        ([4, 0, 2], 1, [2, 1, 1]),
        ([30], 10, [1]),
    ],
)
def test_number_of_subclasses(counts, cluster_size, expected):
    rows = groups([1] * sum(counts))
    codes = np.repeat(range(len(counts)), counts)
    subclass, relative = split_classes(rows, codes, cluster_size, 0)
    found = [len(np.unique(subclass[codes == c])) for c in range(len(counts))]
    assert found == [k if counts[c] else 0 for c, k in enumerate(expected)]
    assert len(np.unique(subclass)) == sum(found)
    assert (relative[np.array(expected) == 1] == 1).all()


def test_temperatures_follow_the_density():
    rng = np.random.default_rng(0)
    sizes, spreads = [60, 60, 60, 60, 60, 10], [0.01, 0.1, 0.2, 0.3, 2.0, 0.1]
    rows = np.concatenate([groups([n], s, i) for i, (n, s) in enumerate(zip(sizes, spreads))])
    codes = np.repeat(range(6), sizes)
    order = rng.permutation(len(codes))
    _, relative = split_classes(rows[order], codes[order], 10, 0)
    density = []
    for c in range(6):
        own = rows[codes == c]
        distances = [np.linalg.norm(row - own.mean(0)) for row in own]
        density.append(np.mean(distances) / log(len(own) + 10))
    kept = np.clip(density, *np.percentile(density, [20, 80]))
    expected = kept / kept.mean()
    expected[5] = 1  # not split
    np.testing.assert_allclose(relative, expected)
    assert relative[0] < relative[2] < relative[4]


@pytest.mark.parametrize("codes", [[0] * 40 + [1] * 10, [-1] * 50, [0] * 49 + [1], [0] * 50])
def test_equal_rows(codes, recwarn):
    rows = np.tile(groups([1]), (50, 1))
    subclass, relative = split_classes(rows, np.array(codes), 10, 0)
    assert subclass.shape == (50,) and (relative == 1).all()
    rows[:8] = groups([8], 0.5, seed=1)
    _, relative = split_classes(rows, np.array(codes), 10, 0)
    assert (relative >= 0.1).all() and np.isfinite(relative).all()
    assert not recwarn.list


# ------------------------------------------------------------------------- in training


def long_tail(n_unlabelled=0):
    """A head class of three groups and a tail class of one."""
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2, 3], [20, 20, 20, 12])
    centres = 6 * rng.standard_normal((4, 5))
    X, y = centres[group] + rng.standard_normal((72, 5)), np.where(group < 3, 0, 1)
    y[:n_unlabelled] = -1
    return X, y, group


X, Y, GROUP = long_tail(n_unlabelled=3)
HEAD = Y == 0


def encoder(max_iter=6, warm_up=2, refresh_every=2, **params):
    objective = SubclassBalanced(warm_up=warm_up, refresh_every=refresh_every)
    small = {"network": MLP((8,)), "views": "corruption", "batch_size": 24, "n_components": 3}
    params = {"objective": objective, **small, "random_state": 0, **params}
    return ContrastiveEncoder(max_iter=max_iter, **params)


def subclasses(model):
    return model.objective_weights_["subclass"]


def test_the_head_is_split():
    model = encoder(max_iter=12).fit(X, Y)
    found = subclasses(model)
    assert len(np.unique(found[HEAD])) == 57 // 12
    assert len(np.unique(found[Y == 1])) == 1
    assert (found[Y == -1] == -1).all()
    assert adjusted_rand_score(GROUP[HEAD], found[HEAD]) > 0.6
    assert model.objective_weights_["relative_temperature"].tolist()[1] == 1
    again = clone(model).fit(X, Y)
    assert np.array_equal(subclasses(again), found)
    assert again.loss_curve_ == model.loss_curve_
    assert np.array_equal(again.transform(X), model.transform(X))


@pytest.mark.parametrize("max_iter, warm_up", [(3, 10), (3, 3)])
def test_a_short_training_is_supcon(max_iter, warm_up):
    model = encoder(max_iter=max_iter, warm_up=warm_up).fit(X, Y)
    reference = encoder(max_iter=max_iter, objective="supcon").fit(X, Y)
    assert model.loss_curve_ == reference.loss_curve_
    assert np.array_equal(model.transform(X), reference.transform(X))
    assert np.array_equal(subclasses(model), Y)


def test_when_classes_are_split(monkeypatch):
    built = SubclassBalanced(warm_up=3, refresh_every=4).build(len(Y))
    built.prepare({"target": torch.tensor(Y)}, {})
    seen = []
    monkeypatch.setattr(built, "renew", lambda rows: seen.append(int(built.n_epochs)))
    warming = []
    for epoch in range(13):
        built.refresh(epoch, lambda: None)
        warming.append(built.warming)
    assert seen == [3, 7, 11]
    assert warming == [True] * 3 + [False] * 10


def test_projections_that_are_not_finite_keep_the_subclasses():
    built = SubclassBalanced(warm_up=0).build(len(Y))
    built.prepare({"target": torch.tensor(Y)}, {})
    built.refresh(0, lambda: torch.full((len(Y), 2), torch.nan))
    assert np.array_equal(built.subclass, Y)
    built.renew(torch.randn(len(Y), 2))
    assert len(built.subclass.unique()) == 57 // 12 + 2


def test_held_out_rows_are_split_too():
    model = encoder(max_iter=8, warm_up=0, early_stopping=True, validation_fraction=0.3)
    model.fit(X, Y)
    assert len(np.unique(subclasses(model)[HEAD])) == 57 // 12
    assert np.isfinite(model.validation_curve_).all()


@pytest.mark.parametrize("objective", [2.0 * SubclassBalanced(warm_up=0), None])
def test_in_a_sum(objective):
    if objective is None:
        objective = InfoNCE() + SubclassBalanced("learned", warm_up=1, form="ccl")
    model = encoder(objective=objective).fit(X, Y)
    (name,) = (key for key in model.objective_weights_ if key.endswith("subclass"))
    assert len(np.unique(model.objective_weights_[name][HEAD])) == 57 // 12


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_resumed_equals_unbroken(epoch, tmp_path):
    unbroken = encoder(max_iter=7).fit(X, Y)
    model = encoder(max_iter=7, checkpoint=Checkpoint(tmp_path, every=1))
    with pytest.raises(Killed):
        clone(model).set_params(callbacks=[Killer(epoch)]).fit(X, Y)
    resumed = clone(model).fit(X, Y)
    assert resumed.loss_curve_ == unbroken.loss_curve_
    for key, value in unbroken.objective_weights_.items():
        assert np.array_equal(resumed.objective_weights_[key], value), key
    assert np.array_equal(resumed.transform(X), unbroken.transform(X))


def test_warm_start_goes_on_with_the_subclasses():
    model = encoder(max_iter=3, warm_start=True).fit(X, Y)
    first = subclasses(model)
    assert len(np.unique(first[HEAD])) == 57 // 12
    model.set_params(max_iter=1).fit(X, Y)  # the fourth epoch, with the same subclasses
    assert np.array_equal(subclasses(model), first)
    assert model.objective_weights_["n_epochs"] == 4
    with pytest.raises(ValueError, match="keeps a state for each row"):
        model.fit(X[:50], Y[:50])


def test_partial_fit_counts_its_epochs():
    model = encoder(warm_up=2)
    for _ in range(2):
        model.partial_fit(X, Y)
    assert np.array_equal(subclasses(model), Y)
    model.partial_fit(X, Y)
    assert len(np.unique(subclasses(model)[HEAD])) == 57 // 12


@pytest.mark.parametrize(
    "y", [[0] * 40 + [1], [0] * 20 + [1] * 20 + [-1], [-1] * 40 + [0], [0, 1] + [-1] * 39]
)
@pytest.mark.parametrize("n_views", [1, 2])
@pytest.mark.parametrize("cluster_size", [1, 10])
def test_odd_targets(y, n_views, cluster_size):
    objective = SubclassBalanced(cluster_size=cluster_size, warm_up=0, refresh_every=1)
    model = encoder(max_iter=2, objective=objective, n_views=n_views)
    model.fit(X[:41], np.array(y))
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.transform(X)).all()
