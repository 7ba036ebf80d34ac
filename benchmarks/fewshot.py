"""Few labels a class on top of zero-shot text classifiers: accuracy, and seconds to fit.

    python benchmarks/fewshot.py --data-dir DIR [--sets NAME ...] [--rows NAME ...]

Every set of DIR/embeddings holds unit rows X, labels y, and one embedding a class. For 1, 2,
4, 8 and 16 rows a class and five draws, each method is fitted on these rows alone, its numbers
chosen on them too, and scored on at most 2000 of the other rows. The rows are drawn in other ways
too: with many of one class, of some classes only, and each of them several times; there two bases
are adapted, the zero-shot classifier and one that was trained on other, disturbed rows. What was
measured goes to a cache, so that a run that was stopped goes on.
"""

import argparse
import json
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from skcontrast import ProKeRClassifier, ProKeRRegressor, ZeroShotClassifier

SHOTS = (1, 2, 4, 8, 16)
# Rows of each class, by the number of classes and a generator; then copies of all rows.
DRAWS = {
    "32 of one, 1 of others": lambda C, rng: np.where(rng.permutation(C) == 0, 32, 1),
    "32 to 1, halving": lambda C, rng: 32 * 0.5 ** np.linspace(0, 5.5, C)[rng.permutation(C)],
    "half of the classes, 1": lambda C, rng: 1 * (rng.permutation(C) < C // 2),
    "half of the classes, 4": lambda C, rng: 4 * (rng.permutation(C) < C // 2),
    "half of the classes, 16": lambda C, rng: 16 * (rng.permutation(C) < C // 2),
    "one class, 8": lambda C, rng: 8 * (rng.permutation(C) == 0),
    "all but one class, 8": lambda C, rng: 8 * (rng.permutation(C) > 0),
    "4, each twice": lambda C, rng: np.full(C, 4),
    "4, each 5 times, blurred": lambda C, rng: np.full(C, 4),
    "4, blurred, as groups": lambda C, rng: np.full(C, 4),
}
# How often each row is given, and how far the copies lie from it.
COPIES = {"twice": (2, 0.0), "blurred": (5, 0.2)}
OTHER_ROWS, DISTURBED = 6, 0.5
TEST_ROWS = 2000
CACHE = Path(__file__).parent / "cache" / "fewshot.jsonl"
GAMMAS, ALPHAS = (0.35, 0.7, 1.4), (0.03, 0.1, 0.3, 1.0, 3.0)


class OneHotKernelRidge:
    """scikit-learn's kernel ridge on one-hot labels, numbers chosen by cross-validation."""

    def __init__(self, shots):
        self.shots = shots

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        Y = (y[:, None] == self.classes_).astype(float) - 1 / len(self.classes_)
        model = KernelRidge(kernel="rbf", alpha=0.3, gamma=0.7)
        if self.shots > 1:
            folds = StratifiedKFold(min(5, self.shots)).split(X, y)
            grid = {"gamma": GAMMAS, "alpha": ALPHAS}
            model = GridSearchCV(model, grid, cv=list(folds))
        self.model_ = model.fit(X, Y)
        return self

    def predict(self, X):
        return self.classes_[self.model_.predict(X).argmax(axis=1)]


def logistic(T, shots):
    if shots == 1:
        return LogisticRegression(C=10.0, max_iter=500)
    grid = {"C": [0.3, 1.0, 3.0, 10.0, 30.0, 100.0]}
    return GridSearchCV(LogisticRegression(max_iter=300), grid, cv=StratifiedKFold(min(5, shots)))


def adapter(**params):
    return lambda T, shots: ProKeRClassifier(zero_shot(T), **params)


def zero_shot(T):
    return ZeroShotClassifier(T, classes=np.arange(len(T)))


def elsewhere(name, X, y, n_classes, seed):
    """A classifier that was trained on other rows, shifted and disturbed, and is kept."""
    rng = np.random.default_rng([seed, 1])
    rows = np.concatenate(
        [rng.permutation(np.flatnonzero(y == c))[-OTHER_ROWS:] for c in range(n_classes)]
    )
    away = rng.standard_normal((len(rows) + 1, X.shape[1])) / np.sqrt(X.shape[1])
    Z = normalize(X[rows] + DISTURBED * (away[1:] + away[0]))
    return FrozenEstimator(LogisticRegression(C=30.0, max_iter=300).fit(Z, y[rows]))


# What is compared: name -> function of (class embeddings, shots) that gives a classifier.
ROWS = {
    "zero-shot": lambda T, shots: zero_shot(T),
    "Tip": adapter(method="tip"),
    "GDA": adapter(method="gda"),
    "KernelRidge": lambda T, shots: OneHotKernelRidge(shots),
    "logistic": logistic,
    "ProKeR published": adapter(method="proker"),
    "ProKeR ridge": adapter(method="proker", scaling="ridge"),
    "ProKeR default": adapter(),
}
# The same beside other draws; of the last two the base is the classifier trained elsewhere.
DRAW_ROWS = ["zero-shot", "ProKeR published", "ProKeR ridge", "ProKeR default"]
OTHER_BASE = {"elsewhere": lambda base: base, "default on elsewhere": ProKeRClassifier}


def load(folder, name):
    with np.load(Path(folder) / "embeddings" / f"{name}.npz", allow_pickle=False) as arrays:
        X = normalize(arrays["X"].astype(np.float64))
        y = np.unique(arrays["y"], return_inverse=True)[1]
        return X, y, normalize(arrays["class_embeddings"].astype(np.float64))


def draw(y, shots, seed):
    """Numbers of the rows to fit on, and of those to score on."""
    rng, n_classes = np.random.default_rng(seed), y.max() + 1
    counts = DRAWS[shots](n_classes, rng) if shots in DRAWS else np.full(n_classes, shots)
    train = [rng.permutation(np.flatnonzero(y == c))[: int(counts[c])] for c in range(n_classes)]
    train = np.concatenate(train)
    rest = np.setdiff1d(np.arange(len(y)), train)
    return train, rng.permutation(rest)[:TEST_ROWS]


def copied(X, y, shots, seed):
    """The rows, or copies of them, with their groups."""
    word = next((word for word in COPIES if word in str(shots)), None)
    if word is None:
        return X, y, None
    times, blur = COPIES[word]
    noise = np.random.default_rng([seed, 2]).standard_normal((times * len(X), X.shape[1]))
    rows = np.tile(X, (times, 1)) + blur * noise / np.sqrt(X.shape[1])
    return normalize(rows), np.tile(y, times), np.tile(np.arange(len(X)), times)


def measure(folder, name, row, shots, seed):
    X, y, T = load(folder, name)
    train, test = draw(y, shots, seed)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # scikit-learn's about folds and many classes
        if row in OTHER_BASE:
            model = OTHER_BASE[row](elsewhere(name, X, y, len(T), seed))
        else:
            model = ROWS[row](T, shots)
        rows, labels, groups = copied(X[train], y[train], shots, seed)
        given = {"groups": groups} if "groups" in str(shots) and "default" in row else {}
        begin = time.perf_counter()
        model.fit(rows, labels, **given)
        seconds = time.perf_counter() - begin
        predicted = model.predict(X[test])
        loss = None
        if hasattr(model, "predict_proba"):
            proba = model.predict_proba(X[test])
            loss = float(log_loss(y[test], proba, labels=np.arange(len(T))))
        return {
            "set": name,
            "row": row,
            "shots": shots,
            "seed": seed,
            "accuracy": float(np.mean(predicted == y[test])),
            "balanced": float(balanced_accuracy_score(y[test], predicted)),
            "loss": loss,
            "seconds": round(seconds, 4),
        }


def key(result):
    return tuple(result[k] for k in ("set", "row", "shots", "seed"))


def cached():
    if not CACHE.exists():
        return {}
    return {key(r): r for r in map(json.loads, CACHE.read_text().splitlines())}


def measure_and_keep(folder, *job):
    result = measure(folder, *job)
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.open("a") as file:  # one short line: appended whole
        file.write(json.dumps(result) + "\n")


def report_draws(results, rows):
    """Accuracy by draw, and how far below its base the default is at worst in any set."""
    frame = pd.DataFrame(results)
    table = frame.groupby(["shots", "row"])["accuracy"].mean().unstack().loc[list(DRAWS), rows]
    print("\nAccuracy at other draws, mean over sets and draws")
    print(table.round(3).to_string())
    by_set = frame.groupby(["shots", "set", "row"])["accuracy"].mean().unstack()
    pairs = {"ProKeR default": "zero-shot", "default on elsewhere": "elsewhere"}
    gains = pd.DataFrame(
        {row: by_set[row] - by_set[base] for row, base in pairs.items() if {row, base} <= set(rows)}
    )
    print("\nAccuracy of the default less that of its base: the lowest of all sets")
    print(gains.groupby("shots").min().loc[list(DRAWS)].round(3).to_string())
    losses = frame.groupby(["shots", "row"])["loss"].mean().unstack().loc[list(DRAWS), rows]
    print("\nLog-loss at other draws, mean over sets and draws")
    print(losses.round(2).to_string())


def report(results, rows):
    frame = pd.DataFrame(results)
    for score in ("accuracy", "balanced"):
        by_draw = frame.groupby(["row", "shots", "seed"])[score].mean()
        table = by_draw.groupby(["row", "shots"]).mean().unstack().loc[rows]
        print(f"\n{score.capitalize()}, mean over sets and draws; columns are rows a class")
        print(table.round(3).to_string())
        error = by_draw.groupby(["row", "shots"]).sem().unstack().loc[rows]
        print(f"standard error over draws: at most {error.max().max():.3f}")
    for name, part in frame.groupby("set"):
        table = part.groupby(["row", "shots"])["accuracy"].mean().unstack().loc[rows]
        print(f"\nAccuracy on {name}")
        print(table.round(3).to_string())
    print("\nMean seconds to fit, numbers chosen")
    table = frame.groupby(["row", "shots"])["seconds"].mean().unstack().loc[rows]
    print(table.round(3).to_string())


def fit_times(folder, name, shots=16):
    """Seconds of one fit with given numbers, and of a fit that chooses them."""
    X, y, T = load(folder, name)
    train, _ = draw(y, shots, 0)
    X, y = X[train], y[train]
    Y = np.eye(len(T))[y]
    search = GridSearchCV(KernelRidge(kernel="rbf"), {"gamma": GAMMAS, "alpha": ALPHAS}, cv=5)
    options = {"method": "proker", "scaling": "ridge"}
    models = {
        "KernelRidge, given numbers": (KernelRidge(kernel="rbf", gamma=0.7, alpha=0.3), Y),
        "ProKeR, given numbers": (ProKeRRegressor(gamma=0.7, alpha=0.3), Y),
        "ProKeR classifier, given numbers": (
            ProKeRClassifier(gamma=0.7, alpha=0.3, **options),
            y,
        ),
        "KernelRidge, 15 candidates, 5 folds": (search, Y),
        "ProKeR, 15 candidates, leave-one-out": (
            ProKeRClassifier(gamma=GAMMAS, alpha=ALPHAS, **options),
            y,
        ),
    }
    print(f"\nSeconds to fit on {name}: {len(X)} rows, {len(T)} classes (best of 3)")
    for label, (model, target) in models.items():
        seconds = []
        for _ in range(3):
            begin = time.perf_counter()
            model.fit(X, target)
            seconds.append(time.perf_counter() - begin)
        print(f"  {label:<40} {min(seconds):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    if options.fresh:
        CACHE.unlink(missing_ok=True)
    folder = Path(options.data_dir)
    sets = options.sets or sorted(path.stem for path in (folder / "embeddings").glob("*.npz"))
    if not sets:
        parser.error(f"{folder / 'embeddings'} holds no .npz file")
    cells = [(row, shots) for row in options.rows for shots in SHOTS]
    draw_rows = [row for row in DRAW_ROWS if row in options.rows] + list(OTHER_BASE)
    others = [(row, shots) for row in draw_rows for shots in DRAWS]
    wanted, further = (
        [(name, *cell, seed) for name in sets for cell in part for seed in range(options.seeds)]
        for part in (cells, others)
    )
    done = cached()
    left = [job for job in wanted + further if job not in done]
    Parallel(n_jobs=options.jobs, verbose=1)(
        delayed(measure_and_keep)(folder, *job) for job in left
    )
    done = cached()
    report([done[job] for job in wanted], options.rows)
    report_draws([done[job] for job in further], draw_rows)
    largest = max(sets, key=lambda name: len(load(folder, name)[2]))
    fit_times(folder, largest)


if __name__ == "__main__":
    main()
