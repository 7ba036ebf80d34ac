"""Soft-target contrastive loss: a row's target is a distribution over the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast._typing import ArrayLike
from skcontrast.functional import (
    BlockSize,
    distinct,
    dot,
    linear_shares,
    normalize,
    pair_loss,
    softmax_shares,
)
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._guide import guide_rows
from skcontrast.objectives._likeness import (
    BuiltLabelObjective,
    check_classes,
    check_shape,
    row_table,
    square_table,
)


class SoftTarget(PairObjective):
    r"""Contrast of two views against a soft target, by how alike classes or rows are.

    With unit rows x, y of two views, cosines :math:`s_{ij} = s(x_i, y_j)` and a similarity
    :math:`\sigma_{ij}`, of the classes of two rows or of what else is known of them,

    .. math::

        T_{ij} = \alpha \frac{e^{\sigma_{ij}/\tau_T}}{\sum_k e^{\sigma_{ik}/\tau_T}}
                 + (1 - \alpha) \mathbb 1[i = j],
        \qquad
        H_i(s) = -\sum_j T_{ij} \Big( s_{ij}/\tau - \log \sum_k e^{s_{ik}/\tau} \Big)

    .. math::

        l_i = \tfrac{1}{2} \big( H_i(s) + H_i(s^\top) \big)

    The rows of the first view are the anchors. With more than two views their loss is the
    mean over the other views.

    Parameters
    ----------
    temperature : float, str or component, default=0.05
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    target_temperature : float, default=0.35
        Temperature of the target: the smaller, the less weight classes that are merely
        alike have. At 0 the target is hard: uniform over the rows of the same class,
        whatever the similarity; without classes, the row itself.

    similarity : {"prior", "view"} or array of shape (n_classes, n_classes), default=None
        What says how alike two rows are.

        - None, without ``class_embeddings``: 1 for equal classes, 0 for two classes.
        - array: the entry of their classes, in sorted order.
        - "prior": the cosine of the features given to ``fit`` as ``prior``, such as vectors of
          the rows in a graph. No labels are read.
        - "view": the cosine of their other views y, held constant. No labels are read.

    class_embeddings : array of shape (n_classes, q), default=None
        A vector for each class, in sorted order, such as the embedding of its name; the
        similarity is their cosine.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    alpha : float, default=1.0
        Share, in [0, 1], of the target that the similarities decide; the row's own other view
        has the rest. 0 is InfoNCE(form="two_way").

    scaling : {"softmax", "linear"}, default="softmax"
        How the similarities of a row become its target: by the softmax above, or by their
        differences from the least of them, divided by the sum of these.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) holds class labels. A sample with target -1 is unlabelled: its target
    is its own other view, and in the targets of other samples it has no weight. An array
    has a row for every class of ``y``, which each call of ``partial_fit`` has to hold.

    As in the published code, both directions have the same target, which is right where
    ``similarity`` is symmetric. The code trains with a ``target_temperature`` of 0.25.
    ConGraT has ``similarity="prior", scaling="linear", alpha=0.1``, and M3CoL
    ``similarity="view"`` with both temperatures 0.125; it sends a gradient through the target
    too. The mixtures of its first epochs are :class:`CrossMixup`.

    Called on tensors, ``prior`` may be (V, n, q), the features of each view: the rows of the
    first are then compared with those of the other.

    References
    ----------
    Burdisso, Madikeri and Motlicek, "Dialog2Flow: pre-training soft-contrastive
    action-driven sentence embeddings for automatic dialog flow extraction", EMNLP 2024.
    Brannon et al., "ConGraT: self-supervised contrastive pretraining for joint graph and text
    embeddings", 2023. Kumar et al., "Harnessing shared relations via multimodal mixup
    contrastive learning for multimodal classification", 2024 (M3CoL).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SoftTarget
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0, 0, 1, 2])
    >>> objective = SoftTarget(temperature=0.5, class_embeddings=[[1, 0], [1, 1], [0, 1]])
    >>> objective(views, target=target).mean().round(decimals=4)
    tensor(1.3988)
    """

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "target_temperature": [Interval(Real, 0, None, closed="left")],
        "similarity": [StrOptions({"prior", "view"}), "array-like", None],
        "class_embeddings": ["array-like", None],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "scaling": [StrOptions({"softmax", "linear"})],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.05,
        target_temperature: float = 0.35,
        similarity: Literal["prior", "view"] | ArrayLike | None = None,
        class_embeddings: ArrayLike | None = None,
        block_size: BlockSize = "auto",
        alpha: float = 1.0,
        scaling: Literal["softmax", "linear"] = "softmax",
        target: str = "y",
    ):
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.similarity = similarity
        self.class_embeddings = class_embeddings
        self.block_size = block_size
        self.alpha = alpha
        self.scaling = scaling
        self.target = target

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the labels, or what is compared in their place."""
        if isinstance(self.similarity, str):
            return ("views", "prior") if self.similarity == "prior" else ("views",)
        return "views", "target"

    @property
    def _module(self):
        return BuiltObjective if isinstance(self.similarity, str) else BuiltLabelObjective

    @property
    def _hard(self):
        return self.scaling == "softmax" and self.target_temperature == 0

    def build(self, n_samples: int) -> nn.Module:
        if self.similarity is not None and self.class_embeddings is not None:
            raise ValueError(
                "similarity and class_embeddings both say how alike rows are: type one of them, "
                "and None for the other."
            )
        return super().build(n_samples)

    def class_table(self) -> Tensor | None:
        """Similarity (n_classes, n_classes) or vectors (n_classes, q) of the classes."""
        if self.similarity is not None:
            return square_table(self.similarity, "similarity")
        if self.class_embeddings is not None:
            return row_table(self.class_embeddings, "class_embeddings")
        return None

    def check_target(self, target: Tensor, given: Any = None) -> None:
        """Raise where the classes of all rows do not suit; ``given`` is y as it came."""
        check_shape(self, target, len(target))
        table = self.class_table()
        if table is not None:
            name = "class_embeddings" if self.similarity is None else "similarity"
            check_classes(target, table, name, given is not None)

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        target: Tensor | None = None,
        table: Tensor | None = None,
        prior: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) or prior (n, q) -> (n,)."""
        z = normalize(views)
        tau = temperature(None, anchor_index(index, z[:1]))
        total, x = z.new_zeros(z.shape[1]), z[0]
        for y, (there, back) in zip(z[1:], self._targets(z, target, table, prior)):
            for a, b, shares in ((x, y, there), (y, x, back)):
                # Every row is a candidate.
                weights = lambda rows, columns, shares=shares: (shares(rows, columns), None)
                total = total + pair_loss(a, b, weights, tau, block_size=self.block_size)[0]
        return total / (2 * (len(z) - 1))

    def _targets(self, z, target, table, prior):
        """For each view but the first, T from the first to it and T back."""
        if not isinstance(self.similarity, str):
            check_shape(self, target, z.shape[1])
            return [2 * (self._of_classes(target, table, z),)] * (len(z) - 1)
        if self.similarity == "view":
            return [2 * (self._of_rows(y, y),) for y in z[1:]]
        g = guide_rows(z, "prior", prior)
        if prior.ndim == 2:
            return [2 * (self._of_rows(g[0], g[0]),)] * (len(z) - 1)
        return [(self._of_rows(g[0], other), self._of_rows(other, g[0])) for other in g[1:]]

    def _of_rows(self, a, b):
        """T of rows (n, q) by their cosines with others."""

        def keep(rows, columns):
            own = ~distinct(rows, columns, a.device)
            return own if self._hard else torch.ones_like(own)

        return self.shares(a, b, keep, dot)

    def _of_classes(self, target, table, z):
        """T of rows by their classes (n,)."""

        def known(rows, columns):
            a, b = target[rows], target[columns]
            own = ~distinct(rows, columns, z.device)
            alike = (a[:, None] == b) if self._hard else (b != -1)
            return (alike & (a != -1)[:, None]) | own

        if self._hard:
            return self.shares(target, target, known, lambda a, b: z.new_zeros(len(a), len(b)))
        codes, alike = self._likeness(target, table, z)
        return self.shares(codes, codes, known, alike)

    def shares(self, a: Tensor, b: Tensor, keep: Callable, alike: Callable) -> Callable:
        """Give the function (rows, columns) -> T, whose full rows sum to 1."""
        options = {"similarity": alike, "block_size": self.block_size}
        if self.scaling == "linear":
            soft = linear_shares(a, b, keep, **options)
        else:
            soft = softmax_shares(a, b, self.target_temperature or 1.0, keep, **options)
        if self.alpha == 1:
            return soft

        def mixed(rows, columns):
            target = soft(rows, columns)
            own = ~distinct(rows, columns, a.device)
            return self.alpha * target + (1 - self.alpha) * own.to(target.dtype)

        return mixed

    def _likeness(self, target, table, z):
        """Entries for the rows, (n,) or (n, q), and the similarity of two tiles of these."""
        codes = target.clamp_min(0).long()
        if table is None:
            return target, lambda a, b: (a[:, None] == b).to(z.dtype)
        table = table.to(z.dtype)
        if self.similarity is None:
            return normalize(table)[codes], dot
        return codes, lambda a, b: table[a][:, b]
