"""Hybrids, two stages, sets, memories and mined pairs: laws, and what is refused."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skcontrast.metrics import rank_metrics
from skcontrast.retrieval import (
    BM25Transformer,
    EmbeddingIndex,
    HybridRetriever,
    LateInteraction,
    RetrievalAugmenter,
    TwoStageRetriever,
    difference_scores,
    hard_negatives,
    margin_scores,
    mine_pairs,
    rank_by_sets,
)
from skcontrast.retrieval._fusion import COMBINE

RNG = np.random.default_rng(0)
WORDS = [a + b for a in "bcdfgklmnp" for b in ("an", "el", "ir", "ot", "ux", "ab", "is")]
TEXTS = [" ".join(RNG.choice(WORDS, 12)) for _ in range(80)]
QUERIES = [" ".join(RNG.permutation(text.split())[:4]) for text in TEXTS[:30]]
BM25 = make_pipeline(CountVectorizer(), BM25Transformer())
LETTERS = TfidfVectorizer(analyzer="char", ngram_range=(2, 3))
LSA = make_pipeline(TfidfVectorizer(), TruncatedSVD(8, random_state=0))
Z, ASKED = RNG.normal(size=(200, 12)), RNG.normal(size=(20, 12))


def hybrid(**params):
    return HybridRetriever([("bm25", BM25), ("letters", LETTERS)], **params)


def bm25_scores(queries):
    model = clone(BM25).fit(TEXTS)
    asked = model[-1].transform_query(model[:-1].transform(queries))
    return (asked @ model.transform(TEXTS).T).toarray()


class TestHybrid:
    @pytest.mark.parametrize("combine", COMBINE)
    def test_weight_zero_equals_the_other(self, combine):
        found = hybrid(combine=combine, weights=[1, 0]).fit(TEXTS).kneighbors(QUERIES)[1]
        scores = bm25_scores(QUERIES)
        expected = np.argsort(-scores, axis=1, kind="stable")[:, :10]
        assert np.array_equal(found, expected)
        both = hybrid(combine=combine, weights=None).fit(TEXTS)
        assert not np.array_equal(both.kneighbors(QUERIES)[1], expected)

    @pytest.mark.parametrize("combine", COMBINE)
    def test_one_list_keeps_its_order(self, combine):
        one = HybridRetriever([("bm25", BM25)], combine=combine, n_candidates=30).fit(TEXTS)
        expected = np.argsort(-bm25_scores(QUERIES), axis=1, kind="stable")[:, :30]
        assert np.array_equal(one.kneighbors(QUERIES, 30)[1], expected)

    def test_sum_by_hand(self):
        model = hybrid(combine="sum", weights=[3, 1], n_candidates=80).fit(TEXTS)
        letters = clone(LETTERS).fit(TEXTS)
        cosines = (letters.transform(QUERIES) @ letters.transform(TEXTS).T).toarray()
        scores = 0.75 * bm25_scores(QUERIES) + 0.25 * cosines
        distance, ids = model.kneighbors(QUERIES, 5)
        assert np.array_equal(ids, np.argsort(-scores, axis=1)[:, :5])
        np.testing.assert_allclose(-distance, -np.sort(-scores, axis=1)[:, :5])

    def test_product_and_ranks_by_hand(self):
        letters = clone(LETTERS).fit(TEXTS)
        pair = (
            bm25_scores(QUERIES),
            (letters.transform(QUERIES) @ letters.transform(TEXTS).T).toarray(),
        )
        everything = {"weights": None, "n_candidates": 80}
        distance, _ = hybrid(combine="product", **everything).fit(TEXTS).kneighbors(QUERIES, 3)
        product = np.sqrt(np.maximum(pair[0] * pair[1], 0))
        np.testing.assert_allclose(-distance, -np.sort(-product, axis=1)[:, :3], rtol=1e-12)
        distance, _ = hybrid(combine="rrf", **everything).fit(TEXTS).kneighbors(QUERIES, 3)
        ranks = [1 + np.argsort(np.argsort(-s, axis=1, kind="stable"), axis=1) for s in pair]
        fused = sum(0.5 / (60 + r) for r in ranks)
        np.testing.assert_allclose(-distance, -np.sort(-fused, axis=1)[:, :3], rtol=1e-12)

    def test_a_score_that_tells_nothing_apart_adds_nothing(self):
        constant = make_pipeline(CountVectorizer(vocabulary=["never"]), BM25Transformer())
        found = HybridRetriever([("bm25", BM25), ("no", constant)], weights=None).fit(TEXTS)
        expected = np.argsort(-bm25_scores(QUERIES), axis=1, kind="stable")[:, :10]
        assert np.array_equal(found.kneighbors(QUERIES)[1], expected)

    def test_weights_are_chosen_on_pairs(self):
        noise = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
        model = HybridRetriever([("noise", noise), ("bm25", BM25)], n_candidates=20)
        model.fit(TEXTS, queries=QUERIES, relevant=np.arange(30))
        assert model.chosen_on_ == "pairs" and model.weights_.sum() == pytest.approx(1)
        assert model.mrr_["hybrid"] >= max(model.mrr_["noise"], model.mrr_["bm25"])
        assert model.weights_[1] > 0.5
        assert model.score(QUERIES, np.arange(30)) == pytest.approx(model.mrr_["hybrid"])

    def test_weights_are_chosen_on_halves(self):
        texts = [t + " " + " ".join(RNG.permutation(t.split())) for t in TEXTS]
        first = hybrid(random_state=0).fit(texts)
        assert first.chosen_on_ == "halves" and first.mrr_["hybrid"] >= first.mrr_["bm25"] > 0.5
        again = hybrid(random_state=0).fit(texts)
        assert np.array_equal(first.weights_, again.weights_)

    def test_parts_of_every_kind(self):
        vectors = clone(LSA).fit(TEXTS)
        letters = FrozenEstimator(clone(LETTERS).fit(TEXTS))
        parts = [
            ("frozen", letters),
            ("index", make_pipeline(FrozenEstimator(vectors), EmbeddingIndex())),
            ("frozen bm25", FrozenEstimator(clone(BM25).fit(TEXTS))),
            ("two", TwoStageRetriever(make_pipeline(clone(LSA), EmbeddingIndex()))),
        ]
        relevant = np.arange(30)
        alone = hybrid(weights=[1, 0]).fit(TEXTS).score(QUERIES, relevant)
        model = HybridRetriever(parts, weights=[0, 0, 1, 0]).fit(TEXTS)
        assert model.score(QUERIES, relevant) == alone
        everything = model.set_params(weights="auto", n_candidates=30)
        everything.fit(TEXTS, queries=QUERIES, relevant=relevant)
        assert everything.mrr_["frozen bm25"] == pytest.approx(alone, abs=0.01)
        assert everything.mrr_["index"] == pytest.approx(everything.mrr_["two"], abs=1e-9)
        copy = pickle.loads(pickle.dumps(everything))
        assert np.array_equal(copy.kneighbors(QUERIES)[1], everything.kneighbors(QUERIES)[1])

    def test_in_a_search(self):
        n = len(TEXTS)
        split = [(np.arange(n), np.arange(n, n + 30))]
        grid = {"weights": [[1, 0], [0, 1]], "bm25__bm25transformer__k1": [0.5, 1.5]}
        search = GridSearchCV(hybrid(), grid, cv=split, refit=False, error_score="raise")
        search.fit(TEXTS + QUERIES, [0] * n + list(range(30)))
        expected = hybrid(weights=[1, 0]).fit(TEXTS).score(QUERIES, np.arange(30))
        row = {"weights": [1, 0], "bm25__bm25transformer__k1": 1.5}
        place = search.cv_results_["params"].index(row)
        assert search.cv_results_["mean_test_score"][place] == expected

    def test_score_is_that_of_rank_metrics(self):
        model = hybrid(weights=None).fit(TEXTS)
        ids = model.kneighbors(QUERIES, 80, return_distance=False)
        several = [[i, i + 1] for i in range(30)]
        expected = rank_metrics(ids, several, 80, kind="ids")["mrr@80"]
        assert model.score(QUERIES, several) == expected

    def test_tables_of_numbers(self):
        model = HybridRetriever([("index", EmbeddingIndex())], weights="auto").fit(Z)
        assert np.array_equal(model.weights_, [1])
        assert np.array_equal(model.kneighbors(Z, 1)[1][:, 0], np.arange(200))

    @pytest.mark.parametrize(
        ("change", "call", "message"),
        [
            ({"weights": [1]}, {}, "weights=.* for 2 retrievers: type one number"),
            ({"weights": [0, 0]}, {}, "one is above 0"),
            ({"weights": "equal"}, {}, "weights.*Got 'equal' instead"),
            ({"combine": "rff"}, {}, "Did you mean 'rrf'"),
            ({"retrievers": []}, {}, "retrievers=.*type a list of pairs"),
            ({"retrievers": [BM25]}, {}, "type a list of pairs"),
            ({"retrievers": [("a", BM25), ("a", BM25)]}, {}, "not unique"),
            ({"retrievers": [("a", LogisticRegression())]}, {}, "gives no vectors"),
            ({}, {"queries": QUERIES}, "relevant is not there"),
            ({}, {"queries": [], "relevant": []}, "queries is empty"),
            ({}, {"queries": QUERIES, "relevant": [1]}, "1 entries for 30 queries"),
            ({}, {"X": ["one", "two", "three"]}, "finds 0 texts of at least 4 words"),
            ({}, {"X": "one text"}, "X is one string: pass a list of texts"),
        ],
    )
    def test_what_is_refused(self, change, call, message):
        with pytest.raises((ValueError, TypeError), match=message):
            hybrid().set_params(**change).fit(**{"X": TEXTS, **call})

    def test_a_frozen_index_of_other_documents_is_refused(self):
        frozen = FrozenEstimator(EmbeddingIndex().fit(Z[:50]))
        with pytest.raises(ValueError, match="50 documents of its own, not these 200: freeze"):
            HybridRetriever([("index", frozen)]).fit(Z)
        frozen = FrozenEstimator(EmbeddingIndex().fit(Z))
        assert HybridRetriever([("index", frozen)]).fit(Z).kneighbors(Z[:1], 1)[1] == 0

    def test_queries_that_are_refused(self):
        model = hybrid(weights=None).fit(TEXTS)
        with pytest.raises(ValueError, match="n_neighbors=81, .* type n_neighbors=80 or less"):
            model.kneighbors(QUERIES, 81)
        with pytest.raises(ValueError, match="X is empty"):
            model.kneighbors([])
        with pytest.raises(TypeError, match="X is one string: pass a list of texts"):
            model.kneighbors("one text")
        numbers = HybridRetriever([("a", EmbeddingIndex()), ("b", EmbeddingIndex())])
        with pytest.raises(ValueError, match="no texts: pass pairs to fit"):
            numbers.fit(Z)


class TestTwoStages:
    def test_of_all_candidates_it_is_the_reranker(self):
        for rerank in ("exact", EmbeddingIndex()):
            first = EmbeddingIndex(algorithm="signs", n_bytes=1, random_state=0)
            search = TwoStageRetriever(first, rerank, n_candidates=200).fit(Z)
            distance, ids = search.kneighbors(ASKED)
            expected = EmbeddingIndex().fit(Z).kneighbors(ASKED)
            assert np.array_equal(ids, expected[1])
            np.testing.assert_allclose(distance % 1, expected[0] % 1, atol=1e-9)

    @pytest.mark.parametrize("algorithm", ["codes", "signs"])
    def test_recall_of_bytes(self, algorithm):
        latent = RNG.normal(size=(2000, 10)) @ RNG.normal(size=(10, 64))
        rows = latent + 0.3 * RNG.normal(size=latent.shape)
        first = EmbeddingIndex(algorithm=algorithm, n_bytes=8, random_state=0)
        search = TwoStageRetriever(first, n_candidates=100).fit(rows)
        expected = EmbeddingIndex().fit(rows).kneighbors(rows[:100], return_distance=False)
        found = search.kneighbors(rows[:100], return_distance=False)
        rough = search.first_.kneighbors(rows[:100], 10, return_distance=False)
        recall = [
            np.mean([len(set(a) & set(b)) / 10 for a, b in zip(expected, ids)])
            for ids in (found, rough)
        ]
        assert recall[0] > 0.95 > recall[1]

    def test_rows_of_a_memory_map_stay_there(self, tmp_path):
        rows = np.memmap(tmp_path / "rows", dtype=np.float32, mode="w+", shape=Z.shape)
        rows[:] = Z
        search = TwoStageRetriever(EmbeddingIndex(algorithm="signs", random_state=0)).fit(rows)
        assert isinstance(search._rows, np.memmap)

    def test_a_classifier_of_pairs_learns_what_belongs_together(self):
        # What belongs together agrees in the first four columns, whatever the others say.
        right = RNG.normal(size=(150, 12))
        asked = np.concatenate([right[:, :4], 3 * RNG.normal(size=(150, 8))], axis=1)
        search = TwoStageRetriever(
            EmbeddingIndex(), LogisticRegression(max_iter=2000), n_candidates=150
        )
        search.fit(right, queries=asked[:100], relevant=np.arange(100))
        first = rank_metrics(
            search.first_.kneighbors(asked[100:], 150)[1], np.arange(100, 150), 150, kind="ids"
        )
        assert search.score(asked[100:], np.arange(100, 150)) > 2 * first["mrr@150"]
        frozen = TwoStageRetriever(
            EmbeddingIndex(), FrozenEstimator(search.rerank_), n_candidates=150
        )
        again = frozen.fit(right).kneighbors(asked[100:])
        assert np.array_equal(again[1], search.kneighbors(asked[100:])[1])

    def test_texts_by_words_then_by_parts(self):
        vectors = dict(zip(WORDS, RNG.normal(size=(len(WORDS), 20))))

        class Parts(CountVectorizer):
            def transform(self, texts):
                return [np.array([vectors[w] for w in text.split()]) for text in texts]

            def fit_transform(self, texts, y=None):
                super().fit_transform(texts)
                return self.transform(texts)

        parts = make_pipeline(Parts(), LateInteraction())
        search = TwoStageRetriever(BM25, parts, n_candidates=80).fit(TEXTS)
        direct = clone(parts).fit(TEXTS)
        expected = direct[-1].kneighbors(direct[:-1].transform(QUERIES))
        assert np.array_equal(search.kneighbors(QUERIES)[1], expected[1])
        assert search.score(QUERIES, np.arange(30)) == 1

    def test_what_is_refused(self):
        with pytest.raises(ValueError, match="no pairs to train it on: pass fit"):
            TwoStageRetriever(EmbeddingIndex(), LogisticRegression()).fit(Z)
        with pytest.raises(TypeError, match="compares dense rows"):
            TwoStageRetriever(BM25).fit(TEXTS)
        with pytest.raises(ValueError, match="rerank.*Got 'exakt'"):
            TwoStageRetriever(EmbeddingIndex(), "exakt").fit(Z)
        search = TwoStageRetriever(EmbeddingIndex(), n_candidates=5).fit(Z)
        with pytest.raises(ValueError, match="n_neighbors=10, .* type n_neighbors=5 or less"):
            search.kneighbors(ASKED)
        with pytest.raises(ValueError, match="3 features"):
            search.kneighbors(ASKED[:, :3], 2)


class TestPairs:
    def test_margin_scores_by_loops(self):
        x, y = Z[:8, :3] ** 2 + 0.1, ASKED[:6, :3] ** 2 + 0.1
        u, v = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (x, y))
        c = u @ v.T
        for i in range(8):
            for j in range(6):
                near = np.sort(c[i])[-2:].mean() / 2 + np.sort(c[:, j])[-2:].mean() / 2
                assert margin_scores(x, y, 2)[i, j] == pytest.approx(c[i, j] / near)
                found = margin_scores(x, y, 2, "distance")[i, j]
                assert found == pytest.approx(c[i, j] - near)
        np.testing.assert_allclose(margin_scores(x, y, 2, "absolute"), c)

    def test_mined_pairs_are_each_other_s(self):
        x = RNG.normal(size=(60, 16))
        order = RNG.permutation(60)
        y = (x + 0.3 * RNG.normal(size=x.shape))[order]
        for mode in ("max", "intersect", "forward", "backward"):
            pairs, scores = mine_pairs(x, y, margin="distance", mode=mode)
            assert (order[pairs[:, 1]] == pairs[:, 0]).mean() > 0.95
        table = margin_scores(x, y, margin="distance")
        np.testing.assert_allclose(scores, table[pairs[:, 0], pairs[:, 1]])
        pairs, scores = mine_pairs(x, y, margin="distance")
        assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
        assert (np.diff(scores) <= 0).all()
        above = mine_pairs(x, y, margin="distance", threshold=np.median(scores))[1]
        assert np.array_equal(above, scores[scores > np.median(scores)])

    @settings(max_examples=40, deadline=None)
    @given(
        st.integers(0, 2**31), st.sampled_from(["relative", "absolute", "fixed"]), st.floats(0, 0.5)
    )
    def test_negatives_are_no_positives_and_under_the_ceiling(self, seed, rule, margin):
        rng = np.random.default_rng(seed)
        q, d = rng.normal(size=(6, 4)), rng.normal(size=(15, 4))
        positives = sp.random(6, 15, 0.15, format="csr", random_state=seed).toarray()
        positives[np.arange(6), rng.integers(15, size=6)] = 1
        ids = hard_negatives(q, d, positives, 4, margin=margin, rule=rule)
        u, v = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (q, d))
        c = u @ v.T
        for i in range(6):
            p = c[i, positives[i] > 0].min()
            ceiling = {
                "relative": p - margin * abs(p),
                "absolute": p - margin,
                "fixed": 1 - margin,
            }[rule]
            allowed = [
                j for j in np.argsort(-c[i]) if c[i, j] <= ceiling + 1e-12 and positives[i, j] == 0
            ]
            expected = (allowed + [-1] * 4)[:4]
            assert ids[i].tolist() == expected
            skipped = (allowed[2:] + [-1] * 4)[:4]
            assert (
                hard_negatives(q, d, positives, 4, margin=margin, rule=rule, skip=2)[i].tolist()
                == skipped
            )

    def test_what_is_refused(self):
        with pytest.raises(ValueError, match="margin='rato'"):
            margin_scores(Z, ASKED, margin="rato")
        with pytest.raises(
            ValueError, match="k=30: type a whole number of at least 1 and at most 20"
        ):
            mine_pairs(Z, ASKED, 30)
        with pytest.raises(ValueError, match="X has 3 columns and Y has 12"):
            mine_pairs(Z[:, :3], ASKED)
        with pytest.raises(ValueError, match="type margin='distance'"):
            margin_scores(Z, -Z[:1], 1)
        with pytest.raises(ValueError, match="1 of the queries have no document in positives"):
            hard_negatives(ASKED[:1], Z, [[]], 3)
        with pytest.raises(ValueError, match="mode='both'"):
            mine_pairs(Z, ASKED, mode="both")
        with pytest.raises(ValueError, match="rule='none'"):
            hard_negatives(ASKED[:1], Z, [0], 3, rule="none")
        with pytest.raises(ValueError, match="NaN"):
            margin_scores(np.where(Z > 2, np.nan, Z), ASKED)


class TestSets:
    def test_is_the_loop_and_adds_up(self):
        a, b, c = ASKED[:3], ASKED[3:8], ASKED[8:9]

        def cosine(x, y):
            return x @ y / np.linalg.norm(x) / np.linalg.norm(y)

        expected = [
            sum(np.mean([cosine(z, x) for x in s]) for s in (a, b))
            - np.mean([cosine(z, x) for x in c])
            for z in Z
        ]
        found = rank_by_sets(Z, [a, b], [c])
        np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_allclose(found, rank_by_sets(Z, [a]) + rank_by_sets(Z, [b], [c]))

    def test_what_is_refused(self):
        with pytest.raises(ValueError, match="wanted is empty"):
            rank_by_sets(Z, [])
        with pytest.raises(ValueError, match=r"unwanted\[0\] has 3 columns and Z has 12"):
            rank_by_sets(Z, [ASKED], [ASKED[:, :3]])


class TestMemory:
    @pytest.mark.parametrize("fusion", ["mean", "attention"])
    def test_by_loops(self, fusion):
        values = RNG.normal(size=(200, 3))
        model = RetrievalAugmenter(n_neighbors=5, fusion=fusion, temperature=0.3)
        model.fit(Z, memory_values=values)
        distance, ids = EmbeddingIndex(5).fit(Z).kneighbors(ASKED)
        out = model.transform(ASKED)
        for row in range(len(ASKED)):
            a = np.exp(-distance[row] / 0.3) if fusion == "attention" else np.ones(5)
            np.testing.assert_allclose(out[row, 12:], a @ values[ids[row]] / a.sum())
        assert np.array_equal(out[:, :12], ASKED)

    @pytest.mark.parametrize("fusion", ["mean", "attention"])
    def test_a_memory_of_nothing_adds_nothing(self, fusion):
        model = RetrievalAugmenter(fusion=fusion).fit(Z, memory_values=np.zeros((200, 1)))
        assert np.array_equal(model.transform(ASKED), np.c_[ASKED, np.zeros(20)])

    def test_a_row_of_fit_is_not_its_own_neighbour(self):
        values = np.eye(200)
        model = RetrievalAugmenter(n_neighbors=3)
        training = model.fit_transform(Z, memory_values=values)[:, 12:]
        assert (np.diag(training) == 0).all()
        assert (np.diag(model.transform(Z)[:, 12:]) > 0).all()

    def test_what_is_refused(self):
        with pytest.raises(ValueError, match="memory_values has 3 rows and X has 200"):
            RetrievalAugmenter().fit(Z, memory_values=np.eye(3))
        with pytest.raises(ValueError, match="n_neighbors=10"):
            RetrievalAugmenter().fit(Z[:5]).transform(Z)


class TestDifferences:
    def test_planted_words_and_zeros(self):
        rows = RNG.normal(size=(10, 20))
        same = difference_scores(rows, rows[::-1])
        assert np.abs(same).max() < 1e-12
        more = np.concatenate([rows, RNG.normal(size=(2, 20))])
        of_rows, of_more = difference_scores(rows, more)
        assert np.abs(of_rows).max() < 1e-12 and of_more[10:].min() > 0.2

    def test_what_is_refused(self):
        with pytest.raises(ValueError, match="B has no parts"):
            difference_scores(Z, Z[:0])
        with pytest.raises(ValueError, match="3 columns, and 12 are needed"):
            difference_scores(Z, Z[:, :3])
