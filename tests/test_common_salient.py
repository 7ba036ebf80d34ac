"""CommonSalient: its formula by loops, its laws, and what a training makes of it."""

from math import exp, log

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast.objectives import AlignmentUniformity, CommonSalient

BACKGROUND = np.array([True, False, False, True, False, False])


def squared(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b))


def common_salient(views, background, n_salient, weights, tau):
    """The loss of a batch, over single rows and pairs: views (V, n, d)."""
    w_s, w_b, w_j = weights
    n_views, n, _ = views.shape
    common, salient = views[..., :-n_salient], views[..., -n_salient:]
    c = common / np.linalg.norm(common, axis=-1, keepdims=True)
    target = [[[0.0] * n_salient if b else row for row, b in zip(v, background)] for v in salient]
    pairs = [(a, b) for a in range(n_views) for b in range(a)]
    rows = [i for i in range(n) if not background[i]]

    def aligned(x, rows):
        terms = [squared(x[a][i], x[b][i]) / (2 * tau) for a, b in pairs for i in rows]
        return sum(terms) / len(terms)

    def spread(x):
        each = [
            [exp(-squared(v[i], v[j]) / (2 * tau)) for i in range(n) for j in range(i)] for v in x
        ]
        return 2 * sum(log(sum(e) / len(e)) for e in each) / n_views

    held = [squared(v[i], [0] * n_salient) for v in salient for i in range(n) if background[i]]
    joint = 0.0
    for v in range(n_views):
        for i in range(n):
            K = [squared(target[v][i], target[v][j]) + squared(c[v][i], c[v][j]) for j in range(n)]
            joint += log(sum(exp(-k / (2 * tau)) for k in K) / n) / n / n_views
    first = aligned(c, range(n)) + spread(c)
    second = aligned(salient, rows) + spread(target)
    return first + w_s * second + w_b * sum(held) / len(held) / (2 * tau) + w_j * joint


def draw(n_views=2, n=6, d=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("n_views", [2, 3])
@pytest.mark.parametrize("weights", [(1.0, 2.0, 3.0), (0.0, 0.0, 0.0)])
def test_by_loops(n_views, weights):
    views = draw(n_views)
    found = CommonSalient(2, *weights, tau=0.7)(views, condition=torch.tensor(BACKGROUND))
    expected = common_salient(views.numpy(), BACKGROUND, 2, weights, 0.7)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_the_common_part_alone_is_alignment_and_uniformity():
    views, tau = draw(), 0.4
    t = 1 / (2 * tau)
    plain = AlignmentUniformity(t=t, alignment_weight=t, uniformity_weight=2.0)
    found = CommonSalient(2, 0.0, 0.0, 0.0, tau=tau)(views, condition=torch.tensor(BACKGROUND))
    assert found.item() == pytest.approx(plain(views[..., :3]).item(), rel=1e-12)


def test_the_penalty_alone_moves_salient_columns_of_the_background():
    views = draw().requires_grad_()
    mask = torch.tensor(BACKGROUND)
    CommonSalient(2, background_weight=0.0)(views, condition=mask).backward()
    assert (views.grad[:, mask, -2:] == 0).all() and (views.grad[:, ~mask, -2:] != 0).all()
    views.grad = None
    only = CommonSalient(2, 0.0, 3.0, 0.0)
    only(views, condition=mask).backward()
    # d/ds of 3 mean ||s||^2, of two views and two rows: tau is 0.5.
    torch.testing.assert_close(views.grad[:, mask, -2:], 3 * 2 * views[:, mask, -2:].detach() / 4)


def test_half_of_the_columns_by_default():
    views, mask = draw(d=6), torch.tensor(BACKGROUND)
    assert CommonSalient()(views, condition=mask) == CommonSalient(3)(views, condition=mask)
    with pytest.raises(ValueError, match="n_salient=6, but there are 6 columns"):
        CommonSalient(6)(views, condition=mask)
    with pytest.raises(ValueError, match="condition has 2 entries, but there are .* rows"):
        CommonSalient(2)(views, condition=mask[:2])
    with pytest.raises(ValueError, match="n_views=1, but CommonSalient needs at least 2 views"):
        CommonSalient(2)(views[:1], condition=mask)


@pytest.mark.parametrize("kind", [True, False])
def test_a_batch_of_one_kind_is_finite(kind):
    views = draw().requires_grad_()
    loss = CommonSalient(2)(views, condition=torch.full((6,), kind))
    loss.backward()
    assert loss.isfinite() and views.grad.isfinite().all()


def planted(n=300, seed=0):
    """Every row has one of two looks; rows of the foreground have one of two kinds as well."""
    rng = np.random.default_rng(seed)
    background = np.arange(n) % 3 == 0
    look, kind = rng.integers(0, 2, (2, n))
    X = rng.normal(size=(n, 10))
    X[:, :3] += 3 * look[:, None]
    X[:, 3:6] += 3 * (kind * ~background)[:, None]
    return X, background, look, kind


def test_kinds_of_the_foreground_are_salient_and_not_common(tmp_path):
    X, background, look, kind = planted()
    encoder = ContrastiveEncoder(
        8, objective=CommonSalient(4), views="corruption", max_iter=60, random_state=0
    )
    encoder.fit(X, condition=background)
    Z = encoder.transform(X)
    assert Z.shape == (300, 8)
    common, salient = Z[~background, :4], Z[~background, 4:]

    def probe(part, y):
        return cross_val_score(LogisticRegression(max_iter=1000), part, y[~background], cv=5).mean()

    assert probe(salient, kind) > 0.9 and probe(common, look) > 0.75
    assert probe(common, kind) < 0.75
    lengths = np.linalg.norm(Z[:, 4:], axis=1)
    assert lengths[background].mean() < 0.5 * lengths[~background].mean()
    skcontrast.save(encoder, tmp_path / "model")
    assert np.array_equal(skcontrast.load(tmp_path / "model").transform(X), Z)


def test_what_marks_no_background_is_refused():
    X, background, _, _ = planted(30)
    encoder = ContrastiveEncoder(4, objective="common_salient", max_iter=1)
    with pytest.raises(ValueError, match="CommonSalient needs 'condition'"):
        encoder.fit(X)
    words = np.where(background, "background", "target")
    for condition in (np.ones(30, dtype=bool), words, X[:, 0], np.c_[background, background]):
        with pytest.raises(ValueError, match="says which rows are background, and holds"):
            encoder.fit(X, condition=condition)
    encoder.set_params(random_state=0)
    first, second = (
        encoder.fit(X, condition=marks).transform(X) for marks in (background, background * 1)
    )
    assert np.array_equal(first, second)
