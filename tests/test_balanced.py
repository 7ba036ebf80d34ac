"""Balanced: two losses whose weights are the shortest vector between their gradients."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import skcontrast
from skcontrast import ContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast.functional import min_norm_pair
from skcontrast.networks import DilatedConv
from skcontrast.objectives import (
    AlignmentUniformity,
    Balanced,
    InfoNCE,
    Objective,
    Reconstruction,
)

X = np.random.default_rng(0).normal(size=(60, 6))


class Along(Objective):
    """A loss whose gradient at the views is a given vector, the same for each row."""

    min_views = 1

    def __init__(self, vector):
        self.vector = vector

    def loss(self, views, **named):
        return (views * torch.tensor(self.vector, dtype=views.dtype)).sum(-1).flatten()


def step(first, second, n=4):
    """The total's gradient at the views, of each row times their number; and the share."""
    built = Balanced(Along(first), Along(second)).build(n).double()
    views = torch.zeros(1, n, len(first), dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(built(views=views, embedding=None), views)
    return gradient[0, 0] * n, float(built.share)


def test_equal_gradients_are_kept_and_opposite_ones_make_no_step():
    assert_allclose(step([1.0, 2.0], [1.0, 2.0])[0], [1, 2])
    gradient, share = step([1.0, 2.0], [-3.0, -6.0])
    assert_allclose(gradient, 0, atol=1e-15)
    assert_allclose(share, 0.75)


@pytest.mark.parametrize("seed", range(8))
def test_the_share_is_that_of_a_line_search(seed):
    first, second = np.random.default_rng(seed).normal(size=(2, 3)) * [[1], [3]]
    gradient, share = step(first.tolist(), second.tolist())
    grid = np.linspace(0, 1, 10_001)
    lengths = np.linalg.norm(np.outer(grid, first) + np.outer(1 - grid, second), axis=1)
    assert abs(share - grid[lengths.argmin()]) < 1.01e-4
    # Both losses fall along it.
    for g in (first, second):
        assert g @ gradient.numpy() >= gradient.square().sum() - 1e-9


def test_shares_of_rows_of_gradients():
    first, second = torch.randn(2, 5, 7, dtype=torch.float64)
    apart = [min_norm_pair(a, b) for a, b in zip(first, second)]
    assert_allclose(min_norm_pair(first, second), torch.stack(apart))


def test_gradients_are_those_at_the_embedding_also_behind_a_projector():
    objective = Balanced(InfoNCE(), Reconstruction())
    encoder = ContrastiveEncoder(
        objective=objective, projector="mlp", max_iter=1, batch_size=60, random_state=0
    )
    share = float(encoder.fit(X).objective_weights_["share"])
    assert 0 < share < 1 and share != 0.5
    # The projector, the chunks and the tiles change nothing of it.
    objective = Balanced(InfoNCE(block_size=16), Reconstruction())
    cut = encoder.set_params(objective=objective, chunk_size=13).fit(X)
    assert_allclose(float(cut.objective_weights_["share"]), share, rtol=1e-4)


def test_the_embedding_counts_only_where_losses_depend_on_it():
    found = {"views": torch.randn(2, 9, 4), "embedding": torch.randn(2, 9, 4)}
    built = Balanced(InfoNCE(), AlignmentUniformity()).build(9)
    views = found["views"].requires_grad_()
    built(views=views)
    alone = [
        torch.autograd.grad(term(views=views).mean(), views)[0].flatten() for term in built.terms
    ]
    assert_allclose(float(built.share), float(min_norm_pair(*alone)), rtol=1e-5)
    built(**found, own=None)
    assert_allclose(float(built.share), float(min_norm_pair(*alone)), rtol=1e-5)


def test_rows_held_out_are_given_the_mean_of_both_losses():
    built = Balanced(InfoNCE(), AlignmentUniformity()).build(9)
    views = torch.randn(2, 9, 4)
    both = [float(term(views=views).mean()) for term in built.terms]
    with torch.no_grad():
        assert_allclose(float(built.eval()(views=views)), np.mean(both), rtol=1e-6)
    assert_allclose(
        float(Balanced(InfoNCE(), AlignmentUniformity())(views)), np.mean(both), rtol=1e-6
    )


@pytest.mark.parametrize("nested", [False, True])
def test_fits_of_tables_and_of_series(nested, tmp_path):
    objective = Balanced(InfoNCE(), AlignmentUniformity())
    if nested:
        objective = Balanced(objective, 0.5 * InfoNCE(form="two_way"))
    encoder = ContrastiveEncoder(
        objective=objective, max_iter=3, early_stopping=True, random_state=0
    ).fit(X)
    assert len(encoder.validation_curve_) == 3
    again = pickle.loads(pickle.dumps(encoder))
    skcontrast.save(encoder, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    for other in (again, loaded):
        assert repr(other.objective_) == repr(objective)
        assert (other.transform(X) == encoder.transform(X)).all()
    series = np.random.default_rng(1).normal(size=(12, 1, 16))
    steps = Balanced(InfoNCE(), skcontrast.objectives.HierarchicalContrast())
    fitted = SeriesContrastiveEncoder(network=DilatedConv(4, 1), objective=steps, max_iter=1)
    assert 0 <= fitted.fit(series).objective_weights_["share"] <= 1


def test_parameters_and_repr():
    objective = Balanced(InfoNCE(), Reconstruction()).set_params(first__temperature=0.5)
    assert repr(objective) == "Balanced(first=InfoNCE(temperature=0.5), second=Reconstruction())"
    assert objective.get_params()["first__temperature"] == 0.5
    encoder = ContrastiveEncoder(objective=objective)
    encoder.set_params(objective__first__temperature=0.3)
    assert encoder.objective.first.temperature == 0.3
    assert {"views", "rows", "embedding"} <= set(objective.requires)
