"""Keep the geometry that there was: rows of earlier calls against what the encoder made of them."""

from typing import Any

import torch
from torch import Tensor, nn

from skcontrast.functional import BlockSize, mean_over, normalize, pair_loss
from skcontrast.objectives._base import BuiltObjective, PairObjective, Temperature, anchor_index
from skcontrast.objectives._info_nce import same_sample


class _BuiltPreviousFeatures(BuiltObjective):
    """With what the encoder makes of all rows at the start of a call."""

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.replays, self.previous = False, None

    def prepare(self, side, given, n_components=None):
        self.replays = "replayed" in side

    def refresh(self, epoch, project):
        if epoch == 0 and self.replays:
            self.previous = project()

    def forward(self, views, **named):
        if self.previous is not None:
            named["previous"] = self.previous[named["index"]]
        return super().forward(views, **named)


class PreviousFeatures(PairObjective):
    r"""Keep rows of earlier calls near what the encoder made of them before this call.

    A term beside another objective, for a stream: ``InfoNCE() + 0.5 * PreviousFeatures()``. It
    reads the rows alone that ``replay`` kept. With unit rows z of their views, g what the encoder
    made of these rows at the start of the call, cosines s, and P(i) the rows of anchor i's class
    (i itself among them, and alone where it has no label),

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( s(z_i, g_p)/\tau
              - \log \sum_k e^{s(z_i, g_k)/\tau} \Big)

    over the kept rows k of a batch. No gradient passes through g.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the similarity matrix; "auto" chooses by size, None takes all.

    See Also
    --------
    SupCon : The same among the rows of a batch as they are now.
    TeacherMatch : Find the vectors of another model, given as data.

    Notes
    -----
    Needs ``replay``. In ``fit`` and in the first call of ``partial_fit`` nothing was kept, and
    the term is 0. Classes ``y`` are read where they are passed; a target of numbers or of several
    columns leaves each row by itself.

    At the first step of a call z is g, but for what the views change: the gradient is then that
    of SupCon with candidates that do not move. The published method has rows of sound and text
    in place of views, and a term between the two.

    Called on tensors, ``previous`` (n, d) are the former rows, and ``replayed`` (n,) says which
    of them were kept; all, where it is not given.

    References
    ----------
    Cappellazzo et al., "Continual contrastive spoken language understanding", 2023 (COCONUT).

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import PreviousFeatures
    >>> views, before = torch.eye(4)[None], torch.eye(4)
    >>> PreviousFeatures(temperature=0.5)(views, previous=before).mean().round(decimals=4)
    tensor(0.3408)

    Two rows of one class may lie where either lay:

    >>> target = torch.tensor([0, 0, 1, -1])
    >>> objective = PreviousFeatures(temperature=0.5)
    >>> objective(views, previous=before, target=target).mean().round(decimals=4)
    tensor(0.8408)
    """

    min_views = 1
    # Classes are read where they are given, and rows are those of earlier calls.
    welcomes_classes = True
    reads_replayed = True

    _module = _BuiltPreviousFeatures

    def __init__(self, temperature: Temperature = 0.1, block_size: BlockSize = "auto"):
        self.temperature = temperature
        self.block_size = block_size

    def loss(
        self,
        views: Tensor,
        temperature: nn.Module,
        previous: Tensor | None = None,
        replayed: Tensor | None = None,
        target: Tensor | None = None,
        index: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of each anchor: views (V, n, d), previous (n, d) -> (V n,)."""
        z = normalize(views)
        n_views, n = z.shape[:2]
        if previous is None:
            return 0 * z.flatten(0, 1).sum(-1)
        before = normalize(previous.detach().to(z.dtype))  # (n, d)
        kept = before.new_ones(n, dtype=torch.bool) if replayed is None else replayed
        has_classes = target is not None and target.ndim == 1 and not target.is_floating_point()
        labels = target if has_classes else torch.full_like(kept, -1, dtype=torch.long)
        of_anchor, anchors = labels.repeat(n_views), kept.repeat(n_views)

        def weights(rows, columns):
            a, b = of_anchor[rows, None], labels[columns]
            positive = ((a == b) & (a != -1)) | same_sample(rows, columns, n, z.device)
            pairs = anchors[rows, None] & kept[columns]
            return positive & pairs, pairs

        tau = temperature(None, anchor_index(index, z))
        options = {"block_size": self.block_size}
        return mean_over(*pair_loss(z.flatten(0, 1), before, weights, tau, **options))
