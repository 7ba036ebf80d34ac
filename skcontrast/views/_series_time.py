"""Views of series that move steps: intervals, another speed, segments in another order."""

from collections.abc import Callable

import torch

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.series import SeriesBatch, SeriesRows
from skcontrast.views._series import SeriesView


class TimeCrop(SeriesView):
    """Keep a random interval of a series.

    Parameters
    ----------
    share : tuple (low, high), default=(0.5, 1.0)
        The share of the steps that an interval holds is drawn uniformly between these, in
        (0, 1]; at least two steps are kept.

    resize : bool, default=True
        Whether the interval is stretched to the length that the series had, by linear
        interpolation between steps that were seen. With False its steps stay in their place
        and the others are masked, so that two crops of a series can be compared step by step:
        an interval holds at least one step more than half of the series, and two of them have
        at least two steps in common.

    References
    ----------
    Le Guennec et al., "Data augmentation for time series classification using convolutional
    neural networks", AALTD 2016, for the resized interval. Yue et al., "TS2Vec: towards
    universal representation of time series", AAAI 2022, for two intervals that overlap.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import TimeCrop
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.arange(40.0).reshape(4, 10)))
    >>> x = rows.take(rows.train_index)
    >>> crop = TimeCrop(share=(0.6, 0.6), resize=False).build(rows)(x, rows.train_index)
    >>> crop.mask.sum(2).ravel()
    tensor([6., 6., 6., 6.])
    >>> resized = TimeCrop(share=(0.6, 0.6)).build(rows)(x, rows.train_index)
    >>> (resized.values[:, 0, -1] - resized.values[:, 0, 0])  # of the first and last step kept
    tensor([5., 5., 5., 5.])
    """

    _parameter_constraints = {"share": [tuple, list], "resize": ["boolean"]}

    def __init__(self, share: tuple[float, float] = (0.5, 1.0), resize: bool = True):
        self.share = share
        self.resize = resize

    def build(self, rows: SeriesRows) -> Callable:
        low, high = _range(self, "share", (0.5, 1.0), 1)
        if not self.resize and high < 0.5:
            raise ValueError(
                f"TimeCrop: intervals of up to {high} of a series need not overlap: type "
                "resize=True, or share=(0.5, 1.0)."
            )
        resize = self.resize

        def crop(x, index):
            length = x.lengths()
            least = 2 if resize else (length + 1).div(2, rounding_mode="floor") + 1
            drawn = low + (high - low) * torch.rand(len(x), device=x.device)
            size = (drawn * length).round().clamp_min(least).minimum(length)
            start = (torch.rand(len(x), device=x.device) * (length - size + 1)).floor()
            step = torch.arange(x.shape[2], device=x.device)
            if not resize:
                inside = (step >= start[:, None]) & (step < (start + size)[:, None])
                return _seen_or_whole(x, x.values, x.mask * inside[:, None])
            speed = (size - 1) / (length - 1).clamp_min(1)
            position = start[:, None] + speed[:, None] * step
            return _read_at(x, position, start + size - 1, step < length[:, None])

        return crop


class Warp(SeriesView):
    """Play a series faster or slower; what then lies beyond the last step is cut off.

    Values between two steps are interpolated linearly. A series that is played faster ends
    earlier, and its mask says so.

    Parameters
    ----------
    speed : tuple (low, high), default=(0.8, 1.25)
        The speed of each series is drawn between these, log-uniformly: 2 leaves half of the
        steps.

    References
    ----------
    Dai et al., "Contrastive augmentation: an unsupervised learning approach for keyword
    spotting in speech technology", arXiv:2409.00356, 2024. Um et al., "Data augmentation of
    wearable sensor data for Parkinson's disease monitoring using convolutional neural
    networks", ICMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import Warp
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.tile(np.arange(7.0), (2, 1))))
    >>> x = rows.take(rows.train_index)
    >>> Warp(speed=(2.0, 2.0)).build(rows)(x, rows.train_index).values[0]
    tensor([[0., 2., 4., 6., 0., 0., 0.]])
    """

    _parameter_constraints = {"speed": [tuple, list]}

    def __init__(self, speed: tuple[float, float] = (0.8, 1.25)):
        self.speed = speed

    def build(self, rows: SeriesRows) -> Callable:
        low, high = _range(self, "speed", (0.8, 1.25))

        def warp(x, index):
            drawn = torch.rand(len(x), device=x.device)
            speed = low * (high / low) ** drawn
            position = speed[:, None] * torch.arange(x.shape[2], device=x.device)
            last = x.lengths()[:, None] - 1
            return _read_at(x, position, last[:, 0], position <= last)

        return warp


class Permutation(SeriesView):
    """Cut a series at random places and put the segments in random order.

    All channels are cut at the same places and stay together.

    Parameters
    ----------
    max_segments : int, default=5
        The number of segments is drawn uniformly from 1 to this.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring
    using convolutional neural networks", ICMI 2017. Eldele et al., "Time-series
    representation learning via temporal and contextual contrasting", IJCAI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import Permutation
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.tile(np.arange(7.0), (2, 1))))
    >>> x = rows.take(rows.train_index)
    >>> moved = Permutation().build(rows)(x, rows.train_index)
    >>> moved.values[0, 0].sort().values
    tensor([0., 1., 2., 3., 4., 5., 6.])
    """

    _parameter_constraints = {"max_segments": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, max_segments: int = 5):
        self.max_segments = max_segments

    def build(self, rows: SeriesRows) -> Callable:
        def permute(x, index):
            n, _, length = x.shape
            most = min(self.max_segments, length)
            step = torch.arange(length, device=x.device)
            inside = step < x.lengths()[:, None]
            # Cuts are before the inner steps of the best scores.
            score = torch.rand(n, length, device=x.device)
            score = torch.where(inside & (step > 0), score, -1.0)
            best = score.topk(most - 1)
            wanted = torch.randint(most, (n, 1), device=x.device)  # cuts of each series
            chosen = (torch.arange(most - 1, device=x.device) < wanted) & (best.values >= 0)
            cut = torch.zeros_like(inside).scatter_(1, best.indices, chosen)
            rank = torch.rand(n, most, device=x.device).gather(1, cut.cumsum(dim=1))
            # Stable: a segment stays together, and what is behind the end stays there.
            order = torch.where(inside, rank, 2.0).argsort(dim=1, stable=True)[:, None]
            values = x.values.gather(2, order.expand(x.shape))
            return SeriesBatch(values, x.mask.gather(2, order))

        return permute


def _range(view, name, default, most=None):
    """Two numbers above 0 and up to ``most``, the first one not above the second."""
    given = getattr(view, name)
    numbers = [v for v in given if isinstance(v, Real) and not isinstance(v, bool) and v > 0]
    if len(given) == len(numbers) == 2 and numbers[0] <= numbers[1] <= (most or float("inf")):
        return float(numbers[0]), float(numbers[1])
    bound = "" if most is None else f" and at most {most}"
    raise ValueError(
        f"{type(view).__name__}: {name}={given!r} must be two numbers above 0{bound}, the smaller "
        f"one first: type {name}={default}."
    )


def _read_at(x, position, last, inside):
    """Read series at ``position`` (n, T), up to the step ``last`` (n,); the rest is masked.

    Values between two steps are on a line between those of the two that were seen, and seen
    where the nearer one was. ``inside`` (n, T) says where the new series has steps.
    """
    position = position.clamp_max(last[:, None])
    before = position.floor()
    part = (position - before)[:, None].to(x.dtype)  # (n, 1, T)
    before = before.long()[:, None]
    after = (before + 1).clamp_max(x.shape[2] - 1)
    left = (1 - part) * x.mask.gather(2, before)
    right = part * x.mask.gather(2, after)
    seen = (left + right >= 0.5) & inside[:, None]
    total = torch.where(seen, left + right, 1)
    values = left * x.values.gather(2, before.expand(x.shape))
    values = (values + right * x.values.gather(2, after.expand(x.shape))) / total
    return _seen_or_whole(x, values, seen.to(x.dtype))


def _seen_or_whole(x, values, mask):
    """The batch of ``values`` where ``mask``; a series of which nothing was seen stays itself."""
    lost = ~(mask > 0).any(dim=2, keepdim=True)
    return SeriesBatch(torch.where(lost, x.values, values * mask), torch.where(lost, x.mask, mask))
