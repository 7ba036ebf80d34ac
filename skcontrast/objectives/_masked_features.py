"""MaskedFeatures: a task that also judges embeddings that were masked and rebuilt."""

import torch
from torch import nn

from skcontrast._component import Component, Interval, Real, Shorthand
from skcontrast._draws import spare_draws
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import prepared
from skcontrast.networks import build_network
from skcontrast.objectives._base import Objective, _Composite
from skcontrast.objectives._rebuilt import draws_of_step


class _BuiltMaskedFeatures(nn.Module):
    """The task, with the network that rebuilds; without a training that is the identity."""

    def __init__(self, objective, term):
        super().__init__()
        self.objective, self.term = objective, term
        self.rebuild = nn.Identity()

    def prepare(self, side, given, n_components=None):
        prepared(self.term, side, given, n_components)
        # No draw is spent on it: all else is as in a training of the task alone.
        with spare_draws():
            decoder = self.objective.decoder
            self.rebuild, _ = build_network(decoder, n_components, n_components, "decoder")

    def refresh(self, epoch, project):
        if hasattr(self.term, "refresh"):
            self.term.refresh(epoch, project)

    def forward(self, views, embedding=None, step=0, **named):
        h = views if embedding is None else embedding
        draw = torch.rand(h.shape, generator=draws_of_step(step)).to(h.device)
        kept = draw >= self.objective.rate
        rebuilt = self.rebuild((h * kept).flatten(0, 1)).view_as(h)
        task = self.term(views=views, embedding=h, **named).mean()
        judged = self.term(views=views, embedding=rebuilt, **named).mean()
        aim = h.detach()
        variance = (aim - aim.mean((0, 1))).square().mean().clamp_min(torch.finfo(h.dtype).tiny)
        error = (rebuilt - aim).square().masked_fill(kept, 0).sum()
        error = error / (~kept).sum().clamp_min(1) / variance
        return task + self.objective.weight * (judged + error)


class MaskedFeatures(_Composite):
    r"""A task on the embedding, and on what a small network rebuilds of it where it was masked.

    With the loss :math:`\ell` of a task that reads the embedding h, such as
    :class:`CrossEntropy`, a random mask m of its columns, and a network R that is trained along,

    .. math::

        L = \ell(h) + w \Big( \ell(\hat h)
            + \frac{1}{\sigma^2} \mathrm{mean}_{m_a = 0} (\hat h_a - h_a)^2 \Big),
        \qquad \hat h = R(m \odot h)

    where :math:`\sigma^2` is the mean variance of the columns of h in the batch. The head of the
    task judges both, so that what is rebuilt is what the task needs. R is left out after training.

    Parameters
    ----------
    objective : component
        The task, one that reads the embedding by a head of its own.

    rate : float, default=0.5
        Share of the columns that are masked, in (0, 1).

    decoder : str or component, default="mlp"
        The network R.

    weight : float, default=0.5
        Weight w.

    Notes
    -----
    No gradient of the squared error moves the h that is to be rebuilt.

    References
    ----------
    "Masked feature modeling enhances adaptive segmentation", 2025: of pixels, in another domain
    than that of the labels.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import CrossEntropy, MaskedFeatures
    >>> logits = torch.tensor([[[2.0, 0.0], [0.0, 2.0]]])
    >>> MaskedFeatures(CrossEntropy(), weight=0.0)(logits, target=torch.tensor([0, 1]))
    tensor(0.1269)
    """

    _shorthand = {"decoder": "skcontrast.networks:NETWORKS"}
    _parameter_constraints = {
        "objective": [Objective],
        "rate": [Interval(Real, 0, 1, closed="neither")],
        "decoder": [Shorthand("skcontrast.networks:NETWORKS", "network")],
        "weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        objective: Objective,
        rate: float = 0.5,
        decoder: str | Component = "mlp",
        weight: float = 0.5,
    ):
        self.objective = objective
        self.rate = rate
        self.decoder = decoder
        self.weight = weight

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The task."""
        return (self.objective,)

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that the task needs, and the number of the training step."""
        return *self.objective.requires, "step"

    def build(self, n_samples: int) -> nn.Module:
        needs = self.objective.requires
        if "embedding" not in needs or "rows" in needs:
            more = "reads rows beside it" if "embedding" in needs else "does not read it"
            raise ValueError(
                f"MaskedFeatures has a task judge the embedding, and {one_line(self.objective)} "
                f"{more}: type CrossEntropy(), or PredictionError() for numbers."
            )
        return _BuiltMaskedFeatures(self, self.objective.build(n_samples))
