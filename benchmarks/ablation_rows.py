"""What benchmarks/ablation.py measures: trainings of an encoder, and which columns are scored.

A training gives several rows of a table, for the parts beside the learned columns are not
trained: one fit, and the columns of its output are dropped by ``part_columns_``.
"""

import time

import numpy as np
import torch
from quality_measure import SIZES, prepared, scored
from quality_probes import Features
from quality_rows import NAMES, encoder
from quality_rows import signature as signature_of
from sklearn.preprocessing import normalize
from skorch.callbacks import Callback
from threadpoolctl import threadpool_limits
from torch.optim.swa_utils import AveragedModel

from skcontrast import ContrastiveEncoder
from skcontrast.networks import MLP
from skcontrast.samplers import Clustered

PARTS = ("columns", "ranks", "patterns", "kernel", "neighborhood")
# Columns of the default, as of the two that stand side by side.
HALF_WIDTH = 128


class WeightAverage(Callback):
    """Leave the exponential average of the weights of all steps where training ends.

    In the first steps the average is over fewer of them, or short trainings would end near
    the weights that they began with.
    """

    def __init__(self, decay=0.99):
        self.decay = decay

    def __repr__(self):
        return f"WeightAverage(decay={self.decay})"

    def on_train_begin(self, net, **kwargs):
        self.average_ = AveragedModel(net.module_, avg_fn=self._average)

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if training:
            self.average_.update_parameters(net.module_)

    def on_train_end(self, net, **kwargs):
        net.module_.load_state_dict(self.average_.module.state_dict())

    def _average(self, average, weight, n_steps):
        return torch.lerp(average, weight, max(1 - self.decay, float(9 / (10 + n_steps))))


NAMES["WeightAverage"] = WeightAverage


def side_by_side(train, test, seed, staged):
    """Two encoders of half the width, the second trained in stages or with another seed.

    Of the second stage every batch comes from a cluster of the first one's embedding.
    """
    parameters = {"network": MLP(width=HALF_WIDTH), "device": "cpu"}
    first = ContrastiveEncoder(passthrough=True, random_state=seed, **parameters)
    # With the columns beside it the learned part gets the same scale as in the first.
    second = ContrastiveEncoder(passthrough=["columns"], random_state=seed + 1, **parameters)
    out = first.fit_transform(train), first.transform(test)
    start, stop = first.output_.part_columns_["learned"]
    if staged:
        learned = out[0][:, start:stop] / first.output_.part_scales_["learned"]
        prior = normalize(learned + first.output_.part_means_["learned"])
        second.set_params(sampler=Clustered(space="prior", share=1.0)).fit(train, prior=prior)
    else:
        second.fit(train)
    more = slice(*second.output_.part_columns_["learned"])
    both = []
    for X, own in zip((train, test), out):
        pair = np.hstack([own[:, start:stop], second.transform(X)[:, more]]) / np.sqrt(2)
        both.append(np.hstack([own[:, :start], pair, own[:, stop:]]))
    columns = {
        name: (a, b) if a < start else (a + HALF_WIDTH, b + HALF_WIDTH)
        for name, (a, b) in first.output_.part_columns_.items()
    }
    return *both, columns | {"learned": (start, stop + HALF_WIDTH)}


def two_stages(train, test, seed):
    return side_by_side(train, test, seed, staged=True)


def two_encoders(train, test, seed):
    return side_by_side(train, test, seed, staged=False)


def objective(text):
    return f"ContrastiveEncoder(objective={text})"


def by_views(text):
    return f"ContrastiveEncoder(views={text})"


# Row -> expression of an unfitted encoder, or function of (train, test, seed) that gives the
# output for both and which columns of it are which part.
TRAINING = {
    "corruption only": by_views("'corruption'"),
    "neighbors only": by_views("'neighbors'"),
    "4 views": "ContrastiveEncoder(n_views=4)",
    "temperature 0.1": objective("InfoNCE(0.1)"),
    "temperature 0.5": objective("InfoNCE(0.5)"),
    "temperature learned": objective("InfoNCE('learned')"),
    "temperature model_aware": objective("InfoNCE('model_aware')"),
    "temperature individual": objective("InfoNCE('individual')"),
    "decoupled": objective("'decoupled'"),
    "30 epochs": "ContrastiveEncoder(max_iter=30)",
    "200 epochs": "ContrastiveEncoder(max_iter=200)",
    "early stopping": "ContrastiveEncoder(early_stopping=True)",
    "64 components": "ContrastiveEncoder(64, passthrough=True)",
    "no skip": "ContrastiveEncoder(network=MLP(skip=False))",
    "one hidden layer": "ContrastiveEncoder(network=MLP((256,)))",
    "batches of 128": "ContrastiveEncoder(batch_size=128)",
    "averaged weights": "ContrastiveEncoder(callbacks=[WeightAverage()])",
}
ONE_WAY = "InfoNCE(form='one_way', hard_negatives=True)"
STRUCTURE = {
    "ClusterNS": objective("ClusterNS()"),
    "PositiveAware": objective("PositiveAware()"),
    "DCLR": objective("DCLR()"),
    "MinedNegatives": objective("MinedNegatives()"),
    "NeighborBands": by_views("(NeighborBands(start=1, stop=6), 'corruption')"),
    "one way": objective("InfoNCE(form='one_way')"),
    "NeighborBands, hard negatives": f"ContrastiveEncoder(objective={ONE_WAY}, n_views=3, "
    "views=(NeighborBands(start=1, stop=6), 'corruption'))",
    "Neighbors, 2 steps": by_views("(Neighbors(n_steps=2), 'corruption')"),
    "Clustered": "ContrastiveEncoder(sampler='clustered')",
    "two encoders": two_encoders,
    "two stages": two_stages,
}
GROUPS = {"parts": {}, "training": TRAINING, "structure": STRUCTURE}
TRAININGS = {"default": "ContrastiveEncoder()", **TRAINING, **STRUCTURE}
WITHOUT_ENCODER = ("raw", "two encoders", "two stages")


def signature(name):
    """What a kept result depends on besides its name: the parameters of an encoder."""
    return "" if name in WITHOUT_ENCODER else signature_of(TRAININGS[name], ())


def learn(name, train, test, seed):
    """Output for the training and the test rows, and which of its columns are which part."""
    if callable(TRAININGS[name]):
        return TRAININGS[name](train, test, seed)
    model = encoder(TRAININGS[name]).set_params(random_state=seed, device="cpu")
    return model.fit_transform(train), model.transform(test), model.output_.part_columns_


def kept_columns(name, columns):
    """Row -> mask of the columns that it keeps of the output of a training.

    Parameters
    ----------
    columns : dict of part to (start, stop)
    """
    every = np.zeros(max(stop for _, stop in columns.values()), dtype=bool)
    masks = {part: every.copy() for part in columns}
    for part, (start, stop) in columns.items():
        masks[part][start:stop] = True
    rows = {name: ~every, f"{name}, alone": masks["learned"]}
    if name == "default":
        rows |= {f"without {part}": ~mask for part, mask in masks.items()}
    return rows


def measure(folder, set_name, name, seed, size_name, protocol, signature):
    """Accuracy of every draw by row, probe and labels a class, and seconds of CPU to learn."""
    size = SIZES[size_name]
    with threadpool_limits(1):
        given, matrices, y, y_test = prepared(folder, set_name, size, seed)
        train, test = matrices if name == "raw" or hasattr(given[0], "columns") else given
        if name == "raw":
            rows, seconds = {"raw": slice(None)}, 0.0
        else:
            begin = time.process_time()
            train, test, columns = learn(name, train, test, seed)
            seconds = time.process_time() - begin
            rows = kept_columns(name, columns)
        results = {}
        for row, kept in rows.items():
            features = Features(train[:, kept], test[:, kept])
            scores = scored(features, y, y_test, size)
            results[row] = {"columns": features.train.shape[1], "scores": scores}
    return {"fit_s": round(seconds, 2), "n_train": len(y), "n_test": len(y_test), "rows": results}
