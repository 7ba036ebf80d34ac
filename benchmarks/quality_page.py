"""From the CSV of benchmarks/quality.py to a page and its picture."""

import pandas as pd
from figures import curves
from quality_measure import SIZES
from quality_report import (
    KINDS,
    LABELS,
    PROBES,
    complete,
    count,
    intervals,
    labels,
    markdown,
    read,
)
from quality_rivals import CLASSIFIERS, SUPERVISED

TITLES = {"quality": "What a representation is worth", "width": "Wide and narrow outputs"}
METHOD = """\
A representation learns from the training rows of a set without their labels (at most {train:,};
70 % where there are fewer); a logistic regression is fitted on 1, 5, 20 or all labels a class of
them, and scored on other rows (at most {test:,}). The {sets} sets are real ones with 20 classes at
most: {count} (columns of tables standardised, missing values
the median, categories one-hot; texts by TF-IDF; series and images as their values, standardised
too, but for our rows, which read them as they are and do so themselves; embeddings of sentences).
The logistic regression is the same for all: features are centred and divided by one
number, its strength is chosen on the labelled rows, and an accuracy is the mean over {draws}
draws of 1, 5 and 20 labels (at least {least} with many classes). Every other set by name is in the
half *dev*, on which the parts of `passthrough` and their scales were tuned; tables and picture are
of the half *test*. The halves are not wholly apart: older defaults (network, views) were chosen on
25 sets of both, two changes were prompted by sets of the half test and checked on dev (the scale
of columns of two values by vowel, the directions kept of wide input by movie_reviews_2k), and a
text set and its embeddings can be in different halves.

Cells are mean accuracies in percent and, in brackets, mean ranks among the rows that use no
labels{learners}. With 20 labels only the sets count whose classes have so many.
"""
# Of a page that has the sets, the probe and the halves in common with the page on quality.
SHORT = """\
As on the page [what a representation is worth](quality.md), at a smaller size: of a set at most
{train:,} rows are trained on and {test:,} scored, and an accuracy is the mean over {draws} draws of
1, 5 and 20 labels a class (at least {least} with many classes).
"""
BELOW = """## More than two points below raw features

Of all {sets} sets, both halves (± the standard error over label draws):

{below}

"""
PAGE = """# {title}

{method}
## All kinds

{all}
{gains}
![Accuracy against labels a class, by kind of set]({figure})

{kinds}
{below}## All numbers

[`{csv}`](../benchmarks/results/{csv}) has every set, row and number of
labels, with standard errors and seconds, the half dev too, and nearest neighbours in place of the
logistic regression. This measures it ({versions}):

    {command}

With `--kept` the command measures nothing and draws the page from the CSV.
"""
GAINS = """Errors that `ContrastiveEncoder()` saves of those of raw features, in percent (mean over
sets and its 95 % confidence interval by Student's t; errors under half a point count as half a
point): {told}. By nearest neighbours its accuracies are {ours}, those of raw features {raw}.
"""
LEARNERS = "; rows without a rank learn with the labels, of ten draws at most"
NAMES = {
    "raw": "raw features",
    "pca": "`PCA`, 64",
    "pca 16": "`PCA`, 16",
    "nystroem": "`Nystroem`, 300, RBF of the median distance",
    "rff": "`RBFSampler`, 300, of the same width",
    "umap": "UMAP, 16",
    "autoencoder": "autoencoder, 64",
    "scarf": "SCARF of TabularS3L",
    "vime": "VIME of TabularS3L",
    "default": "`ContrastiveEncoder()`",
    "raw + default": "raw features beside `ContrastiveEncoder()`",
    "ContrastiveEncoder (DataFrame)": "`ContrastiveEncoder()` on the DataFrame",
    "boosting": "`HistGradientBoostingClassifier`",
    "label spreading": "`LabelSpreading`, 7 neighbours",
    "nca": "`NeighborhoodComponentsAnalysis`",
    "cebra": "CEBRA",
}
WITH_LABELS = [*CLASSIFIERS, *SUPERVISED]
# A difference of so many points below raw features is told.
POINTS = 2


def table(frame, rows):
    """Mean accuracy and rank of rows by number of labels; of rows that use labels no rank."""
    frame, columns = frame[frame.probe != "knn"], {}
    rows = sorted(complete(frame, rows), key=WITH_LABELS.__contains__)
    for n in LABELS:
        part = frame[(frame.labels == n) & frame.row.isin(rows)]
        accuracy = 100 * part.pivot(index="set", columns="row", values="accuracy")
        free = accuracy.drop(columns=WITH_LABELS, errors="ignore")
        rank = free.rank(axis=1, ascending=False).mean().map(" ({:.2f})".format)
        text = accuracy.mean().map("{:.1f}".format) + rank.reindex(accuracy.columns).fillna("")
        columns[f"{labels(n)}, {len(accuracy)} sets"] = text.reindex(rows).fillna("")
    found = pd.DataFrame(columns).rename_axis("representation")
    return found.rename(index=lambda row: NAMES.get(row, f"`{row}`"))


def gains(frame, rows):
    """Errors that the default saves of those of raw features, and the same by neighbours."""
    default = frame[(frame.row == "default") & (frame.probe == "logistic")]
    saved = [intervals(default[default.labels == n], rows)["default"] for n in LABELS]
    told = ", ".join(f"{text} with {labels(n)}" for n, text in zip(LABELS, saved))
    knn = 100 * frame[frame.probe == "knn"].pivot_table("accuracy", "row", "labels")
    ours, raw = (" / ".join(f"{knn[n][row]:.1f}" for n in LABELS) for row in ("default", "raw"))
    return GAINS.format(told=told, ours=ours, raw=raw)


def below(frame):
    """The sets where the default is far below raw features, by probe and number of labels."""
    found = frame[(frame.row == "default") & (100 * frame.difference < -POINTS)]
    lines = []
    for probe, name in zip(PROBES, ("logistic regression", "nearest neighbours")):
        for n in LABELS:
            part = found[(found.probe == probe) & (found.labels == n)].sort_values("difference")
            told = [
                f"{line.set} {100 * line.difference:+.1f} ± {100 * line.difference_se:.1f}"
                for line in part.itertuples()
            ]
            if told:
                lines.append(f"- {name}, {labels(n)}: {', '.join(told)}".replace(" ± nan", ""))
    return "\n".join(lines)


def page(path, target):
    """Text of the page of a CSV; its picture is drawn beside it."""
    command, versions, frame = read(path)
    size = SIZES["quick" if "--quick" in command else "full"]
    rows, test = list(dict.fromkeys(frame.row)), frame[frame.half == "test"]
    kinds = [kind for kind in KINDS if (test.kind == kind).any()]
    picture = target.with_suffix(".png")
    curves(test, "kind", dict(zip(kinds, kinds)), picture)
    by_kind = [f"## Kind: {k}\n\n{markdown(table(test[test.kind == k], rows))}" for k in kinds]
    everywhere = table(test, rows)
    both = table(frame, rows)
    name = both.columns[LABELS.index("5")]
    everywhere[f"{name}, both halves"] = both[name].str.partition(" ")[0]
    sets, short = frame.set.nunique(), target.stem == "width"
    method = (SHORT if short else METHOD).format(
        sets=sets,
        count=count(frame),
        train=size.train,
        test=size.test,
        draws=", ".join(str(n) for n in size.draws.values() if n > 1),
        least=size.least_draws,
        learners=LEARNERS if set(rows) & set(WITH_LABELS) else "",
    )
    return PAGE.format(
        title=TITLES.get(target.stem, TITLES["quality"]),
        method=method,
        all=markdown(everywhere),
        gains=gains(test, rows),
        figure=picture.name,
        kinds="\n".join(by_kind),
        below="" if short else BELOW.format(sets=sets, below=below(frame)),
        csv=path.name,
        versions=versions,
        command=command.replace("; ", "\n    "),
    )
