"""Drawn calls of every estimator: a finite result, or one clear sentence, and nothing lost.

    python tests/fuzz.py --calls 10000 --seed 0

What is drawn is odd: types, layouts, frames, sparse formats, tensors, documents, targets, what
stands beside X. Ends with 1 where a call gave NaN, an unclear error, or spoiled an earlier fit.
"""

import argparse
import collections
import sys
import traceback
import warnings

import numpy as np
from fuzz_inputs import collection, documents, side, table, target
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeClassifier

import skcontrast
from skcontrast.inspection import TangentSurrogate
from skcontrast.networks import DilatedConv

SMALL = {"max_iter": 1, "n_components": 3, "random_state": 0, "device": "cpu"}
WORDS = {**SMALL, "min_count": 1}


def _encoder(**params):
    return skcontrast.ContrastiveEncoder(**{**SMALL, "network": "linear", **params})


def _surrogate():
    X = np.random.default_rng(0).standard_normal((20, 3))
    return TangentSurrogate(_encoder(passthrough=False).fit(X), max_iter=20)


TABLES = {
    "encoder": _encoder,
    "learned alone": lambda: _encoder(passthrough=False, views="corruption"),
    "as it is": lambda: _encoder(standardize=False),
    "all columns": lambda: _encoder(n_components=None),
    "supcon": lambda: _encoder(objective="supcon"),
    "y aware": lambda: _encoder(objective="y_aware"),
    "condition": lambda: skcontrast.KernelConditionalContrastive(**SMALL),
    "classifier": lambda: skcontrast.SupervisedContrastiveClassifier(
        _encoder(objective="supcon"), random_state=0
    ),
    "regressor": lambda: skcontrast.SupervisedContrastiveRegressor(
        _encoder(objective="y_aware"), random_state=0, interval="neighbors"
    ),
    "proker": skcontrast.ProKeRClassifier,
    "proker over a base": lambda: skcontrast.ProKeRClassifier(RidgeClassifier()),
    "local linear": lambda: skcontrast.ProKeRClassifier(method="local_linear", kernel="linear"),
    "gda": lambda: skcontrast.ProKeRClassifier(method="gda"),
    "proker regressor": skcontrast.ProKeRRegressor,
    "zero shot": skcontrast.ZeroShotClassifier,
    "surrogate": _surrogate,
}
TEXTS = {
    "text encoder": lambda: skcontrast.ContrastiveTextEncoder(**SMALL),
    "text classifier": lambda: skcontrast.SupervisedContrastiveClassifier(
        skcontrast.ContrastiveTextEncoder(**SMALL), random_state=0
    ),
    "words": lambda: skcontrast.Word2VecVectorizer(**WORDS),
    "spectral words": lambda: skcontrast.Word2VecVectorizer(**WORDS, solver="spectral"),
    "sentences": lambda: skcontrast.Sent2VecVectorizer(**WORDS),
    "phrases": lambda: skcontrast.PhraseTransformer(min_count=1, threshold=0.1),
}
SERIES = {
    "series encoder": lambda: skcontrast.SeriesContrastiveEncoder(**SMALL, network="linear"),
    "series network": lambda: skcontrast.SeriesContrastiveEncoder(
        **SMALL, network=DilatedConv(4, 2)
    ),
    "series classifier": lambda: skcontrast.SupervisedContrastiveClassifier(
        skcontrast.SeriesContrastiveEncoder(**SMALL), random_state=0
    ),
    "convolutions": lambda: skcontrast.RandomConvolutions(84, random_state=0),
}
KINDS = [(TEXTS, documents, 0.3), (SERIES, collection, 0.1), (TABLES, table, 0.6)]
OUTPUTS = ("transform", "predict", "predict_proba", "decision_function", "predict_interval")
# How errors read that speak of our insides, and not of what was given.
INSIDES = (
    "broadcast",
    "setting an array element",
    "has no attribute",
    "out of bounds",
    "out of range for",
    "not subscriptable",
    "not iterable",
    "unhashable",
    "not supported between",
    "unsupported operand",
    "ufunc",
    "shapes (",
    "size of tensor",
    "must match",
    "not callable",
    "positional argument",
    "truth value",
    "no len()",
    "'builtin",
    "expected scalar type",
    "Expected all tensors",
    "object is not",
    "can't convert",
    "cannot convert",
    "invalid literal",
)


STANDARD = (
    "Complex data not supported",
    "Expected 2D array",
    "The feature names should match",
    "Input X contains NaN",
)


def clear(error):
    """Whether an error says in a sentence what is wrong with what was given."""
    if not isinstance(error, (ValueError, TypeError, NotFittedError)):
        return False
    message = str(error).strip()
    if len(message.split()) < 4 or any(words in message for words in INSIDES):
        return False
    # scikit-learn shows the array beside its sentence.
    return message.startswith(STANDARD) or "\n" not in message


def check_output(name, out, n_rows):
    """Raise AssertionError where an output is not one finite row for each row."""
    for part in out if isinstance(out, tuple) else (out,):
        if isinstance(part, list):
            assert all(isinstance(document, list) for document in part), name
            continue
        part = np.asarray(part)
        assert n_rows is None or len(part) == n_rows, f"{name}: {len(part)} rows of {n_rows}"
        assert part.dtype.kind not in "fc" or np.isfinite(part).all(), f"{name} is not finite"


def n_rows_of(X):
    """Number of rows, where X has as many as its length or shape says."""
    if isinstance(X, str) or not (hasattr(X, "shape") or hasattr(X, "__len__")):
        return None
    return X.shape[0] if getattr(X, "shape", ()) else len(X)


def drawn(rng):
    """Name of an estimator, how it is made, and how its rows are drawn."""
    makers, draw, _ = KINDS[rng.choice(len(KINDS), p=[share for *_, share in KINDS])]
    name = list(makers)[rng.integers(len(makers))]
    return name, makers[name], draw


def call(seed):
    """One drawn story: a fit, what it gives, a fit on other input, what is left.

    Returns
    -------
    verdict : {"result", "refused"}

    Raises
    ------
    Exception
        What was unclear, or an AssertionError about what came out.
    """
    rng = np.random.default_rng(seed)
    name, make, draw = drawn(rng)
    model, X = make(), draw(rng)
    y = target(rng, n_rows_of(X))
    if not attempt(name, model, X, y, side(rng, name, n_rows_of(X))):
        fitted = [key for key in vars(model) if key.endswith("_") and not key.startswith("_")]
        assert not fitted, f"a failed fit left {fitted}"
        return "refused"
    before = {key: id(value) for key, value in vars(model).items()}
    X = draw(rng)
    for output in OUTPUTS:
        if hasattr(model, output):
            refused(lambda o=output: check_output(o, getattr(model, o)(X), n_rows_of(X)))
    if not attempt(name, model, X, target(rng, n_rows_of(X)), {}):
        after = {key: id(value) for key, value in vars(model).items()}
        assert after == before, "a failed fit changed the earlier one"
    return "result"


def attempt(name, model, X, y, given):
    """Fit, and look at what comes out for the same rows; False where it was refused."""
    if refused(lambda: model.fit(X, y, **given)):
        return False
    if hasattr(X, "__next__"):  # it was read
        return True
    for output in OUTPUTS:
        if hasattr(model, output):
            refused(lambda o=output: check_output(o, getattr(model, o)(X), n_rows_of(X)))
    return True


def refused(action):
    """Whether an action was refused in a clear sentence; anything else is raised."""
    try:
        action()
    except AssertionError:
        raise
    except Exception as error:
        if not clear(error):
            raise
        return True
    return False


def run(seeds, show=False):
    """Faults, each with its seed, and how often each verdict was."""
    faults, verdicts = [], collections.Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in seeds:
            try:
                verdicts[call(seed)] += 1
            except Exception as error:
                verdicts["fault"] += 1
                last = traceback.extract_tb(error.__traceback__)[-1]
                text = f"{type(error).__name__}: {error}".splitlines()[0][:160]
                name = drawn(np.random.default_rng(seed))[0]
                faults.append(
                    (seed, name, text, f"{last.filename.rpartition('/')[2]}:{last.lineno}")
                )
                if show:
                    print(*faults[-1], flush=True)
    return faults, verdicts


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.seed, options.seed + options.calls)
    faults, verdicts = run(seeds, show=True)
    print(f"{options.calls} calls: {dict(verdicts)}")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
