"""AttentionPooling: the parts of a row attend to learned vectors, or to each other."""

from typing import Any, Literal

import torch
from torch import nn

from skcontrast._component import Component, Integral, Interval, Shorthand, resolve
from skcontrast.networks._layers import MLP, WIDTH, build_network
from skcontrast.networks._series import DilatedConv, _OverSteps

REGISTRY = "skcontrast.networks:NETWORKS_OF.series.tokens"


class AttentionPooling(Component):
    r"""Latent attention before the mean: the parts of a row attend to a learned dictionary.

    .. math::

        O = \mathrm{softmax}\!\left( T L^\top / \sqrt{d} \right) L, \qquad
        z = \frac{1}{t} \sum_{i=1}^{t} \mathrm{MLP}(O_i)

    where T (t, d) are the embeddings of the steps of a series or of the words of a text, and L
    (l, d) is learned. The mean is over the parts that are there (that of words is weighted as in
    :class:`HashedEmbeddingBag`). With ``n_latents=None`` the parts attend to each other: L is T.

    Without a ``network`` each part is embedded by itself, so that their order counts for nothing:
    a series (n_channels, t) is then a set of t elements, NaN where one is missing.

    Parameters
    ----------
    network : str, component or None, default=None
        What embeds the parts: a network of series, such as "dilated", or of texts, "hashed". None
        is an affine map of each step.

    n_latents : int or None, default=32
        Number l of vectors in the dictionary. None only for series.

    width : int or "auto", default="auto"
        Number of learned columns, where ``n_components`` of the estimator does not say it; "auto"
        is 256, of texts 1024.

    Notes
    -----
    Of texts the part of the embedding that is trained attends, not the one that tells which words
    are there. As views of a set type ``views="point_mask"``, which drops elements.

    References
    ----------
    Lee et al., "NV-Embed: improved techniques for training LLMs as generalist embedding models",
    ICLR 2025. Lee et al., "Set transformer: a framework for attention-based
    permutation-invariant neural networks", ICML 2019. Ma et al., "Leveraging multimodal features
    and item-level user feedback for bundle construction", WSDM 2024, for sets whose elements
    attend to each other.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast import SeriesContrastiveEncoder
    >>> from skcontrast.networks import AttentionPooling
    >>> sets = [np.random.default_rng(n).normal(size=(3, n)) for n in range(2, 12)]
    >>> encoder = SeriesContrastiveEncoder(
    ...     8, network=AttentionPooling(), views="point_mask", max_iter=1, random_state=0
    ... ).fit(sets)
    >>> shuffled = [x[:, ::-1] for x in sets]
    >>> bool(np.allclose(encoder.transform(sets), encoder.transform(shuffled), atol=1e-5))
    True
    """

    _shorthand = {"network": REGISTRY}
    _parameter_constraints = {
        "network": [Shorthand(REGISTRY, "network"), None],
        "n_latents": [Interval(Integral, 1, None, closed="left"), None],
        "width": WIDTH,
    }

    def __init__(
        self,
        network: str | Component | None = None,
        n_latents: int | None = 32,
        width: int | Literal["auto"] = "auto",
    ):
        self.network = network
        self.n_latents = n_latents
        self.width = width

    @property
    def reads(self) -> frozenset[str]:
        """What rows may be: those that ``network`` reads."""
        if self.network is None:
            return frozenset({"series"})
        return getattr(resolve(self.network, REGISTRY), "reads", frozenset({"numbers"}))

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module of a batch of n rows -> (n, n_components)."""
        if self.network is None:
            each = DilatedConv(hidden=n_components, pooling="mean")
            module: Any = _OverSteps(each, n_features_in, n_components, blocks=())
        else:
            network = resolve(self.network, REGISTRY)
            module = build_network(network, n_features_in, n_components)[0]
        if not hasattr(module, "attend") or (self.n_latents is None and "series" not in self.reads):
            raise ValueError(
                f"{self!r}: this network has no parts that attend in this way: type "
                "network='dilated' or None for series, and network='hashed' with a number of "
                "n_latents for texts."
            )
        module.pooling = "mean"
        module.attend = _Attention(self.n_latents, module.width)
        return module


class _Attention(nn.Module):
    """Attention of parts, then a layer for each: (m, d) or (n, T, d), and as many out."""

    def __init__(self, n_latents, width):
        super().__init__()
        self.latents = None if n_latents is None else nn.Parameter(torch.randn(n_latents, width))
        self.mix = MLP((width,), "gelu", normalization=None, skip=False).build(width, width)

    def attended(self, parts, seen=None):
        """Each part as the mean of what it attends to; ``seen`` (n, T, 1) are those there are."""
        scale = parts.shape[-1] ** -0.5
        if self.latents is not None:
            return (parts @ self.latents.T * scale).softmax(-1) @ self.latents
        # Of a row without a part all are taken: they are 0.
        hidden = (seen == 0) & (seen > 0).any(dim=1, keepdim=True)
        scores = parts @ parts.transpose(1, 2) * scale
        return scores.masked_fill(hidden.transpose(1, 2), -torch.inf).softmax(-1) @ parts

    def forward(self, parts, seen=None):
        out = self.attended(parts, seen)
        return self.mix(out.flatten(0, -2)).view_as(out)
