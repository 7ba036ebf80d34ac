"""A stream whose classes come two by two: what partial_fit keeps of the first ones.

    python benchmarks/stream.py --data-dir DIR [--sets NAME ...] [--seeds 3] [--write PATH]

70 % of the rows of a set are the stream: tasks of two classes, one after the other, each with 40
passes of ``partial_fit``. Then a logistic regression is trained on the embedding of all rows of
the stream, and its accuracy on the other 30 % is printed: in all, and of the two classes of the
first task. Rows "joint" see all classes in each of 40 passes, "untrained" are the network
with the weights that it starts from, and "columns" the standardised columns themselves.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import manifest, read_table
from record import Record
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.objectives import InfoNCE, PreviousFeatures, SupCon
from skcontrast.replay import ClassBalancedReservoir, Reservoir

PAGE = """# Streams

`partial_fit` forgets what does not come again. `ContrastiveEncoder(replay="reservoir")` keeps 500
rows of the stream and trains on them beside those of each call;
`InfoNCE() + 0.5 * PreviousFeatures()` also holds them near their former embedding.

Below, classes come two by two, with 40 calls for each pair. Then logistic regression on 16 learned
columns tells all classes apart: accuracy on test rows, of all classes and of the first two.
"labelled" is `SupCon()`, "unlabelled" `InfoNCE()`; "joint" sees all classes at once, "untrained" is
the network at its start. Mean of {} draws; differences of a hundredth are chance.

    python benchmarks/stream.py {}

with {}, torch {}.

{}
"""
PASSES, MAX_ROWS = 40, 3000
LABELLED = {"unlabelled": InfoNCE, "labelled": SupCon}


def stream(objective=None, replay=None, **params):
    """What makes the encoder of a row of the table, of the objective that the rest share."""

    def make(base):
        chosen = base() if objective is None else base() + objective
        return ContrastiveEncoder(objective=chosen, replay=replay, **{**ALONE, **params})

    return make


ALONE = {"passthrough": False, "n_components": 16, "device": "cpu"}
ROWS = {
    "joint": stream(),
    "untrained": stream(learning_rate=1e-30),
    "no memory": stream(),
    "100 rows": stream(replay=Reservoir(100)),
    "300 rows": stream(replay=Reservoir(300)),
    "300 rows, balanced": stream(replay=ClassBalancedReservoir(300)),
    "300 rows, previous features": stream(0.5 * PreviousFeatures(), Reservoir(300)),
    "300 rows, beside the columns": stream(
        replay=Reservoir(300), passthrough=["columns"], n_components=None
    ),
}


def read(folder, name, seed):
    """Rows of the stream and of the test, and the classes in the order in which they come."""
    features, y = read_table(folder, manifest(folder).set_index("name").loc[name])
    X = features.to_numpy(dtype=np.float64)
    rows = np.random.default_rng(seed).permutation(len(X))[:MAX_ROWS]
    split = {"test_size": 0.3, "stratify": y[rows], "random_state": seed}
    order = np.random.default_rng(seed).permutation(np.unique(y))
    return *train_test_split(X[rows], y[rows], **split), order


def measure(folder, name, kind, row, seed):
    """Accuracy of all classes and of those of the first task."""
    X, X_test, y, y_test, order = read(folder, name, seed)
    tasks = [order[i : i + 2] for i in range(0, len(order) - 1, 2)]
    if row == "columns":
        embed = StandardScaler().fit(X).transform
    else:
        encoder = ROWS[row](LABELLED[kind]).set_params(random_state=seed)
        for task in [order] if row == "joint" else tasks:
            own = np.isin(y, task)
            for _ in range(PASSES):
                encoder.partial_fit(X[own], y[own])
        embed = encoder.transform
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    hit = probe.fit(embed(X), y).predict(embed(X_test)) == y_test
    return [float(hit.mean()), float(hit[np.isin(y_test, tasks[0])].mean())]


def table(results, name, kinds, seeds):
    """Mean accuracies of a set, a line for each row."""
    lines = []
    for row in ["columns", *ROWS]:
        values = [row]
        for kind in kinds:
            found = [results[name, kind, row, seed] for seed in seeds]
            values += [f"{value:.3f}" for value in np.mean(found, axis=0)]
        lines.append(values)
    columns = [f"{kind}, {what}" for kind in kinds for what in ("all classes", "first two")]
    return pd.DataFrame(lines, columns=["row", *columns]).to_markdown(
        index=False, disable_numparse=True
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=["pendigits", "satimage"])
    parser.add_argument("--kinds", nargs="*", default=list(LABELLED))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record, seeds = Record("stream"), range(options.seeds)
    if options.fresh:
        record.forget()
    jobs = [
        (name, kind, row, seed)
        for name in options.sets
        for kind in options.kinds
        for row in ["columns", *ROWS]
        for seed in seeds
    ]
    results = record.run(measure, options.data_dir, jobs, n_jobs=1)
    tables = [f"## {name}\n\n{table(results, name, options.kinds, seeds)}" for name in options.sets]
    command = f"--data-dir ../shared/data --sets {' '.join(options.sets)} --seeds {len(seeds)}"
    versions = f"skcontrast {skcontrast.__version__}, scikit-learn {sklearn.__version__}"
    command = command + (f" --write {options.write}" if options.write else "")
    page = PAGE.format(len(seeds), command, versions, torch.__version__, "\n\n".join(tables))
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
