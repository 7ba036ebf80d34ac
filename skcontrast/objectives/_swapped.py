"""Swapped prototypes: one view says which prototype a sample is of, the others predict it."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast._draws import initial_seed
from skcontrast.functional import balanced_assignment, normalize
from skcontrast.objectives._base import BuiltByEpochs, Objective
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS, Temperature


class _BuiltPrototypes(BuiltByEpochs):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.n_prototypes = min(objective.n_prototypes, max(2, n_samples // 5))
        self.prototypes = None

    def prepare(self, side, given, n_components=None):
        # A generator of its own: batches and views are those of a training without the term.
        generator = torch.Generator().manual_seed(initial_seed())
        shape = self.n_prototypes, given["width"]
        self.prototypes = nn.Parameter(normalize(torch.randn(shape, generator=generator)))

    def refresh(self, epoch, project):
        super().refresh(epoch, lambda: None)  # where the rows lie does not matter

    def renew(self, projection):
        """Nothing is renewed: prototypes are trained along."""

    def forward(self, views, **named):
        if self.prototypes is not None:
            held = self.prototypes.detach() if self.warming else self.prototypes
            named = {"prototypes": held, **named}
        return super().forward(views, **named)


class SwappedPrototypes(Objective):
    r"""Predict from one view of a sample the prototypes that another is assigned to (SwAV).

    With unit rows z of V views, unit prototypes c that are trained along, and shares q of the
    prototypes in the rows of one view, of which each prototype has equally many,

    .. math::

        q_v = \mathrm{Sinkhorn}(z_v c^\top / \epsilon), \qquad
        l_i = -\frac{1}{A (V - 1)} \sum_{v \le A} \sum_{u \ne v} \sum_k q_{vik}
              \log \mathrm{softmax}_k(z_{ui} \cdot c_k / \tau)

    No two rows are compared: it clusters, and learns to tell the cluster of a row whatever
    view it is seen in.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau of the prediction: a positive number or "learned".

    n_prototypes : int, default=100
        Number of prototypes; at most a fifth of the rows of the training data. Batches should
        have no fewer rows, or their shares are noise.

    epsilon : float, default=0.05
        How soft the shares are; see :func:`skcontrast.functional.balanced_assignment`.

    n_iterations : int, default=3
        Iterations of the assignment.

    n_assigning : int, default=2
        Number A of views, the first, whose shares are predicted. Further ones only predict, as
        the small crops of the paper do.

    warm_up : int, default=1
        Epochs in which the prototypes stay where they start.

    Notes
    -----
    After a fit the prototypes are in ``objective_weights_["prototypes"]``. The shares are
    computed in each batch, in which clusters are taken to be about equally large; with classes
    that are much rarer than others choose more prototypes. If all rows go to a few prototypes
    the training has collapsed: the mean of q then has an entropy far under log K.

    Called on tensors, ``prototypes`` (K, d) may be given; without them they are the axes, so
    that the columns of the views are the scores.

    References
    ----------
    Caron et al., "Unsupervised learning of visual features by contrasting cluster
    assignments", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SwappedPrototypes
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> SwappedPrototypes(temperature=0.5)(views).mean().round(decimals=4)
    tensor(0.3408)
    """

    _module = _BuiltPrototypes

    _parameter_constraints = {
        "temperature": TEMPERATURE_CONSTRAINTS,
        "n_prototypes": [Interval(Integral, 2, None, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iterations": [Interval(Integral, 1, None, closed="left")],
        "n_assigning": [Interval(Integral, 1, None, closed="left")],
        "warm_up": [Interval(Integral, 0, None, closed="left")],
    }
    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}

    def __init__(
        self,
        temperature: Temperature = 0.1,
        n_prototypes: int = 100,
        epsilon: float = 0.05,
        n_iterations: int = 3,
        n_assigning: int = 2,
        warm_up: int = 1,
    ):
        self.temperature = temperature
        self.n_prototypes = n_prototypes
        self.epsilon = epsilon
        self.n_iterations = n_iterations
        self.n_assigning = n_assigning
        self.warm_up = warm_up

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        prototypes: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each sample: views (V, n, d) -> (n,)."""
        z = normalize(views)
        n_views = len(z)
        scores = z if prototypes is None else z @ normalize(prototypes.to(z.dtype)).T  # (V, n, K)
        logs = (scores / temperature(None, index)).log_softmax(-1)
        n_assigning = min(self.n_assigning, n_views)
        total = z.new_zeros(z.shape[1])
        for v in range(n_assigning):
            shares = balanced_assignment(scores[v].detach(), self.epsilon, self.n_iterations)
            others = logs.sum(0) - logs[v]
            total = total - (shares * others).sum(-1)
        return total / (n_assigning * (n_views - 1))
