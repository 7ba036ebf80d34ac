"""What documents are made of besides known words: n-grams and unknown words."""

import numpy as np
import scipy.sparse as sp

from skcontrast._inputs.documents import gathered
from skcontrast.text._corpus import Corpus
from skcontrast.text._ngrams import rows_of
from skcontrast.text._subwords import subword_rows
from skcontrast.text._vocabulary import taken


def encode_all(documents, index):
    """Documents as numbers of their words, and the list of the words that ``index`` lacks.

    These get the numbers len(index), len(index) + 1, ...
    """
    new, n_known = {}, len(index)

    def number(word):
        known = index.get(word)
        return new.setdefault(word, n_known + len(new)) if known is None else known

    corpus = gathered(documents, lambda tokens: map(number, tokens))
    return Corpus(*corpus), list(new)


def split_known(corpus, n_known):
    """Known words as a corpus, and document and number of each other word, counted from 0."""
    is_known = corpus.ids < n_known
    unknown = document_of(corpus)[~is_known]
    return taken(corpus, is_known), unknown, corpus.ids[~is_known].astype(np.int64) - n_known


def document_of(corpus):
    """Number of each token's document, int64 (n_tokens,)."""
    lengths = np.diff(corpus.offsets)
    return np.repeat(np.arange(len(lengths)), lengths)


def subword_means(words, n_buckets, known, table):
    """Vectors of words as the means of their subwords' vectors: float32 (n_words, n_components).

    ``known`` int64 (n_rows,) are the sorted buckets that the table has vectors for; other subwords
    are left out. Also gives whether a word has any such subword, bool (n_words,).
    """
    buckets, offsets = subword_rows(words, n_buckets)
    word = np.repeat(np.arange(len(words)), np.diff(offsets))
    rows = rows_of(buckets, known)
    there = np.isin(np.arange(len(words)), word[rows >= 0])
    return mean_of([(word, rows, table)], len(words)), there


def mean_of(parts, n_documents):
    """Mean vector of the parts of each document, float32; zeros for a document without parts.

    A part is (document, rows, table): numbers of documents, int64 (n_parts,), and the rows of a
    table that belong to them; a negative row stands for nothing.
    """
    sums, counts = 0.0, np.zeros(n_documents, dtype=np.int64)
    for document, rows, table in parts:
        document, rows = document[rows >= 0], rows[rows >= 0]
        # Only what is asked for is copied to double precision.
        used, position = np.unique(rows, return_inverse=True)
        shape = (n_documents, len(used))
        times = sp.csr_matrix((np.ones(len(rows)), (document, position)), shape=shape)
        sums = sums + times @ table[used].astype(np.float64)
        counts += np.bincount(document, minlength=n_documents)
    return (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
