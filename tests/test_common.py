"""scikit-learn's checks and ours, on every exported estimator."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import torch
from instances import (
    adapter_instances,
    blobs,
    detector_instances,
    exported_estimators,
    fixed_instances,
    small_instances,
)
from rounding import assert_same_but_rounding, one_thread, threads
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from text_instances import text_instances

INSTANCES = small_instances()
TRANSFORMERS = [*INSTANCES, *fixed_instances()]


def on_every_estimator(function):
    names = [repr(estimator)[:60] for estimator in INSTANCES]
    return pytest.mark.parametrize("estimator", INSTANCES, ids=names)(function)


def fitted(estimator, X=None, y=None):
    if X is None:
        X, y = blobs()
    return clone(estimator).fit(X, y)


def of_encoder(estimator, prefix="", **params):
    """Parameters of the encoder, which an estimator with a head holds."""
    prefix += "encoder__" if hasattr(estimator, "encoder") else ""
    return {prefix + name: value for name, value in params.items()}


def encoder_of(model):
    return getattr(model, "encoder_", model)


def test_every_exported_estimator_has_an_instance():
    # The common tests here are of estimators that transform tables; the others have their own.
    others = adapter_instances(), text_instances(), detector_instances()
    instances = [*TRANSFORMERS, *(e for some in others for e in some)]
    assert {type(e) for e in instances} == set(exported_estimators())


# Checks that compare the rows of one call with those of others, to 1e-7 of their size. Where a
# processor rounds another number of rows in another way, no float32 network comes that near.
CLOSER_THAN_FLOAT32 = {
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}


@parametrize_with_checks(TRANSFORMERS)
def test_scikit_learn(estimator, check):
    trained = hasattr(estimator, "precision") or hasattr(estimator, "encoder")
    if trained and check.func.__name__ in CLOSER_THAN_FLOAT32:
        estimator.set_params(**of_encoder(estimator, precision="float64"))
    check(estimator)


# Checks that scikit-learn keeps for its own estimators.
UNLISTED = [
    "check_param_validation",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_dataframe_column_names_consistency",
    "check_n_features_in_after_fitting",
    "check_get_feature_names_out_error",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_f_contiguous_array_estimator",
    "check_readonly_memmap_input",
]


@pytest.mark.parametrize("estimator", TRANSFORMERS, ids=lambda e: repr(e)[:60])
@pytest.mark.parametrize("name", UNLISTED)
def test_scikit_learn_unlisted(estimator, name):
    check = getattr(estimator_checks, name)
    check(type(estimator).__name__, clone(estimator))


@on_every_estimator
@pytest.mark.parametrize("n_threads", [1, 2])
def test_same_seed_same_bits(estimator, n_threads):
    X, y = blobs(n=300, n_features=20)
    with threads(n_threads):
        first, second = fitted(estimator, X, y), fitted(estimator, X, y)
        assert encoder_of(first).loss_curve_ == encoder_of(second).loss_curve_
        assert np.array_equal(first.transform(X), second.transform(X))
    other = clone(estimator).set_params(random_state=1).fit(X, y)
    assert not np.array_equal(first.transform(X), other.transform(X))


@on_every_estimator
def test_same_bits_in_pipeline_and_parallel_search(estimator):
    X, y = blobs(n=90)
    alone = fitted(estimator, X, y).transform(X)
    pipeline = Pipeline([("emb", clone(estimator)), ("clf", LogisticRegression())]).fit(X, y)
    assert np.array_equal(pipeline[:-1].transform(X), alone)
    grid = of_encoder(estimator, "emb__", learning_rate=[1e-3, 3e-3])
    with one_thread():
        searches = [
            GridSearchCV(clone(pipeline), grid, cv=2, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2)
        ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert np.array_equal(*scores)
    outputs = [search.best_estimator_[:-1].transform(X) for search in searches]
    assert np.array_equal(*outputs)


@on_every_estimator
def test_other_numbers_of_threads_change_the_rounding_alone(estimator):
    X, y = blobs(n=300, n_features=20)
    outputs = []
    for n in (1, 2):
        with threads(n):
            outputs.append(fitted(estimator, X, y).transform(X))
    # Each step of the training adds to the differences of the steps before.
    assert_same_but_rounding(*outputs, tolerance=1e-3)


@on_every_estimator
def test_global_generators_stay_where_they_were(estimator):
    X, y = blobs()
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    pickled = pickle.dumps(fitted(estimator, X, y))
    pickle.loads(pickled).transform(X)
    if hasattr(estimator, "partial_fit"):
        clone(estimator).partial_fit(X, y)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    # Without a seed, one number is drawn from NumPy, as everywhere in scikit-learn.
    clone(estimator).set_params(random_state=None).fit(X, y)
    assert torch.equal(torch.get_rng_state(), torch_state)


@on_every_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transform_depends_on_the_row_alone(estimator, dtype):
    X, y = blobs(n=50, dtype=dtype)
    model = fitted(estimator, X, y)
    whole = model.transform(X)
    assert whole.dtype == dtype
    order = np.random.default_rng(0).permutation(len(X))
    assert_same_but_rounding(model.transform(X[order]), whole[order])
    for size in (1, 2, 7, 33):
        parts = [model.transform(X[i : i + size]) for i in range(0, len(X), size)]
        assert_same_but_rounding(np.concatenate(parts), whole)


@on_every_estimator
@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csr_array])
def test_sparse_rows_embed_like_dense_ones(estimator, container):
    X, y = blobs()
    X = np.where(np.abs(X) > 2, X, 0)
    params = of_encoder(estimator, standardize=False, precision="float64")
    model = clone(estimator).set_params(**params)
    if not model.__sklearn_tags__().input_tags.sparse:
        with pytest.raises(TypeError, match="Sparse data was passed.*toarray"):
            model.fit(container(X), y)
        return
    model.fit(container(X), y)
    np.testing.assert_allclose(model.transform(container(X)), model.transform(X), rtol=1e-9)


@on_every_estimator
def test_copies_embed_alike(estimator):
    X, y = blobs()
    model = fitted(estimator, X, y)
    expected = model.transform(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.transform(X), expected)
    assert joblib.hash(model) == joblib.hash(pickle.loads(pickle.dumps(model)))


@on_every_estimator
def test_fitted_state_is_numpy(estimator):
    def kinds(value):
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values()), *map(kinds, value))
        if isinstance(value, (list, tuple)):
            return set().union(set(), *map(kinds, value))
        return {type(value)}

    model = clone(estimator).set_params(**of_encoder(estimator, warm_start=True)).fit(*blobs())
    state = {**vars(model), "encoder_": vars(encoder_of(model))}
    found = set().union(*map(kinds, state.values()))
    assert not any(kind.__module__.partition(".")[0] == "torch" for kind in found), found


@on_every_estimator
def test_string_and_object_are_the_same(estimator):
    X, y = blobs()
    by_name = fitted(estimator, X, y)
    params, encoder = {}, getattr(estimator, "encoder", estimator)
    for name, registry in type(encoder)._shorthand.items():
        value = getattr(encoder, name)
        if isinstance(value, str) and value != "auto":
            from skcontrast._component import resolve

            params[name] = resolve(value, registry)
    assert params
    by_object = clone(estimator).set_params(**of_encoder(estimator, **params)).fit(X, y)
    assert np.array_equal(by_name.transform(X), by_object.transform(X))


@on_every_estimator
def test_set_params_looks_through_strings(estimator):
    sgd, adamw = (
        of_encoder(estimator, optimizer=name, optimizer__momentum=0.5) for name in ("sgd", "adamw")
    )
    model = clone(estimator).set_params(**sgd)
    optimizer = getattr(model, "encoder", model).optimizer
    assert type(optimizer).__name__ == "SGD" and optimizer.momentum == 0.5
    with pytest.raises(ValueError, match="Invalid parameter 'momentum'"):
        clone(estimator).set_params(**adamw)


@on_every_estimator
def test_side_information_is_sliced_by_a_search(estimator):
    X, y = blobs()
    seen = []

    class Recorder(type(estimator)):
        def fit(self, X, y=None, *, condition=None, prior=None, groups=None):
            seen.append((X[:, 0], condition))
            return super().fit(X, y)

    Recorder.__init__ = type(estimator).__init__
    model = Recorder(**estimator.get_params(deep=False))
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(condition=True)
        pipeline = make_pipeline(model, LogisticRegression())
        cross_validate(pipeline, X, y, cv=3, params={"condition": X[:, 0]}, error_score="raise")
    assert len(seen) == 3
    for rows, condition in seen:
        assert np.array_equal(rows, condition)


@on_every_estimator
def test_constructor_stores_and_nothing_else(estimator):
    cls = type(estimator)
    parameters = inspect.signature(cls.__init__).parameters
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    assert set(vars(cls())) == set(parameters) - {"self"}
