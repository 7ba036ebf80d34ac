"""SupervisedContrastiveClassifier: classes, missing labels, heads, weights, bad input."""

import pickle
import warnings
from datetime import date

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from bad_input import one_sentence
from instances import with_head
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch.callbacks import Callback

from skcontrast import (
    KernelConditionalContrastive,
    ProKeRClassifier,
    SupervisedContrastiveClassifier,
)
from skcontrast.objectives import ConditionalInfoNCE, CrossEntropy, InfoNCE, SupCon, YAware

RNG = np.random.default_rng(0)
Y = np.arange(42) % 3
X = 2 * RNG.standard_normal((3, 5))[Y] + RNG.standard_normal((42, 5))
FEW = np.where(np.arange(42) < 24, Y, -1)
NAMES = np.array(["fox", "owl", "bee"])[Y]
SPARSE = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0))

OBJECTIVES_OF_CLASSES = [
    "supcon",
    "logit_adjusted",
    "subclass_balanced",
    "soft_target",
    "cross_entropy",
    SupCon() + CrossEntropy(),
    SupCon(label_similarity=[[1.0, 0.5, 0.1], [0.5, 1.0, 0.1], [0.1, 0.1, 1.0]]),
]
WHOLE_BATCH = ["barlow_twins", "vicreg", "alignment_uniformity", "decoupled_uniformity", "cacr"]


SMALL = {"n_components": 3, "network": "linear", "max_iter": 2, "device": "cpu"}


def classifier(**params):
    """What is no parameter of the classifier is one of its encoder."""
    head = {"classifier": LogisticRegression(max_iter=1000), "weight_objective": True}
    head |= {"random_state": 0}
    encoder = {**SMALL, "objective": "supcon"}
    return with_head(SupervisedContrastiveClassifier, head, encoder, **params)


def assert_refused(match, data=X, y=Y, error=ValueError, **params):
    """One clear sentence, and nothing left by a first fit."""
    model = classifier(**params)
    before, of_encoder = dict(vars(model)), dict(vars(model.encoder))
    with pytest.raises(error, match=match) as caught:
        model.fit(data, y)
    assert one_sentence(caught.value), str(caught.value)
    assert vars(model) == before and vars(model.encoder) == of_encoder


# -------------------------------------------------------------------------- classes

SOUND_TARGETS = {
    "whole": Y,
    "list": Y.tolist(),
    "series": pd.Series(Y, index=np.arange(42)[::-1]),
    "nullable": pd.Series(Y).astype("Int64"),
    "tensor": torch.as_tensor(Y),
    "floats": Y.astype(float),
    "uint8": Y.astype(np.uint8),
    "strings": NAMES,
    "objects": NAMES.astype(object),
    "categories": pd.Series(NAMES, dtype="category"),
    "list of strings": NAMES.tolist(),
    "bool": Y > 0,
    "two": Y % 2,
    "gaps": 10 * Y + 5,
    "negative": Y - 3,
    "-1 and 1": np.where(Y > 0, 1, -1),
    "-1.0 and 1.0": np.where(Y > 0, 1.0, -1.0),
    "-1 and 0": np.where(Y > 0, 0, -1),
    "classes of one row": np.where(np.arange(42) < 38, 0, np.arange(42)),
}


@pytest.mark.parametrize("name", SOUND_TARGETS)
def test_sound_targets(name):
    y = np.asarray(SOUND_TARGETS[name])
    if name in ("negative",):
        y = y - 1  # else -1 would mark rows without a label
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # An old scikit-learn beside a new SciPy, in the head.
        warnings.filterwarnings("ignore", "scipy.optimize", DeprecationWarning)
        model = classifier().fit(X, SOUND_TARGETS[name] if name != "negative" else y)
    assert model.classes_.tolist() == np.unique(y).tolist()
    assert set(model.predict(X)) <= set(y.tolist())
    assert model.predict(X).dtype == model.classes_.dtype
    P = model.predict_proba(X)
    assert P.shape == (42, len(model.classes_)) and P.sum(axis=1) == pytest.approx(1)
    assert np.array_equal(model.classes_[P.argmax(axis=1)], model.predict(X))
    assert model.score(X, y) > 0.7


def test_names_of_classes_change_nothing():
    plain = classifier().fit(X, Y)
    ordered = np.array(["a", "b", "c"])
    named = classifier().fit(X, ordered[Y])
    assert np.array_equal(named.predict(X), ordered[plain.predict(X)])
    assert np.array_equal(named.predict_proba(X), plain.predict_proba(X))


def test_a_column_warns_as_everywhere():
    from sklearn.exceptions import DataConversionWarning

    for y in (Y, np.where(Y > 0, 1, -1)):
        for column in (y[:, None], pd.DataFrame({"y": y})):
            with pytest.warns(DataConversionWarning):
                found = classifier().fit(X, column).predict(X)
            assert np.array_equal(found, classifier().fit(X, y).predict(X))


@pytest.mark.parametrize("objective", OBJECTIVES_OF_CLASSES, ids=str)
def test_one_row_of_each_class(objective):
    y = np.where(np.arange(42) < 3, Y, -1)
    model = classifier(objective=objective).fit(X, y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X[:3], Y[:3]) == 1


def test_every_row_a_class():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn wonders about so many classes
        assert classifier().fit(X, np.arange(42)).classes_.tolist() == list(range(42))


# ------------------------------------------------------------ rows without a label


class Recorder(LogisticRegression):
    """Keeps what it was fitted on."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = np.array(X), np.array(y), sample_weight
        return super().fit(X, y, sample_weight)


def test_the_head_sees_labelled_rows_alone():
    model = classifier(classifier=Recorder(), passthrough=False).fit(X, FEW)
    features, target, _ = model.classifier_.seen_
    Z = model.transform(X[:24])
    np.testing.assert_allclose(features * (Z.std() / features.std()), Z, rtol=1e-6)
    assert np.array_equal(target, Y[:24]) and model.classes_.tolist() == [0, 1, 2]
    assert -1 not in model.predict(X)


def test_unlabelled_rows_shape_the_representation():
    whole, part = classifier().fit(X, FEW), classifier().fit(X[:24], FEW[:24])
    assert not np.allclose(whole.transform(X), part.transform(X))


def test_minus_one_beside_one_other_number_is_a_class():
    model = classifier(classifier=Recorder()).fit(X, np.where(Y > 0, 1, -1))
    assert model.classes_.tolist() == [-1, 1]
    assert len(model.classifier_.seen_[1]) == 42
    assert set(model.predict(X)) == {-1, 1}


def test_minus_one_as_a_string_is_a_class_with_a_warning():
    y = np.where(np.arange(42) < 30, NAMES, "-1")
    with pytest.warns(UserWarning, match="y has a class '-1' that is a string: only the number"):
        assert "-1" in classifier().fit(X, y).classes_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # An old scikit-learn beside a new SciPy, in the head.
        warnings.filterwarnings("ignore", "scipy.optimize", DeprecationWarning)
        assert classifier().fit(X, np.array(["-1", "0", "1"])[Y]).classes_[0] == "-1"


# ---------------------------------------------------------------- what the head reads


@pytest.mark.parametrize(
    ("data", "passthrough", "width"),
    [(X, True, 8), (X, False, 3), (SPARSE, True, 8), (SPARSE, False, 3)],
)
def test_passthrough(data, passthrough, width):
    model = classifier(passthrough=passthrough).fit(data, Y)
    assert model.classifier_.n_features_in_ == width
    assert model.score(data, Y) > 0.7


@pytest.mark.parametrize("objective", ["supcon", "info_nce"])
@pytest.mark.parametrize("data", [X, SPARSE], ids=["dense", "sparse"])
def test_the_head_reads_what_an_encoder_with_parts_puts_out(data, objective):
    model = classifier()
    model.set_params(encoder__objective=objective, encoder__n_components=None).fit(data, Y)
    encoder = clone(model.encoder_).set_params(passthrough=True).fit(data, Y)
    seen = model._features(model.encoder_.input_.read(data))
    np.testing.assert_allclose(seen, encoder.transform(data), rtol=1e-5, atol=1e-5)
    assert model.classifier_.n_features_in_ == seen.shape[1] > 5
    assert (model._output is model.encoder_.output_) == (objective == "info_nce")


@pytest.mark.parametrize("passthrough", ["auto", True, False])
def test_sparse_and_dense_rows_are_predicted_alike(passthrough):
    model = classifier(passthrough=passthrough, precision="float64").fit(SPARSE, Y)
    probabilities = model.predict_proba(SPARSE.toarray())
    np.testing.assert_allclose(probabilities, model.predict_proba(SPARSE), atol=1e-9)


@pytest.mark.parametrize("data", [sp.csr_array(SPARSE), torch.as_tensor(X), X.tolist()])
def test_kinds_of_rows(data):
    found = classifier().fit(data, Y).predict(data)
    if not sp.issparse(data):
        assert np.array_equal(found, classifier().fit(X, Y).predict(X))


def test_float32_rows_and_a_memory_map(tmp_path):
    narrow = X.astype(np.float32)
    model = classifier().fit(narrow, FEW)
    assert model.transform(narrow).dtype == np.float32
    np.save(tmp_path / "rows.npy", narrow)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    other = classifier().fit(mapped, FEW)
    assert np.array_equal(other.predict_proba(mapped), model.predict_proba(narrow))


METHODS = {"predict_proba", "decision_function"}


@pytest.mark.parametrize(
    ("head", "has"),
    [
        (None, METHODS),
        (LinearSVC(), {"decision_function"}),
        (SVC(), {"decision_function"}),
        (GaussianNB(), {"predict_proba"}),
        (RandomForestClassifier(n_estimators=3), {"predict_proba"}),
        (make_pipeline(StandardScaler(), LinearSVC()), {"decision_function"}),
    ],
    ids=lambda value: str(sorted(value)) if isinstance(value, set) else str(value),
)
def test_methods_are_those_of_the_head(head, has):
    for model in (classifier(classifier=head), classifier(classifier=head).fit(X, Y)):
        assert {name for name in METHODS if hasattr(model, name)} == has
    for name in has:
        assert getattr(model, name)(X).shape == (42, 3)
    for name in METHODS - has:
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(model, name)(X)
    # What counts is the head that was fitted.
    assert hasattr(model.set_params(classifier=LogisticRegression()), "predict_proba") == (
        "predict_proba" in has
    )


@pytest.mark.parametrize(
    ("head", "match"),
    [
        (LogisticRegression, r"Did you mean LogisticRegression\(\)\?"),
        (Ridge(), "must be a classifier of scikit-learn's kind"),
        ("svc", "Got 'svc' instead"),
        (0, "Got 0 instead"),
        (False, "Got False instead"),
        ([], r"Got \[\] instead"),
    ],
)
def test_no_classifier(head, match):
    assert_refused(match, classifier=head)


# -------------------------------------------------------------------- class weights


def test_balanced_weights_in_the_head():
    y = np.where(np.arange(42) < 30, 0, Y)
    model = classifier(classifier=Recorder(), class_weight="balanced").fit(X, y)
    weight = model.classifier_.seen_[2]
    assert [weight[y == c].sum() for c in range(3)] == pytest.approx([14, 14, 14])


@pytest.mark.parametrize("objective", OBJECTIVES_OF_CLASSES, ids=str)
def test_weights_reach_the_objective(objective):
    params = {"objective": objective, "learning_rate": 0.01}
    plain = classifier(**params).fit(X, FEW)
    weighted = classifier(**params, class_weight={0: 5, 1: 1, 2: 1}).fit(X, FEW)
    assert np.isfinite(weighted.encoder_.loss_curve_).all()
    assert not np.allclose(plain.transform(X), weighted.transform(X), rtol=1e-3)
    # What counts are the ratios.
    same = classifier(**params, class_weight={0: 2.0, 1: 2.0, 2: 2.0}).fit(X, FEW)
    np.testing.assert_allclose(same.transform(X), plain.transform(X), rtol=1e-4, atol=1e-4)


def test_weights_of_unlabelled_rows():
    # Those of labelled rows in units of their mean, whatever the objective reads.
    one, other = (
        classifier(objective="info_nce", class_weight=dict.fromkeys(range(3), w)).fit(X, FEW)
        for w in (1, 1000)
    )
    np.testing.assert_allclose(one.transform(X), other.transform(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "weight",
    [
        {0: 1},
        {},
        {0: 0, 1: 0, 2: 1},
        {0: 1e300, 1: 1, 2: 1},
        {0: 1, 1: 2, 2: 3, 7: 1},
        {-1: 3, 0: 1, 1: 1, 2: 1},
    ],
    ids=str,
)
def test_sound_weights(weight):
    params = {"class_weight": weight, "batch_size": 4, "finetune": True, "finetune_iter": 2}
    model = classifier(**params).fit(X, FEW)
    encoder = model.encoder_
    assert np.isfinite(encoder.loss_curve_ + encoder.finetune_curve_).all()
    assert np.isfinite(model.transform(X)).all()


def test_weights_by_name():
    model = classifier(classifier=Recorder(), class_weight={"fox": 2, "owl": 1, "bee": 1})
    assert np.array_equal(model.fit(X, NAMES).classifier_.seen_[2], 1 + (NAMES == "fox"))
    model = classifier(classifier=Recorder(), class_weight={True: 2})
    assert np.array_equal(model.fit(X, Y > 0).classifier_.seen_[2], 1 + (Y > 0))


class OnlyClassWeight(LogisticRegression):
    """Takes no weights of rows."""

    def fit(self, X, y):
        return super().fit(X, y)


def test_a_head_without_weights_of_rows():
    head = OnlyClassWeight()
    model = classifier(classifier=head, class_weight={0: 3, 1: 1, 2: 1}).fit(X, Y)
    assert model.classifier_.class_weight == {0: 3, 1: 1, 2: 1} and head.class_weight is None
    same = classifier(class_weight={0: 3, 1: 1, 2: 1}, classifier=LogisticRegression()).fit(X, Y)
    np.testing.assert_allclose(model.predict_proba(X), same.predict_proba(X), atol=1e-6)


def test_heads_that_take_no_weights():
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2)
    for head in (KNeighborsClassifier(), pipeline, search):
        match = f"a {type(head).__name__} takes neither sample_weight nor class_weight: choose"
        assert_refused(match, classifier=head, class_weight="balanced")
        assert classifier(classifier=head).fit(X, Y).score(X, Y) > 0.7


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ("auto", "Got 'auto' instead"),
        ([1, 2, 3], r"Got \[1, 2, 3\] instead"),
        (2, "Got 2 instead"),
        ({0: 0, 1: 0, 2: 0}, "must give finite weights that are not negative"),
        ({0: -1, 1: 1, 2: 1}, "must give finite weights that are not negative"),
        ({0: np.nan}, "must give finite weights that are not negative"),
        ({0: np.inf}, "must give finite weights that are not negative"),
        ({0: "a", 1: 1, 2: 1}, r"must hold a number for each class of y, which has \[0, 1, 2\]"),
        ({0: 1, 1: 1, 3: 1}, "must hold a number for each class of y"),
        ({"fox": 1}, "must hold a number for each class of y"),
    ],
    ids=str,
)
def test_bad_weights(weight, match):
    assert_refused(match, class_weight=weight)


@pytest.mark.parametrize("objective", [*WHOLE_BATCH, SupCon() + 0.1 * InfoNCE()], ids=str)
def test_weights_of_one_loss_for_a_batch(objective):
    if objective not in WHOLE_BATCH:
        classifier(objective=objective, class_weight="balanced").fit(X, Y)
        return
    match = "has one loss for a whole batch, whose rows cannot be weighted: type class_weight=None"
    assert_refused(match, objective=objective, class_weight="balanced")
    assert np.isfinite(classifier(objective=objective).fit(X, Y).predict_proba(X)).all()


# ------------------------------------------------------------ objectives and samplers


@pytest.mark.parametrize("sampler", ["uniform", "class_balanced"])
@pytest.mark.parametrize("objective", [*OBJECTIVES_OF_CLASSES, "info_nce"], ids=str)
def test_objectives(objective, sampler):
    model = classifier(objective=objective, sampler=sampler, batch_size=12).fit(X, FEW)
    assert np.isfinite(model.predict_proba(X)).all()
    assert np.isfinite(model.encoder_.loss_curve_).all()
    assert model.classes_.tolist() == [0, 1, 2] and model.score(X, Y) > 0.7


def test_what_reads_no_classes_is_refused():
    for objective in ("y_aware", "conr", YAware(), SupCon(label_similarity="jaccard")):
        match = "does not read the target of a SupervisedContrastiveClassifier: type objective='sup"
        assert_refused(match, objective=objective)
    for objective in ("supcon", "info_nce"):
        match = "sampler='target_spread'. does not read.*type sampler='uniform' or 'class_balanced'"
        assert_refused(match, objective=objective, sampler="target_spread")
    assert_refused("choose components that read the same target", objective=SupCon() + YAware())
    for objective in (ConditionalInfoNCE(mode="fair"), "independence"):
        assert_refused(r"needs 'condition': pass fit\(X, condition=", objective=objective)


# ---------------------------------------------------------------------- fine-tuning


def tuned(**params):
    return classifier(finetune=True, **{"finetune_iter": 5, "learning_rate": 0.05, **params})


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_finetune(weight):
    params = {"class_weight": weight, "learning_rate": 0.05}
    model, plain = tuned(**params).fit(X, FEW), classifier(**params).fit(X, FEW)
    encoder, curve = model.encoder_, model.encoder_.finetune_curve_
    assert len(curve) == 5
    assert curve[-1] < curve[0] <= 1.2  # log(3) at even odds
    assert encoder.loss_curve_ == plain.encoder_.loss_curve_ and encoder.n_iter_ == 2
    assert repr(encoder.objective_) == "SupCon()" and encoder.objective_weights_ == {}
    assert not np.allclose(model.transform(X), plain.transform(X))
    assert model.score(X, Y) > 0.7
    assert not hasattr(model.set_params(finetune=False).fit(X, FEW).encoder_, "finetune_curve_")


def test_finetune_goes_on_with_warm_start():
    model, cold = (tuned(warm_start=warm, max_iter=5).fit(X, FEW) for warm in (True, False))
    assert model.encoder_.finetune_curve_ == cold.encoder_.finetune_curve_
    first, Z = model.encoder_.loss_curve_, model.transform(X)
    assert model.fit(X, FEW).encoder_.loss_curve_ != first
    assert not np.allclose(model.transform(X), Z, atol=1e-3)
    Z = model.transform(X)
    model.set_params(encoder__learning_rate=1e-12).fit(X, np.array(["a", "b", "c"])[Y])
    np.testing.assert_allclose(model.transform(X), Z, atol=1e-5)  # it began where it had ended
    assert model.classes_.tolist() == ["a", "b", "c"] and set(model.predict(X)) <= set("abc")


def test_warm_start_of_another_encoder_begins_anew():
    model = classifier(warm_start=True).fit(X, FEW)
    other = KernelConditionalContrastive(**SMALL, warm_start=True)
    assert type(model.set_params(encoder=other).fit(X, FEW).encoder_) is type(other)


def test_finetune_of_cross_entropy_goes_on_with_its_head():
    model = tuned(objective="cross_entropy", max_iter=8).fit(X, NAMES)
    encoder = model.encoder_
    weight, bias = (encoder.objective_weights_[f"head.{name}"] for name in ("weight", "bias"))
    odds = model.transform(X) @ weight.T + bias
    assert np.mean(model.classes_[odds.argmax(axis=1)] == NAMES) > 0.7
    assert encoder.finetune_curve_[-1] < encoder.loss_curve_[-1]


class Counter(Callback):
    """Counts the epochs of all trainings."""

    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, net, **kwargs):
        self.epochs += 1


def test_callbacks_and_checkpoint_with_finetune(tmp_path):
    counter = Counter()
    params = {"checkpoint": tmp_path, "callbacks": [counter], "class_weight": "balanced"}
    plain = tuned(class_weight="balanced").fit(X, FEW)
    for epochs in (2 + 5, 2 + 5 + 5):  # the second time, the first stage is there already
        model = tuned(**params).fit(X, FEW)
        assert counter.epochs == epochs
        assert np.array_equal(model.predict_proba(X), plain.predict_proba(X))
        assert model.encoder_.finetune_curve_ == plain.encoder_.finetune_curve_
    assert len(list(tmp_path.iterdir())) == 1


# ------------------------------------------------------------------------ bad input

BAD_TARGETS = {
    "None": (None, "requires y to be passed, but the target y is None"),
    "shorter": (Y[:-1], "y has 41 rows, but X has 42"),
    "longer": (np.append(Y, 1), "y has 43 rows, but X has 42"),
    "NaN and one class": (np.where(Y > 0, np.nan, 1.0), r"y has one class only \(1.0\)"),
    "NaN and -1": (np.where(Y > 0, np.nan, -1.0), "y has no labelled row"),
    "infinity and -1": (np.where(Y > 0, np.inf, -1.0), "Input y contains infinity"),
    "strings and -1": ([-1, *NAMES[1:].tolist()], "y mixes labels of the types int, str"),
    "strings, -1 and None": ([-1, None, *NAMES[2:].tolist()], "y mixes labels of the types int, s"),
    "tuples": ([("a", 1), ("b", 2)] * 21, "y should be a 1d array"),
    "dates": (
        [date(2020, 1, 1 + k) for k in Y],
        "Unknown label type: y holds labels of the type d",
    ),
    "numbers": (X[:, 0], "Unknown label type: continuous"),
    "a half and -1": (np.where(Y > 0, 0.5, -1), "Unknown label type: continuous"),
    "all unlabelled": (np.full(42, -1), "y has no labelled row"),
    "all NaN": (np.full(42, np.nan), "y has no labelled row"),
    "all None": ([None] * 42, "y has no labelled row"),
    "one class": (np.full(42, 3), r"y has one class only \(3\)"),
    "one name": (np.full(42, "fox"), r"y has one class only \('fox'\)"),
    "two columns": (np.column_stack([Y, Y]), "y should be a 1d array"),
    "two columns of -1 and 1": (np.where(np.c_[Y, Y] > 0, 1, -1), "y should be a 1d array"),
    "a number": (3, "y should be a 1d array"),
}


@pytest.mark.parametrize("name", BAD_TARGETS)
def test_bad_targets(name):
    y, match = BAD_TARGETS[name]
    assert_refused(match, y=y)


def test_a_sparse_target():
    assert_refused("Sparse data was passed for y", y=sp.csr_matrix(Y[:, None]), error=TypeError)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_bad_rows(value):
    data = X.copy()
    data[3, 2] = value
    assert_refused("Input X contains", data)
    with pytest.raises(ValueError, match="Input X contains"):
        classifier().fit(X, Y).predict(data)


class Failing(LogisticRegression):
    """A head that cannot be fitted."""

    def fit(self, X, y):
        raise RuntimeError("no")


def test_a_failed_fit_leaves_the_earlier_one_whole():
    for warm_start in (False, True):
        model = classifier(warm_start=warm_start).fit(X, NAMES)
        Z, P = model.transform(X), model.predict_proba(X)
        model.set_params(classifier=Failing(), encoder__learning_rate=0.1)
        for y in (Y, NAMES, None):
            with pytest.raises((RuntimeError, ValueError)):
                model.fit(X, y)
            assert np.array_equal(model.transform(X), Z)
            assert np.array_equal(model.predict_proba(X), P)
            assert model.classes_.tolist() == ["bee", "fox", "owl"]


def test_a_classifier_that_is_not_fitted():
    for name in ("predict", "predict_proba", "decision_function", "transform"):
        with pytest.raises(NotFittedError):
            getattr(classifier(), name)(X)


# ---------------------------------------------------------------- scikit-learn's ways


def test_copies_predict_alike(tmp_path):
    params = {"class_weight": "balanced", "finetune": True, "finetune_iter": 1}
    model = classifier(**params).fit(X, FEW)
    joblib.dump(model, tmp_path / "model.joblib")
    refitted = clone(model).fit(X, FEW)
    copies = [pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib"), refitted]
    for other in copies:
        assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


def test_search_over_objective_and_head():
    grid = {
        "supervisedcontrastiveclassifier__encoder__objective__temperature": [0.1, 1.0],
        "supervisedcontrastiveclassifier__classifier__C": [1e-9, 1.0],
    }
    model = classifier(classifier=LogisticRegression(), learning_rate=0.1)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), model), grid, cv=2, scoring="neg_log_loss"
    )
    search.fit(X, NAMES)
    assert search.best_params_["supervisedcontrastiveclassifier__classifier__C"] == 1.0
    assert len(set(search.cv_results_["mean_test_score"])) >= 3
    assert set(search.predict(X)) == set(NAMES)


# ---------------------------------------------------------------- the default head


def default_head(**params):
    return classifier(**{"classifier": None, "weight_objective": False, **params})


def test_default_head():
    model = default_head().fit(X, NAMES)
    P = model.predict_proba(X)
    assert isinstance(model.classifier_, ProKeRClassifier)
    np.testing.assert_allclose(P.sum(axis=1), 1)
    assert np.array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])
    assert model.score(X, NAMES) > 0.9


def test_weights_multiply_the_probabilities_of_the_default_head():
    weight = {"bee": 1.0, "fox": 4.0, "owl": 0.5}
    plain, weighted = default_head().fit(X, NAMES), default_head(class_weight=weight).fit(X, NAMES)
    # The representation and the fit of the head stay as they were.
    assert np.array_equal(plain.transform(X), weighted.transform(X))
    expected = plain.predict_proba(X) * [weight[name] for name in plain.classes_]
    expected /= expected.sum(axis=1, keepdims=True)
    P = weighted.predict_proba(X)
    np.testing.assert_allclose(P, expected, rtol=1e-9)
    scores = weighted.decision_function(X)
    assert np.array_equal(scores.argmax(axis=1), P.argmax(axis=1))
    assert np.array_equal(weighted.predict(X), weighted.classes_[P.argmax(axis=1)])


def test_balanced_weights_of_two_classes():
    y = (np.arange(len(X)) >= 34).astype(int)
    plain, weighted = default_head().fit(X, y), default_head(class_weight="balanced").fit(X, y)
    odds = [m.predict_proba(X)[:, 1] / m.predict_proba(X)[:, 0] for m in (plain, weighted)]
    np.testing.assert_allclose(odds[1] / odds[0], (y == 0).sum() / (y == 1).sum(), rtol=1e-6)
    assert np.array_equal(weighted.decision_function(X) > 0, weighted.predict(X) == 1)


def test_a_class_of_weight_zero_is_never_said():
    model = default_head(class_weight={"bee": 0, "fox": 1, "owl": 1}).fit(X, NAMES)
    assert "bee" not in model.predict(X)
    assert np.isfinite(model.decision_function(X)).all()


def test_sparse_columns_are_nothing_for_the_default_head():
    assert_refused("the default one takes dense rows", data=sp.csr_matrix(X), classifier=None,
                   passthrough=True)  # fmt: skip
    assert default_head().fit(sp.csr_matrix(X), Y).score(sp.csr_matrix(X), Y) > 0.5
