"""Poly-View contrastive learning: more than two views of a sample."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import StrOptions
from skcontrast.functional import BlockSize, logsumexp, normalize, pair_sums, softplus
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import other_samples, positive_similarity


class PolyView(PairObjective):
    r"""Contrast V views of a sample with the views of the other samples.

    With unit rows :math:`z_{ia}` of sample i and view a, and :math:`N_{ia}` the sum of
    :math:`e^{z_{ia} \cdot z_{jg}/\tau}` over the views g of all other samples j,

    .. math::

        p_{iab} = \frac{e^{z_{ia} \cdot z_{ib}/\tau}}
                       {e^{z_{ia} \cdot z_{ib}/\tau} + N_{ia}}

    .. math::

        l_{ia} = -\frac{1}{V-1} \sum_{b \ne a} \log p_{iab}
        \;\text{("geometric")}, \qquad
        l_{ia} = -\log \frac{1}{V-1} \sum_{b \ne a} p_{iab}
        \;\text{("arithmetic")}

    and with "sufficient" the other views are one statistic
    :math:`q_{ia} = \mathrm{unit}(\sum_{b \ne a} z_{ib} / (V-1))`,

    .. math::

        l_{ia} = -\log \frac{e^{z_{ia} \cdot q_{ia}/\tau}}
            {e^{z_{ia} \cdot q_{ia}/\tau} + \sum_{j \ne i, g} e^{q_{ia} \cdot z_{jg}/\tau}}

    The other views of a sample never repel each other. With two views all three are
    :class:`InfoNCE`; "arithmetic" is never larger than "geometric".

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    form : {"geometric", "arithmetic", "sufficient"}, default="geometric"
        How the other views are joined; the authors recommend "geometric".

    statistic : {"unit", "mean"}, default="unit"
        Whether the statistic of "sufficient" is scaled to unit length.

    anchor : {"statistic", "view"}, default="statistic"
        Which side of "sufficient" is held fixed while the other side varies: the
        statistic among single views, or the view among statistics.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    References
    ----------
    Shidani et al., "Poly-view contrastive learning", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PolyView
    >>> views = torch.eye(4).expand(3, 4, 4)
    >>> PolyView(temperature=0.5)(views).mean().round(decimals=4)
    tensor(0.7966)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "form": [StrOptions({"geometric", "arithmetic", "sufficient"})],
        "statistic": [StrOptions({"unit", "mean"})],
        "anchor": [StrOptions({"statistic", "view"})],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        form: Literal["geometric", "arithmetic", "sufficient"] = "geometric",
        statistic: Literal["unit", "mean"] = "unit",
        anchor: Literal["statistic", "view"] = "statistic",
        block_size: BlockSize = "auto",
    ):
        self.temperature = temperature
        self.form = form
        self.statistic = statistic
        self.anchor = anchor
        self.block_size = block_size

    def build(self, n_samples: int) -> nn.Module:
        for name, default in (("statistic", "unit"), ("anchor", "statistic")):
            value = getattr(self, name)
            if self.form != "sufficient" and value != default:
                raise ValueError(
                    f"{name}={value!r} is defined for form='sufficient', got "
                    f"form={self.form!r}: type PolyView(form='sufficient', {name}={value!r})."
                )
        return super().build(n_samples)

    def loss(
        self, views: Tensor, temperature: nn.Module, index: Tensor | None = None, **named: Any
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d) -> (V n,)."""
        z = normalize(views)
        n_views, n, _ = z.shape
        tau = temperature(positive_similarity(z).detach(), anchor_index(index, z))
        if self.form == "sufficient":
            return self._sufficient(z, tau)
        # f[b, (a, i)]: the similarity of anchor z_ia to the view z_ib
        f = torch.einsum("and,bnd->ban", z, z).reshape(n_views, -1) / tau  # (V, V n)
        loss = softplus(self._log_negatives(z, z, tau) - f)  # -log p, (V, V n)
        own = torch.eye(n_views, dtype=torch.bool, device=z.device)
        other = ~own.repeat_interleave(n, 1)  # (V, V n)
        if self.form == "geometric":
            return (loss * other).sum(0) / (n_views - 1)
        return math.log(n_views - 1) - logsumexp(-loss, other, 0)

    def _sufficient(self, z, tau):
        q = (z.sum(0, keepdim=True) - z) / (len(z) - 1)  # (V, n, d)
        if self.statistic == "unit":
            q = normalize(q)
        anchors, candidates = (q, z) if self.anchor == "statistic" else (z, q)
        positive = (z * q).sum(-1).flatten()
        return softplus(self._log_negatives(anchors, candidates, tau) - positive / tau)

    def _log_negatives(self, anchors, candidates, tau):
        """Log of N: sum over the views of the other samples, (V n,)."""
        x, y = anchors.flatten(0, 1), candidates.flatten(0, 1)
        weights = other_samples(anchors.shape[1], x.device)
        return pair_sums(x, y, weights, tau, block_size=self.block_size).log_partition
