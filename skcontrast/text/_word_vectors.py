"""Reading the fitted vectors of words: look-up, neighbours, information, files."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import did_you_mean
from skcontrast._typing import ArrayLike, FilePath
from skcontrast.text._information import frequency_corrected, information_gain
from skcontrast.text._text_format import write_word2vec

# Words that a hint at a misspelt one is looked for among, most frequent first.
HINTS = 5000


class WordVectorsMixin:
    """Methods of an estimator with ``vocabulary_``, ``embedding_`` and ``counts_``."""

    vocabulary_: dict[str, int]
    counts_: np.ndarray
    embedding_: np.ndarray
    context_embedding_: np.ndarray

    def word_vectors(self, words: str | Iterable[str]) -> np.ndarray:
        """Vectors of words.

        Parameters
        ----------
        words : str or iterable of str

        Returns
        -------
        vectors : float32 ndarray of shape (n_components,) or (n_words, n_components)
            One vector for a str.

        Raises
        ------
        ValueError
            When a word is not in the vocabulary.
        """
        check_is_fitted(self)
        if isinstance(words, str):
            return self.embedding_[self._row(words)].copy()
        check_words(words)
        rows = [self._row(word) for word in words]
        return self.embedding_[np.array(rows, dtype=np.intp)]

    def _row(self, word):
        row = self.vocabulary_.get(word) if isinstance(word, str) else None
        if row is None:
            what = (
                repr(word)[:60]
                if isinstance(word, str)
                else f"an object of type {type(word).__name__}"
            )
            raise ValueError(
                f"{what} is not among the {len(self.vocabulary_)} words of vocabulary_."
                f"{self._hint(word)}"
            )
        return row

    def _hint(self, word):
        if not isinstance(word, str):
            return ""
        start, length = word[:1].casefold(), len(word)
        near = (
            other
            for other in self.vocabulary_
            if other[:1].casefold() == start and abs(len(other) - length) <= 2
        )
        return did_you_mean(word, [other for other, _ in zip(near, range(HINTS))])

    def most_similar(
        self,
        positive: ArrayLike | Sequence = (),
        negative: ArrayLike | Sequence = (),
        topn: int = 10,
    ) -> list[tuple[str, float]]:
        """Words whose vectors have the largest cosine with a word, a vector or a sum of them.

        Of several, the unit vectors are added (``positive``) and taken away
        (``negative``): with ["king", "woman"] and ["man"] it is the question "king is to
        man as what is to woman".

        Parameters
        ----------
        positive : str, array-like of shape (n_components,) or list of these, default=()

        negative : str, array-like of shape (n_components,) or list of these, default=()

        topn : int, default=10
            Number of words; fewer where the vocabulary has no more.

        Returns
        -------
        similar : list of (str, float)
            Words and cosines, the largest first, without the words asked for.
        """
        check_is_fitted(self)
        if isinstance(topn, bool) or not isinstance(topn, numbers.Integral) or topn < 1:
            raise ValueError(f"topn is {topn!r}: type an int of at least 1.")
        positive, negative = _several(positive), _several(negative)
        if not positive and not negative:
            raise ValueError("most_similar needs a word or a vector: type positive='word'.")
        unit = _unit(self.embedding_)
        query = np.zeros(unit.shape[1])
        for sign, items in ((1, positive), (-1, negative)):
            for item in items:
                query += sign * _unit(self._vector(item))
        cosine = unit @ _unit(query)
        order = np.argsort(-cosine, kind="stable")
        asked = [item for item in positive + negative if isinstance(item, str)]
        asked = {self.vocabulary_[word] for word in asked if word in self.vocabulary_}
        best = [row for row in order[: topn + len(asked)].tolist() if row not in asked][:topn]
        words = list(self.vocabulary_)
        return [(words[row], float(cosine[row])) for row in best]

    def _vector(self, item):
        if isinstance(item, str):
            return self.embedding_[self._row(item)]
        vector = np.asarray(item, dtype=np.float64)
        if vector.shape != self.embedding_.shape[1:] or not np.isfinite(vector).all():
            raise ValueError(
                f"a vector of shape {vector.shape} was asked for: pass words, or vectors of "
                f"{self.embedding_.shape[1]} finite numbers."
            )
        return vector

    @property
    def information_gain_(self) -> np.ndarray:
        """Information gain of each word in nats, ndarray of shape (n_words,)."""
        fitted = hasattr(self, "context_embedding_") and self.counts_.any()
        if not fitted or getattr(self, "objective", "sgns") != "sgns":
            raise AttributeError(
                f"This {type(self).__name__} has no information_gain_: it takes counts and "
                "vectors of contexts, which come from fit with objective='sgns'."
            )
        return information_gain(self.embedding_, self.context_embedding_, self.counts_)

    @property
    def corrected_information_gain_(self) -> np.ndarray:
        """``information_gain_`` less what words as frequent have by chance, (n_words,)."""
        return frequency_corrected(self.information_gain_, self.counts_)

    def save_word2vec_format(self, path: FilePath) -> None:
        """Write the word vectors in word2vec's text format.

        Parameters
        ----------
        path : str or path-like
            Gzipped where it ends in ".gz".

        Raises
        ------
        ValueError
            When a word holds white space, which the format cannot keep.
        """
        check_is_fitted(self)
        write_word2vec(path, list(self.vocabulary_), self.embedding_)


def check_words(words):
    """Refuse what is neither words nor vectors."""
    if isinstance(words, bytes) or not isinstance(words, Iterable):
        what = "None" if words is None else f"{words!r:.40} of type {type(words).__name__}"
        raise ValueError(f"{what} was asked for: type a word, or a list of words.")


def _several(items):
    """One word, one vector or a collection of these, as a list."""
    if isinstance(items, str):
        return [items]
    if isinstance(items, np.ndarray) and items.ndim == 1 and items.dtype.kind in "fiu":
        return [items]
    check_words(items)
    items = list(items)
    numeric = items and all(isinstance(item, numbers.Real) for item in items)
    return [items] if numeric else items


def _unit(vectors):
    """Rows, or one vector, scaled to length one; zeros stay."""
    vectors = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
