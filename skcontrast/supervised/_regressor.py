"""SupervisedContrastiveRegressor: a representation and a prediction from few labels."""

from __future__ import annotations

import copy
from typing import Literal

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state

from skcontrast._component import HasMethods, Interval, Real, StrOptions, check_parameters
from skcontrast._inputs.columns import as_array
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.target import check_numbers, encode_numbers, n_rows
from skcontrast._progress import stage
from skcontrast._training.callbacks import with_callbacks
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike, Self
from skcontrast.supervised._defaults import (
    check_head,
    check_passthrough,
    default_regressor,
    fitted_regressor,
)
from skcontrast.supervised._head import BaseHead
from skcontrast.supervised._intervals import IntervalMixin


class SupervisedContrastiveRegressor(IntervalMixin, RegressorMixin, MultiOutputMixin, BaseHead):
    """Learn a representation in which rows of like targets are near, and predict from it.

    An encoder is trained by an objective that reads the target: rows attract each other
    the more, the nearer their targets are. A regressor is then fitted on the embedding of
    the labelled rows, with their standardised columns beside it. Rows whose target is NaN
    shape the representation alone.

    The target is standardised inside, column by column: its scale plays no part, and
    widths in an objective are in standard deviations of the target.

    Parameters
    ----------
    encoder : encoder of this package or None, default=None
        What learns the representation: an encoder of tables, texts or any other kind of row,
        with its own parameters; a copy is fitted. None is ``ContrastiveEncoder(
        objective="y_aware")``. An encoder whose objective reads no target learns from the
        rows alone. In a ``sklearn.frozen.FrozenEstimator`` it stays as it is.

    regressor : regressor or None, default=None
        The head. A copy is fitted on the columns and the embedding, to the standardised
        target. None was chosen by measurement: kernel ridge regression on both and on the
        columns, a forest and boosting on the columns, stacked by non-negative least squares.

    passthrough : bool or "auto", default="auto"
        Whether the head reads the standardised columns beside the embedding; "auto" does
        but for sparse rows.

    finetune : bool, default=False
        Whether encoder and a linear output are trained together on the labelled rows,
        after the objective and before the head.

    finetune_iter : int, default=50
        Epochs of that.

    interval : {"conformal", "neighbors"} or None, default=None
        How :meth:`predict_interval` gets its widths. "conformal" keeps
        ``calibration_fraction`` of the labelled rows out of the training and holds its
        coverage for any data; "neighbors" takes the five-fold errors of the nearest rows,
        without a guarantee.

    calibration_fraction : float, default=0.2
        Share of the labelled rows kept out for ``interval="conformal"``.

    random_state : int, RandomState instance or None, default=None
        Seed of the head, and of the encoder where that has none. An int makes two fits on one
        CPU, with as many threads, equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch of the encoder, and what the head is doing.

    Attributes
    ----------
    encoder_ : encoder
        The fitted encoder, with what its class documents.

    regressor_ : regressor
        The fitted head.

    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Standardisation of the target.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    ContrastiveEncoder : The representation alone, for a Pipeline.
    ProKeRRegressor : Kernel ridge regression, half of the default head.

    References
    ----------
    Dufumier et al., "Contrastive learning with continuous proxy meta-data for 3D MRI
    classification", MICCAI 2021. Lei et al., "Distribution-free predictive inference for
    regression", JASA 2018, for ``interval="conformal"``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skcontrast import SupervisedContrastiveRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SupervisedContrastiveRegressor(random_state=0).set_params(encoder__max_iter=5)
    >>> model = model.fit(X[:300], y[:300])
    >>> model.transform(X[300:]).shape
    (142, 256)
    >>> bool(model.score(X[300:], y[300:]) > 0.4)
    True
    """

    _parameter_constraints = {
        **BaseHead._parameter_constraints,
        "regressor": [HasMethods(["fit", "predict"]), None],
        "interval": [StrOptions({"conformal", "neighbors"}), None],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
    }
    _target_type, _objective, _head_objective = "real", "y_aware", "prediction_error"
    _advice = {
        "objective": "objective='y_aware' or 'rank_n_contrast', or one without a target",
        "sampler": "sampler='uniform' or 'target_spread'",
    }

    def __init__(
        self,
        encoder: Estimator | None = None,
        regressor: Estimator | None = None,
        *,
        passthrough: bool | Literal["auto"] = "auto",
        finetune: bool = False,
        finetune_iter: int = 50,
        interval: Literal["conformal", "neighbors"] | None = None,
        calibration_fraction: float = 0.2,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.regressor = regressor
        self.passthrough = passthrough
        self.finetune = finetune
        self.finetune_iter = finetune_iter
        self.interval = interval
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self: Self, X: RowsLike, y: ArrayLike, **params: ArrayLike) -> Self:
        """Train the encoder and fit the head.

        Parameters
        ----------
        X : rows, of n_samples
            What the encoder reads.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target; a row with a NaN has no label.

        **params : dict
            ``condition``, ``prior`` or ``groups`` for the fit of the encoder.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        check_head(self.regressor, "regressor", self)
        check_one_each(y, n_rows(y, 0), type(self).__name__)
        fitted = copy.copy(self)  # an error leaves an earlier fit whole
        vars(fitted).pop("_intervals", None)
        fitted._one_column = as_array(y, "y").ndim == 1
        y = check_numbers(y)
        if not self._goes_on():  # else the rows held out stay those that were
            generator = check_random_state(self.random_state)
            fitted._seed = generator.randint(np.iinfo(np.int32).max)
        labelled = np.flatnonzero(~np.isnan(y).any(axis=1))
        # Of one row alone, reading X says what is wrong.
        held_out = self._held_out(labelled, fitted._seed) if len(y) > 1 else labelled[:0]
        X, y, params, calibration = self._set_aside(X, y, params, held_out)
        encoder, source, X, beside, how = self._read(X, params)
        check_one_each(y, X.shape[0], type(self).__name__)
        check_passthrough(self, "regressor", X, source)
        labelled = np.flatnonzero(~np.isnan(y).any(axis=1))
        self._fit_encoder(encoder, source, X, {**beside, "target": y}, labelled, *how)
        fitted._fit_head(encoder, source, X[labelled], y[labelled], calibration)
        vars(self).update(vars(fitted))
        return self

    def _fit_head(self, encoder, source, X, y, calibration):
        """Fit the head to labelled rows, and the widths of its intervals."""
        self.encoder_ = encoder
        target, self.target_mean_, self.target_scale_ = encode_numbers(y)
        shaped = target[:, 0] if y.shape[1] == 1 else target
        features = self._head_input(encoder, source, X)
        head = self.regressor
        if head is None:
            with stage(self.verbose, "Choosing the kernels of the head"):
                head = default_regressor(features, shaped, self._n_raw, self._seed)
        with stage(self.verbose, f"Fitting {type(head).__name__} to {len(y)} rows"):
            self.regressor_ = fitted_regressor(head, features, shaped)
        if self.interval is None:
            return
        with stage(self.verbose, "Measuring the widths of the intervals"):
            if self.interval == "conformal":
                self._calibrate(X, target, source.read(calibration[0]), calibration[1])
            else:
                self._cross_validate(head, X, target, self._seed)

    def predict(self, X: RowsLike) -> np.ndarray:
        """Predict the target of rows.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        return self._in_units(self._predict_columns(self._head_features(X, "regressor_")))

    def _in_units(self, y):
        """Standardised predictions in the units and the shape of the target."""
        y = y * self.target_scale_ + self.target_mean_
        return y[:, 0] if self._one_column else y

    def _predict_columns(self, features):
        y = self.regressor_.predict(features)
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)
