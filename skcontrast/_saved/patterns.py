r"""Regular expressions of strangers: those that may never end are run only where a user says so.

Python's ``re`` goes back and tries again: ``(a+)+$`` takes twice as long with every letter, and
cannot be stopped. Run without asking are the defaults of the package, and patterns whose time
grows with the length of a text alone: alternatives of single letters or classes, without groups,
of which only the last may be repeated as often as it fits.
"""

import inspect
import re
from importlib import import_module

_ATOM = r"(?:\\[wWdDsS]|\[\^?\]?(?:\\.|[^\\\[\]])+\]|[^\\\[\](){}|*+?^$]|\\[^a-zA-Z0-9])"
# Counts that leave a choice, one after the other, would multiply.
_LAST = r"(?:[+*?]|\{\d{1,2}(?:,\d{0,2})?\})?"
_BRANCH = rf"(?:\\b)?(?:{_ATOM}(?:\{{\d{{1,2}}\}})?)*{_ATOM}{_LAST}"
# From a border on, a run of letters is tried once; of other characters, from each border in it.
_LETTER = r"(?:\\w|\[(?:[a-zA-Z0-9]-[a-zA-Z0-9]|[a-zA-Z0-9_]|\\[wd])+\]|\[\^\\W\\d_\]|\[\^\\W_\])"
_BORDERED = rf"\\b(?:{_LETTER}(?:\{{\d{{1,2}}\}})?)*{_LETTER}{_LAST}\\b"
_ANY = rf"(?:{_BORDERED}|{_BRANCH})"
_PLAIN = re.compile(rf"(?:\(\?[aimsu]+\))?{_ANY}(?:\|{_ANY})*")
# In these places of the package a parameter says how words are found.
_PLACES = {"skcontrast": None, "skcontrast._inputs": ("TextInput",)}


def known_patterns():
    """The defaults of ``token_pattern`` in the package and in scikit-learn."""
    found = {r"(?u)\b\w\w+\b", r"(?u)\b\w+\b"}
    for place, names in _PLACES.items():
        module = import_module(place)
        for name in names or module.__all__:
            cls = getattr(module, name)
            parameters = inspect.signature(cls).parameters if isinstance(cls, type) else {}
            if "token_pattern" in parameters:
                found.add(parameters["token_pattern"].default)
    return found


def is_plain(pattern):
    """Whether the time that a pattern takes surely grows with the text alone."""
    # The pattern for patterns must end too: nobody writes a longer one by hand.
    return len(pattern) <= 200 and _PLAIN.fullmatch(pattern) is not None


def check_pattern(cls, pattern, trusted=()):
    """Refuse the pattern of a stranger that may take forever."""
    if not isinstance(pattern, str) or pattern in trusted or is_plain(pattern):
        return
    if pattern not in known_patterns():
        raise ValueError(
            f"the token_pattern={pattern!r} of its {cls.__name__} may take forever on some texts, "
            "so if you know who wrote it, type load(folder, trusted_patterns=[that pattern])"
        )
