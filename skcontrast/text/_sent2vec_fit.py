"""Fitting sent2vec's vectors to documents, and averaging them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import check_parameters
from skcontrast._inputs.documents import token_lists
from skcontrast._training.devices import resolve_device
from skcontrast._typing import Documents, Self
from skcontrast.text._corpus import keep_probability, noise_distribution
from skcontrast.text._leave_one_out import Schedule, Sources, train
from skcontrast.text._ngrams import frequent_buckets, ngram_buckets, rows_of
from skcontrast.text._parts import document_of, encode_all, mean_of, split_known, subword_means
from skcontrast.text._subwords import subword_rows
from skcontrast.text._vocabulary import check_neighbours, encode, read_corpus
from skcontrast.text._word_vectors import check_words

# An n-gram seen once learns nothing that holds elsewhere.
NGRAM_MIN_COUNT = 2


# set_output wraps only what a subclass of TransformerMixin defines itself.
class Sent2VecFitMixin(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """``fit``, ``transform`` and ``word_vectors`` of an estimator with sent2vec's parameters."""

    vocabulary_: dict[str, int]
    counts_: np.ndarray
    embedding_: np.ndarray

    def fit(self: Self, X: Documents, y: Any = None) -> Self:
        """Learn the vocabulary and the vectors of words and n-grams.

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
        check_parameters(self)
        self._fit(token_lists(X, self))
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
        check_parameters(self)
        documents = list(token_lists(X, self))
        self._fit(documents)
        return self._vectors(documents)

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

    def word_vectors(self, words: str | Iterable[str]) -> np.ndarray:
        """Vectors of words.

        Parameters
        ----------
        words : str or iterable of str
            With ``subwords`` also words that were not in ``fit``.

        Returns
        -------
        vectors : float32 ndarray of shape (n_components,) or (n_words, n_components)
            One vector for a str.

        Raises
        ------
        ValueError
            When a word is not in the vocabulary, nor one of its subwords known.
        """
        check_is_fitted(self)
        if isinstance(words, str):
            return self._vector(words).copy()
        check_words(words)
        vectors = [self._vector(word) for word in words]
        return np.stack(vectors) if vectors else self.embedding_[:0]

    def _row(self, word):
        try:
            return super()._row(word)
        except ValueError as error:
            if not len(self.subword_buckets_):
                raise
            raise ValueError(f"{error} Nor is one of its subwords known.") from None

    def _vector(self, item):
        if isinstance(item, str) and item not in self.vocabulary_ and len(self.subword_buckets_):
            vectors, there = self._of_subwords([item])
            if there[0]:
                return vectors[0]
        return super()._vector(item)

    def _of_subwords(self, words):
        return subword_means(words, self.n_buckets, self.subword_buckets_, self.subword_embedding_)

    def _fit(self, documents):
        device = resolve_device(self.device)
        vocabulary, corpus = read_corpus(
            documents, self.min_count, self.max_features, self.vocabulary
        )
        check_neighbours(corpus, len(vocabulary.words), self.min_count)
        n_words = len(vocabulary.words)
        buckets = ngram_buckets(corpus, self.ngram, self.n_buckets)
        ngrams = frequent_buckets(buckets, NGRAM_MIN_COUNT)
        grams = rows_of(buckets, ngrams)
        grams[grams >= 0] += n_words
        n_rows = n_words + len(ngrams)
        subwords, pieces = np.zeros(0, dtype=np.int64), None
        if self.subwords:
            rows, offsets = subword_rows(vocabulary.words, self.n_buckets)
            subwords, position = np.unique(rows, return_inverse=True)
            pieces = n_rows + position, offsets
        sources = Sources(n_rows + len(subwords), grams, pieces)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        source, target, losses = train(
            corpus, sources, self._schedule(vocabulary), self.n_components, seed, device, self._say
        )
        embedding = source[:n_words].copy()
        if self.subwords:
            # A word counts as one of its own pieces.
            word = np.repeat(np.arange(n_words), np.diff(pieces[1]))
            own = (np.arange(n_words), np.arange(n_words), source)
            embedding = mean_of([own, (word, pieces[0], source)], n_words)
        self.vocabulary_, self.counts_ = vocabulary.index, vocabulary.counts
        self.embedding_, self.target_embedding_ = embedding, target
        self.ngram_buckets_, self.subword_buckets_ = ngrams, subwords
        self.ngram_embedding_ = source[n_words:n_rows].copy()
        self.subword_embedding_ = source[n_rows:].copy()
        self.loss_curve_, self.n_iter_ = losses, len(losses)

    def _schedule(self, vocabulary):
        return Schedule(
            keep=keep_probability(vocabulary.counts, self.sample),
            noise=noise_distribution(vocabulary.counts, self.ns_exponent),
            negative=self.negative,
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            dropout_ngrams=self.dropout_ngrams,
        )

    def _say(self, epoch, loss):
        if self.verbose:
            print(f"Epoch {epoch}/{self.max_iter}: loss {loss:.4f}")

    def _vectors(self, documents):
        n_words, parts = len(self.vocabulary_), []
        if len(self.subword_buckets_):
            everything, unknown = encode_all(documents, self.vocabulary_)
            corpus, document, word = split_known(everything, n_words)
            vectors, there = self._of_subwords(unknown)
            parts = [(document[there[word]], word[there[word]], vectors)]
        else:
            corpus = encode(documents, self.vocabulary_)
        n_documents, document = len(corpus.offsets) - 1, document_of(corpus)
        parts.append((document, corpus.ids, self.embedding_))
        for buckets in ngram_buckets(corpus, self.ngram, self.n_buckets):
            rows = rows_of(buckets, self.ngram_buckets_)
            parts.append((document, rows, self.ngram_embedding_))
        n_empty = n_documents - len(np.unique(np.concatenate([part[0] for part in parts])))
        if n_empty:
            warnings.warn(
                f"{n_empty} of {n_documents} documents have no known word: their vectors are "
                "zeros.",
                stacklevel=4,
            )
        return mean_of(parts, n_documents)

    @property
    def _n_features_out(self):
        return self.embedding_.shape[1]
