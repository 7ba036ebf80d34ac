"""CanonicalCorrelation: laws of the closed form."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from multiview_cases import TEXTS, A, B, X, latent, missing
from sklearn.cross_decomposition import CCA
from sklearn.utils.estimator_checks import parametrize_with_checks

import skcontrast
from skcontrast._canonical import Products, mean_reciprocal_rank, principal_axes
from skcontrast.multiview import Blocks, CanonicalCorrelation


@parametrize_with_checks([CanonicalCorrelation(blocks=[-1, 1])])
def test_scikit_learn(estimator, check):
    check(estimator)


def fitted(X=X, **params):
    return CanonicalCorrelation(**{"blocks": [5, 4], **params}).fit(X)


def test_a_shared_linear_latent_has_correlation_one():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(100, 2))
    first = np.hstack([shared @ rng.normal(size=(2, 3)), rng.normal(size=(100, 2))])
    second = np.hstack([shared @ rng.normal(size=(2, 2)), rng.normal(size=(100, 2))])
    both = np.hstack([first, second])
    model = fitted(both, regularization=0.0)
    np.testing.assert_allclose(model.correlations_[:2], 1.0, atol=1e-8)
    assert model.correlations_[2] < 0.5
    assert fitted(both, regularization=0.0, n_components=2).score(both) == pytest.approx(1.0)


def test_invertible_maps_of_a_block_change_nothing():
    rng = np.random.default_rng(1)
    turned = np.hstack([A @ rng.normal(size=(5, 5)) + 3, 10 * B @ rng.normal(size=(4, 4))])
    first, second = fitted(regularization=0.0), fitted(turned, regularization=0.0)
    np.testing.assert_allclose(first.correlations_, second.correlations_, atol=1e-10)
    np.testing.assert_allclose(
        first.similarity({"block0": A}, {"block1": B}),
        second.similarity({"block0": turned[:, :5]}, {"block1": turned[:, 5:]}),
        atol=1e-8,
    )


def test_correlations_are_those_of_scikit_learn():
    model = fitted(regularization=0.0, n_components=2)
    first, second = CCA(2, max_iter=10_000, tol=1e-12).fit(A, B).transform(A, B)
    expected = [np.corrcoef(first[:, k], second[:, k])[0, 1] for k in range(2)]
    np.testing.assert_allclose(model.correlations_, expected, atol=1e-6)


def test_three_blocks_solve_the_generalised_problem():
    rng = np.random.default_rng(2)
    blocks = [A, B, A[:, :2] + rng.normal(size=(60, 2))]
    blocks = [(b - b.mean(0)) for b in blocks]
    maps = Products(blocks).maps(0.0, 2)
    C = np.cov(np.hstack(blocks).T, bias=True)
    D = scipy.linalg.block_diag(*(np.cov(b.T, bias=True) for b in blocks))
    largest = scipy.linalg.eigh(C, D, eigvals_only=True)[::-1][:2]
    np.testing.assert_allclose(maps.correlations, (largest - 1) / 2, atol=1e-10)
    # Of two blocks: lambda = 1 + rho.
    two = Products(blocks[:2]).maps(0.0, 2)
    C, D = C[:9, :9], D[:9, :9]
    largest = scipy.linalg.eigh(C, D, eigvals_only=True)[::-1][:2]
    np.testing.assert_allclose(1 + two.correlations, largest, atol=1e-10)


def test_axes_are_the_same_however_they_are_found(monkeypatch):
    import skcontrast._canonical as module

    rng = np.random.default_rng(0)
    dense = np.where(rng.random((40, 12)) < 0.3, rng.normal(size=(40, 12)), 0)
    expected = principal_axes(dense, 5)
    monkeypatch.setattr(module, "EXACT", 20)
    for rows in (dense, sp.csr_matrix(dense), sp.csr_matrix(dense.T), dense.T):
        found = principal_axes(rows, 5)
        monkeypatch.setattr(module, "EXACT", 3000)
        wanted = principal_axes(rows.toarray() if sp.issparse(rows) else rows, 5)
        monkeypatch.setattr(module, "EXACT", 20)
        np.testing.assert_allclose(found.variances, wanted.variances, rtol=1e-3)
        assert found.average == pytest.approx(wanted.average)
    assert expected.axes.shape == (12, 5)


def test_a_shuffled_pairing_brings_the_score_to_chance():
    first, second, _ = latent(400)
    rng = np.random.default_rng(0)
    shuffled = np.hstack([first, second[rng.permutation(400)]])
    test = np.hstack([first, second])[:100]
    chance = np.mean(1 / np.arange(1, 101))
    assert fitted(np.hstack([first, second])).score(test) > 5 * chance
    assert fitted(shuffled, regularization=0.1).score(test) < 2.5 * chance


def test_columns_are_those_of_each_block():
    model = fitted()
    Z = model.transform(X)
    names = list(model.get_feature_names_out())
    for name, block in (("block0", A), ("block1", B)):
        mine = [k for k, column in enumerate(names) if column.startswith(name)]
        np.testing.assert_allclose(Z[:, mine], model.transform_block(block, name), atol=1e-12)
    order = np.random.default_rng(0).permutation(60)
    assert np.array_equal(model.transform(X[order]), Z[order])
    assert np.array_equal(model.score_pairs(X[order]), model.score_pairs(X)[order])
    np.testing.assert_allclose(np.linalg.norm(Z[:, :4], axis=1), 1)
    cosine = (Z[:, :4] * Z[:, 4:]).sum(axis=1)
    np.testing.assert_allclose(model.score_pairs(X), cosine)


def test_the_score_is_the_mean_reciprocal_rank():
    Z = np.array([np.eye(3), np.eye(3)[[0, 1, 1]]])
    assert mean_reciprocal_rank(np.array([np.eye(3)] * 2)) == 1
    # Of what is as near as the partner the mean rank: two ones, three zeros, two zeros behind.
    first = np.mean([1, 1 / 1.5, 1 / 2])
    second = np.mean([1, 1, 1 / 2.5])
    assert mean_reciprocal_rank(Z) == pytest.approx((first + second) / 2)


def test_the_strength_is_chosen_by_held_out_partners():
    rng = np.random.default_rng(0)
    wide = np.hstack([A, rng.normal(size=(60, 45)), B, rng.normal(size=(60, 46))])
    chosen = CanonicalCorrelation(blocks=[50, 50], regularization="auto").fit(wide)
    assert chosen.regularization_ >= 0.1
    first, second, _ = latent(600, noise=0.05)
    assert fitted(np.hstack([first, second]), regularization="auto").regularization_ <= 0.1


def test_rows_that_lack_a_block_count_for_what_they_have():
    gone = missing()
    model = fitted(gone)
    there = ~np.isnan(gone[:, [0, 5]])
    assert np.array_equal(model.n_pairs_, there.astype(int).T @ there)
    Z = model.transform(gone)
    lost = ~there[:, 1]
    np.testing.assert_allclose(Z[lost, 4:], Z[lost, :4], atol=1e-12)
    assert np.isnan(model.score_pairs(gone)).sum() == (~there.all(axis=1)).sum()
    assert model.score(gone) > 0.2


def test_sparse_blocks_stay_sparse(monkeypatch):
    sparse = sp.random(80, 500, 0.05, format="csr", random_state=0)
    blocks = Blocks(a=sparse, b=np.random.default_rng(0).normal(size=(80, 3)))
    filled = sp.csr_matrix.toarray

    def refuse(rows, *args, **kwargs):
        assert rows.shape[1] != 500
        return filled(rows, *args, **kwargs)

    monkeypatch.setattr(sp.csr_matrix, "toarray", refuse)
    assert CanonicalCorrelation(2).fit(blocks).transform(blocks).shape == (80, 4)


def test_what_cannot_be_correlated_is_refused():
    for message, blocks, params in (
        ("Block 't' holds texts: make numbers", Blocks(a=A, t=TEXTS), {}),
        ("Block 'b' is the same in all rows", Blocks(a=A, b=np.ones((60, 2))), {}),
        ("n_components=9, but the blocks have 4", Blocks(a=A, b=B), {"n_components": 9}),
        (
            "Block 'b' is there in 1 of 60 rows",
            Blocks(a=A, b=B, present={"b": np.arange(60) < 1}),
            {},
        ),
        (
            "Block 'a' has no two rows in common with any other",
            Blocks(a=A, b=B, present={"a": np.arange(60) < 30, "b": np.arange(60) >= 30}),
            {},
        ),
    ):
        with pytest.raises(ValueError, match=message):
            CanonicalCorrelation(**params).fit(blocks)


def test_it_is_saved(tmp_path):
    model = fitted()
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(X), model.transform(X))
    assert loaded.score(X) == model.score(X)


def test_a_failed_search_for_some_eigenvalues_takes_them_all(monkeypatch):
    import skcontrast._canonical as module

    expected = fitted().transform(X)
    whole = module.eigh

    def fails(A, subset_by_index=None, **options):
        if subset_by_index is not None:
            raise scipy.linalg.LinAlgError("Internal Error.")
        return whole(A, **options)

    monkeypatch.setattr(module, "eigh", fails)
    np.testing.assert_allclose(fitted().transform(X), expected, atol=1e-8)
