"""Networks of series: an embedding of every step, and one of the whole series."""

from typing import Literal

import torch
from torch import nn
from torch.nn.functional import gelu, glu, layer_norm

from skcontrast._component import Component, Integral, Interval, Real, StrOptions
from skcontrast._inputs.series import SeriesBatch
from skcontrast.networks._layers import WIDTH, InputLayer

_SHARED_CONSTRAINTS = {
    "hidden": [Interval(Integral, 1, None, closed="left")],
    "n_blocks": [Interval(Integral, 1, None, closed="left")],
    "pooling": [StrOptions({"max", "mean"})],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "width": WIDTH,
}


class DilatedConv(Component):
    r"""Residual blocks of dilated convolutions over the steps of a series, as in TS2Vec.

    .. math::

        h^0 = x W + b, \qquad
        h^{k+1} = h^k + C'_k(\phi(C_k(\phi(h^k)))), \qquad z_t = h^K_t V + c

    where :math:`\phi` is GELU and :math:`C_k, C'_k` are convolutions of three taps that are
    2^k steps apart, so that z_t depends on the 2^(K+1) - 2 steps before it and as many after
    it: 126 with six blocks. The embedding of a series is the largest or the mean value of
    each column over its steps. Steps that were not seen are 0 behind every layer and take no
    part in that, so a series has one embedding however far it is padded.

    Parameters
    ----------
    hidden : int, default=64
        Width of the blocks.

    n_blocks : int, default=6
        Number K of blocks. Each one more doubles the steps that are seen at once.

    pooling : {"max", "mean"}, default="max"
        How the embeddings of the steps become that of the series.

    dropout : float, default=0.0
        Probability that an entry of the embedding of a step is dropped in training.

    width : int or "auto", default="auto"
        Number of learned columns, where ``n_components`` of the estimator does not say it;
        "auto" is 256.

    mask_aware : bool, default=False
        Whether steps that a view masked, all of whose channels are 0, count as not seen: what is
        masked then tells nothing of itself in any layer (SparK). With
        ``Reconstruction(decoder=DilatedConv(16, 3))``, whose decoder fills such steps from those
        beside them.

    References
    ----------
    Yue et al., "TS2Vec: towards universal representation of time series", AAAI 2022. Bai,
    Kolter, Koltun, "An empirical evaluation of generic convolutional and recurrent networks
    for sequence modeling", 2018. Tian et al., "Designing BERT for convolutional networks: sparse
    and hierarchical masked modeling", ICLR 2023: ``mask_aware``.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.networks import DilatedConv
    >>> source = SeriesInput()
    >>> rows = source.rows(source.fit(np.random.default_rng(0).normal(size=(4, 3, 20))))
    >>> network = DilatedConv().build(source.n_features, 8)
    >>> network(rows.take(rows.train_index)).shape
    torch.Size([4, 8])
    >>> network.steps(rows.take(rows.train_index)).shape
    torch.Size([4, 20, 8])
    """

    reads = frozenset({"series"})

    _parameter_constraints = {**_SHARED_CONSTRAINTS, "mask_aware": ["boolean"]}

    def __init__(
        self,
        hidden: int = 64,
        n_blocks: int = 6,
        pooling: Literal["max", "mean"] = "max",
        dropout: float = 0.0,
        width: int | Literal["auto"] = "auto",
        mask_aware: bool = False,
    ):
        self.hidden = hidden
        self.n_blocks = n_blocks
        self.pooling = pooling
        self.dropout = dropout
        self.width = width
        self.mask_aware = mask_aware

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module SeriesBatch of n series -> (n, n_components)."""
        blocks = [_DilatedBlock(self.hidden, 2**k) for k in range(self.n_blocks)]
        return _OverSteps(self, n_features_in, n_components, blocks)


class LightConv(Component):
    r"""Blocks of light convolutions: few taps, which sum to one, for groups of columns.

    .. math::

        h'_t = h_t + \left( \sum_j \mathrm{softmax}(w_g)_j \; u_{t + d (j - (k - 1) / 2)}
            \right) V, \qquad u = \mathrm{GLU}(\nu(h) U), \qquad
        h''_t = h'_t + \phi(\nu(h'_t) A) B

    where g is the group of a column of u, d = 2^i in block i, :math:`\nu` normalises the
    columns of a step and :math:`\phi` is GELU. With ``dynamic`` the taps are
    :math:`w_g = u_t Q_g`, chosen by the step itself. Steps that were not seen count as in
    :class:`DilatedConv`.

    Parameters
    ----------
    hidden : int, default=64
        Width of the blocks, a multiple of ``n_groups``.

    n_blocks : int, default=6
        Number of blocks.

    kernel_size : int, default=3
        Number k of taps, odd.

    n_groups : int, default=8
        Groups of columns that share their taps.

    dynamic : bool, default=False
        Whether the taps depend on the step.

    pooling : {"max", "mean"}, default="max"
        How the embeddings of the steps become that of the series.

    dropout : float, default=0.0
        Probability that an entry of the embedding of a step is dropped in training.

    width : int or "auto", default="auto"
        Number of learned columns; see :class:`DilatedConv`.

    References
    ----------
    Wu et al., "Pay less attention with lightweight and dynamic convolutions", ICLR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.series import SeriesInput
    >>> from skcontrast.networks import LightConv
    >>> source = SeriesInput()
    >>> rows = source.rows(source.fit(np.random.default_rng(0).normal(size=(4, 3, 20))))
    >>> network = LightConv(dynamic=True).build(source.n_features, 8)
    >>> network(rows.take(rows.train_index)).shape
    torch.Size([4, 8])
    """

    reads = frozenset({"series"})

    _parameter_constraints = {
        **_SHARED_CONSTRAINTS,
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "dynamic": ["boolean"],
    }

    def __init__(
        self,
        hidden: int = 64,
        n_blocks: int = 6,
        kernel_size: int = 3,
        n_groups: int = 8,
        dynamic: bool = False,
        pooling: Literal["max", "mean"] = "max",
        dropout: float = 0.0,
        width: int | Literal["auto"] = "auto",
    ):
        self.hidden = hidden
        self.n_blocks = n_blocks
        self.kernel_size = kernel_size
        self.n_groups = n_groups
        self.dynamic = dynamic
        self.pooling = pooling
        self.dropout = dropout
        self.width = width

    def build(self, n_features_in: int, n_components: int) -> nn.Module:
        """Make the torch module SeriesBatch of n series -> (n, n_components)."""
        if self.hidden % self.n_groups:
            raise ValueError(
                f"LightConv: hidden={self.hidden} is no multiple of n_groups={self.n_groups}: "
                f"type hidden={-(-self.hidden // self.n_groups) * self.n_groups}."
            )
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"LightConv: kernel_size={self.kernel_size} has no tap in the middle: type "
                f"kernel_size={self.kernel_size + 1}."
            )
        blocks = [_LightBlock(self, 2**i) for i in range(self.n_blocks)]
        return _OverSteps(self, n_features_in, n_components, blocks)


class _OverSteps(nn.Module):
    """Blocks between a first and a last layer over the steps, and pooling."""

    def __init__(self, options, n_channels, n_components, blocks):
        super().__init__()
        self.pooling = options.pooling
        self.mask_aware = getattr(options, "mask_aware", False)
        self.first = InputLayer(n_channels, options.hidden)
        self.blocks = nn.ModuleList(blocks)
        self.last = InputLayer(options.hidden, n_components)
        self.dropout = nn.Dropout(options.dropout)
        self.width, self.attend = n_components, None

    def steps(self, x):
        """Embedding of each step: (n, T, d), 0 where nothing was seen."""
        if not isinstance(x, SeriesBatch):
            raise TypeError("This network reads series: type network='mlp' for numbers.")
        seen = x.mask.transpose(1, 2)  # (n, T, 1)
        if self.mask_aware:
            seen = seen * (x.values != 0).any(1)[..., None]
        h = _by_step(self.first, x.values.transpose(1, 2)) * seen
        for block in self.blocks:
            h = block(h, seen)
        h = _by_step(self.last, h)
        if self.attend is not None:
            h = self.attend(h * seen, seen)
        return self.dropout(h) * seen

    def pool(self, steps, mask):
        """Embedding of each series: (n, d), of steps (n, T, d) and their mask (n, 1, T)."""
        seen = mask.transpose(1, 2)
        if self.mask_aware:
            seen = seen * (steps != 0).any(2, keepdim=True)
        if self.pooling == "mean":
            return (steps * seen).sum(1) / seen.sum(1).clamp_min(1)
        # Of a series without a step all are taken: they are 0.
        hidden = (seen == 0) & (seen > 0).any(dim=1, keepdim=True)
        return steps.masked_fill(hidden, -torch.inf).amax(1)

    def forward(self, x):
        return self.pool(self.steps(x), x.mask)


class _DilatedBlock(nn.Module):
    def __init__(self, hidden, dilation):
        super().__init__()
        self.convolutions = nn.ModuleList(_Convolution(hidden, dilation) for _ in range(2))

    def forward(self, h, seen):
        out = h
        for convolution in self.convolutions:
            out = convolution(gelu(out)) * seen
        return h + out


class _Convolution(nn.Module):
    """Three taps ``dilation`` steps apart, (n, T, c) -> (n, T, c)."""

    # As three matrix products and not nn.Conv1d: the gradient of its weights is summed in an
    # order that depends on the number of threads.
    def __init__(self, hidden, dilation):
        super().__init__()
        self.dilation = dilation
        self.taps = InputLayer(3 * hidden, hidden)

    def forward(self, h):
        length = h.shape[1]
        before, here, after = self.taps.weight.chunk(3)
        out = torch.addmm(self.taps.bias, h.flatten(0, 1), here).view_as(h)
        if self.dilation >= length:
            return out
        out = out + _shifted(h, -self.dilation) @ before
        return out + _shifted(h, self.dilation) @ after


class _LightBlock(nn.Module):
    def __init__(self, options, dilation):
        super().__init__()
        hidden = options.hidden
        self.gate = InputLayer(hidden, 2 * hidden)
        self.light = _LightTaps(options, dilation)
        self.mix = InputLayer(hidden, hidden)
        self.widen = InputLayer(hidden, 2 * hidden, gain=2**0.5)
        self.narrow = InputLayer(2 * hidden, hidden)

    def forward(self, h, seen):
        u = glu(_by_step(self.gate, _normed(h))) * seen
        h = h + _by_step(self.mix, self.light(u)) * seen
        return h + _by_step(self.narrow, gelu(_by_step(self.widen, _normed(h)))) * seen


class _LightTaps(nn.Module):
    """Weighted mean over taps, (n, T, c) -> (n, T, c); weights are shared by groups of columns."""

    def __init__(self, options, dilation):
        super().__init__()
        self.dilation, self.n_groups = dilation, options.n_groups
        self.shape = options.kernel_size, options.n_groups
        if options.dynamic:
            self.chosen = InputLayer(options.hidden, options.kernel_size * options.n_groups)
        else:
            self.free = nn.Parameter(torch.randn(self.shape))
        self.dynamic = options.dynamic

    def weights(self, u):
        """Weights of the taps: (k, g), or (n, T, k, g) where they depend on the step."""
        taps = _by_step(self.chosen, u).unflatten(2, self.shape) if self.dynamic else self.free
        return taps.softmax(dim=-2)

    def forward(self, u):
        weights, half = self.weights(u), self.shape[0] // 2
        u = u.unflatten(2, (self.n_groups, -1))  # (n, T, g, c / g)
        out = 0
        for j in range(self.shape[0]):
            shift = (j - half) * self.dilation
            if abs(shift) < u.shape[1]:
                out = out + weights[..., j, :, None] * _shifted(u, shift)
        return out.flatten(2)


def _normed(h):
    """Each step centred and scaled over its columns; of one column that would leave nothing."""
    # Without learned scale and shift, as in MLP.
    return layer_norm(h, h.shape[2:]) if h.shape[2] > 1 else h


def _by_step(layer, h):
    """A layer of rows (m, c) applied to every step of (n, T, c)."""
    return layer(h.flatten(0, 1)).unflatten(0, h.shape[:2])


def _shifted(h, shift):
    """The steps ``shift`` later along the second axis, 0 where there are none."""
    if shift == 0:
        return h
    nothing = torch.zeros_like(h[:, : abs(shift)])
    parts = [h[:, shift:], nothing] if shift > 0 else [nothing, h[:, :shift]]
    return torch.cat(parts, dim=1)
