"""Class scores by a mixture over keys, corrected by how frequent the classes are."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import (
    class_cross_entropy,
    distinct,
    log_mean_by_class,
    mean_over,
    normalize,
)
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._likeness import check_shape


class _BuiltLogitAdjusted(BuiltObjective):
    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        # Made anew from the labels of every fit, so no part of the state.
        self.register_buffer("class_prior", None, persistent=False)

    def prepare(self, side, given, n_components=None):
        target = side["target"].cpu()
        # With no label at all there is one class that no row has.
        counts = target[target >= 0].bincount(minlength=1).double()
        self.class_prior = counts / counts.sum().clamp_min(1)

    def forward(self, views, **named):
        given = named.get("class_prior")
        if given is None:
            named["class_prior"] = self.class_prior
        elif given.ndim != 1 or bool((named["target"] >= len(given)).any()):
            raise ValueError(
                f"class_prior has the shape {tuple(given.shape)}, but target holds classes up to "
                f"{int(named['target'].max())}: pass one frequency for each class 0, 1, ..."
            )
        return super().forward(views, **named)


class LogitAdjusted(PairObjective):
    r"""Supervised contrastive loss with logit adjustment, for long-tailed classes (GML).

    With unit rows z of all views, every class c gets a score from the other rows of this
    class, and the scores are corrected by the class frequencies pi before the softmax:

    .. math::

        \log S_c(i) = \log \sum_{m \ne i,\, y_m = c} e^{z_i \cdot z_m/\tau}
                      - \log \#\{m \ne i : y_m = c\}

    .. math::

        l_i = -\log \frac{\pi_{y_i}^a \, S_{y_i}(i)}{\sum_c \pi_c^a \, S_c(i)}

    The score is a mean and not a sum, so a frequent class does not win by its number of
    keys; the prior then tells the network what the frequencies explain, and the scores
    themselves are left to fit balanced classes.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    adjustment : float, default=1.0
        Power a of the class frequencies; 0 takes all classes as equally frequent.

    block_size : int, default=None
        Side of a tile of the similarity matrix; None chooses by size.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    See Also
    --------
    SupCon : The same rows as positives, without a correction.

    Notes
    -----
    ``target`` (n,) holds class labels. Rows with target -1 are unlabelled and take no
    part, with their other views neither. An anchor whose class has no other row in the
    batch does not count; one view is enough with labels. A class without a key in the
    batch is left out of the softmax.

    An estimator takes pi from all labelled rows of ``fit``. Called on tensors,
    ``class_prior`` (C,) may be given; without it the frequencies of the batch are taken.

    The keys are the rows of the batch. The published method draws them from a queue, adds
    a classifier with the same correction, and a teacher.

    References
    ----------
    Suh and Seo, "Long-tailed recognition by mutual information maximization between latent
    features and ground-truth labels", ICML 2023. Menon et al., "Long-tail learning via
    logit adjustment", ICLR 2021.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import LogitAdjusted
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0, 0, 0, 1])
    >>> LogitAdjusted(temperature=0.5)(views, target=target).mean().round(decimals=4)
    tensor(0.1876)
    """

    requires = ("views", "target")
    min_views = 1

    _module = _BuiltLogitAdjusted

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "adjustment": [Interval(Real, 0, None, closed="left")],
        "target": TARGET_CONSTRAINTS,
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        adjustment: float = 1.0,
        block_size: int | None = None,
        target: str = "y",
    ):
        self.temperature = temperature
        self.adjustment = adjustment
        self.block_size = block_size
        self.target = target

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        class_prior: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), target (n,) -> (V n,)."""
        z = normalize(views)
        n_views, n, _ = z.shape
        check_shape(self, target, n)
        if class_prior is None:
            target, class_prior = batch_frequencies(target, z.dtype)
        flat = z.flatten(0, 1)  # (V n, d)
        labels = target.repeat(n_views)  # (V n,)
        log_mean = log_mean_by_class(
            flat,
            flat,
            labels,
            len(class_prior),
            temperature(None, anchor_index(index, z)),
            keep=lambda rows, columns: distinct(rows, columns, z.device),
            block_size=self.block_size,
        )
        # A class of frequency zero would give -inf, and NaN where the adjustment is zero.
        prior = class_prior.to(z.dtype).clamp_min(torch.finfo(z.dtype).tiny)
        loss, valid = class_cross_entropy(log_mean, labels, self.adjustment * prior.log())
        return mean_over(loss, valid)


def batch_frequencies(target, dtype):
    """Codes under n of the classes in a batch, and the frequency of each code: two (n,).

    A code is the place of the class's first row in sorted order: the number of classes is
    bounded by the number of rows, and need not be read from the device.
    """
    codes = torch.searchsorted(target.sort().values, target.contiguous())
    labelled = target >= 0
    counts = torch.zeros(len(target), dtype=dtype, device=target.device)
    counts = counts.index_add(0, codes, labelled.to(dtype))
    return torch.where(labelled, codes, -1), counts / counts.sum().clamp_min(1)
