"""One long recording, a row for each time step: positives in time, sessions, held-out ends."""

import importlib
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    SeriesContrastiveEncoder,
    SupervisedContrastiveClassifier,
)
from skcontrast._inputs.base import Input
from skcontrast._inputs.recording import RecordingInput
from skcontrast._inputs.rows import table_rows
from skcontrast.functional import contrast_apart
from skcontrast.networks import DilatedConv
from skcontrast.objectives import HierarchicalContrast, InfoNCE, SupCon
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
    train, _ = Input().hold_out(100, 0.1, InfoNCE(), 0, {})
    assert train.tolist() != list(range(90)) and len(train) == 90


def test_supcon_reads_sessions_too():
    model = encoder(objective=SupCon(target="groups"))
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


# ---------------------------------------------------------------- windows


def windows(X, groups=None, window=4, **options):
    """The rows of a training on windows of X as they are, and the input that made them."""
    source = RecordingInput(standardize=False, window=window)
    side = {} if groups is None else {"sessions": np.asarray(groups)}
    return source.rows(source.fit(X), side, **options), source


def series(**params):
    settings = {"window": 6, "network": DilatedConv(hidden=8, n_blocks=2), "random_state": 0}
    return SeriesContrastiveEncoder(3, **{**settings, "max_iter": 2, **params})


def test_a_window_is_the_steps_around_a_row_and_repeats_the_ends():
    X = np.arange(7.0)[:, None] * [1, 10]
    rows, source = windows(X)
    found = rows.take(torch.tensor([0, 3, 6]))
    expected = [[0, 0, 0, 1], [1, 2, 3, 4], [4, 5, 6, 6]]
    assert found.values[:, 0].tolist() == expected and found.shape == (3, 2, 4)
    assert torch.equal(found.values[:, 1], 10 * found.values[:, 0]) and found.mask.all()
    assert windows(X, window=3)[0].take(torch.tensor([2])).values[0, 0].tolist() == [1, 2, 3]
    read = source.read(X)
    for part in (slice(0, 7), slice(2, 5), slice(6, 7), np.array([5, 0])):
        batch = source.batch(read[part], torch.float32, "cpu")
        assert torch.equal(batch.values, rows.take(torch.arange(7)[part]).values)
        assert torch.equal(batch.mask, rows.take(torch.arange(7)[part]).mask)


@pytest.mark.parametrize("train_index", [None, np.r_[0:32, 40:60, 65:93]])
def test_no_window_holds_steps_of_two_sessions_or_of_rows_held_out(train_index):
    code = 2.0 * SESSIONS
    if train_index is not None:
        code[train_index] += 1
    rows, _ = windows(code[:, None], SESSIONS - 1, window=9, train_index=train_index)
    index = torch.arange(100)
    for x in (rows.take(index), TimeOffset((1, 9)).build(rows)(rows.take(index), index)):
        assert (x.values[:, 0] == torch.as_tensor(code[:, None], dtype=torch.float32)).all()


def test_fit_keeps_sessions_apart():
    X = SESSIONS[:, None] * [1.0, 2.0]
    model = series(views=Seen(2), standardize=False)
    model.fit(X), model.fit(X, groups=SESSIONS)
    apart, joined = Seen.kept.pop(), Seen.kept.pop()
    edges = torch.tensor([39, 40, 64, 65])
    assert (joined.take(edges).values.std(dim=2) > 0).all()
    assert (apart.take(torch.arange(100)).values.std(dim=2) == 0).all()


def test_transform_gives_a_row_for_each_step():
    X = recording()
    model = series().fit(X, groups=np.repeat([0, 1], 60))
    Z = model.transform(X)
    assert Z.shape == (120, 3) and Z.dtype == np.float64 and np.isfinite(Z).all()
    assert model.n_features_in_ == 4 and model.input_.shape_in_ == (4, 6)
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    part = model.transform(X[30:80])
    np.testing.assert_allclose(part[3:-2], Z[33:78], atol=1e-5)
    assert not np.allclose(part[0], Z[30], atol=1e-3)  # the steps before it are not there
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert list(series().fit(frame).feature_names_in_) == list("abcd")


@pytest.mark.parametrize(
    "params",
    [
        {"network": "light"},
        {"window": 1},
        {"views": ("time_offset", "jitter"), "standardize": False},
        {"views": "crop"},
        {"objective": HierarchicalContrast(), "views": "jitter"},
        {"early_stopping": True},
        {"views": None, "n_views": 2, "network": DilatedConv(hidden=8, n_blocks=1, dropout=0.2)},
    ],
)
def test_it_trains_with(params):
    X = recording(60)
    model = series(**params).fit(X, groups=np.repeat([0, 1, 2], 20))
    assert model.partial_fit(X).transform(X).shape == (60, 3)


def test_missing_values_are_not_seen():
    X = recording(80)
    X[10:13] = np.nan
    X[30, 1] = np.nan
    rows, source = windows(X, window=6)
    x = rows.take(torch.tensor([11, 30]))
    assert x.mask[0, 0].tolist() == [1, 1, 0, 0, 0, 1] and x.mask[1].all()
    assert x.values[0, :, 2:5].abs().max() == 0 and x.values[1, 1, 3] == 0
    assert np.isfinite(series().fit(X).transform(X)).all()
    X[10:16] = np.nan
    with pytest.raises(ValueError, match="no value in the 6 steps around row 13: interpolate"):
        series().fit(X)


X3 = np.zeros((5, 4, 30))


@pytest.mark.parametrize(
    "X, params, match",
    [
        (recording(5), {}, "X has 5 rows, fewer than the window=6 steps"),
        (X3, {}, "X is a collection of series, but window=6 reads one recording"),
        ([X3[0], X3[0, :, :9]], {}, "X is a collection of series"),
        (recording()[:, 0], {}, "Expected 2D array"),
        (np.full((20, 2), np.inf), {}, "X contains infinity"),
        (recording(), {"features": "convolutions"}, "features='convolutions' reads collections"),
        (recording(), {"standardize": "series"}, "standardize='series' is for collections"),
        (recording(), {"network": "mlp"}, "network='mlp' reads numbers, but the rows are series"),
        (recording(), {"views": "corruption"}, "type views='crop'"),
        (recording(), {"window": 0}, "'window' parameter of SeriesContrastiveEncoder"),
        (recording(), {"window": 2.5}, "'window' parameter of SeriesContrastiveEncoder"),
    ],
)
def test_what_cannot_be_read_is_refused(X, params, match):
    with pytest.raises(ValueError, match=match):
        series(**params).fit(X)


def test_another_recording_has_to_be_like_the_first():
    model = series().fit(recording())
    with pytest.raises(ValueError, match="X has 3 features, but .* is expecting 4"):
        model.transform(recording(n_channels=3))
    with pytest.raises(ValueError, match="X has 5 rows, fewer than the window=6"):
        model.transform(recording(5))
    with pytest.raises(ValueError, match="collection of series"):
        model.transform(X3)


def test_a_head_reads_its_labelled_steps():
    X = recording()
    y = np.where(np.arange(120) % 3, (X[:, 0] > X[:, 0].mean()).astype(int), -1)
    model = SupervisedContrastiveClassifier(series(), finetune=True, finetune_iter=3)
    model.fit(X, y, groups=np.repeat([0, 1], 60))
    assert model.predict(X).shape == (120,) and model.score(X[y >= 0], y[y >= 0]) > 0.5


# ---------------------------------------------------------------- as any estimator


@pytest.mark.parametrize("make", [encoder, series])
def test_search_pipeline_and_splits_in_time(make):
    X = recording(160)
    y = X[:, 0] + 0.1 * np.random.default_rng(1).normal(size=160)
    model = Pipeline([("encoder", make(views="time_offset")), ("decoder", Ridge())])
    cv = TimeSeriesSplit(3)
    grid = {"encoder__views__offset": [1, 10, (1, 5)]}
    search = GridSearchCV(model, grid, cv=cv, error_score="raise").fit(X, y)
    assert search.best_params_["encoder__views__offset"] in [1, 10, (1, 5)]
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    assert np.isfinite(cross_val_score(model, X, y, cv=cv, error_score="raise")).all()


@pytest.mark.parametrize("make, after", [(encoder, "noise"), (series, "jitter")])
def test_clone_and_save(make, after, tmp_path):
    X = recording()
    model = make(views=(TimeOffset(("normal", 4.0)), after)).fit(X)
    assert repr(clone(model)) == repr(model)
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert loaded.views[0].offset == ("normal", 4.0)
    again = clone(model).fit(X)
    assert np.array_equal(again.transform(X), model.transform(X))


# ---------------------------------------------------------------- a law


def decoded(X, y, cut, objective, target=None, **params):
    """R2 of the position at the end of a recording, from its neighbours in what was learned."""
    model = encoder(objective=objective, max_iter=30, learning_rate=5e-3, **params)
    Z = model.fit(X[:cut], target).transform(X)
    return KNeighborsRegressor(25).fit(Z[:cut], y[:cut]).score(Z[cut:], y[cut:])


def test_labels_teach_more_than_time_and_shuffled_labels_nothing(monkeypatch):
    """Half of the neurons follow something else that is slow too, and louder."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    X, y = importlib.import_module("recording_sets").track(2000, 20, n_others=20)
    cut = 1600
    place = (20 * y[:cut]).astype(int)
    alike = {"views": None, "n_views": 1, "objective": SupCon(0.2)}
    by_label = decoded(X, y, cut, target=place, **alike)
    by_time = decoded(X, y, cut, InfoNCE(0.2, form="one_way"))
    shuffled = np.random.default_rng(1).permutation(place)
    by_nothing = decoded(X, y, cut, target=shuffled, **alike)
    assert by_label > by_time + 0.05 and by_time > 0.5 and abs(by_nothing) < 0.2
