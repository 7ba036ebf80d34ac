"""Non-negative weights of score matrices by multinomial likelihood; temperature is one."""

import numpy as np

# Of the prior on a temperature, in nats at a spread of one: only where rows are separated
# without error does it matter, and keeps the temperature finite there.
WEAK = 0.01


def centre(scores):
    """Scores less their mean over the classes; the softmax is the same."""
    return scores - scores.mean(axis=1, keepdims=True)


def log_loss(logits, codes, weight):
    """Weighted sum of the negative log-likelihoods."""
    top = logits.max(axis=1)
    partition = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float(weight @ (partition - logits[np.arange(len(codes)), codes]))


def fit_weights(parts, codes, weight, start, ridge, max_iter=100):
    r"""Weights :math:`a_p \ge 0` of score matrices, by Newton steps on a convex function.

    .. math:: \min_{a \ge 0} \sum_i w_i \, \mathrm{NLL}_i(\sum_p a_p S_p)
              + \frac{1}{2} \sum_p \rho_p (a_p - a_p^0)^2

    with ``parts`` a list of p matrices (n, C), ``start`` :math:`a^0` and ``ridge``
    :math:`\rho > 0`, (p,) both. Also gives the log-loss without the prior.
    """
    parts = [centre(part) for part in parts]
    ridge, start = np.asarray(ridge, dtype=float), np.asarray(start, dtype=float)
    own = np.array([part[np.arange(len(codes)), codes] for part in parts])  # (p, n)
    a = start.copy()

    def value(a):
        """The function, and the probabilities (n, C)."""
        P, partition = _softmax(parts, a)
        return weight @ (partition - a @ own) + 0.5 * ridge @ (a - start) ** 2, P

    current, P = value(a)
    for _ in range(max_iter):
        slope, H = _derivatives(P, parts, own, weight)
        slope += ridge * (a - start)
        H[np.diag_indices(len(a))] += ridge
        free = (a > 0) | (slope < 0)
        if not free.any():
            break
        move = np.zeros(len(a))
        move[free] = np.linalg.solve(H[np.ix_(free, free)], slope[free])
        if np.abs(slope[free] @ move[free]) < 1e-13 * (1 + abs(current)):
            break
        step, better = 1.0, False
        while step > 1e-8 and not better:
            trial = np.maximum(a - step * move, 0)
            new, P = value(trial)
            better = new < current
            step /= 2
        if not better:
            break
        a, current = trial, new
    return a, float(current - 0.5 * ridge @ (a - start) ** 2)


def _softmax(parts, a):
    """Probabilities (n, C) of the weighted sum of scores, and its log-sums (n,)."""
    P = a[0] * parts[0]
    for w, part in zip(a[1:], parts[1:]):
        P += w * part
    top = P.max(axis=1)
    P -= top[:, None]
    total = np.exp(P, out=P).sum(axis=1)
    P /= total[:, None]
    return P, top + np.log(total)


def _derivatives(P, parts, own, weight):
    """Slope (p,) and Hessian (p, p) of the log-loss, by the mean and covariance of scores."""
    weighted = [P * part for part in parts]
    mean = np.array([part.sum(axis=1) for part in weighted])  # (p, n)
    products = [[np.einsum("ic,ic,i->", x, y, weight) for y in parts] for x in weighted]
    return (mean - own) @ weight, np.array(products) - (mean * weight) @ mean.T


def spread(scores, weight):
    """Root mean square of the centred scores, the unit that a temperature is in."""
    value = np.sqrt(float(weight @ np.square(centre(scores)).mean(axis=1)) / weight.sum())
    return value if value > 0 and np.isfinite(value) else 1.0


def fit_temperature(scores, codes, weight):
    """Inverse temperature of scores (n, C), at least 1e-3 of their inverse spread, and loss."""
    unit = spread(scores, weight)
    (scale,), loss = fit_weights([scores / unit], codes, weight, [1.0], [WEAK])
    if scale < 1e-3:
        scale = 1e-3
        loss = log_loss(scale * scores / unit, codes, weight)
    return scale / unit, loss
