"""Terms that stand beside a contrast: the formulas as plain loops, their limits, the frame."""

from math import exp, log

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import series_cases
import torch
from instances import blobs
from scipy.spatial.distance import jensenshannon
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from test_checkpoint import assert_same, killed_after

import skcontrast
from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.rows import table_rows
from skcontrast._training.loop import train
from skcontrast.checkpoint import Checkpoint
from skcontrast.functional import jensen_shannon, normalize
from skcontrast.networks import MLP, DilatedConv
from skcontrast.objectives import (
    DistributionContrast,
    InfoNCE,
    PatchOrigin,
    Reconstruction,
    ReplacedFeatures,
    StructureConsistency,
)
from skcontrast.views import Corruption, FeatureMask

X, Y = blobs()
SERIES, _ = series_cases.series()
TERMS = {
    "replaced": ReplacedFeatures(),
    "corrupted": ReplacedFeatures("mask", on="corrupted", head="linear"),
    "structure": StructureConsistency(),
}


def encoder(objective, **params):
    small = {"max_iter": 3, "n_components": 3, "random_state": 0, "views": "corruption"}
    small |= {"network": MLP((8,)), "passthrough": False}
    return ContrastiveEncoder(objective=objective, **{**small, **params})


def on_series(objective, **params):
    small = {"max_iter": 2, "n_components": 4, "random_state": 0, "network": DilatedConv(8, 2)}
    return SeriesContrastiveEncoder(objective=objective, **{**small, **params})


def draw(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


# ------------------------------------------------------------------- formulas


def replaced_loop(logits, changed, seen=None):
    """Cross-entropy of logits (n, ..., p) and what was replaced; a loss for each row."""
    losses, total = np.zeros(len(logits)), 0
    for place in np.ndindex(changed.shape):
        if seen is None or seen[place[:-1]]:
            probability = 1 / (1 + exp(-logits[place]))
            losses[place[0]] -= log(probability if changed[place] else 1 - probability)
            total += 1
    return losses * len(losses) / total


def structure_loop(views):
    """Squared differences of cosines between two views: a loss for each row."""
    unit = views / np.linalg.norm(views, axis=-1, keepdims=True)
    n_views, n, _ = unit.shape
    losses = np.zeros(n)
    pairs = [(v, w) for v in range(n_views) for w in range(v + 1, n_views)]
    for i in range(n):
        for v, w in pairs:
            for j in range(n):
                if j != i:
                    gap = unit[v, i] @ unit[v, j] - unit[w, i] @ unit[w, j]
                    losses[i] += gap**2 / len(pairs) / (n - 1)
    return losses


def origin_loop(steps, seen, m, tau, weight):
    """Pieces of series by their origin and their place: steps (V, n, T, d), a loss for each."""
    n_views, n, length, _ = steps.shape
    width, pieces = length // m, {}
    for v, i, k in np.ndindex(n_views, n, m):
        times = [t for t in range(k * width, (k + 1) * width) if seen[v, i, t]]
        if times:
            pieces[v, i, k] = np.mean([steps[v, i, t] for t in times], axis=0)
    unit = {key: h / np.linalg.norm(h) for key, h in pieces.items()}
    origin, place = {}, {}
    for a in pieces:
        others = {b: unit[a] @ unit[b] / tau for b in pieces if b != a}
        partition = log(sum(map(exp, others.values())))
        same = [s for b, s in others.items() if b[1] == a[1]]
        if same:
            origin[a] = partition - np.mean(same)
        logits = np.append(pieces[a], np.zeros(m))[:m]
        place[a] = log(sum(map(exp, logits))) - logits[a[2]]
    losses = np.zeros((n_views, n))
    for a in pieces:
        losses[a[:2]] += origin.get(a, 0) * n_views * n / max(len(origin), 1)
        losses[a[:2]] += weight * place[a] * n_views * n / len(place)
    return losses.ravel()


def distribution_loop(views, rows, tau, weight):
    """Distributions over words: views (V, n, p), rows (n, p) of counts, a loss for each anchor."""
    p = np.exp(views) / np.exp(views).sum(-1, keepdims=True)
    n_views, n, _ = p.shape
    losses = []
    for v, i in np.ndindex(n_views, n):
        loss = 0.0
        for u in range(n_views):
            if u != v:
                s = [-(jensenshannon(p[v, i], p[u, j]) ** 2) / tau for j in range(n)]
                loss += (log(sum(map(exp, s))) - s[i]) / (n_views - 1)
        share = rows[i] / max(rows[i].sum(), 1e-300)
        losses.append(loss - weight * share @ np.log(p[v, i]))
    return np.array(losses)


def close(loss, expected):
    np.testing.assert_allclose(loss.detach(), expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("on", ["whole", "corrupted"])
def test_replaced_features_are_the_loop(on):
    z, y = draw(2, 5, 4), draw(5, 3, seed=1)
    damaged = torch.where(draw(5, 3, seed=2) > 0, y, 7)
    loss = ReplacedFeatures(on=on)(z, rows=y, inputs=[y, damaged])
    logits = z[0 if on == "whole" else 1].numpy()
    close(loss, replaced_loop(logits, (damaged != y).numpy()))
    steps, seen = draw(2, 5, 6, 4), draw(2, 5, 6, seed=3) > -1
    changed = draw(5, 6, 3, seed=4) > 0
    loss = ReplacedFeatures(on=on)(
        steps.amax(2), rows=None, changed=changed, steps=steps, step_mask=seen
    )
    logits = steps[0 if on == "whole" else 1].numpy()
    close(loss, replaced_loop(logits, changed.numpy(), seen[1].numpy()))


@pytest.mark.parametrize("n_views", [2, 3])
def test_structure_is_the_loop(n_views):
    views = draw(n_views, 6, 4)
    close(StructureConsistency()(views), structure_loop(views.numpy()))


@pytest.mark.parametrize("n_views, m", [(1, 2), (2, 3)])
def test_origin_is_the_loop(n_views, m):
    steps, seen = draw(n_views, 4, 7, 3), draw(n_views, 4, 7, seed=1) > -0.5
    seen[0, 0, :2] = False
    loss = PatchOrigin(m, 0.5, 0.7)(steps.amax(2), steps=steps, step_mask=seen)
    close(loss, origin_loop(steps.numpy(), seen.numpy(), m, 0.5, 0.7))


@pytest.mark.parametrize("block_size", [None, 2])
@pytest.mark.parametrize("n_views", [2, 3])
def test_distributions_are_the_loop(n_views, block_size):
    views, rows = draw(n_views, 5, 6), draw(5, 6, seed=1).clamp_min(0)
    rows[2] = 0
    objective = DistributionContrast(0.3, 0.4, block_size)
    expected = distribution_loop(views.numpy(), rows.numpy(), 0.3, 0.4)
    close(objective(views, rows=rows), expected)
    sparse = table_rows(sp.csr_matrix(rows.numpy()), dtype=torch.float64)
    close(objective(views, rows=sparse.take(sparse.train_index)), expected)


def test_tiles_of_pairs_of_distributions_are_as_small_as_there_are_words(monkeypatch):
    sizes, home = [], "skcontrast.objectives._distribution."
    counted = lambda p, q: sizes.append((len(p), len(q))) or jensen_shannon(p, q)
    monkeypatch.setattr(home + "jensen_shannon", counted)
    monkeypatch.setattr(home + "TILE_ENTRIES", 24)
    for block_size, side in (("auto", 2), (None, 5), (3, 3)):
        DistributionContrast(block_size=block_size)(draw(2, 5, 6), rows=torch.ones(5, 6))
        assert max(sizes) == (side, side)
        sizes.clear()


# --------------------------------------------------------------------- limits


def test_structure_is_zero_for_equal_views_and_turned_ones():
    views = draw(1, 6, 4)
    assert not StructureConsistency()(views.repeat(3, 1, 1)).any()
    rotation = torch.linalg.qr(draw(4, 4, seed=2)).Q
    turned = StructureConsistency()(torch.cat([views, views @ rotation]))
    assert turned.abs().max() < 1e-15
    # Where views are near, no digits are lost in float32.
    near = torch.cat([views, views + 1e-4 * draw(1, 6, 4, seed=3)])
    exact = StructureConsistency()(near)
    torch.testing.assert_close(
        StructureConsistency()(near.float()).double(), exact, rtol=5e-3, atol=0
    )


def test_structure_can_read_the_projection():
    views, h = draw(2, 5, 3), draw(2, 5, 4, seed=1)
    close(StructureConsistency("projection")(views, embedding=h), structure_loop(views.numpy()))
    close(StructureConsistency()(views, embedding=h), structure_loop(h.numpy()))


def test_divergence_of_distributions():
    p = draw(4, 5).softmax(1)
    found = jensen_shannon(p, p.flip(0))
    torch.testing.assert_close(found, jensen_shannon(p.flip(0), p).T)
    assert jensen_shannon(p, p).diagonal().abs().max() < 1e-15
    apart = jensen_shannon(torch.eye(2), torch.eye(2))
    torch.testing.assert_close(apart, log(2) * (1 - torch.eye(2)))


def columns_of(n=600, dependent=True):
    """Eight columns of two factors; each in an order of its own where they are independent."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n, 2)) @ rng.normal(size=(2, 8)) + 0.1 * rng.normal(size=(n, 8))
    return rows if dependent else rng.permuted(rows, axis=0)


def trained(monkeypatch, objective, rows, make=encoder, **params):
    """Network and criterion after a fit, and the rows that they were trained on."""
    kept = []
    monkeypatch.setattr(
        "skcontrast.base.train",
        lambda module, criterion, given, *a, **k: (
            kept.append((module, criterion, given)) or train(module, criterion, given, *a, **k)
        ),
    )
    make(objective, **params).fit(rows)
    return kept[0]


def found_replaced(monkeypatch, objective, rows, **params):
    """AUC of the head for what a fresh view of the rows replaced."""
    settings = {"max_iter": 60, "n_components": 4, "learning_rate": 0.01, **params}
    module, criterion, given = trained(monkeypatch, objective, rows, **settings)
    x = given.take(given.train_index)
    torch.manual_seed(1)
    with torch.no_grad():
        ((_, made),) = module(x, given.train_index, 1)["own"].items()
        h, damaged = made["embedding"], made["inputs"][-1]
        unit = h[0] / h[0].norm(dim=1, keepdim=True)
        asked = torch.cat([damaged, unit], 1) if objective.on == "whole" else h[-1]
        logits = criterion.head(asked)
    return roc_auc_score((damaged != x).flatten(), logits.flatten())


def test_replaced_values_are_found_where_columns_tell_of_each_other(monkeypatch):
    corrupted, whole = ReplacedFeatures(on="corrupted"), ReplacedFeatures()
    dependent, independent = columns_of(), columns_of(dependent=False)
    assert abs(found_replaced(monkeypatch, corrupted, independent) - 0.5) < 0.1
    assert found_replaced(monkeypatch, corrupted, dependent) > 0.6
    # The embedding of the whole row says what the values were.
    assert found_replaced(monkeypatch, whole, dependent) > 0.8
    assert found_replaced(monkeypatch, whole, independent) > 0.6


def test_values_that_fit_are_harder_to_find(monkeypatch):
    rows, auc = columns_of(), []
    for n in (1, 16):
        objective = ReplacedFeatures(Corruption(0.3, n_candidates=n), on="corrupted")
        auc.append(found_replaced(monkeypatch, objective, rows))
    assert auc[1] < auc[0] - 0.05


def test_where_nothing_is_replaced_the_bias_is_enough():
    objective = ReplacedFeatures(FeatureMask(0.0))
    model = encoder(objective, max_iter=100, learning_rate=0.05).fit(X)
    assert model.loss_curve_[0] > 0.1 and model.loss_curve_[-1] < 0.01


def test_head_is_asked_about_features_not_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(list("xyz"), 60)})
    model = encoder(ReplacedFeatures("corruption", head="linear")).fit(frame)
    bias = [w for k, w in model.objective_weights_.items() if k.endswith("bias")]
    assert [b.shape for b in bias] == [(2,)]
    codes = torch.tensor([0, 1, 1, 1])
    changed = torch.tensor([[True, False, False, False], [False, True, True, False]])
    h = draw(2, 2, 2)
    built = ReplacedFeatures(on="corrupted").build(2)
    built.head, built.features = torch.nn.Identity(), codes
    loss = built(views=h, rows=None, changed=changed)
    close(loss, replaced_loop(h[-1].numpy(), np.array([[True, False], [False, True]])))


def test_gradient_reaches_the_whole_row():
    y = draw(5, 3)
    built = ReplacedFeatures().build(5)
    built.prepare({}, {"rows": table_rows(y.numpy())}, 4)
    built = built.double()
    h = draw(2, 5, 4, seed=1).requires_grad_()
    damaged = torch.where(draw(5, 3, seed=2) > 0, y, 0)
    built(views=h, rows=y, inputs=[y, damaged]).mean().backward()
    assert h.grad[0].abs().max() > 1e-4 and not h.grad[1].any()


def test_frequent_words_are_left_out_of_distributions(monkeypatch):
    """What the issue asks of it: rarer words lead than in a plain decoder."""
    rng = np.random.default_rng(0)
    n, frequent, topics = 160, 10, 8
    counts = rng.poisson(3, size=(n, frequent)).astype(float)
    topic = rng.integers(topics, size=n)
    rare = rng.poisson(0.05 + 0.9 * (topic[:, None] == np.arange(40) // 5))
    rows = sp.csr_matrix(np.hstack([counts, rare]))
    idf = -np.log((rows.toarray() > 0).mean(axis=0))
    lead = []
    for weight in (0.1, 1000.0):  # the second is a plain decoder
        objective = DistributionContrast(0.1, weight)
        settings = {"views": "mask", "max_iter": 60, "n_components": 16, "batch_size": 40}
        settings["learning_rate"] = 0.01
        module, criterion, given = trained(monkeypatch, objective, rows, **settings)
        with torch.no_grad():
            h = module.encoder(given.take(given.train_index))
            top = criterion.head(h).topk(10, 1).indices.numpy()
        lead.append(idf[top].mean())
    assert lead[0] > lead[1] + 0.5


# ------------------------------------------------------------------ the frame


@pytest.mark.parametrize("name", TERMS)
def test_without_weight_all_is_as_without_the_term(name):
    plain = encoder(InfoNCE(), batch_size=20).fit(X)
    with_term = encoder(InfoNCE() + 0 * TERMS[name], batch_size=20).fit(X)
    assert with_term.loss_curve_ == plain.loss_curve_
    for key, weight in plain.weights_.items():
        assert np.array_equal(with_term.weights_[key], weight)
    other = encoder(InfoNCE() + TERMS[name], batch_size=20).fit(X)
    assert np.abs(other.transform(X) - plain.transform(X)).max() > 1e-4


def test_distributions_without_weight_are_the_plain_run():
    rows = sp.csr_matrix(np.abs(X).round())
    settings = {"views": "mask", "batch_size": 20}
    plain = encoder(InfoNCE(), **settings).fit(rows)
    with_term = encoder(InfoNCE() + 0 * DistributionContrast(), **settings).fit(rows)
    assert np.array_equal(with_term.transform(rows), plain.transform(rows))


def test_series_without_weight_are_the_plain_run():
    plain = on_series(InfoNCE(), features=None).fit(SERIES)
    for term in (PatchOrigin(2), ReplacedFeatures()):
        with_term = on_series(InfoNCE() + 0 * term).fit(SERIES)
        assert np.array_equal(with_term.transform(SERIES), plain.transform(SERIES))


def test_two_terms_with_views_of_their_own():
    both = ReplacedFeatures() + Reconstruction()
    model = encoder(InfoNCE() + 0.1 * both).fit(X)
    assert len([k for k in model.objective_weights_ if k.endswith("head.bias")]) == 2


def test_steps_of_series_that_were_replaced_are_found(monkeypatch):
    settings = {"max_iter": 40, "learning_rate": 0.01, "make": on_series}
    module, criterion, given = trained(monkeypatch, ReplacedFeatures(), waves(), **settings)
    x = given.take(given.train_index)
    with torch.no_grad():
        ((_, made),) = module(x, given.train_index, 1)["own"].items()
        damaged, h = made["inputs"][-1].values.mT, normalize(made["steps"][0])
        logits = criterion.head(torch.cat([damaged, h], 2).flatten(0, 1)).view_as(damaged)
    assert roc_auc_score((damaged != x.values.mT).flatten(), logits.flatten()) > 0.8
    corrupted = on_series(ReplacedFeatures(on="corrupted"), max_iter=20).fit(SERIES)
    assert corrupted.loss_curve_[-1] < corrupted.loss_curve_[0]


def waves(n=30):
    rng, steps = np.random.default_rng(0), np.arange(20)
    speed, start = rng.uniform(0.2, 0.6, size=(n, 1, 1)), rng.uniform(0, 6, size=(n, 1, 1))
    return np.sin(steps * speed + start) * [[1], [2]] + rng.normal(size=(n, 2, 1))


def test_pieces_are_moved_whole_and_told_by_origin_and_place(monkeypatch):
    rng = np.random.default_rng(0)
    level, place = rng.normal(size=(40, 3, 1)), np.repeat([0.0, 1, 2, 3], 5)
    rows = np.concatenate([np.tile(level, 20), np.tile(place, (40, 1, 1))], axis=1)
    rows = rows + 0.05 * rng.normal(size=rows.shape)
    settings = {"max_iter": 60, "learning_rate": 0.03, "make": on_series, "n_components": 8}
    module, criterion, given = trained(monkeypatch, PatchOrigin(), rows, **settings)
    x = given.take(given.train_index)
    with torch.no_grad():
        ((_, made),) = module(x, given.train_index, 1)["own"].items()
        h = made["steps"][0].unflatten(1, (4, 5)).mean(2).flatten(0, 1)
        cosines, placed = normalize(h) @ normalize(h).T, criterion.head(h).argmax(1)
    montage = made["inputs"][0]
    for i, k in ((0, 0), (7, 3), (39, 1)):
        where, row = divmod(int(montage.piece[i, k]), 40)
        piece = montage.values[i, :, 5 * k : 5 * k + 5]
        torch.testing.assert_close(piece, x.values[row, :, 5 * where : 5 * where + 5])
    number, others = montage.piece.flatten(), ~torch.eye(160, dtype=torch.bool)
    same = (number % 40)[:, None] == number % 40
    assert roc_auc_score(same[others], cosines[others]) > 0.9
    assert (placed == number // 40).float().mean() > 0.4  # chance is a quarter


@pytest.mark.parametrize(
    "make, objective, rows",
    [
        (encoder, InfoNCE() + 0.5 * ReplacedFeatures("mask", head=MLP((4,))), X),
        (encoder, InfoNCE() + StructureConsistency("projection"), X),
        (encoder, InfoNCE() + DistributionContrast(), sp.csr_matrix(np.abs(X))),
        (on_series, PatchOrigin(2), SERIES),
    ],
    ids=["replaced", "structure", "distribution", "origin"],
)
def test_saved_and_trained_further(make, objective, rows, tmp_path):
    model = make(objective, max_iter=8)
    fitted = clone(model).fit(rows)
    skcontrast.save(fitted, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(rows), fitted.transform(rows))
    assert repr(loaded.objective_) == repr(fitted.objective_)
    again = clone(model).set_params(warm_start=True).fit(rows).fit(rows)
    assert again.loss_curve_[0] < fitted.loss_curve_[0]
    assert model.partial_fit(rows).partial_fit(rows).n_iter_ == 2


def test_a_killed_fit_goes_on_with_the_same_replacements(tmp_path):
    model = encoder(InfoNCE() + 0.5 * ReplacedFeatures(), max_iter=8)
    checked = clone(model).set_params(checkpoint=Checkpoint(tmp_path, every=2))
    killed_after(5, checked)
    assert_same(clone(checked).fit(X), clone(model).fit(X))


@pytest.mark.parametrize(
    "fit, message",
    [
        (
            lambda: encoder(ReplacedFeatures()).fit(sp.csr_matrix(X)),
            "ReplacedFeatures reads dense rows, and X is sparse: pass",
        ),
        (
            lambda: ContrastiveTextEncoder(objective=ReplacedFeatures()).fit(["a b", "c d"] * 5),
            "in rows of numbers and series, and these rows are tokens",
        ),
        (lambda: encoder(PatchOrigin()).fit(X), "reads the steps of series, and MLP embeds no"),
        (
            lambda: on_series(PatchOrigin(40)).fit(SERIES),
            "PatchOrigin got series of length 9 and needs 40",
        ),
        (
            lambda: encoder(DistributionContrast()).fit(X),
            "DistributionContrast reads counts, and rows hold negative numbers: pass",
        ),
        (
            lambda: on_series(DistributionContrast()).fit(SERIES),
            "reads columns of counts, and these rows are series",
        ),
        (
            lambda: encoder(InfoNCE(), views=Corruption(n_candidates=4)).fit(sp.csr_matrix(X)),
            "compares dense rows, and X is sparse: type n_candidates=1",
        ),
    ],
    ids=range(7),
)
def test_refusals_say_what_to_type(fit, message):
    with pytest.raises(ValueError, match=message):
        fit()
