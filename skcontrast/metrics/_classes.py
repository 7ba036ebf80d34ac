"""Measures of classes: how tight they are, and what their means alone can tell."""

from __future__ import annotations

import numpy as np

from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    TIE,
    centred,
    check_labels,
    check_table,
    check_width,
    class_sums,
    codes_among,
)


def class_spread(z: ArrayLike, y: ArrayLike) -> float:
    r"""Share of the variance that lies within classes; 0 where every class is one point.

    .. math::
        \frac{\sum_i \lVert z_i - \mu_{y_i} \rVert^2}{\sum_i \lVert z_i - \mu \rVert^2}

    with the mean :math:`\mu_c` of class c and that of all rows. It is one less the R² of an
    analysis of variance. An embedding trained with labels falls towards 0, and what tells the rows
    of a class apart, such as its subclasses, is lost then: measure it with the labels of the
    training, and ask for the finer ones by a classifier. Labels that mean nothing give about
    (n - C) / (n - 1).

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding, as it is; divide the rows by their length for directions.

    y : array-like of shape (n_samples,)
        Labels, of any type.

    Returns
    -------
    spread : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows, NaN, labels of another length, or rows that are all equal.

    See Also
    --------
    tolerance : Mean cosine of the rows of a class.

    References
    ----------
    Xue et al., "Which features are learnt by contrastive learning? On the role of simplicity bias
    in class collapse and feature suppression", ICML 2023.

    Examples
    --------
    >>> from skcontrast.metrics import class_spread
    >>> class_spread([[0.0], [0.0], [3.0], [3.0]], ["a", "a", "b", "b"])
    0.0
    >>> class_spread([[0.0], [3.0], [0.0], [3.0]], ["a", "a", "b", "b"])
    1.0
    """
    z = centred(check_table(z))
    z = z / np.abs(z).max()  # squares of 1e200 overflow
    codes = check_labels(y, len(z), "y")[1]
    counts = np.bincount(codes)
    means = class_sums(z, codes, len(counts)) / counts[:, None]
    within = np.square(z - means[codes]).sum()
    return float(np.clip(within / np.square(z).sum(), 0.0, 1.0))


def mean_classifier_accuracy(
    z: ArrayLike,
    y: ArrayLike,
    z_test: ArrayLike | None = None,
    y_test: ArrayLike | None = None,
) -> float:
    r"""Accuracy of the classifier whose weights are the class means; higher is better.

    .. math:: \hat y(z) = \mathrm{argmax}_c \; z \cdot \mu_c

    It has nothing to learn but the means, so it says how far the classes are directions of the
    embedding; a low contrastive loss bounds its error where positives share a class. Of rows whose
    class is one of several with the largest product, the share that guessing among these has is
    counted.

    Parameters
    ----------
    z : array-like of shape (n_samples, n_components)
        Embedding whose class means are taken.

    y : array-like of shape (n_samples,)
        Labels, of at least two classes.

    z_test : array-like of shape (n_test, n_components), default=None
        Rows that are classified. None classifies each row of ``z``, with its class mean taken
        over the others; the only row of a class is then wrong.

    y_test : array-like of shape (n_test,), default=None
        Their labels. A row of a class that is not in ``y`` is wrong.

    Returns
    -------
    accuracy : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        For fewer than two rows or classes, NaN, labels of another length, or one of ``z_test`` and
        ``y_test`` alone.

    See Also
    --------
    skcontrast.ZeroShotClassifier : A classifier by the vectors of classes.

    References
    ----------
    Arora et al., "A theoretical analysis of contrastive unsupervised representation learning",
    ICML 2019.

    Examples
    --------
    >>> from skcontrast.metrics import mean_classifier_accuracy
    >>> z = [[1.0, 0.0], [1.0, 0.2], [0.0, 1.0], [0.1, 1.0]]
    >>> mean_classifier_accuracy(z, ["a", "a", "b", "b"])
    1.0
    >>> mean_classifier_accuracy(z, ["a", "a", "b", "b"], [[1.0, 1.1], [1.0, 0.0]], ["a", "a"])
    0.5
    """
    if (z_test is None) != (y_test is None):
        raise ValueError("z_test and y_test go together: pass both, or none for leave-one-out.")
    z = check_table(z)
    classes, codes = check_labels(y, len(z), "y")
    if len(classes) < 2:
        raise ValueError("y has one class, of which any classifier is right: pass two or more.")
    z = z / (np.abs(z).max() or 1.0)
    sums, counts = class_sums(z, codes, len(classes)), np.bincount(codes).astype(float)
    means = sums / counts[:, None]
    if z_test is not None:
        test = check_table(z_test, "z_test", 1)
        check_width(test, z, ("z_test", "z"))
        known, numbers = check_labels(y_test, len(test), "y_test", "z_test")
        places = codes_among(known, classes)
        if places.max() < 0:
            raise ValueError(
                f"no label of y_test is one of y, as {known.tolist()[0]!r} is none beside "
                f"{classes.tolist()[0]!r}: pass labels of one kind in both."
            )
        return _hits(_directions(test) @ means.T, places[numbers], means)
    u = _directions(z)
    scores = u @ means.T  # (n, C)
    rows, alone = np.arange(len(z)), counts[codes] == 1
    own = np.einsum("ij,ij->i", u, sums[codes] - z) / np.maximum(counts[codes] - 1, 1)
    scores[rows, codes] = np.where(alone, -np.inf, own)
    return _hits(scores, codes, means)


def _directions(z):
    """Rows with a largest entry of 1, or of zeros: whether scores are equal depends on no unit."""
    largest = np.abs(z).max(axis=1, keepdims=True)
    return z / np.where(largest > 0, largest, 1.0)


def _hits(scores, codes, means):
    """Share of rows whose class has the largest score; by chance among equal ones."""
    first = scores >= scores.max(axis=1, keepdims=True) - TIE * np.abs(means).max()
    right = first[np.arange(len(codes)), codes] & (codes >= 0)
    return float(np.mean(right / first.sum(axis=1)))
