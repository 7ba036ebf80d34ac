"""One job of benchmarks/quality.py: a representation on a split of a set, all label draws."""

import time
from dataclasses import dataclass, replace

import numpy as np
from datasets import classification_sets, featurizer, load_any, take
from quality_probes import PROBES, Features
from quality_rivals import CLASSIFIERS, HEADS, SUPERVISED
from quality_rows import FRAME_ROW, representation
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Size:
    """Rows at most to train and to test, and label draws of a split by labels a class.

    The draws are for up to four classes, fewer for more of them. What learns with the
    labels of a draw gets the first draws. ``balanced`` draws have as many labels of each
    class, others as many in all, at random but one of each class.
    """

    train: int
    test: int
    draws: dict
    least_draws: int
    learned_draws: int
    balanced: bool = True


# Raised when a number here or a probe changes: what was kept before is then measured anew.
PROTOCOL = 3
# Kinds whose columns lie in an order, which our encoders read on the one scale that they share.
ORDERED = ("series", "image")
SIZES = {
    "full": Size(2000, 2000, {1: 300, 5: 100, 20: 30, None: 1}, 10, 10),
    "quick": Size(800, 1000, {1: 60, 5: 20, 20: 5, None: 1}, 5, 3),
}


def size_of(name):
    """The size of a name such as "quick", "full 200" (rows to train) or "full 200 drawn"."""
    first, *words = name.split()
    size = SIZES[first]
    for word in words:
        change = {"balanced": False} if word == "drawn" else {"train": int(word)}
        size = replace(size, **change)
    return size


def label_name(n):
    return "all" if n is None else str(n)


def split(y, size, seed):
    """Row numbers to train and to test: 70 % and the others, at most what the size says."""
    n_train = min(size.train, int(0.7 * len(y)))
    n_test = min(size.test, len(y) - n_train)
    return train_test_split(
        np.arange(len(y)), train_size=n_train, test_size=n_test, stratify=y, random_state=seed
    )


def draw(y, n, seed, balanced=True):
    """Row numbers of n rows a class (all of a class with fewer), or of all rows."""
    if n is None:
        return np.arange(len(y))
    rng = np.random.default_rng(seed)
    classes = np.unique(y)
    if not balanced:
        one = np.array([rng.choice(np.flatnonzero(y == c)) for c in classes])
        others = np.setdiff1d(rng.permutation(len(y)), one, assume_unique=True)
        return np.append(one, rng.permutation(others)[: (n - 1) * len(classes)])
    return np.concatenate([rng.permutation(np.flatnonzero(y == c))[:n] for c in classes])


def share(y):
    """Of the draws for up to four classes: with more of them an accuracy varies less."""
    return min(1, 4 / (y.max() + 1))


def budgets(y, size):
    """Numbers of labels a class that most classes have, and how many draws of them."""
    counts = np.bincount(y)
    return {
        n: draws if n is None else max(size.least_draws, round(draws * share(y)))
        for n, draws in size.draws.items()
        if n is None or n <= np.median(counts)
    }


def prepared(folder, set_name, size, seed):
    """Features of the training and the test rows as they are, as matrices, and codes."""
    kind = classification_sets(folder)[set_name]
    features, y = load_any(folder, set_name, kind, size.train + size.test, seed)
    train, test = split(y, size, seed)
    given = take(features, train), take(features, test)
    prepare = featurizer(features)
    matrices = prepare.fit_transform(given[0]), prepare.transform(given[1])
    if kind in ORDERED:
        impute = SimpleImputer(strategy="median")
        given = impute.fit_transform(given[0]), impute.transform(given[1])
    return given if kind in ("table", *ORDERED) else matrices, matrices, y[train], y[test]


def by_draw(size, y, score):
    """Scores of the draws by name of the number of labels."""
    return {
        label_name(n): [score(draw(y, n, seed, size.balanced)) for seed in range(draws)]
        for n, draws in budgets(y, size).items()
    }


def by_first_draws(size, y, score, least_labels=1):
    """As ``by_draw``, of the few draws for what learns with the labels of each."""
    most = max(round(size.learned_draws * share(y)), size.learned_draws // 2)
    return {
        label_name(n): [score(draw(y, n, seed, size.balanced)) for seed in range(min(draws, most))]
        for n, draws in budgets(y, size).items()
        if n is None or n >= least_labels
    }


def accuracy(guess, y):
    return round(float(np.mean(guess == y)), 5)


def unsupervised(name, inputs, y, y_test, size, seed):
    """Scores of both probes on features learned once for all draws."""
    begin = time.process_time()
    learned = representation(name)(*inputs, seed)
    seconds = time.process_time() - begin
    return seconds, scored(Features(*learned), y, y_test, size)


def scored(features, y, y_test, size):
    """Accuracy of every draw by probe and number of labels."""

    def scores(predict):
        return by_draw(size, y, lambda rows: accuracy(predict(features, rows, y), y_test))

    return {probe: scores(predict) for probe, predict in PROBES.items()}


def classifier(name, inputs, y, y_test, size, seed):
    """Scores of a classifier, and seconds to fit one draw of the most labels."""
    classify = {**CLASSIFIERS, **HEADS}[name](*inputs, seed)
    scores = by_first_draws(size, y, lambda rows: accuracy(classify(rows, y[rows]), y_test))
    begin = time.process_time()
    classify(np.arange(len(y)), y)
    return time.process_time() - begin, {"own": scores}


def supervised(name, inputs, y, y_test, size, seed):
    """Scores of both probes on features learned anew with the labels of each draw."""
    learn, seconds = SUPERVISED[name](*inputs, seed), []

    def score(rows):
        begin = time.process_time()
        features = Features(*learn(rows, y[rows]))
        seconds.append(time.process_time() - begin)
        return [accuracy(predict(features, rows, y), y_test) for predict in PROBES.values()]

    both = by_first_draws(size, y, score, least_labels=2)
    return seconds[-1], {
        probe: {n: [pair[i] for pair in pairs] for n, pairs in both.items()}
        for i, probe in enumerate(PROBES)
    }


def measure(folder, set_name, row_name, seed, size_name, protocol, signature):
    """Accuracy of every draw by probe and labels a class, and seconds of CPU to learn."""
    size = size_of(size_name)
    with threadpool_limits(1):
        given, matrices, y, y_test = prepared(folder, set_name, size, seed)
        ours = row_name.startswith(("default", "ContrastiveEncoder", "classifier"))
        as_it_is = row_name == FRAME_ROW or ours and not hasattr(given[0], "columns")
        inputs = given if as_it_is else matrices
        if row_name in CLASSIFIERS or row_name in HEADS:
            run = classifier
        else:
            run = supervised if row_name in SUPERVISED else unsupervised
        seconds, scores = run(row_name, inputs, y, y_test, size, seed)
    return {"fit_s": round(seconds, 2), "n_test": len(y_test), "scores": scores}
