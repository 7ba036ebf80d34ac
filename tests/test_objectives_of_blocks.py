"""Laws of the objectives of several blocks, in float64."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, logsigmoid

from skcontrast.functional import normalize
from skcontrast.objectives import (
    AlignmentUniformity,
    CrossMixup,
    InfoNCE,
    OneToK,
    Pairwise,
    SigmoidPairs,
    Symile,
)

TAU = 0.3
CLIP = InfoNCE(TAU, form="two_way")


def draw(n_views, n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, 4, generator=generator, dtype=torch.float64)


two, three = draw(2), draw(3)
present = torch.tensor([[1, 1, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1], [0, 1, 1, 1, 1, 1]]).bool()


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def clip(a, b):
    """Two cross-entropies, written out."""
    s = normalize(a) @ normalize(b).T / TAU
    own = torch.arange(len(a))
    return (cross_entropy(s, own) + cross_entropy(s.T, own)) / 2


def test_two_blocks_are_clip():
    same(CLIP(two).mean(), clip(*two))
    same(Pairwise(CLIP)(two), clip(*two))
    same(OneToK(temperature=TAU)(two).mean(), clip(*two))
    same(Symile("all", TAU)(two).mean(), clip(*two))
    order = torch.arange(6).expand(2, 1, 6)
    same(Symile(temperature=TAU)(two, order=order).mean(), clip(*two))


def test_pairs_are_averaged():
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = [clip(three[a], three[b]) for a, b in pairs]
    same(Pairwise(CLIP)(three), sum(expected) / 3)
    same(Pairwise(CLIP, "star:1")(three), (expected[0] + expected[2]) / 2)
    weighted = Pairwise(CLIP, [(0, 1, 2.0), (1, 2)])(three)
    same(weighted, (2 * expected[0] + expected[2]) / 3)
    same(Pairwise(CLIP)(three[[2, 0, 1]]), Pairwise(CLIP)(three))


def test_each_pair_learns_a_temperature_of_its_own():
    built = Pairwise().build(6).double()
    built.prepare({}, {"n_slots": 3})
    assert len([p for p in built.parameters() if p.ndim == 0]) == 3


def test_constant_embeddings_cost_the_logarithm():
    constant = torch.ones(3, 6, 4, dtype=torch.float64)
    same(Pairwise(CLIP)(constant), torch.tensor(math.log(6), dtype=torch.float64))


@pytest.mark.parametrize(
    "objective", [Pairwise(CLIP), OneToK(temperature=TAU), OneToK("mean", TAU), Symile("all", TAU)]
)
def test_blocks_that_are_all_there(objective):
    everything = torch.ones(3, 6, dtype=torch.bool)
    same(objective(three, present=everything).mean(), objective(three).mean())


def test_a_row_without_a_block_is_out_of_its_pairs():
    expected = []
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        both = present[a] & present[b]
        expected.append(clip(three[a][both], three[b][both]))
    same(Pairwise(CLIP)(three, present=present), sum(expected) / 3)
    # What stands in the place of an absent block is not read.
    other = torch.where(present[:, :, None], three, 100.0)
    for objective in (Pairwise(CLIP), OneToK(temperature=TAU), OneToK("mean", TAU)):
        views = other.clone().requires_grad_()
        loss = objective(views, present=present).mean()
        same(loss, objective(three, present=present).mean())
        loss.backward()
        assert views.grad.isfinite().all() and not views.grad[~present].any()


def test_a_pair_with_too_few_rows_is_left_out_of_the_mean():
    few = present.clone()
    few[2] = torch.arange(6) == 1
    both = few[0] & few[1]
    same(Pairwise(CLIP)(three, present=few), clip(three[0][both], three[1][both]))
    none = Pairwise(CLIP)(two.requires_grad_(), present=torch.eye(2, 6).bool())
    assert none == 0


def test_one_to_k_counts_the_partners_that_there_are():
    z = normalize(three)
    anchor, kept = present[0], present[1:] & present[0]
    s = torch.einsum("id,kjd->kij", z[0], z[1:]) / TAU  # (K, n, n)
    losses = []
    for i in torch.arange(6)[anchor]:
        mine = [b for b in range(2) if kept[b, i]]
        shared = torch.cat([s[b, i][present[1 + b]] for b in range(2)]).logsumexp(0)
        first = sum(shared - s[b, i, i] for b in mine) / len(mine)
        back = [s[b, :, i][anchor].logsumexp(0) - s[b, i, i] for b in mine]
        losses.append((first + sum(back) / len(mine)) / 2)
    same(OneToK(temperature=TAU)(three, present=present).mean(), sum(losses) / len(losses))


def test_a_block_that_is_listed_twice():
    anchor = two[0].clone().requires_grad_()
    grads = []
    for others in ([1], [1, 1]):
        views = torch.stack([anchor, *(two[b] for b in others)])
        loss = OneToK(temperature=TAU)(views).mean()
        grads.append((loss.detach(), *torch.autograd.grad(loss, anchor)))
    same(grads[1][0], grads[0][0] + math.log(2) / 2)
    same(grads[1][1], grads[0][1])
    same(OneToK(temperature=TAU)(three[[0, 2, 1]]), OneToK(temperature=TAU)(three))
    same(OneToK(center=2, temperature=TAU)(three[[1, 2, 0]]), OneToK(temperature=TAU)(three))


def test_the_product_of_all_blocks_written_out():
    z, losses = normalize(three), []
    for a in range(3):
        b, c = (v for v in range(3) if v != a)
        x = torch.einsum("id,jd,kd->ijk", z[a], z[b], z[c]) / TAU
        losses += [x[i].flatten().logsumexp(0) - x[i, i, i] for i in range(6)]
    same(Symile("all", TAU)(three), torch.stack(losses))
    same(Symile("all", TAU)(three[[2, 0, 1]]).mean(), Symile("all", TAU)(three).mean())


def test_sigmoid_pairs_written_out():
    x = normalize(two[0]) @ normalize(two[1]).T / TAU - 1.5
    x = torch.where(torch.eye(6).bool(), x, -x)
    for gamma in (0.0, 2.0):
        expected = -((1 - torch.sigmoid(x)) ** gamma * logsigmoid(x)).sum(1)
        same(SigmoidPairs(gamma, TAU, -1.5)(two), expected)
    # At scale 0: log(1 + e^-b) + (n - 1) log(1 + e^b)
    flat = SigmoidPairs(0.0, 1e30, -1.5)(two).mean()
    expected = math.log1p(math.exp(1.5)) + 5 * math.log1p(math.exp(-1.5))
    same(flat, torch.tensor(expected, dtype=torch.float64))


def test_mixtures_of_one_row_are_clip():
    same(CrossMixup(TAU, rate=0.0)(two).mean(), clip(*two))
    whole = {"partner": torch.arange(6).roll(1), "share": torch.ones(6)}
    same(CrossMixup(TAU)(two, **whole).mean(), clip(*two))
    # Nothing of a row itself: its partner is all there is.
    none = {"partner": whole["partner"], "share": torch.zeros(6)}
    same(CrossMixup(TAU)(two, **none).mean(), clip(two[0].roll(1, 0), two[1].roll(1, 0)))


def test_shares_of_a_mixture_sum_to_one():
    # Of rows that are all alike every share costs the logarithm; one row is its own partner.
    alike = torch.ones(2, 6, 4, dtype=torch.float64)
    mixed = {"partner": torch.tensor([1, 2, 0, 3, 5, 4]), "share": torch.linspace(0, 1, 6).double()}
    total = CrossMixup(TAU)(alike, **mixed)
    same(total.mean(), torch.tensor(math.log(6), dtype=torch.float64))
    own = CrossMixup(TAU)(two, partner=torch.arange(6), share=mixed["share"])
    same(own.mean(), clip(*two))


@pytest.mark.parametrize("objective", [CLIP, Pairwise(CLIP), CrossMixup(TAU, rate=0.0)])
def test_weights_of_pairs(objective):
    constant = objective(two, weight=torch.full((6,), 3.0).double()).mean()
    same(constant, clip(*two))
    # A pair of weight 0 is no anchor, and stays a negative of the others.
    weight = torch.tensor([0.0, 2.0, 1.0, 0.5, 1.0, 3.0], dtype=torch.float64)
    s = normalize(two[0]) @ normalize(two[1]).T / TAU
    own = torch.arange(6)
    each = [cross_entropy(x, own, reduction="none") for x in (s, s.T)]
    expected = sum((weight * loss).sum() / weight.sum() for loss in each) / 2
    same(objective(two, weight=weight).mean(), expected)


def test_a_penalty_of_drift():
    positives = InfoNCE(TAU, form="one_way", exclude="groups")
    drift = AlignmentUniformity(uniformity_weight=0)
    groups = {"groups": torch.tensor([0, 0, 1, 1, 2, 2])}
    alone = positives(two, **groups).mean()
    same((1.0 * positives + 0.0 * drift)(two, **groups), alone)
    # With a weight w of it, w times how far each row is from its own partner: 0 where they agree.
    cosine = torch.cosine_similarity(*two)
    w = 0.1
    penalised = ((1 - w) * positives + w / 2 * drift)(two, **groups)
    same(penalised, (1 - w) * alone + w * (1 - cosine).mean())
    assert drift(two[:1].repeat(2, 1, 1)).abs().max() < 1e-30


def test_mixtures_are_drawn():
    views = draw(2, 2000)
    x = normalize(views[0])
    torch.manual_seed(0)
    share = CrossMixup(alpha=0.5, rate=0.7)._draw(x)
    mixed = share[share < 1]
    assert abs(len(mixed) / 2000 - 0.7) < 0.05
    # Of Beta(a, a): mean 1/2 and variance 1 / (4 (2 a + 1)).
    assert abs(mixed.mean() - 0.5) < 0.03 and abs(mixed.var() - 1 / 8) < 0.01
    first, second = CrossMixup()(two), CrossMixup()(two)
    assert (first != second).any()


def test_wrong_pairs_are_refused():
    for pairs, message in (
        ([(0, 3)], "names the block '3', and there are '0', '1', '2'"),
        ([(0, 0)], "pairs a block with itself"),
        ([(0,)], "is no pair"),
        ([(0, 1, -1.0)], "is no pair"),
        ([], "compares nothing"),
        ("star:x", "names the block 'x'"),
        ("all+within", "needs rows of several blocks"),
    ):
        with pytest.raises(ValueError, match=message):
            Pairwise(CLIP, pairs)(three)
    with pytest.raises(ValueError, match="center=5 is none of the 3 views"):
        OneToK(5)(three)
    with pytest.raises(ValueError, match="is not defined for OneToK"):
        OneToK(temperature="model_aware").build(3)
