"""One target or several: what a term reads of them, and how it is found."""

import numpy as np

from skcontrast._component import did_you_mean
from skcontrast._inputs.frame import is_frame
from skcontrast._inputs.target import encode_target, n_rows, parts_of

# What is read in place of y where a target is called so.
BESIDE = ("condition", "groups")
# Values of the parameter ``target``, and what it says of y by default.
TARGET_CONSTRAINTS = [str]


def source_of(component):
    """What a component reads as its target: "y", what stands beside X, or a name; None: nothing."""
    if "target" not in getattr(component, "requires", ()):
        return None
    return getattr(component, "target", "y")


def target_key(component):
    """Name of the tensor that a component reads its target from.

    y as it is has the name ``target``. All else has the name of its source, and the kind that it
    is read as, since two terms may read one source as different kinds.
    """
    source = source_of(component)
    if source in (None, "y"):
        return "target"
    return f"target:{source}:{getattr(component, 'target_type', 'class')}"


def argument_of(component):
    """The argument of ``fit`` that holds a component's target."""
    source = source_of(component)
    return source if source in BESIDE else "target"


def readers_of(components):
    """Components that read a target other than y as it is: the first of each tensor."""
    found = {}
    for c in parts_of(components):
        if source_of(c) not in (None, "y"):
            found.setdefault(target_key(c), c)
    return found


def reads_y(component):
    """Whether a component, or a part of it, reads y as it is."""
    return any(source_of(c) == "y" for c in parts_of([component]))


def names_of(y):
    """Names of the targets that y holds; none where it is one target without a name."""
    if isinstance(y, dict):
        names = y
    else:
        names = y.columns if is_frame(y, "y") else ()
    return [name for name in names if isinstance(name, str)]


def target_of(given, component):
    """What a component reads as its target, as it was given to ``fit``."""
    source, y = source_of(component), given.get("target")
    if source in BESIDE:
        return given.get(source)
    if source in (None, "y"):
        return y
    names, who = names_of(y), f"{type(component).__name__}(target={source!r})"
    if source not in names:
        said = f"y has the targets {', '.join(map(repr, names))}" if names else "y has no names"
        if isinstance(y, dict) and y and not names:
            said = f"the names of y, such as {next(iter(y))!r}, are no strings"
        hint = did_you_mean(source, names) if names else ""
        advice = "type one of these" if names else f"pass y={{{source!r}: ...}} or a DataFrame"
        raise ValueError(
            f"{who} reads a target that y does not have: {said}; {advice}, 'condition' or "
            f"'groups'.{hint}"
        )
    return y[source]


def check_one(y, components):
    """Raise where y holds several targets, and a component reads it as one."""
    names = names_of(y)
    for c in parts_of(components):
        one = getattr(c, "target_type", "class") == "class" and len(names) > 1
        if source_of(c) == "y" and (one or isinstance(y, dict)):
            who = type(c).__name__
            if not names:
                raise ValueError(f"y is a dict without names: pass fit(X, y) for {who}.")
            advice = f"pass y[{names[0]!r}]"
            if hasattr(c, "target"):
                advice = f"type {who}(target={names[0]!r})"
            raise ValueError(
                f"{who} reads one target, and y has {', '.join(map(repr, names))}: {advice}, or "
                "another of them."
            )


def needs(*components):
    """Names of what components require, and for each the last that does.

    A target that is read from beside X has the name of that argument of ``fit``.
    """
    found = {}
    for c in parts_of(components):
        for name in getattr(c, "requires", ()):
            found[argument_of(c) if name == "target" else name] = type(c).__name__
    return found


def as_they_are(component):
    """What a component requires under its own name."""
    requires = getattr(component, "requires", ())
    return [n for n in requires if n != "target" or source_of(component) == "y"]


def _check_rows(name, n, n_samples):
    if n != n_samples:
        raise ValueError(
            f"The target {name!r} has {n} rows, but X has {n_samples}: pass one entry for each row "
            "of X."
        )


def read_targets(named, given, n_samples, earlier):
    """Tensors of the targets that are read by name or from beside X, and what they are."""
    side, learned, y = {}, {}, given.get("target")
    for name in names_of(y) if isinstance(y, dict) else ():
        _check_rows(name, n_rows(y[name], n_samples), n_samples)
    for key, c in named.items():
        source, value = source_of(c), target_of(given, c)
        before = (earlier or {}).get(source, {})
        scales = (before["mean"], before["scale"]) if "mean" in before else None
        how = getattr(c, "target_type", "class"), scales, before.get("classes"), np.float32
        try:
            side[key], found = encode_target(value, type(c).__name__, *how)
        except ValueError as error:
            raise ValueError(f"The target {source!r}: {error}") from None
        _check_rows(source, len(side[key]), n_samples)
        found = {k.removeprefix("target_").removesuffix("_"): v for k, v in found.items()}
        learned[source] = {**learned.get(source, {}), **found}
    return side, learned


def prepared(built, side, given, n_components):
    """Hand a term of a criterion what it reads of all rows, its target under the name of one."""
    if not hasattr(built, "prepare"):
        return
    term = getattr(built, "objective", None)
    key = target_key(term)
    if key != "target" and not hasattr(built, "terms"):
        learned = (given.get("targets") or {}).get(source_of(term), {})
        one = {"target": target_of(given, term), "classes": learned.get("classes")}
        side, given = {**side, "target": side[key]}, {**given, **one}
    built.prepare(side, given, n_components)


def by_key(key):
    """A hook of a module's forward pass: what stands under ``key`` is its target."""

    def hook(module, args, named):
        return args, {**named, "target": named[key]} if key in named else named

    return hook
