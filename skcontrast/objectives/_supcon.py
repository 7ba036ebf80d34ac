"""Supervised contrastive learning."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast._typing import ArrayLike
from skcontrast.functional import BlockSize, distinct, mean_over, normalize, pair_loss
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample
from skcontrast.objectives._likeness import (
    BuiltLabelObjective,
    check_classes,
    check_indicators,
    check_shape,
    common_prefix,
    jaccard,
    looked_up,
    square_table,
)


class SupCon(PairObjective):
    r"""Supervised contrastive loss: every row of the same class is a positive.

    With unit rows z of all views, cosines s, P(i) the other rows of anchor i's class and
    A(i) all other rows,

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( s_{ip}/\tau
              - \log \sum_{k \in A(i)} e^{s_{ik}/\tau} \Big)
        \qquad \text{("outside")}

    .. math::

        l_i = -\log \frac{\frac{1}{|P(i)|} \sum_{p \in P(i)} e^{s_{ip}/\tau}}
                         {\sum_{k \in A(i)} e^{s_{ik}/\tau}}
        \qquad \text{("inside")}

    Labels that are more or less alike make graded positives: with weights
    :math:`w_{ip} \ge 0` in place of membership in P(i), each mean over P(i) becomes the
    weighted mean :math:`\sum_p w_{ip} (\cdot) / \sum_p w_{ip}`.

    Anchors without a positive (the only row of their class) do not count: the loss is
    the mean over the anchors that have one.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    form : {"outside", "inside"}, default="outside"
        Where the mean over the positives is taken; the authors recommend "outside".
        "inside" is never larger.

    anchors : {"all", "first"}, default="all"
        Whether the rows of every view are anchors or only those of the first view.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    label_similarity : {"equal", "jaccard", "tree"} or array, default="equal"
        Weight w of a pair of rows by their labels.

        - "equal": 1 for equal classes, else 0.
        - "jaccard": for rows with several labels, the share of common ones,
          :math:`|L_i \cap L_j| / |L_i \cup L_j|`, 0 where both sets are empty. ``y``
          (n, t) holds 1 where a row has a label and 0 where it has not; it may be sparse.
        - "tree": for groups within groups, the number of leading columns that are equal,
          divided by t. ``y`` (n, t) holds names (or numbers) of the groups from the
          widest to the narrowest.
        - array (n_classes, n_classes) of non-negative numbers: the entry of the two
          classes, in sorted order; each call of ``partial_fit`` has to hold them all.

    target : str, default="y"
        What says which rows are positives: y, "condition", "groups", or the name of one of several
        targets in y. "groups" are those of ``fit(X, groups=...)``, such as the subject that a
        series is of, and ``label_similarity`` is "equal".

    margin : float, default=0.0
        Margin m: :math:`m (1 - w_{ik})` is added to every cosine, so that rows have to lie further
        apart the less alike their labels are; in a tree, by the levels that they share.

    Notes
    -----
    ``target`` (n,) holds class labels. A sample with target -1 is unlabelled: a class of
    its own, whose only positives are its other views. One view is enough with labels.

    A row of labels ("jaccard", "tree") is unlabelled when all its entries are -1; in a
    tree a single -1 is an unknown group, which is equal to nothing. With "equal",
    "jaccard" and "tree" the other views of a row have the weight 1; an array gives them
    its diagonal.

    References
    ----------
    Khosla et al., "Supervised contrastive learning", NeurIPS 2020. The graded weights and their
    margins are those of this package: "equal" is the published loss.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SupCon
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0, 0, 1, -1])
    >>> SupCon(temperature=0.5)(views, target=target).mean().round(decimals=4)
    tensor(1.2611)

    The first row shares one of two labels with the second:

    >>> target = torch.tensor([[1, 1], [1, 0], [0, 1], [0, 0]])
    >>> graded = SupCon(temperature=0.5, label_similarity="jaccard")
    >>> graded(views, target=target).mean().round(decimals=4)
    tensor(1.4278)
    """

    min_views = 1

    _module, never_draws = BuiltLabelObjective, True

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "form": [StrOptions({"outside", "inside"})],
        "anchors": [StrOptions({"all", "first"})],
        "label_similarity": [StrOptions({"equal", "jaccard", "tree"}), "array-like"],
        "target": TARGET_CONSTRAINTS,
        "margin": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        form: Literal["outside", "inside"] = "outside",
        anchors: Literal["all", "first"] = "all",
        block_size: BlockSize = "auto",
        label_similarity: Literal["equal", "jaccard", "tree"] | ArrayLike = "equal",
        target: str = "y",
        margin: float = 0.0,
    ):
        self.temperature = temperature
        self.form = form
        self.anchors = anchors
        self.block_size = block_size
        self.label_similarity = label_similarity
        self.target = target
        self.margin = margin

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the labels, or the groups in their place."""
        return "views", "groups" if self.target == "groups" else "target"

    def build(self, n_samples: int) -> nn.Module:
        if self.target == "groups" and self._rule != "equal":
            raise ValueError(
                "SupCon(target='groups') compares whether two rows are of one group: type "
                "label_similarity='equal'."
            )
        return super().build(n_samples)

    @property
    def target_type(self) -> str:
        """What the target holds: columns of labels for "jaccard" and "tree"."""
        return "labels" if self._rule in ("jaccard", "tree") else "class"

    @property
    def _rule(self):
        return self.label_similarity if isinstance(self.label_similarity, str) else "table"

    def class_table(self) -> Tensor | None:
        """Weights (n_classes, n_classes), where an array was given."""
        if self._rule != "table":
            return None
        return square_table(self.label_similarity, "label_similarity", nonnegative=True)

    def check_target(self, target: Tensor, given: Any = None) -> None:
        """Raise where the labels of all rows do not suit; ``given`` is y as it came."""
        check_shape(self, target, len(target))
        if self._rule == "jaccard":
            check_indicators(target, given, "label_similarity='jaccard'")
        elif self._rule == "table":
            check_classes(target, self.class_table(), "label_similarity", given is not None)

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        table: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) or (n, t) -> (V n,), or (n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        check_shape(self, target, n)
        flat = z.reshape(-1, width)  # (V n, d)
        first = self.anchors == "first"
        tau = temperature(None, anchor_index(index, z[:1] if first else z))
        attraction = self._attraction(target, n_views, table, z)

        def weights(rows, columns):
            others = distinct(rows, columns, z.device)
            own = same_sample(rows, columns, n, z.device)
            return attraction(rows, columns, own) * others, others

        def margins(rows, columns):
            alike = attraction(rows, columns, same_sample(rows, columns, n, z.device))
            return self.margin * (1 - alike.to(z.dtype)).clamp_min(0)

        loss, valid = pair_loss(
            z[0] if first else flat,
            flat,
            weights,
            tau,
            bias=margins if self.margin else None,
            form=self.form,
            block_size=self.block_size,
        )
        return mean_over(loss, valid)

    def _attraction(self, target, n_views, table, z):
        """Give the function (rows, columns, own) -> weights of the pairs, (rows, columns)."""
        rule = self._rule
        labels = target.repeat(n_views, *[1] * (target.ndim - 1))  # (V n,) or (V n, t)
        if rule == "jaccard":
            # An unlabelled row has no labels.
            labels = labels.to(z.dtype).clamp_min(0)
        elif rule == "table":
            table = table.to(z.dtype)

        def attraction(rows, columns, own):
            a, b = labels[rows], labels[columns]
            if rule == "equal":
                return ((a[:, None] == b) & (a[:, None] != -1)) | own
            if rule == "table":
                own = own & (a == -1)[:, None]
                weight = looked_up(table, a, b)
            else:
                weight = jaccard(a, b) if rule == "jaccard" else common_prefix(a, b, z.dtype)
            return torch.where(own, 1, weight)

        return attraction
