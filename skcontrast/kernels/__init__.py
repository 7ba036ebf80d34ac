"""Kernels: how alike two rows are, on torch.

``build(x)`` reads what depends on the data (a ``gamma`` by name, an origin, which columns
hold categories) from the rows ``x`` and gives a function of tensors,

``k(a, b) -> K``
    the kernel matrix (n, m) of a (n, d) and b (m, d), in their dtype and on their device;

``k.diag(a)``
    its diagonal k(a_i, a_i), of shape (n,), without the matrix;

``k.gamma``
    the number that ``gamma`` stood for, where the kernel has one.

Calling a kernel itself takes and gives NumPy: ``RBF(gamma=0.5)(X, Y)``. Kernels add and
multiply: ``RBF() * Delta()``, ``Linear() + 0.1 * RBF()``.
"""

from skcontrast._component import Shorthand
from skcontrast.kernels._base import Kernel, KernelProduct, KernelSum, ScaledKernel
from skcontrast.kernels._categorical import Delta, Mixed, Overlap
from skcontrast.kernels._numeric import (
    RBF,
    Cosine,
    GammaExponential,
    Laplacian,
    Linear,
    Log,
    Polynomial,
)
from skcontrast.kernels._tangent import TangentKernel

KERNELS = {
    "auto": Mixed,
    "cosine": Cosine,
    "delta": Delta,
    "gamma_exponential": GammaExponential,
    "laplacian": Laplacian,
    "linear": Linear,
    "log": Log,
    "overlap": Overlap,
    "poly": Polynomial,
    "rbf": RBF,
}

KERNEL_CONSTRAINTS = [Shorthand("skcontrast.kernels:KERNELS", "kernel")]

__all__ = [
    "KERNELS",
    "RBF",
    "Cosine",
    "Delta",
    "GammaExponential",
    "Kernel",
    "KernelProduct",
    "KernelSum",
    "Laplacian",
    "Linear",
    "Log",
    "Mixed",
    "Overlap",
    "Polynomial",
    "ScaledKernel",
    "TangentKernel",
]
