"""What each part of ContrastiveEncoder adds, on the sets and with the probes of quality.py.

    python benchmarks/ablation.py --data-dir DIR [--groups parts] [--jobs 2]

Two groups of rows, each beside the default on the same split and the same label draws:
"parts" drops one part of the output of the default, "training" changes how the learned
columns are trained, on sets of the half dev. Sets have the size of ``quality.py --quick``: one
split, at most 800 training rows. What was measured is kept, so that a run that was stopped goes
on; a change of an encoder's parameters is measured anew, and after a change of the code
``--fresh`` forgets the rows of the groups:

    python benchmarks/ablation.py --data-dir DIR --jobs 2 --write docs/ablation.md
"""

import argparse
import re
import sys
from pathlib import Path

import pandas as pd
from ablation_rows import GROUPS, PARTS, TRAINING, TRAININGS, measure, signature
from datasets import load_any
from figures import strips
from quality import forget, save, sets_of
from quality_measure import PROTOCOL, SIZES
from quality_report import bounds, collect, count, interval, intervals, labels, markdown, read
from record import Record

CSV = Path(__file__).parent / "results" / "ablation.csv"
SIZE = "quick"
ALONE = "default, alone"
# Of the sets on which trainings are compared.
MOST_CLASSES = 10
BUDGETS = ("5", "20", "all")
# Of two accuracies that are one number a difference is rounding.
LEAST = 1e-9
PAGE = """# What each part adds

`ContrastiveEncoder()`, the default, beside itself with one thing left out or changed, on {sets}
real sets with classes ({count}), one split of each: at
most {train:,} training rows, {test:,} test rows. Sets, features and the logistic regression are
those of [the page on quality](quality.md), and every row has the split, the seed and the label
draws of the default. *Points* are the mean over sets of the accuracy less that of the default, in
percent of the test rows, with a 95 % confidence interval (Student's t over sets), **bold** where it
does not hold zero: {bold} of {comparisons} on this page, where about {chance:.0f} would be if
nothing differed. The median set has {median} training rows and a batch 256, so that an epoch has
at most {batches} batches, and on {one_batch} of the sets one.

{tables}
What was tried and is not there stands in [a table of its own](tried.md).

## All numbers

[`ablation.csv`](../benchmarks/results/ablation.csv) has every set and row by the names of
`benchmarks/ablation_rows.py`, 1 label a class, nearest neighbours, seconds and widths too.
This measures it ({versions}):

    {command}

With `--kept` the command measures nothing and draws the page from the CSV.
"""
ABOUT = {
    "parts": """## The parts of the output

One encoder is fitted for a set, and the columns of one part are dropped from its output. The parts
see each other as in the default: kernel and neighbourhood still read ranks and patterns where
these are dropped. *Sets with it* says on how many sets the part is there; on the others the
difference is zero, and counts as that. `default, alone` are the learned columns alone,
`without learned` all others. *Errors saved* are in percent of those of raw features, as on the page
on quality.

![A dot for each set and an orange bar at their mean: points, by what is dropped](ablation.png)
""",
    "training": """## How the learned columns are trained

On the {few} sets of the half dev that have at most ten classes. Each row changes one parameter of
the default, and is one fit, which gives both tables: all parts, and the learned columns cut out of
the same output.
""",
}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required="--kept" not in sys.argv)
    parser.add_argument("--groups", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure the rows anew")
    parser.add_argument("--kept", action="store_true", help="draw the page anew from its CSV")
    parser.add_argument("--write", type=Path, help="page to write; also writes " + CSV.name)
    return parser.parse_args()


def by_row(results):
    """Results of trainings to those of rows, as ``collect`` reads them, and their widths.

    A part that a set does not have leaves the default there.

    Parameters
    ----------
    results : dict of (set, training, split, ...) to what ``measure`` gave

    Returns
    -------
    rows : dict of (set, row, split) to dict
    widths : dict of (set, row) to (number of columns, training rows)
    """
    rows, widths = {}, {}
    for (set_name, name, split, *_), result in results.items():
        found = dict(result["rows"])
        if name == "default":
            found = {f"without {part}": found["default"] for part in PARTS} | found
        for row, one in found.items():
            rows[set_name, row, split] = {"fit_s": result["fit_s"], "scores": one["scores"]}
            widths[set_name, row] = one["columns"], result["n_train"]
    return rows, widths


def lines_of(results, sets):
    """One line for each set, row, probe and number of labels; see ``collect``."""
    rows, widths = by_row(results)
    frame = collect(rows, sets)
    keys = list(zip(frame.set, frame.row))
    frame["columns"], frame["n_train"] = zip(*(widths[key] for key in keys))
    return frame


def against(frame, row, reference, n, half=None):
    """Accuracy of a row less that of another in points by set, logistic probe."""
    part = frame[(frame.probe == "logistic") & (frame.labels == n)]
    if half is not None:
        part = part[part.half == half]
    accuracy = part[part.row.isin([row, reference])].pivot(
        index="set", columns="row", values="accuracy"
    )
    accuracy = accuracy.reindex(columns=[row, reference]).dropna()
    return 100 * (accuracy[row] - accuracy[reference])


def tables(frame):
    """Heading, rows and reference of every table that has rows."""
    parts = [*(f"without {part}" for part in (*PARTS, "learned")), ALONE]
    found = [(ABOUT["parts"], parts, "default")]
    alone = [f"{name}, alone" for name in TRAINING]
    found.append((ABOUT["training"] + "\n### Beside the parts\n", list(TRAINING), "default"))
    found.append(("### The learned columns alone\n", alone, ALONE))
    there = set(frame.row)
    found = [(heading, [row for row in rows if row in there], of) for heading, rows, of in found]
    return [table for table in found if table[1]]


def differences(frame, rows, reference):
    """Table of the differences to the reference by number of labels."""
    table = pd.DataFrame(index=rows)
    for n in BUDGETS:
        values = [against(frame, row, reference, n) for row in rows]
        texts = [interval(points, 2) for points in values]
        bold = [f"**{text}**" if differ(v) else text for v, text in zip(values, texts)]
        table[f"points, {labels(n)}"] = bold
    if "without learned" in rows:
        table.insert(0, "sets with it", [str(having(frame, row)) for row in rows])
        table = table.reindex([reference, *rows]).fillna("")
        table[f"errors saved, {labels('5')}"] = saved(frame, table.index)
    return markdown(table.rename(index=typed))


def differ(values):
    """Whether the interval of differences does not hold zero."""
    _, low, high = bounds(values)
    return bool((values.abs() > LEAST).any() and (low > 0 or high < 0))


def having(frame, row):
    """On how many sets a row has other columns than the default."""
    width = frame.drop_duplicates(["set", "row"]).pivot(
        index="set", columns="row", values="columns"
    )
    width = width.reindex(columns=[row, "default"]).dropna()
    return int((width[row] != width["default"]).sum())


def saved(frame, rows):
    """Errors that rows save of those of raw features."""
    part = frame[(frame.probe == "logistic") & (frame.labels == "5")]
    return intervals(part, rows).reindex(rows)


def typed(row):
    """A row as one types what it changes."""
    name = row if row == ALONE else row.removesuffix(", alone")
    text = TRAININGS.get(name, name)
    changed = re.fullmatch(r"ContrastiveEncoder\((.+)\)", text)
    return f"`{changed[1] if changed else text}`"


def page(path, target):
    """Text of the page of a CSV; its picture is drawn beside it."""
    command, versions, frame = read(path)
    found = tables(frame)
    values = [against(frame, r, of, n) for _, rows, of in found for r in rows for n in BUDGETS]
    values = [points for points in values if (points.abs() > LEAST).any()]
    _, parts, reference = found[0]
    panels = {
        labels(n): {row: against(frame, row, reference, n) for row in parts} for n in ("5", "all")
    }
    strips(panels, target.with_suffix(".png"))
    sets, size = frame.drop_duplicates("set"), SIZES[SIZE]
    few = frame[~frame.row.isin([*parts, reference, "raw"])].set.nunique()
    texts = [f"{heading}\n{differences(frame, rows, of)}" for heading, rows, of in found]
    texts = [text.replace("{few}", str(few)) for text in texts]
    return PAGE.format(
        sets=len(sets),
        count=count(frame),
        train=size.train,
        test=size.test,
        median=f"{sets.n_train.median():.0f}",
        batches=-(-size.train // 256),
        one_batch=(sets.n_train <= 256).sum(),
        bold=sum(map(differ, values)),
        comparisons=len(values),
        chance=0.05 * len(values),
        tables="\n".join(texts),
        csv=path.name,
        versions=versions,
        command=command,
    )


def few_classes(folder, name, kind):
    """Whether a set has at most ten classes: others cost more than they tell."""
    y = load_any(folder, name, kind, SIZES[SIZE].train, 0)[1]
    return y.max() < MOST_CLASSES


def measured(options):
    """One line for each set, row, probe and number of labels; see ``collect``."""
    sets = sets_of(options.data_dir)
    every = [name for name in sets if not options.sets or name in options.sets]
    names = {"raw": every, "default": every}
    if "training" in options.groups:
        of_dev = [name for name in every if sets[name][1] == "dev"]
        few = [name for name in of_dev if few_classes(options.data_dir, name, sets[name][0])]
        names |= dict.fromkeys(TRAINING, few)
    record = Record("ablation")
    if options.fresh:
        forget(record, names, SIZE)
    signed = {name: signature(name) for name in names}
    # Row by row: a run that was stopped has whole rows, of all sets.
    jobs = [(s, name, 0, SIZE, PROTOCOL, signed[name]) for name in names for s in names[name]]
    return lines_of(record.run(measure, options.data_dir, jobs, options.jobs), sets)


def main():
    options = arguments()
    if not options.kept:
        frame = measured(options)
        for heading, rows, reference in tables(frame):
            print(heading, differences(frame, rows, reference), sep="\n")
        if options.write:
            save(frame, CSV, "ablation.py")
    if options.write:
        options.write.write_text(page(CSV, options.write), encoding="utf-8")


if __name__ == "__main__":
    main()
