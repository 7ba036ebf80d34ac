"""InfoNCE against hard negatives that are not nearer than the positive."""

from typing import Any, Literal

from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast.functional import (
    CEILINGS,
    BlockSize,
    distinct,
    mine_negatives,
    normalize,
    pair_sums,
    score_ceiling,
)
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._guide import GUIDE_CONSTRAINTS, Guided, guide_rows, slack
from skcontrast.objectives._info_nce import positive_similarity, same_sample


class PositiveAware(Guided):
    r"""InfoNCE whose negatives score well below the positive: false ones are left out.

    With unit rows z of all views, cosines s, the other view p(i) of anchor i, and scores g
    of a guide (cosines of the projections as they are, or of other features),

    .. math::

        l_i = -s_{i,p(i)}/\tau + \log \Big( e^{s_{i,p(i)}/\tau}
              + \sum_{k \in N(i)} e^{s_{ik}/\tau} \Big), \qquad
        N(i) = \mathrm{top}_m \{ k : g_{ik} \le c_i \}

    over the rows k of other samples. The ceiling c_i is g_{i,p(i)} less ``margin`` (rule
    "absolute"), less that share of it ("relative"), or 1 less ``margin`` ("fixed"); see
    :func:`skcontrast.functional.score_ceiling`. With more than two views the positive terms
    are those of :class:`InfoNCE`.

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned".

    rule : {"relative", "absolute", "fixed"}, default="relative"
        What the ceiling is measured from.

    margin : float, default=0.05
        How far below it negatives have to score. A large negative number leaves out none.

    n_negatives : int, default=None
        Number m of the highest scoring negatives that an anchor keeps, and all that tie
        with the last of them; None keeps all under the ceiling.

    guide : {"projection", "prior"}, default="projection"
        Where the scores g come from: the projections of the batch, held constant, or the
        features given to ``fit`` as ``prior``.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    form : {"ntxent", "one_way"}, default="ntxent"
        "ntxent": every row of every view is an anchor and all other rows are its candidates.
        "one_way": only the first view's rows are anchors, and the second view's their
        candidates.

    See Also
    --------
    DCLR : The fixed ceiling of a guide, and negatives of noise.
    MinedNegatives : Negatives from all rows rather than from the batch.

    Notes
    -----
    An anchor whose candidates are all too near has no negative, and loss 0 with two views.
    Two views of one row share its features, so with ``guide="prior"`` the positive scores 1
    and the rules agree. Called on tensors, ``prior`` may be (V, n, q), a guide's row for each
    view: a guide that reads both sides of a pair is that of GISTEmbed.

    References
    ----------
    Moreira et al., "NV-Retriever: improving text embedding models with effective
    hard-negative mining", 2024. Solatorio, "GISTEmbed: guided in-sample selection of training
    negatives for text embedding fine-tuning", 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PositiveAware
    >>> views = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]).expand(2, 3, 2)
    >>> PositiveAware(temperature=0.5, margin=0.1)(views).round(decimals=4)[:3]
    tensor([0.2395, 0.2854, 0.4706])
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "rule": [StrOptions(set(CEILINGS))],
        "margin": [Interval(Real, None, None, closed="neither")],
        "n_negatives": [Interval(Integral, 1, None, closed="left"), None],
        "guide": GUIDE_CONSTRAINTS,
        "form": [StrOptions({"ntxent", "one_way"})],
    }

    def __init__(
        self,
        temperature: Temperature = 0.2,
        rule: Literal["relative", "absolute", "fixed"] = "relative",
        margin: float = 0.05,
        n_negatives: int | None = None,
        guide: Literal["projection", "prior"] = "projection",
        block_size: BlockSize = "auto",
        form: Literal["ntxent", "one_way"] = "ntxent",
    ):
        self.temperature = temperature
        self.rule = rule
        self.margin = margin
        self.n_negatives = n_negatives
        self.guide = guide
        self.block_size = block_size
        self.form = form

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        prior: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        z = normalize(views)
        n, g = z.shape[1], guide_rows(z, self.guide, prior)
        if self.form == "one_way":
            anchors, candidates, guides, guided = z[0], z[1], g[0], g[1]
            positive, of_guide = ((x[0] * x[1]).sum(-1) for x in (z, g))
        else:
            anchors = candidates = z.flatten(0, 1)  # (V n, d)
            guides = guided = g.flatten(0, 1)
            positive, of_guide = positive_similarity(z), positive_similarity(g)
        tau = temperature(positive.detach(), anchor_index(index, z)[: len(anchors)])
        negative = self._negatives(guides, guided, of_guide, n)

        def weights(rows, columns):
            twin = same_sample(rows, columns, n, z.device)
            if self.form == "ntxent":
                twin = twin & distinct(rows, columns, z.device)
            return None, negative(rows, columns) | twin

        sums = pair_sums(anchors, candidates, weights, tau, block_size=self.block_size)
        return sums.log_partition - positive / tau

    def _negatives(self, guides, guided, positive, n):
        """Which pairs are negatives, by the guide's rows: a function of a tile."""
        ceiling = score_ceiling(positive, self.margin, self.rule) + slack(guides)
        lowest = None

        def others(rows, columns):
            return ~same_sample(rows, columns, n, guides.device)

        if self.n_negatives is not None:
            options = {"keep": others, "ceiling": ceiling, "block_size": self.block_size}
            _, score = mine_negatives(guides, guided, self.n_negatives, **options)
            lowest = score[:, -1] - slack(guides)

        def negative(rows, columns):
            s = guides[rows] @ guided[columns].T
            chosen = others(rows, columns) & (s <= ceiling[rows, None])
            return chosen if lowest is None else chosen & (s >= lowest[rows, None])

        return negative
