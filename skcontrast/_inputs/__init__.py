"""What a row is: one object for each kind, from what a user hands over to batches."""

from skcontrast._inputs.frame import FrameColumns
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.text import BackboneInput, TextInput

__all__ = ["BackboneInput", "FrameColumns", "TableInput", "TextInput"]
