"""What holds for every estimator that takes text; test_text_common.py runs it.

``check_*`` functions take an estimator; those in VECTORIZER_CHECKS also a grid.
"""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from rounding import assert_same_but_rounding, one_thread
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.fixes import parse_version
from text_instances import topics

import skcontrast


def fitted(estimator, X=None):
    return clone(estimator).fit(topics()[0] if X is None else X)


def assert_same(a, b):
    assert same(a, b)


def same(a, b):
    """Whether two outputs are equal, arrays or lists of tokens."""
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    return list(map(list, a)) == list(map(list, b))


def check_parameters_are_stored_and_nothing_else(estimator):
    cls = type(estimator)
    parameters = inspect.signature(cls.__init__).parameters
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    names = set(parameters) - {"self"}
    assert set(vars(cls())) == names == set(cls().get_params(deep=False))
    copied = clone(estimator)
    assert copied.get_params().keys() == estimator.get_params().keys()
    assert set(vars(copied)) == names
    for name in names:
        assert cls().set_params(**{name: "anything"}).get_params()[name] == "anything"


def check_fit_leaves_the_parameters(estimator):
    model = clone(estimator)
    before = repr(model.get_params())
    assert model.fit(topics()[0]) is model
    assert repr(model.get_params()) == before
    public = [name for name in vars(model) if name not in model.get_params()]
    assert all(name.endswith("_") or name.startswith("_") for name in public)


def check_unknown_values_of_parameters(estimator):
    for name in estimator.get_params():
        model = clone(estimator).set_params(**{name: object()})
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            model.fit(topics()[0])


def check_not_fitted(estimator):
    model = clone(estimator)
    with pytest.raises(NotFittedError):
        model.transform(topics()[0])
    described = inspect.getdoc(type(estimator)).partition("Attributes\n")[2].splitlines()
    heads = [line.partition(" : ")[0] for line in described if " : " in line]
    names = [n for head in heads for n in head.split(", ") if n.endswith("_") and n.isidentifier()]
    assert names and not any(hasattr(model, name) for name in names)


def check_a_failed_fit_leaves_nothing(estimator):
    for bad in ("one string", b"bytes", None, 3, [], iter([]), [None], ["a word", float("nan")]):
        model = clone(estimator)
        before = set(vars(model))
        with pytest.raises(ValueError) as caught:
            model.fit(bad)
        assert "\n" not in str(caught.value)
        assert set(vars(model)) == before
        with pytest.raises(ValueError):
            fitted(estimator).transform(bad)


def check_same_seed_same_bits(estimator):
    X, _ = topics()
    assert same(fitted(estimator).transform(X), fitted(estimator).transform(X))
    assert same(clone(estimator).fit_transform(X), fitted(estimator).transform(X))


def check_generators_and_containers(estimator):
    X, _ = topics()
    expected = fitted(estimator).transform(X)
    for container in (iter, tuple, np.array, pd.Series, lambda X: np.array(X, dtype=object)):
        assert same(fitted(estimator, container(X)).transform(container(X)), expected)
    assert same(clone(estimator).fit_transform(document for document in X), expected)
    model = fitted(estimator)
    tokens = [document.split() for document in X]
    assert same(fitted(estimator, tokens).transform(tokens), expected)
    assert same(model.transform(tokens), expected)


def check_the_number_of_jobs_changes_nothing(estimator):
    if "n_jobs" not in estimator.get_params():
        return
    X, threads, outputs = topics()[0], torch.get_num_threads(), []
    for n_jobs in (None, 1, 2):
        outputs.append(clone(estimator).set_params(n_jobs=n_jobs).fit(X).transform(X))
    assert same(outputs[0], outputs[1]) and same(outputs[0], outputs[2])
    assert torch.get_num_threads() == threads


def check_global_generators_stay(estimator):
    X, _ = topics()
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    fitted(estimator).transform(X)
    assert np.array_equal(np.random.get_state()[1], numpy_state)
    if "random_state" in estimator.get_params():
        clone(estimator).set_params(random_state=None).fit(X)
    assert torch.equal(torch.get_rng_state(), torch_state)


def check_copies_are_alike(estimator):
    X, _ = topics()
    model = fitted(estimator)
    expected = model.transform(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert same(other.transform(X), expected)


def check_save_and_load(estimator, folder):
    pytest.importorskip("safetensors")
    X, _ = topics()
    model = fitted(estimator)
    skcontrast.save(model, folder)
    assert same(skcontrast.load(folder).transform(X), model.transform(X))


def check_tags(estimator):
    tags = get_tags(estimator)
    assert tags.input_tags.string and not tags.input_tags.two_d_array


def check_documents_do_not_see_each_other(estimator, grid=None):
    X, _ = topics()
    model = fitted(estimator)
    whole = model.transform(X)
    # Word vectors are added up document by document, a network multiplies all at once.
    compare = assert_same_but_rounding if "network" in model.get_params() else assert_same
    compare(model.transform(X[::-1]), whole[::-1])
    compare(model.transform(X[3:4]), whole[3:4])


def check_output(estimator, grid):
    X, _ = topics()
    Z = fitted(estimator).transform(X)
    assert Z.shape == (len(X), estimator.get_params()["n_components"])
    assert Z.dtype == np.float32 and np.isfinite(Z).all()
    assert len(np.unique(Z, axis=0)) > 1


def check_unknown_documents(estimator, grid):
    X = ["qqqq", topics()[0][0], "", "the"]
    model = fitted(estimator)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Z = model.transform(X)
    assert np.isfinite(Z).all() and Z[1].any() and not Z[2].any()
    n_zero = int((~Z.any(axis=1)).sum())
    assert [str(w.message).startswith(f"{n_zero} of 4 documents") for w in caught] == [True]


def check_names_out(estimator, grid):
    X, _ = topics()
    model = fitted(estimator)
    prefix = type(estimator).__name__.lower()
    expected = [f"{prefix}{i}" for i in range(model.transform(X).shape[1])]
    assert model.get_feature_names_out().tolist() == expected


def check_set_output(estimator, grid):
    X, _ = topics()
    plain = fitted(estimator).transform(X)
    model = clone(estimator).set_output(transform="pandas")
    for frame in (model.fit_transform(X), model.fit(X).transform(X)):
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns.tolist() == model.get_feature_names_out().tolist()
        assert np.array_equal(frame.to_numpy(), plain)
    if parse_version(sklearn.__version__) < parse_version("1.7"):
        return  # which takes the index of a DataFrame alone
    series = pd.Series(X, index=[f"row{i}" for i in range(len(X))])
    assert model.transform(series).index.tolist() == series.index.tolist()


def check_pipeline_and_search(estimator, grid):
    X, y = topics()
    pipeline = make_pipeline(clone(estimator), LogisticRegression(C=1e3)).fit(X, y)
    alone = fitted(estimator).transform(X)
    assert np.array_equal(pipeline[:-1].transform(X), alone)
    pipeline = Pipeline([("text", clone(estimator)), ("clf", LogisticRegression())])
    grid = {f"text__{name}": values for name, values in grid.items()}
    with one_thread():
        searches = [
            GridSearchCV(pipeline, grid, cv=2, n_jobs=n, error_score="raise").fit(X, y)
            for n in (1, 2)
        ]
    first, second = (search.cv_results_["mean_test_score"] for search in searches)
    assert np.array_equal(first, second)


CHECKS = [
    check_parameters_are_stored_and_nothing_else,
    check_fit_leaves_the_parameters,
    check_unknown_values_of_parameters,
    check_not_fitted,
    check_a_failed_fit_leaves_nothing,
    check_same_seed_same_bits,
    check_generators_and_containers,
    check_the_number_of_jobs_changes_nothing,
    check_global_generators_stay,
    check_copies_are_alike,
    check_tags,
    check_documents_do_not_see_each_other,
]
VECTORIZER_CHECKS = [
    check_output,
    check_unknown_documents,
    check_names_out,
    check_set_output,
    check_pipeline_and_search,
]
