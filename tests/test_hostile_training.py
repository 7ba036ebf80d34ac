"""Parts of a training, on what a user may well type and give by mistake."""

import numpy as np
import polars as pl
import pytest
import torch
from bad_input import X, Y, assert_refused, encoder, one_sentence
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import (
    SelectFpr,
    SelectFromModel,
    SelectKBest,
    VarianceThreshold,
    chi2,
    mutual_info_classif,
)
from sklearn.linear_model import LogisticRegression
from skorch.callbacks import Callback

from skcontrast import (
    ContrastiveTextEncoder,
    LabelCredibility,
    SupervisedContrastiveClassifier,
)
from skcontrast.inspection import confident_joint, label_issues, label_quality
from skcontrast.model_selection import budget_curve
from skcontrast.multiview import Blocks, MultiViewContrastiveEncoder
from skcontrast.objectives import (
    CrossEntropy,
    InfoNCE,
    MaskedFeatures,
    Pairwise,
    PredictionError,
    Reconstruction,
    StructureConsistency,
    SupCon,
)
from skcontrast.views import FeatureSelection, WordSubstitution

TEXTS = ["the cat sat on the mat", "a dog ran far away today"] * 4
FOREST = SelectFromModel(ExtraTreesClassifier(5))


@pytest.mark.parametrize("selector", [FOREST, SelectKBest(mutual_info_classif, k=2)])
def test_a_selector_that_draws_leaves_numpy_and_gives_the_same_again(selector):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    views, found = FeatureSelection(selector), []
    for seed in (1, 6):  # of torch's own generator, which has no part in a fit
        torch.manual_seed(seed)
        found.append(encoder(views=views).fit(X, Y).transform(X))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("selector", "target", "match"),
    [
        (SelectKBest(chi2, k=2), "y", "must be non-negative"),
        (SelectKBest(k=2), None, "requires y"),
        (VarianceThreshold(5.0), None, "No feature"),
        (SelectFpr(alpha=1e-12), "y", "keeps no column"),
        (SelectKBest, "y", r"SelectKBest\(\)\?"),
    ],
)
def test_a_selector_that_cannot_is_refused_by_its_name(selector, target, match):
    said = assert_refused(match, y=Y, views=FeatureSelection(selector, target=target))
    assert "FeatureSelection" in said


def test_a_selector_needs_a_label():
    views = FeatureSelection(SelectKBest(k=1))
    assert_refused("labelled rows", y=np.full(20, -1), views=views, objective="supcon")


def test_a_selector_reads_one_of_several_targets():
    y = {"a": Y, "b": X[:, 0]}
    views = FeatureSelection(SelectKBest(k=2))
    said = assert_refused("reads one target", y=y, views=views)
    assert "FeatureSelection(target='a')" in said
    named = encoder(views=views.set_params(target="a")).fit(X, y)
    plain = encoder(views=FeatureSelection(SelectKBest(k=2))).fit(X, Y)
    np.testing.assert_array_equal(named.transform(X), plain.transform(X))


def test_advice_on_several_targets_can_be_typed():
    class Own(InfoNCE):
        """An objective without the parameter ``target``."""

        requires = "views", "target"

    said = assert_refused("Own reads one target", y={"a": Y, "b": Y}, objective=Own())
    assert "target=" not in said
    assert "y['a']" in said


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ({"a": Y, "b": Y[:3]}, "'b' has 3 rows, but X has 20"),
        ({0: Y, 1: Y}, "such as 0, are no strings"),
        (pl.LazyFrame({"a": Y}), r"pass y.collect\(\)"),
    ],
)
def test_named_targets_that_are_none(y, match):
    assert_refused(match, y=y, objective=SupCon(target="a"))


def test_a_head_says_that_y_is_a_dict():
    with pytest.raises(ValueError, match="y is a dict of 'a', 'b'") as caught:
        SupervisedContrastiveClassifier(encoder()).fit(X, {"a": Y, "b": Y})
    assert one_sentence(caught.value)


def test_masked_features_take_no_task_that_reads_rows():
    for task in (Reconstruction(), CrossEntropy() + Reconstruction()):
        assert_refused("reads rows beside it", y=Y, objective=MaskedFeatures(task))


def test_messages_that_name_a_long_objective_have_one_line():
    objective = MaskedFeatures(InfoNCE() + InfoNCE(queue_size=4096, keep_top=0.5, drop_top=0.1))
    assert_refused("does not read it", objective=objective)
    targets = SupCon(margin=0.123, label_similarity="jaccard", temperature=0.35)
    assert_refused("choose components", y=Y, objective=targets + PredictionError("huber", 1.5))


def test_callbacks_are_those_that_the_loop_can_use():
    class Bare:
        def on_epoch_end(self, *args, **named):
            raise AssertionError

    for given in ([Bare()], [Callback], ["callback"]):
        assert_refused("callbacks", callbacks=given)
    assert np.isfinite(encoder(callbacks=[("own", Callback())]).fit(X).transform(X)).all()


@pytest.mark.parametrize("measure", [label_quality, confident_joint, label_issues])
def test_confident_learning_on_labels_that_are_none(measure):
    p = np.full((3, 3), 1 / 3)
    with pytest.raises(ValueError, match="y holds NaN"):
        measure(p, [0, 1, np.nan])
    with pytest.raises(ValueError, match="name the class of each column once"):
        measure(p, ["a", "b", "a"], classes=["a", "a", "b"])
    with pytest.raises(ValueError, match="two classes or more"):
        measure(np.ones((3, 1)), ["a"] * 3)


@pytest.mark.parametrize("head", [None, LogisticRegression()])
def test_a_class_of_one_row_can_be_rated(head):
    """The folds that train without this row know one class."""
    y = ["a"] * 19 + ["b"]
    model = LabelCredibility(encoder(), classifier=head, random_state=0).fit(X, y)
    scores = model.score_samples(X, y)
    assert np.isfinite(scores).all()
    assert np.isfinite(model.transform(X)).all()


@pytest.mark.parametrize(
    "vectors",
    [
        {"cat": [1.0], "dog": [1.0, 2.0]},
        {"cat": [np.nan, 1.0], "dog": [1.0, 2.0]},
        {"cat": "x", "dog": "y"},
        {"cat": 1.0, "dog": 2.0},
    ],
)
def test_vectors_of_words_that_are_no_table(vectors):
    with pytest.raises(ValueError, match="no table of finite numbers") as caught:
        ContrastiveTextEncoder(3, max_iter=1, views=WordSubstitution(vectors)).fit(TEXTS)
    assert one_sentence(caught.value)


@pytest.mark.parametrize(
    "spans", [None, 2, "ab", [], (0.0, 0.5), (True, False), [(1, 2), (0, 1, 2)], [[(0, 1)]]]
)
def test_spans_that_are_none(spans):
    model = ContrastiveTextEncoder(3, max_iter=1, random_state=0).fit(TEXTS)
    with pytest.raises(ValueError, match="whole numbers") as caught:
        model.transform_spans(TEXTS, spans)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("budgets", [None, [1, 2, 3], {"C": 1.0}, "abc"])
def test_budgets_that_are_none(budgets):
    with pytest.raises(ValueError, match="list of dicts"):
        budget_curve(LogisticRegression(), X, Y, budgets)


@pytest.mark.parametrize("n", [0, 60, 2.5, "all"])
def test_a_budget_draws_as_many_rows_as_a_fold_has(n):
    with pytest.raises(ValueError, match="n_samples=.* at most 10"):
        budget_curve(LogisticRegression(), X, Y, [{"n_samples": n}] * 3, cv=2)


def test_the_term_that_takes_no_absent_block_is_named():
    rows = Blocks(a=X[:, :2], b=X[:, 2:], present={"a": np.arange(20) % 3 > 0})
    model = MultiViewContrastiveEncoder(2, objective=Pairwise() + StructureConsistency())
    with pytest.raises(ValueError, match="which StructureConsistency does not take"):
        model.fit(rows)
