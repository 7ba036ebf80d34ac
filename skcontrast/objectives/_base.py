"""What an objective is: a description whose ``loss`` is a formula over named tensors."""

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Component, Integral, Interval, Real, StrOptions
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import by_key, prepared, target_key
from skcontrast.functional import BlockSize
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS, Temperature, build_temperature


class BuiltObjective(nn.Module):
    """An objective with its state, ready to train with."""

    def __init__(self, objective, n_samples):
        super().__init__()
        self.objective = objective
        self.draws = objective.draws
        self.temperature = None
        if hasattr(objective, "temperature"):
            rule = objective._settled("temperature", objective.temperature)
            self.temperature = build_temperature(rule, n_samples)
            # Of a rule of another package nothing is known.
            self.draws |= not type(self.temperature).__module__.startswith("skcontrast.")

    def prepare(self, side, given, n_components=None):
        """Read what depends on all rows, once before training.

        ``side`` holds the side information as tensors (n_samples, ...), ``given`` the
        arguments of ``fit`` as they came, with ``classes``, those that the codes of a
        target stand for, ``rows``, and ``width``, that of a projection, and ``n_components``
        is the embedding's width.
        """

    def refresh(self, epoch, project):
        """Renew what depends on where all rows lie by now; called before each epoch.

        ``project()`` gives the projection of every row as it is, (n_samples, d), without
        a gradient; it costs a pass over the rows.
        """

    def forward(self, views, own=None, **named):
        if own and self.objective in own:
            named |= own[self.objective]
            views = named.pop("views")
        # The similarities and the logarithms are taken in float32 under autocast:
        # exp(1 / tau) overflows float16 below tau = 0.09.
        views = _widened(views)
        for name in named.keys() & {"embedding", "steps", "keys"}:
            named[name] = _widened(named[name])
        if self.temperature is not None:
            named["temperature"] = self.temperature
        weight = named.pop("weight", None)
        autocast = torch.is_autocast_enabled(views.device.type)
        with torch.autocast(views.device.type, enabled=False) if autocast else nullcontext():
            loss = self.objective.loss(views, **named)
        return loss if weight is None else self._weighted(loss, weight)

    def _weighted(self, loss, weight):
        """Weigh the anchors of a batch so that the mean is their weighted mean."""
        if loss.ndim == 0:
            raise ValueError(
                f"{one_line(self.objective)} has one loss for a whole batch, whose rows cannot be "
                "weighted: type class_weight=None (of blocks, pair_weight=None), or an objective "
                "with a loss for each row, such as 'supcon'."
            )
        weight = weight.to(loss.dtype).repeat(len(loss) // len(weight))
        # Anchors that do not count have no loss, and their share is in that of the others.
        counts = loss.detach() != 0
        weight = torch.where(counts, weight, 0)
        mean = weight.sum() / counts.sum().clamp_min(1)
        return loss * weight / mean.clamp_min(torch.finfo(loss.dtype).tiny)


def _widened(x):
    """Half precision as float32, all else as it is."""
    return x.float() if x is not None and x.dtype.itemsize < 4 else x


class BuiltByEpochs(BuiltObjective):
    """An objective that is renewed before epochs, from the ``warm_up``-th on.

    A subclass has ``renew(projection)``, which reads where all rows lie, (n_samples, d).
    """

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.register_buffer("n_epochs", torch.zeros((), dtype=torch.long))
        self.epochs = None  # n_epochs on the host: reading it would wait for the device
        self.warming = False

    def refresh(self, epoch, project):
        # Not ``epoch``, which starts anew in every call of fit.
        if self.epochs is None:
            self.epochs = int(self.n_epochs)
        since = self.epochs - self.objective.warm_up
        self.warming = since < 0
        every = getattr(self.objective, "refresh_every", 1)
        # None is once.
        if not self.warming and (since == 0 if every is None else since % every == 0):
            self.renew(project())
        self.epochs += 1
        self.n_epochs += 1


class Objective(Component):
    """Base of the objectives.

    A subclass states what it needs in ``requires`` and writes its formula in ``loss``.
    Its parameters only describe; what changes during training (a learned temperature,
    an estimate for each sample) lives in the module that ``build`` makes.

    Adding and scaling make sums: ``InfoNCE() + 0.5 * AlignmentUniformity()``.
    """

    # Named tensors that ``loss`` needs.
    requires: tuple[str, ...] = ("views",)
    # What ``target`` holds, where it is required: "class" (codes, -1 for unlabelled rows),
    # "real" ((n, t) numbers, NaN for unlabelled rows) or "labels" ((n, t) codes).
    target_type = "class"
    # The objectives that a sum is made of.
    terms: tuple["Objective", ...] = ()
    # Fewest views, of those that terms share, and fewest rows of a batch that the formula is
    # defined for.
    min_views = 2
    min_rows = 2
    # Whether views are those of blocks that a row may lack, as ``present`` (V, n) bool says.
    accepts_missing = False
    # Whether the last view holds hard negatives, which few views can make.
    hard_negatives = False
    # Whether a batch has to hold all rows of a group that it holds one of, as of a list.
    whole_groups = False
    # Whether the rows as they are stand before the view that a term has for itself.
    reads_whole = False
    # What a class says of its own ``loss``, and not for subclasses: no random number is in it.
    never_draws = False
    # What ``build`` makes of it.
    _module: type[BuiltObjective] = BuiltObjective

    @property
    def draws(self) -> bool:
        """Whether random numbers may be in the loss."""
        return not vars(type(self)).get("never_draws", False)

    def check_views(self, n_views: int, makes_negatives: bool = False) -> None:
        """Raise when an estimator's ``n_views`` views of each row do not suit."""
        if self.hard_negatives and not makes_negatives:
            raise ValueError(
                f"{type(self).__name__} takes the last view for hard negatives, which these views "
                "do not make: type objective='info_nce', or, for rows of numbers, "
                "views=('neighbor_bands', 'corruption') with n_views=3."
            )
        for other in leaves(self) if self.hard_negatives else ():
            if not other.hard_negatives and getattr(other, "form", None) != "one_way":
                raise ValueError(
                    f"{type(self).__name__} takes the last view for hard negatives, which "
                    f"{type(other).__name__} would pull near: type InfoNCE(form='one_way') in "
                    "its place."
                )
        if n_views < self.min_views:
            raise ValueError(
                f"n_views={n_views}, but {type(self).__name__} needs at least "
                f"{self.min_views} views of each row: type n_views={self.min_views}."
            )

    def own_views(self, kind: str) -> dict["Objective", Any]:
        """Views that terms are handed in place of those that all share, by term.

        ``kind`` says what a row is. A term finds what the network makes of its view, with V = 1,
        under the names of the shared ones.
        """
        return {}

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (n_anchors,) or ()."""
        raise TypeError(f"{type(self).__name__} does not define a loss.")

    def build(self, n_samples: int) -> nn.Module:
        """Make the torch module that evaluates the objective during training.

        Parameters
        ----------
        n_samples : int
            Rows of the training data, for rules that keep a state for each.

        Returns
        -------
        module : torch.nn.Module
            ``module(views=..., **named) -> loss``.
        """
        built = self._module(self, n_samples)
        key = target_key(self)
        if key != "target":
            built.register_forward_pre_hook(by_key(key), with_kwargs=True)
        rule = getattr(self, "temperature", None)
        if rule is not None and not self._accepts(built.temperature):
            raise ValueError(
                f"temperature={rule!r} is a rule for InfoNCE and is not defined "
                f"for {type(self).__name__}: use a positive number or 'learned'."
            )
        return built

    def _accepts(self, rule):
        """Whether the formula is defined for a temperature rule."""
        return not rule.decoupled

    def __call__(self, views: Tensor, **named: Any) -> Tensor:
        """Evaluate on tensors: ``views`` (V, n, d) and what ``requires`` names."""
        n_samples = views.shape[1]
        if named.get("index") is not None:
            n_samples = max(n_samples, int(named["index"].max()) + 1)
        return self.build(n_samples)(views=views, **named)

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum(self, other)

    def __mul__(self, weight: float) -> "Objective":
        if not isinstance(weight, Real):
            return NotImplemented
        return Weighted(self, weight)

    __rmul__ = __mul__


def leaves(objective):
    """The objectives that a sum is made of at last; itself, where it is none."""
    if not objective.terms:
        return [objective]
    return [leaf for term in objective.terms for leaf in leaves(term)]


class _Composite(Objective):
    """Objectives that are added, each times one of ``_weights``."""

    _weights: tuple[float, ...]

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that one of the objectives needs."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.requires))

    @property
    def min_views(self) -> int:
        """Fewest views."""
        return max(term.min_views for term in self.terms)

    @property
    def min_rows(self) -> int:
        """Fewest rows of a batch."""
        return max(term.min_rows for term in self.terms)

    @property
    def draws(self) -> bool:
        """Whether one of the objectives draws."""
        return any(term.draws for term in self.terms)

    @property
    def accepts_missing(self) -> bool:
        """Whether rows may lack blocks."""
        return all(term.accepts_missing for term in self.terms)

    @property
    def hard_negatives(self) -> bool:
        """Whether the last view holds hard negatives."""
        return any(term.hard_negatives for term in self.terms)

    @property
    def whole_groups(self) -> bool:
        """Whether batches hold whole groups."""
        return any(term.whole_groups for term in self.terms)

    def check_views(self, n_views: int, makes_negatives: bool = False) -> None:
        """Raise when an estimator's views do not suit one of the objectives."""
        super().check_views(n_views, makes_negatives)
        for term in () if self.hard_negatives else self.terms:  # the last view is for some alone
            term.check_views(n_views, makes_negatives)

    def own_views(self, kind: str) -> dict[Objective, Any]:
        return {k: view for term in self.terms for k, view in term.own_views(kind).items()}

    def build(self, n_samples: int) -> nn.Module:
        return _BuiltSum([term.build(n_samples) for term in self.terms], self._weights)


class Weighted(_Composite):
    """An objective times a number, as ``0.5 * InfoNCE()``.

    Parameters
    ----------
    objective : Objective

    weight : float, default=1.0

    Examples
    --------
    >>> from skcontrast.objectives import InfoNCE
    >>> 0.5 * InfoNCE()
    Weighted(objective=InfoNCE(), weight=0.5)
    """

    _parameter_constraints = {
        "objective": [Objective],
        "weight": [Interval(Real, None, None, closed="neither")],
    }

    def __init__(self, objective: Objective, weight: float = 1.0):
        self.objective = objective
        self.weight = weight

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objective that is weighted."""
        return (self.objective,)

    @property
    def _weights(self):
        return (self.weight,)


class Sum(_Composite):
    """The sum of two objectives, as ``InfoNCE() + BarlowTwins()``.

    Parameters
    ----------
    first, second : Objective

    Examples
    --------
    >>> from skcontrast.objectives import InfoNCE
    >>> (InfoNCE() + InfoNCE(form="two_way")).set_params(first__temperature=0.5)
    Sum(first=InfoNCE(temperature=0.5), second=InfoNCE(form='two_way'))
    """

    _parameter_constraints = {"first": [Objective], "second": [Objective]}
    _weights = 1, 1

    def __init__(self, first: Objective, second: Objective):
        self.first = first
        self.second = second

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objectives that are added."""
        return self.first, self.second


class _BuiltSum(nn.Module):
    def __init__(self, terms, weights):
        super().__init__()
        self.terms = nn.ModuleList(terms)
        self.weights = weights
        self.draws = any(getattr(term, "draws", True) for term in terms)

    def prepare(self, side, given, n_components=None):
        for term in self.terms:
            prepared(term, side, given, n_components)

    def refresh(self, epoch, project):
        for term in self.terms:
            if hasattr(term, "refresh"):
                term.refresh(epoch, project)

    def forward(self, **named):
        # Terms may have different anchors, so each is averaged before they are added.
        return sum(w * term(**named).mean() for w, term in zip(self.weights, self.terms))


class PairObjective(Objective):
    """An objective over pairs of unit rows of all views, through the pair engine."""

    # Parameters that subclasses have.
    temperature: Temperature
    block_size: BlockSize

    _parameter_constraints = {
        "temperature": TEMPERATURE_CONSTRAINTS,
        "block_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
    }
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}


def anchor_index(index, views):
    """Row numbers of the anchors (V n,), by default the positions in the batch."""
    n_views, n = views.shape[:2]
    if index is None:
        index = torch.arange(n, device=views.device)
    return index.repeat(n_views)
