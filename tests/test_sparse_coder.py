"""SparseCoder and its objective: the formula by loops, and laws of sparse codes."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skcontrast import SparseCoder
from skcontrast.objectives import InfoNCE, SparseReconstruction
from skcontrast.objectives._sparse import largest

rng = np.random.default_rng(0)
# Rows of three out of twelve hidden directions each.
HIDDEN = rng.normal(size=(12, 8))
USED = np.zeros((400, 12))
for used in USED:
    used[rng.choice(12, 3, replace=False)] = rng.uniform(1, 2, 3)
X = USED @ HIDDEN


def test_naive_loops():
    g = torch.Generator().manual_seed(0)
    h, rows = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((2, 5, 9), (5, 4)))
    decoder = torch.nn.Linear(9, 4).double()
    dead = torch.arange(9) > 5
    h.requires_grad_()
    objective = SparseReconstruction(n_nonzero=2, contrast=0.3, temperature=0.5, n_auxiliary=2)
    found = objective.loss(h, rows=rows, head=decoder, dead=dead)
    W, b = (p.detach().numpy() for p in decoder.parameters())

    def code(v, k):
        out = np.zeros(9)
        for j in np.argsort(-v)[:k]:
            out[j] = max(v[j], 0)
        return out

    H, Y, expected = h.detach().numpy(), rows.numpy(), []
    codes = torch.tensor(np.array([[code(v, 2) for v in view] for view in H]))
    contrast = InfoNCE(0.5)(codes).numpy()
    for view in H:
        rest = np.array([y - W @ code(v, 2) for v, y in zip(view, Y)])
        spread = np.mean((rest - rest.mean(axis=0)) ** 2)
        for v, y, e in zip(view, Y, rest):
            errors = [np.mean((W @ code(v, k) + b - y) ** 2) for k in (2, 8)]
            part = W @ code(v * dead.numpy(), 2) + b
            value = errors[0] + errors[1] / 8 + np.mean((part - e) ** 2) / spread / 32
            expected.append(value + 0.3 * contrast[len(expected)])
    np.testing.assert_allclose(found.detach().numpy(), expected)


def test_nothing_out_of_use_costs_nothing():
    h = torch.randn(1, 5, 6, requires_grad=True)
    rows, objective = torch.randn(5, 6), SparseReconstruction(n_nonzero=2, contrast=0.0)
    losses = [objective.loss(h, rows=rows, dead=d) for d in (None, torch.zeros(6, dtype=bool))]
    torch.testing.assert_close(*losses)
    expected = (largest(h, 2) - rows).square().mean(-1) + (h.relu() - rows).square().mean(-1) / 8
    torch.testing.assert_close(losses[0], expected.flatten())
    assert not SparseReconstruction(n_nonzero=6, contrast=0.0)(
        rows.abs()[None], rows=rows.abs()
    ).any()


def coder(**params):
    settings = {"n_components": 24, "n_nonzero": 3, "max_iter": 60, "random_state": 0}
    return SparseCoder(**{**settings, "learning_rate": 3e-3, **params})


@pytest.fixture(scope="module")
def fitted():
    return coder().fit(X)


def test_codes_are_the_largest_columns(fitted):
    codes = fitted.transform(X)
    assert sp.issparse(codes) and codes.shape == (400, 24)
    assert codes.getnnz(axis=1).max() == 3 and codes.data.min() > 0
    H = fitted.encoder_.transform((X - fitted.mean_) / fitted.scale_)
    np.testing.assert_allclose(codes.toarray(), largest(torch.tensor(H), 3), atol=1e-12)
    some = fitted.transform(X[5:9]).toarray()
    np.testing.assert_allclose(some, codes[5:9].toarray(), atol=1e-6)


def test_they_rebuild_rows(fitted):
    def lost(model):
        error = model.inverse_transform(model.transform(X)) - X
        return np.mean(error**2) / X.var()

    at = []
    for k in (1, 2, 3):
        at.append(lost(fitted.set_params(n_nonzero=k)))
    assert 1 > at[0] > at[1] > at[2] and at[2] < 0.25
    with pytest.raises(ValueError, match="X has 8 columns, and transform gives 24"):
        fitted.inverse_transform(X)


def test_columns_out_of_use_come_back():
    counts = [
        np.count_nonzero(coder(n_components=64, n_nonzero=2, dead_after=d).fit_transform(X).sum(0))
        for d in (2, 10**9)
    ]
    assert counts[0] > counts[1]


def test_one_seed_one_code():
    first, second, other = (
        coder(max_iter=2, random_state=s).fit_transform(X).toarray() for s in (0, 0, 1)
    )
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    assert np.isfinite(coder(max_iter=1, contrast=0.0).fit(X).encoder_.loss_curve_).all()


def test_a_number_of_entries_is_one_after_the_fit_too():
    model = coder(max_iter=1, random_state=0).fit(X)
    for number in (0, -1, 2.5):
        with pytest.raises(ValueError, match="n_nonzero=.*: type a whole number of at least 1"):
            model.set_params(n_nonzero=number).transform(X)
    with pytest.raises(ValueError, match="squares are beyond float64"):
        coder().fit(X * 1e200)
