"""Measures of the spectrum: over how many directions an embedding spreads, and how evenly."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import entr, logsumexp

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    BLOCK,
    blocks,
    centred,
    check_option,
    check_positive,
    check_table,
    unit_rows,
)


def _scaled(z, name="z"):
    """The table in units of its largest entry, whose squares stay finite."""
    largest = np.abs(z).max()
    if largest == 0:
        raise ValueError(
            f"{name} holds nothing but zeros, which have no directions: pass another embedding."
        )
    return z / largest, largest


def effective_rank(z: ArrayLike, *, eps: float = 0.0) -> float:
    r"""Number of directions that an embedding uses: exponential of the spectrum's entropy.

    .. math::
        \exp\left(- \sum_k p_k \log p_k\right), \qquad
        p_k = \frac{\sigma_k}{\sum_l \sigma_l} + \epsilon

    with the singular values :math:`\sigma_k` of the table as it is, neither centred nor
    normalised. ``eps=1e-7`` is RankMe as published. It grows with the number of rows and
    columns: compare embeddings of the same rows and one width.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding.

    eps : float, default=0.0
        Added to every share of the spectrum.

    Returns
    -------
    rank : float
        Between 1 and ``min(n_samples, n_components)``, with ``eps=0``.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, or nothing but zeros.

    References
    ----------
    Roy and Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO
    2007. Garrido et al., "RankMe: assessing the downstream performance of pretrained
    self-supervised representations by their rank", ICML 2023.

    Examples
    --------
    >>> from skcontrast.metrics import effective_rank
    >>> round(effective_rank([[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), 6)
    2.0
    >>> round(effective_rank([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]]), 6)
    1.0
    """
    eps = check_positive(eps, "eps", zero=True)
    z, _ = _scaled(check_table(z))
    sigma = np.linalg.svd(z, compute_uv=False)
    return float(np.exp(entr(sigma / sigma.sum() + eps).sum()))


def covariance_spectrum(z: ArrayLike, *, normalize: bool = True) -> np.ndarray:
    r"""Eigenvalues of the covariance of the rows, largest first.

    .. math::
        \lambda_k \text{ of } C = \frac{1}{n - 1} \sum_i (u_i - \bar u)(u_i - \bar u)^\top

    with unit rows :math:`u_i`, or the rows as they are. Values of 0 are directions that the
    embedding does not use: dimensional collapse.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding.

    normalize : bool, default=True
        Whether rows are divided by their length first.

    Returns
    -------
    eigenvalues : ndarray of shape (n_components,)
        Not negative.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN or, with ``normalize=True``, a row of zeros.

    References
    ----------
    Jing et al., "Understanding dimensional collapse in contrastive self-supervised learning",
    ICLR 2022.

    Examples
    --------
    >>> from skcontrast.metrics import covariance_spectrum
    >>> covariance_spectrum([[3.0, 0.0], [-2.0, 0.0]]).round(6)
    array([2., 0.])
    """
    z = check_table(z)
    u = unit_rows(z) if normalize else z
    u = u - u.mean(axis=0)
    # Singular values, whose squares are the eigenvalues to twice as many digits.
    values = np.zeros(u.shape[1])
    sigma = np.linalg.svd(u, compute_uv=False)
    values[: len(sigma)] = np.square(sigma) / (len(u) - 1)
    return values


def column_spread(z: ArrayLike) -> float:
    r"""Spread of the columns of the unit rows, 1 where it is that of an even sphere.

    .. math:: \frac{\sqrt d}{d} \sum_k \mathrm{std}_i(u_{ik})

    with unit rows :math:`u_i` of d columns: the columns of rows drawn evenly from the sphere
    have the standard deviation :math:`1 / \sqrt d`. It is 0 where all rows have become one.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding.

    Returns
    -------
    spread : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, a row of zeros, or NaN.

    References
    ----------
    Chen and He, "Exploring simple siamese representation learning", CVPR 2021.

    Examples
    --------
    >>> from skcontrast.metrics import column_spread
    >>> round(column_spread([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 6)
    1.0
    >>> column_spread([[1.0, 2.0], [1.0, 2.0]])
    0.0
    """
    u = unit_rows(check_table(z))
    return float(u.std(axis=0).mean() * np.sqrt(u.shape[1]))


def isotropy(
    z: ArrayLike,
    *,
    method: Literal["iso_score", "partition"] = "iso_score",
    block_size: int = BLOCK,
) -> float:
    r"""How evenly the directions of the space are used; between 0 and 1, higher is more even.

    ``method="iso_score"`` compares the variances :math:`\lambda` along the principal axes
    with equal ones:

    .. math::
        \hat\lambda = \sqrt d\, \frac{\lambda}{\lVert \lambda \rVert}, \qquad
        \delta = \frac{\lVert \hat\lambda - 1 \rVert}{\sqrt{2 (d - \sqrt d)}}, \qquad
        \phi = \frac{(d - \delta^2 (d - \sqrt d))^2}{d^2}, \qquad
        \iota = \frac{d \phi - 1}{d - 1}

    It does not change with the mean, the scale or a rotation. ``method="partition"`` looks at
    the rows as they are, with their mean and scale:

    .. math::
        \frac{\min_c Z(c)}{\max_c Z(c)}, \qquad
        Z(c) = \sum_i \exp(c \cdot z_i), \qquad c \in \{\pm e_1, \ldots, \pm e_d\}

    with the eigenvectors :math:`e_k` of :math:`\sum_i z_i z_i^\top`, in both directions, as
    their sign has no meaning.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding, of at least two columns for "iso_score".

    method : {"iso_score", "partition"}, default="iso_score"
        What is compared.

    block_size : int, default=1024
        Rows of a tile, for "partition".

    Returns
    -------
    isotropy : float

    Raises
    ------
    ValueError
        For fewer than two rows or columns, NaN, or, with "iso_score", equal rows.

    References
    ----------
    Rudman et al., "IsoScore: measuring the uniformity of embedding space utilization",
    Findings of ACL 2022. Mu and Viswanath, "All-but-the-top: simple and effective
    postprocessing for word representations", ICLR 2018, after Arora et al., "A latent variable
    model approach to PMI-based word embeddings", TACL 2016.

    Examples
    --------
    >>> from skcontrast.metrics import isotropy
    >>> even = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> round(isotropy(even), 6), round(isotropy(even, method="partition"), 6)
    (1.0, 1.0)
    >>> round(isotropy([[1.0, 2.0], [2.0, 4.0], [5.0, 10.0]]), 6)
    0.0
    """
    check_option(method, "method", ("iso_score", "partition"))
    size = check_count(block_size, "block_size")
    z = check_table(z)
    return _partition(z, size) if method == "partition" else _iso_score(z)


def _iso_score(z):
    d = z.shape[1]
    if d < 2:
        raise ValueError("z has 1 column, and evenness needs at least 2: pass a wider embedding.")
    variance = covariance_spectrum(_scaled(centred(z))[0], normalize=False)
    variance *= np.sqrt(d) / np.linalg.norm(variance)
    delta = np.linalg.norm(variance - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    phi = (d - delta**2 * (d - np.sqrt(d))) ** 2 / d**2
    return float(np.clip((d * phi - 1) / (d - 1), 0.0, 1.0))


def _partition(z, size):
    scaled, unit = _scaled(z)
    # Of the triangle of a QR the table of eigenvectors is (d, d) for any number of rows.
    axes = np.linalg.svd(np.linalg.qr(scaled, mode="r"))[2]  # (d, d)
    log_z = np.full(2 * len(axes), -np.inf)
    for rows in blocks(len(z), size):
        # Entries near the end of float64 must not become infinite.
        projected = np.clip((scaled[rows] @ axes.T) * min(unit, 1e300), -1e300, 1e300)
        both = np.concatenate([projected, -projected], axis=1)
        log_z = np.logaddexp(log_z, logsumexp(both, axis=0))
    return float(np.exp(log_z.min() - log_z.max()))
