"""Reconstruction: the formula as plain loops, its limits, and the frame around it."""

from math import exp

import numpy as np
import pytest
import series_cases
import torch
from instances import blobs
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from test_checkpoint import assert_same, killed_after
from torch import nn

import skcontrast
from skcontrast import ContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.series import SeriesBatch
from skcontrast._training.loop import train
from skcontrast.checkpoint import Checkpoint
from skcontrast.multiview import MultiViewContrastiveEncoder
from skcontrast.networks import MLP, DilatedConv
from skcontrast.objectives import InfoNCE, Reconstruction, SupCon
from skcontrast.views import FeatureMask, SegmentMask, TimeOffset

X, Y = blobs()
SERIES, _ = series_cases.series()
ROWS = [[0.5, -1.0, 2.0], [1.5, 0.0, -0.3], [-0.7, 0.4, 0.9], [0.2, 0.1, 1.1]]


def encoder(objective, **params):
    small = {"max_iter": 3, "n_components": 3, "random_state": 0, "views": "corruption"}
    small |= {"network": MLP((8,)), "passthrough": False}
    return ContrastiveEncoder(objective=objective, **{**small, **params})


def on_series(objective, **params):
    small = {"max_iter": 2, "n_components": 4, "random_state": 0, "network": DilatedConv(8, 2)}
    return SeriesContrastiveEncoder(objective=objective, **{**small, **params})


# ------------------------------------------------------------------- formulas


def residual(r, error="squared", delta=1.0):
    r = abs(r)
    if error == "huber":
        return r * r / 2 if r <= delta else delta * (r - delta / 2)
    return r if error == "absolute" else r * r


def over_entries(rebuilt, y, counts, error, delta):
    """Loss of each anchor: rebuilt and counts (V, n, ..., p), y (n, ..., p)."""
    losses, total = [], 0
    for v in range(len(rebuilt)):
        for i in range(len(y)):
            here = [k for k in np.ndindex(y[i].shape) if counts[v][i][k]]
            losses.append(sum(residual(rebuilt[v][i][k] - y[i][k], error, delta) for k in here))
            total += len(here)
    return np.array(losses) * len(losses) / max(total, 1)


def rebuilt_loop(z, y, inputs=None, error="squared", delta=1.0, seen=None):
    """Rows rebuilt by the first columns of what they became: z (V, n, ..., d)."""
    counts = np.ones((*z.shape[:-1], y.shape[-1]), dtype=bool)
    counts &= True if inputs is None else inputs != y
    counts &= True if seen is None else seen[..., None]
    return over_entries(z[..., : y.shape[-1]], y, counts, error, delta)


def neighbor_loop(views, z, y, temperature, seen=None):
    """Rows of the first view rebuilt from all others: views (V, n, d), z (V, n, ..., d)."""
    n_views, n, _ = views.shape
    every = [(v, i) for v in range(n_views) for i in range(n)]
    unit = views / np.linalg.norm(views, axis=-1, keepdims=True)
    seen = np.ones(z.shape[:-1], dtype=bool) if seen is None else seen
    out, counts = np.zeros((1, *y.shape)), np.zeros((1, *y.shape), dtype=bool)
    for i in range(n):
        weight = {b: exp(unit[0, i] @ unit[b] / temperature) for b in every if b != (0, i)}
        for t in np.ndindex(y.shape[1:-1]):
            found = [b for b in weight if seen[b][t]]
            total = sum(weight[b] for b in found)
            mean = sum(weight[b] * z[b][t] for b in found) / total if found else z[0, i][t]
            out[0, i][t], counts[0, i][t] = mean[: y.shape[-1]], bool(found)
    return over_entries(out, y, counts, "squared", 1.0)


def draw(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def close(loss, expected):
    np.testing.assert_allclose(loss.detach(), expected, rtol=1e-11, atol=1e-12)


def masked(y, n_views, seed=5):
    """Views of rows of which some entries are 0."""
    kept = draw(n_views, *y.shape, seed=seed) > -0.3
    return torch.where(kept, y, 0)


@pytest.mark.parametrize("error", ["squared", "absolute", "huber"])
@pytest.mark.parametrize("n_views", [1, 3])
def test_rows_are_the_loop(error, n_views):
    z, y = draw(n_views, 4, 5), torch.tensor(ROWS, dtype=torch.float64)
    inputs = masked(y, n_views)
    given = {"error": error, "delta": 0.7}
    close(Reconstruction(**given)(z, rows=y), rebuilt_loop(z.numpy(), y.numpy(), None, **given))
    loss = Reconstruction(on="changed", **given)(z, rows=y, inputs=inputs)
    close(loss, rebuilt_loop(z.numpy(), y.numpy(), inputs.numpy(), **given))


@pytest.mark.parametrize("on", ["all", "changed"])
def test_steps_are_the_loop(on):
    z, y = draw(2, 4, 6, 5), draw(4, 6, 2, seed=1)
    seen_of_view = draw(2, 4, 6, seed=2) > -1
    seen = (draw(4, 6, seed=3) > -1).numpy()
    inputs = masked(y, 2)
    rows = SeriesBatch(y.mT, torch.tensor(seen)[:, None].double())
    batches = [SeriesBatch(x.mT, m[:, None].double()) for x, m in zip(inputs, seen_of_view)]
    given = {"rows": rows, "inputs": batches, "steps": z, "step_mask": seen_of_view}
    loss = Reconstruction(on=on)(z.amax(2), **given)
    changed = inputs.numpy() if on == "changed" else None
    both = seen_of_view.numpy() & seen
    close(loss, rebuilt_loop(z.numpy(), y.numpy(), changed, seen=both))


@pytest.mark.parametrize("n_views", [1, 4])
def test_neighbors_are_the_loop(n_views):
    views, z = draw(n_views, 4, 3), draw(n_views, 4, 6, 5, seed=1)
    y, seen = draw(4, 6, 2, seed=2), draw(n_views, 4, 6, seed=3) > -0.5
    objective = Reconstruction(from_="neighbors", temperature=0.3)
    loss = objective(views, embedding=z[:, :, 0], rows=y[:, 0])
    expected = neighbor_loop(views.numpy(), z[:, :, 0].numpy(), y[:, 0].numpy(), 0.3)
    close(loss, expected)
    loss = objective(views, steps=z, step_mask=seen, rows=y)
    close(loss, neighbor_loop(views.numpy(), z.numpy(), y.numpy(), 0.3, seen.numpy()))


@pytest.mark.parametrize("decoder", ["linear", "mlp"])
@pytest.mark.parametrize("from_", ["itself", "neighbors"])
def test_decoder_comes_behind_the_mixture(decoder, from_):
    given = {"decoder": decoder, "error": "squared"}
    objective = Reconstruction(from_=from_, temperature=0.3, **given)
    rows = torch.tensor(ROWS, dtype=torch.float64)
    built, given = objective.build(4), {"rows": _Rows()}
    built.prepare({}, given, 5)
    views, z = draw(3, 4, 5), draw(3, 4, 5, seed=1)
    built, plain = built.double(), Reconstruction(from_=from_, temperature=0.3)
    if from_ == "itself":
        expected = plain(built.head(z.flatten(0, 1)).unflatten(0, (3, 4)), rows=rows)
    else:
        # A value of the loss without a decoder says what the mixture was.
        mixed = [plain(views, embedding=z[..., [j]], rows=torch.zeros(4, 1)) for j in range(5)]
        z_mixed, _ = plain._of_neighbors(views, z, torch.ones(3, 4).double(), 0.3)
        torch.testing.assert_close(torch.stack(mixed, -1), z_mixed[0].square())
        expected = (built.head(z_mixed[0]) - rows).square().mean(1)
    close(built(views=views, embedding=z, rows=rows), expected.detach())


class _Rows:
    kind, is_sparse, n_features = "numbers", False, 3


# --------------------------------------------------------------------- limits


def test_cold_neighbors_are_the_nearest_row_and_two_rows_rebuild_each_other():
    views, y = draw(1, 5, 3), draw(5, 3, seed=1)
    unit = views[0] / views[0].norm(dim=1, keepdim=True)
    nearest = (unit @ unit.T).fill_diagonal_(-2).argmax(1)
    cold = Reconstruction(from_="neighbors", temperature=1e-3)(views, rows=y)
    torch.testing.assert_close(cold, (views[0, nearest] - y).square().mean(1))
    two = Reconstruction(from_="neighbors")(views[:, :2], rows=y[:2])
    torch.testing.assert_close(two, (views[0, [1, 0]] - y[:2]).square().mean(1))


def test_rows_given_back_cost_nothing_and_all_changed_is_all():
    y = draw(4, 3)
    assert not Reconstruction()(y[None], rows=y).any()
    given = {"rows": y, "inputs": y[None] + 1}
    same = (
        Reconstruction()(draw(1, 4, 3), **given),
        Reconstruction(on="changed")(draw(1, 4, 3), **given),
    )
    torch.testing.assert_close(*same)
    nothing = Reconstruction(on="changed")(draw(1, 4, 3), rows=y, inputs=y[None].clone())
    assert not nothing.any()


# ------------------------------------------------------------------ the frame


@pytest.mark.parametrize("views", ["corruption", ("neighbors", "corruption")])
@pytest.mark.parametrize("term", [Reconstruction(), Reconstruction("corruption", decoder="mlp")])
def test_without_weight_all_is_as_without_the_term(views, term):
    plain = encoder(InfoNCE(), views=views, batch_size=20).fit(X)
    with_term = encoder(InfoNCE() + 0 * term, views=views, batch_size=20).fit(X)
    assert with_term.loss_curve_ == plain.loss_curve_
    for name, weight in plain.weights_.items():
        assert np.array_equal(with_term.weights_[name], weight)
    other = encoder(InfoNCE() + 0.5 * term, views=views, batch_size=20).fit(X)
    assert np.abs(other.transform(X) - plain.transform(X)).max() > 1e-4


def watched():
    """A class of reconstructions, and what each was handed, by its delta."""
    seen = {}

    class Watched(Reconstruction):
        def loss(self, views, rows, inputs, **named):
            seen.setdefault(float(self.delta), []).append((views.shape, rows, inputs))
            return super().loss(views, rows=rows, inputs=inputs, **named)

    return Watched, seen


def test_terms_see_their_own_views_alone():
    Watched, seen = watched()
    terms = Watched(FeatureMask(0.5), delta=1.0) + Watched(lambda x: x + 1, delta=2.0)
    terms = terms + Watched(None, delta=3.0) + InfoNCE()
    encoder(terms, n_views=3, batch_size=20, max_iter=1).fit(X)
    (masks, moved, shared) = (seen[delta] for delta in (1.0, 2.0, 3.0))
    assert len(masks) == len(moved) == len(shared) == 3
    kept = []
    for (shape, rows, (x,)), (_, same_rows, (y,)), (all_views, _, inputs) in zip(
        masks, moved, shared
    ):
        assert shape == (1, 20, 3) and all_views == (3, 20, 3) and len(inputs) == 3
        assert rows is same_rows is inputs[0]
        assert ((x == rows) | (x == 0)).all()
        torch.testing.assert_close(y, rows + 1)
        kept.append(x != 0)
    assert not (kept[0] == kept[1]).all()  # another mask in each step


def test_an_own_view_in_time_order_stays_in_its_session():
    Watched, seen = watched()
    rows = np.column_stack([np.repeat([0.0, 5.0], 30), np.arange(60) % 30])
    encoder(Watched(TimeOffset(3))).fit(rows, groups=rows[:, 0])
    for _, x, (later,) in seen[1.0]:
        assert torch.equal(x[:, 0], later[:, 0]) and (x[:, 1] != later[:, 1]).all()


def test_no_shared_view_is_made_where_no_term_reads_one(monkeypatch):
    made = []
    monkeypatch.setattr(
        "skcontrast.base.train",
        lambda module, *a, **k: made.append(module) or train(module, *a, **k),
    )
    one = encoder(Reconstruction(), n_views=1, views="neighbors").fit(X)
    two = encoder(Reconstruction(), n_views=2).fit(X)
    assert np.array_equal(one.transform(X), two.transform(X))
    assert [len(module.views) for module in made] == [0, 0]
    encoder(Reconstruction(None), n_views=1).fit(X)
    assert len(made[2].views) == 1 and not made[2].own_views


@pytest.mark.parametrize(
    "objective, params",
    [
        (Reconstruction(), {"n_views": 1}),
        (Reconstruction(on="changed"), {"n_views": 1}),
        (Reconstruction(SegmentMask(0.75), decoder="mlp"), {"n_views": 1}),
        (InfoNCE() + 0.5 * Reconstruction(["segment_mask", "channel_mask", "jitter"]), {}),
        (Reconstruction(None), {"views": "jitter"}),
        (
            3 * InfoNCE(0.2) + Reconstruction(from_="neighbors"),
            {"views": SegmentMask(0.5, 3), "n_views": 4, "clean_anchor": True},
        ),
    ],
    ids=["alone", "changed", "Ti-MAE", "TERA", "shared", "SimMTM"],
)
def test_series_are_rebuilt(objective, params):
    model = on_series(objective, **params).fit(SERIES)
    assert model.input_.kind == "series" and np.isfinite(model.loss_curve_).all()
    longer = clone(model).set_params(max_iter=40, learning_rate=0.01).fit(SERIES)
    assert longer.loss_curve_[-1] < 0.9 * longer.loss_curve_[0]
    head = [v for k, v in model.objective_weights_.items() if k.endswith("head.bias")]
    assert head[0].shape == (2,)


def test_what_lies_behind_the_end_of_series_does_not_matter():
    padded = np.pad(SERIES, ((0, 0), (0, 0), (0, 5)), constant_values=np.nan)
    noise = lambda x: x.with_values(x.values * 0.5)
    models = [on_series(Reconstruction(noise)).fit(rows) for rows in (SERIES, padded)]
    np.testing.assert_allclose(*(model.loss_curve_ for model in models), rtol=1e-5)


def test_a_masked_column_is_rebuilt_from_the_others():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 8))
    independent = rng.normal(size=(400, 8))
    settings = {"max_iter": 60, "n_components": 4, "learning_rate": 0.01, "n_views": 1}
    objective = Reconstruction(on="changed")
    losses = [encoder(objective, **settings).fit(x).loss_curve_[-1] for x in (rows, independent)]
    assert losses[0] < 0.4 and losses[1] > 0.8


def test_saved_checkpointed_and_searched(tmp_path):
    model = encoder(InfoNCE() + 0.5 * Reconstruction("mask", decoder=MLP((4,))), max_iter=8)
    unbroken = clone(model).fit(X)
    skcontrast.save(unbroken, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(X), unbroken.transform(X))
    assert repr(loaded.objective_) == repr(unbroken.objective_)
    checked = clone(model).set_params(checkpoint=Checkpoint(tmp_path / "runs", every=2))
    killed_after(5, checked)
    assert_same(clone(checked).fit(X), unbroken)
    again = clone(model).set_params(warm_start=True).fit(X).fit(X)
    assert again.loss_curve_[0] < unbroken.loss_curve_[0]
    assert model.partial_fit(X).partial_fit(X).n_iter_ == 2
    search = {
        "objective__second__weight": [0, 0.5],
        "objective__second__objective__view__rate": [0.1, 0.5],
        "objective__second__objective__on": ["changed"],
    }
    scored = GridSearchCV(model, search, scoring=lambda m, X, y=None: -m.loss_curve_[-1], cv=2)
    assert set(scored.fit(X).best_params_) == set(search)


def test_early_stopping_looks_at_the_same_masks():
    model = encoder(Reconstruction(), early_stopping=True, learning_rate=1e-12).fit(X)
    np.testing.assert_allclose(model.validation_curve_, model.validation_curve_[0], rtol=1e-6)


@pytest.mark.parametrize(
    "fit, message",
    [
        (
            lambda o: MultiViewContrastiveEncoder(
                blocks=[2, 3], objective=clone(o).set_params(from_="neighbors")
            ).fit(X),
            "reads rows of one block: type from_='itself'",
        ),
        (
            lambda o: encoder(clone(o).set_params(view="segment_mask")).fit(X),
            "views='segment_mask' reads series, but the rows are numbers",
        ),
        (
            lambda o: encoder(clone(o).set_params(from_="neighbors", on="changed")).fit(X),
            "the view is the rows themselves: type on='all', or clean_anchor=False",
        ),
        (lambda o: encoder(clone(o).set_params(decoder=MLP(width=2))).fit(X), "has 2 columns"),
        (lambda o: encoder(clone(o).set_params(from_="rows")).fit(X), "'from_' parameter of"),
        (lambda o: encoder(clone(o).set_params(temperature="individual")).fit(X), "not defined"),
    ],
    ids=["blocks", "view", "clean", "decoder", "from_", "temperature"],
)
def test_bad_input_gets_one_sentence(fit, message):
    with pytest.raises(ValueError, match=message):
        fit(Reconstruction())


def test_networks_of_series_without_steps_are_refused():
    class Mean(series_cases.Stepwise):
        def build(self, n_features_in, n_components):
            module = super().build(n_features_in, n_components)
            return nn.Sequential(Levels(), module.map)

    class Levels(nn.Module):
        def forward(self, x):
            return x.values.mean(2)

    with pytest.raises(ValueError, match="reads the steps of series, and Mean embeds no steps"):
        on_series(Reconstruction(), network=Mean()).fit(SERIES)


def test_labels_beside_rebuilt_rows():
    model = encoder(SupCon() + 0.5 * Reconstruction("noise")).fit(X, Y)
    assert np.isfinite(model.loss_curve_).all()
