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
import scipy.sparse as sp
from multiview_sets import LABELS, SETS, class_map, dense, probe, recall, split
from multiview_tasks import TASKS
from record import Record
from sklearn.cross_decomposition import CCA, PLSCanonical
from sklearn.decomposition import PCA
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder
from skcontrast.multiview import Blocks, CanonicalCorrelation, MultiViewContrastiveEncoder


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


def of_kernels(train, test, n=300):
    """Features of an RBF kernel of each block, with the median of the squared distances."""
    out = {}, {}
    for name, block in train.items():
        block, other = dense(block), dense(test[name])
        scale = StandardScaler().fit(block)
        block, other = scale.transform(block), scale.transform(other)
        some = block[np.random.default_rng(0).permutation(len(block))[:300]]
        gamma = 1 / np.median(euclidean_distances(some, squared=True))
        kernel = Nystroem(gamma=gamma, n_components=min(n, len(block)), random_state=0).fit(block)
        for part, rows in zip(out, (block, other)):
            part[name] = kernel.transform(rows)
    return out


def kernel_mean(train, test):
    """Leading axes of the mean of the blocks' RBF kernels."""
    train, test = (np.hstack(list(part.values())) for part in of_kernels(train, test))
    model = PCA(min(100, *train.shape), random_state=0).fit(train)
    return model.transform(train), model.transform(test)


def ours(**params):
    return lambda: MultiViewContrastiveEncoder(random_state=0, **params)


ROWS = {
    "CanonicalCorrelation": lambda: CanonicalCorrelation(regularization="auto"),
    "the same of kernels": lambda: CanonicalCorrelation(regularization="auto"),
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
    if row == "the same of kernels":
        given, asked = of_kernels(given, asked)
    if row in ROWS:
        model = ROWS[row]().fit(Blocks(**given))
        Z = np.array([model.transform_block(block, k) for k, block in asked.items()])
        both = model.transform(Blocks(**given)), model.transform(Blocks(**asked))
    elif row in OF_TWO:
        first, second = (dense(block) for block in given.values())
        kind = CCA if row == "scikit-learn CCA" else PLSCanonical
        model = kind(min(20, first.shape[1], second.shape[1])).fit(first, second)
        places = [model.transform(*map(dense, b.values())) for b in (asked, given)]
        Z = np.array([z / np.linalg.norm(z, axis=1, keepdims=True) for z in places[0]])
        both = np.hstack(places[1]), np.hstack(places[0])
    elif row == "kernel mean":
        both, Z = kernel_mean(given, asked), None
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


def run(folder, name, row, seed):
    if name in TASKS:
        return TASKS[name].measure(Path(folder), row, seed)
    return measure(folder, name, row, seed)


BARS = ("raw, balanced", "PCA 64", "kernel mean", "ContrastiveEncoder")
OF_TWO = ("scikit-learn CCA", "scikit-learn PLSCanonical")
TWO = ("mfeat zer, fac", "mfeat fou, kar", "wikipedia")


def rows_of(name):
    if name in TASKS:
        return TASKS[name].rows
    return (*BARS, *(OF_TWO if name in TWO else ()), *ROWS)


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
    every = [*SETS, *TASKS]
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
