"""Adapters of golden files for measures of pairs and groups, choices and inspection."""

import numpy as np
from scipy.special import softmax

from skcontrast.inspection import (
    banzhaf_interaction,
    confident_joint,
    contrast_probabilities,
    label_issues,
    label_quality,
)
from skcontrast.inspection._confident import _thresholds
from skcontrast.metrics import association, diverse_selection, partner_ranks


def weat(case):
    """The effect size, and the exact share of splits; the lean of a row is that of one word."""
    X, Y, A, B = (case.arrays[name] for name in "XYAB")
    effect, p = association(X, Y, A, B, p_value=True)
    case.check("effect_size", effect)
    case.check("p_value_exact", p)
    # Of two rows the effect is sqrt(2) times the sign of their difference: a lean is not its own
    # output, and the statistic follows from the leans.
    u = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (np.vstack([X, Y]), A, B)]
    lean = (u[0] @ u[1].T).mean(1) - (u[0] @ u[2].T).mean(1)
    case.check("association", lean)
    case.check("statistic", lean[: len(X)].sum() - lean[len(X) :].sum())
    case.check("effect_size", (lean[: len(X)].mean() - lean[len(X) :].mean()) / lean.std(ddof=1))


def evalrank(case):
    """Ranks among all rows, the asking one with them.

    The reference gives ties the better rank, and counts the asking row instead of the partner.
    """
    Z, (query, partner) = case.arrays["Z"], case.arrays["pairs"].T
    metric = {"dot": "dot", "l2": "euclidean"}[case.arrays["metric"].item()]
    mean_rank = partner_ranks(Z[query], Z, partner, metric=metric)
    if metric == "dot":
        scores = Z[query] @ Z.T
    else:
        scores = -np.linalg.norm(Z[query][:, None] - Z, axis=2)
    own = scores[np.arange(len(query)), partner][:, None]
    ties = (scores == own).sum(axis=1) - 1
    rank = np.maximum(mean_rank - 1 - ties / 2, 1)
    case.check("mean_rank", rank.mean())
    case.check("mrr", (1 / rank).mean())
    case.check("hits", [(rank <= k).mean() for k in range(1, 16)])


def contrastive_search(case):
    """The first choice after a context; the loss of a model's tokens is not offered."""
    arrays = case.arrays
    found = [
        diverse_selection(p, z, 1, trade_off=case.number("alpha"), context=context)[0]
        for p, z, context in zip(arrays["probability"], arrays["candidates"], arrays["context"])
    ]
    case.check("selected", found)
    case.waive("a loss of the tokens of one text, which no row here has", "loss", "grad_hidden")


def banzhaf(case):
    """Every set of parts is asked for; the file has the value of each by the bits of a number."""
    table, n = case.arrays["coalition_values"], len(case.arrays["value"])
    values, interactions = banzhaf_interaction(lambda sets: table[sets @ (1 << np.arange(n))], n)
    case.check("value", values)
    case.check("interaction", interactions)


def contrastive_decoding(case):
    """Scores of logits, of which the softmax is the model's probability."""
    expert, amateur = (softmax(case.arrays[f"{w}_logits"], 1) for w in ("expert", "amateur"))
    numbers = {name: case.number(name) for name in ("alpha", "beta")}
    scores = contrast_probabilities(expert, amateur, **numbers)
    plausible = np.isfinite(scores)
    case.check("plausible", plausible)
    case.check("scores_plausible", np.where(plausible, scores, 0))
    case.check("selected", scores.argmax(axis=1))


def confident_learning(case):
    """Scores, counts and issues of given probabilities; rates and shares follow from the joint."""
    p, y = case.arrays["probability"], case.arrays["label"]
    case.check("thresholds", _thresholds(p, y))
    case.check("confident_joint", confident_joint(p, y, calibrate=False))
    joint = confident_joint(p, y)
    case.check("confident_joint_calibrated", joint)
    case.check("prior", joint.sum(axis=0) / joint.sum())
    case.check("noise_matrix", joint / joint.sum(axis=0))
    case.check("inverse_noise_matrix", joint.T / joint.sum(axis=1))
    case.check("score_self_confidence", label_quality(p, y))
    case.check("score_normalized_margin", label_quality(p, y, score="normalized_margin"))
    entropy = label_quality(p, y, score="weighted_entropy")
    case.check("score_confidence_weighted_entropy", entropy)
    case.check("score_self_confidence_adjusted", label_quality(p, y, adjust=True))
    rules = {"noise_rate": "prune_by_noise_rate", "class": "prune_by_class"}
    for rule, name in {**rules, "confident": "confident_learning"}.items():
        case.check(f"issues_{name}", label_issues(p, y, rule=rule))
