"""Objectives that compare rows with prototypes, or distributions over rows: loops and laws."""

from math import exp, log

import numpy as np
import pytest
import test_objectives_naive as plain
import torch
from instances import blobs
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score

from skcontrast import ContrastiveEncoder
from skcontrast.functional import balanced_assignment, normalize
from skcontrast.objectives import (
    ClusterDiscrimination,
    CrossViewDistribution,
    InfoNCE,
    SwappedPrototypes,
)

X, Y = blobs()


def draw(n_views=2, n=5, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def unit(rows):
    rows = np.asarray(rows)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(-1, keepdims=True)


def shares_of(scores, epsilon, n_iterations):
    """Sinkhorn's iterations on plain exponentials."""
    q = np.exp(scores / epsilon)
    for _ in range(n_iterations):
        q = q / q.sum(0)
        q = q / q.sum(1, keepdims=True)
    return q


def swapped(z, prototypes, tau, epsilon, n_iterations, n_assigning):
    losses = np.zeros(z.shape[1])
    for v in range(n_assigning):
        q = shares_of(z[v] @ prototypes.T, epsilon, n_iterations)
        for u in range(len(z)):
            if u != v:
                losses -= (q * np.log(softmax(z[u] @ prototypes.T / tau))).sum(1)
    return losses / (n_assigning * (len(z) - 1))


def cross_view(z, reference, queue, tau, sharp):
    losses = np.zeros(z.shape[1])
    for v in range(len(z)):
        candidates = np.concatenate([queue, reference[v]])
        T = softmax(reference[v] @ candidates.T / sharp)
        for u in range(len(z)):
            if u != v:
                P = softmax(z[u] @ candidates.T / tau)
                losses += (T * np.log(T / P)).sum(1)
    return losses / (len(z) - 1)


def discrimination(z, centers, cluster, tau, margin, share):
    """With all clusters as negatives (share 1), or none (share 0)."""
    w, losses = unit(centers), []
    for a in plain.anchors_of(z):
        near = sum(exp((margin - z[a] @ w[c]) / tau) for c in set(cluster[a[1]]))
        others = [c for c in range(len(w)) if c not in cluster[a[1]]]
        far = share * sum(exp((margin + z[a] @ w[c]) / tau) for c in others)
        losses.append(log(1 + near) + log(1 + far))
    return losses


CENTERS, CLUSTER = draw(1, 3, seed=1)[0], [[0, 2], [1, 1], [2, 1], [0, 1], [2, 2]]


def close(value, expected, rtol=1e-10):
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("n_views", [2, 3])
def test_losses_are_loops(n_views):
    views, z = draw(n_views), unit(draw(n_views))
    for assigning in (1, 2):
        objective = SwappedPrototypes(0.3, 3, 0.2, 4, assigning)
        expected = swapped(z, unit(CENTERS), 0.3, 0.2, 4, assigning)
        close(objective(views, prototypes=CENTERS), expected)
    for share in (0.0, 1.0):
        loss = ClusterDiscrimination(0.3, margin=0.1, negative_share=share)(
            views, centers=CENTERS, cluster=torch.tensor(CLUSTER)
        )
        close(loss, discrimination(z, CENTERS, CLUSTER, 0.3, 0.1, share))
    reference, queue = draw(n_views, seed=2), draw(1, 3, seed=3)[0]
    for block_size in (None, 2):
        objective = CrossViewDistribution(0.3, 0.2, block_size)
        loss = objective(views, keys=reference, queue=queue)
        close(loss, cross_view(z, unit(reference), unit(queue), 0.3, 0.2))


# ---------------------------------------------------------------------- laws


def test_shares_are_balanced():
    scores = draw(1, 12, 4, seed=4)[0]
    few, many = (balanced_assignment(scores, 0.5, k) for k in (1, 300))
    close(few.sum(1), np.ones(12))
    close(many.sum(1), np.ones(12))
    close(many.sum(0), np.full(4, 3.0), 1e-6)
    assert (few.sum(0) - 3).abs().max() > 0.01
    sharp = balanced_assignment(scores, 0.01, 300)
    assert sharp.max(1).values.median() > 0.99
    # Scores that would overflow an exponential.
    assert balanced_assignment(1e5 * scores, 0.01).isfinite().all()


def test_the_order_of_prototypes_does_not_matter():
    views, order = draw(), torch.tensor([2, 0, 1])
    objective = SwappedPrototypes()
    close(objective(views, prototypes=CENTERS[order]), objective(views, prototypes=CENTERS))


def test_equal_views_on_their_prototypes_have_no_loss_left():
    axes = torch.eye(4, dtype=torch.float64)
    views = axes.repeat(1, 3, 1).expand(2, 12, 4)
    assert SwappedPrototypes(0.01, epsilon=0.01)(views, prototypes=axes).max() < 1e-12
    assert SwappedPrototypes(0.01, epsilon=0.01)(views, prototypes=axes.roll(1, 1)).max() < 1e-12
    assert SwappedPrototypes(1.0)(views, prototypes=axes).min() > 0.5


def test_equal_views_are_told_the_prototype_that_each_row_has():
    views = draw(1, 12, seed=4).repeat(2, 1, 1)
    s = normalize(views[0]) @ normalize(CENTERS).T
    # Four rows of each prototype, by the assignment that is best in all.
    best = torch.as_tensor(linear_sum_assignment(-s.repeat(1, 4))[1] % 3)
    loss = SwappedPrototypes(0.3, epsilon=5e-3, n_iterations=3000)(views, prototypes=CENTERS)
    expected = torch.nn.functional.cross_entropy(s / 0.3, best, reduction="none")
    close(loss, expected, 0.01)


def test_views_that_agree_have_nothing_to_learn_from_each_other():
    views = draw()[:1].repeat(2, 1, 1).requires_grad_()
    loss = CrossViewDistribution(0.2, 0.2)(views)
    close(loss, np.zeros(5))
    loss.mean().backward()
    assert views.grad.abs().max() < 1e-15
    other = CrossViewDistribution(0.2, 0.2)(draw())
    assert (other > 0.01).all()


def test_a_sharp_reference_is_one_way_info_nce_in_both_directions():
    # A row is the whole of its own target, and the reference's rows are held.
    z = draw()
    expected = InfoNCE(0.2, "one_way")(z) + InfoNCE(0.2, "one_way")(z.flip(0))
    close(CrossViewDistribution(0.2, 1e-3)(z), expected.numpy(), 1e-9)


def test_without_negatives_only_the_own_clusters_are_left():
    views, cluster = draw(), torch.tensor(CLUSTER)
    given = {"centers": CENTERS, "cluster": cluster}
    none = ClusterDiscrimination(0.3, negative_share=0.0)(views, **given)
    assert (none < ClusterDiscrimination(0.3, negative_share=1.0)(views, **given)).all()
    toward = ClusterDiscrimination(0.3, negative_share=0.0)
    on_them = CENTERS[cluster[:, 0]].expand(2, 5, 4)
    same = {"centers": CENTERS, "cluster": cluster[:, :1]}
    assert (toward(on_them, **same) < toward(views, **same)).all()


def test_a_low_temperature_is_a_hinge():
    views, cluster, tau = draw(), torch.tensor(CLUSTER), 1e-4
    objective = ClusterDiscrimination(tau, margin=0.1, negative_share=1.0)
    cosines = (normalize(views) @ normalize(CENTERS).T).flatten(0, 1)
    own = torch.zeros(5, 3, dtype=torch.bool).scatter(1, cluster, True).repeat(2, 1)
    near = (0.1 - cosines.masked_fill(~own, torch.inf).amin(1)).clamp_min(0)
    far = (0.1 + cosines.masked_fill(own, -torch.inf).amax(1)).clamp_min(0)
    loss = tau * objective(views, centers=CENTERS, cluster=cluster)
    np.testing.assert_allclose(loss, near + far, atol=1e-3)


# ------------------------------------------------------------ with an estimator


def encoder(objective, **params):
    given = {"n_components": 6, "max_iter": 20, "passthrough": False, "random_state": 0}
    given |= {"views": "noise", "batch_size": 30, **params}
    return ContrastiveEncoder(objective=objective, **given)


def test_prototypes_do_not_collapse():
    objective = SwappedPrototypes(n_prototypes=9, warm_up=0)
    model = encoder(objective, max_iter=40).fit(X)
    prototypes = normalize(torch.as_tensor(model.objective_weights_["prototypes"]))
    scores = normalize(torch.as_tensor(model.transform(X)).to(prototypes.dtype)) @ prototypes.T
    share = balanced_assignment(scores).mean(0)
    entropy = -(share * share.log()).sum()
    assert entropy > 0.9 * np.log(9)
    # Rows of one group share prototypes, and a view tells the prototype of the other.
    assert normalized_mutual_info_score(Y, scores.argmax(1)) > 0.4
    assert model.loss_curve_[-1] < 0.3 * np.log(9)


def test_prototypes_wait_for_the_warm_up():
    def after(max_iter, warm_up):
        model = encoder(SwappedPrototypes(n_prototypes=5, warm_up=warm_up), max_iter=max_iter)
        return model.fit(X).objective_weights_["prototypes"]

    assert np.array_equal(after(1, 2), after(2, 2))
    assert not np.array_equal(after(2, 2), after(3, 2))
    assert after(1, 1).shape == (5, 6)


@pytest.mark.parametrize(
    "objective",
    [
        SwappedPrototypes(),
        ClusterDiscrimination(n_clusters=5, n_labels=2),
        ClusterDiscrimination(n_clusters=5, n_labels=2, space="prior", refresh_every=2),
        CrossViewDistribution(),
        InfoNCE() + 0.1 * SwappedPrototypes("learned"),
    ],
)
def test_training_repeats_and_goes_on(objective):
    given = {"prior": X} if "prior" in objective.requires else {}
    model = encoder(objective, max_iter=3, projector="mlp", warm_start=True).fit(X, **given)
    again = clone(model).fit(X, **given)
    assert np.array_equal(again.transform(X), model.transform(X))
    assert np.isfinite(again.fit(X, **given).loss_curve_).all()


def test_clusters_are_those_of_the_prior():
    objective = ClusterDiscrimination(n_clusters=3, n_labels=1, space="prior")
    far = np.eye(3, 5)[Y] + 0.01 * X
    model = encoder(objective).fit(X, prior=far)
    cluster = model.objective_weights_["cluster"][:, 0]
    assert normalized_mutual_info_score(Y, cluster) == 1
    centers = normalize(torch.as_tensor(model.objective_weights_["centers"]))
    rows = normalize(torch.as_tensor(model.transform(X)).to(centers.dtype))
    assert ((rows @ centers.T).argmax(1).numpy() == cluster).mean() > 0.95


def test_a_term_draws_nothing_from_the_batches():
    plain_ = encoder(InfoNCE(), max_iter=2).fit(X)
    beside = encoder(InfoNCE() + 0.0 * SwappedPrototypes(), max_iter=2).fit(X)
    assert np.array_equal(plain_.transform(X), beside.transform(X))


def test_rows_that_are_all_alike_train():
    same = np.ones((20, 3)) + 1e-3 * np.arange(20)[:, None] // 19
    model = encoder(ClusterDiscrimination(n_clusters=4), max_iter=2).fit(same)
    assert np.isfinite(model.transform(same)).all()
