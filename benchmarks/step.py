"""Cost of the estimator around the training step: epochs and transform beside raw torch.

    python benchmarks/step.py [--device cpu] [--threads 2] [--repeats 7]
    python benchmarks/step.py --profile [--write docs/speed.md]

Each repeat runs an epoch of ContrastiveEncoder and one of a hand-written loop on tensor
slices (same network, data, view, batch size, loss and optimizer), in turns in one
process, and the ratio of the medians is printed.

With ``--profile``, where the time of a step of the default ``ContrastiveEncoder`` goes: shares by
kind of operation, on one thread.
"""

import argparse
import statistics
import subprocess
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from parts import table, write_table
from skorch.callbacks import Callback
from torch.profiler import profile

from skcontrast import ContrastiveEncoder
from skcontrast._training.fitted import encoder_of
from skcontrast.networks import MLP, build_network

N_ROWS, N_FEATURES, N_COMPONENTS = 20_000, 64, 64
SCALE, TEMPERATURE = 0.1, 0.2


class EpochTimes:
    """Callback of scikit-learn (1.9): when each epoch began and ended."""

    def __init__(self, device):
        self.device, self.durations = device, []

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        wait(self.device)
        self.begin = time.perf_counter()

    def on_fit_task_end(self, estimator, context):
        wait(self.device)
        if context.task_name == "epoch":
            self.durations.append(time.perf_counter() - self.begin)


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def estimator_epochs(X, batch_size, device, n_epochs):
    times = EpochTimes(device)
    encoder = ContrastiveEncoder(
        n_components=N_COMPONENTS,
        passthrough=False,
        views="noise",
        network=MLP(hidden_layer_sizes=(256, 256)),
        batch_size=batch_size,
        max_iter=n_epochs,
        standardize=False,
        device=device,
        random_state=0,
    )
    encoder.set_callbacks(times).fit(X)
    return times.durations, encoder


def hand_written_epochs(X, batch_size, device, n_epochs, fused):
    torch.manual_seed(0)
    network, _ = build_network(MLP(hidden_layer_sizes=(256, 256)), N_FEATURES, N_COMPONENTS)
    network.to(device).train()
    data = torch.as_tensor(X, device=device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=fused)
    durations = []
    for _ in range(n_epochs):
        wait(device)
        begin = time.perf_counter()
        total = torch.zeros((), device=device)
        order = torch.randperm(len(data), device=device)
        for i in range(0, len(data), batch_size):
            x = data[order[i : i + batch_size]]
            n = len(x)
            z = F.normalize(network(torch.cat([x, x + SCALE * torch.randn_like(x)])), dim=1)
            logits = z @ z.T / TEMPERATURE
            itself = torch.eye(2 * n, dtype=torch.bool, device=device)
            logits = logits.masked_fill(itself, float("-inf"))
            partner = torch.arange(2 * n, device=device).roll(n)
            loss = F.cross_entropy(logits, partner)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * n
        float(total)
        wait(device)
        durations.append(time.perf_counter() - begin)
    return durations


def compare_epochs(X, batch_size, device, repeats):
    ours, plain, fused = [], [], []
    # The first epoch of each run warms caches up and is left out.
    for _ in range(repeats):
        ours += estimator_epochs(X, batch_size, device, 2)[0][1:]
        plain += hand_written_epochs(X, batch_size, device, 2, False)[1:]
        fused += hand_written_epochs(X, batch_size, device, 2, True)[1:]
    a, b, c = map(statistics.median, (ours, plain, fused))
    print(
        f"epoch, batch {batch_size:4d}: ContrastiveEncoder {a:.3f} s, "
        f"hand-written {b:.3f} s (ratio {a / b:.2f}), "
        f"with fused AdamW {c:.3f} s (ratio {a / c:.2f})"
    )


def compare_transform(X, device, repeats):
    _, encoder = estimator_epochs(X[:1000], 500, device, 1)
    network = encoder_of(encoder).to(device).eval()
    ours, raw = [], []
    encoder.transform(X)
    for _ in range(repeats * 3):
        begin = time.perf_counter()
        encoder.transform(X)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        with torch.inference_mode():
            network(torch.as_tensor(X, device=device)).cpu().numpy()
        raw.append(time.perf_counter() - begin)
    a, b = statistics.median(ours), statistics.median(raw)
    print(
        f"transform of {len(X)} rows: {len(X) / a:,.0f} rows/s, "
        f"raw forward pass {len(X) / b:,.0f} rows/s (ratio {b / a:.2f})"
    )


def import_time():
    command = [sys.executable, "-c", "import skcontrast, sys; assert 'torch' not in sys.modules"]
    bare = [sys.executable, "-c", "pass"]
    spent = []
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run(command, check=True)
        middle = time.perf_counter()
        subprocess.run(bare, check=True)
        spent.append(2 * middle - begin - time.perf_counter())
    print(f"import skcontrast: {statistics.median(spent):.3f} s beyond the interpreter, no torch")


# Epochs whose CPU time is taken, before one is profiled, and the steps of each.
N_TIMED, N_STEPS = 5, 16

# Kinds of operations by parts of their names; the first that fits counts.
KINDS = {
    "matrix products": ("mm", "linear"),
    "layer normalisation and ReLU": ("layer_norm", "LayerNorm", "clamp_min", "relu", "threshold"),
    "optimizer": ("adamw", "AdamW", "foreach"),
    "rows and views: random numbers, gathering": (
        "random", "randint", "uniform", "index", "take", "scatter", "repeat", "topk", "perm",
    ),
    "other arithmetic, and memory": (
        "add", "mul", "div", "sub", "neg", "exp", "log", "sum", "mean", "norm", "where", "gt",
        "cat", "copy", "fill", "zero", "empty", "clone", "expand", "ones", "arange",
    ),
}  # fmt: skip


class Profiled(Callback):
    """Takes the CPU time of some epochs, and profiles the one after them."""

    spent = float("inf")

    def on_epoch_begin(self, net, **kwargs):
        self.profile = profile() if len(net.history) == N_TIMED + 1 else None
        if self.profile:
            self.profile.start()
        self.begin = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        if self.profile:
            self.profile.stop()
        else:
            self.spent = min(self.spent, time.process_time() - self.begin)


def shares_of_a_step(batch_size):
    """Share of the time of a step by kind of operation; what is left is Python and dispatch."""
    seen, n_epochs = Profiled(), N_TIMED + 1
    settings = {"max_iter": n_epochs, "callbacks": [seen], "random_state": 0}
    ContrastiveEncoder(batch_size=batch_size, **settings).fit(table(N_STEPS * batch_size))
    times = {}
    for event in seen.profile.events():
        if event.name.startswith("aten::"):
            times.setdefault(event.name, []).append(event.self_cpu_time_total / 1e6)
    shares = dict.fromkeys(KINDS, 0.0)
    for name, values in times.items():
        kind = next((k for k, parts in KINDS.items() if any(p in name for p in parts)), None)
        if kind:
            # At its place in a step the shortest: in others another process had the processor.
            places = max(1, len(values) // N_STEPS)
            spent = N_STEPS * sum(min(values[place::places]) for place in range(places))
            shares[kind] += spent / seen.spent
    return {**shares, "Python and what starts the operations": 1 - sum(shares.values())}


def profile_steps(repeats):
    """Lines of a table: medians of the shares at two batch sizes."""
    sizes = (256, 64)
    columns = []
    for size in sizes:
        runs = [shares_of_a_step(size) for _ in range(repeats)]
        columns.append({kind: statistics.median(run[kind] for run in runs) for kind in runs[0]})
    yield "| share of a default step | " + " | ".join(f"batch {size}" for size in sizes) + " |"
    yield "|---|---|---|"
    for kind in columns[0]:
        yield f"| {kind} | " + " | ".join(f"{column[kind]:.0%}" for column in columns) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--write")
    options = parser.parse_args()
    if options.write and not options.profile:
        parser.error("--write goes with --profile")
    if options.profile:
        torch.set_num_threads(1)
        lines = list(profile_steps(options.repeats))
        print(*lines, sep="\n")
        if options.write:
            write_table(options.write, "profile", lines)
        return
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.device}, {options.threads} threads")
    X = np.random.default_rng(0).standard_normal((N_ROWS, N_FEATURES)).astype(np.float32)
    for batch_size in (512, 64):
        compare_epochs(X, batch_size, options.device, options.repeats)
    compare_transform(X, options.device, options.repeats)
    import_time()


if __name__ == "__main__":
    main()
