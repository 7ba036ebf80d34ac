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
LOSSES = {"dense": "one matrix", "tiled": '`block_size="auto"`'}
LOSSES |= {peer: peer for peer in ("pytorch-metric-learning", "lightly")}
CHUNKS = [None, 1024, 256, 64]
BATCH, FEATURES, HIDDEN = 8192, 128, (512,) * 4


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

    side = {"dense": None, "tiled": "auto"}[kind]
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
    """One step of an encoder of four hidden layers over two views."""
    import torch

    from skcontrast._training.network import ViewNetwork
    from skcontrast.networks import MLP
    from skcontrast.objectives import VICReg

    torch.manual_seed(0)
    encoder = MLP(HIDDEN).build(FEATURES, WIDTH)
    module = ViewNetwork(encoder, torch.nn.Identity(), [None, None]).train()
    module.chunk_size = chunk
    x, index = torch.randn(BATCH, FEATURES), torch.arange(BATCH)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def step():
        VICReg()(**module(x, index)).mean().backward()

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


def of_losses(kinds, rows, limit):
    """Peak and seconds of each loss, by kind and number of rows, as far as memory goes."""
    found = {}
    for kind in kinds:
        for n in rows:
            past = [found[kind, m]["peak"] for m in rows if (kind, m) in found]
            # The last step and what it grew by are what the next will need.
            growth = max(past[-1] / past[-2], 4) if len(past) > 1 else 8
            if past and kind != "tiled" and past[-1] * growth > limit * GB:
                break
            made = apart(kind, n)
            if made is None:
                break
            found[kind, n] = made
            print(kind, n, made, file=sys.stderr, flush=True)
    return found


def told(found, kind, n):
    """A cell of the table; in brackets n^2 times the largest that was measured."""
    if (kind, n) in found:
        made = found[kind, n]
        return f"{made['peak'] / 1e6:,.0f} MB, {made['seconds']:.2f} s"
    measured = [m for k, m in found if k == kind]
    if kind != "dense" or not measured:
        return "–"
    return f"({found[kind, max(measured)]['peak'] / 1e6 * (n / max(measured)) ** 2:,.0f} MB)"


def main(rows, kinds, limit):
    found = of_losses([kind for kind in LOSSES if kind in kinds], rows, limit)
    there = [kind for kind in LOSSES if any(k == kind for k, _ in found)]
    if there:
        print("| rows of both views |", " | ".join(LOSSES[kind] for kind in there), "|")
        print("|---" * (len(there) + 1) + "|")
        for n in rows:
            print(f"| {n:,} |", " | ".join(told(found, kind, n) for kind in there), "|")
    if "encoder" in kinds:
        print("\n| `chunk_size` | peak |\n|---|---|")
        for size in CHUNKS:
            made = apart("encoder", size)
            print(f"| {size} | {made['peak'] / 1e6:,.0f} MB |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(measure(*json.loads(sys.argv[2]))))
    else:
        parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
        parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
        kinds = [*LOSSES, "encoder"]
        parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
        parser.add_argument("--limit", type=float, default=3.0, help="GB of memory")
        given = parser.parse_args()
        main(given.rows, given.only, given.limit)
