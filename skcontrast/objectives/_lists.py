"""Graded lists: the items of a query, in the order of their grades."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import (
    BlockSize,
    distinct,
    gaussian_distance,
    mean_over,
    normalize,
    pair_sums,
)
from skcontrast.objectives._base import Objective, PairObjective, Temperature, anchor_index
from skcontrast.temperatures import TEMPERATURE_CONSTRAINTS


def grades_of(target, n):
    """The grades (n,) that a target (n,) or (n, 1) holds, NaN for rows without one."""
    if target.shape not in ((n,), (n, 1)):
        raise ValueError(
            f"The target has the shape {tuple(target.shape)}, and each of the {n} rows has one "
            "grade: pass y of shape (n_samples,)."
        )
    return target.reshape(n)


def scores_of(views):
    """Cosine of the first view of each row and each other one: (V, n, d) -> (V - 1, n)."""
    z = normalize(views)
    return (z[:1] * z[1:]).sum(-1)


class ListMLE(PairObjective):
    r"""Put the items of a list in the order of their grades, the best first.

    Row i is a query and an item. With unit rows x, y of the two, :math:`s_i = x_i \cdot y_i`,
    and D(i) the rows of the same group, which is the list of a query, with a lower grade,

    .. math:: l_i = -s_i/\tau + \log \Big( e^{s_i/\tau} + \sum_{k \in D(i)} e^{s_k/\tau} \Big)

    over the rows with some below them. Items of one grade do not compete. In a list of two it is
    the logistic loss of the better one; with grades 0 and 1 each item of grade 1 is found among
    those of grade 0.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned".

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the matrix of pairs; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    ListwiseWasserstein : Match the distribution of the scores to that of the grades.
    RankNContrast : Order by the distance of numbers, without lists.

    Notes
    -----
    ``target`` (n,) holds grades, NaN for rows without one, and ``groups`` (n,) the queries:
    ``MultiViewContrastiveEncoder(objective=ListMLE()).fit(X, y=grades, groups=queries)``, of
    rows with a block for the query and one for the item. All rows of a group are in one batch.
    With more than two views the loss is the mean over the pairs of the first and another.

    References
    ----------
    Xia et al., "Listwise approach to learning to rank: theory and algorithm", ICML 2008, whose
    lists have no ties.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ListMLE
    >>> views = torch.tensor([[[1.0, 0.0]] * 3, [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
    >>> ListMLE(0.5)(views, target=torch.tensor([2.0, 1.0, 0.0]), groups=torch.zeros(3))
    tensor([0.2144, 0.1904, 0.0000])
    """

    requires = ("views", "target", "groups")
    target_type = "real"
    whole_groups = True

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        target: Tensor,
        groups: Tensor,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each row: views (V, n, d), target and groups (n,) -> (n,)."""
        n = views.shape[1]
        grade = grades_of(target, n)
        tau = temperature(None, anchor_index(index, views[:1]))

        def weights(rows, columns):
            # A NaN is neither below nor above.
            below = grade[columns] < grade[rows, None]
            below = below & (groups[rows, None] == groups[columns])
            return below, below | ~distinct(rows, columns, views.device)

        def of_candidates(a, b):
            return b[:, 0].expand(len(a), len(b))

        options = {"similarity": of_candidates, "block_size": self.block_size}
        total = views.new_zeros(n)
        for s in scores_of(views):
            sums = pair_sums(s[:, None], s[:, None], weights, tau, **options)
            total = total + sums.log_partition - s / tau
        return mean_over(total / (len(views) - 1), sums.mass > 0)


class ListwiseWasserstein(Objective):
    r"""Match the scores of lists to their grades, as distributions over positions.

    Row i is a query and an item. With unit rows x, y of the two, :math:`s_i = x_i \cdot y_i`,
    the grade :math:`g_i`, and a list of L rows in each group,

    .. math::

        P = \mathrm{softmax}(s / \tau), \qquad T = \mathrm{softmax}(g / \tau_T), \qquad
        L = \|\mu_P - \mu_T\|^2 + \mathrm{tr} \big( C_P + C_T - 2 (C_P C_T)^{1/2} \big)

    with the softmax over a list, and means :math:`\mu` and covariances C of its L shares over
    the lists of a batch: the squared 2-Wasserstein distance of two Gaussians.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau of the scores: a positive number or "learned".

    target_temperature : float, default=1.0
        Temperature of the grades: the smaller, the more the best items of a list count. An
        estimator standardises the grades first.

    order : {"grade", "rows"}, default="grade"
        Which items of two lists have the same position: those of the same rank by falling
        grade, of equal ones the first in X, or those that stand alike in X.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    ListMLE : Takes lists of any length, and the order of the grades alone.

    Notes
    -----
    ``target`` (n,) holds grades and ``groups`` (n,) the queries, as for :class:`ListMLE`, all
    with as many rows. A list with a missing grade, NaN, does not count. A batch should have more
    than L lists, or the covariances say little. Where all lists have the same grades it is the
    mean of :math:`\|P - T\|^2`.

    With more than two views the loss is the mean over the pairs of the first and another.

    References
    ----------
    Esfandiarpoor et al., "Beyond contrastive learning: synthetic data enables list-wise
    training with multiple levels of relevance", Findings of EMNLP 2025: ``order="rows"``.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ListwiseWasserstein
    >>> views = torch.tensor([[[1.0, 0.0]] * 4, [[1.0, 0.0], [0.0, 1.0]] * 2])
    >>> lists = {"target": torch.tensor([1.0, 0.0] * 2), "groups": torch.tensor([0, 0, 1, 1])}
    >>> ListwiseWasserstein(1.0)(views, **lists)
    tensor(0.)
    """

    requires = ("views", "target", "groups")
    target_type = "real"
    whole_groups = True

    _shorthand = {"temperature": "skcontrast.temperatures:TEMPERATURES"}
    _parameter_constraints = {
        "temperature": TEMPERATURE_CONSTRAINTS,
        "target_temperature": [Interval(Real, 0, None, closed="neither")],
        "order": [StrOptions({"grade", "rows"})],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        target_temperature: float = 1.0,
        order: Literal["grade", "rows"] = "grade",
        target: str = "y",
    ):
        self.temperature = temperature
        self.target_temperature = target_temperature
        self.order = order
        self.target = target

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        target: Tensor,
        groups: Tensor,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of a batch: views (V, n, d), target and groups (n,) -> ()."""
        grade = grades_of(target, views.shape[1]).to(views.dtype)
        tau = temperature(None, anchor_index(index, views[:1]))
        lists = self._lists(grade, groups, index)  # (m, L)
        lists = lists[~grade[lists].isnan().any(1)]
        if not len(lists):
            return views.sum() * 0.0
        shares = (grade[lists] / self.target_temperature).softmax(1)
        scores = scores_of(views) / tau
        return sum(gaussian_distance(s[lists].softmax(1), shares) for s in scores) / len(scores)

    def _lists(self, grade, groups, index):
        """Places in the batch of the rows of each list, by their positions: (m, L)."""
        order = torch.arange(len(grade), device=grade.device) if index is None else index.argsort()
        if self.order == "grade":
            order = order[grade[order].argsort(descending=True, stable=True)]
        order = order[groups[order].argsort(stable=True)]
        sizes = groups.unique(return_counts=True)[1].tolist()
        if min(sizes) != max(sizes):
            raise ValueError(
                f"ListwiseWasserstein compares lists of one length, and groups have from "
                f"{min(sizes)} to {max(sizes)} rows: pass as many rows of each group, or type "
                "objective='list_mle', which takes any number."
            )
        return order.view(len(sizes), -1)
