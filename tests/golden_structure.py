"""Adapters of golden files about negatives chosen by the structure of the data."""

import numpy as np
import torch

from skcontrast.functional import distinct, mine_negatives, normalize, score_ceiling
from skcontrast.objectives import DCLR, ClusterNS
from skcontrast.retrieval import hard_negatives


def clusterns(case):
    """Margin term and whole loss, with the centroids before they are moved.

    The published margin term is a mean over all pairs, of which those that are not two
    samples of a cluster count alpha each; the objective leaves this constant out.
    """
    alpha, weight = case.number("alpha"), case.number("bml_weight")
    cluster = case.constant("assign")
    centroids = case.constant("centroids")
    ranks = (normalize(case.constant("z1")) @ normalize(centroids).T).topk(2).indices
    case.check("assign", ranks[:, 0])
    case.check("second_nearest", ranks[:, 1])
    everyone = slice(0, len(cluster))
    alike = cluster[:, None] == cluster[None]
    alike &= distinct(everyone, everyone, cluster.device)
    constant = alpha * (~alike).double().mean()
    for block_size in (None, 4):
        objective = ClusterNS(
            case.number("temperature"),
            alpha=alpha,
            beta=case.number("beta"),
            weight=weight,
            form="one_way",
            block_size=block_size,
        )
        z1, z2 = case.leaves("z1", "z2")
        x, y = normalize(z1), normalize(z2)
        margins = objective.margins(x, y, (x * y).sum(-1), cluster).mean() + constant
        case.check_loss("bml_loss", margins, bml_grad_z1=z1, bml_grad_z2=z2)
        z1, z2 = case.leaves("z1", "z2")
        loss = objective(torch.stack([z1, z2]), centroids=centroids).mean()
        loss = loss + weight * constant
        case.check_loss("total_loss", loss, total_grad_z1=z1, total_grad_z2=z2)


def dclr(case):
    """The paper's weights. The published code keeps exp(0) of a pair with weight zero."""
    guide = torch.stack([case.constant("guide1"), case.constant("guide2")])
    for block_size in (None, 3):
        objective = DCLR(
            case.number("temperature"),
            guide="prior",
            threshold=case.number("phi"),
            form="one_way",
            block_size=block_size,
        )
        z1, z2, noise = case.leaves("z1", "z2", "noise_negatives")
        loss = objective(torch.stack([z1, z2]), prior=guide, noise=noise).mean()
        grads = {"paper_grad_z1": z1, "paper_grad_z2": z2, "paper_grad_noise": noise}
        case.check_loss("paper_loss", loss, **grads)
    reason = "multiplies logits by the weights, and takes a binary cross entropy over all pairs"
    case.waive(reason, "repo_loss", *(key for key in case.arrays if key.startswith("repo_grad")))


def mining(case):
    """Each rule of mine_hard_negatives, with one positive for each query.

    Where the positive's score is negative, the published share of it lies above the score;
    ours lies below, and such queries are not compared under this rule.
    """
    query, corpus = case.constant("query_emb"), case.constant("corpus_emb")
    own = case.constant("positive_index")
    positive = (query * corpus[own]).sum(-1)
    k = case.number("num_negatives")

    def keep(rows, columns):
        return own[rows, None] != torch.arange(columns.start, columns.stop)

    rules = {
        "naive_topk": {},
        "shifted_topn": {"skip": case.number("shifted_topn_skip")},
        "topk_marginpos": {"rule": "absolute", "margin": case.number("topk_marginpos_margin")},
        "topk_percpos": {"margin": 1 - case.number("topk_percpos_perc")},
        "topk_percpos_30": {"margin": 1 - case.number("topk_percpos_30_perc")},
        "topk_abs": {"rule": "fixed", "margin": 1 - case.number("topk_abs_max_score")},
    }
    for name, options in rules.items():
        expected = case.arrays[f"{name}_selected"]
        same = np.full(len(expected), True)
        ceiling = None
        if "margin" in options:
            ceiling = score_ceiling(positive, **options)
            if name.startswith("topk_percpos"):
                same = (positive >= 0).numpy()
        for block_size in (None, 4):
            found, score = mine_negatives(
                query,
                corpus,
                k,
                keep=keep,
                ceiling=ceiling,
                skip=options.get("skip", 0),
                block_size=block_size,
            )
            assert (score.diff(dim=1).nan_to_num(0) <= 0).all()
            case.check(f"{name}_selected", found[same], expected=expected[same])
        # No cosine is above the ceiling 1.
        options = options if ceiling is not None else {"rule": "fixed", "margin": 0, **options}
        found = hard_negatives(query.numpy(), corpus.numpy(), own.numpy(), k, **options)
        case.check(f"{name}_selected", found[same], expected=expected[same])
