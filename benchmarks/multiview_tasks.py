"""What blocks are for beside labels: holes, wrong pairs, interactions, teachers, languages."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from multiview_sets import LABELS, mfeat, probe, recall, split
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder
from skcontrast.multiview import (
    Blocks,
    CanonicalCorrelation,
    MultiViewContrastiveEncoder,
    pair_credibility,
)
from skcontrast.retrieval import margin_scores


class Task(NamedTuple):
    """``measure(folder, row, seed)`` of each row of a table."""

    measure: Callable
    rows: tuple


def scaled(blocks, train):
    """Standardised blocks, each with a variance of one in all."""
    return [
        StandardScaler().fit(b[train]).transform(b) / b.shape[1] ** 0.5 for b in blocks.values()
    ]


def half_missing(folder, row, seed):
    """Three blocks of mfeat, each gone with probability one half; every row keeps one."""
    blocks, y = mfeat(folder, "fou", "kar", "zer")
    rng = np.random.default_rng(seed)
    there = rng.random((3, len(y))) < 0.5
    there[rng.integers(0, 3, len(y)), np.arange(len(y))] = True
    train, test = split(y, seed)
    parts = scaled(blocks, train)
    holes = np.hstack([np.where(t[:, None], b, np.nan) for t, b in zip(there, parts)])
    if row == "kNN imputer":
        impute = KNNImputer(n_neighbors=10).fit(holes[train])
        both = impute.transform(holes[train]), impute.transform(holes[test])
    elif row == "column means":
        both = np.nan_to_num(holes[train]), np.nan_to_num(holes[test])
    else:
        widths = [b.shape[1] for b in parts]
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


def distillation(folder, row, seed):
    """The block fou alone, beside what all six blocks know."""
    names = ("fou", "fac", "kar", "pix", "zer", "mor")
    blocks, y = mfeat(folder, *names)
    train, test = split(y, seed)
    parts = scaled(blocks, train)
    teacher = PCA(64, random_state=0).fit(np.hstack(parts)[train])
    known = teacher.transform(np.hstack(parts))
    X = blocks["fou"]
    params = {"passthrough": False, "random_state": 0}
    if row == "raw":
        Z = parts[0]
    elif row == "all blocks":
        Z = known
    elif row == "squared error":
        model = ContrastiveEncoder(objective="prediction_error", views=None, n_views=1, **params)
        Z = model.fit(X[train], known[train]).transform(X)
    else:
        model = ContrastiveEncoder(objective=row, views=None, n_views=1, **params)
        Z = model.fit(X[train], prior=known[train]).transform(X)
    return {f"{n} labels": probe(Z[train], Z[test], y[train], y[test], seed, n) for n in (5, 20)}


def wrong_pairs(share):
    """Some training rows have the blocks of others; partners of true rows are sought."""

    def measure(folder, row, seed):
        blocks, y = mfeat(folder, "zer", "fac")
        train, test = split(y, seed)
        given = {k: v[train].copy() for k, v in blocks.items()}
        wrong = np.random.default_rng(seed).permutation(len(train))[: int(share * len(train))]
        given["fac"][wrong] = given["fac"][np.roll(wrong, 1)]
        right = np.ones(len(train), dtype=bool)
        right[wrong] = False
        X, weight, out = Blocks(**given), None, {}
        if row in ("weighed", "chosen"):
            weight = pair_credibility(X)
            out["AUC"] = float(roc_auc_score(right, weight))
        if row == "chosen":
            X, weight = X[weight > 0.5], None
        elif row == "true pairs alone":
            X = X[right]
        if row == "CanonicalCorrelation":
            model = CanonicalCorrelation(regularization="auto").fit(X)
        else:
            model = MultiViewContrastiveEncoder(views=None, random_state=0)
            model.fit(X, pair_weight=weight)
        Z = np.array([model.transform_block(v[test], k) for k, v in blocks.items()])
        return {"R@1": recall(Z), **out}

    rows = ("CanonicalCorrelation", "all pairs", "weighed", "chosen", "true pairs alone")
    return Task(measure, rows)


def languages(folder, row, seed):
    """Sentences and their English: 700 pairs of a language train, partners of 300 are sought."""
    frame = pd.read_csv(folder / "multiview/tatoeba_open/tatoeba_open.csv.gz")
    out = {}
    for language, group in frame.groupby("lang"):
        order = np.random.default_rng(seed).permutation(len(group))
        train, test = order[:700], order[700:]
        blocks = {}
        for name in ("sentence", "english"):
            texts = group[name].to_numpy()
            weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
            counts = weigh.fit(texts[train]).transform(texts)
            blocks[name] = TruncatedSVD(200, random_state=0).fit(counts[train]).transform(counts)
        given = Blocks(**{k: v[train] for k, v in blocks.items()})
        if row == "CanonicalCorrelation":
            model = CanonicalCorrelation(regularization="auto").fit(given)
        else:
            params = {} if row == "default" else {"learning_rate": 5e-4}
            model = MultiViewContrastiveEncoder(random_state=0, **params).fit(given)
        Z = np.array([model.transform_block(v[test], k) for k, v in blocks.items()])
        found = margin_scores(Z[0], Z[1]).argmax(axis=1), margin_scores(Z[1], Z[0]).argmax(axis=1)
        own = np.arange(len(test))
        out[language] = {
            "R@1": recall(Z),
            "R@1 by ratio margin": float(np.mean([f == own for f in found])),
        }
    frame = pd.DataFrame(out)
    gain = frame.loc["R@1 by ratio margin"] - frame.loc["R@1"]
    return {**frame.mean(axis=1).to_dict(), "least gain of the margin": float(gain.min())}


TASKS = {
    "missing blocks": Task(half_missing, ("column means", "kNN imputer", "default", "for labels")),
    "exclusive or": Task(exclusive_or, ("pairwise", "symile")),
    "one block learns from six": Task(
        distillation, ("raw", "squared error", "teacher_match", "teacher_similarity", "all blocks")
    ),
    "a fifth of the pairs wrong": wrong_pairs(0.2),
    "two fifths of the pairs wrong": wrong_pairs(0.4),
    "twelve languages": Task(languages, ("CanonicalCorrelation", "default", "learning_rate=5e-4")),
}
