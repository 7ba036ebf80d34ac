"""EmbeddingMapDisplay: an embedding in two dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from skcontrast._component import take_rows
from skcontrast._typing import ArrayLike, Estimator, RandomState, RowsLike
from skcontrast.metrics._checks import check_table
from skcontrast.plotting._base import (
    BLUE,
    Display,
    need_matplotlib,
    numbers,
    rows_of,
    sampled,
    transformed,
)
from skcontrast.plotting._coloring import draw_classes, draw_numbers, draw_points
from skcontrast.plotting._projection import projected
from skcontrast.plotting._values import colors_of, read_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class EmbeddingMapDisplay(Display):
    """A map of an embedding: a point for each row, coloured by a class or a number.

    The axes say which method made two columns of many. ``plot`` hands further arguments to
    matplotlib's ``scatter``.

    Parameters
    ----------
    positions : array-like of shape (n_samples, 2)
        Where the rows are.

    values : array-like of shape (n_samples,), default=None
        Class or number of each row, which colours it. Rows without one (None, NaN) are grey.

    kind : {"auto", "class", "number"}, default="auto"
        What the values are; to "auto", fractions and more than 20 numbers are numbers.

    axis_names, values_name, title : str
        What the two axes and the values are called, and what is shown.

    Attributes
    ----------
    indices : ndarray of shape (n_samples,)
        Numbers of the rows shown, unless the constructor made the display.

    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from sklearn.datasets import load_iris
    >>> from skcontrast import ContrastiveEncoder
    >>> from skcontrast.plotting import EmbeddingMapDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> encoder = ContrastiveEncoder(max_iter=2, random_state=0).fit(X)
    >>> display = EmbeddingMapDisplay.from_estimator(encoder, X, y, method="pca")
    >>> display.positions.shape
    (150, 2)
    """

    indices: Any

    def __init__(
        self,
        positions: ArrayLike,
        values: ArrayLike | None = None,
        *,
        kind: Literal["auto", "class", "number"] = "auto",
        axis_names: tuple[str, str] = ("", ""),
        values_name: str | None = None,
        title: str | None = None,
    ):
        self.positions = numbers(positions, "positions", ndim=2)
        if self.positions.shape[1] != 2:
            found = self.positions.shape[1]
            raise ValueError(f"positions has {found} columns: pass two, or type from_embedding.")
        self.values, self.kind = values, kind
        if values is not None:
            n = len(self.positions)
            self.kind, self._there, self._known = read_values(values, "values", n, kind, n_least=0)
        self.axis_names, self.values_name, self.title = axis_names, values_name, title

    @classmethod
    def from_embedding(
        cls,
        z: ArrayLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        method: Literal["tsne", "pca", "umap"] | Any | None = "tsne",
        kind: Literal["auto", "class", "number"] = "auto",
        subsample: int | None = 2000,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> EmbeddingMapDisplay:
        """Draw a map of an embedding.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            Embedding.

        y, condition : array-like of shape (n_samples,), default=None
            Class or number of each row, which colours it; one of the two, or neither.

        method : {"tsne", "pca", "umap"}, object or None, default="tsne"
            How two columns are made of many: by a name, of which "umap" needs umap-learn; by an
            object with ``fit_transform``, such as ``TSNE(perplexity=50)``; None draws two columns
            as they are. By "tsne" and "umap", distances between groups mean little.

        kind : {"auto", "class", "number"}, default="auto"
            What ``y`` or the condition is.

        subsample : int or None, default=2000
            Of more rows, so many are drawn at random and shown; None shows all.

        random_state, ax
            Seed of the method and of this draw; where to draw, by default in a new figure.

        Returns
        -------
        display : EmbeddingMapDisplay
        """
        need_matplotlib(cls)
        z = check_table(z)
        colors = colors_of(y, condition, len(z), kind)
        shown = sampled(len(z), subsample, random_state)
        return cls._of_rows(z[shown], shown, len(z), colors, method, random_state).plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: RowsLike,
        y: ArrayLike | None = None,
        *,
        condition: ArrayLike | None = None,
        columns: Literal["all", "learned"] = "all",
        method: Literal["tsne", "pca", "umap"] | Any | None = "tsne",
        kind: Literal["auto", "class", "number"] = "auto",
        subsample: int | None = 2000,
        random_state: RandomState = 0,
        ax: Axes | None = None,
    ) -> EmbeddingMapDisplay:
        """Draw a map of what a fitted encoder makes of rows.

        Parameters
        ----------
        estimator, X
            A fitted estimator or Pipeline with ``transform``; rows, of which it reads those shown.

        columns : {"all", "learned"}, default="all"
            All that an encoder of this package gives, or what it learned alone.

        y, condition, method, kind, subsample, random_state, ax
            As in :meth:`from_embedding`.

        Returns
        -------
        display : EmbeddingMapDisplay
        """
        need_matplotlib(cls)
        X, n = rows_of(X)
        colors = colors_of(y, condition, n, kind)
        shown = sampled(n, subsample, random_state)
        rows = X if len(shown) == n else take_rows(X, shown)
        z = check_table(transformed(estimator, rows, columns), "the embedding")
        return cls._of_rows(z, shown, n, colors, method, random_state).plot(ax)

    @classmethod
    def _of_rows(cls, z, shown, n, colors, method, random_state):
        values, kind, name = colors
        positions, axis_names = projected(z, method, random_state)
        values = None if values is None else take_rows(values, shown)
        title = f"{len(shown)} rows" if len(shown) == n else f"{len(shown)} of {n} rows"
        said = {"axis_names": axis_names, "values_name": name, "title": title}
        display = cls(positions, values, kind=kind, **said)
        display.indices = shown
        return display

    def _draw(self, ax, kwargs):
        if self.values is None:
            draw_points(ax, self.positions, {"color": BLUE}, kwargs)
        else:
            draw = draw_classes if self.kind == "class" else draw_numbers
            draw(ax, self.positions, self._there, self._known, self.values_name, kwargs)
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], title=self.title)
        ax.set(xticks=[], yticks=[])  # the numbers of a map have no meaning
