"""Which columns of a matrix are one feature that was one-hot before."""

import numpy as np

# Fewest rows in which columns that add up to 1 are no accident.
LEAST_ROWS = 30
# Rows looked at first, and how often rows that speak against a group are added.
SAMPLED_ROWS, ROUNDS = 64, 20


def one_hot_groups(X, chunk=16384):
    r"""Number the features of a matrix, where runs of 0/1 columns that add up to 1 are one.

    A feature is a run :math:`a \dots b` of at least two columns with

    .. math:: X_{ij} \in \{0, 1\}, \qquad \sum_{j=a}^{b} X_{ij} = 1 \quad \text{for every row } i

    From the left, the first run that starts at a column is taken. Runs are sought in a few
    rows and tried on all; rows that speak against one are looked at too. The result
    (n_columns,) is None where each column is a feature of its own, and for few rows.
    """
    n, d = X.shape
    if n < LEAST_ROWS or d < 2:
        return None
    rows = np.random.default_rng(0).choice(n, min(n, SAMPLED_ROWS), replace=False)
    looked_at = np.asarray(X[np.sort(rows)])
    for _ in range(ROUNDS):
        runs = _runs(looked_at)
        if not runs:
            return None
        against = _rows_against(X, runs, chunk)
        if not len(against):
            starts = np.ones(d, dtype=np.int64)
            for start, stop in runs:
                starts[start + 1 : stop] = 0
            return np.cumsum(starts) - 1
        looked_at = np.vstack([looked_at, against])
    return None  # in doubt


def _runs(X):
    """Runs (start, stop) of columns that are one-hot in the few rows X."""
    n, d = X.shape
    place = np.arange(d)
    binary = ((X == 0) | (X == 1)).all(axis=0)
    if binary.sum() < 2:
        return []
    # The first 1 at or behind each column, in each row; d where there is none.
    ones = np.where(X == 1, place, d)
    following = np.full((n, d + 1), d)
    following[:, :d] = np.minimum.accumulate(ones[:, ::-1], axis=1)[:, ::-1]
    first = following[:, :d]
    second = np.take_along_axis(following, np.minimum(first + 1, d), axis=1)
    other = np.minimum.accumulate(np.where(binary, d, place)[::-1])[::-1]
    last = first.max(axis=0)
    found = (last > place) & (last < second.min(axis=0)) & (last < other)
    runs, j = [], 0
    while j < d:
        if found[j]:
            runs.append((j, int(last[j]) + 1))
        j = int(last[j]) + 1 if found[j] else j + 1
    return runs


def _rows_against(X, runs, chunk):
    """Rows in which a run is not one-hot, the first of each run: (n_rows, n_columns)."""
    for start in range(0, len(X), chunk):
        block = np.asarray(X[start : start + chunk])
        against = set()
        for a, b in runs:
            part = block[:, a:b]
            wrong = (part.sum(axis=1) != 1) | ((part != 0) & (part != 1)).any(axis=1)
            if wrong.any():
                against.add(int(wrong.argmax()))
        if against:
            return block[sorted(against)]
    return np.empty((0, X.shape[1]))
