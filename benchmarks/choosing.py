"""Which score without labels chooses a good encoder: ranks beside those of later accuracy.

    python benchmarks/choosing.py --data-dir DIR [--sets NAME ...]

For every table (at most 1,500 rows): half of the rows train an encoder without labels for each
setting of a grid, a fifth of the rows gives the scores, as the held-out fold of a search would,
and a logistic regression with 5 or all labels a class of the training rows is judged on the
rest. Prints the rank correlation of each score with the accuracy over the grid, and what the
setting with the best score is worth. What was measured is kept, so that a run that was stopped
goes on.
"""

import argparse
import itertools
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import featurizer, load
from record import Record
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.metrics import EmbeddingScorer, get_scorer_names
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE
from skcontrast.views import Corruption

SETS = ("dermatology", "pendigits", "satimage", "segment", "vehicle", "waveform5000")
MAX_ROWS = 1500
GRID = {
    "temperature": (0.05, 0.2, 1.0),
    "rate": (0.2, 0.5, 0.8),
    "width": (32, 256),
    "epochs": (5, 30, 100),
}
# The settings that the scores choose among.
SETTINGS = list(itertools.product(*GRID.values()))
LABELS = {"5": 5, "all": None}
DRAWS = {"5": 10, "all": 1}
WITH_VIEWS = ("view_retrieval", "cosine_gap", "alignment", "alignment_uniformity")
FIXED_RATE = 0.3
OTHER = "accuracy, other split"
SCORERS = {
    **{name: EmbeddingScorer(name) for name in get_scorer_names()},
    **{f"{name}, one view": EmbeddingScorer(name, view=FIXED_RATE) for name in WITH_VIEWS},
}


def encoder(temperature, rate, width, epochs, seed):
    return ContrastiveEncoder(
        64,
        passthrough=False,
        objective=InfoNCE(temperature),
        views=Corruption(rate),
        network=MLP((width, width)),
        max_iter=epochs,
        random_state=seed,
        device="cpu",
    )


def accuracy(train, y_train, test, y_test, n, n_draws):
    """Of a logistic regression with n or all labels a class, mean of several draws."""
    scores = []
    for draw in range(n_draws):
        rng = np.random.default_rng(draw)
        rows = [rng.permutation(np.flatnonzero(y_train == c))[:n] for c in np.unique(y_train)]
        chosen = np.concatenate(rows)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(train[chosen], y_train[chosen])
        scores.append(model.score(test, y_test))
    return float(np.mean(scores))


def measure(folder, set_name, temperature, rate, width, epochs, seed):
    begin = time.process_time()
    features, y = load(folder, set_name)
    features, y = features.iloc[:MAX_ROWS], y[:MAX_ROWS]
    train, rest = train_test_split(np.arange(len(y)), train_size=0.5, stratify=y, random_state=seed)
    held_out, test = train_test_split(rest, train_size=0.4, stratify=y[rest], random_state=seed)
    prepare = featurizer(features).fit(features.iloc[train])
    X = {
        name: np.asarray(prepare.transform(features.iloc[rows]), dtype=np.float64)
        for name, rows in (("train", train), ("held out", held_out), ("test", test))
    }
    fitted = encoder(temperature, rate, width, epochs, seed).fit(X["train"])
    result = {name: scorer(fitted, X["held out"]) for name, scorer in SCORERS.items()}
    z, z_test = fitted.transform(X["train"]), fitted.transform(X["test"])
    for name, n in LABELS.items():
        result[f"accuracy {name}"] = accuracy(z, y[train], z_test, y[test], n, DRAWS[name])
    return {**result, "loss": -fitted.loss_curve_[-1], "cpu_s": time.process_time() - begin}


def frame_of(results):
    names = ["set", *GRID, "seed"]
    return pd.DataFrame([{**dict(zip(names, job)), **v} for job, v in results.items()])


def with_other_split(frame, labels):
    """The frame with the accuracy of the same setting on the next split of the table."""
    setting = ["set", *GRID]
    other = frame[[*setting, "seed", f"accuracy {labels}"]].copy()
    other["seed"] = (other["seed"] - 1) % (frame.seed.max() + 1)
    other = other.rename(columns={f"accuracy {labels}": OTHER})
    return frame.merge(other, on=[*setting, "seed"])


def judged(frame, scores, labels):
    """A row for each score: its rank correlation with accuracy, and what it chooses."""
    target = f"accuracy {labels}"
    rows = []
    if frame.seed.nunique() > 1:
        frame, scores = with_other_split(frame, labels), [*scores, OTHER]
    for score in scores:
        found = []
        for _, group in frame.groupby(["set", "seed"]):
            best = group[target][group[score].idxmax()]
            rank = spearmanr(group[score], group[target]).statistic
            found.append((rank, best - group[target].mean(), group[target].max() - best))
        rank, gain, loss = np.transpose(found)
        rows.append(
            {
                "score": score,
                "rank correlation": rank.mean(),
                "lowest": rank.min(),
                "above 0": (rank > 0).mean(),
                "gain": gain.mean(),
                "worst gain": gain.min(),
                "below the best": loss.mean(),
            }
        )
    return pd.DataFrame(rows).set_index("score").sort_values("rank correlation", ascending=False)


PAGE = """# Choosing an encoder without labels

`skcontrast.metrics` has scorers that a `GridSearchCV` can use without `y`. This page says how well
they rank encoders, compared with the accuracy that labels give later. The best of them with 5
labels a class, {best}, has a rank correlation of {rank:.2f} with it: 1 is
perfect, 0 is chance.

{n} settings of `ContrastiveEncoder(64, passthrough=False)` ({grid})
are trained on half of the rows of {sets} tables
({names}; at most
{rows} rows each); splits: {seeds}. The scores read another fifth of the rows. The accuracy is that
of a logistic regression on the remaining rows, which learned from 5 labels a class (mean of
{draws} draws) or from all labels of the training rows.

| column | what it is |
|---|---|
| rank correlation | Spearman's, over the settings of a table; the mean over tables and splits |
| lowest, above 0 | the lowest of these, and the share of them above 0 |
| gain | accuracy of the setting with the best score, less the mean of all (a random choice) |
| worst gain | the lowest gain of a table and split |
| below the best | accuracy of the best setting by the test rows, less that of the chosen one |

Rows "..., one view" have the same view for all settings, a resampling of {fixed} of the entries;
the others have each encoder's own views, which differ with `rate`. "loss" is the negative training
loss at the end. "accuracy, other split", with several splits, ranks the settings by their accuracy
on the next split of the same table; no score can be expected to do much better.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}, in {minutes:.0f} CPU minutes.
"""
FACTORS = """## What the settings are worth

Mean accuracy of the settings with each value, over the tables.
"""
TITLES = {"5": "5 labels a class", "all": "All labels"}


def factors(frame):
    parts = []
    for name in GRID:
        means = frame.groupby(name)[[f"accuracy {labels}" for labels in LABELS]].mean()
        means.columns = [TITLES[labels] for labels in LABELS]
        means.index = [f"{name} {value}" for value in means.index]
        parts.append(means)
    return pd.concat(parts)


def report(frame, command):
    scores = [*SCORERS, "loss"]
    ranks = judged(frame, scores, "5")["rank correlation"].drop(OTHER, errors="ignore")
    parts = [
        PAGE.format(
            best=ranks.index[0],
            rank=ranks.iloc[0],
            n=len(SETTINGS),
            sets=frame.set.nunique(),
            rows=f"{MAX_ROWS:,}",
            names=", ".join(sorted(frame.set.unique())),
            seeds=frame.seed.nunique(),
            grid=", ".join(f"{name} {', '.join(map(str, v))}" for name, v in GRID.items()),
            draws=DRAWS["5"],
            fixed=FIXED_RATE,
            command=command,
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
            minutes=frame.cpu_s.sum() / 60,
        )
    ]
    for labels in LABELS:
        table = judged(frame, scores, labels).to_markdown(floatfmt=".3f")
        parts += [f"## {TITLES[labels]}\n", table + "\n"]
    spread = frame.groupby("set")[[f"accuracy {labels}" for labels in LABELS]]
    spread = spread.agg(["min", "mean", "max"])
    spread.columns = [f"{TITLES[a.split()[1]]}, {b}" for a, b in spread.columns]
    parts += ["## Accuracy of the settings\n", spread.to_markdown(floatfmt=".3f") + "\n"]
    parts += [FACTORS, factors(frame).to_markdown(floatfmt=".3f") + "\n"]
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("choosing")
    if options.fresh:
        record.forget()
    seeds = range(options.seeds)
    jobs = [(s, *setting, k) for k in seeds for s in options.sets for setting in SETTINGS]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    command = "python benchmarks/choosing.py " + " ".join(sys.argv[1:])
    page = report(frame_of(results), command)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
