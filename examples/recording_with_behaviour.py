"""A long recording with behaviour, as in CEBRA: which embedding decodes it.
==========================================================================

Forty neurons of an animal that runs up and down a track. They are simulated here, so that what
disturbs is known: all rates share a gain that drifts, and is higher where the decoder is tested
than ever before. Where on the track is the animal? Principal components, positives a little later
in time, and positives at nearby positions each give eight columns to decode this from.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcontrast import SeriesContrastiveEncoder
from skcontrast.networks import DilatedConv
from skcontrast.objectives import InfoNCE, YAware
from skcontrast.views import TimeOffset

# %%
# The recording, a row of spikes for each of 2,000 time steps. A neuron fires around its place, and
# two in three mostly when the animal runs one way.

rng = np.random.default_rng(0)
n, n_neurons = 2000, 40
speed = np.convolve(rng.normal(size=n + 199), np.ones(200) / np.sqrt(200), "valid")
phase = np.cumsum(0.012 * np.exp(0.5 * speed)) % 2
position, upward = np.where(phase < 1, phase, 2 - phase), phase < 1
place, prefers = rng.uniform(size=n_neurons), rng.uniform(size=n_neurons) < 0.5
rates = np.exp(-((position[:, None] - place) ** 2) / (2 * 0.1**2))
one_way = np.arange(n_neurons) % 3 > 0
rates[one_way & (prefers != upward[:, None])] *= 0.2
t = np.linspace(0, 1, n)
gain = np.exp(t - 0.5 + 0.3 * np.sin(9 * t))
X = rng.poisson(gain[:, None] * (rates + 0.05)).astype(float)

# %%
# The first 80 % are there to learn from, and the last 20 % to decode. Steps at random would not
# do: the neighbours of a test step would stand among those for training.

train, test = slice(0, n * 4 // 5), slice(n * 4 // 5, n)

# %%
# Each embedding reads a window of ten steps around a step. For *time* the positive of a step is the
# one ten steps later. For *behaviour* all steps of a batch are positives, weighted by how near
# their positions are (``YAware``). Positions in random order are the control: what they reach does
# not come from behaviour. Columns are scaled to unit length, as the objectives compare directions;
# principal components stand there without this too.


def windows(X):
    """Each step beside those around it: (n, 10 * n_neurons)."""
    around = np.arange(len(X))[:, None] + np.arange(10) - 5
    return X[around.clip(0, len(X) - 1)].reshape(len(X), -1)


def learned(y=None, **params):
    encoder = SeriesContrastiveEncoder(
        8,
        window=10,
        network=DilatedConv(hidden=32, n_blocks=2, pooling="mean"),
        batch_size=256,
        max_iter=60,
        random_state=0,
        **params,
    )
    return make_pipeline(encoder, Normalizer()).fit(X[train], y)


alike = {"objective": YAware(), "views": None, "n_views": 1}
pca = make_pipeline(StandardScaler(), PCA(8), Normalizer()).fit(windows(X[train]))
models = {
    "time": learned(views=TimeOffset(10), objective=InfoNCE(form="one_way")),
    "behaviour": learned(position[train], **alike),
    "shuffled behaviour": learned(rng.permutation(position[train]), **alike),
}
embedded = {
    name: [steps.transform(windows(X[part])) for part in (train, test)]
    for name, steps in {"PCA, any length": pca[:-1], "PCA": pca}.items()
}
embedded |= {name: [m.transform(X[part]) for part in (train, test)] for name, m in models.items()}

# %%
# R² of two decoders of position: a linear one, and the mean of the 25 nearest training steps.

decoders = {
    "linear": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 7))),
    "25 nearest steps": KNeighborsRegressor(25),
}
decoded = {
    (name, decoder): model.fit(Z, position[train]).predict(Z_test)
    for name, (Z, Z_test) in embedded.items()
    for decoder, model in decoders.items()
}
error = {key: np.mean((position[test] - found) ** 2) for key, found in decoded.items()}
table = 1 - pd.Series(error).unstack(sort=False) / position[test].var()
print(table.round(3).to_string())

# %%
# Principal components of unit length need no training and do as well as behaviour, to about a
# hundredth, though behaviour read the position of every training step: try them first. Their unit
# length is what helps the linear decoder, under a gain that it never saw; the nearest steps do
# without. That positions taught the encoder something is seen from the shuffled ones, with which
# far less is decoded. Time comes in between. Real neurons follow more than a position and one gain,
# so there the order may be another.

# %%
# The two leading directions of the three embeddings, on the steps that were held out, and below
# them what the best pair of the table decodes. Position runs along a curve in the principal
# components and with behaviour; the leading directions of time hardly show it.

figure, axes = plt.subplot_mosaic(
    [list(range(3)), ["decoded"] * 3], figsize=(9, 6), layout="constrained", height_ratios=[3, 2]
)
for i, name in enumerate(["PCA", "time", "behaviour"]):
    Z, Z_test = embedded[name]
    points = axes[i].scatter(*PCA(2).fit(Z).transform(Z_test).T, c=position[test], s=6)
    axes[i].set(title=name, xticks=[], yticks=[])
figure.colorbar(points, ax=axes[2], label="position")
best = min(error, key=error.get)
axes["decoded"].plot(np.arange(n)[test], position[test], color="0.6", linewidth=3, label="true")
axes["decoded"].plot(np.arange(n)[test], decoded[best], label="decoded")
axes["decoded"].set(title=", ".join(best), xlabel="step", ylabel="position")
axes["decoded"].legend(loc="upper center")
plt.show()
