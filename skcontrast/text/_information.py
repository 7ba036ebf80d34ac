"""What the length of a word's vector says: the information that the word gives."""

import numpy as np

# Bins of words of about one frequency, and the fewest words in one.
N_BINS = 200
MIN_WORDS = 50
PERCENTILE = 3


def information_gain(embedding, context, counts):
    r"""Information gain of each word in nats, (n_words,), read off the vectors alone; not negative.

    The words near w are distributed as p(c|w), all words as p(c). Where skip-gram with
    negative sampling has reached its optimum, the divergence of the two is, to second
    order,

    .. math:: KL(p(\cdot|w) \,\|\, p) \approx \tfrac12 (u_w - \bar u)^\top G (u_w - \bar u),
              \qquad G = \sum_c p(c) (v_c - \bar v)(v_c - \bar v)^\top

    with word vectors u, context vectors v, and means weighted by p.
    """
    p = counts / counts.sum()
    u, v = embedding.astype(np.float64), context.astype(np.float64)
    u, v = u - p @ u, v - p @ v
    G = v.T @ (p[:, None] * v)
    return np.maximum(0.5 * np.einsum("wi,wi->w", u @ G, u), 0)


def frequency_corrected(gain, counts):
    """Information gain less what words of the same frequency have in any case: (n_words,).

    The gain of rare words is too large by chance. The words are put into bins of about
    the same frequency, equally wide on a log scale and merged from the frequent end until
    they hold enough words, and the lower 3 percentile of its bin is taken off each gain. What is
    left may be negative.
    """
    corrected = np.empty(len(gain), dtype=np.float64)
    for words in _bins(counts):
        corrected[words] = gain[words] - np.percentile(gain[words], PERCENTILE)
    return corrected


def _bins(counts):
    """Yield the numbers of the words in each bin, from the frequent end."""
    counts = np.maximum(counts, 1)
    width = max(np.log(counts.max()), np.finfo(float).tiny) / N_BINS
    bin_of = np.minimum(np.log(counts) / width, N_BINS - 1).astype(int)
    order = np.argsort(-bin_of, kind="stable")
    sizes = np.bincount(bin_of, minlength=N_BINS)[::-1]
    start = stop = 0
    for size in sizes:
        stop += size
        # What is left must be enough for a bin, or belongs to this one.
        if stop - start >= MIN_WORDS and not 0 < len(order) - stop < MIN_WORDS:
            yield order[start:stop]
            start = stop
    if start < len(order):
        yield order[start:]
