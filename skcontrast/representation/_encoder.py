"""ContrastiveEncoder: representation learning from views of each row."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from skcontrast._component import Component, StrOptions
from skcontrast._training.checkpoint import Checkpoint
from skcontrast._training.frozen import TRAINABLE
from skcontrast._typing import FilePath, RandomState
from skcontrast.base import BaseContrastive
from skcontrast.objectives import Objective
from skcontrast.views import Views


class ContrastiveEncoder(BaseContrastive):
    """Learn a representation in which the views of a row are near each other.

    An encoder network maps each row to a vector. It is trained without labels: several
    random views of each row (corrupted copies, near neighbours, ...) are encoded, and an
    objective pulls the views of one row together and the rows of a batch apart.
    ``transform`` gives the encoder's output for the rows as they are and, beside it, the
    input and other columns that are not trained.

    Parameters
    ----------
    n_components : int, default=None
        Number of columns that come out. Where parts stand beside the learned columns (see
        ``passthrough``), these are the leading directions of all columns together: the
        eigenvectors of their covariance, so that fewer are the first of more, and zeros
        where the rows span fewer. Rows that all came with one length, as those of
        ``TfidfVectorizer``, keep one length where ``n_components`` is above three. None keeps
        all columns, with their names. The network says
        how many columns are learned beside the parts, as ``MLP(width=64)``. Without parts
        ``n_components`` is the number of learned columns; None is what the network says, or
        256.

    passthrough : bool, "auto" or list of str, default="auto"
        What ``transform`` puts beside the learned columns, so that a classifier loses little
        where there was nothing to learn. True is all of

        - "columns", the standardised input (of more than 2048 columns their leading
          directions);
        - "ranks", normal scores of the columns that are far from normal;
        - "patterns", how often random local patterns occur, where columns lie beside each
          other as the points of a series or the pixels of an image do;
        - "kernel", 256 features of a Gaussian kernel;
        - "neighborhood", the mean of the nearest training rows, of which up to 4096 are kept,

        each on a scale that leaves most of the variance to the input; only patterns have twice
        its variance, as they say more than single points do (less for fewer than 64 points, by
        the square of their number). Of a part with more
        columns than there are rows, only the directions that the rows span are kept. "auto"
        is False where the objective reads ``y`` or a condition, as the parts would drown
        what these teach and bring back what a fair representation leaves out, else True. Where
        "auto" is True and ``fit`` is given labels or numbers ``y``, of at least 10 rows and 4 of
        each class in the mean, these say how much the parts count: where the columns predict
        them clearly better without the others, each of the others keeps a hundredth of its
        variance (``output_.told_``). No label reaches the training of an objective that
        reads none, and ``passthrough=True`` leaves the labels unread.

    objective : str or component, default="info_nce"
        What is trained for: a name in :data:`skcontrast.objectives.OBJECTIVES` or an
        object from :mod:`skcontrast.objectives`, such as ``InfoNCE(temperature=0.1)``
        or a sum of objectives.

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

    momentum : float, default=None
        Share m, in [0, 1), that the momentum network keeps of its weights in each step; 1 - m
        comes from the encoder and the projector, which it starts as a copy of. It makes the keys
        of objectives that read them, such as ``InfoNCE(queue_size=4096)`` and
        ``SelfDistillation()``, and is thrown away too. 0.99 suits some hundred steps, 0.999 many
        thousands. None makes no such network.

    sampler : str or component, default="uniform"
        How batches are put together: "uniform", "clustered", "class_balanced" or, for
        numbers as ``y``, "target_spread".

    replay : str, component or None, default=None
        Which rows of a stream :meth:`partial_fit` keeps, in ``memory_``, and trains on beside
        those of later calls, so that what was learned of them is not forgotten: "reservoir",
        "class_balanced" or an object from :mod:`skcontrast.replay`, such as
        ``Reservoir(size=500)``. What stands beside rows is kept with them. ``fit`` begins another
        stream with its rows.

    standardize : bool or "running", default=True
        Whether columns are centred and scaled to unit variance first, columns of two
        values to a range of one. Sparse rows are not centred, and share one scale. "running":
        each :meth:`partial_fit` moves mean and variance towards those of its rows, beside
        which all rows before weigh as 1,000 at most.

    optimizer : str or component, default="adamw"
        "adamw", "sgd" or an object from :mod:`skcontrast.optimizers`, which holds the
        weight decay, the learning-rate schedule with its warm-up, and gradient
        clipping.

    learning_rate : float, default=1e-3
        Highest learning rate.

    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" is ``min(256, n_samples)``. The other rows of the batch
        are an anchor's negatives.

    chunk_size : int, default=None
        Rows, each view counting for one, that the network reads at a time: in the backward pass
        each chunk is read again, so that memory is that of one chunk, and the objective still
        sees the whole batch. Gradients are those of None, all rows at once; dropout alone draws
        others. Networks with batch normalisation need None.

    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" takes as many as make about 600 steps, but at least 5 and at
        most 100: in batches of 256 rows these are 100 up to 1,536 rows, 38 of 4,000 rows and 5
        from 30,720 rows on. Beyond 1,024,000 rows, where 5 are 20,000 steps, there are fewer. A
        fit that will take more than ten minutes says so early on, in an
        :class:`sklearn.exceptions.EfficiencyWarning`.

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

    trainable : {"all", "last"} or list of str, default="all"
        What is trained of the encoder: all of it, its last layer, or the layers and weights that
        these names in ``weights_`` begin with, such as "encoder.head"; the others stay as they
        are, bit by bit. With ``warm_start`` a part of the fitted encoder is trained further.

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
        CPU, with as many threads, equal bit by bit.

    verbose : int, default=0
        Whether to print a line for each epoch, with its loss and the time that is left.

    Attributes
    ----------
    n_components_ : int
        Number of columns that come out.

    input_ : object
        What a row is: ``mean_`` and ``scale_`` of the columns that the network reads;
        ``expansion_``, whose ``transform`` makes these columns of a DataFrame, or None where
        X was none; ``features_``, which of them are one feature, as those of a category.

    output_ : object
        What comes out. With parts: ``parts_``, ``part_columns_`` (which columns are which
        part, the learned ones among them), ``part_means_`` and ``part_scales_``; with
        ``n_components`` also ``mean_`` and ``directions_``.

    weights_ : dict of str to ndarray
        Weights of encoder and projector.

    objective_ : component
        The objective that was trained.

    objective_weights_ : dict of str to ndarray
        What the objective learned, such as temperatures.

    network_, projector_ : component or torch.nn.Module
        The networks, as descriptions without weights.

    loss_curve_ : list of float
        Mean training loss of each epoch.

    validation_curve_ : list of float or None
        Loss on the rows held out, with ``early_stopping=True``.

    n_iter_ : int
        Number of epochs run.

    memory_ : dict
        With ``replay``: ``rows``, those that are kept, as the input reads them; what was passed
        beside them, under ``target``, ``condition``, ``prior`` and ``groups``; ``n_seen``, how
        many rows came, with ``replay="class_balanced"`` of each of its ``classes`` and, last,
        without a label.

    finetune_curve_ : list of float
        Mean loss of each epoch of :meth:`finetune`, where it was called.

    classes_ : ndarray of shape (n_classes,)
        Classes seen, for objectives and samplers that use ``y``.

    targets_ : dict of dict
        Of each target that is read by its name, or from beside X, "classes", or "mean" and "scale".

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during fit, when all are strings.

    See Also
    --------
    sklearn.neighbors.NeighborhoodComponentsAnalysis : Supervised linear metric.

    References
    ----------
    Chen et al., "A simple framework for contrastive learning of visual
    representations", ICML 2020. Bahri et al., "SCARF: self-supervised contrastive
    learning using random feature corruption", ICLR 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> X, _ = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(n_components=8, max_iter=5, random_state=0)
    >>> encoder.fit_transform(X).shape
    (150, 8)
    >>> encoder.set_params(n_components=None).fit(X).get_feature_names_out()[[0, 4]]
    array(['columns__x0', 'learned__0'], dtype=object)
    """

    _parameter_constraints = {
        **BaseContrastive._parameter_constraints,
        "passthrough": ["boolean", StrOptions({"auto"}), list, tuple],
        "standardize": ["boolean", StrOptions({"running"})],
        "trainable": TRAINABLE,
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        passthrough: bool | Literal["auto"] | list | tuple = "auto",
        objective: str | Objective = "info_nce",
        views: Views = ("neighbors", "corruption"),
        n_views: int = 2,
        clean_anchor: bool = True,
        network: str | Component | nn.Module = "mlp",
        projector: str | Component | nn.Module | None = None,
        momentum: float | None = None,
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
        self.passthrough = passthrough
        self.objective = objective
        self.views = views
        self.n_views = n_views
        self.clean_anchor = clean_anchor
        self.network = network
        self.projector = projector
        self.momentum = momentum
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
