r"""Words that stand together more often than chance has it, joined into one token.

With :math:`n_{ab}` the times that b follows a, :math:`n_a` and :math:`n_b` their counts, V the
number of distinct words and pairs, N of all tokens, and :math:`\delta` the ``min_count``:

.. math:: \text{default: } \frac{n_{ab} - \delta}{n_a n_b} V, \qquad
          \text{npmi: } \frac{\log (p_{ab} / (p_a p_b))}{-\log p_{ab}}, \quad p = n / N
"""

from collections import Counter
from math import log

# Articles, prepositions and conjunctions that stand inside "bank of america".
ENGLISH = frozenset(
    "a an and at by for from in of on or the to with without".split()  # noqa: SIM905
)


def _pairs(tokens, connectors):
    """Pairs of neighbouring words, each with the connector words between them."""
    last, between = None, []
    for token in tokens:
        if token in connectors:
            between.append(token)
            continue
        if last is not None:
            yield (last, *between, token)
        last, between = token, []


def count_pairs(documents, connectors=frozenset()):
    """Count words and pairs of neighbouring words: Counters of both, and the number of all tokens.

    A pair is a tuple of its first word, the ``connectors`` between, and its last word. Connector
    words begin and end no pair; they count among the tokens, but not among the words.
    """
    words, pairs, n_tokens = Counter(), Counter(), 0
    for tokens in documents:
        n_tokens += len(tokens)
        words.update(token for token in tokens if token not in connectors)
        pairs.update(_pairs(tokens, connectors))
    return words, pairs, n_tokens


def score_pairs(words, pairs, n_tokens, scoring, min_count):
    """Scores of the pairs that occur ``min_count`` times, from what :func:`count_pairs` gives."""
    frequent = {pair: n for pair, n in pairs.items() if n >= min_count}
    if scoring == "npmi":
        return {
            pair: log(n * n_tokens / (words[pair[0]] * words[pair[-1]])) / -log(n / n_tokens)
            for pair, n in frequent.items()
        }
    size = len(words) + len(pairs)
    return {
        pair: (n - min_count) / words[pair[0]] / words[pair[-1]] * size
        for pair, n in frequent.items()
    }


def join_phrases(tokens, phrases, delimiter, connectors):
    """Join phrases from left to right; the last word of one begins no other.

    ``phrases`` holds them with ``delimiter`` between their words.
    """
    joined, waiting = [], []  # waiting: a word that may begin a phrase, then connectors
    for token in tokens:
        if token in connectors:
            (waiting if waiting else joined).append(token)
            continue
        phrase = delimiter.join([*waiting, token]) if waiting else None
        if phrase is not None and phrase in phrases:
            joined.append(phrase)
            waiting = []
        else:
            joined += waiting
            waiting = [token]
    return joined + waiting
