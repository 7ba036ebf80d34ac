"""Character n-grams against a plain restatement of fastText's loop."""

import time

import numpy as np
import pytest

from skcontrast.text._subwords import subword_rows

WORDS = ["where", "a", "", "ab", "<>", "naïve", "日本語の本", "🙂🙂", "aaaa", "x" * 40, "\x00\x01"]


def fnv(text):
    """32-bit FNV-1a on signed bytes."""
    h = 2166136261
    for byte in text.encode():
        h = ((h ^ ((byte - 256 if byte > 127 else byte) & 0xFFFFFFFF)) * 16777619) % 2**32
    return h


def plain(word, n_min, n_max):
    """The n-grams of a word, by first character and length."""
    wrapped = f"<{word}>"
    grams = []
    for i in range(len(wrapped)):
        for n in range(1, n_max + 1):
            j = i + n
            if j <= len(wrapped) and n >= n_min and not (n == 1 and (i == 0 or j == len(wrapped))):
                grams.append(wrapped[i:j])
    return grams


def test_hash_of_ascii_is_the_published_fnv1a():
    assert fnv("a") == 0xE40C292C
    assert fnv("foobar") == 0xBF9CF968
    rows, _ = subword_rows(["fooba"], 2**32, 5, 5)
    assert rows.tolist() == [fnv("<foob"), fnv("fooba"), fnv("ooba>")]


@pytest.mark.parametrize("n_min, n_max", [(3, 6), (1, 2), (2, 2), (1, 50)])
@pytest.mark.parametrize("n_buckets", [2_000_000, 7, 2**32])
def test_rows_are_those_of_the_loop(n_min, n_max, n_buckets):
    rows, offsets = subword_rows(WORDS, n_buckets, n_min, n_max)
    assert rows.dtype == offsets.dtype == np.int64
    for i, word in enumerate(WORDS):
        expected = [fnv(gram) % n_buckets for gram in plain(word, n_min, n_max)]
        assert rows[offsets[i] : offsets[i + 1]].tolist() == expected, word
    assert offsets[-1] == len(rows)


def test_words_alone_and_together_agree():
    together, offsets = subword_rows(WORDS, 1000)
    alone = [subword_rows([word], 1000)[0] for word in WORDS]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    rows, offsets = subword_rows([], 1000)
    assert len(rows) == 0 and offsets.tolist() == [0]


def test_chunks_do_not_show(monkeypatch):
    whole = subword_rows(WORDS, 1000)
    monkeypatch.setattr("skcontrast.text._subwords.CHUNK", 2)
    for one, other in zip(whole, subword_rows(WORDS, 1000)):
        np.testing.assert_array_equal(one, other)


def test_many_words_take_seconds():
    words = [f"{i:x}word{i % 977}" for i in range(100_000)]
    start = time.process_time()
    rows, offsets = subword_rows(words, 2_000_000)
    assert time.process_time() - start < 10
    assert len(offsets) == 100_001
