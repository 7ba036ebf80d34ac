"""Adapters of golden files for search."""

import numpy as np

from skcontrast.metrics import rank_metrics
from skcontrast.retrieval import BM25Transformer


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
