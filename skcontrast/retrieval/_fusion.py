"""Scores of several retrievers as one, and the weights that find most."""

import numpy as np
from scipy.stats import rankdata

COMBINE = "zscore", "rrf", "sum", "product"
# The constant of reciprocal rank fusion, as published.
RRF = 60
# Logarithm of a product of 0: finite, as candidates stand before what is none.
LOG_ZERO = -1e100
STEPS = np.arange(10) / 10
# Standard errors of a gain beyond which it counts.
SURE = 2.0


def union(best):
    """Candidates of all retrievers, (n_queries, n), by number, and which stand there anew."""
    ids = np.sort(np.concatenate(best, axis=1), axis=1)
    new = np.ones(ids.shape, dtype=bool)
    new[:, 1:] = ids[:, 1:] != ids[:, :-1]
    return ids, new


def comparable(scores, here, combine, n_candidates):
    """Scores (n_queries, n) of one retriever as what is added up with those of others."""
    if combine == "sum":
        return scores
    if combine == "product":  # of logarithms, what is added up is a product
        return np.where(scores > 0, np.log(np.where(scores > 0, scores, 1)), LOG_ZERO)
    if combine == "rrf":
        # Candidates are in the order of their numbers, in which retrievers put equal scores.
        ranks = rankdata(np.where(here, -scores, np.inf), axis=1, method="ordinal")
        return 1 / (RRF + np.minimum(ranks, n_candidates + 1))
    n = here.sum(axis=1, keepdims=True)
    mean = np.where(here, scores, 0).sum(axis=1, keepdims=True) / n
    spread = np.sqrt(np.where(here, np.square(scores - mean), 0).sum(axis=1, keepdims=True) / n)
    # Scores that are equal but for rounding tell nothing.
    equal = spread <= 1e-7 * np.abs(mean)
    return np.where(equal, 0, scores - mean) / np.where(equal, 1, spread)


def weighted(tables, here, weights):
    """Weighted sum over retrievers, (n_queries, n), -inf where no candidate is."""
    used = [(w, t) for w, t in zip(weights, tables) if w > 0]
    return np.where(here, sum(w * t for w, t in used), -np.inf)


def reciprocal_ranks(total, relevant):
    """1 / mean rank of the best relevant candidate of each query, 0 where none is."""
    best = np.where(relevant, total, -np.inf).max(axis=1, keepdims=True)
    above, equal = (total > best).sum(axis=1), (total == best).sum(axis=1)
    rank = 1 + above + (equal - 1) / 2
    return np.where(relevant.any(axis=1), 1 / rank, 0)


def choose_weights(tables, here, relevant):
    """Weights that sum to one, and their mean reciprocal rank, beside those of each alone.

    From the best retriever alone on, each in turn is mixed in at steps of a tenth, or left out,
    for as long as that gains more than is due to which queries there are.
    """
    n = len(tables)

    def values(weights):
        return reciprocal_ranks(weighted(tables, here, weights), relevant)

    alone = [values(row) for row in np.eye(n)]
    start = int(np.argmax([v.mean() for v in alone]))
    weights, now = np.eye(n)[start], alone[start]
    improved = n > 1
    while improved:
        improved = False
        for unit_weight in np.eye(n):
            tried = [(1 - step) * weights + step * unit_weight for step in STEPS[1:]]
            without = np.where(unit_weight > 0, 0, weights)
            tried += [without / without.sum()] if without.sum() > 0 else []
            found = [values(w) for w in tried]
            best = int(np.argmax([v.mean() for v in found]))
            gain = found[best] - now
            if gain.mean() > SURE * gain.std() / np.sqrt(len(gain)) + 1e-9:
                weights, now, improved = tried[best], found[best], True
    weights = np.where(weights < 1e-12, 0, weights)
    return weights, float(now.mean()), [float(v.mean()) for v in alone]
