r"""Character n-grams of words, hashed: how fastText gives vectors to words it never saw.

A word is wrapped in ``<`` and ``>``; each run of 3 to 6 of its characters is hashed by 32-bit
FNV-1a, :math:`h \leftarrow (h \oplus b) \cdot 16777619 \bmod 2^{32}` over the bytes b of its
UTF-8 code, which are *signed* there: a byte above 127 flips the upper bits too. The row is the
hash modulo the number of buckets.
"""

import numpy as np

OFFSET_BASIS = np.uint32(2166136261)
PRIME = np.uint32(16777619)
# Words hashed together: bounds the memory to some tens of MB.
CHUNK = 20000


def _bytes_of(words):
    """Bytes of all wrapped words in a row, and where each word ends."""
    codes = [f"<{word}>".encode("utf-8", "surrogatepass") for word in words]
    ends = np.cumsum([len(code) for code in codes], dtype=np.int64)
    return np.frombuffer(b"".join(codes), dtype=np.uint8), ends


def _hash_chunk(words, n_min, n_max):
    """Hashes of the n-grams of some words, and how many each word has."""
    octets, ends = _bytes_of(words)
    # A character begins at a byte that continues none.
    starts = np.flatnonzero((octets & 0xC0) != 0x80)
    width = np.diff(starts, append=len(octets))
    word = np.searchsorted(ends, starts, side="right")
    first = np.diff(word, prepend=-1) > 0
    last = np.diff(word, append=len(words)) > 0
    # int8 -> uint32 keeps the sign: 0x80 becomes 0xFFFFFF80.
    signed = octets.view(np.int8).astype(np.uint32)
    n_starts = len(starts)
    h = np.full(n_starts, OFFSET_BASIS)
    hashes = np.zeros((n_starts, n_max - n_min + 1), dtype=np.uint32)
    exists = np.zeros(hashes.shape, dtype=bool)
    for n in range(1, min(n_max, n_starts) + 1):
        # The n-gram that begins at character i goes on with character i + n - 1.
        begin = np.arange(n_starts - n + 1)
        begin = begin[word[begin] == word[begin + n - 1]]
        end = begin + n - 1
        for k in range(4):
            inside = width[end] > k
            here, byte = begin[inside], starts[end[inside]] + k
            h[here] = (h[here] ^ signed[byte]) * PRIME
        if n >= n_min:
            # Alone, the marks of the borders say nothing.
            wanted = begin if n > 1 else begin[~(first | last)[begin]]
            hashes[wanted, n - n_min] = h[wanted]
            exists[wanted, n - n_min] = True
    counts = np.bincount(word, weights=exists.sum(axis=1), minlength=len(words))
    return hashes[exists], counts.astype(np.int64)


def subword_rows(words, n_buckets, n_min=3, n_max=6):
    """Rows of the character n-grams of words, as fastText numbers them, and offsets (n_words + 1,).

    The rows, int64 modulo ``n_buckets``, are those of the first word, then of the second; in a word
    by first character, then by length. An n-gram that a word holds twice is there twice. It has
    ``n_min`` to ``n_max`` characters, where the ``<`` and ``>`` around a word count.

    Examples
    --------
    >>> from skcontrast.text._subwords import subword_rows
    >>> rows, offsets = subword_rows(["where", "he"], n_buckets=1000, n_min=3, n_max=3)
    >>> offsets  # <wh whe her ere re>, <he he>
    array([0, 5, 7])
    """
    words = list(words)
    parts = [_hash_chunk(words[i : i + CHUNK], n_min, n_max) for i in range(0, len(words), CHUNK)]
    hashes = np.concatenate([np.zeros(0, np.uint32), *(part[0] for part in parts)])
    counts = np.concatenate([np.zeros(1, np.int64), *(part[1] for part in parts)])
    return hashes.astype(np.int64) % n_buckets, np.cumsum(counts)
