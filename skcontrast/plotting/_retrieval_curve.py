"""RetrievalCurveDisplay: how often the other view of a row is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from skcontrast._component import check_count
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike
from skcontrast.metrics._checks import check_pair
from skcontrast.metrics._partners import counts, found_within
from skcontrast.plotting._base import (
    DRAWN,
    GREY,
    Display,
    need_matplotlib,
    next_color,
    numbers,
    same_length,
    style,
    with_view,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RetrievalCurveDisplay(Display):
    """Share of rows whose other view is among the k nearest, for growing k, beside chance.

    Each share is :func:`skcontrast.metrics.retrieval` with this k. ``plot`` hands further
    arguments to matplotlib's ``plot``; drawn on the same ``ax``, two encoders can be compared.

    Parameters
    ----------
    k : array-like of shape (n_points,)
        Numbers of nearest rows.

    share : array-like of shape (n_points,)
        Share of rows found among them.

    chance : array-like of shape (n_points,), default=None
        Share that guessing finds, k / n_samples.

    name : str, default=None
        What is shown, for the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import RetrievalCurveDisplay
    >>> z1 = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    >>> z2 = [[0.6, 0.8], [0.8, 0.7], [-1.0, 0.1]]
    >>> RetrievalCurveDisplay.from_embedding(z1, z2).share.round(3)
    array([0.333, 1.   , 1.   ])
    """

    def __init__(
        self,
        k: ArrayLike,
        share: ArrayLike,
        chance: ArrayLike | None = None,
        *,
        name: str | None = None,
    ):
        self.k, self.share = numbers(k, "k"), numbers(share, "share")
        self.chance = None if chance is None else numbers(chance, "chance")
        self.name = name
        same_length(k=self.k, share=self.share)
        if chance is not None:
            same_length(k=self.k, chance=self.chance)

    @classmethod
    def from_embedding(
        cls,
        z1: ArrayLike,
        z2: ArrayLike,
        *,
        max_k: int | None = None,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> RetrievalCurveDisplay:
        """Draw the curve of the embeddings of two views.

        Parameters
        ----------
        z1, z2 : array-like of shape (n_samples, n_components)
            Embeddings of two views of the same rows; those of ``z1`` ask, and ``z2`` is
            searched.

        max_k : int, default=None
            Largest number of nearest rows; None is 100, or ``n_samples`` where it is smaller.

        name : str, default=None
            For the legend.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : RetrievalCurveDisplay
        """
        need_matplotlib(cls)
        z1, z2 = check_pair(z1, z2)
        n = len(z1)
        most = min(n, 100) if max_k is None else check_count(max_k, "max_k", n)
        k = np.arange(1, most + 1)
        nearer, equal = counts(z1, z2)
        share = [found_within(nearer, equal, i) for i in k]
        return cls(k, share, k / n, name=name).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: RowsLike,
        *,
        view: float | Literal["auto"] | Callable = "auto",
        max_k: int | None = None,
        random_state: RandomState = 0,
        name: str | None = None,
        ax: Axes | None = None,
    ) -> RetrievalCurveDisplay:
        """Draw the curve of a fitted encoder: a random view of each row asks for the row.

        At k = 1 it is what the scorer ``EmbeddingScorer("view_retrieval")`` gives.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``transform``; also a Pipeline that ends with one.

        X : rows, of n_samples
            As the estimator reads them, held out where it can be.

        view : "auto", float or callable, default="auto"
            Where the view comes from, as in :class:`skcontrast.metrics.EmbeddingScorer`.

        max_k : int, default=None
            As in :meth:`from_embedding`.

        random_state : int, RandomState instance or None, default=0
            Seed of the views.

        name : str, default=None
            For the legend; None is the name of the class.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : RetrievalCurveDisplay
        """
        need_matplotlib(cls)
        z, z_view = with_view(estimator, X, view, random_state)
        name = name or type(estimator).__name__
        return cls.from_embedding(z_view, z, max_k=max_k, name=name, ax=ax)

    def _draw(self, ax, kwargs):
        from matplotlib.lines import Line2D
        from matplotlib.ticker import NullFormatter, StrMethodFormatter

        look = {"color": next_color(ax), "marker": "o" if len(self.k) < 15 else None}
        line = style(kwargs, Line2D, label=self.name, markersize=4, gid=DRAWN, **look)
        ax.plot(self.k, self.share, **line)
        if self.chance is not None and "chance" not in [line.get_label() for line in ax.lines]:
            ax.plot(self.k, self.chance, color=GREY, linestyle=":", label="chance")
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set(xlabel="k nearest rows", ylabel="Share of rows found", ylim=(0, 1.04))
        if self.name is not None or self.chance is not None:
            ax.legend(fontsize="small")
