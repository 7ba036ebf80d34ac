"""Long-tailed classes: from 80 rows of the most frequent class to 3 of the rarest.
================================================================================

scikit-learn's digits, and pen strokes of digits (pendigits) where ../shared/data is beside the
repository. The training rows are thinned out to a long tail, in another order of the classes in
each of two draws; the test rows are balanced. Printed are the mean recall of all classes, which is
the balanced accuracy, and that of the four rarest.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder, SupervisedContrastiveClassifier
from skcontrast.objectives import LogitAdjusted, SubclassBalanced

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/tabular/pendigits/pendigits.csv.gz"
SIZES = np.geomspace(80, 3, 10).round().astype(int)
N_TAIL, DRAWS = 4, 2


def datasets():
    """Name, rows and labels of each set that is there."""
    yield "digits", *load_digits(return_X_y=True)
    if LOCAL.exists():
        frame = pd.read_csv(LOCAL)
        yield "pendigits", frame.drop(columns="target").to_numpy(float), frame["target"].to_numpy()
    else:
        print("Data: pendigits is left out, as there is no ../shared/data")


def models(seed):
    """Classifiers by name; all but the first weigh the classes."""
    weighted = {"class_weight": "balanced", "random_state": seed}
    logistic = LogisticRegression(max_iter=1000)
    balanced = LogisticRegression(max_iter=1000, class_weight="balanced")
    return {
        "logistic, no weights": make_pipeline(StandardScaler(), logistic),
        "logistic": make_pipeline(StandardScaler(), balanced),
        "ours, SupCon": SupervisedContrastiveClassifier(**weighted),
        "ours, LogitAdjusted": SupervisedContrastiveClassifier(
            ContrastiveEncoder(objective=LogitAdjusted()), **weighted
        ),
        "ours, SubclassBalanced": SupervisedContrastiveClassifier(
            ContrastiveEncoder(objective=SubclassBalanced()), **weighted
        ),
    }


def recalls(X, y):
    """Recall of each class by model, (draws, classes), from the most frequent to the rarest."""
    found = {}
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    for draw in range(DRAWS):
        rng = np.random.default_rng(draw)
        order = rng.permutation(10)
        chosen = [rng.permutation(np.flatnonzero(y == c))[:n] for c, n in zip(order, SIZES)]
        rows = np.concatenate(chosen)
        for name, model in models(draw).items():
            predicted = model.fit(X[rows], y[rows]).predict(X_test)
            by_class = recall_score(y_test, predicted, labels=order, average=None)
            found.setdefault(name, []).append(by_class)
    return {name: np.array(values) for name, values in found.items()}


def main():
    print("Rows of each class:", *SIZES)
    sets = list(datasets())
    figure = plt.figure(figsize=(6.2 * len(sets), 4.2), layout="constrained")
    for ax, (name, X, y) in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets):
        print(f"\nData: {name}\n{'':<24} all classes  {N_TAIL} rarest")
        for (model, values), style in zip(recalls(X, y).items(), ("k:", "k-", "C0-", "C1-", "C2-")):
            print(f"{model:<24} {values.mean():11.3f} {values[:, -N_TAIL:].mean():9.3f}")
            ax.plot(SIZES, values.mean(axis=0), style, marker=".", label=model)
        ax.set(title=name, xscale="log", xticks=SIZES, xticklabels=SIZES)
        ax.set(xlabel="training rows of the class", ylabel=f"test recall, mean of {DRAWS} draws")
        ax.minorticks_off()
        ax.invert_xaxis()
        ax.legend()
    plt.show()


if __name__ == "__main__":
    main()
