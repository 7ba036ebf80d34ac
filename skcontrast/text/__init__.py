"""Estimators that turn text into tokens, and words and documents into vectors."""

from skcontrast.text._encoder import ContrastiveTextEncoder
from skcontrast.text._phrases import PhraseTransformer
from skcontrast.text._sent2vec import Sent2VecVectorizer
from skcontrast.text._word2vec import Word2VecVectorizer

__all__ = [
    "ContrastiveTextEncoder",
    "PhraseTransformer",
    "Sent2VecVectorizer",
    "Word2VecVectorizer",
]
