"""Two tables of the same objects: find the partner of a row, and rows that do not belong together.
================================================================================================

Handwritten digits of scikit-learn, described by two tables: pixels of a coarse image, and how
strong each frequency is in the fine one, wherever it lies. For a row of one table its partner in
the other is sought; then a tenth of the pairs is exchanged, and the least likely pairs are looked
at.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skcontrast import CanonicalCorrelation, MultiViewContrastiveEncoder
from skcontrast.multiview import Blocks

images, y = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8)
tables = Blocks(
    coarse=images.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(len(y), -1),
    frequencies=np.abs(np.fft.rfft2(images)).reshape(len(y), -1),
)
train, test = train_test_split(tables, test_size=500, random_state=0)

# Of 500 rows, how often is the own partner the first, or among the first ten?
models = {
    "closed form": CanonicalCorrelation(regularization="auto"),
    "trained": MultiViewContrastiveEncoder(max_iter=60, random_state=0),
    "trained, views=None": MultiViewContrastiveEncoder(max_iter=60, views=None, random_state=0),
}
ranks = {}
for name, model in models.items():
    query, candidates = ({block: test[block]} for block in test.names)
    scores = model.fit(train).similarity(query, candidates)
    ranks[name] = (scores > scores.diagonal()[:, None]).sum(axis=1)
    first, ten = np.mean(ranks[name] < 1), np.mean(ranks[name] < 10)
    print(f"{name:20} first {first:.2f}, among ten {ten:.2f}, score {model.score(test):.2f}")

# A tenth of the pairs of all rows is wrong; no labels are read.
rng = np.random.default_rng(0)
wrong = rng.permutation(len(y))[: len(y) // 10]
mixed = tables["frequencies"].copy()
mixed[wrong] = mixed[np.roll(wrong, 1)]
pairs = Blocks(coarse=tables["coarse"], frequencies=mixed)
fit = CanonicalCorrelation(regularization="auto").fit(pairs).score_pairs(pairs)
suspects = np.argsort(fit)[: len(wrong)]
print(f"wrong pairs among the {len(wrong)} least likely: {np.isin(suspects, wrong).mean():.2f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
k = np.arange(1, 51)
for name, rank in ranks.items():
    axes[0].plot(k, [np.mean(rank < i) for i in k], label=name)
axes[0].set(xlabel="candidates looked at", ylabel="partners found", ylim=(0, 1))
axes[0].legend()
is_wrong = np.isin(np.arange(len(y)), wrong)
axes[1].hist(
    [fit[~is_wrong], fit[is_wrong]], 40, density=True, label=["right pairs", "wrong pairs"]
)
axes[1].set(xlabel="score_pairs", ylabel="density")
axes[1].legend()
plt.show()
