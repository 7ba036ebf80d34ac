"""Checkpoints: a training that was killed goes on as if it had not been."""

import hashlib
import os
import pickle
import re
from pathlib import Path

import joblib
import numpy as np
import torch

from skcontrast._component import Component, Integral, Interval
from skcontrast._training import training_state
from skcontrast._version import __version__

# Rows of a memory map that stand for all of it in the fingerprint.
SAMPLED_ROWS = 1000


class Checkpoint(Component):
    """Write the state of a training to a folder, and go on from it in the next ``fit``.

    A file is named by a fingerprint of parameters and data, so different fits (the
    candidates of a grid search, say) share a folder without meeting. A fit of the same
    data with the same parameters goes on where the last file stands, and ends bit for
    bit where an unbroken one would.

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

    def __init__(self, folder, every=10):
        self.folder = folder
        self.every = every


CHECKPOINT_CONSTRAINTS = [str, os.PathLike, Checkpoint, None]


def open_checkpoint(estimator, X, side):
    """Return the checkpoint file of this fit, or None when none was asked for."""
    checkpoint = estimator.checkpoint
    if checkpoint is None:
        return None
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = Checkpoint(checkpoint)
    path = Path(checkpoint.folder) / f"{fingerprint(estimator, X, side)}.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    return CheckpointFile(path, checkpoint.every)


def fingerprint(estimator, X, side):
    """Name of a fit: its parameters and its data, by hash."""
    # What does not change the result is left out; addresses differ between processes.
    skipped = ("checkpoint", "verbose", "callbacks", "device", "warm_start")
    params = {
        name: re.sub(r" at 0x[0-9a-f]+", "", repr(value))
        for name, value in sorted(estimator.get_params(deep=True).items())
        if name.partition("__")[0] not in skipped
    }
    if isinstance(X, np.memmap):
        X = np.asarray(X[np.linspace(0, len(X) - 1, min(len(X), SAMPLED_ROWS)).astype(int)])
    parts = [type(estimator).__name__, str(params), joblib.hash(X), joblib.hash(side)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class CheckpointFile:
    """One file: the seed of a fit and the state of its training.

    Parameters
    ----------
    path : Path

    every : int
    """

    def __init__(self, path, every):
        self.path = path
        self.every = every
        self._content = self._read()
        self._seed = None

    def _read(self):
        if not self.path.exists():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
            content["seed"], content["state"], content["version"]
        except (RuntimeError, KeyError, TypeError, EOFError, OSError, pickle.UnpicklingError):
            raise ValueError(
                f"The checkpoint {str(self.path)!r} cannot be read: delete the file to start anew."
            ) from None
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
        content = {
            "version": __version__,
            "seed": self._seed,
            "state": training_state(net, epochs),
        }
        # A kill while writing must leave the previous file whole.
        partial = self.path.with_suffix(f".{os.getpid()}.partial")
        torch.save(content, partial)
        os.replace(partial, self.path)
