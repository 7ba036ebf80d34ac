"""Views of documents: words taken away, repeated, cut to a span, moved or misspelled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.tokens import TokenRows, Words
from skcontrast._inputs.word_features import word_features
from skcontrast.views._base import View, some_kept


class TextView(View):
    """A random change of a document that keeps what matters about it.

    The batch is a TokenBatch: words that a view takes away stay in it with weight 0. A
    subclass has a ``build`` as :class:`View` has.

    Examples
    --------
    >>> from skcontrast.views import TextView
    >>> class Louder(TextView):
    ...     def build(self, rows):
    ...         return lambda x, index: x.with_weights(2 * x.weights)
    """

    reads = frozenset({"tokens"})


class WordDeletion(TextView):
    """Take away random words; of each document with words at least one is kept.

    Parameters
    ----------
    rate : float, default=0.5
        Probability that a word is taken away, in [0, 1).

    span : int, default=1
        Words that are taken away together: above 1 each document is cut into spans of so many
        words, from a random place on.

    References
    ----------
    Wei and Zou, "EDA: easy data augmentation techniques for boosting performance on text
    classification tasks", EMNLP 2019. Wu et al., "CLEAR: contrastive learning for sentence
    representation", 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import WordDeletion
    >>> rows = TokenRows(number_words(["a b c d e f g h".split()] * 2000))
    >>> x = rows.take(rows.train_index)
    >>> kept = WordDeletion(rate=0.5).build(rows)(x, rows.train_index).weights
    >>> round(float(kept.mean()), 1)
    0.5
    """

    _parameter_constraints = {
        "rate": [Interval(Real, 0, 1, closed="left")],
        "span": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, rate: float = 0.5, span: int = 1):
        self.rate = rate
        self.span = span

    def build(self, rows: TokenRows) -> Callable:
        rate, span = self.rate, self.span

        def delete(x, index):
            score, row = torch.rand(x.weights.shape, device=x.device), x.row_of_token()
            if span > 1:  # a word has the score of the first one of its span
                place = torch.arange(len(row), device=x.device) - x.offsets[row]
                shift = torch.randint(span, (len(x),), device=x.device)[row]
                first = (place + shift).remainder(span).minimum(place)
                score = score[torch.arange(len(row), device=x.device) - first]
            score = torch.where(x.weights > 0, score, -1.0)
            kept = some_kept(score, rate, row, len(x))
            return x.with_weights(torch.where(kept, x.weights, 0.0))

        return delete


class WordRepetition(TextView):
    r"""Count some words twice (ESimCSE): the length changes, the meaning does not.

    A document of N words draws a share s, uniform up to max(rate, 2 / N), and each of its
    words is repeated with probability s.

    Parameters
    ----------
    rate : float, default=0.32
        Largest share of the words that are repeated, in (0, 1].

    References
    ----------
    Wu et al., "ESimCSE: enhanced sample building method for contrastive learning of
    unsupervised sentence embedding", COLING 2022.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import WordRepetition
    >>> rows = TokenRows(number_words(["a b c d e f g h".split()] * 2000))
    >>> x = rows.take(rows.train_index)
    >>> counts = WordRepetition(rate=1.0).build(rows)(x, rows.train_index).weights
    >>> counts.unique().tolist()
    [1.0, 2.0]
    """

    _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="right")]}

    def __init__(self, rate: float = 0.32):
        self.rate = rate

    def build(self, rows: TokenRows) -> Callable:
        rate = self.rate

        def repeat(x, index):
            most = (2 / x.lengths().clamp_min(2)).clamp_min(rate)
            share = most * torch.rand(len(x), device=x.device)
            twice = torch.rand(x.weights.shape, device=x.device) < share[x.row_of_token()]
            return x.with_weights(torch.where(twice, 2 * x.weights, x.weights))

        return repeat


class SpanCrop(TextView):
    """Keep a span of consecutive words: two spans of a document overlap or are neighbours.

    Parameters
    ----------
    low, high : float, default=0.3, 0.7
        The share of the words that a span holds is drawn between these, in (0, 1]; at
        least one word is kept.

    anchored : bool, default=False
        Whether the spans of all further views are placed by where that of the first one is: they
        lie within it, overlap with it or are next to it. With ``InfoNCE(compose="sum")`` the
        positive of the first span is their mean, as in the paper.

    References
    ----------
    Giorgi et al., "DeCLUTR: deep contrastive learning for unsupervised textual
    representations", ACL 2021.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import SpanCrop
    >>> rows = TokenRows(number_words(["a b c d".split()]))
    >>> x = rows.take(rows.train_index)
    >>> SpanCrop(low=0.5, high=0.5).build(rows)(x, rows.train_index).weights.sum()
    tensor(2.)
    """

    _parameter_constraints = {
        "low": [Interval(Real, 0, 1, closed="right")],
        "high": [Interval(Real, 0, 1, closed="right")],
        "anchored": ["boolean"],
    }

    def __init__(self, low: float = 0.3, high: float = 0.7, anchored: bool = False):
        self.low = low
        self.high = high
        self.anchored = anchored

    def build(self, rows: TokenRows) -> Callable:
        return self.build_slots(rows, 1)[0]

    def build_slots(self, rows: TokenRows, n: int, network: Any = None) -> list[Callable]:
        """Make the functions of ``n`` spans of each document; the first is the anchor."""
        low, high = self.low, self.high
        anchor: dict[str, tuple] = {}
        if low > high:
            raise ValueError(
                f"SpanCrop: low={low} is above high={high}: type SpanCrop(low={high}, high={low})."
            )

        def crop(x, index):
            length = x.lengths()
            share = low + (high - low) * torch.rand(len(x), device=x.device)
            size = (share * length).ceil().clamp_min(1)
            first, last = torch.zeros_like(size), (length - size).clamp_min(0)
            if anchor:
                start, stop = anchor["span"]
                first, last = (start - size).clamp_min(0), last.minimum(stop)
            start = first + (torch.rand(len(x), device=x.device) * (last - first + 1)).floor()
            row = x.row_of_token()
            place = torch.arange(len(row), device=x.device) - x.offsets[row]
            kept = (place >= start[row]) & (place < (start + size)[row])
            return x.with_weights(torch.where(kept, x.weights, 0.0)), (start, start + size)

        def of_anchor(x, index):
            anchor.clear()
            made, span = crop(x, index)
            if self.anchored:
                anchor["span"] = span
            return made

        return [of_anchor] + [lambda x, index: crop(x, index)[0]] * (n - 1)


class Shuffle(TextView):
    """Put the words of each document in random order.

    It changes what a network sees that reads the order of words, such as
    ``HashedEmbeddingBag(window=1)``; without that it is a view that changes nothing, and
    stands beside another view.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import Shuffle
    >>> rows = TokenRows(number_words(["a b c".split(), "d e".split()]))
    >>> x = rows.take(rows.train_index)
    >>> moved = Shuffle().build(rows)(x, rows.train_index)
    >>> moved.ids[:3].sort().values.tolist(), moved.ids[3:].sort().values.tolist()
    ([0, 1, 2], [3, 4])
    """

    def build(self, rows: TokenRows) -> Callable:
        def shuffle(x, index):
            order = torch.randperm(len(x.ids), device=x.device)
            # Stable: the words of a document stay together, in the order drawn.
            order = order[x.row_of_token()[order].argsort(stable=True)]
            return x.with_ids(x.ids[order]).with_weights(x.weights[order])

        return shuffle


def _misspelled(word, rng):
    """One slip of the fingers: letters swapped, one left out, doubled or replaced."""
    i = int(rng.integers(len(word) - 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return word[:i] + word[i + 1] + word[i] + word[i + 2 :]
    if kind == 1:
        return word[:i] + word[i + 1 :]
    if kind == 2:
        return word[: i + 1] + word[i:]
    return word[:i] + word[int(rng.integers(len(word)))] + word[i + 1 :]


class Typos(TextView):
    """Misspell some words: two letters swapped, or one left out, doubled or replaced.

    The misspellings of every word are made and hashed once, so that a batch only chooses
    among them. Words of up to ``min_length - 1`` letters stay as they are.

    Parameters
    ----------
    rate : float, default=0.1
        Probability that a word is misspelled, in [0, 1].

    n_variants : int, default=3
        Misspellings made of each word.

    min_length : int, default=4
        Fewest letters of a word that is misspelled.

    References
    ----------
    Wu et al., "CLEAR: contrastive learning for sentence representation", 2020, for changes
    of words as views.

    Examples
    --------
    >>> from skcontrast._inputs.tokens import TokenRows, number_words
    >>> from skcontrast.views import Typos
    >>> rows = TokenRows(number_words(["contrastive learning of words".split()] * 10))
    >>> x = rows.take(rows.train_index)
    >>> view = Typos(rate=1.0).build(rows)
    >>> x = rows.take(rows.train_index)  # now of more words
    >>> (view(x, rows.train_index).ids != x.ids).float().mean()
    tensor(0.7500)
    """

    _parameter_constraints = {
        "rate": [Interval(Real, 0, 1, closed="both")],
        "n_variants": [Interval(Integral, 1, None, closed="left")],
        "min_length": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(self, rate: float = 0.1, n_variants: int = 3, min_length: int = 4):
        self.rate = rate
        self.n_variants = n_variants
        self.min_length = min_length

    def build(self, rows: TokenRows) -> Callable:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        long = [i for i, w in enumerate(rows.vocabulary) if len(w) >= self.min_length]
        made = [_misspelled(rows.vocabulary[i], rng) for i in long for _ in range(self.n_variants)]
        variants = torch.arange(len(rows.vocabulary))[:, None].repeat(1, self.n_variants)
        first = len(rows.words)
        variants[long] = torch.arange(first, first + len(made)).view(-1, self.n_variants)
        variants = variants.to(rows.device)
        old = rows.words
        features = torch.as_tensor(word_features(made).astype(np.int64), device=rows.device)
        # As rare as a word can be: an unseen one, which a misspelling is later.
        rare = old.frequency.new_zeros(len(made))
        rows.words = Words(torch.cat([old.features, features]), torch.cat([old.frequency, rare]))
        rate, n_variants, n_known = self.rate, self.n_variants, len(variants)

        def misspell(x, index):
            size = x.ids.shape
            known = x.ids.clamp_max(n_known - 1)
            pick = torch.randint(n_variants, size, device=x.device)
            chosen = (torch.rand(size, device=x.device) < rate) & (x.ids < n_known)
            return x.with_ids(torch.where(chosen, variants[known, pick], x.ids))

        return misspell
