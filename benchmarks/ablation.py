"""What each part of ContrastiveEncoder adds, on the sets and with the probes of quality.py.

    python benchmarks/ablation.py --data-dir DIR [--half dev] [--groups parts] [--jobs 2]

Three groups of rows, each beside the default on the same split and the same label draws:
"parts" drops one part of the output of the default, "training" changes how the learned
columns are trained, "structure" has objectives, views and samplers that take negatives or
positives from the data. Sets have the size of ``quality.py --quick``: one split, at most 800
training rows. What was measured is kept, so that a run that was stopped goes on; a change of
an encoder's parameters is measured anew, and after a change of the code ``--fresh`` forgets
the rows of the groups:

    python benchmarks/ablation.py --data-dir DIR --jobs 2 --write docs/ablation.md
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from ablation_rows import GROUPS, PARTS, measure, signature
from quality import HALVES, forget, run, save, sets_of
from quality_measure import PROTOCOL, SIZES
from quality_page import KINDS, read
from quality_report import bounds, collect, interval, intervals
from record import Record

CSV = Path(__file__).parent / "results" / "ablation.csv"
SIZE = "quick"
BUDGETS = ("5", "20", "all")
# Of two accuracies that are one number a difference is rounding.
LEAST = 1e-9
INTRODUCTION = """# What each part adds

`ContrastiveEncoder()`, the default, beside itself with one thing left out or changed, on {sets}
real sets with classes ({kinds}), one split of each: at most {train:,} training rows, {test:,} test
rows. Sets, features and probes are those of [the page on quality](quality.md): a representation
learns from the training rows without their labels, a logistic regression is fitted on a few
labelled ones. Every row has the same split, the same seed and the same label draws as the
default. The median set has {median} training rows; batches hold at most 256 rows, so that an
epoch has at most {batches} of them, and on {one_batch} of the sets one.

**Points** are the mean over sets of the accuracy less that of the default, in percent of the
test rows, with a 95 % confidence interval (Student's t over sets), on all sets and on the
halves *dev* and *test*. **Better / worse** counts the sets on which a row is above or below the
default. **Error reduction** is against the raw features, in percent, as on the page on quality.
**Seconds** are of one CPU, for a fit and the output for all rows, mean over sets; these and the
error reductions are on the sets that all rows of a table have. With
20 labels a class only sets count whose classes have so many.

Written by

    {command}

`--kept` draws the page from what was measured before; the command measures without it. The parts
were measured on all sets, the other groups with `--groups training structure` on those sets of the
half dev that have at most ten classes (`--sets` and their names, which stand below).

{versions}. The numbers, also with 1 label a class and of nearest neighbours, are in
[`benchmarks/results/ablation.csv`](../benchmarks/results/ablation.csv).
"""
ABOUT = {
    "parts": """## The parts of the output

One encoder is fitted for a set, and the columns of one part are dropped from its output. The parts
see each other as in the default: kernel and neighbourhood still read ranks and patterns where
these are dropped. *Sets with it* says on how many sets the part is there; on the others the
difference is zero, and counts as that. `default, alone` are the learned columns alone,
`without learned` all others.
""",
    "training": """## How the learned columns are trained

Each row changes one parameter of the default. A row is one fit, which gives both
tables: all parts, and the learned columns cut out of the same output. `averaged weights` ends
with the exponential average of the weights of all steps (decay 0.99, less in the first steps).
""",
    "structure": """## Positives and negatives from the data

Objectives, views and samplers that look at where other rows lie, with their default parameters
where the list of rows below does not say otherwise. `one way` is there for what hard negatives
add to it, `two encoders` (half as wide each, other seeds) for what stages add: of
`two stages` the second encoder has batches out of clusters of the first one's embedding.
""",
}
LAST = """## Above and below the default

Rows whose 95 % interval over all sets does not hold zero, with the means of the two halves. There
are {n} comparisons; if nothing differed, about {chance:.0f} of them would be listed here.
"""


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--groups", nargs="*", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--sets", nargs="*")
    parser.add_argument("--half", choices=HALVES, help="all sets without it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--fresh", action="store_true", help="measure the rows anew")
    parser.add_argument("--kept", action="store_true", help="measure nothing, show what is kept")
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


def tables(groups):
    """Title, rows and reference of every table of the groups."""
    found = []
    for group in groups:
        if group == "parts":
            rows = [*(f"without {part}" for part in (*PARTS, "learned")), "default, alone"]
            found.append((group, "", rows, "default"))
            continue
        names = list(GROUPS[group])
        found.append((group, "Beside the parts", names, "default"))
        alone = [f"{name}, alone" for name in names]
        found.append((group, "The learned columns alone", alone, "default, alone"))
    return found


def differences(frame, rows, reference):
    """Table of the differences to the reference by number of labels."""
    lines = {}
    for row in rows:
        line = {"sets": against(frame, row, reference, "all").size}
        for n in BUDGETS:
            values = against(frame, row, reference, n)
            if len(values):
                line[f"{n}: points"] = interval(values, 2)
                better, worse = (values > LEAST).sum(), (values < -LEAST).sum()
                line[f"{n}: better / worse"] = f"{better} / {worse}"
        for half in HALVES:
            values = against(frame, row, reference, "5", half)
            line[f"5, {half}"] = f"{values.mean():+.2f}" if len(values) else ""
        lines[short(row)] = line
    table = pd.DataFrame.from_dict(lines, orient="index").fillna("")
    if reference == "default" and "without learned" in rows:
        table.insert(1, "sets with it", [having(frame, row) for row in rows])
    return table.to_markdown(disable_numparse=True) + "\n"


def having(frame, row):
    """On how many sets a row has other columns than the default."""
    width = frame.drop_duplicates(["set", "row"]).pivot(
        index="set", columns="row", values="columns"
    )
    width = width.reindex(columns=[row, "default"]).dropna()
    return int((width[row] != width["default"]).sum())


def levels(frame, rows, reference):
    """Table of the error reductions against raw features, the widths and the seconds."""
    rows = [reference, *rows]
    part = frame[(frame.probe == "logistic") & frame.row.isin(rows)]
    part = part[part.set.isin(common(part, rows))]
    columns = {n: intervals(part[part.labels == n], rows) for n in BUDGETS}
    table = pd.DataFrame(columns).reindex(rows).fillna("")
    table.columns = [f"{n}: error reduction, %" for n in BUDGETS]
    fits = part.drop_duplicates(["set", "row"]).groupby("row")
    table["columns, median"] = fits["columns"].median().map("{:.0f}".format)
    table["seconds"] = fits["fit_s"].mean().map("{:.1f}".format)
    table.index = [short(row) for row in table.index]
    return table.fillna("").to_markdown(disable_numparse=True) + "\n"


def common(frame, rows):
    """Names of the sets that all of the rows have."""
    counts = frame[frame.row.isin(rows)].groupby("set").row.nunique()
    return list(counts.index[counts == len(rows)])


def short(row):
    """Name of a row in a table of learned columns alone."""
    return f"`{row}`" if row == "default, alone" else f"`{row.removesuffix(', alone')}`"


def verdicts(frame, groups):
    """Rows above the default by more than their interval, those below, and the number of all."""
    found, count = {"Above": [], "Below": []}, 0
    for _, _, rows, reference in tables(groups):
        for n in BUDGETS:
            for row in rows:
                values = against(frame, row, reference, n)
                mean, low, high = bounds(values)
                if len(values) < 2 or np.isnan(low) or not (values.abs() > LEAST).any():
                    continue
                count += 1
                if low <= 0 <= high:
                    continue
                halves = (against(frame, row, reference, n, half).mean() for half in HALVES)
                found["Above" if low > 0 else "Below"].append(
                    [
                        f"`{row}`",
                        f"`{reference}`",
                        n,
                        interval(values, 2),
                        *(f"{half:+.2f}" if half == half else "" for half in halves),
                    ]
                )
    return found, count


def expressions(group):
    """List of the rows of a group and what they are."""
    lines = []
    for name, row in GROUPS[group].items():
        about = (
            f"two `ContrastiveEncoder(n_components=128)` ({row.__name__} of `ablation_rows.py`)"
            if callable(row)
            else f"`{row}`"
        )
        lines.append(f"- `{name}`: {about}")
    return "\n".join(lines) + "\n"


def introduction(path, frame, command, versions):
    sets = frame.drop_duplicates("set")
    kinds, size = sets.kind.value_counts(), SIZES[SIZE]
    return INTRODUCTION.format(
        sets=len(sets),
        kinds=", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kind in kinds),
        train=size.train,
        test=size.test,
        median=f"{sets.n_train.median():.0f}",
        batches=-(-size.train // 256),
        one_batch=(sets.n_train <= 256).sum(),
        command=command,
        versions=versions,
    )


def page(path, groups):
    """Text of the page of a CSV."""
    command, versions, frame = read(path)
    groups = [g for g in groups if g == "parts" or frame.row.isin(GROUPS[g]).any()]
    parts, before = [introduction(path, frame, command, versions)], None
    for group, title, rows, reference in tables(groups):
        rows = [row for row in rows if row in set(frame.row)]
        if group != before:
            parts.append(ABOUT[group])
            if GROUPS[group]:
                parts.append(expressions(group))
                names = common(frame, ["default", *rows])
                parts.append(f"On {len(names)} sets: {', '.join(names)}.\n")
            before = group
        if title:
            parts.append(f"### {title}\n")
        parts.append(differences(frame, rows, reference))
        parts.append(levels(frame, rows, reference))
    found, count = verdicts(frame, groups)
    parts.append(LAST.format(n=count, chance=0.05 * count))
    head = ["row", "against", "labels", "points", *HALVES]
    for side, lines in found.items():
        parts.append(f"### {side}\n")
        table = pd.DataFrame(lines, columns=head)
        table = table.to_markdown(index=False, disable_numparse=True)
        parts.append((table if lines else "None.") + "\n")
    return "\n".join(parts)


def main():
    options = arguments()
    sets = sets_of(options.data_dir)
    chosen = [
        name
        for name, (_, half) in sets.items()
        if (not options.sets or name in options.sets) and options.half in (None, half)
    ]
    names = ["raw", "default", *(name for group in options.groups for name in GROUPS[group])]
    record = Record("ablation")
    if options.fresh:
        forget(record, names, SIZE)
    signed = {name: signature(name) for name in names}
    # Row by row: a run that was stopped has whole rows, of all sets.
    jobs = [(s, name, 0, SIZE, PROTOCOL, signed[name]) for name in names for s in chosen]
    results = run(record, measure, jobs, options)
    if not results:
        return
    frame = lines_of(results, sets)
    for _, title, rows, reference in tables(options.groups):
        rows = [row for row in rows if row in set(frame.row)]
        if rows:
            print(title or "The parts")
            print(differences(frame, rows, reference))
    if options.write:
        save(frame, CSV, "ablation.py")
        options.write.write_text(page(CSV, options.groups), encoding="utf-8")


if __name__ == "__main__":
    main()
