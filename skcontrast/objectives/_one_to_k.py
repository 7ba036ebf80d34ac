"""OneToK: one block finds its partners in all others at once."""

from typing import Any, Literal

from torch import Tensor, nn

from skcontrast._component import Integral, StrOptions, did_you_mean
from skcontrast.functional import mean_over, normalize, one_to_many
from skcontrast.objectives._base import BuiltObjective, Objective, Temperature
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS


class _BuiltOneToK(BuiltObjective):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.center = objective.center

    def prepare(self, side, given, n_components=None):
        """Read the names of the blocks."""
        names = getattr(given.get("rows"), "names", None)
        center = self.objective.center
        if isinstance(center, str) and center != "mean" and names is not None:
            if center not in names:
                raise ValueError(
                    f"OneToK: center={center!r} is no block, and there are "
                    f"{', '.join(map(repr, names))}.{did_you_mean(center, names)}"
                )
            self.center = names.index(center)

    def forward(self, views, **named):
        return super().forward(views, center=self.center, **named)


class OneToK(Objective):
    r"""One block against K others, whose rows are all candidates of one softmax.

    With unit rows, a the centre and b = 1, ..., K the others, and
    :math:`s_{ij}^b = z_i^a \cdot z_j^b`,

    .. math:: l_i = -\frac{1}{2K} \sum_b \Big( \log \frac{e^{s_{ii}^b / \tau}}
        {\sum_{jc} e^{s_{ij}^c / \tau}} + \log \frac{e^{s_{ii}^b / \tau}}
        {\sum_j e^{s_{ji}^b / \tau}} \Big)

    A partner that is easier to find than the others takes their mass, so that all K are found
    alike. With two blocks it is :class:`InfoNCE` with ``form="two_way"``. A row counts where its
    centre is there, with the partners that it has.

    Parameters
    ----------
    center : int, str or "mean", default=0
        Number or name of the centre, or "mean": each row's other blocks against the mean of all.

    temperature : float, str or component, default=0.07
        Temperature tau: a positive number or "learned".

    References
    ----------
    Nie et al., "Improving the consistency in cross-lingual cross-modal retrieval with 1-to-K
    contrastive learning", KDD 2024. The published code sums the first half over the K partners;
    here it is their mean.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import OneToK
    >>> views = torch.eye(4).expand(3, 4, 4)
    >>> OneToK(temperature=0.5)(views).mean().round(decimals=4)
    tensor(0.6873)
    """

    accepts_missing = True
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}
    _parameter_constraints = {
        "center": [Integral, str, StrOptions({"mean"})],
        "temperature": TEMPERATURE_CONSTRAINTS,
    }
    _module = _BuiltOneToK

    def __init__(self, center: int | str | Literal["mean"] = 0, temperature: Temperature = 0.07):
        self.center = center
        self.temperature = temperature

    def build(self, n_samples: int) -> nn.Module:
        built = super().build(n_samples)
        check_plain(self, built)
        return built

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        center: int | str = 0,
        present: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each row: views (V, n, d) -> (n,)."""
        z = normalize(views)
        n_views = len(z)
        tau = temperature((z[0] * z[1]).sum(-1).detach(), None)
        if center == "mean":
            there = None if present is None else present[:, :, None]
            a = normalize((z if there is None else z * there).sum(0))
            return one_to_many(a, z, tau, present)
        if isinstance(center, str) or not -n_views <= center < n_views:
            raise ValueError(
                f"OneToK: center={center!r} is none of the {n_views} views: type a number below "
                f"{n_views}, the name of a block, or 'mean'."
            )
        others = [v for v in range(n_views) if v != center % n_views]
        if present is None:
            return one_to_many(z[center], z[others], tau)
        valid = present[center] & present[others].any(0)
        loss = one_to_many(z[center], z[others], tau, present[others], present[center])
        return mean_over(loss, valid)


def check_plain(objective, built):
    """Raise where a temperature is a rule for InfoNCE alone."""
    if built.temperature.decoupled:
        raise ValueError(
            f"temperature={objective.temperature!r} is a rule for InfoNCE and is not defined for "
            f"{type(objective).__name__}: use a positive number or 'learned'."
        )
