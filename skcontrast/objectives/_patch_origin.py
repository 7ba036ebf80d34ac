"""PatchOrigin: pieces of several series in one, told apart by where they are from."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.series import SeriesBatch
from skcontrast.functional import BlockSize, distinct, mean_over, normalize, pair_loss
from skcontrast.objectives._base import Objective, PairObjective, Temperature
from skcontrast.objectives._prediction import BuiltPrediction, zero_head
from skcontrast.objectives._steps import seen_steps
from skcontrast.views import SeriesView


class _Montage(SeriesBatch):
    """Series put together from pieces of a batch; ``piece`` (n, m) says which stands where.

    Piece k of series i has the number k n + i.
    """

    def __init__(self, values, mask, piece):
        super().__init__(values, mask)
        self.piece = piece


class _Montages(SeriesView):
    """All pieces of the series of a batch in one random order, joined to as many series."""

    _parameter_constraints = {"n_pieces": [Interval(Integral, 2, None, closed="left")]}

    def __init__(self, n_pieces=4):
        self.n_pieces = n_pieces

    def build(self, rows):
        m = self.n_pieces

        def join(x, index):
            n, _, length = x.shape
            width = length // m
            piece = torch.randperm(m * n, device=x.device).view(n, m)

            def laid(a):
                pieces = a[..., : m * width].unflatten(2, (m, width))  # (n, c, m, w)
                pieces = pieces.permute(2, 0, 1, 3).flatten(0, 1)  # (m n, c, w)
                out = torch.zeros_like(a)
                out[..., : m * width] = pieces[piece].transpose(1, 2).flatten(2)
                return out

            return _Montage(laid(x.values), laid(x.mask), piece)

        return join


class _BuiltPatchOrigin(BuiltPrediction):
    """The objective with its linear head, which has a logit for each place."""

    def prepare(self, side, given, n_components=None):
        self.head = zero_head(n_components, self.objective.n_pieces)


class PatchOrigin(PairObjective):
    r"""Find out which pieces of mixed series are of one series, and from which place of it.

    Each series is cut into m pieces of equal length. All pieces of a batch are put in one random
    order and joined to as many series, which the network embeds step by step. With the mean
    :math:`h_{ik}` of the embedding over the steps of piece k of series i, its unit length
    :math:`z_{ik}`, and a linear head W, b that is trained along,

    .. math::

        l_{ik} = -\frac{1}{m - 1} \sum_{l \ne k} \Big( \langle z_{ik}, z_{il} \rangle / \tau
            - \log \sum_{(j, q) \ne (i, k)} e^{\langle z_{ik}, z_{jq} \rangle / \tau} \Big)
            - \log \mathrm{softmax}(W h_{ik} + b)_k

    and :math:`l_i` is the mean over the pieces of series i. The first term is SupCon with the
    series as class, the second tells the place. A pass over the batch is all that it costs: half
    of what two views do.

    Parameters
    ----------
    n_pieces : int, default=4
        Number m of pieces of a series.

    temperature : float or component, default=0.07
        Temperature tau: a positive number or "learned".

    place_weight : float, default=1.0
        Weight of the second term.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    Notes
    -----
    The network needs an output for each step, as those of series have, so that tables are
    refused. Steps left over at the end of a series are in no piece, and a piece of which no step
    was seen does not count. The authors cut patches that overlap and change each of them at
    random, and put a projector before the first term.

    The head starts at zero. After a fit it is in the estimator's ``objective_weights_`` as
    ``head.weight`` (m, d) and ``head.bias`` (m,). Called on tensors there is none, and series are
    whole: pieces are where they belong, and their first m columns are the logits, 0 where there
    are fewer.

    References
    ----------
    Chen et al., "Jigsaw clustering for unsupervised visual representation learning", CVPR 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PatchOrigin
    >>> steps = torch.eye(2)[:, None].expand(2, 2, 2)[None]  # two series that stand still
    >>> PatchOrigin(n_pieces=2, temperature=1.0)(steps.amax(2), steps=steps).round(decimals=4)
    tensor([1.3647, 1.3647])
    """

    requires = ("views", "rows", "steps")
    min_views = 0

    _module = _BuiltPatchOrigin

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_pieces": [Interval(Integral, 2, None, closed="left")],
        "place_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_pieces: int = 4,
        temperature: Temperature = 0.07,
        place_weight: float = 1.0,
        block_size: BlockSize = "auto",
    ):
        self.n_pieces = n_pieces
        self.temperature = temperature
        self.place_weight = place_weight
        self.block_size = block_size

    def own_views(self, kind: str) -> dict[Objective, Any]:
        return {self: _Montages(self.n_pieces)} if kind == "series" else {}

    def loss(
        self,
        views: Tensor,
        steps: Tensor,
        temperature: nn.Module,
        step_mask: Tensor | None = None,
        inputs: list | None = None,
        head: nn.Module | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each series: steps (V, n, T, d), step_mask (V, n, T) -> (V n,)."""
        n_views, n, length, d = steps.shape
        m, width = self.n_pieces, length // self.n_pieces
        seen = seen_steps(self, steps, step_mask, least=m)[..., : m * width]
        seen = seen.unflatten(2, (m, width))
        h = steps[:, :, : m * width].unflatten(2, (m, width)) * seen[..., None]
        counts = seen.sum(3)  # (V, n, m)
        h = h.sum(3) / counts.clamp_min(1)[..., None]  # (V, n, m, d)
        if inputs is None:
            order = torch.arange(m * n, device=h.device).view(m, n).T
        else:
            order = inputs[0].piece
        # Piece by piece as they were cut: (V, m n, ...).
        order = order.flatten().argsort()
        h, there = h.flatten(1, 2)[:, order], (counts > 0).flatten(1, 2)[:, order]
        h, there = h.flatten(0, 1), there.flatten()
        place = torch.arange(m, device=h.device).repeat_interleave(n).repeat(n_views)
        loss = self._same_origin(h, there, n, temperature(None, None))
        logits = h @ torch.eye(d, m, dtype=h.dtype, device=h.device) if head is None else head(h)
        placed = cross_entropy(logits, place, reduction="none")
        loss = loss + self.place_weight * mean_over(torch.where(there, placed, 0), there)
        return loss.unflatten(0, (n_views, m, n)).mean(1).flatten()

    def _same_origin(self, h, there, n, tau):
        """SupCon of pieces (V m n, d), whose number modulo n is that of their series."""
        z = normalize(h)
        origin = torch.arange(len(z), device=z.device) % n

        def weights(rows, columns):
            others = distinct(rows, columns, z.device) & there[columns]
            same = (origin[rows, None] == origin[columns]) & there[rows, None]
            return same & others, others

        return mean_over(*pair_loss(z, z, weights, tau, block_size=self.block_size))
