"""Documents without a vocabulary: hashed words, ragged batches, and rows to train on."""

from skcontrast._tokens._features import N_WHOLE, count_words, frequency_of, word_features
from skcontrast._tokens._rows import Documents, TokenBatch, TokenRows, Words, number_words

__all__ = [
    "N_WHOLE",
    "Documents",
    "TokenBatch",
    "TokenRows",
    "Words",
    "count_words",
    "frequency_of",
    "number_words",
    "word_features",
]
