"""Temperature rules: what they give, what they store, and what they refuse."""

import math

import pytest
import torch
from sklearn.base import clone

from skcontrast._component import InvalidParameterError, check_parameters
from skcontrast.objectives import InfoNCE
from skcontrast.temperatures import (
    TEMPERATURES,
    Individual,
    Learned,
    ModelAware,
    build_temperature,
)


def draw(n=6, d=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, n, d, generator=generator, dtype=torch.float64)


def train(rule, steps, n_samples=6):
    """Evaluate an objective on a list of (views, index); gives the rule and last loss."""
    built = InfoNCE(rule).build(n_samples).double()
    if isinstance(rule, Individual):
        built.temperature.tau.fill_(rule.tau)
    for views, index in steps:
        loss = built(views=views, index=index)
    return built.temperature, loss


@pytest.mark.parametrize("name", TEMPERATURES)
def test_rule_is_a_component(name):
    rule = TEMPERATURES[name]()
    check_parameters(rule)
    assert repr(clone(rule)) == repr(rule)
    assert clone(rule).get_params() == rule.get_params()
    for parameter in rule.get_params():
        with pytest.raises(InvalidParameterError, match=f"{parameter!r} parameter of"):
            check_parameters(type(rule)(**{parameter: -5}))


def test_number_and_name_are_built():
    assert build_temperature(0.3, 4)(None, None) == 0.3
    assert isinstance(build_temperature("learned", 4), torch.nn.Module)
    with pytest.raises(InvalidParameterError, match="Did you mean 'learned'"):
        check_parameters(InfoNCE("lerned"))
    with pytest.raises(InvalidParameterError, match="temperature"):
        check_parameters(InfoNCE(temperature=0.0))


def test_learned_starts_at_init_and_follows_its_gradient():
    built = InfoNCE(Learned(init=0.2)).build(6)
    assert built.temperature(None, None).item() == pytest.approx(0.2)
    (parameter,) = built.parameters()
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = built(views=draw()).mean()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < values[0]
    assert built.temperature(None, None).item() != pytest.approx(0.2)


def test_learned_is_never_below_its_minimum():
    rule = Learned(init=0.05, minimum=0.05).build(1)
    rule.log_tau.data.fill_(-100)
    assert rule(None, None).item() == pytest.approx(0.05)


def test_learned_gradient_is_that_of_the_value():
    built = InfoNCE("learned").build(6).double()
    views = draw()
    log_tau = built.temperature.log_tau

    def loss(value):
        log_tau.data.fill_(value)
        return built(views=views).mean()

    at = math.log(0.3)
    loss(at).backward()
    numeric = (loss(at + 1e-6) - loss(at - 1e-6)) / 2e-6
    torch.testing.assert_close(log_tau.grad, numeric.detach(), rtol=1e-6, atol=1e-8)


def test_model_aware_follows_the_alignment():
    rule = ModelAware(tau=0.2, alpha=0.5, threshold=0.1).build(1)
    positive = torch.tensor([0.9, 0.5, 0.1])
    assert rule(positive, None).item() == pytest.approx(0.2 * (1 + 0.5 * (0.5 - 0.1)))
    flat = ModelAware(tau=0.2, alpha=1.0, minimum=0.03).build(1)
    assert flat(-torch.ones(3), None).item() == pytest.approx(0.03)


def test_model_aware_without_alpha_is_fixed():
    rule = ModelAware(tau=0.2, alpha=0.0).build(1)
    assert rule(torch.rand(4), None).item() == pytest.approx(0.2)


def test_model_aware_value_is_the_reweighted_loss():
    views = draw()
    loss = InfoNCE(ModelAware(0.2, 0.0))(views)
    plain = InfoNCE(0.2)(views)  # -log P
    torch.testing.assert_close(loss, plain / (1 - (-plain).exp()))


def test_model_aware_stays_finite_on_well_aligned_pairs():
    # 1 / (1 - P) would divide by zero here.
    views = torch.eye(6)[None].expand(2, 6, 6).clone().requires_grad_()
    loss = InfoNCE(ModelAware(0.01, 0.0))(views)
    loss.mean().backward()
    torch.testing.assert_close(loss, torch.ones(12))
    assert views.grad.isfinite().all()


def test_individual_first_visit_stores_the_mean_over_the_negatives():
    rule, _ = train(Individual(tau=0.5), [(draw(4), torch.tensor([5, 0, 2, 3]))])
    z = torch.nn.functional.normalize(draw(4), dim=-1)
    g = 0
    for a in range(2):
        for b in range(2):
            s = torch.exp(z[a] @ z[b].T / 0.5)
            g = g + (s.sum(1) - s.diagonal()) / 6 / 2
    torch.testing.assert_close(rule.log_u[[5, 0, 2, 3]].exp(), g)
    assert rule.log_u[[1, 4]].isneginf().all()


def test_individual_moving_average():
    index = torch.arange(6)
    first, _ = train(Individual(tau=0.5, learning_rate=0), [(draw(), index)])
    other, _ = train(Individual(tau=0.5, learning_rate=0), [(draw(seed=1), index)])
    both, _ = train(
        Individual(tau=0.5, gamma=0.3, learning_rate=0),
        [(draw(), index), (draw(seed=1), index)],
    )
    expected = 0.7 * first.log_u.exp() + 0.3 * other.log_u.exp()
    torch.testing.assert_close(both.log_u.exp(), expected)
    assert (both.tau == 0.5).all()


@pytest.mark.parametrize("first_visit, share", [("sample", 1.0), ("batch", 0.3)])
def test_individual_first_visit_in_a_mixed_batch(first_visit, share):
    views, later = draw(4), draw(4, seed=1)
    settings = {"tau": 0.5, "gamma": 0.3, "learning_rate": 0, "first_visit": first_visit}
    steps = [(views, torch.tensor([0, 1, 2, 3])), (later, torch.tensor([2, 3, 4, 5]))]
    mixed, _ = train(Individual(**settings), steps)
    alone, _ = train(Individual(**settings), [(later, torch.tensor([2, 3, 4, 5]))])
    torch.testing.assert_close(mixed.log_u[[4, 5]].exp(), share * alone.log_u[[4, 5]].exp())


def test_individual_radius_moves_the_temperatures():
    steps = [(draw(), torch.arange(6))] * 1000
    settings = {"learning_rate": 0.02, "minimum": 0.05, "maximum": 0.7}
    wide, _ = train(Individual(tau=0.3, rho=10.0, **settings), steps)
    narrow, _ = train(Individual(tau=0.3, rho=0.0, **settings), steps)
    assert (wide.tau == 0.05).all()
    assert (narrow.tau == 0.7).all()
    # In between a temperature settles where the divergence of its negatives is the radius.
    middle, _ = train(Individual(tau=0.3, rho=0.3, gamma=1.0, **settings), steps)
    free = (middle.tau > 0.051) & (middle.tau < 0.699)
    assert free.any()
    assert middle.velocity[free].abs().max() < 1e-4


def test_individual_evaluates_without_learning():
    built = InfoNCE(Individual()).build(6).double().eval()
    built(views=draw(), index=torch.arange(6))
    assert built.temperature.log_u.isneginf().all()


def test_individual_state_has_no_graph_and_is_saved():
    views = draw().requires_grad_()
    built = InfoNCE(Individual()).build(6).double()
    built(views=views, index=torch.arange(6)).mean().backward()
    state = built.state_dict()
    assert set(state) == {"temperature.tau", "temperature.log_u", "temperature.velocity"}
    assert not any(value.requires_grad for value in state.values())


def test_individual_survives_a_small_temperature_in_float32():
    # exp(1 / 0.01) overflows float32; the state is kept as a logarithm.
    rule = Individual(tau=0.01, minimum=0.005, maximum=0.05)
    views = torch.ones(2, 6, 3).requires_grad_()
    built = InfoNCE(rule).build(6)
    for _ in range(3):
        loss = built(views=views, index=torch.arange(6))
    loss.mean().backward()
    assert loss.isfinite().all() and views.grad.isfinite().all()
    assert built.temperature.log_u.isfinite().all()


def test_individual_values_share_one_gradient():
    gradients = []
    for value in ("objective", "surrogate"):
        views = draw().requires_grad_()
        InfoNCE(Individual(tau=0.3, value=value))(views).mean().backward()
        gradients.append(views.grad)
    torch.testing.assert_close(*gradients)


def test_rows_of_the_batch_default_to_their_positions():
    views = draw()
    given = InfoNCE("individual")(views, index=torch.arange(6))
    torch.testing.assert_close(InfoNCE("individual")(views), given)
