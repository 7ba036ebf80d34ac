"""Supervised contrastive learning."""

from skcontrast._component import StrOptions
from skcontrast.functional import distinct, mean_over, normalize, pair_loss
from skcontrast.objectives._base import PairObjective, anchor_index
from skcontrast.objectives._info_nce import same_sample


class SupCon(PairObjective):
    r"""Supervised contrastive loss: every row of the same class is a positive.

    With unit rows z of all views, cosines s, P(i) the other rows of anchor i's class and
    A(i) all other rows,

    .. math::

        l_i = -\frac{1}{|P(i)|} \sum_{p \in P(i)} \Big( s_{ip}/\tau
              - \log \sum_{k \in A(i)} e^{s_{ik}/\tau} \Big)
        \qquad \text{("outside")}

    .. math::

        l_i = -\log \frac{\frac{1}{|P(i)|} \sum_{p \in P(i)} e^{s_{ip}/\tau}}
                         {\sum_{k \in A(i)} e^{s_{ik}/\tau}}
        \qquad \text{("inside")}

    Anchors without a positive (the only row of their class) do not count: the loss is
    the mean over the anchors that have one.

    Parameters
    ----------
    temperature : float, str or component, default=0.1
        Temperature tau: a positive number or "learned". A rule that follows the positive
        pairs of two views is not defined here.

    form : {"outside", "inside"}, default="outside"
        Where the mean over the positives is taken; the authors recommend "outside".
        "inside" is never larger.

    anchors : {"all", "first"}, default="all"
        Whether the rows of every view are anchors or only those of the first view.

    block_size : int, default=None
        Side of a tile of the similarity matrix; None chooses by size.

    Notes
    -----
    ``target`` (n,) holds class labels. A sample with target -1 is unlabelled: a class of
    its own, whose only positives are its other views. One view is enough with labels.

    References
    ----------
    Khosla et al., "Supervised contrastive learning", NeurIPS 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import SupCon
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> target = torch.tensor([0, 0, 1, -1])
    >>> SupCon(temperature=0.5)(views, target=target).mean().round(decimals=4)
    tensor(1.2611)
    """

    requires = ("views", "target")
    min_views = 1

    _parameter_constraints = {
        **PairObjective._parameter_constraints,
        "form": [StrOptions({"outside", "inside"})],
        "anchors": [StrOptions({"all", "first"})],
    }

    def __init__(self, temperature=0.1, form="outside", anchors="all", block_size=None):
        self.temperature = temperature
        self.form = form
        self.anchors = anchors
        self.block_size = block_size

    def loss(self, views, target, temperature, index=None, **named):
        """Loss of each anchor: views (V, n, d), target (n,) -> (V n,), or (n,)."""
        z = normalize(views)
        n_views, n, width = z.shape
        if target.shape != (n,):
            raise ValueError(
                f"SupCon needs one class label for each of the {n} samples, got a target of "
                f"shape {tuple(target.shape)}: pass y of shape (n_samples,)."
            )
        flat = z.reshape(-1, width)  # (V n, d)
        labels = target.repeat(n_views)  # (V n,)
        first = self.anchors == "first"
        tau = temperature(None, anchor_index(index, z[:1] if first else z))

        def weights(rows, columns):
            others = distinct(rows, columns, z.device)
            given = labels[rows, None]
            same = (given == labels[columns]) & (given != -1)
            return (same | same_sample(rows, columns, n, z.device)) & others, others

        loss, valid = pair_loss(
            z[0] if first else flat, flat, weights, tau, form=self.form, block_size=self.block_size
        )
        return mean_over(loss, valid)
