"""Wide sparse rows: time, memory and accuracy of what the first layers may read of them.

    python benchmarks/wide.py --data-dir DIR [--sets NAME ...] [--rows NAME ...] [--write PAGE]

The time is that of a default fit of 5,000 rows of 200,000 columns, each with 200 entries, on one
thread; of what takes minutes one epoch is run, and the others are counted like
it. Accuracy is that of a logistic regression on the learned columns alone, of TF-IDF of words and
pairs of words: at most 1,500 texts train and 1,000 test, in 20 epochs. The number of buckets was
chosen on mr and reuters_r8, and how large weights are at the start on ag_news_17k. What was
measured is kept, so that a run that was stopped goes on.
"""

import argparse
import pickle
import shlex
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from record import Record
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from skorch.callbacks import Callback
from text import LABELS, accuracy, labelled, load_texts, scaled
from threadpoolctl import threadpool_limits
from torch.nn.functional import embedding_bag

from skcontrast import ContrastiveEncoder
from skcontrast.networks import MLP, InputLayer
from skcontrast.optimizers import AdamW

MARKS = "<!-- wide -->", "<!-- end of wide -->"
SETS = ("mr", "reuters_r8", "ag_news_17k", "subj", "newsgroups20")
MAX_TRAIN, MAX_TEST, EPOCHS, N_DRAWS = 1500, 1000, 20, 3
N, N_COLUMNS, N_ENTRIES = 5000, 200_000, 200


class RowsOfBatch(InputLayer):
    """A first layer whose gradient holds those rows of the weight that a batch uses."""

    def forward(self, x):
        return self.bias + embedding_bag(
            x.indices,
            self.weight,
            x.offsets,
            mode="sum",
            per_sample_weights=x.values,
            sparse=self.training,
        )


class RowsMLP(MLP):
    """The default network with such layers."""

    def build(self, n_features_in, n_components):
        module = super().build(n_features_in, n_components)
        module.layers[0][0].__class__ = module.shortcut.__class__ = RowsOfBatch
        return module


class RowAdamW(AdamW):
    """AdamW that leaves rows without a gradient alone; each row counts steps of its own."""

    def build(self, parameters, learning_rate):
        return _RowAdamW(self.groups(parameters), {"lr": learning_rate})


class _RowAdamW(torch.optim.Optimizer):
    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                rows, grad = slice(None), p.grad
                if grad.is_sparse:
                    rows, grad = grad.coalesce().indices()[0], grad.coalesce().values()
                if not (state := self.state[p]):
                    state["steps"] = torch.zeros(len(p), *[1] * (p.ndim - 1))
                    state["mean"], state["square"] = torch.zeros_like(p), torch.zeros_like(p)
                steps = state["steps"][rows] + 1
                mean = state["mean"][rows].lerp(grad, 0.1)
                square = state["square"][rows].mul(0.999).addcmul_(grad, grad, value=0.001)
                state["steps"][rows], state["mean"][rows] = steps, mean
                state["square"][rows] = square
                root = (square / (1 - 0.999**steps)).sqrt_().add_(1e-8)
                kept = p[rows] * (1 - group["lr"] * group["weight_decay"])
                p[rows] = kept - group["lr"] * mean / (1 - 0.9**steps) / root


# What an encoder is told, by the name of its row.
ROWS = {
    "columns": {"network": MLP(n_buckets=None)},
    "rows of a batch": {"network": RowsMLP(n_buckets=None), "optimizer": RowAdamW()},
    "4,096 buckets": {"network": MLP(n_buckets=2**12)},
    "16,384 buckets": {"network": MLP(n_buckets=2**14)},
}
# How the cost of each is measured: with the number of epochs, None for a whole default fit.
COSTS = {"columns": 1, "rows of a batch": 1, "4,096 buckets": 1, "16,384 buckets": None}


class Clock(Callback):
    """CPU seconds of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.seconds = []

    def on_epoch_begin(self, net, **kwargs):
        self.start = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        self.seconds.append(time.process_time() - self.start)


def wide_rows():
    """Unit rows whose columns are as unequally frequent as words."""
    rng = np.random.default_rng(0)
    columns = (N_COLUMNS * rng.random((N, N_ENTRIES)) ** 3).astype(np.int64)
    start = np.arange(0, columns.size + 1, N_ENTRIES)
    X = sp.csr_matrix((rng.random(columns.size), columns.ravel(), start), (N, N_COLUMNS))
    X.sum_duplicates()
    return normalize(X)


def cost(folder, what, name):
    """CPU seconds of a step and of a default fit, and megabytes."""
    X, clock, epochs = wide_rows(), Clock(), COSTS[name]
    own = {"random_state": 0, "device": "cpu", "callbacks": [clock]}
    if epochs:
        own |= {"max_iter": epochs, "passthrough": False}
    model = ContrastiveEncoder(**ROWS[name], **own)
    start = time.process_time()
    model.fit(X)
    fit = time.process_time() - start
    epoch = statistics.median(clock.seconds)
    weights = sum(w.nbytes for w in model.weights_.values()) / 1e6
    out = {"step": epoch / (N // 256 + 1), "weights": weights}
    if epochs:
        return out | {"network": fit + 29 * epoch}
    start = time.process_time()
    model.transform(X[:1000])
    out |= {"fit": fit, "network": sum(clock.seconds), "transform": time.process_time() - start}
    first = vars(model.output_.parts_["columns"])
    rows = first["rows_"]
    kept = first["components_"].nbytes + rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes
    model.callbacks = None
    return out | {"directions": kept / 1e6, "pickle": len(pickle.dumps(model)) / 1e6}


def learned(folder, set_name, row_name):
    """Accuracies by number of labels, the columns of TF-IDF, and CPU seconds of the fit."""
    train, y, test, y_test = load_texts(folder, set_name, 0)
    train, y, test, y_test = train[:MAX_TRAIN], y[:MAX_TRAIN], test[:MAX_TEST], y_test[:MAX_TEST]
    words = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": (1, 2), "dtype": np.float32}
    tfidf = TfidfVectorizer(sublinear_tf=True, **words)
    X = tfidf.fit_transform(train)
    start = time.process_time()
    own = {"passthrough": False, "max_iter": EPOCHS, "random_state": 0, "device": "cpu"}
    model = ContrastiveEncoder(**ROWS[row_name], **own).fit(X)
    out = {"seconds": time.process_time() - start, "columns": X.shape[1]}
    Z, Z_test = scaled(model.transform(X), model.transform(tfidf.transform(test)))
    for n_labels in LABELS:
        chosen = [labelled(y, n_labels, k) for k in range(N_DRAWS if n_labels else 1)]
        out[str(n_labels)] = float(np.mean([accuracy(Z[c], y[c], Z_test, y_test) for c in chosen]))
    return out


def measure(folder, what, name):
    """A job: the cost of a row, or its accuracies on a set."""
    with threadpool_limits(1):
        return (cost if what == "cost" else learned)(folder, what, name)


TEXT = """A default fit of {n:,} x {columns:,} rows took {fit:.0f} CPU seconds and {pickle:.0f}
megabytes pickled; with a weight for each column training alone takes {all:.0f} (counted from one
epoch), the model {more:,.0f} megabytes. Milliseconds a step, megabytes of weights, accuracy of the
learned columns with 5, 20, all labels a class:
"""


def page(results, sets, rows, command):
    """What a fit took, and the table, in Markdown."""
    now, before = results["cost", "16,384 buckets"], results["cost", "columns"]
    more = before["weights"] + 2048 * N_COLUMNS * 4 / 1e6
    sizes = {"fit": now["fit"], "pickle": now["pickle"], "all": before["network"], "more": more}
    lines = [TEXT.format(n=N, columns=N_COLUMNS, **sizes)]
    lines.append(" | ".join(["| the first layers read | a step", "megabytes", *sets]) + " |")
    lines.append("|---|---|---|" + "---|" * len(sets))
    for name in rows:
        found = results["cost", name]
        cells = [f"{1000 * found['step']:.0f}", f"{found['weights']:.0f}"]
        for found in (results[s, name] for s in sets):
            cells.append(" / ".join(f"{found[str(k)]:.3f}"[1:] for k in LABELS))
        lines.append(" | ".join([f"| {name}", *cells]) + " |")
    return [*lines, "", f"    {command}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--no-cost", action="store_true", help="accuracy alone, to choose")
    parser.add_argument("--write", type=Path, help="page with the marks to write between")
    options = parser.parse_args()
    if options.write and (options.no_cost or not {"columns", "16,384 buckets"} <= {*options.rows}):
        parser.error("--write takes the cost of columns and of 16,384 buckets")
    jobs = [] if options.no_cost else [("cost", name) for name in options.rows]
    jobs += [(s, name) for s in options.sets for name in options.rows]
    results = Record("wide").run(measure, options.data_dir, jobs, 1)
    for job, result in results.items():
        print(*job, {k: round(v, 3) for k, v in result.items()})
    if options.write:
        command = "python benchmarks/wide.py " + shlex.join(sys.argv[1:])
        lines = page(results, options.sets, options.rows, command)
        first, rest = options.write.read_text().split(MARKS[0])
        last = rest.split(MARKS[1])[1]
        options.write.write_text("\n".join([first + MARKS[0], "", *lines, "", MARKS[1]]) + last)


if __name__ == "__main__":
    main()
