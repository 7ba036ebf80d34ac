"""Networks: how an embedding is computed from a row, and a projection from it."""

from skcontrast.networks._hashed import HashedEmbeddingBag
from skcontrast.networks._layers import (
    MLP,
    NETWORK_CONSTRAINTS,
    NETWORKS,
    InputLayer,
    Linear,
    build_network,
    build_projector,
)

# Of documents: a batch of words, or the numbers that a backbone makes of them.
TEXT_NETWORKS = {"hashed": HashedEmbeddingBag, **NETWORKS}

__all__ = [
    "MLP",
    "NETWORKS",
    "NETWORK_CONSTRAINTS",
    "TEXT_NETWORKS",
    "HashedEmbeddingBag",
    "InputLayer",
    "Linear",
    "build_network",
    "build_projector",
]
