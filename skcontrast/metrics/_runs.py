"""Comparing trainings: embeddings of two runs, and what a loss says in bits."""

import math
from numbers import Integral, Real

import numpy as np

from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import centred, check_pair


def linear_consistency(z1: ArrayLike, z2: ArrayLike) -> float:
    r"""How much of an embedding a linear map of another one explains: consistency of runs.

    .. math:: R^2 = 1 - \min_{W, b} \frac{\sum_i \lVert z^2_i - W z^1_i - b \rVert^2}
        {\sum_i \lVert z^2_i - \bar z^2 \rVert^2}

    It is 1 where the one is an affine map of the other. Two trainings find the same
    representation only up to such a map, so rows of different seeds, animals or sessions cannot
    be compared as they are. The two directions differ; the mean of both is symmetric.

    Parameters
    ----------
    z1, z2 : array-like of shape (n_samples, n_components)
        Two embeddings of the same rows, which may differ in width. With hardly more rows than
        columns of ``z1`` everything is explained: pass many more.

    Returns
    -------
    r2 : float
        Between 0 and 1: the R² of the linear regression on the rows it was fitted to, its columns
        weighted by their variance.

    Raises
    ------
    ValueError
        For tables of different length, NaN, equal rows alone, or no more rows than ``z1`` has
        columns and one.

    References
    ----------
    Schneider, Lee and Mathis, "Learnable latent embeddings for joint behavioural and neural
    analysis", Nature 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.metrics import linear_consistency
    >>> z = np.random.default_rng(0).normal(size=(50, 3))
    >>> round(linear_consistency(z, 5 * z[:, ::-1] + 1), 6)
    1.0
    >>> linear_consistency(z, np.sin(9 * z)) < 0.5
    True
    """
    z1, z2 = check_pair(z1, z2, same_width=False)
    if len(z1) <= z1.shape[1] + 1:
        raise ValueError(
            f"z1 has {len(z1)} rows and {z1.shape[1]} columns, which explain any other table: pass "
            "many more rows than columns."
        )
    z1, z2 = (centred(z / (np.abs(z).max() or 1.0), name) for z, name in ((z1, "z1"), (z2, "z2")))
    left = z2 - z1 @ np.linalg.lstsq(z1, z2)[0]
    return float(np.clip(1 - np.square(left).sum() / np.square(z2).sum(), 0, 1))


def information_bits(loss: float, n_candidates: int) -> float:
    r"""What the value of an InfoNCE loss says in bits: goodness of fit.

    .. math:: \log_2 m - \ell / \ln 2

    for a loss :math:`\ell` that tells the positive from m candidates, itself among them. It is 0
    for guessing and at most :math:`\log_2 m`; in expectation it is a lower bound of the mutual
    information of the two views. Unlike the loss it can be compared between sizes of batches, as
    long as the bound is not reached.

    Parameters
    ----------
    loss : float
        Mean loss, as the last of ``loss_curve_``.

    n_candidates : int
        Number m of candidates for an anchor: the batch size n with ``form="one_way"``, 2 n - 1
        with ``form="ntxent"`` and two views.

    Returns
    -------
    bits : float
        Below 0 for a loss worse than guessing.

    Raises
    ------
    ValueError
        For a loss that is no finite number, or fewer than two candidates.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding",
    2018. Poole et al., "On variational bounds of mutual information", ICML 2019.

    Examples
    --------
    >>> import math
    >>> from skcontrast.metrics import information_bits
    >>> information_bits(math.log(256), 256)
    0.0
    >>> round(information_bits(2.0, 256), 3)
    5.115
    """
    if not isinstance(loss, Real) or not math.isfinite(loss):
        raise ValueError(f"loss={loss!r}: pass one finite number, such as loss_curve_[-1].")
    if not isinstance(n_candidates, Integral) or n_candidates < 2:
        raise ValueError(
            f"n_candidates={n_candidates!r}: pass the number of rows that the positive is told "
            "from, itself among them, a whole number of at least 2."
        )
    return math.log2(n_candidates) - float(loss) / math.log(2)
