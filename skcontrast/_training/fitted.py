"""The fitted encoder of an estimator: kept as arrays, rebuilt where it is needed, run over rows."""

import weakref

import numpy as np
import torch
from sklearn.utils import check_random_state

from skcontrast._inputs.side import LEARNED_OF_Y
from skcontrast._training.devices import DTYPES, device_at_hand, seeded
from skcontrast._training.embed import (
    checked_output,
    forward,
    load_arrays,
    optimizer_to_arrays,
)
from skcontrast._training.modules import build_module, embed_view

# Modules rebuilt from the fitted arrays. Outside the estimators, so that these hold
# NumPy arrays only: they pickle small, hash fast and transform leaves them untouched.
ENCODERS: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()

# What a second stage changes of a fitted encoder.
_OF_SECOND_STAGE = ("weights_", "output_", "n_components_", "_n_epochs")


def keep(estimator, final, training, encoder, call):
    """Write what was learned into an estimator, and what a later call goes on from."""
    attributes = vars(estimator)
    if call.second:
        # The curves and the target stay those of the first stage.
        second, final = final, {name: final[name] for name in _OF_SECOND_STAGE}
        final["finetune_curve_"] = second["loss_curve_"]
        if second["objective_weights_"].keys() == estimator.objective_weights_.keys():
            final["objective_weights_"] = second["objective_weights_"]  # one head, trained on
        attributes.pop("_optimizer_state", None)  # its moments are of another loss
    else:
        for name in ("_optimizer_state", "finetune_curve_", *LEARNED_OF_Y):
            attributes.pop(name, None)
        if call.partial or estimator.warm_start:
            moments = optimizer_to_arrays(training.optimizer_state)
            final["_optimizer_state"] = {"name": repr(estimator.optimizer), "moments": moments}
    attributes.update(final)
    ENCODERS[estimator] = estimator.precision, encoder


def encoder_of(estimator):
    """The encoder, rebuilt from its arrays when this process has none."""
    precision, encoder = ENCODERS.get(estimator, (None, None))
    if precision != estimator.precision:
        source, dtype = estimator.input_, DTYPES[estimator.precision]
        with seeded(0, torch.device("cpu")):
            module, _ = build_module(vars(estimator), source.n_features, dtype)
        load_arrays(module, estimator.weights_)
        encoder = module.encoder
        ENCODERS[estimator] = estimator.precision, encoder
    return encoder


def embedded(estimator, encoder, X, source, weights):
    """Learned columns of rows that ``source`` has read, from an encoder with these weights."""
    device = device_at_hand(estimator.device)
    out = forward(encoder, X, source.batch, precision=estimator.precision, device=device)
    return checked_output(out, X.dtype, weights)


def embed(estimator, X):
    """Learned columns of rows that the input of a fitted estimator has read."""
    return embedded(estimator, encoder_of(estimator), X, estimator.input_, estimator.weights_)


def embed_one_view(estimator, X, random_state):
    """Learned columns of one random view of each row; None where nothing is random.

    The views draw from the rows of X.
    """
    source, device = estimator.input_, device_at_hand(estimator.device)
    X = source.read(X, n_least=2)
    rows = source.rows(X, dtype=DTYPES[estimator.precision], device=device)
    seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
    with seeded(seed, device):
        views = estimator._settled("views", estimator.views, source)
        out = embed_view(encoder_of(estimator), views, rows)
    return out if out is None else checked_output(out, X.dtype, estimator.weights_)
