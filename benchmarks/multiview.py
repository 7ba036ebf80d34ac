"""Several blocks of the same rows: partners found, labels served, blocks missing.

    python benchmarks/multiview.py --data-dir DIR [--splits N] [--sets NAME ...] [--write FILE]

Splits of 70 % of the rows to train, five of them by default; the partner of a test row is never
seen. R@1 is the share of test rows whose own partner in the other block comes first among all test
rows, averaged over both directions and all pairs of blocks; class mAP is that of rows of the same
class in the other block; accuracy is that of a logistic probe with 5 or 20 labels a class. Rows of
our encoder are of its defaults, or of the settings that its docstring names; the strength of
CanonicalCorrelation is chosen by its score on training rows. What was measured is kept, so that a
run that was stopped goes on.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from record import Record
from scipy.io import loadmat
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder
from skcontrast.multiview import Blocks, CanonicalCorrelation, MultiViewContrastiveEncoder
from skcontrast.objectives import Pairwise

DRAWS = 3
LABELS = {
    "init": None,
    "views": ("neighbors", "corruption"),
    "objective": Pairwise(pairs="all+within"),
}


def mfeat(folder, *names):
    frames = [pd.read_csv(folder / f"multiview/mfeat/mfeat_{name}.csv.gz") for name in names]
    y = frames[0]["label"].to_numpy()
    return {n: f.drop(columns="label").to_numpy(float) for n, f in zip(names, frames)}, y


def matlab(folder, path, names, sparse=False):
    content = loadmat(folder / "multiview" / path)
    blocks = [np.asarray(block, dtype=float) for block in content["X"].ravel()]
    if sparse:
        blocks = [sp.csr_matrix(np.log1p(block)) for block in blocks]
    return dict(zip(names, blocks)), content["y"].ravel()


PAPERS = ["bbc", "reuters", "guardian"]
SETS = {
    "mfeat zer, fac": lambda f: mfeat(f, "zer", "fac"),
    "mfeat fou, kar": lambda f: mfeat(f, "fou", "kar"),
    "mfeat fou, kar, mor": lambda f: mfeat(f, "fou", "kar", "mor"),
    "wikipedia": lambda f: matlab(f, "wikipedia_text_image/Wikipedia.mat", ["image", "text"]),
    "webkb": lambda f: matlab(f, "webkb_mv/WebKB.mat", ["page", "links"], True),
    "three_sources": lambda f: matlab(f, "three_sources/3Sources.mat", PAPERS, True),
    "msrc": lambda f: matlab(f, "msrc_v5/MSRC-v5.mat", ["cm", "hog", "gist", "lbp", "cent"]),
}


def split(y, seed):
    order = np.random.default_rng(seed).permutation(len(y))
    cut = int(0.7 * len(y))
    return np.sort(order[:cut]), np.sort(order[cut:])


def recall(Z, k=1):
    """Share of rows whose partner is among the k nearest, over ordered pairs of blocks."""
    shares = []
    for a in range(len(Z)):
        for b in range(len(Z)):
            if a != b:
                s = Z[a] @ Z[b].T
                shares.append((s > s.diagonal()[:, None]).sum(axis=1) < k)
    return float(np.mean(shares))


def class_map(Z, y):
    """Mean average precision of rows of the same class in another block."""
    means = []
    for a in range(len(Z)):
        for b in range(len(Z)):
            if a != b:
                order = np.argsort(-(Z[a] @ Z[b].T), axis=1)
                hits = y[order] == y[:, None]
                precision = hits.cumsum(axis=1) / np.arange(1, len(y) + 1)
                means.append(((precision * hits).sum(axis=1) / hits.sum(axis=1)).mean())
    return float(np.mean(means))


def probe(train, test, y_train, y_test, seed, n):
    """Accuracy of a logistic probe with n labels a class, over draws of labels."""
    unit = np.sqrt(np.var(train, axis=0).sum()) or 1.0
    scores = []
    for draw in range(DRAWS):
        rng = np.random.default_rng(100 * seed + draw)
        chosen = [rng.permutation(np.flatnonzero(y_train == c))[:n] for c in np.unique(y_train)]
        chosen = np.concatenate(chosen)
        # Columns with a variance of ten in all, whatever they are.
        factor = 10**0.5 / unit
        model = LogisticRegression(max_iter=500).fit(factor * train[chosen], y_train[chosen])
        scores.append(model.score(factor * test, y_test))
    return float(np.mean(scores))


def balanced(train, test):
    """Standardised blocks side by side, each with as much variance."""
    parts = []
    for name, block in train.items():
        if sp.issparse(block):
            block, other = block.toarray(), test[name].toarray()
        else:
            scale = StandardScaler().fit(block)
            block, other = scale.transform(block), scale.transform(test[name])
        unit = np.sqrt(block.var(axis=0).sum())
        parts.append((block / unit, other / unit))
    return tuple(np.hstack(part) for part in zip(*parts))


def ours(**params):
    return lambda: MultiViewContrastiveEncoder(random_state=0, **params)


ROWS = {
    "CanonicalCorrelation": lambda: CanonicalCorrelation(regularization="auto"),
    "default": ours(),
    "views=None": ours(views=None),
    "for labels": ours(**LABELS),
}


def measure(folder, name, row, seed):
    """What a row of the table gives on a set, for one split."""
    blocks, y = SETS[name](Path(folder))
    train, test = split(y, seed)
    given = {k: v[train] for k, v in blocks.items()}
    asked = {k: v[test] for k, v in blocks.items()}
    out = {}
    if row in ROWS:
        model = ROWS[row]().fit(Blocks(**given))
        Z = np.array([model.transform_block(block, k) for k, block in asked.items()])
        both = model.transform(Blocks(**given)), model.transform(Blocks(**asked))
    elif row == "scikit-learn CCA":
        first, second = (dense(block) for block in given.values())
        model = CCA(min(20, first.shape[1], second.shape[1])).fit(first, second)
        places = [model.transform(*map(dense, b.values())) for b in (asked, given)]
        Z = np.array([z / np.linalg.norm(z, axis=1, keepdims=True) for z in places[0]])
        both = np.hstack(places[1]), np.hstack(places[0])
    else:
        both, Z = balanced(given, asked), None
        if row == "ContrastiveEncoder":
            model = ContrastiveEncoder(random_state=0).fit(both[0])
            both = model.transform(both[0]), model.transform(both[1])
        elif row == "PCA 64":
            model = PCA(min(64, *both[0].shape), random_state=0).fit(both[0])
            both = model.transform(both[0]), model.transform(both[1])
    if Z is not None:
        out |= {"R@1": recall(Z), "R@10": recall(Z, 10), "class mAP": class_map(Z, y[test])}
    for n in (5, 20):
        out[f"{n} labels"] = probe(*both, y[train], y[test], seed, n)
    return out


def dense(block):
    return block.toarray() if sp.issparse(block) else block


def half_missing(folder, row, seed):
    """Three blocks of mfeat, of which half are gone; every row keeps one."""
    blocks, y = mfeat(Path(folder), "fou", "kar", "zer")
    rng = np.random.default_rng(seed)
    there = rng.random((3, len(y))) < 0.5
    there[rng.integers(0, 3, len(y)), np.arange(len(y))] = True
    train, test = split(y, seed)
    scaled = [
        StandardScaler().fit(b[train]).transform(b) / b.shape[1] ** 0.5 for b in blocks.values()
    ]
    holes = np.hstack([np.where(t[:, None], b, np.nan) for t, b in zip(there, scaled)])
    if row == "kNN imputer":
        impute = KNNImputer(n_neighbors=10).fit(holes[train])
        both = impute.transform(holes[train]), impute.transform(holes[test])
    elif row == "column means":
        both = np.nan_to_num(holes[train]), np.nan_to_num(holes[test])
    else:
        widths = [b.shape[1] for b in scaled]
        params = {} if row == "default" else LABELS
        model = MultiViewContrastiveEncoder(blocks=widths, random_state=0, **params)
        both = model.fit(holes[train]).transform(holes[train]), model.transform(holes[test])
    return {f"{n} labels": probe(*both, y[train], y[test], seed, n) for n in (5, 20)}


def exclusive_or(folder, row, seed):
    """The third block is the exclusive or of two, of five bits each."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (2, 6000, 5))
    X = 2.0 * np.hstack([*bits, bits[0] ^ bits[1]]) - 1
    model = MultiViewContrastiveEncoder(
        64, blocks=[5, 5, 5], objective=row, init=None, views=None, random_state=seed
    )
    model.set_params(networks="mlp", max_iter=60, learning_rate=1e-2).fit(X[:5000])
    codes = 2.0 * ((np.arange(32)[:, None] >> np.arange(5)) & 1) - 1
    query = {"block0": X[5000:, :5], "block1": X[5000:, 5:10]}
    found = codes[model.similarity(query, {"block2": codes}).argmax(axis=1)]
    return {"found": float((found == X[5000:, 10:]).all(axis=1).mean())}


def run(folder, name, row, seed):
    if name == "half missing":
        return half_missing(folder, row, seed)
    if name == "exclusive or":
        return exclusive_or(folder, row, seed)
    return measure(folder, name, row, seed)


BARS = ("raw, balanced", "PCA 64", "ContrastiveEncoder")


def rows_of(name):
    if name == "half missing":
        return ("column means", "kNN imputer", "default", "for labels")
    if name == "exclusive or":
        return ("pairwise", "symile")
    two = ("scikit-learn CCA",) if name in ("mfeat zer, fac", "mfeat fou, kar", "wikipedia") else ()
    return (*BARS, *two, *ROWS)


def tables(results, names, seeds):
    """Markdown: for each set the means over the splits."""
    for name in names:
        found = {row: [results[name, row, seed] for seed in seeds] for row in rows_of(name)}
        columns = dict.fromkeys(k for each in found.values() for k in each[0] if k != "seconds")
        yield f"\n## {name}\n\n| | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}"
        for row, each in found.items():
            cells = []
            for column in columns:
                values = [one[column] for one in each if column in one]
                cells.append(f"{np.mean(values):.3f}" if values else "")
            yield f"| {row} | {' | '.join(cells)} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--splits", type=int, default=5)
    every = [*SETS, "half missing", "exclusive or"]
    parser.add_argument("--sets", nargs="+", default=every, choices=every)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--anew", action="store_true")
    args = parser.parse_args()
    record = Record("multiview")
    if args.anew:
        record.forget()
    names, seeds = args.sets, range(args.splits)
    jobs = [(name, row, seed) for seed in seeds for name in names for row in rows_of(name)]
    results = record.run(run, args.data_dir, jobs, args.jobs)
    text = "\n".join(tables(results, names, seeds))
    print(text)
    if args.write is not None:
        before = args.write.read_text().partition("<!-- figures -->")[0]
        said = f"<!-- figures -->\n\nMeans over the first {args.splits} split(s)."
        args.write.write_text(f"{before}{said}\n{text}\n")


if __name__ == "__main__":
    main()
