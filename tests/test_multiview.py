"""MultiViewContrastiveEncoder: laws, missing blocks, saving, and what is refused."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import skops.io
import torch
from multiview_cases import TEXTS, A, B, X, Y, encoder, latent, missing, of_blocks, three
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from torch import nn

import skcontrast
from skcontrast import ContrastiveEncoder, SupervisedContrastiveClassifier
from skcontrast.checkpoint import Checkpoint
from skcontrast.multiview import Blocks, CanonicalCorrelation
from skcontrast.networks import MLP, HashedEmbeddingBag
from skcontrast.objectives import InfoNCE, OneToK, Pairwise, SigmoidPairs, Symile
from skcontrast.views import Corruption


def test_training_starts_at_the_closed_form():
    first, second, _ = latent(200)
    both = np.hstack([first, second])
    model = encoder(n_components=4, learning_rate=1e-12).fit(both)
    closed = CanonicalCorrelation(4, blocks=[5, 4], regularization="auto").fit(both)
    for name, block in (("block0", first), ("block1", second)):
        found = model.transform_block(block, name)
        np.testing.assert_allclose(found, closed.transform_block(block, name), atol=1e-4)
    # Room beyond the directions: columns of next to nothing at the start.
    wide = encoder(n_components=7, learning_rate=1e-12).fit(both).transform_block(first, "block0")
    closed = closed.transform_block(first, "block0")
    assert 0 < np.abs(wide[:, 4:]).max() < 0.2
    assert (wide[:, :4] * closed).sum(axis=1).mean() > 0.99
    used = encoder(n_components=7, max_iter=30).fit(both).transform_block(first, "block0")
    assert used[:, 4:].var(axis=0).min() > 1e-3


def test_training_finds_partners_that_the_closed_form_does_not():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-2, 2, (600, 2))
    bent = np.hstack([np.cos(2 * angle), np.sin(3 * angle)])
    both = np.hstack([angle, bent @ rng.normal(size=(4, 6))])
    train, test = both[:500], both[500:]
    model = encoder(blocks=[2, 6], n_components=16, max_iter=60, views=None, learning_rate=3e-3)
    closed = CanonicalCorrelation(blocks=[2, 6], regularization="auto").fit(train).score(test)
    assert model.fit(train).score(test) > closed + 0.1


def test_a_shuffled_pairing_teaches_nothing():
    first, second, _ = latent(300)
    test, chance = np.hstack([first, second])[:60], np.mean(1 / np.arange(1, 61))
    order = np.random.default_rng(0).permutation(300)
    for given, found in ((order, False), (np.arange(300), True)):
        model = encoder(n_components=4, max_iter=10).fit(np.hstack([first, second[given]]))
        assert (model.score(test) > 5 * chance) == found
        assert found or model.score(test) < 2 * chance


def test_columns_are_those_of_each_block():
    for model in (encoder(), encoder(passthrough=False)):
        Z, names = model.fit(X).transform(X), list(model.get_feature_names_out())
        assert len(names) == Z.shape[1]
        for name, block in (("block0", A), ("block1", B)):
            mine = [k for k, column in enumerate(names) if column.startswith(name)]
            found = model.transform_block(block, name)
            learned = Z[:, mine]
            learned = (
                learned
                if model.passthrough is False
                else learned
                * (
                    np.linalg.norm(found - found.mean(0))
                    / np.linalg.norm(learned - learned.mean(0))
                )
            )
            np.testing.assert_allclose(learned - learned.mean(0), found - found.mean(0), atol=1e-5)
    assert (
        names[:1] == ["block00"]
        and list(encoder().fit(X).get_feature_names_out())[0] == "columns__block0__x0"
    )
    assert list(encoder(combine="mean", passthrough=False).fit(X).get_feature_names_out()) == [
        "shared0",
        "shared1",
        "shared2",
    ]


@pytest.mark.parametrize("data", [X, missing(), three()], ids=["whole", "missing", "three"])
@pytest.mark.parametrize("combine", ["concat", "mean", "sum"])
def test_a_row_depends_on_itself_alone(data, combine):
    params = {"combine": combine, "precision": "float64"}
    model = (of_blocks if isinstance(data, Blocks) else encoder)(**params).fit(data)
    Z = model.transform(data)
    assert np.isfinite(Z).all()
    order = np.random.default_rng(0).permutation(60)
    np.testing.assert_allclose(model.transform(data[order]), Z[order], atol=1e-9)
    for size in (1, 7):
        parts = [model.transform(data[i : i + size]) for i in range(0, 60, size)]
        np.testing.assert_allclose(np.vstack(parts), Z, atol=1e-9)
    scores = model.score_pairs(data)
    np.testing.assert_allclose(model.score_pairs(data[order]), scores[order], atol=1e-9)


def test_absent_blocks_are_the_mean_of_the_others():
    blocks = Blocks(a=A, b=B, c=A[:, :3] + B[:, :3], present={"c": Y > 0})
    model = of_blocks(passthrough=False).fit(blocks)
    Z = model.transform(blocks).reshape(60, 3, 3)
    mean = Z[:, :2].sum(axis=1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(Z[Y == 0, 2], mean[Y == 0], atol=1e-5)
    assert np.abs(Z[Y > 0, 2] - mean[Y > 0]).max() > 1e-3
    # What stands in the place of an absent block is not read, and it may be missing altogether.
    other = np.where((Y > 0)[:, None], blocks["c"], 100.0)
    same = Blocks(a=A, b=B, c=other, present={"c": Y > 0})
    assert np.array_equal(model.transform(same), model.transform(blocks))
    without = model.transform(Blocks(a=A, b=B)).reshape(60, 3, 3)
    np.testing.assert_allclose(without[Y == 0], Z[Y == 0], atol=1e-5)
    summed = of_blocks(passthrough=False, combine="sum").fit(blocks).transform(blocks)
    np.testing.assert_allclose(
        summed, (Z * (np.c_[Y < 3, Y < 3, Y > 0])[:, :, None]).sum(1), atol=1e-5
    )


def test_columns_of_absent_blocks_are_what_the_others_say():
    from sklearn.linear_model import RidgeCV

    rng = np.random.default_rng(0)
    latent = rng.normal(size=(300, 3))
    blocks = [latent @ rng.normal(size=(3, p)) + 0.1 * rng.normal(size=(300, p)) for p in (6, 5, 4)]
    holes = np.hstack(blocks)
    gone = np.arange(300) % 3 == 0
    holes[gone, :6] = np.nan
    model = encoder(blocks=[6, 5, 4], n_components=6, max_iter=5).fit(holes)
    Z = model.transform(holes)
    start, stop = model.output_.part_columns_["columns"]
    columns = Z[:, start : start + 6]
    truth = (blocks[0] - model.input_.mean_["block0"]) / model.input_.scale_["block0"]
    truth = truth * (columns[~gone].std() / truth[~gone].std())
    left = np.square(columns[gone] - truth[gone]).mean() / np.square(truth[gone]).mean()
    assert left < 0.4  # and 1 with zeros, the means
    # By hand: the other blocks' mean embedding of rows that have the block, and a ridge on it.
    E = Z[:, stop:].reshape(300, 3, 6).astype(float)
    E = E / model.output_.part_scales_["learned"]
    E = E + model.output_.part_means_["learned"].reshape(3, 6)
    others = E[:, 1] + E[:, 2]
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    ridge = RidgeCV(np.logspace(-3, 3, 13)).fit(others[~gone], columns[~gone])
    np.testing.assert_allclose(ridge.predict(others[gone]), columns[gone], atol=1e-4)
    # A row that lacks nothing is not touched, and neither is a fit whose rows lack nothing.
    whole = encoder(blocks=[6, 5, 4], n_components=6, max_iter=5).fit(np.hstack(blocks))
    assert set(whole.output_.absent_) == {"block0", "block1", "block2"}
    said = whole.transform(holes)[gone, :6]
    assert np.corrcoef(said.ravel(), truth[gone].ravel())[0, 1] > 0.75
    assert encoder(blocks=[6, 5, 4], combine="mean").fit(holes).output_.absent_ is None


def test_marking_all_blocks_as_present_changes_nothing():
    whole = of_blocks().fit(Blocks(a=A, b=B))
    marked = of_blocks().fit(Blocks(a=A, b=B, present={"a": Y >= 0}))
    assert np.array_equal(whole.transform(Blocks(a=A, b=B)), marked.transform(Blocks(a=A, b=B)))


def test_search_across_blocks():
    model = encoder(max_iter=20).fit(X)
    scores = model.similarity({"block0": A[:5]}, {"block1": B})
    expected = model.transform_block(A[:5], "block0") @ model.transform_block(B, "block1").T
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    both = model.similarity({"block0": A[:5], "block1": B[:5]}, {"block1": B})
    assert both.shape == (5, 60) and both.diagonal().min() > scores.diagonal().min()
    part = model.block_encoder("block1")
    index = make_pipeline(part, NearestNeighbors(n_neighbors=1)).fit(B)
    assert clone(part) is part and part.n_features_in_ == 4
    assert np.array_equal(index[-1].kneighbors(index[:-1].transform(B))[1][:, 0], np.arange(60))
    assert pickle.loads(pickle.dumps(part)).transform(B).shape == (60, 3)
    assert list(part.get_feature_names_out()) == ["block10", "block11", "block12"]


def test_one_network_reads_both_blocks():
    model = encoder(blocks={"q": slice(0, 4), "a": slice(5, 9)}, tied=True).fit(X)
    assert np.array_equal(
        model.transform_block(
            (A[:, :4] - A[:, :4].mean(0)) / A[:, :4].std(0) * B.std(0) + B.mean(0), "a"
        ).round(4),
        model.transform_block(A[:, :4], "q").round(4),
    )
    with pytest.raises(ValueError, match="tied=True.*'block0' has 5 columns.*'block1' has 4"):
        encoder(tied=True).fit(X)
    equal = Blocks(a=A, b=A)
    same = of_blocks(tied=True, views=None, max_iter=10, precision="float64").fit(equal)
    assert same.score(equal) == pytest.approx(1.0)
    # Each pair is as near as it can be.
    np.testing.assert_allclose(same.score_pairs(equal), 1.0, atol=1e-12)


def test_networks_of_each_block():
    frozen = nn.Linear(4, 6).requires_grad_(False)
    before = frozen.weight.clone()
    model = encoder(networks={"block0": MLP((7,)), "block1": frozen}).fit(X)
    weights = model.weights_
    assert weights["encoder.towers.0.network.layers.0.0.weight"].shape == (5, 7)
    kept = next(w for k, w in weights.items() if k.startswith("encoder.towers.1.features"))
    assert np.array_equal(kept, before.numpy())
    text = of_blocks(networks={"t": HashedEmbeddingBag(n_rows=64)}).fit(Blocks(a=A, t=TEXTS))
    assert text.weights_["encoder.towers.1.features.table"].shape[0] == 65
    # One network for all goes to the blocks of its kind.
    one = of_blocks(networks=MLP((9,))).fit(Blocks(a=A, t=TEXTS))
    assert one.weights_["encoder.towers.0.network.layers.0.0.weight"].shape == (5, 9)
    with pytest.raises(ValueError, match="networks= names the block 'block2'.*Did you mean"):
        encoder(networks={"block2": "mlp"}).fit(X)
    with pytest.raises(ValueError, match="reads tokens, but the rows are numbers"):
        encoder(networks={"block0": "hashed"}).fit(X)


def test_views_of_each_block():
    still = encoder(views=None).fit(X).transform(X)
    assert np.array_equal(
        encoder(views={"block0": None, "block1": None}).fit(X).transform(X), still
    )
    auto = encoder(views=Corruption(rate=0.2)).fit(X).transform(X)
    assert np.array_equal(encoder().fit(X).transform(X), auto)
    assert not np.array_equal(encoder(views={"block0": "noise"}).fit(X).transform(X), auto)
    near = of_blocks(views=("neighbors", "corruption")).fit(three())
    assert np.isfinite(near.loss_curve_).all()
    with pytest.raises(ValueError, match="views= names the block 'c'"):
        encoder(views={"c": None}).fit(X)


def test_what_stands_for_a_block_is_as_wide_as_the_projection():
    model = encoder(objective="symile", projector=nn.Linear(3, 7)).fit(missing())
    assert model.objective_weights_["absent"].shape == (2, 7)
    assert np.isfinite(model.transform(missing())).all()


OBJECTIVES = {
    "pairwise": "pairwise",
    "sigmoid": Pairwise(SigmoidPairs(1.0)),
    "star": Pairwise(pairs="star:block1"),
    "list": Pairwise("vicreg", [("block0", "block1", 2.0)]),
    "within": Pairwise(pairs="all+within"),
    "one_to_k": OneToK("block1"),
    "mean": OneToK("mean"),
    "symile": "symile",
    "sum": Pairwise() + 0.5 * Symile(),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_take_rows_that_lack_blocks(name):
    model = encoder(objective=OBJECTIVES[name], max_iter=3)
    for data in (X, missing()):
        model.fit(data)
        Z = model.transform(data)
        assert np.isfinite(Z).all() and np.isfinite(model.score(data))
        assert np.array_equal(clone(model).fit(data).transform(data), Z)


def test_other_objectives_say_which_take_them():
    for objective in ("info_nce", Pairwise() + 0.1 * InfoNCE()):
        assert np.isfinite(encoder(objective=objective).fit(X).loss_curve_).all()
        with pytest.raises(
            ValueError,
            match="Some rows lack the blocks 'block0', 'block1'.*type objective='pairwise'",
        ):
            encoder(objective=objective).fit(missing())


def test_labels_and_groups_and_weights():
    model = encoder(objective="supcon", max_iter=20).fit(X, Y)
    assert model.transform(X).shape == (60, 6)  # no columns beside what labels taught
    groups = np.arange(60) // 2
    assert np.isfinite(encoder().fit(X, groups=groups).loss_curve_).all()
    weighted = encoder().fit(X, pair_weight=np.full(60, 3.0))
    np.testing.assert_allclose(weighted.transform(X), encoder().fit(X).transform(X), atol=1e-5)
    one_sided = encoder().fit(X, pair_weight=np.r_[np.ones(30), np.zeros(30)])
    assert not np.allclose(one_sided.transform(X), weighted.transform(X))
    with pytest.raises(ValueError, match="pair_weight has the shape .3,., and X 60 rows"):
        encoder().fit(X, pair_weight=[1, 2, 3])


def test_a_head_reads_blocks():
    head = LogisticRegression()
    model = SupervisedContrastiveClassifier(
        encoder(max_iter=3), head, finetune=True, finetune_iter=2
    )
    assert model.fit(X, Y).score(X, Y) > 0.8
    blocks = three()
    model = SupervisedContrastiveClassifier(of_blocks(), head, passthrough=True)
    assert model.fit(blocks, Y).score(blocks, Y) > 0.8
    lacking = SupervisedContrastiveClassifier(encoder(), head).fit(missing(), Y)
    assert lacking.score(missing(), Y) > 0.7


def test_a_search_needs_no_labels():
    grid = {
        "blocks": [[5, 4], {"a": slice(0, 3), "b": slice(3, 9)}],
        "networks": ["mlp", MLP((8,)), {"block0": "linear"}][:2],
        "objective": ["pairwise", Pairwise(InfoNCE(0.2, form="two_way"))],
    }
    search = GridSearchCV(encoder(), grid, cv=2, error_score="raise").fit(X)
    assert len(search.cv_results_["params"]) == 8 and 0 < search.best_score_ <= 1
    model = encoder().set_params(
        networks="mlp", networks__dropout=0.5, views="noise", views__scale=0.3
    )
    assert model.networks.dropout == 0.5 and model.views.scale == 0.3
    model.set_params(objective__objective__temperature=0.3)
    assert model.fit(X).objective_.objective.temperature == 0.3
    # "auto" stands for what blocks of numbers take.
    auto = encoder().set_params(views__rate=0.2, networks__dropout=0.2)
    assert np.array_equal(auto.fit(X).transform(X), encoder().fit(X).transform(X))
    assert encoder().set_params(views__rate=0.4).views.rate == 0.4
    by_block = encoder(networks={"block0": MLP()})
    with pytest.raises(ValueError, match="networks__block0__dropout is set in networks={.*anew"):
        by_block.set_params(networks__block0__dropout=0.1)


@pytest.mark.parametrize("data", [X, missing(), three()], ids=["whole", "missing", "three"])
def test_it_is_saved_and_goes_on(data, tmp_path):
    make = of_blocks if isinstance(data, Blocks) else encoder
    model = make(warm_start=True).fit(data)
    Z = model.transform(data)
    skcontrast.save(model, tmp_path / "model")
    untrusted = skops.io.get_untrusted_types(data=skops.io.dumps(model))
    copies = [
        skcontrast.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
        skops.io.loads(skops.io.dumps(model), trusted=untrusted),
    ]
    for copy in copies:
        assert np.array_equal(copy.transform(data), Z)
        assert np.array_equal(copy.score_pairs(data), model.score_pairs(data), equal_nan=True)
    again = copies[0].fit(data).transform(data)
    assert np.array_equal(model.fit(data).transform(data), again)
    model.partial_fit(data[:20])
    assert model.n_iter_ == 3


def test_a_killed_training_goes_on(tmp_path):
    class Kill(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise RuntimeError("killed")

    whole = encoder(max_iter=4).fit(X)
    model = encoder(max_iter=4, checkpoint=Checkpoint(tmp_path, every=1))
    with pytest.raises(RuntimeError, match="killed"):
        clone(model).set_params(callbacks=[Kill()]).fit(X)
    assert np.array_equal(model.fit(X).transform(X), whole.transform(X))


def test_bad_blocks_are_refused_or_sound():
    with pytest.raises(ValueError, match="Row 3 of X has no block at all"):
        gone = X.copy()
        gone[3] = np.nan
        encoder().fit(gone)
    apart = Blocks(a=A, b=B, c=B, present={"a": Y == 0, "b": Y == 1})
    with pytest.raises(ValueError, match="Blocks 'a' and 'b' are both there in 0 rows"):
        of_blocks().fit(apart)
    with pytest.raises(ValueError, match="Block 'block1': Input .* contains NaN"):
        part = X.copy()
        part[2, 8] = np.nan
        encoder().fit(part)
    model = of_blocks().fit(Blocks(left=A, right=B))
    with pytest.raises(ValueError, match="X names the block 'rihgt'.*Did you mean 'right'"):
        model.transform(Blocks(left=A, rihgt=B))
    with pytest.raises(ValueError, match="block= names the block 'lift'"):
        model.transform_block(A, "lift")
    with pytest.raises(ValueError, match="Block 'left': X has 4 features"):
        model.transform_block(B, "left")
    with pytest.raises(ValueError, match="X is a ndarray, but fit read blocks by name"):
        model.transform(X)
    with pytest.raises(ValueError, match="pairs=.* names the block 'rigth'.*Did you mean 'right'"):
        of_blocks(objective=Pairwise(pairs=[("left", "rigth")])).fit(Blocks(left=A, right=B))
    with pytest.raises(ValueError, match="queries has blocks of .5, 60. rows"):
        model.similarity({"left": A[:5], "right": B}, {"right": B})
    rows = np.random.default_rng(0)
    for blocks in (
        Blocks(a=A, b=B[:, :1]),
        Blocks(a=A, b=np.ones((60, 3))),
        Blocks(a=np.ones((60, 2)), b=np.ones((60, 3))),
        Blocks(a=A, s=sp.csr_matrix((60, 5))),
        Blocks(a=rows.normal(size=(60, 400)), b=sp.random(60, 900, 0.02, format="csr")),
    ):
        Z = of_blocks().fit(blocks).transform(blocks)
        assert np.isfinite(Z).all()


def test_a_second_table_as_y_is_told_where_it_belongs():
    with pytest.warns(UserWarning, match=r"MultiViewContrastiveEncoder\(blocks=\[-1, 4\]\)"):
        ContrastiveEncoder(2, max_iter=1).fit(A, B)


def test_pairs_by_the_exclusive_or_need_the_product_of_all():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (2, 3000, 3))
    third = bits[0] ^ bits[1]
    X = np.hstack([2.0 * b - 1 for b in (*bits, third)])
    scores = {}
    for name in ("pairwise", "symile"):
        model = encoder(blocks=[3, 3, 3], n_components=32, objective=name, views=None, max_iter=40)
        model.set_params(learning_rate=1e-2, networks=MLP((64,)), init=None).fit(X)
        codes = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
        found = model.similarity({"block0": X[:500, :3], "block1": X[:500, 3:6]}, {"block2": codes})
        scores[name] = (codes[found.argmax(axis=1)] == X[:500, 6:]).all(axis=1).mean()
    assert scores["symile"] > 0.95 and scores["pairwise"] < 0.4


def test_metrics_of_one_view_read_blocks():
    model = encoder().fit(X)
    view = model._embed_view(X, 0)
    assert view.shape == (60, 6) and torch.is_tensor(torch.as_tensor(view))
