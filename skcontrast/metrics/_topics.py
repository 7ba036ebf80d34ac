"""topic_coherence and topic_diversity: whether terms of topics go together, and differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from skcontrast._typing import MatrixLike
from skcontrast.metrics._checks import check_option

# Of gensim: what stands for the logarithm of nothing.
EPS = 1e-12


def topic_coherence(
    counts: MatrixLike,
    topics: Iterable,
    measure: Literal["npmi", "umass", "uci"] = "npmi",
) -> np.ndarray:
    r"""How often the terms of a topic are in the same documents, relative to chance.

    With the share P of documents that contain a term, or two, and :math:`\epsilon = 10^{-12}`, the
    mean over pairs of a term a and one b that comes before it, of

    ======== ===========================================================================
    "npmi"   :math:`\log \frac{P_{ab} + \epsilon}{P_a P_b} / (-\log (P_{ab} + \epsilon))`
    "umass"  :math:`\log \frac{P_{ab} + \epsilon}{P_b}`
    "uci"    :math:`\log \frac{P_{ab} + \epsilon}{P_a P_b}`
    ======== ===========================================================================

    The NPMI of terms that are always together is 1, and of those that never meet nearly -1: on
    short texts it mostly counts pairs that never meet.

    Parameters
    ----------
    counts : {array-like, sparse matrix} of shape (n_documents, n_terms)
        How often each term is in each document, as ``CountVectorizer`` gives it.

    topics : iterable of array-like of int
        Columns of the top terms of each topic, the most important first; usually ten.

    measure : {"npmi", "umass", "uci"}, default="npmi"
        Which.

    Returns
    -------
    coherence : ndarray of shape (n_topics,)

    Raises
    ------
    ValueError
        For a topic with fewer than two terms, the same term twice, or a term in no document.

    See Also
    --------
    topic_diversity : Of topics that are all alike, each may be coherent.

    References
    ----------
    Röder, Both and Hinneburg, "Exploring the space of topic coherence measures", WSDM 2015. Mimno
    et al., "Optimizing semantic coherence in topic models", EMNLP 2011.

    Examples
    --------
    >>> from skcontrast.metrics import topic_coherence
    >>> counts = [[1, 1, 0, 0], [2, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 0]]
    >>> topic_coherence(counts, [[0, 1], [1, 2]]).round(1)
    array([ 1. , -0.9])
    """
    check_option(measure, "measure", ("npmi", "umass", "uci"))
    counts = check_array(counts, accept_sparse="csc", input_name="counts")
    there = sp.csc_matrix(sp.csc_matrix(counts) != 0, dtype=np.float64)
    if there.nnz and counts.min() < 0:
        raise ValueError("counts holds negative numbers: pass counts, as of CountVectorizer.")
    rows = [_topic(topic, i, there.shape[1]) for i, topic in enumerate(_lists(topics))]
    if not rows:
        raise ValueError("topics holds no topic: pass at least one list of terms.")
    return np.array([_coherence(there[:, topic], topic, measure) for topic in rows])


def _lists(topics):
    """The terms of each topic as an array."""
    try:
        arrays = [np.asarray(topic) for topic in topics]
    except (TypeError, ValueError):  # of what is no list, and of lists of different lengths
        arrays = [np.array(None)]
    if isinstance(topics, str) or not all(array.ndim for array in arrays):
        raise ValueError(
            "topics is no list of topics, each a list of its terms: pass what "
            "top_terms(V, ends='positive') gives."
        )
    return arrays


def _topic(found, i, n_terms):
    """The columns of a topic, checked."""
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise ValueError(
            f"topic {i} holds no numbers of columns of counts: pass the places of its terms, as "
            "top_terms(V, ends='positive') gives."
        )
    if len(found) < 2 or len(np.unique(found)) < len(found):
        raise ValueError(f"topic {i} needs at least 2 different terms, got {found.tolist()}.")
    if found.min() < 0 or found.max() >= n_terms:
        raise ValueError(f"topic {i} names a term beyond the {n_terms} columns of counts.")
    return found


def _coherence(there, topic, measure):
    both = (there.T @ there).toarray() / there.shape[0]
    own = np.diag(both)
    if not own.all():
        raise ValueError(
            f"term {topic[np.argmin(own)]} is in no document of counts: leave it out of the topics."
        )
    late, early = np.tril_indices(len(topic), -1)
    together = both[late, early] + EPS
    if measure == "umass":
        return np.log(together / own[early]).mean()
    pmi = np.log(together / (own[late] * own[early]))
    return (pmi if measure == "uci" else _normalized(pmi, together)).mean()


def _normalized(pmi, together):
    # Two terms that are in every document always meet, which is 1 and not 0 / 0.
    certain = together >= 1
    return np.where(certain, 1.0, pmi / np.where(certain, 1.0, -np.log(together)))


def topic_diversity(topics: Iterable) -> float:
    """Share of different terms among the top terms of all topics.

    Parameters
    ----------
    topics : iterable of array-like
        Top terms of each topic, as numbers or words.

    Returns
    -------
    diversity : float
        1 where no two topics have a term in common.

    See Also
    --------
    topic_coherence : How well the terms of each go together.

    References
    ----------
    Dieng, Ruiz and Blei, "Topic modeling in embedding spaces", TACL 8, 2020.

    Examples
    --------
    >>> from skcontrast.metrics import topic_diversity
    >>> topic_diversity([["sea", "sky"], ["sky", "sun"]])
    0.75
    """
    terms = [term for topic in _lists(topics) for term in topic.ravel().tolist()]
    if not terms:
        raise ValueError("topics holds no term: pass at least one list of terms.")
    return len(set(terms)) / len(terms)
