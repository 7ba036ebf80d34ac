"""Terms that predict the target from the embedding, with a linear head of their own."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skcontrast._component import Interval, Real, StrOptions
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import mean_over
from skcontrast.objectives._base import BuiltObjective, Objective


class BuiltPrediction(BuiltObjective):
    """An objective with a linear head, whose width is that of the target."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.head = None

    def prepare(self, side, given, n_components=None):
        self.head = zero_head(n_components, side["target"].shape[1])

    def forward(self, views, **named):
        return super().forward(views, head=self.head, **named)


def zero_head(n_in, n_out):
    """A linear map that starts at zero: at the mean of the target, or at even odds."""
    # No draw is spent on it: batches and views are those of a training without the term.
    head = nn.utils.skip_init(nn.Linear, n_in, n_out)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def predictions(views, head, embedding, prediction):
    """Prediction for each row of every view: (V n, columns).

    What was given as ``prediction`` (n, columns) or (V, n, columns), else the head's, else
    the columns of the embedding as they are; without a network the views are the embedding.
    """
    if prediction is None:
        h = views if embedding is None else embedding
        out = h if head is None else head(h)
    else:
        out = prediction[:, None] if prediction.ndim == 1 else prediction
        out = out.expand(*views.shape[:2], -1)
    return out.flatten(0, 1)


def predicted_numbers(views, target, head, embedding, prediction):
    """Prediction and real target (V n, t) for each row of every view, and which have a label.

    The target of those without is zero: a NaN would spoil the gradient of all.
    """
    n_views, n = views.shape[:2]
    if target.ndim not in (1, 2) or len(target) != n:
        raise ValueError(
            f"The target has the shape {tuple(target.shape)}, but there are {n} samples: pass "
            f"numbers of shape ({n},) or ({n}, n_targets), NaN for rows without a label."
        )
    y = target.reshape(n, -1)
    p = predictions(views, head, embedding, prediction)
    n_targets, n_columns = y.shape[1], p.shape[1]
    if n_columns < n_targets or (prediction is not None and n_columns != n_targets):
        what = "embedding" if prediction is None else "prediction"
        raise ValueError(
            f"The target has {n_targets} columns and the {what} {n_columns}: pass prediction= of "
            f"shape ({n}, {n_targets}), or train through an estimator, which makes a head."
        )
    labelled = ~y.isnan().any(1)
    y = torch.where(labelled[:, None], y, 0)
    return p[:, :n_targets], y.repeat(n_views, 1), labelled.repeat(n_views)


def regression_error(p, y, error, delta=1.0):
    """Error of each entry: p and y are of one shape."""
    y = y.to(p.dtype)
    if error == "squared":
        return (p - y).square()
    if error == "absolute":
        return (p - y).abs()
    return F.huber_loss(p, y, reduction="none", delta=delta)


class PredictionError(Objective):
    r"""Error of a linear prediction of a real target from the embedding.

    With the embedding h_i of row i, its target y_i of t columns, and a linear head W, b
    that is trained along,

    .. math:: l_i = \frac1t \sum_{a=1}^t \ell\big( (W h_i + b)_a - y_{ia} \big)

    for :math:`\ell(r) = r^2` ("squared"), :math:`|r|` ("absolute"), or :math:`r^2 / 2`
    where :math:`|r| \le \delta` and :math:`\delta (|r| - \delta / 2)` beyond ("huber").
    Every row of every view is an anchor; rows without a label do not count.

    Alone, it trains an encoder together with a linear regression; added to another
    objective it keeps the target readable: ``RankNContrast() + PredictionError()``.

    Parameters
    ----------
    error : {"squared", "absolute", "huber"}, default="squared"
        The function of the residual.

    delta : float, default=1.0
        Where the Huber error turns from a parabola into a line, in units of the target:
        of its standard deviation when trained through an estimator.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n, t) holds numbers; a row with a NaN is unlabelled. The head starts at
    zero. After a fit it is in the estimator's ``objective_weights_`` as ``head.weight``
    (t, n_components) and ``head.bias`` (t,), and predicts the standardised target: in
    units of y, ``target_mean_ + target_scale_ * (h @ weight.T + bias)``.

    Called on tensors there is no head: the first t columns of the embedding (of the
    views, where none is given) are the prediction, or ``prediction`` (n, t) or (V, n, t)
    if it is passed.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics
    1964.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PredictionError
    >>> embedding = torch.tensor([[[0.0], [1.0], [2.0]]])
    >>> target = torch.tensor([[1.0], [1.0], [torch.nan]])
    >>> PredictionError()(embedding, target=target).mean()
    tensor(0.5000)
    """

    requires = ("views", "embedding", "target")
    target_type = "real"
    min_views = 1

    _module = BuiltPrediction

    _parameter_constraints = {
        "error": [StrOptions({"squared", "absolute", "huber"})],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        error: Literal["squared", "absolute", "huber"] = "squared",
        delta: float = 1.0,
        target: str = "y",
    ):
        self.error = error
        self.delta = delta
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
        p, y, labelled = predicted_numbers(views, target, head, embedding, prediction)
        return mean_over(regression_error(p, y, self.error, self.delta).mean(1), labelled)
