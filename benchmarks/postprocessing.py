"""After training: hubs, whitening, bits and sparse codes, on sentence embeddings and LSA of texts.

    python benchmarks/postprocessing.py --data-dir DIR [--tables neighbors bits sparse]

Whatever is learned is learned from the rows that are searched. What was measured is kept, so that
a run that was stopped goes on.
"""

import argparse
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from datasets import load, read_embedding
from record import Record
from scipy.stats import skew
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import FunctionTransformer, normalize
from text import markdown

import skcontrast
from skcontrast import SparseCoder
from skcontrast.postprocessing import BinaryCodes, HubnessReducedNeighbors, Whitening
from skcontrast.retrieval import EmbeddingIndex

EMBEDDINGS = ("ag_news_17k", "atis", "banking77", "stackoverflow_titles", "trec")
LSA = ("newsgroups20", "banking77")
SETS = (*EMBEDDINGS, *(f"{name}, LSA" for name in LSA))
K, N_ROWS, N_SEARCHED, N_ASKED = 10, 1500, 3000, 1000
RAW = "raw"
# What changes the rows, and what changes their distances.
METHODS = {
    RAW: None,
    "`Whitening(power=0)`, centring": Whitening(power=0),
    "`Whitening(power=0, remove=3)`": Whitening(power=0, remove=3),
    "`Whitening(power=0.25)`": Whitening(power=0.25),
    "`Whitening(power=0.5)`": Whitening(power=0.5),
    "`Whitening(n_groups=64)`": Whitening(n_groups=64, random_state=0),
    '`Whitening(128, method="pca")`': Whitening(128, method="pca"),
    "`Whitening()`": Whitening(),
    "mutual proximity, default": HubnessReducedNeighbors(K),
    "mutual proximity, `k=50`": HubnessReducedNeighbors(K, k=50),
    "local scaling": HubnessReducedNeighbors(K, method="local_scaling"),
    "NICDM": HubnessReducedNeighbors(K, method="nicdm"),
    "CSLS": HubnessReducedNeighbors(K, method="csls"),
    "DisSimLocal": HubnessReducedNeighbors(K, method="dis_sim_local"),
}
COLUMNS = {
    "skewness": ".2f",
    "Robin Hood": ".3f",
    "antihubs": ".4f",
    "1-NN": ".4f",
    "p@10": ".4f",
}
BITS = (32, 64, 128, 256)
PROJECTED = "random projections"
ROTATIONS = {
    "no rotation": None,
    "random rotation": "random",
    "ITQ, default": "itq",
}
WHOLE, BYTES = "all columns, float32", "all columns, 8 bits each"


@cache
def whole_set(folder, name):
    """Rows of a set, and codes of their classes."""
    if name in EMBEDDINGS:
        return read_embedding(folder, name)
    texts, y = load(folder, name.partition(",")[0])
    words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(texts)
    X = TruncatedSVD(300, random_state=0).fit_transform(words)
    there = X.any(axis=1)  # a text without a known word has no direction
    return X[there], np.asarray(y)[there]


def rows_of(folder, name, seed):
    """The same in a drawn order."""
    X, y = whole_set(folder, name)
    order = np.random.default_rng(seed).permutation(len(X))
    return X[order], y[order]


def measure_neighbors(folder, name, seed, method):
    """Hubs among the rows, and how often neighbours are of the same class."""
    X, y = rows_of(folder, name, seed)
    X, y = X[:N_ROWS], y[:N_ROWS]
    model = METHODS[method]
    if isinstance(model, Whitening):
        X, model = model.fit_transform(X), None
    model = EmbeddingIndex(K) if model is None else model
    ids = model.fit(X).kneighbors(return_distance=False)
    occurrence = np.bincount(ids.ravel(), minlength=len(X))
    return {
        "skewness": float(skew(occurrence)),
        "Robin Hood": float(np.abs(occurrence - K).sum() / (2 * K * len(X))),
        "antihubs": float(np.mean(occurrence == 0)),
        "1-NN": float(np.mean(y[ids[:, 0]] == y)),
        "p@10": float(np.mean(y[ids] == y[:, None])),
    }


def precision(rows, asked, y, y_asked, metric):
    search = NearestNeighbors(n_neighbors=K, metric=metric, algorithm="brute").fit(rows)
    ids = search.kneighbors(asked, return_distance=False)
    return float(np.mean(y[ids] == y_asked[:, None]))


def in_bytes(X, low, step):
    """Each column in 256 steps between the least and the largest value that was searched."""
    return np.clip(np.round((X - low) / step), 0, 255).astype(np.uint8)


def measure_bits(folder, name, row):
    """Share of the ten nearest in the class of those that ask."""
    X, y = rows_of(folder, name, 0)
    X = normalize(X)
    X, Q, y, y_asked = X[:N_SEARCHED], X[N_SEARCHED:], y[:N_SEARCHED], y[N_SEARCHED:]
    Q, y_asked = Q[:N_ASKED], y_asked[:N_ASKED]
    if row == WHOLE:
        return precision(X, Q, y, y_asked, "euclidean")
    if row == BYTES:
        low, step = X.min(axis=0), np.ptp(X, axis=0) / 255
        step = np.where(step > 0, step, 1)  # columns that are the same everywhere
        X, Q = (in_bytes(Z, low, step) * step + low for Z in (X, Q))
        return precision(X, Q, y, y_asked, "euclidean")
    kind, n_bits = row.rsplit(", ", 1)
    n_bits = int(n_bits.split()[0])
    if kind == "PCA":
        pca = PCA(n_bits).fit(X)
        return precision(pca.transform(X), pca.transform(Q), y, y_asked, "euclidean")
    if kind == PROJECTED:
        # Signs of products with directions drawn from all, of rows less the mean.
        directions = np.random.default_rng(0).normal(size=(X.shape[1], n_bits))
        codes = [(Z - X.mean(axis=0)) @ directions > 0 for Z in (X, Q)]
    else:
        model = BinaryCodes(n_bits, rotation=ROTATIONS[kind], random_state=0).fit(X)
        codes = [model.transform(Z).astype(bool) for Z in (X, Q)]
    return precision(*codes, y, y_asked, "hamming")


BITS_ROWS = (
    WHOLE,
    BYTES,
    "PCA, 64 columns",
    *(f"{kind}, {n} bits" for n in BITS for kind in (PROJECTED, *ROTATIONS)),
)
CODER = "`SparseCoder(max_iter=25)`"
SPARSE_ROWS = (
    *(f"first columns, {k}" for k in (8, 16, 32)),
    *(f"PCA, {k}" for k in (8, 16, 32)),
    *(f"{CODER}, {k}" for k in (8, 32)),
)


def nearest(Z, Q):
    return EmbeddingIndex(K, algorithm="brute").fit(Z).kneighbors(Q, return_distance=False)


def measure_sparse(folder, name, row):
    """Overlap of the ten nearest with those of all columns, and the share of the same class."""
    X, y = rows_of(folder, name, 0)
    X = X.astype(np.float32)
    X, Q, y, y_asked = X[:N_SEARCHED], X[N_SEARCHED:], y[:N_SEARCHED], y[N_SEARCHED:]
    Q, y_asked = Q[:N_ASKED], y_asked[:N_ASKED]
    kind, number = row.rsplit(", ", 1)
    k = int(number)
    if kind == CODER:
        model = SparseCoder(n_nonzero=k, max_iter=25, device="cpu", random_state=0)
    elif kind == "PCA":
        model = PCA(k)
    else:
        model = FunctionTransformer(lambda Z: Z[:, :k])
    ids = nearest(model.fit_transform(X), model.transform(Q))
    pairs = zip(ids, nearest(X, Q))
    overlap = float(np.mean([len({*a} & {*b}) / len({*a} | {*b}) for a, b in pairs]))
    return {"overlap": overlap, "p@10": float(np.mean(y[ids] == y_asked[:, None]))}


MEASURES = {"neighbors": measure_neighbors, "bits": measure_bits, "sparse": measure_sparse}


def measure(folder, table, *job):
    return MEASURES[table](folder, *job)


PAGE = """# After training: hubs, whitening, bits

What the transformers of [the page on postprocessing](postprocessing.md) do to real embeddings.
Written by

    {command}

with skcontrast {version} and scikit-learn {sklearn}. The sets are five of sentence embeddings of
384 columns and two of texts through TF-IDF and 300 directions (LSA).
"""
NEIGHBORS_TEXT = """## Hubs, and neighbours of the same class

{n_rows:,} rows of each set, their {k} nearest by the cosine or by the corrected distance, {draws}.
*Skewness* and *Robin Hood* of how often rows are neighbours, and the share of *antihubs*, which
are nobody's: lower is better. *1-NN*: how often the nearest row is of the same class; *p@10*: the
share of the ten nearest that are. The mean of all sets:
"""
BY_SET_TEXT = """### Beside raw, set by set

Skewness as a share of that of the raw rows, and what is gained of 1-NN and p@10.
"""
BITS_TEXT = """## Bits

Share of the ten nearest of {searched:,} rows in the class of the one that asks, for {asked:,}
others. Codes are compared by the Hamming distance, 64 bits being 1/192 of the memory of float32.
"""
SPARSE_TEXT = """## Sparse codes

How far the ten nearest of {searched:,} rows, for {asked:,} others, are those of all columns: the
size of the intersection over that of the union. It says how faithful a short form is; the share of
neighbours of the same class, below, may rise where a form is not. A sparse code holds a place
beside each number.
"""


def neighbor_tables(results, draws):
    frame = pd.DataFrame({job[1:]: result for job, result in results.items()}).T
    frame.index.names = ["set", "draw", "distances"]
    means = frame.groupby(["set", "distances"], sort=False).mean()
    overall = means.groupby("distances", sort=False).mean()
    formats = ("", *COLUMNS.values())
    out = [NEIGHBORS_TEXT.format(n_rows=N_ROWS, k=K, draws=draws), markdown(overall, formats)]
    out.append(BY_SET_TEXT)
    for name in ("mutual proximity, default", "mutual proximity, `k=50`", "local scaling"):
        one = means.xs(name, level="distances")
        raw = means.xs(RAW, level="distances")
        table = pd.DataFrame({"skewness, share of raw": one["skewness"] / raw["skewness"]})
        for column in ("1-NN", "p@10"):
            table[f"{column}, gained"] = (one - raw)[column]
        title = name[0].upper() + name[1:]
        out += [f"{title}:\n", markdown(table, ("", ".2f", "+.4f", "+.4f"))]
    return out


def bits_table(results):
    series = pd.Series({(row, name): value for (_, name, row), value in results.items()})
    table = series.unstack(sort=False).loc[list(BITS_ROWS)]
    whole, itq = table.loc[WHOLE], table.loc["ITQ, default, 64 bits"]
    shares = ", ".join(f"{name} {itq[name] / whole[name]:.3f}" for name in table)
    text = f"Of the figure of all columns, 64 bits of ITQ keep: {shares}.\n"
    text_head = BITS_TEXT.format(searched=N_SEARCHED, asked=N_ASKED)
    return [text_head, markdown(table.rename_axis("rows"), ".3f"), text]


def sparse_tables(results):
    out = [SPARSE_TEXT.format(searched=N_SEARCHED, asked=N_ASKED)]
    for column, title in (("overlap", "Overlap:\n"), ("p@10", "Share of the same class:\n")):
        values = {(row, name): result[column] for (_, name, row), result in results.items()}
        table = pd.Series(values).unstack(sort=False).loc[list(SPARSE_ROWS)]
        out += [title, markdown(table.rename_axis("rows, numbers a row"), ".3f")]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--tables", nargs="*", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("postprocessing")
    if options.fresh:
        record.forget()
    command = "python benchmarks/postprocessing.py " + " ".join(sys.argv[1:])
    versions = {"version": skcontrast.__version__, "sklearn": sklearn.__version__}
    parts = [PAGE.format(command=command, **versions)]
    draws = "one draw" if options.draws == 1 else f"the mean of {options.draws} draws"
    for table in options.tables:
        if table == "neighbors":
            drawn = range(options.draws)
            jobs = [(table, s, d, m) for s in SETS for d in drawn for m in METHODS]
            parts += neighbor_tables(record.run(measure, options.data_dir, jobs, 1), draws)
        elif table == "sparse":
            jobs = [(table, s, r) for s in EMBEDDINGS for r in SPARSE_ROWS]
            parts += sparse_tables(record.run(measure, options.data_dir, jobs, 1))
        else:
            jobs = [(table, s, r) for s in EMBEDDINGS for r in BITS_ROWS]
            parts += bits_table(record.run(measure, options.data_dir, jobs, 1))
    page = "\n".join(parts)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
