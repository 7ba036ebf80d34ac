"""SeriesContrastiveEncoder and RandomConvolutions on collections of series."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcontrast
from skcontrast import (
    RandomConvolutions,
    SeriesContrastiveEncoder,
    SupervisedContrastiveClassifier,
)
from skcontrast._inputs.convolved import WEIGHTS
from skcontrast.networks import MLP, DilatedConv
from skcontrast.objectives import FuturePrediction, HierarchicalContrast, InfoNCE
from skcontrast.views import Jitter

SMALL = DilatedConv(hidden=8, n_blocks=2)
ON_SERIES = {"network": SMALL}


def bursts(n=60, length=60, n_channels=2, seed=0):
    """Two kinds of a short burst, somewhere in noise, and which kind each series has."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(0, 0.3, (n, n_channels, length))
    step = np.arange(12)
    for x, kind in zip(X, y):
        start = rng.integers(0, length - len(step))
        x[0, start : start + len(step)] += np.sin(np.pi * step * (1 + kind) / 6)
    return X, y


X, Y = bursts()
RAGGED = [x[:, : 30 + i % 31] for i, x in enumerate(X)]


def small(**params):
    return SeriesContrastiveEncoder(**{"max_iter": 2, "random_state": 0, **params})


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
def test_form_counts_wherever_it_lies(params):
    rows = X.reshape(len(X), -1)
    raw = cross_val_score(LogisticRegression(max_iter=1000), rows, Y, cv=3).mean()
    if params:  # such a network learns slowly, and its columns are on no scale
        params = {**params, "max_iter": 60, "learning_rate": 5e-3, "views": ["crop", "jitter"]}
    model = make_pipeline(small(**params), StandardScaler(), LogisticRegression(max_iter=1000))
    assert cross_val_score(model, X, Y, cv=3).mean() > max(raw, 0.5) + 0.2


@pytest.mark.parametrize(
    "params, on_series",
    [
        ({}, False),
        ({"network": "mlp"}, False),
        ({"views": "neighbors"}, False),
        ({"views": lambda x: x + 0.1, "network": MLP((8,))}, False),
        ({"objective": "supcon"}, False),
        ({"features": "convolutions", "network": "linear"}, False),
        ({"features": None}, True),
        ({"network": "light"}, True),
        ({"network": SMALL}, True),
        ({"views": "crop"}, True),
        ({"views": ("jitter", "scaling")}, True),
        ({"views": [Jitter(0.1)]}, True),
        ({"objective": "hierarchical"}, True),
        ({"objective": InfoNCE() + FuturePrediction(2), "batch_size": 16}, True),
    ],
)
def test_what_a_network_reads(params, on_series):
    model = small(**params).fit(X, Y)
    assert model.input_.kind == ("series" if on_series else "numbers")
    assert model.n_features_in_ == 2 and np.isfinite(model.transform(X)).all()
    temperature = getattr(model.objective_, "temperature", 1.0)
    assert temperature == 1.0 or "objective" in params


@pytest.mark.parametrize(
    "params, message",
    [
        ({"views": "crop", "network": "mlp"}, "reads numbers, but the rows are series: type netw"),
        ({"features": "convolutions", "views": "crop"}, "views='crop' reads series, but the rows"),
        ({"features": None, "views": "neighbors"}, "reads numbers, but the rows are series: type"),
        ({"features": None, "passthrough": True}, "needs rows with columns"),
        ({"passthrough": ["patterns"]}, "holds 'patterns', which is no part: type some of 'col"),
        ({"features": "convolved"}, "'features' parameter of SeriesContrastiveEncoder must be"),
        ({"standardize": "channel"}, "'standardize' parameter of SeriesContrastiveEncoder must"),
        (
            {"features": "convolutions", "objective": "hierarchical"},
            "embeds no steps: type objective='info_nce', or Series",
        ),
    ],
)
def test_parameters_that_do_not_go_together(params, message):
    with pytest.raises(ValueError, match=message):
        small(**params).fit(X)


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
def test_a_series_alone_padded_and_in_a_list(params):
    model = small(**params).fit(RAGGED)
    Z = model.transform(RAGGED)
    np.testing.assert_allclose(model.transform(RAGGED[5:6]), Z[5:6], atol=1e-5)
    padded = np.full((60, 2, 80), np.nan)
    for row, x in zip(padded, RAGGED):
        row[:, : x.shape[1]] = x
    np.testing.assert_allclose(model.transform(padded), Z, atol=1e-5)


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_very_short_series(params, length):
    rows = X[:, :, 20 : 20 + length]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has the shape")  # two channels of one step
        Z = small(**params).fit(rows).transform(rows)
    assert np.isfinite(Z).all() and np.ptp(Z, axis=0).any()


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
@pytest.mark.parametrize("standardize", [True, False, "series"])
def test_missing_values_and_constant_series(params, standardize):
    rows = X.copy()
    rows[3, 0, 10:20] = rows[4, 1] = rows[6, :, 40:] = np.nan
    rows[5] = 7.0
    rows[:, 1] = np.where(np.isnan(rows[:, 1]), np.nan, 2.0)
    model = small(**params, standardize=standardize).fit(rows)
    assert np.isfinite(model.transform(rows)).all()


def test_blocks_have_their_shares_of_the_variance():
    rows = np.concatenate([bursts(seed=s)[0] for s in range(4)])
    model = small(passthrough=["columns"]).fit(rows)
    names = model.input_.column_names(None)
    S = model.input_.standardized(model.input_.read(rows))
    block = np.array([name.rstrip("0123456789") for name in names])
    assert dict.fromkeys(block) == dict.fromkeys(WEIGHTS)
    total = {name: S[:, block == name].var(axis=0).sum() for name in WEIGHTS}
    np.testing.assert_allclose(S.mean(axis=0), 0, atol=1e-5)
    # A little less where a share hardly ever changes.
    for name, weight in WEIGHTS.items():
        assert 0.9 * weight < total[name] / total["steps"] * WEIGHTS["steps"] <= weight * 1.001
    assert 0.9 < S.var(axis=0).sum() / len(names) <= 1.001


def test_values_are_columns_where_series_are_aligned():
    model = small().fit(X)
    source = model.input_
    S = source.standardized(source.read(X))
    steps = [j for j, name in enumerate(source.column_names(None)) if name.startswith("steps")]
    whole = (X - X.mean(axis=(0, 2), keepdims=True)) / X.std(axis=(0, 2), keepdims=True)
    whole = whole.reshape(len(X), -1) - whole.reshape(len(X), -1).mean(axis=0)
    assert len(steps) == 120
    scale = S[:, steps].std() / whole.std()
    np.testing.assert_allclose(S[:, steps], scale * whole, atol=1e-4)
    assert small().fit(RAGGED).input_.n_steps_ == 0
    long = small().fit(np.cumsum(np.tile(X, 4), axis=2))
    assert long.input_.n_steps_ == 64
    # A shorter series is stretched over the same columns.
    assert np.isfinite(long.transform(X)).all()


def test_names_of_columns():
    names = small().fit(X).get_feature_names_out()
    first = [name.partition("__")[0] for name in names]
    assert list(dict.fromkeys(first)) == ["columns", "learned", "neighborhood"]
    assert names[0] == "columns__shares0" and f"columns__steps{119}" in names
    assert list(small(n_components=2).fit(X).get_feature_names_out()) == [
        "seriescontrastiveencoder0",
        "seriescontrastiveencoder1",
    ]


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
def test_in_a_search_and_under_a_head(params):
    model = make_pipeline(small(n_components=8, **params), LogisticRegression())
    search = GridSearchCV(model, {"seriescontrastiveencoder__n_views": [2, 3]}, cv=2).fit(X, Y)
    assert 0.4 <= search.score(X, Y) <= 1
    few = np.where(np.arange(60) < 20, Y, -1)
    head = SupervisedContrastiveClassifier(small(objective="supcon", **params), random_state=0)
    assert (head.fit(X, few).predict(X)[:20] == Y[:20]).mean() > 0.7
    assert head.set_params(finetune=True, finetune_iter=2).fit(RAGGED, few).predict(RAGGED).size


@pytest.mark.parametrize("params", [{}, ON_SERIES], ids=["convolutions", "network"])
def test_further_training(params):
    model = small(**params).partial_fit(X).partial_fit(X)
    assert len(model.loss_curve_) == 2
    assert np.isfinite(model.transform([x[:, :40] for x in X])).all()
    early = small(**params, early_stopping=True, validation_fraction=0.2).fit(X)
    assert len(early.validation_curve_) == 2
    pairs = small(**params).fit(X, groups=np.arange(60) // 2)
    assert np.isfinite(pairs.loss_curve_).all()
    before = model.transform(X)
    with pytest.raises(ValueError, match="contains infinity"):
        model.fit(X + np.inf)
    np.testing.assert_array_equal(model.transform(X), before)


@pytest.mark.parametrize("params", [{}, ON_SERIES, {"objective": "hierarchical"}])
def test_saved_and_loaded(params, tmp_path):
    model = small(**params, n_components=4).fit(X)
    skcontrast.save(model, tmp_path)
    np.testing.assert_array_equal(skcontrast.load(tmp_path).transform(X), model.transform(X))


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda s: setattr(s.series_, "shape_in_", (2, 2**40)), "shape_in_ is no shape of series"),
        (lambda s: setattr(s.series_, "shape_in_", (3, 60)), "of other channels"),
        (lambda s: setattr(s, "n_steps_", 61), "n_steps_ are more than a series has"),
        (lambda s: s.convolutions_.popitem(), "mean_ is of other columns"),
        (
            lambda s: s.convolutions_["shares"].dilations_.fill(2**40),
            "a convolution reaches beyond its series",
        ),
        (
            lambda s: setattr(s.convolutions_["shares"], "n_fields", 2),
            "mean_ is of other columns",
        ),
        (
            lambda s: setattr(s.convolutions_["shares"], "biases_", np.zeros(3, np.float32)),
            "biases_ are not as many as counts_",
        ),
    ],
)
def test_folders_that_do_not_belong_together(damage, message, tmp_path):
    model = copy.deepcopy(small().fit(X))
    damage(model.input_)
    skcontrast.save(model, tmp_path)
    with pytest.raises(ValueError, match=message):
        skcontrast.load(tmp_path)


# -------------------------------------------------------------- without training


def test_random_convolutions_are_shares_that_know_nothing_of_other_series():
    model = RandomConvolutions(336, random_state=0).fit(X)
    Z = model.transform(X)
    assert Z.shape == (60, 336) and ((Z >= 0) & (Z <= 1)).all() and Z.dtype == X.dtype
    np.testing.assert_array_equal(model.transform(X[7:9]), Z[7:9])
    assert model.transform(X.astype(np.float32)).dtype == np.float32
    assert not np.array_equal(RandomConvolutions(336, random_state=1).fit_transform(X), Z)
    assert len(model.set_params(n_fields=3).get_feature_names_out()) == 336  # of the fit
    # Biases are quantiles: half of all shares lie above a half.
    assert abs(Z.mean() - 0.5) < 0.1


def test_fields_are_parts_of_the_whole():
    whole = RandomConvolutions(84, random_state=0).fit(X).transform(X)
    parts = RandomConvolutions(84, n_fields=3, random_state=0).fit(X).transform(X)
    parts = parts.reshape(60, 84, 3)
    assert parts.shape == (60, 84, 3) and np.ptp(parts, axis=2).max() > 0.3
    # Of kernels that read all steps the fields have equally many of 60 steps: 20 each.
    np.testing.assert_allclose(parts.mean(axis=2)[:, ::2], whole[:, ::2], atol=1e-6)


@pytest.mark.parametrize("given", [RAGGED, X[:, 0], X], ids=["ragged", "flat", "two channels"])
def test_random_convolutions_in_a_pipeline(given):
    model = make_pipeline(RandomConvolutions(504, random_state=0), LogisticRegression())
    assert model.fit(given, Y).score(given, Y) > 0.9


def test_hierarchical_contrast_trains_the_network_of_steps():
    model = small(objective=HierarchicalContrast(), max_iter=15, learning_rate=5e-3).fit(X)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
