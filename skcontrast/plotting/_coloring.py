"""Points that are coloured by a class or a number, told apart by colour-blind people too."""

import numpy as np

from skcontrast.plotting._base import COLORS, shortened, style

MARKERS = "o^sDv"
UNKNOWN = "0.75"
# So many have a place in a legend beside 400 pixels; of more, the most frequent ones are named.
MOST_NAMED = 14


def has_layout(ax):
    """Whether the figure makes room for what stands beside its axes."""
    return ax.figure.get_layout_engine() is not None


def draw_points(ax, positions, look, kwargs):
    """Scatter points of a size that suits their number."""
    from matplotlib.collections import PathCollection

    size = float(np.clip(6000 / max(len(positions), 1), 7, 30))
    defaults = {"s": size, "linewidth": 0, "alpha": 0.85, **look}
    return ax.scatter(*positions.T, **style(kwargs, PathCollection, **defaults))


def draw_unknown(ax, positions, kwargs):
    """Rows without a value, below the others."""
    if len(positions):
        look = {"color": UNKNOWN, "label": f"no label ({len(positions)})", "zorder": 0.5}
        draw_points(ax, positions, look, kwargs)


def draw_classes(ax, positions, there, values, title, kwargs):
    """One colour and marker a class; of very many classes, the most frequent ones."""
    draw_unknown(ax, positions[~there], kwargs)
    positions = positions[there]
    classes, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    named = np.arange(len(classes))
    if len(classes) > MOST_NAMED:
        named = np.sort(np.argsort(-counts, kind="stable")[: MOST_NAMED - 1])
        others = ~np.isin(codes, named)
        label = f"{len(classes) - len(named)} others"
        draw_points(
            ax,
            positions[others],
            {"color": "0.55", "marker": "x", "label": label, "linewidth": 0.8},
            kwargs,
        )
    for i, code in enumerate(named):
        look = {
            "color": COLORS[i % len(COLORS)],
            "marker": MARKERS[i // len(COLORS) % len(MARKERS)],
        }
        look["label"] = shortened(classes[code], 16)
        draw_points(ax, positions[codes == code], look, kwargs)
    _legend(ax, len(named), title)


def draw_numbers(ax, positions, there, values, title, kwargs):
    """A colour for each number, with a bar that says which."""
    draw_unknown(ax, positions[~there], kwargs)
    for old in [child for child in ax.child_axes if child.get_label() == "<colorbar>"]:
        old.remove()
    points = draw_points(ax, positions[there], {"c": values, "cmap": "cividis"}, kwargs)
    # Within the axes given, whatever else the figure holds.
    beside = has_layout(ax)
    if not beside:
        leave_room(ax, 0.33)
    place = (1.02, 0, 0.04, 1) if beside else (0.7, 0.04, 0.04, 0.92)
    bar = ax.figure.colorbar(points, cax=ax.inset_axes(place, label="<colorbar>"))
    bar.solids.set_alpha(1)
    bar.set_label(title)
    if not there.all():
        ax.legend(fontsize="small", loc="upper left")


def leave_room(ax, share):
    """Keep points out of a share of the axes on the right."""
    left, right = ax.dataLim.intervalx
    width = max(right - left, 1e-9)
    ax.set_xlim(left - 0.05 * width, left - 0.05 * width + 1.08 * width / (1 - share))


def _legend(ax, n, title):
    size, space = ("small", 0.5) if n <= 11 else ("x-small", 0.25)
    beside = {"loc": "upper left", "bbox_to_anchor": (1, 1), "borderaxespad": 0.3}
    place = beside if has_layout(ax) else {"loc": "upper right"}
    look = {"fontsize": size, "title_fontsize": size, "labelspacing": space, "handletextpad": 0.2}
    legend = ax.legend(title=title, **look, **place)
    for handle in legend.legend_handles:
        handle.set_sizes([30])
        handle.set_alpha(1)
    if not has_layout(ax):
        share = legend.get_window_extent().width / ax.get_window_extent().width
        leave_room(ax, min(share + 0.03, 0.6))
