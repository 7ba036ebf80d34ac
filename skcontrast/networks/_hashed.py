"""HashedEmbeddingBag: documents of any words, embedded without a vocabulary."""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import embedding_bag, pad

from skcontrast._component import Component, Integral, Interval, Real
from skcontrast._tokens import TokenBatch
from skcontrast.functional import normalize
from skcontrast.networks._layers import MLP, InputLayer

# Below this number of rows BLAS takes another path, with other rounding.
MIN_ROWS = 8


class HashedEmbeddingBag(Component):
    r"""Weighted mean of word vectors, each the sum of hashed rows of a table.

    .. math::

        v(w) = \frac{1}{\sqrt{H}} \sum_{h=1}^{H} E_{h(w)}
            + \frac{s}{\sqrt{|S_w|}} \sum_{g \in S_w} E_g, \qquad
        u = \sum_t \left( \frac{a}{a + p(w_t)} \right)^{b} v(w_t)

    where :math:`S_w` are the beginning, the end, the shape and the character n-grams of a
    word, and p(w) is the share of the training corpus that the word makes up. A word that
    was never seen has rows as well, and shares those of its n-grams with words like it.

    A part of the embedding is not learned: the same sum over a fixed table of random signs,
    which tells which words are there. Trained alone, an embedding of few documents takes all
    words of a topic for one. The learned part has unit length, the other one
    ``lexical_weight``.

    Parameters
    ----------
    n_rows : int, default=8192
        Rows of the table, shared by words and n-grams.

    n_hashes : int, default=4
        Number H of rows of a word, among them hardly ever all those of another one.

    subwords : float, default=2.0
        Weight s of the parts of a word; 0 leaves them out.

    smoothing : float, default=1e-3
        Constant a of the weight of a word.

    power : float, default=0.35
        Exponent b: 0 weighs all words alike, 1 is the weight of SIF.

    lexical : float, default=0.5
        Share of the columns that are not learned, in [0, 1).

    lexical_weight : float, default=1.0
        Length of the part that is not learned. More suits the similarity of sentences, in
        which the very words matter; less suits topics.

    window : int, default=0
        Above 0 the word vectors of so many neighbours on either side are added to that of a
        word, through a layer, so that the order of the words counts.

    hidden_layer_sizes : tuple of int, default=()
        Hidden layers between the mean and the learned columns.

    dropout : float, default=0.0
        Probability that an entry of the mean is dropped in training. Above 0 two passes of
        a document differ, and are views of it (SimCSE).

    References
    ----------
    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    Svenstrup et al., "Hash embeddings for efficient word representations", NeurIPS 2017.
    Bojanowski et al., "Enriching word vectors with subword information", TACL 2017. Arora
    et al., "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017.

    Examples
    --------
    >>> from skcontrast._tokens import TokenRows, number_words
    >>> from skcontrast.networks import HashedEmbeddingBag
    >>> rows = TokenRows(number_words([["two", "words"], ["one"], []]))
    >>> network = HashedEmbeddingBag().build(rows.n_features, 8)
    >>> network(rows.take(rows.train_index)).shape
    torch.Size([3, 8])
    """

    reads = "tokens"

    _parameter_constraints = {
        "n_rows": [Interval(Integral, 1, None, closed="left")],
        "n_hashes": [Interval(Integral, 1, 8, closed="both")],
        "subwords": [Interval(Real, 0, None, closed="left")],
        "smoothing": [Interval(Real, 0, None, closed="neither")],
        "power": [Interval(Real, 0, None, closed="left")],
        "lexical": [Interval(Real, 0, 1, closed="left")],
        "lexical_weight": [Interval(Real, 0, None, closed="left")],
        "window": [Interval(Integral, 0, None, closed="left")],
        "hidden_layer_sizes": [tuple, list],
        "dropout": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        n_rows=8192,
        n_hashes=4,
        subwords=2.0,
        smoothing=1e-3,
        power=0.35,
        lexical=0.5,
        lexical_weight=1.0,
        window=0,
        hidden_layer_sizes=(),
        dropout=0.0,
    ):
        self.n_rows = n_rows
        self.n_hashes = n_hashes
        self.subwords = subwords
        self.smoothing = smoothing
        self.power = power
        self.lexical = lexical
        self.lexical_weight = lexical_weight
        self.window = window
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout

    def build(self, n_features_in, n_components):
        """Make the torch module TokenBatch of n documents -> (n, n_components).

        Parameters
        ----------
        n_features_in, n_components : int

        Returns
        -------
        module : nn.Module
        """
        return _Bag(self, n_components)


def _signs(n_rows, width):
    """Random signs, the same for every model: they need not be kept with it."""
    n_bits = n_rows * width
    raw = np.frombuffer(np.random.RandomState(0).bytes(-(-n_bits // 8)), dtype=np.uint8)
    bits = np.unpackbits(raw, count=n_bits).reshape(n_rows, width)
    return torch.as_tensor(bits.astype(np.float32) * 2 - 1)


class _Bag(nn.Module):
    accepts_sparse = True

    def __init__(self, options, n_components):
        super().__init__()
        self.options = options
        n_lexical = int(options.lexical * n_components)
        width = n_components - n_lexical
        # Row 0 stands for the n-grams that a word does not have.
        table = torch.randn(options.n_rows + 1, width) * width**-0.5
        table[0] = 0
        self.table = nn.Parameter(table)
        fixed = _signs(options.n_rows + 1, n_lexical) if n_lexical else None
        self.register_buffer("fixed", fixed, persistent=False)
        multipliers = np.random.RandomState(0).randint(2**20, 2**31 - 1, 8)[: options.n_hashes]
        self.register_buffer("multipliers", torch.as_tensor(multipliers | 1), persistent=False)
        self.around = None
        if options.window:
            self.around = InputLayer((2 * options.window + 1) * width, width, gain=2**0.5)
        self.head = None
        if len(options.hidden_layer_sizes):
            self.head = MLP(tuple(options.hidden_layer_sizes)).build(width, width)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x):
        if not isinstance(x, TokenBatch):
            raise TypeError("HashedEmbeddingBag reads words: type network='mlp' for numbers.")
        number, ids = self._distinct(x.ids)
        rows, share = self._rows(x.words.features[number])
        smoothing, power = self.options.smoothing, self.options.power
        known = (smoothing / (smoothing + x.words.frequency[number])) ** power
        weights = x.weights * known[ids]

        vectors, place = _mixed(rows, self.table, share), ids
        if self.around is not None:
            vectors = self._in_context(x, vectors[ids])
            place = torch.arange(len(ids), device=x.device)
        learned = self.dropout(_pooled(x, place, vectors, weights))
        if self.head is not None:
            learned = self.head(learned)
        if self.fixed is None:
            return learned
        lexical = _pooled(x, ids, _mixed(rows, self.fixed, share), weights)
        lexical = self.options.lexical_weight * normalize(lexical)
        return torch.cat([normalize(learned), lexical], dim=1)

    def _distinct(self, ids):
        """Distinct words, and where each token is among them."""
        if ids.device.type == "cpu":
            return torch.unique(ids, return_inverse=True)
        # Looking for words that come back would make the device wait.
        return ids, torch.arange(len(ids), device=ids.device)

    def _rows(self, features):
        """Rows of the table for each word, 0 for none, and how much each of them counts."""
        n_rows, n_hashes = self.options.n_rows, self.options.n_hashes
        word = (features[:, :1] * self.multipliers >> 16).remainder(n_rows) + 1
        weight = self.table.new_full(word.shape, n_hashes**-0.5)
        if not self.options.subwords:
            return word, weight
        parts = features[:, 1:]
        rows = torch.where(parts < 0, 0, parts.remainder(n_rows) + 1)
        count = (rows > 0).sum(1, keepdim=True).to(weight.dtype)
        part = (self.options.subwords * count.clamp_min(1).rsqrt()).expand(rows.shape)
        return torch.cat([word, rows], dim=1), torch.cat([weight, part], dim=1)

    def _in_context(self, x, tokens):
        """Vectors of tokens with those of their neighbours in the document mixed in."""
        here = tokens * (x.weights > 0)[:, None]
        row, n, window = x.row_of_token(), len(tokens), self.options.window
        beside = []
        for shift in range(-window, window + 1):
            place = torch.arange(n, device=x.device) + shift
            inside = place.clamp(0, max(0, n - 1))
            same = (place == inside) & (row[inside] == row)
            beside.append(here[inside] * same[:, None])
        stacked = pad(torch.cat(beside, dim=1), (0, 0, 0, max(0, MIN_ROWS - n)))
        mixed = torch.relu(self.around(stacked))[:n]
        return tokens + mixed


def _mixed(rows, table, share):
    return embedding_bag(rows, table, mode="sum", per_sample_weights=share, padding_idx=0)


def _pooled(x, ids, vectors, weights):
    """Weighted mean of the word vectors of each document; 0 where it has no words."""
    total = weights.new_zeros(len(x)).index_add_(0, x.row_of_token(), weights)
    summed = embedding_bag(ids, vectors, x.offsets, mode="sum", per_sample_weights=weights)
    return summed / torch.where(total > 0, total, 1)[:, None]
