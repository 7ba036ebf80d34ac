"""Saved pipelines: steps of scikit-learn beside those of the package."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.feature_selection
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_regression
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from test_persistence import edit

import skcontrast
from skcontrast import ContrastiveEncoder, Word2VecVectorizer
from skcontrast._saved.heads import FUNCTIONS, class_of
from skcontrast._saved.step_tables import PLACES

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5))
Y = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)]
TEXTS = ["a cat sat on the mat", "the dog sat on a cat", "tea with milk and sugar"] * 20
FRAME = pd.DataFrame(X, columns=list("vwxyz")).assign(
    kind=np.where(X[:, 2] > 0, "left", "right"), size=np.where(X[:, 3] > 0, 1.0, np.nan)
)
FRAME.loc[::7, "kind"] = None


def encoder(**params):
    return ContrastiveEncoder(n_components=3, max_iter=1, random_state=0, **params)


ORDINAL = {"handle_unknown": "use_encoded_value", "unknown_value": -1, "encoded_missing_value": -2}
# Those whose default cannot be fitted quickly, or has state that the default leaves out.
MADE = {
    "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=3),
    "HistGradientBoostingRegressor": HistGradientBoostingRegressor(max_iter=3),
    "OrdinalEncoder": OrdinalEncoder(**ORDINAL),
    "FunctionTransformer": FunctionTransformer(feature_names_out="one-to-one"),
    "QuantileTransformer": QuantileTransformer(n_quantiles=10),
    **{
        cls.__name__: cls(n_estimators=3, random_state=0)
        for cls in (RandomForestClassifier, RandomForestRegressor)
        + (ExtraTreesClassifier, ExtraTreesRegressor)
    },
}
APART = {"KFold", "LabelBinarizer", "Pipeline", "ColumnTransformer", "FeatureUnion"}
APART |= {"FrozenEstimator", "StackingRegressor", "MultiOutputRegressor"}  # in test_saved_folders
ON_TEXTS = {"CountVectorizer", "TfidfVectorizer"}
ON_CATEGORIES = {"OneHotEncoder", "OrdinalEncoder"}


def of_class(name):
    """A fitted pipeline around one class, and rows to ask it about."""
    step = clone(MADE[name] if name in MADE else class_of(name)())
    if "random_state" in step.get_params():
        step.set_params(random_state=0)
    if "n_components" in step.get_params():
        step.set_params(n_components=3)
    if name in ON_TEXTS:
        return make_pipeline(step, encoder()).fit(TEXTS), TEXTS
    if name in ON_CATEGORIES:
        return make_pipeline(step, encoder()).fit(FRAME[["kind", "size"]]), FRAME[["kind", "size"]]
    rows = np.abs(X) if name.startswith("Select") else X
    if is_classifier(step):
        return make_pipeline(encoder(), step).fit(rows, Y), rows
    if is_regressor(step):
        return make_pipeline(encoder(), step).fit(rows, X[:, 0]), rows
    if "n_features_to_select" not in step.get_params() and name == "SelectKBest":
        step.set_params(k=2)
    return make_pipeline(step, encoder()).fit(rows, Y), rows


def answers(model, rows):
    for method in ("predict", "predict_proba", "decision_function", "transform"):
        if hasattr(model, method):
            out = getattr(model, method)(rows)
            yield method, out.toarray() if sp.issparse(out) else out
    if hasattr(model, "transform") and hasattr(model, "get_feature_names_out"):
        yield "names", model.get_feature_names_out()


def assert_same(one, other, rows):
    found = list(zip(answers(one, rows), answers(other, rows), strict=True))
    assert found
    for (method, a), (_, b) in found:
        assert type(a) is type(b), method
        np.testing.assert_array_equal(a, b, err_msg=method)


def through(model, folder):
    skcontrast.save(model, folder)
    return skcontrast.load(folder)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(PLACES.keys() - APART))
def test_every_class_comes_back(name, tmp_path):
    model, rows = of_class(name)
    loaded = through(model, tmp_path)
    assert_same(loaded, model, rows)
    assert repr(loaded) == repr(model)
    through(clone(model), tmp_path)  # one that is not fitted


def columns():
    return ColumnTransformer(
        [
            ("scaled", make_pipeline(StandardScaler(), encoder()), ["v", "w"]),
            ("words", OneHotEncoder(min_frequency=3, handle_unknown="ignore"), ["kind"]),
            ("as they are", "passthrough", ["x"]),
            ("gone", "drop", slice("y", "y")),
        ],
        remainder=OrdinalEncoder(**ORDINAL),
    )


def search():
    model = make_pipeline(encoder(), LogisticRegression())
    return GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(X, Y)


SHAPES = {
    "columns": (lambda: columns().fit(FRAME), FRAME),
    "columns by number": (
        lambda: ColumnTransformer([("e", encoder(), [0, 1, 2]), ("p", "passthrough", slice(3, 5))])
        .fit(X), X,
    ),
    "columns by mask": (
        lambda: ColumnTransformer([("e", encoder(), np.arange(5) < 3)], remainder="passthrough")
        .fit(X), X,
    ),
    "columns, then a head": (
        lambda: make_pipeline(columns(), KNeighborsClassifier(3)).fit(FRAME, Y), FRAME,
    ),
    "frames out": (lambda: columns().set_output(transform="pandas").set_params(
        words=OneHotEncoder(sparse_output=False)).fit(FRAME), FRAME),
    "union": (
        lambda: make_pipeline(make_union(encoder(), StandardScaler(), "passthrough"), Ridge())
        .fit(X, X[:, 0]), X,
    ),
    "weighted union": (
        lambda: FeatureUnion([("a", encoder()), ("b", StandardScaler()), ("c", "drop")],
                             transformer_weights={"a": 2.0}).fit(X), X,
    ),
    "pipeline in a pipeline": (
        lambda: make_pipeline(make_pipeline(StandardScaler(), encoder()), "passthrough", Ridge())
        .fit(X, X[:, 0]), X,
    ),
    "supervised": (
        lambda: make_pipeline(StandardScaler(), skcontrast.SupervisedContrastiveClassifier(
            encoder(objective="supcon"), random_state=0)).fit(X, Y), X,
    ),
    "texts": (
        lambda: make_pipeline(
            Word2VecVectorizer(4, min_count=1, sample=0, random_state=0), LogisticRegression()
        ).fit(TEXTS, np.arange(60) % 3), TEXTS,
    ),
    "of a search": (lambda: search().best_estimator_, X),
    "rare and dropped categories": (
        lambda: make_pipeline(
            OneHotEncoder(min_frequency=30, drop="first", handle_unknown="infrequent_if_exist"),
            encoder(),
        ).fit(FRAME[["kind", "size"]]), FRAME[["kind", "size"]],
    ),
    "a score function": (
        lambda: make_pipeline(SelectKBest(f_regression, k=3), encoder()).fit(X, X[:, 0]), X,
    ),
    "a forest of frames": (
        lambda: make_pipeline(
            ColumnTransformer([("n", "passthrough", ["v", "w"])]).set_output(transform="pandas"),
            RandomForestClassifier(3, random_state=0),
        ).fit(FRAME, Y), FRAME,
    ),
    "two classes": (
        lambda: make_pipeline(encoder(), HistGradientBoostingClassifier(max_iter=2))
        .fit(X, X[:, 0] > 0), X,
    ),
    "a column without a value": (
        lambda: make_pipeline(class_of("SimpleImputer")(), encoder())
        .fit(np.column_stack([X, np.full(60, np.nan)])), np.column_stack([X, np.full(60, np.nan)]),
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_every_shape_comes_back(name, tmp_path):
    make, rows = SHAPES[name]
    model = make()
    loaded = through(model, tmp_path)
    assert_same(loaded, model, rows)
    assert_same(through(loaded, tmp_path), model, rows)  # and again


def test_a_loaded_pipeline_is_fitted_again_as_the_first(tmp_path):
    model = make_pipeline(StandardScaler(), encoder(), LogisticRegression()).fit(X, Y)
    loaded = through(model, tmp_path)
    assert_same(loaded.fit(X[:40], Y[:40]), model.fit(X[:40], Y[:40]), X)


def test_an_unfitted_pipeline_stays_unfitted(tmp_path):
    loaded = through(make_pipeline(StandardScaler(), encoder(), Ridge()), tmp_path)
    with pytest.raises(NotFittedError):
        loaded.predict(X)


class Mine(BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (make_pipeline(encoder(), SVC()), r"step 'svc' is a SVC, which save does not cover: use j"),
        (make_pipeline(Mine(), encoder()), r"step 'mine' is a Mine, which save does not cover"),
        (
            ColumnTransformer([("a", make_pipeline(PolynomialFeatures(), encoder()), [0])]),
            r"step 'a__polynomialfeatures' is a PolynomialFeatures, which",
        ),
        (make_union(encoder(), Mine()), r"step 'mine' is a Mine"),
        (Pipeline([("log", FunctionTransformer(np.log1p)), ("e", encoder())]), r"in step 'log'\)"),
        (
            ColumnTransformer([("n", encoder(), make_column_selector("v"))]),
            r"is a make_column_selector \(in step 'n'\), which cannot be saved",
        ),
        (make_pipeline(TfidfVectorizer(tokenizer=str.split), encoder()), r"in step 'tfidfv"),
        (
            make_pipeline(KNeighborsClassifier()).fit(X, np.stack([Y, Y], 1)),
            r"step 'kneighborsclassifier' cannot be saved: .* several targets",
        ),
        (GridSearchCV(encoder(), {}), r"got GridSearchCV: use joblib"),
    ],
)
def test_save_names_the_step_that_is_not_covered(model, sentence, tmp_path):
    with pytest.raises(TypeError, match=sentence) as error:
        skcontrast.save(model, tmp_path / "model")
    assert str(error.value).count(". ") == 0  # one sentence
    assert not (tmp_path / "model").exists()


def test_of_a_search_the_best_is_saved(tmp_path):
    found = search()
    with pytest.raises(TypeError, match=r"type skcontrast.save\(search.best_estimator_, folder\)"):
        skcontrast.save(found, tmp_path)


# ------------------------------------------------------------------ folders of strangers


def set_in(*path):
    """A change of the description at a path, whose last entry is the new value."""
    *steps, key, value = path

    def change(description):
        here = description["estimator"]
        for step in steps:
            here = here[step]
        here[key] = value

    return change


def step(i, *path):
    return ("params", "steps", "list", i, "tuple", 1, *path)


LIES = {
    "a class that is not there": ("LogisticRegression", step(1, "sklearn", "SVC"), "'SVC' is not"),
    "a memory": ("LogisticRegression", ("params", "memory", "folder"), "has a memory"),
    "no transformer": (
        "LogisticRegression",
        step(0, {"sklearn": "Ridge", "params": {}, "fitted": {}}),
        "does not transform",
    ),
    "other columns": ("PCA", step(0, "fitted", "n_features_in_", 4), "mean_ of a PCA|components_"),
    "another attribute": ("PCA", step(0, "fitted", "fit", 3), "'fit' is not what a PCA learns"),
    "files": ("TfidfVectorizer", step(0, "params", "input", "filename"), "which reads files"),
    "long n-grams": (
        "TfidfVectorizer",
        step(0, "params", "ngram_range", {"tuple": [1, 10**9]}),
        "ngram_range above 100",
    ),
    "words beyond the table": (
        "TfidfVectorizer",
        step(0, "fitted", "vocabulary_", {"dict": {"cat": 10**6}}),
        "no numbering",
    ),
    "a pattern without end": (
        "TfidfVectorizer",
        step(0, "params", "token_pattern", "(a+)+$"),
        "may take forever",
    ),
    "weights of other words": (
        "TfidfVectorizer",
        step(0, "fitted", "vocabulary_", {"dict": {"cat": 0}}),
        "idf_ is of other words",
    ),
    "a type that runs": ("OneHotEncoder", step(0, "params", "dtype", {"number": "|O"}), "no type"),
    "a type of nothing": ("OneHotEncoder", step(0, "params", "dtype", {"number": "os"}), "no type"),
    "a function from elsewhere": (
        "SelectKBest",
        step(0, "params", "score_func", {"function": "clone"}),
        "'clone' is not a function",
    ),
    "threads": ("KNeighborsClassifier", step(1, "params", "n_jobs", 10**7), "no number of threads"),
    "an output from nowhere": (
        "StandardScaler",
        step(0, "fitted", "_sklearn_output_config", {"dict": {"transform": "os"}}),
        "none that scikit-learn knows",
    ),
    "categories of other columns": (
        "OrdinalEncoder",
        step(0, "fitted", "categories_", {"list": []}),
        "of other columns|belongs to nothing",
    ),
    "more columns than categories": (
        "OneHotEncoder",
        step(0, "fitted", "_n_features_outs", {"list": [10**9, 2]}),
        "_n_features_outs are of other categories",
    ),
    "fewer columns than categories": (
        "OneHotEncoder",
        step(0, "fitted", "_n_features_outs", {"list": [1, 2]}),
        "_n_features_outs are of other categories",
    ),
    "a column beyond the last": (
        "ColumnTransformer",
        ("fitted", "transformers_", "list", 0, "tuple", 2, {"list": [0, 10**9]}),
        "1000000000 is no column",
    ),
    "a column of another name": (
        "ColumnTransformer",
        ("fitted", "_columns", "list", 0, {"list": ["os"]}),
        "'os' is no column",
    ),
    "a name that is none": ("PCA", ("params", "steps", "list", 0, "tuple", 0, 1), "name is no str"),
    "weights that are none": (
        "FeatureUnion",
        ("params", "transformer_weights", {"list": [1]}),
        "no dict",
    ),
    "a dtype that is none": ("OneHotEncoder", step(0, "params", "dtype", -1), "dtype of a OneHot"),
    "missing categories": (
        "OrdinalEncoder",
        step(0, "fitted", "_missing_indices", {"pairs": [[0, "x"]]}),
        "_missing_indices are no places",
    ),
    "no classes": ("RandomForestClassifier", step(1, "fitted", "classes", None), "no classes"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(LIES))
def test_what_a_stranger_writes_is_refused(name, tmp_path):
    of, change, sentence = LIES[name]
    made = {
        "ColumnTransformer": SHAPES["columns by number"],
        "FeatureUnion": SHAPES["weighted union"],
    }
    skcontrast.save(made[of][0]() if of in made else of_class(of)[0], tmp_path)
    edit(tmp_path, set_in(*change))
    with pytest.raises(ValueError, match=sentence) as error:
        skcontrast.load(tmp_path)
    assert str(error.value).startswith(repr(str(tmp_path)))


ZEROS = {
    "RandomForestClassifier": ("nodes.left_child", "a tree has a"),
    "HistGradientBoostingClassifier": ("nodes.left", "a tree has a"),
    "GaussianNB": ("class_prior_", "class_prior_ is not 1 in all"),
    "RobustScaler": ("scale_", "not >0"),
}


@pytest.mark.parametrize("name", ZEROS)
def test_arrays_of_zeros_are_refused(name, tmp_path):
    import safetensors.numpy

    from skcontrast import persistence

    ending, sentence = ZEROS[name]
    skcontrast.save(of_class(name)[0], tmp_path)
    (path,) = tmp_path.glob("arrays-*")
    arrays = safetensors.numpy.load(path.read_bytes())
    key = next(key for key in arrays if key.endswith(ending) and ".1.input_" not in key)
    arrays[key] = np.zeros_like(arrays[key])
    content = safetensors.numpy.save(arrays)
    digest = persistence.hashlib.sha256(content).hexdigest()
    (tmp_path / persistence._arrays_name(digest)).write_bytes(content)
    edit(tmp_path, lambda description: description.update(sha256=digest))
    with pytest.raises(ValueError, match=sentence):
        skcontrast.load(tmp_path)


def test_functions_are_those_of_scikit_learn():
    for name in FUNCTIONS:
        assert callable(getattr(sklearn.feature_selection, name))


def test_docstring_and_guide_name_what_is_covered():
    guide = (Path(__file__).parents[1] / "docs" / "reproducibility.md").read_text(encoding="utf-8")
    for name in PLACES.keys() - {"KFold", "LabelBinarizer"}:
        assert name in skcontrast.save.__doc__, name
        assert f"`{name}`" in guide, name


def test_the_description_can_be_read(tmp_path):
    skcontrast.save(make_pipeline(Normalizer(), VarianceThreshold(), encoder()).fit(X), tmp_path)
    said = json.loads((tmp_path / "estimator.json").read_text())["estimator"]
    assert said["sklearn"] == "Pipeline"
    kinds = [entry["tuple"][1] for entry in said["params"]["steps"]["list"]]
    names = [kind.get("sklearn", kind.get("class")) for kind in kinds]
    assert names == ["Normalizer", "VarianceThreshold", "ContrastiveEncoder"]
