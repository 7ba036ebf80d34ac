"""Sums over pairs in tiles: gradients of all inputs, and memory that does not grow with pairs."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skcontrast.functional import (
    DENSE_LIMIT,
    OFF_DIAGONAL,
    normalize,
    pair_loss,
    pair_sums,
    power_distance,
)
from skcontrast.functional._pairs import tile_side
from skcontrast.objectives import OBJECTIVES, InfoNCE, SupCon

N = 13


def rows(seed, n=N):
    z = torch.randn(n, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return normalize(z).requires_grad_()


def both(make, leaves):
    """Values and gradients with all pairs at once, and in tiles of 5."""
    found = []
    for size in (None, 5):
        value = make(size)
        slopes = torch.linspace(0.5, 2, value.numel(), dtype=value.dtype).view_as(value)
        found.append((value.detach(), *torch.autograd.grad((value * slopes).sum(), leaves)))
    for whole, tiled in zip(*found):
        # Slopes of up to 4 that partly cancel: the last bits depend on the processor.
        assert_allclose(tiled, whole, rtol=1e-9, atol=1e-11)


SOME = torch.rand(N, N, generator=torch.Generator().manual_seed(5)) > 0.6
SOME[3], SOME[:, 7] = False, False  # an anchor without candidates, and a candidate of none


@pytest.mark.parametrize("detach_mean", [False, True])
@pytest.mark.parametrize("field", ["log_partition", "mean", "positive", "log_positive"])
@pytest.mark.parametrize("tau", ["one", "each"])
def test_every_sum_has_the_gradients_of_all_pairs_at_once(field, detach_mean, tau):
    a, b, shape = rows(0), rows(1), (N,) if tau == "each" else ()
    tau = torch.full(shape, 0.4, dtype=torch.float64).requires_grad_()
    weights = lambda r, c: (SOME[r, c].double() * 2, ~SOME[r, c])

    def make(size):
        options = {"mean": True, "detach_mean": detach_mean, "block_size": size}
        found = getattr(pair_sums(a, b, weights, tau, **options), field)
        return torch.where(found.isneginf(), 0, found) / tau

    both(make, [a, b, tau])


def test_rows_among_themselves_and_temperatures_that_learn():
    z = rows(2)
    both(
        lambda size: pair_sums(z, z, lambda r, c: (None, OFF_DIAGONAL), 0.3, block_size=size)[0],
        [z],
    )
    weights = lambda r, c: (SOME[r, c], None)
    options = {"similarity": power_distance(1.5)}
    both(lambda size: pair_loss(z, z, weights, 0.3, **options, block_size=size)[0], [z])
    options["form"] = "inside"
    both(lambda size: pair_loss(z, z, weights, 0.3, **options, block_size=size)[0], [z])


def test_what_a_similarity_or_a_weight_has_learned_keeps_its_gradient():
    a, b = rows(0), rows(1)
    matrix = nn.Parameter(torch.eye(4, dtype=torch.float64) + 0.1)
    margin = nn.Parameter(torch.tensor(0.2, dtype=torch.float64))
    options = {"similarity": lambda x, y: x @ matrix @ y.T, "bias": lambda r, c: margin}
    both(
        lambda size: pair_sums(a, b, None, 0.5, **options, block_size=size)[0],
        [a, b, matrix, margin],
    )
    weights = lambda r, c: (None, (margin + a[r] @ b[c].T).square())
    both(lambda size: pair_sums(a, b, weights, 0.5, block_size=size)[0], [a, b, margin])


def test_candidates_alone_may_learn():
    a, b = rows(0).detach(), rows(1)
    both(lambda size: pair_sums(a, b, None, 0.5, block_size=size)[0], [b])


@pytest.mark.parametrize("objective", [InfoNCE("learned", form="two_way"), SupCon()])
def test_no_matrix_of_all_pairs_is_made(objective):
    n = 600
    largest = []

    class Noted(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            largest.extend(x.numel() for x in [found] if torch.is_tensor(x))
            return found

    views = torch.randn(2, n, 8, requires_grad=True)
    built = objective.set_params(block_size=64).build(n)
    with Noted():
        built(views=views, target=torch.arange(n) % 3).mean().backward()
    assert max(largest) <= 2 * n * 8 + 64**2


def test_auto_is_one_matrix_up_to_its_limit_and_none_always():
    side = int(DENSE_LIMIT**0.5)
    few, many = torch.empty(side, 1), torch.empty(side + 1, 1)
    assert tile_side(few, few, "auto") == side
    assert tile_side(many, many, "auto") < side
    assert tile_side(many, many, None) == side + 1
    for cls in OBJECTIVES.values():
        if "block_size" in cls._get_param_names():
            assert cls().block_size == "auto"
