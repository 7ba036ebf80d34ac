"""What a representation is worth: accuracy of a logistic probe with few labels.

    python benchmarks/quality.py --data-dir DIR [--rows NAME ...] [--sets NAME ...]

For every set: 70 % of the rows train the representation without labels; a logistic
regression on standardised features gets 5, 20 or all labels a class of them, in several
draws, and is scored on the other rows. Prints a table for each number of labels, and
appends what it measured to a cache, so that a run that was stopped goes on.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
import sklearn
import torch
from datasets import MAX_ROWS, classification_tables, featurizer, load, texts
from joblib import Parallel, delayed
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.networks import MLP
from skcontrast.objectives import InfoNCE

LABELS = (5, 20, None)
DRAWS = {5: 20, 20: 10, None: 1}
CACHE = Path(__file__).parent / "cache" / "quality.jsonl"


def raw():
    return FunctionTransformer(accept_sparse=True)


def beside_raw(transformer):
    return FeatureUnion([("raw", raw()), ("learned", transformer)])


def encoder(**params):
    return lambda X, seed: ContrastiveEncoder(random_state=seed, device="cpu", **params)


def pca(X, seed):
    width = min(64, min(X.shape) - 1)
    if sp.issparse(X):
        return TruncatedSVD(width, random_state=seed)
    return PCA(width, random_state=seed)


def nystroem(X, seed):
    # The width of the kernel by the median rule, as a user would set it.
    rows = X[:500].toarray() if sp.issparse(X) else X[:500]
    squared = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    return Nystroem(
        gamma=1 / np.median(squared[squared > 0]),
        n_components=min(300, X.shape[0]),
        random_state=seed,
    )


# What is compared: name -> function of (X, seed) that gives an unfitted transformer.
ROWS = {
    "raw": lambda X, seed: raw(),
    "pca": pca,
    "nystroem": nystroem,
    "ours": encoder(),
    "ours, raw beside": lambda X, seed: beside_raw(encoder()(X, seed)),
}
# What was tried for the defaults, one change at a time.
VARIANTS = {
    "mlp projector": encoder(projector="mlp"),
    "all views changed": encoder(clean_anchor=False),
    "mlp projector, all views changed": encoder(projector="mlp", clean_anchor=False),
    "corruption only": encoder(views="corruption"),
    "neighbors only": encoder(views="neighbors"),
    "64 components": encoder(n_components=64),
    "temperature 0.1": encoder(objective=InfoNCE(0.1)),
    "temperature 0.5": encoder(objective=InfoNCE(0.5)),
    "decoupled": encoder(objective="decoupled"),
    "no skip": encoder(network=MLP(skip=False)),
    "one hidden layer": encoder(network=MLP((256,))),
    "50 epochs": encoder(max_iter=50),
}


def labelled(y, n, seed):
    """Row numbers of n rows a class, or of all rows."""
    if n is None:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[:n] for c in np.unique(y)])


def probe(train, y_train, test, y_test, n):
    scaler = StandardScaler(with_mean=not sp.issparse(train))
    scores = []
    for draw in range(DRAWS[n]):
        chosen = labelled(y_train, n, draw)
        model = LogisticRegression(max_iter=500)
        if sp.issparse(train):
            model.fit(train[chosen], y_train[chosen])
            scores.append(accuracy_score(y_test, model.predict(test)))
        else:
            model = make_pipeline(scaler, model).fit(train[chosen], y_train[chosen])
            scores.append(accuracy_score(y_test, model.predict(test)))
    return float(np.mean(scores))


def measure(folder, set_name, row_name, seed):
    torch.set_num_threads(1)
    features, y = load(folder, set_name)
    index = np.arange(len(y))
    a, b = train_test_split(index, test_size=0.3, stratify=y, random_state=seed)

    def take(rows):
        return [features[i] for i in rows] if isinstance(features, list) else features.iloc[rows]

    prepare = featurizer(features)
    train, test = prepare.fit_transform(take(a)), prepare.transform(take(b))
    transformer = {**ROWS, **VARIANTS}[row_name](train, seed)
    begin = time.perf_counter()
    train_out = transformer.fit_transform(train)
    seconds = time.perf_counter() - begin
    test_out = transformer.transform(test)
    scores = {str(n or "all"): probe(train_out, y[a], test_out, y[b], n) for n in LABELS}
    return {"set": set_name, "row": row_name, "seed": seed, "fit_s": round(seconds, 2), **scores}


def cached():
    if not CACHE.exists():
        return {}
    found = [json.loads(line) for line in CACHE.read_text().splitlines()]
    return {(r["set"], r["row"], r["seed"]): r for r in found}


def measure_and_keep(*job):
    result = measure(*job)
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.open("a") as file:  # one short line: appended whole
        file.write(json.dumps(result) + "\n")
    return result


PAGE = """# What a representation is worth

Accuracy of a logistic regression on standardised features, with few labels. Rows of the
tables: `raw` features (numeric columns standardised, categories one-hot; TF-IDF for texts),
`pca` (64 components), `nystroem` (300 RBF features, width by the median rule), `ours`
(`ContrastiveEncoder()` as it is, trained without labels), and raw features beside ours.
{sets} sets, at most {rows} rows each, {seeds} split(s) of 70 % to train and 30 % to test, {draws}
label draws.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}. *Error reduction* is the mean over
sets of 1 - error / error of raw features; *worst* is the lowest difference to raw.
"""


def summary(table):
    error = (1 - table).clip(lower=1e-3)
    return pd.DataFrame(
        {
            "mean accuracy": table.mean(),
            "mean rank": table.rank(axis=1, ascending=False).mean(),
            "wins": (table.rank(axis=1, ascending=False, method="min") == 1).sum(),
            "error reduction": (1 - error.div(error["raw"], axis=0)).mean(),
            "worst": table.sub(table["raw"], axis=0).min(),
        }
    )


def report(results, rows, seeds, command):
    frame = pd.DataFrame(results)
    parts = [
        PAGE.format(
            sets=frame["set"].nunique(),
            rows=MAX_ROWS,
            seeds=seeds,
            draws=", ".join(f"{d} ({n or 'all'} a class)" for n, d in DRAWS.items()),
            command=command,
            version=skcontrast.__version__,
            sklearn=sklearn.__version__,
            torch=torch.__version__,
        )
    ]
    for n in LABELS:
        table = frame.groupby(["set", "row"])[str(n or "all")].mean().unstack()[rows]
        parts.append(f"## {n or 'All'} labels a class\n")
        parts.append(summary(table).to_markdown(floatfmt=".3f") + "\n")
        parts.append(table.to_markdown(floatfmt=".3f") + "\n")
    seconds = frame.groupby("row")["fit_s"].median()[rows].rename("median seconds to fit")
    parts.append("## Time, one thread\n\n" + seconds.to_markdown(floatfmt=".1f"))
    return "\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    if options.fresh:
        CACHE.unlink(missing_ok=True)
    folder = options.data_dir
    sets = options.sets or [*classification_tables(folder), *texts(folder)]
    done = cached()
    wanted = [(s, r, k) for s in sets for r in options.rows for k in range(options.seeds)]
    left = [job for job in wanted if job not in done]
    Parallel(n_jobs=options.jobs, verbose=1)(
        delayed(measure_and_keep)(folder, *job) for job in left
    )
    done = cached()
    command = "python benchmarks/quality.py " + " ".join(sys.argv[1:])
    page = report([done[job] for job in wanted], options.rows, options.seeds, command)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
