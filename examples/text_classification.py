"""Topics of raw texts: a grid search over the vectors, and accuracy by number of labels.
======================================================================================

Titles of questions on Stack Overflow, where ../shared/data is beside the repository; else eight
groups of scikit-learn's 20 newsgroups (downloaded once); without a network what SciPy and
scikit-learn say of their functions and classes, by sub-package. Of long texts the first 200
characters are read; at most 2,500 texts train and 2,000 test. First a Pipeline on strings is
searched over solver, pooling and window, on half of them. Then vectors are learned from all
training texts without labels, and a logistic regression reads the labels of a few.
"""

import importlib
import inspect
import pkgutil
import re
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy
import scipy.sparse as sp
import sklearn
from sklearn.base import clone
from sklearn.datasets import fetch_20newsgroups
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcontrast import ContrastiveTextEncoder, Word2VecVectorizer

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
DATA = HOME / "shared/data"
TITLES = DATA / "text" / "stackoverflow_titles" / "stackoverflow_titles.csv.gz"
GROUPS = ("comp.graphics", "rec.autos", "rec.sport.hockey", "sci.med", "sci.space",
          "sci.crypt", "talk.politics.mideast", "soc.religion.christian")  # fmt: skip
LABELS, DRAWS = (2, 5, 10, 20, 50), 5


def docstrings(whole=False):
    """Docstrings of SciPy's and scikit-learn's functions and classes, and their sub-packages.

    All that stands before the list of parameters, or the whole.
    """
    texts = {}
    for library in (scipy, sklearn):
        for part in pkgutil.iter_modules(library.__path__):
            if not part.ispkg or part.name.startswith("_"):
                continue
            members = vars(importlib.import_module(f"{library.__name__}.{part.name}"))
            for name in sorted(members.get("__all__", ())):
                text = (callable(members.get(name)) and inspect.getdoc(members[name])) or ""
                words = (text if whole else re.split(r"\n.+\n---", text)[0]).split()
                if len(words) > 5:
                    texts.setdefault(" ".join(words), part.name)
    return [*texts], [*texts.values()]


def newsgroups(categories=None, whole=False):
    """Posts of some words and their groups, or docstrings where they cannot be downloaded."""
    try:
        news = fetch_20newsgroups(remove=("headers", "footers", "quotes"), categories=categories)
    except OSError as error:
        print(f"Data: docstrings of SciPy and scikit-learn (20 newsgroups: {error})")
        return docstrings(whole)
    print("Data: 20 newsgroups")
    posts = [(text, y) for text, y in zip(news.data, news.target) if len(text.split()) > 5]
    return [text for text, _ in posts], [news.target_names[y] for _, y in posts]


def frequent(texts, labels, n_texts):
    """The texts and labels of labels with so many texts at least."""
    table = pd.DataFrame({"text": texts, "label": labels})
    table = table[table.groupby("label")["label"].transform("size") >= n_texts]
    return table["text"], table["label"]


def load():
    """Texts and labels; two thirds of the rarest label are as many as are read."""
    n_texts = max(LABELS) * 3 // 2
    if TITLES.exists():
        print("Data: titles of questions on Stack Overflow")
        table = pd.read_csv(TITLES, keep_default_na=False)
        return frequent(table["text"], table["label"], n_texts)
    texts, labels = newsgroups(GROUPS)
    return frequent([text[:200] for text in texts], labels, n_texts)


def search(X, y):
    """Search over the vectors of words and how they are pooled; the steps see strings."""
    pipeline = Pipeline(
        [
            ("text", Word2VecVectorizer(min_count=2, max_iter=10, random_state=0)),
            ("scale", StandardScaler()),
            ("clf", LogisticRegression(C=0.1, max_iter=1000)),
        ]
    )
    grid = {
        "text__solver": ["auto", "spectral"],
        "text__pooling": ["mean", "sif"],
        "text__window": [5, 15],
    }
    found = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    table = pd.DataFrame(found.cv_results_["params"])
    table.columns = [name.removeprefix("text__") for name in table.columns]
    table["accuracy"] = found.cv_results_["mean_test_score"].round(3)
    print(f"\nCross-validated accuracy of the pipeline, all labels of {len(X)} texts")
    print(table.sort_values("accuracy", ascending=False).to_string(index=False))
    return found


def vectors(vectorizer, X_train, X_test):
    """Vectors of both parts, and how long it took."""
    begin = time.perf_counter()
    Z_train, Z_test = vectorizer.fit_transform(X_train), vectorizer.transform(X_test)
    return Z_train, Z_test, time.perf_counter() - begin


def few_labels(Z_train, y_train, Z_test, y_test):
    """Accuracy (n_draws, n_numbers of labels) of a logistic regression."""
    scores, y_train, y_test = np.zeros((DRAWS, len(LABELS))), np.array(y_train), np.array(y_test)
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(y_train))
        by_class = [order[y_train[order] == label] for label in np.unique(y_train)]
        for column, n_labels in enumerate(LABELS):
            few = np.concatenate([rows[:n_labels] for rows in by_class])
            model = LogisticRegression(C=10, max_iter=1000).fit(Z_train[few], y_train[few])
            scores[draw, column] = model.score(Z_test, y_test)
    return scores


def main():
    # A title or two in a thousand holds rare words alone; the warning comes for every fold.
    warnings.filterwarnings("ignore", ".* documents have no known word")
    X, y = load()
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, train_size=min(2500, len(X) * 2 // 3), stratify=y, random_state=0
    )
    X_test, y_test = X_test[:2000], y_test[:2000]
    print(f"{len(X_train)} texts to train, {len(X_test)} to test, {y.nunique()} classes")
    # A search takes the text column of a frame, a list or an array alike.
    found = search(X_train[::2], y_train[::2])
    print(f"Test accuracy of the best: {found.score(X_test, y_test):.3f}")

    best = make_pipeline(clone(found.best_estimator_["text"]), Normalizer())
    rows = {
        "TF-IDF": vectors(TfidfVectorizer(sublinear_tf=True), X_train, X_test),
        "Word2VecVectorizer, the best of the search": vectors(best, X_train, X_test),
        "ContrastiveTextEncoder()": vectors(
            ContrastiveTextEncoder(random_state=0), X_train, X_test
        ),
    }
    # What a FeatureUnion of the two would give, without fitting them again.
    *both, seconds = zip(rows["TF-IDF"], rows["ContrastiveTextEncoder()"])
    both = [sp.hstack(parts, format="csr") for parts in both]
    rows["ContrastiveTextEncoder() beside TF-IDF"] = (*both, sum(seconds))
    figure = plt.figure(figsize=(6.5, 4.2), layout="constrained")
    ax = figure.subplots()
    head = "".join(f"{n:>7}" for n in LABELS)
    print(f"\n{'Test accuracy, by labels a class':<42}{head}  seconds")
    for name, (Z_train, Z_test, seconds) in rows.items():
        values = few_labels(Z_train, y_train, Z_test, y_test)
        means = "".join(f"{value:7.3f}" for value in values.mean(axis=0))
        print(f"{name:<42}{means}{seconds:9.1f}")
        ax.errorbar([*map(str, LABELS)], values.mean(0), values.std(0), capsize=2, label=name)
    ax.set(xlabel="labelled texts a class", ylabel="test accuracy",
           title=f"Vectors learned from {len(X_train)} texts without labels")  # fmt: skip
    ax.legend(loc="lower right")
    ax.grid(alpha=0.3)
    plt.show()


if __name__ == "__main__":
    main()
