"""Conditional InfoNCE and decoupled uniformity with a prior: formulas, laws, traps."""

import warnings

import numpy as np
import pytest
import torch

from skcontrast.functional import normalize
from skcontrast.kernels import RBF, Cosine, Delta, GammaExponential, Linear, Polynomial
from skcontrast.objectives import (
    ConditionalInfoNCE,
    DecoupledUniformity,
    InfoNCE,
    KernelIndependence,
)

TAU, LAM = 0.4, 0.05


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


Z = random(2, 9, 5)
CONDITION = random(9, 3, seed=1)
CLASSES = torch.tensor([0.0, 0, 0, 1, 1, 1, 2, 2, 2])[:, None]


def conditional(mode, **params):
    return ConditionalInfoNCE(mode, **{"temperature": TAU, "regularization": LAM, **params})


def naive(z, conditions, mode, kernel, form, clip=1e-6):
    """The notes' formulas, entry by entry: the loss of each anchor."""
    u, v = (row / np.linalg.norm(row, axis=1, keepdims=True) for row in z)
    n, losses = len(u), []
    for x, y, c in ((u, v, conditions[0]), (v, u, conditions[1])):
        K = np.array([[kernel(a, b) for b in c] for a in c])
        if form == "reference":
            np.fill_diagonal(K, 1)
        W = np.linalg.inv(K + LAM * np.eye(n)) @ K
        if form == "reference":
            np.fill_diagonal(W, 0)
        W[W < clip] = 0
        for i in range(n):
            cross = np.array([np.exp(x[i] @ y[j] / TAU) for j in range(n)])
            same = np.array([np.exp(x[i] @ x[j] / TAU) * (i != j) for j in range(n)])
            if form == "paper":
                M = cross @ W[:, i]
                rest = cross.sum() - cross[i]
                pair = M / (M + rest), cross[i] / (cross[i] + (n - 1) * M)
            else:
                M = (cross + same) @ W[:, i]
                P = max(M, 1e-7)
                pair = P / (P + cross.sum() + same.sum()), cross[i] / (cross[i] + (n - 1) * M)
            losses.append(-np.log(pair[mode != "weak"]))
    return losses


NAIVE_KERNELS = {
    "rbf": (RBF(0.3), lambda a, b: np.exp(-0.3 * ((a - b) ** 2).sum())),
    "narrow": (RBF(300.0), lambda a, b: np.exp(-300 * ((a - b) ** 2).sum())),
    "gamma": (GammaExponential(1, 0.5), lambda a, b: np.exp(-0.5 * np.linalg.norm(a - b))),
    "cosine": (Cosine(), lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)),
    "linear": (0.5 * Linear(), lambda a, b: a @ b / 2),
    "poly": (0.1 * Polynomial(3, 1.0, 0.0), lambda a, b: (a @ b) ** 3 / 10),
}


@pytest.mark.parametrize("name", NAIVE_KERNELS)
@pytest.mark.parametrize("form", ["paper", "reference"])
@pytest.mark.parametrize("mode", ["weak", "fair", "hard"])
def test_naive_formula(mode, form, name):
    kernel, plain = NAIVE_KERNELS[name]
    embedding = random(2, 9, 4, seed=2)
    given = {"embedding": embedding} if mode == "hard" else {"condition": CONDITION}
    conditions = embedding.numpy() if mode == "hard" else [CONDITION.numpy()] * 2
    expected = naive(Z.numpy(), conditions, mode, plain, form)
    loss = conditional(mode, kernel=kernel, form=form)(Z, **given)
    assert loss.shape == (18,)
    np.testing.assert_allclose(loss, expected, rtol=1e-7)


@pytest.mark.parametrize("form", ["paper", "reference"])
@pytest.mark.parametrize("mode", ["weak", "fair", "hard"])
def test_gradient_and_permutation(mode, form):
    objective = conditional(mode, form=form, kernel=RBF(0.3))

    def value(z, c):
        return objective(z, **({"embedding": z} if mode == "hard" else {"condition": c}))

    z = Z.clone().requires_grad_()
    if mode != "hard":  # where the embedding is held constant on purpose
        assert torch.autograd.gradcheck(lambda z: value(z, CONDITION), z)
    objective.set_params(inverse_gradient=True)
    c = CONDITION.clone().requires_grad_()
    assert torch.autograd.gradcheck(value, (z, c))
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    moved = value(Z[:, order], CONDITION[order]).view(2, 9)
    np.testing.assert_allclose(moved, value(Z, CONDITION).view(2, 9)[:, order], rtol=1e-9)


@pytest.mark.parametrize("mode", ["weak", "fair", "hard"])
@pytest.mark.parametrize("form", ["paper", "reference"])
def test_equal_rows_and_two_rows_are_finite(mode, form):
    for z in (torch.ones(2, 2, 3), torch.zeros(2, 6, 3), Z.float()[:, :2], torch.ones(3, 4, 2)):
        z = z.clone().requires_grad_()
        loss = conditional(mode, form=form)(z, condition=torch.ones(z.shape[1], 1))
        loss.mean().backward()
        assert loss.isfinite().all()
        assert z.grad.isfinite().all()


def test_more_views_are_the_mean_over_pairs():
    z = random(3, 9, 5)
    loss = conditional("weak")(z, condition=CONDITION).view(3, 9)
    pairs = {}
    for a in range(3):
        for b in range(3):
            if a != b:
                both = conditional("weak")(z[[a, b]], condition=CONDITION).view(2, 9)
                pairs[a, b] = both[0]
    np.testing.assert_allclose(loss[0], (pairs[0, 1] + pairs[0, 2]) / 2)
    np.testing.assert_allclose(loss[2], (pairs[2, 0] + pairs[2, 1]) / 2)


# ------------------------------------------------------------------------ laws


def test_weak_with_no_regularization_is_info_nce():
    loss = conditional("weak", kernel=RBF(0.5), regularization=1e-10)(Z, condition=CONDITION)
    np.testing.assert_allclose(loss, InfoNCE(TAU, form="two_way")(Z), rtol=1e-6)


def test_weak_with_a_narrow_kernel_is_info_nce():
    loss = conditional("weak", kernel=RBF(1e6), regularization=1e-10)(Z, condition=CONDITION)
    np.testing.assert_allclose(loss, InfoNCE(TAU, form="two_way")(Z), rtol=1e-6)


def test_fair_with_a_constant_condition_is_info_nce():
    constant = torch.ones(9, 1)
    objective = conditional("fair", diagonal="zero", normalize=True)
    np.testing.assert_allclose(
        objective(Z, condition=constant), InfoNCE(TAU, form="two_way")(Z), rtol=1e-7
    )
    # As published, the positive counts as one of the negatives too.
    E = (normalize(Z[0]) @ normalize(Z[1]).T / TAU).exp()
    own = E.diagonal()
    expected = -(own / (own + 8 / (9 + LAM) * E.sum(1))).log()
    np.testing.assert_allclose(conditional("fair")(Z, condition=constant)[:9], expected)


def test_fair_with_no_regularization_has_no_gradient():
    z = Z.clone().requires_grad_()
    loss = conditional("fair", kernel=RBF(0.5), regularization=1e-10)(z, condition=CONDITION)
    np.testing.assert_allclose(loss.detach(), np.log(9), rtol=1e-5)
    loss.mean().backward()
    assert z.grad.abs().max() < 1e-5


def test_delta_kernel_is_class_averaging():
    objective = conditional("weak", kernel=Delta(), regularization=1e-9)
    E = (normalize(Z[0]) @ normalize(Z[1]).T / TAU).exp()
    same = (CLASSES == CLASSES.T).double()
    mean = (E * same).sum(1) / same.sum(1)
    expected = -(mean / (mean + E.sum(1) - E.diagonal())).log()
    np.testing.assert_allclose(objective(Z, condition=CLASSES)[:9], expected, rtol=1e-7)
    within = conditional("fair", kernel=Delta(), diagonal="zero", normalize=True)
    loss = within(Z, condition=CLASSES)[:9]
    for c in range(3):
        rows = CLASSES[:, 0] == c
        # Eight negatives stand for the two of the same class.
        own = E[rows][:, rows]
        others = (own.sum(1) - own.diagonal()) / 2
        expected = -(own.diagonal() / (own.diagonal() + 8 * others)).log()
        np.testing.assert_allclose(loss[rows], expected, rtol=1e-9)


def test_auto_kernel_is_delta_for_classes():
    by_name = conditional("weak")(Z, condition=CLASSES)
    np.testing.assert_allclose(by_name, conditional("weak", kernel="delta")(Z, condition=CLASSES))


def test_weights_are_held_constant():
    c = CONDITION.clone().requires_grad_()
    z = Z.clone().requires_grad_()
    conditional("weak", kernel=RBF(0.3))(z, condition=c).mean().backward()
    assert c.grad is None
    embedding = Z.clone().requires_grad_()
    conditional("hard", kernel=RBF(0.3))(z, embedding=embedding).mean().backward()
    assert embedding.grad is None
    learned = conditional("weak", temperature="learned").build(9).double()
    learned(views=Z, condition=CONDITION).mean().backward()
    assert learned.temperature.log_tau.grad.abs() > 0


def test_rows_without_any_weight_fall_back_on_their_own_pair():
    z = Z.clone().requires_grad_()
    loss = conditional("weak", clip=0.999, kernel=RBF(1e6))(z, condition=CONDITION)
    np.testing.assert_allclose(loss.detach(), InfoNCE(TAU, form="two_way")(Z), rtol=1e-9)
    loss.mean().backward()
    assert z.grad.abs().max() > 0
    # The published form has no gradient left to pull rows together.
    z = Z.clone().requires_grad_()
    loss = conditional("weak", form="reference", kernel=RBF(1e6))(z, condition=CONDITION)
    assert loss.isfinite().all()
    loss = conditional("fair", clip=0.999, kernel=RBF(1e6))(z, condition=CONDITION)
    loss.mean().backward()
    assert loss.abs().max() < 1e-12
    assert z.grad.isfinite().all()


def test_temperature_rules_of_info_nce_are_refused():
    with pytest.raises(ValueError, match="is a rule for InfoNCE"):
        conditional("weak", temperature="model_aware").build(4)


# ----------------------------------------------------------------------- traps


def advice(objective, condition, given=None):
    """Warnings of the first training batch."""
    built = objective.build(len(condition)).double()
    rng = np.random.default_rng(0)
    views = torch.tensor(rng.standard_normal((2, len(condition), 4)))
    given = condition.numpy() if given is None else given
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        built.prepare(
            {"condition": condition, "prior": condition}, {"condition": given, "prior": given}
        )
        for _ in range(2):  # told once
            built(views=views, embedding=views, condition=condition, prior=condition)
    return [str(warning.message) for warning in caught]


MANY = random(200, 2, seed=3)


@pytest.mark.parametrize("form", ["paper", "reference"])
def test_trap_narrow_kernel(form):
    (message,) = advice(conditional("weak", kernel=RBF(1e6), form=form), MANY)
    assert "weights vanish: type a smaller gamma" in message


def test_trap_regularization_turns_the_method_off():
    for mode in ("weak", "fair"):
        (message,) = advice(conditional(mode, kernel=RBF(30.0), regularization=1e-9), MANY)
        assert "turns the condition off: type a larger regularization" in message


def test_trap_signed_weights():
    opposed = torch.tensor([[1.0], [-1.0]])
    (message,) = advice(conditional("weak", kernel="cosine"), opposed)
    assert "is negative and is left out, as it stands in a logarithm" in message


def test_trap_diagonal_forced_to_one():
    messages = advice(conditional("weak", kernel="linear", form="reference"), 3 * MANY)
    assert any("sets the diagonal" in m and "may leave it indefinite" in m for m in messages)


def test_trap_indefinite_kernel_says_what_to_change():
    class Indefinite(Linear):
        def _build(self, x, categorical):
            k = super()._build(x, categorical)
            k.pairs = lambda a, b: -(a @ b.T)
            return k

    with pytest.raises(ValueError, match="type a larger regularization than"):
        conditional("weak", kernel=Indefinite())(Z, condition=CONDITION)


def test_trap_constant_condition():
    with pytest.raises(ValueError, match="condition is the same in all rows"):
        advice(conditional("weak"), torch.ones(20, 1))
    messages = advice(conditional("fair"), torch.ones(20, 1))
    assert any("trains like InfoNCE" in m for m in messages)
    with pytest.raises(ValueError, match="prior is the same in all rows"):
        advice(DecoupledUniformity(kernel="rbf"), torch.ones(20, 1))


def test_trap_prior_without_effect():
    (message,) = advice(DecoupledUniformity(kernel=RBF(1e6)), MANY)
    assert "the prior has no effect" in message


@pytest.mark.parametrize("mode", ["weak", "fair", "hard"])
@pytest.mark.parametrize("kernel", ["auto", "rbf", "laplacian", "gamma_exponential"])
def test_sound_settings_give_no_advice(mode, kernel):
    assert advice(conditional(mode, kernel=kernel, regularization=0.01), MANY) == []
    assert advice(conditional(mode, kernel="auto"), torch.arange(200.0)[:, None] % 3) == []
    assert advice(DecoupledUniformity(kernel=kernel), MANY) == []


# ------------------------------------------------------- decoupled uniformity


def test_decoupled_uniformity_with_a_narrow_prior_is_without():
    prior = DecoupledUniformity(kernel=RBF(1e6), regularization=1e-9)(Z, prior=CONDITION)
    np.testing.assert_allclose(prior, DecoupledUniformity()(Z), rtol=1e-7)


def test_decoupled_uniformity_with_classes_as_prior_averages_them():
    objective = DecoupledUniformity(kernel="delta", regularization=1e-9)
    centroids = objective.centroids(Z, prior=CLASSES, kernel=Delta().build)
    mean = normalize(Z).mean(0).view(3, 3, 5).mean(1)
    np.testing.assert_allclose(centroids[::3], mean, rtol=1e-6)
    with_none = DecoupledUniformity(kernel=RBF(0.1), regularization=None)
    explicit = DecoupledUniformity(kernel=RBF(0.1), regularization=9**-0.5)
    assert with_none(Z, prior=CONDITION) == explicit(Z, prior=CONDITION)


# ------------------------------------------------------------------ independence


def test_independence_is_centred_alignment():
    h, c = Z[0].numpy(), CONDITION.numpy()
    h = (h - h.mean(0)) / h.std(0)
    D = ((h[:, None] - h[None]) ** 2).sum(-1)
    H = np.eye(9) - 1 / 9
    K, L = H @ np.exp(-2 * D / D.mean()) @ H, H @ RBF(0.3)(c) @ H
    expected = (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)
    objective = KernelIndependence(RBF(0.3), gamma=2.0)
    np.testing.assert_allclose(objective(Z[:1], condition=CONDITION), expected, rtol=1e-9)
    z = Z.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: objective(z, condition=CONDITION), z)


def test_independence_of_equal_rows_is_finite():
    for z, c in ((torch.ones(2, 5, 3), CONDITION[:5]), (Z[:, :5], torch.ones(5, 1))):
        z = z.clone().requires_grad_()
        loss = KernelIndependence()(z, condition=c)
        loss.backward()
        assert abs(loss.item()) < 1e-6
        assert z.grad.isfinite().all()
