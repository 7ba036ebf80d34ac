"""Soft-target contrastive loss: a row's target is a distribution over the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._typing import ArrayLike
from skcontrast.functional import distinct, dot, normalize, pair_loss, softmax_shares
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._likeness import (
    BuiltLabelObjective,
    check_classes,
    check_shape,
    row_table,
    square_table,
)


class SoftTarget(PairObjective):
    r"""Contrast of two views against a soft target, by how alike the classes are.

    With unit rows x, y of two views, cosines :math:`s_{ij} = s(x_i, y_j)` and a similarity
    :math:`\sigma` of classes c,

    .. math::

        T_{ij} = \frac{e^{\sigma(c_i, c_j)/\tau_T}}{\sum_k e^{\sigma(c_i, c_k)/\tau_T}},
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
        whatever the similarity.

    similarity : array of shape (n_classes, n_classes), default=None
        Similarity of the classes, in sorted order. None, without ``class_embeddings``, is 1
        for a class with itself and 0 for two classes.

    class_embeddings : array of shape (n_classes, q), default=None
        A vector for each class, in sorted order, such as the embedding of its name; the
        similarity is their cosine.

    block_size : int, default=None
        Side of a tile of the similarity matrix; None chooses by size.

    Notes
    -----
    ``target`` (n,) holds class labels. A sample with target -1 is unlabelled: its target
    is its own other view, and in the targets of other samples it has no weight. An array
    has a row for every class of ``y``, which each call of ``partial_fit`` has to hold.

    As in the published code, both directions have the same target, which is right where
    ``similarity`` is symmetric. The code trains with a ``target_temperature`` of 0.25.

    References
    ----------
    Burdisso, Madikeri and Motlicek, "Dialog2Flow: pre-training soft-contrastive
    action-driven sentence embeddings for automatic dialog flow extraction", EMNLP 2024.

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

    requires = ("views", "target")

    _module = BuiltLabelObjective

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "target_temperature": [Interval(Real, 0, None, closed="left")],
        "similarity": ["array-like", None],
        "class_embeddings": ["array-like", None],
    }

    def __init__(
        self,
        temperature: Temperature = 0.05,
        target_temperature: float = 0.35,
        similarity: ArrayLike | None = None,
        class_embeddings: ArrayLike | None = None,
        block_size: int | None = None,
    ):
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.similarity = similarity
        self.class_embeddings = class_embeddings
        self.block_size = block_size

    def class_table(self) -> Tensor | None:
        """Similarity (n_classes, n_classes) or vectors (n_classes, q) of the classes."""
        if self.similarity is not None and self.class_embeddings is not None:
            raise ValueError(
                "similarity and class_embeddings both say how alike classes are: type one of "
                "them, and None for the other."
            )
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
        target: Tensor,
        temperature: nn.Module,
        table: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) -> (n,)."""
        z = normalize(views)
        check_shape(self, target, z.shape[1])
        tau = temperature(None, anchor_index(index, z[:1]))
        shares = self.shares(target, table, z)

        def weights(rows, columns):
            return shares(rows, columns), None  # every row is a candidate

        def entropy(x, y):
            return pair_loss(x, y, weights, tau, block_size=self.block_size)[0]

        x = z[0]
        return sum(entropy(x, y) + entropy(y, x) for y in z[1:]) / (2 * (len(z) - 1))

    def shares(self, target: Tensor, table: Tensor | None, z: Tensor) -> Callable:
        """Give the function (rows, columns) -> T, whose full rows sum to 1 (at 0: any sum)."""

        def known(rows, columns):
            a, b = target[rows], target[columns]
            own = ~distinct(rows, columns, z.device)
            if self.target_temperature == 0:
                return ((a[:, None] == b) & (a != -1)[:, None]) | own
            return ((a != -1)[:, None] & (b != -1)) | own

        if self.target_temperature == 0:
            return known
        codes, alike = self._likeness(target, table, z)
        tau, options = self.target_temperature, {"block_size": self.block_size}
        return softmax_shares(codes, codes, tau, known, similarity=alike, **options)

    def _likeness(self, target, table, z):
        """Entries for the rows, (n,) or (n, q), and the similarity of two tiles of these."""
        codes = target.clamp_min(0).long()
        if table is None:
            return target, lambda a, b: (a[:, None] == b).to(z.dtype)
        table = table.to(z.dtype)
        if self.similarity is None:
            return normalize(table)[codes], dot
        return codes, lambda a, b: table[a][:, b]
