"""What is tortured: models of all kinds, a fit with checkpoints, and copies of this process."""

import hashlib
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    PhraseTransformer,
    ProKeRClassifier,
    RandomConvolutions,
    Sent2VecVectorizer,
    SeriesContrastiveEncoder,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
    Word2VecVectorizer,
    ZeroShotClassifier,
)
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import DilatedConv

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = 2 * RNG.normal(size=(3, 5))[Y] + RNG.normal(size=(60, 5))
TEXTS = [f"the {a} and the {b} met a {c}" for a in "cat dog".split() for b in "owl fox bee".split()
         for c in "hen cow pig".split()]  # fmt: skip
SMALL = {"n_components": 3, "network": "linear", "views": "corruption", "random_state": 0}


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
            FrozenEstimator(encoder), interval="conformal", random_state=0
        ).fit(X, X[:, 0]),
        "zero-shot": ProKeRClassifier(zero).fit(X, Y),
        "base": ProKeRClassifier(logistic, method="tip").fit(X, Y),
        "word2vec": Word2VecVectorizer(**words, sample=0, stop_words={"the"}).fit(TEXTS),
        "sent2vec": Sent2VecVectorizer(**words, subwords=True).fit(TEXTS),
        "sentences": ContrastiveTextEncoder(4, max_iter=1, random_state=0).fit(TEXTS),
        "series": SeriesContrastiveEncoder(4, max_iter=1, random_state=0).fit(X),
        "steps": SeriesContrastiveEncoder(4, max_iter=1, network=DilatedConv(4, 2)).fit(X),
        "recording": SeriesContrastiveEncoder(4, max_iter=1, network="light", window=4).fit(X),
        "convolutions": RandomConvolutions(84, random_state=0).fit(X),
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


def training(folder, i=0):
    """An encoder with a checkpoint after each epoch, of one of some kinds; None: without one."""
    kinds = [
        {"network": "mlp", "objective": "info_nce"},
        {"network": "linear", "objective": "supcon", "early_stopping": True},
        {"network": "linear", "views": ("neighbors", "corruption"), "optimizer": "sgd"},
    ]
    checkpoint = None if folder is None else Checkpoint(folder, every=1)
    params = {**SMALL, "max_iter": 40, "batch_size": 10, **kinds[i % len(kinds)]}
    return ContrastiveEncoder(**params, checkpoint=checkpoint)


def trained(model):
    """Hash of what a fit ends with."""
    model.fit(X, Y)
    return digest((*model.weights_.values(), model.transform(X), model.loss_curve_))
