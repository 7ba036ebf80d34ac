"""What all displays share: axes, colours, checked numbers, embeddings of estimators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from skcontrast._component import check_count
from skcontrast._typing import Self
from skcontrast.metrics import EmbeddingScorer
from skcontrast.metrics._checks import check_option
from skcontrast.metrics._scorers import last_step, learned

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind people tell apart; yellow is too pale on white.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
COLORS = (BLUE, ORANGE, GREEN, VERMILLION, "#56B4E9", "#CC79A7", "black")
GREY = "0.45"
# Mark of what is told apart by colours from other displays on the same axes.
DRAWN = "skcontrast"


def need_matplotlib(display):
    """Raise before anything is computed, where nothing could be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ImportError(
            f"{display.__name__} draws with matplotlib, which is not installed: type "
            "pip install 'skcontrast[plot]'."
        ) from None


class Display:
    """A picture, and the arrays that it shows; a subclass draws it in ``_draw``."""

    ax_: Any
    figure_: Any
    _draw: Callable[[Axes, dict], None]

    def plot(self: Self, ax: Axes | None = None, **kwargs: Any) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        **kwargs : dict
            Handed to the function of matplotlib that draws the data, such as ``color`` or
            ``alpha``.

        Returns
        -------
        display : object
            The display, with the axes in ``ax_`` and their figure in ``figure_``.
        """
        need_matplotlib(type(self))
        from matplotlib.axes import Axes

        if ax is not None and not isinstance(ax, Axes):
            raise TypeError(
                f"ax is a {type(ax).__name__}: pass one matplotlib Axes, or leave it out for a new "
                "figure."
            )
        if ax is not None:
            self._draw(ax, kwargs)
        else:
            import matplotlib.pyplot as plt

            figure, ax = plt.subplots(layout="constrained")
            try:
                self._draw(ax, kwargs)
            except BaseException:
                plt.close(figure)
                raise
        self.ax_, self.figure_ = ax, ax.figure
        return self


def numbers(values, name, ndim=1, n_least=1):
    """Return finite numbers as a float64 array."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None or array.ndim != ndim or len(array) < n_least:
        raise ValueError(
            f"{name} is no array of numbers with {ndim} dimension(s) and at least {n_least} "
            f"entries: pass one, got {type(values).__name__}."
        )
    bad = np.count_nonzero(~np.isfinite(array))
    if bad:
        raise ValueError(
            f"{name} holds {bad} value(s) that are NaN or infinite: pass finite numbers."
        )
    return array


def same_length(**arrays):
    """Raise where arrays of the constructor have different lengths."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        said = " and ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ValueError(f"{said} entries: pass arrays of one length.")


def named(value, name):
    """Return ``{name: value}`` of one value, and a dict as it is, with str keys."""
    if not isinstance(value, Mapping):
        return {name or type(value).__name__: value}
    if name is not None:
        raise ValueError(f"name={name!r} beside a dict, whose keys are the names: leave it out.")
    if not value:
        raise ValueError("the dict is empty: pass at least one entry, name: value.")
    return {str(key): entry for key, entry in value.items()}


def sampled(n, subsample, random_state):
    """Sorted numbers of the rows that are looked at, all of them where they are few."""
    subsample = n if subsample is None else check_count(subsample, "subsample")
    if n <= subsample:
        return np.arange(n)
    return np.sort(check_random_state(random_state).permutation(n)[:subsample])


def rows_of(X):
    """Rows that can be read twice, and their number."""
    X = list(X) if isinstance(X, Iterator) else X
    shape = getattr(X, "shape", None)
    return X, shape[0] if shape else len(X)


def transformed(estimator, X, columns):
    """What ``transform`` gives of rows, or what the encoder learned alone."""
    check_option(columns, "columns", ("all", "learned"))
    encoder, rows = last_step(estimator, X)
    return learned(encoder, rows) if columns == "learned" else encoder.transform(rows)


def with_view(estimator, X, view, random_state):
    """What an encoder learned of rows and of one random view of each, as scorers read it."""
    scorer = EmbeddingScorer(view=view, random_state=random_state)
    z, z_view = scorer._embeddings(estimator, rows_of(X)[0])
    return z, z_view()


def style(kwargs, artist, **defaults):
    """What is handed to matplotlib: defaults, and what the user said instead."""
    from matplotlib.cbook import normalize_kwargs

    return {**defaults, **normalize_kwargs(kwargs, artist)}


def next_color(ax):
    """The first colour that no display has drawn with on these axes."""
    drawn = sum(artist.get_gid() == DRAWN for artist in ax.get_children())
    return COLORS[drawn % len(COLORS)]


def shortened(text, most=28):
    """A text of one line and at most so many letters."""
    text = " ".join(str(text).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
