"""Scores that say which rows may be negatives: the projections' own, or a guide's."""

import torch

from skcontrast._component import StrOptions
from skcontrast.functional import normalize
from skcontrast.objectives._base import PairObjective

GUIDE_CONSTRAINTS = [StrOptions({"projection", "prior"})]


def guide_rows(z, guide, prior=None, unit=True):
    """Rows whose products decide, of length 1 if ``unit``, without a gradient: (V, n, q).

    They are the unit projections z (V, n, d) or features from elsewhere, ``prior``, of each row
    (n, q) or of each of its views (V, n, q).
    """
    if guide == "projection":
        return z.detach()
    rows = prior.detach().to(z.dtype)
    rows = normalize(rows) if unit else rows
    return rows.expand(len(z), *rows.shape) if rows.ndim == 2 else rows


class Guided(PairObjective):
    """An objective with the parameter ``guide``."""

    guide: str

    @property
    def requires(self) -> tuple[str, ...]:
        """Named tensors that the guide needs."""
        return ("views", "prior") if self.guide == "prior" else ("views",)


def slack(z):
    """Margin of rounding: tiles and the whole matrix give scores that differ by so much."""
    return 16 * torch.finfo(z.dtype).eps
