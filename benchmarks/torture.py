"""What broken disks, kills and strangers do to saved models: counts, and exit 1 on a fault.

    python benchmarks/torture.py [--part 0.05] [--seed 0]

``--part`` runs a part of it. Each section says what it did and what came of it; a fault is a
result that differs from the undamaged one, a death, a wait, or an error that is no sentence.
"""

import argparse
import copy
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    PhraseTransformer,
    ProKeRClassifier,
    Sent2VecVectorizer,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
    Word2VecVectorizer,
    ZeroShotClassifier,
    persistence,
)
from skcontrast.checkpoint import Checkpoint

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = 2 * RNG.normal(size=(3, 5))[Y] + RNG.normal(size=(60, 5))
TEXTS = [f"the {a} and the {b} met a {c}" for a in "cat dog".split() for b in "owl fox bee".split()
         for c in "hen cow pig".split()]  # fmt: skip
SMALL = {"n_components": 3, "network": "linear", "views": "corruption", "random_state": 0}
# What a use of a model in a hostile folder may take.
MEMORY, SECONDS = 2**30, 20


def digest(value):
    """A hash of arrays and lists, bit for bit."""
    value = value if isinstance(value, tuple) else (value,)
    parts = [v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode() for v in value]
    return hashlib.sha256(b"|".join(parts)).hexdigest()


def used(model):
    """What a model makes of the rows or texts here."""
    rows = X if hasattr(model, "n_features_in_") else TEXTS
    for name in ("predict_proba", "predict_interval", "predict", "transform"):
        try:
            method = getattr(model, name)
        except AttributeError:
            continue
        return method(rows)


def models():
    """Fitted models of all kinds that are saved."""
    encoder = ContrastiveEncoder(**SMALL, max_iter=1).fit(X)
    words = {"n_components": 4, "max_iter": 1, "min_count": 1, "random_state": 0}
    zero = ZeroShotClassifier(np.eye(3, 5), classes=[0, 1, 2])
    logistic = FrozenEstimator(LogisticRegression().fit(X, Y))
    return {
        "encoder": encoder,
        "parts": ContrastiveEncoder(max_iter=1, random_state=0, passthrough=True).fit(X),
        "classifier": SupervisedContrastiveClassifier(encoder, random_state=0).fit(X, Y),
        "regressor": SupervisedContrastiveRegressor(
            FrozenEstimator(encoder), interval="neighbors", random_state=0
        ).fit(X, X[:, 0]),
        "zero-shot": ProKeRClassifier(zero).fit(X, Y),
        "base": ProKeRClassifier(logistic, method="tip").fit(X, Y),
        "word2vec": Word2VecVectorizer(**words, sample=0, stop_words={"the"}).fit(TEXTS),
        "sent2vec": Sent2VecVectorizer(**words, subwords=True).fit(TEXTS),
        "sentences": ContrastiveTextEncoder(4, max_iter=1, random_state=0).fit(TEXTS),
        "phrases": PhraseTransformer(min_count=1, threshold=0.1, scoring="npmi").fit(TEXTS),
    }


# ---------------------------------------------------------------- apart from this process


def apart(function, seconds=600.0, kill_after=None, memory=None):
    """Run a function in a copy of this process: what it returned, or how it died."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        try:
            if memory:
                size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (size + memory, size + memory))
            signal.alarm(int(seconds))
            os.write(write, str(function()).encode()[:60_000])
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    said = b""
    while part := os.read(read, 65536):
        said += part
    os.close(read)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "did not end" if name == "SIGALRM" else f"died by {name}"
    return said.decode() if status == 0 else "raised"


def one_sentence(error):
    """Whether an error is a ValueError or OSError of one line that ends."""
    text = str(error)
    return isinstance(error, (ValueError, OSError)) and "\n" not in text and len(text) < 1000


# ------------------------------------------------------------------------------ hostile


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
    """Write ``new`` at a path; None as ``new`` of a dict's key would be null, "DROP" takes it out."""
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


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    saved = {}
    place = Path(tempfile.mkdtemp())
    for name, model in models().items():
        skcontrast.save(model, place / name)
        saved[name] = place / name, model, digest(used(model))
        assert digest(used(skcontrast.load(place / name))) == saved[name][2], name
    t = time.time()
    counts, faults = hostile(saved, random.Random(int(sys.argv[1])), int(sys.argv[2]))
    print(counts, time.time() - t)
    for f in faults: print(f)
