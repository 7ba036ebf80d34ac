r"""What labels say of the parts: whether the columns do better without the others.

Rows with labels are told one by one from all others by a Gaussian process on the columns, and by
one on all parts. With targets T (one column a class, or numbers), centred, and the kernel
:math:`K = E E^\top / s + 1`, s the mean squared length of the rows E, leaving row i out predicts

.. math:: \mu_i = T_i - \frac{[A T]_i}{A_{ii}}, \qquad \sigma^2_i = \frac{a}{A_{ii}}, \qquad
    A = (K + \lambda I)^{-1}

with the scale a and, out of a few, the noise :math:`\lambda` under which the targets are likeliest.
The mean log density of the targets under these is compared. No label reaches the training.

References
----------
Rasmussen and Williams, "Gaussian processes for machine learning", MIT Press 2006, section 5.4.2.
"""

import numpy as np

from skcontrast._inputs.columns import as_array
from skcontrast._inputs.target import UNLABELLED, labelled

# Most labelled rows that are read; the fewest that say something, in all and a class on average.
MOST_ROWS, LEAST_ROWS, LEAST_PER_CLASS = 500, 10, 4
# Whole numbers are classes up to so many different ones, however few rows each has.
MOST_CLASSES = 20
NOISES = (0.03, 0.1, 0.3, 1.0, 3.0)
# Nats a target by which the columns have to be better: what a few labels say varies.
MARGIN = 0.03


def told(y):
    """Numbers of the labelled rows that are read, and their targets, centred.

    Parameters
    ----------
    y : array-like or None
        As it was given to ``fit``. No objective need read it, so it may be anything: what cannot
        be read says nothing, and is no error.

    Returns
    -------
    rows : int ndarray of shape (m,), or None where y says too little

    targets : float64 ndarray of shape (m, t)
    """
    try:
        rows, targets = _targets(y)
    except (TypeError, ValueError):
        return None, None
    if rows is None or len(rows) < LEAST_ROWS:
        return None, None
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS])
    targets = targets[chosen] - targets[chosen].mean(axis=0)
    varies = targets.any(axis=0)
    return (rows[chosen], targets[:, varies]) if varies.any() else (None, None)


def _targets(y):
    if y is None or as_array(y, "y").shape[1:] not in ((), (1,)):
        return None, None
    there, labels = labelled(y if np.ndim(y) == 1 else as_array(y, "y").ravel())
    if labels.dtype.kind in "iuf":
        known = np.isfinite(labels) & (labels != UNLABELLED)
        there[there], labels = known, labels[known]
    rows, (classes, codes) = np.flatnonzero(there), np.unique(labels, return_inverse=True)
    few = len(rows) < LEAST_PER_CLASS * len(classes)
    whole = labels.dtype.kind != "f" or not (labels % 1).any()
    if labels.dtype.kind in "iuf" and (not whole or (few and len(classes) > MOST_CLASSES)):
        return rows, labels.astype(np.float64)[:, None]
    if few or len(classes) < 2:
        return None, None
    return rows, np.eye(len(classes))[codes]


def log_density(E, targets):
    """Mean log density of centred targets, each row left out, by a linear kernel of rows E.

    Parameters
    ----------
    E : ndarray of shape (m, p)

    targets : ndarray of shape (m, t)
    """
    E = E - E.mean(axis=0)
    K = E @ E.T
    values, vectors = np.linalg.eigh(K / (np.trace(K) / len(K) or 1.0) + 1.0)
    turned, best = vectors.T @ targets, -np.inf
    for noise in NOISES:
        inverse = 1.0 / (np.maximum(values, 0.0) + noise)
        precision = (np.square(vectors) @ inverse)[:, None]
        residual = vectors @ (inverse[:, None] * turned) / precision
        scale = np.mean(np.square(residual) * precision) or np.finfo(float).tiny
        # With the likeliest scale the mean of the squared standardised residuals is one.
        best = max(best, np.mean(np.log(precision)) / 2 - np.log(scale) / 2)
    return best


def columns_suffice(columns, everything, targets):
    """Whether labelled rows are clearly likelier by the columns than by all parts."""
    return log_density(columns, targets) > log_density(everything, targets) + MARGIN
