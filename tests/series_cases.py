"""Series for the tests of objectives that read steps, and the formulas as plain loops."""

from math import exp, log

import numpy as np
import torch
from torch import nn

from skcontrast import SeriesContrastiveEncoder
from skcontrast._component import Component
from skcontrast._inputs.series import SeriesBatch
from skcontrast.views._base import View


def late_interaction(z, seen, pool, beta, temperature):
    """Loss of each anchor, and 0 where a view of it has seen nothing; z (V, n, T, d)."""
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    n_views, n = z.shape[:2]
    losses = []
    for v in range(n_views):
        for i in range(n):
            total = 0
            for w in set(range(n_views)) - {v}:
                scores = []
                for j in range(n):
                    mine, other = z[v, i][np.array(seen[v][i])], z[w, j][np.array(seen[w][j])]
                    if pool == "lse":
                        score = np.log(np.mean(np.exp(beta * mine @ other.T))) / beta
                    else:
                        score = np.mean([max(a @ b for b in other) for a in mine])
                    scores.append(score / temperature)
                total += np.log(sum(np.exp(scores))) - scores[i]
            losses.append(total / (n_views - 1))
    return losses


def hierarchical(z, seen, alpha, temporal_unit, temperature):
    """TS2Vec for any number of views: z (V, n, T, d), seen (n, T) -> one loss for each anchor."""
    n_views, n = z.shape[:2]
    total, scales = np.zeros((n_views, n)), 0
    while True:
        length = z.shape[2]
        for v in range(n_views):
            for i in range(n):
                times = [t for t in range(length) if seen[i, t]]
                for t in times:
                    here = (v, i, t)
                    others = [(u, i, t) for u in range(n_views) if u != v]
                    across = [(u, j, t) for u in range(n_views) for j in range(n) if seen[j, t]]
                    along = [(u, i, s) for u in range(n_views) for s in times]
                    one = ntxent(z, here, others, across, temperature)
                    two = (
                        ntxent(z, here, others, along, temperature)
                        if scales >= temporal_unit
                        else 0
                    )
                    total[v, i] += (alpha * one + (1 - alpha) * two) / len(times)
        scales += 1
        if length == 1:
            return (total / scales).ravel()
        z, seen = pooled(z, seen)


def ntxent(z, anchor, positives, rows, tau):
    candidates = log(sum(exp(z[anchor] @ z[row] / tau) for row in rows if row != anchor))
    return candidates - np.mean([z[anchor] @ z[row] / tau for row in positives])


def pooled(z, seen):
    half = z.shape[2] // 2
    out = np.zeros((*z.shape[:2], half, z.shape[3]))
    mask = np.zeros((len(seen), half), dtype=bool)
    for i in range(len(seen)):
        for k in range(half):
            both = [t for t in (2 * k, 2 * k + 1) if seen[i, t]]
            mask[i, k] = bool(both)
            if both:
                out[:, i, k] = z[:, i, both].max(axis=1)
    return out, mask


def future(z, seen, times, n_steps, context="mean"):
    """TS-TCC without maps: z (V, n, T, d), seen (V, n, T), times (n,); a loss for each anchor."""
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    n_views, n, length, _ = z.shape
    losses = []
    for v in range(n_views):
        u = (v + 1) % n_views
        contexts = {}
        for i in range(n):
            past = [z[u, i, t] for t in range(times[i] + 1) if seen[u, i, t]]
            if past:
                contexts[i] = past[-1] if context == "last" else np.mean(past, axis=0)
        for i in range(n):
            ahead = [times[i] + k for k in range(1, n_steps + 1) if times[i] + k < length]
            terms = [
                log(sum(exp(z[v, i, t] @ c) for c in contexts.values())) - z[v, i, t] @ contexts[i]
                for t in ahead
                if seen[v, i, t] and i in contexts
            ]
            losses.append(np.mean(terms) if terms else None)
    return mean_of(losses)


def bridge(z, seen, times, contrast="middle", pin=0.0, eps=0.0):
    """Time Control: z (V, n, T, d), seen (V, n, T), times (3, n); a loss for each anchor."""
    n_views, n = z.shape[:2]
    losses, starts, ends = [], [], []
    for v in range(n_views):
        z0, zt, z1 = ([z[v, i, when[i]] for i in range(n)] for when in times)
        t0, t, t1 = times
        good = [i for i in range(n) if all(seen[v, i, when[i]] for when in times)]
        for i in range(n):
            if i not in good:
                losses, starts, ends = losses + [None], starts + [None], ends + [None]
                continue
            scores = {}
            for j in good:
                if contrast == "middle":
                    scores[j] = score(z0[i], zt[j], z1[i], t0[i], t[i], t1[i], eps)
                elif contrast == "end":
                    scores[j] = score(z0[j], zt[j], z1[i], t0[j], t[j], t1[j], eps)
                elif t0[j] < t[i] < t1[j]:
                    scores[j] = score(z0[j], zt[i], z1[j], t0[j], t[i], t1[j], eps)
            losses.append(log(sum(map(exp, scores.values())) + eps) - scores[i])
            first, *_, last = np.flatnonzero(seen[v, i])
            starts.append(np.mean(z0[i] ** 2) if t0[i] == first else None)
            ends.append(np.mean((np.abs(z1[i]) - 1) ** 2) if t1[i] == last else None)
    return mean_of(losses) + pin * (mean_of(starts) + mean_of(ends))


def score(z0, z, z1, t0, t, t1, eps):
    a, v = (t - t0) / (t1 - t0 + eps), (t - t0) * (t1 - t) / (t1 - t0 + eps)
    return -np.sum(((1 - a) * z0 + a * z1 - z) ** 2) / (2 * v + eps)


def mean_of(losses):
    """Losses whose plain mean is that of those which are not None."""
    n = max(1, sum(loss is not None for loss in losses))
    return np.array([0 if loss is None else loss * len(losses) / n for loss in losses])


# ------------------------------------------------------ an encoder of series


class Stepwise(Component):
    """One affine map of the channels of each step, and the maximum of what was seen."""

    reads = frozenset({"series"})
    _parameter_constraints = {}

    def build(self, n_features_in, n_components):
        return _Stepwise(n_features_in, n_components)


class _Stepwise(nn.Module):
    def __init__(self, n_channels, width):
        super().__init__()
        self.map = nn.Linear(n_channels, width)

    def steps(self, x):
        return self.map(x.values.mT).tanh()

    def pool(self, steps, mask):
        return steps.masked_fill(mask.mT == 0, -2).amax(1)

    def forward(self, x):
        return self.pool(self.steps(x), x.mask)


class Cut(View):
    """Noise, and one step in five that is not seen."""

    reads = frozenset({"series"})
    _parameter_constraints = {}

    def build(self, rows):
        def view(x, index):
            mask = x.mask * (torch.rand_like(x.mask) > 0.2)
            return SeriesBatch((x.values + 0.1 * torch.randn_like(x.values)) * mask, mask)

        return view


def encoder(objective, **params):
    """A small encoder of series."""
    settings = {"max_iter": 2, "n_components": 4, "clean_anchor": True, "random_state": 0}
    settings |= {"network": Stepwise(), "views": Cut()}
    return SeriesContrastiveEncoder(objective=objective, **{**settings, **params})


def series(n=30, n_channels=2, length=9, seed=0):
    """Sines of two frequencies, some of which end early, and which frequency it is."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(length) + rng.uniform(0, 6, size=(n, n_channels, 1))
    X = np.sin(t * (0.4 + 0.6 * y[:, None, None])) + 0.1 * rng.normal(size=t.shape)
    for i in range(0, n, 3):
        X[i, :, length - 1 - i % 4 :] = np.nan
    return X, y
