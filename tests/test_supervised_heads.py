"""The estimators with a head over every encoder: tables, a side variable, texts, frozen ones."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from heads import (
    CONDITION,
    FROZEN,
    HEADS,
    SMALL,
    X,
    Y,
    assert_refused,
    case,
    half_labelled,
    on_all_encoders,
    on_encoders,
    on_heads,
)
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    KernelConditionalContrastive,
    SupervisedContrastiveClassifier,
)
from skcontrast.checkpoint import Checkpoint
from skcontrast.objectives import DCLR


def state(estimator):
    """What is in an estimator, by hash."""
    return joblib.hash(pickle.loads(pickle.dumps(estimator)))


# -------------------------------------------------------------- every head and encoder


@on_heads
@on_all_encoders
def test_fit_predict_transform(head, name):
    model, given = case(head, name)
    assert model.fit(**given) is model and model.score(given["X"], given["y"]) > 0.8
    Z = model.transform(given["X"])
    assert Z.shape == (60, 16) and np.array_equal(Z, model.encoder_.transform(given["X"]))
    assert np.array_equal(model.fit_transform(**given), Z)
    assert len(model.get_feature_names_out()) == 16
    assert hasattr(model, "n_features_in_") == ("texts" not in name)


@on_heads
@on_all_encoders
def test_rows_without_a_label(head, name):
    model, given = case(head, name)
    y = half_labelled(given["y"])
    assert model.fit(**{**given, "y": y}).score(given["X"], given["y"]) > 0.7
    Z = model.transform(given["X"])
    few = {key: [value[i] for i in range(60) if i % 4 > 1] for key, value in given.items()}
    learned = np.allclose(clone(model).fit(**few).transform(given["X"]), Z)
    assert learned == (name in FROZEN)  # the encoder learns from the other rows too
    if head == "classifier":
        assert model.classes_.tolist() == sorted(set(given["y"]))
        names = [None if code < 0 else f"class {code}" for code in y]
        model.fit(**{**given, "y": names})
        assert None not in model.classes_ and np.array_equal(model.transform(given["X"]), Z)


@on_heads
@on_all_encoders
def test_copies(head, name):
    model, given = case(head, name, **{head: None} if name == "texts" else {})
    assert repr(clone(model)) == repr(model)
    y = model.fit(**given).predict(given["X"])
    refitted = clone(model).fit(**given)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model), refitted):
        assert np.array_equal(other.predict(given["X"]), y)


@on_heads
@on_encoders
def test_saved_and_loaded(head, name, tmp_path):
    adapter = getattr(skcontrast, f"ProKeR{head.capitalize()}")()
    model, given = case(head, name, **{head: adapter})
    skcontrast.save(model.fit(**given), tmp_path / "model")
    again = skcontrast.load(tmp_path / "model")
    assert np.array_equal(again.predict(given["X"]), model.predict(given["X"]))


@on_heads
@on_all_encoders
def test_a_given_encoder_is_never_written_into(head, name):
    model, given = case(head, name)
    encoder = FROZEN.get(name, model.encoder)
    before = state(encoder)
    model.fit(**given).predict(given["X"])
    if name in FROZEN:
        assert model.encoder_ is encoder
        match = "finetune=True changes the encoder, which is frozen"
        assert_refused(match, clone(model).set_params(finetune=True), **given)
    else:
        model.set_params(finetune=True, finetune_iter=1).fit(**given)
        assert not hasattr(encoder, "weights_")
    assert state(encoder) == before


def test_a_frozen_encoder_keeps_its_classes():
    encoder = ContrastiveEncoder(**SMALL, objective="supcon").fit(X, Y)
    model = SupervisedContrastiveClassifier(FrozenEstimator(encoder), LogisticRegression())
    assert_refused("but the encoder is frozen", model, X=X, y=Y, condition=CONDITION)
    assert model.fit(X, np.array(["a", "b", "c"])[Y]).classes_.tolist() == ["a", "b", "c"]
    assert encoder.classes_.tolist() == [0, 1, 2]


@on_heads
@on_encoders
def test_random_state(head, name):
    model, given = case(head, name)
    Z = model.fit(**given).transform(given["X"])
    assert model.encoder_.random_state == 0
    model.set_params(random_state=1).fit(**given)
    assert not np.array_equal(model.transform(given["X"]), Z)
    model.set_params(encoder__random_state=0).fit(**given)
    assert np.array_equal(model.transform(given["X"]), Z)


@on_heads
@on_all_encoders
def test_a_failing_head_leaves_an_earlier_fit_whole(head, name):
    model, given = case(head, name)
    y = model.fit(**given).predict(given["X"])
    Z = model.transform(given["X"])
    bad = {"classifier": LogisticRegression(C=-1), "regressor": Ridge(alpha=-1)}[head]
    model.set_params(**{head: bad, "random_state": 5})
    with pytest.raises(ValueError, match="must be a float in the range"):
        model.fit(**{key: value[:40] for key, value in given.items()})
    assert np.array_equal(model.predict(given["X"]), y)
    assert np.array_equal(model.transform(given["X"]), Z)


@on_heads
@on_encoders
def test_nested_search(head, name):
    model, given = case(head, name)
    if name == "default":
        model.set_params(encoder=None)
    temperature = {"condition": "encoder__temperature"}.get(name, "encoder__objective__temperature")
    grid = {"encoder__max_iter": [1, 3], temperature: [0.1, 1.0]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(**given)
    best, chosen = search.best_estimator_, search.best_params_
    assert best.encoder_.n_iter_ == chosen["encoder__max_iter"]
    assert best.encoder_.objective_.temperature == chosen[temperature]
    again = clone(model).set_params(**chosen).fit(**given)
    assert np.array_equal(again.predict(given["X"]), search.predict(given["X"]))


# ------------------------------------------------------------------- side information


@on_heads
@pytest.mark.parametrize("routing", [False, True])
def test_side_information_reaches_the_encoder(head, routing):
    model, given = case(head, "condition")
    alone = clone(model.encoder).set_params(random_state=0).fit(X, condition=CONDITION)
    with sklearn.config_context(enable_metadata_routing=routing):
        if routing:
            with pytest.raises(UnsetMetadataPassedError, match="not explicitly set as requested"):
                model.fit(**given)
            model.encoder.set_fit_request(condition=True)
            assert make_pipeline(model).fit(**given).score(X, given["y"]) > 0.8
        search = GridSearchCV(model, {"encoder__max_iter": [2]}, cv=2, error_score="raise")
        found = [model.fit(**given).transform(X), search.fit(**given).best_estimator_.transform(X)]
    assert np.array_equal(found[0], alone.transform(X)) and np.array_equal(*found)


@on_heads
def test_what_may_stand_beside(head):
    model, given = case(head, "table")
    Z, pairs = model.fit(**given).transform(X), np.arange(60) // 2
    assert np.array_equal(model.fit(**given, groups=None).transform(X), Z)
    assert not np.array_equal(model.fit(**given, groups=pairs).transform(X), Z)
    match = "fit got 'sample_weight': beside X and y it takes condition, prior, groups"
    assert_refused(match, clone(model), TypeError, **given, sample_weight=pairs)
    with pytest.warns(UserWarning, match="condition= was given, but InfoNCE does not use it"):
        model.fit(**given, condition=CONDITION)
    by_prior = model.set_params(encoder__objective=DCLR(guide="prior"))
    one, other = (by_prior.fit(**given, prior=prior).transform(X) for prior in (X, X[:, :1]))
    assert not np.array_equal(one, other)
    weak = model.set_params(encoder=KernelConditionalContrastive(**SMALL))
    one = weak.fit(**given).transform(X)  # the target stands for the condition
    assert not np.array_equal(weak.fit(**given, condition=CONDITION).transform(X), one)


def test_side_information_of_calibration_rows():
    model, given = case("regressor", "condition", interval="conformal")
    plain = model.fit(**given).predict(X)
    given["condition"] = pd.DataFrame({"a": CONDITION})
    assert np.array_equal(model.fit(**given).predict(X), plain)
    given["condition"] = CONDITION[:-1]
    assert_refused("condition has 59 rows, but X has 60: pass one", clone(model), **given)


# ------------------------------------------------------------------- training, refusals


class Stop(Callback):
    """Breaks off a training in its third epoch, once."""

    def __init__(self):
        self.epochs = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append(len(net.history))
        if self.epochs == [1, 2, 3]:
            raise RuntimeError("stopped")


@on_heads
@on_encoders
def test_checkpoints_through_the_nesting(head, name, tmp_path):
    model, given = case(head, name, finetune=True, finetune_iter=2)
    expected = model.set_params(encoder__max_iter=4).fit(**given).predict(given["X"])
    folder = Checkpoint(tmp_path, every=1)
    model.set_params(encoder__checkpoint=folder, encoder__callbacks=[Stop()])
    with pytest.raises(RuntimeError, match="stopped"):
        model.fit(**given)
    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(model.fit(**given).predict(given["X"]), expected)
    # The callback that was given is told of both stages: two epochs were left of the first.
    assert model.encoder.callbacks[0].epochs == [1, 2, 3, 1, 2, 1, 2]


@on_heads
@pytest.mark.parametrize("name", ["table", "condition", "texts"])
def test_warm_start(head, name):
    model, given = case(head, name, encoder__warm_start=True)
    Z = model.fit(**given).transform(given["X"])
    assert not np.allclose(model.fit(**given).transform(given["X"]), Z, atol=1e-4)
    Z = model.transform(given["X"])
    model.set_params(encoder__learning_rate=1e-12).fit(**given)
    np.testing.assert_allclose(model.transform(given["X"]), Z, atol=1e-5)


@on_heads
@pytest.mark.parametrize(
    ("encoder", "match"),
    [
        (PCA(), r"encoder=PCA\(\) is no encoder of skcontrast: type one such as Contrastive"),
        (FrozenEstimator(PCA()), "is no encoder of skcontrast: type one"),
        (make_pipeline(PCA(), ContrastiveEncoder()), "and put other steps before it in a Pipeline"),
        (ContrastiveEncoder, r"Did you mean ContrastiveEncoder\(\)\?"),
        (Ridge(), "'encoder' parameter of .* must be an object implementing 'fit' and 'transform'"),
        ("supcon", "'encoder' parameter of .* must be an object implementing"),
    ],
    ids=["PCA", "frozen PCA", "pipeline", "class", "Ridge", "name"],
)
def test_no_encoder(head, encoder, match):
    cls, plain = HEADS[head]
    assert_refused(match, cls(encoder, plain), (TypeError, ValueError), X=X, y=Y)


@pytest.mark.parametrize("encoder", [ContrastiveEncoder, ContrastiveTextEncoder])
def test_encoders_that_read_another_target(encoder):
    for head, objective, sampler in (
        ("classifier", "y_aware", "target_spread"),
        ("regressor", "supcon", "class_balanced"),
    ):
        cls, plain = HEADS[head]
        for part in ({"objective": objective}, {"sampler": sampler}):
            ((name, value),) = part.items()
            match = f"{name}='{value}'. does not read the target of a {cls.__name__}: type {name}="
            assert_refused(match, cls(encoder(**part), plain), X=X, y=Y)


def test_finetune_says_what_it_takes():
    encoder = ContrastiveEncoder(**SMALL, random_state=0).fit(X)
    for weight in (np.ones(30), -np.ones(60), np.zeros(60)):
        with pytest.raises(ValueError, match="sample_weight has the shape .* one weight for each"):
            encoder.finetune(X, Y, objective="cross_entropy", sample_weight=weight)
    for wrong in (0, 2.5, True, "3", None):
        with pytest.raises(ValueError, match=f"n_iter={wrong!r}: type a whole number"):
            encoder.finetune(X, Y, objective="cross_entropy", n_iter=wrong)
