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
from figures import strips
from quality import RESULTS
from quality_measure import SIZES, prepared
from quality_report import KINDS, count, interval, labels, markdown, read

ROWS = ("raw", "default")
# A difference of so many points counts as better or worse.
POINT = 1.0
# Numbers of labels that the page speaks of.
SHORT = ("5", "all")
N_EXTREME = 5
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
        ["under 5 %", "5 to 19 %", "20 to 39 %", "40 % and more"],
    ),
}
PAGE = """# When it helps, and when it does not

`ContrastiveEncoder()`, the default, against the raw features that it learned from, on {sets} real
sets with classes: {count}. The accuracies are those of
[the page on quality](quality.md), which says how they were measured: of a logistic regression
fitted on a few labelled rows, with the encoder trained on all training rows without labels.
*Points* are the mean over sets of the accuracy of the default less that of raw features, in percent
of the test rows, with a 95 % confidence interval (Student's t over sets). Half of the sets (*dev*)
were used to choose `passthrough`; the tables of the page on quality are of the others. Where a line
is of few sets look at the interval, not at the mean.

{in_short}

![A dot for each set and an orange bar at their mean: points, by kind](when.png)

## By kind, and by what a set is like

Points, then how many sets are better / worse by more than one. Columns are those that the
classifier sees (categories one-hot, texts by TF-IDF), *columns of two values* their share, as
one-hot columns have them, *largest class* its share of the training rows. The error of raw features
is part of the difference too: by chance alone the difference grows with it, by less than the
standard errors of the accuracies.

{groups}
{extremes}
{advice}
## All numbers

The accuracies are in [`quality.csv`](../benchmarks/results/quality.csv) ({versions}), nearest
neighbours and `Nystroem` too. This counts the properties of the sets, and writes the page:

    {command}
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
- **Kernel features** (`sklearn.kernel_approximation.Nystroem`) cost a fraction of the time;
  [the tables by kind](quality.md) say where they do as well.
- **Labels.** With many labelled rows, what learns from the labels
  ([`SupervisedContrastiveClassifier`](supervised.md), boosting) is the thing to compare with.
"""


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


def wide(frame):
    """One line for each set and number of labels: accuracies of ROWS, and the difference.

    ``points`` is the accuracy of the default less that of raw features, in percent.
    """
    part = frame[(frame.probe == "logistic") & frame.row.isin(ROWS)]
    keys = ["set", "kind", "half", "labels"]
    table = part.pivot(index=keys, columns="row", values="accuracy").reset_index()
    table["points"] = 100 * (table["default"] - table["raw"])
    return table.dropna(subset=["points"])


def counts(points):
    """How many sets are better and worse by more than a point."""
    return int((points > POINT).sum()), int((points < -POINT).sum())


def groups(table):
    """Name of a kind or of a bin of a property, and which lines of the table are in it."""
    for kind in KINDS:
        yield f"kind: {kind}", table.kind == kind
    for name, (ends, names) in BINS.items():
        bins = pd.cut(table[name], ends, labels=names, right=False)
        for label in names:
            yield f"{name}: {label}", bins == label
    yield "all", table.kind.notna()


def by_group(table):
    """Differences by kind and by bins of properties."""
    lines = []
    for name, chosen in groups(table):
        line = {"sets": name}
        for n in SHORT:
            points = table[chosen & (table.labels == n)].points
            better, worse = counts(points)
            line[labels(n)] = f"{interval(points)}; {better} / {worse} of {len(points)}"
        lines.append(line)
    return markdown(pd.DataFrame(lines), index=False)


def extremes(table, n):
    """The sets with the highest and the lowest differences, and what they are like."""
    part = table[table.labels == n].sort_values("points", ascending=False)
    part = pd.concat([part.head(N_EXTREME), part.tail(N_EXTREME)])
    lines = pd.DataFrame(
        {
            "set": part.set,
            "kind": part.kind,
            "half": part.half,
            **{row: (100 * part[row]).map("{:.1f}".format) for row in ROWS},
            "points": part.points.map("{:+.1f}".format),
            "columns": part["columns"].map("{:,}".format),
            "classes": part["classes"],
            "largest class": (100 * part["largest class"]).map("{:.0f} %".format),
        }
    )
    return f"## The sets it helped most and least, {labels(n)}\n\n{markdown(lines, index=False)}"


def in_short(table):
    """How often it helps and hurts, in a sentence."""
    told = []
    for n in SHORT:
        points = table[table.labels == n].points
        better, worse = counts(points)
        told.append(f"with {labels(n)} on {better} of {len(points)} sets and worse on {worse}")
    return f"It is better by more than a point {', '.join(told)}."


def page(frame, versions, found, command, picture):
    """Text of the page; its picture is drawn beside it.

    Parameters
    ----------
    frame : DataFrame of quality.csv
    found : DataFrame, properties by set
    """
    table = wide(frame).join(found, on="set")
    table["error of raw features"] = 1 - table["raw"]
    kinds = [kind for kind in KINDS if (table.kind == kind).any()]
    panels = {
        labels(n): {k: table[(table.kind == k) & (table.labels == n)].points for k in kinds}
        for n in SHORT
    }
    strips(panels, picture)
    return PAGE.format(
        sets=table.set.nunique(),
        count=count(table),
        in_short=in_short(table),
        groups=by_group(table),
        extremes="\n".join(extremes(table, n) for n in SHORT),
        advice=ADVICE,
        versions=versions,
        command=command,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--write", type=Path, required=True, help="page to write")
    options = parser.parse_args()
    _, versions, frame = read(RESULTS / "quality.csv")
    found = {name: properties(options.data_dir, name) for name in sorted(set(frame.set))}
    found = pd.DataFrame.from_dict(found, orient="index")
    command = "python benchmarks/when.py " + " ".join(sys.argv[1:])
    text = page(frame, versions, found, command, options.write.with_suffix(".png"))
    options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
