"""Sent2Vec: the step against a plain loop, the hashes, and what the estimator does."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from text_instances import topics

from skcontrast import PhraseTransformer, Sent2VecVectorizer
from skcontrast.text import _leave_one_out as steps
from skcontrast.text._corpus import Corpus
from skcontrast.text._ngrams import (
    dropped_tokens,
    frequent_buckets,
    ngram_buckets,
    rows_of,
    without_dropped,
)
from skcontrast.text._subwords import subword_rows

CPU = torch.device("cpu")
LENGTHS = [4, 2, 7, 3, 5]
N_WORDS, D = 6, 3


def corpus(seed=0, lengths=LENGTHS):
    ids = np.random.default_rng(seed).integers(0, N_WORDS, sum(lengths)).astype(np.int32)
    return Corpus(ids, np.concatenate([[0], np.cumsum(lengths)]))


def sources(text, ngram, subwords=False):
    buckets = ngram_buckets(text, ngram, 10**6)
    known = frequent_buckets(buckets, 1)
    grams = rows_of(buckets, known)
    grams[grams >= 0] += N_WORDS
    n_rows, pieces = N_WORDS + len(known), None
    if subwords:
        lengths = [2, 0, 3, 1, 2, 4]
        rows = np.random.default_rng(1).integers(0, 5, sum(lengths)) + n_rows
        n_rows, pieces = n_rows + 5, (rows, np.concatenate([[0], np.cumsum(lengths)]))
    return steps.Sources(n_rows, grams, pieces)


def layout(text, given, dropout=0, keep=0.7, size=1000, n_noise=4):
    schedule = steps.Schedule(
        np.full(N_WORDS, keep), np.full(N_WORDS, 1 / N_WORDS), dropout_ngrams=dropout
    )
    documents = np.arange(len(text.offsets) - 1)
    rng = np.random.default_rng(2)
    return list(steps.batches(text, given, schedule, documents, (size, n_noise), rng, CPU))


def tables(given, seed=0):
    generator = torch.Generator().manual_seed(seed)
    source = torch.randn(given.n_rows + 1, D, generator=generator, dtype=torch.float64)
    source[-1] = 0
    target = torch.randn(N_WORDS, D, generator=generator, dtype=torch.float64)
    return steps.Tables(source, target)


def plain_loss(batch, words, source, target, weight):
    """Loss, target by target, from the vectors of the tokens' words and of n-grams."""
    loss = 0.0
    n_tokens, nothing = len(batch.ids), len(source) - 1
    for i in batch.at.tolist():
        context = []
        for j in range(n_tokens):
            if batch.document[j] != batch.document[i]:
                continue
            if j != i:
                context.append(words[j])
            for n, rows in enumerate(batch.grams, start=2):
                if rows[j] != nothing and not j <= i < j + n:
                    context.append(source[rows[j]])
        h = torch.stack(context).mean(0)
        word = int(batch.ids[i])
        loss = loss - torch.nn.functional.logsigmoid(target[word] @ h)
        for k in batch.noise.tolist():
            if k != word:
                loss = loss - weight * torch.nn.functional.logsigmoid(-target[k] @ h)
    return loss


def summed(moves, like, columns=slice(None, -1)):
    total = like.new_zeros(len(like), moves[0][1][:, columns].shape[1])
    for rows, values in moves:
        total.index_add_(0, rows, values[:, columns])
    return total


def double(batch):
    bags = batch.bags and (*batch.bags[:3], batch.bags[3].double())
    return batch._replace(size=batch.size.double(), bags=bags)


@pytest.mark.parametrize("ngram", [1, 2, 3])
@pytest.mark.parametrize("dropout", [0, 2])
@pytest.mark.parametrize("subwords", [False, True])
def test_gradients_are_those_of_the_loop(ngram, dropout, subwords):
    text = corpus()
    given = sources(text, ngram, subwords)
    (batch,) = layout(text, given, dropout)
    batch = double(batch)
    assert 0 < len(batch.at) < len(text.ids)
    source, target = tables(given)
    moves, pulls, loss = steps.gradients(steps.Tables(source, target), batch, 0.75)
    x, _ = steps.token_vectors(source, batch)
    x = x.clone().requires_grad_()
    source.requires_grad_(), target.requires_grad_()
    expected = plain_loss(batch, list(x), source, target, 0.75)
    zeros = torch.zeros_like(source)
    gx, gs, gt = torch.autograd.grad(expected, [x, source, target], allow_unused=True)
    gs = zeros if gs is None else gs
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(summed(pulls, target.detach()), -gt)
    # Every row of a word moves as the word should.
    by_row = gs.clone()
    for i, word in enumerate(batch.ids.tolist()):
        rows = [word]
        if subwords:
            rows += given.subwords[0][slice(*given.subwords[1][word : word + 2])].tolist()
        for row in rows:
            by_row[row] += gx[i]
    ours = summed(moves, source.detach())
    torch.testing.assert_close(ours[:-1], -by_row[:-1])


def test_curvature_is_that_of_the_loop():
    text = corpus()
    given = sources(text, 2)
    (batch,) = layout(text, given)
    batch = double(batch)
    source, target = tables(given)
    moves, pulls, _ = steps.gradients(steps.Tables(source, target), batch, 0.5)
    of_source, of_target = torch.zeros(len(source)).double(), torch.zeros(len(target)).double()
    for i in batch.at.tolist():
        rows = []
        for j in range(len(batch.ids)):
            if batch.document[j] == batch.document[i]:
                rows += [int(batch.ids[j])] * (j != i)
                row = int(batch.grams[0][j])
                rows += [row] * (row < given.n_rows and i not in (j, j + 1))
        h = source[rows].mean(0)
        word, bend = int(batch.ids[i]), 0.0
        for k, weight in [(word, 1.0), *((k, 0.5) for k in batch.noise.tolist() if k != word)]:
            x = target[k] @ h
            curvature = weight * torch.tanh(x / 2) / (2 * x)
            of_target[k] += curvature * h.square().sum()
            bend += curvature * target[k].square().sum()
        # The mean moves by 1/m of each of its m rows: their steps add up to one.
        for row in rows:
            of_source[row] += bend / len(rows)
    last = slice(-1, None)
    torch.testing.assert_close(summed(moves, source, last)[:-1, 0], of_source[:-1])
    torch.testing.assert_close(summed(pulls, target, last)[:, 0], of_target)


def test_parabolas_lie_above_the_loss():
    x = torch.linspace(-30, 30, 101, dtype=torch.float64)[:, None]
    x = torch.cat([x, torch.tensor([[0.0], [1e-4], [-1e-9]], dtype=torch.float64)])
    y = torch.linspace(-40, 40, 201, dtype=torch.float64)
    s = torch.sigmoid(x)
    loss = torch.nn.functional.softplus
    parabola = loss(x) + s * (y - x) + steps.bending(x, s) * (y - x).square() / 2
    assert (parabola >= loss(y) - 1e-6).all()
    touches = loss(x) + s * (-2 * x) + steps.bending(x, s) * (2 * x).square() / 2
    torch.testing.assert_close(touches, loss(-x), atol=1e-6, rtol=1e-6)


def test_rows_of_much_curvature_are_held_back():
    table, work = torch.zeros(4, 2), torch.zeros(4)
    moves = [
        (torch.tensor([0, 1, 1]), torch.tensor([[1.0, 0, 3], [1, 0, 2], [0, 1, 6]])),
        (torch.tensor([0]), torch.tensor([[2.0, 2, 1]])),
    ]
    moves = [(rows, values * torch.tensor([1, 1, steps.REACH])) for rows, values in moves]
    steps.apply(table, work, moves, 0.5)
    np.testing.assert_allclose(table[:2], [[1.5 / 2, 1 / 2], [0.5 / 4, 0.5 / 4]])
    assert not work.any() and not table[2:].any()
    steps.apply(table.zero_(), work, moves, 0.1)
    np.testing.assert_allclose(table[:2], [[0.3, 0.2], [0.1, 0.1]])


@pytest.mark.parametrize("size", [1, 5, 9, 1000])
def test_steps_hold_every_document_once(size, monkeypatch):
    for layout_size in (1, 8, 1000):
        monkeypatch.setattr(steps, "LAYOUT", layout_size)
        text = corpus()
        laid = layout(text, sources(text, 2), keep=1.0, size=size)
        assert sum(len(batch.ids) for batch in laid) == len(text.ids)
        assert sum(len(batch.at) for batch in laid) == len(text.ids)
        seen = []
        for batch in laid:
            assert batch.document.unique().tolist() == list(range(batch.n_documents))
            for i in range(batch.n_documents):
                seen.append(tuple(batch.ids[batch.document == i].tolist()))
        documents = [tuple(text.ids[a:b].tolist()) for a, b in zip(text.offsets, text.offsets[1:])]
        assert sorted(seen) == sorted(documents)


def test_hashes_of_ngrams_are_those_of_the_loop():
    text = corpus(lengths=[4, 0, 1, 6, 2])
    ids = (text.ids.astype(np.int64) * 10**8 % 2**31).astype(np.int32)
    text = text._replace(ids=ids)
    buckets = ngram_buckets(text, 4, 977)
    assert buckets.shape == (3, len(ids))
    for start, stop in zip(text.offsets, text.offsets[1:]):
        for i in range(start, stop):
            h = int(ids[i])
            for n in range(2, 5):
                if i + n > stop:
                    assert buckets[n - 2, i] == -1
                    continue
                h = (h * 116049371 + int(ids[i + n - 1])) % 2**64
                assert buckets[n - 2, i] == h % 977
    assert ngram_buckets(text, 1, 977).shape == (0, len(ids))


def test_rows_of_buckets():
    known = frequent_buckets(np.array([[5, 9, 5, -1], [9, 2, 9, -1]]), 2)
    assert known.tolist() == [5, 9]
    assert rows_of(np.array([[9, 2, -1, 5, 10]]), known).tolist() == [[1, -1, -1, 0, -1]]
    assert rows_of(np.array([[3]]), known[:0]).tolist() == [[-1]]


def test_dropped_tokens_are_in_no_ngram():
    lengths = np.array([0, 1, 2, 3, 9])
    counts = np.zeros(15)
    for seed in range(200):
        dropped = dropped_tokens(lengths, 2, np.random.default_rng(seed))
        counts += dropped
        each = np.split(dropped, np.cumsum(lengths)[:-1])
        assert [int(part.sum()) for part in each] == [0, 0, 0, 1, 2]
    assert (counts[6:] > 20).all()
    assert not dropped_tokens(lengths, 0, np.random.default_rng(0)).any()
    rows = np.arange(12).reshape(2, 6)
    left = without_dropped(rows, np.array([0, 0, 0, 1, 0, 0], dtype=bool))
    assert left.tolist() == [[0, 1, -1, -1, 4, 5], [6, -1, -1, -1, 10, 11]]


def model(**params):
    cheap = {"n_components": 8, "min_count": 1, "max_iter": 5, "random_state": 0, "device": "cpu"}
    return Sent2VecVectorizer(**{**cheap, **params})


@pytest.mark.parametrize("subwords", [False, True])
def test_documents_are_means_of_their_parts(subwords):
    fitted = model(ngram=3, subwords=subwords).fit(topics()[0])
    document = ["cat", "dog", "unheard", "mouse", "the", "and", "dogcat"]
    words = [word for word in document if word in fitted.vocabulary_]
    parts = [fitted.embedding_[fitted.vocabulary_[word]] for word in words]
    numbers = Corpus(
        np.array([fitted.vocabulary_[word] for word in words], dtype=np.int32),
        np.array([0, len(words)]),
    )
    grams = dict(zip(fitted.ngram_buckets_.tolist(), fitted.ngram_embedding_))
    hashes = ngram_buckets(numbers, 3, fitted.n_buckets).ravel().tolist()
    known = [grams[h] for h in hashes if h in grams]
    assert known
    if subwords:
        pieces = dict(zip(fitted.subword_buckets_.tolist(), fitted.subword_embedding_))
        rows, _ = subword_rows(["dogcat"], fitted.n_buckets)
        own = np.mean([pieces[row] for row in rows.tolist() if row in pieces], axis=0)
        np.testing.assert_allclose(fitted.word_vectors("dogcat"), own, rtol=1e-5)
        parts.append(own)
        with pytest.raises(ValueError, match="'unheard' is not among"):
            fitted.word_vectors(["unheard"])
    expected = np.mean([*parts, *known], axis=0)
    np.testing.assert_allclose(fitted.transform([document])[0], expected, rtol=1e-4, atol=1e-6)


def test_subwords_of_a_word_and_its_own_row_are_its_vector():
    fitted = model(subwords=True).fit(topics()[0])
    pieces = dict(zip(fitted.subword_buckets_.tolist(), fitted.subword_embedding_))
    rows, _ = subword_rows(["coffee"], fitted.n_buckets)
    vectors = np.array([pieces[row] for row in rows.tolist()])
    own = fitted.word_vectors("coffee") * (1 + len(rows)) - vectors.sum(0)
    # Its own row moved as far as the vectors of n-grams that only this word has.
    assert 0 < np.linalg.norm(own) < 10 * np.linalg.norm(vectors, axis=1).max()
    near = [word for word, _ in fitted.most_similar("coffees", topn=1)]
    assert near == ["coffee"]


def test_topics_come_apart_and_the_loss_falls():
    documents, y = topics(200)
    fitted = model(max_iter=20, sample=0).fit(documents)
    assert len(fitted.loss_curve_) == fitted.n_iter_ == 20
    assert fitted.loss_curve_[-1] < 0.7 * fitted.loss_curve_[0]
    Z = fitted.transform(documents)
    # What all documents have in common says nothing.
    Z = Z - Z.mean(axis=0)
    Z = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    cosine, same = Z @ Z.T, np.equal.outer(y, y)
    assert cosine[same].mean() - cosine[~same].mean() > 0.5
    pipeline = make_pipeline(model(max_iter=20, sample=0), LogisticRegression())
    assert cross_val_score(pipeline, documents, y, cv=3).min() > 0.95


def test_order_counts_with_ngrams_alone():
    documents = ["red green blue", "blue green red", "green red blue"] * 5
    pair = ["red green blue", "blue green red"]
    one, two = (model(ngram=n).fit(documents).transform(pair) for n in (1, 2))
    np.testing.assert_allclose(one[0], one[1], atol=1e-7)
    assert np.abs(two[0] - two[1]).max() > 1e-3


def test_seeds():
    documents, _ = topics()
    a, b, c = (model(random_state=seed).fit(documents) for seed in (0, 0, 1))
    for name in ("embedding_", "ngram_embedding_", "target_embedding_", "loss_curve_"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
    assert not np.array_equal(a.embedding_, c.embedding_)


@pytest.mark.parametrize("params", [{}, {"subwords": True}, {"ngram": 5}, {"negative": 200}])
def test_nothing_diverges(params):
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 50, (300, 8))
    documents = [[f"w{i}" for i in row] for row in ids] + [["w0"] * 5000]
    fitted = model(sample=0, learning_rate=50.0, max_iter=10, **params).fit(documents)
    assert np.isfinite(fitted.transform(documents)).all()
    assert np.abs(fitted.embedding_).max() < 1e4
    assert np.isfinite(fitted.loss_curve_).all()


def test_few_buckets_and_no_ngrams():
    documents, _ = topics()
    assert len(model(n_buckets=3, subwords=True).fit(documents).ngram_buckets_) <= 3
    assert len(model(ngram=1).fit(documents).ngram_buckets_) == 0
    assert len(model(ngram=1).fit([["a", "b"], ["b", "a"]]).embedding_) == 2


def test_ngrams_that_occur_once_have_no_vector():
    fitted = model().fit([["a", "b", "c"], ["a", "b", "d"]])
    assert len(fitted.ngram_buckets_) == 1


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match="no document of X has two"):
        model().fit(["cat", "dog"])
    with pytest.raises(ValueError, match="min_count=5"):
        model(min_count=5).fit(["cat dog"])
    for name, value in {"ngram": 0, "dropout_ngrams": -1, "subwords": "yes"}.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            model(**{name: value}).fit(topics()[0])


def test_unknown_words_with_and_without_subwords():
    documents, _ = topics()
    plain, open_ = (model(subwords=s).fit(documents) for s in (False, True))
    with pytest.warns(UserWarning, match="1 of 2 documents"):
        assert not plain.transform(["cats", "cat"])[0].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_.transform(["saucers", "cat"]).any(axis=1).all()
    with pytest.raises(ValueError, match="'saucers' is not among.*Did you mean"):
        plain.word_vectors("saucers")
    with pytest.raises(ValueError, match="Nor is one of its subwords known"):
        open_.word_vectors("qqqqq")
    assert open_.word_vectors(["saucers", "cat"]).shape == (2, 8)
    assert open_.word_vectors([]).shape == (0, 8)


def test_phrases_before_it_in_a_pipeline():
    documents = ["new york is big", "old new york", "a new car", "york is old"] * 3
    pipeline = make_pipeline(PhraseTransformer(2, threshold=0.5), model())
    pipeline.set_output(transform="pandas")
    frame = pipeline.fit_transform(documents)
    assert "new_york" in pipeline[-1].vocabulary_
    assert frame.columns.tolist() == pipeline.get_feature_names_out().tolist()


@pytest.mark.gpu
def test_cuda_trains_as_well():
    documents, y = topics(200)
    Z = model(max_iter=20, sample=0, device="cuda", subwords=True).fit_transform(documents)
    assert LogisticRegression().fit(Z, y).score(Z, y) > 0.95
