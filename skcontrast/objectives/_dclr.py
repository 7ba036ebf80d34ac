"""InfoNCE without the negatives that a guide holds for false, and with negatives of noise."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast.functional import BlockSize, distinct, normalize, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._guide import GUIDE_CONSTRAINTS, Guided, guide_rows, slack
from skcontrast.objectives._info_nce import positive_similarity, same_sample

# Length of a step of the noise, as in the paper.
NOISE_STEP = 1e-3


class DCLR(Guided):
    r"""InfoNCE with weights zero where a guide finds two rows too alike.

    With unit rows z, cosines s, cosines g of a guide, the other view p(i) of anchor i, and
    rows :math:`\epsilon` of noise,

    .. math::

        l_i = -s_{i,p(i)}/\tau + \log \Big( \sum_{k \ne i} \alpha_{ik} e^{s_{ik}/\tau}
              + \sum_m e^{s(z_i, \epsilon_m)/\tau} \Big), \qquad
        \alpha_{ik} = \mathbb 1[g_{ik} \le \phi] \;\text{("hard")}, \quad
        \max(0, 1 - \max(0, g_{ik})) \;\text{("soft")}

    where alpha is 1 for the views of one sample. Noise starts as N(0, I).

    Parameters
    ----------
    temperature : float, str or component, default=0.2
        Temperature tau: a positive number or "learned". The paper has 0.05.

    guide : {"projection", "prior"}, default="projection"
        Where the cosines g come from: the projections of the batch, held constant, or
        the features given to ``fit`` as ``prior``, such as the embedding of a trained
        encoder, which is the paper's.

    threshold : float, default=0.9
        Cosine phi above which two rows are no negatives of each other; for "hard" weights.

    noise_ratio : float, default=0.0
        Rows of noise drawn in each batch, as a share of its rows; the paper has 1 to 5.

    form : {"ntxent", "one_way"}, default="ntxent"
        "ntxent": every row of every view is an anchor and all other rows are its
        candidates. "one_way": only the first view's rows are anchors, and the second
        view's their candidates, as in the paper.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    weight : {"hard", "soft"}, default="hard"
        How g becomes the weight of a negative. For "soft" g is the product of the guide's rows
        as they are: with the memberships of a row in clusters, which sum to 1, as ``prior``,
        it is the probability that two rows are of one cluster.

    noise_steps : int, default=0
        Steps in which rows of noise move to where they raise the loss, each by 0.001 along its
        gradient; the paper has 4.

    See Also
    --------
    PositiveAware : A ceiling that follows the positive's score.

    Notes
    -----
    The published code multiplies logits by alpha, which leaves exp(0) in the sum, and takes a
    binary cross entropy over all pairs; here the weights are the paper's. Rows of noise are as
    long as the root of the width, so that steps of 0.001 turn them by very little.

    Called on tensors, ``prior`` may be (V, n, q), a guide's row for each view, and ``noise``
    (m, d) stands in for the draws.

    References
    ----------
    Zhou et al., "Debiased contrastive learning of unsupervised sentence representations",
    ACL 2022. Li et al., "UCTopic: unsupervised contrastive learning for phrase representations
    and topic mining", ACL 2022: negatives of other clusters only.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import DCLR
    >>> views = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]).expand(2, 3, 2)
    >>> DCLR(temperature=0.5)(views).round(decimals=4)[:3]
    tensor([0.2395, 0.2854, 0.4706])
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "guide": GUIDE_CONSTRAINTS,
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "noise_ratio": [Interval(Real, 0, None, closed="left")],
        "form": [StrOptions({"ntxent", "one_way"})],
        "weight": [StrOptions({"hard", "soft"})],
        "noise_steps": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.2,
        guide: Literal["projection", "prior"] = "projection",
        threshold: float = 0.9,
        noise_ratio: float = 0.0,
        form: Literal["ntxent", "one_way"] = "ntxent",
        block_size: BlockSize = "auto",
        weight: Literal["hard", "soft"] = "hard",
        noise_steps: int = 0,
    ):
        self.temperature = temperature
        self.guide = guide
        self.threshold = threshold
        self.noise_ratio = noise_ratio
        self.form = form
        self.block_size = block_size
        self.weight = weight
        self.noise_steps = noise_steps

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        prior: Tensor | None = None,
        noise: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,), or (n,) one-way."""
        z = normalize(views)
        n, width = z.shape[1:]
        one_way, soft = self.form == "one_way", self.weight == "soft"
        g = guide_rows(z, self.guide, prior, unit=not soft)
        if one_way:
            z, g = z[:2], g[:2]
            anchors, candidates, guides, guided = z[0], z[1], g[0], g[1]
            positive = (anchors * candidates).sum(-1)
        else:
            anchors = candidates = z.flatten(0, 1)
            guides = guided = g.flatten(0, 1)
            positive = positive_similarity(z)
        highest = self.threshold + slack(g)
        tau = temperature(positive.detach(), anchor_index(index, z)[: len(anchors)])

        def weights(rows, columns):
            own = same_sample(rows, columns, n, z.device)
            alike = guides[rows] @ guided[columns].T
            keep = 1 - alike.clamp(0, 1).masked_fill(own, 0) if soft else (alike <= highest) | own
            return None, keep if one_way else keep * distinct(rows, columns, z.device)

        sums = pair_sums(anchors, candidates, weights, tau, block_size=self.block_size)
        partition = sums.log_partition
        if noise is None and self.noise_ratio:
            n_noise = max(1, round(self.noise_ratio * n))
            noise = torch.randn(n_noise, width, dtype=z.dtype, device=z.device)
        if noise is not None:
            noise = self._ascended(noise, anchors, partition, tau)
            partition = self._with_noise(noise, anchors, partition, tau)
        return partition - positive / tau

    def _with_noise(self, noise, anchors, partition, tau):
        """Log of the sum with rows of noise (m, d) too."""
        drawn = pair_sums(anchors, normalize(noise), None, tau, block_size=self.block_size)
        return torch.logaddexp(partition, drawn.log_partition)

    def _ascended(self, noise, anchors, partition, tau):
        """Noise after its steps, held constant; as it came where there are none."""
        held = [x.detach() if torch.is_tensor(x) else x for x in (anchors, partition, tau)]
        for _ in range(self.noise_steps):
            with torch.enable_grad():
                noise = noise.detach().requires_grad_()
                total = self._with_noise(noise, *held).sum()
                (slope,) = torch.autograd.grad(total, noise)
            noise = noise.detach() + NOISE_STEP * normalize(slope)
        return noise
