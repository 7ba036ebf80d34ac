"""Probabilities of the classes of rows, by labelled rows in the same space."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.utils import get_tags
from sklearn.utils.extmath import row_norms

from skcontrast._component import Integral
from skcontrast._inputs.columns import one_line
from skcontrast.anomaly._detector import SAME
from skcontrast.inspection._credibility import class_shares, class_shares_of

# Variance of all columns in sum that a penalty of C=1 is meant for.
TOTAL_VARIANCE = 10.0
# Copies of a row among which the one with the label that is asked for is sought.
N_COPIES = 8


@dataclass
class Judge:
    """What labelled rows say of others: by neighbours, by a classifier, or as the mean of both.

    Parameters
    ----------
    method : {"both", "neighbors", "confident"}

    n_neighbors : int

    classes : ndarray of shape (n_classes,)

    head : classifier or None
        Unfitted; None is logistic regression.

    rows, codes : {ndarray, CSR} of shape (n, d), ndarray of int of shape (n,)
        The labelled rows, and the numbers of their classes.

    classifier, spread
        What :meth:`fit` learns.
    """

    method: str
    n_neighbors: int
    classes: np.ndarray
    head: Any = None
    rows: Any = None
    codes: Any = None
    classifier: Any = None
    spread: float | None = None

    def fit(self, rows, codes):
        """Learn from labelled rows."""
        self.rows, self.codes = rows, codes
        if self.method != "confident":
            k = min(self.n_neighbors, rows.shape[0] - 1)
            distance, _ = NearestNeighbors(n_neighbors=k).fit(normalize(rows)).kneighbors()
            self.spread = float(np.median(distance[:, -1]) ** 2)
        if self.method != "neighbors":
            head = _default(rows) if self.head is None else clone(self.head)
            if (codes == codes[0]).all():  # a fold without the one row of a class
                head = DummyClassifier(strategy="most_frequent")
            self.classifier = head.fit(rows, self.classes[codes])
        return self

    def __call__(self, new):
        """Probabilities of new rows: (m, n_classes)."""
        parts = []
        if self.method != "confident":
            k = min(self.n_neighbors, len(self.codes))
            known = normalize(self.rows), self.codes, len(self.classes)
            parts.append(class_shares_of(normalize(new), *known, k, self.spread))
        if self.method != "neighbors":
            place = np.searchsorted(self.classes, self.classifier.classes_)
            parts.append(np.zeros((new.shape[0], len(self.classes))))
            parts[-1][:, place] = self.classifier.predict_proba(new)
        return np.mean(parts, axis=0)

    def out_of_fold(self, space, codes, folds):
        """Of labelled rows, each by those of other folds; ``space(train)`` embeds all rows."""
        held = np.zeros((len(codes), len(self.classes)))
        for train, test in folds:
            rows = space(train)
            held[test] = replace(self).fit(rows[train], codes[train])(rows[test])
        return held

    def without_itself(self, folds):
        """Of the labelled rows: by all other neighbours, and the classifiers of other folds."""
        parts = []
        if self.method != "confident":
            k = min(self.n_neighbors, len(self.codes) - 1)
            near = normalize(self.rows), self.codes, len(self.classes)
            parts.append(class_shares(*near, k, self.spread))
        if self.method != "neighbors":
            apart = replace(self, method="confident")
            parts.append(apart.out_of_fold(lambda train: self.rows, self.codes, folds))
        return np.mean(parts, axis=0)


def _default(rows):
    squares = rows.multiply(rows) if sp.issparse(rows) else np.square(rows)
    total = float((squares.mean(axis=0) - np.square(rows.mean(axis=0))).sum())
    return LogisticRegression(C=TOTAL_VARIANCE / total if total > 0 else 1.0, max_iter=1000)


def fitted_without_labels(encoder, X):
    """The encoder fitted on rows alone, or None where it needs labels."""
    frozen = isinstance(encoder, FrozenEstimator)
    if not frozen and get_tags(encoder).target_tags.required:
        return None
    try:
        return encoder.fit(X, None)
    except ValueError as error:
        if "requires y to be passed" not in str(error):
            raise
        return None


def places(rows, known, codes, known_codes):
    """Number of the row of the fit that each row is, one with its label first; -1 for new rows."""
    n = known.shape[0]
    index = NearestNeighbors(n_neighbors=min(N_COPIES, n), algorithm="brute").fit(known)
    distance, near = index.kneighbors(rows)
    same = distance <= SAME * row_norms(rows)[:, None]
    first = np.where(same, near, n).min(axis=1)
    if codes is not None:
        fits = same & (known_codes[near] == codes[:, None])
        first = np.where(fits.any(axis=1), np.where(fits, near, n).min(axis=1), first)
    return np.where(first < n, first, -1)


def label_folds(codes, cv, rng):
    """Folds of labelled rows, as pairs of row numbers."""
    most = np.bincount(codes).max()
    if isinstance(cv, Integral):
        if most < 2:
            raise ValueError(
                "y has a class for each labelled row, and a label is judged by others: give "
                "more rows of a class."
            )
        seed = rng.randint(np.iinfo(np.int32).max)
        cv = StratifiedKFold(min(cv, int(most)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is not in the test set of each.
        warnings.filterwarnings("ignore", "The least populated class in y")
        folds = list(cv.split(np.zeros((len(codes), 1)), codes))
    tested = np.sort(np.concatenate([test for _, test in folds]))
    if not np.array_equal(tested, np.arange(len(codes))):
        raise ValueError(
            f"cv={one_line(cv)} does not test each label once: type a number, or KFold(5, "
            "shuffle=True)."
        )
    return folds
