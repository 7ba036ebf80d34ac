"""KernelConditionalContrastive: what serves as a condition, routing, bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline

import skcontrast
from skcontrast import ContrastiveEncoder, KernelConditionalContrastive
from skcontrast.kernels import RBF
from skcontrast.objectives import (
    ConditionalInfoNCE,
    DecoupledUniformity,
    InfoNCE,
    KernelIndependence,
)

X, Y = blobs()
CHEAP = {"n_components": 3, "passthrough": False, "max_iter": 3, "random_state": 0}
RNG = np.random.default_rng(0)
NUMBERS = RNG.standard_normal((60, 2))
LETTERS = np.array(list("abc"))[Y]


def model(mode="weak", **params):
    return KernelConditionalContrastive(**{**CHEAP, "mode": mode, **params})


def embedded(condition, mode="weak", y=None, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model(mode, **params).fit(X, y, condition=condition).transform(X)


def test_y_serves_as_the_condition_in_weak_mode():
    by_y = model().fit(X, Y).transform(X)
    assert np.array_equal(by_y, embedded(LETTERS))
    assert np.array_equal(by_y, model().fit(X, LETTERS).transform(X))
    assert np.array_equal(by_y, embedded(Y.reshape(-1, 1)))
    # Where both are given, the condition counts.
    assert np.array_equal(embedded(NUMBERS), embedded(NUMBERS, y=Y))
    # Numbers are numbers.
    assert np.array_equal(embedded(NUMBERS[:, 0]), model().fit(X, NUMBERS[:, 0]).transform(X))


def test_many_classes_in_y_are_classes():
    X, _ = blobs(n=120)
    many = np.arange(120) % 20
    names = np.array([f"class {c}" for c in many])
    assert np.array_equal(*(model().fit(X, y).transform(X) for y in (many, names)))


def test_rows_without_a_label_are_alike_to_none():
    partly = np.where(np.arange(60) < 30, Y, -1)
    alone = np.where(partly < 0, 100 + np.arange(60), partly).astype(str)
    assert np.array_equal(model().fit(X, partly).transform(X), embedded(alone))


@pytest.mark.parametrize(
    "condition",
    [
        LETTERS,
        LETTERS.tolist(),
        LETTERS.astype(object)[:, None],
        pd.Series(LETTERS, index=np.arange(60) + 5),
        pd.Series(LETTERS, dtype="category"),
        pd.DataFrame({"c": LETTERS}),
    ],
)
def test_categories_in_any_container(condition):
    assert np.array_equal(embedded(condition), embedded(LETTERS))


def test_mixed_columns_of_a_data_frame():
    frame = pd.DataFrame({"n": NUMBERS[:, 0], "c": LETTERS, "b": Y == 1})
    rows = np.column_stack([NUMBERS[:, 0], Y, Y == 1])
    assert np.array_equal(embedded(frame, "fair"), embedded(rows, "fair"))
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"n": NUMBERS[:, 0], "c": LETTERS.tolist(), "b": Y == 1})
    assert np.array_equal(embedded(table, "fair"), embedded(frame, "fair"))
    listed = [list(row) for row in zip(NUMBERS[:, 0].tolist(), LETTERS.tolist())]
    assert np.array_equal(embedded(listed), embedded(frame[["n", "c"]]))


def test_the_kernel_is_built_on_all_rows():
    # The width of the batches would differ.
    condition = np.r_[NUMBERS[:30], 100 * NUMBERS[30:]]
    gamma = RBF().build(condition.astype(np.float32)).gamma
    by_name = embedded(condition, kernel="rbf", batch_size=20)
    by_number = embedded(condition, kernel=RBF(gamma), batch_size=20)
    np.testing.assert_allclose(by_name, by_number, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["weak", "fair", "hard"])
def test_estimator_is_the_objective_in_an_encoder(mode):
    condition = None if mode == "hard" else NUMBERS
    settings = {"kernel": "laplacian", "regularization": 0.1, "temperature": 0.5}
    for form in ("paper", "reference"):
        ours = model(mode, form=form, **settings).fit(X, condition=condition)
        objective = ConditionalInfoNCE(mode, form=form, **settings)
        encoder = ContrastiveEncoder(**CHEAP, objective=objective).fit(X, condition=condition)
        assert np.array_equal(ours.transform(X), encoder.transform(X))
        assert repr(ours.objective_) == repr(objective)


def test_hard_mode_conditions_on_the_embedding_not_the_projection():
    seen = []

    class Recorder(ConditionalInfoNCE):
        def _conditions(self, views, condition, embedding):
            seen.append((views.detach(), embedding.detach()))
            return super()._conditions(views, condition, embedding)

    encoder = ContrastiveEncoder(**CHEAP, objective=Recorder("hard"), projector="mlp")
    encoder.fit(X)
    projection, embedding = seen[0]
    assert embedding.shape == (2, 60, 3)
    assert not torch.equal(projection, embedding)


def test_sum_with_info_nce():
    objective = InfoNCE() + 0.5 * ConditionalInfoNCE("fair")
    encoder = ContrastiveEncoder(**CHEAP, objective=objective)
    out = encoder.fit(X, condition=LETTERS).transform(X)
    assert np.isfinite(out).all()
    with pytest.raises(ValueError, match="needs 'condition': pass fit"):
        encoder.fit(X)


def test_independence_is_a_term_beside_it():
    settings = {"kernel": "rbf", "independence": 3.0}
    ours = model("fair", **settings).fit(X, condition=NUMBERS)
    objective = ConditionalInfoNCE("fair", kernel="rbf") + 3.0 * KernelIndependence("rbf")
    encoder = ContrastiveEncoder(**CHEAP, objective=objective).fit(X, condition=NUMBERS)
    assert np.array_equal(ours.transform(X), encoder.transform(X))


def test_independence_hides_a_column():
    rng = np.random.default_rng(0)
    group = np.arange(400) % 2
    X = np.column_stack([rng.standard_normal((400, 4)), group])

    def leakage(**params):
        fitted = model("fair", max_iter=60, n_components=8, **params).fit(X, condition=group)
        Z = fitted.transform(X)
        return (
            LogisticRegression(max_iter=1000).fit(Z[:200], group[:200]).score(Z[200:], group[200:])
        )

    assert leakage() > 0.8 > leakage(independence=10)


def test_weak_mode_gathers_and_fair_mode_lets_go():
    rng = np.random.default_rng(0)
    group = np.arange(300) % 2
    X = np.column_stack([rng.standard_normal((300, 4)), 2 * group + rng.standard_normal(300)])

    def separation(model):
        z = model.fit(X, condition=group).transform(X)
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
        gap = z[group == 0].mean(0) - z[group == 1].mean(0)
        return (gap**2).sum()

    settings = {"max_iter": 20, "n_components": 8, "passthrough": False, "views": "corruption"}
    weak, fair = (separation(model(mode, **settings)) for mode in ("weak", "fair"))
    assert weak > 2 * fair


def test_save_and_load(tmp_path):
    pytest.importorskip("safetensors")
    fitted = model("fair", kernel=RBF(0.5)).fit(X, condition=NUMBERS)
    skcontrast.save(fitted, tmp_path / "model")
    again = skcontrast.load(tmp_path / "model")
    assert np.array_equal(again.transform(X), fitted.transform(X))
    assert again.kernel.gamma == 0.5


def test_partial_fit_and_warm_start_and_early_stopping():
    grown = model().partial_fit(X, condition=LETTERS).partial_fit(X[:40], condition=LETTERS[:40])
    assert grown.n_iter_ == 2
    assert model(warm_start=True).fit(X, Y).fit(X, Y).transform(X).shape == (60, 3)
    assert model("fair", early_stopping=True).fit(X, condition=NUMBERS).validation_curve_


# --------------------------------------------------------------------- routing


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_condition_is_routed_and_sliced(routing):
    pipeline = make_pipeline(
        model("fair").set_fit_request(condition=True), LogisticRegression(max_iter=1000)
    )
    given = {"condition": pd.DataFrame({"n": NUMBERS[:, 0], "c": LETTERS})}
    pipeline.fit(X, Y, **given)
    scores = cross_validate(pipeline, X, Y, cv=3, params=given, error_score="raise")
    assert np.isfinite(scores["test_score"]).all()
    grid = {
        "kernelconditionalcontrastive__kernel": ["auto", RBF()],
        "kernelconditionalcontrastive__regularization": [0.01, 1.0],
    }
    given = {"condition": NUMBERS}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, Y, **given)
    assert len(search.cv_results_["params"]) == 4


def test_kernel_parameters_are_searched_through_strings():
    grid = {"emb__kernel": ["rbf"], "emb__kernel__gamma": [0.1, 1.0]}
    pipeline = sklearn.pipeline.Pipeline(
        [("emb", model(kernel="rbf")), ("clf", LogisticRegression(max_iter=1000))]
    )
    labels = Y + 0.5  # numbers, for the encoder
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise", scoring=lambda p, X, y: 0.0)
    with pytest.raises(ValueError, match="Unknown label type"):
        search.fit(X, labels)  # the classifier wants classes
    fitted = clone(pipeline[0]).set_params(kernel__gamma=0.1).fit(X, labels)
    assert fitted.objective_.kernel.gamma == 0.1


# ------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (NUMBERS[:50], "condition has 50 rows, but X has 60"),
        (np.where(NUMBERS > 2, np.nan, NUMBERS), "finite numbers or categories.*NaN"),
        (np.r_[NUMBERS[:59], [[np.inf, 0]]], "finite numbers or categories.*infinity"),
        (np.where(Y == 0, None, LETTERS), "Column 0 has missing values: fill them"),
        (pd.DataFrame({"c": pd.Series(LETTERS).where(Y > 0)}), "Column c has missing values"),
        ([1, "a"] * 30, "mixes the types int, str"),
        (np.zeros((60, 2, 2)), "3 dimensions"),
        (np.ones(60), "condition is the same in all rows"),
        (["one"] * 60, "condition is the same in all rows"),
        (np.empty((60, 0)), "Got no column"),
        (5, "0 dimensions"),
    ],
)
def test_bad_condition(condition, message):
    for mode in ("weak", "fair"):
        if mode == "fair" and "same in all" in message:
            with pytest.warns(UserWarning, match=message):
                model(mode).fit(X, condition=condition)
            continue
        with pytest.raises(ValueError, match=message):
            model(mode).fit(X, condition=condition)


def test_missing_condition():
    with pytest.raises(ValueError, match=r"type fit\(X, y\) or fit\(X, condition=...\)"):
        model().fit(X)
    with pytest.raises(ValueError, match="needs 'condition': pass fit"):
        model("fair").fit(X, Y)
    with pytest.raises(ValueError, match="one class only"):
        model().fit(X, np.ones(60, int))
    with pytest.warns(UserWarning, match="condition= was given, but .* does not use it"):
        model("hard").fit(X, condition=NUMBERS)


def test_numbers_are_not_made_of_categories():
    with pytest.raises(ValueError, match="RBF compares numbers, but columns .* hold categories"):
        model(kernel="rbf").fit(X, condition=LETTERS)


def test_bad_parameters():
    with pytest.raises(ValueError, match="'mode' parameter"):
        model("blind").fit(X, Y)
    with pytest.raises(ValueError, match="Did you mean 'rbf'"):
        model(kernel="RBF").fit(X, Y)
    with pytest.raises(ValueError, match="'regularization' parameter"):
        model(regularization=0).fit(X, Y)
    with pytest.raises(ValueError, match="'gamma' parameter of RBF"):
        model(kernel=RBF(gamma=-1)).fit(X, Y)
    with pytest.raises(ValueError, match=r"Did you mean RBF\(\)"):
        model(kernel=RBF).fit(X, Y)


def test_warns_once_about_a_narrow_kernel():
    with pytest.warns(UserWarning, match="weights vanish") as caught:
        model(kernel=RBF(1e9), max_iter=4).fit(X, condition=NUMBERS)
    assert len([w for w in caught if "weights vanish" in str(w.message)]) == 1


def test_every_row_its_own_category_warns():
    with pytest.warns(UserWarning, match="weights vanish"):
        model().fit(X, condition=[f"row {i}" for i in range(60)])


# --------------------------------------------------- decoupled uniformity, prior


def test_prior_of_decoupled_uniformity():
    objective = DecoupledUniformity(kernel="rbf", regularization=0.1)
    encoder = ContrastiveEncoder(**CHEAP, objective=objective)
    with_prior = encoder.fit(X, prior=NUMBERS).transform(X)
    without = ContrastiveEncoder(**CHEAP, objective="decoupled_uniformity").fit(X).transform(X)
    assert not np.allclose(with_prior, without)
    with pytest.raises(ValueError, match="needs 'prior': pass fit"):
        clone(encoder).fit(X)
    with pytest.raises(ValueError, match="prior is the same in all rows"):
        clone(encoder).fit(X, prior=np.ones((60, 2)))
    with pytest.raises(ValueError, match="finite numbers"):
        clone(encoder).fit(X, prior=np.full((60, 2), np.nan))


def test_global_state_is_untouched():
    state = torch.get_rng_state()
    model("fair").fit(X, condition=NUMBERS)
    assert torch.equal(torch.get_rng_state(), state)
