"""Negatives mined from all rows, by where they lie at present."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast.functional import (
    CEILINGS,
    OFF_DIAGONAL,
    BlockSize,
    distinct,
    logsumexp,
    mine_negatives,
    normalize,
    pair_sums,
    score_ceiling,
)
from skcontrast.objectives._base import BuiltByEpochs, PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import Excluding, own_or_apart, positive_similarity

# Share of the score at mining under which negatives have become easy.
DROP = 0.8


class _BuiltMinedNegatives(BuiltByEpochs):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.bank = self.mined = self.groups = None
        if objective.refresh == "score_drop":
            # What was mined, and the mean score then, go on where a training is resumed.
            k = min(objective.n_candidates, n_samples, objective.max_candidates)
            self.register_buffer("kept", torch.full((n_samples, k), -1))
            self.register_buffer("kept_score", torch.full((n_samples,), torch.inf))

    def prepare(self, side, given, n_components=None):
        self.groups = side["groups"] if self.objective.exclude else None

    @torch.no_grad()
    def renew(self, projection):
        """Find the candidates of every row among all rows (n_samples, d)."""
        options = self.objective
        rows = normalize(projection.float())
        number = torch.arange(len(rows), device=rows.device)
        if len(rows) > options.max_candidates:
            chosen = torch.randperm(len(rows), device=rows.device)[: options.max_candidates]
            number = chosen.sort().values

        of = None if self.groups is None else self.groups.to(rows.device)

        def keep(anchors, candidates):
            i = torch.arange(anchors.start, anchors.stop, device=rows.device)
            other = i[:, None] != number[candidates]
            return other if of is None else other & (of[i][:, None] != of[number[candidates]])

        k, skip = min(options.n_candidates, len(number)), min(options.skip, len(number))
        index, _ = mine_negatives(
            rows, rows[number], k, keep=keep, skip=skip, block_size=options.block_size
        )
        self.bank = projection
        self.mined = torch.where(index >= 0, number[index.clamp_min(0)], -1)  # (n_samples, k)
        if options.refresh == "score_drop":
            self._keep_hard(rows)

    def _keep_hard(self, rows):
        """Keep what was mined before, where it still scores high enough."""
        before, now = (mean_score(rows, mined) for mined in (self.kept, self.mined))
        stays = before >= DROP * self.kept_score
        self.mined = torch.where(stays[:, None], self.kept, self.mined)
        self.kept.copy_(self.mined)
        score = torch.where(stays, self.kept_score, now)
        # Where nothing was found, it is looked for again.
        self.kept_score.copy_(score.masked_fill(score.isneginf(), torch.inf))

    def forward(self, views, **named):
        if self.mined is not None:
            pool = self.mined[named["index"]]  # (n, k)
            k = min(self.objective.n_negatives, pool.shape[1])
            # Random places for those that are there, so that none is drawn twice.
            order = torch.rand(pool.shape, device=pool.device).masked_fill(pool < 0, -1)
            drawn = pool.gather(1, order.topk(k, 1).indices)  # (n, n_negatives)
            named = {"negatives": self.bank[drawn.clamp_min(0)], "there": drawn >= 0, **named}
        return super().forward(views, **named)


def mean_score(rows, mined):
    """Mean similarity of unit rows (n, d) to those numbered ``mined`` (n, k), -1 for none: (n,)."""
    total, count = rows.new_zeros(len(rows)), rows.new_zeros(len(rows))
    for column in mined.T:  # (n, k, d) is never made
        there = column >= 0
        total += torch.where(there, (rows * rows[column.clamp_min(0)]).sum(-1), 0)
        count += there
    return torch.where(count > 0, total / count.clamp_min(1), -torch.inf)


class MinedNegatives(Excluding):
    r"""InfoNCE with hard negatives from all training rows, mined anew before each epoch.

    With unit rows z of all views, cosines s, the other view p(i) of anchor i, and
    projections b of the training rows as they were before the epoch,

    .. math::

        l_i = -s_{i,p(i)}/\tau + \log \Big( \sum_{k \ne i} e^{s_{ik}/\tau}
              + \sum_{r \in M(i)} e^{s(z_i, b_r)/\tau} \Big)

    M(i) holds ``n_negatives`` rows drawn from those that b ranks ``skip`` + 1 to ``skip`` +
    ``n_candidates`` by nearness to the anchor's row, without the rows that score over the
    ceiling that ``rule`` and ``margin`` set: they may be as true as the positive. The b are
    held constant.

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned".

    n_negatives : int, default=5
        Mined negatives of a row in a step.

    n_candidates : int, default=50
        Nearest rows that they are drawn from.

    skip : int, default=0
        Number of the nearest rows that are not among them.

    rule : {"relative", "absolute", "fixed"}, default="relative"
        What the ceiling is measured from; see
        :func:`skcontrast.functional.score_ceiling`.

    margin : float, default=0.05
        How far below it negatives have to score. A large negative number leaves out none.

    warm_up : int, default=5
        Epochs of InfoNCE before the first mining.

    max_candidates : int, default=20_000
        With more rows than these, negatives are sought in a random sample of so many,
        which bounds time and memory.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    exclude : {"groups"}, default=None
        "groups": rows of one group, as ``fit(X, groups=...)`` says, are no negatives of each
        other, mined or in the batch.

    refresh : {"epoch", "score_drop"}, default="epoch"
        When the negatives of a row are mined anew: before each epoch, or where the mean of
        their scores has fallen under 0.8 of what it was when they were mined, as they have
        become easy.

    See Also
    --------
    PositiveAware : Filters the negatives of the batch.
    skcontrast.views.NeighborBands : Negatives from a band of the nearest rows of X.

    Notes
    -----
    **A training of no more than** ``warm_up`` **epochs is** :class:`InfoNCE` **alone.** The
    published method encodes its negatives again; here their projections are up to an epoch
    old, and a step costs no more passes of the network. Rows held out for early stopping may
    be negatives too; with ``early_stopping=True`` type ``warm_up=0``, as losses before and
    after the first mining cannot be compared.

    Called on tensors, ``negatives`` (n, k, d) may be given; without them the loss is InfoNCE.

    References
    ----------
    Xiong et al., "Approximate nearest neighbor negative contrastive learning for dense text
    retrieval", ICLR 2021 (ANCE). Moreira et al., "NV-Retriever: improving text embedding
    models with effective hard-negative mining", 2024. Li et al., "Conan-embedding: general
    text embedding with more and better negative samples", 2024: mining by the fall of scores.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import MinedNegatives
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> objective = MinedNegatives(temperature=0.5)
    >>> objective(views).mean().round(decimals=4)
    tensor(0.5944)
    >>> objective(views, negatives=views[0].roll(1, 0)[:, None]).mean().round(decimals=4)
    tensor(0.6665)
    """

    _module = _BuiltMinedNegatives

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "skip": [Interval(Integral, 0, None, closed="left")],
        "rule": [StrOptions(set(CEILINGS))],
        "margin": [Interval(Real, None, None, closed="neither")],
        "warm_up": [Interval(Integral, 0, None, closed="left")],
        "max_candidates": [Interval(Integral, 2, None, closed="left")],
        "exclude": [StrOptions({"groups"}), None],
        "refresh": [StrOptions({"epoch", "score_drop"})],
    }

    def __init__(
        self,
        temperature: Temperature = 0.2,
        n_negatives: int = 5,
        n_candidates: int = 50,
        skip: int = 0,
        rule: Literal["relative", "absolute", "fixed"] = "relative",
        margin: float = 0.05,
        warm_up: int = 5,
        max_candidates: int = 20_000,
        block_size: BlockSize = "auto",
        exclude: Literal["groups"] | None = None,
        refresh: Literal["epoch", "score_drop"] = "epoch",
    ):
        self.temperature = temperature
        self.n_negatives = n_negatives
        self.n_candidates = n_candidates
        self.skip = skip
        self.rule = rule
        self.margin = margin
        self.warm_up = warm_up
        self.max_candidates = max_candidates
        self.block_size = block_size
        self.exclude = exclude
        self.refresh = refresh

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        negatives: Tensor | None = None,
        there: Tensor | None = None,
        groups: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,).

        ``negatives`` (n, k, d) are those of each sample, of which the ones count that are
        ``there`` (n, k), by default all.
        """
        z = normalize(views)
        flat = z.flatten(0, 1)  # (V n, d)
        positive = positive_similarity(z)
        tau = temperature(positive.detach(), anchor_index(index, z))
        n = z.shape[1]

        def weights(rows, columns):
            if not self.exclude:
                return None, OFF_DIAGONAL
            others = distinct(rows, columns, z.device)
            return None, others & own_or_apart(groups, rows, columns, n)

        sums = pair_sums(flat, flat, weights, tau, block_size=self.block_size)
        partition = sums.log_partition
        if negatives is not None:
            b = normalize(negatives.detach().to(z.dtype))  # (n, k, d)
            s = torch.einsum("vnd,nkd->vnk", z, b).flatten(0, 1)  # (V n, k)
            ceiling = score_ceiling(positive.detach(), self.margin, self.rule)
            keep = s.detach() <= ceiling[:, None]
            if there is not None:
                keep = keep & there.repeat(len(z), 1)
            partition = torch.logaddexp(partition, logsumexp(s / tau, keep))
        return partition - positive / tau
