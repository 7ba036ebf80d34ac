"""Thousands of drawn inputs: a finite embedding that seeds repeat, or one clear sentence."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from bad_input import one_sentence
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rounding import assert_same_but_rounding

from skcontrast import ContrastiveEncoder
from skcontrast.networks import MLP
from skcontrast.objectives import OBJECTIVES, InfoNCE, SupCon
from skcontrast.optimizers import SGD, AdamW
from skcontrast.temperatures import Individual
from skcontrast.views import VIEWS, Corruption, GaussianNoise, Mixup

REFUSALS = (ValueError, TypeError)  # InvalidParameterError is both


def run(n_examples):
    """Settings of a stable run: the same examples every time."""
    return settings(
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


seldom = st.sampled_from([False] * 15 + [True])
SCALES = [0.0, 1e-320, 1e-300, 1e-150, 1e-30, 1e-5, 1.0, 1e5, 1e10, 1e30, 1e150, 1e300]


@st.composite
def rows(draw):
    """Small tables, dense or CSR, with repeated rows, constants and odd units."""
    n, d = draw(st.sampled_from([*range(2, 10), *range(2, 10), 1])), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    X = rng.standard_normal((n, d))
    kind = draw(st.sampled_from(["normal", "normal", "whole", "constant", "one row", "outlier"]))
    if kind == "whole":
        X = X.round()
    elif kind == "constant":
        X[:, rng.random(d) < 0.7] = draw(st.sampled_from([0.0, 1.0, -7.5, 1e12]))
    elif kind == "one row":
        X[:] = X[0]
    elif kind == "outlier":
        X[rng.integers(n), rng.integers(d)] = draw(st.sampled_from([1e8, -1e30, 1e300]))
    if draw(st.booleans()):
        X = X[rng.integers(n, size=n)]
    if draw(st.booleans()):
        with np.errstate(over="ignore"):
            X = X * draw(st.sampled_from(SCALES))
    if draw(seldom):
        X[rng.integers(n), rng.integers(d)] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    dtype = draw(st.sampled_from([np.float64, np.float64, np.float32]))
    with np.errstate(over="ignore"):
        X = X.astype(dtype)
    if draw(st.sampled_from([False, False, True])):
        return sp.csr_matrix(np.where(rng.random(X.shape) < 0.6, X, 0).astype(dtype))
    return X


@st.composite
def targets(draw, n):
    """A target of ``n`` entries; now and then one that no objective can use."""
    kind = draw(st.sampled_from(["int", "str", "float"]))
    if draw(seldom):
        kind = draw(st.sampled_from(["none", "short", "continuous"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    y = rng.integers(-1, draw(st.sampled_from([4, 3, 2, 1, 0])), size=n)
    if kind == "str":
        return np.array(["x", "y", "z", "u", "v"])[y]
    if kind == "continuous":
        return y + draw(st.sampled_from([0.5, np.nan]))
    return {"int": y, "float": y.astype(float), "none": None, "short": y[:-1]}[kind]


some_objective = st.one_of(
    st.sampled_from(sorted(OBJECTIVES)),
    st.sampled_from(
        [
            InfoNCE(temperature=Individual()),
            InfoNCE(temperature="model_aware"),
            InfoNCE(temperature="learned", form="two_way"),
            InfoNCE(temperature=1e-3),
            InfoNCE(block_size=2),
            InfoNCE(form="one_way", hard_negatives=True),
            SupCon(form="inside"),
            SupCon(block_size=3) + 0.5 * InfoNCE(),
        ]
    ),
)
one_view = st.sampled_from(
    [*sorted(VIEWS), Corruption(rate=1.0), GaussianNoise(scale=10.0), Mixup(alpha=0.01)]
)
some_network = st.sampled_from(
    [
        "linear",
        MLP(hidden_layer_sizes=(4,)),
        MLP(hidden_layer_sizes=(1,), activation="tanh"),
        MLP(hidden_layer_sizes=(3, 3), skip=True, activation="gelu", dropout=0.2),
        MLP(hidden_layer_sizes=(4,), normalization="batch", activation="silu"),
        MLP(hidden_layer_sizes=(4,), normalization=None),
    ]
)
some_parameters = st.fixed_dictionaries(
    {
        "n_components": st.sampled_from([1, 2, 3, 7, None]),
        "objective": some_objective,
        "views": st.one_of(one_view, one_view, st.lists(one_view, min_size=1, max_size=3)),
        "n_views": st.sampled_from([2, 3] * 8 + [1]),
        "clean_anchor": st.booleans(),
        "network": some_network,
        "projector": st.sampled_from([None, None, "linear", MLP(hidden_layer_sizes=(2,))]),
        "sampler": st.sampled_from(["uniform", "uniform", "class_balanced"]),
        "standardize": st.sampled_from([True, True, False]),
        "optimizer": st.sampled_from(["adamw", "sgd", AdamW(max_grad_norm=1.0), SGD(momentum=0)]),
        "learning_rate": st.sampled_from([1e-5, 1e-3, 1e-1]),
        "batch_size": st.sampled_from(["auto", 2, 3, 5]),
        "early_stopping": st.sampled_from([False] * 7 + [True]),
        "precision": st.sampled_from(["float32", "float32", "float64", "bfloat16"]),
        "random_state": st.integers(0, 100),
    }
)


def embedding(X, y, params):
    """Fit and transform; a refusal has to be one sentence and leave nothing behind."""
    model = ContrastiveEncoder(**params, max_iter=1, device="cpu")
    before = set(vars(model))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
    except (*REFUSALS, FloatingPointError) as error:
        assert one_sentence(error), str(error)
        assert set(vars(model)) == before
        if isinstance(error, FloatingPointError):
            # The spread of a distribution is free to run away, by a rate that is too large.
            free = params["objective"] == "gaussian" and params["optimizer"] != "adamw"
            assert free or not params["standardize"], f"{error} on standardised rows"
        return None
    return model.transform(X)


@run(1100)
@given(rows(), st.data(), some_parameters)
def test_fit_gives_an_embedding_or_a_sentence(X, data, params):
    y = data.draw(targets(X.shape[0]))
    Z = embedding(X, y, params)
    if Z is None:
        return
    assert len(Z) == X.shape[0]
    if params["n_components"]:
        assert Z.shape[1] == params["n_components"]
    assert Z.dtype == X.dtype
    assert np.isfinite(Z).all()
    assert np.array_equal(embedding(X, y, params), Z)


@run(300)
@given(rows(), rows(), st.booleans(), some_network)
def test_transform_gives_an_embedding_or_a_sentence(X, other, standardize, network):
    params = {"network": network, "n_components": 2, "standardize": standardize, "random_state": 0}
    if embedding(X, None, {**params, "views": "corruption"}) is None:
        return
    model = ContrastiveEncoder(**params, views="corruption", max_iter=1, device="cpu").fit(X)
    expected = model.transform(X)
    try:
        Z = model.transform(other)
    except REFUSALS as error:
        assert one_sentence(error), str(error)
    else:
        assert Z.shape == (other.shape[0], 2)
        assert np.isfinite(Z).all()
        # In float64: products with one row may be rounded in another way than those with many,
        # and a network whose inputs cancel makes of float32's rounding what it likes.
        fine = copy.copy(model).set_params(precision="float64")
        alone = np.vstack([fine.transform(row) for row in each(other)])
        assert_same_but_rounding(alone, fine.transform(other), tolerance=1e-6)
    assert np.array_equal(model.transform(X), expected)


def each(X):
    return (X[i : i + 1] for i in range(X.shape[0]))


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["Mlp", "info nce", "corrupt", "gpu", "cuda:9", b"mlp", object(), dict, len]),
    st.sampled_from([MLP, MLP(), InfoNCE(), Corruption(), AdamW(), np.array([1.0]), np.int64(2)]),
    st.lists(st.sampled_from([None, "mask", "maks", 3, Corruption(rate=2), MLP()]), max_size=2),
)
PARAMETERS = sorted(set(ContrastiveEncoder().get_params(deep=False)) - {"checkpoint", "verbose"})
X_SMALL = np.random.default_rng(0).standard_normal((8, 3))


@run(700)
@given(st.sampled_from(PARAMETERS), ANYTHING)
def test_any_value_of_a_parameter(name, value):
    cheap = {"n_components": 2, "network": "linear", "random_state": 0, "views": "corruption"}
    model = ContrastiveEncoder(**{**cheap, "max_iter": 1, "device": "cpu", name: value})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X_SMALL)
            Z = model.transform(X_SMALL)
    except (*REFUSALS, FloatingPointError) as error:
        assert one_sentence(error), str(error)
        nested = isinstance(value, (list, tuple)) and "parameter of Corruption" in str(error)
        assert name in str(error) or nested, str(error)
    else:
        assert np.isfinite(Z).all()


def test_sentences_are_told_from_traces():
    assert one_sentence(ValueError("The 'a' parameter must be 3. Got 4 instead."))
    assert not one_sentence(ValueError("mat1 and mat2\nshapes"))
    with pytest.raises(AssertionError):
        assert one_sentence(RuntimeError("anything"))
