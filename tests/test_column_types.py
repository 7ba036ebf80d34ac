"""Columns of every type that pandas, polars and Arrow have, and sparse matrices in any form."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
import torch

from skcontrast import ContrastiveEncoder, KernelConditionalContrastive, ProKeRClassifier
from skcontrast._inputs.frame import FrameColumns

N = 60
RNG = np.random.default_rng(0)
NUMBERS = [*np.round(RNG.normal(size=N - 1), 2), None]
WHOLE = [*RNG.integers(0, 9, N - 1).tolist(), None]
WORDS = [*RNG.choice(["a", "b"], N - 1).tolist(), None]
DECIMALS = [None if v is None else Decimal(str(v)) for v in NUMBERS]
ARROW = pd.ArrowDtype
NUMERIC = {
    "float": (pd.Series(NUMBERS, dtype=float), NUMBERS),
    "Float64": (pd.Series(NUMBERS, dtype="Float64"), NUMBERS),
    "arrow float": (pd.Series(NUMBERS, dtype=ARROW(pa.float64())), NUMBERS),
    "Int64": (pd.Series(WHOLE, dtype="Int64"), WHOLE),
    "arrow int": (pd.Series(WHOLE, dtype=ARROW(pa.int32())), WHOLE),
    "objects": (pd.Series(WHOLE, dtype=object), WHOLE),
    "decimals": (pd.Series(DECIMALS, dtype=object), NUMBERS),
    "arrow decimals": (pd.Series(DECIMALS, dtype=ARROW(pa.decimal128(10, 2))), NUMBERS),
    "polars float": (pl.Series(NUMBERS), NUMBERS),
    "polars Int128": (pl.Series(WHOLE, dtype=pl.Int128), WHOLE),
    "polars decimals": (pl.Series(DECIMALS, dtype=pl.Decimal(10, 2)), NUMBERS),
    "Arrow": (pa.chunked_array([WHOLE]), WHOLE),
    "Arrow decimals": (pa.chunked_array([DECIMALS], type=pa.decimal128(10, 2)), NUMBERS),
}
CATEGORIES = {
    "objects": pd.Series(WORDS, dtype=object),
    "str": pd.Series(WORDS),
    "string": pd.Series(WORDS, dtype="string"),
    "category": pd.Series(WORDS, dtype="category"),
    "arrow string": pd.Series(WORDS, dtype=ARROW(pa.string())),
    "arrow large string": pd.Series(WORDS, dtype=ARROW(pa.large_string())),
    "arrow dictionary": pd.Series(WORDS, dtype=ARROW(pa.dictionary(pa.int8(), pa.string()))),
    "polars": pl.Series(WORDS),
    "polars Categorical": pl.Series(WORDS, dtype=pl.Categorical),
    "polars Enum": pl.Series(WORDS, dtype=pl.Enum(["a", "b"])),
    "Arrow": pa.chunked_array([WORDS]),
    "Arrow large": pa.chunked_array([WORDS], type=pa.large_string()),
    "Arrow dictionary": pa.chunked_array([pa.array(WORDS).dictionary_encode()]),
}
DAY = dt.date(2020, 1, 1)
NEITHER = {
    "dates": pd.Series(pd.date_range("2020", periods=N)),
    "durations": pd.Series(pd.to_timedelta(range(N), unit="s")),
    "periods": pd.Series(pd.period_range("2020", periods=N, freq="M")),
    "intervals": pd.Series(pd.interval_range(0, N)),
    "complex": pd.Series(np.arange(N) * 1j),
    "lists": pd.Series([[1]] * N),
    "bytes": pd.Series([b"a"] * N),
    "arrow dates": pd.Series([DAY] * N, dtype=ARROW(pa.date32())),
    "polars dates": pl.Series([DAY] * N),
    "polars lists": pl.Series([[1]] * N),
    "Arrow dates": pa.chunked_array([[DAY] * N]),
    "Arrow structs": pa.chunked_array([[{"a": 1}] * N]),
}


def frame(column):
    """A data frame of the column's own library, with a column of numbers beside it."""
    x = RNG.normal(size=N)
    if isinstance(column, pd.Series):
        return pd.DataFrame({"x": x, "c": column})
    if isinstance(column, pl.Series):
        return pl.DataFrame({"x": x, "c": column})
    return pa.table({"x": x, "c": column})


@pytest.mark.parametrize("kind", NUMERIC)
def test_columns_of_numbers(kind):
    column, values = NUMERIC[kind]
    read = FrameColumns().fit(frame(column))
    assert not read.is_category.any() and read.was_missing.tolist() == [1]
    values = np.array(values, dtype=float)
    expected = np.where(np.isnan(values), np.nanmedian(values), values)
    np.testing.assert_array_equal(read.transform(frame(column))[:, 1], expected)


@pytest.mark.parametrize("kind", CATEGORIES)
def test_columns_of_categories(kind):
    read = FrameColumns().fit(frame(CATEGORIES[kind]))
    assert read.is_category.tolist() == [False, True]
    expected = np.array([[word == value for value in ("a", "b", None)] for word in WORDS])
    np.testing.assert_array_equal(read.transform(frame(CATEGORIES[kind]))[:, 1:], expected)
    names = ["x", "c_a", "c_b", "c_None"]
    assert read.column_names(["x", "c"]).tolist() == names


@pytest.mark.parametrize("kind", NEITHER)
def test_columns_of_neither_are_named(kind):
    with pytest.raises(ValueError, match="^Column 'c' of X holds .*: a column has to hold numbers"):
        ContrastiveEncoder(max_iter=1).fit(frame(NEITHER[kind]))


def test_libraries_make_the_same_columns():
    words = pd.DataFrame({"x": RNG.normal(size=N), "w": WORDS, "n": pd.array(WHOLE, dtype="Int64")})
    model = ContrastiveEncoder(max_iter=1, random_state=0).fit(words)
    expected = model.transform(words)
    arrow = pa.Table.from_pandas(words)
    for X in (arrow, pl.from_arrow(arrow), words.convert_dtypes(dtype_backend="pyarrow")):
        np.testing.assert_array_equal(model.transform(X), expected)
        again = ContrastiveEncoder(max_iter=1, random_state=0).fit(X)
        np.testing.assert_array_equal(again.transform(X), expected)
    with pytest.raises(ValueError, match="names should match"):
        model.transform(arrow.select(["w", "x", "n"]))


def test_a_lazy_frame_is_to_be_collected():
    lazy = pl.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N)}).lazy()
    model = KernelConditionalContrastive(max_iter=1)
    with pytest.raises(ValueError, match=r"X is a LazyFrame.*pass X\.collect\(\)"):
        model.fit(lazy)
    with pytest.raises(ValueError, match=r"condition is a LazyFrame.*condition\.collect\(\)"):
        model.fit(RNG.normal(size=(N, 2)), condition=lazy)


def test_a_name_that_occurs_twice():
    twice = pd.DataFrame(RNG.normal(size=(N, 2)), columns=["c", "c"])
    model = KernelConditionalContrastive(max_iter=1, random_state=0)
    with pytest.raises(ValueError, match=r"several columns of the name 'c'.*X\.to_numpy\(\)"):
        model.fit(twice, condition=twice)
    X = RNG.normal(size=(N, 3))
    expected = model.fit(X, condition=twice.to_numpy()).transform(X)
    np.testing.assert_array_equal(model.fit(X, condition=twice).transform(X), expected)


@pytest.mark.parametrize("fill", [0.0, np.nan, 1.0])
def test_sparse_columns_of_pandas(fill):
    values = RNG.integers(0, 3, (N, 2)).astype(float)
    X = pd.DataFrame({j: pd.arrays.SparseArray(values[:, j], fill_value=fill) for j in range(2)})
    model = ContrastiveEncoder(max_iter=1, random_state=0).fit(X)
    dense = values if fill else sp.csr_matrix(values)
    expected = ContrastiveEncoder(max_iter=1, random_state=0).fit(dense).transform(dense)
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-5)


def _twice(S):
    data, indices = np.repeat(S.data / 2, 2), np.repeat(S.indices, 2)
    return sp.csr_matrix((data, indices, 2 * S.indptr), shape=S.shape)


def _with_zeros(S):
    S = S.tolil()
    S = S.tocsr()
    empty = np.argwhere(S.toarray() == 0)[:50]
    rows, columns = np.r_[S.tocoo().row, empty[:, 0]], np.r_[S.tocoo().col, empty[:, 1]]
    data = np.r_[S.tocoo().data, np.zeros(len(empty))]
    order = np.argsort(rows, kind="stable")
    starts = np.searchsorted(rows[order], np.arange(S.shape[0] + 1))
    return sp.csr_matrix((data[order], columns[order], starts), shape=S.shape)


def _unsorted(S):
    S = S.copy()
    for a, b in zip(S.indptr, S.indptr[1:]):
        S.indices[a:b], S.data[a:b] = S.indices[a:b][::-1].copy(), S.data[a:b][::-1].copy()
    S.has_sorted_indices = False
    return S


@pytest.mark.parametrize(
    "form", [_twice, _with_zeros, _unsorted, sp.csc_matrix, sp.coo_array, sp.lil_matrix]
)
def test_a_sparse_matrix_is_what_it_holds(form):
    S = sp.random(N, 20, 0.3, format="csr", random_state=0)
    other = form(S)
    stored, before = other.nnz, other.toarray()
    np.testing.assert_array_equal(before, S.toarray())
    params = {"max_iter": 2, "random_state": 0, "views": "corruption"}
    expected = ContrastiveEncoder(**params).fit(S)
    model = ContrastiveEncoder(**params).fit(other)
    np.testing.assert_array_equal(model.transform(other), expected.transform(S))
    # The matrix of the caller is as it was.
    assert other.nnz == stored
    np.testing.assert_array_equal(other.toarray(), before)


def _damaged(form, places):
    S = form(sp.random(40, 6, 0.3, format="csr", random_state=0))
    name = "col" if S.format == "coo" else "indices"
    changed = getattr(S, name).copy()
    changed[3] = places
    if S.format == "coo":
        S.coords = (S.coords[0], changed)
    else:
        S.indices = changed
    return S


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_array, sp.coo_array, sp.bsr_array])
@pytest.mark.parametrize("places", [-7, 1000])
@pytest.mark.parametrize("model", [ContrastiveEncoder(max_iter=1), ProKeRClassifier()])
def test_entries_outside_of_a_sparse_matrix(model, form, places):
    with pytest.raises(ValueError, match=r"X is a damaged .* matrix of shape \(40, 6\)"):
        model.fit(_damaged(form, places), np.arange(40) % 2)


def test_half_floats_of_arrow_are_numbers():
    values = pd.Series(np.arange(N) / 4, dtype=ARROW(pa.float16()))
    read = FrameColumns().fit(frame(values))
    assert not len(read.was_missing)
    np.testing.assert_array_equal(read.transform(frame(values))[:, 1], np.arange(N) / 4)


def test_names_that_occur_twice_in_arrow():
    twice = pa.table([RNG.normal(size=N), RNG.normal(size=N)], names=["c", "c"])
    with pytest.raises(ValueError, match="X has several columns of one name: rename them"):
        ContrastiveEncoder(max_iter=1).fit(twice)


TIMES = np.arange(N).astype("datetime64[D]")


@pytest.mark.parametrize(
    "X", [TIMES[:, None], (TIMES - TIMES[0])[:, None], {"a": [1.0] * N}, [{"a": 1.0}] * N]
)
def test_rows_that_are_no_numbers(X):
    for model in (ContrastiveEncoder(max_iter=1), ProKeRClassifier()):
        with pytest.raises(
            (TypeError, ValueError), match="^X (holds|is) .*: pass (numbers|a table)"
        ):
            model.fit(X, np.arange(N) % 2)


@pytest.mark.parametrize(
    ("condition", "match"),
    [
        (TIMES, "Column 0 holds datetime64"),
        (TIMES - TIMES[0], "Column 0 holds timedelta64"),
        (pd.Series(TIMES, name="t"), "Column t holds datetime64"),
        (pd.period_range("2020", periods=N).to_series(), "holds Period: pass numbers"),
        ([DAY] * N, "Column 0 holds date: pass numbers"),
        (np.arange(N) * 1j, "Column 0 holds complex128"),
        ([10**400] * N, "int too large"),
        (sp.csr_matrix(np.ones((N, 1))), r"must be a dense array: pass condition\.toarray"),
    ],
)
def test_conditions_that_are_no_numbers(condition, match):
    model = KernelConditionalContrastive(max_iter=1)
    with pytest.raises(ValueError, match=match):
        model.fit(RNG.normal(size=(N, 2)), condition=condition)


@pytest.mark.parametrize("kind", ["Int128", "decimal", "half", "tensor"])
def test_conditions_of_odd_types_are_numbers(kind):
    whole = np.arange(N) % 7
    condition = {
        "Int128": pl.Series(whole, dtype=pl.Int128),
        "decimal": [Decimal(int(v)) for v in whole],
        "half": pd.Series(whole.astype(float), dtype=ARROW(pa.float16())),
        "tensor": torch.as_tensor(whole).bfloat16(),
    }[kind]
    X = RNG.normal(size=(N, 2))
    model = KernelConditionalContrastive(max_iter=2, random_state=0)
    expected = model.fit(X, condition=whole.astype(float)).transform(X)
    np.testing.assert_array_equal(model.fit(X, condition=condition).transform(X), expected)
