"""Latent attention: dictionaries, sets, missing elements; and embeddings of spans."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from test_series_networks import module_of, padded, series

import skcontrast
from skcontrast import ContrastiveTextEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.series import SeriesBatch
from skcontrast.networks import MLP, AttentionPooling, DilatedConv, HashedEmbeddingBag, LightConv

DILATED = DilatedConv(hidden=16, n_blocks=3)
NETWORKS = [
    AttentionPooling(n_latents=6),
    AttentionPooling(n_latents=None),
    AttentionPooling(DILATED, n_latents=6),
    AttentionPooling(LightConv(hidden=16, n_blocks=2), n_latents=None),
]
ALL = pytest.mark.parametrize("network", NETWORKS, ids=repr)
SETS = pytest.mark.parametrize("network", NETWORKS[:2], ids=repr)
S = np.random.default_rng(0).normal(size=(12, 2, 20))
TEXTS = ["the cat sat on a mat", "a cat sits", "stocks fell today", "shares fell again"] * 3
SMALL = {"max_iter": 1, "random_state": 0, "device": "cpu"}


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_latent_attention_is_the_formula():
    module = module_of(AttentionPooling(DILATED, n_latents=6))
    x, attention = series(), module.attend
    module.attend = None
    T = module.steps(x)
    module.attend = attention
    for i, seen in enumerate(x.mask[:, 0] > 0):
        L = attention.latents
        out = torch.softmax(T[i][seen] @ L.T / 5**0.5, 1) @ L
        torch.testing.assert_close(module(x)[i], attention.mix(out).mean(0))


def test_equal_logits_are_the_mean_of_the_dictionary_and_one_latent_is_constant():
    module = module_of(AttentionPooling(n_latents=6))
    with torch.no_grad():
        module.last.weight.zero_()
    mean = module.attend.mix(module.attend.latents.mean(0, keepdim=True))
    torch.testing.assert_close(module(series()), mean.expand(6, -1))
    one = module_of(AttentionPooling(DILATED, n_latents=1))(series())
    torch.testing.assert_close(one, one[:1].expand(6, -1))


def test_parts_attend_to_each_other():
    attention = module_of(AttentionPooling(n_latents=None)).attend
    parts = torch.randn(1, 4, 5, dtype=torch.float64)
    seen = torch.ones(1, 4, 1, dtype=torch.float64)
    expected = torch.nn.functional.scaled_dot_product_attention(parts, parts, parts)
    torch.testing.assert_close(attention.attended(parts, seen), expected)
    seen[0, 2] = 0
    cut = attention.attended(parts[:, [0, 1, 3]], seen[:, [0, 1, 3]])
    torch.testing.assert_close(attention.attended(parts, seen)[:, [0, 1, 3]], cut)


@SETS
def test_the_order_of_elements_and_missing_ones_change_nothing(network):
    x = series((7, 5, 7), missing=False)
    module, order = module_of(network), torch.randperm(7)
    z = module(x)
    shuffled = SeriesBatch(x.values[:, :, order], x.mask[:, :, order])
    torch.testing.assert_close(module(shuffled), z)
    x.mask[:, :, 3] = 0
    without = SeriesBatch(*(t[:, :, [0, 1, 2, 4, 5, 6]] for t in (x.values, x.mask)))
    torch.testing.assert_close(module(x), module(without))
    assert not torch.allclose(module(x), z)


@ALL
def test_an_embedding_does_not_depend_on_padding_or_neighbours(network):
    x, module = series(), module_of(network)
    z = module(x)
    torch.testing.assert_close(module(padded(x, 17, 1e6)), z)
    torch.testing.assert_close(module(x.take(torch.tensor([3]))), z[3:4])
    x.mask[2] = x.values[2] = 0  # a series without a step
    z = module(x)
    assert (z[2] == 0).all() and z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in module.parameters())
    assert module.to("meta")(x.to("meta")).shape == (6, 5)  # it never waits for the device


@ALL
def test_series_with_attention(network, tmp_path):
    model = SeriesContrastiveEncoder(4, network=network, views="point_mask", **SMALL)
    X = [x[:, :n] for x, n in zip(S, range(5, 17))]
    Z = model.fit(X).transform(X)
    assert Z.shape == (12, 4) and np.isfinite(Z).all()
    np.testing.assert_allclose(model.transform(X[5:6]), Z[5:6], atol=1e-6)
    skcontrast.save(model, tmp_path / "model")
    assert np.array_equal(skcontrast.load(tmp_path / "model").transform(X), Z)
    assert clone(model).set_params(network__n_latents=3).network.n_latents == 3


def test_texts_with_attention(tmp_path):
    network = AttentionPooling(HashedEmbeddingBag(n_rows=64, window=1), n_latents=5)
    model = ContrastiveTextEncoder(16, network=network, **SMALL).fit(TEXTS)
    Z = model.transform(TEXTS)
    assert model.weights_["encoder.attend.latents"].shape == (5, 4)
    assert np.array_equal(model.transform(TEXTS[1:2]), Z[1:2])  # of fewer words than a block
    skcontrast.save(model, tmp_path / "model")
    assert np.array_equal(skcontrast.load(tmp_path / "model").transform(TEXTS), Z)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="has no parts that attend"):
        AttentionPooling("hashed", n_latents=None).build(28, 8)
    with pytest.raises(ValueError, match="has no parts that attend"):
        AttentionPooling(MLP()).build(28, 8)
    with pytest.raises(ValueError, match="reads series, but the rows are tokens"):
        ContrastiveTextEncoder(network=AttentionPooling(), **SMALL).fit(TEXTS)


# ---- spans ---------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", ["max", "mean"])
def test_a_span_of_a_series_is_pooled_over_its_steps(pooling):
    network = DilatedConv(8, 2, pooling=pooling)
    model = SeriesContrastiveEncoder(4, network=network, **SMALL).fit(S)
    assert np.array_equal(model.transform_spans(S, (0, 20)), model.transform(S))
    from skcontrast._training.fitted import encoder_of

    source = model.input_
    steps = encoder_of(model).steps(source.batch(source.read(S), torch.float32, "cpu"))
    pool = (lambda z: z.amax(1)) if pooling == "max" else (lambda z: z.mean(1))
    expected = pool(steps[:, 3:9]).detach().numpy()
    np.testing.assert_allclose(model.transform_spans(S, (3, 9)), expected, atol=1e-6)
    chosen = model.transform_spans(S, [(7, 3, 9), (0, 3, 9), (7, 0, 20)])
    np.testing.assert_allclose(chosen[:2], expected[[7, 0]], atol=1e-6)
    np.testing.assert_allclose(chosen[2], model.transform(S)[7], atol=1e-6)


def test_a_span_of_a_text_is_read_in_its_context():
    alone, around = (
        ContrastiveTextEncoder(16, network=HashedEmbeddingBag(64, window=w), **SMALL).fit(TEXTS)
        for w in (0, 1)
    )
    whole = [(i, 0, len(text.split())) for i, text in enumerate(TEXTS)]
    for model in (alone, around):
        found = model.transform_spans(TEXTS, whole)
        np.testing.assert_allclose(found, model.transform(TEXTS), atol=1e-6)
    spans, pieces = [(0, 1, 3), (3, 0, 2)], ["cat sat", "shares fell"]
    np.testing.assert_allclose(
        alone.transform_spans(TEXTS, spans), alone.transform(pieces), atol=1e-6
    )
    assert not np.allclose(around.transform_spans(TEXTS, spans), around.transform(pieces))


@pytest.mark.parametrize(
    "spans, message",
    [
        ([(0, 2, 2)], "0 <= start < stop"),
        ([(0, 0, 21)], "row 0 ends at 20"),
        ([(12, 0, 1)], "there is no such row"),
        ([(0, 1)], r"spans has the shape \(1, 2\)"),
    ],
)
def test_bad_spans_are_said(spans, message):
    model = SeriesContrastiveEncoder(4, network=DILATED, **SMALL).fit(S)
    with pytest.raises(ValueError, match=message):
        model.transform_spans(S, spans)


def test_networks_without_steps_have_no_spans():
    model = SeriesContrastiveEncoder(4, **SMALL).fit(S)
    with pytest.raises(ValueError, match="embeds no single steps"):
        model.transform_spans(S, (0, 2))
