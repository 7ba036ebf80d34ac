r"""Skip-gram with negative sampling, as equations: what the solvers must agree with.

For a pair of an input word i and an output word o, with negatives n,

.. math:: \ell = -\log \sigma(x_i \cdot y_o) - \sum_n w_n \log \sigma(-x_i \cdot y_n)

Nothing here is fast, and no solver calls it.
"""

import numpy as np
from scipy.special import expit, log_expit


def pair_gradients(inputs, outputs, pairs, negatives, weights):
    """Sum of the losses of pairs, and its gradients at the given vectors.

    Parameters
    ----------
    inputs, outputs : ndarrays of shape (n_words, n_components)

    pairs : int ndarray of shape (n_pairs, 2)
        Input word and output word.

    negatives : int ndarray of shape (n_pairs, n_negatives)

    weights : ndarray of shape (n_pairs, n_negatives)
        How much each negative counts.

    Returns
    -------
    loss : float

    input_gradient, output_gradient : ndarrays of shape (n_words, n_components)
    """
    loss, dx, dy = 0.0, np.zeros_like(inputs), np.zeros_like(outputs)
    for (i, o), words, amounts in zip(pairs, negatives, weights):
        score = inputs[i] @ outputs[o]
        loss -= log_expit(score)
        dx[i] -= expit(-score) * outputs[o]
        dy[o] -= expit(-score) * inputs[i]
        for n, weight in zip(words, amounts):
            score = inputs[i] @ outputs[n]
            loss -= weight * log_expit(-score)
            dx[i] += weight * expit(score) * outputs[n]
            dy[n] += weight * expit(score) * inputs[i]
    return loss, dx, dy


def own_weights(pairs, negatives, masked=True):
    """Weights of negatives drawn for each pair: 1, or 0 where one is the output word itself.

    Parameters
    ----------
    pairs : int ndarray of shape (n_pairs, 2)

    negatives : int ndarray of shape (n_pairs, n_negatives)

    masked : bool, default=True
        False counts the output word as its own negative.

    Returns
    -------
    weights : ndarray of shape (n_pairs, n_negatives)
    """
    equal = negatives == pairs[:, 1:]
    return 1.0 - (equal & masked)


def shared_weights(pairs, negatives, negative):
    """Weights of N negatives that all pairs share: K / N, or 0 for the output word itself.

    Parameters
    ----------
    pairs : int ndarray of shape (n_pairs, 2)

    negatives : int ndarray of shape (n_negatives,)

    negative : int
        K, the number of own negatives that they stand for.

    Returns
    -------
    weights : ndarray of shape (n_pairs, n_negatives)
    """
    return negative / len(negatives) * own_weights(pairs, negatives[None])


def sequential_step(inputs, outputs, pairs, negatives, weights, rate):
    """Pair after pair as in word2vec: an input word sees its outputs before their change.

    Parameters
    ----------
    inputs, outputs : ndarrays of shape (n_words, n_components)

    pairs, negatives, weights : ndarrays
        As in `pair_gradients`.

    rate : float
        Learning rate.

    Returns
    -------
    inputs, outputs : ndarrays of shape (n_words, n_components)
        New vectors.
    """
    x, y = inputs.copy(), outputs.copy()
    for (i, o), words, amounts in zip(pairs, negatives, weights):
        change = np.zeros_like(x[i])
        targets = [(o, 1.0, 1.0), *((n, 0.0, weight) for n, weight in zip(words, amounts))]
        for word, label, weight in targets:
            # A word drawn twice is compared again after its first change, as in the C code.
            slope = rate * weight * (label - expit(x[i] @ y[word]))
            change += slope * y[word]
            y[word] += slope * x[i]
        x[i] += change
    return x, y


def margin_gradients(table, pairs, negatives, weights, margin):
    r"""Sum over pairs of :math:`\sum_n w_n \max(0, m - \cos(c, w) + \cos(c, n))`, and gradient.

    Parameters
    ----------
    table : ndarray of shape (n_words, n_components)

    pairs : int ndarray of shape (n_pairs, 2)
        Centre and context.

    negatives, weights : ndarrays of shape (n_pairs, n_negatives)

    margin : float

    Returns
    -------
    loss : float

    gradient : ndarray of shape (n_words, n_components)
    """
    loss, gradient = 0.0, np.zeros_like(table)

    def cosine(a, b):
        u, v = table[a], table[b]
        p, q = np.linalg.norm(u), np.linalg.norm(v)
        value = u @ v / (p * q)
        return value, v / (p * q) - value * u / p**2, u / (p * q) - value * v / q**2

    for (c, w), words, amounts in zip(pairs, negatives, weights):
        near, near_c, near_w = cosine(c, w)
        for n, weight in zip(words, amounts):
            far, far_c, far_n = cosine(c, n)
            hinge = margin - near + far
            if weight == 0 or hinge <= 0:
                continue
            loss += weight * hinge
            gradient[c] += weight * (far_c - near_c)
            gradient[w] -= weight * near_w
            gradient[n] += weight * far_n
    return loss, gradient
