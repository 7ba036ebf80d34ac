"""Documents as tokens, words as numbers, numbers as vectors of documents; files of vectors."""

import gzip

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer

from skcontrast import Word2VecVectorizer
from skcontrast._inputs.documents import analyzed, build_analyzer, check_documents
from skcontrast.text import _pooling
from skcontrast.text._information import MIN_WORDS, _bins, frequency_corrected, information_gain
from skcontrast.text._pooling import common_components, pool, sif_weights, without
from skcontrast.text._text_format import read_word2vec, write_word2vec
from skcontrast.text._vocabulary import count, encode, given_words, read_corpus

DOCUMENTS = ["The cat, the dog!", "a Dog barks", "", "tea tea tea"]
BAD = [
    ("the cat", "X is one string: pass a list of documents"),
    (b"the cat", "X is one bytes object"),
    (None, "X is None"),
    (3, "X is of type int"),
    (np.array("word"), "X is of type ndarray"),
    ({"a": 1}, r"X is a dict: .*list\(X.values\(\)\)"),
    ({"a word"}, r"X is a set: .*sorted\(X\)"),
    (sp.csr_matrix((2, 2)), "sparse matrix, in which the order of the words is lost"),
    (pd.DataFrame({"text": ["a word"]}), r"X is a table: .*X\['text'\]"),
    (np.array([["a word"]]), r"X is a table: .*X\[:, 0\]"),
    ([], "X holds no documents"),
    (iter([]), "X is an iterator that yields nothing, perhaps because it was used up"),
    (["a", None], "document 1 of X is None: leave it out"),
    (["a", float("nan")], "document 1 of X is nan"),
    (pd.Series(["a", pd.NA], dtype="string"), "document 1 of X is <NA>"),
    (["a", b"b"], r"document 1 of X is of type bytes: type \[document.decode\(\)"),
    ([1], "document 0 of X is of type int"),
    ([["a", 2]], "document 0 of X holds 2 of type int among its tokens"),
    ([["a"], ["b", None]], "document 1 of X holds None of type NoneType"),
    ([[["a"]]], "of type list among its tokens"),
    ([np.array([["a"]])], r"document 0 of X is an array of shape \(1, 1\)"),
    (["a", ["a"]], "document 1 of X is a list of tokens, but document 0 is a str"),
]


@pytest.mark.parametrize(("X", "match"), BAD, ids=[match[:30] for _, match in BAD])
def test_what_is_no_collection_of_documents(X, match):
    with pytest.raises(ValueError, match=match) as caught:
        list(check_documents(X))
    assert "\n" not in str(caught.value)


def test_a_wrong_collection_is_refused_before_it_is_read():
    with pytest.raises(ValueError, match="Z is one string"):
        check_documents("words", name="Z")


def test_tokens_are_those_of_count_vectorizer():
    for params in (
        {},
        {"lowercase": False},
        {"stop_words": "english"},
        {"stop_words": ["dog"]},
        {"analyzer": "char_wb"},
        {"token_pattern": r"\S+"},
        {"tokenizer": str.split, "token_pattern": None},
        {"strip_accents": "unicode", "preprocessor": None},
        {"preprocessor": str.upper},
        {"analyzer": str.split},
    ):
        estimator = CountVectorizer(**params)
        expected = [list(estimator.build_analyzer()(document)) for document in DOCUMENTS]
        assert analyzed(DOCUMENTS, estimator) == expected
        assert build_analyzer(estimator)("") == []


def test_lists_of_tokens_pass_unchanged():
    tokens = [["The", "cat"], [], ["a b"]]
    for kind in (list, tuple, np.array):
        documents = [kind(document) if document else document for document in tokens]
        assert analyzed(documents, CountVectorizer(stop_words="english")) == tokens


def test_a_callable_analyzer_is_given_every_document():
    estimator = CountVectorizer(analyzer=lambda record: (word for word in record["text"].split()))
    assert analyzed([{"text": "a cat"}, {"text": ""}], estimator) == [["a", "cat"], []]
    for result, match in (
        ("cat", "analyzer makes of document 0 of X is of type str"),
        (None, "is of type NoneType"),
        ([b"cat"], "of type bytes among its tokens"),
    ):
        with pytest.raises(ValueError, match=match):
            analyzed([1], CountVectorizer(analyzer=lambda _, result=result: result))


def test_vocabulary_is_ordered_by_count_then_by_the_alphabet():
    documents = ["b b a c".split(), "a d".split(), [], ["e", "b", "c"]]
    vocabulary, corpus = read_corpus(iter(documents))
    assert vocabulary.words == ["b", "a", "c", "d", "e"]
    assert vocabulary.index == {"b": 0, "a": 1, "c": 2, "d": 3, "e": 4}
    assert vocabulary.counts.tolist() == [3, 2, 2, 1, 1] == count(corpus, 5).tolist()
    assert corpus.ids.tolist() == [0, 0, 1, 2, 1, 3, 4, 0, 2]
    assert corpus.offsets.tolist() == [0, 4, 6, 6, 9]
    assert (corpus.ids.dtype, corpus.offsets.dtype) == (np.int32, np.int64)
    assert read_corpus(documents, min_count=2)[0].words == ["b", "a", "c"]
    assert read_corpus(documents, max_features=2)[0].words == ["b", "a"]


def test_reading_is_building_and_encoding():
    rng = np.random.default_rng(0)
    documents = [[f"w{i}" for i in rng.geometric(0.1, n)] for n in rng.integers(0, 9, 50)]
    for params in ({}, {"min_count": 3}, {"max_features": 4}, {"vocabulary": ["w2", "no", "w1"]}):
        vocabulary, corpus = read_corpus(documents, **params)
        again = encode(documents, vocabulary.index)
        assert all(np.array_equal(a, b) for a, b in zip(corpus, again))
        words = [
            [vocabulary.words[i] for i in corpus.ids[start:stop]]
            for start, stop in zip(corpus.offsets, corpus.offsets[1:])
        ]
        assert words == [[w for w in document if w in vocabulary.index] for document in documents]
        flat = [word for document in words for word in document]
        assert vocabulary.counts.tolist() == [flat.count(word) for word in vocabulary.words]
        assert set(map(type, vocabulary.words)) == {str}


def test_nothing_left():
    with pytest.raises(ValueError, match="X holds no words"):
        read_corpus([[], []])
    match = r"no word of X occurs min_count=3 times, the most frequent one \('a'\) only 2"
    with pytest.raises(ValueError, match=match):
        read_corpus([["a", "b"], ["a"]], min_count=3)


def test_given_vocabulary():
    assert given_words({"b": 0, "a": 1}) == ["b", "a"]
    assert given_words({"b", "a"}) == ["a", "b"]
    assert given_words(np.array(["b", "a"])) == ["b", "a"]
    for bad, match in (
        ("words", "vocabulary is a str"),
        (iter(["a"]), "vocabulary is a list_iterator"),
        ({"a": 0, "b": 2}, "must map its 2 words to 0, 1, ..., 1"),
        (["a", "a"], "vocabulary holds 'a' twice"),
        ([1], "vocabulary must hold strings, got 1"),
        ([], "vocabulary is empty"),
    ):
        with pytest.raises(ValueError, match=match):
            given_words(bad)


def drawn(n_documents=30, n_words=12, d=5, seed=0):
    rng = np.random.default_rng(seed)
    documents = [[f"{i}" for i in rng.integers(0, n_words, n)] for n in rng.integers(0, 8, 30)]
    corpus = encode(documents[:n_documents], {f"{i}": i for i in range(n_words)})
    return corpus, rng.standard_normal((n_words, d)).astype(np.float32)


@pytest.mark.parametrize("chunk", [1, 3, 10**6])
@pytest.mark.parametrize("how", ["mean", "weighted", "max"])
def test_pooling_is_the_loop(how, chunk, monkeypatch):
    monkeypatch.setattr(_pooling, "CHUNK", chunk)
    corpus, embedding = drawn()
    weights = np.arange(1.0, 13) if how == "weighted" else None
    expected = np.zeros((30, 5))
    for i, (start, stop) in enumerate(zip(corpus.offsets, corpus.offsets[1:])):
        ids = corpus.ids[start:stop]
        if len(ids) and how == "max":
            expected[i] = embedding[ids].max(axis=0)
        elif len(ids):
            w = np.ones(len(ids)) if weights is None else weights[ids]
            expected[i] = (w[:, None] * embedding[ids]).sum(axis=0) / len(ids)
    before = embedding.copy()
    given = None if weights is None else weights.__getitem__
    X = pool(corpus, embedding, "max" if how == "max" else "mean", given)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, expected, rtol=1e-6, atol=1e-6)
    assert np.array_equal(embedding, before)


def test_mean_of_a_very_long_document():
    corpus = encode([["a", "b"] * 300_000], {"a": 0, "b": 1})
    vectors = np.array([[1.0, 1e-3], [3.0, 1e3]], dtype=np.float32)
    np.testing.assert_allclose(pool(corpus, vectors), [[2.0, 500.0005]], rtol=1e-7)


def test_common_components_are_those_of_truncated_svd():
    X = np.random.default_rng(0).standard_normal((50, 6)) + 2
    components = common_components(X, 2)
    svd = TruncatedSVD(2, n_iter=30, random_state=0).fit(X)
    signs = np.sign((components * svd.components_).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(components, signs * svd.components_, atol=1e-6)
    left = without(X, components)
    np.testing.assert_allclose(left @ components.T, 0, atol=1e-5)


def test_common_components_of_few_documents():
    assert not common_components(np.zeros((3, 4)), 2).any()
    assert common_components(np.ones((3, 4)), 0).shape == (0, 4)
    components = common_components(np.ones((1, 4)), 3)
    np.testing.assert_allclose(components, [[0.5] * 4, [0] * 4, [0] * 4], atol=1e-12)


def test_sif_weights():
    weights = sif_weights(np.array([1, 3]), 0.25)
    np.testing.assert_allclose(weights(np.array([0, 1, 0])), [0.5, 0.25, 0.5])


def test_sif_of_equal_weights_is_the_mean():
    """Words that are equally frequent have one weight, which is 1 where a is large."""
    texts = [" ".join(np.roll(list("abcdef"), i)[:4]) for i in range(6)]
    settings = {"token_pattern": r"\w", "min_count": 1, "n_components": 3, "random_state": 0}
    mean = Word2VecVectorizer(**settings).fit_transform(texts)
    assert mean.any()
    for a, weight in ((0.5, 0.5 / (0.5 + 1 / 6)), (1e9, 1.0)):
        sif = Word2VecVectorizer(**settings, pooling="sif", sif_a=a, n_removed=0)
        np.testing.assert_allclose(sif.fit_transform(texts), weight * mean, rtol=1e-5)


def test_information_gain_is_the_divergence_where_it_is_small():
    rng = np.random.default_rng(0)
    u, v = 0.05 * rng.standard_normal((2, 40, 6))
    counts = rng.integers(1, 50, 40)
    p = counts / counts.sum()
    # p(c|w) = q(c) exp(u_w . v_c), normalised; with q such that the mean of p(c|w) is about p.
    conditional = p * np.exp(u @ v.T)
    conditional /= conditional.sum(axis=1, keepdims=True)
    marginal = p @ conditional
    divergence = (conditional * np.log(conditional / marginal)).sum(axis=1)
    gain = information_gain(u, v, counts)
    np.testing.assert_allclose(gain, divergence, rtol=0.2)
    assert np.corrcoef(gain, divergence)[0, 1] > 0.999
    naive = 0
    for c in range(40):
        naive += 0.5 * p[c] * ((u - p @ u) @ (v[c] - p @ v)) ** 2
    np.testing.assert_allclose(gain, naive)


def test_corrected_gain_takes_off_the_low_percentile_of_the_bin():
    rng = np.random.default_rng(0)
    counts = rng.zipf(1.3, 1000).clip(max=10**6)
    gain = rng.random(1000) + 5 / counts
    seen = np.zeros(1000, dtype=int)
    last = np.inf
    for words in _bins(counts):
        seen[words] += 1
        assert len(words) >= MIN_WORDS
        assert counts[words].max() <= last
        last = counts[words].min()
        expected = gain[words] - np.percentile(gain[words], 3)
        np.testing.assert_allclose(frequency_corrected(gain, counts)[words], expected)
    assert (seen == 1).all()
    for few in (np.array([1]), np.array([5, 5, 1]), np.ones(200, dtype=int)):
        assert np.isfinite(frequency_corrected(np.ones(len(few)), few)).all()


@pytest.mark.parametrize("name", ["vectors.txt", "vectors.txt.gz"])
def test_file_gives_the_same_bits(tmp_path, name):
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((4, 3)) * 10.0 ** rng.integers(-30, 30, (4, 3))).astype("f4")
    words = ["cat", "straße", "new_york", "5"]
    write_word2vec(tmp_path / name, words, vectors)
    back, again = read_word2vec(tmp_path / name)
    assert back == words and again.dtype == np.float32
    assert np.array_equal(again, vectors)
    opened = gzip.open if name.endswith(".gz") else open
    with opened(tmp_path / name, "rb") as file:
        assert file.readline() == b"4 3\n"


def test_words_that_the_format_cannot_hold(tmp_path):
    for word in ("new york", "a\tb", "", "a\n", "a\u2028b", "\ud800"):
        path = tmp_path / "vectors.txt"
        with pytest.raises(ValueError, match="the word"):
            write_word2vec(path, ["cat", word], np.zeros((2, 3), dtype=np.float32))
        assert not path.exists()
