"""Subclasses of about equal size, and how wide each class is."""

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

# Percentiles of the classes' densities between which a density is kept.
KEPT = (20, 80)
# A class's temperature is not under this share of tau: equal rows have the density zero,
# up to rounding.
LOWEST = 0.1
ROUNDING = 1e-12


def split_classes(rows, codes, cluster_size, seed):
    """Split classes into subclasses (n,), and measure how wide each class is (C,).

    ``rows`` (n, d) are unit rows in float64, ``codes`` (n,) their classes. Subclasses are numbered
    through all classes; -1 stands for unlabelled rows.
    """
    random = np.random.RandomState(seed)
    counts = np.bincount(codes[codes >= 0], minlength=1)
    smallest = counts[counts > 0].min(initial=len(codes))
    n_parts = np.maximum(1, counts // max(smallest, cluster_size))
    starts = np.cumsum(n_parts) - n_parts
    subclass = np.full(len(codes), -1, dtype=np.int64)
    density = np.full(len(counts), np.nan)
    labelled = np.flatnonzero(codes >= 0)
    by_class = labelled[np.argsort(codes[labelled], kind="stable")]
    for c, members in enumerate(np.split(by_class, np.cumsum(counts)[:-1])):
        subclass[members] = starts[c] + _clusters(rows[members], n_parts[c], random)
        if len(members) > 1:
            distance = np.linalg.norm(rows[members] - rows[members].mean(0), axis=1)
            density[c] = distance.mean() / np.log(len(members) + 10)
    return subclass, _relative(density, n_parts)


def _clusters(rows, n_clusters, random):
    if n_clusters == 1:
        return 0
    # Three threads or more add their sums up in the order in which they end.
    with warnings.catch_warnings(), threadpool_limits(1, user_api="openmp"):
        # Fewer distinct rows than clusters: some clusters stay empty, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters, n_init=1, random_state=random).fit(rows).labels_


def _relative(density, n_parts):
    """Temperatures tau_c / tau from densities (C,), NaN for a class of one row or none."""
    known = ~np.isnan(density)
    relative = np.ones(len(density))
    if known.any():
        kept = np.clip(density[known], *np.percentile(density[known], KEPT))
        if kept.mean() > ROUNDING:
            relative[known] = np.maximum(kept / kept.mean(), LOWEST)
    relative[n_parts == 1] = 1
    return relative
