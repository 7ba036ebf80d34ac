"""SupervisedContrastiveRegressor: a representation and a prediction from few labels."""

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state

from skcontrast._component import HasMethods, Interval, Real, StrOptions, check_parameters
from skcontrast._inputs.side import check_one_each
from skcontrast._inputs.table import check_rows
from skcontrast._inputs.target import check_numbers, encode_numbers
from skcontrast._training.callbacks import with_callbacks
from skcontrast.objectives import PredictionError
from skcontrast.representation._fit import kept_on_error
from skcontrast.representation._heads import (
    check_head,
    check_passthrough,
    default_regressor,
    fitted_regressor,
)
from skcontrast.representation._intervals import IntervalMixin
from skcontrast.representation._supervised import BaseSupervised


class SupervisedContrastiveRegressor(
    IntervalMixin, RegressorMixin, MultiOutputMixin, BaseSupervised
):
    """Learn a representation in which rows of like targets are near, and predict from it.

    An encoder is trained by an objective that reads the target: rows attract each other
    the more, the nearer their targets are. A regressor is then fitted on the embedding of
    the labelled rows, with their standardised columns beside it. Rows whose target is NaN
    shape the representation alone.

    The target is standardised inside, column by column: its scale plays no part, and
    widths in an objective are in standard deviations of the target.

    Parameters
    ----------
    n_components : int, default=None
        Width of the embedding. None is 256, or the width of ``network`` when that is a
        torch module.

    objective : str or component, default="y_aware"
        What the encoder is trained for: a name in
        :data:`skcontrast.objectives.OBJECTIVES` or an object, such as
        ``RankNContrast()``, ``SupReMix()`` or a sum. One without a target, such as
        "info_nce", learns the representation from the rows alone.

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

    views : str, component, callable, list or None, default=("neighbors", "corruption")
        How a view of a row is made: a name in :data:`skcontrast.views.VIEWS`, an object
        from :mod:`skcontrast.views`, a callable on a batch tensor, or a list of these,
        applied in order. None takes the rows as they are, for a network with dropout.

    n_views : int, default=2
        Number of views of each row.

    clean_anchor : bool, default=True
        Whether the first view is the row itself; the only one, with ``n_views=1``.

    network : str, component or torch.nn.Module, default="mlp"
        The encoder: "linear", "mlp", an object from :mod:`skcontrast.networks`, or a
        torch module, which is copied.

    projector : str, component, torch.nn.Module or None, default=None
        Network between the embedding and the objective, thrown away after training.

    sampler : str or component, default="uniform"
        How batches are put together: "uniform" or "target_spread".

    standardize : bool, default=True
        Whether columns are centred and scaled to unit variance first, columns of two
        values to a range of one. Sparse rows are not centred, and share one scale.

    optimizer : str or component, default="adamw"
        "adamw", "sgd" or an object from :mod:`skcontrast.optimizers`, which holds the
        weight decay, the learning-rate schedule with its warm-up, and gradient
        clipping.

    learning_rate : float, default=1e-3
        Highest learning rate.

    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" is ``min(256, n_samples)``. The other rows of the batch
        are an anchor's negatives.

    max_iter : int, default=100
        Number of epochs.

    early_stopping : bool, default=False
        Whether to hold out rows, stop once their loss does not fall any more, and
        restore the best weights.

    validation_fraction : float, default=0.1
        Share of the rows held out for early stopping.

    n_iter_no_change : int, default=10
        Epochs without a better validation loss before stopping.

    tol : float, default=1e-4
        A validation loss is better when it is lower by more than this.

    warm_start : bool, default=False
        Whether another ``fit`` goes on from the fitted weights; its schedule and its
        ``loss_curve_`` start anew.

    callbacks : list of skorch callbacks, default=None
        scikit-learn's own callbacks are set by ``set_callbacks``.

    checkpoint : str, path-like or Checkpoint, default=None
        Folder for checkpoints; a ``fit`` that was killed goes on from there. See
        :class:`skcontrast.checkpoint.Checkpoint`.

    device : str or torch.device, default="auto"
        "auto" takes CUDA, else MPS, else the CPU.

    precision : {"float32", "bfloat16", "float64"}, default="float32"
        "bfloat16" runs the network under autocast; the loss is always at least
        float32.

    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the batches and the views. An int makes two fits on one
        CPU equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch.

    Attributes
    ----------
    n_components_ : int
        Width of the embedding.

    weights_ : dict of str to ndarray
        Weights of encoder and projector.

    objective_ : component
        The objective that was trained.

    objective_weights_ : dict of str to ndarray
        What the objective learned, such as temperatures.

    network_, projector_ : component or torch.nn.Module
        The networks, as descriptions without weights.

    mean_, scale_ : ndarray of shape (n_columns,) or None
        Standardisation of the columns.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_curve_ : list of float or None
        Loss on the rows held out, with ``early_stopping=True``.

    n_iter_ : int
        Number of epochs run.

    regressor_ : regressor
        The fitted head.

    target_mean_, target_scale_ : ndarray of shape (n_targets,)
        Standardisation of the target.

    finetune_curve_ : list of float
        Mean loss of each epoch of the fine-tuning, with ``finetune=True``.

    expansion_ : object
        How a DataFrame becomes the columns that the network reads, where X was one.

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
    >>> model = SupervisedContrastiveRegressor(max_iter=5, random_state=0).fit(X[:300], y[:300])
    >>> model.transform(X[300:]).shape
    (142, 256)
    >>> bool(model.score(X[300:], y[300:]) > 0.4)
    True
    """

    _parameter_constraints = {
        **BaseSupervised._parameter_constraints,
        "regressor": [HasMethods(["fit", "predict"]), None],
        "interval": [StrOptions({"conformal", "neighbors"}), None],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
    }
    _target_type = "real"
    _advice = {
        "objective": "objective='y_aware' or 'rank_n_contrast', or one without a target",
        "sampler": "sampler='uniform' or 'target_spread'",
    }

    def __init__(
        self,
        n_components=None,
        *,
        objective="y_aware",
        regressor=None,
        passthrough="auto",
        finetune=False,
        finetune_iter=50,
        interval=None,
        calibration_fraction=0.2,
        views=("neighbors", "corruption"),
        n_views=2,
        clean_anchor=True,
        network="mlp",
        projector=None,
        sampler="uniform",
        standardize=True,
        optimizer="adamw",
        learning_rate=1e-3,
        batch_size="auto",
        max_iter=100,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        callbacks=None,
        checkpoint=None,
        device="auto",
        precision="float32",
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.objective = objective
        self.regressor = regressor
        self.passthrough = passthrough
        self.finetune = finetune
        self.finetune_iter = finetune_iter
        self.interval = interval
        self.calibration_fraction = calibration_fraction
        self.views = views
        self.n_views = n_views
        self.clean_anchor = clean_anchor
        self.network = network
        self.projector = projector
        self.sampler = sampler
        self.standardize = standardize
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(self, X, y):
        """Train the encoder and fit the head.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target; a row with a NaN has no label.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        check_parameters(self)
        check_head(self.regressor, "regressor", self)
        fresh = not (self.warm_start and hasattr(self, "weights_"))
        with kept_on_error(self):
            X = check_rows(self, X, reset=fresh, n_least=2)
            check_one_each(y, X.shape[0], type(self).__name__)
            self._one_column = np.asarray(y).ndim == 1
            y = check_numbers(y)
            labelled = np.flatnonzero(~np.isnan(y).any(axis=1))
            if fresh:  # else the rows held out stay those that were
                self._seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            seed = self._seed
            check_passthrough(self, "regressor", X)
            held_out = self._held_out(labelled, seed)
            if len(held_out):
                kept = np.setdiff1d(np.arange(len(y)), held_out)
                calibration = X[held_out], y[held_out]
                X, y = X[kept], y[kept]
                labelled = np.flatnonzero(~np.isnan(y).any(axis=1))
            self._fit_encoder(X, y, labelled, fresh)
            target, self.target_mean_, self.target_scale_ = encode_numbers(y)
            target = target[labelled]
            shaped = target[:, 0] if y.shape[1] == 1 else target
            features = self._head_input(X[labelled])
            head = self.regressor
            if head is None:
                head = default_regressor(features, shaped, self._n_raw, seed)
            self.regressor_ = fitted_regressor(head, features, shaped)
            vars(self).pop("_intervals", None)
            if self.interval == "conformal":
                self._calibrate(X[labelled], target, *calibration)
            elif self.interval == "neighbors":
                self._cross_validate(head, X[labelled], target, seed)
        return self

    def predict(self, X):
        """Predict the target of rows.

        Parameters
        ----------
        X : {array-like, DataFrame, sparse matrix, torch.Tensor} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        y = self._predict_columns(self._head_features(X, "regressor_"))
        y = y * self.target_scale_ + self.target_mean_
        return y[:, 0] if self._one_column else y

    def _predict_columns(self, features):
        y = self.regressor_.predict(features)
        return np.asarray(y, dtype=np.float64).reshape(len(y), -1)

    def _head_objective(self):
        return PredictionError()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
