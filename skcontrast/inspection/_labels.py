"""LabelCredibility: which labels the other rows speak against, in the space of an encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_array, check_random_state, get_tags
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    Real,
    StrOptions,
    check_parameters,
    take_rows,
)
from skcontrast._inputs.base import ColumnsOfInput
from skcontrast._inputs.blocks import as_blocks
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.target import UNLABELLED, classes_of, labelled, n_rows
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike, Self
from skcontrast.anomaly._detector import seeded
from skcontrast.inspection._judge import Judge, fitted_without_labels, label_folds, places
from skcontrast.metrics._checks import codes_among
from skcontrast.representation import ContrastiveEncoder

# Code of a label that was not in the fit.
UNKNOWN = -2


class LabelCredibility(ColumnsOfInput, OwnState, TransformerMixin, BaseEstimator):
    r"""Rate labels by what the other rows say, suggest better ones, and soften doubtful ones.

    An encoder embeds the rows, and probabilities :math:`P_{ic}` of the classes of each row come
    from rows other than itself: from its neighbours, weighed by

    .. math:: P_{ic} = \frac{\sum_{j \in \mathrm{kNN}(i)} w_{ij} 1[y_j = c]}
        {\sum_{j \in \mathrm{kNN}(i)} w_{ij}}, \qquad
        w_{ij} = \exp\Big(-\frac{\lVert z_i - z_j \rVert^2}{2 s^2}\Big)

    with unit rows z and s the median distance to the k-th neighbour, from a classifier that was
    trained on other folds, or as the mean of both. The credibility of a label is
    :math:`P_{i y_i}`, and softened it becomes
    :math:`(1 - g) \, 1[c = y_i] + g P_{ic}`.

    An encoder is fitted without the labels where it can be. One that needs them would learn wrong
    ones by heart, and is fitted on the other folds. Rows of the fit are recognised and judged as
    there, without themselves; other rows by all of the fit.

    Parameters
    ----------
    estimator : estimator with ``fit`` and ``transform``, default=None
        Makes the space: any encoder of this package, so that rows may be texts, series or blocks,
        or another transformer. None is ``ContrastiveEncoder()``. In a ``FrozenEstimator`` it stays
        as it is: fit it without these labels.

    method : {"both", "neighbors", "confident"}, default="both"
        Where probabilities come from: neighbours, the classifier of other folds, or the mean of
        both, which was better than either on the data that it was chosen by.

    n_neighbors : int, default=20
        Number k of neighbours; all others, where there are fewer.

    classifier : classifier with ``predict_proba``, default=None
        Reads the embedding. None is logistic regression, with a penalty for columns whose
        variances add up to 10.

    cv : int or splitter, default=5
        Folds of the labelled rows, each tested once. A number makes stratified ones, of shuffled
        rows.

    softness : float, default=0.5
        Share g of the probabilities in softened labels.

    random_state : int, RandomState instance or None, default=None
        Seed of the folds, and of the encoder and the classifier where these have none.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes of the labels.

    training_scores_ : ndarray of shape (n_samples,)
        Credibility of the labels of the fit, NaN for rows without one.

    probabilities_ : ndarray of shape (n_samples, n_classes)
        Probabilities P of the rows of the fit, for :func:`label_issues` and others.

    encoder_ : estimator
        The encoder, fitted on all rows.

    classifier_ : classifier or None
        The classifier, fitted on all labelled rows; None with ``method="neighbors"``.

    rows_ : {ndarray, sparse matrix} of shape (n_samples, n_columns)
        The rows of the fit in the space of the encoder.

    codes_ : ndarray of int of shape (n_samples,)
        Numbers of their classes, -1 for a row without a label.

    spread_ : float or None
        The square of s; None with ``method="confident"``.

    n_features_in_ : int
        Number of columns of X, where rows have columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X, when all are strings.

    See Also
    --------
    label_credibility : Of an embedding that is there already.
    label_issues : How many labels are wrong, by confident learning.

    Notes
    -----
    Rows without a label have no credibility (NaN) and no say. They shape the space of an encoder
    that reads no labels, and get suggestions as new rows do.

    Look at the lowest rows; do not relabel them unseen. What dropping them or weighing by
    credibility does to a classifier, :doc:`/label_noise` has measured.

    References
    ----------
    Shu, "Pre-trained language models as re-annotators", 2022. Northcutt, Jiang and Chuang,
    "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder, LabelCredibility
    >>> X, y = load_iris(return_X_y=True)
    >>> given = np.where(np.arange(150) % 30, y, (y + 1) % 3)  # five are wrong
    >>> model = LabelCredibility(ContrastiveEncoder(max_iter=5), random_state=0).fit(X, given)
    >>> np.sort(model.training_scores_.argsort()[:5])
    array([  0,  30,  60,  90, 120])
    >>> model.suggest_labels(X[::30])
    array([0, 0, 1, 1, 2])
    """

    _parameter_constraints = {
        "estimator": [HasMethods(["fit", "transform"]), None],
        "method": [StrOptions({"both", "neighbors", "confident"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
        "cv": [Interval(Integral, 2, None, closed="left"), HasMethods(["split"])],
        "softness": [Interval(Real, 0, 1, closed="both")],
        "random_state": ["random_state"],
    }

    _input_name = "encoder_"

    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        method: Literal["both", "neighbors", "confident"] = "both",
        n_neighbors: int = 20,
        classifier: Estimator | None = None,
        cv: int | Any = 5,
        softness: float = 0.5,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.method = method
        self.n_neighbors = n_neighbors
        self.classifier = classifier
        self.cv = cv
        self.softness = softness
        self.random_state = random_state

    def fit(self: Self, X: RowsLike, y: ArrayLike) -> Self:
        """Embed the rows, and judge the label of each by the others.

        Parameters
        ----------
        X : rows, of n_samples
            What the encoder reads.

        y : array-like of shape (n_samples,)
            Labels, of which some may be wrong; None, NaN, pandas.NA or -1 marks rows without one,
            unless y holds just -1 and one other number.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        X = _listed(X)
        n = n_rows(X, 0)
        check_one_each(y, n, type(self).__name__)
        codes, classes = classes_of(y, type(self).__name__)
        there, rng = np.flatnonzero(codes >= 0), check_random_state(self.random_state)
        encoder = seeded(clone(self._settled()), rng)
        head = None if self.classifier is None else seeded(clone(self.classifier), rng)
        folds, own = label_folds(codes[there], self.cv, rng), codes[there]
        judge = Judge(self.method, self.n_neighbors, classes, head)
        fitted = fitted_without_labels(encoder, X)
        if fitted is None:
            known = take_rows(X, there)
            fitted = clone(encoder).fit(known, classes[own])

            def space(train):
                part = clone(encoder).fit(take_rows(known, train), classes[own[train]])
                return self._embedded(part, known)

            held = judge.out_of_fold(space, own, folds)
            rows = self._embedded(fitted, X)
            judge.fit(rows[there], own)
        else:
            rows = self._embedded(fitted, X)
            held = judge.fit(rows[there], own).without_itself(folds)
        self.encoder_, self.classes_, self.rows_, self.codes_ = fitted, classes, rows, codes
        self.classifier_, self.spread_ = judge.classifier, judge.spread
        self.probabilities_ = np.empty((n, len(classes)))
        self.probabilities_[there] = held
        if len(there) < n:
            self.probabilities_[codes < 0] = judge(rows[np.flatnonzero(codes < 0)])
        self.training_scores_ = _scores(self.probabilities_, codes)
        return self

    def _settled(self):
        return ContrastiveEncoder() if self.estimator is None else self.estimator

    def _embedded(self, encoder, X):
        return check_array(encoder.transform(X), accept_sparse="csr", dtype=np.float64)

    def _judged(self, X, y):
        """Probabilities of rows, and codes of their labels: those of y, or of the fit."""
        check_is_fitted(self, "probabilities_")
        rows = self._embedded(self.encoder_, _listed(X))
        codes = None if y is None else self._codes_of(y, rows.shape[0])
        place = places(rows, self.rows_, codes, self.codes_)
        p = self.probabilities_[place]
        new = np.flatnonzero(place < 0)
        if len(new):
            there = np.flatnonzero(self.codes_ >= 0)
            learned = self.rows_[there], self.codes_[there], self.classifier_, self.spread_
            judge = Judge(self.method, self.n_neighbors, self.classes_, None, *learned)
            p[new] = judge(rows[new])
        if codes is None:
            codes = np.where(place < 0, UNLABELLED, self.codes_[place])
        return p, codes

    def _codes_of(self, y, n):
        check_one_each(y, n, type(self).__name__)
        there, labels = labelled(y)
        codes = np.full(n, UNLABELLED)
        codes[there] = codes_among(labels, self.classes_)
        # -1 is no label, unless it is a class; of other unknown labels nothing speaks for any.
        unknown = there.copy()
        unknown[there] = (codes[there] < 0) & np.array(labels != UNLABELLED, dtype=bool)
        codes[unknown] = UNKNOWN
        return codes

    def score_samples(self, X: RowsLike, y: ArrayLike | None = None) -> np.ndarray:
        """Rate labels: larger is more credible.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        y : array-like of shape (n_samples,), default=None
            Labels; None is those of the rows in the fit.

        Returns
        -------
        credibility : ndarray of shape (n_samples,)
            Between 0 and 1, NaN without a label. A label that was not in the fit has 0.
        """
        return _scores(*self._judged(X, y))

    def suggest_labels(self, X: RowsLike) -> np.ndarray:
        """Suggest the class that the others speak for most.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Of a row of the fit its own where none is more probable.
        """
        p, codes = self._judged(X, None)
        own = np.flatnonzero(codes >= 0)
        p[own, codes[own]] += 1e-9
        return self.classes_[p.argmax(axis=1)]

    def fit_transform(self, X: RowsLike, y: ArrayLike) -> np.ndarray:  # type: ignore[override]
        """Fit, and soften the labels of the same rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`; a generator is read once.

        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        labels : ndarray of shape (n_samples, n_classes)
        """
        self.fit(X, y)
        return self._softened(self.probabilities_, self.codes_)

    def transform(self, X: RowsLike, y: ArrayLike | None = None) -> np.ndarray:
        """Soften labels: for the training of what reads probabilities as a target.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        y : array-like of shape (n_samples,), default=None
            Labels; None is those of the rows in the fit.

        Returns
        -------
        labels : ndarray of shape (n_samples, n_classes)
            The probabilities alone for rows without a label of the fit.
        """
        return self._softened(*self._judged(X, y))

    def _softened(self, p, codes):
        g = np.where(codes >= 0, self.softness, 1.0)[:, None]
        return g * p + (1 - g) * np.eye(len(self.classes_))[np.maximum(codes, 0)]

    def score(self, X: RowsLike, y: ArrayLike) -> float:
        """Share of the labels that are those suggested, for a search of parameters.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        y : array-like of shape (n_samples,)
            Labels; rows without one do not count.

        Returns
        -------
        score : float
        """
        p, codes = self._judged(X, y)
        there = codes != UNLABELLED
        return float(np.mean(p[there].argmax(axis=1) == codes[there]))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns of :meth:`transform`: those of the classes.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X, which the encoder checks.

        Returns
        -------
        names : ndarray of str
        """
        check_is_fitted(self, "probabilities_")
        if input_features is not None:
            self.encoder_.get_feature_names_out(input_features)
        return np.array([f"label_{c}" for c in self.classes_.tolist()], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._settled()).input_tags
        tags.target_tags.required = True
        tags.non_deterministic = False
        return tags


def _listed(X):
    """Rows that can be counted and chosen from."""
    if sp.issparse(X):
        return X.tocsr()
    X = list(X) if isinstance(X, Iterator) else as_blocks(X) if isinstance(X, dict) else X
    return X if hasattr(X, "__len__") or hasattr(X, "shape") else np.asarray(X)


def _scores(p, codes):
    own = p[np.arange(len(p)), np.maximum(codes, 0)]
    return np.where(codes == UNLABELLED, np.nan, np.where(codes == UNKNOWN, 0.0, own))
