"""Scores of pairs as numbers to predict: by how alike the two views of a sample are."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import mean_over, normalize
from skcontrast.objectives._base import BuiltObjective, Objective
from skcontrast.objectives._prediction import predicted_numbers


class _BuiltPairScore(BuiltObjective):
    """With the line from a cosine to a score, which starts as the identity."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.log_slope, self.shift = (nn.Parameter(torch.zeros(())) for _ in range(2))

    def forward(self, views, **named):
        return super().forward(views, line=(self.log_slope.exp(), self.shift), **named)


class PairScore(Objective):
    r"""Squared error of a pair's score, predicted by the cosine of its two rows.

    With unit rows x, y of two views, the score g of the pair, and a slope a > 0 and a shift b
    that are trained along,

    .. math:: l_i = (a \, x_i \cdot y_i + b - g_i)^2

    A slow scorer of pairs, such as a network that reads both texts at once, is so distilled
    into an embedding, whose rows are compared by one product each. Pairs without a score, NaN,
    do not count. With more than two views the loss is the mean over the pairs of the first
    view and another.

    Parameters
    ----------
    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n,) holds the scores. The two rows of a pair are its views: of one table give
    them by ``groups``, two rows with the same score each, and with ``views=None`` they are
    compared as they are. An estimator standardises the scores, so that after a fit, in their
    own units, a pair scores ``target_mean_ + target_scale_ * (exp(log_slope) * cosine +
    shift)``, with ``log_slope`` and ``shift`` in ``objective_weights_``. The order of the pairs
    is that of the cosines.

    References
    ----------
    Barkan et al., "Scalable attentive sentence-pair modeling via distilled sentence
    embedding", AAAI 2020. They predict the score by a network of both vectors; here it is
    the cosine, which any index of vectors can search by.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PairScore
    >>> views = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    >>> PairScore()(views, target=torch.tensor([1.0, 0.5])).detach()
    tensor([0.0000, 0.2500])
    """

    requires = ("views", "target")
    target_type = "real"

    _module = _BuiltPairScore

    _parameter_constraints = {
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(self, target: str = "y"):
        self.target = target

    def loss(
        self, views: Tensor, target: Tensor, line: tuple[Tensor, Tensor], **named: Any
    ) -> Tensor:
        """Loss of each pair: views (V, n, d), target (n,) or (n, 1) -> (n,)."""
        z = normalize(views)
        slope, shift = line
        scores = slope * (z[:1] * z[1:]).sum(-1, keepdim=True) + shift  # (V - 1, n, 1)
        p, g, scored = predicted_numbers(scores, target, None, None, scores)
        error = (p - g.to(p.dtype)).square().view(scores.shape[:2]).mean(0)  # (n,)
        return mean_over(error, scored[: len(error)])
