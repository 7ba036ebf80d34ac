"""Zero-shot classification: the class whose embedding points the same way."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skcontrast._arrays import refuse_masked
from skcontrast._component import Interval, Real, check_parameters, warn
from skcontrast._inputs.columns import first_line, untorched
from skcontrast._inputs.target import (
    UNLABELLED,
    class_codes,
    class_names,
    classes_of,
    joined_classes,
    no_label,
)
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, MatrixLike, Self
from skcontrast.adaptation._door import ReadsRows, whole

# float16 embeddings have lengths that are off by 1e-3; these count as unit rows.
UNIT_TOLERANCE = 5e-3
# Lengths of float32 rows that were scaled to unit length are off by less.
ROUNDING = 1e-6


def unit_rows(X):
    """Rows scaled to length one; zero rows stay zero. (n, d) -> (n, d)."""
    peak = np.abs(X).max(axis=1, keepdims=True, initial=0)
    X = X / np.where(peak > 0, peak, 1)  # squares of the values themselves may overflow
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def near_unit_rows(X):
    """As :func:`unit_rows`, but rows that are of unit length already keep every bit."""
    with np.errstate(over="ignore"):
        length = np.linalg.norm(X, axis=1, keepdims=True)
    return np.where(np.abs(length - 1) > ROUNDING, unit_rows(X), X)


def softmax(scores):
    """Rows of probabilities: (n, C) -> (n, C)."""
    P = np.exp(scores - scores.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True)


def further_codes(y, classes, known, owner):
    """Codes and classes of the labels that ``partial_fit`` is given, beside those ``known``."""
    named = known if classes is None else np.ravel(classes)
    codes, found = class_codes(y, "pair" if named is None else UNLABELLED in named.tolist())
    if not len(found):
        raise no_label(type(owner).__name__)
    unknown = (
        () if classes is None else np.setdiff1d(joined_classes(found, named, "classes="), named)
    )
    if len(unknown):
        raise ValueError(
            f"y holds {unknown[:5].tolist()}, which classes= does not name: add them, or leave "
            "classes= out."
        )
    return codes, found


class ScoreMixin(OwnState, ClassifierMixin):
    """Decisions of a classifier by its ``_scores(X)``, (n_samples, n_classes).

    Probabilities are the softmax of its ``_logits(X)``.
    """

    def decision_function(self, X: MatrixLike) -> np.ndarray:
        """Scores of the classes, as the formula of the class says.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,)
            With two classes the score of the second less that of the first.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X: MatrixLike) -> np.ndarray:
        """Class with the largest score, the first of equal ones.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        best = self._scores(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: MatrixLike) -> np.ndarray:
        """Softmax of the scores, calibrated as the class says.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        return softmax(self._logits(X))

    def predict_log_proba(self, X: MatrixLike) -> np.ndarray:
        """Logarithms of the probabilities, finite where these are rounded to zero.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        logits = self._logits(X)
        logits = logits - logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


class ZeroShotClassifier(ScoreMixin, ReadsRows, BaseEstimator):
    r"""Classify rows by their cosine with one embedding a class.

    With unit rows x and unit class embeddings :math:`t_c`, which a text encoder makes
    of the names of the classes,

    .. math:: f_c(x) = \langle x, t_c \rangle, \qquad
              p(c \mid x) \propto \exp(s f_c(x))

    No label is needed: ``fit`` only says what the classes are called. The few labelled
    rows that one has are better given to :class:`ProKeRClassifier`, with this classifier
    as its ``estimator``.

    Parameters
    ----------
    class_embeddings : array-like of shape (n_classes, n_features) or None, default=None
        One row a class; scaled to unit length. None takes the means of the unit rows of
        each class that ``fit`` is given, which makes this a nearest-mean classifier: it
        is zero-shot no more. Rows and classes may then be added by ``partial_fit``.

    classes : array-like of shape (n_classes,) or None, default=None
        Names of the classes, in the order of ``class_embeddings``. None takes the sorted
        labels of the y given to ``fit``, which must hold all of them.

    logit_scale : float, default=100.0
        Scale s in ``predict_proba``; 100 is what CLIP was trained to.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted labels.

    class_embeddings_ : ndarray of shape (n_classes, n_features)
        Unit rows, in the order of ``classes_``.

    class_sums_ : ndarray of shape (n_classes, n_features)
        Sums of the unit rows of each class, without ``class_embeddings``.

    n_features_in_ : int
        Number of columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X is a DataFrame with string names.

    Notes
    -----
    Rows that are not of unit length are scaled to it; with ``class_embeddings`` given, a
    warning says so, since rows that come from another encoder than the class embeddings
    often show in this way. The cosine of a row of zeros is zero.

    References
    ----------
    Radford et al., "Learning transferable visual models from natural language
    supervision", ICML 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import ZeroShotClassifier
    >>> T = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> model = ZeroShotClassifier(T, classes=["cat", "dog"]).fit(T)
    >>> model.predict([[0.8, -0.6], [0.0, 1.0]])
    array(['cat', 'dog'], dtype='<U3')
    """

    _parameter_constraints = {
        "class_embeddings": ["array-like", None],
        "classes": ["array-like", None],
        "logit_scale": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        class_embeddings: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        logit_scale: float = 100.0,
    ):
        self.class_embeddings = class_embeddings
        self.classes = classes
        self.logit_scale = logit_scale

    @whole
    def fit(self: Self, X: MatrixLike, y: ArrayLike | None = None) -> Self:
        """Learn what the classes are called, and their means without ``class_embeddings``.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, read as those of :class:`ContrastiveEncoder`; with ``class_embeddings`` only
            their number of columns counts.

        y : array-like of shape (n_samples,), default=None
            Labels; not needed with ``class_embeddings`` and ``classes``. None, NaN, pandas.NA
            or -1 marks rows without one; -1 is a class where ``classes`` holds it, or where y
            holds just -1 and one other number.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            When the number of classes or of columns is not that of ``class_embeddings``.
        """
        check_parameters(self)
        if y is None:
            if self.classes is None or self.class_embeddings is None:
                raise ValueError(
                    "ZeroShotClassifier requires y to be passed, but the target y is None: type "
                    "fit(X, y), or class_embeddings= and classes=."
                )
            codes = found = None
        else:
            codes, found = self._codes(y)
        X = self._read_rows(X, True)[1]
        if codes is not None:
            check_consistent_length(X, codes)
        if self.class_embeddings is None:
            self._fit_means(X[codes >= 0], codes[codes >= 0], found)
        else:
            self._fit_given(X, found)
        return self

    @available_if(lambda self: self.class_embeddings is None)
    @whole
    def partial_fit(
        self: Self, X: MatrixLike, y: ArrayLike, classes: ArrayLike | None = None
    ) -> Self:
        """Add rows to the means of their classes, which need not have been known before.

        There without ``class_embeddings`` alone. The result is that of a ``fit`` on all rows.

        Parameters
        ----------
        X, y
            As in :meth:`fit`; one class alone will do.

        classes : array-like, default=None
            Labels that y may hold; others are then an error. They need not be named.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        first = not hasattr(self, "class_embeddings_")
        if not (first or hasattr(self, "class_sums_")):  # given embeddings, or an older folder
            raise ValueError("the fit kept no sums of rows to add to: fit again on all rows.")
        codes, found = further_codes(y, classes, None if first else self.classes_, self)
        X = self._read_rows(X, first)[1]
        check_consistent_length(X, codes)
        before = (
            (found[:0], np.zeros((0, X.shape[1]))) if first else (self.classes_, self.class_sums_)
        )
        everything = joined_classes(found, before[0], "earlier calls")
        codes = np.append(np.searchsorted(everything, found), UNLABELLED)[codes]
        self._fit_means(X[codes >= 0], codes[codes >= 0], everything)
        self.class_sums_[np.searchsorted(everything, before[0])] += before[1]
        self.class_embeddings_ = unit_rows(self.class_sums_)
        return self

    def _codes(self, y):
        if self.class_embeddings is None and self.classes is None:
            return classes_of(y, "ZeroShotClassifier without class_embeddings=")
        if self.classes is None:
            return class_codes(y, "pair")
        return class_codes(y, UNLABELLED in np.ravel(self.classes).tolist())

    def _fit_means(self, X, codes, classes):
        if self.classes is not None:
            raise ValueError(
                "classes= names the rows of class_embeddings=, which is None: give both or none."
            )
        self.class_sums_ = np.zeros((len(classes), X.shape[1]))
        np.add.at(self.class_sums_, codes, unit_rows(X))
        self.class_embeddings_, self.classes_ = unit_rows(self.class_sums_), classes

    def _fit_given(self, X, found):
        refuse_masked(self.class_embeddings, "class_embeddings")
        T = untorched(self.class_embeddings, "class_embeddings")
        try:
            T = check_array(T, dtype=np.float64, input_name="class_embeddings")
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(
                "class_embeddings must hold one row of finite numbers for each class: "
                f"{first_line(error).rstrip(':')}"
            ) from None
        if T.shape[1] != X.shape[1]:
            raise ValueError(
                f"class_embeddings has {T.shape[1]} columns, but X has {X.shape[1]}: make both "
                "with one encoder."
            )
        classes = self._class_names(len(T), found)
        order = np.argsort(classes, kind="stable")
        self.class_embeddings_, self.classes_ = unit_rows(T[order]), classes[order]
        vars(self).pop("class_sums_", None)
        self._check_length(X)

    def _class_names(self, n_classes, found):
        """Names of the rows of ``class_embeddings``, in their order."""
        if self.classes is not None:
            classes = class_names(self.classes)
            if classes.shape != (n_classes,) or len(np.unique(classes)) != n_classes:
                raise ValueError(
                    f"classes must hold {n_classes} different names, one for each row of "
                    f"class_embeddings; it has shape {classes.shape} and "
                    f"{len(np.unique(classes))} different ones."
                )
            unknown = () if found is None else joined_classes(found, classes, "classes=")
            unknown = np.setdiff1d(unknown, classes)[:5].tolist()
            if unknown:
                raise ValueError(
                    f"y holds {unknown}, for which class_embeddings has no row: add a row for each "
                    "to it and their names to classes=, or leave these rows of X and y out."
                )
            return classes
        if len(found) == n_classes:
            return found
        raise ValueError(
            f"y has {len(found)} classes, but class_embeddings has {n_classes} rows: type "
            "classes=[...] in ZeroShotClassifier, with the name of each row."
        )

    def _check_length(self, X):
        with np.errstate(over="ignore"):
            length = np.linalg.norm(X, axis=1)
        if np.any(np.abs(length - 1) > UNIT_TOLERANCE):
            warn(
                f"rows of X have lengths from {length.min():.3g} to {length.max():.3g}, and "
                "were scaled to unit length: class_embeddings must come from the same encoder; "
                "type sklearn.preprocessing.normalize(X) to be rid of this warning.",
            )

    def _scores(self, X):
        check_is_fitted(self, "class_embeddings_")
        X = self._read_rows(X, False)[1]
        if self.class_embeddings is not None:
            self._check_length(X)
        return unit_rows(X) @ self.class_embeddings_.T

    def _logits(self, X):
        return self.logit_scale * self._scores(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # With class_embeddings and classes, labels are not read.
        tags.target_tags.required = self.class_embeddings is None or self.classes is None
        return tags
