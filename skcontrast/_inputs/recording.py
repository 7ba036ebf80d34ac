"""One long recording, a row for each time step, as a series of steps around each row."""

from functools import cached_property

import numpy as np
import torch

from skcontrast._arrays import refuse_masked
from skcontrast._component import Integral, Interval
from skcontrast._inputs.rows import Rows
from skcontrast._inputs.series import (
    NUMBERS,
    Masked,
    SeriesBatch,
    SeriesInput,
    at_hand,
    is_ragged,
    refuse_infinity,
)
from skcontrast.functional._rows import tensor_of


class Recording:
    """Checked rows of a recording (n, n_channels), some or all of them, and what is around them.

    ``values`` are those of the whole recording, and ``index`` (n,) says which rows of it these are.
    """

    def __init__(self, values, index=None):
        self.values, self.dtype = values, values.dtype
        self.index = np.arange(len(values)) if index is None else index
        self.shape = len(self.index), values.shape[1]

    def __getitem__(self, part):
        return Recording(self.values, self.index[part])


class WindowRows(Rows):
    """Rows of a recording on the device, each as a series of the steps around it.

    A window that would leave the stretch that its row lies in repeats the end of it.
    """

    kind = "series"

    def _store(self, X, parts, window):
        self._parts = [tensor_of(a).to(self.dtype).to(self.device) for a in parts]
        self._number = torch.as_tensor(X.index, device=self.device)  # in the whole recording
        self._step = steps_around(window).to(self.device)
        self.index_device = self.device

    @cached_property
    def _ends(self):
        return [self._number[end] for end in self.stretches()]

    def take(self, index):
        """The windows of the rows ``index`` as a SeriesBatch."""
        first, last = (end[index, None] for end in self._ends)
        return gathered(self._parts, self._number[index, None] + self._step, first, last)


def steps_around(window):
    """Steps (window,) of a window from the row in its middle, of an even number one more before."""
    return torch.arange(window) - window // 2


def gathered(parts, place, first, last):
    """Windows of a recording (N, n_channels) and its mask (N, 1), within first and last.

    ``place`` (n, window) are numbers of its rows.
    """
    place = place.clamp(first, last)
    return SeriesBatch(*(part[place].mT for part in parts))


class RecordingInput(SeriesInput):
    """One long recording: an array (n_steps, n_channels), each row of which is read as a window.

    What :meth:`fit` and :meth:`read` give is a :class:`Recording`, with NaN where nothing was seen.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    standardize : bool, default=True
        Whether each channel is centred and scaled over all steps.

    window : int, default=10
        Steps of a window.

    Attributes
    ----------
    shape_in_ : tuple (n_channels, window)

    mean_, scale_ : ndarray of shape (n_channels,) or None
    """

    ordered = True
    choices = {**SeriesInput.choices, "views": "time_offset", "clean_anchor": True}
    _parameter_constraints = {
        **SeriesInput._parameter_constraints,
        "window": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, owner="estimator", standardize=True, window=10):
        super().__init__(owner, standardize)
        self.window = window

    def fit(self, X, n_least=2):
        """Check the recording of a fit, and learn the scale of its channels."""
        if self.standardize == "series":
            raise ValueError(
                "standardize='series' is for collections of series: type standardize=True with a "
                "window, which centres and scales each channel of the recording."
            )
        X = self._checked(X, True, n_least)
        self.shape_in_ = X.shape[1], int(self.window)
        self._learn_scale(X.values.T[None])
        return X

    def read(self, X, n_least=1):
        """Check another recording against that of the fit."""
        return self._checked(X, False, n_least)

    def rows(self, X, side=None, **options):
        """Rows of a training."""
        return WindowRows(X, self._parts(X.values), self.window, side=side, **options)

    def batch(self, X, dtype, device):
        """One batch of windows, as the encoder reads it."""
        step = steps_around(self.window)
        start = max(0, X.index.min() + int(step[0]))
        stop = X.index.max() + int(step[-1]) + 1
        # Only what the windows hold is standardised and moved to the device.
        values = X.values[start:stop]
        parts = [tensor_of(a).to(dtype).to(device) for a in self._parts(values)]
        place = (torch.as_tensor(X.index - start)[:, None] + step).to(device)
        return gathered(parts, place, 0, len(values) - 1)

    def _parts(self, values):
        return [a[0].T for a in Masked(self.standardized(values.T[None])).parts]

    def _checked(self, X, reset, n_least):
        X = at_hand(X)
        if is_ragged(X) or np.ndim(X) > 2:
            raise ValueError(
                f"X is a collection of series, but window={self.window} reads one recording, an "
                "array of shape (n_steps, n_channels): type window=None, or pass sessions one "
                "below the other, with groups=."
            )
        refuse_masked(X, "X")
        X = self._validated(X, reset=reset, ensure_min_samples=n_least, **NUMBERS)
        refuse_infinity(X)
        if len(X) < self.window:
            raise ValueError(
                f"X has {len(X)} rows, fewer than the window={self.window} steps that are read "
                "around each: pass a longer recording, or fit with a smaller window."
            )
        seen = np.append(0, np.cumsum(~np.isnan(X).all(axis=1)))
        place = np.arange(len(X))[:, None] + steps_around(self.window).numpy()[[0, -1]]
        start, last = place.clip(0, len(X) - 1).T
        empty = np.flatnonzero(seen[last + 1] == seen[start])
        if len(empty):
            raise ValueError(
                f"X has no value in the {self.window} steps around row {empty[0]}: interpolate "
                "them, or split the recording there and give the parts other groups."
            )
        return Recording(X)
