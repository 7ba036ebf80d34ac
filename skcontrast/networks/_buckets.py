"""Columns of wide rows, added up in fewer buckets: what the first layers of a network read."""

import numpy as np
import torch
from torch import nn

from skcontrast._inputs.rows import SparseBatch

# Sparse rows of more columns than MOST_COLUMNS are read as so many buckets. An optimizer goes
# through all weights in every step, which of so many columns takes longer than all else.
MOST_COLUMNS, N_BUCKETS = 2**15, 2**14


class Buckets(nn.Module):
    r"""Sums of columns, each with a sign, in place of the columns.

    .. math:: u_b = \sum_{j : h(j) = b} s_j x_j

    Inner products of rows stay what they are, up to an error that falls with the number of
    buckets. Each bucket is of as many columns as any other, up to one.

    Parameters
    ----------
    n_features, n_buckets : int

    References
    ----------
    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    """

    def __init__(self, n_features, n_buckets):
        super().__init__()
        self.n_buckets = n_buckets
        if torch.empty(0).is_meta:  # shapes alone are asked for
            bucket = sign = torch.empty(n_features)
        else:
            rng = np.random.RandomState(0)
            bucket = torch.as_tensor(rng.permutation(n_features) % n_buckets)
            sign = torch.as_tensor(rng.randint(2, size=n_features) * 2.0 - 1).float()
        # Not kept with the model: they are the same for every one.
        self.register_buffer("bucket", bucket, persistent=False)
        self.register_buffer("sign", sign, persistent=False)

    def forward(self, x):
        """Bring a batch (n, n_features), tensor or SparseBatch, to (n, n_buckets) of its kind."""
        if isinstance(x, SparseBatch):
            values = x.values * self.sign[x.indices]
            return SparseBatch(self.bucket[x.indices], x.offsets, values, self.n_buckets)
        return x.new_zeros(len(x), self.n_buckets).index_add(1, self.bucket, x * self.sign)


def reader(n_features, n_buckets):
    """What stands before the first layers, how many columns these read, and a share of their gain.

    Weights of buckets start as small as those of all columns would, and are as soon forgotten.
    """
    if n_buckets in (None, "auto") or n_features <= n_buckets:
        return nn.Identity(), n_features, 1.0
    return Buckets(n_features, int(n_buckets)), int(n_buckets), (n_buckets / n_features) ** 0.5
