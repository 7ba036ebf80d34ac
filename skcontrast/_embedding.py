"""Running an encoder forward over a table, and its weights as NumPy arrays."""

import numpy as np
import torch

from skcontrast._devices import DTYPES
from skcontrast._rows import SparseBatch, to_batch

# BLAS takes another path for fewer rows, with other rounding: smaller batches are
# padded to it, so that an embedding does not depend on its neighbours in the batch.
MIN_FORWARD_ROWS = 8
FORWARD_ROWS = 4096


def embed(encoder, X, *, mean, scale, precision, device, batch_size=FORWARD_ROWS):
    """Encoder output for the rows of ``X``, in batches, in evaluation mode.

    Parameters
    ----------
    encoder : nn.Module

    X : ndarray, np.memmap or CSR of shape (n, n_features)

    mean, scale : ndarray of shape (n_features,) or None

    precision : {"float32", "bfloat16", "float64"}

    device : torch.device

    batch_size : int, default=4096

    Returns
    -------
    embedding : ndarray of shape (n, n_components)
    """
    encoder.to(device).eval()
    dtype = DTYPES[precision]
    out = None
    start = 0
    with torch.inference_mode():
        while start < X.shape[0]:
            try:
                block = to_batch(X[start : start + batch_size], mean, scale, dtype, device)
                n = len(block)
                part = encoder(_padded(block))[:n].to("cpu", dtype)
            except torch.cuda.OutOfMemoryError:
                if batch_size <= MIN_FORWARD_ROWS:
                    raise MemoryError(
                        "The GPU has no memory left for a batch of rows: type device='cpu'."
                    ) from None
                torch.cuda.empty_cache()
                batch_size //= 2
                continue
            if out is None:
                out = np.empty((X.shape[0], part.shape[1]), dtype=part.numpy().dtype)
            out[start : start + n] = part.numpy()
            start += n
    return out


def _padded(batch):
    """Repeat rows (empty ones, when sparse) until BLAS takes its usual path."""
    missing = MIN_FORWARD_ROWS - len(batch)
    if missing <= 0:
        return batch
    if isinstance(batch, SparseBatch):
        end = torch.full((missing,), len(batch.indices), device=batch.device)
        offsets = torch.cat([batch.offsets, end])
        return SparseBatch(batch.indices, offsets, batch.values, batch.n_features)
    return torch.cat([batch, batch[:1].expand(missing, -1)])


def to_arrays(state):
    """State dict of tensors -> dict of NumPy arrays on the host."""
    return {name: t.detach().cpu().numpy().copy() for name, t in state.items()}


def to_tensors(arrays):
    """Dict of NumPy arrays -> state dict of tensors."""
    return {name: torch.as_tensor(np.asarray(a).copy()) for name, a in arrays.items()}


def optimizer_to_arrays(state):
    """Moments in an optimizer's state dict, as NumPy arrays by the number of the parameter."""
    moments = {}
    for i, entry in state["state"].items():
        moments[str(i)] = to_arrays({k: t for k, t in entry.items() if torch.is_tensor(t)})
    return moments


def optimizer_to_tensors(moments):
    """What :func:`optimizer_to_arrays` made, as tensors again."""
    return {int(i): to_tensors(entry) for i, entry in moments.items()}
