"""ContrastivePCA: the laws of its directions, and what it takes for a background."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skcontrast
from skcontrast import ContrastivePCA
from skcontrast.contrast._directions import CONTRASTS, affinities, planes, spread


def two_sets(n=80, m=100, d=6, seed=0):
    """Both vary most in column 0; only the foreground falls into two kinds, in column 3."""
    rng = np.random.default_rng(seed)
    F, B = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    F[:, 0], B[:, 0] = 6 * F[:, 0], 6 * B[:, 0]
    kind = np.arange(n) % 2
    F[:, 3] += 4 * kind
    return F, B, kind


F, B, KIND = two_sets()
X, MASK = np.vstack([F, B]), np.arange(180) >= 80


def fitted(F=F, B=B, **params):
    params = {"standardize": False, "contrast": 2.0, **params}
    return ContrastivePCA(**params).fit(F, background=B)


class WithBackground(ContrastivePCA):
    """Every second row is background: the checks of scikit-learn know of no mask."""

    def fit(self, X, y=None):
        n = X.shape[0] if hasattr(X, "shape") else len(np.asarray(X))
        return super().fit(X, background=np.arange(n) % 2 == 1)


@parametrize_with_checks([WithBackground(), WithBackground(contrast="ratio")])
def test_scikit_learn_with_a_background(estimator, check):
    check(estimator)


def test_components_by_loops():
    """Covariances entry by entry, and the eigenvectors by their equation."""
    C = np.zeros((2, 6, 6))
    for rows, out in ((F, C[0]), (B, C[1])):
        mean = [sum(row[a] for row in rows) / len(rows) for a in range(6)]
        for a in range(6):
            for b in range(6):
                out[a, b] = sum((r[a] - mean[a]) * (r[b] - mean[b]) for r in rows)
                out[a, b] /= len(rows) - 1
    model = fitted(n_components=3)
    for v, value, index in zip(model.components_, model.eigenvalues_, model.contrast_index_):
        np.testing.assert_allclose((C[0] - 2 * C[1]) @ v, value * v, atol=1e-10)
        f, b = v @ C[0] @ v, v @ C[1] @ v
        assert index == pytest.approx((f - b) / (f + b))
        assert np.linalg.norm(v) == pytest.approx(1) and v[np.abs(v).argmax()] > 0
    largest = np.linalg.eigvalsh(C[0] - 2 * C[1])[::-1][:3]
    np.testing.assert_allclose(model.eigenvalues_, largest)
    shrunk = fitted(contrast="ratio", shrinkage=0.25)
    M = 0.75 * C[1] + 0.25 * np.trace(C[1]) / 6 * np.eye(6)
    for v, value in zip(shrunk.components_, shrunk.eigenvalues_):
        np.testing.assert_allclose(C[0] @ v, value * M @ v, atol=1e-10)
    r = B[7]
    expected = [[sum((r[a] - F.mean(0)[a]) * v[a] for a in range(6)) for v in model.components_]]
    np.testing.assert_allclose(model.transform(B[7:8]), expected)


def test_no_contrast_is_pca():
    ours, theirs = fitted(contrast=0.0), PCA(2).fit(F)
    Z, P = ours.transform(X), theirs.transform(X)
    np.testing.assert_allclose(Z, P * np.sign((Z * P).sum(axis=0)), atol=1e-10)
    np.testing.assert_allclose(ours.eigenvalues_, theirs.explained_variance_)
    with pytest.warns(UserWarning, match="No background was given"):
        alone = ContrastivePCA(standardize=False).fit(F)
    np.testing.assert_allclose(alone.transform(X), Z, atol=1e-10)
    assert alone.contrast_ == 0 and len(alone.candidate_contrasts_) == 0
    np.testing.assert_allclose(alone.contrast_index_, 1)


def test_what_only_the_foreground_has_comes_first():
    def apart(Z):
        return abs(Z[KIND == 1, 0].mean() - Z[KIND == 0, 0].mean()) / Z[:, 0].std()

    assert apart(PCA(2).fit_transform(F)) < 0.5
    for params in ({"contrast": 2.0}, {"contrast": "auto"}, {"contrast": "ratio"}):
        for standardize in (False, True):
            model = fitted(standardize=standardize, **params)
            assert apart(model.transform(F)) > 0.8, model
            assert model.contrast_index_[0] > 0.25


def test_the_same_set_twice_has_no_contrast():
    model = fitted(F, F, contrast="ratio", shrinkage=0.0)
    np.testing.assert_allclose(model.eigenvalues_, 1)
    np.testing.assert_allclose(model.contrast_index_, 0, atol=1e-10)


def test_the_ratio_is_invariant_to_linear_maps():
    A = np.random.default_rng(1).normal(size=(6, 6))
    plain, mapped = (
        fitted(f, b, contrast="ratio", shrinkage=0) for f, b in ((F, B), (F @ A, B @ A))
    )
    np.testing.assert_allclose(plain.eigenvalues_, mapped.eigenvalues_)
    Z, M = plain.transform(F), mapped.transform(F @ A)
    M = M / M.std(axis=0) * np.sign((Z * M).sum(axis=0))
    np.testing.assert_allclose(Z / Z.std(axis=0), M, atol=1e-8)


@pytest.mark.parametrize("contrast", [0.5, "auto", "ratio"])
def test_every_form_turns_with_the_space(contrast):
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    plain, turned = fitted(contrast=contrast), fitted(F @ Q, B @ Q, contrast=contrast)
    Z, T = plain.transform(F), turned.transform(F @ Q)
    np.testing.assert_allclose(Z, T * np.sign((Z * T).sum(axis=0)), atol=1e-8)
    assert plain.contrast_ == turned.contrast_


def test_a_wider_background_is_a_larger_contrast():
    once, twice = fitted(contrast=0.5 * 9), fitted(B=3 * B, contrast=0.5)
    np.testing.assert_allclose(once.components_, twice.components_, atol=1e-10)


@pytest.mark.filterwarnings("ignore:. of 2 components vary less")
def test_a_huge_contrast_is_the_least_of_the_background():
    least = np.linalg.eigh(np.cov(B.T))[1][:, :2]
    found = fitted(contrast=1e9).components_
    np.testing.assert_allclose(np.abs(found @ least), np.eye(2), atol=1e-6)


def test_columns_are_scaled_by_the_foreground():
    scaled = ContrastivePCA(contrast=1.0).fit(
        F * [1, 2, 3, 4, 5, 6], background=B * [1, 2, 3, 4, 5, 6]
    )
    by_hand = fitted(F / F.std(axis=0), B / F.std(axis=0), contrast=1.0)
    np.testing.assert_allclose(scaled.components_, by_hand.components_, atol=1e-10)
    Z = scaled.transform(B * [1, 2, 3, 4, 5, 6])
    np.testing.assert_allclose(Z, by_hand.transform(B / F.std(axis=0)), atol=1e-10)
    constant = np.hstack([F, np.full((80, 1), 0.1)])
    model = ContrastivePCA(contrast=1.0).fit(constant, background=np.hstack([B, B[:, :1]]))
    assert model.scale_[-1] == 1 and np.isfinite(model.transform(constant)).all()


def test_wide_tables_are_solved_in_the_space_of_their_rows(monkeypatch):
    import skcontrast.contrast._directions as module

    rng = np.random.default_rng(0)
    F, B = rng.normal(size=(20, 60)) * np.linspace(3, 1, 60), rng.normal(size=(15, 60))
    whole = {c: fitted(F, B, contrast=c, shrinkage=0.3) for c in (1.0, "auto", "ratio")}
    monkeypatch.setattr(module, "MOST_COLUMNS", 50)
    assert spread(F, B).axes.shape == (60, 33)
    for contrast, expected in whole.items():
        found = fitted(F, B, contrast=contrast, shrinkage=0.3)
        np.testing.assert_allclose(found.eigenvalues_, expected.eigenvalues_)
        np.testing.assert_allclose(found.components_, expected.components_, atol=1e-8)
    with pytest.raises(ValueError, match="rows span 33 directions"):
        fitted(F, B, n_components=40)


def test_affinities_are_products_of_cosines():
    both = spread(F, B)
    found = affinities(planes(both))
    np.testing.assert_allclose(np.diag(found), 1)
    first, second = (fitted(contrast=a).components_.T for a in (CONTRASTS[0], CONTRASTS[12]))
    assert found[0, 12] == pytest.approx(abs(np.linalg.det(first.T @ second)))
    model = fitted(contrast="auto")
    assert model.contrast_ == model.candidate_contrasts_[0] > 0
    assert fitted(contrast="auto", n_components=1).contrast_ == model.contrast_
    assert fitted(F[:, :1], B[:, :1], contrast="auto", n_components=1).contrast_ == 1


@pytest.mark.parametrize(
    "kind", [np.array, list, pd.Series, lambda m: pd.array(m, dtype="boolean")]
)
def test_a_mask_is_the_table_of_its_rows(kind):
    by_table, by_mask = fitted(), fitted(X, kind(MASK))
    assert np.array_equal(by_table.components_, by_mask.components_)


def test_frames_and_names():
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = ContrastivePCA().set_output(transform="pandas").fit(frame, background=MASK)
    assert list(model.transform(frame)) == ["contrastivepca0", "contrastivepca1"]
    other = ContrastivePCA().fit(frame[~MASK], background=frame[MASK])
    np.testing.assert_allclose(model.components_, other.components_, atol=1e-10)
    with pytest.raises(ValueError, match="background has to be a table like X: The feature names"):
        ContrastivePCA().fit(frame[~MASK], background=frame[MASK].rename(columns={"a": "z"}))


def test_a_search_cuts_the_mask():
    y = np.r_[KIND, np.full(100, 2)]
    pipeline = make_pipeline(StandardScaler(), ContrastivePCA(), LogisticRegression())
    grid = {"contrastivepca__contrast": [0.0, 2.0, "ratio"]}
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline[1].set_fit_request(background=True)
        search = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y, background=MASK)
    means = search.cv_results_["mean_test_score"]
    assert means[1:].min() > means[0] + 0.1


def test_it_is_saved(tmp_path):
    for params in ({"contrast": "auto"}, {"contrast": "ratio", "standardize": True}):
        model = fitted(**params)
        skcontrast.save(model, tmp_path / "model")
        loaded = skcontrast.load(tmp_path / "model")
        assert np.array_equal(loaded.transform(X), model.transform(X))
        assert loaded.contrast_ == model.contrast_


def test_what_is_no_background_is_refused():
    gone = X.copy()
    gone[3, 2] = np.nan
    for message, error, rows, background, params in (
        ("type int64 and shape .180,.* pass True or False", ValueError, X, MASK.astype(int), {}),
        ("type bool and shape .80,.*X has 180 rows", ValueError, X, MASK[:80], {}),
        ("type bool and shape .180, 1.*of shape .180,.,", ValueError, X, MASK[:, None], {}),
        ("type object and shape .2,.", ValueError, X, [[1, 2], [3]], {}),
        ("hides 1 entries", ValueError, X, np.ma.array(MASK, mask=np.arange(180) < 1), {}),
        ("has to be a table like X: it has 5 features", ValueError, F, B[:, :5], {}),
        ("foreground has 0 row", ValueError, X, np.full(180, True), {}),
        ("background has 1 row", ValueError, X, np.arange(180) < 1, {}),
        ("^X contains NaN, missing values: impute", ValueError, gone, MASK, {}),
        ("like X: background contains NaN", ValueError, F, gone, {}),
        ("missing values .NaN.: encode and impute", ValueError, pd.DataFrame(gone), MASK, {}),
        ("background holds numbers of up to 1e.200", ValueError, F, B[:9] * 0 + 1e200, {}),
        ("Sparse data was passed for X", TypeError, sp.csr_matrix(X), MASK, {}),
        ("n_components=7, but X has n_features=6", ValueError, X, MASK, {"n_components": 7}),
    ):
        with pytest.raises(error, match=message) as caught:
            fitted(rows, background, **params)
        assert "\n" not in str(caught.value)


def test_what_cannot_be_divided_is_refused():
    flat = np.hstack([B[:, :5], np.zeros((100, 1))])
    with pytest.raises(ValueError, match="does not vary in some direction.*shrinkage=0.1"):
        fitted(B=flat, contrast="ratio", shrinkage=0.0)
    assert np.isfinite(fitted(B=flat, contrast="ratio", shrinkage=0.1).eigenvalues_).all()


def test_doubts_are_said():
    with pytest.warns(UserWarning, match="6 of 6 components vary less"):
        fitted(B=2 * B, contrast=0.1, n_components=6)
    with pytest.warns(UserWarning, match="as many as X has"):
        fitted(B=B[:80])
