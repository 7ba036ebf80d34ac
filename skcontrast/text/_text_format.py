"""word2vec's text format: a line with two numbers, then a line for each word."""

import gzip
import os

import numpy as np


def write_word2vec(path, words, vectors):
    """Write word vectors as text, gzipped where the name ends in .gz.

    No word may hold white space, which the format takes for its end. The float32 vectors (n_words,
    n_components) are written so that reading gives the same bits.
    """
    for word in words:
        if word.split() != [word]:
            raise ValueError(
                f"the word {word!r:.60} holds white space, by which word2vec's text format ends a "
                "word: join its parts by '_' before fit."
            )
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            raise ValueError(f"the word {word!r:.60} holds half a character, so UTF-8 refuses it.")
    with _open(path, "wt") as file:
        file.write(f"{len(words)} {vectors.shape[1]}\n")
        for word, vector in zip(words, vectors.tolist()):
            file.write(f"{word} {' '.join([f'{value:.9g}' for value in vector])}\n")


def read_word2vec(path):
    """Read words and vectors from text, with or without the first line, which GloVe leaves out."""
    name = os.fspath(path)
    try:
        with _open(path, "rt") as file:
            words, rows, expected = _rows(file, name)
    except UnicodeDecodeError:
        raise _refusal(name, "it is not text in UTF-8, perhaps word2vec's binary format") from None
    if expected is not None and len(words) != expected:
        raise _refusal(name, f"its first line promises {expected} words, but {len(words)} follow")
    if not words:
        raise _refusal(name, "it is empty")
    if len(set(words)) < len(words):
        seen = set()
        twice = next(word for word in words if word in seen or seen.add(word))
        raise _refusal(name, f"the word {twice!r:.60} stands in it twice")
    vectors = np.stack(rows)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise _refusal(name, f"the vector of {words[int(finite.argmin())]!r:.60} is not finite")
    return words, vectors


def _rows(file, name):
    words, rows, expected, width = [], [], None, None
    for number, line in enumerate(file):
        # The writer of word2vec leaves a space at the end of a line.
        fields = line.rstrip(" \r\n").split(" ")
        if number == 0 and _is_head(fields):
            expected, width = int(fields[0]), int(fields[1])
            continue
        width = len(fields) - 1 if width is None else width
        if len(fields) != width + 1 or width < 1 or not fields[0]:
            raise _refusal(
                name,
                f"line {number + 1} has {len(fields)} fields where a word and {width} numbers "
                "belong, as when there is a space in a word",
            )
        try:
            rows.append(np.array(fields[1:], dtype=np.float32))
        except ValueError:
            raise _refusal(name, f"line {number + 1} holds something else than numbers") from None
        words.append(fields[0])
    return words, rows, expected


def _is_head(fields):
    return len(fields) == 2 and all(field.isdecimal() for field in fields)


def _refusal(name, why):
    return ValueError(f"{name!r} cannot be read as word vectors: {why}.")


def _open(path, mode):
    # Lines end at \n alone: some letters count as ends of lines elsewhere.
    opened = gzip.open if os.fspath(path).endswith(".gz") else open
    return opened(path, mode, encoding="utf-8", newline="\n")
