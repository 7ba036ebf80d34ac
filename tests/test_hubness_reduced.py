"""HubnessReducedNeighbors: the formulas by loops, and their laws."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm, skew
from sklearn.cluster import DBSCAN
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast.metrics import k_occurrence
from skcontrast.postprocessing import HubnessReducedNeighbors
from skcontrast.postprocessing import _hubs as module
from skcontrast.retrieval import margin_scores

rng = np.random.default_rng(0)
X, NEW = rng.normal(size=(40, 6)) + 1, rng.normal(size=(9, 6)) + 1
METHODS = "mutual_proximity", "local_scaling", "nicdm", "csls", "dis_sim_local"
METRICS = "cosine", "euclidean"
K = 7


def around(D, k=K):
    """Sorted distances to the k nearest, from those to all others."""
    return np.sort(D)[:k]


def corrected(method, D, mine, others, x=None, y=None, near_x=None, near_y=None):
    """One corrected distance, without the constant, by the formula of the docstring."""
    if method == "mutual_proximity":
        return 1 - norm.sf(D, mine.mean(), mine.std()) * norm.sf(D, others.mean(), others.std())
    if method == "local_scaling":
        return 1 - np.exp(-(D**2) / (mine[-1] * others[-1]))
    if method == "nicdm":
        return D / np.sqrt(mine.mean() * others.mean())
    if method == "csls":
        return 2 * D - mine.mean() - others.mean()
    gaps = [np.sum((z - near.mean(axis=0)) ** 2) for z, near in ((x, near_x), (y, near_y))]
    return np.sum((x - y) ** 2) - sum(gaps)


def table(model, queries=None):
    """All corrected distances (n_queries, n_rows), without the constant; NaN for none."""
    n = model.n_samples_fit_
    distance, ids = model.kneighbors(queries, n - (queries is None))
    assert (np.diff(distance, axis=1) >= 0).all()
    out = np.full((len(distance), n), np.nan)
    np.put_along_axis(out, ids, distance - model.shift_, axis=1)
    return out


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("method", METHODS)
def test_naive_loops(method, metric):
    model = HubnessReducedNeighbors(method=method, k=K, metric=metric).fit(X)
    rows, new = (Z / np.linalg.norm(Z, axis=1)[:, None] for Z in (X, NEW))
    rows, new = (rows, new) if metric == "cosine" else (X, NEW)
    among, asked = cdist(rows, rows), cdist(new, rows)
    if method == "csls" and metric == "cosine":
        among, asked = cdist(X, X, "cosine"), cdist(NEW, X, "cosine")
    others = [np.delete(np.arange(40), i) for i in range(40)]
    radii = [around(among[i, others[i]]) for i in range(40)]
    near = [rows[others[i][np.argsort(among[i, others[i]])[:K]]] for i in range(40)]
    found, found_new = table(model), table(model, NEW)
    assert np.isnan(np.diag(found)).all()
    for i in range(40):
        for j in others[i]:
            value = corrected(
                method, among[i, j], radii[i], radii[j], rows[i], rows[j], near[i], near[j]
            )
            assert found[i, j] == pytest.approx(value, abs=1e-9)
    for i in range(9):
        mine, around_new = around(asked[i]), rows[np.argsort(asked[i])[:K]]
        for j in range(40):
            value = corrected(
                method, asked[i, j], mine, radii[j], new[i], rows[j], around_new, near[j]
            )
            # The constant keeps distances at 0 or above.
            value = max(value, -model.shift_)
            assert found_new[i, j] == pytest.approx(value, abs=1e-9)


def test_moments_of_all_rows():
    model = HubnessReducedNeighbors().fit(X)
    D = np.sqrt(2 * cdist(X, X, "cosine"))
    others = D[~np.eye(40, dtype=bool)].reshape(40, 39)
    expected = np.column_stack([others.mean(axis=1), others.std(axis=1)])
    np.testing.assert_allclose(model.surroundings_, expected, atol=1e-12)
    explicit = HubnessReducedNeighbors(k=39).fit(X)
    np.testing.assert_allclose(explicit.surroundings_, expected, atol=1e-12)
    np.testing.assert_allclose(table(explicit), table(model), atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_blocks_change_nothing(method, monkeypatch):
    model = HubnessReducedNeighbors(3, method=method).fit(X)
    expected = model.transform(np.vstack([NEW, X]))
    monkeypatch.setattr(
        module, "query_blocks", lambda n, m: [slice(i, min(i + 2, n)) for i in range(0, n, 2)]
    )
    other = HubnessReducedNeighbors(3, method=method).fit(X)
    found = other.transform(np.vstack([NEW, X]))
    assert np.array_equal(found.indices, expected.indices)
    np.testing.assert_allclose(found.data, expected.data, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_symmetric_and_as_often_neighbours(method):
    model = HubnessReducedNeighbors(5, method=method).fit(X)
    found = table(model)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    ids = model.kneighbors(return_distance=False)
    assert np.bincount(ids.ravel(), minlength=40).mean() == 5


@pytest.mark.parametrize("method", ["mutual_proximity", "local_scaling", "nicdm"])
def test_a_common_scale_changes_nothing(method):
    model = HubnessReducedNeighbors(method=method, k=K, metric="euclidean").fit(X)
    scaled = HubnessReducedNeighbors(method=method, k=K, metric="euclidean").fit(100 * X)
    np.testing.assert_allclose(table(scaled), table(model), atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_equal_surroundings_keep_the_order(method):
    angle = 2 * np.pi * np.arange(12) / 12
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    model = HubnessReducedNeighbors(2, method=method, k=2).fit(circle)
    assert {frozenset(i) for i in model.kneighbors(return_distance=False).tolist()} == {
        frozenset({(i - 1) % 12, (i + 1) % 12}) for i in range(12)
    }


def test_csls_is_twice_the_margin():
    model = HubnessReducedNeighbors(method="csls", k=4).fit(X)
    cosine = margin_scores(X, X, k=5, margin="absolute")
    # There a row is the first of its own neighbours, at a cosine of 1.
    mean = ((cosine - margin_scores(X, X, k=5, margin="distance")) * 5 - 1) / 4
    expected = -2 * (cosine - mean)
    off = ~np.eye(40, dtype=bool)
    np.testing.assert_allclose(table(model)[off], expected[off], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_rows_of_fit_are_told(method):
    model = HubnessReducedNeighbors(3, method=method).fit(X)
    graph = model.transform(X)
    assert graph.shape == (40, 40) and (np.diff(graph.indptr) == 4).all()
    ids = graph.indices.reshape(40, 4)
    assert np.array_equal(ids[:, 0], np.arange(40)) and not graph.diagonal().any()
    assert np.array_equal(ids[:, 1:], model.kneighbors(return_distance=False))
    alone = model.transform(X[7:8])
    assert np.array_equal(alone.indices, ids[7])
    np.testing.assert_allclose(alone.data, graph.data[28:32], atol=1e-12)
    # Explicit zeros stay, and nothing is negative.
    assert graph.nnz == 160 and graph.data.min() == 0


@pytest.mark.parametrize("method", METHODS)
def test_equal_rows(method):
    same = np.vstack([np.tile(X[:1], (6, 1)), X])
    model = HubnessReducedNeighbors(3, method=method, k=4).fit(same)
    distance, ids = model.kneighbors()
    assert np.isfinite(distance).all() and np.isfinite(model.transform(NEW).data).all()
    assert (ids[:6] < 7).all()  # the seven equal rows have each other
    flat = HubnessReducedNeighbors(3, method=method).fit(np.ones((8, 3)))
    assert np.isfinite(flat.transform(np.ones((2, 3))).data).all()


def test_far_rows_keep_their_order():
    """Where the distance is 1 but for rounding, the logarithms still tell them apart."""
    line = np.arange(200.0)[:, None] ** 2
    model = HubnessReducedNeighbors(k=3, metric="euclidean").fit(line)
    distance, ids = model.kneighbors(np.array([[0.25]]), 200)
    assert (distance == 1).sum() > 100 and len(np.unique(ids)) == 200
    assert np.array_equal(ids[0, -20:], np.sort(ids[0, -20:]))


def test_few_candidates():
    whole = HubnessReducedNeighbors(3, method="nicdm").fit(X)
    some = HubnessReducedNeighbors(3, method="nicdm", n_candidates=12).fit(X)
    nearest = np.argsort(cdist(NEW, X, "cosine"), axis=1)[:, :12]
    among, found = table(whole, NEW), some.kneighbors(NEW)[1]
    for row, candidates, ids in zip(among, nearest, found):
        assert set(ids) == set(candidates[np.argsort(row[candidates])[:3]])
    only = HubnessReducedNeighbors(3, n_candidates=1).fit(X).kneighbors(NEW)[1]
    assert np.array_equal(np.sort(only), np.sort(nearest[:, :3]))


def test_it_reduces_hubs():
    Z = np.random.default_rng(0).normal(size=(400, 100))
    raw = skew(k_occurrence(Z, 10))
    for k, least in (("auto", 0.6), (50, 0.35)):
        model = HubnessReducedNeighbors(10, k=k, metric="euclidean").fit(Z)
        ids = model.kneighbors(return_distance=False)
        assert skew(np.bincount(ids.ravel(), minlength=400)) < least * raw


def test_it_stands_where_kneighbors_transformer_does(tmp_path):
    y = (X[:, 0] > 1).astype(int)
    nearest = KNeighborsClassifier(metric="precomputed")
    model = make_pipeline(HubnessReducedNeighbors(5), nearest).fit(X, y)
    ids = HubnessReducedNeighbors(5).fit(X).kneighbors(NEW)[1]
    assert np.array_equal(model.predict(NEW), y[ids].mean(axis=1) > 0.5)
    plain = KNeighborsTransformer(n_neighbors=5).fit_transform(X)
    graph = HubnessReducedNeighbors(5).fit_transform(X)
    assert graph.shape == plain.shape and graph.nnz == plain.nnz
    labels = make_pipeline(
        HubnessReducedNeighbors(10), DBSCAN(eps=0.5, metric="precomputed", min_samples=2)
    ).fit_predict(X)
    assert len(labels) == 40
    fitted = HubnessReducedNeighbors(5, k=K).fit(X)
    skcontrast.save(fitted, tmp_path)
    assert (skcontrast.load(tmp_path).transform(NEW) != fitted.transform(NEW)).nnz == 0


def test_numbers_that_there_are_not():
    for name in ("n_neighbors", "k"):
        message = f"{name}=40, but fit got n_samples=40, of which none .* type {name}=39 or less"
        with pytest.raises(ValueError, match=message):
            HubnessReducedNeighbors(**{name: 40}).fit(X)
    with pytest.raises(ValueError, match="n_neighbors"):
        HubnessReducedNeighbors().fit(X).kneighbors(NEW, 41)
    with pytest.raises(ValueError, match="n_samples=1, and at least 2 are needed"):
        HubnessReducedNeighbors(1).fit(X[:1])
    changed = {"method": "csls"}, {"method": "nicdm"}, {"metric": "euclidean"}
    for params in changed:
        for method in ("csls", "mutual_proximity"):
            fitted = HubnessReducedNeighbors(method=method).fit(X)
            if params == {"method": method}:
                continue
            message = f"fit was with method='{method}' and metric='cosine'.* type fit"
            with pytest.raises(ValueError, match=message):
                fitted.set_params(**params).transform(X)
    model = HubnessReducedNeighbors(metric="euclidean").fit(X)
    with pytest.raises(ValueError, match="X holds numbers of up to 1e.200, whose squares"):
        model.transform(np.full((1, X.shape[1]), 1e200))


def test_beside_radii_of_zero_no_row_is_its_own_neighbour():
    """Rows of another group of equal ones are infinitely far by the formula."""
    two = np.repeat([[0.0, 1.0], [9.0, 1.0]], 15, axis=0)
    model = HubnessReducedNeighbors(20, method="local_scaling", metric="euclidean").fit(two)
    distance, ids = model.kneighbors()
    assert not (ids == np.arange(30)[:, None]).any()
    assert np.array_equal(distance[:, [0, 13, 14, 19]], np.tile([0.0, 0.0, 1.0, 1.0], (30, 1)))


def test_a_deviation_of_rounding_is_none():
    model = HubnessReducedNeighbors(1).fit(X[:2])
    alone = np.vstack([model.transform(x[None]).toarray() for x in X[:2]])
    np.testing.assert_allclose(model.transform(X[:2]).toarray(), alone, atol=1e-5)
