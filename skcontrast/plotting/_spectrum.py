"""SpectrumDisplay: over how many directions an embedding spreads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from skcontrast._typing import ArrayLike, Estimator, RowsLike
from skcontrast.metrics import covariance_spectrum, effective_rank
from skcontrast.metrics._checks import check_option
from skcontrast.plotting._base import (
    DRAWN,
    Display,
    need_matplotlib,
    next_color,
    numbers,
    style,
    transformed,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SpectrumDisplay(Display):
    """Share of the variance in the leading directions, with the effective rank marked.

    A curve that is at 1 after a few directions says that the embedding uses no more of them:
    dimensional collapse. The variances are those of :func:`skcontrast.metrics.covariance_spectrum`,
    and the rank that of :func:`skcontrast.metrics.effective_rank`, which does not centre the
    rows. ``plot`` hands further arguments to matplotlib's ``plot``.

    Parameters
    ----------
    variance : array-like of shape (n_components,)
        Variance along each principal axis, largest first.

    effective_rank : float, default=None
        Marked by a line.

    kind : {"cumulative", "variance"}, default="cumulative"
        Whether the share of the first k directions is drawn, or the share of each on a
        logarithmic scale.

    name : str, default=None
        What is shown, for the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    References
    ----------
    Jing et al., "Understanding dimensional collapse in contrastive self-supervised learning",
    ICLR 2022.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import SpectrumDisplay
    >>> z = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    >>> display = SpectrumDisplay.from_embedding(z)
    >>> display.variance.round(3), round(display.effective_rank, 3)
    (array([0.667, 0.667]), 2.0)
    """

    def __init__(
        self,
        variance: ArrayLike,
        effective_rank: float | None = None,
        *,
        kind: Literal["cumulative", "variance"] = "cumulative",
        name: str | None = None,
    ):
        self.variance = numbers(variance, "variance")
        self.effective_rank = effective_rank
        self.kind = check_option(kind, "kind", ("cumulative", "variance"))
        self.name = name
        if (self.variance < 0).any() or not self.variance.sum() > 0:
            raise ValueError("variance holds negative numbers or zeros alone: pass variances.")

    @classmethod
    def from_embedding(
        cls,
        z: ArrayLike,
        *,
        normalize: bool = True,
        kind: Literal["cumulative", "variance"] = "cumulative",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> SpectrumDisplay:
        """Draw the spectrum of an embedding.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            Embedding.

        normalize : bool, default=True
            Whether rows are divided by their length before the variances are taken.

        kind : {"cumulative", "variance"}, default="cumulative"
            What is drawn.

        name : str, default=None
            For the legend.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : SpectrumDisplay
        """
        need_matplotlib(cls)
        variance = covariance_spectrum(z, normalize=normalize)
        # Of unit rows that are equal, rounding alone is left.
        if not variance.sum() > (1e-28 if normalize else 0):
            alike = "point in one direction" if normalize else "are equal"
            raise ValueError(f"all rows of z {alike}, and have no variance: pass rows that differ.")
        return cls(variance, effective_rank(z), kind=kind, name=name).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: RowsLike,
        *,
        columns: Literal["learned", "all"] = "learned",
        normalize: bool = True,
        kind: Literal["cumulative", "variance"] = "cumulative",
        name: str | None = None,
        ax: Axes | None = None,
    ) -> SpectrumDisplay:
        """Draw the spectrum of what a fitted encoder makes of rows.

        Parameters
        ----------
        estimator : estimator
            Fitted, with ``transform``; also a Pipeline that ends with one.

        X : rows, of n_samples
            As the estimator reads them.

        columns : {"learned", "all"}, default="learned"
            What an encoder of this package learned alone, as scorers read it, or all it gives.

        normalize : bool, default=True
            As in :meth:`from_embedding`.

        kind : {"cumulative", "variance"}, default="cumulative"
            What is drawn.

        name : str, default=None
            For the legend; None is the name of the class.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : SpectrumDisplay
        """
        need_matplotlib(cls)
        z = transformed(estimator, X, columns)
        name = name or type(estimator).__name__
        return cls.from_embedding(z, normalize=normalize, kind=kind, name=name, ax=ax)

    def _draw(self, ax, kwargs):
        from matplotlib.lines import Line2D
        from matplotlib.ticker import MaxNLocator

        share, ylabel = self.variance / self.variance.sum(), "Share of the variance"
        if self.kind == "cumulative":
            share, ylabel = np.cumsum(share), "Share of the variance, summed"
            ax.set_ylim(0, 1.04)
        else:
            ax.set_yscale("log")
        marker = "o" if len(share) < 30 else None
        look = {"color": next_color(ax), "marker": marker, "label": self.name}
        line = style(kwargs, Line2D, markersize=4, gid=DRAWN, **look)
        shown = np.where(share > 0, share, np.nan)  # a logarithm has no place for zero
        ax.plot(np.arange(1, len(share) + 1), shown, **line)
        if self.effective_rank is not None:
            label = f"effective rank {self.effective_rank:.1f}"
            ax.axvline(self.effective_rank, color=line["color"], linestyle="--", label=label)
        if self.name is not None or self.effective_rank is not None:
            ax.legend(fontsize="small")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        xlabel = "Direction" if self.kind == "variance" else "Number of directions"
        ax.set(xlabel=xlabel, ylabel=ylabel)
