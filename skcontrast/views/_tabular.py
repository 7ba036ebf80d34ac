"""Views of table rows, dense or sparse; a sparse batch is never made dense."""

from collections.abc import Callable

import torch
from torch.nn.functional import dropout

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.rows import Rows, SparseBatch
from skcontrast.views._base import View, some_kept, with_entries, with_values

# Sets of features drawn ahead by a corruption, as a number of stored columns.
POOL_ENTRIES = 2**20


def _feature_sets(n_features, size, device):
    """Make ``draw(n) -> (n, size)``: for each row ``size`` distinct features.

    Sorting random scores of every batch costs more than the rest of the view. So many
    sets are drawn once, and a batch takes sets at random and renames all columns by a
    fresh permutation, which makes the set of each row exactly uniform.
    """
    if size == n_features:
        every = torch.arange(n_features, device=device)
        return lambda n: every.expand(n, -1)
    n_sets = min(2**14, max(2**8, POOL_ENTRIES // size))
    scores = torch.rand(n_sets, n_features, device=device)
    pool = scores.topk(size, 1, sorted=False).indices

    def draw(n):
        chosen = pool.index_select(0, torch.randint(n_sets, (n,), device=device))
        return torch.randperm(n_features, device=device).take(chosen)

    return draw


def _fitting_rows(x, reference, features, n_features, n_candidates):
    """For each feature of a row (n, n_features) the drawn row nearest to it in all others."""
    rows = torch.randint(len(reference), (len(x), n_candidates), device=x.device)
    gap = (reference[rows] - x[:, None]).square()  # (n, m, n_columns)
    if features is not None:
        gap = gap.new_zeros(*rows.shape, n_features).index_add_(2, features, gap)
    whole = gap.sum(2, keepdim=True)
    # The row itself would change nothing.
    others = (whole - gap).masked_fill(whole == 0, torch.inf)
    return rows.gather(1, others.argmin(1))


def random_scores(x, features):
    """Uniform numbers (n, n_columns), the same for all columns of a feature."""
    score = torch.rand(x.shape, device=x.device)
    # The score of a column stands for a feature: their number would be a wait for the device.
    return score if features is None else score.index_select(1, features)


class Corruption(View):
    r"""Replace some features by values of other training rows (SCARF).

    For each row a set C of exactly q = max(1, round(rate d)) features is drawn
    uniformly without replacement, and

    .. math:: x'_j = X_{r_j j} \; (j \in C), \qquad x'_j = x_j \; (j \notin C)

    with a training row :math:`r_j` drawn uniformly and independently for each feature:
    a draw from the feature's empirical marginal. Rows of data that do not stay in
    memory are represented by a random sample of them. The columns of one feature, as the
    0/1 columns of a category, or a number and whether it was missing, are replaced together
    by those of one training row, so that each feature of a view is one that occurs.

    On sparse data each stored entry is replaced with probability ``rate`` by an entry,
    column and value, drawn uniformly from those stored in the training rows. Where a
    column then occurs twice in a row its values add up.

    Parameters
    ----------
    rate : float, default=0.6
        Share of the features that are replaced, in (0, 1].

    n_candidates : int, default=1
        Training rows that are drawn for a row; each feature is taken from the one of them that is
        nearest to it in all other features. With more than one, such as 16, what is put in fits
        what it stands beside, and is harder to find. Not for sparse data.

    References
    ----------
    Bahri et al., "SCARF: self-supervised contrastive learning using random feature
    corruption", ICLR 2022. The choice among candidates is this package's.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import Corruption
    >>> rows = table_rows(np.arange(40.0).reshape(8, 5))
    >>> x = rows.take(rows.train_index) + 0.5
    >>> changed = Corruption(rate=0.6).build(rows)(x, rows.train_index) != x
    >>> changed.sum(1).tolist()
    [3, 3, 3, 3, 3, 3, 3, 3]
    """

    _parameter_constraints = {
        "rate": [Interval(Real, 0, 1, closed="right")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, rate: float = 0.6, n_candidates: int = 1):
        self.rate = rate
        self.n_candidates = n_candidates

    def build(self, rows: Rows) -> Callable:
        reference, features = rows.reference(), rows.features
        if isinstance(reference, SparseBatch):
            return self._build_sparse(reference)
        n_candidates = self.n_candidates
        n_rows, n_columns = reference.shape
        n_features = n_columns if features is None else int(features.max()) + 1
        q = max(1, round(self.rate * n_features))
        draw = _feature_sets(n_features, q, reference.device)
        column = torch.arange(n_columns, device=reference.device)
        values = reference.reshape(-1)

        def drawn(source, columns):
            # index_select on flat values: twice as fast as indexing with two tensors.
            place = source.mul_(n_columns).add_(columns)
            return values.index_select(0, place.view(-1)).view(place.shape)

        def corrupt(x, index):
            chosen = draw(len(x))  # (n, q)
            if n_candidates > 1:
                row = _fitting_rows(x, reference, features, n_features, n_candidates)
                row = row.gather(1, chosen)
            else:
                row = torch.randint(n_rows, chosen.shape, device=x.device)
            if features is None:
                return x.scatter(1, chosen, drawn(row, chosen))
            source = torch.full((len(x), n_features), -1, device=x.device)
            # (n, n_columns), one row a feature
            source = source.scatter_(1, chosen, row).index_select(1, features)
            return torch.where(source >= 0, drawn(source.clamp(min=0), column), x)

        return corrupt

    def _build_sparse(self, reference):
        rate, n_stored = self.rate, len(reference.values)
        if self.n_candidates > 1:
            raise ValueError(
                f"Corruption(n_candidates={self.n_candidates}) compares dense rows, and X is "
                "sparse: type n_candidates=1."
            )

        def corrupt(x, index):
            if n_stored == 0:
                return x
            size = x.values.shape
            replaced = torch.rand(size, device=x.device) < rate
            source = torch.randint(n_stored, size, device=x.device)
            return with_entries(x, replaced, reference, source)

        return corrupt


class GaussianNoise(View):
    r"""Add normal noise to every feature.

    .. math:: x'_j = x_j + \sigma \epsilon_j, \qquad \epsilon_j \sim N(0, 1)

    The unit is that of the features after standardisation, so ``scale=0.1`` is a tenth
    of each feature's standard deviation.

    On sparse data the noise is relative and only where a value is stored,
    :math:`x'_j = x_j (1 + \sigma \epsilon_j)`: zeros stay zeros.

    Parameters
    ----------
    scale : float, default=0.1
        Standard deviation sigma of the noise.

    References
    ----------
    Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
    Computation 7 (1995).

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import GaussianNoise
    >>> rows = table_rows(np.zeros((100, 100)))
    >>> x = rows.take(rows.train_index)
    >>> noisy = GaussianNoise(scale=0.5).build(rows)(x, rows.train_index)
    >>> round(float(noisy.std()), 1)
    0.5
    """

    _parameter_constraints = {"scale": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, scale: float = 0.1):
        self.scale = scale

    def build(self, rows: Rows) -> Callable:
        scale = self.scale

        def add_noise(x, index):
            if not isinstance(x, SparseBatch):
                return torch.randn_like(x).mul_(scale).add_(x)
            return with_values(x, x.values * torch.randn_like(x.values).mul_(scale).add_(1))

        return add_noise


class FeatureMask(View):
    r"""Set random features to 0, which is the mean after standardisation.

    .. math:: x'_j = m_j x_j, \qquad m_j \sim \mathrm{Bernoulli}(1 - rate)

    At least one feature of each row is kept, so data with a single feature stay as they
    are. The columns of one feature, as the 0/1 columns of a category, are masked together.
    On sparse data stored entries are dropped, and at least one of each row is kept.

    Parameters
    ----------
    rate : float, default=0.3
        Probability that a feature is masked, in [0, 1).

    References
    ----------
    Vincent et al., "Extracting and composing robust features with denoising
    autoencoders", ICML 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import FeatureMask
    >>> rows = table_rows(np.ones((100, 100)))
    >>> x = rows.take(rows.train_index)
    >>> masked = FeatureMask(rate=0.3).build(rows)(x, rows.train_index)
    >>> round(float(masked.mean()), 1)
    0.7
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate: float = 0.3):
        self.rate = rate

    def build(self, rows: Rows) -> Callable:
        rate, features = self.rate, rows.features

        def mask(x, index):
            if not isinstance(x, SparseBatch):
                score = random_scores(x, features)
                kept = (score >= rate) | (score == score.amax(1, keepdim=True))
                return torch.where(kept, x, 0.0)
            score = torch.rand(x.values.shape, device=x.device)
            # Values are zeroed, not removed: the number of entries stays known.
            kept = some_kept(score, rate, x.row_of_entry(), len(x))
            return with_values(x, torch.where(kept, x.values, 0.0))

        return mask


class Dropout(View):
    r"""Drop random features and scale up the others: dropout on the inputs.

    .. math:: x'_j = m_j x_j / (1 - rate), \qquad m_j \sim \mathrm{Bernoulli}(1 - rate)

    The mean of x' is x. Dropout inside the network, as in SimCSE, is
    ``MLP(dropout=0.1)``, which makes two different views of a row with no view at all.
    On sparse data the stored values are dropped and scaled.

    Parameters
    ----------
    rate : float, default=0.1
        Probability that a feature is dropped, in [0, 1).

    References
    ----------
    Gao et al., "SimCSE: simple contrastive learning of sentence embeddings", EMNLP
    2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import Rows, table_rows
    >>> from skcontrast.views import Dropout
    >>> rows = table_rows(np.ones((4, 3)))
    >>> x = rows.take(rows.train_index)
    >>> dropped = Dropout(rate=0.5).build(rows)(x, rows.train_index)
    >>> bool(((dropped == 0) | (dropped == 2)).all())
    True
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, rate: float = 0.1):
        self.rate = rate

    def build(self, rows: Rows) -> Callable:
        rate = self.rate

        def drop(x, index):
            if isinstance(x, SparseBatch):
                return with_values(x, dropout(x.values, rate, training=True))
            return dropout(x, rate, training=True)

        return drop
