"""BM25Transformer: counts of words as weights whose products with a query are BM25 scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_non_negative, validate_data

from skcontrast._component import Interval, Real, StrOptions, check_parameters
from skcontrast._site import OnSite
from skcontrast._typing import MatrixLike, Self
from skcontrast.retrieval._exact import refuse_texts

VARIANTS = "lucene", "robertson", "atire", "bm25l", "bm25+"


class BM25Transformer(OnSite, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Weigh counts of words so that products with the counts of a query are BM25 scores.

    The weight of word t in document d, with its count :math:`f`, the number of documents N of
    ``fit``, the number :math:`n_t` of those that have the word, and the length of d relative to
    the mean, :math:`\ell = 1 - b + b\, |d| / \overline{|d|}`, is

    ============= ======================================================================
    "lucene"      :math:`\log(1 + \frac{N - n_t + 1/2}{n_t + 1/2})\, \frac{f}{f + k_1 \ell}`
    "robertson"   :math:`\max(0, \log \frac{N - n_t + 1/2}{n_t + 1/2})\, \frac{f}{f + k_1 \ell}`
    "atire"       :math:`\log \frac{N}{n_t}\, \frac{(k_1 + 1) f}{f + k_1 \ell}`
    "bm25l"       :math:`\log \frac{N + 1}{n_t + 1/2}\,
                  \frac{(k_1 + 1)(f / \ell + \delta)}{k_1 + f / \ell + \delta}`
    "bm25+"       :math:`\log \frac{N + 1}{n_t}\,
                  \big(\frac{(k_1 + 1) f}{f + k_1 \ell} + \delta\big)`
    ============= ======================================================================

    and 0 where the document lacks the word. The score of a query is the sum of the weights of its
    words, each as often as the query has it: ``transform_query(Q) @ transform(D).T``.

    Parameters
    ----------
    k1 : float, default=1.5
        How slowly further occurrences of a word in a document lose their weight. With 0 they
        have none.

    b : float, default=0.75
        How much long documents are held back, from 0, not at all, to 1.

    variant : {"lucene", "robertson", "atire", "bm25l", "bm25+"}, default="lucene"
        The formula.

    delta : float, default=0.5
        Least gain of a word that a document has, in "bm25l" and "bm25+"; the others read it not.

    Attributes
    ----------
    idf_ : ndarray of shape (n_features,)
        Weight of each word for being rare.

    average_length_ : float
        Mean number of words in the documents of ``fit``.

    n_features_in_ : int
        Number of words seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame.

    See Also
    --------
    HybridRetriever : Adds scores of this kind and of embeddings.

    Notes
    -----
    Some implementations give documents that lack a word of the query a constant in "bm25l" and
    "bm25+". The order of the documents is the same without it.

    A word that no document of ``fit`` has counts as if one had it.

    References
    ----------
    Robertson and Zaragoza, "The probabilistic relevance framework: BM25 and beyond", Foundations
    and Trends in Information Retrieval 3, 2009. Kamphuis et al., "Which BM25 do you mean? A
    large-scale reproducibility study of scoring variants", ECIR 2020.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from skcontrast.retrieval import BM25Transformer
    >>> texts = ["red green red", "green blue", "blue blue sky over the sea"]
    >>> words = CountVectorizer().fit(texts)
    >>> bm25 = BM25Transformer().fit(words.transform(texts))
    >>> query = bm25.transform_query(words.transform(["blue sky"]))
    >>> (query @ bm25.transform(words.transform(texts)).T).toarray().round(3)
    array([[0.   , 0.236, 0.528]])
    """

    _parameter_constraints = {
        "k1": [Interval(Real, 0, None, closed="left")],
        "b": [Interval(Real, 0, 1, closed="both")],
        "variant": [StrOptions(set(VARIANTS))],
        "delta": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        k1: float = 1.5,
        b: float = 0.75,
        variant: Literal["lucene", "robertson", "atire", "bm25l", "bm25+"] = "lucene",
        delta: float = 0.5,
    ):
        self.k1 = k1
        self.b = b
        self.variant = variant
        self.delta = delta

    def fit(self: Self, X: MatrixLike, y: Any = None) -> Self:
        """Count in how many documents each word is, and how long they are.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_documents, n_words)
            Counts, as ``CountVectorizer`` gives them.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = self._read(X, reset=True)
        n, here = X.shape[0], np.bincount(X.indices, X.data != 0, minlength=X.shape[1])
        # A mean of 0 is of documents without words, which have no weights.
        self.average_length_ = float(X.sum() / n) or 1.0
        self.idf_ = self._idf(n, here).astype(X.dtype)
        return self

    def _idf(self, n, here):
        if self.variant == "lucene":
            return np.log1p((n - here + 0.5) / (here + 0.5))
        if self.variant == "robertson":
            return np.maximum(0, np.log((n - here + 0.5) / (here + 0.5)))
        if self.variant == "atire":
            return np.log(n / np.maximum(here, 1))
        if self.variant == "bm25l":
            return np.log((n + 1) / (here + 0.5))
        return np.log((n + 1) / np.maximum(here, 1))

    def transform(self, X: MatrixLike) -> sp.csr_matrix:
        """Weights of the words in documents, those of ``fit`` or others.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_documents, n_words)
            Counts.

        Returns
        -------
        X_new : sparse matrix of shape (n_documents, n_words)
            Of format CSR, in float32 where X is and else in float64.
        """
        check_is_fitted(self)
        X = self._read(X)
        relative = 1 - self.b + self.b * np.asarray(X.sum(axis=1)).ravel() / self.average_length_
        relative = np.repeat(relative, np.diff(X.indptr))  # one for each stored count
        count = X.data
        if self.variant == "bm25l":
            count = count / relative + self.delta
            gain = (self.k1 + 1) * count / (self.k1 + count)
        else:
            gain = count / (count + self.k1 * relative)
            if self.variant in ("atire", "bm25+"):
                gain *= self.k1 + 1
            if self.variant == "bm25+":
                gain += self.delta
        weights = (self.idf_[X.indices] * gain).astype(X.dtype)
        return sp.csr_matrix((weights, X.indices, X.indptr), shape=X.shape)

    def transform_query(self, X: MatrixLike) -> sp.csr_matrix:
        """Counts of the words in queries, which multiply the weights of documents.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_words)
            Counts.

        Returns
        -------
        X_new : sparse matrix of shape (n_queries, n_words)
            The same counts, of format CSR.
        """
        check_is_fitted(self)
        return self._read(X)

    def _read(self, X, reset=False):
        """Counts as a CSR matrix of floats without stored zeros."""
        refuse_texts(X, "counts: type make_pipeline(CountVectorizer(), BM25Transformer())")
        X = validate_data(self, X, reset=reset, accept_sparse="csr", dtype=(np.float64, np.float32))
        check_non_negative(X, f"{type(self).__name__} (type counts of words as X)")
        X = sp.csr_matrix(X)
        if (X.data == 0).any():
            X = X.copy()
            X.eliminate_zeros()
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
