"""Phrases: counts and joins against plain loops, and what the estimator does."""

import copy
import warnings
from math import log

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from skcontrast import PhraseTransformer, Word2VecVectorizer
from skcontrast.text._collocations import ENGLISH, count_pairs, join_phrases, score_pairs

DOCUMENTS = [
    "new york is big".split(),
    "i love new york".split(),
    "the bank of america opened in new york".split(),
    "the bank of america".split(),
    "a new car".split(),
]


def random_documents(seed=0, n=60):
    rng = np.random.default_rng(seed)
    words = np.array(["a", "b", "c", "d", "of", "the"])
    return [words[rng.integers(0, 6, rng.integers(0, 12))].tolist() for _ in range(n)]


@pytest.mark.parametrize("connectors", [frozenset(), frozenset({"of", "the"})])
def test_counts_are_those_of_the_loop(connectors):
    documents = random_documents()
    words, pairs, n_tokens = count_pairs(documents, connectors)
    assert n_tokens == sum(map(len, documents))
    expected_words, expected_pairs = {}, {}
    for tokens in documents:
        content = [i for i, token in enumerate(tokens) if token not in connectors]
        for i in content:
            expected_words[tokens[i]] = expected_words.get(tokens[i], 0) + 1
        for i, j in zip(content, content[1:]):
            pair = tuple(tokens[i : j + 1])
            expected_pairs[pair] = expected_pairs.get(pair, 0) + 1
    assert (words, pairs) == (expected_words, expected_pairs)


@pytest.mark.parametrize("min_count", [1, 4])
def test_scores_are_the_formulas(min_count):
    words, pairs, n = count_pairs(random_documents())
    default = score_pairs(words, pairs, n, "default", min_count)
    npmi = score_pairs(words, pairs, n, "npmi", min_count)
    assert set(default) == set(npmi) == {pair for pair in pairs if pairs[pair] >= min_count}
    for (a, b), score in default.items():
        p_ab, p_a, p_b = (count / n for count in (pairs[a, b], words[a], words[b]))
        size = len(words) + len(pairs)
        assert score == pytest.approx((pairs[a, b] - min_count) / (words[a] * words[b]) * size)
        assert npmi[a, b] == pytest.approx(log(p_ab / (p_a * p_b)) / -log(p_ab))
        assert -1 <= npmi[a, b] <= 1 + 1e-12


def test_check_value_of_new_york():
    documents = [line.split() for line in ("new york", "new york", "old york", "new new")]
    words, pairs, n = count_pairs(documents)
    # 3 words and 3 pairs; new 4, york 3, new york 2.
    assert score_pairs(words, pairs, n, "default", 1)["new", "york"] == (2 - 1) / (4 * 3) * 6


def test_joins_go_from_left_to_right():
    join = lambda text, *phrases: join_phrases(text.split(), set(phrases), "_", {"of", "the"})
    assert join("a b c", "a_b", "b_c") == ["a_b", "c"]
    assert join("a a a a a", "a_a") == ["a_a", "a_a", "a"]
    assert join("x a b", "a_b") == ["x", "a_b"]
    assert join("of a of the b of", "a_of_the_b") == ["of", "a_of_the_b", "of"]
    assert join("a of b", "a_b") == ["a", "of", "b"]
    assert join("a of b c", "b_c") == ["a", "of", "b_c"]
    assert join("") == join("", "a_b") == []
    assert join("the of", "a_b") == ["the", "of"]


@pytest.mark.parametrize("connectors", [None, ["of", "the"]])
@pytest.mark.parametrize("n_passes", [1, 3])
def test_joining_loses_no_token(connectors, n_passes):
    documents = random_documents()
    model = PhraseTransformer(
        2, threshold=-0.1, scoring="npmi", n_passes=n_passes, connector_words=connectors
    )
    joined = model.fit_transform(documents)
    assert joined == model.transform(documents)
    assert ["_".join(tokens).split("_") if tokens else [] for tokens in joined] == documents
    longest = max(token.count("_") + 1 for tokens in joined for token in tokens)
    assert longest > 2 or (n_passes == 1 and longest == 2)
    assert longest == 2 or n_passes > 1 or connectors
    assert {t for tokens in joined for t in tokens if "_" in t} <= set(model.phrases_)
    scores = list(model.phrases_.values())
    assert scores == sorted(scores, reverse=True) and min(scores) > -0.1


def test_passes_make_longer_phrases_at_falling_thresholds():
    documents = [f"x{i} new york city y{i}".split() for i in range(8)]
    documents += [f"x{i} new y{i}".split() for i in range(4)]
    once = PhraseTransformer(1, threshold=0.5).fit(documents)
    twice = PhraseTransformer(1, threshold=0.5, n_passes=2).fit(documents)
    assert "new_york_city" not in once.phrases_ and "new_york_city" in twice.phrases_
    assert twice.transform(["big new york city"]) == [["big", "new_york_city"]]
    assert twice.threshold_ == [0.5, 0.5]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        auto = PhraseTransformer(1, n_passes=3).fit(documents)
        assert auto.threshold_ == [10.0, 5.0, 2.5]
        npmi = PhraseTransformer(1, n_passes=2, scoring="npmi").fit(documents)
    assert npmi.threshold_ == [0.5, 0.5]


def test_connector_words_stand_inside():
    model = PhraseTransformer(1, threshold=0.5, connector_words="english").fit(DOCUMENTS)
    assert model.transform(["The Bank of America"]) == [["the", "bank_of_america"]]
    assert not any(set(phrase.split("_")[::2]) & ENGLISH for phrase in model.phrases_)
    own = PhraseTransformer(1, threshold=0.5, connector_words={"of"}).fit(DOCUMENTS)
    assert "bank_of_america" in own.phrases_ and "the_bank" in own.phrases_


def test_delimiter_and_max_features():
    model = PhraseTransformer(1, threshold=-1, scoring="npmi", max_features=2, delimiter=" + ")
    assert set(model.fit(DOCUMENTS).phrases_) == {"new + york", "bank + of"}


def test_phrases_do_not_depend_on_the_order_of_documents():
    params = {"threshold": 0.0, "scoring": "npmi", "max_features": 4}
    documents = random_documents()
    a = PhraseTransformer(1, **params).fit(documents)
    b = PhraseTransformer(1, **params).fit(documents[::-1])
    assert a.phrases_ == b.phrases_ and list(a.phrases_) == list(b.phrases_)


def test_strings_are_analysed_as_by_count_vectorizer():
    texts = ["New-York, NEW york!", "new york"]
    model = PhraseTransformer(2, threshold=0.1, scoring="npmi").fit(texts)
    assert model.transform(texts) == [["new_york", "new_york"], ["new_york"]]
    upper = PhraseTransformer(2, threshold=0.1, scoring="npmi", lowercase=False)
    with pytest.warns(UserWarning, match="no pair of words occurs min_count=2 times"):
        upper.fit(texts)
    stop = PhraseTransformer(1, threshold=0.1, scoring="npmi", stop_words=["of"])
    assert "bank_america" in stop.fit(["bank of america", "bank of america", "x y"]).phrases_


def test_nothing_found_is_said():
    with pytest.warns(UserWarning, match="the highest score is .*, of 'new_york'.*Type a lower"):
        model = PhraseTransformer(1).fit([["new", "york"], ["new", "york"], ["x"]])
    assert model.phrases_ == {} and model.transform([["new", "york"]]) == [["new", "york"]]


def test_thresholds_that_fit_no_score():
    for scoring, threshold in (("default", 0), ("default", -0.5), ("npmi", 1.0), ("npmi", 10)):
        with pytest.raises(ValueError, match=f"threshold={threshold}.*type a threshold"):
            PhraseTransformer(scoring=scoring, threshold=threshold).fit(DOCUMENTS)
    for name, value in {"scoring": "pmi", "delimiter": None, "connector_words": "the"}.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            PhraseTransformer(**{name: value}).fit(DOCUMENTS)


def test_as_a_tokenizer_and_in_a_pipeline():
    texts = ["new york is big", "old new york", "a new car", "york is old"]
    phrases = PhraseTransformer(2, threshold=0.3, scoring="npmi").fit(texts)
    assert phrases.tokenize("In New York") == phrases("In New York") == ["in", "new_york"]
    assert phrases.tokenize(["new", "york"]) == ["new_york"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that token_pattern has no use
        for tokenizer in (phrases, phrases.tokenize):
            counts = CountVectorizer(tokenizer=tokenizer).fit(texts)
            assert "new_york" in counts.vocabulary_
        vectors = Word2VecVectorizer(4, min_count=1, solver="block", random_state=0)
        words = clone(vectors).set_params(tokenizer=phrases.tokenize)
        assert "new_york" in clone(words).fit(texts).vocabulary_
        assert "new_york" in copy.deepcopy(words).fit(texts).vocabulary_
    pipeline = make_pipeline(clone(phrases), vectors)
    frame = pipeline.set_output(transform="pandas").fit_transform(texts)
    assert "new_york" in pipeline[-1].vocabulary_ and frame.shape == (4, 4)
    assert pipeline.get_feature_names_out().tolist() == frame.columns.tolist()
    assert phrases.get_feature_names_out().tolist() == ["tokens"]
    with pytest.raises(NotFittedError):
        clone(phrases)("New York")
