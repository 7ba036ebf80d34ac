"""What is the same bit by bit on every processor, and what is the same but for rounding.

Equal bits: the same rows in the same calls, with the same number of threads. BLAS and torch add
up in another order with other threads or another number of rows, on some processors and for some
shapes, and no test may count on the processor that it runs on.
"""

from contextlib import contextmanager

import joblib
import numpy as np
import torch
from threadpoolctl import threadpool_limits


@contextmanager
def threads(n):
    """Torch, BLAS and OpenMP on n threads."""
    before = torch.get_num_threads()
    with threadpool_limits(n):
        torch.set_num_threads(n)
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def one_thread():
    """One thread here and in the processes of a search, which else have their share of them."""
    with threads(1), joblib.parallel_config("loky", inner_max_num_threads=1):
        yield


def assert_same_but_rounding(a, b, tolerance=1e-5):
    """Equal up to a share of the largest entry; float32 resolves 1e-7, and a network sums."""
    a, b = np.asarray(a), np.asarray(b)
    np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max(initial=0))
