"""NearestRowsDisplay: what an embedding takes to be alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from skcontrast._typing import ArrayLike, Estimator, RowsLike
from skcontrast.metrics._checks import check_table
from skcontrast.plotting._base import (
    BLUE,
    VERMILLION,
    Display,
    need_matplotlib,
    numbers,
    rows_of,
    same_length,
    shortened,
    style,
    transformed,
)
from skcontrast.plotting._values import all_classes, nearest_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class NearestRowsDisplay(Display):
    """The rows nearest to one row, by their cosine, and whether they are of its class.

    ``plot`` hands further arguments to matplotlib's ``scatter``.

    Parameters
    ----------
    similarity : array-like of shape (n_neighbors,)
        Cosines, the nearest first.

    names : list of str
        What is written beside each.

    same_class : array-like of bool of shape (n_neighbors,), default=None
        Which rows are of the class of the row that was asked for.

    title : str, default=None
        Such as the row that was asked for.

    Attributes
    ----------
    indices : ndarray of shape (n_neighbors,)
        Numbers of the nearest rows, unless the constructor made the display.

    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from skcontrast.plotting import NearestRowsDisplay
    >>> z = [[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]]
    >>> names = ["a cup of tea", "a dog", "tea and a cat"]
    >>> display = NearestRowsDisplay.from_embedding(z, 0, n_neighbors=2, names=names)
    >>> display.indices, display.similarity
    (array([2, 1]), array([0.8, 0. ]))
    """

    indices: np.ndarray

    def __init__(
        self,
        similarity: ArrayLike,
        names: list[str],
        same_class: ArrayLike | None = None,
        *,
        title: str | None = None,
    ):
        self.similarity = numbers(similarity, "similarity")
        self.names = [str(name) for name in names]
        self.same_class = None if same_class is None else np.asarray(same_class, dtype=bool)
        self.title = title
        same_length(similarity=self.similarity, names=self.names)
        if same_class is not None:
            same_length(similarity=self.similarity, same_class=self.same_class)

    @classmethod
    def from_embedding(
        cls,
        z: ArrayLike,
        row: int,
        *,
        n_neighbors: int = 10,
        y: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> NearestRowsDisplay:
        """Draw the rows of an embedding that are nearest to one of them.

        Parameters
        ----------
        z : array-like of shape (n_samples, n_components)
            Embedding.

        row : int
            Number of the row, from 0 on.

        n_neighbors : int, default=10
            How many nearest rows are shown, below ``n_samples``.

        y : array-like of shape (n_samples,), default=None
            Class of each row.

        names : array-like of shape (n_samples,), default=None
            What the rows are, such as their texts. None takes their numbers, and classes.

        ax : matplotlib Axes, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        display : NearestRowsDisplay
        """
        need_matplotlib(cls)
        z = check_table(z)
        texts = None if names is None else list(names)
        same_length(z=z, **({} if texts is None else {"names": texts}))
        classes = None if y is None else all_classes(y, len(z))
        indices, similarity = nearest_rows(z, row, n_neighbors)

        def said(i):
            if texts is not None:
                return texts[i]
            return f"row {i}" if classes is None else f"row {i}, class {classes[i]}"

        same = None if classes is None else classes[indices] == classes[row]
        title = f"Nearest to: {shortened(said(row), 32)}"
        display = cls(similarity, [said(i) for i in indices], same, title=title)
        display.indices = indices
        return display.plot(ax)

    @classmethod
    def from_estimator(
        cls,
        estimator: Estimator,
        X: RowsLike,
        row: int,
        *,
        columns: Literal["all", "learned"] = "all",
        n_neighbors: int = 10,
        y: ArrayLike | None = None,
        names: ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> NearestRowsDisplay:
        """Draw the rows that are nearest to one of them in what ``transform`` gives.

        Parameters
        ----------
        estimator, X
            A fitted estimator or Pipeline with ``transform``; rows, of which texts are names too.

        row : int
            Its number, from 0 on.

        columns : {"all", "learned"}, default="all"
            All that an encoder of this package gives, or what it learned alone.

        n_neighbors, y, names, ax
            As in :meth:`from_embedding`.

        Returns
        -------
        display : NearestRowsDisplay
        """
        need_matplotlib(cls)
        X, _ = rows_of(X)
        z = transformed(estimator, X, columns)
        if names is None and not hasattr(X, "columns") and isinstance(next(iter(X)), str):
            names = X
        return cls.from_embedding(z, row, n_neighbors=n_neighbors, y=y, names=names, ax=ax)

    def _draw(self, ax, kwargs):
        from matplotlib.collections import PathCollection

        places, all_rows = np.arange(len(self.names)), np.ones(len(self.names), dtype=bool)
        groups = [(None, all_rows, BLUE, "o")]
        if self.same_class is not None:
            groups = [("same class", self.same_class, BLUE, "o")]
            groups.append(("another class", ~self.same_class, VERMILLION, "X"))
        for label, there, color, marker in groups:
            look = {"color": color, "marker": marker, "label": label, "s": 45, "zorder": 3}
            look = style(kwargs, PathCollection, **look)
            ax.scatter(self.similarity[there], places[there], **look)
        if self.same_class is not None:
            ax.legend(fontsize="small")
        ax.set_yticks(places, [shortened(name) for name in self.names], fontsize="small")
        ax.grid(axis="y", color="0.9")
        ax.set_ylim(len(self.names) - 0.4, -0.6)  # the nearest on top
        ax.set_xlabel("Cosine")
        ax.set_title(self.title or "", loc="right", fontsize="medium")  # names leave little room
