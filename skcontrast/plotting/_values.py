"""What is said of rows, classes or numbers, and pairs of rows."""

import numpy as np
from sklearn.utils import check_random_state

from skcontrast._component import check_count
from skcontrast.metrics._checks import check_option, unit_rows

KINDS = "auto", "class", "number"
# Up to so many different whole numbers are classes.
MOST_CLASSES = 20


def read_values(y, name, n, kind="auto", n_least=1):
    """Kind of values, "class" or "number", which rows have one, and the values of these."""
    # Not at the top: it imports torch, which nothing else here needs.
    from skcontrast._inputs.target import labelled

    check_option(kind, "kind", KINDS)
    there, values = labelled(y)
    if len(there) != n:
        raise ValueError(
            f"{name} has {len(there)} entries and there are {n} rows: pass one entry a row."
        )
    if len(values) < n_least:
        raise ValueError(f"{name} has no entry that is not missing: pass labels or numbers.")
    if values.dtype.kind in "mMc":
        raise ValueError(f"{name} holds {values.dtype.name} values: turn them into numbers.")
    real = values.dtype.kind in "fiu"
    if kind == "number" and not real:
        raise ValueError(
            f"kind='number', but {name} holds {values.dtype.name} values: pass numbers, or "
            "kind='class'."
        )
    if real and not np.isfinite(values).all():
        raise ValueError(f"{name} holds infinite values: pass finite numbers.")
    if kind == "auto":
        broken = real and (values != np.floor(values)).any()
        many = real and len(np.unique(values)) > MOST_CLASSES
        kind = "number" if broken or many else "class"
    return kind, there, values.astype(np.float64) if kind == "number" else values


def all_classes(y, n, name="y"):
    """Class of each row, which has to have one."""
    _, there, classes = read_values(y, name, n, "class")
    if not there.all():
        raise ValueError(f"{name} has {(~there).sum()} missing entries: leave these rows out.")
    return classes


def name_of(y, default):
    """The name of a column of a data frame, and of other values what they are."""
    name = getattr(y, "name", None)
    return name if isinstance(name, str) and name else default


def cosines(u, v):
    """Cosines of unit rows."""
    return np.einsum("ij,ij->i", u, v).clip(-1, 1)


def pairs_of_rows(n, n_pairs, random_state, ordered=True):
    """Numbers of the two rows of each pair of different rows, or of so many drawn at random."""
    if n * (n - 1) // (1 if ordered else 2) <= check_count(n_pairs, "n_pairs"):
        return np.nonzero(~np.eye(n, dtype=bool)) if ordered else np.triu_indices(n, 1)
    rng = check_random_state(random_state)
    i, j = rng.randint(n, size=n_pairs), rng.randint(n - 1, size=n_pairs)
    return i, j + (j >= i)


def nearest_rows(z, row, n_neighbors):
    """Numbers of the rows nearest to one row, and their cosines."""
    n = len(z)
    whole = isinstance(row, (int, np.integer)) and not isinstance(row, (bool, np.bool_))
    if not whole or not 0 <= row < n:
        raise ValueError(f"row={row!r}: type the number of a row, from 0 to {n - 1}.")
    k, u = check_count(n_neighbors, "n_neighbors", n - 1), unit_rows(z)
    similarity = cosines(u, u[[row]])
    order = np.argsort(-similarity, kind="stable")  # of equal rows the first one first
    found = order[order != row][:k]
    return found, similarity[found]


def colors_of(y, condition, n, kind):
    """What colours the rows, its kind and its name."""
    if y is not None and condition is not None:
        raise ValueError("y and condition both colour the rows: pass one of them.")
    values, name = (y, "y") if condition is None else (condition, "condition")
    if values is None:
        check_option(kind, "kind", KINDS)
        return None, kind, None
    kind, _, _ = read_values(values, name, n, kind)
    default = {"class": "class", "number": "value"}[kind] if condition is None else name
    return values, kind, name_of(values, default)
