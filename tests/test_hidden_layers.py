"""What the layers of a network make of rows."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.datasets import load_iris
from torch import nn

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, MultiViewContrastiveEncoder
from skcontrast.metrics import linear_cka
from skcontrast.networks import MLP

X = load_iris().data


def fitted(network, X=X, **params):
    encoder = ContrastiveEncoder(
        network=network, max_iter=1, random_state=0, passthrough=False, device="cpu", **params
    )
    return encoder.fit(X)


@pytest.mark.parametrize("skip", [True, False])
def test_layers_of_an_mlp(skip):
    encoder = fitted(MLP((16, 16, 8), skip=skip, width=5))
    layers = encoder.hidden_layers(X)
    assert [h.shape for h in layers] == [(150, 16), (150, 16), (150, 8), (150, 5)]
    np.testing.assert_allclose(layers[-1], encoder.transform(X), rtol=1e-6)
    # The first layer by hand: an affine map of standardised columns, its norm, and GELU or ReLU.
    weight, bias = (encoder.weights_[f"encoder.layers.0.0.{name}"] for name in ("weight", "bias"))
    h = ((X - encoder.mean_) / encoder.scale_) @ weight + bias
    h = (h - h.mean(1, keepdims=True)) / np.sqrt(h.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(layers[0], np.maximum(h, 0), atol=1e-4)


def test_a_layer_depends_on_its_row_alone():
    encoder = fitted("mlp")
    whole, one = encoder.hidden_layers(X), encoder.hidden_layers(X[7:8])
    for all_rows, alone in zip(whole, one):
        np.testing.assert_array_equal(all_rows[7:8], alone)


def test_sparse_rows_and_layers_of_ones_own():
    rows = sp.csr_matrix(X * (X > 1))
    assert [h.shape[1] for h in fitted("mlp", rows).hidden_layers(rows)] == [256, 256, 256]
    network = nn.Sequential(nn.Linear(4, 7), nn.Tanh(), nn.Linear(7, 3))
    encoder = fitted(network)
    layers = encoder.hidden_layers(X)
    assert [h.shape[1] for h in layers] == [7, 7, 3]
    np.testing.assert_allclose(np.tanh(layers[0]), layers[1], rtol=1e-5)
    np.testing.assert_allclose(layers[2], encoder.transform(X), rtol=1e-6)


def test_a_linear_network_has_one_layer():
    layers = fitted("linear").hidden_layers(X)
    assert len(layers) == 1 and linear_cka(layers[0], fitted("linear").transform(X)) > 0.999


def test_networks_whose_layers_are_not_known():
    texts = ["a red car", "a blue house", "old street"] * 4
    for model, rows in (
        (ContrastiveTextEncoder(max_iter=1), texts),
        (MultiViewContrastiveEncoder(blocks=[2, 2], max_iter=1), X),
    ):
        with pytest.raises(TypeError, match="are not known: type network='mlp'"):
            model.fit(rows).hidden_layers(rows)


def test_nothing_is_kept_of_the_look():
    encoder = fitted("mlp")
    before = torch.get_rng_state(), encoder.transform(X)
    encoder.hidden_layers(X)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(encoder.transform(X), before[1])
