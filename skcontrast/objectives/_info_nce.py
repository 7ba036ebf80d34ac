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
    softplus,
)
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._queue import QUEUE_CONSTRAINTS, BuiltWithQueue, Held


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


def own_or_apart(groups, rows, columns, n, exclude="groups"):
    """Bool (rows, columns): True for views of one sample, and for samples of two groups (n,).

    With ``exclude="other_groups"``, for samples of one group.
    """
    device = groups.device
    i, j = (torch.arange(tile.start, tile.stop, device=device) % n for tile in (rows, columns))
    return (i[:, None] == j) | ((groups[i][:, None] == groups[j]) == (exclude != "groups"))


class Excluding(PairObjective):
    """An objective with the parameter ``exclude``: which samples are no negatives of another."""

    exclude: str | None

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the groups, where those of one are no negatives."""
        return ("views", "groups") if self.exclude else ("views",)


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
        negatives of the whole batch (supervised SimCSE). Of blocks, a row may lack its own.

    hard_negative_weight : float, default=0.0
        Added to the logit of an anchor's own hard negative.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    exclude : {"groups", "other_groups"}, default=None
        "groups": rows of one group, as ``fit(X, groups=...)`` says, are no negatives of each
        other. With ``views="same_group"`` they are positives. An anchor that has no negative
        left has loss 0 with two views. "other_groups": rows of its own group alone are, as of one
        language among several.

    queue_size : int, default=None
        Rows of earlier batches whose keys are negatives too, of other rows than the anchor; at
        most half of all. Keys are the projections of all views by a momentum network, where the
        estimator has ``momentum=``, else those of the views themselves, without a gradient. With
        "one_way" and "two_way" the keys take the place of the other view: an anchor's candidates
        are its own key and those of the queue (MoCo, and its dual-view loss), or, with 0, those of
        the batch. With "ntxent" the queue joins the other rows of the batch. None reads no keys.

    keep_top : float, default=1.0
        Share of the queue, in (0, 1], that counts for an anchor: the keys most alike to it.

    drop_top : float, default=0.0
        Share of the queue that is left out: the very nearest keys, which may be false negatives.

    compose : {"sum"}, default=None
        "sum": all further views but hard negatives are one, their sum, so that the first is pulled
        to what the others are together: parts of it (``views="parts"``), or spans of a document.

    focal : float, default=0.0
        Focal weight g: losses are multiplied by :math:`(1 - e^{-l_i})^g`, where :math:`e^{-l_i}`
        is the probability of the positive, so that easy pairs count less.

    Notes
    -----
    Places of the queue that are not filled yet do not count. Another call of ``fit`` or
    ``partial_fit`` starts with an empty one, as its rows are others.

    Called on tensors, ``keys`` (V, n, d) and ``queue`` (K, d), or (V, K, d) with one for each view,
    stand in for what a training keeps, with ``queue_index`` (K,), the numbers of its rows, -1 for
    an empty place, and ``queue_groups`` (K,).

    References
    ----------
    van den Oord et al., "Representation learning with contrastive predictive coding",
    2018. Chen et al., "A simple framework for contrastive learning of visual
    representations", ICML 2020. Gao et al., "SimCSE: simple contrastive learning of
    sentence embeddings", EMNLP 2021. He et al., "Momentum contrast for unsupervised visual
    representation learning", CVPR 2020 (MoCo). Dong et al., "Momentum contrastive learning with
    enhanced negative sampling and hard negative filtering", 2025: ``form="two_way"`` with
    ``keep_top``. Chanchani and Huang, "Composition-contrastive learning for sentence embeddings",
    ACL 2023. Lin et al., "Focal loss for dense object detection", ICCV 2017.

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
        "exclude": [StrOptions({"groups", "other_groups"}), None],
        **QUEUE_CONSTRAINTS,
        "keep_top": [Interval(Real, 0, 1, closed="right")],
        "drop_top": [Interval(Real, 0, 1, closed="left")],
        "compose": [StrOptions({"sum"}), None],
        "focal": [Interval(Real, 0, None, closed="left")],
    }
    _module, never_draws = BuiltWithQueue, True

    def __init__(
        self,
        temperature: Temperature = 0.2,
        form: Literal["ntxent", "two_way", "one_way"] = "ntxent",
        hard_negatives: bool = False,
        hard_negative_weight: float = 0.0,
        block_size: BlockSize = "auto",
        exclude: Literal["groups", "other_groups"] | None = None,
        queue_size: int | None = None,
        keep_top: float = 1.0,
        drop_top: float = 0.0,
        compose: Literal["sum"] | None = None,
        focal: float = 0.0,
    ):
        self.temperature = temperature
        self.form = form
        self.hard_negatives = hard_negatives
        self.hard_negative_weight = hard_negative_weight
        self.block_size = block_size
        self.exclude = exclude
        self.compose = compose
        self.focal = focal
        self.queue_size = queue_size
        self.keep_top = keep_top
        self.drop_top = drop_top

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: keys too, where a queue holds them."""
        return super().requires + (() if self.queue_size is None else ("keys",))

    @property
    def queued(self) -> slice:
        """Views whose keys the queue holds."""
        return slice(1, 2) if self.form == "one_way" else slice(None)

    @property
    def min_views(self) -> int:
        """Fewest views: the anchor, its positive, and the hard negative if any."""
        return 3 if self.hard_negatives else 2

    @property
    def accepts_missing(self) -> bool:
        """Whether rows may lack blocks."""
        return self.hard_negatives and not self.compose

    def check_views(self, n_views: int, makes_negatives: bool = False) -> None:
        """Raise when an estimator's views do not suit: of one anchor each form reads two."""
        super().check_views(n_views, makes_negatives)
        if self.form == "one_way" and n_views > self.min_views and not self.compose:
            other = "compose='sum'" if self.hard_negatives else "form='ntxent'"
            raise ValueError(
                f"InfoNCE(form='one_way', hard_negatives={self.hard_negatives}) reads "
                f"{self.min_views} views or blocks of a row, and there are {n_views}: leave "
                f"{n_views - self.min_views} out, or type {other}."
            )
        if self.form == "two_way" and self.queue_size is not None and n_views > 2:
            raise ValueError(
                f"InfoNCE(form='two_way', queue_size={self.queue_size}) compares two views with "
                f"each other's keys, and there are {n_views}: type n_views=2, or form='ntxent'."
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
        if built.temperature.decoupled and (self.exclude or self.focal):
            why = f"exclude={self.exclude!r} leaves some out"
            why = why if self.exclude else f"focal={self.focal} weighs a probability"
            raise ValueError(
                f"temperature={self.temperature!r} counts all other rows as negatives, and {why}: "
                "use a number or 'learned'."
            )
        self._check_queue(built.temperature)
        return built

    def _check_queue(self, rule):
        """Raise where a queue, or a choice among its keys, does not go with the rest."""
        shares = f"keep_top={self.keep_top}, drop_top={self.drop_top}"
        if not self.queue_size and (self.keep_top < 1 or self.drop_top):
            raise ValueError(f"{shares} choose among the keys of a queue: type queue_size=4096.")
        if self.drop_top >= self.keep_top:
            raise ValueError(f"{shares} leave no key: type a smaller drop_top.")
        if self.queue_size is None:
            return
        if self.compose:
            raise ValueError("compose='sum' goes without a queue: leave out one of them.")
        if self.hard_negatives:
            raise ValueError(
                "hard_negatives=True takes negatives from the batch, and queue_size="
                f"{self.queue_size} from the batches before: leave one of them out."
            )
        if rule.decoupled:
            raise ValueError(
                f"temperature={self.temperature!r} counts the rows of the batch as negatives, and "
                f"queue_size={self.queue_size} adds others: use a number or 'learned'."
            )

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        groups: Tensor | None = None,
        index: Tensor | None = None,
        present: Tensor | None = None,
        keys: Tensor | None = None,
        queue: Tensor | None = None,
        queue_index: Tensor | None = None,
        queue_groups: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        if self.compose:
            last = len(views) - self.hard_negatives
            views = torch.cat([views[:1], views[1:last].sum(0, keepdim=True), views[last:]])
        z, groups = normalize(views), groups if self.exclude else None
        held = Held(self, z, index, groups, queue, queue_index, queue_groups)
        if self.queue_size is not None and self.form != "ntxent":
            keys = normalize((views if keys is None else keys.to(z.dtype)).detach())
            loss = self._among_keys(z, keys, temperature, groups, held)
        else:
            loss = self._of_views(z, temperature, groups, index, present, held)
        if self.focal:
            # Bounded, as a power below 1 has no slope at 0.
            p_other = (-torch.expm1(-loss)).clamp_min(torch.finfo(loss.dtype).eps)
            loss = p_other**self.focal * loss
        some = self.form == "one_way" and present is not None
        return mean_over(loss, present[:2].all(0)) if some else loss

    def _of_views(self, z, temperature, groups, index, present, held):
        """Loss of each anchor of unit rows z (V, n, d)."""
        if self.form == "one_way":
            return self._one_way(z, temperature, groups, index, present)
        n_views, n, _ = z.shape
        positive = positive_similarity(z)  # (V n,)
        anchors = anchor_index(index, z) if temperature.stateful else None
        tau = temperature(positive.detach(), anchors)
        flat = z.flatten(0, 1)
        if self.form == "two_way" and n_views == 2:
            return self._two_way(z, positive, tau, groups)
        if self.form == "ntxent" and groups is None and not temperature.decoupled:
            return held.joined(self_partition(flat, tau, self.block_size), z, tau) - positive / tau
        among = self._among(groups, n)
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
        return held.joined(sums.log_partition, z, tau) - positive / tau

    def _among(self, groups, n):
        """Which pairs of a batch may meet, as own or by their groups."""
        if groups is None:
            return lambda rows, columns: True
        return lambda rows, columns: own_or_apart(groups, rows, columns, n, self.exclude)

    def _among_keys(self, z, keys, temperature, groups, held):
        """Each anchor finds its key among those of a queue or, without one, of the batch."""
        losses, among = [], self._among(groups, z.shape[1])
        for a, b in [(0, 1)] if self.form == "one_way" else [(0, 1), (1, 0)]:
            positive = (z[a] * keys[b]).sum(-1)
            tau = temperature(positive.detach(), None)
            if held.queue is None:
                weights = lambda r, c: (None, distinct(r, c, z.device) & among(r, c))
                sums = pair_sums(z[a], keys[b], weights, tau, block_size=self.block_size)
                others = sums.log_partition
            else:
                others = held.partition(z[a], b, tau)
            losses.append(softplus(others - positive / tau))
        return torch.cat(losses)

    def _two_way(self, z, positive, tau, groups):
        """Each view among the rows of the other alone: half of the similarities of all."""
        n = z.shape[1]
        weights = None
        if groups is not None:
            among = self._among(groups, n)
            weights = lambda r, c: (None, among(r, c))
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
                keep = own_or_apart(groups, rows, columns, n, self.exclude) | hard
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
