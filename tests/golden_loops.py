"""What the files of ``tests/golden`` hold: for each objective, cases and the loop behind them.

A loop takes the views as a NumPy array (V, n, d), and gives the loss of each anchor, or one loss.
It shares no code with the objective. Most stand in the tests of their family.
"""

from math import exp, log
from typing import Any, NamedTuple

import loops_of_blocks
import numpy as np
import series_cases
import test_auxiliary
import test_common_salient
import test_conditional
import test_conr
import test_geometry
import test_label_similarity
import test_lists
import test_logit_adjusted
import test_memory
import test_objectives_naive as plain
import test_pair_gated
import test_prediction
import test_propensity
import test_prototypes
import test_rank_n_contrast
import test_reconstruction
import test_soft_target
import test_subclass_balanced
import test_teacher
import test_y_aware
import torch

NAN = float("nan")
TAU = 0.4


class Golden(NamedTuple):
    """One case: parameters and side information as JSON can hold them, and the loop."""

    params: dict
    loop: Any
    n_views: int = 2
    n: int = 5
    side: dict = {}
    d: int = 4
    # Above 0 the columns of the views are those of so many steps, one after the other.
    n_steps: int = 0


def on_unit_rows(loop, *args):
    return lambda views: loop(views / np.linalg.norm(views, axis=-1, keepdims=True), *args)


def on_tensors(loop, *args):
    return lambda views: loop(torch.tensor(views), *args)


unit = test_prototypes.unit


def previous_features(views, previous, replayed, target, tau):
    """Each kept row finds the former rows of its class, or its own, among all kept ones."""
    z, g, losses = unit(views), unit(np.array(previous)), []
    kept = [k for k in range(len(g)) if replayed[k]]
    for view in z:
        for i, row in enumerate(view):
            same = [p for p in kept if p == i or target[p] == target[i] != -1]
            log_total = log(sum(exp(row @ g[k] / tau) for k in kept))
            own = np.mean([log_total - row @ g[p] / tau for p in same]) if i in kept else 0
            losses.append(own * len(g) / len(kept))
    return losses


FORMER = {
    "previous": [[1, 2, 0, -1], [0, 1, 1, 0], [2, -1, 0, 1], [1, 1, 1, 0], [0, 0, 3, 1]],
    "replayed": [True, True, False, True, True],
    "target": [0, 0, 0, -1, 1],
}


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def others_of(z, a):
    """Rows of the other samples, and the other views of the anchor's own."""
    anchors = [b for b in plain.anchors_of(z) if b != a]
    return [b for b in anchors if b[1] != a[1]], [b for b in anchors if b[1] == a[1]]


def from_sum(positive, similarities):
    return log(sum(exp(s / TAU) for s in similarities)) - positive / TAU


def positive_aware(z, margin, most):
    losses = []
    for a in plain.anchors_of(z):
        others, own = others_of(z, a)
        mine = [z[a] @ z[b] for b in own]
        p = sum(mine) / len(mine)
        kept = sorted((s for s in (z[a] @ z[b] for b in others) if s <= p - margin), reverse=True)
        losses.append(from_sum(p, mine + kept[:most]))
    return losses


def without_false_negatives(z, guide, threshold, noise):
    losses = []
    for a in plain.anchors_of(z):
        others, own = others_of(z, a)
        kept = [b for b in others if cosine(guide[a[1]], guide[b[1]]) <= threshold]
        s = [z[a] @ z[b] for b in own + kept] + [cosine(z[a], row) for row in noise]
        losses.append(from_sum(np.mean([z[a] @ z[b] for b in own]), s))
    return losses


def second_clusters(z, centroids, alpha, beta, weight):
    order = [
        sorted(range(len(centroids)), key=lambda c: -cosine(row, centroids[c])) for row in z.mean(0)
    ]
    losses = []
    for a in plain.anchors_of(z):
        others, own = others_of(z, a)
        p = np.mean([z[a] @ z[b] for b in own])
        hard = [cosine(z[a], centroids[order[i][1]]) for _, i in plain.anchors_of(z)]
        margin = 0
        for b in others:
            if order[b[1]][0] == order[a[1]][0]:
                gap = z[a] @ z[b] - p
                margin += max(0, gap + alpha) + max(0, -gap - beta)
        loss = from_sum(p, [z[a] @ z[b] for b in others + own] + hard)
        losses.append(loss + weight * margin / len(plain.anchors_of(z)))
    return losses


def mined(z, bank, margin):
    losses = []
    for a in plain.anchors_of(z):
        others, own = others_of(z, a)
        p = np.mean([z[a] @ z[b] for b in own])
        found = [cosine(z[a], row) for row in bank[a[1]]]
        s = [z[a] @ z[b] for b in others + own]
        losses.append(from_sum(p, s + [v for v in found if v <= p - margin]))
    return losses


def independence(views, condition, width, gamma):
    """Centred alignment of the kernel of standardized columns with that of the condition."""
    h = (views[0] - views[0].mean(0)) / views[0].std(0)
    n = range(len(h))
    apart = np.array([[np.sum((h[i] - h[j]) ** 2) for j in n] for i in n])
    K = np.exp(-gamma * apart / apart.mean())
    L = np.array([[exp(-width * np.sum((condition[i] - condition[j]) ** 2)) for j in n] for i in n])
    K, L = (M - M.mean(0) - M.mean(1)[:, None] + M.mean() for M in (K, L))
    return (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)


def numbers(seed, *shape):
    """Numbers with two decimals, which a file can hold as they are."""
    return np.random.default_rng(seed).normal(size=shape).round(2).tolist()


def of_naive(*names, **params):
    """Cases of the table in ``test_objectives_naive``, in the order of ``params``."""
    cases = []
    for name, given in zip(names, params.values(), strict=True):
        objective, n_views, loop = plain.NAIVE[name]
        side = {"target": plain.TARGET} if "target" in objective.requires else {}
        cases.append(Golden(given, on_unit_rows(loop), n_views, 5, side))
    return cases


def composed(views):
    """The first view and the sum of the others, as two views."""
    both = np.stack([views[0], sum(views[1:])])
    return plain.info_nce(both / np.linalg.norm(both, axis=-1, keepdims=True), 0.3)


T = {"temperature": 0.3}
CONDITION, GUIDE, QUEUE = numbers(1, 6, 2), numbers(2, 6, 3), numbers(10, 2, 3)
NOISE, BANK, CENTROIDS = numbers(3, 2, 4), numbers(4, 6, 2, 4), numbers(5, 3, 4)
SOFT, ADJUSTED = test_soft_target.TARGET, test_logit_adjusted.TARGET
LABELS = {"target": test_y_aware.TARGET}
CLASSES, PRIOR = [0, 0, 1, 2, -1, 1], [0.5, 0.3, 0.2]
QUEUED = {"queue": numbers(11, 4, 4), "queue_target": [2, 1, 0, -1], "queue_index": [3, 9, 0, -1]}
CODES, FEW_CODES = test_prediction.CODES, test_prediction.FEW_CODES
KERNEL = {"kernel": "rbf", "kernel__gamma": 0.3}
CONR = {"target": test_conr.TARGET.tolist(), "prediction": test_conr.PREDICTION.tolist()}
PARTS = {"target": test_subclass_balanced.TARGET, "subclass": test_subclass_balanced.SUBCLASS}
CLUSTERS = [[0, 2], [1, 1], [2, 1], [0, 1], [2, 2], [1, 0]]
RELATIVE = {"relative_temperature": test_subclass_balanced.RELATIVE}


def rbf(a, b):
    return exp(-0.3 * np.sum((a - b) ** 2))


def _conditional(mode, form):
    given = {"temperature": test_conditional.TAU, "regularization": test_conditional.LAM}
    condition = np.array(CONDITION)
    loop = lambda views: test_conditional.naive(views, [condition] * 2, mode, rbf, form)
    return Golden(
        {"mode": mode, "form": form, **KERNEL, **given}, loop, 2, 6, {"condition": CONDITION}
    )


def _soft_rows(views, prior):
    target = test_soft_target.linear(test_soft_target.cosines(prior, prior))
    target = test_soft_target.mixed(target, 0.3)
    return test_soft_target.of_rows(torch.tensor(views), [(target, target)], 0.3)


def _subclasses(form, side):
    loop = on_tensors(
        test_subclass_balanced.naive, form, 0.3, None, 0.4, test_subclass_balanced.RELATIVE
    )
    return Golden({**T, "gamma": 0.4, "form": form}, loop, 2, 8, side)


def _rank_n(views):
    expected = test_rank_n_contrast.naive(torch.tensor(views), [0.0, NAN, 1.0, 0.0, 2.0], 0.7)
    return test_conr.mean_of(expected)


def _conr(form):
    targets = test_conr.TARGET, test_conr.PREDICTION
    loop = on_tensors(
        lambda views: test_conr.mean_of(test_conr.conr_by_loops(views, *targets, form))
    )
    return Golden({**test_conr.SETTINGS, "weight": 1.0, "form": form}, loop, 2, 7, CONR)


def _cross_entropy(adjustment, smoothing):
    loop = on_tensors(
        test_prediction.cross_entropy_by_loops, CODES, [0.25, 0.25, 0.5], adjustment, smoothing
    )
    given = {"adjustment": adjustment, "label_smoothing": smoothing}
    return Golden(given, loop, 2, 5, {"target": CODES.tolist()}, 3)


def _error(error):
    target = torch.tensor(numbers(6, 5, 4), dtype=torch.float64)
    loop = on_tensors(test_prediction.error_by_loops, target, error, 0.7)
    return Golden({"error": error, "delta": 0.7}, loop, 2, 5, {"target": target.tolist()})


def of_steps(loop, *times, **params):
    """A case of series of four steps of three columns."""
    mask = MASK[0] if loop is series_cases.hierarchical else MASK

    def on_steps(views):
        return loop(views.reshape(*views.shape[:2], 4, 3), mask, *times, **params)

    side = {"step_mask": [SEEN, SEEN], **dict(zip(["times"], times))}
    return Golden(params, on_steps, 2, 3, side, 12, 4)


def _rebuilt(**params):
    side = {"rows": numbers(7, 5, 3)}
    y, inputs = np.array(side["rows"]), None
    if params.get("on") == "changed":
        side["inputs"] = (y * (np.random.default_rng(8).random((2, 5, 3)) < 0.6)).tolist()
        inputs = np.array(side["inputs"])
    options = {k: v for k, v in params.items() if k != "on"}
    loop = lambda z: test_reconstruction.rebuilt_loop(z, y, inputs, **options)
    return Golden(params, loop, 2, 5, side)


def _of_neighbors(n_steps):
    shape = (3, n_steps, 2) if n_steps else (3, 2)
    side = {"rows": numbers(9, *shape), **({"step_mask": [SEEN, SEEN]} if n_steps else {})}

    def loop(views):
        z = views.reshape(*views.shape[:2], n_steps, -1) if n_steps else views
        y, seen = np.array(side["rows"]), MASK if n_steps else None
        return test_reconstruction.neighbor_loop(views, z, y, TAU, seen)

    params = {"from_": "neighbors", "temperature": TAU}
    return Golden(params, loop, 2, 3, side, 12 if n_steps else 4, n_steps)


def _queued(form, keep_top=1.0, drop_top=0.0):
    """A queue of seven places, two of which are empty and two of rows of the batch."""
    numbers_of = test_memory.NUMBERS.tolist()
    keys, queue = numbers(12, 2, 5, 4), numbers(13, 2, 7, 4)
    held = np.array(keys), np.array(queue), numbers_of, form, keep_top, drop_top
    return Golden(
        {
            "temperature": test_memory.TAU,
            "form": form,
            "queue_size": 7,
            "keep_top": keep_top,
            "drop_top": drop_top,
        },
        lambda z: test_memory.queued(z, *held),
        2,
        5,
        {"keys": keys, "queue": queue, "queue_index": numbers_of},
    )


MEMORY = unit(numbers(14, 8, 4)).tolist()
DRAWN = np.random.default_rng(15).integers(0, 8, (10, 3)).tolist()
SCORES, CENTER = numbers(16, 2, 5, 4), numbers(17, 4)
# One row is its own partner, and one is not mixed.
MIXTURES = {"partner": [3, 1, 4, 2, 0], "share": [0.3, 0.6, 1.0, 0.8, 0.1]}
GATED = dict(
    zip(
        ("target", "other", "gate"),
        (test_pair_gated.TARGET, test_pair_gated.OTHER, test_pair_gated.GATE),
    )
)
GRADES = [2.0, 1.0, 1.0, 0.0, 3.0]
CHANGED = [[True, False, False], [False] * 3, [False, True, True], [True] * 3, [False] * 3]
COUNTS = [[1.0, 0, 2, 0], [0.0] * 4, [3.0, 1, 0, 0], [0.0, 0, 0, 5], [1.0, 1, 1, 1]]
SEEN = [[True] * 4, [False, True, True, True], [True, True, False, True]]
MASK = np.array([SEEN, SEEN])
CUTS, TRIPLES = [0, 2, 1], [[0, 1, 0], [1, 2, 1], [3, 3, 3]]


_WEIGHTS = "salient_weight", "background_weight", "independence_weight"
CASES = {
    "adaptive_margin": [
        Golden(
            {**T, "margin": m},
            on_unit_rows(test_y_aware.adaptive_margin, LABELS["target"], 0.3, m),
            2,
            5,
            LABELS,
        )
        for m in (0.5, 2.0)
    ],
    "alignment_uniformity": of_naive(
        "alignment_uniformity", a={"alpha": 3, "t": 1.5, "uniformity_weight": 0.7}
    ),
    "barlow_twins": [Golden({}, lambda z: plain.barlow_twins(z, 0.005, 1e-5), 2, 7)],
    "binary_cross_entropy": [
        Golden(
            {},
            on_tensors(lambda h: test_prediction.tags_by_loops(h[..., :3], test_prediction.TAGS)),
            2,
            5,
            {"target": test_prediction.TAGS.tolist()},
        )
    ],
    "brownian_bridge": [
        of_steps(series_cases.bridge, TRIPLES, contrast=contrast, pin=pin, eps=eps)
        for contrast, pin, eps in (("middle", 0.5, 0.0), ("end", 0.0, 1e-3), ("ends", 0.0, 0.0))
    ],
    "cacr": of_naive(
        "cacr",
        "cacr rbf",
        a={"t_pos": 1.5, "t_neg": 0.7, "alpha": 2, "beta": 3},
        b={"cost": "rbf", "t": 1.5},
    ),
    "cluster_discrimination": [
        Golden(
            {"temperature": TAU, "margin": 0.1, "negative_share": share},
            on_unit_rows(
                test_prototypes.discrimination, np.array(CENTROIDS), CLUSTERS, TAU, 0.1, share
            ),
            2,
            6,
            {"centers": CENTROIDS, "cluster": CLUSTERS},
        )
        for share in (0.0, 1.0)
    ],
    "cluster_ns": [
        Golden(
            {"temperature": TAU, "alpha": 0.1, "beta": 0.3, "weight": 0.7},
            on_unit_rows(second_clusters, np.array(CENTROIDS), 0.1, 0.3, 0.7),
            2,
            6,
            {"centroids": CENTROIDS},
        )
    ],
    "common_salient": [
        Golden(
            {"n_salient": 2, **dict(zip(_WEIGHTS, weights)), "tau": 0.7},
            lambda views, weights=weights: test_common_salient.common_salient(
                views, test_common_salient.BACKGROUND, 2, weights, 0.7
            ),
            n_views,
            6,
            {"condition": test_common_salient.BACKGROUND.astype(float).tolist()},
            d=5,
        )
        for n_views, weights in ((2, (1.0, 2.0, 3.0)), (3, (10.0, 10.0, 10.0)))
    ],
    "conditional": [
        _conditional(mode, form) for mode in ("weak", "fair") for form in ("paper", "reference")
    ],
    "conr": [_conr("corrected"), _conr("reference")],
    "cross_entropy": [
        _cross_entropy(0.0, 0.0),
        _cross_entropy(0.5, 0.2),
        Golden(
            {"information": 0.7},
            on_tensors(test_prediction.informed_by_loops, FEW_CODES, 0.7),
            2,
            5,
            {"target": FEW_CODES.tolist()},
            3,
        ),
    ],
    "cross_mixup": [
        Golden(
            T,
            on_unit_rows(loops_of_blocks.cross_mixup, *MIXTURES.values(), 0.3),
            n_views,
            5,
            MIXTURES,
        )
        for n_views in (2, 3)
    ],
    "cross_view_distribution": [
        Golden(
            {"temperature": TAU, "reference_temperature": 0.3},
            on_unit_rows(
                test_prototypes.cross_view, unit(numbers(11, 2, 5, 4)), unit(NOISE), TAU, 0.3
            ),
            2,
            5,
            {"keys": numbers(11, 2, 5, 4), "queue": NOISE},
        )
    ],
    "dclr": [
        Golden(
            {"temperature": TAU, "guide": "prior", "threshold": 0.2},
            on_unit_rows(without_false_negatives, np.array(GUIDE), 0.2, np.array(NOISE)),
            2,
            6,
            {"prior": GUIDE, "noise": NOISE},
        )
    ],
    "debiased": of_naive("debiased", a={**T, "tau_plus": 0.1}),
    "decoupled": of_naive(
        "dcl",
        "dcl one_way",
        "dclw",
        a=T,
        b={**T, "form": "one_way"},
        c={**T, "weighted": True, "sigma": 0.4, "detach_weights": False},
    ),
    "decoupled_uniformity": of_naive("decoupled_uniformity", a={"t": 1.5}),
    "energy_hinge": of_naive("energy_hinge", a={"margin": 0.3}),
    "future_prediction": [
        of_steps(series_cases.future, CUTS, n_steps=k, context=context)
        for k, context in ((2, "mean"), (3, "last"))
    ],
    "gaussian": [
        Golden(T, lambda z: test_geometry.gaussian_loop(z, 0.3)),
        Golden(T, lambda z: test_geometry.gaussian_loop(z, 0.3), 3),
    ],
    "hard_negative": of_naive("hard_negative", a={**T, "tau_plus": 0.1, "beta": 1.5}),
    "hierarchical": [
        of_steps(series_cases.hierarchical, alpha=a, temporal_unit=u, temperature=0.7)
        for a, u in ((0.5, 0), (0.3, 1))
    ],
    "late_interaction": [
        of_steps(series_cases.late_interaction, pool=p, beta=b, temperature=0.4)
        for p, b in (("mean_maxsim", 10.0), ("lse", 2.0))
    ],
    "independence": [
        Golden(
            {**KERNEL, "gamma": 2.0},
            lambda views: independence(views, np.array(CONDITION), 0.3, 2.0),
            1,
            6,
            {"condition": CONDITION},
        )
    ],
    "info_nce": [
        *of_naive(
            "ntxent",
            "ntxent, 3 views",
            "two_way",
            "one_way",
            "hard",
            "focal",
            a=T,
            b=T,
            c={**T, "form": "two_way"},
            d={**T, "form": "one_way"},
            e={**T, "form": "one_way", "hard_negatives": True, "hard_negative_weight": 0.7},
            f={**T, "focal": 2.0},
        ),
        Golden({**T, "compose": "sum"}, composed, 3),
        _queued("one_way"),
        _queued("two_way", 0.5, 0.2),
        _queued("ntxent", 0.7),
    ],
    "instance_discrimination": [
        Golden(
            {"n_noise": 3, "temperature": test_memory.TAU},
            lambda z: test_memory.contrasted(z, np.array(MEMORY), DRAWN, 1.5),
            2,
            5,
            {"memory": MEMORY, "noise_index": DRAWN, "log_normalizer": 1.5},
        )
    ],
    "kernel_info_nce": of_naive(
        "laplace", "mixed kernel", a=T, b={**T, "gamma": 0.5, "mixture": "kernel", "weight": 0.3}
    ),
    "list_mle": [
        Golden(
            T,
            on_unit_rows(test_lists.list_mle, test_lists.GRADES, test_lists.QUERIES, 0.3),
            n_views,
            7,
            {"target": test_lists.GRADES, "groups": test_lists.QUERIES},
        )
        for n_views in (2, 3)
    ],
    "listwise_wasserstein": [
        Golden(
            {**T, "target_temperature": 0.7},
            on_unit_rows(
                test_lists.listwise_wasserstein, test_lists.OF_LISTS, test_lists.LISTS, 0.3, 0.7
            ),
            2,
            15,
            {"target": test_lists.OF_LISTS, "groups": test_lists.LISTS},
        )
    ],
    "logit_adjusted": [
        Golden(
            {**T, "adjustment": a},
            on_tensors(
                test_logit_adjusted.naive,
                ADJUSTED,
                0.3,
                a,
                test_logit_adjusted.frequencies(ADJUSTED),
            ),
            2,
            7,
            {"target": ADJUSTED},
        )
        for a in (0.0, 1.0)
    ]
    + [
        Golden(
            T,
            on_tensors(
                test_logit_adjusted.naive, CLASSES, 0.3, 1.0, dict(enumerate(PRIOR)), QUEUED
            ),
            2,
            6,
            {"target": CLASSES, "class_prior": PRIOR, "index": list(range(6)), **QUEUED},
        )
    ],
    "lorentz": [
        Golden(
            {**T, "curvature": c, "entailment": 0.5},
            lambda z, c=c: test_geometry.lorentz_loop(z, c, 0.5, 0.3),
        )
        for c in (0.3, 2.0)
    ],
    "mined": [
        Golden(
            {"temperature": TAU, "rule": "absolute", "margin": 0.1},
            on_unit_rows(mined, np.array(BANK), 0.1),
            2,
            6,
            {"negatives": BANK},
        )
    ],
    "pair_gated": [
        Golden(
            T,
            lambda views: test_pair_gated.pair_gated(views, *GATED.values(), 0.3),
            n_views,
            7,
            GATED,
        )
        for n_views in (1, 2)
    ],
    "pair_score": [
        Golden(
            {},
            on_unit_rows(test_teacher.pair_score, test_teacher.SCORES),
            n_views,
            5,
            {"target": test_teacher.SCORES},
        )
        for n_views in (2, 3)
    ],
    "previous_features": [
        Golden(T, lambda views: previous_features(views, *FORMER.values(), 0.3), n_views, 5, FORMER)
        for n_views in (1, 2)
    ],
    "one_to_k": [Golden(T, on_unit_rows(loops_of_blocks.one_to_k, 0.3), 3)],
    "pairwise": [
        Golden({"objective": "info_nce"}, on_unit_rows(loops_of_blocks.pairwise, 0.2), n)
        for n in (2, 3)
    ],
    "self_distillation": [
        Golden(
            {"view": None, "n_outputs": 4, "temperature": 0.5, "teacher_temperature": 0.3},
            lambda z: test_memory.distilled(z, np.array(SCORES), np.array(CENTER), 0.5, 0.3),
            n_views,
            5,
            {"keys": SCORES, "center": CENTER},
        )
        for n_views in (2, 3)
    ],
    "sigmoid": [
        Golden(
            {**T, "bias": -1.5, "gamma": gamma},
            on_unit_rows(loops_of_blocks.sigmoid, 0.3, -1.5, gamma),
        )
        for gamma in (0.0, 2.0)
    ],
    "symile": [
        Golden({**T, "negatives": "all"}, on_unit_rows(loops_of_blocks.symile, 0.3), n, 4)
        for n in (2, 3)
    ],
    "propensity": [
        Golden(
            {**T, "guide": "prior", "kernel": "rbf", "kernel__gamma": 0.3, "weight_temperature": h},
            on_unit_rows(test_propensity.naive, np.array(CONDITION), np.array(GUIDE), 0.3, 0.3, h),
            n_views,
            6,
            {"prior": GUIDE, "condition": CONDITION},
        )
        for n_views, h in ((2, 0.5), (3, 0.1))
    ],
    "pairwise_ranking": [
        Golden(
            {"margin": margin},
            lambda z, margin=margin: test_geometry.ranking_loop(z, GRADES, margin),
            2,
            5,
            {"target": [[y] for y in GRADES]},
        )
        for margin in (0.0, 0.7)
    ],
    "poly_view": of_naive(
        "geometric",
        "arithmetic",
        "sufficient",
        "sufficient view",
        a=T,
        b={**T, "form": "arithmetic"},
        c={**T, "form": "sufficient"},
        d={**T, "form": "sufficient", "anchor": "view"},
    ),
    "positive_aware": [
        Golden(
            {"temperature": TAU, "rule": "absolute", "margin": 0.2, "n_negatives": most},
            on_unit_rows(positive_aware, 0.2, most),
            2,
            6,
        )
        for most in (None, 2)
    ],
    "prediction_error": [_error("squared"), _error("absolute"), _error("huber")],
    "rank_n_contrast": [
        Golden({"temperature": 0.7}, _rank_n, 2, 5, {"target": [0.0, NAN, 1.0, 0.0, 2.0]})
    ],
    "rank_penalty": [Golden({}, test_geometry.rank_loop, 2, 6)],
    "reconstruction": [
        _rebuilt(error="huber", delta=0.7),
        _rebuilt(on="changed"),
        _of_neighbors(0),
        _of_neighbors(4),
    ],
    "replaced_features": [
        Golden(
            {"on": on},
            lambda z, v=v: test_auxiliary.replaced_loop(z[v], np.array(CHANGED)),
            2,
            5,
            {"rows": numbers(7, 5, 3), "changed": CHANGED},
        )
        for on, v in (("whole", 0), ("corrupted", 1))
    ],
    "structure_consistency": [Golden({}, test_auxiliary.structure_loop, v, 6) for v in (2, 3)],
    "distribution": [
        Golden(
            {"temperature": TAU, "reconstruction": 0.5},
            lambda z: test_auxiliary.distribution_loop(z, np.array(COUNTS), TAU, 0.5),
            2,
            5,
            {"rows": COUNTS},
        )
    ],
    "patch_origin": [
        Golden(
            {"n_pieces": 2, "temperature": TAU, "place_weight": 0.7},
            lambda z: test_auxiliary.origin_loop(z.reshape(2, 3, 4, 3), MASK, 2, TAU, 0.7),
            2,
            3,
            {"step_mask": [SEEN, SEEN]},
            12,
            4,
        )
    ],
    "soft_target": [
        Golden(
            T,
            on_tensors(test_soft_target.naive, SOFT, test_soft_target.identity, 0.3, 0.35),
            2,
            6,
            {"target": SOFT},
        ),
        Golden(
            {**T, "similarity": "prior", "alpha": 0.3, "scaling": "linear"},
            lambda views: _soft_rows(views, np.array(GUIDE)),
            2,
            6,
            {"prior": GUIDE},
        ),
    ],
    "spectral": of_naive(
        "spectral", "spectral all", a={}, b={"weight": 0.5, "include_positive": True}
    ),
    "subclass_balanced": [_subclasses("ccl", PARTS), _subclasses("rank", {**PARTS, **RELATIVE})],
    "supcon": of_naive(
        "supcon",
        "supcon inside",
        "supcon first",
        a=T,
        b={**T, "form": "inside"},
        c={**T, "anchors": "first"},
    )
    + [
        Golden(
            {**T, "label_similarity": "tree", "margin": 0.5},
            on_tensors(
                test_label_similarity.naive,
                test_label_similarity.GROUPS,
                test_label_similarity.common_groups,
                0.3,
                "outside",
                False,
                1.0,
                0.5,
            ),
            2,
            6,
            {"target": test_label_similarity.GROUPS},
        )
    ],
    "teacher_match": [
        Golden(
            {"temperature": TAU},
            lambda views: test_teacher.teacher_match(views, np.array(GUIDE), TAU, np.array(QUEUE)),
            2,
            6,
            {"prior": GUIDE, "queue": QUEUE},
        )
    ],
    "teacher_similarity": [
        Golden(
            {"temperature": TAU, "teacher_temperature": 0.2},
            on_unit_rows(test_teacher.teacher_similarity, np.array(GUIDE), TAU, 0.2),
            n_views,
            6,
            {"prior": GUIDE},
        )
        for n_views in (1, 2)
    ],
    "vicreg": [Golden({}, lambda z: plain.vicreg(z), 2, 7)],
    "y_aware": [
        Golden(
            {**T, "gamma": 0.7, "normalization": kind},
            on_unit_rows(test_y_aware.y_aware, LABELS["target"], 0.3, 0.7, kind == "column"),
            2,
            5,
            LABELS,
        )
        for kind in ("row", "column")
    ],
}
CASES = {name: list(cases) for name, cases in CASES.items()}
# They hold mixtures, or shares of prototypes, constant in the gradient: test_supremix.py and
# test_prototypes.py have their loops.
WITHOUT = {"supremix", "swapped_prototypes"} | {"mc_info_nce"}  # which draws
