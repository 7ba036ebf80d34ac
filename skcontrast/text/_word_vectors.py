"""What vectorizers share: fit and transform of documents, and the use of the words' vectors."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    HasMethods,
    Integral,
    Interval,
    Real,
    check_parameters,
    did_you_mean,
)
from skcontrast._inputs.documents import ANALYSIS, token_lists
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, Documents, FilePath, Self
from skcontrast.text._information import frequency_corrected, information_gain
from skcontrast.text._text_format import write_word2vec
from skcontrast.text._vocabulary import check_neighbours, read_corpus

COUNT = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
FROM_ZERO = Interval(Real, 0, None, closed="left")
# Words that a hint at a misspelt one is looked for among, most frequent first.
HINTS = 5000


# set_output wraps only what a subclass of TransformerMixin defines itself.
class WordVectorsMixin(OwnState, ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """Methods of an estimator with ``vocabulary_``, ``embedding_`` and ``counts_``.

    A subclass has ``_fit(X, again)``, which gives what ``_vectors`` takes if documents are used
    ``again``, and ``_vectors(documents)``.
    """

    _parameter_constraints: dict = {
        "n_components": [COUNT],
        "negative": [COUNT],
        "min_count": [COUNT],
        "max_features": [COUNT, None],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
        "sample": [FROM_ZERO],
        "ns_exponent": [Interval(Real, None, None, closed="neither")],
        "max_iter": [COUNT],
        "learning_rate": [POSITIVE],
        **ANALYSIS,
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    vocabulary_: dict[str, int]
    counts_: np.ndarray
    embedding_: np.ndarray
    context_embedding_: np.ndarray

    def fit(self: Self, X: Documents, y: Any = None) -> Self:
        """Learn the vocabulary and the vectors.

        Parameters
        ----------
        X : iterable of str or of lists of str
            Documents; a generator is read once.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self._fit(X)
        return self

    def fit_transform(self, X: Documents, y: Any = None) -> np.ndarray:
        """Fit, and return the vectors of the same documents, which are read once.

        Parameters
        ----------
        X : iterable of str or of lists of str

        y : None
            Ignored.

        Returns
        -------
        X_new : float32 ndarray of shape (n_documents, n_components)
        """
        return self._vectors(self._fit(X, again=True))

    def transform(self, X: Documents) -> np.ndarray:
        """Vectors of documents.

        Parameters
        ----------
        X : iterable of str or of lists of str

        Returns
        -------
        X_new : float32 ndarray of shape (n_documents, n_components)
            Zeros for a document of which nothing is known.
        """
        check_is_fitted(self)
        check_parameters(self)
        return self._vectors(token_lists(X, self))

    def _read(self, documents):
        given = self.min_count, self.max_features, self.vocabulary
        vocabulary, corpus = read_corpus(documents, *given)
        check_neighbours(corpus, len(vocabulary.words), self.min_count)
        return vocabulary, corpus

    def _draw_seed(self):
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

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
            is_str = isinstance(word, str)
            what = repr(word)[:60] if is_str else f"an object of type {type(word).__name__}"
            raise ValueError(
                f"{what} is not among the {len(self.vocabulary_)} words of vocabulary_."
                f"{self._hint(word) if is_str else ''}"
            )
        return row

    def _hint(self, word):
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
