"""Rows that come in batches, and are never all in memory: Parquet, Arrow, or any iterable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import narwhals.stable.v2 as nw
import numpy as np
import scipy.sparse as sp

from skcontrast._component import check_count, take_rows
from skcontrast._inputs.columns import first_line, untorched
from skcontrast._inputs.frame import is_frame
from skcontrast._inputs.target import n_rows

# Rows of a piece of what is transformed.
PIECE = 16_384
# What of pyarrow gives batches.
_ARROW = ("Dataset", "FileSystemDataset", "InMemoryDataset", "UnionDataset", "ParquetFile")


class Batches:
    """Rows in batches, larger than memory, for ``fit`` and ``transform`` of the encoders.

    Parameters
    ----------
    source : pyarrow.dataset.Dataset, pyarrow.parquet.ParquetFile, iterable or callable
        Gives the batches: arrays, data frames, CSR matrices, record batches or lists of texts.
        ``fit`` goes over them several times, so that a generator has to come from a function
        without arguments, which is called for each pass and gives the same rows each time. Of a
        data set little more than a batch is in memory; its own ``to_batches`` may hold whole files.

    n_kept : int, default=20_000
        Number of rows, drawn at random, that stay in memory. What a row is (scales, medians,
        categories, counts of words) and what stands beside the learned columns is learned from
        these, and neighbours are sought among them.

    n_shuffled : int, default=65_536
        Number of successive rows that are in memory at a time, and are shuffled in each epoch.
        Rows that lie in order, as by class, have to be shuffled as they are written.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import Batches, ContrastiveEncoder
    >>> def batches():
    ...     rng = np.random.default_rng(0)
    ...     for _ in range(4):
    ...         yield rng.normal(size=(100, 5))
    >>> X = Batches(batches)
    >>> encoder = ContrastiveEncoder(max_iter=1, n_components=3, random_state=0).fit(X)
    >>> encoder.transform(X).shape
    (400, 3)
    """

    def __init__(
        self,
        source: Iterable | Callable[[], Iterable],
        *,
        n_kept: int = 20_000,
        n_shuffled: int = 65_536,
    ):
        check_count(n_kept, "n_kept")
        check_count(n_shuffled, "n_shuffled")
        if hasattr(source, "shape") or not (
            callable(source) or _is_arrow(source) or _loops(source)
        ):
            raise TypeError(
                f"source is a {type(source).__name__}, which gives no batches of rows: pass a "
                "pyarrow data set, an iterable of tables, or a function that returns one."
            )
        self.source = source
        self.n_kept = n_kept
        self.n_shuffled = n_shuffled

    def __iter__(self) -> Iterator:
        for batch in self._given():
            if type(batch).__name__ == "RecordBatch":
                batch = nw.from_arrow(batch, backend="pyarrow").to_native()
            batch = untorched(batch)
            if n_rows(batch, 0):
                yield batch

    def __repr__(self):
        return f"Batches({type(self.source).__name__})"

    def _given(self):
        """One pass over what the source gives."""
        source = self.source
        if hasattr(source, "iter_batches"):
            return _by_row_groups(source, self.n_shuffled)
        if hasattr(source, "to_batches") and _is_arrow(source):
            return source.to_batches(batch_size=self.n_shuffled, **_one_by_one(source))
        return iter(source() if callable(source) else source)

    def draw(self):
        """Rows to keep, their numbers in order, and the number of all."""
        if isinstance(self.source, Iterator):
            raise TypeError(
                f"X gives the batches of a {type(self.source).__name__}, which can be read once, "
                "and fit reads several times: pass a function that returns a new one, or give "
                "the batches to partial_fit."
            )
        rng, n = np.random.default_rng(0), 0
        held, keys, index, most = [], np.empty(0), np.empty(0, dtype=np.int64), 1.0
        # The rows of the lowest keys: any so many rows are as likely as others.
        for batch in self:
            drawn = rng.random(n_rows(batch, 0))
            low = np.flatnonzero(drawn < most)
            if len(low):
                held.append(take_rows(batch, low))
                keys, index = np.append(keys, drawn[low]), np.append(index, n + low)
            n += len(drawn)
            if len(keys) > 2 * self.n_kept:
                lowest = np.sort(np.argpartition(keys, self.n_kept)[: self.n_kept])
                held = [take_rows(joined(held), lowest)]
                keys, index = keys[lowest], index[lowest]
                most = keys.max()
        if not n:
            raise ValueError("X gives no rows: pass a source of batches that have some.")
        lowest = np.sort(np.argsort(keys)[: self.n_kept])
        return take_rows(joined(held), lowest), index[lowest], n


def stream_of(X):
    """X as a stream; None where it is none."""
    return X if isinstance(X, Batches) else Batches(X) if _is_arrow(X) else None


def last_start(n, size):
    """First of the rows of the last of the pieces into which n rows are cut."""
    return (max(1, round(n / size)) - 1) * size


def cut(batches, size, n=None):
    """Rows of batches in pieces of ``size`` as they come.

    Of ``n`` rows the last piece takes up to half as much again, and is half of one at least.
    """
    held, n_held, n_cut = [], 0, 0
    last = np.inf if n is None else last_start(n, size)
    for batch in batches:
        held.append(batch)
        n_held += n_rows(batch, 0)
        if n_held >= size and n_cut < last:
            rows, start = joined(held), 0
            while n_held - start >= size and n_cut < last:
                yield take_rows(rows, slice(start, start + size))
                start, n_cut = start + size, n_cut + size
            left = slice(start, n_held)
            held, n_held = [take_rows(rows, left)] if start < n_held else [], n_held - start
    if n_held:
        yield joined(held)


def pieces(X, size=PIECE):
    """Rows that a user gave, in pieces of up to ``size``."""
    stream = stream_of(X)
    if stream is not None:
        return ahead(cut(stream, size))
    X = untorched(list(X) if isinstance(X, Iterator) else X)
    return (take_rows(X, slice(start, start + size)) for start in range(0, n_rows(X, 0), size))


def n_rows_of(X):
    """Number of rows that a user gave; None where they have to be read to be counted."""
    stream = stream_of(X)
    if stream is None:
        return None if isinstance(X, Iterator) else n_rows(X, 0)
    source = stream.source
    if hasattr(source, "count_rows"):
        return source.count_rows()
    return source.metadata.num_rows if hasattr(source, "iter_batches") else None


def written(parts, n, out):
    """Write the parts of an output of n rows to ``out``; n is None where it is not known."""
    if not isinstance(out, np.ndarray) or not out.flags.writeable:
        raise TypeError(
            f"out is a {type(out).__name__} that cannot be written to: pass an array, or "
            "np.lib.format.open_memmap(path, 'w+', dtype, shape)."
        )
    start = 0
    for part in parts:
        stop = start + len(part)
        shape = stop if n is None else n, part.shape[1]
        fits = out.ndim == 2 and out.shape[1] == shape[1] and out.shape[0] >= shape[0]
        fits = fits and (n is None or len(out) == n)
        if not fits or not np.can_cast(part.dtype, out.dtype, "same_kind"):
            break
        out[start:stop], start = part, stop
    else:
        if start == len(out):
            return out
        shape = start, part.shape[1]
    raise ValueError(
        f"out has the shape {out.shape} and the type {out.dtype}, and the output {shape} and "
        f"{part.dtype}: pass an array of this shape and type."
    )


def ahead(items):
    """What an iterator gives, of which a thread makes the next while one is used."""
    items, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = thread.submit(next, items, end)
            yield item


def joined(batches):
    """Batches of one kind as one, row after row."""
    if len(batches) == 1:
        return batches[0]
    try:
        return _stacked(batches)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"X gives batches that are no one table ({first_line(error)}): give batches of one "
            "kind, with the same columns."
        ) from None


def _stacked(batches):
    first = batches[0]
    if sp.issparse(first):
        return sp.vstack(batches, format="csr")
    if isinstance(first, list):
        return [row for batch in batches for row in batch]
    if is_frame(first):
        return nw.concat([nw.from_native(b, eager_only=True) for b in batches]).to_native()
    return np.concatenate(batches)


def _by_row_groups(file, size):
    """Batches of a Parquet file, of which Arrow holds one row group and not all that was read."""
    for number in range(file.num_row_groups):
        yield from file.iter_batches(size, row_groups=[number], use_threads=False)


def _one_by_one(source):
    """Options under which Arrow holds little more than the batch that is asked for.

    Its threads read on while batches wait to be used, and its buffers hold whole files. A thread
    of our own reads one batch ahead.
    """
    options = {"batch_readahead": 0, "fragment_readahead": 0, "use_threads": False}
    if _formats(source) == {"ParquetFileFormat"}:
        from pyarrow.dataset import ParquetFragmentScanOptions

        options["fragment_scan_options"] = ParquetFragmentScanOptions(pre_buffer=False)
    return options


def _formats(source):
    """Names of the formats of a data set, and of those that it is the union of."""
    children = getattr(source, "children", None)
    if children:
        return set().union(*map(_formats, children))
    return {type(getattr(source, "format", None)).__name__}


def _is_arrow(X):
    return type(X).__module__.startswith("pyarrow") and type(X).__name__ in _ARROW


def _loops(X):
    return isinstance(X, Iterable) and not isinstance(X, (str, bytes, dict))
