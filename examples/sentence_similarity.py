"""Which sentences say alike: nearest sentences, and agreement with people's scores.
=================================================================================

Sentences of the STS benchmark, where ../shared/data is beside the repository; else the first ones
of SciPy's and scikit-learn's docstrings, of which nobody scored pairs. Nothing is downloaded: all
vectors are learned from these sentences alone. Pairs that people found equal can be given as
groups. It needs text_classification.py beside it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize
from text_classification import DATA, docstrings

from skcontrast import ContrastiveTextEncoder, Word2VecVectorizer

PAIRS = DATA / "pairs" / "stsb_en" / "stsb_en.csv.gz"
# From this score of 5 on, the two sentences of a training pair are taken for equal.
EQUAL = 4.0


def load():
    """Sentences, and scored pairs or None."""
    if PAIRS.exists():
        print("Data: the STS benchmark")
        pairs = pd.read_csv(PAIRS, keep_default_na=False, dtype={"score": float})
        # Of the training pairs those that are used: less to learn from, and less to wait for.
        equal = (pairs["split"] == "train") & (pairs["score"] >= EQUAL)
        pairs = pairs[equal | (pairs["split"] == "test")]
        return sorted({*pairs["sentence1"], *pairs["sentence2"]}), pairs
    print("Data: first sentences of the docstrings of SciPy and scikit-learn, without scores")
    return sorted({text.partition(". ")[0] for text in docstrings()[0]}), None


def grouped(sentences, pairs):
    """Sentences and their groups: those of equal pairs share one, all others are alone."""
    equal = pairs[pairs["split"] == "train"]
    paired = [*equal["sentence1"], *equal["sentence2"]]
    others = sorted(set(sentences) - set(paired))
    groups = [*range(len(equal)), *range(len(equal)), *range(len(equal), len(equal) + len(others))]
    return paired + others, groups


def spearman(vectorizer, pairs):
    """Rank correlation of cosines and scores on the test pairs."""
    first, second = (normalize(vectorizer.transform(pairs[f"sentence{i}"])) for i in (1, 2))
    product = first.multiply(second) if hasattr(first, "multiply") else first * second
    return spearmanr(np.asarray(product.sum(axis=1)).ravel(), pairs["score"]).statistic


def fitted(sentences, pairs):
    """Vectorizers by name, of which the last is shown."""
    encoder = ContrastiveTextEncoder(random_state=0)
    words = Word2VecVectorizer(min_count=1, solver="spectral", pooling="sif", random_state=0)
    models = {
        "TF-IDF": TfidfVectorizer(sublinear_tf=True).fit(sentences),
        "Word2VecVectorizer, spectral, sif": words.fit(sentences),
    }
    if pairs is None:
        return {**models, "ContrastiveTextEncoder": encoder.fit(sentences)}
    X, groups = grouped(sentences, pairs)
    n_pairs = len(groups) - len(set(groups))
    return {**models, f"ContrastiveTextEncoder, {n_pairs} pairs": encoder.fit(X, groups=groups)}


def queries(sentences, similarity, n=4):
    """Rows of sentences of middling length with near neighbours, far from each other."""
    length = np.array([len(sentence) for sentence in sentences])
    good = np.where((length > 25) & (length < 55), np.partition(similarity, -4, axis=1)[:, -4], -1)
    chosen = [int(good.argmax())]
    while len(chosen) < n:
        good = good * (similarity[chosen[-1]] < 0.15)
        chosen.append(int(good.argmax()))
    return chosen


def picture(sentences, Z):
    """Cosines of sentences in groups, as a matrix."""
    similarity = (Z @ Z.T).clip(min=0)
    figure = plt.figure(figsize=(9.5, 5.8), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(similarity, cmap="viridis", vmin=0, vmax=1)
    for i in range(len(Z)):
        for j in range(len(Z)):
            dark = "white" if similarity[i, j] < 0.6 else "black"
            ax.text(j, i, f"{similarity[i, j]:.1f}", ha="center", va="center", fontsize=6.5,
                    color=dark)  # fmt: skip
    short = [s if len(s) < 46 else s[:44].rpartition(" ")[0] + " …" for s in sentences]
    ax.set_yticks(range(len(Z)), [f"{s}  {i + 1}" for i, s in enumerate(short)], fontsize=8)
    ax.set_xticks(range(len(Z)), range(1, len(Z) + 1), fontsize=8)
    ax.set_title("Cosine of sentences: four queries, each with its three nearest", fontsize=11)
    figure.colorbar(image, ax=ax, shrink=0.7, label="cosine")
    plt.show()


def main():
    # Words of one letter are left out, and some sentences hold no others.
    warnings.filterwarnings("ignore", ".* documents have no known word")
    sentences, pairs = load()
    print(f"{len(sentences)} sentences")
    models = fitted(sentences, pairs)
    if pairs is not None:
        test = pairs[pairs["split"] == "test"]
        print(f"\nSpearman's correlation with the scores of {len(test)} test pairs")
        for name, model in models.items():
            print(f"  {name:<38}{spearman(model, test):.3f}")

    encoder = list(models.values())[-1]
    # Neighbours are looked for among a part, so that all cosines fit in memory.
    some = [sentences[i] for i in np.random.default_rng(1).permutation(len(sentences))[:3000]]
    Z = normalize(encoder.transform(some))
    similarity = Z @ Z.T
    shown = []
    print("\nNearest sentences")
    for row in queries(some, similarity):
        near = np.argsort(-similarity[row], kind="stable")[:4]
        shown.extend(near)
        print(f"  {some[row]}")
        for other in near[1:]:
            print(f"    {similarity[row, other]:.2f}  {some[other]}")
    asked = "a man plays music for the children" if pairs is not None else "how many trees to grow"
    cosine = Z @ normalize(encoder.transform([asked]))[0]
    print(f"  {asked}  (a sentence of your own)")
    for other in np.argsort(-cosine, kind="stable")[:3]:
        print(f"    {cosine[other]:.2f}  {some[other]}")
    picture([some[i] for i in shown], Z[shown])


if __name__ == "__main__":
    main()
