"""Nothing typed is ignored in silence, nothing is invented, and what is said is true."""

import tracemalloc
import warnings
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skcontrast import (
    ContrastiveTextEncoder,
    PhraseTransformer,
    Sent2VecVectorizer,
    Word2VecVectorizer,
)
from skcontrast.text._numba import available

TEXTS = ["tea with milk", "coffee with milk and sugar", "the cat sat", "the dog sat down"] * 3
TOKENS = [text.split() for text in TEXTS]
SMALL = {"n_components": 4, "min_count": 1, "sample": 0, "max_iter": 2, "random_state": 0}
WORD2VEC = Word2VecVectorizer(**SMALL)
EVERY = {
    "word2vec": WORD2VEC,
    "sent2vec": Sent2VecVectorizer(**SMALL),
    "subwords": Sent2VecVectorizer(**SMALL, subwords=True),
    "encoder": ContrastiveTextEncoder(4, max_iter=1, random_state=0),
    "phrases": PhraseTransformer(1, threshold=0.2, scoring="npmi"),
}
VECTORIZERS = [EVERY["word2vec"], EVERY["sent2vec"], EVERY["subwords"]]
SOLVERS = ["block", "spectral", *(["numba"] if available() else [])]


def said(function):
    """What warnings say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    assert all(w.filename == __file__ and "\n" not in str(w.message) for w in caught)
    return [str(w.message) for w in caught]


# ------------------------------------------------------------ parameters without effect

IN_LISTS = {
    "stop_words": ["the"],
    "lowercase": False,
    "token_pattern": r"\S+",
    "tokenizer": str.split,
    "strip_accents": "unicode",
}


@pytest.mark.parametrize("name", EVERY)
def test_parameters_of_texts_that_lists_of_tokens_do_not_need(name):
    model = clone(EVERY[name])
    assert not said(lambda: model.fit(TOKENS).transform(TOKENS))
    for param, value in IN_LISTS.items():
        model = clone(EVERY[name]).set_params(**{param: value})
        (message,) = said(partial(model.fit, TOKENS))
        assert message.startswith(f"{param} has no effect: X holds lists of tokens")
        assert not said(partial(model.fit, TEXTS))
    model.set_params(stop_words=["the"], lowercase=False, strip_accents=None)
    (message,) = said(lambda: model.fit(TOKENS))
    assert message.startswith("lowercase and stop_words have no effect")


def test_they_are_said_at_the_line_of_the_user_in_a_pipeline_too():
    words = clone(WORD2VEC).set_params(stop_words="english")
    (message,) = said(lambda: make_pipeline(clone(EVERY["phrases"]), words).fit(TEXTS))
    assert message.startswith("stop_words has no effect")


BESIDE = [
    ("word2vec", {"tokenizer": str.split, "token_pattern": r"\S+"}, "token_pattern has no effect"),
    ("encoder", {"tokenizer": str.split, "token_pattern": r"\S+"}, "token_pattern has no effect"),
    ("sent2vec", {"analyzer": "char", "stop_words": ["the"]}, "stop_words has no effect"),
    ("phrases", {"analyzer": str.split, "lowercase": False}, "lowercase has no effect"),
    ("word2vec", {"preprocessor": str.upper, "strip_accents": "ascii"}, "strip_accents has no"),
    ("word2vec", {"vocabulary": ["milk", "with"], "max_features": 1}, "max_features has no effect"),
    ("sent2vec", {"vocabulary": ["milk", "with"], "min_count": 2}, "min_count has no effect"),
    ("encoder", {"standardize": False}, "standardize has no effect: words are hashed"),
    (
        "encoder",
        {"backbone": lambda texts: np.arange(2.0 * len(texts)).reshape(-1, 2), "lowercase": False},
        "lowercase has no effect: backbone=",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params", "match"), BESIDE, ids=range(len(BESIDE)))
def test_parameters_that_another_one_takes_the_place_of(name, params, match):
    model = clone(EVERY[name]).set_params(**params)
    (message,) = set(said(lambda: model.fit(TEXTS)))
    assert message.startswith(match)


# ------------------------------------------------------------ words that were never met


@pytest.mark.parametrize("model", VECTORIZERS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("objective", ["sgns", "margin"])
def test_a_word_that_was_never_met_has_no_vector(model, solver, objective):
    model, params = clone(model), {"solver": solver, "objective": objective}
    if "solver" in model.get_params():
        if solver == "spectral" and objective == "margin":
            return
        model.set_params(**params)
    elif params != {"solver": "block", "objective": "sgns"}:
        return
    # Of the other words of its documents none is known: "dog" is met, but beside nothing.
    model.set_params(vocabulary=["milk", "qqqq", "with", "xxxx", "sugar", "dog"])
    (message,) = said(lambda: model.fit(TEXTS))
    assert "2 of the 6 words of vocabulary=, such as 'qqqq', do not occur in X" in message
    assert model.counts_.astype(bool).tolist() == [1, 0, 1, 0, 1, 1]
    assert model.embedding_.any(axis=1).tolist() == [1, 0, 1, 0, 1, 0]
    for asked in ("milk", ["milk", "with"], np.ones(4)):
        assert not {"qqqq", "xxxx", "dog"} & dict(model.most_similar(asked, topn=99)).keys()
    with pytest.raises(ValueError, match="'qqqq' was never met beside another word and has"):
        model.most_similar("qqqq")
    # In a text it is left out, as any other unknown word.
    Z = model.transform(["milk sugar", "milk qqqq sugar", "milk zzzz sugar"])
    assert np.array_equal(Z[0], Z[1]) and np.array_equal(Z[0], Z[2])
    with pytest.warns(UserWarning, match="2 of 3 documents have no known word"):
        assert model.transform(["qqqq", "milk", "dog"]).any(axis=1).tolist() == [0, 1, 0]


def test_a_word_that_was_never_met_has_the_vector_of_its_subwords():
    model = clone(EVERY["subwords"]).set_params(vocabulary=["milk", "milky", "with", "qqqq"])
    with pytest.warns(UserWarning, match="2 of the 4 words"):
        model.fit(TEXTS)
    met = clone(EVERY["subwords"]).set_params(vocabulary=["milk", "with"]).fit(TEXTS)
    assert model.word_vectors("milky").any() and not model.word_vectors("qqqq").any()
    assert "milky" in dict(model.most_similar("milk"))
    assert met.word_vectors("milky").any()


def test_a_word_that_a_later_call_meets_is_learned():
    for objective in ("sgns", "margin"):
        models = [clone(WORD2VEC).set_params(objective=objective) for _ in range(2)]
        for model in models:
            model.set_params(vocabulary=["milk", "with", "cat", "the"])
            with pytest.warns(UserWarning, match="2 of the 4 words of vocabulary="):
                model.partial_fit(TEXTS[:2])
            assert not model.word_vectors("cat").any()
            assert not said(lambda model=model: model.partial_fit(TEXTS[2:]))
            assert model.word_vectors("cat").any() and np.isfinite(model.embedding_).all()
        assert np.array_equal(models[0].embedding_, models[1].embedding_)


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({}, "'Tea' has capitals, of which lowercase=True leaves none"),
        ({"lowercase": False}, None),
        ({"preprocessor": str.upper}, None),
    ],
    ids=str,
)
def test_capitals_are_blamed_where_they_are_to_blame(params, hint):
    model = clone(WORD2VEC).set_params(**params, vocabulary=["Tea", "MILK", "WITH", "milk", "with"])
    (message,) = said(lambda: model.fit(TEXTS))
    assert "words of vocabulary=" in message and ("lowercase" in message) == bool(hint)
    assert hint is None or hint in message
    with pytest.raises(ValueError, match="X holds none of the 1 words of vocabulary=") as caught:
        model.set_params(vocabulary=["Tea"]).fit(TEXTS)
    assert ("lowercase" in str(caught.value)) == bool(hint)


def test_new_words_in_partial_fit():
    model = clone(WORD2VEC).set_params(min_count=2).fit(TEXTS)
    assert not said(lambda: model.partial_fit([*TEXTS, "a rare word"]))
    (message,) = said(lambda: model.partial_fit(["green tea", "green house", "tea house hat"]))
    assert message.startswith("2 word(s) of X, such as 'green', are not in vocabulary_")
    given = clone(WORD2VEC).set_params(vocabulary=["milk", "with"]).partial_fit(TEXTS)
    assert not said(lambda: given.partial_fit(["green tea with milk"]))
    (message,) = said(
        lambda: given.set_params(vocabulary=["milk", "green"]).partial_fit(["green milk milk"])
    )
    assert message.startswith("1 word(s) of vocabulary=, such as 'green'")


# ------------------------------------------------------------ nearest words


def table(rows, **params):
    model = clone(WORD2VEC).set_params(**params).fit([[f"w{i}" for i in range(len(rows))]])
    model.embedding_ = np.array(rows, dtype=np.float32)
    model.vocabulary_ = {f"w{i}": i for i in range(len(rows))}
    return model


def test_weighted_words():
    model = table([[1, 0], [0, 2], [3, 3], [-1, 1]], n_components=2)
    by_hand = model.most_similar([np.array([1.0, 0.5])], topn=4)
    for positive in (
        [("w0", 1), ("w1", 0.5)],
        [("w0", 2.0), ([0.0, 7.0], np.float32(1))],
        (("w0", 1.0), ("w1", 0.5)),
        ["w0", ("w1", 0.5)],
    ):
        similar = dict(model.most_similar(positive))
        assert similar.keys() <= dict(by_hand).keys() and "w0" not in similar
        assert similar["w2"] == pytest.approx(dict(by_hand)["w2"])
        assert similar["w3"] == pytest.approx(dict(by_hand)["w3"])
    assert model.most_similar(("w0", 3.0)) == model.most_similar("w0")
    taken = dict(model.most_similar("w0", negative=("w1", 0.5)))
    assert taken["w2"] == pytest.approx(dict(model.most_similar([1.0, -0.5], topn=4))["w2"])
    assert model.most_similar(("w0", -1.0)) == model.most_similar(negative="w0")
    assert model.most_similar((1.0, 0.5), topn=4) == by_hand  # numbers alone are a vector


@pytest.mark.parametrize(
    ("asked", "match"),
    [
        ([("w0", True)], "'w0' has the weight True: type a finite number"),
        ([("w0", np.nan)], "'w0' has the weight nan"),
        ([("w0", "much")], r"\('w0', 'much'\) of type tuple was asked for"),
        ([("none", 1.0)], "'none' is not among the 3 words"),
        ([["w0", 1.0]], "of type list was asked for"),
        ([("w0", 1.0), ("w0", -1.0)], "adds up to zeros, which are near nothing"),
        ([("w0", 0.0)], "adds up to zeros"),
        ([0.0, 0.0], "adds up to zeros"),
        (["w0", ("w1", -1)], "adds up to zeros"),  # of one direction
    ],
    ids=str,
)
def test_what_is_near_nothing(asked, match):
    model = table([[0.1, 0.3], [0.7, 2.1], [1, 0]], n_components=2)
    with pytest.raises(ValueError, match=match) as caught:
        model.most_similar(asked)
    assert "\n" not in str(caught.value)


def test_of_equal_words_the_first_come_first():
    rows = np.ones((50, 3))
    rows[::7] = [1, 2, 3]
    model = table(rows, n_components=3)
    similar = [word for word, _ in model.most_similar("w1", topn=20)]
    assert similar == [f"w{i}" for i in range(50) if i % 7 and i != 1][:20]


# ------------------------------------------------------------ what a call costs


def peak(function):
    function()
    tracemalloc.start()
    function()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("pooling", ["mean", "sif", "max"])
def test_a_call_copies_no_table(pooling):
    n_words, width = 30_000, 50
    model = clone(WORD2VEC).set_params(n_components=width).fit(TEXTS)
    rng = np.random.default_rng(0)
    model.vocabulary_ = {f"w{i}": i for i in range(n_words)}
    model.embedding_ = rng.standard_normal((n_words, width)).astype(np.float32)
    model.counts_ = rng.integers(0, 9, n_words)
    model.set_params(pooling=pooling).common_components_ = np.zeros((1, width))
    size = model.embedding_.nbytes
    assert peak(lambda: model.transform(["w1 w2 w3 w77 w29999"])) < size / 20
    assert peak(lambda: model.word_vectors(["w1", "w2"])) < size / 20
    assert peak(lambda: model.most_similar(["w1", "w2"], "w3")) < 0.6 * size


def test_new_words_copy_no_vocabulary():
    model = clone(EVERY["subwords"]).fit(TEXTS)
    model.vocabulary_ |= {f"w{i}": 0 for i in range(30_000)}
    assert peak(lambda: model.transform(["milky tea"])) < 100_000


# ------------------------------------------------------------ what is said is true


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("texts", [["tea milk"], ["tea milk", "cat dog"], ["tea", "tea milk rum"]])
def test_every_pair_of_a_small_corpus_is_learned(solver, texts):
    model = clone(WORD2VEC).set_params(solver=solver, max_iter=30)
    assert not said(lambda: model.fit(texts))
    if solver != "spectral":
        assert min(model.loss_curve_) > 0 and model.context_embedding_.any(axis=1).all()


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_sample_that_was_not_typed_is_not_blamed(solver):
    few = {"solver": solver, "max_iter": 1}
    (message,) = said(lambda: clone(WORD2VEC).set_params(**few, sample=1e-12).fit(TEXTS))
    assert message.startswith("sample= thinned the documents out")
    assert not said(lambda: clone(WORD2VEC).set_params(**few, sample=0).fit(TEXTS))


TEA = ["tea milk", "tea rum"]


@pytest.mark.parametrize("model", VECTORIZERS[:2])
@pytest.mark.parametrize(
    ("params", "X", "advice", "better"),
    [
        ({}, ["tea", "milk"], r"type \[X\] if", {}),
        ({"min_count": 3}, ["tea", "milk"] * 3, r"type \[X\] if", {}),
        ({"min_count": 2}, TEA, "type min_count=1 in place of 2", {"min_count": 1}),
        ({"max_features": 1}, TEA, "type a larger max_features than 1", {"max_features": 2}),
        ({"vocabulary": ["tea"]}, TEA, "name more words in", {"vocabulary": ["tea", "rum"]}),
        ({"vocabulary": ["tea"], "min_count": 2}, TEA, "name more words in vocabulary=", {}),
    ],
    ids=lambda v: str(v)[:40],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:min_count has no effect")
def test_advice_that_helps(model, params, X, advice, better):
    model = clone(model).set_params(**params)
    with pytest.raises(ValueError, match=f"so there are no pairs to learn from: {advice}"):
        model.fit(X)
    if better:
        model.set_params(**better).fit(X)
