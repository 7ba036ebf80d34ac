"""Adapters of golden files about teachers, targets and weights of pairs."""

import torch
from golden_case import tangent
from sklearn.base import clone

from skcontrast.adaptation import transported_prototypes
from skcontrast.functional import balanced_assignment, normalize, pair_sums, score_ceiling
from skcontrast.objectives import (
    AlignmentUniformity,
    InfoNCE,
    PairGated,
    PositiveAware,
    SwappedPrototypes,
    TeacherMatch,
)


def distilcse_ckd(case):
    """The batch's own rows of the teacher join the queue after the loss."""
    for block_size in (None, 3):
        student = case.leaf("student")
        objective = TeacherMatch(1 / case.number("scale"), block_size=block_size)
        named = {"prior": case.constant("teacher"), "queue": case.constant("queue_before")}
        loss = objective(student[None], **named).mean()
        case.check_loss("loss", loss, grad_student=student)


def swav(case):
    """Scores are those of unit rows and prototypes; the low-resolution view assigns nothing."""
    objective = SwappedPrototypes(
        case.number("temperature"),
        epsilon=case.number("epsilon"),
        n_iterations=case.number("iterations"),
    )
    z0, z1, prototypes = case.leaves("z0", "z1", "prototypes")
    loss = objective(torch.stack([z0, z1]), prototypes=prototypes).mean()
    case.check_loss("loss_two_views", loss, grad_z0=z0, grad_z1=z1)
    # The reference takes unit prototypes as they come; ours are normalised.
    expected = tangent(case.constant("grad_prototypes"), prototypes.detach())
    case.check("grad_prototypes", prototypes.grad, expected=expected)
    for v in (0, 1):
        scores = normalize(case.constant(f"z{v}")) @ normalize(case.constant("prototypes")).T
        case.check(f"scores{v}", scores)
        shares = balanced_assignment(scores, objective.epsilon, objective.n_iterations)
        case.check(f"q{v}", shares)
    keys = ("scores0", "scores1")
    _of_scores(case, objective, "loss_two_views", keys, ("grad_scores0", "grad_scores1"))
    grads = ("mc_grad_scores0", "mc_grad_scores1", "mc_grad_lowres")
    _of_scores(case, objective, "loss_multicrop", (*keys, "scores_lowres"), grads)


def _of_scores(case, objective, key, keys, grads):
    """Compare at given scores, which are a tenth of these as products of unit rows and axes."""
    scores = case.leaves(*keys)
    tenth = {name: getattr(objective, name) / 10 for name in ("temperature", "epsilon")}
    views = torch.stack([with_products(s / 10) for s in scores])
    axes = torch.eye(views.shape[2], dtype=views.dtype)[:-1]
    loss = clone(objective).set_params(**tenth)(views, prototypes=axes).mean()
    case.check_loss(key, loss, **dict(zip(grads, scores)))


def with_products(products):
    """Unit rows (n, K + 1) whose first columns are ``products`` (n, K)."""
    rest = (1 - products.square().sum(1, keepdim=True)).sqrt()
    return torch.cat([products, rest], 1)


def guided_negatives(case):
    """The rule of PositiveAware, with the pairs of positives among the candidates too.

    Where the positive's guide score is negative, the published share of it lies above the
    score and ours below: ours is asked for that of the score whose share is the published one.
    """
    rule = "relative" if case.number("relative") else "absolute"
    names = ["anchor", "positive", *(["negative"] if "negative" in case else [])]
    guides = {name: normalize(case.constant(f"guide_{name}")) for name in names}
    of_guide = (guides["anchor"] * guides["positive"]).sum(-1)
    if rule == "relative":
        margin = case.number("margin")
        of_guide = torch.where(of_guide < 0, of_guide * (1 - margin) / (1 + margin), of_guide)
    pairs = [("anchor", "positive")]
    pairs += [("anchor", "anchor")] * case.number("contrast_anchors")
    pairs += [("positive", "positive")] * case.number("contrast_positives")
    tau, n = case.number("temperature"), len(of_guide)
    for block_size in (None, 3):
        objective = PositiveAware(tau, rule, case.number("margin"), block_size=block_size)
        leaves = {name: case.leaf(name) for name in names}
        z = {name: normalize(leaf) for name, leaf in leaves.items()}
        partition = positive = (z["anchor"] * z["positive"]).sum(-1) / tau
        n_masked = 0
        for a, b in pairs:
            negative = objective._negatives(guides[a], guides[b], of_guide, n)
            sums = pair_sums(z[a], z[b], lambda r, c, keep=negative: (None, keep(r, c)), tau)
            partition = torch.logaddexp(partition, sums.log_partition)
            n_masked += n * n - n * (a != b) - int(negative(slice(0, n), slice(0, n)).sum())
        if "negative" in case:
            # An anchor's own hard negative is a candidate, like those of others.
            ceiling = score_ceiling(of_guide, objective.margin, rule)
            low = guides["anchor"] @ guides["negative"].T <= ceiling[:, None]
            weights = lambda r, c, low=low: (None, low[r, c])
            sums = pair_sums(z["anchor"], z["negative"], weights, tau)
            partition = torch.logaddexp(partition, sums.log_partition)
            n_masked += int((~low).sum())
        case.check("n_masked", n_masked)
        grads = {f"grad_{name}": leaf for name, leaf in leaves.items()}
        case.check_loss("loss", (partition - positive).mean(), **grads)


def clp(case):
    """A sum of two objectives: each passage beside a query of its own, the first one asks."""
    tau, weight = case.number("temperature"), case.number("weight")
    query, passages, own = case.leaves("query", "passages", "negatives_own_queries")
    pairs = torch.stack([torch.cat([query, own]), passages])
    contrast = InfoNCE(tau, form="one_way")(pairs)[0]
    # ||x - y||^2 / 2 of unit rows is 1 - cos.
    penalty = 0.5 * AlignmentUniformity(alpha=2, uniformity_weight=0)(pairs[:, 1:]).mean()
    case.check("contrastive", contrast)
    case.check("penalty", penalty)
    loss = (1 - weight) * contrast + weight * penalty
    grads = {"grad_query": query, "grad_passages": passages}
    case.check_loss("loss", loss, **grads, grad_negatives_own_queries=own)


def transport_prototypes(case):
    """The plan is not given out, so that it is made here of its parts."""
    support, query = case.constant("support"), case.constant("query")
    cost = (support[:, None] - query[None]).square().sum(2)
    cost = cost / cost.max()
    case.check("cost_matrix", cost)
    shares = balanced_assignment(-cost, case.number("regularization"), 5000)
    plan = shares / len(shares)
    case.check("plan_converged_pot", plan)
    case.check("cost_converged_pot", (plan * cost).sum())
    moved = transported_prototypes(
        support, query, epsilon=case.number("regularization"), max_iter=5000
    )
    case.check("transported", moved)


def simlap(case):
    """The gate is an input; a row is a positive of itself where both classes are one."""
    labels = {"target": case.constant("y1"), "other": case.constant("y2")}
    for block_size in (None, 3):
        z, gate = case.leaves("z", "gate")
        objective = PairGated(case.number("temperature"), block_size=block_size)
        loss = objective(z[None], **labels, gate=gate).mean()
        case.check_loss("loss", loss, grad_z=z, grad_gate=gate)
