"""ConR: a contrast for regression, of rows that are predicted alike and are not."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import BlockSize, distinct, mean_over, normalize, pair_sums
from skcontrast.objectives._base import PairObjective, Temperature, anchor_index
from skcontrast.objectives._prediction import BuiltPrediction, predicted_numbers, regression_error

# Exponents of the pushing weight are kept below: its sum over rows is finite in float32.
HIGHEST = 60.0


class ConR(PairObjective):
    r"""Contrastive regularizer for regression: push apart rows that are confused.

    With unit rows z, cosines s, targets y and predictions p of a linear head on the
    embedding, let for anchor i

    .. math::

        P(i) = \{ j \ne i : |y_i - y_j| \le \omega \}, \qquad
        N(i) = \{ j : |y_i - y_j| > \omega, \; |p_i - p_j| \le \omega \}

    be the rows that are alike, and those that are only predicted to be. Then

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{j \in P(i)} \Big( s_{ij}/\tau
              - \log \Big( \sum_{k \in P(i)} e^{s_{ik}/\tau}
              + \sum_{k \in N(i)} e^{\eta |y_i - y_k|} e^{s_{ik}/\tau} \Big) \Big)

    where N(i) is not empty, else 0. The head is trained along: the loss is the error of
    its prediction plus the weighted l. No gradient goes from l into the predictions.

    Parameters
    ----------
    temperature : float, str or component, default=0.07
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    window : float, default=0.2
        Distance omega within which two targets, or two predictions, are alike, in units
        of the target: of its standard deviation when trained through an estimator.

    push : float, default=0.2
        Rate eta at which a negative counts more the farther its target is, in one over
        the units of the target.

    weight : float, default=0.2
        Weight of l beside the error of the prediction.

    error : {"absolute", "squared"}, default="absolute"
        The error of the prediction, the mean over the columns of the target.

    form : {"corrected", "reference"}, default="corrected"
        "corrected": as above. "reference": as in the published code, whose sum over P(i)
        adds one for every row that is not in P(i), anchor and negatives included.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n, t) holds numbers; a row with a NaN is unlabelled and takes no part.
    With several columns, distances are the largest over the columns. One view is enough;
    with more, every row of every view is an anchor. Rows without a positive do not count
    in the mean of l, where the published code gives NaN.

    The published settings are for ages in years: a window of 1, a rate of 0.01 and, beside
    an absolute error in years, a weight of 4. Where the standard deviation is 20 years,
    these are 0.05, 0.2 and 0.2 for the standardised target. The default window is wider, as
    a batch of a small table has few rows within 0.05.

    The head starts at zero and is in ``objective_weights_`` after a fit, as that of
    :class:`PredictionError`. Called on tensors there is none: the first t columns of the
    embedding (of the views, where none is given) are the prediction. Where ``prediction``
    (n, t) or (V, n, t) is passed, nothing is to be trained on it, and the loss is the
    weighted l alone.

    References
    ----------
    Keramati, Meng and Evans, "ConR: contrastive regularizer for deep imbalanced
    regression", ICLR 2024.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import ConR
    >>> views = torch.eye(4)[None]
    >>> target = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    >>> objective = ConR(temperature=0.5, push=0, weight=1)
    >>> objective(views, target=target, prediction=target).mean().round(decimals=4)
    tensor(0.)
    >>> objective(views, target=target, prediction=0 * target).mean().round(decimals=4)
    tensor(1.0986)
    """

    requires = ("views", "embedding", "target")
    target_type = "real"
    min_views = 1

    _module = BuiltPrediction

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "window": [Interval(Real, 0, None, closed="left")],
        "push": [Interval(Real, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="left")],
        "error": [StrOptions({"absolute", "squared"})],
        "form": [StrOptions({"corrected", "reference"})],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.07,
        window: float = 0.2,
        push: float = 0.2,
        weight: float = 0.2,
        error: Literal["absolute", "squared"] = "absolute",
        form: Literal["corrected", "reference"] = "corrected",
        block_size: BlockSize = "auto",
        target: str = "y",
    ):
        self.temperature = temperature
        self.window = window
        self.push = push
        self.weight = weight
        self.error = error
        self.form = form
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        head: nn.Module | None = None,
        index: Tensor | None = None,
        embedding: Tensor | None = None,
        prediction: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n, t) -> (V n,)."""
        z = normalize(views)
        p, y, labelled = predicted_numbers(views, target, head, embedding, prediction)
        tau = temperature(None, anchor_index(index, z))
        contrast = self.weight * mean_over(*self.contrast(z.flatten(0, 1), y, p, tau, labelled))
        if prediction is not None:
            return contrast
        return mean_over(regression_error(p, y, self.error).mean(1), labelled) + contrast

    def contrast(
        self,
        z: Tensor,
        y: Tensor,
        p: Tensor,
        temperature: float | Tensor,
        labelled: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The term l of each unit row z (n, d), and which rows have a positive: both (n,).

        ``y`` and ``p`` (n, t) are targets and predictions. Only ``labelled`` (n,) rows take
        part, by default all; ``weight`` (n,) is a factor of all negatives of a row. A row
        without a positive or without a negative has loss 0.
        """
        p = p.detach()
        labelled = torch.ones_like(y[:, 0], dtype=torch.bool) if labelled is None else labelled

        def pairs(rows, columns):
            distance = farthest(y[rows], y[columns])
            take_part = labelled[rows, None] & labelled[columns]
            take_part = take_part & distinct(rows, columns, z.device)
            near = distance <= self.window
            confused = take_part & ~near & (farthest(p[rows], p[columns]) <= self.window)
            return take_part & near, confused, distance

        def weights(rows, columns):
            positive, negative, distance = pairs(rows, columns)
            push = (self.push * distance).clamp_max(HIGHEST).exp().to(z.dtype)
            push = push if weight is None else push * weight[rows, None]
            return positive, torch.where(negative, push, positive.to(z.dtype))

        sums = pair_sums(z, z, weights, temperature, block_size=self.block_size)
        with torch.no_grad():
            # A sum that a negative adds nothing to in floating point still has one.
            rows = z.new_zeros(len(z), 1)
            negatives = pair_sums(
                rows, rows, lambda r, c: (pairs(r, c)[1], None), block_size=self.block_size
            ).mass
        valid = sums.mass > 0
        partition = torch.where(valid, sums.log_partition, 0)
        if self.form == "reference":
            ones = (labelled.sum() - sums.mass).clamp_min(1)
            partition = torch.logaddexp(partition, ones.log())
        attraction = sums.positive / sums.mass.clamp_min(1) / temperature
        return torch.where(valid & (negatives > 0), partition - attraction, 0), valid


def farthest(a, b):
    """Largest distance over the columns: (n, t), (m, t) -> (n, m)."""
    out = (a[:, None, 0] - b[:, 0]).abs()
    for j in range(1, a.shape[1]):
        out = torch.maximum(out, (a[:, None, j] - b[:, j]).abs())
    return out
