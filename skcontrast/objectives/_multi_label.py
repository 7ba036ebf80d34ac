"""A term that predicts several labels of a row, each by itself."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import mean_over
from skcontrast.objectives._base import Objective
from skcontrast.objectives._likeness import check_indicators, check_shape
from skcontrast.objectives._prediction import BuiltPrediction, predictions


class _BuiltMultiLabel(BuiltPrediction):
    """With a column for each label, which starts at how often rows have it."""

    def prepare(self, side, given, n_components=None):
        target = side["target"]
        check_indicators(target, given.get("target"), "objective='binary_cross_entropy'")
        super().prepare(side, given, n_components)
        labelled = (target != -1).any(1)
        n = max(1, int(labelled.sum()))
        # Half a row more with and without: no label is certain.
        share = (target[labelled].sum(0) + 0.5) / (n + 1)
        with torch.no_grad():
            self.head.bias.copy_(torch.logit(share))


class MultiLabelCrossEntropy(Objective):
    r"""Binary cross-entropy of a linear prediction of several labels of a row.

    With the embedding h_i of row i, labels :math:`t_{ig} \in \{0, 1\}` for the tags g out of G,
    and a linear head w, b that is trained along,

    .. math::

        l_i = -\frac1G \sum_g \big( t_{ig} \log \sigma(f_{ig})
              + (1 - t_{ig}) \log \sigma(-f_{ig}) \big), \qquad f_{ig} = w_g \cdot h_i + b_g

    Every row of every view is an anchor; rows without labels do not count. No two rows are
    compared. Tags found in a text that goes with a row teach much of what the contrast with
    that text would: alone, or added to it.

    Parameters
    ----------
    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    Notes
    -----
    ``target`` (n, G) holds 1 where a row has a tag and 0 where it has not, or -1 throughout for
    a row without labels; ``y`` may be sparse, as ``CountVectorizer(binary=True)`` gives it. The
    weights of the head start at zero and b at the log odds of each tag. After a fit they are in
    ``objective_weights_`` as ``head.weight`` (G, n_components) and ``head.bias`` (G,).

    Called on tensors there is no head: the first G columns of the embedding (of the views,
    where none is given) are the f, or ``prediction`` (n, G) or (V, n, G) if it is passed.

    References
    ----------
    Mehta et al., "CatLIP: CLIP-level visual recognition accuracy with 2.7x faster pre-training
    on web-scale image-text data", 2024. Liu et al., "TagAlign: improving vision-language
    alignment with multi-tag classification", 2023: added to a contrast.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import MultiLabelCrossEntropy
    >>> logits = torch.tensor([[[2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]])
    >>> target = torch.tensor([[1, 0], [0, 1], [-1, -1]])
    >>> MultiLabelCrossEntropy()(logits, target=target).mean().round(decimals=4)
    tensor(0.4100)
    """

    requires = ("views", "embedding", "target")
    target_type = "labels"
    min_views = 1

    _module = _BuiltMultiLabel

    _parameter_constraints = {
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(self, target: str = "y"):
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
        """Loss of each anchor: embedding (V, n, h), target (n, G) -> (V n,)."""
        n_views, n = views.shape[:2]
        check_shape(self, target, n)
        logits = predictions(views, head, embedding, prediction)
        if logits.shape[1] < target.shape[1]:
            raise ValueError(
                f"The target has {target.shape[1]} columns and the prediction "
                f"{logits.shape[1]}: pass prediction= of shape ({n}, {target.shape[1]}), or "
                "train through an estimator, which makes a head."
            )
        y = target.repeat(n_views, 1)
        logits = logits[:, : y.shape[1]]
        entropy = F.binary_cross_entropy_with_logits(
            logits, y.clamp_min(0).to(logits.dtype), reduction="none"
        )
        return mean_over(entropy.mean(1), (y != -1).any(1))
