"""Adapters of golden files about topics: independent axes, coherence, contrast of codes."""

import numpy as np

from skcontrast import SemanticSignalSeparation
from skcontrast.functional import normalize, pair_loss
from skcontrast.metrics import topic_coherence


def s3(case):
    """Scores and importance of terms, up to the order and the signs, which the code leaves open."""
    D, V = case.arrays["doc_embeddings"], case.arrays["vocab_embeddings"]
    n, seed = int(case.number("n_components")), int(case.number("random_state"))
    published = case.arrays["document_topic_matrix"]
    for importance in ("axial", "angular", "combined"):
        model = SemanticSignalSeparation(n, importance=importance, random_state=seed).fit(D)
        S = model.transform(D)
        match = published.T @ S
        place = np.abs(match).argmax(axis=1)
        sign = np.sign(match[np.arange(n), place])
        case.check("document_topic_matrix", sign * S[:, place])
        case.check("ica_components", sign[:, None] * model.components_[place])
        terms = sign[:, None] * model.term_importance(V)[place]
        case.check(importance, terms)
        if importance == case.number("feature_importance"):
            case.check("components", terms)
    case.check("ica_mean", model.mean_)


def coherence(case):
    """The three measures of gensim."""
    counts, topics = case.arrays["counts"], case.arrays["topics"]
    for measure, key in (("npmi", "c_npmi"), ("umass", "u_mass"), ("uci", "c_uci")):
        case.check(key, topic_coherence(counts, topics, measure))


def tsctm(case):
    """The contrast of documents by their codes, without the model that makes the codes."""
    theta, tau = case.leaf("theta"), case.number("temperature")
    code = theta.detach().softmax(-1).argmax(-1)
    case.check("codes", code)
    same = (code[:, None] == code[None]).double()
    z = normalize(theta)
    loss, valid = pair_loss(z, z, lambda i, j: (same[i, j], 1 - same[i, j]), tau)
    loss = case.number("weight_contrast") * loss[valid].mean()
    case.check_loss("loss_contrast", loss, grad_theta_contrast=theta)
    rest = [key for key in case.arrays if "quantisation" in key or "augmented" in key]
    case.waive("a quantiser that is trained along, or views that were drawn", *rest)
