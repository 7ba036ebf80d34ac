"""Series for the tests of objectives that read steps, and the formulas as plain loops."""

from math import exp, log

import numpy as np
import torch
from torch import nn

from skcontrast import ContrastiveEncoder
from skcontrast._component import Component
from skcontrast._inputs.series import SeriesBatch, SeriesInput
from skcontrast.views._base import View


def hierarchical(z, seen, alpha, temporal_unit, tau):
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
                    one = ntxent(z, here, others, across, tau)
                    two = ntxent(z, here, others, along, tau) if scales >= temporal_unit else 0
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


class SeriesEncoder(ContrastiveEncoder):
    """The frame with the input of series."""

    def _new_input(self):
        return SeriesInput(type(self).__name__)


def encoder(objective, **params):
    """A small encoder of series."""
    settings = {"max_iter": 2, "n_components": 4, "passthrough": False, "random_state": 0}
    settings |= {"network": Stepwise(), "views": Cut()}
    return SeriesEncoder(objective=objective, **{**settings, **params})


def series(n=30, n_channels=2, length=9, seed=0):
    """Sines of two frequencies, some of which end early, and which frequency it is."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    t = np.arange(length) + rng.uniform(0, 6, size=(n, n_channels, 1))
    X = np.sin(t * (0.4 + 0.6 * y[:, None, None])) + 0.1 * rng.normal(size=t.shape)
    for i in range(0, n, 3):
        X[i, :, length - 1 - i % 4 :] = np.nan
    return X, y
