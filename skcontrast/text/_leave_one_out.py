r"""Sent2vec's training: each word of a document from the mean of all that is left of it.

With :math:`v` the source vectors of words and n-grams, :math:`u` the target vectors of words,
and C(t) what a document holds without word t and the n-grams around it,

.. math:: h_t = \frac{1}{|C(t)|} \sum_{c \in C(t)} v_c, \qquad
          \ell_t = -\log \sigma(u_t^\top h_t)
                   - \sum_{k=1}^{K} \log \sigma(-u_{n_k}^\top h_t) .

Each h is the sum over its document less what t takes part in, so that a step gathers each row
once. The negatives of a step are shared and count K/N each. A step adds up the gradients of a
few hundred words. Rows that this would carry too far, such as those of frequent words, are held
back: with :math:`H_r` the learning rate times the curvature of a parabola above the loss, summed
over all that row r takes part in, it moves :math:`\min(1, 1.5 / H_r)` of the way: never as far
as to where the parabola has risen to where it was.

With subwords a word is the mean of its own row and those of its character n-grams. Each of
them moves as the word should, and is not slowed by their number, as in fastText.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import softplus

from skcontrast.text._ngrams import dropped_tokens, without_dropped

# Documents whose steps are laid out together hold about so many tokens.
LAYOUT = 1 << 20
# Tokens and negatives of a step; fewer tokens in a small corpus, for enough steps.
STEP, NOISE, FEWEST, N_STEPS = 1024, 128, 64, 200
# 1 is the foot of the parabola, and from 2 on the loss may rise.
REACH = 1.5


class Sources(NamedTuple):
    """What the documents are made of, as rows of one table.

    Words stand first, then n-grams, then subwords. ``grams`` int64 (ngram - 1, n_tokens) are
    the rows of the n-grams that begin at each token, -1 for none. ``subwords`` are the rows
    and offsets of the words' subwords, or None.
    """

    n_rows: int
    grams: np.ndarray
    subwords: tuple | None = None


class Schedule(NamedTuple):
    """How training goes on."""

    keep: np.ndarray
    noise: np.ndarray
    negative: int = 10
    learning_rate: float = 0.2
    max_iter: int = 5
    dropout_ngrams: int = 2
    step_size: int | None = None


class Batch(NamedTuple):
    """Some documents, one after the other; L tokens and T targets.

    ``document`` (L,) numbers them, ``grams`` are the rows of n-grams per length, ``at`` (T,)
    the positions of the targets, ``size`` (T,) what their contexts hold. ``bags`` with
    subwords: unique words, the position of each token among them, and their rows, offsets
    and weights.
    """

    ids: torch.Tensor
    document: torch.Tensor
    n_documents: int
    grams: list
    at: torch.Tensor
    size: torch.Tensor
    noise: torch.Tensor
    bags: tuple | None = None


class Tables(NamedTuple):
    """Source and target vectors; the last source row is zero, and stands for nothing."""

    source: torch.Tensor
    target: torch.Tensor


def ragged(starts, lengths):
    """Positions start, start + 1, ... of each of several runs, one after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def covering(grams, n):
    """Sum over the n-grams that hold each token, given by their first; rows or numbers."""
    total = grams.clone() if torch.is_tensor(grams) else grams.copy()
    for shift in range(1, n):
        total[shift:] += grams[: len(grams) - shift]
    return total


def covered(tokens, n):
    """Sum over the tokens of each n-gram, given by its first: the transpose of covering."""
    total = tokens.clone()
    for shift in range(1, n):
        total[: len(tokens) - shift] += tokens[shift:]
    return total


def bending(x, sigmoid):
    r"""Curvature of the parabola that touches :math:`\log(1 + e^x)` at x and lies above it.

    .. math:: (\sigma(x) - 1/2) / x, \qquad 1/4 \text{ at } x = 0
    """
    flat = x.abs() < 1e-3
    return torch.where(flat, 0.25, (sigmoid - 0.5) / torch.where(flat, 1.0, x))


def gradients(tables, batch, weight):
    """Descent direction of the loss at the tables as they are, and the curvature.

    ``weight`` is what a shared negative counts: K/N. For either table a list of (rows, values)
    comes back, of n_components + 1 columns, of which the last is the curvature; and the loss,
    summed over the targets.
    """
    source, target = tables
    x, spread = token_vectors(source, batch)
    total, own = x, x.clone()
    for n, rows in enumerate(batch.grams, start=2):
        grams = source[rows]
        total = total + grams
        own += covering(grams, n)
    sums = x.new_zeros(batch.n_documents, x.shape[1]).index_add_(0, batch.document, total)
    at, size, of = batch.at, batch.size[:, None], batch.document
    h = (sums[of[at]] - own[at]) / size
    words = batch.ids[at]
    y, z = target[words], target[batch.noise]
    positive, negative = (y * h).sum(1), h @ z.T
    # A negative that is the target itself counts for nothing.
    counts = weight * (words[:, None] != batch.noise).to(h.dtype)
    loss = softplus(-positive).sum() + (softplus(negative) * counts).sum()
    up, down = torch.sigmoid(-positive)[:, None], torch.sigmoid(negative)
    bend, bends = bending(positive, 1 - up[:, 0])[:, None], bending(negative, down) * counts
    down = down * counts
    curvature = bend * y.square().sum(1, True) + bends @ z.square().sum(1, True)
    e = x.new_zeros(len(x), x.shape[1] + 1)
    e[at] = torch.cat([up * y - down @ z, curvature], 1) / size
    each = x.new_zeros(batch.n_documents, e.shape[1]).index_add_(0, of, e)[of]
    moves = spread(each - e)
    moves += [(rows, each - covered(e, n)) for n, rows in enumerate(batch.grams, start=2)]
    squares = h.square().sum(1, keepdim=True)
    pull = torch.cat([up * h, bend * squares], 1)
    push = torch.cat([-down.T @ h, bends.T @ squares], 1)
    return moves, [(words, pull), (batch.noise, push)], loss


def token_vectors(source, batch):
    """Vectors of the tokens, and the function that hands their gradients to the rows."""
    if batch.bags is None:
        return source[batch.ids], lambda values: [(batch.ids, values)]
    position, rows, bag, weights = batch.bags
    n_words = len(weights)
    parts = source.new_zeros(n_words, source.shape[1]).index_add_(0, bag, source[rows])
    x = (parts * weights[:, None])[position]

    def spread(values):
        own = values.new_zeros(n_words, values.shape[1]).index_add_(0, position, values)
        return [(rows, own[bag])]

    return x, spread


def apply(table, work, moves, learning_rate):
    """Move the rows of a table, those of much curvature less; ``work`` is zero, and stays so."""
    rows = torch.cat([rows for rows, _ in moves])
    values = torch.cat([values for _, values in moves]) * learning_rate
    work.index_add_(0, rows, values[:, -1])
    factor = (REACH / work[rows]).clamp_(max=1)
    table.index_add_(0, rows, values[:, :-1] * factor[:, None])
    work.index_fill_(0, rows, 0)


def train(corpus, sources, schedule, n_components, seed, device, report=None):
    """Learn source and target vectors: float32 (n_rows, n_components) and (n_words, n_components).

    With them comes the mean loss of a target in each epoch. ``report`` is called with the number of
    each epoch and its loss.
    """
    rng = np.random.default_rng(seed)
    n_words = len(schedule.keep)
    start = rng.uniform(-1, 1, (sources.n_rows + 1, n_components)) / n_components
    start[-1] = 0
    tables = Tables(
        torch.tensor(start, dtype=torch.float32, device=device),
        torch.zeros(n_words, n_components, device=device),
    )
    work = [table.new_zeros(len(table)) for table in tables]
    documents = np.flatnonzero(np.diff(corpus.offsets) > 1)
    n_tokens = int(np.diff(corpus.offsets)[documents].sum())
    size = schedule.step_size or int(np.clip(n_tokens // N_STEPS, FEWEST, STEP))
    n_noise = max(schedule.negative, int(size * NOISE / STEP))
    losses, done = [], 0
    for epoch in range(schedule.max_iter):
        # MPS knows no double precision.
        precision = torch.float32 if device.type == "mps" else torch.float64
        total, n_targets = torch.zeros((), dtype=precision, device=device), 0
        for batch in batches(corpus, sources, schedule, documents, (size, n_noise), rng, device):
            progress = done / max(schedule.max_iter * n_tokens, 1)
            done += len(batch.ids)
            if not len(batch.at):
                continue
            source, target, loss = gradients(tables, batch, schedule.negative / n_noise)
            rate = schedule.learning_rate * (1 - progress)
            apply(tables.source, work[0], source, rate)
            apply(tables.target, work[1], target, rate)
            tables.source[-1] = 0
            total += loss
            n_targets += len(batch.at)
        losses.append(total.item() / max(n_targets, 1))
        if report is not None:
            report(epoch + 1, losses[-1])
    return tables.source[:-1].cpu().numpy(), tables.target.cpu().numpy(), losses


def batches(corpus, sources, schedule, documents, sizes, rng, device):
    """Steps of an epoch: documents in a new order, a few hundred tokens at a time."""
    order = rng.permutation(documents)
    lengths = np.diff(corpus.offsets)[order]
    ends = np.cumsum(lengths)
    cuts = np.flatnonzero(np.diff(ends // LAYOUT, append=-1)) + 1
    for start, stop in zip([0, *cuts[:-1]], cuts):
        yield from _layout(corpus, sources, schedule, order[start:stop], sizes, rng, device)


def _layout(corpus, sources, schedule, documents, sizes, rng, device):
    """Lay out the steps of some documents."""
    size, n_noise = sizes
    lengths = np.diff(corpus.offsets)[documents]
    position = ragged(corpus.offsets[documents], lengths)
    ids = corpus.ids[position].astype(np.int64)
    document = np.repeat(np.arange(len(documents)), lengths)
    grams = sources.grams[:, position]
    grams = without_dropped(grams, dropped_tokens(lengths, schedule.dropout_ngrams, rng))
    there = (grams >= 0).astype(np.float32)
    around = 1 + sum(covering(row, n) for n, row in enumerate(there, start=2))
    within = np.bincount(document, weights=1 + there.sum(0), minlength=len(documents))
    context = (within[document] - around).astype(np.float32)
    is_target = (rng.random(len(ids)) < schedule.keep[ids]) & (context > 0)
    # Row -1 is the last one, which is zero.
    grams[grams < 0] = sources.n_rows
    last = np.flatnonzero(np.diff(np.cumsum(lengths) // size, append=-1)) + 1
    ends = np.cumsum(lengths)[last - 1]
    cumulated = np.cumsum(schedule.noise)
    draws = rng.random((len(last), n_noise)) * cumulated[-1]
    noise = np.searchsorted(cumulated, draws, "right").clip(max=len(cumulated) - 1)
    targets = np.flatnonzero(is_target)
    bounds = np.searchsorted(targets, [0, *ends])

    def put(array):
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    on_device = [put(array) for array in (ids, document, grams, targets, context[targets], noise)]
    ids_, document_, grams_, targets_, context_, noise_ = on_device
    first_document, begin = 0, 0
    for i, (end, stop) in enumerate(zip(ends.tolist(), last.tolist())):
        at = slice(bounds[i], bounds[i + 1])
        yield Batch(
            ids_[begin:end],
            document_[begin:end] - first_document,
            stop - first_document,
            list(grams_[:, begin:end]),
            targets_[at] - begin,
            context_[at],
            noise_[i],
            bags(ids[begin:end], sources.subwords, put),
        )
        first_document, begin = stop, end


def bags(ids, subwords, put):
    """Rows that the words of a step are the means of, or None where a word is one row."""
    if subwords is None:
        return None
    rows, offsets = subwords
    words, position = np.unique(ids, return_inverse=True)
    lengths = np.diff(offsets)[words]
    parts = rows[ragged(offsets[words], lengths)]
    bag = np.repeat(np.arange(len(words)), lengths)
    all_rows, all_bags = np.concatenate([words, parts]), np.append(np.arange(len(words)), bag)
    weights = (1 / (1 + lengths)).astype(np.float32)
    return put(position), put(all_rows), put(all_bags), put(weights)
