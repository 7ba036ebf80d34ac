"""Negatives that are left out or weighed: by groups, by memberships, by falling scores."""

from math import exp, log

import numpy as np
import pytest
import test_objectives_naive as plain
import torch
from instances import blobs
from sklearn.base import clone

from skcontrast import ContrastiveEncoder
from skcontrast.functional import normalize
from skcontrast.objectives import (
    DCLR,
    DecoupledContrastive,
    HardNegative,
    InfoNCE,
    MinedNegatives,
    PositiveAware,
    SupCon,
)

X, Y = blobs()
GROUPS = [0, 1, 0, 2, 1, 0]
TAU = 0.3


def draw(n_views=2, n=6, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def of_groups(z, groups, form, hard=False):
    """Loss of each anchor; rows of its group are candidates only where they are its own."""
    losses = []
    for a in plain.anchors_of(z[: len(z) - hard]):
        if form == "one_way" and a[0]:
            continue
        others = [b for b in plain.anchors_of(z[: len(z) - hard]) if b != a]
        if form != "ntxent":
            others = [b for b in others if b[0] != a[0]]
        others = [b for b in others if b[1] == a[1] or groups[b[1]] != groups[a[1]]]
        if hard:
            others += [(2, j) for j in range(z.shape[1])]
        total = sum(exp(z[a] @ z[b] / TAU) for b in others)
        losses.append(log(total) - z[a] @ z[1 - a[0], a[1]] / TAU)
    return torch.tensor(losses)


@pytest.mark.parametrize("block_size", [None, 4])
@pytest.mark.parametrize("form", ["ntxent", "two_way", "one_way"])
def test_rows_of_a_group_are_no_negatives(form, block_size):
    views, groups = draw(), torch.tensor(GROUPS)
    objective = InfoNCE(TAU, form, exclude="groups", block_size=block_size)
    assert objective.requires == ("views", "groups")
    same(objective(views, groups=groups), of_groups(normalize(views).numpy(), GROUPS, form))
    if form == "ntxent":
        mined = MinedNegatives(TAU, exclude="groups", block_size=block_size)
        same(mined(views, groups=groups), objective(views, groups=groups))


def test_hard_negatives_of_the_group_stay():
    views, groups = draw(3), torch.tensor(GROUPS)
    z = normalize(views).numpy()
    hard = InfoNCE(TAU, "one_way", hard_negatives=True, exclude="groups")
    same(hard(views, groups=groups), of_groups(z, GROUPS, "one_way", hard=True))
    weighted = clone(hard).set_params(hard_negative_weight=1e-14)
    same(weighted(views, groups=groups), hard(views, groups=groups))


def test_groups_of_one_row_exclude_nothing():
    for form in ("ntxent", "two_way", "one_way"):
        views = draw()
        same(
            InfoNCE(TAU, form, exclude="groups")(views, groups=torch.arange(6)),
            InfoNCE(TAU, form)(views),
        )
    alone = InfoNCE(TAU, exclude="groups")(draw(), groups=torch.zeros(6, dtype=torch.long))
    same(alone, torch.zeros(12, dtype=torch.float64))


def test_with_classes_as_groups_the_negatives_are_those_of_supcon():
    # The partition of SupCon's inside form is over all others; less its positives it is ours.
    views, groups = draw(), torch.tensor([0, 0, 0, 1, 1, 1])
    z = normalize(views).flatten(0, 1)
    s, code = z @ z.T / TAU, groups.repeat(2)
    twin = torch.eye(6, dtype=torch.bool).repeat(2, 2) & ~torch.eye(12, dtype=torch.bool)
    negative = code[:, None] != code
    positive = s[twin]
    ours = InfoNCE(TAU, exclude="groups")(views, groups=groups)
    same((ours + positive).exp() - positive.exp(), (s.exp() * negative).sum(1))
    P = ~negative & ~torch.eye(12, dtype=torch.bool)
    total = (s.exp() * P).sum(1) + (s.exp() * negative).sum(1)
    inside = -((s.exp() * P).sum(1) / P.sum(1) / total).log()
    same(SupCon(TAU, "inside")(views, target=groups), inside)


def test_a_rule_that_counts_all_rows_excludes_none():
    with pytest.raises(ValueError, match="exclude='groups' leaves some out: use a number"):
        InfoNCE("individual", exclude="groups").build(6)


# ------------------------------------------------------------------- weights


def test_weight_of_the_positive():
    views = draw()
    plain_ = HardNegative(TAU, 0.0, beta=0.0)
    same(clone(plain_)(views), InfoNCE(TAU)(views))
    without = HardNegative(TAU, 0.0, beta=0.0, positive_weight=0.0)
    same(without(views), DecoupledContrastive(TAU)(views))
    # alpha e+ + N, read off the two ends.
    half = HardNegative(TAU, 0.0, beta=0.7, positive_weight=0.5)(views)
    ends = [HardNegative(TAU, 0.0, beta=0.7, positive_weight=a)(views).exp() for a in (0.0, 1.0)]
    same(half.exp(), (ends[0] + ends[1]) / 2)


def soft(z, prior):
    losses = []
    for a in plain.anchors_of(z):
        total = 0
        for b in plain.anchors_of(z):
            if b != a:
                weight = 1 if b[1] == a[1] else 1 - min(max(prior[a[1]] @ prior[b[1]], 0), 1)
                total += weight * exp(z[a] @ z[b] / TAU)
        losses.append(log(total) - z[a] @ z[1 - a[0], a[1]] / TAU)
    return torch.tensor(losses)


@pytest.mark.parametrize("block_size", [None, 4])
def test_soft_weights_are_one_less_the_chance_of_one_cluster(block_size):
    views, prior = draw(), draw(1, d=3, seed=1)[0].softmax(1)
    objective = DCLR(TAU, "prior", weight="soft", block_size=block_size)
    same(objective(views, prior=prior), soft(normalize(views).numpy(), prior.numpy()))
    same(objective(views, prior=torch.zeros(6, 3)), InfoNCE(TAU)(views))
    certain = torch.eye(3, dtype=torch.float64)[torch.tensor(GROUPS)]
    same(objective(views, prior=certain), DCLR(TAU, "prior")(views, prior=certain))
    groups = InfoNCE(TAU, exclude="groups")(views, groups=torch.tensor(GROUPS))
    same(objective(views, prior=certain), groups)


def test_steps_of_the_noise_raise_the_loss():
    views, noise = draw(), draw(1, n=3, seed=2)[0]
    losses = [DCLR(TAU, noise_steps=k)(views, noise=noise).mean() for k in (0, 1, 4, 50)]
    assert (torch.stack(losses).diff() > 0).all()
    z = views.clone().requires_grad_()
    with torch.no_grad():  # as with rows held out
        same(DCLR(TAU, noise_steps=4)(views, noise=noise).mean(), losses[2])
    DCLR(TAU, noise_steps=4)(z, noise=noise).mean().backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("n_negatives", [None, 1])
@pytest.mark.parametrize("block_size", [None, 4])
def test_positive_aware_one_way(n_negatives, block_size):
    views, prior = draw(), draw(2, d=3, seed=1)
    z, g = normalize(views), normalize(prior)
    expected = []
    for i in range(6):
        ceiling = float(g[0, i] @ g[1, i]) - 0.1
        kept = [k for k in range(6) if k != i and float(g[0, i] @ g[1, k]) <= ceiling]
        kept = sorted(kept, key=lambda k: -float(g[0, i] @ g[1, k]))[:n_negatives]
        s = [float(z[0, i] @ z[1, k]) / TAU for k in [i, *kept]]
        expected.append(log(sum(map(exp, s))) - s[0])
    objective = PositiveAware(TAU, "absolute", 0.1, n_negatives, "prior", block_size, "one_way")
    same(objective(views, prior=prior), torch.tensor(expected, dtype=torch.float64))


# -------------------------------------------------------------------- mining


def renewed(objective, rows, groups=None):
    built = objective.build(len(rows))
    built.prepare({} if groups is None else {"groups": groups}, {})
    built.renew(rows)
    return built


def test_mined_rows_are_of_other_groups():
    rows, groups = draw(1, 30, seed=3)[0], torch.arange(30) % 3
    objective = MinedNegatives(n_candidates=8, exclude="groups")
    mined = renewed(objective, rows, groups).mined
    assert (groups[mined] != groups[:, None]).all()
    z = normalize(rows)
    order = (z @ z.T).masked_fill(groups[:, None] == groups, -2).argsort(1, descending=True)
    assert torch.equal(mined, order[:, :8])
    assert (groups[renewed(MinedNegatives(n_candidates=8), rows).mined] == groups[:, None]).any()


def test_negatives_are_mined_anew_where_they_have_become_easy():
    rows = draw(1, 30, seed=3)[0]
    built = renewed(MinedNegatives(n_candidates=4, refresh="score_drop"), rows)
    first = built.mined.clone()
    built.renew(rows + 1e-3)  # hardly moved
    assert torch.equal(built.mined, first)
    moved = rows.clone()
    moved[:10] = -moved[:10]
    built.renew(moved)
    scores = (normalize(moved)[first] * normalize(moved)[:, None]).sum(-1).mean(1)
    before = (normalize(rows)[first] * normalize(rows)[:, None]).sum(-1).mean(1)
    fell = scores < 0.8 * before
    assert fell.any() and not fell.all()
    fresh = renewed(MinedNegatives(n_candidates=4), moved).mined
    assert torch.equal(built.mined, torch.where(fell[:, None], fresh, first))


@pytest.mark.parametrize(
    "objective",
    [
        InfoNCE(exclude="groups"),
        MinedNegatives(exclude="groups", refresh="score_drop", warm_up=1),
        DCLR(noise_ratio=0.5, noise_steps=2),
        HardNegative(positive_weight=0.5, tau_plus=0.0),
    ],
)
def test_training_repeats_and_goes_on(objective):
    given = {"groups": Y} if "groups" in objective.requires else {}
    model = ContrastiveEncoder(
        3, objective=objective, max_iter=3, views="corruption", passthrough=False,
        batch_size=20, random_state=0, warm_start=True,
    ).fit(X, **given)  # fmt: skip
    again = clone(model).fit(X, **given)
    assert np.array_equal(again.transform(X), model.transform(X))
    assert np.isfinite(again.fit(X, **given).loss_curve_).all()
