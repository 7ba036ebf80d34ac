"""ProKeRClassifier: a few labelled rows added to any classifier."""

from __future__ import annotations

from typing import Literal

import numpy as np

from skcontrast._component import StrOptions
from skcontrast._inputs.target import (
    UNLABELLED,
    class_codes,
    class_names,
    joined_classes,
    no_label,
)
from skcontrast._typing import ArrayLike, Estimator, Grid, MatrixLike, RandomState, Self
from skcontrast.adaptation._base_scores import fit_base, has_embeddings, inner, left_out_scores
from skcontrast.adaptation._calibration import fit_temperature
from skcontrast.adaptation._copies import clumps
from skcontrast.adaptation._door import whole
from skcontrast.adaptation._frame import BaseProKeR
from skcontrast.adaptation._methods import METHODS
from skcontrast.adaptation._selection import Rows
from skcontrast.adaptation._zero_shot import ScoreMixin, near_unit_rows
from skcontrast.kernels import Kernel


class ProKeRClassifier(ScoreMixin, BaseProKeR):
    r"""Adapt a classifier to a few labelled rows, in closed form.

    ProKeR keeps the scores :math:`f_0` of a base and adds a correction that is small in the
    norm of the kernel k. With S the n labelled rows, Y their one-hot labels, and
    :math:`K = k(S, S)`,

    .. math:: f(x) = s f_0(x) + k(x, S) (K + \alpha I)^{-1} (Y - s f_0(S))

    which minimises :math:`\sum_i \|f(x_i) - y_i\|^2 + \alpha \|f - s f_0\|_k^2`. The default
    method adds a Gaussian discriminant, which is worth more than the correction for few rows,
    and chooses every number by exact leave-one-out; nothing needs validation rows.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The base. A copy is fitted on the rows given to ``fit``, and its scores of these are
        taken from five folds. Wrap a fitted one in :class:`sklearn.frozen.FrozenEstimator`
        to use it as it is. :class:`ZeroShotClassifier` with class embeddings is the base for
        features of an encoder that embeds names of classes too. None: no base.

    method : {"auto", "proker", "tip", "gda", "nadaraya_watson", "local_linear"}, default="auto"
        What is added to the base, see the notes. "auto" is the best one we know of; "proker"
        is the published ProKeR.

    kernel : str or Kernel, default="rbf"
        A name in :data:`skcontrast.kernels.KERNELS`, or an object from
        :mod:`skcontrast.kernels`.

    gamma : float, array-like, "auto", "scale" or "median", default="auto"
        Width of the kernel, always as in :math:`e^{-\gamma \|x - y\|^2}`; the published codes'
        :math:`\beta (1 - \cos)` on unit rows is ``gamma = beta / 2``. A grid is chosen from by
        leave-one-out; "auto" is a grid around the inverse mean squared distance for
        ``kernel="rbf"``, and what the kernel itself says for others.

    alpha : float, array-like or "auto", default="auto"
        Ridge; for "tip", "nadaraya_watson", "local_linear" and "gda" the weight of what is
        added. A grid, or the built-in one of "auto", is chosen from by leave-one-out.

    base_scale : float, array-like or "auto", default="auto"
        Factor s of the base. "auto": 1 for "proker" with ``scaling="reference"``; the base's
        ``logit_scale``, or 1, for the methods from "tip" on; else the best by leave-one-out,
        or for a base that is fitted on these rows, the best of the base alone.

    scaling : {"reference", "ridge"}, default="reference"
        For ``method="proker"``: "reference" multiplies the correction by alpha, as the
        published code does, which balances it against raw cosines; "ridge" is the formula
        above.

    fit_intercept : bool or "auto", default="auto"
        Whether the correction has a constant for each class, which is not shrunk. "auto": no
        for "proker" with ``scaling="reference"``, else yes.

    solver : {"auto", "cholesky", "nystroem", "cg"}, default="auto"
        "cholesky" is exact, with a matrix of n_samples^2 numbers. "nystroem" sees the kernel
        through ``n_components`` rows and needs n_samples * n_components numbers. "cg" solves
        the whole system by iterations, preconditioned by "nystroem", and makes the kernel
        anew in each. "auto" is exact up to 20,000 rows, of 1,000 classes 10,000, then "nystroem".

    n_components : int, default=2000
        Landmarks for "nystroem" and the preconditioner of "cg": the mean of each class and
        rows, or rows alone for more than n_components / 2 classes.

    tol : float, default=1e-8
        Relative residual at which "cg" stops.

    max_iter : int, default=200
        Most iterations of "cg".

    random_state : int, RandomState instance or None, default=None
        Which rows stand for all, and which 2,000 rows numbers are chosen on where there are
        more; otherwise nothing is random.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of y and of a base that was fitted before.

    estimator_ : classifier or None
        The fitted base.

    dual_coef_ : ndarray of shape (n_rows, n_classes)
        Coefficients of the kernel with the rows ``X_fit_``.

    X_fit_ : ndarray of shape (n_rows, n_features)
        The labelled rows, or the landmarks of ``solver="nystroem"``.

    intercept_ : ndarray of shape (n_classes,)
        The constant of the correction.

    kernel_ : Kernel
        With numbers for what depends on data.

    gamma_, alpha_, base_scale_ : float
        The numbers chosen.

    coef_ : ndarray of shape (n_classes, n_features)
        Coefficients of the discriminant, for "auto" and "gda".

    prior_weight_, shrinkage_ : float
        Weight of a class embedding in rows, and ridge of the covariance in units of its mean
        eigenvalue, for "auto".

    blend_weights_ : ndarray of shape (2,)
        Weights of the correction and of the discriminant, for "auto".

    temperature_ : float
        What scores are divided by in ``predict_proba``, fitted to left-out scores.

    n_iter_ : int
        Iterations of ``solver="cg"``, else 1.

    n_features_in_ : int
        Number of columns.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X is a DataFrame with string names.

    Notes
    -----
    With :math:`k_i = k(x, s_i)`,

    - "proker": the formula above, with ``scaling="reference"`` as published.
    - "tip", Tip-Adapter: :math:`s f_0(x) + \alpha \sum_i k_i y_i`.
    - "nadaraya_watson": :math:`s f_0(x) + \alpha \sum_i k_i y_i / \sum_i k_i`.
    - "local_linear": as the last, but a locally weighted line in place of the mean.
    - "gda": :math:`s f_0(x) + \alpha (W x + b)`, a Gaussian discriminant with one covariance,
      shrunk as published.
    - "auto": :math:`a f_{\text{ridge}}(x) + b f_{\text{disc}}(x)`, with the first formula in
      textbook scaling and with a constant, and a discriminant in which embeddings of the classes
      count as rows of their classes. Shrinkage, weight of the embeddings, a and b are chosen
      by left-out log-loss with priors that a handful of rows does not outvote.

    Classes that the base does not know have the mean of its other scores: neither for nor
    against. Classes without a row are those of the base alone: with "auto" the base, and the
    discriminant the more the more classes have rows, say whether a row is of one of these, and
    uneven numbers of rows are no prior.

    With "auto" and a base that has class embeddings, rows are scaled to unit length as the base
    does: the lengths of rows change nothing.

    Rows of one class that are equal, or nearer to each other than half the distance to any other
    row, are copies: leave-one-out leaves them out together, and the default counts them by their
    share. Pass ``groups`` for copies that differ more.

    References
    ----------
    Bendou et al., "ProKeR: a kernel perspective on few-shot adaptation of large
    vision-language models", CVPR 2025.

    Zhang et al., "Tip-Adapter: training-free adaption of CLIP for few-shot
    classification", ECCV 2022.

    Wang et al., "A hard-to-beat baseline for training-free CLIP-based adaptation",
    ICLR 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import normalize
    >>> from skcontrast import ProKeRClassifier, ZeroShotClassifier
    >>> T = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]])  # embeddings of the names
    >>> X = normalize([[0.6, 0.5, 1.0], [0.7, 0.4, 0.9], [0.5, 0.6, -1.0], [0.4, 0.4, -0.9]])
    >>> zero_shot = ZeroShotClassifier(T, classes=["spam", "ham"])
    >>> model = ProKeRClassifier(zero_shot).fit(X, ["ham", "ham", "spam", "spam"])
    >>> model.predict(normalize([[0.5, 0.5, 0.8], [0.5, 0.5, -0.8]]))
    array(['ham', 'spam'], dtype='<U4')
    """

    _parameter_constraints = {
        **BaseProKeR._parameter_constraints,
        "method": [StrOptions(set(METHODS))],
    }

    def __init__(
        self,
        estimator: Estimator | None = None,
        *,
        method: Literal["auto", "proker", "tip", "gda", "nadaraya_watson", "local_linear"] = "auto",
        kernel: str | Kernel = "rbf",
        gamma: float | Grid | Literal["auto", "scale", "median"] = "auto",
        alpha: float | Grid | Literal["auto"] = "auto",
        base_scale: float | Grid | Literal["auto"] = "auto",
        scaling: Literal["reference", "ridge"] = "reference",
        fit_intercept: bool | Literal["auto"] = "auto",
        solver: Literal["auto", "cholesky", "nystroem", "cg"] = "auto",
        n_components: int = 2000,
        tol: float = 1e-8,
        max_iter: int = 200,
        random_state: RandomState = None,
    ):
        self.estimator = estimator
        self.method = method
        self.kernel = kernel
        self.gamma = gamma
        self.alpha = alpha
        self.base_scale = base_scale
        self.scaling = scaling
        self.fit_intercept = fit_intercept
        self.solver = solver
        self.n_components = n_components
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    @whole
    def fit(
        self: Self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the base where it is not frozen, and the correction.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, read as those of :class:`ContrastiveEncoder`; those without a label are left
            out. The base gets a DataFrame as it is.

        y : array-like of shape (n_samples,)
            Labels. None, NaN, pandas.NA or -1 marks rows without one; where y holds just -1
            and one other number, or the base knows a class -1, -1 is a class.

        sample_weight : array-like of shape (n_samples,), default=None
            A row of weight 2 is the same as a row twice.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group are views of one row, as augmented shots are: they are left out
            together, and count as one row. Equal and nearly equal rows of one class are left out
            together in any case.

        Returns
        -------
        self : object
        """
        return self._fit(X, y, (sample_weight, groups), None)

    def _fit(self, X, y, beside, classes):
        self._start()
        classes = None if classes is None else class_names(classes)
        known = getattr(inner(self.estimator), "classes_", ()) if classes is None else classes
        minus_one = UNLABELLED in np.asarray(known).tolist() or "pair"
        raw, X, y, weight, groups = self._labelled_rows(X, y, beside, True, minus_one)
        given = self.estimator is not None
        self.estimator_ = fit_base(self.estimator, raw, y, weight, classes) if given else None
        self.classes_ = self._known_classes(y, classes)
        if len(self.classes_) < 2:
            raise ValueError(
                f"y has one class only ({self.classes_.tolist()[0]!r}), and ProKeRClassifier "
                "needs at least two: add rows of others, or a base that knows them."
            )
        codes = np.searchsorted(self.classes_, y)
        together = self._clumps(X, codes, groups)
        # Of the default, which weighs rows against priors: copies of all rows say nothing new.
        total = len(X) if weight is None else weight.sum()
        self._weight_unit = (together.max() + 1) / total if self.method == "auto" else 1.0
        base = None
        if given:
            args = self.estimator, self.estimator_, raw, y, weight, self.classes_, together
            base = left_out_scores(*args)
        self.n_targets_ = len(self.classes_)
        return self._run(self._as_rows(X, codes, base, weight, together), False)

    def _read_rows(self, X, reset):
        """Rows as numbers of unit length where unit embeddings of the classes stand beside them."""
        raw, numbers = super()._read_rows(X, reset)
        if reset:
            self._unit_rows = self.method == "auto" and has_embeddings(self.estimator)
        unit = getattr(self, "_unit_rows", False)  # not in folders of earlier versions
        return raw, near_unit_rows(numbers) if unit else numbers

    def _labelled_rows(self, X, y, beside, reset, minus_one):
        """The rows that have a label, with it, and what is beside."""
        if y is None:
            raise ValueError(
                "ProKeRClassifier requires y to be passed, but the target y is None: type "
                "fit(X, y)."
            )
        codes, classes = class_codes(y, minus_one)
        raw, X, codes, *beside = self._labelled(X, codes, codes >= 0, beside, reset)
        if not len(codes):
            raise no_label("ProKeRClassifier")
        return raw, X, classes[codes], *beside

    def _known_classes(self, y, classes):
        """Labels of y, of the base, and of ``classes``."""
        found = np.unique(y)
        for other in classes, getattr(self.estimator_, "classes_", None):
            if other is not None:
                found = joined_classes(found, np.asarray(other), "the base or classes=")
        return found

    def _clumps(self, X, codes, groups):
        if groups is not None:
            lowest = np.full(groups.max() + 1, len(self.classes_))
            np.minimum.at(lowest, groups, codes)
            if (lowest[groups] != codes).any():
                raise ValueError(
                    "groups holds a group whose rows have different labels, but rows of one group "
                    "are views of one row: pass a group for each labelled row and its copies."
                )
        return clumps(X, codes, groups, near=True)

    def _as_rows(self, X, codes, base, weight, together):
        unit = getattr(self, "_weight_unit", 1.0)  # not in folders of earlier versions
        weight = np.full(len(X), unit) if weight is None else unit * weight
        return Rows(X, np.eye(len(self.classes_))[codes], base, weight, codes, together)

    def _run(self, rows, held):
        """Fit the method, and the temperature to what it says of left-out rows."""
        known, scores, valid = METHODS[self.method][0](self, rows, held)
        self.temperature_ = 1.0
        if valid.any():
            scale, _ = fit_temperature(scores[valid], known.codes[valid], known.weight[valid])
            self.temperature_ = 1 / scale
        return self

    @whole
    def partial_fit(
        self: Self,
        X: MatrixLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Add labelled rows; what was chosen in the first call stays as it is.

        The base is not fitted again. With ``method="proker"`` the triangular factor of the
        kernel matrix grows by the new rows: n^2 m operations for m new rows beside n. The
        result is that of a ``fit`` on all rows with the same kernel, alpha and base scale.

        Parameters
        ----------
        X, y, sample_weight, groups
            As in :meth:`fit`; after the first call -1 is a class where ``classes_`` holds it.
            Groups are those of this call.

        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; read in the first call.

        Returns
        -------
        self : object
        """
        if not hasattr(self, "n_targets_"):
            return self._fit(X, y, (sample_weight, groups), classes)
        self._start()
        minus_one = UNLABELLED in self.classes_.tolist()
        beside = sample_weight, groups
        raw, X, y, weight, groups = self._labelled_rows(X, y, beside, False, minus_one)
        everything = joined_classes(np.unique(y), self.classes_, "the first call")
        unknown = np.setdiff1d(everything, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y holds {unknown[:5].tolist()}, which the first call did not: name all labels "
                "in its classes=, or fit on all rows."
            )
        codes = np.searchsorted(self.classes_, y)
        together = self._clumps(X, codes, groups)
        new = self._as_rows(X, codes, self._base_of(raw), weight, together)
        return self._run(self._with_old_rows(new, True), new)

    def _scores(self, X):
        return METHODS[self.method][1](self, *self._query(X))

    def _logits(self, X):
        return self._scores(X) / self.temperature_
