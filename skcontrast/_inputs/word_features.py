"""A word as hashed features: the word, its ends, its shape and its character n-grams."""

import unicodedata
from hashlib import blake2b

import numpy as np

# Columns before the n-grams: word, prefix, suffix, shape.
N_WHOLE = 4
NGRAM_SIZES = (3, 4)
MAX_NGRAMS = 24
AFFIX = 3
# A longer word has its shape by its beginning and its end, all else by all of it.
MAX_LENGTH = 48
CHUNK = 8192

_BASE = np.uint64(0x100000001B3)


def _mixed(h, salt):
    """Finaliser of splitmix64: 31 bits that look random, for each 64-bit number."""
    h = h + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((h ^ (h >> np.uint64(31))) >> np.uint64(33)).astype(np.int32)


def _polynomial(codes):
    """Sum of codes times powers of a base: uint64 (..., length) -> (...)."""
    powers = _BASE ** np.arange(1, codes.shape[-1] + 1, dtype=np.uint64)
    return (codes * powers).sum(-1, dtype=np.uint64)


def _codes(words):
    """Code points (n, length), zero behind the end, and the length of each word."""
    half = MAX_LENGTH // 2
    words = [w if len(w) <= MAX_LENGTH else w[:half] + w[-half:] for w in words]
    lengths = np.array([len(w) for w in words], dtype=np.int64)
    width = max(AFFIX, int(lengths.max(initial=0)))
    codes = np.array(words, dtype=f"<U{width}").view(np.uint32).reshape(len(words), width)
    return codes.astype(np.uint64), lengths


def _is_letter(character):
    return character.isalpha() or unicodedata.category(character)[0] == "M"


def _shape_codes(codes, lengths):
    """Kinds of letters as codes, runs longer than four cut: Xxxx, dddd, ..."""
    letters, inverse = np.unique(codes, return_inverse=True)
    kinds = [
        3 if c.isdigit() else 2 if c.isupper() else 1 if _is_letter(c) else ord(c)
        for c in map(chr, letters.tolist())
    ]
    kinds = np.array(kinds, dtype=np.uint64)[inverse.reshape(codes.shape)]
    run = np.ones(codes.shape, dtype=np.int64)
    for j in range(1, codes.shape[1]):
        run[:, j] = np.where(kinds[:, j] == kinds[:, j - 1], run[:, j - 1] + 1, 1)
    kept = (run <= 4) & (np.arange(codes.shape[1]) < lengths[:, None])
    place = np.cumsum(kept, axis=1) - 1
    shape = np.zeros_like(kinds)
    row, column = np.nonzero(kept)
    shape[row, place[row, column]] = kinds[row, column]
    return shape


def _window(codes, start, size):
    """``size`` codes of each row from ``start`` (n,) on."""
    columns = np.clip(start[:, None] + np.arange(size), 0, codes.shape[1] - 1)
    return np.take_along_axis(codes, columns, axis=1)


def _ngrams(codes, size):
    """Hashes of the n-grams of one size: (..., length) -> (..., length - size + 1)."""
    windows = np.lib.stride_tricks.sliding_window_view(codes, size, axis=-1)
    return _mixed(_polynomial(windows), 4 + size)


def _block(words):
    codes, lengths = _codes(words)
    n = len(words)
    out = np.full((n, N_WHOLE + MAX_NGRAMS), -1, dtype=np.int32)
    marked = np.zeros((n, codes.shape[1] + 2), dtype=np.uint64)
    marked[:, 0] = ord("<")
    marked[:, 1:-1] = codes
    marked[np.arange(n), lengths + 1] = ord(">")
    out[:, 0] = _mixed(_polynomial(codes), 1)
    out[:, 1] = _mixed(_polynomial(codes[:, :AFFIX]), 2)
    out[:, 2] = _mixed(_polynomial(_window(codes, np.maximum(lengths - AFFIX, 0), AFFIX)), 3)
    out[:, 3] = _mixed(_polynomial(_shape_codes(codes, lengths)), 4)
    filled = np.full(n, N_WHOLE)
    for size in NGRAM_SIZES:
        if marked.shape[1] < size:
            continue
        hashes = _ngrams(marked, size)
        count = np.maximum(lengths + 3 - size, 0)
        row, j = np.nonzero(np.arange(hashes.shape[1]) < count[:, None])
        column = filled[row] + j
        fits = column < out.shape[1]
        out[row[fits], column[fits]] = hashes[row[fits], j[fits]]
        filled += count
    for i, word in enumerate(words):
        if len(word) > MAX_LENGTH:
            out[i] = _long(word, out[i])
    return out


def _long(word, features):
    """Features of a long word: the hash of all of it, and the n-grams whose hashes are least.

    Words that share most n-grams share most of these, wherever in the word they stand.
    """
    code = word.encode("utf-8", "surrogatepass")
    whole = int.from_bytes(blake2b(code, digest_size=8).digest(), "little")
    features[0] = _mixed(np.array([whole], dtype=np.uint64), 1)[0]
    codes = np.array([f"<{word}>"]).view(np.uint32).astype(np.uint64)
    least = np.unique(np.concatenate([_ngrams(codes, size) for size in NGRAM_SIZES]))[:MAX_NGRAMS]
    features[N_WHOLE:] = np.pad(least, (0, MAX_NGRAMS - len(least)), constant_values=-1)
    return features


def word_features(words):
    """Hash words, without any table of known words: int32 (n_words, 28).

    The columns are hashes in [0, 2^31) of the word, its first and its last three letters, its shape
    (which letters are capitals, digits or neither), and its character n-grams of three and four
    letters with marks at both ends; -1 where there are fewer n-grams. Of many n-grams 24 are kept:
    the first ones, of a word of more than 48 letters those whose hashes are least.
    """
    blocks = [_block(words[i : i + CHUNK]) for i in range(0, len(words), CHUNK)]
    empty = np.empty((0, N_WHOLE + MAX_NGRAMS), dtype=np.int32)
    return np.concatenate(blocks) if blocks else empty


# Counts of all words in four rows of buckets: a word's is the least of its four.
N_BUCKETS = 2**14
_MULTIPLIERS = np.array([0x5BD1E995, 0x27D4EB2F, 0x1B873593, 0x2545F491], dtype=np.int64)


def _buckets(features):
    word = features[:, 0].astype(np.int64)
    return (word * _MULTIPLIERS[:, None] >> 16) % N_BUCKETS  # (4, n_words)


def count_words(features, counts):
    """Keep how often words occur in buckets, int64 (4, 16384): no table of words is needed.

    It is a count-min sketch (Cormode and Muthukrishnan, Journal of Algorithms 55, 2005) of the
    words that :func:`word_features` hashed.
    """
    kept = [np.bincount(b, counts, N_BUCKETS) for b in _buckets(features)]
    return np.stack(kept).astype(np.int64)


def frequency_of(features, buckets):
    """Share of the corpus that each word makes up, at least: float32 (n_words,).

    Words that share a bucket are taken apart by the least of four counts; what is left of
    the error is below a ten-thousandth of the corpus for nearly every word.
    """
    found = np.take_along_axis(buckets, _buckets(features), axis=1).min(axis=0)
    return (found / max(1, buckets[0].sum())).astype(np.float32)
