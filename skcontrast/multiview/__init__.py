"""Several descriptions of the same rows: two tables, or a table and texts."""

from skcontrast._inputs.blocks import Blocks
from skcontrast.multiview._canonical import CanonicalCorrelation
from skcontrast.multiview._credibility import pair_credibility
from skcontrast.multiview._encoder import MultiViewContrastiveEncoder
from skcontrast.multiview._noisy_pairs import pseudo_partners
from skcontrast.multiview._pairs import BlockEncoder

__all__ = [
    "BlockEncoder",
    "Blocks",
    "CanonicalCorrelation",
    "MultiViewContrastiveEncoder",
    "pair_credibility",
    "pseudo_partners",
]
