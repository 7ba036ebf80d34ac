"""Several blocks of the same rows: data sets, splits and scores that benchmarks of these share."""

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.io import loadmat
from sklearn.linear_model import LogisticRegression

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
TWELVE = [f"block{v}" for v in range(12)]
SETS = {
    "mfeat zer, fac": lambda f: mfeat(f, "zer", "fac"),
    "mfeat fou, kar": lambda f: mfeat(f, "fou", "kar"),
    "mfeat fou, kar, mor": lambda f: mfeat(f, "fou", "kar", "mor"),
    "wikipedia": lambda f: matlab(f, "wikipedia_text_image/Wikipedia.mat", ["image", "text"]),
    "webkb": lambda f: matlab(f, "webkb_mv/WebKB.mat", ["page", "links"], True),
    "three_sources": lambda f: matlab(f, "three_sources/3Sources.mat", PAPERS, True),
    "protein_fold": lambda f: matlab(f, "protein_fold/ProteinFold.mat", TWELVE),
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


def dense(block):
    return block.toarray() if sp.issparse(block) else block
