"""Series as the rows of numbers that random convolutions make of them."""

import numpy as np

from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.convolutions import Convolutions
from skcontrast._inputs.series import SeriesInput
from skcontrast._inputs.table import TableInput

# What is made of a series: biases and fields of the convolutions, of it or of its differences.
CONVOLUTIONS = {
    "shares": Convolutions(504),
    "differences": Convolutions(504),
    "fields": Convolutions(168, n_fields=3),
}
# Variance of each block over that of the first; "steps" are the values of the series themselves.
WEIGHTS = {"shares": 1.0, "differences": 0.5, "fields": 0.5, "steps": 0.3}
# Values of a series that are columns at most, and of a channel.
MOST_STEPS, MOST_OF_CHANNEL = 512, 64
# Added to the deviation of shares, of which some hardly ever change.
LEAST_DEVIATION = 1e-3


class ConvolvedSeriesInput(ColumnsOfInput, TableInput):
    """Collections of series as rows of numbers: what random convolutions find in each.

    A row holds shares of steps at which convolutions of the series and of its differences exceed
    a bias, the same of thirds of the series and, where all series of the fit were as long as one
    another, the values of the series themselves, which weigh less.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    standardize : bool or "series", default=True
        As in :class:`~skcontrast._inputs.series.SeriesInput`.

    Attributes
    ----------
    series_ : SeriesInput

    convolutions_ : dict of str to Convolutions

    n_steps_ : int
        Values of each channel that are columns; 0 where series differed in length.

    mean_, scale_ : ndarray of shape (n_features,)
        Of the columns; the scale makes the blocks weigh what they shall.
    """

    hint = ", or name a network or views of series"
    _input_name = "series_"
    # Convolutions lie in no order, and half of them are near to normal.
    parts = ("columns", "neighborhood")
    shares = {"learned": 1.0, "neighborhood": 0.1}
    _parameter_constraints = SeriesInput._parameter_constraints

    def __init__(self, owner="estimator", standardize=True):
        super().__init__(owner, standardize)

    def fit(self, X, n_least=2):
        """Check the series of a fit, draw convolutions and learn the scale of what they give."""
        self.series_ = SeriesInput(self.owner, self.standardize)
        X = self.series_.fit(X, n_least)
        n_channels, length = self.series_.shape_in_
        self.n_steps_ = 0
        if self.series_.is_aligned_ and n_channels <= MOST_STEPS:
            self.n_steps_ = min(length, MOST_OF_CHANNEL, MOST_STEPS // n_channels)
        # Drawn apart from training, which they take no part in.
        rng = np.random.default_rng(0)
        given = self._given(X)
        self.convolutions_ = {
            name: Convolutions(made.n_features, made.n_fields).fit(*given[name], rng)
            for name, made in CONVOLUTIONS.items()
            if name in given and given[name][1].any()
        }
        blocks = self._blocks(X, given)
        self._scale(blocks)
        return _joined(blocks, X.dtype)

    def read(self, X, n_least=1):
        """Check other series, and convolve them."""
        X = self.series_.read(X, n_least)
        return _joined(self._blocks(X, self._given(X)), X.dtype)

    @property
    def n_features(self):
        """Number of columns."""
        return len(self.mean_)

    def column_names(self, names):
        """Names of the columns that the network reads: the block of each, and its number."""
        sizes = {
            name: len(made.biases_) * made.n_fields for name, made in self.convolutions_.items()
        }
        sizes["steps"] = self.n_features - sum(sizes.values())
        return [f"{name}{j}" for name, size in sizes.items() for j in range(size)]

    def _given(self, X):
        """What each convolution reads, and where it was seen."""
        S, seen = self.series_.convolvable(X)
        given = {"shares": (S, seen), "fields": (S, seen)}
        if S.shape[2] > 1:
            later = seen[:, 1:]  # zero behind the end, as the series themselves are
            given["differences"] = np.diff(S, axis=2) * later[:, None], later
        return given

    def _blocks(self, X, given):
        blocks = {name: made.transform(*given[name]) for name, made in self.convolutions_.items()}
        if self.n_steps_:
            blocks["steps"] = _resampled(*given["shares"], self.n_steps_, self.series_.shape_in_[1])
        return blocks

    def _scale(self, blocks):
        """A scale of the columns that gives each block its share, and a mean variance of one."""
        total = sum(WEIGHTS[name] for name in blocks)
        width = sum(block.shape[1] for block in blocks.values())
        means, scales = [], []
        for name, block in blocks.items():
            n = block.shape[1]
            deviation = block.std(axis=0, dtype=np.float64)
            if name == "steps":  # on the one scale that they have
                deviation[:] = np.sqrt(np.square(deviation).mean())
            means.append(block.mean(axis=0, dtype=np.float64))
            weight = WEIGHTS[name] / total * width / n
            scales.append((deviation + LEAST_DEVIATION) / np.sqrt(weight))
        self.mean_, self.scale_ = np.concatenate(means), np.concatenate(scales)
        self.expansion_ = self.features_ = None


def _joined(blocks, dtype):
    return np.hstack(list(blocks.values())).astype(dtype)


def _resampled(X, seen, n_steps, length):
    """Means (n, c * n_steps) over parts of each series, which is first brought to one length."""
    n, n_channels, _ = X.shape
    ends = seen.shape[1] - seen[:, ::-1].argmax(axis=1)
    out = np.empty((n, n_channels, length), dtype=np.float32)
    same = ends == length
    out[same] = X[same][:, :, :length]
    for i in np.flatnonzero(~same):
        place = np.linspace(0, ends[i] - 1, length)
        for c in range(n_channels):
            out[i, c] = np.interp(place, np.arange(ends[i]), X[i, c, : ends[i]])
    starts = np.arange(n_steps) * length // n_steps
    sums = np.add.reduceat(out, starts, axis=2)
    return (sums / np.diff([*starts, length]).astype(np.float32)).reshape(n, -1)
