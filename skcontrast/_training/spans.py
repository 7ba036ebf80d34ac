"""Embeddings of spans: several of one row, each the mean over some of its steps or words."""

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skcontrast._training.devices import device_at_hand
from skcontrast._training.embed import checked_output, forward
from skcontrast._training.fitted import encoder_of
from skcontrast._typing import ArrayLike, RowsLike


class EmbedsSpans:
    """``transform_spans``, for rows of which each step or word has an embedding."""

    def transform_spans(self, X: RowsLike, spans: ArrayLike) -> np.ndarray:
        """Embed spans of rows: a row is read as a whole, and pooled over a span of it.

        Parameters
        ----------
        X : rows, of n_samples
            As in :meth:`fit`.

        spans : array-like of int of shape (n_spans, 3), or a pair (start, stop)
            The row, the first step or word, and the one behind the last; a pair is the same span
            of every row. Words are counted as the encoder splits texts.

        Returns
        -------
        Z : ndarray of shape (n_spans, n_learned)
            The learned columns of each span. That of a whole row is the row's.
        """
        return _embedded(self, X, spans)


def _embedded(estimator, X, spans):
    check_is_fitted(estimator, "weights_")
    source, encoder = estimator.input_, encoder_of(estimator)
    if source.ordered or not (hasattr(encoder, "steps") or hasattr(encoder, "pools_tokens")):
        raise ValueError(
            f"{type(estimator.network_).__name__} embeds no single steps or words: type "
            "SeriesContrastiveEncoder(network='dilated', window=None), or, for texts, "
            "network='hashed'."
        )
    X = source.read(X)
    lengths = np.diff(X.offsets) if source.kind == "tokens" else np.full(len(X), X.shape[2])
    cut = _Cut(source, X, _checked(spans, lengths))
    device = device_at_hand(estimator.device)
    pooled = _OfSpans(encoder)
    out = forward(pooled, cut, _Cut.batch, precision=estimator.precision, device=device)
    return checked_output(out, X.dtype, estimator.weights_)


def _checked(spans, lengths):
    """Spans (n_spans, 3), of rows with as many steps or words as ``lengths`` (n,)."""
    form = "pass whole numbers (row, start, stop) for each span, or one pair (start, stop)"
    try:
        given = np.asarray(spans)
    except ValueError:
        raise ValueError(f"spans are of different lengths: {form}.") from None
    if given.dtype.kind not in "iu" or not given.size:
        raise ValueError(f"spans holds {given.dtype if given.size else 'none'}: {form}.")
    if given.shape == (2,):
        given = np.column_stack([np.arange(len(lengths)), np.tile(given, (len(lengths), 1))])
    if given.ndim != 2 or given.shape[1] != 3:
        raise ValueError(f"spans has the shape {given.shape}: {form}.")
    given = given.astype(np.int64)
    row, start, stop = given.T
    known = (row >= 0) & (row < len(lengths))
    ends = lengths[np.where(known, row, 0)]
    bad = np.flatnonzero(~(known & (start >= 0) & (start < stop) & (stop <= ends)))
    if len(bad):
        raise ValueError(
            f"spans holds {tuple(given[bad[0]].tolist())}, and "
            + (
                f"row {row[bad[0]]} ends at {ends[bad[0]]}"
                if known[bad[0]]
                else "there is no such row"
            )
            + ": pass (row, start, stop) with 0 <= start < stop."
        )
    return given


class _Cut:
    """Checked rows with spans of them, sliced by span."""

    def __init__(self, source, X, spans):
        self.source, self.X, self.spans, self.shape = source, X, spans, spans.shape

    def __getitem__(self, part):
        return _Cut(self.source, self.X, self.spans[part])

    def batch(self, dtype, device):
        """One batch of spans, each with the whole of its row."""
        rows = self.source.batch(self.X[self.spans[:, 0]], dtype, device)
        return _SpanBatch(rows, torch.as_tensor(self.spans[:, 1:].T).to(device))


class _SpanBatch:
    def __init__(self, rows, ends):
        self.rows, self.ends = rows, ends

    def __len__(self):
        return len(self.rows)

    def padded(self, missing):
        """More rows, of which nothing is read."""
        ends = torch.nn.functional.pad(self.ends, (0, missing))
        return _SpanBatch(self.rows.padded(missing), ends)


class _OfSpans(torch.nn.Module):
    """An encoder that reads rows and pools over their spans."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        rows, (start, stop) = x.rows, x.ends
        if hasattr(self.encoder, "steps"):
            step = torch.arange(rows.shape[2], device=rows.device)
            inside = (start[:, None] <= step) & (step < stop[:, None])  # (n, T)
            steps = self.encoder.steps(rows) * inside[:, :, None]
            return self.encoder.pool(steps, rows.mask * inside[:, None])
        row = rows.row_of_token()
        place = torch.arange(len(row), device=rows.device) - rows.offsets[row]
        return self.encoder(rows, (start[row] <= place) & (place < stop[row]))
