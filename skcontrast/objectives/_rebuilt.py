"""What a decoder gives back of a row: columns by what they hold, and entries of sparse rows."""

import torch
import torch.nn.functional as F
from torch import nn

from skcontrast._draws import initial_seed
from skcontrast._inputs.rows import CHUNK, SparseBatch
from skcontrast.functional import over_anchors
from skcontrast.networks import build_network
from skcontrast.objectives._prediction import regression_error

# Entries that are decoded at a time hold so many products.
PRODUCTS = 2**24


class ColumnKinds(nn.Module):
    """Which columns hold two values, and which of these are one category.

    ``low`` and ``high`` (p,) are the two values, both 0 for numbers, and ``feature`` (p,) numbers
    the categories, -1 elsewhere. They are kept: a later call may see fewer values.
    """

    def __init__(self, rows):
        super().__init__()
        low, high, feature = described(rows)
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.register_buffer("feature", feature)
        self.columns = None

    def forward(self, rebuilt, y, counts, delta):
        """Errors and whether they count, both (..., p); that of a category is in its first column.

        Numbers have the squared error, columns of two values the cross entropy of a logit, and
        categories that of the softmax over their columns.
        """
        if self.columns is None:
            self.columns = self._places()
        binary, grouped, place, first = self.columns
        low, span = self.low.to(rebuilt), (self.high - self.low).to(rebuilt)
        error = regression_error(rebuilt, y, "squared", delta)
        if binary is None:
            return error, counts
        t = ((y.to(rebuilt) - low) / torch.where(binary, span, 1)).clamp(0, 1)
        error = torch.where(
            binary, F.binary_cross_entropy_with_logits(rebuilt, t, reduction="none"), error
        )
        if not len(grouped):
            return error, counts
        logits, there = rebuilt[..., grouped], counts[..., grouped]
        shape = *logits.shape[:-1], len(first)
        place = place.expand(logits.shape)
        most = logits.detach().new_full(shape, -torch.inf).scatter_reduce(-1, place, logits, "amax")
        most = most.detach()
        total = logits.new_zeros(shape)
        total = total.scatter_add(-1, place, (logits - most.gather(-1, place)).exp())
        chosen = logits.new_zeros(shape).scatter_add(-1, place, logits * t[..., grouped])
        some = counts.new_zeros(shape).scatter_reduce(-1, place, there, "amax")
        counts = counts.index_fill(-1, grouped, False).index_copy(-1, first, some)
        return error.index_copy(-1, first, total.log() + most - chosen), counts

    def _places(self):
        """Columns of two values; those of categories, the category of each, and its first one.

        Columns of categories have two values, so that None in the first place says it of both.
        """
        binary = self.low < self.high
        if not binary.any():
            return None, None, None, None
        grouped = (self.feature >= 0).nonzero()[:, 0]
        names, place = self.feature[grouped].unique(return_inverse=True)
        starts = [int((place == g).nonzero()[0]) for g in range(len(names))]
        first = grouped[torch.tensor(starts, dtype=torch.long, device=grouped.device)]
        return binary, grouped, place, first


def described(rows):
    """The two values of each column (p,), and the category that it is of: see ColumnKinds."""
    parts = torch.arange(rows.n_rows, device=rows.index_device).split(CHUNK)
    low = torch.stack([rows.take(i).amin(0) for i in parts]).amin(0)
    high = torch.stack([rows.take(i).amax(0) for i in parts]).amax(0)
    ends, feature = low < high, rows.features
    known = feature is not None
    feature = torch.arange(len(low), device=low.device) if feature is None else feature
    size = torch.bincount(feature)
    one = size > 1
    for i in parts:
        x = rows.take(i)
        ends &= ((x == low) | (x == high)).all(0)
        if known:
            ones = x.new_zeros(len(x), len(size)).index_add(1, feature, (x == high).to(x.dtype))
            one &= (ones == 1).all(0)
    one &= torch.zeros_like(size).index_add(0, feature, ends.long()) == size
    group = torch.where(one[feature], feature, -1)
    return torch.where(ends, low, 0), torch.where(ends, high, 0), group


class EntryDecoder(nn.Module):
    """A decoder of single entries: a network, and behind it an affine map of which rows are read.

    ``forward(z, row, column)`` gives entry ``column`` of what is rebuilt of z[row], for numbers
    (k,) of both: p columns are never made.
    """

    def __init__(self, decoder, n_in, n_features):
        super().__init__()
        body = build_network(decoder, n_in, n_in, "decoder")[0]
        # One affine map behind another is one.
        self.body = nn.Identity() if getattr(body, "is_affine_map", False) else body
        bound = (3 / n_in) ** 0.5
        self.weight = nn.Parameter(torch.empty(n_features, n_in).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(n_features))

    def forward(self, z, row, column):
        z, weight, bias = self.body(z), self.weight, self.bias

        def some(part):
            one, other = row[part], column[part]
            return ((z[one] * F.embedding(other, weight)).sum(1) + bias[other],)

        n_in = z.shape[1]
        return over_anchors(some, len(row), n_in, max(1, PRODUCTS // n_in))[0]


def plain_entries(z, row, column):
    """Entries of the rows themselves, where there is no decoder."""
    return z[row, column]


def draws_of_step(step):
    """A generator for a step of the training: without weight all is as without a term."""
    return torch.Generator().manual_seed((initial_seed() + 2 + step) % 2**63)


def dropped(z, rate, step):
    """Embeddings some of whose entries are 0, the others larger by as much."""
    kept = torch.rand(z.shape, generator=draws_of_step(step)).to(z.device) >= rate
    return z * kept / (1 - rate)


def drawn_entries(x, step):
    """Stored entries of sparse rows and as many zeros of each, drawn: row, column, value, weight.

    A column is drawn out of all p of a row with the probability 1/p; of m draws each weighs p / m,
    and none where the column is stored, so that sums over the entries are right on average.
    """
    row, n_features = x.row_of_entry(), x.n_features
    n_drawn = torch.bincount(row, minlength=len(x)).clamp_min(1)
    of = torch.repeat_interleave(torch.arange(len(x), device=x.device), n_drawn)
    column = torch.randint(n_features, (len(of),), generator=draws_of_step(step)).to(x.device)
    stored = torch.isin(of * n_features + column, row * n_features + x.indices)
    weight = torch.where(stored, 0, n_features / n_drawn[of])
    return (
        torch.cat([row, of]),
        torch.cat([x.indices, column]),
        torch.cat([x.values, x.values.new_zeros(len(of))]),
        torch.cat([torch.ones_like(x.values), weight.to(x.dtype)]),
    )


def changed_entries(x, other):
    """Entries in which sparse rows differ from others: row, column, value, weight."""
    n_features, keys = x.n_features, []
    for batch in (x, other):
        keys.append(batch.row_of_entry() * n_features + batch.indices)
    place, number = torch.cat(keys).unique(return_inverse=True)
    both = x.values.new_zeros(2, len(place))
    both[0].index_add_(0, number[: len(keys[0])], x.values)
    both[1].index_add_(0, number[len(keys[0]) :], other.values)
    here = both[0] != both[1]
    place, value = place[here], both[0][here]
    return place // n_features, place % n_features, value, torch.ones_like(value)


def sparse_errors(decode, z, entries, error, delta):
    """Error of each sparse row, summed over entries: (n,)."""
    row, column, value, weight = entries
    each = regression_error(decode(z, row, column), value, error, delta) * weight.to(z.dtype)
    return z.new_zeros(len(z)).index_add(0, row, each)


def unit_rows(x):
    """Sparse rows of length 1."""
    row = x.row_of_entry()
    length = x.values.new_zeros(len(x)).index_add(0, row, x.values.square()).sqrt()
    length = torch.where(length > 0, length, 1)
    return SparseBatch(x.indices, x.offsets, x.values / length[row], x.n_features), length
