"""300,000 rows from disk: train on a memory map, batch by batch.
===============================================================

An array that does not fit in memory stays on disk: ``np.load(..., mmap_mode="r")`` gives rows as
they are asked for, and the encoder asks for a batch at a time. The output goes to disk in
the same way. ``views="corruption"`` spares the search for neighbours.
"""

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from skcontrast import ContrastiveEncoder, EmbeddingMapDisplay

# %%
# A table of 300,000 rows and 20 columns, written to disk.

folder = tempfile.TemporaryDirectory()
X, y = make_classification(300_000, 20, n_informative=10, n_classes=4, random_state=0)
np.save(Path(folder.name, "rows.npy"), X.astype(np.float32))
del X
rows = np.load(Path(folder.name, "rows.npy"), mmap_mode="r")
print(f"{rows.shape[0]:,} rows, {rows.nbytes / 2**20:.0f} MiB on disk")

# %%
# One epoch, which is 586 batches. ``passthrough=["columns"]`` puts the input beside what was
# learned and leaves out the parts that cost time.

encoder = ContrastiveEncoder(
    views="corruption",
    passthrough=["columns"],
    batch_size=512,
    max_iter=1,
    random_state=0,
)
start = time.perf_counter()
encoder.fit(rows)
print(f"Trained in {time.perf_counter() - start:.0f} s")

# %%
# A classifier with 200 labels, judged by 50,000 further rows.

few, test = slice(0, 200), slice(250_000, 300_000)
raw = LogisticRegression(max_iter=1000).fit(rows[few], y[few])
head = LogisticRegression(max_iter=1000).fit(encoder.transform(rows[few]), y[few])
out = np.lib.format.open_memmap(
    Path(folder.name, "out.npy"), "w+", np.float32, (50_000, encoder.n_components_)
)
encoder.transform(rows[test], out=out)
print(f"columns alone  {raw.score(rows[test], y[test]):.3f}")
print(f"with embedding {head.score(out, y[test]):.3f}")

# %%
# A map of a thousand of these rows.

EmbeddingMapDisplay.from_embedding(encoder.transform(rows[-1000:]), y[-1000:], method="pca")
plt.show()
del rows, out
folder.cleanup()
