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

# By what a row is; a kind of row of one's own is added here.
NETWORKS_OF = {"numbers": NETWORKS, "tokens": {"hashed": HashedEmbeddingBag}}

__all__ = [
    "MLP",
    "NETWORKS",
    "NETWORKS_OF",
    "NETWORK_CONSTRAINTS",
    "HashedEmbeddingBag",
    "InputLayer",
    "Linear",
    "build_network",
    "build_projector",
]
