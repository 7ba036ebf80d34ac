"""What is special in one set against another: contrastive PCA beside PCA.
========================================================================

Protein levels in the brains of mice that were shocked, where ../shared/data is beside the
repository: some have Down syndrome, which the largest differences between mice do not tell. Mice
that were not shocked are the background. Without these data, scikit-learn's zeros and ones drawn
faintly over a photograph, with other patches of it as the background. Printed is how well k-means
finds the two kinds (adjusted Rand index, 0 by chance).
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, load_sample_image
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastivePCA
from skcontrast.plotting import EmbeddingMapDisplay

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/contrastive/mice_protein/mice_protein.csv.gz"


def read():
    """Rows, which of them are background, and the kind of the others."""
    if LOCAL.exists():
        print("Data: mice_protein of ../shared/data")
        mice = pd.read_csv(LOCAL).query("role != 'unused'")
        proteins = mice[[name for name in mice if name.endswith("_N")]]
        background = (mice.role == "background").to_numpy()
        X = proteins.fillna(proteins.mean()).to_numpy()
        return X, background, mice.Genotype.to_numpy()[~background]
    print("Data: scikit-learn's digits 0 and 1 over its photograph of a flower")
    digits, y = load_digits(n_class=2, return_X_y=True)
    photograph = load_sample_image("flower.jpg").mean(axis=2)
    patches = extract_patches_2d(photograph, (8, 8), max_patches=1060, random_state=0)
    X = patches.reshape(-1, 64)
    X[: len(y)] += 2 * digits
    return X, np.arange(len(X)) >= len(y), y


X, background, kind = read()
foreground = X[~background]
model = ContrastivePCA().fit(X, background=background)
pictures = {"PCA": PCA(2).fit_transform(StandardScaler().fit_transform(foreground))}
for contrast in model.candidate_contrasts_:
    other = ContrastivePCA(contrast=contrast).fit(X, background=background)
    pictures[f"contrast {contrast:.1f}"] = other.transform(foreground)

figure, axes = plt.subplots(1, len(pictures), figsize=(14, 3.6), layout="constrained")
for ax, (name, Z) in zip(axes, pictures.items()):
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(Z)
    found = adjusted_rand_score(kind, clusters)
    print(f"{name:<15} {found:.2f}")
    EmbeddingMapDisplay.from_embedding(Z, kind, method=None, ax=ax)
    ax.set(title=f"{name}: Rand index {found:.2f}", xlabel="", ylabel="")
    if ax is not axes[-1]:
        ax.get_legend().remove()
plt.show()
