"""Collections of series with few labels: ours beside what people use for them.

    python benchmarks/series.py --data-dir DIR [--sets NAME ...] [--rows NAME ...] [--write FILE]

For every series set of the folder: 70 % of the rows to train, without labels, 1, 5, 20 or all of
them labelled, many draws; features are compared by one logistic probe, classifiers as they are.
aeon and pycatch22 bring the rows of their names, which are left out where they are not installed,
and a checkout of TS2Vec's published code, on PYTHONPATH, a table of its own on four small sets.
What was measured is kept, so that a run that was stopped goes on. At the end 1,000 series of 500
steps are learned from, in a process of its own for each row, and seconds are those of one core.
"""

import argparse
import importlib.util
import multiprocessing
import os
import resource
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import manifest, read_collection, subsample
from quality_measure import SIZES, accuracy, by_draw, by_first_draws, label_name, split
from quality_probes import PROBES, Features
from record import Record
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeClassifierCV
from sklearn.preprocessing import LabelEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skcontrast import ContrastiveEncoder, RandomConvolutions, SeriesContrastiveEncoder

# Sets of the halves by which defaults are chosen and judged: see benchmarks/quality.py.
DEV = ("Adiac", "CBF", "Coffee", "ECG5000", "FaceFour", "ItalyPowerDemand", "SwedishLeaf", "Trace")
# The sets of the first measurements, which a target was set for.
ELEVEN = ("BasicMotions", "CBF", "ECG200", "ECGFiveDays", "FaceFour", "GunPoint")
ELEVEN += ("ItalyPowerDemand", "MedicalImages", "SwedishLeaf", "SyntheticControl", "Trace")
# Small sets on which TS2Vec's published code, which takes minutes, is run too.
SMALL = ("CBF", "ECG200", "GunPoint", "ItalyPowerDemand")
STRENGTHS = np.logspace(-3, 3, 10)  # of MiniRocket's ridge, as its paper sets them


def flat(X):
    return X.reshape(len(X), -1)


def on_one_scale(make):
    """Columns to mean zero and unit variance, constant ones left out."""

    def represent(train, test, seed):
        train, test = make(train, test, seed)
        kept = train.std(axis=0) > 1e-9
        scale = StandardScaler().fit(train[:, kept])
        return scale.transform(train[:, kept]), scale.transform(test[:, kept])

    return represent


def imputed(train, test):
    impute = SimpleImputer(strategy="median").fit(flat(train))
    return impute.transform(flat(train)), impute.transform(flat(test))


def raw(train, test, seed):
    return imputed(train, test)


def catch22(train, test, seed):
    from pycatch22 import catch22_all

    def describe(X):
        kept = [[x[~np.isnan(x)].tolist() for x in series] for series in X]
        rows = [[v for x in k for v in catch22_all(x, catch24=True)["values"]] for k in kept]
        return np.nan_to_num(np.array(rows), posinf=0, neginf=0)

    return describe(train), describe(test)


def minirocket(n_features):
    def convolve(train, test, seed):
        from aeon.transformations.collection.convolution_based import MiniRocket

        model = MiniRocket(n_kernels=n_features, random_state=seed, n_jobs=1).fit(train)
        return np.asarray(model.transform(train)), np.asarray(model.transform(test))

    return on_one_scale(convolve)


def convolutions(train, test, seed):
    model = RandomConvolutions(random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def encoder(train, test, seed):
    train, test = imputed(train, test)
    model = ContrastiveEncoder(device="cpu", random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def series_encoder(train, test, seed):
    model = SeriesContrastiveEncoder(device="cpu", random_state=seed).fit(train)
    return model.transform(train), model.transform(test)


def ts2vec(train, test, seed):
    """TS2Vec's published code, as its script for UCR sets runs it, on a CPU."""
    from ts2vec import TS2Vec

    np.random.seed(seed)  # noqa: NPY002 (their code draws from it)
    torch.manual_seed(seed)
    train, test = (X.transpose(0, 2, 1).astype(np.float64) for X in (train, test))
    model = TS2Vec(train.shape[2], device="cpu", batch_size=8)
    model.fit(train)
    return tuple(model.encode(X, encoding_window="full_series") for X in (train, test))


FEATURES = {
    "raw": on_one_scale(raw),
    "catch22": on_one_scale(catch22),
    "MiniRocket 336": minirocket(336),
    "MiniRocket 2016": minirocket(2016),
    "RandomConvolutions()": on_one_scale(convolutions),
    "ContrastiveEncoder()": encoder,
    "SeriesContrastiveEncoder()": series_encoder,
}
TS2VEC = {"TS2Vec, as it comes": ts2vec, "TS2Vec, columns standardised": on_one_scale(ts2vec)}


def ridge(train, test, seed):
    """MiniRocket's features and ridge regression on the labels, as its authors use them."""
    train, test = minirocket(2016)(train, test, seed)

    def classify(rows, y):
        return RidgeClassifierCV(STRENGTHS).fit(train[rows], y).predict(test)

    return classify


def nearest(train, test, seed):
    """The nearest labelled series by dynamic time warping within a tenth of the length."""
    from aeon.distances import dtw_pairwise_distance

    distance = dtw_pairwise_distance(test, train, window=0.1)
    return lambda rows, y: y[distance[:, rows].argmin(axis=1)]


CLASSIFIERS = {"MiniRocket 2016 + ridge": ridge, "1-NN DTW": nearest}
NEEDS = {"catch22": "pycatch22", "MiniRocket": "aeon", "1-NN": "aeon", "TS2Vec": "ts2vec"}
PACKAGES = ("skcontrast", "scikit-learn", "torch", "aeon", "pycatch22")


def installed(module):
    return importlib.util.find_spec(module.replace("scikit-learn", "sklearn")) is not None


def rows_at_hand():
    """Names of the rows whose packages are installed, and of those of TS2Vec."""
    missing = tuple(name for name, module in NEEDS.items() if not installed(module))
    rows = [name for name in (*FEATURES, *CLASSIFIERS, *TS2VEC) if not name.startswith(missing)]
    return [row for row in rows if row not in TS2VEC], [row for row in rows if row in TS2VEC]


def collections(folder):
    """Names of the series sets of a folder."""
    rows = manifest(folder)
    return sorted(rows.name[rows.group == "timeseries"])


def prepared(folder, name, seed):
    """Series and codes of the training and the test part, as benchmarks/quality.py takes them."""
    size = SIZES["full"]
    X, y = read_collection(folder, manifest(folder).set_index("name").loc[name])
    order = subsample(len(y), y, seed, size.train + size.test, 10, 20)
    X, y = X[order], LabelEncoder().fit_transform(y[order])
    train, test = split(y, size, seed)
    return X[train], X[test], y[train], y[test]


def measure(folder, name, row, seed):
    """Accuracy of every draw by labels a class, and seconds of CPU to learn."""
    size = SIZES["full"]
    with threadpool_limits(1):
        train, test, y, y_test = prepared(folder, name, seed)
        begin = time.process_time()
        if row in CLASSIFIERS:
            classify = CLASSIFIERS[row](train, test, seed)
            seconds = time.process_time() - begin
            scores = by_first_draws(size, y, lambda rows: accuracy(classify(rows, y[rows]), y_test))
        else:
            features = Features(*{**FEATURES, **TS2VEC}[row](train, test, seed))
            seconds = time.process_time() - begin
            probe = PROBES["logistic"]
            scores = by_draw(size, y, lambda rows: accuracy(probe(features, rows, y), y_test))
    means = {n: round(float(np.mean(values)), 4) for n, values in scores.items()}
    return {"fit_s": round(seconds, 2), "scores": means}


PAGE = """# Collections of series with few labels

Accuracy on the test part of {sets} series sets (UCR and UEA archives; at most 2,000 series and 20
classes of each, 70 % of them to train, {seeds} split(s)), mean over draws of the labels. Features
are learned without labels from the whole training part and compared by one logistic regression,
tuned in three folds; *ridge* is `RidgeClassifierCV` on MiniRocket's features, *1-NN DTW* the
nearest labelled series by dynamic time warping. `SeriesContrastiveEncoder()` reads series as they
are, `ContrastiveEncoder()` one channel after the other as columns. Defaults were chosen on {dev} of
the sets; *others* are the means of the sets that were not looked at.

Written by

    {command}

with {versions}.
"""

COST = """Seconds of one core, and megabytes, to learn from 1,000 series of 500 steps and transform
them, and mean seconds of one core to learn from and transform a set (`a_set`).
"""
PUBLISHED = """The code of its authors (github.com/yuezhihan/ts2vec at b0088e1, its folder on
`PYTHONPATH`) on four small sets, by the splits, labels and logistic regression of this page:
batches of 8, as in its script for UCR sets, all else by default. Its columns are taken as they
come, or to unit variance. One core took {seconds:.0f} seconds for a set, on average.
"""


def tabulate(results, rows, n):
    frame = pd.DataFrame(
        [
            {"set": job[0], "row": job[1], "score": result["scores"].get(n)}
            for job, result in results.items()
        ]
    )
    table = frame.dropna().pivot_table(index="set", columns="row", values="score")
    return table[[row for row in rows if row in table]].dropna(how="all")


def summary(results, rows):
    """Means over groups of sets, by labels a class."""
    parts = []
    for n in (1, 5, 20, None):
        table = tabulate(results, rows, label_name(n))
        groups = {
            "all sets": table,
            "others": table[~table.index.isin(DEV)],
            "eleven": table[table.index.isin(ELEVEN)],
        }
        for group, part in groups.items():
            parts.append({"labels": label_name(n), "sets": f"{group} ({len(part)})", **part.mean()})
    return pd.DataFrame(parts)


def published(results, theirs):
    """TS2Vec's published code beside ours, and the seconds that it takes for a set."""
    rows = ["RandomConvolutions()", "SeriesContrastiveEncoder()", *theirs]
    parts = []
    for n in (5, None):
        table = tabulate(results, rows, label_name(n))
        table = table[table.index.isin(SMALL)]
        table.loc["mean"] = table.mean()
        table.insert(0, "labels", label_name(n))
        parts.append(table)
    seconds = np.mean([result["fit_s"] for job, result in results.items() if job[1] in theirs])
    text = pd.concat(parts).to_markdown(floatfmt=".3f")
    return ["## TS2Vec's published code\n", PUBLISHED.format(seconds=seconds), text + "\n"]


def report(results, costs, options, rows, theirs, sets):
    dev = sum(name in DEV for name in sets)
    page = [
        PAGE.format(
            sets=len(sets),
            seeds=options.seeds,
            dev=dev,
            command=options.command,
            versions=", ".join(f"{name} {version(name)}" for name in PACKAGES if installed(name)),
        )
    ]
    page += ["## Means\n", summary(results, rows).to_markdown(index=False, floatfmt=".3f") + "\n"]
    for n in (5, None):
        title = f"{n} labels a class" if n else "All labels"
        table = tabulate(results, rows, label_name(n))
        page += [f"## {title}\n", table.to_markdown(floatfmt=".3f") + "\n"]
    if theirs:
        page += published(results, theirs)
    seconds = {
        row: np.mean([r["fit_s"] for job, r in results.items() if job[1] == row]) for row in rows
    }
    cost_of = {
        name: [costs.get((row,), {}).get(name) for row in rows] for name in ("seconds", "MB")
    }
    both = pd.DataFrame(cost_of, index=rows).astype(float)
    page += ["## Time and memory\n", COST]
    both = both.assign(a_set=pd.Series(seconds))
    both = both.astype(object).where(both.notna(), None)
    page += [both.to_markdown(floatfmt=("", ".1f", ".0f", ".1f"), missingval="")]
    return "\n".join(page) + "\n"


def cost(folder, row):
    """Seconds and megabytes to learn from 1,000 series of 500 steps."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_cost, (row,))


def _cost(row):
    torch.set_num_threads(1)
    X = np.cumsum(np.random.default_rng(0).normal(size=(1000, 1, 500)), axis=2)
    FEATURES[row](X[:20], X[:1], 0)  # compile what is compiled
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    with threadpool_limits(1):
        FEATURES[row](X, X[:1], 0)
    seconds = time.process_time() - begin
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": round(seconds, 1), "MB": round((most - before) / 1024)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--rows", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--record", default="series", help="name of what is kept")
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    rows, theirs = rows_at_hand()
    rows = options.rows or rows
    sets = options.sets or collections(options.data_dir)
    pairs = [(name, row) for name in sets for row in rows]
    pairs += [(name, row) for name in sets if name in SMALL for row in theirs]
    jobs = [(*pair, seed) for seed in range(options.seeds) for pair in pairs]
    results = Record(options.record).run(measure, options.data_dir, jobs, options.jobs)
    learned = [(row,) for row in rows if row in FEATURES]
    costs = Record(f"{options.record}_cost").run(cost, options.data_dir, learned, 1)
    options.command = f"python benchmarks/series.py --data-dir {options.data_dir}"
    options.command += f" --seeds {options.seeds}" if options.seeds > 1 else ""
    options.command += f" --write {options.write}" if options.write else ""
    page = report(results, costs, options, rows, theirs, sets)
    print(page)
    if options.write:
        options.write.write_text(page)


if __name__ == "__main__":
    main()
