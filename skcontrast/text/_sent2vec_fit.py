"""Fitting sent2vec's vectors to documents, and averaging them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import check_parameters
from skcontrast._inputs.documents import token_lists
from skcontrast._inputs.word_breaks import composed
from skcontrast._progress import Progress
from skcontrast._training.devices import resolve_device
from skcontrast.text._corpus import keep_probability, noise_distribution
from skcontrast.text._leave_one_out import Schedule, Sources, train
from skcontrast.text._ngrams import frequent_buckets, ngram_buckets, rows_of
from skcontrast.text._parts import document_of, encode_all, mean_of, split_known, subword_means
from skcontrast.text._subwords import subword_rows
from skcontrast.text._vocabulary import encode, has_neighbours
from skcontrast.text._word_vectors import WordVectorsMixin, check_words, warn_zeros

# An n-gram seen once learns nothing that holds elsewhere.
NGRAM_MIN_COUNT = 2


class Sent2VecFitMixin(WordVectorsMixin):
    """``fit``, ``transform`` and ``word_vectors`` of an estimator with sent2vec's parameters."""

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

    def _vector(self, word):
        new = isinstance(word, str) and self._find(word) is None
        if new and len(self.subword_buckets_):
            vectors, there = self._of_subwords([composed(word)])
            if there[0]:
                return vectors[0]
        return super()._vector(word)

    def _of_subwords(self, words):
        return subword_means(words, self.n_buckets, self.subword_buckets_, self.subword_embedding_)

    def _fit(self, X, again=False):
        check_parameters(self)
        documents = list(token_lists(X, self)) if again else token_lists(X, self)
        device = resolve_device(self.device)
        vocabulary, corpus = self._read(documents)
        n_words = len(vocabulary.words)
        known = has_neighbours(corpus, n_words)
        buckets = ngram_buckets(corpus, self.ngram, self.n_buckets)
        ngrams = frequent_buckets(buckets, NGRAM_MIN_COUNT)
        grams = rows_of(buckets, ngrams)
        grams[grams >= 0] += n_words
        n_rows = n_words + len(ngrams)
        subwords, pieces = np.zeros(0, dtype=np.int64), None
        if self.subwords:
            # A word that stands beside no other one teaches its subwords nothing.
            taught = [word if learned else "" for word, learned in zip(vocabulary.words, known)]
            rows, offsets = subword_rows(taught, self.n_buckets)
            subwords, position = np.unique(rows, return_inverse=True)
            pieces = n_rows + position, offsets
        sources = Sources(n_rows + len(subwords), grams, pieces)
        seed = self._draw_seed()
        schedule, say = self._schedule(vocabulary), Progress(self.verbose, self.max_iter).epoch
        source, target, losses = train(
            corpus, sources, schedule, self.n_components, seed, device, say
        )
        embedding = source[:n_words].copy()
        if self.subwords:
            # A word counts as one of its own pieces.
            word = np.repeat(np.arange(n_words), np.diff(pieces[1]))
            own = (np.arange(n_words), np.arange(n_words), source)
            embedding = mean_of([own, (word, pieces[0], source)], n_words)
        embedding[~known] = target[~known] = 0
        if self.subwords and not known.all():
            words, table = [vocabulary.words[i] for i in np.flatnonzero(~known)], source[n_rows:]
            embedding[~known] = subword_means(words, self.n_buckets, subwords, table)[0]
        self.vocabulary_, self.counts_ = vocabulary.index, vocabulary.counts
        self.embedding_, self.target_embedding_ = embedding, target
        self.ngram_buckets_, self.subword_buckets_ = ngrams, subwords
        self.ngram_embedding_ = source[n_words:n_rows].copy()
        self.subword_embedding_ = source[n_rows:].copy()
        self.loss_curve_, self.n_iter_ = losses, len(losses)
        return documents

    def _schedule(self, vocabulary):
        return Schedule(
            keep=keep_probability(vocabulary.counts, self.sample),
            noise=noise_distribution(vocabulary.counts, self.ns_exponent),
            negative=self.negative,
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            dropout_ngrams=self.dropout_ngrams,
        )

    def _vectors(self, documents):
        n_words, parts = len(self.vocabulary_), []
        if len(self.subword_buckets_):
            everything, unknown = encode_all(documents, self.vocabulary_)
            corpus, document, word = split_known(everything, n_words)
            corpus = self._met(corpus)
            vectors, there = self._of_subwords(unknown)
            parts = [(document[there[word]], word[there[word]], vectors)]
        else:
            corpus = self._met(encode(documents, self.vocabulary_))
        n_documents, document = len(corpus.offsets) - 1, document_of(corpus)
        parts.append((document, corpus.ids, self.embedding_))
        for buckets in ngram_buckets(corpus, self.ngram, self.n_buckets):
            rows = rows_of(buckets, self.ngram_buckets_)
            parts.append((document, rows, self.ngram_embedding_))
        X = mean_of(parts, n_documents)
        warn_zeros(X)
        return X
