"""What cannot be searched, or asked for: one sentence each, or a sound result."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from bad_input import one_sentence
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skcontrast.retrieval import (
    BM25Transformer,
    EmbeddingIndex,
    HybridRetriever,
    LateInteraction,
    TwoStageRetriever,
    difference_scores,
    hard_negatives,
    mine_pairs,
    rank_by_sets,
)

Z = np.random.default_rng(0).normal(size=(30, 6))
TEXTS = [
    "a red car on the wet road",
    "two boats far out at sea",
    "cars and roads of the north",
    "a house by the sea",
]
WORDS, LETTERS = make_pipeline(CountVectorizer(), BM25Transformer()), TfidfVectorizer()


def hybrid(**params):
    return HybridRetriever([("words", WORDS), ("letters", LETTERS)], random_state=0, **params)


def strangers():
    labels = list("abc") * 10
    judge = LogisticRegression().fit(np.hstack([Z] * 4), labels)
    return TwoStageRetriever(EmbeddingIndex(), FrozenEstimator(judge)).fit(Z)


REFUSED = {
    "texts as counts": (lambda: BM25Transformer().fit(TEXTS), "what is read are counts: type make"),
    "texts as vectors": (lambda: EmbeddingIndex().fit(TEXTS), "vectors: embed texts first"),
    "a missing text": (lambda: hybrid().fit([*TEXTS, None]), r"X\[4\] is None and no text"),
    "NaN for a text": (lambda: hybrid().fit([*TEXTS, np.nan]), r"X\[4\] is nan and no text"),
    "a number among texts": (lambda: hybrid().fit([*TEXTS, 7]), r"X\[4\] is 7 and no text"),
    "a missing query": (lambda: hybrid().fit(TEXTS).kneighbors([None], 1), r"X\[0\] is None"),
    "a table of texts": (
        lambda: hybrid(weights=None).fit(pd.DataFrame({"title": TEXTS, "body": TEXTS})),
        "retriever 'words' gives 2 rows for 4 documents: .*pass a list of these",
    ),
    "words for weights": (lambda: hybrid(weights=["a", "b"]).fit(TEXTS), "weights=.* 2 retrievers"),
    "no pairs of names": (
        lambda: HybridRetriever([WORDS, LETTERS]).fit(TEXTS),
        r"retrievers=\[Pipeline, TfidfVectorizer\]: type a list of pairs",
    ),
    "a class": (
        lambda: HybridRetriever([("a", TfidfVectorizer)]).fit(TEXTS),
        "type a list of pairs",
    ),
    "nothing relevant": (
        lambda: hybrid().fit(TEXTS).score(["sea"], None),
        "relevant is None: pass",
    ),
    "a judge of other classes": (
        strangers,
        r"classes \['a', 'b', 'c'\], and the probability of cl",
    ),
    "one row among itself": (
        lambda: EmbeddingIndex(1).fit(Z[:1]).kneighbors(),
        "none is its own neighbour: add rows by partial_fit",
    ),
    "no parts at all": (lambda: LateInteraction().fit(None), "X is a NoneType: pass a list of arr"),
    "parts of two widths": (
        lambda: LateInteraction().fit([[[1, 2], [3]]]),
        r"X\[0\] has parts of different widths",
    ),
    "objects for parts": (lambda: LateInteraction().fit(Z[None].astype(object)), "the type object"),
    "a row for parts": (lambda: difference_scores(Z[0], Z), r"A has the shape \(6,\)"),
    "no threshold": (lambda: mine_pairs(Z, Z, threshold="a"), "threshold='a': type a number"),
    "NaN as threshold": (lambda: mine_pairs(Z, Z, threshold=np.nan), "threshold=nan"),
    "less than none skipped": (
        lambda: hard_negatives(Z, Z, range(30), 2, skip=-1),
        "skip=-1: type a whole number of at least 0",
    ),
    "no positives": (lambda: hard_negatives(Z, Z, None, 2), "positives is None: pass the number"),
    "a set for sets": (lambda: rank_by_sets(Z, Z), "wanted is no list of sets"),
    "None for sets": (lambda: rank_by_sets(Z, [Z], None), "unwanted is no list of sets"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_one_sentence_says_what_is_wrong(name):
    call, match = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=match) as caught:
        call()
    assert one_sentence(caught.value), str(caught.value)


@pytest.mark.parametrize(
    "column", [np.array, pl.Series, lambda texts: pd.Series(texts, index=range(9, 13))]
)
def test_columns_of_texts_are_lists_of_texts(column):
    expected = hybrid().fit(TEXTS).kneighbors(TEXTS[:2], 2)
    found = hybrid().fit(column(TEXTS)).kneighbors(column(TEXTS)[:2], 2)
    for a, b in zip(found, expected):
        np.testing.assert_array_equal(a, b)
    queries = {"queries": column(TEXTS)[:2], "relevant": column([0, 1, 2, 3])[:2]}
    assert hybrid().fit(column(TEXTS), **queries).chosen_on_ == "pairs"
