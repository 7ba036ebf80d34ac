"""Views that differ by slot: one for each view of a row, parts of a row, and spans by an anchor."""

import numpy as np
import pytest
import torch
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.linear_model import LogisticRegression
from test_text_views import batch, by_document, seed  # noqa: F401
from test_views import all_of, dense_rows, sparse_rows

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._inputs.rows import SparseBatch, table_rows
from skcontrast.networks import Linear
from skcontrast.objectives import InfoNCE
from skcontrast.views import (
    ChannelMask,
    Compose,
    Dropout,
    EachView,
    FeatureMask,
    FeatureSelection,
    GaussianNoise,
    Parts,
    SpanCrop,
    WordDeletion,
    WordSubstitution,
    build_slots,
    build_views,
    members,
)

FAST = {"max_iter": 1, "random_state": 0}
TEXTS = [" ".join(f"w{i}{j % 7}" for j in range(9 + i)) for i in range(12)]


# ---- one view for each -----------------------------------------------------------------


def test_each_view_has_its_own():
    rows = dense_rows()
    x, index = all_of(rows)
    views = [None, lambda x: x + 1, [lambda x: 2 * x, lambda x: x + 1]]
    made = [view(x, index) for view in build_slots(EachView(views), rows, 3)]
    for out, expected in zip(made, (x, x + 1, 2 * x + 1)):
        torch.testing.assert_close(out, expected, rtol=0, atol=0)
    # A list goes through every slot, and what is equal in all of them is built once.
    after = build_slots([EachView(views), lambda x: -x], rows, 3)
    torch.testing.assert_close(after[2](x, index), -2 * x - 1, rtol=0, atol=0)
    same = build_slots(Compose(("mask", "noise")), rows, 3)
    assert same[1](x, index).shape == x.shape
    assert len({id(view) for view in build_slots("noise", rows, 3)}) == 1
    # Where one view alone is asked for it is the last, as the strongest may be.
    torch.testing.assert_close(build_views(EachView(views), rows)(x, index), 2 * x + 1)


def test_rates_of_dropout_are_a_list():
    rows = dense_rows(400, 50)
    x, index = all_of(rows)
    rates = 0.0, 0.1, 0.5
    made = build_slots(EachView([Dropout(rate) for rate in rates]), rows, 3)
    shares = [float((view(x, index) == 0).float().mean()) for view in made]
    np.testing.assert_allclose(shares, rates, atol=0.02)


def test_a_clean_anchor_takes_none_of_them():
    X = np.random.RandomState(0).randn(40, 4)
    views, seen = EachView([lambda x: x + 1, lambda x: x + 2]), []

    class Watch(InfoNCE):
        def loss(self, views, **named):
            seen.append(views.detach())
            return super().loss(views, **named)

    settings = {"network": Linear(), "passthrough": False, "standardize": False}
    encoder = ContrastiveEncoder(4, objective=Watch(), views=views, batch_size=40, **settings)
    encoder.set_params(n_views=3, **FAST).fit(X)
    one, two = (seen[0][k] - seen[0][0] for k in (1, 2))
    torch.testing.assert_close(two, 2 * one, rtol=1e-4, atol=1e-5)
    assert len(set(one.round(decimals=4)[:, 0].tolist())) == 1  # one shift for all rows
    encoder.set_params(n_views=2, clean_anchor=False).fit(X)
    with pytest.raises(ValueError, match="EachView holds no view"):
        ContrastiveEncoder(views=EachView([]), **FAST).fit(X)
    for n_views, clean in ((2, True), (3, False)):
        said = "2 views, and (.) views of each row are changed: type \\1 views, or n_views=2 with"
        with pytest.raises(ValueError, match=said):
            encoder.set_params(n_views=n_views, clean_anchor=clean).fit(X)


def test_members_are_found_by_position_and_what_they_read():
    views = EachView(["mask", Dropout(0.2)])
    assert views.set_params(**{"0__rate": 0.6, "1__rate": 0.3}).get_params()["0__rate"] == 0.6
    assert repr(views) == "EachView(views=[FeatureMask(rate=0.6), Dropout(rate=0.3)])"
    assert [type(view) for view in members(["noise", views])] == [
        GaussianNoise,
        FeatureMask,
        Dropout,
    ]
    X, groups = np.random.RandomState(0).randn(30, 3), np.arange(30) // 2
    encoder = ContrastiveEncoder(views=EachView(["same_group", "noise"]), n_views=3, **FAST)
    with pytest.raises(ValueError, match="groups"):
        encoder.fit(X)
    assert np.isfinite(encoder.fit(X, groups=groups).loss_curve_).all()


def test_fixed_templates_are_views():
    """Two functions of a row, as two templates of a text."""
    X = np.random.RandomState(0).randn(40, 4)
    flip, shift = (lambda x: x.flip(1)), (lambda x: x + 1)
    encoder = ContrastiveEncoder(views=EachView([flip, shift]), clean_anchor=False, **FAST)
    assert encoder.fit(X).loss_curve_ != encoder.set_params(views=flip).fit(X).loss_curve_


# ---- functions of a batch and its row numbers -------------------------------------------


def test_a_function_may_read_row_numbers():
    rows = dense_rows()
    x, index = all_of(rows)
    table = torch.randn(40, 7)
    view = build_views(lambda x, index: x + table[index], rows)
    torch.testing.assert_close(view(x[5:9], index[5:9]), x[5:9] + table[5:9])
    # Further arguments with a default are those of the function itself.
    view = build_views(lambda x, scale=2.0: scale * x, rows)
    torch.testing.assert_close(view(x, index), 2 * x)
    torch.testing.assert_close(build_views(torch.sin, rows)(x, index), x.sin())
    with pytest.raises(ValueError, match="the function generated failed on a Tensor"):

        def generated(x, index):
            return table[index + 40]

        build_views(generated, rows)(x, index)


# ---- parts --------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [dense_rows, sparse_rows])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_parts_make_up_the_row(make, n):
    rows = make()
    x, index = all_of(rows)
    made = [part(x, index) for part in build_slots("parts", rows, n)]
    if rows.is_sparse:
        assert all(isinstance(part, SparseBatch) for part in made)
        x, made = x.to_dense(), [part.to_dense() for part in made]
    torch.testing.assert_close(sum(made), x, rtol=0, atol=0)
    there = torch.stack([part != 0 for part in made])
    assert (there.sum(0) == (x != 0)).all()
    assert all(part.any() for part in there)


def test_parts_of_a_feature_and_of_a_document():
    rows = table_rows(np.ones((30, 6)), features=np.array([0, 0, 1, 1, 1, 2]))
    x, index = all_of(rows)
    first, other = build_slots(Parts(), rows, 2)
    kept = first(x, index)
    assert (kept[:, 0] == kept[:, 1]).all() and (kept[:, 2:5].var(1) == 0).all()
    torch.testing.assert_close(kept + other(x, index), x)
    _, x, rows = batch()
    first, other = build_slots("parts", rows, 2)
    weights = first(x, rows.train_index).weights + other(x, rows.train_index).weights
    torch.testing.assert_close(weights, x.weights)
    # Alone it is one part of two.
    alone = build_views("parts", dense_rows())(*all_of(dense_rows()))
    assert 0.3 < float((alone == 0).float().mean()) < 0.7


def test_composed_views_are_their_mean():
    """The sum of views is their mean, and of a linear map without an offset the row itself."""
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(4, 6, 5, generator=generator, dtype=torch.float64)
    hard = torch.randn(1, 6, 5, generator=generator, dtype=torch.float64)
    for form in ("ntxent", "two_way", "one_way"):
        value = InfoNCE(form=form, compose="sum")(views)
        mean = torch.stack([views[0], views[1:].mean(0)])
        torch.testing.assert_close(value, InfoNCE(form=form)(mean))
    value = InfoNCE(form="one_way", compose="sum", hard_negatives=True)(torch.cat([views, hard]))
    expected = InfoNCE(form="one_way", hard_negatives=True)(torch.cat([mean, hard]))
    torch.testing.assert_close(value, expected)
    two = InfoNCE(compose="sum")(views[:2])
    torch.testing.assert_close(two, InfoNCE()(views[:2]))
    rows, W = dense_rows(dtype=torch.float64), torch.randn(7, 3, dtype=torch.float64)
    x, index = all_of(rows)
    parts = torch.stack([x, *(part(x, index) for part in build_slots("parts", rows, 3))]) @ W
    torch.testing.assert_close(
        InfoNCE(compose="sum")(parts), InfoNCE()(parts[:1].expand(2, -1, -1))
    )


def test_composition_is_learned():
    X = np.random.RandomState(0).randn(200, 6)
    settings = {"network": "mlp", "passthrough": False, "random_state": 0}

    def gap(**params):
        encoder = ContrastiveEncoder(4, max_iter=30, **settings, **params).fit(X)
        left = X.copy()
        left[:, :3] = 0
        h, a, b = (encoder.transform(x) for x in (X, left, X - left))
        cosine = ((a + b) * h).sum(1) / np.linalg.norm(a + b, axis=1) / np.linalg.norm(h, axis=1)
        return 1 - cosine.mean()

    composed = gap(objective=InfoNCE(compose="sum"), views="parts", n_views=3)
    assert composed < 0.8 * gap(views="noise")


# ---- texts --------------------------------------------------------------------------------


def spans(weights, x):
    """First place and the one behind the last, of each document with words."""
    found = [np.flatnonzero(document) for document in by_document(weights, x)]
    return [(places[0], places[-1] + 1) if len(places) else None for places in found]


def test_spans_are_near_that_of_the_anchor():
    words = [[f"w{i}" for i in range(n)] for n in (1, 5, 0, 100)] * 200
    _, x, rows = batch(words)
    index = rows.train_index
    far = {}
    for anchored in (True, False):
        view = SpanCrop(0.1, 0.3, anchored)
        first, *others = [made(x, index) for made in build_slots(view, rows, 3)]
        gaps, nested = [], 0
        for other in others:
            for a, b in zip(spans(first.weights, x), spans(other.weights, x)):
                if a and b:
                    gaps.append(max(a[0] - b[1], b[0] - a[1]))
                    nested += a[0] <= b[0] and b[1] <= a[1] or b[0] <= a[0] and a[1] <= b[1]
        far[anchored] = max(gaps)
        if anchored:
            # Next to each other, overlapping, and one within the other: all three occur.
            assert far[True] == 0 and min(gaps) < -5 and 0 < nested < len(gaps)
    assert far[False] > 20
    lone = [made(x, index) for made in build_slots(SpanCrop(), rows, 2)]
    assert spans(lone[0].weights, x) != spans(lone[1].weights, x)


def test_anchored_spans_train_an_encoder():
    encoder = ContrastiveTextEncoder(
        views=SpanCrop(anchored=True), n_views=3, objective=InfoNCE(compose="sum"), **FAST
    )
    assert np.isfinite(encoder.fit(TEXTS).loss_curve_).all()


def test_spans_of_words_are_deleted():
    _, x, rows = batch([[f"w{i}" for i in range(60)]] * 300)
    for span in (1, 4):
        out = WordDeletion(0.5, span).build(rows)(x, rows.train_index).weights
        kept = np.array(by_document(out, x))
        assert abs(kept.mean() - 0.5) < 0.03
        # Places at which what is taken away begins or ends.
        edges = (np.diff(kept, axis=1) != 0).mean()
        assert abs(edges - 0.5 / span) < 0.02
    one = batch([["a"], []])
    assert WordDeletion(0.9, 7).build(one[2])(one[1], one[2].train_index).weights.tolist() == [1]


def test_words_are_replaced_by_near_ones():
    vectors = {w: [np.cos(a), np.sin(a)] for w, a in zip("abcdef", (0, 0.1, 0.3, 2, 2.1, 2.4))}
    rows_of = [list("abcx"), list("dey")] * 500
    _, x, rows = batch(rows_of)
    view = WordSubstitution(vectors, n_neighbors=2, rate=0.4)
    out = view.build(rows)(x, rows.train_index)
    old, new = ([rows.vocabulary[i] for i in ids] for ids in (x.ids, out.ids))
    drawn = {w: {b for a, b in zip(old, new) if a == w} for w in "abcdexy"}
    assert drawn["a"] == set("abc") and drawn["x"] == {"x"} and drawn["y"] == {"y"}
    assert drawn["d"] <= set("abcde") and "e" in drawn["d"]
    changed = np.mean([a != b for a, b in zip(old, new) if a in vectors])
    assert abs(changed - 0.4) < 0.03
    equal = {w: [1.0, 0.0] for w in "abc"}  # it is never itself
    made = WordSubstitution(equal, 1, 1.0).build(rows)(x, rows.train_index)
    assert all(rows.vocabulary[i] != w for i, w in zip(made.ids, old) if w in "abc")
    both = ContrastiveTextEncoder(views=["typos", WordSubstitution({"w00": [1], "w01": [1]})])
    assert np.isfinite(both.set_params(**FAST).fit(TEXTS).loss_curve_).all()
    with pytest.raises(ValueError, match="0 of the 7 words of the documents have a vector"):
        WordSubstitution({"A": [1.0]}).build(rows)


# ---- selectors, and what a mask already says ----------------------------------------------


def test_a_selector_keeps_its_support():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 20)), np.arange(80) % 2
    X[:, [3, 8]] += 3 * y[:, None]
    target = np.where(np.arange(80) < 40, y, -1)
    rows = table_rows(X, {"target": target})
    x, index = all_of(rows)
    for selector in (SelectKBest(k=2), SelectFromModel(LogisticRegression(), max_features=2)):
        out = FeatureSelection(selector).build(rows)(x, index)
        assert out[:, [3, 8]].equal(x[:, [3, 8]]) and int((out != 0).any(0).sum()) == 2
        assert not hasattr(selector, "scores_")
    sparse = sparse_rows()
    keep_first = SelectKBest(lambda X, y: np.arange(12.0, 0, -1), k=4)
    made = FeatureSelection(keep_first, target=None).build(sparse)(*all_of(sparse)).to_dense()
    assert made[:, :4].any() and not made[:, 4:].any()
    assert FeatureSelection(keep_first, target=None).requires == ()
    view = FeatureSelection(SelectKBest(k=2))
    encoder = ContrastiveEncoder(objective="supcon", views=view, **FAST)
    assert np.isfinite(encoder.fit(X, y).loss_curve_).all()
    with pytest.raises(ValueError, match="FeatureSelection requires y"):
        ContrastiveEncoder(views=view, **FAST).fit(X)


def test_selected_columns_are_what_is_learned():
    """Of 90 % columns of noise, the embedding moves less with them than that of a mask."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    X = rng.normal(size=(300, 40))
    X[:, :4] += 3 * rng.normal(size=(3, 4))[y]
    noisy = X.copy()
    noisy[:, 4:] += rng.normal(size=(300, 36))
    settings = {"passthrough": False, "max_iter": 10, "random_state": 0}
    moved = {}
    for name, view in (("selected", FeatureSelection(SelectKBest(k=4))), ("mask", "mask")):
        encoder = ContrastiveEncoder(16, objective="supcon", views=view, **settings).fit(X, y)
        h, other = encoder.transform(X), encoder.transform(noisy)
        moved[name] = np.linalg.norm(h - other) / np.linalg.norm(h - h.mean(0))
    assert moved["selected"] < moved["mask"]


def test_cutoff_and_masks_by_type_are_masks_of_features():
    """A group of columns goes together, to its mean, and so does a channel of a series."""
    features = np.array([0, 1, 1, 1])
    rows = table_rows(
        np.c_[np.arange(1.0, 41), np.eye(3)[np.arange(40) % 3] + 1], features=features
    )
    out = FeatureMask(0.5).build(rows)(*all_of(rows))
    assert ((out[:, 1:] == 0).all(1) | (out[:, 1:] != 0).all(1)).all()
    assert (out[:, 1:] == 0).all(1).any() and (out[:, 0] == 0).any()
    assert ChannelMask().reads == {"series"}
