"""What a row is: one object for each kind, from what a user hands over to batches."""

from skcontrast._inputs.block_input import BlocksInput
from skcontrast._inputs.blocks import Blocks
from skcontrast._inputs.convolutions import Convolutions
from skcontrast._inputs.convolved import ConvolvedSeriesInput
from skcontrast._inputs.frame import FrameColumns
from skcontrast._inputs.recording import RecordingInput
from skcontrast._inputs.series import SeriesInput
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.text import BackboneInput, TextInput

__all__ = [
    "BackboneInput",
    "Blocks",
    "BlocksInput",
    "Convolutions",
    "ConvolvedSeriesInput",
    "FrameColumns",
    "RecordingInput",
    "SeriesInput",
    "TableInput",
    "TextInput",
]
