"""Class scores by a mixture over keys, corrected by how frequent the classes are."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast._component import Integral, Interval, Real
from skcontrast._inputs.several import TARGET_CONSTRAINTS
from skcontrast.functional import (
    BlockSize,
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
        self.register_buffer("queue", None)

    def prepare(self, side, given, n_components=None):
        target = side["target"].cpu()
        # With no label at all there is one class that no row has.
        counts = target[target >= 0].bincount(minlength=1).double()
        self.class_prior = counts / counts.sum().clamp_min(1)
        if self.objective.queue_size:
            size, width = (len(counts), self.objective.queue_size), given.get("width")
            width = n_components if width is None else width
            self.register_buffer("queue", torch.zeros(*size, width))
            self.register_buffer("queued", torch.full(size, -1))  # their row numbers
            self.register_buffer("n_pushed", torch.zeros(len(counts), dtype=torch.long))

    def forward(self, views, **named):
        given = named.get("class_prior")
        if given is None:
            named["class_prior"] = self.class_prior
        elif given.ndim != 1 or bool((named["target"] >= len(given)).any()):
            raise ValueError(
                f"class_prior has the shape {tuple(given.shape)}, but target holds classes up to "
                f"{int(named['target'].max())}: pass one frequency for each class 0, 1, ..."
            )
        if self.queue is None:
            return super().forward(views, **named)
        number = torch.arange(len(self.queue), device=views.device)[:, None]
        held = {
            "queue": self.queue.flatten(0, 1),
            "queue_target": torch.where(self.queued >= 0, number, -1).flatten(),
            "queue_index": self.queued.flatten(),
        }
        loss = super().forward(views, **held, **named)
        if self.training:
            self._push(views[0].detach(), named["target"], named["index"])
        return loss

    @torch.no_grad()
    def _push(self, rows, target, index):
        """Put rows (n, d) into the queues of their classes, in place of the oldest."""
        n_classes, size, _ = self.queue.shape
        # The rows of a class one after the other, those without one behind all.
        order = torch.where(target < 0, n_classes, target).argsort(stable=True)
        label = target[order]
        counts = (target == torch.arange(n_classes, device=target.device)[:, None]).sum(1)
        first = counts.cumsum(0) - counts
        label, found = label.clamp_min(0), label >= 0
        place = torch.arange(len(order), device=target.device) - first[label]
        found &= place >= (counts - size)[label]  # of more than fit the last ones
        at = (label * size + (self.n_pushed[label] + place) % size)[found]
        rows, index = rows.to(self.queue.dtype), index.to(target.device)
        self.queue.view(-1, rows.shape[1])[at] = rows[order[found]]
        self.queued.view(-1)[at] = index[order[found]]
        self.n_pushed += counts


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

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    target : str, default="y"
        Which target is read: y, "condition", "groups", or the name of one of several in y.

    queue_size : int, default=0
        Number of earlier rows that are kept of each class and are keys beside those of the batch,
        held constant, so that no class is without a key once it was seen. An anchor's own row is
        none of its keys.

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

    The published method takes all keys from queues, which a slowly moving copy of the network
    fills, adds a classifier with the same correction (``CrossEntropy(adjustment=1.0)``) and a
    teacher. Called on tensors, ``queue`` (m, d) with ``queue_target`` (m,) and
    ``queue_index`` (m,) may stand for the queues.

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
        "queue_size": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        temperature: Temperature = 0.1,
        adjustment: float = 1.0,
        block_size: BlockSize = "auto",
        target: str = "y",
        queue_size: int = 0,
    ):
        self.temperature = temperature
        self.adjustment = adjustment
        self.block_size = block_size
        self.target = target
        self.queue_size = queue_size

    def loss(
        self,
        views: Tensor,
        target: Tensor,
        temperature: nn.Module,
        class_prior: Tensor | None = None,
        index: Tensor | None = None,
        queue: Tensor | None = None,
        queue_target: Any = None,
        queue_index: Any = None,
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
        own, candidates, of_candidates = anchor_index(index, z), flat, labels
        number = torch.full_like(own, -1)  # of candidates that may be the anchor's own row
        if queue is not None:
            candidates = torch.cat([flat, normalize(queue.to(z.dtype))])
            of_candidates = torch.cat([labels, queue_target])
            number = torch.cat([number, queue_index])

        def keep(rows, columns):
            other = distinct(rows, columns, z.device)
            return other if queue is None else other & (own[rows, None] != number[columns])

        log_mean = log_mean_by_class(
            flat,
            candidates,
            of_candidates,
            len(class_prior),
            temperature(None, own),
            keep=keep,
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
