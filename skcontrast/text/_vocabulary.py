"""The words of a corpus, in order of frequency, and documents as their numbers."""

from collections.abc import Iterator, Mapping, Set
from itertools import repeat
from typing import NamedTuple

import numpy as np

from skcontrast._component import warn
from skcontrast._inputs.documents import check_strings, gathered, in_one_form, numbered
from skcontrast.text._corpus import Corpus


class Vocabulary(NamedTuple):
    """Words with their rows and counts.

    ``words`` is a list, ordered by (-count, word) unless it was given; ``index`` maps a
    word to its row; ``counts`` int64 (n_words,) are the occurrences. ``longest`` is the number of
    words, known or not, of the longest document, where that is known.
    """

    words: list
    index: dict  # type: ignore[assignment]  # tuples have a method of this name
    counts: np.ndarray
    longest: int = 0


def read_corpus(documents, min_count=1, max_features=None, vocabulary=None):
    """Read documents once: their `Vocabulary`, and as a `Corpus` what it leaves of them.

    Words that occur less than ``min_count`` times are left out, and of the others all but the
    ``max_features`` most frequent ones. A given ``vocabulary`` keeps its order, and the two other
    parameters then count for nothing.
    """
    if vocabulary is not None:
        words = given_words(vocabulary)
        index = {word: row for row, word in enumerate(words)}
        corpus = encode(documents, index)
        return Vocabulary(words, index, count(corpus, len(words))), corpus
    # A word is numbered when it is first seen, and again by its frequency at the end: so
    # one pass is enough, and the words of a large corpus are never held as strings.
    words, *corpus = numbered(documents)
    words, corpus = list(map(str, words)), Corpus(*corpus)
    longest = int(np.diff(corpus.offsets).max())
    counts = count(corpus, len(words))
    kept = _frequent(words, counts, min_count, max_features)
    rows = np.full(len(words), -1, dtype=np.int32)
    rows[kept] = np.arange(len(kept), dtype=np.int32)
    words = [words[i] for i in kept]
    index = {word: row for row, word in enumerate(words)}
    corpus = _known(Corpus(rows[corpus.ids], corpus.offsets))
    return Vocabulary(words, index, counts[kept], longest), corpus


def encode(documents, index):
    """Documents as numbers of their words; words that ``index`` lacks are left out."""
    return _known(Corpus(*gathered(documents, lambda t: map(index.get, t, repeat(-1)))))


def count(corpus, n_words):
    """Occurrences of each word, int64 (n_words,)."""
    return np.bincount(corpus.ids, minlength=n_words).astype(np.int64, copy=False)


def has_neighbours(corpus, n_words):
    """Whether a word ever stands beside another one, bool (n_words,): what it is learned from."""
    lengths = np.diff(corpus.offsets)
    return np.bincount(corpus.ids[np.repeat(lengths > 1, lengths)], minlength=n_words) > 0


def check_neighbours(estimator, vocabulary, corpus):
    """Refuse a corpus in which no document holds two words: nothing can be learnt of it."""
    if (np.diff(corpus.offsets) > 1).any():
        return
    if estimator.vocabulary is not None:
        advice = "name more words in vocabulary="
    elif vocabulary.longest < 2:
        advice = "type [X] if X is one list of tokens, pass a tokenizer for texts without spaces"
    elif estimator.max_features == len(vocabulary.words):
        advice = f"type a larger max_features than {estimator.max_features}"
    else:
        advice = f"type min_count=1 in place of {estimator.min_count}"
    raise ValueError(
        f"no document of X has two of the {len(vocabulary.words)} words of the vocabulary, so "
        f"there are no pairs to learn from: {advice}, or pass longer documents."
    )


def check_given(estimator, vocabulary):
    """Say which words of a given vocabulary X lacks; refuse one of which it lacks all."""
    unmet = [word for word, n in zip(vocabulary.words, vocabulary.counts) if not n]
    if not unmet:
        return
    n_words, capitals = len(vocabulary.words), _capitals(estimator, unmet)
    hint = ""
    if capitals:
        hint = f"{capitals[0]!r:.60} has capitals, of which lowercase=True leaves none in texts"
    if len(unmet) == n_words:
        why = hint or "compare how both are written"
        raise ValueError(f"X holds none of the {n_words} words of vocabulary=: {why}.")
    warn(
        f"{len(unmet)} of the {n_words} words of vocabulary=, such as {unmet[0]!r:.60}, do not "
        f"occur in X, and their vectors are zeros{': ' if hint else ''}{hint}."
    )


def warn_capitals(estimator, words, where):
    """Say which words of a vocabulary no text can hold, since its letters are made small."""
    capitals = _capitals(estimator, words)
    if capitals:
        warn(
            f"{len(capitals)} of the {len(words)} words of {where}, such as {capitals[0]!r:.60}, "
            "have capitals, of which lowercase=True leaves none in texts: type lowercase=False."
        )


def _capitals(estimator, words):
    """Those of the words that an estimator cannot meet in texts, since it makes letters small."""
    if callable(estimator.analyzer) or estimator.preprocessor or not estimator.lowercase:
        return []
    return [word for word in words if word != word.lower()]


def _known(corpus):
    """Leave out the negative numbers, which stand for unknown words."""
    keep = corpus.ids >= 0
    return corpus if keep.all() else taken(corpus, keep)


def taken(corpus, keep):
    """The tokens of a corpus at which ``keep`` is true."""
    # Number of such tokens before each one, and after the last.
    before = np.concatenate([[0], np.cumsum(keep, dtype=np.int64)])
    return Corpus(corpus.ids[keep], before[corpus.offsets])


def _frequent(words, counts, min_count, max_features):
    """Numbers of the words to keep, by (-count, word)."""
    if not words:
        raise ValueError(
            "X holds no words: its documents are empty, or token_pattern, stop_words or the "
            "tokenizer leave nothing of them."
        )
    kept = np.flatnonzero(counts >= min_count).tolist()
    if not kept:
        most = int(counts.argmax())
        raise ValueError(
            f"no word of X occurs min_count={min_count} times, the most frequent one "
            f"({words[most]!r:.40}) only {counts[most]}: type min_count=1, or pass more documents."
        )
    kept.sort(key=lambda i: (-counts[i], words[i]))
    return kept[:max_features]


def given_words(vocabulary):
    """Words of a vocabulary that a user gave, in its order and one form; a set is sorted."""
    if isinstance(vocabulary, (str, bytes, Iterator)):
        raise ValueError(
            f"vocabulary is a {type(vocabulary).__name__}: type a list of words, or a dict of "
            "words and their rows."
        )
    if isinstance(vocabulary, Mapping):
        words = sorted(vocabulary, key=vocabulary.get)
        if [vocabulary[word] for word in words] != list(range(len(words))):
            raise ValueError(
                f"vocabulary must map its {len(words)} words to 0, 1, ..., {len(words) - 1}, each "
                "number once: type a list of the words in place of the dict."
            )
    else:
        words = vocabulary
    words = in_one_form(check_strings(words, "vocabulary"))
    if isinstance(vocabulary, Set):
        words = sorted(words)
    if len(set(words)) < len(words):
        twice = next(word for word in words if words.count(word) > 1)
        raise ValueError(f"vocabulary holds {twice!r} twice: name each word once.")
    if not words:
        raise ValueError("vocabulary is empty: type at least one word, or None to learn it from X.")
    return [str(word) for word in words]
