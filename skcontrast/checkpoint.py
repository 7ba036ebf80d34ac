"""Checkpoints during training."""

from skcontrast._checkpoint import Checkpoint

__all__ = ["Checkpoint"]
