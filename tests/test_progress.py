"""What a fit prints: nothing, or with ``verbose`` a line an epoch and one for what else it does."""

import io
import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import EfficiencyWarning
from sklearn.linear_model import LogisticRegression, Ridge

import skcontrast
from skcontrast import (
    ContrastiveEncoder,
    ContrastiveTextEncoder,
    KernelConditionalContrastive,
    Sent2VecVectorizer,
    SupervisedContrastiveClassifier,
    SupervisedContrastiveRegressor,
    Word2VecVectorizer,
    _progress,
)
from skcontrast._progress import Progress, clock

X, y = load_iris(return_X_y=True)
X, y = X[::3], y[::3]
TEXTS = ["a cat sat on the mat", "the dog sat on a cat", "tea with some milk and sugar"] * 6
SMALL = {"max_iter": 3, "random_state": 0}
WORDS = {**SMALL, "n_components": 4, "min_count": 1}
KINDS = {
    "table": (ContrastiveEncoder(**SMALL), (X,)),
    "condition": (KernelConditionalContrastive(**SMALL), (X, y)),
    "texts": (ContrastiveTextEncoder(**SMALL), (TEXTS,)),
    "words in blocks": (Word2VecVectorizer(**WORDS, sample=0, solver="block"), (TEXTS,)),
    "words by numba": (Word2VecVectorizer(**WORDS, sample=0, solver="numba"), (TEXTS,)),
    "pairs of words": (Sent2VecVectorizer(**WORDS), (TEXTS,)),
}
EPOCH = r"Epoch {}/{}: loss -?\d+\.\d{{4}}, \d+\.\d\d? s"


def lines(capsys):
    out, err = capsys.readouterr()
    assert not err
    return out.splitlines()


def assert_epochs(printed, n):
    assert len(printed) == n
    for number, line in enumerate(printed, 1):
        left = "" if number == n else r", \d+\.\d\d? s left"
        assert re.fullmatch(EPOCH.format(number, n) + left, line), line


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_a_line_an_epoch_where_it_is_asked_for(name, capsys):
    if name == "words by numba":
        pytest.importorskip("numba")
    model, rows = KINDS[name]
    model.set_params(verbose=0).fit(*rows)
    assert lines(capsys) == []
    model.set_params(verbose=1).fit(*rows)
    assert_epochs(lines(capsys), 3)


HEADS = {
    "classifier": SupervisedContrastiveClassifier(classifier=LogisticRegression()),
    "regressor": SupervisedContrastiveRegressor(regressor=Ridge(), interval="neighbors"),
    "default regressor": SupervisedContrastiveRegressor(),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_says_what_it_does(name, capsys):
    encoder = ContrastiveEncoder(max_iter=2, random_state=0)
    model = HEADS[name].set_params(encoder=encoder, finetune=True, finetune_iter=2, random_state=0)
    target = y if name == "classifier" else np.where(np.arange(len(y)) % 5, np.nan, X[:, 0])
    n = len(y) if name == "classifier" else int(np.isfinite(target).sum())
    model.set_params(verbose=0).fit(X, target)
    assert lines(capsys) == []
    model.set_params(verbose=1).fit(X, target)
    printed = lines(capsys)
    assert printed[0] == f"Training ContrastiveEncoder on {len(X)} rows, {n} with a label"
    assert_epochs(printed[1:3], 2)
    assert printed[3] == f"Fine-tuning it on the {n} labelled rows"
    assert_epochs(printed[4:6], 2)
    head = type(getattr(model, "classifier_", None) or model.regressor_).__name__
    stages = [f"Fitting {head} to {n} rows"]
    if name == "default regressor":
        stages.insert(0, "Choosing the kernels of the head")
    if model.get_params().get("interval"):
        stages.append("Measuring the widths of the intervals")
    for i, stage in enumerate(stages):
        first, last = printed[6 + 2 * i : 8 + 2 * i]
        assert first == f"{stage} ..." and re.fullmatch(re.escape(stage) + r": \d+\.\d+ s", last)
    assert len(printed) == 6 + 2 * len(stages)
    assert encoder.verbose == 0  # the user's own stays as it was


def test_early_stopping_is_said(capsys):
    model = ContrastiveEncoder(
        max_iter=30, early_stopping=True, n_iter_no_change=1, tol=10.0, random_state=0, verbose=1
    ).fit(X)
    *epochs, last = lines(capsys)
    assert len(epochs) == model.n_iter_ < 30
    assert all(", validation loss " in line and ", up to " in line for line in epochs)
    assert last.startswith("Stopped early: the validation loss has not fallen for 1 epoch")


def test_the_time_left_is_that_of_the_last_epochs(monkeypatch):
    now = iter([0.0, 100.0, 102.0, 104.0, 104.5])
    monkeypatch.setattr(skcontrast._progress, "perf_counter", lambda: next(now))
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    progress = Progress(1, 4)
    for number in range(1, 5):
        progress.epoch(number, 1.0 / number)
    assert out.getvalue().splitlines() == [
        "Epoch 1/4: loss 1.0000, 1 min 40 s, 5 min 0 s left",
        "Epoch 2/4: loss 0.5000, 2.0 s, 4.0 s left",
        "Epoch 3/4: loss 0.3333, 2.0 s, 2.0 s left",
        "Epoch 4/4: loss 0.2500, 0.50 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "rows", "said"),
    [
        (1.0, 256 * 200, "16 min 40 s, 1,000 steps of 1.0 s: type max_iter=3 to end within ten"),
        (100.0, 256 * 30, "an epoch alone takes 50 min 0 s, so type max_iter=1"),
        (0.5, 256 * 200, None),
    ],
)
def test_a_long_fit_is_told_of_once_whatever_verbose(monkeypatch, seconds, rows, said):
    now = iter(np.arange(1e6) * 20 * seconds)  # asked twice, 20 steps apart
    monkeypatch.setattr(_progress, "perf_counter", lambda: next(now))
    model = ContrastiveEncoder(
        4, network="linear", views="noise", passthrough=False, max_iter=5, random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(np.random.default_rng(0).normal(size=(rows, 2)).astype(np.float32))
    told = [w for w in caught if w.category is EfficiencyWarning]
    assert [said in str(w.message) for w in told] == [True] * bool(said)
    assert all(w.filename == __file__ for w in told)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.034, "0.03 s"), (0.994, "0.99 s"), (0.996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"),
        (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.7, "1 h 0 min"), (7500, "2 h 5 min"),
    ],
)  # fmt: skip
def test_clock(seconds, text):
    assert clock(seconds) == text
