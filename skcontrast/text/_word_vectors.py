"""What vectorizers share: fit and transform of documents, and the use of the words' vectors."""

from __future__ import annotations

import math
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
    warn,
)
from skcontrast._inputs.documents import ANALYSIS, token_lists, typed, warn_unused
from skcontrast._inputs.word_breaks import composed
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, Documents, FilePath, Self
from skcontrast.text._information import frequency_corrected, information_gain
from skcontrast.text._text_format import write_word2vec
from skcontrast.text._vocabulary import check_given, check_neighbours, read_corpus, taken

COUNT = Interval(Integral, 1, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
FROM_ZERO = Interval(Real, 0, None, closed="left")
# Words that a hint at a misspelt one is looked for among, most frequent first.
HINTS = 5000
# Rows of the table that are compared at a time.
ROWS = 4096


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
        if self.vocabulary is not None:
            # min_count=1 would leave out nothing anyway.
            names = ["max_features", *(["min_count"] if self.min_count > 1 else [])]
            warn_unused(typed(self, names), "vocabulary= says which words are kept")
            check_given(self, vocabulary)
        check_neighbours(self, vocabulary, corpus)
        return vocabulary, corpus

    def _met(self, corpus):
        """The corpus without words that have no vector, as those that were never met."""
        doubtful = np.unique(corpus.ids[self.counts_[corpus.ids] == 0])
        unmet = doubtful[~self.embedding_[doubtful].any(axis=1)]
        return taken(corpus, ~np.isin(corpus.ids, unmet)) if len(unmet) else corpus

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

    def _find(self, word):
        """Row of a word, as it stands or with its accents as those of texts are; or None."""
        row = self.vocabulary_.get(word)
        return self.vocabulary_.get(composed(word)) if row is None else row

    def _row(self, word):
        row = self._find(word) if isinstance(word, str) else None
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
        man as what is to woman". A pair ("woman", 0.5) counts by its weight. Words that
        were never met beside another one have no vector, and are not offered.

        Parameters
        ----------
        positive : str, array-like of shape (n_components,), pair of one of these and a \
                weight, or list of these, default=()

        negative : as ``positive``, default=()

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
        asked = [(item, weight) for item, weight in _weighted(positive)]
        asked += [(item, -weight) for item, weight in _weighted(negative)]
        if not asked:
            raise ValueError("most_similar needs a word or a vector: type positive='word'.")
        # Only how weights compare counts; large ones overflow, small ones vanish.
        largest = max(abs(weight) for _, weight in asked) or 1.0
        asked = [(item, weight / largest) for item, weight in asked]
        query = sum(weight * _unit(self._vector_of(item)) for item, weight in asked)
        # The rounding of float32 leaves a little of what cancels.
        if np.linalg.norm(query) <= 1e-6 * sum(abs(weight) for _, weight in asked):
            raise ValueError(
                "what was asked for adds up to zeros, which are near nothing: ask for something "
                "else, or with other weights."
            )
        cosine = self._cosines(_unit(query))
        for word in (item for item, _ in asked if isinstance(item, str)):
            if (row := self._find(word)) is not None:
                cosine[row] = -np.inf
        # Of equal cosines the first word comes first, also where they are cut off.
        n_best = min(topn, len(cosine))
        best = np.flatnonzero(cosine >= max(-2.0, np.partition(cosine, -n_best)[-n_best]))
        best = best[np.argsort(-cosine[best], kind="stable")][:n_best].tolist()
        words = list(self.vocabulary_)
        return [(words[row], float(cosine[row])) for row in best]

    def _cosines(self, query):
        """Cosine of each word with a unit vector, -inf where it has no vector: (n_words,)."""
        cosine = np.empty(len(self.embedding_))
        # Some rows at a time are brought to double precision: the table may be large.
        for start in range(0, len(cosine), ROWS):
            vectors = self.embedding_[start : start + ROWS].astype(np.float64)
            length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
            found = vectors @ query / np.where(length > 0, length, 1)
            cosine[start : start + ROWS] = np.where(length > 0, found, -np.inf)
        return cosine

    def _vector_of(self, item):
        """Vector of a word that has one, or a vector that was given."""
        if isinstance(item, str):
            vector = self._vector(item)
            if not vector.any():
                raise ValueError(
                    f"{item!r:.60} was never met beside another word and has a vector of zeros, "
                    "to which nothing is near: ask for another word."
                )
            return vector
        try:
            vector = np.asarray(item, dtype=np.float64)
        except (TypeError, ValueError):
            vector = np.zeros(0)
        if vector.shape != self.embedding_.shape[1:] or not np.isfinite(vector).all():
            raise ValueError(
                f"{item!r:.60} of type {type(item).__name__} was asked for: pass words, vectors "
                f"of {self.embedding_.shape[1]} finite numbers, or pairs of one and a weight."
            )
        return vector

    def _vector(self, word):
        return self.embedding_[self._row(word)]

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


def warn_zeros(X):
    """Say how many documents have a vector of zeros."""
    n_zeros = int((~X.any(axis=1)).sum())
    if n_zeros:
        warn(f"{n_zeros} of {len(X)} documents have no known word: their vectors are zeros.")


def check_words(words):
    """Refuse what is neither words nor vectors."""
    if isinstance(words, bytes) or not isinstance(words, Iterable):
        what = "None" if words is None else f"{words!r:.40} of type {type(words).__name__}"
        raise ValueError(f"{what} was asked for: type a word, or a list of words.")


def _weighted(items):
    """One word or vector, or a collection of these, as a list of pairs with their weights."""
    if isinstance(items, str) or _is_pair(items):
        items = [items]
    elif isinstance(items, np.ndarray) and items.ndim == 1 and items.dtype.kind in "fiu":
        items = [items]
    else:
        check_words(items)
        items = list(items)
        if items and all(isinstance(item, numbers.Real) for item in items):
            items = [items]
    pairs = [item if _is_pair(item) else (item, 1.0) for item in items]
    for item, weight in pairs:
        if isinstance(weight, (bool, np.bool_)) or not _is_finite(weight):
            raise ValueError(f"{item!r:.60} has the weight {weight!r:.40}: type a finite number.")
    return [(item, float(weight)) for item, weight in pairs]


def _is_finite(number):
    try:
        return math.isfinite(number)
    except OverflowError:  # an int beyond float64
        return False


def _is_pair(item):
    """Whether it is a word or a vector, and its weight."""
    pair = (
        isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], (numbers.Real, np.bool_))
    )
    return pair and not isinstance(item[0], numbers.Real)


def _unit(vector):
    """A vector scaled to length one; zeros stay."""
    # Entries first: squares of 1e200 overflow.
    vector = np.asarray(vector, dtype=np.float64)
    vector = vector / (np.abs(vector).max(initial=0.0) or 1.0)
    return vector / (np.linalg.norm(vector) or 1.0)
