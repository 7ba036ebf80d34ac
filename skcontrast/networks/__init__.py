"""Networks: how an embedding is computed from a row, and a projection from it."""

from skcontrast.networks._attention import AttentionPooling
from skcontrast.networks._experts import MixtureOfExperts
from skcontrast.networks._fourier import FourierFeatures
from skcontrast.networks._hashed import HashedEmbeddingBag
from skcontrast.networks._layers import (
    MLP,
    NETWORK_CONSTRAINTS,
    InputLayer,
    Linear,
    build_network,
    build_projector,
)
from skcontrast.networks._low_rank import LowRank
from skcontrast.networks._series import DilatedConv, LightConv
from skcontrast.networks._towers import Towers

NETWORKS = {"fourier": FourierFeatures, "experts": MixtureOfExperts, "linear": Linear, "mlp": MLP}
# By what a row is; a kind of row of one's own is added here.
NETWORKS_OF = {
    "numbers": NETWORKS,
    "tokens": {"hashed": HashedEmbeddingBag},
    "series": {"attention": AttentionPooling, "dilated": DilatedConv, "light": LightConv},
    "blocks": {"towers": Towers},
}

__all__ = [
    "MLP",
    "NETWORKS",
    "NETWORKS_OF",
    "NETWORK_CONSTRAINTS",
    "AttentionPooling",
    "DilatedConv",
    "FourierFeatures",
    "HashedEmbeddingBag",
    "InputLayer",
    "LightConv",
    "Linear",
    "LowRank",
    "MixtureOfExperts",
    "Towers",
    "build_network",
    "build_projector",
]
