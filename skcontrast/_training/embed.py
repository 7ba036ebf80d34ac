"""Running an encoder forward over rows, and its weights as NumPy arrays."""

import numpy as np
import torch

from skcontrast._training.devices import DTYPES

# BLAS takes another path for fewer rows, with other rounding: smaller batches are
# padded to it, so that an embedding does not depend on its neighbours in the batch.
MIN_FORWARD_ROWS = 8
FORWARD_ROWS = 4096


def forward(encoder, X, batch, *, precision, device, batch_size=FORWARD_ROWS):
    """Encoder output (n, n_components) for the checked rows ``X``, in evaluation mode.

    ``batch(rows, dtype, device)`` makes one batch of a slice of them.
    """
    encoder.to(device).eval()
    dtype = DTYPES[precision]
    out, start = None, 0
    with torch.inference_mode():
        while start < X.shape[0]:
            try:
                block = batch(X[start : start + batch_size], dtype, device)
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


class Hidden(torch.nn.Module):
    """Every layer of an encoder side by side, (n, sum of widths); ``widths`` says where each is."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        # What hands sparse rows to a module as dense ones stands around it.
        inner = getattr(encoder, "module", encoder)
        self.layers = inner if isinstance(inner, torch.nn.Sequential) else None
        self.hidden = getattr(encoder, "hidden", lambda x: [])
        known = hasattr(encoder, "hidden") or not list(inner.children())
        if self.layers is None and not known:
            raise TypeError(
                f"The layers of a {type(inner).__name__} are not known: type network='mlp', or "
                "pass an nn.Sequential as the network."
            )

    def forward(self, x):
        if self.layers is None:
            found = [*self.hidden(x), self.encoder(x)]
        else:
            x = x if torch.is_tensor(x) else x.to_dense()
            found = []
            for layer in self.layers:
                x = layer(x)
                found.append(x.flatten(1))
        self.widths = [h.shape[1] for h in found]
        return torch.cat(found, dim=1)


def _padded(batch):
    """Repeat rows (empty ones, when sparse) until BLAS takes its usual path."""
    missing = MIN_FORWARD_ROWS - len(batch)
    if missing <= 0:
        return batch
    if not torch.is_tensor(batch):
        return batch.padded(missing)
    return torch.cat([batch, batch[:1].expand(missing, -1)])


def checked_output(embedding, dtype, weights):
    """Return an embedding in the dtype of its rows, or raise where a row of it overflowed."""
    dtype = np.float32 if dtype == np.float32 else np.float64
    with np.errstate(over="ignore"):
        embedding = embedding.astype(dtype, copy=False)
    finite = np.isfinite(embedding).all(axis=1)
    if finite.all():
        return embedding
    row = int(np.flatnonzero(~finite)[0])
    largest = max(np.abs(w).max(initial=0) for w in weights.values() if w.dtype.kind == "f")
    raise ValueError(
        f"The embedding of row {row} is not finite, and the largest weight is {largest:.3g}: fit "
        "with standardize=True or with a smaller learning_rate, or scale X."
    )


def check_weights(module):
    """Raise where training ended with weights whose squares overflow."""
    for parameter in module.parameters():
        largest = float(parameter.detach().abs().max()) if parameter.numel() else 0.0
        if not largest <= 1e-4 * torch.finfo(parameter.dtype).max ** 0.5:
            raise FloatingPointError(
                f"The weights have grown up to {largest:.3g} in training: type a smaller "
                "learning_rate or weight_decay, or optimizer=AdamW(max_grad_norm=1.0)."
            )


def load_arrays(module, weights):
    """Write fitted weights into a module that was built for them."""
    try:
        module.load_state_dict(to_tensors(weights))
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            "weights_ does not belong to network_, projector_ and n_features_in_, one of which "
            "was changed after fit: fit again."
        ) from error


def to_arrays(state):
    """State dict of tensors -> dict of NumPy arrays on the host."""
    return {name: t.detach().cpu().numpy().copy() for name, t in state.items()}


def to_tensors(arrays):
    """Dict of NumPy arrays -> state dict of tensors."""
    return {name: torch.as_tensor(np.asarray(a).copy()) for name, a in arrays.items()}


def optimizer_to_arrays(state):
    """Moments in an optimizer's state dict, as NumPy arrays by the number of the parameter."""
    return {
        str(i): to_arrays({k: t for k, t in entry.items() if torch.is_tensor(t)})
        for i, entry in state["state"].items()
    }


def optimizer_to_tensors(moments):
    """What :func:`optimizer_to_arrays` made, as tensors again."""
    return {int(i): to_tensors(entry) for i, entry in moments.items()}


def lasting(module):
    """State dict of a module, without that of parts which are of a training alone."""
    parts = module.named_modules()
    passing = tuple(f"{name}." for name, part in parts if getattr(part, "passing", False))
    return {k: t for k, t in module.state_dict().items() if not k.startswith(passing)}


def learned(network, criterion, training, past):
    """Fitted attributes that training changes; ``past`` holds the losses of earlier calls."""
    check_weights(network)
    follower = network.momentum
    followed = {} if follower is None else {"_momentum_state": to_arrays(follower.state_dict())}
    return followed | {
        "weights_": to_arrays(lasting(network)),
        "objective_weights_": to_arrays(lasting(criterion)),
        "loss_curve_": [*past, *training.loss_curve],
        "validation_curve_": list(training.validation_curve) or None,
        "n_iter_": len(past) + training.n_iter,
    }
