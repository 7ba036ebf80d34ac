"""Random convolutions of series: MiniRocket's features, of several channels and of any length."""

from itertools import combinations

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skcontrast.functional._rows import tensor_of

# Each kernel is nine weights of sum zero: -1, and 2 in three places.
LENGTH, N_KERNELS = 9, 84
PLACES = np.array(list(combinations(range(LENGTH), 3)))
MOST_DILATIONS, MOST_CHANNELS = 32, 9
GOLDEN = (5**0.5 + 1) / 2
# Numbers that the kernels of one dilation give for a block of series: they stay in the cache.
BLOCK_VALUES, MOST_ROWS = 2**21, 64


def kernel_weights():
    """Weights (84, 9) of the kernels, in the order of their three places."""
    weights = np.full((N_KERNELS, LENGTH), -1.0, dtype=np.float32)
    np.put_along_axis(weights, PLACES, 2.0, axis=1)
    return weights


def spread_dilations(length, n_biases):
    """Dilations of series of ``length`` steps, and how many of ``n_biases`` each one has."""
    n = min(n_biases, MOST_DILATIONS)
    most = np.log2(max((length - 1) / (LENGTH - 1), 1.0))
    dilations, counts = np.unique(np.logspace(0, most, n, base=2).astype(int), return_counts=True)
    counts = (counts * (n_biases / n)).astype(int)
    missing = n_biases - counts.sum()
    counts += missing // len(counts)
    counts[: missing % len(counts)] += 1
    return dilations, counts


class Convolutions(BaseEstimator):
    r"""Shares of the steps of a series at which a random convolution exceeds a bias.

    .. math:: r_{jf}(x) = \frac{1}{|f|} \sum_{t \in f}
        \Big[\, \Big(w_j * \sum_{c \in C_j} x_c\Big)_t > b_j \,\Big]

    over fields f, equal parts of the length of each series. Half of the kernels see zeros before
    the series and behind it, the others only steps at which they lie within it.

    Parameters
    ----------
    n_features : int, default=1008
        Number of biases, rounded down to a multiple of 84, and 84 at least.

    n_fields : int, default=1

    Attributes
    ----------
    dilations_, counts_ : int ndarray of shape (n_dilations,)
        Distances of neighbouring weights, and the number of biases of each kernel at each.

    channels_ : bool ndarray of shape (n_dilations, 84, n_channels)
        Which channels a kernel reads the sum of.

    biases_ : float32 ndarray of shape (n_biases,)
        By dilation, then by kernel.
    """

    def __init__(self, n_features=1008, n_fields=1):
        self.n_features = n_features
        self.n_fields = n_fields

    def fit(self, X, seen, rng):
        """Draw channels, and biases from quantiles of what single series give.

        Parameters
        ----------
        X : float32 ndarray of shape (n, n_channels, length)
            Zero where nothing was seen.

        seen : bool ndarray of shape (n, length)

        rng : numpy.random.Generator
        """
        n_channels, length = X.shape[1:]
        able = np.flatnonzero(seen.any(axis=1))
        n_biases = max(self.n_features // N_KERNELS, 1)
        self.dilations_, self.counts_ = spread_dilations(length, n_biases)
        self.channels_ = np.array(
            [[_some(n_channels, rng) for _ in range(N_KERNELS)] for _ in self.dilations_]
        )
        levels = np.arange(1, n_biases * N_KERNELS + 1) * GOLDEN % 1
        biases, start = [], 0
        for i, count in enumerate(self.counts_):
            # Each kernel reads one series of its own.
            rows = able[rng.integers(len(able), size=N_KERNELS)]
            own = np.arange(N_KERNELS)
            values = self._convolved(X[rows], i)[own, own].numpy()
            for value, row in zip(values, rows):
                stop = start + count
                biases.append(np.quantile(value[seen[row]], levels[start:stop]))
                start = stop
        self.biases_ = np.concatenate(biases).astype(np.float32)
        return self

    def transform(self, X, seen):
        """Shares (n, n_features_out), float32, of series as :meth:`fit` takes them."""
        n, _, length = X.shape
        size = int(np.clip(BLOCK_VALUES // (N_KERNELS * length), 1, MOST_ROWS))
        out = np.empty((n, len(self.biases_) * self.n_fields), dtype=np.float32)
        for start in range(0, n, size):
            # Always as many: products of other shapes are rounded in other ways, and a series
            # must not depend on those that come with it.
            rows = np.minimum(np.arange(start, start + size), n - 1)
            out[start : start + size] = self._shares(X[rows], seen[rows])[: n - start]
        return np.minimum(out, 1, out=out)  # above by rounding

    def _shares(self, X, seen):
        whole = _fields(seen, self.n_fields)
        parts, stop = [], 0
        for i, count in enumerate(self.counts_):
            values = self._convolved(X, i)
            start, stop = stop, stop + count * N_KERNELS
            biases = tensor_of(self.biases_[start:stop]).reshape(N_KERNELS, count)
            within = _fields(_inner(seen, 4 * int(self.dilations_[i])), self.n_fields)
            shares = torch.empty(len(X), N_KERNELS, count, self.n_fields)
            # Kernels in turn, beginning with the other one at the next dilation.
            for first, weight in ((i % 2, whole), (1 - i % 2, within)):
                part = values[:, first::2].contiguous()
                above = torch.empty_like(part)
                for j in range(count):
                    torch.gt(part, biases[first::2, j, None], out=above)  # as 0 and 1, at once
                    shares[:, first::2, j] = above @ weight
            parts.append(shares.flatten(1))
        return torch.cat(parts, dim=1).numpy()

    def _convolved(self, X, i):
        """What the kernels give at each step with one dilation: (n, 84, length)."""
        dilation = int(self.dilations_[i])
        weights = tensor_of(kernel_weights()[:, None] * self.channels_[i][:, :, None])
        reach = (LENGTH // 2) * dilation
        x = torch.nn.functional.pad(tensor_of(X), (reach, reach))
        n, n_channels, length = X.shape
        row, channel, step = x.stride()
        shifted = x.as_strided(
            (n, n_channels, LENGTH, length), (row, channel, dilation * step, step)
        )
        return torch.matmul(weights.flatten(1), shifted.reshape(n, n_channels * LENGTH, length))


def _some(n_channels, rng):
    """Channels that a kernel reads: few or many, by a uniform exponent."""
    most = np.log2(min(n_channels, MOST_CHANNELS) + 1)
    number = min(int(2 ** rng.uniform(0, most)), n_channels)
    chosen = np.zeros(n_channels, dtype=bool)
    chosen[rng.permutation(n_channels)[:number]] = True
    return chosen


def _inner(seen, reach):
    """Steps at least ``reach`` from both ends of each series; all steps where there are none."""
    length = seen.shape[1] - seen[:, ::-1].argmax(axis=1)
    step = np.arange(seen.shape[1])
    inner = seen & (step >= reach) & (step < length[:, None] - reach)
    return np.where(inner.any(axis=1, keepdims=True), inner, seen)


def _fields(seen, n_fields):
    """Weights (n, length, n_fields) that take the mean over each part of a series."""
    if n_fields == 1:
        weight = seen[:, :, None].astype(np.float32)
    else:
        position = np.cumsum(seen, axis=1) - 1
        number = np.maximum(seen.sum(axis=1, keepdims=True), 1)
        field = position * n_fields // number
        weight = (seen[:, :, None] & (field[:, :, None] == np.arange(n_fields))).astype(np.float32)
    return tensor_of(weight / np.maximum(weight.sum(axis=1, keepdims=True), 1))
