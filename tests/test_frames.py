"""Data frames with categories and missing values."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.frame import FrameColumns, is_plain
from skcontrast.inspection import TangentSurrogate, attribute

N = 90
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
FRAME = pd.DataFrame(
    {
        "color": RNG.choice(["red", "green", "blue"], N),
        "width": RNG.normal(size=N) + Y,
        "size": pd.Categorical(RNG.choice([1, 2], N)),
        "new": RNG.random(N) < 0.5,
        "count": pd.array(RNG.integers(0, 9, N), dtype="Int64"),
    }
)
FRAME.loc[::7, "width"] = np.nan
FRAME.loc[::11, "color"] = None
FRAME.loc[3, "count"] = pd.NA
CATEGORIES = ["color", "size"]
# Its columns: width, new, count, width and count missing, 4 colors, 2 sizes.
FEATURES = [0, 1, 2, 0, 2, 3, 3, 3, 3, 4, 4]
ONE_HOT = "skcontrast._inputs.table.one_hot_groups"


def encoder(**params):
    return ContrastiveEncoder(**{"max_iter": 2, "random_state": 0, "n_components": 4, **params})


def by_hand():
    """The matrix of FRAME, column after column."""
    numbers = FRAME[["width", "new", "count"]].astype("Float64").to_numpy(float, na_value=np.nan)
    filled = np.where(np.isnan(numbers), np.nanmedian(numbers, axis=0), numbers)
    columns = [*filled.T, np.isnan(numbers[:, 0]), np.isnan(numbers[:, 2])]
    color, size = FRAME["color"], FRAME["size"]
    columns += [color == "blue", color == "green", color == "red", color.isna()]
    return np.column_stack([*columns, size == 1, size == 2]).astype(float)


def as_polars(frame):
    sizes = frame["size"].astype(str).where(frame["size"].notna(), None)
    return pl.from_pandas(frame.assign(size=sizes)).with_columns(
        pl.col("size").cast(pl.Categorical)
    )


@pytest.fixture(scope="module")
def fitted():
    return encoder().fit(FRAME)


def test_a_frame_is_the_matrix_made_by_hand(fitted):
    expansion = fitted.input_.expansion_
    assert np.array_equal(expansion.transform(FRAME), by_hand())
    assert expansion.features.tolist() == FEATURES
    assert fitted.n_features_in_ == 5 and list(fitted.feature_names_in_) == list(FRAME)
    assert fitted.input_.n_features == fitted.input_.mean_.size == 11


@pytest.mark.parametrize("views", ["corruption", ("neighbors", "corruption"), "mask", "swap"])
def test_a_frame_embeds_as_the_matrix(monkeypatch, views):
    monkeypatch.setattr(
        "skcontrast._inputs.table.one_hot_groups", lambda X, chunk: np.array(FEATURES)
    )
    expected = encoder(views=views).fit_transform(by_hand())
    assert np.array_equal(encoder(views=views).fit_transform(FRAME), expected)
    monkeypatch.setattr(ONE_HOT, lambda X, chunk: None)
    # The groups of columns were read.
    assert not np.array_equal(encoder(views=views).fit_transform(by_hand()), expected)


def test_pandas_and_polars_are_alike(fitted):
    other = as_polars(FRAME)
    expected = fitted.transform(FRAME)
    assert np.array_equal(encoder().fit(other).transform(FRAME), expected)
    assert np.array_equal(fitted.transform(other), expected)
    floats = FRAME.astype({"count": "float64", "color": "category", "new": object})
    assert np.array_equal(fitted.transform(floats), expected)


ESTIMATORS = [
    skcontrast.KernelConditionalContrastive(max_iter=2, random_state=0),
    skcontrast.SupervisedContrastiveClassifier(
        ContrastiveEncoder(objective="supcon", max_iter=2), random_state=0
    ),
    skcontrast.SupervisedContrastiveRegressor(
        ContrastiveEncoder(objective="y_aware", max_iter=2),
        random_state=0,
        interval="neighbors",
        finetune=True,
        finetune_iter=2,
    ),
]


@pytest.mark.parametrize("model", ESTIMATORS, ids=lambda m: type(m).__name__)
def test_other_estimators(model, monkeypatch):
    method = "predict" if hasattr(model, "predict") else "transform"
    out = getattr(model.fit(FRAME, Y), method)(FRAME)
    monkeypatch.setattr(
        "skcontrast._inputs.table.one_hot_groups", lambda X, chunk: np.array(FEATURES)
    )
    assert np.array_equal(getattr(model.fit(by_hand(), Y), method)(by_hand()), out)


def test_search_in_a_pipeline():
    pipeline = make_pipeline(encoder(max_iter=1), LogisticRegression())
    grid = {"contrastiveencoder__views__rate": [0.3, 0.6]}
    pipeline.set_params(contrastiveencoder__views="corruption")
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(FRAME, Y)
    assert search.predict(FRAME[:5]).shape == (5,)


def test_set_output(fitted):
    model = encoder().set_output(transform="pandas").fit(FRAME)
    rows = FRAME[20:30]
    out = model.transform(rows)
    assert out.index.equals(rows.index) and list(out) == list(model.get_feature_names_out())
    assert np.array_equal(out.to_numpy(), fitted.transform(rows))


def test_saved_and_read_again(fitted, tmp_path):
    expected = fitted.transform(FRAME)
    skcontrast.save(fitted, tmp_path)
    for again in (pickle.loads(pickle.dumps(fitted)), skcontrast.load(tmp_path)):
        assert np.array_equal(again.transform(FRAME), expected)


def with_value(column, value):
    return FRAME[:3].astype({column: object}).assign(**{column: [value, *FRAME[column][1:3]]})


def test_values_that_fit_did_not_see(fitted):
    def matrix(column, value):
        return fitted.input_.expansion_.transform(with_value(column, value))[0]

    assert not matrix("color", "mauve")[5:9].any()
    for missing in (None, np.nan, pd.NA):
        assert matrix("color", missing)[8] == 1
        # Nothing was missing there in fit, so no column says that something is.
        assert matrix("new", missing)[1] == np.median(FRAME["new"])
        assert not matrix("size", missing)[9:].any()
        for column in ("color", "new", "size", "width"):
            assert np.isfinite(fitted.transform(with_value(column, missing))).all()


def test_categories_that_are_numbers_without_a_float():
    values = pd.Series([10**400, np.inf, 2.0, 0.5] * 9, dtype=object)
    try:
        frame = pd.DataFrame({"c": values.astype("category")})
    except OverflowError:
        pytest.skip("this pandas has no such categories")
    made = FrameColumns().fit(frame)
    assert sorted(made.categories[0]) == ["0.5", "1" + "0" * 400, "2", "inf"]
    assert np.array_equal(made.transform(frame).sum(axis=1), np.ones(36))


def test_rare_categories_share_a_column():
    frame = pd.DataFrame({"c": ["a"] * 500 + ["b"] * 480 + ["r1"] * 9 + ["r2"] * 9 + [None] * 2})
    made = FrameColumns().fit(frame)
    assert made.categories[0].tolist() == ["a", "b", None] and made.has_rare == [True]
    rows = pd.DataFrame({"c": ["b", "r2", "unknown", None]})
    expected = [[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0]]
    assert made.transform(rows).tolist() == expected
    names = frame.assign(name=[f"row {i}" for i in range(1000)], x=1.0)
    assert FrameColumns().fit(names).features.tolist() == [0, 1, 1, 1, 1]
    many = pd.DataFrame({"c": np.arange(5000) % 250}).astype("category")
    assert FrameColumns().fit(many).n_columns == 100


def test_partial_fit_and_warm_start_go_on_with_the_columns_of_the_first():
    part = FRAME[FRAME["color"] != "red"]
    model = encoder(warm_start=True).fit(FRAME)
    model.fit(part).partial_fit(part)
    assert model.input_.expansion_.features.tolist() == FEATURES
    model, made = encoder().partial_fit(part).partial_fit(FRAME), FrameColumns().fit(part).n_columns
    assert made < 11  # no column for red
    assert model.transform(FRAME).shape == (N, 4) and model.input_.n_features == made
    model.fit(by_hand())
    assert model.input_.expansion_ is None and model.n_features_in_ == 11


def test_a_plain_frame_is_read_as_an_array():
    frame = FRAME[["width", "new"]].fillna(0.0)
    assert is_plain(frame) and not is_plain(FRAME) and not is_plain(FRAME[["width"]])
    model, array = encoder().fit(frame), frame.astype(float).to_numpy()
    assert model.input_.n_features == 2
    assert np.array_equal(model.transform(frame), encoder().fit_transform(array))
    later = frame.assign(width=np.where(np.arange(N) == 4, np.nan, frame["width"]))
    filled = later.fillna(frame["width"].median())
    assert np.array_equal(model.transform(later), model.transform(filled))


def test_numbers_with_missing_ones_alone():
    frame = FRAME[["width", "count"]]
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    matrix = imputer.fit_transform(frame.astype(float).to_numpy())
    model = encoder().fit(frame)
    assert np.array_equal(model.input_.expansion_.transform(frame), matrix)
    whole = frame.dropna().astype(float)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        out = model.transform(whole.to_numpy())
    assert np.array_equal(out, model.transform(whole))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="Input X contains NaN"):
        model.transform(frame.astype(float).to_numpy())


def test_float32_stays():
    frame = FRAME[["color"]].assign(width=FRAME["width"].astype("float32"))
    assert encoder().fit_transform(frame).dtype == np.float32
    assert encoder().fit_transform(FRAME[["color"]]).dtype == np.float64


def test_callbacks_may_embed_what_they_are_given(fitted):
    # What a fit hands to callbacks is the matrix.
    assert np.array_equal(fitted.transform(by_hand()), fitted.transform(FRAME))


def test_the_tangent_kernel_reads_the_matrix(fitted):
    matrix, rows = fitted.input_.expansion_.transform(FRAME), 3
    surrogate = TangentSurrogate(fitted).fit(matrix, Y)
    shares = attribute(surrogate, None, matrix[:rows])
    assert shares.shape == (rows, N) and np.isfinite(shares).all()
    with pytest.raises(ValueError, match="5 columns, but the ContrastiveEncoder .* 11"):
        TangentSurrogate(fitted).fit(matrix[:, :5], Y)
    before = FunctionTransformer(lambda X: pd.DataFrame(X).replace(0.0, np.nan))
    pipeline = make_pipeline(before, encoder()).fit(matrix[:, :7])
    with pytest.raises(ValueError, match="of the Pipeline was fitted on a DataFrame"):
        TangentSurrogate(pipeline).fit(matrix[:, :7], Y)


STRINGS = "X holds strings .*: pass a pandas or polars DataFrame"
DATES = pd.date_range("2020-01-01", periods=N)


@pytest.mark.parametrize(
    "X, message",
    [
        (FRAME.to_numpy(dtype=object)[:, :1], STRINGS),
        ([["a", 1.0], ["b", 2.0]], STRINGS),
        (FRAME.assign(width=np.nan), "Column 'width' of X has no value"),
        (FRAME.assign(color=None), "Column 'color' of X has no value"),
        (FRAME.assign(width=DATES), "Column 'width' of X holds datetime64.*numbers, bools"),
        (FRAME.assign(width=[[1]] * N), "Column 'width' of X holds object"),
        (pl.DataFrame({"a": [[1], [2]]}), r"Column 'a' of X holds List"),
        (FRAME.assign(width=np.inf), "Input X contains infinity"),
        (
            FRAME.assign(width=pd.Series([10**400] * N, dtype=object)),
            "Column 'width' of X holds an integer beyond the",
        ),
        (
            pd.DataFrame({"a": pd.Series([10**400] * N, dtype=object)}),
            "X holds an integer beyond the range of float64",
        ),
        (FRAME[:1], "1 sample.*minimum of 2"),
        (FRAME[:0], "0 sample.*minimum of 2"),
        (pd.DataFrame({"id": [f"row {i}" for i in range(300)]}), "no category is in enough rows"),
    ],
)
def test_bad_frames_in_fit(X, message):
    model = encoder()
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    "X, message",
    [
        (FRAME.to_numpy(), r"X is a ndarray, but fit read a DataFrame .*\('color', 'size'\)"),
        (FRAME.drop(columns="width"), "feature names should match"),
        (FRAME.rename(columns={"width": "w"}), "feature names should match"),
        (FRAME.assign(width="wide"), "Column 'width' of X held numbers in fit"),
        (as_polars(FRAME).with_columns(width=pl.lit("a")), "Column 'width' of X held numbers"),
        (FRAME.assign(width=DATES), "Column 'width' of X holds datetime64"),
    ],
)
def test_other_columns_than_in_fit(fitted, X, message):
    with pytest.raises(ValueError, match=message):
        fitted.transform(X)


def test_a_frame_after_an_array(fitted):
    model = encoder().fit(np.ones((4, 5)))
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="categories .'color', 'size'"):
        model.transform(FRAME)


def test_a_failed_fit_leaves_the_columns(fitted):
    model = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.full((4, 2), np.nan))
    assert np.array_equal(model.transform(FRAME), fitted.transform(FRAME))
