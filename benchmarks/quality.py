"""What a representation is worth: accuracy of two probes with few labels, on many real sets.

    python benchmarks/quality.py --data-dir DIR [--quick] [--half dev] [--rows NAME ...]

Every set of DIR with classes (tables, texts by TF-IDF, series, images, embeddings): a
representation learns from all training rows without their labels; a logistic regression
and nearest neighbours, tuned alike for every row, are fitted on 1, 5, 20 or all labels a
class of them, in many draws, and are scored on other rows. What was measured is kept, so that
a run that was stopped goes on.

Defaults are tuned on the half "dev" of the sets (every other one by name) and reported on
the half "test". ``--quick`` takes fewer rows and draws, one split. A row is a name of
``quality_rows.py`` ("raw", "nystroem", "default", "temperature 0.1", ...) or an expression,
such as "ContrastiveEncoder(max_iter=50, views='corruption')"; with "raw + " before it,
raw features stand beside what was learned. A change of an encoder's parameters is measured
anew; after a change of the code, give ``--fresh``, which forgets the rows that are named:

    python benchmarks/quality.py --data-dir DIR --quick --half dev --rows raw nystroem default
    python benchmarks/quality.py --data-dir DIR --quick --half dev \
        --rows raw default "ContrastiveEncoder(n_components=64)" "raw + default"

``--train 200`` takes fewer rows to train, and ``--drawn`` labels as they come, rare classes few:
a choice has to hold there too.

``--update`` puts what is measured into the CSV in place of the same rows of the same sets, so that
a change that concerns some kinds alone is measured on these. ``--kept`` measures nothing, and draws
a page anew from its CSV:

    python benchmarks/quality.py --kept --write docs/quality.md
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
import scipy
import sklearn
import torch
from datasets import classification_sets
from quality_external import missing
from quality_measure import PROTOCOL, measure
from quality_page import page, table
from quality_report import collect, header, markdown, read
from quality_rivals import CLASSIFIERS, HEADS, SUPERVISED
from quality_rows import BASELINES, signature
from record import Record

import skcontrast

HALVES = ("dev", "test")
OURS = ("default", "raw + default")
WITHOUT_ENCODER = {**BASELINES, **CLASSIFIERS, **SUPERVISED, **HEADS}
RESULTS = Path(__file__).parent / "results"


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    everything = [*BASELINES, *OURS, *CLASSIFIERS, *SUPERVISED]
    parser.add_argument("--data-dir", required="--kept" not in sys.argv)
    parser.add_argument("--rows", nargs="*", default=everything)
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--kinds", nargs="*", help="table, text, series, image, embedding")
    parser.add_argument("--half", choices=HALVES, help="all sets without it")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--train", type=int, help="rows to train at most, such as 200")
    parser.add_argument("--drawn", action="store_true", help="labels drawn at random, not by class")
    parser.add_argument("--splits", type=int, help="2; 1 with --quick")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure the rows anew")
    parser.add_argument("--update", action="store_true", help="keep the CSV's other lines")
    parser.add_argument("--kept", action="store_true", help="draw the page anew from its CSV")
    parser.add_argument("--write", type=Path, help="page to write; also a CSV of its name")
    options = parser.parse_args()
    if options.write and (options.train or options.drawn):
        parser.error("a page tells of draws by class and of all rows: leave out --write")
    return options


def forget(record, rows, size):
    """Drop what was measured of the rows at this size."""
    lines = record.path.read_text().splitlines() if record.path.exists() else []
    jobs = [json.loads(line)["job"] for line in lines]
    kept = [line for line, job in zip(lines, jobs) if job[1] not in rows or job[3] != size]
    record.path.write_text("".join(line + "\n" for line in kept))


def updated(frame, path):
    """The lines of a CSV, those of the same rows and sets replaced, and its command."""
    command, _, before = read(path)
    both = before[["set", "row"]].agg(tuple, axis=1).isin(set(zip(frame.set, frame.row)))
    frame = pd.concat([before[~both], frame])
    order = pd.Categorical(frame.row, dict.fromkeys([*before.row, *frame.row]))
    frame = frame.assign(order=order).sort_values(["set", "order"], kind="stable")
    return frame.drop(columns="order"), f"{command}; "


def save(frame, path, script, earlier=""):
    """Write the lines as CSV, below the commands and the versions."""
    command = f"python benchmarks/{script} " + " ".join(
        f'"{word}"' if set(word) & set(" (") else word for word in sys.argv[1:]
    )
    modules = (skcontrast, sklearn, torch, scipy)
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in modules)
    path.parent.mkdir(exist_ok=True)
    text = frame.round(5).to_csv(index=False, lineterminator="\n")
    path.write_text(header(earlier + command, versions) + text, encoding="utf-8")


def sets_of(folder):
    """Name -> (kind, half) of every set."""
    kinds = classification_sets(folder)
    return {name: (kind, HALVES[i % 2]) for i, (name, kind) in enumerate(kinds.items())}


def measured(options):
    """One line for each set, row, probe and number of labels; see ``collect``."""
    sets = sets_of(options.data_dir)
    chosen = [
        name
        for name, (kind, half) in sets.items()
        if (not options.sets or name in options.sets)
        and (not options.kinds or kind in options.kinds)
        and options.half in (None, half)
    ]
    for reason in filter(None, map(missing, options.rows)):
        print(reason)
    rows = [row for row in options.rows if not missing(row)]
    size = "quick" if options.quick else "full"
    size += f" {options.train}" * bool(options.train) + " drawn" * options.drawn
    record = Record("quality_probes")
    if options.fresh:
        forget(record, rows, size)
    jobs = [
        (name, row, split, size, PROTOCOL, signature(row, WITHOUT_ENCODER))
        for split in range(options.splits or (1 if options.quick else 2))
        for name in chosen
        for row in rows
    ]
    return collect(record.run(measure, options.data_dir, jobs, options.jobs), sets)


def main():
    options = arguments()
    path = RESULTS / f"{options.write.stem}.csv" if options.write else None
    if not options.kept:
        frame = measured(options)
        print(markdown(table(frame, list(dict.fromkeys(frame.row)))))
        if path:
            frame, earlier = updated(frame, path) if options.update else (frame, "")
            save(frame, path, "quality.py", earlier)
    if path:
        options.write.write_text(page(path, options.write), encoding="utf-8")


if __name__ == "__main__":
    main()
