"""Blocks, and which columns of a table are which."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from multiview_cases import TEXTS, A, B, X, Y, encoder, of_blocks, three
from sklearn import __version__ as sklearn_version
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.fixes import parse_version

from skcontrast.multiview import Blocks

NAMES = [f"a__{j}" for j in range(5)] + [f"b__{j}" for j in range(4)]
FRAME = pd.DataFrame(X, columns=NAMES)


def test_rows_are_selected_as_those_of_an_array(tmp_path):
    disk = np.memmap(tmp_path / "a", dtype=np.float64, mode="w+", shape=A.shape)
    disk[:] = A
    blocks = Blocks(a=disk, f=FRAME, p=pl.DataFrame({"x": A[:, 0]}), t=TEXTS, s=sp.csr_array(B))
    for key in (
        slice(3, 9),
        np.arange(3, 9),
        [3, 4, 5, 6, 7, 8],
        np.isin(np.arange(60), range(3, 9)),
    ):
        some = blocks[key]
        assert some.shape == (6, 5) and len(some) == 6 and some.names == blocks.names
        assert np.array_equal(some["a"], A[3:9]) and some["t"] == TEXTS[3:9]
        assert np.array_equal(some["s"].toarray(), B[3:9]) and list(some["f"].index) == list(
            range(3, 9)
        )
        assert some["p"].shape == (6, 1)
    assert isinstance(blocks[:5]["a"], np.memmap)
    train, test, y, _ = train_test_split(blocks, Y, stratify=Y, random_state=0)
    assert len(train) + len(test) == 60 and len(y) == len(train)
    assert pickle.loads(pickle.dumps(three()))["t"] == TEXTS
    masked = Blocks(a=A, b=B, present={"b": Y == 0})
    assert masked[[0, 1]].present["b"].tolist() == [True, False]


def test_it_does_not_change():
    blocks = Blocks(a=A, b=B)
    with pytest.raises(AttributeError, match="Blocks do not change"):
        blocks.a = B
    with pytest.raises(TypeError, match="selected by name"):
        list(blocks)
    with pytest.raises(ValueError, match="X names the block 'bb', and there are 'a', 'b'. Did you"):
        blocks["bb"]


@pytest.mark.parametrize(
    "made, message",
    [
        (lambda: Blocks(a=A, b=B[:7]), "Block 'b' has 7 rows, and block 'a' 60"),
        (lambda: Blocks(a=A, b=B[:, 0]), r"Block 'b' has the shape \(60,\): type np.reshape"),
        (lambda: Blocks(a=A, b="text"), "Block 'b' is a str: pass a 2-d table"),
        (lambda: Blocks(), r"Blocks\(\) holds nothing"),
        (lambda: Blocks(a=A, present={"c": Y == 0}), "present names the block 'c'"),
        (lambda: Blocks(a=A, present={"a": Y}), r"present\['a'\] is an array of int64"),
    ],
)
def test_what_is_no_block_is_refused(made, message):
    with pytest.raises(ValueError, match=message):
        made()


FORMS = {
    "widths": [5, 4],
    "the rest": [5, -1],
    "slices": {"a": slice(0, 5), "b": slice(5, None)},
    "numbers": {"a": [0, 1, 2, 3, 4], "b": np.arange(5, 9)},
    "masks": {"a": np.arange(9) < 5, "b": np.arange(9) >= 5},
    "negative": {"a": [-9, -8, -7, -6, -5], "b": slice(-4, None)},
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_say_the_same(form):
    expected = encoder().fit(X).transform(X)
    assert np.array_equal(encoder(blocks=FORMS[form]).fit(X).transform(X), expected)


@pytest.mark.parametrize("frame", [FRAME, pl.from_pandas(FRAME)], ids=["pandas", "polars"])
def test_forms_of_names_say_the_same(frame):
    expected = encoder().fit(X).transform(X)
    named = {"a": NAMES[:5], "b": NAMES[5:]}
    chosen = [named, "prefix", [5, 4], {"a": slice("a__0", "a__4"), "b": named["b"]}]
    if isinstance(frame, pd.DataFrame):
        by_pattern = {name: make_column_selector(f"^{name}__") for name in "ab"}
        chosen.append(by_pattern)
    for blocks in chosen:
        model = encoder(blocks=blocks).fit(frame)
        np.testing.assert_allclose(model.transform(frame), expected, atol=1e-4)
        # An older scikit-learn finds no names in frames of a new polars.
        if isinstance(frame, pd.DataFrame) or parse_version(sklearn_version) >= parse_version(
            "1.9"
        ):
            assert list(model.feature_names_in_) == NAMES


def test_prefixes_are_those_of_a_column_transformer():
    columns = ColumnTransformer(
        [("left", StandardScaler(), NAMES[:5]), ("right", StandardScaler(), NAMES[5:])]
    ).set_output(transform="pandas")
    model = make_pipeline(columns, encoder(blocks="prefix")).fit(FRAME)
    assert model[-1].input_.names == ("left", "right")
    assert list(model[-1].get_feature_names_out())[-1] == "right2"


def test_other_columns_are_ignored_and_shared_ones_are_in_both():
    blocks = {"a": [0, 1, 2], "b": [2, 5, 6]}
    model = encoder(blocks=blocks).fit(X)
    assert model.input_.ignored_columns_ == [3, 4, 7, 8]
    other = X.copy()
    other[:, [3, 4, 7, 8]] = 0
    assert np.array_equal(model.transform(other), model.transform(X))
    assert (
        encoder(blocks={"a": ["a__0"], "b": NAMES[5:]}).fit(FRAME).input_.ignored_columns_
        == NAMES[1:5]
    )


def test_a_name_by_itself_is_a_column_of_texts():
    frame = FRAME.assign(title=TEXTS, kind=np.where(Y == 0, "x", "y"))
    blocks = {"numbers": [*NAMES[:5], "kind"], "title": "title"}
    model = encoder(blocks=blocks).fit(frame)
    kinds = [kind for _, kind, _ in model.input_.layout]
    assert kinds == ["numbers", "tokens"] and model.input_.inputs_["numbers"].n_features == 7
    assert model.transform_block(["high1 low2"], "title").shape == (1, 3)
    frame.loc[3, "title"] = None
    assert not encoder(blocks=blocks).fit(frame).transform(frame).shape[0] - 60


def refused(match, data=X, **params):
    with pytest.raises(ValueError, match=match) as caught:
        encoder(**params).fit(data)
    assert "\n" not in str(caught.value)


def test_wrong_forms_are_refused_in_one_sentence():
    refused("X is one table of n_features=9 columns, and blocks=None does not say", blocks=None)
    refused(r"blocks=\[5, 5\] takes 10 columns, and X has n_features=9", blocks=[5, 5])
    refused(r"blocks=\[9\] makes 1 block of the n_features=9", blocks=[9])
    refused(r"blocks=\[0, 9\] must hold numbers of columns of at least 1", blocks=[0, 9])
    refused("blocks='prefix' reads names of columns, and X has none", blocks="prefix")
    refused(
        r"blocks\['b'\] names 'b__0x', which is no column of X. Did you mean 'b__0'\?",
        FRAME,
        blocks={"a": NAMES[:5], "b": ["b__0x"]},
    )
    refused(
        r"blocks\['b'\] selects the column 9, and X has n_features=9", blocks={"a": [0], "b": [9]}
    )
    refused(
        r"blocks\['b'\]=slice\(9, 12, None\) selects none", blocks={"a": [0], "b": slice(9, 12)}
    )
    refused(
        r"blocks\['b'\] names the column 'x', and X has no names", blocks={"a": [0], "b": ["x"]}
    )
    refused(r"blocks\['b'\] is a mask of 3 columns", blocks={"a": [0], "b": [True, False, True]})
    refused(r"blocks\['b'\]=1 is one column, which is read as texts", blocks={"a": [0], "b": 1})
    refused("it holds other values: type its name in a list", FRAME, blocks={"a": [0], "b": "b__0"})
    refused("X holds one block, 'a', and two or more are needed", Blocks(a=A), blocks=None)
    refused("says which columns of a table are which, and X is Blocks", Blocks(a=A, b=B))


def test_a_search_slices_blocks():
    blocks = Blocks(a=A, t=TEXTS)
    grid = {"multiviewcontrastiveencoder__learning_rate": [1e-3, 1e-2]}
    pipe = make_pipeline(of_blocks(), LogisticRegression())
    assert GridSearchCV(pipe, grid, cv=2).fit(blocks, Y).best_score_ > 0.5
    assert np.isfinite(cross_val_score(of_blocks(), blocks, cv=2)).all()
    direct = of_blocks().fit({"a": A, "b": B})
    assert np.array_equal(direct.transform(Blocks(a=A, b=B)), direct.transform({"a": A, "b": B}))
    assert np.array_equal(of_blocks().fit([A, B]).transform([A, B]), encoder().fit(X).transform(X))


def test_a_memory_map_stays_on_disk(tmp_path):
    disk = np.memmap(tmp_path / "x", dtype=np.float32, mode="w+", shape=X.shape)
    disk[:] = X
    model = encoder().fit(disk)
    checked = model.input_.read(disk)
    assert all(isinstance(block, np.memmap) for block in checked.blocks.values())
    np.testing.assert_allclose(model.transform(disk), model.transform(np.array(disk)), atol=1e-5)
