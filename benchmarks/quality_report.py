"""Statistics of benchmarks/quality.py: one line for each set, row, probe and number of labels."""

import numpy as np
import pandas as pd
from scipy import stats

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


def summary(frame, rows):
    """One line for each row: how it does over the sets, and where it is worst.

    Parameters
    ----------
    frame : DataFrame of ``collect``, of one probe and number of labels
    """
    rows = complete(frame, rows)
    accuracy = frame.pivot(index="set", columns="row", values="accuracy")[rows].dropna()
    if accuracy.empty:
        return accuracy
    points = 100 * accuracy
    lines = {
        "mean accuracy": points.mean().map("{:.1f}".format),
        "mean rank": accuracy.rank(axis=1, ascending=False).mean().map("{:.2f}".format),
        "wins": (accuracy.rank(axis=1, ascending=False, method="min") == 1).sum(),
    }
    if "raw" in rows:
        lines["error reduction, %"] = intervals(frame, rows).reindex(rows).fillna("")
        lines["worst, points"] = pd.Series({row: worst(frame, row) for row in rows})
    fit = frame.pivot(index="set", columns="row", values="fit_s")[rows]
    lines["median seconds"] = fit.median().map("{:.1f}".format)
    return pd.DataFrame(lines).loc[rows]


def worst(frame, row):
    """The lowest difference to raw with its standard error, and the set."""
    chosen = frame[(frame.row == row) & frame.difference.notna()]
    if row == "raw" or chosen.empty:
        return ""
    line = chosen.loc[chosen.difference.idxmin()]
    error = "" if np.isnan(line.difference_se) else f" ± {100 * line.difference_se:.1f}"
    return f"{100 * line.difference:+.1f}{error} ({line.set})"


def summaries(frame, rows, level="##"):
    """Text of the summaries by probe and number of labels."""
    parts = []
    for probe in PROBES:
        for n in LABELS:
            part = frame[(frame.probe == probe) & (frame.labels == n)]
            lines = summary(part, rows)
            if len(lines):
                left = [row for row in rows if row not in lines.index]
                note = f" (not on all of them: {', '.join(left)})" if left else ""
                count = part[part.row == lines.index[0]].set.nunique()
                parts.append(f"{level} {title(probe)}, {labels(n)}: {count} sets{note}\n")
                parts.append(lines.to_markdown(disable_numparse=True) + "\n")
    return "\n".join(parts)


def title(probe):
    return {"logistic": "Logistic regression", "knn": "Nearest neighbours"}[probe]


def labels(n):
    return f"{n} label{'' if n == '1' else 's'} a class"
