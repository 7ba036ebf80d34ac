"""SemanticSignalSeparation: topics as independent axes of an embedding, in closed form."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.stats import skew
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.decomposition import FastICA
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from skcontrast._arrays import centred
from skcontrast._component import (
    Integral,
    Interval,
    StrOptions,
    check_count,
    check_parameters,
    warn,
)
from skcontrast._state import OwnState
from skcontrast._typing import ArrayLike, MatrixLike, RandomState, Self

# A column direction with less of the largest spread is rounding.
RANK = 1e-10
ENDS = ("positive", "negative", "both")


class SemanticSignalSeparation(
    OwnState, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    r"""Topic model of any embedding: its independent axes (S³), each read at both ends.

    Independent component analysis finds axes C of the embedding D of the documents, and a document
    has the topics

    .. math:: S = (D - \mu) C^\top .

    An axis has no sign and no place in an order of its own: each is turned so that the skewness of
    its scores is positive, which makes the few documents with large scores those that are about
    the topic, and the most skewed comes first. Terms with vectors v in the same space have the
    places :math:`w = (v - \mu) C^\top`, and the importance for topic t

    =========== ==================================================================
    "axial"     :math:`w_t`
    "angular"   :math:`w_t / \lVert w \rVert`, the cosine with the axis
    "combined"  :math:`w_t^2 \, w_t / \lVert w \rVert`, which has the sign of w
    =========== ==================================================================

    Parameters
    ----------
    n_components : int, default=10
        Number of topics; at most as many as the embedding has independent directions.

    importance : {"combined", "axial", "angular"}, default="combined"
        How terms are weighed.

    max_iter : int, default=500
        Most steps of the search for the axes.

    random_state : int, RandomState instance or None, default=None
        Seed of where it starts.

    Attributes
    ----------
    components_ : ndarray of shape (n_components_, n_features)
        The axes, scaled so that the scores of the documents have variance 1.

    mean_ : ndarray of shape (n_features,)
        Mean of the embedding.

    skewness_ : ndarray of shape (n_components_,)
        Skewness of the documents' scores on each axis, falling.

    n_components_ : int
        Number of topics.

    n_iter_ : int
        Steps that were taken.

    n_features_in_ : int
        Number of columns seen during ``fit``.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where ``fit`` got a data frame with names.

    See Also
    --------
    document_term_vectors : Vectors of terms where no encoder makes them.
    skcontrast.metrics.topic_coherence : How well the terms of a topic go together.
    sklearn.decomposition.FastICA : The axes, with signs and order as they come.

    References
    ----------
    Kardos et al., "S³ - Semantic signal separation", ACL 2025. Hyvärinen and Oja, "Independent
    component analysis: algorithms and applications", Neural Networks 13, 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import SemanticSignalSeparation
    >>> rng = np.random.default_rng(0)
    >>> about = rng.exponential(size=(500, 2))  # how much of two topics a document has
    >>> D = about @ [[1.0, 0.2, 0.0], [0.0, 0.3, 1.0]]
    >>> model = SemanticSignalSeparation(2, random_state=0).fit(D)
    >>> V = np.array([[9.0, 1.8, 0.0], [0.0, 2.7, 9.0], [1.0, 0.5, 1.0]])
    >>> sorted(model.top_terms(V, ["sea", "sky", "the"], n=1, ends="positive"))
    [['sea'], ['sky']]
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "importance": [StrOptions({"combined", "axial", "angular"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: int = 10,
        *,
        importance: Literal["combined", "axial", "angular"] = "combined",
        max_iter: int = 500,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.importance = importance
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self: Self, X: ArrayLike, y: Any = None) -> Self:
        """Find the axes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding D of the documents.

        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        check_parameters(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_samples=2)
        _, X_centred = centred(X)
        X = X.astype(np.float64, copy=False)
        spread = np.linalg.svd(X_centred, compute_uv=False)
        rank = int((spread > RANK * max(spread[0], np.finfo(float).tiny)).sum())
        n = min(int(self.n_components), rank)
        if not n:
            raise ValueError("All rows of X are equal, and have no axes: pass rows that differ.")
        if n < self.n_components:
            warn(f"n_components={self.n_components}, but X has {rank} directions: {n} are taken.")
        search = FastICA(
            n, whiten="unit-variance", max_iter=self.max_iter, random_state=self.random_state
        )
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always", ConvergenceWarning)
            scores = search.fit_transform(X)
        if any(issubclass(w.category, ConvergenceWarning) for w in said):
            warn(
                f"The axes have not settled in max_iter={self.max_iter} steps, as where rows have "
                "no direction more than another: type fewer n_components, or a larger max_iter.",
                ConvergenceWarning,
            )
        skewness = skew(scores, axis=0)
        order = np.argsort(-np.abs(skewness), kind="stable")
        signs = np.where(skewness[order] < 0, -1.0, 1.0)
        self.components_ = signs[:, None] * search.components_[order]
        self.skewness_ = np.abs(skewness[order])
        self.mean_, self.n_iter_ = search.mean_, int(search.n_iter_)
        self.n_components_ = n
        return self

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Score documents on each topic.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Embedding of documents.

        Returns
        -------
        S : ndarray of shape (n_samples, n_components_)
        """
        check_is_fitted(self, "components_")
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return ((X - self.mean_) @ self.components_.T).astype(X.dtype, copy=False)

    def term_importance(self, V: ArrayLike) -> np.ndarray:
        """How important terms are for each topic; at the other end of the axis, negative.

        Parameters
        ----------
        V : array-like of shape (n_terms, n_features)
            Vectors of the terms in the space of the documents: what the encoder of the documents
            makes of each term, or :func:`document_term_vectors`.

        Returns
        -------
        importance : ndarray of shape (n_components_, n_terms)
        """
        check_is_fitted(self, "components_")
        V = check_array(V, dtype=np.float64, input_name="V")
        if V.shape[1] != len(self.mean_):
            raise ValueError(
                f"V has {V.shape[1]} columns, and the documents had {len(self.mean_)}: pass "
                "vectors of the same encoder."
            )
        W = (V - self.mean_) @ self.components_.T
        if self.importance == "axial":
            return W.T
        length = np.linalg.norm(W, axis=1, keepdims=True)
        cosine = W / np.where(length > 0, length, 1.0)
        return (cosine if self.importance == "angular" else W**2 * cosine).T

    def top_terms(
        self,
        V: ArrayLike,
        names: ArrayLike | None = None,
        n: int = 10,
        *,
        ends: Literal["both", "positive", "negative"] = "both",
    ) -> list:
        """Name each topic by its most important terms.

        Parameters
        ----------
        V : array-like of shape (n_terms, n_features)
            Vectors of the terms, as in :meth:`term_importance`.

        names : array-like of shape (n_terms,), default=None
            The terms; None gives their numbers, as :func:`skcontrast.metrics.topic_coherence` reads
            them.

        n : int, default=10
            How many of each topic.

        ends : {"both", "positive", "negative"}, default="both"
            End of the axis.

        Returns
        -------
        topics : list of list
            The terms of each topic, the most important first; with "both" a pair of lists, of
            the positive end and of the negative one.
        """
        check_count(n, "n")
        if ends not in ENDS:
            raise ValueError(f"ends={ends!r}: type 'both', 'positive' or 'negative'.")
        found = self.term_importance(V)
        names = np.arange(found.shape[1]) if names is None else np.asarray(names)
        if names.shape != found.shape[1:]:
            raise ValueError(f"names has the shape {names.shape}, and V {found.shape[1]} terms.")
        first, last = (
            [names[np.argsort(sign * row, kind="stable")[:n]].tolist() for row in found]
            for sign in (-1, 1)
        )
        return {"positive": first, "negative": last, "both": list(zip(first, last))}[ends]

    @property
    def _n_features_out(self):
        return self.n_components_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def document_term_vectors(X: ArrayLike, counts: MatrixLike) -> np.ndarray:
    r"""Vectors of terms, as weighted means of the documents that contain them.

    .. math:: v_m = \sum_i c_{im} D_i \,/\, \sum_i c_{im}

    They serve where the encoder of the documents is not at hand. Rare terms have vectors of few
    documents, which lie farther out: where terms can be encoded, that is better.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Embedding D of the documents.

    counts : {array-like, sparse matrix} of shape (n_samples, n_terms)
        Weight c of each term in each document, from 0 on, as ``TfidfVectorizer`` gives it.

    Returns
    -------
    V : ndarray of shape (n_terms, n_features)

    Examples
    --------
    >>> from skcontrast.topics import document_term_vectors
    >>> document_term_vectors([[0.0, 1.0], [2.0, 1.0]], [[1, 1], [3, 0]])
    array([[1.5, 1. ],
           [0. , 1. ]])
    """
    X = check_array(X, dtype=np.float64, input_name="X")
    counts = sp.csr_matrix(check_array(counts, accept_sparse="csr", dtype=np.float64))
    if counts.shape[0] != len(X):
        raise ValueError(
            f"X has {len(X)} rows and counts {counts.shape[0]}: pass the same documents in both."
        )
    total = np.asarray(counts.sum(axis=0)).ravel()
    if counts.nnz and counts.data.min() < 0:
        raise ValueError("counts holds negative numbers: pass counts or TF-IDF.")
    if not total.all():
        raise ValueError(
            f"{int((total == 0).sum())} column(s) of counts are 0 throughout, column "
            f"{int(np.flatnonzero(total == 0)[0])} the first: leave out terms of no document."
        )
    return (counts.T @ X) / total[:, None]
