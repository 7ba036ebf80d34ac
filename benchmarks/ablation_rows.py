"""What benchmarks/ablation.py measures: trainings of an encoder, and which columns are scored.

A training gives several rows of a table, for the parts beside the learned columns are not
trained: one fit, and the columns of its output are dropped by ``part_columns_``.
"""

import time

import numpy as np
from quality_measure import SIZES, prepared, scored
from quality_probes import Features
from quality_rows import encoder
from quality_rows import signature as signature_of
from threadpoolctl import threadpool_limits

PARTS = ("columns", "ranks", "patterns", "kernel", "neighborhood")


def objective(text):
    return f"ContrastiveEncoder(objective={text})"


def by_views(text):
    return f"ContrastiveEncoder(views={text})"


# Row -> expression of an unfitted encoder.
TRAINING = {
    "corruption only": by_views("'corruption'"),
    "neighbors only": by_views("'neighbors'"),
    "30 epochs": "ContrastiveEncoder(max_iter=30)",
    "one hidden layer": "ContrastiveEncoder(network=MLP((256,)))",
    "temperature 0.1": objective("InfoNCE(0.1)"),
    "temperature 0.5": objective("InfoNCE(0.5)"),
    "no skip": "ContrastiveEncoder(network=MLP(skip=False))",
}
GROUPS = {"parts": {}, "training": TRAINING}
TRAININGS = {"default": "ContrastiveEncoder()", **TRAINING}


def signature(name):
    """What a kept result depends on besides its name: the parameters of an encoder."""
    return "" if name == "raw" else signature_of(TRAININGS[name], ())


def learn(name, train, test, seed):
    """Output for the training and the test rows, and which of its columns are which part."""
    model = encoder(TRAININGS[name]).set_params(random_state=seed, device="cpu")
    return model.fit_transform(train), model.transform(test), model.output_.part_columns_


def kept_columns(name, columns):
    """Row -> mask of the columns that it keeps of the output of a training.

    Parameters
    ----------
    columns : dict of part to (start, stop)
    """
    every = np.zeros(max(stop for _, stop in columns.values()), dtype=bool)
    masks = {part: every.copy() for part in columns}
    for part, (start, stop) in columns.items():
        masks[part][start:stop] = True
    rows = {name: ~every, f"{name}, alone": masks["learned"]}
    if name == "default":
        rows |= {f"without {part}": ~mask for part, mask in masks.items()}
    return rows


def measure(folder, set_name, name, seed, size_name, protocol, signature):
    """Accuracy of every draw by row, probe and labels a class, and seconds of CPU to learn."""
    size = SIZES[size_name]
    with threadpool_limits(1):
        given, matrices, y, y_test = prepared(folder, set_name, size, seed)
        train, test = matrices if name == "raw" or hasattr(given[0], "columns") else given
        if name == "raw":
            rows, seconds = {"raw": slice(None)}, 0.0
        else:
            begin = time.process_time()
            train, test, columns = learn(name, train, test, seed)
            seconds = time.process_time() - begin
            rows = kept_columns(name, columns)
        results = {}
        for row, kept in rows.items():
            features = Features(train[:, kept], test[:, kept])
            scores = scored(features, y, y_test, size)
            results[row] = {"columns": features.train.shape[1], "scores": scores}
    return {"fit_s": round(seconds, 2), "n_train": len(y), "n_test": len(y_test), "rows": results}
