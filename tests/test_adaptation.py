"""Adapters: scikit-learn's checks, limits, leave-one-out by force, solvers, bad input."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from instances import adapter_instances, blobs
from scipy.special import softmax as scipy_softmax
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import skcontrast
from skcontrast import ProKeRClassifier, ProKeRRegressor, ZeroShotClassifier
from skcontrast.adaptation._calibration import fit_temperature, fit_weights
from skcontrast.adaptation._discriminant import Discriminant
from skcontrast.adaptation._ridge import left_out_residuals, solve_ridge
from skcontrast.adaptation._similarity import Similarity
from skcontrast.adaptation._solvers import Cholesky, Eigen, Nystroem
from skcontrast.kernels import RBF, Cosine

INSTANCES = adapter_instances()
METHODS = ["auto", "proker", "tip", "nadaraya_watson", "local_linear", "gda"]


@parametrize_with_checks(INSTANCES)
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.parametrize("estimator", INSTANCES, ids=repr)
@pytest.mark.parametrize(
    "name",
    [
        "check_param_validation",
        "check_dataframe_column_names_consistency",
        "check_n_features_in_after_fitting",
        "check_f_contiguous_array_estimator",
        "check_readonly_memmap_input",
    ],
)
def test_scikit_learn_unlisted(estimator, name):
    getattr(estimator_checks, name)(type(estimator).__name__, clone(estimator))


def unit_problem(shots=4, n_classes=5, d=12, seed=0, n_test=40):
    """Unit rows around class directions, the test rows, and class embeddings off these."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((n_classes, d))
    y = np.repeat(np.arange(n_classes), shots)
    X = normalize(centres[y] + rng.standard_normal((len(y), d)))
    y_test = rng.integers(n_classes, size=n_test)
    X_test = normalize(centres[y_test] + rng.standard_normal((n_test, d)))
    T = normalize(centres + rng.standard_normal((n_classes, d)))
    return X, y, X_test, y_test, T


def zero_shot(T):
    return ZeroShotClassifier(T, classes=np.arange(len(T)))


def plain(T, **params):
    """Textbook kernel ridge on top of the raw cosines, without a constant."""
    defaults = {"gamma": 0.7, "alpha": 0.2, "base_scale": 1.0, "fit_intercept": False}
    options = {"method": "proker", "scaling": "ridge", **defaults, **params}
    return ProKeRClassifier(zero_shot(T), **options)


# ---------------------------------------------------------------- limits


def test_large_and_small_alpha():
    X, y, Q, _, T = unit_problem()
    base = Q @ T.T
    k = RBF(gamma=0.7)(Q, X)
    residual = np.eye(5)[y] - X @ T.T
    # Textbook: nothing but the base, and interpolation.
    far = plain(T, alpha=1e9).fit(X, y).decision_function(Q)
    np.testing.assert_allclose(far, base, atol=1e-6)
    near = plain(T, alpha=1e-9).fit(X, y)
    np.testing.assert_allclose(near.decision_function(X), np.eye(5)[y], atol=1e-5)
    # Published: the sum of the residuals as in Tip-Adapter, and nothing but the base.
    published = plain(T, scaling="reference", alpha=1e9).fit(X, y)
    np.testing.assert_allclose(published.decision_function(Q), base + k @ residual, atol=1e-6)
    small = plain(T, scaling="reference", alpha=1e-9).fit(X, y).decision_function(Q)
    np.testing.assert_allclose(small, base, atol=1e-5)
    # The two differ by the factor alpha on the correction.
    one, other = (plain(T, scaling=s).fit(X, y) for s in ("ridge", "reference"))
    np.testing.assert_allclose(
        0.2 * (one.decision_function(Q) - base), other.decision_function(Q) - base, atol=1e-12
    )


def test_delta_kernel_is_class_averaging():
    rng = np.random.default_rng(0)
    X = rng.integers(3, size=(30, 1)).astype(float)
    y = rng.standard_normal(30)
    model = ProKeRRegressor(kernel="delta", alpha=1e-7, fit_intercept=False).fit(X, y)
    for value in range(3):
        np.testing.assert_allclose(model.predict([[value]]), y[X[:, 0] == value].mean(), rtol=1e-6)


def test_normalised_cache_is_nadaraya_watson():
    X, y, Q, _, T = unit_problem()
    options = {"gamma": 1.0, "alpha": 1.0, "base_scale": 0.0}
    tip = ProKeRClassifier(zero_shot(T), method="tip", **options).fit(X, y)
    smooth = ProKeRClassifier(zero_shot(T), method="nadaraya_watson", **options).fit(X, y)
    scores = tip.decision_function(Q)
    np.testing.assert_allclose(
        smooth.decision_function(Q), scores / scores.sum(axis=1, keepdims=True), atol=1e-12
    )


def test_local_linear_is_exact_on_a_line():
    X = np.linspace(0, 1, 20)[:, None]
    y = 3 * X[:, 0] - 1
    plain_average = ProKeRRegressor(method="nadaraya_watson", gamma=50.0).fit(X, y)
    local = ProKeRRegressor(method="local_linear", gamma=50.0).fit(X, y)
    border = np.array([[0.0], [1.0]])
    exact = 3 * border[:, 0] - 1
    error = np.abs(local.predict(border) - exact).max()
    assert error < 0.2 * np.abs(plain_average.predict(border) - exact).max()


@pytest.mark.parametrize("wide", [False, True])
def test_local_linear_solves_its_least_squares(wide):
    rng = np.random.default_rng(0)
    S, y, q = rng.standard_normal((9, 12 if wide else 3)), rng.standard_normal(9), None
    q = rng.standard_normal((1, S.shape[1]))
    model = ProKeRRegressor(method="local_linear", gamma=0.1, fit_intercept=False).fit(S, y)
    k = RBF(gamma=0.1)(q, S)[0]
    k /= k.sum()
    rho = 0.1 * (k @ np.square(S - k @ S).sum(axis=1))
    D = S - q
    H = np.zeros((D.shape[1] + 1,) * 2)
    A = np.column_stack([np.ones(9), D])
    H = (A * k[:, None]).T @ A
    H[1:, 1:] += rho * np.eye(D.shape[1])
    expected = np.linalg.solve(H, (A * k[:, None]).T @ y)[0]
    np.testing.assert_allclose(model.predict(q), expected, rtol=1e-9)


def test_kernel_ridge_is_a_special_case():
    X, y = make_regression(40, 4, random_state=0)
    w = np.random.default_rng(0).uniform(0.5, 2, 40)
    ours = ProKeRRegressor(gamma=0.3, alpha=0.5, fit_intercept=False).fit(X, y, sample_weight=w)
    theirs = KernelRidge(kernel="rbf", gamma=0.3, alpha=0.5).fit(X, y, sample_weight=w)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8)


def test_discriminant_without_embeddings_is_linear_discriminant_analysis():
    X, y = blobs(60)
    fitted = Discriminant(X, y, np.ones(60), 3)
    W, b = fitted.coefficients(1e-9)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", priors=np.ones(3) / 3).fit(X, y)
    scores, expected = 60 * (X @ W.T + b), theirs.decision_function(X)
    for s in (scores, expected):
        s -= s.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)


# ------------------------------------------------------- leave-one-out


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_left_out_ridge_equals_force(fit_intercept, weighted):
    rng = np.random.default_rng(0)
    n = 25
    X, Y = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    w = rng.integers(1, 4, n).astype(float) if weighted else np.ones(n)
    K, alpha = RBF(gamma=0.4)(X), 0.3
    for solver in (Eigen(K.copy(), w).at(alpha), Cholesky(K.copy(), w, alpha)):
        _, _, dual, G = solve_ridge(solver, Y, fit_intercept)
        residuals = left_out_residuals(dual, G)
        for i in range(n):
            rest = np.arange(n) != i
            part = Eigen(K[np.ix_(rest, rest)], w[rest]).at(alpha)
            a, b, _, _ = solve_ridge(part, Y[rest], fit_intercept)
            np.testing.assert_allclose(residuals[i], Y[i] - K[i, rest] @ a - b, atol=1e-8)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("of_labels", [sp.csr_array, np.asarray])
def test_all_rows_as_landmarks_give_the_exact_solution(fit_intercept, of_labels):
    rng = np.random.default_rng(0)
    X, w, index = rng.standard_normal((25, 3)), rng.uniform(1, 3, 25), np.array([3, 0, 19])
    Y, kernel = np.eye(4)[rng.integers(4, size=25)], RBF(gamma=0.4)
    near = Nystroem(Similarity(kernel, X), X, w, 0.3, X)
    a, b, dual, G = solve_ridge(near, of_labels(Y), fit_intercept, index)
    exact = solve_ridge(Eigen(kernel(X), w).at(0.3), Y, fit_intercept, index)
    np.testing.assert_allclose(kernel(X) @ a + b, kernel(X) @ exact[0] + exact[1], atol=1e-9)
    np.testing.assert_allclose(b, exact[1], atol=1e-9)
    np.testing.assert_allclose(dual, exact[2], atol=1e-9)
    np.testing.assert_allclose(G, exact[3], atol=1e-9)


@pytest.mark.parametrize("d", [4, 40])
@pytest.mark.parametrize("k", [0.0, 2.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_left_out_discriminant_equals_force(d, k, weighted):
    X, y, _, _, T = unit_problem(shots=3, d=d)
    w = np.random.default_rng(0).integers(1, 3, len(X)).astype(float)
    w = w if weighted else np.ones(len(X))
    fitted = Discriminant(X, y, w, 5, T, k)
    nu = fitted.ridge(3.0)
    scores, valid = fitted.left_out_scores(nu)
    assert valid.all()
    for i in range(len(X)):
        rest = np.arange(len(X)) != i
        W, b = Discriminant(X[rest], y[rest], w[rest], 5, T, k).coefficients(nu)
        np.testing.assert_allclose(scores[i], X[i] @ W.T + b, rtol=1e-8, atol=1e-8)


def test_choice_is_the_best_left_out_loss_by_force():
    X, y, _, _, T = unit_problem(shots=3)
    grid = {"gamma": [0.3, 1.0], "alpha": [0.05, 0.5, 5.0], "base_scale": [0.5, 2.0]}
    model = plain(T, **grid).fit(X, y)
    best = None
    for gamma in grid["gamma"]:
        for alpha in grid["alpha"]:
            for scale in grid["base_scale"]:
                one = plain(T, gamma=gamma, alpha=alpha, base_scale=scale)
                out = np.empty((len(X), 5))
                for i in range(len(X)):
                    rest = np.arange(len(X)) != i
                    out[i] = clone(one).fit(X[rest], y[rest]).decision_function(X[[i]])
                loss = fit_temperature(out, y, np.ones(len(X)))[1]
                best = min(best or (loss, 0, 0, 0), (loss, gamma, alpha, scale))
    assert (model.gamma_, model.alpha_, model.base_scale_) == best[1:]


def test_temperature_is_the_best_one():
    rng = np.random.default_rng(0)
    scores, y = rng.standard_normal((200, 3)), rng.integers(3, size=200)
    scores[np.arange(200), y] += 1
    scale, _ = fit_temperature(scores, y, np.ones(200))
    losses = [log_loss(y, scipy_softmax(f * scale * scores, axis=1)) for f in (0.99, 1, 1.01)]
    assert losses[1] == min(losses)
    assert fit_weights([-scores], y, np.ones(200), [1], [1e-9])[0] == 0


def test_probabilities_are_calibrated():
    X, y, Q, y_test, T = unit_problem(shots=16, n_test=500)
    for method in METHODS:
        model = ProKeRClassifier(zero_shot(T), method=method).fit(X, y)
        proba = model.predict_proba(Q)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert np.array_equal(model.classes_[proba.argmax(axis=1)], model.predict(Q))
        gap = proba.max(axis=1).mean() - model.score(Q, y_test)
        assert abs(gap) < 0.12, (method, gap)


# ------------------------------------------------------ solvers and rows


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_solvers_agree(fit_intercept):
    X, y, Q, _, T = unit_problem(shots=12)
    w = np.random.default_rng(0).uniform(0.5, 2, len(X))
    exact = plain(T, fit_intercept=fit_intercept).fit(X, y, sample_weight=w)
    for solver in ("cg", "nystroem"):
        model = clone(exact).set_params(solver=solver, tol=1e-12).fit(X, y, sample_weight=w)
        np.testing.assert_allclose(
            model.decision_function(Q), exact.decision_function(Q), atol=1e-8
        )
        np.testing.assert_allclose(model.temperature_, exact.temperature_, rtol=1e-6)
    few = clone(exact).set_params(solver="nystroem", n_components=30, random_state=0).fit(X, y)
    assert len(few.X_fit_) == 30
    few = clone(exact).set_params(solver="cg", n_components=5, tol=1e-10, random_state=0)
    few.fit(X, y, sample_weight=w)
    np.testing.assert_allclose(few.decision_function(Q), exact.decision_function(Q), atol=1e-6)
    with pytest.warns(ConvergenceWarning, match="type a larger n_components"):
        few.set_params(max_iter=1, alpha=1e-6).fit(X, y)


@pytest.mark.parametrize("method", METHODS)
def test_added_rows_equal_a_refit(method):
    X, y, Q, _, T = unit_problem(shots=6)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order], y[order]
    w = np.random.default_rng(1).uniform(0.5, 2, len(X))
    numbers = {"gamma": 0.7, "alpha": 0.2, "base_scale": 2.0}
    if method == "gda":
        numbers.pop("gamma")
    model = ProKeRClassifier(zero_shot(T), method=method, **numbers)
    parts = [slice(0, 10), slice(10, 11), slice(11, 30)]
    grown = clone(model)
    for part in parts:
        grown.partial_fit(X[part], y[part], sample_weight=w[part])
    whole = clone(model).fit(X, y, sample_weight=w)
    if method == "auto":  # what the first rows chose is kept
        held = ("prior_weight_", "shrinkage_", "blend_weights_", "_discriminant_scale")
        whole = clone(model).fit(X[:10], y[:10], sample_weight=w[:10])
        whole._support["X"] = whole._support["X"]
        once = clone(model).partial_fit(X[:10], y[:10], sample_weight=w[:10])
        once.partial_fit(X[10:], y[10:], sample_weight=w[10:])
        assert all(np.array_equal(getattr(once, k), getattr(whole, k)) for k in held)
        whole = once
    np.testing.assert_allclose(grown.decision_function(Q), whole.decision_function(Q), atol=1e-9)
    np.testing.assert_allclose(grown.predict_proba(Q), whole.predict_proba(Q), atol=1e-7)


@pytest.mark.parametrize("method", ["proker", "nadaraya_watson", "local_linear"])
def test_added_rows_equal_a_refit_of_a_regressor(method):
    X, y = make_regression(40, 4, random_state=0)
    base = FrozenEstimator(LinearRegression().fit(X[:10], y[:10] + 1))
    model = ProKeRRegressor(base, method=method, gamma=0.1, alpha=0.5, base_scale=1.0)
    grown = clone(model)
    for part in (slice(0, 15), slice(15, 40)):
        grown.partial_fit(X[part], y[part])
    np.testing.assert_allclose(grown.predict(X), clone(model).fit(X, y).predict(X), rtol=1e-8)


def test_rows_cannot_be_added_to_landmarks():
    X, y, _, _, T = unit_problem()
    model = plain(T, solver="nystroem").fit(X, y)
    with pytest.raises(ValueError, match="type solver='cholesky'"):
        model.partial_fit(X, y)


def test_more_rows_than_memory(monkeypatch):
    from skcontrast.adaptation import _solvers

    monkeypatch.setattr(_solvers, "machine_memory", lambda: 1000.0)
    X, y, _, _, T = unit_problem()
    with pytest.raises(MemoryError, match="type solver='nystroem'"):
        plain(T).fit(X, y)


# -------------------------------------------------------------- bases


@pytest.mark.parametrize(
    "base",
    [
        LogisticRegression(),
        DecisionTreeClassifier(random_state=0),
        SVC(decision_function_shape="ovo"),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
    ids=lambda base: type(base).__name__,
)
@pytest.mark.parametrize("frozen", [True, False])
def test_any_classifier_can_be_the_base(base, frozen):
    X, y = blobs(90)
    base = FrozenEstimator(clone(base).fit(X[:45], y[:45])) if frozen else base
    names = np.array(["a", "b", "c"])
    if frozen:
        names = np.arange(3)
    model = ProKeRClassifier(base).fit(X[:60], names[y[:60]])
    assert model.score(X[60:], names[y[60:]]) > 0.8


def test_a_base_that_interpolates_leaves_room_for_the_correction():
    X, y = make_regression(120, 5, noise=20, random_state=0)
    tree = pytest.importorskip("sklearn.tree").DecisionTreeRegressor(random_state=0)
    adapted = ProKeRRegressor(tree).fit(X[:80], y[:80])
    assert np.abs(adapted.dual_coef_).max() > 0.1
    assert adapted.score(X[80:], y[80:]) > clone(tree).fit(X[:80], y[:80]).score(X[80:], y[80:])


def test_a_base_fitted_on_the_rows_is_not_held_useless():
    X, y = make_regression(60, 5, noise=5, random_state=0)
    y += 20 * np.sin(2 * X[:, 0])
    assert ProKeRRegressor(LinearRegression()).fit(X, y).base_scale_ > 0.8
    labels = (y > 0).astype(int) + (y > 80)
    assert ProKeRClassifier(LogisticRegression()).fit(X, labels).base_scale_ > 0.05


def test_regression_base_keeps_what_it_knows():
    X, y = make_regression(200, 5, random_state=0)
    shifted = y + 30 * np.sin(X[:, 0])
    base = FrozenEstimator(Ridge().fit(X[:100], y[:100]))
    adapted = ProKeRRegressor(base).fit(X[100:140], shifted[100:140])
    alone = ProKeRRegressor().fit(X[100:140], shifted[100:140])
    scores = [m.score(X[140:], shifted[140:]) for m in (adapted, base, alone)]
    assert scores[0] > max(scores[1:]) > 0


@pytest.mark.parametrize("method", METHODS)
def test_class_that_the_base_does_not_know(method):
    X, y = blobs(90)
    old = y < 2
    base = FrozenEstimator(LogisticRegression().fit(X[old], y[old]))
    model = ProKeRClassifier(base, method=method).fit(X[:60], y[:60])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X[60:][y[60:] == 2], y[60:][y[60:] == 2]) > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_class_without_a_row(method):
    X, y, Q, y_test, T = unit_problem(shots=4)
    few = y < 4
    model = ProKeRClassifier(zero_shot(T), method=method).fit(X[few], y[few])
    assert model.classes_.tolist() == list(range(5))
    assert np.isfinite(model.predict_proba(Q)).all()
    frozen = FrozenEstimator(zero_shot(T).fit(X))
    again = ProKeRClassifier(frozen, method=method).fit(X[few], y[few])
    np.testing.assert_allclose(again.predict_proba(Q), model.predict_proba(Q))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shots", [1, 2])
def test_one_row_a_class(method, shots):
    X, y, Q, y_test, T = unit_problem(shots=shots, n_test=400)
    for base in (None, zero_shot(T)):
        model = ProKeRClassifier(base, method=method).fit(X, y)
        assert np.isfinite(model.decision_function(Q)).all()
        assert model.score(Q, y_test) > 0.3


def test_two_classes_give_one_score_a_row():
    X, y, Q, _, T = unit_problem(n_classes=2)
    model = plain(T).fit(X, y)
    k = RBF(gamma=0.7)
    residual = np.eye(2)[y] - X @ T.T
    both = Q @ T.T + k(Q, X) @ np.linalg.solve(k(X) + 0.2 * np.eye(len(X)), residual)
    np.testing.assert_allclose(model.decision_function(Q), both[:, 1] - both[:, 0], atol=1e-10)


# ---------------------------------------------------------- zero-shot


def test_zero_shot_is_the_cosine():
    X, y, Q, _, T = unit_problem()
    names = np.array(["e", "d", "c", "b", "a"])
    model = ZeroShotClassifier(2 * T, classes=names).fit(X)
    assert model.classes_.tolist() == sorted(names)
    np.testing.assert_allclose(model.decision_function(Q), (Q @ T.T)[:, ::-1])
    np.testing.assert_allclose(model.predict_proba(Q), scipy_softmax(100 * (Q @ T.T)[:, ::-1], 1))
    np.testing.assert_array_equal(model.predict(Q), names[(Q @ T.T).argmax(axis=1)])
    means = ZeroShotClassifier().fit(X, y).class_embeddings_
    np.testing.assert_allclose(means, normalize([X[y == c].mean(axis=0) for c in range(5)]))


def test_zero_shot_rows_off_the_sphere():
    X, y, Q, _, T = unit_problem()
    model = zero_shot(T).fit(X)
    with pytest.warns(UserWarning, match="scaled to unit length"):
        scores = model.decision_function(3 * Q)
    np.testing.assert_allclose(scores, model.decision_function(Q))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(Q.astype(np.float16))
    with pytest.warns(UserWarning, match="scaled to unit length"):
        assert np.isfinite(model.predict_proba(np.vstack([np.zeros_like(Q[:1]), 1e200 * Q]))).all()


@pytest.mark.parametrize(
    "params, y, message",
    [
        ({"class_embeddings": np.eye(3)}, [0, 1], "class_embeddings has 3 columns, but X has 2"),
        ({"class_embeddings": np.eye(2), "classes": ["a"]}, None, "2 different names"),
        ({"class_embeddings": np.eye(2), "classes": ["a", "a"]}, None, "2 different names"),
        ({"class_embeddings": np.eye(2), "classes": [0, 1]}, [0, 7], r"y holds \[7\]"),
        ({"class_embeddings": np.eye(2)}, [3, 3], "type classes="),
        ({"class_embeddings": np.eye(2)}, None, "the target y is None"),
        ({"classes": [0, 1]}, [0, 1], "give both or none"),
        ({}, [1, 1], "one class only"),
    ],
)
def test_zero_shot_bad_input(params, y, message):
    with pytest.raises(ValueError, match=message):
        ZeroShotClassifier(**params).fit(np.eye(2), y)


# ------------------------------------------------------------ bad input


@pytest.mark.parametrize("method", METHODS)
def test_equal_rows_and_singular_kernels(method):
    X, y, Q, _, T = unit_problem()
    X, y = np.vstack([X, X, X[:3]]), np.concatenate([y, y, y[[5, 9, 13]]])
    alpha = "auto" if method in ("gda", "auto") else 0.0
    for solver in ("auto", "nystroem", "cg"):
        model = ProKeRClassifier(
            zero_shot(T), method=method, alpha=alpha, scaling="ridge", solver=solver
        ).fit(X, y)
        assert np.isfinite(model.predict_proba(Q)).all(), solver
    same = np.tile(X[:1], (6, 1))
    model = ProKeRClassifier(method=method).fit(same, [0, 1, 0, 1, 0, 1])
    assert np.isfinite(model.predict_proba(Q)).all()


def test_equal_rows_at_alpha_zero_share_the_mean():
    X = np.array([[0.0], [0.0], [1.0]])
    for n in (1, 800):
        model = ProKeRRegressor(gamma=1.0, alpha=0.0, fit_intercept=False)
        model.fit(np.repeat(X, n, axis=0), np.repeat([1.0, 3.0, 5.0], n))
        # The matrix is singular: how many digits survive depends on the BLAS and its threads.
        np.testing.assert_allclose(model.predict([[0.0], [1.0]]), [2.0, 5.0], rtol=1e-3)


@pytest.mark.parametrize(
    "params, message",
    [
        ({"alpha": -1.0}, "alpha"),
        ({"alpha": []}, "alpha must be a number or a grid"),
        ({"alpha": [0.1, -1]}, "no negative number"),
        ({"alpha": [0.1, np.nan]}, "grid of finite numbers"),
        ({"gamma": [0.0]}, "gamma must be positive"),
        ({"base_scale": ["a"]}, "base_scale must be a number"),
        ({"alpha": 0, "method": "proker"}, "type scaling='ridge'"),
        ({"kernel": "cosine", "gamma": 1.0}, "Cosine has no gamma"),
        ({"kernel": "rfb"}, "Did you mean 'rbf'"),
        ({"method": "prokr"}, "The 'method' parameter"),
        ({"estimator": LinearRegression()}, "is a regressor"),
        ({"estimator": FrozenEstimator(LogisticRegression())}, "fit it first"),
    ],
)
def test_bad_parameters(params, message):
    X, y, _, _, _ = unit_problem()
    with pytest.raises((ValueError, NotFittedError), match=message):
        ProKeRClassifier(**params).fit(X, y)


def test_bad_rows():
    X, y, _, _, T = unit_problem()
    with pytest.raises(ValueError, match="one class only"):
        ProKeRClassifier().fit(X, np.zeros(len(X), dtype=int))
    with pytest.raises(ValueError, match="no negative number"):
        ProKeRClassifier().fit(X, y, sample_weight=-np.ones(len(X)))
    with pytest.raises(ValueError, match="one weight for each row"):
        ProKeRClassifier().fit(X, y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="give both the same type"):
        frozen = FrozenEstimator(zero_shot(T).fit(X))
        ProKeRClassifier(frozen).fit(X, y.astype(str))
    model = ProKeRClassifier(zero_shot(T)).partial_fit(X, y)
    with pytest.raises(ValueError, match="which the first call did not"):
        model.partial_fit(X, y + 10)
    with pytest.raises(ValueError, match="predicts 1 targets, but y has 2"):
        frozen = FrozenEstimator(LinearRegression().fit(X, y))
        ProKeRRegressor(frozen).fit(X, np.column_stack([y, y]))
    with pytest.warns(UserWarning, match=r"type sklearn.frozen.FrozenEstimator"):
        ProKeRClassifier(LogisticRegression().fit(X, y)).fit(X, y)


def test_zero_weights_take_a_row_out():
    X, y, Q, _, T = unit_problem()
    w = np.ones(len(X))
    w[::3] = 0
    for method in METHODS:
        model = ProKeRClassifier(zero_shot(T), method=method)
        one = clone(model).fit(X, y, sample_weight=w).decision_function(Q)
        other = clone(model).fit(X[w > 0], y[w > 0]).decision_function(Q)
        np.testing.assert_allclose(one, other)


# --------------------------------------------------------- as scikit-learn


def test_fits_leave_the_base_and_the_rows_alone():
    X, y, Q, _, T = unit_problem()
    base = zero_shot(T)
    before = X.copy()
    ProKeRClassifier(base).fit(X, y).partial_fit(X, y)
    assert not hasattr(base, "classes_")
    assert np.array_equal(X, before)


def test_grid_search_and_shorthand():
    X, y, _, _, T = unit_problem(shots=6)
    model = ProKeRClassifier(zero_shot(T), method="proker")
    search = GridSearchCV(model, {"kernel__gamma": [0.3, 1.0], "alpha": [0.1, 1.0]}, cv=3)
    search.fit(X, y)
    assert search.best_score_ > 0.5
    by_name = clone(model).set_params(kernel="cosine").fit(X, y)
    by_object = clone(model).set_params(kernel=Cosine()).fit(X, y)
    assert np.array_equal(by_name.decision_function(X), by_object.decision_function(X))
    composed = clone(model).set_params(kernel=RBF() + Cosine()).fit(X, y)
    assert composed.gamma_ == composed.kernel_.first.gamma
    assert isinstance(composed.gamma_, float)


@pytest.mark.parametrize("method", METHODS)
def test_copies_and_saves(method, tmp_path):
    X, y, Q, _, T = unit_problem()
    model = ProKeRClassifier(zero_shot(T), method=method).fit(X, y)
    expected = model.decision_function(Q)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).decision_function(Q), expected)
    pytest.importorskip("safetensors")
    skcontrast.save(model.partial_fit(X[:2], y[:2]), tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert np.array_equal(loaded.decision_function(Q), model.decision_function(Q))
    grown, again = model.partial_fit(X[2:4], y[2:4]), loaded.partial_fit(X[2:4], y[2:4])
    np.testing.assert_allclose(grown.decision_function(Q), again.decision_function(Q))


# ----------------------------------------------------- many rows and classes


def many_classes(n_classes=30, shots=8, noise=1.0):
    rng = np.random.default_rng(0)
    means, y = rng.normal(size=(n_classes, 12)), np.repeat(np.arange(n_classes), shots)
    return normalize(means[y] + noise * rng.normal(size=(len(y), 12))), y


def test_landmarks_are_a_mean_of_each_class_and_rows():
    X, y = many_classes()
    model = ProKeRClassifier(solver="nystroem", n_components=90, random_state=0).fit(X, y)
    means = normalize(np.array([X[y == c].mean(axis=0) for c in range(30)]))
    np.testing.assert_allclose(model.X_fit_[:30], means, atol=1e-12)
    assert all((X == row).all(axis=1).any() for row in model.X_fit_[30:])
    # Fewer than two landmarks a class: rows alone.
    few = ProKeRClassifier(solver="nystroem", n_components=40, random_state=0).fit(X, y)
    assert all((X == row).all(axis=1).any() for row in few.X_fit_)


def test_numbers_of_many_classes_are_chosen_on_whole_classes(monkeypatch):
    from skcontrast.adaptation import _frame

    X, y = many_classes()
    whole = ProKeRClassifier(random_state=0).fit(X, y)
    seen = []
    select = _frame.select
    monkeypatch.setattr(_frame, "SELECTION_ROWS", 100)
    monkeypatch.setattr(
        _frame, "select", lambda rows, *a, **k: seen.append(rows) or select(rows, *a, **k)
    )
    model = ProKeRClassifier(random_state=0).fit(X, y)
    assert seen[0].Y.shape == (96, 12)  # twelve classes of eight rows
    assert (np.bincount(seen[0].codes) == 8).all()
    assert np.mean(model.predict(X) == whole.predict(X)) > 0.95


def test_the_products_of_a_solve_bound_what_is_exact(monkeypatch):
    from skcontrast.adaptation import _frame

    X, y = many_classes()
    monkeypatch.setattr(_frame, "EXACT_PRODUCTS", 240**2 * 30 - 1)
    assert len(ProKeRClassifier(n_components=100, random_state=0).fit(X, y).X_fit_) == 100
    monkeypatch.setattr(_frame, "EXACT_PRODUCTS", 240**2 * 30)
    assert len(ProKeRClassifier(n_components=100, random_state=0).fit(X, y).X_fit_) == 240


def test_left_out_scores_of_some_rows_are_those_of_all():
    X, y = many_classes()
    some = np.array([3, 50, 51, 200])
    similarity = Similarity(RBF(1.0), X)
    solver = Nystroem(similarity, X, np.ones(len(X)), 0.1, X[:50])
    np.testing.assert_allclose(
        solver.inverse_diagonal(some), solver.inverse_diagonal()[some], rtol=1e-10
    )
    fitted = Discriminant(X, y, np.ones(len(X)), 30)
    all_scores, valid = fitted.left_out_scores(0.3)
    scores, of_some = fitted.left_out_scores(0.3, some)
    np.testing.assert_allclose(scores, all_scores[some], rtol=1e-10)
    assert (of_some == valid[some]).all()
