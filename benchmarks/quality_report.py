"""Statistics of benchmarks/quality.py: one line for each set, row, probe and number of labels.

The CSV of these lines is what pages and pictures are drawn from.
"""

import io

import numpy as np
import pandas as pd
from scipy import stats

KINDS = ("table", "text", "series", "image", "embedding")
LABELS = ("1", "5", "20", "all")
PROBES = ("logistic", "knn")
# Errors under half a point count as half a point, or a set that is all but solved decides.
LEAST_ERROR = 0.005


def mean_and_error(values):
    """Mean, and its standard error over label draws (NaN for one)."""
    n = len(values)
    return np.mean(values), np.std(values, ddof=1) / np.sqrt(n) if n > 1 else np.nan


def paired(ours, theirs):
    """Differences of the same label draws of the same splits."""
    both = sorted(ours.keys() & theirs.keys())
    return [a - b for split in both for a, b in zip(ours[split], theirs[split])]


def collect(results, sets):
    """Results of jobs to one line for each set, row, probe and number of labels.

    Parameters
    ----------
    results : dict of (set, row, split, ...) to what ``measure`` gave
    sets : dict of name to (kind, half)

    Returns
    -------
    DataFrame
        ``accuracy`` with the standard error over label draws ``se``; ``difference`` to raw
        features in the same draws (of classifiers of their own: to the logistic probe);
        ``fit_s``, CPU seconds to learn.
    """
    draws, seconds = {}, {}
    for (name, row, split, *_), result in results.items():
        seconds.setdefault((name, row), []).append(result["fit_s"])
        for probe, scores in result["scores"].items():
            for n, values in scores.items():
                draws.setdefault((name, row, probe, n), {})[split] = values
    lines = []
    for (name, row, probe, n), by_split in draws.items():
        values = np.concatenate(list(by_split.values()))
        line = {"set": name, "kind": sets[name][0], "half": sets[name][1], "row": row}
        line |= {"probe": probe, "labels": n}
        line["accuracy"], line["se"] = mean_and_error(values)
        raw = draws.get((name, "raw", probe if probe in PROBES else "logistic", n), {})
        differences = paired(by_split, raw)
        line["difference"], line["difference_se"] = (
            mean_and_error(differences) if differences else (np.nan, np.nan)
        )
        line |= {"draws": len(values), "splits": len(by_split)}
        line["fit_s"] = np.mean(seconds[name, row])
        lines.append(line)
    return pd.DataFrame(lines)


def complete(frame, rows):
    """Of the rows those that have all sets that some row has."""
    counts = frame[frame.row.isin(rows)].groupby("row")["set"].nunique()
    if counts.empty:
        return []
    return [row for row in rows if counts.get(row, 0) == counts.max()]


def reductions(frame):
    """Error reduction in percent against raw features in the same label draws, by line."""
    error = (1 - frame.accuracy).clip(lower=LEAST_ERROR)
    of_raw = (1 - frame.accuracy + frame.difference).clip(lower=LEAST_ERROR)
    return 100 * (1 - error / of_raw)


def intervals(frame, rows):
    """Mean error reduction over sets with its confidence interval, text by row."""
    chosen = frame[frame.row.isin(rows) & (frame.row != "raw")]
    if not chosen.difference.notna().any():
        return pd.Series(dtype=str)
    return reductions(chosen).groupby(chosen.row).apply(interval)


def bounds(values):
    """Mean over sets, and the ends of its 95 % confidence interval (Student's t)."""
    if len(values) < 2:
        return values.mean(), np.nan, np.nan
    half = stats.t.ppf(0.975, len(values) - 1) * values.sem()
    return values.mean(), values.mean() - half, values.mean() + half


def interval(values, digits=1):
    """Mean over sets and its 95 % confidence interval, as text."""
    mean, low, high = (f"{value:+.{digits}f}" for value in bounds(values))
    return mean if len(values) < 2 else f"{mean} ({low} to {high})"


def labels(n):
    return "all labels" if n == "all" else f"{n} label{'' if n == '1' else 's'} a class"


def header(command, versions):
    """Comment lines at the head of the CSV."""
    return f"# {command}\n# {versions}\n"


def read(path):
    """Command, versions and lines of the CSV."""
    text = path.read_text(encoding="utf-8")
    command, versions = (line.removeprefix("# ") for line in text.splitlines()[:2])
    frame = pd.read_csv(io.StringIO(text), comment="#", dtype={"labels": str})
    return command, versions, frame


def count(frame):
    """How many sets of each kind, in words."""
    kinds = frame.drop_duplicates("set").kind.value_counts()
    return ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kind in kinds)


def markdown(table, index=True):
    return table.to_markdown(index=index, disable_numparse=True) + "\n"
