"""Kernels of numbers."""

from typing import Literal

import torch

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast.functional import normalize
from skcontrast.kernels._base import (
    GAMMA_CONSTRAINTS,
    Built,
    Kernel,
    distances,
    manhattan,
    ones,
    resolve_gamma,
)


def _of_distance(x, gamma, distance, power=2.0):
    """Built form of ``exp(-gamma distance)``."""
    gamma = resolve_gamma(gamma, x, distance, power)
    # Rows far from the origin lose their digits in the squares.
    origin = x.mean(0)

    def pairs(a, b):
        o = origin.to(a)
        centred = a - o
        return torch.exp(-gamma * distance(centred, centred if b is a else b - o))

    return Built(pairs, ones, gamma)


class RBF(Kernel):
    """Gaussian kernel ``exp(-gamma ||x - y||^2)``.

    Parameters
    ----------
    gamma : float or {"scale", "median", "auto"}, default="scale"
        "scale": 1 / (n_features * variance), as in :class:`sklearn.svm.SVC`. "median": one
        over the median squared distance between rows. "auto": 1 / n_features. A width
        sigma is ``gamma = 1 / (2 sigma^2)``.

    Examples
    --------
    >>> from skcontrast.kernels import RBF
    >>> RBF(gamma=0.5)([[0.0], [2.0]]).round(4)
    array([[1.    , 0.1353],
           [0.1353, 1.    ]])
    """

    _parameter_constraints = {"gamma": GAMMA_CONSTRAINTS}

    def __init__(self, gamma: float | Literal["scale", "median", "auto"] = "scale"):
        self.gamma = gamma

    def _build(self, x, categorical):
        return _of_distance(x, self.gamma, distances)


class Laplacian(Kernel):
    """Laplacian kernel ``exp(-gamma ||x - y||_1)``, of the sum of absolute differences.

    The kernel of the Euclidean distance is ``GammaExponential(power=1)``.

    Parameters
    ----------
    gamma : float or {"scale", "median", "auto"}, default="auto"
        "auto": 1 / n_features, the default of
        :func:`sklearn.metrics.pairwise.laplacian_kernel`. "scale": 1 / (n_features *
        standard deviation). "median": one over the median distance.

    Examples
    --------
    >>> from skcontrast.kernels import Laplacian
    >>> Laplacian(gamma=0.5)([[0.0], [2.0]]).round(4)
    array([[1.    , 0.3679],
           [0.3679, 1.    ]])
    """

    _parameter_constraints = {"gamma": GAMMA_CONSTRAINTS}

    def __init__(self, gamma: float | Literal["scale", "median", "auto"] = "auto"):
        self.gamma = gamma

    def _build(self, x, categorical):
        gamma, d = self.gamma, x.shape[1]
        if gamma in ("auto", "scale"):
            # A sum of d absolute differences grows with d, a root of a sum with sqrt(d).
            gamma = 1 / d if gamma == "auto" else resolve_gamma("scale", x, power=1.0) / d**0.5
        return _of_distance(x, gamma, manhattan)


class GammaExponential(Kernel):
    """Kernel ``exp(-gamma ||x - y||^power)`` of the Euclidean distance, heavier in the tails.

    ``power=2`` is :class:`RBF`; ``power=1`` is what Tsai et al. call "laplacian".

    Parameters
    ----------
    power : float, default=1.0
        In (0, 2], beyond which the kernel is not positive semi-definite.

    gamma : float or {"scale", "median", "auto"}, default="scale"
        "scale": (n_features * variance) ** (-power / 2). "median": one over the median of
        the distance to that power. "auto": n_features ** (-power / 2).

    References
    ----------
    Rasmussen and Williams, "Gaussian processes for machine learning", 2006, chapter 4.

    Examples
    --------
    >>> from skcontrast.kernels import GammaExponential
    >>> GammaExponential(power=1, gamma=1.0)([[0.0, 0.0], [3.0, 4.0]]).round(4)
    array([[1.    , 0.0067],
           [0.0067, 1.    ]])
    """

    _parameter_constraints = {
        "power": [Interval(Real, 0, 2, closed="right")],
        "gamma": GAMMA_CONSTRAINTS,
    }

    def __init__(
        self, power: float = 1.0, gamma: float | Literal["scale", "median", "auto"] = "scale"
    ):
        self.power = power
        self.gamma = gamma

    def _build(self, x, categorical):
        return _of_distance(x, self.gamma, lambda a, b: distances(a, b, self.power), self.power)


class Cosine(Kernel):
    """Cosine of the angle between rows; a zero row has cosine 0 with every row.

    Examples
    --------
    >>> from skcontrast.kernels import Cosine
    >>> Cosine()([[1.0, 0.0], [1.0, 1.0]]).round(4)
    array([[1.    , 0.7071],
           [0.7071, 1.    ]])
    """

    def _build(self, x, categorical):
        return Built(
            lambda a, b: normalize(a) @ normalize(b).T, lambda a: normalize(a).square().sum(-1)
        )


class Polynomial(Kernel):
    """Polynomial kernel ``(gamma <x, y> + coef0)^degree``.

    Parameters
    ----------
    degree : int, default=3

    gamma : float or {"scale", "auto"}, default="auto"
        "auto": 1 / n_features, the default of
        :func:`sklearn.metrics.pairwise.polynomial_kernel`. "scale": 1 / (n_features *
        variance).

    coef0 : float, default=1.0
        Not negative, as the kernel would not be positive semi-definite.

    Examples
    --------
    >>> from skcontrast.kernels import Polynomial
    >>> Polynomial(degree=2, gamma=1.0)([[1.0], [2.0]])
    array([[ 4.,  9.],
           [ 9., 25.]])
    """

    _parameter_constraints = {
        "degree": [Interval(Integral, 1, None, closed="left")],
        "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale", "auto"})],
        "coef0": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, degree: int = 3, gamma: float | Literal["scale", "auto"] = "auto", coef0: float = 1.0
    ):
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0

    def _build(self, x, categorical):
        gamma = resolve_gamma(self.gamma, x)

        def value(inner):
            return (gamma * inner + self.coef0) ** self.degree

        return Built(lambda a, b: value(a @ b.T), lambda a: value(a.square().sum(-1)), gamma)


class Linear(Kernel):
    """Inner product ``<x, y>``; the rows are not centred.

    Examples
    --------
    >>> from skcontrast.kernels import Linear
    >>> Linear()([[1.0], [2.0]])
    array([[1., 2.],
           [2., 4.]])
    """

    def _build(self, x, categorical):
        return Built(lambda a, b: a @ b.T, lambda a: a.square().sum(-1))


class Log(Kernel):
    r"""Logarithmic kernel: alikeness falls with the logarithm of the distance.

    With :math:`\ell(x, y) = \log(1 + \gamma \|x - y\|^p)`, the plain logarithmic kernel
    :math:`-\ell(x, y)` is negative and only conditionally positive definite: for weights
    that sum to zero. Seen from an origin o, the mean of the rows it is built on, it is
    positive semi-definite,

    .. math:: k(x, y) = \ell(x, o) + \ell(y, o) - \ell(x, y)

    which is the form used here: k(x, x) = 2 l(x, o), and k(o, y) = 0.

    Parameters
    ----------
    power : float, default=2.0
        Power p of the distance, in (0, 2].

    gamma : float or {"scale", "median", "auto"}, default="scale"
        As in :class:`GammaExponential`.

    References
    ----------
    Berg, Christensen and Ressel, "Harmonic analysis on semigroups", 1984, chapter 3.

    Examples
    --------
    >>> from skcontrast.kernels import Log
    >>> Log(gamma=1.0)([[0.0], [2.0]]).round(4)
    array([[ 1.3863, -0.2231],
           [-0.2231,  1.3863]])
    """

    _parameter_constraints = GammaExponential._parameter_constraints

    def __init__(
        self, power: float = 2.0, gamma: float | Literal["scale", "median", "auto"] = "scale"
    ):
        self.power = power
        self.gamma = gamma

    def _build(self, x, categorical):
        gamma = resolve_gamma(self.gamma, x, lambda a, b: distances(a, b, self.power), self.power)
        origin = x.mean(0, keepdim=True)

        def log_distance(a, b):
            return torch.log1p(gamma * distances(a, b, self.power))

        def pairs(a, b):
            o = origin.to(a)
            a, b, o = a - o, b - o, torch.zeros_like(o)
            return log_distance(a, o) + log_distance(b, o).T - log_distance(a, b)

        return Built(pairs, lambda a: 2 * log_distance(a, origin.to(a))[:, 0], gamma)
