"""Kernels against scikit-learn, and what every kernel keeps to."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import pairwise

from skcontrast.functional import ridge_smoother
from skcontrast.kernels import (
    KERNELS,
    RBF,
    Cosine,
    Delta,
    GammaExponential,
    Laplacian,
    Linear,
    Log,
    Mixed,
    Overlap,
    Polynomial,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((23, 4)) + 2
Y = RNG.standard_normal((9, 4))
CODES = RNG.integers(0, 3, (23, 2)).astype(float)

# Every kernel, with what it may be asked for.
CASES = {
    **{name: cls() for name, cls in KERNELS.items()},
    "rbf-median": RBF("median"),
    "rbf-auto": RBF("auto"),
    "laplacian-scale": Laplacian("scale"),
    "laplacian-median": Laplacian("median"),
    "gamma_exponential-0.5": GammaExponential(power=0.5),
    "gamma_exponential-2": GammaExponential(power=2, gamma="median"),
    "log-1": Log(power=1),
    "poly-2": Polynomial(degree=2, coef0=0, gamma="scale"),
    "sum": RBF() + 0.5 * Linear(),
    "product": Laplacian() * Cosine(),
    "mixed-overlap": Mixed(categorical="overlap", numeric=Laplacian()),
}
on_every_kernel = pytest.mark.parametrize("kernel", CASES.values(), ids=CASES)


@pytest.mark.parametrize(
    ("kernel", "reference"),
    [
        (RBF(), lambda a, b: pairwise.rbf_kernel(a, b, gamma=1 / (4 * X.var()))),
        (RBF(0.3), lambda a, b: pairwise.rbf_kernel(a, b, gamma=0.3)),
        (RBF("auto"), pairwise.rbf_kernel),
        (Laplacian(), pairwise.laplacian_kernel),
        (Laplacian(0.2), lambda a, b: pairwise.laplacian_kernel(a, b, gamma=0.2)),
        (Cosine(), pairwise.cosine_similarity),
        (Polynomial(), pairwise.polynomial_kernel),
        (Polynomial(2, 0.7, 0.5), lambda a, b: pairwise.polynomial_kernel(a, b, 2, 0.7, 0.5)),
        (Linear(), pairwise.linear_kernel),
    ],
)
def test_equals_scikit_learn(kernel, reference):
    # The cosine of rows at a right angle is a difference: an absolute term for rounding.
    np.testing.assert_allclose(kernel(X, Y), reference(X, Y), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kernel(X), reference(X, X), rtol=1e-12, atol=1e-14)


@on_every_kernel
def test_symmetric_semi_definite_and_its_diagonal(kernel):
    K = kernel(X)
    assert K.dtype == np.float64
    np.testing.assert_allclose(K, K.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(kernel.diag(X), np.diag(K), rtol=1e-12)
    assert np.linalg.eigvalsh(K)[0] > -1e-10 * np.trace(K)
    k = kernel.build(X)
    a, b = torch.tensor(X), torch.tensor(Y)
    np.testing.assert_allclose(k(a, b), k(b, a).T, rtol=1e-12, atol=1e-13)
    assert clone(kernel).get_params().keys() == kernel.get_params().keys()


@on_every_kernel
def test_dtype_and_single_precision(kernel):
    k = kernel.build(X)
    single = k(torch.tensor(X, dtype=torch.float32), torch.tensor(Y, dtype=torch.float32))
    assert single.dtype == torch.float32
    np.testing.assert_allclose(
        single, kernel.build(X)(*map(torch.tensor, (X, Y))), rtol=2e-5, atol=2e-6
    )


@on_every_kernel
def test_equal_rows_and_their_gradient(kernel):
    a = torch.tensor(X[[0, 0, 1, 2]], requires_grad=True)
    K = kernel.build(X)(a, a)
    np.testing.assert_allclose(K[0].detach(), K[1].detach(), rtol=1e-12)
    np.testing.assert_allclose(K[0, 1].item(), kernel.build(X).diag(a)[0].item(), rtol=1e-12)
    if K.requires_grad:
        K.sum().backward()
        assert a.grad.isfinite().all()


@pytest.mark.parametrize("name", [n for n, k in CASES.items() if not k.takes_categories])
def test_gradient(name):
    k = CASES[name].build(X)
    a, b = (torch.tensor(v[:5], requires_grad=True) for v in (X, Y))
    assert torch.autograd.gradcheck(k, (a, b))


@on_every_kernel
def test_constant_rows_are_all_alike(kernel):
    K = kernel(np.full((5, 3), 7.0))
    assert np.isfinite(K).all()
    np.testing.assert_allclose(K, K[0, 0], rtol=1e-12, atol=1e-12)


def test_far_from_the_origin_single_precision_keeps_its_digits():
    near, far = (torch.tensor(X + shift, dtype=torch.float32) for shift in (0, 1000))
    expected = RBF(0.5).build(near)(near, near)
    np.testing.assert_allclose(RBF(0.5).build(far)(far, far), expected, atol=1e-3)


def test_median_of_few_values_and_of_one():
    half_equal = np.array([0.0] * 9 + [1.0])
    assert RBF("median").build(half_equal).gamma == pytest.approx(1)
    assert RBF("median").build(np.zeros(4)).gamma == 1
    assert RBF("median").build(np.zeros(1)).gamma == 1
    assert RBF("scale").build(np.zeros(4)).gamma == 1
    distances = pairwise.euclidean_distances(X, squared=True)[np.triu_indices(len(X), 1)]
    assert 1 / RBF("median").build(X).gamma == pytest.approx(np.median(distances), rel=1e-2)


def test_median_of_many_rows_is_fast_and_repeatable():
    many = RNG.standard_normal((50_000, 3))
    assert RBF("median").build(many).gamma == RBF("median").build(many).gamma


def test_delta_and_overlap_compare_codes():
    K, share = Delta()(CODES), Overlap()(CODES)
    for i, a in enumerate(CODES):
        for j, b in enumerate(CODES):
            assert K[i, j] == (a == b).all()
            assert share[i, j] == pytest.approx((a == b).mean())


def test_mixed_is_the_product_over_both_kinds():
    rows = np.column_stack([CODES, X])
    expected = Delta()(CODES) * RBF()(X / X.std(0))
    np.testing.assert_allclose(Mixed()(rows), expected, rtol=1e-12)
    known = np.array([True, True, False, False, False, False])
    for n_values in (0, 10):
        k = Mixed(n_values=n_values).build(rows, known)
        np.testing.assert_allclose(k(*[torch.tensor(rows)] * 2), expected, rtol=1e-12)
    np.testing.assert_allclose(Mixed()(CODES), Delta()(CODES))
    np.testing.assert_allclose(Mixed()(X), RBF()(X / X.std(0)), rtol=1e-12)


def test_numbers_are_wanted_where_numbers_are_compared():
    with pytest.raises(ValueError, match=r"RBF compares numbers, but columns \[1\] hold cat"):
        RBF().build(CODES, np.array([False, True]))


def test_sums_and_products_are_tunable():
    kernel = (RBF() + Linear()) * Delta()
    kernel.set_params(first__first__gamma=0.5)
    expected = (RBF(0.5)(X) + Linear()(X)) * Delta()(X)
    np.testing.assert_allclose(kernel(X), expected, rtol=1e-12)
    np.testing.assert_allclose((2 * RBF(0.5))(X), 2 * RBF(0.5)(X))
    with pytest.raises(TypeError):
        RBF() + 1


# ------------------------------------------------------------------ ridge smoother


def test_delta_smoother_is_class_averaging():
    codes = torch.tensor([0.0, 0, 0, 1, 1, 2])[:, None]
    K = Delta().build(codes)(codes, codes).double()
    A = ridge_smoother(K, 1e-9)
    np.testing.assert_allclose(A, K / K.sum(1, keepdim=True), atol=1e-8)
    lam = 0.5
    np.testing.assert_allclose(ridge_smoother(K, lam), K / (K.sum(1, keepdim=True) + lam))


def test_smoother_limits_and_options():
    K = torch.tensor(RBF()(X))
    np.testing.assert_allclose(ridge_smoother(K, 1e-10), torch.eye(len(K)), atol=1e-5)
    np.testing.assert_allclose(1e9 * ridge_smoother(K, 1e9), K, rtol=1e-6, atol=1e-6)
    A = ridge_smoother(
        3 * K, 0.1, unit_diagonal=True, zero_diagonal=True, clip=1e-3, indefinite="solve"
    )
    assert (A.diagonal() == 0).all()
    assert ((A == 0) | (A >= 1e-3)).all()
    leaf = torch.tensor(X[:5], requires_grad=True)
    k = RBF(0.3).build(leaf)
    assert torch.autograd.gradcheck(lambda a: ridge_smoother(k(a, a), 0.1), leaf)
    assert ridge_smoother(K.float(), 0.1).dtype == torch.float32


def test_indefinite_and_broken_matrices():
    K = torch.tensor([[1.0, 3.0], [3.0, 1.0]], dtype=torch.float64)  # eigenvalues 4, -2
    with pytest.raises(ValueError, match="eigenvalue -2.*larger regularization than 2"):
        ridge_smoother(K, 0.1)
    expected = torch.linalg.inv(K + 0.1 * torch.eye(2)) @ K
    np.testing.assert_allclose(ridge_smoother(K, 0.1, indefinite="solve"), expected)
    assert ridge_smoother(K, 2.5).isfinite().all()
    with pytest.raises(ValueError, match="larger regularization"):
        ridge_smoother(K, 2.0, indefinite="solve")  # singular
    with pytest.raises(ValueError, match="NaN or infinity"):
        ridge_smoother(K * torch.nan, 0.1)


def test_log_as_a_kernel_of_time():
    t = np.arange(0, 40.0)[:, None]
    H = np.eye(40) - 1 / 40
    for power in (0.5, 1.0, 2.0):
        K = Log(power=power, gamma=0.3)(t)
        plain = -np.log1p(0.3 * np.abs(t - t.T) ** power)
        # Centred, it is the plain logarithm of the gap, whatever the origin.
        np.testing.assert_allclose(H @ K @ H, H @ plain @ H, atol=1e-9)
        assert np.linalg.eigvalsh(H @ plain @ H).min() > -1e-9
    # As the power goes to 0 all gaps are alike.
    gaps = Log(power=1e-6, gamma=0.3)(t)
    apart = (H @ gaps @ H)[~np.eye(40, dtype=bool)]
    assert np.ptp(apart) < 1e-4
