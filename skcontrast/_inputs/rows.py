"""The data path: rows of a table as batches of tensors, with one indexing a batch."""

import itertools

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils.data import Dataset

from skcontrast.functional._rows import slices, tensor_of

# Standardised values are kept within this bound: an outlier of 1e300 in float64 would
# be infinite in float32, and its embedding NaN.
BOUND = 1e4
# Rows converted at a time, so that a float64 copy of all the data never exists.
CHUNK = 16384
# Share of a device's free memory that the data may take to be kept on it.
RESIDENT_SHARE = 0.5


class SparseBatch:
    """Rows of a sparse matrix, in the layout that an embedding bag reads.

    ``indices`` (nnz,) are the columns of the stored entries, row after row, ``values`` (nnz,)
    the entries, and ``offsets`` (n,) says where each row starts in them.
    """

    def __init__(self, indices, offsets, values, n_features):
        self.indices, self.offsets, self.values = indices, offsets, values
        self.n_features = n_features

    def __len__(self):
        return len(self.offsets)

    @property
    def shape(self):
        """(n, n_features), as for a dense batch."""
        return len(self.offsets), self.n_features

    @property
    def device(self):
        """Where the tensors are."""
        return self.values.device

    @property
    def dtype(self):
        """Type of the values."""
        return self.values.dtype

    def row_of_entry(self):
        """Row number of each stored entry: (nnz,)."""
        starts = torch.zeros(len(self.values) + 1, dtype=torch.int64, device=self.device)
        starts.index_add_(0, self.offsets, torch.ones_like(self.offsets))
        return starts[:-1].cumsum(0) - 1

    def to_dense(self):
        """The batch as a tensor (n, n_features)."""
        out = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        return out.index_put_((self.row_of_entry(), self.indices), self.values, accumulate=True)

    def to(self, device):
        """The batch on ``device``."""
        moved = (to_device(t, device) for t in (self.indices, self.offsets, self.values))
        return SparseBatch(*moved, self.n_features)

    def padded(self, missing):
        """The batch with ``missing`` empty rows at its end."""
        end = self.offsets.new_full((missing,), len(self.indices))
        offsets = torch.cat([self.offsets, end])
        return SparseBatch(self.indices, offsets, self.values, self.n_features)

    def split(self, size):
        """Batches of ``size`` rows each, in order."""
        for rows, entries in ragged_parts(self.offsets, len(self.indices), size):
            offsets = self.offsets[rows] - entries.start
            yield SparseBatch(self.indices[entries], offsets, self.values[entries], self.n_features)

    @staticmethod
    def joined(batches):
        """Stack sparse batches, row after row."""
        shift, offsets = 0, []
        for batch in batches:
            offsets.append(batch.offsets + shift)
            shift += len(batch.indices)
        return SparseBatch(
            torch.cat([batch.indices for batch in batches]),
            torch.cat(offsets),
            torch.cat([batch.values for batch in batches]),
            batches[0].n_features,
        )


def concatenate(batches):
    """Stack batches of one kind, tensors or ragged batches, row after row."""
    first = batches[0]
    return torch.cat(batches) if torch.is_tensor(first) else first.joined(batches)


def to_device(tensor, device):
    """The tensor on ``device``, without waiting for it: CUDA copies while the host goes on.

    That takes page-locked memory to copy from.
    """
    if torch.device(device).type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def to_batch(X, mean, scale, dtype, device):
    """Convert a block of rows (n, n_features), dense or CSR, to a batch on ``device``.

    It is a tensor or a SparseBatch, made by :func:`standardized`.
    """
    X = standardized(X, mean, scale)
    if sp.issparse(X):
        batch = SparseBatch(
            torch.as_tensor(X.indices.astype(np.int64)),
            torch.as_tensor(X.indptr[:-1].astype(np.int64)),
            tensor_of(X.data).to(dtype),
            X.shape[1],
        )
        return batch.to(device)
    return to_device(tensor_of(X).to(dtype), device)


def standardized(X, mean, scale):
    """Rows as a network reads them: centred, scaled and within bounds, where there is a scale.

    ``X`` is an ndarray or CSR (n, n_features), ``mean`` and ``scale`` (n_features,) or None.
    """
    if sp.issparse(X) and mean is not None:
        X = X.toarray()  # centred like the dense rows that the mean is of
    if scale is None:
        return X
    with np.errstate(over="ignore"):
        if sp.issparse(X):
            values = np.clip(X.data / scale[X.indices], -BOUND, BOUND)
            return type(X)((values, X.indices, X.indptr), shape=X.shape)
        # In float64: a float32 difference of two large numbers keeps few digits.
        X = np.asarray(X, dtype=np.float64)
        return np.clip((X if mean is None else X - mean) / scale, -BOUND, BOUND)


def table_rows(X, side=None, mean=None, scale=None, features=None, **options):
    """Rows of a table, in the layout that suits how X is stored.

    ``features`` (n_features,) is the feature that each column is of, where several columns are
    one, as those of a category. The other arguments are those of :func:`standardized` and of
    :class:`Rows`.
    """
    if sp.issparse(X):
        layout, features = MappedSparseRows if _is_mapped(X.data) else SparseRows, None
    else:
        layout = MappedRows if isinstance(X, np.memmap) else DenseRows
    return layout(X, (mean, scale), features, side=side, **options)


class Rows(Dataset):
    """All training rows, with the side information of each; a subclass for each layout.

    Subclasses set ``index_device`` in ``_store`` and have ``take(index)``, which gives the
    rows ``index`` as a batch.

    Parameters
    ----------
    X : checked rows of shape (n, n_features)

    *how : tuple
        What ``_store`` of the layout reads beside X.

    side : dict of str to ndarray of shape (n, ...), default=None
        Side information for each row, such as ``{"target": y}``.

    dtype, device : default=torch.float32, "cpu"

    train_index : ndarray of int, default=None
        Rows to train on, when some are held out; all by default.
    """

    # What a row is, as inputs, views and networks say it.
    kind, is_sparse = "numbers", False
    # The feature of each column as 0, 1, ... (n_features,); None where each is one of its own.
    features = None
    # Whether rows pass by, so that those of ``train_index`` alone can be read at any time.
    passing = False
    # Number of blocks that a row is given as, 0 where it is one thing, and whether these are rows
    # of one kind, block after block.
    n_given, stacked = 0, False
    # Evaluates a function in one of the processes that share the rows, for all of them.
    once = staticmethod(lambda function, *args: function(*args))

    def __init__(self, X, *how, side=None, dtype=torch.float32, device="cpu", train_index=None):
        self.n_rows, self.n_features = X.shape[:2]
        self.device, self.dtype = torch.device(device), dtype
        self.index_device = torch.device("cpu")  # where row numbers have to be for ``take``
        self._store(X, *how)
        self.side = {name: tensor_of(v).to(self.device) for name, v in (side or {}).items()}
        if train_index is None:
            train_index = np.arange(self.n_rows)
        self.all_train = len(train_index) == self.n_rows
        self.train_index = torch.as_tensor(train_index, device=self.index_device)

    def _set_features(self, features):
        if features is not None:
            names, numbers = np.unique(features, return_inverse=True)
            if len(names) < self.n_features:
                self.features = torch.as_tensor(numbers, device=self.device)

    def __len__(self):
        return self.n_rows

    def reference(self, max_rows=CHUNK):
        """Features of up to ``max_rows`` training rows, to draw replacements from."""
        index = self.train_index
        if self.stacked:
            n = self.n_rows // self.n_given
            index = torch.cat([index + n * v for v in range(self.n_given)])
        if len(index) > max_rows:
            index = index[torch.randperm(len(index), device=index.device)[:max_rows]]
        return self.take(index)

    def stretches(self):
        """First and last row (n,) of the stretch of time that each row lies in.

        That is what is trained on, or held out, of one of the ``sessions``.
        """
        trained = np.zeros(self.n_rows, dtype=np.int64)
        trained[self.train_index.cpu().numpy()] = 1
        if "sessions" in self.side:
            trained += 2 * self.side["sessions"].cpu().numpy()
        start = np.flatnonzero(np.diff(trained, prepend=-1))
        end = np.append(start[1:], self.n_rows) - 1
        found = (np.repeat(a, end - start + 1) for a in (start, end))
        return tuple(torch.as_tensor(a, device=self.index_device) for a in found)

    def __getitems__(self, index):
        """Named tensors of one batch: ``x``, ``index`` and the side information."""
        moved = to_device(index, self.device)
        side = {name: tensor.index_select(0, moved) for name, tensor in self.side.items()}
        return {"x": self.take(index), "index": moved, **side}


class MappedRows(Rows):
    """Rows of a memory map, which stay on disk and are read batch by batch."""

    def _store(self, X, scales, features):
        self._X, self._scales = X, scales
        self._set_features(features)

    def take(self, index):
        """Features of the rows ``index``: a tensor (n, n_features)."""
        return to_batch(self._X[index.numpy()], *self._scales, self.dtype, self.device)


class DenseRows(Rows):
    """Rows of an array: on the device when they fit there, else in pinned host memory."""

    def _store(self, X, scales, features):
        self._set_features(features)
        fits = True
        if self.device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(self.device)
            fits = X.size * self.dtype.itemsize <= RESIDENT_SHARE * free
        home = self.device if fits else torch.device("cpu")
        in_place = home.type == "cpu" and X.flags.c_contiguous and X.flags.writeable
        if scales[1] is None and in_place:
            data = torch.as_tensor(X, dtype=self.dtype)  # shares memory where the type agrees
        else:
            data = torch.empty(X.shape, dtype=self.dtype, device=home)
            for start in range(0, self.n_rows, CHUNK):
                block = X[start : start + CHUNK]
                data[start : start + CHUNK] = to_batch(block, *scales, self.dtype, home)
        self._data = data if fits else data.pin_memory()
        self.index_device = self._data.device

    def take(self, index):
        """Features of the rows ``index``: a tensor (n, n_features)."""
        return to_device(self._data.index_select(0, index), self.device)

    def reference(self, max_rows=CHUNK):
        """Features of the training rows, all of them where that copies nothing."""
        if self.all_train and self._data.device.type == self.device.type:
            return self._data
        return super().reference(max_rows)


def ragged_parts(offsets, n_entries, size):
    """Slices of ``size`` rows of a ragged batch, and of their entries, with one device sync."""
    bounds = [*offsets[::size].tolist(), n_entries]
    return zip(slices(len(offsets), size), itertools.starmap(slice, itertools.pairwise(bounds)))


def ragged_entries(starts, lengths, index):
    """Numbers of the entries of the rows ``index`` (m,) in a ragged layout, and their starts (m,).

    ``starts`` and ``lengths`` (n,) are those of each row in the entries of all. They stay on
    the host: the size of a batch is known without a device sync.
    """
    lengths = lengths[index]
    ends = lengths.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    offsets = ends - lengths
    shift = torch.repeat_interleave(starts[index] - offsets, lengths, output_size=total)
    return torch.arange(total) + shift, offsets


class SparseRows(Rows):
    """Rows of a CSR matrix: their stored entries, on the device."""

    is_sparse = True

    def _store(self, X, scales, features):
        self._data = to_batch(X, *scales, self.dtype, self.device)
        self._starts = torch.as_tensor(X.indptr[:-1].astype(np.int64))
        self._lengths = torch.as_tensor(np.diff(X.indptr).astype(np.int64))

    def take(self, index):
        """Features of the rows ``index``: a SparseBatch."""
        entry, offsets = ragged_entries(self._starts, self._lengths, index)
        entry, offsets = (to_device(t, self.device) for t in (entry, offsets))
        data = self._data
        return SparseBatch(data.indices[entry], offsets, data.values[entry], self.n_features)


class MappedSparseRows(Rows):
    """Rows of a CSR matrix on disk, whose entries are read batch by batch."""

    is_sparse = True

    def _store(self, X, scales, features):
        self._X, self._scales = X, scales

    def take(self, index):
        """Features of the rows ``index``: a SparseBatch."""
        return to_batch(self._X[index.numpy()], *self._scales, self.dtype, self.device)


def _is_mapped(array):
    """Whether an array is a view of a memory map, as SciPy keeps the parts of a matrix."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None
