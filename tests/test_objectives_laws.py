"""Laws between objectives: two ways to the same number, and inequalities."""

import torch

from skcontrast import functional
from skcontrast.objectives import (
    CACR,
    AlignmentUniformity,
    DebiasedContrastive,
    DecoupledContrastive,
    HardNegative,
    InfoNCE,
    KernelInfoNCE,
    PolyView,
    SupCon,
)
from skcontrast.temperatures import Individual, ModelAware


def draw(n_views, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, 5, 4, generator=generator, dtype=torch.float64)


tau = 0.3
two, three = draw(2), draw(3)
labels = torch.arange(5)


def slope(objective, views):
    views = views.clone().requires_grad_()
    loss = objective(views)
    loss.mean().backward()
    return views.grad


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


def test_supcon_of_distinct_labels_is_info_nce():
    for views in (two, three):
        same(SupCon(tau)(views, target=labels), InfoNCE(tau)(views))
        same(SupCon(tau)(views, target=torch.full((5,), -1)), InfoNCE(tau)(views))


def test_gaussian_kernel_info_nce_is_info_nce_at_half_the_temperature():
    for views in (two, three):
        same(KernelInfoNCE(tau, gamma=2)(views), InfoNCE(tau / 2)(views))


def test_mixtures_of_weight_one_are_the_kernel_alone():
    for mixture in ("loss", "kernel"):
        same(KernelInfoNCE(tau, 1, mixture, 1.0)(three), KernelInfoNCE(tau)(three))
        same(KernelInfoNCE(tau, 1, mixture, 0.0)(three), KernelInfoNCE(tau, 2)(three))


def test_model_aware_gradient_is_that_of_the_decoupled_loss():
    rule = ModelAware(0.2, 0.7, 0.1)
    z = functional.normalize(two)
    adapted = rule.build(5)((z[0] * z[1]).sum(-1), None).item()
    same(slope(InfoNCE(rule), two), slope(DecoupledContrastive(adapted), two))
    same(slope(DecoupledContrastive(rule), two), slope(DecoupledContrastive(adapted), two))


def test_two_views_of_poly_view_are_info_nce():
    for options in (
        {"form": "geometric"},
        {"form": "arithmetic"},
        {"form": "sufficient"},
        {"form": "sufficient", "anchor": "view"},
    ):
        same(PolyView(tau, **options)(two).mean(), InfoNCE(tau)(two).mean())


def test_hard_negatives_without_preference_are_debiased():
    same(HardNegative(tau, 0.1, beta=0)(two), DebiasedContrastive(tau, 0.1)(two))
    same(HardNegative(tau, 0.1, beta=1e-12)(two), DebiasedContrastive(tau, 0.1)(two))


def test_debiased_without_false_negatives_is_info_nce():
    same(HardNegative(tau, 0, beta=0)(two), InfoNCE(tau)(two))


def test_attraction_of_two_views_is_alignment():
    same(CACR(alpha=1.7, beta=0)(two), 1.7 * AlignmentUniformity(uniformity_weight=0)(two))


def test_inside_is_never_larger_than_outside():
    target = torch.tensor([0, 0, 1, 1, 1])
    inside, outside = (SupCon(tau, form)(three, target=target) for form in ("inside", "outside"))
    assert (inside <= outside + 1e-12).all()


def test_arithmetic_is_never_larger_than_geometric():
    assert (PolyView(tau, "arithmetic")(three) <= PolyView(tau)(three) + 1e-12).all()


def test_individual_gradient_at_gamma_one_is_twice_tau_times_the_decoupled():
    rule = Individual(tau=0.25, gamma=1.0, rho=0.0, learning_rate=0.0)
    same(slope(InfoNCE(rule), two), 2 * 0.25 * slope(DecoupledContrastive(0.25), two))


def test_detached_weights_change_the_gradient_and_not_the_value():
    for held, free in (
        (HardNegative(detach_weights=True), HardNegative()),
        (CACR(detach_weights=True), CACR()),
        (CACR(cost="rbf", detach_weights=True), CACR(cost="rbf")),
        (
            DecoupledContrastive(weighted=True),
            DecoupledContrastive(weighted=True, detach_weights=False),
        ),
    ):
        same(held(three), free(three))
        assert not torch.allclose(slope(held, three), slope(free, three))


def test_one_row_has_an_alignment():
    views = draw(2)
    alone = AlignmentUniformity(alpha=2, uniformity_weight=0)
    apart = torch.stack([alone(views[:, [i]]) for i in range(5)])
    torch.testing.assert_close(apart.mean(), alone(views))


def test_uniformity_is_zero_at_collapse_and_bounded():
    collapsed = torch.ones(2, 6, 3, dtype=torch.float64)
    same(AlignmentUniformity()(collapsed), torch.zeros((), dtype=torch.float64))
    assert -8 <= AlignmentUniformity(alignment_weight=0)(two) < 0


def test_anchors_at_the_floor_have_no_gradient_through_their_negatives():
    objective = DebiasedContrastive(temperature=0.05, tau_plus=0.2)
    z = functional.normalize(two).requires_grad_()
    positive = (z[0] * z[1]).sum(-1).repeat(2)
    log_negatives, clamped = objective.log_negatives(z, positive, 0.05)
    assert clamped.any()
    (gradient,) = torch.autograd.grad(log_negatives[clamped].sum(), z)
    assert not gradient.any()
