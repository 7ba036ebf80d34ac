"""What stands beside the learned columns: the input, its ranks, patterns, kernel, neighbours."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.utils.extmath import row_norms
from threadpoolctl import threadpool_limits

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import BOUND
from skcontrast._output import output as _output
from skcontrast._output import parts as _parts
from skcontrast._output.parts import Kernel, Neighborhood, Ranks, _near
from skcontrast._output.patterns import Patterns, layout
from skcontrast.networks import MLP
from skcontrast.objectives import ConditionalInfoNCE, Objective


def rows(n=60, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.arange(1, d + 1) + 3.0


def small(**params):
    return ContrastiveEncoder(**{"max_iter": 2, "random_state": 0, "device": "cpu", **params})


def test_input_comes_first_and_has_most_of_the_variance():
    X = rows(300)
    X[:, 2] = np.exp(X[:, 2] / 2)
    model = small(network="linear").fit(X)
    Z = model.transform(X)
    parts = {name: Z[:, first:last] for name, (first, last) in model.output_.part_columns_.items()}
    assert list(parts) == ["columns", "learned", "ranks", "kernel", "neighborhood"]
    np.testing.assert_allclose(parts["columns"], StandardScaler().fit_transform(X), atol=1e-5)
    variance = {name: part.var(axis=0).sum() / 7 for name, part in parts.items()}
    expected = {"learned": 0.3, "ranks": 0.5 / 7, "kernel": 0.15, "neighborhood": 0.3}
    assert variance == pytest.approx({"columns": 1.0, **expected}, rel=1e-4)
    assert Z.shape[1] == len(model.get_feature_names_out()) == 7 + 256 + 1 + 256 + 8


def test_learned_part_is_the_embedding_without_it():
    X = rows(300)
    alone = small(passthrough=False).fit(X)
    learned = alone.transform(X)
    assert learned.shape == (300, 256)
    Z = small().fit_transform(X)[:, 7 : 7 + 256]
    factor = Z.std() / (learned - learned.mean(axis=0)).std()
    np.testing.assert_allclose(Z, factor * (learned - learned.mean(axis=0)), atol=1e-4)


def test_kernel_part_has_the_inner_products_of_the_kernel():
    C = StandardScaler().fit_transform(rows())
    kernel = Kernel().fit(C, np.random.default_rng(0))
    phi = kernel.transform(C)
    # All rows are landmarks: the features are exact, but for a floor of the small eigenvalues.
    np.testing.assert_allclose(phi @ phi.T, rbf_kernel(C, gamma=kernel.gamma_), atol=1e-4)
    squared = ((C[:, None] - C) ** 2).sum(axis=2)[np.triu_indices(60, 1)]
    assert kernel.gamma_ == pytest.approx(1 / np.median(squared))


def test_neighborhood_is_the_weighted_mean_of_the_nearest_rows():
    C, new = rows(100, 4), rows(5, 4, seed=1)
    part = Neighborhood().fit(C, np.random.default_rng(0))
    assert part.n_neighbors_ == 5
    for row, mean in zip(new, part.transform(new)):
        distance = np.linalg.norm(C - row, axis=1)
        order = distance.argsort()
        weight = 1 - (distance / distance[order[5]]) ** 2 + 1e-3
        nearest = order[:6]
        expected = (weight[nearest, None] * C[nearest]).sum(axis=0) / weight[nearest].sum()
        np.testing.assert_allclose(mean, expected, rtol=1e-3)
    same = Neighborhood().fit(np.ones((9, 2)), np.random.default_rng(0))
    np.testing.assert_allclose(same.transform(np.ones((3, 2))), 1.0)


def test_ranks_are_normal_scores_of_columns_far_from_normal():
    rng = np.random.default_rng(0)
    normal, binary = rng.standard_normal(400), rng.integers(0, 2, 400)
    long_tail = np.exp(2 * rng.standard_normal(400))
    S = np.column_stack([normal, long_tail, binary, np.ones(400)])
    ranks = Ranks().fit(S)
    assert ranks.columns_.tolist() == [1]
    scores = ranks.transform(S)
    assert scores.std() == pytest.approx(1.0) and np.abs(scores).max() < 4
    # Only the order counts, and values outside of the sample stay in bounds.
    assert np.array_equal(np.argsort(scores[:, 0]), np.argsort(long_tail))
    longer = long_tail[:, None] ** 3
    middle = np.abs(scores[:, 0]) < 2
    of_longer = Ranks().fit(longer).transform(longer)
    np.testing.assert_allclose(of_longer[middle], scores[middle], atol=0.02)
    assert np.isfinite(ranks.transform(S * 1e9)).all()


@pytest.mark.parametrize("batch", [1, 3, 60])
def test_neighborhood_of_ties_is_that_of_other_batches_and_threads(batch):
    rng = np.random.default_rng(0)
    C = np.hstack([np.eye(4)[rng.integers(4, size=1500)] for _ in range(6)]) - 0.23
    part = Neighborhood().fit(C, rng)
    out = part.transform(C)
    for limit in (1, 2):
        with threadpool_limits(limit):
            some = [part.transform(C[i : i + batch]) for i in range(0, 10 * batch, batch)]
        some = np.concatenate(some)
        # To the last bit: BLAS has no say in which rows are near, and how near they are.
        np.testing.assert_array_equal(some, out[: len(some)])


@pytest.mark.parametrize("layout", [np.asarray, sp.csr_matrix])
def test_rows_of_one_length_keep_one_on_the_leading_directions(layout):
    X = np.abs(np.random.default_rng(0).standard_normal((80, 30)))
    X[3] = 0.0  # a text without a known word has no length
    unit = layout(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-9))
    whole = small().fit(unit)
    E = whole.transform(unit).astype(np.float64)
    A = E - E.mean(axis=0)
    P = A @ np.linalg.svd(A, full_matrices=False)[2][:5].T
    length = np.linalg.norm(P, axis=1)
    expected = P / length[:, None] * np.sqrt((length**2).mean())
    Z = small(n_components=5).fit(unit).transform(unit)
    np.testing.assert_allclose(np.abs(Z), np.abs(expected), atol=2e-3 * expected.max())
    np.testing.assert_allclose(np.linalg.norm(Z, axis=1), np.sqrt((length**2).mean()), rtol=1e-3)
    # A map, and rows of any lengths, stay as they are.
    for rows_, k in ((unit, 3), (layout(X), 5)):
        Z = small(n_components=k).fit_transform(rows_)
        assert np.ptp(np.linalg.norm(Z, axis=1)) > 0.1


@pytest.mark.parametrize("far", [0.0, 1e3])
def test_of_rows_as_far_the_neighborhood_takes_the_first(far):
    # Of 40 rows all as far from the origin, the products of which are rounded differently.
    C = np.vstack([np.eye(20), -np.eye(20)]) * 0.3 + far
    part = Neighborhood().fit(C, np.random.default_rng(0))
    x = np.full((1, 20), far)
    assert part._nearest(x.astype(np.float32))[1].tolist() == [list(range(part.n_neighbors_ + 1))]
    np.testing.assert_allclose(part.transform(x), C[: part.n_neighbors_ + 1].mean(0)[None], 1e-6)


def test_neighborhood_keeps_of_equal_rows_as_many_as_it_can_take():
    rng = np.random.default_rng(0)
    C = rng.integers(0, 2, (200, 3)) - 0.5
    part = Neighborhood().fit(C, np.random.default_rng(0))
    every = Neighborhood().fit(C, np.random.default_rng(0))
    every.references_ = C.astype(np.float32)
    every.squares_ = row_norms(every.references_, squared=True)
    assert part.n_neighbors_ == 10 and len(part.references_) == 8 * 11
    new = rng.standard_normal((50, 3))
    np.testing.assert_array_equal(part.transform(new), every.transform(new))


def test_neighborhood_of_values_beyond_float32():
    C = rows(100, 4)
    small_ones, large = (
        Neighborhood().fit(values, np.random.default_rng(0)).transform(values)
        for values in (C, C * 1e60)
    )
    np.testing.assert_allclose(large / 1e60, small_ones, rtol=1e-4, atol=1e-4)


def waves(n=80, length=60, seed=0):
    """Series of one of two forms, at random places in noise; the form as the class."""
    rng = np.random.default_rng(seed)
    y, X = np.arange(n) % 2, 0.2 * rng.standard_normal((n, length))
    X = np.cumsum(X, axis=1) * 0.2
    form = np.sin(np.linspace(0, 2 * np.pi, 16))
    for row, code, start in zip(X, y, rng.integers(0, length - 16, n)):
        row[start : start + 16] += form if code else form[::-1]
    return X, y


def test_layout_of_series_images_and_tables():
    rng = np.random.default_rng(0)
    series = np.cumsum(rng.standard_normal((200, 40)), axis=1)
    assert layout(series - series.mean(axis=0)) == (1, 40)
    assert layout(series[:, rng.permutation(40)]) is None
    noise = rng.standard_normal((200, 16, 12))
    smooth = sum(np.roll(noise, (i, j), (1, 2)) for i in range(4) for j in range(4))
    images = smooth.reshape(200, -1)
    assert layout(images - images.mean(axis=0)) == (16, 12)
    for table in (noise.reshape(200, -1), series[:, :20], np.ones((50, 30)), series[:2] * 0):
        assert layout(table - table.mean(axis=0)) is None
    # Three readings of each of twelve things are groups of columns, not a series.
    groups = np.repeat(rng.standard_normal((200, 12)), 3, axis=1)
    groups += 0.1 * rng.standard_normal(groups.shape)
    assert layout(groups - groups.mean(axis=0)) is None
    # Columns that all say the same are in no order.
    factor = rng.standard_normal((200, 1)) + 0.3 * rng.standard_normal((200, 30))
    assert layout(factor - factor.mean(axis=0)) is None


@pytest.mark.parametrize("shape", [(1, 40), (8, 9)])
def test_patterns_are_shares_of_places_above_a_threshold(shape):
    rng = np.random.default_rng(0)
    S = rng.standard_normal((30, shape[0] * shape[1]))
    part = Patterns(*shape).fit(S, np.random.default_rng(1))
    shares = part.transform(S) * part.scale_ + part.mean_
    assert shares.min() > -1e-9 and shares.max() < 1 + 1e-9
    # The naive loops, for the last kernel of the last dilation on one row.
    row = ((S[3] - S[3].mean()) / S[3].std()).reshape(shape)
    kernel, dilation = part.kernels_[-1, -1, 0], part.dilations_[-1]
    above = np.zeros(shape)
    for i, j in np.ndindex(shape):
        total = 0.0
        for (a, b), w in np.ndenumerate(kernel):
            y = i + dilation * (a - kernel.shape[0] // 2)
            x = j + dilation * (b - kernel.shape[1] // 2)
            if 0 <= y < shape[0] and 0 <= x < shape[1]:
                total += w * row[y, x]
        above[i, j] = total > part.thresholds_[-1, -1]
    n_fields = 1 if shape[0] == 1 else 9
    last = above[:, -3:] if shape[0] > 1 else above
    last = last[-3:] if shape[0] > 1 else last
    assert shares.reshape(30, -1)[3, -1] == pytest.approx(last.mean(), abs=1e-6)
    assert shares.shape[1] % n_fields == 0
    assert np.array_equal(part.transform(S[[3]]), part.transform(S)[[3]])


def test_patterns_tell_forms_apart_wherever_they_are():
    X, y = waves()
    model = small().fit(X)
    assert "patterns" in model.output_.part_columns_ and "ranks" not in model.output_.part_columns_
    assert (
        "patterns" not in small().fit(X[:, np.random.default_rng(0).permutation(60)]).output_.parts_
    )
    first, last = model.output_.part_columns_["patterns"]
    new, of_new = waves(seed=1)
    scores = {
        name: LogisticRegression().fit(Z[:, part], y).score(model.transform(new)[:, part], of_new)
        for name, part in (("columns", slice(0, 60)), ("patterns", slice(first, last)))
        for Z in [model.transform(X)]
    }
    assert scores["patterns"] > 0.9 > scores["columns"] + 0.1


@pytest.mark.parametrize(("length", "share"), [(32, 0.5), (64, 2.0), (128, 2.0)])
def test_patterns_of_a_short_series_count_less(length, share):
    X, _ = waves(length=length)
    Z = small().fit(X)
    first, last = Z.output_.part_columns_["patterns"]
    Z = Z.transform(X)
    columns, patterns = Z[:, :length].var(axis=0).sum(), Z[:, first:last].var(axis=0).sum()
    assert patterns / columns == pytest.approx(share, rel=1e-3)


def test_patterns_read_rows_as_they_were_before_standardisation():
    X, _ = waves()
    X = X * np.geomspace(1, 30, X.shape[1]) + np.linspace(0, 20, X.shape[1])
    shares = []
    for standardize in (True, False):
        model = small(standardize=standardize).fit(X)
        part = model.output_.parts_["patterns"]
        shares.append(part.transform(model.input_.standardized(X)))
    # A step more or less above a threshold, by rounding.
    np.testing.assert_allclose(np.median(np.abs(shares[0] - shares[1])), 0, atol=1e-9)
    assert np.mean(np.abs(shares[0] - shares[1]) > 1e-6) < 1e-3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("data", ["series", "long tails", "sparse"])
def test_saved_parts_give_the_same(data, dtype, tmp_path):
    pytest.importorskip("safetensors")
    X = {
        "series": waves()[0],
        "long tails": np.exp(rows()),
        "sparse": sp.random(60, 3000, 0.01, format="csr", random_state=0),
    }[data].astype(dtype)
    model = small().fit(X)
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert loaded.output_.part_columns_ == model.output_.part_columns_
    assert np.array_equal(loaded.transform(X), model.transform(X))


def test_parts_by_name():
    X = rows(300)
    every = small().fit(X)
    some = small(passthrough=["kernel", "columns"]).fit(X)
    assert some.output_.part_columns_ == {
        "columns": (0, 7),
        "learned": (7, 263),
        "kernel": (263, 519),
    }
    np.testing.assert_array_equal(some.transform(X), every.transform(X)[:, :519])
    alone = small(passthrough=["neighborhood"], network=MLP(width=3)).fit(X)
    assert alone.output_.part_columns_ == {"learned": (0, 3), "neighborhood": (3, 10)}
    assert alone.transform(X).shape == (300, 10)
    message = "holds 'kernels', which is no part.*Did you mean 'kernel'"
    with pytest.raises(ValueError, match=message):
        small(passthrough=["kernels"]).fit(X)


def test_other_parts_in_further_training_are_fitted_anew():
    X = rows()
    model = small(warm_start=True, passthrough=["columns"]).fit(X)
    model.set_params(passthrough=True).fit(X)
    assert list(model.output_.part_columns_) == ["columns", "learned", "kernel", "neighborhood"]


@pytest.mark.parametrize("sparse", [False, True])
def test_many_columns_become_their_leading_directions(monkeypatch, sparse):
    monkeypatch.setattr(_parts, "MOST_COLUMNS", 5)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 5)) @ rng.standard_normal((5, 20))
    model = small().fit(sp.csr_matrix(X) if sparse else X)
    kept = model.transform(sp.csr_matrix(X) if sparse else X)[:, :5]
    assert model.output_.part_columns_["columns"] == (0, 5)
    whole = X / model.input_.scale_ if sparse else StandardScaler().fit_transform(X)
    # Five directions hold all of a matrix of rank five.
    np.testing.assert_allclose(kept @ kept.T, whole @ whole.T, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="features"):
        model.transform(X[:, :4])


@pytest.mark.parametrize("of_fit", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("X", [rows(), np.exp(rows()), waves()[0]], ids=["", "ranks", "patterns"])
@pytest.mark.parametrize("standardize", [True, False])
def test_sparse_and_dense_rows_give_the_same(X, of_fit, standardize):
    model = small(standardize=standardize).fit(of_fit(X))
    Z, sparse = model.transform(X), model.transform(sp.csr_matrix(X))
    # Up to float32's rounding of rows that may be large.
    np.testing.assert_allclose(sparse / Z.std(), Z / Z.std(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [1e20, 1e100, -1e300])
@pytest.mark.parametrize("of_fit", [np.asarray, sp.csr_matrix])
def test_a_far_value_is_read_as_the_network_reads_it(value, of_fit):
    model, far = small().fit(of_fit(rows())), rows(3)
    far[1, 0] = value
    Z = model.transform(far)
    assert np.isfinite(Z).all() and Z[1, 0] == np.copysign(BOUND, value)
    np.testing.assert_allclose(model.transform(sp.csr_matrix(far)), Z, atol=1e-6)


@pytest.mark.parametrize(
    "params, width",
    [
        ({"n_components": 4}, 4),
        ({"n_components": 4, "passthrough": False}, 4),
        ({"n_components": 4, "network": MLP(width=9)}, 4),
        ({"passthrough": False}, 256),
        ({"passthrough": False, "network": MLP(width=9)}, 9),
        ({}, 256 + 2 * 7 + 256),
        ({"network": MLP(width=9)}, 9 + 2 * 7 + 256),
        ({"network": torch.nn.Linear(7, 5)}, 5 + 2 * 7 + 256),
        ({"objective": "supcon"}, 256),
        ({"objective": "supcon", "passthrough": True}, 256 + 2 * 7 + 256),
        ({"objective": ConditionalInfoNCE(mode="fair")}, 256),
    ],
)
def test_when_it_is_there(params, width):
    X = rows(300)
    side = {"condition": X[:, 0]} if isinstance(params.get("objective"), Objective) else {}
    model = small(**params).fit(X, np.arange(300) % 3, **side)
    assert model.transform(X).shape == (300, width)
    assert model.n_components_ == len(model.get_feature_names_out()) == width


# ------------------------------------------------------- leading directions


def test_a_number_of_columns_are_the_principal_components_of_all_columns():
    X, new = rows(300), rows(50, seed=1)
    every = small().fit(X)
    model = small(n_components=20).fit(X)
    assert all(np.array_equal(a, model.weights_[k]) for k, a in every.weights_.items())
    pca = PCA(20, svd_solver="full").fit(every.transform(X))
    Z, expected = model.transform(new), pca.transform(every.transform(new))
    np.testing.assert_allclose(Z * np.sign((Z * expected).sum(0)), expected, atol=1e-5)
    V = model.output_.directions_
    assert (V[np.abs(V).argmax(axis=0), np.arange(20)] > 0).all()
    np.testing.assert_allclose(V.T @ V, np.eye(20), atol=1e-9)


def test_fewer_columns_are_the_first_of_more():
    X = rows(300)
    few, more = (small(n_components=k).fit(X).transform(X) for k in (3, 30))
    np.testing.assert_allclose(few, more[:, :3], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [5, 40])
def test_columns_beyond_the_rank_are_zero(n):
    Z = small(n_components=100).fit(rows(n)).transform(rows(20, seed=1))
    assert Z.shape == (20, 100) and np.isfinite(Z).all()
    assert np.ptp(Z[:, : n - 1], axis=0).all() and not Z[:, n - 1 :].any()


@pytest.mark.parametrize("n_components", [None, 8])
def test_a_row_is_the_same_in_every_batch(n_components):
    X = rows(300)
    model = small(n_components=n_components).fit(X)
    Z, order = model.transform(X), np.random.default_rng(0).permutation(300)
    # Up to the rounding of float32: some processors take the last rows of a batch otherwise.
    np.testing.assert_allclose(model.transform(X[order]), Z[order], rtol=0, atol=1e-6)
    np.testing.assert_allclose(model.transform(X[7:8]), Z[7:8], rtol=0, atol=1e-6)


def test_few_rows_do_not_become_many_columns():
    X = rows(5, 4)
    model = small().fit(X)
    widths = {name: last - first for name, (first, last) in model.output_.part_columns_.items()}
    assert widths["columns"] == 4 and max(widths.values()) == 4
    # Nothing is lost: rows that were fitted are as far from each other as in all columns.
    assert np.linalg.matrix_rank(model.transform(X) - model.transform(X).mean(0)) == 4


@pytest.mark.parametrize("further", ["partial_fit", "warm_start"])
def test_a_stream_keeps_its_directions(further):
    X = rows(300)
    model = small(n_components=6, warm_start=further == "warm_start")
    step = model.partial_fit if further == "partial_fit" else model.fit
    step(X)
    before = model.output_
    step(rows(50, seed=1))
    assert np.array_equal(model.output_.directions_, before.directions_)
    assert model.output_.part_scales_["kernel"] == before.part_scales_["kernel"]
    assert model.output_.part_scales_["learned"] != before.part_scales_["learned"]


def test_names_say_what_a_column_is():
    frame = pd.DataFrame(rows(300, 3), columns=["age", "height", "income"])
    frame["income"] = np.exp(frame["income"] / 3)
    frame["color"] = np.random.default_rng(0).choice(["red", "green"], 300)
    names = list(small(network=MLP(width=8)).fit(frame).get_feature_names_out())
    assert names[:5] == [f"columns__{n}" for n in (*frame.columns[:3], "color_green", "color_red")]
    assert names[5:14] == [*(f"learned__{j}" for j in range(8)), "ranks__income"]
    assert names[14] == "kernel__0" and names[-1] == "neighborhood__ranks__income"
    assert names[-6] == "neighborhood__age" and len(set(names)) == len(names)
    encoder = small(n_components=2).fit(frame)
    assert list(encoder.get_feature_names_out()) == ["contrastiveencoder0", "contrastiveencoder1"]
    with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
        small().fit(frame).get_feature_names_out(["a", "b", "c", "d"])
    series = small().fit(waves()[0]).get_feature_names_out()
    assert {"patterns__3", "neighborhood__3", "columns__x0"} <= set(series)


def test_a_search_over_the_width_changes_nothing_else():
    X, y = rows(120), np.arange(120) % 2
    search = GridSearchCV(
        make_pipeline(small(), LogisticRegression()), {"contrastiveencoder__n_components": [2, 9]}
    ).fit(X + y[:, None], y)
    assert search.best_estimator_[0].n_components_ == search.best_params_.popitem()[1]


def test_further_training_keeps_the_columns_and_rescales_the_learned_ones():
    X = rows(300)
    model = small(warm_start=True).fit(X)
    before = model.transform(X)
    model.fit(X)
    after = model.transform(X)
    assert np.array_equal(before[:, :7], after[:, :7])
    assert np.array_equal(before[:, 7 + 256 :], after[:, 7 + 256 :])
    assert after[:, 7 : 7 + 256].var(axis=0).sum() == pytest.approx(2.1, rel=1e-4)
    model.set_params(passthrough=False).fit(X)
    assert model.transform(X).shape == (300, 256) and not hasattr(model.output_, "parts_")


def test_a_fit_that_fails_leaves_the_parts_of_the_earlier_one(monkeypatch):
    X = rows()
    model = small().fit(X)
    before = model.transform(X)
    monkeypatch.setattr(_output, "Kernel", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.fit(rows(40, 3))
    assert np.array_equal(model.transform(X), before)


@pytest.mark.parametrize("X", [np.ones((5, 3)), np.tile([[0.0, 1.0]], (4, 1)), rows(2, 1)])
def test_rows_that_are_all_the_same_or_few(X):
    Z = small().fit_transform(X)
    assert np.isfinite(Z).all() and len(Z) == len(X)


def test_float32_and_memory_maps_and_pickles(tmp_path):
    X = rows().astype(np.float32)
    path = tmp_path / "rows.dat"
    kept = np.memmap(path, np.float32, "w+", shape=X.shape)
    kept[:] = X
    model = small().fit(kept)
    Z = model.transform(kept)
    assert Z.dtype == np.float32
    np.testing.assert_allclose(Z, small().fit(X).transform(X), atol=1e-4)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))


def test_ranks_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    S = np.exp(rng.normal(size=(500, 3)))
    S[:, 1] = np.round(S[:, 1])  # equal values have equal scores
    ranks = Ranks().fit(S)
    model = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=None)
    model.fit(S)
    new = np.vstack([S, np.exp(2 * rng.normal(size=(200, 3))), S[:5] + 1e-8])
    expected = np.clip(model.transform(new), -3, 3)[:, ranks.columns_] / ranks.scale_
    np.testing.assert_allclose(ranks.transform(new), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_may_be_near_holds_what_is(scale, dtype):
    rng = np.random.default_rng(0)
    R = scale * rng.normal(size=(1000, 7))
    R[0] *= 1e5  # a row far away, which makes rounding coarse for itself alone
    R[1] = R[2]
    R, x = R.astype(dtype), (scale * rng.normal(size=(50, 7)) + 3 * scale).astype(dtype)
    squares = np.square(x[:, None].astype(float) - R.astype(float)).sum(axis=2)
    nearest = np.argsort(squares, axis=1)[:, :11]
    near = _near(x, R, row_norms(R, squared=True), 11)
    assert np.take_along_axis(near, nearest, axis=1).all()
    assert near.sum() < 50 * 30
