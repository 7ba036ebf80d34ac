"""Skip-gram one centre after the other, compiled by numba where it is installed.

The K negatives of a centre serve all its contexts, so the vectors of a centre and its negatives
are fetched once for a few contexts. The text is cut into as many shares as `N_SHARES` says. Each
works on vectors of its own for some thousand words, then they meet. Threads change who works on
a share, never what is joined, so the result is the same whatever their number.
"""

import importlib.util

import numpy as np

from skcontrast._progress import Progress

from ._corpus import (
    Trained,
    check_finite,
    keep_probability,
    noise_distribution,
    starting_tables,
    warn_no_pairs,
)
from ._team import run_team

# Parts of the text that are gone over side by side; no more threads than this are of use.
N_SHARES = 2
# Words of a share between two meetings.
_ROUND = 10_000
# Draws of negatives for a round of a share, from which those of a centre are drawn again.
_POOL = 2048
# Changes of a row that are few enough to be summed when shares meet.
_SUMMED = 512
# Vectors beyond so many bytes are not held once more for each share: one share does it all.
_LARGE = 1 << 30
# Entries of the table from which negatives are drawn.
_NOISE_ENTRIES = 1 << 20
# The loss of one centre in so many is measured.
_MEASURED = 16


def available():
    """Tell whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def noise_table(counts, ns_exponent):
    """Words as int32, each as often as it is to be drawn, but at least once."""
    noise = noise_distribution(counts, ns_exponent)
    entries = np.rint(noise * max(_NOISE_ENTRIES, 16 * len(noise))).astype(np.int64)
    entries = np.maximum(entries, (noise > 0).astype(np.int64))
    return np.repeat(np.arange(len(noise), dtype=np.int32), entries)


def rounds_of(corpus, n_shares):
    """Cut the text into shares, and these into rounds of about as many words.

    Gives ``cuts`` int64 (n_pieces + 1,), the ends of documents and of rounds, over which no pair
    reaches, and ``bounds`` int64 (n_shares, n_rounds + 1), the first piece of each round, and the
    end.
    """
    n_tokens = len(corpus.ids)
    size = min(_ROUND, max(256, n_tokens // (100 * n_shares)))
    n_rounds = -(-n_tokens // (size * n_shares))
    ends = np.linspace(0, n_tokens, n_shares * n_rounds + 1).astype(np.int64)
    if n_rounds == 1:
        # In a small text each pair counts: shares meet at the end of a document.
        ends[1:-1] = corpus.offsets[np.searchsorted(corpus.offsets, ends[1:-1])]
    cuts = np.union1d(corpus.offsets, ends)
    index = np.searchsorted(cuts, ends)
    return cuts, index[np.arange(n_shares)[:, None] * n_rounds + np.arange(n_rounds + 1)]


class Shares:
    """Shares of the text, each with tables of its own, which meet after every round.

    ``tables`` is float32 (n_tables, n_words, n_components).
    """

    def __init__(self, tables, corpus, counts, options):
        # Late, since numba is optional.
        self.loops = importlib.import_module("skcontrast.text._numba_loops")
        self.tables, self.options = tables, options
        n_shares = N_SHARES if tables.nbytes <= _LARGE else 1
        self.cuts, self.bounds = rounds_of(corpus, n_shares)
        # As a 32-bit threshold, one more than the largest draw where all are kept.
        keep = np.ceil(keep_probability(counts, options.sample) * 2.0**32).astype(np.uint64)
        noise = noise_table(counts, options.ns_exponent)
        self.given = keep, noise, _POOL, options.window, options.negative
        self.ids = corpus.ids
        seeds = np.random.SeedSequence(options.seed).generate_state(n_shares, np.uint64)
        self.states = (seeds | np.uint64(1))[:, None]
        self.touched = np.zeros((n_shares, *tables.shape[:2]), dtype=np.int32)
        # One share alone works on the tables themselves.
        self.own = np.stack([tables] * n_shares) if n_shares > 1 else tables[None]

    def run(self, rate, last_rate):
        """One epoch; return the sum of losses, the pairs measured, and all pairs."""
        n_shares, n_rounds = len(self.own), self.bounds.shape[1] - 1
        n_threads = min(self.options.n_jobs, n_shares)
        rates = np.linspace(rate, last_rate, n_rounds, endpoint=False, dtype=np.float32)
        totals = np.zeros((n_shares, 3))

        def work(number, wait):
            for i, now in enumerate(rates):
                for share in range(number, n_shares, n_threads):
                    self.round(share, i, now, totals[share])
                wait()
                if n_shares > 1:
                    self.meet(number, n_threads)
                wait()

        run_team(work, n_threads)
        return totals.sum(axis=0)

    def round(self, share, i, rate, totals):
        """Let a share go over the words of a round."""
        place = self.own[share], self.touched[share], self.ids, self.cuts
        given = *self.bounds[share, i : i + 2], *self.given, rate
        if self.options.objective == "margin":
            step, last = self.loops.margin_round, np.float32(self.options.margin)
        else:
            step, last = self.loops.skip_gram_round, _MEASURED
        step(*place, *given, last, self.states[share], totals)

    def meet(self, part, n_parts):
        """Join what the shares did."""
        unit = self.options.objective == "margin"
        self.loops.meet(self.tables, self.own, self.touched, part, n_parts, _SUMMED, unit)


def train(corpus, counts, options, start=None):
    """Train vectors of words by one stochastic step for each centre; the same as in `_block`."""
    embedding, context = starting_tables(len(counts), options, start)
    margin = options.objective == "margin"
    tables = np.stack([embedding] if margin else [embedding, context])
    shares = Shares(tables, corpus, counts, options)
    span = options.learning_rate - options.min_learning_rate
    loss_curve, n_pairs = [], 0
    progress = Progress(options.verbose, options.max_iter)
    for n_epochs in range(options.max_iter):
        rates = [
            options.learning_rate - span * done / options.max_iter
            for done in (n_epochs, n_epochs + 1)
        ]
        loss, measured, found = shares.run(*rates)
        n_pairs += found
        loss_curve.append(loss / max(measured, 1.0))
        check_finite(tables, options, n_epochs + 1)
        progress.epoch(n_epochs + 1, loss_curve[-1])
    if not n_pairs and options.sample:
        warn_no_pairs()
    return Trained(tables[0].copy(), tables[-1].copy(), loss_curve)
