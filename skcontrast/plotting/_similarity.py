"""SimilarityHistogramDisplay: whether positives are nearer than negatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike
from skcontrast.metrics import cosine_gap, tolerance
from skcontrast.metrics._checks import check_pair, check_table, unit_rows
from skcontrast.plotting._base import (
    BLUE,
    VERMILLION,
    Display,
    need_matplotlib,
    numbers,
    style,
    transformed,
    with_view,
)
from skcontrast.plotting._values import cosines, pairs_of_rows, read_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class SimilarityHistogramDisplay(Display):
    """Cosines of positive and of negative pairs, two histograms of area one.

    Positives are the two views of a row, or rows of one class. ``plot`` hands further arguments,
    such as ``bins``, to matplotlib's ``hist``.

    Parameters
    ----------
    positives : array-like of shape (n_positives,)
        Cosines of positive pairs.

    negatives : array-like of shape (n_negatives,)
        Cosines of negative pairs.

    title : str, default=None
        Of the picture.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import SimilarityHistogramDisplay
    >>> z = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    >>> display = SimilarityHistogramDisplay.from_embedding(z, ["a", "a", "b"])
    >>> display.positives, display.negatives
    (array([1.]), array([0., 0.]))
    """

    def __init__(self, positives: ArrayLike, negatives: ArrayLike, *, title: str | None = None):
        self.positives = numbers(positives, "positives")
        self.negatives = numbers(negatives, "negatives")
        self.title = title

    @classmethod
    def from_pairs(
        cls,
        z1: ArrayLike,
        z2: ArrayLike,
        *,
        n_pairs: int = 100_000,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> SimilarityHistogramDisplay:
        """Draw the cosines of the two views of a row, and of the views of two rows.

        Parameters
        ----------
        z1, z2 : array-like of shape (n_samples, n_components)
            Embeddings of two views of the same rows.

        n_pairs : int, default=100000
            Where there are more negative pairs, so many are drawn at random.

        random_state, ax
            Seed of this draw; where to draw, in a new figure by default.

        Returns
        -------
        display : SimilarityHistogramDisplay
            With :func:`skcontrast.metrics.cosine_gap` of all pairs in the title.
        """
        need_matplotlib(cls)
        z1, z2 = check_pair(z1, z2)
        u, v = unit_rows(z1, "z1"), unit_rows(z2, "z2")
        i, j = pairs_of_rows(len(u), n_pairs, random_state)
        title = f"cosine gap {cosine_gap(z1, z2):.3f}"
        return cls(cosines(u, v), cosines(u[i], v[j]), title=title).plot(ax)

    @classmethod
    def from_embedding(
        cls,
        z: ArrayLike,
        y: ArrayLike,
        *,
        n_pairs: int = 100_000,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> SimilarityHistogramDisplay:
        """Draw the cosines of rows of one class, and of rows of two classes.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            Embedding.

        y : array-like of shape (n_samples,)
            Class of each row. Rows without one (None, NaN) take no part.

        n_pairs, random_state, ax
            As in :meth:`from_pairs`.

        Returns
        -------
        display : SimilarityHistogramDisplay
            With :func:`skcontrast.metrics.tolerance` of all pairs in the title.
        """
        need_matplotlib(cls)
        z = check_table(z)
        _, there, classes = read_values(y, "y", len(z), "class")
        z = z[there]
        value, u = tolerance(z, classes), unit_rows(z)
        i, j = pairs_of_rows(len(u), n_pairs, random_state, ordered=False)
        same, cosine = classes[i] == classes[j], cosines(u[i], u[j])
        if same.all() or not same.any():
            missing = "two classes" if same.all() else "one class"
            raise ValueError(
                f"none of {len(i)} pairs of rows is of {missing}: pass rows of several classes, "
                "several of each, or a larger n_pairs."
            )
        return cls(cosine[same], cosine[~same], title=f"tolerance {value:.3f}").plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        view: float | Literal["auto"] | Callable = "auto",
        n_pairs: int = 100_000,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> SimilarityHistogramDisplay:
        """Draw the cosines of what an encoder learned of rows.

        Parameters
        ----------
        estimator, X
            A fitted estimator or Pipeline with ``transform``, and rows as it reads them.

        y : array-like of shape (n_samples,), default=None
            Class of each row. None compares the row with a random view of it.

        view : "auto", float or callable, default="auto"
            Where the view comes from, as in :class:`skcontrast.metrics.EmbeddingScorer`; not
            read where ``y`` is given.

        n_pairs, random_state, ax
            As in :meth:`from_pairs`; the seed is that of the views too.

        Returns
        -------
        display : SimilarityHistogramDisplay
        """
        need_matplotlib(cls)
        settings = {"n_pairs": n_pairs, "random_state": random_state, "ax": ax}
        if y is None:
            return cls.from_pairs(*with_view(estimator, X, view, random_state), **settings)
        if not isinstance(view, str) or view != "auto":
            raise ValueError(f"view={view!r} has no meaning beside y: leave one of them out.")
        return cls.from_embedding(transformed(estimator, X, "learned"), y, **settings)

    def _draw(self, ax, kwargs):
        from matplotlib.patches import Patch

        both = np.concatenate([self.positives, self.negatives])
        centre, half = (both.min() + both.max()) / 2, max(np.ptp(both) / 2, 0.05)
        bins = np.linspace(centre - half, centre + half, 41)
        defaults = {"bins": bins, "density": True, "histtype": "stepfilled", "alpha": 0.55}
        sides = ("negatives", VERMILLION, "--"), ("positives", BLUE, "-")
        for name, color, line in sides:
            look = {"color": color, "linestyle": line, "edgecolor": color, "linewidth": 1.5}
            ax.hist(getattr(self, name), **style(kwargs, Patch, label=name, **defaults, **look))
        ax.legend(fontsize="small")
        ax.set(xlabel="Cosine", ylabel="Density", title=self.title)
