"""Nested: the first columns of a space as spaces of their own."""

import numpy as np
import pytest
import torch
from instances import blobs
from sklearn.preprocessing import normalize

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.objectives import CrossEntropy, InfoNCE, Nested, SupCon, VICReg

views = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gradient(objective):
    own = views.clone().requires_grad_()
    loss = objective(own).mean()
    loss.backward()
    return loss.item(), own.grad


@pytest.mark.parametrize("objective", [InfoNCE(), VICReg()])
def test_naive_sum(objective):
    widths, weights = (2, 5, None), (0.5, 1.0, 2.0)
    value, found = gradient(Nested(objective, widths, weights))
    expected, slopes = 0.0, torch.zeros_like(views)
    for width, weight in zip(widths, weights):
        own = views[..., :width].clone().requires_grad_()
        loss = weight * objective(own).mean()
        loss.backward()
        expected += loss.item()
        slopes[..., :width] += own.grad
    assert value == pytest.approx(expected)
    torch.testing.assert_close(found, slopes)


@pytest.mark.parametrize("widths", [(None,), (8,)])
def test_one_width_is_the_objective(widths):
    value, found = gradient(Nested(InfoNCE(), widths))
    expected, slopes = gradient(InfoNCE())
    assert value == expected and torch.equal(found, slopes)


def test_first_columns_are_an_embedding(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 8
    X = 2 * rng.normal(size=(8, 16))[y] + rng.normal(size=(400, 16))
    params = {"n_components": 12, "passthrough": False, "projector": None, "random_state": 0}
    params |= {"max_iter": 30, "batch_size": 100}

    def near(Z):
        Z = normalize(Z)
        S = Z @ Z.T
        np.fill_diagonal(S, -1)
        return np.mean(y[S.argmax(axis=1)] == y)

    found = {}
    for name, objective in (("plain", SupCon()), ("nested", Nested(SupCon(), (2, 4, None)))):
        model = ContrastiveEncoder(objective=objective, **params).fit(X, y)
        found[name] = [near(model.transform(X)[:, :k]) for k in (2, 12)]
    assert found["nested"][0] > found["plain"][0] + 0.05
    assert found["nested"][1] > found["plain"][1] - 0.05
    skcontrast.save(model, tmp_path)
    assert np.array_equal(skcontrast.load(tmp_path).transform(X), model.transform(X))


def test_each_width_has_its_head():
    X, y = blobs()
    params = {"n_components": 3, "passthrough": False, "max_iter": 2, "random_state": 0}
    model = ContrastiveEncoder(objective=Nested(CrossEntropy(), (1, None)), **params).fit(X, y)
    shapes = {k: v.shape for k, v in model.objective_weights_.items() if k.endswith("head.weight")}
    assert sorted(shapes.values()) == [(3, 1), (3, 3)]
    with pytest.raises(ValueError, match="reads the columns 0 to 9, and there are 3: type start"):
        ContrastiveEncoder(objective=Nested(InfoNCE(), (9,)), **params).fit(X)


@pytest.mark.parametrize("params", [{"widths": ()}, {"widths": (2, 3), "weights": (1.0,)}])
def test_as_many_weights_as_widths(params):
    with pytest.raises(ValueError, match="type one width or more, and a weight for each"):
        Nested(InfoNCE(), **params)(views)
    with pytest.raises(ValueError, match="type one width or more, and a weight for each"):
        ContrastiveEncoder(objective=Nested(InfoNCE(), **params)).fit(blobs()[0])


@pytest.mark.parametrize(
    "message, params",
    [
        *((r"widths=.*: type a whole number of at least 1", {"widths": (w, 4)}) for w in (0, 2.5)),
        (r"widths=True: type a whole number", {"widths": (True, 4)}),
        (r"widths=\[2, 4\]: type a whole number", {"widths": [[2, 4]]}),
        *(
            ("weights=.*: type a finite number for each width", {"widths": (2, 4), "weights": w})
            for w in ((1, np.nan), (np.inf, 1), ("a", "b"), [[1], [2]])
        ),
    ],
)
def test_what_is_no_width_or_weight(message, params):
    with pytest.raises(ValueError, match=message):
        Nested(InfoNCE(), **params)(views)


def test_widths_and_weights_of_any_container():
    value = Nested(InfoNCE(), (2, 4), (1.0, 2.0))(views)
    assert Nested(InfoNCE(), np.array([2, 4]), np.array([1, 2]))(views) == value
    assert Nested(InfoNCE(), torch.tensor([2, 4]), [1, 2])(views) == value
