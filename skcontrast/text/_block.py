"""Skip-gram in blocks of the text: dense products of torch, for CPU and GPU alike.

A block of consecutive words is looked up once, and its pairs are entries of a few small
products, so a word is fetched once rather than once a pair. The words of an epoch are cut
into as many shares as `N_SHARES` says, and a step takes a block of each, all at the same
vectors. Threads change who computes a block, never what is added, so the result is the same
whatever their number.
"""

from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from skcontrast._progress import Progress

from ._corpus import (
    Trained,
    check_finite,
    keep_probability,
    noise_distribution,
    starting_tables,
    warn_no_pairs,
)
from ._margin import MarginLayout, MarginStep
from ._steps import SkipGramStep
from ._stream import Layout, Shape, draw_epoch, group_size
from ._team import run_team

# Parts of the stream that are read side by side; no more threads than this are of use.
N_SHARES = 2
# Fewest steps of an epoch that the automatic size of a block leaves.
_STEPS = 200


@contextmanager
def one_thread():
    """Let torch use one thread: the products are small, and their last bits stay the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def block_shape(options, n_words, n_tokens, n_shares, on_gpu=False):
    """Size of a step: smaller where the corpus or the vocabulary is small.

    ``n_tokens`` are the words of an epoch, after the frequent ones are thinned out.
    """
    size = options.block_size
    if size is None:
        size = 4096 if on_gpu else 512
        size = int(min(size, n_tokens / (_STEPS * n_shares), n_words / 2))
    size = max(size, 2 * options.window)
    width = min(max(32, 2 * options.window), size)
    n_windows = size // width
    n_noise = max(n_windows * width // 8, 16, options.negative)
    return Shape(n_windows, width, options.window, n_noise)


def learning_rates(options, n_epochs, n_steps):
    """Fall of the learning rate over all epochs: its values in the epoch that comes next."""
    progress = (n_epochs + np.arange(n_steps) / max(n_steps, 1)) / options.max_iter
    span = options.learning_rate - options.min_learning_rate
    return (options.learning_rate - span * progress).tolist()


class Share:
    """One share of the stream: its own draws, step and losses."""

    def __init__(self, step, layout, seed, device):
        self.step, self.layout = step, layout
        self.generator = torch.Generator(device).manual_seed(seed)
        self.loss = torch.zeros(2, dtype=torch.float64, device=device)

    def lay_out(self, epoch, first, n_steps):
        """Draw the negatives of a few steps, and lay them out."""
        negatives = self.layout.negatives(n_steps, self.generator)
        return self.layout(epoch, first, n_steps, negatives)


class Pass:
    """One epoch: steps over all shares, by one thread or several.

    ``rates`` (n_steps,) are the learning rates of the steps.
    """

    def __init__(self, shares, epoch, rates, n_threads):
        self.shares, self.epoch, self.rates = shares, epoch, rates
        self.n_steps = len(rates)
        self.n_threads = min(n_threads, len(shares))
        self.size = group_size(shares[0].layout.shape)
        # The loss costs as much as a third of a step, so a sixteenth of them measure it.
        self.stride = min(16, max(1, self.n_steps // 64))
        self.changes = [None] * len(shares)

    def run(self):
        """Take all steps."""
        run_team(self.work, self.n_threads)

    def work(self, number, wait):
        """Compute the steps of some shares, and change some of the rows by those of all."""
        if number:
            torch.set_num_threads(1)  # a new thread does not know yet
        mine = range(number, len(self.shares), self.n_threads)
        step = self.shares[0].step
        parts = step.parts[number :: self.n_threads]
        for first in range(0, self.n_steps, self.size):
            n_steps = min(self.size, self.n_steps - first)
            groups = [
                self.shares[k].lay_out(self.epoch, k * self.n_steps + first, n_steps) for k in mine
            ]
            for i in range(n_steps):
                measured = (first + i) % self.stride == self.stride // 2
                rate = self.rates[first + i]
                for k, group in zip(mine, groups):
                    share = self.shares[k]
                    loss = share.loss if measured else None
                    self.changes[k] = share.step(group, i, rate, loss)
                wait()
                for part in parts:
                    step.apply(self.changes, part)
                wait()


def train(corpus, counts, options, start=None):
    """Train vectors of words by stochastic steps over blocks of the text; give them as `Trained`.

    ``counts`` int64 (n_words,) thin words out and weigh the negatives; ``start`` are vectors of
    words and of contexts to go on from, each (n_words, n_components). The loss curve holds the mean
    loss of a pair in each epoch. On CPU the result depends on the seed alone. On a GPU changes to
    the same row are added in the order they arrive, so the last bits may differ from run to run.
    """
    # Apple's GPUs know no float64, and gain nothing from products so small.
    device = torch.device("cpu") if options.device.type == "mps" else options.device
    embedding, context = starting_tables(len(counts), options, start)
    margin = options.objective == "margin"
    tables = [embedding] if margin else [embedding, context]
    table = torch.from_numpy(np.concatenate(tables)).to(device)
    with one_thread():
        loss_curve = _train(table, corpus, counts, options)
    vectors = table.cpu().numpy().reshape(len(tables), *embedding.shape)
    return Trained(vectors[0].copy(), vectors[-1].copy(), loss_curve)


def _shares(table, shape, counts, options, seeds):
    """Make the shares; all work on the same table."""
    noise = noise_distribution(counts, options.ns_exponent)
    noise = torch.from_numpy(noise).to(table.device)
    if options.objective == "margin":
        layout = MarginLayout(shape, noise, options.negative)
        form = partial(MarginStep, margin=options.margin)
    else:
        layout, form = Layout(shape, noise, options.negative), SkipGramStep
    return [Share(form(table, shape, layout.share), layout, seed, table.device) for seed in seeds]


def _train(table, corpus, counts, options):
    device = table.device
    on_gpu = device.type != "cpu"
    n_shares = 1 if on_gpu else N_SHARES
    probability = keep_probability(counts, options.sample)
    n_tokens = len(corpus.ids) * np.average(probability, weights=counts)
    shape = block_shape(options, len(counts), n_tokens, n_shares, on_gpu)
    seeds = np.random.SeedSequence(options.seed).generate_state(n_shares + 1, np.uint64) >> 1
    shares = _shares(table, shape, counts, options, seeds[1:].tolist())
    generator = torch.Generator(device).manual_seed(int(seeds[0]))
    ids, offsets = (torch.from_numpy(array).to(device) for array in corpus)
    keep = torch.from_numpy(probability).float().to(device) if (probability < 1).any() else None
    loss_curve, found = [], False
    progress = Progress(options.verbose, options.max_iter)
    for n_epochs in range(options.max_iter):
        epoch = draw_epoch(ids, offsets, keep, options.window, shape.n_centres, n_shares, generator)
        found |= bool(epoch.left.any())
        rates = learning_rates(options, n_epochs, epoch.n_steps // n_shares)
        Pass(shares, epoch, rates, options.n_jobs).run()
        total, n_pairs = sum(share.loss.cpu() for share in shares).tolist()
        for share in shares:
            share.loss.zero_()
        loss_curve.append(total / max(n_pairs, 1))
        check_finite(table.cpu().numpy(), options, n_epochs + 1)
        progress.epoch(n_epochs + 1, loss_curve[-1])
    if not found and options.sample:
        warn_no_pairs()
    return loss_curve
