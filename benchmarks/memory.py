"""Peak memory and time of one training step: of the loss, dense and in tiles, and of the encoder.

    OMP_NUM_THREADS=1 python benchmarks/memory.py [--rows 1024 ... 65536] [--only tiled encoder]

Each figure is of a process of its own, which makes its inputs, notes the memory that it holds,
takes one step forward and backward, and gives the peak above that; the time is the shortest of
three steps, of one where a step takes over ten seconds. Pytorch-metric-learning and lightly are
measured where they are installed; a step that would need more than ``--limit`` GB is left out.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

WIDTH, TEMPERATURE, GB = 128, 0.2, 2**30
ROWS = [2**k for k in range(10, 17)]
# The matrices (n, n) in float32 that the loss of each is known to hold at its peak, or none.
MATRICES = {"dense": 1, "tiled": 0, "pytorch-metric-learning": 8, "lightly": 8}
CHUNKS = [None, 1024, 256, 64]
BATCH, FEATURES, HIDDEN = 4096, 128, (1024, 1024)


def resident(name):
    """What /proc says of the memory of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise OSError("memory is read from /proc, which Linux has")


def loss_of(kind, n):
    """A function of views (2, n / 2, d) that gives the mean loss."""
    import torch

    if kind == "pytorch-metric-learning":
        from pytorch_metric_learning.losses import NTXentLoss

        labels, loss = torch.arange(n // 2).repeat(2), NTXentLoss(TEMPERATURE)
        return lambda views: loss(views.flatten(0, 1), labels)
    if kind == "lightly":
        from lightly.loss import NTXentLoss

        loss = NTXentLoss(TEMPERATURE)
        return lambda views: loss(*views)
    from skcontrast.objectives import InfoNCE

    side = {"dense": None, "tiled": 2048}[kind]
    return lambda views: InfoNCE(TEMPERATURE, block_size=side)(views).mean()


def loss_step(kind, n):
    import torch

    views = torch.randn(2, n // 2, WIDTH, generator=torch.Generator().manual_seed(0))
    views.requires_grad_()
    loss = loss_of(kind, n)

    def step():
        views.grad = None
        loss(views).backward()

    return step


def encoder_step(chunk):
    """One step of an encoder of two hidden layers over two views."""
    import torch

    from skcontrast._training.network import ViewNetwork
    from skcontrast.networks import MLP
    from skcontrast.objectives import InfoNCE

    torch.manual_seed(0)
    encoder = MLP(HIDDEN).build(FEATURES, WIDTH)
    module = ViewNetwork(encoder, torch.nn.Identity(), [None, None]).train()
    module.chunk_size = chunk
    x, index = torch.randn(BATCH, FEATURES), torch.arange(BATCH)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def step():
        InfoNCE(TEMPERATURE, block_size=512)(**module(x, index)).mean().backward()

    return step


def measure(kind, size):
    """In this process: peak in bytes above what was held before, and seconds."""
    step = encoder_step(size) if kind == "encoder" else loss_step(kind, size)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    times = []
    while len(times) < 3 and (not times or times[0] < 10):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
        if len(times) == 1:
            peak = resident("VmHWM") - before
    return {"peak": peak, "seconds": min(times)}


def apart(kind, size):
    """The same in a fresh process; None where it cannot be."""
    command = [sys.executable, __file__, "--child", json.dumps([kind, size])]
    done = subprocess.run(command, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else None


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
