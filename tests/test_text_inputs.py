"""What newcomers pass to the estimators that take text: sound results, or one clear sentence."""

import copy
import io
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skcontrast import (
    ContrastiveTextEncoder,
    PhraseTransformer,
    Sent2VecVectorizer,
    Word2VecVectorizer,
)

DOCUMENTS = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "tea with milk",
    "coffee with milk and sugar",
] * 3
TOKENS = [document.split() for document in DOCUMENTS]
Y = np.array([0, 0, 1, 1] * 3)
# sample=0, as small corpora want.
SMALL = {"n_components": 4, "min_count": 1, "sample": 0, "max_iter": 2, "random_state": 0}
VECTORIZERS = {
    "block": Word2VecVectorizer(**SMALL, solver="block"),
    "spectral": Word2VecVectorizer(**SMALL, solver="spectral"),
    "sent2vec": Sent2VecVectorizer(**SMALL),
    "subwords": Sent2VecVectorizer(**SMALL, subwords=True),
    "encoder": ContrastiveTextEncoder(4, max_iter=2, random_state=0),
}
PHRASES = PhraseTransformer(1, threshold=0.2, scoring="npmi")
EVERY = {**VECTORIZERS, "phrases": PHRASES}


def on(table, names=None):
    names = list(table if names is None else names)
    return pytest.mark.parametrize("estimator", [table[name] for name in names], ids=names)


def one_sentence(caught):
    message = str(caught.value)
    return bool(message) and "\n" not in message and len(message) < 400


def state(model):
    """Everything that a fit learnt, as bytes."""
    learnt = {name: value for name, value in vars(model).items() if name.endswith("_")}
    return pickle.dumps(learnt)


def as_lists(output):
    return output.tolist() if isinstance(output, np.ndarray) else [list(row) for row in output]


NOT_DOCUMENTS = {
    "a string": ("the cat", r"X is one string: .*type \[X\]"),
    "bytes": (b"the cat", "X is one bytes object"),
    "nothing": (None, "X is None"),
    "no documents": ([], "X holds no documents"),
    "used up": (iter(()), "used up before"),
    "missing": ([*DOCUMENTS, None], "document 12 of X is None: leave it out"),
    "NaN in a Series": (pd.Series(["a cat", np.nan]), "document 1 of X is nan: leave it out"),
    "pandas NA": (pd.Series(["a cat", None], dtype="string"), "document 1 of X is <NA>"),
    "polars null": (pl.Series(["a cat", None]), "document 1 of X is None"),
    "bytes documents": ([b"a cat"], r"type \[document.decode\(\)"),
    "polars lists": (pl.Series(TOKENS), r"type \[document.to_list\(\)"),
    "a DataFrame": (pd.DataFrame({"body": DOCUMENTS}), r"X\['body'\] \(in a ColumnTransformer"),
    "two columns": (pd.DataFrame({"a": DOCUMENTS, "b": DOCUMENTS}), r"such as X\['a'\]"),
    "a polars frame": (pl.DataFrame({"body": DOCUMENTS}), r"X\['body'\]"),
    "a matrix": (np.array(DOCUMENTS)[:, None], r"such as X\[:, 0\]"),
    "mixed": ([*DOCUMENTS, ["a", "cat"]], "document 12 of X is a list of tokens, but document 0"),
    "numbers as tokens": ([[1, 2]], "holds 1 of type int among its tokens"),
}


@on(EVERY)
def test_what_is_no_collection_of_documents(estimator):
    model = clone(estimator).fit(DOCUMENTS)
    before = state(model)
    methods = [name for name in ("fit", "partial_fit", "transform") if hasattr(model, name)]
    if getattr(model, "solver", "") == "spectral":
        methods.remove("partial_fit")
    for case, (X, match) in NOT_DOCUMENTS.items():
        for method in methods:
            with pytest.raises(ValueError, match=match) as caught:
                getattr(model, method)(X)
            assert one_sentence(caught), (case, method)
            assert state(model) == before, (case, method)


@on(VECTORIZERS)
@pytest.mark.parametrize("X", [["", "", ""], [" ", "\n\t"], ["!!", "??"]], ids=repr)
def test_documents_without_words(estimator, X):
    with pytest.raises(ValueError, match="X holds no words") as caught:
        clone(estimator).fit(X)
    assert one_sentence(caught)
    model = clone(estimator).fit(DOCUMENTS)
    with pytest.warns(UserWarning, match=f"{len(X)} of {len(X)} documents"):
        assert np.isfinite(model.transform(X)).all()


def test_phrases_of_documents_without_words():
    with pytest.warns(UserWarning, match="the documents hold no words. Pass other documents"):
        assert clone(PHRASES).fit_transform(["", "!!"]) == [[], []]


CONTAINERS = {
    "pandas string": pd.Series(DOCUMENTS, dtype="string"),
    "pandas category": pd.Series(DOCUMENTS, dtype="category"),
    "column of a frame": pd.DataFrame({"body": DOCUMENTS}, index=range(7, 19))["body"],
    "polars": pl.Series(DOCUMENTS),
    "tuples of tokens": [tuple(tokens) for tokens in TOKENS],
    "arrays of tokens": [np.array(tokens) for tokens in TOKENS],
}


@on(EVERY)
def test_containers(estimator):
    expected = as_lists(clone(estimator).fit(DOCUMENTS).transform(DOCUMENTS))
    for name, X in CONTAINERS.items():
        assert as_lists(clone(estimator).fit(X).transform(X)) == expected, name


STRANGE = {
    "two words": ["aa bb aa aa bb", "bb aa bb"],
    "all the same": ["the very same words"] * 6,
    "not English": ["你好 世界 你好", "éa ßü 世界", "你好 éa"],
    "an emoji": ["good cat 👍🏽", "bad cat 👎", "good dog"],
    "half a character": ["a\ud800b cat dog", "cat dog"],
    "some empty": ["", *DOCUMENTS, " "],
    "a long one": [" ".join(f"w{i % 97}" for i in range(20_000)), "w1 w2 w3"],
}


@on(EVERY)
@pytest.mark.parametrize("X", STRANGE.values(), ids=STRANGE)
def test_strange_texts(estimator, X):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\d+ of \d+ documents|No phrase was found")
        Z, again = (clone(estimator).fit(X).transform(X) for _ in range(2))
    assert len(Z) == len(X) and as_lists(Z) == as_lists(again)
    if isinstance(Z, np.ndarray):
        assert np.isfinite(Z).all() and Z.any()


ODD = [
    ("block", {"n_components": 1}),
    ("block", {"window": 100}),
    ("block", {"negative": 500}),
    ("block", {"objective": "margin", "margin": 1e9}),
    ("block", {"pooling": "sif", "sif_a": 1e-300}),
    ("spectral", {"n_components": 300}),
    ("spectral", {"shift": 1e9}),
    ("sent2vec", {"n_components": 1}),
    ("sent2vec", {"ngram": 50}),
    ("sent2vec", {"n_buckets": 1, "subwords": True}),
    ("sent2vec", {"dropout_ngrams": 1000}),
    ("sent2vec", {"max_features": 1}),
    ("sent2vec", {"learning_rate": 1e3}),
    ("encoder", {"n_components": 1}),
    ("encoder", {"learning_rate": 1e3}),
]


@pytest.mark.parametrize(("name", "params"), ODD, ids=str)
@pytest.mark.filterwarnings("ignore:.*their vectors are zeros")
def test_odd_parameters_give_finite_vectors(name, params):
    model = clone(VECTORIZERS[name]).set_params(**params)
    Z = model.fit(DOCUMENTS).transform(DOCUMENTS)
    assert Z.shape == (12, model.n_components) and np.isfinite(Z).all()


@pytest.mark.parametrize("ns_exponent", [-1e3, 1e3], ids=str)
@pytest.mark.parametrize("solver", ["block", "numba", "sent2vec"])
def test_extreme_exponents_of_the_noise(solver, ns_exponent):
    """Powers of counts leave the range of floats; their ratios say what is drawn."""
    model = VECTORIZERS["sent2vec"]
    if solver != "sent2vec":
        if solver == "numba":
            pytest.importorskip("numba")
        model = Word2VecVectorizer(**SMALL, solver=solver)
    Z = clone(model).set_params(ns_exponent=ns_exponent).fit_transform(DOCUMENTS)
    assert np.isfinite(Z).all() and Z.any()


@pytest.mark.parametrize("solver", ["auto", "block", "spectral"])
def test_a_high_learning_rate_on_few_words(solver):
    rng = np.random.default_rng(0)
    X = [" ".join(f"w{i}" for i in row) for row in rng.integers(50, size=(100, 12))]
    model = Word2VecVectorizer(
        10, min_count=1, sample=0, learning_rate=0.1, solver=solver, random_state=0
    )
    assert np.isfinite(model.fit_transform(X)).all()


REFUSED = [
    ("block", {"n_jobs": 0}, "n_jobs=0 is no number of threads: type 1"),
    ("block", {"min_count": 50}, r"min_count=50 times, .* \('the'\) only 12: type min_count=1"),
    ("block", {"n_components": 1, "pooling": "sif"}, "type a smaller n_removed"),
    ("block", {"vocabulary": ["zebra"]}, "X holds none of the 1 words of vocabulary="),
    ("block", {"vocabulary": "cat"}, "vocabulary is a str: type a list of words"),
    ("block", {"stop_words": sorted({*sum(TOKENS, [])})}, "X holds no words: .*stop_words"),
    ("block", {"token_pattern": "("}, r"token_pattern='\(' is no regular expression"),
    ("block", {"device": "gpu"}, "device='gpu' is no device: type"),
    ("spectral", {"objective": "margin"}, "no spectral solution: type solver='block'"),
    ("sent2vec", {"n_buckets": 10**30}, "'n_buckets' parameter of Sent2VecVectorizer"),
    ("phrases", {"threshold": 0, "scoring": "default"}, "lets every pair pass"),
    ("phrases", {"threshold": 1}, "is not reached with scoring='npmi'"),
    ("phrases", {"connector_words": "the"}, "'connector_words' parameter"),
    ("phrases", {"connector_words": [1]}, "connector_words must hold strings, got 1"),
    (
        "phrases",
        {"connector_words": frozenset([None])},
        "connector_words must hold strings, got None",
    ),
    ("phrases", {"stop_words": ["a", None]}, "stop_words must hold strings, got None"),
    ("block", {"stop_words": [1, 2]}, "stop_words must hold strings, got 1"),
    ("encoder", {"stop_words": [b"a"]}, "stop_words must hold strings, got b'a'"),
    ("sent2vec", {"vocabulary": {1}}, "vocabulary must hold strings, got 1"),
    ("encoder", {"network": "mlp"}, "type network='hashed', or pass a backbone"),
    ("encoder", {"n_views": 1}, "type n_views=2"),
    ("encoder", {"objective": "supcon"}, r"type fit\(X, y\)"),
]


@pytest.mark.parametrize(("name", "params", "match"), REFUSED, ids=lambda v: str(v)[:40])
def test_refused_parameters(name, params, match):
    model = clone(EVERY[name]).fit(DOCUMENTS)
    before = state(model)
    with pytest.raises(ValueError, match=match) as caught:
        model.set_params(**params).fit(DOCUMENTS)
    assert one_sentence(caught) and state(model) == before


@on(VECTORIZERS, ["block", "spectral", "sent2vec"])
def test_documents_of_one_word(estimator):
    """Tokens in place of documents."""
    with pytest.raises(ValueError, match=r"type \[X\] if .*a tokenizer for texts") as caught:
        clone(estimator).fit(["cat", "dog", "tree"])
    assert one_sentence(caught)
    with pytest.raises(ValueError, match="type min_count=1 in place of 3"):
        clone(estimator).set_params(min_count=3).fit(["cat dog", "cat tree", "cat cow"])


@pytest.mark.parametrize("name", ["block", "spectral"])
def test_all_words_thinned_out(name):
    model = clone(VECTORIZERS[name]).set_params(sample=1e-12)
    with pytest.warns(UserWarning, match="sample= thinned .*Type sample=0") as caught:
        assert np.isfinite(model.fit_transform(DOCUMENTS)).all()
    assert len(caught) == 1


@on(EVERY)
def test_before_fit(estimator):
    model = clone(estimator)
    calls = {"transform": (DOCUMENTS,), "get_feature_names_out": ()}
    word = {"most_similar", "word_vectors", "save_word2vec_format", "tokenize"}
    for method, given in {**calls, **dict.fromkeys(word, ("cat",))}.items():
        if hasattr(model, method):
            with pytest.raises(NotFittedError, match="not fitted yet"):
                getattr(model, method)(*given)


def test_another_width_after_fit():
    model = clone(VECTORIZERS["block"]).fit(DOCUMENTS)
    before = state(model)
    with pytest.raises(ValueError, match="n_components=5, but .* 4 entries: set it back"):
        model.set_params(n_components=5).partial_fit(DOCUMENTS)
    assert state(model) == before and model.transform(DOCUMENTS).shape == (12, 4)


@on(VECTORIZERS, ["block", "sent2vec", "subwords"])
def test_words_asked_for(estimator):
    model = clone(estimator).fit(DOCUMENTS)
    for asked in (None, 3, b"cat", [3], ["cat", None], "zzzz", ["cat", "zzzz"]):
        for method in (model.word_vectors, model.most_similar):
            with pytest.raises(ValueError, match="asked for|not among the 13 words") as caught:
                method(asked)
            assert one_sentence(caught)
    assert model.word_vectors([]).shape == (0, 4)
    assert model.word_vectors(word for word in ("cat", "dog")).shape == (2, 4)
    assert len(model.most_similar("cat", topn=99)) == 12
    with pytest.raises(ValueError, match="topn is 0: type an int of at least 1"):
        model.most_similar("cat", topn=0)
    if not getattr(estimator, "subwords", False):
        with pytest.raises(ValueError, match="Did you mean 'cat'?"):
            model.most_similar("Cat")


def test_tokenize_takes_one_document():
    phrases = clone(PHRASES).fit(DOCUMENTS)
    assert phrases.tokenize("tea with milk") == phrases.tokenize(["tea", "with", "milk"])
    for document in (None, 3, [1, 2], b"tea", ["tea", None]):
        with pytest.raises(ValueError, match=r"document 0 of \[document\]") as caught:
            phrases.tokenize(document)
        assert one_sentence(caught)


def test_a_refused_file_leaves_the_one_there(tmp_path):
    path = tmp_path / "vectors.txt"
    clone(VECTORIZERS["block"]).fit(DOCUMENTS).save_word2vec_format(path)
    before = path.read_bytes()
    spaced = clone(VECTORIZERS["block"]).fit([["new york", "is", "big"]] * 3)
    with pytest.raises(ValueError, match="the word 'new york' holds white space") as caught:
        spaced.save_word2vec_format(path)
    assert one_sentence(caught) and path.read_bytes() == before
    with pytest.raises(ValueError, match="n_components=7, but the vectors of the file have 4"):
        Word2VecVectorizer.from_word2vec_format(path, n_components=7)


def interrupted(documents, after):
    yield from documents[:after]
    raise KeyboardInterrupt


@on(EVERY)
def test_interrupted_while_reading(estimator):
    model = clone(estimator).fit(DOCUMENTS)
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        model.fit(interrupted(DOCUMENTS, 5))
    assert state(model) == before


class InterruptingOutput(io.StringIO):
    """Ctrl-C at the fourth line: estimators print a line an epoch."""

    def write(self, text):
        super().write(text)
        if self.getvalue().count("\n") > 3:
            raise KeyboardInterrupt


@on(VECTORIZERS, ["block", "sent2vec", "encoder"])
def test_interrupted_while_training(estimator, monkeypatch):
    model = clone(estimator).fit(DOCUMENTS)
    before = state(model)
    monkeypatch.setattr("sys.stdout", InterruptingOutput())
    with pytest.raises(KeyboardInterrupt):
        model.set_params(max_iter=50, verbose=1).fit(DOCUMENTS[:8])
    assert state(model) == before


@on(VECTORIZERS)
def test_beside_other_columns(estimator):
    # Older versions of scikit-learn drop the index of a column that is not a frame.
    first = 20 if parse_version(sklearn.__version__) >= parse_version("1.9") else 0
    index = range(first, first + 12)
    X = pd.DataFrame({"body": DOCUMENTS, "length": range(12)}, index=index)
    parts = [("text", clone(estimator), "body"), ("rest", StandardScaler(), ["length"])]
    alone = clone(estimator).fit_transform(DOCUMENTS)
    plain = ColumnTransformer(parts).fit_transform(X)
    assert np.array_equal(plain[:, :4].astype(np.float32), alone) and plain.shape == (12, 5)
    frame = ColumnTransformer(parts).set_output(transform="pandas").fit_transform(X)
    assert frame.index.tolist() == X.index.tolist() and frame.columns[-1] == "rest__length"
    as_polars = clone(estimator).set_output(transform="polars")
    assert isinstance(as_polars.fit_transform(DOCUMENTS), pl.DataFrame)
    union = FeatureUnion([("words", clone(estimator)), ("counts", TfidfVectorizer())])
    assert np.array_equal(union.fit_transform(DOCUMENTS)[:, :4].toarray().astype("f4"), alone)
    with pytest.raises(ValueError, match=r"in a ColumnTransformer 'body' in place of \['body'\]"):
        ColumnTransformer([("text", clone(estimator), ["body"])]).fit(X)


def test_a_search_over_solver_pooling_and_window():
    pipeline = Pipeline([("text", Word2VecVectorizer(**SMALL)), ("clf", LogisticRegression())])
    grid = {
        "text__solver": ["block", "spectral"],
        "text__pooling": ["mean", "sif", "max"],
        "text__window": [2, 50],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(DOCUMENTS, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_score_ == 1


@on(VECTORIZERS)
def test_after_phrases(estimator):
    phrases = clone(PHRASES).fit(DOCUMENTS)
    expected = clone(estimator).fit_transform(phrases.transform(DOCUMENTS))
    chained = make_pipeline(clone(PHRASES), clone(estimator))
    assert np.array_equal(chained.fit_transform(DOCUMENTS), expected)
    assert np.array_equal(copy.deepcopy(chained).transform(DOCUMENTS), expected)


@pytest.mark.parametrize(
    "params", [{}, {"batch_size": 4}, {"n_views": 3}, {"views": None}], ids=str
)
def test_early_stopping_with_groups(params):
    model = ContrastiveTextEncoder(
        4, max_iter=6, early_stopping=True, n_iter_no_change=2, random_state=0, **params
    )
    Z, again = (clone(model).fit(DOCUMENTS, groups=np.arange(12) // 2) for _ in range(2))
    assert np.isfinite(Z.validation_curve_).all() and len(Z.validation_curve_) == Z.n_iter_
    assert np.array_equal(Z.transform(DOCUMENTS), again.transform(DOCUMENTS))
    before = state(Z)
    for groups, match in (([1, 2], "groups has 2 rows, but X has 12"), (3, "groups must hold")):
        with pytest.raises(ValueError, match=match) as caught:
            Z.fit(DOCUMENTS, groups=groups)
        assert one_sentence(caught) and state(Z) == before
