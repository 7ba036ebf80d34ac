"""PairwiseRanking: the order of a target, pair by pair."""

from typing import Any

from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import mean_over, softplus
from skcontrast.objectives._base import Objective
from skcontrast.objectives._prediction import BuiltPrediction, predicted_numbers


class PairwiseRanking(Objective):
    r"""Put rows in the order of a target, by a linear score of the embedding (RankNet).

    With the embedding h_i of row i, its target y_i, a linear head f that is trained along, and the
    rows D(i) of all views with a lower target,

    .. math::
        l_i = \frac{1}{|D(i)|} \sum_{j \in D(i)} \log \big( 1 + e^{m - (f(h_i) - f(h_j))} \big)

    over the rows with some below them; with several targets the mean over these. It is the
    logistic loss of Bradley and Terry's model of preferences, for all pairs of a batch. Only the
    order of the target counts, so it serves where numbers are ranks or grades, or what share of
    people preferred a row; added to :class:`PredictionError` it looks after the order, too.

    Parameters
    ----------
    margin : float, default=0.0
        How far m two scores should be apart.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    ListMLE : The order of the items of each query.
    PredictionError : The numbers themselves.

    Notes
    -----
    ``target`` (n, t) holds numbers; a row with a NaN is unlabelled. The head starts at zero, and
    is in ``objective_weights_`` after a fit; its bias has no part in the loss. Called on tensors
    there is no head: the first t columns of the embedding are the scores.

    References
    ----------
    Burges et al., "Learning to rank using gradient descent", ICML 2005. Kim et al., "Prefer to
    classify: improving text classifiers via auxiliary preference learning", ICML 2023: preferences
    between rows beside their classes.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PairwiseRanking
    >>> scores, grades = torch.tensor([[[2.0], [0.0]]]), torch.tensor([[3.0], [1.0]])
    >>> PairwiseRanking()(scores, target=grades).sum().round(decimals=4)  # log(1 + exp(-2)), twice
    tensor(0.2539)
    """

    requires = ("views", "embedding", "target")
    target_type = "real"
    min_views = 1

    _module = BuiltPrediction

    _parameter_constraints = {
        "margin": [Interval(Real, 0, None, closed="left")],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        margin: float = 0.0,
        target: str = "y",
    ):
        self.margin = margin
        self.target = target

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        head: nn.Module | None = None,
        embedding: Tensor | None = None,
        prediction: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: embedding (V, n, h), target (n, t) -> (V n,)."""
        f, y, labelled = predicted_numbers(views, target, head, embedding, prediction)
        pairs = (labelled[:, None] & labelled)[..., None]
        below = pairs & (y[:, None] > y)  # (V n, V n, t)
        each = softplus(self.margin - (f[:, None] - f))
        number = below.sum(1)
        loss = (each * below).sum(1) / number.clamp_min(1)  # (V n, t)
        counts = number > 0
        some = counts.any(1)
        return mean_over(loss.sum(1) / counts.sum(1).clamp_min(1), some)
