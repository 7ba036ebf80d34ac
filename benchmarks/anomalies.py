"""Anomaly detection: rows of other classes, found by ours and by what people use.

    python benchmarks/anomalies.py --data-dir DIR [--write docs/anomaly_quality.md]

One class is normal, and of each set the two most frequent are taken in turn (of sets with two
classes the most frequent one; of series three). The first half of its rows trains. The rest is
scored with rows of the other classes, and the area under the ROC curve says how well the two are
told apart: no detector sees a label. What was measured is kept, so that a run that was stopped
goes on.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import featurizer, manifest, read_series, read_table, take
from record import Record
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

import skcontrast
from skcontrast import ContrastiveAnomalyDetector, ContrastiveEncoder

TABLES = "digits ionosphere mammography satimage pendigits letter segment waveform5000".split()
SERIES = (
    "CBF ECG200 GunPoint ItalyPowerDemand MedicalImages SwedishLeaf SyntheticControl Trace".split()
)
RIVALS = ["5-NN distance", "IsolationForest", "OneClassSVM", "LOF", "PCA residual"]
OURS = ["ours", "learned columns alone", "outliers='permuted'"]
# Most rows of the fit, normal rows to score, and others.
SIZES = {"tables": (500, 300, 600), "series": (500, 200, 400)}
LEAST = 40  # rows of a normal class


def load(folder, name):
    if name == "digits":
        return load_digits(return_X_y=True)
    row = manifest(folder).set_index("name").loc[name]
    return read_series(folder, row) if name in SERIES else read_table(folder, row)


def normal_classes(folder, name):
    """Classes that are normal in turn, the most frequent first."""
    values, counts = np.unique(load(folder, name)[1], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    order = [i for i in order if counts[i] >= LEAST]
    most = 3 if name in SERIES else 2 if len(values) > 2 else 1
    return [int(values[i]) for i in order[:most]]


def rivals(X, new, seed):
    """Scores of new rows by detectors of scikit-learn, larger for normal rows."""
    scaler = StandardScaler().fit(X)
    X, new = scaler.transform(X), scaler.transform(new)
    pca = PCA(0.9, svd_solver="full").fit(X)
    residual = new - pca.inverse_transform(pca.transform(new))
    k = min(5, len(X) - 1)
    return {
        "5-NN distance": -NearestNeighbors(n_neighbors=k).fit(X).kneighbors(new)[0].mean(axis=1),
        "IsolationForest": IsolationForest(random_state=seed).fit(X).score_samples(new),
        "OneClassSVM": OneClassSVM().fit(X).score_samples(new),
        "LOF": LocalOutlierFactor(min(20, len(X) - 1), novelty=True).fit(X).score_samples(new),
        "PCA residual": -np.square(residual).sum(axis=1),
    }


def ours(X, new, seed):
    against = ContrastiveAnomalyDetector(outliers="permuted", random_state=seed).fit(X)
    # The default is what the first of its two encoders gives: the same seed, the same fit.
    default = ContrastiveAnomalyDetector(FrozenEstimator(against.encoder_)).fit(X)
    learned = ContrastiveEncoder(passthrough=False)
    learned = ContrastiveAnomalyDetector(learned, random_state=seed).fit(X)
    found = zip(OURS, (default, learned, against))
    return {name: detector.score_samples(new) for name, detector in found}


def measure(folder, name, normal, seed=0):
    X, y = load(folder, name)
    rng = np.random.default_rng(seed)
    n_fit, n_normal, n_others = SIZES["series" if name in SERIES else "tables"]
    own = rng.permutation(np.flatnonzero(y == normal))
    half = len(own) // 2
    new = [own[half:][:n_normal], rng.permutation(np.flatnonzero(y != normal))[:n_others]]
    train, test = own[:half][:n_fit], np.concatenate(new)
    reader = featurizer(X).fit(take(X, train))  # categories and missing values become numbers
    known, rows = reader.transform(take(X, train)), reader.transform(take(X, test))
    scores = {**rivals(known, rows, seed), **ours(known, rows, seed)}
    return {k: roc_auc_score(y[test] == normal, v) for k, v in scores.items()}


PAGE = """# Quality of anomaly detection

Mean area under the ROC curve of normal rows against rows of other classes. One class is normal, and
half of its rows, at most 500, train; the rest (at most 300; 200 of series) are scored with rows of
other classes (600; 400). Of each set its two most frequent classes are normal in turn, of series
three, of sets with two classes one. One draw. Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}.

*ours* is `ContrastiveAnomalyDetector()`, and *learned columns alone* the same with
`ContrastiveEncoder(passthrough=False)`. Every method reads the same standardised columns. *5-NN
distance* is the mean distance to the five nearest rows, *PCA residual* what the axes with 90 % of
the variance leave; the other rivals have scikit-learn's defaults. The best of a row is bold.
"""


def tabulate(results, sets):
    """Mean of the classes of each set, and of the sets."""
    rows = [{"set": name, **found} for (name, _), found in results.items() if name in sets]
    table = pd.DataFrame(rows).groupby("set").mean().loc[sets, [*RIVALS, *OURS]]
    table.loc["mean"] = table.mean()
    return table


def markdown(table):
    best = table.round(3).eq(table.round(3).max(axis=1), axis=0)
    shown = table.map("{:.3f}".format)
    return shown.where(~best, "**" + shown + "**").to_markdown(disable_numparse=True)


def verdicts(tables, series):
    base, own, against = "5-NN distance", "ours", "outliers='permuted'"
    lines = [
        f"- {kind}, {len(t) - 1} sets: {own} {t.loc['mean', own]:.3f}, {base} "
        f"{t.loc['mean', base]:.3f}, a difference of "
        f"{t.loc['mean', own] - t.loc['mean', base]:+.3f}."
        for kind, t in (("Tables", tables), ("Series", series))
    ]
    lines += [
        f"- {name}: {against} {tables.loc[name, against]:.3f}, {base} {tables.loc[name, base]:.3f}."
        for name in ("letter", "segment")
        if name in tables.index
    ]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("anomalies")
    if options.fresh:
        record.forget()
    sets = [*SERIES, *TABLES]
    jobs = [(s, c) for s in sets for c in normal_classes(options.data_dir, s)]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    tables, series = tabulate(results, TABLES), tabulate(results, SERIES)
    page = PAGE.format(
        command="python benchmarks/anomalies.py " + " ".join(sys.argv[1:]),
        version=skcontrast.__version__,
        sklearn=sklearn.__version__,
        torch=torch.__version__,
    )
    parts = [page, "## Tables\n", markdown(tables), "\n## Series\n", markdown(series)]
    parts += ["\n## Beside the plain distance\n", verdicts(tables, series), "\n## What to take\n"]
    page = "\n".join([*parts, ADVICE])
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


ADVICE = """On tables the plain distance to five neighbours is as good as the default, which gains
on time series. `outliers="permuted"` is for anomalies that break the dependences between columns:
it leads where these are the signal, and loses much where anomalies have unusual values.
"""


if __name__ == "__main__":
    main()
