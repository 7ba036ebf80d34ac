"""Another row of a recording as the view: one so many steps away."""

from collections.abc import Callable

import torch

from skcontrast._component import Integral, Interval, Real, warn
from skcontrast._inputs.rows import Rows
from skcontrast.views._base import View

# Steps that a number of 32 bits holds, times what a normal number may be.
MOST = 2**24


class TimeOffset(View):
    r"""Replace each row by the one some steps later in the same recording.

    .. math:: x'_i = X_{i + \delta}

    Rows are in time order, and steps are rows: where time between rows is uneven, bring them to
    even steps first. With ``fit(X, groups=...)`` each group is a session of its own (a trial, an
    animal), whose rows stand together, and no row is replaced by one of another session. Where a
    session has no row :math:`i + \delta`, it is row :math:`i - \delta`, and where it has neither,
    the end of the session that is further away. A session of one row keeps it.

    Early stopping holds out the end of each session, and neither the rows trained on nor those
    held out are replaced by one of the others.

    In a composition this view comes first, as it discards what came before it. The other view has
    to be the row itself, ``clean_anchor=True``: with one offset for all, both would be one row.

    Parameters
    ----------
    offset : int or tuple, default=10
        Number :math:`\delta` of steps. With a tuple of whole numbers ``(low, high)`` it is drawn
        anew for each row, uniformly from low to high; a negative one is a row before. With
        ``("normal", scale)`` it is a normal number of that deviation, rounded. No draw is 0.

    See Also
    --------
    Neighbors : Rows that are alike, whenever they were.

    Notes
    -----
    With ``InfoNCE(form="one_way")`` each row is told from the later rows of the others, which
    are the negatives, as in CEBRA's time-contrastive mode; there the negatives are drawn anew.
    TNC draws near rows from a normal distribution, and weighs the others down as they may be
    alike: ``TimeOffset(("normal", 10))`` with ``DebiasedContrastive``. Batches are of rows at
    random times.

    Cross-validation has to leave rows of a session together and in order, as ``TimeSeriesSplit``
    does, and ``GroupKFold``: where rows are cut out of the middle, the ends that are left are
    neighbours.

    References
    ----------
    Hyvarinen and Morioka, "Unsupervised feature extraction by time-contrastive learning and
    nonlinear ICA", NeurIPS 2016. Tonekaboni, Eytan and Goldenberg, "Unsupervised representation
    learning for time series with temporal neighborhood coding", ICLR 2021. Schneider, Lee and
    Mathis, "Learnable latent embeddings for joint behavioural and neural analysis", Nature 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.views import TimeOffset
    >>> X = np.random.default_rng(0).normal(size=(200, 6)).cumsum(axis=0)
    >>> encoder = ContrastiveEncoder(3, passthrough=False, views=TimeOffset(5), max_iter=2)
    >>> encoder.fit(X, groups=np.repeat(["monday", "tuesday"], 100)).transform(X).shape
    (200, 3)
    >>> from skcontrast._inputs.rows import table_rows
    >>> rows = table_rows(np.arange(5.0)[:, None])
    >>> x = rows.take(rows.train_index)
    >>> TimeOffset(2).build(rows)(x, rows.train_index).T
    tensor([[2., 3., 4., 1., 2.]])
    """

    _parameter_constraints = {"offset": [Interval(Integral, 1, None, closed="left"), tuple, list]}

    reads = frozenset({"any"})
    ordered = True

    def __init__(self, offset: int | tuple | list = 10):
        self.offset = offset

    def build(self, rows: Rows) -> Callable:
        draw, least = self._draws()
        first, last = rows.stretches()
        home, longest = first.device, int((last - first).max()) + 1
        if least >= longest:
            warn(
                f"{self!r} looks {least} rows ahead, and the longest session has {longest}: every "
                "row is paired with an end of its session. Type a smaller offset, or pass fewer "
                "and longer sessions as groups=."
            )

        def later(x, index):
            index = index.to(home)
            start, end = first[index], last[index]
            step = draw(len(index), home)
            other = index + step
            other = torch.where((other < start) | (other > end), index - step, other)
            far = torch.where(end - index < index - start, start, end)
            return rows.take(torch.where((other < start) | (other > end), far, other))

        return later

    def _draws(self):
        """What draws offsets (n,) on a device, and the smallest that it can draw."""
        given = self.offset
        if isinstance(given, Integral):
            return lambda n, home: torch.full((n,), int(given), device=home), int(given)
        low, high = given if len(given) == 2 else (None, None)
        if low == "normal" and isinstance(high, Real) and 0 < high < MOST:
            return lambda n, home: _not_zero(high * torch.randn(n, device=home)), 1
        whole = isinstance(low, Integral) and isinstance(high, Integral)
        if not whole or not -MOST < low <= high < MOST or low == high == 0:
            raise ValueError(
                f"offset={given!r}: type a whole number of at least 1, two of them (low, high) "
                "with low <= high and not both 0, or ('normal', scale) with a positive number."
            )
        low, around = int(low), bool(low <= 0 <= high)
        n_values = int(high) - low + 1 - around

        def uniform(n, home):
            step = torch.randint(low, low + n_values, (n,), device=home)
            return step + (step >= 0) if around else step  # from zero on, one further

        return uniform, 1 if around else min(abs(low), abs(int(high)))


def _not_zero(x):
    """Numbers as whole ones, those near zero as -1 or 1."""
    return torch.where(x.abs() < 1, x.sign() + (x == 0), x.round()).to(torch.int64)
