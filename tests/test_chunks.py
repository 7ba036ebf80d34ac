"""Rows through the network some at a time: gradients and fits are those of all at once."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.sparse import csr_array
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    MultiViewContrastiveEncoder,
    SeriesContrastiveEncoder,
)
from skcontrast._training.chunks import in_chunks
from skcontrast._training.network import ViewNetwork
from skcontrast.checkpoint import Checkpoint
from skcontrast.networks import MLP, DilatedConv
from skcontrast.objectives import InfoNCE, VICReg

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6))
TEXTS = [" ".join(RNG.choice(list("abcdefgh"), size=k % 7 + 1)) for k in range(40)]
SERIES = RNG.normal(size=(30, 2, 20))


def gradients(network, size, batch=X, objective=None, dtype=torch.float64):
    """Loss of one step and the gradient of every weight."""
    torch.manual_seed(0)
    module = ViewNetwork(network, nn.Linear(8, 5), [None, lambda x, i: x + 1]).to(dtype)
    module.chunk_size = size
    made = module(torch.as_tensor(batch, dtype=dtype), torch.arange(len(batch)))
    loss = (objective or InfoNCE())(**made).mean()
    loss.backward()
    return [loss.detach(), *(p.grad for p in module.parameters())]


def layers(*middle):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), *middle, nn.Linear(16, 8))


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("size", [1, 7, 60, 120])
@pytest.mark.parametrize("objective", [InfoNCE(), VICReg()])
def test_gradients_are_those_of_the_whole_batch(dtype, tolerance, size, objective):
    options = {"objective": objective, "dtype": dtype}
    whole = gradients(layers(nn.Tanh()), None, **options)
    largest = max(float(part.abs().max()) for part in whole)
    for a, b in zip(gradients(layers(nn.Tanh()), size, **options), whole):
        assert_allclose(a, b, rtol=0, atol=tolerance * largest)


def test_dropout_is_the_same_in_both_passes():
    # The gradient by autograd is that of differences of the loss, whose dropout is the same.
    network, x = layers(nn.Dropout(0.5)).double(), torch.as_tensor(X)
    weight = network[0].weight

    def loss():
        torch.manual_seed(3)
        return in_chunks(network, x, 7).square().mean()

    (gradient,) = torch.autograd.grad(loss(), weight)
    with torch.no_grad():
        weight[2, 3] += 1e-5
        above = loss()
        weight[2, 3] -= 2e-5
        below = loss()
    assert_allclose(gradient[2, 3], (above - below) / 2e-5, rtol=1e-7)


def test_what_gradients_need_is_not_held_before_the_backward_pass():
    network, held = nn.Sequential(nn.Linear(6, 50), nn.Tanh(), nn.Linear(50, 2)), set()

    def note(tensor):
        held.add(tuple(tensor.shape))
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        in_chunks(network, torch.as_tensor(X).float(), None)
        assert (60, 50) in held
        held.clear()
        in_chunks(network, torch.as_tensor(X).float(), 10)
    assert not any(50 in shape for shape in held)


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.SyncBatchNorm])
def test_batch_normalisation_is_refused(kind):
    network = nn.Sequential(nn.Linear(6, 8), kind(8))
    with pytest.raises(ValueError, match=f"chunk_size=8 .* {kind.__name__} .* chunk_size=None"):
        ContrastiveEncoder(network=network, chunk_size=8, max_iter=1).fit(X)


def test_half_precision_and_a_killed_fit(tmp_path):
    options = {"max_iter": 4, "chunk_size": 16, "random_state": 0, "device": "cpu"}
    half = ContrastiveEncoder(precision="bfloat16", **options)
    expected = half.set_params(chunk_size=None).fit(X).loss_curve_
    assert_allclose(half.set_params(chunk_size=16).fit(X).loss_curve_, expected, rtol=0.02)

    class Killed(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise RuntimeError

    killed = ContrastiveEncoder(checkpoint=Checkpoint(tmp_path, every=1), **options)
    killed.set_params(network=MLP(dropout=0.2))
    whole = clone(killed).set_params(checkpoint=None).fit(X)
    with pytest.raises(RuntimeError):
        killed.set_params(callbacks=[Killed()]).fit(X)
    again = killed.set_params(callbacks=None).fit(X)
    assert again.loss_curve_ == whole.loss_curve_
    for name, weight in whole.weights_.items():
        assert (again.weights_[name] == weight).all()


def cases():
    blocks = {"blocks": [4, 2], "networks": "linear", "views": None}
    lacking = X.copy()
    lacking[::5, 4:] = np.nan
    word_views = {"views": ["word_deletion"], "network": "hashed"}
    return {
        "table": (ContrastiveEncoder(), X),
        "sparse": (ContrastiveEncoder(views="corruption"), csr_array(X * (X > 0.5))),
        "projector": (ContrastiveEncoder(projector="mlp"), X),
        "experts": (ContrastiveEncoder(network="experts"), X),
        "texts": (ContrastiveTextEncoder(**word_views), TEXTS),
        "series": (SeriesContrastiveEncoder(network=DilatedConv(8, 2)), SERIES),
        "steps": (
            SeriesContrastiveEncoder(network=DilatedConv(8, 2), objective="hierarchical"),
            SERIES,
        ),
        "blocks": (MultiViewContrastiveEncoder(**blocks), X),
        "lacking": (MultiViewContrastiveEncoder(**blocks), lacking),
    }


@pytest.mark.parametrize("name", cases())
def test_a_fit_is_that_of_whole_batches(name):
    encoder, rows = cases()[name]
    common = {"max_iter": 2, "batch_size": 20, "random_state": 0, "precision": "float64"}
    encoder.set_params(**common, device="cpu")
    whole = encoder.fit(rows)
    expected, curve = whole.weights_, whole.loss_curve_
    found = encoder.set_params(chunk_size=7).fit(rows)
    assert_allclose(found.loss_curve_, curve, rtol=1e-9)
    for key, weight in expected.items():
        assert_allclose(found.weights_[key], weight, rtol=1e-7, atol=1e-9, err_msg=key)
