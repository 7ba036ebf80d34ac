"""KernelConditionalContrastive: representation learning told about a side variable."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from skcontrast._component import Component, Interval, Real
from skcontrast._training.checkpoint import Checkpoint
from skcontrast._typing import FilePath, RandomState
from skcontrast.kernels import Kernel
from skcontrast.objectives import ConditionalInfoNCE, KernelIndependence, Objective
from skcontrast.representation._encoder import ContrastiveEncoder
from skcontrast.temperatures import Temperature
from skcontrast.views import Views

# The parameters that describe the objective.
_OF_OBJECTIVE = ("mode", "kernel", "regularization", "form", "temperature")
# Those of a ContrastiveEncoder that another objective would read.
_NOT_OURS = ("objective", "momentum")


class KernelConditionalContrastive(ContrastiveEncoder):
    """Learn a representation with the help, or without the trace, of a side variable.

    Like :class:`ContrastiveEncoder`, but the contrasts are conditioned on a side variable
    of each row, ``fit(X, condition=...)``, by a kernel that says how alike two of its
    values are. It may hold numbers, categories, or columns of both, and needs no value to
    be seen twice. ``transform`` does not need it.

    Parameters
    ----------
    n_components : int, default=None
        Width of the embedding, 256 by default or what ``network`` says; where parts are passed
        through, the number of columns that come out, as in :class:`ContrastiveEncoder`.

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

    passthrough, views, n_views, clean_anchor, network, projector : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    sampler, replay, standardize, optimizer : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    learning_rate, batch_size, chunk_size : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    max_iter, early_stopping, validation_fraction : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    n_iter_no_change, tol, warm_start, trainable, callbacks : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    checkpoint, device, precision, random_state, verbose : default=as in ContrastiveEncoder
        See :class:`ContrastiveEncoder`.

    Attributes
    ----------
    objective_ : component
        The objective that was trained: a
        :class:`~skcontrast.objectives.ConditionalInfoNCE`, or a sum with one.

    classes_ : ndarray of shape (n_classes,)
        Classes seen, for samplers that use ``y``.

    n_components_, weights_, network_, projector_, input_, output_, loss_curve_, n_iter_
        See :class:`ContrastiveEncoder`, as for its other attributes.

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
        **{
            name: of_encoder
            for name, of_encoder in ContrastiveEncoder._parameter_constraints.items()
            if name not in _NOT_OURS
        },
        **{name: ConditionalInfoNCE._parameter_constraints[name] for name in _OF_OBJECTIVE},
    }
    _parameter_constraints["independence"] = [Interval(Real, 0, None, closed="left")]
    _shorthand = {
        **{k: v for k, v in ContrastiveEncoder._shorthand.items() if k != "objective"},
        **ConditionalInfoNCE._shorthand,
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        mode: Literal["weak", "fair", "hard"] = "weak",
        kernel: str | Kernel = "auto",
        regularization: float = 0.01,
        independence: float = 0.0,
        form: Literal["paper", "reference"] = "paper",
        temperature: Temperature = 0.2,
        passthrough: bool | Literal["auto"] | list | tuple = "auto",
        views: Views = ("neighbors", "corruption"),
        n_views: int = 2,
        clean_anchor: bool = True,
        network: str | Component | nn.Module = "mlp",
        projector: str | Component | nn.Module | None = None,
        sampler: str | Component = "uniform",
        replay: str | Component | None = None,
        standardize: bool | Literal["running"] = True,
        optimizer: str | Component = "adamw",
        learning_rate: float = 1e-3,
        batch_size: int | Literal["auto"] = "auto",
        chunk_size: int | None = None,
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        trainable: Literal["all", "last"] | list | tuple = "all",
        callbacks: list | tuple | None = None,
        checkpoint: FilePath | Checkpoint | None = None,
        device: str | torch.device = "auto",
        precision: Literal["float32", "bfloat16", "float64"] = "float32",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.mode = mode
        self.kernel = kernel
        self.regularization = regularization
        self.independence = independence
        self.form = form
        self.temperature = temperature
        self.passthrough = passthrough
        self.views = views
        self.n_views = n_views
        self.clean_anchor = clean_anchor
        self.network = network
        self.projector = projector
        self.sampler = sampler
        self.replay = replay
        self.standardize = standardize
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.chunk_size = chunk_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.trainable = trainable
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @property
    def objective(self) -> Objective:
        """What is trained for, with the parameters of this estimator."""
        objective = ConditionalInfoNCE(**{name: getattr(self, name) for name in _OF_OBJECTIVE})
        if self.independence == 0:
            return objective
        return objective + self.independence * KernelIndependence(kernel=self.kernel)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.mode == "weak"
        return tags
