"""One block is cheap: learn from the dear one, and do without it afterwards.
============================================================================

Handwritten digits of scikit-learn: the dear block is the image, the cheap one how dark each of its
rows and columns is. Both were measured once, for rows without labels. An encoder of the cheap block
learns to find alike what the dear block finds alike, and new rows need the cheap block alone.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcontrast import ContrastiveEncoder

dear, y = load_digits(return_X_y=True)
images = dear.reshape(-1, 8, 8)
cheap = np.hstack([images.sum(axis=1), images.sum(axis=2)])
print("Data: digits of scikit-learn,", dear.shape[1], "dear and", cheap.shape[1], "cheap columns")
cheap, cheap_test, dear, dear_test, y, y_test = train_test_split(
    cheap, dear, y, test_size=600, random_state=0
)

teacher = make_pipeline(StandardScaler(), PCA(20, random_state=0)).fit(dear)
student = ContrastiveEncoder(
    objective="teacher_similarity", views=None, n_views=1, passthrough=False, random_state=0
)
student.fit(cheap, prior=teacher.transform(dear))
alone = ContrastiveEncoder(random_state=0).fit(cheap)

spaces = {
    "cheap block": (cheap, cheap_test),
    "ContrastiveEncoder of it": (alone.transform(cheap), alone.transform(cheap_test)),
    "taught by the dear block": (student.transform(cheap), student.transform(cheap_test)),
    "dear block": (dear, dear_test),
}
counts = [3, 5, 10, 20]
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
for name, (Z, Z_test) in spaces.items():
    accuracy = []
    for k in counts:
        scores = []
        for draw in range(5):
            order = np.random.default_rng(draw).permutation(len(y))
            few = np.concatenate([order[y[order] == c][:k] for c in range(10)])
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            scores.append(model.fit(Z[few], y[few]).score(Z_test, y_test))
        accuracy.append(np.mean(scores))
    print(f"{name:25}", *(f"{k} labels {a:.3f}" for k, a in zip(counts, accuracy)), sep="  ")
    axis.plot(counts, accuracy, "o-", label=name)
axis.set(xlabel="labels of each class", ylabel="accuracy", xticks=counts)
axis.legend()
plt.show()
