"""What tests/fuzz.py draws: tables, documents, targets, and what stands beside them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch

try:
    import polars as pl
except ImportError:  # an optional company of the tests
    pl = None

DTYPES = (
    *("bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", ">f8", ">i4"),
    *("longdouble", "complex64", "object", "U5", "S3", "datetime64[D]", "timedelta64[s]"),
)
VALUES = (0.0, -0.0, 1e200, -1e300, 1e-320, np.nan, np.inf, -np.inf, 1e38, 2.0**60)
WORDS = (
    "cat",
    "dog",
    "tea",
    "the",
    "of",
    "Zürich",
    "नमस्ते",
    "北京",
    "e\u0301té",
    "x" * 80,
    "a.b",
    "12",
)


def choose(rng, options):
    """One of a sequence of any objects."""
    return options[rng.integers(len(options))]


def numbers(rng):
    """A float64 matrix, sane three times of four."""
    n = int(choose(rng, (24, 24, 24, 12, 7, 40, 3, 2, 1, 0)))
    d = int(choose(rng, (3, 3, 3, 5, 1, 12, 30, 0)))
    X = rng.standard_normal((n, d))
    if rng.random() < 0.3:
        X = X.round()
    if rng.random() < 0.15 and d:
        X[:, rng.integers(d)] = choose(rng, (0.0, 7.5, 1e9))
    if rng.random() < 0.1:
        X[:] = X[:1]
    if rng.random() < 0.15 and X.size:
        X[rng.integers(n), rng.integers(d)] = choose(rng, VALUES)
    if rng.random() < 0.05:
        X *= choose(rng, (1e200, 1e-200, 1e30))
    return X


def _typed(rng, X):
    with np.errstate(all="ignore"):
        dtype = choose(rng, DTYPES)
        if dtype == "object":
            X = X.astype(object)
            odd = (None, "a", True, Decimal("1.5"), 10**400, b"x", [1], {}, pd.NA, 2)
            if X.size and rng.random() < 0.7:
                X[rng.integers(len(X)), rng.integers(X.shape[1])] = choose(rng, odd)
            return X
        if dtype.startswith(("datetime", "timedelta")):
            return (
                np.nan_to_num(X, posinf=0, neginf=0).clip(-1e9, 1e9).astype("int64").astype(dtype)
            )
        return X.astype(dtype)


def _laid_out(rng, X):
    """The same numbers in another place of memory."""
    locked = X.copy()
    locked.flags.writeable = False
    wide = np.repeat(X, 2, axis=1)[:, ::2]
    return choose(rng, (np.asfortranarray(X), X[::-1], X[:, ::-1], wide, locked, X[:, None, :]))


def _sparse(rng, X):
    X = np.where(rng.random(X.shape) < 0.5, X, 0.0)
    kind = choose(rng, ("csr", "csc", "coo", "bsr", "dia", "lil", "dok", "array", "twice", "zeros"))
    if kind == "array":
        return sp.csr_array(X)
    if kind == "twice":
        S = sp.csr_matrix(X)
        args = (np.repeat(S.data / 2, 2), np.repeat(S.indices, 2), S.indptr * 2)
        return sp.csr_matrix(args, shape=S.shape)
    if kind == "zeros":
        S = sp.csr_matrix(X)
        S.data[: len(S.data) // 2] = 0
        return S
    return sp.csr_matrix(X).asformat(kind)


def _tensor(rng, X):
    T = torch.as_tensor(X)
    options = (
        *(
            T,
            T.float(),
            T.bfloat16(),
            T.half(),
            T.to_sparse(),
            T.clone().requires_grad_(),
            T.t().t(),
        ),
        *(T.to(torch.complex64), T[:1].expand(len(T), -1), T.ravel()),
    )
    return choose(rng, options)


def _column(rng, n):
    """A column of a frame, of any type that people have."""
    words = np.array(["a", "b", "c", None], dtype=object)[rng.integers(0, 4, n)]
    numbers = rng.standard_normal(n)
    holes = np.where(rng.random(n) < 0.2, np.nan, numbers)
    makers = (
        lambda: pd.Series(numbers),
        lambda: pd.Series(holes),
        lambda: pd.Series(holes.round(), dtype="Int64"),
        lambda: pd.Series(numbers > 0, dtype="boolean"),
        lambda: pd.Series(words),
        lambda: pd.Series(words, dtype="string"),
        lambda: pd.Series(words, dtype="category"),
        lambda: pd.Series(holes, dtype="double[pyarrow]"),
        lambda: pd.Series(words, dtype="large_string[pyarrow]"),
        lambda: pd.Series([Decimal(int(v)) for v in numbers], dtype=object),
        lambda: pd.Series(pd.date_range("2020", periods=n)),
        lambda: pd.Series(pd.period_range("2020", periods=n, freq="D")),
        lambda: pd.Series(pd.arrays.SparseArray(numbers.round())),
        lambda: pd.Series([[1]] * n, dtype=object),
        lambda: pd.Series([None] * n, dtype=object),
        lambda: pd.Series(numbers + 1j),
    )
    weights = np.array([6, 3, 2, 2, 3, 2, 2, 2, 2, 1, 0.4, 0.3, 0.5, 0.3, 0.2, 0.2])
    return makers[rng.choice(len(makers), p=weights / weights.sum())]()


def _frame(rng, X):
    n = len(X)
    frame = pd.DataFrame({f"c{j}": _column(rng, n) for j in range(int(rng.integers(1, 5)))})
    frame["x"] = rng.standard_normal(n)
    kind = rng.random()
    if kind < 0.05:
        frame.columns = ["c"] * frame.shape[1]
    elif kind < 0.1:
        frame.columns = range(frame.shape[1])
    elif kind < 0.15:
        frame.index = rng.permutation(n)
    elif kind < 0.4 and pl is not None:
        numeric = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
        found = pl.from_pandas(numeric).with_columns(pl.lit("a").alias("word"))
        return choose(rng, (found, found.drop("word"), found.lazy(), found.to_arrow()))
    return frame


def table(rng):
    """What somebody may pass as X where a table is asked for."""
    X = numbers(rng)
    kind = rng.random()
    if kind < 0.3:
        return X
    if kind < 0.45:
        return _typed(rng, X)
    if kind < 0.55:
        return _laid_out(rng, X)
    if kind < 0.65:
        return _sparse(rng, X)
    if kind < 0.85:
        return _frame(rng, X)
    if kind < 0.92:
        return _tensor(rng, X)
    odd = (X.tolist(), tuple(map(tuple, X)), X.ravel(), X[None], None, "text", 3.0, {}, [], [[]])
    more = ([[1, 2], [3]], ["a", "b"], iter(X), np.ma.masked_array(X), X.tolist() + [[1.0]], set())
    return choose(rng, odd + more)


def document(rng):
    """A text, as a str nine times of ten."""
    words = [choose(rng, WORDS) for _ in range(rng.integers(0, 9))]
    if rng.random() < 0.9:
        return " ".join(words)
    return choose(
        rng, (words, "", " \n", None, 3, b"bytes", np.nan, [], [None], "\ud800", ("a", "b"))
    )


def collection(rng):
    """Series: an array, lists of unequal length, NaN behind ends, or a table of one channel."""
    if rng.random() < 0.3:
        return table(rng)
    n, c = int(choose(rng, (20, 20, 9, 3, 2, 1, 0))), int(choose(rng, (1, 1, 2, 3, 20, 0)))
    X = rng.standard_normal((n, c, int(choose(rng, (30, 30, 12, 9, 3, 2, 1, 0)))))
    if X.size and rng.random() < 0.4:
        place = tuple(rng.integers(side) for side in X.shape)
        X[place[:2] if rng.random() < 0.5 else place] = choose(rng, VALUES)
    if X.size and rng.random() < 0.2:
        X[rng.integers(n)] = choose(rng, VALUES)
    if rng.random() < 0.3:
        for x in X:
            x[:, rng.integers(1, X.shape[2] + 2) :] = np.nan
    form = rng.integers(9)
    if form == 0:
        return [x[:, : rng.integers(X.shape[2] + 2)] for x in X]
    if form == 1:
        return [x[0] if len(x) else x for x in X]
    if form == 2:
        return [x.tolist() for x in X]
    if form == 3:
        return torch.as_tensor(X)
    if form == 4:
        with np.errstate(all="ignore"):
            return X.astype(choose(rng, [d for d in DTYPES if "64[" not in d]))
    if form == 5:
        return choose(rng, ([*X, None], ["a series", *X], X[None], X.transpose(0, 2, 1), iter(X)))
    return X


def documents(rng):
    """What somebody may pass as X where texts are asked for."""
    n = int(choose(rng, (20, 20, 20, 12, 3, 1, 0)))
    whole = [" ".join(choose(rng, WORDS) for _ in range(6)) for _ in range(n)]
    kind = rng.random()
    if kind < 0.4:
        return whole
    if kind < 0.55:
        return [document(rng) for _ in range(n)]
    lists = [text.split() for text in whole]
    odd = (
        *(lists, tuple(whole), np.array(whole), np.array(whole, dtype=object), pd.Series(whole)),
        *(iter(whole), (text for text in whole), pd.Series(whole, dtype="string"), set(whole)),
        *(pd.DataFrame({"text": whole}), " ".join(whole), None, 3, dict(enumerate(whole))),
        *(list(zip(whole, whole)), np.array(whole)[:, None], rng.standard_normal((n, 3)), b"bytes"),
        *(
            sp.csr_matrix((n, 3)),
            [whole],
            [[[w] for w in words] for words in lists],
            whole + [None],
        ),
    )
    return choose(rng, odd)


def target(rng, n):
    """A target for n rows, fitting four times of five."""
    n = 20 if n is None else n
    if rng.random() < 0.1:
        n = int(choose(rng, (0, 1, n + 1, 2 * n)))
    codes = rng.integers(0, 3, n)
    names = np.array(["x", "y", "z"])[codes]
    kind = rng.random()
    if kind < 0.35:
        return codes
    if kind < 0.5:
        return names
    if kind < 0.6:
        return rng.standard_normal(n)
    half = np.where(rng.random(n) < 0.5, codes, -1)
    holes = np.where(rng.random(n) < 0.3, None, names.astype(object))
    odd = (
        *(half, holes, codes.astype(float), np.where(half < 0, np.nan, codes), names.tolist()),
        *(pd.Series(names), pd.Series(names, dtype="category"), pd.Series(codes, dtype="Int64")),
        *(pd.DataFrame({"y": names}), codes[:, None], np.eye(3)[codes], codes > 0, None, "y", 3),
        *(np.full(n, 1), np.full(n, -1), np.full(n, np.nan), np.full(n, np.inf), np.full(n, None)),
        *(torch.as_tensor(codes), sp.csr_matrix(np.eye(3)[codes]), codes.astype("uint8"), {}, []),
        *([[c] * c for c in codes], pd.Series(pd.date_range("2020", periods=n)), codes * 1e300),
        *([1, "a", None] * (n // 3 + 1), codes + 0.5j, rng.standard_normal((n, 2)), set(names)),
        *(codes.astype("float16"), names.astype("S1"), [dt.date(2020, 1, 1)] * n, holes[:, None]),
    )
    return choose(rng, odd)


def side(rng, name, n):
    """What stands beside X and y, now and then."""
    n = 20 if n is None else n
    given = {}
    if name == "condition" and rng.random() < 0.9:
        given["condition"] = _beside(rng, n)
    encoders = ("encoder", "learned alone", "supcon", "text encoder", "condition")
    if name in encoders and rng.random() < 0.15:
        given["groups"] = _beside(rng, n)
    if name.startswith("proker") and rng.random() < 0.2:
        given["sample_weight"] = choose(
            rng,
            (np.ones(n), rng.random(n), np.zeros(n), -np.ones(n), np.ones(n + 1), "a", [None] * n),
        )
    return given


def _beside(rng, n):
    words = np.array(["u", "v", "w"])[rng.integers(0, 3, n)]
    numbers = rng.standard_normal(n)
    twice = pd.DataFrame({"a": numbers, "b": words}).set_axis(["a", "a"], axis=1)
    options = (
        *(numbers, numbers, words, words, rng.integers(0, 3, n), pd.Series(words), twice),
        *(np.full(n, np.nan), words[:-1], None, "w", pd.DataFrame({"a": numbers, "b": words})),
        *(
            sp.csr_matrix(numbers[:, None]),
            rng.standard_normal((n, 2, 2)),
            [None] * n,
            numbers * 1e300,
        ),
        *(
            pd.Series(pd.date_range("2020", periods=n)),
            [Decimal(1)] * n,
            torch.as_tensor(numbers),
            {},
        ),
    )
    return choose(rng, options)
