"""Adapters of golden files for measures of pairs and groups, choices and inspection."""

import numpy as np
from scipy.special import softmax

from skcontrast.inspection import banzhaf_interaction, contrast_probabilities
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
