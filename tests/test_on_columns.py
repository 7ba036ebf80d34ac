"""An objective on some columns of the space."""

import numpy as np
import pytest
import torch
from multiview_cases import A, B, Y, encoder
from sklearn.base import clone
from sklearn.preprocessing import normalize
from torch import nn

from skcontrast import ContrastiveEncoder
from skcontrast.multiview import Blocks
from skcontrast.objectives import (
    CrossEntropy,
    InfoNCE,
    MinedNegatives,
    OnColumns,
    PairGated,
    Pairwise,
    Reconstruction,
    SupCon,
    VICReg,
)

views = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_objective_of_these_columns():
    for start, stop in ((0, 3), (3, 8), (2, None)):
        cut = slice(start, stop)
        for objective in (InfoNCE(), VICReg()):
            own = views.clone().requires_grad_()
            loss = OnColumns(objective, start, stop)(own)
            torch.testing.assert_close(loss, objective(views[..., cut]), rtol=0, atol=0)
            loss.mean().backward()
            left = np.ones(8, dtype=bool)
            left[cut] = False
            assert own.grad[..., cut].any() and not own.grad[..., left].any()
    whole = OnColumns(SupCon())
    torch.testing.assert_close(whole(views, target=Y6), SupCon()(views, target=Y6), rtol=0, atol=0)
    assert (whole.requires, whole.min_views) == (("views", "target"), 1)


Y6 = torch.tensor([0, 1, 0, 1, 2, 2])


@pytest.mark.parametrize("start, stop", [(0, 9), (8, None), (4, 3)])
def test_columns_that_there_are_not(start, stop):
    with pytest.raises(ValueError, match="and there are 8: type start below stop, and stop up to"):
        OnColumns(InfoNCE(), start, stop)(views)


def test_two_levels_have_a_part_each():
    rng = np.random.default_rng(0)
    fine, coarse = np.arange(240) % 6, np.arange(240) % 2
    X = 2 * rng.normal(size=(6, 5))[fine] + 0.7 * rng.normal(size=(240, 5))
    blocks = Blocks(rows=X, fine=np.eye(6)[fine], coarse=np.eye(2)[coarse])
    pairs = ([("rows", "fine")], 0, 4), ([("rows", "coarse")], 4, 6)
    first, second = (OnColumns(Pairwise(InfoNCE(0.2), p), start, stop) for p, start, stop in pairs)
    settings = {"init": None, "views": None, "learning_rate": 0.01, "batch_size": 60}
    model = encoder(n_components=6, blocks=None, objective=first + second, max_iter=40, **settings)
    model.fit(blocks)
    Z = model.transform_block(X, "rows")
    for level, cut in ((fine, slice(0, 4)), (coarse, slice(4, 6))):
        centers = [Z[level == c][:, cut].mean(0) for c in range(level.max() + 1)]
        found = (normalize(Z[:, cut]) @ normalize(centers).T).argmax(1)
        assert np.mean(found == level) > 0.9
    # In the columns of the coarse level there is little of the finer one.
    apart = [normalize(Z[:, cut]) for cut in (slice(0, 4), slice(4, 6))]
    same = (coarse[:, None] == coarse) & (fine[:, None] != fine)
    near = [np.mean((z @ z.T)[same]) for z in apart]
    assert near[1] > near[0] + 0.3


def test_a_projection_may_be_wider_than_the_embedding():
    for objective in (OnColumns(SupCon(), 2, 20), OnColumns(PairGated(), 2, 20)):
        model = ContrastiveEncoder(3, objective=objective, max_iter=1, passthrough=False)
        model.set_params(projector=nn.Linear(3, 20), random_state=0).fit(A, Y)
        assert np.isfinite(model.loss_curve_).all()
    narrow = ContrastiveEncoder(20, objective=objective, projector=nn.Linear(20, 3), max_iter=1)
    with pytest.raises(ValueError, match="columns 2 to 20, and there are 3"):
        narrow.fit(A, Y)


@pytest.mark.parametrize(
    "objective",
    [
        OnColumns(CrossEntropy(), 0, 3) + OnColumns(SupCon(temperature="learned"), 3),
        OnColumns(MinedNegatives(warm_up=0), 2),
        OnColumns(InfoNCE() + Reconstruction(), 1, 4),
    ],
)
def test_what_an_objective_learns_and_renews_is_of_its_columns(objective):
    settings = {"n_components": 5, "passthrough": False, "random_state": 0, "max_iter": 2}
    model = ContrastiveEncoder(objective=objective, **settings)
    X, given = np.hstack([A, B]), {"y": Y} if "target" in objective.requires else {}
    model.fit(X, **given)
    assert np.isfinite(model.loss_curve_).all()
    if given:
        assert model.objective_weights_["terms.0.term.head.weight"].shape == (3, 3)
    again = clone(model).fit(X, **given)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    model.set_params(warm_start=True).fit(X, **given)
    narrow = clone(model).set_params(n_components=2, warm_start=False)
    with pytest.raises(ValueError, match="type start below stop"):
        narrow.fit(X, **given)
