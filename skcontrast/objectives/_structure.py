"""StructureConsistency: how alike rows are should not depend on the view."""

from itertools import combinations
from typing import Any, Literal

from torch import Tensor

from skcontrast._component import StrOptions
from skcontrast.functional import normalize
from skcontrast.objectives._base import Objective


class StructureConsistency(Objective):
    r"""Difference of the cosines between rows in one view and in another.

    With the cosine :math:`G^v_{ij}` of the rows i and j in view v,

    .. math::

        l_i = \frac{2}{V (V - 1)} \sum_{v < w} \frac{1}{n - 1}
              \sum_{j \ne i} \big( G^v_{ij} - G^w_{ij} \big)^2

    It is 0 where views are equal, and where all rows are one, so that it stands beside a contrast:
    ``InfoNCE() + StructureConsistency()``.

    Parameters
    ----------
    of : {"embedding", "projection"}, default="embedding"
        The vectors whose cosines are compared: the embedding, or what the contrast compares.

    Notes
    -----
    The paper that this is after compares the attention patterns of two views, by their mutual
    information. Networks here have no attention, so that the pattern is that between rows, and
    the squared difference is this package's. No matrix of pairs is formed: with A and B the sum
    and the difference of the unit rows of two views, :math:`G^v - G^w = (A B^T + B A^T) / 2`.

    References
    ----------
    Klein and Nabi, "miCSE: mutual information contrastive learning for low-shot sentence
    embeddings", ACL 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import StructureConsistency
    >>> views = torch.stack([torch.eye(2), torch.tensor([[1.0, 0.0], [0.6, 0.8]])])
    >>> StructureConsistency()(views).round(decimals=4)
    tensor([0.3600, 0.3600])
    """

    requires = ("views", "embedding")

    _parameter_constraints = {"of": [StrOptions({"embedding", "projection"})]}

    def __init__(self, of: Literal["embedding", "projection"] = "embedding"):
        self.of = of

    def loss(self, views: Tensor, embedding: Tensor | None = None, **named: Any) -> Tensor:
        """Loss of each row: embedding (V, n, h) -> (n,)."""
        h = normalize(views if self.of == "projection" or embedding is None else embedding)
        pairs = list(combinations(h, 2))
        return sum(_gap(a, b) for a, b in pairs) / len(pairs)


def _gap(first, second):
    """Mean squared difference of each row's cosines with the others: (n, h), (n, h) -> (n,)."""
    a, b = first + second, first - second
    # Products of differences: equal views give 0, and near ones lose no digits.
    whole = ((a @ (b.mT @ b)) * a + 2 * (a @ (b.mT @ a)) * b + (b @ (a.mT @ a)) * b).sum(1) / 4
    own = (a * b).sum(1).square()
    return (whole - own) / (len(a) - 1)
