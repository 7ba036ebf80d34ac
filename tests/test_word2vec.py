"""Word2VecVectorizer: what it learns, what it refuses, and its vectors of words."""

import sys
import types
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from text_instances import topics

from skcontrast import Word2VecVectorizer
from skcontrast.text._corpus import Trained
from skcontrast.text._numba import available
from skcontrast.text._vocabulary import encode

NUMBA = available()
SOLVERS = [
    "block",
    pytest.param("numba", marks=pytest.mark.skipif(not NUMBA, reason="needs numba")),
    "spectral",
]
STOCHASTIC = [s for s in SOLVERS if s != "spectral"]


def small(**params):
    cheap = {"n_components": 4, "min_count": 1, "max_iter": 2, "random_state": 0}
    return Word2VecVectorizer(**{**cheap, **params})


def corpus_of_topics(n_documents=300, n_topics=4, n_words=10, length=20, seed=0):
    """Documents as lists of words, each of one topic, with words of all topics among them."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_topics, n_documents)
    words = np.array([[f"t{t}w{i}" for i in range(n_words)] for t in range(n_topics)])
    rest = np.array([f"all{i}" for i in range(n_words)])
    own = words[y[:, None], rng.integers(0, n_words, (n_documents, length))]
    other = rest[rng.integers(0, n_words, (n_documents, length))]
    return np.where(rng.random((n_documents, length)) < 0.6, own, other).tolist(), y, words


@pytest.fixture
def recorded(monkeypatch):
    """A solver in place of "block" that records what it is given and learns nothing."""
    calls = []

    def train(corpus, counts, options, start=None):
        calls.append((corpus, counts, options, start))
        tables = start
        if start is None:
            rng = np.random.default_rng(options.seed)
            tables = rng.standard_normal((2, len(counts), options.n_components))
        embedding, context = (np.array(table, dtype=np.float32) for table in tables)
        return Trained(embedding, context, [1.0] * options.max_iter)

    fake = types.ModuleType("fake")
    fake.train = train
    monkeypatch.setitem(sys.modules, "skcontrast.text._block", fake)
    return calls


@pytest.mark.parametrize("solver", SOLVERS)
def test_words_of_one_topic_are_near(solver):
    documents, y, words = corpus_of_topics()
    model = small(n_components=10, max_iter=15, sample=0, solver=solver).fit(documents)
    vectors = model.word_vectors(words.ravel())
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors @ vectors.T
    topic = np.repeat(np.arange(len(words)), words.shape[1])
    same = (topic[:, None] == topic) & ~np.eye(len(topic), dtype=bool)
    assert cosine[same].mean() - cosine[topic[:, None] != topic].mean() > 0.4
    nearest = [word for word, _ in model.most_similar("t0w0", topn=5)]
    assert all(word.startswith("t0") for word in nearest)
    if solver != "spectral":
        assert len(model.loss_curve_) == model.n_iter_ == 15
        assert model.loss_curve_[-1] < 0.95 * model.loss_curve_[0]
    for pooling in ("mean", "sif", "max"):
        pipeline = make_pipeline(
            clone(model).set_params(pooling=pooling, max_iter=5),
            LogisticRegression(C=100, max_iter=1000),
        )
        assert cross_val_score(pipeline, documents, y, cv=2).mean() > 0.9


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_margin(solver):
    documents, _, _ = corpus_of_topics()
    model = small(n_components=10, max_iter=20, objective="margin", solver=solver).fit(documents)
    nearest = [word for word, _ in model.most_similar("t0w0", topn=5)]
    assert all(word.startswith("t0") for word in nearest)
    assert not hasattr(model, "information_gain_")


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("objective", ["sgns", "margin"])
def test_few_words_all_kept_and_a_large_learning_rate(solver, objective):
    if (solver, objective) == ("spectral", "margin"):
        return
    rng = np.random.default_rng(0)
    documents = [[f"w{i}" for i in rng.integers(0, 50, 40)] for _ in range(200)]
    model = small(
        n_components=50,
        sample=0,
        learning_rate=0.1,
        max_iter=10,
        solver=solver,
        objective=objective,
    ).fit(documents)
    assert model.embedding_.shape == model.context_embedding_.shape == (50, 50)
    assert np.abs(model.embedding_).max() < 100
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("n_components", [1, 6])
def test_odd_corpora_are_sound(solver, n_components):
    for documents in (
        ["tea cup"],
        ["tea cup tea cup cup", "", "tea"],
        ["tea tea"],
        ["tea", "cup", "tea cup"],
        ["tea cup " * 20_000],
        ["tea cup " + " ".join(f"w{i}" for i in range(3000))],
    ):
        model = small(solver=solver, n_components=n_components, window=30, negative=20, sample=0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "1 of 3 documents")
            Z = model.fit_transform(documents)
        assert Z.shape == (len(documents), n_components) and np.isfinite(Z).all()
        assert model.embedding_.shape == (len(model.vocabulary_), n_components)
        assert model.embedding_.dtype == model.context_embedding_.dtype == np.float32


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_a_given_word_that_does_not_occur(solver):
    for exponent in (0.75, -0.5):
        model = small(vocabulary=["tea", "never", "cup"], ns_exponent=exponent, solver=solver)
        model.fit(["tea cup tea", "cup tea"])
        assert model.counts_.tolist() == [3, 0, 2]
        assert np.isfinite(model.embedding_).all()


def test_parameters_reach_the_solver(recorded):
    given = {
        "window": 7,
        "negative": 3,
        "sample": 0.5,
        "ns_exponent": -0.5,
        "learning_rate": 0.5,
        "min_learning_rate": 0.1,
        "max_iter": 3,
        "objective": "margin",
        "margin": 0.4,
        "block_size": 17,
        "shift": 2.0,
        "power": 0.0,
        "smoothing": 1.0,
        "n_jobs": 2,
    }
    model = small(**given, solver="block", device="cpu", token_pattern="[a-c]").fit(
        ["b b a", "a c"]
    )
    corpus, counts, options, start = recorded[0]
    assert start is None and corpus.offsets.tolist() == [0, 3, 5]
    assert [list(model.vocabulary_)[i] for i in corpus.ids] == "b b a a c".split()
    assert {name: getattr(options, name) for name in given} == given
    assert options.n_components == 4 and options.device.type == "cpu"
    assert counts.tolist() == model.counts_.tolist() == [2, 2, 1]


def test_fit_transform_reads_once_and_gives_what_transform_gives(recorded):
    X, _ = topics()
    for pooling in ("mean", "sif", "max"):
        model = small(pooling=pooling, solver="block")
        assert np.array_equal(model.fit_transform(iter(X)), model.transform(X))


def test_sif_takes_away_what_documents_share(recorded):
    X, _ = topics()
    model = small(pooling="sif", n_removed=2, sif_a=0.01, solver="block").fit(X)
    assert model.common_components_.shape == (2, 4)
    p = model.counts_ / model.counts_.sum()
    weighted = model.embedding_ * (0.01 / (0.01 + p))[:, None]
    corpus = encode([x.split() for x in X], model.vocabulary_)
    mean = np.array(
        [weighted[corpus.ids[a:b]].mean(axis=0) for a, b in zip(corpus.offsets, corpus.offsets[1:])]
    )
    _, _, right = np.linalg.svd(mean)
    expected = mean - mean @ right[:2].T @ right[:2]
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-5)
    with pytest.raises(ValueError, match="n_removed=4 takes away all of n_components=4"):
        small(pooling="sif", n_removed=4, solver="block").fit(X)
    plain = small(solver="block").fit(X).set_params(pooling="sif")
    with pytest.raises(ValueError, match="pooling='sif' takes counts and documents"):
        plain.transform(X)
    assert not hasattr(model.set_params(pooling="mean").fit(X), "common_components_")


def test_one_warning_counts_the_documents_without_a_known_word(recorded):
    model = small(solver="block").fit(["tea cup"])
    with pytest.warns(UserWarning, match="^2 of 3 documents have no known word") as caught:
        Z = model.transform(["", "tea", "unknown words"])
    assert len(caught) == 1 and caught[0].filename == __file__
    assert Z.any(axis=1).tolist() == [False, True, False]


def test_partial_fit_keeps_vocabulary_and_learning_rate(recorded):
    model = small(solver="block", learning_rate=0.5)
    assert model.partial_fit(["tea cup tea", "cup tea"]) is model
    first = model.embedding_
    model.partial_fit(iter(["tea unknown cup"]))
    model.partial_fit(["tea", "unknown"])  # no pair: nothing to learn, but tea is counted
    assert list(model.vocabulary_) == ["tea", "cup"]
    assert model.counts_.tolist() == [5, 3]
    assert len(recorded) == 2 and model.n_iter_ == 2 and model.loss_curve_ == [1.0, 1.0]
    assert recorded[1][3][0] is first
    assert recorded[1][0].ids.tolist() == [0, 1]
    for _, _, options, _ in recorded:
        assert (options.learning_rate, options.min_learning_rate) == (0.5, 0.5)
        assert options.max_iter == 1
    assert recorded[0][2].seed != recorded[1][2].seed
    with pytest.raises(ValueError, match="n_components=5, but the vectors that were fitted have 4"):
        model.set_params(n_components=5).partial_fit(["tea cup"])
    with pytest.raises(ValueError, match="solver='spectral' has no partial_fit"):
        small(solver="spectral").partial_fit(["tea cup"])


@pytest.mark.parametrize("solver", STOCHASTIC)
def test_partial_fit_learns(solver):
    documents, y, words = corpus_of_topics()
    given = sorted({word for document in documents for word in document})
    models = []
    for _ in range(2):
        model = small(n_components=10, vocabulary=given, sample=0, solver=solver, pooling="sif")
        for _ in range(12):
            for start in (0, 100, 200):
                model.partial_fit(documents[start : start + 100])
        models.append(model)
    assert list(model.vocabulary_) == given and model.n_iter_ == 36
    assert np.array_equal(models[0].embedding_, models[1].embedding_)
    nearest = [word for word, _ in model.most_similar("t0w0", topn=5)]
    assert all(word.startswith("t0") for word in nearest)
    assert np.isfinite(model.transform(documents)).all()


def test_what_does_not_go_together(monkeypatch):
    X = ["tea cup"]
    for params, match in (
        ({"solver": "spectral", "objective": "margin"}, "no spectral solution"),
        ({"min_learning_rate": 0.1}, "min_learning_rate=0.1 is above learning_rate=0.025"),
        ({"min_count": 2}, "no word of X occurs min_count=2 times"),
        ({"vocabulary": "tea"}, "vocabulary is a str"),
        ({"token_pattern": None}, "token_pattern is None"),
        ({"token_pattern": "("}, r"token_pattern='\(' is no regular expression"),
        ({"device": "gpu"}, "device='gpu' is no device"),
    ):
        with pytest.raises(ValueError, match=match):
            small(**params).fit(X)
    with pytest.raises(ValueError, match="no document of X has two of the 2 words"):
        small().fit(["tea", "cup"])
    monkeypatch.setattr("skcontrast.text._numba.available", lambda: False)
    with pytest.raises(ImportError, match="pip install numba"):
        small(solver="numba").fit(X)
    by_default = small(device="cpu").fit(X).embedding_
    assert np.array_equal(by_default, small(device="cpu", solver="block").fit(X).embedding_)


def test_word_vectors(recorded):
    model = small(solver="block").fit(["tea cup spoon saucer", "tea"])
    assert np.array_equal(model.word_vectors("tea"), model.embedding_[0])
    rows = [model.vocabulary_[word] for word in ("cup", "tea")]
    assert np.array_equal(model.word_vectors(["cup", "tea"]), model.embedding_[rows])
    assert model.word_vectors([]).shape == (0, 4)
    model.word_vectors("tea")[:] = 0
    assert model.embedding_[0].any()
    with pytest.raises(ValueError, match="'saucr' is not among the 4 words .* mean 'saucer'") as e:
        model.word_vectors(["tea", "saucr"])
    assert not isinstance(e.value, KeyError)
    with pytest.raises(ValueError, match="an object of type int is not among"):
        model.word_vectors([3])
    with pytest.raises(NotFittedError):
        small().word_vectors("tea")


def test_most_similar(recorded):
    model = small(solver="block").fit(["tea cup spoon saucer milk", "tea"])
    model.embedding_ = np.array(
        [[1, 0, 0, 0], [2, 1, 0, 0], [0, 3, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float32
    )
    words = list(model.vocabulary_)
    unit = np.array([1, 0.5]) / np.hypot(1, 0.5)
    similar = model.most_similar(words[0])
    assert [word for word, _ in similar] == [words[i] for i in (1, 2, 3)]  # 4 has no direction
    np.testing.assert_allclose([cosine for _, cosine in similar], [unit[0], 0, -1], atol=1e-7)
    assert model.most_similar(words[0], topn=1) == similar[:1]
    vector = [5.0, 0, 0, 0]
    assert model.most_similar(vector, topn=9)[0] == (words[0], 1.0)
    assert model.most_similar(np.array(vector)) == model.most_similar([vector])
    both = model.most_similar([words[1], np.array(vector)], negative=words[0], topn=9)
    assert words[0] not in dict(both) and words[1] not in dict(both)
    assert dict(both)[words[2]] == pytest.approx(unit[1])
    even = model.most_similar(words[1:3])
    for weight in (1e308, 1e-310, 10**30, np.float32(3e38)):
        weighted = model.most_similar([(word, weight) for word in words[1:3]])
        assert [word for word, _ in weighted] == [word for word, _ in even]
        np.testing.assert_allclose([c for _, c in weighted], [c for _, c in even])
    for params, match in (
        ({}, "needs a word or a vector"),
        ({"positive": (words[0], 10**400)}, "has the weight 10{39}: type a finite number"),
        ({"positive": (words[0], 1e308), "negative": (words[0], 1e308)}, "adds up to zeros"),
        ({"positive": (words[0], 0)}, "adds up to zeros"),
        ({"positive": "teaa"}, "'teaa' is not among the 5 words of vocabulary_. Did you mean"),
        ({"positive": "tea", "topn": 0}, "topn is 0"),
        ({"positive": [1.0, 2.0]}, r"\[1.0, 2.0\] of type list was asked for: .* 4 finite numbers"),
        ({"positive": [np.nan] * 4}, "4 finite numbers"),
    ):
        with pytest.raises(ValueError, match=match):
            model.most_similar(**params)


def test_files_make_a_fitted_vectoriser(recorded, tmp_path):
    X, _ = topics()
    model = small(solver="block").fit(X)
    model.save_word2vec_format(tmp_path / "vectors.txt")
    read = Word2VecVectorizer.from_word2vec_format(
        tmp_path / "vectors.txt", pooling="max", solver="block"
    )
    assert read.get_params()["n_components"] == 4 and read.pooling == "max"
    assert list(read.vocabulary_) == list(model.vocabulary_)
    assert np.array_equal(read.embedding_, model.embedding_)
    assert np.array_equal(read.transform(X), model.set_params(pooling="max").transform(X))
    assert not hasattr(read, "information_gain_")
    with pytest.raises(ValueError, match="pooling='sif' takes counts and documents"):
        read.set_params(pooling="sif").transform(X)
    read.partial_fit(X)
    assert np.array_equal(read.counts_, model.counts_) and read.n_iter_ == 1
    assert np.array_equal(recorded[-1][3][0], model.embedding_)
    assert read.transform(X).shape == (40, 4)
    with pytest.raises(ValueError, match="n_components=5, but the vectors of the file have 4"):
        Word2VecVectorizer.from_word2vec_format(tmp_path / "vectors.txt", n_components=5)
    phrases = small(solver="block").fit([["new york", "tea"]])
    with pytest.raises(ValueError, match="the word 'new york' holds white space"):
        phrases.save_word2vec_format(tmp_path / "phrases.txt")


def test_information_gain_is_larger_for_words_of_one_topic():
    documents, _, words = corpus_of_topics(n_documents=600)
    model = small(n_components=20, max_iter=30, sample=0, solver="block").fit(documents)
    own = np.array([word.startswith("t") for word in model.vocabulary_])
    for gain in (model.information_gain_, model.corrected_information_gain_):
        assert gain.shape == (50,) and np.isfinite(gain).all()
        assert gain[own].min() > gain[~own].max()
    assert (model.information_gain_ >= 0).all()
    with pytest.raises(AttributeError):
        _ = small().information_gain_
