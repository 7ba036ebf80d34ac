"""Targets and side information that cannot be used, and those that can."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from bad_input import SPARSE, X, Y, assert_refused, assert_sound, encoder

from skcontrast.objectives import InfoNCE

# ---------------------------------------------------------------- target

NEED_Y = [{"objective": "supcon"}, {"sampler": "class_balanced"}]

SOUND_TARGETS = {
    "int": Y,
    "float of whole numbers": Y.astype(float),
    "uint8": Y.astype(np.uint8),
    "bool": Y > 0,
    "strings": np.array(["x", "y", "z"])[Y],
    "list of strings": [str(label) for label in Y],
    "categories": pd.Series(["x", "y"] * 10, dtype="category"),
    "all unlabelled": np.full(20, -1),
    "all missing": [None] * 20,
    "one class and unlabelled": np.where(Y == 0, 5, -1),
    "one class and missing": pd.Series([1, None] * 10, dtype="Int64"),
    "every row a class": np.arange(20),
    "tensor": torch.as_tensor(Y),
}


@pytest.mark.parametrize(
    "params", [{"objective": "supcon"}, {"sampler": "class_balanced"}], ids=str
)
@pytest.mark.parametrize("name", SOUND_TARGETS)
def test_sound_targets(name, params):
    assert_sound(X, SOUND_TARGETS[name], **params)
    assert_sound(X, SOUND_TARGETS[name], **params, batch_size=4)


REFUSED_TARGETS = {
    "none": (None, r"requires y to be passed.*type fit\(X, y\)"),
    "one class": (np.zeros(20, int), r"y has one class only \(0\).*at least two"),
    "one string": (["a"] * 20, r"y has one class only \('a'\)"),
    "continuous": (X[:, 0], "Unknown label type: continuous"),
    "inf": (np.where(Y == 0, np.inf, Y), "y contains infinity"),
    "short": (Y[:5], "y has 5 rows, but X has 20"),
    "two columns": (np.c_[Y, Y], "y should be a 1d array"),
    "a number": (3, "y should be a 1d array"),
    "mixed": ([1, "a"] * 10, "y mixes labels of the types int, str.*None for rows without"),
    "mixed objects": (np.array([-1, "a"] * 10, dtype=object), "y mixes labels"),
    "mixed and missing": ([1, "a", None, "b"] * 5, "y mixes labels of the types int, str"),
    "complex": (Y + 1j, "Complex data not supported"),
    "dates": (Y.astype("datetime64[D]"), r"y holds datetime64\[D\]: turn them into numbers"),
}


@pytest.mark.parametrize(
    "params", [{"objective": "supcon"}, {"sampler": "class_balanced"}], ids=str
)
@pytest.mark.parametrize("name", REFUSED_TARGETS)
def test_refused_targets(name, params):
    y, match = REFUSED_TARGETS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = assert_refused(match, X, y, **params)
    if "requires y" in message or "one class" in message:
        assert ("SupCon" if "objective" in params else "ClassBalanced") in message


def test_an_unused_target_is_not_looked_at():
    for y in (np.full(20, np.nan), ["anything"] * 20):
        assert_sound(X, y)
    assert_refused("y has 5 rows, but X has 20", X, Y[:5])


# ------------------------------------------------------ side information


class Needy(InfoNCE):
    """Asks for everything; module-level, so that it can be cloned."""

    requires = ("views", "condition", "prior", "groups")

    def loss(self, views, temperature, index=None, *, condition, prior, groups, **named):
        assert len(condition) == len(prior) == len(groups) == views.shape[1]
        return super().loss(views, temperature, index)


SIDE = {"condition": X[:, 0], "prior": X, "groups": Y}


@pytest.mark.parametrize("name", SIDE)
def test_side_information_missing(name):
    given = {**SIDE, name: None}
    match = rf"Needy needs '{name}': pass fit\(X, {name}=...\).*set_fit_request\({name}=True\)"
    assert_refused(match, objective=Needy(), fit_params=given)


REFUSED_SIDE = {
    "short": (X[:3, 0], "has 3 rows, but X has 20"),
    "nan": (np.where(X[:, 0] > 0, np.nan, 0), "NaN"),
    "three dimensions": (X[None], "must"),
    "a number": (3, "must"),
    "text": ("abc", "must"),
    "mixed": ([None, "a"] * 10, "must"),
    "sparse": (SPARSE, "must"),
}


@pytest.mark.parametrize("value", REFUSED_SIDE)
@pytest.mark.parametrize("name", SIDE)
def test_refused_side_information(name, value):
    given, match = REFUSED_SIDE[value]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(
            f"{name} .*{match}|{match}.*{name}", objective=Needy(), fit_params={**SIDE, name: given}
        )
    if name == "prior":
        strings = {**SIDE, name: ["a", "b"] * 10}
        assert_refused("prior must", objective=Needy(), fit_params=strings)
    if name != "groups":
        assert_refused(f"{name} must", objective=Needy(), fit_params={**SIDE, name: X * 1e300})


def test_sound_side_information():
    for groups in (Y, ["a", "b"] * 10, Y > 1, torch.as_tensor(Y), pd.Series(Y)):
        encoder(objective=Needy()).fit(X, **{**SIDE, "groups": groups})


@pytest.mark.parametrize("name", [name for name in SIDE if name != "groups"])
def test_unused_side_information_warns(name):
    for value in (SIDE[name], SIDE[name][:3]):
        match = f"{name}= was given, but InfoNCE does not use it: leave it out"
        with pytest.warns(UserWarning, match=match):
            encoder().fit(X, **{name: value})
