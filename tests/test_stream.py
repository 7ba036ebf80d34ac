"""Rows in batches: what a fit of them learns, what it refuses, and what comes out of them."""

import time
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from skcontrast import (
    Batches,
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    KernelConditionalContrastive,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
)
from skcontrast._inputs.batches import ahead, cut
from skcontrast._inputs.rows import MappedSparseRows
from skcontrast._inputs.stream import StreamedRows, read_rows
from skcontrast._inputs.table import TableInput
from skcontrast.views import Neighbors

rng = np.random.default_rng(0)
X = rng.normal(size=(500, 4)).astype(np.float32)
SMALL = {"n_components": 8, "network": "linear", "max_iter": 2, "batch_size": 64, "random_state": 0}


def encoder(**params):
    return ContrastiveEncoder(**{**SMALL, **params})


def parts(rows, *stops):
    return [rows[a:b] for a, b in zip((0, *stops), (*stops, None))]


def same(a, b):
    return all(np.array_equal(a.weights_[name], b.weights_[name]) for name in b.weights_)


@pytest.mark.parametrize(
    "rows",
    [
        X,
        X.astype(np.float64),
        sp.random(500, 30, 0.2, format="csr", random_state=0, dtype=np.float32),
        pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y"), "c": X[:, 2]}),
    ],
    ids=["float32", "float64", "csr", "frame"],
)
def test_a_stream_that_fits_in_memory_is_as_its_rows(rows):
    stops = (100, 101, 390)
    batches = parts(rows, *stops)
    whole, stream = encoder().fit(rows), encoder().fit(Batches(batches))
    assert same(stream, whole) and stream.loss_curve_ == whole.loss_curve_
    np.testing.assert_array_equal(stream.transform(rows), whole.transform(rows))
    np.testing.assert_array_equal(stream.transform(Batches(batches)), whole.transform(rows))


def test_an_epoch_goes_over_every_row_once_in_its_window():
    seen = []

    def watch(x):
        seen.append(x[:, 0].clone().numpy())
        return x

    rows = np.arange(1000.0)[:, None].repeat(2, axis=1).astype(np.float32)
    encoder(
        views=watch, n_views=2, standardize=False, passthrough=False, max_iter=1, n_components=2
    ).fit(Batches(parts(rows, 7, 500, 900), n_kept=50, n_shuffled=200))
    seen = [s for s in seen if len(s) > 8]  # the first is a look at a few rows
    assert [len(s) for s in seen] == [64] * 15 + [40]
    first = np.concatenate(seen[:3])  # of a window of 192 rows
    assert set(first) == set(range(192)) and (np.diff(first) != 1).mean() > 0.9
    assert sorted(np.concatenate(seen)) == list(range(1000))


def test_neighbours_are_sought_among_the_rows_that_are_kept():
    source, checked = read_rows(
        lambda rows, call: (table := TableInput(), table.fit(rows)),
        Batches(parts(X, 250), n_kept=100),
        None,
    )
    rows = checked.training(source.rows, {})
    assert isinstance(rows, StreamedRows)
    view = Neighbors(n_neighbors=1).build(rows)
    kept = source.standardized(X[checked.index]).astype(np.float32)
    for batch in rows.in_turn(128, 2):
        x = rows.take(batch)
        distance = np.linalg.norm(x.numpy()[:, None] - kept, axis=2)
        distance[batch.numpy()[:, None] == checked.index] = np.inf  # not the row itself
        np.testing.assert_allclose(view(x, batch).numpy(), kept[distance.argmin(axis=1)])


def test_kept_rows_are_drawn_from_all():
    rows = np.arange(4000)
    _, index, n = Batches(parts(rows, 10, 2000, 2001), n_kept=400).draw()
    assert n == 4000 and len(set(index)) == 400 and (np.diff(index) > 0).all()
    assert np.abs(np.histogram(index, 4, (0, 4000))[0] - 100).max() < 30


def test_labels_and_side_information_stand_beside_a_stream():
    y = (X[:, 0] > 0).astype(int)
    batches = Batches(parts(X, 100, 300))
    whole = encoder(objective="supcon").fit(X, y)
    stream = encoder(objective="supcon").fit(batches, y)
    assert same(stream, whole) and list(stream.classes_) == [0, 1]
    conditional = KernelConditionalContrastive(4, max_iter=1, random_state=0)
    assert conditional.fit(batches, condition=X[:, 1]).transform(X).shape == (500, 4)
    # Labels that weigh the parts are those of the rows kept.
    few = Batches(parts(X, 100, 300), n_kept=200)
    assert encoder(n_components=None).fit(few, y).transform(X[:3]).shape[0] == 3


def test_texts_and_series():
    texts = [f"the {a} sat on the {b}" for a in "abcdefgh" for b in "stuvwxyz"]
    kinds = {"n_components": 16, "max_iter": 1, "random_state": 0}
    whole = ContrastiveTextEncoder(**kinds).fit(texts)
    stream = ContrastiveTextEncoder(**kinds).fit(Batches(parts(texts, 10, 40)))
    assert same(stream, whole)
    np.testing.assert_array_equal(
        np.vstack(list(stream.transform_batches(texts, 10))), whole.transform(texts)
    )
    series = rng.normal(size=(60, 2, 30))
    whole = SeriesContrastiveEncoder(**kinds).fit(series)
    stream = SeriesContrastiveEncoder(**kinds).fit(Batches(parts(series, 20)))
    assert same(stream, whole)
    np.testing.assert_array_equal(stream.transform(Batches([series])), whole.transform(series))


def test_partial_fit_goes_over_a_stream_once():
    batches = Batches(parts(X, 200))
    model = encoder().partial_fit(batches).partial_fit(batches)
    assert same(model, encoder().partial_fit(X).partial_fit(X)) and model.n_iter_ == 2


def test_parquet_and_arrow(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    dataset = pytest.importorskip("pyarrow.dataset")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pa.table({name: X[:, j] for j, name in enumerate("abcd")})
    parquet.write_table(table, tmp_path / "first.parquet", row_group_size=120)
    parquet.write_table(table, tmp_path / "second.parquet")
    whole = encoder().fit(pa.concat_tables([table, table]))
    files = dataset.dataset(tmp_path)
    of_files = encoder().fit(files)
    assert same(of_files, whole) and list(of_files.feature_names_in_) == list("abcd")
    np.testing.assert_array_equal(of_files.transform(files)[:500], whole.transform(table))
    file = parquet.ParquetFile(tmp_path / "first.parquet")
    assert same(encoder().fit(file), encoder().fit(table))
    two = Batches(lambda: files.to_batches(columns=["a", "b"]))
    assert encoder().fit(two).n_features_in_ == 2
    out = np.empty((1000, 8), dtype=np.float32)
    assert whole.transform(files, out=out) is out
    np.testing.assert_allclose(out[500:], whole.transform(table), rtol=1e-6)
    with pytest.raises(ValueError, match=r"shape \(999, 8\)"):
        whole.transform(files, out=out[1:])


def test_of_a_parquet_file_a_few_batches_are_held(tmp_path):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    dataset = pytest.importorskip("pyarrow.dataset")
    pq = pytest.importorskip("pyarrow.parquet")
    path, n_groups, size = tmp_path / "rows.parquet", 40, 8192
    table = pa.table({f"x{j}": np.random.default_rng(j).random(size) for j in range(16)})
    with pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False) as file:
        for _ in range(n_groups):
            file.write_table(table)
    one = dataset.dataset(path)
    for source in (one, dataset.dataset([one, one]), pq.ParquetFile(path)):
        before, most = pa.total_allocated_bytes(), 0
        for _ in Batches(source, n_shuffled=size):
            time.sleep(0.01)  # whatever reads ahead has the time to
            most = max(most, pa.total_allocated_bytes() - before)
        assert most < 12 * table.nbytes, f"{most / table.nbytes:.1f} batches"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"early_stopping": True}, "type early_stopping=False"),
        ({"sampler": "clustered"}, "type sampler='uniform'"),
        ({"views": "neighbor_bands"}, "reads any row at any time"),
        ({"views": "time_offset"}, "need rows beside each other"),
        ({"replay": "reservoir"}, "X is a stream: type replay=None"),
    ],
)
def test_what_needs_all_rows_is_refused(params, said):
    with pytest.raises(ValueError, match=said):
        encoder(**params).fit(Batches(parts(X, 250), n_kept=100))


def test_blocks_are_refused():
    with pytest.raises(ValueError, match="X gives blocks in batches"):
        MultiViewContrastiveEncoder(blocks=[2, 2]).fit(Batches(parts(X, 250)))


def test_sources_that_are_refused():
    with pytest.raises(TypeError, match="which can be read once"):
        encoder().fit(Batches(iter([X])))
    with pytest.raises(ValueError, match="X gives no rows"):
        encoder().fit(Batches([]))
    for source in (X, "rows.parquet", 3):
        with pytest.raises(TypeError, match="gives no batches of rows"):
            Batches(source)
    for path in ("rows.parquet", Path("rows.parquet")):
        with pytest.raises(TypeError, match=r"X is 'rows.parquet', .* pyarrow.dataset.dataset"):
            encoder().fit(path)
    frame = pd.DataFrame(X)
    for batches in ([X, X[:, :3]], [X, X[0]], [frame, X], [frame, frame.rename(columns=str)]):
        with pytest.raises(ValueError, match=r"^X gives batches that are no one table \(.*kind"):
            encoder().fit(Batches(batches))
    turns = iter([[X], [X[1:]], [X, X]])
    with pytest.raises(ValueError, match="500 rows in its first pass and 499"):
        encoder().fit(Batches(lambda: next(turns)))
    turns = iter([[X], [X, X]])
    with pytest.raises(ValueError, match="500 rows in its first pass and more"):
        encoder().fit(Batches(lambda: next(turns)))
    bad = X.copy()
    bad[400, 1] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        encoder().fit(Batches(parts(bad, 250), n_kept=5))


def test_output_to_an_array_and_in_pieces(tmp_path):
    model = encoder().fit(X)
    whole = model.transform(X)
    path = tmp_path / "out.npy"
    out = np.lib.format.open_memmap(path, "w+", np.float32, whole.shape)
    assert model.transform(X, out=out) is out
    out.flush()
    np.testing.assert_array_equal(np.load(path), whole)
    found = list(model.transform_batches(iter(X.tolist()), 128))
    assert [len(part) for part in found] == [128, 128, 128, 116]
    np.testing.assert_allclose(np.vstack(found), whole, rtol=1e-5, atol=1e-6)
    for wrong in (out[:-1], out[:, :-1], out.astype(int), np.empty((501, 8), np.float32)):
        with pytest.raises(ValueError, match=r"the output \(500, 8\) and float32"):
            model.transform(X, out=wrong)
    with pytest.raises(TypeError, match="cannot be written to"):
        model.transform(X, out=np.load(path, mmap_mode="r"))
    batches = Batches(lambda: iter(parts(X, 200)))
    with pytest.raises(ValueError, match=r"the output \(500, 8\)"):
        model.transform(batches, out=np.empty((600, 8), np.float32))
    model.set_output(transform="pandas")
    assert all(isinstance(part, pd.DataFrame) for part in model.transform_batches(X, 200))
    assert isinstance(model.transform(batches), pd.DataFrame)


def test_rows_are_cut_as_they_come():
    batches = [np.arange(5), np.arange(5, 6), np.arange(6, 30)]
    for n, sizes in ((None, [8, 8, 8, 6]), (30, [8, 8, 8, 6]), (27, [8, 8, 11])):
        found = list(cut([b[b < (n or 30)] for b in batches], 8, n))
        assert [len(part) for part in found] == sizes
        np.testing.assert_array_equal(np.concatenate(found), np.arange(n or 30))


def test_the_next_is_read_while_one_is_used():
    read = []

    def items():
        for i in range(3):
            read.append(i)
            yield i
        raise OSError("gone")

    found = ahead(items())
    assert next(found) == 0 and next(found) == 1 and 1 in read
    assert next(found) == 2
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_csr_on_disk(tmp_path):
    rows = sp.random(400, 50, 0.1, format="csr", random_state=0, dtype=np.float32)
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / name, getattr(rows, name))
    loaded = [np.load(tmp_path / f"{n}.npy", mmap_mode="r") for n in ("data", "indices", "indptr")]
    mapped = sp.csr_matrix(tuple(loaded), shape=rows.shape)
    source = TableInput()
    assert isinstance(source.rows(source.fit(mapped)), MappedSparseRows)
    model = encoder().fit(mapped)
    assert same(model, encoder().fit(rows))
    np.testing.assert_array_equal(model.transform(mapped), model.transform(rows))


def test_few_batches_are_alive_at_a_time():
    given, most = [], []

    def batches():
        for start in range(0, 500, 10):
            batch = X[start : start + 10].copy()
            given.append(weakref.ref(batch))
            yield batch
            del batch
            most.append(sum(ref() is not None for ref in given))

    encoder(batch_size=20).fit(Batches(batches, n_kept=50, n_shuffled=20))
    assert len(given) == 150 and max(most) <= 8  # of 50 in each pass
