"""Two tables of the same objects: find the partner of a row.
=============================================================

Handwritten digits of scikit-learn, described by two tables: pixels of a coarse image, and how
strong each frequency is in the fine one, wherever it lies. For a row of one table its partner in
the other is sought.
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

# How near is the own partner, and how near are those of other rows?
own = scores.diagonal()
others = scores[~np.eye(len(scores), dtype=bool)]

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
k = np.arange(1, 51)
for name, rank in ranks.items():
    axes[0].plot(k, [np.mean(rank < i) for i in k], label=name)
axes[0].set(xlabel="candidates looked at", ylabel="partners found", ylim=(0, 1))
axes[0].legend()
axes[1].hist([own, others], 40, density=True, label=["own partner", "other rows"])
axes[1].set(xlabel="cosine of the two blocks", ylabel="density")
axes[1].legend()
plt.show()
