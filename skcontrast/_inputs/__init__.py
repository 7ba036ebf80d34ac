"""What a row is: one object for each kind, from what a user hands over to batches."""

from skcontrast._inputs.frame import FrameColumns

__all__ = ["FrameColumns"]
