"""The view of a recording that is the mean of rows at the same place of a period."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.preprocessing import normalize

import skcontrast
from skcontrast import ContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.recording import RecordingInput
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import DilatedConv
from skcontrast.objectives import InfoNCE
from skcontrast.views import HistoricalMean, reads_order

RNG = np.random.default_rng(0)
SESSIONS = np.repeat([1, 0, 2], [17, 9, 4])
PLACES = np.concatenate([np.arange(n) % 4 for n in (17, 9, 4)])  # of a period of 4 rows


def every(rows):
    index = torch.arange(rows.n_rows)
    return HistoricalMean(4).build(rows)(rows.take(index), index)


def alike(i, train_index):
    same = (SESSIONS == SESSIONS[i]) & (PLACES == PLACES[i])
    return [j for j in np.flatnonzero(same) if j in train_index]


@pytest.mark.parametrize("train_index", [np.arange(30), np.r_[0:12, 17:25, 26:29]])
def test_a_history_is_the_mean_of_its_place_in_the_session(train_index):
    X = RNG.normal(size=(30, 3))
    found = every(table_rows(X, side={"sessions": SESSIONS}, train_index=train_index))
    for i, row in enumerate(found.numpy()):
        others = alike(i, train_index)  # none of row 29, which stays itself
        np.testing.assert_allclose(row, X[others or [i]].mean(axis=0), atol=1e-6)
    assert HistoricalMean.ordered and reads_order([HistoricalMean(), "noise"])


def test_a_history_of_windows_is_step_by_step():
    X = RNG.normal(size=(30, 2))
    X[[5, 6, 22]] = np.nan
    source = RecordingInput(standardize=False, window=3)
    rows = source.rows(source.fit(X), {"sessions": SESSIONS})
    given, found = rows.take(torch.arange(30)), every(rows)
    for i in range(30):
        others = alike(i, range(30))
        seen = given.mask[others].sum(dim=0)
        expected = given.values[others].sum(dim=0) / seen.clamp_min(1)
        torch.testing.assert_close(found.values[i], expected)
        assert torch.equal(found.mask[i], (seen > 0).float())


def test_what_has_no_history_is_told():
    X = RNG.normal(size=(40, 5))
    options = {"passthrough": False, "max_iter": 1}
    with pytest.warns(UserWarning, match="every row is its own history"):
        ContrastiveEncoder(3, views=HistoricalMean(40), **options).fit(X)
    with pytest.raises(ValueError, match=r"takes means, which are dense: pass X.toarray\(\)"):
        ContrastiveEncoder(3, views=HistoricalMean(4), **options).fit(sp.csr_matrix(X))
    with pytest.raises(ValueError, match="'period' parameter of HistoricalMean"):
        ContrastiveEncoder(3, views=HistoricalMean(1), **options).fit(X)


def test_it_trains_on_windows_with_other_views_and_is_saved(tmp_path):
    X, groups = RNG.normal(size=(60, 3)), np.repeat([0, 1], 30)
    model = SeriesContrastiveEncoder(
        4,
        window=5,
        views=(HistoricalMean(6), "jitter"),
        network=DilatedConv(hidden=8, n_blocks=2),
        max_iter=2,
        early_stopping=True,
        random_state=0,
    )
    Z = model.fit(X, groups=groups).transform(X)
    assert np.isfinite(Z).all() and np.array_equal(
        clone(model).fit(X, groups=groups).transform(X), Z
    )
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert loaded.views[0].period == 6 and np.array_equal(loaded.transform(X), Z)


def test_distance_to_the_history_grows_with_a_planted_deviation():
    """Days that begin late, under noise that is louder than the day's rhythm."""
    mix = RNG.normal(size=(6, 10))

    def days(late):
        angle = (np.arange(24) - late[:, None]).ravel() * np.pi / 12
        noise = 2 * RNG.normal(size=(len(angle), 4))
        return np.column_stack([np.sin(angle), np.cos(angle), noise]) @ mix

    late = RNG.uniform(0, 6, size=60)
    X, new = days(np.zeros(100)), days(late)
    history = np.tile(X.reshape(100, 24, 10).mean(axis=0), (60, 1))

    def agreement(transform):
        gap = np.linalg.norm(transform(new) - transform(history), axis=1)
        return spearmanr(gap.reshape(60, 24).mean(axis=1), late).statistic

    model = ContrastiveEncoder(
        4,
        network="linear",
        passthrough=False,
        views=HistoricalMean(24),
        objective=InfoNCE(0.2, form="one_way"),
        learning_rate=5e-3,
        random_state=0,
    )
    model.fit(X)
    untrained = clone(model).set_params(learning_rate=1e-12, max_iter=1).fit(X)
    assert agreement(lambda rows: normalize(model.transform(rows))) > 0.9
    for other in (lambda rows: rows, lambda rows: normalize(untrained.transform(rows))):
        assert agreement(other) < 0.75
