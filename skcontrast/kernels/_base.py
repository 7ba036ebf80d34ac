"""What a kernel is, sums and products of kernels, and data-driven widths."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from skcontrast._component import Component, Interval, Real, StrOptions
from skcontrast._typing import ArrayLike
from skcontrast.functional import squared_distance
from skcontrast.functional._rows import tensor_of

# Rows that a median is taken over: 1,000 rows give half a million pairs.
MEDIAN_ROWS = 1000

GAMMA_CONSTRAINTS = [
    Interval(Real, 0, None, closed="neither"),
    StrOptions({"scale", "median", "auto"}),
]


class Built:
    """A kernel with its data-driven numbers filled in."""

    def __init__(self, pairs, diag, gamma=None):
        self.pairs, self.diag, self._gamma = pairs, diag, gamma

    @property
    def gamma(self):
        return None if self._gamma is None else float(self._gamma)

    def __call__(self, a, b):
        return self.pairs(a, b)


def as_rows(x):
    """A tensor (n, d) of ``x``, an array or a tensor; a vector becomes a column."""
    x = x.detach() if torch.is_tensor(x) else tensor_of(np.asarray(x))
    x = x if x.is_floating_point() else x.double()
    return x[:, None] if x.ndim == 1 else x


def ones(a):
    return torch.ones(len(a), dtype=a.dtype, device=a.device)


def distances(a, b, power=2.0):
    """Euclidean distances to a power in (0, 2]: (n, d), (m, d) -> (n, m).

    Exactly zero for equal rows when ``power < 2``; the gradient is zero where they are.
    """
    if power == 2:
        return squared_distance(a, b)
    # |a|^2 + |b|^2 - 2ab leaves 1e-7 of the squared length in float32 between equal rows,
    # whose root is 3e-4.
    D = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    if power == 1:
        return D
    apart = D > 0
    return torch.where(apart, torch.where(apart, D, 1).pow(power), 0)


def manhattan(a, b):
    """Sums of absolute differences: (n, d), (m, d) -> (n, m)."""
    return torch.cdist(a, b, p=1.0)


def _median(x, distance):
    """Median of ``distance`` over pairs of different rows, of at most MEDIAN_ROWS rows."""
    if len(x) > MEDIAN_ROWS:
        x = x[torch.linspace(0, len(x) - 1, MEDIAN_ROWS, device=x.device).long()]
    if len(x) < 2:
        return 1.0
    i, j = torch.triu_indices(len(x), len(x), offset=1, device=x.device)
    D = distance(x, x)[i, j]
    # Half of the pairs may be equal, in a column of few values.
    mean = D.sum() / (D > 0).sum().clamp_min(1)
    median = torch.where(D.median() > 0, D.median(), mean)
    return torch.where(median > 0, median, 1.0)


def resolve_gamma(gamma, x, distance=None, power=2.0):
    """Number that ``gamma`` stands for on the rows ``x`` (n, d), in ``length ** -power``.

    ``distance`` is what gamma multiplies, for "median". A tensor of shape () where it depends
    on the data: reading it would wait for the device.
    """
    if isinstance(gamma, Real):
        return float(gamma)
    if gamma == "median":
        return 1 / _median(x - x.mean(0), distance)
    if gamma == "auto":
        return x.shape[1] ** (-power / 2)
    variance = x.var(unbiased=False)
    return torch.where(variance > 0, x.shape[1] * variance, 1).pow(-power / 2)


class Kernel(Component):
    """Base of the kernels; a subclass writes ``build``."""

    # Whether every kernel matrix is positive semi-definite.
    positive_definite = True
    # Whether columns that hold codes of categories make sense to it.
    takes_categories = False

    def build(self, x: np.ndarray | Tensor, categorical: np.ndarray | None = None) -> Built:
        """Make the function of tensors.

        Parameters
        ----------
        x : {ndarray, tensor} of shape (n, d)
            Rows that data-driven parameters are taken from.

        categorical : bool ndarray of shape (d,), default=None
            Which columns hold codes of categories; None when nothing is known.

        Returns
        -------
        k : callable
            ``k(a, b)`` of shape (n, m), ``k.diag(a)`` of shape (n,).
        """
        if categorical is not None and np.any(categorical) and not self.takes_categories:
            columns = np.flatnonzero(categorical).tolist()
            raise ValueError(
                f"{type(self).__name__} compares numbers, but columns {columns} hold categories: "
                "type kernel='auto' or kernel='delta', or pass numbers."
            )
        return self._build(as_rows(x), categorical)

    def _build(self, x, categorical):
        raise TypeError(f"{type(self).__name__} does not say how it is built.")

    def __call__(self, X: ArrayLike | Tensor, Y: ArrayLike | Tensor | None = None) -> np.ndarray:
        """Kernel matrix of two arrays, in float64: (n, d), (m, d) -> (n, m).

        Data-driven parameters are taken from X.
        """
        a = as_rows(X).double()
        b = a if Y is None else as_rows(Y).double()
        return self.build(a)(a, b).numpy()

    def diag(self, X: ArrayLike | Tensor) -> np.ndarray:
        """Diagonal of ``self(X)``: (n, d) -> (n,)."""
        a = as_rows(X).double()
        return self.build(a).diag(a).numpy()

    def __add__(self, other: Kernel) -> Kernel:
        return KernelSum(self, other) if isinstance(other, Kernel) else NotImplemented

    def __mul__(self, other: float | Kernel) -> Kernel:
        if isinstance(other, Real):
            return ScaledKernel(self, other)
        return KernelProduct(self, other) if isinstance(other, Kernel) else NotImplemented

    __rmul__ = __mul__


class ScaledKernel(Kernel):
    """A kernel times a positive number, as ``0.5 * RBF()``.

    Parameters
    ----------
    kernel : Kernel

    factor : float, default=1.0

    Examples
    --------
    >>> from skcontrast.kernels import RBF
    >>> 0.5 * RBF()
    ScaledKernel(factor=0.5, kernel=RBF())
    """

    _parameter_constraints = {
        "kernel": [Kernel],
        "factor": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, kernel: Kernel, factor: float = 1.0):
        self.kernel = kernel
        self.factor = factor

    @property
    def takes_categories(self) -> bool:
        """Whether the kernel takes codes of categories."""
        return self.kernel.takes_categories

    def _build(self, x, categorical):
        k = self.kernel.build(x, categorical)
        return Built(lambda a, b: self.factor * k(a, b), lambda a: self.factor * k.diag(a))


class _Pair(Kernel):
    """Two kernels of the same rows."""

    _parameter_constraints = {"first": [Kernel], "second": [Kernel]}

    def __init__(self, first: Kernel, second: Kernel):
        self.first = first
        self.second = second

    @property
    def takes_categories(self) -> bool:
        """Whether both kernels take codes of categories."""
        return self.first.takes_categories and self.second.takes_categories

    def _both(self, x, categorical):
        return self.first.build(x, categorical), self.second.build(x, categorical)


class KernelSum(_Pair):
    """The sum of two kernels, as ``RBF() + Linear()``.

    Parameters
    ----------
    first, second : Kernel

    Examples
    --------
    >>> from skcontrast.kernels import RBF, Linear
    >>> (RBF() + Linear()).set_params(first__gamma=0.1)
    KernelSum(first=RBF(gamma=0.1), second=Linear())
    """

    def _build(self, x, categorical):
        k, g = self._both(x, categorical)
        return Built(lambda a, b: k(a, b) + g(a, b), lambda a: k.diag(a) + g.diag(a))


class KernelProduct(_Pair):
    """The product of two kernels, as ``RBF() * Delta()``: alike in both senses.

    Parameters
    ----------
    first, second : Kernel

    Examples
    --------
    >>> from skcontrast.kernels import RBF, Cosine
    >>> RBF() * Cosine()
    KernelProduct(first=RBF(), second=Cosine())
    """

    def _build(self, x, categorical):
        k, g = self._both(x, categorical)
        return Built(lambda a, b: k(a, b) * g(a, b), lambda a: k.diag(a) * g.diag(a))
