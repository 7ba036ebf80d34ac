"""Searches and `transform` spread over processes and clusters; trials that end early."""

import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from test_docs import blocks

from skcontrast import ContrastiveEncoder

PAGE = Path(__file__).parents[1] / "docs" / "cluster.md"
X, Y = load_digits(return_X_y=True, as_frame=True)
X, Y = X[:80], Y[:80]
SMALL = {"n_components": 4, "max_iter": 1, "random_state": 0}


@pytest.fixture
def dask():
    """A module of Dask, with a cluster of two threads of this process."""
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ):
        yield pytest.importorskip("dask.dataframe")


def search(kind):
    pipeline = make_pipeline(ContrastiveEncoder(**SMALL), KNeighborsClassifier())
    grid = {"contrastiveencoder__learning_rate": [1e-5, 1e-3, 1e-2]}
    options = {} if kind is GridSearchCV else {"random_state": 0, "min_resources": 20}
    return kind(pipeline, grid, cv=2, refit=False, **options)


@pytest.mark.parametrize("kind", [GridSearchCV, HalvingGridSearchCV])
def test_a_search_on_dask_is_the_search_here(kind, dask):
    expected = search(kind).fit(X, Y).cv_results_
    with joblib.parallel_config("dask"):
        found = search(kind).fit(X, Y).cv_results_
    for name in ("split0_test_score", "split1_test_score", "rank_test_score"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_dask_transforms_in_partitions(dask):
    encoder = ContrastiveEncoder(**SMALL).set_output(transform="pandas").fit(X)
    rows = dask.from_pandas(X, npartitions=3)
    got = rows.map_partitions(encoder.transform, meta=encoder.transform(X.head(2))).compute()
    assert list(got) == list(encoder.get_feature_names_out())
    assert_close(got, encoder.transform(X))


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


class Threads(Callback):
    """Notes how many threads torch has in a fit."""

    def on_batch_end(self, net, **kwargs):
        self.seen = torch.get_num_threads()


def test_a_fit_has_the_threads_of_its_process():
    before, watch = torch.get_num_threads(), Threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            ContrastiveEncoder(callbacks=[watch], **SMALL).fit(X)
            assert watch.seen == torch.get_num_threads() == n
    finally:
        torch.set_num_threads(before)


def test_the_threads_of_a_process_are_its_share(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    counts = [joblib.delayed(torch.get_num_threads)()] * 2
    with joblib.parallel_config("loky", n_jobs=2):
        assert joblib.Parallel()(counts) == [max(joblib.cpu_count() // 2, 1)] * 2
    distributed = pytest.importorskip("distributed")
    with distributed.Client(n_workers=1, threads_per_worker=1, dashboard_address=":0"):
        with joblib.parallel_config("dask"):
            assert joblib.Parallel()(counts) == [1, 1]


def run_page(*wanted):
    """What the blocks of the page leave that hold one of these words."""
    found = {"__name__": "document"}
    for line, _, code in blocks(PAGE):
        if any(word in code for word in wanted):
            exec(compile("\n" * line + code, str(PAGE), "exec"), found)
    return found


@pytest.fixture
def page(monkeypatch):
    """The function that runs blocks of the page, with this package in the workers' path."""
    pytest.importorskip("distributed")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)  # Spark starts its workers by name
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parents[1]))
    return run_page


def test_optuna_prunes():
    pytest.importorskip("distributed")
    optuna = pytest.importorskip("optuna")
    study = run_page("import joblib", "import optuna")["study"]
    states = [trial.state for trial in study.trials]
    assert optuna.trial.TrialState.PRUNED in states
    assert max(len(trial.intermediate_values) for trial in study.trials) == 4
    assert study.best_value > 0.3


def test_spark_transforms(page):
    pytest.importorskip("pyspark", reason="Spark is not installed")
    found = page("import joblib", "dask.dataframe", "pyspark")
    try:
        assert_close(found["embedding"].toPandas(), found["encoder"].transform(found["X"]))
    finally:
        found["spark"].stop()


def test_ray_searches_and_transforms(page):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    found = page("import joblib", "dask.dataframe", "register_ray")
    try:
        got = found["embedding"].to_pandas().to_numpy(float)
        scores = found["search"].cv_results_
        again = found["search"].fit(found["X"], found["y"]).cv_results_
        np.testing.assert_array_equal(scores["mean_test_score"], again["mean_test_score"])
        assert_close(got, found["encoder"].transform(found["X"]))
        with joblib.parallel_config("ray", n_jobs=2):
            counts = [joblib.delayed(torch.get_num_threads)()] * 2
            assert joblib.Parallel()(counts) == [1, 1]
    finally:
        ray.shutdown()
