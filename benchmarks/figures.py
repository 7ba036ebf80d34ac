"""Pictures of the pages on quality, and README's.

    python benchmarks/figures.py

draws docs/gain.png from benchmarks/results/quality.csv; the other pictures are drawn with
their pages.
"""

import io
import math
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image
from quality_report import LABELS, read

ROOT = Path(__file__).parents[1]
# Row -> its name in a legend, colour (Okabe and Ito's, told apart by all eyes), marker and line.
# Where lines meet, the raw features are the dashes above the others.
LINES = {
    "pca": ("PCA, 64", "#0072B2", "s-"),
    "pca 16": ("PCA, 16", "#56B4E9", "s-"),
    "nystroem": ("Nystroem", "#009E73", "^-"),
    "umap": ("UMAP, 16", "#CC79A7", "v-"),
    "ContrastiveEncoder(n_components=16)": ("encoder, 16", "#E69F00", "P-"),
    "ContrastiveEncoder(n_components=64)": ("encoder, 64", "#CC79A7", "X-"),
    "default": ("ContrastiveEncoder()", "#D55E00", "D-"),
    "raw": ("raw features", "black", "o--"),
}
WIDTH = 6.0  # inches; the letters are still read where a page shows it 400 pixels wide
README = {"SyntheticControl": "series: SyntheticControl", "mushroom": "table: mushroom"}
README_LINES = ("pca", "nystroem", "umap", "default", "raw")


def curves(frame, by, titles, path, rows=tuple(LINES)):
    """Mean accuracy against labels a class, a panel for each value of a column."""
    figure = Figure((WIDTH, 2.4 * math.ceil(len(titles) / 2) + 0.5), layout="constrained")
    panels = figure.subplots(math.ceil(len(titles) / 2), 2, squeeze=False).ravel()
    for panel, (value, title) in zip(panels, titles.items()):
        part = frame[(frame[by] == value) & (frame.probe == "logistic")]
        mean = 100 * part.pivot_table(index="labels", columns="row", values="accuracy")
        for row in filter(mean.columns.__contains__, rows):
            name, color, style = LINES[row]
            values = mean[row].reindex(LABELS).to_numpy()
            width = 2.2 if row == "default" else 1.2
            panel.plot(LABELS, values, style, color=color, lw=width, ms=5, label=name)
        panel.set_title(title, fontsize=11)
        panel.grid(alpha=0.3)
    for panel in panels[len(titles) :]:
        panel.set_axis_off()
    figure.supxlabel("labels a class", fontsize=11)
    figure.supylabel("accuracy, %", fontsize=11)
    handles, names = panels[0].get_legend_handles_labels()
    if len(panels) > len(titles):
        panels[-1].legend(handles, names, loc="center", frameon=False, fontsize=11)
    else:
        figure.legend(handles, names, loc="outside upper center", ncols=2, frameon=False)
    save(figure, path)


def strips(panels, path):
    """A dot for each set, and a bar at their mean.

    Parameters
    ----------
    panels : dict of title to dict of name to points of the sets
    """
    n = len(next(iter(panels.values())))
    figure = Figure((WIDTH, 0.3 * n + 1), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for panel, (title, lines) in zip(axes, panels.items()):
        for height, values in enumerate(lines.values()):
            panel.plot(values, [height] * len(values), "o", color="#0072B2", alpha=0.5, ms=5)
            panel.plot(values.mean(), height, "|", color="#D55E00", ms=18, mew=3)
        panel.axvline(0, color="black", lw=0.8)
        panel.set_title(title, fontsize=11)
        panel.set_yticks(range(n), lines, fontsize=11)
    axes[0].invert_yaxis()
    figure.supxlabel("difference in points", fontsize=11)
    save(figure, path)


def save(figure, path):
    """A picture of few bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=130)
    Image.open(buffer).convert("RGB").quantize(128).save(path, optimize=True)


def main():
    _, _, frame = read(Path(__file__).parent / "results" / "quality.csv")
    curves(frame, "set", README, ROOT / "docs" / "gain.png", README_LINES)


if __name__ == "__main__":
    main()
