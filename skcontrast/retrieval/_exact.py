"""The rows of highest score, tile by tile: what every exact search here goes through."""

import numpy as np
import scipy.sparse as sp

# Entries of a tile of scores: 16 MB in float32.
TILE = 1 << 22
MAX_QUERIES = 512


def refuse_texts(X, advice):
    """Raise where X is a list of texts, and ``advice`` says what is read in place of these."""
    listed = isinstance(X, (list, tuple)) or (hasattr(X, "shape") and len(X.shape) == 1)
    first = next(iter(X), None) if listed else X
    if isinstance(first, str):
        raise ValueError(f"X holds texts ({first!r:.40}), and what is read are {advice}.")


def query_blocks(n_queries, n_rows):
    """Slices of queries whose scores of all rows fit in a tile, or one query."""
    size = max(1, min(n_queries, TILE // max(n_rows, 1)))
    return [slice(start, min(start + size, n_queries)) for start in range(0, n_queries, size)]


def unit(X):
    """Rows of length one, dense or sparse; a row of zeros stays as it is."""
    if sp.issparse(X):
        length = np.sqrt(np.asarray(X.multiply(X).sum(axis=1)).ravel())
        return sp.csr_matrix(sp.diags(1 / np.where(length > 0, length, 1)) @ X).astype(X.dtype)
    # The largest entry goes first: squares of 1e200 overflow, and those of 1e-200 vanish.
    largest = np.abs(X).max(axis=1, keepdims=True)
    X = X / np.where(largest > 0, largest, 1)
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def products(A, B):
    """Dense table of the products of all rows of ``A`` and of ``B``, each dense or sparse."""
    S = A @ B.T
    return S.toarray() if sp.issparse(S) else np.asarray(S)


def best_columns(S, k):
    """The k highest scores of each row, falling, and their columns; of equals the first ones."""
    k = min(k, S.shape[1])
    if k == S.shape[1]:
        columns = np.argsort(-S, axis=1, kind="stable")
        return np.take_along_axis(S, columns, axis=1), columns
    columns = np.argpartition(S, S.shape[1] - k, axis=1)[:, S.shape[1] - k :]
    best = np.take_along_axis(S, columns, axis=1)
    # A partition takes any of those that equal the last one: there a whole sort decides.
    many = np.flatnonzero((S >= best.min(axis=1, keepdims=True)).sum(axis=1) > k)
    columns[many] = np.argsort(-S[many], axis=1, kind="stable")[:, :k]
    columns.sort(axis=1)
    best = np.take_along_axis(S, columns, axis=1)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(columns, order, axis=1)


def best_rows(Q, rows, n_rows, k, mask=None):
    """Scores and numbers of the k rows of highest product with each query, (n_queries, k).

    ``rows(part)`` gives the rows of a slice of numbers; ``mask(S, queries, part)`` may set scores
    to -inf in place. Where fewer than k rows are left, the number is -1.
    """
    scores, ids = [], []
    n_queries = Q.shape[0]
    for start in range(0, n_queries, MAX_QUERIES):
        part = slice(start, min(start + MAX_QUERIES, n_queries))
        best = np.full((part.stop - start, 0), -np.inf, dtype=Q.dtype)
        found = np.zeros(best.shape, dtype=np.int64)
        width = max(4 * k, TILE // len(best))
        for first in range(0, n_rows, width):
            tile = slice(first, min(first + width, n_rows))
            S = products(Q[part], rows(tile))
            if mask is not None:
                mask(S, part, tile)
            new, columns = best_columns(S, k)
            best = np.concatenate([best, new], axis=1)
            found = np.concatenate([found, columns + first], axis=1)
            best, columns = best_columns(best, k)
            found = np.take_along_axis(found, columns, axis=1)
        scores.append(best)
        ids.append(np.where(np.isneginf(best), -1, found))
    return np.concatenate(scores), np.concatenate(ids)
