"""The parameters that all estimators share which train an encoder, and what they accept."""

import torch

from skcontrast._component import Integral, Interval, ListOf, Real, Shorthand, StrOptions
from skcontrast._training.checkpoint import CHECKPOINT_CONSTRAINTS
from skcontrast._training.devices import DTYPES
from skcontrast.networks import NETWORK_CONSTRAINTS
from skcontrast.views import VIEW_CONSTRAINTS

# Where the names of a parameter stand.
SHORTHAND = {
    "objective": "skcontrast.objectives:OBJECTIVES",
    "views": "skcontrast.views:VIEWS_OF",
    "network": "skcontrast.networks:NETWORKS_OF",
    "projector": "skcontrast.networks:NETWORKS",
    "sampler": "skcontrast.samplers:SAMPLERS",
    "optimizer": "skcontrast.optimizers:OPTIMIZERS",
    "replay": "skcontrast.replay:RESERVOIRS",
}

CONSTRAINTS = {
    "n_components": [Interval(Integral, 1, None, closed="left"), None],
    "objective": [Shorthand(SHORTHAND["objective"], "objective", ("loss",))],
    "views": VIEW_CONSTRAINTS,
    "n_views": [Interval(Integral, 1, None, closed="left")],
    "clean_anchor": ["boolean"],
    "network": NETWORK_CONSTRAINTS,
    "projector": [*NETWORK_CONSTRAINTS, None],
    "sampler": [Shorthand(SHORTHAND["sampler"], "sampler")],
    "replay": [Shorthand(SHORTHAND["replay"], "replay", ("keep",)), None],
    "standardize": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left"), None],
    "optimizer": [Shorthand(SHORTHAND["optimizer"], "optimizer")],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"})],
    "chunk_size": [Interval(Integral, 1, None, closed="left"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "callbacks": [ListOf(("initialize", "on_epoch_end", "set_params")), None],
    "checkpoint": CHECKPOINT_CONSTRAINTS,
    "device": [str, torch.device],
    "precision": [StrOptions(set(DTYPES))],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
