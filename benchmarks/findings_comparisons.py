"""A table of ``findings.py``: how many comparisons of rows an embedding is learned from."""

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA


def agreement(distance, triplets):
    """Share of comparisons (i, j, k) with i nearer to j than to k."""
    i, j, k = triplets.T
    return float(np.mean(distance[i, j] < distance[i, k]))


def from_comparisons(seed, d, per_number, n=100, n_steps=300):
    """Share of new comparisons that an embedding learned from some of them has right."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    pixels = rng.permutation(load_digits().data)[:n]
    true = cdist(*[PCA(d).fit_transform(pixels)] * 2)
    triplets = np.array([rng.choice(n, 3, replace=False) for _ in range(per_number * n * d + 4000)])
    i, j, k = triplets.T
    swapped = true[i, j] > true[i, k]
    triplets[swapped] = triplets[swapped][:, [0, 2, 1]]
    i, j, k = torch.as_tensor(triplets[4000:]).T
    z = torch.randn(n, d, generator=generator).requires_grad_()
    optimizer = torch.optim.Adam([z], 0.05)
    for _ in range(n_steps):
        near, far = ((z[i] - z[other]).square().sum(1) for other in (j, k))
        loss = torch.nn.functional.softplus(near - far).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = cdist(*[z.detach().numpy()] * 2)
    return agreement(learned, triplets[:4000]), agreement(cdist(pixels, pixels), triplets[:4000])


def comparisons(n_seeds, per_number=(1, 2, 4, 8, 16), **parameters):
    """Is a row nearer to this one or to that one: by n d comparisons, twice as many, and so on."""
    rows = {}
    for d in (2, 4, 8):
        found = [
            np.mean([from_comparisons(s, d, m, **parameters) for s in range(n_seeds)], axis=0)
            for m in per_number
        ]
        learned = {f"{m} n d": mine for m, (mine, _) in zip(per_number, found)}
        rows[f"{d} columns"] = {**learned, "none: raw pixels": found[0][1]}
    return pd.DataFrame(rows).T
