"""Checkpoints: a training that was killed goes on as if it had not been."""

from __future__ import annotations

import hashlib
import io
import os
import re
from contextlib import suppress
from types import FunctionType

import joblib
import numpy as np
import torch

from skcontrast._component import Component, Integral, Interval
from skcontrast._files import folder_at, read_plain, sweep, unwritable, write_whole
from skcontrast._training.embed import to_arrays
from skcontrast._training.loop import training_state
from skcontrast._typing import FilePath
from skcontrast._version import __version__

DIGEST = hashlib.sha256().digest_size
# Rows of a memory map that stand for all of it in the fingerprint.
SAMPLED_ROWS = 1000


class Checkpoint(Component):
    """Write the state of a training to a folder, and go on from it in the next ``fit``.

    A file is named by a fingerprint of parameters and data, so different fits (the
    candidates of a grid search, say) share a folder without meeting. A fit of the same
    data with the same parameters goes on where the last file stands, and ends bit for
    bit where an unbroken one would; after a fit that ended it has nothing left to do,
    also with ``random_state=None``. Files of other versions of the package are not
    used. Callbacks are no part of the fingerprint, and what they remember is not kept.

    A file ends in a checksum and says which fit it is of. A damaged one, or that of another
    fit under this one's name, raises ValueError: training anew would take hours that
    nobody asked for, and hide that the disk is failing. A disk that is full or read-only
    raises OSError and leaves the file before.

    Parameters
    ----------
    folder : str or path-like
        Made when it is not there.

    every : int, default=10
        Epochs between two files; the last epoch is always written.

    Examples
    --------
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.checkpoint import Checkpoint
    >>> encoder = ContrastiveEncoder(checkpoint=Checkpoint("runs", every=5))
    """

    _parameter_constraints = {
        "folder": [str, os.PathLike],
        "every": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, folder: FilePath, every: int = 10):
        self.folder = folder
        self.every = every

    def _doc_link_url_param_generator(self):  # its public door has another name than its home
        return {"page": "skcontrast.checkpoint.Checkpoint"}


CHECKPOINT_CONSTRAINTS = [str, os.PathLike, Checkpoint, None]


def open_checkpoint(estimator, X, side, further=False):
    """Return the checkpoint file of this fit, or None when none was asked for.

    A ``further`` fit starts from fitted weights, which then name the file too.
    """
    checkpoint = estimator.checkpoint
    if checkpoint is None:
        return None
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    start = (estimator.weights_, estimator.objective_weights_) if further else None
    folder = folder_at(checkpoint.folder, "checkpoint")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(
            f"checkpoint={str(folder)!r} is a file, or below one: type the path of a folder."
        ) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    sweep(folder, r"[0-9a-f]{16}(?:\.pt)?")
    path = folder / f"{fingerprint(estimator, X, side, start)}.pt"
    return CheckpointFile(path, checkpoint.every)


def fingerprint(estimator, X, side, start=None):
    """Name of a fit: its parameters, its data and the weights at its start, by hash."""
    params = _described(_deciding(estimator))
    parts = [__version__, _of_data(estimator, X, side), params, joblib.hash(start)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


def shared_text(estimator, X, side):
    """Text that is the same in processes which train one model: modules need no equal weights."""
    return f"{_of_data(estimator, X, side)}|{_without_addresses(_deciding(estimator))}"


def _deciding(estimator):
    """Parameters without those that do not change the result."""
    skipped = ("checkpoint", "verbose", "callbacks", "device", "warm_start")
    return {k: v for k, v in estimator.get_params(deep=False).items() if k not in skipped}


def _of_data(estimator, X, side):
    shape = X.shape
    if isinstance(X, np.memmap):
        X = np.asarray(X[np.linspace(0, len(X) - 1, min(len(X), SAMPLED_ROWS)).astype(int)])
    return f"{type(estimator).__name__}|{shape}|{joblib.hash(X)}|{joblib.hash(side)}"


def _described(value):
    """Text that differs when a parameter does, and is the same in every process."""
    if hasattr(value, "get_params") and not isinstance(value, type):
        return f"{type(value).__name__}({_described(value.get_params(deep=False))})"
    if isinstance(value, dict):
        return ", ".join(f"{k}={_described(v)}" for k, v in sorted(value.items()))
    if isinstance(value, (np.random.RandomState, np.ndarray)):
        return joblib.hash(value.get_state() if hasattr(value, "get_state") else value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_described, value))}]"
    if isinstance(value, torch.nn.Module):
        return f"{value!r}{joblib.hash(to_arrays(value.state_dict()))}"
    if isinstance(value, FunctionType):
        code = value.__code__
        closed = [cell.cell_contents for cell in value.__closure__ or ()]
        text = code.co_code, code.co_names, code.co_consts, value.__defaults__, closed
        return f"{value.__qualname__}{_without_addresses(text)}"
    if callable(value):
        with suppress(Exception):  # pickle's many ways to refuse, such as a lambda inside
            return joblib.hash(value)
    return _without_addresses(value)


def _without_addresses(value):
    # Addresses and paths of source files differ between processes and machines.
    return re.sub(r" at 0x[0-9a-fA-F]+(, file [^>]*)?", "", repr(value))


class CheckpointFile:
    """One file, written each ``every`` epochs: the seed of a fit, the state of its training.

    It is what ``torch.save`` writes, and the SHA-256 of that.
    """

    def __init__(self, path, every):
        self.path, self.every = path, every
        self._content, self._seed = self._read(), None

    def _read(self):
        if not os.path.lexists(self.path):
            return None
        try:
            whole = read_plain(self.path, links=True)
            body, digest = whole[:-DIGEST], whole[-DIGEST:]
            if hashlib.sha256(body).digest() != digest:
                raise ValueError("checksum")
            content = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
            fit = content["fit"]
            content["seed"], content["state"]["epochs"]["loss_curve"]
        except Exception:  # torch.load raises whatever the bytes lead it to
            raise ValueError(
                f"The checkpoint {str(self.path)!r} cannot be read: delete the file to start anew."
            ) from None
        if fit != self.path.stem:
            raise ValueError(
                f"The checkpoint {str(self.path)!r} is of a fit with other data or parameters, and "
                "was given this name: delete the file to start anew."
            )
        return content

    def seed(self, seed):
        """The seed of the fit that wrote the file, or ``seed`` for a new one."""
        self._seed = seed if self._content is None else self._content["seed"]
        return self._seed

    def load(self):
        """State of the training, or None when the file is new."""
        return None if self._content is None else self._content["state"]

    def save(self, net, epochs, last):
        """Write the state after an epoch, when its turn has come."""
        if len(epochs.loss_curve) % self.every and not last:
            return
        content = {"fit": self.path.stem, "seed": self._seed, "state": training_state(net, epochs)}
        # In memory first: torch speaks of its own source lines where a disk is full.
        body = io.BytesIO()
        torch.save(content, body)
        digest = hashlib.sha256(body.getbuffer()).digest()
        body.write(digest)
        write_whole(self.path, body.getbuffer())
