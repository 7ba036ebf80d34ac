"""Random convolutions of series: MiniRocket's features, of several channels and of any length."""

from functools import reduce
from itertools import combinations

import numpy as np
from sklearn.base import BaseEstimator

# Each kernel is nine weights of sum zero: -1, and 2 in three places.
LENGTH, N_KERNELS = 9, 84
PLACES = list(combinations(range(LENGTH), 3))
MOST_DILATIONS, MOST_CHANNELS = 32, 9
GOLDEN = (5**0.5 + 1) / 2
# Values of a block of series: few enough for the cache, and many for one call of NumPy.
BLOCK_VALUES = 2**17
# Eight series are counted at once, in the bytes of a word, of which each holds up to 255 steps.
WORD, MOST_COUNTED = 8, 255


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
            for kernel, row in enumerate(rows):
                (values,) = self._convolved(X[row, :, :, None], i, [kernel])
                stop = start + count
                biases.append(np.quantile(values[seen[row], 0], levels[start:stop]))
                start = stop
        self.biases_ = np.concatenate(biases).astype(np.float32)
        return self

    def transform(self, X, seen):
        """Shares (n, n_features_out), float32, of series as :meth:`fit` takes them."""
        n, n_channels, length = X.shape
        out = np.empty((n, len(self.biases_), self.n_fields), dtype=np.float32)
        size = max(BLOCK_VALUES // (n_channels * length) // WORD, 1) * WORD
        for start in range(0, n, size):
            rows = slice(start, min(start + size, n))
            width = -(-(rows.stop - start) // WORD) * WORD
            # Series stand side by side, so that all of a step is moved and counted at once.
            x = np.zeros((n_channels, length, width), dtype=np.float32)
            within = np.zeros((length, width), dtype=bool)
            x[:, :, : rows.stop - start] = X[rows].transpose(1, 2, 0)
            within[:, : rows.stop - start] = seen[rows].T
            self._share(x, within, out[rows])
        return out.reshape(n, -1)

    def _share(self, x, seen, out):
        """Write the shares of a block of series (n_channels, length, n) as (n, n_biases, n_fields).

        ``seen`` is (length, n).
        """
        whole, stop = _fields(seen, self.n_fields), 0
        for i, count in enumerate(self.counts_):
            start, stop = stop, stop + count * N_KERNELS
            within = _fields(_inner(seen, LENGTH // 2 * int(self.dilations_[i])), self.n_fields)
            # Kernels in turn, beginning with the other one at the next dilation.
            masks = (whole, within) if i % 2 == 0 else (within, whole)
            above = self._counted(x, i, self.biases_[start:stop].reshape(N_KERNELS, count), masks)
            for first, mask in enumerate(masks):
                above[first::2] /= np.maximum(mask.sum(axis=1), 1)
            above = above.reshape(stop - start, self.n_fields, -1)
            out[:, start:stop] = above[:, :, : len(out)].transpose(2, 0, 1)

    def _counted(self, x, i, biases, masks):
        """How many steps of each field exceed each bias: (84, count, n_fields, n)."""
        n_fields, length, n = masks[0].shape
        chunks = np.arange(0, length, MOST_COUNTED)
        counts = np.empty((*biases.shape, n_fields, len(chunks), n // WORD), dtype=np.uint64)
        above, masks = np.empty((length, n), dtype=bool), [mask.view(np.uint64) for mask in masks]
        words, inside = above.view(np.uint64), np.empty_like(masks[0][0])
        for kernel, values in enumerate(self._convolved(x, i)):
            for bias, counted in zip(biases[kernel], counts[kernel]):
                np.greater(values, bias, out=above)
                for mask, sums in zip(masks[kernel % 2], counted):
                    np.bitwise_and(words, mask, out=inside)
                    np.add.reduceat(inside, chunks, axis=0, out=sums)
        return counts.view(np.uint8).sum(axis=3, dtype=np.float64)

    def _convolved(self, x, i, kernels=range(N_KERNELS)):
        """What each kernel gives at each step with one dilation: (length, n), one after the other.

        The next kernel writes over what the last one gave.
        """
        n_channels, length, n = x.shape
        starts = [int(self.dilations_[i]) * k for k in range(LENGTH)]
        padded = np.zeros((n_channels, length + starts[-1], n), dtype=np.float32)
        padded[:, starts[LENGTH // 2] :][:, :length] = x
        # Weights are -1 everywhere, and 3 more in three places: kernels share the shifted series.
        lowered = -reduce(np.add, (padded[:, start : start + length] for start in starts))
        padded *= 3
        pair, values = np.empty((2, length, n), dtype=np.float32)
        before = None
        for kernel in kernels:
            a, b, c = (starts[place] for place in PLACES[kernel])
            chosen = self.channels_[i, kernel]
            if before != (a, b, chosen.tobytes()):
                before = a, b, chosen.tobytes()
                channels = np.flatnonzero(chosen)
                parts = ([part[channel] for channel in channels] for part in (padded, lowered))
                summed, low = (reduce(np.add, part) for part in parts)
                np.add(low, summed[a : a + length], out=pair)
                pair += summed[b : b + length]
            yield np.add(pair, summed[c : c + length], out=values)


def _some(n_channels, rng):
    """Channels that a kernel reads: few or many, by a uniform exponent."""
    most = np.log2(min(n_channels, MOST_CHANNELS) + 1)
    number = min(int(2 ** rng.uniform(0, most)), n_channels)
    chosen = np.zeros(n_channels, dtype=bool)
    chosen[rng.permutation(n_channels)[:number]] = True
    return chosen


def _inner(seen, reach):
    """Steps at least ``reach`` from both ends of each series; all steps where there are none."""
    step = np.arange(len(seen))[:, None]
    inner = seen & (step >= reach) & (step < len(seen) - seen[::-1].argmax(axis=0) - reach)
    return np.where(inner.any(axis=0), inner, seen)


def _fields(seen, n_fields):
    """Steps (n_fields, length, n) of each part of a series."""
    if n_fields == 1:
        return seen[None]
    position, number = np.cumsum(seen, axis=0) - 1, np.maximum(seen.sum(axis=0), 1)
    return seen & (position * n_fields // number == np.arange(n_fields)[:, None, None])
