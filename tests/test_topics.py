"""Topics: independent axes against loops and planted sources; coherence; the recipes of papers."""

from itertools import combinations
from math import log, sqrt

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.decomposition import FastICA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.metrics import normalized_mutual_info_score
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    PhraseTransformer,
    SemanticSignalSeparation,
)
from skcontrast.metrics import topic_coherence, topic_diversity
from skcontrast.topics import document_term_vectors

RNG = np.random.default_rng(0)
SOURCES = RNG.exponential(size=(800, 3))
MIXING = RNG.normal(size=(3, 6))
D = SOURCES @ MIXING + 4
V = RNG.normal(size=(12, 6))


def fitted(**params):
    return SemanticSignalSeparation(3, random_state=0, **params).fit(D)


def test_planted_sources_are_found_and_oriented():
    model = fitted()
    likeness = np.corrcoef(model.transform(D).T, SOURCES.T)[:3, 3:]
    place = likeness.argmax(axis=1)
    assert sorted(place) == [0, 1, 2]
    assert (likeness[np.arange(3), place] > 0.95).all()  # not its negative: the tail is the topic
    scores = model.transform(D)
    centred = scores - scores.mean(axis=0)
    skewness = (centred**3).mean(axis=0) / (centred**2).mean(axis=0) ** 1.5
    np.testing.assert_allclose(model.skewness_, skewness, rtol=1e-9)
    assert (np.diff(skewness) <= 0).all() and skewness.min() > 0
    np.testing.assert_allclose(scores.var(axis=0), 1, rtol=1e-6)


def test_axes_are_those_of_fastica_up_to_sign_and_order():
    model = fitted()
    other = FastICA(3, whiten="unit-variance", max_iter=500, random_state=0).fit(D)
    match = model.components_ @ np.linalg.pinv(other.components_)
    np.testing.assert_allclose(np.abs(match).round(6).sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(np.abs(match).max(axis=1), 1, atol=1e-5)
    turned = SemanticSignalSeparation(3, random_state=5).fit(D)  # whatever the start
    np.testing.assert_allclose(turned.components_, model.components_, atol=1e-2)


def test_importance_is_what_the_loops_say():
    axial, angular, combined = (
        fitted(importance=name).term_importance(V) for name in ("axial", "angular", "combined")
    )
    model = fitted()
    for m, v in enumerate(V):
        places = [sum((v - model.mean_) * c) for c in model.components_]
        length = sqrt(sum(w * w for w in places))
        for t, w in enumerate(places):
            assert axial[t, m] == pytest.approx(w, rel=1e-9)
            assert angular[t, m] == pytest.approx(w / length, rel=1e-9)
            assert combined[t, m] == pytest.approx(w * w * w / length, rel=1e-9)
    assert np.abs(angular).max() <= 1
    np.testing.assert_allclose(combined, axial**2 * angular, rtol=1e-9)
    blend = fitted(importance="axial").term_importance(0.3 * V[:6] + 0.7 * V[6:])
    np.testing.assert_allclose(blend, 0.3 * axial[:, :6] + 0.7 * axial[:, 6:], rtol=1e-9)
    center = fitted().term_importance(model.mean_[None])
    assert np.array_equal(center, np.zeros((3, 1)))  # no direction, and no NaN


def test_top_terms_are_the_ends_of_the_axes():
    model, names = fitted(), np.array(list("abcdefghijkl"))
    order = np.argsort(-model.term_importance(V), axis=1)
    both = model.top_terms(V, names, n=4)
    assert model.top_terms(V, names, n=4, ends="positive") == [first for first, _ in both]
    for (first, last), row in zip(both, order):
        assert first == names[row[:4]].tolist() and last == names[row[::-1][:4]].tolist()
    assert model.top_terms(V, n=2, ends="negative") == order[:, ::-1][:, :2].tolist()


def test_vectors_of_terms_are_weighted_means():
    counts = RNG.poisson(0.5, size=(800, 5))
    expected = [sum(c * d for c, d in zip(column, D)) / sum(column) for column in counts.T.tolist()]
    for given in (counts, sp.csr_matrix(counts)):
        np.testing.assert_allclose(document_term_vectors(D, given), expected, rtol=1e-9)
    alone = np.eye(800, 4)  # a term in one document is that document
    np.testing.assert_allclose(document_term_vectors(D, alone), D[:4])
    with pytest.raises(ValueError, match="column 1 the first: leave out terms of no document"):
        document_term_vectors(D, counts * [1, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="negative numbers"):
        document_term_vectors(D, -counts)
    with pytest.raises(ValueError, match="X has 800 rows and counts 5"):
        document_term_vectors(D, counts[:5])


def test_rank_and_axes_that_do_not_settle():
    with pytest.warns(UserWarning, match="n_components=10, but X has 3 directions: 3 are taken"):
        model = SemanticSignalSeparation(random_state=0).fit(D)
    assert model.n_components_ == 3 and np.isfinite(model.transform(D)).all()
    with pytest.warns(ConvergenceWarning, match="have not settled in max_iter=1 steps"):
        SemanticSignalSeparation(3, max_iter=1, random_state=0).fit(RNG.normal(size=(300, 8)))
    with pytest.raises(ValueError, match="All rows of X are equal"):
        SemanticSignalSeparation(1).fit(np.full((40, 5), 0.1))
    with pytest.raises(ValueError, match="V has 2 columns, and the documents had 6"):
        fitted().term_importance(V[:, :2])
    with pytest.raises(ValueError, match=r"names has the shape \(2,\), and V 12 terms"):
        fitted().top_terms(V, ["a", "b"])
    with pytest.raises(ValueError, match="ends='left': type 'both'"):
        fitted().top_terms(V, ends="left")


def test_saved_and_loaded(tmp_path):
    model = fitted()
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert np.array_equal(loaded.transform(D), model.transform(D))
    assert loaded.top_terms(V) == model.top_terms(V)


# ------------------------------------------------------------------ measures


def coherence_loop(counts, topic, measure):
    n, eps, values = len(counts), 1e-12, []
    for early, late in combinations(topic, 2):
        both = sum(1 for row in counts if row[early] and row[late]) / n + eps
        a, b = (sum(1 for row in counts if row[term]) / n for term in (late, early))
        pmi = log(both / (a * b))
        values.append({"npmi": pmi / -log(both), "uci": pmi, "umass": log(both / b)}[measure])
    return sum(values) / len(values)


@pytest.mark.parametrize("measure", ["npmi", "umass", "uci"])
def test_coherence_is_what_the_loop_says(measure):
    counts = np.random.default_rng(1).poisson(0.6, size=(50, 9))
    topics = [[0, 3, 2], [8, 1, 4]]
    expected = [coherence_loop(counts, topic, measure) for topic in topics]
    for given in (counts, sp.csr_matrix(counts), sp.coo_array(counts)):
        np.testing.assert_allclose(topic_coherence(given, topics, measure), expected, rtol=1e-9)
    turned = topic_coherence(counts, [topic[::-1] for topic in topics], measure)
    assert np.allclose(turned, expected) == (measure != "umass")


def test_limits_of_coherence():
    always = np.array([[1, 1, 0, 1], [1, 1, 0, 1], [0, 0, 1, 1]])
    np.testing.assert_allclose(topic_coherence(always, [[0, 1], [0, 2]]), [1, -1], atol=0.1)
    everywhere = np.ones((4, 2))
    assert topic_coherence(everywhere, [[0, 1]]).tolist() == [1.0]
    independent = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(topic_coherence(independent, [[0, 1]]), 0, atol=1e-9)


def test_diversity():
    assert topic_diversity([[1, 2], [3, 4]]) == 1
    assert topic_diversity([["a", "b"], ["a", "b"]]) == 0.5
    assert topic_diversity([[1, 2, 3], [3]]) == 0.75
    with pytest.raises(ValueError, match="topics holds no term"):
        topic_diversity([])


def test_topics_that_are_refused():
    counts = np.eye(4)
    for topics, match in {
        "a": ([], "topics holds no topic"),
        "b": ([["sea", "sky"]], "topic 0 holds no numbers"),
        "c": ([[0, 1], [2, 2]], "topic 1 needs at least 2 different terms"),
        "d": ([[0, 4]], "names a term beyond the 4 columns"),
        "e": (3, "topics is no list of topics, each a list of its terms"),
        "f": ([0, 1], "topics is no list of topics, each a list of its terms"),
        "g": ([([0, 1], [2])], "pass what top_terms.V, ends='positive'. gives"),
        "h": ([([0, 1], [2, 3])], "topic 0 holds no numbers .* ends='positive'"),
    }.values():
        with pytest.raises(ValueError, match=match):
            topic_coherence(counts, topics)
    with pytest.raises(ValueError, match="counts holds negative numbers"):
        topic_coherence(-counts, [[0, 1]])
    for topics in ("sea", ["sea", "sky"], 3, [1, 2]):
        with pytest.raises(ValueError, match="topics is no list of topics"):
            topic_diversity(topics)
    with pytest.raises(ValueError, match="term 1 is in no document"):
        topic_coherence(counts * [1, 0, 1, 1], [[0, 1]])
    with pytest.raises(ValueError, match="measure='cv': type 'npmi' or"):
        topic_coherence(counts, [[0, 1]], "cv")


# ------------------------------------------------------------------ texts and recipes

WORDS = {
    "sea": "ship wave sail harbour fish tide".split(),
    "sky": "cloud bird wind plane star storm".split(),
    "farm": "cow wheat barn field plough hen".split(),
}


def documents(n=240, seed=0):
    """Short texts, each mostly of the words of one topic."""
    rng = np.random.default_rng(seed)
    names, everything = list(WORDS), sum(WORDS.values(), [])
    y = np.arange(n) % 3
    texts = [" ".join([*rng.choice(WORDS[names[c]], 7), *rng.choice(everything, 3)]) for c in y]
    return texts, y


def test_topics_of_texts():
    texts, y = documents()
    counter = CountVectorizer().fit(texts)
    terms = counter.get_feature_names_out()
    encoder = ContrastiveTextEncoder(16, max_iter=5, random_state=0)
    pipeline = make_pipeline(encoder, SemanticSignalSeparation(2, random_state=0))
    scores = pipeline.fit_transform(texts)
    assert scores.shape == (240, 2)
    assert list(pipeline.get_feature_names_out()) == [
        f"semanticsignalseparation{i}" for i in range(2)
    ]
    found = pipeline[-1].top_terms(pipeline[0].transform(terms), terms, n=4)
    homes = [{t for t, words in WORDS.items() if set(e) <= set(words)} for p in found for e in p]
    assert sum(map(len, homes)) >= 3  # of four ends, with three topics
    vectors = document_term_vectors(pipeline[0].transform(texts), counter.transform(texts))
    numbers = pipeline[-1].top_terms(vectors, n=4, ends="positive")
    assert topic_coherence(counter.transform(texts), numbers).mean() > 0


def test_phrases_name_topics():
    texts, _ = documents()
    tokens = [text.replace("ship", "old ship").split() for text in texts]
    joined = PhraseTransformer(min_count=5, threshold=0.1).fit_transform(tokens)
    texts = [" ".join(words) for words in joined]
    names = sorted({word for text in texts for word in text.split()})
    assert "old_ship" in names
    counts = CountVectorizer(vocabulary=names, token_pattern=r"\S+").transform(texts)
    D = TruncatedSVD(3, random_state=0).fit_transform(counts)
    model = SemanticSignalSeparation(3, random_state=0).fit(D)
    named = model.top_terms(document_term_vectors(D, counts), names, n=5, ends="positive")
    (about,) = [topic for topic in named if any("old" in term for term in topic)]
    assert set("_".join(about).split("_")) <= {"old", *WORDS["sea"]}


def test_documents_of_one_code_as_positives():
    """TSCTM's contrast in two stages: codes first, then positives by code."""
    texts, y = documents()
    bags = TfidfVectorizer().fit_transform(texts)
    codes = KMeans(3, n_init=3, random_state=0).fit_predict(bags)
    encoder = ContrastiveEncoder(
        3, passthrough=False, objective="supcon", max_iter=20, random_state=0
    )
    Z = encoder.fit(bags, codes).transform(bags)
    again = KMeans(3, n_init=3, random_state=0).fit_predict(Z)
    assert normalized_mutual_info_score(y, again) > 0.9
    unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    same, cosine = codes[:, None] == codes, unit @ unit.T
    assert cosine[same].mean() > cosine[~same].mean() + 0.1
