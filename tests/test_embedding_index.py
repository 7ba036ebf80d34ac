"""EmbeddingIndex: the neighbours of scikit-learn, graphs, codes, and what is refused."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline

from skcontrast.retrieval import EmbeddingIndex, _engines, _index

RNG = np.random.default_rng(0)
X, Q = RNG.normal(size=(300, 16)), RNG.normal(size=(40, 16))
GRAPHS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            not _engines.installed(name),
            reason=f"{name} is not installed: pip install 'skcontrast[knn]'",
        ),
    )
    for name in _engines.NEEDS
]
ALL = ["brute", *GRAPHS, "codes", "signs"]


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_brute_is_scikit_learn_s(metric, kind):
    index = EmbeddingIndex(5, metric=metric).fit(kind(X))
    theirs = NearestNeighbors(n_neighbors=5, metric=metric, algorithm="brute").fit(X)
    for queries in (Q, None):
        found = index.kneighbors(None if queries is None else kind(queries))
        expected = theirs.kneighbors(queries)
        np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
        assert np.array_equal(found[1], expected[1])
    assert np.array_equal(
        index.kneighbors(kind(Q), 3, return_distance=False), theirs.kneighbors(Q, 3)[1]
    )


def test_tiles_and_the_number_of_queries_change_nothing(monkeypatch):
    whole = EmbeddingIndex(7).fit(X).kneighbors(Q)
    monkeypatch.setattr("skcontrast.retrieval._exact.TILE", 64)
    monkeypatch.setattr("skcontrast.retrieval._exact.MAX_QUERIES", 3)
    tiled = EmbeddingIndex(7).fit(X).kneighbors(Q)
    assert np.array_equal(whole[1], tiled[1])
    np.testing.assert_allclose(whole[0], tiled[0], atol=1e-14)


def test_of_equal_rows_the_first_come_first_and_only_the_row_itself_is_left_out():
    same = np.ones((6, 3))
    index = EmbeddingIndex(2).fit(same)
    assert (index.kneighbors(same)[1] == [0, 1]).all()
    ids = index.kneighbors()[1]
    assert ids.shape == (6, 2) and not (ids == np.arange(6)[:, None]).any()
    assert (index.kneighbors()[0] < 1e-15).all()


def test_transform_is_the_graph_of_scikit_learn():
    ours = EmbeddingIndex(4, metric="euclidean").fit(X)
    theirs = KNeighborsTransformer(n_neighbors=4).fit(X)
    for rows in (X, Q):
        np.testing.assert_allclose(
            ours.transform(rows).toarray(), theirs.transform(rows).toarray(), atol=1e-7
        )
    y = X[:, 0] > 0
    pipe = make_pipeline(EmbeddingIndex(5), KNeighborsClassifier(5, metric="precomputed"))
    direct = KNeighborsClassifier(5, metric="cosine", algorithm="brute")
    assert np.array_equal(pipe.fit(X, y).predict(Q), direct.fit(X, y).predict(Q))


@pytest.mark.parametrize("algorithm", ALL)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_recall_distances_and_pickles(algorithm, metric):
    if algorithm in _index.CODES and metric == "euclidean":
        return
    index = EmbeddingIndex(10, algorithm=algorithm, metric=metric, random_state=0).fit(X)
    distance, ids = index.kneighbors(Q)
    exact, truth = EmbeddingIndex(10, algorithm="brute", metric=metric).fit(X).kneighbors(Q)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(ids, truth)])
    assert recall >= {"codes": 0.8, "signs": 0.8}.get(algorithm, 0.97)
    assert (np.diff(distance) >= 0).all() and ids.dtype == np.int64
    if algorithm not in _index.CODES:
        np.testing.assert_allclose(distance[:, 0], exact[:, 0], atol=1e-5)
    for copy in (pickle.loads(pickle.dumps(index)), clone(index).fit(X)):
        assert np.array_equal(copy.kneighbors(Q)[1], ids)
    assert index.algorithm_ == algorithm and not hasattr(clone(index), "engine_")


@pytest.mark.parametrize("algorithm", ALL)
def test_added_rows_are_found_under_the_numbers_that_follow(algorithm):
    index = EmbeddingIndex(3, algorithm=algorithm, random_state=0)
    index.partial_fit(X).partial_fit(Q)
    assert index.n_samples_fit_ == 340
    ids = index.kneighbors(Q, 1)[1]
    assert (ids[:, 0] == 300 + np.arange(40)).mean() >= (0.9 if algorithm in _index.CODES else 1)


@pytest.mark.parametrize("algorithm", ["brute", *GRAPHS])
def test_a_new_class_needs_no_new_fit(algorithm):
    means = 5 * np.eye(16)[:3]
    y = np.repeat([0, 1, 2], 40)
    rows = means[y] + 0.5 * RNG.normal(size=(120, 16))
    index = EmbeddingIndex(7, algorithm=algorithm, random_state=0).fit(rows[y < 2])
    index.partial_fit(rows[y == 2])
    asked = means + 0.5 * RNG.normal(size=(3, 16))
    votes = y[index.kneighbors(asked, return_distance=False)]
    assert np.array_equal(np.median(votes, axis=1), [0, 1, 2])


@pytest.mark.parametrize("algorithm", GRAPHS)
def test_equal_rows_are_not_left_out_of_a_graph(algorithm):
    rows = np.concatenate([X, X])  # each has its double at the distance 0
    index = EmbeddingIndex(1, algorithm=algorithm, random_state=0).fit(rows)
    distance, ids = index.kneighbors()
    double = (np.arange(600) + 300) % 600
    assert (ids[:, 0] == double).mean() > 0.99 and np.median(distance) < 1e-6
    assert not (ids[:, 0] == np.arange(600)).any()


@pytest.mark.parametrize("algorithm", ["brute", *GRAPHS])
def test_a_row_of_zeros_has_the_cosine_zero(algorithm):
    rows, queries = X.copy(), Q[:2].copy()
    rows[7], queries[1] = 0, 0
    distance, ids = (
        EmbeddingIndex(300, algorithm=algorithm, n_candidates=300).fit(rows).kneighbors(queries)
    )
    np.testing.assert_allclose(distance[0, ids[0] == 7], 1, atol=1e-6)
    np.testing.assert_allclose(distance[1], 1, atol=1e-6)


@pytest.mark.parametrize("algorithm", GRAPHS)
def test_equal_rows_do_not_stop_a_walk(algorithm):
    rows = np.repeat(X[:2], 50, axis=0)
    ids = EmbeddingIndex(100, algorithm=algorithm, random_state=0).fit(rows).kneighbors(X[:2])[1]
    assert (ids >= 0).all() and set(ids[0, :50]) <= set(range(50))


def test_a_walk_over_more_rows_keeps_more_in_view():
    engine = _engines.Faiss("cosine", None, "auto")
    for n_rows, expected in ((0, 128), (20_000, 128), (80_000, 256), (200_000, 404)):
        engine.X = np.empty((n_rows, 0))
        assert _engines.in_view(engine) == expected
    assert _engines.in_view(engine.set_params(n_candidates=5)) == 5


def test_codes_are_bytes():
    index = EmbeddingIndex(algorithm="signs", n_bytes=6, random_state=0).fit(X)
    assert index.engine_.codes.shape == (300, 6) and index.engine_.codes.dtype == np.uint8
    index = EmbeddingIndex(algorithm="codes", n_bytes=48, random_state=0).fit(X)
    assert index.engine_.codes.shape == (300, 16)  # one a column at most


def test_auto_takes_a_graph_of_many_rows_and_warns_where_there_is_none(monkeypatch):
    assert EmbeddingIndex().fit(X).algorithm_ == "brute"
    monkeypatch.setattr(_index, "MANY", 200)
    monkeypatch.setattr(_index, "installed", lambda name: name not in _engines.NEEDS)
    with pytest.warns(UserWarning, match=r"pip install 'skcontrast\[knn\]'"):
        assert EmbeddingIndex().fit(X).algorithm_ == "brute"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert EmbeddingIndex().fit(sp.csr_array(X)).algorithm_ == "brute"
        assert EmbeddingIndex(algorithm="brute").fit(X).algorithm_ == "brute"
    with pytest.raises(ImportError, match=r"needs the package faiss: type pip install"):
        EmbeddingIndex(algorithm="faiss").fit(X)


@pytest.mark.parametrize("algorithm", GRAPHS)
def test_auto_changes_when_rows_become_many(algorithm, monkeypatch):
    monkeypatch.setattr(_index, "MANY", 310)
    monkeypatch.setattr(_index, "NEEDS", {algorithm: algorithm})
    index = EmbeddingIndex(3, random_state=0).partial_fit(X)
    assert index.algorithm_ == "brute"
    assert index.partial_fit(Q).algorithm_ == algorithm
    assert np.array_equal(index.kneighbors(Q, 1)[1][:, 0], 300 + np.arange(40))


def test_float32_stays_float32():
    index = EmbeddingIndex(3).fit(X.astype(np.float32))
    assert index.engine_.X.dtype == index.kneighbors(Q.astype(np.float32))[0].dtype == np.float32


def test_what_is_refused():
    index = EmbeddingIndex(5).fit(X)
    with pytest.raises(
        ValueError, match=r"n_neighbors=301, .* n_samples=300 rows: type n_neighbors=300"
    ):
        index.kneighbors(Q, 301)
    with pytest.raises(ValueError, match="none is its own neighbour: type n_neighbors=299"):
        index.kneighbors(None, 300)
    with pytest.raises(ValueError, match="n_neighbors=0: type a whole number"):
        index.kneighbors(Q, 0)
    with pytest.raises(ValueError, match="3 features, but EmbeddingIndex is expecting 16"):
        index.kneighbors(Q[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        index.kneighbors(np.full((1, 16), np.nan))
    with pytest.raises(ValueError, match="0 sample"):
        index.kneighbors(Q[:0])
    with pytest.raises(ValueError, match="are dense: pass dense rows"):
        index.partial_fit(sp.csr_array(Q))
    with pytest.raises(TypeError, match=r"no sparse rows.*algorithm='brute', or pass X.toarray"):
        EmbeddingIndex(algorithm="codes").fit(sp.csr_array(X))
    with pytest.raises(ValueError, match="type metric='cosine'"):
        EmbeddingIndex(algorithm="signs", metric="euclidean").fit(X)
    with pytest.raises(ValueError, match="algorithm.*Did you mean 'faiss'"):
        EmbeddingIndex(algorithm="fais").fit(X)
