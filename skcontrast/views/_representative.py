"""The words that a document says more often than all documents do, as a view of it."""

from collections.abc import Callable

import torch

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.tokens import TokenRows
from skcontrast.views._text import TextView


class RepresentativeWords(TextView):
    r"""Keep a few words of a document, drawn by how much they say about it (B-PROP).

    With the share :math:`p(w|d)` of word w in document d, and its share p(w) in all training
    documents, ``n_words`` different words are drawn without replacement by

    .. math:: P(w) \propto \exp\Big( \frac1T \, p(w|d) \log \frac{p(w|d)}{p(w)} \Big)

    whose exponent is what the word adds to the divergence of the document from the language.
    Each counts once. With ``clean_anchor=True`` a document and its words are a pair, as a
    document and a query are; without, two draws are.

    Parameters
    ----------
    n_words : int, default=10
        Words that are drawn; all of a shorter document.

    temperature : float, default=0.1
        Temperature T: near 0 the most representative words are taken, 1 is the paper's.

    References
    ----------
    Ma et al., "B-PROP: bootstrapped pre-training with representative words prediction for ad-hoc
    retrieval", SIGIR 2021.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import RepresentativeWords
    >>> rows = TokenRows(number_words(["the car and the car".split(), "the tree and".split()]))
    >>> x = rows.take(rows.train_index)
    >>> view = RepresentativeWords(n_words=1, temperature=0.001).build(rows)
    >>> kept = view(x, rows.train_index).weights > 0
    >>> [rows.vocabulary[i] for i in x.ids[kept]]
    ['car', 'tree']
    """

    _parameter_constraints = {
        "n_words": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, n_words: int = 10, temperature: float = 0.1):
        self.n_words = n_words
        self.temperature = temperature

    def build(self, rows: TokenRows) -> Callable:
        n_words, temperature = self.n_words, self.temperature

        def draw(x, index):
            row, n_tokens = x.row_of_token(), len(x.ids)
            # Words that another view took away are none of the document's.
            pair = torch.where(x.weights > 0, row * len(x.words) + x.ids, -1)
            pairs, of_token, count = pair.unique(return_inverse=True, return_counts=True)
            there = pairs >= 0
            of_pair = pairs.clamp_min(0) // len(x.words)
            length = count.new_zeros(len(x)).index_add_(0, of_pair[there], count[there])
            share = count / length[of_pair].clamp_min(1)
            frequency = x.words.frequency[pairs.clamp_min(0) % len(x.words)]
            adds = share * (share / frequency.clamp_min(1e-12)).log()
            noise = -torch.empty_like(adds).exponential_().log()  # of a draw without replacement
            score = (adds / temperature + noise).masked_fill(~there, -torch.inf)
            order = score.argsort(descending=True, stable=True)
            order = order[of_pair[order].argsort(stable=True)]
            start = torch.searchsorted(of_pair[order], of_pair)
            place = torch.empty_like(order).scatter(0, order, torch.arange(len(order)).to(order))
            drawn = there & (place - start < n_words)
            token = torch.arange(n_tokens, device=x.device)
            first = torch.full_like(order, n_tokens).scatter_reduce(0, of_token, token, "amin")
            kept = drawn[of_token] & (first[of_token] == token)
            return x.with_weights(kept.to(x.weights.dtype))

        return draw
