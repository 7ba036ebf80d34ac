"""Points that are coloured by a class or a number, told apart by colour-blind people too."""

import numpy as np

from skcontrast.plotting._base import COLORS, put_legend, shortened, style

MARKERS = "o^sDv"
UNKNOWN = "0.75"
# So many have a place in a legend beside 400 pixels; of more, the most frequent ones are named.
MOST_NAMED = 14


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
    bar = ax.figure.colorbar(points, cax=ax.inset_axes((1.02, 0, 0.04, 1), label="<colorbar>"))
    bar.solids.set_alpha(1)
    bar.set_label(title)
    if not there.all():
        _legend(ax, 1, None, loc="best", bbox_to_anchor=None)


def _legend(ax, n, title, **settings):
    size, space = ("small", 0.5) if n <= 11 else ("x-small", 0.25)
    settings = {"fontsize": size, "title_fontsize": size, "labelspacing": space, **settings}
    put_legend(ax, title=title, handletextpad=0.2, **settings)
    for handle in ax.get_legend().legend_handles:
        handle.set_sizes([30])
        handle.set_alpha(1)
