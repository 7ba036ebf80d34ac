"""MultiViewContrastiveEncoder: one space for several descriptions of the same rows."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import nn

from skcontrast._component import Component, StrOptions
from skcontrast._inputs.block_input import BlocksInput
from skcontrast._inputs.side import check_weight
from skcontrast._training.callbacks import with_callbacks
from skcontrast._training.checkpoint import Checkpoint
from skcontrast._training.devices import device_at_hand
from skcontrast._training.embed import checked_output, forward
from skcontrast._training.fitted import encoder_of
from skcontrast._training.run import Call
from skcontrast._typing import ArrayLike, FilePath, RandomState, RowsLike, Self
from skcontrast.base import BaseContrastive
from skcontrast.multiview._pairs import SharedSpace
from skcontrast.networks import Towers
from skcontrast.networks._towers import AUTO as NETWORKS
from skcontrast.networks._towers import EachBlock, OneBlock
from skcontrast.objectives import Objective
from skcontrast.objectives._base import leaves
from skcontrast.views import TEXT_VIEW_CONSTRAINTS, Views
from skcontrast.views._blocks import AUTO as VIEWS


class MultiViewContrastiveEncoder(SharedSpace, BaseContrastive):
    """Learn one space for several descriptions of the same rows, such as two tables, or texts.

    A row has blocks: measurements of two instruments, an image's features and its caption, a
    question and its answer. Each block has a network of its own, and these are trained so that
    the blocks of one row are near each other and those of other rows far. ``transform`` gives the
    embeddings of the blocks that a row has, beside the blocks themselves;
    :meth:`transform_block` embeds rows of one block, to find their partners in another.

    Parameters
    ----------
    n_components : int, default=None
        Width of the shared space. None is as many as the second widest block has columns, at
        least 64 and at most 100.

    blocks : dict, list, "prefix" or None, default=None
        Which columns of a table are which block.

        - ``{"lab": ["age", "hb"], "image": slice(2, 66), "title": "title"}``: names, numbers, a
          slice, a mask or a function of X such as ``make_column_selector``; one name by itself is
          a column of texts, as in scikit-learn's ColumnTransformer;
        - ``"prefix"``: what stands before ``__`` in the names of columns, as ColumnTransformer
          and FeatureUnion with ``set_output(transform="pandas")`` make them;
        - ``[76, 64]``: numbers of columns, in order; one may be -1, for all others;
        - None: X is :class:`skcontrast.multiview.Blocks`.

    objective : str or component, default="pairwise"
        What is trained for: a name in :data:`skcontrast.objectives.OBJECTIVES` or an object from
        :mod:`skcontrast.objectives`, which is handed the blocks as views. "pairwise" is
        :class:`skcontrast.objectives.Pairwise`, with two blocks the loss of CLIP.

    init : {"cca"} or None, default="cca"
        Whether training starts at :class:`skcontrast.multiview.CanonicalCorrelation`, which it
        then improves on, or at random weights. See the notes.

    networks : str, component, torch.nn.Module or dict of these by block, default="auto"
        The network of each block: see :class:`skcontrast.networks.Towers`.

    tied : bool or list of str, default=False
        Whether one network reads all blocks, such as questions and answers, or those of these
        names, which have to be as wide as each other. Where it reads all, ``init`` has no effect.

    views : str, component, callable, list, dict by block or None, default="auto"
        How each block is changed in training. "auto" is ``Corruption(rate=0.2)`` for numbers and
        "word_deletion" for texts. None leaves blocks as they are.

    combine : {"concat", "mean", "sum"}, default="concat"
        What ``transform`` makes of the blocks of a row: their unit rows beside each other, with
        the mean of those that are there in place of one that is not; or their mean, or sum.

    passthrough : bool, "auto" or list of str, default="auto"
        Whether ``transform`` puts the standardised blocks of numbers, each with as much variance as
        the others, beside what was learned: the part "columns". Where a row lacks a block its
        columns are those that a ridge regression finds by the embedding of its other blocks, or 0
        with sparse blocks and with another ``combine``.
        "auto" is True where the objective reads neither ``y`` nor a condition.

    projector, momentum, sampler, replay : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`. The projector is shared by the blocks.

    standardize : bool, default=True
        Whether the columns of each block are centred and scaled first; sparse blocks share one
        scale each.

    optimizer, batch_size, chunk_size, max_iter, early_stopping : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    learning_rate : float, default=2e-3
        Highest learning rate.

    validation_fraction, n_iter_no_change, tol, warm_start : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    callbacks, checkpoint : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    device, precision, random_state, verbose : default=as in ContrastiveEncoder
        See :class:`skcontrast.ContrastiveEncoder`.

    Attributes
    ----------
    width_ : int
        Width of the shared space.

    n_components_ : int
        Number of columns of :meth:`transform`.

    n_pairs_ : ndarray of shape (n_blocks, n_blocks)
        Rows of the fit that have both of two blocks.

    input_ : object
        What reads the blocks: ``inputs_``, what reads each; ``columns_``, which columns are
        which; ``ignored_columns_``, those of no block; ``mean_`` and ``scale_`` by block.

    weights_, objective_, objective_weights_, network_, projector_
        See :class:`skcontrast.ContrastiveEncoder`, as for its other attributes.

    See Also
    --------
    skcontrast.multiview.CanonicalCorrelation : The closed form, without training.
    skcontrast.multiview.Blocks : Blocks of different kinds, as X.

    Notes
    -----
    Finding the partner of a row and serving labels pull apart: the default serves both, and
    ``views=None`` finds more partners, at the expense of rows of the same class.

    A row may lack blocks: it counts for the pairs of blocks that it has. Rows of one group, with
    ``fit(X, groups=g)``, do not meet in a batch as far as there are groups enough, so that they
    are no negatives of each other. Objectives of lists, :class:`skcontrast.objectives.ListMLE` and
    :class:`skcontrast.objectives.ListwiseWasserstein`, have all rows of a group in one batch.

    With ``objective=InfoNCE(form="one_way", hard_negatives=True)`` three blocks are what is asked,
    what answers it and what seems to but does not, which a row may lack. The last two are read by
    one network, as they are of one kind: ``tied=True``, or ``tied=["answer", "wrong"]``.

    References
    ----------
    Radford et al., "Learning transferable visual models from natural language supervision", ICML
    2021. Tian et al., "Contrastive multiview coding", ECCV 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.multiview import MultiViewContrastiveEncoder
    >>> rng = np.random.default_rng(0)
    >>> A = rng.normal(size=(100, 5))
    >>> B = A @ rng.normal(size=(5, 8)) + rng.normal(size=(100, 8))
    >>> encoder = MultiViewContrastiveEncoder(8, blocks=[5, 8], max_iter=5, random_state=0)
    >>> encoder.fit(np.hstack([A, B])).transform(np.hstack([A, B])).shape
    (100, 29)
    >>> encoder.transform_block(A, "block0").shape
    (100, 8)
    """

    _shorthand = {
        name: table for name, table in BaseContrastive._shorthand.items() if name != "network"
    } | {
        "views": "skcontrast.views:VIEWS_OF.numbers.tokens",
        "networks": "skcontrast.networks:NETWORKS_OF.numbers.tokens",
    }
    _parameter_constraints = {
        **{
            name: accepted
            for name, accepted in BaseContrastive._parameter_constraints.items()
            if name not in ("network", "n_views", "clean_anchor")
        },
        "blocks": BlocksInput._parameter_constraints["blocks"],
        **{k: Towers._parameter_constraints[k] for k in ("networks", "init", "tied", "combine")},
        "views": [*TEXT_VIEW_CONSTRAINTS, StrOptions({"auto"}), dict],
        "passthrough": ["boolean", StrOptions({"auto"}), list, tuple],
    }
    # A row is seen once in each block.
    n_views, clean_anchor = 1, False

    def __init__(
        self,
        n_components: int | None = None,
        *,
        blocks: dict | list | tuple | Literal["prefix"] | None = None,
        objective: str | Objective = "pairwise",
        init: Literal["cca"] | None = "cca",
        networks: str | Component | nn.Module | dict[str, Any] | Literal["auto"] = "auto",
        tied: bool | list | tuple = False,
        views: Views | dict[str, Any] | Literal["auto"] = "auto",
        combine: Literal["concat", "mean", "sum"] = "concat",
        passthrough: bool | Literal["auto"] | list | tuple = "auto",
        projector: str | Component | nn.Module | None = None,
        momentum: float | None = None,
        sampler: str | Component = "uniform",
        replay: str | Component | None = None,
        standardize: bool = True,
        optimizer: str | Component = "adamw",
        learning_rate: float = 2e-3,
        batch_size: int | Literal["auto"] = "auto",
        chunk_size: int | None = None,
        max_iter: int | Literal["auto"] = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        callbacks: list | tuple | None = None,
        checkpoint: FilePath | Checkpoint | None = None,
        device: str | torch.device = "auto",
        precision: Literal["float32", "bfloat16", "float64"] = "float32",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.blocks = blocks
        self.objective = objective
        self.init = init
        self.networks = networks
        self.tied = tied
        self.views = views
        self.combine = combine
        self.passthrough = passthrough
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
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.verbose = verbose

    @with_callbacks
    def fit(
        self: Self,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        prior: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        pair_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the networks of the blocks.

        Parameters
        ----------
        X : table of shape (n_samples, n_features), or Blocks
            One table with ``blocks``, or :class:`skcontrast.multiview.Blocks`. A block is absent
            in a row where all its values are NaN, and a text where it is None or NaN.

        y : array-like of shape (n_samples,) or (n_samples, n_targets), default=None
            Target, for objectives that require it; not a second table.

        condition : array-like of shape (n_samples,) or (n_samples, q), default=None
            Side variable of each row, for objectives that require ``"condition"``.

        prior : array-like of shape (n_samples, q), default=None
            Features of each row from elsewhere, for objectives that require ``"prior"``.

        groups : array-like of shape (n_samples,), default=None
            Group of each row: rows of one group are no negatives of each other, or the list that
            the objective reads.

        pair_weight : array-like of shape (n_samples,), default=None
            How much the pair that a row is counts: its relevance, or how sure it is.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        weight = check_weight(pair_weight, X, "pair_weight", "X")
        beside = {"condition": condition, "prior": prior, "groups": groups, "weight": weight}
        further = self.warm_start and hasattr(self, "weights_")
        return self._fit(X, {"target": y, **beside}, Call(None, self.max_iter, further))

    def _resolved(self, call, source, X):
        """As ever, with hard negatives only where they are read like what they are taken for."""
        objective, sampler, views = super()._resolved(call, source, X)
        names, tied, n = source.names, self.tied, len(source.names) - objective.hard_negatives
        if np.triu(source.n_pairs_[:n, :n], 1).max() < 2:
            raise ValueError(
                "No two blocks are both there in two rows or more, and so nothing says what "
                "belongs together: pass rows that have two blocks."
            )
        if objective.hard_negatives and tied is not True and not {*names[-2:]} <= {*(tied or ())}:
            raise ValueError(
                f"The last block, {names[-1]!r}, holds hard negatives of {names[-2]!r}, and tied="
                f"{tied!r} has another network read them: type tied={list(names[-2:])}, or "
                "tied=True for one network of all blocks."
            )
        return objective, sampler, views

    @property
    def _choices(self):
        """What "auto" stands for in blocks of numbers; those of texts take what suits them."""
        return {"views": clone(VIEWS["numbers"]), "networks": clone(NETWORKS["numbers"])}

    @property
    def network(self) -> Towers:
        """The networks of all blocks as one."""
        return Towers(self.networks, self.combine, self.tied, self.init)

    @property
    def width_(self) -> int:
        """Width of the shared space."""
        n = len(self.input_.names) if self.network_.combine == "concat" else 1
        return self._width // n

    @property
    def n_pairs_(self) -> np.ndarray:
        """Rows of the fit that have both of two blocks: (n_blocks, n_blocks)."""
        return self.input_.n_pairs_

    def _new_input(self):
        how = self.standardize, self.precision, self.combine
        return BlocksInput(type(self).__name__, self.blocks, *how)

    def _widths(self, source, parts):
        """As many learned columns as the shared space is wide, of each block or in all."""
        width = source.width if self.n_components is None else int(self.n_components)
        return width * (len(source.names) if self.combine == "concat" else 1), None

    # ------------------------------------------------------------ the shared space

    @property
    def _partners(self):
        """Numbers of the blocks that belong together: not that of hard negatives."""
        n = len(self.input_.names)
        return list(range(n - 1 if self.objective_.hard_negatives else n))

    @property
    def _multiplies(self):
        return any(getattr(leaf, "multiplies", False) for leaf in leaves(self.objective_))

    def _slots(self, X):
        Z = self._run(EachBlock(encoder_of(self)), X, self.input_.batch)
        return Z.reshape(len(Z), len(self.input_.names), -1).transpose(1, 0, 2)

    def _of_block(self, X, name):
        batch = self.input_.inputs_[name].batch
        return self._run(OneBlock(encoder_of(self), name), X, batch)

    def _run(self, module, X, batch):
        device = device_at_hand(self.device)
        Z = forward(module, X, batch, precision=self.precision, device=device)
        return checked_output(Z, X.dtype, self.weights_)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Names of the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; those of the fit by default.

        Returns
        -------
        names : ndarray of str
            "columns__image__x0", ... of the blocks, and what was learned as "image0", "text0", ...
            or, where blocks are combined, "shared0", ...
        """
        check_is_fitted(self, "weights_")
        if input_features is not None:
            self.input_.get_feature_names_out(input_features)
        learned = [f"shared{k}" for k in range(self._width)]
        if self.network_.combine == "concat":
            learned = self._block_columns(self._width)
        if not self.output_.has_names:
            return np.array(learned, dtype=object)
        names = self.output_.names(self.input_.column_names(input_features))
        start, stop = self.output_.part_columns_["learned"]
        return np.array([*names[:start], *learned, *names[stop:]], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = isinstance(self.blocks, dict)
        return tags
