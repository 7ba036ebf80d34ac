"""Disks as they break: damaged copies of a file, and a disk that is full."""

import random
import resource
import signal
from contextlib import contextmanager


def damages(content, n=40, seed=0):
    """Copies of a file with a bit turned, with a lost sector, cut or too long."""
    draw = random.Random(seed)
    for i in range(n):
        bad = bytearray(content)
        if i % 4:
            bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        else:
            start = draw.randrange(len(bad) - 512)
            bad[start : start + 512] = bytes(512)
        yield bytes(bad)
    yield from (content[:-1], content + b"\0", content[:32])


@contextmanager
def full_disk(n_bytes):
    """No file may be longer, which the kernel says as it says that a disk is full."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
