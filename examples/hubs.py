"""My nearest neighbours are always the same few rows: hubs, and distances without them.
=====================================================================================

In an embedding of many columns a few rows, the hubs, are near to everything, and others are never
found. Sentence embeddings of titles on Stack Overflow, where ../shared/data is beside the
repository; else texts through TF-IDF. Each row looks for its ten nearest by the cosine and by
mutual proximity, which asks how near two rows are as seen from both. It needs few_shot_text.py and
text_classification.py beside it.
"""

import matplotlib.pyplot as plt
import numpy as np
from few_shot_text import load
from scipy.stats import skew

from skcontrast.postprocessing import HubnessReducedNeighbors
from skcontrast.retrieval import EmbeddingIndex

N_ROWS, K = 2000, 10


def main():
    X, y = load()[:2]
    order = np.random.default_rng(0).permutation(len(X))[:N_ROWS]
    X, y = X[order], y[order]
    searches = {
        "cosine": EmbeddingIndex(K),
        "mutual proximity": HubnessReducedNeighbors(K),
        "mutual proximity, k=50": HubnessReducedNeighbors(K, k=50),
    }
    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for name, search in searches.items():
        ids = search.fit(X).kneighbors(return_distance=False)
        times = np.bincount(ids.ravel(), minlength=len(X))
        same = np.mean(y[ids] == y[:, None])
        print(
            f"{name:22} largest hub: {times.max():3} lists, in no list: {np.mean(times == 0):.1%}, "
            f"skewness: {skew(times):.2f}, neighbours of the same class: {same:.3f}"
        )
        ax.plot(np.sort(times)[::-1], label=name)
    ax.axhline(K, color="gray", lw=0.8, label="all alike")
    ax.set(xlabel="rows, the largest hub first", ylabel="lists of ten nearest that hold the row")
    ax.set_xscale("log")
    ax.legend()
    plt.show()


if __name__ == "__main__":
    main()
