"""Estimators that learn a representation."""

from skcontrast.representation._encoder import ContrastiveEncoder

__all__ = ["ContrastiveEncoder"]
