"""Counts what would wait for a device, in the steps of a training on any device."""

import sys
from collections import Counter
from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from skcontrast._training import loop

# Their result, its shape, or an error depends on values, which the host has to read first.
READS = {
    "_local_scalar_dense",
    "_unique",
    "_unique2",
    "bincount",
    "equal",
    "is_nonzero",
    "masked_select",
    "nonzero",
    "unique_consecutive",
    "unique_dim",
}
# Decompositions read whether they failed.
READS |= {"_linalg_eigh", "_linalg_svd", "_linalg_solve_ex", "linalg_cholesky_ex", "linalg_lstsq"}
READS |= {"linalg_eig", "linalg_inv_ex", "linalg_lu_factor_ex", "linalg_ldl_factor_ex"}
# Copies to the host and, of numbers that Python holds, from it; on a CPU they copy nothing.
COPIES = {"cpu", "numpy", "tolist", "__array__", "tensor", "as_tensor", "from_numpy", "new_tensor"}

# What waits in every step, why it has to, and where it does.
WAITING = {
    "conditional": (
        "reads whether the kernel of a batch was positive definite",
        {"functional._equations._ridge_solve"},
    ),
    "listwise_wasserstein": (
        "counts lists, and decomposes a matrix",
        {
            "functional._transport.gaussian_distance",
            "objectives._lists._lists",
            "objectives._lists.loss",
        },
    ),
    "rank_penalty": (
        "decomposes the matrix of a batch, and reads whether that went well",
        {"objectives._rank_penalty.loss"},
    ),
    "representative": (  # a view
        "counts the distinct words of each document",
        {"views._representative.draw"},
    ),
}


def _is_ours(module):
    # Every call that may draw goes through the last one.
    return module.startswith("skcontrast.") and module != "skcontrast._draws"


def place():
    """Function of the package nearest to the call."""
    frame = sys._getframe(2)
    while frame and not _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    if frame is None:
        return "torch"
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_name}".removeprefix("skcontrast.")


def reads_values(name, args, kwargs):
    """Whether an operation waits on a device."""
    if name in READS:
        return not (name.endswith("_ex") and not (kwargs.get("check_errors") or args[1:]))
    if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
        return any(i is not None and i.dtype in (torch.bool, torch.uint8) for i in args[1])
    if name == "repeat_interleave":
        return torch.is_tensor(args[-1]) and kwargs.get("output_size") is None
    if name == "multinomial":
        return args[1] == 1 or not (args[2] if len(args) > 2 else kwargs.get("replacement", False))
    return False


class _Operations(TorchDispatchMode):
    def __init__(self, counts):
        super().__init__()
        self.counts = counts

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        if reads_values(name, args, kwargs or {}):
            self.counts[place(), name] += 1
        return func(*args, **(kwargs or {}))


class _Functions(TorchFunctionMode):
    def __init__(self, counts):
        super().__init__()
        self.counts = counts

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in COPIES:
            self.counts[place(), name] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def counted():
    """A Counter of (function, operation), of the epochs that are run inside."""
    counts, run = Counter(), loop._Net.run_single_epoch

    def counting(self, iterator, *args, **kwargs):
        with _Functions(counts), _Operations(counts):
            return run(self, iterator, *args, **kwargs)

    loop._Net.run_single_epoch = counting
    try:
        yield counts
    finally:
        loop._Net.run_single_epoch = run


def waits_of_steps(fit, few, many):
    """What waits the more often the more batches an epoch has: ``fit(batch_size)`` twice."""
    found = []
    for size in (few, many):
        with counted() as counts:
            fit(size)
        found.append(counts)
    return found[1] - found[0], found[1]
