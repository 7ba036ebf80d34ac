"""CorrelationAlignment: means and covariances of domains, and how domains are passed on."""

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

import skcontrast
from skcontrast import CorrelationAlignment

RNG = np.random.default_rng(0)
SITE = np.repeat(["a", "b", "c"], [40, 60, 50])[RNG.permutation(150)]
LABEL = RNG.integers(0, 2, 150)
X = RNG.normal(size=(150, 4)) + 2 * LABEL[:, None] * [1, 0, 0, 1]
for k, name in enumerate("abc"):
    X[SITE == name] = X[SITE == name] @ (np.eye(4) + 0.4 * RNG.normal(size=(4, 4))) + 3 * k


def aligned(**params):
    return CorrelationAlignment(**params).fit_transform(X, domains=SITE)


def test_by_the_formula():
    model = CorrelationAlignment(regularization=0.3, target="b").fit(X, domains=SITE)
    Z = model.transform(X, domains=SITE)
    C = {name: np.cov(X[SITE == name].T) for name in "abc"}
    ridge = 0.3 * np.trace(C["b"]) / 4 * np.eye(4)
    for row, name, z in zip(X[:20], SITE, Z):
        white = np.linalg.inv(scipy.linalg.sqrtm(C[name] + ridge).real)
        colour = scipy.linalg.sqrtm(C["b"] + ridge).real
        expected = (row - X[SITE == name].mean(0)) @ white @ colour + X[SITE == "b"].mean(0)
        np.testing.assert_allclose(z, expected, atol=1e-10)
    np.testing.assert_allclose(Z[SITE == "b"], X[SITE == "b"], atol=1e-10)


@pytest.mark.parametrize("target", [None, "c"])
def test_without_regularization_all_moments_are_those_of_the_target(target):
    Z = aligned(regularization=0.0, target=target)
    C = {name: np.cov(X[SITE == name].T) for name in "abc"}
    pooled = sum(C[name] * (SITE == name).mean() for name in "abc")
    covariance = pooled if target is None else C[target]
    mean = X.mean(0) if target is None else X[SITE == target].mean(0)
    for name in "abc":
        np.testing.assert_allclose(Z[SITE == name].mean(0), mean, atol=1e-10)
        np.testing.assert_allclose(np.cov(Z[SITE == name].T), covariance, atol=1e-10)


def test_with_much_regularization_only_means_move():
    Z = aligned(regularization=1e9)
    for name in "abc":
        part = X[SITE == name]
        np.testing.assert_allclose(Z[SITE == name], part - part.mean(0) + X.mean(0), atol=1e-6)


def test_one_domain_stays():
    model = CorrelationAlignment().fit(X, domains=np.zeros(150))
    np.testing.assert_allclose(model.transform(X, domains=np.zeros(150)), X, atol=1e-10)
    with pytest.warns(UserWarning, match="No domains were given"):
        np.testing.assert_allclose(CorrelationAlignment().fit_transform(X), X, atol=1e-10)


def test_a_constant_column_is_no_trouble():
    flat = np.hstack([X, np.ones((150, 1))])
    Z = CorrelationAlignment(regularization=0.0).fit_transform(flat, domains=SITE)
    np.testing.assert_allclose(Z[:, 4], 1)
    np.testing.assert_allclose(Z[:, :4], aligned(regularization=0.0), atol=1e-10)


def test_it_passes_through_a_pipeline_and_a_cross_validation():
    with sklearn.config_context(enable_metadata_routing=True):
        step = CorrelationAlignment().set_fit_request(domains=True)
        step.set_transform_request(domains=True)
        model = make_pipeline(StandardScaler(), step, LogisticRegression())
        fitted = model.fit(X, LABEL, domains=SITE)
        assert (fitted.predict(X, domains=SITE) == LABEL).mean() > 0.75
        if parse_version(sklearn.__version__) < parse_version("1.9"):
            return  # whose cross_val_score hands nothing to transform
        told = cross_val_score(model, X, LABEL, cv=5, params={"domains": SITE}, error_score="raise")
    plain = cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), X, LABEL, cv=5)
    assert told.mean() > plain.mean()


def test_frames_strings_and_numbers():
    frame = pd.DataFrame(X, columns=list("wxyz"))
    model = CorrelationAlignment().set_output(transform="pandas")
    out = model.fit_transform(frame, domains=pd.Series(SITE))
    assert list(out) == list("wxyz")
    np.testing.assert_allclose(out, aligned())
    codes = np.unique(SITE, return_inverse=True)[1]
    numbered = CorrelationAlignment(target=1).fit_transform(X, domains=codes)
    np.testing.assert_allclose(numbered, aligned(target="b"))


def test_it_is_saved(tmp_path):
    for domains in (SITE, np.unique(SITE, return_inverse=True)[1]):
        model = CorrelationAlignment().fit(X, domains=domains)
        skcontrast.save(model, tmp_path / "model")
        loaded = skcontrast.load(tmp_path / "model")
        assert np.array_equal(
            loaded.transform(X, domains=domains), model.transform(X, domains=domains)
        )


def test_what_does_not_fit_is_refused():
    model = CorrelationAlignment().fit(X, domains=SITE)
    for message, call in (
        ("was fitted on the domains 'a', 'b', 'c': pass", lambda: model.transform(X)),
        (
            "Domains 'z' are none of the fit",
            lambda: model.transform(X[:2], domains=["a", "z"]),
        ),
        ("shape .149,., but X has 150 rows", lambda: model.fit(X, domains=SITE[1:])),
        ("none of them missing", lambda: model.fit(X, domains=np.full(150, np.nan))),
        ("an array of type object", lambda: model.fit(X, domains=[[1], [2, 3]])),
        ("Domain 'z' has one row", lambda: model.fit(X, domains=["z", *SITE[1:]])),
        (
            "target='z' is not one of the domains: they are 'a', 'b', 'c'. Type one of",
            lambda: CorrelationAlignment(target="z").fit(X, domains=SITE),
        ),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_without_domains_what_asks_for_some_is_refused():
    with pytest.warns(UserWarning, match="No domains were given"):
        alone = CorrelationAlignment().fit(X)
    with pytest.raises(ValueError, match="'a', 'b', 'c' are none of the fit, which had none: fit"):
        alone.transform(X, domains=SITE)
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="domains: there are none"):
        CorrelationAlignment(target="a").fit(X)
