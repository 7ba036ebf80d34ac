"""CPU seconds of what comes beside the training step: loss, fits, transform, heads, adapters.

    python benchmarks/parts.py [--before CHECKOUT] [--repeats 3] [--only transform] \
        [--write docs/speed.md]

Each measure runs in a process of its own on one thread. With ``--before``, the folder of an
earlier version, each is run in turns with that version's package, and the medians stand side by
side. CPU seconds of the process, without imports and without making the data.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


def table(n, d=60):
    """Columns of a low rank with noise; some have long tails."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(n, 10)) @ rng.normal(size=(10, d)))
    X += 0.3 * rng.normal(size=(n, d))
    X[:, : d // 6] = np.exp(X[:, : d // 6])
    return X


def shots(n_classes, n_shots, d=256, noise=4.0):
    """Unit rows around a direction for each class."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(n_classes), n_shots)
    X = rng.normal(size=(n_classes, d))[y] + noise * rng.normal(size=(len(y), d))
    return X / np.linalg.norm(X, axis=1, keepdims=True), y


def timed(f, *args):
    start = time.process_time()
    f(*args)
    return time.process_time() - start


def loss_step(n):
    """Forward and backward of InfoNCE over two views of n rows."""
    import torch

    from skcontrast.objectives import InfoNCE

    built = InfoNCE().build(n)
    views = torch.randn(2, n, 128, requires_grad=True)
    index = torch.arange(n)

    def step():
        built(views=views, index=index).mean().backward()

    step()
    return statistics.median(timed(step) for _ in range(9))


def fit():
    """``ContrastiveEncoder().fit`` of 4,000 rows of 60 columns."""
    from skcontrast import ContrastiveEncoder

    return timed(ContrastiveEncoder(random_state=0).fit, table(4000))


def transform(plain):
    """``transform`` of 4,000 rows, of the whole output or of the learned columns alone."""
    from skcontrast import ContrastiveEncoder

    X = table(4000)
    model = ContrastiveEncoder(max_iter=1, passthrough=not plain and "auto", random_state=0).fit(X)
    model.transform(X)
    return statistics.median(timed(model.transform, X) for _ in range(5))


def wide():
    """Directions of 4,096 columns from 4,096 rows."""
    from skcontrast._output.parts import Columns

    rng = np.random.default_rng(0)
    return timed(Columns().fit, rng.normal(size=(4096, 4096)), rng)


def adapter(n_classes, n_shots):
    """``ProKeRClassifier().fit``."""
    from skcontrast import ProKeRClassifier

    return timed(ProKeRClassifier(random_state=0).fit, *shots(n_classes, n_shots))


def logistic(n_classes, n_shots):
    """``LogisticRegression().fit`` of the same rows, to compare."""
    from sklearn.linear_model import LogisticRegression

    return timed(LogisticRegression().fit, *shots(n_classes, n_shots))


def head(n):
    """The head of a classifier: ``ProKeRClassifier`` on columns, of ten classes."""
    from sklearn.preprocessing import StandardScaler

    from skcontrast import ProKeRClassifier

    X, y = shots(10, n // 10, 64, 3.0)
    return timed(ProKeRClassifier(random_state=0).fit, StandardScaler().fit_transform(X), y)


# What is measured: its name in the table, and the call.
MEASURES = {
    "loss step, 256 rows": (loss_step, 256),
    "loss step, 1,024 rows": (loss_step, 1024),
    "loss step, 8,192 rows": (loss_step, 8192),
    "default fit, 4,000 x 60": (fit,),
    "transform of 4,000 x 60": (transform, False),
    "transform of the learned columns alone": (transform, True),
    "directions of 4,096 columns": (wide,),
    "head of 2,000 rows, ten classes": (head, 2000),
    "`ProKeRClassifier`, 300 classes x 16": (adapter, 300, 16),
    "`ProKeRClassifier`, 1,000 classes x 16": (adapter, 1000, 16),
    "`LogisticRegression`, 1,000 classes x 16": (logistic, 1000, 16),
}


def in_a_process(package, name):
    """CPU seconds of a measure with the package in a folder."""
    env = {**os.environ, "PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--measure", name]
    out = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    return float(out.split()[-1])


def write_table(page, name, lines):
    """Put the lines of a table between the marks of its name in a page."""
    page, marks = Path(page), (f"<!-- {name} -->", f"<!-- end of {name} -->")
    first, rest = page.read_text().split(marks[0])
    last = rest.split(marks[1])[1]
    page.write_text("\n".join([first + marks[0], "", *lines, "", marks[1]]) + last)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--measure")
    parser.add_argument("--write")
    args = parser.parse_args()
    if args.measure:
        function, *values = MEASURES[args.measure]
        print(function(*values))
        return
    if not any(args.only in name for name in MEASURES):
        parser.error(f"--only {args.only}: no measure has it in its name")
    here = Path(__file__).resolve().parents[1]
    packages = [Path(args.before).resolve(), here] if args.before else [here]
    lines = ["| CPU seconds, one thread | before | now | ratio |", "|---|---|---|---|"]
    for name in (name for name in MEASURES if args.only in name):
        runs = [[in_a_process(p, name) for p in packages] for _ in range(args.repeats)]
        *before, now = (statistics.median(values) for values in zip(*runs))
        old, ratio = (f"{before[0]:.3g}", f"{now / before[0]:.2f}") if before else ("", "")
        lines.append(f"| {name} | {old} | {now:.3g} | {ratio} |")
        print(lines[-1], flush=True)
    if args.write:
        write_table(args.write, "parts", lines)


if __name__ == "__main__":
    main()
