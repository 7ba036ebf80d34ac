"""Saved folders of strangers and broken disks: refused, or the model that was saved."""

import copy
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import scipy.sparse as sp
import skops.io
from broken import damages, full_disk
from instances import adapter_instances, blobs, detector_instances
from postprocessing_instances import postprocessing_instances
from search_instances import GRAPHS, SEARCHES
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_persistence import edit, one_sentence
from text_instances import text_instances, topics

import skcontrast
import skcontrast.views
from skcontrast import ContrastiveEncoder, ProKeRClassifier, Word2VecVectorizer, persistence
from skcontrast._saved.heads import is_saved
from skcontrast._saved.patterns import is_plain, known_patterns
from skcontrast._saved.schema import lines
from skcontrast._saved.tables import TABLES
from skcontrast.checkpoint import Checkpoint
from skcontrast.inspection import TangentSurrogate
from skcontrast.networks import DilatedConv
from skcontrast.retrieval import _engines

X, Y = blobs()
TEXTS = topics()[0]
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(kind=np.array(["u", "v", "w"])[Y])
FRAME.loc[3, "a"] = np.nan
SMALL = {"n_components": 3, "max_iter": 1, "random_state": 0, "network": "linear"}


def encoder(**params):
    return ContrastiveEncoder(**{**SMALL, "views": "corruption", **params})


def regressor(**params):
    model = skcontrast.SupervisedContrastiveRegressor(FROZEN, random_state=0, **params)
    return lambda: model.fit(X, X[:, 0])


def classifier(*args, **params):
    model = skcontrast.SupervisedContrastiveClassifier(*args, random_state=0, **params)
    return lambda: model.fit(X, Y)


FROZEN = FrozenEstimator(encoder().fit(X))
SERIES = np.cumsum(np.random.default_rng(0).normal(size=(40, 32)), axis=1)
LOGISTIC = FrozenEstimator(LogisticRegression().fit(X, Y))
# How each model is made, and what it is asked about.
MODELS = {
    "warm": (lambda: encoder(warm_start=True).fit(X), X),
    "second stage": (lambda: encoder().fit(X).finetune(X, Y, objective="supcon", n_iter=1), X),
    "sparse": (lambda: encoder().fit(sp.csr_array(X)), sp.csr_array(X)),
    "frame": (lambda: encoder().fit(FRAME), FRAME),
    "parts": (lambda: encoder(n_components=None, passthrough=True).fit(X), X),
    "directions": (lambda: encoder(n_components=6, passthrough=True).fit(X), X),
    "patterns": (lambda: encoder(passthrough=True).fit(SERIES), SERIES),
    "recording": (
        lambda: skcontrast.SeriesContrastiveEncoder(
            3, window=4, network=DilatedConv(8, 2), max_iter=1, random_state=0
        ).fit(X),
        X,
    ),
    "default regressor": (regressor(interval="conformal"), X),
    "linear regressor": (
        regressor(regressor=make_pipeline(StandardScaler(), Ridge()), interval="neighbors"),
        X,
    ),
    "several targets": (
        lambda: skcontrast.SupervisedContrastiveRegressor(FROZEN, random_state=0).fit(X, X[:, :2]),
        X,
    ),
    "frozen classifier": (classifier(FROZEN, class_weight="balanced"), X),
    "logistic classifier": (classifier(FROZEN, LogisticRegression()), X),
    "logistic base": (lambda: ProKeRClassifier(LOGISTIC).fit(X, Y), X),
    "frame adapter": (lambda: ProKeRClassifier().fit(FRAME, Y), FRAME),
    "more rows": (lambda: ProKeRClassifier().fit(X[:30], Y[:30]).partial_fit(X[30:], Y[30:]), X),
    "linear base": (lambda: skcontrast.ProKeRRegressor(LinearRegression()).fit(X, X[:, 0]), X),
    "surrogate": (lambda: TangentSurrogate(FROZEN.estimator).fit(X, Y), X),
    "labels": (lambda: skcontrast.LabelCredibility(FROZEN, random_state=0).fit(X, Y), X),
    "nystroem": (lambda: skcontrast.ProKeRRegressor(solver="nystroem").fit(X, X[:, 0]), X),
}
MODELS |= {
    f"{type(m).__name__} {i}": (lambda m=m: m.fit(X, Y), X)
    for i, m in enumerate([*adapter_instances(), *detector_instances()])
}
MODELS |= {
    f"{type(m).__name__} {i}": (lambda m=m: m.fit(TEXTS), TEXTS)
    for i, m in enumerate(text_instances())
}
MODELS |= {
    f"{type(m).__name__} {i}": (lambda m=m: m.fit(X), X)
    for i, m in enumerate(postprocessing_instances())
}
MODELS["sparse coder"] = (
    lambda: skcontrast.SparseCoder(8, 2, max_iter=1, random_state=0).fit(X),
    X,
)
MODELS |= SEARCHES
FITTED = {}


def fitted(name):
    if name not in FITTED:
        FITTED[name] = MODELS[name][0]()
    return copy.deepcopy(FITTED[name])


def answers(model, rows):
    """All that a model says of rows, in arrays and lists."""
    names = ("transform", "predict", "predict_proba", "predict_interval")
    names += ("kneighbors", "score_matrix", "transform_query")
    said = [getattr(model, name)(rows) for name in names if hasattr(model, name)]
    return [a.toarray() if sp.issparse(a) else a for a in said]


def assert_same_answers(one, other, rows):
    for a, b in zip(answers(one, rows), answers(other, rows), strict=True):
        assert str(a) == str(b) if isinstance(a, list) else np.array_equal(a, b)


def objects(value):
    """All estimators and components in a value, with what each has learned."""
    if isinstance(value, BaseEstimator):
        params = value.get_params(deep=False)
        if type(value).__module__.startswith("skcontrast."):
            held = value.saved() if hasattr(value, "saved") else vars(value)
            yield value, {k: v for k, v in held.items() if k not in params}
        value = vars(value)
    if isinstance(value, (list, tuple, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from objects(item)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_comes_back(name, tmp_path):
    model = fitted(name)
    skcontrast.save(model, tmp_path)
    assert_same_answers(skcontrast.load(tmp_path), model, MODELS[name][1])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_attribute_has_a_line(name):
    for value, learned in objects(fitted(name)):
        found = [TABLES[c.__name__] for c in type(value).__mro__ if c.__name__ in TABLES]
        known = {line[0] for line in lines(found[0])} if found else set()
        assert learned.keys() - {"_sklearn_output_config"} <= known, type(value).__name__


def test_what_is_one_object_stays_one(tmp_path):
    skcontrast.save(fitted("frozen classifier"), tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert loaded.encoder.estimator is loaded.encoder_


@pytest.mark.parametrize("name", sorted(SEARCHES))
def test_skops_keeps_searches(name):
    model = fitted(name)
    dumped = skops.io.dumps(model)
    untrusted = skops.io.get_untrusted_types(data=dumped)
    assert all(kind.startswith(("skcontrast.", "scipy.sparse.")) for kind in untrusted)
    loaded = skops.io.loads(dumped, trusted=untrusted)
    assert_same_answers(loaded, model, SEARCHES[name][1])


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_is_made_anew_by_what_needs_it(name, tmp_path, monkeypatch):
    skcontrast.save(fitted(name), tmp_path)
    loaded = skcontrast.load(tmp_path)
    skcontrast.save(loaded, tmp_path)  # before it has a graph
    rows = SEARCHES[name][1]
    assert_same_answers(skcontrast.load(tmp_path), fitted(name), rows)
    grown = loaded.partial_fit(rows)
    assert np.array_equal(grown.kneighbors(rows, 1)[1][:, 0], 60 + np.arange(7))
    monkeypatch.setattr(_engines, "installed", lambda name: False)
    with pytest.raises(ImportError, match="needs the package .* type pip install"):
        skcontrast.load(tmp_path).kneighbors(rows)


@pytest.mark.parametrize("kind", [set, frozenset])
def test_sets_of_words(kind, tmp_path):
    words = kind({"tea", "cat", "dog"})
    model = Word2VecVectorizer(4, sample=0, min_count=1, vocabulary=words, stop_words=kind())
    skcontrast.save(model.fit(TEXTS), tmp_path)
    written = (tmp_path / "estimator.json").read_bytes()
    loaded = skcontrast.load(tmp_path)
    assert loaded.vocabulary == words and type(loaded.vocabulary) is kind
    assert loaded.stop_words == kind() and loaded.vocabulary_ == model.vocabulary_
    skcontrast.save(loaded, tmp_path)
    assert (tmp_path / "estimator.json").read_bytes() == written  # sorted
    with pytest.raises(TypeError, match="vocabulary is a"):
        skcontrast.save(model.set_params(vocabulary=kind({(1, 2)})), tmp_path)


def test_dicts_of_class_weights(tmp_path):
    weights = {0: 1, 1: 2.5, 2: np.float64(3)}
    model = skcontrast.SupervisedContrastiveClassifier(FROZEN, class_weight=weights)
    skcontrast.save(model, tmp_path)
    assert skcontrast.load(tmp_path).class_weight == weights


# ------------------------------------------------------------------ broken disks


@pytest.mark.parametrize("name", ["warm", "frozen classifier", "Word2VecVectorizer 1"])
def test_every_damage_is_refused_or_harmless(name, tmp_path):
    model = fitted(name)
    skcontrast.save(model, tmp_path)
    for path in tmp_path.iterdir():
        good = path.read_bytes()
        for bad in damages(good, 40):
            path.write_bytes(bad)
            try:
                loaded = skcontrast.load(tmp_path)
            except ValueError as error:
                assert str(error).endswith(".") and "\n" not in str(error)
            else:  # white space
                assert_same_answers(loaded, model, MODELS[name][1])
        path.write_bytes(good)


def test_a_full_disk_leaves_the_model_before(tmp_path):
    old, new = fitted("warm"), fitted("parts")
    with full_disk(20_000), pytest.raises(OSError, match=r"cannot be written \(File too large\)"):
        skcontrast.save(new, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    for limit in (20_000, 3000):  # the arrays fit, the description does not
        model = new if limit > 3000 else fitted("warm").set_params(tol=1e-3)
        skcontrast.save(old, tmp_path)
        before = {path.name for path in tmp_path.iterdir()}
        with full_disk(limit), pytest.raises(OSError, match="make room on the disk"):
            skcontrast.save(model, tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == before
        assert_same_answers(skcontrast.load(tmp_path), old, X)


def test_a_full_disk_leaves_no_new_folders(tmp_path):
    (tmp_path / "a").mkdir()
    with full_disk(20_000), pytest.raises(OSError, match="make room on the disk"):
        skcontrast.save(fitted("parts"), tmp_path / "a" / "b" / "c" / "d")
    assert [path.name for path in tmp_path.rglob("*")] == ["a"]


@pytest.mark.parametrize("name", ["arrays-mine", "arrays-0123456789ABCDEF", "arrays-" + "0" * 64])
def test_files_of_the_user_stay(name, tmp_path):
    mine = tmp_path / f"{name}.safetensors"
    mine.write_text("mine")
    for tol in (0.1, 0.2):
        skcontrast.save(fitted("warm").set_params(tol=tol), tmp_path)
    skcontrast.save(fitted("parts"), tmp_path)
    assert mine.read_text() == "mine" and len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("checkpoint", ["", Checkpoint("")], ids=["str", "Checkpoint"])
def test_an_empty_path_is_no_folder(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call, name in (
        (lambda: skcontrast.save(encoder(), ""), "folder"),
        (lambda: skcontrast.load(""), "folder"),
        (lambda: encoder(checkpoint=checkpoint).fit(X), "checkpoint"),
    ):
        with pytest.raises(
            ValueError, match=f"^{name} is '', which names no folder: type"
        ) as error:
            call()
        assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_saving_where_there_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match="is a file, or below one: type the path of a folder"):
            skcontrast.save(encoder(), folder)


def test_half_files_of_a_killed_save_are_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in ("estimator.json", "arrays-0123456789abcdef.safetensors"):
        (tmp_path / f"{name}.{dead.pid}.partial").touch()
    (tmp_path / "mine.txt").touch()
    skcontrast.save(encoder(), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_threads_that_save_to_one_folder(tmp_path):
    models = [fitted("warm").set_params(tol=0.1 * i) for i in range(4)]
    for i, model in enumerate(models):
        model.weights_ = {k: v + i for k, v in model.weights_.items()}
    expected = [answers(model, X)[0] for model in models]
    skcontrast.save(models[0], tmp_path)
    errors = []

    def work(i):
        try:
            for _ in range(5):
                skcontrast.save(models[i], tmp_path)
                loaded = skcontrast.load(tmp_path)
                whole = expected[round(10 * loaded.tol)]
                assert np.array_equal(answers(loaded, X)[0], whole)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(models))]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("file", ["estimator.json", "arrays"])
@pytest.mark.parametrize("way", ["pipe", "link", "device"])
def test_only_files_in_the_folder_are_read(file, way, tmp_path):
    folder, outside = tmp_path / "model", tmp_path / "outside"
    skcontrast.save(fitted("warm"), folder)
    (path,) = folder.glob(f"{file}*")
    os.replace(path, outside)
    if way == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(outside if way == "link" else "/dev/zero")
    one_sentence(folder, "cannot be read (it is a ")
    path.unlink()
    os.replace(outside, folder / "other")
    path.symlink_to("other")
    assert_same_answers(skcontrast.load(folder), fitted("warm"), X)


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["estimator"]["params"].update(a_later_parameter=1),
        lambda d: d["estimator"]["fitted"]["network_"].update({"class": "networks.Later"}),
        lambda d: d.update(format_version=7),
    ],
)
def test_a_newer_version_says_so(change, seal, tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, change, seal=seal)
    edit(tmp_path, lambda d: d.update(version="12.3.4"), seal=seal)
    one_sentence(tmp_path, "was written by skcontrast 12.3.4")
    with pytest.raises(ValueError, match="load it with that version"):
        skcontrast.load(tmp_path)


@pytest.mark.parametrize("seal", [True, False])
@pytest.mark.parametrize("version", [3, 0, -2, True, None, "2", [2], 2.5])
def test_a_damaged_format_version_is_called_so(version, seal, tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, lambda d: d.update(format_version=version), seal=seal)
    one_sentence(tmp_path, "cannot be loaded: estimator.json is damaged or was changed")


def test_a_newer_folder_that_can_be_read_is_read(tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, lambda d: d.update(version="12.3.4"))
    assert_same_answers(skcontrast.load(tmp_path), fitted("warm"), X)


def test_a_change_without_the_checksum_is_seen(tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, lambda d: d["estimator"]["params"].update(tol=0.5), seal=False)
    one_sentence(tmp_path, "estimator.json is damaged or was changed")
    edit(tmp_path, lambda d: d.pop("checksum"), seal=False)
    one_sentence(tmp_path, "estimator.json is damaged or was changed")


# --------------------------------------------------------------------- strangers


def at(*steps):
    """The fitted attributes of an object within a description."""

    def find(description):
        value = description["estimator"]["fitted"]
        for step in steps:
            value = value[step]["fitted"] if "fitted" in value[step] else value[step]
        return value

    return find


TABLE, TEXT = at("input_"), at()
NUMBER, NAN = {"float": "inf"}, {"float": "nan"}
STRANGE = [
    ("warm", TABLE, "mean_", None, "mean_ is missing"),
    ("warm", TABLE, "scale_", None, "scale_ is missing beside mean_"),
    ("warm", TABLE, "n_features_in_", 10**9, "mean_ has not the 1000000000 columns"),
    ("warm", TABLE, "n_features_in_", True, "n_features_in_ of a TableInput is no whole number"),
    ("warm", TEXT, "n_components_", 2 * 10**8, "n_components_ is another"),
    ("warm", TEXT, "_width", 10**9, "weights_ are not those of"),
    ("warm", TEXT, "weights_", {"dict": {}}, "weights_ are not those of"),
    ("warm", TEXT, "loss_curve_", "x", "loss_curve_ of a ContrastiveEncoder is no list of numbers"),
    ("warm", at(), "network_", {"class": "networks.MLP", "params": {}, "fitted": {}}, "weights_"),
    (
        "warm",
        at(),
        "network_",
        {
            "class": "networks.MLP",
            "params": {"hidden_layer_sizes": {"list": [10**9, 10**9]}},
            "fitted": {},
        },
        "weights_ are not those of",
    ),
    (
        "warm",
        at(),
        "network_",
        {"class": "networks.HashedEmbeddingBag", "params": {}, "fitted": {}},
        "network_ does not read numbers",
    ),
    ("parts", at("output_"), "part_columns_", {"dict": {"columns": {"tuple": [0, 10**9]}}}, "part"),
    ("parts", at("output_", "part_scales_", "dict"), "kernel", -1.0, "kernel are not positive"),
    ("frame", at("input_", "expansion_"), "has_rare", {"list": []}, "categories are too few"),
    ("default regressor", TEXT, "_embedding_scale", 0.0, "_embedding_scale of a Supervised"),
    ("default regressor", TEXT, "_n_raw", 3, "_n_raw is not the number of columns"),
    ("more rows", TEXT, "temperature_", NAN, "temperature_ of a ProKeRClassifier is no finite"),
    ("more rows", TEXT, "n_targets_", 4, "has the size 3 where others have 4"),
    ("Word2VecVectorizer 0", at("vocabulary_", "dict"), "cat", 14, "is no numbering 0, 1, ..."),
    ("Word2VecVectorizer 0", at("vocabulary_", "dict"), "cat", -5, "is no numbering 0, 1, ..."),
    ("Word2VecVectorizer 0", at("vocabulary_", "dict"), "new", 14, "where others have 15"),
    ("ContrastiveTextEncoder 6", at("input_"), "n_features", 27, "another number of features"),
    (
        "ContrastiveTextEncoder 5",
        TEXT,
        "input_",
        {"class": "_inputs.BackboneInput", "params": {}, "fitted": {"mean_": None}},
        "a backbone is code",
    ),
    ("brute", TEXT, "n_samples_fit_", 61, "n_samples_fit_ is not the rows of engine_"),
    ("brute", TEXT, "n_features_in_", 6, "engine_ holds other columns"),
    ("brute", TEXT, "algorithm_", "faiss", "engine_ is not of algorithm_"),
    ("sparse rows", at("engine_", "X"), "shape", {"list": [30, 2]}, "its description is broken"),
    ("bm25", TEXT, "average_length_", 0.0, "average_length_ of a BM25Transformer holds values"),
    ("late", TEXT, "n_documents_", 6, "has the size 5 where others have 6"),
    ("hybrid", TEXT, "_parts", {"list": []}, "_parts are not as weights_"),
    ("hybrid", TEXT, "n_documents_", 41, "_parts search other documents"),
    ("exact", TEXT, "_rows", None, "_rows or a second stage is missing"),
    ("exact", at("_first"), "n_documents", 61, "a retriever searches other documents"),
    ("memory", at("index_"), "n_samples_fit_", 59, "n_samples_fit_ is not the rows of engine_"),
    ("PhraseTransformer 7", TEXT, "phrases_", {"dict": {"a": NUMBER}}, "is no dict of finite"),
]


@pytest.mark.parametrize(("name", "where", "key", "value", "sentence"), STRANGE)
def test_what_does_not_belong_together_is_refused(name, where, key, value, sentence, tmp_path):
    skcontrast.save(fitted(name), tmp_path)
    edit(tmp_path, lambda d: where(d).update({key: value}))
    one_sentence(tmp_path, sentence)


@pytest.mark.parametrize(
    "change",
    [
        {"lexical": 1 - 1e-9},
        {"lexical": 1 - 1e-9, "n_rows": 2**40},
        {"n_rows": 10**15},
        {"window": 10**9},
        {"hidden_layer_sizes": {"list": [10**12]}},
        {"hidden_layer_sizes": {"list": [1] * 10_000}},
    ],
)
def test_a_network_takes_no_more_than_its_weights(change, tmp_path):
    skcontrast.save(fitted("ContrastiveTextEncoder 5"), tmp_path)

    def grow(description):
        fitted = description["estimator"]["fitted"]
        fitted["network_"]["params"].update(change)
        fitted["_width"] = 2**15  # the part that is not trained is as wide as this

    edit(tmp_path, grow)
    tracemalloc.start()
    one_sentence(tmp_path, "its description is broken")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**25


def test_scales_cannot_be_left_out(tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, lambda d: TABLE(d).update(mean_=None, scale_=None))
    one_sentence(tmp_path, "scale_ and standardize do not agree")


def change_array(folder, name, change):
    """Another array in the place of one, with the checksums that they should have."""
    (path,) = folder.glob("arrays-*")
    arrays = safetensors.numpy.load(path.read_bytes())
    (key,) = [key for key in arrays if re.fullmatch(name, key)]
    arrays[key] = np.ascontiguousarray(change(arrays[key].copy()))
    content = safetensors.numpy.save(arrays)
    path.unlink()
    digest = hashlib.sha256(content).hexdigest()
    (folder / persistence._arrays_name(digest)).write_bytes(content)
    edit(folder, lambda d: d.update(sha256=digest))


@pytest.mark.parametrize(
    ("name", "array", "change", "sentence"),
    [
        ("warm", r".*input_\.scale_", lambda a: -a, "values that are not >0"),
        ("warm", r".*input_\.mean_", lambda a: a * np.nan, "holds NaN or infinity"),
        ("warm", r".*input_\.mean_", lambda a: a.astype(int), "is no array of type float"),
        ("parts", r".*ranks\.columns_", lambda a: a + 99, "a column that there is not"),
        ("parts", r".*ranks\.quantiles_", lambda a: a[::-1], "values that are not sorted"),
        ("patterns", r".*dilations_", lambda a: a + 10**9, "reaches beyond its row"),
        ("more rows", r".*_support\.codes", lambda a: a + 3, "codes of classes that there are"),
        ("brute", r".*engine_\.X", lambda a: a * np.nan, "holds NaN or infinity"),
        ("sparse rows", r".*X\.indices", lambda a: a + 12, "must be < 12"),
        ("sparse rows", r".*X\.indices", lambda a: a - 12, "must be >= 0"),
        ("sparse rows", r".*X\.indptr", lambda a: a[::-1], "its description is broken"),
        ("sparse rows", r".*X\.data", lambda a: a.astype(int), "no array of type float"),
        ("codes", r".*codes", lambda a: a * 0 + 255, "codes name centres that there are not"),
        ("signs", r".*codes", lambda a: a.astype(np.int64), "codes are not as many as"),
        ("late", r".*_lengths", lambda a: a + 1, "_lengths are of other parts"),
        ("late", r".*_start", lambda a: a + 1, "_start is not where documents begin"),
        ("default regressor", r".*nodes\.left_child", lambda a: a + 10**6, "none of its later"),
        ("default regressor", r".*nodes\.left_child", lambda a: np.minimum(a, 0), "none of its"),
        ("default regressor", r".*nodes\.feature", lambda a: a + 99, "column that there is not"),
        ("default regressor", r".*nodes\.feature_idx", lambda a: a - 99, "column that there is"),
        ("default regressor", r".*\.steps\.1\.1\.values", lambda a: a * np.nan, "or NaN"),
    ],
)
def test_arrays_that_lie_are_refused(name, array, change, sentence, tmp_path):
    skcontrast.save(fitted(name), tmp_path)
    change_array(tmp_path, array, change)
    one_sentence(tmp_path, sentence)


@pytest.mark.parametrize("name", ["stop_words", "vocabulary"])
def test_words_are_words(name, tmp_path):
    skcontrast.save(fitted("Word2VecVectorizer 0"), tmp_path)
    edit(tmp_path, lambda d: d["estimator"]["params"].update({name: {"list": [1.5]}}))
    one_sentence(tmp_path, f"{name} of a Word2VecVectorizer holds something else than words")


def test_means_and_scales_cannot_be_exchanged(tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)

    def exchange(description):
        fitted = TABLE(description)
        fitted["mean_"], fitted["scale_"] = fitted["scale_"], fitted["mean_"]

    edit(tmp_path, exchange)
    one_sentence(tmp_path, "which is that of another place")


def test_an_array_is_used_once(tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    (path,) = tmp_path.glob("arrays-*")
    name = "ContrastiveEncoder.junk_"
    content = safetensors.numpy.load(path.read_bytes()) | {name: np.zeros(5)}
    content = safetensors.numpy.save(content)
    digest = hashlib.sha256(content).hexdigest()
    path.unlink()
    (tmp_path / persistence._arrays_name(digest)).write_bytes(content)
    edit(tmp_path, lambda d: d.update(sha256=digest))
    one_sentence(tmp_path, f"the array '{name}' belongs to nothing")
    array = {"array": name, "shape": [5]}
    edit(tmp_path, lambda d: TEXT(d).update(junk_=array))
    assert len(skcontrast.load(tmp_path).junk_) == 5
    for again, why in (("junk", "is missing, or named twice"), ("more_", "of another place")):
        edit(tmp_path, lambda d, again=again: TEXT(d).update({again: array}))
        one_sentence(tmp_path, why)
        edit(tmp_path, lambda d, again=again: TEXT(d).pop(again))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"objects": [f"<U{10**9}", [2], ["a", "b"]]}, None),
        ({"objects": ["<U99999", [1000], ["a" * 99_999] + [""] * 999]}, "most of them empty"),
        ({"set": [{"list": []}]}, "unhashable"),
        ({"same": "ContrastiveEncoder"}, "its description is broken"),
        ({"sklearn": "SVC", "params": {}, "fitted": {}}, "is not an estimator of scikit-learn"),
        ({"sklearn": "Ridge", "params": {}, "fitted": {"fit": 1}}, "is not what a Ridge learns"),
        (
            {"sklearn": "Pipeline", "params": {"steps": {"list": []}, "memory": "x"}, "fitted": {}},
            "a Pipeline has a memory",
        ),
    ],
)
def test_values_are_no_larger_than_what_they_are_written_in(value, sentence, tmp_path):
    skcontrast.save(fitted("warm"), tmp_path)
    edit(tmp_path, lambda d: TEXT(d).update(junk_=value))
    if sentence:
        one_sentence(tmp_path, sentence)
    else:
        assert skcontrast.load(tmp_path).junk_.nbytes < 10**8


ENDLESS = [r"(a+)+$", r"(\w+\s?)*!", r"(?:a|aa)+$", r"\w+\w+\w+x", r"a?a?a?aaa", r".*.*=", r"(.)\1"]
ENDLESS += [r"(?=(\w+))\1:", r"[^x]*\x00", r"a{1,50}b{1,50}", r"\b[ a]+\b", "(", "[a", r"\w+(?<=x)"]
PLAIN = [r"\S+", r"(?u)\b\w+\b", r"\b[a-zA-Z]{2,}\b", r"\w+|[^\w\s]", r"(?i)[a-z]+", r"#\w+|\d{4}"]
PLAIN += [r"[^\s,;]+", r".", r"\b[^\W\d_]+\b", r"\w{3,}", r"[א-ת]+", r"\w\w+"]


@pytest.mark.parametrize("pattern", ENDLESS)
def test_patterns_that_may_never_end(pattern, tmp_path):
    model = fitted("Word2VecVectorizer 0").set_params(token_pattern=pattern)
    skcontrast.save(model, tmp_path)
    one_sentence(tmp_path, "may take forever on some texts")
    assert skcontrast.load(tmp_path, trusted_patterns=[pattern]).token_pattern == pattern
    with pytest.raises(TypeError, match="trusted_patterns is one str: type"):
        skcontrast.load(tmp_path, trusted_patterns=pattern)


@pytest.mark.parametrize("pattern", PLAIN)
def test_plain_patterns_run(pattern, tmp_path):
    assert is_plain(pattern)
    re.findall(pattern, "a" * 100_000 + "_ !" + " a" * 50_000)
    skcontrast.save(fitted("Word2VecVectorizer 0").set_params(token_pattern=pattern), tmp_path)
    assert skcontrast.load(tmp_path).token_pattern == pattern


def test_the_patterns_of_the_package_are_known():
    known = known_patterns()
    assert r"(?u)\b\w\w+\b" in known
    for model in text_instances():
        assert model.token_pattern in known


def test_a_model_that_grows_by_naming_itself(tmp_path):
    skcontrast.save(fitted("logistic base"), tmp_path)

    def twice(path, level):
        """A pipeline that holds one twice, and so on: 2^level of them to whoever counts."""
        if not level:
            return {"class": "ContrastiveEncoder", "params": {}, "fitted": {}}
        inner = f"{path}.steps.0.1"
        steps = [{"tuple": ["a", twice(inner, level - 1)]}, {"tuple": ["b", {"same": inner}]}]
        return {"sklearn": "Pipeline", "params": {"steps": {"list": steps}}, "fitted": {}}

    def grow(description, level):
        path = "ProKeRClassifier.kept_"
        description["estimator"]["fitted"]["kept_"] = twice(path, level)

    edit(tmp_path, lambda d: grow(d, 3))
    assert skcontrast.load(tmp_path).kept_.steps[0][1].steps[1][1] is not None
    edit(tmp_path, lambda d: grow(d, 30))
    one_sentence(tmp_path, "it names more than 8 estimators again")


def test_one_object_in_many_places(tmp_path):
    view = skcontrast.views.GaussianNoise()
    base = skcontrast.ZeroShotClassifier(np.eye(3, 5), classes=[0, 1, 2]).fit(np.eye(5))
    model = encoder(views=[view] * 20)
    model.many_ = [base] * 20
    skcontrast.save(model, tmp_path)
    loaded = skcontrast.load(tmp_path)
    assert len(loaded.views) == 20
    for other in loaded.many_:
        assert np.array_equal(other.predict(np.eye(5)), base.predict(np.eye(5)))


def test_heads_are_told_by_their_class_alone():
    class Ridge(BaseEstimator):
        pass

    assert not is_saved(Ridge()) and is_saved(LinearRegression())


SAVED = Path(__file__).parent / "saved_0_1"


@pytest.mark.parametrize(
    ("folder", "attribute", "value"),
    [
        ("ContrastiveEncoder", "scale_", None),
        ("ContrastiveEncoder", "n_components_", 10**9),
        ("ProKeRClassifier", "n_targets_", 5),
        ("Word2VecVectorizer", "vocabulary_", {"dict": {"red": 6}}),
    ],
)
def test_the_older_format_is_checked_too(folder, attribute, value, tmp_path):
    for path in (SAVED / folder).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    skcontrast.load(tmp_path)
    description = json.loads((tmp_path / "estimator.json").read_text())
    description["estimator"]["fitted"][attribute] = value
    (tmp_path / "estimator.json").write_text(json.dumps(description))
    one_sentence(tmp_path, "its description is broken")
