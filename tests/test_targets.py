"""One of several targets: y with names, and what stands beside X."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
)
from skcontrast.multiview import MultiViewContrastiveEncoder
from skcontrast.objectives import (
    OBJECTIVES,
    CrossEntropy,
    InfoNCE,
    MultiLabelCrossEntropy,
    Nested,
    Pairwise,
    PairwiseRanking,
    PredictionError,
    SupCon,
    YAware,
)
from skcontrast.samplers import ClassBalanced

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5)).astype(np.float32)
SITE = np.where(X[:, 0] > 0, "north", "south").astype(object)
SITE[::7] = None
AGE = 50 + 10 * X[:, 1].astype(np.float64)
AGE[::5] = np.nan
Y = {"site": SITE, "age": AGE}
OPTIONS = {"max_iter": 3, "batch_size": 30, "random_state": 0, "n_components": 8}
BOTH = InfoNCE() + CrossEntropy(target="site") + PredictionError(target="age")


def encoder(objective, **options):
    return ContrastiveEncoder(objective=objective, **OPTIONS, **options)


def same(one, other):
    assert one.weights_.keys() == other.weights_.keys()
    assert all(np.array_equal(one.weights_[k], other.weights_[k]) for k in one.weights_)


@pytest.mark.parametrize("made", [dict, pd.DataFrame])
def test_two_targets_train_two_heads(made):
    model = encoder(BOTH).fit(X, made(Y))
    assert model.targets_["site"]["classes"].tolist() == ["north", "south"]
    np.testing.assert_allclose(model.targets_["age"]["mean"], [np.nanmean(AGE)])
    assert not hasattr(model, "classes_")
    heads = [v for k, v in model.objective_weights_.items() if k.endswith("head.weight")]
    assert [h.shape for h in heads] == [(2, 8), (1, 8)] and all(h.any() for h in heads)
    same(model, encoder(BOTH).fit(X, Y))


@pytest.mark.parametrize(
    ("term", "y"), [(CrossEntropy, SITE), (PredictionError, AGE), (SupCon, SITE), (YAware, AGE)]
)
def test_a_target_with_a_name_is_the_target_alone(term, y):
    alone = encoder(InfoNCE() + term()).fit(X, y)
    same(alone, encoder(InfoNCE() + term(target="it")).fit(X, {"it": y, "other": X}))
    beside = encoder(InfoNCE() + term(target="condition")).fit(X, condition=y)
    same(alone, beside)


def test_one_source_is_read_as_classes_and_as_numbers():
    grade = np.repeat([1.0, 2.0, 3.0], 20)
    y = {"grade": grade}
    model = encoder(CrossEntropy(target="grade") + PredictionError(target="grade")).fit(X, y)
    assert {*model.targets_["grade"]} == {"classes", "mean", "scale"}


def test_groups_as_classes():
    groups = np.repeat(["a", "b", "c"], 20)
    model = encoder(InfoNCE() + CrossEntropy(target="groups")).fit(X, groups=groups)
    same(model, encoder(InfoNCE() + CrossEntropy()).fit(X, groups))


def test_every_term_that_reads_a_target_can_read_one_by_name():
    readers = [c for c in OBJECTIVES.values() if "target" in c().requires]
    assert len(readers) >= 17
    assert all("target" in c().get_params() for c in readers if c is not Pairwise)


def test_labels_by_name_and_within_other_objectives():
    tags = (X[:, :3] > 0).astype(int)
    y = {"tags": tags, **Y}
    model = encoder(Nested(MultiLabelCrossEntropy(target="tags"), widths=(4, None))).fit(X, y)
    same(model, encoder(Nested(MultiLabelCrossEntropy(), widths=(4, None))).fit(X, tags))
    blocks = {"blocks": [3, 2], "max_iter": 2, "random_state": 0, "n_components": 4}
    objective = Pairwise(SupCon(target="site"))
    model = MultiViewContrastiveEncoder(objective=objective, **blocks).fit(X, Y)
    alone = MultiViewContrastiveEncoder(objective=Pairwise(SupCon()), **blocks).fit(X, SITE)
    same(model, alone)


def test_batches_by_name():
    balanced = encoder(BOTH, sampler=ClassBalanced("site")).fit(X, Y)
    with pytest.raises(AssertionError):
        same(balanced, encoder(BOTH).fit(X, Y))


def test_folds_slice_a_frame():
    def score(model, X, y=None):
        assert model.transform(X).shape[0] == len(y)
        return len(model.targets_)

    found = cross_validate(encoder(BOTH), X, pd.DataFrame(Y), cv=3, scoring=score)
    assert (found["test_score"] == 2).all()


def test_a_stream_keeps_classes_and_scale():
    first = {"site": np.array(["north", "south"] * 15), "age": AGE[:30]}
    then = {"site": np.array(["north", "east"] * 15), "age": 9 * AGE[30:]}
    model = encoder(BOTH)
    with pytest.raises(ValueError, match="pass the same as before"):
        model.partial_fit(X[:30], first).partial_fit(X[30:], then)
    again = {"site": np.array(["south"] * 10 + [None] * 20, dtype=object), "age": 9 * AGE[30:]}
    model = clone(model).partial_fit(X[:30], first)
    mean = model.targets_["age"]["mean"]
    model.partial_fit(X[30:], again)
    assert np.array_equal(model.targets_["age"]["mean"], mean)
    assert model.targets_["site"]["classes"].tolist() == ["north", "south"]


def test_saved_and_loaded(tmp_path):
    model = encoder(BOTH).fit(X, Y)
    skcontrast.save(model, tmp_path / "m")
    other = skcontrast.load(tmp_path / "m")
    assert other.targets_["site"]["classes"].tolist() == ["north", "south"]
    assert np.array_equal(other.transform(X), model.transform(X))


def test_beside_the_target_of_a_classifier_and_a_regressor():
    y, votes = (X[:, 0] > 0).astype(int), X[:, 1]
    joint = encoder(CrossEntropy() + 0.5 * PairwiseRanking(target="condition"))
    fitted = SupervisedContrastiveClassifier(joint).fit(X, y, condition=votes)
    assert fitted.score(X, y) > 0.8
    joint = encoder(PredictionError() + CrossEntropy(target="condition"))
    SupervisedContrastiveRegressor(joint).fit(X, votes, condition=y).predict(X)


def test_votes_beside_classes():
    label, votes = (X[:, 0] > 0).astype(int), 1 / (1 + np.exp(-3 * X[:, 1]))
    y = {"label": label, "votes": votes}
    objective = CrossEntropy(target="label") + 0.5 * PairwiseRanking(target="votes")
    model = encoder(objective).set_params(max_iter=60).fit(X, y)
    heads = {k: v for k, v in model.objective_weights_.items() if k.endswith("head.weight")}
    ranking = next(v for v in heads.values() if v.shape[0] == 1)
    score = model.transform(X)[:, -8:] @ ranking[0]
    assert np.corrcoef(score, votes)[0, 1] > 0.7


def test_ranking_is_a_logistic_regression_of_differences():
    import torch

    Z, votes = X[:20], X[:20, 0] + 0.5 * X[:20, 1]
    a, b = np.nonzero(votes[:, None] > votes)
    differences = np.r_[Z[a] - Z[b], Z[b] - Z[a]]
    wins = np.r_[np.ones(len(a)), np.zeros(len(b))]
    below = (votes[:, None] > votes).sum(1)
    weight = 1 / below[a]
    logistic = LogisticRegression(C=1e3, fit_intercept=False, tol=1e-8)
    logistic.fit(differences, wins, sample_weight=np.r_[weight, weight])
    w = torch.tensor(logistic.coef_[0], dtype=torch.float64, requires_grad=True)
    z, t = torch.tensor(Z, dtype=torch.float64), torch.tensor(votes)[:, None]
    loss = PairwiseRanking()((z @ w)[None, :, None], target=t).mean()
    with_penalty = loss * (below > 0).sum() * 2 + (w @ w) / 2 / 1e3
    (slope,) = torch.autograd.grad(with_penalty, w)
    assert slope.abs().max() < 1e-4


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (Y, "y has the targets 'site', 'age'; type one of these.*Did you mean 'site'"),
        (AGE, "y has no names; pass y={'sites'"),
        (None, "requires y to be passed"),
    ],
)
def test_unknown_names_are_refused(y, said):
    with pytest.raises(ValueError, match=said):
        encoder(InfoNCE() + CrossEntropy(target="sites")).fit(X, y)


@pytest.mark.parametrize("made", [dict, pd.DataFrame])
def test_several_targets_are_not_read_as_one(made):
    with pytest.raises(ValueError, match=r"type CrossEntropy\(target='site'\)"):
        encoder(CrossEntropy()).fit(X, made(Y))


def test_wrong_targets_are_named():
    with pytest.raises(ValueError, match="y is a dict without names"):
        encoder(CrossEntropy()).fit(X, {})
    with pytest.raises(ValueError, match="The target 'site': .*one class"):
        encoder(CrossEntropy(target="site")).fit(X, {"site": np.ones(60)})
    with pytest.raises(ValueError, match="The target 'age' has 10 rows, but X has 60"):
        encoder(BOTH).fit(X, {"site": SITE, "age": AGE[:10]})
    with pytest.raises(ValueError, match="CrossEntropy needs 'condition'"):
        encoder(CrossEntropy(target="condition")).fit(X)
