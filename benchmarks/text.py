"""Text without a pretrained model: accuracy with few labels, and similarity of sentences.

    python benchmarks/text.py --data-dir DIR [--sets NAME ...] [--rows NAME ...]

Every row is trained from scratch, without labels, on the texts of the set alone. Of each set
of texts at most 4,000 texts train and 2,000 test; a logistic regression, the same for all
rows, reads 5, 20 or all labels a class. Of each set of sentence pairs, all sentences train,
and the cosine of the pairs of the test part is compared with the scores by Spearman's
correlation. What was measured is kept, so that a run that was stopped goes on.

What our rows do by default was chosen on stackoverflow_titles, trec, mr, sts12, stsb_en and
sick. One choice, that both parts of the text encoder have one length in training, came after
a first table of all sets had been seen, though it was made on the sets named.
"""

import argparse
import os
import re
import sys
import time
import warnings
from pathlib import Path

import gensim
import numpy as np
import pandas as pd
import scipy
import scipy.sparse as sp
import sklearn
import torch
from datasets import manifest
from gensim.models import Word2Vec
from record import Record
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    Sent2VecVectorizer,
    Word2VecVectorizer,
)

TEXT_SETS = (
    "stackoverflow_titles",
    "ag_news_17k",
    "trec",
    "banking77",
    "mr",
    "newsgroups20",
)
PAIR_SETS = ("sts12", "sts13", "sts14", "stsb_en", "sick")
TUNED_ON = ("stackoverflow_titles", "trec", "mr", "sts12", "stsb_en", "sick")
LABELS = (5, 20, None)
MAX_TRAIN, MAX_TEST = 4000, 2000
N_DRAWS = 5


class SkipGram(TransformerMixin, BaseEstimator):
    """Mean of the word vectors of gensim's skip-gram."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        texts = [re.findall(r"\w+", text.lower()) for text in X]
        self.vectors_ = Word2Vec(
            texts, sg=1, min_count=2, epochs=20, seed=self.random_state, workers=1
        ).wv
        return self

    def transform(self, X):
        out = np.zeros((len(X), self.vectors_.vector_size), dtype=np.float32)
        for i, text in enumerate(X):
            known = [w for w in re.findall(r"\w+", text.lower()) if w in self.vectors_]
            if known:
                out[i] = self.vectors_[known].mean(axis=0)
        return out


def tfidf():
    return TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b", dtype=np.float32)


def skip_gram(seed, pooling="mean"):
    return Word2VecVectorizer(
        min_count=2, max_iter=20, pooling=pooling, random_state=seed, device="cpu"
    )


# Unfitted transformers of lists of str, by name.
ROWS = {
    "TF-IDF": lambda seed: tfidf(),
    "LSA": lambda seed: make_pipeline(tfidf(), TruncatedSVD(100, random_state=seed)),
    "gensim": lambda seed: SkipGram(random_state=seed),
    "Word2Vec": lambda seed: skip_gram(seed),
    "Word2Vec, SIF": lambda seed: skip_gram(seed, "sif"),
    "Sent2Vec": lambda seed: Sent2VecVectorizer(min_count=2, random_state=seed, device="cpu"),
    "TF-IDF, encoder": lambda seed: make_pipeline(
        tfidf(), ContrastiveEncoder(random_state=seed, device="cpu")
    ),
    "text encoder": lambda seed: ContrastiveTextEncoder(random_state=seed, device="cpu"),
}


def load_texts(folder, name, seed):
    """Texts and classes to train on and to test with."""
    row = manifest(folder).set_index("name").loc[name]
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0], keep_default_na=False)
    order = np.random.default_rng(seed).permutation(len(frame))
    frame = frame.iloc[order]
    test = frame.split.eq("test") if "split" in frame else np.arange(len(frame)) >= MAX_TRAIN
    train, test = frame[~test][:MAX_TRAIN], frame[test][:MAX_TEST]
    label = str(row.target) if row.target in frame else "label"
    return (
        train.text.tolist(),
        train[label].astype(str).to_numpy(),
        test.text.tolist(),
        test[label].astype(str).to_numpy(),
    )


def labelled(y, n_labels, seed):
    """Row numbers of ``n_labels`` texts of each class, of all where a class has fewer."""
    order = np.random.default_rng(1000 + seed).permutation(len(y))
    if n_labels is None:
        return order
    place = pd.Series(y[order]).groupby(y[order]).cumcount().to_numpy()
    return order[place < n_labels]


def scaled(Z, Z_test):
    """Rows of mean squared length one, so that one grid of C suits all; dense ones centred."""
    if not sp.issparse(Z):
        mean = Z.mean(axis=0)
        Z, Z_test = Z - mean, Z_test - mean
    squares = Z.multiply(Z).sum() if sp.issparse(Z) else np.square(Z).sum()
    size = np.sqrt(squares / Z.shape[0]) or 1.0
    return Z / size, Z_test / size


def accuracy(Z, y, Z_test, y_test):
    """Of a logistic regression whose C a search over held-out labels chooses."""
    few = len(y) < 2000
    held_out = StratifiedShuffleSplit(3 if few else 1, test_size=0.2, random_state=0)
    if np.unique(y, return_counts=True)[1].min() < 2 or len(y) * 0.2 < len(set(y)):
        held_out = 2
    model = LogisticRegression(tol=1e-3, max_iter=300)
    search = GridSearchCV(model, {"C": [1, 10, 100]}, cv=held_out)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", UserWarning)  # a class with one label
        return float(search.fit(Z, y).score(Z_test, y_test))


def measure(folder, set_name, row_name, seed):
    """Accuracies by number of labels, or the correlation; and seconds of CPU of the fit."""
    model = ROWS[row_name](seed)
    if set_name in PAIR_SETS:
        return similarity(folder, set_name, model)
    train, y, test, y_test = load_texts(folder, set_name, seed)
    start = time.process_time()
    model.fit(train)
    seconds = time.process_time() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # texts without a known word
        Z, Z_test = scaled(model.transform(train), model.transform(test))
    out = {"seconds": seconds}
    for n_labels in LABELS:
        draws = range(N_DRAWS if n_labels else 1)
        chosen = [labelled(y, n_labels, N_DRAWS * seed + k) for k in draws]
        out[str(n_labels)] = float(np.mean([accuracy(Z[c], y[c], Z_test, y_test) for c in chosen]))
    return out


def similarity(folder, set_name, model):
    """Spearman's correlation of cosines and scores, on the test part."""
    row = manifest(folder).set_index("name").loc[set_name]
    frame = pd.read_csv(Path(folder) / row.files.split(";")[0], keep_default_na=False)
    sentences = pd.unique(frame[["sentence1", "sentence2"]].to_numpy().ravel()).tolist()
    start = time.process_time()
    model.fit(sentences)
    seconds = time.process_time() - start
    test = frame[frame.split == "test"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        a, b = (normalize(model.transform(test[c].tolist())) for c in ("sentence1", "sentence2"))
    cosine = a.multiply(b).sum(axis=1) if sp.issparse(a) else (a * b).sum(axis=1)
    value = spearmanr(np.asarray(cosine).ravel(), test.score.astype(float)).statistic
    return {"spearman": float(value), "seconds": seconds}


PAGE = """# Text from scratch

How well vectors of texts serve that are learned from the texts of a set alone, with nothing
downloaded: {seeds} {runs} on each set. The fit uses no labels and no scores.

*TF-IDF*: `TfidfVectorizer(sublinear_tf=True)` on words of one letter and more; *LSA*: 100
components of it by `TruncatedSVD`; *gensim*: the mean of skip-gram vectors (`sg=1, min_count=2,
epochs=20`); *Word2Vec*: `Word2VecVectorizer(min_count=2, max_iter=20)`, *SIF* with
`pooling="sif"`; *Sent2Vec*: `Sent2VecVectorizer(min_count=2)`; *TF-IDF, encoder*:
`ContrastiveEncoder()` on TF-IDF; *text encoder*: `ContrastiveTextEncoder()`. All else is
default.

Defaults were chosen on {tuned}.
One choice, that both parts of the text encoder have one length in training, came after a first
table of all sets had been seen, though it was made on the sets named.

Written by

    {command}

with skcontrast {version}, scikit-learn {sklearn}, torch {torch}, gensim {gensim}, scipy {scipy}.
"""
PROBE_TEXT = """Accuracy of a logistic regression with {labels}, on sets of at most {n_train} texts
to train on and {n_test} to test with{draws}. C is chosen on held-out labels.
"""
PAIR_TEXT = """Spearman's correlation of the cosine with the score that people gave, on the test
part of each set; sentences of all parts train. stsb_en holds many pairs of sts12 to sts14.
"""
SECONDS_TEXT = "Seconds of CPU time of a fit, on one thread.\n"


def tabulate(results, value, sets, rows):
    """Sets by rows, the mean over seeds, with the mean over the sets below."""
    frame = pd.DataFrame(
        [{"set": s, "row": r, "value": v.get(value)} for (s, r, _), v in results.items()]
    )
    table = frame[frame.set.isin(sets)].groupby(["set", "row"])["value"].mean().unstack()
    table = table.loc[[s for s in sets if s in table.index], [r for r in rows if r in table]]
    table.loc["mean"] = table.mean()
    table.index.name = None
    return table.rename_axis(columns=None).T


def summary(results, texts, pairs, rows):
    """Mean over the sets of each measure, and on how many sets a row is above TF-IDF."""
    tables = {
        f"{n or 'all'} labels": tabulate(results, str(n), texts, rows).dropna() for n in LABELS
    }
    tables["similarity"] = tabulate(results, "spearman", pairs, rows).dropna()
    out = pd.DataFrame({name: table["mean"] for name, table in tables.items()})
    few = tables["5 labels"].drop(columns="mean")
    if "TF-IDF" in few.index:
        above = few.gt(few.loc["TF-IDF"]).sum(axis=1)
        out["above TF-IDF at 5 labels"] = above.map(f"{{}} of {len(texts)} sets".format)
    return out.reindex([r for r in rows if r in out.index])


def report(results, options, command):
    """The page, in Markdown."""
    versions = {m.__name__: m.__version__ for m in (sklearn, torch, gensim, scipy)}
    parts = [
        PAGE.format(
            seeds=options.seeds,
            runs="run" if options.seeds == 1 else "runs",
            tuned=", ".join(TUNED_ON[:-1]) + " and " + TUNED_ON[-1],
            command=command,
            version=skcontrast.__version__,
            **versions,
        )
    ]
    texts = [s for s in options.sets if s in TEXT_SETS]
    pairs = [s for s in options.sets if s in PAIR_SETS]
    probed = [r for r in options.rows if r != "Word2Vec, SIF"]
    compared = [r for r in options.rows if r != "TF-IDF, encoder"]
    if texts and pairs:
        parts += [
            "## Mean over the sets\n",
            markdown(summary(results, texts, pairs, options.rows), ".3f"),
        ]
    for n_labels in LABELS if texts else ():
        labels = f"{n_labels} labels a class" if n_labels else "all labels"
        draws = f", mean of {N_DRAWS} draws of labels a run" if n_labels else ""
        parts.append(f"## {labels.capitalize()}\n")
        parts.append(
            PROBE_TEXT.format(labels=labels, n_train=MAX_TRAIN, n_test=MAX_TEST, draws=draws)
        )
        parts.append(markdown(tabulate(results, str(n_labels), texts, probed), ".3f"))
    if pairs:
        parts += ["## Similarity of sentences\n", PAIR_TEXT]
        parts.append(markdown(tabulate(results, "spearman", pairs, compared), ".3f"))
    parts += ["## Time\n", SECONDS_TEXT]
    parts.append(markdown(tabulate(results, "seconds", texts + pairs, options.rows), ".1f"))
    return "\n".join(parts)


def markdown(table, floatfmt):
    shown = table.astype(object).where(table.notna(), None)
    return shown.to_markdown(floatfmt=floatfmt, missingval="–") + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--sets", nargs="*", default=[*TEXT_SETS, *PAIR_SETS])
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fresh", action="store_true", help="forget what was measured before")
    parser.add_argument("--write", type=Path, help="page to write the tables to")
    options = parser.parse_args()
    record = Record("text")
    if options.fresh:
        record.forget()
    left_out = {True: "TF-IDF, encoder", False: "Word2Vec, SIF"}  # of pairs, of texts
    jobs = [
        (s, r, k)
        for k in range(options.seeds)
        for s in options.sets
        for r in options.rows
        if r != left_out[s in PAIR_SETS]
    ]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    page = report(results, options, "python benchmarks/text.py " + " ".join(sys.argv[1:]))
    print(page)
    if options.write:
        options.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
