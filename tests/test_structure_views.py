"""Views by ranks and by steps along the graph of neighbours."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.metrics import pairwise_distances

from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast._training.modules import slot_views
from skcontrast.networks import MLP
from skcontrast.objectives import EnergyHinge, InfoNCE
from skcontrast.views import (
    Compose,
    Corruption,
    NeighborBands,
    Neighbors,
    build_negatives,
    makes_negatives,
)

HARD = InfoNCE(form="one_way", hard_negatives=True)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def numbered(n, seed=0):
    """Rows that can be told apart by column 0, which hardly matters for distances."""
    points = np.random.RandomState(seed).randn(n, 3) * 1e4
    return np.column_stack([np.arange(n, dtype=float), points])


def drawn_by(built, rows, n_draws=200):
    """Row numbers drawn for each training row."""
    index = rows.train_index
    x = rows.take(index)
    draws = [built(x, index)[:, 0].round().long() for _ in range(n_draws)]
    return [set(column.tolist()) for column in torch.stack(draws).T]


def ranks_of(X, train, i, metric="euclidean"):
    distance = pairwise_distances(X, metric=metric)
    return sorted((j for j in train if j != i), key=lambda j: distance[i, j])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_bands_are_ranges_of_ranks(metric):
    X, train = numbered(30), np.arange(0, 30, 2)
    rows = table_rows(X, train_index=train)
    view = NeighborBands(start=1, stop=4, negative_start=6, negative_stop=9, metric=metric)
    positives = drawn_by(view.build(rows), rows)
    negatives = drawn_by(view.build_negatives(rows), rows)
    for place, i in enumerate(train):
        ranks = ranks_of(X, train, i, metric)
        assert positives[place] == set(ranks[1:4])
        assert negatives[place] == set(ranks[6:9])


def test_the_first_band_is_that_of_the_neighbors():
    rows = table_rows(numbered(30))
    first = drawn_by(NeighborBands(start=0, stop=3).build(rows), rows)
    assert first == drawn_by(Neighbors(n_neighbors=3).build(rows), rows)


@pytest.mark.parametrize("n", [2, 3, 6])
def test_few_rows_end_the_bands(n):
    X = numbered(n)
    rows = table_rows(X)
    view = NeighborBands(start=4, stop=6, negative_start=8, negative_stop=9)
    for built in (view.build(rows), view.build_negatives(rows)):
        for i, drawn in enumerate(drawn_by(built, rows, 20)):
            assert drawn == set(ranks_of(X, range(n), i)[4:] or ranks_of(X, range(n), i)[-1:])


def test_bands_of_sparse_rows():
    X = sp.random(30, 8, 0.5, format="csr", random_state=0)
    rows = table_rows(X)
    view = NeighborBands(start=1, stop=2, negative_start=3, negative_stop=4)
    ranks = pairwise_distances(X, metric="cosine") + 10 * np.eye(30)
    order = ranks.argsort(1)
    x = rows.take(rows.train_index)
    for built, rank in ((view.build(rows), 1), (view.build_negatives(rows), 3)):
        out = built(x, rows.train_index).to_dense()
        np.testing.assert_allclose(out, X.toarray()[order[:, rank]], rtol=1e-6)


def test_steps_walk_along_the_graph():
    rows = table_rows(np.arange(12.0)[:, None] ** 1.5)
    graph = Neighbors(n_neighbors=2)._graph(rows)
    number = {float(x): i for i, x in enumerate(rows.take(rows.train_index)[:, 0])}
    for n_steps in (1, 2, 3):
        built = Neighbors(n_neighbors=2, n_steps=n_steps).build(rows)
        x = rows.take(rows.train_index)
        draws = [built(x, rows.train_index)[:, 0].tolist() for _ in range(400)]
        for i, drawn in enumerate(zip(*draws)):
            reached = {i}
            for _ in range(n_steps):
                reached = {int(j) for r in reached for j in graph[r]}
            # A walk that comes back stays at its first step.
            wanted = reached - {i} | (set(graph[i].tolist()) if i in reached else set())
            assert {number[value] for value in drawn} == wanted


def test_steps_do_not_leave_a_component():
    X = np.concatenate([np.arange(6.0), 100 + np.arange(6.0)])[:, None]
    rows = table_rows(X)
    built = Neighbors(n_neighbors=2, n_steps=5).build(rows)
    for _ in range(50):
        out = built(rows.take(rows.train_index), rows.train_index)
        assert ((out[:, 0] > 50) == (torch.tensor(X[:, 0]) > 50)).all()


# ---------------------------------------------------------------- negatives in a training


def encoder(**params):
    small = {"network": MLP(hidden_layer_sizes=(8,)), "n_components": 3, "random_state": 0}
    views = {"views": ("neighbor_bands", "corruption"), "n_views": 3}
    return ContrastiveEncoder(**{"max_iter": 3, **small, **views, **params})


def test_the_last_view_is_a_negative():
    """A function of the batch sees what each of the views has drawn."""
    seen = []

    def look(x):
        seen.append(x[:, 0].clone())
        return x

    X = numbered(30)
    bands = NeighborBands(start=0, stop=2, negative_start=10, negative_stop=12)
    model = encoder(objective=HARD, views=[bands, look], batch_size=30, max_iter=1)
    model.fit(X)
    number = {round(float(v), 4): i for i, v in enumerate((np.arange(30) - 14.5) / X[:, 0].std())}
    positive, negative = (
        [number[round(float(value), 4)] for value in column] for column in seen[-2:]
    )
    scaled = (X - X.mean(0)) / X.std(0)
    bands_of = {}
    for i in range(30):
        ranks = ranks_of(scaled, range(30), i)
        bands_of[i] = set(ranks[:2]), set(ranks[10:12])
    # The order of the rows in the batch is unknown, but some order has to fit.
    assert all(
        any(p in b[0] and q in b[1] for b in bands_of.values()) for p, q in zip(positive, negative)
    )


@pytest.mark.parametrize(
    "views",
    [
        "neighbor_bands",
        NeighborBands(),
        ["neighbor_bands", "noise"],
        (NeighborBands(), Corruption()),
        Compose(views=("neighbor_bands", "mask")),
        [[NeighborBands(), "noise"], "mask"],
    ],
    ids=str,
)
@pytest.mark.parametrize("objective", [HARD, EnergyHinge(), HARD + 0.5 * EnergyHinge()], ids=repr)
def test_training_with_negatives_repeats(views, objective):
    X = numbered(30)
    assert makes_negatives(views)
    params = {"objective": objective, "views": views, "batch_size": 8}
    first, second = (encoder(**params).fit(X).transform(X) for _ in range(2))
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("views", [None, "corruption", ("mask", "neighbor_bands"), [], np.copy])
def test_other_views_make_no_negatives(views):
    assert not makes_negatives(views)
    with pytest.raises(ValueError, match="takes the last view for hard negatives"):
        encoder(objective=HARD, views=views).fit(numbered(10))


def test_later_views_change_the_negatives_too():
    rows = table_rows(numbered(30))
    x, index = rows.take(rows.train_index), rows.train_index
    built = build_negatives((NeighborBands(), "mask"), rows)
    assert (built(x, index) == 0).float().mean() > 0.1


@pytest.mark.parametrize("n", [2, 3, 10])
def test_few_or_equal_rows(n):
    for X in (numbered(n), np.ones((n, 3))):
        model = encoder(objective=HARD).fit(X)
        assert np.isfinite(model.transform(X)).all()
        views = (Neighbors(n_steps=3), "noise")
        model = encoder(views=views, n_views=2).fit(X)
        assert np.isfinite(model.transform(X)).all()


def test_parameters_and_refusals():
    model = encoder(objective=HARD, views=NeighborBands())
    copy = clone(model).set_params(views__negative_stop=30)
    assert copy.views.negative_stop == 30 and model.views.negative_stop == 40
    with pytest.raises(ValueError, match="have to rise.*type such as NeighborBands"):
        encoder(views=NeighborBands(stop=30)).fit(numbered(10))
    with pytest.raises(ValueError, match="type n_views=3"):
        encoder(objective=HARD, n_views=2).fit(numbered(10))


def test_groups_give_the_positives_beside_hard_negatives():
    pairs = np.arange(40) // 2
    rows = table_rows(numbered(40), side={"pairs": pairs})
    views = NeighborBands(stop=3, negative_start=10, negative_stop=20)
    objective = InfoNCE(form="one_way", hard_negatives=True)
    made = slot_views(views, 3, True, rows, None, objective, {})
    index = torch.arange(40)
    x = rows.take(index)
    # The first view is the row, the last a far one; between them stands a row near the partner.
    partner = made[1](x, index)
    assert made[0] is None and partner.shape == x.shape and made[2](x, index).shape == x.shape
    alone = slot_views(None, 2, True, rows, None, InfoNCE(), {})[1](x, index)
    assert torch.equal(alone, rows.take(index ^ 1))
