"""One long recording, a row for each time step: positives in time, sessions, held-out ends."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.base import Input
from skcontrast._inputs.rows import table_rows
from skcontrast.functional import contrast_apart
from skcontrast.objectives import InfoNCE
from skcontrast.views import Compose, TimeOffset, reads_order

SESSIONS = np.repeat([3, 1, 2], [40, 25, 35])


def numbered(n, sessions=None, train_index=None):
    """Rows that hold their own number."""
    side = {} if sessions is None else {"sessions": np.asarray(sessions)}
    return table_rows(np.arange(float(n))[:, None], side=side, train_index=train_index)


def positives(view, rows):
    index = torch.arange(rows.n_rows)
    return view.build(rows)(rows.take(index), index)[:, 0].long().numpy()


def recording(n=120, n_channels=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_channels)).cumsum(axis=0)


def encoder(**params):
    settings = {"passthrough": False, "views": "time_offset", "max_iter": 2, "random_state": 0}
    return ContrastiveEncoder(3, **{**settings, **params})


# ---------------------------------------------------------------- the view


def test_a_constant_offset_is_exactly_that_many_rows():
    found = positives(TimeOffset(7), numbered(30))
    assert found.tolist() == [*range(7, 30), *range(16, 23)]  # at the end as many rows back


def test_a_session_too_short_gives_its_further_end():
    rows = numbered(8, sessions=[0, 0, 0, 1, 2, 2, 2, 2])
    assert positives(TimeOffset(3), rows).tolist() == [2, 2, 0, 3, 7, 7, 4, 4]


@pytest.mark.parametrize("offset", [1, 30, (1, 5), (-4, 4), (-3, 0), ("normal", 6.0)])
def test_no_positive_leaves_its_session_or_is_the_row_itself(offset):
    rows = numbered(len(SESSIONS), SESSIONS)
    for _ in range(20):
        found = positives(TimeOffset(offset), rows)
        assert (SESSIONS[found] == SESSIONS).all()
        assert (found != np.arange(len(SESSIONS))).all()


def test_draws_are_spread_as_said():
    rows = numbered(20_000)
    far = slice(100, -100)
    step = (positives(TimeOffset((-2, 3)), rows) - np.arange(20_000))[far]
    values, counts = np.unique(step, return_counts=True)
    assert values.tolist() == [-2, -1, 1, 2, 3] and counts.min() > 0.9 * counts.max()
    step = (positives(TimeOffset(("normal", 8.0)), rows) - np.arange(20_000))[far]
    assert abs(step.mean()) < 0.3 and abs(step.std() - 8) < 0.3 and (step != 0).all()


def test_rows_trained_on_and_held_out_do_not_meet():
    train_index = np.setdiff1d(np.arange(100), np.arange(85, 100))
    found = positives(TimeOffset((1, 30)), numbered(100, train_index=train_index))
    assert found[:85].max() < 85 and found[85:].min() >= 85


def test_the_loss_is_that_of_cebra_where_negatives_are_the_positives():
    rows = numbered(12)
    Z = torch.randn(12, 5, dtype=torch.float64)
    later = positives(TimeOffset(4), rows)
    ours = InfoNCE(temperature=0.3, form="one_way")(torch.stack([Z, Z[later]]))
    theirs = contrast_apart(Z, Z[later], Z[later], temperature=0.3)
    assert torch.allclose(ours, theirs) and len(ours) == 12


@pytest.mark.parametrize(
    "offset", [(0, 0), (5, 1), (1,), ("normal", 0), ("normal", -1.0), ("uniform", 3), [1, 2, 3]]
)
def test_an_offset_that_means_nothing_is_refused(offset):
    with pytest.raises(ValueError, match="offset=.*type a whole number of at least 1"):
        encoder(views=TimeOffset(offset)).fit(recording())


@pytest.mark.parametrize("offset", [0, -3, 2.5, "normal", True, None])
def test_an_offset_of_another_type_is_refused(offset):
    with pytest.raises(ValueError, match="'offset' parameter of TimeOffset"):
        encoder(views=TimeOffset(offset)).fit(recording())


def test_an_offset_beyond_every_session_warns():
    with pytest.warns(UserWarning, match="looks 40 rows ahead, and the longest session has 40:"):
        encoder(views=TimeOffset(40)).fit(recording(100), groups=SESSIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder(views=TimeOffset(39)).fit(recording(100), groups=SESSIONS)


# ---------------------------------------------------------------- the frame


def test_which_views_read_order():
    assert reads_order("time_offset") and reads_order(["jitter", ("time_offset", "noise")])
    assert reads_order(Compose(views=("time_offset", lambda x: x)))
    assert not reads_order(None) and not reads_order(["neighbors", lambda x: x])


class Seen(TimeOffset):
    """Keeps the rows that it was built with."""

    kept: list = []

    def build(self, rows):
        self.kept.append(rows)
        return super().build(rows)


def rows_of(X, **params):
    groups = params.pop("groups", None)
    encoder(views=Seen(2), **params).fit(X, groups=groups)
    return Seen.kept.pop()


def test_groups_are_sessions_and_not_pairs():
    rows = rows_of(recording(100), groups=SESSIONS)
    assert set(rows.side) == {"sessions"}
    assert rows.side["sessions"].numpy().tolist() == (SESSIONS - 1).tolist()
    named = rows_of(recording(100), groups=SESSIONS.astype(str))
    assert (named.side["sessions"] == rows.side["sessions"]).all()


def test_groups_that_come_back_are_refused():
    groups = ["a"] * 40 + ["b"] * 30 + ["a"] * 50
    with pytest.raises(ValueError, match="row 70 is of the group of row 39.*cumsum"):
        encoder().fit(recording(), groups=groups)
    groups = np.array(groups)
    visits = np.cumsum(np.r_[0, groups[1:] != groups[:-1]])
    assert encoder().fit(recording(), groups=visits).n_iter_ == 2
    with pytest.raises(ValueError, match="groups has 100 rows, but X has 120"):
        encoder().fit(recording(), groups=SESSIONS)


def test_early_stopping_holds_out_the_end_of_each_session():
    rows = rows_of(recording(100), groups=SESSIONS, early_stopping=True, validation_fraction=0.2)
    held_out = np.setdiff1d(np.arange(100), rows.train_index.numpy())
    assert held_out.tolist() == [*range(32, 40), *range(60, 65), *range(93, 100)]
    rows = rows_of(recording(100), early_stopping=True, validation_fraction=0.1)
    assert rows.train_index.tolist() == list(range(90))
    # Without order the rows are random ones, as before.
    train, _ = Input().hold_out(100, 0.1, 2, 0, {})
    assert train.tolist() != list(range(90)) and len(train) == 90


def test_supcon_reads_sessions_too():
    model = encoder(objective=skcontrast.objectives.SupCon(target="groups"))
    assert np.isfinite(model.fit(recording(100), groups=SESSIONS).transform(recording(100))).all()


def test_the_anchor_of_auto_is_the_row_itself():
    texts = [f"word{i // 5} other{i // 7} thing" for i in range(40)]
    found = [
        skcontrast.ContrastiveTextEncoder(
            views=TimeOffset(3), max_iter=1, clean_anchor=clean, random_state=0
        ).fit(texts, groups=np.repeat([0, 1], 20))
        for clean in ("auto", True, False)
    ]
    auto, itself, both = (model.loss_curve_ for model in found)
    assert auto == itself and auto != both


# ---------------------------------------------------------------- as any estimator


def test_search_pipeline_and_splits_in_time():
    X = recording(160)
    y = X[:, 0] + 0.1 * np.random.default_rng(1).normal(size=160)
    model = make_pipeline(encoder(), Ridge())
    cv = TimeSeriesSplit(3)
    grid = {"contrastiveencoder__views__offset": [1, 10, (1, 5)]}
    search = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
    assert search.best_params_["contrastiveencoder__views__offset"] in grid.popitem()[1]
    assert np.isfinite(cross_val_score(model, X, y, cv=cv, error_score="raise")).all()


def test_clone_and_save(tmp_path):
    X = recording()
    model = encoder(views=(TimeOffset(("normal", 4.0)), "noise")).fit(X)
    assert repr(clone(model)) == repr(model)
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert loaded.views[0].offset == ("normal", 4.0)
    again = clone(model).fit(X)
    assert np.array_equal(again.transform(X), model.transform(X))
