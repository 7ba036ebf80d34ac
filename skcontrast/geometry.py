"""Distances between rows that are no points of a sphere: normal, von Mises-Fisher, hyperbolic.

What ``transform`` gives after a training with :class:`skcontrast.objectives.GaussianNCE`,
:class:`~skcontrast.objectives.MCInfoNCE` or :class:`~skcontrast.objectives.Lorentz` is compared by
these functions. NumPy in, NumPy out.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ive

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import check_numbers, check_positive, check_table, check_width

__all__ = [
    "exp_map",
    "gaussian_document",
    "gaussian_query",
    "gaussian_uncertainty",
    "log_map",
    "lorentz_distance",
    "mean_cosine",
]

# Greatest argument of sinh, as in training.
MOST = np.arcsinh(2.0**15)
# Squares of more, over the least variances, are infinite.
LARGEST = 1e100


def gaussian_query(z: ArrayLike, *, min_variance: float = 1e-4) -> np.ndarray:
    r"""Bring normal rows that ask to a form whose inner products are their divergences.

    .. math:: \phi(q) = [\, v_q + \mu_q^2 \mid \mu_q \mid 1 \,], \qquad
        \phi(q) \cdot \psi(p) = -\mathrm{KL}(q \Vert p) + \mathrm{const}(q)

    with :math:`\psi` of :func:`gaussian_document`, so that a search by the greatest inner product
    finds the document of the least Kullback-Leibler divergence.

    Parameters
    ----------
    z : array-like of shape (n_samples, 2 * d)
        Means, and numbers a of the variances :math:`v = \log(1 + e^a) + v_0`.

    min_variance : float, default=1e-4
        The least variance v_0, as in the objective.

    Returns
    -------
    phi : ndarray of shape (n_samples, 2 * d + 1)

    References
    ----------
    Zamani and Bendersky, "Multivariate representation learning for information retrieval", SIGIR
    2023.

    Examples
    --------
    >>> from skcontrast.geometry import gaussian_document, gaussian_query
    >>> z = [[0.0, 1.0], [3.0, 1.0], [-2.0, 1.0]]  # one dimension: means, and equal variances
    >>> (gaussian_query([[2.5, 1.0]]) @ gaussian_document(z).T).argmax(axis=1)
    array([1])
    """
    mean, variance = _gaussian(z, min_variance)
    return np.hstack([variance + mean**2, mean, np.ones((len(mean), 1))])


def gaussian_document(z: ArrayLike, *, min_variance: float = 1e-4) -> np.ndarray:
    r"""Bring normal rows that are searched to the form that :func:`gaussian_query` asks.

    .. math:: \psi(p) = \Big[\, -\frac{1}{2 v_p} \,\Big|\, \frac{\mu_p}{v_p} \,\Big|\,
        -\frac12 \sum \Big( \frac{\mu_p^2}{v_p} + \log v_p \Big) \,\Big]

    Parameters
    ----------
    z : array-like of shape (n_samples, 2 * d)
        Means, and numbers of the variances.

    min_variance : float, default=1e-4
        The least variance, as in the objective.

    Returns
    -------
    psi : ndarray of shape (n_samples, 2 * d + 1)

    Examples
    --------
    >>> from skcontrast.geometry import gaussian_document
    >>> gaussian_document([[1.0, 100.0]]).round(3)  # a variance of 100
    array([[-0.005,  0.01 , -2.308]])
    """
    mean, variance = _gaussian(z, min_variance)
    own = (mean**2 / variance + np.log(variance)).sum(axis=1, keepdims=True)
    return np.hstack([-0.5 / variance, mean / variance, -0.5 * own])


def gaussian_uncertainty(z: ArrayLike, *, min_variance: float = 1e-4) -> np.ndarray:
    """Mean logarithm of the variances of each normal row: higher is less sure.

    Parameters
    ----------
    z : array-like of shape (n_samples, 2 * d)
        Means, and numbers of the variances.

    min_variance : float, default=1e-4
        The least variance, as in the objective.

    Returns
    -------
    uncertainty : ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skcontrast.geometry import gaussian_uncertainty
    >>> gaussian_uncertainty([[0.0, 1.0], [0.0, 5.0]]).round(2)
    array([0.27, 1.61])
    """
    return np.log(_gaussian(z, min_variance)[1]).mean(axis=1)


def _gaussian(z, min_variance):
    z, least = check_table(z, n_least=1), check_positive(min_variance, "min_variance")
    d = z.shape[1] // 2
    if not d:
        raise ValueError(
            "z has 1 column, and a normal row has a mean and a number of its variance: pass 2 "
            "columns or more."
        )
    if np.abs(z).max() > LARGEST:
        raise ValueError(
            f"z holds a number beyond {LARGEST:g}, whose square is infinite: pass what transform "
            "gives."
        )
    return z[:, :d], np.logaddexp(0.0, z[:, d : 2 * d]) + least


def mean_cosine(concentration: ArrayLike, n_dimensions: int) -> np.ndarray:
    r"""Expected cosine of a von Mises-Fisher draw with its direction.

    .. math:: A_d(\kappa) = \frac{I_{d/2}(\kappa)}{I_{d/2 - 1}(\kappa)}

    with the modified Bessel functions I: 0 where nothing is known, 1 where all is. The
    concentrations of a row of :class:`skcontrast.objectives.MCInfoNCE` are ``16 * exp(z[:, -1])``
    and the dimensions those of ``z[:, :-1]``.

    Parameters
    ----------
    concentration : array-like of shape (n_samples,)
        Concentrations kappa, from 0 to infinity.

    n_dimensions : int
        Columns d of a direction.

    Returns
    -------
    cosine : ndarray of shape (n_samples,)

    Examples
    --------
    >>> from skcontrast.geometry import mean_cosine
    >>> mean_cosine([0.0, 20.0, 1e4], n_dimensions=3).round(4)
    array([0.    , 0.95  , 0.9999])
    """
    d = check_count(n_dimensions, "n_dimensions")
    kappa = check_numbers(concentration, "concentration")
    if not (kappa >= 0).all():
        raise ValueError("concentration holds a negative one or NaN: pass numbers of at least 0.")
    # Bessel functions of many dimensions are rounded to 0, where their continued fraction is fast;
    # of huge arguments they are NaN, where two terms of the series at infinity are exact.
    low, high = np.minimum(kappa, 10.0 * d), np.maximum(kappa, 1e6 * d)
    fraction = np.zeros_like(kappa)
    for k in range(d + 800, d - 1, -2):
        fraction = low / (k + low * fraction)
    middle = np.clip(kappa, low, 1e6 * d)
    bessel = ive(d / 2, middle) / np.maximum(ive(d / 2 - 1, middle), 1e-300)
    far = 1 - (d - 1) / (2 * high)
    return np.where(kappa <= low, fraction, np.where(kappa < high, bessel, far))


def exp_map(v: ArrayLike, curvature: float = 1.0) -> np.ndarray:
    r"""Bring tangents at the origin to the hyperboloid of curvature -c: its space columns.

    .. math:: x = \frac{\sinh(\sqrt c \lVert v \rVert)}{\sqrt c \lVert v \rVert} v

    Parameters
    ----------
    v : array-like of shape (n_samples, d)
        Tangents. Of ``transform`` after :class:`skcontrast.objectives.Lorentz` they are
        ``z * np.exp(log_scale) / sqrt(d)``, with the ``log_scale`` of ``objective_weights_``.

    curvature : float, default=1.0
        The curvature c, above 0; the learned one is ``np.exp(log_curvature).clip(0.1, 10)``.

    Returns
    -------
    x : ndarray of shape (n_samples, d)
        Of tangents longer than 11.09 over the root of c that of this length, as in training, where
        single precision ends.

    Examples
    --------
    >>> from skcontrast.geometry import exp_map, log_map
    >>> x = exp_map([[0.6, 0.8]])
    >>> x.round(3), log_map(x).round(3)
    (array([[0.705, 0.94 ]]), array([[0.6, 0.8]]))
    """
    v, c = check_table(v, "v", 1), check_positive(curvature, "curvature")
    length = np.maximum(np.sqrt(c) * _length(v), 1e-8)
    return np.sinh(np.minimum(length, MOST)) * (v / length)


def log_map(x: ArrayLike, curvature: float = 1.0) -> np.ndarray:
    r"""Bring space columns of the hyperboloid back to tangents at the origin.

    .. math:: v = \frac{\mathrm{arsinh}(\sqrt c \lVert x \rVert)}{\sqrt c \lVert x \rVert} x

    Parameters
    ----------
    x : array-like of shape (n_samples, d)
        Space columns.

    curvature : float, default=1.0
        The curvature c, above 0.

    Returns
    -------
    v : ndarray of shape (n_samples, d)

    See Also
    --------
    exp_map : The way there.

    Examples
    --------
    >>> from skcontrast.geometry import log_map
    >>> log_map([[0.0, 0.0], [3.0, 0.0]]).round(3)
    array([[0.   , 0.   ],
           [1.818, 0.   ]])
    """
    x, c = check_table(x, "x", 1), check_positive(curvature, "curvature")
    length = np.maximum(np.sqrt(c) * _length(x), 1e-150)
    return np.arcsinh(length) * (x / length)


def _length(rows):
    """Length of each row, (n, 1), whose squares may overflow."""
    return np.hypot.reduce(rows, axis=1, keepdims=True)


def lorentz_distance(v1: ArrayLike, v2: ArrayLike, curvature: float = 1.0) -> np.ndarray:
    r"""Hyperbolic distances of tangents at the origin, brought to the hyperboloid first.

    .. math:: d(x, y) = \frac{1}{\sqrt c} \mathrm{arccosh}(c\, x_t y_t - c\, x \cdot y), \qquad
        x_t = \sqrt{1/c + \lVert x \rVert^2}

    taken without the difference of nearly equal numbers. As c goes to 0 it is the Euclidean
    distance of the tangents; of two rows far from the origin it is nearly the way over the origin.

    Parameters
    ----------
    v1 : array-like of shape (n_samples, d)
        Tangents, as :func:`exp_map` takes them.

    v2 : array-like of shape (m_samples, d)
        Others.

    curvature : float, default=1.0
        The curvature c, above 0.

    Returns
    -------
    distance : ndarray of shape (n_samples, m_samples)

    References
    ----------
    Desai et al., "Hyperbolic image-text representations", ICML 2023.

    Examples
    --------
    >>> from skcontrast.geometry import lorentz_distance
    >>> lorentz_distance([[0.0, 0.0], [0.0, 1.0]], [[3.0, 0.0]]).round(3)
    array([[3.   ],
           [3.435]])
    """
    c = check_positive(curvature, "curvature")
    v1, v2 = check_table(v1, "v1", 1), check_table(v2, "v2", 1)
    check_width(v1, v2, ("v1", "v2"))
    x, y = exp_map(v1, c), exp_map(v2, c)
    xx, yy = np.square(x).sum(axis=1)[:, None], np.square(y).sum(axis=1)
    time = (xx - yy) / (np.sqrt(1 / c + xx) + np.sqrt(1 / c + yy))
    space = np.array([np.square(row - y).sum(axis=1) for row in x])
    excess = np.maximum(c / 2 * (space - np.square(time)), 0.0)
    return np.log1p(excess + np.sqrt(excess * (excess + 2))) / np.sqrt(c)
