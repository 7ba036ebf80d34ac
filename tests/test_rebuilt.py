"""Reconstruction of columns by what they hold, of sparse rows, texts, blocks and masked steps."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import series_cases
import torch
from sklearn.feature_extraction.text import CountVectorizer

import skcontrast
from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder, SeriesContrastiveEncoder
from skcontrast._inputs.rows import SparseBatch
from skcontrast._inputs.series import SeriesBatch
from skcontrast._inputs.table import TableInput
from skcontrast._inputs.tokens import TokenRows, bag_of_words, number_words
from skcontrast.multiview import Blocks, MultiViewContrastiveEncoder
from skcontrast.networks import MLP, DilatedConv
from skcontrast.objectives import InfoNCE, Pairwise, Reconstruction
from skcontrast.objectives._rebuilt import ColumnKinds, EntryDecoder
from skcontrast.views import SegmentMask

rng = np.random.default_rng(0)
N = 60
NUMBER = rng.normal(size=N)
FRAME = pd.DataFrame(
    {
        "number": NUMBER,
        "flag": (NUMBER > 0).astype(float),
        "color": np.resize(["red", "green", "blue"], N),
        "side": np.where(NUMBER > 0.5, "left", "right"),
    }
)
COUNTS = sp.csr_matrix(rng.poisson(0.3, size=(N, 30)).astype(np.float32))
TEXTS = [" ".join(rng.choice(["sun", "rain", "wind", "snow", "hail"], 6)) for _ in range(N)]
SERIES, _ = series_cases.series()
SMALL = {"max_iter": 3, "batch_size": 20, "random_state": 0, "n_components": 8}


def rows_of(frame):
    source = TableInput()
    return source, source.rows(source.fit(frame))


# ------------------------------------------------------- columns by what they hold


def test_columns_have_the_loss_of_what_they_hold():
    source, rows = rows_of(FRAME)
    names = list(source.column_names(FRAME.columns))
    kinds, x = ColumnKinds(rows), rows.take(rows.train_index)
    out = torch.as_tensor(rng.normal(size=(1, *x.shape)))
    error, counts = kinds(out, x.double()[None], torch.ones(1, *x.shape, dtype=bool), 1.0)
    total = torch.where(counts, error, 0).sum(2)[0]
    place = {name: [j for j, n in enumerate(names) if n.startswith(name)] for name in FRAME}
    assert [len(place[name]) for name in FRAME] == [1, 1, 3, 2]
    assert counts.sum(2).unique().tolist() == [4]
    logits = out[0].numpy()
    for i in range(N):
        expected = (logits[i, place["number"][0]] - float(x[i, place["number"][0]])) ** 2
        flag = FRAME["flag"][i]
        p = 1 / (1 + np.exp(-logits[i, place["flag"][0]]))
        expected -= np.log(p if flag else 1 - p)
        for name in ("color", "side"):
            own = [j for j in place[name] if names[j].endswith(FRAME[name][i])]
            z = logits[i, place[name]]
            expected -= logits[i, own[0]] - np.log(np.exp(z).sum())
        np.testing.assert_allclose(float(total[i]), expected, rtol=1e-6)


def test_a_category_counts_where_one_of_its_columns_does():
    _, rows = rows_of(FRAME)
    kinds, x = ColumnKinds(rows), rows.take(rows.train_index)
    counts = torch.zeros(1, *x.shape, dtype=bool)
    counts[..., int(kinds._places()[1][2])] = True  # the last column of the first category
    _, made = kinds(torch.zeros(1, *x.shape), x[None], counts, 1.0)
    assert made.sum() == N and made[..., int(kinds._places()[3][0])].all()


def test_without_such_columns_it_is_the_squared_error():
    X = rng.normal(size=(N, 4))
    made = [
        ContrastiveEncoder(objective=Reconstruction(error=error), **SMALL).fit(X)
        for error in ("auto", "squared")
    ]
    assert made[0].loss_curve_ == made[1].loss_curve_
    made = [
        ContrastiveEncoder(objective=Reconstruction(error=error), **SMALL).fit(FRAME)
        for error in ("auto", "squared")
    ]
    assert made[0].loss_curve_ != made[1].loss_curve_


def test_a_flag_and_a_category_are_learned():
    model = ContrastiveEncoder(objective=Reconstruction(None), n_views=1, views="mask", **SMALL)
    model.set_params(max_iter=150, learning_rate=0.01).fit(FRAME)
    assert model.loss_curve_[-1] < 0.3 * model.loss_curve_[0]


def test_a_stream_and_a_saved_model_keep_what_columns_hold(tmp_path):
    model = ContrastiveEncoder(objective=InfoNCE() + Reconstruction(), **SMALL)
    model.partial_fit(FRAME[:30])
    before = {k: v.copy() for k, v in model.objective_weights_.items() if "kinds" in k}
    assert {k.rpartition(".")[2] for k in before} == {"low", "high", "feature"}
    model.partial_fit(FRAME[30:].assign(flag=1.0))  # of this column one value alone
    assert all(np.array_equal(model.objective_weights_[k], v) for k, v in before.items())
    skcontrast.save(model, tmp_path / "m")
    other = skcontrast.load(tmp_path / "m")
    assert np.array_equal(other.transform(FRAME), model.transform(FRAME))


# ---------------------------------------------------------------------- sparse rows


def sparse_batch(X):
    indices, offsets = torch.tensor(X.indices).long(), torch.tensor(X.indptr[:-1]).long()
    return SparseBatch(indices, offsets, torch.tensor(X.data).double(), X.shape[1])


def test_drawn_zeros_are_unbiased():
    X = sparse_batch(COUNTS[:10])
    torch.manual_seed(0)
    decoder = EntryDecoder("linear", 4, 30).double()
    h = torch.randn(2, 10, 4, dtype=torch.float64, requires_grad=True)
    dense = (h @ decoder.weight.T + decoder.bias - X.to_dense()).square().sum(2).flatten()
    built = Reconstruction().build(10)
    built.head = decoder
    losses = torch.stack([built(h, rows=X, step=s) for s in range(1000)])
    error = losses.std(0) / len(losses) ** 0.5
    assert ((losses.mean(0) - dense).abs() < 4.5 * error).all()
    (slope,) = torch.autograd.grad(losses.mean(), h)
    (expected,) = torch.autograd.grad(dense.mean(), h)
    assert (slope - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize("error", ["squared", "absolute", "huber"])
def test_changed_entries_are_those_of_dense_rows(error):
    X, other = COUNTS[:10].copy(), COUNTS[:10].copy()
    other.data[::3] = 0  # taken away
    other = sp.csr_matrix(other + sp.csr_matrix(([2.0], ([0], [1])), shape=X.shape))
    other.eliminate_zeros()
    rows, views = sparse_batch(X), [sparse_batch(other)]
    objective = Reconstruction(on="changed", error=error, delta=0.5)
    h = torch.as_tensor(rng.normal(size=(1, 10, 30)))
    dense = objective(h, rows=rows.to_dense(), inputs=[x.to_dense() for x in views])
    n_changed = (rows.to_dense() != views[0].to_dense()).sum() / 10
    torch.testing.assert_close(objective(h, rows=rows, inputs=views), dense * n_changed)


@pytest.mark.parametrize("options", [{}, {"decoder": MLP((6,))}, {"on": "changed"}])
def test_sparse_rows_are_never_dense(options, monkeypatch):
    def refuse(self):
        raise AssertionError("dense")

    monkeypatch.setattr(SparseBatch, "to_dense", refuse)
    objective = InfoNCE() + Reconstruction(**options)
    model = ContrastiveEncoder(objective=objective, views="mask", **SMALL).fit(COUNTS)
    head = next(v for k, v in model.objective_weights_.items() if k.endswith("head.weight"))
    assert len(head) == 30


def test_sparse_rows_are_learned():
    X = sp.csr_matrix(np.repeat(np.eye(4, 40), 20, axis=0).astype(np.float32) * 3)
    model = ContrastiveEncoder(objective=Reconstruction("dropout"), n_views=1, **SMALL)
    model.set_params(max_iter=150, learning_rate=0.01).fit(X)
    assert model.loss_curve_[-1] < 0.2 * model.loss_curve_[0]


# --------------------------------------------------------------------------- texts


def test_a_text_is_its_counts_of_words():
    rows = TokenRows(number_words(text.split() for text in TEXTS))
    bag = bag_of_words(rows.take(rows.train_index), 2**16).to_dense()
    counts = CountVectorizer().fit_transform(TEXTS).toarray()
    used = bag.any(0)
    assert used.sum() == counts.shape[1]
    assert sorted(map(tuple, bag[:, used].T.tolist())) == sorted(map(tuple, counts.T.tolist()))


def test_texts_are_learned():
    model = ContrastiveTextEncoder(objective=Reconstruction(), n_views=1, **SMALL)
    model.set_params(max_iter=40, learning_rate=0.02).fit(TEXTS)
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]


# -------------------------------------------------------------------------- blocks

A = rng.normal(size=(N, 3)).astype(np.float32)
B = (A @ rng.normal(size=(3, 4))).astype(np.float32)


def test_rows_without_a_partner_are_rebuilt():
    lone = B.copy()
    lone[::2] = np.nan
    objective = Pairwise() + 0.5 * Reconstruction()
    fit = MultiViewContrastiveEncoder(objective=objective, **SMALL).fit
    model = fit(Blocks(a=A, b=lone))
    heads = {k: v.shape for k, v in model.objective_weights_.items() if k.endswith("head.weight")}
    assert sorted(heads.values()) == [(8, 3), (8, 4)]
    built = Reconstruction("mask").build(N)
    rows = model.input_.rows(model.input_.read(Blocks(a=A, b=lone)))
    built.prepare({}, {"rows": rows}, 8)
    x = rows.take(rows.train_index)
    h = torch.randn(2, N, 8)
    loss = built(h, embedding=h, rows=x, inputs=[x], present=x.present).unflatten(0, (2, N))
    assert (loss[0] > 0).all() and (loss[1][1::2] > 0).all() and not loss[1][::2].any()
    for v, (name, there) in enumerate(zip("ab", x.present)):
        z = built.blocks[v].head(h[v])
        each = (z - x.batches[name]).square().mean(1)[there].mean()
        torch.testing.assert_close(loss[v].mean(), each)


def test_texts_beside_numbers_are_rebuilt():
    objective = Pairwise() + 0.5 * Reconstruction(on="changed")
    model = MultiViewContrastiveEncoder(objective=objective, **SMALL).fit(Blocks(a=A, t=TEXTS))
    assert np.isfinite(model.loss_curve_).all()


# ------------------------------------------------------------------- masked steps


def test_what_is_masked_is_as_if_it_was_not_there():
    values = torch.as_tensor(rng.normal(size=(4, 2, 20)))
    kept = torch.as_tensor(rng.random((4, 1, 20)) > 0.4)
    masked = SeriesBatch(values * kept, torch.ones(4, 1, 20).double())
    absent = SeriesBatch(values, kept.double())
    for pooling in ("max", "mean"):
        torch.manual_seed(0)
        network = DilatedConv(8, 3, pooling, mask_aware=True).build(2, 5).double()
        torch.testing.assert_close(network(masked), network(absent))
        steps = network.steps(masked)
        torch.testing.assert_close(steps, network.steps(absent))
        assert not steps[(~kept)[:, 0]].any()
        torch.manual_seed(0)
        plain = DilatedConv(8, 3, pooling).build(2, 5).double()
        assert (plain(masked) - network(masked)).abs().max() > 1e-3


def test_masked_steps_are_rebuilt_from_those_beside_them():
    time = np.arange(40)
    waves = np.sin(0.3 * time + rng.uniform(0, 6, size=(N, 1)))[:, None]
    settings = {"n_views": 1, "max_iter": 40, "learning_rate": 0.01, "random_state": 0}
    network = DilatedConv(16, 3, mask_aware=True)
    lost = {}
    for decoder in ("linear", DilatedConv(8, 2)):
        objective = Reconstruction(SegmentMask(0.3, 2), on="changed", decoder=decoder)
        model = SeriesContrastiveEncoder(8, objective=objective, network=network, **settings)
        lost[str(decoder)] = model.fit(waves).loss_curve_[-1]
    linear, over_steps = lost.values()
    assert over_steps < 0.5 < 0.8 < linear


# ------------------------------------------------------------- noise in the embedding


def test_entries_of_the_embedding_are_dropped():
    h, y = torch.ones(1, 200, 50), torch.zeros(200, 50)
    loss = [Reconstruction(dropout=0.75)(h, rows=y, step=step) for step in (0, 0, 1)]
    assert torch.equal(loss[0], loss[1]) and not torch.equal(loss[0], loss[2])
    assert abs(float(loss[0].mean()) - 4) < 0.2  # a quarter of the entries, each 4


# ------------------------------------------------------------------- without weight

CASES = {
    "frame": (lambda o: ContrastiveEncoder(objective=o, **SMALL), FRAME),
    "sparse": (lambda o: ContrastiveEncoder(objective=o, views="mask", **SMALL), COUNTS),
    "texts": (lambda o: ContrastiveTextEncoder(objective=o, **SMALL), TEXTS),
    "blocks": (
        lambda o: MultiViewContrastiveEncoder(objective=o, **SMALL),
        Blocks(a=A, b=B, t=TEXTS),
    ),
    "series": (
        lambda o: SeriesContrastiveEncoder(
            objective=o, network=DilatedConv(8, 2, mask_aware=True), **SMALL
        ),
        SERIES,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_without_weight_all_is_as_without_the_term(name):
    make, X = CASES[name]
    main = Pairwise() if name == "blocks" else InfoNCE()
    term = Reconstruction(dropout=0.2)
    plain, without, used = (
        make(objective).fit(X) for objective in (main, main + 0 * term, main + 0.5 * term)
    )
    assert without.loss_curve_ == plain.loss_curve_
    assert plain.weights_.keys() == without.weights_.keys() == used.weights_.keys()
    assert all(np.array_equal(plain.weights_[k], without.weights_[k]) for k in plain.weights_)
    moved = max(np.abs(plain.weights_[k] - used.weights_[k]).max() for k in plain.weights_)
    assert moved > 1e-4
