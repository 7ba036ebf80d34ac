"""Networks of series against plain loops: masks, padding, taps; and Fourier features."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics.pairwise import rbf_kernel
from torch.nn.functional import conv1d, gelu, glu

from skcontrast import ContrastiveEncoder
from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast._inputs.rows import table_rows
from skcontrast._inputs.series import SeriesBatch, SeriesInput
from skcontrast.networks import (
    NETWORKS_OF,
    DilatedConv,
    FourierFeatures,
    LightConv,
    build_network,
)

NAN = np.nan
LENGTHS = (30, 1, 2, 7, 30, 13)
SMALL = {"hidden": 16, "n_blocks": 3}
NETWORKS = [
    DilatedConv(**SMALL),
    DilatedConv(**SMALL, pooling="mean"),
    LightConv(**SMALL),
    LightConv(**SMALL, pooling="mean", kernel_size=5, n_groups=2),
    LightConv(**SMALL, dynamic=True),
]
ALL = pytest.mark.parametrize("network", NETWORKS, ids=repr)


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def series(lengths=LENGTHS, n_channels=3, missing=True, dtype=torch.float64):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n_channels, n)) for n in lengths]
    if missing:
        X[0][:, 4:9] = X[4][0, 12:15] = NAN
    source = SeriesInput(standardize=False)
    rows = source.rows(source.fit(X), dtype=dtype)
    return rows.take(rows.train_index)


def module_of(network, d=5, n_channels=3):
    return build_network(network, n_channels, d)[0].double().eval()


def padded(x, n, value=0.0):
    """The same series with ``n`` steps more behind, which hold ``value``."""
    values = torch.nn.functional.pad(x.values, (0, n), value=value)
    return SeriesBatch(values, torch.nn.functional.pad(x.mask, (0, n)))


# ---- what all of them keep -----------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS_OF["series"])
def test_a_name_is_a_network_of_its_own_width(name):
    component = NETWORKS_OF["series"][name]()
    check_parameters(component)
    assert build_network(component, 3, width=256)[1] == 256
    assert build_network(component.set_params(width=12), 3, width=256)[1] == 12


@ALL
def test_steps_and_series(network):
    x = series()
    module = module_of(network)
    steps = module.steps(x)
    seen = x.mask[:, 0] > 0
    assert steps.shape == (6, 30, 5) and steps.isfinite().all() and (steps[~seen] == 0).all()
    assert (steps[seen] != 0).any(dim=1).all()
    expected = [
        s[m].amax(0) if network.pooling == "max" else s[m].mean(0) for s, m in zip(steps, seen)
    ]
    torch.testing.assert_close(module(x), torch.stack(expected))
    assert torch.equal(module.pool(steps, x.mask), module(x))


@ALL
def test_an_embedding_does_not_depend_on_padding_or_neighbours(network):
    x = series()
    module = module_of(network)
    with torch.no_grad():  # so low that a zero would win, if padding took part
        module.last.bias -= 100
    z = module(x)
    assert (z < -50).all()
    torch.testing.assert_close(module(padded(x, 17)), z)
    torch.testing.assert_close(module(padded(x, 17, 1e6)), z)
    hidden = SeriesBatch(torch.where(x.mask > 0, x.values, 1e6), x.mask)
    torch.testing.assert_close(module(hidden), z)
    for i, length in enumerate(x.lengths().tolist()):
        alone = SeriesBatch(x.values[i : i + 1, :, :length], x.mask[i : i + 1, :, :length])
        torch.testing.assert_close(module(alone), z[i : i + 1])
        torch.testing.assert_close(module.steps(alone)[0], module.steps(x)[i, :length])


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_step_and_none(network, dtype):
    module = build_network(network, 3, 5)[0].to(dtype)
    one = SeriesBatch(torch.ones(2, 3, 1, dtype=dtype), torch.ones(2, 1, 1, dtype=dtype))
    assert module(one).isfinite().all() and module(one).dtype == dtype
    x = series(dtype=dtype)
    x.mask[2] = x.values[2] = 0
    z = module(x)
    assert (z[2] == 0).all() and z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())


@ALL
def test_a_network_never_waits_for_the_device(network):
    assert module_of(network).to("meta")(series().to("meta")).shape == (6, 5)


@pytest.mark.parametrize("n_blocks", [1, 3, 6])
def test_steps_see_as_far_as_the_page_says(n_blocks):
    reach = 2 ** (n_blocks + 1) - 2
    x = series((2 * reach + 41, 1), missing=False)
    module = module_of(DilatedConv(8, n_blocks))
    middle = reach + 20
    x.values.requires_grad_()
    module.steps(x)[0, middle].sum().backward()
    used = x.values.grad[0].abs().sum(0).nonzero()[:, 0]
    assert (int(used.min()), int(used.max())) == (middle - reach, middle + reach)


@pytest.mark.parametrize("component", [DilatedConv, LightConv])
def test_dropout_makes_views(component):
    x = series(dtype=torch.float32)
    module = component(**SMALL, dropout=0.5).build(3, 50)
    assert not torch.equal(module(x), module(x))
    dropped = module.steps(x)[x.mask[:, 0] > 0] == 0
    assert abs(dropped.float().mean() - 0.5) < 0.05
    module.eval()
    assert torch.equal(module(x), module(x))


# ---- the equations -------------------------------------------------------------------


def along(layer, h):
    """A layer applied to h (c, T)."""
    return (h.T @ layer.weight + layer.bias).T


def normed(h):
    """The columns of each step of h (c, T), centred and scaled."""
    return (h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()


def test_dilated_blocks_equal_conv1d():
    x = series(missing=False)
    module = module_of(DilatedConv(**SMALL))
    for i, length in enumerate(LENGTHS):
        h = along(module.first, x.values[i, :, :length])
        for k, block in enumerate(module.blocks):
            out = h
            for convolution in block.convolutions:
                weight = convolution.taps.weight.reshape(3, 16, 16).permute(2, 1, 0)
                bias, dilation = convolution.taps.bias, 2**k
                out = conv1d(gelu(out)[None], weight, bias, padding=dilation, dilation=dilation)[0]
            h = h + out
        torch.testing.assert_close(module.steps(x)[i, :length].T, along(module.last, h))


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
@pytest.mark.parametrize("n_groups", [1, 4, 16])
def test_light_taps_sum_to_one_and_equal_grouped_conv1d(kernel_size, n_groups):
    network = LightConv(16, 3, kernel_size, n_groups)
    u = torch.randn(4, 20, 16, dtype=torch.float64)
    for i, block in enumerate(module_of(network).blocks):
        weights = block.light.weights(u)
        assert weights.shape == (kernel_size, n_groups)
        torch.testing.assert_close(weights.sum(0), torch.ones(n_groups, dtype=torch.float64))
        kernel = weights.T.repeat_interleave(16 // n_groups, 0)[:, None]  # (c, 1, k)
        reach = 2**i * (kernel_size // 2)
        out = conv1d(u.transpose(1, 2), kernel, padding=reach, dilation=2**i, groups=16)
        torch.testing.assert_close(block.light(u), out.transpose(1, 2))


def test_dynamic_taps_equal_a_loop():
    block = module_of(LightConv(16, 2, 3, 4, dynamic=True)).blocks[1]
    u = torch.randn(2, 9, 16, dtype=torch.float64)
    weights = block.light.weights(u)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 9, 4, dtype=torch.float64))
    assert weights.std(dim=1).min() > 0
    out = block.light(u)
    for i, t, c in np.ndindex(2, 9, 16):
        terms = [
            weights[i, t, j, c // 4] * u[i, t + 2 * (j - 1), c]
            for j in range(3)
            if 0 <= t + 2 * (j - 1) < 9
        ]
        torch.testing.assert_close(out[i, t, c], sum(terms))


def test_light_blocks_equal_a_loop_over_series():
    x = series(missing=False)
    module = module_of(LightConv(**SMALL))
    for i, length in enumerate(LENGTHS):
        h = along(module.first, x.values[i, :, :length])
        for block in module.blocks:
            u = glu(along(block.gate, normed(h)), dim=0)
            h = h + along(block.mix, block.light(u.T[None])[0].T)
            h = h + along(block.narrow, gelu(along(block.widen, normed(h))))
        torch.testing.assert_close(module.steps(x)[i, :length].T, along(module.last, h))


@pytest.mark.parametrize("component", [DilatedConv, LightConv])
def test_a_network_learns_where_order_alone_tells(component):
    rng = np.random.default_rng(0)
    # Up-down and down-up pulses at random places: no single step tells them apart.
    X, y = np.zeros((64, 1, 24)), np.arange(64) % 2
    for row, up, place in zip(X[:, 0], 2 * y - 1, rng.integers(0, 22, 64)):
        row[place : place + 2] = up, -up
    source = SeriesInput()
    rows = source.rows(source.fit(X))
    x, target = rows.take(rows.train_index), torch.as_tensor(y).float()
    module = torch.nn.Sequential(component().build(1, 16), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(module.parameters(), 0.003)
    for _ in range(30):
        score = module(x)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(score, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert ((score > 0) == (target > 0)).float().mean() > 0.95


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="hidden=20 is no multiple of n_groups=8: type hidden=24"):
        LightConv(hidden=20).build(3, 4)
    with pytest.raises(ValueError, match="kernel_size=4 has no tap in the middle: type .*=5"):
        LightConv(kernel_size=4).build(3, 4)
    with pytest.raises(InvalidParameterError, match="pooling"):
        check_parameters(DilatedConv(pooling="sum"))
    with pytest.raises(ValueError, match="reads series, but the rows are numbers"):
        ContrastiveEncoder(network=DilatedConv()).fit(np.eye(4))
    with pytest.raises(TypeError, match="reads series: type network='mlp'"):
        module_of(LightConv())(torch.zeros(2, 3))


# ---- Fourier features ----------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.1, 1.0, "auto"])
def test_fourier_features_tend_to_the_gaussian_kernel(gamma):
    X = np.random.default_rng(0).normal(size=(40, 4))
    K = rbf_kernel(X, gamma=0.25 if gamma == "auto" else gamma)
    errors = []
    for m in (50, 200, 800, 3200):
        network = FourierFeatures(m, gamma=gamma)
        grams = []
        for _ in range(10):
            h = network.build(4, network.width).double()(torch.as_tensor(X))
            assert h.shape == (40, 2 * m)
            grams.append((h @ h.T).detach().numpy())
        assert np.allclose(np.diag(grams[0]), 1)
        errors.append(np.sqrt(np.mean([(gram - K) ** 2 for gram in grams])))
    slope = np.polyfit(np.log([50, 200, 800, 3200]), np.log(errors), 1)[0]
    assert abs(slope + 0.5) < 0.1 and errors[-1] < 0.02


def test_fixed_fourier_features_with_a_linear_read_out_are_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import Ridge

    x = np.random.default_rng(0).normal(size=(80, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1]
    torch.manual_seed(0)
    module = FourierFeatures(20_000, learn=False, gamma=0.4).build(3, 40_000)
    assert not any(p.requires_grad for p in module.parameters())
    h = module(torch.tensor(x, dtype=torch.float32)).numpy()
    exact = KernelRidge(alpha=0.5, kernel="rbf", gamma=0.4).fit(x[:60], y[:60])
    found = Ridge(alpha=0.5, fit_intercept=False).fit(h[:60], y[:60]).predict(h[60:])
    np.testing.assert_allclose(found, exact.predict(x[60:]), atol=0.05)


def test_fourier_features_of_sparse_rows_and_of_odd_width():
    X = sp.random(12, 6, 0.4, format="csr", random_state=0)
    module = FourierFeatures().build(6, 7)
    rows = table_rows(X)
    out = module(rows.take(rows.train_index))
    dense = torch.as_tensor(X.toarray(), dtype=torch.float32)
    torch.testing.assert_close(out, module(dense))
    phase = dense @ module.phase.weight
    expected = torch.cat([phase.cos(), phase.sin()[:, :3]], 1) / 2
    torch.testing.assert_close(out, expected)


def test_frequencies_are_learned_or_not():
    X = np.random.default_rng(0).normal(size=(60, 4))
    options = {"max_iter": 2, "passthrough": False, "random_state": 0}
    model = ContrastiveEncoder(network=FourierFeatures(8), **options).fit(X)
    assert model.transform(X).shape == (60, 16) and model.n_components_ == 16
    fixed = ContrastiveEncoder(
        6, network=FourierFeatures(learn=False), projector="linear", **options
    ).fit(X)
    untrained = fixed.set_params(max_iter=1, learning_rate=1e-12)
    name = next(name for name in fixed.weights_ if name.endswith("phase.weight"))
    kept = fixed.weights_[name].copy()
    assert np.array_equal(untrained.fit(X).weights_[name], kept)
    searched = ContrastiveEncoder(network="fourier").set_params(network__gamma=2.0)
    assert searched.network.gamma == 2.0
    with pytest.raises(ValueError, match="has 16 columns, but n_components=8"):
        ContrastiveEncoder(8, network=FourierFeatures(8), **options).fit(X)
