"""PairGated: two classes are alike in the columns that a learned gate leaves open for them."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import BlockSize, logsumexp, normalize, over_anchors, softplus
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._likeness import check_shape

# Squared lengths of gated rows from which on they have a direction.
LEAST = 1e-24


class _Gate(nn.Module):
    """Numbers between 0 and 1 for each column, of two classes in any order."""

    def __init__(self, n_classes, n_hidden, width):
        super().__init__()
        self.classes = nn.Embedding(n_classes, n_hidden)
        layers = nn.Linear(n_hidden, n_hidden), nn.ReLU(), nn.Linear(n_hidden, width)
        self.layers = nn.Sequential(*layers)

    def forward(self, first, second):
        both = (self.classes(first.clamp_min(0)) + self.classes(second.clamp_min(0))) / 2
        return torch.sigmoid(self.layers(both))


class _BuiltPairGated(BuiltObjective):
    """With the gate, which is made for the classes of a fit."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.gate = None

    def prepare(self, side, given, n_components=None):
        classes = given.get("classes")
        n_classes = int(side["target"].max()) + 1 if classes is None else len(classes)
        self.gate = _Gate(max(n_classes, 1), self.objective.n_hidden, given["width"])

    def forward(self, views, target, other=None, **named):
        if other is None:
            other = target[torch.randperm(len(target), device=target.device)]
        if self.gate is not None:
            named = {"gate": self.gate(target, other), **named}
        return super().forward(views, target=target, other=other, **named)


class PairGated(PairObjective):
    r"""Rows of any two classes as positives, in columns that are chosen for the two.

    With the class :math:`y_i` of row i, another one :math:`y'_i` drawn from the batch, the gate
    :math:`g_i \in (0, 1)^d` of the two, which a small network makes of them,
    :math:`s_{ik}` the cosine of :math:`g_i z_i` and :math:`g_i z_k`, P the pairs (i, p) with p of
    the class :math:`y'_i`, and N(i) the rows of neither class,

    .. math:: L = \frac{1}{|P|} \sum_{(i,p) \in P}
        \log \Big( 1 + \sum_{k \in N(i)} e^{(s_{ik} - s_{ip}) / \tau} \Big)

    Every row of every view is an anchor, and a positive of itself where the two classes are one.
    Classes need not be apart in all columns, so that what they share is kept.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    n_hidden : int, default=64
        Width of the vectors of classes, and of the hidden layer, that the gate is made of.

    block_size : int, "auto" or None, default="auto"
        Anchors at a time; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    SupCon : Rows of one class as positives, in all columns.

    Notes
    -----
    ``target`` (n,) holds class codes, -1 for rows without a label, which do not count. Of two
    classes alone, those of a pair of both have no row of neither, and loss 0. After a fit the gate
    is in ``objective_weights_``; the embedding does not go through it.

    Called on tensors, ``other`` (n,) may be given for the classes that are drawn, and ``gate``
    (n, d), by default ones: all columns.

    References
    ----------
    Wu et al., "Rethinking positive pairs in contrastive learning", 2024 (SimLAP).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PairGated
    >>> target, other = torch.tensor([0, 1, 2, 2]), torch.tensor([1, 0, 0, 1])
    >>> views = torch.eye(4)[None]
    >>> PairGated(temperature=0.5)(views, target=target, other=other).mean().round(decimals=4)
    tensor(0.8959)
    """

    requires = ("views", "target")
    min_views = 1

    _module = _BuiltPairGated

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_hidden": [Interval(Integral, 1, None, closed="left")],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        n_hidden: int = 64,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.n_hidden = n_hidden
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        target: Tensor,
        other: Tensor,
        gate: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target and other (n,), gate (n, d) -> (V n,)."""
        check_shape(self, target, views.shape[1])
        z, n_views = normalize(views).flatten(0, 1), len(views)  # (V n, d)
        tau = temperature(None, anchor_index(index, views))
        y, second = target.repeat(n_views), other.repeat(n_views)
        g = torch.ones_like(z) if gate is None else gate.to(z.dtype).square().repeat(n_views, 1)
        own = (g * z.square()).sum(1).clamp_min(LEAST)
        known = (y != -1) & (second != -1)

        def block(rows):
            # No gated copy of all rows for each anchor, (r, V n, d), is made.
            length = (g[rows] @ z.square().T) * own[rows, None]
            there = length > LEAST**2
            s = (g[rows] * z[rows]) @ z.T / torch.where(there, length, 1).sqrt() / tau
            s = torch.where(there, s, 0)
            positive = (second[rows, None] == y) & known[rows, None]
            negative = (y != -1) & (y != second[rows, None]) & (y != y[rows, None])
            log_sum = logsumexp(s, negative)
            some = ~log_sum.isneginf()[:, None]
            gap = torch.where(some, log_sum[:, None] - s, 0)
            loss = torch.where(positive & some, softplus(gap), 0)
            return loss.sum(1), positive.sum(1)

        total, count = over_anchors(block, len(z), len(z), self.block_size)
        return total * len(z) / count.sum().clamp_min(1)
