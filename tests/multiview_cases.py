"""Blocks that share a few latent numbers, for the tests of several blocks."""

import numpy as np

from skcontrast.multiview import Blocks, MultiViewContrastiveEncoder


def latent(n=60, seed=0, noise=0.3):
    """Two tables of the same rows, and which group each row is in."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    shared = rng.normal(size=(n, 3)) + 3 * rng.normal(size=(3, 3))[y]
    A = shared @ rng.normal(size=(3, 5)) + noise * rng.normal(size=(n, 5))
    B = shared @ rng.normal(size=(3, 4)) + noise * rng.normal(size=(n, 4))
    return A, B, y


A, B, Y = latent()
X = np.hstack([A, B])
WORDS = ["low", "middle", "high", "top"]
TEXTS = [
    " ".join(WORDS[int(np.clip(v + 2, 0, 3))] + str(j) for j, v in enumerate(row)) for row in A
]


def encoder(**params):
    """A cheap encoder of two blocks of X."""
    cheap = {"n_components": 3, "max_iter": 2, "random_state": 0, "blocks": [5, 4]}
    return MultiViewContrastiveEncoder(**{**cheap, **params})


def of_blocks(**params):
    """The same for Blocks."""
    return encoder(**{"blocks": None, **params})


def missing(X=X, share=0.3, seed=0):
    """X with the first or the second block gone in some rows."""
    rng, X = np.random.default_rng(seed), X.copy()
    lost = rng.random(len(X)) < share
    which = rng.random(len(X)) < 0.5
    X[np.ix_(np.flatnonzero(lost & which), range(5))] = np.nan
    X[np.ix_(np.flatnonzero(lost & ~which), range(5, 9))] = np.nan
    return X


def three():
    """Blocks of three kinds: dense, sparse and texts."""
    import scipy.sparse as sp

    return Blocks(a=A, s=sp.csr_matrix(np.where(np.abs(B) > 1, B, 0)), t=TEXTS)
