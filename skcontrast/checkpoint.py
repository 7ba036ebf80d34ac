"""Checkpoints during training."""

from skcontrast._training.checkpoint import Checkpoint

__all__ = ["Checkpoint"]
