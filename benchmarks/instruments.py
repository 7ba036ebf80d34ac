"""What labels by neighbours, comparisons of items, diverse batches and uncertain rows come to.

    python benchmarks/instruments.py --data-dir DIR [--seeds 3] [--only PART ...]

Prints a table for each part. "credibility": area under the ROC curve of finding one label in ten
that was changed, to any class or to the nearest one. "preferences": accuracy of the order of unseen
items, after 1,000 comparisons of 400 others. "diverse": classes among 20 rows that a classifier is
unsure of. "uncertainty": rank correlation with the share of a digit's pixels that was replaced.
"tree": rank correlation of the distances of rows with those in a tree of clusters of clusters.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.metrics.pairwise import cosine_distances, euclidean_distances
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder
from skcontrast.geometry import gaussian_uncertainty, lorentz_distance
from skcontrast.inspection import label_credibility
from skcontrast.metrics import diverse_selection
from skcontrast.objectives import GaussianNCE, InfoNCE, Lorentz, MCInfoNCE

TEXTS = "banking77", "trec", "stackoverflow_titles", "ag_news_17k"
ITEMS = "concrete", "kin8nm", "airfoil", "diabetes"


def embedded(folder, name, rng, n=3000):
    with np.load(folder / "embeddings" / f"{name}.npz", allow_pickle=True) as file:
        X, y = file["X"].astype(float), np.unique(file["y"], return_inverse=True)[1]
    kept = rng.permutation(len(X))[:n]
    return X[kept], y[kept]


def credibility(folder, seed):
    for name in TEXTS:
        rng = np.random.default_rng(seed)
        X, y = embedded(folder, name, rng)
        classes, wrong = np.unique(y), rng.random(len(y)) < 0.1
        means = np.array([X[y == c].mean(0) for c in classes])
        near = means @ means.T - 9 * np.eye(len(classes))
        other = {
            "any": (y + rng.integers(1, len(classes), len(y))) % len(classes),
            "nearest": near.argmax(1)[y],
        }
        for kind, changed in other.items():
            given = np.where(wrong, changed, y)
            scores = {s: label_credibility(X, given, score=s) for s in ("margin", "share")}
            model = LogisticRegression(max_iter=300)
            out = cross_val_predict(model, X, given, cv=3, method="predict_proba")
            scores["logistic regression"] = out[np.arange(len(y)), given]
            for score, value in scores.items():
                yield f"{name}, {kind}", score, roc_auc_score(wrong, -value)


def by_items(pairs, n_items, n_splits=4):
    """Splits of pairs in which no item is on both sides."""
    fold = np.arange(n_items) % n_splits
    for k in range(n_splits):
        out = fold[pairs] == k
        yield np.flatnonzero(~out.any(axis=1)), np.flatnonzero(out.all(axis=1))


def preferences(folder, seed):
    grid = {"C": [0.01, 0.1, 1.0, 10.0, 100.0]}
    for name in ITEMS:
        rng = np.random.default_rng(seed)
        if name == "diabetes":
            X, y = load_diabetes(return_X_y=True)
        else:
            table = pd.read_csv(folder / "tabular" / name / f"{name}.csv.gz")
            X, y = table.drop(columns="target").to_numpy(float), table["target"].to_numpy(float)
        order = rng.permutation(len(X))
        half = min(400, len(X) // 2)
        train, test = order[:half], order[half : 2 * half]
        X = StandardScaler().fit(X[train]).transform(X)
        pairs = np.array([rng.choice(half, 2, replace=False) for _ in range(1000)])
        asked = np.array([rng.choice(half, 2, replace=False) for _ in range(1000)])
        kernel = Nystroem(gamma=1 / X.shape[1], n_components=min(200, half), random_state=seed)
        for kind, phi in (("linear", X), ("rbf", kernel.fit(X[train]).transform(X))):
            first, second = phi[train][pairs[:, 0]], phi[train][pairs[:, 1]]
            model = LogisticRegression(fit_intercept=False, max_iter=2000)
            search = GridSearchCV(model, grid, cv=list(by_items(pairs, half)))
            search.fit(first - second, y[train][pairs[:, 0]] > y[train][pairs[:, 1]])
            unseen = phi[test][asked[:, 0]] - phi[test][asked[:, 1]]
            truth = y[test][asked[:, 0]] > y[test][asked[:, 1]]
            yield name, kind, search.score(unseen, truth)


def diverse(folder, seed):
    for name in TEXTS:
        X, y = embedded(folder, name, np.random.default_rng(seed))
        model = LogisticRegression(max_iter=300).fit(X[:300], y[:300])
        unsure = 1 - model.predict_proba(X[300:]).max(axis=1)
        wrong = model.predict(X[300:]) != y[300:]
        for kind, weight in (("top 20", 0.0), ("trade_off 0.6", 0.6)):
            rows = diverse_selection(unsure, X[300:], 20, trade_off=weight)
            yield name, f"{kind}: classes", float(len(np.unique(y[300:][rows])))
            yield name, f"{kind}: wrong", wrong[rows].mean()


def blurred(x):
    """A view with a share of the pixels of other rows, from none to 0.8."""
    share = 0.8 * torch.rand(len(x), 1, device=x.device)
    order = torch.stack([torch.randperm(len(x), device=x.device) for _ in range(x.shape[1])], 1)
    return torch.where(torch.rand_like(x) < share, x.gather(0, order), x)


def uncertainty(folder, seed):
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))
    train, test = order[:900], order[900:]
    share = rng.uniform(0, 0.8, len(test))
    mixed = np.column_stack([rng.permutation(column) for column in X[test].T])
    noisy = np.where(rng.random(mixed.shape) < share[:, None], mixed, X[test])
    for name, objective, width in (
        ("length under InfoNCE", InfoNCE(), 32),
        ("concentration of MCInfoNCE", MCInfoNCE(n_draws=8), 33),
        ("variance of GaussianNCE", GaussianNCE(), 64),
    ):
        encoder = ContrastiveEncoder(
            width, objective=objective, passthrough=False, views=blurred, random_state=seed
        ).fit(X[train])
        z, seen, known = (encoder.transform(rows) for rows in (noisy, X[test], X[train]))
        unsure = {
            "length under InfoNCE": lambda z: -np.linalg.norm(z, axis=1),
            "concentration of MCInfoNCE": lambda z: -z[:, -1],
            "variance of GaussianNCE": gaussian_uncertainty,
        }[name](z)
        yield name, "rank correlation", spearmanr(unsure, share).statistic
        place = slice(0, 32)  # directions or means
        metric = "euclidean" if isinstance(objective, GaussianNCE) else "cosine"
        nearest = KNeighborsClassifier(1, metric=metric).fit(known[:, place], y[train])
        yield name, "accuracy of the nearest row", nearest.score(seen[:, place], y[test])


def tree(folder, seed):
    rng = np.random.default_rng(seed)
    coarse, fine = np.repeat(np.arange(6), 120), np.repeat(np.arange(36), 20)
    X = 5 * rng.normal(size=(6, 10))[coarse] + 2 * rng.normal(size=(36, 10))[fine]
    X += 0.7 * rng.normal(size=X.shape)
    test = rng.random(len(X)) < 0.3
    apart = (fine[:, None] != fine).astype(float) + (coarse[:, None] != coarse)
    pairs = np.triu_indices(test.sum(), 1)
    truth = apart[np.ix_(test, test)][pairs]
    for width in (2, 5):
        for name, objective in (("InfoNCE", InfoNCE()), ("Lorentz", Lorentz())):
            encoder = ContrastiveEncoder(
                width,
                objective=objective,
                views="mask",
                clean_anchor=True,
                passthrough=False,
                random_state=seed,
            ).fit(X[~test])
            z = encoder.transform(X[test])
            if name == "Lorentz":
                weights = encoder.objective_weights_
                z = z * np.exp(weights["log_scale"]) / width**0.5
                curvature = np.exp(weights["log_curvature"]).clip(0.1, 10)
                distance = lorentz_distance(z, z, float(curvature))
            else:
                distance = cosine_distances(z)
            yield f"{width} columns", name, spearmanr(distance[pairs], truth).statistic
        distance = euclidean_distances(PCA(width).fit(X[~test]).transform(X[test]))
        yield f"{width} columns", "principal axes", spearmanr(distance[pairs], truth).statistic


PARTS = {f.__name__: f for f in (credibility, preferences, diverse, uncertainty, tree)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for part in options.only:
        found = [
            row for seed in range(options.seeds) for row in PARTS[part](options.data_dir, seed)
        ]
        table = pd.DataFrame(found, columns=["what", "by", "value"])
        table = table.pivot_table("value", "what", "by", sort=False)
        print(f"\n{part}, mean of {options.seeds} draws\n{table.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    main()
