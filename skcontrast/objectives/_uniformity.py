"""Alignment and uniformity, apart from each other or decoupled."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

from torch import Tensor, nn

from skcontrast._component import Interval, Real
from skcontrast.functional import BlockSize, alignment, log_mean_gaussian, normalize
from skcontrast.kernels import KERNEL_CONSTRAINTS, Kernel
from skcontrast.objectives._base import Objective, PairObjective
from skcontrast.objectives._kernel import BuiltKernelObjective, smoother


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

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the distance matrix; "auto" chooses by size, None takes all.

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
        alpha: float = 2.0,
        t: float = 2.0,
        alignment_weight: float = 1.0,
        uniformity_weight: float = 1.0,
        block_size: BlockSize = "auto",
    ):
        self.alpha = alpha
        self.t = t
        self.alignment_weight = alignment_weight
        self.uniformity_weight = uniformity_weight
        self.block_size = block_size

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d) -> ()."""
        z = normalize(views)
        pairs = [alignment(x, y, self.alpha).mean() for x, y in combinations(z, 2)]
        aligned = self.alignment_weight * sum(pairs) / len(pairs)
        if not self.uniformity_weight:  # one row alone has no spread
            return aligned
        spread = [log_mean_gaussian(x, self.t, self.block_size) for x in z]
        return aligned + self.uniformity_weight * sum(spread) / len(spread)


class DecoupledUniformity(Objective):
    r"""Spread the centroids of the samples; alignment comes from their length.

    With unit rows z of V views,

    .. math::

        \mu_i = \frac1V \sum_v z_i^v, \qquad
        L = \log \frac{2}{n(n-1)} \sum_{i<j} e^{-t \|\mu_i - \mu_j\|^2}

    The centroids are not scaled to unit length: they are far apart only where the views
    of a sample agree, so no positive term is needed.

    With a kernel k on features from elsewhere (``fit(X, prior=...)``: a generative model's,
    or weak attributes) and K_ij = k(p_i, p_j), the centroids are first smoothed over rows
    with an alike prior,

    .. math:: \hat\mu = (K + \lambda I)^{-1} K \mu

    Parameters
    ----------
    t : float, default=2.0
        Inverse width of the Gaussian potential.

    kernel : str or component, default=None
        Kernel k on the prior: a name in :data:`skcontrast.kernels.KERNELS` or an object
        from :mod:`skcontrast.kernels`. None takes no prior. A width sigma is
        ``RBF(gamma=1 / (2 sigma^2))``.

    regularization : float, default=0.01
        Strength lambda of the ridge; None is one over the root of the batch size.

    block_size : int, "auto" or None, default="auto"
        Side of a tile of the distance matrix; "auto" chooses by size, None takes all.

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
        "kernel": [*KERNEL_CONSTRAINTS, None],
        "regularization": [Interval(Real, 0, None, closed="neither"), None],
        "block_size": PairObjective._parameter_constraints["block_size"],
    }
    _shorthand = {"kernel": "skcontrast.kernels:KERNELS"}
    side_name = "prior"

    def __init__(
        self,
        t: float = 2.0,
        kernel: str | Kernel | None = None,
        regularization: float | None = 0.01,
        block_size: BlockSize = "auto",
    ):
        self.t = t
        self.kernel = kernel
        self.regularization = regularization
        self.block_size = block_size

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors: the prior when there is a kernel for it."""
        return ("views",) if self.kernel is None else ("views", "prior")

    def build(self, n_samples: int) -> nn.Module:
        if self.kernel is None:
            return super().build(n_samples)
        return BuiltKernelObjective(self, n_samples)

    def loss(self, views: Tensor, **named: Any) -> Tensor:
        """Loss of the batch: views (V, n, d) -> ()."""
        centroids = self.centroids(views, **named)  # (n, d)
        return log_mean_gaussian(centroids, self.t, self.block_size)

    def centroids(
        self,
        views: Tensor,
        kernel: Callable | None = None,
        prior: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Mean unit row of each sample, smoothed over alike priors if any: -> (n, d)."""
        centroids = normalize(views).mean(0)
        if kernel is None:
            return centroids
        return self.smoother(prior, kernel).to(centroids.dtype) @ centroids

    def smoother(self, prior: Tensor, kernel: Callable) -> Tensor:
        """Weights (K + lambda I)^-1 K of the rows of a batch: (n, q) -> (n, n)."""
        return smoother(prior, kernel, self.regularization or len(prior) ** -0.5)

    def check_side(self, rows: Tensor) -> None:
        """Look at the prior of all training rows, once."""
        if bool((rows == rows[:1]).all()):
            raise ValueError(
                "prior is the same in all rows, which would make all centroids equal: pass one "
                "that varies, or type kernel=None."
            )

    def advice(
        self, views: Tensor, kernel: Callable, prior: Tensor | None = None, **named: Any
    ) -> list[str]:
        """What is wrong with the weights of a batch: a list of messages."""
        A = self.smoother(prior, kernel)
        own = A.diagonal().abs()
        if own.median() < 0.99 * A.abs().sum(1).median():
            return []
        return [
            f"The kernel {self.kernel!r} finds hardly two rows of a batch alike, so that the "
            "prior has no effect: type a smaller gamma or a larger regularization."
        ]
