"""What fit and transform take: containers, types, memory maps, devices, user modules."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from instances import blobs
from sklearn.base import clone
from torch import nn

import skcontrast._inputs.rows
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import Rows, table_rows
from skcontrast.networks import MLP

X, Y = blobs()
NAMES = list("abcde")
SKLEARN = tuple(int(number) for number in sklearn.__version__.split(".")[:2])


def encoder(**params):
    defaults = {
        "max_iter": 2,
        "n_components": 3,
        "passthrough": False,
        "random_state": 0,
        "views": "corruption",
    }
    small = {"network": MLP(hidden_layer_sizes=(16,))}
    return ContrastiveEncoder(**{**defaults, **small, **params})


EXPECTED = encoder().fit_transform(X)


@pytest.mark.parametrize(
    "container",
    [
        torch.tensor,
        lambda X: torch.tensor(X, requires_grad=True),
        lambda X: pd.DataFrame(X, columns=NAMES),
        lambda X: pl.DataFrame(X, schema=NAMES),
        np.asfortranarray,
        lambda X: X[::-1][::-1],
        lambda X: X.tolist(),
    ],
)
def test_containers_embed_alike(container):
    given = container(X)
    model = encoder().fit(given)
    assert np.array_equal(model.transform(given), EXPECTED)
    # scikit-learn 1.6 does not know the columns of this polars.
    if isinstance(given, pd.DataFrame) or hasattr(given, "columns") and SKLEARN >= (1, 9):
        assert model.feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int8", "uint8", "bool"])
def test_number_types(dtype):
    given = (10 * np.abs(X)).astype(dtype)
    model = encoder().fit(given)
    out = model.transform(given)
    assert out.dtype == (np.float32 if dtype == "float32" else np.float64)
    as_floats = given.astype(np.float32 if dtype == "float32" else np.float64)
    assert np.array_equal(encoder().fit_transform(as_floats), out)


def test_bfloat16_tensor():
    given = torch.tensor(X, dtype=torch.bfloat16)
    assert np.array_equal(encoder().fit_transform(given), encoder().fit_transform(given.float()))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output(library):
    frame = {"pandas": pd.DataFrame, "polars": pl.DataFrame}[library]
    model = encoder().set_output(transform=library)
    out = model.fit_transform(X)
    assert isinstance(out, frame)
    assert list(out.columns) == [f"contrastiveencoder{i}" for i in range(3)]
    assert np.array_equal(out.to_numpy(), EXPECTED)
    again = pickle.loads(pickle.dumps(model)).transform(torch.tensor(X))
    assert isinstance(again, frame)


# -------------------------------------------------------------- memory maps


def memmap_of(array, folder):
    path = folder / "rows.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint16", "float16"])
@pytest.mark.parametrize("standardize", [True, False])
def test_memory_map_equals_array(tmp_path, dtype, standardize):
    rows = (10 * np.abs(X)).astype(dtype)
    mapped = memmap_of(rows, tmp_path)
    assert isinstance(mapped, np.memmap)
    params = {"standardize": standardize, "views": ("neighbors", "corruption"), "batch_size": 16}
    model, other = encoder(**params).fit(mapped), encoder(**params).fit(rows)
    assert np.array_equal(model.transform(mapped), other.transform(rows))
    assert model.loss_curve_ == other.loss_curve_


def test_memory_map_is_never_copied_whole(tmp_path, monkeypatch):
    # With chunks of 64 rows no read may be longer, from fit to transform.
    for module in ("_inputs.rows", "_inputs.scales", "_inputs.table", "views._neighbors"):
        monkeypatch.setattr(f"skcontrast.{module}.CHUNK", 64)
    monkeypatch.setattr("skcontrast._training.checkpoint.SAMPLED_ROWS", 64)
    monkeypatch.setattr(Rows.reference, "__defaults__", (64,))
    rows = blobs(n=1000)[0]
    longest = []

    class Map(np.memmap):
        def __getitem__(self, item):
            out = super().__getitem__(item)
            longest.append(len(out) if out.ndim == 2 else 0)
            return np.asarray(out)

        def __array__(self, dtype=None, copy=None):
            raise AssertionError("the whole map was converted")

    offset = memmap_of(rows, tmp_path).offset
    mapped = Map(tmp_path / "rows.npy", np.float64, "r", offset, rows.shape)
    model = encoder(batch_size=50, early_stopping=True, views=("neighbors", "corruption"))
    model.set_params(checkpoint=tmp_path / "runs").fit(mapped)
    assert 0 < max(longest) <= 64


# ------------------------------------------------------- where the rows live


def test_rows_on_the_device_equal_rows_on_the_host(monkeypatch):
    mean, scale = X.mean(0), X.std(0)
    resident = table_rows(X, {"target": Y}, mean, scale)
    # Rows that do not fit are kept on the host and moved batch by batch. The "meta"
    # device stands for a GPU here: it shows where the batch ends up, not its values.
    hosted = table_rows(X, {"target": Y}, mean, scale)
    index = torch.tensor([3, 1, 3])
    hosted.device = torch.device("meta")
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    assert hosted.take(index).device.type == "meta"
    assert hosted.index_device.type == "cpu"
    assert torch.equal(resident.take(index), resident.__getitems__(index)["x"])
    assert resident.__getitems__(index)["target"].tolist() == Y[[3, 1, 3]].tolist()


def test_large_arrays_are_converted_in_chunks(monkeypatch):
    whole = table_rows(X, None, X.mean(0), X.std(0))
    monkeypatch.setattr(skcontrast._inputs.rows, "CHUNK", 7)
    parts = table_rows(X, None, X.mean(0), X.std(0))
    index = torch.arange(len(X))
    assert torch.equal(whole.take(index), parts.take(index))


def test_the_rows_given_are_not_written_to():
    rows = X.astype(np.float32)
    rows.setflags(write=True)
    kept = rows.copy()

    def spoil(x):
        return x.mul_(0).add_(torch.rand_like(x))

    encoder(standardize=False, views=spoil).fit(rows).transform(rows)
    assert np.array_equal(rows, kept)


# -------------------------------------------------------------- user modules


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))


def test_user_module_is_copied_and_trained():
    net = small_net()
    before = copy.deepcopy(net.state_dict())
    model = encoder(network=net, n_components=None, max_iter=5).fit(X)
    assert model.n_components_ == 4
    assert model.get_params()["network"] is net
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    start = before["0.weight"].numpy()
    trained = next(v for k, v in model.weights_.items() if k.endswith("0.weight"))
    assert not np.array_equal(start, trained)
    assert np.allclose(start, trained, atol=0.1)  # it went on from the weights given


def test_user_module_can_be_copied():
    model = encoder(network=small_net(), n_components=None).fit(X)
    expected = model.transform(X)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(other.transform(X), expected)
    assert np.array_equal(clone(model).fit(X).transform(X), expected)
    assert np.array_equal(model.fit(X).transform(X), expected)
    warm = model.set_params(warm_start=True).fit(X)
    assert not np.array_equal(warm.transform(X), expected)


def test_user_module_of_another_type():
    model = encoder(network=small_net().double(), n_components=4).fit(X)
    assert {v.dtype for v in model.weights_.values() if v.ndim} == {np.dtype(np.float32)}
    with pytest.raises(ValueError, match="gives 4 columns, but n_components=3"):
        encoder(network=small_net()).fit(X)


# ----------------------------------------------------------------- precision


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
@pytest.mark.parametrize("temperature", [0.2, "learned", "individual"])
def test_precision(precision, temperature):
    params = {"objective__temperature": temperature, "max_iter": 4}
    model = encoder(precision=precision).set_params(**params).fit(X)
    plain = encoder().set_params(**params).fit(X)
    kind = np.float64 if precision == "float64" else np.float32
    assert all(v.dtype == kind for v in model.weights_.values())
    rtol = 1e-5 if precision == "float64" else 0.05
    assert model.loss_curve_[0] == pytest.approx(plain.loss_curve_[0], rel=0.2)
    assert np.isfinite(model.transform(X)).all()
    again = encoder(precision=precision).set_params(**params).fit(X)
    np.testing.assert_allclose(again.transform(X), model.transform(X), rtol=rtol)


def test_precision_may_change_after_the_fit():
    model = encoder().fit(X)
    expected = model.transform(X)
    fine = model.set_params(precision="float64").transform(X)
    np.testing.assert_allclose(fine, expected, rtol=1e-4, atol=1e-5)
    assert not np.array_equal(fine, expected)
    assert np.array_equal(model.set_params(precision="float32").transform(X), expected)


def test_transform_changes_nothing():
    model = encoder(network=small_net(), n_components=None).fit(X)
    for fitted in (model, pickle.loads(pickle.dumps(model))):
        before, hashed = dict(vars(fitted)), joblib.hash(fitted)
        fitted.transform(X[:7])
        assert vars(fitted).keys() == before.keys()
        assert all(vars(fitted)[name] is value for name, value in before.items())
        assert joblib.hash(fitted) == hashed


@pytest.mark.parametrize("chunk", [3, 1000])
def test_columns_of_two_values_are_divided_by_their_range(monkeypatch, chunk):
    monkeypatch.setattr("skcontrast._inputs.table.CHUNK", chunk)
    rng = np.random.default_rng(0)
    rare, late = np.zeros(40), np.zeros(40)
    rare[17], late[39] = 1.0, -0.25
    columns = {
        "rare": rare,
        "other values": np.where(rng.random(40) < 0.5, -3.0, 5.0),
        "two in the last rows alone": late,
        "three at the end": np.append(rng.integers(0, 2, 39), 2.0),
        "an end that becomes a middle": np.r_[np.tile([0.0, 1.0], 10), np.tile([0.0, 3.0], 10)],
        "numbers": rng.standard_normal(40),
        "constant": np.ones(40),
    }
    table = np.column_stack(list(columns.values()))
    scale = encoder(max_iter=1).fit(table).input_.scale_
    deviation = np.where(table.std(axis=0) > 0, table.std(axis=0), 1.0)
    np.testing.assert_allclose(scale[:3], [1.0, 8.0, 0.25])
    np.testing.assert_allclose(scale[3:], deviation[3:])
