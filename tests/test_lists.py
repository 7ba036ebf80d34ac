"""Graded lists: order and distribution of the scores of a query's items."""

from math import exp, log

import numpy as np
import pytest
import torch
from multiview_cases import X, encoder

from skcontrast._inputs.rows import table_rows
from skcontrast.functional import gaussian_distance, normalize
from skcontrast.objectives import InfoNCE, ListMLE, ListwiseWasserstein, Pairwise
from skcontrast.samplers import WholeGroups

NAN = float("nan")
GRADES = [2.0, 0.0, 1.0, 0.0, 1.0, 0.0, NAN]
QUERIES = [0, 1, 0, 0, 1, 0, 1]


def draw(n_views=2, n=7, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def list_mle(z, grades, groups, tau):
    """Unit rows (V, n, d), grades and queries of the rows -> one loss for each row."""
    losses, counted = np.zeros(len(grades)), 0
    for i, grade in enumerate(grades):
        below = [k for k, g in enumerate(grades) if g < grade and groups[k] == groups[i]]
        counted += bool(below)
        for y in z[1:]:
            s = [z[0, k] @ y[k] / tau for k in [i, *below]]
            losses[i] += (log(sum(exp(x) for x in s)) - s[0]) / (len(z) - 1)
    return losses * len(grades) / counted


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def distance_of_gaussians(a, b):
    """By the eigenvalues of symmetric matrices alone."""
    C, D = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    values, vectors = np.linalg.eigh(C)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ D @ root).clip(0)).sum()
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(C + D) - 2 * cross


def listwise_wasserstein(z, grades, groups, tau, target_tau=1.0):
    """Unit rows (V, n, d), whose lists are of one length -> one loss."""
    total = 0.0
    for y in z[1:]:
        P, T = [], []
        for group in sorted(set(groups)):
            rows = [i for i, g in enumerate(groups) if g == group]
            rows.sort(key=lambda i: -grades[i])
            if any(np.isnan(grades[i]) for i in rows):
                continue
            P.append(softmax(np.array([z[0, i] @ y[i] for i in rows]) / tau))
            T.append(softmax(np.array([grades[i] for i in rows]) / target_tau))
        # The last share says nothing that the others do not; this basis keeps distances.
        basis = np.linalg.svd(np.ones((1, len(P[0]))))[2][1:]
        total += distance_of_gaussians(np.array(P) @ basis.T, np.array(T) @ basis.T)
    return total / (len(z) - 1)


def close(value, expected):
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-10, atol=1e-12)


def side(grades, groups):
    return {"target": torch.tensor(grades, dtype=torch.float64), "groups": torch.tensor(groups)}


@pytest.mark.parametrize("block_size", [None, 3])
@pytest.mark.parametrize("n_views", [2, 3])
def test_list_mle_is_its_loop(n_views, block_size):
    views = draw(n_views)
    loss = ListMLE(0.3, block_size)(views, **side(GRADES, QUERIES))
    close(loss, list_mle(normalize(views).numpy(), GRADES, QUERIES, 0.3))


def test_a_list_of_two_is_the_logistic_loss():
    views = draw(n=2)
    s = (normalize(views[0]) * normalize(views[1])).sum(1) / 0.3
    loss = ListMLE(0.3)(views, **side([0.0, 1.0], [0, 0])).mean()
    close(loss, torch.log1p((s[0] - s[1]).exp()))
    # A higher grade of one item changes nothing: the order alone counts.
    close(ListMLE(0.3)(views, **side([0.0, 9.0], [0, 0])).mean(), loss)


def test_rows_without_an_order_are_no_lists():
    views = draw().requires_grad_()
    for grades, groups in (([1.0] * 7, [0] * 7), (GRADES, [*range(7)]), ([NAN] * 7, [0] * 7)):
        loss = ListMLE()(views, **side(grades, groups))
        assert not loss.any()
        loss.mean().backward()
        assert not views.grad.any()


LISTS = [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 3, 2, 1, 0]
OF_LISTS = [2.0, 1.0, 0.5, 0.0, 3.0, 1.0, 0.0, 1.0, 2.5, 1.0, 0.0, 1.0, 2.0, 3.0, 0.0]


@pytest.mark.parametrize("n_views", [2, 3])
def test_wasserstein_is_its_formula(n_views):
    views = draw(n_views, 15)
    z = normalize(views).numpy()
    objective = ListwiseWasserstein(0.3, 0.7)
    expected = listwise_wasserstein(z, OF_LISTS, LISTS, 0.3, 0.7)
    close(objective(views, **side(OF_LISTS, LISTS)), expected)
    lacking = [NAN, *OF_LISTS[1:]]
    expected = listwise_wasserstein(z, lacking, LISTS, 0.3, 0.7)
    close(objective(views, **side(lacking, LISTS)), expected)


def test_wasserstein_of_two_is_that_of_a_number():
    views = draw(n=12)
    groups, grades = [*range(6)] * 2, [*range(6), *range(3, 9)]
    given = side([float(g) for g in grades], groups)
    loss = ListwiseWasserstein(0.3, 5.0)(views, **given)
    s = (normalize(views[0]) * normalize(views[1])).sum(1)
    # The items of the second half are the better ones of their lists.
    p = torch.stack([s[6:], s[:6]], 1).div(0.3).softmax(1)[:, 0]
    t = 1 / (1 + exp(-3 / 5))
    expected = 2 * (p.mean() - t) ** 2 + 2 * p.std() ** 2
    close(loss, expected)
    # Lists in any order, and their rows.
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    moved = {name: value[order] for name, value in given.items()}
    close(ListwiseWasserstein(0.3, 5.0)(views[:, order], **moved), loss)


def test_scores_that_are_the_grades_cost_nothing():
    s = torch.linspace(-0.9, 0.9, 15, dtype=torch.float64)
    x = torch.stack([torch.ones(15), torch.zeros(15)], 1).double()
    views = torch.stack([x, torch.stack([s, (1 - s**2).sqrt()], 1)]).requires_grad_()
    given = {"target": s / 0.3, "groups": torch.tensor(LISTS)}
    loss = ListwiseWasserstein(0.3)(views, **given)
    loss.backward()
    assert abs(loss) < 1e-15 and views.grad.abs().max() < 1e-12
    assert ListwiseWasserstein(0.6)(views, **given) > 1e-3


def test_distance_of_gaussians():
    a, b = draw(n=20, d=3)
    close(gaussian_distance(a, b), distance_of_gaussians(a.numpy(), b.numpy()))
    assert gaussian_distance(a, a).abs() < 1e-14
    close(gaussian_distance(a[:1], b[:1]), (a[0] - b[0]).square().sum())
    # Singular covariances, and fewer rows than columns.
    for x, y in ((a[:, :2] @ draw()[0, :2], b @ draw()[0, :3]), (a[:3], b[:3])):
        x = x.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, y=y: gaussian_distance(x, y), x)


def test_lists_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="from 3 to 4 rows: pass as many rows of each group, or"):
        ListwiseWasserstein()(draw(), **side(GRADES, QUERIES))
    with pytest.raises(ValueError, match=r"\(7, 2\), and each of the 7 rows has one grade"):
        ListMLE()(draw(), target=torch.ones(7, 2), groups=torch.zeros(7))


# --------------------------------------------------------------- batches


@pytest.mark.parametrize("batch_size, min_rows", [(4, 2), (10, 2), (1, 2), (7, 5), (100, 2)])
def test_batches_of_whole_groups(batch_size, min_rows):
    groups = np.repeat(np.arange(12), [1, 5, 3, 2, 3, 3, 1, 2, 4, 9, 3, 4])[::-1].copy()
    rows = table_rows(np.zeros((40, 1)), side={"groups": groups})
    batches = WholeGroups(rows, rows.train_index, batch_size, min_rows)
    first, second = list(batches), list(batches)
    for epoch in (first, second):
        assert len(epoch) == len(batches)
        np.testing.assert_array_equal(torch.cat(epoch).sort().values, np.arange(40))
        assert min(map(len, epoch)) >= min_rows
        found = [set(groups[batch]) for batch in epoch]
        assert sum(map(len, found)) == 12  # no group is in two batches
    if len(batches) > 1:
        assert any(len(a) != len(b) or (a != b).any() for a, b in zip(first, second))
    assert len(batches) <= -(-40 // batch_size)


# ---------------------------------------------------------- with an estimator

QUERY = np.arange(60) // 4
GRADE = np.tile([3.0, 2.0, 1.0, 0.0], 15)


def graded(seed=0):
    """Rows of a query and an item that is the nearer to it the better its grade is."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(15, 5))[QUERY]
    B = A @ np.random.default_rng(9).normal(size=(5, 4))
    return np.hstack([A, B + 1.5 * (3 - GRADE)[:, None] * rng.normal(size=B.shape)])


def share_in_order(model, X):
    s = model.score_pairs(X).reshape(15, 4)
    i, j = np.triu_indices(4, 1)
    return np.mean(s[:, i] > s[:, j])


@pytest.mark.parametrize("objective", ["list_mle", "listwise_wasserstein"])
def test_lists_are_learned(objective):
    settings = {"views": None, "init": None, "learning_rate": 0.01, "batch_size": 20}
    model = encoder(objective=objective, max_iter=60, **settings).fit(graded(), GRADE, groups=QUERY)
    assert share_in_order(model, graded()) > 0.9
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    mixed = np.random.default_rng(0).permutation(60)
    early = encoder(objective=objective, early_stopping=True, validation_fraction=0.2)
    early.fit(graded()[mixed], GRADE[mixed], groups=QUERY[mixed])
    assert np.isfinite(early.validation_curve_).all()


def test_sums_and_pairs_of_lists():
    both = Pairwise(InfoNCE(exclude="groups")) + 0.5 * Pairwise(ListwiseWasserstein())
    assert both.whole_groups and both.min_rows == 2
    model = encoder(objective=both, batch_size=8).fit(X, GRADE, groups=QUERY)
    assert np.isfinite(model.loss_curve_).all()
    with pytest.raises(ValueError, match="would part: type sampler='uniform'"):
        encoder(objective="list_mle", sampler="group_mixture").fit(X, GRADE, groups=QUERY)
    with pytest.raises(ValueError, match="needs 'groups'"):
        encoder(objective="list_mle").fit(X, GRADE)
