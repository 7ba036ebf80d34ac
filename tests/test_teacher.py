"""Teachers given as data: similarities, vectors and scores of pairs to match."""

from math import exp, log

import numpy as np
import pytest
import test_objectives_naive as plain
import torch
from instances import blobs
from sklearn.base import clone

from skcontrast import ContrastiveEncoder
from skcontrast.functional import normalize
from skcontrast.objectives import InfoNCE, PairScore, TeacherMatch, TeacherSimilarity

X, Y = blobs()
SCORES = [0.5, float("nan"), -0.2, 0.9, 0.1]


def draw(n_views=2, n=5, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def teacher_similarity(z, teacher, tau, teacher_tau):
    """Unit rows (V, n, d) and the teacher's vectors (n, q) -> one loss for each anchor."""
    losses = []
    for a in plain.anchors_of(z):
        others = [b for b in plain.anchors_of(z) if b[1] != a[1]]
        weights = [exp(cosine(teacher[a[1]], teacher[b[1]]) / teacher_tau) for b in others]
        total = sum(exp(z[a] @ z[b] / tau) for b in others)
        logs = [z[a] @ z[b] / tau - log(total) for b in others]
        losses.append(-sum(w * x for w, x in zip(weights, logs)) / sum(weights))
    return losses


def teacher_match(views, teacher, tau, queue=()):
    q, losses = teacher.shape[1], []
    for a in plain.anchors_of(views):
        s = [cosine(views[a][:q], t) for t in [*teacher, *queue]]
        losses.append(log(sum(exp(x / tau) for x in s)) - s[a[1]] / tau)
    return losses


def pair_score(z, scores):
    losses = []
    for i, score in enumerate(scores):
        errors = [(z[0, i] @ other[i] - score) ** 2 for other in z[1:]]
        losses.append(0 if np.isnan(score) else np.mean(errors))
    return np.array(losses) * len(scores) / np.sum(~np.isnan(scores))


def close(value, expected):
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("block_size", [None, 3])
@pytest.mark.parametrize("n_views", [1, 2, 3])
def test_losses_are_loops(n_views, block_size):
    views, teacher, queue = draw(n_views), draw(1, d=3, seed=1)[0], draw(1, 2, 3, seed=2)[0]
    z = normalize(views).numpy()
    loss = TeacherSimilarity(0.3, 0.2, block_size)(views, prior=teacher)
    close(loss, teacher_similarity(z, teacher.numpy(), 0.3, 0.2))
    objective = TeacherMatch(0.3, block_size=block_size)
    close(objective(views, prior=teacher), teacher_match(views.numpy(), teacher.numpy(), 0.3))
    loss = objective(views, prior=teacher, queue=queue)
    close(loss, teacher_match(views.numpy(), teacher.numpy(), 0.3, queue.numpy()))
    if n_views > 1:
        close(PairScore()(views, target=torch.tensor(SCORES, dtype=float)), pair_score(z, SCORES))


def slope(objective, views, **named):
    views = views.clone().requires_grad_()
    objective(views, **named).mean().backward()
    return views.grad


def test_a_student_that_is_the_teacher_has_nothing_to_learn():
    views = draw(1)
    taught = slope(TeacherSimilarity(0.2, 0.2), views, prior=views[0])
    assert taught.abs().max() < 1e-15
    assert slope(TeacherSimilarity(0.2, 0.2), views, prior=-views[0].flip(0)).abs().max() > 1e-3
    # What is left is the entropy of the target.
    z = normalize(views)[0]
    logits = (z @ z.T / 0.2).masked_fill(torch.eye(5, dtype=torch.bool), -torch.inf)
    share = logits.softmax(1)
    entropy = -torch.xlogy(share, share).sum(1)
    close(TeacherSimilarity(0.2, 0.2)(views, prior=views[0]), entropy)


def test_a_teacher_at_a_high_temperature_finds_all_rows_alike():
    views, teacher = draw(1), draw(1, d=3, seed=1)[0]
    flat = TeacherSimilarity(0.2, 1e13)(views, prior=teacher)
    close(flat, TeacherSimilarity(0.2)(views, prior=torch.ones(5, 2)))


def test_match_of_two_views_is_one_way_info_nce():
    first, second = draw()
    close(TeacherMatch(0.2)(first[None], prior=second), InfoNCE(0.2, "one_way")(draw()))


def test_a_further_row_of_the_teacher_that_is_the_anchors_own_is_left_out():
    views, teacher = draw(1), draw(1, d=3, seed=1)[0]
    objective, own = TeacherMatch(0.3), torch.arange(5)
    twice = objective(views, prior=teacher, queue=teacher, queue_index=own, index=own)
    close(twice, objective(views, prior=teacher, queue=teacher).numpy() - excess(views, teacher))


def excess(views, teacher):
    """What the anchor's own row among the further ones adds to its loss."""
    s = normalize(views[0, :, :3]) @ normalize(teacher).T / 0.3
    both = torch.cat([s, s], 1)
    kept = both.clone()
    kept[:, 5:].diagonal().fill_(-torch.inf)
    return (both.logsumexp(1) - kept.logsumexp(1)).numpy()


def test_scores_that_are_cosines_are_met():
    views = draw()
    target = torch.cosine_similarity(*views)
    assert PairScore()(views, target=target).abs().max() < 1e-30


def test_narrow_rows_are_refused_on_tensors():
    with pytest.raises(ValueError, match="prior has 5 columns and the embedding 4: pass no more"):
        TeacherMatch()(draw(1), prior=draw(1, d=5)[0])


# ------------------------------------------------------------ with an estimator


def encoder(objective, **params):
    given = {"n_components": 3, "max_iter": 30, "passthrough": False, "random_state": 0}
    given |= {"views": None, "n_views": 1, "batch_size": 30, **params}
    return ContrastiveEncoder(objective=objective, **given)


def alikeness(model, teacher, **given):
    """Correlation of the similarities of rows with those of the teacher."""
    student, taught = (
        normalize(torch.as_tensor(np.asarray(rows, dtype=np.float64)))
        for rows in (model.fit(X, **given).transform(X), teacher)
    )
    upper = np.triu_indices(len(X), 1)
    return np.corrcoef((student @ student.T)[upper], (taught @ taught.T)[upper])[0, 1]


@pytest.mark.parametrize("objective", [TeacherSimilarity(), TeacherMatch(n_negatives=10)])
def test_a_student_becomes_like_its_teacher(objective):
    teacher = np.tanh(X @ np.random.default_rng(1).normal(size=(5, 4)))
    untaught = alikeness(encoder(InfoNCE(), views="corruption", n_views=2, max_iter=1), teacher)
    model = encoder(objective)
    assert alikeness(model, teacher, prior=teacher) > untaught + 0.4
    again = clone(model).fit(X, prior=teacher)
    assert np.array_equal(again.transform(X), model.transform(X))
    if isinstance(objective, TeacherMatch):
        assert model.objective_weights_["head.weight"].shape == (4, 3)
        assert model.objective_weights_.keys() == {"head.weight"}  # the teacher's rows are data
    further = clone(model).set_params(warm_start=True, max_iter=2).fit(X, prior=teacher)
    further.fit(X[:40], prior=teacher[:40])


def test_scores_of_pairs_are_learned():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 80, 5))
    score = 10 * np.sign(first[:, 0] * second[:, 0])
    rows, pairs = np.concatenate([first, second]), np.r_[:80, :80]
    model = encoder(PairScore(), n_views=2, max_iter=60)
    model.fit(rows, np.r_[score, score], groups=pairs)
    z = normalize(torch.as_tensor(model.transform(rows)))
    found = (z[:80] * z[80:]).sum(1).numpy()
    assert np.corrcoef(found, score)[0, 1] > 0.7
    weights = model.objective_weights_
    line = np.exp(weights["log_slope"]) * found + weights["shift"]
    predicted = model.target_mean_ + model.target_scale_ * line
    assert np.mean((predicted - score) ** 2) < 0.6 * score.var()
