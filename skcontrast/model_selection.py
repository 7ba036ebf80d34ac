"""Cross-validation where only some rows have a label: a splitter and scorers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from sklearn.base import BaseEstimator, is_regressor
from sklearn.dummy import DummyClassifier
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import check_array, indexable
from sklearn.utils.metadata_routing import get_routing_for_object

from skcontrast._budget import BudgetCurve, budget_curve
from skcontrast._component import Integral, Interval, StrOptions, check_parameters, take_rows
from skcontrast._inputs.side import group_codes
from skcontrast._inputs.target import UNLABELLED, class_codes, labelled
from skcontrast._site import OnSite
from skcontrast._typing import ArrayLike, RandomState, RowsLike

__all__ = ["BudgetCurve", "LabelledKFold", "budget_curve", "make_labelled_scorer"]


def _holds_numbers(y):
    """Whether a target is numbers: of several columns, or with a fraction."""
    if np.asarray(y).ndim > 1 and np.shape(y)[1] > 1:
        return True
    labels = labelled(y)[1]
    return labels.dtype.kind == "f" and bool((labels != np.floor(labels)).any())


def _looks_like_numbers(y):
    """The same, with whole numbers of which more than half are different."""
    if _holds_numbers(y):
        return True
    labels = labelled(y)[1]
    if labels.dtype.kind not in "iuf":
        return False
    others = labels[labels != UNLABELLED]
    quantity = len(np.unique(others)) > len(others) / 2
    if len(others) < len(labels) and (quantity or others.min(initial=0) < UNLABELLED):
        raise ValueError(
            f"y holds {UNLABELLED} among whole numbers that may be a quantity: type "
            f"target='numbers' where {UNLABELLED} is one of them, and target='classes' where it "
            "marks rows without a label."
        )
    return quantity


def _labelled_rows(y, numbers, minus_one):
    """Which rows have a label (m,), and their numbers or labels."""
    if numbers:
        y = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name="y", ensure_all_finite="allow-nan"
        )
        rows = np.flatnonzero(~np.isnan(y.reshape(len(y), -1)).any(axis=1))
        return rows, y[rows]
    codes, classes = class_codes(y, minus_one)
    rows = np.flatnonzero(codes >= 0)
    return rows, classes[codes[rows]]


class LabelledKFold(OnSite, BaseEstimator):
    r"""Folds of the rows that have a label; the others are in every training set.

    With L the labelled rows and U those without a label, L is cut into test sets
    :math:`L_1 \dots L_K`, and the training set of the k-th fold is
    :math:`(L \setminus L_k) \cup U`. So each fold trains on as many labels as it can, learns
    from all other rows, and is judged by labels alone. Classes are cut as
    :class:`sklearn.model_selection.StratifiedKFold` does, numbers as
    :class:`sklearn.model_selection.KFold`; with a label in every row the folds are theirs.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.

    shuffle : bool, default=False
        Whether the labelled rows are shuffled first.

    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    target : {"auto", "classes", "numbers"}, default="auto"
        What y holds. None, NaN, pandas.NA and nulls mark rows without a label; for classes
        the number -1 does too, unless y holds just -1 and one other number. "auto" takes for
        numbers several columns, fractions, and whole numbers of which more than half are
        different, and all else for classes: type "numbers" for a quantity in few values,
        such as a grade.

    See Also
    --------
    make_labelled_scorer : A score of labelled rows, for any splitter.

    Notes
    -----
    With ``groups`` no group is on both sides: the labelled rows are cut as
    :class:`sklearn.model_selection.StratifiedGroupKFold` does (numbers: ``GroupKFold``), and
    rows without a label that belong to a group of the test set are left out of that fold.

    The test sets do not cover all rows, so ``cross_val_predict`` refuses this splitter.

    References
    ----------
    Oliver et al., "Realistic evaluation of deep semi-supervised learning algorithms",
    NeurIPS 2018.

    Examples
    --------
    >>> from skcontrast.model_selection import LabelledKFold
    >>> X = [[0], [1], [2], [3], [4], [5]]
    >>> y = ["spam", None, "ham", "ham", "spam", None]
    >>> for train, test in LabelledKFold(n_splits=2).split(X, y):
    ...     print(train, test)
    [1 3 4 5] [0 2]
    [0 1 2 5] [3 4]
    """

    # As in scikit-learn's splitters for groups: they are handed on where routing is enabled.
    __metadata_request__split = {"groups": True}

    _parameter_constraints = {
        "n_splits": [Interval(Integral, 2, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "target": [StrOptions({"auto", "classes", "numbers"})],
    }

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = False,
        random_state: RandomState = None,
        target: Literal["auto", "classes", "numbers"] = "auto",
    ):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        self.target = target

    def split(
        self, X: RowsLike, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the row numbers of each fold.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, list} of length n_samples
            Rows; only their number is read.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target. A row of several targets has a label where all are there.

        groups : array-like of shape (n_samples,), default=None
            Group of each row.

        Yields
        ------
        train : ndarray of int
            All rows but those of ``test``, and with ``groups`` but those of their groups.

        test : ndarray of int
            Labelled rows.
        """
        check_parameters(self)
        if y is None:
            raise ValueError("LabelledKFold splits the rows that have a label: type split(X, y).")
        X, y, groups = indexable(X, y, groups)
        numbers = self.target == "numbers" or (self.target == "auto" and _looks_like_numbers(y))
        rows, target = _labelled_rows(y, numbers, "pair")
        if len(rows) < self.n_splits:
            raise ValueError(
                f"y has {len(rows)} labelled rows, and n_splits={self.n_splits} needs as many at "
                "least: type a smaller n_splits, or give more rows a label."
            )
        groups = None if groups is None else group_codes(groups)
        kinds = (StratifiedKFold, KFold) if groups is None else (StratifiedGroupKFold, GroupKFold)
        inner = kinds[numbers](self.n_splits, shuffle=self.shuffle, random_state=self.random_state)
        of_labelled = None if groups is None else groups[rows]
        for _, test in inner.split(rows, target, of_labelled):
            kept = ~np.isin(np.arange(len(y)), rows[test])
            if groups is not None:
                kept = kept & ~np.isin(groups, of_labelled[test])
            yield np.flatnonzero(kept), rows[test]

    def get_n_splits(
        self,
        X: RowsLike | None = None,
        y: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> int:
        """Number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Not read.

        Returns
        -------
        n_splits : int
        """
        return self.n_splits


def make_labelled_scorer(scoring: str | Callable | None = None) -> Callable:
    """Make a scorer that leaves out rows without a label.

    What ``scoring=`` of a search takes: it is called with a fitted estimator, rows and their
    target, and hands those rows that have a label to another scorer. A row without one holds
    None, NaN, pandas.NA or a null; where the estimator is no regressor, the number -1 marks
    one too, unless the estimator knows just -1 and one other class.

    Parameters
    ----------
    scoring : str, callable or None, default=None
        What scores the labelled rows: a name of ``sklearn.metrics.get_scorer_names()``, a
        scorer, or a callable ``(estimator, X, y)``. None is the estimator's own ``score``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, **params)``. Of ``params``, those with one entry a row are cut
        to the labelled rows. Which of them it asks for, where metadata routing is enabled, is
        what ``scoring`` asks for: type
        ``make_labelled_scorer(get_scorer("accuracy").set_score_request(sample_weight=True))``.

    Raises
    ------
    ValueError
        On a call, where no row has a label: a search then gives the fold ``error_score``.

    See Also
    --------
    LabelledKFold : Folds in which all rows that are scored have a label.

    References
    ----------
    ``sklearn.metrics.make_scorer``, which makes scorers that read every row.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ProKeRClassifier
    >>> from skcontrast.model_selection import make_labelled_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> y = np.where(np.arange(150) % 3 == 0, y, -1)
    >>> model = ProKeRClassifier().fit(X, y)
    >>> score = make_labelled_scorer("accuracy")(model, X, y)
    >>> score == model.score(X[::3], y[::3])
    True
    """
    if isinstance(scoring, str):
        return _LabelledScorer(get_scorer(scoring), repr(scoring))
    if scoring is not None and not callable(scoring):
        raise ValueError(
            f"scoring={scoring!r}: type a name, a scorer, a callable (estimator, X, y) or None; "
            "for several scores, scoring={name: make_labelled_scorer(name), ...} of the search."
        )
    if scoring is not None:
        check_scoring(DummyClassifier(), scoring)  # a metric of (y_true, y_pred) is no scorer
    return _LabelledScorer(scoring, repr(scoring))


class _LabelledScorer:
    """What :func:`make_labelled_scorer` makes."""

    def __init__(self, scorer, name):
        self._scorer, self._name = scorer, name

    def __repr__(self):
        return f"make_labelled_scorer({self._name})"

    def __call__(self, estimator, X, y, **params):
        n_samples = len(np.asarray(y))
        if is_regressor(estimator) or _holds_numbers(y):
            rows, target = _labelled_rows(y, True, None)
        else:
            # Of a test set alone it could not be told: the other classes may not be in it.
            known = np.asarray(getattr(estimator, "classes_", ())).tolist()
            rows, target = _labelled_rows(y, False, len(known) == 2 and UNLABELLED in known)
        if not len(rows):
            raise ValueError(
                f"none of the {n_samples} rows to score has a label: type cv=LabelledKFold() in "
                "the search, or pass rows that have one."
            )
        params = {
            name: take_rows(value, rows) if _has_length(value, n_samples) else value
            for name, value in params.items()
        }
        score = estimator.score if self._scorer is None else self._scorer
        of_scorer = () if self._scorer is None else (estimator,)
        return score(*of_scorer, take_rows(X, rows), target, **params)

    def get_metadata_routing(self):
        """What the scorer of the labelled rows asks for."""
        return get_routing_for_object(self._scorer)


def _has_length(value, n_samples):
    """Whether a parameter of a score has one entry for each row."""
    if isinstance(value, (list, tuple)):
        return len(value) == n_samples
    return hasattr(value, "shape") and value.shape[:1] == (n_samples,)
