"""What the adapters read: by the door of the encoders, with fits that end whole."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from bad_input import SPARSE, X, Y, one_sentence
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_bad_input import REFUSED_ROWS, SOUND_ROWS, SOUND_SPARSE

import skcontrast
from skcontrast import ProKeRClassifier, ProKeRRegressor, ZeroShotClassifier
from skcontrast.kernels import Polynomial

NAMES = list("abcde")
FRAME = pd.DataFrame(X, columns=NAMES)
TARGET = X @ np.arange(5.0)
ADAPTERS = {
    "classifier": ProKeRClassifier(),
    "on a base": ProKeRClassifier(RidgeClassifier()),
    "gda": ProKeRClassifier(method="gda"),
    "regressor": ProKeRRegressor(),
    "means": ZeroShotClassifier(),
}
ONE_OF_EACH = ("classifier", "regressor", "means")


def fitted(model, rows, y=None):
    n = 20 if y is not None else np.shape(rows)[0]
    y = y if y is not None else TARGET[:n] if "Regressor" in type(model).__name__ else Y[:n]
    return clone(model).fit(rows, y)


def out_of(model, rows):
    return getattr(model, "decision_function", model.predict)(rows)


def sound(model, rows):
    """One fit gives finite numbers, or one sentence names X; a broken row is nobody's fault."""
    try:
        model = fitted(model, rows)
        assert np.isfinite(out_of(model, rows)).all()
    except ValueError as error:
        assert "X has entries as large as" in str(error), error
        return False
    return True


# --------------------------------------------------------------------------- what is read


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("kind", SOUND_ROWS)
def test_rows_that_encoders_read(kind, name):
    rows = SOUND_ROWS[kind]
    taken = sound(ADAPTERS[name], rows)
    large = "huge" in kind or kind in ("an outlier", "all scales")
    assert taken or large and name != "means"


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("kind", SOUND_SPARSE)
def test_sparse_rows_are_those_they_hold(kind, name):
    rows = SOUND_SPARSE[kind]
    if kind in ("huge", "wide"):
        return  # the former is refused by its size, the latter is no table
    dense = sp.csr_matrix(rows).toarray()
    one, other = (fitted(ADAPTERS[name], given) for given in (rows, dense))
    np.testing.assert_allclose(out_of(one, rows), out_of(other, dense), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("kind", [k for k in REFUSED_ROWS if k != "one row"])
def test_rows_that_encoders_refuse(kind, name):
    rows, match = REFUSED_ROWS[kind]
    if kind == "beyond float64 squares":
        if name == "means":
            return  # its rows are scaled to one length
        match = r"X has entries as large as 1.5e\+308, and entries up to 1e\+100 are taken: divide"
    match = match.replace("minimum of 2", "minimum of 1")
    with pytest.raises(ValueError, match=match) as caught:
        fitted(ADAPTERS[name], rows, Y)
    assert one_sentence(caught.value), str(caught.value)
    model = fitted(ADAPTERS[name], X)
    with pytest.raises(ValueError) as caught:
        model.predict(rows)
    assert one_sentence(caught.value), str(caught.value)


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.parametrize(
    "container",
    [
        lambda A: pd.DataFrame(A, columns=NAMES).convert_dtypes(dtype_backend="pyarrow"),
        lambda A: pl.DataFrame(A, schema=NAMES),
        lambda A: A[::-1, ::-1].copy()[::-1, ::-1],
        lambda A: pickle.loads(pickle.dumps(A, 5, buffer_callback=[].append), buffers=[bytes(A)]),
        lambda A: torch.tensor(A, requires_grad=True),
    ],
    ids=["arrow", "polars", "reversed", "read-only", "tensor"],
)
def test_containers_give_the_same_numbers(container, name):
    expected = out_of(fitted(ADAPTERS[name], X), X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = container(np.ascontiguousarray(X))
        model = fitted(ADAPTERS[name], given)
        np.testing.assert_allclose(out_of(model, given), expected, rtol=1e-9)
    if hasattr(given, "columns"):
        assert model.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize("name", ADAPTERS)
def test_strings_and_missing_values_of_frames_are_read(name, tmp_path):
    rows = FRAME.assign(town=pd.Series(["x", "y", None, "x"] * 5, dtype=object))
    rows.loc[3, "a"] = np.nan
    if name == "on a base":  # gets the frame itself, which it cannot read
        with pytest.raises(ValueError, match="could not convert string to float"):
            fitted(ADAPTERS[name], rows)
        return
    model = fitted(ADAPTERS[name], rows)
    assert model.n_features_in_ == 6
    assert np.isfinite(out_of(model, rows)).all()
    pytest.importorskip("safetensors")
    skcontrast.save(model, tmp_path)
    assert np.array_equal(out_of(skcontrast.load(tmp_path), rows), out_of(model, rows))
    with pytest.raises(ValueError, match="held numbers in fit|fit read a DataFrame with categ"):
        model.predict(rows.to_numpy() if name != "gda" else rows.assign(a="x"))


# ---------------------------------------------------------------- bases that read a frame


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("regress", [True, False])
def test_a_base_gets_the_frame(library, frozen, regress):
    frame = FRAME if library == "pandas" else pl.DataFrame(X, schema=NAMES)
    last = LinearRegression() if regress else LogisticRegression()
    scale = make_column_transformer((StandardScaler(), ["a", "d"]))
    base = make_pipeline(scale, last)
    y = TARGET if regress else np.where(np.arange(20) == 3, None, Y)  # a row is left out
    kept = np.arange(20) != 3
    adapter = ProKeRRegressor if regress else ProKeRClassifier
    if frozen:
        rows = FRAME[kept] if library == "pandas" else frame.filter(kept)
        base = FrozenEstimator(base.fit(rows, y[kept] if regress else Y[kept]))
    model = adapter(base).fit(frame, y)
    assert np.isfinite(out_of(model, frame)).all()
    model.partial_fit(frame[:6], y[:6])
    assert model.estimator_ is base or not frozen
    picked = make_pipeline(clone(scale).fit(FRAME), clone(last))
    assert picked[0].feature_names_in_.tolist() == NAMES


# ------------------------------------------------------------------------- fits end whole


class Stopped(KeyboardInterrupt):
    pass


def stopped(*args, **kwargs):
    raise Stopped


FAILURES = {
    "one class": lambda m: m.fit(X[:, :2], np.zeros(20)),
    "no label": lambda m: m.fit(X[:, :2], [None] * 20),
    "weights": lambda m: m.fit(X[:, :2], Y, sample_weight=-np.ones(20)),
    "groups": lambda m: m.fit(X[:, :2], Y, groups=np.ones(20)),
    "a parameter": lambda m: m.set_params(alpha=-1.0).fit(X[:, :2], Y),
}


def refused(model, fail):
    """A fit that fails: the fitted model is as before, an unfitted one is unfitted."""
    expected, before = model.predict_proba(FRAME), dict(vars(model))
    with pytest.raises((ValueError, KeyboardInterrupt)):
        fail(model)
    changed = {k for k in before if vars(model).get(k) is not before[k]} - {"alpha"}
    assert not changed and vars(model).keys() == before.keys()
    assert np.array_equal(model.predict_proba(FRAME), expected)
    fresh = clone(model)
    with pytest.raises((ValueError, KeyboardInterrupt)):
        fail(fresh)
    assert not [name for name in vars(fresh) if name.endswith("_") or name.startswith("_")]


@pytest.mark.parametrize("kind", FAILURES)
def test_a_fit_that_is_refused(kind):
    refused(ProKeRClassifier().fit(FRAME, Y), FAILURES[kind])


@pytest.mark.parametrize("adapter", [ProKeRClassifier, ProKeRRegressor])
@pytest.mark.parametrize("wrong", ["other columns", "more of y"])
def test_further_rows_that_are_refused(adapter, wrong):
    model = adapter().partial_fit(FRAME, Y)
    expected, before = model.predict(FRAME), dict(vars(model))
    rows, y = (FRAME[["a", "b"]], Y) if wrong == "other columns" else (FRAME, [*Y, *Y + 5])
    with pytest.raises(ValueError):
        model.partial_fit(rows, y)
    assert all(vars(model)[name] is value for name, value in before.items())
    assert np.array_equal(model.predict(FRAME), expected)


@pytest.mark.parametrize("where", ["fit_base", "left_out_scores", "clumps", "fit_temperature"])
def test_a_fit_that_is_interrupted(where, monkeypatch):
    model = ProKeRClassifier(LogisticRegression()).fit(FRAME, Y)
    monkeypatch.setattr(f"skcontrast.adaptation._classifier.{where}", stopped)
    refused(model, lambda m: m.fit(3 * X[::2, :3] + 1, Y[::2]))


def test_a_regressor_and_a_base_that_fail():
    model = ProKeRRegressor().fit(X, TARGET)
    expected, before = model.predict(X), dict(vars(model))
    for fail in (
        lambda: model.fit(X[:, :2], TARGET, sample_weight=-np.ones(20)),
        lambda: model.partial_fit(X, np.column_stack([TARGET, TARGET])),
        lambda: model.fit(X, np.full(20, np.inf)),
    ):
        with pytest.raises(ValueError):
            fail()
        assert vars(model) == before and np.array_equal(model.predict(X), expected)
    base = ZeroShotClassifier(np.eye(5)[:3], classes=["a", "b", "c"]).fit(np.eye(5))
    with pytest.raises(ValueError, match="class_embeddings has 5 columns, but X has 2"):
        base.fit(np.eye(2))
    assert base.predict(np.eye(5)[:3]).tolist() == ["a", "b", "c"]


def test_what_is_kept_is_no_view_of_the_rows_given():
    rows = X.copy()
    model = ProKeRClassifier(method="proker").fit(rows, Y)
    expected = model.decision_function(X)
    rows[:] = 0
    assert np.array_equal(model.decision_function(X), expected)


# ------------------------------------------------------------------- numbers that come out


@pytest.mark.parametrize("kernel", ["linear", "cosine", "poly", "log", "rbf"])
@pytest.mark.parametrize("method", ["local_linear", "nadaraya_watson"])
def test_averages_of_kernels_of_any_sign(method, kernel):
    far = np.vstack([X, -10 * X, 0 * X[:1], X.mean(axis=0, keepdims=True)])
    for center in (0, 100):
        model = ProKeRClassifier(method=method, kernel=kernel).fit(X + center, Y)
        assert np.isfinite(model.predict_log_proba(far)).all()
        model = ProKeRRegressor(method=method, kernel=kernel).fit(X + center, TARGET)
        predicted = model.predict(far)
        assert np.isfinite(predicted).all()
        if method == "nadaraya_watson":  # a mean of targets
            assert TARGET.min() - 1e-9 <= predicted.min() and predicted.max() <= TARGET.max() + 1e-9


def test_logarithms_of_probabilities():
    T = np.eye(5)[:3]
    base = ZeroShotClassifier(T, classes=[0, 1, 2], logit_scale=1e4).fit(np.eye(5))
    adapter = ProKeRClassifier(FrozenEstimator(base)).fit(X, Y)
    for model, rows in ((base, np.eye(5)), (adapter, X)):
        logs = model.predict_log_proba(rows)
        assert np.isfinite(logs).all()
        np.testing.assert_allclose(np.exp(logs), model.predict_proba(rows), atol=1e-12)
    assert base.predict_log_proba(np.eye(5)).min() < -9000


LARGE = 10**400
WEIGHTS = {
    "number": (2, "sample_weight is 2, one value: pass a list"),
    "string": ("a", "sample_weight is 'a', one value: pass a list"),
    "array without dimension": (np.array(2.0), r"sample_weight is array\(2.\), one value: pass"),
    "strings": (["a"] * 20, "sample_weight must hold one finite number .* convert string to float"),
    "large": ([LARGE] + [1] * 19, "sample_weight must hold one finite number .* int too large"),
    "objects": (np.array([LARGE] * 20), "sample_weight must hold one finite number .* too large"),
    "NaN": (np.full(20, np.nan), "sample_weight must hold one finite number .* contains NaN"),
    "masked": (np.ma.array(np.ones(20), mask=Y > 0), "sample_weight is a masked array that hides"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_no_numbers_of_rows(kind):
    weight, match = WEIGHTS[kind]
    encoder = skcontrast.ContrastiveEncoder(3, max_iter=1).fit(X)
    for fit, options in (
        (ProKeRClassifier().fit, {}),
        (ProKeRRegressor().partial_fit, {}),
        (encoder.finetune, {"objective": "cross_entropy", "n_iter": 1}),
    ):
        with pytest.raises(ValueError, match=match) as caught:
            fit(X, Y, sample_weight=weight, **options)
        assert one_sentence(caught.value)


@pytest.mark.parametrize("model", [ProKeRClassifier(), ProKeRRegressor(), ZeroShotClassifier()])
def test_targets_too_large_for_a_float(model):
    for y in ([LARGE, 1] * 10, np.array([LARGE, 1] * 10, dtype=object)):
        with pytest.raises(ValueError, match="^y (holds integers beyond|must hold .* too large)"):
            model.fit(X, y)


@pytest.mark.parametrize("name", ADAPTERS)
def test_what_a_mask_hides_is_not_read(name):
    y = TARGET if name == "regressor" else Y
    hidden = np.ma.array(X, mask=X > 1)
    with pytest.raises(ValueError, match=r"^X is a masked array .* type X.filled\(value\)"):
        clone(ADAPTERS[name]).fit(hidden, y)
    with pytest.raises(ValueError, match=r"^y is a masked array .* type y.filled\(value\)"):
        clone(ADAPTERS[name]).fit(X, np.ma.array(y, mask=Y == Y[0]))
    model = fitted(ADAPTERS[name], X)
    with pytest.raises(ValueError, match="^X is a masked array"):
        model.predict(hidden)
    again = clone(model).fit(np.ma.array(X), np.ma.array(y, mask=np.zeros(len(y), dtype=bool)))
    assert np.array_equal(out_of(again, X), out_of(model, X))


@pytest.mark.parametrize("given", ["X", "y", "groups", "condition"])
def test_a_mask_before_an_encoder(given):
    hidden = np.ma.array(X[:, 0], mask=X[:, 0] > 0)
    rows = {"X": X, given: np.ma.array(X, mask=X > 1) if given == "X" else hidden}
    objective = {"y": "y_aware", "condition": "conditional"}.get(given, "info_nce")
    with pytest.raises(ValueError, match=f"{given} is a masked array that hides"):
        skcontrast.ContrastiveEncoder(3, objective=objective, max_iter=1).fit(**rows)


def test_numbers_without_room_for_their_squares():
    for model, given in (
        (ProKeRClassifier(), {"X": 1e200 * X, "y": Y}),
        (ProKeRClassifier(), {"X": X, "y": Y, "sample_weight": np.full(20, 1e200)}),
        (ProKeRRegressor(), {"X": X, "y": 1e200 * TARGET}),
    ):
        with pytest.raises(ValueError, match=r"has entries as large as .*: divide (X|y|sample_w)"):
            model.fit(**given)
    with pytest.raises(ValueError, match="Polynomial.* gives NaN or infinite values"):
        ProKeRClassifier(kernel=Polynomial(degree=9, gamma=1.0)).fit(1e90 * X, Y)
    tiny = np.where(np.arange(20) < 3, 1e-300, 1.0)
    part = ProKeRClassifier().fit(X[3:], Y[3:])
    model = ProKeRClassifier().fit(X, Y, sample_weight=tiny)
    np.testing.assert_allclose(model.decision_function(X), part.decision_function(X))


def test_rows_without_a_target_are_left_out_by_a_regressor():
    y = np.where(np.arange(20) % 4 == 0, np.nan, TARGET)
    known = ~np.isnan(y)
    one, other = ProKeRRegressor().fit(X, y), ProKeRRegressor().fit(X[known], y[known])
    assert np.array_equal(one.predict(X), other.predict(X))
    with pytest.raises(ValueError, match="y has no labelled row"):
        ProKeRRegressor().fit(X, np.full(20, np.nan))


def test_warnings_point_to_the_caller():
    for fit, match in (
        (lambda: ProKeRClassifier(LogisticRegression().fit(X, Y)).fit(X, Y), "fitted anew"),
        (lambda: ZeroShotClassifier(np.eye(5), list("abcde")).fit(X), "scaled to unit length"),
    ):
        with pytest.warns(UserWarning, match=match) as caught:
            fit()
        assert caught[0].filename == __file__
    assert SPARSE.shape == X.shape
