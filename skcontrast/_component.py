"""Small tunable objects, and the only door to scikit-learn's private parts.

A *component* is a description: it stores its parameters and nothing else, so it can
be cloned, printed and grid-searched like an estimator. Its ``build`` method makes the
torch object that does the work.
"""

import difflib
from importlib import import_module
from numbers import Integral, Real

from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = [
    "Component",
    "HasMethods",
    "Integral",
    "Interval",
    "InvalidParameterError",
    "Options",
    "Real",
    "Shorthand",
    "ShorthandMixin",
    "StrOptions",
    "check_parameters",
    "resolve",
]


def _registry(path):
    """Import the table ``"module:NAME"``; late, so that torch is not loaded early."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


class Shorthand(HasMethods):
    """Constraint: a name in a registry, or an instance of the registered kind.

    Parameters
    ----------
    registry : str
        ``"package.module:TABLE"``, where TABLE is a dict from name to class.

    kind : str
        What an entry is called in messages, such as ``"objective"``.

    methods : tuple of str, default=("build",)
        What an object must offer to be accepted in place of a name.
    """

    def __init__(self, registry, kind, methods=("build",)):
        super().__init__(list(methods))
        self.registry = registry
        self.kind = kind

    def is_satisfied_by(self, value):
        if isinstance(value, str):
            return value in _registry(self.registry)
        return not isinstance(value, type) and all(
            callable(getattr(value, method, None)) for method in self.methods
        )

    def __str__(self):
        names = ", ".join(repr(name) for name in sorted(_registry(self.registry)))
        return f"a str among {{{names}}} or a component ({self.kind})"


def _suggestion(constraint, value):
    if isinstance(constraint, Shorthand) and isinstance(value, str):
        near = difflib.get_close_matches(value, list(_registry(constraint.registry)), n=1)
        if near:
            return f" Did you mean {near[0]!r}?"
    return ""


def check_parameters(obj):
    """Check ``obj``'s parameters, and those of the components it holds.

    Parameters
    ----------
    obj : estimator or Component
        Object with ``_parameter_constraints``.

    Raises
    ------
    InvalidParameterError
        One sentence with the parameter, what was given and what is accepted.
    """
    params = obj.get_params(deep=False)
    constraints = obj._parameter_constraints
    try:
        validate_parameter_constraints(constraints, params, caller_name=type(obj).__name__)
    except InvalidParameterError as error:
        for name, accepted in constraints.items():
            if not isinstance(accepted, list) or f"The {name!r} parameter" not in str(error):
                continue
            hints = [_suggestion(constraint, params[name]) for constraint in accepted]
            raise InvalidParameterError(str(error) + "".join(hints)) from None
        raise
    for value in params.values():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(item, Component):
                check_parameters(item)


def resolve(value, registry):
    """Return a fresh component for ``value``, a name in ``registry`` or a component.

    Parameters
    ----------
    value : str or Component
        Name of an entry, which stands for its default object, or a component, which
        is cloned so that a fit never writes into the user's object.

    registry : str or dict
        The table of names, or ``"package.module:TABLE"``.

    Returns
    -------
    component : Component
    """
    table = _registry(registry) if isinstance(registry, str) else registry
    if isinstance(value, str):
        if value not in table:
            near = difflib.get_close_matches(value, list(table), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise InvalidParameterError(f"{value!r} is not one of {sorted(table)}.{hint}")
        return table[value]()
    return clone(value, safe=False)


class ShorthandMixin:
    """``set_params`` that looks through shorthand strings.

    ``objective="info_nce"`` has no sub-parameters, so ``objective__temperature`` would
    not be found; the string is turned into the object it stands for first.
    """

    # parameter name -> "package.module:TABLE"
    _shorthand = {}

    def set_params(self, **params):
        """Set the parameters of this object and of the components it holds.

        Parameters
        ----------
        **params : dict
            ``name=value`` or ``name__subname=value``. Where ``name`` holds a shorthand
            string, the string becomes its default object before ``subname`` is set.

        Returns
        -------
        self : object
        """
        for key in list(params):
            name, delimiter, _ = key.partition("__")
            if not delimiter or name not in self._shorthand:
                continue
            value = params.get(name, getattr(self, name, None))
            if isinstance(value, str):
                params[name] = resolve(value, self._shorthand[name])
        return super().set_params(**params)


class Component(ShorthandMixin, BaseEstimator):
    """A description with parameters; ``build`` makes the object that does the work.

    Components behave like scikit-learn estimators without ``fit``: they have
    ``get_params``, ``set_params``, a repr, and can be cloned and grid-searched.
    """

    # parameter name -> list of constraints, as in scikit-learn
    _parameter_constraints: dict = {}

    def build(self, *args):
        """Make the torch object that this component describes."""
        raise TypeError(f"{type(self).__name__} does not say how it is built.")
