"""ContrastiveTextEncoder: hashed words, the network by hand, training and its options."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from rounding import assert_same_but_rounding, threads
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from text_instances import topics

from skcontrast import ContrastiveEncoder, ContrastiveTextEncoder
from skcontrast._inputs.tokens import TokenRows, number_words
from skcontrast._inputs.word_features import N_WHOLE, count_words, frequency_of, word_features
from skcontrast.networks import MLP, HashedEmbeddingBag
from skcontrast.samplers import OnePerGroup
from skcontrast.views import WordDeletion, partners


def small(**params):
    given = {"n_components": 6, "max_iter": 3, "random_state": 0, **params}
    return ContrastiveTextEncoder(**given)


# ------------------------------------------------------------------ words


def grams(row):
    return {h for h in row[N_WHOLE:].tolist() if h >= 0}


def test_features_of_a_word_do_not_depend_on_its_neighbours():
    words = ["cat", "", "a", "Zürich2024", "x" * 100 + "end", "naïve", "日本語", "cats"]
    together = word_features(words)
    for i, word in enumerate(words):
        assert np.array_equal(word_features([word])[0], together[i])
    assert np.array_equal(word_features([]), together[:0])
    assert together.dtype == np.int32 and len(np.unique(together[:, 0])) == len(words)


def test_words_share_what_they_have_in_common():
    play, playing, replay, Play, d1, d2 = word_features(
        ["play", "playing", "replay", "Play", "1999", "20"]
    )
    assert play[1] == playing[1] and play[2] == replay[2]  # the beginning, the end
    assert play[3] == replay[3] != Play[3] and d1[3] != d2[3]  # the shape
    assert word_features(["12345"])[0, 3] == word_features(["987654"])[0, 3] == d1[3]
    # <pl pla lay <pla play, of the seven of "play".
    assert len(grams(play)) == 7 and len(grams(play) & grams(playing)) == 5
    # A long word is known by all of its letters, and shares n-grams of any part of it.
    first, second = word_features([f"https://x.org/{'y' * 30}/{name}/index.html" for name in "ab"])
    assert first[0] != second[0] and grams(first) & grams(second) and grams(first) - grams(second)


def test_counts_without_a_table_of_words():
    rng = np.random.default_rng(0)
    words = [f"word{i}" for i in range(30_000)]
    counts = rng.zipf(1.4, len(words)).clip(max=10**6)
    features = word_features(words)
    kept = frequency_of(features, count_words(features, counts))
    exact = counts / counts.sum()
    assert kept.dtype == np.float32 and (kept >= exact * (1 - 1e-6)).all()
    assert np.quantile(kept - exact, 0.99) < 1e-4
    unseen = frequency_of(word_features(["unseen"]), count_words(features[:9], counts[:9]))
    assert unseen == 0


# ---------------------------------------------------------------- network


def test_the_network_by_hand():
    texts = [["red", "green", "red"], [], ["blue"]]
    rows = TokenRows(number_words(texts), dtype=torch.float64)
    options = HashedEmbeddingBag(50, n_hashes=3, subwords=0.7, lexical=0.0, smoothing=1e-3)
    torch.manual_seed(0)
    module = options.build(rows.n_features, 4).double()
    table, share = module.table.detach(), 1e-3

    def vector(word):
        features = word_features([word])[0].astype(np.int64)
        own = [int(features[0] * m >> 16) % 50 + 1 for m in module.multipliers.tolist()]
        parts = [int(h) % 50 + 1 for h in features[1:] if h >= 0]
        return table[own].sum(0) / 3**0.5 + 0.7 * table[parts].sum(0) / len(parts) ** 0.5

    frequency = {"red": 0.5, "green": 0.25, "blue": 0.25}
    expected = []
    for words in texts:
        weights = [share / (share + frequency[w]) for w in words]
        summed = sum((k * vector(w) for k, w in zip(weights, words)), torch.zeros(4).double())
        expected.append(summed / (sum(weights) or 1))
    out = module(rows.take(rows.train_index))
    torch.testing.assert_close(out, torch.stack(expected), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"window": 2},
        {"hidden_layer_sizes": (9,)},
        {"lexical": 0.0, "subwords": 0.0},
        {"n_hashes": 1, "power": 0.0},
    ],
)
def test_every_option_trains_and_a_document_stands_alone(options):
    X, _ = topics()
    X = [*X, "", "one"]
    model = small(network=HashedEmbeddingBag(n_rows=64, **options)).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        Z = model.transform(X)
        order = np.random.default_rng(0).permutation(len(X))
        assert_same_but_rounding(model.transform([X[i] for i in order]), Z[order])
        alone = np.concatenate([model.transform([x]) for x in X])
    assert_same_but_rounding(alone, Z)
    assert np.isfinite(Z).all()


def test_the_order_of_words_counts_with_a_window_only():
    X = ["dog bites man", "man bites dog", "a cat", "some tea"]
    for window, equal in ((0, True), (1, False)):
        model = small(n_components=32, network=HashedEmbeddingBag(window=window))
        Z = model.fit_transform(X)
        assert np.allclose(Z[0], Z[1], atol=1e-6) == equal


@pytest.mark.parametrize("weight", [2.0, 0.5])
def test_the_lengths_of_the_parts(weight):
    network = HashedEmbeddingBag(lexical=0.5, lexical_weight=weight)
    Z = small(network=network).fit_transform(topics()[0])
    np.testing.assert_allclose(np.linalg.norm(Z[:, :3], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(Z[:, 3:], axis=1), weight, rtol=1e-5)


def hashed_sums(module, rows):
    """x of the documents: one column a row of the table, by a table of unit vectors."""
    unit = HashedEmbeddingBag(module.options.n_rows, lexical=0.0)
    bag = unit.build(rows.n_features, module.options.n_rows)
    bag.table.data = torch.eye(module.options.n_rows + 1)[:, 1:]
    return bag(rows.take(rows.train_index)).detach().numpy().astype(np.float64)


def test_the_lexical_part_by_hand():
    X, _ = topics()
    rows = TokenRows(number_words([x.split() for x in [*X, "an other text", "cat"]]))
    module = HashedEmbeddingBag(n_rows=300).build(rows.n_features, 20)
    module.eval().prepare(rows)
    sums = hashed_sums(module, rows)
    # 15 columns, of which 5 are principal directions.
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    V = np.linalg.svd(units, full_matrices=False)[2][:5].T
    signs = module.signs[1:].numpy()
    expected = np.hstack([sums @ V, (sums - sums @ V @ V.T) @ signs / 10**0.5])
    expected *= 2 / np.linalg.norm(expected, axis=1, keepdims=True)
    found = module(rows.take(rows.train_index)).detach().numpy()[:, 5:]
    lengths = module.train()(rows.take(rows.train_index)).detach().square().sum(dim=1)
    np.testing.assert_allclose(lengths, 2, rtol=1e-5)  # both parts of unit length in training
    # The sign of a direction is free.
    turned = np.sign((found[:, :5] * expected[:, :5]).sum(axis=0))
    np.testing.assert_allclose(found[:, :5] * turned, expected[:, :5], atol=1e-4)
    np.testing.assert_allclose(found[:, 5:], expected[:, 5:], atol=1e-4)


def test_cosines_of_the_lexical_part_are_those_of_the_words():
    X, _ = topics(60)
    texts = [f"{x} word{i} term{i * i}" for i, x in enumerate(X)]
    rows = TokenRows(number_words([x.split() for x in texts]))
    module = HashedEmbeddingBag(n_rows=600).build(rows.n_features, 800)
    module.eval().prepare(rows)
    sums = hashed_sums(module, rows)
    units = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    lexical = module(rows.take(rows.train_index)).detach().numpy()[:, 200:] / 2
    # 200 directions are more than the 60 documents span: nothing is left to be projected.
    np.testing.assert_allclose(lexical @ lexical.T, units @ units.T, atol=1e-4)
    assert not module.principal[:, 60:].any()
    # Words of no document are still told apart, by the projection alone.
    x = TokenRows(number_words([["zebra"], ["zebra"], ["quartz"]]))
    other = module(x.take(x.train_index)).detach().numpy()[:, 200:] / 2
    assert np.isclose(other[0] @ other[1], 1) and other[0] @ other[2] < 0.3


def test_the_directions_stay_those_of_the_first_fit():
    X, _ = topics()
    model = small(n_components=16, warm_start=True).fit(X)
    before = model.weights_["encoder.principal"].copy()
    assert before.any()
    model.fit(["other words", "of another kind"] * 20)
    model.partial_fit(["more of them", "and more"])
    assert np.array_equal(model.weights_["encoder.principal"], before)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.transform(X), model.transform(X))


# --------------------------------------------------------------- training


def test_topics_come_apart():
    X, y = topics(60)
    model = ContrastiveTextEncoder(random_state=0, max_iter=10).fit(X)
    Z = model.transform(X)[:, :256]
    cosine, same = Z @ Z.T, np.equal.outer(y, y)
    assert cosine[same].mean() > cosine[~same].mean() + 0.3
    probe = LogisticRegression().fit(model.transform(X), y)
    # Words that were never seen share n-grams with those of the first topic.
    assert probe.predict(
        model.transform(["cats dogs mouses", "teacup coffees milky"])
    ).tolist() == [
        0,
        1,
    ]


def test_other_numbers_of_threads_change_the_rounding_alone():
    X, _ = topics(60)
    outputs = []
    for n in (1, 2, 2):
        with threads(n):
            outputs.append(small(n_components=64).fit(X).transform(X))
    assert np.array_equal(*outputs[1:])
    # Each step of the training adds to the differences of the steps before.
    assert_same_but_rounding(*outputs[:2], tolerance=1e-3)


def test_a_pickle_holds_arrays_only():
    model = small(warm_start=True).fit(topics()[0])
    assert b"torch" not in pickle.dumps(model)
    assert not any("signs" in name for name in model.weights_)
    assert model.input_.word_counts_.dtype == np.int64


@pytest.mark.parametrize("objective", ["info_nce", "supcon", "vicreg"])
def test_objectives(objective):
    X, y = topics()
    assert np.isfinite(small(objective=objective).fit(X, y).loss_curve_).all()


def test_dropout_alone_makes_views():
    X, _ = topics()
    model = small(views=None, network=HashedEmbeddingBag(dropout=0.2)).fit(X)
    assert np.isfinite(model.transform(X)).all()
    with pytest.raises(ValueError, match="type views='word_deletion', or a network with dropout"):
        small(views=None).fit(X)


def test_early_stopping_warm_start_and_partial_fit(tmp_path):
    X, _ = topics()
    model = small(early_stopping=True, n_iter_no_change=2).fit(X)
    assert len(model.validation_curve_) == model.n_iter_
    model = small(warm_start=True).fit(X)
    before, counts = model.transform(X), model.input_.word_counts_.copy()
    model.fit(["other words"] * 9 + X)
    assert np.array_equal(model.input_.word_counts_, counts)
    assert not np.array_equal(model.transform(X), before)
    model = small().partial_fit(X).partial_fit(["new words here", "and there"])
    assert model.n_iter_ == 2 and len(model.loss_curve_) == 2
    whole = small(checkpoint=str(tmp_path)).fit(X)
    again = small(checkpoint=str(tmp_path)).fit(X)
    assert np.array_equal(whole.transform(X), again.transform(X))


def test_parameters_inside():
    model = small().set_params(network__n_rows=32, views__rate=0.2, objective__temperature=0.1)
    assert model.network.n_rows == 32 and isinstance(model.views, WordDeletion)
    assert model.fit(topics()[0]).weights_["encoder.table"].shape == (33, 2)
    lower = small().fit(["A b", "C d"]).transform(["a"])
    assert np.array_equal(lower, small().fit(["A b", "C d"]).transform(["A!"]))
    cased = small(lowercase=False).fit(["A b", "C d"])
    assert not np.array_equal(cased.transform(["a"]), cased.transform(["A"]))
    split = small(tokenizer=str.split, token_pattern=None).fit(["A,b c", "C d"])
    assert not np.array_equal(split.transform(["a,b"]), split.transform(["a b"]))
    assert small(stop_words="english").fit(["the cat", "dogs"]).n_iter_ == 3


# ------------------------------------------------------------------ pairs


def test_partners_are_other_rows_of_the_group():
    groups = np.array([0, 0, 1, 2, 2, 2, 3, 0])
    rows = TokenRows(number_words([[f"w{i}"] for i in range(8)]), side={"pairs": groups})
    index = torch.arange(8)
    view = partners(rows, lambda x, index: x)
    seen = torch.stack([view(rows.take(index), index).ids for _ in range(200)])
    for i, group in enumerate(groups):
        others = set(np.flatnonzero(groups == group).tolist()) - {i}
        assert set(seen[:, i].tolist()) == (others or {i})
    # What is held out keeps to itself.
    rows = TokenRows(
        number_words([[f"w{i}"] for i in range(8)]),
        side={"pairs": groups},
        train_index=[0, 1, 2, 3, 4],
    )
    view = partners(rows, lambda x, index: x)
    assert view(rows.take(index), index).ids.tolist() == [1, 0, 2, 4, 3, 5, 6, 7]


def test_batches_hold_one_row_of_a_group():
    groups = np.repeat(np.arange(10), 3)
    rows = TokenRows(number_words([["w"]] * 30), side={"pairs": groups})
    batches = OnePerGroup(rows, 10, 2)
    assert len(batches) == 3
    for _ in range(5):
        epoch = list(batches)
        assert sorted(torch.cat(epoch).tolist()) == list(range(30))
        for batch in epoch:
            assert len(set(groups[batch.numpy()])) == 10


@pytest.mark.parametrize("backbone", [None, lambda texts: np.array([[len(t), 1.0] for t in texts])])
def test_given_pairs_come_near(backbone):
    first = [f"{a} {a}" for a in "alpha beta gamma delta epsilon zeta eta theta".split()]
    second = [f"{a} {a}" for a in "one two three four five six seven eight".split()]
    groups = [*range(8), *range(8)]
    views = None if backbone is None else "noise"
    network = HashedEmbeddingBag(lexical=0.5) if backbone is None else "auto"
    model = small(n_components=32, max_iter=60, views=views, backbone=backbone, network=network)
    Z = model.fit(first + second, groups=groups).transform(first + second)
    if backbone is None:
        cosine = Z[:8, :16] @ Z[8:, :16].T
        assert (cosine.argmax(axis=1) == np.arange(8)).all()
    with pytest.raises(ValueError, match="groups has 3 rows, but X has 16"):
        model.fit(first + second, groups=[1, 2, 3])


# --------------------------------------------------------------- backbone


def lengths(texts):
    return np.array([[len(t), t.count("a"), t.count("e")] for t in texts], dtype=np.float64)


class Model:
    """Stands in for a model of sentence-transformers."""

    def encode(self, texts):
        assert isinstance(texts, list) and all(isinstance(t, str) for t in texts)
        return torch.as_tensor(lengths(texts))


def test_a_backbone_is_contrastive_encoder_on_its_numbers():
    X, _ = topics()
    params = {"n_components": 4, "max_iter": 2, "random_state": 0, "learning_rate": 3e-3}
    plain = ContrastiveEncoder(**params, passthrough=False)
    expected = plain.fit_transform(lengths(X).astype(np.float32))
    for backbone in (lengths, Model()):
        model = ContrastiveTextEncoder(**params, backbone=backbone).fit(X)
        assert np.array_equal(model.transform(X), expected)
        assert model.input_.kind == "numbers" and model.transform(X).dtype == np.float32
    assert np.array_equal(clone(model).fit(iter(X)).transform(X), expected)
    own = torch.nn.Linear(3, 5)
    assert small(backbone=lengths, network=own, n_components=None).fit(X).n_components_ == 5


def test_what_does_not_go_together():
    X, _ = topics()
    for network in ("mlp", MLP(), torch.nn.Linear(3, 2)):
        match = "reads numbers, but the rows are tokens: type network='hashed', or pass a backbone"
        with pytest.raises(ValueError, match=match):
            small(network=network).fit(X)
    with pytest.raises(
        ValueError,
        match="network='hashed' reads tokens, but the rows are numbers: type network='mlp', or b",
    ):
        small(network="hashed", backbone=lengths).fit(X)
    with pytest.raises(ValueError, match="backbone gave 2 rows for 40 texts"):
        small(backbone=lambda texts: np.eye(2)).fit(X)
    with pytest.raises(ValueError, match="backbone must give one row of numbers a text"):
        small(backbone=lambda texts: texts).fit(X)
    with pytest.raises(TypeError, match="pass the model itself"):
        small(backbone="a-name").fit(X)
    widths = iter([3, 2])
    model = small(backbone=lambda texts: lengths(texts)[:, : next(widths)]).fit(X)
    with pytest.raises(ValueError, match="backbone gave 2 columns, and 3 in fit"):
        model.transform(X)
    # As any parameter that is set after fit: it counts from the next fit on.
    assert model.set_params(backbone=lengths).fit(X).transform(X).shape == (len(X), 6)


def test_documents_that_are_none():
    with pytest.raises(ValueError, match="X holds no words"):
        small().fit(["...", "!?"])
    with pytest.raises(ValueError, match="n_samples=1 document, but at least 2"):
        small().fit(["one document"])
    model = small().fit(["one document", "and two", ""])
    with pytest.warns(UserWarning, match="2 of 3 documents of X hold no words"):
        Z = model.transform(["", "never seen", "?"])
    assert not Z[[0, 2]].any() and Z[1].any()
