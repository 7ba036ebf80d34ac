"""SeriesContrastiveEncoder: representation learning of series, and of recordings step by step."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from skcontrast._component import Component, Integral, Interval, Shorthand, StrOptions, resolve
from skcontrast._inputs.convolved import ConvolvedSeriesInput
from skcontrast._inputs.recording import RecordingInput
from skcontrast._inputs.series import SeriesInput
from skcontrast._training.checkpoint import Checkpoint
from skcontrast._training.frozen import TRAINABLE
from skcontrast._training.spans import EmbedsSpans
from skcontrast._typing import FilePath, RandomState
from skcontrast.base import BaseContrastive
from skcontrast.networks import NETWORK_CONSTRAINTS, NETWORKS_OF
from skcontrast.objectives import OBJECTIVES, InfoNCE, Objective
from skcontrast.views import SERIES_VIEWS, TEXT_VIEW_CONSTRAINTS, Views


class SeriesContrastiveEncoder(EmbedsSpans, BaseContrastive):
    """Learn a representation of series, of one channel or several and of any length.

    By default each series becomes a row of numbers first: shares of steps at which random
    convolutions of the series and of its differences exceed a bias (MiniRocket's features), in
    all of it and in thirds of it, and, where all series are equally long, the values themselves,
    which weigh less. A small network is then trained on these rows as in
    :class:`skcontrast.ContrastiveEncoder`, and ``transform`` gives what was learned beside
    the rows. With a network or views of series (``network="dilated"``), or ``features=None``, a
    network is trained on the series themselves.

    Parameters
    ----------
    n_components : int, default=None
        Number of columns that come out, as in :class:`skcontrast.ContrastiveEncoder`: leading
        directions where parts stand beside the learned columns, else the learned width.

    features : {"auto", "convolutions", None}, default="auto"
        What a network reads: "convolutions", what random convolutions find in a series, or None,
        the series themselves. "auto" is None where ``network``, ``views`` or ``objective``
        reads series, or with a ``window``, else "convolutions".

    window : int, default=None
        None reads X as a collection of series. A number says that X (n_steps, n_channels) is one
        long recording, of which ``transform`` gives a row for each step: each is read with the
        steps around it, ``window`` of them in all, from ``window // 2`` before it on.

    passthrough : bool, "auto" or list of str, default="auto"
        What ``transform`` puts beside the learned columns: of convolutions "columns", which are
        these, and "neighborhood", the mean of the nearest training rows. "auto" is all of it,
        unless the objective reads ``y`` or a condition, and labels given to ``fit`` may weigh it
        as in :class:`skcontrast.ContrastiveEncoder`. A network of series stands alone.

    objective : str or component, default="auto"
        What is trained for: a name in :data:`skcontrast.objectives.OBJECTIVES` or an object
        from :mod:`skcontrast.objectives`. "auto" is ``InfoNCE(temperature=1.0)``. Some
        compare single steps and take a network of series:
        :class:`skcontrast.objectives.HierarchicalContrast`,
        :class:`skcontrast.objectives.FuturePrediction`.

    views : str, component, callable, list or None, default="auto"
        How a view of a series is made: a name in :data:`skcontrast.views.SERIES_VIEWS` or,
        of convolutions, in :data:`skcontrast.views.VIEWS`, an object from
        :mod:`skcontrast.views`, a callable on a batch, or a list of these, applied in order.
        "auto" is ``("neighbors", "corruption")`` of convolutions, "time_offset" of a recording
        (:class:`skcontrast.views.TimeOffset`), else "crop".

    n_views : int, default=2
        Number of views of each series.

    clean_anchor : bool or "auto", default="auto"
        Whether the first view is the series itself. "auto" is True with convolutions and of a
        recording, else False.

    network : str, component or torch.nn.Module, default="auto"
        The encoder. Of series "dilated", "light" or an object such as
        :class:`skcontrast.networks.DilatedConv`; of convolutions what
        :class:`skcontrast.ContrastiveEncoder` takes. "auto" is "mlp" of convolutions, else
        "dilated". A torch module that reads series says so by ``reads = {"series"}``.

    projector, momentum, sampler, replay : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    standardize : bool or "series", default=True
        Whether each channel is centred and scaled over all series and steps. "series" does so
        for each series by itself, for shapes whose level and size mean nothing.

    max_iter : int or "auto", default=30
        Number of epochs; see :class:`skcontrast.ContrastiveEncoder`.

    optimizer, learning_rate, batch_size, chunk_size : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    early_stopping, validation_fraction, n_iter_no_change : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    tol, warm_start, trainable, callbacks, checkpoint : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    device, precision, random_state, verbose : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    Attributes
    ----------
    n_components_ : int
        Number of columns that come out.

    input_ : object
        What reads series, with their number of channels and length, ``shape_in_``.

    weights_, network_, projector_, objective_, loss_curve_, n_iter_, classes_
        See :class:`skcontrast.ContrastiveEncoder`, as for its other attributes.

    See Also
    --------
    skcontrast.RandomConvolutions : The convolutions alone, without training.

    Notes
    -----
    X is an array (n_series, n_channels, length), (n_series, length) for one channel, or a list
    of arrays (n_channels, length) of unequal length; arrays of tslearn and TS2Vec, whose channels
    come last, are ``X.transpose(0, 2, 1)``. NaN behind the end of a series says that it is shorter,
    NaN within it that a value is missing. ``transform`` takes longer and shorter series than
    ``fit``. Convolutions are drawn with one seed, whatever ``random_state``.

    With a ``window`` the groups of ``fit(X, groups=...)`` are sessions, each of which is one
    stretch of rows. No window and no positive of one session holds steps of another, and early
    stopping holds out the end of each. Beyond the ends of a session a window repeats its first or
    its last step. ``transform`` takes X for one session: bring several to it one by one. Steps are
    rows, and have to be even in time.

    References
    ----------
    Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for
    time series classification", KDD 2021. Yue et al., "TS2Vec: towards universal
    representation of time series", AAAI 2022. Chen et al., "A simple framework for
    contrastive learning of visual representations", ICML 2020. Of recordings: Hyvarinen and
    Morioka, "Unsupervised feature extraction by time-contrastive learning and nonlinear ICA",
    NeurIPS 2016. Tonekaboni, Eytan and Goldenberg, "Unsupervised representation learning for time
    series with temporal neighborhood coding", ICLR 2021. Schneider, Lee and Mathis, "Learnable
    latent embeddings for joint behavioural and neural analysis", Nature 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import SeriesContrastiveEncoder
    >>> X = np.random.default_rng(0).normal(size=(20, 3, 50))
    >>> encoder = SeriesContrastiveEncoder(8, max_iter=2, random_state=0)
    >>> encoder.fit_transform(X).shape
    (20, 8)
    >>> encoder = SeriesContrastiveEncoder(8, network="dilated", views="jitter", max_iter=2)
    >>> encoder.fit([x[:, :length] for x, length in zip(X, range(30, 50))]).transform(X).shape
    (20, 8)
    >>> recording, session = np.hstack(X).T, np.repeat(np.arange(4), 250)  # 1,000 steps
    >>> encoder = SeriesContrastiveEncoder(8, window=10, max_iter=2)
    >>> encoder.fit(recording, groups=session).transform(recording[session == 0]).shape
    (250, 8)
    """

    # Of numbers, which convolutions are, before those of series.
    _shorthand = {**BaseContrastive._shorthand, "views": "skcontrast.views:VIEWS_OF.numbers.series"}
    _choices = {"objective": InfoNCE(temperature=1.0)}

    _parameter_constraints = {
        **BaseContrastive._parameter_constraints,
        "features": [StrOptions({"auto", "convolutions"}), None],
        "window": [Interval(Integral, 1, None, closed="left"), None],
        "passthrough": ["boolean", StrOptions({"auto"}), list, tuple],
        "trainable": TRAINABLE,
        "objective": [*BaseContrastive._parameter_constraints["objective"], StrOptions({"auto"})],
        "views": [*TEXT_VIEW_CONSTRAINTS, StrOptions({"auto"})],
        "clean_anchor": ["boolean", StrOptions({"auto"})],
        "network": [
            Shorthand(BaseContrastive._shorthand["network"], "network"),
            NETWORK_CONSTRAINTS[1],
            StrOptions({"auto"}),
        ],
        "standardize": SeriesInput._parameter_constraints["standardize"],
    }

    def __init__(
        self,
        n_components: int | None = None,
        *,
        features: Literal["auto", "convolutions"] | None = "auto",
        window: int | None = None,
        passthrough: bool | Literal["auto"] | list | tuple = "auto",
        objective: str | Objective | Literal["auto"] = "auto",
        views: Views | Literal["auto"] = "auto",
        n_views: int = 2,
        clean_anchor: bool | Literal["auto"] = "auto",
        network: str | Component | nn.Module | Literal["auto"] = "auto",
        projector: str | Component | nn.Module | None = None,
        momentum: float | None = None,
        sampler: str | Component = "uniform",
        replay: str | Component | None = None,
        standardize: bool | Literal["series"] = True,
        optimizer: str | Component = "adamw",
        learning_rate: float = 1e-3,
        batch_size: int | Literal["auto"] = "auto",
        chunk_size: int | None = None,
        max_iter: int | Literal["auto"] = 30,
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
        self.features = features
        self.window = window
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

    def _new_input(self):
        if self.window is not None:
            if self.features == "convolutions":
                raise ValueError(
                    "features='convolutions' reads collections of series, and "
                    f"window={self.window} one recording: type features=None, or window=None."
                )
            return RecordingInput(type(self).__name__, self.standardize, self.window)
        on_series = self.features is None
        if self.features == "auto":
            named = {"network": NETWORKS_OF["series"], "views": SERIES_VIEWS}
            on_series = any(_reads_series(getattr(self, k), names) for k, names in named.items())
            objective = self._settled("objective", self.objective, SeriesInput())
            objective = resolve(objective, OBJECTIVES)
            own = list(objective.own_views("series").values())
            on_series |= "steps" in objective.requires or _reads_series(own, SERIES_VIEWS)
        source = SeriesInput if on_series else ConvolvedSeriesInput
        return source(type(self).__name__, self.standardize)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.window is None
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = False
        return tags


def _reads_series(value, names):
    """Whether a network, or a view among several, is one of series."""
    if isinstance(value, (list, tuple)):
        return any(_reads_series(part, names) for part in value)
    if isinstance(value, str):
        return value in names
    return "series" in getattr(value, "reads", ())
