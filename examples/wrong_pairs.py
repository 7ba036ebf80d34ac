"""Find wrong pairs: rows of two tables that do not belong together.
===================================================================

Handwritten digits of scikit-learn, described by two tables: coarse pixels, and how strong each
frequency is. For three rows in ten the second table holds another row's values, as after a join
that went wrong. ``pair_credibility`` says how sure each pair is, without labels, and its numbers
are weights for the training.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from skcontrast import MultiViewContrastiveEncoder
from skcontrast.multiview import Blocks, pair_credibility

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
coarse = images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(y), -1)
frequencies = np.abs(np.fft.rfft2(images)).reshape(len(y), -1)
rng = np.random.default_rng(0)
train, test = np.split(rng.permutation(len(y)), [1300])
print("Data: digits of scikit-learn,", len(train), "pairs to train on")

right = rng.random(len(train)) > 0.3
second = frequencies[train].copy()
second[~right] = second[np.roll(np.flatnonzero(~right), 1)]
pairs = Blocks(coarse=coarse[train], frequencies=second)

sure = pair_credibility(pairs)
print(f"right pairs: {right.mean():.2f}, mean credibility: {sure.mean():.2f}")
print(f"area under the ROC curve: {roc_auc_score(right, sure):.3f}")

# How often is the own partner the first of 497 new rows?
asked = Blocks(coarse=coarse[test], frequencies=frequencies[test])
trained = {
    "all pairs": (pairs, None),
    "weighed": (pairs, sure),
    "right pairs alone": (pairs[right], None),
}
found = {}
for name, (rows, weight) in trained.items():
    encoder = MultiViewContrastiveEncoder(views=None, max_iter=60, random_state=0)
    encoder.fit(rows, pair_weight=weight)
    scores = encoder.similarity({"coarse": asked["coarse"]}, {"frequencies": asked["frequencies"]})
    found[name] = np.mean(scores.argmax(axis=1) == np.arange(len(test)))
    print(f"{name:18} partner first {found[name]:.2f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bins = np.linspace(0, 1, 21)
axes[0].hist([sure[right], sure[~right]], bins, label=["right pairs", "wrong pairs"])
axes[0].set(xlabel="credibility", ylabel="pairs")
axes[0].legend()
axes[1].bar(list(found), list(found.values()))
axes[1].set(ylabel="partners found first")
plt.show()
