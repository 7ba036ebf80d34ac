"""Functions and measures of rows in order, by their laws."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from skcontrast.functional import contrast_apart, neighbor_weights, normalize, positive_unlabelled
from skcontrast.inspection import infer_between
from skcontrast.metrics import (
    boundary_scores,
    information_bits,
    linear_consistency,
    rsa,
    similarity_profile,
)
from skcontrast.objectives import InfoNCE, SupCon


def rows(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


# ------------------------------------------------------------------ functions


def test_negatives_apart_that_are_the_positives_are_info_nce():
    a, p = rows(2, 6, 3)
    expected = InfoNCE(0.3, form="one_way")(torch.stack([a, p]))
    torch.testing.assert_close(contrast_apart(a, p, p, 0.3), expected)


@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
@pytest.mark.parametrize("block_size", [None, 2])
def test_contrast_apart_is_the_loop(similarity, block_size):
    a, p, negatives = rows(5, 3), rows(5, 3, seed=1), rows(8, 3, seed=2)
    near = {
        "cosine": lambda x, y: F.cosine_similarity(x, y, dim=0),
        "euclidean": lambda x, y: -(x - y).square().sum(),
    }[similarity]
    loss = contrast_apart(a, p, negatives, 0.7, similarity, block_size)
    for i in range(5):
        total = sum(torch.exp(near(a[i], row) / 0.7) for row in negatives)
        torch.testing.assert_close(loss[i], total.log() - near(a[i], p[i]) / 0.7)


def test_no_share_of_the_far_is_cross_entropy():
    near, far = rows(2, 6)
    logits, labels = torch.cat([near, far]), torch.tensor([1.0, 0.0]).repeat_interleave(6)
    expected = F.binary_cross_entropy_with_logits(logits, labels.double())
    torch.testing.assert_close(positive_unlabelled(near, far, 0).mean(), expected)
    half = positive_unlabelled(near, far, 0.5)
    torch.testing.assert_close(half, positive_unlabelled(near, -far, 0.5))


def test_neighbours_rebuild_a_row():
    z = rows(6, 3)
    weights = neighbor_weights(z)
    torch.testing.assert_close(weights.sum(1), torch.ones(6).double())
    assert not weights.diagonal().any()
    nearest = (normalize(z) @ normalize(z).T).fill_diagonal_(-2).argmax(1)
    torch.testing.assert_close(neighbor_weights(z, 1e-4), F.one_hot(nearest, 6).double())
    torch.testing.assert_close(neighbor_weights(z[:2]), torch.tensor([[0.0, 1], [1, 0]]).double())


@pytest.mark.parametrize("n_masked", [1, 3])
def test_contrast_of_masked_copies_is_supcon(n_masked):
    copies = rows(n_masked + 1, 4, 3)
    flat, tau = normalize(copies).flatten(0, 1), 0.3
    total = 0
    for i in range(len(flat)):
        others = [k for k in range(len(flat)) if k != i]
        partition = sum(torch.exp(flat[i] @ flat[k] / tau) for k in others).log()
        total += sum(partition - flat[i] @ flat[k] / tau for k in others if k % 4 == i % 4)
    loss = SupCon(tau)(copies, target=torch.arange(4)).mean()
    torch.testing.assert_close(n_masked * loss, total / len(flat))


# ------------------------------------------------------------------- measures


def test_nothing_changes_in_a_constant_series():
    z = np.tile([0.1, 0.7, -0.3], (30, 1))
    for width in (1, 4, 100):
        assert np.abs(boundary_scores(z, width)).max() < 1e-15
    np.testing.assert_allclose(similarity_profile(z), 1, atol=1e-15)


@pytest.mark.parametrize("width", [3, 8])
@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_a_planted_change_is_the_peak(width, scale):
    z = np.random.default_rng(0).normal(size=(60, 8)) * 0.1
    z[:23, 0] += 1
    z[23:, 1] += 1
    scores = boundary_scores(scale * z, width)
    assert scores.argmax() == 23 and scores.shape == (60,) and scores[0] == 0
    for t in (1, 2, 23, 30, 59):
        before, after = z[max(0, t - width) : t].mean(0), z[t : t + width].mean(0)
        cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
        assert abs(scores[t] - (1 - cosine)) < 1e-12
    profile = similarity_profile(scale * np.sign(z[20:26, :2]))
    assert profile.shape == (5,) and (np.abs(profile) <= 1).all()


def test_rows_that_cancel_have_no_direction():
    z = np.array([[1.0, 0], [-1.0, 0], [0, 1.0], [0, 1.0]])
    assert boundary_scores(z, 2)[2] == 1


def test_rsa_is_the_rank_correlation_of_the_upper_triangles():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 4)), rng.normal(size=(12, 7))
    upper = np.triu_indices(12, 1)
    cosines = []
    for z in (a, b):
        u = z / np.linalg.norm(z, axis=1, keepdims=True)
        cosines.append((u @ u.T)[upper])
    assert abs(rsa(a, b) - spearmanr(*cosines).statistic) < 1e-12
    assert abs(rsa(a, b) - rsa(b, 5 * a)) < 1e-12
    turned = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    assert rsa(a, a @ turned) == pytest.approx(1)
    # Angles between lines through zero: a monotone change of the cosine.
    angle = rng.uniform(0, np.pi / 4, size=9)
    narrow, wide = (np.c_[np.cos(k * angle), np.sin(k * angle)] for k in (1, 2))
    assert rsa(narrow, wide) == pytest.approx(1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: boundary_scores([[1.0], [2.0]], width=0), "width"),
        (lambda: boundary_scores([[1.0]]), "at least 2 are needed"),
        (lambda: similarity_profile([[1.0], [0.0]]), "all zeros"),
        (lambda: rsa([[1.0], [2.0]], [[1.0], [2.0]]), "at least 3 are needed"),
        (lambda: rsa(np.ones((3, 1)), np.eye(3)), "of z1 have one cosine"),
        (lambda: infer_between([1.0, 2.0], [1.0], 3), "z_start has 2 columns, z_goal 1"),
        (lambda: infer_between([1.0], [1.0], 3, A=np.eye(2)), "A the shape \\(2, 2\\)"),
        (lambda: infer_between([1.0], [1.0], 0), "n_steps"),
        (lambda: infer_between([1.0], [1.0], 2, c=0), "c=0"),
    ],
)
def test_what_is_wrong_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------- paths between


def test_one_point_between_has_a_closed_form():
    rng = np.random.default_rng(0)
    A, s, g, c = rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3), 2.0
    middle = (c + 1) / c * np.eye(3) + c / (c + 1) * A.T @ A
    expected = np.linalg.solve(middle, A @ s + A.T @ g)
    np.testing.assert_allclose(infer_between(s, g, 1, A, c), expected[None], rtol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 9])
def test_a_wide_embedding_gives_a_straight_line(n_steps):
    s, g = np.random.default_rng(0).normal(size=(2, 4))
    share = np.arange(1, n_steps + 1)[:, None] / (n_steps + 1)
    path = infer_between(s, g, n_steps, c=1e12)
    np.testing.assert_allclose(path, s + share * (g - s), rtol=1e-9)
    np.testing.assert_allclose(
        infer_between(g, s, n_steps, c=3), infer_between(s, g, n_steps, c=3)[::-1]
    )


def test_the_path_is_the_mean_of_the_process_between_its_ends():
    rng = np.random.default_rng(0)
    d, n_steps, c = 2, 4, 3.0
    A = np.linalg.qr(rng.normal(size=(d, d)))[0]
    step = c / (c + 1) * A
    # Covariance of the whole path, from its start on.
    power = [np.linalg.matrix_power(step, k) for k in range(n_steps + 2)]
    blocks = {}
    variance = [c * np.eye(d)]
    for _ in range(n_steps + 1):
        variance.append(step @ variance[-1] @ step.T + c / (c + 1) * np.eye(d))
    for i in range(n_steps + 2):
        for j in range(i, n_steps + 2):
            blocks[j, i] = power[j - i] @ variance[i]
            blocks[i, j] = blocks[j, i].T
    cov = np.block([[blocks[i, j] for j in range(n_steps + 2)] for i in range(n_steps + 2)])
    ends = [0, 1, *range(d * (n_steps + 1), d * (n_steps + 2))]
    inner = list(range(d, d * (n_steps + 1)))
    s, g = rng.normal(size=(2, d))
    known = np.linalg.solve(cov[np.ix_(ends, ends)], np.r_[s, g])
    expected = (cov[np.ix_(inner, ends)] @ known).reshape(n_steps, d)
    np.testing.assert_allclose(infer_between(s, g, n_steps, A, c), expected, rtol=1e-10)
    # A is what least squares find in a recording.
    z = [rng.normal(size=d)]
    for _ in range(20_000):
        z.append(step @ z[-1] + np.sqrt(c / (c + 1)) * rng.normal(size=d))
    z = np.array(z)
    found = np.linalg.lstsq(z[:-1], z[1:], rcond=None)[0].T
    np.testing.assert_allclose(found, step, atol=0.03)


# ------------------------------------------------------------------ comparing runs


def test_linear_consistency_is_the_r2_of_a_linear_regression():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(80, 4))
    b = a @ rng.normal(size=(4, 6)) * np.geomspace(1, 30, 6) + rng.normal(size=(80, 6)) + 5
    guess = LinearRegression().fit(a, b).predict(a)
    expected = r2_score(b, guess, multioutput="variance_weighted")
    assert linear_consistency(a, b) == pytest.approx(expected, abs=1e-12)
    affine = 1e150 * (a @ rng.normal(size=(4, 4)) - 3)
    assert linear_consistency(affine, b) == pytest.approx(expected, abs=1e-9)
    assert linear_consistency(a, affine) == pytest.approx(1)
    assert linear_consistency(a, rng.normal(size=(80, 2))) < 0.25


def test_bits_count_what_a_loss_knows_beyond_guessing():
    assert information_bits(math.log(7), 7) == pytest.approx(0, abs=1e-12)
    assert information_bits(0.0, 1024) == 10
    assert information_bits(math.log(8) - math.log(2), 8) == pytest.approx(1)
    assert information_bits(3.0, 2) < 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: linear_consistency(np.eye(3), np.eye(3)), "explain any other table"),
        (lambda: linear_consistency(np.eye(5)[:, :2], np.ones((5, 1))), "all rows of z2 are eq"),
        (lambda: linear_consistency(np.eye(5)[:, :2], np.eye(4)), "pass the same rows"),
        (lambda: information_bits(np.nan, 8), "pass one finite number"),
        (lambda: information_bits(1.0, 1), "a whole number of at least 2"),
        (lambda: information_bits(1.0, 8.0), "a whole number of at least 2"),
    ],
)
def test_what_runs_cannot_be_compared(call, message):
    with pytest.raises(ValueError, match=message):
        call()
