"""InfoNCE in its three forms."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast.functional import (
    BlockSize,
    distinct,
    mean_over,
    normalize,
    pair_sums,
    self_partition,
)
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index


def positive_similarity(z):
    """Mean similarity of each row to its other views: (V, n, d) -> (V n,)."""
    n_views = len(z)
    if n_views == 2:
        paired = (z[0] * z[1]).sum(-1)
        return torch.cat([paired, paired])
    others = z.sum(0, keepdim=True) - z
    return (z * others).sum(-1).flatten() / (n_views - 1)


def same_sample(rows, columns, n, device):
    """Bool (rows, columns): True where both are views of one sample."""
    i, j = (torch.arange(tile.start, tile.stop, device=device) % n for tile in (rows, columns))
    return i[:, None] == j


def other_samples(n, device):
    """Weights of pairs that count where the rows are views of two samples."""
    return lambda rows, columns: (None, ~same_sample(rows, columns, n, device))


def own_or_apart(groups, rows, columns, n):
    """Bool (rows, columns): True for views of one sample, and for samples of two groups (n,)."""
    device = groups.device
    i, j = (torch.arange(tile.start, tile.stop, device=device) % n for tile in (rows, columns))
    return (i[:, None] == j) | (groups[i][:, None] != groups[j])


class Excluding(PairObjective):
    """An objective with the parameter ``exclude``: which samples are no negatives of another."""

    exclude: str | None

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the groups, where those of one are no negatives."""
        return ("views", "groups") if self.exclude == "groups" else ("views",)


class InfoNCE(Excluding):
    r"""Noise-contrastive estimation: find the other view among all rows (NT-Xent).

    With unit rows z and cosines s,

    .. math:: l_i = -s_{i,p(i)}/\tau + \log \sum_{k \ne i} e^{s_{ik}/\tau}

    where p(i) is the other view of anchor i. With more than two views the positive term
    is the mean over the other views.

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number, "learned", "model_aware" (MACL) or
        "individual" (iSogCLR), or a component of :mod:`skcontrast.temperatures`.

    form : {"ntxent", "two_way", "one_way"}, default="ntxent"
        "ntxent": every row of every view is an anchor and all other rows are its
        candidates (2n - 1 with two views). "two_way": candidates are the n rows of the
        other view, both directions averaged (CLIP). "one_way": only the first view's
        rows are anchors (SimCSE).

    hard_negatives : bool, default=False
        Whether the last view holds a hard negative of each row instead of a positive.
        Only with ``form="one_way"``: candidates are then the positives and hard
        negatives of the whole batch (supervised SimCSE). Of blocks, a row may lack its hard
        negative.

    hard_negative_weight : float, default=0.0
        Added to the logit of an anchor's own hard negative.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    exclude : {"groups"}, default=None
        "groups": rows of one group, as ``fit(X, groups=...)`` says, are no negatives of each
        other. With ``views="same_group"`` they are positives. An anchor that has no negative
        left has loss 0 with two views.

    References
    ----------
    van den Oord et al., "Representation learning with contrastive predictive coding",
    2018. Chen et al., "A simple framework for contrastive learning of visual
    representations", ICML 2020. Gao et al., "SimCSE: simple contrastive learning of
    sentence embeddings", EMNLP 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> InfoNCE(temperature=0.5)(views).mean().round(decimals=4)
    tensor(0.5944)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "form": [StrOptions({"ntxent", "two_way", "one_way"})],
        "hard_negatives": ["boolean"],
        "hard_negative_weight": [Interval(Real, None, None, closed="neither")],
        "exclude": [StrOptions({"groups"}), None],
    }

    def __init__(
        self,
        temperature: Temperature = 0.2,
        form: Literal["ntxent", "two_way", "one_way"] = "ntxent",
        hard_negatives: bool = False,
        hard_negative_weight: float = 0.0,
        block_size: BlockSize = "auto",
        exclude: Literal["groups"] | None = None,
    ):
        self.temperature = temperature
        self.form = form
        self.hard_negatives = hard_negatives
        self.hard_negative_weight = hard_negative_weight
        self.block_size = block_size
        self.exclude = exclude

    @property
    def min_views(self) -> int:
        """Fewest views: the anchor, its positive, and the hard negative if any."""
        return 3 if self.hard_negatives else 2

    @property
    def accepts_missing(self) -> bool:
        """Whether rows may lack blocks."""
        return self.hard_negatives

    def check_views(self, n_views: int, makes_negatives: bool = False) -> None:
        """Raise when an estimator's views do not suit: of one anchor each form reads two."""
        super().check_views(n_views, makes_negatives)
        if self.form == "one_way" and n_views > self.min_views:
            raise ValueError(
                f"InfoNCE(form='one_way', hard_negatives={self.hard_negatives}) reads "
                f"{self.min_views} views or blocks of a row, and there are {n_views}: leave "
                f"{n_views - self.min_views} out, or type form='ntxent'."
            )

    def _accepts(self, rule):
        return True

    def build(self, n_samples: int) -> nn.Module:
        if self.hard_negatives and self.form != "one_way":
            raise ValueError(
                f"hard_negatives=True needs form='one_way', got form={self.form!r}: "
                "type InfoNCE(form='one_way', hard_negatives=True)."
            )
        built = super().build(n_samples)
        if built.temperature.decoupled and self.form != "ntxent":
            raise ValueError(
                f"temperature={self.temperature!r} is defined for form='ntxent', got "
                f"form={self.form!r}: use form='ntxent', a number or 'learned'."
            )
        if built.temperature.decoupled and self.exclude:
            raise ValueError(
                f"temperature={self.temperature!r} counts all other rows as negatives, and "
                f"exclude={self.exclude!r} leaves some out: use a number or 'learned'."
            )
        return built

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        groups: Tensor | None = None,
        index: Tensor | None = None,
        present: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        z = normalize(views)
        groups = groups if self.exclude else None
        if self.form == "one_way":
            loss = self._one_way(z, temperature, groups, index, present)
            return loss if present is None else mean_over(loss, present[:2].all(0))
        n_views, n, _ = z.shape
        positive = positive_similarity(z)  # (V n,)
        anchors = anchor_index(index, z) if temperature.stateful else None
        tau = temperature(positive.detach(), anchors)
        flat = z.flatten(0, 1)
        if self.form == "two_way" and n_views == 2:
            return self._two_way(z, positive, tau, groups)
        if self.form == "ntxent" and groups is None and not temperature.decoupled:
            return self_partition(flat, tau, self.block_size) - positive / tau
        among = lambda r, c: True if groups is None else own_or_apart(groups, r, c, n)
        if temperature.decoupled:
            weights = other_samples(n, z.device)
        elif self.form == "two_way":
            weights = lambda r, c: (None, other_view(r, c, n, z.device) & among(r, c))
        else:
            weights = lambda r, c: (None, distinct(r, c, z.device) & among(r, c))
        sums = pair_sums(
            flat, flat, weights, tau, mean=temperature.decoupled, block_size=self.block_size
        )
        if temperature.decoupled:
            return temperature.combine(positive, sums, tau, anchors, n_views, n_views * (n - 1))
        return sums.log_partition - positive / tau

    def _two_way(self, z, positive, tau, groups):
        """Each view among the rows of the other alone: half of the similarities of all."""
        n = z.shape[1]
        weights = None
        if groups is not None:
            weights = lambda r, c: (None, own_or_apart(groups, r, c, n))
        sums = []
        for a, b in ((0, 1), (1, 0)):
            own = tau[a * n : (a + 1) * n] if torch.is_tensor(tau) and tau.ndim else tau
            sums.append(pair_sums(z[a], z[b], weights, own, block_size=self.block_size))
        return torch.cat([s.log_partition for s in sums]) - positive / tau

    def _one_way(self, z, temperature, groups, index, present):
        n = z.shape[1]
        anchors, positives = z[0], z[1]
        candidates = torch.cat([positives, z[-1]]) if self.hard_negatives else positives
        positive = (anchors * positives).sum(-1)
        tau = temperature(positive.detach(), anchor_index(index, z[:1]))

        def weights(rows, columns):
            # Of samples of the anchor's group the hard negatives stay, and not the positives.
            keep = None
            if groups is not None:
                hard = torch.arange(columns.start, columns.stop, device=z.device) >= n
                keep = own_or_apart(groups, rows, columns, n) | hard
            if present is not None:
                there = present[1:].flatten()[columns].expand(len(z[0][rows]), -1)
                keep = there if keep is None else keep & there
            if not (self.hard_negatives and self.hard_negative_weight):
                return None, keep
            i = torch.arange(rows.start, rows.stop, device=z.device)
            j = torch.arange(columns.start, columns.stop, device=z.device)
            own = i[:, None] + n == j
            weight = (own.to(z.dtype) * self.hard_negative_weight).exp()
            return None, weight if keep is None else weight * keep

        sums = pair_sums(anchors, candidates, weights, tau, block_size=self.block_size)
        return sums.log_partition - positive / tau


def other_view(rows, columns, n, device):
    """Bool (rows, columns): True where the two rows come from different views."""
    i, j = (torch.arange(tile.start, tile.stop, device=device) // n for tile in (rows, columns))
    return i[:, None] != j
