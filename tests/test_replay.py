"""Streams: rows that are kept, the former features, running scales, classifiers that grow."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import chi2
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
    ZeroShotClassifier,
)
from skcontrast.adaptation import KernelReplayClassifier
from skcontrast.multiview import Blocks
from skcontrast.objectives import InfoNCE, PreviousFeatures
from skcontrast.replay import ClassBalancedReservoir, Reservoir

RNG = np.random.default_rng(0)
X = RNG.standard_normal((90, 5)).astype(np.float32)
Y = np.repeat(["a", "b", "c"], 30)
WORDS = ["tree", "house", "car", "road", "river", "bird", "stone", "cloud"]
TEXTS = [" ".join(RNG.choice(WORDS, 6)) for _ in range(90)]
SMALL = {"n_components": 4, "batch_size": 16, "device": "cpu", "random_state": 0}


def encoder(**params):
    return ContrastiveEncoder(**{**SMALL, "passthrough": False, **params})


def streamed(model, rows=X, y=Y):
    for start in range(0, 90, 30):
        part = slice(start, start + 30)
        beside = () if y is None else (y[part],)
        model = model.partial_fit(rows[part], *beside)
    return model


def assert_same(a, b):
    for name, weights in a.weights_.items():
        np.testing.assert_array_equal(weights, b.weights_[name])


# ------------------------------------------------------------------- which rows are kept


@pytest.mark.parametrize("policy", [Reservoir(10), ClassBalancedReservoir(10)])
def test_every_row_of_a_stream_is_kept_with_the_same_probability(policy):
    n, n_streams, counts = 50, 2000, np.zeros(50)
    for seed in range(n_streams):
        random, kept = np.random.default_rng(seed), np.empty(0, dtype=int)
        for start in range(0, n, 7):  # in calls, the last one shorter
            new = np.arange(start, min(start + 7, n))
            codes = np.full(len(kept), -1), np.full(len(new), -1)
            kept = np.append(kept, new)[policy.keep(*codes, np.array([start]), random)]
        assert len(np.unique(kept)) == 10
        counts[kept] += 1
    expected = n_streams * 10 / n
    # Without replacement, so that the statistic is a little smaller than its law.
    assert ((counts - expected) ** 2 / expected).sum() < chi2.ppf(0.999, n - 1)


def test_classes_are_kept_in_equal_numbers_whatever_their_order_and_size():
    codes = np.repeat([0, 1, 2], [400, 40, 20])
    kept, n_seen = np.empty(0, dtype=int), np.zeros(4, dtype=int)
    for part in np.split(np.arange(460), range(50, 460, 50)):
        both = np.append(kept, part)
        rows = ClassBalancedReservoir(30).keep(
            codes[kept], codes[part], n_seen, np.random.default_rng(int(part[0]))
        )
        kept = both[rows]
        np.add.at(n_seen, codes[part], 1)
    np.testing.assert_array_equal(np.bincount(codes[kept]), [10, 10, 10])
    assert len(np.unique(kept)) == 30


def test_without_places_nothing_changes_and_a_seed_makes_it_the_same_again():
    plain = streamed(encoder())
    assert_same(plain, streamed(encoder(replay=Reservoir(0))))
    first, second = (streamed(encoder(replay=Reservoir(12))) for _ in range(2))
    assert_same(first, second)
    np.testing.assert_array_equal(first.memory_["rows"], second.memory_["rows"])
    assert any((plain.weights_[k] != w).any() for k, w in first.weights_.items())


@pytest.mark.parametrize("policy", [Reservoir, ClassBalancedReservoir])
def test_fewer_places_keep_a_part_of_the_rows(policy):
    random, codes = np.random.default_rng(0), np.arange(20) % 2
    for _ in range(20):
        index = policy(6).keep(codes, np.arange(40) % 2, np.array([10, 10, 0]), random)
        assert len(set(index)) == len(index) == 6 and max(index) < 60


def test_a_call_trains_on_its_rows_and_those_that_were_kept():
    seen = []

    def views(x):
        seen.append(x)
        return x + 0.1 * torch.randn_like(x)

    model = encoder(replay=Reservoir(12), views=views, clean_anchor=False, standardize=False)
    model.partial_fit(X[:30], Y[:30])
    kept, seen[:] = model.memory_["rows"], []
    model.partial_fit(X[30:60], Y[30:60])
    found = np.unique(torch.cat(seen).numpy(), axis=0)
    np.testing.assert_array_equal(found, np.unique(np.concatenate([kept, X[30:60]]), axis=0))
    # What stands beside a row stays beside it.
    place = {tuple(row): label for row, label in zip(X, Y)}
    labels = [place[tuple(row)] for row in model.memory_["rows"]]
    np.testing.assert_array_equal(labels, model.memory_["target"])
    assert model.memory_["n_seen"].tolist() == [60]


def test_classes_may_come_one_by_one_once_rows_of_others_are_kept():
    model = encoder(replay="class_balanced", objective="supcon")
    model.partial_fit(X[:60], Y[:60]).partial_fit(X[60:], Y[60:])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.memory_["n_seen"].tolist() == [30, 30, 30, 0]


SERIES = RNG.standard_normal((90, 2, 12))
SERIES[::3, :, 9:] = np.nan
COUNTS = sp.random_array((90, 20), density=0.2, format="csr", rng=0)
BLOCKS = Blocks(numbers=X, words=TEXTS)
KINDS = {
    "sparse": (ContrastiveEncoder(**SMALL), COUNTS),
    "texts": (ContrastiveTextEncoder(**SMALL), TEXTS),
    "series": (SeriesContrastiveEncoder(**SMALL), SERIES),
    "convolved": (SeriesContrastiveEncoder(**SMALL, features="convolutions"), SERIES[:, :, :9]),
    "blocks": (MultiViewContrastiveEncoder(**SMALL), BLOCKS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_are_kept_saved_and_gone_on_with(kind, tmp_path):
    model, rows = KINDS[kind]
    model = clone(model).set_params(replay=Reservoir(8))
    for part in (slice(0, 30), slice(30, 60)):
        model.partial_fit(rows[part])
    skcontrast.save(model, tmp_path)
    others = [skcontrast.load(tmp_path), pickle.loads(pickle.dumps(model))]
    for other in [model, *others]:
        other.partial_fit(rows[60:90])
    for other in others:
        assert_same(model, other)
    empty = clone(model)
    assert not hasattr(empty, "memory_") and empty.replay.size == 8


@pytest.mark.parametrize("kind", KINDS)
def test_kept_rows_that_are_of_something_else_are_refused(kind, tmp_path):
    model, rows = KINDS[kind]
    model = clone(model).set_params(replay=Reservoir(8)).partial_fit(rows[:30])
    model.memory_["target"] = np.zeros(7)
    skcontrast.save(model, tmp_path)
    with pytest.raises(ValueError, match="more or less than rows"):
        skcontrast.load(tmp_path)
    model.memory_.update(target=np.zeros(8), rows=np.zeros((8, 3)))
    skcontrast.save(model, tmp_path)
    with pytest.raises(ValueError, match="cannot be loaded"):
        skcontrast.load(tmp_path)


def test_texts_are_kept_as_their_words():
    model = ContrastiveTextEncoder(**SMALL, replay=Reservoir(8)).partial_fit(TEXTS[:30])
    known = [text.split() for text in TEXTS[:30]]
    assert len(model.memory_["rows"]) == 8
    assert all(words in known for words in model.memory_["rows"])


def test_labels_that_are_missing_and_strings_beside_them_come_back_as_they_were(tmp_path):
    y = [None if i % 5 == 0 else label for i, label in enumerate(Y)]
    model = encoder(replay=Reservoir(20), objective="supcon")
    model.partial_fit(X[:60], y[:60]).partial_fit(X[60:], y[60:])
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert set(model.memory_["target"].tolist()) <= {"a", "b", "c", None}
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path).partial_fit(X[:30], y[:30])
    assert_same(loaded, model.partial_fit(X[:30], y[:30]))


def test_fit_begins_another_stream_and_a_second_stage_keeps_what_was_kept():
    model = streamed(encoder(replay=Reservoir(12)))
    model.finetune(X, Y, objective="cross_entropy", n_iter=1)
    assert model.memory_["n_seen"].tolist() == [90]
    assert model.fit(X[:40], Y[:40]).memory_["n_seen"].tolist() == [40]
    assert not hasattr(model.set_params(replay=None).partial_fit(X), "memory_")


def test_what_cannot_be_kept_is_refused():
    kept = encoder(replay=Reservoir(12)).partial_fit(X, Y)
    with pytest.raises(ValueError, match="which had a y, and this call has none"):
        kept.partial_fit(X)
    with pytest.raises(ValueError, match="rows in time order"):
        encoder(replay=Reservoir(12), views="time_offset").partial_fit(X)
    recording = SeriesContrastiveEncoder(**SMALL, window=5, replay=Reservoir(12))
    with pytest.raises(ValueError, match="X is a recording"):
        recording.partial_fit(X)
    pairs = ContrastiveTextEncoder(**SMALL, replay=Reservoir(12))
    with pytest.raises(ValueError, match="X is blocks of texts"):
        pairs.partial_fit(Blocks(a=TEXTS, b=TEXTS))
    with pytest.raises(ValueError, match="ClassBalancedReservoir requires y"):
        encoder(replay="class_balanced").partial_fit(X)
    with pytest.raises(ValueError, match="reads rows that replay keeps"):
        encoder(objective=InfoNCE() + PreviousFeatures()).partial_fit(X)


# -------------------------------------------------------------------- former features


def test_at_the_first_step_the_gradient_is_that_of_supcon_with_fixed_candidates():
    z = torch.randn(1, 12, 4, dtype=torch.float64, requires_grad=True)
    target = torch.arange(12) % 3
    loss = PreviousFeatures()(z, previous=z[0].detach(), target=target).mean()
    (ours,) = torch.autograd.grad(loss, z)
    unit = torch.nn.functional.normalize(z[0], dim=-1)
    logits = unit @ unit.detach().T / 0.1
    positive = (target[:, None] == target).double()
    expected = -(positive * logits.log_softmax(-1)).sum(-1) / positive.sum(-1)
    (theirs,) = torch.autograd.grad(expected.mean(), z)
    torch.testing.assert_close(ours, theirs)


def test_only_kept_rows_count_and_labels_of_classes_are_read():
    z, before = torch.randn(2, 9, 4), torch.randn(9, 4)
    kept, target = torch.arange(9) < 4, torch.tensor([0, 0, -1, -1, 0, 1, 1, 1, 1])
    options = {"previous": before, "target": target}
    whole = PreviousFeatures()(z, replayed=kept, **options).mean()
    part = {"previous": before[:4], "target": target[:4]}
    torch.testing.assert_close(whole, PreviousFeatures()(z[:, :4], **part).mean())
    numbers = PreviousFeatures()(z, previous=before, target=torch.randn(9, 1))
    torch.testing.assert_close(numbers, PreviousFeatures()(z, previous=before))


def test_the_first_call_is_as_without_the_term_and_later_ones_hold_rows_in_place():
    term = 5 * PreviousFeatures()
    one, other = (encoder(replay=Reservoir(20), objective=o) for o in (InfoNCE(), InfoNCE() + term))
    assert_same(one.partial_fit(X[:60]), other.partial_fit(X[:60]))
    rows, moved = one.memory_["rows"], []
    for model in (one, other):
        before = torch.as_tensor(model.transform(rows))
        model.set_params(learning_rate=1e-2).partial_fit(np.tile(X[60:] + 2, (5, 1)))
        after = torch.as_tensor(model.transform(rows))
        moved.append(PreviousFeatures()(after[None], previous=before).mean().item())
    assert moved[1] < 0.95 * moved[0]


# ------------------------------------------------------------------------ running scales


@pytest.mark.parametrize("rows", [X, np.hstack([X, X[:, :1] > 0]), COUNTS], ids=str)
def test_running_scales_of_up_to_a_thousand_rows_are_those_of_all(rows):
    model = encoder(standardize="running")
    for part in (slice(0, 20), slice(20, 70), slice(70, 90)):
        model.partial_fit(rows[part])
    whole = encoder(max_iter=1).fit(rows)
    np.testing.assert_allclose(model.scale_, whole.scale_, rtol=1e-6)
    if not sp.issparse(rows):
        np.testing.assert_allclose(model.mean_, whole.mean_, atol=1e-7)
    again = clone(model).partial_fit(rows)
    scale = again.scale_
    np.testing.assert_allclose(again.partial_fit(rows).scale_, scale, rtol=1e-12)


def test_running_scales_forget_what_came_long_ago_and_are_saved(tmp_path):
    model, first = encoder(standardize="running", max_iter=1), RNG.standard_normal((5000, 5))
    model.partial_fit(first)
    skcontrast.save(model, tmp_path)
    later = skcontrast.load(tmp_path)
    for _ in range(40):
        later.partial_fit(10 + 3 * first[:100])
    expected = 10 + 3 * first[:100].mean(axis=0)
    # 40 times 100 rows beside 1,000: (10 / 11) ** 40 of the way is left.
    assert np.abs(later.mean_ - expected).max() < 0.03 * 10
    fixed = encoder().partial_fit(first)
    np.testing.assert_array_equal(fixed.partial_fit(later.mean_ + first).mean_, fixed.mean_)


# -------------------------------------------------------------------- classifiers that grow


def test_class_means_grow_to_those_of_a_fit_on_all_rows(tmp_path):
    model = streamed(ZeroShotClassifier())
    whole = ZeroShotClassifier().fit(X, Y)
    np.testing.assert_allclose(model.class_embeddings_, whole.class_embeddings_, atol=1e-12)
    assert model.classes_.tolist() == ["a", "b", "c"]
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path).partial_fit(X[:5] + 9, ["d"] * 5)
    assert loaded.predict(X[:1] + 9).tolist() == ["d"]
    assert not hasattr(ZeroShotClassifier(np.eye(5)), "partial_fit")
    given = ZeroShotClassifier(np.eye(5), classes=range(5)).fit(np.eye(5))
    with pytest.raises(ValueError, match="kept no sums of rows"):
        given.set_params(class_embeddings=None, classes=None).partial_fit(X, Y)
    with pytest.raises(ValueError, match="which classes= does not name"):
        model.partial_fit(X[:2], ["e", "a"], classes=["a", "b"])


def replayed(order, **params):
    model = KernelReplayClassifier(random_state=0, n_drawn=30, **params)
    for label in order:
        model.partial_fit(X[Y == label] + 3 * "abc".index(label), Y[Y == label])
    return model


def test_the_order_of_classes_does_not_matter_and_none_is_forgotten(tmp_path):
    one, other = replayed("abc"), replayed("cab")
    rows = X + 3 * np.repeat([0, 1, 2], 30)[:, None]
    np.testing.assert_array_equal(one.decision_function(rows), other.decision_function(rows))
    alone = replayed("a")
    assert alone.predict(X[:3]).tolist() == ["a"] * 3
    np.testing.assert_array_equal(one.mixture_means_[:1], alone.mixture_means_)
    whole = KernelReplayClassifier(random_state=0, n_drawn=30).fit(rows, Y)
    np.testing.assert_allclose(
        whole.decision_function(rows), one.decision_function(rows), atol=1e-6
    )
    assert one.score(rows, Y) > 0.9
    skcontrast.save(one, tmp_path)
    loaded = skcontrast.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(rows), one.predict_proba(rows))


def test_gaussians_that_a_class_does_without_are_zero_in_every_call():
    model = KernelReplayClassifier(n_components=3, random_state=0)
    for label, rows in (("a", X[:2]), ("b", X[2:4])):
        model.partial_fit(rows, [label] * 2)
    assert not model.mixture_weights_[:, 2].any() and not model.mixture_variances_[:, 2].any()


def test_rows_of_a_known_class_move_its_mixture():
    model = replayed("abc", n_components=1)
    mean = model.mixture_means_[0, 0]
    model.partial_fit(X[:30] - 4, Y[:30])
    assert np.abs(model.mixture_means_[0, 0] - (mean - 2)).max() < 0.6
    assert model.n_seen_.tolist() == [60, 30, 30]
    with pytest.raises(ValueError, match="which classes= does not name"):
        model.partial_fit(X[:1], ["z"], classes=["a"])
    with pytest.raises(NotFittedError):
        KernelReplayClassifier().predict(X)
