"""SupCon with graded positives: several labels a row, groups within groups, tables."""

import warnings
from math import exp, log

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import torch
from bad_input import X, Y, assert_refused, assert_sound, encoder

import skcontrast
from skcontrast._inputs.target import encode_labels
from skcontrast.objectives import InfoNCE, SupCon

TABLE = np.array([[1.0, 0.4, 0.0], [0.1, 0.5, 0.3], [0.0, 0.2, 2.0]])
CLASSES = [0, 2, 1, -1, 0, -1]
SETS = [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0], [-1, -1, -1], [1, 1, 1]]
GROUPS = [[0, 1, 2], [0, 1, 3], [0, 2, 2], [-1, -1, -1], [1, 1, -1], [1, 1, -1]]


def draw(n_views=2, n=6, d=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_views, n, d, generator=generator, dtype=torch.float64)


def unlabelled(labels):
    return np.max(labels) == -1


def share_of_labels(first, second):
    a = {k for k, entry in enumerate(first) if entry == 1}
    b = {k for k, entry in enumerate(second) if entry == 1}
    return len(a & b) / len(a | b) if a | b else 0


def common_groups(first, second):
    length = 0
    for a, b in zip(first, second):
        if a != b or a == -1:
            break
        length += 1
    return length / len(first)


def naive(views, labels, weight, tau, form="outside", first=False, own=1.0, margin=0.0):
    """Loss of each anchor, and 0 for those without a positive, scaled to the mean of the others."""
    z = views.numpy() / np.linalg.norm(views.numpy(), axis=-1, keepdims=True)
    rows = [(v, i) for v in range(len(z)) for i in range(len(labels))]
    losses = []
    for a in rows[: len(labels)] if first else rows:
        others = [b for b in rows if b != a]
        weights = []
        for b in others:
            alone = unlabelled(labels[a[1]]) or unlabelled(labels[b[1]])
            if a[1] == b[1] and (own is not None or alone):
                weights.append(1.0)
            else:
                weights.append(0.0 if alone else weight(labels[a[1]], labels[b[1]]))
        logits = [(z[a] @ z[b] + margin * max(0, 1 - w)) / tau for w, b in zip(weights, others)]
        total, mass = sum(map(exp, logits)), sum(weights)
        if not mass:
            losses.append(None)
        elif form == "outside":
            terms = [w * (log(total) - x) for w, x in zip(weights, logits)]
            losses.append(sum(terms) / mass)
        else:
            inner = sum(w * exp(x) for w, x in zip(weights, logits))
            losses.append(log(total) - log(inner / mass))
    count = sum(loss is not None for loss in losses)
    scaled = [0 if loss is None else loss * len(losses) / count for loss in losses]
    return torch.tensor(scaled, dtype=torch.float64)


RULES = {
    "equal": ("equal", CLASSES, lambda a, b: float(a == b), 1.0),
    "jaccard": ("jaccard", SETS, share_of_labels, 1.0),
    "tree": ("tree", GROUPS, common_groups, 1.0),
    "table": (TABLE, CLASSES, lambda a, b: TABLE[a, b], None),
}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", ["outside", "inside"])
@pytest.mark.parametrize("n_views", [1, 2, 3])
@pytest.mark.parametrize("block_size", [None, 1, 4])
def test_is_the_loop(rule, form, n_views, block_size):
    similarity, labels, weight, own = RULES[rule]
    views, target = draw(n_views), torch.tensor(labels)
    for anchors in ("all", "first"):
        for margin in (0.0, 0.4):
            objective = SupCon(0.3, form, anchors, block_size, similarity, margin=margin)
            expected = naive(views, labels, weight, 0.3, form, anchors == "first", own, margin)
            torch.testing.assert_close(
                objective(views, target=target), expected, rtol=1e-10, atol=1e-12
            )


# ---------------------------------------------------------------------- laws


def same(first, second):
    torch.testing.assert_close(first, second, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("form", ["outside", "inside"])
@pytest.mark.parametrize("n_views", [1, 2])
def test_zeros_and_ones_are_classes(form, n_views):
    views, target = draw(n_views), torch.tensor(CLASSES)
    plain = SupCon(form=form)(views, target=target)
    same(SupCon(form=form, label_similarity=np.eye(3))(views, target=target), plain)
    same(SupCon(form=form, label_similarity=(7 * np.eye(3)).tolist())(views, target=target), plain)
    one_hot = torch.eye(3, dtype=torch.int64)[target.clamp_min(0)]
    one_hot = torch.where(target[:, None] == -1, -1, one_hot)
    same(SupCon(form=form, label_similarity="jaccard")(views, target=one_hot), plain)
    tree = SupCon(form=form, label_similarity="tree")
    same(tree(views, target=target[:, None]), plain)
    same(tree(views, target=target[:, None].repeat(1, 3)), plain)


def test_unlabelled_rows_are_info_nce():
    views, target = draw(), torch.full((6, 2), -1)
    for rule in ("jaccard", "tree"):
        same(SupCon(label_similarity=rule)(views, target=target), InfoNCE(0.1)(views))
    same(SupCon(label_similarity=TABLE)(views, target=target[:, 0]), InfoNCE(0.1)(views))
    # Rows without any label share none, but have their other view.
    empty = torch.zeros(6, 2, dtype=torch.int64)
    same(SupCon(label_similarity="jaccard")(views, target=empty), InfoNCE(0.1)(views))
    alone = SupCon(label_similarity="jaccard")(views[:1], target=empty)
    assert not alone.any()


def test_names_and_order_of_the_labels_do_not_matter():
    views = draw()
    sets, groups, classes = map(torch.tensor, (SETS, GROUPS, CLASSES))
    jaccard, tree = SupCon(label_similarity="jaccard"), SupCon(label_similarity="tree")
    same(jaccard(views, target=sets[:, [2, 0, 1]]), jaccard(views, target=sets))
    renamed = torch.where(groups == -1, -1, (3 * groups + 2) % 7)
    same(tree(views, target=renamed), tree(views, target=groups))
    assert not torch.allclose(tree(views, target=groups[:, [2, 0, 1]]), tree(views, target=groups))
    order = torch.tensor([2, 0, 1])  # class c is now order[c]
    back = order.argsort().numpy()
    same(
        SupCon(label_similarity=TABLE[np.ix_(back, back)])(
            views, target=torch.where(classes == -1, -1, order[classes])
        ),
        SupCon(label_similarity=TABLE)(views, target=classes),
    )


def test_an_anchor_without_weight_does_not_count():
    views, target = draw(), torch.tensor([0, 0, 0, 1, 1, 1])
    loss = SupCon(label_similarity=[[1, 0], [0, 0]])(views, target=target)
    only = SupCon(label_similarity=[[1, 0], [0, 1]])(views, target=target).view(2, 6)
    assert not loss.view(2, 6)[:, 3:].any()
    same(loss.mean(), only[:, :3].mean())


# ------------------------------------------------------------ with an estimator

INDICATORS = np.c_[Y == 0, Y < 2, np.arange(20) % 2].astype(int)
INDICATORS[18:] = -1
NAMES = np.c_[np.where(Y == 0, "even", "odd"), np.array(["x", "y", "z"])[Y]]

SOUND_SETS = {
    "int": INDICATORS,
    "float": INDICATORS.astype(float),
    "list": INDICATORS.tolist(),
    "pandas": pd.DataFrame(INDICATORS, columns=["a", "b", "c"]),
    "polars": pl.DataFrame(INDICATORS, schema=["a", "b", "c"]),
    "objects": INDICATORS.astype(object),
    "nullable": pd.DataFrame(INDICATORS).astype("Int64"),
    "tensor": torch.as_tensor(INDICATORS),
    "sparse": sp.csr_matrix(INDICATORS),
    "sparse array": sp.coo_array(INDICATORS),
}


@pytest.mark.parametrize("name", SOUND_SETS)
def test_sets_of_labels_train(name):
    objective = SupCon(label_similarity="jaccard")
    for kind in ({}, {"batch_size": 6}):
        assert_sound(X, SOUND_SETS[name], objective=objective, **kind)
    model = encoder(objective=objective).fit(X, SOUND_SETS[name])
    plain = encoder(objective=objective).fit(X, INDICATORS)
    assert np.array_equal(model.transform(X), plain.transform(X))


def test_booleans_are_labels():
    yes = INDICATORS.clip(0).astype(bool)
    yes[:, 1] = True  # a constant column is no code 0
    for y in (yes, yes.astype(object), yes.tolist(), pd.DataFrame(yes).astype("boolean")):
        np.testing.assert_array_equal(encode_labels(y), yes)


SOUND_TREES = {
    "strings": NAMES,
    "objects": NAMES.astype(object),
    "list": NAMES.tolist(),
    "pandas": pd.DataFrame(NAMES, columns=["group", "class"]),
    "categories": pd.DataFrame(NAMES).astype("category"),
    "polars": pl.DataFrame({"group": NAMES[:, 0], "class": NAMES[:, 1]}),
    "codes": np.c_[Y > 0, Y],
    "strings and codes": pd.DataFrame({"group": NAMES[:, 0], "class": Y}),
    "numbers": np.c_[7 * (Y > 0), 3.0 - Y],
}


@pytest.mark.parametrize("name", SOUND_TREES)
def test_groups_within_groups_train(name):
    objective = SupCon(label_similarity="tree")
    model = encoder(objective=objective).fit(X, SOUND_TREES[name])
    plain = encoder(objective=objective).fit(X, NAMES)
    assert np.array_equal(model.transform(X), plain.transform(X))


def test_one_column_of_names_is_supcon():
    tree = encoder(objective=SupCon(label_similarity="tree")).fit(X, NAMES[:, 1])
    plain = encoder(objective="supcon").fit(X, Y)
    assert np.array_equal(tree.transform(X), plain.transform(X))


def test_a_table_trains_and_is_saved(tmp_path):
    model = encoder(objective=SupCon(label_similarity=TABLE), n_views=1).fit(X, Y)
    assert not model.objective_weights_
    skcontrast.save(model, tmp_path / "model")
    loaded = skcontrast.load(tmp_path / "model")
    assert np.array_equal(loaded.transform(X), model.transform(X))
    np.testing.assert_array_equal(loaded.objective.label_similarity, TABLE)


ACCEPTED = r"y must hold columns of labels, of shape \(n_samples, n_columns\).*-1 where unlabelled"
REFUSED_LABELS = {
    "nan": (np.where(INDICATORS == 1, np.nan, 0), f"{ACCEPTED}.*Column 0 has NaN"),
    "fractions": (INDICATORS + 0.5, f"{ACCEPTED}.*Column 0 has 1.5"),
    "missing": (pd.DataFrame({"a": [1, None] * 10}, dtype="Int64"), "Column a has "),
    "missing names": ([["x", None]] * 20, "Column 1 has missing values"),
    "nan among names": ([["x", np.nan], ["x", "y"]] * 10, "Column 1 has missing values"),
    "mixed": ([[1], ["x"]] * 10, "Column 0 mixes the types int, str"),
    "complex": (INDICATORS + 1j, "Column 0 has complex numbers"),
    "three dimensions": (INDICATORS[:, :, None], r"Got the shape \(20, 3, 1\)"),
    "ragged": ([[0, 1], [1]] * 10, ACCEPTED),
    "a number": (3, ACCEPTED),
    "a word": ("labels", ACCEPTED),
    "no column": (INDICATORS[:, :0], ACCEPTED),
    "too short": (INDICATORS[:5], "y has 5 rows, but X has 20"),
    "too short and sparse": (sp.csr_matrix(INDICATORS[:5]), "y has 5 rows, but X has 20"),
    "none": (None, "SupCon requires y to be passed"),
}


@pytest.mark.parametrize("rule", ["jaccard", "tree"])
@pytest.mark.parametrize("name", REFUSED_LABELS)
def test_refused_labels(name, rule):
    y, match = REFUSED_LABELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(match, X, y, objective=SupCon(label_similarity=rule))


REFUSED_SETS = {
    "counts": (INDICATORS + 1, "'jaccard' needs columns of 0 and 1, but y holds 2: pass 1 where"),
    "negative": (-INDICATORS.clip(0), "needs columns of 0 and 1, but y holds -1: .*unlabelled row"),
    "classes": (Y, "needs columns of 0 and 1, but y holds 2"),
    "strings": (NAMES, "column 0 of y holds strings"),
    "strings in a table": (pd.DataFrame(NAMES, columns=["u", "v"]), "column u of y holds strings"),
}


@pytest.mark.parametrize("name", REFUSED_SETS)
def test_refused_sets_of_labels(name):
    y, match = REFUSED_SETS[name]
    assert_refused(match, X, y, objective=SupCon(label_similarity="jaccard"))


REFUSED_TABLES = {
    "negative": (-TABLE, "label_similarity holds -2, and weights are not negative"),
    "too small": (np.eye(2), "label_similarity is for 2 classes, but y has 3"),
    "too large": (np.eye(4), "label_similarity is for 4 classes, but y has 3"),
    "not square": (TABLE[:2], r"label_similarity has the shape \(2, 3\)"),
    "infinite": (np.full((3, 3), np.inf), "label_similarity holds NaN or infinity"),
    "a word": ("jacard", "'label_similarity' parameter of SupCon.*Did you mean 'jaccard'"),
}


@pytest.mark.parametrize("name", REFUSED_TABLES)
def test_refused_tables(name):
    table, match = REFUSED_TABLES[name]
    assert_refused(match, X, Y, objective=SupCon(label_similarity=table))


def test_refused_on_tensors():
    views = draw()
    jaccard = SupCon(label_similarity="jaccard")
    for target in (torch.zeros(6), torch.zeros(5, 2)):
        with pytest.raises(ValueError, match="needs a row of labels for each of the 6 samples"):
            jaccard(views, target=target)
    with pytest.raises(ValueError, match="but y holds 2"):
        jaccard(views, target=torch.full((6, 2), 2))
    with pytest.raises(ValueError, match="label_similarity is for 2 classes, but y has 3"):
        SupCon(label_similarity=np.eye(2))(views, target=torch.tensor(CLASSES))


def test_kinds_of_target():
    assert SupCon().target_type == SupCon(label_similarity=TABLE).target_type == "class"
    for rule in ("jaccard", "tree"):
        assert SupCon(label_similarity=rule).target_type == "labels"
    match = (
        r"ClassBalanced\(\) needs a target of classes, and .*needs a target of columns of labels"
    )
    jaccard = SupCon(label_similarity="jaccard")
    assert_refused(match, X, INDICATORS, objective=jaccard, sampler="class_balanced")
    assert_refused("columns of labels", X, INDICATORS, objective=jaccard + SupCon())
    assert_sound(X, INDICATORS, objective=jaccard + 0.5 * InfoNCE())
    encoder(objective=jaccard).set_params(objective__label_similarity="equal").fit(X, Y)


def test_a_margin_keeps_levels_apart():
    """The gradient pushes a row of another branch harder than one that shares the first level."""
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    target = torch.tensor([[0, 0], [0, 1], [1, 2]])
    pushes = []
    for margin in (0.0, 1.0):
        views = z.expand(2, 3, 2).clone().requires_grad_()
        objective = SupCon(0.5, label_similarity="tree", margin=margin)
        objective(views, target=target)[0].backward()
        # Down from the near one, up from the far one: both lie a right angle away.
        pushes.append(-views.grad[0, 0, 1])
    assert pushes[1] > pushes[0] > 0
