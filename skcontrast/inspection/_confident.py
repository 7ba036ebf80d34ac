"""Confident learning: which labels a cross-validated classifier speaks against."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.special import xlogy

from skcontrast._typing import ArrayLike
from skcontrast.metrics._checks import (
    check_column,
    check_labels,
    check_option,
    check_table,
    codes_among,
)

SCORES = "self_confidence", "normalized_margin", "weighted_entropy"
# How far below its threshold, or the largest of its row, a probability still counts as there.
NEAR = 1e-6


def label_quality(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    score: Literal["self_confidence", "normalized_margin", "weighted_entropy"] = "self_confidence",
    adjust: bool = False,
) -> np.ndarray:
    r"""How far a classifier that did not see them believes in labels; lower is more doubtful.

    .. math::
        \text{self-confidence} = p_{i y_i}, \qquad
        \text{normalized margin} = \frac{1}{2}\Big(1 + p_{i y_i} - \max_{c \ne y_i} p_{ic}\Big)

    .. math::
        \text{weighted entropy} = \frac{\log(1 + q_i)}{q_i}, \qquad
        q_i = \frac{-\sum_c p_{ic} \log p_{ic}}{p_{i y_i} \log C}

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Probabilities p of the classes, from folds that the row was not in: those of a classifier
        that was trained on the row agree with a wrong label too.

    y : array-like of shape (n_samples,)
        Labels, of which some may be wrong.

    classes : array-like of shape (n_classes,), default=None
        Classes in the order of the columns; None is those of y, sorted.

    score : str, default="self_confidence"
        What is given: "self_confidence", "normalized_margin" or "weighted_entropy".

    adjust : bool, default=False
        Whether classes that the classifier believes in less are made up for: p becomes
        :math:`p_{ic} - t_c + \max_k t_k`, of sum 1, with the thresholds t of
        :func:`confident_joint`.

    Returns
    -------
    quality : ndarray of shape (n_samples,)
        Between 0 and 1.

    See Also
    --------
    label_issues : The rows to look at, without a number to choose.
    label_credibility : What the nearest rows say.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70, 2021. Kuan and Mueller, "Model-agnostic label quality scoring to detect real-world
    label errors", ICML DataPerf workshop 2022.

    Examples
    --------
    >>> from skcontrast.inspection import label_quality
    >>> p = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]]
    >>> label_quality(p, ["a", "b", "b", "b"])
    array([0.9, 0.2, 0.7, 0.9])
    >>> label_quality(p, ["a", "b", "b", "b"], score="weighted_entropy").round(2)
    array([0.8 , 0.42, 0.65, 0.8 ])
    """
    check_option(score, "score", SCORES)
    p, codes = _checked(probabilities, y, classes)
    if adjust:
        t = _thresholds(p, codes)
        top = t[np.isfinite(t)].max()
        p = p - np.minimum(t, top) + top
        p /= p.sum(axis=1, keepdims=True)
    return _quality(p, codes, score)


def _quality(p, codes, score):
    rows = np.arange(len(p))
    own = p[rows, codes]
    if score == "self_confidence":
        return own
    if score == "normalized_margin":
        others = p.copy()
        others[rows, codes] = -np.inf
        return (own - others.max(axis=1) + 1) / 2
    entropy = -xlogy(p, p).sum(axis=1) / np.log(p.shape[1])
    q = np.maximum(entropy, 1e-12) / np.maximum(own, 1e-6)
    return np.log1p(q) / q


def confident_joint(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    calibrate: bool = True,
) -> np.ndarray:
    r"""Count how often a row of one label is confidently of another class.

    .. math::
        C_{ab} = \sum_i 1[y_i = a] \; 1[b = \mathrm{argmax}_{c : p_{ic} \ge t_c} p_{ic}], \qquad
        t_c = \frac{1}{n_c} \sum_{i : y_i = c} p_{ic}

    A row that reaches no threshold is not counted.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        As in :func:`label_quality`.

    y : array-like of shape (n_samples,)
        Labels.

    classes : array-like of shape (n_classes,), default=None
        Classes in the order of the columns; None is those of y, sorted.

    calibrate : bool, default=True
        Whether the rows of C are brought to the number of rows with each label. They are rounded,
        halves to even numbers, and what is then missing or too much is taken by the entries that
        rounding moved most; which of equal ones is left open.

    Returns
    -------
    joint : ndarray of int of shape (n_classes, n_classes)
        Given labels by probable classes; at least 1 on the diagonal.

    Notes
    -----
    With the sums of its columns, ``joint / joint.sum(axis=0)`` are the rates of noise, of which
    column b says how rows of class b are labelled, and ``joint.sum(axis=0) / joint.sum()`` the
    shares of the true classes.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70, 2021.

    Examples
    --------
    >>> from skcontrast.inspection import confident_joint
    >>> p = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.3, 0.7], [0.1, 0.9]]
    >>> confident_joint(p, ["a", "a", "b", "b", "b"])
    array([[2, 0],
           [1, 2]])
    """
    p, codes = _checked(probabilities, y, classes)
    joint = _joint(p, codes)
    return _calibrated(joint, codes) if calibrate else joint


def _thresholds(p, codes):
    """Mean probability of each class in the rows labelled so; inf for a class without rows."""
    counts = np.bincount(codes, minlength=p.shape[1])
    own = np.bincount(codes, p[np.arange(len(p)), codes], p.shape[1])
    return np.where(counts > 0, own / np.maximum(counts, 1), np.inf)


def _confident(p, codes):
    """The class that each row is confidently of, -1 where there is none."""
    reached = p >= _thresholds(p, codes) - NEAR
    best = np.where(reached, p, -1.0).argmax(axis=1)
    return np.where(reached.any(axis=1), best, -1)


def _joint(p, codes):
    found = _confident(p, codes)
    joint = np.zeros((p.shape[1], p.shape[1]), dtype=int)
    np.add.at(joint, (codes[found >= 0], found[found >= 0]), 1)
    np.fill_diagonal(joint, np.maximum(joint.diagonal(), 1))
    return joint


def _calibrated(joint, codes):
    counts = np.bincount(codes, minlength=len(joint))
    exact = np.divide(joint.T, joint.sum(axis=1), order="C") * counts
    # The second scaling is by one. Equal fractions differ by its rounding, as in cleanlab, whose
    # counts are then these.
    exact = (exact / exact.sum() * len(codes)).T
    whole = np.rint(exact).astype(int)
    for row, rest, n in zip(whole, exact - whole, counts):
        left = n - row.sum()
        nearest = np.argsort(rest)[:: -1 if left > 0 else 1]
        row[nearest[: abs(left)]] += np.sign(left)
    return whole


def label_issues(
    probabilities: ArrayLike,
    y: ArrayLike,
    *,
    classes: ArrayLike | None = None,
    rule: Literal["noise_rate", "class", "confident"] = "noise_rate",
) -> np.ndarray:
    """Find the rows whose label is probably wrong, as many as the confident joint counts.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        As in :func:`label_quality`.

    y : array-like of shape (n_samples,)
        Labels.

    classes : array-like of shape (n_classes,), default=None
        Classes in the order of the columns; None is those of y, sorted.

    rule : {"noise_rate", "class", "confident"}, default="noise_rate"
        Of the calibrated joint C, "noise_rate" takes for all classes a and b the :math:`C_{ab}`
        rows labelled a with the largest :math:`p_{ib} - p_{ia}`, and "class" the
        :math:`n_a - C_{aa}` rows labelled a with the lowest :math:`p_{ia}`. "confident" takes the
        rows that are confidently of another class. A row whose label is the most probable class,
        or within 1e-6 of it, is never taken.

    Returns
    -------
    issues : bool ndarray of shape (n_samples,)

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty in dataset labels",
    JAIR 70, 2021.

    Examples
    --------
    >>> from skcontrast.inspection import label_issues
    >>> p = [[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.3, 0.7], [0.1, 0.9]]
    >>> label_issues(p, ["a", "a", "b", "b", "b"])
    array([False, False,  True, False, False])
    """
    check_option(rule, "rule", ("noise_rate", "class", "confident"))
    p, codes = _checked(probabilities, y, classes)
    issues = np.zeros(len(p), dtype=bool)
    if rule == "confident":
        found = _confident(p, codes)
        issues = (found >= 0) & (found != codes)
    else:
        joint = _calibrated(_joint(p, codes), codes)
        for a in np.unique(codes):
            rows = np.flatnonzero(codes == a)
            if rule == "class":
                asked = [(len(rows) - joint[a, a], -p[rows, a])]
            else:
                others = np.delete(np.arange(len(joint)), a)
                asked = [(joint[a, b], p[rows, b] - p[rows, a]) for b in others]
            for wanted, doubt in asked:
                issues[rows[np.argsort(-doubt, kind="stable")[:wanted]]] = True
    return issues & (p[np.arange(len(p)), codes] < p.max(axis=1) - NEAR)


def _checked(probabilities, y, classes):
    """Probabilities, and the number of the class of each row."""
    p = check_table(probabilities, "probabilities", 1)
    if p.min() < 0 or p.max() > 1 + 1e-6:
        raise ValueError(
            f"probabilities hold {p.min() if p.min() < 0 else p.max():.3g}: pass what "
            "predict_proba gives, numbers between 0 and 1."
        )
    if classes is None:
        classes, codes = check_labels(y, len(p), "y", "probabilities")
    else:
        classes = np.asarray(classes)
        if classes.ndim != 1 or len(np.unique(classes.astype(str))) < classes.size:
            raise ValueError(f"classes={classes.tolist()!r}: name the class of each column once.")
        labels = check_column(y, len(p), "y", "probabilities")
        codes = codes_among(labels, classes)
        if codes.min() < 0:
            unknown = labels.tolist()[codes.argmin()]
            raise ValueError(f"y holds {unknown!r}, which is not in classes.")
    if p.shape[1] < 2:
        raise ValueError(
            "probabilities have 1 column, and labels of one class are not judged: pass those of "
            "two classes or more."
        )
    if len(classes) != p.shape[1]:
        raise ValueError(
            f"probabilities have {p.shape[1]} columns for {len(classes)} classes: pass one a "
            "class, and with classes= their order where y lacks one."
        )
    return p, codes
