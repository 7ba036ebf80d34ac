"""Labels and pairs that are wrong: how well they are found, and whether finding them helps.

    python benchmarks/label_noise.py --data-dir DIR [--write docs/label_noise.md]

At most 600 rows of a set train, and one label in ten or in five is exchanged for another class,
drawn evenly. Sets of the half dev chose the default of ``LabelCredibility``; those of the half test
are what is reported. What was measured is kept, so that a run that was stopped goes on.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import featurizer, load_any, take
from quality import sets_of
from record import Record
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import skcontrast
from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, LabelCredibility
from skcontrast.inspection import label_credibility, label_issues, label_quality

DEV = "letter page_blocks segment spambase vehicle waveform5000 ag_news_17k trec".split()
TEST = "car_evaluation covtype_20k pendigits satimage vowel banking77 sst2 subj".split()
RATES = 0.1, 0.2
SEEDS = {"dev": 1, "test": 3}
MOST = 600  # rows that train, and again rows that test
RAW = "logistic regression"
FORMULA = "confident learning"
RIVALS = [RAW, "its margin", "its entropy", FORMULA, "on its own training rows"]
OURS = ["neighbors", "confident", "both", "label_credibility"]
TRAINED = ["all", "without the doubtful", "weighed", "right labels"]


def exchanged(y, rate, rng):
    """Labels of which some are of another class, and which these are."""
    wrong, k = rng.random(len(y)) < rate, y.max() + 1
    return np.where(wrong, (y + rng.integers(1, k, len(y))) % k, y), wrong


def own(p, y):
    return p[np.arange(len(y)), y]


def rivals(X, y, seed):
    """Credibility by a classifier on the columns themselves."""
    model = LogisticRegression(max_iter=1000)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    p = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    margin = label_quality(p, y, score="normalized_margin")
    return {
        RAW: own(p, y),
        "its margin": margin,
        "its entropy": label_quality(p, y, score="weighted_entropy"),
        FORMULA: margin - 2 * label_issues(p, y),  # the issues first
        "on its own training rows": own(model.fit(X, y).predict_proba(X), y),
    }


def ours(encoder, X, y, seed):
    """Credibility in the space of an encoder, by every method."""
    p, frozen = {}, FrozenEstimator(encoder)
    for method in ("neighbors", "confident"):
        model = LabelCredibility(frozen, method=method, random_state=seed).fit(X, y)
        p[method] = model.probabilities_
    p["both"] = (p["neighbors"] + p["confident"]) / 2  # which the class does with these folds
    scores = {method: own(values, y) for method, values in p.items()}
    return {**scores, "label_credibility": label_credibility(encoder.transform(X), y)}


def accuracies(Z, y, given, credibility, rate, test):
    """Accuracy on right labels, after training with wrong ones in several ways."""
    rows, labels = test
    scale = (10 / np.var(Z, axis=0).sum()) ** 0.5
    kept = credibility > np.quantile(credibility, rate)
    model = LogisticRegression(max_iter=1000)
    trained = {
        "all": (Z, given, None),
        "without the doubtful": (Z[kept], given[kept], None),
        "weighed": (Z, given, credibility),
        "right labels": (Z, y, None),
    }
    fits = {k: clone(model).fit(scale * z, t, weight) for k, (z, t, weight) in trained.items()}
    return {name: float(fit.score(scale * rows, labels)) for name, fit in fits.items()}


def labels(folder, name, seed):
    """Average precision of the exchanged labels by every score, and accuracies, by rate."""
    kind = sets_of(folder)[name][0]
    X, y = load_any(folder, name, kind, 2 * MOST, seed)
    n = min(MOST, int(0.7 * len(y)))
    train, test = np.arange(n), np.arange(n, len(y))
    reader = featurizer(X).fit(take(X, train))
    columns = reader.transform(take(X, train))
    if kind == "text":
        encoder, rows = ContrastiveTextEncoder(random_state=seed), take(X, train)
        new = take(X, test)
    else:
        encoder, rows = ContrastiveEncoder(random_state=seed), columns
        new = reader.transform(take(X, test))
    encoder.fit(rows)
    Z, new = (np.asarray(encoder.transform(part), dtype=float) for part in (rows, new))
    out = {}
    for rate in RATES:
        given, wrong = exchanged(y[train], rate, np.random.default_rng(100 + seed))
        scores = {**rivals(columns, given, seed), **ours(encoder, rows, given, seed)}
        found = {k: average_precision_score(wrong, -v) for k, v in scores.items()}
        both = scores["both"]
        found |= accuracies(Z, y[train], given, both, rate, (new, y[test]))
        out[str(rate)] = found
    return out


def measure(folder, part, name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {"labels": labels}[part](folder, name, seed)


def frame(results, part, names):
    """A line for each set, seed and rate."""
    rows = [
        {"set": name, "rate": rate, **found}
        for (kind, name, _), by_rate in results.items()
        if kind == part and name in names
        for rate, found in by_rate.items()
    ]
    return pd.DataFrame(rows)
