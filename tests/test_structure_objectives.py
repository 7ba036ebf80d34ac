"""Objectives that choose negatives by the data's structure: plain loops, laws, training."""

import numpy as np
import pytest
import test_checkpoint
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skcontrast import ContrastiveEncoder
from skcontrast.checkpoint import Checkpoint
from skcontrast.functional import normalize
from skcontrast.networks import MLP
from skcontrast.objectives import (
    DCLR,
    BarlowTwins,
    ClusterNS,
    EnergyHinge,
    InfoNCE,
    MinedNegatives,
    PositiveAware,
)

TAU = 0.4


def draw(n_views=2, n=6, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def flat_of(views):
    """Unit rows of all views, and the sample of each."""
    z = normalize(views).flatten(0, 1)
    return z, torch.arange(len(z)) % views.shape[1]


def positive_of(z, sample, i):
    """Mean similarity to the other views of the sample."""
    own = [float(z[i] @ z[j]) for j in range(len(z)) if j != i and sample[j] == sample[i]]
    return sum(own) / len(own)


def from_sum(positive, similarities):
    return float(np.log(np.exp(np.array(similarities) / TAU).sum()) - positive / TAU)


@pytest.fixture(params=[None, 3], ids=["dense", "tiled"])
def block_size(request):
    return request.param


# ---------------------------------------------------------------- the batch


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("n_negatives", [None, 2])
@pytest.mark.parametrize(("rule", "margin"), [("relative", 0.3), ("absolute", 0.2), ("fixed", 0.6)])
def test_positive_aware_is_a_loop(n_views, rule, margin, n_negatives, block_size):
    views = draw(n_views)
    z, sample = flat_of(views)
    expected = []
    for i in range(len(z)):
        p = positive_of(z, sample, i)
        ceiling = {"relative": p - margin * abs(p), "absolute": p - margin, "fixed": 1 - margin}
        s = [float(z[i] @ z[k]) for k in range(len(z)) if sample[k] != sample[i]]
        negatives = sorted((v for v in s if v <= ceiling[rule]), reverse=True)[:n_negatives]
        own = [float(z[i] @ z[k]) for k in range(len(z)) if k != i and sample[k] == sample[i]]
        expected.append(from_sum(p, own + negatives))
    objective = PositiveAware(TAU, rule, margin, n_negatives, block_size=block_size)
    torch.testing.assert_close(objective(views), torch.tensor(expected, dtype=torch.float64))


def test_positive_aware_by_features_from_elsewhere(block_size):
    views, prior = draw(), draw(1, d=3, seed=1)[0]
    z, sample = flat_of(views)
    g = normalize(prior)
    expected = []
    for i in range(len(z)):
        best = max(
            (k for k in range(6) if k != sample[i] and float(g[sample[i]] @ g[k]) <= 0.7),
            key=lambda k: float(g[sample[i]] @ g[k]),
            default=None,
        )
        p = positive_of(z, sample, i)
        # Both views of the best tie, and both stay.
        expected.append(from_sum(p, [p] + [float(z[i] @ z[j]) for j in (best, best + 6)]))
    objective = PositiveAware(TAU, "relative", 0.3, 1, guide="prior", block_size=block_size)
    assert objective.requires == ("views", "prior")
    loss = objective(views, prior=prior)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("form", ["ntxent", "one_way"])
def test_dclr_is_a_loop(form, block_size):
    views, guide, noise = draw(), draw(1, d=3, seed=1)[0], draw(1, n=3, seed=2)[0]
    z, sample = flat_of(views)
    g, e = normalize(guide), normalize(noise)
    expected = []
    for i in range(6 if form == "one_way" else 12):
        candidates = range(6, 12) if form == "one_way" else [k for k in range(12) if k != i]
        kept = [
            float(z[i] @ z[k])
            for k in candidates
            if sample[k] == sample[i] or float(g[sample[i]] @ g[sample[k]]) <= 0.2
        ]
        kept += [float(z[i] @ row) for row in e]
        expected.append(from_sum(positive_of(z, sample, i), kept))
    objective = DCLR(TAU, guide="prior", threshold=0.2, form=form, block_size=block_size)
    loss = objective(views, prior=guide, noise=noise)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


def test_noise_is_drawn_as_often_as_asked_for():
    views = draw()
    torch.manual_seed(0)
    noise = torch.randn(9, 4, dtype=torch.float64)
    torch.manual_seed(0)
    loss = DCLR(TAU, noise_ratio=1.5)(views)
    torch.testing.assert_close(loss, DCLR(TAU)(views, noise=noise))
    assert (loss > DCLR(TAU)(views)).all()


# ---------------------------------------------------------------- clusters


@pytest.mark.parametrize("form", ["ntxent", "one_way"])
@pytest.mark.parametrize("n_views", [2, 3])
def test_cluster_ns_is_a_loop(form, n_views, block_size):
    views, centroids = draw(n_views, n=7), draw(1, n=3, seed=1)[0]
    z, sample = flat_of(views)
    c = normalize(centroids)
    one_way = form == "one_way"
    of_sample = z[:7] if one_way else normalize(views).mean(0)
    order = (of_sample @ c.T).argsort(1, descending=True)
    candidates = list(range(7, 14) if one_way else range(len(z)))
    expected = []
    for i in range(7 if one_way else len(z)):
        p = float(z[i] @ z[i + 7]) if one_way else positive_of(z, sample, i)
        s = [float(z[i] @ z[k]) for k in candidates if k != i]
        hard = [float(z[i] @ c[order[j, 1]]) for j in range(7)] * (len(candidates) // 7)
        margin = 0
        for k in candidates:
            if sample[k] != sample[i] and order[sample[k], 0] == order[sample[i], 0]:
                D = float(z[i] @ z[k]) - p
                margin += max(0, D + 0.1) + max(0, -D - 0.3)
        expected.append(from_sum(p, s + hard) + 0.7 * margin / len(candidates))
    assert len(np.unique(order[:, 0])) > 1  # or the loop would test little
    objective = ClusterNS(TAU, alpha=0.1, beta=0.3, weight=0.7, form=form, block_size=block_size)
    loss = objective(views, centroids=centroids)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


def test_mined_negatives_are_a_loop(block_size):
    views, bank = draw(), draw(1, n=18, seed=1)[0].reshape(6, 3, 4)
    there = torch.rand(6, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    z, sample = flat_of(views)
    b = normalize(bank)
    expected = []
    for i in range(len(z)):
        p = positive_of(z, sample, i)
        s = [float(z[i] @ z[k]) for k in range(len(z)) if k != i]
        mined = [float(z[i] @ b[sample[i], r]) for r in range(3) if there[sample[i], r]]
        expected.append(from_sum(p, s + [v for v in mined if v <= p - 0.1]))
    objective = MinedNegatives(TAU, rule="absolute", margin=0.1, block_size=block_size)
    loss = objective(views, negatives=bank, there=there)
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize(
    ("objective", "named"),
    [
        (ClusterNS(TAU, weight=0.5), {"centroids": draw(1, n=3, seed=1)[0]}),
        (ClusterNS(TAU, weight=0.5, form="one_way"), {"centroids": draw(1, n=3, seed=1)[0]}),
        (MinedNegatives(TAU), {"negatives": draw(1, n=12, seed=1)[0].reshape(6, 2, 4)}),
        (DCLR(TAU), {"noise": draw(1, n=2, seed=1)[0]}),
    ],
)
def test_gradients_with_what_comes_beside(objective, named):
    views = draw().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: objective(x, **named), views)


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize(
    "objective",
    [
        ClusterNS(TAU),
        DCLR(TAU, threshold=1.0),
        MinedNegatives(TAU),
        PositiveAware(TAU, margin=-100.0),
        PositiveAware(TAU, "absolute", margin=-2.0),
        PositiveAware(TAU, "fixed", margin=0.0, n_negatives=100),
    ],
)
@pytest.mark.parametrize("n_views", [2, 3])
def test_without_structure_it_is_info_nce(objective, n_views):
    views = draw(n_views)
    torch.testing.assert_close(objective(views), InfoNCE(TAU)(views))


@pytest.mark.parametrize("cls", [ClusterNS, DCLR])
def test_one_way_forms_are_those_of_info_nce(cls):
    objective = cls(TAU, form="one_way")
    if cls is DCLR:
        objective.set_params(threshold=1.0)
    torch.testing.assert_close(objective(draw()), InfoNCE(TAU, form="one_way")(draw()))


def test_a_fixed_ceiling_is_the_filter_of_a_guide():
    views, prior = draw(), draw(1, d=3, seed=1)[0]
    first = PositiveAware(TAU, "fixed", margin=0.6, guide="prior")(views, prior=prior)
    torch.testing.assert_close(first, DCLR(TAU, guide="prior", threshold=0.4)(views, prior=prior))


def test_a_mined_copy_of_the_row_is_left_out():
    views = draw()[:1].expand(2, -1, -1)
    copies = views[0][:, None]
    plain = InfoNCE(TAU)(views)
    torch.testing.assert_close(MinedNegatives(TAU)(views, negatives=copies), plain)
    assert (MinedNegatives(TAU, margin=-1.0)(views, negatives=copies) > plain).all()


# ---------------------------------------------------------------- the state of a training


def two_groups(n=40):
    rng = np.random.default_rng(0)
    return np.vstack([rng.normal(size=(n // 2, 3)) + 8, rng.normal(size=(n // 2, 3)) - 8])


def test_clusters_are_found_after_the_warm_up_and_follow_the_rows():
    rows = torch.tensor(two_groups())
    built = ClusterNS(n_clusters=2, warm_up=2).build(40)
    torch.manual_seed(0)
    for epoch in range(2):
        built.refresh(epoch, lambda: rows)
        assert built.centroids is None and (built.cluster == -1).all()
    built.refresh(2, lambda: rows)
    assert built.centroids.shape == (2, 3)
    first = built.cluster.clone()
    assert first[:20].unique().numel() == first[20:].unique().numel() == 1
    # Clusters keep their numbers from epoch to epoch.
    built.refresh(3, lambda: rows)
    assert torch.equal(built.cluster, first)
    assert int(built.n_epochs) == 4
    built.refresh(4, lambda: torch.ones(40, 3))  # all alike: no second cluster
    assert built.centroids is None


def test_mined_rows_are_the_nearest_others_behind_the_skipped():
    rows = torch.tensor(two_groups(12)) + torch.arange(12)[:, None]
    built = MinedNegatives(n_candidates=3, skip=1, warm_up=0).build(12)
    built.refresh(0, lambda: rows)
    z = normalize(rows)
    for i in range(12):
        s = z @ z[i]
        others = sorted((j for j in range(12) if j != i), key=lambda j: -float(s[j]))
        assert built.mined[i].tolist() == others[1:4]


def test_mined_rows_are_drawn_once_each():
    rows = draw(1, n=10)[0]
    built = MinedNegatives(n_negatives=4, n_candidates=6, warm_up=0).build(10)
    built.refresh(0, lambda: rows)
    seen = []
    built.objective.loss = lambda views, **named: seen.append(named)
    built(views=draw(n=3), index=torch.tensor([7, 0, 3]))
    for sample, drawn in zip((7, 0, 3), seen[0]["negatives"]):
        numbers = [int((rows == row).all(1).nonzero()) for row in drawn]
        assert len(set(numbers)) == 4
        assert set(numbers) <= set(built.mined[sample].tolist())


def test_few_candidates_are_enough():
    rows = draw(1, n=50)[0]
    torch.manual_seed(0)
    built = MinedNegatives(max_candidates=5, n_candidates=10, warm_up=0).build(50)
    built.refresh(0, lambda: rows)
    found = built.mined[built.mined >= 0]
    assert len(found.unique()) == 5
    assert (built.mined != torch.arange(50)[:, None]).all()


def encoder(**params):
    small = {"network": MLP(hidden_layer_sizes=(8,)), "n_components": 3, "random_state": 0}
    return ContrastiveEncoder(**{"max_iter": 4, "views": "corruption", **small, **params})


TRAINED = [
    ClusterNS(n_clusters=4, warm_up=1, weight=0.5),
    DCLR(noise_ratio=1.0),
    DCLR(guide="prior", threshold=0.5),
    MinedNegatives(warm_up=1, n_candidates=4),
    PositiveAware(n_negatives=3),
    0.5 * ClusterNS(warm_up=0) + MinedNegatives(warm_up=0),
]


@pytest.mark.parametrize("objective", TRAINED, ids=lambda o: repr(o)[:30])
@pytest.mark.parametrize("n", [2, 3, 10, 40])
def test_training_is_finite_and_repeats(objective, n):
    X = two_groups()[:: 40 // n][:n]
    given = {"prior": X} if "prior" in objective.requires else {}
    models = [encoder(objective=objective, batch_size=8).fit(X, **given) for _ in range(2)]
    first, second = (model.transform(X) for model in models)
    assert np.isfinite(first).all() and np.isfinite(models[0].loss_curve_).all()
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("objective", TRAINED, ids=lambda o: repr(o)[:30])
def test_rows_that_are_all_alike(objective):
    X = np.ones((12, 3))
    given = {"prior": X} if "prior" in objective.requires else {}
    model = encoder(objective=objective, views="noise").fit(X, **given)
    assert np.isfinite(model.transform(X)).all()


@pytest.mark.parametrize("name", ["cluster_ns", "mined"])
def test_the_warm_up_is_info_nce_and_the_rest_is_not(name):
    X = two_groups()
    plain = encoder(objective="info_nce").fit(X).loss_curve_
    late = encoder(objective=name).set_params(objective__warm_up=2).fit(X).loss_curve_
    np.testing.assert_allclose(plain[:2], late[:2], rtol=1e-6)
    assert abs(plain[2] - late[2]) > 1e-3


def test_a_longer_training_goes_on_from_its_clusters():
    X = two_groups()
    model = encoder(objective=ClusterNS(warm_up=2), max_iter=3, warm_start=True).fit(X)
    assert model.objective_weights_["n_epochs"] == 3
    model.fit(X)
    assert model.objective_weights_["n_epochs"] == 6
    with pytest.raises(ValueError, match="keeps a state for each row"):
        model.partial_fit(X[:30])


@pytest.mark.parametrize(
    "params",
    [
        {"objective": ClusterNS(n_clusters=4, warm_up=1)},
        {"objective": MinedNegatives(warm_up=1, n_candidates=8)},
        {"objective": DCLR(noise_ratio=1.0), "sampler": "clustered"},
    ],
    ids=["cluster_ns", "mined", "clustered"],
)
def test_a_killed_training_goes_on_as_if_it_had_not_been(params, tmp_path):
    unbroken = test_checkpoint.encoder(**params).fit(test_checkpoint.X)
    model = test_checkpoint.encoder(**params, checkpoint=Checkpoint(tmp_path, every=2))
    test_checkpoint.killed_after(5, model)
    test_checkpoint.assert_same(model.fit(test_checkpoint.X), unbroken)


@pytest.mark.gpu
@pytest.mark.parametrize("cls", [ClusterNS, MinedNegatives])
def test_a_step_with_state_does_not_wait_for_the_device(cls):
    rows = draw(1, n=40)[0].cuda()
    built = cls(warm_up=0).build(40).cuda()
    built.refresh(0, lambda: rows)
    views, index = draw(n=8).cuda().requires_grad_(), torch.arange(8, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        built(views=views, index=index).mean().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert views.grad.isfinite().all()


def test_parameters_are_searched():
    X = two_groups()
    y = np.arange(40) // 20
    model = make_pipeline(encoder(objective="mined", max_iter=2), DecisionTreeClassifier())
    grid = {"contrastiveencoder__objective__n_negatives": [1, 3]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.5
    assert clone(model).get_params()["contrastiveencoder__objective"] == "mined"


def test_what_has_no_meaning_is_refused():
    with pytest.raises(ValueError, match="alpha=0.9 is above beta=0.5: type a smaller alpha"):
        ClusterNS(alpha=0.9).build(4)
    with pytest.raises(ValueError, match="at least 2 centroids"):
        ClusterNS()(draw(), centroids=draw(1, n=1)[0])
    with pytest.raises(ValueError, match="needs 'prior'"):
        encoder(objective=DCLR(guide="prior")).fit(two_groups())
    for objective in (InfoNCE() + EnergyHinge(), EnergyHinge() + 0.1 * BarlowTwins()):
        with pytest.raises(ValueError, match="would pull near: type InfoNCE"):
            objective.check_views(3, makes_negatives=True)
    (InfoNCE(form="one_way") + EnergyHinge()).check_views(3, makes_negatives=True)
