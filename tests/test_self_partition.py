"""The partition of rows among themselves, beside the sums of all pairs."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch.autograd import gradcheck

from skcontrast.functional import OFF_DIAGONAL, normalize, pair_sums, self_partition


def unit(n, d=5, seed=0, dtype=torch.float64):
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return normalize(z).requires_grad_()


def plain(z, tau):
    return pair_sums(z, z, lambda r, c: (None, OFF_DIAGONAL), tau).log_partition


@pytest.mark.parametrize("tau", [0.001, 0.05, 0.2, 3.0])
@pytest.mark.parametrize("side", [None, 1, 4, 5, 13, 50])
def test_values_and_gradients_are_those_of_all_pairs(tau, side):
    z, weight = unit(13), torch.linspace(-1, 2, 13, dtype=torch.float64)
    found = self_partition(z, tau, side)
    (gradient,) = torch.autograd.grad((weight * found).sum(), z)
    expected = plain(z, tau)
    (right,) = torch.autograd.grad((weight * expected).sum(), z)
    assert_allclose(found.detach(), expected.detach(), rtol=1e-12)
    assert_allclose(gradient, right, rtol=1e-10, atol=1e-12 / tau)


def test_gradients_are_those_of_differences():
    assert gradcheck(lambda z: self_partition(normalize(z), 0.3, 3), (unit(7),))


def test_equal_rows_and_rows_of_zeros():
    z = torch.zeros(6, 4, dtype=torch.float64)
    z[3:, 0] = 1
    assert_allclose(self_partition(z, 0.1), plain(z, 0.1))


def test_low_temperatures_are_never_rounded_to_nothing():
    z = unit(9, dtype=torch.float32)
    opposite = torch.cat([z.detach(), -z.detach()[:1]]).requires_grad_()
    pair = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    for tau in (0.01, 0.0229, 0.024, 0.0272, 0.0274):
        (steep,) = torch.autograd.grad(1e6 * self_partition(pair, tau).sum(), pair)
        assert_allclose(steep, 1e6 / tau * 2 * pair.detach().flip(0), rtol=1e-4)
        found = self_partition(opposite, tau)
        (gradient,) = torch.autograd.grad(found.sum(), opposite)
        assert torch.isfinite(found).all() and torch.isfinite(gradient).all()
        exact = plain(opposite.detach().double(), tau)
        assert_allclose(found.detach(), exact, rtol=1e-4)


def test_one_row_has_no_other():
    assert torch.isneginf(self_partition(unit(1), 0.2)).all()


def test_learned_temperatures_have_a_gradient():
    tau = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    self_partition(unit(8), tau).sum().backward()
    assert torch.isfinite(tau.grad) and tau.grad != 0
