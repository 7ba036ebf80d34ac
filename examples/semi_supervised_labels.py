"""Five labels a class and many rows without: what the rows without a label are worth.
===================================================================================

scikit-learn's digits, 60 % kept for the test; of the others five of each digit have a label and
all others -1. Compared with scikit-learn's own semi-supervised classifiers, in two draws of the
labels. Label spreading is hard to beat on digits: it follows their nearest neighbours.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from skcontrast import SupervisedContrastiveClassifier

N_LABELS, UNLABELLED, DRAWS = 5, -1, 2


def hide_labels(y, seed):
    """Copy of y with five labels a class; -1 elsewhere."""
    rng = np.random.default_rng(seed)
    hidden = np.full_like(y, UNLABELLED)
    for label in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == label))[:N_LABELS]
        hidden[rows] = label
    return hidden


def compare(X, y_few, X_test, y_test, seed):
    """Test accuracies by name, and the last estimator."""
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    spreading = LabelSpreading(kernel="knn", n_neighbors=7)
    # It divides by zero for rows that no label reaches.
    warnings.filterwarnings("ignore", "invalid value encountered in divide")
    ours = SupervisedContrastiveClassifier(random_state=seed)
    # -1 counts as a class of the sampler: ten in eleven rows of a batch have a label.
    balanced = SupervisedContrastiveClassifier(random_state=seed)
    balanced.set_params(encoder__sampler="class_balanced")
    known = y_few != UNLABELLED
    scores = {
        "labelled rows: LogisticRegression": logistic.fit(X[known], y_few[known]),
        "labelled rows: ours": ours.fit(X[known], y_few[known]),
        "all rows: SelfTrainingClassifier": SelfTrainingClassifier(logistic).fit(X, y_few),
        "all rows: LabelSpreading": spreading.fit(X, y_few),
    }
    scores = {name: model.score(X_test, y_test) for name, model in scores.items()}
    scores["all rows: ours"] = ours.fit(X, y_few).score(X_test, y_test)
    name = "all rows: ours, sampler='class_balanced'"
    scores[name] = balanced.fit(X, y_few).score(X_test, y_test)
    spreading.fit(ours.transform(X), y_few)
    name = "all rows: LabelSpreading on our embedding"
    scores[name] = spreading.score(ours.transform(X_test), y_test)
    return scores, ours


def picture(model, X, y_few, X_test, y_test):
    """Show five hundred test rows in two dimensions, before and after."""
    X_test, y_test = X_test[:500], y_test[:500]
    figure = plt.figure(figsize=(11, 4.8), layout="constrained")
    axes = figure.subplots(1, 2)
    rows, known = np.concatenate([X_test, X[y_few != UNLABELLED]]), y_few[y_few != UNLABELLED]
    views = {"Pixels": StandardScaler().fit(X).transform(rows), "Embedding": model.transform(rows)}
    style = {"cmap": "tab10", "vmin": -0.5, "vmax": 9.5}
    for ax, (name, values) in zip(axes, views.items()):
        flat = TSNE(random_state=0).fit_transform(values)
        points = ax.scatter(*flat[: len(X_test)].T, c=y_test, s=8, alpha=0.6, **style)
        ax.scatter(*flat[len(X_test) :].T, c=known, s=70, marker="*", ec="k", lw=0.7, **style)
        ax.set(title=f"{name}: test rows, and the {len(known)} labels", xticks=[], yticks=[])
    figure.colorbar(points, ax=axes.tolist(), label="digit", ticks=range(10))
    plt.show()


def main():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.6, stratify=y, random_state=0)
    print(f"Data: scikit-learn's digits, {len(X)} rows to train, {len(X_test)} to test")
    print(f"{N_LABELS} labels a digit, {len(X) - 10 * N_LABELS} rows without a label")
    found = []
    for draw in range(DRAWS):
        y_few = hide_labels(y, draw)
        scores, ours = compare(X, y_few, X_test, y_test, draw)
        found.append(scores)
    print(f"{'test accuracy':<45} mean    each draw")
    for name in found[0]:
        values = [scores[name] for scores in found]
        print(f"  {name:<42} {np.mean(values):.3f}  ", *(f"{value:.3f}" for value in values))
    picture(ours, X, y_few, X_test, y_test)


if __name__ == "__main__":
    main()
