"""Scorers of encoders for a search without labels: measures of what ``transform`` gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skcontrast._component import (
    Function,
    Interval,
    Real,
    StrOptions,
    check_parameters,
    did_you_mean,
)
from skcontrast._site import OnSite
from skcontrast._typing import Estimator, MatrixLike, RandomState
from skcontrast.metrics._neighbors import hubness
from skcontrast.metrics._partners import retrieval
from skcontrast.metrics._spectrum import effective_rank, isotropy
from skcontrast.metrics._sphere import alignment, cosine_gap, uniformity

Measure: TypeAlias = Literal[
    "alignment",
    "alignment_uniformity",
    "cosine_gap",
    "effective_rank",
    "hubness",
    "isotropy",
    "uniformity",
    "view_retrieval",
]
# Share of the entries that are resampled where an estimator has no views of its own.
RATE = 0.3

# Name -> function of the embeddings of the rows and of their views; more is better.
MEASURES = {
    "alignment": lambda z, view: -alignment(z, view()),
    "alignment_uniformity": lambda z, view: -alignment(z, view()) - uniformity(z),
    "cosine_gap": lambda z, view: cosine_gap(z, view()),
    "effective_rank": lambda z, view: effective_rank(z),
    "hubness": lambda z, view: -hubness(z, min(10, len(z) - 1), metric="cosine"),
    "isotropy": lambda z, view: isotropy(z),
    "uniformity": lambda z, view: -uniformity(z),
    "view_retrieval": lambda z, view: retrieval(view(), z),
}


def resample_columns(X: MatrixLike, rate: float = RATE, random_state: RandomState = None) -> Any:
    r"""Replace entries of a table by values of the same column in other rows.

    .. math:: x'_{ij} = X_{r_{ij} j} \text{ with probability } rate, \text{ else } x_{ij}

    with rows :math:`r_{ij}` drawn uniformly and independently: draws from the marginal of
    each column. Of sparse rows the stored entries move to other rows of their column with this
    probability, which leaves the number of entries nearly as it was.

    Parameters
    ----------
    X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
        Rows of numbers or categories, also with missing values.

    rate : float, default=0.3
        Chance of an entry to be replaced, in (0, 1].

    random_state : int, RandomState instance or None, default=None
        Seed of the draws.

    Returns
    -------
    X_view : of the kind and shape of X
        A new table.

    Raises
    ------
    ValueError
        Where X is no table.

    References
    ----------
    Bahri et al., "SCARF: self-supervised contrastive learning using random feature
    corruption", ICLR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast.metrics import resample_columns
    >>> X = np.arange(8.0).reshape(4, 2)
    >>> changed = resample_columns(X, rate=0.5, random_state=0)
    >>> [set(new) <= set(old) for new, old in zip(changed.T, X.T)]
    [True, True]
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate={rate!r}: type a number above 0 and at most 1.")
    rng = check_random_state(random_state)
    if sp.issparse(X):
        return _resample_sparse(X, rate, rng)
    if not hasattr(X, "columns"):
        try:
            X = check_array(X, dtype=None, ensure_all_finite=False)
        except (TypeError, ValueError):
            raise ValueError(
                f"X is a {type(X).__name__} and no table, so its columns cannot be resampled: "
                "pass a table, or view=function, which takes the rows and a RandomState."
            ) from None
    n, own = len(X), np.arange(len(X))[:, None]
    taken = np.where(rng.uniform(size=X.shape) < rate, rng.randint(n, size=X.shape), own)
    if hasattr(X, "iloc"):
        out = X.copy()
        for j in range(X.shape[1]):
            out.isetitem(j, X.iloc[taken[:, j], j].array)
        return out
    if hasattr(X, "with_columns"):
        return X.with_columns(X[name][rows] for name, rows in zip(X.columns, taken.T))
    return np.take_along_axis(X, taken, axis=0)


def _resample_sparse(X, rate, rng):
    entries = sp.coo_array(X)
    moved = rng.uniform(size=entries.nnz) < rate
    rows = np.where(moved, rng.randint(X.shape[0], size=entries.nnz), entries.row)
    # Where two entries meet the last one stays: they must not add up.
    place = rows.astype(np.int64) * X.shape[1] + entries.col
    _, last = np.unique(place[::-1], return_index=True)
    kept = entries.nnz - 1 - last
    parts = entries.data[kept], (rows[kept], entries.col[kept])
    return sp.csr_matrix(parts, shape=X.shape)


class EmbeddingScorer(OnSite, BaseEstimator):
    r"""Score an encoder by its embedding of held-out rows, without labels.

    An object of this class is what ``scoring=`` of a search takes: it is called with a fitted
    estimator and rows, and gives a number of which more is better. With z the embedding of the
    rows and z' that of one random view of each, the measures are

    ====================== =======================================================
    "view_retrieval"       :func:`retrieval` of the row from its view, (z', z)
    "alignment_uniformity" :math:`-` :func:`alignment` (z, z') :math:`-` :func:`uniformity` (z)
    "cosine_gap"           :func:`cosine_gap` (z, z')
    "alignment"            :math:`-` :func:`alignment` (z, z')
    "uniformity"           :math:`-` :func:`uniformity` (z)
    "effective_rank"       :func:`effective_rank` (z)
    "isotropy"             :func:`isotropy` (z)
    "hubness"              :math:`-` :func:`hubness` (z) of ten neighbours, by cosine
    ====================== =======================================================

    The estimator is an encoder, or a Pipeline that ends with one; views are made of the rows
    that the last step reads.

    Parameters
    ----------
    measure : str or callable, default="view_retrieval"
        A name of the table, or a function ``(z, z') -> float``.

    view : "auto", float or callable, default="auto"
        Where the view comes from:

        - "auto": the estimator's own views, as in its training, drawn among the rows that are
          scored. An estimator that has none gets :func:`resample_columns` with the rate 0.3.
        - a float: :func:`resample_columns` with this rate.
        - a function ``(X, random_state) -> X'`` of the rows and a RandomState.

        In a search over the views themselves, give one view for all candidates: with "auto"
        those win whose views change least. The view "neighbors", which replaces the row by
        another one, leaves little for "view_retrieval" to find: give a rate there too.

    random_state : int, RandomState instance or None, default=0
        Seed of the views. An int gives every candidate the same draws.

    Raises
    ------
    ValueError
        On a call: where the last step has no ``transform``, or the measure is not defined, as
        with an embedding of zeros. A search then gives the candidate ``error_score``.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment and
    uniformity on the hypersphere", ICML 2020. Garrido et al., "RankMe: assessing the downstream
    performance of pretrained self-supervised representations by their rank", ICML 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skcontrast.metrics import EmbeddingScorer
    >>> X, _ = load_iris(return_X_y=True)
    >>> scorer = EmbeddingScorer("view_retrieval", view=0.2)
    >>> search = GridSearchCV(PCA(), {"n_components": [1, 3]}, scoring=scorer)
    >>> search.fit(X).best_params_
    {'n_components': 3}
    """

    _parameter_constraints = {
        "measure": [StrOptions(set(MEASURES)), Function()],
        "view": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="right"), Function()],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        measure: Measure | Callable[[np.ndarray, np.ndarray], float] = "view_retrieval",
        *,
        view: float | Literal["auto"] | Callable = "auto",
        random_state: RandomState = 0,
    ):
        self.measure = measure
        self.view = view
        self.random_state = random_state

    def __call__(self, estimator: Estimator, X: MatrixLike, y: Any = None) -> float:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``transform``.

        X : array-like of shape (n_samples, n_features)
            Rows, held out where it can be.

        y : None
            Not read.

        Returns
        -------
        score : float
        """
        z, view = self._embeddings(estimator, X)
        if callable(self.measure):
            return float(self.measure(z, view()))
        return float(MEASURES[self.measure](z, view))

    def _embeddings(self, estimator, X):
        """Embedding of the rows, and a function that gives that of one random view of each."""
        check_parameters(self)
        encoder, rows = last_step(estimator, X)
        return learned(encoder, rows), lambda: self._embed_view(encoder, rows)

    def _embed_view(self, encoder, rows):
        view = self.view
        if isinstance(view, str):
            own = getattr(encoder, "_embed_view", None)
            embedding = None if own is None else own(rows, self.random_state)
            if embedding is not None:
                return embedding
            view = RATE
        rng = check_random_state(self.random_state)
        changed = view(rows, rng) if callable(view) else resample_columns(rows, view, rng)
        return learned(encoder, changed)


def learned(encoder, rows):
    """What an encoder learned of rows, without columns that it only passes on."""
    return getattr(encoder, "_embed_rows", encoder.transform)(rows)


def last_step(estimator, X):
    """The encoder that a Pipeline or a search ends with, and the rows that it reads."""
    check_is_fitted(estimator)
    while isinstance(estimator, Pipeline) or hasattr(estimator, "best_estimator_"):
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
            continue
        if len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator[-1]
    if not hasattr(estimator, "transform"):
        raise ValueError(
            f"the last step, {estimator!r}, has no transform: pass an encoder, or a Pipeline that "
            "ends with one."
        )
    return estimator, X


alignment_uniformity_scorer = EmbeddingScorer("alignment_uniformity")
effective_rank_scorer = EmbeddingScorer("effective_rank")
view_retrieval_scorer = EmbeddingScorer("view_retrieval")


def get_scorer(name: Measure) -> EmbeddingScorer:
    """Scorer of a name, a new object each time.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`.

    Returns
    -------
    scorer : EmbeddingScorer

    Raises
    ------
    ValueError
        For another name.

    References
    ----------
    ``sklearn.metrics.get_scorer``, which does the same for scorers that read labels.

    Examples
    --------
    >>> from skcontrast.metrics import get_scorer
    >>> get_scorer("effective_rank")
    EmbeddingScorer(measure='effective_rank')
    """
    if not isinstance(name, str) or name not in MEASURES:
        hint = did_you_mean(name, MEASURES) if isinstance(name, str) else ""
        raise ValueError(f"name={name!r}: type one of {', '.join(get_scorer_names())}.{hint}")
    return EmbeddingScorer(name)


def get_scorer_names() -> list[str]:
    """Names that :func:`get_scorer` takes, sorted.

    Returns
    -------
    names : list of str

    Examples
    --------
    >>> from skcontrast.metrics import get_scorer_names
    >>> "view_retrieval" in get_scorer_names()
    True
    """
    return sorted(MEASURES)
