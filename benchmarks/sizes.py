"""Whether the default holds with fewer and with more rows: three sizes, three splits.

    python benchmarks/sizes.py --data-dir DIR [--jobs 2] --write docs/sizes.md

Sets, probe and label draws are those of ``quality.py --quick``, with 200, 800 and 2,000 training
rows at most. What was measured is kept, there as here.
"""

import argparse
from pathlib import Path

import pandas as pd
from quality import RESULTS, WITHOUT_ENCODER, save, sets_of
from quality_measure import PROTOCOL, measure
from quality_report import KINDS, collect, count, interval, markdown, read, reductions
from quality_rows import signature
from record import Record

SIZES = {200: "quick 200", 800: "quick", 2000: "quick 2000"}
SPLITS = 3
ROWS = ("raw", "default")
LABELS = ("1", "5", "20", "all")
# A set counts as below raw features by more than a point; of fewer draws one cannot say.
POINT, MOST_ERROR = 0.01, 0.003
PAGE = """# With fewer rows and with more

`ContrastiveEncoder()`, the default, against the raw features that it learned from, on {sets} real
sets ({count}), each with 200, 800 and 2,000 training rows at most and {splits} splits of each size.
Sets, features, halves and the logistic regression are those of [the page on quality](quality.md);
60, 20 and 5 draws of 1, 5 and 20 labels a class in each split, 1,000 test rows. *dev* is the half
on which defaults were chosen, *test* the other.

## Errors saved

Errors that the default saves of those of raw features, in percent: mean over sets and its 95 %
confidence interval (Student's t over sets).

{saved}
## Points by kind

Accuracy of the default less that of raw features, in percent of the test rows, with 5 labels a
class, on the sets of both halves.

{kinds}
## More than a point below raw features

With 5, 20 and all labels (± the standard error over draws and splits, where it is under .3 points;
with all labels there is one draw a split):

{below}

{numbers}
## All numbers

[`sizes.csv`](../benchmarks/results/sizes.csv) has every set, size and number of labels. This
measures it ({versions}):

    {command}
"""


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", type=Path)
    return parser.parse_args()


def measured(options):
    """One line for each size, set, row and number of labels."""
    sets, frames = sets_of(options.data_dir), []
    for size, name in SIZES.items():
        jobs = [
            (one, row, split, name, PROTOCOL, signature(row, WITHOUT_ENCODER))
            for split in range(SPLITS)
            for one in sets
            for row in ROWS
        ]
        results = Record("quality_probes").run(measure, options.data_dir, jobs, options.jobs)
        frames.append(collect(results, sets).assign(size=size))
    frame = pd.concat(frames)
    return frame[frame.probe == "logistic"].drop(columns="probe")


def saved(frame):
    """Errors saved by size, half and number of labels."""
    lines = []
    for (size, half), part in frame[frame.row == "default"].groupby(["size", "half"], sort=False):
        line = {"training rows": f"{size:,}", "half": half}
        for n in LABELS:
            chosen = part[part.labels == n]
            line[f"{n} label{'s' * (n != '1')}"] = interval(reductions(chosen))
        lines.append(line)
    return markdown(pd.DataFrame(lines), index=False)


def kinds(frame):
    """Points at five labels by size and kind."""
    chosen = frame[(frame.row == "default") & (frame.labels == "5")]
    table = {
        f"{size:,} rows": {
            kind: interval(100 * part[part.kind == kind].difference) for kind in KINDS
        }
        for size, part in chosen.groupby("size")
    }
    return markdown(pd.DataFrame(table))


def below(frame):
    """Sets clearly below raw features, as a list."""
    chosen = frame[(frame.row == "default") & (frame.labels != "1")]
    sure = (chosen.labels == "all") | (chosen.difference_se < MOST_ERROR)
    chosen = chosen[sure & (chosen.difference < -POINT)]
    lines = []
    for (size, n), part in chosen.groupby(["size", "labels"], sort=False):
        names = [
            f"{one.set} {100 * one.difference:+.1f}"
            + (f" ± {100 * one.difference_se:.1f}" if n != "all" else "")
            for one in part.sort_values("difference").itertuples()
        ]
        lines.append(f"- {size:,} rows, {n} labels: {', '.join(names)}")
    return "\n".join(lines) or "None."


def numbers(frame):
    """How often it is better and worse by more than a point, in a sentence."""
    chosen = frame[(frame.row == "default") & (frame.labels == "5")]
    better, worse = ((sign * chosen.difference > POINT).sum() for sign in (1, -1))
    pairs = f"{len(chosen)} pairs of a set and a size"
    return (
        f"With 5 labels it is more than a point above in {better} of {pairs}, below in {worse}.\n"
    )


def main():
    options = arguments()
    frame = measured(options)
    print(saved(frame), kinds(frame), below(frame), numbers(frame), sep="\n")
    if options.write:
        path = RESULTS / f"{options.write.stem}.csv"
        save(frame, path, "sizes.py")
        command, versions, frame = read(path)
        fields = {"sets": frame["set"].nunique(), "count": count(frame), "splits": SPLITS}
        fields |= {"saved": saved(frame), "kinds": kinds(frame), "below": below(frame)}
        fields |= {"numbers": numbers(frame), "versions": versions, "command": command}
        options.write.write_text(PAGE.format(**fields), encoding="utf-8")


if __name__ == "__main__":
    main()
