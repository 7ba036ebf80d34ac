"""Views: what a view is, how views are composed, and what may stand for one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from inspect import Parameter, signature
from typing import Any, TypeAlias

import torch

from skcontrast._component import Component, Function, Several, Shorthand, resolve, resolve_for
from skcontrast._inputs.rows import Rows, SparseBatch
from skcontrast._typing import Self

# What may stand for views: a name, an object, a function of the batch, or several of these.
Views: TypeAlias = str | Component | Callable | list | tuple | None
# Names of views of every kind of row, and of the kind that most estimators read.
REGISTRY = "skcontrast.views:VIEWS_OF"
NUMBERS = "skcontrast.views:VIEWS"

VIEW_CONSTRAINTS = [Shorthand(NUMBERS, "view"), Function(), Several(NUMBERS, "view"), None]
TEXT_VIEW_CONSTRAINTS = [Shorthand(REGISTRY, "view"), Function(), Several(REGISTRY, "view"), None]


class View(Component):
    """A random change of a row that keeps what matters about it.

    Subclasses have a ``build`` that makes the change from the training rows.
    """

    # Kinds of rows that it changes.
    reads = frozenset({"numbers"})
    # Whether it reads rows in time order: groups are then sessions, which it does not leave,
    # and not views of each other, and early stopping holds out the end of each.
    ordered = False

    def build(self, rows: Rows) -> Callable[[Any, torch.Tensor], Any]:
        """Make the function ``(x, index) -> x'`` of one batch.

        Parameters
        ----------
        rows : Rows
            The training data.

        Returns
        -------
        view : callable
            Takes the batch, a tensor (n, n_features) or a SparseBatch, and the row
            numbers (n,); gives a new batch of the same kind and shape. It draws from
            torch's default generator of the batch's device.
        """
        return super().build(rows)


def entries(batch):
    """What rows are made of as one tensor: all numbers, stored values, or weights of words."""
    if torch.is_tensor(batch):
        return batch
    return batch.values if isinstance(batch, SparseBatch) else batch.weights


def with_values(batch, values):
    """The batch with other entries in the same places."""
    if isinstance(batch, SparseBatch):
        return SparseBatch(batch.indices, batch.offsets, values, batch.n_features)
    return values if torch.is_tensor(batch) else batch.with_weights(values)


def with_entries(batch, replaced, other, source):
    """The sparse batch with its ``replaced`` entries from ``source`` among those of another."""
    indices = torch.where(replaced, other.indices.index_select(0, source), batch.indices)
    values = torch.where(replaced, other.values.index_select(0, source), batch.values)
    return SparseBatch(indices, batch.offsets, values, batch.n_features)


def some_kept(score, rate, row, n):
    """Which entries score at least ``rate``, and the best of each of ``n`` rows: bool."""
    best = score.new_zeros(n).scatter_reduce(0, row, score, "amax")
    return (score >= rate) | (score == best[row])


def _identity(x, index):
    return x


def _in_turn(built):
    def view(x, index):
        for step in built:
            x = step(x, index)
        return x

    return built[0] if len(built) == 1 else view


def _named(name):
    """New views of this name: one for each kind of row that has it."""
    tables = import_module("skcontrast.views").VIEWS_OF.values()
    return [table[name]() for table in tables if name in table] or [resolve(name, REGISTRY)]


def members(views: Views) -> list:
    """The objects in a composition of views, one by one, in order.

    Parameters
    ----------
    views : str, View, callable, list or tuple of these, or None

    Returns
    -------
    members : list
        A name is the views that it stands for, one for each kind of row that has it.
    """
    if isinstance(views, Compose):
        views = views.views
    if isinstance(views, (list, tuple)):
        return [member for view in views for member in members(view)]
    if isinstance(views, str):
        return _named(views)
    return [] if views is None else [views]


def reads_order(views: Views) -> bool:
    """Whether one of these views reads rows in time order.

    Parameters
    ----------
    views : str, View, callable, list or tuple of these, or None
    """
    return any(getattr(view, "ordered", False) for view in members(views))


def _reads_index(function):
    """Whether a function has two arguments without a default: the batch and its row numbers."""
    try:
        given = signature(function).parameters.values()
    except (TypeError, ValueError):  # of C, without a signature
        return False
    kinds = Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD
    return sum(p.default is p.empty and p.kind in kinds for p in given) == 2


def _from_function(function):
    """Wrap a user's function of the batch, or of the batch and its row numbers."""
    name = getattr(function, "__name__", type(function).__name__)
    is_new, reads_index = True, _reads_index(function)

    def view(x, index):
        nonlocal is_new
        sparse = isinstance(x, SparseBatch)
        # A copy, as the function may write into its argument, which other views share.
        given = with_values(x, x.values.clone()) if sparse else x.clone()
        try:
            out = function(given, index) if reads_index else function(given)
        except torch.cuda.OutOfMemoryError:
            raise  # not the function's fault; the estimator says what to type
        except Exception as error:  # a user's code raises what it likes
            reason = str(error).partition("\n")[0]
            raise ValueError(
                f"views: the function {name} failed on a {type(given).__name__} of shape "
                f"{tuple(x.shape)}: {type(error).__name__}: {reason}"
            ) from error
        kind = torch.Tensor if torch.is_tensor(given) else type(given)
        if isinstance(out, kind) and out.shape == x.shape and not out.dtype.is_complex:
            values = out if kind is torch.Tensor else getattr(out, "values", None)
            if is_new and torch.is_tensor(values) and not values.isfinite().all():
                raise ValueError(f"views: the function {name} returned NaN or infinity.")
            is_new = False  # asked once, as it waits for the device
            return out.to(x.dtype) if kind is torch.Tensor and out.dtype != x.dtype else out
        got = f"a {type(out).__name__}"
        if hasattr(out, "shape"):
            got += f" of shape {tuple(out.shape)}"
        if isinstance(out, kind) and out.dtype.is_complex:
            got = f"complex numbers of type {out.dtype}"
        raise ValueError(
            f"views: the function {name} must return a {kind.__name__} of the shape of its "
            f"argument, {tuple(x.shape)}, got {got}."
        )

    return view


def build_views(views: Views, rows: Rows) -> Callable[[Any, torch.Tensor], Any]:
    """Make one function of a batch from whatever may stand for views.

    Parameters
    ----------
    views : str, View, callable, list or tuple of these, or None
        A name in ``VIEWS``, a component, a function ``x -> x'`` of the batch tensor or
        ``(x, index) -> x'`` of it and its row numbers, or several of these, applied in order.
        None and an empty list change nothing.

    rows : Rows
        The training data.

    Returns
    -------
    view : callable
        ``(x, index) -> x'``.
    """
    if rows.kind == "blocks":
        return import_module("skcontrast.views._blocks").by_block(views, rows, build_views)
    if views is None:
        return _identity
    if isinstance(views, (list, tuple)):
        built = [build_views(view, rows) for view in views]
        return _in_turn(built) if built else _identity
    if isinstance(views, type):
        name = views.__name__
        raise TypeError(f"views: got the class {name}, not an object: type {name}().")
    if isinstance(views, str) or hasattr(views, "build"):
        tables = import_module("skcontrast.views").VIEWS_OF
        return resolve_for(rows.kind, views, tables, "views").build(rows)
    if callable(views):
        return _from_function(views)
    raise TypeError(
        f"views: got {views!r}, a {type(views).__name__}; accepted are a name such as "
        "'corruption', a component of skcontrast.views, a function of the batch, or a "
        "list of these."
    )


def build_slots(
    views: Views, rows: Rows, n: int, network: Callable | None = None
) -> list[Callable[[Any, torch.Tensor], Any]]:
    """Make the functions of ``n`` views of each row, equal but for views with ``build_slots``.

    Parameters
    ----------
    views : str, View, callable, list or tuple of these, or None

    rows : Rows
        The training data.

    n : int
        Number of views. Their functions are called in order for every batch.

    network : torch module, default=None
        With the parts ``encoder`` and ``projector``, for views that read what is learned.

    Returns
    -------
    slots : list of callable
        Each ``(x, index) -> x'``.
    """
    if rows.kind == "blocks" or isinstance(views, type):
        return [build_views(views, rows)] * n
    if isinstance(views, (list, tuple)) and views:
        parts = [build_slots(view, rows, n, network) for view in views]
        return [_in_turn(list(slot)) for slot in zip(*parts)]
    if isinstance(views, str) or hasattr(views, "build_slots"):
        views = resolve_for(rows.kind, views, import_module("skcontrast.views").VIEWS_OF, "views")
        if hasattr(views, "build_slots"):
            return views.build_slots(rows, n, network)
    return [build_views(views, rows)] * n


class Compose(View):
    r"""Several views, applied in order.

    .. math:: x' = v_m(\ldots v_2(v_1(x)))

    A list or tuple of views stands for it. :class:`Neighbors` makes sense only in the
    first place, because it replaces the row. The parameters of the members are reached
    by position: ``Compose(views=("corruption", "noise"))`` has the parameters ``0``,
    ``0__rate``, ``1`` and ``1__scale``.

    Parameters
    ----------
    views : list or tuple, default=()
        Names, components or functions ``x -> x'`` of the batch.

    References
    ----------
    Chen et al., "A simple framework for contrastive learning of visual
    representations", ICML 2020: composed views teach more than single ones.

    Examples
    --------
    >>> from skcontrast.views import Compose, GaussianNoise
    >>> view = Compose(views=("mask", GaussianNoise(scale=0.2)))
    >>> view.get_params()["1__scale"]
    0.2
    >>> view.set_params(**{"0__rate": 0.5})
    Compose(views=(FeatureMask(rate=0.5), GaussianNoise(scale=0.2)))
    """

    _parameter_constraints = {"views": [Several(REGISTRY, "view")]}

    reads = frozenset({"any"})

    def __init__(self, views: list | tuple = ()):
        self.views = views

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters, and with ``deep`` those of each view under its position.

        Parameters
        ----------
        deep : bool, default=True
            Whether the members and their parameters are included.

        Returns
        -------
        params : dict
        """
        params = super().get_params(deep=False)
        members = self.views if deep and isinstance(self.views, (list, tuple)) else ()
        for i, view in enumerate(members):
            params[f"{i}"] = view
            for member in _named(view) if isinstance(view, str) else [view]:
                own = member.get_params() if hasattr(member, "get_params") else {}
                params.update((f"{i}__{key}", value) for key, value in own.items())
        return params

    def set_params(self: Self, **params: Any) -> Self:
        """Set ``views``, a member by its position, or a parameter of a member.

        Parameters
        ----------
        **params : dict
            ``views=``, ``"0"`` or ``"0__rate"`` and the like. A name is replaced by the
            object that it stands for before its parameter is set.

        Returns
        -------
        self : object
        """
        if "views" in params:
            self.views = params.pop("views")
        if not params:
            return self
        views = list(self.views)
        # Whole members before their parameters: "0" sorts before "0__rate".
        for key, value in sorted(params.items(), key=lambda item: item[0]):
            place, delimiter, sub_key = key.partition("__")
            if not place.isdecimal() or int(place) >= len(views):
                raise ValueError(
                    f"Invalid parameter {key!r} for {self!r}: valid are 'views' and the "
                    f"positions of its {len(views)} members, as '0' or '0__rate'."
                )
            i = int(place)
            if not delimiter:
                views[i] = value
                continue
            if isinstance(views[i], str):
                # Which rows it is for is not known yet: the parameter tells.
                found, own = _named(views[i]), sub_key.partition("__")[0]
                views[i] = next((view for view in found if own in view.get_params()), found[0])
            views[i].set_params(**{sub_key: value})
        self.views = type(self.views)(views)
        return self

    def build(self, rows: Rows) -> Callable[[Any, torch.Tensor], Any]:
        return build_views(self.views, rows)

    def build_slots(self, rows: Rows, n: int, network: Any = None) -> list[Callable]:
        """Make the functions of ``n`` views of each row, as :func:`build_slots` does."""
        return build_slots(self.views, rows, n, network)
