"""Views and batches that read groups, or features from elsewhere."""

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast.objectives import CrossEntropy, InfoNCE, MinedNegatives
from skcontrast.samplers import GroupMixture
from skcontrast.views import ChangedNegative, FeatureSwap, NeighborBands, Neighbors, SameGroup

X, Y = blobs()


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def numbered(n, **side):
    """Rows whose only feature is their number."""
    return table_rows(np.arange(n, dtype=float)[:, None], side)


def drawn_by(view, rows, n_draws=200):
    """What each row was replaced by: a set of row numbers for each."""
    x, index = rows.take(rows.train_index), rows.train_index
    built = view.build(rows)
    draws = torch.stack([built(x, index)[:, 0] for _ in range(n_draws)])
    return [set(column.int().tolist()) for column in draws.T]


def test_same_group_gives_the_others_of_the_group():
    groups = np.array([0, 1, 0, 2, 1, 0, 0])
    found = drawn_by(SameGroup(), numbered(7, groups=groups))
    for i, seen in enumerate(found):
        others = set(np.flatnonzero(groups == groups[i])) - {i}
        assert seen == (others or {i})


def test_hardest_of_a_group_is_the_farthest():
    groups = np.array([0, 0, 0, 1, 1, 1])
    found = drawn_by(SameGroup(hardest=True), numbered(6, groups=groups), 20)
    # Eight draws of two others nearly always hold the farther one.
    counts = [max(seen, key=lambda j: abs(j - i)) for i, seen in enumerate(found)]
    assert counts == [2, counts[1], 0, 5, counts[4], 3]
    assert counts[1] in (0, 2) and counts[4] in (3, 5)
    plain = drawn_by(SameGroup(), numbered(6, groups=groups), 200)
    assert plain[0] == {1, 2}


def test_neighbors_in_a_prior_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    prior = rng.normal(size=(30, 3)).astype(np.float32)
    rows = numbered(30, prior=prior)
    expected = NearestNeighbors(n_neighbors=5).fit(prior).kneighbors()[1]
    view = Neighbors(n_neighbors=5, space="prior")
    assert view.requires == ("prior",)
    assert drawn_by(view, rows) == [set(row) for row in expected]
    bands = NeighborBands(1, 3, 3, 5, space="prior")
    assert bands.requires == ("prior",)
    assert drawn_by(bands, rows) == [set(row[1:3]) for row in expected]
    apart = bands.build_negatives(rows)(rows.take(rows.train_index), rows.train_index)
    assert all(int(j) in row[3:5] for j, row in zip(apart[:, 0], expected))


def test_hardest_neighbor_is_the_least_alike_of_the_draws():
    rows = numbered(20)
    mean = lambda view: np.mean(
        [abs(j - i) for i, seen in enumerate(drawn_by(view, rows, 30)) for j in seen]
    )
    walk = Neighbors(n_neighbors=2, n_steps=4)
    assert mean(clone(walk).set_params(hardest=20)) > mean(walk)
    seen = drawn_by(clone(walk).set_params(hardest=200), rows, 3)
    everyone = drawn_by(walk, rows, 400)
    farthest = [max(abs(j - i) for j in found) for i, found in enumerate(everyone)]
    assert [max(abs(j - i) for j in s) for i, s in enumerate(seen)] == farthest


def encoder(**params):
    given = {"max_iter": 2, "passthrough": False, "random_state": 0, "batch_size": 20, **params}
    return ContrastiveEncoder(3, **given)


@pytest.mark.parametrize(
    "params, given",
    [
        ({"views": "same_group", "objective": InfoNCE(exclude="groups")}, {"groups": Y}),
        ({"views": "same_group"}, {"groups": np.array(["a", "b", "c"])[Y]}),
        ({"views": ("same_group", "noise"), "n_views": 3, "early_stopping": True}, {"groups": Y}),
        ({"views": [SameGroup(hardest=True), "noise"]}, {"groups": Y}),
        ({"views": Neighbors(space="prior", hardest=3)}, {"prior": X[:, :2]}),
        ({"sampler": "group_mixture", "objective": MinedNegatives(warm_up=0)}, {"groups": Y}),
        (
            {
                "views": (NeighborBands(space="prior", negative_start=5, negative_stop=9), "noise"),
                "objective": InfoNCE(form="one_way", hard_negatives=True),
                "n_views": 3,
            },
            {"prior": X[:, :2]},
        ),
        (
            {
                "views": (ChangedNegative(FeatureSwap(0.6)), "noise"),
                "objective": InfoNCE(form="one_way", hard_negatives=True),
                "n_views": 3,
            },
            {},
        ),
    ],
)
def test_trains(params, given):
    model = encoder(**params).fit(X, **given)
    assert np.isfinite(model.loss_curve_).all()
    again = clone(model).fit(X, **given)
    assert np.array_equal(again.transform(X), model.transform(X))
    if given:
        (name,) = given
        with pytest.raises(ValueError, match=f"needs '{name}'"):
            clone(model).fit(X)


def test_groups_and_labels_together():
    objective = InfoNCE(exclude="groups") + 0.5 * CrossEntropy()
    model = encoder(views="same_group", objective=objective).fit(X, Y, groups=np.arange(60) // 4)
    assert np.isfinite(model.loss_curve_).all()


def test_a_changed_row_is_the_last_view():
    seen = []

    def look(x):
        seen.append(x.clone())
        return -x

    encoder(
        views=(ChangedNegative(look), lambda x: x + 1),
        objective=InfoNCE(form="one_way", hard_negatives=True),
        n_views=3,
        max_iter=1,
        batch_size=60,
    ).fit(X)
    assert len(seen) == 1  # once a step, for the negatives alone
    scaled = torch.as_tensor((X - X.mean(0)) / X.std(0))
    torch.testing.assert_close(seen[0].sort(0).values.double(), scaled.sort(0).values)


def test_shuffled_words_are_negatives():
    texts = [f"the {a} {b} of {c}" for a in "pqrs" for b in ("cat", "dog") for c in ("x", "y")]
    model = ContrastiveTextEncoder(
        8, objective=InfoNCE(form="one_way", hard_negatives=True), n_views=3, max_iter=1,
        views=(ChangedNegative(), "word_deletion"), random_state=0,
    ).fit(texts)  # fmt: skip
    assert np.isfinite(model.loss_curve_).all()


# ------------------------------------------------------------------- batches


def epochs(groups, temperature, n_epochs=200, batch_size=10, min_rows=2):
    rows = numbered(len(groups), groups=groups)
    batches = GroupMixture(temperature).build(rows, batch_size, min_rows)
    return [batch.numpy() for _ in range(n_epochs) for batch in batches], len(batches)


@pytest.mark.parametrize("temperature", [0.0, 0.5, 1.0])
def test_groups_come_up_by_a_power_of_their_size(temperature):
    groups = np.repeat([0, 1, 2], [160, 40, 10])
    drawn, n_batches = epochs(groups, temperature)
    assert n_batches == 21
    assert all(len(set(groups[batch])) == 1 and len(batch) == 10 for batch in drawn)
    counts = np.bincount([groups[batch[0]] for batch in drawn]) / len(drawn)
    power = np.array([160.0, 40.0, 10.0]) ** temperature
    np.testing.assert_allclose(counts, power / power.sum(), atol=0.03)


def test_a_group_starts_over_only_when_it_is_exhausted():
    groups = np.repeat([0, 1], [50, 50])
    drawn, n_batches = epochs(groups, 1.0, n_epochs=1)
    assert n_batches == len(drawn) == 10
    for group in (0, 1):
        of = [batch for batch in drawn if groups[batch[0]] == group][:5]
        assert len(set(np.concatenate(of))) == 10 * len(of)


def test_small_groups_are_put_together():
    drawn, _ = epochs(np.r_[np.zeros(20, dtype=int), 1, 2, 3, 4], 0.5)
    mixed = [batch for batch in drawn if batch[0] >= 20]
    assert mixed and all(set(batch) == {20, 21, 22, 23} for batch in mixed)
    drawn, _ = epochs(np.r_[np.zeros(20, dtype=int), 1], 0.5)
    assert any(20 in batch for batch in drawn) and min(map(len, drawn)) >= 2
    drawn, _ = epochs(np.arange(6), 0.5, min_rows=2, batch_size=3)
    assert set(np.concatenate(drawn)) == set(range(6))
