"""Columns that are one feature: how views change them, and how they are found."""

import numpy as np
import pandas as pd
import pytest
import torch

from skcontrast import ContrastiveEncoder
from skcontrast._inputs.one_hot import one_hot_groups
from skcontrast._inputs.rows import table_rows
from skcontrast.views import Corruption, FeatureMask, FeatureSwap

SMALL = {"max_iter": 2, "random_state": 0, "n_components": 4, "passthrough": False}


def grouped_rows(n=200):
    """Rows of a number with its indicator, two categories, and two columns of their own."""
    rng = np.random.default_rng(1)
    missing = rng.random(n) < 0.2
    number = np.where(missing, 0.5, rng.normal(size=n))
    color, size = np.eye(4)[rng.integers(4, size=n)], np.eye(2)[rng.integers(2, size=n)]
    X = np.column_stack([number, rng.normal(size=n), color, missing, size, rng.random(n)])
    return table_rows(X, features=np.array([7, 1, 2, 2, 2, 2, 7, 3, 3, 4]))


PARTS = [[0, 6], [1], [2, 3, 4, 5], [7, 8], [9]]


@pytest.mark.parametrize("view", [Corruption(0.6), Corruption(1.0), FeatureSwap(0.5)])
def test_features_of_a_changed_row_are_those_of_one_other(view):
    torch.manual_seed(0)
    rows = grouped_rows()
    x = rows.take(rows.train_index)
    out = view.build(rows)(x, rows.train_index)
    for part in PARTS:
        seen = {tuple(row) for row in x[:, part].tolist()}
        assert {tuple(row) for row in out[:, part].tolist()} <= seen
    # Features are drawn apart from each other: a row is not replaced whole.
    sources = [(out[:, part][:, None] == x[:, part]).all(-1) for part in ([0, 6], [1], [9])]
    assert not (sources[0] & sources[1] & sources[2]).any(1).all()


def test_a_feature_is_corrupted_as_often_as_one_column_alone():
    torch.manual_seed(0)
    rows = table_rows(
        np.arange(7.0) * 1000 + np.arange(400.0)[:, None], features=[0, 0, 0, 1, 2, 2, 3]
    )
    x = rows.take(rows.train_index)
    changed = (Corruption(0.5).build(rows)(x + 0.5, rows.train_index) != x + 0.5).float()
    assert (changed[:, [0, 3, 4, 6]].sum(1) == 2).all()  # round(0.5 * 4) features
    assert torch.equal(changed[:, :3].amax(1), changed[:, :3].amin(1))
    assert (changed.mean(0) - 0.5).abs().max() < 0.1


def test_a_missing_value_is_drawn_as_often_as_it_is_missing():
    torch.manual_seed(0)
    rows = grouped_rows(2000)
    x = rows.take(rows.train_index)
    out = Corruption(1.0).build(rows)(x, rows.train_index)
    assert abs(float(out[:, 6].mean() - x[:, 6].mean())) < 0.04


def test_a_feature_is_masked_whole():
    torch.manual_seed(0)
    rows = table_rows(np.ones((500, 5)), features=[0, 0, 1, 2, 2])
    out = FeatureMask(0.4).build(rows)(rows.take(rows.train_index), rows.train_index)
    assert torch.equal(out[:, 0], out[:, 1]) and torch.equal(out[:, 3], out[:, 4])
    assert (out.sum(1) > 0).all()
    assert abs(float(out[:, 2].mean()) - 0.62) < 0.08  # at least one of three is kept


@pytest.mark.parametrize("features", [None, [0, 1, 2], [5, 9, 7]])
def test_columns_of_their_own_are_as_before(features):
    X = np.random.default_rng(0).normal(size=(30, 3))
    rows, other = table_rows(X, features=features), table_rows(X)
    assert rows.features is None
    outs = []
    for given in (rows, other):
        torch.manual_seed(0)
        outs.append(Corruption().build(given)(given.take(given.train_index), given.train_index))
    assert torch.equal(*outs)


def one_hot(n, k, seed):
    return np.eye(k)[np.random.default_rng(seed).permutation(np.arange(n) % k)]


RARE = (np.arange(3000) == 17).astype(float)
NUMBER = np.random.default_rng(5).normal(size=3000)
BITS = np.random.default_rng(6).integers(0, 2, size=(3000, 3))
ABC, DE = one_hot(3000, 3, 1), one_hot(3000, 2, 2)
DISTURBED = np.where(np.arange(3000)[:, None] == 2999, 0.0, ABC)


@pytest.mark.parametrize(
    "columns, expected",
    [
        ([ABC], [0, 0, 0]),
        ([NUMBER, ABC, DE, NUMBER], [0, 1, 1, 1, 2, 2, 3]),
        ([BITS, DE, BITS], [0, 1, 2, 3, 3, 4, 5, 6]),
        ([RARE, ABC], [0, 1, 1, 1]),  # its one row is not among those looked at first
        ([RARE, 1 - RARE], [0, 0]),
        ([ABC, 0 * RARE, DE], [0, 0, 0, 1, 1, 1]),  # a constant column changes nothing
        ([1 + 0 * RARE, ABC], [0, 1, 1, 1]),
        ([BITS], None),
        ([NUMBER], None),
        ([DISTURBED], None),
        ([2 * ABC], None),
        ([ABC[:, :2]], None),
        ([np.where(ABC == 1, NUMBER[:, None], 0)], None),
        ([np.where(DISTURBED.sum(1, keepdims=True), ABC, 0.5)], None),
    ],
)
@pytest.mark.parametrize("chunk", [64, 5000])
def test_one_hot_groups(columns, expected, chunk):
    found = one_hot_groups(np.column_stack(columns), chunk)
    assert found is None if expected is None else found.tolist() == expected


def test_few_rows_have_no_groups():
    assert one_hot_groups(np.eye(2)[[0, 1] * 10]) is None
    assert one_hot_groups(np.ones((100, 1))) is None


def naive_groups(X):
    """The definition, run after run."""
    features, start, d = [], 0, X.shape[1]
    while start < d:
        stop = start + 1
        for end in range(start + 2, d + 1):
            run = X[:, start:end]
            if np.isin(run, [0, 1]).all() and (run.sum(1) == 1).all():
                stop = end
                break
        if X[:, start].min() == 1 == X[:, start].max():
            stop = start + 1
        features += [len(set(features))] * (stop - start)
        start = stop
    return None if len(set(features)) == d else features


@pytest.mark.parametrize("seed", range(8))
def test_one_hot_groups_are_those_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(6):
        kind = rng.integers(4)
        part = np.eye(5)[rng.integers(rng.integers(1, 5), size=150)][:, : rng.integers(2, 6)]
        parts.append([part, rng.normal(size=(150, 1)), part[:, :1], 1 - part[:, :1]][kind])
    X = np.hstack(parts)
    found = one_hot_groups(X)
    assert (None if found is None else found.tolist()) == naive_groups(X)


def test_an_array_of_one_hot_columns_is_corrupted_by_feature():
    X = np.column_stack([ABC, NUMBER, DE])[:60]
    model = ContrastiveEncoder(**SMALL, views="corruption").fit(X)
    assert model.input_.features_.tolist() == [0, 0, 0, 1, 2, 2]
    model.partial_fit(X[:2])  # too few rows to tell: the groups are those of the fit
    assert model.input_.features_.tolist() == [0, 0, 0, 1, 2, 2]
    frame = pd.DataFrame(X)
    assert np.array_equal(
        ContrastiveEncoder(**SMALL, views="corruption").fit_transform(frame), model.fit_transform(X)
    )
