"""Views that borrow from other rows of the batch; a sparse one is never made dense."""

from collections.abc import Callable

import torch

from skcontrast._component import Interval, Real
from skcontrast._inputs.rows import Rows, SparseBatch
from skcontrast.views._base import View, with_entries
from skcontrast.views._tabular import random_scores


def other_rows(n, device):
    """For each of ``n`` rows another one, as a random cycle: no row is its own.

    A cycle is a permutation, so that a sparse batch of rows and partners has a size
    that is known without asking the device. One row alone is its own partner.
    """
    order = torch.randperm(n, device=device)
    return torch.empty_like(order).index_copy_(0, order, order.roll(1))


class FeatureSwap(View):
    r"""Replace random features by those of other rows of the batch (VIME).

    .. math:: x'_{ij} = (1 - m_{ij}) x_{ij} + m_{ij} x_{r_{ij} j},
              \qquad m_{ij} \sim \mathrm{Bernoulli}(rate)

    with another row :math:`r_{ij} \ne i` of the batch drawn for each entry. A batch of
    one row stays as it is. The columns of one feature, as the 0/1 columns of a category,
    share one :math:`m_{ij}` and one :math:`r_{ij}`.

    On sparse data each stored entry is replaced with probability ``rate`` by an entry,
    column and value, drawn uniformly from those of the other rows of the batch.

    Parameters
    ----------
    rate : float, default=0.3
        Probability that a feature is replaced, in [0, 1].

    References
    ----------
    Yoon et al., "VIME: extending the success of self- and semi-supervised learning to
    tabular domain", NeurIPS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import FeatureSwap
    >>> rows = table_rows(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> x = rows.take(rows.train_index)
    >>> FeatureSwap(rate=1.0).build(rows)(x, rows.train_index)
    tensor([[3., 4.],
            [1., 2.]])
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, rate: float = 0.3):
        self.rate = rate

    def build(self, rows: Rows) -> Callable:
        rate, features = self.rate, rows.features

        def swap(x, index):
            n = len(x)
            if n < 2:
                return x
            if isinstance(x, SparseBatch):
                return _swap_entries(x, rate)
            source = torch.randint(1, n, x.shape, device=x.device)
            source.add_(torch.arange(n, device=x.device)[:, None]).remainder_(n)
            if features is not None:  # the row drawn for one column of a feature is for all
                source = source.index_select(1, features)
            swapped = random_scores(x, features) < rate
            return torch.where(swapped, x.gather(0, source), x)

        return swap


def _row_lengths(x):
    end = x.offsets.new_full((1,), len(x.indices))
    return torch.cat([x.offsets, end]).diff()


def _swap_entries(x, rate):
    n_stored, lengths = len(x.values), _row_lengths(x)
    if n_stored == 0:
        return x
    row = x.row_of_entry()
    n_others = n_stored - lengths[row]
    # The entries of the other rows are those that follow the row, cyclically.
    step = (torch.rand(n_stored, device=x.device) * n_others).long()
    source = ((x.offsets + lengths)[row] + step) % n_stored
    swapped = (torch.rand(n_stored, device=x.device) < rate) & (n_others > 0)
    return with_entries(x, swapped, x, source)


class Mixup(View):
    r"""Mix each row with another row of the batch, the row itself prevailing.

    .. math:: x'_i = \lambda_i x_i + (1 - \lambda_i) x_{r(i)}, \qquad
              \lambda_i = \max(b_i, 1 - b_i), \; b_i \sim \mathrm{Beta}(\alpha, \alpha)

    The partners r(i) are a random cycle through the batch. On sparse data the entries
    of both rows are kept side by side with their weights, which is the same sum.

    Parameters
    ----------
    alpha : float, default=1.0
        Large values mix half and half, values near 0 leave the rows alone; 1 draws
        lambda uniformly from [0.5, 1].

    References
    ----------
    Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018. Verma et al.,
    "Towards domain-agnostic contrastive learning", ICML 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import Mixup
    >>> rows = table_rows(np.eye(3))
    >>> x = rows.take(rows.train_index)
    >>> mixed = Mixup().build(rows)(x, rows.train_index)
    >>> bool((mixed.diagonal() >= 0.5).all())
    True
    """

    _parameter_constraints = {"alpha": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, alpha: float = 1.0):
        self.alpha = alpha

    def build(self, rows: Rows) -> Callable:
        # The concentrations are put on the device once, not in every batch.
        # Beyond these bounds float32 draws are 0 or 1, or 1/2, as they are at the bounds.
        alpha = min(max(float(self.alpha), 1e-6), 1e6)
        concentration = torch.full((), alpha, device=rows.device)
        beta = torch.distributions.Beta(concentration, concentration)

        def mix(x, index):
            n = len(x)
            partner = other_rows(n, x.device)
            weight = beta.sample((n,)).to(x.dtype)
            weight = torch.maximum(weight, 1 - weight)
            if isinstance(x, SparseBatch):
                return _mix_entries(x, partner, weight)
            return torch.lerp(x[partner], x, weight[:, None])

        return mix


def _mix_entries(x, partner, weight):
    """Rows ``weight x_i + (1 - weight) x_partner(i)``, with twice the entries of x."""
    n, n_stored = len(x), len(x.values)
    row = x.row_of_entry()
    lengths = _row_lengths(x)
    both = lengths + lengths[partner]
    offsets = both.cumsum(0) - both
    taker = torch.empty_like(partner)  # the row whose partner is i
    taker.index_copy_(0, partner, torch.arange(n, device=x.device))
    within = torch.arange(n_stored, device=x.device) - x.offsets[row]
    place = torch.cat([offsets[row], (offsets + lengths)[taker][row]]) + within.repeat(2)
    weights = torch.cat([weight[row], (1 - weight)[taker][row]])
    return SparseBatch(
        torch.empty_like(place).index_copy_(0, place, x.indices.repeat(2)),
        offsets,
        torch.empty_like(weights).index_copy_(0, place, x.values.repeat(2) * weights),
        x.n_features,
    )
