"""The history of a row as the view: the mean of the rows at the same place of a period."""

from collections.abc import Callable

import torch

from skcontrast._component import Integral, Interval, warn
from skcontrast._inputs.rows import CHUNK, Rows
from skcontrast._inputs.series import SeriesBatch
from skcontrast.views._base import View


class HistoricalMean(View):
    r"""Replace each row by the mean of the rows at the same place of its period (ST-SSDL).

    .. math:: x'_i = \frac{1}{|H_i|} \sum_{j \in H_i} X_j, \qquad
              H_i = \{ j : j \equiv i \pmod p \}

    over the rows of its session that are trained on. Rows are in time order and even in time, and
    places are counted from the first row of a session: of hourly rows with a period of 24 it is
    the mean of the same hour of all days. With ``SeriesContrastiveEncoder(window=...)`` it is the
    mean window, step by step.

    What is learned is then what a row has in common with its history, and what tells it from other
    times of the period. The history keeps nothing of what is in no rhythm, so noise is left out
    as well, however loud. How far a row lies from its history, once both are transformed, says how
    much it deviates.

    In a composition this view comes first, as it discards what came before it. The other view has
    to be the row itself, ``clean_anchor=True``.

    Parameters
    ----------
    period : int, default=24
        Number p of rows of a period.

    See Also
    --------
    TimeOffset : The row so many steps later, which ``TimeOffset(24)`` takes from one period only.

    Notes
    -----
    Rows at one place of the period have one history. ``InfoNCE(form="one_way")`` does not mind:
    where it is among the negatives too, it pulls as much as it pushes. Sparse rows are not read,
    as their means are dense. A row of which nothing was trained on at its place stays itself.

    The authors compare a window and its history through learned prototypes beside a forecast,
    which are not offered.

    References
    ----------
    Gao et al., "How different from the past? Spatio-temporal time series forecasting with
    self-supervised deviation learning", NeurIPS 2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import table_rows
    >>> from skcontrast.views import HistoricalMean
    >>> rows = table_rows(np.array([[1.0], [2.0], [3.0], [1.0], [2.0], [9.0]]))
    >>> x = rows.take(rows.train_index)
    >>> HistoricalMean(period=3).build(rows)(x, rows.train_index).T
    tensor([[1., 2., 6., 1., 2., 6.]])
    """

    _parameter_constraints = {"period": [Interval(Integral, 2, None, closed="left")]}

    reads = frozenset({"numbers", "series"})
    ordered = True

    def __init__(self, period: int = 24):
        self.period = period

    def build(self, rows: Rows) -> Callable:
        if rows.is_sparse:
            raise ValueError(f"{self!r} takes means, which are dense: pass X.toarray().")
        place = torch.arange(rows.n_rows, device=rows.device)
        session = rows.side.get("sessions", torch.zeros_like(place))
        first = place.new_full((int(session.max()) + 1,), rows.n_rows)
        first.scatter_reduce_(0, session, place, "amin")
        phase = (place - first[session]) % self.period
        number = torch.unique(session * self.period + phase, return_inverse=True)[1]
        n_rows = torch.bincount(number[rows.train_index.to(rows.device)])
        if int(n_rows.max()) < 2:
            warn(
                f"{self!r} finds one row at each place of a period, in sessions of {rows.n_rows} "
                "rows at most: every row is its own history. Type a smaller period, or pass fewer "
                "and longer sessions as groups=."
            )
        mean, known = _means(rows, number)

        def history(x, index):
            own, there = number[index], known[number[index]]
            if not isinstance(x, SeriesBatch):
                return torch.where(there[:, None], mean[0][own], x)
            there = there[:, None, None]
            parts = zip(mean, (x.values, x.mask))
            return SeriesBatch(*(torch.where(there, part[own], given) for part, given in parts))

        return history


def _means(rows, number):
    """Means (n_places, ...) of the training rows of each place, where seen, and which have any."""
    sums, n_places = None, int(number.max()) + 1
    for index in rows.train_index.split(CHUNK):
        x, own = rows.take(index), number[index.to(number.device)]
        parts = (x.values, x.mask) if isinstance(x, SeriesBatch) else (x, torch.ones_like(x[:, :1]))
        if sums is None:
            sums = [part.new_zeros(n_places, *part.shape[1:]) for part in parts]
        for total, part in zip(sums, parts):
            total.index_add_(0, own, part)
    total, seen = sums
    known = seen.flatten(1).any(dim=1)
    return (total / seen.clamp_min(1), (seen > 0).to(total.dtype)), known
