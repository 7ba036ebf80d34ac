"""Skip-gram one centre after the other, compiled by numba where it is installed.

The K negatives of a centre serve all its contexts, so the vectors of a centre and its negatives
are fetched once for a few contexts. One thread does it all: the result depends on the seed alone.
"""

import importlib.util

import numpy as np

from ._corpus import (
    Trained,
    check_finite,
    keep_probability,
    noise_distribution,
    starting_tables,
    warn_no_pairs,
)

# Entries of the table from which negatives are drawn.
_NOISE_ENTRIES = 1 << 20
# The loss of one centre in so many is measured.
_MEASURED = 16


def available():
    """Tell whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def noise_table(counts, ns_exponent):
    """Words, each as often as it is to be drawn, but at least once.

    Parameters
    ----------
    counts : int64 ndarray of shape (n_words,)

    ns_exponent : float

    Returns
    -------
    table : int32 ndarray
    """
    noise = noise_distribution(counts, ns_exponent)
    entries = np.rint(noise * max(_NOISE_ENTRIES, 16 * len(noise))).astype(np.int64)
    entries = np.maximum(entries, (noise > 0).astype(np.int64))
    return np.repeat(np.arange(len(noise), dtype=np.int32), entries)


def train(corpus, counts, options, start=None):
    """Train vectors of words by one stochastic step for each centre.

    Parameters
    ----------
    corpus : Corpus

    counts : int64 ndarray of shape (n_words,)
        Occurrences of each word, for thinning out and for the negatives.

    options : Options

    start : tuple of two ndarrays of shape (n_words, n_components), default=None
        Vectors of words and of contexts to go on from.

    Returns
    -------
    trained : Trained
        ``loss_curve`` has the mean loss of a pair in each epoch.
    """
    if not available():
        raise ImportError(
            "solver='numba' needs numba, which is not installed: type pip install numba, or "
            "solver='block'."
        )
    # Late, since numba is optional.
    loops = importlib.import_module("skcontrast.text._numba_loops")
    embedding, context = starting_tables(len(counts), options, start)
    keep = keep_probability(counts, options.sample)
    # As a 32-bit threshold, one more than the largest draw where all are kept.
    keep = np.ceil(keep * 2.0**32).astype(np.uint64)
    noise = noise_table(counts, options.ns_exponent)
    state = np.random.SeedSequence(options.seed).generate_state(1, np.uint64) | np.uint64(1)
    span = options.learning_rate - options.min_learning_rate
    loss_curve = []
    for n_epochs in range(options.max_iter):
        rates = [
            options.learning_rate - span * done / options.max_iter
            for done in (n_epochs, n_epochs + 1)
        ]
        totals = np.zeros(3)
        given = (corpus.ids, corpus.offsets, keep, noise, options.window, options.negative)
        if options.objective == "margin":
            loops.margin_epoch(embedding, *given, options.margin, *rates, _MEASURED, state, totals)
            context = embedding
        else:
            loops.skip_gram_epoch(embedding, context, *given, *rates, _MEASURED, state, totals)
        loss_curve.append(totals[0] / max(totals[1], 1.0))
        check_finite(embedding, options, n_epochs + 1)
        if options.verbose:
            print(f"Epoch {n_epochs + 1}/{options.max_iter}: loss {loss_curve[-1]:.4f}")
    if not totals[2]:
        warn_no_pairs()
    return Trained(embedding, context.copy(), loss_curve)
