"""SparseReconstruction: rows rebuilt from the few largest of many columns, which stay in use."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast._draws import spare_draws
from skcontrast.objectives._base import Objective
from skcontrast.objectives._info_nce import InfoNCE
from skcontrast.objectives._prediction import BuiltPrediction

# Shares of the error at four times as many columns, and of the error of columns out of use.
WIDER, REVIVAL = 1 / 8, 1 / 32


def largest(z: Tensor, k: int) -> Tensor:
    """The k largest entries of each row where they are positive, and 0 elsewhere."""
    k = min(k, z.shape[-1])
    values, columns = z.topk(k, dim=-1)
    return torch.zeros_like(z).scatter(-1, columns, values.relu())


class _BuiltSparse(BuiltPrediction):
    """The objective with its decoder, and since how many batches each column was not used."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.contrast = InfoNCE(objective.temperature).build(n_samples)
        self.register_buffer("idle", None)

    def prepare(self, side, given, n_components=None):
        self.idle = torch.zeros(n_components, dtype=torch.long)
        # No draw is spent on it: all else is as in a training without the term.
        with spare_draws():
            self.head = nn.Linear(n_components, given["rows"].n_features)

    def forward(self, views, embedding=None, **named):
        z = views if embedding is None else embedding
        dead = None
        if self.idle is not None:
            if self.training:
                used = largest(z.detach(), self.objective.n_nonzero).flatten(0, 1).any(dim=0)
                self.idle = torch.where(used, 0, self.idle + 1)
            dead = self.idle > self.objective.dead_after
        return super().forward(views, embedding=z, contrast=self.contrast, dead=dead, **named)


class SparseReconstruction(Objective):
    r"""Rows rebuilt from their k largest columns: a sparse autoencoder (CSR).

    With the embedding h, its code :math:`z^k`, where the k largest columns are kept as far as they
    are positive, and a linear decoder D that is trained along,

    .. math::

        l_i = E_i(k) + \tfrac{1}{8} E_i(4k) + \tfrac{1}{32} A_i + \gamma N_i, \qquad
        E_i(k) = \frac{1}{p} \lVert D(z_i^k) - x_i \rVert^2

    :math:`A` is the error with which columns that are out of use rebuild what is missing, relative
    to its variance, which brings them back, and :math:`N` is :class:`InfoNCE` on the codes.

    Parameters
    ----------
    n_nonzero : int, default=32
        The number k of columns that a code keeps.

    contrast : float, default=0.1
        Weight gamma of the contrast between the codes of two views.

    temperature : float, default=0.2
        Temperature of the contrast.

    dead_after : int, default=30
        A column is out of use that no row has kept for more than so many batches.

    n_auxiliary : int, default=None
        How many of the columns out of use rebuild what is missing of a row. None is 512, or all.

    Notes
    -----
    ``rows`` are those of the batch. Called on tensors there is no decoder: the first columns are
    the row. :class:`skcontrast.SparseCoder` trains with this objective, and gives the codes.

    References
    ----------
    Wen et al., "Beyond Matryoshka: revisiting sparse coding for adaptive representation", ICML
    2025.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SparseReconstruction
    >>> rows = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    >>> SparseReconstruction(n_nonzero=1, contrast=0.0)(rows[None], rows=rows)
    tensor([0.5000, 0.0000])
    """

    requires = ("views", "embedding", "rows")
    _module = _BuiltSparse

    _parameter_constraints = {
        "n_nonzero": [Interval(Integral, 1, None, closed="left")],
        "contrast": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "dead_after": [Interval(Integral, 1, None, closed="left")],
        "n_auxiliary": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_nonzero: int = 32,
        contrast: float = 0.1,
        temperature: float = 0.2,
        dead_after: int = 30,
        n_auxiliary: int | None = None,
    ):
        self.n_nonzero = n_nonzero
        self.contrast = contrast
        self.temperature = temperature
        self.dead_after = dead_after
        self.n_auxiliary = n_auxiliary

    @property
    def min_views(self) -> int:
        """Fewest views: two, where they are contrasted."""
        return 2 if self.contrast else 1

    def loss(
        self,
        views: Tensor,
        rows: Tensor,
        embedding: Tensor | None = None,
        head: Any = None,
        contrast: nn.Module | None = None,
        dead: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), rows (n, p) -> (V n,)."""
        h = views if embedding is None else embedding
        decode = (lambda z: z[..., : rows.shape[1]]) if head is None else head
        codes = largest(h, self.n_nonzero)
        rebuilt = decode(codes)
        wider = decode(largest(h, 4 * self.n_nonzero))
        error = (rebuilt - rows).square().mean(-1) + WIDER * (wider - rows).square().mean(-1)
        if dead is not None and h.requires_grad:
            error = error + REVIVAL * self._revival(h, rows, rebuilt, decode, dead)
        error = error.flatten()
        if self.contrast and len(h) > 1:
            apart: Any = InfoNCE(self.temperature) if contrast is None else contrast
            error = error + self.contrast * apart(views=codes, index=index)
        return error

    def _revival(self, h, rows, rebuilt, decode, dead):
        """Relative error of what columns out of use make of the rest: (V, n), 0 without any."""
        number = 512 if self.n_auxiliary is None else self.n_auxiliary
        part = decode(largest(h * dead, number))
        # The offset of the decoder is in the part already.
        rest = (rows - rebuilt + decode(torch.zeros_like(h))).detach()
        spread = (rest - rest.mean(1, keepdim=True)).square().mean((1, 2))[:, None]
        error = (part - rest).square().mean(-1) / spread.clamp_min(torch.finfo(h.dtype).tiny)
        return torch.where(dead.any() & (spread > 0), error, 0.0)
