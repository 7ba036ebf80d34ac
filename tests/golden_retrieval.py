"""Adapters of golden files for search."""

import numpy as np
import torch

from skcontrast.functional import match_parts, normalize
from skcontrast.metrics import rank_metrics
from skcontrast.retrieval import BM25Transformer, LateInteraction, margin_scores, mine_pairs


def bm25(case):
    """All variants. The reference adds a constant for each word that a document lacks.

    It has it in bm25l and bm25+, so that a document without the word gets what a count of 0
    gives in the formula; ours gets 0, which is the sum over words that both have.
    """
    counts, queries = case.arrays["counts"], case.arrays["query_counts"]
    k1, b, delta = (case.number(name) for name in ("k1", "b", "delta"))
    constant = {"bm25l": (k1 + 1) * delta / (k1 + delta), "bm25+": delta}
    for variant in ("lucene", "robertson", "atire", "bm25l", "bm25+"):
        model = BM25Transformer(k1, b, variant, delta).fit(counts)
        scores = (model.transform_query(queries) @ model.transform(counts).T).toarray()
        if variant in constant:
            scores += queries * (model.idf_ * constant[variant]) @ (counts == 0).T
        case.check(f"scores_{variant.replace('+', 'plus')}", scores)
    assert len(case.compared) == sum(key.startswith("scores_") for key in case.arrays)
    assert np.all(scores >= 0)


def ranking(case):
    """All measures at all depths, from scores and from the numbers of sorted documents."""
    scores, relevant, depths = (case.arrays[name] for name in ("scores", "relevant", "k"))
    ids = np.argsort(-scores, axis=1, kind="stable")
    for found, kind in ((scores, "scores"), (ids, "ids")):
        values = rank_metrics(found, relevant, depths.tolist(), kind=kind)
        for name in ("accuracy", "precision", "recall", "ndcg", "mrr", "map"):
            case.check(name, [values[f"{name}@{k}"] for k in depths])


def maxsim(case):
    """Scores, from lists of parts and from an array with NaN behind them."""
    bags = {}
    for name in ("query", "document"):
        lengths = case.arrays[f"{name}_length"]
        bags[name] = [rows[:n] for rows, n in zip(case.arrays[name], lengths)]
    search = LateInteraction().fit(bags["document"])
    case.check("scores", search.score_matrix(bags["query"]))
    ids = np.tile(np.arange(len(bags["document"])), (len(bags["query"]), 1))
    case.check("scores", search.score_candidates(bags["query"], ids))
    padded = case.arrays["document"].copy()
    for rows, bag in zip(padded, bags["document"]):
        rows[len(bag) :] = np.nan
    case.check("scores", LateInteraction().fit(padded).score_matrix(bags["query"]))
    query, document = case.leaves("query", "document")
    there = [
        torch.arange(x.shape[1]) < case.constant(f"{name}_length")[:, None]
        for name, x in (("query", query), ("document", document))
    ]
    scores = match_parts(normalize(query), normalize(document), *there, pool="maxsim")
    case.check("scores", scores)
    (case.constant("weights") * scores).sum().backward()
    case.check("grad_query", query.grad)
    case.check("grad_document", document.grad)
    case.waive("vectors of zeros that stand for no part win there", "mean_scores_bge_zero_padding")


def margin_mining(case):
    """Scores of the nearest rows, and pairs of both modes, by each margin."""
    x, y = (case.arrays[f"{name}_raw"].astype(float) for name in "xy")
    k = case.number("k")
    rows = np.arange(len(x))[:, None], np.arange(len(y))[:, None]
    for margin in ("absolute", "distance", "ratio"):
        scores = margin_scores(x, y, k, margin)
        near = scores[rows[0], case.arrays["x2y_ind"]], scores[case.arrays["y2x_ind"], rows[1]]
        # The reference searches float32 rows.
        for key, value in zip(("fwd", "bwd"), near):
            case.check(f"{margin}_{key}_scores", value, rtol=2e-6, atol=1e-6)
        for mode in ("max", "intersect"):
            pairs, found = mine_pairs(x, y, k, margin, mode=mode)
            case.check(f"{margin}_{mode}_pairs", pairs)
            case.check(f"{margin}_{mode}_pair_scores", found, rtol=2e-6, atol=1e-6)
    if "x2y_mean_f64" in case:
        cosines = np.sort(margin_scores(x, y, k, "absolute"), axis=1)[:, ::-1]
        case.check("x2y_mean_f64", cosines[:, :k].mean(axis=1))
