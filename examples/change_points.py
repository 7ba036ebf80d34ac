"""Where does it change? Find change points in a recording, without a label.
=========================================================================

Six channels of a wrist watch while people stand, walk, run or play badminton (BasicMotions), where
../shared/data is beside the repository; else scikit-learn's digits, an image for each time step and
the same digit for a while. An encoder learns from the order of the rows that near moments are
alike, and where its embedding changes, a segment ends. No label is read.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.signal import find_peaks
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcontrast import SeriesContrastiveEncoder
from skcontrast.metrics import boundary_scores
from skcontrast.networks import DilatedConv
from skcontrast.objectives import InfoNCE
from skcontrast.views import TimeOffset

HOME = next((p for p in Path.cwd().parents if (p / "shared/data").exists()), Path())
LOCAL = HOME / "shared/data/timeseries/BasicMotions/BasicMotions.npz"

# %%
# The recording: segments of unequal length, one after the other in random order. A change point is
# the first row of a segment of another class; where two of one class meet, there is none.

rng = np.random.default_rng(0)
if LOCAL.exists():
    print("Data: BasicMotions of ../shared/data")
    data = np.load(LOCAL)
    y = np.concatenate([data["y_train"], data["y_test"]])
    series = np.concatenate([data["X_train"], data["X_test"]])
    segments = [x[:, : rng.integers(50, 101)].T for x in series]
else:
    print("Data: scikit-learn's digits")
    images, digits = load_digits(return_X_y=True)
    y = np.repeat(range(10), 5)
    cuts = [36, 66, 108, 144]
    segments = [part for d in range(10) for part in np.split(images[digits == d], cuts)]

order = rng.permutation(len(segments))
X = StandardScaler().fit_transform(np.concatenate([segments[i] for i in order]))
label = np.concatenate([np.repeat(y[i], len(segments[i])) for i in order])
changes = np.flatnonzero(label[1:] != label[:-1]) + 1
print(f"{len(X)} time steps of {X.shape[1]} columns, {len(changes)} change points")

# %%
# An embedding of each step with those around it: of ten rows, the window that lies ten steps later
# is the positive. The objective compares directions, so the embedding is scaled to unit length.

WINDOW = 10
encoder = SeriesContrastiveEncoder(
    8,
    window=WINDOW,
    views=TimeOffset(10),
    objective=InfoNCE(0.2, form="one_way"),
    network=DilatedConv(hidden=32, n_blocks=2, pooling="mean"),
    max_iter=500 * 256 // len(X),  # about 500 steps
    random_state=0,
)
embedding = make_pipeline(encoder, Normalizer()).fit_transform(X)

# %%
# For comparison the rows themselves, and the mean and standard deviation of each column in the same
# windows.

rolling = pd.DataFrame(X).rolling(WINDOW, center=True, min_periods=2)
spread = StandardScaler().fit_transform(np.hstack([rolling.mean(), rolling.std()]))
rows = {"rows": X, "mean and deviation": spread, "embedding": embedding}

# %%
# ``boundary_scores`` has a peak where the mean of 20 rows differs much from that of the 20 before.
# As many of the highest peaks are taken as there are changes; a change is found where one of them
# is at most five steps away. Random moments in place of the peaks say what luck finds.


def found(peaks, tolerance=5):
    return np.mean([np.abs(peaks - change).min() <= tolerance for change in changes])


scores = {name: boundary_scores(z, width=20) for name, z in rows.items()}
recall = {"random moments": np.mean([
    found(rng.choice(len(X), len(changes), replace=False)) for _ in range(100)
])}  # fmt: skip
highest = {}
for name, score in scores.items():
    peaks, _ = find_peaks(score, distance=10)
    peaks = peaks[(peaks >= 20) & (peaks <= len(X) - 20)]  # with 20 rows on either side
    highest[name] = peaks[np.argsort(-score[peaks])][: len(changes)]
    recall[name] = found(highest[name])
print(pd.Series(recall, name="changes found").round(2).to_string())

# %%
# Neither is always ahead. On the sensors, where an activity shows in how columns move, the
# embedding finds most; on the digits, where each row shows its class by itself, it finds fewer than
# the rows. The number of changes is rarely known: look at the scores, and choose a height. Windows
# and ``width`` have to be shorter than the segments that matter.

# %%
# The scores of a part of the recording. Dashed lines are the true changes, points the peaks that
# were taken.

stop = changes[min(8, len(changes) - 1)] + 15
figure, axes = plt.subplots(3, 1, figsize=(6, 6), sharex=True, layout="constrained")
for axis, (name, score) in zip(axes, scores.items()):
    axis.plot(score[:stop], color="#0072B2", linewidth=1.5)
    shown = highest[name][highest[name] < stop]
    axis.plot(shown, score[shown], "o", color="#D55E00", markersize=8, label="peak")
    for change in changes[changes < stop]:
        axis.axvline(change, color="black", linestyle="--", linewidth=1.2)
    axis.set_title(f"{name}: {recall[name]:.0%} of changes found", fontsize=15)
    axis.tick_params(labelsize=13)
axes[-1].set_xlabel("time step", fontsize=15)
figure.supylabel("boundary score", fontsize=15)
plt.show()
