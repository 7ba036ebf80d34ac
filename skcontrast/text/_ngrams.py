r"""Word n-grams of a corpus, hashed as sent2vec does: one row for all that share a hash.

.. math:: h \leftarrow 116049371\, h + i \pmod{2^{64}}

over the numbers i of the words, beginning with that of the first; the bucket is h modulo the
number of buckets.
"""

import numpy as np

PRIME = np.uint64(116049371)


def ngram_buckets(corpus, ngram, n_buckets):
    """Buckets of the n-grams that begin at each token: int64 (ngram - 1, n_tokens).

    For n = 2, 3, ..., ``ngram``; -1 where the document ends before the n-gram does.
    """
    ids = corpus.ids.astype(np.uint64)
    ends = np.repeat(corpus.offsets[1:], np.diff(corpus.offsets))
    buckets = np.full((ngram - 1, len(ids)), -1, dtype=np.int64)
    h = ids.copy()
    for n in range(2, ngram + 1):
        begin = np.flatnonzero(np.arange(len(ids)) + n <= ends)
        h[begin] = h[begin] * PRIME + ids[begin + n - 1]
        buckets[n - 2, begin] = h[begin] % np.uint64(n_buckets)
    return buckets


def frequent_buckets(buckets, min_count):
    """Sorted buckets, int64 (n_kept,), that hold ``min_count`` n-grams or more."""
    kept, counts = np.unique(buckets[buckets >= 0], return_counts=True)
    return kept[counts >= min_count]


def rows_of(buckets, known):
    """Rows of buckets among the sorted ``known`` ones, -1 for others; int64 of the same shape."""
    if not len(known):
        return np.full(buckets.shape, -1, dtype=np.int64)
    rows = np.searchsorted(known, buckets).clip(max=len(known) - 1)
    return np.where(known[rows] == buckets, rows, -1)


def dropped_tokens(lengths, n_dropped, rng):
    """Draw the tokens that no n-gram may hold: ``n_dropped`` of each document, but 2 stay.

    Of the lengths of the documents, a bool for each token, (n_tokens,).
    """
    n_tokens = int(lengths.sum())
    if not n_dropped:
        return np.zeros(n_tokens, dtype=bool)
    document = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((rng.random(n_tokens), document))
    rank = np.empty(n_tokens, dtype=np.int64)
    rank[order] = np.arange(n_tokens) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rank < np.minimum(n_dropped, lengths - 2)[document]


def without_dropped(rows, dropped):
    """Set to -1 the n-grams of (ngram - 1, n_tokens) that hold a dropped token."""
    rows = rows.copy()
    touched = dropped.copy()
    for n, row in enumerate(rows, start=2):
        # An n-gram that begins here ends n - 1 tokens later.
        touched[: len(touched) - n + 1] |= dropped[n - 1 :]
        row[touched] = -1
    return rows
