"""Networks: shapes, sparse input, gradients, users' modules, thread independence."""

import copy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from rounding import assert_same_but_rounding, threads
from sklearn.base import clone
from torch import nn

from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import (
    MLP,
    NETWORKS,
    InputLayer,
    Linear,
    MixtureOfExperts,
    build_network,
    build_projector,
)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def both_batches(dtype=torch.float32):
    """The same rows as a tensor and as a sparse batch; two of them are empty."""
    X = sp.random(20, 15, 0.3, format="lil", random_state=0)
    X[3] = X[19] = 0
    X = sp.csr_matrix(X)
    every = torch.arange(20)
    return table_rows(X.toarray(), dtype=dtype).take(every), table_rows(X, dtype=dtype).take(every)


VARIANTS = [
    Linear(),
    MLP(),
    MLP(hidden_layer_sizes=()),
    MLP(hidden_layer_sizes=(), skip=True),
    MLP(hidden_layer_sizes=(8, 8, 5), skip=True),
    MLP(hidden_layer_sizes=(1,)),
    MLP(hidden_layer_sizes=[8], normalization="batch", activation="gelu"),
    MLP(hidden_layer_sizes=(8,), normalization=None, activation="silu"),
    MLP(hidden_layer_sizes=(8,), activation="tanh", dropout=0.3),
]


@pytest.mark.parametrize("network", VARIANTS, ids=repr)
def test_network_maps_dense_and_sparse_alike_and_learns(network):
    check_parameters(network)
    dense, sparse = both_batches()
    module = network.build(15, 4).eval()
    out = module(dense)
    assert out.shape == (20, 4) and torch.isfinite(out).all()
    torch.testing.assert_close(module(sparse), out, atol=1e-5, rtol=1e-4)
    gradients = []
    for batch in (dense, sparse):
        module.zero_grad()
        module(batch).square().sum().backward()
        gradients.append([parameter.grad.clone() for parameter in module.parameters()])
    for a, b in zip(*gradients):
        assert torch.isfinite(a).all() and (a != 0).any()
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_input_layer_is_affine():
    dense, sparse = both_batches(torch.float64)
    layer = InputLayer(15, 4).double()
    nn.init.normal_(layer.bias)
    expected = dense @ layer.weight + layer.bias
    torch.testing.assert_close(layer(dense), expected)
    torch.testing.assert_close(layer(sparse), expected)
    empty = table_rows(sp.csr_matrix((2, 15)), dtype=torch.float64).take(torch.arange(2))
    torch.testing.assert_close(layer(empty), layer.bias.expand(2, -1))


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
def test_gradient_of_the_network(activation):
    network = MLP(hidden_layer_sizes=(5, 5), activation=activation, skip=True)
    module = network.build(4, 3).double()
    # Away from the kink of the ReLU with probability 1.
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, x)


def test_initial_scale():
    layer = InputLayer(1000, 200, gain=2**0.5)
    assert abs(layer.weight.std() * (1000 / 2) ** 0.5 - 1) < 0.01
    assert (layer.bias == 0).all()
    x = torch.randn(500, 100)
    network = MLP(hidden_layer_sizes=(300, 300, 300), normalization=None, skip=False)
    assert 0.5 < network.build(100, 50)(x).std() < 2


def test_skip_adds_the_input_and_the_layer_before():
    # As wide an input as the first layer: it is added once, by the shortcut.
    module = MLP(hidden_layer_sizes=(6, 6, 5), skip=True).build(6, 2).eval()
    x = torch.randn(7, 6)
    first, second, third = module.layers
    h = first(x)
    h = h + second(h)
    h = third(h)
    torch.testing.assert_close(module(x), module.head(h) + module.shortcut(x))


def test_network_dropout_makes_views():
    module = MLP(hidden_layer_sizes=(32,), dropout=0.1).build(5, 3)
    x = torch.randn(4, 5)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def test_rows_do_not_depend_on_each_other():
    module = MLP().build(5, 3).eval()
    x = torch.randn(9, 5)
    torch.testing.assert_close(module(x)[4:5], module(x[4:5]))


@pytest.mark.parametrize(
    "network", [MLP(), MLP(skip=False), Linear(), MixtureOfExperts(2, top=1)], ids=repr
)
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_other_numbers_of_threads_change_the_rounding_alone(network, kind):
    if kind == "dense":
        batch = torch.randn(512, 40)
    else:
        X = sp.random(512, 300, 0.1, format="csr", random_state=0)
        batch = table_rows(X).take(torch.arange(512))
    module = network.build(batch.shape[1], 16)
    results = []
    for n_threads in (1, 2, 2):
        with threads(n_threads):
            module.zero_grad()
            out = module(batch)
            out.square().sum().backward()
            grads = [parameter.grad.clone() for parameter in module.parameters()]
            results.append([out.detach(), *grads])
    for one, two, again in zip(*results):
        assert torch.equal(two, again)
        assert_same_but_rounding(one, two)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_network_is_a_component(name):
    network = NETWORKS[name]()
    check_parameters(network)
    twin = clone(network).set_params(**network.get_params())
    assert twin is not network and repr(twin) == repr(network)
    modules = []
    for _ in range(2):
        torch.manual_seed(2)
        modules.append(build_network(name, 5, 3)[0])
    for a, b in zip(modules[0].parameters(), modules[1].parameters()):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": 5},
        {"activation": "swish"},
        {"normalization": "group"},
        {"dropout": 1.0},
        {"skip": "yes"},
    ],
)
def test_bad_parameters_are_refused(params):
    with pytest.raises(InvalidParameterError):
        check_parameters(MLP(**params))


@pytest.mark.parametrize("sizes", [(0,), (8, 2.5), ("8",)])
def test_bad_hidden_layer_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="hidden_layer_sizes=.* integers of at least 1"):
        MLP(hidden_layer_sizes=sizes).build(3, 2)


# ---- build_network and build_projector -----------------------------------------------


def test_build_network_takes_names_components_and_modules():
    module, width = build_network("mlp", 7, 3)
    assert width == 3 and module(torch.zeros(2, 7)).shape == (2, 3)
    assert build_network(Linear(), 7)[1] == 256
    module, width = build_network(nn.Linear(7, 5), 7)
    assert width == 5 and module(torch.zeros(2, 7)).shape == (2, 5)
    assert build_network(nn.LazyLinear(5), 7, 5)[1] == 5


def test_users_module_is_copied_and_left_as_it_was():
    frozen = nn.BatchNorm1d(7).eval()
    user = nn.Sequential(frozen, nn.Linear(7, 5), nn.BatchNorm1d(5))
    before = copy.deepcopy(user.state_dict())
    module, _ = build_network(user, 7)
    copied = module.module
    assert [part.training for part in copied.modules()] == [True, False, True, True]
    for name, value in copied.state_dict().items():
        assert torch.equal(value, before[name])
    with torch.no_grad():
        copied[1].weight.add_(1)
    assert torch.equal(user[1].weight, before["1.weight"])


def test_users_module_gets_dense_batches_unless_it_says_otherwise():
    dense, sparse = both_batches()
    module, _ = build_network(nn.Linear(15, 4), 15)
    torch.testing.assert_close(module(sparse), module(dense))

    class Mine(InputLayer):
        pass

    module, _ = build_network(Mine(15, 4), 15)
    assert isinstance(module, Mine)
    torch.testing.assert_close(module(sparse), module(dense), atol=1e-6, rtol=1e-5)


def test_float64_module_is_tried_in_float64():
    assert build_network(nn.Linear(3, 2).double(), 3)[1] == 2


class _Broken(nn.Module):
    def forward(self, x):
        return x.sum(1)


@pytest.mark.parametrize(
    "network, n_components, message",
    [
        (nn.Linear(6, 2), None, r"network: the Linear failed .* \(2, 7\): RuntimeError"),
        (nn.Linear(7, 2), 3, "gives 2 columns, but n_components=3: type n_components=2"),
        (_Broken(), None, r"gave a tensor of shape \(2,\)"),
        ("mlpp", None, "Did you mean 'mlp'"),
    ],
)
def test_wrong_network_is_named(network, n_components, message):
    with pytest.raises(ValueError, match=message):
        build_network(network, 7, n_components)


def test_class_instead_of_object_is_named():
    with pytest.raises(TypeError, match=r"network: got the class MLP.*type MLP\("):
        build_network(MLP, 7)


@pytest.mark.parametrize(
    "projector, n_in, width",
    [
        (None, 5, 5),
        ("linear", 5, 5),
        ("mlp", 2, 2),
        ("mlp", 300, 128),
        (MLP(hidden_layer_sizes=(4,)), 5, 5),
        (nn.Linear(5, 9), 5, 9),
    ],
)
def test_projector(projector, n_in, width):
    module = build_projector(projector, n_in)
    z = torch.randn(6, n_in)
    assert module(z).shape == (6, width)
    if projector is None:
        assert module(z) is z


def test_projector_of_two_columns_keeps_rows_apart():
    z = torch.nn.functional.normalize(torch.randn(50, 2))
    out = build_projector("mlp", 2)(z)
    assert len(np.unique(out.detach().numpy().round(4), axis=0)) == 50


def test_projector_messages_name_the_projector():
    with pytest.raises(ValueError, match="projector: the Linear failed"):
        build_projector(nn.Linear(6, 2), 7)
