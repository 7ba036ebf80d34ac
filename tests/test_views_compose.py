"""Views: neighbours, composition, and all that may stand for a view."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.metrics import pairwise_distances
from sklearn.utils._param_validation import validate_parameter_constraints

from skcontrast._component import InvalidParameterError
from skcontrast._inputs.rows import table_rows
from skcontrast.views import (
    VIEW_CONSTRAINTS,
    Compose,
    Corruption,
    FeatureMask,
    GaussianNoise,
    Neighbors,
    build_views,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def dense_rows(n=40, d=7, **kwargs):
    return table_rows(np.random.RandomState(0).randn(n, d), **kwargs)


def all_of(rows):
    return rows.take(rows.train_index), rows.train_index


# ---- neighbours ----------------------------------------------------------------------


def drawn_neighbors(view, rows, index, n_draws=60):
    """Row numbers drawn for each of ``index``: the rows hold their number in column 0."""
    built = view.build(rows)
    x = rows.take(index)
    return [
        set(column.tolist())
        for column in torch.stack([built(x, index)[:, 0].round().long() for _ in range(n_draws)]).T
    ]


def numbered(n, seed=0):
    """Rows that can be told apart by column 0, which hardly matters for distances."""
    points = np.random.RandomState(seed).randn(n, 3) * 1e4
    return np.column_stack([np.arange(n, dtype=float), points])


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "cosine"])
def test_neighbors_are_the_k_nearest_training_rows(metric):
    X = numbered(30)
    train = np.arange(0, 30, 2)
    rows = table_rows(X, train_index=train)
    index = torch.arange(30)  # held out rows as well
    drawn = drawn_neighbors(Neighbors(n_neighbors=3, metric=metric), rows, index)
    distance = pairwise_distances(X, metric=metric)
    for i in range(30):
        others = [j for j in train if j != i]
        nearest = sorted(others, key=lambda j: distance[i, j])[:3]
        assert drawn[i] == set(nearest)


def test_neighbors_never_gives_the_row_itself_but_its_duplicates():
    X = np.zeros((6, 2))
    X[:, 0] = [1, 1, 1, 1, 1, 9]
    rows = table_rows(X)
    graph = Neighbors(n_neighbors=2)._graph(rows)
    assert (graph != np.arange(6)[:, None]).all()
    assert (X[graph[:5], 0] == 1).all()


def test_too_many_neighbors_are_lowered_and_one_row_is_refused():
    assert Neighbors(n_neighbors=10)._graph(dense_rows(n=4)).shape == (4, 3)
    with pytest.raises(ValueError, match="at least 2 training rows, got 1"):
        Neighbors().build(dense_rows(n=3, train_index=np.array([1])))


def test_neighbors_limits_the_candidates():
    rows = dense_rows(n=60)
    graph = Neighbors(n_neighbors=3, max_candidates=10)._graph(rows)
    assert graph.shape == (60, 3)
    assert len(np.unique(graph)) <= 10
    assert (graph != np.arange(60)[:, None]).all()


def test_neighbors_of_sparse_rows_uses_cosine():
    X = sp.csr_matrix(np.array([[1, 0, 0], [50, 1, 0], [0, 1, 0], [0, 30, 1.0]]))
    graph = Neighbors(n_neighbors=1)._graph(table_rows(X))
    assert graph[:, 0].tolist() == [1, 0, 3, 2]
    euclidean = Neighbors(n_neighbors=1, metric="euclidean")._graph(table_rows(X))
    assert euclidean[1, 0] == 3 or euclidean[0, 0] == 2
    rows = table_rows(X)
    out = Neighbors(n_neighbors=1).build(rows)(*all_of(rows))
    np.testing.assert_array_equal(out.to_dense().numpy(), X.toarray()[[1, 0, 3, 2]])


def test_neighbors_reads_a_memory_map_in_chunks(tmp_path, monkeypatch):
    X = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=(50, 4))
    X[:] = np.random.RandomState(0).randn(50, 4)
    rows = table_rows(X)
    taken, take = [], rows.take
    monkeypatch.setattr(rows, "take", lambda index: taken.append(len(index)) or take(index))
    graph = Neighbors(n_neighbors=3, max_candidates=20)._graph(rows)
    assert max(taken) <= 20
    assert graph.shape == (50, 3)
    monkeypatch.undo()
    everything = Neighbors(n_neighbors=3)._graph(rows)
    np.testing.assert_array_equal(
        everything, Neighbors(n_neighbors=3)._graph(table_rows(np.array(X)))
    )


# ---- composition ---------------------------------------------------------------------


def test_compose_applies_in_order():
    rows = dense_rows()
    x, index = all_of(rows)
    add, double = (lambda x: x + 1), (lambda x: x * 2)
    assert torch.equal(build_views([add, double], rows)(x, index), (x + 1) * 2)
    assert torch.equal(build_views((double, add), rows)(x, index), x * 2 + 1)
    assert torch.equal(Compose(views=[double, add]).build(rows)(x, index), x * 2 + 1)
    assert torch.equal(build_views([double, [add, double]], rows)(x, index), (x * 2 + 1) * 2)
    # A neighbour discards what came before it.
    last = build_views([torch.zeros_like, Neighbors(n_neighbors=1)], rows)(x, index)
    assert torch.equal(last, Neighbors(n_neighbors=1).build(rows)(x, index))


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_views_change_nothing(nothing):
    rows = dense_rows()
    x, index = all_of(rows)
    assert torch.equal(build_views(nothing, rows)(x, index), x)


def test_names_components_and_lists_agree():
    rows = dense_rows()
    x, index = all_of(rows)
    results = []
    for views in (["mask", "noise"], Compose(views=(FeatureMask(), GaussianNoise()))):
        torch.manual_seed(1)
        results.append(build_views(views, rows)(x, index))
    assert torch.equal(*results)


def test_callable_view_may_write_into_its_argument():
    rows = dense_rows()
    x, index = all_of(rows)
    before = x.clone()
    assert torch.equal(build_views(torch.Tensor.zero_, rows)(x, index), torch.zeros_like(x))
    assert torch.equal(x, before)
    assert build_views(lambda x: x.double(), rows)(x, index).dtype == x.dtype
    sparse = table_rows(sp.random(30, 12, 0.3, format="csr", random_state=0))
    x, index = all_of(sparse)
    before = x.values.clone()

    def flip(batch):
        batch.values.neg_()
        return batch

    assert torch.equal(build_views(flip, sparse)(x, index).values, -before)
    assert torch.equal(x.values, before)


@pytest.mark.parametrize("bad", [lambda x: x[:, :2], lambda x: None, lambda x: x.numpy()])
def test_callable_view_that_gives_something_else_is_named(bad):
    rows = dense_rows()
    x, index = all_of(rows)
    with pytest.raises(ValueError, match="views: the function <lambda> must return a Tensor"):
        build_views(bad, rows)(x, index)


def test_wrong_views_are_named():
    rows = dense_rows()
    with pytest.raises(InvalidParameterError, match="Did you mean 'corruption'"):
        build_views(["noise", "coruption"], rows)
    with pytest.raises(TypeError, match=r"type Corruption\(\)"):
        build_views(Corruption, rows)
    with pytest.raises(TypeError, match="views: got 3"):
        build_views([3], rows)


@pytest.mark.parametrize("views", ["noise", Corruption(), torch.relu, ["noise"], (), None])
def test_constraints_accept_what_build_views_takes(views):
    validate_parameter_constraints({"views": VIEW_CONSTRAINTS}, {"views": views}, "Encoder")


@pytest.mark.parametrize("views", ["nois", 3])
def test_constraints_refuse_the_rest(views):
    with pytest.raises(InvalidParameterError):
        validate_parameter_constraints({"views": VIEW_CONSTRAINTS}, {"views": views}, "Encoder")


def test_members_of_a_composition_are_tuned_by_position():
    view = Compose(views=("corruption", GaussianNoise(), torch.relu))
    assert view.get_params()["0__rate"] == 0.6
    copy = clone(view)
    copy.set_params(**{"0__rate": 0.2, "1__scale": 0.5})
    assert copy.views[0].rate == 0.2 and copy.views[1].scale == 0.5
    assert view.views[0] == "corruption" and view.views[1].scale == 0.1
    copy.set_params(**{"1__rate": 0.4, "1": "mask"})
    assert isinstance(copy.views[1], FeatureMask) and copy.views[1].rate == 0.4
    assert isinstance(copy.views, tuple)
    copy.set_params(views=["noise"], **{"0__scale": 2.0})
    assert copy.views[0].scale == 2.0
    assert repr(clone(copy)) == "Compose(views=[GaussianNoise(scale=2.0)])"
    for key in ("3", "3__rate", "rate"):
        with pytest.raises(ValueError, match="Invalid parameter"):
            view.set_params(**{key: 1})
