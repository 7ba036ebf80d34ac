"""A retriever of any kind as one thing: what a hybrid and a reranker ask it for."""

from numbers import Number

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from skcontrast.retrieval._exact import best_columns, products, unit


def rows_of(X, name):
    """Documents or queries as a table or a list, of at least one row."""
    if isinstance(X, str):
        raise TypeError(f"{name} is one string: pass a list of texts, or a table.")
    if len(getattr(X, "shape", ())) == 1 and not isinstance(X, np.ndarray):
        X = list(X)  # a column of a data frame, whose entries are not found by their place
    if not hasattr(X, "shape"):
        try:
            X = list(X)
        except TypeError:
            raise TypeError(
                f"{name} is a {type(X).__name__}: pass a list of texts, or a table."
            ) from None
    if n_rows(X) == 0:
        raise ValueError(f"{name} is empty: pass at least one row or text.")
    if not hasattr(X, "shape") or len(X.shape) == 1:
        _check_texts(X, name)
    return X


def _check_texts(X, name):
    """Raise where an entry of a list is missing, or a number among texts."""
    of_texts = any(isinstance(text, str) for text in X)
    for i, text in enumerate(X):
        if text is None or (isinstance(text, Number) and (of_texts or text != text)):
            raise TypeError(
                f"{name}[{i}] is {text!r} and no text: pass a str for each, an empty one where "
                "there is none."
            )


def n_rows(X):
    """Number of rows of a table or a list."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def inside(retriever):
    """The estimator that a FrozenEstimator holds, or itself."""
    while isinstance(retriever, FrozenEstimator):
        retriever = retriever.estimator
    return retriever


class Part(BaseEstimator):
    """A retriever, asked by queries that its first steps read; ``fit`` fits it in place.

    Of the last step of a Pipeline, or of a retriever by itself,

    - ``score_matrix(queries)`` gives scores of all documents,
    - ``kneighbors(queries, k)`` distances and numbers of the nearest,
    - ``transform`` vectors, compared by cosines; where ``transform_query`` is there too, as of
      ``BM25Transformer``, its vectors of queries are multiplied with those of documents.
    """

    def __init__(self, retriever, name):
        self.retriever, self.name = retriever, name

    @classmethod
    def of(cls, retriever, name):
        """A part with a clone of a retriever."""
        part = cls(clone(retriever), name)
        if part.way is None:
            raise TypeError(
                f"{name} is a {type(retriever).__name__} and gives no vectors, scores or "
                "neighbours: pass a transformer, a Pipeline that ends in one, or an object with "
                "score_matrix or kneighbors."
            )
        return part

    @property
    def way(self):
        """The method that compares, or None."""
        ways = "score_matrix", "kneighbors", "transform"
        return next((way for way in ways if hasattr(self.last, way)), None)

    @property
    def last(self):
        """The step that compares, or makes what is compared."""
        retriever = inside(self.retriever)
        return inside(retriever[-1]) if isinstance(retriever, Pipeline) else retriever

    def fit(self, documents):
        self.n_documents = n_rows(documents)
        self.retriever.fit(documents, None)
        if self.way == "transform":
            self.vectors = self._vectors(self.retriever.transform(documents))
            if self.vectors.shape[0] != self.n_documents:
                raise ValueError(
                    f"{self.name} gives {self.vectors.shape[0]} rows for {self.n_documents} "
                    "documents: where it reads texts, pass a list of these, not a table."
                )
            return self
        own = getattr(self.last, "n_documents_", getattr(self.last, "n_samples_fit_", None))
        if own not in (None, self.n_documents):
            raise ValueError(
                f"{self.name} is frozen and searches {own} documents of its own, not these "
                f"{self.n_documents}: freeze the encoder before it alone."
            )
        return self

    @property
    def _lexical(self):
        return hasattr(self.last, "transform_query")

    def _vectors(self, Z):
        Z = sp.csr_matrix(Z) if sp.issparse(Z) else np.asarray(Z)
        if Z.ndim != 2 or Z.dtype.kind not in "fiu":
            raise TypeError(
                f"{self.name} gives no table of numbers: pass a transformer whose output has a row "
                "of numbers for each document."
            )
        Z = Z if Z.dtype.kind == "f" else Z.astype(np.float64)
        return Z if self._lexical else unit(Z)

    def encode(self, queries):
        """Queries as what is compared with documents, row by row."""
        retriever = inside(self.retriever)
        if isinstance(retriever, Pipeline) and len(retriever) > 1:
            queries = retriever[:-1].transform(queries)
        if self.way != "transform":
            return queries
        return self._vectors(
            self.last.transform_query(queries) if self._lexical else self.last.transform(queries)
        )

    def scores(self, encoded, k=None):
        """Scores of all documents, (n_queries, n_documents).

        Of a retriever that gives neighbours alone, k are asked for, and all others are a little
        farther than the farthest.
        """
        if self.way == "transform":
            return products(encoded, self.vectors)
        if self.way == "score_matrix":
            return np.asarray(self.last.score_matrix(encoded))
        distance, ids = self.last.kneighbors(encoded, min(k or self.n_documents, self.n_documents))
        farther = np.nextafter(-distance.max(axis=1, keepdims=True), -np.inf)
        scores = np.repeat(farther, self.n_documents, axis=1)
        np.put_along_axis(scores, ids, -distance, axis=1)
        return scores

    def best(self, encoded, k):
        """Numbers of the k best documents, best first."""
        if self.way == "kneighbors":
            return self.last.kneighbors(encoded, k)[1]
        return best_columns(self.scores(encoded), k)[1]

    def at(self, encoded, ids):
        """Scores of some documents for each query, (n_queries, n_candidates)."""
        if self.way == "transform" and not sp.issparse(self.vectors):
            return np.einsum("qd,qcd->qc", encoded, self.vectors[ids])
        if hasattr(self.last, "score_candidates"):
            return self.last.score_candidates(encoded, ids)
        return np.take_along_axis(self.scores(encoded), ids, axis=1)


def take(rows, part):
    """A slice of rows of a table or of a list."""
    return rows.iloc[part] if hasattr(rows, "iloc") else rows[part]
