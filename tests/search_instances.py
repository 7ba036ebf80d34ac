"""Fitted searches of every kind, and what each is asked: one table for the tests of saving."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skcontrast.retrieval import (
    BM25Transformer,
    EmbeddingIndex,
    HybridRetriever,
    LateInteraction,
    RetrievalAugmenter,
    TwoStageRetriever,
    _engines,
)

RNG = np.random.default_rng(0)
Z, ASKED = RNG.normal(size=(60, 5)), RNG.normal(size=(7, 5))
BAGS = [RNG.normal(size=(n, 5)) for n in (1, 4, 0, 7, 3)]
COUNTS = sp.csr_array(RNG.poisson(0.7, size=(30, 12)).astype(float))
WORDS = [a + b for a in "bcdfgk" for b in ("an", "el", "ir", "ot", "ux")]
TEXTS = [" ".join(RNG.choice(WORDS, 12)) for _ in range(40)]
QUERIES = [" ".join(text.split()[:3]) for text in TEXTS[:10]]
BM25 = make_pipeline(CountVectorizer(), BM25Transformer())
LETTERS = TfidfVectorizer(analyzer="char", ngram_range=(2, 3))
GRAPHS = [name for name in _engines.NEEDS if _engines.installed(name)]


def small(**params):
    return EmbeddingIndex(3, random_state=0, **params)


def hybrid():
    two = TwoStageRetriever(BM25, LETTERS, n_candidates=15)
    frozen = FrozenEstimator(TfidfVectorizer().fit(TEXTS))
    parts = [("words", BM25), ("two", two), ("frozen", frozen)]
    model = HybridRetriever(parts, n_candidates=15, random_state=0)
    return model.fit(TEXTS, queries=QUERIES, relevant=np.arange(10))


def pairs():
    judge = TwoStageRetriever(small(), LogisticRegression(), n_candidates=20, n_neighbors=3)
    return judge.fit(Z, queries=Z[:20] + 0.1, relevant=np.arange(20))


# Name -> what makes it, and its queries.
SEARCHES = {
    "brute": (lambda: small().fit(Z), ASKED),
    "more": (lambda: small(metric="euclidean").fit(Z).partial_fit(ASKED), ASKED),
    "sparse rows": (lambda: small().fit(COUNTS), COUNTS[:5]),
    "codes": (lambda: small(algorithm="codes", n_bytes=2).fit(Z), ASKED),
    "signs": (lambda: small(algorithm="signs", n_bytes=2).fit(Z), ASKED),
    "bm25": (lambda: BM25Transformer().fit(COUNTS), COUNTS[:5]),
    "bm25 pipeline": (lambda: clone(BM25).fit(TEXTS), TEXTS),
    "late": (lambda: LateInteraction(n_neighbors=2).fit(BAGS), BAGS[::-1]),
    "hybrid": (hybrid, QUERIES),
    "halves": (lambda: HybridRetriever([("a", BM25), ("b", LETTERS)]).fit(TEXTS), QUERIES),
    "exact": (lambda: TwoStageRetriever(small(algorithm="signs"), n_neighbors=3).fit(Z), ASKED),
    "pairs": (pairs, ASKED),
    "memory": (
        lambda: RetrievalAugmenter(small(), n_neighbors=3).fit(Z, memory_values=Z[:, :2]),
        ASKED,
    ),
}
SEARCHES |= {name: (lambda name=name: small(algorithm=name).fit(Z), ASKED) for name in GRAPHS}
