"""Whatever is handed over: a sound result, or one sentence that says what to type."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from bad_input import SPARSE, X, Y, assert_refused, assert_sound, encoder
from sklearn.exceptions import NotFittedError
from torch import nn

from skcontrast.objectives import InfoNCE

ONE_BAD = {"nan": X.copy(), "inf": X.copy(), "-inf": X.copy()}
for name, bad in ONE_BAD.items():
    bad[3, 2] = float(name)


# ------------------------------------------------------------------ rows

frame = pd.DataFrame(X[:, :3], columns=list("abc"))

SOUND_ROWS = {
    "constant": np.ones((6, 3)),
    "zeros": np.zeros((6, 3)),
    "duplicates": np.repeat(X[:2], 4, axis=0),
    "one row many times": np.repeat(X[:1], 8, axis=0),
    "two rows": X[:2],
    "three rows": X[:3],
    "one feature": X[:, :1],
    "two rows, one feature": X[:2, :1],
    "a constant column": np.c_[X, np.full(20, 7.0)],
    "a huge constant": np.c_[X, np.full(20, 1e300)],
    "lists": X.tolist(),
    "objects": X.astype(object),
    "bool": X > 0,
    "int8": (10 * X).astype(np.int8),
    "uint64": np.abs(10 * X).astype(np.uint64),
    "float16": X.astype(np.float16),
    "float32": X.astype(np.float32),
    "big endian": X.astype(">f8"),
    "fortran": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[::-1, ::2],
    "masked array": np.ma.masked_array(X),
    "matrix of pandas": pd.DataFrame(X),
    "nullable pandas": pd.DataFrame(X).convert_dtypes(),
    "mixed pandas": pd.DataFrame({"a": X[:, 0], "b": Y, "c": Y > 1}),
    "categories": frame.assign(c=pd.Categorical(["u", "v"] * 10)),
    "missing": frame.mask(frame > 1),
    "nullable missing": frame.mask(frame > 1).convert_dtypes(),
    "tensor": torch.as_tensor(X),
    "tensor with a gradient": torch.as_tensor(X).requires_grad_(),
    "bfloat16 tensor": torch.as_tensor(X).bfloat16(),
    "float32 of 1e37": (1e37 * X).astype(np.float32),
    "tiny float32": (1e-40 * X).astype(np.float32),
    "an outlier": np.where(np.arange(100).reshape(20, 5) == 7, 1e300, X),
    "all scales": X * [1e300, 1e-300, 1, 1e-320, 1e150],
}


@pytest.mark.parametrize("name", SOUND_ROWS)
def test_sound_rows(name):
    data = SOUND_ROWS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_sound(data)


@pytest.mark.parametrize("exponent", [-1000, -600, -60, 60, 600, 1000])
def test_standardised_rows_have_no_unit(exponent):
    expected = encoder().fit(X).transform(X)
    scaled = X * 2.0**exponent
    assert np.array_equal(encoder().fit(scaled).transform(scaled), expected)
    expected = encoder().fit(SPARSE).transform(SPARSE)
    scaled = SPARSE * 2.0**exponent
    np.testing.assert_allclose(encoder().fit(scaled).transform(scaled), expected, rtol=1e-5)


def non_canonical():
    values, indptr = np.arange(1.0, 7.0), np.array([0, 2, 4, 6])
    return sp.csr_matrix((values, np.array([1, 1, 2, 0, 3, 3]), indptr), shape=(3, 4))


def with_zeros():
    matrix = SPARSE.copy()
    matrix.data[:3] = 0
    return matrix


def long_indices():
    matrix = SPARSE.copy()
    matrix.indices, matrix.indptr = matrix.indices.astype("int64"), matrix.indptr.astype("int64")
    return matrix


SOUND_SPARSE = {
    **{name: SPARSE.asformat(name) for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")},
    "array": sp.csr_array(SPARSE),
    "int64 indices": long_indices(),
    "unsorted, duplicates": non_canonical(),
    "explicit zeros": with_zeros(),
    "no entry": sp.csr_matrix((10, 5)),
    "no features of most rows": sp.csr_matrix(np.diag([1.0, 0, 0, 0, 0])),
    "int": sp.csr_matrix(np.eye(5, dtype=int)),
    "bool": sp.csr_matrix(np.eye(5, dtype=bool)),
    "float32": SPARSE.astype(np.float32),
    "huge": SPARSE * 1e300,
    "tiny": SPARSE * 1e-300,
    "two rows": SPARSE[:2],
    "wide": sp.random(6, 10**6, 1e-5, format="csr", random_state=0),
}


@pytest.mark.parametrize("views", ["corruption", ("neighbors", "mask"), "mixup"], ids=str)
@pytest.mark.parametrize("name", SOUND_SPARSE)
def test_sound_sparse_rows(name, views):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_sound(SOUND_SPARSE[name], views=views)


def test_sparse_and_dense_rows_of_one_model():
    dense = SPARSE.toarray()
    for first, second in [(dense, SPARSE), (SPARSE, dense)]:
        model = encoder().fit(first)
        # Sums of float32 near 0.5 in another order: small ones are off by some 1e-8.
        one, other = model.transform(second), model.transform(first)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    model = encoder(warm_start=True).fit(dense)
    with pytest.raises(ValueError, match=r"fitted on dense rows: pass X.toarray\(\)"):
        model.fit(SPARSE)
    with pytest.raises(ValueError, match="fitted on dense rows"):
        model.partial_fit(SPARSE)
    encoder().partial_fit(SPARSE).partial_fit(dense)


REFUSED_ROWS = {
    "masked array": (np.ma.masked_array(X, X > 1), "X is a masked array that hides"),
    "nan": (ONE_BAD["nan"], "contains NaN"),
    "inf": (ONE_BAD["inf"], "contains infinity"),
    "-inf": (ONE_BAD["-inf"], "contains infinity"),
    "sparse nan": (sp.csr_matrix(ONE_BAD["nan"]), "contains NaN"),
    "one row": (X[:1], "1 sample.*minimum of 2 is required"),
    "no row": (X[:0], "0 sample.*minimum of 2 is required"),
    "no feature": (X[:, :0], "0 feature.*minimum of 1 is required"),
    "one dimension": (X[0], "Expected 2D array, got 1D array"),
    "three dimensions": (X[None], "Found array with dim 3"),
    "a number": (3.0, "Expected 2D array, got scalar"),
    "None": (None, "Expected 2D array"),
    "strings": (np.array([["a", "b"], ["c", "d"]]), "could not convert string to float"),
    "ragged": ([[1, 2], [3]], "different lengths"),
    "complex": (X + 1j, "Complex data not supported"),
    "sparse tensor": (torch.as_tensor(X).to_sparse(), r"layout torch.sparse_coo.*to_dense\(\)"),
    "beyond float64 squares": (1.5e308 * np.sign(X), "standardize=True takes entries up to 1e"),
}


@pytest.mark.parametrize("name", REFUSED_ROWS)
def test_refused_rows(name):
    data, match = REFUSED_ROWS[name]
    assert_refused(match, data)


@pytest.mark.parametrize("scale", [1e300, 1e20])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, np.float32])
def test_rows_too_large_without_standardisation(scale, container):
    if container is np.float32 and scale > 1e38:
        pytest.skip("not a float32")
    data = container(X * scale)
    assert_refused("precision='float32' takes .*: type standardize=True", data, standardize=False)
    if scale == 1e20:
        assert_sound(data, standardize=False, precision="float64")


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e-3, 1e3, 1e6])
def test_rows_of_any_size_without_standardisation(scale):
    assert_sound(X * scale, standardize=False, network="mlp")
    assert_sound(SPARSE * scale, standardize=False, network="mlp")


def test_memmap(tmp_path):
    data = np.memmap(tmp_path / "rows", dtype=np.float64, mode="w+", shape=X.shape)
    data[:] = X * 1e300
    assert_sound(data)
    data[4, 1] = np.nan
    assert_refused("contains NaN or infinity", data)
    assert_refused("minimum|2 sample", data[:1])


@pytest.mark.parametrize("n_components", [5, 50, 500])
def test_more_components_than_data(n_components):
    for data in (X[:3], X[:2, :1], SPARSE[:3]):
        for network in ("linear", "mlp"):
            assert_sound(data, n_components=n_components, network=network)
    assert_sound(X[:3], n_components=n_components, objective="vicreg")


# ------------------------------------------------------------- transform


def test_transform_of_bad_rows():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        encoder().transform(X)
    model = encoder().fit(X)
    for data, match in [
        (X[:, :3], "X has 3 features, but ContrastiveEncoder is expecting 5"),
        (X[:0], "0 sample"),
        (sp.csr_matrix(X)[:0], "0 sample"),
        (X[0], "Expected 2D array"),
        (ONE_BAD["nan"], "contains NaN"),
        (ONE_BAD["inf"], "contains infinity"),
    ]:
        with pytest.raises(ValueError, match=match):
            model.transform(data)
    assert np.isfinite(model.transform(X * 1e300)).all()
    assert np.isfinite(encoder().fit(SPARSE).transform(SPARSE * 1e300)).all()
    raw = encoder(standardize=False).fit(X)
    for data in (X * 1e300, sp.csr_matrix(X * 1e300), pd.DataFrame(X * 1e300)):
        with pytest.raises(ValueError, match="embedding of row 0 is not finite.*standardize=True"):
            raw.transform(data)


def test_feature_names():
    model = encoder().fit(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        model.transform(frame[["b", "a", "c"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.transform(frame.to_numpy())


def test_edited_estimators():
    def fresh_copy(**edited):
        model = encoder().fit(X)
        vars(model).update(edited)
        return pickle.loads(pickle.dumps(model))

    weights = encoder().fit(X).weights_
    some = {name: array[:-1] for name, array in weights.items()}
    for edited in ({"weights_": some}, {"weights_": {}}, {"_width": 7}):
        with pytest.raises(ValueError, match="weights_ does not belong.*: fit again"):
            fresh_copy(**edited).transform(X)
    model = encoder().fit(X)
    expected = model.transform(X)
    changed = model.set_params(precision="float64", n_components=9, network="mlp").transform(X)
    np.testing.assert_allclose(changed, expected, atol=1e-6)


# ----------------------------------------------------------- failed fits


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    "failure",
    [
        ({"objective": "supcon"}, X, None),
        ({"objective": InfoNCE(temperature=-1)}, X, None),
        ({"views": lambda x: x[:1]}, X, None),
        ({"network": nn.Linear(9, 3)}, X, None),
        ({"learning_rate": 1e30}, X, None),
        ({}, ONE_BAD["nan"], None),
        ({}, X[:1], None),
        ({}, frame.set_axis(list("uvw"), axis=1), "supcon"),
    ],
    ids=["y", "temperature", "view", "network", "diverged", "nan", "one row", "other columns"],
)
def test_a_failed_fit_leaves_the_earlier_one(failure, method):
    params, data, objective = failure
    if objective is not None:
        params = {"objective": objective}
    rows = pd.DataFrame(X, columns=list("abcde"))
    model = encoder().fit(rows)
    expected, before = model.transform(rows), set(vars(model))
    model.set_params(**params)
    if method == "partial_fit" and "network" in params:
        return  # takes no part any more
    with pytest.raises((ValueError, FloatingPointError)):
        getattr(model, method)(data)
    assert set(vars(model)) == before
    assert model.n_features_in_ == 5 and list(model.feature_names_in_) == list("abcde")
    assert np.array_equal(model.transform(rows), expected)
    with pytest.raises((ValueError, FloatingPointError)):
        new = encoder().set_params(**params)
        getattr(new, method)(data)
    assert not [name for name in vars(new) if name.endswith("_")]


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_one_row_is_refused_when_going_on_too(method):
    model = encoder(warm_start=True).fit(X)
    with pytest.raises(ValueError, match="1 sample.*minimum of 2"):
        getattr(model, method)(X[:1])
