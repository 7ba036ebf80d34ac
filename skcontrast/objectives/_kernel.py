"""What the objectives with a kernel on side information share."""

import torch

from skcontrast._component import resolve, warn
from skcontrast._inputs.columns import categorical_columns
from skcontrast.functional import ridge_smoother
from skcontrast.kernels import KERNELS
from skcontrast.objectives._base import BuiltObjective


class BuiltKernelObjective(BuiltObjective):
    """An objective with a kernel, whose data-driven parameters it reads once.

    The objective has ``kernel``, ``side_name`` (the named tensor that the kernel compares, or
    None when the kernel is built on every batch) and ``advice(k, **named)``, which gives
    messages about a batch.
    """

    def __init__(self, objective, n_samples):
        super().__init__(objective, n_samples)
        self.description = resolve(objective.kernel, KERNELS)
        self.k = None
        self.watches = False

    def prepare(self, side, given, n_components=None):
        name = self.objective.side_name
        if name is not None:
            rows = precise(side[name])
            self.objective.check_side(rows)
            categorical = categorical_columns(given[name])
            self.k = self.description.build(rows, categorical)
        self.watches = True

    def kernel_for(self, rows):
        """The kernel, with what depends on the data taken from all rows or from these."""
        return self.description.build(rows) if self.k is None else self.k

    def forward(self, views, **named):
        if self.watches and self.training:
            # Once a fit: looking at the weights waits for the device.
            self.watches = False
            with torch.no_grad():
                for message in self.objective.advice(views, kernel=self.kernel_for, **named):
                    warn(message)
        return super().forward(views, kernel=self.kernel_for, **named)


def precise(rows):
    """Rows in float64, where the device has it: a kernel matrix must be inverted."""
    return rows.float() if rows.device.type == "mps" else rows.double()


def smoother(rows, kernel_for, regularization, detach=True, **options):
    """Ridge smoother of the kernel matrix of ``rows``, (n, q) or (n,) -> (n, n)."""
    rows = precise(rows.detach() if detach else rows)
    rows = rows[:, None] if rows.ndim == 1 else rows
    return ridge_smoother(kernel_for(rows)(rows, rows), regularization, **options)
