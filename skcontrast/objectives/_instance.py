"""Instance discrimination: each row is a class of its own, told from rows in a memory."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast._draws import spare_draws
from skcontrast.functional import normalize, over_anchors, softplus
from skcontrast.objectives._base import BuiltObjective, Objective, anchor_index

# Up to so many rows, similarities to all of them cost less than collecting those to be compared.
DENSE_ROWS = 2**16


class _BuiltDiscrimination(BuiltObjective):
    """With a vector of each row, and the constant that makes probabilities of similarities."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.n_samples, self.is_set = n_samples, False
        self.register_buffer("memory", None)
        # Log of Z; NaN until the first batch sets it.
        self.register_buffer("log_normalizer", torch.tensor(math.nan))

    def prepare(self, side, given, n_components=None):
        # No draw is spent on it: all else is as in a training without the term.
        with spare_draws():
            self.memory = normalize(torch.randn(self.n_samples, given["width"]))

    def refresh(self, epoch, project):
        # Between epochs, as asking in a step would wait for the device.
        self.is_set = not bool(self.log_normalizer.isnan())

    def forward(self, views, index=None, **named):
        if self.memory is None:
            return super().forward(views, index=index, **named)
        memory = self.memory
        size = views.shape[0] * views.shape[1], min(self.objective.n_noise, self.n_samples)
        noise = torch.randint(self.n_samples, size, device=views.device)
        named = {"memory": memory, "noise_index": noise, "index": index, **named}
        z = normalize(views.detach().to(memory.dtype))
        if not self.is_set:
            first = self.objective.log_normalizer(z, memory, index, noise)
            before = self.log_normalizer
            self.log_normalizer, self.is_set = torch.where(before.isnan(), first, before), True
        loss = super().forward(views, log_normalizer=self.log_normalizer, **named)
        # Of rows held out too: they are compared with what they were, and train nothing. A new
        # tensor, as the backward pass still reads the old one.
        keep = self.objective.momentum
        mixed = normalize(keep * memory[index] + (1 - keep) * z.mean(0))
        self.memory = memory.index_copy(0, index, mixed)
        return loss


class InstanceDiscrimination(Objective):
    r"""Tell each row from others by vectors that a memory holds of all rows.

    With unit rows z, the vector :math:`m_j` of each of the N rows in the memory, and K rows k that
    are drawn at random for each anchor, noise-contrastive estimation asks which of the K + 1 is
    the anchor's own:

    .. math::

        P_{ij} = e^{m_j \cdot z_i / \tau} / Z, \qquad
        l_i = -\log \frac{P_{ii}}{P_{ii} + K/N} - \sum_k \log \frac{K/N}{P_{ik} + K/N}

    Z is set once, to N times the mean of :math:`e^{m_j \cdot z_i / \tau}` over the first batch.
    After each batch :math:`m_i` becomes :math:`\mu m_i + (1 - \mu) z_i`, scaled to length 1, with
    the mean of z over the views of a row. One view is enough: a row is contrasted with what it and
    the others were an epoch ago.

    Parameters
    ----------
    n_noise : int, default=4096
        Number K of rows drawn for each anchor, the anchor's own now and then among them; no more
        than there are rows.

    momentum : float, default=0.5
        Share :math:`\mu`, in [0, 1), of a vector in the memory that stays.

    temperature : float, default=0.07
        Temperature tau.

    See Also
    --------
    InfoNCE : With ``queue_size``, the keys of the last rows in place of a memory of all.

    Notes
    -----
    The memory (N, width of the projection) starts at random; after a fit it is in the estimator's
    ``objective_weights_``, and another call needs as many rows. Called on tensors, ``memory``
    (N, d) and ``noise_index`` (V n, K) stand in for it and for the draws; without them the memory
    is the rows as they lie, in the mean of the views, and the noise of a row all others.

    References
    ----------
    Wu et al., "Unsupervised feature learning via non-parametric instance-level discrimination",
    CVPR 2018.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InstanceDiscrimination
    >>> objective = InstanceDiscrimination(temperature=0.5)
    >>> noise = torch.tensor([[1, 2], [2, 0], [0, 1]])
    >>> objective(torch.eye(3)[None], memory=torch.eye(3), noise_index=noise).round(decimals=4)
    tensor([0.9101, 0.9101, 0.9101])
    """

    min_views = 1

    _module = _BuiltDiscrimination

    _parameter_constraints = {
        "n_noise": [Interval(Integral, 1, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, n_noise: int = 4096, momentum: float = 0.5, temperature: float = 0.07):
        self.n_noise = n_noise
        self.momentum = momentum
        self.temperature = temperature

    def log_normalizer(
        self, z: Tensor, memory: Tensor, index: Tensor, noise_index: Tensor
    ) -> Tensor:
        """Log of Z by the similarities of one batch: unit rows z (V, n, d) -> ()."""
        x = self._logits(z, memory, index, noise_index)
        return x.logsumexp((0, 1)) - math.log(x.numel() / len(memory))

    def _logits(self, z, memory, index, noise_index):
        """Similarities over tau of the anchors to their own vectors and to noise: (V n, K + 1)."""
        flat, picked = z.flatten(0, 1), torch.cat([index.repeat(len(z))[:, None], noise_index], 1)

        def block(rows):
            if len(memory) <= DENSE_ROWS:
                return ((flat[rows] @ memory.T).gather(1, picked[rows]),)
            return ((memory[picked[rows]] @ flat[rows, :, None])[..., 0],)

        cost = len(memory) if len(memory) <= DENSE_ROWS else picked.shape[1] * flat.shape[1]
        return over_anchors(block, len(flat), cost)[0] / self.temperature

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        memory: Tensor | None = None,
        noise_index: Tensor | None = None,
        index: Tensor | None = None,
        log_normalizer: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), memory (N, d), noise_index (V n, K) -> (V n,)."""
        z = normalize(views)
        if memory is None:
            memory, index = normalize(z.detach().mean(0)), None
        index = anchor_index(index, views[:1])
        if noise_index is None:
            every = torch.arange(len(memory) - 1, device=index.device)
            noise_index = (every + (every >= index[:, None])).repeat(len(z), 1)
        x = self._logits(z, memory.to(z.dtype), index, noise_index)
        if log_normalizer is None:
            log_normalizer = x.detach().logsumexp((0, 1)) - math.log(x.numel() / len(memory))
        # log of P / (K / N): the loss is that of a classifier with it as logit.
        gap = x - log_normalizer - math.log(noise_index.shape[1] / len(memory))
        return softplus(-gap[:, 0]) + softplus(gap[:, 1:]).sum(1)
