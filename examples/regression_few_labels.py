"""Regression where few rows have a target: errors, prediction intervals, and the embedding.
=========================================================================================

Strength of concrete by its mixture and age, where ../shared/data is beside the repository; else
scikit-learn's diabetes. A third of the rows is kept for the test; of the others 100 (50) have a
target, and "semi-supervised" gets the rest of them too, with NaN. Means over three draws.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import SupervisedContrastiveRegressor

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/tabular/concrete/concrete.csv.gz"
DRAWS, COVERAGE = 3, 0.9


def load():
    """Rows, their target, and how many of the training rows keep it."""
    if LOCAL.exists():
        print("Data: strength of concrete, from ../shared/data; 100 rows with a target")
        frame = pd.read_csv(LOCAL)
        return frame.drop(columns="target").to_numpy(), frame["target"].to_numpy(), 100
    print("Data: scikit-learn's diabetes; 50 rows with a target")
    return *load_diabetes(return_X_y=True), 50


def interval_report(model, X, y):
    """Interval of each row, share of the rows in theirs, and mean width in deviations of y."""
    lower, upper = model.predict_interval(X, coverage=COVERAGE)
    inside = (lower <= y) & (y <= upper)
    return (lower, upper), inside.mean(), (upper - lower).mean() / y.std()


def picture(tables, y, predicted, interval):
    """Show test rows by two principal components of each table, and intervals."""
    figure = plt.figure(figsize=(15, 4), layout="constrained")
    axes = figure.subplots(1, 4)
    for ax, (name, table) in zip(axes, tables.items()):
        flat = PCA(2).fit_transform(table)
        points = ax.scatter(*flat.T, c=y, s=12, cmap="viridis")
        near = cross_val_score(KNeighborsRegressor(10), flat, y, cv=5).mean()
        ax.set(title=name, xticks=[], yticks=[])
        ax.set(xlabel=f"two principal components\nR2 of 10 neighbours there: {near:.2f}")
    figure.colorbar(points, ax=axes[:3].tolist(), label="target")
    some = np.random.default_rng(0).permutation(len(y))[:80]
    spread = np.abs(np.array(interval) - predicted)[:, some]
    style = {"fmt": "o", "ms": 3, "ecolor": "lightsteelblue", "elinewidth": 1}
    axes[3].errorbar(y[some], predicted[some], spread, **style)
    axes[3].axline((y.mean(), y.mean()), slope=1, color="grey", lw=1)
    axes[3].set(title=f"80 test rows, intervals for {COVERAGE:.0%}")
    axes[3].set(xlabel="target", ylabel="prediction")
    plt.show()


def main():
    X, y, n_labelled = load()
    X, X_test, y, y_test = train_test_split(X, y, test_size=1 / 3, random_state=0)
    print(f"{len(X)} rows to train, {len(X_test)} to test")
    scores, reports = {}, []
    for draw in range(DRAWS):
        few = np.random.default_rng(draw).permutation(len(y))[:n_labelled]
        y_few = np.full(len(y), np.nan)
        y_few[few] = y[few]
        ours = SupervisedContrastiveRegressor(random_state=draw)
        with_intervals = SupervisedContrastiveRegressor(interval="conformal", random_state=draw)
        models = {
            "ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 3, 11))),
            "forest": RandomForestRegressor(random_state=draw),
            "ours, labelled rows": ours,
            "ours, labelled, less 20 % for intervals": with_intervals,
        }
        for name, model in models.items():
            scores.setdefault(name, []).append(model.fit(X[few], y[few]).score(X_test, y_test))
        reports.append(interval_report(with_intervals, X_test, y_test))
        semi = SupervisedContrastiveRegressor(random_state=draw).fit(X, y_few)
        scores.setdefault("ours, semi-supervised", []).append(semi.score(X_test, y_test))
    print(f"{'R2 on the test rows':<42}  mean    each draw")
    for name, values in scores.items():
        print(f"  {name:<40} {np.mean(values):.3f}  ", *(f"{value:.3f}" for value in values))
    covered, width = np.mean([report[1:] for report in reports], axis=0)
    print(f"Intervals for {COVERAGE:.0%}: {covered:.1%} of the test rows lie in theirs,", end=" ")
    print(f"mean width {width:.2f} standard deviations of the target")
    tables = {
        "Columns": StandardScaler().fit(X).transform(X_test),
        "Embedding, from labelled rows": ours.transform(X_test),
        "Embedding, semi-supervised": semi.transform(X_test),
    }
    picture(tables, y_test, with_intervals.predict(X_test), reports[-1][0])


if __name__ == "__main__":
    main()
