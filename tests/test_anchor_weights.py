"""Weights of the rows of a batch: ``weight`` (n,) beside the other named tensors."""

import pytest
import torch

from skcontrast.objectives import AlignmentUniformity, CrossEntropy, InfoNCE, SupCon

TARGET = torch.tensor([0, 0, 1, 1, 1, -1])
WEIGHT = torch.tensor([0.5, 3.0, 1.0, 0.0, 2.0, 0.7])


def draw(n_views=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n_views, 6, 4, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize(
    "objective",
    [
        SupCon(),
        SupCon(anchors="first"),
        SupCon(form="inside", block_size=2),
        SupCon(label_similarity=[[1.0, 0.5], [0.5, 1.0]]),
        InfoNCE(),
    ],
    ids=repr,
)
def test_the_mean_is_the_weighted_mean_of_the_anchors(objective, n_views):
    views = draw(n_views).requires_grad_()
    loss = objective(views, target=TARGET)
    weight = WEIGHT.double().repeat(len(loss) // 6)
    expected = (loss * weight).sum() / weight.sum()
    found = objective(views, target=TARGET, weight=WEIGHT)
    assert found.shape == loss.shape
    torch.testing.assert_close(found.mean(), expected)
    slopes = [torch.autograd.grad(value, views)[0] for value in (found.mean(), expected)]
    torch.testing.assert_close(*slopes)


@pytest.mark.parametrize("objective", [SupCon(), CrossEntropy()], ids=repr)
def test_anchors_that_do_not_count_have_no_weight(objective):
    # With one view the unlabelled row, and for SupCon a class of one row, have no loss.
    views, target = draw(1), torch.tensor([0, 0, 1, 1, 2, -1])
    loss = objective(views, target=target)
    weight = WEIGHT.double() * (loss != 0)
    assert 4 <= (loss != 0).sum() < 6
    expected = (loss * weight).sum() / weight.sum() * (loss != 0).double().mean()
    found = objective(views, target=target, weight=WEIGHT)
    torch.testing.assert_close(found.mean(), expected)
    other = WEIGHT.clone()
    other[loss == 0] = 1e6
    torch.testing.assert_close(objective(views, target=target, weight=other), found)


def test_a_batch_whose_anchors_weigh_nothing():
    views = draw().requires_grad_()
    loss = SupCon()(views, target=TARGET, weight=torch.zeros(6))
    assert (loss == 0).all()
    assert (torch.autograd.grad(loss.mean(), views)[0] == 0).all()
    # The same where the anchors with a weight have no loss.
    target, weight = torch.tensor([0, 0, 0, 0, 0, -1]), torch.tensor([0.0, 0, 0, 0, 0, 1])
    one = draw(1).requires_grad_()
    loss = SupCon()(one, target=target, weight=weight)
    assert (loss == 0).all()
    assert (torch.autograd.grad(loss.mean(), one)[0] == 0).all()


def test_an_anchor_of_weight_zero_has_no_loss():
    loss = SupCon()(draw(), target=TARGET, weight=WEIGHT).view(2, 6)
    assert (loss == 0).tolist() == [[False] * 3 + [True] + [False] * 2] * 2


@pytest.mark.parametrize("constant", [1.0, 0.25, 1e3])
def test_constant_weights_change_nothing(constant):
    for dtype in (torch.float32, torch.float64):
        views = draw(dtype=dtype)
        weighted = SupCon()(views, target=TARGET, weight=torch.full((6,), constant))
        torch.testing.assert_close(weighted, SupCon()(views, target=TARGET))
        assert weighted.dtype == dtype


def test_a_sum_weighs_the_anchors_of_its_terms():
    views = draw()
    found = (SupCon() + 0.5 * InfoNCE())(views, target=TARGET, weight=WEIGHT)
    terms = [o(views, target=TARGET, weight=WEIGHT).mean() for o in (SupCon(), InfoNCE())]
    torch.testing.assert_close(found, terms[0] + 0.5 * terms[1])


def test_one_loss_for_a_batch_has_no_anchors_to_weigh():
    match = "has one loss for a whole batch.*type class_weight=None.*, or an objective"
    for objective in (AlignmentUniformity(), SupCon() + AlignmentUniformity()):
        with pytest.raises(ValueError, match=match):
            objective(draw(), target=TARGET, weight=WEIGHT)
