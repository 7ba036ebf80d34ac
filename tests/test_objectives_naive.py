"""The formulas as plain loops over anchors and candidates.

The loops are the specification: they are written for reading, one term at a time, and
share no code with the objectives.
"""

from itertools import combinations
from math import exp, log

import numpy as np
import pytest
import torch

from skcontrast.objectives import (
    CACR,
    AlignmentUniformity,
    BarlowTwins,
    DebiasedContrastive,
    DecoupledContrastive,
    DecoupledUniformity,
    EnergyHinge,
    HardNegative,
    InfoNCE,
    KernelInfoNCE,
    PolyView,
    SpectralContrastive,
    SupCon,
    VICReg,
)

TARGET = [0, 1, 0, -1, -1]


def draw(n_views=2, n=5, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def unit(views):
    z = views.numpy()
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


def anchors_of(z):
    """Every (view, sample), in the order of the anchors."""
    return [(v, i) for v in range(len(z)) for i in range(len(z[0]))]


def info_nce(z, tau):
    losses = []
    for a in anchors_of(z):
        others = [b for b in anchors_of(z) if b != a]
        positives = [b for b in others if b[1] == a[1]]
        total = sum(exp(z[a] @ z[b] / tau) for b in others)
        losses.append(-np.mean([z[a] @ z[p] / tau - log(total) for p in positives]))
    return losses


def focal(losses, power):
    return [(1 - exp(-loss)) ** power * loss for loss in losses]


def info_nce_two_way(z, tau):
    losses = []
    for v, i in anchors_of(z):
        total = sum(exp(z[v, i] @ z[1 - v, j] / tau) for j in range(len(z[0])))
        losses.append(log(total) - z[v, i] @ z[1 - v, i] / tau)
    return losses


def info_nce_hard(z, tau, extra):
    x, y, h = z
    losses = []
    for i in range(len(x)):
        total = 0
        for j in range(len(x)):
            total += exp(x[i] @ y[j] / tau)
            total += exp(x[i] @ h[j] / tau + (extra if i == j else 0))
        losses.append(log(total) - x[i] @ y[i] / tau)
    return losses


def decoupled(z, tau, sigma=None):
    n = len(z[0])
    losses = []
    for v, i in anchors_of(z):
        total = 0
        for u, j in anchors_of(z):
            if j != i:
                total += exp(z[v, i] @ z[u, j] / tau)
        s = [z[0, k] @ z[1, k] for k in range(n)]
        weight = 1
        if sigma is not None:
            weight = 2 - n * exp(s[i] / sigma) / sum(exp(x / sigma) for x in s)
        losses.append(log(total) - weight * s[i] / tau)
    return losses


def supcon(z, tau, form, anchors="all"):
    losses = []
    for a in anchors_of(z[:1] if anchors == "first" else z):
        others = [b for b in anchors_of(z) if b != a]
        y = TARGET[a[1]]
        positives = [b for b in others if b[1] == a[1] or TARGET[b[1]] == y != -1]
        if not positives:
            losses.append(None)
            continue
        shares = []
        for p in positives:
            shares.append(exp(z[a] @ z[p] / tau) / sum(exp(z[a] @ z[k] / tau) for k in others))
        losses.append(-log(np.mean(shares)) if form == "inside" else -np.mean(np.log(shares)))
    count = sum(loss is not None for loss in losses)
    return [0 if loss is None else loss * len(losses) / count for loss in losses]


def kernel_info_nce(z, tau, kernel):
    losses = []
    for a in anchors_of(z):
        others = [b for b in anchors_of(z) if b != a]
        total = sum(kernel(np.linalg.norm(z[a] - z[b]), tau) for b in others)
        positives = [b for b in others if b[1] == a[1]]
        ratios = [kernel(np.linalg.norm(z[a] - z[p]), tau) / total for p in positives]
        losses.append(-np.mean(np.log(ratios)))
    return losses


def poly_view(z, tau, form):
    losses = []
    for a, i in anchors_of(z):
        negatives = sum(exp(z[a, i] @ z[g, j] / tau) for g, j in anchors_of(z) if j != i)
        p = []
        for b in range(len(z)):
            if b != a:
                positive = exp(z[a, i] @ z[b, i] / tau)
                p.append(positive / (positive + negatives))
        losses.append(-np.mean(np.log(p)) if form == "geometric" else -log(np.mean(p)))
    return losses


def poly_view_sufficient(z, tau, anchor):
    def statistic(a, i):
        q = np.mean([z[b, i] for b in range(len(z)) if b != a], axis=0)
        return q / np.linalg.norm(q)

    losses = []
    for a, i in anchors_of(z):
        q = statistic(a, i)
        positive, negatives = exp(z[a, i] @ q / tau), 0
        for g, j in anchors_of(z):
            if j != i:
                pair = q @ z[g, j] if anchor == "statistic" else z[a, i] @ statistic(g, j)
                negatives += exp(pair / tau)
        losses.append(-log(positive / (positive + negatives)))
    return losses


def hard_negative(z, tau, tau_plus, beta):
    losses = []
    for v, i in anchors_of(z):
        s = [z[v, i] @ z[u, j] / tau for u, j in anchors_of(z) if j != i]
        positive = exp(z[0, i] @ z[1, i] / tau)
        importance = [exp(beta * x) for x in s]
        total = sum(w * exp(x) for w, x in zip(importance, s)) / np.mean(importance)
        negatives = (total - tau_plus * len(s) * positive) / (1 - tau_plus)
        negatives = max(negatives, len(s) * exp(-1 / tau))
        losses.append(-log(positive / (positive + negatives)))
    return losses


def spectral(z, weight, include_positive):
    losses = []
    for v, i in anchors_of(z):
        kept = []
        for u, j in anchors_of(z):
            if j != i or (include_positive and u != v):
                kept.append((z[v, i] @ z[u, j]) ** 2)
        losses.append(weight * np.mean(kept) - 2 * z[0, i] @ z[1, i])
    return losses


def uniformity(x, t):
    pairs = [exp(-t * np.sum((a - b) ** 2)) for a, b in combinations(x, 2)]
    return log(np.mean(pairs))


def cacr(z, t_pos, t_neg, alpha, beta, t=None):
    def c(a, b):
        return np.sum((z[a] - z[b]) ** 2)

    attraction, n = [], len(z[0])
    for x, i in anchors_of(z):
        cost = np.array([c((x, i), (y, i)) for y in range(len(z)) if y != x])
        weight = np.exp(t_pos * cost)
        attraction.append(weight @ cost / weight.sum())
    repulsion = []
    for x, y in combinations(range(len(z)), 2):
        averages = []
        for i in range(n):
            cost = np.array([c((x, i), (y, j)) for j in range(n) if j != i])
            weight = np.exp(-t_neg * cost)
            what = cost if t is None else np.exp(-t * cost)
            averages.append(weight @ what / weight.sum())
        repulsion.append(-np.mean(averages) if t is None else log(np.mean(averages)))
    return alpha * np.mean(attraction) + beta * np.mean(repulsion)


def energy_hinge(z, margin):
    x, y, h = z
    losses = []
    for i in range(len(x)):
        hardest = max(x[i] @ row for j in range(len(x)) for row in ([h[j], y[j]][: 1 + (j != i)]))
        losses.append(max(0, margin + hardest - x[i] @ y[i]))
    return losses


def barlow_twins(z, weight, eps):
    columns = []
    for view in z:
        columns.append((view - view.mean(0)) / np.sqrt(view.var(0) + eps))
    loss, (n, d) = 0, z[0].shape
    for a in range(d):
        for b in range(d):
            c = columns[0][:, a] @ columns[1][:, b] / n
            loss += (c - 1) ** 2 if a == b else weight * c**2
    return loss


def vicreg(z, eps=1e-4):
    loss, d = 25 * np.mean((z[0] - z[1]) ** 2), z.shape[-1]
    for view in z:
        cov = np.cov(view.T)
        loss += 25 / 2 * np.mean([max(0, 1 - np.sqrt(cov[a, a] + eps)) for a in range(d)])
        loss += sum(cov[a, b] ** 2 for a in range(d) for b in range(d) if a != b) / d
    return loss


def _laplace(r, tau):
    return exp(-r / tau)


def _mixed(r, tau):
    return 0.3 * exp(-(r**0.5) / tau) + 0.7 * exp(-(r**2) / tau)


# name -> (objective, number of views, naive loop on unit rows)
NAIVE = {
    "ntxent": (InfoNCE(0.3), 2, lambda z: info_nce(z, 0.3)),
    "ntxent, 3 views": (InfoNCE(0.3), 3, lambda z: info_nce(z, 0.3)),
    "two_way": (InfoNCE(0.3, "two_way"), 2, lambda z: info_nce_two_way(z, 0.3)),
    "one_way": (InfoNCE(0.3, "one_way"), 2, lambda z: info_nce_two_way(z, 0.3)[:5]),
    "hard": (InfoNCE(0.3, "one_way", True, 0.7), 3, lambda z: info_nce_hard(z, 0.3, 0.7)),
    "focal": (InfoNCE(0.3, focal=2.0), 2, lambda z: focal(info_nce(z, 0.3), 2)),
    "focal two_way": (
        InfoNCE(0.3, "two_way", focal=0.5),
        2,
        lambda z: focal(info_nce_two_way(z, 0.3), 0.5),
    ),
    "dcl": (DecoupledContrastive(0.3), 2, lambda z: decoupled(z, 0.3)),
    "dcl one_way": (DecoupledContrastive(0.3, "one_way"), 2, lambda z: decoupled(z, 0.3)[:5]),
    "dclw": (
        DecoupledContrastive(0.3, weighted=True, sigma=0.4),
        2,
        lambda z: decoupled(z, 0.3, 0.4),
    ),
    "supcon": (SupCon(0.3), 2, lambda z: supcon(z, 0.3, "outside")),
    "supcon inside": (SupCon(0.3, "inside"), 3, lambda z: supcon(z, 0.3, "inside")),
    "supcon one view": (SupCon(0.3), 1, lambda z: supcon(z, 0.3, "outside")),
    "supcon one view inside": (SupCon(0.3, "inside"), 1, lambda z: supcon(z, 0.3, "inside")),
    "supcon first": (
        SupCon(0.3, anchors="first"),
        2,
        lambda z: supcon(z, 0.3, "outside", "first"),
    ),
    "laplace": (KernelInfoNCE(0.3), 3, lambda z: kernel_info_nce(z, 0.3, _laplace)),
    "mixed kernel": (
        KernelInfoNCE(0.3, gamma=0.5, mixture="kernel", weight=0.3),
        2,
        lambda z: kernel_info_nce(z, 0.3, _mixed),
    ),
    "geometric": (PolyView(0.3), 3, lambda z: poly_view(z, 0.3, "geometric")),
    "arithmetic": (PolyView(0.3, "arithmetic"), 3, lambda z: poly_view(z, 0.3, "arithmetic")),
    "sufficient": (
        PolyView(0.3, "sufficient"),
        3,
        lambda z: poly_view_sufficient(z, 0.3, "statistic"),
    ),
    "sufficient view": (
        PolyView(0.3, "sufficient", anchor="view"),
        3,
        lambda z: poly_view_sufficient(z, 0.3, "view"),
    ),
    "debiased": (DebiasedContrastive(0.3, 0.1), 2, lambda z: hard_negative(z, 0.3, 0.1, 0)),
    "hard_negative": (HardNegative(0.3, 0.1, 1.5), 2, lambda z: hard_negative(z, 0.3, 0.1, 1.5)),
    "hard_negative detached": (
        HardNegative(0.3, 0.1, 1.5, True),
        2,
        lambda z: hard_negative(z, 0.3, 0.1, 1.5),
    ),
    "spectral": (SpectralContrastive(), 2, lambda z: spectral(z, 1, False)),
    "spectral all": (SpectralContrastive(0.5, True), 2, lambda z: spectral(z, 0.5, True)),
    "cacr": (CACR(1.5, 0.7, 2, 3), 3, lambda z: cacr(z, 1.5, 0.7, 2, 3)),
    "cacr rbf": (CACR(cost="rbf", t=1.5), 3, lambda z: cacr(z, 1, 2, 1, 1, 1.5)),
    "alignment_uniformity": (
        AlignmentUniformity(alpha=3, t=1.5, uniformity_weight=0.7),
        2,
        lambda z: (
            np.mean(np.linalg.norm(z[0] - z[1], axis=1) ** 3)
            + 0.7 * np.mean([uniformity(x, 1.5) for x in z])
        ),
    ),
    "decoupled_uniformity": (DecoupledUniformity(1.5), 3, lambda z: uniformity(z.mean(0), 1.5)),
    "energy_hinge": (EnergyHinge(0.3), 3, lambda z: energy_hinge(z, 0.3)),
}


@pytest.mark.parametrize("name", NAIVE)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_naive_loop_agrees(name, seed):
    objective, n_views, loop = NAIVE[name]
    views = draw(n_views, seed=seed)
    side = {"target": torch.tensor(TARGET)} if "target" in objective.requires else {}
    value = objective(views, **side).numpy()
    np.testing.assert_allclose(value, np.asarray(loop(unit(views))), rtol=1e-10, atol=1e-12)


def test_naive_loop_agrees_on_columns():
    views = draw(2, n=9)
    np.testing.assert_allclose(BarlowTwins()(views), barlow_twins(views.numpy(), 0.005, 1e-5))
    np.testing.assert_allclose(VICReg()(views), vicreg(views.numpy()))


@pytest.mark.parametrize("cls", [BarlowTwins, VICReg, AlignmentUniformity])
def test_more_views_are_the_mean_over_their_pairs(cls):
    views = draw(4, n=9)
    pairs = [cls()(torch.stack(pair)) for pair in combinations(views, 2)]
    torch.testing.assert_close(cls()(views), torch.stack(pairs).mean())
