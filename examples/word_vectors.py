"""Vectors of words and phrases: nearest words, analogies, and a map of some words.
================================================================================

Three million words of articles and speeches, where ../shared/data is beside the repository; else
scikit-learn's 20 newsgroups (downloaded once); without a network the docstrings of SciPy and
scikit-learn.
PhraseTransformer joins words that belong together, then Word2VecVectorizer factorises what stands
beside what (solver="spectral"). It needs text_classification.py beside it.
"""

import gzip
import time

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.text import Text
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize
from text_classification import DATA, newsgroups

from skcontrast import PhraseTransformer, Word2VecVectorizer

CORPUS = DATA / "corpora" / "modern.txt.gz"
# Words to look around; those that the corpus lacks are passed over.
WORDS = ("france", "guitar", "tuesday", "red", "physics", "new_york", "daughter", "car", "team",
         "matrix", "classifier", "float", "cluster", "random_state")  # fmt: skip
# (a, b, c): a is to b as c is to what?
ANALOGIES = (("man", "king", "woman"), ("man", "brother", "woman"), ("woman", "actress", "man"),
             ("spain", "spanish", "germany"), ("he", "his", "she"), ("good", "better", "bad"),
             ("row", "rows", "column"), ("min", "minimum", "max"))  # fmt: skip


def load():
    if CORPUS.exists():
        print("Data: articles and speeches, three million words")
        with gzip.open(CORPUS, "rt", encoding="utf-8") as file:
            return file.read().splitlines()
    return newsgroups(whole=True)[0]


def names(similar):
    return ", ".join(word for word, _ in similar)


def spread(labels, dpi, steps=500):
    """Move labels up and down until no two overlap."""
    boxes = [Text.get_window_extent(label) for label in labels]
    left, right = np.array([(box.x0 - 2, box.x1 + 2) for box in boxes]).T
    centre, height = np.array([((box.y0 + box.y1) / 2, box.height + 1) for box in boxes]).T
    start, beside = centre.copy(), (left[:, None] < right) & (left < right[:, None])
    np.fill_diagonal(beside, False)
    for _ in range(steps):
        way = centre[:, None] - centre
        overlap = np.where(beside, (height[:, None] + height) / 2 - np.abs(way), 0).clip(min=0)
        if not overlap.any():
            break
        # Of two at one height the first goes up.
        sign = np.where(way == 0, np.sign(np.arange(len(way)) - np.arange(len(way))[:, None]), way)
        centre += (np.sign(sign) * overlap).sum(axis=1) / 4
    for label, moved in zip(labels, centre - start):
        x, y = label.get_position()
        label.set_position((x, y + moved * 72 / dpi))


def picture(model, groups):
    """Words around each seed in the plane of their first two principal components."""
    figure = plt.figure(figsize=(9, 6.5), dpi=110, layout="constrained")
    ax = figure.subplots()
    words = [word for group in groups.values() for word in group]
    flat = PCA(2, random_state=0).fit_transform(normalize(model.word_vectors(words)))
    labels, start = [], 0
    for number, (seed, group) in enumerate(groups.items()):
        points, colour = flat[start : start + len(group)], f"C{number}"
        start += len(group)
        ax.scatter(*points.T, s=14, alpha=0.45, color=colour, label=f"around “{seed}”")
        for word, point in zip(group, points):
            labels.append(
                ax.annotate(word, point, (4, 3), textcoords="offset points", color=colour,
                            fontsize=9, arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.4})
            )  # fmt: skip
    ax.set(title="Words and their neighbours: PCA of their vectors", xticks=[], yticks=[])
    ax.margins(0.1)
    ax.legend(loc="best", fontsize=9)
    figure.canvas.draw()
    figure.set_layout_engine("none")
    spread(labels, figure.dpi)
    plt.show()


def main():
    texts = load()
    begin = time.perf_counter()
    phrases = PhraseTransformer(
        min_count=20, scoring="npmi", threshold=0.5, connector_words="english"
    )
    tokens = phrases.fit_transform(texts)
    model = Word2VecVectorizer(min_count=10, solver="spectral", random_state=0).fit(tokens)
    seconds = time.perf_counter() - begin
    print(f"{len(texts)} texts, {len(model.vocabulary_)} words in {seconds:.1f} s")

    frequent = [word for word in model.vocabulary_ if word in phrases.phrases_]
    print(f"\n{len(phrases.phrases_)} phrases, the most frequent:", ", ".join(frequent[:12]))
    informative = np.argsort(-model.corrected_information_gain_)[:12]
    print("Words that say most:", ", ".join(np.array([*model.vocabulary_])[informative]))

    print("\nNearest words")
    seeds = [word for word in WORDS if word in model.vocabulary_]
    for word in seeds:
        print(f"  {word:<13}", names(model.most_similar(word, topn=6)))
    print("\nAnalogies")
    for a, b, c in ANALOGIES:
        if {a, b, c} <= model.vocabulary_.keys():
            found = names(model.most_similar([b, c], [a], topn=3))
            print(f"  {a} is to {b} as {c} is to: {found}")

    groups, shown = {}, set()
    for seed in seeds[:6]:
        near = [seed, *(word for word, _ in model.most_similar(seed, topn=7))]
        groups[seed] = [word for word in near if word not in shown]
        shown.update(near)
    picture(model, groups)


if __name__ == "__main__":
    main()
