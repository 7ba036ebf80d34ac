"""Labels and pairs that are wrong: how well they are found, and whether finding them helps.

    python benchmarks/label_noise.py --data-dir DIR [--fresh] [--write docs/label_noise.md]

At most 600 rows of a set train, and one label in ten or in five is exchanged for another class,
drawn evenly. Sets of the half dev chose the default of ``LabelCredibility``; those of the half test
are what is reported. Of two tables of the same rows, the second holds another row's values in one
row of five to three of five. What was measured is kept, so that a run that was stopped goes on.
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
from multiview_sets import SETS, dense, recall
from quality import sets_of
from record import Record
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import skcontrast
from skcontrast import ContrastiveEncoder, LabelCredibility
from skcontrast.inspection import label_credibility, label_issues, label_quality
from skcontrast.multiview import Blocks, CanonicalCorrelation, pair_credibility, pseudo_partners

DEV = "letter page_blocks segment spambase vehicle waveform5000 ag_news_17k trec".split()
TEST = "car_evaluation covtype_20k pendigits satimage vowel banking77 sst2 subj".split()
RATES = 0.1, 0.2
SEEDS = {"dev": 1, "test": 2, "pairs": 1}
MOST = 600  # rows that train, and again rows that test
RAW = "logistic regression"
FORMULA = "confident learning"
RIVALS = [RAW, "its margin", "its entropy", FORMULA, "on its own training rows"]
OURS = ["neighbors", "confident", "both", "label_credibility"]
PAIRS, SHARES = ("mfeat zer, fac", "mfeat fou, kar", "wikipedia"), (0.2, 0.4, 0.6)
LEAST = 50  # sure pairs, without which all are taken
METHODS = "parted", "small_loss", "pseudo_class"
FOUND = ["cosine", *METHODS]
RECALLED = ["all pairs", "the sure", "pseudo partners", "right pairs"]
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
    new = reader.transform(take(X, test))
    encoder = ContrastiveEncoder(random_state=seed).fit(columns)
    Z, new = (np.asarray(encoder.transform(part), dtype=float) for part in (columns, new))
    out = {}
    for rate in RATES:
        given, wrong = exchanged(y[train], rate, np.random.default_rng(100 + seed))
        scores = {**rivals(columns, given, seed), **ours(encoder, columns, given, seed)}
        found = {k: average_precision_score(wrong, -v) for k, v in scores.items()}
        both = scores["both"]
        found |= accuracies(Z, y[train], given, both, rate, (new, y[test]))
        out[str(rate)] = found
    return out


def pairs(folder, name, seed):
    """Area under the ROC curve of right pairs by every score, and partners found, by share."""
    blocks, y = SETS[name](folder)
    chosen = np.random.default_rng(seed).permutation(len(y))
    train, test = chosen[:MOST], chosen[MOST:][:MOST]
    (_, second), out = blocks, {}
    model = CanonicalCorrelation(regularization="auto")
    for share in SHARES:
        given = {k: dense(b)[train] for k, b in blocks.items()}
        wrong = np.random.default_rng(seed).permutation(len(train))[: int(share * len(train))]
        given[second][wrong] = given[second][np.roll(wrong, 1)]
        X, right = Blocks(**given), ~np.isin(np.arange(len(train)), wrong)
        sure = {m: pair_credibility(X, method=m) for m in METHODS}
        cosine = model.fit(X).score_pairs(X)
        found = {m: float(roc_auc_score(right, s)) for m, s in {"cosine": cosine, **sure}.items()}
        kept = sure["parted"] > 0.5
        kept |= kept.sum() < LEAST
        other = pseudo_partners(X, kept, second)
        trained = {"all pairs": X, "the sure": X[kept], "pseudo partners": other}
        for kind, rows in {**trained, "right pairs": X[right]}.items():
            fit = clone(model).fit(rows)
            Z = [fit.transform_block(dense(b)[test], k) for k, b in blocks.items()]
            found[kind] = recall(Z, 10)
        out[str(share)] = found
    return out


def measure(folder, part, name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {"labels": labels, "pairs": pairs}[part](folder, name, seed)


def frame(results, part, names):
    """A line for each set, seed and rate."""
    rows = [
        {"set": name, "rate": rate, **found}
        for (kind, name, _), by_rate in results.items()
        if kind == part and name in names
        for rate, found in by_rate.items()
    ]
    return pd.DataFrame(rows)


def markdown(table):
    """A table with the best of each row in bold."""
    best = table.round(3).eq(table.round(3).max(axis=1), axis=0)
    shown = table.map("{:.3f}".format)
    return shown.where(~best, "**" + shown + "**").to_markdown(disable_numparse=True)


def tabulate(lines, columns):
    """Means of seeds: a row for each set and rate, and the mean."""
    table = lines.groupby(["set", "rate"], sort=False)[columns].mean()
    table.index = [f"{name}, {float(rate):.0%}" for name, rate in table.index]
    table.loc["mean"] = table.mean()
    return table


def verdict(test):
    """How often the default is at or above its rivals."""
    own = test["both"].drop("mean")
    said = []
    for rival in (RAW, FORMULA):
        gap = own - test[rival].drop("mean")
        said.append(
            f"- `LabelCredibility()` against *{rival}*: {gap.mean():+.3f}, at or above in "
            f"{(gap.round(3) >= 0).sum()} of {len(gap)} rows, at worst {gap.min():+.3f} "
            f"({gap.idxmin()})."
        )
    return "\n".join(said)


def changes(table, base):
    """What the other columns change, on average."""
    others = [name for name in table if name != base]
    said = [f"*{k}* {table.loc['mean', k] - table.loc['mean', base]:+.3f}" for k in others]
    return f"\nOn average, against *{base}*: {', '.join(said)}.\n"


PAGE = """# Wrong labels and wrong pairs

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}. At most 600 rows train, on one
thread; test sets are the mean of {seeds} draws.

## Which labels are wrong

Average precision of exchanged labels. *logistic regression* is its belief in the label from other
folds, on standardised columns or the TF-IDF of texts; *{formula}* ranks the issues of
`label_issues` first. The others read what `ContrastiveEncoder()` makes of these columns, without
labels.
"""
MIDDLE = """
The default was chosen on other sets:
"""
ACCURACY = """
## Does it help to leave them out?

Accuracy of logistic regression on the embedding, without as many of the least credible rows as are
wrong, or weighed by credibility.
"""
OF_PAIRS = """
## Which pairs are wrong

Area under the ROC curve of right pairs. *cosine* is `score_pairs` of a `CanonicalCorrelation` that
saw the pairs.
"""
RECALL = """
Share of new rows whose partner is among the ten nearest. The sure have a credibility above 0.5 by
"parted"; where these are fewer than 50, all count.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("label_noise")
    if options.fresh:
        record.forget()
    jobs = [("labels", name, seed) for name in TEST for seed in range(SEEDS["test"])]
    jobs += [("labels", name, seed) for name in DEV for seed in range(SEEDS["dev"])]
    jobs += [("pairs", name, seed) for name in PAIRS for seed in range(SEEDS["pairs"])]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    test, dev = frame(results, "labels", TEST), frame(results, "labels", DEV)
    found = frame(results, "pairs", PAIRS)
    command = "python benchmarks/label_noise.py " + " ".join(sys.argv[1:])
    versions = skcontrast.__version__, sklearn.__version__, torch.__version__
    versions = dict(zip(("version", "sklearn", "torch"), versions))
    parts = [PAGE.format(command=command, formula=FORMULA, seeds=SEEDS["test"], **versions)]
    table = tabulate(test, RIVALS + OURS)
    parts += [markdown(table), "", verdict(table), MIDDLE]
    parts += [markdown(tabulate(dev, RIVALS + OURS)), ACCURACY]
    table = tabulate(test, TRAINED)
    parts += [markdown(table), changes(table, "all"), OF_PAIRS.lstrip()]
    table = tabulate(found, FOUND)
    parts += [markdown(table), changes(table, "cosine"), RECALL.lstrip()]
    page = "\n".join([*parts, markdown(tabulate(found, RECALLED)), ""])
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
