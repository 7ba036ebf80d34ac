"""Small tunable objects, and the only door to scikit-learn's private parts.

A *component* is a description: it stores its parameters and nothing else, so it can
be cloned, printed and grid-searched like an estimator. Its ``build`` method makes the
torch object that does the work.
"""

import difflib
import sys
import warnings
from importlib import import_module
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import _param_validation as constraints
from sklearn.utils import _safe_indexing as take_rows
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

from skcontrast._site import OnSite

__all__ = [
    "Component",
    "Function",
    "HasMethods",
    "Integral",
    "Interval",
    "InvalidParameterError",
    "ListOf",
    "Options",
    "Real",
    "Several",
    "Shorthand",
    "ShorthandMixin",
    "StrOptions",
    "Worded",
    "check_count",
    "check_parameters",
    "did_you_mean",
    "resolve",
    "resolve_for",
    "take_rows",
    "warn",
]

# Modules whose lines are not the user's.
_INSIDE = ("skcontrast.", "sklearn.", "skorch.", "contextlib")


def warn(message, category=UserWarning):
    """Warn at the line of the user that led here, outside this package and scikit-learn."""
    level, frame = 2, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_INSIDE):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def _registry(path):
    """Import the table ``"module:NAME"``; late, so that torch is not loaded early.

    A table of tables, one for each kind of row, stands for all of them; ``"module:NAME.kind"``
    is one.
    """
    module, _, name = path.partition(":")
    name, *kinds = name.split(".")
    table = getattr(import_module(module), name)
    if not any(isinstance(entry, dict) for entry in table.values()):
        return table
    tables = [table[kind] for kind in kinds or table]
    return {key: entry for part in tables for key, entry in part.items()}


class HasMethods(constraints.HasMethods):
    """Constraint: an object with some methods; a class, which has them too, is none."""

    def is_satisfied_by(self, value):
        return not isinstance(value, type) and super().is_satisfied_by(value)


class Shorthand(HasMethods):
    """Constraint: a name in a registry, or an instance of the registered kind.

    ``registry`` is ``"package.module:TABLE"``, where TABLE is a dict from name to class;
    ``kind`` is what an entry is called in messages, such as ``"objective"``; ``methods`` is
    what an object must offer to be accepted in place of a name.
    """

    def __init__(self, registry, kind, methods=("build",)):
        super().__init__(list(methods))
        self.registry = registry
        self.kind = kind

    def is_satisfied_by(self, value):
        return self.accepts(value)

    def accepts(self, value):
        """Whether ``value`` is a name or an instance of the registered kind."""
        if isinstance(value, str):
            return value in _registry(self.registry)
        offers = all(callable(getattr(value, method, None)) for method in self.methods)
        return offers and not isinstance(value, type) and self._is_of_kind(value)

    def _is_of_kind(self, value):
        # Every component has ``build``: a network must not pass for a view. Of a class
        # from elsewhere, the methods are all that can be asked for.
        package, _, home = self.registry.partition(":")[0].partition(".")
        names = (c.__module__ for c in type(value).__mro__)
        bases = __name__, OnSite.__module__  # of every component
        ours = [name for name in names if name.startswith(f"{package}.") and name not in bases]
        return not ours or any(name.startswith(f"{package}.{home}") for name in ours)

    def __str__(self):
        names = ", ".join(repr(name) for name in sorted(_registry(self.registry)))
        return f"a str among {{{names}}} or a component ({self.kind})"


class Several(Shorthand):
    """Constraint: a list or tuple of what a :class:`Shorthand` accepts, or of callables."""

    def is_satisfied_by(self, value):
        # The members are checked one by one later, so that a message can name one.
        return isinstance(value, (list, tuple))

    def __str__(self):
        return "a list or tuple of these"


class Function(HasMethods):
    """Constraint: a callable that is neither a class nor a component."""

    def __init__(self):
        super().__init__(["__call__"])

    def is_satisfied_by(self, value):
        # An objective is callable too, and a class gives an object, not a result.
        return callable(value) and not isinstance(value, (type, Component))

    def __str__(self):
        return "a callable"


class Worded(HasMethods):
    """Constraint: a str that begins with a word, such as ``"star:image"``."""

    def __init__(self, word, example):
        super().__init__([])
        self.word, self.example = word, example

    def is_satisfied_by(self, value):
        return isinstance(value, str) and value.startswith(self.word)

    def __str__(self):
        return f"a str such as {self.example!r}"


class ListOf(HasMethods):
    """Constraint: a list or tuple of objects with some methods, each alone or with a name."""

    def __init__(self, methods):
        super().__init__(list(methods))

    def is_satisfied_by(self, value):
        if not isinstance(value, (list, tuple)):
            return False
        # A pair is a name and an object.
        items = [v[1] if isinstance(v, tuple) and len(v) == 2 else v for v in value]
        return all(super(ListOf, self).is_satisfied_by(item) for item in items)

    def __str__(self):
        methods = " and ".join(f"{method!r}" for method in self.methods)
        return f"a list of objects, or of pairs (name, object), that have {methods}"


def _plain(name):
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def did_you_mean(value, names):
    """Hint at the one of ``names`` that ``value`` was meant to be, after a space, or ""."""
    # "InfoNCE" and "info-nce" are "info_nce".
    plain = {_plain(name): name for name in names}
    near = difflib.get_close_matches(_plain(value), list(plain), n=1, cutoff=0.5)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def _suggestion(constraints, value):
    if isinstance(value, type):
        return f" Did you mean {value.__name__}()?" if hasattr(value, "get_params") else ""
    if not isinstance(value, str):
        return ""
    names = []
    for constraint in constraints:
        if isinstance(constraint, Shorthand):
            names += _registry(constraint.registry)
        elif isinstance(constraint, StrOptions):
            names += constraint.options
    return did_you_mean(value, sorted(names))


def _check_member(value, several, name, owner):
    """Check one member of a list of components, which may hold lists itself."""
    if isinstance(value, (list, tuple)):
        for member in value:
            _check_member(member, several, name, owner)
    elif not (value is None or Function().is_satisfied_by(value) or several.accepts(value)):
        raise InvalidParameterError(
            f"The {name!r} parameter of {owner} must hold {Shorthand.__str__(several)} or "
            f"callables. Got {value!r} among them instead.{_suggestion([several], value)}"
        )
    elif isinstance(value, Component):
        check_parameters(value)


class _Flag:
    """A bool where a number is asked for: to Python it is one, to whoever typed it none."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return repr(self.value)


def _without_flags(params, constraints):
    """The parameters with a `_Flag` for each bool that no constraint asks for."""

    def is_flag(name, value):
        accepted = constraints.get(name)
        if not isinstance(value, (bool, np.bool_)) or not isinstance(accepted, list):
            return False
        named = [c for c in accepted if isinstance(c, (str, type))]
        return not any(c in ("boolean", "verbose", bool, object) for c in named)

    return {k: _Flag(v) if is_flag(k, v) else v for k, v in params.items()}


def check_parameters(obj, deep=True):
    """Check the parameters of an estimator or component, and if ``deep`` of those it holds.

    An InvalidParameterError says the parameter, what was given and what is accepted.
    """
    params = obj.get_params(deep=False)
    constraints = obj._parameter_constraints
    owner = type(obj).__name__
    try:
        given = _without_flags(params, constraints)
        validate_parameter_constraints(constraints, given, caller_name=owner)
    except InvalidParameterError as error:
        for name, accepted in constraints.items():
            if isinstance(accepted, list) and f"The {name!r} parameter" in str(error):
                hint = _suggestion(accepted, params[name])
                raise InvalidParameterError(str(error) + hint) from None
        raise
    if not deep:
        return
    for name, value in params.items():
        if isinstance(value, Component):
            check_parameters(value)
        elif isinstance(value, (list, tuple)):
            for several in (c for c in constraints.get(name, ()) if isinstance(c, Several)):
                _check_member(value, several, name, owner)


def check_count(value, name, most=None):
    """Return a whole number of at least 1, and at most ``most``."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not whole or value < 1 or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name}={value!r}: type a whole number of at least 1{upper}.")
    return int(value)


def resolve(value, registry):
    """Return a fresh component for ``value``, a name in ``registry`` or a component.

    A name stands for its default object; a component is cloned so that a fit never writes
    into the user's object. ``registry`` is the table, or ``"package.module:TABLE"``.
    """
    table = _registry(registry) if isinstance(registry, str) else registry
    if isinstance(value, str):
        if value not in table:
            hint = did_you_mean(value, table)
            raise InvalidParameterError(f"{value!r} is not one of {sorted(table)}.{hint}")
        return table[value]()
    return clone(value, safe=False)


def resolve_for(kind, value, tables, name, advice=None, unsaid="any"):
    """Return the component for ``value``, which has to read rows of a kind.

    ``kind`` is what :class:`skcontrast._inputs.base.Input` says of the rows, and ``tables``
    holds the table of names of each kind. The message says ``name``, of the parameter, and
    ``advice``, what to type instead: by default the first name of the table. An object without
    a set ``reads`` reads ``unsaid``.
    """
    everything = {key: entry for part in tables.values() for key, entry in part.items()}
    table = tables.get(kind, everything)
    component = resolve(value, table if isinstance(value, str) and value in table else everything)
    reads = getattr(component, "reads", None)
    reads = reads if isinstance(reads, (set, frozenset)) else {unsaid}
    if not {kind, "any"} & reads:
        advice = advice or f"{name}={next(iter(table))!r}"
        raise ValueError(
            f"{name}={value!r} reads {' or '.join(sorted(reads))}, but the rows are {kind}: type "
            f"{advice}."
        )
    return component


def compose(values, registry):
    """Return the component that a list of names and components stands for.

    It is ``Compose`` of the registry's module, where there is one.
    """
    module = import_module(registry.partition(":")[0])
    if not hasattr(module, "Compose"):
        return values
    items = [resolve(v, registry) if isinstance(v, str) else v for v in values]
    return module.Compose(tuple(items))


class ShorthandMixin:
    """``set_params`` that looks through shorthand strings.

    ``objective="info_nce"`` has no sub-parameters, so ``objective__temperature`` would
    not be found; the string is turned into the object it stands for first.
    """

    # parameter name -> "package.module:TABLE"
    _shorthand: dict[str, Any] = {}

    def _settled(self, name, value):
        """What a value of the parameter ``name`` stands for, before its own parameters are set."""
        return value

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this object and of the components it holds.

        Parameters
        ----------
        **params : dict
            ``name=value`` or ``name__subname=value``. Where ``name`` holds a shorthand
            string, the string becomes its default object before ``subname`` is set; a
            list becomes a ``Compose``, whose members are "0", "1", ...

        Returns
        -------
        self : object
        """
        for key in list(params):
            name, delimiter, _ = key.partition("__")
            if not delimiter or name not in self._shorthand:
                continue
            value = self._settled(name, params.get(name, getattr(self, name, None)))
            if isinstance(value, dict):
                raise ValueError(
                    f"{key} is set in {name}={value!r}, whose entries have no parameters of that "
                    f"name: type {name}={{...}} anew."
                )
            if isinstance(value, str):
                params[name] = resolve(value, self._shorthand[name])
            elif isinstance(value, (list, tuple)):
                params[name] = compose(value, self._shorthand[name])
            elif value is not None:
                params[name] = value
        return super().set_params(**params)  # type: ignore[misc]


if TYPE_CHECKING:
    # scikit-learn has no annotations. Of a class whose base may be anything, mypy takes
    # ``0.5 * InfoNCE()`` to be a number.
    class _Base:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
else:
    _Base = BaseEstimator


class Component(ShorthandMixin, OnSite, _Base):
    """A description with parameters; ``build`` makes the object that does the work.

    Components behave like scikit-learn estimators without ``fit``: they have
    ``get_params``, ``set_params``, a repr, and can be cloned and grid-searched.
    """

    # parameter name -> list of constraints, as in scikit-learn
    _parameter_constraints: dict = {}

    def build(self, *args: Any) -> Any:
        """Make the torch object that this component describes."""
        raise TypeError(f"{type(self).__name__} does not say how it is built.")
