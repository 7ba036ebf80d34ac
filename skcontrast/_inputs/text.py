"""Documents: as words that are hashed, or as the numbers that a backbone makes of them."""

import numpy as np
import torch
from sklearn.utils import check_array

from skcontrast._component import warn
from skcontrast._inputs.base import Input
from skcontrast._inputs.documents import ANALYSIS, check_documents, token_lists
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.tokens import TokenRows, number_words


class TextInput(Input):
    """Documents as streams of words, each word by the hashes of its parts.

    Parameters
    ----------
    owner : str, default="estimator"
        Class of the estimator, for messages.

    tokenizer, token_pattern, lowercase, stop_words, strip_accents
        How a document becomes words, as in scikit-learn's CountVectorizer.

    Attributes
    ----------
    word_counts_ : ndarray of shape (4, 16384)
        Counts of hashed words, by which words are weighed.

    n_features : int
        Number of hashed features of a word.
    """

    kind = "tokens"
    choices = {
        "network": "hashed",
        "views": "word_deletion",
        "clean_anchor": False,
        "width": 1024,
    }
    hint = ", or pass a backbone"
    _parameter_constraints = {"owner": [str], **ANALYSIS}
    shortest_word = 1

    def __init__(
        self,
        owner="estimator",
        tokenizer=None,
        token_pattern="auto",
        lowercase=True,
        stop_words=None,
        strip_accents=None,
    ):
        self.owner = owner
        self.tokenizer = tokenizer
        self.token_pattern = token_pattern
        self.lowercase = lowercase
        self.stop_words = stop_words
        self.strip_accents = strip_accents

    def fit(self, X, n_least=2):
        """Check documents, split them into words and count these."""
        X = number_words(token_lists(X, self))
        if not len(X.ids):
            raise ValueError(
                "X holds no words: pass other documents, fewer stop_words or another token_pattern."
            )
        _check_number(len(X), n_least)
        self.word_counts_, self.n_features = X.counts, X.shape[1]
        return X

    def read(self, X, n_least=1):
        """Check other documents and split them into words."""
        X = number_words(token_lists(X, self), self.word_counts_)
        _check_number(len(X), n_least)
        n_empty = int((np.diff(X.offsets) == 0).sum())
        if n_empty:
            warn(
                f"{n_empty} of {len(X)} documents of X hold no words: their embedding is what the "
                "network makes of nothing.",
            )
        return X

    def rows(self, X, side=None, **options):
        """Rows of a training."""
        return TokenRows(X, side=side, **options)

    def batch(self, X, dtype, device):
        """One batch of checked documents, as the encoder reads it."""
        return X.to_batch(dtype, device)


class BackboneInput(TableInput):
    """Documents as the rows of numbers that a backbone makes of them.

    Parameters
    ----------
    owner, standardize, precision
        As in :class:`~skcontrast._inputs.table.TableInput`.

    backbone : callable or object with a method ``encode``
        Makes numbers of a list of str. It is no part of what is learned, and not changed.
    """

    hint = ", or backbone=None"

    def __init__(self, owner="estimator", standardize=True, precision="float32", backbone=None):
        super().__init__(owner, standardize, precision)
        self.backbone = backbone

    def _checked(self, X, reset, n_least):
        """What the backbone makes of documents: float32 (n_samples, width)."""
        if isinstance(self.backbone, str):  # which has a method "encode" too
            raise TypeError(
                f"backbone={self.backbone!r} is a name: pass the model itself, such as "
                f"sentence_transformers.SentenceTransformer({self.backbone!r})."
            )
        texts = [d if isinstance(d, str) else " ".join(d) for d in check_documents(X)]
        _check_number(len(texts), n_least)
        out = getattr(self.backbone, "encode", self.backbone)(texts)
        out = out.detach().float().cpu().numpy() if torch.is_tensor(out) else out
        try:
            numbers = check_array(out, dtype=np.float32, input_name="the output of backbone")
        except (TypeError, ValueError) as error:
            why = str(error).splitlines()[0]
            raise ValueError(f"backbone must give one row of numbers a text: {why}") from None
        if len(numbers) != len(texts):
            raise ValueError(f"backbone gave {len(numbers)} rows for {len(texts)} texts.")
        if not reset and numbers.shape[1] != self.n_features:
            raise ValueError(
                f"backbone gave {numbers.shape[1]} columns, and {self.n_features} in fit: pass "
                "the same backbone, or fit again."
            )
        self._width = numbers.shape[1]
        return numbers

    @property
    def n_features(self):
        """Width of the backbone's rows."""
        return self._width


def _check_number(n, n_least):
    if n < n_least:
        raise ValueError(
            f"X holds n_samples={n} document, but at least {n_least} are needed: one alone has "
            "nothing to be contrasted with."
        )
