"""Estimators that turn texts into vectors."""

from skcontrast.text._encoder import ContrastiveTextEncoder

__all__ = ["ContrastiveTextEncoder"]
