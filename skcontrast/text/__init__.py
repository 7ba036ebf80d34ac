"""Estimators that turn words and documents into vectors."""

from skcontrast.text._encoder import ContrastiveTextEncoder
from skcontrast.text._word2vec import Word2VecVectorizer

__all__ = ["ContrastiveTextEncoder", "Word2VecVectorizer"]
