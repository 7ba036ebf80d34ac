"""Training on rows that come in batches.

A pass over all of them draws the rows to keep, by which an input learns what a row is, and among
which views seek others. Training goes over the batches in windows: rows are shuffled in each, and
have the number that they have in the whole.
"""

import torch

from skcontrast._component import take_rows
from skcontrast._inputs.batches import ahead, cut, last_start, stream_of
from skcontrast._inputs.rows import Rows
from skcontrast._inputs.target import n_rows


def read_rows(read, X, call):
    """Input and checked rows, by ``read(X, call)``, of rows in memory or of a stream."""
    stream = stream_of(X)
    if stream is None:
        return read(X, call)
    kept, index, n = stream.draw()
    source, kept = read(kept, call)
    if hasattr(kept, "n_given"):
        raise ValueError(
            "X gives blocks in batches, which no encoder is fitted to: pass all rows at once, as "
            "memory maps where they are many."
        )
    return source, Streamed(stream, source, kept, index, n)


def at_hand(X, y=None):
    """Those of checked rows that are in memory, with their labels."""
    if not isinstance(X, Streamed):
        return X, y
    return X.kept, None if y is None else take_rows(y, X.index)


class Streamed:
    """A stream whose kept rows are checked.

    Parameters
    ----------
    batches : Batches

    source : Input

    kept : checked rows of shape (m, n_features)

    index : ndarray of shape (m,)
        Their numbers in the stream.

    n : int
        Number of all rows.
    """

    def __init__(self, batches, source, kept, index, n):
        self.batches, self.source, self.kept, self.index = batches, source, kept, index
        self.shape = n, kept.shape[1]

    def training(self, make, side, train_index=None, **options):
        """Rows of a training."""
        if train_index is not None:
            raise ValueError(
                "early_stopping=True holds rows out, and those of a stream pass by: type "
                "early_stopping=False."
            )
        ordered = {"pairs", "sessions"} & set(side)
        if ordered:
            raise ValueError(
                "groups, and views in time order, need rows beside each other, and those of a "
                "stream pass by: pass X as an array, or as a memory map."
            )
        return StreamedRows(self, make, options, side=side, train_index=self.index, **options)

    def windows(self, size):
        """Checked rows in windows of ``size``, read ahead in a thread."""
        n, n_read = self.shape[0], 0
        for window in ahead(self.source.read(rows) for rows in cut(self.batches, size, n)):
            n_read += n_rows(window, 0)
            if n_read > n:
                break
            yield window
        if n_read != n:
            raise ValueError(
                f"X gave {n} rows in its first pass and {'more' if n_read > n else n_read} in "
                "another: pass a source that gives the same rows each time."
            )


class StreamedRows(Rows):
    """Rows of a window of a stream, and those that are kept; the others are not at hand."""

    passing = True

    def _store(self, X, make, options):
        self._X, self._make, self._options = X, make, options
        self._kept, self._index = make(X.kept, None, **options), torch.as_tensor(X.index)
        for name in ("kind", "is_sparse", "features", "index_device"):
            setattr(self, name, getattr(self._kept, name))
        self._window, self._start = self._kept, -self.n_rows

    def __getattr__(self, name):
        """What rows of this kind have beside."""
        if name == "_kept":
            raise AttributeError(name)
        return getattr(self._kept, name)

    def take(self, index):
        """Features of the rows ``index``."""
        local = index - self._start
        if bool(((local >= 0) & (local < len(self._window))).all()):
            return self._window.take(local)
        numbers = self._index.to(index.device)
        place = torch.searchsorted(numbers, index).clamp_max(len(numbers) - 1)
        if bool((numbers[place] != index).any()):
            raise ValueError(
                "A view, sampler or objective reads any row at any time, and those of a stream "
                "pass by: type views='corruption', or pass X as an array or a memory map."
            )
        return self._kept.take(place)

    def in_turn(self, batch_size, min_rows):
        """Batches of an epoch: window after window, the rows of each in random order."""
        return _InTurn(self, max(batch_size, min_rows), min_rows)

    def passes(self, size):
        """Go through the windows: the number of the first row of each, and its length."""
        start = 0
        for window in self._X.windows(size):
            self._window, self._start = self._make(window, None, **self._options), start
            yield start, len(self._window)
            start += len(self._window)


class _InTurn:
    def __init__(self, rows, batch_size, min_rows):
        self.rows, self.batch_size, self.min_rows = rows, batch_size, min_rows
        self.size = max(1, rows._X.batches.n_shuffled // batch_size) * batch_size

    def __len__(self):
        before = last_start(self.rows.n_rows, self.size)
        full, rest = divmod(self.rows.n_rows - before, self.batch_size)
        return before // self.batch_size + max(1, full + (rest >= self.min_rows))

    def __iter__(self):
        for start, n in self.rows.passes(self.size):
            order = start + torch.randperm(n, device=self.rows.index_device)
            batches = list(order.split(self.batch_size))
            if len(batches) > 1 and len(batches[-1]) < self.min_rows:
                batches[-2:] = [torch.cat(batches[-2:])]
            yield from batches
