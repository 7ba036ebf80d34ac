"""What each part of a training changes: one parameter beside the default, on a dozen real sets.

    python benchmarks/parts_of_training.py --data-dir DIR [--jobs 2] [--rows EXPRESSION ...]

A row is what one types, such as "ContrastiveEncoder(objective=InfoNCE() + RankPenalty())". Sets,
splits, label draws and the logistic regression are those of quality.py with at most 600 training
rows, one split; the sets are of the half dev: tables, texts by TF-IDF, sentences as embeddings, and
series. The rows of SeriesContrastiveEncoder are measured on series alone, beside its default on
steps. A row whose name or parameter does not exist yet, or that refuses a kind of set, is left out
there and the reason printed. What was measured is kept, so that a run that was stopped goes on;
after a change of the code ``--fresh`` forgets the rows:

    python benchmarks/parts_of_training.py --data-dir DIR --write docs/auxiliary.md

writes the table below the mark of the page, and all numbers into a CSV.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from ablation import LEAST, against, differ, lines_of
from ablation_rows import kept_columns
from quality import forget, save, sets_of
from quality_measure import PROTOCOL, accuracy, by_draw, prepared, scored, size_of
from quality_probes import PROBES, Features
from quality_report import count, interval, labels, markdown, read
from quality_rows import encoder
from quality_rows import signature as signature_of
from record import Record
from threadpoolctl import threadpool_limits

from skcontrast.inspection import label_credibility

CSV = Path(__file__).parent / "results" / "parts_of_training.csv"
MARK = "<!-- figures -->"
SIZE = "quick 600"
SETS = (
    *("compas", "page_blocks", "segment", "spambase", "vehicle", "waveform5000"),
    *("mr", "reuters_r8", "banking77_minilm"),
    *("CBF", "ECG5000", "ItalyPowerDemand"),
)
BUDGETS = ("5", "20", "all")
DEFAULT = "ContrastiveEncoder()"
# Small, as a default fit on the steps of 600 series takes minutes.
STEPWISE = "SeriesContrastiveEncoder(features=None, network=DilatedConv(32, 4), max_iter=20"
ON_STEPS = f"{STEPWISE})"
CREDIBLE = "default, the least credible tenth of the labels left out"


def objective(text):
    return f"ContrastiveEncoder(objective={text})"


def on_steps(text):
    return f"{STEPWISE}, objective={text})"


# Beside DEFAULT, or ON_STEPS where they are of series.
PARTS = (
    objective("InfoNCE() + 0.5 * Reconstruction()"),
    objective("InfoNCE() + 0.5 * Reconstruction('corruption')"),
    objective("Balanced(InfoNCE(), Reconstruction())"),
    objective("InfoNCE() + 0.05 * ReplacedFeatures()"),
    objective("InfoNCE() + 0.5 * ReplacedFeatures()"),
    objective("InfoNCE() + 0.5 * ReplacedFeatures(on='corrupted')"),
    objective("InfoNCE() + 0.5 * ReplacedFeatures(Corruption(0.3, n_candidates=16))"),
    objective("InfoNCE() + StructureConsistency()"),
    "ContrastiveEncoder(objective=InfoNCE() + DistributionContrast(), batch_size=64, max_iter=20)",
    "ContrastiveEncoder(objective=InfoNCE() + SelfDistillation(), momentum=0.996)",
    "ContrastiveEncoder(objective=InfoNCE(queue_size=1024), momentum=0.99)",
    "ContrastiveEncoder(objective=InfoNCE(queue_size=1024), momentum=0.99, batch_size=32)",
    "ContrastiveEncoder(batch_size=32)",
    "ContrastiveEncoder(batch_size=64)",
    objective("InstanceDiscrimination()"),
    objective("InfoNCE() + 0.01 * RankPenalty()"),
    objective("InfoNCE() + -0.01 * RankPenalty()"),
    objective("InfoNCE(focal=2)"),
    "ContrastiveEncoder(network=MixtureOfExperts())",
    on_steps("InfoNCE() + 0.5 * Reconstruction()"),
    on_steps("InfoNCE() + 0.5 * ReplacedFeatures()"),
    on_steps("InfoNCE() + PatchOrigin()"),
    on_steps("PatchOrigin()"),
)


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required="--kept" not in sys.argv)
    parser.add_argument("--rows", nargs="*", default=list(PARTS), help="expressions of encoders")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure the rows anew")
    parser.add_argument("--kept", action="store_true", help="draw the table anew from its CSV")
    parser.add_argument("--write", type=Path, help="page to write; also writes " + CSV.name)
    return parser.parse_args()


def of_series(row):
    return row.startswith("Series")


def reference(row):
    return ON_STEPS if of_series(row) else "default"


def signature(row):
    """What a kept result depends on besides its name: the parameters of an encoder."""
    return signature_of(DEFAULT if row == "default" else row, ())


def at_hand(rows):
    """Those of the rows that can be typed; says why the others cannot."""
    found = []
    for row in rows:
        try:
            signature(row)
        except (NameError, TypeError) as error:
            print(f"{row} is left out: {error}")
        else:
            found.append(row)
    return found


def credible(features, rows, y):
    """Of labelled rows all but the tenth that neighbours with a label contradict most."""
    scores = label_credibility(np.asarray(features.train[rows]), y[rows])
    kept = np.argsort(-scores, kind="stable")[: len(rows) - len(rows) // 10]
    # A class keeps its most credible row.
    best = [max(np.flatnonzero(y[rows] == c), key=scores.__getitem__) for c in np.unique(y[rows])]
    return rows[np.union1d(kept, best)]


def without_doubtful(train, test, y, y_test, size):
    """Accuracy of every draw, where the logistic regression gets the credible labels alone."""
    features, probe = Features(train, test), PROBES["logistic"]
    score = lambda rows: accuracy(probe(features, credible(features, rows, y), y), y_test)
    return {"logistic": by_draw(size, y, score)}


def measure(folder, set_name, row, seed, size_name, protocol, signature):
    """Accuracy of every draw by row, probe and labels a class, and seconds of CPU to learn."""
    size, name = size_of(size_name), DEFAULT if row == "default" else row
    with threadpool_limits(1):
        given, matrices, y, y_test = prepared(folder, set_name, size, seed)
        train, test = matrices if hasattr(given[0], "columns") else given
        model = encoder(name).set_params(random_state=seed, device="cpu")
        begin = time.process_time()
        try:
            train, test = model.fit_transform(train), model.transform(test)
        except ValueError as error:
            return {"refused": str(error).partition("\n")[0]}
        seconds, rows = time.process_time() - begin, {}
        alone = {"learned": (0, train.shape[1])}  # of steps, beside which nothing stands
        kept = kept_columns(row, getattr(model.output_, "part_columns_", alone))
        for part in (row, f"{row}, alone"):
            features = Features(train[:, kept[part]], test[:, kept[part]])
            rows[part] = {"scores": scored(features, y, y_test, size)}
            rows[part]["columns"] = features.train.shape[1]
        if row == "default":
            rows[CREDIBLE] = {**rows[row], "scores": without_doubtful(train, test, y, y_test, size)}
    return {"fit_s": round(seconds, 2), "n_train": len(y), "n_test": len(y_test), "rows": rows}


def measured(options):
    """One line for each set, row, probe and number of labels."""
    sets = sets_of(options.data_dir)
    rows = dict.fromkeys(["default", *options.rows])
    if any(map(of_series, rows)):
        rows = [row for row in rows if not of_series(row)] + [ON_STEPS, *filter(of_series, rows)]
    rows = at_hand(dict.fromkeys(rows))
    record = Record("parts_of_training")
    if options.fresh:
        forget(record, rows, SIZE)
    signed = {row: signature(row) for row in rows}
    jobs = [
        (name, row, 0, SIZE, PROTOCOL, signed[row])
        for row in rows
        for name in options.sets
        if not of_series(row) or sets[name][0] == "series"
    ]
    results = record.run(measure, options.data_dir, jobs, options.jobs)
    for (name, row, *_), result in results.items():
        if "refused" in result:
            print(f"{row} is left out on {name}: {result['refused']}")
    frame = lines_of({job: r for job, r in results.items() if "refused" not in r}, sets)
    # Those belong to the ablation.
    return frame[~frame.row.str.startswith("without ")]


def shown(points):
    """Mean and interval, in bold where the interval does not hold zero."""
    text = interval(points, 1) if len(points) else ""
    return f"**{text}**" if len(points) and differ(points) else text


def table(frame):
    """Points beside the reference of each row, on how many sets it gains and loses, and seconds."""
    lines, kinds = [], frame.drop_duplicates("set").set_index("set").kind
    rows = [row for row in frame.row.unique() if not row.endswith(", alone")]
    for row in rows:
        if row == reference(row):
            continue
        line = {"typed": f"`{row}`" if row.endswith(")") else row}
        for n in BUDGETS:
            points = against(frame, row, reference(row), n)
            line[labels(n)] = shown(points)
            line[f"gains, losses, {n}"] = f"{(points > LEAST).sum()}, {(points < -LEAST).sum()}"
            if n == "5":
                tables = points[kinds.reindex(points.index) == "table"]
                line["of tables"] = shown(tables)
        alone = against(frame, f"{row}, alone", f"{reference(row)}, alone", "5")
        line["learned columns alone, 5"] = shown(alone)
        line["seconds"] = seconds(frame, row)
        lines.append(line)
    return markdown(pd.DataFrame(lines), index=False)


def seconds(frame, row):
    """Mean CPU seconds of a fit, and those of the reference on the same sets."""
    each = frame.drop_duplicates(["set", "row"]).pivot(index="set", columns="row", values="fit_s")
    both = each.reindex(columns=[row, reference(row)]).dropna()
    return " of ".join(f"{value:.1f}" for value in both.mean())


def text(path):
    """What stands below the mark of the page."""
    command, versions, frame = read(path)
    sets = f"{frame.set.nunique()} sets ({count(frame)}), at most 600 training rows of each"
    return f"{table(frame)}\n{sets}; written ({versions}) by\n\n    {command}\n"


def main():
    options = arguments()
    if not options.kept:
        frame = measured(options)
        print(table(frame))
        if options.write:
            save(frame, CSV, "parts_of_training.py")
    if options.write:
        before = options.write.read_text(encoding="utf-8").partition(MARK)[0]
        options.write.write_text(f"{before}{MARK}\n\n{text(CSV)}", encoding="utf-8")


if __name__ == "__main__":
    main()
