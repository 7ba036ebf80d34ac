"""OnGates: an objective on the gates of a mixture of experts, and the load of the experts."""

from typing import Any

from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._inputs.columns import one_line
from skcontrast._inputs.several import prepared
from skcontrast.objectives._base import BuiltObjective, Objective, _Composite


class OnGates(_Composite):
    r"""An objective on the gates of :class:`skcontrast.networks.MixtureOfExperts`.

    .. math:: L = \ell(g) + \lambda \, \Big( E \sum_e \bar g_e^2 - 1 \Big)

    with the gates g (V, n, E) of all views in place of their projections, and :math:`\bar g_e` the
    mean gate of an expert over the batch: the second term is the squared coefficient of variation
    of the experts' loads, 0 where all have as much to do. With ``InfoNCE`` a row and its masked
    copy choose the same experts, and other rows others: ``InfoNCE() + 0.1 * OnGates(InfoNCE())``.

    Parameters
    ----------
    objective : component or None, default=None
        The objective :math:`\ell`. None is the load alone.

    balance : float, default=0.0
        The weight :math:`\lambda` of the load.

    References
    ----------
    Gong et al., "Attention weighted mixture of experts with contrastive learning for personalized
    ranking in e-commerce", ICDE 2023. Shazeer et al., "Outrageously large neural networks: the
    sparsely-gated mixture-of-experts layer", ICLR 2017.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import OnGates
    >>> gates = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])  # all rows go to the first of two
    >>> OnGates(balance=0.5)(None, gates=gates)
    tensor(0.5000)
    """

    _parameter_constraints = {
        "objective": [Objective, None],
        "balance": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, objective: Objective | None = None, balance: float = 0.0):
        self.objective = objective
        self.balance = balance

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objective of the gates."""
        return () if self.objective is None else (self.objective,)

    @property
    def requires(self) -> tuple[str, ...]:
        """What the objective of the gates reads, and these."""
        return ("views", "gates", *(super().requires))

    @property
    def min_views(self) -> int:
        """Fewest views."""
        return max([1, *(term.min_views for term in self.terms)])

    @property
    def min_rows(self) -> int:
        """Fewest rows of a batch."""
        return max([2, *(term.min_rows for term in self.terms)])

    def __call__(self, views: Tensor | None, **named: Any) -> Tensor:
        """Evaluate on ``gates`` (V, n, E) and what the objective of the gates reads."""
        return self.build(named["gates"].shape[1])(views=views, **named)

    def build(self, n_samples: int) -> nn.Module:
        return _BuiltOnGates(self, [term.build(n_samples) for term in self.terms])


class _BuiltOnGates(nn.Module):
    def __init__(self, objective, terms):
        super().__init__()
        self.balance, self.terms = objective.balance, nn.ModuleList(terms)
        self.reads_keys = "keys" in objective.requires
        built = [part for part in self.terms.modules() if isinstance(part, BuiltObjective)]
        renewed = any(type(part).refresh is not BuiltObjective.refresh for part in built)
        if renewed or objective.own_views("numbers"):
            raise ValueError(
                f"{one_line(objective)}: this objective reads where all rows lie, or views of "
                "its own, which gates do not have: type OnGates(InfoNCE())."
            )

    def prepare(self, side, given, n_components=None):
        if self.reads_keys and given.get("momentum") is not None:
            raise ValueError(
                "Keys of a momentum network are projections, and OnGates compares gates: type "
                "momentum=None, or OnGates(InfoNCE())."
            )
        n_experts = given["n_gates"]
        for term in self.terms:
            prepared(term, side, {**given, "width": n_experts}, n_experts)

    def forward(self, gates, views=None, embedding=None, own=None, **named):
        mean = gates.flatten(0, 1).mean(0)
        loss = self.balance * (len(mean) * mean.square().sum() - 1)
        return loss + sum(term(views=gates, embedding=gates, **named).mean() for term in self.terms)
