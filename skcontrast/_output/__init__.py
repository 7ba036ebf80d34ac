"""What ``transform`` puts out: learned columns, and what stands beside them."""

from skcontrast._output.output import PARTS, Output, wanted_parts
from skcontrast._output.parts import Columns, Kernel, Neighborhood, Ranks
from skcontrast._output.patterns import Patterns

__all__ = [
    "PARTS",
    "Columns",
    "Kernel",
    "Neighborhood",
    "Output",
    "Patterns",
    "Ranks",
    "wanted_parts",
]
