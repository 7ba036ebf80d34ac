"""A fit draws from a generator of its own: what torch draws inside, and where it leaves nothing."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from skcontrast import ContrastiveEncoder
from skcontrast._draws import (
    draws_state,
    initial_seed,
    own_draws,
    replayed,
    set_draws_state,
    spare_draws,
)
from skcontrast.objectives import InfoNCE, SupCon
from skcontrast.temperatures import TEMPERATURES, Learned

X = torch.linspace(0.1, 1, 35).view(5, 7)
HEADS = torch.ones(1, 2, 4, 4)
DRAWS = {
    "rand": lambda: torch.rand(3, 4),
    "randn": lambda: torch.randn(3, dtype=torch.float64),
    "randint": lambda: torch.randint(2, 2**31 - 1, (20,)),
    "randint of one": lambda: torch.randint(2**31 - 1, ()),
    "randperm": lambda: torch.randperm(11, device="cpu"),
    "rand_like": lambda: torch.rand_like(X, dtype=torch.float64),
    "randn_like": lambda: torch.randn_like(X.T),
    "randint_like": lambda: torch.randint_like(X, 2, 9),
    "normal": lambda: torch.normal(X, 1.0),
    "multinomial": lambda: torch.multinomial(X, 4),
    "bernoulli": lambda: torch.bernoulli(X),
    "poisson": lambda: torch.poisson(X),
    "binomial": lambda: torch.binomial(9 * torch.ones(4), 0.5 * torch.ones(4)),
    "Tensor.multinomial": lambda: X.multinomial(2),
    "Tensor.bernoulli": lambda: X.bernoulli(),
    "uniform_": lambda: torch.empty(9).uniform_(-1, 1),
    "normal_": lambda: torch.empty(9).normal_(std=2),
    "random_": lambda: torch.empty(9).random_(7),
    "bernoulli_": lambda: torch.empty(9).bernoulli_(0.3),
    "exponential_": lambda: torch.empty(9).exponential_(),
    "cauchy_": lambda: torch.empty(9).cauchy_(),
    "geometric_": lambda: torch.empty(9).geometric_(0.3),
    "log_normal_": lambda: torch.empty(9).log_normal_(),
    "Dropout": lambda: nn.Dropout(0.3)(X),
    "Dropout in place": lambda: nn.Dropout(0.3, inplace=True)(X * 1),
    "no Dropout": lambda: nn.Dropout(0.3).eval()(X),
    "all Dropout": lambda: nn.Dropout(1.0)(X),
    "torch.dropout": lambda: torch.dropout(X, 0.3, train=True),
    "Dropout2d": lambda: nn.Dropout2d()(torch.ones(2, 3, 4, 4)),
    "AlphaDropout": lambda: nn.AlphaDropout(0.4)(X),
    "FeatureAlphaDropout": lambda: nn.FeatureAlphaDropout(0.4)(X),
    "RReLU": lambda: nn.RReLU()(-X),
    "gumbel_softmax": lambda: F.gumbel_softmax(X),
    "Linear": lambda: nn.Linear(9, 4).weight,
    "Conv1d": lambda: nn.Conv1d(3, 4, 5).bias,
    "Embedding": lambda: nn.Embedding(4, 5).weight,
    "xavier": lambda: nn.init.xavier_normal_(torch.empty(4, 5)),
    "kaiming": lambda: nn.init.kaiming_normal_(torch.empty(4, 5)),
    "orthogonal": lambda: nn.init.orthogonal_(torch.empty(4, 4)),
    "truncated": lambda: nn.init.trunc_normal_(torch.empty(4, 5)),
    "LSTM": lambda: nn.LSTM(7, 4, 2, dropout=0.5)(X[None])[0],
    "GRU": lambda: nn.GRU(7, 4, 2, dropout=0.5)(X[None])[0],
    "RNN": lambda: nn.RNN(7, 4, 2, dropout=0.5)(X[None])[0],
    "Transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16, 0.4)(torch.ones(3, 4, 8)),
    "attention": lambda: F.scaled_dot_product_attention(HEADS, HEADS, HEADS, dropout_p=0.5),
    "pooling": lambda: nn.FractionalMaxPool2d(2, output_size=2)(torch.arange(36.0).view(1, 6, 6)),
    "Beta": lambda: torch.distributions.Beta(torch.tensor(2.0), torch.tensor(3.0)).sample((4,)),
    "Gamma": lambda: torch.distributions.Gamma(torch.tensor(2.0), torch.tensor(3.0)).sample((4,)),
    "Normal": lambda: torch.distributions.Normal(0, 1).sample((3,)),
    "Categorical": lambda: torch.distributions.Categorical(torch.ones(4)).sample((5,)),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_are_those_of_torch_and_leave_it_alone(draw):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = draw(), torch.rand(2)  # the next draws are the same too
        torch.manual_seed(3)
        before = torch.get_rng_state()
        with own_draws(7):
            got = draw(), torch.rand(2)
        assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, got, expected))


def test_gradients_of_dropout():
    grads = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        x = X.clone().requires_grad_()
        F.dropout(x, 0.3).square().sum().backward()
        grads.append(x.grad)
    with own_draws(7):
        x = X.clone().requires_grad_()
        F.dropout(x, 0.3).square().sum().backward()
        grads.append(x.grad)
    assert torch.equal(*grads)


LAYERS = nn.Sequential(nn.Linear(7, 7), nn.Dropout(0.3), nn.Tanh(), nn.Dropout(0.3))


def gradient(layers):
    x = X.clone().requires_grad_()
    layers(x).square().sum().backward()
    return x.grad


@pytest.mark.parametrize("reentrant", [False, True])
def test_draws_are_made_again_for_a_pass_that_is(reentrant):
    with own_draws(7):
        expected, rest = gradient(LAYERS), torch.rand(3)
    layers = replayed(LAYERS)
    before = torch.get_rng_state()
    with own_draws(7):
        got = gradient(lambda x: checkpoint(layers, x, use_reentrant=reentrant))
        assert torch.equal(torch.rand(3), rest)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(got, expected)


def noisy(x):
    return x * torch.rand(x.shape)


@pytest.mark.parametrize("layers", [LAYERS, noisy], ids=["layers", "own draws"])
@pytest.mark.parametrize("reentrant", [False, True])
def test_draws_that_cannot_be_made_again_are_refused(reentrant, layers):
    x = X.clone().requires_grad_()
    with own_draws(7), pytest.raises(RuntimeError, match="under torch.utils.checkpoint"):
        checkpoint(layers, x, use_reentrant=reentrant)


def test_a_generator_that_was_given_is_taken():
    expected = torch.rand(3, generator=torch.Generator().manual_seed(5))
    with own_draws(7):
        assert torch.equal(torch.rand(3, generator=torch.Generator().manual_seed(5)), expected)


def test_blocks_in_blocks():
    with own_draws(7):
        assert initial_seed() == 7
        first, rest = torch.rand(2), torch.rand(3)
    with own_draws(7):
        assert torch.equal(torch.rand(2), first)
        with own_draws(8):
            assert initial_seed() == 8
            assert not torch.equal(torch.rand(2), first)
        with spare_draws():
            assert torch.equal(torch.rand(3), rest)
        state = draws_state()
        assert torch.equal(torch.rand(3), rest)
        set_draws_state(state)
        assert torch.equal(torch.rand(3), rest)
    assert initial_seed() == torch.initial_seed()


def test_an_error_ends_the_block():
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), own_draws(7):
            with own_draws(8):
                raise ZeroDivisionError
    assert initial_seed() == torch.initial_seed()


# ------------------------------------------------- losses that are said to draw nothing


class Noisy(InfoNCE):
    """A loss of a user's, which draws."""

    def loss(self, views, **named):
        return super().loss(views + 0.01 * torch.randn_like(views), **named)


class NoisyRule(nn.Module):
    """A temperature of a user's, which does."""

    stateful = decoupled = False

    def forward(self, *args):
        return 0.2 + 0.1 * torch.rand(())


class NoisyTemperature(Learned):
    def build(self, n_samples):
        return NoisyRule()


QUIET = {
    "ntxent": InfoNCE(),
    "two_way": InfoNCE(form="two_way", focal=1.0),
    "one_way": InfoNCE(form="one_way", block_size=7),
    "queue": InfoNCE(queue_size=16, keep_top=0.5),
    "composed": InfoNCE(form="one_way", compose="sum"),
    **{f"temperature {name}": InfoNCE(temperature=name) for name in sorted(TEMPERATURES)},
    "supcon": SupCon(label_similarity="jaccard"),
    "sum": InfoNCE() + 0.5 * SupCon(),
}


@pytest.mark.parametrize("name", QUIET)
def test_a_loss_that_is_said_to_draw_nothing_draws_nothing(name):
    assert not QUIET[name].draws
    rng = np.random.default_rng(0)
    target = rng.integers(2, size=(32, 2))
    model = ContrastiveEncoder(4, objective=QUIET[name], max_iter=2, batch_size=16, random_state=0)
    if "supcon" not in name:
        target = target[:, 0]
    before = torch.random.get_rng_state()
    model.fit(rng.normal(size=(32, 5)), target)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("objective", [Noisy(), Noisy() + InfoNCE(), InfoNCE(NoisyTemperature())])
def test_what_a_user_adds_to_a_loss_may_draw(objective):
    X = np.random.default_rng(0).normal(size=(32, 5))
    model = ContrastiveEncoder(4, objective=objective, max_iter=2, batch_size=16, random_state=0)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = model.fit_transform(X)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    np.testing.assert_array_equal(first, model.fit_transform(X))
