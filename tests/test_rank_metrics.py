"""rank_metrics: a plain loop, scikit-learn's nDCG, ties, and every form of what is relevant."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import ndcg_score

from skcontrast.metrics import rank_metrics

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(20, 9))
GRADES = RNG.integers(0, 4, size=(20, 9)) * (RNG.random((20, 9)) < 0.5)
GRADES[:, 3] = np.maximum(GRADES[:, 3], 1)


def by_loops(scores, grades, k, gain):
    """The measures of one query, as the docstring has them."""
    rank = [1 + sum(t > s for t in scores) + (sum(t == s for t in scores) - 1) / 2 for s in scores]
    relevant = [j for j in range(len(scores)) if grades[j] > 0]
    found = [j for j in relevant if rank[j] <= k]
    worth = (lambda g: g) if gain == "linear" else (lambda g: 2.0**g - 1)
    ideal = sorted((worth(grades[j]) for j in relevant), reverse=True)[:k]
    precision = [sum(rank[i] <= rank[j] for i in relevant) / rank[j] for j in found]
    return {
        "accuracy": float(bool(found)),
        "precision": len(found) / k,
        "recall": len(found) / len(relevant),
        "mrr": 1 / min(rank[j] for j in found) if found else 0.0,
        "map": sum(precision) / min(k, len(relevant)),
        "ndcg": sum(worth(grades[j]) / math.log2(1 + rank[j]) for j in found)
        / sum(g / math.log2(2 + i) for i, g in enumerate(ideal)),
    }


@pytest.mark.parametrize("gain", ["linear", "exponential"])
@pytest.mark.parametrize("ties", [False, True])
def test_is_the_loop(gain, ties):
    scores = SCORES.round() if ties else SCORES
    values = rank_metrics(scores, GRADES, (1, 3, 9, 20), gain=gain)
    assert len(values) == 24
    for k in (1, 3, 9, 20):
        each = [by_loops(s, g, k, gain) for s, g in zip(scores.tolist(), GRADES.tolist())]
        for name in each[0]:
            expected = np.mean([e[name] for e in each])
            assert values[f"{name}@{k}"] == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("k", [1, 4, 9])
def test_ndcg_is_scikit_learn_s(k):
    expected = ndcg_score(GRADES, SCORES, k=k, ignore_ties=True)
    assert rank_metrics(SCORES, GRADES, k)[f"ndcg@{k}"] == pytest.approx(expected, rel=1e-12)


def test_forms_agree(monkeypatch):
    lists = [np.flatnonzero(row).tolist() for row in GRADES]
    ones = (GRADES > 0).astype(int)
    expected = rank_metrics(SCORES, ones)
    ids = np.argsort(-SCORES, axis=1)
    monkeypatch.setattr("skcontrast.metrics._ranking.TILE", 30)
    for relevant in (lists, sp.csr_array(ones), [set(row) for row in lists]):
        assert rank_metrics(SCORES, relevant) == expected
        assert rank_metrics(sp.csr_array(SCORES), relevant) == expected
        assert rank_metrics(ids, relevant, kind="ids") == expected
    one = GRADES.argmax(axis=1)
    assert rank_metrics(SCORES, one) == rank_metrics(SCORES, one[:, None].tolist())


def test_what_tells_nothing_apart_finds_nothing_early():
    values = rank_metrics(np.ones((4, 100)), [3, 5, 7, 9], k=(10, 51))
    assert values["accuracy@10"] == values["mrr@10"] == 0
    assert values["mrr@51"] == pytest.approx(1 / 50.5)


def test_a_document_that_is_not_in_the_list_is_not_found():
    values = rank_metrics([[5, 2, -1], [7, -1, -1]], [[2, 8], [100]], k=3, kind="ids")
    assert values["recall@3"] == 0.25 and values["mrr@3"] == 0.25


def test_infinite_scores_come_last():
    assert rank_metrics([[-np.inf, 0.0, -np.inf]], [1], k=1)["accuracy@1"] == 1


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((SCORES, [1]), {}, "relevant has 1 entries for 20 queries: pass one number"),
        ((SCORES, [9] * 20), {}, "names document 9: type numbers from 0 to 8"),
        ((SCORES, [[0, 0]] * 20), {}, "twice for query 0: pass each once, or grades as an array"),
        (
            (SCORES, [[1]] * 19 + [[]]),
            {},
            "1 of the queries have no document in relevant, query 19",
        ),
        ((SCORES, np.zeros((20, 9))), {}, "20 of the queries have no document"),
        ((SCORES, GRADES[:, :5]), {}, r"shape \(20, 5\), and \(20, 9\) is needed"),
        ((SCORES, -GRADES), {}, "a grade below 0"),
        ((SCORES, [0.5] * 20), {}, "float64 in place of whole numbers"),
        ((np.where(SCORES > 2, np.nan, SCORES), GRADES), {}, "scores hold NaN"),
        ((SCORES[:0], []), {}, "0 sample"),
        ((SCORES, GRADES, 0), {}, "k=0: type a whole number of at least 1"),
        ((SCORES, GRADES), {"kind": "rank"}, "kind='rank': type 'scores' or 'ids'"),
        ((SCORES, GRADES), {"gain": "log"}, "gain='log': type 'linear' or 'exponential'"),
        ((SCORES, GRADES), {"kind": "ids"}, "pass whole numbers of documents"),
        (([[1, 1]], [1]), {"kind": "ids"}, "row 0 of scores names a document twice"),
    ],
)
def test_what_is_refused(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        rank_metrics(*args, **kwargs)
