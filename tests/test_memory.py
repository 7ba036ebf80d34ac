"""Keys, queues and memories of earlier rows: loops, laws, and what a training keeps of them."""

from collections import deque
from math import exp, log
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from skcontrast.functional import normalize
from skcontrast.objectives import InfoNCE, InstanceDiscrimination, Nested, SelfDistillation
from skcontrast.objectives._queue import KeyQueue

TAU = 0.3
ONE_WAY, TWO_WAY = {"form": "one_way"}, {"form": "two_way"}


def draw(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# Numbers of the rows in a queue: two are of the batch, and two places are empty.
NUMBERS = torch.tensor([2, -1, 9, 4, 8, -1, 7])


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def queued(z, keys, queue, numbers, form, keep_top=1.0, drop_top=0.0):
    """InfoNCE with a queue (V, K, d), one anchor and one key after the other."""
    z, keys, queue = unit(z), unit(keys), unit(queue)
    n_views, n = z.shape[:2]
    losses = []
    for a in {"one_way": [0], "two_way": [0, 1], "ntxent": range(n_views)}[form]:
        views = range(len(queue)) if form == "ntxent" else [min(1 - a, len(queue) - 1)]
        for i in range(n):
            held = [
                z[a, i] @ queue[v, k]
                for v in views
                for k, number in enumerate(numbers)
                if number not in (-1, i)
            ]
            held = sorted(held, reverse=True)
            first, last = (int(np.ceil(round(s * len(held), 6))) for s in (drop_top, keep_top))
            s = held[first:last]
            if form == "ntxent":
                own = [z[a, i] @ z[b, i] for b in range(n_views) if b != a]
                others = (z[a, i] @ z[b, j] for b in range(n_views) for j in range(n) if j != i)
                s = [*s, *own, *others]
                positive = np.mean(own)
            else:
                positive = z[a, i] @ keys[1 - a, i]
                s = [*s, positive]
            losses.append(log(sum(exp(v / TAU) for v in s)) - positive / TAU)
    return losses


def contrasted(z, memory, noise, log_z, tau=TAU):
    """Noise contrast, one noise row after the other."""
    z, losses = unit(z), []
    share = len(noise[0]) / len(memory)
    for a, row in enumerate(z.reshape(-1, z.shape[-1])):
        p = lambda m, row=row: exp(m @ row / tau - log_z)
        own = p(memory[a % z.shape[1]])
        loss = -log(own / (own + share))
        losses.append(loss - sum(log(share / (p(memory[k]) + share)) for k in noise[a]))
    return losses


def distilled(scores, taught, center, tau, tau_teacher):
    softmax = lambda x: np.exp(x) / np.exp(x).sum()
    losses = np.zeros(scores.shape[1])
    pairs = [(a, b) for a in range(len(taught)) for b in range(len(scores)) if a != b]
    for a, b in pairs:
        for i in range(scores.shape[1]):
            q = softmax((taught[a, i] - center) / tau_teacher)
            losses[i] -= q @ np.log(softmax(scores[b, i] / tau))
    return losses / len(pairs)


def close(value, expected, rtol=1e-10):
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=rtol, atol=1e-12)


def fed(queue):
    return {"queue": queue, "queue_index": NUMBERS}


@pytest.mark.parametrize("block_size", [None, 2])
@pytest.mark.parametrize("shares", [(1.0, 0.0), (0.5, 0.0), (0.8, 0.3)])
@pytest.mark.parametrize("form", ["one_way", "two_way", "ntxent"])
def test_a_queue_is_a_loop(form, shares, block_size):
    objective = InfoNCE(TAU, form, False, 0.0, block_size, None, 7, *shares)
    for n_views in (1, 2):
        z, keys, queue = draw(2, 5, 4), draw(2, 5, 4, seed=1), draw(n_views, 7, 4, seed=2)
        expected = queued(z.numpy(), keys.numpy(), queue.numpy(), NUMBERS.tolist(), form, *shares)
        close(objective(z, keys=keys, **fed(queue)), expected)
        if n_views == 1:
            close(objective(z, keys=keys, **fed(queue[0])), expected)


def test_memory_and_teacher_are_loops():
    z, memory = draw(2, 4, 3), normalize(draw(9, 3, seed=1))
    noise = torch.randint(0, 9, (8, 5), generator=torch.Generator().manual_seed(0))
    loss = InstanceDiscrimination(5, temperature=TAU)(
        z, memory=memory, noise_index=noise, log_normalizer=torch.tensor(2.5).double()
    )
    close(loss, contrasted(z.numpy(), memory.numpy(), noise.tolist(), 2.5))
    scores, taught, center = draw(4, 5, 6), draw(2, 5, 6, seed=1), draw(6, seed=2)
    loss = SelfDistillation(None, 6, 0.5, 0.3)(scores, keys=taught, center=center)
    close(loss, distilled(scores.numpy(), taught.numpy(), center.numpy(), 0.5, 0.3))


def test_noise_may_be_the_own_row_and_more_than_all_rows():
    """At a small temperature too, where the logit of an anchor passes -20."""
    z, memory = draw(1, 3, 3).requires_grad_(), normalize(draw(5, 3, seed=1))
    memory[0] = -normalize(z.detach()[0, 0])
    noise = torch.tensor([[0, 1, 2, 3, 4, 0, 1], [1, 1, 1, 2, 3, 4, 4], [2, 0, 1, 3, 4, 0, 3]])
    loss = InstanceDiscrimination(7, temperature=0.07)(
        z, memory=memory, noise_index=noise, log_normalizer=torch.tensor(5.7, dtype=z.dtype)
    )
    close(loss, contrasted(z.detach().numpy(), memory.numpy(), noise.tolist(), 5.7, 0.07), 1e-13)
    p = ((memory @ normalize(z[0, 0])) / 0.07 - 5.7).exp() * 5 / 7  # over K / N
    assert p[0].log() < -20
    expected = (1 + 1 / p[0]).log() + (1 + p[noise[0]]).log().sum()
    gradients = [torch.autograd.grad(x, z, retain_graph=True)[0] for x in (loss[0], expected)]
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)


# ------------------------------------------------------------------------------------ laws


@pytest.mark.parametrize("form", ["one_way", "two_way"])
@pytest.mark.parametrize("exclude", [None, "groups", "other_groups"])
def test_keys_of_the_batch_are_info_nce(form, exclude):
    views, groups = draw(2, 6, 4).requires_grad_(), torch.arange(6) % 3
    plain = InfoNCE(TAU, form, exclude=exclude)(views, groups=groups)
    keyed = InfoNCE(TAU, form, exclude=exclude, queue_size=0)(views, groups=groups)
    close(keyed, plain.detach().numpy())
    # No gradient goes to the keys.
    (gradient,) = torch.autograd.grad(keyed[:6].mean(), views)
    assert (gradient[0] != 0).all() and not gradient[1].any()


def test_an_empty_queue_leaves_the_batch_or_nothing():
    views, empty = draw(2, 6, 4), {"queue": draw(3, 4), "queue_index": torch.full((3,), -1)}
    close(InfoNCE(TAU, queue_size=3)(views, **empty), InfoNCE(TAU)(views).numpy())
    leaf = views.clone().requires_grad_()
    loss = InfoNCE(TAU, **ONE_WAY, queue_size=3)(leaf, **empty)
    loss.mean().backward()
    assert not loss.any() and not leaf.grad.any()


@pytest.mark.parametrize("form", ["one_way", "two_way", "ntxent"])
def test_a_row_never_meets_its_own_older_key(form):
    views, queue = draw(2, 6, 4), draw(7, 4, seed=1)
    objective = InfoNCE(TAU, form, queue_size=7)
    mixed = objective(views, **fed(queue)).view(-1, 6)
    moved = queue.clone()
    moved[0] = draw(4, seed=2)  # the place of row 2
    other = objective(views, **fed(moved)).view(-1, 6)
    same = (mixed == other).all(0)
    assert same.tolist() == [False, False, True, False, False, False]


@pytest.mark.parametrize("exclude", ["groups", "other_groups"])
def test_groups_are_kept_apart_by_their_codes(exclude):
    views, queue = draw(2, 4, 4), draw(6, 4, seed=1)
    groups, of_queue = torch.zeros(4, dtype=torch.long), torch.tensor([0, 0, 0, 1, 1, 2])
    numbers = torch.arange(10, 16)
    left = numbers.where((of_queue == 0) == (exclude == "other_groups"), -1)
    for form in ("one_way", "two_way"):
        options = {"queue": queue, "groups": groups}
        apart = InfoNCE(TAU, form, exclude=exclude, queue_size=6)
        loss = apart(views, queue_index=numbers, queue_groups=of_queue, **options)
        close(loss, InfoNCE(TAU, form, queue_size=6)(views, queue_index=left, **options).numpy())
    everyone = InfoNCE(TAU, exclude="other_groups")(views, groups=groups)
    close(everyone, InfoNCE(TAU)(views).numpy())


def test_two_way_does_not_know_which_view_is_which():
    views, keys, queue = draw(2, 6, 4), draw(2, 6, 4, seed=1), draw(2, 7, 4, seed=2)
    objective = InfoNCE(TAU, **TWO_WAY, queue_size=7, keep_top=0.5, drop_top=0.1)
    loss = objective(views, keys=keys, **fed(queue))
    swapped = objective(views.flip(0), keys=keys.flip(0), **fed(queue.flip(0)))
    close(swapped.view(2, -1).flip(0), loss.view(2, -1).numpy())


def test_the_first_key_in_is_the_first_out():
    queue, expected, number = KeyQueue(7, 2, 3).double(), deque(maxlen=7), 0
    for n in (3, 2, 3, 4, 7, 11, 1, 5):
        keys = draw(2, n, 3, seed=n)
        index = torch.arange(number, number + n)
        before = queue.keys
        queue.push(keys, index, index % 4)
        assert queue.keys is not before  # the backward pass still reads it
        expected.extend(zip(index.tolist(), keys.unbind(1)))
        number += n
        oldest = int(queue.pointer) if len(expected) == 7 else 0
        order = [(oldest + k) % 7 for k in range(len(expected))]
        assert queue.index[order].tolist() == [i for i, _ in expected]
        assert torch.equal(queue.keys[:, order], torch.stack([k for _, k in expected], 1))
        assert torch.equal(queue.groups[order], queue.index[order] % 4)
    assert (KeyQueue(7, 2, 3).index == -1).all()


def test_a_batch_is_compared_with_those_before_it():
    rows = SimpleNamespace(train_index=range(20))
    objective = InfoNCE(TAU, **ONE_WAY, queue_size=6)
    built = objective.build(20)
    built.prepare({}, {"rows": rows, "n_slots": 2, "width": 4})
    built.double()
    seen = []
    for step in range(4):
        views, index = draw(2, 4, 4, seed=step), 4 * step + torch.arange(4)
        held = {"queue": torch.stack([k for _, k in seen[-6:]] or [views[0, 0]])}
        held["queue_index"] = torch.tensor([i for i, _ in seen[-6:]] or [-1])
        alone = objective(views, index=index, **held)
        built.train(False)
        close(built(views, index=index), alone.numpy())  # a validation adds no keys
        built.train(True)
        close(built(views, index=index), alone.numpy())
        seen += zip(index.tolist(), views[1])


def test_rows_of_a_pair_never_meet_each_other():
    built = InfoNCE(TAU, **ONE_WAY, queue_size=3).build(6)
    rows = SimpleNamespace(train_index=range(6))
    built.prepare({}, {"rows": rows, "n_slots": 2, "width": 4})
    built.double()
    views, pairs = draw(2, 3, 4), torch.tensor([0, 1, 2])
    assert not built(views, index=torch.tensor([0, 2, 4]), pairs=pairs).any()  # an empty queue
    last = built(views.flip(0), index=torch.tensor([1, 3, 5]), pairs=pairs)
    queue = {"queue": views[1], "queue_index": pairs, "index": pairs}
    close(last, InfoNCE(TAU, **ONE_WAY, queue_size=3)(views.flip(0), **queue).numpy())


@pytest.mark.parametrize(
    "objective, message",
    [
        (InfoNCE(keep_top=0.5), "choose among the keys of a queue: type queue_size=4096"),
        (InfoNCE(queue_size=0, drop_top=0.5), "choose among the keys of a queue"),
        (InfoNCE(queue_size=9, keep_top=0.2, drop_top=0.2), "leave no key: type a smaller drop"),
        (InfoNCE(0.2, "one_way", True, queue_size=9), "leave one of them out"),
        (InfoNCE("individual", queue_size=9), "queue_size=9 adds others: use a number"),
        (InfoNCE("model_aware", queue_size=9), "queue_size=9 adds others: use a number"),
    ],
)
def test_what_does_not_go_with_a_queue_is_refused(objective, message):
    with pytest.raises(ValueError, match=message):
        objective.build(20)
    with pytest.raises(ValueError, match="and there are 3: type n_views=2, or form='ntxent'"):
        InfoNCE(form="two_way", queue_size=9).check_views(3)


def test_noise_contrast_with_all_rows_is_the_softmax_over_them():
    gaps = []
    for n in (50, 500, 5000):
        memory, z = normalize(draw(n, 6)), draw(1, 8, 6, seed=1)
        logits = normalize(z[0]) @ memory.T
        every = torch.arange(n - 1).expand(8, -1)
        noise = every + (every >= torch.arange(8)[:, None])
        objective = InstanceDiscrimination(n - 1, temperature=1.0)
        loss = [
            objective(
                z[:, [i]],
                memory=memory,
                noise_index=noise[[i]],
                index=torch.tensor([i]),
                log_normalizer=logits[i].logsumexp(0),
            )
            for i in range(8)
        ]
        softmax = torch.nn.functional.cross_entropy(logits, torch.arange(8), reduction="none")
        # To the value of a classifier with as many rows of noise one is added.
        gaps.append((torch.cat(loss) - 1 - softmax).abs().max())
    assert gaps[0] > 4 * gaps[1] > 16 * gaps[2] and gaps[2] < 0.01


def test_large_memories_collect_what_small_ones_compute(monkeypatch):
    z, memory = draw(2, 5, 4), normalize(draw(30, 4, seed=1))
    noise = torch.randint(0, 30, (10, 7), generator=torch.Generator().manual_seed(0))
    results = []
    for limit in (100, 10):
        monkeypatch.setattr("skcontrast.objectives._instance.DENSE_ROWS", limit)
        leaf = z.clone().requires_grad_()
        loss = InstanceDiscrimination(7)(leaf, memory=memory, noise_index=noise)
        loss.mean().backward()
        results.append((loss, leaf.grad))
    for one, other in zip(*results):
        torch.testing.assert_close(one, other)


def test_the_least_distillation_is_the_entropy():
    scores = draw(2, 5, 6)
    objective = SelfDistillation(None, 6, 0.5, 0.5)
    shares = (scores[0] / 0.5).softmax(-1)
    entropy = -(shares * shares.log()).sum(-1)
    equal = scores[:1].expand(2, -1, -1).clone().requires_grad_()
    loss = objective(equal, keys=equal)
    close(loss, entropy.numpy())
    loss.mean().backward()
    assert equal.grad.abs().max() < 1e-15
    assert (objective(scores[:, :], keys=scores[:1]) > entropy).all()
    # One output says nothing.
    assert not objective(scores[..., :1], keys=scores[..., :1]).any()


def test_the_center_is_exact():
    built = SelfDistillation(None, 6, center_momentum=0.7).build(5).double()
    rows = SimpleNamespace(kind="numbers")
    built.prepare({}, {"momentum": 0.9, "rows": rows, "width": 4})
    built.double()
    assert torch.equal(built.head.weight, built.teacher.head.weight)
    views, expected = draw(2, 5, 4), torch.zeros(6, dtype=torch.float64)
    for _ in range(3):
        built.train(False)
        built(views, keys=views)
        close(built.center, expected.numpy())
        built.train(True)
        built(views, keys=views)
        taught = normalize(views) @ built.head.weight.detach().T
        expected = 0.7 * expected + 0.3 * taught.mean((0, 1))
        close(built.center, expected.numpy())
    with torch.no_grad():
        built.head.weight += 1
    before = built.teacher.head.weight.clone()
    built(views, keys=views)
    close(built.teacher.head.weight, (0.9 * before + 0.1 * built.head.weight).detach().numpy())
    assert not built.teacher.head.weight.requires_grad


def test_sums_of_widths_have_a_queue_each():
    objective = Nested(InfoNCE(TAU, **ONE_WAY, queue_size=6), (2, None))
    built = objective.build(20)
    rows = SimpleNamespace(train_index=range(20))
    built.prepare({}, {"rows": rows, "n_slots": 2, "width": 4})
    built(views=draw(2, 5, 4).float(), keys=draw(2, 5, 4).float(), index=torch.arange(5))
    assert [term.term.queue.keys.shape for term in built.terms] == [(1, 6, 2), (1, 6, 4)]
    assert all(term.term.queue.keys.any() for term in built.terms)
