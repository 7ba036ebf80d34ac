"""Saving and loading: pickle, joblib, skops, and the format of our own."""

import json
import os
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
import torch
from instances import blobs, fixed_instances, small_instances
from numpy.testing import assert_allclose
from safetensors.numpy import save
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.svm import SVR
from torch import nn

import skcontrast
from skcontrast import ContrastiveEncoder, persistence
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP
from skcontrast.objectives import AlignmentUniformity, InfoNCE, Reconstruction, SupCon
from skcontrast.optimizers import SGD
from skcontrast.views import Compose, Corruption

X, Y = blobs()


def encoder(**params):
    small = {"max_iter": 2, "n_components": 3, "random_state": 0, "views": "corruption"}
    return ContrastiveEncoder(**{**small, "network": MLP(hidden_layer_sizes=(8,)), **params})


# What stresses the formats: nested components, sums, infinities, states, strings.
MODELS = {
    **{f"small_{i}": (instance, Y) for i, instance in enumerate(small_instances())},
    **{f"fixed_{i}": (instance, Y) for i, instance in enumerate(fixed_instances())},
    "learned": (encoder(objective=InfoNCE(temperature="learned")), None),
    "individual": (encoder(objective=InfoNCE(temperature="individual")), None),
    "sum": (encoder(objective=InfoNCE() + 0.5 * AlignmentUniformity() + SupCon()), Y),
    "rebuilt": (encoder(objective=InfoNCE() + Reconstruction(["mask"], decoder="mlp")), None),
    "strings": (encoder(objective="supcon"), np.array(["fox", "owl", "bee"])[Y]),
    "objects": (encoder(objective="supcon"), np.array(["fox", "owl", "bee"], object)[Y]),
    "nested": (
        encoder(
            views=["corruption", Compose((Corruption(rate=0.1), "noise"))],
            optimizer=SGD(max_grad_norm=0.5),
            network=MLP([8, 8], dropout=0.1, normalization="batch"),
            projector="mlp",
            checkpoint=None,
        ),
        None,
    ),
    "numbers": (
        encoder(n_components=np.int64(3), learning_rate=np.float32(0.01), tol=np.float64(0)),
        None,
    ),
    "float64": (encoder(precision="float64", early_stopping=True, validation_fraction=0.2), None),
    "warm": (encoder(warm_start=True, optimizer="sgd"), None),
    "pandas": (encoder().set_output(transform="pandas"), None),
}


ENCODERS = [name for name, (model, _) in MODELS.items() if hasattr(model, "partial_fit")]


def on_every_model(function):
    return pytest.mark.parametrize("name", sorted(MODELS))(function)


def on_every_encoder(function):
    return pytest.mark.parametrize("name", sorted(ENCODERS))(function)


def fitted(name):
    model, y = MODELS[name]
    return clone(model).fit(X, y)


def params_of(model):
    params = model.get_params(deep=False).items()
    return str({k: v.item() if isinstance(v, np.generic) else v for k, v in params})


def flat(value, path=""):
    """Path -> content of all that an object holds, whatever the layout of its arrays."""
    if hasattr(value, "get_params"):
        value = vars(value)
    if isinstance(value, dict):
        return {k: v for key in sorted(value) for k, v in flat(value[key], f"{path}.{key}").items()}
    if isinstance(value, np.ndarray):
        value = value.shape, str(value.dtype), value.tolist()
    value = value.item() if isinstance(value, np.generic) else value
    return {path: joblib.hash(value)}


def dense(Z):
    return Z.toarray() if sp.issparse(Z) else np.asarray(Z)


def assert_same(one, other):
    assert type(one) is type(other)
    assert np.array_equal(dense(one.transform(X)), dense(other.transform(X)))
    assert params_of(one) == params_of(other)
    assert vars(one).keys() == vars(other).keys()
    for key, value in vars(one).items():
        if key == "classifier_" and hasattr(
            one, "predict_proba"
        ):  # holds its own parts in another order
            assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
        elif key.endswith("_"):
            assert flat(value) == flat(vars(other)[key]), key


@on_every_model
def test_pickle_and_joblib(name, tmp_path):
    model = fitted(name)
    assert_same(model, pickle.loads(pickle.dumps(model)))
    joblib.dump(model, tmp_path / "model.joblib")
    assert_same(model, joblib.load(tmp_path / "model.joblib"))
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert np.array_equal(dense(mapped.transform(X)), dense(model.transform(X)))


@on_every_model
def test_skops_trusts_our_types_alone(name):
    model = fitted(name)
    dumped = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=dumped)
    assert untrusted and all(kind.startswith("skcontrast.") for kind in untrusted)
    assert_same(model, skops.io.loads(dumped, trusted=untrusted))


def test_save_refuses_another_head(tmp_path):
    model = skcontrast.SupervisedContrastiveRegressor(encoder(), SVR()).fit(X, Y)
    with pytest.raises(TypeError, match="regressor is a SVR, which cannot.*pickle or joblib"):
        skcontrast.save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_save_and_load(name, tmp_path):
    model = fitted(name)
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert_same(model, loaded)
    y = MODELS[name][1]
    one, other = (vars(getattr(m.fit(X, y), "encoder_", m)) for m in (loaded, model))
    assert one.get("loss_curve_") == other.get("loss_curve_")


@on_every_encoder
def test_going_on_after_loading(name, tmp_path):
    model = fitted(name).partial_fit(X, MODELS[name][1])
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path).partial_fit(X, MODELS[name][1])
    assert_same(model.partial_fit(X, MODELS[name][1]), loaded)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_numbers_that_json_has_not(tmp_path, value):
    model = encoder().fit(X)
    model.loss_curve_ = [value, 1.0]
    skcontrast.save(model, tmp_path)
    assert str(skcontrast.load(tmp_path).loss_curve_) == str(model.loss_curve_)
    json.loads((tmp_path / "estimator.json").read_text(), parse_constant=pytest.fail)


def test_odd_arrays_and_names(tmp_path):
    model = encoder().fit(X)
    odd = {
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 4), np.float32),
        "big_endian": np.arange(3, dtype=">i4"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "words": np.array([["a", "bcd"], ["ef", ""]], dtype="<U9"),
        "no_words": np.array([], dtype="<U5"),
        "mixed": np.array(["a", 1, None, 2.5], dtype=object),
        "bools": np.array([True, False]),
    }
    for key, value in odd.items():
        setattr(model, f"{key}_", value)
    # Two paths that a dot makes equal.
    model.a_ = {"b": {"c": np.array([1])}, "b.c": np.array([2])}
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    for key, value in odd.items():
        got = getattr(loaded, f"{key}_")
        assert got.shape == value.shape and np.array_equal(got, value)
        assert got.dtype == value.dtype.newbyteorder("<")
        assert got.flags.writeable and got.flags.f_contiguous == value.flags.f_contiguous
    assert loaded.a_["b"]["c"] == 1 and loaded.a_["b.c"] == 2


def test_unfitted_estimators_and_components(tmp_path):
    model = encoder(checkpoint=Checkpoint(Path("runs"), every=2), device=torch.device("cpu"))
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert loaded.checkpoint.folder == "runs" and loaded.device == "cpu"
    assert not hasattr(loaded, "weights_")
    skcontrast.save(InfoNCE(temperature="learned"), tmp_path)
    assert repr(skcontrast.load(tmp_path)) == "InfoNCE(temperature='learned')"


class Mine(ContrastiveEncoder):
    pass


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (encoder(network=nn.Linear(5, 3)), r"network is a Linear, which cannot be saved without"),
        (encoder(views=abs), r"views is a builtin_function_or_method, which cannot"),
        (encoder(views=["noise", torch.relu]), r"views\.1 is a builtin_function"),
        (encoder(random_state=np.random.RandomState(0)), r"random_state is a RandomState, which"),
        (encoder(learning_rate=1j), r"learning_rate is a complex"),
        (encoder(tol=np.array([b"x"])), r"tol is a ndarray"),
        (encoder(tol={(1,): 2}), r"tol is a dict"),
        (SVR(), r"got SVR: use joblib.dump"),
        (Mine(), r"got Mine: use joblib.dump"),
    ],
)
def test_save_refuses(model, sentence, tmp_path):
    with pytest.raises(TypeError, match=sentence):
        skcontrast.save(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


# ------------------------------------------------------ loading runs no code


@pytest.fixture
def folder(tmp_path):
    skcontrast.save(encoder(objective="supcon").fit(X, Y), tmp_path)
    return tmp_path


def edit(folder, change, seal=True):
    """Change a description as a stranger would, who makes the checksum fit too."""
    path = folder / "estimator.json"
    description = json.loads(path.read_text())
    change(description)
    if seal:
        description["checksum"] = persistence._checksum(description)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(
    "name",
    [
        "os:system",
        "subprocess:Popen",
        "skcontrast:load",
        "skcontrast.persistence:os",
        "skcontrast.persistence:save",
        "skcontrast.base:BaseEstimator",
        "skcontrast._inputs.table:StandardScaler",
        "skcontrast.networks:nn.Linear",
        "skcontrast.networks:InputLayer",
        "skcontrast_evil:Thing",
        "skcontrast..os:system",
        "sklearn.svm:SVC",
        "nothing",
        "",
        ":",
        7,
        None,
        ["os", "system"],
    ],
)
def test_load_makes_objects_of_this_package_only(folder, name):
    def change(description):
        description["estimator"]["fitted"]["objective_"]["class"] = name

    edit(folder, change)
    with pytest.raises(ValueError, match="cannot be loaded: its descr"):
        skcontrast.load(folder)


@pytest.mark.parametrize(
    "name", ["fit", "_shorthand", "__class__", "_parameter_constraints", "_skl_callbacks"]
)
def test_load_overwrites_nothing_that_acts(folder, name):
    def change(description):
        value = {"dict": {"objective": "os:environ"}}
        description["estimator"]["fitted"][name] = value

    edit(folder, change)
    with pytest.raises(ValueError, match=f"'{name}' is not a fitted attribute"):
        skcontrast.load(folder)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"array": "nowhere", "shape": [1]},
        {"array": "ContrastiveEncoder.mean_", "shape": [77]},
        {"array": ["x"], "shape": [1]},
        {"float": "abc"},
        {"float": []},
        {"objects": ["|O8; import os", [1], ["a"]]},
        {"objects": ["V999999999", [1], ["a"]]},
        {"objects": 3},
        {"tuple": 3},
        {"pickle": "gASV"},
        {"class": "skcontrast.objectives._supcon:SupCon"},
        {"class": "skcontrast.objectives._supcon:SupCon", "params": {"x": 1}, "fitted": {}},
        {"class": "skcontrast.objectives._supcon:SupCon", "params": [], "fitted": 1},
    ],
)
def test_load_refuses_broken_values(folder, value):
    edit(folder, lambda description: description["estimator"]["fitted"].update(mean_=value))
    with pytest.raises(ValueError, match="cannot be loaded: its descr"):
        skcontrast.load(folder)


@pytest.mark.parametrize("value", [3, None, [], {}, {"dict": {}}, "x"])
def test_load_gives_estimators_only(folder, value):
    edit(folder, lambda description: description.update(estimator=value))
    with pytest.raises(ValueError, match="its description is broken"):
        skcontrast.load(folder)


# --------------------------------------------------- broken, foreign, halved


def arrays_of(folder):
    (path,) = folder.glob("arrays-*.safetensors")
    return path


def one_sentence(folder, why):
    with pytest.raises(ValueError) as caught:
        skcontrast.load(folder)
    text = str(caught.value)
    assert why in text and str(folder) in text
    assert "\n" not in text and text.endswith(".")


def test_missing_files(folder, tmp_path):
    one_sentence(tmp_path / "nowhere", "estimator.json is missing")
    name = arrays_of(folder).name
    arrays_of(folder).unlink()
    one_sentence(folder, f"{name} is missing")
    one_sentence(folder / "estimator.json", "it is a file, not a folder")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"NaN", b"null"])
def test_broken_description(folder, content):
    (folder / "estimator.json").write_bytes(content)
    one_sentence(folder, "estimator.json ")


def test_nested_without_end(folder):
    value = "0"
    for _ in range(400):
        value = {"list": [value]}
    edit(folder, lambda d: d["estimator"]["fitted"].update(mean_=value))
    import sys

    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(300)
        with pytest.raises(ValueError, match="estimator.json cannot|nested without end"):
            skcontrast.load(folder)
    finally:
        sys.setrecursionlimit(limit)


def test_broken_arrays(folder):
    path = arrays_of(folder)
    content = path.read_bytes()
    for broken in (b"", content[:-1], content[: len(content) // 2], content[:-1] + b"\x01"):
        path.write_bytes(broken)
        one_sentence(folder, f"{path.name} is damaged")
    path.write_bytes(save({"x": np.zeros(3)}))
    one_sentence(folder, f"{path.name} is damaged")


def test_foreign_and_newer(folder):
    edit(folder, lambda d: d.update(format_version=3, version="9.9"))
    one_sentence(folder, "was written by skcontrast 9.9 in another format")
    edit(folder, lambda d: d.update(format="something"))
    one_sentence(folder, "describes something else")


@pytest.mark.parametrize("digest", [None, "", 3, "0" * 63, "../" * 21 + "0"])
def test_checksum_is_no_path(folder, digest):
    edit(folder, lambda d: d.update(sha256=digest))
    one_sentence(folder, "has no checksum of the arrays")


def test_a_save_cut_short_leaves_the_old_model(folder, monkeypatch):
    old = skcontrast.load(folder)
    new = encoder(objective="supcon", random_state=1).fit(X, Y)
    replace, done = os.replace, []

    def killed_after(n):
        def step(source, target):
            if len(done) == n:
                raise KeyboardInterrupt
            done.append(target)
            replace(source, target)

        return step

    for n in (0, 1):
        done.clear()
        monkeypatch.setattr(os, "replace", killed_after(n))
        with pytest.raises(KeyboardInterrupt):
            skcontrast.save(new, folder)
        assert_same(skcontrast.load(folder), old)
    monkeypatch.setattr(os, "replace", replace)
    skcontrast.save(new, folder)
    assert_same(skcontrast.load(folder), new)
    assert len(list(folder.glob("arrays-*.safetensors"))) == 1


def test_saving_twice_into_one_folder(folder):
    skcontrast.save(skcontrast.load(folder), folder)
    assert len(list(folder.glob("arrays-*"))) == 1
    assert sorted(p.name.partition("-")[0] for p in folder.iterdir()) == [
        "arrays",
        "estimator.json",
    ]


SAVED = Path(__file__).parent / "saved_0_1"


@pytest.mark.parametrize(
    "name", ["ContrastiveEncoder", "parts", "ProKeRClassifier", "Word2VecVectorizer"]
)
def test_folders_written_before_files_moved(name):
    expected = json.loads((SAVED / "expected.json").read_text())[name]
    X = load_iris().data[::25]
    if name == "Word2VecVectorizer":
        X = [["red", "green", "blue"] * 3, ["one", "two", "three"] * 3]
    model = skcontrast.load(SAVED / name)
    call = getattr(model, "predict_proba", None) or model.transform
    # The numbers were written on another processor, which rounds float32 in another way.
    assert_allclose(call(X), expected, rtol=1e-6, atol=1e-6)
