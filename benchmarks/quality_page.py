"""From the CSV of benchmarks/quality.py to a page."""

import io

import numpy as np
import pandas as pd
from quality_report import LABELS, complete, intervals, labels, summaries

KINDS = ("table", "text", "series", "image", "embedding")
INTRODUCTION = """# What a representation is worth

Accuracy with few labels on {sets} real sets with classes: {kinds}. A representation learns
from the training rows of a set without their labels (at most {train:,} rows; 70 % where there are
fewer); a probe is fitted on a few labelled ones and scored on other rows (at most {test:,}).
Numeric columns are standardised, missing values imputed by the median, categories one-hot;
texts are TF-IDF; series and images are their values as columns; embeddings are sentence
embeddings of the text sets. Sets have at most 20 classes (drawn where there are more).

**The halves.** Of the sorted names of the sets every other one is in the half *dev*, on which
the parts of `passthrough` and their scales were tuned; the others are the half *test*, which is
for the report. Older defaults of `ContrastiveEncoder` (network, views) were chosen on 25 sets of
both halves, before there were any; and two changes were prompted by sets of the half test, though
checked on dev: the scale of columns of two values (vowel) and the number of directions that are
kept of wide input (movie_reviews_2k). A text set and its embeddings can be in different halves.

**The probes** are the same for every row: features are centred and divided by one number;
multinomial logistic regression with a strength of 1, 10, 100 or 1000 by the log-loss of three
folds of the labelled rows (10 where there is one label a class), and nearest neighbours with 1, 3,
5, 10 or 20 of them by leaving out one row at a time. Each accuracy is a mean over {splits}
and label draws in each: for sets of up to four classes {draws};
with more classes fewer, at least {least}. With 20 labels a class only sets count whose classes
have so many.

**The numbers.** *Error reduction* against raw features is 1 - error / error of raw features, in
percent: its mean over sets with a 95 % confidence interval (Student's t over sets; errors
under half a point count as half a point). *Worst* is the lowest difference to raw features
in points, with its standard error over the same label draws. *Seconds* are of one CPU, for
the training rows and the embedding of all. Accuracies are in percent.

**The rows:**

{rows}

Written by

    {command}

(`--kept` draws the page from what was measured before; the command measures without it.)
{versions}. The numbers are in
[`benchmarks/results/{csv}`](../benchmarks/results/{csv}), with the standard error of
each accuracy over label draws.{spread}
"""
DESCRIPTIONS = {
    "raw": "`raw`: the features as they are.",
    "pca": "`pca`: 64 components.",
    "pca 16": "`pca 16`: 16 components.",
    "nystroem": "`nystroem`: 300 RBF features, the width by the median distance.",
    "rff": "`rff`: 300 random Fourier features of the same kernel.",
    "umap": "`umap`: UMAP to 16 dimensions.",
    "autoencoder": "`autoencoder`: the middle layer of 64 of a network (256, 64, 256) trained to "
    "give its input back (texts by 256 singular vectors).",
    "scarf": "`scarf`: SCARF of TabularS3L.",
    "vime": "`vime`: VIME of TabularS3L.",
    "default": "`default`: `ContrastiveEncoder()`.",
    "raw + default": "`raw + default`: raw features beside it.",
    "ContrastiveEncoder (DataFrame)": "`ContrastiveEncoder (DataFrame)`: it reads the columns of "
    "a table itself.",
    "boosting": "`boosting`: `HistGradientBoostingClassifier` on raw features (wide ones by 100 "
    "components), leaves of a tenth of the labelled rows, at most 20.",
    "label spreading": "`label spreading`: `LabelSpreading` on the graph of 7 neighbours.",
    "nca": "`nca`: scikit-learn's `NeighborhoodComponentsAnalysis`, fitted on the labelled rows "
    "(at most 500).",
    "cebra": "`cebra`: CEBRA with the labels as behaviour, fitted on the labelled rows.",
}
WITH_LABELS = """Rows that learn with the labels of a draw, by number of labels a class: on the same
sets, in the first draws of a split, ten at most (their error reduction is against raw
features in these draws). Representations are scored by the logistic probe.
"""


def header(command, versions):
    """Comment lines at the head of the CSV."""
    return f"# {command}\n# {versions}\n"


def read(path):
    """Command, versions and lines of the CSV."""
    text = path.read_text(encoding="utf-8")
    command, versions = (line.removeprefix("# ") for line in text.splitlines()[:2])
    frame = pd.read_csv(io.StringIO(text), comment="#", dtype={"labels": str})
    return command, versions, frame


def spread(frame):
    """How large the standard errors are of accuracies and of their differences, in words."""
    parts = []
    for n in LABELS[:-1]:
        part = frame[(frame.labels == n) & (frame.probe == "logistic")]
        texts = []
        for name, errors in (
            ("of an accuracy", part.se),
            ("of a difference to raw features", part[part.row != "raw"].difference_se),
        ):
            errors = 100 * errors.dropna()
            if len(errors):
                share = 100 * np.mean(errors < 0.5)
                texts.append(f"{name} median {errors.median():.2f}, {share:.0f} % below 0.5")
        if texts:
            parts.append(f"- {labels(n)}: {'; '.join(texts)}")
    if not parts:
        return ""
    return "\nStandard errors over label draws, logistic probe, in points:\n\n" + "\n".join(parts)


def with_labels(frame, rows):
    """What uses labels beside what does not: accuracy and error reduction by labels."""
    chosen = frame[frame.probe.isin(["logistic", "own"])]
    rows = [row for row in complete(chosen, ["raw", *rows]) if row != "raw"]
    chosen, columns = chosen[chosen.row.isin(["raw", *rows])], {}
    for n in LABELS:
        part = chosen[chosen.labels == n]
        accuracy = 100 * part.groupby("row").accuracy.mean()
        columns[f"{n}: accuracy"] = accuracy.map("{:.1f}".format)
        columns[f"{n}: error reduction, %"] = intervals(part, rows)
    table = pd.DataFrame(columns).reindex(["raw", *rows]).fillna("")
    return table.to_markdown(disable_numparse=True) + "\n"


def by_kind(frame, rows):
    """Mean difference to raw features in points by kind of set, logistic probe."""
    chosen = frame[(frame.probe == "logistic") & frame.row.isin(rows) & (frame.row != "raw")]
    mean = 100 * chosen.groupby(["labels", "row", "kind"]).difference.mean().unstack()
    order = [(n, row) for n in LABELS for row in rows if (n, row) in mean.index]
    table = mean.loc[order, [kind for kind in KINDS if kind in mean]].reset_index()
    for kind in table.columns[2:]:
        table[kind] = [f"{value:+.1f}" if value == value else "" for value in table[kind]]
    return table.to_markdown(index=False, disable_numparse=True) + "\n"


def of_set(frame, rows):
    """The table of one set: rows by probe and number of labels."""
    names = {"logistic": "logistic", "knn": "kNN", "own": "logistic"}
    column = frame.probe.map(names) + ", " + frame.labels
    text = (100 * frame.accuracy).map("{:.1f}".format)
    table = frame.assign(column=column, text=text).pivot(
        index="row", columns="column", values="text"
    )
    order = [f"{p}, {n}" for p in ("logistic", "kNN") for n in LABELS]
    table = table.reindex([r for r in rows if r in table.index])
    table = table[[c for c in order if c in table]].fillna("")
    table["seconds"] = frame.groupby("row")["fit_s"].mean().map("{:.1f}".format)
    return table.to_markdown(disable_numparse=True) + "\n"


def page(path, unsupervised, size):
    """Text of the page of a CSV.

    Parameters
    ----------
    unsupervised : list of str, rows without labels, in order
    """
    command, versions, frame = read(path)
    found = list(dict.fromkeys(frame.row))
    free = [row for row in unsupervised if row in found]
    labelled = [row for row in found if row not in free]
    kinds = frame.drop_duplicates("set").kind.value_counts()
    draws = ", ".join(f"{d} of {n} a class" for n, d in size.draws.items() if n)
    splits = frame.splits.max()
    about = [f"- {DESCRIPTIONS.get(row, f'`{row}`')}" for row in [*free, *labelled]]
    parts = [
        INTRODUCTION.format(
            sets=frame.set.nunique(),
            kinds=", ".join(f"{kinds[k]} {k}" for k in KINDS if k in kinds),
            train=size.train,
            test=size.test,
            splits="one split" if splits == 1 else f"{splits} splits",
            draws=draws,
            least=size.least_draws,
            rows="\n".join(about),
            command=command,
            versions=versions,
            spread=spread(frame),
            csv=path.name,
        )
    ]
    for half, text in (("test", "reported"), ("dev", "tuned on")):
        part = frame[frame.half == half]
        if len(part):
            parts += [f"## Half {half} ({text})\n", summaries(part, free, "###")]
            if labelled:
                parts += [f"### With the labels, half {half}\n", WITH_LABELS]
                parts.append(with_labels(part, [*labelled, *(r for r in free if r != "raw")]))
    parts += ["## By kind of set\n", "Mean difference to raw features in points, all sets.\n"]
    parts.append(by_kind(frame, free))
    parts.append("## Set by set\n")
    for name, part in frame.groupby("set"):
        parts += [f"### {name} ({part.kind.iloc[0]}, {part.half.iloc[0]})\n"]
        parts.append(of_set(part, found))
    return "\n".join(parts)
