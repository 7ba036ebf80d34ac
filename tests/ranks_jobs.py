"""Fits that test_ranks.py runs in one process and in two; run as a script by each of them."""

import os
import pickle
import sys

import multiview_cases
import numpy as np
import series_cases
import torch
from instances import blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback
from test_training import TRAINABLE
from torch import nn

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, KernelConditionalContrastive
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP, AttentionPooling, DilatedConv
from skcontrast.objectives import OBJECTIVES, Balanced, InfoNCE, OnGates, Reconstruction

X, Y = blobs(n=42, n_features=6)
TEXTS = [f"{a} {b} {a}{b} end" for a in ("red", "blue", "green", "old") for b in "abcdefg"]


def encoder(**params):
    settings = {"n_components": 3, "random_state": 0, "precision": "float64", "device": "cpu"}
    # Two batches of 21 rows, of which no two processes have as many: ten epochs are twenty steps.
    settings |= {"batch_size": 21, "max_iter": 10, "network": MLP(hidden_layer_sizes=(8,))}
    return ContrastiveEncoder(**{**settings, **params})


def of_objective(name):
    objective = OBJECTIVES[name]()
    y = np.eye(3, dtype=int)[Y] if objective.target_type == "labels" else Y
    side = {"condition": (X[:, :1] > 0) * 1.0, "prior": X, "groups": Y}
    side = {k: v for k, v in side.items() if k in objective.requires}
    views = {"views": "neighbors", "n_views": max(2, objective.min_views)}
    views["momentum"] = 0.9 if "keys" in objective.requires else None
    views["replay"] = "reservoir" if name == "previous_features" else None
    return encoder(objective=name, **views).fit(X, y, **side)


def of_blocks():
    plain = MLP((8,))  # without the dropout of the default
    return multiview_cases.encoder(precision="float64", batch_size=25, networks=plain)


def searched():
    """A search whose workers fit on folds of their own, in each process."""
    grid = {"emb__n_components": [2, 3]}
    steps = [("emb", encoder(max_iter=1)), ("clf", LogisticRegression())]
    return GridSearchCV(Pipeline(steps), grid, cv=2, n_jobs=2).fit(X, Y).best_estimator_[0]


# Name -> a fit; those of all objectives come by name.
JOBS = {
    "float32": lambda: encoder(precision="float32").fit(X),
    "chunks": lambda: encoder(chunk_size=4).fit(X),
    "projector": lambda: encoder(projector="mlp").fit(X),
    "balanced": lambda: encoder(objective=Balanced(InfoNCE(), Reconstruction())).fit(X),
    "own view": lambda: encoder(objective=InfoNCE() + Reconstruction()).fit(X),
    "early stopping": lambda: encoder(early_stopping=True, n_iter_no_change=2, tol=0.5).fit(X),
    "fewer rows than processes": lambda: encoder(batch_size=2, max_iter=1).fit(X[:3]),
    "kernel conditional": lambda: KernelConditionalContrastive(
        3, random_state=0, precision="float64", max_iter=3, batch_size=20, device="cpu"
    ).fit(X, condition=X[:, :1]),
    "series": lambda: series_cases.encoder("hierarchical", precision="float64", batch_size=7).fit(
        series_cases.series()[0]
    ),
    "texts": lambda: ContrastiveTextEncoder(
        4, random_state=0, precision="float64", max_iter=2, batch_size=9
    ).fit(TEXTS),
    "blocks": lambda: of_blocks().fit(multiview_cases.X),
    "missing blocks": lambda: of_blocks().fit(multiview_cases.missing()),
    "momentum": lambda: encoder(momentum=0.9, objective=InfoNCE(queue_size=16)).fit(X),
    "experts": lambda: encoder(network="experts", objective=OnGates(InfoNCE()) + InfoNCE()).fit(X),
    "steps pooled by attention": lambda: series_cases.encoder(
        "hierarchical", network=AttentionPooling(DilatedConv(8, 2)), precision="float64"
    ).fit(series_cases.series()[0]),
    "bfloat16": lambda: encoder(precision="bfloat16").fit(X),
    "search": searched,
    "further": lambda: encoder(max_iter=2).partial_fit(X).partial_fit(X),
}
# What one process draws in other ways: the two only have to be equal.
DRAWN = {
    "dropout": lambda: encoder(network=MLP((8,), dropout=0.3), views=None).fit(X),
    "no seed": lambda: encoder(random_state=None, max_iter=2).fit(X),
}
REFUSED = {
    "other rows": lambda rank: encoder().fit(X + rank),
    "other parameters": lambda rank: encoder(batch_size=20 + rank).fit(X),
    "batch norm": lambda rank: encoder(
        network=nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4)), n_components=None
    ).fit(X),
}


class Dies(Callback):
    """Ends the second process in the third epoch, when it was started for the first time."""

    def __init__(self, rank):
        self.rank, self.n = rank, 0

    def on_epoch_end(self, net, **kwargs):
        self.n += 1
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        if self.rank == 1 and self.n == 3 and first:
            os._exit(9)


def killed(rank, folder):
    checkpoint = Checkpoint(folder, every=1)
    return encoder(checkpoint=checkpoint, callbacks=[Dies(rank)]).fit(X)


def main(out, rank, what, folder):
    torch.set_num_threads(1)
    rank, found = int(os.environ["RANK"] if rank == "told" else rank), {}
    if what == "killed":
        try:
            found = killed(rank, folder).loss_curve_
        except ConnectionError as error:
            found = str(error)
    else:
        jobs = {**JOBS, **{name: lambda name=name: of_objective(name) for name in TRAINABLE}}
        for name, job in (jobs | DRAWN if what == "shared" else jobs).items():
            state = torch.get_rng_state()
            model = job()
            untouched = torch.equal(state, torch.get_rng_state())
            found[name] = model.loss_curve_, model.weights_, untouched
        for name, job in REFUSED.items() if what == "shared" else ():
            try:
                job(rank)
            except ValueError as error:
                found[name] = str(error)
    with open(out.format(rank), "wb") as file:
        pickle.dump(found, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
