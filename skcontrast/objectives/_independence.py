"""Independence of the embedding from a side variable, by kernel alignment."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from skcontrast._component import Interval, Real, warn
from skcontrast.functional import squared_distance
from skcontrast.kernels import KERNEL_CONSTRAINTS, Kernel
from skcontrast.objectives._base import Objective
from skcontrast.objectives._kernel import BuiltKernelObjective, precise


class KernelIndependence(Objective):
    r"""Make the embedding independent of a side variable c, by centred kernel alignment.

    With an RBF kernel matrix K of the embeddings of a batch, their columns scaled to unit
    variance, a kernel matrix L of c, and :math:`H = I - 11^T / n`,

    .. math::

        l = \frac{\langle HKH, HLH \rangle}{\|HKH\| \, \|HLH\|}

    averaged over the views. It is the Hilbert-Schmidt independence criterion, scaled to
    [0, 1]; with an RBF kernel it falls to zero only when no function of the embedding goes
    along with c. It is meant to be added to an objective that keeps the rows apart:
    ``ConditionalInfoNCE("fair") + 10 * KernelIndependence()``.

    Parameters
    ----------
    kernel : str or component, default="auto"
        Kernel of c: a name in :data:`skcontrast.kernels.KERNELS` or an object from
        :mod:`skcontrast.kernels`.

    gamma : float, default=1.0
        Inverse width of the RBF kernel of the embeddings, in units of one over their mean
        squared distance in the batch.

    References
    ----------
    Gretton et al., "Measuring statistical dependence with Hilbert-Schmidt norms", ALT
    2005. Cortes, Mohri and Rostamizadeh, "Algorithms for learning kernels based on
    centered alignment", JMLR 2012.

    Examples
    --------
    >>> import torch
    >>> from skcontrast.objectives import KernelIndependence
    >>> embedding = torch.tensor([[0.0], [0.0], [1.0], [1.0]]).expand(2, 4, 1)
    >>> condition = torch.tensor([[0.0], [0.0], [1.0], [1.0]])
    >>> KernelIndependence()(embedding, condition=condition).round(decimals=4)
    tensor(1.)
    >>> condition = torch.tensor([[0.0], [1.0], [0.0], [1.0]])
    >>> KernelIndependence()(embedding, condition=condition).round(decimals=4)
    tensor(0.)
    """

    requires = ("views", "embedding", "condition")
    min_views = 1
    side_name = "condition"

    _module = BuiltKernelObjective

    _parameter_constraints = {
        "kernel": KERNEL_CONSTRAINTS,
        "gamma": [Interval(Real, 0, None, closed="neither")],
    }
    _shorthand = {"kernel": "skcontrast.kernels:KERNELS"}

    def __init__(self, kernel: str | Kernel = "auto", gamma: float = 1.0):
        self.kernel = kernel
        self.gamma = gamma

    def loss(
        self,
        views: Tensor,
        kernel: Callable,
        condition: Tensor,
        embedding: Tensor | None = None,
        **named: Any,
    ) -> Tensor:
        """Loss of the batch: embedding (V, n, d), condition (n, q) -> ()."""
        h = views if embedding is None else embedding
        h = h.float() if h.dtype.itemsize < 4 else h
        rows = precise(condition)
        L = _centred(kernel(rows)(rows, rows)).to(h.dtype)
        return sum(self._alignment(x, L) for x in h) / len(h)

    def _alignment(self, x, L):
        x = x - x.mean(0)
        # A column that is constant stays so.
        x = x / (x.square().mean(0) + 1e-12).sqrt()
        D = squared_distance(x, x)
        K = _centred((-self.gamma * D / D.mean().clamp_min(1e-12)).exp())
        scale = K.square().sum().clamp_min(1e-24).sqrt() * L.square().sum().clamp_min(1e-24).sqrt()
        return (K * L).sum() / scale

    def check_side(self, rows: Tensor) -> None:
        """Look at the condition of all training rows, once."""
        if bool((rows == rows[:1]).all()):
            warn(
                "condition is the same in all rows: everything is independent of it. Pass one "
                "that varies.",
            )

    def advice(self, views: Tensor, **named: Any) -> list[str]:
        """What is wrong with the weights of a batch: nothing."""
        return []


def _centred(K):
    """``H K H``: rows and columns with mean zero."""
    return K - K.mean(0, keepdim=True) - K.mean(1, keepdim=True) + K.mean()
