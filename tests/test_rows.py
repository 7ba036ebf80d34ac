"""Rows and sparse batches: one indexing a batch, nothing copied that need not be."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skcontrast._inputs import rows as _rows
from skcontrast._inputs.rows import BOUND, SparseBatch, concatenate, table_rows, to_batch

INDEX = torch.tensor([3, 0, 11, 3, 19])


def sparse_matrix(n=20, d=9):
    """First, last and two neighbouring rows are empty."""
    X = sp.random(n, d, 0.4, format="lil", random_state=0)
    for row in (0, 4, 5, n - 1):
        X[row] = 0
    return sp.csr_matrix(X)


def make_memmap(tmp_path, X):
    path = tmp_path / "x.bin"
    X.tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape)


# ---- sparse batches ------------------------------------------------------------------


@pytest.mark.parametrize("make", [sp.csr_matrix, sp.csr_array])
def test_sparse_batch_round_trip(make):
    X = make(sparse_matrix())
    batch = to_batch(X, None, None, torch.float64, "cpu")
    assert batch.shape == X.shape and len(batch) == 20
    assert batch.dtype == torch.float64 and batch.device.type == "cpu"
    np.testing.assert_array_equal(batch.to_dense().numpy(), X.toarray())
    expected = np.repeat(np.arange(20), np.diff(X.indptr))
    np.testing.assert_array_equal(batch.row_of_entry(), expected)
    assert torch.equal(batch.to("cpu").to_dense(), batch.to_dense())


@pytest.mark.parametrize("shape", [(3, 2), (1, 1), (0, 4)])
def test_sparse_batch_with_nothing_stored(shape):
    batch = to_batch(sp.csr_matrix(shape), None, None, torch.float32, "cpu")
    assert batch.row_of_entry().shape == (0,)
    assert torch.equal(batch.to_dense(), torch.zeros(shape))


def test_duplicate_entries_add_up():
    batch = SparseBatch(
        torch.tensor([1, 1, 0]), torch.tensor([0, 2]), torch.tensor([1.0, 2.0, 5.0]), 2
    )
    assert batch.to_dense().tolist() == [[0, 3], [5, 0]]


def test_concatenate():
    rows = table_rows(sparse_matrix())
    parts = [torch.tensor([0, 3]), torch.tensor([4]), torch.tensor([7, 19, 1])]
    stacked = concatenate([rows.take(part) for part in parts])
    together = rows.take(torch.cat(parts))
    for name in ("indices", "offsets", "values"):
        assert torch.equal(getattr(stacked, name), getattr(together, name))
    assert stacked.shape == (6, 9)
    dense = table_rows(sparse_matrix().toarray())
    stacked = concatenate([dense.take(part) for part in parts])
    assert torch.equal(stacked, together.to_dense())


# ---- rows ----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("standardise", [False, True])
def test_take_gives_the_standardised_rows(tmp_path, dtype, standardise):
    X = np.random.RandomState(0).randn(20, 4) * [1, 10, 100, 1e3] + 5
    mean, scale = (X.mean(0), X.std(0)) if standardise else (None, None)
    expected = (X - mean) / scale if standardise else X
    for data in (X, np.asfortranarray(X), make_memmap(tmp_path, X)):
        rows = table_rows(data, mean=mean, scale=scale, dtype=dtype)
        batch = rows.take(INDEX)
        assert batch.dtype == dtype and not rows.is_sparse
        np.testing.assert_allclose(batch, expected[INDEX], rtol=1e-6, atol=1e-6)
        assert len(rows) == 20


def test_memory_map_equals_array_to_the_bit(tmp_path):
    X = np.random.RandomState(0).randn(20, 4).astype(np.float32)
    settings = {"mean": X.mean(0, dtype=np.float64), "scale": X.std(0, dtype=np.float64)}
    batch = table_rows(make_memmap(tmp_path, X), **settings).take(INDEX)
    assert torch.equal(batch, table_rows(X, **settings).take(INDEX))


class _Counted(np.memmap):
    """A memory map that knows how many rows were read from it at a time."""

    reads = []

    def __getitem__(self, key):
        out = super().__getitem__(key)
        if getattr(out, "ndim", 0) == 2:
            _Counted.reads.append(len(out))
        return out

    def __array__(self, *args, **kwargs):
        raise AssertionError("the memory map was converted whole")


def test_memory_map_is_read_batch_by_batch(tmp_path):
    X = np.random.RandomState(0).randn(200, 4).astype(np.float32)
    path = tmp_path / "x.bin"
    X.tofile(path)
    data = _Counted(path, dtype=np.float32, mode="r", shape=X.shape)
    _Counted.reads.clear()
    rows = table_rows(data)
    assert _Counted.reads == [] and rows._X is data
    assert rows.index_device.type == "cpu"
    batch = rows.__getitems__(torch.tensor([5, 100]))
    assert _Counted.reads == [2]
    np.testing.assert_array_equal(batch["x"], X[[5, 100]])
    assert len(rows.reference(max_rows=50)) == 50
    assert _Counted.reads == [2, 50]


def test_float32_array_is_not_copied():
    X = np.zeros((20, 4), dtype=np.float32)
    rows = table_rows(X)
    X[3] = 7
    assert (rows.take(torch.tensor([3])) == 7).all()
    assert rows.reference().data_ptr() == X.ctypes.data
    # A batch never shares memory with the data.
    rows.take(INDEX).zero_()
    assert (X[3] == 7).all()


def test_read_only_array_is_taken_without_a_warning(recwarn):
    X = np.arange(12, dtype=np.float32).reshape(4, 3)
    X.flags.writeable = False
    np.testing.assert_array_equal(table_rows(X).take(torch.arange(4)), X)
    assert not recwarn.list


def test_conversion_in_chunks(monkeypatch):
    X = np.random.RandomState(0).randn(20, 3)
    whole = table_rows(X, mean=X.mean(0), scale=X.std(0)).take(torch.arange(20))
    monkeypatch.setattr(_rows, "CHUNK", 7)
    assert torch.equal(table_rows(X, mean=X.mean(0), scale=X.std(0)).take(torch.arange(20)), whole)


def test_outliers_are_bounded():
    X = np.array([[0.0], [1.0], [1e300]])
    batch = table_rows(X, mean=np.zeros(1), scale=np.ones(1)).take(torch.arange(3))
    assert batch.flatten().tolist() == [0, 1, BOUND]
    batch = table_rows(sp.csr_matrix(X), scale=np.ones(1)).take(torch.arange(3))
    assert batch.to_dense().flatten().tolist() == [0, 1, BOUND]


def test_large_offsets_keep_their_digits():
    X = 1e9 + np.arange(6.0)[:, None]
    batch = table_rows(X, mean=X.mean(0), scale=X.std(0)).take(torch.arange(6))
    np.testing.assert_allclose(batch, (X - X.mean(0)) / X.std(0), rtol=1e-6)


@pytest.mark.parametrize("index", [INDEX, torch.tensor([0]), torch.tensor([], dtype=torch.int64)])
def test_take_of_sparse_rows(index):
    X = sparse_matrix()
    scale = np.linspace(1, 3, 9)
    rows = table_rows(X, scale=scale, dtype=torch.float64)
    batch = rows.take(index)
    assert rows.is_sparse and batch.shape == (len(index), 9)
    np.testing.assert_allclose(batch.to_dense(), X.toarray()[index.numpy()] / scale)
    assert batch.offsets.dtype == batch.indices.dtype == torch.int64


def test_items_carry_their_side_information():
    target = np.arange(20) * 10
    prior = np.random.RandomState(0).randn(20, 2)
    for X in (np.eye(20), sp.csr_matrix(np.eye(20))):
        batch = table_rows(X, side={"target": target, "prior": prior}).__getitems__(INDEX)
        assert sorted(batch) == ["index", "prior", "target", "x"]
        assert torch.equal(batch["index"], INDEX)
        np.testing.assert_array_equal(batch["target"], target[INDEX])
        np.testing.assert_array_equal(batch["prior"], prior[INDEX])


def test_reference_holds_training_rows_only():
    X = np.arange(40.0).reshape(20, 2)
    train = np.arange(5, 15)
    for data in (X, sp.csr_matrix(X)):
        rows = table_rows(data, train_index=train)
        assert not rows.all_train
        for max_rows, n in ((100, 10), (4, 4)):
            reference = rows.reference(max_rows)
            reference = reference.to_dense() if rows.is_sparse else reference
            assert len(reference) == n
            assert np.isin(reference[:, 1], X[train, 1]).all()
