"""Two columns of many, for a map."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from skcontrast._component import did_you_mean
from skcontrast.plotting._base import numbers

METHODS = "pca", "tsne", "umap"


def projected(z, method, random_state):
    """Two columns of an embedding, and what each axis is called."""
    if method is None:
        if z.shape[1] != 2:
            raise ValueError(
                f"method=None draws two columns as they are, and z has {z.shape[1]}: type "
                f"{' or '.join(map(repr, METHODS))}."
            )
        return z, ("column 0", "column 1")
    if isinstance(method, str):
        return _by_name(z, method, random_state)
    if isinstance(method, type) or not hasattr(method, "fit_transform"):
        raise ValueError(
            f"method={method!r}: type {', '.join(map(repr, METHODS))} or None, or pass an object "
            "with fit_transform."
        )
    name = type(method).__name__
    positions = numbers(method.fit_transform(z), f"what {name} gives", ndim=2)
    if positions.shape != (len(z), 2):
        raise ValueError(
            f"{name} gives a table of shape {positions.shape}, and a map needs {(len(z), 2)}: pass "
            "a method with two components."
        )
    return positions, (f"{name} 1", f"{name} 2")


def _by_name(z, method, random_state):
    if method not in METHODS:
        hint = did_you_mean(method, METHODS)
        raise ValueError(f"method={method!r}: type {', '.join(map(repr, METHODS))} or None.{hint}")
    if method == "pca":
        wide = z if z.shape[1] > 1 else np.column_stack([z, np.zeros(len(z))])
        pca = PCA(2, random_state=random_state)
        with np.errstate(invalid="ignore"):
            positions = pca.fit_transform(wide)
        # Of equal rows the shares are 0 / 0.
        shares = np.nan_to_num(pca.explained_variance_ratio_)
        return positions, [
            f"PCA {i} ({share:.0%} of variance)" for i, share in enumerate(shares, 1)
        ]
    if method == "tsne":
        # Below a third of the rows, which few rows ask for.
        perplexity = max(min(30.0, (len(z) - 1) / 3), 0.5)
        init = "pca" if z.shape[1] > 1 else "random"
        tsne = TSNE(2, perplexity=perplexity, init=init, random_state=random_state)
        return tsne.fit_transform(z).astype(np.float64), ("t-SNE 1", "t-SNE 2")
    try:
        from umap import UMAP
    except ImportError:
        raise ImportError(
            "method='umap' needs umap-learn, which is not installed: type pip install umap-learn, "
            "or method='tsne'."
        ) from None
    n_neighbors = max(min(15, len(z) - 1), 2)
    # One thread, as UMAP says itself where it has a seed.
    umap = UMAP(n_components=2, n_neighbors=n_neighbors, random_state=random_state, n_jobs=1)
    return numbers(umap.fit_transform(z), "what UMAP gives", ndim=2), ("UMAP 1", "UMAP 2")
