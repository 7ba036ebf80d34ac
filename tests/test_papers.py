"""The table of papers: every line that is said to work runs, on a few rows and one epoch."""

import csv
import importlib.util
import pkgutil
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import bootstrap
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import StackingClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_curve
from sklearn.model_selection import GroupKFold, cross_val_score, validation_curve
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, normalize
from torch import nn

import skcontrast

DOCS = Path(skcontrast.__file__).parents[1] / "docs"
with open(DOCS / "papers.csv", newline="", encoding="utf-8") as file:
    PAPERS = list(csv.DictReader(file))
LINES = sorted({row["type"] for row in PAPERS} - {""})


def public_names():
    """Every public name of the package's rooms, as `from skcontrast.objectives import *` gives."""
    names = {}
    for found in pkgutil.iter_modules(skcontrast.__path__):
        if not found.name.startswith("_") and found.name != "functional":
            room = importlib.import_module(f"skcontrast.{found.name}")
            names |= {k: v for k, v in vars(room).items() if not k.startswith("_")}
    return names


def names_of_a_line():
    """What a line may name: the package, a little of scikit-learn, and data as the page says."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(36, 5)), np.repeat([0, 1, 2], 12)
    X[:, 0] += 3 * y
    E = X + 0.1 * rng.normal(size=X.shape)
    words = "red green blue old new house street town river car tree road".split()
    texts = [" ".join(rng.choice(words, 8)) for _ in range(24)]
    tags = (rng.random((36, 3)) < 0.5).astype(float)
    tags[:, 0] = 1.0  # nobody has none
    short = {
        name: partial(getattr(skcontrast, name), max_iter=1)
        for name in (
            "ContrastiveEncoder",
            "KernelConditionalContrastive",
            "ContrastiveTextEncoder",
            "MultiViewContrastiveEncoder",
            "SeriesContrastiveEncoder",
            "Word2VecVectorizer",
            "Sent2VecVectorizer",
            "SparseCoder",
        )
    }
    data = {
        "X": X, "y": y, "E": E, "Z": rng.normal(size=(36, 1)), "S": normalize(E) @ normalize(E).T,
        "T": np.eye(3, 5), "grades": np.array([[1, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]]),
        "Xr": X, "yr": X[:, 1] + X[:, 2], "X_few": X[::3], "y_few": y[::3], "X_new": X[1::6],
        "vectors": {word: rng.normal(size=3) for word in words},
        "texts": texts, "tags": tags, "clades": np.c_[y // 2, y], "levels": np.eye(3)[y],
        "keep": np.array([1.0, 1.0, 0.0, 1.0, 0.0], dtype=np.float32),
        "small": nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.1)),
        "frozen": nn.Linear(5, 8).requires_grad_(False),
        "series": rng.normal(size=(12, 2, 24)), "patients": np.arange(12) // 4,
    }  # fmt: skip
    learn = [KMeans, LogisticRegression, KNeighborsClassifier, KNeighborsRegressor, make_pipeline]
    learn += [FeatureUnion, CountVectorizer, TfidfVectorizer, normalize, validation_curve]
    learn += [TransformedTargetRegressor, Ridge, Nystroem, NearestNeighbors]
    learn += [GroupKFold, cross_val_score, roc_curve, SelectKBest]
    learn += [StackingClassifier, CalibratedClassifierCV, FunctionTransformer]
    more = {"np": np, "nn": nn, "rel_entr": rel_entr, "bootstrap": bootstrap}
    return public_names() | {f.__name__: f for f in learn} | short | data | more


def run(line):
    names = names_of_a_line()
    names["groups"] = np.arange(len(names["texts" if "Text" in line else "X"])) // 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few rows and one epoch
        return eval(line, names)


@pytest.mark.parametrize("line", LINES)
def test_line_works(line):
    result = run(line)
    assert result is not None
    if hasattr(result, "loss_curve_"):
        assert np.isfinite(result.loss_curve_).all()
    if isinstance(result, (float, np.ndarray)):
        assert np.isfinite(result).all()


def test_rows_are_whole():
    assert len(PAPERS) == 233 == len({row["title"] for row in PAPERS})
    for row in PAPERS:
        assert row["mechanism"].endswith(".") and row["topic"] and row["title"], row
        has = bool(row["type"]), bool(row["missing"])
        assert (
            has
            == {"works": (True, False), "partly": (True, True), "no": (False, True)}[row["status"]]
        ), row["title"]
        assert not row["missing"].endswith("."), row["title"]  # the page puts it there


def test_page_shows_every_row():
    spec = importlib.util.spec_from_file_location("page", DOCS / "_extensions" / "papers.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = page.markdown(DOCS / "papers.csv")
    for row in PAPERS:
        line = next(line for line in text.splitlines() if line.startswith(f"| {row['title']} |"))
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert cells[1] == row["mechanism"] and len(cells) == 4
        assert row["type"] in cells[3] and row["missing"][1:] in cells[3]


def test_topics_stand_together():
    topics = [row["topic"] for row in PAPERS]
    assert len(set(topics)) == 1 + sum(a != b for a, b in zip(topics, topics[1:]))
