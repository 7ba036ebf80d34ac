"""Series as people hand them over, and MiniRocket's features of them."""

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch

from skcontrast._inputs import convolutions
from skcontrast._inputs.convolutions import LENGTH, N_KERNELS, Convolutions, spread_dilations
from skcontrast._inputs.convolved import ConvolvedSeriesInput
from skcontrast._inputs.series import SeriesInput, interpolated, padded_series

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, [[[2.0], [0.1]]], size=(6, 2, 30))
FLAT = X[:, 0]
RAGGED = [x[:, : 12 + 3 * i] for i, x in enumerate(X)]
SAME = {
    "tuple": tuple(X),
    "list of lists": X.tolist(),
    "torch": torch.as_tensor(X),
    "objects": np.array([*X, None], dtype=object)[:-1],
    "reversed memory": np.asfortranarray(X),
}


def with_nan(*places):
    out = X.copy()
    for place in places:
        out[place] = np.nan
    return out


@pytest.mark.parametrize("given", SAME.values(), ids=SAME)
def test_one_collection_in_other_forms(given):
    source = SeriesInput()
    np.testing.assert_array_equal(source.fit(given), X)
    np.testing.assert_array_equal(source.read(given), X)
    assert source.shape_in_ == (2, 30) and source.n_features_in_ == 2


def test_flat_series_are_of_one_channel():
    source = SeriesInput()
    np.testing.assert_array_equal(source.fit(FLAT), FLAT[:, None])
    np.testing.assert_array_equal(source.read(FLAT[:, None]), FLAT[:, None])
    assert source.n_features_in_ == 30 and source.n_features == 1
    frame = pd.DataFrame(FLAT, columns=[f"t{j}" for j in range(30)])
    np.testing.assert_array_equal(SeriesInput().fit(frame), FLAT[:, None])
    channel = SeriesInput()
    channel.fit(FLAT[:, None])
    np.testing.assert_array_equal(channel.read(FLAT), FLAT[:, None])


def test_unequal_lengths_are_padded_and_masked():
    source = SeriesInput()
    padded = source.fit(RAGGED)
    np.testing.assert_array_equal(padded, padded_series(RAGGED))
    assert padded.shape == (6, 2, 27) and not source.is_aligned_
    batch = source.rows(padded).take(torch.arange(6))
    assert batch.lengths().tolist() == [x.shape[1] for x in RAGGED]
    assert not batch.values[:, :, :][batch.mask.expand_as(batch.values) == 0].any()
    # Shorter ones are padded to the length of fit, longer ones stay as long as they are.
    assert source.read([x[:, :5] for x in RAGGED]).shape == (6, 2, 27)
    assert source.read(X).shape == (6, 2, 30)


def test_channels_are_scaled_over_series_and_steps():
    source = SeriesInput()
    S = source.standardized(source.fit(with_nan((0, 1, 4), (2, 0, slice(20, None)))))
    np.testing.assert_allclose(np.nanmean(S, axis=(0, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(S, axis=(0, 2)), 1)
    each = SeriesInput(standardize="series")
    S = each.standardized(each.fit(X))
    np.testing.assert_allclose(S.mean(axis=2), 0, atol=1e-12)
    np.testing.assert_allclose(S.std(axis=2), 1)
    none = SeriesInput(standardize=False)
    np.testing.assert_array_equal(none.standardized(none.fit(X)), X)


@pytest.mark.parametrize("standardize", [True, "series"])
@pytest.mark.parametrize("size", [0.0, 1e-300, 1e200])
def test_constant_and_huge_series_stay_finite(standardize, size):
    source = SeriesInput(standardize=standardize)
    values = np.stack([np.full((2, 30), size), *(size * X)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(source.standardized(source.fit(values))).all()


def test_missing_values_lie_between_the_seen_ones():
    S = np.array([[[np.nan, 1.0, np.nan, np.nan, 4.0, np.nan]], [[np.nan] * 6]])
    np.testing.assert_array_equal(interpolated(S), [[[1, 1, 2, 3, 4, 0]], [[0] * 6]])


MULTI = pd.MultiIndex.from_product([range(3), range(4)])
BAD = {
    "infinity": (with_nan() + np.inf, "contains infinity"),
    "nothing seen": (with_nan(3), "series without a value, the first in row 3"),
    "one series": (X[:1], "minimum of 2"),
    "channels that differ": (
        [X[0], X[1, :1]],
        r"series 1 is an array of float64 of shape \(1, 30\)",
    ),
    "strings": ([np.array([["a", "b"]]), np.array([["a"]])], "pass numbers of shape"),
    "four dimensions": (X[None], "dim 4"),
    "levels": (pd.DataFrame({"a": np.arange(12.0)}, index=MULTI), "index has several levels"),
    "no steps": (X[:, :, :0], r"has the shape \(6, 2, 0\), without a step"),
    "not read yet": (pl.LazyFrame({"a": [1.0, 2.0]}), "pass X.collect"),
    "a name twice": (pd.DataFrame(FLAT, columns=["a"] * 30), "several columns of the name 'a'"),
    "words": (pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), "column 'b' holds no numbers"),
    "lists": (pd.DataFrame({"a": [[1.0], [2.0]]}), "Column 'a' of X holds object"),
    "masked": (np.ma.masked_array(X, mask=X > 3), "masked"),
}


@pytest.mark.parametrize("given, message", BAD.values(), ids=BAD)
def test_bad_series_get_one_sentence(given, message):
    with pytest.raises(ValueError, match=message) as error:
        SeriesInput("Encoder").fit(given)
    assert "\n" not in str(error.value).strip()


def test_series_are_never_sparse():
    with pytest.raises(TypeError, match=r"series are dense: pass X.toarray\(\)"):
        SeriesInput("Encoder").fit(sp.csr_matrix(FLAT))


def test_a_single_step_has_no_differences():
    rows = np.full((6, 1, 9), np.nan)
    rows[:, 0, 0] = RNG.normal(size=6)
    source = ConvolvedSeriesInput()
    source.fit(rows)
    assert list(source.convolutions_) == ["shares", "fields"]
    assert np.isfinite(source.standardized(source.read(RNG.normal(size=(6, 1, 9))))).all()


def test_other_channels_and_other_flat_lengths_are_refused():
    source = SeriesInput("Encoder")
    source.fit(X)
    with pytest.raises(ValueError, match="X has 1 features, but Encoder is expecting 2"):
        source.read(X[:, :1])
    with pytest.raises(ValueError, match=r"pass an array of shape \(n_series, 2, length\)"):
        source.read(FLAT)
    source.fit(FLAT)
    with pytest.raises(ValueError, match="X has 20 features, but Encoder is expecting 30"):
        source.read(FLAT[:, :20])
    with pytest.raises(ValueError, match="X has 2 channels, but fit read series of one"):
        source.read(X)


@pytest.mark.parametrize("rows", [X, X[:, :1]], ids=["two channels", "one channel"])
def test_channels_behind_steps_are_asked_about(rows):
    with pytest.warns(UserWarning, match=r"pass X.transpose\(0, 2, 1\)"):
        SeriesInput().fit(rows.transpose(0, 2, 1))


# ------------------------------------------------------------------ convolutions


def by_loops(model, x, seen):
    """The shares of one series (n_channels, length), step by step."""
    length = len(seen)
    steps = np.flatnonzero(seen)
    out, start = [], 0
    for i, (dilation, count) in enumerate(zip(model.dilations_, model.counts_)):
        reach = 4 * dilation
        for j, places in enumerate(combinations(range(LENGTH), 3)):
            weights = np.where(np.isin(np.arange(LENGTH), places), 2.0, -1.0)
            summed = np.pad(x[model.channels_[i, j]].sum(axis=0), reach)
            values = [
                sum(weights[k] * summed[t + k * dilation] for k in range(LENGTH))
                for t in range(length)
            ]
            inner = [t for t in steps if reach <= t < steps[-1] + 1 - reach]
            for bias in model.biases_[start : start + count]:
                for f in range(model.n_fields):
                    counted = steps if (i + j) % 2 == 0 or not inner else np.array(inner)
                    field = np.arange(len(counted)) * model.n_fields // len(counted)
                    part = counted[field == f]
                    above = [values[t] > bias for t in part]
                    out.append(np.mean(above) if above else 0.0)
            start += count
    return np.array(out)


@pytest.mark.parametrize("n_fields", [1, 3])
def test_convolutions_are_shares_of_steps_above_a_bias(n_fields):
    S = RNG.normal(size=(5, 3, 40)).astype(np.float32)
    seen = np.arange(40) < np.array([40, 33, 20, 9, 2])[:, None]
    S = S * seen[:, None]
    # Fitted on other series: what a series gives is then not its own bias but for rounding.
    other = RNG.normal(size=(5, 3, 40)).astype(np.float32), np.ones((5, 40), dtype=bool)
    model = Convolutions(168, n_fields).fit(*other, np.random.default_rng(1))
    Z = model.transform(S, seen)
    assert Z.shape == (5, 168 * n_fields) and model.channels_.any(axis=2).all()
    for x, own, z in zip(S, seen, Z):
        np.testing.assert_allclose(z, by_loops(model, x, own), atol=1e-6)


def test_a_series_has_the_same_shares_alone_and_padded(monkeypatch):
    S = RNG.normal(size=(70, 1, 25)).astype(np.float32)
    seen = np.ones((70, 25), dtype=bool)
    model = Convolutions(336).fit(S, seen, np.random.default_rng(0))
    Z = model.transform(S, seen)
    np.testing.assert_array_equal(model.transform(S[66:68], seen[66:68]), Z[66:68])
    monkeypatch.setattr(convolutions, "BLOCK_VALUES", 1)  # eight series at a time
    np.testing.assert_array_equal(model.transform(S, seen), Z)
    longer = np.pad(S, ((0, 0), (0, 0), (0, 15)))
    np.testing.assert_allclose(
        model.transform(longer, np.pad(seen, ((0, 0), (0, 15)))), Z, atol=1e-6
    )


def test_steps_of_long_series_are_all_counted():
    """A byte of the counts holds 255 steps."""
    S = np.sign(RNG.normal(size=(9, 1, 700))).astype(np.float32)
    model = Convolutions(84).fit(S, np.ones((9, 700), dtype=bool), np.random.default_rng(0))
    model.biases_ = np.full_like(model.biases_, -100)  # which all steps exceed
    seen = np.arange(700) < RNG.integers(100, 701, 9)[:, None]
    assert (model.transform(S, seen) == 1).all()


@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_short_series_have_shares_too(length):
    S = RNG.normal(size=(4, 2, length)).astype(np.float32)
    seen = np.ones((4, length), dtype=bool)
    Z = Convolutions(84).fit(S, seen, np.random.default_rng(0)).transform(S, seen)
    assert Z.shape == (4, N_KERNELS) and ((Z >= 0) & (Z <= 1)).all()


@pytest.mark.parametrize("length, n_biases", [(1, 1), (30, 4), (500, 12), (500, 120)])
def test_dilations_reach_as_far_as_the_series(length, n_biases):
    dilations, counts = spread_dilations(length, n_biases)
    assert counts.sum() == n_biases and (counts > 0).all() and dilations[0] == 1
    assert (np.diff(dilations) > 0).all() and dilations[-1] <= max((length - 1) / 8, 1)
