"""Whitened: an objective of views that are whitened first."""

from math import ceil
from typing import Literal

import torch
from torch import nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._inputs.several import prepared
from skcontrast.functional import whiten
from skcontrast.objectives._base import Objective, _Composite, _widened

# Named tensors whose first axis is the views.
OF_VIEWS = "views", "keys", "embedding", "steps", "step_mask"


class _BuiltWhitened(nn.Module):
    def __init__(self, objective, term):
        super().__init__()
        self.objective, self.term = objective, term

    def prepare(self, side, given, n_components=None):
        n_slots = (given.get("n_slots") or 0) * self.objective.n_copies
        prepared(self.term, side, {**given, "n_slots": n_slots}, n_components)

    def refresh(self, epoch, project):
        if hasattr(self.term, "refresh"):
            self.term.refresh(epoch, lambda: self.white(project()[None])[0])

    def forward(self, views, **named):
        if views is None:  # the term is handed views of its own alone
            return self.term(views=views, **named)
        named, n_copies = {"views": views, **named}, self.objective.n_copies
        if n_copies > 1:
            for name in [n for n in OF_VIEWS if named.get(n) is not None]:
                named[name] = torch.cat([named[name]] * n_copies)
        with torch.autocast(views.device.type, enabled=False):
            for name in [n for n in ("views", "keys") if named.get(n) is not None]:
                named[name] = self.white(_widened(named[name]))
        return self.term(**named)

    def white(self, views):
        """Views (V, n, d), white, each in groups of its own."""
        n_groups, d = self.objective.n_groups, views.shape[2]
        if n_groups > d:
            raise ValueError(
                f"Whitened makes {n_groups} groups of {d} columns: type n_groups up to {d}."
            )
        order = None
        if n_groups > 1:
            order = torch.rand(len(views), d, device=views.device).argsort(1)
        return whiten(views, n_groups, self.objective.eps, self.objective.method, order)


class Whitened(_Composite):
    r"""An objective of views that are whitened first, each by the rows of the batch.

    .. math:: L = \ell(W(z^{(1)}), W(z^{(2)}), \ldots)

    W centres a view and takes out the correlations within each of its groups of columns, which
    are drawn anew for every view and batch, as :func:`skcontrast.functional.whiten` says. White
    columns cannot collapse, so that ``Whitened(AlignmentUniformity(uniformity_weight=0),
    n_groups=1, method="cholesky")`` needs no negatives (W-MSE).

    Parameters
    ----------
    objective : component

    n_groups : int, default=8
        Number of groups of columns. Batches should have at least twice as many rows as a group
        has columns.

    n_copies : int, default=1
        How often each view is whitened, in groups of its own: further views for the objective,
        at the cost of whitening alone.

    method : {"zca", "cholesky"}, default="zca"
        "zca" stays as near to the view as white columns can.

    eps : float, default=0.001
        How much of the identity is mixed into a covariance, in [0, 1].

    See Also
    --------
    skcontrast.postprocessing.Whitening : Whitens an embedding after training.

    Notes
    -----
    What is trained need not be white itself: ``transform`` gives the embedding before whitening.

    References
    ----------
    Zhuo et al., "WhitenedCSE: whitening-based contrastive learning of sentence embeddings", ACL
    2023. Ermolov et al., "Whitening for self-supervised representation learning", ICML 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import InfoNCE, Whitened
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> Whitened(InfoNCE(temperature=0.5), n_groups=1)(views).mean().round(decimals=4)
    tensor(0.3485)
    """

    _parameter_constraints = {
        "objective": [Objective],
        "n_groups": [Interval(Integral, 1, None, closed="left")],
        "n_copies": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"zca", "cholesky"})],
        "eps": [Interval(Real, 0, 1, closed="both")],
    }
    accepts_missing = False
    _weights = (1.0,)

    def __init__(
        self,
        objective: Objective,
        n_groups: int = 8,
        n_copies: int = 1,
        method: Literal["zca", "cholesky"] = "zca",
        eps: float = 1e-3,
    ):
        self.objective = objective
        self.n_groups = n_groups
        self.n_copies = n_copies
        self.method = method
        self.eps = eps

    @property
    def terms(self) -> tuple[Objective, ...]:
        """The objective of the white views."""
        return (self.objective,)

    @property
    def min_views(self) -> int:
        """Fewest views before they are copied."""
        return ceil(self.objective.min_views / self.n_copies)

    def check_views(self, n_views: int, makes_negatives: bool = False) -> None:
        """Raise when an estimator's views, and their copies, do not suit the objective."""
        self.objective.check_views(n_views * self.n_copies, makes_negatives)

    def build(self, n_samples: int) -> nn.Module:
        return _BuiltWhitened(self, self.objective.build(n_samples))
