"""Words replaced by words of like meaning."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.tokens import TokenRows
from skcontrast.views._text import TextView


class WordSubstitution(TextView):
    r"""Replace some words by others that are near them in given vectors.

    .. math:: w' \sim \mathrm{Uniform}(N_k(w)) \quad \text{with probability } rate

    where :math:`N_k(w)` are the k words nearest to w by the cosine of the vectors, among the
    words of the training documents that have one. A word without a vector stays. Of documents
    that are lists of items, such as what a user has bought, the words are the items.

    Parameters
    ----------
    vectors : mapping of str to array-like of shape (n_components,)
        The vector of each word. Of a fitted ``Word2VecVectorizer`` they are
        ``{w: model.embedding_[i] for w, i in model.vocabulary_.items()}``.

    n_neighbors : int, default=5
        Number k of words to draw from.

    rate : float, default=0.2
        Probability that a word is replaced, in [0, 1].

    References
    ----------
    Wu et al., "CLEAR: contrastive learning for sentence representation", 2020. Cui et al.,
    "Semantic retrieval augmented contrastive learning for sequential recommendation", 2025.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import WordSubstitution
    >>> rows = TokenRows(number_words(["car auto tree".split()]))
    >>> x = rows.take(rows.train_index)
    >>> vectors = {"car": [1.0, 0.0], "auto": [0.9, 0.1], "bike": [1.0, 0.0]}
    >>> view = WordSubstitution(vectors, n_neighbors=1, rate=1.0).build(rows)
    >>> [rows.vocabulary[i] for i in view(x, rows.train_index).ids]
    ['auto', 'car', 'tree']
    """

    _parameter_constraints = {
        "vectors": [Mapping],
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "rate": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, vectors: Mapping, n_neighbors: int = 5, rate: float = 0.2):
        self.vectors = vectors
        self.n_neighbors = n_neighbors
        self.rate = rate

    def build(self, rows: TokenRows) -> Callable:
        near = torch.as_tensor(self._neighbors(rows.vocabulary), device=rows.device)
        rate, (n_known, k) = self.rate, near.shape

        def substitute(x, index):
            size = x.ids.shape
            drawn = near[x.ids.clamp_max(n_known - 1), torch.randint(k, size, device=x.device)]
            # Words that another view made, such as misspelled ones, are behind the known ones.
            chosen = (torch.rand(size, device=x.device) < rate) & (x.ids < n_known)
            return x.with_ids(torch.where(chosen, drawn, x.ids))

        return substitute

    def _neighbors(self, vocabulary):
        """Numbers of the words near each word, itself where it has no vector: (n_words, k)."""
        have = np.array([i for i, word in enumerate(vocabulary) if word in self.vectors])
        k = min(self.n_neighbors, len(have) - 1)
        if k < 1:
            raise ValueError(
                f"WordSubstitution: {len(have)} of the {len(vocabulary)} words of the documents "
                "have a vector, and at least 2 are needed: pass vectors of words in the form in "
                "which the documents have them, such as in lower case."
            )
        try:
            table = np.array([self.vectors[vocabulary[i]] for i in have], dtype=np.float32)
            table = check_array(table, input_name="vectors")
        except (TypeError, ValueError):
            raise ValueError(
                "WordSubstitution: vectors hold what is no table of finite numbers: pass those of "
                "one model, all of one length."
            ) from None
        search = NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(table)
        found = search.kneighbors(table, return_distance=False)
        # Stable: the word itself goes last, wherever equal vectors have put it.
        order = (found == np.arange(len(have))[:, None]).argsort(axis=1, kind="stable")[:, :k]
        near = np.repeat(np.arange(len(vocabulary))[:, None], k, axis=1)
        near[have] = have[np.take_along_axis(found, order, axis=1)]
        return near
