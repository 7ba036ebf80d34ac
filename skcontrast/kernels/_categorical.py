"""Kernels of categories, and of columns of both kinds."""

import numpy as np
import torch

from skcontrast._component import Integral, Interval, Shorthand, resolve
from skcontrast.kernels._base import Built, Kernel, ones


class Delta(Kernel):
    """1 where two rows are equal in every column, else 0.

    For categories, as codes. Conditioning on it is conditioning on the groups of rows
    that are equal.

    Examples
    --------
    >>> from skcontrast.kernels import Delta
    >>> Delta()([[1, 0], [1, 0], [1, 2]])
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """

    takes_categories = True

    def _build(self, x, categorical):
        def pairs(a, b):
            # Column by column: (n, m, d) at once would not fit.
            equal = a[:, None, 0] == b[:, 0]
            for j in range(1, a.shape[1]):
                equal = equal & (a[:, None, j] == b[:, j])
            return equal.to(a.dtype)

        return Built(pairs, ones)


class Overlap(Kernel):
    """Share of the columns in which two rows are equal.

    For many columns of categories, where hardly two rows are equal in all of them.

    Examples
    --------
    >>> from skcontrast.kernels import Overlap
    >>> Overlap()([[1, 0], [1, 0], [1, 2]])
    array([[1. , 1. , 0.5],
           [1. , 1. , 0.5],
           [0.5, 0.5, 1. ]])
    """

    takes_categories = True

    def _build(self, x, categorical):
        def pairs(a, b):
            columns = range(a.shape[1])
            return sum((a[:, None, j] == b[:, j]).to(a.dtype) for j in columns) / a.shape[1]

        return Built(pairs, ones)


class Mixed(Kernel):
    """A kernel on the numeric columns times one on the columns of categories.

    Numeric columns are scaled to unit variance first, so that no unit prevails.

    Parameters
    ----------
    numeric : str or component, default="rbf"
        Kernel of the numeric columns.

    categorical : str or component, default="delta"
        Kernel of the other columns: "delta" wants equality in all of them, "overlap"
        takes the share of equal ones.

    n_values : int, default=10
        A column of whole numbers with at most so many different values counts as one of
        categories, beside the columns known to be.

    Examples
    --------
    >>> from skcontrast.kernels import Mixed
    >>> Mixed(n_values=2)([[0, 0.1], [0, 0.5], [1, 0.1]]).round(4)
    array([[1.    , 0.0111, 0.    ],
           [0.0111, 1.    , 0.    ],
           [0.    , 0.    , 1.    ]])
    """

    takes_categories = True

    _shorthand = dict.fromkeys(("numeric", "categorical"), "skcontrast.kernels:KERNELS")
    _parameter_constraints = {
        **{name: [Shorthand(path, "kernel")] for name, path in _shorthand.items()},
        "n_values": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self, numeric: str | Kernel = "rbf", categorical: str | Kernel = "delta", n_values: int = 10
    ):
        self.numeric = numeric
        self.categorical = categorical
        self.n_values = n_values

    def _build(self, x, categorical):
        known = np.zeros(x.shape[1], bool) if categorical is None else np.asarray(categorical)
        whole = (x == x.round()).all(0).tolist()
        few = [w and len(column.unique()) <= self.n_values for w, column in zip(whole, x.T)]
        coded = known | few
        numeric = self._numeric_part(x, ~coded)
        if not coded.any():
            return numeric
        columns = torch.as_tensor(np.flatnonzero(coded))
        kernel = resolve(self.categorical, self._shorthand["categorical"])
        k = kernel.build(x[:, columns.to(x.device)], np.ones(len(columns), bool))

        def cut(a):
            return a[:, columns.to(a.device)]

        if numeric is None:
            return Built(lambda a, b: k(cut(a), cut(b)), lambda a: k.diag(cut(a)))
        return Built(
            lambda a, b: k(cut(a), cut(b)) * numeric(a, b),
            lambda a: k.diag(cut(a)) * numeric.diag(a),
        )

    def _numeric_part(self, x, numeric):
        if not numeric.any():
            return None
        columns = torch.as_tensor(np.flatnonzero(numeric), device=x.device)
        part = x[:, columns].double()
        spread = part.std(0, unbiased=False)
        scale = torch.where(spread > 0, spread, 1)
        k = resolve(self.numeric, self._shorthand["numeric"]).build(part / scale)

        def cut(a):
            return a[:, columns.to(a.device)] / scale.to(a)

        return Built(lambda a, b: k(cut(a), cut(b)), lambda a: k.diag(cut(a)), k.gamma)
