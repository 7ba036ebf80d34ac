"""Is my embedding any good? Measures and pictures that need no label.
====================================================================

Three encoders of scikit-learn's digits: one trained for one epoch, one for a hundred, and one that
has only two columns to use. The measures need no label; the last column of the table, which reads
them, shows what the measures tell and what they do not.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from skcontrast import ContrastiveEncoder, EmbeddingMapDisplay, SpectrumDisplay
from skcontrast.metrics import effective_rank, hubness, uniformity

X, y = load_digits(return_X_y=True)

# %%
# Three encoders. ``passthrough=False`` leaves what was learned alone.

common = {"passthrough": False, "random_state": 0}
encoders = {
    "one epoch": ContrastiveEncoder(max_iter=1, **common),
    "100 epochs": ContrastiveEncoder(**common),
    "two columns": ContrastiveEncoder(2, **common),
}
embeddings = {name: encoder.fit_transform(X) for name, encoder in encoders.items()}

# %%
# Lower uniformity is a more even spread, a higher effective rank more directions in use, and less
# hubness fewer rows that are everybody's neighbour. The last column is the accuracy of kNN. The
# measures find the embedding that is too narrow. Between the other two they do not decide: the
# encoder of one epoch has the higher rank, and is no better.

rows = {
    name: {
        "uniformity": uniformity(Z),
        "effective rank": effective_rank(Z),
        "hubness": hubness(Z),
        "kNN accuracy": cross_val_score(KNeighborsClassifier(), Z, y).mean(),
    }
    for name, Z in embeddings.items()
}
print(pd.DataFrame(rows).T.round(2).to_string())

# %%
# The same as pictures: a map of the second embedding, and how its variance is spread.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
EmbeddingMapDisplay.from_embedding(embeddings["100 epochs"], y, ax=axes[0])
SpectrumDisplay.from_embedding(embeddings["100 epochs"], ax=axes[1])
plt.show()
