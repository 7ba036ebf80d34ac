"""Virtual outliers: rows made of the rows that there are, to learn what these are unlike."""

from importlib import import_module

import numpy as np
import scipy.sparse as sp

from skcontrast._component import take_rows


def permuted(X, rng):
    """Each column in an order of its own: the same values, and no dependence between columns.

    Parameters
    ----------
    X : {array-like, DataFrame, sparse matrix} of shape (n_samples, ...)

    rng : RandomState
    """
    if sp.issparse(X):
        columns = sp.csc_matrix(X)
        orders = [rng.permutation(X.shape[0]) for _ in range(X.shape[1])]
        parts = np.split(columns.indices, columns.indptr[1:-1])
        rows = np.concatenate([order[part] for order, part in zip(orders, parts)])
        return sp.csc_matrix((columns.data, rows, columns.indptr), shape=X.shape).tocsr()
    if hasattr(X, "columns"):
        names = [
            take_rows(take_rows(X, rng.permutation(len(X))), [j], axis=1) for j in range(X.shape[1])
        ]
        if _library(X) == "pandas":
            return _concat(X)([part.reset_index(drop=True) for part in names], axis=1)
        return _concat(X)(names, how="horizontal")
    X = np.asarray(X if hasattr(X, "__array__") or isinstance(X, (list, tuple)) else None)
    if X.ndim < 2 or X.dtype.kind not in "biufO":
        raise ValueError(
            "outliers='permuted' needs rows with columns, and X has none: type outliers=None, or "
            "a function of X and a random state that makes outliers of it."
        )
    columns = X.reshape(len(X), -1).T
    return np.stack([c[rng.permutation(len(X))] for c in columns], axis=1).reshape(X.shape)


def stacked(X, more):
    """The rows of both, in the container of X."""
    try:
        return _stacked(X, more)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"outliers gave {type(more).__name__}{_shape(more)}, and X is {type(X).__name__}"
            f"{_shape(X)}: its function has to give rows of the same kind."
        ) from error


def _shape(X):
    return f" of shape {X.shape}" if hasattr(X, "shape") else ""


def _stacked(X, more):
    if sp.issparse(X):
        return sp.vstack([X, more]).tocsr()
    if hasattr(X, "columns"):
        return _concat(X)([X, more], **({"ignore_index": True} if _library(X) == "pandas" else {}))
    if isinstance(X, list) and isinstance(more, list):
        return [*X, *more]
    return np.concatenate([np.asarray(X), np.asarray(more)])


def _library(X):
    return type(X).__module__.partition(".")[0]


def _concat(X):
    return import_module(_library(X)).concat
