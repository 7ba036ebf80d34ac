"""What surveys and findings say of contrastive learning, measured on scikit-learn's digits.

    python benchmarks/findings.py [--data-dir DIR] [--tables NAME ...] [--write PAGE]

A table takes about a minute. Of each split 70 % of the digits train; accuracies are those of the
rest, with five labels a class, means over splits and ten draws of the labels. Every table has the
raw pixels beside the encoders, with the same two tuned classifiers, and a tuned support vector
machine. With a folder of data sets the tables of texts follow, of ``findings_text.py``.
"""

import argparse
import sys
import textwrap
import time
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from findings_comparisons import comparisons
from findings_text import TABLES as TEXT_TABLES
from quality_probes import PROBES, Features
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.svm import SVC

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.functional import distinct, normalize, pair_loss
from skcontrast.metrics import resample_columns
from skcontrast.networks import MLP
from skcontrast.objectives import (
    AlignmentUniformity,
    CrossEntropy,
    DebiasedContrastive,
    InfoNCE,
    VICReg,
)
from skcontrast.views import Corruption

N_LABELS, N_DRAWS = 5, 10
GRID = {"C": [1, 10, 100], "gamma": ["scale", 1e-3, 3e-4]}
RATE = 0.3


class TrueNegatives(InfoNCE):
    """InfoNCE without the negatives of the anchor's own class: it reads all labels."""

    requires = ("views", "target")

    def loss(self, views, target, temperature, **named):
        z, y = normalize(views).flatten(0, 1), target.repeat(len(views))
        row = torch.arange(len(target)).repeat(len(views))

        def weights(rows, columns):
            positive = (row[rows, None] == row[columns]) & distinct(rows, columns, z.device)
            return positive, positive | (y[rows, None] != y[columns])

        return pair_loss(z, z, weights, temperature(None, None))[0]


@cache
def split(seed):
    """Rows to train on, rows to judge with, and their classes."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)


def drawn(y, draw):
    """Numbers of the labelled rows, as many of each class."""
    rng = np.random.default_rng(draw)
    return np.concatenate(
        [rng.permutation(np.flatnonzero(y == c))[:N_LABELS] for c in np.unique(y)]
    )


def judged(train, test, y, y_test):
    """Accuracy of both classifiers, means over draws of the labels."""
    features = Features(train, test)
    found = [
        [np.mean(probe(features, drawn(y, draw), y) == y_test) for probe in PROBES.values()]
        for draw in range(N_DRAWS)
    ]
    return dict(zip(("classifier", "nearest neighbours"), np.mean(found, axis=0)))


def summary(rows):
    """Means over splits, with the standard error of the first column."""
    frame = pd.DataFrame(rows)
    frame.insert(1, "standard error", frame["classifier"].sem())
    return frame.mean()


def support_vectors(X, y):
    """A support vector machine tuned on the labelled rows."""
    return GridSearchCV(SVC(), GRID, cv=3).fit(X, y)


@cache
def baselines(n_seeds, first=0):
    """The rows of every table that read no encoder; of the classes from the first on."""
    found = {"raw pixels": [], "raw pixels, tuned support vectors": []}
    for seed in range(n_seeds):
        X, test, y, y_test = of_classes(seed, first)
        found["raw pixels"].append(judged(X, test, y, y_test))
        rows = [drawn(y, draw) for draw in range(N_DRAWS)]
        scores = [support_vectors(X[r], y[r]).score(test, y_test) for r in rows]
        found["raw pixels, tuned support vectors"].append({"classifier": np.mean(scores)})
    return {name: summary(rows) for name, rows in found.items()}


def of_classes(seed, first):
    X, test, y, y_test = split(seed)
    kept, kept_test = y >= first, y_test >= first
    return X[kept], test[kept_test], y[kept] - first, y_test[kept_test] - first


def encoder(seed, **parameters):
    defaults = {"passthrough": False, "max_iter": 30, "random_state": seed, "device": "cpu"}
    return ContrastiveEncoder(**{**defaults, **parameters})


def timed(estimator, X, y=None):
    begin = time.process_time()
    return estimator.fit(X, y), time.process_time() - begin


def measured(seed, learn=None, **parameters):
    """The row of an encoder: fitted on all training rows of a split, which ``learn`` may change."""
    X, test, y, y_test = split(seed)
    rows = learn(X, y) if learn else (X, None)
    fitted, seconds = timed(encoder(seed, **parameters), *rows)
    row = judged(fitted.transform(X), fitted.transform(test), y, y_test)
    return {**row, "CPU seconds": seconds}


def table(rows, n_seeds, first=0):
    """Means over splits of the rows name -> function of the seed, below the baselines."""
    means = {name: summary([of(seed) for seed in range(n_seeds)]) for name, of in rows.items()}
    out = pd.DataFrame({**baselines(n_seeds, first), **means}).T
    return out[[*next(iter(means.values())).index]]


def budget(n_seeds, epochs=(1, 3, 10, 30, 100)):
    """Width of the network, rows and epochs: what a second of training is best spent on."""
    rows = {}
    for width in (32, 256):
        for share in (0.25, 1.0):
            part = partial(lambda X, y, share: (X[: int(share * len(X))], None), share=share)
            for n in epochs:
                name = f"width {width}, {100 * share:.0f} % of the rows, epochs: {n}"
                network = MLP(width=width, hidden_layer_sizes=(width,))
                rows[name] = partial(measured, learn=part, network=network, max_iter=n)
    return table(rows, n_seeds)


def loss_gap(fitted, objective, X, test, size):
    """InfoNCE of held-out rows less that of training rows, with as many negatives."""
    losses = []
    for rows in (test[:512], X[:512]):
        views = [rows, resample_columns(rows, RATE, random_state=0)]
        z = torch.stack([torch.as_tensor(fitted.transform(view)) for view in views])
        batches = [batch for batch in z.split(size, 1) if batch.shape[1] == size]
        losses.append(np.mean([float(objective(batch).mean()) for batch in batches]))
    return losses[0] - losses[1]


def with_gap(seed, size, objective, **parameters):
    X, test, y, y_test = split(seed)
    parameters = {"views": Corruption(RATE), "batch_size": size, **parameters}
    fitted, seconds = timed(encoder(seed, objective=objective, **parameters), X, y)
    row = judged(fitted.transform(X), fitted.transform(test), y, y_test)
    gap = loss_gap(fitted, InfoNCE(0.2), X, test, size)
    return {**row, "negatives": 2 * size - 2, "gap of the loss": gap, "CPU seconds": seconds}


def negatives(n_seeds, sizes=(8, 32, 128, 512), **parameters):
    """Negatives by the batch; a tenth of them are of the anchor's class, and false."""
    rows = {}
    for name, objective in {
        "InfoNCE": InfoNCE(0.2),
        "debiased": DebiasedContrastive(0.2),
        "without the false negatives": TrueNegatives(0.2),
    }.items():
        for size in sizes:
            of = partial(with_gap, size=size, objective=objective, **parameters)
            rows[f"{name}, batches of {size}"] = of
    return table(rows, n_seeds)


def extra_losses(n_seeds, **parameters):
    """Losses that compare no rows, added where the rest is poor, and where it is tuned."""
    rows = {}
    settings = {"poor": (2.0, Corruption(0.1)), "tuned": (0.2, ("neighbors", "corruption"))}
    for setting, (temperature, views) in settings.items():
        alone = InfoNCE(temperature)
        for name, objective in {
            "": alone,
            " + AlignmentUniformity": alone + 0.5 * AlignmentUniformity(),
            " + VICReg": alone + 0.1 * VICReg(),
        }.items():
            of = partial(measured, objective=objective, views=views, **parameters)
            rows[f"{setting}: InfoNCE{name}"] = of
    return table(rows, n_seeds)


def few_rows(seed, rate, objective, **parameters):
    """A network that sees nothing but the labelled rows; mean over draws of these."""
    X, test, y, y_test = split(seed)
    found = []
    for draw in range(3):
        rows = drawn(y, draw)
        views = {"views": Corruption(rate), "clean_anchor": False}
        model = encoder(seed, objective=objective, **views, **parameters).fit(X[rows], y[rows])
        features = Features(model.transform(X[rows]), model.transform(test))
        of_both = [probe(features, np.arange(len(rows)), y[rows]) for probe in PROBES.values()]
        found.append([np.mean(guess == y_test) for guess in of_both])
    return dict(zip(("classifier", "nearest neighbours"), np.mean(found, axis=0)))


def strength(n_seeds, rates=(0.1, 0.3, 0.5, 0.7, 0.9), **parameters):
    """Fifty labelled rows and a linear network: views by their strength, and a contrast added."""
    rows = {}
    for name, objective in {
        "cross-entropy": CrossEntropy(),
        "cross-entropy + InfoNCE": CrossEntropy() + InfoNCE(),
    }.items():
        for rate in rates:
            settings = {"network": "linear", "max_iter": 100, **parameters}
            of = partial(few_rows, rate=rate, objective=objective, **settings)
            rows[f"{name}, {100 * rate:.0f} % of the pixels changed"] = of
    return table(rows, n_seeds)


def other_classes(seed, learn, **parameters):
    X, y = split(seed)[::2]
    rows = X[learn(y)]
    fitted, seconds = timed(encoder(seed, **parameters), rows[: len(X) // 2])
    train, test, y, y_test = of_classes(seed, 5)
    row = judged(fitted.transform(train), fitted.transform(test), y, y_test)
    return {**row, "CPU seconds": seconds}


def transfer(n_seeds, **parameters):
    """An encoder of some digits, judged on the digits 5 to 9."""
    rows = {
        "learned from 0 to 4": lambda y: y < 5,
        "learned from 5 to 9": lambda y: y >= 5,
        "learned from as many of all": lambda y: y >= 0,
    }
    of = {name: partial(other_classes, learn=learn, **parameters) for name, learn in rows.items()}
    return table(of, n_seeds, first=5)


# Name -> function, heading, and what the table shows.
TABLES = {
    "budget": (
        budget,
        "Score by budget",
        "What a second of training is best spent on: a wider network, more rows or more epochs.",
    ),
    "negatives": (
        negatives,
        "Number of negatives",
        "30 epochs. A row of a batch has all views of the others as negatives, one in ten of them "
        "of its own class. *Gap of the loss*: InfoNCE of rows held out less that of training rows, "
        "with as many negatives. *Debiased* corrects for false negatives without labels; *without* "
        "reads all labels, to show what such a correction could gain at most.",
    ),
    "extra_losses": (
        extra_losses,
        "Losses added to a poor and to a tuned baseline",
        "Poor: a temperature of 2 and views that change a tenth of the pixels. Tuned: the default. "
        "30 epochs.",
    ),
    "strength": (
        strength,
        "Strength of views with few rows",
        "A linear network that sees the fifty labelled rows alone, and what a contrast between its "
        "views adds to the cross-entropy. 100 epochs, three draws of the rows.",
    ),
    "transfer": (
        transfer,
        "Other classes",
        "The digits 5 to 9, by an encoder that learned from the same or from other digits.",
    ),
    "comparisons": (
        comparisons,
        "How many comparisons",
        "n = 100 digits and their distances in d leading principal directions. An embedding of d "
        "columns is trained on 1 to 16 times n d comparisons (*is i nearer to j or k?*). Share of "
        "new comparisons that it has right; last, what the distances of all pixels have right.",
    ),
}
PAGE = """# Findings of the literature, on small data

What surveys and findings of the [table of papers](papers.md) say, measured in a minute or two each.
The digits are those of scikit-learn, 70 % to learn from. Accuracies are of a logistic regression
(*classifier*) and of nearest neighbours with {labels} labels a class, both tuned on the labelled
rows; means of {seeds} splits and {draws} draws of the labels, the standard error of the
classifier's over splits. Encoders give their learned columns alone (`passthrough=False`), and read
no labels where the table does not say otherwise.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}. `--tables NAME` prints one of
{names}.
"""


def shown(frame):
    """A table, with nothing where there is no number, and whole numbers as such."""
    frame = frame.convert_dtypes()
    return frame.astype(object).where(frame.notna(), None).to_markdown(floatfmt=".3f")


def report(tables, options):
    parts = [
        PAGE.format(
            labels=N_LABELS,
            seeds=options.seeds,
            draws=N_DRAWS,
            command=" ".join(["python benchmarks/findings.py", *sys.argv[1:]]),
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
            names=", ".join(f"`{name}`" for name in tables),
        )
    ]
    for frame, heading, text in tables.values():
        parts.append(f"## {heading}\n\n{textwrap.fill(text, 100)}\n\n{shown(frame)}\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", help="folder of data sets, for the tables of texts")
    parser.add_argument("--tables", nargs="*", choices=[*TABLES, *TEXT_TABLES])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    torch.set_num_threads(1)
    measured(0, max_iter=1)  # the first fit of a process takes longer
    known = TABLES if options.data_dir is None else {**TABLES, **TEXT_TABLES}
    done = {}
    for name, (measure, *words) in known.items():
        if options.tables is None or name in options.tables:
            given = options.seeds if name in TABLES else options.data_dir
            done[name] = measure(given), *words
            print(shown(done[name][0]), flush=True)
    if options.write:
        options.write.write_text(report(done, options), encoding="utf-8")


if __name__ == "__main__":
    main()
