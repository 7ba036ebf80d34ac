"""Displays: the arrays are what the metrics give, and matplotlib is left as it was."""

import builtins
import subprocess
import sys
import types

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skcontrast
from skcontrast import ContrastiveEncoder, SemanticSignalSeparation, plotting
from skcontrast.metrics import (
    EmbeddingScorer,
    alignment,
    cosine_gap,
    covariance_spectrum,
    effective_rank,
    retrieval,
    tolerance,
    uniformity,
)
from skcontrast.networks import MLP
from skcontrast.plotting import (
    AlignmentUniformityDisplay,
    EmbeddingMapDisplay,
    LeakageDisplay,
    LossCurveDisplay,
    NearestRowsDisplay,
    RetrievalCurveDisplay,
    SimilarityHistogramDisplay,
    SpectrumDisplay,
    TopicDisplay,
)

matplotlib.use("Agg")

rng = np.random.default_rng(0)
N = 60
Y = np.arange(N) % 3
Z = rng.normal(size=(N, 5)) + 2 * np.eye(5)[Y]
VIEW = Z + 0.5 * rng.normal(size=Z.shape)
NUMBER = Z[:, 0] + rng.normal(size=N)

# Display -> what makes one from embeddings, given keyword arguments.
FROM_EMBEDDING = {
    AlignmentUniformityDisplay: lambda z, **kw: AlignmentUniformityDisplay.from_embedding(
        z, VIEW, **kw
    ),
    EmbeddingMapDisplay: lambda z, **kw: EmbeddingMapDisplay.from_embedding(
        z, Y, method="pca", **kw
    ),
    LeakageDisplay: lambda z, **kw: LeakageDisplay.from_embedding(z, Y, cv=2, **kw),
    LossCurveDisplay: lambda z, **kw: LossCurveDisplay(z[:, 0], z[:, 1]).plot(**kw),
    NearestRowsDisplay: lambda z, **kw: NearestRowsDisplay.from_embedding(z, 3, y=Y, **kw),
    RetrievalCurveDisplay: lambda z, **kw: RetrievalCurveDisplay.from_embedding(z, VIEW, **kw),
    SimilarityHistogramDisplay: lambda z, **kw: SimilarityHistogramDisplay.from_embedding(
        z, Y, **kw
    ),
    SpectrumDisplay: lambda z, **kw: SpectrumDisplay.from_embedding(z, **kw),
    TopicDisplay: lambda z, **kw: TopicDisplay(z[:, 1], np.arange(len(z))).plot(**kw),
}


def topic_model(encoder):
    """A model of topics, fitted or not, as an encoder is; others stay as they are."""
    model = SemanticSignalSeparation(2, random_state=0)
    if not isinstance(encoder, ContrastiveEncoder):
        return encoder
    return model.fit(Z) if hasattr(encoder, "weights_") else model


FROM_ESTIMATOR = {
    AlignmentUniformityDisplay: lambda e, **kw: AlignmentUniformityDisplay.from_estimator(
        e, Z, **kw
    ),
    EmbeddingMapDisplay: lambda e, **kw: EmbeddingMapDisplay.from_estimator(
        e, Z, Y, method="pca", **kw
    ),
    LeakageDisplay: lambda e, **kw: LeakageDisplay.from_estimator(e, Z, Y, cv=2, **kw),
    LossCurveDisplay: lambda e, **kw: LossCurveDisplay.from_estimator(e, **kw),
    NearestRowsDisplay: lambda e, **kw: NearestRowsDisplay.from_estimator(e, Z, 3, **kw),
    RetrievalCurveDisplay: lambda e, **kw: RetrievalCurveDisplay.from_estimator(e, Z, **kw),
    SimilarityHistogramDisplay: lambda e, **kw: SimilarityHistogramDisplay.from_estimator(
        e, Z, **kw
    ),
    SpectrumDisplay: lambda e, **kw: SpectrumDisplay.from_estimator(e, Z, **kw),
    TopicDisplay: lambda e, **kw: TopicDisplay.from_estimator(
        topic_model(e), Z[:9], np.arange(9), **kw
    ),
}
MAKERS = {
    **{
        f"{cls.__name__}-embedding": lambda make=m, **kw: make(Z, **kw)
        for cls, m in FROM_EMBEDDING.items()
    },
    **{
        f"{cls.__name__}-estimator": lambda make=m, **kw: make(ENCODER, **kw)
        for cls, m in FROM_ESTIMATOR.items()
    },
}
ENCODER = ContrastiveEncoder(
    network=MLP(width=8), max_iter=4, early_stopping=True, random_state=0
).fit(Z)
DISPLAYS = sorted(FROM_EMBEDDING, key=lambda cls: cls.__name__)
every_display = pytest.mark.parametrize("cls", DISPLAYS, ids=lambda cls: cls.__name__)
every_maker = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def one_sentence(error):
    text = str(error.value)
    assert "\n" not in text and len(text) < 300
    return text


def test_all_displays_are_tried():
    names = [cls.__name__ for cls in DISPLAYS]
    assert names == plotting.__all__
    assert all(getattr(skcontrast, name) is getattr(plotting, name) for name in names)


# ------------------------------------------------------------------ the convention


@every_maker
def test_new_figure_and_given_axes(make):
    display = make()
    assert display.figure_ is plt.gcf() and display.ax_.figure is display.figure_
    figure, axes = plt.subplots(1, 2)
    assert make(ax=axes[1]).ax_ is axes[1]
    assert display.plot(axes[0]) is display and display.ax_ is axes[0]
    assert display.figure_ is figure and len(figure.axes) == 2


@every_maker
def test_what_is_seen_has_names(make):
    display = make()
    display.figure_.canvas.draw()
    ax = display.ax_
    assert ax.get_ylabel() or [t for t in ax.get_yticklabels() if t.get_text()]
    assert ax.get_xlabel() or [t for t in ax.get_xticklabels() if t.get_text()]


@every_maker
def test_plot_twice_and_leave_matplotlib_alone(make, recwarn):
    display = make()
    plt.close("all")
    mine, other = plt.figure(), plt.figure()
    ax = mine.subplots()
    plt.figure(other)
    before = dict(matplotlib.rcParams)
    arrays = {k: np.copy(v) for k, v in vars(display).items() if isinstance(v, np.ndarray)}
    display.plot(ax)
    display.plot(ax)
    mine.canvas.draw()
    assert display.ax_ is ax and plt.gcf() is other and plt.get_fignums() == [1, 2]
    assert dict(matplotlib.rcParams) == before
    assert mine.axes == [ax] and not other.axes
    assert mine.gca() is ax
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(display, name), array)
    assert not recwarn.list


@every_maker
def test_further_arguments_reach_matplotlib(make):
    display = make()
    figure, ax = plt.subplots()
    display.plot(ax, alpha=0.123)
    artists = [*ax.lines, *ax.collections, *ax.patches]
    assert any(artist.get_alpha() == 0.123 for artist in artists)
    number = plt.get_fignums()
    with pytest.raises((AttributeError, TypeError), match="nothing_like_it"):
        display.plot(nothing_like_it=1)
    assert plt.get_fignums() == number  # no empty figure stays


@every_display
def test_no_axes(cls):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="pass one matplotlib Axes") as error:
        FROM_EMBEDDING[cls](Z, ax=axes)
    one_sentence(error)


def test_import_needs_neither_matplotlib_nor_torch():
    code = (
        "import sys; from skcontrast import plotting as p; p.SpectrumDisplay([1.0, 0.5]);"
        "p.LossCurveDisplay([1.0]); p.EmbeddingMapDisplay([[0.0, 1.0]]);"
        "loaded = {'matplotlib', 'torch'} & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@every_maker
def test_without_matplotlib(make, monkeypatch):
    display = make()
    found = builtins.__import__

    def missing(name, *args, **kwargs):
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    for call in (make, display.plot):
        with pytest.raises(ImportError) as error:
            call()
        assert "pip install 'skcontrast[plot]'" in one_sentence(error)


# --------------------------------------------------------------------- bad input


@every_display
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_number(cls, bad):
    z = Z.copy()
    z[4, 1] = bad
    with pytest.raises(ValueError, match="NaN|inf") as error:
        FROM_EMBEDDING[cls](z)
    one_sentence(error)
    assert not plt.get_fignums()


@every_display
def test_no_estimator(cls):
    make = FROM_ESTIMATOR[cls]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(Z, Y)
    with pytest.raises(ValueError, match="has no (transform|loss_curve_|term_importance)") as error:
        make(pipeline)
    one_sentence(error)
    with pytest.raises(NotFittedError):
        make(clone(ENCODER))
    assert not plt.get_fignums()


BAD = {
    "loss of letters": (lambda: LossCurveDisplay("abc"), "loss is no array of numbers"),
    "no epochs": (lambda: LossCurveDisplay([]), "at least 1 entries"),
    "stage": (
        lambda: LossCurveDisplay.from_estimator(ENCODER, stage="fine"),
        "stage='fine': type 'fit' or 'finetune'",
    ),
    "no finetune": (
        lambda: LossCurveDisplay.from_estimator(ENCODER, stage="finetune"),
        "no finetune_curve_ with epochs in it",
    ),
    "method": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, method="t-sne"),
        r"type 'pca', 'tsne', 'umap' or None. Did you mean 'tsne'\?",
    ),
    "method class": (lambda: EmbeddingMapDisplay.from_embedding(Z, method=PCA), "fit_transform"),
    "method of five": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, method=PCA()),
        r"PCA gives a table of shape \(60, 5\)",
    ),
    "no method": (lambda: EmbeddingMapDisplay.from_embedding(Z, method=None), "z has 5"),
    "y length": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, Y[:5]),
        "y has 5 entries and there are 60 rows",
    ),
    "both": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, Y, condition=Y),
        "y and condition both colour the rows",
    ),
    "kind": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, list("ab" * 30), kind="number"),
        "kind='number', but y holds",
    ),
    "kind name": (lambda: EmbeddingMapDisplay.from_embedding(Z, kind="x"), "kind='x': type"),
    "subsample": (lambda: EmbeddingMapDisplay.from_embedding(Z, subsample=0), "subsample=0"),
    "infinite y": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, np.where(Y == 0, np.inf, 0.5)),
        "y holds infinite values",
    ),
    "dates": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, pd.Series(pd.date_range("2020", periods=N))),
        "y holds datetime64.* values: turn them into numbers",
    ),
    "all missing": (
        lambda: EmbeddingMapDisplay.from_embedding(Z, [None] * N),
        "y has no entry that is not missing",
    ),
    "three columns": (lambda: EmbeddingMapDisplay(Z), "positions has 5 columns"),
    "one class": (
        lambda: SimilarityHistogramDisplay.from_embedding(Z, [1] * N),
        "none of 1770 pairs of rows is of two classes",
    ),
    "view and y": (
        lambda: SimilarityHistogramDisplay.from_estimator(ENCODER, Z, Y, view=0.3),
        "view=0.3 has no meaning beside y",
    ),
    "view": (
        lambda: RetrievalCurveDisplay.from_estimator(ENCODER, Z, view=2),
        "'view' parameter",
    ),
    "two tables": (
        lambda: SimilarityHistogramDisplay.from_pairs(Z, VIEW[:9]),
        "z1 has 60 rows and z2 has 9",
    ),
    "max_k": (lambda: RetrievalCurveDisplay.from_embedding(Z, VIEW, max_k=61), "max_k=61"),
    "lengths": (lambda: RetrievalCurveDisplay([1, 2], [0.1]), "k has 2 and share has 1"),
    "row": (
        lambda: NearestRowsDisplay.from_embedding(Z, 60),
        "row=60: type the number of a row, from 0 to 59",
    ),
    "row flag": (lambda: NearestRowsDisplay.from_embedding(Z, True), "row=True"),
    "n_neighbors": (
        lambda: NearestRowsDisplay.from_embedding(Z, 0, n_neighbors=60),
        "n_neighbors=60",
    ),
    "names": (
        lambda: NearestRowsDisplay.from_embedding(Z, 0, names=["a"]),
        "z has 60 and names has 1",
    ),
    "missing y": (
        lambda: NearestRowsDisplay.from_embedding(Z, 0, y=[None, *Y[1:]]),
        "y has 1 missing",
    ),
    "zero row": (
        lambda: NearestRowsDisplay.from_embedding(Z * (np.arange(N) > 0)[:, None], 2),
        "all zeros",
    ),
    "columns": (
        lambda: SpectrumDisplay.from_estimator(ENCODER, Z, columns="some"),
        "columns='some': type 'all' or 'learned'",
    ),
    "equal rows": (
        lambda: SpectrumDisplay.from_embedding(np.ones((5, 3))),
        "point in one direction",
    ),
    "spectrum kind": (lambda: SpectrumDisplay([1.0], kind="log"), "kind='log': type"),
    "negative": (lambda: SpectrumDisplay([1.0, -1.0]), "negative"),
    "cv": (lambda: LeakageDisplay.from_embedding(Z, Y, cv=1), "cv=1: type a whole number"),
    "rare": (
        lambda: LeakageDisplay.from_embedding(Z, [1, *[0] * 59], cv=3),
        "1 has 1: type a smaller cv",
    ),
    "one condition": (lambda: LeakageDisplay.from_embedding(Z, [0] * N), "0 in every row"),
    "missing condition": (
        lambda: LeakageDisplay.from_embedding(Z, np.where(Y == 0, np.nan, 1.5)),
        "condition has 20 missing",
    ),
    "two lengths": (
        lambda: LeakageDisplay.from_embedding({"a": Z, "b": Z[:9]}, Y),
        "a has 60 and b has 9",
    ),
    "no tables": (lambda: LeakageDisplay.from_embedding({}, Y), "the dict is empty"),
    "scores": (lambda: LeakageDisplay(np.ones((1, 3, 2)), ["a"]), "pass scores of shape"),
    "name and dict": (
        lambda: AlignmentUniformityDisplay.from_estimator({"a": ENCODER}, Z, name="b"),
        "name='b' beside a dict",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_sentence(case):
    call, text = BAD[case]
    with pytest.raises(ValueError, match=text) as error:
        call()
    one_sentence(error)
    assert not plt.get_fignums()


# -------------------------------------------------------------------- the numbers


def test_loss_curves():
    display = LossCurveDisplay.from_estimator(ENCODER)
    assert display.loss.tolist() == ENCODER.loss_curve_
    assert display.validation_loss.tolist() == ENCODER.validation_curve_
    training, held_out, best = display.ax_.lines
    assert training.get_xdata().tolist() == [1, 2, 3, 4]
    assert best.get_xdata()[0] == 1 + np.argmin(ENCODER.validation_curve_)
    assert display.ax_.get_title() == "ContrastiveEncoder"


def test_loss_curve_is_found_where_the_encoder_is():
    pipeline = make_pipeline(StandardScaler(), clone(ENCODER), LogisticRegression()).fit(Z, Y)
    search = GridSearchCV(clone(ENCODER), {"max_iter": [2]}, scoring=EmbeddingScorer(), cv=2)
    classifier = skcontrast.SupervisedContrastiveClassifier(
        ContrastiveEncoder(objective="supcon", max_iter=2, random_state=0)
    )
    for model, encoder in (
        (pipeline, pipeline[1]),
        (search.fit(Z), search.best_estimator_),
        (classifier.fit(Z, Y), classifier.encoder_),
    ):
        assert LossCurveDisplay.from_estimator(model).loss.tolist() == encoder.loss_curve_
    tuned = clone(ENCODER).fit(Z).finetune(Z, Y, objective="cross_entropy", n_iter=3)
    display = LossCurveDisplay.from_estimator(tuned, stage="finetune")
    assert display.loss.tolist() == tuned.finetune_curve_ and display.validation_loss is None


def test_spectrum():
    for normalize in (True, False):
        display = SpectrumDisplay.from_embedding(Z, normalize=normalize)
        expected = covariance_spectrum(Z, normalize=normalize)
        np.testing.assert_array_equal(display.variance, expected)
        assert display.effective_rank == effective_rank(Z)
    curve, rank = display.ax_.lines
    np.testing.assert_allclose(curve.get_ydata(), np.cumsum(expected) / expected.sum())
    assert rank.get_xdata()[0] == display.effective_rank
    learned = SpectrumDisplay.from_estimator(ENCODER, Z)
    assert learned.effective_rank == EmbeddingScorer("effective_rank")(ENCODER, Z)
    all_columns = SpectrumDisplay.from_estimator(ENCODER, Z, columns="all", kind="variance")
    assert all_columns.effective_rank == effective_rank(ENCODER.transform(Z))
    assert all_columns.ax_.get_yscale() == "log"


def test_alignment_and_uniformity():
    display = AlignmentUniformityDisplay.from_embedding(Z, VIEW)
    assert display.alignment == alignment(Z, VIEW) and display.uniformity == uniformity(Z)
    raw = FunctionTransformer().fit(Z)
    display = AlignmentUniformityDisplay.from_estimator({"e": ENCODER, "raw": raw}, Z, view=0.3)
    for i, model in enumerate((ENCODER, raw)):
        for name, sign in (("alignment", -1), ("uniformity", -1)):
            score = EmbeddingScorer(name, view=0.3)(model, Z)
            assert getattr(display, name)[i] == sign * score
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["all rows equal", "e", "raw"]


def test_retrieval_curve():
    display = RetrievalCurveDisplay.from_embedding(Z, VIEW)
    assert display.k.tolist() == list(range(1, N + 1))
    assert display.share.tolist() == [retrieval(Z, VIEW, k=k) for k in range(1, N + 1)]
    np.testing.assert_allclose(display.chance, display.k / N)
    display = RetrievalCurveDisplay.from_estimator(ENCODER, Z, max_k=7)
    assert len(display.k) == 7
    assert display.share[0] == EmbeddingScorer("view_retrieval")(ENCODER, Z)


def test_curves_of_two_encoders_on_one_axes_differ_in_colour():
    first = RetrievalCurveDisplay.from_embedding(Z, VIEW, name="a")
    RetrievalCurveDisplay.from_embedding(VIEW, Z, name="b", ax=first.ax_)
    lines = {line.get_label(): line.get_color() for line in first.ax_.lines}
    assert list(lines) == ["a", "chance", "b"] and len(set(lines.values())) == 3


def test_similarities_of_views():
    display = SimilarityHistogramDisplay.from_pairs(Z, VIEW)
    assert len(display.positives) == N and len(display.negatives) == N * (N - 1)
    gap = display.positives.mean() - display.negatives.mean()
    assert gap == pytest.approx(cosine_gap(Z, VIEW))
    assert f"{gap:.3f}" in display.ax_.get_title()
    drawn = SimilarityHistogramDisplay.from_pairs(Z, VIEW, n_pairs=500, random_state=1)
    assert len(drawn.negatives) == 500 and set(drawn.negatives) <= set(display.negatives)
    assert drawn.ax_.get_title() == display.ax_.get_title()  # of all pairs
    seen = SimilarityHistogramDisplay.from_estimator(ENCODER, Z, view=0.3)
    score = EmbeddingScorer("cosine_gap", view=0.3)(ENCODER, Z)
    assert seen.positives.mean() - seen.negatives.mean() == pytest.approx(score)


@pytest.mark.parametrize("labels", [Y, np.array(list("abc"))[Y], [None, *Y[1:].tolist()]])
def test_similarities_of_classes(labels):
    there = np.array([label is not None for label in labels])
    z, y = Z[there], Y[there]
    display = SimilarityHistogramDisplay.from_embedding(Z, labels)
    assert display.positives.mean() == pytest.approx(tolerance(z, y))
    assert len(display.positives) + len(display.negatives) == len(z) * (len(z) - 1) // 2
    drawn = SimilarityHistogramDisplay.from_embedding(Z, labels, n_pairs=300)
    assert len(drawn.positives) + len(drawn.negatives) == 300


def test_nearest_rows():
    display = NearestRowsDisplay.from_embedding(Z, 3, n_neighbors=4, y=Y)
    u = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    cosine = u @ u[3]
    cosine[3] = -2
    assert display.indices.tolist() == np.argsort(-cosine)[:4].tolist()
    np.testing.assert_allclose(display.similarity, np.sort(cosine)[::-1][:4])
    assert display.same_class.tolist() == (Y[display.indices] == Y[3]).tolist()
    assert display.names[0] == f"row {display.indices[0]}, class {Y[display.indices[0]]}"


def test_texts_are_the_names_of_rows():
    texts = ["tea with milk and sugar", "a dog", "milk with tea", "the dog and a cat"]
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0)).fit(texts)
    display = NearestRowsDisplay.from_estimator(encoder, iter(texts), 0, n_neighbors=2)
    assert display.names == [texts[i] for i in display.indices]
    assert texts[0] in display.title


def test_topic():
    model = SemanticSignalSeparation(2, random_state=0).fit(Z)
    names = np.array(list("abcdefghi"))
    display = TopicDisplay.from_estimator(model, Z[:9], names, topic=1, top=3)
    (first, last) = model.top_terms(Z[:9], names, n=3)[1]
    shown = [t.get_text() for t in display.ax_.get_yticklabels()]
    importance = dict(zip(names, model.term_importance(Z[:9])[1]))
    expected = [e for e in first if importance[e] > 0] + [
        e for e in last[::-1] if importance[e] < 0
    ]
    assert shown == expected and display.ax_.get_title() == "Topic 1"
    widths = [bar.get_width() for bar in display.ax_.patches]
    np.testing.assert_allclose(widths, [importance[e] for e in shown])
    with pytest.raises(ValueError, match="topic=2: type a number from 0 to 1"):
        TopicDisplay.from_estimator(model, Z[:9], names, topic=2)
    with pytest.raises(ValueError, match="importance has 2 entries, and terms the shape"):
        TopicDisplay([1.0, 2.0], ["a"])


def test_leakage():
    tables = {"tells": Z, "does not": rng.normal(size=Z.shape)}
    display = LeakageDisplay.from_embedding(tables, Y, cv=3)
    assert display.scores.shape == (2, 2, 3) and display.chance == 0.5
    tells, does_not = display.scores.mean(axis=-1)
    assert (tells > 0.9).all() and (does_not < 0.75).all()
    again = LeakageDisplay.from_embedding(tables, pd.Series(Y, name="site"), cv=3)
    np.testing.assert_array_equal(again.scores, display.scores)
    assert "site" in again.ax_.get_ylabel()
    of_number = LeakageDisplay.from_embedding(tables, NUMBER, cv=3)
    assert of_number.chance == 0 and of_number.score_name == "R²"
    assert of_number.scores[0].mean() > 0.1 > of_number.scores[1].mean()


# -------------------------------------------------------------------------- maps


def test_map_by_pca():
    display = EmbeddingMapDisplay.from_embedding(Z, Y, method="pca")
    pca = PCA(2)
    np.testing.assert_allclose(display.positions, pca.fit_transform(Z))
    shares = pca.explained_variance_ratio_
    assert display.ax_.get_xlabel() == f"PCA 1 ({shares[0]:.0%} of variance)"
    assert display.ax_.get_ylabel() == f"PCA 2 ({shares[1]:.0%} of variance)"


def test_map_of_equal_rows_or_of_one_column(recwarn):
    for z in (np.ones((5, 3)), Z[:, :1]):
        display = EmbeddingMapDisplay.from_embedding(z, method="pca")
        assert display.positions.shape == (len(z), 2)
    assert not recwarn.list


def test_map_by_tsne_is_the_default_and_the_same_twice():
    one, two = (EmbeddingMapDisplay.from_estimator(ENCODER, Z, Y) for _ in range(2))
    np.testing.assert_array_equal(one.positions, two.positions)
    assert one.ax_.get_xlabel() == "t-SNE 1"
    few = EmbeddingMapDisplay.from_embedding(Z[:2])
    assert few.positions.shape == (2, 2)


def test_map_by_an_object_or_as_it_is():
    display = EmbeddingMapDisplay.from_embedding(Z, method=TSNE(perplexity=5, random_state=0))
    assert display.ax_.get_xlabel() == "TSNE 1"
    display = EmbeddingMapDisplay.from_embedding(Z[:, :2], method=None)
    np.testing.assert_array_equal(display.positions, Z[:, :2])


def test_map_by_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        EmbeddingMapDisplay.from_embedding(Z, method="umap")

    class UMAP:
        def __init__(self, n_components, n_neighbors, random_state, n_jobs):
            self.n_neighbors = n_neighbors

        def fit_transform(self, z):
            assert self.n_neighbors < len(z)
            return z[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    display = EmbeddingMapDisplay.from_embedding(Z[:10], method="umap")
    assert display.ax_.get_ylabel() == "UMAP 2"


@pytest.mark.parametrize(
    "values, kind",
    [
        (Y, "class"),
        (Y.astype(float), "class"),
        (Y == 1, "class"),
        (np.array(list("abc"))[Y], "class"),
        (pd.Series(Y).astype("category"), "class"),
        (NUMBER, "number"),
        (np.arange(N), "number"),
        (Y + 0.5, "number"),
    ],
    ids=["ints", "whole floats", "bools", "str", "category", "floats", "many ints", "fractions"],
)
def test_map_tells_classes_from_numbers(values, kind):
    for name in ("y", "condition"):
        display = EmbeddingMapDisplay.from_embedding(Z, method="pca", **{name: values})
        assert display.kind == kind
        assert (display.ax_.get_legend() is None) == (kind == "number")
        assert len(display.ax_.child_axes) == (kind == "number")


def test_map_shows_rows_without_a_label():
    labels = pd.Series([None, "a", "b"] * 20, name="animal")
    display = EmbeddingMapDisplay.from_embedding(Z, labels, method="pca")
    legend = display.ax_.get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["no label (20)", "a", "b"]
    assert legend.get_title().get_text() == "animal"
    numbers = np.where(Y == 0, np.nan, NUMBER)
    display = EmbeddingMapDisplay.from_embedding(Z, numbers, method="pca")
    unknown, known = display.ax_.collections
    assert len(unknown.get_offsets()) == 20 and len(known.get_offsets()) == 40


@pytest.mark.parametrize("values", [Y, NUMBER], ids=["classes", "numbers"])
def test_legend_and_bar_of_a_map_hide_nothing(values):
    figure, axes = plt.subplots(1, 2)  # that makes no room between its axes
    display = EmbeddingMapDisplay.from_embedding(Z, values, method="pca", ax=axes[0])
    beside = display.ax_.get_legend() or display.ax_.child_axes[0]
    figure.canvas.draw()
    box = beside.get_tightbbox()
    assert box.x1 <= axes[0].get_window_extent().x1
    points = display.ax_.transData.transform(display.positions)
    assert points[:, 0].max() < box.x0


def test_map_of_very_many_classes_names_the_most_frequent():
    labels = ["big"] * 30 + [f"c{i}" for i in range(30)]
    display = EmbeddingMapDisplay.from_embedding(Z, labels, method="pca")
    texts = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert len(texts) == 14 and texts[0] == "18 others" and "big" in texts
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.tobytes())
        for c in display.ax_.collections
    }
    assert len(looks) == 14


def test_map_of_some_rows():
    display = EmbeddingMapDisplay.from_estimator(ENCODER, Z, Y, method="pca", subsample=20)
    assert len(display.indices) == 20 and display.ax_.get_title() == "20 of 60 rows"
    np.testing.assert_array_equal(display.values, Y[display.indices])
    full = EmbeddingMapDisplay.from_embedding(ENCODER.transform(Z), Y, method="pca", subsample=20)
    np.testing.assert_allclose(full.positions, display.positions, atol=1e-8)
    assert EmbeddingMapDisplay.from_embedding(Z, method="pca").ax_.get_title() == "60 rows"
