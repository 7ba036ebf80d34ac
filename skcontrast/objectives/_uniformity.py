"""Alignment and uniformity, apart from each other or decoupled."""

from itertools import combinations

from skcontrast._component import Interval, Real
from skcontrast.functional import alignment, log_mean_gaussian, normalize
from skcontrast.objectives._base import Objective, PairObjective


class AlignmentUniformity(Objective):
    r"""Draw the views of a sample together and spread the rows over the sphere.

    With unit rows x, y of two views,

    .. math::

        L = w_a \frac1n \sum_i \|x_i - y_i\|^\alpha
            + w_u \frac{u(x) + u(y)}{2},
        \qquad u(x) = \log \frac{2}{n(n-1)} \sum_{i<j} e^{-t \|x_i - x_j\|^2}

    With more views the first term is the mean over the pairs of views, the second over
    the views. The value is mostly negative, and 0 when all rows are the same.

    Parameters
    ----------
    alpha : float, default=2.0
        Power of the distance between the views of a sample.

    t : float, default=2.0
        Inverse width of the Gaussian potential.

    alignment_weight : float, default=1.0
        Weight w_a of the first term.

    uniformity_weight : float, default=1.0
        Weight w_u of the second term.

    block_size : int, default=None
        Side of a tile of the distance matrix; None chooses by size.

    References
    ----------
    Wang and Isola, "Understanding contrastive representation learning through alignment
    and uniformity on the hypersphere", ICML 2020.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import AlignmentUniformity
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> AlignmentUniformity(t=0.5)(views).round(decimals=4)
    tensor(-1.)
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "t": [Interval(Real, 0, None, closed="neither")],
        "alignment_weight": [Interval(Real, 0, None, closed="left")],
        "uniformity_weight": [Interval(Real, 0, None, closed="left")],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }

    def __init__(
        self,
        alpha=2.0,
        t=2.0,
        alignment_weight=1.0,
        uniformity_weight=1.0,
        block_size=None,
    ):
        self.alpha = alpha
        self.t = t
        self.alignment_weight = alignment_weight
        self.uniformity_weight = uniformity_weight
        self.block_size = block_size

    def loss(self, views, **named):
        """Loss of the batch: views (V, n, d) -> ()."""
        z = normalize(views)
        pairs = [alignment(x, y, self.alpha).mean() for x, y in combinations(z, 2)]
        spread = [log_mean_gaussian(x, self.t, self.block_size) for x in z]
        aligned = self.alignment_weight * sum(pairs) / len(pairs)
        return aligned + self.uniformity_weight * sum(spread) / len(spread)


class DecoupledUniformity(Objective):
    r"""Spread the centroids of the samples; alignment comes from their length.

    With unit rows z of V views,

    .. math::

        \mu_i = \frac1V \sum_v z_i^v, \qquad
        L = \log \frac{2}{n(n-1)} \sum_{i<j} e^{-t \|\mu_i - \mu_j\|^2}

    The centroids are not scaled to unit length: they are far apart only where the views
    of a sample agree, so no positive term is needed.

    Parameters
    ----------
    t : float, default=2.0
        Inverse width of the Gaussian potential.

    block_size : int, default=None
        Side of a tile of the distance matrix; None chooses by size.

    References
    ----------
    Dufumier et al., "Integrating prior knowledge in contrastive learning with kernel",
    ICML 2023.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import DecoupledUniformity
    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> DecoupledUniformity()(views).round(decimals=4)
    tensor(-4.)
    """

    _parameter_constraints = {
        "t": [Interval(Real, 0, None, closed="neither")],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }

    def __init__(self, t=2.0, block_size=None):
        self.t = t
        self.block_size = block_size

    def loss(self, views, **named):
        """Loss of the batch: views (V, n, d) -> ()."""
        centroids = self.centroids(views, **named)  # (n, d)
        return log_mean_gaussian(centroids, self.t, self.block_size)

    def centroids(self, views, **named):
        """Mean unit row of each sample, before any mixing by a prior: -> (n, d)."""
        return normalize(views).mean(0)
