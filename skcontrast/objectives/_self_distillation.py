"""Self-distillation: from a part of a row guess what an averaged network sees in all of it."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._draws import spare_draws
from skcontrast.functional import normalize
from skcontrast.networks._momentum import Momentum
from skcontrast.objectives._base import BuiltObjective, Objective
from skcontrast.views import TEXT_VIEW_CONSTRAINTS, FeatureMask, SegmentMask, Views, WordDeletion

# The views that "auto" stands for, by what a row is.
PARTS = {"numbers": FeatureMask(0.5), "series": SegmentMask(0.5), "tokens": WordDeletion(0.5)}


class _BuiltDistillation(BuiltObjective):
    """With prototypes, their average that the teacher has, and the center of its outputs."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.head = self.teacher = None
        self.register_buffer("center", None)

    def prepare(self, side, given, n_components=None):
        if given.get("momentum") is None:
            raise ValueError(
                "SelfDistillation learns from a momentum network, and momentum=None makes none: "
                "type momentum=0.99 in the estimator."
            )
        if self.objective.view == "auto" and given["rows"].kind not in PARTS:
            raise ValueError(
                f"SelfDistillation has no view of {given['rows'].kind} that leaves a part of a "
                "row: type view=None, to learn from the views of the estimator."
            )
        # No draw is spent on it: all else is as in a training without the term.
        with spare_draws():
            self.head = nn.Linear(given["width"], self.objective.n_outputs, bias=False)
        self.teacher = Momentum(given["momentum"], {"head": self.head})
        self.teacher.passing = False  # it stays with the head and the center
        self.center = torch.zeros(self.objective.n_outputs)

    def forward(self, views, keys=None, **named):
        if self.head is None:
            return super().forward(views, keys=keys, **named)
        own = named.pop("own", None) or {}
        if self.objective in own:
            views, keys = (own[self.objective][name] for name in ("views", "keys"))
        if self.training:  # as the network that makes the keys did after the last step
            self.teacher.follow({"head": self.head})
        dtype = self.center.dtype
        with torch.no_grad():
            taught = self.teacher.head(normalize(keys.to(dtype)))
        student = self.head(normalize(views.to(dtype)))
        loss = super().forward(student, keys=taught, center=self.center, **named)
        if self.training:
            self.recenter(taught)
        return loss

    def recenter(self, taught):
        """Move the center towards the mean of the teacher's scores (A, n, K)."""
        keep = self.objective.center_momentum
        self.center = keep * self.center + (1 - keep) * taught.mean((0, 1))


class SelfDistillation(Objective):
    r"""Guess from a part of a row what an averaged network makes of the whole one (SILC, DINO).

    The momentum network of the estimator is the teacher. With scores s of the student's views b
    and t of the teacher's views a on K prototypes, and the running mean c of t,

    .. math::

        q_{ak} = \mathrm{softmax}_k\Big(\frac{t_{ak} - c_k}{\tau_t}\Big), \qquad
        l_i = -\frac{1}{|ab|} \sum_{a \ne b} \sum_k q_{ak}
              \log \mathrm{softmax}_k\Big(\frac{s_{bk}}{\tau}\Big)

    A score is the inner product of the unit projection with a prototype, which is trained along;
    the teacher has the average of the prototypes too. c keeps it from giving all rows one
    prototype, and the smaller :math:`\tau_t` from giving them all the same share of each. Needs
    ``momentum=`` in the estimator, and is meant for a sum: ``InfoNCE() + SelfDistillation()``.

    Parameters
    ----------
    view : str, component, callable, list or None, default="auto"
        What leaves a part of the row for the student; the teacher sees the row as it is, and the
        other terms never see this view. "auto" is ``FeatureMask(0.5)`` of numbers,
        ``SegmentMask(0.5)`` of series and ``WordDeletion(0.5)`` of texts. None takes the views of
        the estimator for both, and compares each with the others.

    n_outputs : int, default=256
        Number K of prototypes.

    temperature : float, default=0.1
        Temperature tau of the student.

    teacher_temperature : float, default=0.04
        Temperature :math:`\tau_t` of the teacher.

    center_momentum : float, default=0.9
        Share, in [0, 1), of c that stays in each step.

    Notes
    -----
    The least loss is the entropy of q. After a fit prototypes and center are in the estimator's
    ``objective_weights_``. Called on tensors, the views are the scores s, and ``keys`` (A, n, K)
    are t, of the first A views, with ``center`` (K,).

    References
    ----------
    Naeem et al., "SILC: improving vision language pretraining with self-distillation", ECCV 2024.
    Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021 (DINO).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SelfDistillation
    >>> scores = torch.eye(3).expand(2, 3, 3)
    >>> objective = SelfDistillation(n_outputs=3, temperature=0.5, teacher_temperature=0.5)
    >>> objective(scores, keys=scores).round(decimals=4)
    tensor([0.6656, 0.6656, 0.6656])
    """

    requires = ("views", "keys")

    _module = _BuiltDistillation

    _parameter_constraints = {
        "view": [*TEXT_VIEW_CONSTRAINTS, StrOptions({"auto"})],
        "n_outputs": [Interval(Integral, 2, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "teacher_temperature": [Interval(Real, 0, None, closed="neither")],
        "center_momentum": [Interval(Real, 0, 1, closed="left")],
    }
    _shorthand = {"view": "skcontrast.views:VIEWS_OF"}

    def __init__(
        self,
        view: Views | Literal["auto"] = "auto",
        n_outputs: int = 256,
        temperature: float = 0.1,
        teacher_temperature: float = 0.04,
        center_momentum: float = 0.9,
    ):
        self.view = view
        self.n_outputs = n_outputs
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature
        self.center_momentum = center_momentum

    @property
    def min_views(self) -> int:
        """Fewest views of the estimator: none, where this term has one of its own."""
        return 2 if self.view is None else 0

    def own_views(self, kind: str) -> dict[Objective, Any]:
        auto = isinstance(self.view, str) and self.view == "auto"
        view = PARTS.get(kind) if auto else self.view
        return {} if view is None else {self: view}

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        keys: Tensor | None = None,
        center: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each sample: scores of views (V, n, K), of the teacher (A, n, K) -> (n,)."""
        taught = (views if keys is None else keys.to(views.dtype)).detach()
        if center is not None:
            taught = taught - center.to(views.dtype)
        shares = (taught / self.teacher_temperature).softmax(-1)
        log_shares = (views / temperature(None, None)).log_softmax(-1)
        # A view of its own is of no view of the teacher.
        pairs = [(a, b) for a in range(len(taught)) for b in range(len(views)) if a != b]
        pairs = pairs or [(0, 0)]
        return -sum((shares[a] * log_shares[b]).sum(-1) for a, b in pairs) / len(pairs)
