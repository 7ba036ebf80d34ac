"""Measures against plain loops and their laws, and searches without labels."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from conftest import golden_dir
from golden_case import Case
from rounding import one_thread
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._component import InvalidParameterError
from skcontrast.metrics import (
    EmbeddingScorer,
    _scorers,
    alignment,
    alignment_uniformity_scorer,
    cka,
    column_spread,
    cosine_gap,
    covariance_spectrum,
    effective_rank,
    effective_rank_scorer,
    get_scorer,
    get_scorer_names,
    hubness,
    isotropy,
    k_occurrence,
    linear_cka,
    resample_columns,
    retrieval,
    tolerance,
    uniformity,
    view_retrieval_scorer,
)
from skcontrast.networks import MLP

rng = np.random.RandomState(0)
N, D = 17, 5
Z = rng.randn(N, D) + 0.3
Z2 = Z + 0.8 * rng.randn(N, D)
LABELS = rng.randint(3, size=N)
SIZES = (1, 4, 17, 1024)
# A rotation, which no measure of directions sees.
ROTATION = np.linalg.qr(rng.randn(D, D))[0]
COLLAPSED = np.tile(Z[:1], (N, 1))


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


U, V = unit(Z), unit(Z2)


# ---- plain loops ---------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1, 2, 3.5])
def test_alignment(alpha):
    expected = np.mean([np.linalg.norm(U[i] - V[i]) ** alpha for i in range(N)])
    assert alignment(Z, Z2, alpha) == pytest.approx(expected, rel=1e-12)


def test_alignment_of_nearly_equal_views():
    moved = U.copy()
    moved[:, 0] += 1e-9
    expected = np.mean(np.square(np.linalg.norm(unit(moved) - U, axis=1)))
    assert alignment(U, moved) == pytest.approx(expected, rel=1e-5)
    assert 0 < expected < 1e-17


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("t", [2, 0.5, 500.0])
def test_uniformity(t, size):
    pairs = [np.sum((U[i] - U[j]) ** 2) for i in range(N) for j in range(i)]
    # Taken around the nearest pair: with t=500 all terms of the plain sum are 0.
    nearest = min(pairs)
    terms = [np.exp(-t * (p - nearest)) for p in pairs]
    expected = np.log(np.mean(terms)) - t * nearest
    assert uniformity(Z, t, block_size=size) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("pairs", ["same_class", "all"])
def test_tolerance(pairs):
    names = np.array(["c", "a", "b"])[LABELS]
    both = [(i, j) for i in range(N) for j in range(N) if names[i] == names[j]]
    if pairs == "all":
        expected = sum(U[i] @ U[j] for i, j in both) / N**2
    else:
        expected = np.mean([U[i] @ U[j] for i, j in both if i < j])
    assert tolerance(Z, names, pairs=pairs) == pytest.approx(expected, rel=1e-10)


def test_cosine_gap():
    positive = np.mean([U[i] @ V[i] for i in range(N)])
    negative = np.mean([U[i] @ V[j] for i in range(N) for j in range(N) if i != j])
    assert cosine_gap(Z, Z2) == pytest.approx(positive - negative, rel=1e-12)


@pytest.mark.parametrize("eps", [0, 1e-7])
@pytest.mark.parametrize("z", [Z, Z[:3]], ids=["tall", "wide"])
def test_effective_rank(z, eps):
    sigma = np.sqrt(np.clip(np.linalg.eigvalsh(z.T @ z), 0, None))[::-1][: min(z.shape)]
    p = sigma / sigma.sum() + eps
    expected = np.exp(-np.sum(p * np.log(p)))
    assert effective_rank(z, eps=eps) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("n", [N, 3])
def test_covariance_spectrum(n, normalize):
    rows = U[:n] if normalize else Z[:n]
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    spectrum = covariance_spectrum(Z[:n], normalize=normalize)
    np.testing.assert_allclose(spectrum, expected, atol=1e-12)
    assert (spectrum >= 0).all()


def test_column_spread():
    expected = np.mean([np.std(U[:, k]) for k in range(D)]) * np.sqrt(D)
    assert column_spread(Z) == pytest.approx(expected, rel=1e-12)


def test_iso_score():
    # The steps of the paper, one after the other.
    variance = np.var(PCA().fit_transform(Z), axis=0, ddof=1)
    scaled = np.sqrt(D) * variance / np.linalg.norm(variance)
    defect = np.linalg.norm(scaled - np.ones(D)) / np.sqrt(2 * (D - np.sqrt(D)))
    used = (D - defect**2 * (D - np.sqrt(D))) ** 2 / D
    assert isotropy(Z) == pytest.approx((used - 1) / (D - 1), rel=1e-10)


def test_iso_score_counts_the_directions():
    # With k of d equal variances it is (k - 1) / (d - 1).
    z = np.zeros((8, 5))
    for k in range(4):
        z[2 * k, k], z[2 * k + 1, k] = 1, -1
    assert isotropy(z) == pytest.approx(3 / 4)


@pytest.mark.parametrize("size", SIZES)
def test_partition(size):
    axes = np.linalg.eigh(Z.T @ Z)[1].T
    sums = [np.sum(np.exp(Z @ (sign * axis))) for axis in axes for sign in (1, -1)]
    value = isotropy(Z, method="partition", block_size=size)
    assert value == pytest.approx(min(sums) / max(sums), rel=1e-9)


def test_partition_does_not_overflow():
    assert isotropy(1e200 * Z, method="partition") == 0.0
    assert isotropy(1e-200 * Z, method="partition") == pytest.approx(1)


def occurrences(z, k):
    count = np.zeros(len(z), dtype=int)
    for i in range(len(z)):
        others = sorted((np.linalg.norm(z[i] - z[j]), j) for j in range(len(z)) if j != i)
        for _, j in others[:k]:
            count[j] += 1
    return count


@pytest.mark.parametrize("k", [1, 4, N - 1])
@pytest.mark.parametrize("metric, rows", [("euclidean", Z), ("cosine", U)])
def test_k_occurrence(k, metric, rows):
    np.testing.assert_array_equal(k_occurrence(Z, k, metric=metric), occurrences(rows, k))


def test_k_occurrence_of_duplicates():
    z = np.repeat([[0.0], [1.0], [5.0]], 2, axis=0)
    assert k_occurrence(z, 1).tolist() == [1] * 6  # the twin, never the row itself
    assert k_occurrence(z, 2).tolist() == [2, 2, 3, 3, 1, 1]  # and half of each copy of the next
    assert k_occurrence(np.zeros((5, 2)), 3).tolist() == [3] * 5


def shared_occurrences(z, k):
    """The same by loops: rows as far as the k-th share the places that nearer ones leave."""
    count = np.zeros(len(z))
    for i in range(len(z)):
        distance = np.linalg.norm(z - z[i], axis=1)
        distance[i] = np.inf
        edge = np.sort(distance)[k - 1]
        tied = np.abs(distance - edge) < 1e-9
        nearer = (distance < edge) & ~tied
        count += nearer + tied * (k - nearer.sum()) / tied.sum()
    return count


RNG = np.random.default_rng(3)
TIED = {
    "each row four times": np.repeat(RNG.standard_normal((12, 3)), 4, axis=0),
    "some rows twice": RNG.standard_normal((20, 3))[RNG.integers(0, 20, 48)],
    "whole numbers": RNG.integers(-3, 4, (60, 2)).astype(float),
    "tenths far from zero": 100 + RNG.integers(0, 4, (60, 2)) / 10,
    "many columns": RNG.integers(0, 2, (40, 30)).astype(float),
    "all as far": np.eye(24),
    "two places": np.repeat([[0.0], [1.0]], [30, 4], axis=0),
    "minus zero": np.array([[0.0, -0.0, 1.0, 1.0, 2.0, -0.0, 0.0, 3.0]]).T,
}


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("z", TIED.values(), ids=TIED)
def test_equally_far_rows_share_their_places(z, k):
    count = k_occurrence(z, k)
    np.testing.assert_allclose(count, shared_occurrences(z, k), atol=1e-8)
    assert count.sum() == pytest.approx(len(z) * k)
    order = RNG.permutation(len(z))
    assert np.array_equal(k_occurrence(z[order], k), count[order])
    for score in ("skewness", "robin_hood", "gini", "atkinson", "antihub", "hub"):
        first, second = (hubness(rows, k, score=score) for rows in (z, z[order]))
        assert first == pytest.approx(second, abs=1e-12)
    for moved in (3 * z, 1e-300 * z, 1e300 * z, z + 7):
        np.testing.assert_allclose(k_occurrence(moved, k), count, atol=1e-8)


def test_equal_directions_share_their_places():
    z = np.repeat(RNG.standard_normal((15, 4)), 3, axis=0)
    count = k_occurrence(z, 4, metric="cosine")
    longer = z * RNG.uniform(0.1, 10, (45, 1))
    np.testing.assert_allclose(k_occurrence(longer, 4, metric="cosine"), count, atol=1e-8)
    assert np.ptp(count.reshape(15, 3), axis=1).max() < 1e-8


@pytest.mark.parametrize("k", [2, 4])
def test_hubness(k):
    count = occurrences(Z, k)
    mean, sd = np.mean(count), np.std(count)
    expected = {
        "skewness": np.mean(((count - mean) / sd) ** 3),
        "robin_hood": 0.5 * sum(abs(c - mean) for c in count) / count.sum(),
        "gini": sum(abs(a - b) for a in count for b in count) / (2 * N**2 * mean),
        "atkinson": 1 - np.mean([c**0.5 for c in count]) ** 2 / mean,
        "antihub": sum(c == 0 for c in count) / N,
        "hub": sum(c for c in count if c >= 2 * k) / count.sum(),
    }
    for score, value in expected.items():
        assert hubness(Z, k, score=score) == pytest.approx(value, rel=1e-10), score


def test_no_hubs_where_all_rows_are_alike():
    for score in ("skewness", "robin_hood", "gini", "atkinson", "antihub", "hub"):
        assert hubness(Z, N - 1, score=score) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("k", [1, 3, N])
def test_retrieval(k, size):
    found = 0
    for i in range(N):
        cosines = [U[i] @ V[j] for j in range(N)]
        found += sum(c > cosines[i] for c in cosines) < k
    assert retrieval(Z, Z2, k=k, block_size=size) == pytest.approx(found / N, rel=1e-12)


@pytest.mark.parametrize("k", [1, 3])
def test_retrieval_gives_ties_what_guessing_has(k):
    assert retrieval(COLLAPSED, COLLAPSED, k=k) == pytest.approx(k / N)
    # Pairs of twins: one of two equal rows is the right one.
    twins = np.repeat(Z, 2, axis=0)
    assert retrieval(twins, twins, k=k) == pytest.approx(min(k / 2, 1))


def centred(K):
    H = np.eye(len(K)) - 1 / len(K)
    return H @ K @ H


def slow_cka(K, L):
    hsic = [np.trace(centred(a) @ centred(b)) for a, b in ((K, L), (K, K), (L, L))]
    return hsic[0] / np.sqrt(hsic[1] * hsic[2])


def slow_unbiased(K, L):
    """Mean over all quadruples of distinct rows, the definition of a U-statistic."""
    n = len(K)
    total = 0.0
    for i in range(n):
        for j in range(n):
            for q in range(n):
                for r in range(n):
                    if len({i, j, q, r}) == 4:
                        total += K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q])
    return total / (n * (n - 1) * (n - 2) * (n - 3))


def default_gamma(X):
    return 1 / np.mean([np.sum((a - b) ** 2) for a in X for b in X])


KERNELS = {
    "linear": lambda X: X @ X.T,
    "rbf": lambda X: rbf_kernel(X, gamma=default_gamma(X)),
    "laplacian": lambda X: np.exp(-default_gamma(X) * np.abs(X[:, None] - X[None]).sum(-1)),
    "poly": lambda X: polynomial_kernel(X, gamma=default_gamma(X)),
    "cosine": lambda X: unit(X) @ unit(X).T,
}
WIDE = rng.randn(N, 30) + Z[:, :1]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_cka(kernel, size):
    K, L = (KERNELS[kernel](X) for X in (Z, WIDE))
    value = cka(Z, WIDE, kernel, block_size=size)
    assert value == pytest.approx(slow_cka(K, L), rel=1e-9)
    assert cka(Z, WIDE, dot if kernel == "linear" else kernel) == pytest.approx(value, rel=1e-9)


def dot(a, b):
    return a @ b.T


@pytest.mark.parametrize("size", [2, 1024])
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_unbiased_cka(kernel, size):
    X, Y = Z[:7], WIDE[:7]
    K, L = KERNELS[kernel](X), KERNELS[kernel](Y)
    expected = slow_unbiased(K, L) / np.sqrt(slow_unbiased(K, K) * slow_unbiased(L, L))
    value = cka(X, Y, kernel, unbiased=True, block_size=size)
    assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_linear_cka(size):
    value = linear_cka(Z, WIDE, block_size=size)
    assert value == pytest.approx(slow_cka(Z @ Z.T, WIDE @ WIDE.T), rel=1e-10)
    # Means a million times the spread, which the rows' sums would lose.
    assert cka(Z + 1e6, WIDE - 1e6) == pytest.approx(value, rel=1e-6)


def test_unrelated_tables_look_alike_but_for_the_unbiased_form():
    X, Y = rng.randn(40, 300), rng.randn(40, 300)
    assert cka(X, Y) > 0.7
    assert abs(cka(X, Y, unbiased=True)) < 0.1


# ---- laws ----------------------------------------------------------------------------

ONE_TABLE = [uniformity, effective_rank, covariance_spectrum, isotropy, hubness]


@pytest.mark.parametrize("measure", ONE_TABLE)
def test_rotation_and_order_change_nothing(measure):
    expected = measure(Z)
    np.testing.assert_allclose(measure(Z @ ROTATION), expected, rtol=1e-9)
    np.testing.assert_allclose(measure(Z[::-1]), expected, rtol=1e-9)


@pytest.mark.parametrize("measure", [alignment, cosine_gap, retrieval, linear_cka, cka])
def test_rotation_and_order_change_nothing_of_two(measure):
    expected = measure(Z, Z2)
    np.testing.assert_allclose(measure(Z @ ROTATION, Z2 @ ROTATION), expected, rtol=1e-9)
    np.testing.assert_allclose(measure(Z[::-1], Z2[::-1]), expected, rtol=1e-9)


@pytest.mark.parametrize("measure", [uniformity, effective_rank, isotropy, column_spread])
@pytest.mark.parametrize("scale", [1e-180, 1e180])
def test_scale_changes_nothing(measure, scale):
    np.testing.assert_allclose(measure(Z * scale), measure(Z), rtol=1e-9)


def test_a_collapsed_embedding():
    assert alignment(COLLAPSED, COLLAPSED) == 0
    assert uniformity(COLLAPSED) == pytest.approx(0, abs=1e-12)
    assert effective_rank(COLLAPSED) == pytest.approx(1)
    assert cosine_gap(COLLAPSED, COLLAPSED) == pytest.approx(0, abs=1e-12)
    assert column_spread(COLLAPSED) == pytest.approx(0, abs=1e-12)
    assert tolerance(COLLAPSED, LABELS) == pytest.approx(1)


def test_float32_is_computed_in_float64():
    single = Z.astype(np.float32)
    for measure in ONE_TABLE:
        np.testing.assert_array_equal(measure(single), measure(single.astype(float)))


def test_memory_is_that_of_the_tiles():
    z = rng.randn(1500, 4)
    tracemalloc.start()
    try:
        for call in (
            uniformity,
            lambda z, block_size: retrieval(z, z, block_size=block_size),
            lambda z, block_size: cka(z, z, "rbf", block_size=block_size),
        ):
            tracemalloc.reset_peak()
            call(z, block_size=100)
            assert tracemalloc.get_traced_memory()[1] < 2e6  # all pairs are 18 MB
    finally:
        tracemalloc.stop()


# ---- bad input -----------------------------------------------------------------------

TWO = [alignment, cosine_gap, retrieval, linear_cka, cka]
ALL = [*ONE_TABLE, column_spread, k_occurrence, lambda z: tolerance(z, np.zeros(len(z)))]
ALL += [lambda z, f=f: f(z, z) for f in TWO]
DIRECTIONS = [uniformity, covariance_spectrum, column_spread, lambda z: tolerance(z, LABELS)]
DIRECTIONS += [lambda z, f=f: f(Z, z) for f in (alignment, cosine_gap, retrieval)]
DIRECTIONS += [lambda z: hubness(z, metric="cosine")]


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize(
    "bad, message",
    [
        (Z[:1], r"has 1 row\(s\), and at least 2 are needed: pass more rows"),
        (Z[:0], r"has 0 row\(s\), and at least 2 are needed"),
        (np.where(Z > 1, np.nan, Z), r"Input \w+ contains NaN"),
        (np.where(Z > 1, np.inf, Z), r"Input \w+ contains infinity"),
        (Z[:, 0], "Expected 2D array"),
    ],
)
def test_bad_tables(measure, bad, message):
    with pytest.raises(ValueError, match=message):
        measure(bad)


@pytest.mark.parametrize("measure", DIRECTIONS)
def test_rows_of_zeros(measure):
    z = Z.copy()
    z[[4, 6]] = 0
    with pytest.raises(ValueError, match=r"2 row\(s\) of z2? are all zeros, row 4 the first"):
        measure(z)


@pytest.mark.parametrize("measure", TWO)
def test_tables_of_different_length(measure):
    with pytest.raises(ValueError, match="has 17 rows and .* has 16: pass the same rows"):
        measure(Z, Z2[1:])


@pytest.mark.parametrize("measure", [alignment, cosine_gap, retrieval])
def test_tables_of_different_width(measure):
    with pytest.raises(ValueError, match="z1 has 5 columns and z2 has 4"):
        measure(Z, Z2[:, 1:])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: alignment(Z, Z2, alpha=0), "alpha=0: type a finite number above 0"),
        (lambda: uniformity(Z, t=-1), "t=-1: type a finite number above 0"),
        (lambda: uniformity(Z, block_size=0), "block_size=0: type a whole number"),
        (lambda: uniformity(Z, block_size=2.5), "block_size=2.5: type a whole number"),
        (lambda: effective_rank(Z, eps=-1e-7), "eps=-1e-07: type a finite number of at least 0"),
        (lambda: effective_rank(0 * Z), "nothing but zeros"),
        (lambda: isotropy(Z, method="mean"), "type 'iso_score' or 'partition'"),
        (lambda: isotropy(Z[:, :1]), "z has 1 column"),
        (lambda: isotropy(COLLAPSED), "all rows of z are equal"),
        (lambda: tolerance(Z, LABELS[1:]), "labels has 16 entries and z has 17 rows"),
        (lambda: tolerance(Z, np.arange(N)), "no two rows have the same label"),
        (lambda: tolerance(Z, LABELS, pairs="some"), "type 'same_class' or 'all'"),
        (lambda: hubness(Z, N), "n_neighbors=17: type a whole number of at least 1 and at most 16"),
        (lambda: hubness(Z, score="mean"), "score='mean': type 'skewness' or"),
        (lambda: hubness(Z, metric="l1"), "metric='l1': type 'euclidean' or 'cosine'"),
        (lambda: retrieval(Z, Z2, k=18), "k=18: type a whole number of at least 1 and at most 17"),
        (lambda: linear_cka(Z, COLLAPSED), "all rows of Y are equal"),
        (lambda: cka(Z, COLLAPSED), "all rows of Y are equal"),
        (lambda: cka(Z, COLLAPSED, "rbf"), "all rows of Y are equal"),
        (lambda: cka(COLLAPSED, Z, "cosine"), "all rows of X are equal"),
        (lambda: cka(Z, 1e-200 * Z, "rbf"), "squared distances of the rows of Y are 0"),
        (lambda: cka(Z[:, :1], np.abs(Z[:, :1]), "cosine"), "same for all pairs of rows of Y"),
        (lambda: cka(Z[:3], Z2[:3], unbiased=True), "X has 3 row.* at least 4 are needed"),
        (lambda: cka(Z, Z2, "rfb"), "kernel='rfb': type one of 'linear', 'rbf'"),
        (lambda: cka(Z, Z2, "rbf", gamma=0), "gamma=0: type a finite number above 0"),
        (lambda: cka(Z, Z2, gamma=1.0), "gamma=1.0 has no meaning for kernel='linear'"),
        (lambda: cka(Z, Z2, lambda a, b: a), r"shape \(17, 5\) for blocks of 17 and 17 rows"),
        (lambda: cka(Z, Z2, lambda a, b: a @ b.T * np.nan), "kernel gave NaN or infinity"),
        (lambda: resample_columns(Z, 0), "rate=0: type a number above 0 and at most 1"),
        (lambda: resample_columns(["a", "b"]), "X is a list and no table"),
        (lambda: get_scorer("view-retrieval"), "Did you mean 'view_retrieval'"),
        (lambda: get_scorer(3), "name=3: type one of alignment,"),
    ],
)
def test_bad_parameters(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- the generic view ----------------------------------------------------------------


def test_resampled_columns_keep_their_values():
    X = np.arange(2000.0).reshape(500, 4)
    before = X.copy()
    out = resample_columns(X, 0.4, random_state=0)
    np.testing.assert_array_equal(X, before)
    assert abs((out != X).mean() - 0.4) < 0.05
    assert all(np.isin(new, old).all() for new, old in zip(out.T, X.T))
    # Each entry has a donor of its own.
    changed = (out != X).all(axis=1)
    assert (np.ptp(out[changed] // 4, axis=1) > 0).all()
    np.testing.assert_array_equal(resample_columns(X, 0.4, random_state=0), out)
    assert (resample_columns(X, 0.4, random_state=1) != out).any()
    assert len(np.unique(resample_columns(X, 1.0, random_state=0)[:, 0])) < 400


def test_resampled_frames_keep_their_kind():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": pd.Categorical(["x", "y", "z"])})
    out = resample_columns(frame, 0.9, random_state=0)
    assert out.dtypes.equals(frame.dtypes) and out.index.equals(frame.index)
    assert not out.equals(frame)
    other = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    out = resample_columns(other, 0.9, random_state=0)
    assert out.schema == other.schema and set(out["b"]) <= {"x", "y", "z"}
    assert not out.equals(other)


def test_resampled_sparse_rows():
    X = sp.random(200, 30, 0.2, format="csr", random_state=0)
    out = resample_columns(X, 0.5, random_state=0)
    assert out.shape == X.shape and out.nnz > 0.85 * X.nnz
    for j in range(30):
        new, old = out[:, [j]].data, X[:, [j]].data
        assert np.isin(new, old).all()
        assert len(np.unique(new)) == len(new)  # moved, never added up or copied
    stayed = X.toarray()[X.toarray() != 0] == out.toarray()[X.toarray() != 0]
    assert abs(stayed.mean() - 0.5) < 0.08


# ---- scorers -------------------------------------------------------------------------

ROWS = np.vstack([rng.randn(30, 6) + shift for shift in (0, 4)])


def encoder(**params):
    params = {
        "max_iter": 2,
        "n_components": 4,
        "passthrough": False,
        "random_state": 0,
        "device": "cpu",
    } | params
    return ContrastiveEncoder(**params)


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(
    "scorer", [view_retrieval_scorer, effective_rank_scorer, alignment_uniformity_scorer]
)
def test_search_without_labels(scorer, n_jobs):
    grid = {"objective__temperature": [0.1, 1.0], "n_components": [2, 4]}
    search = GridSearchCV(encoder(), grid, scoring=scorer, cv=2, n_jobs=n_jobs)
    with one_thread():
        scores = search.fit(ROWS).cv_results_["mean_test_score"]
        again = clone(search).set_params(n_jobs=None).fit(ROWS)
    assert np.isfinite(scores).all() and len(set(scores)) > 1
    np.testing.assert_array_equal(again.cv_results_["mean_test_score"], scores)


def test_search_over_a_pipeline_with_several_scorers():
    model = make_pipeline(StandardScaler(), encoder())
    scoring = {name: get_scorer(name) for name in get_scorer_names()}
    grid = {"contrastiveencoder__views": ["corruption", ("neighbors", "noise")]}
    search = GridSearchCV(model, grid, scoring=scoring, cv=2, refit="view_retrieval").fit(ROWS)
    for name in get_scorer_names():
        assert np.isfinite(search.cv_results_[f"mean_test_{name}"]).all()


def test_retrieval_tells_a_trained_encoder_from_a_collapsed_one():
    good = encoder(max_iter=20, views="noise").fit(ROWS)
    assert view_retrieval_scorer(good, ROWS) > 0.5
    broken = encoder(views="noise").fit(ROWS)
    broken.weights_ = {name: np.zeros_like(w) for name, w in broken.weights_.items()}
    broken = pickle.loads(pickle.dumps(broken))
    with pytest.raises(ValueError, match=r"60 row\(s\) of z1 are all zeros"):
        view_retrieval_scorer(broken, ROWS)


@pytest.mark.parametrize("measure", get_scorer_names())
def test_scorer_is_the_measure(measure):
    fitted = encoder(views="corruption").fit(ROWS)
    z, view = fitted.transform(ROWS), fitted._embed_view(ROWS, 0)
    assert view.shape == z.shape and view.dtype == z.dtype
    assert np.abs(view - z).max() > 1e-3
    expected = {
        "alignment": -alignment(z, view),
        "alignment_uniformity": -alignment(z, view) - uniformity(z),
        "cosine_gap": cosine_gap(z, view),
        "effective_rank": effective_rank(z),
        "hubness": -hubness(z, metric="cosine"),
        "isotropy": isotropy(z),
        "uniformity": -uniformity(z),
        "view_retrieval": retrieval(view, z),
    }[measure]
    assert get_scorer(measure)(fitted, ROWS) == expected
    assert EmbeddingScorer(measure, random_state=0)(fitted, ROWS, None) == expected
    through = make_pipeline("passthrough", make_pipeline(StandardScaler(), fitted))
    through[-1][0].fit(ROWS)
    alone = get_scorer(measure)(fitted, through[-1][0].transform(ROWS))
    assert get_scorer(measure)(through, ROWS) == alone


@pytest.mark.parametrize(
    "scorer", [view_retrieval_scorer, EmbeddingScorer("isotropy", view=0.5, random_state=3)]
)
def test_scorers_are_copied_whole(scorer):
    for copy in (pickle.loads(pickle.dumps(scorer)), clone(scorer)):
        assert copy is not scorer and copy.get_params() == scorer.get_params()
    assert get_scorer("view_retrieval") is not view_retrieval_scorer


class Recorder(TransformerMixin, BaseEstimator):
    """Keeps the rows that it is asked to transform."""

    def fit(self, X, y=None):
        self.seen_ = []
        return self

    def transform(self, X):
        self.seen_.append(X)
        return np.asarray(X) + 1.0


def test_where_the_view_comes_from():
    model = Recorder().fit(ROWS)
    # No views of its own: the generic one, at its rate.
    view_retrieval_scorer(model, ROWS)
    expected = resample_columns(ROWS, _scorers.RATE, np.random.RandomState(0))
    np.testing.assert_array_equal(model.seen_[1], expected)
    EmbeddingScorer(view=0.9, random_state=5)(model, ROWS)
    np.testing.assert_array_equal(model.seen_[3], resample_columns(ROWS, 0.9, 5))
    EmbeddingScorer(view=lambda X, random_state: X + random_state.rand())(model, ROWS)
    assert np.ptp(model.seen_[5] - ROWS) < 1e-12
    # Nothing is drawn where nothing is needed.
    effective_rank_scorer(model, ROWS)
    assert len(model.seen_) == 7


def test_a_measure_of_ones_own():
    fitted = PCA(2).fit(ROWS)
    scorer = EmbeddingScorer(lambda z, view: -np.abs(z - view).max(), view=lambda X, _: X + 1)
    assert scorer(fitted, ROWS) == pytest.approx(-np.abs(fitted.components_.sum(axis=1)).max())


@pytest.mark.parametrize(
    "params, message",
    [
        ({"measure": "retrieval"}, "The 'measure' parameter of EmbeddingScorer must be"),
        ({"view": 0.0}, "The 'view' parameter of EmbeddingScorer must be"),
        ({"view": "own"}, "The 'view' parameter"),
        ({"random_state": "a"}, "The 'random_state' parameter"),
    ],
)
def test_bad_scorers(params, message):
    with pytest.raises(InvalidParameterError, match=message):
        EmbeddingScorer(**params)(PCA().fit(ROWS), ROWS)


def test_a_scorer_needs_an_encoder():
    model = make_pipeline(PCA(2), LogisticRegression()).fit(ROWS, np.repeat([0, 1], 30))
    with pytest.raises(ValueError, match=r"LogisticRegression\(\), has no transform"):
        view_retrieval_scorer(model, ROWS)


# ---- the view of a fitted encoder ----------------------------------------------------


def test_views_are_those_of_the_estimator():
    fitted = encoder(views=lambda x: x + 1, standardize=False).fit(ROWS)
    expected = fitted.transform(ROWS + 1)
    np.testing.assert_allclose(fitted._embed_view(ROWS, 0), expected, atol=1e-5)


def test_views_by_dropout_and_none_at_all():
    dropped = encoder(views=None, network=MLP(dropout=0.5)).fit(ROWS)
    before = dropped.transform(ROWS)
    assert np.abs(dropped._embed_view(ROWS, 0) - before).max() > 1e-2
    np.testing.assert_array_equal(dropped.transform(ROWS), before)  # still in its own mode
    plain = encoder(views=None, network=MLP(dropout=0.5)).fit(ROWS)
    plain.set_params(network=MLP()).network_ = MLP()
    plain = pickle.loads(pickle.dumps(plain))
    assert plain._embed_view(ROWS, 0) is None
    expected = plain.transform(resample_columns(ROWS, _scorers.RATE, 0))
    value = EmbeddingScorer("alignment")(plain, ROWS)
    assert value == -alignment(plain.transform(ROWS), expected)


def test_draws_leave_the_generators_alone():
    fitted = encoder().fit(ROWS)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = view_retrieval_scorer(fitted, ROWS)
    assert view_retrieval_scorer(fitted, ROWS) == first
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
    draws = {EmbeddingScorer("alignment", random_state=s)(fitted, ROWS) for s in range(3)}
    assert len(draws) == 3


def test_sparse_rows_and_texts():
    X = sp.csr_matrix(np.abs(ROWS) * (ROWS > 0.5) + np.eye(60, 6))
    fitted = encoder(views="corruption").fit(X)
    for view in ("auto", 0.3):
        assert 0 < EmbeddingScorer(view=view)(fitted, X) <= 1
    words = ["red", "green", "blue", "old", "new", "house", "tree", "road"]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(20)]
    model = ContrastiveTextEncoder(n_components=8, max_iter=2, random_state=0).fit(texts)
    assert 0 < view_retrieval_scorer(model, texts) <= 1
    with pytest.raises(ValueError, match="X is a list and no table"):
        EmbeddingScorer(view=0.3)(model, texts)


def test_golden_alignment(pytestconfig):
    path = golden_dir(pytestconfig) / "align.npz"
    if not path.exists():
        pytest.skip("no golden vectors found beside the repository: pass --golden-dir DIR")
    case = Case(path, "c0")
    z1, z2 = case.arrays["z0"], case.arrays["z1"]
    case.check("loss", alignment(z1, z2, case.number("alpha")))


def test_pairs_are_counted_once():
    # Against a library's distances of all pairs.
    expected = np.log(np.mean(np.exp(-2 * pdist(U, "sqeuclidean"))))
    assert uniformity(Z) == pytest.approx(expected, rel=1e-12)


def test_scorers_read_what_the_best_estimator_of_a_search_learned():
    encoder = ContrastiveEncoder(max_iter=1, network=MLP(width=4), random_state=0)
    search = GridSearchCV(encoder, {"max_iter": [1]}, scoring=effective_rank_scorer, cv=2).fit(ROWS)
    best = search.best_estimator_
    assert effective_rank_scorer(search, ROWS) == effective_rank(best._embed_rows(ROWS))
    pipeline = make_pipeline(StandardScaler(), search).fit(ROWS)
    assert effective_rank_scorer(pipeline, ROWS) <= 4


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_read_what_the_default_encoder_learned(name):
    score = get_scorer(name)
    whole = ContrastiveEncoder(max_iter=2, random_state=0, device="cpu").fit(ROWS)
    learned = ContrastiveEncoder(max_iter=2, random_state=0, device="cpu", passthrough=False).fit(
        ROWS
    )
    assert whole.transform(ROWS).shape[1] != learned.transform(ROWS).shape[1]
    assert score(whole, ROWS) == score(learned, ROWS)
