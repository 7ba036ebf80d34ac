"""Views of series that leave every step in its place: masks, noise and other amplitudes."""

from collections.abc import Callable

import torch

from skcontrast._component import Interval, Real
from skcontrast._inputs.series import SeriesRows
from skcontrast.views._base import View


class SeriesView(View):
    """A random change of a series that keeps what matters about it.

    The batch is a SeriesBatch: ``values`` (n, n_channels, length) are zero where nothing was
    seen, and ``mask`` (n, 1, length) is 1 at steps that were seen. A subclass has a ``build``
    as :class:`View` has.

    Examples
    --------
    >>> from skcontrast.views import SeriesView
    >>> class Upside(SeriesView):
    ...     def build(self, rows):
    ...         return lambda x, index: x.with_values(-x.values)
    """

    reads = frozenset({"series"})


class SegmentMask(SeriesView):
    r"""Set random segments of steps to 0, which is the mean after standardisation.

    .. math:: x'_{ct} = s_t \, x_{ct}, \qquad
        P(s_{t+1} = 1 \mid s_t = 0) = \frac{1}{l}, \qquad
        P(s_{t+1} = 0 \mid s_t = 1) = \frac{r}{l (1 - r)}

    A Markov chain of two states, the same for all channels, that starts in its stationary
    distribution: a share r of the steps is masked, in segments of mean length l. They stay
    steps of the series, so an objective may compare them. At least one step that was seen is
    kept.

    Parameters
    ----------
    rate : float, default=0.3
        Share r of the steps that are masked, in [0, 1).

    mean_length : float, default=5
        Mean number l of steps of a masked segment, at least 1 / (1 - rate): that of steps
        which are masked independently, as by :class:`PointMask`.

    References
    ----------
    Zerveas et al., "A transformer-based framework for multivariate time series representation
    learning", KDD 2021, for the chain. Dong et al., "SimMTM: a simple pre-training framework
    for masked time-series modeling", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import SegmentMask
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.ones((100, 200))))
    >>> x = rows.take(rows.train_index)
    >>> masked = SegmentMask(rate=0.3).build(rows)(x, rows.train_index)
    >>> round(float(masked.values.mean()), 1)
    0.7
    """

    _parameter_constraints = {
        "rate": [Interval(Real, 0, 1, closed="left")],
        "mean_length": [Interval(Real, 1, None, closed="left")],
    }

    def __init__(self, rate: float = 0.3, mean_length: float = 5):
        self.rate = rate
        self.mean_length = mean_length

    def build(self, rows: SeriesRows) -> Callable:
        visible = self._chain()

        def mask(x, index):
            return x.with_values(x.values * visible(x)[:, None])

        return mask

    def _chain(self):
        """Make ``visible(x) -> (n, length)`` bool: the steps that are left as they are."""
        rate, least = self.rate, 1 / (1 - self.rate)
        if self.mean_length < least * (1 - 1e-9):
            raise ValueError(
                f"{type(self).__name__}: mean_length={self.mean_length} is below that of steps "
                f"masked independently at rate={rate}: type mean_length={least:.4g} or more."
            )
        # A step forgets the one before with probability `renewed`, and is masked then with
        # probability `rate`: the same chain, and all steps are found at once.
        renewed = least / self.mean_length

        def visible(x):
            n, _, length = x.shape
            draw = torch.rand(3, n, length, device=x.device)
            step = torch.arange(length, device=x.device)
            is_new = (draw[0] < renewed) | (step == 0)
            last = torch.where(is_new, step, 0).cummax(dim=1).values
            left = (draw[1] >= rate).gather(1, last)
            seen = x.mask[:, 0] > 0
            score = torch.where(seen, draw[2], -1.0)
            hidden = ~(left & seen).any(dim=1, keepdim=True)
            return left | hidden & (score == score.amax(1, keepdim=True))

        return visible


class SegmentSwap(SegmentMask):
    r"""Replace random segments of steps by those of another series at the same time.

    .. math:: x'_{ct} = s_t \, x_{ct} + (1 - s_t) \, x_{jct}

    with the chain s of :class:`SegmentMask` and a random series j of the batch. Steps that the
    other series lacks are left as they are.

    Parameters
    ----------
    rate : float, default=0.3
        Share of the steps that are replaced, in [0, 1).

    mean_length : float, default=5
        Mean number of steps of a replaced segment; see :class:`SegmentMask`.

    References
    ----------
    Bahri et al., "SCARF: self-supervised contrastive learning using random feature
    corruption", ICLR 2022, which does so with features of tables.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import SegmentSwap
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.arange(100.0)[:, None].repeat(200, axis=1)))
    >>> x = rows.take(rows.train_index)
    >>> swapped = SegmentSwap(rate=0.3).build(rows)(x, rows.train_index)
    >>> round(float((swapped.values != x.values).float().mean()), 1)
    0.3
    """

    def build(self, rows: SeriesRows) -> Callable:
        visible = self._chain()

        def swap(x, index):
            other = x.take(torch.randperm(len(x), device=x.device))
            kept = visible(x)[:, None] | (other.mask == 0) | (x.mask == 0)
            return x.with_values(torch.where(kept, x.values, other.values))

        return swap


class PointMask(SeriesView):
    """Set random steps to 0, each independently: a SegmentMask without memory.

    Parameters
    ----------
    rate : float, default=0.5
        Share of the steps that are masked, in [0, 1).

    References
    ----------
    Yue et al., "TS2Vec: towards universal representation of time series", AAAI 2022. There
    the steps are masked behind the first layer of the network.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import PointMask
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.ones((100, 200))))
    >>> x = rows.take(rows.train_index)
    >>> masked = PointMask(rate=0.5).build(rows)(x, rows.train_index)
    >>> round(float(masked.values.mean()), 1)
    0.5
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate: float = 0.5):
        self.rate = rate

    def build(self, rows: SeriesRows) -> Callable:
        return SegmentMask(self.rate, 1 / (1 - self.rate)).build(rows)


class ChannelMask(SeriesView):
    """Set random channels to 0; at least one of each series is kept.

    Parameters
    ----------
    rate : float, default=0.2
        Probability that a channel is masked, in [0, 1).

    References
    ----------
    Liu et al., "TERA: self-supervised learning of transformer encoder representation for
    speech", IEEE/ACM TASLP 29, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import ChannelMask
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.ones((100, 10, 20))))
    >>> x = rows.take(rows.train_index)
    >>> masked = ChannelMask(rate=0.2).build(rows)(x, rows.train_index)
    >>> round(float(masked.values.mean()), 1)
    0.8
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate: float = 0.2):
        self.rate = rate

    def build(self, rows: SeriesRows) -> Callable:
        rate = self.rate

        def mask(x, index):
            score = torch.rand(x.shape[:2], device=x.device)
            # A channel that is zero all along has nothing to keep.
            score = torch.where((x.values != 0).any(dim=2), score, -1.0)
            kept = (score >= rate) | (score == score.amax(1, keepdim=True))
            return x.with_values(x.values * kept[:, :, None])

        return mask


class Jitter(SeriesView):
    r"""Add normal noise to every step that was seen.

    .. math:: x'_{ct} = x_{ct} + \sigma \epsilon_{ct}, \qquad \epsilon_{ct} \sim N(0, 1)

    The unit is that of the series after standardisation.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation sigma of the noise.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring
    using convolutional neural networks", ICMI 2017. Eldele et al., "Time-series
    representation learning via temporal and contextual contrasting", IJCAI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import Jitter
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.zeros((100, 100))))
    >>> x = rows.take(rows.train_index)
    >>> noisy = Jitter(scale=0.5).build(rows)(x, rows.train_index)
    >>> round(float(noisy.values.std()), 1)
    0.5
    """

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale: float = 0.1):
        self.scale = scale

    def build(self, rows: SeriesRows) -> Callable:
        scale = self.scale

        def jitter(x, index):
            noise = torch.randn_like(x.values).mul_(scale).mul_(x.mask)
            return x.with_values(noise.add_(x.values))

        return jitter


class Scaling(SeriesView):
    r"""Multiply each channel of a series by a random factor.

    .. math:: x'_{ct} = (1 + \sigma \epsilon_c) \, x_{ct}, \qquad \epsilon_c \sim N(0, 1)

    Parameters
    ----------
    scale : float, default=0.2
        Standard deviation sigma of the factors.

    References
    ----------
    Um et al., "Data augmentation of wearable sensor data for Parkinson's disease monitoring
    using convolutional neural networks", ICMI 2017. Eldele et al., "Time-series
    representation learning via temporal and contextual contrasting", IJCAI 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.views import Scaling
    >>> source = SeriesInput(standardize=False)
    >>> rows = source.rows(source.fit(np.ones((1000, 3))))
    >>> x = rows.take(rows.train_index)
    >>> scaled = Scaling(scale=0.2).build(rows)(x, rows.train_index)
    >>> round(float(scaled.values.std()), 1), float(scaled.values.std(dim=2).max())
    (0.2, 0.0)
    """

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale: float = 0.2):
        self.scale = scale

    def build(self, rows: SeriesRows) -> Callable:
        scale = self.scale

        def multiply(x, index):
            factor = torch.randn_like(x.values[:, :, :1]).mul_(scale).add_(1)
            return x.with_values(x.values * factor)

        return multiply
