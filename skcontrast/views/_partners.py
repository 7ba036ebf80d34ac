"""Rows that belong together: one is drawn as the view of another."""

from collections.abc import Callable

import numpy as np
import torch

from skcontrast._inputs.rows import Rows
from skcontrast.views._base import View

# Rows of its group that the least similar one is chosen from.
N_DRAWS = 8


def partners(rows: Rows, view: Callable) -> Callable:
    """Make the view that replaces a row by another one of its group, then changes it.

    A row that is alone in its group stays itself. Rows held out for early stopping are
    given rows that are held out too.

    Parameters
    ----------
    rows : Rows
        With the side information ``pairs``.

    view : callable
        ``(x, index) -> x'``.
    """
    draw = other_of_group(rows, "pairs")

    def partner(x, index):
        other = draw(index)
        return view(rows.take(other), other)

    return partner


def block_view(rows: Rows, view: Callable, block: int) -> Callable:
    """Make the view that replaces a row by what it is in one of the blocks, then changes it.

    Parameters
    ----------
    rows : Rows
        Those of all blocks, block after block.

    view : callable
        ``(x, index) -> x'``.

    block : int
        Number of the block.
    """
    start = block * (rows.n_rows // rows.n_given)

    def change(x, index):
        own = (index + start).to(rows.index_device)
        return view(rows.take(own), own)

    return change


def other_of_group(rows: Rows, side: str) -> Callable:
    """Make the function that draws for row numbers (n,) another row of the group of each.

    Parameters
    ----------
    rows : Rows
        With the side information ``side``.

    side : {"pairs", "groups"}
    """
    home = rows.index_device
    trained = np.zeros(rows.n_rows, dtype=np.int64)
    trained[rows.train_index.cpu().numpy()] = 1
    key = 2 * rows.side[side].cpu().numpy() + trained
    _, code, count = np.unique(key, return_inverse=True, return_counts=True)
    by_group = np.argsort(code, kind="stable")
    place = np.empty(rows.n_rows, dtype=np.int64)
    place[by_group] = np.arange(rows.n_rows)
    start = np.cumsum(count) - count
    # By row: members of its group, where they begin in ``order``, and its place among them.
    found = by_group, count[code], start[code], place - start[code]
    order, members, first, own = (torch.as_tensor(a, device=home) for a in found)

    def draw(index):
        index = index.to(home)
        n = members[index]
        # Another place than its own, all equally likely.
        step = 1 + (torch.rand(len(index), device=home) * (n - 1)).floor().to(torch.int64)
        step = step.minimum((n - 1).clamp_min(1))
        return order[first[index] + (own[index] + step) % n]

    return draw


def farthest(rows, x, drawn):
    """Rows out of those ``drawn``, tensors (n,) of row numbers: of each the farthest from ``x``.

    Parameters
    ----------
    rows : Rows

    x : tensor or SparseBatch of shape (n, n_features)

    drawn : list of tensors of shape (n,)
    """
    if len(drawn) == 1:
        return rows.take(drawn[0])
    dense = lambda batch: batch if torch.is_tensor(batch) else batch.to_dense()
    x, best, chosen = dense(x), None, drawn[0]
    for index in drawn:  # one draw at a time: no tensor of all candidates is made
        apart = (dense(rows.take(index)) - x).square().sum(1).to(index.device)
        if best is not None:
            chosen = torch.where(apart > best, index, chosen)
        best = apart if best is None else torch.maximum(apart, best)
    return rows.take(chosen)


class SameGroup(View):
    r"""Replace each row by another row of its group.

    .. math:: x'_i = X_r, \qquad r \sim \mathrm{Uniform}\{ r \ne i : g_r = g_i \}

    with the groups g of ``fit(X, groups=...)``. A row that is alone in its group stays itself.
    With ``hardest=True`` it is, of up to 8 such draws, the row least like row i, by the
    distance of their standardised features.

    In a composition this view comes first, as it discards what came before it. Rows of one
    group are then no negatives: type ``InfoNCE(exclude="groups")``.

    Parameters
    ----------
    hardest : bool, default=False
        Whether the least similar of several draws is taken.

    Notes
    -----
    Given to an objective that reads no groups, and without this view, ``groups`` make pairs by
    themselves, and batches have one row of a group at a time. This view leaves the batches as
    they are.

    References
    ----------
    Ayush et al., "Geography-aware self-supervised learning", ICCV 2021: pictures of one place
    at different times. Zeng et al., "Automatic biomedical term clustering by learning
    fine-grained term representations", BioNLP 2022: the least similar synonyms.

    Examples
    --------
    >>> import numpy as np
    >>> from skcontrast._inputs.rows import table_rows
    >>> from skcontrast.views import SameGroup
    >>> X, groups = np.array([[0.0], [1.0], [5.0], [7.0]]), np.array([0, 0, 1, 1])
    >>> rows = table_rows(X, {"groups": groups})
    >>> x = rows.take(rows.train_index)
    >>> SameGroup().build(rows)(x, rows.train_index).T
    tensor([[1., 0., 7., 5.]])
    """

    requires = ("groups",)

    _parameter_constraints = {"hardest": ["boolean"]}

    def __init__(self, hardest: bool = False):
        self.hardest = hardest

    @property
    def reads(self) -> frozenset[str]:
        """Kinds of rows: the least similar one is found of numbers alone."""
        return frozenset({"numbers" if self.hardest else "any"})

    def build(self, rows: Rows) -> Callable:
        draw = other_of_group(rows, "groups")
        n_draws = N_DRAWS if self.hardest else 1
        return lambda x, index: farthest(rows, x, [draw(index) for _ in range(n_draws)])
