"""What a caller set in torch, NumPy and scikit-learn, and other threads, change no fit."""

import pickle
import random
import threading
import warnings
from contextlib import contextmanager
from copy import deepcopy

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import torch
from instances import (
    adapter_instances,
    blobs,
    detector_instances,
    fixed_instances,
    small_instances,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from text_instances import topics, vectorizer_instances

import skcontrast
from skcontrast._training.devices import in_turn
from skcontrast.inspection import TangentSurrogate
from skcontrast.networks import MLP

X, Y = blobs()
TEXTS, TOPIC = topics()
TEXT_HEAD = skcontrast.SupervisedContrastiveClassifier(
    skcontrast.ContrastiveTextEncoder(n_components=3, max_iter=2), random_state=0
)
DROPOUT = MLP((16,), dropout=0.5)
TABLES = [
    *small_instances(),
    *fixed_instances(),
    *adapter_instances(),
    *detector_instances(),
    skcontrast.ContrastiveEncoder(max_iter=2, random_state=0, network=DROPOUT),
    TangentSurrogate(skcontrast.ContrastiveEncoder(max_iter=1, random_state=0).fit(X, Y)),
]
CASES = [
    *((model, X, Y) for model in TABLES),
    *((model, TEXTS, TOPIC) for model, _ in vectorizer_instances()),
    (TEXT_HEAD, TEXTS, TOPIC),
]
on_models = pytest.mark.parametrize(
    ("model", "rows", "y"), CASES, ids=[f"{type(c[0]).__name__}{i}" for i, c in enumerate(CASES)]
)


@contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device():
    # "meta" stands for a GPU that this machine may lack.
    torch.set_default_device("meta")
    try:
        yield
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def no_grad():
    with torch.no_grad():
        yield
        assert not torch.is_grad_enabled()


@contextmanager
def inference_mode():
    with torch.inference_mode():
        yield
        assert torch.is_inference_mode_enabled()


@contextmanager
def autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield
        assert torch.is_autocast_enabled("cpu")


@contextmanager
def raised_errors():
    with np.errstate(all="raise"):
        yield
        assert set(np.geterr().values()) == {"raise"}


@contextmanager
def frames():
    with sklearn.config_context(transform_output="pandas"):
        yield
        assert sklearn.get_config()["transform_output"] == "pandas"


STATES = [
    no_grad,
    inference_mode,
    autocast,
    default_dtype,
    default_device,
    deterministic,
    raised_errors,
    frames,
]


def fitted_outputs(model, rows, y):
    """What a new fit gives for its rows."""
    found = outputs(deepcopy(model).fit(rows, y), rows)
    if hasattr(model, "fit_transform"):
        found["fit_transform"] = dense(deepcopy(model).fit_transform(rows, y))
    return found


def outputs(model, rows):
    """What a fitted model gives for rows, by the method that gives it."""
    names = ("transform", "predict", "predict_proba", "decision_function", "predict_interval")
    return {name: dense(getattr(model, name)(rows)) for name in names if hasattr(model, name)}


def dense(values):
    return values.toarray() if sp.issparse(values) else values


def generators():
    return torch.get_rng_state(), np.random.get_state()[1].copy()


@on_models
def test_states_of_the_caller_reach_no_fit_and_stay(model, rows, y):
    expected = fitted_outputs(model, rows, y)
    before = generators()
    for state in STATES:
        if state is frames and isinstance(model, skcontrast.SparseCoder):
            continue  # scikit-learn makes no frames of sparse output
        with state():
            got = fitted_outputs(model, rows, y)
        assert got.keys() == expected.keys()
        for name, value in got.items():
            if state is frames and "transform" in name:
                assert isinstance(value, pd.DataFrame)
            np.testing.assert_array_equal(value, expected[name], err_msg=state.__name__)
    for now, then in zip(generators(), before):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_there_again_after_an_error(state):
    with state():
        with pytest.raises(ValueError):
            skcontrast.ContrastiveEncoder(n_components=-1).fit(X)
        with pytest.raises(ValueError):
            skcontrast.ProKeRClassifier().fit(X, Y[:3])


def in_threads(tasks):
    """Results of callables that start at the same moment, each in a thread of its own."""
    start, found = threading.Barrier(len(tasks)), [None] * len(tasks)

    def run(i, task):
        start.wait()
        found[i] = task()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def a_thread_that_draws():
    """Another thread draws from torch's generator meanwhile: it gets what it would get alone."""
    drawn, over = [], threading.Event()

    def draw():
        while not over.is_set():
            drawn.append(torch.rand(3))
            over.wait(1e-3)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        thread = threading.Thread(target=draw)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        alone = torch.Generator().manual_seed(5)
        assert all(torch.equal(got, torch.rand(3, generator=alone)) for got in drawn)
        assert torch.equal(torch.get_rng_state(), alone.get_state())


@on_models
def test_a_fit_beside_others_is_the_fit_alone(model, rows, y):
    expected = fitted_outputs(model, rows, y)
    before = generators()
    other = skcontrast.ContrastiveEncoder(max_iter=3, random_state=1, network=DROPOUT)
    tasks = [lambda: fitted_outputs(model, rows, y)] * 2 + [lambda: other.fit(X)] * 2
    with a_thread_that_draws():
        found = in_threads(tasks)[:2]
    for got in found:
        for name, value in got.items():
            np.testing.assert_array_equal(value, expected[name])
    for now, then in zip(generators(), before):
        np.testing.assert_array_equal(now, then)


# One of each kind that trains, and trains fast.
KINDS = (2, 5, 6, 7, 9, 15, 21, 27, 29, 31, 34, 36)


@pytest.mark.parametrize(
    ("model", "rows", "y"),
    [CASES[i] for i in KINDS],
    ids=[type(CASES[i][0]).__name__ for i in KINDS],
)
def test_eight_fits_at_once_are_the_fit_alone(model, rows, y):
    fitted = deepcopy(model).fit(rows, y)
    expected, before = outputs(fitted, rows), generators()
    state = random.getstate()
    tasks = [lambda: outputs(deepcopy(model).fit(rows, y), rows)] * 8
    # A model is used meanwhile that this process has not built yet.
    tasks.append(lambda: outputs(pickle.loads(pickle.dumps(fitted)), rows))
    for got in in_threads(tasks):
        for name, value in expected.items():
            np.testing.assert_array_equal(got[name], value)
    for now, then in zip(generators(), before):
        np.testing.assert_array_equal(now, then)
    assert random.getstate() == state


def test_transform_does_not_wait_for_a_fit():
    encoder = skcontrast.ContrastiveEncoder(max_iter=1, random_state=0, network=DROPOUT).fit(X)
    loaded, done = pickle.loads(pickle.dumps(encoder)), threading.Event()
    thread = threading.Thread(target=lambda: (loaded.transform(X), done.set()), daemon=True)
    with in_turn(0, torch.device("cpu")):  # as in a fit
        thread.start()
        assert done.wait(30)


def test_states_of_threads_are_their_own():
    X32 = X.astype(np.float32)
    model = skcontrast.ContrastiveEncoder(max_iter=3, random_state=0)
    expected = fitted_outputs(model, X32, Y)["transform"]
    with default_dtype():
        for got in in_threads([lambda: fitted_outputs(model, X32, Y)] * 3):
            np.testing.assert_array_equal(got["transform"], expected)


def test_a_search_in_threads_is_the_search_in_one():
    encoder = skcontrast.ContrastiveEncoder(max_iter=2, random_state=0)
    pipeline = make_pipeline(encoder, LogisticRegression())
    grid = {"contrastiveencoder__learning_rate": [1e-3, 3e-3, 1e-2]}
    searches = []
    for n_jobs in (1, 4):
        search = GridSearchCV(pipeline, grid, n_jobs=n_jobs, cv=3)
        with joblib.parallel_backend("threading"):
            searches.append(search.fit(X, Y).cv_results_)
    for key in ("mean_test_score", "std_test_score"):
        np.testing.assert_array_equal(searches[0][key], searches[1][key])


def read_only(model):
    """The model as a process sees it that shares its arrays with others."""
    buffers = []
    data = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer.raw()) for buffer in buffers])


@on_models
def test_arrays_that_must_not_be_written_to(model, rows, y):
    model = deepcopy(model).fit(rows, y)
    if isinstance(rows, np.ndarray):
        locked, labels = rows.copy(), np.array(y)
        locked.flags.writeable = labels.flags.writeable = False
    else:
        locked, labels = rows, y
    expected = outputs(model, rows)
    expected["fit_transform"] = expected.get("transform")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*writable")
        for got in outputs(read_only(model), locked), fitted_outputs(model, locked, labels):
            for name, value in got.items():
                np.testing.assert_array_equal(value, expected[name])
