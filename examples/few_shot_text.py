"""A few labelled texts a class on top of a zero-shot classifier: accuracy by number of labels.
============================================================================================

Sentence embeddings of titles on Stack Overflow and of their 20 topics, where ../shared/data is
beside the repository; else 200 latent dimensions of TF-IDF, of texts and of the names of their
classes: of scikit-learn's 20 newsgroups (downloaded once), or without a network of what SciPy and
scikit-learn say of their functions and classes, by sub-package. One, two, ... rows a class are
drawn five times. It needs text_classification.py beside it.
"""

import re

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import normalize
from text_classification import DATA, frequent, newsgroups

from skcontrast import ProKeRClassifier, ZeroShotClassifier

EMBEDDINGS = DATA / "embeddings" / "stackoverflow_titles.npz"
SHOTS, DRAWS, N_TEST = (1, 2, 4, 8, 16), 5, 2000


def load():
    """Rows, labels, and one embedding a class."""
    if EMBEDDINGS.exists():
        print("Data: titles of questions on Stack Overflow, sentence embeddings")
        with np.load(EMBEDDINGS) as data:
            return data["X"].astype(float), data["y"], data["class_embeddings"].astype(float)
    texts, labels = frequent(*newsgroups(), n_texts=40)
    names, y = np.unique(labels, return_inverse=True)
    print(f"{len(y)} texts, {len(names)} classes")
    lsa = make_pipeline(TfidfVectorizer(stop_words="english"), TruncatedSVD(200, random_state=0))
    X = lsa.fit_transform(texts)
    some = X.any(axis=1)  # some say nothing but stop words
    return X[some], y[some], lsa.transform([re.sub(r"[._]", " ", name) for name in names])


def main():
    X, y, names = load()
    X, names = normalize(X), normalize(names)
    zero_shot = ZeroShotClassifier(names, classes=np.arange(len(names)))
    models = {
        "zero-shot": zero_shot,
        "logistic regression": LogisticRegression(C=10, max_iter=500),
        "ProKeR, as published": ProKeRClassifier(zero_shot, method="proker"),
        "ProKeRClassifier": ProKeRClassifier(zero_shot),
    }
    scores = {name: np.zeros((DRAWS, len(SHOTS))) for name in models}
    for draw in range(DRAWS):
        order = np.random.default_rng(draw).permutation(len(y))
        by_class = [order[y[order] == c] for c in range(len(names))]
        for column, shots in enumerate(SHOTS):
            few = np.concatenate([rows[:shots] for rows in by_class])
            test = order[~np.isin(order, few)][:N_TEST]
            for name, model in models.items():
                scores[name][draw, column] = model.fit(X[few], y[few]).score(X[test], y[test])

    figure = plt.figure(figsize=(6.5, 4.2), layout="constrained")
    ax = figure.subplots()
    print(f"{'rows a class':<22}" + "".join(f"{shots:>7}" for shots in SHOTS))
    for name, values in scores.items():
        print(f"{name:<22}" + "".join(f"{value:7.3f}" for value in values.mean(axis=0)))
        ax.errorbar([*map(str, SHOTS)], values.mean(0), values.std(0), capsize=2, label=name)
    ax.set(xlabel="labelled rows a class", ylabel="test accuracy")
    ax.legend()
    plt.show()


if __name__ == "__main__":
    main()
