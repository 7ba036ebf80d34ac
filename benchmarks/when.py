"""When the default encoder helps and when it does not, by kind and properties of the sets.

    python benchmarks/when.py --data-dir DIR --write docs/when.md

Nothing is trained: accuracies are those of ``benchmarks/results/quality.csv``, and the
properties of a set (columns, classes, balance) are counted in its training rows.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from quality import RESULTS
from quality_measure import SIZES, prepared
from quality_page import KINDS, read
from quality_report import LABELS, interval, labels

ROWS = ("raw", "nystroem", "default")
# A difference of so many points counts as better or worse.
POINT = 1.0
N_EXTREME = 10
PLURALS = {"table": "tables", "text": "texts", "series": "series", "image": "image sets"}
PLURALS |= {"embedding": "sets of embeddings"}
# Property -> ends of its bins (left end in, right end out) and their names.
BINS = {
    "columns": (
        [0, 20, 100, 1000, np.inf],
        ["under 20", "20 to 99", "100 to 999", "1,000 and more"],
    ),
    "columns of two values": (
        [0, 0.01, 0.5, np.inf],
        ["under 1 %", "1 to 49 %", "50 % and more"],
    ),
    "classes": ([0, 3, 6, 11, np.inf], ["2", "3 to 5", "6 to 10", "more than 10"]),
    "largest class": (
        [0, 0.2, 0.4, 0.6, np.inf],
        ["under 20 %", "20 to 39 %", "40 to 59 %", "60 % and more"],
    ),
    "error of raw features": (
        [0, 0.05, 0.2, 0.4, np.inf],
        ["under 5 %: nearly solved", "5 to 19 %", "20 to 39 %", "40 % and more"],
    ),
}
ABOUT = {
    "columns": "Columns of the features as the probe sees them: categories one-hot, texts by "
    "TF-IDF.",
    "columns of two values": "Share of the columns that hold two values, as one-hot ones do "
    "(texts: none).",
    "classes": "",
    "largest class": "Share of the training rows that are of the largest class.",
    "error of raw features": "Error of the same probe on raw features, with as many labels as "
    "the column of the table says. It is part of the difference too, so that by chance alone the "
    "difference grows with it, by less than the standard errors of the accuracies.",
}
INTRODUCTION = """# When it helps, and when it does not

`ContrastiveEncoder()`, the default, against the raw features that it learned from, on {sets} real
sets with classes: {kinds}. The accuracies are those of [the page on quality](quality.md), which
says how they were measured: of a logistic regression (or nearest neighbours, where a table
says so) fitted on a few labelled rows, with the encoder trained on all training rows without
labels. Nothing was trained for this page.

**Points** are the mean over sets of the accuracy of the default less that of raw features, in
percent of the test rows, with a 95 % confidence interval (Student's t over sets). **Better** and
**worse** count sets with more than one point of difference. Half of the sets (*dev*) were used to
choose `passthrough`; *points, test* is on the others. Columns and rows of few sets say little:
look at the interval, not at the mean.

Written by

    {command}

from `benchmarks/results/quality.csv`: {versions}.

## In short
"""
ADVICE = """## What to try where it does not help

Compare on your own rows, by cross-validation with as many labels as you will have:

- **The input as it is.** A `GridSearchCV` can choose between the encoder and `"passthrough"`, the
  raw features, as the first step of a pipeline.
- **`ContrastiveEncoder(passthrough=False)`** gives the learned columns alone: for nearest
  neighbours and clustering. For few columns type `n_components`, which leaves the parts in.
- **A list of parts**, such as `passthrough=["columns", "kernel"]`, leaves out what does not suit
  the data; `passthrough=["columns"]` is the input and the learned columns.
- **Other views.** What a view changes is what the embedding forgets. Where columns depend on
  each other closely, corrupted copies may leave the data; where the nearest rows are often of
  another class, neighbours mislead: `views="neighbors"` and `views="corruption"` are the two
  halves of the default. See [the guide](guide.md#views).
- **Kernel features** (`sklearn.kernel_approximation.Nystroem`) cost a fraction of the time; the
  tables say where they do as well.
- **Labels.** With many labelled rows, what learns from the labels
  ([`SupervisedContrastiveClassifier`](supervised.md), boosting) is the thing to compare with.
"""


def said(n):
    return "all labels" if n == "all" else labels(n)


def properties(folder, name):
    """Columns, share of them with two values, classes and largest class of a set."""
    _, (X, _), y, _ = prepared(folder, name, SIZES["full"], 0)
    binary = 0.0
    if not sp.issparse(X):
        binary = float(np.mean([len(np.unique(column)) == 2 for column in X.T]))
    share = np.bincount(y) / len(y)
    return {
        "columns": X.shape[1],
        "columns of two values": binary,
        "classes": len(share),
        "largest class": share.max(),
    }


def wide(frame, probe="logistic"):
    """One line for each set and number of labels: accuracies of ROWS, and the difference.

    ``points`` is the accuracy of the default less that of raw features, in percent.
    """
    part = frame[(frame.probe == probe) & frame.row.isin(ROWS)]
    keys = ["set", "kind", "half", "labels"]
    table = part.pivot(index=keys, columns="row", values="accuracy").reset_index()
    table["points"] = 100 * (table["default"] - table["raw"])
    return table.dropna(subset=["points"])


def counts(points):
    """How many sets are better and worse by more than a point."""
    return int((points > POINT).sum()), int((points < -POINT).sum())


def by_kind(table):
    """Accuracies and differences by kind of set and number of labels."""
    lines = []
    for kind in (*KINDS, "all"):
        of_kind = table if kind == "all" else table[table.kind == kind]
        for n in LABELS:
            part = of_kind[of_kind.labels == n]
            if part.empty:
                continue
            line = {"kind": kind, "labels": n, "sets": len(part)}
            line |= {row: f"{100 * part[row].mean():.1f}" for row in ROWS if row in part}
            better, worse = counts(part.points)
            line |= {"points": interval(part.points), "better": better, "worse": worse}
            test = part[part.half == "test"].points
            line["points, test"] = f"{test.mean():+.1f} ({len(test)})" if len(test) else ""
            lines.append(line)
    return pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True) + "\n"


def by_property(table, name):
    """Differences by bins of a property: lines of bins, columns by number of labels."""
    bins, lines = binned(table, name), {}
    for label in BINS[name][1]:
        cells = {}
        for n in LABELS:
            points = table[(bins == label) & (table.labels == n)].points
            if len(points):
                better, worse = counts(points)
                cells[n] = f"{interval(points)}; {better} / {worse} of {len(points)}"
        if cells:
            lines[label] = cells
    cells = pd.DataFrame.from_dict(lines, orient="index").reindex(columns=LABELS).fillna("")
    cells.columns = [said(n) for n in LABELS]
    return cells.rename_axis(name).to_markdown(disable_numparse=True) + "\n"


def binned(table, name):
    """Name of the bin of a property, for each line."""
    ends, names = BINS[name]
    return pd.cut(table[name], ends, labels=names, right=False)


def extremes(table, n, best):
    """The sets with the highest differences, or with the lowest, and what they are like."""
    part = table[table.labels == n].sort_values("points", ascending=not best).head(N_EXTREME)
    part = part[part.points > 0] if best else part[part.points < 0]
    lines = pd.DataFrame(
        {
            "set": part.set,
            "kind": part.kind,
            "half": part.half,
            **{row: (100 * part[row]).map("{:.1f}".format) for row in ROWS if row in part},
            "points": part.points.map("{:+.1f}".format),
            "columns": part["columns"].map("{:,}".format),
            "classes": part["classes"],
            "largest class": (100 * part["largest class"]).map("{:.0f} %".format),
        }
    )
    return lines.to_markdown(index=False, disable_numparse=True) + "\n"


def sentences(table):
    """What the table of kinds says, a line for each kind and for nearly solved sets."""
    lines = []
    for kind in KINDS:
        parts = []
        for n in ("5", "all"):
            points = table[(table.kind == kind) & (table.labels == n)].points
            if len(points):
                better, worse = counts(points)
                parts.append(
                    f"with {said(n)} better by more than a point on {better} of {len(points)}, "
                    f"worse on {worse}"
                )
        if parts:
            lines.append(f"- **{PLURALS[kind].capitalize()}**: {'; '.join(parts)}.")
    solved = table[table["error of raw features"] < 0.05]
    for n in ("5", "all"):
        points = solved[solved.labels == n].points
        if len(points):
            better, worse = counts(points)
            lines.append(
                f"- Where raw features with {said(n)} have an error under 5 % ({len(points)} "
                f"sets): better by more than a point on {better}, worse on {worse}."
            )
    return "\n".join(lines) + "\n"


def page(frame, versions, found, command):
    """Text of the page.

    Parameters
    ----------
    frame : DataFrame of quality.csv
    found : DataFrame, properties by set
    """
    table = wide(frame).join(found, on="set")
    table["error of raw features"] = 1 - table["raw"]
    kinds = table.drop_duplicates("set").kind.value_counts()
    parts = [
        INTRODUCTION.format(
            sets=table.set.nunique(),
            kinds=", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kind in kinds),
            command=command,
            versions=versions,
        ),
        sentences(table),
        "## By kind of set\n",
        "Mean accuracies in percent, logistic regression.\n",
        by_kind(table),
        "The same by nearest neighbours:\n",
        by_kind(wide(frame, "knn")),
        "## By what a set is like\n",
        "Points, then better / worse of how many sets; logistic regression.\n",
    ]
    for name in BINS:
        parts += [f"### By {name}\n", *([ABOUT[name] + "\n"] if ABOUT[name] else [])]
        parts.append(by_property(table, name))
    for best, title in ((True, "helped"), (False, "hurt")):
        for n in ("5", "all"):
            parts += [f"## The sets it {title} most, {said(n)}\n", extremes(table, n, best)]
    return "\n".join([*parts, ADVICE])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--write", type=Path, help="page to write")
    options = parser.parse_args()
    _, versions, frame = read(RESULTS / "quality.csv")
    found = {name: properties(options.data_dir, name) for name in sorted(set(frame.set))}
    found = pd.DataFrame.from_dict(found, orient="index")
    command = "python benchmarks/when.py " + " ".join(sys.argv[1:])
    text = page(frame, versions, found, command)
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
