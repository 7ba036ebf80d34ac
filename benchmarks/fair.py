"""Accuracy against leakage: what a representation tells of a sensitive attribute.

    python benchmarks/fair.py --data-dir DIR [--rows NAME ...] [--sets NAME ...] [--seeds N]

For every set, at most 3,000 rows: 70 % train the representation without the target; a
logistic regression on it predicts the target, and two probes, a logistic regression and
boosted trees, predict the sensitive attribute. Prints the accuracy of the first and the
area under the ROC curve (0.5: nothing leaks) of the others on the rest of the rows, means
over the seeds. "encoder" is ContrastiveEncoder, "fair" KernelConditionalContrastive in
mode "fair"; "without" leaves the column of the attribute out of the features. What was
measured is kept in a cache, so that a run that was stopped goes on.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from datasets import featurizer, load
from joblib import Parallel, delayed
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder, KernelConditionalContrastive

CACHE = Path(__file__).parent / "cache" / "fair.jsonl"

# Set -> sensitive column, the value that is told from the others, columns left out.
SETS = {
    "adult": ("sex", "Female", []),
    # The score of the tool under study is not for the features.
    "compas": ("race", "African-American", ["decile_score"]),
    "german_credit": ("sex", "female", []),
}


def encoder(**params):
    return lambda seed: ContrastiveEncoder(
        passthrough=False, random_state=seed, device="cpu", **params
    )


def fair(**params):
    return lambda seed: KernelConditionalContrastive(
        mode="fair", random_state=seed, device="cpu", **params
    )


# Name -> (whether the sensitive column is among the features, what makes an estimator).
ROWS = {
    "raw": (True, None),
    "raw, without": (False, None),
    "encoder": (True, encoder()),
    "encoder, without": (False, encoder()),
    "fair": (True, fair()),
    "fair, reference": (True, fair(form="reference")),
    "fair + independence": (True, fair(independence=10)),
    "fair, without": (False, fair()),
    "fair + ind., without": (False, fair(independence=10)),
}


def probe(train, y_train, test, y_test, *, auc):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train, y_train)
    if not auc:
        return model.score(test, y_test), None
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0).fit(train, y_train)
    return tuple(roc_auc_score(y_test, m.predict_proba(test)[:, 1]) for m in (model, trees))


def measure(folder, set_name, row_name, seed, rows=ROWS):
    torch.set_num_threads(1)
    features, y = load(folder, set_name)
    column, value, dropped = SETS[set_name]
    sensitive = (features[column].astype(str).str.lower() == value.lower()).to_numpy().astype(int)
    keeps, make = rows[row_name]
    features = features.drop(columns=dropped if keeps else [*dropped, column])
    a, b = train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed)
    prepare = featurizer(features)
    train, test = prepare.fit_transform(features.iloc[a]), prepare.transform(features.iloc[b])
    begin = time.perf_counter()
    if make is not None:
        model = make(seed)
        objective = getattr(model, "objective", None)
        needs = getattr(objective, "requires", ())
        side = {"condition": sensitive[a]} if "condition" in needs else {}
        model.fit(train, **side)
        train, test = model.transform(train), model.transform(test)
    seconds = time.perf_counter() - begin
    accuracy, _ = probe(train, y[a], test, y[b], auc=False)
    linear, trees = probe(train, sensitive[a], test, sensitive[b], auc=True)
    return {
        "set": set_name,
        "row": row_name,
        "seed": seed,
        "accuracy": accuracy,
        "leak, linear": linear,
        "leak, trees": trees,
        "fit_s": seconds,
    }


def measure_and_keep(*job):
    result = measure(*job)
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.open("a") as file:  # one short line: appended whole
        file.write(json.dumps(result) + "\n")


def cached():
    lines = CACHE.read_text().splitlines() if CACHE.exists() else []
    return {(r["set"], r["row"], r["seed"]): r for r in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    if options.fresh:
        CACHE.unlink(missing_ok=True)
    jobs = [(s, r, k) for k in range(options.seeds) for s in options.sets for r in options.rows]
    done = cached()
    left = [job for job in jobs if job not in done]
    Parallel(n_jobs=options.jobs)(delayed(measure_and_keep)(options.data_dir, *job) for job in left)
    done = cached()
    table = pd.DataFrame([done[job] for job in jobs]).drop(columns="seed")
    table = table.groupby(["set", "row"]).mean()
    order = [(s, r) for s in options.sets for r in options.rows]
    print(table.loc[order].round(3).to_string())


if __name__ == "__main__":
    main()
