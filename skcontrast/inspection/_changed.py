"""Predictions contrasted with those of a changed input, or of another model."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from skcontrast._typing import ArrayLike, Estimator, RowsLike
from skcontrast.metrics._checks import check_column, check_pair, check_positive, codes_among


def contrast_probabilities(
    p_expert: ArrayLike, p_amateur: ArrayLike, *, alpha: float = 0.1, beta: float = 0.5
) -> np.ndarray:
    r"""Scores of the classes by what one model finds likely and another does not.

    .. math::
        \log p_e(c) - \beta \log p_a(c) \quad \text{where} \quad
        p_e(c) \ge \alpha \max_{c'} p_e(c'), \qquad -\infty \text{ elsewhere}

    Among the classes that the expert finds plausible it takes off what the amateur says. It helps
    where the amateur sees a shortcut and nothing else; a weaker model of the same kind knows in
    part what the expert knows, and taking it off costs accuracy. See the page "Contrast at
    prediction time" before using it.

    Parameters
    ----------
    p_expert, p_amateur : array-like of shape (n_samples, n_classes)
        Probabilities of two models, as ``predict_proba`` gives.

    alpha : float, default=0.1
        Share of the largest probability from which a class is plausible, between 0 and 1. 1 leaves
        the expert's choice.

    beta : float, default=0.5
        Weight of the amateur, at least 0. 0 is the expert's choice.

    Returns
    -------
    scores : ndarray of shape (n_samples, n_classes)
        The class is ``classes_[scores.argmax(axis=1)]``.

    Raises
    ------
    ValueError
        For tables of different shapes, numbers that are no probabilities, or parameters that are
        out of range.

    Notes
    -----
    Of logits f, ``(1 + b) * f_e - b * f_a`` ranks classes as ``beta = b / (1 + b)`` does. With the
    frequencies of the classes as the amateur, ``beta=1`` and ``alpha=0`` it is logit adjustment.

    References
    ----------
    Li et al., "Contrastive decoding: open-ended text generation as optimization", ACL 2023. O'Brien
    and Lewis, "Contrastive decoding improves reasoning in large language models", 2023. Menon et
    al., "Long-tail learning via logit adjustment", ICLR 2021.

    Examples
    --------
    >>> from skcontrast.inspection import contrast_probabilities
    >>> expert, amateur = [[0.5, 0.4, 0.1]], [[0.9, 0.05, 0.05]]
    >>> contrast_probabilities(expert, amateur, alpha=0.5).round(2)
    array([[-0.64,  0.58,  -inf]])
    """
    alpha, beta = (check_positive(x, n, zero=True) for x, n in ((alpha, "alpha"), (beta, "beta")))
    if alpha > 1:
        raise ValueError(f"alpha={alpha!r}: type a number between 0 and 1.")
    expert, amateur = check_pair(p_expert, p_amateur, ("p_expert", "p_amateur"), n_least=1)
    for p, name in ((expert, "p_expert"), (amateur, "p_amateur")):
        if p.min() < 0 or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
            raise ValueError(f"{name} has rows that are no probabilities: pass predict_proba(X).")
    plausible = (expert > 0) & (expert >= alpha * expert.max(axis=1, keepdims=True))
    return np.where(plausible, _log(expert) - beta * _log(amateur), -np.inf)


def contrastive_input(
    estimator: Estimator, X: RowsLike, X_changed: RowsLike, *, strength: float = 1.0
) -> np.ndarray:
    r"""Probabilities of the classes, with what a changed input takes away made larger.

    .. math::
        \mathrm{softmax}_c \big( \log p(c \mid x) + s\,
            ( \log p(c \mid x) - \log p(c \mid x') ) \big)

    for a row x and its copy x' in which a little was changed, such as a sensitive column. The
    classes that rise most are those that depend on what was changed.

    Parameters
    ----------
    estimator : fitted classifier
        With ``predict_proba``.

    X, X_changed : rows, of n_samples
        Rows and their changed copies, as the classifier reads them.

    strength : float, default=1.0
        The weight s, at least 0. 0 gives ``predict_proba(X)``.

    Returns
    -------
    probabilities : ndarray of shape (n_samples, n_classes)
        In the order of ``classes_``.

    Raises
    ------
    ValueError
        For a negative strength, or copies that are not as many as the rows.

    Notes
    -----
    Probabilities far from 0 and 1 are compared; it says what the fitted model reads, not what the
    target depends on.

    References
    ----------
    Yona et al., "Surfacing biases in large language models using contrastive input decoding",
    2023, whose idea it takes over.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skcontrast.inspection import contrastive_input
    >>> X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> risen = contrastive_input(model, X, X * [0, 1]) - model.predict_proba(X)
    >>> risen.argmax(axis=1)[2:]  # without column 0, class 1 is less likely
    array([1, 1])
    """
    strength = check_positive(strength, "strength", zero=True)
    p, changed = _both(estimator, X, X_changed, "X_changed")
    if strength == 0:
        return p
    # A class that was ruled out stays so.
    rise = np.where(p > 0, _log(p) + strength * (_log(p) - _log(changed)), -np.inf)
    return softmax(rise, axis=1)


def dependence_weights(
    estimator: Estimator, X: RowsLike, X_ablated: RowsLike, y: ArrayLike
) -> np.ndarray:
    r"""Sample weights by how far the prediction of a label depends on what was withheld.

    .. math:: w_i \propto \max\big( \log p(y_i \mid x_i) - \log p(y_i \mid x'_i),\; 0 \big)

    of mean 1, for a row x and its copy x' without some of its columns. A second fit with these as
    ``sample_weight`` looks at the rows whose label needs the columns.

    Parameters
    ----------
    estimator : fitted classifier
        With ``predict_proba``.

    X, X_ablated : rows, of n_samples
        Rows, and their copies with what is withheld set to its mean, or shuffled.

    y : array-like of shape (n_samples,)
        Labels, all in ``classes_``.

    Returns
    -------
    weights : ndarray of shape (n_samples,)
        All 1 where no label depends on it.

    Raises
    ------
    ValueError
        For labels of another length, or that the classifier does not know.

    References
    ----------
    Xiao et al., "Seeing the image: prioritizing visual correlation by contrastive alignment",
    NeurIPS 2024, whose weights of tokens it takes over.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skcontrast.inspection import dependence_weights
    >>> X = np.array([[0.0, 0.1], [0.0, 1.0], [1.0, 0.2], [1.0, 1.0]])
    >>> model = LogisticRegression().fit(X, [0, 0, 1, 1])
    >>> withheld = [[0.5, 0.1], [0.0, 1.0], [0.5, 0.2], [1.0, 1.0]]  # in two rows, column 0
    >>> dependence_weights(model, X, withheld, [0, 0, 1, 1]).round(2)
    array([1.98, 0.  , 2.02, 0.  ])
    """
    p, ablated = _both(estimator, X, X_ablated, "X_ablated")
    labels = check_column(y, len(p), "y", "X")
    rows, codes = np.arange(len(p)), codes_among(labels, np.asarray(estimator.classes_))
    if codes.min() < 0:
        unknown = labels.tolist()[codes.argmin()]
        raise ValueError(f"y holds {unknown!r}, which is not in classes_: leave such rows out.")
    weights = np.maximum(_log(p)[rows, codes] - _log(ablated)[rows, codes], 0.0)
    return weights / weights.mean() if weights.any() else np.ones(len(p))


def _both(estimator, X, X_changed, name):
    """Probabilities of the rows and of their changed copies."""
    check_is_fitted(estimator)
    for needed in ("predict_proba", "classes_"):
        if not hasattr(estimator, needed):
            raise TypeError(
                f"{type(estimator).__name__} has no {needed}: pass a classifier with it, such as "
                "LogisticRegression()."
            )
    answers = [estimator.predict_proba(rows) for rows in (X, X_changed)]
    if isinstance(answers[0], list):
        raise ValueError(
            f"{type(estimator).__name__} predicts {len(answers[0])} targets: pass a classifier of "
            "one, such as one of its estimators_."
        )
    p, changed = (np.asarray(answer, dtype=float) for answer in answers)
    if p.shape != changed.shape:
        raise ValueError(
            f"X has {len(p)} rows and {name} has {len(changed)}: pass a copy of each row."
        )
    return p, changed


def _log(p):
    """Logarithm of probabilities; 0 counts as the smallest number that there is."""
    return np.log(np.maximum(p, np.finfo(np.float64).tiny))
