"""Supervised contrast within subclasses of about equal size, and between classes."""

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import BlockSize, distinct, mean_over, normalize, pair_loss
from skcontrast.objectives._base import BuiltByEpochs, PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample
from skcontrast.objectives._subclasses import split_classes


class _BuiltSubclassBalanced(BuiltByEpochs):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.register_buffer("subclass", torch.zeros(n_samples, dtype=torch.long))
        self.register_buffer("relative_temperature", torch.ones(1))
        self.codes = None

    def prepare(self, side, given, n_components=None):
        self.codes = side["target"].cpu()
        self.subclass = self.codes.clone()
        self.relative_temperature = torch.ones(max(int(self.codes.max()) + 1, 1))

    def renew(self, projection):
        """Split the classes by where their rows (n_samples, d) lie."""
        seed = int(torch.randint(2**31 - 1, ()))
        rows = normalize(projection.detach().cpu().double()).numpy()
        if not np.isfinite(rows).all():
            return  # the training stops at its next loss, and says why
        found = split_classes(rows, self.codes.numpy(), self.objective.cluster_size, seed)
        for buffer, value in zip((self.subclass, self.relative_temperature), found):
            buffer.copy_(torch.from_numpy(value))

    def forward(self, views, **named):
        if self.codes is not None:
            named = {
                "subclass": self.subclass[named["index"]],
                "relative_temperature": self.relative_temperature,
                "warming": self.warming,
                **named,
            }
        return super().forward(views, **named)


class SubclassBalanced(PairObjective):
    r"""Subclass-balancing contrastive loss, for long-tailed classes (SBCL).

    Large classes are split by k-means on the projections into subclasses about as large as
    the smallest class. With unit rows z of all views, cosines s, Q(i) the other rows of
    anchor i's subclass, P(i) those of its class and A(i) all other rows,

    .. math::

        l_i = \frac{\tau}{\tau_0} \, C(i; Q, A, \tau) + \gamma \, C(i; R, D, \tau_i),
        \qquad
        C(i; P, A, \tau) = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( s_{ip}/\tau
              - \log \sum_{k \in A(i)} e^{s_{ik}/\tau} \Big)

    In form "ccl", R = P, D = A and tau_i = tau. In form "rank" rows of the same subclass,
    which the first term holds nearer, take no part in the second but for the views of the
    row itself: R(i) = P(i) without Q(i), D(i) = A(i) without Q(i), and to both the other
    views of i. There tau_i = tau d_c / mean(d), for a class c of n_c rows at the distances
    r_j from their mean,

    .. math:: d_c = \frac{1}{n_c \log(n_c + 10)} \sum_{j: y_j = c} r_j

    kept between the 20th and the 80th percentile of the classes; it is tau for a class that
    is not split, and never under tau / 10.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    base_temperature : float, default=None
        Temperature tau_0 that scales the first term; None leaves it as it is. The
        published code has 0.07.

    gamma : float, default=0.25
        Weight of the second term.

    form : {"rank", "ccl"}, default="rank"
        What the second term compares.

    cluster_size : int, default=10
        Fewest rows that a subclass is meant to have: a class of n_c rows is split into
        ``max(1, n_c // max(n_smallest, cluster_size))`` subclasses.

    warm_up : int, default=10
        Epochs of :class:`SupCon` on the classes before the first split.

    refresh_every : int, default=10
        Epochs between two splits.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    SupCon : Its classes are not split.

    Notes
    -----
    ``target`` (n,) holds class labels. A sample with target -1 is unlabelled: a class of
    its own, whose only positives are its other views. One view is enough with labels. Each
    term is the mean over the anchors that have a positive in it.

    **A training of no more than** ``warm_up`` **epochs is** :class:`SupCon` **alone.** Epochs
    are counted over the calls of ``fit`` with ``warm_start=True`` and of ``partial_fit``,
    which need the same rows again: subclasses are kept by row number, in
    ``objective_weights_["subclass"]``.

    The losses before and after the first split cannot be compared, so with
    ``early_stopping=True`` type ``warm_up=0``. Rows held out are split too, as their loss
    needs it.

    Called on tensors, ``subclass`` (n,) and, for the form "rank", ``relative_temperature``
    (C,) with the tau_c / tau may be given; without them no class is split.

    References
    ----------
    Hou et al., "Subclass-balancing contrastive learning for long-tailed recognition",
    ICCV 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SubclassBalanced
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0, 0, 0, 1])
    >>> subclass = torch.tensor([0, 0, 1, 2])
    >>> objective = SubclassBalanced(temperature=0.5)
    >>> objective(views, target=target, subclass=subclass).mean().round(decimals=4)
    tensor(1.6562)
    """

    requires = ("views", "target")
    min_views = 1

    _module = _BuiltSubclassBalanced

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "base_temperature": [Interval(Real, 0, None, closed="neither"), None],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "form": [StrOptions({"rank", "ccl"})],
        "cluster_size": [Interval(Integral, 1, None, closed="left")],
        "warm_up": [Interval(Integral, 0, None, closed="left")],
        "refresh_every": [Interval(Integral, 1, None, closed="left")],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        base_temperature: float | None = None,
        gamma: float = 0.25,
        form: Literal["rank", "ccl"] = "rank",
        cluster_size: int = 10,
        warm_up: int = 10,
        refresh_every: int = 10,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.base_temperature = base_temperature
        self.gamma = gamma
        self.form = form
        self.cluster_size = cluster_size
        self.warm_up = warm_up
        self.refresh_every = refresh_every
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        subclass: Tensor | None = None,
        relative_temperature: Tensor | None = None,
        index: Tensor | None = None,
        warming: bool = False,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target and subclass (n,) -> (V n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        for name, given in (("target", target), ("subclass", subclass)):
            if given is not None and given.shape != (n,):
                raise ValueError(
                    f"SubclassBalanced needs one {name} for each of the {n} samples, got a "
                    f"{name} of shape {tuple(given.shape)}: pass one of shape (n_samples,)."
                )
        flat = z.reshape(-1, width)  # (V n, d)
        labels = target.repeat(n_views)  # (V n,)
        parts = None if subclass is None else subclass.repeat(n_views)
        tau = temperature(None, anchor_index(index, z))

        def term(weights, tau):
            loss, valid = pair_loss(flat, flat, weights, tau, block_size=self.block_size)
            return mean_over(loss, valid)

        within, between, classes = relations(labels, parts, n)
        if warming:
            return term(classes, tau)
        scale = 1 if self.base_temperature is None else tau / self.base_temperature
        loss = scale * term(within, tau)
        if self.form == "ccl":
            return loss + self.gamma * term(classes, tau)
        if relative_temperature is not None:
            relative = relative_temperature.to(z.dtype)[labels.clamp_min(0)]
            tau = tau * torch.where(labels >= 0, relative, 1)
        return loss + self.gamma * term(between, tau)


def relations(labels, parts, n):
    """Pair weights over the rows of all views, by class and subclass labels (V n,).

    Three functions ``weights(rows, columns)``: Q among all, R among D, and P among all.
    """

    def of(rows, columns):
        others = distinct(rows, columns, labels.device)
        twin = same_sample(rows, columns, n, labels.device) & others
        own = labels[rows, None]
        in_class = (own == labels[columns]) & (own != -1) & others | twin
        in_part = in_class
        if parts is not None:
            in_part = in_class & (parts[rows, None] == parts[columns]) | twin
        return others, twin, in_class, in_part

    def within(rows, columns):
        others, _, _, in_part = of(rows, columns)
        return in_part, others

    def between(rows, columns):
        others, twin, in_class, in_part = of(rows, columns)
        return in_class & ~in_part | twin, others & ~in_part | twin

    def classes(rows, columns):
        others, _, in_class, _ = of(rows, columns)
        return in_class, others

    return within, between, classes
