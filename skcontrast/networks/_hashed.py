"""HashedEmbeddingBag: documents of any words, embedded without a vocabulary."""

from typing import Literal

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.preprocessing import normalize as unit_rows
from sklearn.utils.extmath import randomized_svd
from torch import nn
from torch.nn.functional import embedding_bag, pad

from skcontrast._component import Component, Integral, Interval, Real
from skcontrast._inputs.tokens import TokenBatch
from skcontrast.functional import normalize
from skcontrast.networks._layers import MLP, WIDTH, InputLayer

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

    A part of the embedding is not trained, and tells which words are there. Trained alone, an
    embedding of few documents takes all words of a topic for one. With x the same sum over the
    unit vectors :math:`e_i` of the rows in place of :math:`E_i`, V the K principal directions
    of the documents in ``fit`` (the right singular vectors of their x of unit length) and R a
    fixed matrix of m random signs a row, it is

    .. math::

        \big( x V, \; m^{-1/2} \, (x - x V V^\top) R \big)

    so that inner products are those of x as far as V reaches, and beyond it are kept up to the
    error of a random projection. K is a third of these columns. The learned part has unit
    length, the other one ``lexical_weight``, and unit length too while the first is trained.

    Parameters
    ----------
    n_rows : int, default=8192
        Rows of the table, shared by words and n-grams.

    n_hashes : int, default=4
        Number H of rows of a word, among them hardly ever all those of another one.

    subwords : float, default=1.0
        Weight s of the parts of a word; 0 leaves them out.

    smoothing : float, default=1e-2
        Constant a of the weight of a word.

    power : float, default=1.0
        Exponent b: 0 weighs all words alike, 1 is the weight of SIF.

    lexical : float, default=0.75
        Share of the columns that are not trained, in [0, 1).

    lexical_weight : float, default=2.0
        Length of the part that is not trained. More suits the similarity of sentences, in
        which the very words matter.

    window : int, default=0
        Above 0 the word vectors of so many neighbours on either side are added to that of a
        word, through a layer, so that the order of the words counts.

    hidden_layer_sizes : tuple of int, default=()
        Hidden layers between the mean and the learned columns.

    dropout : float, default=0.0
        Probability that an entry of the mean is dropped in training. Above 0 two passes of
        a document differ, and are views of it (SimCSE).

    width : int or "auto", default="auto"
        Number of columns, where ``n_components`` of the estimator does not say it; "auto" is
        1024.

    References
    ----------
    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009.
    Svenstrup et al., "Hash embeddings for efficient word representations", NeurIPS 2017.
    Bojanowski et al., "Enriching word vectors with subword information", TACL 2017. Arora
    et al., "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017.
    Deerwester et al., "Indexing by latent semantic analysis", JASIS 41, 1990. Halko,
    Martinsson, Tropp, "Finding structure with randomness", SIAM Review 53, 2011.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.networks import HashedEmbeddingBag
    >>> rows = TokenRows(number_words([["two", "words"], ["one"], []]))
    >>> network = HashedEmbeddingBag().build(rows.n_features, 8)
    >>> network(rows.take(rows.train_index)).shape
    torch.Size([3, 8])
    """

    reads = frozenset({"tokens"})

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
        "width": WIDTH,
    }

    def __init__(
        self,
        n_rows: int = 8192,
        n_hashes: int = 4,
        subwords: float = 1.0,
        smoothing: float = 1e-2,
        power: float = 1.0,
        lexical: float = 0.75,
        lexical_weight: float = 2.0,
        window: int = 0,
        hidden_layer_sizes: tuple[int, ...] | list[int] = (),
        dropout: float = 0.0,
        width: int | Literal["auto"] = "auto",
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
        self.width = width

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module TokenBatch of n documents -> (n, n_components)."""
        return _Bag(self, n_components)


def _signs(n_rows, width):
    """Random signs, the same for every model: they need not be kept with it."""
    if torch.empty(0).is_meta:  # shapes alone are asked for
        return torch.empty(n_rows, width)
    n_bits = n_rows * width
    raw = np.frombuffer(np.random.RandomState(0).bytes(-(-n_bits // 8)), dtype=np.uint8)
    bits = np.unpackbits(raw, count=n_bits).reshape(n_rows, width)
    return torch.as_tensor(bits.astype(np.float32) * 2 - 1)


class _Bag(nn.Module):
    accepts_sparse = True
    # That the mean may be taken over some tokens of a document only.
    pools_tokens = True

    def __init__(self, options, n_components):
        super().__init__()
        self.options = options
        n_lexical = int(options.lexical * n_components)
        width = n_components - n_lexical
        self.width, self.attend = width, None
        # Row 0 stands for the n-grams that a word does not have.
        table = torch.randn(options.n_rows + 1, width) * width**-0.5
        table[0] = 0
        self.table = nn.Parameter(table)
        self.has_lexical = n_lexical > 0
        n_principal = n_lexical // 3
        n_signs = n_lexical - n_principal
        # Not kept with the model: they are the same for every one.
        self.register_buffer("signs", _signs(options.n_rows + 1, n_signs), persistent=False)
        self.register_buffer("principal", torch.zeros(options.n_rows + 1, n_principal))
        # What the principal directions hold of the signs, to be taken off: V^T R.
        self.register_buffer("overlap", torch.zeros(n_principal, n_signs))
        multipliers = np.random.RandomState(0).randint(2**20, 2**31 - 1, 8)[: options.n_hashes]
        self.register_buffer("multipliers", torch.as_tensor(multipliers | 1), persistent=False)
        self.around = None
        if options.window:
            self.around = InputLayer((2 * options.window + 1) * width, width, gain=2**0.5)
        self.head = None
        if len(options.hidden_layer_sizes):
            self.head = MLP(tuple(options.hidden_layer_sizes)).build(width, width)
        self.dropout = nn.Dropout(options.dropout)

    def prepare(self, rows):
        """Find the principal directions of the documents, once, before training."""
        n_principal = self.principal.shape[1]
        if not n_principal:
            return
        x = rows.reference().to(self.table.device)
        number, ids = torch.unique(x.ids, return_inverse=True)
        hashed, share = self._rows(x.words.features[number])
        weights = x.weights * self._importance(x.words.frequency[number])[ids]
        words = _sparse(hashed, share, self.options.n_rows + 1)
        start = np.append(x.offsets.cpu().numpy(), len(ids))
        tokens = (weights.cpu().numpy(), ids.cpu().numpy(), start)
        documents = sp.csr_array(tokens, shape=(len(x), len(number))) @ words
        documents = documents[:, 1:]  # row 0 stands for no n-gram
        directions = torch.as_tensor(principal_directions(documents, n_principal))
        self.principal[1:] = directions.to(self.principal)
        self.overlap.copy_(self.principal.T @ self.signs)

    def _importance(self, frequency):
        smoothing = self.options.smoothing
        return (smoothing / (smoothing + frequency)) ** self.options.power

    def forward(self, x, inside=None):
        """Embedding (n, d) of documents, or of their tokens where ``inside`` (n_tokens,) is 1."""
        if not isinstance(x, TokenBatch):
            raise TypeError("HashedEmbeddingBag reads words: type network='mlp' for numbers.")
        number, ids = self._distinct(x.ids)
        rows, share = self._rows(x.words.features[number])
        weights = x.weights * self._importance(x.words.frequency[number])[ids]
        weights = weights if inside is None else weights * inside

        vectors, place = _mixed(rows, self.table, share), ids
        if self.around is not None:
            vectors = self._in_context(x, vectors[ids])
            place = torch.arange(len(ids), device=x.device)
        if self.attend is not None:
            n = len(vectors)
            vectors = self.attend(pad(vectors, (0, 0, 0, max(0, MIN_ROWS - n))))[:n]
        learned = self.dropout(_pooled(x, place, vectors, weights))
        if self.head is not None:
            learned = self.head(learned)
        if not self.has_lexical:
            return learned
        lexical = normalize(self._lexical(x, ids, rows, share, weights))
        # A heavy part that cannot change would leave the other one little to learn.
        weight = 1.0 if self.training else self.options.lexical_weight
        return torch.cat([normalize(learned), weight * lexical], dim=1)

    def _lexical(self, x, ids, rows, share, weights):
        """Coordinates in the principal directions, and a projection of what they leave."""
        signs = _pooled(x, ids, _mixed(rows, self.signs, share), weights)
        if not self.principal.shape[1]:
            return signs
        principal = _pooled(x, ids, _mixed(rows, self.principal, share), weights)
        rest = signs - principal @ self.overlap
        return torch.cat([principal, rest * signs.shape[1] ** -0.5], dim=1)

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


def _sparse(columns, values, n_columns):
    """Matrix (n, n_columns) with ``values`` (n, k) in ``columns`` (n, k), summed where equal."""
    start = np.arange(0, columns.numel() + 1, columns.shape[1])
    content = (values.cpu().numpy().ravel(), columns.cpu().numpy().ravel(), start)
    return sp.csr_array(content, shape=(len(columns), n_columns))


def principal_directions(X, n_directions):
    """Right singular vectors of the rows of a sparse X, each brought to unit length.

    Orthonormal columns (n_columns, n_directions), zeros where the rows span fewer directions.
    """
    X = unit_rows(X)
    V = np.zeros((X.shape[1], n_directions), dtype=X.dtype)
    k = min(n_directions, *X.shape)
    _, values, found = randomized_svd(X, k, random_state=0)
    there = values > max(X.shape) * np.finfo(X.dtype).eps * values[0]
    V[:, :k][:, there] = found[there].T
    return V


def _mixed(rows, table, share):
    return embedding_bag(rows, table, mode="sum", per_sample_weights=share, padding_idx=0)


def _pooled(x, ids, vectors, weights):
    """Weighted mean of the word vectors of each document; 0 where it has no words."""
    total = weights.new_zeros(len(x)).index_add_(0, x.row_of_token(), weights)
    summed = embedding_bag(ids, vectors, x.offsets, mode="sum", per_sample_weights=weights)
    return summed / torch.where(total > 0, total, 1)[:, None]
