"""Views of documents: which words stay, where, and that a batch keeps its size."""

import numpy as np
import pytest
import torch

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._component import InvalidParameterError
from skcontrast._inputs.rows import concatenate, table_rows
from skcontrast._inputs.tokens import TokenRows, number_words
from skcontrast.views import (
    TEXT_VIEWS,
    Compose,
    RepresentativeWords,
    Shuffle,
    SpanCrop,
    TextView,
    Typos,
    WordDeletion,
    WordRepetition,
    build_views,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = [[a * 5 for a in LETTERS[:n]] for n in (1, 4, 0, 26, 9)]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def batch(token_lists=TOKENS, view=None):
    rows = TokenRows(number_words(token_lists))
    built = build_views(view, rows)
    return built, rows.take(rows.train_index), rows


def by_document(values, x):
    ends = [*x.offsets[1:].tolist(), len(x.ids)]
    return [values[a:b].tolist() for a, b in zip(x.offsets.tolist(), ends)]


@pytest.mark.parametrize("name", sorted(TEXT_VIEWS))
def test_a_view_gives_a_new_batch_of_the_same_size(name):
    view, x, rows = batch(view=name)
    ids, weights = x.ids.clone(), x.weights.clone()
    out = view(x, rows.train_index)
    assert out is not x and torch.equal(x.ids, ids) and torch.equal(x.weights, weights)
    assert torch.equal(out.offsets, x.offsets) and out.ids.shape == ids.shape
    assert out.weights.dtype == x.weights.dtype and len(out) == len(TOKENS)
    assert int(out.ids.max()) < len(rows.words)
    torch.manual_seed(3)
    first = view(x, rows.train_index)
    torch.manual_seed(3)
    again = view(x, rows.train_index)
    assert torch.equal(first.ids, again.ids) and torch.equal(first.weights, again.weights)


@pytest.mark.parametrize("name", sorted(TEXT_VIEWS))
def test_a_batch_without_words(name):
    view, x, rows = batch(view=name)
    empty = rows.take(torch.tensor([2, 2]))
    assert len(view(empty, torch.tensor([2, 2])).ids) == 0


def test_deletion_keeps_a_word_of_each_document():
    view, x, rows = batch(view=WordDeletion(rate=0.99))
    for _ in range(20):
        sums = [sum(w) for w in by_document(view(x, None).weights, x)]
        assert sums[2] == 0 and min(sums[:2] + sums[3:]) >= 1
    kept = WordDeletion(rate=0.3).build(rows)(x, None).weights.mean()
    rates = [float(WordDeletion(rate=0.3).build(rows)(x, None).weights.mean()) for _ in range(50)]
    assert abs(np.mean(rates) - 0.7) < 0.05 and 0 < kept <= 1


def test_deletion_keeps_a_word_that_is_still_there():
    view, x, _ = batch(view=WordDeletion(rate=0.99))
    there = x.with_weights((torch.arange(len(x.ids)) % 3 == 0).float())
    for _ in range(20):
        out = view(there, None)
        assert bool((out.weights <= there.weights).all())
        pairs = zip(by_document(there.weights, x), by_document(out.weights, x))
        assert all(sum(after) >= min(1, sum(before)) for before, after in pairs)


def test_repetition_counts_words_twice_and_none_that_is_gone():
    view, x, _ = batch(view=WordRepetition(rate=0.5))
    gone = x.with_weights(torch.where(torch.arange(len(x.ids)) % 2 == 0, 0.0, 1.0))
    out = torch.stack([view(gone, None).weights for _ in range(100)])
    assert bool((out[:, gone.weights == 0] == 0).all())
    assert set(out[:, gone.weights > 0].unique().tolist()) == {1.0, 2.0}
    long = torch.stack([view(x, None).weights[5:31].mean() for _ in range(200)])
    assert abs(float(long.mean()) - 1.25) < 0.05


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.7), (0.01, 0.01), (1.0, 1.0)])
def test_a_crop_is_one_span(low, high):
    view, x, _ = batch(view=SpanCrop(low=low, high=high))
    seen = set()
    for _ in range(50):
        for kept in by_document(view(x, None).weights, x):
            n, size = len(kept), int(sum(kept))
            assert sum(np.diff([0, *kept, 0]) != 0) == (2 if n else 0)
            assert np.ceil(low * n - 1e-4) <= size <= max(np.ceil(high * n), min(1, n))
            seen.add((n, kept.index(1.0) if n else 0))
    if low == 0.01:
        assert {(4, start) for start in range(4)} <= seen


def test_shuffle_moves_words_within_a_document():
    view, x, _ = batch(view=Shuffle())
    weighted = x.with_weights(x.ids.float())
    firsts = set()
    for _ in range(30):
        out = view(weighted, None)
        assert torch.equal(out.weights, out.ids.float())
        pairs = zip(by_document(x.ids, x), by_document(out.ids, x))
        assert all(sorted(before) == sorted(after) for before, after in pairs)
        firsts.add(int(out.ids[1]))
    assert len(firsts) == 4


def test_typos_are_new_words_near_the_old():
    rows = TokenRows(number_words([["contrastive", "the", "words"]] * 200))
    view = Typos(rate=0.5, n_variants=2).build(rows)
    assert len(rows.words) == 3 + 2 * 2
    x = rows.take(rows.train_index)
    ids = view(x, None).ids.view(-1, 3)
    assert bool((ids[:, 1] == 1).all())
    assert set(ids[:, 0].tolist()) == {0, 3, 4} and set(ids[:, 2].tolist()) == {2, 5, 6}
    assert abs(float((ids[:, 0] != 0).float().mean()) - 0.5) < 0.15
    hashes = rows.words.features
    shared = len(set(hashes[0, 4:].tolist()) & set(hashes[3, 4:].tolist()))
    assert shared > 3 and bool((rows.words.frequency[3:] == 0).all())
    again = view(view(x, None), None)  # misspelled words stay as they are
    assert int(again.ids.max()) < len(rows.words)


def test_a_function_and_a_list_are_views():
    def double(x):
        x.weights.mul_(2)
        return x

    view, x, _ = batch(view=["shuffle", double, WordDeletion(rate=0.0)])
    assert bool((view(x, None).weights == 2).all()) and bool((x.weights == 1).all())
    view, x, _ = batch(view=Compose(views=(WordDeletion(), double)))
    assert float(view(x, None).weights.max()) == 2
    view, x, _ = batch(view=lambda x: x.weights)
    with pytest.raises(ValueError, match="must return a TokenBatch"):
        view(x, None)


def test_views_of_one_kind_do_not_fit_rows_of_the_other():
    texts = ["a b", "c d", "e f"]
    with pytest.raises(ValueError, match=r"FeatureMask\(\) reads numbers, but the rows are tokens"):
        from skcontrast.views import FeatureMask

        ContrastiveTextEncoder(views=FeatureMask(), max_iter=1).fit(texts)
    with pytest.raises(ValueError, match="views='mask' reads numbers, but the rows are tokens"):
        ContrastiveTextEncoder(views="mask", max_iter=1).fit(texts)
    with pytest.raises(
        ValueError, match=r"WordDeletion\(\) reads tokens, but the rows are numbers"
    ):
        ContrastiveEncoder(views=WordDeletion(), max_iter=1).fit(np.eye(4))
    with pytest.raises(InvalidParameterError, match="'views' parameter"):
        ContrastiveEncoder(views="word_deletion").fit(np.eye(4))
    with pytest.raises(ValueError, match=r"type SpanCrop\(low=0.2, high=0.9\)"):
        batch(view=SpanCrop(low=0.9, high=0.2))


def test_a_view_of_ones_own():
    class First(TextView):
        def build(self, rows):
            def keep(x, index):
                weights = torch.zeros_like(x.weights)
                return x.with_weights(weights.index_fill(0, x.offsets[x.lengths() > 0], 1.0))

            return keep

    encoder = ContrastiveTextEncoder(views=First(), clean_anchor=True, max_iter=1, random_state=0)
    assert encoder.fit(["a b c", "d e", "f"]).n_iter_ == 1


def test_batches_stack_and_pad():
    _, x, rows = batch()
    both = concatenate([x, x.with_weights(0 * x.weights)])
    assert len(both) == 2 * len(x) and both.shape == (10, x.shape[1])
    assert by_document(both.ids, both) == 2 * by_document(x.ids, x)
    assert both.lengths().tolist() == 2 * [1, 4, 0, 26, 9]
    padded = x.padded(3)
    assert padded.lengths().tolist() == [1, 4, 0, 26, 9, 0, 0, 0]
    assert x.to("cpu").row_of_token().bincount(minlength=5).tolist() == [1, 4, 0, 26, 9]
    part = rows.take(torch.tensor([3, 0]))
    assert by_document(part.ids, part) == [by_document(x.ids, x)[i] for i in (3, 0)]
    assert isinstance(concatenate([torch.ones(2, 3)] * 2), torch.Tensor)
    assert table_rows(np.eye(3)).take(torch.arange(3)).shape == (3, 3)


def test_representative_words_are_drawn_by_what_they_add():
    words = ["the"] * 4 + ["car"] * 3 + ["and"] * 2 + ["tree"]
    _, x, rows = batch([words, ["the"] * 6 + ["and"] * 4, []] * 1000)
    frequency = {w: float(f) for w, f in zip(rows.vocabulary, rows.words.frequency)}
    counts = {"the": 4, "car": 3, "and": 2, "tree": 1}
    adds = {w: c / 10 * np.log(c / 10 / frequency[w]) for w, c in counts.items()}
    odds = {w: np.exp(a / 0.2) for w, a in adds.items()}
    out = RepresentativeWords(n_words=1, temperature=0.2).build(rows)(x, rows.train_index)
    found = by_document(out.weights, x)
    drawn = [words[int(np.argmax(document))] for document in found[::3]]
    for word, odd in odds.items():
        share = np.mean([w == word for w in drawn])
        assert abs(share - odd / sum(odds.values())) < 0.05, word
    assert [sum(document) for document in found[:3]] == [1, 1, 0]
    # Each word once, its first place; all words of a document with fewer.
    most = by_document(RepresentativeWords(3).build(rows)(x, rows.train_index).weights, x)
    assert {sum(document) for document in most[::3]} == {3} and {sum(d) for d in most[1::3]} == {2}
    assert {tuple(document) for document in most[1::3]} == {(1, 0, 0, 0, 0, 0, 1, 0, 0, 0)}
    # What an earlier view took away is not drawn.
    left = x.with_weights(torch.where(x.ids == rows.vocabulary.index("car"), 0.0, x.weights))
    again = RepresentativeWords(9).build(rows)(left, rows.train_index)
    assert not again.weights[x.ids == rows.vocabulary.index("car")].any()
