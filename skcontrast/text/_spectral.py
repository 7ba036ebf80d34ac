"""Word vectors without training: a factorisation of shifted positive information."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.extmath import randomized_svd

from ._corpus import Trained, keep_probability, warn_no_pairs


def cooccurrences(corpus, counts, options, rng):
    r"""How often words are near each other: a sparse symmetric matrix (n_words, n_words).

    Two words at distance o of a window of w count :math:`(w - o + 1) / w`, which is how
    often a window drawn from 1 to w holds both. Frequent words are thinned out first.
    """
    keep = rng.random(len(corpus.ids)) < keep_probability(counts, options.sample)[corpus.ids]
    ids = corpus.ids[keep]
    document = np.repeat(np.arange(len(corpus.offsets) - 1), np.diff(corpus.offsets))[keep]
    n = len(counts)
    total = sp.csr_matrix((n, n))
    for distance in range(1, options.window + 1):
        same = document[distance:] == document[:-distance]
        pairs = ids[:-distance][same], ids[distance:][same]
        weight = np.full(len(pairs[0]), (options.window - distance + 1) / options.window)
        total += sp.coo_matrix((weight, pairs), shape=(n, n)).tocsr()
    return (total + total.T).tocsr()


def shifted_information(pairs, options):
    r"""Positive pointwise mutual information of words and contexts, less ``log(shift)``.

    .. math:: \max\Big(\log \frac{n_{wc}}{n_w \, q_c} - \log k, 0\Big), \qquad
              q_c = \frac{n_c^{0.75}}{\sum_c n_c^{0.75}}

    with the exponent ``smoothing`` and k the ``shift``.
    """
    coo = pairs.tocoo()
    margin = np.asarray(pairs.sum(axis=1)).ravel()
    context = margin**options.smoothing
    context /= context.sum()
    value = np.log(coo.data / (margin[coo.row] * context[coo.col])) - np.log(options.shift)
    kept = value > 0
    return sp.csr_matrix((value[kept], (coo.row[kept], coo.col[kept])), shape=pairs.shape)


def train(corpus, counts, options, start=None):
    """Factorise the information of word pairs: vectors are ``U S^power``, without a loss curve.

    ``start`` is None: there is nothing to go on from.
    """
    rng = np.random.default_rng(options.seed)
    n, d = len(counts), options.n_components
    pairs = cooccurrences(corpus, counts, options, rng)
    if pairs.nnz == 0:
        warn_no_pairs()
        pairs = cooccurrences(corpus, counts, options._replace(sample=0), rng)
    M = shifted_information(pairs, options)
    embedding, context = np.zeros((n, d), np.float32), np.zeros((n, d), np.float32)
    rank = min(d, n)
    if M.nnz:
        U, S, Vt = randomized_svd(
            M, rank, n_iter=4, random_state=options.seed % 2**32, flip_sign=True
        )
        scale = np.where(S > 1e-9 * S.max(), S, 0) ** options.power * (S > 1e-9 * S.max())
        embedding[:, :rank], context[:, :rank] = U * scale, Vt.T * scale
    return Trained(embedding, context, [])
