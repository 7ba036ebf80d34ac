"""Views: what each one changes, what it leaves alone, and where it draws from."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone

from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast._inputs.rows import SparseBatch, table_rows
from skcontrast.views import (
    VIEWS,
    Compose,
    Corruption,
    Dropout,
    FeatureMask,
    FeatureSwap,
    GaussianNoise,
    Mixup,
    Neighbors,
    _tabular,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def dense_rows(n=40, d=7, dtype=torch.float32, **kwargs):
    side = {"groups": np.arange(n) // 2}
    return table_rows(np.random.RandomState(0).randn(n, d), side, dtype=dtype, **kwargs)


def sparse_rows():
    return table_rows(sparse_matrix(), {"groups": np.arange(30) // 2})


def sparse_matrix(n=30, d=12, density=0.3, empty=(0, 4, 5)):
    X = sp.random(n, d, density, format="lil", random_state=0)
    for row in empty:
        X[row] = 0
    return sp.csr_matrix(X)


def all_of(rows):
    return rows.take(rows.train_index), rows.train_index


def apply(view, rows):
    x, index = all_of(rows)
    return x, view.build(rows)(x, index)


def entries(batch):
    """Stored (row, column, value) triples."""
    columns = (batch.row_of_entry(), batch.indices, batch.values)
    return list(zip(*(column.tolist() for column in columns)))


# ---- every view ----------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(VIEWS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dense_view_keeps_shape_type_and_its_argument(name, dtype):
    rows = dense_rows(dtype=dtype)
    x, index = all_of(rows)
    before = x.clone()
    out = VIEWS[name]().build(rows)(x, index)
    assert out.shape == x.shape and out.dtype == dtype
    assert torch.isfinite(out).all()
    assert torch.equal(x, before)
    assert not torch.equal(out, x)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_sparse_view_stays_sparse(name):
    rows = sparse_rows()
    x, index = all_of(rows)
    before = x.to_dense()
    out = VIEWS[name]().build(rows)(x, index)
    assert isinstance(out, SparseBatch) and out.shape == x.shape
    assert len(out.indices) == len(out.values)
    assert out.indices.min() >= 0 and out.indices.max() < x.n_features
    assert torch.equal(x.to_dense(), before)
    assert not torch.equal(out.to_dense(), before)


@pytest.mark.parametrize("name", sorted(VIEWS))
@pytest.mark.parametrize(
    "X",
    [
        np.ones((6, 3)),
        np.arange(5.0)[:, None],
        np.array([[0.0, 1.0], [2.0, 3.0]]),
        sp.csr_matrix((4, 3)),
        sp.csr_matrix(np.eye(2)),
        sp.csr_matrix(np.ones((3, 1))),
    ],
    ids=["constant", "one feature", "two rows", "nothing stored", "two sparse rows", "one column"],
)
def test_view_on_degenerate_data(name, X):
    rows = table_rows(X, {"groups": np.zeros(X.shape[0], dtype=int)})
    x, out = apply(VIEWS[name](), rows)
    assert out.shape == x.shape
    dense = out.to_dense() if rows.is_sparse else out
    assert torch.isfinite(dense).all()


@pytest.mark.parametrize("name", sorted(VIEWS))
@pytest.mark.parametrize("make", [dense_rows, sparse_rows])
def test_view_is_reproducible_and_accepts_a_batch_of_one_row(name, make):
    rows = make()
    x, index = all_of(rows)
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(VIEWS[name]().build(rows)(x, index))
    dense = [r.to_dense() if rows.is_sparse else r for r in results]
    assert torch.equal(*dense)
    one = rows.train_index[1:2]
    assert VIEWS[name]().build(rows)(rows.take(one), one).shape == (1, rows.n_features)


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_view_is_a_component(name):
    view = VIEWS[name]()
    check_parameters(view)
    copy = clone(view).set_params(**view.get_params())
    assert copy is not view and repr(copy) == repr(view)
    assert type(view).__name__ in repr(view)


def test_registry_is_sorted():
    assert list(VIEWS) == sorted(VIEWS)


@pytest.mark.parametrize(
    "view",
    [
        Corruption(rate=0.0),
        Corruption(rate=1.1),
        Dropout(rate=1.0),
        FeatureMask(rate=1.0),
        FeatureSwap(rate=-0.1),
        GaussianNoise(scale=-1),
        Mixup(alpha=0),
        Neighbors(n_neighbors=0),
        Neighbors(metric="nearest"),
        Compose(views=(GaussianNoise(scale=-1),)),
        Compose(views="noise"),
    ],
)
def test_bad_parameters_are_refused(view):
    with pytest.raises(InvalidParameterError):
        check_parameters(view)


# ---- corruption ----------------------------------------------------------------------


@pytest.mark.parametrize("rate, d, q", [(0.6, 7, 4), (0.01, 7, 1), (1.0, 7, 7), (0.5, 1, 1)])
def test_corruption_replaces_exactly_q_features(rate, d, q):
    rows = dense_rows(d=d)
    x, index = all_of(rows)
    corrupted = Corruption(rate=rate).build(rows)(x + 100, index)
    assert ((corrupted != x + 100).sum(1) == q).all()
    # Whatever is new is a value of that feature in the training rows.
    for j in range(d):
        new = corrupted[:, j][corrupted[:, j] != x[:, j] + 100]
        assert torch.isin(new, x[:, j]).all()


def test_corruption_draws_feature_sets_and_values_uniformly():
    n, d = 8, 5
    rows = table_rows(np.arange(n * d, dtype=np.float64).reshape(n, d))
    view = Corruption(rate=0.4).build(rows)
    x, index = torch.full((20_000, d), -1.0), torch.zeros(20_000, dtype=torch.int64)
    out = view(x, index)
    replaced = out >= 0
    # Each of the 10 pairs of features equally often: chi-square with 9 degrees.
    code = (replaced * 2 ** torch.arange(d)).sum(1)
    count = code.unique(return_counts=True)[1].double()
    assert len(count) == 10
    assert ((count - 2000) ** 2 / 2000).sum() < 27.9  # p = 0.001
    # Each feature: the 8 training values equally often; 5 features x 7 degrees.
    statistic = 0.0
    for j in range(d):
        drawn = out[replaced[:, j], j]
        assert (drawn % d == j).all()
        count = torch.bincount((drawn / d).long(), minlength=n).double()
        statistic += ((count - count.mean()) ** 2 / count.mean()).sum()
    assert statistic < 66.6  # p = 0.001
    # The two source rows of a row are independent: equal once in n.
    source = (out[replaced].view(-1, 2) / d).long()
    assert abs((source[:, 0] == source[:, 1]).float().mean() - 1 / n) < 0.01


def test_feature_sets_do_not_depend_on_the_sets_drawn_ahead(monkeypatch):
    # Few sets hold some features too often; renaming the columns makes up for it.
    monkeypatch.setattr(_tabular, "POOL_ENTRIES", 1)
    draw = _tabular._feature_sets(20, 10, "cpu")
    count = torch.zeros(20)
    for _ in range(2000):
        count += torch.bincount(draw(64).flatten(), minlength=20)
    assert (count / (2000 * 64) - 0.5).abs().max() < 0.01


def test_corruption_draws_from_training_rows_only():
    X = np.vstack([np.zeros((5, 3)), np.ones((5, 3))])
    rows = table_rows(X, train_index=np.arange(5, 10))
    _, out = apply(Corruption(rate=1.0), rows)
    assert (out == 1).all()
    held_out = torch.arange(5)
    assert (Corruption(rate=1.0).build(rows)(rows.take(held_out), held_out) == 1).all()


@pytest.mark.parametrize("features", [None, [0, 1, 1, 2, 2, 2]], ids=["columns", "features"])
def test_corruption_by_candidates_takes_the_row_nearest_in_all_other_features(features):
    rows = dense_rows(8, 6, torch.float64, features=features)
    # So many draws that each row is a candidate.
    x, out = apply(Corruption(1.0, n_candidates=400), rows)
    codes = torch.arange(6) if features is None else torch.tensor(features)
    for i in range(8):
        for feature in codes.unique():
            own = codes == feature
            distance = (x[:, ~own] - x[i, ~own]).square().sum(1)
            distance[i] = torch.inf
            assert torch.equal(out[i, own], x[distance.argmin(), own])


def test_candidates_are_compared_without_a_wait_for_the_device(monkeypatch):
    rows = dense_rows(8, 6, features=[0, 1, 1, 2, 2, 2])
    view, x = Corruption(n_candidates=4).build(rows), rows.take(rows.train_index)
    monkeypatch.setattr(torch.Tensor, "__int__", None)
    assert view(x, rows.train_index).shape == x.shape


def test_sparse_corruption_draws_stored_entries():
    X = sparse_matrix()
    x, out = apply(Corruption(rate=1.0), table_rows(X))
    known = {(column, value) for _, column, value in entries(x)}
    assert {(column, value) for _, column, value in entries(out)} <= known
    assert torch.equal(out.offsets, x.offsets)
    x, out = apply(Corruption(rate=0.5), table_rows(sparse_matrix(200, 50)))
    assert 0.45 < (out.values != x.values).float().mean() < 0.55


# ---- noise, mask, dropout ------------------------------------------------------------


def test_noise_has_its_scale():
    rows = table_rows(np.zeros((300, 300)))
    _, out = apply(GaussianNoise(scale=0.3), rows)
    assert abs(out.std() - 0.3) < 0.005 and abs(out.mean()) < 0.005
    x, out = apply(GaussianNoise(scale=0.0), dense_rows())
    assert torch.equal(out, x)
    x, out = apply(GaussianNoise(scale=0.3), table_rows(sparse_matrix(400, 100)))
    assert torch.equal(out.indices, x.indices)
    assert abs((out.values / x.values - 1).std() - 0.3) < 0.02


def test_mask_zeroes_its_share_and_never_a_whole_row():
    rows = table_rows(np.ones((2000, 10)))
    _, out = apply(FeatureMask(rate=0.3), rows)
    assert set(out.unique().tolist()) == {0.0, 1.0}
    assert abs((out == 0).float().mean() - 0.3) < 0.02
    _, out = apply(FeatureMask(rate=0.99), rows)
    assert (out.sum(1) >= 1).all() and out.mean() < 0.15


def test_sparse_mask_keeps_an_entry_of_each_row():
    x, out = apply(FeatureMask(rate=0.99), table_rows(sparse_matrix()))
    stored = (x.to_dense() != 0).sum(1)
    kept = (out.to_dense() != 0).sum(1)
    assert (stored == 0).any() and kept.sum() < stored.sum()
    assert torch.equal(kept > 0, stored > 0)
    changed = out.values != x.values
    assert (out.values[changed] == 0).all()


def test_dropout_keeps_the_mean():
    _, out = apply(Dropout(rate=0.25), table_rows(np.ones((300, 300))))
    assert torch.allclose(out.unique(), torch.tensor([0, 4 / 3]))
    assert abs(out.mean() - 1) < 0.01
    _, out = apply(Dropout(rate=0.25), table_rows(sp.csr_matrix(np.ones((300, 300)))))
    assert torch.allclose(out.values.unique(), torch.tensor([0, 4 / 3]))


# ---- swap and mixup ------------------------------------------------------------------


def test_swap_takes_the_same_feature_of_another_row():
    rows = table_rows(np.arange(60.0).reshape(20, 3))
    x, out = apply(FeatureSwap(rate=1.0), rows)
    assert torch.equal(out % 3, x % 3)
    assert (out != x).all()
    rows = table_rows(np.arange(30_000.0).reshape(10_000, 3))
    x, out = apply(FeatureSwap(rate=0.3), rows)
    assert abs((out != x).float().mean() - 0.3) < 0.02


def test_sparse_swap_takes_entries_of_other_rows():
    rows = table_rows(sparse_matrix())
    x, index = all_of(rows)
    x.values = torch.arange(len(x.values)).float()  # entries tell where they come from
    out = FeatureSwap(rate=1.0).build(rows)(x, index)
    row = x.row_of_entry()
    assert (row[out.values.long()] != row).all()
    assert torch.equal(out.indices, x.indices[out.values.long()])
    # A row that owns all entries has nobody to take from.
    single = table_rows(sp.csr_matrix(([1.0, 2.0], ([1, 1], [0, 2])), shape=(3, 4)))
    x, out = apply(FeatureSwap(rate=1.0), single)
    assert torch.equal(out.to_dense(), x.to_dense())


def test_mixup_lets_the_row_prevail():
    rows = table_rows(np.eye(50))
    _, out = apply(Mixup(alpha=1.0), rows)
    assert torch.allclose(out.sum(1), torch.ones(50))
    own = out.diagonal()
    assert (own >= 0.5).all() and (own < 1).any()
    assert ((out > 0).sum(1) == 2).all()  # a partner, never the row itself
    assert ((out > 0).sum(0) == 2).all()  # each row is the partner of one other


def test_sparse_mixup_equals_dense_mixup():
    X = sparse_matrix()
    sparse, dense = table_rows(X), table_rows(X.toarray())
    results = []
    for rows in (dense, sparse):
        torch.manual_seed(5)
        results.append(apply(Mixup(alpha=0.7), rows)[1])
    assert torch.allclose(results[1].to_dense(), results[0], atol=1e-6)
    assert len(results[1].values) == 2 * X.nnz
    # The layout is whole: offsets agree with the rows that the dense form has.
    round_trip = sp.csr_matrix(
        (
            results[1].values.numpy(),
            results[1].indices.numpy(),
            np.append(results[1].offsets.numpy(), 2 * X.nnz),
        ),
        shape=X.shape,
    )
    np.testing.assert_allclose(round_trip.toarray(), results[0].numpy(), atol=1e-6)
