"""SoftTarget: targets that are distributions over the batch."""

import warnings
from math import exp, log

import numpy as np
import pytest
import torch
from bad_input import X, Y, assert_refused, assert_sound, encoder

import skcontrast
from skcontrast.objectives import InfoNCE, SoftTarget

SIMILARITY = np.array([[1.0, 0.6, -0.2], [0.5, 0.9, 0.1], [0.0, 0.3, 1.2]])
VECTORS = np.array([[1.0, 2.0], [-0.5, 1.0], [3.0, 0.1]])
TARGET = [0, 2, 1, -1, 0, -1]


def draw(n_views=2, n=6, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def target_of(i, target, alike, tau):
    """Row i of T, one entry at a time."""
    if target[i] == -1:
        return [float(j == i) for j in range(len(target))]
    weights = []
    for j in range(len(target)):
        if target[j] == -1:
            weights.append(0.0)
        elif tau == 0:
            weights.append(float(target[j] == target[i]))
        else:
            weights.append(exp(alike(target[i], target[j]) / tau))
    return [w / sum(weights) for w in weights]


def naive(views, target, alike, tau, target_tau):
    z = views.numpy() / np.linalg.norm(views.numpy(), axis=-1, keepdims=True)
    n = len(target)
    losses = []
    for i in range(n):
        T = target_of(i, target, alike, target_tau)
        terms = []
        for other in z[1:]:
            for x, y in ((z[0], other), (other, z[0])):
                total = sum(exp(x[i] @ y[k] / tau) for k in range(n))
                terms.append(-sum(T[j] * (x[i] @ y[j] / tau - log(total)) for j in range(n)))
        losses.append(sum(terms) / len(terms))
    return torch.tensor(losses)


def identity(a, b):
    return float(a == b)


def cosine(a, b):
    first, second = VECTORS[a], VECTORS[b]
    return first @ second / np.linalg.norm(first) / np.linalg.norm(second)


CASES = {
    "identity": ({}, identity, 0.35),
    "small": ({"target_temperature": 0.01}, identity, 0.01),
    "hard": ({"target_temperature": 0}, identity, 0),
    "table": ({"similarity": SIMILARITY}, lambda a, b: SIMILARITY[a, b], 0.35),
    "vectors": ({"class_embeddings": VECTORS.tolist()}, cosine, 0.35),
    "hard vectors": ({"class_embeddings": VECTORS, "target_temperature": 0.0}, identity, 0),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("block_size", [None, 1, 4])
def test_is_the_loop(name, n_views, block_size):
    options, alike, target_tau = CASES[name]
    views = draw(n_views)
    objective = SoftTarget(0.3, **options, block_size=block_size)
    loss = objective(views, target=torch.tensor(TARGET))
    expected = naive(views, TARGET, alike, 0.3, target_tau)
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def test_hard_targets_of_distinct_or_unlabelled_rows_are_two_way_info_nce():
    views = draw()
    expected = InfoNCE(0.3, form="two_way")(views).view(2, -1).mean(0)
    hard = SoftTarget(0.3, target_temperature=0)
    same(hard(views, target=torch.arange(6)), expected)
    same(hard(views, target=torch.full((6,), -1)), expected)
    same(SoftTarget(0.3)(views, target=torch.full((6,), -1)), expected)


def test_a_hard_target_is_the_limit_of_soft_ones():
    views, target = draw(), torch.tensor(TARGET)
    hard = SoftTarget(target_temperature=0)(views, target=target)
    for similarity in (None, np.eye(3), [[1, 0.9, 0.9], [0.9, 1, 0.9], [0.9, 0.9, 1]]):
        same(SoftTarget(target_temperature=1e-3, similarity=similarity)(views, target=target), hard)


def test_a_flat_target_is_uniform_over_the_labelled_rows():
    views, target = draw(), torch.tensor(TARGET)
    flat = SoftTarget(target_temperature=1e9)(views, target=target)
    alike = SoftTarget(similarity=np.full((3, 3), 7.0))(views, target=target)
    torch.testing.assert_close(flat, alike, rtol=1e-6, atol=1e-6)


def test_three_ways_to_say_the_same_similarity():
    views, target = draw(), torch.tensor(TARGET)
    plain = SoftTarget()(views, target=target)
    same(SoftTarget(similarity=np.eye(3))(views, target=target), plain)
    same(SoftTarget(class_embeddings=5 * np.eye(3))(views, target=target), plain)
    cosines = [[cosine(a, b) for b in range(3)] for a in range(3)]
    same(
        SoftTarget(similarity=cosines)(views, target=target),
        SoftTarget(class_embeddings=VECTORS)(views, target=target),
    )
    same(  # a constant added to all similarities is none
        SoftTarget(similarity=SIMILARITY - 1000)(views, target=target),
        SoftTarget(similarity=SIMILARITY)(views, target=target),
    )


def test_names_of_the_classes_do_not_matter():
    views, target = draw(), torch.tensor(TARGET)
    order = torch.tensor([2, 0, 1])  # class c is now order[c]
    renamed = torch.where(target == -1, -1, order[target])
    back = order.argsort().numpy()
    for name, table in (
        ("similarity", SIMILARITY[np.ix_(back, back)]),
        ("class_embeddings", VECTORS[back]),
    ):
        before = {"similarity": SIMILARITY, "class_embeddings": VECTORS}[name]
        same(
            SoftTarget(**{name: table})(views, target=renamed),
            SoftTarget(**{name: before})(views, target=target),
        )


# ---------------------------------------------------------------- rows, not classes


def cosines(rows, others):
    rows, others = (np.asarray(x) for x in (rows, others))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (rows, others)]
    return unit[0] @ unit[1].T


def linear(similarity):
    above = similarity - similarity.min(1, keepdims=True)
    return above / above.sum(1, keepdims=True)


def of_rows(views, targets, tau):
    """Loss by the matrices T of each other view, there and back."""
    losses = np.zeros(views.shape[1])
    for y, (there, back) in zip(views[1:], targets):
        for a, b, T in ((views[0], y, there), (y, views[0], back)):
            logits = cosines(a.numpy(), b.numpy()) / tau
            logs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
            losses -= (T * logs).sum(1)
    return torch.tensor(losses / (2 * (len(views) - 1)))


def mixed(T, alpha):
    return alpha * T + (1 - alpha) * np.eye(len(T))


@pytest.mark.parametrize("block_size", [None, 1, 4])
@pytest.mark.parametrize("n_views", [2, 3])
def test_targets_of_rows(n_views, block_size):
    views, prior = draw(n_views), draw(n_views, d=3, seed=1)
    settings = {"target_temperature": 0.4, "alpha": 0.3, "block_size": block_size}
    for scaling, spread in (("softmax", lambda s: softmax(s / 0.4)), ("linear", linear)):
        given = {**settings, "scaling": scaling}
        T = mixed(spread(cosines(prior[0], prior[0])), 0.3)
        objective = SoftTarget(0.3, similarity="prior", **given)
        assert objective.requires == ("views", "prior")
        expected = of_rows(views, [(T, T)] * (n_views - 1), 0.3)
        same(objective(views, prior=prior[0]), expected)
        both = [(cosines(prior[0], q), cosines(q, prior[0])) for q in prior[1:]]
        both = [tuple(mixed(spread(s), 0.3) for s in pair) for pair in both]
        same(objective(views, prior=prior), of_rows(views, both, 0.3))
        own = [2 * (mixed(spread(cosines(y, y)), 0.3),) for y in views[1:]]
        objective = SoftTarget(0.3, similarity="view", **given)
        assert objective.requires == ("views",)
        same(objective(views), of_rows(views, own, 0.3))


def softmax(s):
    return np.exp(s) / np.exp(s).sum(1, keepdims=True)


def test_targets_of_rows_end_in_two_way_info_nce():
    views, prior, target = draw(), draw(1, d=3, seed=1)[0], torch.tensor(TARGET)
    expected = InfoNCE(0.3, form="two_way")(views).view(2, -1).mean(0)
    for similarity, named in (
        ("prior", {"prior": prior}),
        ("view", {}),
        (None, {"target": target}),
    ):
        for scaling in ("softmax", "linear"):
            none = SoftTarget(0.3, similarity=similarity, alpha=0.0, scaling=scaling)
            same(none(views, **named), expected)
        if similarity:
            for tau in (0, 1e-4):
                same(SoftTarget(0.3, tau, similarity)(views, **named), expected)
    # Rows that are all alike: no similarity is above the least.
    flat = SoftTarget(0.3, similarity="prior", scaling="linear")
    same(flat(views, prior=torch.ones(6, 3)), expected)


def test_linear_targets_of_classes():
    views, target = draw(), torch.tensor([0, 2, 1, 1, 0, 2])
    T = linear(SIMILARITY[np.ix_(target, target)])
    objective = SoftTarget(0.3, similarity=SIMILARITY, scaling="linear")
    same(objective(views, target=target), of_rows(views, [(T, T)], 0.3))
    # An unlabelled row has itself alone.
    unknown = objective(views, target=torch.tensor([0, 2, 1, 1, 0, -1]))
    expected = InfoNCE(0.3, form="two_way")(views).view(2, -1).mean(0)
    same(unknown[5], expected[5])


def test_the_target_of_a_view_is_held_constant():
    views = draw()
    x, y = views.clone().requires_grad_(), views.clone().requires_grad_()
    T = softmax(cosines(views[1].numpy(), views[1].numpy()) / 0.35)
    SoftTarget(0.3, similarity="view")(x).mean().backward()
    z = y / y.norm(dim=2, keepdim=True)
    logits = z[0] @ z[1].T / 0.3
    T = torch.tensor(T)
    loss = -(T * logits.log_softmax(1)).sum(1) - (T * logits.T.log_softmax(1)).sum(1)
    (loss / 2).mean().backward()
    same(x.grad, y.grad)


def test_trains_on_rows(tmp_path):
    for similarity, given in (("prior", {"prior": X}), ("view", {})):
        objective = SoftTarget(similarity=similarity, alpha=0.5)
        model = encoder(objective=objective, batch_size=7).fit(X, **given)
        assert np.isfinite(model.loss_curve_).all()
        skcontrast.save(model, tmp_path / similarity)
        again = skcontrast.load(tmp_path / similarity)
        assert np.array_equal(again.transform(X), model.transform(X))


def test_large_similarities_are_finite():
    views, target = draw(), torch.tensor(TARGET)
    for similarity in (1e4 * SIMILARITY, -1e4 * SIMILARITY):
        views.requires_grad_()
        loss = SoftTarget(similarity=similarity, target_temperature=1e-2)(views, target=target)
        (gradient,) = torch.autograd.grad(loss.mean(), views)
        assert loss.isfinite().all() and gradient.isfinite().all()


# ------------------------------------------------------------ with an estimator


@pytest.mark.parametrize("options", [{}, {"similarity": SIMILARITY}, {"class_embeddings": VECTORS}])
def test_trains(options, tmp_path):
    partly = np.where(np.arange(20) > 15, -1, Y)
    for y in (Y, partly, np.array(["x", "y", "z"])[Y]):
        assert_sound(X, y, objective=SoftTarget(**options), batch_size=7)
    model = encoder(objective=SoftTarget(**options), n_views=3).fit(X, partly)
    assert not model.objective_weights_
    skcontrast.save(model, tmp_path / "model")
    assert np.array_equal(skcontrast.load(tmp_path / "model").transform(X), model.transform(X))


REFUSED = {
    "too few": (
        {"similarity": np.eye(2)},
        "similarity is for 2 classes, but y has 3: pass one row",
    ),
    "too many": ({"class_embeddings": np.eye(4)}, "class_embeddings is for 4 classes, but y has 3"),
    "not square": ({"similarity": VECTORS}, r"similarity has the shape \(3, 2\): pass .*sorted"),
    "flat": ({"class_embeddings": [1, 2, 3]}, r"class_embeddings has the shape \(3,\)"),
    "nan": ({"similarity": np.full((3, 3), np.nan)}, "similarity holds NaN or infinity"),
    "strings": ({"similarity": [["a"]]}, "similarity must be an array of numbers of shape"),
    "both": ({"similarity": np.eye(3), "class_embeddings": np.eye(3)}, "type one of them"),
    "temperature": ({"temperature": "model_aware"}, "is not defined for SoftTarget"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    options, match = REFUSED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(match, X, Y, objective=SoftTarget(**options))


def test_refused_on_tensors():
    views = draw()
    with pytest.raises(ValueError, match="similarity is for 2 classes, but y has 3"):
        SoftTarget(similarity=np.eye(2))(views, target=torch.tensor(TARGET))
    # A batch need not hold all classes.
    SoftTarget(similarity=np.eye(5))(views, target=torch.tensor(TARGET))
    with pytest.raises(ValueError, match="SoftTarget needs one class label for each of the 6"):
        SoftTarget()(views, target=torch.zeros(6, 2))
