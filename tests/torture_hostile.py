"""Folders that a stranger made: valid checksums over values and arrays that lie."""

import copy
import hashlib
import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import safetensors.numpy
from torture_cases import apart, one_sentence, used

import skcontrast
from skcontrast import persistence

# What a use of a model in a hostile folder may take.
MEMORY, SECONDS = 2**30, 20


def leaves(value, path=()):
    """Paths of all values of a description."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value[:4]):
            yield from leaves(item, (*path, i))


def put(value, path, new):
    """Write ``new`` at a path; "DROP" takes out what is there."""
    for step in path[:-1]:
        value = value[step]
    if new == "DROP":
        del value[path[-1]]
    else:
        value[path[-1]] = new


NASTY = [None, True, -1, 0, 1, 10**9, 10**18, 1e300, -0.5, "", "x", "(a+)+$", [], {}, "DROP"]
NASTY += [{"float": "nan"}, {"float": "inf"}, {"list": []}, {"dict": {}}, {"tuple": [1]}]
NASTY += [{"same": "ContrastiveEncoder"}, {"list": [10**9, 10**9]}, {"objects": ["<U9", [0], []]}]


def sealed(folder, description):
    """Write a description with the checksum that it should have."""
    description["checksum"] = persistence._checksum(description)
    (folder / "estimator.json").write_text(json.dumps(description))


def change_value(folder, description, draw):
    """A value of the description becomes another one: says which."""
    described = description["estimator"]
    paths = [path for path in leaves(described) if path]
    path, new = draw.choice(paths), draw.choice(NASTY)
    if draw.random() < 0.2:  # that of another place
        new = described
        for step in draw.choice(paths):
            new = new[step]
        new = copy.deepcopy(new)
    put(described, path, new)
    return f"{'.'.join(map(str, path))} = {str(new)[:50]}"


def change_array(folder, description, draw):
    """An array gets other numbers or another shape: says which."""
    (path,) = folder.glob("arrays-*")
    arrays = safetensors.numpy.load(path.read_bytes())
    if not arrays:
        return change_value(folder, description, draw)
    name = draw.choice(sorted(arrays))
    array, nasty = arrays[name].copy(), draw.choice([np.nan, -1, 0, 1e30, 10**12, "cut", "swap"])
    if nasty == "cut":
        arrays[name] = array[: len(array) // 2] if array.ndim else array.reshape(1)
    elif nasty == "swap":
        other = draw.choice(sorted(arrays))
        arrays[name], arrays[other] = arrays[other], arrays[name]
    else:
        with np.errstate(all="ignore"):
            array.flat[:: draw.choice([1, 7])] = np.array(nasty).astype(array.dtype)
        arrays[name] = array
    for place in leaves(description["estimator"]):
        value = description["estimator"]
        for step in place:
            value = value[step]
        if isinstance(value, dict) and value.get("array") in arrays:
            value["shape"] = list(arrays[value["array"]].shape)
    content = safetensors.numpy.save(arrays)
    path.unlink()
    description["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / persistence._arrays_name(description["sha256"])).write_bytes(content)
    return f"array {name}: {nasty}"


def hostile(saved, draw, n):
    """Folders that a stranger changed and sealed: refused, or used without harm."""
    counts, faults = Counter(), []
    for _ in range(n):
        name = draw.choice(sorted(saved))
        folder = saved[name][0]
        description = json.loads((folder / "estimator.json").read_text())
        with tempfile.TemporaryDirectory() as place:
            bad = Path(place) / "model"
            shutil.copytree(folder, bad)
            change = draw.choice([change_value, change_value, change_array])
            what = change(bad, description, draw)
            sealed(bad, description)
            came = apart(lambda bad=bad: told(bad), SECONDS, memory=MEMORY)
        kind = came.partition(":")[0]
        counts[kind] += 1
        if kind not in ("refused", "used", "refused in use"):
            faults.append(f"{name} {what}: {came[:150]}")
    return counts, faults


def told(folder):
    """What came of loading a folder and using the model."""
    try:
        model = skcontrast.load(folder)
    except Exception as error:
        return "refused" if one_sentence(error) else f"unclear: {type(error).__name__}: {error}"
    try:
        came = used(model)
        came = came if isinstance(came, tuple) else (came,)
        if not all(np.isfinite(v).all() for v in came if isinstance(v, np.ndarray)):
            return "NaN in use"
    except Exception as error:
        kind = "refused in use" if one_sentence(error) else "unclear in use"
        return f"{kind}: {type(error).__name__}: {error}"
    return "used"
