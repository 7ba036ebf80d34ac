"""Documents as streams of words: batches of them, and the rows of a training."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from skcontrast._inputs.documents import numbered
from skcontrast._inputs.rows import (
    Rows,
    SparseBatch,
    ragged_entries,
    ragged_parts,
    to_device,
)
from skcontrast._inputs.word_features import count_words, frequency_of, word_features


@dataclass(eq=False)
class Words:
    """What is known of each distinct word.

    ``features`` int64 (n_words, n_features) are those of :func:`word_features`, ``frequency``
    (n_words,) is the share of the training corpus that the word makes up.
    """

    features: torch.Tensor
    frequency: torch.Tensor

    def __len__(self):
        return len(self.features)

    def to(self, device, dtype=None):
        """The same on ``device``, with frequencies of type ``dtype``."""
        return Words(self.features.to(device), self.frequency.to(device, dtype))


@dataclass(eq=False)
class TokenBatch:
    """Documents as one stream of word numbers.

    A view that takes words away sets their weights to zero, so that the number of tokens
    of a batch stays known without asking the device.

    Parameters
    ----------
    ids : int64 tensor of shape (n_tokens,)
        Number of each word in ``words``, document after document.

    offsets : int64 tensor of shape (n,)
        Where each document starts in ``ids``.

    weights : tensor of shape (n_tokens,)
        How often a token counts: 1 as it stands, 0 when it was taken away.

    words : Words
    """

    ids: torch.Tensor
    offsets: torch.Tensor
    weights: torch.Tensor
    words: Words

    def __len__(self):
        return len(self.offsets)

    @property
    def shape(self):
        """(n, n_features), the number of features being that of a word."""
        return len(self.offsets), self.words.features.shape[1]

    @property
    def device(self):
        """Where the tensors are."""
        return self.ids.device

    @property
    def dtype(self):
        """Type of the weights."""
        return self.weights.dtype

    def row_of_token(self):
        """Number of the document of each token: (n_tokens,)."""
        starts = torch.zeros(len(self.ids) + 1, dtype=torch.int64, device=self.device)
        starts.index_add_(0, self.offsets, torch.ones_like(self.offsets))
        return starts[:-1].cumsum(0) - 1

    def lengths(self):
        """Number of tokens of each document: (n,)."""
        end = self.offsets.new_full((1,), len(self.ids))
        return torch.cat([self.offsets, end]).diff()

    def with_weights(self, weights):
        """The same tokens with other weights."""
        return replace(self, weights=weights)

    def with_ids(self, ids):
        """Other words in the same places."""
        return replace(self, ids=ids)

    def clone(self):
        """A batch whose ids and weights may be written into."""
        return replace(self, ids=self.ids.clone(), weights=self.weights.clone())

    def padded(self, missing):
        """The batch with ``missing`` empty documents at its end."""
        end = self.offsets.new_full((missing,), len(self.ids))
        return replace(self, offsets=torch.cat([self.offsets, end]))

    def split(self, size):
        """Batches of ``size`` documents each, in order."""
        for rows, tokens in ragged_parts(self.offsets, len(self.ids), size):
            offsets = self.offsets[rows] - tokens.start
            yield TokenBatch(self.ids[tokens], offsets, self.weights[tokens], self.words)

    def to(self, device):
        """The batch on ``device``."""
        return TokenBatch(*(part.to(device) for part in vars(self).values()))

    @staticmethod
    def joined(batches):
        """Stack batches of the same words, document after document."""
        shift, offsets = 0, []
        for batch in batches:
            offsets.append(batch.offsets + shift)
            shift += len(batch.ids)
        return TokenBatch(
            torch.cat([batch.ids for batch in batches]),
            torch.cat(offsets),
            torch.cat([batch.weights for batch in batches]),
            batches[0].words,
        )


def bag_of_words(batch, n_buckets):
    """How often each hashed word is in documents, a TokenBatch: SparseBatch (n, n_buckets)."""
    bucket = batch.words.features[batch.ids, 0].remainder(n_buckets)
    place, number = (batch.row_of_token() * n_buckets + bucket).unique(return_inverse=True)
    counts = batch.weights.new_zeros(len(place)).index_add(0, number, batch.weights)
    place, counts = place[counts > 0], counts[counts > 0]  # words that a view has taken away
    size = torch.bincount(place // n_buckets, minlength=len(batch))
    return SparseBatch(place % n_buckets, size.cumsum(0) - size, counts, n_buckets)


@dataclass(eq=False)
class Documents:
    """Checked documents on the host: a stream of word numbers, sliced by document.

    ``ids`` int32 (n_tokens,) number the words of ``vocabulary``, a list of str; ``offsets`` int64
    (n + 1,) say where documents begin and end. Each word has ``features`` int32 (n_words,
    n_features) and a ``frequency`` float32 (n_words,). ``counts`` are the word counts of the
    training corpus, of :func:`count_words`.
    """

    dtype = np.dtype(np.float32)

    ids: np.ndarray
    offsets: np.ndarray
    features: np.ndarray
    frequency: np.ndarray
    vocabulary: list
    counts: np.ndarray | None = None

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def shape(self):
        """(n, n_features), the number of features being that of a word."""
        return len(self), self.features.shape[1]

    def __getitem__(self, part):
        """The documents of a slice or of an array of numbers, with the same words."""
        index = torch.arange(len(self))[part]
        starts, lengths = torch.as_tensor(self.offsets[:-1]), torch.as_tensor(np.diff(self.offsets))
        entry, starts = ragged_entries(starts, lengths, index)
        offsets = np.append(starts.numpy(), len(entry))
        return replace(self, ids=self.ids[entry.numpy()], offsets=offsets)

    def words(self, dtype, device, number=slice(None)):
        """What is known of the words, or of those of some numbers, on ``device``."""
        features = torch.as_tensor(self.features[number].astype(np.int64))
        return Words(features, torch.as_tensor(self.frequency[number])).to(device, dtype)

    def to_batch(self, dtype, device):
        """All documents as one batch on ``device``."""
        # Only words that occur, renumbered: the table may be that of many more documents.
        number, ids = np.unique(self.ids, return_inverse=True)
        return TokenBatch(
            torch.as_tensor(ids.astype(np.int64)).to(device),
            torch.as_tensor(self.offsets[:-1].astype(np.int64)).to(device),
            torch.ones(len(ids), dtype=dtype, device=device),
            self.words(dtype, device, number),
        )


def number_words(token_lists, counts=None):
    """Number the words of documents, in the order in which they come, and hash them.

    Documents are read once. ``counts`` is what :func:`count_words` made of the training corpus;
    None makes it of these documents.
    """
    vocabulary, ids, offsets = numbered(token_lists)
    features = word_features(vocabulary)
    if counts is None:
        counts = count_words(features, np.bincount(ids, minlength=len(vocabulary)))
    frequency = frequency_of(features, counts)
    return Documents(ids, offsets, features, frequency, vocabulary, counts)


class TokenRows(Rows):
    """All training documents on the device, with the side information of each.

    The parameters are those of :class:`~skcontrast._inputs.rows.Rows`, X being Documents.

    Attributes
    ----------
    words : Words
        Those of the documents, on the device; views may append words that they need.

    vocabulary : list of str
        The words of the documents, by number.
    """

    kind = "tokens"

    def _store(self, documents):
        self.vocabulary = documents.vocabulary
        self.words = documents.words(self.dtype, self.device)
        self._ids = torch.as_tensor(documents.ids.astype(np.int64)).to(self.device)
        self._starts = torch.as_tensor(documents.offsets[:-1].astype(np.int64))
        self._lengths = torch.as_tensor(np.diff(documents.offsets).astype(np.int64))

    def take(self, index):
        """The documents ``index``, a tensor of row numbers, as a TokenBatch."""
        token, offsets = ragged_entries(self._starts, self._lengths, index)
        token, offsets = (to_device(t, self.device) for t in (token, offsets))
        weights = torch.ones(len(token), dtype=self.dtype, device=self.device)
        return TokenBatch(self._ids[token], offsets, weights, self.words)
