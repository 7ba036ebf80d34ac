"""From the vectors of its words to the vector of a document."""

import numpy as np
import scipy.sparse as sp

from skcontrast.text._corpus import Corpus

# Tokens that are pooled at a time: their vectors are gathered for the maximum.
CHUNK = 2**17


def pool(corpus, embedding, pooling="mean", weights=None):
    r"""One vector a document, float32: mean or maximum over its words, zeros if it has none.

    .. math:: x_D = \frac{1}{|D|} \sum_{w \in D} a_w v_w \qquad\text{or}\qquad
              x_D = \max_{w \in D} v_w

    ``weights`` gives those of the words with some rows; the divisor of the mean is the number of
    words all the same. Of the vectors no more than those of the words that occur are copied.
    """
    lengths = np.diff(corpus.offsets)
    out = np.zeros((len(lengths), embedding.shape[1]), dtype=np.float32)
    for documents in _chunks(corpus.offsets):
        part = Corpus(
            corpus.ids[corpus.offsets[documents.start] : corpus.offsets[documents.stop]],
            corpus.offsets[documents.start : documents.stop + 1] - corpus.offsets[documents.start],
        )
        filled = lengths[documents] > 0
        if not filled.any():
            continue
        if pooling == "max":
            starts = part.offsets[:-1][filled]
            out[documents][filled] = np.maximum.reduceat(embedding[part.ids], starts, axis=0)
        else:
            sums = _sums(part, embedding, weights)
            out[documents] = sums / np.maximum(lengths[documents], 1)[:, None]
    return out


def _sums(corpus, embedding, weights):
    rows, ids = np.unique(corpus.ids, return_inverse=True)
    # Sums are taken in double precision: documents may be very long.
    vectors = embedding[rows].astype(np.float64)
    if weights is not None:
        vectors *= weights(rows)[:, None]
    shape = (len(corpus.offsets) - 1, len(rows))
    return sp.csr_matrix((np.ones(len(ids)), ids, corpus.offsets), shape=shape) @ vectors


def _chunks(offsets):
    """Slices of documents of about CHUNK tokens, and of one document at least."""
    start, n_documents = 0, len(offsets) - 1
    while start < n_documents:
        stop = int(np.searchsorted(offsets, offsets[start] + CHUNK, side="right")) - 1
        stop = min(max(stop, start + 1), start + CHUNK, n_documents)
        yield slice(start, stop)
        start = stop


def sif_weights(counts, a):
    """Smooth inverse frequency a / (a + p(w)) of words, as a function of their rows."""
    total = counts.sum()
    return lambda rows: a / (a + counts[rows] / total)


def common_components(X, n_removed):
    """Directions that the rows of ``X`` have most in common: right singular vectors.

    The rows are not centred: their mean is the first thing that they have in common. Gives unit
    rows, float64 (n_removed, n_components); zeros where X has no such direction left.
    """
    X = X.astype(np.float64)
    # Of the few columns exactly, without a random start.
    squares, directions = np.linalg.eigh(X.T @ X)
    largest = np.argsort(-squares, kind="stable")[:n_removed]
    there = squares[largest] > len(squares) * np.finfo(np.float64).eps * max(squares.max(), 0)
    components = directions.T[largest] * there[:, None]
    # The sign is free: the largest entry is positive.
    peak = np.abs(components).argmax(axis=1)
    sign = np.sign(components[np.arange(len(components)), peak])
    return components * np.where(sign == 0, 1, sign)[:, None]


def without(X, components):
    """Rows of ``X`` less their projections on the components, in float32."""
    return (X - (X @ components.T) @ components).astype(np.float32)
