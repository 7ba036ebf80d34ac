"""SupervisedContrastiveRegressor: units, missing labels, heads, intervals, bad input."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from bad_input import one_sentence
from instances import with_head
from rounding import one_thread
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from skorch.callbacks import Callback

from skcontrast import SupervisedContrastiveRegressor
from skcontrast.objectives import (
    ConditionalInfoNCE,
    InfoNCE,
    PredictionError,
    RankNContrast,
    SupCon,
    YAware,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 5))
Y = X[:, 0] - np.abs(X[:, 1]) + 0.1 * RNG.standard_normal(40)
TWO = np.column_stack([Y, 3 - 10 * Y + X[:, 2]])
FEW = np.where(np.arange(40) < 25, Y, np.nan)
SPARSE = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0))

OBJECTIVES_OF_NUMBERS = [
    "y_aware",
    "rank_n_contrast",
    "supremix",
    "conr",
    "adaptive_margin",
    "prediction_error",
    RankNContrast() + PredictionError(),
]


ENCODER = {"n_components": 3, "network": "linear", "max_iter": 2, "device": "cpu"}
ENCODER["objective"] = "y_aware"


def regressor(**params):
    """What is no parameter of the regressor is one of its encoder."""
    head = {"regressor": Ridge(), "random_state": 0}
    return with_head(SupervisedContrastiveRegressor, head, ENCODER, **params)


def assert_refused(match, data=X, y=Y, error=ValueError, **params):
    """One clear sentence, and nothing left by a first fit."""
    model = regressor(**params)
    before, of_encoder = dict(vars(model)), dict(vars(model.encoder))
    with pytest.raises(error, match=match) as caught:
        model.fit(data, y)
    assert one_sentence(caught.value), str(caught.value)
    assert vars(model) == before and vars(model.encoder) == of_encoder


# ------------------------------------------------------- units, shapes and types


@pytest.mark.parametrize(
    ("scale", "shift"), [(1e-9, 0), (1e12, 0), (1, 1e9), (1e155, 0), (-1e200, 0)]
)
def test_predictions_are_in_the_units_of_y(scale, shift):
    plain = regressor().fit(X, Y).predict(X)
    found = regressor().fit(X, scale * Y + shift).predict(X)
    np.testing.assert_allclose((found - shift) / scale, plain, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(1e-9, 0), (1e12, 0), (1, 1e9)])
def test_so_are_those_of_the_default_head(scale, shift):
    plain = regressor(regressor=None).fit(X, Y).predict(X)
    found = regressor(regressor=None).fit(X, scale * Y + shift).predict(X)
    # Trees may cut between two rows at another place.
    np.testing.assert_allclose((found - shift) / scale, plain, atol=0.02)


def test_intervals_are_in_the_units_of_y():
    for interval in ("conformal", "neighbors"):
        plain, other = (
            regressor(interval=interval).fit(X, y).predict_interval(X, 0.7) for y in (Y, 1e12 * Y)
        )
        np.testing.assert_allclose(np.divide(other, 1e12), plain, atol=1e-6)


def test_columns_of_unlike_scales_are_predicted_alike():
    scales = np.array([1e-9, 1e12])
    found = regressor().fit(X, TWO * scales).predict(X) / scales
    np.testing.assert_allclose(found, regressor().fit(X, TWO).predict(X), atol=1e-6)


@pytest.mark.parametrize("head", [Ridge(), None], ids=["ridge", "default"])
@pytest.mark.parametrize("y", [Y, Y[:, None], TWO], ids=["(n,)", "(n, 1)", "(n, 2)"])
def test_the_prediction_has_the_shape_of_y(y, head):
    model = regressor(regressor=head).fit(X, y)
    assert model.predict(X[:7]).shape == y[:7].shape
    assert model.score(X, y) > 0.5
    assert model.target_mean_.shape == (1 if y.ndim == 1 else y.shape[1],)


def test_a_column_is_the_same_as_a_vector():
    vector, column = (regressor().fit(X, y).predict(X) for y in (Y, Y[:, None]))
    assert np.array_equal(vector, column[:, 0])


SOUND_TARGETS = {
    "list": Y.tolist(),
    "None for NaN": [None, *Y[1:].tolist()],
    "series": pd.Series(Y, index=np.arange(40)[::-1]),
    "nullable": pd.Series(FEW).astype("Float64"),
    "frame": pd.DataFrame({"a": Y, "b": -Y}),
    "tensor": torch.as_tensor(Y),
    "float32": Y.astype(np.float32),
    "objects": Y.astype(object),
    "whole": np.arange(40) % 3,
    "bool": Y > 0,
    "two values": (Y > 0) * 7.0,
    "constant": np.full(40, 0.1),
    "tiny": 1e-300 * Y,
}


@pytest.mark.parametrize("name", SOUND_TARGETS)
def test_sound_targets(name):
    y = SOUND_TARGETS[name]
    found = regressor().fit(X, y).predict(X)
    assert found.shape == np.shape(y) and np.isfinite(found).all()
    if name in ("list", "series", "tensor", "objects"):
        assert np.array_equal(found, regressor().fit(X, Y).predict(X))


@pytest.mark.parametrize("interval", [None, "conformal", "neighbors"])
def test_a_constant_target_is_predicted(interval):
    model = regressor(regressor=None, interval=interval).fit(X, np.full(40, 0.1))
    np.testing.assert_allclose(model.predict(X), 0.1)
    assert model.target_scale_.tolist() == [1.0]
    if interval:
        np.testing.assert_allclose(model.predict_interval(X, 0.6), 0.1)


@pytest.mark.parametrize("head", [Ridge(), None], ids=["ridge", "default"])
@pytest.mark.parametrize("n_labelled", [1, 2, 3, 5, 21])
def test_few_labelled_rows(n_labelled, head):
    y = np.where(np.arange(40) < n_labelled, Y, np.nan)
    found = regressor(regressor=head).fit(X, y).predict(X)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 10


@pytest.mark.parametrize("data", [SPARSE, sp.csr_array(SPARSE), torch.as_tensor(X), X.tolist()])
def test_kinds_of_rows(data):
    found = regressor().fit(data, Y).predict(data)
    assert found.shape == (40,) and np.isfinite(found).all()
    if not sp.issparse(data):
        assert np.array_equal(found, regressor().fit(X, Y).predict(X))


def test_float32_rows():
    narrow = regressor().fit(X.astype(np.float32), Y)
    assert narrow.transform(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(narrow.predict(X), regressor().fit(X, Y).predict(X), atol=1e-5)


def test_a_memory_map_gives_the_same(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for params in ({}, {"interval": "conformal"}, {"finetune": True, "finetune_iter": 2}):
        model = regressor(**params).fit(mapped, FEW)
        assert np.array_equal(model.predict(mapped), regressor(**params).fit(X, FEW).predict(X))


# ------------------------------------------------------------ rows without a label


class Recorder(Ridge):
    """Keeps what it was fitted on."""

    def fit(self, X, y):
        self.seen_ = np.array(X), np.array(y)
        return super().fit(X, y)


def test_the_head_sees_labelled_rows_alone():
    model = regressor(regressor=Recorder(), passthrough=False).fit(X, FEW)
    features, target = model.regressor_.seen_
    Z = model.transform(X[:25])
    np.testing.assert_allclose(features * (Z.std() / features.std()), Z, rtol=1e-6)
    np.testing.assert_allclose(target * model.target_scale_ + model.target_mean_, Y[:25])
    assert model.target_mean_ == pytest.approx(Y[:25].mean())
    assert model.target_scale_ == pytest.approx(Y[:25].std())


def test_unlabelled_rows_shape_the_representation():
    whole = regressor().fit(X, FEW)
    part = regressor().fit(X[:25], FEW[:25])
    assert not np.allclose(whole.transform(X), part.transform(X))
    assert np.array_equal(whole.target_mean_, part.target_mean_)


def test_a_row_with_one_missing_target_is_unlabelled():
    y = TWO.copy()
    y[:5, 0] = np.nan
    other = y.copy()
    other[:5, 1] = 1e6
    found, same = (regressor().fit(X, each).predict(X) for each in (y, other))
    assert found.shape == (40, 2) and np.array_equal(found, same)


# ---------------------------------------------------------------- what the head reads


@pytest.mark.parametrize(
    ("data", "passthrough", "width"),
    [(X, "auto", 8), (X, True, 8), (X, False, 3)]
    + [(SPARSE, "auto", 3), (SPARSE, True, 8), (SPARSE, False, 3)],
)
def test_passthrough(data, passthrough, width):
    model = regressor(passthrough=passthrough).fit(data, Y)
    assert model.regressor_.n_features_in_ == width
    assert np.isfinite(model.predict(data)).all()


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("passthrough", ["auto", True, False])
def test_sparse_and_dense_rows_are_predicted_alike(passthrough, standardize):
    params = {"passthrough": passthrough, "standardize": standardize, "precision": "float64"}
    dense = SPARSE.toarray()
    model = regressor(**params).fit(SPARSE, Y)
    np.testing.assert_allclose(model.predict(dense), model.predict(SPARSE), atol=1e-9)
    if not standardize:  # else dense rows are centred
        model = regressor(**params).fit(dense, Y)
        np.testing.assert_allclose(model.predict(SPARSE), model.predict(dense), atol=1e-9)


def test_the_default_head_and_sparse_rows():
    assert np.isfinite(regressor(regressor=None).fit(SPARSE, Y).predict(SPARSE)).all()
    match = "passthrough=True hands the sparse columns.*type passthrough='auto'"
    assert_refused(match, SPARSE, regressor=None, passthrough=True)


def test_the_default_head_does_not_care_for_the_order_of_the_rows():
    rows = np.random.default_rng(1).standard_normal((300, 3))
    y = np.sin(2 * rows[:, 0]) + rows[:, 1] * (rows[:, 2] > 0)
    rise = np.argsort(y[:150])
    scores = [
        regressor(regressor=None).fit(rows[:150][order], y[:150][order]).score(rows[150:], y[150:])
        for order in (slice(None), rise)
    ]
    assert scores[1] > scores[0] - 0.05


def test_heads_of_one_target():
    model = regressor(regressor=MultiOutputRegressor(SVR())).fit(X, TWO)
    assert model.predict(X).shape == TWO.shape
    match = r"y has 2 columns, and a SVR does not take it.*type regressor=MultiOutputRegressor"
    assert_refused(match, y=TWO, regressor=SVR())


def test_a_pipeline_and_a_search_are_heads():
    for head in (
        make_pipeline(StandardScaler(), Ridge()),
        GridSearchCV(Ridge(), {"alpha": [1, 2]}, cv=2),
        HistGradientBoostingRegressor(max_iter=3),
    ):
        assert np.isfinite(regressor(regressor=head).fit(X, Y).predict(X)).all()


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (Ridge, r"must be an object implementing 'fit' and 'predict'.*Did you mean Ridge\(\)\?"),
        (LogisticRegression(), "must be a regressor of scikit-learn's kind"),
        ("ridge", "Got 'ridge' instead"),
        (False, "Got False instead"),
        ([], r"Got \[\] instead"),
        (Ridge().fit, "Got <bound method"),
    ],
)
def test_no_regressor(head, match):
    assert_refused(match, regressor=head)


# ------------------------------------------------------------ objectives and samplers


@pytest.mark.parametrize("objective", OBJECTIVES_OF_NUMBERS, ids=str)
@pytest.mark.parametrize("y", [FEW, TWO], ids=["(n,) with NaN", "(n, 2)"])
def test_objectives_of_numbers(objective, y):
    if objective in ("supremix", "adaptive_margin") and y is TWO:
        assert_refused("2 columns: pass one column of y", y=y, objective=objective)
        return
    model = regressor(objective=objective).fit(X, y)
    assert np.isfinite(model.predict(X)).all() and np.isfinite(model.encoder_.loss_curve_).all()
    assert not np.array_equal(model.transform(X), regressor(max_iter=1).fit(X, y).transform(X))


@pytest.mark.parametrize("objective", ["info_nce", "barlow_twins", InfoNCE() + YAware()], ids=str)
@pytest.mark.parametrize("sampler", ["uniform", "target_spread"])
def test_objectives_without_a_target(objective, sampler):
    model = regressor(objective=objective, sampler=sampler, batch_size=10).fit(X, FEW)
    assert np.isfinite(model.predict(X)).all()
    assert model.target_mean_ == pytest.approx(Y[:25].mean())


def test_what_reads_no_numbers_is_refused():
    for objective in ("supcon", "cross_entropy", SupCon(), 0.5 * SupCon()):
        match = "does not read the target of a SupervisedContrastiveRegressor: type objective='y_a"
        assert_refused(match, objective=objective)
    for objective in ("y_aware", "info_nce"):
        match = "sampler='class_balanced'. does not read.*type sampler='uniform' or 'target_spread'"
        assert_refused(match, objective=objective, sampler="class_balanced")
    assert_refused("choose components that read the same target", objective=SupCon() + YAware())
    for objective in (ConditionalInfoNCE(mode="fair"), "independence"):
        assert_refused(r"needs 'condition': pass fit\(X, condition=", objective=objective)


# ---------------------------------------------------------------------- fine-tuning


def tuned(**params):
    return regressor(finetune=True, **{"finetune_iter": 4, "learning_rate": 0.02, **params})


@pytest.mark.parametrize("y", [FEW, TWO], ids=["(n,) with NaN", "(n, 2)"])
def test_finetune(y):
    fast = {"learning_rate": 0.1}
    model, plain = tuned(finetune_iter=15, **fast).fit(X, y), regressor(**fast).fit(X, y)
    encoder, before, curve = model.encoder_, plain.encoder_, model.encoder_.finetune_curve_
    assert len(curve) == 15 and curve[-1] < 0.9 * curve[0]
    assert encoder.loss_curve_ == before.loss_curve_ and encoder.n_iter_ == 2
    assert repr(encoder.objective_) == "YAware()" and not hasattr(before, "finetune_curve_")
    assert encoder.objective_weights_.keys() == before.objective_weights_.keys()
    assert not np.allclose(model.transform(X), plain.transform(X))
    assert not hasattr(model.set_params(finetune=False).fit(X, y).encoder_, "finetune_curve_")


def test_finetune_reads_labelled_rows_alone():
    y, other = FEW.copy(), X.copy()
    other[25:] = np.random.default_rng(3).permutation(other[25:].ravel()).reshape(15, 5)
    # An objective of labelled rows, no views and no columns to scale: nothing else is read.
    params = {"objective": "prediction_error", "views": None, "n_views": 1, "standardize": False}
    one, two = (tuned(**params, batch_size=40).fit(rows, y).encoder_ for rows in (X, other))
    np.testing.assert_allclose(one.finetune_curve_, two.finetune_curve_, rtol=1e-4)


def test_finetune_goes_on_with_warm_start():
    model = tuned(warm_start=True, objective=YAware(temperature="learned")).fit(X, FEW)
    learned, curve = model.encoder_.objective_weights_, model.encoder_.loss_curve_
    assert learned
    encoder = model.fit(X, FEW).encoder_
    assert encoder.loss_curve_[0] < curve[0]
    assert not all(np.array_equal(v, learned[k]) for k, v in encoder.objective_weights_.items())
    # The learned temperature goes on, though another loss was trained in between.
    encoder.objective_weights_ = {k: np.full_like(v, -1.5) for k, v in learned.items()}
    model.set_params(encoder__learning_rate=1e-12).fit(X, FEW)
    for value in model.encoder_.objective_weights_.values():
        np.testing.assert_allclose(value, -1.5)


def test_finetune_does_the_same_with_warm_start():
    one, other = (tuned(warm_start=warm).fit(X, FEW) for warm in (True, False))
    assert one.encoder_.finetune_curve_ == other.encoder_.finetune_curve_


def test_a_head_in_the_objective_is_trained_on():
    params = {"objective": "prediction_error", "max_iter": 10, "learning_rate": 0.1}
    model = tuned(**params).fit(X, Y)
    encoder = model.encoder_
    weight, bias = (encoder.objective_weights_[f"head.{name}"] for name in ("weight", "bias"))
    z = (Y - model.target_mean_) / model.target_scale_
    error = np.mean((model.transform(X) @ weight[0] + bias - z) ** 2)
    assert error < encoder.finetune_curve_[0] < encoder.loss_curve_[0]


def test_finetune_needs_two_labelled_rows():
    y = np.where(np.arange(40) < 1, Y, np.nan)
    assert_refused("finetune=True needs at least 2 labelled rows, and y has 1", y=y, finetune=True)
    assert np.isfinite(tuned().fit(X, np.where(np.arange(40) < 2, Y, np.nan)).predict(X)).all()


class Counter(Callback):
    """Counts the epochs of all trainings."""

    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


def test_callbacks_and_checkpoint_with_finetune(tmp_path):
    counter = Counter()
    params = {"checkpoint": tmp_path, "callbacks": [counter], "early_stopping": True}
    plain = tuned(early_stopping=True).fit(X, FEW)
    model = tuned(**params).fit(X, FEW)
    assert counter.epochs == 2 + 4
    assert len(list(tmp_path.iterdir())) == 1 and len(model.encoder_.validation_curve_) == 2
    again = tuned(**params).fit(X, FEW)  # the first stage is there already
    assert counter.epochs == 2 + 4 + 4
    for other in (model, again):
        assert np.array_equal(other.predict(X), plain.predict(X))
        assert other.encoder_.finetune_curve_ == plain.encoder_.finetune_curve_


# ------------------------------------------------------------------------ intervals


def draw(n, seed):
    rng = np.random.default_rng(seed)
    rows = rng.uniform(-2, 2, (n, 2))
    return rows, rows[:, 0] + (0.1 + np.abs(rows[:, 1])) * rng.standard_normal(n)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_conformal_coverage(coverage):
    shares = []
    for seed in range(6):
        rows, y = draw(300, seed)
        model = regressor(interval="conformal", calibration_fraction=0.4, random_state=seed)
        new, expected = draw(1000, 100 + seed)
        lower, upper = model.fit(rows, y).predict_interval(new, coverage)
        assert (lower <= upper).all()
        shares.append(np.mean((lower <= expected) & (expected <= upper)))
    # The coverage of a fit varies as the share of its 120 calibration rows does.
    assert abs(np.mean(shares) - coverage) < 3 * np.sqrt(coverage * (1 - coverage) / (6 * 120))


def test_intervals_are_wider_where_the_noise_is():
    rows, y = draw(600, 0)
    new, _ = draw(500, 1)
    for interval in ("conformal", "neighbors"):
        lower, upper = regressor(interval=interval).fit(rows, y).predict_interval(new)
        loud = np.abs(new[:, 1]) > 1
        assert (upper - lower)[loud].mean() > 1.3 * (upper - lower)[~loud].mean()


def test_neighbors_hold_about_their_share_also_of_sorted_rows():
    rows, y = draw(500, 0)
    new, expected = draw(1000, 1)
    for order in (slice(None), np.argsort(y)):
        model = regressor(interval="neighbors").fit(rows[order], y[order])
        lower, upper = model.predict_interval(new, 0.8)
        assert abs(np.mean((lower <= expected) & (expected <= upper)) - 0.8) < 0.06


@pytest.mark.parametrize("interval", ["conformal", "neighbors"])
@pytest.mark.parametrize("y", [Y, Y[:, None], TWO], ids=["(n,)", "(n, 1)", "(n, 2)"])
def test_intervals_have_the_shape_of_y(interval, y):
    model = regressor(interval=interval).fit(X, y)
    lower, upper = model.predict_interval(X[:7], 0.8)
    assert lower.shape == upper.shape == y[:7].shape
    np.testing.assert_allclose((lower + upper) / 2, model.predict(X[:7]))
    wider = model.predict_interval(X[:7], 0.85)
    assert (wider[1] >= upper).all() and (wider[0] <= lower).all()


def test_calibration_rows_take_no_part_in_the_training():
    model = regressor(interval="conformal", regressor=Recorder(), calibration_fraction=0.4)
    _, target = model.fit(X, FEW).regressor_.seen_
    assert len(target) == 15
    known = target * model.target_scale_ + model.target_mean_
    held = [i for i in range(25) if not np.isclose(known, Y[i]).any()]
    assert len(held) == 10
    # Whatever their labels were, the fit is the same.
    y = FEW.copy()
    y[held] = 50.0
    assert np.array_equal(clone(model).fit(X, y).predict(X), model.predict(X))


def test_calibration_rows_stay_apart_in_a_warm_start():
    model = regressor(
        interval="conformal", regressor=Recorder(), warm_start=True, random_state=None
    )
    targets = [np.sort(model.fit(X, Y).regressor_.seen_[1]) for _ in range(3)]
    assert all(np.array_equal(targets[0], other) for other in targets)


def test_coverage_that_the_rows_do_not_give():
    model = regressor(interval="conformal").fit(X, Y)  # with 8 calibration rows
    match = "coverage=0.95 needs the errors of at least 19 rows, and there are 8: type a cov.*0.888"
    with pytest.raises(ValueError, match=match) as caught:
        model.predict_interval(X, 0.95)
    assert one_sentence(caught.value)
    assert np.isfinite(model.predict_interval(X, 0.888)).all()
    model = regressor(interval="neighbors").fit(X, Y)
    with pytest.raises(ValueError, match="reads 30: type.*0.967, or fit with interval='conformal'"):
        model.predict_interval(X, 0.99)
    assert np.isfinite(model.predict_interval(X, 0.967)).all()


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, np.nan, "0.9", None, True, [0.9]])
def test_coverage_out_of_range(coverage):
    model = regressor(interval="neighbors").fit(X, Y)
    with pytest.raises(ValueError, match="coverage must be a number between 0 and 1, got"):
        model.predict_interval(X, coverage)


def test_no_intervals():
    model = regressor().fit(X, Y)
    assert not hasattr(model, "predict_interval")
    with pytest.raises(AttributeError, match="has no attribute 'predict_interval'"):
        model.predict_interval(X)
    model.set_params(interval="conformal")
    with pytest.raises(ValueError, match="The fit was with interval=None: fit with 'conformal'"):
        model.predict_interval(X)
    with pytest.raises(NotFittedError):
        regressor(interval="conformal").predict_interval(X)


@pytest.mark.parametrize(("interval", "least"), [("conformal", 3), ("neighbors", 2)])
def test_too_few_rows_for_intervals(interval, least):
    y = np.where(np.arange(40) < least, Y, np.nan)
    assert np.isfinite(regressor(interval=interval).fit(X, y).predict_interval(X, 0.4)).all()
    y[least - 1] = np.nan
    assert_refused(f"interval='{interval}' .*: type interval=", y=y, interval=interval)


# ------------------------------------------------------------------------ bad input

BAD_TARGETS = {
    "None": (None, "requires y to be passed, but the target y is None"),
    "shorter": (Y[:-1], "y has 39 rows, but X has 40"),
    "longer": (np.append(Y, 1), "y has 41 rows, but X has 40"),
    "infinite": (np.append(Y[1:], np.inf), "y must hold finite numbers, or NaN.*infinity"),
    "too large": (3e307 * np.sign(Y), r"y has entries as large as 3e\+307.*divide y"),
    "all NaN": (np.full(40, np.nan), "y has no labelled row"),
    "strings": (["a"] * 40, "y must hold finite numbers"),
    "a number": (5.0, "y must hold finite numbers"),
    "3-d": (np.zeros((40, 2, 2)), "y must hold finite numbers.*dim 3"),
    "no column": (np.zeros((40, 0)), "y must hold finite numbers"),
    "sparse": (sp.csr_matrix(Y[:, None]), "y must hold finite numbers.*Sparse data"),
    "complex": (1j * Y, "y must hold finite numbers.*Complex data"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_bad_targets(name):
    y, match = BAD_TARGETS[name]
    assert_refused(match, y=y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_rows(value):
    data = X.copy()
    data[3, 2] = value
    assert_refused("Input X contains", data)
    model = regressor().fit(X, Y)
    with pytest.raises(ValueError, match="Input X contains"):
        model.predict(data)
    with pytest.raises(ValueError, match="X has 4 features"):
        model.predict(X[:, :4])


class Failing(Ridge):
    """A head that cannot be fitted."""

    def fit(self, X, y):
        raise RuntimeError("no")


@pytest.mark.parametrize("change", [{}, {"random_state": 1}, {"encoder__n_components": 2}], ids=str)
def test_a_failed_fit_leaves_the_earlier_one_whole(change):
    model = regressor(interval="neighbors").fit(X, Y)
    Z, y, interval = model.transform(X), model.predict(X), model.predict_interval(X, 0.8)
    model.set_params(regressor=Failing(), **change)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no"):
            model.fit(X[:, :4], TWO)
    assert np.array_equal(model.transform(X), Z) and np.array_equal(model.predict(X), y)
    assert np.array_equal(model.predict_interval(X, 0.8), interval)
    assert model.n_features_in_ == 5


def test_a_failed_fit_ends_its_callbacks():
    skl_callback = pytest.importorskip("sklearn.callback")
    log = []

    class Tasks(skl_callback.FitCallback):
        def setup(self, estimator, context):
            log.append("setup")

        def teardown(self, estimator, context):
            log.append("teardown")

        def on_fit_task_begin(self, estimator, context, **kwargs):
            pass

        def on_fit_task_end(self, estimator, context, **kwargs):
            pass

    model = regressor(regressor=Failing()).set_callbacks(Tasks())
    with pytest.raises(RuntimeError, match="no"):
        model.fit(X, Y)
    assert log == ["setup", "teardown"]
    assert not any("ctx" in name or "teardown" in name for name in vars(model))


def test_there_is_no_prediction_in_the_middle_of_a_fit():
    model = regressor().fit(X, Y)
    del model.regressor_
    with pytest.raises(NotFittedError, match="regressor_ is fitted when the training has ended"):
        model.predict(X)
    with pytest.raises(NotFittedError):
        regressor().predict(X)


# ---------------------------------------------------------------- scikit-learn's ways


def test_same_seed_same_predictions():
    for params in ({}, {"regressor": None}, {"interval": "conformal", "finetune": True}):
        one, two = (regressor(**params).fit(X, FEW).predict(X) for _ in range(2))
        assert np.array_equal(one, two)


def test_copies_predict_alike(tmp_path):
    model = regressor(interval="conformal", finetune=True, finetune_iter=1).fit(X, FEW)
    joblib.dump(model, tmp_path / "model.joblib")
    refitted = clone(model).fit(X, FEW)
    copies = [pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib"), refitted]
    for other in copies:
        assert np.array_equal(other.predict(X), model.predict(X))
        expected = model.predict_interval(X, 0.7)
        assert np.array_equal(other.predict_interval(X, 0.7), expected)


def test_search_over_objective_and_head_in_parallel():
    grid = {
        "supervisedcontrastiveregressor__encoder__objective__temperature": [0.1, 1.0],
        "supervisedcontrastiveregressor__regressor__alpha": [0.1, 1e6],
    }
    pipeline = make_pipeline(StandardScaler(), regressor())
    with one_thread():
        searches = [GridSearchCV(pipeline, grid, cv=2, n_jobs=n).fit(X, Y) for n in (1, 2)]
    best = searches[0].best_params_
    assert best["supervisedcontrastiveregressor__regressor__alpha"] == 0.1
    results = [search.cv_results_["mean_test_score"] for search in searches]
    assert np.array_equal(*results) and len(set(results[0])) == 4
    assert np.array_equal(*(search.predict(X) for search in searches))
