"""MixtureOfExperts and OnGates: routes, gradients, loads."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from test_networks import both_batches

import skcontrast
from skcontrast import ContrastiveEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast.networks import MLP, MixtureOfExperts, build_network
from skcontrast.objectives import InfoNCE, MinedNegatives, OnGates, PreviousFeatures, SupCon

RNG = np.random.default_rng(0)
DOMAIN = np.arange(60) % 3
X = np.column_stack([RNG.normal(size=(60, 4)), DOMAIN])
SMALL = {"max_iter": 2, "random_state": 0, "passthrough": False, "device": "cpu"}
PLAIN = MLP((8,), dropout=0.0)


def given(n=3, **params):
    return MixtureOfExperts(n, routing="given", network=PLAIN, **params)


def routed(column=-1, table=X, n=3):
    """A module with given routes, and all rows as a batch."""
    rows = table_rows(table)
    module = given(n, column=column).build(rows.n_features, 2)
    module.prepare(rows)
    return module, rows.take(rows.train_index)


@pytest.mark.parametrize("routing", ["learned", "given"])
def test_one_expert_is_its_network(routing):
    network = MixtureOfExperts(1, routing=routing, network=PLAIN)
    module = build_network(network, 15, 4)[0].double()
    for batch in both_batches(torch.float64):
        torch.testing.assert_close(module(batch), module.experts[0](batch))


def test_a_given_route_touches_one_expert_only():
    module, batch = routed()
    for row, expert in ((0, 0), (4, 1), (2, 2)):
        module.zero_grad()
        module(batch)[row].square().sum().backward()
        touched = [sum(float(p.grad.abs().sum()) for p in e.parameters()) for e in module.experts]
        assert [t > 0 for t in touched] == [e == expert for e in range(3)]
    torch.testing.assert_close(module(batch)[::3], module.experts[0](batch)[::3])


def test_values_that_were_not_seen_go_to_the_nearest():
    module, batch = routed()
    moved = batch.clone()
    moved[:, -1] += torch.linspace(-0.4, 0.4, 60)
    assert torch.equal(module.gates(moved), module.gates(batch))
    # Fewer values than experts: nobody is sent to the others.
    module, batch = routed(n=5)
    assert (module.gates(batch)[:, 3:] == 0).all()


def test_a_gate_keeps_the_largest_and_renormalises():
    module = build_network(MixtureOfExperts(5, top=2, network=PLAIN), 15, 4)[0]
    torch.nn.init.normal_(module.gate.bias)  # two of the rows are empty
    dense, sparse = both_batches()
    gates = module.gates(dense)
    shares = module.gate(dense).softmax(1)
    kept = shares >= shares.sort(1, descending=True)[0][:, 1:2]
    expected = shares * kept
    torch.testing.assert_close(gates, expected / expected.sum(1, keepdim=True))
    assert ((gates > 0).sum(1) == 2).all()
    torch.testing.assert_close(module(sparse), module(dense), atol=1e-5, rtol=1e-4)
    loop = torch.stack(
        [
            sum(g * f(x[None])[0] for g, f in zip(row, module.experts))
            for row, x in zip(gates, dense)
        ]
    )
    torch.testing.assert_close(module(dense), loop, atol=1e-5, rtol=1e-4)


def test_a_view_goes_to_the_expert_of_its_row():
    def elsewhere(x):
        return torch.cat([x[:, :-1], x[:, -1:].roll(1, 0)], dim=1)

    seen = []

    class Watch(OnGates):
        def build(self, n_samples):
            built = super().build(n_samples)
            built.register_forward_pre_hook(
                lambda module, args, named: seen.append(named["gates"]), with_kwargs=True
            )
            return built

    objective = InfoNCE() + Watch(balance=1.0)
    ContrastiveEncoder(4, network=given(), views=elsewhere, objective=objective, **SMALL).fit(X)
    assert seen and all(torch.equal(g[0], g[1]) and (g.max(2)[0] == 1).all() for g in seen)


def test_a_category_of_a_frame_routes():
    frame = pd.DataFrame(X[:, :4], columns=list("abcd"))
    frame.insert(0, "lab", np.array(["y", "x", "z"])[DOMAIN])
    model = ContrastiveEncoder(4, network=given(), **SMALL).fit(frame)
    gates = model.hidden_layers(frame)[0]
    assert (gates.sum(0) == 20).all() and len(np.unique(gates.argmax(1) * 3 + DOMAIN)) == 3
    table = ContrastiveEncoder(4, network=given(column=4), **SMALL).fit(X)
    assert np.array_equal(table.hidden_layers(X)[0], np.eye(3)[DOMAIN])
    wide = sp.csr_matrix(np.column_stack([X[:, :4] * (X[:, :4] > 0), DOMAIN]))
    sparse = ContrastiveEncoder(4, network=given(), **SMALL).fit(wide)
    assert np.array_equal(sparse.hidden_layers(wide)[0], np.eye(3)[DOMAIN])


def test_wrong_columns_are_said():
    for column, message in ((-1, "has 60 values: type n_experts=60"), (7, "X has 5 columns")):
        with pytest.raises(ValueError, match=message):
            table = np.column_stack([X[:, :4], RNG.normal(size=60)])
            ContrastiveEncoder(4, network=given(column=column), **SMALL).fit(table)


def test_searches_copies_folders_and_both_precisions(tmp_path):
    model = ContrastiveEncoder(4, network=given(), **SMALL)
    fitted = clone(model).fit(X)
    skcontrast.save(fitted, tmp_path / "model")
    again = skcontrast.load(tmp_path / "model")
    assert np.array_equal(again.transform(X), fitted.transform(X))
    double = clone(model).set_params(precision="float64").fit(X)
    assert np.array_equal(double.hidden_layers(X)[0], np.eye(3)[DOMAIN])
    pipe = make_pipeline(ContrastiveEncoder(4, network="experts", **SMALL), LogisticRegression())
    grid = {"contrastiveencoder__network__n_experts": [1, 2]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, DOMAIN)
    assert len(search.cv_results_["mean_test_score"]) == 2


# ---- objectives of gates -------------------------------------------------------------


def test_an_objective_of_gates_is_that_of_views():
    gates = torch.rand(2, 6, 4, dtype=torch.float64).softmax(2)
    torch.testing.assert_close(OnGates(InfoNCE())(None, gates=gates), InfoNCE()(gates).mean())
    target = torch.arange(6) % 2
    found = OnGates(SupCon(), 0.5)(None, gates=gates, target=target)
    share = gates.flatten(0, 1).mean(0)
    load = share.var(correction=0) / share.mean() ** 2
    torch.testing.assert_close(found, SupCon()(gates, target=target).mean() + 0.5 * load)


def test_gates_learn_to_share_the_rows_and_to_agree():
    def loads(objective):
        params = {**SMALL, "max_iter": 30, "learning_rate": 0.01}
        network = MixtureOfExperts(4, network=PLAIN)
        model = ContrastiveEncoder(4, network=network, objective=objective, **params).fit(X)
        return model.hidden_layers(X)[0].mean(0)

    alone, balanced = loads(InfoNCE()), loads(InfoNCE() + 10 * OnGates(balance=1.0))
    assert balanced.std() < 0.5 * alone.std() and balanced.std() < 0.1


def test_what_gates_cannot_do_is_said():
    with pytest.raises(ValueError, match="reads the gates of experts.*network='experts'"):
        ContrastiveEncoder(4, objective=InfoNCE() + OnGates(InfoNCE()), **SMALL).fit(X)
    for term in MinedNegatives(), PreviousFeatures():
        with pytest.raises(ValueError, match="which gates do not have"):
            OnGates(InfoNCE() + term).build(10)
    objective = InfoNCE() + OnGates(InfoNCE(queue_size=8))
    with pytest.raises(ValueError, match="type momentum=None"):
        ContrastiveEncoder(4, network="experts", objective=objective, momentum=0.9, **SMALL).fit(X)
