"""Fit time and memory of the encoder and of the supervised estimators as the rows grow.

    python benchmarks/scaling.py [--rows 1000 2000 ...] [--epochs N] [--write PAGE]

Each size runs in a process of its own, on one thread and on rows of scikit-learn's Friedman
function. Memory is the peak of the process, less that of a process that only imports.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scale import TITLE

SIZES = (1000, 2000, 5000, 10_000, 20_000, 50_000)
# The encoder has its default number of epochs.
ENCODER_SIZES, ENCODER_COLUMNS, COLUMNS = (1000, 4000, 16_000, 64_000), 60, 20


def estimators(epochs):
    """Name -> unfitted estimator."""
    from sklearn.linear_model import RidgeCV

    from skcontrast import (
        ContrastiveEncoder,
        SupervisedContrastiveClassifier,
        SupervisedContrastiveRegressor,
    )

    own = {"random_state": 0, "device": "cpu"}
    numbers = ContrastiveEncoder(objective="y_aware", max_iter=epochs, **own)
    classes = ContrastiveEncoder(objective="supcon", max_iter=epochs, **own)
    return {
        "encoder": ContrastiveEncoder(**own),
        "regressor": SupervisedContrastiveRegressor(numbers, random_state=0),
        "regressor, ridge head": SupervisedContrastiveRegressor(numbers, RidgeCV(), random_state=0),
        "classifier": SupervisedContrastiveClassifier(classes, random_state=0),
    }


def one(kind, n, epochs):
    """CPU seconds and peak megabytes of one fit, and of the output for 10,000 rows."""
    import torch
    from sklearn.datasets import make_friedman1

    torch.set_num_threads(1)
    # NumPy first, so that what the imports take is not counted.
    n_columns = ENCODER_COLUMNS if kind == "encoder" else COLUMNS
    X, y = make_friedman1(n + 10_000, n_features=n_columns, noise=1.0, random_state=0)
    classes = np.digitize(y, np.quantile(y, [0.2, 0.4, 0.6, 0.8]))
    model = estimators(epochs)[kind]
    target = {"encoder": (), "classifier": (classes[:n],)}.get(kind, (y[:n],))
    before = peak()
    begin = time.process_time()
    model.fit(X[:n], *target)
    fitted = time.process_time()
    (model.transform if kind == "encoder" else model.predict)(X[n:])
    return {
        "epochs": getattr(model, "n_iter_", epochs),
        "fit_s": fitted - begin,
        "output_s": time.process_time() - fitted,
        "megabytes": peak() - before,
    }


def peak():
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (2**20 if platform.system() == "Darwin" else 2**10)


PAGE = """# How time and memory grow with the rows

CPU seconds of one thread. `encoder` is `ContrastiveEncoder()`, with its default number of epochs,
on {encoder_columns} columns; the others have {columns} columns, `regressor` and `classifier` with
their default heads. Output is that of `transform` or of `predict`. Peak memory of the process
beyond what it held before `fit`.

Written by

    {command}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--write", type=Path, help="page to write the table to")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one[0], int(options.one[1]), options.epochs)))
        return
    lines = []
    for kind in ("encoder", "regressor", "regressor, ridge head", "classifier"):
        for n in ENCODER_SIZES if kind == "encoder" else options.rows:
            call = [
                sys.executable,
                __file__,
                "--epochs",
                str(options.epochs),
                "--one",
                kind,
                str(n),
            ]
            threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            out = subprocess.run(
                call, check=True, capture_output=True, text=True, env={**os.environ, **threads}
            )
            lines.append({"estimator": kind, "rows": n, **json.loads(out.stdout)})
            print(lines[-1], flush=True)
    table = pd.DataFrame(lines).rename(
        columns={
            "fit_s": "CPU seconds to fit",
            "output_s": "CPU seconds for the output of 10,000 rows",
            "megabytes": "megabytes",
        }
    )
    command = "python benchmarks/scaling.py " + " ".join(sys.argv[1:])
    text = PAGE.format(columns=COLUMNS, encoder_columns=ENCODER_COLUMNS, command=command)
    text += "\n" + table.to_markdown(index=False, floatfmt=["", "", "", ".1f", ".1f", ".1f"]) + "\n"
    print(text)
    if options.write:
        before = options.write.read_text(encoding="utf-8") if options.write.exists() else ""
        more = before.partition(TITLE)[2]  # what benchmarks/scale.py has written
        text += f"\n{TITLE}{more}" if more else ""
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
