"""Search: hybrids beside their parts, indices beside faiss alone, and recall at 48 bytes a row.

    python benchmarks/retrieval.py --data-dir DIR [--tables hybrid index stages] [--seeds 1]

Of each set of sentence pairs those that say the same are taken, three quarters to train and one
quarter to test with, so that no sentence is in both; of newsgroups, posts and their halves. Every
way to search is asked for the partner of each test query among the partners of all test queries
and of those that weights are chosen on. Indices are timed in CPU seconds on one thread. What was
measured is kept, so that a run that was stopped goes on. faiss-cpu has to be installed; without
pynndescent its row is left out.
"""

import argparse
import re
import sys
import time
from pathlib import Path

import faiss
import numpy as np
import pandas as pd
import scipy
import sklearn
import torch
from datasets import manifest
from record import Record
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from text import markdown

import skcontrast
from skcontrast import ContrastiveTextEncoder, Word2VecVectorizer
from skcontrast.retrieval import (
    BM25Transformer,
    EmbeddingIndex,
    HybridRetriever,
    LateInteraction,
    TwoStageRetriever,
)
from skcontrast.retrieval._engines import installed

WORD = r"(?u)\b\w+\b"
PAIR_SETS = ("sick", "snli_dev", "stsb_en")
SETS = (*PAIR_SETS, "newsgroups20")
EMBEDDINGS = ("ag_news_17k", "atis", "banking77", "stackoverflow_titles", "trec")
# Pairs at most: to train on, to choose weights on, to test with; words of a post.
N_TRAIN, N_CHOOSE, N_TEST, N_WORDS = 1500, 300, 700, 200
N_QUERIES, N_BYTES = 500, 48
HYBRIDS = {
    "BM25 + encoder, equal": (("BM25", "encoder"), "zscore", None),
    "the same by ranks": (("BM25", "encoder"), "rrf", None),
    "BM25 + encoder, chosen": (("BM25", "encoder"), "zscore", "auto"),
    "all, chosen": (("TF-IDF", "BM25", "LSA", "MaxSim", "encoder"), "zscore", "auto"),
}


class WordParts(TransformerMixin, BaseEstimator):
    """The vectors of the words of a text, times their idf."""

    def __init__(self, words=None, weights=None):
        self.words, self.weights = words, weights

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        vectors, place, idf = self.words.embedding_, self.words.vocabulary_, self.weights
        out = []
        for text in X:
            known = [w for w in re.findall(WORD, text.lower()) if w in place and w in idf]
            scale = np.array([idf[w] for w in known], dtype=vectors.dtype)[:, None]
            out.append(vectors[[place[w] for w in known]] * scale)
        return out


def load_pairs(folder, name):
    """Queries and documents that belong together, as two lists, and their half of the set."""
    row = manifest(folder).set_index("name").loc[name]
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0], keep_default_na=False)
    if name == "newsgroups20":
        words = [text.split()[:N_WORDS] for text in frame.text]
        words = [w for w in words if len(w) >= 40]
        firsts = [" ".join(w[: len(w) // 2]) for w in words]
        return [" ".join(w[len(w) // 2 :][:20]) for w in words], firsts
    alike = frame.label == "entailment" if name == "snli_dev" else frame.score.astype(float) >= 4
    frame = frame[alike & (frame.sentence1 != frame.sentence2)]
    # Of several queries for one document, and documents for one query, the first.
    frame = frame.drop_duplicates("sentence1").drop_duplicates("sentence2")
    return frame.sentence2.tolist(), frame.sentence1.tolist()


def split(queries, documents, seed):
    """Row numbers to train on, to choose weights on and to test with, of different sentences."""
    order = np.random.default_rng(seed).permutation(len(queries))
    n_test = min(N_TEST, len(order) // 4)
    n_choose = min(N_CHOOSE, len(order) // 8)
    test, choose, train = np.split(order, [n_test, n_test + n_choose])
    seen = {s for i in [*test, *choose] for s in (queries[i], documents[i])}
    train = [i for i in train if not {queries[i], documents[i]} & seen]
    return train[:N_TRAIN], choose, test


def tfidf():
    return TfidfVectorizer(sublinear_tf=True, token_pattern=WORD, dtype=np.float32)


def fitted_parts(queries, documents, train, collection, seed):
    """Name -> fitted retriever, for a HybridRetriever that does not fit it again."""
    paired = [queries[i] for i in train] + [documents[i] for i in train]
    texts = paired + collection
    encoder = ContrastiveTextEncoder(random_state=seed, device="cpu")
    encoder.fit(paired, groups=[*range(len(train))] * 2)
    words = Word2VecVectorizer(min_count=2, solver="spectral", random_state=seed).fit(texts)
    weigher = tfidf().fit(texts)
    parts = WordParts(words, dict(zip(weigher.get_feature_names_out(), weigher.idf_)))
    search = LateInteraction(weights="length")
    lsa = make_pipeline(tfidf(), TruncatedSVD(100, random_state=seed))
    return {
        "TF-IDF": tfidf(),
        "BM25": make_pipeline(CountVectorizer(token_pattern=WORD), BM25Transformer()),
        "LSA": lsa,
        "word2vec, mean": FrozenEstimator(words),
        "MaxSim": make_pipeline(FrozenEstimator(parts), search),
        "encoder": FrozenEstimator(encoder),
    }


def measure_hybrid(folder, name, seed):
    """Mean reciprocal rank of the partner, by row; and the weights that were chosen."""
    queries, documents = load_pairs(folder, name)
    train, choose, test = split(queries, documents, seed)
    collection = [documents[i] for i in [*test, *choose]]
    parts = fitted_parts(queries, documents, train, collection, seed)
    relevant = np.arange(len(test))
    given = {
        "queries": [queries[i] for i in choose],
        "relevant": np.arange(len(test), len(collection)),
    }
    asked = [queries[i] for i in test]
    out = {"documents": len(collection), "pairs": len(train)}
    for row, part in parts.items():
        alone = HybridRetriever([(row, part)]).fit(collection)
        out[row] = alone.score(asked, relevant)
    for row, (names, combine, weights) in HYBRIDS.items():
        retrievers = [(n, parts[n]) for n in names]
        hybrid = HybridRetriever(retrievers, combine=combine, weights=weights, random_state=seed)
        # Of posts nobody gave pairs: weights are chosen on halves of the first halves.
        pairs = given if name in PAIR_SETS and weights == "auto" else {}
        out[row] = hybrid.fit(collection, **pairs).score(asked, relevant)
        out[f"weights {row}"] = dict(zip(names, hybrid.weights_.tolist()))
    return out


def rows_of(folder, names):
    parts = []
    for name in names:
        with np.load(Path(folder) / "embeddings" / f"{name}.npz") as data:
            parts.append(data["X"].astype(np.float32))
    return np.concatenate(parts)


def recall(ids, truth):
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(ids, truth)]))


def measure_index(folder, n_rows, row):
    """Recall of the ten nearest, and CPU seconds to build and to ask 500 queries."""
    faiss.omp_set_num_threads(1)
    X = rows_of(folder, EMBEDDINGS)
    rng = np.random.default_rng(0)
    X = X[rng.permutation(len(X))]
    Q, X = X[:N_QUERIES], X[N_QUERIES:]
    if n_rows > len(X):  # beyond the rows that are there, means of two that are drawn
        i, j = rng.integers(len(X), size=(2, n_rows - len(X)))
        X = np.concatenate([X, X[i] + X[j]])
    X = X[:n_rows] / np.linalg.norm(X[:n_rows], axis=1, keepdims=True)
    exact = faiss.IndexFlatIP(X.shape[1])
    exact.add(X)
    start = time.process_time()
    truth = exact.search(Q, 10)[1]
    spent = time.process_time() - start
    if row == "faiss alone, all distances":
        return {"recall": 1.0, "build": 0.0, "query": spent}
    if "pynndescent" in row:  # is compiled when it is first called
        EmbeddingIndex(algorithm="pynndescent").fit(X[:2000]).kneighbors(Q)
    start = time.process_time()
    if row == "faiss alone, graph":
        index = faiss.IndexHNSWFlat(X.shape[1], 32)
        index.hnsw.efConstruction = 96
        index.add(X)
        index.hnsw.efSearch = int(128 * max(1, len(X) / 20_000) ** 0.5)  # as ours
    else:
        algorithm = row.split('"')[1]
        index = EmbeddingIndex(algorithm=algorithm, n_bytes=N_BYTES, random_state=0).fit(X)
    built = time.process_time()
    found = index.search(Q, 10)[1] if row == "faiss alone, graph" else index.kneighbors(Q, 10)[1]
    return {
        "recall": recall(found, truth),
        "build": built - start,
        "query": time.process_time() - built,
    }


INDICES = (
    "faiss alone, all distances",
    "faiss alone, graph",
    'algorithm="brute"',
    'algorithm="faiss"',
    *(['algorithm="pynndescent"'] if installed("pynndescent") else []),
    'algorithm="codes"',
    'algorithm="signs"',
)


def measure_stages(folder, name, algorithm):
    """Recall of the ten nearest at 48 bytes a row, before and after the exact order of 100."""
    X = rows_of(folder, [name])
    X = X[np.random.default_rng(0).permutation(len(X))]
    Q, X = X[:N_QUERIES], X[N_QUERIES:]
    truth = EmbeddingIndex(algorithm="brute").fit(X).kneighbors(Q, 10)[1]
    first = EmbeddingIndex(algorithm=algorithm, n_bytes=N_BYTES, random_state=0)
    search = TwoStageRetriever(first, n_candidates=100).fit(X)
    rough = search.first_.kneighbors(Q, 10)[1]
    return {
        "rows": len(X),
        "first stage": recall(rough, truth),
        "two stages": recall(search.kneighbors(Q, 10)[1], truth),
    }


MEASURES = {"hybrid": measure_hybrid, "index": measure_index, "stages": measure_stages}


def measure(folder, table, *job):
    return MEASURES[table](folder, *job)


PAGE = """# Quality of search

How often a search finds what belongs to a query, on real texts and embeddings. Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}, faiss {faiss}, scipy {scipy}.
"""
HYBRID_TEXT = """## Hybrids beside their parts

Mean reciprocal rank of a query's partner, {seeds}. Pairs of sentences that say the same (sick
and stsb_en with a score from 4 on, snli_dev: entailment) and, of newsgroups20, 20 words of the
second half of a post that look for its first half, of at most {n_words} words in all. TF-IDF,
BM25 and LSA are fitted on the documents, the others on the training texts too; the encoder,
`ContrastiveTextEncoder()`, gets the training pairs as groups. *MaxSim*:
`LateInteraction(weights="length")` on word vectors times idf; *mean*: the mean of the same
vectors. *Chosen* are weights by `weights="auto"`, on other pairs than the encoder was trained
on, and for newsgroups20 on halves of the documents. There are {n_train} pairs at most to train
on. That another retriever is mixed in only where it gains more than two standard errors was
decided after a first table, in which five retrievers lost on few pairs.
"""
CHOSEN_TEXT = "Weights that were chosen, the mean of the draws:\n"
INDEX_TEXT = """## Indices beside faiss alone

Recall of the ten nearest rows by cosine, and CPU seconds on one thread to build an index and to
answer {n_queries} queries. Rows are sentence embeddings of 384 columns, and beyond the {n_real}
that are there, means of two of them. `codes` and `signs` hold {n_bytes} bytes a row. Faiss alone
has the settings of `algorithm="faiss"`: 32 links a row, 96 rows in view to build, and to search
128, or of n rows beyond 20,000 their 128 sqrt(n / 20,000). {pynndescent}
"""
STAGES_TEXT = """## Two stages at {n_bytes} bytes a row

Recall of the ten nearest rows by cosine of {n_queries} queries, first by the bytes alone, then by
`TwoStageRetriever(EmbeddingIndex(algorithm=..., n_bytes={n_bytes}), n_candidates=100)`. The rows
themselves have 1,536 bytes.
"""


def hybrid_tables(results, seeds):
    frame = pd.DataFrame({(s, k): r for (_, s, k), r in results.items()}).T
    frame.index.names = ["set", "seed"]
    chosen = [c for c in frame if str(c).startswith("weights ") and c.endswith("chosen")]
    numbers = frame.drop(columns=[c for c in frame if str(c).startswith("weights ")])
    table = numbers.astype(float).groupby("set", sort=False).mean()
    counts = table[["documents", "pairs"]].astype(int).astype(str)
    shown = pd.concat([table.drop(columns=["documents", "pairs"]).T], axis=1)
    said = [
        f"{c}: {counts.documents[c]} documents, {counts.pairs[c]} training pairs" for c in shown
    ]
    lines = []
    for row, (parts, _, _) in HYBRIDS.items():
        gain = shown.loc[row] - shown.loc[list(parts)].max()
        lines.append(f"{row}: " + ", ".join(f"{round(gain[c], 3) + 0.0:+.3f}" for c in shown))
    weights = []
    for column in chosen:
        for name, group in frame[column].groupby("set", sort=False):
            mean = pd.DataFrame(list(group)).mean()
            parts = ", ".join(f"{part} {value:.2f}" for part, value in mean.items() if value)
            weights.append(f"- {name}, {column.removeprefix('weights ')}: {parts}")
    return "\n".join(
        [
            HYBRID_TEXT.format(
                seeds="one draw" if seeds == 1 else f"the mean of {seeds} draws",
                n_words=N_WORDS,
                n_train=f"{N_TRAIN:,}",
            ),
            markdown(shown.rename_axis(columns=None), ".3f"),
            "Searched are " + "; ".join(said) + ".\n",
            f"Gain beside the best of its parts on each set ({', '.join(shown)}):\n",
            *[f"- {line}" for line in lines],
            "\n" + CHOSEN_TEXT,
            *weights,
            "",
        ]
    )


def index_table(results, folder):
    frame = pd.DataFrame({(n, r): v for (_, n, r), v in results.items()}).T
    frame.columns = ["recall", "seconds to build", f"seconds for {N_QUERIES} queries"]
    parts = [
        INDEX_TEXT.format(
            n_queries=N_QUERIES,
            n_real=f"{len(rows_of(folder, EMBEDDINGS)) - N_QUERIES:,}",
            n_bytes=N_BYTES,
            pynndescent="Pynndescent is compiled by its first\ncall, which is not counted."
            if installed("pynndescent")
            else "Pynndescent is not\ninstalled, and left out.",
        )
    ]
    for n in frame.index.get_level_values(0).unique():
        parts += [f"### {n:,} rows\n", markdown(frame.loc[n], ".3f")]
    return "\n".join(parts)


def stages_table(results):
    frame = pd.DataFrame(
        {
            (name, f"{a}, {column}"): r[column]
            for (_, name, a), r in results.items()
            for column in ("first stage", "two stages")
        },
        index=[0],
    )
    table = frame.T[0].unstack(sort=False)
    text = STAGES_TEXT.format(n_bytes=N_BYTES, n_queries=N_QUERIES)
    return text + "\n" + markdown(table, ".3f")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--tables", nargs="*", default=list(MEASURES), choices=list(MEASURES))
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--rows", nargs="*", type=int, default=[20_000, 200_000])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("retrieval")
    if options.fresh:
        record.forget()
    jobs = {
        "hybrid": [("hybrid", s, k) for s in options.sets for k in range(options.seeds)],
        "index": [("index", n, row) for n in options.rows for row in INDICES],
        "stages": [("stages", s, a) for s in EMBEDDINGS for a in ("codes", "signs")],
    }
    versions = {m.__name__: m.__version__ for m in (sklearn, torch, faiss, scipy)}
    command = "python benchmarks/retrieval.py " + " ".join(sys.argv[1:])
    parts = [PAGE.format(command=command, version=skcontrast.__version__, **versions)]
    for table in options.tables:
        # One at a time: the seconds of one would be those of two.
        results = record.run(measure, options.data_dir, jobs[table], n_jobs=1)
        if table == "hybrid":
            parts.append(hybrid_tables(results, options.seeds))
        elif table == "index":
            parts.append(index_table(results, options.data_dir))
        else:
            parts.append(stages_table(results))
    page = "\n".join(parts)
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
