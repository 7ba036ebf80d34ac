"""KernelConditionalContrastive: representation learning told about a side variable."""

import numpy as np
from sklearn.utils.multiclass import type_of_target

from skcontrast._component import Interval, Real
from skcontrast._inputs.target import encode_classes, labelled
from skcontrast.base import BaseContrastive
from skcontrast.objectives import ConditionalInfoNCE, KernelIndependence
from skcontrast.representation._fit import EncoderFitMixin

# The parameters that describe the objective.
_OF_OBJECTIVE = ("mode", "kernel", "regularization", "form", "temperature")


class KernelConditionalContrastive(EncoderFitMixin, BaseContrastive):
    """Learn a representation with the help, or without the trace, of a side variable.

    Like :class:`ContrastiveEncoder`, but the contrasts are conditioned on a side variable
    of each row, ``fit(X, condition=...)``, by a kernel that says how alike two of its
    values are. It may hold numbers, categories, or columns of both, and needs no value to
    be seen twice. ``transform`` does not need it.

    Parameters
    ----------
    n_components : int, default=None
        Width of the embedding. None is 256, or the width of ``network`` when that is a
        torch module.

    mode : {"weak", "fair", "hard"}, default="weak"
        "weak": rows with an alike condition (weak attributes, or ``y``) are pulled
        together. "fair": rows are only told from rows with an alike condition (a sensitive
        attribute), so that it is of no help. "hard": rows are only told from rows that are
        embedded alike; takes no condition.

    kernel : str or component, default="auto"
        How alike two conditions are: a name in :data:`skcontrast.kernels.KERNELS` or an
        object from :mod:`skcontrast.kernels`. "auto" takes an RBF kernel for numbers,
        equality for categories and columns of few values, and their product for both.

    regularization : float, default=0.01
        Ridge lambda: more of it lets rows count as alike that are less so.

    independence : float, default=0.0
        Weight of a term beside it that makes the embedding independent of the condition
        (:class:`~skcontrast.objectives.KernelIndependence`), for mode "fair", which by
        itself only gives no reason to embed the condition. 10 is strong.

    form : {"paper", "reference"}, default="paper"
        Whether the objective is that of the paper or that of its published code; see
        :class:`~skcontrast.objectives.ConditionalInfoNCE`.

    temperature : float, str or component, default=0.2
        Temperature of the similarities: a positive number or "learned".

    views : str, component, callable, list or None, default=("neighbors", "corruption")
        How a view of a row is made: a name in :data:`skcontrast.views.VIEWS`, an object
        from :mod:`skcontrast.views`, a callable on a batch tensor, or a list of these,
        applied in order. None takes the rows as they are, for a network with dropout.

    n_views : int, default=2
        Number of views of each row.

    clean_anchor : bool, default=True
        Whether the first view is the row itself.

    network : str, component or torch.nn.Module, default="mlp"
        The encoder: "linear", "mlp", an object from :mod:`skcontrast.networks`, or a
        torch module, which is copied.

    projector : str, component, torch.nn.Module or None, default=None
        Network between the embedding and the objective, thrown away after training.

    sampler : str or component, default="uniform"
        How batches are put together: "uniform", "class_balanced" or, for numbers as
        ``y``, "target_spread".

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
        Whether another ``fit`` goes on from the fitted weights.

    callbacks : list of skorch callbacks, default=None
        scikit-learn's own callbacks are set by ``set_callbacks``.

    checkpoint : str, path-like or Checkpoint, default=None
        Folder for checkpoints; a fit that was killed goes on from there. See
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
        The objective that was trained: a
        :class:`~skcontrast.objectives.ConditionalInfoNCE`, or a sum with one.

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

    classes_ : ndarray of shape (n_classes,)
        Classes seen, for samplers that use ``y``.

    expansion_ : object
        How a DataFrame becomes the columns that the network reads, where X was one.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    ContrastiveEncoder : Without a condition, or with
        :class:`~skcontrast.objectives.ConditionalInfoNCE` in a sum of objectives.

    References
    ----------
    Tsai et al., "Conditional contrastive learning with kernel", ICLR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import KernelConditionalContrastive
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = KernelConditionalContrastive(
    ...     n_components=8, mode="fair", max_iter=5, random_state=0
    ... )
    >>> model.fit(X[:, :3], condition=X[:, 3]).transform(X[:, :3]).shape
    (150, 8)
    """

    _parameter_constraints = {
        **{k: v for k, v in BaseContrastive._parameter_constraints.items() if k != "objective"},
        **{name: ConditionalInfoNCE._parameter_constraints[name] for name in _OF_OBJECTIVE},
    }
    _parameter_constraints["independence"] = [Interval(Real, 0, None, closed="left")]
    _shorthand = {
        **{k: v for k, v in BaseContrastive._shorthand.items() if k != "objective"},
        **ConditionalInfoNCE._shorthand,
    }

    def __init__(
        self,
        n_components=None,
        *,
        mode="weak",
        kernel="auto",
        regularization=0.01,
        independence=0.0,
        form="paper",
        temperature=0.2,
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
        self.mode = mode
        self.kernel = kernel
        self.regularization = regularization
        self.independence = independence
        self.form = form
        self.temperature = temperature
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

    @property
    def objective(self):
        """What is trained for, with the parameters of this estimator."""
        objective = ConditionalInfoNCE(**{name: getattr(self, name) for name in _OF_OBJECTIVE})
        if self.independence == 0:
            return objective
        return objective + self.independence * KernelIndependence(kernel=self.kernel)

    def _run(self, X, given, fresh, max_iter, partial=False):
        if self.mode == "weak" and given["condition"] is None and given["target"] is not None:
            given = {**given, "condition": _target_as_condition(given["target"])}
        if self.mode == "weak" and given["condition"] is None:
            raise ValueError(
                "KernelConditionalContrastive in mode='weak' requires y to be passed, but the "
                "target y is None: type fit(X, y) or fit(X, condition=...)."
            )
        return super()._run(X, given, fresh, max_iter, partial)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.mode == "weak"
        return tags


def _target_as_condition(y):
    """Labels as categories, each row without a label as one of its own; numbers as they are."""
    labels = labelled(y)[1] if np.asarray(y).ndim == 1 else y
    if np.asarray(labels).dtype.kind == "f" or type_of_target(labels) not in (
        "binary",
        "multiclass",
    ):
        return y
    codes, _ = encode_classes(y, "mode='weak'")
    own = -1 - np.arange(len(codes))
    return np.where(codes < 0, own, codes).astype(str).astype(object)
