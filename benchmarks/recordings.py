"""One long recording with behaviour: what decodes from windows, time positives and labels.

    python benchmarks/recordings.py --data-dir DIR [--sets NAME ...] [--rows NAME ...]

Every row learns from the first part of a recording and gives a few columns for each time step. Two
decoders are fitted on these, one of near steps and a linear one, and asked about the last part.
CEBRA stands beside it where it is installed. What was measured is kept, so that a run that was
stopped goes on.
"""

import argparse
import importlib.util
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from record import Record
from recording_sets import SETS
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skcontrast import SeriesContrastiveEncoder
from skcontrast.networks import DilatedConv
from skcontrast.objectives import InfoNCE, SupCon, YAware
from skcontrast.views import TimeOffset

WIDTH, WINDOW, OFFSET, STEPS, BATCH, HIDDEN = 8, 10, 10, 1000, 256, 32
TEMPERATURE, RATE = 0.2, 1e-3


class Raw:
    """Steps as they are, or with those around them, or the leading directions of these."""

    def __init__(self, window=False, width=None, unit=False):
        self.window, self.width, self.unit = window, width, unit

    def __call__(self, data, seed):
        X, X_test = data.X, data.X_test
        if self.window:
            X, X_test = lagged(X, data.sessions), lagged(X_test, data.sessions_test)
        scale = StandardScaler().fit(X)
        X, X_test = scale.transform(X), scale.transform(X_test)
        if self.width is None:
            return X, X_test
        steps = [PCA(self.width, random_state=seed), *([Normalizer()] * self.unit)]
        directions = make_pipeline(*steps).fit(X)
        return directions.transform(X), directions.transform(X_test)


def lagged(X, sessions):
    """Each step beside those around it: (n, WINDOW * n_channels), within its session."""
    parts = []
    for one in np.unique(sessions):
        part = X[sessions == one]
        place = np.arange(len(part))[:, None] + np.arange(WINDOW) - WINDOW // 2
        parts.append(part[place.clip(0, len(part) - 1)].reshape(len(part), -1))
    return np.vstack(parts)


def labels(data, shuffled, seed):
    """What happened, in order or shuffled."""
    return np.random.default_rng(seed).permutation(data.y) if shuffled else data.y


def alike(y):
    """The objective whose positives are steps of one class, or of near numbers."""
    return SupCon(TEMPERATURE) if y.dtype.kind == "i" else YAware(temperature=TEMPERATURE)


def by_session(transform, X, sessions):
    return np.vstack([transform(X[sessions == one]) for one in np.unique(sessions)])


def ours(objective=None, read=None, trained=True, **params):
    """An encoder of windows; ``read`` says which labels it reads, "true" or "shuffled"."""

    def make(data, seed):
        encoder = SeriesContrastiveEncoder(
            WIDTH,
            window=WINDOW,
            network=DilatedConv(hidden=HIDDEN, n_blocks=2, pooling="mean"),
            objective=objective or alike(data.y),
            batch_size=BATCH,
            learning_rate=RATE if trained else 1e-12,
            max_iter=round(STEPS / np.ceil(len(data.X) / BATCH)) if trained else 1,
            device="cpu",
            random_state=seed,
            **params,
        )
        encoder = make_pipeline(encoder, Normalizer())  # what the objective compares
        y = None if read is None else labels(data, read == "shuffled", seed)
        encoder.fit(data.X, y, seriescontrastiveencoder__groups=data.sessions)
        parts = (data.X, data.sessions), (data.X_test, data.sessions_test)
        return tuple(by_session(encoder.transform, *part) for part in parts)

    return make


def cebra(read=False):
    """CEBRA's own code on the same steps, with time or what happened for its positives."""

    def make(data, seed):
        import torch
        from cebra import CEBRA

        torch.manual_seed(seed)
        model = CEBRA(
            model_architecture="offset10-model",
            batch_size=BATCH,
            learning_rate=RATE,
            temperature=TEMPERATURE,
            output_dimension=WIDTH,
            num_hidden_units=HIDDEN,
            max_iterations=STEPS,
            time_offsets=OFFSET,
            conditional="time_delta" if read else "time",
            device="cpu",
        )
        scale = StandardScaler().fit(data.X)
        X, X_test = (scale.transform(part).astype(np.float32) for part in (data.X, data.X_test))
        model.fit(X, *([data.y.astype(np.int64 if data.y.dtype.kind == "i" else float)] * read))
        parts = (X, data.sessions), (X_test, data.sessions_test)
        return tuple(by_session(model.transform, *part) for part in parts)

    return make


ALIKE = {"views": None, "n_views": 1}
# Name -> ``make(data, seed)``, which gives the columns of both parts.
ROWS = {
    "steps": Raw(),
    f"windows of {WINDOW} steps": Raw(window=True),
    f"{WIDTH} components (PCA) of windows": Raw(window=True, width=WIDTH),
    "the same, of unit length": Raw(window=True, width=WIDTH, unit=True),
    "network, not trained": ours(read="true", trained=False, **ALIKE),
    "time offset": ours(InfoNCE(TEMPERATURE, form="one_way"), views=TimeOffset(OFFSET)),
    "labels": ours(read="true", **ALIKE),
    "shuffled labels": ours(read="shuffled", **ALIKE),
    "CEBRA, time": cebra(),
    "CEBRA, labels": cebra(read=True),
}


def measure(folder, name, row, seed):
    """Scores of both decoders on the last part, and CPU seconds of learning and both transforms."""
    data = SETS[name](folder, seed)
    begin = time.process_time()
    Z, Z_test = ROWS[row](data, seed)
    seconds = time.process_time() - begin
    if data.y.dtype.kind == "i":
        near, linear = KNeighborsClassifier(25), LogisticRegression(max_iter=1000)
    else:
        near, linear = KNeighborsRegressor(25), RidgeCV(np.logspace(-3, 3, 7))
    linear = make_pipeline(StandardScaler(), linear)
    scores = [m.fit(Z, data.y).score(Z_test, data.y_test) for m in (near, linear)]
    return dict(zip(("near steps", "linear", "seconds"), [*scores, seconds]))


PAGE = """# A long recording with behaviour

X has a row for each time step, in order, as in CEBRA: spikes of many neurons, values of sensors.
`transform` gives a row for each step too, so that a Pipeline ending in a regressor decodes what the
animal did; a `Normalizer` between them leaves directions, which objectives compare. Sessions
(trials, days) are `groups`: no positive and no window leaves one, and early stopping holds out the
end of each. Split a recording with `TimeSeriesSplit`, or by sessions with `GroupKFold`.

```python
import numpy as np
from skcontrast import ContrastiveEncoder, SeriesContrastiveEncoder
from skcontrast.objectives import InfoNCE, YAware
from skcontrast.views import TimeOffset

rng = np.random.default_rng(0)  # in place of a recording
X, session = rng.poisson(1.0, size=(300, 20)), np.repeat([0, 1, 2], 100)
position = rng.uniform(size=300)
# Single steps: the row 10 steps later is the positive.
later = {{"views": TimeOffset(10), "objective": InfoNCE(form="one_way"), "max_iter": 2}}
ContrastiveEncoder(8, passthrough=False, **later).fit(X, groups=session)
# Each step with those around it; sessions are transformed one by one.
encoder = SeriesContrastiveEncoder(8, window=10, **later).fit(X, groups=session)
Z = encoder.transform(X[session == 0])  # (100, 8)
# The nearer two positions, the more their steps are positives; of classes type SupCon().
encoder.set_params(objective=YAware(), views=None, n_views=1)
encoder.fit(X, position, groups=session)
```

Where rows have a rhythm, `views=HistoricalMean(24)` pairs each with the mean of the rows at the
same hour of all days of its session: how far the two lie apart says how much a row deviates.

`metrics.linear_consistency` says how much of one run's columns another run explains, and
`metrics.information_bits` what its loss says beyond guessing. CEBRA's own sampling by the change
of a label is not offered: its authors say that it is patented.

*track*: 60 simulated neurons of an animal on a track, under a gain that rises until the end; 3,200
steps to learn from, 800 after them to decode position in. *Other neurons*: 60 more that follow
something else, twice as loud. *BasicMotions*: wrist sensors, 40 sessions of 100 steps to learn from
and 40 to tell four activities in. R² or accuracy, by 25 near steps of the first part and by a
linear decoder, which on the track meets gains that it never saw. Learned: {width} columns of unit
length, {steps} batches of {batch}, windows of {window} steps, offset {offset}; CEBRA likewise, with
our rate and temperature (its defaults: 10,000 batches, a third of the rate). Mean of {seeds} seeds,
and CPU seconds. Our pooling, a mean, was chosen on another seed.

{table}

{remark}

Written with {versions} by

    {command}
"""
REMARK = """\
Principal components of windows, of unit length, decode the track as well as anything: try them
first. Time positives add most on the sensors, and take away where something louder is slow too.
With labels ours decodes as well as CEBRA or better, in two thirds of its time or less; with time it
takes nearly as long, and is behind by near steps where other neurons are louder. Shuffled labels
do worse than none."""


def table_of(results, seeds):
    """A row for each way, and three columns for each set: mean over the seeds."""
    frame = pd.DataFrame([{**result, "job": job} for job, result in results.items()])
    frame["set"], frame["row"] = (frame.job.str[i] for i in (0, 1))
    frame = frame.drop(columns="job").groupby(["row", "set"], sort=False).mean().unstack("set")
    frame = frame.swaplevel(axis=1)
    names = list(dict.fromkeys(job[0] for job in results))
    scores = "near steps", "linear", "seconds"
    frame = frame[[(name, score) for name in names for score in scores]]
    frame.columns = [f"{name.removeprefix('track, ')}: {score}" for name, score in frame.columns]
    return frame.loc[list(dict.fromkeys(job[1] for job in results))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    parser.add_argument("--write", type=Path, help="page to write the table to")
    options = parser.parse_args()
    there = importlib.util.find_spec("cebra") is not None
    rows = [row for row in options.rows if there or not row.startswith("CEBRA")]
    record = Record("recordings")
    if options.fresh:
        record.forget()
    jobs = [(s, r, seed) for s in options.sets for r in rows for seed in range(options.seeds)]
    table = table_of(record.run(measure, options.data_dir, jobs, 1), options.seeds)
    known = ["skcontrast", "scikit-learn", "torch", *(["cebra"] if there else [])]
    text = PAGE.format(
        width=WIDTH,
        steps=STEPS,
        batch=BATCH,
        window=WINDOW,
        offset=OFFSET,
        seeds=options.seeds,
        table=table.to_markdown(floatfmt=["", *[".3f", ".3f", ".0f"] * len(options.sets)]),
        remark=REMARK,
        command="python " + shlex.join(["benchmarks/recordings.py", *sys.argv[1:]]),
        versions=", ".join(f"{name} {version(name)}" for name in known),
    )
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
