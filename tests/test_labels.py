"""Labels as people have them: every way in which a row may lack one, in every type."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from bad_input import one_sentence
from sklearn.exceptions import DataConversionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    KernelConditionalContrastive,
    ProKeRClassifier,
    SupervisedContrastiveClassifier,
    ZeroShotClassifier,
)
from skcontrast._inputs.target import class_codes
from skcontrast.inspection import TangentSurrogate
from skcontrast.kernels import RBF

RNG = np.random.default_rng(0)
CODES = np.arange(24) % 3
X = 2 * RNG.standard_normal((3, 4))[CODES] + RNG.standard_normal((24, 4))
TEXTS = [f"{('red', 'green', 'blue')[c]} thing number {i}" for i, c in enumerate(CODES)]
HAS = np.arange(24) % 4 > 0
TWO = np.where(CODES > 1, 0, CODES)

INTS, FLOATS, BOOLS = np.array([2, 5, 9]), np.array([0.0, 1.0, 4.0]), np.array([False, True])
NAMES = np.array(["fox", "ham", "spam"])


def listed(mark):
    return lambda labels: [v if has else mark for v, has in zip(labels.tolist(), HAS)]


def objects(mark):
    return lambda labels: np.array(listed(mark)(labels), dtype=object)


def series(dtype):
    return lambda labels: pd.Series(listed(None)(labels), dtype=dtype, index=np.arange(24)[::-1])


def pandas_category(labels):
    return pd.Series(pd.Categorical(listed(None)(labels)))


def polars(dtype=None):
    return lambda labels: pl.Series("y", listed(None)(labels), dtype=dtype)


def arrow(labels):
    return pa.chunked_array([listed(None)(labels)])


def minus_one(labels):
    return np.where(HAS, labels, -1)


# name -> how y is made of the labels, the classes, and the kind of dtype that classes_ has.
CASES = {
    **{f"list of ints and {m}": (listed(m), INTS, "i") for m in (None, np.nan, pd.NA)},
    "ints as objects": (objects(None), INTS, "i"),
    "ints and -1": (minus_one, INTS, "i"),
    "list of ints and -1": (lambda labels: minus_one(labels).tolist(), INTS, "i"),
    "ints and -1 as objects": (objects(-1), INTS, "i"),
    "Int64": (series("Int64"), INTS, "i"),
    "Int8": (series("Int8"), INTS, "i"),
    "int64[pyarrow]": (series("int64[pyarrow]"), INTS, "i"),
    "category of ints": (pandas_category, INTS, "i"),
    "polars ints": (polars(), INTS, "i"),
    "arrow ints": (arrow, INTS, "i"),
    "floats and NaN": (lambda labels: np.where(HAS, labels, np.nan), FLOATS, "f"),
    "float32 and NaN": (
        lambda labels: torch.as_tensor(np.where(HAS, labels, np.nan), dtype=torch.float32),
        FLOATS,
        "f",
    ),
    "floats and -1": (minus_one, FLOATS, "f"),
    "list of floats and None": (listed(None), FLOATS, "f"),
    "Float64": (series("Float64"), FLOATS, "f"),
    "polars floats": (polars(), FLOATS, "f"),
    "list of bools and None": (listed(None), BOOLS, "b"),
    "list of bools and NaN": (listed(np.nan), BOOLS, "b"),
    "bools as objects": (objects(pd.NA), BOOLS, "b"),
    "boolean": (series("boolean"), BOOLS, "b"),
    "bool[pyarrow]": (series("bool[pyarrow]"), BOOLS, "b"),
    "polars bools": (polars(), BOOLS, "b"),
    **{f"list of strings and {m}": (listed(m), NAMES, "U") for m in (None, np.nan, pd.NA)},
    "strings as objects": (objects(None), NAMES, "O"),
    "strings and NaN as objects": (objects(np.nan), NAMES, "O"),
    "string": (series("string"), NAMES, "O"),
    "string[pyarrow]": (series("string[pyarrow]"), NAMES, "O"),
    "series of strings": (series(None), NAMES, "O"),
    "index of strings": (lambda labels: pd.Index(listed(None)(labels)), NAMES, "O"),
    "category": (pandas_category, NAMES, "O"),
    "categorical": (lambda labels: pd.Categorical(listed(None)(labels)), NAMES, "O"),
    "polars strings": (polars(), NAMES, "OU"),
    "polars categories": (polars(pl.Categorical), NAMES, "OU"),
    "arrow strings": (arrow, NAMES, "OU"),
}

CHEAP = {"n_components": 3, "max_iter": 2, "random_state": 0, "device": "cpu"}


def named(classes):
    """Codes of the classes, and the same rows with their names."""
    codes = CODES if len(classes) == 3 else TWO
    return np.where(HAS, codes, -1), classes[codes]


SUPCON = ContrastiveEncoder(objective="supcon", **CHEAP)
ESTIMATORS = {
    "supcon": SUPCON,
    "class_balanced": ContrastiveEncoder(sampler="class_balanced", **CHEAP),
    "texts": ContrastiveTextEncoder(objective="supcon", **CHEAP),
    "weak": KernelConditionalContrastive(**CHEAP),
    "classifier": SupervisedContrastiveClassifier(SUPCON, random_state=0),
    "finetuned": SupervisedContrastiveClassifier(
        SUPCON, random_state=0, finetune=True, finetune_iter=1, class_weight="balanced"
    ),
    "proker": ProKeRClassifier(method="proker"),
    "proker on a base": ProKeRClassifier(LogisticRegression()),
    "means": ZeroShotClassifier(),
    "surrogate": TangentSurrogate(RBF(gamma=0.1)),
}


def result(estimator, y):
    """What a fit gives: classes, and an embedding or probabilities of all rows."""
    rows = TEXTS if isinstance(estimator, ContrastiveTextEncoder) else X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "scipy.optimize", DeprecationWarning)
        model = estimator.fit(rows, y)
        predicts = hasattr(model, "predict_proba")
        return model, (model.predict_proba if predicts else model.transform)(rows)


def of_interest(name, case):
    """Floats are no classes for "weak", and y of texts takes the path of the other encoders."""
    if name == "weak":
        return CASES[case][2] != "f"
    return name != "texts" or case in ("Int64", "boolean", "list of strings and None")


@pytest.mark.parametrize(
    ("name", "case"), [(n, c) for n in ESTIMATORS for c in CASES if of_interest(n, c)]
)
def test_the_fit_is_that_of_codes_and_minus_one(name, case):
    make, classes, kind = CASES[case]
    codes, labels = named(classes)
    _, expected = result(ESTIMATORS[name], codes)
    model, found = result(ESTIMATORS[name], make(labels))
    assert np.array_equal(found, expected)
    if name == "weak":
        return
    assert model.classes_.tolist() == classes.tolist()
    assert model.classes_.dtype.kind in kind
    if hasattr(model, "predict"):
        predicted = model.predict(X)
        assert predicted.dtype == model.classes_.dtype
        assert np.mean(predicted[HAS] == labels[HAS]) > 0.6


@pytest.mark.parametrize("seed", range(20))
def test_codes_equal_those_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    pool = [[4, 0, 7], ["b", "a", "-1"], [2.0, 0.0], [True, False], [-1, 3, 5]][seed % 5]
    marks = [None, np.nan, pd.NA, pd.NaT]
    y = [
        pool[rng.integers(len(pool))] if rng.uniform() < 0.6 else marks[rng.integers(len(marks))]
        for _ in range(rng.integers(1, 30))
    ]
    present = [any(v is label for label in pool) and (v != -1 or v is True) for v in y]
    classes = sorted({v for v, there in zip(y, present) if there})
    for given in (y, np.array(y, dtype=object), pd.Series(y, dtype=object)):
        codes, found = class_codes(given)
        assert found.tolist() == classes
        assert all(type(a) is type(b) for a, b in zip(found.tolist(), classes))
        expected = [classes.index(v) if there else -1 for v, there in zip(y, present)]
        assert codes.tolist() == expected


# ------------------------------------------------------------------------- the rule of -1


@pytest.mark.parametrize("name", ["classifier", "proker", "means", "surrogate"])
@pytest.mark.parametrize(
    "y",
    [
        np.where(TWO > 0, 1, -1),
        np.where(HAS, np.where(TWO > 0, 1.0, -1.0), np.nan),
        [None if not has else 1 if c else -1 for c, has in zip(TWO, HAS)],
        pd.Series(np.where(TWO > 0, 7, -1), dtype="Int64").where(HAS),
    ],
    ids=["ints", "floats and NaN", "list and None", "Int64"],
)
def test_minus_one_beside_one_number_is_a_class(name, y):
    model, _ = result(ESTIMATORS[name], y)
    assert model.classes_.tolist()[0] == -1 and len(model.classes_) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = ContrastiveEncoder(objective="supcon", **CHEAP).fit(X, y)
    assert len(encoder.classes_) == 1  # an encoder needs no second class


@pytest.mark.parametrize("name", ["classifier", "means", "surrogate"])
def test_minus_one_as_a_string_is_a_class(name):
    y = ["-1" if c else None if not has else "fox" for c, has in zip(TWO, HAS)]
    with pytest.warns(UserWarning, match="y has a class '-1' that is a string"):
        model = ESTIMATORS[name].fit(X, y)
    assert model.classes_.tolist() == ["-1", "fox"]


def test_what_the_base_knows_is_a_class():
    signs = CODES - 1
    base = FrozenEstimator(LogisticRegression().fit(X, signs))
    assert ProKeRClassifier(base).fit(X, signs).classes_.tolist() == [-1, 0, 1]
    few = ProKeRClassifier(base).fit(X[:4], signs[:4])
    assert len(few.X_fit_) == 4
    assert ProKeRClassifier().fit(X, signs).classes_.tolist() == [0, 1]
    first = ProKeRClassifier().partial_fit(X[:6], signs[:6], classes=[-1, 0, 1])
    assert first.classes_.tolist() == [-1, 0, 1]
    first.partial_fit(X[6:], signs[6:])
    whole = ProKeRClassifier().partial_fit(X, signs, classes=[-1, 0, 1])
    assert len(first._old_rows().X) == len(whole._old_rows().X) == 24


def test_zero_shot_does_not_guess_labels():
    T, signs = np.eye(4)[:3], CODES - 1
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    for lacking in (signs, np.minimum(CODES, 1), np.minimum(CODES, 1) + 1):
        with pytest.raises(ValueError, match=r"y has 2 classes, but .* has 3 rows: type classes="):
            ZeroShotClassifier(T).fit(rows, lacking)
    model = ZeroShotClassifier(T, classes=[-1, 0, 1]).fit(rows, signs)
    assert model.classes_.tolist() == [-1, 0, 1]
    model = ZeroShotClassifier(T, classes=[0, 1, 2]).fit(rows, np.where(HAS, CODES, -1))
    assert model.classes_.tolist() == [0, 1, 2]
    assert ZeroShotClassifier(T, classes=NAMES).fit(rows, [None] * 24).classes_.tolist() == list(
        NAMES
    )
    assert ZeroShotClassifier(T).fit(rows, listed(None)(NAMES[CODES])).classes_[0] == "fox"


UNSOUND_NAMES = {
    "strings and numbers": (["a", 1, 2], r"classes holds values of the types number, str: type"),
    "objects": (np.array(["a", 1, 2], dtype=object), "classes holds values of the types number, s"),
    "bools and numbers": ([True, 2, 3], r"classes holds values of the types bool, number: type"),
    "None": (["a", None, "b"], r"classes holds values of the types missing, str: type names"),
    "NaN": (np.array([0, 1, np.nan]), r"classes holds values of the types missing, number: type"),
    "NA": (pd.Series([0, 1, None], dtype="Int64"), "classes holds values of the types missing, n"),
    "infinity": ([0, 1, np.inf], "classes holds infinity, or integers beyond 64 bits"),
    "large": ([0, 1, 10**400], "classes holds infinity, or integers beyond 64 bits"),
    "masked": (np.ma.array([0, 1, 2], mask=[0, 0, 1]), "classes is a masked array that hides"),
    "lists": ([["a"], ["b", "c"], ["d"]], "classes holds values of the types list: type names"),
    "dates": (np.arange(3).astype("M8[ns]"), "classes holds values of the types datetime64: type"),
}


@pytest.mark.parametrize("case", UNSOUND_NAMES)
def test_names_of_classes_are_of_one_type(case):
    names, match = UNSOUND_NAMES[case]
    first = ProKeRClassifier().partial_fit
    for fit in (ZeroShotClassifier(np.eye(4)[:3], classes=names).fit, first):
        given = {} if fit is not first else {"y": CODES, "classes": names}
        with pytest.raises(ValueError, match=match) as caught:
            fit(np.eye(4)[CODES], **given)
        assert one_sentence(caught.value)


@pytest.mark.parametrize(
    "names",
    [
        [2, 1.0, np.int64(0)],
        pd.Series([2, 1, 0], index=[5, 6, 7], dtype="Int64"),
        pd.Categorical(["b", "c", "a"]),
        np.array(["b", "c", "a"], dtype=np.dtypes.StringDType()),
        np.array(["b", "c", "a"], dtype=object),
        torch.tensor([2, 1, 0]),
    ],
    ids=lambda names: type(names).__name__,
)
def test_sound_names_of_classes(names):
    model = ZeroShotClassifier(np.eye(4)[:3], classes=names).fit(np.eye(4))
    assert model.predict(np.eye(4)[:3]).tolist() == np.asarray(names).tolist()


def test_embeddings_of_few_bits_are_read_as_rows_are():
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    T = torch.tensor(rows[:3])
    model = ZeroShotClassifier(T.bfloat16(), classes=[0, 1, 2]).fit(rows)
    expected = ZeroShotClassifier(T.bfloat16().float(), classes=[0, 1, 2]).fit(rows)
    assert np.array_equal(model.class_embeddings_, expected.class_embeddings_)
    with pytest.raises(ValueError, match=r"class_embeddings is a torch tensor of layout"):
        ZeroShotClassifier(T.to_sparse(), classes=[0, 1, 2]).fit(rows)
    for wrong in ([["a"] * 4] * 3, [[10**400] * 4] * 3, rows[0], np.full((3, 4), np.nan)):
        with pytest.raises(ValueError, match="class_embeddings must hold one row of fin") as caught:
            ZeroShotClassifier(wrong, classes=[0, 1, 2]).fit(rows)
        assert one_sentence(caught.value)


def test_advice_about_classes_can_be_followed():
    T, rows = np.eye(4)[:3], np.eye(4)[CODES]
    with pytest.raises(ValueError, match=r"y holds \['c'\], for which class_embeddings has no row"):
        ZeroShotClassifier(T[:2], classes=["a", "b"]).fit(rows, np.array(list("abc"))[CODES])
    more = ZeroShotClassifier(T, classes=["a", "b", "c"])
    assert more.fit(rows, np.array(list("abc"))[CODES]).score(rows, np.array(list("abc"))[CODES])
    for classes, y in (
        ([0, 1, 2], CODES.astype(str)),
        (list("012"), CODES),
        ([0, 1, 2], CODES > 1),
    ):
        with pytest.raises(ValueError, match=r"y holds labels such as .* and classes= such as"):
            ZeroShotClassifier(T, classes=classes).fit(rows, y)
    two = np.minimum(CODES, 1)
    with pytest.raises(ValueError, match=r"type classes=\[...\] in ZeroShotClassifier, with the"):
        ProKeRClassifier(ZeroShotClassifier(T)).fit(rows, two)
    model = ProKeRClassifier(ZeroShotClassifier(T)).partial_fit(rows, two, classes=[2, 0, 1])
    named = ProKeRClassifier(ZeroShotClassifier(T, classes=[0, 1, 2])).fit(rows, two)
    assert np.array_equal(model.predict_proba(np.eye(4)), named.predict_proba(np.eye(4)))
    named = ProKeRClassifier(ZeroShotClassifier(T)).partial_fit(rows, CODES, classes=[0, 1, 2, 3])
    assert named.classes_.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("names", [[0, 1, 2], [0.0, 1.0, 2.0], NAMES], ids=str)
def test_bools_are_no_other_labels(names):
    base = ZeroShotClassifier(np.eye(4)[:3], classes=names)
    rows, no = np.eye(4)[CODES], CODES == 1
    match = r"y holds labels such as False, and .* such as .*: give both the same type"
    for y in (no, no.tolist(), no.astype(object)):
        for fit in (ProKeRClassifier(base).fit, ProKeRClassifier().partial_fit):
            given = {} if fit.__name__ == "fit" else {"classes": names}
            with pytest.raises(ValueError, match=match) as caught:
                fit(rows, y, **given)
            assert one_sentence(caught.value)
        with pytest.raises(ValueError, match=match):
            ProKeRClassifier().fit(rows, np.asarray(names)[CODES]).partial_fit(rows, y)
    with pytest.raises(ValueError, match="y holds labels such as .*, and the first call such as F"):
        ProKeRClassifier().fit(rows, no).partial_fit(rows, np.asarray(names)[CODES])


# ---------------------------------------------------------------------- further rows, weights


def test_proker_leaves_out_rows_without_a_label_and_their_weights():
    weight = RNG.uniform(0.5, 2, size=24)
    y = listed(None)(NAMES[CODES])
    for method in ("auto", "proker", "gda"):
        found = ProKeRClassifier(method=method).fit(X, y, sample_weight=weight)
        part = ProKeRClassifier(method=method).fit(X[HAS], NAMES[CODES[HAS]], weight[HAS])
        assert np.array_equal(found.decision_function(X), part.decision_function(X))
    with pytest.raises(ValueError, match="y has no labelled row, and ProKeRClassifier needs"):
        ProKeRClassifier().fit(X, y, sample_weight=np.where(HAS, 0, 1))
    model = ProKeRClassifier(method="proker").fit(X[HAS][:9], CODES[HAS][:9])
    more = ProKeRClassifier(method="proker").fit(X[HAS][:9], CODES[HAS][:9])
    model.partial_fit(X[12:], np.where(HAS, CODES, -1)[12:])
    more.partial_fit(X[12:][HAS[12:]], CODES[12:][HAS[12:]])
    assert np.array_equal(model.predict_proba(X), more.predict_proba(X))
    with pytest.raises(ValueError, match="y has no labelled row"):
        model.partial_fit(X[:2], [None, None])


@pytest.mark.parametrize("classes", [INTS, NAMES, BOOLS], ids=["ints", "strings", "bools"])
def test_batches_of_an_encoder_share_their_classes(classes):
    codes = CODES if len(classes) == 3 else TWO
    model = ContrastiveEncoder(objective="supcon", **CHEAP)
    model.partial_fit(X[:6], [None] * 6)
    assert len(model.classes_) == 0
    model.partial_fit(X[:6], [None, *classes[codes[1:6]].tolist()])
    model.partial_fit(X[:6], [None] * 6)
    model.partial_fit(X[6:8], classes[codes[6:8]].tolist())
    assert model.classes_.tolist() == classes.tolist()
    assert model.classes_.dtype == classes.dtype
    other = ["a", "b"] if classes.dtype.kind != "U" else [0, 1]
    with pytest.raises(ValueError, match="y holds labels such as .* and an earlier fit such as"):
        model.partial_fit(X[:2], other)


# --------------------------------------------------------------------------------- bad labels

CLASSIFIERS = ["classifier", "proker", "means", "surrogate"]
ALL_MISSING = {
    "None": [None] * 24,
    "NaN": np.full(24, np.nan),
    "-1": np.full(24, -1),
    "NA": pd.Series([pd.NA] * 24, dtype="Int64"),
    "category": pd.Series([None] * 24, dtype="category"),
    "polars": pl.Series([None] * 24),
    "polars strings": pl.Series([None] * 24, dtype=pl.String),
    "NaN and -1": np.where(HAS, np.nan, -1),
}
BAD = {
    **{f"all {k}": (v, "y has no labelled row, and .* needs at least two classes: None, NaN or -1")
       for k, v in ALL_MISSING.items()},
    "one class": (np.where(HAS, 3.0, np.nan), r"y has one class only \(3.0\)"),
    "one name": (listed(None)(NAMES[np.zeros(24, int)]), r"y has one class only \('fox'\)"),
    "strings and -1": (listed(-1)(NAMES[CODES]), "y mixes labels of the types int, str: type"),
    "strings, floats and None": (["a", 1.0, None] * 8, "y mixes labels of the types float, str"),
    "strings and True": (pd.Series(["a", True, None] * 8), "y mixes labels of the types bool, str"),
    "infinity and NaN": ([np.inf, 1.0, np.nan] * 8, "Input y contains infinity"),
    "infinity and None": ([np.inf, 1.0, None] * 8, "Input y contains infinity"),
    "fractions and NaN": ([0.5, 1.0, np.nan] * 8, "Unknown label type: continuous"),
    "fractions as objects": (np.array([0.5, 1, None] * 8, dtype=object), "Unknown label type: con"),
    "tuples": (pd.Series([("a", 1), ("b", 2), None] * 8), "y holds labels of the type tuple: turn"),
    "dates": (CODES.astype("M8[D]"), r"y holds datetime64\[D\]: turn them into numbers or strings"),
    "dates of pandas": (pd.Series(CODES.astype("M8[ns]")), r"y holds datetime64\[ns\]: turn them"),
    "spans": (CODES.astype("m8[s]"), r"y holds timedelta64\[s\]: turn them into numbers"),
    "masked": (np.ma.array(CODES, mask=~HAS), "y is a masked array that hides"),
    "two columns": (np.full((24, 2), np.nan), "y should be a 1d array"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bad_labels(name, case):
    y, match = BAD[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=match) as caught:
            ESTIMATORS[name].fit(X, y)
    assert one_sentence(caught.value), str(caught.value)


@pytest.mark.parametrize("case", ALL_MISSING)
def test_an_encoder_can_do_without_labels(case):
    model = ContrastiveEncoder(objective="supcon", **CHEAP)
    expected = model.fit(X, np.full(24, -1)).transform(X)
    assert np.array_equal(model.fit(X, ALL_MISSING[case]).transform(X), expected)
    assert len(model.classes_) == 0


@pytest.mark.parametrize(
    "column",
    [
        lambda y: np.array(y, dtype=object)[:, None],
        lambda y: pd.DataFrame({"y": pd.Series(y, dtype="string")}),
        lambda y: pd.DataFrame({"y": pd.Categorical(y)}),
        lambda y: pl.DataFrame({"y": y}),
        lambda y: [[label] for label in y],
    ],
    ids=["array", "pandas", "category", "polars", "list"],
)
@pytest.mark.parametrize("name", ["supcon", *CLASSIFIERS])
def test_a_column_warns_as_everywhere(name, column):
    y = listed(None)(NAMES[CODES])
    _, expected = result(ESTIMATORS[name], y)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model = ESTIMATORS[name].fit(X, column(y))
    assert model.classes_.tolist() == NAMES.tolist()
    found = model.transform(X) if name == "supcon" else model.predict_proba(X)
    assert np.array_equal(found, expected)
