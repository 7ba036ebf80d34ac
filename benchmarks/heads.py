"""A few labels and many rows without: which classifier predicts the rest best.

    python benchmarks/heads.py --data-dir DIR [--kinds table] [--half dev] [--jobs 2]

Sets, splits and label draws are those of ``quality.py --quick``: at most 800 training rows, the
first draws of 1, 5 and 20 labels a class of them, and other rows to score on. Every classifier
has its own default or is tuned on the labelled rows alone; what learns without labels reads all
training rows. Prints mean accuracies and mean ranks. What was measured is kept.
"""

import argparse

import numpy as np
import pandas as pd
from quality import WITHOUT_ENCODER, sets_of
from quality_measure import PROTOCOL, measure
from quality_report import markdown
from quality_rows import signature
from record import Record

ROWS = {
    "raw": "logistic regression on raw features",
    "default": "`ContrastiveEncoder()`, logistic regression",
    "proker": "`ProKeRClassifier()` on raw features",
    "default + proker": "`ContrastiveEncoder()`, `ProKeRClassifier()`",
    "classifier, label-free encoder": "`SupervisedContrastiveClassifier(ContrastiveEncoder())`",
    "classifier": "`SupervisedContrastiveClassifier()`",
    "self-training": "`SelfTrainingClassifier` of the logistic regression",
    "label spreading": "`LabelSpreading`, 7 neighbours",
    "boosting": "`HistGradientBoostingClassifier`",
}
LABELS = ("1", "5", "20")


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--kinds", nargs="*", help="table, text, series, image, embedding")
    parser.add_argument("--half", choices=("dev", "test"), help="all sets without it")
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


def accuracies(results):
    """Accuracy by (set, row, labels), the mean over the draws that all rows have."""
    draws = {}
    for (name, row, *_), result in results.items():
        probe = "logistic" if "logistic" in result["scores"] else "own"
        for n, values in result["scores"][probe].items():
            draws.setdefault((name, n), {})[row] = values
    lines = []
    for (name, n), rows in draws.items():
        fewest = min(map(len, rows.values()))
        lines += [(name, row, n, np.mean(values[:fewest])) for row, values in rows.items()]
    return pd.DataFrame(lines, columns=["set", "row", "labels", "accuracy"])


def table(frame, rows):
    """Mean accuracy and mean rank of each row by number of labels."""
    columns = {}
    for n in LABELS:
        wide = frame[frame.labels == n].pivot(index="set", columns="row", values="accuracy")
        wide = wide[rows].dropna()
        ranks = wide.rank(axis=1, ascending=False).mean()
        columns[f"{n} a class, {len(wide)} sets"] = [
            f"{100 * wide[row].mean():.1f} ({ranks[row]:.2f})" for row in rows
        ]
    return pd.DataFrame(columns, index=pd.Index([ROWS[row] for row in rows], name="classifier"))


def main():
    options = arguments()
    names = [
        name
        for name, (kind, half) in sets_of(options.data_dir).items()
        if (not options.kinds or kind in options.kinds) and options.half in (None, half)
    ]
    jobs = [
        (name, row, 0, "quick", PROTOCOL, signature(row, WITHOUT_ENCODER))
        for name in names
        for row in options.rows
    ]
    results = Record("quality_probes").run(measure, options.data_dir, jobs, options.jobs)
    print(markdown(table(accuracies(results), options.rows)))


if __name__ == "__main__":
    main()
