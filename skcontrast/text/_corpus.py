"""A corpus as arrays, and what the counts of its words say about drawing them."""

from typing import NamedTuple

import numpy as np
import torch

from skcontrast._component import warn


class Corpus(NamedTuple):
    """Documents as one stream of word numbers.

    ``ids`` int32 (n_tokens,) holds the rows of the words, and ``offsets`` int64
    (n_documents + 1,) where each document begins and ends.
    """

    ids: np.ndarray
    offsets: np.ndarray


class Options(NamedTuple):
    """What a solver is asked for."""

    n_components: int = 100
    window: int = 5
    negative: int = 5
    sample: float = 1e-3
    ns_exponent: float = 0.75
    learning_rate: float = 0.025
    min_learning_rate: float = 1e-4
    max_iter: int = 5
    objective: str = "sgns"
    margin: float = 0.2
    device: torch.device = torch.device("cpu")
    n_jobs: int = 1
    seed: int = 0
    verbose: int = 0
    block_size: int | None = None
    shift: float = 1.0
    power: float = 0.5
    smoothing: float = 0.75


class Trained(NamedTuple):
    """What a solver gives: vectors of words, of contexts, and the loss of each epoch."""

    embedding: np.ndarray
    context: np.ndarray
    loss_curve: list


def keep_probability(counts, sample):
    r"""Probability that an occurrence of a word is kept: :math:`\sqrt{t/n} + t/n`, up to 1.

    Here t is ``sample`` times the number of all occurrences, and n that of the word: float64
    (n_words,). 0 keeps all. A ``sample`` of 1 or more stands for t itself, as in gensim.
    """
    n = np.asarray(counts, dtype=np.float64)
    if sample == 0:
        return np.ones(len(n))
    n = np.maximum(n, 1.0)  # a given vocabulary may hold words that do not occur
    t = sample * n.sum() if sample < 1 else np.floor(sample * (3 + 5**0.5) / 2)
    return np.minimum(1.0, np.sqrt(t / n) + t / n)


def noise_distribution(counts, ns_exponent):
    """Probability that a word is drawn as a negative, float64 (n_words,): its count to a power.

    The power is 0.75 in the paper; 1 draws words as often as they occur, 0 all alike.
    """
    n = np.asarray(counts, dtype=np.float64)
    # A given vocabulary may hold words that do not occur: they are never drawn.
    there, n = n > 0, np.maximum(n, 1.0)
    with np.errstate(over="ignore", under="ignore"):
        weight = np.where(there, n**ns_exponent, 0.0)
        if not 0 < weight.sum() < np.inf:
            # Extreme exponents leave the range of floats: scaled, the largest weight is one.
            scale = n[there].max() if ns_exponent > 0 else n[there].min()
            weight = np.where(there, (n / scale) ** ns_exponent, 0.0)
    return weight / weight.sum()


def starting_tables(n_words, options, start=None):
    """Vectors to begin with: small ones at random for the words, zeros for the contexts.

    Both are float32 (n_words, n_components). The margin objective has one table of unit vectors:
    words and contexts are the same. Vectors to go on from, ``start``, are copied.
    """
    if start is not None:
        return tuple(np.array(table, dtype=np.float32, order="C") for table in start)
    generator = np.random.default_rng(options.seed)
    shape = (n_words, options.n_components)
    if options.objective == "margin":
        embedding = generator.standard_normal(shape, dtype=np.float32)
        embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        return embedding, embedding.copy()
    embedding = (2 * generator.random(shape, dtype=np.float32) - 1) / options.n_components
    return embedding, np.zeros(shape, dtype=np.float32)


def check_finite(embedding, options, n_epochs):
    """Refuse vectors that have grown out of all bounds."""
    if not np.isfinite(embedding).all():
        raise ValueError(
            f"The vectors are no longer finite after epoch {n_epochs}: type a learning_rate "
            f"smaller than {options.learning_rate}."
        )


def warn_no_pairs():
    """Say that nothing was learned, and why."""
    warn(
        "sample= thinned the documents out until none held two words: the vectors stay as they "
        "were at the start. Type sample=0, which small corpora want."
    )
