"""Losses of several blocks by plain loops over rows, pairs of blocks and combinations of rows."""

import itertools

import numpy as np


def nt_xent(a, b, tau):
    """Mean over the rows of two blocks of the cross-entropy of each with its own partner."""
    z, n, losses = np.concatenate([a, b]), len(a), []
    for i, row in enumerate(z):
        others = [k for k in range(2 * n) if k != i]
        s = z @ row / tau
        losses.append(np.log(np.exp(s[others]).sum()) - s[(i + n) % (2 * n)])
    return np.mean(losses)


def pairwise(z, tau):
    return np.mean([nt_xent(z[a], z[b], tau) for a, b in itertools.combinations(range(len(z)), 2)])


def one_to_k(z, tau):
    anchor, others = z[0], z[1:]
    losses = []
    for i, row in enumerate(anchor):
        every = sum(np.exp(other @ row / tau).sum() for other in others)
        loss = 0.0
        for other in others:
            own = np.exp(row @ other[i] / tau)
            loss -= np.log(own / every) + np.log(own / np.exp(anchor @ other[i] / tau).sum())
        losses.append(loss / (2 * len(others)))
    return losses


def symile(z, tau):
    """All combinations of rows of the other blocks are negatives."""
    n_blocks, n, _ = z.shape
    losses = []
    for a in range(n_blocks):
        others = np.delete(z, a, axis=0)
        for i in range(n):
            products = {
                rows: (z[a, i] * np.prod([b[j] for b, j in zip(others, rows)], axis=0)).sum() / tau
                for rows in itertools.product(range(n), repeat=n_blocks - 1)
            }
            own = products[(i,) * (n_blocks - 1)]
            losses.append(np.log(sum(map(np.exp, products.values()))) - own)
    return losses


def sigmoid(z, tau, bias, gamma):
    a, b = z
    losses = []
    for i, row in enumerate(a):
        loss = 0.0
        for j, other in enumerate(b):
            x = (1 if i == j else -1) * (row @ other / tau + bias)
            p = 1 / (1 + np.exp(-x))
            loss -= (1 - p) ** gamma * np.log(p)
        losses.append(loss)
    return losses


def cross_mixup(z, partner, share, tau):
    """Mixtures of the first block against each other one."""
    x, n, losses = z[0], z.shape[1], np.zeros(z.shape[1])
    mixed = np.array([s * x[i] + (1 - s) * x[p] for i, (p, s) in enumerate(zip(partner, share))])
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    for y in z[1:]:
        for i in range(n):
            there = [mixed[i] @ y[j] / tau for j in range(n)]
            loss = np.log(np.sum(np.exp(there)))
            loss -= share[i] * there[i] + (1 - share[i]) * there[partner[i]]
            back = [y[i] @ mixed[j] / tau for j in range(n)]
            for j in range(n):
                weight = share[i] * (i == j) + (1 - share[j]) * (partner[j] == i)
                loss += weight * (np.log(np.sum(np.exp(back))) - back[j])
            losses[i] += loss / 2 / (len(z) - 1)
    return losses
