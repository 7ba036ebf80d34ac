"""Regression with few and with all labels: ours beside what people use on tables.

    python benchmarks/regression.py --data-dir DIR [--sets NAME ...] [--rows NAME ...]

For every regression table of the folder (at most 4,000 rows): 30 % of the rows test, and 200
or all of the others train. Prints the mean absolute error over that of the median of the
training targets, with mean rank and wins, in a table for each number of labels; then what
each part of ours adds. What was measured is kept, so that a run that was stopped goes on.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from datasets import featurizer, load_regression, regression_tables
from record import Record
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder, ProKeRRegressor, SupervisedContrastiveRegressor
from skcontrast.objectives import PredictionError, RankNContrast, SupReMix, YAware
from skcontrast.supervised._defaults import default_regressor

LABELS = (200, None)


def on_standardized_target(make):
    return lambda seed: TransformedTargetRegressor(make(seed), transformer=StandardScaler())


def kernel_ridge(seed):
    grid = {"gamma": np.geomspace(1e-3, 1, 7), "alpha": np.geomspace(1e-3, 1, 4)}
    return GridSearchCV(KernelRidge(kernel="rbf"), grid, cv=5)


def ours(of_encoder=None, **params):
    def make(seed):
        chosen = {"objective": "y_aware", "device": "cpu", **(of_encoder or {})}
        encoder = ContrastiveEncoder(**chosen)
        return SupervisedContrastiveRegressor(encoder, random_state=seed, **params)

    return make


# Unfitted regressors by name; the features are standardised, categories one-hot.
ROWS = {
    "ridge": on_standardized_target(lambda seed: RidgeCV(np.geomspace(1e-2, 1e3, 11))),
    "kernel ridge": on_standardized_target(kernel_ridge),
    "mlp": on_standardized_target(lambda seed: MLPRegressor(max_iter=500, random_state=seed)),
    "forest": lambda seed: RandomForestRegressor(random_state=seed),
    "boosting": lambda seed: HistGradientBoostingRegressor(random_state=seed),
    "ours": ours(),
}
# What each part adds: one change at a time to ours.
ABLATION = {
    "ours": ours(),
    "no representation": None,
    "embedding alone": ours(passthrough=False),
    "no labels in the encoder": ours({"objective": "info_nce"}),
    "rank_n_contrast": ours({"objective": RankNContrast()}),
    "supremix": ours({"objective": SupReMix()}),
    "with a linear output": ours({"objective": YAware() + PredictionError()}),
    "finetune": ours(finetune=True),
    "corruption alone": ours({"views": "corruption"}),
    "no views": ours({"views": None, "n_views": 1}),
    "target_spread": ours({"sampler": "target_spread"}),
    "head: kernel": ours(regressor=ProKeRRegressor()),
    "head: extra trees": ours(regressor=ExtraTreesRegressor(random_state=0)),
    "head: boosting": ours(regressor=HistGradientBoostingRegressor(random_state=0)),
    "head: ridge": ours(regressor=RidgeCV(np.geomspace(1e-2, 1e3, 11))),
}
SEMI = "ours, other rows unlabelled"


def no_representation(X, y, seed):
    """The default head without an embedding: its members read the columns."""
    y = StandardScaler().fit_transform(y[:, None])[:, 0]
    head = default_regressor(X, y, 0, seed)
    return TransformedTargetRegressor(head, transformer=StandardScaler())


def measure(folder, set_name, row_name, n_labels, seed):
    features, y = load_regression(folder, set_name)
    order = np.random.default_rng(100 + seed).permutation(len(y))
    n_test = int(0.3 * len(y))
    test, train = order[:n_test], order[n_test:]
    labelled = train[:n_labels]
    seen = train if row_name == SEMI else labelled
    prepare = featurizer(features)
    X = np.asarray(prepare.fit_transform(features.iloc[seen]), dtype=np.float64)
    X_test = np.asarray(prepare.transform(features.iloc[test]), dtype=np.float64)
    target = np.where(np.isin(seen, labelled), y[seen], np.nan)
    if row_name == "no representation":
        model = no_representation(X, target, seed)
    else:
        model = {**ABLATION, **ROWS, SEMI: ours()}[row_name](seed)
    model.fit(X, target)
    error = mean_absolute_error(y[test], model.predict(X_test))
    scale = mean_absolute_error(y[test], np.full(n_test, np.median(y[labelled])))
    return {"mae": error / scale}


PAGE = """# Regression on tables

Mean absolute error over that of the training median, on {sets} regression tables of at most
4,000 rows, mean of {seeds} splits (30 % test). Columns: `RidgeCV`, `KernelRidge(kernel="rbf")`
with gamma and alpha by a five-fold search, `MLPRegressor(max_iter=500)`, `RandomForestRegressor`
and `HistGradientBoostingRegressor` with their defaults, and `SupervisedContrastiveRegressor()`
with its defaults. Everybody gets the same standardised columns and labels.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}.
"""


def summary(table):
    rank = table.rank(axis=1)
    return pd.DataFrame(
        {
            "mean error": table.mean(),
            "mean rank": rank.mean(),
            "wins": (table.rank(axis=1, method="min") == 1).sum(),
        }
    )


def tabulate(results, rows, n_labels, sets, seeds):
    frame = pd.DataFrame(
        [
            {"set": s, "row": r, **v}
            for (s, r, n, k), v in results.items()
            if n == n_labels and k < seeds
        ]
    )
    frame = frame[frame.row.isin(rows) & frame.set.isin(sets)]
    return frame.groupby(["set", "row"])["mae"].mean().unstack()[rows]


def report(results, options, sets, rows, command):
    parts = [
        PAGE.format(
            sets=len(sets),
            seeds=options.seeds,
            command=command,
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
        )
    ]
    for n in LABELS:
        table = tabulate(results, rows, n, sets, options.seeds)
        title = f"{n} labels" if n else "All labels"
        parts += [f"## {title}\n", summary(table).to_markdown(floatfmt=".3f") + "\n"]
        parts += [table.to_markdown(floatfmt=".3f") + "\n"]
    if options.ablation:
        parts += ["## What each part adds\n", ABLATION_TEXT.format(n=options.ablation_seeds)]
        names = [*ABLATION, SEMI]
        table = tabulate(results, names, 200, sets, options.ablation_seeds)
        both = {"mean error": table.mean(), "sets better": table.lt(table["ours"], axis=0).sum()}
        parts.append(pd.DataFrame(both).loc[names].to_markdown(floatfmt=".4f"))
    return "\n".join(parts) + "\n"


ABLATION_TEXT = """Mean error over the sets with 200 labels, {n} split(s), one change at a time. "no
representation" is the default head on the raw columns; "embedding alone" leaves these out
(`passthrough=False`); "no labels in the encoder" is `objective="info_nce"`; the last row gives
ours the other training rows without their labels, as NaN. *Sets better* counts the sets with
a lower error than ours.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ablation", action="store_true", help="also what each part adds")
    parser.add_argument("--ablation-seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("regression")
    if options.fresh:
        record.forget()
    sets = options.sets or regression_tables(options.data_dir)
    jobs = [
        (s, r, n, k)
        for k in range(options.seeds)
        for n in LABELS
        for s in sets
        for r in options.rows
    ]
    if options.ablation:
        few = range(options.ablation_seeds)
        extra = [(s, r, 200, k) for k in few for s in sets for r in [*ABLATION, SEMI]]
        jobs += [job for job in extra if job not in jobs]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    command = "python benchmarks/regression.py " + " ".join(sys.argv[1:])
    page = report(results, options, sets, options.rows, command)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
