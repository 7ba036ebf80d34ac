"""Devices and seeds: where training runs, and that it leaves no trace on generators."""

import os
from contextlib import contextmanager

import torch

from skcontrast._draws import LOCK, own_draws

# Type of the weights and the data for each precision; bfloat16 only casts inside.
DTYPES = {"float32": torch.float32, "bfloat16": torch.float32, "float64": torch.float64}


class DeviceMissing(ValueError):
    """The device is a device, but this machine has none of it."""


def resolve_device(device):
    """Turn "auto", "cuda:1" or a torch.device into a torch.device that is there."""
    if isinstance(device, str) and device == "auto":
        if torch.cuda.is_available():
            return own_gpu()
        has_mps = hasattr(torch.backends, "mps") and torch.backends.mps.is_available()
        return torch.device("mps" if has_mps else "cpu")
    try:
        device = torch.device(device)
    except RuntimeError:
        hint = " Did you mean 'cuda'?" if device.casefold() in ("gpu", "nvidia") else ""
        raise ValueError(
            f"device={device!r} is no device: type device='auto', 'cpu', 'cuda', 'cuda:0' or "
            f"'mps'.{hint}"
        ) from None
    if device.type == "cpu":
        return torch.device("cpu")  # torch accepts "cpu:3", and fails on it later
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise DeviceMissing(
            f"device={str(device)!r} asks for a CUDA device, but torch finds {count} of them: "
            "type device='auto' or device='cpu', or install a CUDA build of torch."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DeviceMissing("device='mps' is not available here: type device='auto' or 'cpu'.")
    if device.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device={str(device)!r} is not supported: type 'cpu', 'cuda' or 'mps'.")
    return device


def own_gpu():
    """The CUDA device: where a launcher numbers the processes of a machine, one for each."""
    number = os.environ.get("LOCAL_RANK")
    if number is None:
        return torch.device("cuda")
    return torch.device("cuda", int(number) % torch.cuda.device_count())


def device_at_hand(device):
    """The device asked for, or the CPU when a fitted model moved to a machine without."""
    try:
        return resolve_device(device)
    except DeviceMissing:
        return torch.device("cpu")


@contextmanager
def in_turn(seed, device):
    """One training at a time, with draws as in :func:`seeded`.

    Each has all threads of torch, and on a GPU the one generator that there is.
    """
    with LOCK.held, seeded(seed, device):
        yield


@contextmanager
def seeded(seed, device):
    """Draw from this seed inside the block: what is drawn elsewhere stays as it is.

    On the CPU that holds for other threads too. A GPU has one generator, which is put back.
    """
    with own_draws(seed) if device.type == "cpu" else _seeded(seed, device):
        yield


@contextmanager
def _seeded(seed, device):
    # torch.manual_seed would seed every device, and leave those changed that are not used.
    devices = [device] if device.type == "cuda" else []
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
    with LOCK.held, torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


@contextmanager
def memory_advice(batch_size):
    """Turn torch's out-of-memory errors into a sentence that says what to change."""
    try:
        yield
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        raise MemoryError(
            f"The GPU ran out of memory with batch_size={batch_size}: "
            f"type batch_size={max(2, batch_size // 2)} or device='cpu'."
        ) from None
    except RuntimeError as error:
        if "can't allocate memory" not in str(error):
            raise
        raise MemoryError(
            f"The memory ran out with batch_size={batch_size}: type a smaller batch_size, "
            "n_components or network=MLP(hidden_layer_sizes=...)."
        ) from None
