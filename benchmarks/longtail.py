"""Long-tailed classes: balanced accuracy and tail recall of ours and of what people use.

    python benchmarks/longtail.py --data-dir DIR [--sets NAME ...] [--rows NAME ...]

Every set is made long-tailed: in a random order of the classes their training rows fall
exponentially from the largest number to a hundredth of it, never under two; the test set
has equally many rows of every class. Prints balanced accuracy, and the mean recall of the
third of the classes with the fewest training rows; then what each part of ours adds. What
was measured is kept, so that a run that was stopped goes on.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import manifest
from record import Record
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.preprocessing import LabelEncoder, StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder, ProKeRClassifier, SupervisedContrastiveClassifier
from skcontrast.objectives import (
    CrossEntropy,
    LogitAdjusted,
    SubclassBalanced,
    SupCon,
)

# Set -> training rows of the largest class, test rows of each class.
SETS = {
    "pendigits": (800, 100),
    "letter": (350, 100),
    "stackoverflow_titles": (240, 40),
}
IMBALANCE = 100
LEAST = 2


class Adjusted(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are divided by how frequent the classes were."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y):
        self.classifier_ = clone(self.classifier).fit(X, y)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.frequency_ = counts / len(y)
        return self

    def predict(self, X):
        odds = self.classifier_.predict_proba(X) / self.frequency_
        return self.classes_[odds.argmax(axis=1)]


def ours(of_encoder=None, **params):
    def make(seed):
        chosen = {"objective": "supcon", "device": "cpu", **(of_encoder or {})}
        of_head = {"class_weight": "balanced", "random_state": seed, **params}
        return SupervisedContrastiveClassifier(ContrastiveEncoder(**chosen), **of_head)

    return make


ADJUSTED_LOGISTIC = Adjusted(LogisticRegression(C=0.3, max_iter=1000))
ADJUSTED_KERNEL = Adjusted(ProKeRClassifier(random_state=0))

# Unfitted classifiers by name; the features are standardised.
ROWS = {
    "logistic": lambda seed: LogisticRegression(class_weight="balanced", max_iter=1000),
    "boosting": lambda seed: HistGradientBoostingClassifier(
        class_weight="balanced", random_state=seed
    ),
    "ours": ours(),
}
# What each part adds: one change at a time to ours.
ABLATION = {
    "ours": ours(),
    "no class weight": ours(class_weight=None),
    "weights in the objective too": ours(weight_objective=True),
    "head: weighted logistic": ours(classifier=LogisticRegression(max_iter=1000)),
    "head: adjusted logistic": ours(class_weight=None, classifier=ADJUSTED_LOGISTIC),
    "head: weighted kernel": ours(classifier=ProKeRClassifier()),
    "raw features, adjusted logistic": lambda seed: ADJUSTED_LOGISTIC,
    "raw features, adjusted kernel": lambda seed: ADJUSTED_KERNEL,
    "embedding alone": ours(passthrough=False),
    "no labels in the encoder": ours({"objective": "info_nce"}),
    "logit_adjusted": ours({"objective": LogitAdjusted()}),
    "subclass_balanced": ours({"objective": SubclassBalanced()}),
    "supcon + adjusted cross-entropy": ours({"objective": SupCon() + CrossEntropy(adjustment=1.0)}),
    "class_balanced batches": ours({"sampler": "class_balanced"}),
    "no views": ours({"views": None, "n_views": 1}),
}


def load(folder, name):
    """All rows and codes of the classes; of a text its sentence embedding."""
    row = manifest(folder).set_index("name").loc[name]
    if row.group == "text":
        with np.load(Path(folder) / "embeddings" / f"{name}.npz") as file:
            return file["X"].astype(np.float64), LabelEncoder().fit_transform(file["y"])
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0])
    target = row.target if row.target in frame else frame.columns[-1]
    features = frame.drop(columns=[target, "split"], errors="ignore")
    return features.to_numpy(dtype=np.float64), LabelEncoder().fit_transform(frame[target])


def long_tailed(y, n_max, n_test, seed):
    """Row numbers of a long-tailed training set and of a balanced test set."""
    rng = np.random.default_rng(100 + seed)
    classes = rng.permutation(y.max() + 1)
    sizes = np.geomspace(n_max, n_max / IMBALANCE, len(classes)).round().astype(int)
    train, test = [], []
    for code, size in zip(classes, sizes.clip(LEAST)):
        rows = rng.permutation(np.flatnonzero(y == code))
        test.append(rows[:n_test])
        train.append(rows[n_test : n_test + size])
    return rng.permutation(np.concatenate(train)), np.concatenate(test)


def measure(folder, set_name, row_name, seed):
    X, y = load(folder, set_name)
    train, test = long_tailed(y, *SETS[set_name], seed)
    scaler = StandardScaler().fit(X[train])
    model = {**ABLATION, **ROWS}[row_name](seed)
    model.fit(scaler.transform(X[train]), y[train])
    recall = recall_score(y[test], model.predict(scaler.transform(X[test])), average=None)
    rarest = np.argsort(np.bincount(y[train]), kind="stable")[: round(len(recall) / 3)]
    return {
        "balanced accuracy": recall.mean(),
        "tail recall": recall[rarest].mean(),
    }


PAGE = """# Long-tailed classes

{sets} sets with many classes, made long-tailed: the training rows of the classes fall
exponentially by a factor of {imbalance} (never under {least} rows), the test set has equally
many rows of every class. Mean of {seeds} draw(s), each with a new order of the classes.
*Balanced accuracy* is the mean recall of all classes, *tail recall* that of the third with
the fewest training rows. Rows of the tables: `LogisticRegression` and
`HistGradientBoostingClassifier`, both with `class_weight="balanced"`, and
`SupervisedContrastiveClassifier(class_weight="balanced")` with its defaults. Everybody gets
the same standardised columns; of texts these are sentence embeddings.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}.
"""
ABLATION_TEXT = """Mean over the sets, {n} draw(s), one change at a time. An "adjusted" head is
fitted without weights, and its probabilities are divided by the frequencies of the classes;
as the default head is; a "weighted" one weights the rows. "kernel" is `ProKeRClassifier()`,
the default head. "no labels in the encoder" is
`objective="info_nce"`.
"""
SCORES = ("balanced accuracy", "tail recall")


def tabulate(results, sets, rows, seeds):
    """Means over the draws: a table (row, set) for each score."""
    chosen = [
        {"set": s, "row": r, **v}
        for (s, r, k), v in results.items()
        if s in sets and r in rows and k < seeds
    ]
    mean = pd.DataFrame(chosen).groupby(["row", "set"]).mean().unstack()
    mean = mean.loc[[r for r in rows if r in mean.index]]
    return {score: mean[score][sets] for score in SCORES}


def report(results, options, command):
    sets, rows = options.sets, options.rows
    tables = tabulate(results, sets, rows, options.seeds)
    parts = [
        PAGE.format(
            sets=len(sets),
            imbalance=IMBALANCE,
            least=LEAST,
            seeds=options.seeds,
            command=command,
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
        )
    ]
    for score, table in tables.items():
        both = table.assign(mean=table.mean(axis=1))
        parts += [f"## {score.capitalize()}\n", both.to_markdown(floatfmt=".3f") + "\n"]
    if options.ablation_seeds:
        names, n = list(ABLATION), options.ablation_seeds
        tables = tabulate(results, sets, names, n)
        columns = {}
        for score, table in tables.items():
            columns[score] = table.mean(axis=1)
            columns[f"sets better than ours, {score}"] = table.gt(table.loc["ours"]).sum(axis=1)
        parts += ["## What each part adds\n", ABLATION_TEXT.format(n=n)]
        parts.append(pd.DataFrame(columns).loc[names].to_markdown(floatfmt=".3f"))
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ablation-seeds", type=int, default=1, help="0 leaves the table out")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("longtail")
    if options.fresh:
        record.forget()
    jobs = [(s, r, k) for k in range(options.seeds) for s in options.sets for r in options.rows]
    few = range(options.ablation_seeds)
    extra = [(s, r, k) for k in few for s in options.sets for r in ABLATION]
    jobs += [job for job in extra if job not in jobs]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    command = "python benchmarks/longtail.py " + " ".join(sys.argv[1:])
    page = report(results, options, command)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
